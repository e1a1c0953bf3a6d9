"""What the order calculus needs to know about expressions: definitions unfolded, Taylor series of kernels, balls."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import cache
from typing import Any

import sympy
from sympy import Function, Max

from cmbound.arithmetic import certified
from cmbound.errors import UndecidedError
from cmbound.theory.functions import (
    Named,
    Rearranged,
    chi_h_squared,
    chi_squared,
    g,
    geometric_sum,
    kappa_h,
    rho_h_squared,
    rho_squared,
    unfolded as definition,
)

TIMES = ("t_star", "delta", "t_hat", "t", "T")  # times in rising order
KERNELS = (
    g,
    kappa_h,
    rho_squared,
    chi_squared,
    rho_h_squared,
    chi_h_squared,
)  # functions whose definitions cancel near 0: there they have their Taylor series
_BITS = 400  # beyond the cancellation of the widest expression at a sample point

Point = Mapping[str, Fraction]


class OrderUndecidedError(UndecidedError):
    """No rule applies, or a sign depends on the other parameters."""


class MoreTerms(UndecidedError):
    """Everything kept has cancelled."""


class geo(Function):  # type: ignore[misc]
    """1 + x + ... + x^(n-1), where n >= 1 is not a number and x depends on X."""

    nargs = 2


def unfolded(expr: Any) -> Any:
    """``expr`` in elementary functions; a geometric sum is (x^n - 1)/(x - 1)."""
    if not expr.args:
        return expr
    if isinstance(expr, Rearranged):
        return unfolded(expr.args[0])
    if isinstance(expr, geometric_sum):
        x, n = map(unfolded, expr.args)
        return (x**n - 1) / (x - 1)
    if isinstance(expr, Named):
        return unfolded(definition(expr))
    return expr.func(*map(unfolded, expr.args))


@cache
def taylor(kernel: Any, count: int) -> tuple[Any, ...]:
    """The first coefficients of a kernel at 0 (of kappa_h: of its square)."""
    z = sympy.Symbol("z", positive=True)
    body = kernel.definition(z) ** (2 if kernel is kappa_h else 1)
    parts = sympy.fraction(sympy.together(body))
    top, bottom = (sympy.series(sympy.expand(e), z, 0, count + 2).removeO() for e in parts)  # bottom vanishes to first order
    quotient = sympy.series(sympy.expand(top / z) / sympy.expand(bottom / z), z, 0, count).removeO()
    return tuple(quotient.coeff(z, j) for j in range(count))


def ordered(e: Any) -> Any:
    """Max and Min of times whose order is part of their meaning."""
    if not all(x.is_Symbol and x.name in TIMES for x in e.args):
        return e
    return (max if isinstance(e, Max) else min)(e.args, key=lambda x: TIMES.index(x.name))


def ball(expr: Any, point: Point, bits: int = _BITS) -> Any:
    """An enclosure of ``expr`` at a point."""
    symbols = tuple(sorted(expr.free_symbols, key=lambda x: x.name))
    missing = [x.name for x in symbols if x.name not in point]
    if missing:
        raise OrderUndecidedError(f"no value to try for {', '.join(missing)}")
    with certified.precision(bits):
        return certified.compile((expr,), symbols)(*(certified.number(point[x.name]) for x in symbols))[0]


def with_constants(e: Any, variable: Any) -> Any:
    """``e`` with the named functions that do not depend on the variable unfolded too."""
    if not e.has(variable):
        return unfolded(e)
    return e.func(*(with_constants(x, variable) for x in e.args)) if e.args else e
