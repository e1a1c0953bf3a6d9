"""Where an evaluation takes the best time of change of a profile with two rules, the order is that of the minimum.

A bound with such a profile holds for every time of change; :mod:`cmbound.evaluation` takes the best one. To leading order the
minimum is at one of three places: at the earliest time the late rule allows, at the end (the late rule is not used), or at a
time between that does not move with the parameter. Which one is decided by the orders there, and compared in balls with the
minimum over times at two scales; where the two disagree (the best time moves in another way) nothing is answered.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import sympy
from sympy import Add, Max

from cmbound.analysis.expressions import OrderUndecidedError, Point, ball
from cmbound.analysis.records import Order
from cmbound.arithmetic import certified
from cmbound.theory.functions import plain
from cmbound.theory.notation import delta, t_hat, t_switch, t_switch_hat
from cmbound.theory.records import Theorem
from cmbound.theory.rules import Profile
from cmbound.theory.variants import LocalErrorSum

Places = Mapping[Any, tuple[Any, Any]]  # for each symbol of a time of change the earliest and the latest time it may be
_BITS = 700  # powers of the scales below, and what cancels between them
_SCALES = (10**30, 10**60)  # two sizes so far apart that an exponent is read off to three digits
_TIMES = 25  # decades in which the best time is looked for


def places(theorem: Theorem, profile: Profile, teacher: str) -> Places:
    """The times of change in the closed form of a statement (none where the profile has one rule)."""
    rules = profile.rules[teacher]
    if not theorem.uses_profile or len(rules) == 1:
        return {}
    earliest = Max(delta, plain(sympy.sympify(rules[1].valid_from)))
    ends = {x.args[0] for term in theorem.sources for x in term.expression.atoms(LocalErrorSum)}
    return {t_switch_hat if end == t_hat else t_switch: (earliest, end) for end in sorted(ends, key=str)}


def at_best_times(expr: Any, name: str, where: Places, orders: Any, points: tuple[Point, ...]) -> Any:
    """``expr``, a sum, with every time of change at its best place, to leading order in the parameter ``name``.

    A time between the two ends keeps its symbol: the best one there gives the coefficient. ``orders`` gives the :class:`Order` of
    an expression. Raises OrderUndecidedError for an order that is not decided, or a best time that moves in another way.
    """
    for symbol, (low, high) in where.items():
        part = Add(*(x for x in Add.make_args(expr) if x.has(symbol)))
        if part != 0:
            expr = expr.subs(symbol, _best_place(part, symbol, low, high, name, orders, points[0]))
    return expr


def _best_place(part: Any, symbol: Any, low: Any, high: Any, name: str, orders: Any, point: Point) -> Any:
    _, moving = sympy.factor_terms(part).as_independent(symbol, as_Add=False)
    if name not in {x.name for e in (moving, low, high) for x in e.free_symbols}:
        return symbol  # a common factor does not move the best time
    options = [(x, orders(part.subs(symbol, x))) for x in (symbol, low, high)]
    decided = [x for x in options if x[1].kind != "undecided"]
    if not decided:
        raise OrderUndecidedError(options[0][1].reason)
    best, found = min(decided, key=lambda x: _size(x[1])) if len(decided) > 1 else decided[0]
    _verify(part, found, symbol, low, high, point)
    return best


def _size(x: Order) -> tuple[float, float, float]:
    """Falls with the order; exponentials by what stands in them at one large value of the parameter."""
    if x.kind == "zero":
        return (float("-inf"), 0.0, 0.0)
    toward, large = (1.0, 100) if x.limit == "oo" else (-1.0, sympy.Rational(1, 100))
    rate = x.rate.subs({y: large if y.name == x.parameter else 1 for y in x.rate.free_symbols})
    return (float(rate), toward * float(x.exponent), float(x.logs))


def _verify(part: Any, found: Order, symbol: Any, low: Any, high: Any, point: Point) -> None:
    """The growth of the minimum between two scales against that of the order."""
    if found.kind != "power":
        return
    smallest = []
    for scale in _SCALES:
        at = {**point, found.parameter: Fraction(scale) if found.limit == "oo" else Fraction(1, scale)}
        smallest.append(_minimum(part, symbol, _near(low, at), _near(high, at), at))
    with certified.precision(_BITS):
        logs = [certified.number(x).log() for x in _SCALES]
        steps = logs[1] - logs[0]
        slope = float(((smallest[1] / smallest[0]).log() / steps).mid())
        bend = float(((logs[1] / logs[0]).log() / steps).mid())
    toward = 1.0 if found.limit == "oo" else -1.0
    expected = toward * float(found.exponent) + float(found.logs) * bend
    if not abs(slope - expected) < 0.02:
        raise OrderUndecidedError(
            f"the smallest bound over {symbol} grows with the power {slope:.3f}, not {expected:.3f}: "
            f"its place moves with {found.parameter}"
        )


def _near(expr: Any, at: Point) -> Fraction:
    with certified.precision(_BITS):
        middle = ball(expr, at, _BITS).mid()
        mantissa, two = middle.man_exp()
    return Fraction(int(mantissa)) * Fraction(2) ** int(two)


def _minimum(part: Any, symbol: Any, low: Fraction, high: Fraction, at: Point) -> Any:
    """The smallest value over times that crowd at both ends and are spread over the decades between, up to a factor."""
    width = high - low
    steps = [Fraction(10) ** -k for k in range(1, _TIMES, 3)]
    times = {low, high, *(low + width * x for x in steps), *(high - width * x for x in steps), low + width / 2}
    values = [ball(part, {**at, symbol.name: x}, _BITS) for x in sorted(times) if low <= x <= high]
    finite = [x for x in values if x.is_finite() and x > 0]
    if not finite:
        raise OrderUndecidedError(f"no value of the bound over {symbol}")
    return min(finite, key=lambda x: x.mid())
