"""The worlds instances are built in, and how a recipe is drawn and built in each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cmbound.frozen import FrozenDict, Record
from cmbound.names import LINEAR_TEACHERS
from cmbound.theory.formulas import required
from cmbound.theory.profiles import PROFILES
from cmbound.theory.records import Theorem
from cmbound.theory.variants import EI, TEACHERS
from cmbound.verification import gaussian, local_sums, mixture
from cmbound.verification.bench import Bench, Experiment, Ranges
from cmbound.verification.experiments import experiment_of
from cmbound.verification.instances import Instance, Recipe, SkippedError
from cmbound.verification.settings import picked

PAPER_OPTIONS = FrozenDict(
    {
        "teacher": "exponential-integrator",
        "start": "standard",
        "to": "p_data",
        "clock": "ou",
        "constants": "single",
        "grid": "two-stage",
        "profile": None,
        "t_star": "0",
    }
)


@dataclass(frozen=True, eq=False)
class Laboratory(Record):
    """A world: what draws a recipe in it, what builds its bench, and the ranges of its knobs."""

    draw: Callable[[str, Theorem, Experiment, np.random.Generator, Mapping[str, Any]], Recipe]
    bench: Callable[[Recipe, Theorem, Experiment], Bench]
    knobs: Ranges


_LOCAL = 0.5  # of the instances of the map error: a bound on the local errors is a bound on their sum, and the sum is attained
_MIXTURE = Laboratory(mixture.draw, mixture.bench, {**mixture.KNOBS, **mixture.TV_KNOBS, **local_sums.KNOBS})
LABORATORIES: Mapping[str, Laboratory] = FrozenDict(
    {
        "gaussian": Laboratory(
            gaussian.draw, gaussian.GaussianBench, {**gaussian.KNOBS, **gaussian.TV_KNOBS, **local_sums.KNOBS}
        ),
        "mixture": _MIXTURE,
        "atoms": _MIXTURE,
    }
)


def draw_choices(theorem: Theorem, rng: np.random.Generator) -> dict[str, Any]:
    """Random choices that fit the statement: grid, teacher, profile, how constants are given, start, target, clock."""
    experiment = experiment_of(theorem)
    times = sorted(rng.uniform(0.02, 1.0, int(rng.integers(1, 5))), reverse=True)
    count = picked(rng, [1, 2, 3, 5, 8, 13, 21, 34], [0.25, 0.15, 0.15, 0.15, 0.1, 0.1, 0.06, 0.04])
    scalar = {"scalar": True} if experiment.quantity == "TV" else {}
    if theorem.kind == "order":
        return {**PAPER_OPTIONS, "N": count, "at": 1.0, "times": times, **scalar}
    local = {"measure": local_sums.MEASURE} if experiment.quantity == "map error" and rng.random() < _LOCAL else {}
    teacher = picked(rng, [x for x in TEACHERS if local or x in LINEAR_TEACHERS])
    constants = picked(rng, ["lists", "single", "closed"], [0.6, 0.2, 0.2])
    if constants == "closed" and teacher != EI:
        constants = "single"
    if experiment.exact_pairs or (experiment.after == "corrector" and constants == "lists"):
        constants = "single"  # without a teacher no lists are taken; one eps_sc holds at delta too
    kinds = ["uniform", "geometric", "edm", "two-stage"] + ["random"] * (constants != "single")
    available = [x.name for x in PROFILES.values() if teacher in x.rules]
    profile = "auto" if rng.random() < 0.3 else picked(rng, available)
    if not theorem.uses_profile:
        profile = available[0]  # enters nothing; the score's Lipschitz constant is then not computed
    if rng.random() < 0.3:
        times = [times[0]] * len(times)
    choices = {
        "N": count,
        "grid": picked(rng, kinds),
        "teacher": teacher,
        "constants": constants,
        "profile": profile,
        "start": picked(rng, ["standard", "matched"]),
        "to": picked(rng, ["p_data", "p_delta"]),
        "clock": "ou" if theorem.ve_factor is None else picked(rng, ["ou", "ve"], [0.75, 0.25]),
        "t_star": "0" if scalar else picked(rng, ["0", "delta"]),
        "at": picked(rng, [1.0, rng.uniform(0.1, 1)]),
        "times": times,
        "corrector_steps": picked(rng, [1, 3, 10, 30, 100]),
        **scalar,
        **local,
    }
    if "h" in required(theorem) and not theorem.uses_profile:  # formulas in h are those of this teacher
        choices["teacher"] = EI
    return choices


def random_world(theorem: Theorem, rng: np.random.Generator) -> str:
    """A world the experiment of the statement is carried out in."""
    shares = experiment_of(theorem).shares
    return picked(rng, list(shares), list(shares.values()))


def drawn(theorem: Theorem, world: str, rng: np.random.Generator, choices: Mapping[str, Any]) -> Recipe:
    """A random recipe with these choices."""
    experiment = experiment_of(theorem)
    if choices.get("measure") == local_sums.MEASURE:
        return local_sums.draw(world, theorem, rng, choices)
    if experiment.draw is not None:
        return experiment.draw(world, theorem, rng, choices)
    return LABORATORIES[world].draw(world, theorem, experiment, rng, choices)


def knob_ranges(theorem: Theorem, world: str) -> Ranges:
    """The ranges of the knobs of a recipe in this world."""
    return experiment_of(theorem).knobs or LABORATORIES[world].knobs


def build(recipe: Recipe, theorem: Theorem) -> Instance:
    """The instance of a recipe: constants measured, the truth known.

    Raises SkippedError where an assumption of the statement or of its profile cannot be met, or this world cannot do it.
    """
    experiment = experiment_of(theorem)
    if recipe.choices.get("measure") == local_sums.MEASURE:
        return local_sums.build(recipe, theorem)
    bench = LABORATORIES[recipe.world].bench(recipe, theorem, experiment)
    if experiment.closed and not bench.exact:
        raise SkippedError("this total variation is checked in the Gaussian world")
    params, generous = bench.constants if experiment.constants else ({}, None)
    truth, added = experiment.measure(bench, params)
    return Instance(recipe, {**params, **added}, truth, None if generous is None else {**generous, **added})
