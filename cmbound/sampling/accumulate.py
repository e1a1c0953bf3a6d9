"""Mean and covariance of samples too many to hold, with confidence intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import chdtri, stdtrit

from cmbound.checks import checked_count
from cmbound.errors import DomainError
from cmbound.frozen import Record
from cmbound.sampling.arguments import Array
from cmbound.sampling.run import Model, Progress, Run, Times, in_order


@dataclass(frozen=True, eq=False)
class Interval(Record):
    """Confidence interval, each component by itself.

    Attributes:
        lower, upper: its ends.
        level: confidence level of each component.
        trust: ``asymptotic``: the level is approached as n grows (samples have no bound that could guarantee it).
    """

    lower: Array
    upper: Array
    level: float
    trust: str = "asymptotic"


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
        return np.asarray(np.hypot(self._scales, self.covariance) / np.sqrt(self.n - 1))

    @property
    def _scales(self) -> Array:
        """Products of two standard deviations (squares of variances may overflow)."""
        deviation = np.sqrt(np.diag(self.covariance))
        return np.outer(deviation, deviation)

    def mean_interval(self, level: float = 0.95) -> Interval:
        """Interval for each component of the mean, by Student's t: exact for Gaussian laws, else by the central limit theorem."""
        width = -float(stdtrit(self.n - 1, _tail(level))) * self.mean_error
        return Interval(self.mean - width, self.mean + width, level)

    def covariance_interval(self, level: float = 0.95) -> Interval:
        """Interval for each entry of the covariance, **if the law is Gaussian** (for heavier tails it is too narrow).

        For x_i and x_j in units of their deviations, Cov = (Var(x_i + x_j) - Var(x_i - x_j))/4, the difference of two independent
        multiples of chi^2: their exact limits are combined as in Zou and Donner 2008, "Construction of confidence limits about
        effect measures" (Stat. Med. 27). Exact for variances.
        """
        freedom, tail = self.n - 1, _tail(level)
        below, above = 1 - freedom / float(chdtri(freedom, tail)), freedom / float(chdtri(freedom, 1 - tail)) - 1
        plus, minus = (self._scales + self.covariance) / 2, (self._scales - self.covariance) / 2
        down, up = np.hypot(below * plus, above * minus), np.hypot(above * plus, below * minus)
        return Interval(self.covariance - down, self.covariance + up, level)


def _tail(level: float) -> float:
    if not 0 < level < 1:
        raise DomainError(f"level is {level}; it must lie in (0, 1)")
    return (1 - level) / 2


def moments(f: Model, run: Times, *, workers: int = 1, progress: Progress | None = None, **options: Any) -> Moments:
    """Mean and covariance of the samples that :func:`sample` would return, without holding more than ``workers`` blocks.

    Arguments and errors as for :func:`sample`; n >= 2, and a covariance beyond float64 is a DomainError. Blocks are
    merged in order (Chan, Golub and LeVeque 1983), in float64.
    """
    run = Run.of(run, options)
    if run.n < 2:
        raise DomainError(f"n is {run.n}; moments need at least 2 samples")
    blocks = in_order(lambda b: _block_moments(run.block(f, b)), run.blocks, checked_count("workers", workers))
    count, mean, scatter = 0, np.zeros(run.d), np.zeros((run.d, run.d))
    for size, block_mean, block_scatter in blocks:
        total = count + size
        with np.errstate(over="ignore", invalid="ignore"):  # refused below
            shift = block_mean - mean
            scatter += block_scatter
            scatter += np.outer(shift, shift * (count * size / total))
            mean += shift * (size / total)
        count = total
        if progress:
            progress(count)
    covariance = scatter / (count - 1)
    if not np.isfinite(covariance).all():
        raise DomainError("the covariance of the samples is beyond float64: use smaller units")
    return Moments(count, mean, covariance)


def _block_moments(x: Array) -> tuple[int, Array, Array]:
    """Number, mean and scatter matrix (sum of (x - mean)(x - mean)^T) of the rows of x; x may be overwritten."""
    x = x.astype(np.float64, copy=False)
    with np.errstate(over="ignore", invalid="ignore"):
        first = x[0].copy()
        x -= first  # far from the origin the mean is rounded at the size of the spread, and a sum cannot overflow
        within = x.mean(axis=0)
        x -= within
        return len(x), first + within, x.T @ x
