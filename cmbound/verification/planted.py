"""Planted mistakes: weakened copies of every explicit statement (see ``plants``), and the search that catches them.

A copy is *caught* by an instance whose truth lies above it, *not weaker* when that is proved, and otherwise it
*survived*: the list of survivors says how loose a statement is.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cmbound.checks import checked_whole
from cmbound.errors import CmboundError, DomainError, InputError
from cmbound.evaluation.point import float_terms
from cmbound.evaluation.setting import Setting, resolve
from cmbound.evaluation.statement import statements, theorem as find
from cmbound.names import WORLDS
from cmbound.parallel import mapped
from cmbound.reports.cells import Cell, number
from cmbound.reports.report import Body, Report, Result
from cmbound.reports.table import Table
from cmbound.theory.profiles import REPLACED
from cmbound.theory.records import Theorem
from cmbound.verification.campaign import judge
from cmbound.verification.experiments import experiment_of
from cmbound.verification.falsify import climb, cornered, focused, near, random_recipe, score
from cmbound.verification.instances import Outcome, Recipe, SkippedError, ratio_cell
from cmbound.verification.laboratories import build
from cmbound.verification.plants import Plant, plants
from cmbound.verification.witnesses import witnesses

DRAWS = 60  # instances in which a plain mistake is found
_STARTS = 2  # climbs, for a local maximum
_KEPT = 24  # instances that copies are tried on: those that need the term most
_CLIMB = 60  # trials after which most climbs have stalled
_FINE, _LONG = 21, 34  # steps of a grid that hides local errors, and of one that shows them
_NEAR, _MORE = 0.7, 4  # share of later draws near the best so far; draws where there is no grid
_CAUGHT = 1 + 1e-9  # beyond rounding
_HOPELESS, _CLOSE = -0.5, -0.1  # margins: left alone, climbed further
_VOID = 1e-5  # below this ratio of truth to bound an instance says nothing about any term
_STATUSES = ("caught", "not weaker", "survived")
_PARTS = 24  # parts of statements in a table of a document, likewise
_ROWS = 12  # survivors in a table of a document: more need not fit a page
LEAST = -1e6
"""Margin of an instance in which the change makes no difference."""


@dataclass(frozen=True)
class Verdict:
    """What became of a weakened copy: ``caught``, ``not weaker`` or ``survived``.

    ``ratio`` is the largest truth/(weakened bound) found (None if not looked for; infinite against a bound of 0), ``witness`` the
    recipe of that instance.
    """

    plant: Plant
    status: str
    ratio: float | None
    witness: Recipe | None

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready data."""
        copied = {name: getattr(self.plant, name) for name in ("theorem", "component", "change", "before", "after")}
        return {
            **copied,
            "reason": self.plant.not_weaker,
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
            document.table(replace(counts, rows=rows, layout="headings", widths={1: 0.45}, size="footnotesize", tight=True))
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
        caught, not_weaker, survived = ([x.to_dict() for x in self.having(status)] for status in _STATUSES)
        counts = {"planted": len(self.verdicts), "caught": len(caught), "seed": self.seed, "seconds": self.seconds}
        return {**counts, "not_weaker": not_weaker, "survived": survived, "witnesses": caught}


def explicit_ids() -> tuple[str, ...]:
    """The statements that mistakes are planted in."""
    return tuple(x.id for x in statements() if x.kind == "explicit" and x.experiment)


@dataclass(frozen=True)
class Witness:
    """An instance with its setting and bound, ready for copies to be tried on.

    Instances with measured constants can refute a copy only at constants that certainly hold: those are taken.
    """

    recipe: Recipe
    setting: Setting
    bound: float
    truth: float

    @classmethod
    def build(cls, recipe: Recipe, theorem: Theorem) -> Witness | None:
        """The instance of a recipe, its truth at the lower end; None if it is skipped."""
        try:
            instance = build(recipe, theorem)
            setting = resolve(theorem, instance.generous or instance.params)
            bound = sum(float_terms(setting).values())
        except (SkippedError, DomainError):
            return None
        return cls(recipe, setting, bound, instance.truth.lower)

    def weakened_bound(self, plant: Plant) -> float:
        """The bound of the copy (of the statement itself where the part does not enter)."""
        try:
            return sum(float_terms(plant.put(self.setting)).values())
        except (CmboundError, KeyError, ZeroDivisionError):
            return self.bound

    def margin(self, plant: Plant) -> float:
        """1 - (bound - truth)/(bound - weakened bound): positive where the copy is refuted, at most 1.

        It looks for instances where the change matters more than the slack of the rest, unlike the plain ratio, which is
        near 1 wherever other terms are attained.
        """
        change = self.bound - self.weakened_bound(plant)
        slack = self.bound - self.truth
        if change <= 1e-9 * self.bound or slack < 0 or self.truth < _VOID * self.bound:
            return LEAST
        return max(1 - slack / change, LEAST)

    def ratio(self, plant: Plant) -> float:
        """truth/(weakened bound)."""
        weak = self.weakened_bound(plant)
        if weak > 0:
            return self.truth / weak
        return float("inf") if self.truth > 0 else 0.0

    def refutes(self, plant: Plant) -> bool:
        """Whether the truth lies above the copy, by more than rounding."""
        return self.margin(plant) > 0 and self.ratio(plant) > _CAUGHT


def recheck(plant: Plant, recipe: Recipe, theorem: Theorem | None = None) -> float:
    """truth/(weakened bound) on the instance of a recipe, -1 if it is skipped."""
    witness = Witness.build(recipe, theorem or find(plant.theorem))
    return -1.0 if witness is None else witness.ratio(plant)


def _pool(theorem: Theorem, plant: Plant, seed: int, draws: int) -> list[Witness]:
    """Instances the part of a copy enters, with other errors off; those that need its term most first.

    The second half of the draws are mostly near the best instance so far; from the best ones an optimiser goes on.
    """
    rng = np.random.default_rng([seed, zlib.crc32(plant.component.encode())])
    target = "total" if len(theorem.sources) == 1 else plant.term
    outcomes: list[Outcome] = []
    if not theorem.uses_profile:
        draws *= _MORE  # no grid to sum over: cheap
    for i in range(draws):
        recipe = _random(theorem, plant, rng, i)
        if 2 * i > draws and rng.random() < _NEAR:
            best = max(outcomes, key=lambda x: score(x, target), default=None)
            if best is not None and best.recipe.world == recipe.world:
                recipe = near(best.recipe, theorem, rng)
        outcome = judge(recipe, theorem)
        if outcome.ratio is not None:
            outcomes.append(outcome)
    outcomes.sort(key=lambda x: -score(x, target))
    climbed = [climb(lambda x: score(judge(x, theorem), target), x.recipe, theorem, _CLIMB) for x in outcomes[:_STARTS]]
    found = [Witness.build(x, theorem) for x in (*climbed, *(x.recipe for x in outcomes[:_KEPT]))]
    return [x for x in found if x is not None]


def _random(theorem: Theorem, plant: Plant, rng: np.random.Generator, number: int) -> Recipe:
    """Draw number ``number`` for a part of a statement."""
    grids: tuple[Mapping[str, Any], ...] = ({}, {"N": _FINE})  # a fine grid hides local errors
    if plant.term == "discretisation":  # one step shows them; a long geometric grid leaves no initialisation beside them
        grids = ({}, {"N": 1}, {"N": _LONG, "grid": "geometric", "start": "matched"})
    demands = {**plant.demands, **grids[number % len(grids)]}
    world = str(rng.choice(WORLDS)) if plant.term == "discretisation" and theorem.uses_profile else None
    recipe = focused(random_recipe(theorem, rng, world, plant.term, demands), plant.term)
    if demands.get("N") == _LONG:
        recipe = replace(recipe, knobs={**recipe.knobs, "log_span": float(rng.uniform(0.5, 1.0))})
    return recipe if rng.random() < 1 / 2 else cornered(recipe, theorem, rng)


Row = tuple[str, float | None, Recipe | None]
"""Status, ratio and witness of a copy."""


def _component(theorem: Theorem, name: str, seed: int, draws: int, known: tuple[Recipe, ...]) -> list[Row]:
    """What became of the copies of one part of a statement, in their order."""
    copies = [x for x in plants(theorem) if x.component == name]
    starts = [*known, *_demanded(theorem, copies[0])]
    pool = [x for x in (Witness.build(recipe, theorem) for recipe in starts) if x is not None]
    found = [_caught(x, pool) for x in copies]
    if None in found:
        pool += _pool(theorem, copies[0], seed, draws)
    return [row or _verdict(x, theorem, pool) for x, row in zip(copies, found, strict=True)]


def _demanded(theorem: Theorem, plant: Plant) -> list[Recipe]:
    """The known instances that come close to a bound, with the choices under which a part enters."""
    teacher = plant.demands.get("teacher")
    fitting = (x for x in witnesses(theorem) if teacher in (None, x.choices["teacher"]))
    return [replace(x, choices={**x.choices, **plant.demands}) for x in fitting]


def _caught(plant: Plant, pool: list[Witness]) -> Row | None:
    """The verdict on a copy that is proved not to be weaker, or that one of the instances refutes."""
    if plant.not_weaker:
        return "not weaker", None, None
    return next((("caught", x.ratio(plant), x.recipe) for x in pool if x.refutes(plant)), None)


def _verdict(plant: Plant, theorem: Theorem, pool: list[Witness]) -> Row:
    if caught := _caught(plant, pool):
        return caught
    rated = sorted(((x.margin(plant), x) for x in pool), key=lambda x: -x[0])

    def margin(recipe: Recipe) -> float:
        witness = Witness.build(recipe, theorem)
        return LEAST if witness is None else witness.margin(plant)

    for value, start in rated[:_STARTS]:
        if value <= _HOPELESS:
            break
        recipe = climb(margin, start.recipe, theorem, _CLIMB)
        if margin(recipe) > _CLOSE:
            recipe = climb(margin, recipe, theorem, 2 * _CLIMB)
        best = Witness.build(recipe, theorem)
        if best is None:
            continue
        pool.insert(0, best)  # may refute other copies of the part too
        rated.append((best.margin(plant), best))
        if best.refutes(plant):
            return "caught", best.ratio(plant), best.recipe
    if not rated:
        return "survived", None, None
    closest = max(rated, key=lambda x: x[0])[1]
    return "survived", closest.ratio(plant), closest.recipe


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
    parts = [(x, name) for x in theorems for name in dict.fromkeys(plant.component for plant in plants(x))]
    verdicts: list[Verdict] = []
    earlier = _recipes({} if known is None else known)
    tasks = ((theorem, name, seed, draws, earlier.get((theorem.id, name), ())) for theorem, name in parts)
    for (theorem, name), rows in zip(parts, mapped(_component, tasks, jobs=jobs, cluster=cluster), strict=True):
        copies = [x for x in plants(theorem) if x.component == name]
        verdicts += [Verdict(plant, *row) for plant, row in zip(copies, rows, strict=True)]
        if progress is not None:
            progress(len(rows))
    return PlantedReport(tuple(verdicts), seed, time.perf_counter() - begin)


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
    return Table(("statement", "part", "planted", *_STATUSES), rows, "llrrrr")
