"""What a comparison is asked for: the statements, checked numbers and options, and the parameters each statement gets."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from cmbound.arithmetic.backend import Floats
from cmbound.catalogue.presets import preset
from cmbound.checks import checked_distinct
from cmbound.comparison.readings import derived_numbers, is_reading
from cmbound.errors import CmboundError, DomainError, InputError, UnknownNameError
from cmbound.evaluation import law
from cmbound.evaluation.nodes import nodes as nodes_of
from cmbound.evaluation.setting import resolve
from cmbound.evaluation.statement import Statement, statements as all_statements, theorem as find
from cmbound.numbers import exact, text_of
from cmbound.theory.formulas import ALIASES, OPTIONS, accepts, required, unknown_name
from cmbound.theory.grids import KINDS
from cmbound.theory.notation import PUBLIC, TABLE, Domain
from cmbound.theory.profiles import profile as profile_of
from cmbound.theory.records import Theorem
from cmbound.theory.variants import CLOCKS, STARTS, TARGETS, TEACHERS, choose

_LISTED = Domain(low=0, low_open=True)
_ALLOWED = {"teacher": TEACHERS, "to": TARGETS, "start": tuple(STARTS), "clock": tuple(CLOCKS)}


def distinct(given: Iterable[str | Theorem]) -> tuple[Statement, ...]:
    """The statements named or given, each once.

    Raises:
        InputError: an unknown id, or two statements with the same one.
    """
    found = tuple(dict.fromkeys(map(find, given)))
    checked_distinct("the statements to compare", (x.id for x in found))
    return found


def selected(given: Iterable[str | Theorem] | None, metric: str | None) -> tuple[Statement, ...]:
    """The statements to compare: those of the catalogue in its order, then a user's own.

    Raises:
        InputError: an unknown id or metric, or nothing left.
    """
    found = all_statements()
    if given is not None:
        places = {x.id: i for i, x in enumerate(found)}
        wanted = distinct((given,) if isinstance(given, str | Theorem) else given)
        found = tuple(sorted(wanted, key=lambda x: places.get(x.id, len(places))))
    if metric is not None:
        known = tuple(dict.fromkeys(x.metric for x in found))
        if metric not in known:
            raise UnknownNameError("metric", metric, known)
        found = tuple(x for x in found if x.metric == metric)
    if not found:
        raise InputError("no statement to compare")
    return found


def checked_readings(assume: Sequence[str], chosen: Iterable[Theorem]) -> None:
    """Raise UnknownNameError for a reading no statement has."""
    every = (*all_statements(), *chosen)
    known = sorted({x.id for theorem in every for x in theorem.statement_assumptions if is_reading(x.id)})
    for name in assume:
        if name not in known:
            raise UnknownNameError("assumption", name, known)


def checked(
    params: Mapping[str, Any], chosen: Iterable[Theorem], moving: Mapping[str, Any] | None = None
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Fraction]]:
    """What was given, each thing checked by itself: the numbers, the options, and the exact values of single numbers.

    ``moving`` are numbers that vary besides, at some value.

    Raises:
        InputError: a name no statement has, two names for one number, or something malformed.
        DomainError: outside its domain.
    """
    numbers = {name: x for name, x in params.items() if x is not None}
    options = {name: numbers.pop(name) for name in params if name in OPTIONS and name in numbers}
    for name, names in _ALLOWED.items():
        if name in options:
            choose(name if name != "to" else "value of to", options[name], names)
    if isinstance(options.get("profile"), str) and options["profile"] != "auto":
        profile_of(options["profile"])
    if isinstance(options.get("grid"), str):
        choose("grid", options["grid"], KINDS)
    if "preset" in options:
        preset(options["preset"])
    every = {**numbers, **(moving or {})}
    if {"h", "N"} <= set(every) and ("grid" in options or "preset" in options):
        raise InputError("give h or N, not both, with a grid: its largest step is taken where a statement asks for h")
    return numbers, options, _exact(every, (*all_statements(), *chosen))


def _exact(numbers: Mapping[str, Any], theorems: Sequence[Theorem]) -> dict[str, Fraction]:
    known, found = tuple(name for name in PUBLIC if any(accepts(x, name) for x in theorems)), {}
    for name, value in numbers.items():
        if name not in known and name in PUBLIC:
            raise InputError(f"no statement has a parameter {name!r}; they take {', '.join(known)}")
        if name not in known:
            raise unknown_name(name, known)
        if isinstance(value, str) and value.strip() == "delta" and name == "t_star":
            continue
        values = value.split(",") if isinstance(value, str) and "," in value else value
        if not _is_list(values):
            found[name] = _inside(name, value, TABLE[name].domain)
        elif not TABLE[name].per_step:
            raise InputError(f"{name} must be one number, got a list")
        else:
            for i, x in enumerate(values):
                _inside(f"{name}[{i}]", x, _LISTED if name == "L_f" else TABLE[name].domain)
    for alias, name in ALIASES.items():
        if alias in numbers and name in numbers:
            raise InputError(f"give {alias} or {name}, not both")
    return found


def _is_list(value: Any) -> bool:
    return not isinstance(value, str) and (isinstance(value, Sequence) or getattr(value, "ndim", 0) > 0)


def _inside(name: str, value: Any, domain: Domain) -> Fraction:
    number = exact(name, value)
    if number not in domain:
        raise DomainError(f"{name} must be {domain}, got {text_of(value)}")
    return number


def shown_text(value: Any) -> Any:
    """A parameter as it is reported."""
    return [text_of(x) for x in value] if _is_list(value) else text_of(value)


class Given:
    """Where the parameters of each statement come from: what the user gave, numbers and options by name."""

    measured: tuple[str, ...] = ()  # names of the parameters that were measured
    readings: tuple[str, ...] = ()  # other readings of an assumption that were measured too
    notes: tuple[str, ...] = ()  # how the parameters are known

    def __init__(self, numbers: Mapping[str, Any], options: Mapping[str, Any]) -> None:
        self.numbers, self.options = dict(numbers), dict(options)

    @classmethod
    def at(cls, numbers: Mapping[str, Any], options: Mapping[str, Any], values: Mapping[str, Fraction]) -> Given:
        """The point to compare at.

        Raises:
            InputError: there is none.
            DomainError: no data law has these constants.
        """
        if not numbers and set(options) <= {"to", "start", "clock", "digits", "profile", "teacher"}:
            raise InputError("nothing to compare at: give parameters, a preset, or a world")
        found = cls(numbers, options)
        together = {**{name: exact(name, x) for name, x in found.law.items()}, **values}
        each = ("L_s", "L_os", "t_star")  # each statement has its own
        law.check({name: x for name, x in together.items() if name not in each}, own=values)
        return found

    @property
    def law(self) -> Mapping[str, Any]:
        """What is known besides: the parameters of the preset that was chosen."""
        return preset(self.options["preset"]).parameters if "preset" in self.options else {}

    @property
    def asked(self) -> tuple[str, ...]:
        """Names of what was given and should enter a value."""
        return (*self.numbers, *self.options)

    @property
    def shown(self) -> dict[str, Any]:
        """The numbers of the preset and those given, as text; what is given in the other clock replaces the preset's."""
        replaced = {name for pair in ALIASES.items() if set(pair) & set(self.numbers) for name in pair}
        replaced |= {"h", "N"} if {"h", "N"} & set(self.numbers) else set()
        kept = {name: x for name, x in self.law.items() if name not in replaced}
        return kept | {name: shown_text(x) for name, x in self.numbers.items()}

    def __call__(self, theorem: Theorem) -> dict[str, Any]:
        """Parameters and options of the statement."""
        numbers = self.numbers
        grid = self.options.get("grid")
        if grid is not None and not isinstance(grid, str) and not theorem.uses_profile:
            ends = ("sigma_min", "sigma_max") if self.options.get("clock") == "ve" else ("delta", "T")
            nodes = list(getattr(grid, "values", grid))
            numbers = dict(zip(ends, (nodes[0], nodes[-1]), strict=True)) | numbers
        if wants_step(theorem) and self.step is not None:
            numbers = {"h": math.nextafter(self.step, math.inf)} | numbers
        return _accepted(theorem, numbers) | self.derived(theorem) | fitting_options(theorem, self.options)

    def derived(self, theorem: Theorem) -> dict[str, Any]:
        """Those of its parameters that follow from others (see :data:`cmbound.comparison.readings.DERIVED`)."""
        return derived_numbers(theorem, {**self.law, **self.numbers})

    @cached_property
    def step(self) -> float | None:
        """The largest step of the grid, for statements that ask for h (None: no grid, or one that lacks something)."""
        for theorem in all_statements():
            if theorem.uses_profile:
                with suppress(CmboundError):
                    setting = resolve(theorem, _accepted(theorem, self.numbers) | fitting_options(theorem, self.options))
                    return None if setting.grid is None else float(np.max(np.diff(nodes_of(setting, Floats()))))
        return None


def _accepted(theorem: Theorem, numbers: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers the statement has; of h and N, where both were given, h describes the grid."""
    both = {"N"} if theorem.uses_profile and {"h", "N"} <= set(numbers) else set()
    return {name: x for name, x in numbers.items() if accepts(theorem, name) and name not in both}


def wants_step(theorem: Theorem) -> bool:
    """Whether the statement asks for h but not for a grid."""
    return "h" in required(theorem) and not theorem.uses_profile


def fitting_options(theorem: Theorem, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that mean something for the statement (a clock it is not stated in is left in, and is the reason)."""
    means = dict.fromkeys(("profile", "grid", "teacher"), theorem.uses_profile)
    means |= {"to": theorem.has_target, "start": theorem.uses_start}
    means["clock"] = theorem.clock == "ou"  # the parameters of another are those of its own clock
    return {name: x for name, x in options.items() if means.get(name, True)}
