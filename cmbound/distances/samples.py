"""Distances between samples in any dimension, with confidence intervals."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from cmbound.distances.arguments import Array, finite_array, integer
from cmbound.distances.line import w2_samples_1d
from cmbound.errors import DomainError, InputError
from cmbound.frozen import Record

MAX_TRANSPORT = 2000
"""Most points a side for :func:`w2_samples`: the network simplex takes seconds there and its cost matrix grows as n^2."""
BATCHES = 10
"""Independent batches behind the interval of :func:`w2_samples` and :func:`sliced_w2`."""


@dataclass(frozen=True, eq=False)
class Estimate(Record):
    """A number computed from samples, with its confidence interval; what the interval covers is said by the function.

    Attributes:
        value: the estimate.
        lower: lower end of the interval.
        upper: upper end.
        level: confidence level.
        n: number of samples behind it (the smaller one, if two sizes are).
    """

    value: float
    lower: float
    upper: float
    level: float
    n: int


def w2_samples(x: npt.ArrayLike, y: npt.ArrayLike, *, level: float = 0.95) -> Estimate:
    """W2 between the laws of two samples, by optimal transport (POT, extra ``pot``).

    ``value`` is the distance of the two point sets, by ``ot.emd2`` with equal weights; as an estimate it is biased upwards, by
    about n^(-1/d) in d > 4 dimensions. The interval **covers that bias**. With P_n, Q_n the empirical laws and P_n/2, P_n/2'
    those of the two halves of x, joint convexity of W2^2 and the triangle inequality give

        a^(1/2) - p^(1/2) - q^(1/2) <= W2 <= a^(1/2),  a = E W2^2(P_n, Q_n),  p = E W2^2(P_n/2, P_n/2'),  q likewise,

    and a, p, q are replaced by one-sided Student limits about the values found, with the spread of ten independent batches of
    n/10 rows (five pairs of batches for p and q). The two sides share 1 - level, and the three limits of the lower side share
    its half (Bonferroni). Not exact: fluctuations are taken as normal, with a variance that falls at least as fast as 1/n. The
    interval is wide where the bias is, in many dimensions; its lower end may then be 0.

    Args:
        x: independent rows, shape (n, d), 20 <= n <= 2000.
        y: independent rows, independent of x, shape (m, d), likewise.
        level: confidence level in (0, 1).

    Raises:
        InputError: POT is missing, shapes that do not fit, too few or too many rows.
        DomainError: a level outside (0, 1).
    """
    a, b = _pair(x, y)
    if max(len(a), len(b)) > MAX_TRANSPORT:
        raise InputError(f"x and y have {len(a)} and {len(b)} rows; at most {MAX_TRANSPORT} are allowed (use sliced_w2)")
    return _by_batches(_transport, _transport, a, b, level)


def _transport(x: Array, y: Array) -> float:
    """W2^2 between two point sets with equal weights."""
    try:
        import ot
    except ImportError:
        raise InputError("w2_samples needs POT: pip install 'cmbound[pot]'") from None
    cost, log = ot.emd2(ot.unif(len(x)), ot.unif(len(y)), ot.dist(x, y), numItermax=10**7, log=True)
    if log["warning"]:
        raise InputError(f"optimal transport between {len(x)} and {len(y)} points failed: {log['warning']}")
    return max(0.0, float(cost))


def sliced_w2(x: npt.ArrayLike, y: npt.ArrayLike, projections: int, seed: int, *, level: float = 0.95) -> Estimate:
    """Sliced W2 between the laws of two samples: the root mean square of W2 over projections on random directions.

    At most d^(-1/2) W2. ``value`` is that of all rows along ``projections`` random directions. The interval is that of
    :func:`w2_samples`, which covers the bias of finite samples; each batch has a tenth of the directions, fresh ones, so the
    choice of directions is covered too.

    Args:
        x: independent rows, shape (n, d), n >= 20.
        y: independent rows, independent of x, shape (m, d), m >= 20.
        projections: number of directions >= 1, rounded up to a multiple of ten.
        seed: integer >= 0, of the directions.
        level: confidence level in (0, 1).

    Raises:
        InputError: shapes that do not fit, too few rows, or a seed or number of projections that is no integer.
        DomainError: a level, seed or number of projections outside its domain.
    """
    a, b = _pair(x, y)
    count, rng = integer("projections", projections, 1), np.random.default_rng(integer("seed", seed, 0))

    def square(a: Array, b: Array, directions: int) -> float:
        total = 0.0
        for _ in range(directions):
            z = rng.standard_normal(a.shape[1])
            direction = z / np.linalg.norm(z)
            total += w2_samples_1d(a @ direction, b @ direction) ** 2
        return total / directions

    few = -(-count // BATCHES)
    return _by_batches(lambda a, b: square(a, b, few * BATCHES), lambda a, b: square(a, b, few), x=a, y=b, level=level)


Square = Callable[[Array, Array], float]


def _by_batches(square: Square, of_batch: Square, x: Array, y: Array, level: float) -> Estimate:
    """The estimate of :func:`w2_samples` for any squared distance that is jointly convex and whose root is a metric.

    ``of_batch`` is the same for batches, with a tenth of the directions if it is itself random.
    """
    _check_level(level)
    tail = (1 - level) / 2
    value = square(x, y)
    xs, ys = (np.split(z[: len(z) // BATCHES * BATCHES], BATCHES) for z in (x, y))
    between = np.array([of_batch(a, b) for a, b in zip(xs, ys, strict=True)])
    bias = 0.0
    for z, zs in ((x, xs), (y, ys)):
        pairs = np.array([of_batch(a, b) for a, b in zip(zs[::2], zs[1::2], strict=True)])
        bias += math.sqrt(_limit(square(z[::2], z[1::2]), pairs, tail / 3, +1))
    lower = max(0.0, math.sqrt(_limit(value, between, tail / 3, -1)) - bias)
    return Estimate(math.sqrt(value), lower, math.sqrt(_limit(value, between, tail, +1)), level, min(len(x), len(y)))


def _limit(mean: float, values: Array, tail: float, side: int) -> float:
    """One-sided Student limit for a mean >= 0, missed with probability ``tail``, the spread taken from independent values.

    ``side`` is +1 for an upper and -1 for a lower limit.
    """
    error = float(values.std(ddof=1)) / math.sqrt(len(values))
    return max(0.0, mean - side * float(stdtrit(len(values) - 1, tail)) * error)


def coupling_w2(x: npt.ArrayLike, y: npt.ArrayLike, *, level: float = 0.95) -> Estimate:
    """Root mean square distance of paired samples: an **upper bound** of W2 between their laws.

    The interval is for the root mean square of the coupling, by the central limit theorem for the squared distances (Student);
    its upper end is therefore a confidence bound of W2 from above, its lower end says nothing about W2.

    Args:
        x: independent rows, shape (n, d), n >= 2.
        y: shape (n, d); row i belongs to row i of x.
        level: confidence level in (0, 1).

    Raises:
        InputError: shapes that do not fit, or entries that are not finite.
        DomainError: a level outside (0, 1).
    """
    _check_level(level)
    a, b = finite_array("x", x, 2), finite_array("y", y, 2)
    if a.shape != b.shape or len(a) < 2:
        raise InputError(f"x and y have shapes {a.shape} and {b.shape}; equal shapes with at least 2 rows are needed")
    difference = a - b
    squares = np.einsum("ij,ij->i", difference, difference)
    mean, tail = float(squares.mean()), (1 - level) / 2
    return Estimate(
        math.sqrt(mean),
        math.sqrt(_limit(mean, squares, tail, -1)),
        math.sqrt(_limit(mean, squares, tail, +1)),
        level,
        len(squares),
    )


def _pair(x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[Array, Array]:
    a, b = finite_array("x", x, 2), finite_array("y", y, 2)
    if a.shape[1] != b.shape[1]:
        raise InputError(f"x has {a.shape[1]} columns and y {b.shape[1]}; equal numbers are needed")
    if min(len(a), len(b)) < 2 * BATCHES:
        raise InputError(f"x and y have {len(a)} and {len(b)} rows; at least {2 * BATCHES} are needed")
    return a, b


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise DomainError(f"level is {level}; it must lie in (0, 1)")
