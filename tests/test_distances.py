"""Distances against POT, mpmath and closed forms; estimates against the truth."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import numpy.typing as npt
import ot
import pytest
from scipy import stats
from scipy.integrate import trapezoid
from scipy.optimize import linear_sum_assignment

from cmbound.distances import (
    coupling_w2,
    gaussian,
    gaussian_tv_1d,
    gaussian_tv_centred,
    gaussian_w2,
    gaussian_w2_factors,
    scaling,
    sliced_w2,
    w2_samples,
    w2_samples_1d,
)
from cmbound.errors import DomainError, InputError

Array = npt.NDArray[np.float64]


def orthogonal(rng: np.random.Generator, d: int) -> Array:
    return np.linalg.qr(rng.standard_normal((d, d)))[0]


def exact_w2(A: Array, B: Array) -> mpmath.mpf:
    """|A|^2 + |B|^2 - 2 (nuclear norm of B^T A), with 60 digits."""
    with mpmath.workdps(60):
        a, b = mpmath.matrix(A.tolist()), mpmath.matrix(B.tolist())
        trace = sum((x * x for x in a), mpmath.mpf(0)) + sum((x * x for x in b), mpmath.mpf(0))
        gram = b.T * a
        singular = mpmath.svd_r(gram if gram.rows >= gram.cols else gram.T, compute_uv=False)
        return mpmath.sqrt(abs(trace - 2 * sum(singular, mpmath.mpf(0))))


# Gaussian laws --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_bures_is_that_of_pot(seed: int) -> None:
    rng = np.random.default_rng(seed)
    d = int(rng.integers(1, 12))
    X, Y = rng.standard_normal((2, d, d + 3))
    m1, m2 = rng.standard_normal((2, d))
    expected = ot.gaussian.bures_wasserstein_distance(m1, m2, X @ X.T, Y @ Y.T)
    assert gaussian_w2(m1, X @ X.T, m2, Y @ Y.T) == pytest.approx(expected, rel=1e-10)
    assert gaussian_w2_factors(m1, X, m2, Y) == pytest.approx(expected, rel=1e-10)


def test_bures_by_trace_and_by_factors_agree() -> None:
    rng = np.random.default_rng(0)
    C1, C2 = (X @ X.T for X in rng.standard_normal((2, 30, 90)))
    direct = gaussian._by_trace(C1, C2)
    assert direct is not None
    assert direct == pytest.approx(gaussian._graded(gaussian._root("", C1, 0), gaussian._root("", C2, 0)), rel=1e-12)


@pytest.mark.parametrize("shift", [1e-3, 1e-6, 1e-12])
def test_bures_of_neighbours_has_all_digits(shift: float) -> None:
    """Against 60 digits, where square roots of the covariances have lost those of the distance."""
    rng = np.random.default_rng(2)
    X = rng.standard_normal((6, 12))
    C1 = X @ X.T
    E = rng.standard_normal((6, 6))
    C2 = C1 + shift * (E + E.T)
    with mpmath.workdps(60):
        A, B = (mpmath.cholesky(mpmath.matrix(C.tolist())) for C in (C1, C2))
        traces = sum((x * x for x in (*A, *B)), mpmath.mpf(0))
        exact = float(mpmath.sqrt(traces - 2 * sum(mpmath.svd_r(B.T * A, compute_uv=False), mpmath.mpf(0))))
    found = gaussian._of_neighbours(C1, C2)
    assert found == pytest.approx(exact, rel=1e-13)
    assert gaussian_w2(np.zeros(6), C1, np.zeros(6), C2) == pytest.approx(exact, rel=2e-12)
    assert gaussian._of_neighbours(C1, 2 * C1) is None  # not close
    assert gaussian._of_neighbours(C1 * np.diag([1, 1, 1, 1, 1, 1e-9]), C2) is None


@pytest.mark.parametrize("ranks", [(2, 5), (2, 3), (0, 4), (3, 3)])
def test_singular_covariances(ranks: tuple[int, int]) -> None:
    """Against 60 digits, and against POT (which finds no square root) with a ridge of 1e-6."""
    rng = np.random.default_rng(1)
    A, B = (np.hstack((rng.standard_normal((5, r)), np.zeros((5, 1)))) for r in ranks)
    z = np.zeros(5)
    exact = float(exact_w2(A, B))
    assert gaussian_w2_factors(z, A, z, B) == pytest.approx(exact, rel=1e-14)
    assert gaussian_w2(z, A @ A.T, z, B @ B.T) == pytest.approx(exact, rel=1e-7)
    ridge = 1e-6 * np.eye(5)
    theirs = float(ot.gaussian.bures_wasserstein_distance(z, z, A @ A.T + ridge, B @ B.T + ridge))
    assert abs(theirs - exact) <= 2 * math.sqrt(5e-6)


@pytest.mark.parametrize("shift", [1e-2, 1e-5, 1e-9, 1e-13])
@pytest.mark.parametrize("decades", [0, 4, 8, 14])
def test_nearly_equal_factors(shift: float, decades: int) -> None:
    """Absolute error 1e-15 of the scale, also for covariances of condition number 1e28 and rectangular factors."""
    rng = np.random.default_rng(decades)
    for p, q in ((5, 5), (3, 7), (9, 5), (5, 2)):
        width = min(p, q, 5)
        core = (orthogonal(rng, 5) * np.logspace(0, -decades, 5))[:, :width]
        A = np.hstack((core, np.zeros((5, p - width)))) @ orthogonal(rng, p)
        B = np.hstack((core + shift * rng.standard_normal(core.shape), np.zeros((5, q - width)))) @ orthogonal(rng, q)
        z = np.zeros(5)
        exact = exact_w2(A, B)
        assert abs(gaussian_w2_factors(z, A, z, B) - exact) <= 3e-15 * np.linalg.norm(A)
        assert abs(gaussian_w2_factors(z, B, z, A) - exact) <= 3e-15 * np.linalg.norm(A)


def test_equal_laws_with_condition_number_1e24() -> None:
    """Divide and conquer in place of QR iteration is off by 1e-8 here."""
    rng = np.random.default_rng(1)
    A = (orthogonal(rng, 60) * np.logspace(0, -12, 60)) @ orthogonal(rng, 60)
    z = np.zeros(60)
    assert gaussian_w2_factors(z, A, z, A @ orthogonal(rng, 60)) <= 1e-14 * np.linalg.norm(A)


@pytest.mark.parametrize("shift", [1e-2, 1e-6, 1e-10])
def test_nearly_equal_covariances(shift: float) -> None:
    """Integer covariances, exact as floats, moved by an exact multiple of a power of two; 60-digit square roots as reference."""
    rng = np.random.default_rng(2)
    X = rng.integers(-5, 6, (4, 8))
    C1 = (X @ X.T + 5 * np.eye(4, dtype=int)).astype(np.float64)
    move = 2.0 ** round(math.log2(shift))
    C2 = C1 + move * np.diag([1.0, 3.0, 2.0, 1.0]) + move * (np.eye(4, k=1) + np.eye(4, k=-1))
    m = np.zeros(4)
    with mpmath.workdps(60):
        roots = []
        for C in (C1, C2):
            values, vectors = mpmath.eigsy(mpmath.matrix(C.tolist()))
            roots.append(vectors * mpmath.diag([mpmath.sqrt(x) for x in values]) * vectors.T)
        singular = mpmath.svd_r(roots[1] * roots[0], compute_uv=False)
        exact = mpmath.sqrt(mpmath.mpf(np.trace(C1)) + mpmath.mpf(np.trace(C2)) - 2 * sum(singular, mpmath.mpf(0)))
        assert exact > shift / 100
        assert abs(gaussian_w2(m, C1, m, C2) - exact) <= 1e-13 * math.sqrt(np.trace(C1))


def test_commuting_covariances() -> None:
    rng = np.random.default_rng(3)
    Q, a, b, m = orthogonal(rng, 6), rng.uniform(0.1, 3, 6), rng.uniform(0.1, 3, 6), rng.standard_normal(6)
    expected = math.sqrt(m @ m + np.square(a - b).sum())
    assert gaussian_w2(m, (Q * a**2) @ Q.T, np.zeros(6), (Q * b**2) @ Q.T) == pytest.approx(expected, rel=1e-13)
    assert gaussian_w2_factors(m, Q * a, np.zeros(6), -Q * b) == pytest.approx(expected, rel=1e-14)


def test_equal_and_degenerate_gaussian_laws() -> None:
    rng = np.random.default_rng(4)
    A, Q, m = rng.standard_normal((5, 5)), orthogonal(rng, 5), rng.standard_normal(5)
    assert gaussian_w2(m, A @ A.T, m, A @ A.T) == 0
    assert gaussian_w2_factors(m, A, m, A @ Q) < 1e-14
    ones = np.ones((2, 2))  # one eigenvalue of L^T C2 L is zero or a rounding error of either sign
    for c in (1.0, 3.0, 0.7):
        assert gaussian_w2(np.zeros(2), [[2, 1], [1, 2]], np.zeros(2), c * ones) == pytest.approx(
            math.sqrt(4 + 2 * c - 2 * math.sqrt(c * ones.ravel() @ [2, 1, 1, 2])), rel=1e-12
        )
    assert gaussian_w2([1.0], [[0.0]], [4.0], [[16.0]]) == pytest.approx(5, rel=1e-15)
    assert gaussian_w2(np.zeros(2), np.zeros((2, 2)), np.zeros(2), np.diag([9.0, 16.0])) == pytest.approx(5, rel=1e-15)


def test_gelbrich_lower_bound() -> None:
    """The distance of the moments is below that of two samples with these moments."""
    rng = np.random.default_rng(5)
    x, y = rng.exponential(size=(60, 2)), rng.uniform(size=(60, 2)) ** 3
    bound = gaussian_w2(x.mean(axis=0), np.cov(x.T, bias=True), y.mean(axis=0), np.cov(y.T, bias=True))
    value = w2_samples(x, y).value
    assert 0.5 * value < bound <= value


# One dimension --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "m"), [(1, 1), (7, 7), (5, 8), (1, 6), (40, 17)])
@pytest.mark.parametrize("weighted", [False, True])
def test_w2_of_samples_is_that_of_pot(n: int, m: int, weighted: bool) -> None:
    rng = np.random.default_rng(n + m)
    x, y = rng.standard_normal(n), rng.integers(0, 3, m).astype(np.float64)
    u, v = (rng.uniform(size=n), rng.uniform(size=m)) if weighted else (None, None)
    found = w2_samples_1d(x, y, u, v)
    a, b = (None if w is None else w / w.sum() for w in (u, v))
    assert found**2 == pytest.approx(ot.wasserstein_1d(x, y, a, b, p=2).item(), rel=1e-11)
    full = ot.emd2(ot.unif(n) if a is None else a, ot.unif(m) if b is None else b, (x[:, None] - y) ** 2)
    assert found**2 == pytest.approx(full, rel=1e-9)


def test_w2_of_repeated_points_and_zero_weights() -> None:
    x = np.array([3.0, 1.0, 2.0])
    assert w2_samples_1d(x, np.repeat(x, 4)) < 1e-15
    assert w2_samples_1d(x, [1.0, 2.0], [1, 0, 2], None) == w2_samples_1d([3.0, 2.0], [2.0, 1.0], [1, 2], [3, 3])
    assert w2_samples_1d([0.0, 1.0], [0.0, 1.0], [0.25, 0.75], None) == pytest.approx(0.5, rel=1e-15)
    assert w2_samples_1d([0.0, 1.0], [0.0, 1.0], None, [0.25, 0.75]) == pytest.approx(0.5, rel=1e-15)
    assert w2_samples_1d([0.0, 1.0], [0.0, 1.0], [0.25, 0.75], [0.5, 0.5]) == pytest.approx(0.5, rel=1e-15)
    for far, small in ((1e10, 1e-18), (1e155, 1e-300), (1e300, 1e-16)):  # no mass is lost beside a larger one
        for u in ([1, small], [small, 1]):
            found = w2_samples_1d([0.0, far], [0.0, far], u, [float(x == 1) for x in u])
            assert found == pytest.approx(far * math.sqrt(small), rel=1e-12)


# Samples --------------------------------------------------------------------------------------------------------------------


def test_w2_samples_value_is_an_assignment() -> None:
    rng = np.random.default_rng(6)
    x, y = rng.standard_normal((2, 60, 3))
    cost = np.square(x[:, None] - y).sum(axis=2)
    found = w2_samples(x, y)
    assert found.value == pytest.approx(math.sqrt(cost[linear_sum_assignment(cost)].mean()), rel=1e-12)
    assert found.n == 60
    assert 0 <= found.lower <= found.value <= found.upper


SCALES = [10.0**k for k in (0, 3, 5, 7, 12, 30, 100, 200, 300)]


@pytest.mark.parametrize("s", SCALES)
@pytest.mark.parametrize("d", [1, 2, 3])
def test_w2_of_points_on_two_scales(d: int, s: float) -> None:
    """A far point in both sets; far clusters; sets of unequal sizes. All lie on an axis, where sorting gives the truth."""
    a, b, c = (np.random.default_rng(seed).normal(size=n) for seed, n in enumerate((200, 200, 100)))
    far = [s]
    clusters = s * (np.arange(200) % 2)
    for x, y in (
        (np.append(a, far), np.append(b, far)),
        (np.append(a, far * 4), np.append(c, far * 2)),
        (np.append(a, far * 2), np.append(b, far)),  # one has to come from far away
        (a + clusters, b + clusters),
        (a + clusters, b + s * (np.arange(200) % 4)),
        (a * s ** (np.arange(200) / 200), b / s ** (np.arange(200) / 200)),  # all scales between
    ):
        u, v = (np.column_stack((z, *[0 * z] * (d - 1))) for z in (x, y))
        found, truth = w2_samples(u, v), w2_samples_1d(x, y)
        assert found.value == pytest.approx(truth, rel=1e-10)
        assert found.lower <= found.value <= found.upper
    assert w2_samples(u[:, :1], u[:, :1]).value == 0


@pytest.mark.parametrize("s", SCALES)
def test_w2_of_weighted_points_on_two_scales(s: float) -> None:
    """The far point has the same weight in both sets, whatever the order of the others."""
    rng = np.random.default_rng(0)
    w = rng.uniform(size=200)
    for _ in range(20):
        weights = np.append(w, 30.0), np.append(rng.permutation(w), 30.0)
        found = w2_samples_1d(np.append(np.zeros(200), -9 * s), np.append(np.full(200, 1e-3), -9 * s), *weights)
        assert found == pytest.approx(1e-3 * math.sqrt(w.sum() / (w.sum() + 30)), rel=1e-12)


@pytest.mark.parametrize("s", SCALES[1:])
def test_upper_end_does_not_depend_on_a_far_point_outside_the_batches(s: float) -> None:
    """Rows that do not fill a batch are left out of all batches, so that only the value and the batches enter."""
    a, b = np.random.default_rng(3).normal(size=(2, 200, 2))
    near, far = (w2_samples(np.vstack((a, [[p, p]])), np.vstack((b, [[p, p]]))) for p in (SCALES[0], s))
    assert far.upper == pytest.approx(near.upper, rel=2e-2)


@pytest.mark.parametrize("d", [1, 2])
def test_small_distances_beside_far_points_do_not_underflow(d: int) -> None:
    """19 of 20 points move by 1e-3 and the last stays, at 1e200."""
    x, y = np.zeros((20, d)), np.zeros((20, d))
    y[:19, 0] = 1e-3
    x[19, 0] = y[19, 0] = 1e200
    truth = 1e-3 * math.sqrt(19 / 20)
    for found in (w2_samples(x, y), coupling_w2(x, y), w2_samples(x, y, diameter=1e200), sliced_w2(x[:, :1], y[:, :1], 10, 0)):
        assert found.value == pytest.approx(truth, rel=1e-14)
        assert found.lower <= truth < found.upper


def test_intervals_of_w2_samples_cover_the_truth() -> None:
    """Two shifted normal laws in the plane; the bare value is biased upwards, the interval covers all the same."""
    covered = positive = 0
    shift = np.array([2.0, 0.0])
    for seed in range(40):
        rng = np.random.default_rng(seed)
        found = w2_samples(rng.standard_normal((400, 2)), rng.standard_normal((400, 2)) + shift, level=0.9)
        covered += found.lower <= 2 <= found.upper
        positive += found.lower > 0.5
        assert found.upper < 2.8
    assert covered >= 33
    assert positive >= 35


def test_equal_laws_have_lower_end_zero() -> None:
    """In six dimensions the value is all bias."""
    rng = np.random.default_rng(0)
    found = w2_samples(rng.standard_normal((600, 6)), rng.standard_normal((600, 6)))
    assert found.lower == 0
    assert found.value > 1


def test_intervals_of_sliced_w2_cover_the_truth() -> None:
    """N(0, I) and N(m, I): sliced W2 = |m| d^(-1/2)."""
    covered = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        found = sliced_w2(rng.standard_normal((3000, 4)), rng.standard_normal((3000, 4)) + 1, 50, seed, level=0.9)
        covered += found.lower <= 1 <= found.upper
        assert found.lower > 0.2
        assert found.upper < 1.6
    assert covered >= 33


def test_sliced_w2_is_reproducible() -> None:
    x, y = np.random.default_rng(0).standard_normal((2, 100, 3))
    assert sliced_w2(x, y, 5, 1) == sliced_w2(x, y, 5, 1) != sliced_w2(x, y, 5, 2)


def test_coupling_covers_and_bounds() -> None:
    """y = 2 x + e with x, e standard normal in three dimensions: mean squared distance 3 (1 + 1/4)."""
    covered = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((400, 3))
        found = coupling_w2(x, 2 * x + rng.standard_normal((400, 3)) / 2, level=0.9)
        covered += found.lower <= math.sqrt(3.75) <= found.upper
        assert found.lower < found.value < found.upper
    assert 247 <= covered <= 290
    y = x @ np.diag([2.0, 1.0, 1.0])
    assert coupling_w2(x, y).value >= w2_samples(x, y).value - 1e-12
    assert coupling_w2(x, x).upper == 0


# Scales and offsets ------------------------------------------------------------------------------------------------------------

RNG = np.random.default_rng(11)
X, Y = RNG.standard_normal((60, 3)), 2 * RNG.standard_normal((50, 3)) + 1
U, V = RNG.uniform(size=60), RNG.uniform(size=50)
F, G = RNG.standard_normal((3, 3)), RNG.standard_normal((3, 4))


def numbers(found: Any) -> Array:
    return np.array([found.value, found.lower, found.upper]) if hasattr(found, "value") else np.array([float(found)])


LENGTHS: dict[str, Callable[[float], Any]] = {
    "w2_samples": lambda s: w2_samples(s * X, s * Y),
    "w2_samples, diameter": lambda s: w2_samples(s * X, s * Y, diameter=16 * s),
    "sliced_w2": lambda s: sliced_w2(s * X, s * Y, 10, 0),
    "sliced_w2, diameter": lambda s: sliced_w2(s * X, s * Y, 10, 0, diameter=16 * s),
    "coupling_w2": lambda s: coupling_w2(s * X[:50], s * Y),
    "coupling_w2, diameter": lambda s: coupling_w2(s * X[:50], s * Y, diameter=16 * s),
    "w2_samples_1d": lambda s: w2_samples_1d(s * X[:, 0], s * Y[:, 0]),
    "w2_samples_1d, equal sizes": lambda s: w2_samples_1d(s * X[:50, 0], s * Y[:, 0]),
    "w2_samples_1d, weights": lambda s: w2_samples_1d(s * X[:, 0], s * Y[:, 0], U * s, V / s),
    "gaussian_w2_factors": lambda s: gaussian_w2_factors(s * X[0], s * F, s * X[1], s * G),
}
"""Distances as functions of the unit of length."""


@pytest.mark.parametrize("name", LENGTHS)
def test_distances_scale_with_the_data(name: str) -> None:
    """Over 2^-1000 to 2^1000 (1e-301 to 1e301), bit for bit: powers of two are exact, and so are all intermediate scalings."""
    expected = numbers(LENGTHS[name](1.0))
    assert expected[0] > 0.3
    for e in (-1000, -997, -560, -540, -171, 170, 511, 513, 995, 1000):
        np.testing.assert_array_equal(np.ldexp(numbers(LENGTHS[name](2.0**e)), -e), expected, err_msg=f"2^{e}")


def test_gaussian_distances_scale_with_the_data() -> None:
    """Deviations from 2^-500 to 2^511 (covariances from 1e-301 to 4e307)."""
    C1, C2 = F @ F.T, G @ G.T
    w2 = gaussian_w2(X[0], C1, X[1], C2)
    near = gaussian_w2(X[0], C1, X[0], C1 + 1e-9 * np.eye(3))
    for e in (-500, -266, -100, 100, 255, 257, 500, 509):
        s, square = 2.0**e, 2.0 ** (2 * e)
        assert np.ldexp(gaussian_w2(s * X[0], square * C1, s * X[1], square * C2), -e) == w2
        found = gaussian_w2(s * X[0], square * C1, s * X[0], square * (C1 + 1e-9 * np.eye(3)))
        assert np.ldexp(found, -e) == pytest.approx(near, rel=1e-9, abs=0)
        assert gaussian_tv_1d(s, 2 * s, 1.5 * s, 3 * s) == gaussian_tv_1d(1, 2, 1.5, 3)
        assert gaussian_tv_centred(3, s, 3 * s) == gaussian_tv_centred(3, 1, 3)
    diagonal = gaussian_w2([0, 0], 1e-320 * np.diag([4.0, 9]), [0, 0], 1e-320 * np.diag([1.0, 1]))
    assert diagonal == pytest.approx(math.sqrt(5e-320), rel=1e-3, abs=0)  # covariances with four digits
    with pytest.raises(DomainError, match=r"cov1 has the eigenvalue -1e\+200"):
        gaussian_w2([0, 0], 1e200 * np.array([[1, 2], [2, 1]]), [0, 0], 1e200 * np.eye(2))


@pytest.mark.parametrize("size", [1e-310, 1e-200, 1.0, 1e200, 1e307])
def test_norms_of_any_size(size: float) -> None:
    x = size * np.array([[3.0, 4.0, 0.0], [-4.0, 0.0, 3.0]])
    rel = 1e-15 if size > 1e-300 else 1e-12
    assert scaling.norm(x) == pytest.approx(math.sqrt(50) * size, rel=rel, abs=0)
    assert scaling.norm(x, axis=1) == pytest.approx(5 * size, rel=rel, abs=0)
    assert scaling.rms(x) == pytest.approx(5 * size, rel=rel, abs=0)
    assert scaling.rms(x[None]) == scaling.rms(x)
    assert 0.5 <= math.ldexp(4 * size, -scaling.exponent(x, size / 2)) < 1


def test_differences_as_small_and_as_large_as_float64_has_them() -> None:
    """Nothing is lost below, and what overflows before it is averaged is no error, whichever side is the large one."""
    zero = np.zeros((2, 1))
    assert coupling_w2(zero, zero + 5e-324).value == coupling_w2(zero + 5e-324, zero).value == 5e-324
    near, far = np.array([9e306, 9e306]), np.array([-1.79e308, 0.0])
    for found in (w2_samples_1d(near, far), w2_samples_1d(far, near)):
        assert found == pytest.approx(math.hypot(1.88, 0.09) / math.sqrt(2) * 1e308, rel=1e-15)


def test_norms_of_nothing() -> None:
    assert scaling.norm(np.zeros(0)) == 0
    assert scaling.norm(np.zeros((0, 3)), axis=1).shape == (0,)
    assert scaling.exponent(np.zeros(0)) == scaling.exponent(0.0) < -1074


def test_laws_of_very_different_sizes() -> None:
    z = np.zeros(2)
    assert gaussian_w2(z, 1e300 * np.eye(2), z, 1e-300 * np.eye(2)) == pytest.approx(math.sqrt(2) * 1e150, rel=1e-15)
    assert gaussian_w2([1e-100, 0], 1e-300 * np.eye(2), z, 2e-300 * np.eye(2)) == 1e-100
    assert gaussian_w2([3e200, 0], np.eye(2), [0, 4e200], 2 * np.eye(2)) == pytest.approx(5e200, rel=1e-15)
    assert gaussian_w2_factors(z, 1e200 * np.eye(2), z, 1e-200 * np.eye(2)) == pytest.approx(math.sqrt(2) * 1e200, rel=1e-15)
    assert gaussian_w2_factors(z, 1e-200 * np.eye(2), z, 1e200 * np.eye(2)) == pytest.approx(math.sqrt(2) * 1e200, rel=1e-15)
    assert gaussian_tv_1d(0, 1, 1e200, 2) == 1
    assert gaussian_tv_1d(-1e308, 1, 1e308, 1) == 1
    assert gaussian_tv_1d(1e300, 1e299, 0, 1e-300) == 1
    assert w2_samples_1d([0.0, 2e-170], [0.0, 0.0]) == pytest.approx(math.sqrt(2) * 1e-170, rel=1e-15, abs=0)
    assert w2_samples_1d([0.0], [2e155]) == 2e155
    assert w2_samples_1d([0.0, 1.0], [2e155, 3.0], [1, 2], [1, 3]) == pytest.approx(1e155, rel=1e-15)
    assert w2_samples_1d([1.0, 1e-20], [1.0, 2e-20]) == pytest.approx(1e-20 / math.sqrt(2), rel=1e-15, abs=0)
    assert coupling_w2([[1.0], [1e-20]], [[1.0], [2e-20]]).value == pytest.approx(1e-20 / math.sqrt(2), rel=1e-15, abs=0)


@pytest.mark.parametrize("weight", [1e-320, 1e-200, 1e200, 1.7e308])
def test_weights_of_any_size(weight: float) -> None:
    found = w2_samples_1d(X[:, 0], Y[:, 0], np.full(60, weight), np.where(np.arange(50) < 25, weight, 0))
    assert found == pytest.approx(w2_samples_1d(X[:, 0], Y[:25, 0]), rel=1e-14)


def test_equal_weights_are_no_weights() -> None:
    """Cumulative sums of 0.1 differ from k/10 by rounding, which a distance would show by its root."""
    x = RNG.standard_normal(10)
    assert w2_samples_1d(x, x, [0.1] * 10) == 0
    assert w2_samples_1d(x, x, None, [0.3] * 10) == 0


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e6, 1e8, 1e12])
@pytest.mark.parametrize("d", [1, 5])
def test_distances_do_not_move_with_the_data(offset: float, d: int) -> None:
    """W2(x, x + v) = |v|, with what rounding leaves of v far from the origin; v is small beside the spread."""
    x = np.random.default_rng(0).standard_normal((150, d)) + offset * np.arange(1, d + 1)
    v = np.zeros(d)
    v[0] = 3e-3 * (offset > 0) + 1e-7
    y = x + v
    truth = math.sqrt(np.mean((y - x)[:, 0] ** 2))
    assert w2_samples(x, y).value == pytest.approx(truth, rel=1e-9, abs=0)
    assert coupling_w2(x, y).value == pytest.approx(truth, rel=1e-12, abs=0)
    assert w2_samples_1d(x[:, 0], y[:, 0]) == pytest.approx(truth, rel=1e-12, abs=0)
    far, near = sliced_w2(x, y, 20, 0), sliced_w2(x - x[0], y - x[0], 20, 0)
    np.testing.assert_allclose(numbers(far), numbers(near), rtol=1e-8, atol=1e-15)


def test_offsets_change_no_bit_where_the_data_stay_the_same() -> None:
    """Dyadic data and offsets: every sum is exact, and so are the shifts behind the distances."""
    x, y = (RNG.integers(-500, 500, (60, 3)) / 512 for _ in range(2))
    offset = np.array([2.0**30, 0.0, -(2.0**33)])
    for call in (w2_samples, coupling_w2, lambda x, y: sliced_w2(x, y, 20, 0)):
        np.testing.assert_allclose(numbers(call(x + offset, y + offset)), numbers(call(x, y)), rtol=1e-12)


def test_order_of_the_rows_does_not_matter() -> None:
    p, q = RNG.permutation(60), RNG.permutation(50)
    assert w2_samples(X[p], Y[q]).value == pytest.approx(w2_samples(X, Y).value, rel=1e-14)
    assert sliced_w2(X[p], Y[q], 10, 3).value == pytest.approx(sliced_w2(X, Y, 10, 3).value, rel=1e-14)
    assert w2_samples_1d(X[p, 0], Y[q, 0], U[p], V[q]) == pytest.approx(w2_samples_1d(X[:, 0], Y[:, 0], U, V), rel=1e-13)
    np.testing.assert_allclose(numbers(coupling_w2(X[q], Y[q])), numbers(coupling_w2(X[:50], Y)), rtol=1e-13)


@pytest.mark.parametrize(
    "call",
    [
        lambda: w2_samples_1d([1.7e308], [-1.7e308]),
        lambda: w2_samples(np.full((20, 1), 1.7e308), np.full((20, 1), -1.7e308)),
        lambda: coupling_w2([[1.7e308]] * 2, [[-1.7e308]] * 2),
        lambda: gaussian_w2([1.7e308], [[1.0]], [-1.7e308], [[1.0]]),
        lambda: gaussian_w2_factors([1.7e308], [[1.0]], [-1.7e308], [[1.0]]),
    ],
)
def test_distances_beyond_float64(call: Callable[[], object]) -> None:
    with pytest.raises(DomainError, match=r"larger than 1\.8e308"):
        call()


# Limits ------------------------------------------------------------------------------------------------------------------------


def w2_squared(x: Array, y: Array) -> float:
    """By assignment, for equal numbers of rows."""
    cost = np.square(x[:, None] - y).sum(axis=2)
    return float(cost[linear_sum_assignment(cost)].mean())


@pytest.mark.parametrize("level", [0.5, 0.9])
@pytest.mark.parametrize(("seed", "skewed"), [(2, False), (3, True)])
def test_limits_of_two_samples_by_hand(level: float, seed: int, skewed: bool) -> None:
    """The upper limit has (1 - level)/2 to itself, the three of the lower side share theirs."""
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((60, 2)), rng.standard_normal((60, 2)) + 9
    xs, ys = x.reshape(10, 6, 2), y.reshape(10, 6, 2)
    tail = (1 - level) / 2

    def student(mean: float, values: list[float], tail: float, sign: int) -> float:
        return mean + sign * float(stats.t.ppf(1 - tail, len(values) - 1)) * float(stats.sem(values))

    mean, values = w2_squared(x, y), [w2_squared(a, b) for a, b in zip(xs, ys, strict=True)]
    lower = math.sqrt(student(mean, values, tail / 3, -1))
    for z, zs in ((x, xs), (y, ys)):
        pairs = [w2_squared(zs[2 * i], zs[2 * i + 1]) for i in range(5)]
        lower -= math.sqrt(student(w2_squared(z[::2], z[1::2]), pairs, tail / 3, +1))
    found = w2_samples(x, y, level=level)
    assert found.value == pytest.approx(math.sqrt(mean), rel=1e-12)
    reach = (mean - found.upper**2) / float(stats.sem(values))
    cost = np.square(x[:, None] - y).sum(axis=2)
    rows = cost[linear_sum_assignment(cost)]
    c = max(float(stats.skew(z, bias=False)) / math.sqrt(len(z)) for z in (values, rows))
    assert (c > 0) == skewed
    cubic = reach + c * reach**2 / 3 + c**2 * reach**3 / 27 + c / 6  # Hall's, as for a coupling
    assert (cubic if skewed else reach) == pytest.approx(-float(stats.t.ppf(1 - tail, 9)), rel=1e-9)
    assert found.lower == pytest.approx(lower, rel=1e-10)
    assert found.lower > 5
    assert found.trust == "asymptotic"


def test_limits_with_a_diameter_by_hand() -> None:
    """Moving one of n rows moves W2^2 by at most diameter^2/n: McDiarmid's exp(-2 t^2/sum of squares of these)."""
    rng = np.random.default_rng(3)
    x, y = rng.uniform(size=(300, 2)), rng.uniform([9, 0], [10, 1], size=(300, 2))
    D, tail = 10.2, 0.05

    def spread(*counts: int, tail: float) -> float:
        return D**2 * math.sqrt(sum(1 / n for n in counts) * math.log(1 / tail) / 2)

    mean = w2_squared(x, y)
    found = w2_samples(x, y, level=0.9, diameter=D)
    assert found.upper == pytest.approx(math.sqrt(mean + spread(300, 300, tail=tail)), rel=1e-12)
    lower = math.sqrt(mean - spread(300, 300, tail=tail / 3))
    for z in (x, y):
        lower -= math.sqrt(w2_squared(z[::2], z[1::2]) + spread(150, 150, tail=tail / 3))
    assert found.lower == pytest.approx(lower, rel=1e-9)
    assert lower > 0
    assert (found.trust, found.level, found.n) == ("guaranteed", 0.9, 300)
    wide = sliced_w2(x, y, 40, 0, level=0.9, diameter=D)
    assert wide.upper == pytest.approx(math.sqrt(wide.value**2 + spread(300, 300, 40, tail=tail)), rel=1e-12)
    assert w2_samples(np.zeros((20, 1)), np.ones((20, 1)), diameter=1.0).upper == 1  # no distance is larger


def test_lower_limit_with_a_diameter_by_hand() -> None:
    """Two far points, many rows: no bias, and a lower limit above 0."""
    x, y = np.zeros((2000, 1)), np.ones((2000, 1))
    found, tail = sliced_w2(x, y, 4000, 0, diameter=1.0), 0.025 / 3
    term = math.sqrt((2 / 2000 + 1 / 4000) * math.log(1 / tail) / 2)
    half = math.sqrt(math.sqrt((2 / 1000 + 1 / 4000) * math.log(1 / tail) / 2))
    assert found.lower == pytest.approx(math.sqrt(1 - term) - 2 * half, rel=1e-12)
    assert found.lower > 0.3


def wealth(shares: Array, m: float, tail: float) -> float:
    """The largest wealth of the bets of Waudby-Smith and Ramdas on a mean above m, one share at a time."""
    now = best = 1.0
    total, spread, variance = 0.5, 0.25, 0.25
    for i, y in enumerate(shares, 1):
        now *= 1 + min(math.sqrt(2 * math.log(1 / tail) / (len(shares) * variance)), 0.75 / m) * (y - m)
        best, total = max(best, now), total + y
        spread += (y - total / (i + 1)) ** 2
        variance = spread / (i + 1)
    return best


@pytest.mark.parametrize("law", ["beta", "rare", "two points"])
def test_bets_by_hand(law: str) -> None:
    rng = np.random.default_rng(4)
    draw = {"beta": rng.beta(2, 5, 80), "rare": 1.0 * (rng.random(80) < 0.05), "two points": rng.choice([0.4, 0.6], 80)}
    roots = np.sqrt(draw[law])[:, None]
    found = coupling_w2(3 * roots, 0 * roots, level=0.9, diameter=3.0)
    shares = draw[law][np.random.default_rng(0).permutation(80)]
    for limit, values in ((found.lower**2 / 9, shares), (1 - found.upper**2 / 9, 1 - shares)):
        if limit > 1e-15:
            assert wealth(values, limit * (1 - 1e-9), 0.05) > 20 > wealth(values, limit * (1 + 1e-9), 0.05)
    assert found.lower**2 / 9 < shares.mean() < found.upper**2 / 9 < 1
    assert found.trust == "guaranteed"


def test_limits_of_a_coupling_by_hand() -> None:
    """Hall's cubic g(t) = t + c t^2/3 + c^2 t^3/27 + c/6 at the limits, outside of which they are Student's."""
    rng = np.random.default_rng(5)
    x = rng.standard_normal((30, 2))
    squares = np.square(x).sum(axis=1)
    found = coupling_w2(x, 0 * x, level=0.9)
    t = float(stats.t.ppf(0.95, 29))
    c = float(stats.skew(squares, bias=False)) / math.sqrt(30)
    error = float(stats.sem(squares))
    z = (squares.mean() - found.upper**2) / error
    assert z + c * z**2 / 3 + c**2 * z**3 / 27 + c / 6 == pytest.approx(-t, rel=1e-9)
    assert found.lower**2 == pytest.approx(squares.mean() - t * error, rel=1e-12)
    left = 2.0 - squares  # skewed to the left: the sides change places
    roots = np.sqrt(left - left.min() + 1)[:, None]
    mirrored = coupling_w2(roots, 0 * roots, level=0.9)
    values = roots[:, 0] ** 2
    assert mirrored.upper**2 == pytest.approx(values.mean() + t * error, rel=1e-12)
    assert mirrored.lower**2 < values.mean() - t * error
    even = np.sqrt([[1.0], [2.0], [3.0]])  # no skewness
    plain = coupling_w2(even, 0 * even)
    assert plain.upper**2 == pytest.approx(2 + stats.t.ppf(0.975, 2) / math.sqrt(3), rel=1e-12)
    nearly = np.sqrt([[1.0], [2.0], [3.0 + 1e-5]])  # too little for cube roots: the cubic is solved by its series
    values = nearly[:, 0] ** 2
    c = float(stats.skew(values, bias=False)) / math.sqrt(3)
    assert 1e-6 < c < 1e-5
    z = (values.mean() - coupling_w2(nearly, 0 * nearly).upper ** 2) / float(stats.sem(values))
    assert z + c * z**2 / 3 + c / 6 == pytest.approx(-stats.t.ppf(0.975, 2), rel=1e-8)
    pair = coupling_w2([[1.0], [2.0]], [[0.0], [0.0]], level=0.5)  # two rows have none
    assert pair.upper**2 == pytest.approx(2.5 + 1.5 * stats.t.ppf(0.75, 1), rel=1e-12)


def test_sample_moments_are_biased_upwards() -> None:
    """As the docstring of gaussian_w2 says, for two samples of one law."""
    for n, d in ((50, 2), (100, 8)):
        found = []
        for seed in range(200):
            x, y = np.random.default_rng(seed).standard_normal((2, n, d))
            found.append(gaussian_w2(x.mean(axis=0), np.cov(x.T), y.mean(axis=0), np.cov(y.T)))
        assert np.mean(found) == pytest.approx(math.sqrt((2 * d + d * (d + 1) / 2) / n), rel=0.1)


# Total variation --------------------------------------------------------------------------------------------------------------

PAIRS = [
    (0.0, 1.0),
    (1.0, 1.0),
    (1.0, 2.0),
    (5.0, 0.01),
    (0.0, 1e5),
    (38.0, 1.5),
    (0.0, 1 + 2.0**-10),
    (1e-3, 1 + 2.0**-30),
    (1e-8, 1 + 2.0**-27),
    (1e-12, 1 - 2.0**-33),
    (1e-10, 1 + 2.0**-52),
    (0.0, 1 + 2.0**-52),
    (3e-15, 1.0),
]


@pytest.mark.parametrize(("m", "s"), PAIRS)
def test_tv_of_normal_laws(m: float, s: float) -> None:
    """|P(a < X < b) - Q(a < X < b)| between the crossing points, with 60 digits."""
    with mpmath.workdps(60):
        M, S = mpmath.mpf(m), mpmath.mpf(s)
        if s == 1:
            exact = mpmath.erf(M / mpmath.sqrt(8))
        else:
            e, root = S * S - 1, mpmath.sqrt(M * M + 2 * (S * S - 1) * mpmath.log(S))
            ends = [(-M + sign * S * root) / e for sign in (-1, 1)]
            exact = abs(sum(sign * (mpmath.ncdf(x) - mpmath.ncdf((x - M) / S)) for sign, x in zip((-1, 1), ends, strict=True)))
        for found in (gaussian_tv_1d(0, 1, m, s), gaussian_tv_1d(m, s, 0, 1), gaussian_tv_1d(-m, s, 0, 1)):
            assert abs(found - exact) <= 1e-14 * exact
    assert gaussian_tv_1d(0, 4, 4 * m, 4 * s) == gaussian_tv_1d(0, 1, m, s)


@pytest.mark.parametrize(("s1", "s2"), [(1.0, 2.0), (3.0, 0.1), (1.0, 1 + 1e-6), (1.0, 1.0), (1e-5, 1e5)])
@pytest.mark.parametrize("d", [1, 2, 8, 128])
def test_tv_of_centred_laws(d: int, s1: float, s2: float) -> None:
    """Half the integral of the difference of the densities of norm(x)/s1, outside float64."""
    found = gaussian_tv_centred(d, s1, s2)
    if d == 1:
        assert found == pytest.approx(gaussian_tv_1d(0, s1, 0, s2), rel=1e-12, abs=2e-16)
    with mpmath.workdps(40):
        a, b = sorted((mpmath.mpf(s1), mpmath.mpf(s2)))
        r2 = mpmath.mpf(0) if a == b else d * mpmath.log(b**2 / a**2) * a**2 * b**2 / (b**2 - a**2)
        cdf = [mpmath.gammainc(mpmath.mpf(d) / 2, 0, r2 / x**2 / 2, regularized=True) for x in (a, b)]
        assert abs(found - (cdf[0] - cdf[1])) <= 1e-14
    if d == 2 and s1 == 1.0:  # by quadrature in the plane
        radius = np.linspace(0, 30, 200001)
        gap = radius * np.abs(np.exp(-(radius**2) / 2) - np.exp(-(radius**2) / (2 * s2**2)) / s2**2) / 2
        assert found == pytest.approx(float(trapezoid(gap, radius)), abs=1e-7)


# Errors ---------------------------------------------------------------------------------------------------------------------

I2, Z2 = np.eye(2), np.zeros(2)
X20 = np.random.default_rng(0).standard_normal((20, 2))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: gaussian_w2(Z2, I2, np.zeros(3), I2), InputError, "dimensions differ: mean1 2, cov1 2, mean2 3, cov2 2"),
        (lambda: gaussian_w2(Z2, np.ones((2, 3)), Z2, I2), InputError, r"cov1 has shape \(2, 3\)"),
        (lambda: gaussian_w2(Z2, [[1, 2], [0, 5]], Z2, I2), DomainError, "cov1 differs from its transpose by 2"),
        (lambda: gaussian_w2(Z2, [[1, 2], [2, 1]], Z2, I2), DomainError, "cov1 has the eigenvalue -1"),
        (lambda: gaussian_w2(Z2, I2, Z2, [[1, 2], [2, 1]]), DomainError, "cov2 has the eigenvalue -1"),
        (lambda: gaussian_w2(Z2, I2, Z2, -I2), DomainError, "cov2 has the eigenvalue -1"),
        (lambda: gaussian_w2(Z2, I2 * np.nan, Z2, I2), InputError, "cov1 has entries that are not finite"),
        (lambda: gaussian_w2(Z2, "x", Z2, I2), InputError, "cov1 is not an array"),
        (lambda: gaussian_w2_factors(Z2, Z2, Z2, I2), InputError, r"A has shape \(2,\)"),
        (lambda: w2_samples_1d([], [1.0]), InputError, r"^x has shape \(0,\); 1 dimension and an entry are needed$"),
        (lambda: w2_samples(Z2, X20), InputError, r"^x has shape \(2,\); 2 dimensions and an entry are needed$"),
        (lambda: w2_samples_1d([1.0], [1.0], [1.0, 2.0]), InputError, "x has 1 point and 2 weights"),
        (lambda: w2_samples_1d([1.0, 2.0], [1.0], [-1.0, 2.0]), DomainError, "the smallest is -1"),
        (lambda: w2_samples(X20[:19], X20), InputError, "19 and 20 rows; at least 20"),
        (lambda: w2_samples(np.zeros((2001, 1)), np.zeros((20, 1))), InputError, "at most 2000"),
        (lambda: w2_samples(X20, X20[:, :1]), InputError, "x has 2 columns and y 1"),
        (lambda: w2_samples(X20, X20, level=1.0), DomainError, "level is 1.0"),
        (lambda: sliced_w2(X20, X20, 0, 1), DomainError, "projections is 0"),
        (lambda: sliced_w2(X20, X20, 2, 0.5), InputError, "seed is 0.5"),  # type: ignore[arg-type]
        (lambda: coupling_w2(X20, X20[:-1]), InputError, "equal shapes"),
        (lambda: coupling_w2(X20, X20, level="x"), InputError, "level is 'x'; a number is needed"),  # type: ignore[arg-type]
        (lambda: coupling_w2(X20, X20, level=0.0), DomainError, "level is 0.0"),
        (lambda: coupling_w2(X20, X20 + 1, diameter=1.41), DomainError, "diameter is 1.41, but two rows are 1.41421 apart"),
        (lambda: coupling_w2(X20, X20, diameter=0.0), DomainError, "diameter is 0.0; it must be > 0 and finite"),
        (lambda: w2_samples(X20, X20, diameter=math.nan), DomainError, "diameter is nan"),
        (lambda: w2_samples(X20, X20, diameter="x"), InputError, "diameter is 'x'"),  # type: ignore[arg-type]
        (lambda: w2_samples(0 * X20, 0 * X20 + 1, diameter=1.0), DomainError, "diameter is 1, but two rows are 1.41421 apart"),
        (lambda: sliced_w2(0 * X20, 0 * X20 + 1, 1, 0, diameter=1.0), DomainError, "two rows are 1.41421 apart"),
        (lambda: gaussian_w2_factors(Z2, I2, Z2, [[1.0]]), InputError, "^the dimensions differ: mean1 2, A 2, mean2 2, B 1$"),
        (lambda: gaussian_tv_1d(0, 0, 1, 1), DomainError, "s1 is 0; it must be finite and > 0"),
        (lambda: gaussian_tv_1d(0, 1, math.nan, 1), DomainError, "m2 is nan; it must be finite$"),
        (lambda: gaussian_tv_centred(0, 1, 1), DomainError, "d is 0; it must be >= 1"),
        (lambda: gaussian_tv_centred(2, 1, 0), DomainError, "s2 is 0; it must be finite and > 0"),
    ],
)
def test_errors(call: Callable[[], object], error: type[Exception], message: str) -> None:
    with np.errstate(all="ignore"), pytest.raises(error, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


VALID: dict[Callable[..., Any], dict[str, Any]] = {
    gaussian_w2: {"mean1": Z2, "cov1": I2, "mean2": Z2, "cov2": I2},
    gaussian_w2_factors: {"mean1": Z2, "A": I2, "mean2": Z2, "B": I2},
    gaussian_tv_1d: {"m1": 0, "s1": 1, "m2": 0, "s2": 1},
    gaussian_tv_centred: {"d": 2, "s1": 1, "s2": 1},
    w2_samples_1d: {"x": [1.0], "y": [2.0], "weights_x": [1.0], "weights_y": [1.0]},
    w2_samples: {"x": X20, "y": X20, "level": 0.9, "diameter": 9},
    sliced_w2: {"x": X20, "y": X20, "projections": 10, "seed": 0, "level": 0.9, "diameter": 9},
    coupling_w2: {"x": X20, "y": X20, "level": 0.9, "diameter": 9},
}


@pytest.mark.parametrize(
    ("function", "name"), [(f, name) for f, options in VALID.items() for name, value in options.items() if not callable(value)]
)
def test_what_is_no_number_is_named(function: Callable[..., Any], name: str) -> None:
    shown = {"weights": "weights of x", "weights_x": "weights of x", "weights_y": "weights of y"}.get(name, name)
    function(**VALID[function])
    for wrong in ("x", np.asarray(VALID[function][name]) * np.complex128(1)):  # NumPy would drop the imaginary parts
        with pytest.raises(InputError, match=rf"^{shown} is (not an array of real numbers|.*; an? (number|integer) is needed)$"):
            function(**VALID[function] | {name: wrong})


def test_sizes_beyond_float64_give_no_warning() -> None:
    """Warnings are errors in these tests: an overflow that is dealt with must be silent."""
    with pytest.raises(DomainError, match="cov1 differs from its transpose by inf"):
        gaussian_w2(Z2, [[1, 1.7e308], [-1.7e308, 1]], Z2, I2)


def test_wide_factors_are_made_as_narrow_as_their_rank() -> None:
    wide = np.random.default_rng(0).standard_normal((2, 500))
    columns = gaussian._columns(wide)
    assert columns.shape == (2, 2)
    np.testing.assert_allclose(columns @ columns.T, wide @ wide.T, rtol=1e-12)


def test_without_pot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ot", None)
    with pytest.raises(InputError, match=r"pip install 'cmbound\[pot\]'"):
        w2_samples(X20, X20)
    assert w2_samples(X20[:, :1], X20[:, :1]).value == 0  # by sorting
