"""Weakened copies of an expression: the systematic set of mistakes that verification must catch.

Every sum loses each of its terms and has each of them halved; every power of a parameter, and of a function of time
with a name, has its exponent lowered by 1/2; L_f and d^{1/2} are dropped from each product; each branch of a maximum is
dropped; the one-step kernels give way to half their leading order. Differences (T - delta, s_b - s_a, ...) and sums with
a number (1 + L_s, d + 2, ...) are left whole: the first are identities, the second normalisations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sympy
from sympy import Integer, Rational, sqrt

from cmbound.frozen import FrozenDict
from cmbound.theory import functions, named
from cmbound.theory.notation import PUBLIC, L_f, d, h
from cmbound.theory.variants import Placeholder, ScheduleSum, visible_symbols

HALF = Rational(1, 2)
UNFOLDED = (functions.U, functions.K, functions.beta, functions.I3)
"""Constants of the profiles that are sums themselves: each of their terms is weakened."""
OPENED = (functions.tv_drift, functions.tv_energy, functions.steering, functions.corrector_information)
"""Named parts of statements: weakened inside like any other expression."""
AT_MOST_ONE = (functions.c, functions.s, functions.v)
"""Functions of time that never exceed 1."""
KERNELS: Mapping[Any, tuple[str, Any]] = FrozenDict(
    {
        functions.g: ("h/4", lambda x: x / 4),
        functions.kappa_h: ("h/(2 3^(1/2))", lambda x: x / (2 * sqrt(3))),
        functions.rho_squared: ("x^2/6", lambda x: x**2 / 6),
        functions.chi_squared: ("x^3/6 e^(-2x)", lambda x: x**3 / 6 * sympy.exp(-2 * x)),
        functions.rho_h_squared: ("x^2/24", lambda x: x**2 / 24),
        functions.chi_h_squared: ("x^3/24", lambda x: x**3 / 24),
    }
)
HALVED = FrozenDict({kind: kernel for kind, (_, kernel) in KERNELS.items() if kind is not functions.rho_squared})
"""Those that are at least twice what replaces them, everywhere."""
_PARAMETERS = frozenset(PUBLIC) - {"delta", "T", "t", "t_hat"}


@dataclass(frozen=True)
class Change:
    """What was changed, the weakened expression, and why it is not weaker after all (empty: it may be)."""

    text: str
    expression: Any
    not_weaker: str = ""


def weakened(expr: Any) -> list[Change]:
    """All weakened copies of a non-negative expression, each different from it and from the others."""
    expr = expr.args[0] if isinstance(expr, named.Rearranged) else expr
    changes = [Change("dropped", Integer(0)), Change("halved", expr / 2), *_inside(expr)]
    changes.append(Change("e^h - 1 replaced by h", expr.xreplace({functions.em1(h): h})))
    if L_f in visible_symbols(expr):
        changes.append(Change("L_f dropped", expr.xreplace({L_f: Integer(1)})))
    found: dict[Any, Change] = {expr: Change("", expr)}
    for change in changes:
        found.setdefault(change.expression, change)
    return [x for key, x in found.items() if key != expr]


def _inside(expr: Any) -> Iterator[Change]:
    """Changes to one node of the tree at a time."""
    yield from _at(expr)
    if isinstance(expr, OPENED):
        yield from _inside(type(expr).definition(*expr.args))
        return
    if isinstance(expr, UNFOLDED):
        yield from (Change(f"in {expr}: {x.text}", x.expression) for x in _at(type(expr).definition(*expr.args)))
        return
    closed = isinstance(expr, Placeholder) and not isinstance(expr, ScheduleSum)
    if isinstance(expr, named.Rearranged | named.Named) or closed or is_whole(expr) or not expr.args:
        return
    if expr.is_Pow and expr.base.is_Symbol:
        return
    for i, arg in enumerate(expr.args[:1] if isinstance(expr, ScheduleSum) else expr.args):
        for change in _inside(arg):
            args = (*expr.args[:i], change.expression, *expr.args[i + 1 :])
            yield Change(change.text, expr.func(*args), change.not_weaker)


def is_whole(expr: Any) -> bool:
    """A difference, or a sum with a number."""
    return bool(expr.is_Add) and any(x.could_extract_minus_sign() or x.is_Rational for x in expr.args)


def _at(expr: Any) -> Iterator[Change]:
    if isinstance(expr, sympy.Max):
        for arg in expr.args:
            rest = (x for x in expr.args if x is not arg)
            yield Change(f"branch {named.plain(arg)} of the maximum dropped", expr.func(*rest))
    elif expr.is_Add and not is_whole(expr):
        for arg in expr.args:
            yield Change(f"{named.plain(arg)} dropped", expr - arg)
            yield Change(f"{named.plain(arg)} halved", expr - arg / 2)
    elif type(expr) in KERNELS:
        name, kernel = KERNELS[type(expr)]
        yield Change(f"{expr} replaced by {name}", kernel(expr.args[0]))
    elif expr.is_Mul or expr.is_Pow or expr.is_Symbol or isinstance(expr, named.Named):
        yield from _exponents(expr)


def _exponents(expr: Any) -> Iterator[Change]:
    """Exponents of parameters and of named functions of time, one factor at a time."""
    for factor in sympy.Mul.make_args(expr):
        base, exponent = factor.as_base_exp()
        if not exponent.is_Rational or exponent < 0:
            continue
        if base.is_Symbol and base.name in _PARAMETERS:
            text = "d^(1/2) dropped" if base == d and exponent == HALF else f"exponent of {base} lowered"
            yield Change(text, expr / sqrt(base))
        elif isinstance(base, AT_MOST_ONE):
            yield Change(f"exponent of {base} lowered", expr / sqrt(base), f"{base} is at most 1")
        elif isinstance(base, functions.lam):
            yield Change(f"exponent of {base} lowered", expr / sqrt(base))
