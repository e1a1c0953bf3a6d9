"""The sampler: kernels and laws against propagated Gaussian moments, the two clocks, reproducibility."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from cmbound import sampling
from cmbound.errors import DomainError, InputError, UnknownNameError
from cmbound.sampling import (
    Moments,
    Overdamped,
    Run,
    Underdamped,
    block_rows,
    moments,
    noise_back,
    overdamped,
    sample,
    sample_every_step,
    smooth,
    stream,
    underdamped,
)
from cmbound.worlds.process import noise_level

Array = npt.NDArray[np.float64]

DELTA = 0.05
TIMES = (2.0, 0.7, 0.3)
D = 3
A = {t: np.array([[0.6, 0.2, -0.1], [0.0, 0.9, 0.3], [0.2, -0.3, 0.5]]) * (1 + t / 10) for t in TIMES}
B = {t: np.array([0.3, -1.0, 2.0]) * t for t in TIMES}
PRECISION = np.array([[2.0, 0.5, 0.0], [0.5, 1.0, -0.2], [0.0, -0.2, 0.7]])
CENTRE = np.array([1.0, 0.0, -0.5])


def affine(x: Array, t: float) -> Array:
    return np.asarray(x @ A[t].T + B[t])


def score(x: Array) -> Array:
    return np.asarray(-(x - CENTRE) @ PRECISION)


def tanh(x: Array, t: float) -> Array:
    return np.asarray(np.tanh(x) * (1 + t) + 0.1 * x[:, ::-1])


BASE: dict[str, Any] = {"d": D, "seed": 11, "delta": DELTA}
CORRECTORS: dict[str, Any] = {
    "none": {},
    "smoothing": {"smoothing": 0.4},
    "overdamped": {"corrector": Overdamped(score, 0.1, 4)},
    "underdamped": {"corrector": Underdamped(score, 1.5, 0.3, 4)},
}


# Exact laws ---------------------------------------------------------------------------------------------------------------


def law(times: tuple[float, ...], start: float = 1.0) -> tuple[Array, Array]:
    """Mean and covariance of the samples in the OU clock, propagated by hand."""
    mean, covariance = np.zeros(D), start * np.eye(D)
    for i, t in enumerate(times):
        if i:
            c = math.exp(-(t - DELTA))
            mean, covariance = c * mean, c * c * covariance + (1 - c * c) * np.eye(D)
        mean, covariance = A[t] @ mean + B[t], A[t] @ covariance @ A[t].T
    return mean, covariance


def corrected(name: str, mean: Array, covariance: Array) -> tuple[Array, Array]:
    if name == "smoothing":
        c = math.exp(-0.4)
        return c * mean, c * c * covariance + (1 - c * c) * np.eye(D)
    if name == "overdamped":
        step = np.eye(D) - 0.1 * PRECISION
        for _ in range(4):
            mean = mean + 0.1 * PRECISION @ (CENTRE - mean)
            covariance = step @ covariance @ step.T + 0.2 * np.eye(D)
    if name == "underdamped":
        g, e = 1.5, 0.3
        a = math.exp(-g * e)
        step = np.block(
            [
                [np.eye(D) - (e - (1 - a) / g) / g * PRECISION, (1 - a) / g * np.eye(D)],
                [-(1 - a) / g * PRECISION, a * np.eye(D)],
            ]
        )
        push = np.concatenate(((e - (1 - a) / g) / g * PRECISION @ CENTRE, (1 - a) / g * PRECISION @ CENTRE))
        var_x = 2 / g * (e - 2 * (1 - a) / g + (1 - a * a) / (2 * g))
        noise = np.kron([[var_x, (1 - a) ** 2 / g], [(1 - a) ** 2 / g, 1 - a * a]], np.eye(D))
        m, C = np.concatenate((mean, np.zeros(D))), np.zeros((2 * D, 2 * D))
        C[:D, :D], C[D:, D:] = covariance, np.eye(D)
        for _ in range(4):
            m, C = step @ m + push, step @ C @ step.T + noise
        return m[:D], C[:D, :D]
    return mean, covariance


def assert_law(found: sampling.Moments, mean: Array, covariance: Array) -> None:
    """Within 4.5 standard errors, which are small against the moments themselves."""
    assert np.all(np.abs(found.mean - mean) <= 4.5 * found.mean_error)
    assert np.all(np.abs(found.covariance - covariance) <= 4.5 * found.covariance_error)
    assert found.covariance_error.max() < 0.01 * np.abs(covariance).max()


@pytest.mark.parametrize("name", CORRECTORS)
@pytest.mark.parametrize("k", [1, 3])
def test_laws(name: str, k: int) -> None:
    found = moments(affine, TIMES[:k], n=200_000, **BASE, **CORRECTORS[name])
    assert found.n == 200_000
    assert_law(found, *corrected(name, *law(TIMES[:k])))


def test_matched_start() -> None:
    assert_law(moments(affine, TIMES[:1], n=200_000, start="matched", **BASE), *law(TIMES[:1], 1 - math.exp(-4)))
    x = sample(affine, TIMES, n=50, **BASE)
    y = sample(affine, TIMES, n=50, start="matched", **BASE)
    assert not np.allclose(x, y)


def test_standalone_kernels() -> None:
    x = np.tile([1.0, -2.0], (200_000, 1))
    rng = np.random.default_rng(3)
    for y, c in ((noise_back(x, 0.5, rng, delta=0.1), math.exp(-0.4)), (smooth(x, 0.4, rng), math.exp(-0.4))):
        assert np.allclose(y.mean(axis=0), [c, -2 * c], atol=0.01)
        assert np.allclose(np.cov(y.T), (1 - c * c) * np.eye(2), atol=0.01)
    y = noise_back(x, 1.5, rng, delta=0.9, clock="ve")
    assert np.allclose(y.mean(axis=0), [1, -2], atol=0.02)
    assert np.allclose(np.cov(y.T), (1.5**2 - 0.9**2) * np.eye(2), atol=0.03)
    assert np.all(x == [1.0, -2.0]), "the argument was changed"


def test_standalone_correctors_are_those_of_sample() -> None:
    """Block 0 of a run with a corrector, drawn again by hand from the same generator."""
    for corrector in (Overdamped(score, 0.1, 4), Underdamped(score, 1.5, 0.3, 4)):
        expected = sample(affine, TIMES[:1], n=100, corrector=corrector, **BASE)
        rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(11, spawn_key=(0,))))
        x = affine(rng.standard_normal((100, D)), TIMES[0])
        y = overdamped(x, score, 0.1, 4, rng) if isinstance(corrector, Overdamped) else underdamped(x, score, 1.5, 0.3, 4, rng)
        assert np.array_equal(y, expected)


@pytest.mark.parametrize(("given", "kept"), [("f4", "f4"), ("f8", "f8"), ("f2", "f8"), ("i4", "f8")])
def test_types_of_standalone_kernels(given: str, kept: str) -> None:
    """Single precision stays, with noise drawn in it; anything else becomes double."""
    x = np.arange(6).reshape(3, 2).astype(given)

    def draws(count: int) -> list[Array]:
        rng = np.random.default_rng(5)
        return [rng.standard_normal((3, 2), dtype=kept) for _ in range(count)]  # type: ignore[call-overload, unused-ignore]

    def pull(x: Array) -> Array:
        return -x

    start, (v, z, w) = x.astype(kept), draws(3)
    k = sampling.underdamped_coefficients(1.5, 0.3)
    expected = {
        "smooth": (smooth(x, math.log(2), np.random.default_rng(5)), 0.5 * start + math.sqrt(0.75) * draws(1)[0]),
        "overdamped": (overdamped(x, pull, 0.1, 1, np.random.default_rng(5)), 0.9 * start + math.sqrt(0.2) * draws(1)[0]),
        "underdamped": (
            underdamped(x, pull, 1.5, 0.3, 1, np.random.default_rng(5)),
            start + k.x_v * v - k.x_s * start + k.x_noise_v * z + k.x_noise * w,
        ),
    }
    for name, (found, by_hand) in expected.items():
        assert found.dtype == kept, name
        np.testing.assert_allclose(found, by_hand, rtol=1e-5 if kept == "f4" else 1e-13, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("gamma_eta", [1e-9, 1e-5, 1e-3, 0.1, 0.9, 1.1, 1.9, 2.1, 30.0])
def test_underdamped_coefficients_do_not_cancel(gamma_eta: float) -> None:
    friction = 0.5
    step = gamma_eta / friction
    k = sampling.underdamped_coefficients(friction, step)
    with mpmath.workdps(60):
        g, e = mpmath.mpf(friction), mpmath.mpf(step)
        a = mpmath.exp(-g * e)
        var_x = 2 / g * (e - 2 * (1 - a) / g + (1 - a * a) / (2 * g))
        cov, var_v = (1 - a) ** 2 / g, 1 - a * a
        for found, exact in (
            (k.v_v, a),
            (k.x_v, (1 - a) / g),
            (k.x_s, (e - (1 - a) / g) / g),
            (k.v_noise**2, var_v),
            (k.v_noise * k.x_noise_v, cov),
            (k.x_noise_v**2 + k.x_noise**2, var_x),
            (k.x_noise**2, var_x - cov**2 / var_v),
        ):
            assert abs(found / exact - 1) < 2e-15


# Multistep sampling ---------------------------------------------------------------------------------------------------------


def test_multistep_straight_line() -> None:
    """The definition written down once more, block by block; times need not fall."""
    n, times = 2 * block_rows(D) + 7, (1.0, 0.3, 0.8)
    expected = []
    for b, rows in enumerate((block_rows(D), block_rows(D), 7)):
        rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(5, spawn_key=(b,))))
        x = tanh(rng.standard_normal((rows, D)), 1.0)
        for t in times[1:]:
            x = math.exp(-(t - DELTA)) * x + math.sqrt(1 - math.exp(-2 * (t - DELTA))) * rng.standard_normal((rows, D))
            x = tanh(x, t)
        expected.append(math.exp(-0.2) * x + math.sqrt(1 - math.exp(-0.4)) * rng.standard_normal((rows, D)))
    found = sample(tanh, times, d=D, n=n, seed=5, delta=DELTA, smoothing=0.2)
    assert np.allclose(found, np.concatenate(expected), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("start", ["standard", "matched"])
@pytest.mark.parametrize("name", CORRECTORS)
def test_two_clocks_are_one_process(start: str, name: str) -> None:
    """x_VE = e^delta x_OU for f_VE(x, sigma) = e^delta f_OU(x/(1 + sigma^2)^(1/2), t); Langevin steps scale by e^(2 delta)."""
    scale = math.exp(DELTA)
    time_at = {float(noise_level(t)): t for t in TIMES}

    def f_ve(x: Array, sigma: float) -> Array:
        return scale * tanh(x / math.sqrt(1 + sigma**2), time_at[sigma])

    def score_ve(x: Array) -> Array:
        return score(x / scale) / scale

    options = dict(CORRECTORS[name])
    if name == "overdamped":
        options["corrector"] = Overdamped(score_ve, 0.1 * scale**2, 4)
    if name == "underdamped":
        options["corrector"] = Underdamped(score_ve, 1.5 / scale, 0.3 * scale, 4)
    x = sample(tanh, TIMES, n=500, start=start, **BASE, **CORRECTORS[name])
    y = sample(f_ve, list(time_at), d=D, n=500, seed=11, delta=float(noise_level(DELTA)), clock="ve", start=start, **options)
    assert np.allclose(y, scale * x, rtol=1e-12, atol=1e-12)


def test_ve_clock_is_song_et_al() -> None:
    """Start sigma_max z, noise (sigma^2 - sigma_min^2)^(1/2) z added."""
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(2, spawn_key=(0,))))
    x = tanh(80 * rng.standard_normal((9, D)), 80.0)
    x = tanh(x + math.sqrt(0.8**2 - 0.002**2) * rng.standard_normal((9, D)), 0.8)
    found = sample(tanh, (80, 0.8), d=D, n=9, seed=2, delta=0.002, clock="ve", start="matched")
    assert np.allclose(found, x, rtol=1e-13)


def test_every_step() -> None:
    n = block_rows(D) + 5
    steps = sample_every_step(tanh, TIMES, n=n, workers=2, **BASE)
    assert steps.shape == (3, n, D)
    for i in range(3):
        assert np.array_equal(steps[i], sample(tanh, TIMES[: i + 1], n=n, **BASE))
    seen = list[int]()
    single = sample_every_step(tanh, TIMES, n=n, dtype=np.float32, progress=seen.append, **BASE)
    assert single.dtype == np.float32
    assert np.array_equal(single[2], sample(tanh, TIMES, n=n, dtype=np.float32, **BASE))
    assert seen == [block_rows(D), n]


# Reproducibility -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", CORRECTORS)
def test_chunks_and_workers_change_no_bit(name: str, dtype: Any) -> None:
    n = 5 * block_rows(D) + 13
    options = {"n": n, "dtype": dtype, **BASE, **CORRECTORS[name]}
    expected = sample(affine, TIMES, **options)
    assert expected.dtype == dtype
    for workers in (2, 3, 8):
        assert np.array_equal(sample(affine, TIMES, workers=workers, **options), expected)
    for chunk, workers in ((None, 1), (1000, 2), (block_rows(D) * 2 + 1, 3), (n, 1), (10 * n, 2)):
        parts = list(stream(affine, TIMES, chunk=chunk, workers=workers, **options))
        assert np.array_equal(np.concatenate(parts), expected)
        assert {part.dtype for part in parts} == {np.dtype(dtype)}
        assert {len(part) for part in parts[:-1]} <= {chunk or block_rows(D)}
    one, many = (moments(affine, TIMES, workers=w, **options) for w in (1, 3))
    assert np.array_equal(one.mean, many.mean)
    assert np.array_equal(one.covariance, many.covariance)
    assert np.allclose(one.mean, expected.mean(axis=0, dtype=np.float64), rtol=1e-10)
    assert np.allclose(one.covariance, np.cov(expected.T, dtype=np.float64), rtol=1e-10, atol=1e-12)


def test_the_model_runs_in_the_thread_of_the_caller_unless_workers_are_asked_for() -> None:
    n, threads = 3 * block_rows(D), set[int]()

    def model(x: Array, t: float) -> Array:
        threads.add(threading.get_ident())
        return x

    runs: list[Callable[..., Any]] = [sample, sample_every_step, moments, lambda *a, **k: list(stream(*a, **k))]
    for run in runs:
        threads.clear()
        run(model, (1.0,), n=n, **BASE)
        assert threads == {threading.get_ident()}
        threads.clear()
        run(model, (1.0,), n=n, workers=2, **BASE)
        assert threading.get_ident() not in threads


def test_matrix_product_model_with_workers() -> None:
    """BLAS inside f, d = 64, more blocks than workers."""
    M = np.random.default_rng(0).standard_normal((64, 64)) / 8
    one, many = (sample(lambda x, t: x @ M, (2.0, 1.0), d=64, n=20_000, seed=0, delta=0.01, workers=w) for w in (1, 4))
    assert np.array_equal(one, many)


def test_full_blocks_stay_when_n_changes() -> None:
    rows = block_rows(D)
    x, y = (sample(tanh, TIMES, n=n, **BASE) for n in (2 * rows + 10, 3 * rows))
    assert np.array_equal(x[: 2 * rows], y[: 2 * rows])


def test_seeds() -> None:
    x, y, z = (sample(tanh, TIMES, d=D, n=100, seed=seed, delta=DELTA) for seed in (1, 1, 2))
    assert np.array_equal(x, y)
    assert not np.any(x == z)


def test_float32_is_near_float64() -> None:
    found = moments(affine, TIMES, n=200_000, dtype=np.float32, **BASE)
    assert found.mean.dtype == np.float64
    assert_law(found, *law(TIMES))


def test_model_may_overwrite_or_return_its_argument() -> None:
    def in_place(x: Array, t: float) -> Array:
        x *= 1 + t
        return x

    x = sample(in_place, TIMES, n=100, **BASE)
    assert np.array_equal(x, sample(lambda x, t: x * (1 + t), TIMES, n=100, **BASE))
    assert np.array_equal(
        sample(lambda x, t: x[:, ::-1], (1.0,), n=100, **BASE), sample(lambda x, t: x, (1.0,), n=100, **BASE)[:, ::-1]
    )


def test_out_and_progress() -> None:
    n = 2 * block_rows(D) + 1
    room, seen = np.empty((n, D)), list[int]()
    assert sample(tanh, TIMES, n=n, out=room, progress=seen.append, workers=2, **BASE) is room
    assert seen == [block_rows(D), 2 * block_rows(D), n]
    seen.clear()
    moments(tanh, TIMES, n=n, progress=seen.append, **BASE)
    assert seen[-1] == n


def test_workers_hold_few_blocks_and_do_run_at_once() -> None:
    """No more than ``workers`` blocks are begun before the first is taken; a slow f is really run in parallel."""
    begun = list[float]()

    def slow(x: Array, t: float) -> Array:
        begun.append(time.perf_counter())
        time.sleep(0.05)
        return x

    parts = stream(slow, (1.0,), n=8 * block_rows(D), workers=3, **BASE)
    next(parts)
    time.sleep(0.3)
    assert len(begun) == 3
    assert begun[2] - begun[0] < 0.05
    assert len(list(parts)) == 7


def test_large_dimension_has_one_row_a_block() -> None:
    d = 2 * sampling.BLOCK
    assert block_rows(d) == 1
    assert block_rows(10) % 16 == 0
    x = sample(lambda x, t: x, (1.0,), d=d, n=3, seed=0, delta=0.1)
    assert abs(x.std() - 1) < 0.01


# Moments -------------------------------------------------------------------------------------------------------------------


def test_moments_far_from_the_origin() -> None:
    """The merge does not square the mean: variance 1 at mean 1e8 keeps its digits."""
    found = moments(lambda x, t: x + 1e8, (1.0,), n=100_000, **BASE)
    assert np.allclose(np.diag(found.covariance), 1, atol=0.03)


def test_mean_and_covariance_intervals_cover() -> None:
    """90 % intervals over 300 seeds: the number of misses is binomial."""
    mean, covariance = law(TIMES[:1])
    missed_mean = missed_covariance = 0
    for seed in range(300):
        found = moments(affine, TIMES[:1], d=D, n=400, seed=seed, delta=DELTA)
        at, over = found.mean_interval(0.9), found.covariance_interval(0.9)
        missed_mean += not at.lower[0] <= mean[0] <= at.upper[0]
        missed_covariance += not over.lower[0, 1] <= covariance[0, 1] <= over.upper[0, 1]
    assert 10 <= missed_mean <= 53
    assert 10 <= missed_covariance <= 53


def test_interval_of_the_mean_by_hand() -> None:
    """Student: exact for normal laws at every n."""
    found = Moments(5, np.array([1.0, 2.0]), np.array([[4.0, 1.0], [1.0, 9.0]]))
    interval = found.mean_interval(0.9)
    width = stats.t.ppf(0.95, 4) * np.array([2.0, 3.0]) / math.sqrt(5)
    np.testing.assert_allclose(interval.lower, found.mean - width, rtol=1e-12)
    np.testing.assert_allclose(interval.upper, found.mean + width, rtol=1e-12)
    assert (interval.level, interval.trust) == (0.9, "asymptotic")
    np.testing.assert_allclose(found.mean_error, np.array([2.0, 3.0]) / math.sqrt(5))
    assert np.array_equal(found.mean_interval().upper, found.mean_interval(0.95).upper)
    assert np.array_equal(found.covariance_interval().upper, found.covariance_interval(0.95).upper)


def test_interval_of_the_covariance_by_hand() -> None:
    """Variances: chi^2. Covariances: the limits of Var(a + b)/4 and Var(a - b)/4, a and b standardised, combined."""
    C = np.array([[4.0, 1.5], [1.5, 9.0]])
    found = Moments(12, np.zeros(2), C).covariance_interval(0.8)
    low, high = stats.chi2.ppf([0.1, 0.9], 11)
    np.testing.assert_allclose(np.diag(found.lower), np.diag(C) * 11 / high, rtol=1e-12)
    np.testing.assert_allclose(np.diag(found.upper), np.diag(C) * 11 / low, rtol=1e-12)
    plus, minus = (6 + 1.5) / 2, (6 - 1.5) / 2
    assert found.lower[0, 1] == pytest.approx(1.5 - math.hypot(plus - plus * 11 / high, minus * 11 / low - minus), rel=1e-12)
    assert found.upper[1, 0] == pytest.approx(1.5 + math.hypot(plus * 11 / low - plus, minus - minus * 11 / high), rel=1e-12)
    assert (found.level, found.trust) == (0.8, "asymptotic")
    error = Moments(12, np.zeros(2), C).covariance_error
    np.testing.assert_allclose(error, np.sqrt(np.array([[2 * 16, 36 + 2.25], [36 + 2.25, 2 * 81]]) / 11), rtol=1e-12)


@pytest.mark.parametrize("level", [0.0, 1.0, -1, math.nan])
def test_levels_of_intervals(level: float) -> None:
    found = Moments(12, np.zeros(1), np.eye(1))
    for call in (found.mean_interval, found.covariance_interval):
        with pytest.raises(DomainError, match="level is"):
            call(level)


@pytest.mark.parametrize("e", [-500, -300, 300, 500])
def test_moments_scale_with_the_samples(e: int) -> None:
    """Variances from 1e-301 to 1e301, whose squares are beyond float64."""
    one = moments(lambda x, t: x + 3, (1.0,), n=40_000, **BASE)
    other = moments(lambda x, t: 2.0**e * (x + 3), (1.0,), n=40_000, **BASE)
    np.testing.assert_array_equal(np.ldexp(other.mean, -e), one.mean)
    np.testing.assert_array_equal(np.ldexp(other.covariance, -2 * e), one.covariance)
    np.testing.assert_array_equal(np.ldexp(other.covariance_error, -2 * e), one.covariance_error)
    np.testing.assert_array_equal(np.ldexp(other.covariance_interval().upper, -2 * e), one.covariance_interval().upper)


def test_moments_beyond_float64() -> None:
    models: list[Callable[[Array, float], Array]] = [lambda x, t: 1e200 * x, lambda x, t: np.where(x > 0, 1.7e308, -1.7e308)]
    for f in models:
        with pytest.raises(DomainError, match="covariance of the samples is beyond float64"):
            moments(f, (1.0,), n=40_000, **BASE)


def test_moments_of_equal_samples() -> None:
    """A sum of 1e308 would overflow, and the mean of 0.1 would be rounded."""
    for value in (0.1, 1e308):
        found = moments(lambda x, t: np.full_like(x, value), (1.0,), n=40_000, **BASE)  # noqa: B023
        assert (found.mean == value).all()
        assert (found.covariance == 0).all()


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_noise_levels_of_any_size(size: float) -> None:
    """(t^2 - delta^2)^(1/2) with squares beyond float64."""
    rng = np.random.default_rng(0)
    x = noise_back(np.zeros((2000, 1)), 5 * size, rng, delta=3 * size, clock="ve")
    assert np.std(x / size) == pytest.approx(4, rel=0.05)


def test_underdamped_coefficients_of_any_size() -> None:
    """For friction x step = y large: x_s = (y - 1)/friction^2, the spread of x given v is (2 (y - 2))^(1/2)/friction."""
    for scale in (1e-150, 1.0, 1e150):
        k = sampling.underdamped_coefficients(1e6 / scale, scale)
        assert k.x_s / scale == pytest.approx(scale * (1e6 - 1) / 1e12, rel=1e-12, abs=0)
        assert k.x_noise / scale == pytest.approx(math.sqrt(2 * (1e6 - 2)) / 1e6, rel=1e-12, abs=0)
        k = sampling.underdamped_coefficients(1e-9 / scale, scale)
        assert k.x_s / scale == pytest.approx(scale / 2, rel=1e-8, abs=0)


# Errors --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"times": (2.0, 0.05)}, DomainError, "time is 0.05; each time must be > delta = 0.05"),
        ({"times": ()}, InputError, "times is empty"),
        ({"times": 2.0}, InputError, "times is 2.0"),
        ({"times": ("two",)}, InputError, "time is 'two'"),
        ({"times": (math.inf,)}, DomainError, "finite"),
        ({"n": 0}, DomainError, "n is 0; it must be >= 1"),
        ({"n": 2.5}, InputError, "n is 2.5"),
        ({"d": 0}, DomainError, "d is 0"),
        ({"seed": -1}, DomainError, "seed is -1"),
        ({"delta": -0.1}, DomainError, "delta is -0.1"),
        ({"workers": 0}, DomainError, "workers is 0"),
        ({"clock": "vp"}, UnknownNameError, "unknown clock 'vp'"),
        ({"start": "cold"}, UnknownNameError, "unknown start 'cold'"),
        ({"smoothing": 0.0}, DomainError, "smoothing is 0.0; it must be > 0"),
        ({"corrector": score}, InputError, "corrector is function"),
        ({"dtype": np.int64}, InputError, "dtype is int64"),
        ({"out": np.empty((9, D))}, InputError, "out is an array of float64 and shape"),
        ({"f": lambda x, t: x[:, 0]}, InputError, r"f at t = 2 returned shape \(10,\)"),
        ({"f": lambda x, t: x * 1j}, InputError, "complex128"),
        ({"f": lambda x, t: np.where(np.arange(10)[:, None] < 7, x, np.nan)}, InputError, "in 3 of 10 rows, the first in row 7"),
        ({"f": lambda x, t: x * 1e200, "dtype": np.float32}, InputError, "non-finite"),
        ({"corrector": Overdamped(lambda x: x[:-1], 0.1, 1)}, InputError, "the corrector's score returned shape"),
        ({"corrector": Overdamped(lambda x: x / 0.0, 0.1, 1)}, InputError, "the corrector's score returned non-finite"),
        ({"corrector": Overdamped(lambda x: x + 1e300, 1e300, 1)}, InputError, "the corrector returned non-finite"),
    ],
)
def test_errors(change: dict[str, Any], error: type[Exception], message: str) -> None:
    options: dict[str, Any] = {"f": lambda x, t: x, "times": (2.0,), "n": 10, **BASE, **change}
    with np.errstate(all="ignore"), pytest.raises(error, match=message) as caught:
        sample(options.pop("f"), options.pop("times"), **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["d", "n", "seed", "delta", "smoothing", "workers", "chunk"])
def test_what_is_no_number_is_named(name: str) -> None:
    options: dict[str, Any] = {"n": 10, **BASE, name: "x"}
    with pytest.raises(InputError, match=f"^{name} is 'x'; an? (number|integer) is needed$"):
        stream(tanh, (1.0,), **options)


def test_values_beyond_single_precision_give_no_warning() -> None:
    """Warnings are errors in these tests; the values are refused."""
    with pytest.raises(InputError, match="f at t = 1 returned non-finite values in 10 of 10 rows"):
        sample(lambda x, t: np.full(x.shape, 1e200), (1.0,), n=10, dtype=np.float32, **BASE)


def test_row_number_counts_from_the_first_sample() -> None:
    rows = block_rows(D)

    def bad(x: Array, t: float) -> Array:
        return x if len(x) == rows else x * np.nan

    with pytest.raises(InputError, match=f"the first in row {rows}$"):
        sample(bad, (1.0,), n=rows + 2, workers=2, **BASE)


RNG = np.random.default_rng(0)
X = np.zeros((4, 2))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: moments(tanh, (1.0,), n=1, **BASE), "n is 1; moments need at least 2"),
        (lambda: stream(tanh, (1.0,), n=5, chunk=0, **BASE), "chunk is 0"),
        (lambda: moments(tanh, (1.0,), n=9, **BASE).mean_interval(1.0), "level is 1.0"),
        (lambda: Overdamped(score, 0.0, 1), "step is 0.0"),
        (lambda: Overdamped(score, 0.1, 0), "steps is 0"),
        (lambda: Underdamped(score, -1.0, 0.1, 1), "friction is -1.0"),
        (lambda: Underdamped(score, 1.0, 0.0, 1), "step is 0.0"),
        (lambda: Underdamped(score, 1.0, 0.1, 0), "steps is 0"),
        (lambda: noise_back(X, 0.1, RNG, delta=0.1), "time is 0.1"),
        (lambda: noise_back(X, 0.1, RNG, delta=0.0, clock="vp"), "unknown clock"),
        (lambda: smooth(X, -1.0, RNG), "u is -1.0"),
        (lambda: smooth(X[0], 1.0, RNG), r"x is an array of float64 and shape \(2,\)"),
    ],
)
def test_more_errors(call: Callable[[], object], message: str) -> None:
    with pytest.raises((InputError, DomainError), match=f"^{message}"):
        call()


# The record of a run -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CORRECTORS)
def test_a_run_is_its_times_and_options(name: str) -> None:
    run = Run(np.array(TIMES), n=50, **BASE, **CORRECTORS[name])
    assert (run.times, run.delta, run.dtype) == (TIMES, DELTA, np.dtype(np.float64))
    whole = sample(affine, TIMES, n=50, **BASE, **CORRECTORS[name])
    assert np.array_equal(sample(affine, run), whole)
    assert np.array_equal(np.concatenate(list(stream(affine, run, chunk=7, workers=2))), whole)
    assert moments(affine, run).mean == pytest.approx(whole.mean(axis=0))
    if name == "none":
        assert np.array_equal(sample_every_step(affine, run)[-1], whole)
        assert run == Run(TIMES, n=50, **BASE) != Run(TIMES, n=51, **BASE)
        assert hash(run) == hash(Run(TIMES, n=50, **BASE))


def test_a_run_is_checked_when_it_is_made() -> None:
    for wrong, kind in (({"n": 0}, DomainError), ({"clock": "xx"}, UnknownNameError), ({"times": ()}, InputError)):
        with pytest.raises(kind):
            Run(**{"times": TIMES, "n": 5, **BASE, **wrong})
    with pytest.raises(InputError, match="seed, n belong into the Run"):
        sample(affine, Run(TIMES, n=5, **BASE), seed=1, n=4)
    with pytest.raises(InputError, match="before a corrector or smoothing"):
        sample_every_step(affine, TIMES, n=5, **BASE, smoothing=0.1)
    with pytest.raises(DomainError, match="workers"):
        sample(affine, Run(TIMES, n=5, **BASE), workers=0)
