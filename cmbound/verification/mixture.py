"""Instances on mixtures and finite data sets: the student runs the teacher, the truth is a quadrature or a coupling.

In one dimension laws are monotone images of N(0, 1) and everything is a quadrature; the interval of the truth is three
times the change on a grid of half the points. In several dimensions an exact trajectory is followed for each of a
sample of points: map errors and couplings come with confidence intervals, and the constants L_f are the L2 ones the
proof of theory 3.1 uses (never larger than the Lipschitz constants), so that a pass is a pass for the statement; a
violation is claimed only at constants that certainly hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.integrate import trapezoid
from scipy.interpolate import PchipInterpolator
from scipy.special import ndtr

from cmbound.distances import gaussian_w2
from cmbound.records import Theorem
from cmbound.verification.instances import Instance, Recipe, SkippedError, Truth
from cmbound.verification.settings import OFF, amplitude, grid_nodes, law_constants, node_number, parameters, settled
from cmbound.worlds.atoms import Atoms
from cmbound.worlds.mixture import Mixture
from cmbound.worlds.process import noise, noise_level, signal

Array = npt.NDArray[np.float64]

KNOBS: dict[str, tuple[float, float]] = {
    "log_radius": (-2.0, 1.3),
    "log_tau": (-2.0, 0.3),
    "log_weight": (0.0, 3.0),
    "log_mean": (OFF, 1.0),
    "log_delta": (-5.0, -0.3),
    "log_span": (-3.0, 1.0),
    "log_score": (OFF, 1.0),
    "log_drift": (OFF, 1.0),
}
"""Ranges of the knobs, all decimal logarithms: spread of the centres, width of the components, ratio of the largest to the
smallest weight, distance of the centre from 0, delta, T - delta, size of the score error and of the drift of the student."""

TV_KNOBS: dict[str, tuple[float, float]] = {"log_u": (-3.0, 0.0)}
"""One more for smoothing in total variation: its time."""

POINTS = 1001
_REACH = 8.0
SAMPLE = 500
_SIGMAS, _ROUNDING = 4.0, 1e-13
_ROUNDS, _WATCHED = 16, 6
LARGE = 1e100
"""Stands for a Lipschitz constant that is not known or leaves the float64 range."""


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
    if theorem.kind == "order":  # the paper assumes T >= 1/L_s
        knobs["log_span"] = float(rng.uniform(-0.5, KNOBS["log_span"][1]))
    return Recipe(theorem.id, world, int(rng.integers(2**31)), made, knobs)


# --- the law and the teacher ----------------------------------------------------------------------------------------


def law(recipe: Recipe) -> Mixture:
    """The data law of a recipe."""
    choices, knobs = recipe.choices, recipe.knobs
    rng = np.random.default_rng(recipe.seed)
    size, count = int(choices["d"]), int(choices["components"])
    centres = rng.standard_normal((count, size))
    if choices["symmetric"] and count > 1:
        axis = centres[0] / np.linalg.norm(centres[0])
        centres = np.linspace(-1.0, 1.0, count)[:, None] * axis
    if count > 1:
        centres = centres - centres.mean(axis=0)
        centres *= 10.0 ** knobs["log_radius"] / np.max(np.linalg.norm(centres, axis=1))
    direction = rng.standard_normal(size)
    centres = centres + amplitude(knobs["log_mean"]) * direction / np.linalg.norm(direction)
    weights = np.ones(count)
    if not choices["symmetric"] and count > 1:
        weights = 10.0 ** (knobs["log_weight"] * rng.uniform(-1, 0, count))
    weights /= weights.sum()
    if recipe.world == "atoms":
        return Atoms(centres, weights)
    variance = 10.0 ** (2 * knobs["log_tau"])
    if choices["widths"] == "individual":
        return Mixture(centres, weights, variance * 10.0 ** rng.uniform(-1, 0, (count, 1, 1)) * np.eye(size))
    return Mixture(centres, weights, variance)


@dataclass(frozen=True)
class Runner:
    """The teacher with score s + offset, and the student that runs it down to delta and adds a drift.

    ``offset`` and ``drift`` are vectors (d,): the L2 score error is norm(offset) at every time, the consistency error
    norm(drift) h_n at every step, exactly.
    """

    world: Mixture
    nodes: Array
    teacher: str
    offset: Array
    drift: Array

    def step(self, x: Array, n: int, slope: Array | None = None) -> tuple[Array, Array | None]:
        """One teacher step from t_{n+1} to t_n; ``slope`` is carried along by the derivative (one dimension)."""
        low, high = float(self.nodes[n]), float(self.nodes[n + 1])
        if self.teacher == "ddim":
            keep = float(signal(low) / signal(high))
            push = float(signal(low) * (noise_level(high) - noise_level(low)) * noise(high))
        else:
            keep, push = float(np.exp(high - low)), float(np.expm1(high - low))
        if slope is not None:
            slope = slope * (keep + push * self.world.hessian_product(x, np.ones_like(x), high)[..., 0])
        return keep * x + push * (self.world.score(x, high) + self.offset), slope

    def student(self, x: Array, n: int) -> Array:
        """f_theta(x, t_n) on points (..., d)."""
        shift = (self.nodes[n] - self.nodes[0]) * self.drift
        for k in range(n - 1, -1, -1):
            x, _ = self.step(x, k)
        return np.asarray(x + shift)

    def slopes(self, x: Array) -> tuple[Array, Array]:
        """f_theta(., t_n) and its derivative for all n = 1..N at once, at numbers x (N, m), d = 1; two arrays (N, m)."""
        values, slopes = x.copy(), np.ones_like(x)
        for k in range(len(x) - 1, -1, -1):
            moved, slope = self.step(values[k:, :, None], k, slopes[k:])
            assert slope is not None
            values[k:], slopes[k:] = moved[..., 0], slope
        values += (self.nodes[1:] - self.nodes[0])[:, None] * self.drift[0]
        return values, slopes

    def steepest_found(self, x: Array) -> Array:
        """The largest derivatives of f_theta(., t_n), n = 1..N, near numbers x (N, m) in increasing order, shape (N,).

        Intervals with the steepest secants are halved again and again, which finds the narrow transitions between components.
        """
        values, slopes = self.slopes(x)
        best = np.max(np.abs(slopes), axis=1)
        for _ in range(_ROUNDS):
            width = np.diff(x, axis=1)
            secant = np.abs(np.diff(values, axis=1)) / np.maximum(width, 1e-300)
            secant[width <= 1e-13 * (1 + np.abs(x[:, 1:]))] = 0.0
            index = np.argpartition(-secant, _WATCHED, axis=1)[:, :_WATCHED]
            middle = np.take_along_axis(x[:, 1:] + x[:, :-1], index, axis=1) / 2
            at_middle, slopes = self.slopes(middle)
            best = np.maximum(best, np.max(np.abs(slopes), axis=1))
            x, values = np.concatenate([x, middle], axis=1), np.concatenate([values, at_middle], axis=1)
            order = np.argsort(x, axis=1)
            x, values = np.take_along_axis(x, order, axis=1), np.take_along_axis(values, order, axis=1)
        return np.asarray(best)

    def steepest(self, radius: float, tau: float) -> Array:
        """Lipschitz constants of f_theta(., t_n), n = 1..N, that certainly hold: products of those of the steps."""
        high, low = self.nodes[1:], self.nodes[:-1]
        v = signal(high) ** 2 * tau**2 + noise(high) ** 2
        top = signal(high) ** 2 * radius**2 / v**2 - 1 / v
        if self.teacher == "ddim":
            keep, push = signal(low) / signal(high), signal(low) * (noise_level(high) - noise_level(low)) * noise(high)
        else:
            keep, push = np.exp(high - low), np.expm1(high - low)
        with np.errstate(over="ignore"):
            return np.asarray(np.cumprod(np.maximum(np.abs(keep - push / v), np.abs(keep + push * top))))


def runner(recipe: Recipe) -> Runner:
    """The law, teacher and student of a recipe."""
    choices, knobs = recipe.choices, recipe.knobs
    world = law(recipe)
    u = np.random.default_rng([recipe.seed, 1]).standard_normal(world.d)
    u /= np.linalg.norm(u)
    offset = choices["score_sign"] * amplitude(knobs["log_score"]) * u
    drift = choices["drift_sign"] * amplitude(knobs["log_drift"]) * u
    return Runner(world, grid_nodes(choices, knobs), choices["teacher"], offset, drift)


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
    if theorem.metric == "TV" and (theorem.kind == "order" or "gamma" in theorem.free):
        raise SkippedError("this total variation is checked in the Gaussian world")
    return _on_the_line(recipe, theorem, run) if run.world.d == 1 else _sampled(recipe, theorem, run)


# --- one dimension --------------------------------------------------------------------------------------------------


def _on_the_line(recipe: Recipe, theorem: Theorem, run: Runner) -> Instance:
    params, generous = _line_parameters(recipe.choices, theorem, run)
    choices, nodes, world = recipe.choices, run.nodes, run.world
    count, low = len(nodes) - 1, float(nodes[0])
    scale = float(np.exp(low)) if choices["clock"] == "ve" else 1.0
    z = np.linspace(-_REACH, _REACH, POINTS)

    def student(x: Array, n: int) -> Array:
        if theorem.id != "explicit-training":
            return run.student(x[:, None], n)[:, 0]
        exact = world.rearrangement(x[:, None], float(nodes[n]), low)[:, 0]
        return np.asarray(exact + (nodes[n] - low) * run.drift[0])

    if theorem.id in ("explicit-map-error", "lyu2023-thm2"):
        n = node_number(count, choices["at"])
        x = world.from_normal(z, float(nodes[n]))
        return Instance(recipe, params, _quadrature(scale * student(x, n), scale * world.from_normal(z, low), z), generous)
    if theorem.metric == "TV":
        start = float(noise(nodes[-1])) if choices["start"] == "matched" else 1.0
        output = student(start * z, count) if theorem.uses_profile else None
        if output is not None:
            params["u"] = 10.0 ** recipe.knobs["log_u"]
            generous = {**generous, "u": params["u"]}
        end = low if theorem.has_target and choices["to"] == "p_delta" else 0.0
        return Instance(recipe, params, _total_variation(world, low, end, output, z, params.get("u", 0.0)), generous)
    to_data = choices["to"] == "p_data" and theorem.id not in ("lyu2023-thm3", "lyu2023-cor5")
    evaluations = [node_number(count, x) for x in choices["times"]] if theorem.recursion else []
    if theorem.id == "lyu2023-cor5":
        evaluations = [node_number(count, choices["at"])]
        first = student(z, count)
        params["W_prev"] = _distance(first, z, _target(world, z, low, False)).value
        params["t_hat"] = float(nodes[evaluations[0]])
    elif theorem.id == "lyu2023-cor6":
        evaluations = [settled(nodes, params["L_f"])]
        params["k"] = 2

    def truth(points: Array) -> Truth:
        values = student((float(noise(nodes[-1])) if choices["start"] == "matched" else 1.0) * points, count)
        for n in evaluations:
            values = student(_noised(values, points, float(nodes[n]) - low), n)
        target = _target(world, points, low, to_data)  # the data law is the same in both clocks, p_delta is not
        return _distance(scale * values, points, target if to_data else scale * target)

    found = truth(z)
    if evaluations:  # noising back interpolates: what half the points give shows how well
        slack = 3 * abs(found.value - truth(z[::2]).value)
        found = Truth(found.value, max(found.lower - slack, 0.0), found.upper + slack, exact=False)
    return Instance(recipe, params, found, generous)


def _total_variation(world: Mixture, low: float, end: float, output: Array | None, z: Array, u: float) -> Truth:
    """Of p_delta, or of the output at z ~ N(0, 1) after smoothing for a time u, to the law at the time ``end``."""
    ends = world.from_normal(np.array([z[0], z[-1]]), low)
    ends = np.array([min(ends[0], 0.0, ends[0] * 2), max(ends[1], 0.0, ends[1] * 2)])
    if output is not None:
        ends = np.array([min(ends[0], output.min() - 9 * noise(u)), max(ends[1], output.max() + 9 * noise(u))])
    x = np.linspace(float(ends[0]), float(ends[1]), 8 * POINTS + 1)
    data = np.exp(world.log_density(x[:, None], end))

    def density(step: int) -> Array:
        if output is None:
            return np.exp(world.log_density(x[:, None], low))
        mass = np.exp(-(z[::step] ** 2) / 2)
        centres, deviation = float(signal(u)) * output[::step], float(noise(u))
        parts = [np.exp(-(((y[:, None] - centres) / deviation) ** 2) / 2) @ mass for y in np.array_split(x, 16)]
        return np.asarray(np.concatenate(parts) / (mass.sum() * deviation * np.sqrt(2 * np.pi)))

    gap = np.abs(density(1) - data)
    value = float(trapezoid(gap, x) / 2)
    slack = 3 * abs(value - float(trapezoid(gap[::2], x[::2]) / 2)) + 1e-10
    if output is not None:
        slack += 3 * abs(value - float(trapezoid(np.abs(density(2) - data), x) / 2))
    return Truth(value, max(value - slack, 0.0), value + slack, exact=False)


def _line_parameters(choices: Mapping[str, Any], theorem: Theorem, run: Runner) -> tuple[dict[str, Any], dict[str, Any]]:
    """The parameters at the largest slopes found, and at slopes that certainly hold."""
    nodes, world, count = run.nodes, run.world, len(run.nodes) - 1
    wide = np.sort(np.concatenate([np.linspace(-1.5 * _REACH, 1.5 * _REACH, POINTS), np.linspace(-3.0, 3.0, 801)]))
    sizes = np.sqrt(signal(nodes[1:]) ** 2 * world.sd2**2 + noise(nodes[1:]) ** 2)
    x = signal(nodes[1:])[:, None] * world.mean + sizes[:, None] * wide
    if theorem.id == "explicit-training":
        high, low = float(nodes[-1]), float(nodes[0])
        slopes, steep = np.zeros(count), np.full(count, world.map_lipschitz(high, low))
        slopes[-1] = np.max(world.flow_derivative(x[-1][:, None], high, low))
    else:
        slopes = run.steepest_found(x)
        steep = np.full(count, np.inf) if world.smoothing is None else run.steepest(*world.smoothing)
    errors = np.full(count, abs(run.offset[0])), np.full(count, abs(run.drift[0]))
    constants = law_constants(theorem, world, nodes, choices)
    params = parameters(theorem, choices, nodes, constants, slopes, *errors)
    certain = np.maximum(np.minimum(steep, LARGE), slopes)
    return params, parameters(theorem, choices, nodes, constants, certain, *errors)


def _target(world: Mixture, z: Array, low: float, data: bool) -> Array:
    """The quantiles, at Phi(z), of p_delta or of the data law."""
    if not data:
        return world.from_normal(z, low)
    if not isinstance(world, Atoms):
        return world.from_normal(z, 0.0)
    order = np.argsort(world.means[:, 0])
    ends = np.cumsum(world.weights[order])[:-1]
    return np.asarray(world.means[order, 0][np.searchsorted(ends, ndtr(z))])


def _noised(values: Array, z: Array, gap: float) -> Array:
    """The quantiles, at Phi(z), of e^{-gap} x + (1 - e^{-2 gap})^{1/2} noise for x with these values."""
    centres, deviation = float(signal(gap)) * values, float(noise(gap))
    mass = np.exp(-(z**2) / 2)
    mass /= mass.sum()
    ends = centres.min() - 9 * deviation, centres.max() + 9 * deviation
    x = np.unique(np.concatenate([np.linspace(*ends, 2 * len(z)), centres]))
    cdf = np.concatenate([ndtr((part[:, None] - centres) / deviation) @ mass for part in np.array_split(x, 8)])
    kept = np.concatenate([[True], np.diff(np.maximum.accumulate(cdf)) > 0])
    return np.asarray(PchipInterpolator(cdf[kept], x[kept], extrapolate=False)(np.clip(ndtr(z), cdf[kept][0], cdf[kept][-1])))


def _distance(values: Array, z: Array, target: Array) -> Truth:
    """W2 between the law of ``values`` at z ~ N(0, 1) and the law with quantiles ``target`` at Phi(z)."""
    if np.all(np.diff(values) >= 0):
        return _quadrature(values, target, z)
    order = np.argsort(values)
    mass = np.exp(-(z**2) / 2)
    middle = np.cumsum(mass[order]) - mass[order] / 2
    matched = np.interp(middle / mass.sum(), ndtr(z), target)
    rearranged = np.empty_like(values)
    rearranged[order] = matched
    return _quadrature(values, rearranged, z)


def _quadrature(x: Array, y: Array, z: Array) -> Truth:
    """Root mean square of x - y for z ~ N(0, 1)."""
    gap = x - y
    mass = np.exp(-(z**2) / 2)

    def rms(step: int) -> float:
        return float(np.sqrt(np.sum(mass[::step] * gap[::step] ** 2) / np.sum(mass[::step])))

    value = rms(1)
    slack = 3 * abs(value - rms(2)) + 1e-9 * value + 1e-13 * float(np.max(np.abs(x)))
    return Truth(value, max(value - slack, 0.0), value + slack, exact=False)


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
        apart = _rms(other - path[n])
        lipschitz[n - 1] = _rms(run.student(other, n) - run.student(path[n], n)) / apart if apart > 0 else 1.0
    errors = np.full(count, np.linalg.norm(run.offset)), np.full(count, np.linalg.norm(run.drift))
    listed = {**choices, "constants": "lists"}
    constants = law_constants(theorem, world, nodes, choices)
    params = parameters(theorem, listed, nodes, constants, lipschitz, *errors)
    steep = np.full(count, np.inf) if world.smoothing is None else run.steepest(*world.smoothing)
    certain = np.maximum(np.minimum(steep, LARGE), lipschitz)
    generous = parameters(theorem, listed, nodes, constants, certain, *errors)
    scale = float(np.exp(low)) if choices["clock"] == "ve" else 1.0
    if theorem.id == "explicit-map-error":
        n = node_number(count, choices["at"])
        value, slack = _interval(scale * (run.student(path[n], n) - path[0]), scale * _rms(path[0]))
        return Instance(recipe, params, Truth(value, max(value - slack, 0.0), value + slack, exact=False), generous)
    output = run.student(beginning, count)
    value, slack = _interval(scale * (output - path[0]), scale * _rms(path[0]))
    spread = float(np.sqrt(np.var(output, axis=0).sum() + np.var(path[0], axis=0).sum()))
    moments = [(x.mean(axis=0), np.cov(x, rowvar=False)) for x in (scale * output, scale * path[0])]
    lower = gaussian_w2(*moments[0], *moments[1]) - _SIGMAS * scale * spread * np.sqrt(world.d / SAMPLE)
    return Instance(recipe, params, Truth(value, max(lower, 0.0), value + slack, exact=False), generous)


def _rms(x: Array) -> float:
    return float(np.sqrt(np.mean(np.sum(x**2, axis=-1))))


def _interval(gap: Array, size: float) -> tuple[float, float]:
    """Root mean square of the rows and four standard errors of it, with rounding errors of numbers of that size."""
    squares = np.sum(gap**2, axis=-1)
    value = float(np.sqrt(squares.mean()))
    error = _SIGMAS * float(squares.std()) / np.sqrt(len(squares))
    return value, float(np.sqrt(value**2 + error) - value) + _ROUNDING * size


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
