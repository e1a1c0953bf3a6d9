"""Planted mistakes: weakened copies of every explicit statement (see ``plants``), and what became of them.

A copy is *caught* by an instance whose truth lies above it, *not weaker* when that is proved; otherwise it is *implied* when its
bound is proved never to be below that of another one left, and has *survived* when it is not. The list of survivors says how
loose a statement is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from cmbound.checks import checked_whole
from cmbound.errors import InputError
from cmbound.evaluation.statement import statements, theorem as find
from cmbound.parallel import mapped
from cmbound.reports.cells import Cell, number
from cmbound.reports.report import Body, Report, Result
from cmbound.reports.table import Table
from cmbound.theory.profiles import REPLACED
from cmbound.theory.records import Theorem
from cmbound.verification.experiments import experiment_of
from cmbound.verification.hunt import DRAWS, Hunt, Row, Witness
from cmbound.verification.implied import implied
from cmbound.verification.instances import Recipe, ratio_cell
from cmbound.verification.plants import Plant, RulePut, plants

_STATUSES = ("caught", "not weaker", "implied", "survived")
_PARTS = 24  # parts of statements in a table of a document, likewise
_ROWS = 12  # survivors in a table of a document: more need not fit a page


@dataclass(frozen=True)
class Verdict:
    """What became of a weakened copy: ``caught``, ``not weaker``, ``implied`` or ``survived``.

    ``ratio`` is the largest truth/(weakened bound) found (None if not looked for; infinite against a bound of 0), ``witness`` the
    recipe of that instance; ``implied_by`` are the survivors, one or two, that it follows from.
    """

    plant: Plant
    status: str
    ratio: float | None
    witness: Recipe | None
    implied_by: tuple[Plant, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready data."""
        copied = {name: getattr(self.plant, name) for name in ("theorem", "component", "change", "before", "after")}
        return {
            **copied,
            "reason": self.plant.not_weaker,
            "implied_by": [x.name for x in self.implied_by],
            "ratio": self.ratio if self.ratio is None or np.isfinite(self.ratio) else "inf",
            "witness": None if self.witness is None else self.witness.to_dict(),
        }


@dataclass(frozen=True, repr=False)
class PlantedReport(Result):
    """The verdicts on all weakened copies of some statements."""

    verdicts: tuple[Verdict, ...]
    seed: int
    seconds: float

    def having(self, status: str) -> list[Verdict]:
        """Those with this status."""
        return [x for x in self.verdicts if x.status == status]

    def report(self) -> Report:
        """Counts for each part, then the survivors; in data each copy once."""
        said = ", ".join([f"{len(self.verdicts)} planted", *(f"{len(self.having(x))} {x}" for x in _STATUSES)])
        counts, survived = _counts(self.verdicts), self.having("survived")
        page, document = Body(), Body()
        page.table(counts, 0)
        page.line()
        for i in range(0, len(counts.rows), _PARTS):
            document.line()
            rows = counts.rows[i : i + _PARTS]
            document.table(replace(counts, rows=rows, layout="headings", widths={1: 0.42}, size="footnotesize", tight=True))
        for body in (page, document):
            body.line(said)
            if survived:
                body.line("survivors, with the largest truth/(weakened bound) found")
        if survived:
            page.table(_copies(survived, status=False))
        for i in range(0, len(survived), _ROWS):
            table = _copies(survived[i : i + _ROWS], status=False)
            document.line()
            document.table(replace(table, layout="headings", widths={1: 0.27, 2: 0.51}, size="footnotesize", tight=True))
        return Report(f"planted mistakes: {said}", page, self._data, _copies(self.verdicts), document)

    def _data(self) -> dict[str, Any]:
        caught, not_weaker, below, survived = ([x.to_dict() for x in self.having(status)] for status in _STATUSES)
        counts = {"planted": len(self.verdicts), "caught": len(caught), "seed": self.seed, "seconds": self.seconds}
        return {**counts, "not_weaker": not_weaker, "implied": below, "survived": survived, "witnesses": caught}


def explicit_ids() -> tuple[str, ...]:
    """The statements that mistakes are planted in."""
    return tuple(x.id for x in statements() if x.kind == "explicit" and x.experiment)


def recheck(plant: Plant, recipe: Recipe, theorem: Theorem | None = None) -> float:
    """truth/(weakened bound) on the instance of a recipe, -1 if it is skipped."""
    witness = _witness(recipe, theorem or find(plant.theorem))
    return -1.0 if witness is None else witness.ratio(plant)


@lru_cache(maxsize=256)
def _witness(recipe: Recipe, theorem: Theorem) -> Witness | None:
    """The instance of a recipe, which may refute several copies."""
    return Witness.build(recipe, theorem)


def _groups(theorem: Theorem) -> dict[str, list[Plant]]:
    """The copies of a statement, those of parts that enter under the same choices together, by the name of the group."""
    found: dict[str, list[Plant]] = {}
    for x in plants(theorem):
        of_rule = isinstance(x.part.put, RulePut)
        found.setdefault(f"{x.demands['teacher']}, {x.demands['profile']}" if of_rule else x.component, []).append(x)
    return found


def _hunted(theorem: Theorem, name: str, seed: int, draws: int, known: tuple[Recipe, ...]) -> list[Row]:
    """What became of the copies of a group, in their order."""
    return Hunt(theorem, _groups(theorem)[name], seed).run(known, draws)


def planted(
    ids: Sequence[str | Theorem] | None = None,
    *,
    seed: int = 0,
    draws: int = DRAWS,
    known: Mapping[str, Any] | None = None,
    jobs: int = 1,
    cluster: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> PlantedReport:
    """Weaken statements in every way and see which mistakes are caught.

    Args:
        ids: explicit statements (default all), or some of your own that name an experiment.
        seed: seed of the search; the result does not depend on ``jobs``.
        draws: random instances for each part of a statement, before the optimiser takes over.
        known: an earlier report (:meth:`PlantedReport.to_dict`) whose instances are tried before others are searched for.
        jobs, cluster: where the work runs, see :func:`cmbound.parallel.mapped`.
        progress: called with the number of copies that were just judged.

    Raises:
        UnknownNameError, InputError, DomainError: an argument that does not exist or is out of range.

    >>> import cmbound
    >>> found = cmbound.planted(["explicit-score-lipschitz"], draws=2)
    >>> len(found.verdicts), len(found.having("survived"))
    (5, 0)
    """
    begin = time.perf_counter()
    checked_whole("seed", seed, 0, 2**31 - 1)
    checked_whole("draws", draws, 1, 10**6)
    theorems = [find(x) for x in (explicit_ids() if ids is None else ids)]
    for theorem in theorems:
        experiment_of(theorem)
        if theorem.kind != "explicit":
            raise InputError(f"{theorem.id} is an order-form statement: mistakes are planted in explicit ones")
    groups = [(x, name, copies) for x in theorems for name, copies in _groups(x).items()]
    rows: dict[Plant, Row] = {}
    earlier = _recipes({} if known is None else known)
    tasks = ((x, name, seed, draws, _known(earlier, copies)) for x, name, copies in groups)
    for (_, _, copies), found in zip(groups, mapped(_hunted, tasks, jobs=jobs, cluster=cluster), strict=True):
        rows |= dict(zip(copies, found, strict=True))
        if progress is not None:
            progress(len(found))
    verdicts = [Verdict(x, *rows[x]) for theorem in theorems for x in plants(theorem)]
    return PlantedReport(_with_implied(verdicts), seed, time.perf_counter() - begin)


def _with_implied(verdicts: Sequence[Verdict]) -> tuple[Verdict, ...]:
    """The verdicts, in which survivors that follow from others are implied."""
    below = implied([x.plant for x in verdicts if x.status == "survived"])
    return tuple(
        replace(x, status="implied", witness=None, implied_by=below[x.plant]) if x.plant in below else x for x in verdicts
    )


def _known(earlier: Mapping[tuple[str, str], tuple[Recipe, ...]], copies: Sequence[Plant]) -> tuple[Recipe, ...]:
    """The earlier instances for a group, each once."""
    found = {repr(x.to_dict()): x for plant in copies for x in earlier.get((plant.theorem, plant.component), ())}
    return tuple(found.values())


def _recipes(report: Mapping[str, Any]) -> dict[tuple[str, str], tuple[Recipe, ...]]:
    """The instances of an earlier report, by statement and part, each once; raises InputError for another form."""
    found: dict[tuple[str, str], dict[str, Recipe]] = {}
    if not isinstance(report, Mapping):
        raise InputError("the earlier report is not what check --planted --format json writes")
    try:
        for row in (*report.get("witnesses", ()), *report.get("survived", ())):
            if row["witness"] is not None:
                recipe = Recipe.from_dict(row["witness"])
                if recipe.choices.get("profile") not in REPLACED:
                    found.setdefault((row["theorem"], row["component"]), {})[repr(row["witness"])] = recipe
    except (AttributeError, KeyError, TypeError):
        raise InputError("the earlier report is not what check --planted --format json writes") from None
    return {part: tuple(recipes.values()) for part, recipes in found.items()}


# --- what is said ---------------------------------------------------------------------------------------------------


def _copies(verdicts: Sequence[Verdict], status: bool = True) -> Table:
    """Weakened copies, one row each."""
    said = ("status",) if status else ()
    rows = tuple(
        (*map(Cell, (x.plant.theorem, x.plant.component, x.plant.change, *(x.status for _ in said))), ratio_cell(x.ratio))
        for x in verdicts
    )
    return Table(("statement", "part", "change", *said, "best ratio"), rows, "lll" + "l" * status + "r")


def _counts(verdicts: Sequence[Verdict]) -> Table:
    """What became of the copies of each part."""
    parts: dict[tuple[str, str], list[str]] = {}
    for x in verdicts:
        parts.setdefault((x.plant.theorem, x.plant.component), []).append(x.status)
    rows = tuple(
        (Cell(theorem), Cell(part), number(str(len(found))), *(number(str(found.count(x))) for x in _STATUSES))
        for (theorem, part), found in parts.items()
    )
    return Table(("statement", "part", "planted", *_STATUSES), rows, "ll" + "r" * (1 + len(_STATUSES)))
