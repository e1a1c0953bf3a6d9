"""What the order calculus needs to know about expressions: definitions unfolded, Taylor series of kernels, balls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from functools import cache, lru_cache
from typing import Any

import sympy
from sympy import Function, Max

from cmbound.arithmetic import certified
from cmbound.errors import UndecidedError
from cmbound.theory.functions import chi_h_squared, chi_squared, g, geometric_sum, kappa_h, rho_h_squared, rho_squared
from cmbound.theory.named import Named, Rearranged, unfolded as definition

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


@lru_cache(maxsize=4096)
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
    return rebuilt(expr, [unfolded(x) for x in expr.args])


def rebuilt(expr: Any, args: Sequence[Any]) -> Any:
    """``expr`` with other arguments; itself where they are the same (SymPy compares those of Max and Min for long).

    A power, a logarithm or an arc tangent of a sum or product stays one: SymPy asks for long what could be taken out of it.
    """
    if all(x is y for x, y in zip(args, expr.args, strict=True)):
        return expr
    inner = args[0]
    if expr.is_Pow:
        stays = inner.is_Add and args[1].is_Rational and args[1] not in (0, 1)
    else:
        stays = isinstance(expr, sympy.log | sympy.atan) and (inner.is_Add or inner.is_Mul or isinstance(inner, sympy.Pow))
    return expr.func(*args, evaluate=False) if stays else expr.func(*args)


@cache
def taylor(kernel: Any, count: int) -> tuple[Any, ...]:
    """The first coefficients of a kernel at 0 (of kappa_h: of its square)."""
    z = sympy.Symbol("z", positive=True)
    body = kernel.definition(z) ** (2 if kernel is kappa_h else 1)

    def power_series(e: Any) -> Any:  # of a polynomial in z and exponentials, right as far as it is needed
        return sympy.Poly(e.replace(sympy.exp, lambda x: sum(x**j / sympy.factorial(j) for j in range(count + 2))), z)

    top, bottom = map(power_series, sympy.fraction(sympy.together(body)))
    first = next(j for j in range(count) if bottom.nth(j) != 0)
    found: list[Any] = []
    for j in range(first, first + count):
        found.append((top.nth(j) - sum(x * bottom.nth(j - i) for i, x in enumerate(found))) / bottom.nth(first))
    return tuple(found)


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


_K, _K_FROM_TWO = sympy.Symbol("k", positive=True, integer=True), sympy.Symbol("k_", nonnegative=True, integer=True) + 2


def from_two(e: Any) -> Any:
    """``e`` where a number of evaluations k is at least 2."""
    return e.subs(_K, _K_FROM_TWO)


class Sample(tuple[Point, ...]):
    """Points at which signs are decided. What was decided once is kept: the limits of many expressions ask for the same signs."""

    def __init__(self, points: Iterable[Point]) -> None:
        self._zeros: dict[Any, bool] = {}
        self._signs: dict[Any, int] = {}

    def is_zero(self, e: Any) -> bool:
        """Whether a coefficient vanishes identically."""
        if e.is_Rational:
            return bool(e == 0)
        if e not in self._zeros:
            self._zeros[e] = self._is_zero(e)
        return self._zeros[e]

    def _is_zero(self, e: Any) -> bool:
        if isinstance(e, sympy.exp):
            return False
        if e.is_Mul:
            return any(map(self.is_zero, e.args))
        if e.is_Pow and e.exp.is_Rational:
            return bool(e.exp > 0) and self.is_zero(e.base)
        if e.is_Add and self._differs(e):  # SymPy takes longer to say so of a sum
            return False
        if e.is_zero or e.is_positive or e.is_negative:
            return bool(e.is_zero)
        if not e.is_Add and self._differs(e):
            return False
        if sympy.simplify(e) == 0:
            return True
        raise OrderUndecidedError(f"cannot decide whether {e} is zero")

    def _differs(self, e: Any) -> bool:
        """Whether the value at some point is not 0."""
        return any(x.is_finite() and not x.contains(0) for x in (ball(e, point) for point in self))

    def sign(self, e: Any) -> int:
        """-1, 0 or 1; the same at every point."""
        if e.is_Rational:
            return int(e.p > 0) - int(e.p < 0)
        if e not in self._signs:
            self._signs[e] = self._sign(e)
        return self._signs[e]

    def _sign(self, e: Any) -> int:
        known = from_two(e)
        if known.is_positive or known.is_negative:
            return 1 if known.is_positive else -1
        if self.is_zero(e):
            return 0
        found = {(x > 0) - (x < 0) for x in (ball(e, point) for point in self)}
        if len(found) != 1 or 0 in found:
            raise OrderUndecidedError(f"the sign of {e} depends on the other parameters: give values for them")
        return int(found.pop())
