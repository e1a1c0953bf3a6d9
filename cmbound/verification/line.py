"""Instances on the line: laws are monotone images of N(0, 1), and everything is a quadrature.

The interval of the truth is three times the change on a grid of half the points.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
from numpy.polynomial.chebyshev import chebvander
from scipy.interpolate import PchipInterpolator
from scipy.special import ndtr

from cmbound.distances.scaling import Array, exponent, scaled
from cmbound.sampling import underdamped_coefficients
from cmbound.verification.bench import Kernel, Params
from cmbound.verification.instances import SkippedError, Truth
from cmbound.verification.runner import RunnerBench
from cmbound.worlds.atoms import Atoms
from cmbound.worlds.mixture import Mixture
from cmbound.worlds.process import noise, signal

POINTS = 1001  # quadrature nodes; twice as many bound the error
_REACH = 8.0  # standard deviations: what lies beyond is below rounding
_TERMS = 24  # of a Chebyshev series on a panel


class LineBench(RunnerBench):
    """One dimension: L_f are the largest slopes found, the truth a quadrature."""

    @cached_property
    def constants(self) -> tuple[Params, Params]:
        run, nodes, world, count = self.run, self.nodes, self.world, len(self.nodes) - 1
        wide = np.sort(np.concatenate([np.linspace(-1.5 * _REACH, 1.5 * _REACH, POINTS), np.linspace(-3.0, 3.0, 801)]))
        sizes = np.sqrt(signal(nodes[1:]) ** 2 * world.sd2**2 + noise(nodes[1:]) ** 2)
        x = signal(nodes[1:])[:, None] * world.mean + sizes[:, None] * wide
        if not self.experiment.exact_pairs:
            return self.both(run.steepest_found(x), self.steepest())
        found = np.zeros(count)  # no earlier map enters
        found[-1] = np.max(world.flow_derivative(x[-1][:, None], nodes[-1], self.low))
        return self.both(found, np.full(count, world.map_lipschitz(float(nodes[-1]), self.low)))

    def map_error(self, n: int) -> Truth:
        z = _scores()
        image = self._student(self.world.from_normal(z, self.nodes[n]), n)
        return quadrature(self.scale * image, self.scale * self.world.from_normal(z, self.low), z)

    def w2(self, later: Sequence[int], to: str) -> Truth:
        coarse = self._w2(_scores(), later, to)
        if not later:
            return coarse
        fine = self._w2(_scores(2 * POINTS - 1), later, to)  # noising back interpolates
        return Truth.near(fine.value, max(fine.upper - fine.value, 3 * abs(fine.value - coarse.value)))

    def tv(self, to: str, after: Kernel | None) -> Truth:
        z, end = _scores(), self.low if to == "p_delta" else 0.0
        if after is None:
            return _total_variation(self.world, self.low, end, z)
        if after.steps > 1:
            raise SkippedError("the law after several steps of the corrector is known in the Gaussian world only")
        output = self._student(self.spread * z, len(self.nodes) - 1)
        if not after.steps:
            return _total_variation(self.world, self.low, end, z, signal(after.u) * output, float(noise(after.u)))
        # from v ~ N(0, 1), with the score frozen, x moves by lag times the score and has the variance 2 lag
        lag = underdamped_coefficients(after.friction, after.step).x_s
        score = self.world.score(output[:, None], self.low)[:, 0] + self.run.offset[0]
        return _total_variation(self.world, self.low, end, z, output + lag * score, float(np.sqrt(2 * lag)))

    def _student(self, x: Array, n: int) -> Array:
        """f_theta(x, t_n) on numbers."""
        if not self.experiment.exact_pairs:
            return self.run.student(x[:, None], n)[:, 0]
        return np.asarray(self.world.rearrangement(x[:, None], self.nodes[n], self.low)[:, 0] + self.run.shifts[n, 0])

    def _w2(self, z: Array, later: Sequence[int], to: str) -> Truth:
        values = self._student(self.spread * z, len(self.nodes) - 1)
        for n in later:
            values = self._student(_noised(values, z, float(self.nodes[n]) - self.low), n)
        target = _target(self.world, z, self.low, to == "p_data")  # the data law is the same in both clocks, p_delta is not
        return _distance(self.scale * values, z, target if to == "p_data" else self.scale * target)


def _scores(count: int = POINTS) -> Array:
    return np.linspace(-_REACH, _REACH, count)


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

    if centres is None:
        gap = np.exp(world.log_density(x[:, None], low)) - data
    else:
        gap, coarse = _smoothed(x, z, centres, deviation) - data
    value = _half_area(gap, x)
    slack = 3 * abs(value - _half_area(gap[::2], x[::2])) + 1e-10
    if centres is not None:
        slack += 3 * abs(value - _half_area(coarse, x))
    return Truth.near(value, slack)


def _smoothed(x: Array, z: Array, centres: Array, deviation: float) -> Array:
    """Density at increasing x of N(``centres``, ``deviation``^2) averaged over z ~ N(0, 1); below, over every other z."""
    order = np.argsort(centres, kind="stable")
    mass, centres = np.exp(-(z**2) / 2), centres[order]
    masses = np.stack([mass, np.where(np.arange(len(z)) % 2 == 0, mass, 0.0)], axis=1)

    def density(x: Array) -> Array:
        found = []
        for part in np.array_split(x, 64):  # what is nearer than 9 deviations: all else is below rounding
            first, last = np.searchsorted(centres, [part[0] - 9 * deviation, part[-1] + 9 * deviation])
            table = (part[:, None] - centres[first:last]) / deviation
            table *= table
            table /= -2
            found.append(np.exp(table, out=table) @ masses[order[first:last]])
        return np.concatenate(found)

    return np.asarray(_by_panels(density, x, deviation).T / (masses.sum(axis=0)[:, None] * deviation * np.sqrt(2 * np.pi)))


def _half_area(gap: Array, x: Array) -> float:
    """Half the integral of abs(gap), taken as linear between the points where its sign changes too.

    The error of the trapezoidal rule at such a kink depends on where it lies: halving the points would not show it.
    """
    left, right = np.abs(gap[:-1]), np.abs(gap[1:])
    both = np.maximum(left + right, 1e-300)
    heights = both / 2 - np.where(gap[:-1] * gap[1:] < 0, left * right / both, 0.0)
    return float(np.sum(np.diff(x) * heights) / 2)


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
    order = np.argsort(centres, kind="stable")
    mass = np.exp(-(z[order] ** 2) / 2)
    mass /= mass.sum()
    centres = centres[order]
    below = np.concatenate([[0.0], np.cumsum(mass)])

    def probability(x: Array) -> Array:
        found = []
        for part in np.array_split(x, 64):  # centres far below a point are below it, those far above are not
            first, last = np.searchsorted(centres, [part[0] - 9 * deviation, part[-1] + 12 * deviation])
            found.append(below[first] + ndtr((part[:, None] - centres[first:last]) / deviation) @ mass[first:last])
        return np.concatenate(found)

    ends = centres[0] - 9 * deviation, centres[-1] + 9 * deviation
    x = np.unique(np.concatenate([np.linspace(*ends, 2 * len(z)), centres]))
    cdf = _by_panels(probability, x, deviation)
    kept = np.concatenate([[True], np.diff(np.maximum.accumulate(cdf)) > 0])
    return np.asarray(PchipInterpolator(cdf[kept], x[kept], extrapolate=False)(np.clip(ndtr(z), cdf[kept][0], cdf[kept][-1])))


def _by_panels(function: Callable[[Array], Array], x: Array, deviation: float) -> Array:
    """``function(x)`` at increasing x, for a function that was averaged over normal noise of a standard deviation.

    Chebyshev series on panels as long as that, where these take fewer values of the function. Their error is below rounding: the
    n-th derivative of Phi is of order (n!)^{1/2}.
    """
    if (x[-1] - x[0]) * _TERMS >= len(x) * deviation:
        return function(x)
    edges = np.linspace(x[0], x[-1], math.ceil((x[-1] - x[0]) / deviation) + 1)
    middle, half = (edges[1:] + edges[:-1]) / 2, (edges[1] - edges[0]) / 2
    at = np.cos(np.pi * (np.arange(_TERMS)[::-1] + 0.5) / _TERMS)
    values = function((middle[:, None] + half * at).reshape(-1))
    series = np.linalg.inv(chebvander(at, _TERMS - 1)) @ values.reshape(len(middle), _TERMS, -1)
    panel = np.clip(np.searchsorted(edges, x, "right") - 1, 0, len(middle) - 1)
    terms = chebvander((x - middle[panel]) / half, _TERMS - 1)
    return np.asarray(np.einsum("nk,nkc->nc", terms, series[panel]).reshape(len(x), *values.shape[1:]))


def _distance(values: Array, z: Array, target: Array) -> Truth:
    """W2 between the law of ``values`` at z ~ N(0, 1) and the law with quantiles ``target`` at Phi(z)."""
    if np.all(np.diff(values) >= 0):
        return quadrature(values, target, z)
    order = np.argsort(values)
    mass = np.exp(-(z**2) / 2)
    middle = np.cumsum(mass[order]) - mass[order] / 2
    matched = np.interp(middle / mass.sum(), ndtr(z), target)
    rearranged = np.empty_like(values)
    rearranged[order] = matched
    return quadrature(values, rearranged, z)


def quadrature(x: Array, y: Array, z: Array, rounding: float | None = None) -> Truth:
    """Root mean square of x - y for z ~ N(0, 1); ``rounding`` is the error of x and y (default: 1e-13 of the largest x)."""
    gap = x - y
    e = exponent(gap)
    squares, mass = np.square(scaled(gap, e)), np.exp(-(z**2) / 2)

    def rms(step: int) -> float:
        return float(np.ldexp(np.sqrt(np.sum(mass[::step] * squares[::step]) / np.sum(mass[::step])), e))

    value = rms(1)
    rounding = 1e-13 * float(np.max(np.abs(x))) if rounding is None else rounding
    slack = 3 * abs(value - rms(2)) + 1e-9 * value + rounding
    return Truth.near(value, slack)
