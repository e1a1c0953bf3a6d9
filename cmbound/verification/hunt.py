"""The hunt for instances that refute weakened copies of a statement: copies of parts that enter together share what is found.

Copies that claim most are hunted first: one that spares no instance spares none of those whose bound is never below its own
(:mod:`cmbound.verification.implied`), and these are hunted only once it is caught.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cmbound.errors import CmboundError
from cmbound.evaluation.point import float_terms
from cmbound.evaluation.setting import Setting, resolve
from cmbound.theory.profiles import PROFILES
from cmbound.theory.records import Theorem
from cmbound.verification.experiments import experiment_of
from cmbound.verification.falsify import cornered, focused, moved, random_recipe
from cmbound.verification.implied import claims_more
from cmbound.verification.instances import Recipe, SkippedError
from cmbound.verification.laboratories import build
from cmbound.verification.local_sums import MEASURE, heavy, weighted
from cmbound.verification.plants import Plant
from cmbound.verification.witnesses import witnesses

DRAWS = 16  # random instances of a group
_STARTS = 3  # walks for a copy, for a local maximum
_WALK = 2  # steps of a walk for every draw, in which every law is in closed form
_SLOW = 4  # others have so many times fewer
_FINE, _LONG = 21, 34  # steps of a grid that hides local errors, and of one that shows them
_CAUGHT = 1 + 1e-9  # beyond rounding
_VOID = 1e-5  # below this ratio of truth to bound an instance says nothing about any term
_WIDE, _NARROW, _FIRST = 0.5, 1e-3, 0.15  # steps of a walk, of the range of a knob
_UP, _DOWN = 1.6, 0.9  # how it grows where a step was good, and shrinks where none was
_ALL, _ONE = 0.5, 0.4  # how often all knobs move, and each of them where not all do
_OTHER, _SEED = 0.25, 0.4  # how often a choice or the seed changes too, and the share of seeds
_TOGETHER = (("shape", "d", "components"), ("constants", "grid"), ("grid", "N"))  # choices that go with one another
LEAST = -1e6
"""Margin of an instance in which the change makes no difference."""

Row = tuple[str, float | None, Recipe | None]
"""Status, ratio and witness of a copy."""


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
        except (SkippedError, CmboundError):
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
        slack = self.bound - self.truth
        if slack < 0 or self.truth < _VOID * self.bound:
            return LEAST
        change = self.bound - self.weakened_bound(plant)
        if not change > 1e-9 * self.bound:
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


class Hunt:
    """What became of the copies of parts that enter under the same choices."""

    def __init__(self, theorem: Theorem, copies: Sequence[Plant], seed: int) -> None:
        self.theorem, self.copies = theorem, copies
        self.rng = np.random.default_rng([seed, zlib.crc32(copies[0].component.encode())])
        self.rows: dict[Plant, Row] = {x: ("not weaker", None, None) for x in copies if x.not_weaker}
        self.best: dict[Plant, list[tuple[float, Witness]]] = {x: [] for x in copies}
        self.pool: list[Witness] = []

    def run(self, known: Sequence[Recipe], draws: int) -> list[Row]:
        """Try the known instances, then random ones, then walk from the best."""
        for recipe in [*known, *self._near_attained()]:
            self.tried(recipe, self.open)
        for i in range(draws if self.open else 0):
            self.tried(self._random(i), self.front)
        for witness in sorted(self.pool, key=lambda x: -x.truth / max(x.bound, 1e-300))[:_STARTS]:
            if witness.recipe.choices.get("measure") == MEASURE:
                self.tried(heavy(witness.recipe), self.open)
        walked: set[Plant] = set()
        while ahead := [x for x in self.front if x not in walked]:
            plant = ahead[0]
            walked.add(plant)
            for witness in self.pool:
                self._judge(witness, plant)
            for _, start in list(self.best[plant])[:_STARTS]:
                if plant not in self.rows:
                    self._walk(plant, start, _WALK * draws)
        return [self.rows.get(x) or self._survived(x) for x in self.copies]

    @property
    def open(self) -> list[Plant]:
        """The copies that were not caught so far."""
        return [x for x in self.copies if x not in self.rows]

    @property
    def front(self) -> list[Plant]:
        """Those of them that follow from no other."""
        found: list[Plant] = []
        for x in self.open:
            if not any(claims_more(y, x) for y in found):
                found = [*(y for y in found if not claims_more(x, y)), x]
        return found

    def tried(self, recipe: Recipe, plants: Sequence[Plant]) -> Witness | None:
        """The instance of a recipe, kept, after these copies were tried on it."""
        witness = Witness.build(recipe, self.theorem)
        if witness is not None:
            self.pool.append(witness)
            for plant in plants:
                self._judge(witness, plant)
        return witness

    def _judge(self, witness: Witness, plant: Plant) -> float:
        """The margin of a copy on an instance, which is remembered among its best."""
        margin = witness.margin(plant)
        if margin > 0 and plant not in self.rows and witness.ratio(plant) > _CAUGHT:
            self.rows[plant] = ("caught", witness.ratio(plant), witness.recipe)
        if margin > LEAST and all(x is not witness for _, x in self.best[plant]):
            self.best[plant] = sorted([*self.best[plant], (margin, witness)], key=lambda x: -x[0])[: 2 * _STARTS]
        return margin

    def _survived(self, plant: Plant) -> Row:
        if not self.best[plant]:
            return "survived", None, None
        closest = self.best[plant][0][1]
        return "survived", closest.ratio(plant), closest.recipe

    def _walk(self, plant: Plant, witness: Witness, steps: int) -> None:
        """Random steps that are kept where they are good; steps grow and shrink with success."""
        margin, width = witness.margin(plant), _FIRST
        slow = witness.recipe.world != "gaussian"
        if slow and self._world == "gaussian" and self.theorem.uses_profile:
            return
        for i in range(steps // _SLOW if slow else steps):
            recipe = self._beside(witness.recipe, plant, width, i)
            found = Witness.build(recipe, self.theorem)
            here = LEAST if found is None else found.margin(plant)
            if found is None or here < margin:
                width = max(width * _DOWN, _NARROW)
                continue
            width = min(width * _UP, _WIDE) if here > margin else width
            margin, witness = here, found
            self._judge(found, plant)
            if plant in self.rows:
                break
        self.pool.append(witness)
        for other in self.open:
            self._judge(witness, other)

    def _beside(self, recipe: Recipe, plant: Plant, width: float, number: int) -> Recipe:
        """A recipe with some knobs moved, and now and then another seed or other choices."""
        rng = self.rng
        several = rng.random() < _ALL

        def beside(x: float, low: float, high: float) -> float:
            if not several and rng.random() > _ONE:
                return x
            return float(np.clip(x + width * (high - low) * rng.standard_normal(), low, high))

        found = moved(recipe, self.theorem, beside)
        if rng.random() < _OTHER:
            if rng.random() < _SEED:
                return replace(found, seed=int(rng.integers(2**31)))
            other = self._random(number, recipe.world)
            names = [x for x in found.choices if x in other.choices and x not in plant.demands]
            name = str(rng.choice(names))
            bundle = {x for group in _TOGETHER if name in group for x in group} | {name}
            found = replace(found, choices={**found.choices, **{x: other.choices[x] for x in bundle if x in other.choices}})
        return found

    @property
    def _world(self) -> str:
        """The world of random instances: Gaussian laws are the quickest, but in no ball."""
        profile = PROFILES.get(self.copies[0].demands.get("profile", ""))
        in_ball = profile is not None and profile.no_tau
        return "gaussian" if "gaussian" in experiment_of(self.theorem).shares and not in_ball else "atoms"

    def _near_attained(self) -> list[Recipe]:
        """The known instances that come close to a bound, with the choices under which the parts enter."""
        demands = self.copies[0].demands
        teacher = demands.get("teacher")
        fitting = (x for x in witnesses(self.theorem) if teacher in (None, x.choices["teacher"]))
        return [replace(x, choices={**x.choices, **demands}) for x in fitting]

    def _random(self, number: int, world: str | None = None) -> Recipe:
        """Draw number ``number`` for the parts."""
        plant, rng = self.copies[0], self.rng
        grids: tuple[Mapping[str, Any], ...] = ({}, {"N": _FINE})  # a fine grid hides local errors
        if plant.part.term == "discretisation":  # one step shows them; a long geometric grid leaves no initialisation beside them
            grids = ({}, {"N": 1}, {"N": _LONG, "grid": "geometric", "start": "matched"})
        demands = {**plant.demands, **grids[number % len(grids)]}
        if world is None:  # without a grid to sum over every world is quick
            shares = experiment_of(self.theorem).shares
            world = self._world if self.theorem.uses_profile else str(rng.choice(list(shares)))
        recipe = focused(random_recipe(self.theorem, rng, world, plant.part.term, demands), plant.part.term)
        if recipe.choices.get("measure") == MEASURE:
            recipe = weighted(recipe, rng)
        elif demands.get("N") == _LONG:
            recipe = replace(recipe, knobs={**recipe.knobs, "log_span": float(rng.uniform(0.5, 1.0))})
        return recipe if rng.random() < 1 / 2 else cornered(recipe, self.theorem, rng)
