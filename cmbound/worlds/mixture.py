"""Gaussian mixtures: scores and their derivatives in closed form, the flow by an adaptive solver (theory 4)."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from cmbound.distances.scaling import exponent, norm, scaled, shift
from cmbound.errors import DomainError, InputError
from cmbound.frozen import read_only
from cmbound.worlds import curvature, flow, line
from cmbound.worlds.base import BLOCK, Array, World, broadcast, interval, numbers, real, scalar_time, times
from cmbound.worlds.components import Individual, Shared
from cmbound.worlds.gaussian import eigensystem, probabilities
from cmbound.worlds.geometry import enclosing_ball
from cmbound.worlds.process import noise, signal


class Mixture(World):
    """sum_k weights_k N(means_k, Sigma_k).

    Args:
        means: shape (K, d).
        weights: shape (K,), >= 0, scaled to sum 1 (components of weight 0 are dropped); equal if None.
        covariance: one number, the variance tau^2 of every coordinate of every component (0: point masses); or (d, d), the
            covariance of every component; or (K, d, d), one for each. Covariances that are all equal are treated as one, and a
            multiple of the identity as a number. Singular covariances are allowed.

    Raises:
        InputError: shapes that do not fit, entries that are not finite, a covariance that is not symmetric.
        DomainError: negative weights or weights that sum to 0, a covariance that is not positive semi-definite.

    Attributes:
        d, mean: see :class:`World`.
        means: shape (K, d).
        weights: shape (K,), positive with sum 1.
        component_covariance: the number tau^2, or shape (d, d), or shape (K, d, d).

    >>> import cmbound
    >>> law = cmbound.Mixture([[-1.0], [1.0]], covariance=0.1)
    >>> law.d
    1
    """

    means: Array
    weights: Array
    component_covariance: float | Array

    def __init__(self, means: npt.ArrayLike, weights: npt.ArrayLike | None = None, covariance: npt.ArrayLike = 0.0) -> None:
        points = numbers("means", means, 2)
        mass = normalised_weights(weights, len(points))
        kept = mass > 0
        self.means, self.weights = points[kept], mass[kept] / mass[kept].sum()
        self.d = self.means.shape[1]
        origin = shift(self.means)
        average = self.weights @ (self.means - origin)
        self.mean, self._apart = origin + average, self.means - origin - average
        given = numbers("covariance", covariance, 0, 2, 3)
        allowed = (self.d,) * 2 if given.ndim == 2 else (len(points), self.d, self.d)
        if given.ndim and given.shape != allowed:
            raise InputError(f"covariance has shape {given.shape}; {allowed} is needed for these means")
        if given.ndim == 3:
            given = given[kept]
            given = given[0] if (given == given[0]).all() else given
        if given.ndim == 2 and (given == given[0, 0] * np.eye(self.d)).all():
            given = given[0, 0]
        if given.ndim == 0 and given < 0:
            raise DomainError(f"covariance must be >= 0 as a number, got {given:g}")
        self._axes: Array | None
        if given.ndim == 3:
            pairs = [eigensystem(f"covariance[{k}]", x) for k, x in enumerate(given)]
            self._variances = np.stack([x for x, _ in pairs])
            self._axes = np.stack([np.eye(self.d) if v is None else v for _, v in pairs])
        else:
            self._variances, self._axes = (given[None], None) if given.ndim == 0 else eigensystem("covariance", given)
        self._components = self._about(self.means)
        self.component_covariance = float(given) if given.ndim == 0 else given.copy()
        self._close()

    def _about(self, means: Array) -> Shared | Individual:
        """The components with other means."""
        if self._variances.ndim == 2:
            assert self._axes is not None
            return Individual(means, self.weights, self._variances, self._axes)
        return Shared(means, self.weights, self._variances, self._axes)

    @property
    def _law(self) -> tuple[Any, ...]:
        return self.means, self.weights, self.component_covariance

    @property
    def _tau2(self) -> float | None:
        """The variance tau^2 if all components have the covariance tau^2 I."""
        return self.component_covariance if isinstance(self.component_covariance, float) else None

    @cached_property
    def covariance(self) -> Array:
        y = self._apart
        inner = self.component_covariance
        if isinstance(inner, float):
            inner = inner * np.eye(self.d)
        elif inner.ndim == 3:
            inner = np.einsum("k,kij->ij", self.weights, inner)
        return read_only(np.asarray((y.T * self.weights) @ y + inner))  # type: ignore[no-any-return]

    @cached_property
    def sd2(self) -> float:
        e = exponent(self._apart)
        between = math.sqrt(math.fsum(self.weights * np.sum(np.square(scaled(self._apart, e)), axis=1)))
        inner = np.broadcast_to(self._variances.sum(axis=-1), self.weights.shape) * self.weights
        within = math.sqrt(math.fsum(inner) * (self.d if self._tau2 is not None else 1))
        return math.hypot(math.ldexp(between, e), within)

    @cached_property
    def d_eff(self) -> int:
        if self._tau2:
            return self.d
        directions = [self.means - self.means[0]]
        if self._tau2 is None:
            directions.append(np.reshape(self.component_covariance, (-1, self.d)))
        rows = np.concatenate(directions)
        sizes = norm(rows, axis=1)
        rows = rows[sizes > 0] / sizes[sizes > 0, None]
        return int(np.linalg.matrix_rank(rows)) if len(rows) else 0

    @cached_property
    def _ball(self) -> float:
        """Radius of a ball that holds the means."""
        return enclosing_ball(self._apart)[1]

    @property
    def radius(self) -> float:
        return self._ball if self._tau2 == 0 else math.inf

    @property
    def smoothing(self) -> tuple[float, float] | None:
        return (self._ball, math.sqrt(self._tau2)) if self._tau2 is not None and self._tau2 < 1 else None

    @cached_property
    def _least_variance(self) -> float:
        return float(self._variances.min())

    @property
    def _rows(self) -> int:
        return BLOCK // max(self.d, self._components.size if isinstance(self._components, Individual) else len(self.means))

    def _log_density(self, x: Array, t: Array) -> Array:
        return self._components.log_density(x, *_scales(t))

    def _score(self, x: Array, t: Array) -> Array:
        return self._components.score(x, *_scales(t))

    def _hessian_product(self, x: Array, t: Array, v: Array) -> Array:
        return self._components.hessian_product(x, *_scales(t), v)

    def _score_and_product(self, x: Array, t: float, v: Array) -> tuple[Array, Array]:
        """``score(x, t)`` and ``hessian_product(x, v, t)``, which share most of their work; x and v (..., d)."""
        points, moment = self._points("x", x).reshape(-1, self.d), times("t", t, self._no_density)
        both = self._components.score_and_product(points, *_scales(moment), v.reshape(-1, self.d))
        return both[:, : self.d].reshape(x.shape), both[:, self.d :].reshape(x.shape)

    def _score_acceleration(self, x: Array, t: Array) -> Array:
        return self._components.acceleration(x, *_scales(t))

    def _denoiser(self, x: Array, t: Array) -> Array:
        return self._components.denoiser(x, *_scales(t))

    def _flow(self, x: Array, t_from: Array, t_to: Array) -> Array:
        start, end = (np.broadcast_to(t, len(x)) for t in (t_from, t_to))
        # about the mean, so that the steps are those of the same law at the origin
        before, after = (signal(t)[:, None] * self.mean for t in (start, end))
        score, one = self._about(self._apart).score, np.ones(())
        scale = self.sd2 / math.sqrt(self.d)
        moved = flow.integrate(lambda u, v: score(u, one, v), x - before, start, end, scale) + after
        return np.where((start == end)[:, None], x, moved)

    def flow(self, x: npt.ArrayLike, t_from: npt.ArrayLike, t_to: npt.ArrayLike) -> Array:
        """The PF-ODE solution from (x, t_from), read at t_to, by :mod:`cmbound.worlds.flow`. Shape (..., d).

        Local errors are kept below 1e-10 of each coordinate, measured from the mean, plus 1e-10 of the scale of the data and the
        noise; the error of the result is of that order, and the rounding error of x, times the Lipschitz constant of the map.

        Raises:
            DomainError: a time outside (0, 350], or a path that needs more than 10000 steps.
        """
        for name, t in (("t_from", t_from), ("t_to", t_to)):
            times(name, t, "for the flow of this law")
        return super().flow(x, t_from, t_to)

    def _draw(self, n: int, c: float, s: float, rng: np.random.Generator) -> Array:
        count = len(self.weights)
        if (self.weights == self.weights[0]).all():
            index = rng.integers(count, size=n)
        else:
            index = rng.choice(count, size=n, p=self.weights)
        return self._components.draw(index, c, s, rng.standard_normal((n, self.d)))

    def score_lipschitz(self, T: float, t_star: float = 0.0) -> float:
        """A Lipschitz constant of s(., t) for t in [t_star, T]; see :mod:`cmbound.worlds.curvature`.

        Components with one covariance: theory 3.3 with the ball of the means and the smallest eigenvalue. In one dimension the
        largest slope found numerically, inflated by a relative 1e-4, if that is less. Otherwise inf.
        """
        start, end = interval("t_star", t_star, "T", T)
        if isinstance(self._components, Individual):
            if self.d > 1:
                return math.inf
            return curvature.scanned(self.means[:, 0], self.weights, self._variances[:, 0], start, end)
        bound = curvature.shared(self._ball, self._least_variance, start, end)
        if self.d > 1 or bound == math.inf:
            return bound
        return min(bound, curvature.on_the_line(self.means[:, 0], self.weights, self._least_variance, start, end))

    def score_above(self, T: float, t_star: float = 0.0) -> float:
        """A bound on the largest eigenvalue of the score's Jacobian, as in :meth:`score_lipschitz` without what is below 0."""
        start, end = interval("t_star", t_star, "T", T)
        if isinstance(self._components, Individual):
            return self.score_lipschitz(T, t_star)
        return min(curvature.above(self._ball, self._least_variance, start, end), self.score_lipschitz(T, t_star))

    def map_lipschitz(self, t: float, delta: float) -> float:
        """(v_delta/v_t)^{1/2} exp(R^2 (c_delta^2 - c_t^2)/(2 v_delta v_t)), v = c^2 tau^2 + s^2, for isotropic components.

        This is theory 3.3 with (1/v_delta - 1/v_t)/(1 - tau^2) = (c_delta^2 - c_t^2)/(v_delta v_t), which also holds for
        tau >= 1. inf for other covariances, and where the exponential overflows.
        """
        low, high = interval("delta", delta, "t", t)
        scalar_time("delta", delta, self._no_density)
        if self._tau2 is None:
            return math.inf
        v_low, v_high = (math.exp(-2 * x) * self._tau2 - math.expm1(-2 * x) for x in (low, high))
        change = -math.exp(-2 * low) * math.expm1(-2 * (high - low))
        exponent = math.log(v_low / v_high) / 2 + self._ball**2 * change / (2 * v_low * v_high)
        return math.exp(exponent) if exponent < 709 else math.inf

    @cached_property
    def _sorted(self) -> tuple[Array, Array, Array]:
        """Means, variances and weights of the components in increasing order of the means."""
        order = np.argsort(self.means[:, 0], kind="stable")
        variances = np.broadcast_to(self._variances.reshape(-1), self.weights.shape)
        return self.means[order, 0], variances[order], self.weights[order]

    def _line(self, t: Array) -> line.Line:
        means, variances, weights = self._sorted
        c = np.reshape(signal(t), (-1, 1))
        deviations = np.sqrt(c * c * variances + np.reshape(np.square(noise(t)), (-1, 1)))
        return line.Line(c * means, deviations, np.log(weights))

    def _on_line(self, name: str, values: Array, *at: Array) -> tuple[Array, list[Array], tuple[int, ...]]:
        """Numbers and times broadcast and flattened, and the common shape."""
        batch = broadcast(**{name: values.shape}, **{f"time {i}": t.shape for i, t in enumerate(at)})
        flat = np.broadcast_to(values, batch).reshape(-1)
        return flat, [t if t.ndim == 0 else np.broadcast_to(t, batch).reshape(-1) for t in at], batch

    def _line_time(self, name: str, t: npt.ArrayLike) -> Array:
        if self.d != 1:
            raise DomainError(f"this needs d = 1, and the law has d = {self.d}")
        return times(name, t, self._no_density)

    def _probability(self, x: npt.ArrayLike, t: npt.ArrayLike, sign: float) -> Array:
        at = self._line_time("t", t)
        flat, (when,), batch = self._on_line("x", real("x", x), at)
        return self._line(when).probability(flat, sign).reshape(batch)

    def quantile(self, u: npt.ArrayLike, t: npt.ArrayLike, *, survival: bool = False) -> Array:
        """The number x with cdf(x, t) = u, or survival(x, t) = u; any shape, broadcast against t; d = 1 only.

        Accurate to the rounding of u, also in the tails (there with ``survival`` where 1 - u is small). 0 and 1 give infinities.

        Raises:
            DomainError: u outside [0, 1], or d > 1.
        """
        at = self._line_time("t", t)
        flat, (when,), batch = self._on_line("u", probabilities("u", u), at)
        weights = self._sorted[2]
        return line.solve(line.level_of(flat, weights, survival=survival), self._line(when), weights).reshape(batch)

    def from_normal(self, z: npt.ArrayLike, t: npt.ArrayLike) -> Array:
        """The monotone image of N(0, 1): quantile(Phi(z), t), accurate in both tails; any shape; d = 1 only."""
        at = self._line_time("t", t)
        flat, (when,), batch = self._on_line("z", real("z", z), at)
        weights = self._sorted[2]
        return line.solve(line.level_of_normal(flat, weights), self._line(when), weights).reshape(batch)

    def rearrangement(self, x: npt.ArrayLike, t_from: npt.ArrayLike, t_to: npt.ArrayLike) -> Array:
        """The flow as the monotone map that takes p_{t_from} to p_{t_to}, without the ODE; points x (..., 1); d = 1 only.

        It solves F_{t_to}(y) = F_{t_from}(x) up to a rounding error of F. Shape (..., 1).
        """
        start, end = self._line_time("t_from", t_from), self._line_time("t_to", t_to)
        points = self._points("x", x)[..., 0]
        flat, (first, last), batch = self._on_line("x", points, start, end)
        return self._rearranged(flat, first, last)[1].reshape(*batch, 1)

    def _rearranged(self, x: Array, start: Array, end: Array) -> tuple[line.Level, Array]:
        weights = self._sorted[2]
        level = line.level_at(x, self._line(start), weights)
        return level, line.solve(level, self._line(end), weights)

    def flow_derivative(self, x: npt.ArrayLike, t_from: npt.ArrayLike, t_to: npt.ArrayLike) -> Array:
        """Derivative in x of the flow, p_{t_from}(x)/p_{t_to}(flow(x)), for points x (..., 1): shape (...); d = 1 only.

        inf where it overflows.
        """
        start, end = self._line_time("t_from", t_from), self._line_time("t_to", t_to)
        flat, (first, last), batch = self._on_line("x", self._points("x", x)[..., 0], start, end)
        level, image = self._rearranged(flat, first, last)
        exponent = line.log_derivative(level, flat, self._line(first), image, self._line(last))
        return np.exp(exponent, where=exponent < 709, out=np.full_like(exponent, np.inf)).reshape(batch)


def _scales(t: Array) -> tuple[Array, Array]:
    """c and s^2."""
    return signal(t), np.square(noise(t))


def normalised_weights(weights: npt.ArrayLike | None, count: int) -> Array:
    """``count`` weights with sum 1, equal if None; raises InputError or DomainError."""
    if weights is None:
        return np.full(count, 1 / count)
    mass = numbers("weights", weights, 1)
    if len(mass) != count:
        raise InputError(f"weights has {len(mass)} entries for {count} points")
    if mass.min() < 0 or mass.max() <= 0:
        raise DomainError(f"weights must be >= 0 and not all 0; the smallest is {mass.min():g}")
    return np.asarray(mass / mass.sum())
