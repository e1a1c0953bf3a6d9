"""Evaluating a statement in float64 over arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from typing import Any

import sympy

from cmbound.arithmetic.backend import ordered_symbols
from cmbound.arithmetic.exact import float_below, times
from cmbound.checks import checked_unmasked, first_refused
from cmbound.errors import CmboundError, DomainError, InputError, UndecidedError
from cmbound.evaluation import gridded, law
from cmbound.evaluation.free import left_out
from cmbound.evaluation.many import closed_costs
from cmbound.evaluation.own import doubtful_rows
from cmbound.evaluation.paths import candidate_times, closed_choice, combinable
from cmbound.evaluation.point import evaluate
from cmbound.evaluation.records import Approximation, Evaluation
from cmbound.evaluation.setting import Setting, resolve, with_preset
from cmbound.evaluation.sums import FLOATS
from cmbound.evaluation.terms import compiled, term_row
from cmbound.evaluation.unused import unused
from cmbound.later import Index, np
from cmbound.numbers import exact
from cmbound.theory.formulas import (
    ALIASES,
    OPTIONS,
    accepts,
    computable_terms,
    convert,
    outer_terms,
    require_formula,
    unknown_parameter,
)
from cmbound.theory.notation import TABLE, L_f, L_os, L_s, a, delta, h
from cmbound.theory.records import Term, Theorem
from cmbound.theory.rules import Profile, Rule, refuse_measured
from cmbound.threads import alone

CHUNK = 1 << 14  # points at once: intermediate arrays stay in the cache
PATHS = 2048  # the same where paths are chosen: tables at all candidates
STEPS = 1 << 16  # of all grids that are summed at once
SHORT = 256  # up to so many points a user's function is integrated point by point, exactly


@alone
def approximate(theorem: Theorem, params: Mapping[str, Any]) -> Approximation:
    """See :meth:`cmbound.evaluation.statement.Statement.approximate`."""
    if params.get("digits") is not None:
        raise InputError("approximate takes no digits: it is float64")
    refuse_measured(params.get("profile"), "a float64 value or array")
    require_formula(theorem)
    numbers = {name: value for name, value in params.items() if name not in OPTIONS and value is not None}
    arrays = {name: _as_floats(name, x) for name, x in numbers.items() if _is_array(x)}
    if not arrays:
        return _one_point(theorem, params)
    try:
        shape = np.broadcast_shapes(*(x.shape for x in arrays.values()))
    except ValueError:
        shapes = ", ".join(f"{name} {x.shape}" for name, x in arrays.items())
        raise InputError(f"the arrays do not broadcast: {shapes}") from None
    for name, x in arrays.items():
        _check_array(theorem, name, x)
    flat = {name: np.broadcast_to(x, shape).ravel() for name, x in arrays.items()}
    if 0 in shape:
        raise InputError(f"{next(name for name, x in arrays.items() if not x.size)} is an empty array")
    _put_below_end(theorem, params, flat)
    if "t_star" in arrays:
        raise InputError("t_star must be 0 or delta, one for all points; got an array")
    if left_out(theorem, params):
        return _loop(theorem, params, flat, shape)
    # one point decides which profiles are available; where tau = 0 and tau > 0 occur, the points are taken apart below
    point = int(np.argmax(flat["tau"])) if "tau" in flat else 0
    representative = {name: float(x[point]) for name, x in flat.items()}
    setting = resolve(theorem, {**params, **representative})
    if _is_closed(setting, tuple(flat)):
        return _vectorised(setting, params, flat, shape)
    if (which := _unlike(setting, flat)) is not None:
        return _in_parts(theorem, params, flat, shape, which)
    if gridded.applies(setting, tuple(flat)):
        return _gridded(setting, params, flat, shape)
    one_evaluation = theorem.uses_schedule and "t_hat" not in setting.values
    if not setting.collapsed or setting.lists or setting.grid is not None or one_evaluation:
        return _loop(theorem, params, flat, shape)
    if _each_alone(setting, int(np.prod(shape))):
        return _loop(theorem, params, flat, shape)
    return _vectorised(setting, params, flat, shape)


def _each_alone(setting: Setting, size: int) -> bool:
    """Whether a user's function enters that float64 may blur: a stretch function always, an acceleration in short arrays.

    In long ones it is integrated as exactly, but between ends rounded to float64.
    """
    own = [profile for profile, _ in setting.profiles if profile.own]
    return bool(own) and (size <= SHORT or any(profile.acceleration is None for profile in own))


def _is_array(value: Any) -> bool:
    """Whether a parameter is an array of settings (a list for each step of a grid is a list or tuple, not an array)."""
    return isinstance(value, np.ndarray) and value.ndim > 0


def _as_floats(name: str, value: Any) -> Any:
    checked_unmasked(name, value)
    if value.dtype.kind not in "iuf":
        raise InputError(f"{name} is an array of {value.dtype}; an array of real numbers is needed")
    return np.asarray(value, dtype=np.float64)


def _one_point(theorem: Theorem, params: Mapping[str, Any]) -> Approximation:
    result = evaluate(theorem, params, tier="approximate")
    terms = {name: np.float64(x.value) for name, x in result.terms.items()}
    return Approximation(np.float64(result.value), terms, result.unused)


def _put_below_end(theorem: Theorem, params: Mapping[str, Any], flat: dict[str, Any]) -> None:
    """An entry that is the float64 number of the horizon must not lie beyond it because that number does."""
    given = params if params.get("preset") is None else with_preset(theorem, dict(params), {"preset": params["preset"]})[0]
    for end, names in (("T", ("t", "t_hat")), ("sigma_max", ("sigma", "sigma_hat"))):
        if end in flat or given.get(end) is None:
            continue
        last = exact(end, given[end])
        nearest, below = float(last), float_below(last, Fraction)
        for name in names:
            if name in flat:
                flat[name] = np.where(flat[name] == nearest, below, flat[name])


def _check_array(theorem: Theorem, name: str, x: Any) -> None:
    if not accepts(theorem, name):
        raise unknown_parameter(theorem, name)
    domain = TABLE[name].domain
    if x.size and not domain.holds_all(x):
        bad = ~domain.holds(x)
        at = np.unravel_index(int(np.argmax(bad)), bad.shape)
        place = ", ".join(str(int(i)) for i in at)
        raise DomainError(f"{name} must be {domain}, got {float(x[at])!r} at index [{place}]")


def _loop(theorem: Theorem, params: Mapping[str, Any], flat: Mapping[str, Any], shape: tuple[int, ...]) -> Approximation:
    """Several evaluations, steps that differ, a user's profiles: one setting after the other, each once."""
    size = int(np.prod(shape))
    first: dict[tuple[float, ...], int] = {}
    totals = np.empty(size)
    terms: dict[str, Any] = {}
    never: dict[str, str] | None = None
    for i in range(size):
        same = first.setdefault(tuple(x[i] for x in flat.values()), i)
        if same < i:
            for column in (totals, *terms.values()):
                column[i] = column[same]
            continue
        row = _alone(theorem, params, flat, i)
        totals[i] = row.value
        for name, value in row.terms.items():
            terms.setdefault(name, np.empty(size))[i] = value.value
        never = dict(row.unused) if never is None else {x: y for x, y in never.items() if x in dict(row.unused)}
    shaped = {name: x.reshape(shape) for name, x in terms.items()}
    return Approximation(totals.reshape(shape), shaped, tuple((never or {}).items()))


def _alone(theorem: Theorem, params: Mapping[str, Any], rows: Mapping[str, Any], i: int, start: int = 0) -> Evaluation:
    """The evaluation of row ``i``, which is number ``start + i``."""
    try:
        return evaluate(theorem, {**params, **{name: float(x[i]) for name, x in rows.items()}}, tier="approximate")
    except (DomainError, UndecidedError) as error:
        raise type(error)(f"{error} at index {start + i}") from None


def _vectorised(setting: Setting, params: Mapping[str, Any], flat: Mapping[str, Any], shape: tuple[int, ...]) -> Approximation:
    size, fixed = int(np.prod(shape)), _fixed(setting, flat)
    terms = _closed_terms(setting)
    holders, symbols, function = compiled(FLOATS, terms)
    result = {x.name: np.empty(size) for x in terms}
    parts = [slice(start, min(start + CHUNK, size)) for start in range(0, size, CHUNK)]
    for part in parts:
        _checked(setting, params, fixed, flat, part)
    values = _array_values(setting, fixed, flat)
    local = [_array_local(setting, values, x.args[0], size) for x in holders]
    for part in parts:
        computed = function(*(x[part] for x in local), *(_rows(values[x], part) for x in symbols))
        for term, value in zip(terms, computed, strict=True):
            result[term.name][part] = value
    return _approximation(setting, result, unused(setting, varied=flat), shape)


def _checked(
    setting: Setting, params: Mapping[str, Any], fixed: Mapping[str, Any], flat: Mapping[str, Any], part: slice
) -> dict[Any, Any]:
    """The values of some rows, of which the first that is not in order is named."""

    def check(start: int, stop: int) -> dict[Any, Any]:
        rows = {name: x[start:stop] for name, x in flat.items()}
        values = _array_values(setting, fixed, rows)
        _check_predicates(setting, values, start)
        _check_grids(setting, params, values, rows, start)
        return values

    first = part.stop
    try:
        values = check(part.start, first)
    except CmboundError:
        first = first_refused(check, part.start, first)
        values = check(part.start, first) if part.start < first else {}
    for i in _doubtful(setting, values, first - part.start) if values else ():
        _alone(setting.theorem, params, flat, part.start + i)
    return values if first == part.stop else check(first, first + 1)


def _rows(value: Any, which: Any) -> Any:
    """Some of the values of a parameter, which may have one for all rows."""
    return value[which] if np.ndim(value) else value


def _is_closed(setting: Setting, varied: Sequence[str]) -> bool:
    """Whether the sums over equal steps are the closed form at the size of a step: one rule, on the whole range."""
    if setting.grid is None or not setting.collapsed or "h" in setting.values or setting.lists or setting.theorem.uses_schedule:
        return False
    own = any(p.own for p, _ in setting.profiles)
    return not own and not combinable(setting.profiles) and gridded.ends_with_grid(setting, varied)


def _unlike(setting: Setting, flat: Mapping[str, Any]) -> Any:
    """Of points a number that differs where grids have unlike numbers of steps, or profiles are unlike (None: all alike)."""
    if setting.grid is not None and "N" in flat and (flat["N"] != flat["N"][0]).any():
        return flat["N"]
    positive = flat["tau"] > 0 if "tau" in flat else np.array([False])
    return positive if (positive != positive[0]).any() else None


def _in_parts(
    theorem: Theorem, params: Mapping[str, Any], flat: Mapping[str, Any], shape: tuple[int, ...], which: Any
) -> Approximation:
    """The points that are alike together, those with the smallest number first."""
    terms: dict[str, Any] = {}
    never: dict[str, str] | None = None
    for number in np.unique(which):
        here = which == number
        try:
            part = approximate(theorem, {**params, **{name: x[here] for name, x in flat.items()}})
        except CmboundError:  # whose index is counted in a part
            return _loop(theorem, params, flat, shape)
        for name, x in part.terms.items():
            terms.setdefault(name, np.empty(len(which)))[here] = x
        found = dict(part.unused)
        never = found if never is None else {x: y for x, y in never.items() if x in found}
    shaped = {name: x.reshape(shape) for name, x in terms.items()}
    return Approximation(sum(shaped.values()), shaped, tuple((never or {}).items()))


def _gridded(setting: Setting, params: Mapping[str, Any], flat: Mapping[str, Any], shape: tuple[int, ...]) -> Approximation:
    """The points on grids of as many steps each, a part of them after the other."""
    assert setting.grid is not None
    size, used = int(np.prod(shape)), set()
    fixed = _fixed(setting, flat) | ({} if not setting.listed else {x: FLOATS.number(setting.values[x]) for x in ("delta", "T")})
    terms = outer_terms(setting.theorem, setting.target, setting.start, setting.clock, setting.theorem.bare_sources)
    result = {x.name: np.empty(size) for x in terms}
    count = max(1, min(PATHS, STEPS // setting.grid.N))
    for start in range(0, size, count):
        part = slice(start, min(start + count, size))
        values = _checked(setting, params, fixed, flat, part)
        sums = gridded.ManySums(setting, values, part.stop - start)
        found = term_row(terms, sums, dict.fromkeys(setting.values.values(), ()), values, setting.values)
        for name, column in found.items():
            result[name][part] = column
        used |= sums.used
    return _approximation(setting, result, unused(setting, [used], flat), shape)


def _check_grids(
    setting: Setting, params: Mapping[str, Any], values: Mapping[Any, Any], rows: Mapping[str, Any], start: int
) -> None:
    """Ends of grids that no assumption is about: an evaluation of the first bad point raises what there is to raise."""
    if setting.grid is not None:
        for i in np.flatnonzero(np.broadcast_to(gridded.unlawful(values), (len(next(iter(rows.values()))),)))[:1]:
            _alone(setting.theorem, params, rows, int(i), start)


def _approximation(
    setting: Setting, terms: Mapping[str, Any], never: tuple[tuple[str, str], ...], shape: tuple[int, ...]
) -> Approximation:
    total = sum(terms.values())
    if not np.isfinite(total.max()):
        place = int(np.argmax(~np.isfinite(total)))
        raise DomainError(
            f"{setting.theorem.id}: the value at index {place}, or a number on the way to it, exceeds the float64 range"
        )
    return Approximation(total.reshape(shape), {name: x.reshape(shape) for name, x in terms.items()}, never)


def _doubtful(setting: Setting, values: Mapping[Any, Any], size: int) -> Iterator[int]:
    """Rows at which a user's profile is not proved to be in order: an evaluation of each alone raises what there is to raise."""
    for end in setting.theorem.local_ends if any(profile.own for profile, _ in setting.profiles) else ():
        here = _in_ou(setting, {x: np.asarray(y) for x, y in values.items()}, np.asarray(values[end]))
        yield from doubtful_rows(setting.profiles, here, end, size)


def _fixed(setting: Setting, flat: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers that are the same for all entries; what follows from others is left to be computed for each."""
    derived = {"t", "T"} - {ALIASES.get(name, name) for name in setting.given}
    derived |= {"t_star"} if setting.given.get("t_star") == "delta" else set()
    derived |= {ALIASES.get(name, name) for name in flat}
    return {name: FLOATS.number(value) for name, value in setting.values.items() if name not in derived}


def _array_values(setting: Setting, fixed: Mapping[str, Any], rows: Mapping[str, Any]) -> dict[Any, Any]:
    named: dict[str, Any] = {**fixed, **rows}
    for alias, name in ALIASES.items():
        if alias in rows:
            named[name] = times(named[alias])
    if "t" in setting.values:
        named.setdefault("t", named.get("T"))
        named.setdefault("T", named.get("t"))
    if "t_star" in setting.values:
        named.setdefault("t_star", named.get("delta"))
    if setting.grid is not None and "h" not in named and setting.grid.kind == "uniform":
        named["h"] = (named["T"] - named["delta"]) / named["N"]
    if "n_atoms" in named:  # equal weights: lists are not vectorised
        named |= {"nu": named["n_atoms"], "entropy": np.log(named["n_atoms"])}
    return {TABLE[name].symbol: value for name, value in named.items()}


def _check_predicates(setting: Setting, values: Mapping[Any, Any], offset: int) -> None:
    """Assumptions over arrays, up to rounding."""
    for assumption in (x for x, status in setting.assumptions if status == "checked"):
        predicate, symbols = assumption.predicate, ordered_symbols(assumption.predicate)
        high, low = FLOATS.compile((predicate.gts, predicate.lts), symbols)(*(values[x] for x in symbols))
        if isinstance(predicate, sympy.StrictGreaterThan | sympy.StrictLessThan):
            bad = high <= low
        else:
            bad = high < low - 4 * np.finfo(np.float64).eps * np.abs(high)
        if np.any(bad):
            place = int(np.argmax(np.broadcast_to(bad, (np.size(bad),)))) + offset
            raise DomainError(f"{setting.theorem.id} assumes {assumption.text}, which is violated at index {place}")
    law.check({x.name: value for x, value in values.items()}, ve=setting.clock.name == "ve", offset=offset)


def _closed_terms(setting: Setting) -> tuple[Term, ...]:
    """The terms in closed form; the sum of local errors stays a place-holder where there is something to choose."""
    theorem, single = setting.theorem, None
    if theorem.uses_profile and not combinable(setting.profiles):
        single = _with_rules(*setting.profiles[0], setting.teacher.name)
    target = setting.target if theorem.has_target else None
    start = setting.start if theorem.uses_start else None
    clock = setting.clock.name if theorem.ve_factor is not None else None
    return computable_terms(theorem, single, "exponential-integrator", target, start, clock)


@lru_cache(maxsize=128)
def _with_rules(profile: Profile, rules: tuple[Rule, ...], teacher: str) -> Profile:
    return replace(profile, rules={teacher: rules})


def _array_local(setting: Setting, values: Mapping[Any, Any], end: Any, size: int) -> Any:
    """L_f times the best bound on the local errors up to ``end``, for each row: computed once for those that are alike."""
    here = _in_ou(setting, values, values[end])
    rules = [rule for _, found in setting.profiles for rule in found]
    weight = 1.0
    if not any(profile.own for profile, _ in setting.profiles):
        needed = {delta, h, end}.union(*(x.free_symbols for rule in rules for x in (*rule.expressions, *rule.breakpoints)))
        weight, here = here[L_f], {x: y for x, y in here.items() if x in needed} | {L_f: 1.0}
    first, which = _alike([x for x in here.values() if np.ndim(x)], size)
    costs = np.empty(len(first))
    for start in range(0, len(first), PATHS):
        part = slice(start, start + PATHS)
        costs[part] = _best_local(setting, rules, {x: _rows(y, first[part]) for x, y in here.items()}, end, len(costs[part]))
    with np.errstate(over="ignore"):
        return weight * costs[which]


def _alike(columns: Sequence[Any], size: int) -> tuple[Index, Index]:
    """Of rows that are alike the numbers of the first ones, and for each row which of them it is like."""
    which = np.zeros(size, dtype=np.intp)
    for column in columns:
        distinct, order = np.unique(column, return_inverse=True)
        if len(distinct) == size:
            return np.arange(size), np.arange(size)
        which = np.unique(which * len(distinct) + order, return_inverse=True)[1]
    return np.unique(which, return_index=True)[1], which


def _best_local(setting: Setting, rules: Sequence[Rule], here: Mapping[Any, Any], end: Any, size: int) -> Any:
    """L_f times the best bound on the local errors, for each of some rows."""
    rows = {x: np.reshape(y, (-1, 1)) for x, y in here.items()}
    if any(profile.own for profile, _ in setting.profiles):
        every = {x: np.broadcast_to(y, (size, 1)) for x, y in rows.items()}
        return closed_choice(setting.profiles, every, np.array(every[end]))[0].cost
    times = np.ascontiguousarray(candidate_times(setting.profiles, rows, rows[delta], rows[end]).T)
    return closed_costs(rules, times, np.minimum(times + here[h], times[-1]), here, size)


def _in_ou(setting: Setting, columns: Mapping[Any, Any], time: Any) -> dict[Any, Any]:
    """The constants that grow, as they are at a time in the OU clock."""
    clock, here = setting.clock, dict(columns)
    for symbol in (L_f, L_s, L_os) if clock.name == "ve" else ():
        if symbol in columns:
            here[symbol] = FLOATS.value(convert(symbol, clock, a, a), {**columns, a: time})
    return here
