"""From what a user gives to a checked, exact setting in which a statement can be evaluated."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache, partial
from typing import Any

from cmbound.arithmetic.exact import Value, difference, rational_near, root, sign, time_from_sigma
from cmbound.catalogue.presets import preset
from cmbound.checks import checked_distinct
from cmbound.errors import CmboundError, DomainError, InputError, MissingParameterError
from cmbound.evaluation import assumptions, law
from cmbound.evaluation.given import as_text, exact_lists, exact_scalars, is_delta, kept, readings
from cmbound.evaluation.own import Shape, shapes
from cmbound.frozen import Deferred, Record
from cmbound.numbers import apart, counted, exact, rounded
from cmbound.theory import grids
from cmbound.theory.formulas import (
    ALIASES,
    CONSISTENCY_STEP,
    OPTIONS,
    accepts,
    checked_options,
    choices,
    optional,
    require_formula,
    require_profile,
    required,
)
from cmbound.theory.grids import Grid
from cmbound.theory.notation import TABLE
from cmbound.theory.profiles import PROFILES, profile, specialised, unavailable
from cmbound.theory.records import Assumption, Theorem
from cmbound.theory.rules import Entry, Measured, Profile
from cmbound.theory.variants import TEACHERS, Clock, Teacher, choose, visible_symbols
from cmbound.threads import alone

MAX_EVALUATIONS = 10**4  # k that a record lists one by one
LONGEST_HORIZON = 350
"""Largest T on a grid or in the variance-exploding clock: beyond it squares of noise levels leave the float64 range."""
SAME_TIME = 1e-9
"""Relative difference up to which a time on a grid is the node."""

MOST_MEASURED = 1000
"""Steps of a grid whose local errors are measured one by one; each takes as long as an evaluation of all samples."""

PER_STEP = ("L_f", "eps_sc", "eps_cm", "M")
"""Parameters of which a list has one value for each step of the grid."""

Values = dict[str, Value]
Lists = dict[str, tuple[Value, ...]]


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
    profiles: tuple[Entry, ...] = ()
    profile_name: str | None = None
    grid: Grid | None = None
    assumptions: tuple[tuple[Assumption, str], ...] = ()
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
        per_step = set(PER_STEP) & set(self.lists)
        if self.grid.kind != "uniform" or self.teacher.needs_grid or per_step or self.clock.name != "ou":
            return False
        rules = [rule for _, rules in self.profiles for rule in rules]
        return self.grid.N > grids.MAX_STEPS or all(rule.additive or (rule.steps == 0 and not rule.roots) for rule in rules)

    @property
    def measured(self) -> Measured | None:
        """What measures the local errors of the steps, where one of the profiles rests on samples."""
        return next((p.measured for p, _ in self.profiles if p.measured is not None), None)

    @property
    def listed(self) -> bool:
        """Whether the nodes of the grid were given one by one."""
        return self.grid is not None and self.grid.kind in grids.LISTED


# --- resolution -----------------------------------------------------------------------------------------------------


@alone
def resolve(theorem: Theorem, params: Mapping[str, Any], left_out: Collection[str] = ()) -> Setting:
    """Check and complete what the user gave.

    Where only the binary value of a float stands in the way (t = 5.833 beside T = "5.833"), the error says so.

    Args:
        theorem: the statement.
        params: numbers and options, as :meth:`cmbound.evaluation.statement.Statement.evaluate` takes them.
        left_out: parameters that may be missing; assumptions about them are then not looked at.

    Raises:
        CmboundError: see :meth:`cmbound.evaluation.statement.Statement.evaluate`.
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
    for meant, name, value in readings(params):
        with suppress(CmboundError):
            _resolved(theorem, meant, left_out)
            number, text = rounded(float(value), 20, "nearest"), str(value)
            side = "above" if Fraction(float(value)) > Fraction(text) else "below"
            return f"{name} was given as a float, the binary number {number} {side} {text}: write it as text, {text!r}"
    return ""


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

    values: Values = {**exact_scalars(theorem, numbers)}
    lists: Lists = {**exact_lists(numbers)}
    _convert_aliases(values, lists)
    wanted = _read_grid(options.get("grid"), clock, values)
    _defaults(theorem, values, lists, numbers.get("t_star", "0"))
    _check_missing(theorem, {*values, *lists, *left_out}, values, wanted is not None, teacher)
    _take_eigenvalues(values, lists)
    law.check(values, lists.get("weights", ()), ve=clock.name == "ve", own={*own, "sd2"} if "cov_eigs" in lists else own)
    if "cov_eigs" in lists:
        law.check_spectrum(lists["cov_eigs"], values, ve=clock.name == "ve")
    if values.get("k", Fraction(1)) > MAX_EVALUATIONS:
        raise DomainError(f"k must be at most {MAX_EVALUATIONS}, got {values['k']}")
    grid = _build_grid(theorem, wanted, values, teacher)
    if grid is not None:
        _put_at_end(values, lists)
    _check_horizon(values, grid, clock)
    _check_per_step(theorem, lists, grid, teacher)
    profile_name: str | None = None
    profiles: tuple[Entry, ...] = ()
    if theorem.uses_profile:
        profile_name, profiles = _choose_profiles(options.get("profile", "auto"), teacher, values, lists)
        _check_measured(profiles, grid, values)
    return Setting(
        theorem=theorem,
        values=values,
        lists=lists,
        given=Deferred({name: partial(as_text, name, kept(value)) for name, value in numbers.items()}),
        teacher=teacher,
        clock=clock,
        target=target,
        start=start,
        profiles=profiles,
        profile_name=profile_name,
        grid=grid,
        assumptions=assumptions.check(theorem, values, lists, grid is not None),
        own=own,
        shapes=shapes(theorem, profiles, clock, values, lists),
    )


def with_preset(theorem: Theorem, numbers: dict[str, Any], options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Fill in from a preset what was not given.

    Left out of the preset: what the statement does not have, what the same number in the other clock replaces, and the
    grid's numbers where another grid or another step was asked for.
    """
    chosen = preset(options.pop("preset"))
    allowed = choices(theorem)
    options = {**{name: value for name, value in chosen.options.items() if name in allowed}, **options}
    grid = options.get("grid", "uniform")
    taken = grids.TAKES.get(grid) if isinstance(grid, str) else None
    out = {"h", "N", "rho"} - (taken or set())
    if taken is None:  # the nodes are given, the ends of the range with them
        out |= {"delta", "T", "sigma_min", "sigma_max"}
    for one, other in (*ALIASES.items(), ("h", "N")):
        out |= {x for x, y in ((one, other), (other, one)) if y in numbers}
    kept = {name: value for name, value in chosen.parameters.items() if accepts(theorem, name) and name not in out}
    return {**kept, **numbers}, options


_SIGMA_LIMITS = (Fraction(1, 10**150), Fraction(10**150))  # their squares are within the range of exact input


def _time(name: str, sigma: Fraction) -> Value:
    low, high = _SIGMA_LIMITS
    if not low <= sigma <= high:
        raise DomainError(f"{name} must lie between 1e-150 and 1e150, got {float(sigma):g}")
    return time_from_sigma(sigma)


def _convert_aliases(values: Values, lists: Lists) -> None:
    """Times from noise levels; ``times`` and ``weights`` become lists even with one entry."""
    for name in ("times", "sigmas", "weights", "cov_eigs"):
        if name in values:
            lists[name] = (values.pop(name),)
    for alias, name in ALIASES.items():
        if {alias, name} <= values.keys() | lists.keys():
            raise InputError(f"give {alias} or {name}, not both")
        if alias in values:
            values[name] = _time(alias, values[alias])
        elif alias in lists:
            lists[name] = tuple(_time(alias, x) for x in lists[alias])


def _read_grid(given: Any, clock: Clock, values: Values) -> Grid | str | None:
    """A grid whose nodes are known (delta and T are then set), a kind still to be built, or None."""
    if given is None:
        return None
    if isinstance(given, str):
        return str(choose("grid", given, grids.KINDS))
    if isinstance(given, Grid):
        grid = given
    elif not isinstance(given, Iterable):
        raise InputError(f"grid must be a kind of grid or a list of nodes, got {given!r}")
    else:
        grid = (Grid.from_noise_levels if clock.name == "ve" else Grid.from_times)(list(given))
    if grid.kind not in grids.LISTED:
        raise InputError(f"give the kind of a regular grid as text, grid={grid.kind!r}")
    ends = [x if grid.kind == "times" else time_from_sigma(x) for x in (grid.values[0], grid.values[-1])]
    for name, node, place in zip(("delta", "T"), ends, ("first", "last"), strict=True):
        if name in values and sign(difference(values[name], node)) != 0:
            raise InputError(f"{name} differs from the {place} node of the grid; leave it out")
        values[name] = node
    return grid


def _defaults(theorem: Theorem, values: Values, lists: Lists, star: Any) -> None:
    """Fill in what follows from what was given."""
    needed, possible = required(theorem), optional(theorem)
    if "t" in needed and "t" not in values and "T" in values:
        values["t"] = values["T"]
    if "T" in possible and "T" not in values and "t" in values:
        values["T"] = values["t"]
    if "tau" in (*needed, *possible) and not theorem.uses_profile:
        values.setdefault("tau", Fraction(0))
    if "weights" in lists:
        count = Fraction(len(lists["weights"]))
        if values.setdefault("n_atoms", count) != count:
            raise DomainError(f"n_atoms is {values['n_atoms']}, but {count} weights were given")
    if "times" in lists:
        listed = "sigmas" if "sigmas" in lists else "times"
        if "t_hat" in values:
            fixed = "sigma_hat" if "sigma_hat" in values else "t_hat"
            raise InputError(f"give {listed} (one for each evaluation after the first) or {fixed}, not both")
        evaluations = Fraction(len(lists["times"]) + 1)
        if values.setdefault("k", evaluations) != evaluations:
            raise InputError(f"k is {values['k']}, but {listed} has {evaluations - 1} entries (k - 1 are needed)")
    if theorem.uses_profile and "delta" in values:
        time = values["delta"] if is_delta(star) else exact("t_star", star)
        if time not in (0, values["delta"]) and sign(difference(time, values["delta"])) != 0:
            raise DomainError(f"t_star must be 0 or delta, got {star}")
        values["t_star"] = time


def _check_missing(theorem: Theorem, present: Collection[str], values: Values, has_grid: bool, teacher: Teacher) -> None:
    """Raise MissingParameterError with everything that is missing."""
    if theorem.kind == "order" and "C" not in present:
        raise DomainError(f"{theorem.id} is an order-form statement with an unspecified constant: give C to evaluate it")
    replaced = {"h"} if theorem.uses_profile and (has_grid or "N" in present) else set()
    if values.get("k") == 1 or "times" in present:
        replaced.add("t_hat")
    missing = []
    for name in required(theorem):
        if name not in present and name not in replaced:
            others = [alias for alias, y in ALIASES.items() if y == name] + (["times"] if name == "t_hat" else [])
            missing.append(f"{name} (or {' or '.join(others)})" if others else name)
    lacking = [x for x in teacher.needs if theorem.uses_profile and x not in present]
    missing += [f"{x} (for the {teacher.name} teacher: {TABLE[x].meaning.removesuffix(' (Heun teacher)')})" for x in lacking]
    if missing:
        hint = "; h may be replaced by a grid" if "h" in missing and theorem.uses_profile else ""
        raise MissingParameterError(f"{theorem.id} needs {', '.join(missing)}{hint}")


def _build_grid(theorem: Theorem, grid: Grid | str | None, values: Values, teacher: Teacher) -> Grid | None:
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
    kind = grid if isinstance(grid, str) else grid.kind
    grids.require(kind, frozenset(values))
    if isinstance(grid, Grid):
        return grid
    width = difference(values["T"], values["delta"])
    if sign(width) <= 0:
        first, last = ("sigma_min", "sigma_max") if {"sigma_min", "sigma_max"} <= values.keys() else ("delta", "T")
        raise DomainError(f"{first} must be below {last}, got {_interval(values)}")
    if "h" in values and sign(difference(width, values["h"])) < 0:
        most, step = apart(rational_near(width), rational_near(values["h"]))
        raise DomainError(f"h must be at most T - delta = {most}, got h = {step} with {_interval(values)}")
    low, high = rational_near(values["delta"]), rational_near(values["T"])
    if kind == "edm":
        values.setdefault("rho", Fraction(7))
    if kind == "two-stage":
        return grids.two_stage(low, high, values["h"])
    if kind == "uniform" and "N" not in values:
        values["N"] = Fraction(grids.uniform_steps(low, high, values["h"]))
    return Grid(kind, int(values["N"]))


def _take_eigenvalues(values: Values, lists: Lists) -> None:
    """The eigenvalues of the covariance: as many as dimensions (of the space or of the subspace), and sd2^2 is their sum."""
    if "cov_eigs" not in lists:
        return
    counts = {name: values[name] for name in ("d", "d_eff") if name in values}
    if len(lists["cov_eigs"]) not in counts.values():
        wanted = " or ".join(f"{name} = {x}" for name, x in counts.items())
        raise InputError(f"cov_eigs has {counted(len(lists['cov_eigs']), 'value')}, but {wanted} are needed (zeros included)")
    trace = sum(lists["cov_eigs"], Fraction(0))
    if "sd2" in values and trace > values["sd2"] ** 2 * (1 + Fraction(law.PRINTED)):
        texts = float(trace), float(values["sd2"] ** 2)
        raise DomainError("no data law has these constants: cov_eigs add up to {:.6g}, more than sd2^2 = {:.6g}".format(*texts))
    values["sd2"] = root(trace)


def _check_horizon(values: Values, grid: Grid | None, clock: Clock) -> None:
    """On a grid and in the variance-exploding clock noise levels are computed, whose squares must stay finite."""
    if grid is None and clock.name == "ou":
        return
    for name in ("T", "t"):
        if name in values and rational_near(values[name]) > LONGEST_HORIZON:
            where = "in the ve clock" if clock.name == "ve" else "on a grid"
            raise DomainError(f"{name} must be at most {LONGEST_HORIZON} {where}, got {float(rational_near(values[name])):g}")


def _put_at_end(values: Values, lists: Lists) -> None:
    """A time that agrees with the last node T of a grid to a relative 1e-9 is T (the others are put at their nodes later)."""
    end = values.get("T")
    if end is None:
        return
    last = float(rational_near(end))

    def exactly(time: Value) -> Value:
        return end if abs(float(rational_near(time)) - last) <= SAME_TIME * last else time

    for name in ("t", "t_hat"):
        if name in values:
            values[name] = exactly(values[name])
    if "times" in lists:
        known = {x: exactly(x) for x in set(lists["times"])}
        lists["times"] = tuple(known[x] for x in lists["times"])


def _interval(values: Values) -> str:
    return assumptions.readable({name: values[name] for name in ("delta", "T")}, assumptions.noise_levels(values))


def _check_per_step(theorem: Theorem, lists: Lists, grid: Grid | None, teacher: Teacher) -> None:
    if lists.keys().isdisjoint(PER_STEP):
        return
    ends = TABLE["eps_sc_a"].symbol in teacher.score.free_symbols
    if "eps_sc" in lists and any(TABLE["eps_sc"].symbol in visible_symbols(x.expression) for x in theorem.bare_sources):
        raise InputError(f"{theorem.id} takes one eps_sc, which holds at delta too; got a list")
    for name in PER_STEP:
        if name in lists:
            if grid is None:
                raise InputError(f"{name} is a list with one value for each step: give a grid")
            nodes = name == "eps_sc" and ends  # at delta too
            if len(lists[name]) != grid.N + nodes:
                wanted = (
                    f"{grid.N + 1} nodes, that at delta included (the {teacher.name} teacher)"
                    if nodes
                    else f"N = {counted(grid.N, 'step')}"
                )
                raise InputError(f"{name} has {counted(len(lists[name]), 'value')}, but the grid has {wanted}")


def _choose_profiles(asked: Any, teacher: Teacher, values: Values, lists: Lists) -> tuple[str, tuple[Entry, ...]]:
    """``auto`` or the name of the one profile, and the profiles to choose from."""
    find = _known_profiles if isinstance(asked, str) else _profiles
    return find(asked, teacher.name, frozenset((*values, *lists)), values.get("tau", 0) > 0)


def _profiles(asked: Any, teacher: str, given: frozenset[str], tau_positive: bool) -> tuple[str, tuple[Entry, ...]]:
    """The same with the names of the parameters given."""

    def obstacle(p: Profile) -> str | None:
        return unavailable(p, teacher, given, tau_positive)

    if not isinstance(asked, str | Profile | Sequence):
        raise InputError(f"profile must be a name, a Profile or a list of them, got {asked!r}")
    names = [asked] if isinstance(asked, str | Profile) else list(asked)
    one = isinstance(asked, str | Profile)
    if one and asked == "auto":
        wanted = [p for p in PROFILES.values() if obstacle(p) is None]
        if not wanted:
            raise InputError(f"no profile is available for the {teacher} teacher with the given parameters")
    else:
        if not one and "auto" in [x for x in names if isinstance(x, str)]:
            raise InputError("profile 'auto' stands for the best of all that apply; give it alone, not in a list")
        if not names:
            raise InputError("profile is an empty list")
        found = (x if isinstance(x, Profile) else profile(x) for x in names)
        wanted = list(dict.fromkeys(found))  # the same one twice is that one
        checked_distinct("the profiles to choose from", (p.name for p in wanted))
    for p in wanted:
        if (reason := obstacle(p)) is not None:
            raise InputError(reason)
    name = wanted[0].name if one and asked != "auto" else "auto"
    return name, tuple((p, specialised(p, teacher, given)) for p in wanted)


_known_profiles = lru_cache(maxsize=512)(_profiles)
"""The same by name: a search asks for the same thousands of times."""


def _check_measured(profiles: Sequence[Entry], grid: Grid | None, values: Values) -> None:
    """Measured local errors belong to the steps of one grid, and to data with which the constants must agree."""
    names = [p.name for p, _ in profiles if p.measured is not None]
    if len(names) > 1:
        raise InputError(f"the profiles {', '.join(names)} are measured; one at most can be")
    if names and grid is None:
        raise InputError(f"profile {names[0]!r} belongs to the steps of a grid: give a grid, or N for a uniform one")
    if names and grid is not None and grid.N > MOST_MEASURED:
        raise DomainError(f"profile {names[0]!r} measures every step: at most {MOST_MEASURED} are allowed, the grid has {grid.N}")
    for p, _ in profiles:
        for name, x in {} if p.measured is None else p.measured.constants.items():
            if name in values and not _suits(name, float(rational_near(values[name])), x):
                raise DomainError(f"{name} is {float(rational_near(values[name])):.8g}, but that of the data measured is {x:.8g}")


def _suits(name: str, given: float, measured: float) -> bool:
    return given == measured if name == "d" else given >= measured * (1 - law.ROUNDING)
