"""Distances between Gaussians in closed form."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import scipy.linalg
from scipy.linalg.lapack import dgesvd, dgesvd_lwork, dpotrf, dsygst
from scipy.special import gammainc, ndtr

from cmbound.checks import checked_count, checked_float
from cmbound.distances.arguments import Array, covariance_matrix, finite_array, same_dimension
from cmbound.distances.scaling import Scaled, differences, exponent, norm, scaled, together, unscaled
from cmbound.errors import DomainError


def gaussian_w2(mean1: npt.ArrayLike, cov1: npt.ArrayLike, mean2: npt.ArrayLike, cov2: npt.ArrayLike) -> float:
    """W2 between N(mean1, cov1) and N(mean2, cov2), the Bures-Wasserstein distance.

    For any two laws with these means and covariances it is a lower bound of their W2 (Gelbrich 1990, "On a formula for the L2
    Wasserstein metric between measures on Euclidean and Hilbert spaces", Math. Nachr. 147).

    Given the **moments of samples** it is an estimate that is biased upwards: two samples of one law have different moments. The
    bias is about (2 d + d (d + 1)/2)^(1/2) n^(-1/2) standard deviations for two samples of n rows of N(0, I), where the truth is
    0; no interval is attached (:func:`w2_samples` has one).

    Far from cancellation the trace formula is used, where its rounding error is below 1e-12 of W2; between close laws, whose
    covariances have a small condition number, the transport map less the identity; otherwise square roots of the covariances
    and :func:`gaussian_w2_factors`. The distance moves by up to (max eigenvalue x 1e-16)^(1/2) when a **singular**
    covariance is rounded to float64, and no method can undo that: where that matters, give factors.

    Args:
        mean1, mean2: shape (d,).
        cov1, cov2: shape (d, d), symmetric and positive semi-definite up to rounding.

    Raises:
        InputError: shapes that do not fit, or entries that are not finite.
        DomainError: a covariance that is not symmetric or not positive semi-definite, or a distance beyond float64.
    """
    m1, m2 = finite_array("mean1", mean1, 1), finite_array("mean2", mean2, 1)
    C1, C2 = covariance_matrix("cov1", cov1), covariance_matrix("cov2", cov2)
    same_dimension(mean1=len(m1), cov1=len(C1), mean2=len(m2), cov2=len(C2))
    shift = _apart(m1, m2)
    if np.array_equal(C1, C2):
        return unscaled(*shift)
    half = (exponent(C1, C2) + 1) // 2  # of the standard deviations
    C1, C2 = scaled(C1, 2 * half), scaled(C2, 2 * half)
    value = _by_trace(C1, C2)
    value = _of_neighbours(C1, C2) if value is None else value
    return together(shift, (_graded(_root("cov1", C1, half), _root("cov2", C2, half)) if value is None else value, half))


def gaussian_w2_factors(mean1: npt.ArrayLike, A: npt.ArrayLike, mean2: npt.ArrayLike, B: npt.ArrayLike) -> float:
    """W2 between N(mean1, A A^T) and N(mean2, B B^T), any factors; accurate to about 1e-15 of the scale, however near the laws.

    W2^2 = |mean1 - mean2|^2 + min |A - B U|_F^2 over orthogonal U, attained at U = V W^T of the singular value decomposition
    B^T A = V S W^T (A and B padded with zero columns to the same width; Bhatia, Jain and Lim 2019, theorem 1).

    Args:
        mean1, mean2: shape (d,).
        A, B: shapes (d, p) and (d, q).

    Raises:
        InputError: shapes that do not fit, or entries that are not finite.
        DomainError: a distance beyond float64.
    """
    m1, m2 = finite_array("mean1", mean1, 1), finite_array("mean2", mean2, 1)
    F, G = finite_array("A", A, 2), finite_array("B", B, 2)
    same_dimension(mean1=len(m1), A=len(F), mean2=len(m2), B=len(G))
    e = exponent(F, G)
    return together(_apart(m1, m2), (_graded(_columns(scaled(F, e)), _columns(scaled(G, e))), e))


def _apart(m1: Array, m2: Array) -> Scaled:
    """|m1 - m2|."""
    apart, e = differences(m1, m2)
    return float(norm(apart)), e


def _columns(F: Array) -> Array:
    """F Q for an orthogonal Q, with at most d columns, orthogonal and falling in size."""
    if np.count_nonzero(F) == np.count_nonzero(F.diagonal()):
        return np.asarray(F[:, np.argsort(-np.abs(F.diagonal()), kind="stable")])
    return np.asarray(F @ np.linalg.svd(F, full_matrices=False)[2].T)


def _root(name: str, C: Array, half: int) -> Array:
    """A factor of C with orthogonal columns falling in size; C is 2^(-2 half) times the covariance given."""
    values, vectors = scipy.linalg.eigh(C)
    if values[0] < -1e-10 * max(values[-1], 0.0):
        raise DomainError(f"{name} has the eigenvalue {np.ldexp(values[0], 2 * half):.3g}; it must be positive semi-definite")
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0)))[:, ::-1])


def _graded(A: Array, B: Array) -> float:
    """min |A - B U|_F over orthogonal U; the columns of A and B are orthogonal and fall in size."""
    if width := A.shape[1] - B.shape[1]:
        A, B = (np.pad(X, ((0, 0), (0, max(0, more)))) for X, more in ((A, -width), (B, width)))
    # B^T A is graded in rows and columns, and QR iteration (gesvd) keeps its small singular vectors; divide and conquer does not:
    # it is off by 1e-8 when the covariances have condition number 1e16.
    M = B.T @ A
    V, _, Wt, failed = dgesvd(M, lwork=int(dgesvd_lwork(*M.shape)[0]))
    if failed:
        raise np.linalg.LinAlgError("the singular value decomposition did not converge")
    return float(norm(A - B @ (V @ Wt)))


def _by_trace(C1: Array, C2: Array) -> float | None:
    """W2 of centred laws by the trace formula; None if a covariance is singular or the formula would lose digits."""
    L, failed = dpotrf(C1, lower=1)
    if failed:
        return None
    M, _ = dsygst(C2, L, itype=2, lower=1)  # L^T C2 L, its lower half
    values = scipy.linalg.eigvalsh(M, check_finite=False, driver="evd")
    if values[0] <= 0:
        return None
    roots = np.sqrt(values)
    traces = float(np.trace(C1) + np.trace(C2))
    square = traces - 2 * float(roots.sum())
    noise = 8 * np.finfo(np.float64).eps * (traces + values[-1] * float((1 / roots).sum()))
    return math.sqrt(square) if noise < 2e-12 * square else None


def _of_neighbours(C1: Array, C2: Array) -> float | None:
    """W2 of close centred laws by the transport map; None if they are not close, or C1 is too near a singular matrix.

    With S = C1^(1/2) the map is I + S^-1 X S^-1, where C1 X + X C1 + X^2 = S (C2 - C1) S: entry by entry in the basis of the
    eigenvectors of C1, but for the square, which is small. W2^2 = tr(X^2 C1^-1) then has no cancellation left.
    """
    values, vectors = scipy.linalg.eigh(C1, check_finite=False, driver="evd")
    if values[0] <= 0 or 8 * np.finfo(np.float64).eps * values[-1] > 2e-12 * values[0]:
        return None
    wanted = vectors.T @ (C2 - C1) @ vectors * np.sqrt(np.outer(values, values))
    sums = values[:, None] + values
    X = wanted / sums
    if norm(X) > _CLOSE * values[0]:
        return None
    for _ in range(_CORRECTIONS):
        before, X = X, (wanted - X @ X) / sums
        if norm(X - before) <= np.finfo(np.float64).eps * norm(X):
            break
    return float(norm(X / np.sqrt(values)))


_CLOSE = 0.05  # of the smallest eigenvalue: what the square changes falls by so much with each correction
_CORRECTIONS = 16  # more than the digits of float64


def _finite(name: str, value: float, *, positive: bool = False) -> float:
    number = checked_float(name, value)
    if not math.isfinite(number) or (positive and number <= 0):
        raise DomainError(f"{name} is {number:g}; it must be finite{' and > 0' * positive}")
    return number


def gaussian_tv_1d(m1: float, s1: float, m2: float, s2: float) -> float:
    """Total variation (sup over events, in [0, 1]) between N(m1, s1^2) and N(m2, s2^2).

    Closed form from the two points where the densities cross; every difference is formed without cancellation, so the relative
    accuracy is about 1e-14 for nearly equal laws too.

    Args:
        m1, m2: means, finite.
        s1, s2: standard deviations > 0.

    Raises:
        DomainError: a mean or standard deviation outside its domain.
    """
    m1, m2 = _finite("m1", m1), _finite("m2", m2)
    s1, s2 = _finite("s1", s1, positive=True), _finite("s2", s2, positive=True)
    narrow, wide = sorted((s1, s2))
    # in units of the narrow law N(0, 1); the wide one is N(m, r^2) with m >= 0 and r = 1 + excess
    m, excess = abs(m1 - m2) / narrow, (wide - narrow) / narrow
    r = 1 + excess
    if excess == 0:
        return math.erf(m / math.sqrt(8))
    if max(m, r) > 1e75:  # almost all mass of one law lies where the other has almost none
        return 1.0
    gap = 2 * math.log1p(excess)  # the densities cross where (r^2 - 1) x^2 + 2 m x - m^2 - r^2 gap = 0
    root = math.sqrt(m * m + excess * (1 + r) * gap)
    left = -(m + r * root) / (excess * (1 + r))
    right = (m * m + r * r * gap) / (m + r * root)
    right_gap = (excess * right + m) / r  # right - (right - m)/r
    left_gap = excess * gap / (root + m)  # (left - m)/r - left
    return min(1.0, _normal_mass(right - right_gap, right_gap) + _normal_mass(left, left_gap))


def gaussian_tv_centred(d: int, s1: float, s2: float) -> float:
    """Total variation between N(m, s1^2 I) and N(m, s2^2 I) in R^d, for any common mean m.

    The densities cross on a sphere, so that it is a difference of two chi-square probabilities (absolute accuracy about 1e-15).

    Args:
        d: dimension >= 1.
        s1, s2: standard deviations > 0.

    Raises:
        DomainError: an argument outside its domain.
    """
    d, s1, s2 = checked_count("d", d), _finite("s1", s1, positive=True), _finite("s2", s2, positive=True)
    narrow, wide = sorted((s1, s2))
    excess = (wide - narrow) / narrow * (1 + wide / narrow)  # ratio of the variances minus 1
    if excess == 0:
        return 0.0
    if math.isinf(excess):
        return 1.0
    outer = math.log1p(excess) / excess  # squared radius of the sphere over d wide^2
    return float(gammainc(d / 2, d * outer * (1 + excess) / 2) - gammainc(d / 2, d * outer / 2))


def _normal_mass(a: float, width: float) -> float:
    """Phi(a + width) - Phi(a), width >= 0."""
    if width < 0.5:
        nodes = a + width * (1 + _FINE_NODES) / 2
        return width / 2 * float(np.exp(-nodes * nodes / 2) @ _FINE_WEIGHTS) / math.sqrt(2 * math.pi)
    return float(ndtr(a + width) - ndtr(a))


_FINE_NODES, _FINE_WEIGHTS = (np.asarray(a, dtype=np.float64) for a in np.polynomial.legendre.leggauss(12))
