"""Elasticities of a bound, and its dominating term along one parameter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import sympy
from sympy import Add, Heaviside

from cmbound.analysis.expressions import ball
from cmbound.analysis.orders import DEFAULT_PROFILE, analysed_terms, exact_point, limit_of, split, with_equal_weights
from cmbound.analysis.records import Dominance, Elasticities, Interval
from cmbound.arithmetic import approximate as floats, certified
from cmbound.arithmetic.exact import as_expr
from cmbound.errors import DomainError, InputError, UndecidedError
from cmbound.evaluation.expressions import by_name
from cmbound.evaluation.free import best
from cmbound.evaluation.paths import choose_pieces
from cmbound.evaluation.setting import Setting, resolve
from cmbound.evaluation.statement import theorem as find
from cmbound.evaluation.terms import prepared
from cmbound.numbers import exact
from cmbound.theory.formulas import convert, put_in
from cmbound.theory.functions import Q, geometric_sum
from cmbound.theory.named import derivative, plain
from cmbound.theory.notation import TABLE, L_f, a, b, delta, h, t_star, tau
from cmbound.theory.records import Theorem
from cmbound.theory.variants import LocalErrorSum
from cmbound.threads import alone

POINTS = 401  # values along a parameter before the borders are refined
_HELD = 1e-4  # relative distance to a limit at which a parameter that was chosen best is taken to be held by it
_CLOSE = 0.02  # a border read off a float64 curve lies within this share
_BITS = 256  # enough for all but a far horizon, which gets eight times as many


@alone
def elasticity(theorem: Theorem | str, parameter: str, **params: Any) -> Any:
    """d log(bound)/d log(parameter), an exact SymPy expression.

    Args:
        theorem: a statement or its id.
        parameter: a parameter of the closed form.
        params: options as for :func:`cmbound.analysis.orders.orders`, and ``term``, the name of one term.

    Raises:
        InputError: the parameter or the term does not occur.

    >>> import cmbound
    >>> cmbound.elasticity("explicit-score-lipschitz", "R").free_symbols == {cmbound.symbol("R"), cmbound.symbol("delta")}
    True
    """
    theorem, term = find(theorem), params.pop("term", None)
    options, numbers = split(params)
    terms = analysed_terms(theorem, options, exact_point(theorem, numbers))
    if term is not None and term not in terms:
        raise InputError(f"{theorem.id} has no term {term!r}; it has {', '.join(terms)}")
    bound = Add(*terms.values()) if term is None else terms[term]
    if parameter not in {x.name for x in bound.free_symbols}:
        raise InputError(f"{parameter!r} does not occur in the bound; {', '.join(_varying(bound))} do")
    return by_name(_elasticity(bound, parameter))


def _varying(bound: Any) -> list[str]:
    present = {x.name for x in bound.free_symbols}
    return [name for name in TABLE if name in present and (limit_of(name) or name == "tau")]


@lru_cache(maxsize=256)
def _elasticity(bound: Any, parameter: str) -> Any:
    x = TABLE[parameter].symbol
    smooth = bound.replace(geometric_sum, lambda y, n: (y**n - 1) / (y - 1))
    # where t_star = delta is the lower end, infinite derivatives in the two cancel: they are one argument
    smooth = smooth.replace(lambda e: isinstance(e, Q) and e.args[1] == e.args[2], lambda e: plain(Q.definition(*e.args)))
    return x * derivative(smooth, x) / smooth


@alone
def elasticities(theorem: Theorem | str, **params: Any) -> Elasticities:
    """Elasticities of the total in every parameter of its closed form, or at a complete point along the path it takes there.

    Args:
        theorem: a statement or its id.
        params: options as for :func:`cmbound.analysis.orders.orders`, and the numbers of
            :meth:`cmbound.Statement.evaluate` (all of them, or only ``t_star`` and ``tau``). The times at which the rules of
            a profile change, and parameters of the algorithm left out, are at their best values, as in an evaluation:
            they move with the others where a limit holds them, and inside their range it does not matter.

    Raises:
        CmboundError: as for :meth:`cmbound.Statement.evaluate`.
        UndecidedError: the bound has a kink at the point.

    >>> import cmbound
    >>> slopes = cmbound.elasticities("explicit-score-lipschitz", delta="0.01", R=1)
    >>> sorted(slopes.values)
    ['R', 'delta']
    """
    theorem = find(theorem)
    options, numbers = split(params)
    given = exact_point(theorem, numbers)
    at: dict[str, Any] = {}
    fixed = {name: x for name, x in given.items() if name in ("t_star", "tau")}  # the number of evaluations stays a symbol
    complete = bool(set(numbers) - {"t_star", "tau"})
    if complete:
        at, chosen, bound = _point(theorem, options, numbers, fixed)
        bound = _with_active(theorem, bound, at, chosen)
        at |= _polished(bound, at, chosen)
    else:
        bound = Add(*analysed_terms(theorem, options, fixed).values())
    expressions = {name: _elasticity(bound, name) for name in _varying(bound)}
    values = {name: _value(e, at) for name, e in expressions.items()} if complete else None
    return Elasticities(theorem, {name: by_name(e) for name, e in expressions.items()}, values)


def _point(
    theorem: Theorem, options: Mapping[str, Any], numbers: Mapping[str, Any], values: Mapping[str, Any]
) -> tuple[dict[str, Any], tuple[str, ...], Any]:
    """The exact values at a complete point, the names of those that were left out and chosen best, and the bound there."""
    given = {**numbers, **_default(theorem), **options}
    chosen = best(theorem, given) if theorem.free else {}
    setting = resolve(theorem, {**given, **chosen})
    if setting.lists or setting.grid is not None:
        raise InputError("elasticities are those of the closed form in h: give single numbers and h, no grid")
    bound = Add(*analysed_terms(theorem, options, values, settled=False).values())
    star = values.get("t_star", 0)
    bound = with_equal_weights(_on_path(setting, bound))
    bound = bound.subs({t_star: delta if star == "delta" else 0} | ({} if values.get("tau") else {tau: 0}), simultaneous=True)
    return {name: as_expr(x) for name, x in setting.values.items()}, tuple(chosen), bound


def _on_path(setting: Setting, bound: Any) -> Any:
    """The bound with the sums of local errors along the paths an evaluation takes, whose inner ends stay where they are."""
    setting, sums, paths = prepared(setting)
    for end in {x.args[0] for x in bound.atoms(LocalErrorSum)}:
        time = setting.values.get(end.name, setting.values["T"])  # a later evaluation without a time counts nothing
        pieces = paths[time] if time in paths else choose_pieces(setting, sums, [time])[time]
        last = [end if x is pieces[-1] else sympy.Min(as_expr(x.end) + h, end) for x in pieces]
        first = [delta if x is pieces[0] else as_expr(x.start) for x in pieces]
        total = Add(*(put_in(x.rule.bound, {a: y, b: z}) for x, y, z in zip(pieces, first, last, strict=True)))
        closed = convert(L_f * total, setting.clock, end, end)
        bound = bound.xreplace({x: x.filled(closed) for x in bound.atoms(LocalErrorSum) if x.args[0] == end})
    return bound


def _along(expr: Any, symbol: Any, at: Mapping[str, Any]) -> Callable[[Any], Any]:
    """``expr`` in float64 as a function of one symbol."""
    others = tuple(sorted(expr.free_symbols - {symbol}, key=lambda x: x.name))
    fixed = [_value(x, at) for x in others]
    compiled = floats.compile((expr,), (symbol, *others))
    return lambda x: compiled(np.asarray(x), *fixed)[0]


def _with_active(theorem: Theorem, bound: Any, at: Mapping[str, Any], chosen: tuple[str, ...]) -> Any:
    """The bound with a parameter that was chosen best, but is held by an assumption, put in as the assumption has it."""
    for name in chosen:
        symbol = TABLE[name].symbol
        for assumption in theorem.statement_assumptions:
            if assumption.predicate is not None and assumption.predicate.has(symbol):
                gap = sympy.expand(assumption.predicate.gts - assumption.predicate.lts)
                if abs(_value(gap, at)) < _HELD * float(at[name]):
                    bound = bound.subs(symbol, sympy.solve(gap, symbol)[0])
    return bound


def _polished(bound: Any, at: Mapping[str, Any], chosen: tuple[str, ...]) -> dict[str, Any]:
    """Parameters that were chosen best to a few digits, to more; one whose best value is elsewhere (it has limits) stays."""
    from scipy.optimize import minimize_scalar

    found = dict(at)
    for _ in range(4):
        for name in chosen:
            symbol = TABLE[name].symbol
            if bound.has(symbol):
                function, start = _along(bound, symbol, found), float(at[name])
                span = start * (1 - _CLOSE), start * (1 + _CLOSE)
                result = minimize_scalar(function, bounds=span, method="bounded", options={"xatol": 1e-9 * start})
                if span[0] * 1.001 < result.x < span[1] * 0.999:
                    found[name] = sympy.Rational(*float(result.x).as_integer_ratio())
    return found


def _default(theorem: Theorem) -> dict[str, Any]:
    return {"profile": DEFAULT_PROFILE} if theorem.uses_profile else {}


def _value(expr: Any, at: Mapping[str, Any]) -> float:
    """A certified value at a point, to about 15 digits."""
    expr = plain(expr).replace(Heaviside, lambda x, *rest: _step(x, at))
    if expr.has(sympy.nan, sympy.zoo, sympy.oo):
        raise UndecidedError("an elasticity has no value at this point: a derivative is infinite")
    for bits in (_BITS, 8 * _BITS):
        found = ball(expr, at, bits)
        if certified.relative_accuracy(found) >= 15 or abs(found) < 1e-30:
            return float(found.mid())
    raise UndecidedError("an elasticity has no value at this point to 2048 bits")


def _step(x: Any, at: Mapping[str, Any]) -> Any:
    found = ball(x, at, _BITS)
    if found.contains(0):
        raise UndecidedError("the bound has a kink at this point: an elasticity has no value")
    return sympy.Integer(1 if found > 0 else 0)


@alone
def dominating(theorem: Theorem | str, **params: Any) -> str | None:
    """Name of the largest term at a point (``params`` as for :meth:`cmbound.Statement.evaluate`).

    >>> import cmbound
    >>> cmbound.dominating("explicit-one-step", eps_sc="1e-3", eps_cm="1e-3", L_f=1, d=2, m2="1.2", T=5, delta="1e-4", h="1e-4")
    'discretisation'
    """
    theorem = find(theorem)
    return theorem.evaluate(**{**_default(theorem), **params}).dominating_term


@alone
def dominance(theorem: Theorem | str, parameter: str, low: Any, high: Any, **params: Any) -> Dominance:
    """Which term is the largest along one parameter, and where that changes (float64).

    Args:
        theorem: a statement or its id.
        parameter: the parameter that moves.
        low: its smallest value.
        high: its largest value.
        params: the other numbers and options, as for :meth:`cmbound.Statement.approximate`.

    Raises:
        InputError: the parameter is given twice, or low is not below high.
        CmboundError: as for :meth:`cmbound.Statement.approximate`.

    >>> import cmbound
    >>> point = {"eps_sc": "1e-3", "eps_cm": "1e-3", "L_f": 1, "d": 2, "m2": "1.2", "T": 5, "delta": "1e-4"}
    >>> [x.term for x in cmbound.dominance("explicit-one-step", "h", "1e-6", "1e-1", **point).intervals]
    ['early_stopping', 'discretisation']
    """
    theorem = find(theorem)
    ends = [float(exact(parameter, x)) for x in (low, high)]
    if parameter in params:
        raise InputError(f"{parameter} moves from {ends[0]:g} to {ends[1]:g}: it takes no other value")
    if not 0 < ends[0] < ends[1]:
        raise InputError(f"{parameter} must move from a positive number to a larger one, got {low}:{high}")
    integer = parameter in TABLE and TABLE[parameter].domain.integer
    if integer and any(x != int(x) for x in ends):
        raise DomainError(f"{parameter} must be an integer, got {low}:{high}")
    xs: Any = np.geomspace(ends[0], ends[1], POINTS)
    xs[0], xs[-1] = ends
    xs = np.unique(np.rint(xs)) if integer else xs
    given = {**_default(theorem), **params}

    def largest(values: Any) -> list[str]:
        found = theorem.approximate(**given, **{parameter: np.asarray(values, dtype=np.float64)}).terms
        names = list(found)
        return [names[i] for i in np.argmax(np.stack([found[name] for name in names]), axis=0)]

    winners = largest(xs)
    intervals, start, current = [], float(xs[0]), winners[0]
    for left, right, last in zip(xs, xs[1:], winners[1:], strict=False):
        x = float(left)
        while current != last:
            x = _border(largest, x, float(right), current, integer)
            intervals.append(Interval(start, x, current))
            start, current = x, largest([x])[0]
    return Dominance(theorem.id, parameter, (*intervals, Interval(start, float(xs[-1]), current)))


def _border(largest: Callable[[Any], list[str]], low: float, high: float, term: str, integer: bool) -> float:
    """The smallest value found in (low, high] at which ``term`` is not the largest any more."""
    while high - low > (1 if integer else 1e-12 * high):
        middle = float(np.rint((low + high) / 2)) if integer else (low * high) ** 0.5
        if not low < middle < high:
            break
        low, high = (middle, high) if largest([middle])[0] == term else (low, middle)
    return high
