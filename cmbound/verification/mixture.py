"""Instances on mixtures and finite data sets: the student runs the teacher, the truth is a quadrature or a coupling.

In one dimension everything is a quadrature (:mod:`cmbound.verification.line`). In several dimensions an exact trajectory is
followed for each of a sample of points: map errors and couplings come with confidence intervals (asymptotic ones), and the
constants L_f are the L2 ones the proof of theory 3.1 uses (never larger than the Lipschitz constants), so that a pass is a pass
for the statement; a violation is claimed only at constants that certainly hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from cmbound.distances import coupling_w2, gaussian_w2
from cmbound.distances.scaling import norm, rms
from cmbound.frozen import FrozenDict
from cmbound.theory.records import Theorem
from cmbound.verification.instances import Instance, Recipe, SkippedError, Truth
from cmbound.verification.line import on_the_line
from cmbound.verification.runner import LARGE, Runner, runner
from cmbound.verification.settings import OFF, law_constants, node_number, parameters
from cmbound.worlds.mixture import Mixture
from cmbound.worlds.process import noise, signal

Array = npt.NDArray[np.float64]

KNOBS: Mapping[str, tuple[float, float]] = FrozenDict(
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

TV_KNOBS: Mapping[str, tuple[float, float]] = FrozenDict(
    {"log_u": (-3.0, 0.0), "log_gamma": (-1.0, 1.0), "log_tau_c": (-1.0, 1.0)}
)
"""More knobs of the statements in total variation: smoothing time, friction and time of one step of the corrector."""

SAMPLE = 500
LEVEL = 0.99994
"""Confidence of the intervals of what is sampled: four standard errors to either side."""
_SIGMAS, _ROUNDING = 4.0, 1e-13


# --- drawing --------------------------------------------------------------------------------------------------------


def draw_mixture(theorem: Theorem, rng: np.random.Generator, choices: Mapping[str, Any]) -> Recipe:
    """A random recipe on a Gaussian mixture (in one dimension its components may have different widths)."""
    common = str(rng.choice(["common", "individual"], p=[0.8, 0.2]))
    return _draw("mixture", theorem, rng, {**choices, "widths": common})


def draw_atoms(theorem: Theorem, rng: np.random.Generator, choices: Mapping[str, Any]) -> Recipe:
    """A random recipe on a finite data set."""
    return _draw("atoms", theorem, rng, choices)


def _draw(world: str, theorem: Theorem, rng: np.random.Generator, choices: Mapping[str, Any]) -> Recipe:
    line = rng.random() < 0.85 or theorem.recursion or theorem.id in ("explicit-training", "explicit-map-lipschitz")
    made = {
        "d": 1 if line or choices.get("scalar") else int(rng.choice([2, 3, 8])),
        "components": int(rng.choice([1, 2, 3, 5])),
        "symmetric": bool(rng.random() < 0.5),
        "score_sign": int(rng.choice([-1, 1])),
        "drift_sign": int(rng.choice([-1, 1])),
        **choices,
    }
    if made["d"] > 1:
        made |= {"N": min(int(made["N"]), 5), "to": "p_delta", "times": []}
    made["times"] = list(made["times"])[:2]
    knobs = {}
    for name, (low, high) in KNOBS.items():
        off = low == OFF and rng.random() < 0.5
        knobs[name] = OFF if off else float(rng.uniform(-5.0 if low == OFF else low, high))
    if theorem.free == ("u",):
        low, high = TV_KNOBS["log_u"]
        knobs["log_u"] = float(rng.uniform(low, max(low, min(high, knobs["log_span"] - 0.1))))
    if "gamma" in theorem.free:  # the law after one step is known on the line
        made["corrector_steps"] = 1
        knobs |= {name: float(rng.uniform(*TV_KNOBS[name])) for name in ("log_gamma", "log_tau_c")}
    if theorem.kind == "order":  # the paper assumes T >= 1/L_s
        knobs["log_span"] = float(rng.uniform(-0.5, KNOBS["log_span"][1]))
    return Recipe(theorem.id, world, int(rng.integers(2**31)), made, knobs)


def build(recipe: Recipe, theorem: Theorem) -> Instance:
    """The instance of a recipe.

    Raises:
        SkippedError: an assumption of the statement (or of the profile asked for) cannot be met.
    """
    if theorem.metric == "step size":
        raise SkippedError(f"{theorem.id} states a step size, not a bound on an error")
    run = runner(recipe)
    if theorem.metric.startswith("Lipschitz"):
        return _lipschitz(recipe, theorem, run)
    if theorem.metric == "TV" and theorem.kind == "order":
        raise SkippedError("this total variation is checked in the Gaussian world")
    if "gamma" in theorem.free and recipe.choices["corrector_steps"] > 1:
        raise SkippedError("the law after several steps of the corrector is known in the Gaussian world only")
    return on_the_line(recipe, theorem, run) if run.world.d == 1 else _sampled(recipe, theorem, run)


# --- several dimensions ---------------------------------------------------------------------------------------------


def _sampled(recipe: Recipe, theorem: Theorem, run: Runner) -> Instance:
    choices, nodes, world = recipe.choices, run.nodes, run.world
    if theorem.kind == "order":
        raise SkippedError("in several dimensions only L2 constants are measured: no L_f for the order form")
    count, low = len(nodes) - 1, float(nodes[0])
    rng = np.random.default_rng([recipe.seed, 2])
    x_0 = world.sample(SAMPLE, seed=rng)
    z = rng.standard_normal(x_0.shape)
    path = [signal(nodes[-1]) * x_0 + noise(nodes[-1]) * z]
    for n in range(count - 1, -1, -1):
        path.append(world.flow(path[-1], float(nodes[n + 1]), float(nodes[n])))
    path.reverse()
    beginning = (float(noise(nodes[-1])) if choices["start"] == "matched" else 1.0) * z
    lipschitz = np.ones(count)
    for n in range(1, count + 1):
        other = beginning if n == count else run.step(path[n + 1], n)[0]
        apart = rms(other - path[n])
        lipschitz[n - 1] = rms(run.student(other, n) - run.student(path[n], n)) / apart if apart > 0 else 1.0
    errors = np.full(count, norm(run.offset)), np.full(count, norm(run.drift))
    listed = {**choices, "constants": "lists"}
    constants = law_constants(theorem, world, nodes, choices)
    params = parameters(theorem, listed, nodes, constants, lipschitz, *errors)
    steep = np.full(count, np.inf) if world.smoothing is None else run.steepest(*world.smoothing)
    certain = np.maximum(np.minimum(steep, LARGE), lipschitz)
    generous = parameters(theorem, listed, nodes, constants, certain, *errors)
    scale = float(np.exp(low)) if choices["clock"] == "ve" else 1.0
    if theorem.id == "explicit-map-error":
        n = node_number(count, choices["at"])
        return Instance(recipe, params, distance(scale * run.student(path[n], n), scale * path[0]), generous)
    output = scale * run.student(beginning, count)
    return Instance(recipe, params, distance(output, scale * path[0], coupled=True), generous)


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


# --- Lipschitz constants --------------------------------------------------------------------------------------------


def _lipschitz(recipe: Recipe, theorem: Theorem, run: Runner) -> Instance:
    """Largest slope found at many points: of the score at delta, or of the exact consistency function."""
    world, low, high = run.world, float(run.nodes[0]), float(run.nodes[-1])
    if world.smoothing is None:
        raise SkippedError("the law is not a bounded variable plus isotropic noise of width tau < 1")
    radius, tau = world.smoothing
    params: dict[str, Any] = {"R": radius, "delta": low}
    if theorem.kind == "order":
        params["C"] = 1
        if tau > 0:
            raise SkippedError("the data are not in a ball")
    else:
        params["tau"] = tau
    if theorem.id == "explicit-map-lipschitz":
        params["t"] = high
        value = float(np.max(world.flow_derivative(_probes(world, high), high, low)))
    else:
        x = _probes(world, low)
        columns = [world.hessian_product(x, np.broadcast_to(e, x.shape), low) for e in np.eye(world.d)]
        value = float(np.max(np.abs(np.linalg.eigvalsh(np.stack(columns, axis=-1)))))
    return Instance(recipe, params, Truth(value, value * (1 - 1e-9), value * (1 + 1e-9)))


def _probes(world: Mixture, t: float) -> Array:
    """Points where slopes are large: between the components, and a sample."""
    centres = signal(t) * world.means
    pairs = (centres[:, None, :] + centres[None, :, :]) / 2
    sample = world.sample(200, t, seed=0)
    if world.d == 1:
        ends = float(centres.min()) - 3, float(centres.max()) + 3
        sample = np.concatenate([sample, np.linspace(*ends, 801)[:, None]])
    return np.concatenate([pairs.reshape(-1, world.d), sample])
