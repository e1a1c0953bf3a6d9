"""From what a user gives to a checked, exact setting in which a statement can be evaluated."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import isfinite
from typing import Any

import numpy as np

from cmbound.arithmetic.exact import Value, difference, rational_near, sign, time_from_sigma
from cmbound.checks import checked_distinct
from cmbound.errors import CmboundError, DomainError, InputError, MissingParameterError
from cmbound.evaluation import assumptions, law
from cmbound.evaluation.own import Shape, shapes
from cmbound.frozen import Record
from cmbound.numbers import apart, exact, rounded, text_of
from cmbound.theory import grids
from cmbound.theory.formulas import (
    ALIASES,
    CONSISTENCY_STEP,
    OPTIONS,
    accepts,
    checked_options,
    optional,
    require_formula,
    require_profile,
    required,
    unknown_parameter,
)
from cmbound.theory.grids import Grid
from cmbound.theory.notation import TABLE, Domain
from cmbound.theory.profiles import PROFILES, Profile, Rule, profile, specialised, unavailable
from cmbound.theory.records import Assumption, Theorem
from cmbound.theory.variants import TEACHERS, Clock, Teacher, choose, visible_symbols
from cmbound.threads import alone

MAX_EVALUATIONS = 10**4
LONGEST_HORIZON = 350
"""Largest T on a grid or in the variance-exploding clock: beyond it squares of noise levels leave the float64 range."""
SAME_TIME = 1e-9
"""Relative difference up to which a time on a grid is the node."""
_PER_STEP_DOMAIN = Domain(low=0, low_open=True)


@dataclass(frozen=True, eq=False)
class Setting(Record):
    """Everything an evaluation needs, exact and checked.

    Attributes:
        theorem: the statement.
        values: exact numbers by parameter name (times converted from noise levels where needed).
        lists: parameters given as one value per grid step, ``times`` and ``weights``.
        given: the parameters as the user gave them, as text.
        teacher, clock: records; target, start: names.
        profiles: the profiles to choose from, with their rules for this teacher; empty where none enters.
        profile_name: ``auto`` or the name of the one profile (None where none enters).
        grid: the grid, or None for the closed form in h.
        consistency: the consistency error of one step, an expression in a, b and eps_cm.
        own: names of the parameters and options the user gave (not those of a preset).
        shapes: what was found of pointwise bounds given by a user.
    """

    theorem: Theorem
    values: Mapping[str, Value]
    lists: Mapping[str, tuple[Value, ...]]
    given: Mapping[str, Any]
    teacher: Teacher
    clock: Clock
    target: str
    start: str
    profiles: tuple[tuple[Profile, tuple[Rule, ...]], ...] = ()
    profile_name: str | None = None
    grid: Grid | None = None
    assumptions: tuple[tuple[Assumption, str], ...] = field(default=())
    consistency: Any = CONSISTENCY_STEP
    own: tuple[str, ...] = ()
    shapes: tuple[Shape, ...] = ()

    @property
    def collapsed(self) -> bool:
        """Whether the sums over the grid are evaluated without its steps: no grid, or equal steps and constants.

        On a uniform grid a rule that is a sum over the steps must also be their closed form (a longer grid than can be
        summed uses the rule on whole stretches, which is a bound too).
        """
        if self.grid is None:
            return True
        per_step = {"L_f", "eps_sc", "eps_cm"} & set(self.lists)
        if self.grid.kind != "uniform" or self.teacher.needs_grid or per_step or self.clock.name != "ou":
            return False
        rules = [rule for _, rules in self.profiles for rule in rules]
        return self.grid.N > grids.MAX_STEPS or all(rule.additive or not rule.stepwise for rule in rules)


# --- numbers --------------------------------------------------------------------------------------------------------


def _is_list(value: Any) -> bool:
    if isinstance(value, str):
        return "," in value
    return isinstance(value, Sequence) or getattr(value, "ndim", 0) == 1


def _items(value: Any) -> list[Any]:
    return value.split(",") if isinstance(value, str) else list(value)


def _check(name: str, value: Fraction, shown: Any, domain: Domain) -> Fraction:
    if value not in domain:
        raise DomainError(f"{name} must be {domain}, got {shown}")
    return value


def _t_star(value: Any) -> Any:
    """``delta``, or a number."""
    return "delta" if isinstance(value, str) and value.strip() == "delta" else value


def exact_scalars(theorem: Theorem, params: Mapping[str, Any]) -> dict[str, Fraction]:
    """Parameters given as single numbers, exact and inside their domains (``t_star = delta`` is left out)."""
    result = {}
    for name, value in params.items():
        if not accepts(theorem, name):
            raise unknown_parameter(theorem, name)
        if name == "t_star" and _t_star(value) == "delta":
            continue
        if not _is_list(value):
            result[name] = _check(name, exact(name, value), text_of(value), TABLE[name].domain)
    return result


def _exact_lists(params: Mapping[str, Any]) -> dict[str, tuple[Fraction, ...]]:
    result = {}
    for name, value in params.items():
        row = TABLE[name]
        if not _is_list(value) or name == "t_star":
            continue
        if not row.per_step:
            raise InputError(f"{name} must be one number, got a list")
        items = _items(value)
        if not items:
            raise InputError(f"{name} is an empty list")
        domain = _PER_STEP_DOMAIN if name == "L_f" else row.domain
        result[name] = tuple(_check(f"{name}[{i}]", exact(name, x), text_of(x), domain) for i, x in enumerate(items))
    return result


# --- resolution -----------------------------------------------------------------------------------------------------


@alone
def resolve(theorem: Theorem, params: Mapping[str, Any], left_out: Collection[str] = ()) -> Setting:
    """Check and complete what the user gave.

    Where only the binary value of a float stands in the way (t = 5.833 beside T = "5.833"), the error says so.

    Args:
        theorem: the statement.
        params: numbers and options, as :meth:`cmbound.theory.records.Theorem.evaluate` takes them.
        left_out: parameters that may be missing; assumptions about them are then not looked at.

    Raises:
        CmboundError: see :meth:`cmbound.theory.records.Theorem.evaluate`.
    """
    try:
        return _resolved(theorem, params, left_out)
    except CmboundError as error:
        hint = _float_hint(theorem, params, left_out) if type(error) in (DomainError, InputError) else ""
        if hint:
            raise type(error)(f"{error}; {hint}") from None
        raise


def _float_hint(theorem: Theorem, params: Mapping[str, Any], left_out: Collection[str]) -> str:
    """What to say where everything fits once floats are read as the decimals they print as; empty where it does not."""
    found = [(name, *x) for name, value in params.items() for x in _as_typed(value)]
    attempts = [({name: value}, name, text) for name, value, text in found]
    if found:
        attempts.append(({name: value for name, value, _ in found}, found[0][0], found[0][2]))
    for changed, name, shown in attempts:
        try:
            _resolved(theorem, {**params, **changed}, left_out)
        except CmboundError:
            continue
        number = rounded(float(shown), 20, "nearest")
        side = "above" if Fraction(float(shown)) > Fraction(shown) else "below"
        return f"{name} was given as a float, the binary number {number} {side} {shown}: write it as text, {shown!r}"
    return ""


def _as_typed(value: Any) -> list[tuple[Any, str]]:
    """The value with floats whose shortest text is another number as that text, and such a text.

    Of a list: with the last, with the first, and with all such floats replaced.
    """
    if isinstance(value, float):
        text = repr(float(value))
        return [(text, text)] if isfinite(value) and Fraction(text) != Fraction(value) else []
    if isinstance(value, str | Mapping) or not isinstance(value, Sequence | np.ndarray) or getattr(value, "ndim", 1) != 1:
        return []
    texts = {i: text for i, x in enumerate(value) if isinstance(x, float) for _, text in _as_typed(x)}
    if not texts:
        return []
    choices = [{i: texts[i]} for i in (max(texts), min(texts))] + [texts]
    return [([x.get(i, y) for i, y in enumerate(value)], next(iter(x.values()))) for x in choices]


def _resolved(theorem: Theorem, params: Mapping[str, Any], left_out: Collection[str]) -> Setting:
    require_formula(theorem)
    options = {name: params[name] for name in OPTIONS if params.get(name) is not None}
    numbers = {name: value for name, value in params.items() if name not in OPTIONS and value is not None}
    own = tuple(sorted({*numbers, *options}))
    if "preset" in options:
        numbers, options = with_preset(theorem, numbers, options)
    for name in ("profile", "grid", "teacher"):
        if name in options:
            require_profile(theorem, name)
    target, start, clock = checked_options(theorem, options.get("to"), options.get("start"), options.get("clock"))
    teacher: Teacher = choose("teacher", options.get("teacher", "exponential-integrator"), TEACHERS)

    scalars = exact_scalars(theorem, numbers)
    lists = _exact_lists(numbers)
    values: dict[str, Value] = dict(scalars)
    _convert_aliases(values, lists)
    grid = _read_grid(options.get("grid"), clock, values)
    _defaults(theorem, values, lists, numbers)
    _check_missing(theorem, {**dict.fromkeys(left_out, None), **values}, lists, grid, options)
    _cross_checks(values, lists, clock, own)
    grid = _build_grid(theorem, grid, values, teacher)
    if grid is not None:
        _put_at_end(values, lists)
    _check_horizon(values, grid, clock)
    _check_per_step(theorem, lists, grid)

    profiles: tuple[tuple[Profile, tuple[Rule, ...]], ...] = ()
    profile_name = None
    if theorem.uses_profile:
        profile_name, profiles = _choose_profiles(options.get("profile", "auto"), teacher, values, lists)
    setting = Setting(
        theorem=theorem,
        values=values,
        lists=lists,
        given=_shown(numbers),
        teacher=teacher,
        clock=clock,
        target=target,
        start=start,
        profiles=profiles,
        profile_name=profile_name,
        grid=grid,
        assumptions=assumptions.check(theorem, values, lists, grid is not None),
        own=own,
    )
    return replace(setting, shapes=shapes(setting)) if any(p.own for p, _ in profiles) else setting


_GRID_NUMBERS = {"uniform": {"h", "N"}, "two-stage": {"h"}, "geometric": {"N"}, "edm": {"N", "rho"}}
_ENDS = {"delta", "T", "sigma_min", "sigma_max"}


def with_preset(theorem: Theorem, numbers: dict[str, Any], options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Fill in from a preset what was not given.

    Left out of the preset: what the statement does not have, what the same number in the other clock replaces, and the
    grid's numbers where another grid or another step was asked for.
    """
    from cmbound.catalogue.presets import preset

    chosen = preset(options.pop("preset"))
    merged = {name: value for name, value in chosen.parameters.items() if accepts(theorem, name)}
    for alias, name in ALIASES.items():
        if name in numbers:
            merged.pop(alias, None)
        if alias in numbers:
            merged.pop(name, None)
    for name, other in (("h", "N"), ("N", "h")):
        if name in numbers:
            merged.pop(other, None)
    extra = {name: value for name, value in chosen.options.items() if name not in options}
    if not theorem.uses_profile:
        extra = {name: value for name, value in extra.items() if name not in ("profile", "grid", "teacher")}
    if theorem.ve_factor is None:
        extra.pop("clock", None)
    if not theorem.uses_start:
        extra.pop("start", None)
    grid = options.get("grid", extra.get("grid", "uniform"))
    if isinstance(grid, str) and grid in _GRID_NUMBERS:
        kept = _GRID_NUMBERS[grid]
    else:
        kept = set()
        merged = {name: value for name, value in merged.items() if name not in _ENDS}
    merged = {name: value for name, value in merged.items() if name not in {"h", "N", "rho"} - kept}
    return {**merged, **numbers}, {**extra, **options}


def _shown(numbers: Mapping[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name, value in numbers.items():
        if name == "t_star" and _t_star(value) == "delta":
            shown[name] = "delta"
        else:
            shown[name] = [text_of(x) for x in _items(value)] if _is_list(value) else text_of(value)
    return shown


_SIGMA_LIMITS = (Fraction(1, 10**150), Fraction(10**150))


def _time(name: str, sigma: Fraction) -> Value:
    low, high = _SIGMA_LIMITS
    if not low <= sigma <= high:
        raise DomainError(f"{name} must lie between 1e-150 and 1e150, got {float(sigma):g}")
    return time_from_sigma(sigma)


def _convert_aliases(values: dict[str, Value], lists: dict[str, tuple[Value, ...]]) -> None:
    """Times from noise levels; ``times`` and ``weights`` become lists even with one entry."""
    for name in ("times", "sigmas", "weights"):
        if name in values:
            lists[name] = (values.pop(name),)
    for alias, name in ALIASES.items():
        if {alias, name} <= values.keys() | lists.keys():
            raise InputError(f"give {alias} or {name}, not both")
        if alias in values:
            values[name] = _time(alias, values[alias])
        elif alias in lists:
            lists[name] = tuple(_time(alias, x) for x in lists[alias])


def _read_grid(given: Any, clock: Clock, values: dict[str, Value]) -> Grid | str | None:
    """A grid whose nodes are known (delta and T are then set), a kind still to be built, or None."""
    if given is None:
        return None
    if isinstance(given, str):
        return str(choose("grid", given, grids.KINDS))
    if isinstance(given, Grid):
        grid = given
    elif not isinstance(given, Iterable):
        raise InputError(f"grid must be a kind of grid or a list of nodes, got {given!r}")
    elif clock.name == "ve":
        grid = Grid.from_noise_levels(list(given))
    else:
        grid = Grid.from_times(list(given))
    if grid.kind not in ("times", "noise-levels"):
        raise InputError(f"give the kind of a regular grid as text, grid={grid.kind!r}")
    ends = [x if grid.kind == "times" else time_from_sigma(x) for x in (grid.values[0], grid.values[-1])]
    for name, node, place in zip(("delta", "T"), ends, ("first", "last"), strict=True):
        if name in values and sign(difference(values[name], node)) != 0:
            raise InputError(f"{name} differs from the {place} node of the grid; leave it out")
        values[name] = node
    return grid


def _defaults(
    theorem: Theorem, values: dict[str, Value], lists: dict[str, tuple[Value, ...]], numbers: Mapping[str, Any]
) -> None:
    names = {*required(theorem), *optional(theorem)}
    if "t" in required(theorem) and "t" not in values and "T" in values:
        values["t"] = values["T"]
    if "T" in optional(theorem) and "T" not in values and "t" in values:
        values["T"] = values["t"]
    if "tau" in names and "tau" not in values and not theorem.uses_profile:
        values["tau"] = Fraction(0)
    if "weights" in lists:
        count = Fraction(len(lists["weights"]))
        if values.get("n_atoms", count) != count:
            raise DomainError(f"n_atoms is {values['n_atoms']}, but {count} weights were given")
        values["n_atoms"] = count
    if "times" in lists:
        if "t_hat" in values:
            raise InputError("give times (one for each evaluation after the first) or t_hat, not both")
        evaluations = Fraction(len(lists["times"]) + 1)
        if values.get("k", evaluations) != evaluations:
            raise InputError(f"k is {values['k']}, but times has {evaluations - 1} entries (k - 1 are needed)")
        values["k"] = evaluations
    if theorem.uses_profile and "delta" in values:
        star = _t_star(numbers.get("t_star", "0"))
        if star == "delta":
            values["t_star"] = values["delta"]
        else:
            value = exact("t_star", star)
            if value != 0 and sign(difference(value, values["delta"])) != 0:
                raise DomainError(f"t_star must be 0 or delta, got {star}")
            values["t_star"] = value


def _check_missing(
    theorem: Theorem,
    values: Mapping[str, Value],
    lists: Mapping[str, Any],
    grid: Grid | str | None,
    options: Mapping[str, Any],
) -> None:
    if theorem.kind == "order" and "C" not in values:
        raise DomainError(f"{theorem.id} is an order-form statement with an unspecified constant: give C to evaluate it")
    missing = []
    for name in required(theorem):
        if name in values or name in lists:
            continue
        if name == "h" and theorem.uses_profile and (grid is not None or "N" in values):
            continue
        if name == "t_hat" and (values.get("k") == 1 or "times" in lists):
            continue
        alias = next((x for x, y in ALIASES.items() if y == name), None)
        others = ([alias] if alias else []) + (["times"] if name == "t_hat" else [])
        missing.append(f"{name} (or {' or '.join(others)})" if others else name)
    if missing:
        hint = ""
        if "h" in missing and theorem.uses_profile:
            hint = "; h may be replaced by a grid"
        raise MissingParameterError(f"{theorem.id} needs {', '.join(missing)}{hint}")


def _cross_checks(
    values: Mapping[str, Value], lists: Mapping[str, tuple[Value, ...]], clock: Clock, own: Collection[str]
) -> None:
    law.check(values, lists.get("weights", ()), ve=clock.name == "ve", own=own)
    if values.get("k", Fraction(1)) > MAX_EVALUATIONS:
        raise DomainError(f"k must be at most {MAX_EVALUATIONS}, got {values['k']}")


def _build_grid(theorem: Theorem, grid: Grid | str | None, values: dict[str, Value], teacher: Teacher) -> Grid | None:
    if not theorem.uses_profile:
        return None
    if grid is None:
        if "N" not in values:
            if teacher.needs_grid:
                raise InputError(f"teacher {teacher.name!r} has no closed form in h: give a grid, or N for a uniform one")
            if "rho" in values:
                raise InputError("rho belongs to the edm grid: give grid edm")
            return None
        if "h" in values:
            raise InputError("give h or N, not both")
        grid = "uniform"
    given = frozenset(values)
    kind = grid if isinstance(grid, str) else grid.kind
    grids.require(kind, given)
    if isinstance(grid, Grid):
        return grid
    if sign(difference(values["T"], values["delta"])) <= 0:
        raise DomainError(f"delta must be below T, got {_interval(values)}")
    if "h" in values and sign(difference(difference(values["T"], values["delta"]), values["h"])) < 0:
        most, step = apart(rational_near(difference(values["T"], values["delta"])), rational_near(values["h"]))
        raise DomainError(f"h must be at most T - delta = {most}, got h = {step} with {_interval(values)}")
    low, high = rational_near(values["delta"]), rational_near(values["T"])
    if kind == "edm":
        values.setdefault("rho", Fraction(7))
    if kind == "two-stage":
        return grids.two_stage(low, high, values["h"])
    if kind == "uniform" and "N" not in values:
        values["N"] = Fraction(grids.uniform_steps(low, high, values["h"]))
    return Grid(kind, int(values["N"]))


def _check_horizon(values: Mapping[str, Value], grid: Grid | None, clock: Clock) -> None:
    """On a grid and in the variance-exploding clock noise levels are computed, whose squares must stay finite."""
    if grid is None and clock.name == "ou":
        return
    for name in ("T", "t"):
        if name in values and rational_near(values[name]) > LONGEST_HORIZON:
            where = "in the ve clock" if clock.name == "ve" else "on a grid"
            raise DomainError(f"{name} must be at most {LONGEST_HORIZON} {where}, got {float(rational_near(values[name])):g}")


def _put_at_end(values: dict[str, Value], lists: dict[str, tuple[Value, ...]]) -> None:
    """A time that agrees with the last node T of a grid to a relative 1e-9 is T (the others are put at their nodes later)."""
    end = values.get("T")
    if end is None:
        return

    def exactly(time: Value) -> Value:
        return end if abs(float(rational_near(time)) - last) <= SAME_TIME * last else time

    last = float(rational_near(end))
    for name in ("t", "t_hat"):
        if name in values:
            values[name] = exactly(values[name])
    if "times" in lists:
        known = {x: exactly(x) for x in set(lists["times"])}
        lists["times"] = tuple(known[x] for x in lists["times"])


def _interval(values: Mapping[str, Value]) -> str:
    return assumptions.readable({name: values[name] for name in ("delta", "T")}, values)


def _check_per_step(theorem: Theorem, lists: Mapping[str, tuple[Value, ...]], grid: Grid | None) -> None:
    if "eps_sc" in lists and any(TABLE["eps_sc"].symbol in visible_symbols(x.expression) for x in theorem.sources):
        raise InputError(f"{theorem.id} takes one eps_sc, which holds at delta too; got a list")
    for name in ("L_f", "eps_sc", "eps_cm"):
        if name in lists:
            if grid is None:
                raise InputError(f"{name} is a list with one value for each step: give a grid")
            if len(lists[name]) != grid.N:
                raise InputError(f"{name} has {len(lists[name])} values, but the grid has N = {grid.N} steps")


def _choose_profiles(
    asked: Any, teacher: Teacher, values: Mapping[str, Value], lists: Mapping[str, Any]
) -> tuple[str, tuple[tuple[Profile, tuple[Rule, ...]], ...]]:
    given = frozenset(values) | frozenset(lists)
    tau_positive = values.get("tau", 0) > 0
    if asked == "auto":
        wanted = [p for p in PROFILES.values() if unavailable(p, teacher.name, given, tau_positive) is None]
        if not wanted:
            raise InputError(f"no profile is available for the {teacher.name} teacher with the given parameters")
        name = "auto"
    elif not isinstance(asked, str | Profile | Sequence):
        raise InputError(f"profile must be a name, a Profile or a list of them, got {asked!r}")
    elif isinstance(asked, str | Profile):
        wanted = [profile(asked) if isinstance(asked, str) else asked]
        name = wanted[0].name
    else:
        if "auto" in [x for x in asked if isinstance(x, str)]:
            raise InputError("profile 'auto' stands for the best of all that apply; give it alone, not in a list")
        wanted = [x if isinstance(x, Profile) else profile(x) for x in asked]
        if not wanted:
            raise InputError("profile is an empty list")
        wanted = list(dict.fromkeys(wanted))  # the same one twice is that one
        checked_distinct("the profiles to choose from", (p.name for p in wanted))
        name = "auto"
    for p in wanted:
        reason = unavailable(p, teacher.name, given, tau_positive)
        if reason:
            raise InputError(reason)
    return name, tuple((p, specialised(p, teacher.name, given)) for p in wanted)
