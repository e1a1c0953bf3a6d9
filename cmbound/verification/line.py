"""Instances on the line: laws are monotone images of N(0, 1), and everything is a quadrature.

The interval of the truth is three times the change on a grid of half the points.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.interpolate import PchipInterpolator
from scipy.special import ndtr

from cmbound.distances.scaling import exponent, scaled
from cmbound.theory.records import Theorem
from cmbound.verification.instances import Instance, Recipe, Truth
from cmbound.verification.runner import LARGE, Runner
from cmbound.verification.settings import law_constants, node_number, parameters, settled
from cmbound.worlds.atoms import Atoms
from cmbound.worlds.mixture import Mixture
from cmbound.worlds.process import noise, signal

Array = npt.NDArray[np.float64]

POINTS = 1001
_REACH = 8.0


def on_the_line(recipe: Recipe, theorem: Theorem, run: Runner) -> Instance:
    """The instance of a recipe in one dimension.

    Raises:
        SkippedError: an assumption of the statement (or of the profile asked for) cannot be met.
    """
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
        end = low if theorem.has_target and choices["to"] == "p_delta" else 0.0
        if not theorem.uses_profile:
            return Instance(recipe, params, _total_variation(world, low, end, z), generous)
        start = float(noise(nodes[-1])) if choices["start"] == "matched" else 1.0
        added, centres, deviation = _last_kernel(recipe, run, student(start * z, count), params)
        truth_after = _total_variation(world, low, end, z, centres, deviation)
        return Instance(recipe, {**params, **added}, truth_after, {**generous, **added})
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

    if not evaluations:
        return Instance(recipe, params, truth(z), generous)
    fine, coarse = truth(np.linspace(-_REACH, _REACH, 2 * POINTS - 1)), truth(z)
    slack = max(fine.upper - fine.value, 3 * abs(fine.value - coarse.value))  # noising back interpolates
    return Instance(recipe, params, Truth(fine.value, max(fine.value - slack, 0.0), fine.value + slack, exact=False), generous)


def _last_kernel(recipe: Recipe, run: Runner, output: Array, params: Mapping[str, Any]) -> tuple[dict[str, float], Array, float]:
    """The parameters of what runs after the student, and the means and the deviation of its normal kernel at each output.

    The underdamped corrector takes one step: with v ~ N(0, 1) and the score frozen, x moves by ``lag`` times the score and has
    variance 2 ``lag``, lag = (gamma eta - 1 + e^(-gamma eta))/gamma^2.
    """
    knobs, low = recipe.knobs, float(run.nodes[0])
    if "log_u" in knobs:
        u = 10.0 ** knobs["log_u"]
        return {"u": u}, signal(u) * output, float(noise(u))
    gamma, total = 10.0 ** knobs["log_gamma"], 10.0 ** knobs["log_tau_c"]
    lag = (gamma * total + np.expm1(-gamma * total)) / gamma**2
    score = run.world.score(output[:, None], low)[:, 0] + run.offset[0]
    added = {"gamma": gamma, "tau_c": total, "eta": total, "L_phi": params["L_s"]}
    return added, output + lag * score, float(np.sqrt(2 * lag))


def _total_variation(
    world: Mixture, low: float, end: float, z: Array, centres: Array | None = None, deviation: float = 0.0
) -> Truth:
    """Of p_delta, or of N(``centres``, ``deviation``^2) averaged over z ~ N(0, 1), to the law at the time ``end``."""
    ends = world.from_normal(np.array([z[0], z[-1]]), low)
    ends = np.array([min(ends[0], 0.0, ends[0] * 2), max(ends[1], 0.0, ends[1] * 2)])
    if centres is not None:
        ends = np.array([min(ends[0], centres.min() - 9 * deviation), max(ends[1], centres.max() + 9 * deviation)])
    x = np.linspace(float(ends[0]), float(ends[1]), 8 * POINTS + 1)
    data = np.exp(world.log_density(x[:, None], end))

    def density(step: int) -> Array:
        if centres is None:
            return np.exp(world.log_density(x[:, None], low))
        mass = np.exp(-(z[::step] ** 2) / 2)
        parts = [np.exp(-(((y[:, None] - centres[::step]) / deviation) ** 2) / 2) @ mass for y in np.array_split(x, 16)]
        return np.asarray(np.concatenate(parts) / (mass.sum() * deviation * np.sqrt(2 * np.pi)))

    gap = density(1) - data
    value = _half_area(gap, x)
    slack = 3 * abs(value - _half_area(gap[::2], x[::2])) + 1e-10
    if centres is not None:
        slack += 3 * abs(value - _half_area(density(2) - data, x))
    return Truth(value, max(value - slack, 0.0), value + slack, exact=False)


def _half_area(gap: Array, x: Array) -> float:
    """Half the integral of abs(gap), taken as linear between the points where its sign changes too.

    The error of the trapezoidal rule at such a kink depends on where it lies: halving the points would not show it.
    """
    left, right = np.abs(gap[:-1]), np.abs(gap[1:])
    both = np.maximum(left + right, 1e-300)
    heights = both / 2 - np.where(gap[:-1] * gap[1:] < 0, left * right / both, 0.0)
    return float(np.sum(np.diff(x) * heights) / 2)


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
    e = exponent(gap)
    squares, mass = np.square(scaled(gap, e)), np.exp(-(z**2) / 2)

    def rms(step: int) -> float:
        return float(np.ldexp(np.sqrt(np.sum(mass[::step] * squares[::step]) / np.sum(mass[::step])), e))

    value = rms(1)
    slack = 3 * abs(value - rms(2)) + 1e-9 * value + 1e-13 * float(np.max(np.abs(x)))
    return Truth(value, max(value - slack, 0.0), value + slack, exact=False)
