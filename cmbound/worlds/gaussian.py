"""The Gaussian world: everything in closed form, because all covariances c_t^2 Sigma + s_t^2 I commute (theory 4)."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from cmbound.errors import DomainError, InputError
from cmbound.worlds.base import SMALLEST, Array, World, broadcast, interval, numbers, real, scalar_time, times
from cmbound.worlds.process import noise, signal


def eigensystem(name: str, matrix: Array) -> tuple[Array, Array | None]:
    """Eigenvalues (d,) >= 0 and eigenvectors (d, d) in columns (None if the matrix is diagonal) of a covariance (d, d).

    Of a matrix that is not diagonal, eigenvalues below the rounding error of the largest are taken as 0. Raises InputError unless
    it is square and symmetric, DomainError for an eigenvalue below -1e-12 times the trace.
    """
    size = len(matrix)
    if matrix.shape != (size, size):
        raise InputError(f"{name} has shape {matrix.shape}; a square matrix is needed")
    off = np.abs(matrix - matrix.T).max()
    if off > 1e-12 * np.abs(matrix).max():
        raise InputError(f"{name} is not symmetric: entries opposite each other differ by {off:.3g}")
    diagonal = matrix.diagonal().copy()
    plain = np.count_nonzero(matrix) == np.count_nonzero(diagonal)
    values, vectors = (diagonal, None) if plain else np.linalg.eigh((matrix + matrix.T) / 2)
    if values.min() < -1e-12 * abs(diagonal.sum()):
        raise DomainError(f"{name} has the eigenvalue {values.min():.3g}; it must be positive semi-definite")
    floor = 0.0 if plain else size * np.finfo(np.float64).eps * values.max()
    return np.where(values > floor, values, 0.0), vectors


class Gaussian(World):
    """N(mean, covariance).

    Args:
        mean: shape (d,).
        covariance: shape (d, d), symmetric and positive semi-definite (singular is allowed); or (d,), the diagonal; or one
            number, the variance of every coordinate.

    Raises:
        InputError: shapes that do not fit, a covariance that is not symmetric, entries that are not finite.
        DomainError: a covariance that is not positive semi-definite.

    Attributes:
        d, mean: see :class:`World`.
        eigenvalues: of the covariance, shape (d,); in the order of the coordinates if it is diagonal, else increasing.
        eigenvectors: in columns, shape (d, d); None if the covariance is diagonal.

    >>> import cmbound
    >>> law = cmbound.Gaussian([0, 0], [1, 0.25])
    >>> law.d, round(law.m2, 4)
    (2, 1.118)
    """

    eigenvalues: Array
    eigenvectors: Array | None

    def __init__(self, mean: npt.ArrayLike, covariance: npt.ArrayLike) -> None:
        self.mean = numbers("mean", mean, 1).copy()
        self.d = len(self.mean)
        given = numbers("covariance", covariance, 0, 1, 2)
        if given.ndim and given.shape != (self.d,) * given.ndim:
            raise InputError(f"covariance has shape {given.shape}; ({self.d}, {self.d}) is needed for this mean")
        if given.ndim == 2:
            self.eigenvalues, self.eigenvectors = eigensystem("covariance", given)
        else:
            self.eigenvalues, self.eigenvectors = np.broadcast_to(given, (self.d,)).copy(), None
        if self.eigenvalues.min() < 0:
            raise DomainError(f"covariance has the eigenvalue {self.eigenvalues.min():.3g}; it must be positive semi-definite")
        self._close()

    @property
    def _law(self) -> tuple[Any, ...]:
        return self.mean, self.eigenvalues, self.eigenvectors

    @property
    def covariance(self) -> Array:
        return self.covariance_at(0.0)

    @cached_property
    def sd2(self) -> float:
        return math.sqrt(math.fsum(self.eigenvalues))

    @property
    def d_eff(self) -> int:
        return int(np.count_nonzero(self.eigenvalues))

    @property
    def radius(self) -> float:
        return math.inf if self.eigenvalues.any() else 0.0

    @property
    def smoothing(self) -> tuple[float, float] | None:
        variance = float(self.eigenvalues[0])
        same = self.eigenvectors is None and bool((self.eigenvalues == variance).all())
        return (0.0, math.sqrt(variance)) if same and variance < 1 else None

    @cached_property
    def _least_variance(self) -> float:
        return float(self.eigenvalues.min())

    def variances(self, t: npt.ArrayLike) -> Array:
        """Eigenvalues c_t^2 lambda + s_t^2 of the covariance at the times t (...), shape (..., d)."""
        return self._variances(times("t", t))

    def _variances(self, t: Array) -> Array:
        return np.asarray(signal(2 * t)[..., None] * self.eigenvalues + np.square(noise(t))[..., None])

    def _matrix(self, values: Array) -> Array:
        if self.eigenvectors is None:
            return np.diag(values)
        return np.asarray((self.eigenvectors * values) @ self.eigenvectors.T)

    def covariance_at(self, t: float) -> Array:
        """Covariance of x_t, shape (d, d)."""
        return self._matrix(self._variances(np.asarray(scalar_time("t", t))))

    def factor(self, t: float) -> Array:
        """The symmetric square root of the covariance of x_t, shape (d, d)."""
        return self._matrix(np.sqrt(self._variances(np.asarray(scalar_time("t", t)))))

    def flow_matrix(self, t_from: float, t_to: float) -> Array:
        """The linear part Sigma_{t_to}^{1/2} Sigma_{t_from}^{-1/2} of the flow, shape (d, d).

        Raises:
            DomainError: t_from = 0 although the covariance is singular.
        """
        start, end = scalar_time("t_from", t_from, self._no_density), scalar_time("t_to", t_to)
        return self._matrix(np.sqrt(self._variances(np.asarray(end)) / self._variances(np.asarray(start))))

    def _scaled(self, y: Array, factors: Array) -> Array:
        """The matrix with these eigenvalues, times the rows of y."""
        if self.eigenvectors is None:
            return y * factors
        return np.asarray(((y @ self.eigenvectors) * factors) @ self.eigenvectors.T)

    def _offset(self, x: Array, t: Array) -> Array:
        return np.asarray(x - signal(t)[..., None] * self.mean)

    def _log_density(self, x: Array, t: Array) -> Array:
        y, v = self._offset(x, t), self._variances(t)
        if self.eigenvectors is not None:
            y = y @ self.eigenvectors
        return np.asarray(-(np.sum(y * y / v, axis=-1) + np.sum(np.log(v), axis=-1) + self.d * math.log(2 * math.pi)) / 2)

    def _score(self, x: Array, t: Array) -> Array:
        return self._scaled(self._offset(x, t), -1 / self._variances(t))

    def _hessian_product(self, x: Array, t: Array, v: Array) -> Array:
        return self._scaled(v, -1 / self._variances(t))

    def _score_acceleration(self, x: Array, t: Array) -> Array:
        """s + H s."""
        precisions = 1 / self._variances(t)
        return self._scaled(self._offset(x, t), -precisions * (1 - precisions))

    def _denoiser(self, x: Array, t: Array) -> Array:
        gain = signal(t)[..., None] * self.eigenvalues / self._variances(t)
        return self.mean + self._scaled(self._offset(x, t), gain)

    def _flow(self, x: Array, t_from: Array, t_to: Array) -> Array:
        """c' mu + Sigma_{t'}^{1/2} Sigma_t^{-1/2} (x - c mu)."""
        ratio = np.sqrt(self._variances(t_to) / self._variances(t_from))
        return np.asarray(signal(t_to)[..., None] * self.mean + self._scaled(self._offset(x, t_from), ratio))

    def _draw(self, n: int, c: float, s: float, rng: np.random.Generator) -> Array:
        z = rng.standard_normal((n, self.d))
        return c * self.mean + self._scaled(z, np.sqrt(c * c * self.eigenvalues + s * s))

    def score_lipschitz(self, T: float, t_star: float = 0.0) -> float:
        """Exact: 1/(smallest variance at either end), each variance being monotone in t."""
        start, end = interval("t_star", t_star, "T", T)
        least = float(self._variances(np.array([start, end])).min())
        return 1 / least if least >= SMALLEST else math.inf

    def score_above(self, T: float, t_star: float = 0.0) -> float:
        """0: the log-density is concave."""
        interval("t_star", t_star, "T", T)
        return 0.0

    def map_lipschitz(self, t: float, delta: float) -> float:
        """Exact: max_i (v_i(delta)/v_i(t))^{1/2} (theory 3.3).

        Raises:
            DomainError: delta > t, or t = 0 although the covariance is singular.
        """
        low, high = interval("delta", delta, "t", t)
        scalar_time("t", t, self._no_density)
        ends = self._variances(np.array([low, high]))
        return float(np.sqrt(np.max(ends[0] / ends[1])))

    def _standard(self, t: npt.ArrayLike) -> tuple[Array, Array]:
        """Mean and standard deviation at the times t."""
        if self.d != 1:
            raise DomainError(f"this needs d = 1, and the law has d = {self.d}")
        at = times("t", t, self._no_density)
        return signal(at) * self.mean[0], np.sqrt(self._variances(at)[..., 0])

    def _probability(self, x: npt.ArrayLike, t: npt.ArrayLike, sign: float) -> Array:
        mean, deviation = self._standard(t)
        y = real("x", x)
        broadcast(x=y.shape, t=mean.shape)
        return np.asarray(ndtr(sign * (y - mean) / deviation))

    def quantile(self, u: npt.ArrayLike, t: npt.ArrayLike, *, survival: bool = False) -> Array:
        """The number x with cdf(x, t) = u, or survival(x, t) = u; any shape, 0 and 1 give infinities; d = 1 only.

        Raises:
            DomainError: u outside [0, 1], or d > 1.
        """
        mean, deviation = self._standard(t)
        level = probabilities("u", u)
        broadcast(u=level.shape, t=mean.shape)
        return np.asarray(mean + (-1.0 if survival else 1.0) * deviation * ndtri(level))

    def from_normal(self, z: npt.ArrayLike, t: npt.ArrayLike) -> Array:
        """The monotone image of N(0, 1): quantile(Phi(z), t), accurate in both tails; d = 1 only."""
        mean, deviation = self._standard(t)
        scores = real("z", z)
        broadcast(z=scores.shape, t=mean.shape)
        return np.asarray(mean + deviation * scores)

    def flow_derivative(self, x: npt.ArrayLike, t_from: npt.ArrayLike, t_to: npt.ArrayLike) -> Array:
        """Derivative in x of the flow, for points x (..., 1): shape (...); d = 1 only."""
        start, end = self._standard(t_from)[1], np.sqrt(self.variances(t_to)[..., 0])
        shape = broadcast(x=self._points("x", x).shape[:-1], t_from=start.shape, t_to=end.shape)
        return np.broadcast_to(end / start, shape).copy()


def probabilities(name: str, u: Any) -> Array:
    """``u`` as a float64 array with entries in [0, 1]; raises InputError or DomainError."""
    level = real(name, u)
    if level.size and not (level.min() >= 0 and level.max() <= 1):
        raise DomainError(f"{name} must be in [0, 1], got {level.min() if level.min() < 0 else level.max():g}")
    return level
