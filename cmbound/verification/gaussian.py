"""Instances in the Gaussian world: affine teachers and students on any grid, true errors exact (theory 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from math import sqrt
from typing import Any

import numpy as np

from cmbound.distances import gaussian_tv_1d, gaussian_tv_centred
from cmbound.distances.scaling import Array
from cmbound.frozen import FrozenDict
from cmbound.theory.records import Theorem
from cmbound.verification.affine import Affine, Law, Pipeline, constant, underdamped
from cmbound.verification.bench import Bench, Experiment, Kernel, Params, Ranges
from cmbound.verification.instances import Recipe, SkippedError, Truth
from cmbound.verification.settings import (
    OFF,
    amplitude,
    grid_nodes,
    law_constants,
    parameters,
    picked,
    random_knobs,
    require_law,
)
from cmbound.worlds.gaussian import Gaussian
from cmbound.worlds.process import noise, signal

KNOBS: Ranges = FrozenDict(
    {
        "log_variance": (-4.0, 2.0),
        "log_spread": (0.0, 4.0),
        "log_mean": (OFF, 2.0),
        "log_delta": (-6.0, -0.3),
        "log_span": (-3.0, 1.0),
        "log_score": (OFF, 2.0),
        "log_linear": (OFF, 2.0),
        "log_drift": (OFF, 2.0),
        "log_noise": (OFF, 0.0),
    }
)
"""Ranges of the knobs, all decimal logarithms: largest variance and its ratio to the smallest, length of the mean, delta,
T - delta, the constant and the linear part of the score error, drift and random part of the student."""

TV_KNOBS: Ranges = FrozenDict({"log_u": (-6.0, 0.0), "log_gamma": (-1.0, 2.0), "log_tau_c": (-2.0, 1.0)})
"""More knobs of the statements in total variation: smoothing time, friction and total time of the corrector."""

_ROUND = 1e-12  # largest relative distance of a covariance from a multiple of the identity that counts as rounding


def draw(world: str, theorem: Theorem, experiment: Experiment, rng: np.random.Generator, choices: Mapping[str, Any]) -> Recipe:
    """A random recipe; ``choices`` are those already made for the statement."""
    explicit, total_variation = theorem.kind != "order", experiment.quantity == "TV"
    shape = picked(rng, ["full", "diagonal", "isotropic", "point"], [0.5, 0.2, 0.2, 0.1])
    if experiment.quantity == "slope":
        shape = picked(rng, ["isotropic", "point"])
    size = 1 if choices.get("scalar") or rng.random() < 0.25 else picked(rng, [2, 3, 5, 8, 16, 32])
    if explicit and not choices.get("scalar") and rng.random() < 0.005:
        size = picked(rng, [64, 128, 256, 512])
    centred = total_variation and explicit and rng.random() < 0.25
    if centred:  # total variation is known in several dimensions too
        size, shape = picked(rng, [2, 3, 8, 32]), "isotropic"
    made = {
        "d": size,
        "centred": centred,
        "shape": shape,
        "null": int(rng.integers(0, size)) if rng.random() < 0.15 else 0,
        "aligned": bool(rng.random() < 0.4),
        "student": picked(rng, ["composed", "exact", "random"], [0.6, 0.15, 0.25]),
        "score_sign": picked(rng, [-1, 1]),
        "drift_sign": picked(rng, [-1, 1]),
        **choices,
    }
    if size >= 64:
        made["N"] = min(int(made["N"]), 4)
    knobs = random_knobs(KNOBS, rng, 0.35)
    if made["centred"]:
        knobs |= dict.fromkeys(("log_mean", "log_score", "log_linear", "log_drift", "log_noise"), OFF)
    if total_variation and explicit:
        knobs |= {name: float(rng.uniform(*ends)) for name, ends in TV_KNOBS.items()}
        knobs["log_u"] = min(knobs["log_u"], knobs["log_span"] - 0.1)
    if not explicit:  # the paper assumes T >= 1/L_s
        knobs["log_span"] = float(rng.uniform(-0.5, KNOBS["log_span"][1]))
    return Recipe(theorem.id, world, int(rng.integers(2**31)), made, knobs)


def pipeline(recipe: Recipe) -> Pipeline:
    """The world, grid, teacher and student of a recipe."""
    return _pipeline(recipe, grid_nodes(recipe.choices, recipe.knobs), *_drawn(recipe))


def _pipeline(recipe: Recipe, nodes: Array, world: Gaussian, axes: Array | None, rng: np.random.Generator) -> Pipeline:
    choices, knobs = recipe.choices, recipe.knobs
    aligned = bool(choices["aligned"])
    push, left, right, drift = (_direction(world.d, aligned, axes, rng) for _ in range(4))
    slope = np.outer(left, right) if aligned else rng.standard_normal((world.d, world.d))
    push = choices["score_sign"] * amplitude(knobs["log_score"]) * push
    error = constant(np.repeat(push[None], len(nodes), axis=0))
    if linear := choices["score_sign"] * amplitude(knobs["log_linear"]):
        if not aligned:
            slope = _turned(slope / np.linalg.norm(slope), axes)
        matrix = linear * slope / np.sqrt(world.variances(nodes))[:, None, :]
        error = Affine(matrix, push - signal(nodes)[:, None] * (matrix @ world.mean))
    elapsed = nodes - nodes[0]
    shift = choices["drift_sign"] * amplitude(knobs["log_drift"]) * elapsed[:, None] * drift
    change = constant(shift)
    if choices["student"] == "random" and (size := amplitude(knobs["log_noise"])):
        matrices = rng.standard_normal((len(nodes), world.d, world.d)) / np.sqrt(world.d)
        change = Affine(size * elapsed[:, None, None] * _turned(matrices, axes), shift)
    return Pipeline(world, nodes, choices["teacher"], error, change, choices["student"] != "exact")


def _direction(size: int, aligned: bool, axes: Array | None, rng: np.random.Generator) -> Array:
    """A random direction, or that of the largest variance."""
    u = rng.standard_normal(size)
    if aligned:
        return np.asarray(np.eye(1, size)[0], dtype=np.float64)
    u /= sqrt(u @ u)
    return u if axes is None else np.asarray(u @ axes)


def _turned(matrices: Array, axes: Array | None) -> Array:
    """Matrices (..., d, d) in the basis of the columns of ``axes``."""
    return matrices if axes is None else np.asarray(axes.T @ matrices @ axes, dtype=np.float64)


def _drawn(recipe: Recipe) -> tuple[Gaussian, Array | None, np.random.Generator]:
    """The data law, in the basis of the eigenvectors of its covariance: everything exact is diagonal there.

    The second is that basis, largest variance first (None: the coordinates), for what is drawn next by the third.
    """
    choices, knobs, rng = recipe.choices, recipe.knobs, np.random.default_rng(recipe.seed)
    size, shape = int(choices["d"]), choices["shape"]
    axes = np.linalg.qr(rng.standard_normal((size, size)))[0] if shape == "full" and size > 1 else None
    levels = np.zeros(size)
    levels[1:] = np.sort(rng.uniform(0, 1, size - 1))
    variances = 10.0 ** (knobs["log_variance"] - knobs["log_spread"] * levels * (shape in ("full", "diagonal")))
    variances[size - int(choices["null"]) :] = 0.0
    if shape == "point":
        variances[:] = 0.0
    mean = amplitude(knobs["log_mean"]) * _direction(size, bool(choices["aligned"]), axes, rng)
    return Gaussian(mean, variances), axes, rng


class GaussianBench(Bench):
    """Constants in closed form, every truth exact."""

    exact = True

    @cached_property
    def _law(self) -> tuple[Gaussian, Array | None, np.random.Generator]:
        return _drawn(self.recipe)

    @cached_property
    def pipe(self) -> Pipeline:
        """World, grid, teacher and student."""
        return _pipeline(self.recipe, self.nodes, *self._law)

    @property
    def world(self) -> Gaussian:
        return self._law[0]

    @cached_property
    def nodes(self) -> Array:
        return grid_nodes(self.choices, self.knobs)

    @cached_property
    def constants(self) -> tuple[Params, None]:
        law = law_constants(self.theorem, self.world, self.nodes, self.choices)
        require_law(self.theorem, self.choices, law)  # before anything is measured
        pipe = self.pipe
        rate = pipe.trajectory_error if self.experiment.exact_pairs else pipe.consistency_error
        return parameters(self.theorem, self.choices, pipe.nodes, law, pipe.lipschitz, pipe.score_error[1:], rate), None

    def map_error(self, n: int) -> Truth:
        law = self.pipe.law(n)
        size = float(self.pipe.student[n].rms(law.mean, law.factor)) + self.pipe.law(0).size
        return Truth.rounded(self.scale * self.pipe.map_error(n), self.scale * size)

    def w2(self, later: Sequence[int], to: str) -> Truth:
        laws = self.pipe.laws(self.start, later)
        return self.pipe.w2(laws[-1], to, self.scale, max(x.size for x in laws))

    def tv(self, to: str, after: Kernel | None) -> Truth:
        target = self.pipe.data() if to == "p_data" else self.pipe.law(0)
        if after is None:
            return _tv(self.pipe.law(0), target)
        law = self.pipe.first(self.start)
        if not after.steps:
            return _tv(law.noised(float(signal(after.u)), float(noise(after.u))), target)
        with np.errstate(over="ignore", invalid="ignore"):
            out = underdamped(law, self.pipe.score[0], friction=after.friction, step=after.step, steps=after.steps)
        return _tv(out, target)

    def score_model(self, params: Mapping[str, Any]) -> Params:
        error = max(params["eps_sc"], float(self.pipe.score_error[0]))
        return {"L_phi": max(float(self.pipe.score[0].lipschitz()), 1e-200), "eps_sc": error}

    def score_slope(self) -> Truth:
        return Truth.rounded(self.world.score_lipschitz(float(self.nodes[-1]), self.low), 0.0)

    def map_slope(self) -> Truth:
        return Truth.rounded(self.world.map_lipschitz(float(self.nodes[-1]), self.low), 0.0)


def _tv(q: Law, p: Law) -> Truth:
    size = len(q.mean)
    deviations = [float(np.linalg.norm(x.factor)) / np.sqrt(size) for x in (q, p)]
    if not np.isfinite([*deviations, *q.mean, *p.mean]).all() or max(deviations) > 1e150:
        raise SkippedError("the laws leave the float64 range")
    if min(deviations) <= 0:
        raise SkippedError("total variation to a point mass is 1")
    if size == 1:
        return Truth.rounded(gaussian_tv_1d(float(q.mean[0]), deviations[0], float(p.mean[0]), deviations[1]), 1.0)
    for x, deviation in zip((q, p), deviations, strict=True):
        away = np.abs(x.factor @ x.factor.T - deviation**2 * np.eye(size)).max()
        if x.mean.any() or away > _ROUND * deviation**2:
            raise SkippedError("total variation in several dimensions is known for centred isotropic laws only")
    return Truth.rounded(gaussian_tv_centred(size, *deviations), 1.0)
