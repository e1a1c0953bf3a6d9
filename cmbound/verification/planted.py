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

from cmbound.catalogue import catalogue
from cmbound.errors import CmboundError, DomainError, InputError
from cmbound.evaluation.point import evaluate_setting
from cmbound.evaluation.setting import Setting, resolve
from cmbound.evaluation.statement import theorem as find
from cmbound.parallel import mapped
from cmbound.theory.records import Theorem
from cmbound.verification.campaign import BUILDERS, has_instances, judge, require_instances, whole
from cmbound.verification.falsify import climb, cornered, focused, near, random_recipe, score
from cmbound.verification.instances import WORLDS, Outcome, Recipe, SkippedError
from cmbound.verification.plants import Plant, plants

DRAWS = 200
_STARTS = 3
_CLIMB = 100
_FINE, _LONG = 21, 34
_NEAR, _MORE = 0.7, 4
_CAUGHT = 1 + 1e-9
_HOPELESS, _CLOSE = -3.0, -0.5
_VOID = 1e-5
"""Below this ratio of truth to bound an instance says nothing about any term."""
LEAST = -1e6
"""Margin of an instance in which the change makes no difference."""


@dataclass(frozen=True)
class Verdict:
    """What became of a weakened copy.

    Attributes:
        plant: the copy.
        status: ``caught``, ``not weaker`` or ``survived``.
        ratio: the largest truth/(weakened bound) found (None if not looked for; infinite against a bound of 0).
        witness: the recipe of that instance.
    """

    plant: Plant
    status: str
    ratio: float | None
    witness: Recipe | None

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready data."""
        return {
            "theorem": self.plant.theorem,
            "component": self.plant.component,
            "change": self.plant.change,
            "before": self.plant.before,
            "after": self.plant.after,
            "reason": self.plant.not_weaker,
            "ratio": self.ratio if self.ratio is None or np.isfinite(self.ratio) else "inf",
            "witness": None if self.witness is None else self.witness.to_dict(),
        }


@dataclass(frozen=True)
class PlantedReport:
    """The verdicts on all weakened copies of some statements."""

    verdicts: tuple[Verdict, ...]
    seed: int
    seconds: float

    def having(self, status: str) -> list[Verdict]:
        """Those with this status."""
        return [x for x in self.verdicts if x.status == status]

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready data: ``planted`` and ``caught`` are numbers, the lists hold each copy once."""
        return {
            "planted": len(self.verdicts),
            "caught": len(self.having("caught")),
            "not_weaker": [x.to_dict() for x in self.having("not weaker")],
            "survived": [x.to_dict() for x in self.having("survived")],
            "witnesses": [x.to_dict() for x in self.having("caught")],
            "seed": self.seed,
            "seconds": self.seconds,
        }


def explicit_ids() -> tuple[str, ...]:
    """The statements that mistakes are planted in."""
    return tuple(x.id for x in catalogue if x.kind == "explicit" and has_instances(x))


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
            instance = BUILDERS[recipe.world](recipe, theorem)
            setting = resolve(theorem, instance.generous or instance.params)
            bound = evaluate_setting(setting, "approximate").value
        except (SkippedError, DomainError):
            return None
        return cls(recipe, setting, bound, instance.truth.lower)

    def weakened_bound(self, plant: Plant) -> float:
        """The bound of the copy (of the statement itself where the part does not enter)."""
        try:
            return evaluate_setting(plant.put(self.setting), "approximate").value
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


def recheck(plant: Plant, recipe: Recipe) -> float:
    """truth/(weakened bound) on the instance of a recipe, -1 if it is skipped."""
    witness = Witness.build(recipe, find(plant.theorem))
    return -1.0 if witness is None else witness.ratio(plant)


def _pool(theorem: Theorem, plant: Plant, seed: int, draws: int) -> list[Witness]:
    """Instances the part of a copy enters, with other errors off; those that need its term most first.

    The second half of the draws are mostly near the best instance so far; from the best ones an optimiser goes on.
    """
    rng = np.random.default_rng([seed, _hash(plant.component)])
    target = "total" if len(theorem.sources) == 1 else plant.term
    outcomes: list[Outcome] = []
    if not theorem.uses_profile:
        draws *= _MORE  # no grid to sum over: cheap
    for i in range(draws):
        recipe = _random(theorem, plant, rng, i)
        if 2 * i > draws and rng.random() < _NEAR:
            best = max(outcomes, key=lambda x: score(x, target), default=None)
            if best is not None and best.recipe.world == recipe.world:
                recipe = near(best.recipe, rng)
        outcome = judge(recipe, theorem)
        if outcome.ratio is not None:
            outcomes.append(outcome)
    outcomes.sort(key=lambda x: -score(x, target))
    climbed = [climb(lambda r: score(judge(r, theorem), target), x.recipe, _CLIMB) for x in outcomes[:_STARTS]]
    found = [Witness.build(x, theorem) for x in (*climbed, *(x.recipe for x in outcomes))]
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
    return recipe if rng.random() < 1 / 2 else cornered(recipe, rng)


def _hash(text: str) -> int:
    """A hash that is the same in every process."""
    return zlib.crc32(text.encode())


def _component(
    id: str, name: str, seed: int, draws: int, known: tuple[Recipe, ...] = ()
) -> list[tuple[str, float | None, Recipe | None]]:
    """Status, ratio and witness for the copies of one part of a statement, in their order."""
    theorem = find(id)
    copies = [x for x in plants(id) if x.component == name]
    pool = [x for x in (Witness.build(recipe, theorem) for recipe in known) if x is not None]
    found = [_caught(x, pool) for x in copies]
    if any(row is None and not x.not_weaker for x, row in zip(copies, found, strict=True)):
        pool += _pool(theorem, copies[0], seed, draws)
    return [row or _verdict(x, theorem, pool) for x, row in zip(copies, found, strict=True)]


def _caught(plant: Plant, pool: list[Witness]) -> tuple[str, float | None, Recipe | None] | None:
    """The verdict on a copy that one of the instances refutes."""
    if plant.not_weaker:
        return None
    return next((("caught", x.ratio(plant), x.recipe) for x in pool if x.refutes(plant)), None)


def _verdict(plant: Plant, theorem: Theorem, pool: list[Witness]) -> tuple[str, float | None, Recipe | None]:
    if plant.not_weaker:
        return "not weaker", None, None
    caught = _caught(plant, pool)
    if caught is not None:
        return caught
    rated = sorted(((x.margin(plant), x) for x in pool), key=lambda x: -x[0])

    def margin(recipe: Recipe) -> float:
        witness = Witness.build(recipe, theorem)
        return LEAST if witness is None else witness.margin(plant)

    for value, start in rated[:_STARTS]:
        if value <= _HOPELESS:
            break
        recipe = climb(margin, start.recipe, _CLIMB)
        if margin(recipe) > _CLOSE:
            recipe = climb(margin, recipe, 2 * _CLIMB)
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
    ids: Sequence[str] | None = None,
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
        ids: explicit statements (default all).
        seed: seed of the search; the result does not depend on ``jobs``.
        draws: random instances for each part of a statement, before the optimiser takes over.
        known: an earlier report (:meth:`PlantedReport.to_dict`) whose instances are tried before others are searched for.
        jobs, cluster: where the work runs, see :func:`cmbound.parallel.mapped`.
        progress: called with the number of copies that were just judged.

    Raises:
        UnknownNameError, InputError, DomainError: an argument that does not exist or is out of range.
    """
    begin = time.perf_counter()
    whole("seed", seed, 0, 2**31 - 1)
    whole("draws", draws, 1, 10**6)
    chosen = explicit_ids() if ids is None else tuple(ids)
    for id in chosen:
        require_instances(find(id))
        if find(id).kind != "explicit":
            raise InputError(f"{id} is an order-form statement: mistakes are planted in explicit ones")
    parts = [(id, name) for id in chosen for name in dict.fromkeys(x.component for x in plants(id))]
    verdicts: list[Verdict] = []
    earlier = _recipes({} if known is None else known)
    work = mapped(
        _component, ((id, name, seed, draws, earlier.get((id, name), ())) for id, name in parts), jobs=jobs, cluster=cluster
    )
    for (id, name), rows in zip(parts, work, strict=True):
        copies = [x for x in plants(id) if x.component == name]
        verdicts += [Verdict(plant, *row) for plant, row in zip(copies, rows, strict=True)]
        if progress is not None:
            progress(len(rows))
    return PlantedReport(tuple(verdicts), seed, time.perf_counter() - begin)


def _recipes(report: Mapping[str, Any]) -> dict[tuple[str, str], tuple[Recipe, ...]]:
    """The instances of an earlier report, by statement and part, each once.

    Raises:
        InputError: the report is of another form.
    """
    found: dict[tuple[str, str], dict[str, Recipe]] = {}
    if not isinstance(report, Mapping):
        raise InputError("the earlier report is not what check --planted --format json writes")
    try:
        for row in (*report.get("witnesses", ()), *report.get("survived", ())):
            if row["witness"] is not None:
                recipe = Recipe.from_dict(row["witness"])
                found.setdefault((row["theorem"], row["component"]), {})[repr(row["witness"])] = recipe
    except (AttributeError, KeyError, TypeError):
        raise InputError("the earlier report is not what check --planted --format json writes") from None
    return {part: tuple(recipes.values()) for part, recipes in found.items()}
