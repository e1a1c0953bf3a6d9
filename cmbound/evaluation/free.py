"""Parameters of the algorithm that a user may leave out: the ones that make the bound smallest are taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context
from fractions import Fraction
from functools import cache
from itertools import product
from typing import Any

from sympy import Tuple

from cmbound.arithmetic.backend import ordered_symbols
from cmbound.arithmetic.minimum import simplex_minimum
from cmbound.catalogue.presets import preset
from cmbound.errors import DomainError
from cmbound.evaluation.setting import resolve
from cmbound.evaluation.sums import FLOATS
from cmbound.evaluation.terms import last_row, prepared
from cmbound.later import np
from cmbound.theory.notation import TABLE
from cmbound.theory.records import Theorem

RANGE = (-100.0, 100.0)
"""Decimal logarithms between which the best values are looked for."""
CHEAPER = 5e-4
"""A value ten times smaller is preferred where it costs less than this part of the bound: some bounds only fall towards a limit
(more friction, a longer corrector), and the best value would be at the end of the range."""
_POINTS = 40_000  # of the grid that is searched, whatever the number of free parameters
_SIZES = 300  # decimal logarithm of the largest number that can be given, and of 1 over the smallest
_DIGITS = 6  # the bound is flat at its minimum


def best(theorem: Theorem, params: Mapping[str, Any]) -> dict[str, str]:
    """Values, as decimal text, of the free parameters that ``params`` leaves out.

    The search is float64; any value gives a valid bound, so that nothing about it needs a proof. No sum over the grid depends on
    a free parameter: they are computed once.

    Raises:
        CmboundError: as for an evaluation; DomainError if no value satisfies the assumptions.
    """
    names = left_out(theorem, params)
    if not names:
        return {}
    symbols = [TABLE[name].symbol for name in names]
    setting, sums, paths = prepared(resolve(theorem, params, left_out=names))
    for name in ("lipschitz", "consistency", "score", "local"):
        setattr(sums, name, cache(getattr(sums, name)))
    moved = {x.name for x in (*theorem.bare_sources, *(theorem.bare_recursion or ())) if x.expression.free_symbols & set(symbols)}
    fixed, terms = dict(sums.fixed), last_row(setting, sums, paths, moved)
    predicates = [x.predicate for x in theorem.statement_assumptions if x.predicate is not None]
    limits = [x.gts - x.lts for x in predicates if x.free_symbols & set(symbols) and x.free_symbols <= {*fixed, *symbols}]
    known = ordered_symbols(Tuple(*limits))
    rooms = FLOATS.compile(tuple(limits), known)
    bounded = [x for x in names if TABLE[x].domain.low or TABLE[x].domain.high is not None]

    def value(logs: Any) -> Any:
        """The terms that depend on the free parameters, at arrays of decimal logarithms; infinite where an assumption fails."""
        with np.errstate(all="ignore"):
            values = {**fixed, **{x: np.power(10.0, y) for x, y in zip(symbols, logs, strict=True)}}
            total = sum(terms(values).values())
            inside = ~np.isnan(total)
            for room in rooms(*(values[x] for x in known)) if limits else ():
                inside = inside & (room >= 0)
            for name in bounded:
                inside = inside & TABLE[name].domain.holds(np.maximum(values[TABLE[name].symbol], 10.0**-_SIZES))
        return np.where(inside, total, np.inf)

    place = smallest(value, len(names))
    _require_minimum(theorem, names, value, place)
    return _allowed(theorem, params, names, place)


def _require_minimum(theorem: Theorem, names: tuple[str, ...], value: Callable[[Any], Any], place: Any) -> None:
    """Raise DomainError where the bound is no larger far beyond the place that was found; 0 is a place where it is allowed."""
    found = _price(value, place)
    if found == _price(value, np.zeros(len(names))) == 0:  # all places are the same
        return
    for i, name in enumerate(names):
        for side, end, how in zip((-1, 1), RANGE, ("tends to 0", "grows"), strict=True):
            far = np.array(place)
            far[i] = side * max(side * (place[i] + side), side * end)
            beyond = side * place[i] > _SIZES or _price(value, far) <= found
            if beyond and (side > 0 or Fraction(0) not in TABLE[name].domain):
                raise DomainError(f"{theorem.id} has no minimum in {name}: the bound falls for ever as {name} {how}; give {name}")


def left_out(theorem: Theorem, params: Mapping[str, Any]) -> tuple[str, ...]:
    """The free parameters that neither the user nor a preset gives."""
    if not theorem.free:
        return ()
    given = {} if params.get("preset") is None else preset(params["preset"]).parameters
    return tuple(name for name in theorem.free if params.get(name) is None and name not in given)


def smallest(value: Callable[[Any], Any], count: int) -> Any:
    """The decimal logarithms (count,) at which a function of ``count`` arrays of them is smallest, inside ``RANGE``, up to the
    preference for cheaper places: the best point of a grid, then Nelder-Mead.

    Raises:
        DomainError: the function is infinite everywhere.
    """
    axis = np.linspace(*RANGE, max(3, int(_POINTS ** (1 / count))))
    where = np.stack([x.ravel() for x in np.meshgrid(*[axis] * count, indexing="ij")])

    values = np.broadcast_to(_price(value, where), where.shape[1:])
    i = int(np.argmin(values))
    if not np.isfinite(values[i]):
        raise DomainError("no value of the parameters left out satisfies the assumptions")
    place, found, size = where[:, i], float(values[i]), axis[1] - axis[0]
    for _ in range(4):
        simplex = np.array([place, *(place + size * step for step in np.eye(count))])
        with np.errstate(invalid="ignore"):
            better, least = simplex_minimum(lambda x: float(_price(value, x)), simplex, 1e-6, 1e-12 * abs(found), 300 * count)
        if not least < found:
            break
        gain, place, found, size = found - least, better, least, 0.1 * size
        if gain <= 1e-9 * found:
            break
    return place


def _price(value: Callable[[Any], Any], place: Any) -> Any:
    """A value with the preference for cheaper places."""
    return value(place) * (1 + CHEAPER * sum(place))


def _allowed(theorem: Theorem, params: Mapping[str, Any], names: tuple[str, ...], place: Any) -> dict[str, str]:
    """The values as text of few digits, rounded to the nearest, or where an assumption forbids that, to one side."""
    failure = None
    for sides in product((ROUND_HALF_EVEN, ROUND_FLOOR, ROUND_CEILING), repeat=len(names)):
        texts = {name: _text(10.0**x, side) for name, x, side in zip(names, place, sides, strict=True)}
        try:
            resolve(theorem, {**params, **texts})
        except DomainError as error:
            failure = failure or error
        else:
            return texts
    assert failure is not None
    raise failure


def _text(x: float, rounding: str) -> str:
    context = Context(prec=_DIGITS, rounding=rounding)
    return str(context.normalize(context.create_decimal_from_float(x)))
