"""Mean and covariance of samples too many to hold, with confidence intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from cmbound.errors import DomainError
from cmbound.frozen import Record
from cmbound.sampling.arguments import Array
from cmbound.sampling.kernels import Corrector
from cmbound.sampling.run import Model, Progress, checked_run, in_order


@dataclass(frozen=True, eq=False)
class Interval(Record):
    """Confidence interval, each component by itself.

    Attributes:
        lower: lower ends.
        upper: upper ends.
        level: confidence level of each component.
    """

    lower: Array
    upper: Array
    level: float


@dataclass(frozen=True, eq=False)
class Moments(Record):
    """Sample mean and covariance.

    Attributes:
        n: number of samples, >= 2.
        mean: shape (d,), float64.
        covariance: unbiased, shape (d, d), float64.
    """

    n: int
    mean: Array
    covariance: Array

    @property
    def mean_error(self) -> Array:
        """Standard error of each component of the mean, shape (d,)."""
        return np.sqrt(np.diag(self.covariance) / self.n)

    @property
    def covariance_error(self) -> Array:
        """Standard error of each entry of the covariance, shape (d, d), **if the law is Gaussian** (heavier tails: larger)."""
        variance = np.diag(self.covariance)
        return np.asarray(np.sqrt((np.outer(variance, variance) + self.covariance**2) / (self.n - 1)))

    def mean_interval(self, level: float = 0.95) -> Interval:
        """Interval for each component of the mean, by the central limit theorem (any law with a second moment)."""
        return _interval(self.mean, self.mean_error, level)

    def covariance_interval(self, level: float = 0.95) -> Interval:
        """Interval for each entry of the covariance, by the central limit theorem, **if the law is Gaussian**."""
        return _interval(self.covariance, self.covariance_error, level)


def _interval(value: Array, error: Array, level: float) -> Interval:
    if not 0 < level < 1:
        raise DomainError(f"level is {level}; it must lie in (0, 1)")
    width = float(ndtri((1 + level) / 2)) * error
    return Interval(value - width, value + width, level)


def moments(
    f: Model,
    times: Sequence[float],
    *,
    d: int,
    n: int,
    seed: int,
    delta: float,
    clock: str = "ou",
    start: str = "standard",
    smoothing: float | None = None,
    corrector: Corrector | None = None,
    dtype: npt.DTypeLike = np.float64,
    workers: int = 1,
    progress: Progress | None = None,
) -> Moments:
    """Mean and covariance of the samples that :func:`sample` would return, without holding more than ``workers`` blocks.

    Arguments and errors as for :func:`sample`; n >= 2. Blocks are merged in order (Chan, Golub and LeVeque 1983), in float64.
    """
    run = checked_run(f, times, d, n, seed, delta, clock, start, smoothing, corrector, dtype, workers)
    if run.n < 2:
        raise DomainError(f"n is {n}; moments need at least 2 samples")
    count, mean, scatter = 0, np.zeros(run.d), np.zeros((run.d, run.d))
    for size, block_mean, block_scatter in in_order(lambda b: _block_moments(run.block(b)), run.blocks, workers):
        shift, total = block_mean - mean, count + size
        scatter += block_scatter
        scatter += np.outer(shift, shift * (count * size / total))
        mean += shift * (size / total)
        count = total
        if progress:
            progress(count)
    return Moments(count, mean, scatter / (count - 1))


def _block_moments(x: Array) -> tuple[int, Array, Array]:
    """Number, mean and scatter matrix (sum of (x - mean)(x - mean)^T) of the rows of x; x may be overwritten."""
    x = x.astype(np.float64, copy=False)
    mean = x.mean(axis=0)
    x -= mean
    return len(x), mean, x.T @ x
