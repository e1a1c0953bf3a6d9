"""Wasserstein-2 and total variation distances: closed forms, quadrature, and samples with confidence intervals."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.linalg
from scipy.special import erf, ndtr, ndtri, stdtrit

from cmbound.errors import DomainError, InputError

Array = npt.NDArray[np.float64]
Function = Callable[[Array], Any]

MAX_TRANSPORT = 2000
"""Most points a side for :func:`w2_samples`: the network simplex takes seconds there and its cost matrix grows as n^2."""
BATCHES = 10
"""Independent batches behind the interval of :func:`w2_samples` and :func:`sliced_w2`."""
REACH = 8.2
"""Normal scores beyond which quadrature stops: 1 - Phi(8.2) = 1.2e-16 is the rounding of 1 - u in float64."""


@dataclass(frozen=True)
class Estimate:
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


# Gaussian laws -----------------------------------------------------------------------------------------------------------


def gaussian_w2(mean1: npt.ArrayLike, cov1: npt.ArrayLike, mean2: npt.ArrayLike, cov2: npt.ArrayLike) -> float:
    """W2 between N(mean1, cov1) and N(mean2, cov2), the Bures-Wasserstein distance.

    For any two laws with these means and covariances it is a lower bound of their W2 (Gelbrich 1990, "On a formula for the L2
    Wasserstein metric between measures on Euclidean and Hilbert spaces", Math. Nachr. 147).

    Far from cancellation the trace formula is used, where its rounding error is below 1e-12 of W2; otherwise square roots of the
    covariances and :func:`gaussian_w2_factors`. The distance moves by up to (max eigenvalue x 1e-16)^(1/2) when a **singular**
    covariance is rounded to float64, and no method can undo that: where that matters, give factors.

    Args:
        mean1: shape (d,).
        cov1: shape (d, d), symmetric and positive semi-definite up to rounding.
        mean2: shape (d,).
        cov2: shape (d, d), likewise.

    Raises:
        InputError: shapes that do not fit, or entries that are not finite.
        DomainError: a covariance that is not symmetric or not positive semi-definite.
    """
    m1, m2 = _mean("mean1", mean1), _mean("mean2", mean2)
    C1, C2 = _covariance("cov1", cov1), _covariance("cov2", cov2)
    _same_dimension(mean1=len(m1), cov1=len(C1), mean2=len(m2), cov2=len(C2))
    shift = _norm(m1 - m2)
    if np.array_equal(C1, C2):
        return shift
    value = _by_trace(shift, C1, C2)
    return math.hypot(shift, _graded(_root("cov1", C1), _root("cov2", C2))) if value is None else value


def gaussian_w2_factors(mean1: npt.ArrayLike, A: npt.ArrayLike, mean2: npt.ArrayLike, B: npt.ArrayLike) -> float:
    """W2 between N(mean1, A A^T) and N(mean2, B B^T), any factors; accurate to about 1e-15 of the scale, however near the laws.

    W2^2 = |mean1 - mean2|^2 + min |A - B U|_F^2 over orthogonal U, attained at U = V W^T of the singular value decomposition
    B^T A = V S W^T (A and B padded with zero columns to the same width; Bhatia, Jain and Lim 2019, theorem 1).

    Args:
        mean1: shape (d,).
        A: shape (d, p).
        mean2: shape (d,).
        B: shape (d, q).

    Raises:
        InputError: shapes that do not fit, or entries that are not finite.
    """
    m1, m2 = _mean("mean1", mean1), _mean("mean2", mean2)
    F, G = _finite("A", A, 2), _finite("B", B, 2)
    _same_dimension(mean1=len(m1), A=len(F), mean2=len(m2), B=len(G))
    return math.hypot(_norm(m1 - m2), _graded(_columns(F), _columns(G)))


def _columns(F: Array) -> Array:
    """F Q for an orthogonal Q, with at most d columns, orthogonal and falling in size."""
    return np.asarray(F @ np.linalg.svd(F, full_matrices=False)[2].T)


def _root(name: str, C: Array) -> Array:
    """A factor of C with orthogonal columns falling in size."""
    values, vectors = scipy.linalg.eigh(C)
    if values[0] < -1e-10 * max(values[-1], 0.0):
        raise DomainError(f"{name} has the eigenvalue {values[0]:.3g}; it must be positive semi-definite")
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0)))[:, ::-1])


def _graded(A: Array, B: Array) -> float:
    """min |A - B U|_F over orthogonal U; the columns of A and B are orthogonal and fall in size."""
    width = max(A.shape[1], B.shape[1])
    A, B = (np.pad(X, ((0, 0), (0, width - X.shape[1]))) for X in (A, B))
    # B^T A is graded in rows and columns, and QR iteration (gesvd) keeps its small singular vectors; divide and conquer does not:
    # it is off by 1e-8 when the covariances have condition number 1e16.
    V, _, Wt = scipy.linalg.svd(B.T @ A, lapack_driver="gesvd")
    return _norm(A - B @ (V @ Wt))


def _by_trace(shift: float, C1: Array, C2: Array) -> float | None:
    """W2 by the trace formula; None if a covariance is singular or the formula would lose digits."""
    try:
        L = np.linalg.cholesky(C1)
    except np.linalg.LinAlgError:
        return None
    values = scipy.linalg.eigvalsh(L.T @ C2 @ L, check_finite=False, driver="evd")
    if values[0] <= 0:
        return None
    roots = np.sqrt(values)
    traces = float(np.trace(C1) + np.trace(C2))
    square = shift**2 + traces - 2 * float(roots.sum())
    noise = 8 * np.finfo(np.float64).eps * (traces + values[-1] * float((1 / roots).sum()))
    return math.sqrt(square) if noise < 2e-12 * square else None


# One dimension, by quantiles ---------------------------------------------------------------------------------------------


def w2_samples_1d(
    x: npt.ArrayLike, y: npt.ArrayLike, weights_x: npt.ArrayLike | None = None, weights_y: npt.ArrayLike | None = None
) -> float:
    """W2 between two weighted point sets on the line: the integral of |F^-1 - G^-1|^2 over (0, 1), exact up to rounding.

    It is the distance of the two sets; as an estimate of the distance of the laws they were drawn from it is biased upwards.

    Args:
        x: points, shape (n,).
        y: points, shape (m,).
        weights_x: shape (n,), >= 0, scaled to sum 1; equal weights if None.
        weights_y: shape (m,), likewise.

    Raises:
        InputError: shapes that do not fit, or entries that are not finite.
        DomainError: negative weights, or weights that sum to 0.
    """
    (a, u), (b, v) = _steps("x", x, weights_x), _steps("y", y, weights_y)
    if len(a) == len(b) and weights_x is None and weights_y is None:
        return _norm(a - b) / math.sqrt(len(a))
    ends = np.sort(np.concatenate((u, v)))
    starts = np.concatenate(([0.0], ends[:-1]))
    middle = (starts + ends) / 2
    difference = _at(a, u, middle) - _at(b, v, middle)
    return math.sqrt(float(np.dot(ends - starts, difference * difference)))


def _steps(name: str, points: npt.ArrayLike, weights: npt.ArrayLike | None) -> tuple[Array, Array]:
    """Sorted points and the values of their distribution function there; the last is 1."""
    x = _finite(name, points, 1)
    if weights is None:
        return np.sort(x), np.arange(1, len(x) + 1) / len(x)
    w = _finite(f"weights of {name}", weights, 1)
    if w.shape != x.shape:
        raise InputError(f"{name} has {len(x)} points and {len(w)} weights")
    if w.min() < 0 or w.sum() <= 0:
        raise DomainError(f"the weights of {name} must be >= 0 with a positive sum; the smallest is {w.min():g}")
    order = np.argsort(x, kind="stable")
    u = np.cumsum(w[order])
    return x[order], u / u[-1]


def _at(x: Array, u: Array, level: Array) -> Array:
    """The quantiles at ``level`` of the law with distribution function values u at the sorted points x."""
    return x[np.minimum(np.searchsorted(u, level), len(x) - 1)]


def w2_sample_quantile(
    x: npt.ArrayLike, quantile: Function, weights: npt.ArrayLike | None = None, *, rtol: float = 1e-10
) -> float:
    """W2 between a weighted point set and a law given by its quantile function.

    Adaptive Lobatto quadrature in z = Phi^-1(u), cut at the jumps of the point set; accuracy as for :func:`w2_quantiles`.

    Args:
        x: points, shape (n,).
        quantile: vectorised quantile function on (0, 1).
        weights: shape (n,), >= 0, scaled to sum 1; equal weights if None.
        rtol: relative accuracy of W2^2, >= 1e-13.

    Raises:
        InputError, DomainError: as for :func:`w2_samples_1d` and :func:`w2_quantiles`.
    """
    points, u = _steps("x", x, weights)
    jumps = ndtri(u[:-1])
    return _w2_scores(lambda z: points[np.minimum(np.searchsorted(jumps, z), len(points) - 1)], _score(quantile), jumps, rtol)


def w2_sample_normal(x: npt.ArrayLike, mean: float, deviation: float, weights: npt.ArrayLike | None = None) -> float:
    """W2 between a weighted point set and N(mean, deviation^2), in closed form.

    W2^2 = sum_i w_i (x_i - c_i)^2 + the variance within the quantile cells, c_i the conditional mean of cell i: no cancellation
    but in the second part, whose error is about 1e-15 deviation^2.

    Args:
        x: points, shape (n,).
        mean: mean of the normal law.
        deviation: its standard deviation, >= 0.
        weights: shape (n,), >= 0, scaled to sum 1; equal weights if None.

    Raises:
        InputError: shapes that do not fit, or entries that are not finite.
        DomainError: weights or a deviation outside their domain.
    """
    points, u = _steps("x", x, weights)
    if not 0 <= deviation < math.inf or not math.isfinite(mean):
        raise DomainError(f"mean is {mean} and deviation {deviation}; both must be finite and deviation >= 0")
    edges = ndtri(np.concatenate(([0.0], u)))
    mass, density = np.diff(np.concatenate(([0.0], u))), np.exp(-edges * edges / 2) / math.sqrt(2 * math.pi)
    first = density[:-1] - density[1:]
    kept = mass > 0
    centre = np.divide(first, mass, out=np.zeros_like(first), where=kept)
    within = max(0.0, 1.0 - float(np.dot(first[kept], centre[kept])))
    return math.sqrt(float(np.dot(mass, np.square(points - mean - deviation * centre))) + deviation**2 * within)


def w2_quantiles(q1: Function, q2: Function, *, breaks: npt.ArrayLike = (), rtol: float = 1e-10) -> float:
    """W2 between two laws on the line given by their quantile functions.

    The integral of |q1(u) - q2(u)|^2 over (0, 1), in z = Phi^-1(u) on [-8.2, 8.2], by adaptive Lobatto quadrature. The relative
    accuracy of W2^2 is ``rtol``, the absolute accuracy of W2 about 1e-13 of the root mean square of the laws, if both quantile
    functions are exact to rounding, grow at most polynomially in z, and no rise and fall of their difference hides between two
    nodes (6 in each quarter of z to begin with). Jumps are found by bisection; naming them in ``breaks`` is faster and safer. A
    law with tails so heavy that the cut matters is refused.

    Args:
        q1: vectorised quantile function on (0, 1).
        q2: likewise.
        breaks: levels u in (0, 1) where a quantile function jumps.
        rtol: relative accuracy of W2^2, >= 1e-13.

    Raises:
        InputError: a quantile function returning a wrong shape or values that are not finite, or no convergence.
        DomainError: tails too heavy, or a level or ``rtol`` outside its domain.
    """
    levels = np.asarray(breaks, dtype=np.float64)
    if levels.ndim != 1 or not ((levels > 0) & (levels < 1)).all():
        raise DomainError("breaks must be a list of levels in (0, 1)")
    return _w2_scores(_score(q1), _score(q2), ndtri(np.sort(levels)), rtol)


def _score(quantile: Function) -> Function:
    """A quantile function of z = Phi^-1(u), with its values checked."""
    last = np.nextafter(1.0, 0.0)

    def at(z: Array) -> Array:
        return _values("the quantile function", quantile, np.minimum(ndtr(z), last))

    return at


def _values(name: str, function: Function, at: Array) -> Array:
    values = np.asarray(function(at), dtype=np.float64)
    if values.shape != at.shape:
        raise InputError(f"{name} returned shape {values.shape}; it must be vectorised and return {at.shape}")
    if not np.isfinite(values).all():
        raise InputError(f"{name} returned a value that is not finite at {at.flat[np.argmin(np.isfinite(values))]:.17g}")
    return values


def _w2_scores(g1: Function, g2: Function, jumps: Array, rtol: float) -> float:
    """The root of the integral of |g1(z) - g2(z)|^2 phi(z)."""
    if not rtol >= 1e-13:
        raise DomainError(f"rtol is {rtol}; it must be >= 1e-13")

    def square(z: Array) -> Array:
        return np.asarray(np.square(g1(z) - g2(z)) * np.exp(-z * z / 2) / math.sqrt(2 * math.pi))

    # off centre: with an edge at 0 a jump next to 0 can leave |g1 - g2| as it was in symmetric settings
    quarters = np.concatenate(([-REACH], np.arange(-32, 33) / 4 + 0.07, [REACH]))
    edges = np.union1d(quarters, jumps[np.abs(jumps) < REACH])
    scale = float(
        _lobatto_sums(lambda z: (np.square(g1(z)) + np.square(g2(z))) * np.exp(-z * z / 2), edges[:-1], edges[1:]).sum()
    )
    rounding = 1e-15 * math.sqrt(scale)

    def allowed(total: float) -> float:
        return max(rtol * total, rounding * (math.sqrt(total) + rounding))

    total, _ = _integrate(square, edges, allowed, "|q1 - q2|^2")
    ends = _lobatto_sums(square, np.array([-REACH, REACH - 0.2]), np.array([0.2 - REACH, REACH]))
    if ends.max() > allowed(total):
        raise DomainError(
            f"the tails are too heavy: {ends.max():.2g} of W2^2 = {total:.3g} lie within 6e-16 of an end; give a larger rtol"
        )
    return math.sqrt(total)


# Quadrature --------------------------------------------------------------------------------------------------------------


def _lobatto(count: int) -> tuple[Array, Array]:
    """Nodes and weights on [-1, 1] of Lobatto quadrature, its end nodes moved in by 1e-9.

    A jump anywhere in the cell then lies between two nodes, so it is noticed; one at the very end of the cell is outside.
    """
    inner = np.polynomial.Legendre.basis(count - 1).deriv().roots()
    nodes = np.concatenate(([1e-9 - 1], inner, [1 - 1e-9]))
    powers = np.arange(count)
    weights = np.linalg.solve(np.vander(nodes, increasing=True).T, (1 - (-1.0) ** (powers + 1)) / (powers + 1))
    return nodes, weights


NODES, WEIGHTS = _lobatto(6)
MAX_CELLS = 1 << 20
"""Most cells that may wait for halving, beyond the cells quadrature begins with."""


def _lobatto_sums(function: Function, low: Array, high: Array) -> Array:
    """Integrals over the cells [low, high] by Lobatto quadrature."""
    half = (high - low) / 2
    result = np.empty_like(half)
    for start in range(0, len(half), 1 << 15):
        part = slice(start, start + (1 << 15))
        nodes = (low[part] + half[part])[:, None] + half[part, None] * NODES
        result[part] = half[part] * (function(nodes.ravel()).reshape(nodes.shape) @ WEIGHTS)
    return result


def _integrate(function: Function, edges: Array, allowed: Callable[[float], float], name: str) -> tuple[float, Array]:
    """Integral over all cells and the edges of the final ones.

    Each cell is compared with its two halves, and halved until the differences sum to ``allowed(total)``.
    """
    low, high = edges[:-1], edges[1:]
    whole = _lobatto_sums(function, low, high)
    settled, final, limit = 0.0, [edges], len(low) + MAX_CELLS
    while True:
        middle = (low + high) / 2
        left, right = _lobatto_sums(function, low, middle), _lobatto_sums(function, middle, high)
        error, total = np.abs(left + right - whole), settled + float((left + right).sum())
        split = (error > allowed(total) / (2 * len(error))) & (low < middle) & (middle < high)
        if error.sum() <= allowed(total) or not split.any():
            return total, np.sort(np.concatenate(final))
        settled += float((left + right)[~split].sum())
        final.append(middle[split])
        low, high = np.concatenate((low[split], middle[split])), np.concatenate((middle[split], high[split]))
        whole = np.concatenate((left[split], right[split]))
        if len(low) > limit:
            raise InputError(f"the integral of {name} does not converge: the functions are too rough, or not accurate enough")


# Samples -----------------------------------------------------------------------------------------------------------------


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
    count, rng = _integer("projections", projections, 1), np.random.default_rng(_integer("seed", seed, 0))

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
    a, b = _finite("x", x, 2), _finite("y", y, 2)
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


# Total variation ---------------------------------------------------------------------------------------------------------


def gaussian_tv_1d(m1: float, s1: float, m2: float, s2: float) -> float:
    """Total variation (sup over events, in [0, 1]) between N(m1, s1^2) and N(m2, s2^2).

    Closed form from the two points where the densities cross; every difference is formed without cancellation, so the relative
    accuracy is about 1e-14 for nearly equal laws too.

    Args:
        m1: mean, finite.
        s1: standard deviation > 0.
        m2: mean, finite.
        s2: standard deviation > 0.

    Raises:
        DomainError: a mean or standard deviation outside its domain.
    """
    for name, value in (("m1", m1), ("m2", m2), ("s1", s1), ("s2", s2)):
        if not math.isfinite(value) or (name[0] == "s" and value <= 0):
            raise DomainError(f"{name} is {value}; it must be finite" + (" and > 0" if name[0] == "s" else ""))
    narrow, wide = sorted((float(s1), float(s2)))
    # in units of the narrow law N(0, 1); the wide one is N(m, r^2) with m >= 0 and r = 1 + excess
    m, excess = abs(m1 - m2) / narrow, (wide - narrow) / narrow
    r = 1 + excess
    if excess * (1 + r) == 0 or math.isinf(m):
        return math.erf(m / math.sqrt(8))
    if math.isinf(r * r):
        return 1.0
    gap = 2 * math.log1p(excess)  # the densities cross where (r^2 - 1) x^2 + 2 m x - m^2 - r^2 gap = 0
    root = math.sqrt(m * m + excess * (1 + r) * gap)
    left = -(m + r * root) / (excess * (1 + r))
    right = (m * m + r * r * gap) / (m + r * root)
    right_gap = (excess * right + m) / r  # right - (right - m)/r
    left_gap = excess * gap / (root + m)  # (left - m)/r - left
    return min(1.0, _normal_mass(right - right_gap, right_gap) + _normal_mass(left, left_gap))


def _normal_mass(a: float, width: float) -> float:
    """Phi(a + width) - Phi(a), width >= 0."""
    if width < 0.5:
        nodes = a + width * (1 + _FINE_NODES) / 2
        return width / 2 * float(np.exp(-nodes * nodes / 2) @ _FINE_WEIGHTS) / math.sqrt(2 * math.pi)
    return float(ndtr(a + width) - ndtr(a))


_FINE_NODES, _FINE_WEIGHTS = (np.asarray(a, dtype=np.float64) for a in np.polynomial.legendre.leggauss(12))


def gaussian_tv(mean1: npt.ArrayLike, mean2: npt.ArrayLike, covariance: npt.ArrayLike) -> float:
    """Total variation between N(mean1, C) and N(mean2, C): 2 Phi(r/2) - 1, r = |C^(-1/2) (mean1 - mean2)|.

    Args:
        mean1: shape (d,).
        mean2: shape (d,).
        covariance: C, shape (d, d), symmetric positive definite.

    Raises:
        InputError: shapes that do not fit, or entries that are not finite.
        DomainError: a covariance that is not symmetric positive definite.
    """
    m1, m2, C = _mean("mean1", mean1), _mean("mean2", mean2), _covariance("covariance", covariance)
    _same_dimension(mean1=len(m1), mean2=len(m2), covariance=len(C))
    try:
        L = np.linalg.cholesky(C)
    except np.linalg.LinAlgError:
        raise DomainError("covariance is not positive definite; the total variation needs a density") from None
    return float(erf(_norm(scipy.linalg.solve_triangular(L, m1 - m2, lower=True)) / math.sqrt(8)))


def tv_densities_1d(log_p: Function, log_q: Function, lower: float, upper: float) -> float:
    """Total variation between two laws on the line with log densities log_p and log_q: half the integral of |p - q|.

    Adaptive Lobatto quadrature, on cells that resolve both densities and their crossings; absolute accuracy 1e-12 for densities
    that are smooth but for jumps and kinks. Both must have mass 1 within 1e-9 on [lower, upper]: that is checked, and catches a
    piece hiding between the nodes of the first 512 cells (mass missing outside counts at most half in the result).

    Args:
        log_p: vectorised log density; -inf where the density is 0.
        log_q: likewise.
        lower: finite lower end.
        upper: finite upper end, > lower.

    Raises:
        InputError: a log density of a wrong shape, not a number or +inf; or no convergence.
        DomainError: ends that are no interval, or a mass that is not 1.
    """
    if not (math.isfinite(lower) and math.isfinite(upper) and lower < upper):
        raise DomainError(f"lower is {lower} and upper {upper}; finite numbers with lower < upper are needed")
    start = np.linspace(lower, upper, 513)
    cells = start

    def log_density(function: Function, x: Array) -> Array:
        values = np.asarray(function(x), dtype=np.float64)
        if values.shape != x.shape or np.isnan(values).any() or (values == np.inf).any():
            raise InputError(
                f"a log density returned shape {values.shape}, nan or inf; shape {x.shape} and values < inf are needed"
            )
        return values

    for name, function in (("p", log_p), ("q", log_q)):
        mass, resolved = _integrate(lambda x, g=function: np.exp(log_density(g, x)), start, lambda _: 1e-12, name)  # type: ignore[misc]
        cells = np.union1d(cells, resolved)
        if abs(mass - 1) > 1e-9:
            raise DomainError(f"density {name} has mass {mass:.12g} on [{lower:g}, {upper:g}]; it must be 1 within 1e-9")

    def excess(x: Array) -> Array:
        """(p - q)/2."""
        a, b = log_density(log_p, x), log_density(log_q, x)
        high = np.maximum(a, b)
        gap = np.subtract(a, b, out=np.zeros_like(high), where=high > -np.inf)
        return np.asarray(np.copysign(np.exp(high) * np.expm1(-np.abs(gap)) / 2, gap))

    cells = np.union1d(cells, _crossings(excess, cells))
    return min(1.0, _integrate(lambda x: np.abs(excess(x)), cells, lambda _: 1e-14, "|p - q|")[0])


def _crossings(function: Function, edges: Array) -> Array:
    """Where the function changes its sign, one point for each cell with different signs at its ends; by bisection."""
    signs = np.sign(function(edges))
    changes = signs[:-1] * signs[1:] < 0
    low, high, left = edges[:-1][changes], edges[1:][changes], signs[:-1][changes]
    for _ in range(60):
        middle = (low + high) / 2
        before = np.sign(function(middle)) == left
        low, high = np.where(before, middle, low), np.where(before, high, middle)
    return np.asarray(low)


# Checks ------------------------------------------------------------------------------------------------------------------


def _finite(name: str, values: npt.ArrayLike, dimensions: int) -> Array:
    try:
        x = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{name} is not an array of real numbers") from None
    if x.ndim != dimensions or x.size == 0:
        raise InputError(f"{name} has shape {x.shape}; {dimensions} dimension{'s' * (dimensions > 1)} and an entry are needed")
    if not np.isfinite(x).all():
        raise InputError(f"{name} has entries that are not finite")
    return x


def _mean(name: str, values: npt.ArrayLike) -> Array:
    return _finite(name, values, 1)


def _covariance(name: str, values: npt.ArrayLike) -> Array:
    C = _finite(name, values, 2)
    if C.shape[0] != C.shape[1]:
        raise InputError(f"{name} has shape {C.shape}; a square matrix is needed")
    gap = float(np.abs(C - C.T).max())
    if gap > 1e-10 * float(np.abs(C).max()):
        raise DomainError(f"{name} differs from its transpose by {gap:.3g}; it must be symmetric")
    return (C + C.T) / 2


def _same_dimension(**lengths: int) -> None:
    if len(set(lengths.values())) > 1:
        raise InputError("the dimensions differ: " + ", ".join(f"{name} {length}" for name, length in lengths.items()))


def _norm(x: Array) -> float:
    return float(np.linalg.norm(x))


def _pair(x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[Array, Array]:
    a, b = _finite("x", x, 2), _finite("y", y, 2)
    if a.shape[1] != b.shape[1]:
        raise InputError(f"x has {a.shape[1]} columns and y {b.shape[1]}; equal numbers are needed")
    if min(len(a), len(b)) < 2 * BATCHES:
        raise InputError(f"x and y have {len(a)} and {len(b)} rows; at least {2 * BATCHES} are needed")
    return a, b


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise DomainError(f"level is {level}; it must lie in (0, 1)")


def _integer(name: str, value: Any, least: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        raise InputError(f"{name} is {value!r}; an integer is needed") from None
    if number < least:
        raise DomainError(f"{name} is {value}; it must be >= {least}")
    return number
