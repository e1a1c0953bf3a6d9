"""Where two statements mean different things by one symbol, and how one number follows from another.

An assumption with a name such as ``A4-exact`` reads the constant of ``A4`` in its own way. A number measured for one reading says
nothing about the other, so that a comparison takes the plain one unless told otherwise.

The consistency error of one interval of a training grid (``eps_ci``) is at most the rate per unit of time (``eps_cm``) times the
spacing (``dtau``), where both are read alike.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from cmbound.frozen import FrozenDict
from cmbound.numbers import exact
from cmbound.theory.formulas import accepts
from cmbound.theory.records import Assumption, Theorem

_READING = re.compile(r"^(A[0-9]+)-\w+$")
SHARED = ("eps_cm", "eps_sc", "L_f", "L_s")
"""Constants that statements share; a reading of another symbol belongs to one statement alone."""
DERIVED: Mapping[str, tuple[str, str]] = FrozenDict({"eps_ci": ("eps_cm", "dtau")})
"""A number that follows from two others, as their product."""

ANY_SPACING = "1e-6"
"""Stands in for a spacing that was not given: a bound in ``eps_ci/dtau`` is then one in the rate, whatever the spacing."""


def is_reading(id: str) -> bool:
    """Whether an assumption reads the constant of another one in its own way."""
    return _READING.fullmatch(id) is not None


def derived_numbers(theorem: Theorem, numbers: Mapping[str, Any]) -> dict[str, Fraction]:
    """Parameters of the statement that were not given but follow from those that were, :data:`ANY_SPACING` if none was."""
    found: dict[str, Fraction] = {}
    for name, (rate, step) in DERIVED.items():
        width = numbers.get(step, ANY_SPACING)
        single = not isinstance(numbers.get(rate), list | tuple) and "," not in str(numbers.get(rate))
        if accepts(theorem, name) and name not in numbers and rate in numbers and single:
            found |= {name: exact(rate, numbers[rate]) * exact(step, width), step: exact(step, width)}
    return found


def denied(theorem: Theorem, given: Mapping[str, Any], derived: Mapping[str, Any], assume: Sequence[str]) -> str:
    """Why a statement does not apply: a reading that ``assume`` does not grant, or another start; empty where it does."""
    for x in theorem.statement_assumptions:
        if is_reading(x.id) and x.id not in assume and _read_by(x, (*SHARED, *derived)):
            also = "".join(f", or give {name}" for name in derived if name in DERIVED)
            return f"assumption {x.id!r} is not granted: {x.text} (--assume {x.id} if that is what was measured{also})"
        if x.id == "start" and given.get("start") == "standard":
            return f"assumption {x.id!r} fails: {x.text}; got start = standard"
    return ""


def _read_by(x: Assumption, names: Sequence[str]) -> bool:
    return any(re.search(rf"\b{name}\b", x.text) for name in names)


def meanings(theorems: Sequence[Theorem]) -> tuple[str, ...]:
    """Where the first of several statements reads a constant in another way than one of the others."""
    found, first = [], theorems[0]
    for x in first.statement_assumptions:
        for other in theorems[1:]:
            stem = _READING.sub(r"\1", x.id)
            alike = (y for y in other.statement_assumptions if _READING.sub(r"\1", y.id) == stem and y.id != x.id)
            y = next(alike, None)
            if y is not None and _read_by(x, (*SHARED, *DERIVED)) and (is_reading(x.id) or is_reading(y.id)):
                found.append(f"read differently: {first.id} assumes that {x.text}; {other.id} that {y.text}")
                break
    return tuple(found)
