"""Instances on mixtures and finite data sets: the student runs the teacher, the truth is a quadrature or a coupling.

In one dimension everything is a quadrature (:mod:`cmbound.verification.line`). In several dimensions an exact trajectory is
followed for each of a sample of points: map errors and couplings come with confidence intervals (asymptotic ones), and the
constants L_f are the L2 ones the proof of theory 3.1 uses (never larger than the Lipschitz constants), so that a pass is a pass
for the statement; a violation is claimed only at constants that certainly hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from cmbound.distances import coupling_w2, gaussian_w2
from cmbound.distances.scaling import Array, norm, rms
from cmbound.frozen import FrozenDict
from cmbound.theory.records import Theorem
from cmbound.verification.bench import Bench, Experiment, Params, Ranges
from cmbound.verification.instances import Recipe, SkippedError, Truth
from cmbound.verification.line import LineBench
from cmbound.verification.runner import RunnerBench, quotient
from cmbound.verification.settings import OFF, picked, random_knobs

KNOBS: Ranges = FrozenDict(
    {
        "log_radius": (-2.0, 1.3),
        "log_tau": (-2.0, 0.3),
        "log_weight": (0.0, 3.0),
        "log_mean": (OFF, 1.0),
        "log_delta": (-5.0, -0.3),
        "log_span": (-3.0, 1.0),
        "log_score": (OFF, 1.0),
        "log_drift": (OFF, 1.0),
    }
)
"""Ranges of the knobs, all decimal logarithms: spread of the centres, width of the components, ratio of the largest to the
smallest weight, distance of the centre from 0, delta, T - delta, size of the score error and of the drift of the student."""

TV_KNOBS: Ranges = FrozenDict({"log_u": (-3.0, 0.0), "log_gamma": (-1.0, 1.0), "log_tau_c": (-1.0, 1.0)})
"""More knobs of the statements in total variation: smoothing time, friction and time of one step of the corrector."""

SAMPLE = 500  # exact trajectories of one instance
LEVEL = 0.99994
"""Confidence of the intervals of what is sampled: four standard errors to either side."""
_SIGMAS, _ROUNDING = 4.0, 1e-13  # one wrong verdict in 30,000; relative rounding of a flow


def draw(world: str, theorem: Theorem, experiment: Experiment, rng: np.random.Generator, choices: Mapping[str, Any]) -> Recipe:
    """A random recipe on a mixture (in one dimension its components may have different widths) or a finite data set."""
    if world == "mixture":
        choices = {**choices, "widths": picked(rng, ["common", "individual"], [0.8, 0.2])}
    line = rng.random() < 0.85 or experiment.on_the_line
    made = {
        "d": 1 if line or choices.get("scalar") else picked(rng, [2, 3, 8]),
        "components": picked(rng, [1, 2, 3, 5]),
        "symmetric": bool(rng.random() < 0.5),
        "score_sign": picked(rng, [-1, 1]),
        "drift_sign": picked(rng, [-1, 1]),
        **choices,
    }
    if made["d"] > 1:
        made |= {"N": min(int(made["N"]), 5), "to": "p_delta", "times": []}
    made["times"] = list(made["times"])[:2]
    knobs = random_knobs(KNOBS, rng, 0.5)
    if experiment.after == "smoothing":
        low, high = TV_KNOBS["log_u"]
        knobs["log_u"] = float(rng.uniform(low, max(low, min(high, knobs["log_span"] - 0.1))))
    if experiment.after == "corrector":  # the law after one step is known on the line
        made["corrector_steps"] = 1
        knobs |= {name: float(rng.uniform(*TV_KNOBS[name])) for name in ("log_gamma", "log_tau_c")}
    if theorem.kind == "order":  # the paper assumes T >= 1/L_s
        knobs["log_span"] = float(rng.uniform(-0.5, KNOBS["log_span"][1]))
    return Recipe(theorem.id, world, int(rng.integers(2**31)), made, knobs)


def bench(recipe: Recipe, theorem: Theorem, experiment: Experiment) -> Bench:
    """The bench of a recipe, by its dimension."""
    return (LineBench if int(recipe.choices["d"]) == 1 else SampledBench)(recipe, theorem, experiment)


class SampledBench(RunnerBench):
    """Several dimensions: L2 constants along exact trajectories, the truth from samples."""

    @cached_property
    def _trajectories(self) -> tuple[list[Array], Array, Array]:
        """Exact trajectories of a sample; the sample; and where sampling begins, with the same noise."""
        rng = np.random.default_rng([self.recipe.seed, 2])
        x_0 = self.world.sample(SAMPLE, seed=rng)
        z = rng.standard_normal(x_0.shape)
        return self.run.exact_path(x_0, z), x_0, self.spread * z

    @cached_property
    def constants(self) -> tuple[Params, Params]:
        if self.theorem.kind == "order":
            raise SkippedError("in several dimensions only L2 constants are measured: no L_f for the order form")
        path, _, beginning = self._trajectories
        others = self.run.beside(path, beginning)
        images, exact = self.run.images(others), self.run.images(path)
        found = [quotient(x - y, *at) for x, y, *at in zip(images, exact, others, path, strict=True)]
        return self.both(np.array(found[1:]), self.steepest(), constants="lists")

    def map_error(self, n: int) -> Truth:
        path, _, _ = self._trajectories
        return distance(self.scale * self.run.student(path[n], n), self.scale * path[0])

    def w2(self, later: Sequence[int], to: str) -> Truth:
        if later or self.experiment.exact_pairs:
            raise SkippedError("in several dimensions of this world one evaluation of the teacher's student is followed")
        path, x_0, beginning = self._trajectories
        output = self.scale * self.run.student(beginning, len(self.nodes) - 1)
        return distance(output, x_0 if to == "p_data" else self.scale * path[0], coupled=True)


def distance(x: Array, y: Array, *, coupled: bool = False) -> Truth:
    """Root mean square distance of paired rows, or (``coupled``) W2 between the laws they are drawn from.

    The coupling bounds W2 from above. From below the distance between the Gaussian laws with the same means and covariances does:
    that of the moments of samples is too large by the distance of the moments of either sample to those of its law, which is
    about (d/n)^(1/2) standard deviations; four of them are subtracted.
    """
    found = coupling_w2(x, y, level=LEVEL)
    rounding = _ROUNDING * rms(y)
    lower = found.lower
    if coupled:
        spread = float(norm(np.concatenate([x.std(axis=0), y.std(axis=0)])))
        moments = [(z.mean(axis=0), np.cov(z, rowvar=False)) for z in (x, y)]
        lower = gaussian_w2(*moments[0], *moments[1]) - _SIGMAS * spread * np.sqrt(x.shape[1] / len(x))
    return Truth(found.value, max(lower - rounding, 0.0), found.upper + rounding, exact=False, sampled=True)
