"""Instances in the Gaussian world: affine teachers and students on any grid, true errors exact (theory 4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from cmbound.distances import gaussian_tv_1d, gaussian_tv_centred
from cmbound.frozen import FrozenDict
from cmbound.theory.formulas import required
from cmbound.theory.records import Theorem
from cmbound.verification.affine import Affine, Law, Pipeline, composed, exact_score, flow, teacher_steps, underdamped
from cmbound.verification.instances import Instance, Recipe, SkippedError, Truth
from cmbound.verification.settings import OFF, amplitude, grid_nodes, law_constants, node_number, parameters, settled
from cmbound.worlds.gaussian import Gaussian
from cmbound.worlds.process import noise, signal

Array = npt.NDArray[np.float64]

KNOBS: Mapping[str, tuple[float, float]] = FrozenDict(
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


TV_KNOBS: Mapping[str, tuple[float, float]] = FrozenDict(
    {"log_u": (-6.0, 0.0), "log_gamma": (-1.0, 2.0), "log_tau_c": (-2.0, 1.0)}
)
"""More knobs of the statements in total variation: smoothing time, friction and total time of the corrector."""

_ROUND = 1e-12
"""Largest relative distance of a covariance from a multiple of the identity that counts as rounding."""


# --- drawing --------------------------------------------------------------------------------------------------------


def draw(theorem: Theorem, rng: np.random.Generator, choices: Mapping[str, Any]) -> Recipe:
    """A random recipe; ``choices`` are those already made for the statement (see :mod:`cmbound.verification.settings`)."""
    shape = str(rng.choice(["full", "diagonal", "isotropic", "point"], p=[0.5, 0.2, 0.2, 0.1]))
    if theorem.metric.startswith("Lipschitz"):
        shape = str(rng.choice(["isotropic", "point"]))
    size = 1 if choices.get("scalar") or rng.random() < 0.25 else int(rng.choice([2, 3, 5, 8, 16, 32]))
    if theorem.kind == "explicit" and not choices.get("scalar") and rng.random() < 0.005:
        size = int(rng.choice([64, 128, 256, 512]))
    centred = theorem.metric == "TV" and theorem.kind == "explicit" and rng.random() < 0.25
    if centred:  # total variation is known in several dimensions too
        size, shape = int(rng.choice([2, 3, 8, 32])), "isotropic"
    made = {
        "d": size,
        "centred": centred,
        "shape": shape,
        "null": int(rng.integers(0, size)) if rng.random() < 0.15 else 0,
        "aligned": bool(rng.random() < 0.4),
        "student": str(rng.choice(["composed", "exact", "random"], p=[0.6, 0.15, 0.25])),
        "score_sign": int(rng.choice([-1, 1])),
        "drift_sign": int(rng.choice([-1, 1])),
        **choices,
    }
    if size >= 64:
        made["N"] = min(int(made["N"]), 4)
    knobs = {}
    for name, (low, high) in KNOBS.items():
        off = low == OFF and rng.random() < 0.35
        knobs[name] = OFF if off else float(rng.uniform(-5.0 if low == OFF else low, high))
    if made["centred"]:
        knobs |= dict.fromkeys(("log_mean", "log_score", "log_linear", "log_drift", "log_noise"), OFF)
    if theorem.metric == "TV" and theorem.kind == "explicit":
        knobs |= {name: float(rng.uniform(*ends)) for name, ends in TV_KNOBS.items()}
        knobs["log_u"] = min(knobs["log_u"], knobs["log_span"] - 0.1)
    if theorem.kind == "order":  # the paper assumes T >= 1/L_s
        knobs["log_span"] = float(rng.uniform(-0.5, KNOBS["log_span"][1]))
    return Recipe(theorem.id, "gaussian", int(rng.integers(2**31)), made, knobs)


# --- building -------------------------------------------------------------------------------------------------------


def pipeline(recipe: Recipe) -> Pipeline:
    """The world, grid, teacher and student of a recipe."""
    choices, knobs = recipe.choices, recipe.knobs
    rng = np.random.default_rng(recipe.seed)
    world, top = _world(choices, knobs, rng)
    nodes = grid_nodes(choices, knobs)
    size, aligned = world.d, bool(choices["aligned"])

    def direction() -> Array:
        u = rng.standard_normal(size)
        return top if aligned else u / np.linalg.norm(u)

    push, slope, drift = direction(), np.outer(direction(), direction()), direction()
    if not aligned:
        slope = rng.standard_normal((size, size))
        slope /= np.linalg.norm(slope)
    score = exact_score(world, nodes)
    roots = np.stack([world.factor(float(t)) for t in nodes])
    linear = choices["score_sign"] * amplitude(knobs["log_linear"]) * (slope @ np.linalg.inv(roots))
    centres = signal(nodes)[:, None] * world.mean
    constant = choices["score_sign"] * amplitude(knobs["log_score"]) * push
    score = score + Affine(linear, constant - (linear @ centres[..., None])[..., 0])
    if choices["student"] == "exact":
        student = flow(world, nodes, float(nodes[0]))
    else:
        student = composed(teacher_steps(nodes, choices["teacher"], score))
    elapsed = nodes - nodes[0]
    shift = choices["drift_sign"] * amplitude(knobs["log_drift"]) * elapsed[:, None] * drift
    extra = np.zeros_like(student.matrix)
    if choices["student"] == "random":
        matrices = rng.standard_normal(student.matrix.shape) / np.sqrt(size)
        extra = amplitude(knobs["log_noise"]) * elapsed[:, None, None] * matrices
    return Pipeline(world, nodes, choices["teacher"], score, student + Affine(extra, shift))


def _world(choices: Mapping[str, Any], knobs: Mapping[str, float], rng: np.random.Generator) -> tuple[Gaussian, Array]:
    """The data law and its direction of largest variance."""
    size, shape = int(choices["d"]), choices["shape"]
    rotation = np.linalg.qr(rng.standard_normal((size, size)))[0] if shape == "full" and size > 1 else np.eye(size)
    levels = np.concatenate([[0.0], np.sort(rng.uniform(0, 1, size - 1))]) if size > 1 else np.zeros(1)
    variances = 10.0 ** (knobs["log_variance"] - knobs["log_spread"] * levels * (shape in ("full", "diagonal")))
    variances[size - int(choices["null"]) :] = 0.0
    if shape == "point":
        variances[:] = 0.0
    u = rng.standard_normal(size)
    top = rotation[:, 0]
    mean = amplitude(knobs["log_mean"]) * (top if choices["aligned"] else u / np.linalg.norm(u))
    if shape == "full" and size > 1:
        covariance = (rotation * variances) @ rotation.T
        covariance = (covariance + covariance.T) / 2
    else:
        covariance = np.diag(variances)
    return Gaussian(mean, covariance), top


def build(recipe: Recipe, theorem: Theorem) -> Instance:
    """The instance of a recipe: constants measured in closed form, the true error exact.

    Raises:
        SkippedError: an assumption of the statement (or of the profile asked for) cannot be met.
    """
    if theorem.metric.startswith("Lipschitz"):
        return _lipschitz(recipe, theorem)
    if theorem.metric == "step size":
        raise SkippedError(f"{theorem.id} states a step size, not a bound on an error")
    pipe = pipeline(recipe)
    choices = recipe.choices
    law = law_constants(theorem, pipe.world, pipe.nodes, choices)
    rate = pipe.trajectory_error if theorem.id == "explicit-training" else pipe.consistency_error
    params = parameters(theorem, choices, pipe.nodes, law, pipe.lipschitz, pipe.score_error[1:], rate)
    if theorem.kind == "order":
        return Instance(recipe, *_order(theorem, pipe, choices, params))
    if theorem.metric == "TV":
        return _total_variation(recipe, theorem, pipe, params)
    return Instance(recipe, params, _truth(theorem, pipe, choices, params))


def _truth(theorem: Theorem, pipe: Pipeline, choices: Mapping[str, Any], params: Mapping[str, Any]) -> Truth:
    low = float(pipe.nodes[0])
    scale = float(np.exp(low)) if choices["clock"] == "ve" else 1.0
    count = len(pipe.nodes) - 1
    if theorem.id == "explicit-map-error":
        index = node_number(count, choices["at"])
        size = float(pipe.student[index].rms(*_moments(pipe.law(index))))
        return Truth.rounded(scale * pipe.map_error(index), scale * (size + pipe.law(0).size))
    law = pipe.first(choices["start"])
    size = law.size
    if theorem.recursion:
        for fraction in choices["times"]:
            law = pipe.again(law, node_number(count, fraction))
            size = max(size, law.size)
    target = pipe.data() if choices["to"] == "p_data" else pipe.law(0).scaled(scale)
    return Truth.rounded(law.scaled(scale).w2(target), scale * (size + target.size))


def _total_variation(recipe: Recipe, theorem: Theorem, pipe: Pipeline, params: dict[str, Any]) -> Instance:
    """Where the total variation of Gaussians has a closed form: in one dimension, and for centred isotropic laws."""
    choices, knobs = recipe.choices, recipe.knobs
    target = pipe.law(0) if theorem.has_target and choices["to"] == "p_delta" else pipe.data()
    if not theorem.uses_profile:
        return Instance(recipe, params, _tv(pipe.law(0), target))
    law = pipe.first(choices["start"])
    if "u" in required(theorem):
        u = params["u"] = 10.0 ** knobs["log_u"]
        return Instance(recipe, params, _tv(law.noised(float(signal(u)), float(noise(u))), target))
    steps = int(choices["corrector_steps"])
    params |= {"gamma": 10.0 ** knobs["log_gamma"], "tau_c": 10.0 ** knobs["log_tau_c"]}
    params |= {"eta": params["tau_c"] / steps, "L_phi": max(float(pipe.score[0].lipschitz()), 1e-200)}
    params["eps_sc"] = max(params["eps_sc"], float(pipe.score_error[0]))
    with np.errstate(over="ignore", invalid="ignore"):
        out = underdamped(law, pipe.score[0], friction=params["gamma"], step=params["eta"], steps=steps)
    return Instance(recipe, params, _tv(out, target))


def _moments(law: Law) -> tuple[Array, Array]:
    return law.mean, law.factor


def _lipschitz(recipe: Recipe, theorem: Theorem) -> Instance:
    """N(mean, tau^2 I) with tau < 1 is a point smoothed by Gaussian noise: R = 0."""
    rng = np.random.default_rng(recipe.seed)
    world, _ = _world(recipe.choices, recipe.knobs, rng)
    nodes = grid_nodes(recipe.choices, recipe.knobs)
    if world.smoothing is None:
        raise SkippedError("the law is not a bounded variable plus isotropic noise of width tau < 1")
    radius, tau = world.smoothing
    params: dict[str, Any] = {"R": radius, "delta": float(nodes[0])}
    if theorem.id == "lyu2023-lem7":
        if tau > 0:
            raise SkippedError("the data are not in a ball")
        return Instance(recipe, {**params, "C": 1}, Truth.rounded(world.score_lipschitz(float(nodes[-1]), float(nodes[0])), 0.0))
    params["tau"] = tau
    if theorem.id == "explicit-map-lipschitz":
        params["t"] = float(nodes[-1])
        return Instance(recipe, params, Truth.rounded(world.map_lipschitz(float(nodes[-1]), float(nodes[0])), 0.0))
    return Instance(recipe, params, Truth.rounded(world.score_lipschitz(float(nodes[-1]), float(nodes[0])), 0.0))


# --- order form -----------------------------------------------------------------------------------------------------


def _order(theorem: Theorem, pipe: Pipeline, choices: Mapping[str, Any], params: dict[str, Any]) -> tuple[dict[str, Any], Truth]:
    """The paper's statements at C = 1: true/formula estimates the constant they hide."""
    count = len(pipe.nodes) - 1
    target = pipe.law(0)
    law = pipe.first("standard")
    if theorem.id == "lyu2023-thm2":
        return params, Truth.rounded(pipe.map_error(count), target.size)
    if theorem.id == "lyu2023-thm3":
        return params, Truth.rounded(law.w2(target), target.size)
    if theorem.id == "lyu2023-cor4":
        return params, Truth.rounded(law.w2(pipe.data()), target.size)
    if theorem.id == "lyu2023-cor5":
        index = node_number(count, choices["at"])
        params |= {"t_hat": float(pipe.nodes[index]), "W_prev": law.w2(target)}
        return params, Truth.rounded(pipe.again(law, index).w2(target), target.size)
    if theorem.id == "lyu2023-cor6":
        index = settled(pipe.nodes, params["L_f"])
        params["k"] = len(choices["times"]) + 1
        for _ in choices["times"]:
            law = pipe.again(law, index)
        return params, Truth.rounded(law.w2(pipe.data()), target.size)
    if theorem.id in ("lyu2023-cor9", "lyu2023-cor10"):
        largest = max(np.sqrt(params["d"]), params["m2"])
        params["eps"] = float(np.sqrt(pipe.nodes[0]) * params["L_s"] * largest)
        if theorem.id == "lyu2023-cor9":
            u = float(pipe.nodes[0])
            return params, _tv(law.noised(float(signal(u)), float(noise(u))), pipe.data())
        rate = float(np.sqrt(params["L_s"]))
        steps = max(1, int(choices["N"]))
        params["eta"] = 1 / rate / steps
        out = underdamped(law, pipe.score[0], friction=2 * rate, step=params["eta"], steps=steps)
        return params, _tv(out, pipe.data())
    raise SkippedError(f"no instances are known for {theorem.id}")


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
