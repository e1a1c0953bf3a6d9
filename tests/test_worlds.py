"""Analytic worlds: every closed form against an independent route."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import numpy.typing as npt
import pytest
import scipy.integrate
import scipy.optimize
import scipy.stats

import cmbound
from cmbound.errors import DomainError, InputError
from cmbound.worlds import Atoms, Gaussian, Mixture, World, read_data
from cmbound.worlds.components import Individual, Shared
from cmbound.worlds.geometry import enclosing_ball
from cmbound.worlds.process import noise, signal, time_of

Array = npt.NDArray[Any]

RNG = np.random.default_rng(20240611)
FULL = np.array([[1.5, 0.6, -0.2], [0.6, 0.8, 0.1], [-0.2, 0.1, 0.25]])
ROOTS = RNG.standard_normal((3, 2, 2))
MEANS = np.array([[2.0, -1.0], [-0.5, 0.7], [-1.0, -1.2]])
WEIGHTS = [0.5, 0.2, 0.3]
WORLDS: dict[str, World] = {
    "diagonal": Gaussian([0.5, -2.0, 0.1], [2.0, 0.3, 0.05]),
    "full": Gaussian([0.5, -2.0, 0.1], FULL),
    "singular": Gaussian([0.3, 1.0], [[1.0, 2.0], [2.0, 4.0]]),
    "isotropic": Mixture(MEANS, WEIGHTS, 0.09),
    "wide": Mixture(MEANS, None, 4.0),
    "common": Mixture([[1.0, 0, 0], [0, -1, 0.5], [0.2, 0.3, -1]], WEIGHTS, FULL),
    "individual": Mixture(MEANS, WEIGHTS, ROOTS @ ROOTS.transpose(0, 2, 1) / 4),
    "line": Mixture([[-1.0], [0.4], [1.5]], WEIGHTS, 0.01),
    "line-individual": Mixture([[0.0], [0.3], [2.0]], WEIGHTS, [[[0.01]], [[0.5]], [[0.1]]]),
    "atoms": Atoms(MEANS, [0.1, 0.6, 0.3]),
    "point": Atoms([[0.7, -0.2]]),
}
LINES = {name: world for name, world in WORLDS.items() if isinstance(world, Mixture) and world.d == 1}
LINES["line-atoms"] = Atoms([[-1.0], [0.2], [0.9]], WEIGHTS)
SINGULAR = {"singular", "atoms", "point"}
every = pytest.mark.parametrize("name", WORLDS)
lines = pytest.mark.parametrize("name", LINES)


def _points(name: str, n: int, t: float) -> Array:
    return WORLDS[name].sample(n, t, seed=len(name))


def _ball_of_hessians(world: World, x: Array, t: Any) -> Array:
    """The spectral norm of the Hessian at every point."""
    columns = [world.hessian_product(x, e, t) for e in np.eye(world.d)]
    return np.asarray(np.abs(np.linalg.eigvalsh(np.stack(columns, axis=-1))).max(axis=-1))


# --- score and its derivatives --------------------------------------------------------------------------------------


@every
@pytest.mark.parametrize("t", [0.05, 0.7, 2.5])
def test_score_is_the_gradient_of_the_log_density(name: str, t: float) -> None:
    world, h = WORLDS[name], 1e-5
    x = _points(name, 30, t)
    parts = [(world.log_density(x + h * e, t) - world.log_density(x - h * e, t)) / (2 * h) for e in np.eye(world.d)]
    np.testing.assert_allclose(world.score(x, t), np.stack(parts, axis=-1), rtol=1e-5, atol=1e-6)


@every
@pytest.mark.parametrize("t", [0.05, 0.7, 2.5])
def test_hessian_product_is_a_derivative_of_the_score(name: str, t: float) -> None:
    world, h = WORLDS[name], 1e-5
    x = _points(name, 30, t)
    v = np.random.default_rng(1).standard_normal((30, world.d))
    expected = (world.score(x + h * v, t) - world.score(x - h * v, t)) / (2 * h)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(world.hessian_product(x, v, t), expected, rtol=1e-5, atol=1e-7 * scale)
    np.testing.assert_allclose(world.hessian_product(x, v[0], t)[0], world.hessian_product(x[:1], v[0], t)[0], rtol=1e-9)


@every
@pytest.mark.parametrize("t", [0.06, 0.5, 2.0])
def test_score_acceleration_is_the_derivative_along_the_flow(name: str, t: float) -> None:
    world, h = WORLDS[name], 1e-3 * t
    x = _points(name, 30, t)
    scores = [world.score(world.flow(x, t, t + k * h), t + k * h) for k in (-2, -1, 1, 2)]
    expected = (scores[0] - 8 * scores[1] + 8 * scores[2] - scores[3]) / (12 * h)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(world.score_acceleration(x, t), expected, rtol=1e-5, atol=1e-5 * scale)


@every
def test_denoiser_is_tweedie(name: str) -> None:
    world = WORLDS[name]
    for t in (0.01, 0.4, 3.0):
        x = _points(name, 20, t)
        expected = (x + noise(t) ** 2 * world.score(x, t)) / signal(t)
        np.testing.assert_allclose(world.denoiser(x, t), expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("t", [0.0, 0.3, 2.0])
def test_log_density_is_that_of_scipy(t: float) -> None:
    def normal(mean: Any, covariance: Any, x: Array) -> Array:
        size = len(mean)
        inflated = signal(t) ** 2 * np.asarray(covariance) + noise(t) ** 2 * np.eye(size)
        return np.asarray(scipy.stats.multivariate_normal(signal(t) * np.asarray(mean), inflated).pdf(x))

    covariances: dict[str, Any] = {
        "isotropic": [0.09 * np.eye(2)] * 3,
        "common": [FULL] * 3,
        "individual": ROOTS @ ROOTS.transpose(0, 2, 1) / 4,
    }
    for name, parts in covariances.items():
        world = WORLDS[name]
        assert isinstance(world, Mixture)
        x = _points(name, 20, t)
        expected = sum(w * normal(m, c, x) for w, m, c in zip(WEIGHTS, world.means, parts, strict=True))
        np.testing.assert_allclose(world.log_density(x, t), np.log(expected), rtol=1e-10, atol=1e-10)
    x = _points("full", 20, t)
    np.testing.assert_allclose(WORLDS["full"].log_density(x, t), np.log(normal([0.5, -2.0, 0.1], FULL, x)), rtol=1e-10)


def _exact_atoms(points: Any, weights: Any, x: Any, t: float) -> tuple[Any, Any, Any]:
    """log-density, score and denoiser of atoms with 60 digits."""
    with mpmath.workdps(60):
        c, v = mpmath.exp(-mpmath.mpf(t)), -mpmath.expm1(-2 * mpmath.mpf(t))
        y = [mpmath.mpf(float(z)) for z in x]
        atoms = [[mpmath.mpf(float(z)) for z in row] for row in points]
        size = len(y)
        exponents = [-mpmath.fsum((a - c * b for a, b in zip(y, row, strict=True)), squared=True) / (2 * v) for row in atoms]
        top = max(exponents)
        mass = [mpmath.mpf(float(w)) * mpmath.exp(e - top) for w, e in zip(weights, exponents, strict=True)]
        total = sum(mass)
        mean = [mpmath.fdot(mass, column) / total for column in zip(*atoms, strict=True)]
        density = top + mpmath.log(total) - size * mpmath.log(2 * mpmath.pi * v) / 2
        return float(density), [float((c * m - z) / v) for m, z in zip(mean, y, strict=True)], [float(m) for m in mean]


@pytest.mark.parametrize("t", [1e-6, 1e-3, 0.5, 20.0])
def test_atoms_against_60_digits_near_and_far(t: float) -> None:
    world = WORLDS["atoms"]
    assert isinstance(world, Atoms)
    centres = signal(t) * world.points
    x = np.concatenate([centres + noise(t), [[1e8, 3.0], [-4e7, 9e7], [0.1, 0.2]], (centres[:1] + centres[1:2]) / 2])
    for row in x:
        density, score, denoised = _exact_atoms(world.points, world.weights, row, t)
        assert world.log_density(row, t) == pytest.approx(density, rel=1e-12, abs=1e-9)
        np.testing.assert_allclose(world.score(row, t), score, rtol=1e-9, atol=1e-9 / float(noise(t)))
        np.testing.assert_allclose(world.denoiser(row, t), denoised, rtol=1e-9, atol=1e-9)


@every
def test_far_tails_and_small_times_are_finite(name: str) -> None:
    world = WORLDS[name]
    x = 1e8 * np.random.default_rng(2).standard_normal((6, world.d))
    for t in (1e-6, 1.0, 300.0):
        for value in (world.score(x, t), world.hessian_product(x, np.ones(world.d), t), world.score_acceleration(x, t)):
            assert np.isfinite(value).all()
        assert np.isfinite(world.log_density(x, t)).all()
        assert np.isfinite(world.denoiser(x, t)).all()
    assert np.isfinite(world.flow(x, 1.0, 1e-6)).all()
    start = x if name != "individual" else _points(name, 6, 1e-6)  # far out its components meet in kinks
    assert np.isfinite(world.flow(start, 1e-6, 1.0)).all()


def test_components_with_equal_covariances_agree_however_stored() -> None:
    means = RNG.standard_normal((4, 3))
    weights = np.array([0.1, 0.2, 0.3, 0.4])
    values, vectors = np.linalg.eigh(FULL)
    shared = Shared(means, weights, values, vectors)
    individual = Individual(means, weights, np.tile(values, (4, 1)), np.tile(vectors, (4, 1, 1)))
    x, v = RNG.standard_normal((2, 25, 3))
    at = np.asarray(0.8), np.asarray(0.36)
    for method in ("log_density", "score", "denoiser", "acceleration"):
        np.testing.assert_allclose(getattr(shared, method)(x, *at), getattr(individual, method)(x, *at), rtol=1e-10)
    np.testing.assert_allclose(shared.hessian_product(x, *at, v), individual.hessian_product(x, *at, v), rtol=1e-9, atol=1e-12)
    index = RNG.integers(4, size=25)
    np.testing.assert_allclose(shared.draw(index, 0.8, 0.6, v), individual.draw(index, 0.8, 0.6, v), rtol=1e-12)


def test_one_component_is_the_gaussian() -> None:
    pairs: list[tuple[World, World]] = [
        (Mixture([[0.5, -2.0, 0.1]], None, FULL), WORLDS["full"]),
        (Mixture([[0.5, -2.0, 0.1]], None, [np.diag([2.0, 0.3, 0.05])]), WORLDS["diagonal"]),
        (Mixture([[0.5, -2.0]], None, 0.3), Gaussian([0.5, -2.0], 0.3)),
    ]
    for mixture, gaussian in pairs:
        x = gaussian.sample(20, 0.4, seed=3)
        np.testing.assert_array_equal(mixture.sample(1, seed=0).shape, (1, gaussian.d))
        for method in ("log_density", "score", "denoiser", "score_acceleration"):
            np.testing.assert_allclose(getattr(mixture, method)(x, 0.4), getattr(gaussian, method)(x, 0.4), rtol=1e-10)
        for ends in ((2.0, 0.01), (0.01, 2.0)):
            np.testing.assert_allclose(mixture.flow(x, *ends), gaussian.flow(x, *ends), rtol=1e-8, atol=1e-8)
        np.testing.assert_allclose(mixture.covariance, gaussian.covariance, atol=1e-15)
        assert mixture.sd2 == pytest.approx(gaussian.sd2, rel=1e-15)
        assert mixture.d_eff == gaussian.d_eff == gaussian.d
        assert mixture.score_lipschitz(3.0, 0.1) == pytest.approx(gaussian.score_lipschitz(3.0, 0.1), rel=1e-12)


def test_mixture_of_width_zero_is_atoms_and_repeated_points_are_merged() -> None:
    atoms = Atoms([[1.0, 0.0], [0.0, -0.0], [1.0, 0.0], [0.0, 0.0], [3.0, 3.0]], [0.1, 0.2, 0.3, 0.15, 0.25])
    np.testing.assert_array_equal(atoms.points, [[1, 0], [0, 0], [3, 3]])
    np.testing.assert_allclose(atoms.weights, [0.4, 0.35, 0.25], rtol=1e-15)
    mixture = Mixture(atoms.points, atoms.weights)
    x = atoms.sample(10, 0.2, seed=1)
    np.testing.assert_array_equal(mixture.sample(10, 0.2, seed=1), x)
    np.testing.assert_array_equal(atoms.score(x, 0.2), mixture.score(x, 0.2))
    np.testing.assert_array_equal(atoms.flow(x, 0.2, 0.01), mixture.flow(x, 0.2, 0.01))
    constants = atoms.constants(0.1, 2.0)
    assert constants["n_atoms"] == 3
    np.testing.assert_allclose(constants["weights"], [0.4, 0.35, 0.25])
    assert "weights" not in Atoms([[1.0], [2.0], [1.0], [2.0]]).constants(0.1, 2.0)
    assert len(Mixture([[0.0], [1.0], [2.0]], [0.5, 0.0, 0.5], 0.1).weights) == 2


# --- the flow -------------------------------------------------------------------------------------------------------


@every
@pytest.mark.parametrize("ends", [(2.0, 0.02), (0.05, 1.5)])
def test_flow_against_solve_ivp(name: str, ends: tuple[float, float]) -> None:
    world = WORLDS[name]
    x = _points(name, 4, ends[0])

    def slope(t: float, y: Array) -> Array:
        points = y.reshape(x.shape)
        return np.asarray(-points - world.score(points, t)).reshape(-1)

    expected = scipy.integrate.solve_ivp(slope, ends, x.reshape(-1), method="LSODA", rtol=1e-10, atol=1e-12).y[:, -1]
    np.testing.assert_allclose(world.flow(x, *ends), expected.reshape(x.shape), rtol=1e-7, atol=1e-7)
    np.testing.assert_array_equal(world.consistency(x, *ends), world.flow(x, *ends))


@lines
@pytest.mark.parametrize("ends", [(3.0, 0.05), (1.0, 0.3), (0.1, 2.0), (40.0, 0.2)])
def test_flow_on_the_line_is_the_monotone_rearrangement(name: str, ends: tuple[float, float]) -> None:
    world = LINES[name]
    x = world.from_normal(np.linspace(-7, 7, 41), ends[0])[:, None]
    moved, derivative = world.rearrangement(x, *ends), world.flow_derivative(x, *ends)
    assert (np.diff(moved[:, 0]) > 0).all()
    allowed = 1e-8 * (1 + np.abs(derivative))
    assert (np.abs(world.flow(x, *ends) - moved)[:, 0] < allowed).all()
    h = 1e-4
    near = [world.rearrangement(x + k * h, *ends)[:, 0] for k in (-2, -1, 1, 2)]
    slope = (near[0] - 8 * near[1] + 8 * near[2] - near[3]) / (12 * h)
    np.testing.assert_allclose(derivative, slope, rtol=2e-3 if name == "line-atoms" else 1e-4, atol=1e-7)


def test_gaussian_flow_matrix_factor_and_covariance() -> None:
    for name in ("diagonal", "full", "singular"):
        world = WORLDS[name]
        assert isinstance(world, Gaussian)
        expected = signal(0.3) ** 2 * world.covariance + noise(0.3) ** 2 * np.eye(world.d)
        np.testing.assert_allclose(world.covariance_at(0.3), expected, rtol=1e-13, atol=1e-15)
        np.testing.assert_allclose(world.factor(0.3) @ world.factor(0.3), expected, rtol=1e-13, atol=1e-14)
        np.testing.assert_allclose(np.sort(world.variances([0.3])[0]), np.linalg.eigvalsh(expected), rtol=1e-12)
        A = world.flow_matrix(0.3, 0.0)
        np.testing.assert_allclose(A @ expected @ A.T, world.covariance, rtol=1e-12, atol=1e-14)
        x = _points(name, 5, 0.3)
        np.testing.assert_allclose(world.flow(x, 0.3, 0.0), world.mean + (x - signal(0.3) * world.mean) @ A.T, rtol=1e-12)
    assert WORLDS["diagonal"].eigenvectors is None  # type: ignore[attr-defined]


def test_flow_of_a_point_does_not_depend_on_the_others() -> None:
    for name in ("isotropic", "individual", "atoms"):
        world = WORLDS[name]
        x = _points(name, 40, 2.0)
        together = world.flow(x, 2.0, 0.01)
        alone = np.concatenate([world.flow(row[None], 2.0, 0.01) for row in x[::5]])
        np.testing.assert_allclose(together[::5], alone, rtol=1e-12, atol=1e-12)
        with_far = world.flow(np.concatenate([x, [[1e7, -1e7]]]), 2.0, 0.01)[:-1]
        np.testing.assert_allclose(together, with_far, rtol=1e-12, atol=1e-12)


FAR = [2.0**27, -(2.0**30), 2.0**33]
"""Offsets."""


@pytest.mark.parametrize("offset", FAR)
@pytest.mark.parametrize("covariance", [0.0, 0.25, [[1.0, 0.5, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, 0.25]], "individual"])
@pytest.mark.parametrize("ends", [(0.5, 1e-3), (0.05, 1.5)])
def test_flow_moves_with_the_law(covariance: Any, offset: float, ends: tuple[float, float]) -> None:
    """Far from the origin the flow is as near to that about the origin as the rounding of x and of c m allows."""
    means = np.round(np.random.default_rng(0).normal(size=(30, 3)) * 1024) / 1024
    if covariance == "individual":
        covariance = [np.diag([1, 0.5, k + 1]) for k in range(30)]
    near, far = (Mixture(means + o, covariance=covariance) for o in (0.0, offset))
    x = near.sample(20, ends[0], seed=1)
    c_from, c_to = np.exp(-np.array(ends)) * offset
    moved = near.flow(x + c_from - c_from, *ends)
    steepest = max(1.0, float(np.exp(ends[0] - ends[1])))
    assert np.abs(far.flow(x + c_from, *ends) - c_to - moved).max() < 50 * np.spacing(abs(offset)) * steepest


@pytest.mark.parametrize("offset", FAR)
@pytest.mark.parametrize("covariance", [0.0, 0.01, [[[0.01]], [[0.04]]]])
def test_flow_on_the_line_far_from_the_origin(covariance: Any, offset: float) -> None:
    world = Mixture([[offset - 1], [offset + 1]], covariance=covariance)
    x = math.exp(-0.5) * offset + np.array([[0.7], [-0.3], [1.5]])
    assert np.abs(world.flow(x, 0.5, 0.05) - world.rearrangement(x, 0.5, 0.05)).max() < 20 * np.spacing(abs(offset))
    np.testing.assert_array_equal(world.flow(x, 0.5, 0.5), x)


@every
def test_flow_composes_and_stands_still(name: str) -> None:
    world = WORLDS[name]
    x = _points(name, 10, 1.0)
    np.testing.assert_allclose(world.flow(x, 1.0, 1.0), x, rtol=1e-11, atol=1e-14)
    half = world.flow(x, 1.0, 0.3)
    np.testing.assert_allclose(world.flow(half, 0.3, 0.1), world.flow(x, 1.0, 0.1), rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(world.flow(half, 0.3, 1.0), x, rtol=1e-7, atol=1e-7)


# --- one dimension --------------------------------------------------------------------------------------------------


def _exact_cdf(world: Mixture, x: float, t: float, *, upper: bool) -> Any:
    inner = world.component_covariance
    variances = np.full(len(world.weights), inner) if isinstance(inner, float) else np.ravel(inner)
    with mpmath.workdps(40):
        c, total = mpmath.exp(-mpmath.mpf(t)), mpmath.mpf(0)
        for w, m, v in zip(world.weights, world.means[:, 0], variances, strict=True):
            deviation = mpmath.sqrt(c * c * mpmath.mpf(float(v)) - mpmath.expm1(-2 * mpmath.mpf(t)))
            z = (mpmath.mpf(x) - c * mpmath.mpf(float(m))) / deviation
            total += mpmath.mpf(float(w)) * mpmath.erfc((z if upper else -z) / mpmath.sqrt(2)) / 2
        return total


@lines
@pytest.mark.parametrize("t", [0.001, 0.2, 3.0])
def test_cdf_and_quantile(name: str, t: float) -> None:
    world = LINES[name]
    u = np.array([1e-280, 1e-40, 1e-13, 1e-3, 0.1, 0.31, 0.5, 0.77, 0.999])
    for upper in (False, True):
        x = world.quantile(u, t, survival=upper)
        exact = np.array([float(_exact_cdf(world, float(y), t, upper=upper)) for y in x])
        np.testing.assert_allclose(exact, u, rtol=1e-11)
        given = world.survival(x, t) if upper else world.cdf(x, t)
        np.testing.assert_allclose(given, exact, rtol=1e-11)
    z = np.array([-30.0, -3.0, 0.2, 3.0, 8.0, 30.0])
    np.testing.assert_allclose(world.survival(world.from_normal(z, t), t), scipy.stats.norm.sf(z), rtol=1e-11)
    np.testing.assert_allclose(world.cdf(world.from_normal(z, t), t), scipy.stats.norm.cdf(z), rtol=1e-11)
    for z_far in (-45.0, 45.0):  # Phi underflows there
        exact_log = mpmath.log(_exact_cdf(world, float(world.from_normal(z_far, t)), t, upper=z_far > 0))
        assert float(exact_log) == pytest.approx(scipy.stats.norm.logcdf(-45), rel=1e-12)
    np.testing.assert_array_equal(world.quantile([0.0, 1.0], t), [-np.inf, np.inf])
    np.testing.assert_array_equal(world.quantile([0.0, 1.0], t, survival=True), [np.inf, -np.inf])


def test_quantile_in_a_gap_where_the_distribution_function_is_flat() -> None:
    world = Atoms([[-1.0], [1.0]])
    assert world.quantile(0.5, 1e-4) == pytest.approx(0, abs=1e-15)
    assert world.rearrangement([[0.0]], 1.0, 1e-4)[0, 0] == pytest.approx(0, abs=1e-15)
    expected = math.log(float(noise(0.02) / noise(1.0))) + float(signal(0.02) / noise(0.02)) ** 2 / 2
    expected -= float(signal(1.0) / noise(1.0)) ** 2 / 2
    assert world.flow_derivative([[0.0]], 1.0, 0.02)[0] == pytest.approx(math.exp(expected), rel=1e-12)
    far = world.rearrangement([[-1e8], [1e8]], 1.0, 0.1)[:, 0] * noise(1.0) / noise(0.1)
    np.testing.assert_allclose(far, [-1e8, 1e8], rtol=1e-7)
    steep = world.flow_derivative([[-1e8], [1e8]], 1.0, 0.1)
    np.testing.assert_allclose(steep, noise(0.1) / noise(1.0), rtol=1e-7)


def test_gaussian_on_the_line() -> None:
    world, t = Gaussian([0.4], [[0.3]]), 0.2
    law = scipy.stats.norm(0.4 * signal(t), math.sqrt(0.3 * signal(t) ** 2 + noise(t) ** 2))
    x = np.array([-3.0, 0.1, 2.0])
    np.testing.assert_allclose(world.cdf(x, t), law.cdf(x), rtol=1e-13)
    np.testing.assert_allclose(world.survival(x, t), law.sf(x), rtol=1e-13)
    np.testing.assert_allclose(world.quantile([1e-20, 0.3], t), law.ppf([1e-20, 0.3]), rtol=1e-13)
    np.testing.assert_allclose(world.quantile([1e-20, 0.3], t, survival=True), law.isf([1e-20, 0.3]), rtol=1e-13)
    np.testing.assert_allclose(world.from_normal([-2.0, 9.0], t), law.mean() + law.std() * np.array([-2.0, 9.0]), rtol=1e-13)
    np.testing.assert_allclose(world.flow_derivative(x[:, None], t, 0.0), world.flow_matrix(t, 0.0)[0, 0])


# --- samples and moments --------------------------------------------------------------------------------------------


@every
def test_samples_have_the_moments(name: str) -> None:
    """Each mean and covariance entry within six standard errors of the sample."""
    world, n = WORLDS[name], 40_000
    for t in (0.0, 0.3):
        x = world.sample(n, t, seed=7)
        covariance = signal(t) ** 2 * world.covariance + noise(t) ** 2 * np.eye(world.d)
        y = x - signal(t) * world.mean
        assert (np.abs(y.mean(axis=0)) <= 6 * np.sqrt(covariance.diagonal() / n) + 1e-14).all()
        products = y[:, :, None] * y[:, None, :]
        assert (np.abs(products.mean(axis=0) - covariance) <= 6 * products.std(axis=0) / math.sqrt(n) + 1e-14).all()
    assert world.sd2 == pytest.approx(math.sqrt(np.trace(world.covariance)), rel=1e-13)
    assert world.m2 == pytest.approx(math.sqrt(np.trace(world.covariance) + float(world.mean @ world.mean)), rel=1e-13)
    assert world.m2 >= world.sd2


@every
def test_samples_depend_on_the_seed_alone(name: str) -> None:
    world = WORLDS[name]
    x = world.sample(50, 0.4, seed=5)
    np.testing.assert_array_equal(x, world.sample(50, 0.4, seed=np.random.default_rng(5)))
    assert not (x == world.sample(50, 0.4, seed=6)).any()
    single = world.sample(50, 0.4, seed=5, dtype=np.float32)
    assert single.dtype == np.float32
    np.testing.assert_array_equal(single, x.astype(np.float32))


# --- shapes and types -----------------------------------------------------------------------------------------------


@every
def test_times_broadcast_against_points(name: str) -> None:
    world = WORLDS[name]
    x = _points(name, 6, 0.5)
    column, each = np.array([[0.2], [0.9]]), np.linspace(0.1, 2, 6)
    v = np.ones(world.d)
    methods: list[Any] = [world.score, world.log_density, world.denoiser, world.score_acceleration]
    methods += [lambda y, t: world.hessian_product(y, v, t), lambda y, t: world.flow(y, t, 0.3)]
    for method in methods:
        table = np.stack([method(x, float(t)) for t in column[:, 0]])
        np.testing.assert_allclose(method(x, column), table, rtol=1e-11, atol=1e-11)
        rows = np.stack([method(row, float(t)) for row, t in zip(x, each, strict=True)])
        np.testing.assert_allclose(method(x, each), rows, rtol=1e-11, atol=1e-11)
    assert world.score(x, column).shape == (2, 6, world.d)
    assert world.log_density(x, column).shape == (2, 6)
    assert world.log_density(x[0], 0.5).shape == ()
    assert world.score(x[:0], 0.5).shape == (0, world.d)
    assert world.flow(x[:0], 0.5, 0.2).shape == (0, world.d)
    assert world.flow(x, 0.5, column).shape == (2, 6, world.d)


@every
def test_float32_points_give_float32_computed_in_float64(name: str) -> None:
    world = WORLDS[name]
    x = _points(name, 5, 0.5).astype(np.float32)
    wide = x.astype(np.float64)
    for method in (world.score, world.log_density, world.denoiser, world.score_acceleration):
        assert method(x, 0.5).dtype == np.float32
        np.testing.assert_array_equal(method(x, 0.5), method(wide, 0.5).astype(np.float32))
    assert world.flow(x, 0.5, 0.1).dtype == np.float32
    assert world.score(wide, np.float32(0.5)).dtype == np.float64
    assert world.score(np.ones((2, world.d), dtype=int), 0.5).dtype == np.float64


def test_blocks_do_not_change_results(monkeypatch: pytest.MonkeyPatch) -> None:
    world = WORLDS["individual"]
    x = _points("individual", 100, 0.5)
    t = np.linspace(0.1, 1, 100)
    whole = world.score(x, t)
    monkeypatch.setattr("cmbound.worlds.mixture.BLOCK", 64)
    np.testing.assert_allclose(world.score(x, t), whole, rtol=1e-12)


# --- Lipschitz constants --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*WORLDS, "line-atoms"])
@pytest.mark.parametrize("t_star", [0.0, 0.01, 0.3])
def test_score_lipschitz_is_never_below_a_scan(name: str, t_star: float) -> None:
    world = WORLDS.get(name) or LINES[name]
    constant, T = world.score_lipschitz(2.0, t_star), 2.0
    if t_star == 0 and name in SINGULAR | {"line-atoms"}:
        assert constant == math.inf
        return
    if name == "individual":
        assert constant == math.inf
        return
    t = np.linspace(max(t_star, 1e-9), T, 25)[:, None]
    if world.d == 1:
        x = np.append(np.linspace(-3, 4, 6001), [-1e3, 1e3])[:, None]
    else:
        assert isinstance(world, Gaussian | Mixture)
        x = world.sample(200, seed=1)
        if isinstance(world, Mixture):
            fractions = np.linspace(-0.5, 1.5, 101)[:, None, None, None]
            between = fractions * world.means[:, None] + (1 - fractions) * world.means
            x = np.concatenate([x, between.reshape(-1, world.d)])
    largest = float(_ball_of_hessians(world, x, t).max())
    assert largest <= constant * (1 + 1e-12)
    if isinstance(world, Gaussian):
        assert largest >= constant * (1 - 1e-6)
    elif world.d == 1:
        assert largest >= constant * (1 - 2e-3)


def test_score_lipschitz_of_unequal_variances_that_are_not_largest_at_the_ends() -> None:
    """A rare wide component between narrow ones, and a sup inside (t_star, T)."""
    rng = np.random.default_rng(11)
    for case in range(6):
        means, weights = rng.normal(size=(4, 1)) * 3, 10.0 ** rng.uniform(-6, 0, 4)
        variances = 10.0 ** rng.uniform(-2, 0.7, 4)
        world = Mixture(means, weights, variances[:, None, None] if case % 2 else variances[0])
        constant = world.score_lipschitz(2.0, 0.0)
        largest = 0.0
        for t in np.append(np.linspace(0, 0.3, 31), np.linspace(0.4, 2, 9)):
            x = np.append(np.linspace(-15, 15, 20001), [-1e3, 1e3])[:, None]
            largest = max(largest, float(np.abs(world.hessian_product(x, [1.0], t)).max()))
        assert largest <= constant
        assert largest >= constant * (1 - 5e-3)


def test_score_lipschitz_with_wide_components_can_peak_inside() -> None:
    world = Mixture([[-40.0, 0.0], [40.0, 0.0]], None, 9.0)
    t = np.linspace(0, 4, 4001)
    scan = _ball_of_hessians(world, np.zeros((1, 2)), t[:, None])
    assert 0 < scan[:, 0].argmax() < 4000
    assert scan.max() <= world.score_lipschitz(4.0) * (1 + 1e-12)
    assert scan.max() == pytest.approx(world.score_lipschitz(4.0), rel=1e-5)


def test_lipschitz_constants_are_attained_by_two_symmetric_atoms() -> None:
    world = Atoms([[-1.5, 0.0], [1.5, 0.0]])
    for delta in (1e-6, 0.05, 1.0):
        attained = float(_ball_of_hessians(world, np.zeros((1, 2)), delta)[0])
        low = float(1 / noise(delta) ** 2)
        assert world.score_lipschitz(5.0, delta) == pytest.approx(max(attained, low), rel=1e-12)
    line = Atoms([[-1.5], [1.5]])
    for t, delta in ((3.0, 0.2), (0.5, 0.1)):
        assert line.map_lipschitz(t, delta) == pytest.approx(line.flow_derivative([[0.0]], t, delta)[0], rel=1e-12)
    assert line.map_lipschitz(3.0, 1e-6) == math.inf
    assert line.map_lipschitz(0.5, 0.5) == 1


@pytest.mark.parametrize("name", [*WORLDS, "line-atoms"])
def test_map_lipschitz_is_never_below_slopes_of_the_flow(name: str) -> None:
    world = WORLDS.get(name) or LINES[name]
    t, delta, h = 2.0, 0.3, 1e-4
    constant = world.map_lipschitz(t, delta)
    rng = np.random.default_rng(4)
    x = np.concatenate([world.sample(60, t, seed=1), rng.uniform(-1, 1, (60, world.d))])
    v = rng.standard_normal(x.shape)
    if isinstance(world, Gaussian):
        v = np.vstack([v[:-1], world.flow_matrix(t, delta)[:1]])
    v /= np.linalg.norm(v, axis=1, keepdims=True)
    slopes = np.linalg.norm(world.flow(x + h * v, t, delta) - world.flow(x - h * v, t, delta), axis=1) / (2 * h)
    assert slopes.max() <= constant * (1 + 1e-6)
    if isinstance(world, Gaussian):
        assert constant == pytest.approx(np.linalg.norm(world.flow_matrix(t, delta), 2), rel=1e-12)
    else:
        assert (constant == math.inf) == (name in ("common", "individual", "line-individual"))


# --- constants ------------------------------------------------------------------------------------------------------


def test_constants() -> None:
    isotropic = WORLDS["isotropic"].constants(0.1, 3.0)
    assert set(isotropic) == {"d", "m2", "sd2", "d_eff", "L_s", "t_star", "R", "tau"}
    assert (isotropic["d"], isotropic["d_eff"], isotropic["t_star"], isotropic["tau"]) == (2, 2, 0, pytest.approx(0.3))
    assert WORLDS["isotropic"].constants(0.1, 3.0, 0.1)["t_star"] == "delta"
    assert WORLDS["isotropic"].constants(0.1, 3.0, 0.1)["L_s"] < isotropic["L_s"]
    atoms = WORLDS["atoms"].constants(0.1, 3.0)
    assert atoms["t_star"] == "delta"
    assert "tau" not in atoms
    assert atoms["R"] == WORLDS["atoms"].radius
    assert set(WORLDS["individual"].constants(0.1, 3.0)) == {"d", "m2", "sd2", "d_eff"}
    assert set(WORLDS["wide"].constants(0.1, 3.0)) == {"d", "m2", "sd2", "d_eff", "L_s", "t_star"}
    assert WORLDS["wide"].constants(0.1, 3.0)["L_s"] >= 1
    point = WORLDS["point"].constants(0.1, 3.0)
    assert (point["R"], point["d_eff"], point["n_atoms"], point["sd2"]) == (0, 1, 1, 0)
    sphere = Gaussian([1.0, 2.0], 0.25).constants(0.1, 3.0)
    assert (sphere["R"], sphere["tau"], sphere["L_s"]) == (0, 0.5, pytest.approx(4, rel=1e-15))
    assert Gaussian([1.0, 2.0], 0.0).constants(0.1, 3.0)["R"] == 0
    assert Gaussian([1.0, 2.0], 0.0).radius == 0
    assert "R" not in WORLDS["full"].constants(0.1, 3.0)
    statement = cmbound.theorem("explicit-one-step")
    for name, world in WORLDS.items():
        law = world.constants(0.1, 3.0)
        law = {key: value for key, value in law.items() if name != "point" or key != "d_eff"}
        profile = "universal" if "L_s" not in law else "auto"
        value = statement.evaluate(
            **law, eps_sc=0, eps_cm=0, L_f=1, delta=0.1, T=3, N=4, grid="uniform", teacher="ddim", profile=profile
        )
        assert value is not None


@pytest.mark.parametrize(
    ("world", "expected"),
    [
        (WORLDS["singular"], 1),
        (WORLDS["point"], 0),
        (WORLDS["atoms"], 2),
        (Atoms([[0.0, 0.0, 0.0], [1e-9, 0, 0], [0, 1e9, 0]]), 2),
        (Atoms([[0.0, 1.0], [1.0, 2.0], [2.0, 3.0]]), 1),
        (Mixture([[0.0, 0, 0], [1.0, 0, 0]], None, np.diag([0.0, 1.0, 0.0])), 2),
        (Mixture([[0.0, 0], [1.0, 0]], None, [np.diag([1.0, 0]), np.diag([2.0, 0])]), 1),
    ],
)
def test_d_eff(world: World, expected: int) -> None:
    assert world.d_eff == expected


# --- scales and offsets -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("e", [-1000, -600, -170, 100, 160])
def test_constants_of_atoms_scale_with_the_data(e: int) -> None:
    """From 2^-1000 to 2^160 (coordinates above 1e50 are refused), bit for bit."""
    points = np.random.default_rng(4).normal([5.0, 0.0, -1.0], 1.0, (30, 3))
    one, other = Atoms(points, np.arange(1, 31)), Atoms(np.ldexp(points, e), np.arange(1, 31))
    for found, expected in ((other.sd2, one.sd2), (other.m2, one.m2), (other.radius, one.radius)):
        assert math.ldexp(found, -e) == expected
    assert other.d_eff == one.d_eff == 3
    line = Atoms(np.ldexp(np.outer([0.0, 1.0, 3.0], [1.0, 2.0]), e))
    assert line.d_eff == 1
    assert math.ldexp(line.radius, -e) == pytest.approx(math.sqrt(45) / 2, rel=1e-15)


@pytest.mark.parametrize("e", [-80, -40, 40, 80])
def test_gaussian_and_mixture_laws_scale_with_the_data(e: int) -> None:
    """Constants without noise; deviations from 2^-80 to 2^80 (variances below 1e-50 have no density)."""
    s, square = 2.0**e, 4.0**e
    for make in (
        lambda s, square: Gaussian(s * np.array([0.5, -2.0, 0.1]), square * FULL),
        lambda s, square: Mixture(s * MEANS, WEIGHTS, square * 0.09),
        lambda s, square: Mixture(s * MEANS, WEIGHTS, square * (ROOTS @ ROOTS.transpose(0, 2, 1))),
    ):
        one, other = make(1.0, 1.0), make(s, square)
        assert other.sd2 == pytest.approx(s * one.sd2, rel=1e-14)
        assert other.m2 == pytest.approx(s * one.m2, rel=1e-14)
        assert other.d_eff == one.d_eff
        np.testing.assert_allclose(other.covariance, square * one.covariance, rtol=1e-12)
        x = one.sample(5, seed=1)
        np.testing.assert_allclose(other.score(s * x, 0.0), one.score(x, 0.0) / s, rtol=1e-11)
        np.testing.assert_allclose(
            other.log_density(s * x, 0.0) + one.d * e * math.log(2), one.log_density(x, 0.0), rtol=0, atol=1e-11
        )


@pytest.mark.parametrize("offset", [2.0**20, 2.0**30, 2.0**40])
@pytest.mark.parametrize("shape", ["number", "common", "individual", "atoms"])
def test_laws_far_from_the_origin(shape: str, offset: float) -> None:
    """Dyadic data, so that they move without rounding: constants, scores and posterior weights stay what they are."""
    rng = np.random.default_rng(3)
    means = rng.integers(-64, 64, (6, 3)) / 64
    roots = rng.standard_normal((6, 3, 3))
    many = roots @ roots.transpose(0, 2, 1) + 0.1 * np.eye(3)
    covariance: Any = {"number": 0.25, "common": many[0], "individual": many, "atoms": 0.0}[shape]
    move = offset * np.array([1.0, -1.0, 0.5])
    here, there = Mixture(means, None, covariance), Mixture(means + move, None, covariance)
    assert there.sd2 == pytest.approx(here.sd2, rel=1e-15)
    np.testing.assert_allclose(there.covariance, here.covariance, rtol=1e-14, atol=1e-15)
    assert there._ball == pytest.approx(here._ball, rel=1e-14)
    assert there.d_eff == here.d_eff
    assert there.m2 == pytest.approx(1.5 * offset, rel=1e-5)
    if shape == "atoms":
        return
    x = rng.integers(-128, 128, (20, 3)) / 64
    for values in (World.log_density, World.score):
        np.testing.assert_allclose(values(there, x + move, 0.0), values(here, x, 0.0), rtol=1e-11, atol=1e-11)
    v = rng.standard_normal((20, 3))
    np.testing.assert_allclose(there.hessian_product(x + move, v, 0.0), here.hessian_product(x, v, 0.0), rtol=1e-10, atol=1e-11)
    np.testing.assert_allclose(there.denoiser(x + move, 1e-12) - move, here.denoiser(x, 1e-12), atol=offset * 1e-11)


@pytest.mark.parametrize("distance", [1e3, 1e6, 1e8, 1e12])
@pytest.mark.parametrize("shape", ["number", "common", "individual"])
@pytest.mark.parametrize("t", [0.0, 0.2])
def test_a_component_far_away_changes_nothing(shape: str, distance: float, t: float) -> None:
    """Neighbours of x at the origin keep their weights to all digits whatever else the mixture holds."""
    many = np.array([[[0.2, 0.0], [0.0, 0.3]], [[0.3, 0.1], [0.1, 0.5]], [[0.4, 0.0], [0.0, 0.1]], [[1.0, 0.0], [0.0, 1.0]]])
    covariance: Any = {"number": 0.25, "common": many[1], "individual": many}[shape]
    near = np.array([[0.0, 0.0], [1.0, 0.3], [0.2, 1.1]])
    alone = Mixture(near, None, covariance[:3] if shape == "individual" else covariance)
    both = Mixture(np.concatenate([near, [[distance, -distance / 3]]]), [1, 1, 1, 1e-3], covariance)
    x, v = np.random.default_rng(0).standard_normal((2, 40, 2))
    np.testing.assert_allclose(both.log_density(x, t) + math.log(3.001 / 3), alone.log_density(x, t), atol=1e-11)
    for found, expected in (
        (both.score(x, t), alone.score(x, t)),
        (both.denoiser(x, t), alone.denoiser(x, t)),
        (both.hessian_product(x, v, t), alone.hessian_product(x, v, t)),
        (both.score_acceleration(x, t), alone.score_acceleration(x, t)),
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_score_lipschitz_with_components_far_away() -> None:
    """Two narrow components next to each other stay as steep, whatever lies far away; two far ones are steeper."""
    for variances in (0.01, [[[0.01]], [[0.02]], [[0.01]]]):
        for far in (1e4, 1e8):
            world = Mixture([[far], [far + 0.4], [0.0]], None, variances)
            between = far * math.exp(-1e-9)
            x = np.concatenate([far + np.linspace(-1, 1.4, 2001), between / 2 + np.linspace(-1e-3, 1e-3, 2001)])
            slopes = np.abs(world.hessian_product(x[:, None], np.ones((len(x), 1)), 0.0))
            assert world.score_lipschitz(1.0, 0.0) >= slopes.max() * (1 - 1e-9)
            assert world.score_lipschitz(1.0, 0.0) <= 1.001 * far**2 / 4 / 1e-4


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("far", [1e4, 1e8, 1e10, 1e14])
def test_score_lipschitz_across_a_wide_gap(far: float, seed: int) -> None:
    """Where two neighbours a distance D apart have equal weights, the slope is D^2/(4 v^2) - 1/v."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(2, 6))
    means = np.concatenate([rng.standard_normal(count), far + rng.standard_normal(1 if seed % 2 else count)])
    variance = 10 ** rng.uniform(-2, 0)
    world = Mixture(means[:, None], 10 ** rng.uniform(-3, 0, len(means)), variance)
    widest = np.diff(np.sort(means)).max()
    exact = widest**2 / 4 / variance**2 - 1 / variance
    assert exact <= world.score_lipschitz(1.0, 0.0) <= (1 + 10 / far + 2e-3) * exact


def test_samples_near_the_origin_are_not_rounded_at_the_distance_of_others() -> None:
    world = Mixture([[0.0, 0.0], [1.0, 0.3], [1e18, 0.0]], [1, 1, 1e-3], 0.25)
    sample = world.sample(500, seed=0)
    near = sample[np.abs(sample[:, 0]) < 10]
    assert len(near) > 450
    np.testing.assert_allclose(near.var(axis=0), [0.5, 0.27], rtol=0.25)


def test_times_of_noise_levels() -> None:
    levels = np.array([0.0, 1e-8, 1.0, 1e8, 3e8, 1e154, 1e155, 1e300])
    with mpmath.workdps(30):
        exact = [float(mpmath.log(1 + mpmath.mpf(x) ** 2) / 2) for x in levels]
    np.testing.assert_allclose(time_of(levels), exact, rtol=4e-16)


# --- the enclosing ball ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("points", "centre", "radius"),
    [
        ([[3.0, 4.0]], [3, 4], 0),
        ([[-1.0], [0.3], [5.0]], [2], 3),
        ([[0.0, 0], [2, 0], [0, 2], [2, 2], [1, 1]], [1, 1], math.sqrt(2)),
        ([[0.0, 0], [4, 0], [1, 0.5], [2, -0.1], [0, 0]], [2, 0], 2),
        ([[0.0, 0, 0], [1, 1, 1], [2, 2, 2]], [1, 1, 1], math.sqrt(3)),
        (np.eye(6).tolist(), [1 / 6] * 6, math.sqrt(5 / 6)),
        (np.array(np.meshgrid(*[[-1.0, 1.0]] * 7)).reshape(7, -1).T.tolist(), [0] * 7, math.sqrt(7)),
        ([[1e6, 0], [1e6 + 1, 0], [1e6 + 0.5, math.sqrt(0.75)]], [1e6 + 0.5, math.sqrt(1 / 12)], math.sqrt(1 / 3)),
    ],
)
def test_enclosing_ball_of_known_sets(points: Any, centre: Any, radius: float) -> None:
    found, size = enclosing_ball(points)
    np.testing.assert_allclose(found, centre, rtol=1e-9, atol=1e-9)
    assert size == pytest.approx(radius, rel=1e-9, abs=1e-12)


def _dual_ratio(points: Array) -> float:
    """Weights on the farthest points whose mean is the centre: no ball is smaller than their dual value; over radius^2."""
    centre, radius = enclosing_ball(points)
    distances = np.linalg.norm(points - centre, axis=1)
    assert distances.max() <= radius * (1 + 1e-15)
    tight = points[distances >= radius * (1 - 1e-7)] - centre
    rows = np.vstack([tight.T, np.full(len(tight), radius)])
    weights, _ = scipy.optimize.nnls(rows, np.append(np.zeros(points.shape[1]), radius))
    weights /= weights.sum()
    return float((weights @ np.sum(tight**2, axis=1) - np.sum((weights @ tight) ** 2)) / radius**2)


@pytest.mark.parametrize(("n", "d"), [(5, 3), (200, 2), (300, 20), (30, 60), (2000, 5)])
def test_enclosing_ball_is_the_smallest(n: int, d: int) -> None:
    points = np.random.default_rng(n).standard_normal((n, d)) * np.linspace(0.1, 3, d)
    assert _dual_ratio(points) >= 1 - 1e-8


def test_enclosing_ball_of_many_small_sets() -> None:
    """Among them integer points, many of which are affinely dependent or repeated."""
    rng = np.random.default_rng(0)
    for case in range(60):
        n, d = int(rng.integers(2, 60)), int(rng.integers(2, 12))
        points = rng.standard_normal((n, d)) if case % 2 else rng.integers(-2, 3, (n, d)).astype(float)
        assert _dual_ratio(points) >= 1 - 1e-8


# --- a real data set ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits() -> Atoms:
    data = pytest.importorskip("sklearn.datasets").load_digits().data
    return Atoms(data / 8 - 1)


def test_digits_constants(digits: Atoms) -> None:
    """Against the preset measured exactly from the same data."""
    constants = digits.constants(1e-3, 3.0)
    assert (constants["n_atoms"], constants["d"], constants["d_eff"]) == (1797, 64, 61)
    assert constants["m2"] == pytest.approx(6.775704, abs=1e-6)
    assert constants["sd2"] == pytest.approx(math.sqrt(digits.points.var(axis=0).sum()), rel=1e-14)
    assert constants["R"] <= np.linalg.norm(digits.points - digits.mean, axis=1).max()
    assert "weights" not in constants


def test_digits_score_and_flow(digits: Atoms) -> None:
    t, h = 0.5, 1e-5
    y = digits.sample(20, t, seed=2)
    wide = np.longdouble  # the sums in their plain form; 60 digits take a second
    c, s2 = np.exp(wide(-t)), -np.expm1(wide(-2 * t))
    exponents = -np.sum((y[0].astype(wide) - c * digits.points.astype(wide)) ** 2, axis=1) / (2 * s2)
    mass = digits.weights.astype(wide) * np.exp(exponents - exponents.max())
    mean = mass @ digits.points / mass.sum()
    np.testing.assert_allclose(digits.score(y[0], t), ((c * mean - y[0]) / s2).astype(float), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(digits.denoiser(y[0], t), mean.astype(float), rtol=1e-9, atol=1e-9)
    v = np.random.default_rng(0).standard_normal(y.shape)
    slope = (digits.log_density(y + h * v, t) - digits.log_density(y - h * v, t)) / (2 * h)
    np.testing.assert_allclose(np.sum(digits.score(y, t) * v, axis=1), slope, rtol=1e-4, atol=1e-4)
    x = digits.sample(12, 3.0, seed=1)
    end = digits.flow(x, 3.0, 1e-3)
    distances = np.sqrt(((end[:, None] - signal(1e-3) * digits.points) ** 2).sum(axis=2)).min(axis=1)
    typical = math.sqrt(64) * noise(1e-3)
    assert (distances < 1.5 * typical).all()
    assert (distances > 0.5 * typical).all()
    nearest = digits.denoiser(end, 1e-3)
    assert (np.sqrt(((nearest[:, None] - digits.points) ** 2).sum(axis=2)).min(axis=1) < 1e-6).all()
    np.testing.assert_allclose(digits.flow(end[:2], 1e-3, 3.0), x[:2], rtol=1e-6, atol=1e-6)


# --- errors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: Gaussian([[1.0]], 1.0), InputError, "mean has shape"),
        (lambda: Gaussian([1.0, 2.0], np.eye(3)), InputError, "covariance has shape"),
        (lambda: Gaussian([1.0, 2.0], [[1.0, 0.5], [0.4, 1.0]]), InputError, "not symmetric"),
        (lambda: Gaussian([1.0, 2.0], [[1.0, 2.0], [2.0, 1.0]]), DomainError, "eigenvalue -1"),
        (lambda: Gaussian([1.0, 2.0], [1.0, -1.0]), DomainError, "eigenvalue -1"),
        (lambda: Gaussian([np.nan], 1.0), InputError, "mean has an entry that is not finite"),
        (lambda: Gaussian(["a"], 1.0), InputError, "mean has dtype"),
        (lambda: Gaussian([1e60], 1.0), DomainError, "at most 1e"),
        (lambda: Mixture([1.0, 2.0]), InputError, "means has shape"),
        (lambda: Mixture([[1.0], [2.0, 3.0]]), InputError, "differ in length"),
        (lambda: Mixture(np.empty((0, 2))), InputError, "empty"),
        (lambda: Mixture([[1.0], [2.0]], [0.5, -0.5]), DomainError, "weights must be >= 0"),
        (lambda: Mixture([[1.0], [2.0]], [0.0, 0.0]), DomainError, "weights must be >= 0"),
        (lambda: Mixture([[1.0], [2.0]], [1.0]), InputError, "1 entries for 2 points"),
        (lambda: Mixture([[1.0], [2.0]], [np.inf, 1.0]), InputError, "weights has an entry"),
        (lambda: Mixture([[1.0], [2.0]], None, -0.1), DomainError, "covariance must be >= 0"),
        (lambda: Mixture([[1.0], [2.0]], None, np.ones((3, 1, 1))), InputError, "covariance has shape"),
        (lambda: Mixture([[1.0], [2.0]], None, [[[1.0]], [[-1.0]]]), DomainError, r"covariance\[1\]"),
        (lambda: Atoms([[np.inf]]), InputError, "points has an entry"),
        (lambda: enclosing_ball([[np.nan, 1.0]]), InputError, "points"),
    ],
)
def test_errors_of_laws(make: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text) as caught:
        make()
    assert "\n" not in str(caught.value)


X = np.zeros((4, 2))


@pytest.mark.parametrize(
    ("use", "error", "text"),
    [
        (lambda w: w.score(X, 0.0), DomainError, "t must be > 0"),
        (lambda w: w.score(X, -1.0), DomainError, "t must be > 0"),
        (lambda w: w.score(X, 1e-200), DomainError, "smallest supported"),
        (lambda w: w.score(X, np.nan), DomainError, "t must be > 0"),
        (lambda w: w.score(X, np.inf), DomainError, "t must be a finite"),
        (lambda w: w.score(X, "a"), InputError, "t has dtype"),
        (lambda w: w.score(X, np.ones(3)), InputError, "do not broadcast"),
        (lambda w: w.score(np.zeros((4, 3)), 1.0), InputError, "last dimension must be d = 2"),
        (lambda w: w.score(1.0, 1.0), InputError, "last dimension must be d = 2"),
        (lambda w: w.score(X * np.nan, 1.0), InputError, "x has an entry"),
        (lambda w: w.score(X + 1e60, 1.0), DomainError, "x has an entry of size"),
        (lambda w: w.score(X + 1j, 1.0), InputError, "x has dtype complex"),
        (lambda w: w.hessian_product(X, np.ones(3), 1.0), InputError, "v has shape"),
        (lambda w: w.log_density(X, 0.0), DomainError, "no density at t = 0"),
        (lambda w: w.flow(X, 1.0, 0.0), DomainError, "t_to must be > 0"),
        (lambda w: w.flow(X, 0.0, 1.0), DomainError, "t_from must be > 0"),
        (lambda w: w.flow(X, 400.0, 1.0), DomainError, "t_from must be <= 350"),
        (lambda w: w.sample(0, seed=1), InputError, "n is 0"),
        (lambda w: w.sample(1.5, seed=1), InputError, "n is 1.5"),
        (lambda w: w.sample(5, seed=-1), InputError, "seed is -1"),
        (lambda w: w.sample(5, seed=None), InputError, "seed is None"),
        (lambda w: w.sample(5, -0.1, seed=1), DomainError, "t must be a finite number >= 0"),
        (lambda w: w.sample(5, [0.1, 0.2], seed=1), InputError, "t has shape"),
        (lambda w: w.sample(5, seed=1, dtype=np.int64), InputError, "dtype is int64"),
        (lambda w: w.score_lipschitz(1.0, 2.0), DomainError, "t_star must be <= T"),
        (lambda w: w.map_lipschitz(0.1, 1.0), DomainError, "delta must be <= t"),
        (lambda w: w.map_lipschitz(0.1, 0.0), DomainError, "delta must be > 0"),
        (lambda w: w.constants(0.1, 1.0, 0.05), DomainError, "t_star must be 0 or delta"),
        (lambda w: w.cdf([0.1], 1.0), DomainError, "d = 1"),
        (lambda w: w.flow_derivative(X, 1.0, 0.1), DomainError, "d = 1"),
        (lambda w: w.rearrangement(X, 1.0, 0.1), DomainError, "d = 1"),
        (lambda w: LINES["line"].quantile(1.5, 1.0), DomainError, r"u must be in \[0, 1\], got 1.5"),
        (lambda w: LINES["line"].quantile(-0.5, 1.0), DomainError, "got -0.5"),
        (lambda w: Gaussian([0.0], 0.0).cdf(0.1, 0.0), DomainError, "t must be > 0"),
        (lambda w: WORLDS["singular"].score(X, 0.0), DomainError, "t must be > 0"),
        (lambda w: WORLDS["singular"].flow(X, 0.0, 1.0), DomainError, "t_from must be > 0"),
        (lambda w: Gaussian([0.0, 0.0], 1.0).cdf(0.1, 1.0), DomainError, "d = 1"),
    ],
)
def test_errors_of_methods(use: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text) as caught:
        use(WORLDS["atoms"])
    assert "\n" not in str(caught.value)


# --- files ----------------------------------------------------------------------------------------------------------


def test_read_data(tmp_path: Path) -> None:
    table = RNG.standard_normal((5, 3))
    np.save(tmp_path / "a.npy", table.astype(np.float32))
    np.savez(tmp_path / "a.npz", data=table)
    np.save(tmp_path / "line.npy", np.arange(4))
    (tmp_path / "comma.csv").write_text("\n".join(",".join(repr(float(x)) for x in row) for row in table) + "\n")
    (tmp_path / "space.csv").write_text("x y z\n" + "\n\n".join("  ".join(repr(float(x)) for x in row) for row in table))
    np.testing.assert_array_equal(read_data(tmp_path / "a.npy"), table.astype(np.float32).astype(np.float64))
    for name in ("a.npz", "comma.csv", "space.csv"):
        np.testing.assert_array_equal(read_data(str(tmp_path / name)), table)
    assert read_data(tmp_path / "line.npy").shape == (4, 1)
    assert Atoms(read_data(tmp_path / "a.npz")).d == 3


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("a.csv", "1,2\n3\n", "line 2 has 1 number, line 1 has 2"),
        ("a.csv", "x,y\n1,2\n3,nan\n", "row 2 holds nan"),
        ("a.csv", "1 2\n3 inf\n", "row 2 holds inf"),
        ("a.csv", "1,2\n3,four\n", "line 2 holds 'four'"),
        ("a.csv", "1,2\n3,\n", "line 2 holds ''"),
        ("a.csv", "", "holds no numbers"),
        ("a.csv", "x,y\n", "holds no numbers"),
        ("a.csv", "1,two\n", "line 1 holds 'two'"),
        ("a.csv", "x,y\n\n1,2\n3,four\n", "line 4 holds 'four'"),
        ("a.csv", "1;2\n3;4\n", "'3;4', which is not a number .*not by semicolons"),
        ("a.csv", ",x\n0,0.5\n1,0.7\n", "the first column has no name and counts the rows"),
        ("a.txt", "1,2\n", "must end in"),
        ("a.npy", "no", "not a NumPy file"),
        ("a.npz", "no", "not a NumPy file"),
        ("a.npy", np.array([[1.0, np.nan]]), "row 1 holds nan"),
        ("a.npy", np.ones((2, 2, 2)), r"shape \(2, 2, 2\)"),
        ("a.npy", np.ones((0, 2)), "holds no numbers"),
        ("a.npy", np.array(["a"]), "dtype"),
        ("a.npy", np.array([None]), "not a NumPy file"),
        ("missing.npy", None, "no such file"),
        ("missing", None, "no such file"),
        (".", None, "is a directory"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, name: str, content: Any, text: str) -> None:
    path = tmp_path / name
    if isinstance(content, str):
        path.write_text(content)
    elif content is not None:
        np.save(path, content, allow_pickle=True)
    with pytest.raises(InputError, match=text) as caught:
        read_data(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_npz_with_two_arrays(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.ones((2, 2)), y=np.ones((2, 2)))
    with pytest.raises(InputError, match="holds 2 arrays"):
        read_data(tmp_path / "a.npz")
