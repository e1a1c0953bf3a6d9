"""Deciding the assumptions that are predicates over the parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Any

import sympy

from cmbound.arithmetic import certified
from cmbound.arithmetic.backend import ordered_symbols
from cmbound.arithmetic.exact import Value, as_expr, rational_near, sign
from cmbound.errors import DomainError
from cmbound.frozen import FrozenDict
from cmbound.numbers import apart
from cmbound.theory.formulas import ALIASES
from cmbound.theory.notation import TABLE
from cmbound.theory.records import Assumption, Theorem

_ENCLOSED_BITS = 128  # of the first look at an assumption: more than enough wherever the sides are not equal
_MOST_DIGITS = 40  # numbers that differ later are told apart as fractions


def check(
    theorem: Theorem, values: Mapping[str, Value], lists: Mapping[str, tuple[Value, ...]], has_grid: bool
) -> tuple[tuple[Assumption, str], ...]:
    """The assumptions of a statement, each ``checked`` or ``assumed``; a predicate without its parameters is left out.

    Raises:
        DomainError: a violated assumption, named with the values that violate it.
        UndecidedError: a predicate that cannot be decided at the highest precision.
    """
    result = []
    for assumption in theorem.statement_assumptions:
        status = "assumed"
        if assumption.predicate is not None:
            rows = _rows(assumption.predicate, values, lists, has_grid)
            if not rows:
                continue
            for i, row in enumerate(rows):
                if not _holds(assumption.predicate, row):
                    name = f"assumption {assumption.id!r} of {theorem.id}"
                    levels = noise_levels(values, lists, i)
                    got = readable(row, levels, assumption.predicate)
                    raise DomainError(f"{name} is violated: {_in_levels(assumption, levels)}; got {got}")
            status = "checked"
        result.append((assumption, status))
    return tuple(result)


def _rows(
    predicate: Any, values: Mapping[str, Value], lists: Mapping[str, tuple[Value, ...]], has_grid: bool
) -> list[dict[str, Value]]:
    """The values at which a predicate must hold (one row, one for each listed time, or none)."""
    names = _names(predicate)
    if "h" in names and has_grid:
        return []
    if "t_hat" in names and "times" in lists:
        return [{**{n: values[n] for n in names - {"t_hat"}}, "t_hat": x} for x in lists["times"]]
    if not names <= set(values):
        return []
    return [{name: values[name] for name in names}]


@lru_cache(maxsize=256)
def _names(predicate: Any) -> frozenset[str]:
    """The names of its parameters."""
    return frozenset(x.name for x in ordered_symbols(predicate))


def _holds(predicate: Any, row: Mapping[str, Value]) -> bool:
    outcome = _side(predicate, row)
    strict = isinstance(predicate, sympy.StrictGreaterThan | sympy.StrictLessThan)
    return outcome > 0 or (outcome == 0 and not strict)


def _side(predicate: Any, row: Mapping[str, Value]) -> int:
    """The sign of the larger side less the smaller one: enclosed, and exact where the two may be equal."""
    gap, names, function = _gap(predicate)
    with certified.precision(_ENCLOSED_BITS):
        ball = function(*[certified.number(row[x]) for x in names])[0]
        if ball > 0 or ball < 0 or ball.is_zero():
            return int(ball > 0) - int(ball < 0)
    exact = gap.subs({TABLE[name].symbol: as_expr(value) for name, value in row.items()})
    return sign(exact if not exact.is_Rational else Fraction(int(exact.p), int(exact.q)))


@lru_cache(maxsize=256)
def _gap(predicate: Any) -> tuple[Any, tuple[str, ...], Any]:
    """The larger side less the smaller one, the names of its parameters, and a function of them in balls."""
    gap = predicate.gts - predicate.lts
    symbols = ordered_symbols(gap)
    return gap, tuple(x.name for x in symbols), certified.compile((gap,), symbols)


def noise_levels(
    values: Mapping[str, Value], lists: Mapping[str, tuple[Value, ...]] = FrozenDict(), place: int = 0
) -> dict[str, tuple[str, Value]]:
    """By the name of a time: the noise level it was given as, and what that is (of a list the one at ``place``)."""
    found = {name: (alias, values[alias]) for alias, name in ALIASES.items() if alias in values}
    if "sigmas" in lists:
        found["t_hat"] = ("sigmas", lists["sigmas"][place])
    return found


def _in_levels(assumption: Assumption, levels: Mapping[str, tuple[str, Value]]) -> str:
    """The text, in noise levels where it compares two times that were both given as such."""
    sides = {str(assumption.predicate.gts), str(assumption.predicate.lts)}
    if not sides <= levels.keys():
        return assumption.text
    return re.sub(r"\w+", lambda x: levels[x[0]][0] if x[0] in levels else x[0], assumption.text)


def readable(row: Mapping[str, Value], levels: Mapping[str, tuple[str, Value]], violated: Any = None) -> str:
    """The numbers of a row as text, each beside the noise level the user gave where there is one.

    With a predicate that they violate, with so many digits that those shown violate it too.
    """
    names = sorted(row)
    for digits in range(6, _MOST_DIGITS):
        texts = apart(*(rational_near(row[x]) for x in names), digits=digits)
        if violated is None or not _holds(violated, {name: Fraction(text) for name, text in zip(names, texts, strict=True)}):
            break
    times = {name: f"{name} = {text}" for name, text in zip(names, texts, strict=True)}
    known = [x for x in names if x in levels]
    sizes = dict(zip(known, apart(*(levels[x][1] for x in known)), strict=True))
    return ", ".join(f"{levels[x][0]} = {sizes[x]} ({times[x]})" if x in sizes else times[x] for x in names)
