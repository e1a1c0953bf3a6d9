"""Records: an instance of a statement whose truth is known, the recipe it was built from, and the verdict on it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cmbound.errors import InputError
from cmbound.frozen import Record, thawed
from cmbound.names import WORLDS
from cmbound.numbers import apart, rounded
from cmbound.reports.cells import Cell, number
from cmbound.reports.report import Body, Report, Result
from cmbound.reports.table import Table


class SkippedError(Exception):
    """The instance cannot satisfy an assumption of the statement; the text says which. Counted, never passed."""


@dataclass(frozen=True, eq=False)
class Recipe(Record):
    """Everything an instance is built from: replaying a recipe gives the same instance again.

    ``seed`` is that of every random matrix and direction; ``choices`` is what is picked from a list (grid, teacher, ...) and
    ``knobs`` are real numbers an optimiser may move, both by name.
    """

    theorem: str
    world: str
    seed: int
    choices: Mapping[str, Any]
    knobs: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready data."""
        fields = {name: thawed(getattr(self, name)) for name in self._names()}
        return fields | {"knobs": {name: float(x) for name, x in self.knobs.items()}}

    @classmethod
    def from_dict(cls, data: Any) -> Recipe:
        """The recipe that :meth:`to_dict` wrote; raises InputError where something is missing or of the wrong type."""
        fields = {"theorem": str, "world": str, "seed": int, "choices": dict, "knobs": dict}
        if not isinstance(data, dict) or set(data) != set(fields):
            raise InputError(f"a recipe has the entries {', '.join(fields)}")
        for name, kind in fields.items():
            if not isinstance(data[name], kind) or isinstance(data[name], bool):
                raise InputError(f"{name} of a recipe must be {kind.__name__}, got {data[name]!r}")
        for name, value in data["knobs"].items():
            if not isinstance(value, int | float) or isinstance(value, bool):
                raise InputError(f"knob {name} of a recipe must be a number, got {value!r}")
        if data["world"] not in WORLDS:
            raise InputError(f"world of a recipe must be one of {', '.join(WORLDS)}, got {data['world']!r}")
        return cls(**data)


@dataclass(frozen=True)
class Truth:
    """What the statement bounds: ``value`` and the interval it certainly (or at the stated level) lies in.

    ``exact`` intervals hold rounding errors only; others are a quadrature's, or (``sampled``) confidence intervals.
    """

    value: float
    lower: float
    upper: float
    exact: bool = True
    sampled: bool = False

    @property
    def trust(self) -> str:
        """``exact`` (up to rounding), ``approximate`` (a quadrature) or ``asymptotic`` (from samples)."""
        return "asymptotic" if self.sampled else "exact" if self.exact else "approximate"

    @classmethod
    def rounded(cls, value: float, scale: float, relative: float = 1e-11, absolute: float = 1e-13) -> Truth:
        """An exactly known number, up to rounding errors of ``relative`` (of it) and ``absolute`` (of ``scale``)."""
        slack = relative * value + absolute * scale
        return cls(value, max(value - slack, 0.0), value + slack)

    @classmethod
    def near(cls, value: float, slack: float) -> Truth:
        """A quadrature that is off by at most ``slack``."""
        return cls(value, max(value - slack, 0.0), value + slack, exact=False)


@dataclass(frozen=True, eq=False)
class Instance(Record):
    """A statement at parameters measured on a law whose true error, ``truth``, is known.

    ``generous`` are parameters with constants that are certainly large enough, where those in ``params`` are measured: a truth
    above the bound at ``params`` is a violation only if it is above the bound at these too.
    """

    recipe: Recipe
    params: Mapping[str, Any]
    truth: Truth
    generous: Mapping[str, Any] | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Outcome(Result, Record):
    """The verdict on one instance.

    Attributes:
        recipe: the instance.
        status, reason: ``passed``, ``violation``, ``undecided`` or ``skipped``, and why it is one of the last two.
        truth: the true value (None if skipped).
        trust: how it is known: ``exact``, ``approximate`` (a quadrature) or ``asymptotic`` (from samples; so is the verdict).
        bound: the bound in float64; for a violation the certified upper end.
        ratio: truth/bound.
        terms, profile, teacher, params: of the bound.
    """

    recipe: Recipe
    status: str
    reason: str = ""
    truth: float | None = None
    bound: float | None = None
    ratio: float | None = None
    terms: Mapping[str, float] = field(default_factory=dict)
    profile: str | None = None
    teacher: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    trust: str = "exact"

    def share(self, term: str) -> float:
        """(truth - the other terms)/term: negative where the other terms suffice, minus infinity if the term is 0."""
        if self.truth is None or self.bound is None or not self.terms.get(term):
            return -math.inf
        return 1 - (self.bound - self.truth) / self.terms[term]

    def needed(self, term: str) -> float:
        """How much of a term this instance needs, at least 0 (1: attained; above 1/2, halving it makes the statement false)."""
        return max(0.0, self.share(term))

    def report(self) -> Report:
        """The verdict with everything that is needed to replay it."""
        page = Body()
        page.line(self.recipe.theorem)
        self.say(page)
        digits = ("" if x is None or x == math.inf else repr(float(x)) for x in (self.truth, self.bound, self.ratio))
        cells = (Cell(self.recipe.theorem), Cell(self.status), *map(number, digits))
        table = Table(("statement", "status", "true", "bound", "ratio"), (cells,), "llrrr")
        document = Body()
        document.table(replace(table, layout="headings", size="footnotesize", tight=True))
        document.line(f"{self._law()}{self._because()}")
        return Report(f"{self.recipe.theorem}: {self.status}{self._because()}", page, self._data, table, document)

    def say(self, page: Body) -> None:
        """The verdict in a few lines."""
        if self.ratio is not None and self.truth is not None and self.bound is not None:
            how = " (sampled, asymptotic)" if self.trust == "asymptotic" else ""
            true, bound = apart(self.truth, self.bound, digits=10)
            page.line(f"true {true}{how}, bound {bound}", 2)
            page.line(f"ratio {rounded(self.ratio, 8, 'nearest')}, {self.status}{self._because()}", 2)
            page.line(", ".join(f"{name} {rounded(x)}" for name, x in self.terms.items()), 2)
        else:
            page.line(f"{self.status}{self._because()}", 2)
        page.line(self._law(), 2)
        page.line(", ".join(f"{name} {x:.4g}" for name, x in self.recipe.knobs.items()), 2)

    def _because(self) -> str:
        return f" ({self.reason})" if self.reason else ""

    def _law(self) -> str:
        choices = ", ".join(f"{name} {x}" for name, x in self.recipe.choices.items() if name != "times")
        return f"{self.recipe.world} world, seed {self.recipe.seed}; {choices}"

    def _data(self) -> dict[str, Any]:
        plain = ("status", "reason", "trust", "bound", "ratio", "profile", "teacher")
        return {
            **{name: getattr(self, name) for name in plain},
            "true": self.truth,
            "terms": dict(self.terms),
            "parameters": {name: _plain(x) for name, x in self.params.items()},
            "recipe": self.recipe.to_dict(),
        }


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    return list(value) if isinstance(value, tuple) else value


def ratio_cell(x: float | None) -> Cell:
    """A ratio of truth to bound, where there is one."""
    return Cell("") if x is None else number(rounded(x, 4, "nearest") if x != math.inf else "inf")
