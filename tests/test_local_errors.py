"""Sums of local teacher errors: the truth by other routes, instances that replay, and mistakes that are found."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import Any

import mpmath
import numpy as np
import numpy.typing as npt
import pytest
from sympy import Rational

import cmbound
from cmbound.theory import variants
from cmbound.theory.records import Term
from cmbound.verification import campaign, local, local_sums
from cmbound.verification.campaign import draw, judge
from cmbound.verification.instances import Recipe
from cmbound.verification.laboratories import build, draw_choices, drawn, knob_ranges
from cmbound.verification.local import LocalErrors, Wave
from cmbound.verification.local_sums import LocalSum
from cmbound.verification.settings import OFF, teacher_step
from cmbound.verification.witnesses import witnesses
from cmbound.worlds import Atoms, Gaussian, Mixture, World
from cmbound.worlds.process import noise, noise_level, signal
from cmbound.worlds.product import Product
from cmbound.worlds.zigzag import Zigzag

Array = npt.NDArray[np.float64]
MAP_ERROR = "explicit-map-error"
TEACHERS = list(local.STEPS)
NODES = np.array([1e-3, 0.02, 0.1, 0.5, 2.0])
EXTREME = Atoms([[-1.0], [1.0]], [0.999, 0.001])
every_teacher = pytest.mark.parametrize("teacher", TEACHERS)


def mp_step(teacher: str, e: Any, x: Any, low: Any, high: Any) -> Any:
    """One step of a teacher in mpmath, from the definitions: Euler and Heun in the noise level, variation of constants."""

    def c(t: Any) -> Any:
        return mpmath.exp(-t)

    def s(t: Any) -> Any:
        return mpmath.sqrt(-mpmath.expm1(-2 * t))

    if teacher == "exponential-integrator":
        return mpmath.exp(high - low) * x + (mpmath.exp(high - low) - 1) * (-e(x, high) / s(high))
    level, top, y = s(low) / c(low), s(high) / c(high), x / c(high)
    first = e(x, high)
    end = y - (top - level) * first
    if teacher == "heun":
        end = y - (top - level) * (first + e(c(low) * end, low)) / 2
    return c(low) * end


@cache
def mp_sums(
    points: tuple[float, ...], weights: tuple[float, ...], variance: float, nodes: tuple[float, ...], wave: Wave
) -> dict[str, list[float]]:
    """Local errors of a mixture on the line, by teacher: the ODE by Runge and Kutta, the mean by Gauss and Legendre."""
    with mpmath.workdps(20):
        mean = [mpmath.mpf(x) for x in points]
        mass = [mpmath.mpf(x) for x in weights]

        def parts(x: Any, t: Any) -> tuple[Any, list[Any]]:
            v = mpmath.exp(-2 * t) * mpmath.mpf(variance) - mpmath.expm1(-2 * t)
            return v, [w * mpmath.exp(-((x - mpmath.exp(-t) * m) ** 2) / (2 * v)) for m, w in zip(mean, mass, strict=True)]

        def exact(x: Any, t: Any) -> Any:
            v, share = parts(x, t)
            score = -sum(p * (x - mpmath.exp(-t) * m) for m, p in zip(mean, share, strict=True)) / (v * sum(share))
            return -mpmath.sqrt(-mpmath.expm1(-2 * t)) * score

        def learned(x: Any, t: Any) -> Any:
            spread = mpmath.sqrt(mpmath.exp(-2 * t) * mpmath.mpf(wave.width) ** 2 - mpmath.expm1(-2 * t))
            return exact(x, t) + mpmath.mpf(wave.size) * mpmath.sin(mpmath.mpf(wave.frequency) * x / spread + 1)

        def flow(x: Any, low: Any, high: Any) -> Any:
            """Runge and Kutta's classical method in the logarithm of the noise level, extrapolated."""

            def slope(y: Any, ell: Any) -> Any:
                level = mpmath.exp(ell)
                t = mpmath.log(1 + level**2) / 2
                return level * exact(mpmath.exp(-t) * y, t)

            def run(count: int) -> Any:
                start, end = (mpmath.log(mpmath.expm1(2 * t)) / 2 for t in (high, low))
                y, step = mpmath.exp(high) * x, (end - start) / count
                for i in range(count):
                    ell = start + i * step
                    a = slope(y, ell)
                    b = slope(y + step * a / 2, ell + step / 2)
                    c = slope(y + step * b / 2, ell + step / 2)
                    y += step * (a + 2 * b + 2 * c + slope(y + step * c, ell + step)) / 6
                return y

            return mpmath.exp(-low) * (16 * run(16) - run(8)) / 15

        found: dict[str, list[float]] = {teacher: [] for teacher in TEACHERS}
        for low, high in pairwise(map(mpmath.mpf, nodes)):

            def squares(x: Any, low: Any = low, high: Any = high) -> list[Any]:
                v, share = parts(x, high)
                mass, end = sum(share) / mpmath.sqrt(2 * mpmath.pi * v), flow(x, low, high)
                return [(mp_step(teacher, learned, x, low, high) - end) ** 2 * mass for teacher in TEACHERS]

            c, s = float(mpmath.exp(-high)), float(mpmath.sqrt(parts(mpmath.mpf(0), high)[0]))
            ends = c * min(points) - 8 * s, c * max(points) + 8 * s
            x, w = np.polynomial.legendre.leggauss(50)
            middle, half = (ends[0] + ends[1]) / 2, (ends[1] - ends[0]) / 2
            rows = [squares(middle + half * a) for a in x]
            for teacher, column in zip(TEACHERS, zip(*rows, strict=True), strict=True):
                found[teacher].append(float(mpmath.sqrt(half * mpmath.fdot(w, column))))
        return found


# --- the truth ------------------------------------------------------------------------------------------------------


@every_teacher
@pytest.mark.parametrize("variance", [0.0, 1e-6, 0.3, 1.0, 40.0])
def test_gaussian_closed_forms(teacher: str, variance: float) -> None:
    """Factors in 60 digits, from small steps, where float64 cancels, to large ones."""
    nodes = np.array([1e-5, 1.001e-5, 1e-3, 0.4, 0.4001, 3.0, 8.0])
    found, slack = LocalErrors(Gaussian([3.0, -1.0, 0.0], variance), nodes, teacher).steps
    with mpmath.workdps(60):
        for j, (low, high) in enumerate(
            zip(map(mpmath.mpf, nodes[:-1].tolist()), map(mpmath.mpf, nodes[1:].tolist()), strict=True)
        ):
            v = {t: mpmath.exp(-2 * t) * mpmath.mpf(variance) - mpmath.expm1(-2 * t) for t in (low, high)}

            def e(x: Any, t: Any, v: Any = v) -> Any:
                return mpmath.sqrt(-mpmath.expm1(-2 * t)) * x / v[t]

            gap = abs(mp_step(teacher, e, mpmath.mpf(1), low, high) - mpmath.sqrt(v[low] / v[high])) * mpmath.sqrt(v[high])
            want = float(gap * mpmath.sqrt(3))
            assert abs(found[j] - want) <= slack[j] + 1e-50  # a point mass has no DDIM error
            assert found[j] == pytest.approx(want, rel=1e-11, abs=1e-50)  # a few roundings, some amplified by small variances


def test_gaussian_in_1000_dimensions() -> None:
    """A random spectrum: the squares of the coordinates add."""
    v = 10.0 ** np.random.default_rng(1).uniform(-4, 2, 1000)
    for teacher in TEACHERS:
        whole = LocalErrors(Gaussian(np.zeros(1000), v), NODES, teacher).steps[0]
        parts = [LocalErrors(Gaussian([0.0], x), NODES, teacher).steps[0] for x in v]
        np.testing.assert_allclose(whole, np.sqrt(np.sum(np.square(parts), axis=0)), rtol=1e-12)  # rounding of a sum


@every_teacher
def test_mixture_against_ode_and_quadrature_in_mpmath(teacher: str) -> None:
    wave, nodes = Wave(0.2, 1.5, 0.4), np.array([0.45, 0.9])
    law = Mixture([[-1.0], [0.5]], [0.3, 0.7], 0.16)
    value, slack = LocalErrors(law, nodes, teacher, wave).steps
    want = mp_sums((-1.0, 0.5), (0.3, 0.7), 0.16, tuple(nodes.tolist()), wave)[teacher]
    np.testing.assert_allclose(value, want, rtol=1e-5)  # 24 steps of Runge and Kutta, extrapolated
    assert (slack < 1e-6 * value).all()  # the quadrature knows how good it is


@every_teacher
def test_gaussian_law_as_mixture(teacher: str) -> None:
    """The quadrature with one component against the closed form."""
    closed = LocalErrors(Gaussian([1.0], 0.3), NODES, teacher).steps[0]
    value, slack = LocalErrors(Mixture([[1.0]], None, 0.3), NODES, teacher).steps
    assert (np.abs(value - closed) <= slack + 1e-12 * closed).all()
    np.testing.assert_allclose(value, closed, rtol=1e-9)  # rounding of a step, divided by its small error


@cache
def dense() -> tuple[Array, list[Array]]:
    """Normal scores, dense where the rare atom begins, and their images at every node."""
    edge = 3.0902323061678132  # the quantile of 0.999
    near = np.geomspace(1e-9, 0.5, 5000)
    z = np.unique(np.concatenate([np.linspace(-8.5, 8.5, 30_000), edge - near, edge + near]))
    return z, [EXTREME.from_normal(z, t) for t in NODES]


@every_teacher
def test_rare_atom_against_a_dense_sum(teacher: str) -> None:
    """Weights 0.999 and 0.001: the mean over 40,000 normal scores, dense where the rare atom begins."""
    value, slack = LocalErrors(EXTREME, NODES, teacher).steps
    z, images = dense()
    density = np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
    for j, (low, high) in enumerate(pairwise(NODES)):
        step = local.STEPS[teacher](lambda y, t: -noise(t) * EXTREME.score(y, t), images[j + 1][:, None], low, high)
        square = np.square(step[:, 0] - images[j]) * density
        want = np.sqrt(np.sum(np.diff(z) * (square[1:] + square[:-1]) / 2))
        assert value[j] == pytest.approx(want, rel=1e-4)  # the trapezoidal rule at a jump
        assert slack[j] < 1e-3 * value[j]  # enough to tell a mistake of one percent


@pytest.mark.parametrize("teacher", ["ddim", "heun"])
def test_a_point_has_no_local_error_beyond_rounding(teacher: str) -> None:
    """Steps so long that the terms of a step are e^10 times its result."""
    found = LocalErrors(Atoms([[0.7]]), np.array([0.01, 0.02, 10.0]), teacher).total(np.ones(2))
    assert found.lower == 0.0
    assert found.upper < 1e-4  # roundings of e^20, a few dozen of them


def test_a_plain_sampler_misses_the_rare_atom() -> None:
    """What the strata are for: few of 600 plain samples see an atom of weight 0.001, each component's 600 do."""
    far = Atoms([[-1.0, 0.0], [1.0, 0.0]], [0.999, 0.001])
    nodes = np.array([0.05, 0.4])
    line = LocalErrors(Product([EXTREME, Atoms([[0.0]])], [1, 1]), nodes, "ddim").total(np.ones(1))
    sampled = LocalErrors(far, nodes, "ddim").total(np.ones(1))
    assert sampled.sampled
    assert not line.sampled
    assert sampled.lower <= line.value <= sampled.upper
    even = LocalErrors(Atoms([[-1.0, 0.0], [1.0, 0.0]]), nodes, "ddim").total(np.ones(1))
    assert even.value / 2 < even.lower < even.value < even.upper < 2 * even.value
    x = far.sample(local.SAMPLES, 0.4, seed=0)
    gap = local.ddim(lambda y, t: -noise(t) * far.score(y, t), x, 0.05, 0.4) - far.flow(x, 0.4, 0.05)
    plain = np.sum(gap**2, axis=1)
    assert plain.mean() + 4 * plain.std() / np.sqrt(len(plain)) < line.value**2  # four standard errors, and yet too small


BLOCKS = Product([EXTREME, Mixture([[-1.0], [3.0]], [0.8, 0.2], 0.04), Gaussian([0.0], 2.0)], [2, 3, 1])
TURNS = Zigzag(4.0, [1.0, 0.5, 1.0])


@cache
def flowed(law: World, high: float, low: float, n: int, seed: int) -> tuple[Array, Array]:
    """Samples at ``high`` and where the flow takes them, the same for every teacher."""
    x = law.sample(n, high, seed=seed)
    return x, law.flow(x, high, low)


@every_teacher
def test_products_against_samples(teacher: str) -> None:
    nodes = np.array([0.1, 0.5, 1.2])
    found = LocalErrors(BLOCKS, nodes, teacher)
    for j, (low, high) in enumerate(pairwise(nodes)):
        x, exact = flowed(BLOCKS, high, low, 4000, 5)
        gap = local.STEPS[teacher](lambda y, t: -noise(t) * BLOCKS.score(y, t), x, low, high) - exact
        squares = np.sum(gap**2, axis=1)
        # four standard errors
        assert abs(found.steps[0][j] ** 2 - squares.mean()) < 4 * squares.std() / np.sqrt(len(squares))


@every_teacher
def test_zigzag_against_samples(teacher: str) -> None:
    nodes, wave = np.array([0.01, 0.1, 0.5]), Wave(0.1, 2.0, 1.0)
    found = LocalErrors(TURNS, nodes, teacher, wave)
    for j, (low, high) in enumerate(pairwise(nodes)):
        x, exact = flowed(TURNS, high, low, 2000, 6)
        gap = local.STEPS[teacher](lambda y, t: -noise(t) * TURNS.score(y, t) + wave(y, t), x, low, high) - exact
        # four standard errors
        assert abs(found.steps[0][j] ** 2 - np.mean(gap**2)) < 4 * np.std(gap**2) / np.sqrt(len(x))
    for j, t in enumerate(nodes):
        x = TURNS.sample(20_000, t, seed=7)
        squares = wave(x, t) ** 2
        assert abs(found.noise_errors[j] ** 2 - squares.mean()) < 4 * squares.std() / np.sqrt(len(x))  # four standard errors


def test_steps_are_those_of_the_students() -> None:
    """The linear teachers once more, as the students of the other experiments run them."""
    x = np.linspace(-3, 3, 7)[:, None]
    law = Mixture([[-1.0], [1.0]], None, 0.1)
    for teacher in ("exponential-integrator", "ddim"):
        keep, push = teacher_step(teacher, 0.2, 0.7)
        step = local.STEPS[teacher](lambda y, t: -noise(t) * law.score(y, t), x, 0.2, 0.7)
        np.testing.assert_allclose(step, keep * x + push * law.score(x, 0.7), rtol=1e-13)  # roundings


def test_slope_of_a_learned_prediction() -> None:
    """M bounds s_t times the slope of the prediction the teacher uses, and is nearly attained."""
    law, wave = Atoms([[-1.0], [1.0]]), Wave(0.3, 2.0)
    found = LocalErrors(law, NODES, "heun", wave)
    for t, bound in zip(NODES[:-1], found.slopes, strict=True):
        x = np.linspace(-4, 4, 200_001)[:, None]
        e = -noise(t) * law.score(x, t) + wave(x, t)
        steepest = noise(t) * np.abs(np.diff(e[:, 0]) / np.diff(x[:, 0])).max()
        assert steepest <= bound * (1 + 1e-6)  # secants on a fine grid
        assert steepest > 0.5 * bound  # the two parts need not be steepest at one place


# --- worlds ---------------------------------------------------------------------------------------------------------


def test_zigzag_slopes_alternate() -> None:
    law = Zigzag(9.0, [2.0, 2.0, 2.0])
    x = np.linspace(-2, 3, 4001)[:, None]
    slope = law.hessian_product(x, np.ones_like(x), 0.0)[:, 0]
    turns = np.flatnonzero(np.diff(np.sign(slope)))
    assert len(turns) == 4  # down, up, down, up, down
    assert slope.max() == pytest.approx(9.0, rel=0.05)  # the corners are rounded
    assert slope.min() == pytest.approx(-9.0, rel=0.05)
    low, high = law.slopes(2.0)
    assert low <= slope.min()
    assert slope.max() <= high
    assert law.score_above(2.0) == high
    assert law.score_lipschitz(2.0) == max(-low, high)
    assert law.smoothing is None
    assert law.d_eff == 1


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Zigzag(0.0, [1.0]), "slope must be a finite number > 0, got 0.0"),
        (lambda: Zigzag(1.0, [1.0, 1.0]), "lengths must be an odd number"),
        (lambda: Zigzag(1.0, [-1.0]), "lengths must be an odd number"),
        (lambda: Product([], []), "counts has 0 entries for 0 factors"),
        (lambda: Product([EXTREME], [0]), "counts[0]"),
        (
            lambda: Product([1.0], [1]),  # type: ignore[list-item]
            "factors[0] is float; a law is needed",
        ),
        (lambda: Product([EXTREME], [2]).cdf(0.0, 1.0), "this needs d = 1"),
    ],
)
def test_bad_worlds(make: Any, words: str) -> None:
    with pytest.raises(cmbound.CmboundError, match=None) as caught:
        make()
    assert words in str(caught.value)


def test_product_is_the_joint_law() -> None:
    """Against the mixture of all combinations of points."""
    one, two = Atoms([[-1.0], [2.0]], [0.3, 0.7]), Atoms([[0.0, 1.0], [1.0, 1.0], [3.0, 0.0]], [0.2, 0.3, 0.5])
    product = Product([one, two], [2, 1])
    points = [[a, b, *c] for a in (-1.0, 2.0) for b in (-1.0, 2.0) for c in two.points]
    weights = [p * q * r for p in (0.3, 0.7) for q in (0.3, 0.7) for r in (0.2, 0.3, 0.5)]
    joint = Atoms(points, weights)
    x, v = product.sample(50, 0.3, seed=1), np.random.default_rng(2).standard_normal((50, 4))
    for name, more in (
        ("log_density", ()),
        ("score", ()),
        ("denoiser", ()),
        ("score_acceleration", ()),
        ("hessian_product", (v,)),
    ):
        found, want = (getattr(w, name)(x, *more, 0.3) for w in (product, joint))
        np.testing.assert_allclose(found, want, rtol=1e-9, atol=1e-9)  # roundings, in sums of terms of either sign
    np.testing.assert_allclose(
        product.flow(x, 0.3, 0.1), joint.flow(x, 0.3, 0.1), rtol=1e-7, atol=1e-7
    )  # two ODE solvers' errors
    np.testing.assert_allclose(product.covariance, joint.covariance, atol=1e-12)  # roundings
    np.testing.assert_allclose(product.mean, joint.mean, atol=1e-12)
    first, second = product.constants(0.1, 2.0), joint.constants(0.1, 2.0)
    for name in ("d", "m2", "sd2", "d_eff", "n_atoms"):
        assert first[name] == pytest.approx(second[name], rel=1e-12)  # roundings
    np.testing.assert_allclose(sorted(first["weights"]), sorted(second["weights"]), rtol=1e-12)
    assert first["R"] >= second["R"] * (1 - 1e-9)  # a product of balls lies in this ball
    assert first["L_s"] <= second["L_s"]  # blocks are steep one by one
    assert product == Product([one, two], [2, 1])
    assert product != Product([one, two], [1, 1])


@pytest.mark.parametrize(
    "world",
    [Gaussian([0.0, 1.0], [2.0, 0.1]), Mixture([[-1.0], [1.5]], [0.2, 0.8], 0.3), Mixture([[-2.0], [2.0]], None, 1.5), EXTREME],
    ids=["gaussian", "mixture", "wide", "atoms"],
)
def test_score_above(world: World) -> None:
    """No eigenvalue of the score's Jacobian is above it, and it is no larger than the Lipschitz constant."""
    low, high = 0.02, 1.5
    bound = world.score_above(high, low)
    assert 0 <= bound <= world.score_lipschitz(high, low)
    for t in np.geomspace(low, high, 9):
        x = world.sample(400, t, seed=1)
        columns = [world.hessian_product(x, e, t) for e in np.eye(world.d)]
        assert np.linalg.eigvalsh(np.stack(columns, axis=-1)).max() <= bound * (1 + 1e-9) + 1e-12  # roundings
    product = Product([world, Gaussian([0.0], 0.5)], [1, 2])
    assert product.score_above(high, low) == bound


# --- instances ------------------------------------------------------------------------------------------------------


def recipe(world: str, shape: str, number: int = 0, **changes: Any) -> Recipe:
    """A recipe of this shape with some choices and knobs changed."""
    theorem, rng = cmbound.theorem(MAP_ERROR), np.random.default_rng([number, 11])
    while True:
        choices = {**draw_choices(theorem, rng), "measure": local_sums.MEASURE}
        found = drawn(theorem, world, rng, choices)
        if found.choices["shape"] == shape:
            choices = {name: x for name, x in changes.items() if not name.startswith("log_")}
            knobs = {name: x for name, x in changes.items() if name.startswith("log_")}
            return replace(found, choices={**found.choices, **choices}, knobs={**found.knobs, **knobs})


SHAPES = [(world, shape) for world, shapes in local_sums._SHAPES.items() for shape in shapes]


@pytest.mark.parametrize(("world", "shape"), SHAPES)
def test_instances_replay(world: str, shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    theorem = cmbound.theorem(MAP_ERROR)
    for number in range(3):
        made = recipe(world, shape, number, N=2, grid="uniform", profile="auto")
        again = Recipe.from_dict(json.loads(json.dumps(made.to_dict())))
        one, two = build(made, theorem), build(again, theorem)
        assert one.truth == two.truth
        assert dict(one.params) == dict(two.params)
        assert set(made.knobs) <= set(knob_ranges(theorem, world))
        monkeypatch.setattr(campaign, "build", lambda recipe, theorem, two=two: two)
        outcome = judge(made)
        assert outcome.status in ("passed", "undecided", "skipped"), outcome
        assert outcome.truth == one.truth.value or outcome.truth is None


def test_campaign_draws_them() -> None:
    """About half of the instances of the map error, every world and shape among them; other statements draw none."""
    theorem = cmbound.theorem(MAP_ERROR)
    drawn_ = [draw(theorem, None, 5, n) for n in range(400)]
    local_ = [x for x in drawn_ if x.choices.get("measure") == local_sums.MEASURE]
    assert 150 < len(local_) < 250  # 200 expected, deviation 10
    assert {x.choices["grid"] for x in local_} == {"uniform", "geometric", "edm", "random", "two-stage"}
    assert {(x.world, x.choices["shape"]) for x in local_} > {("gaussian", "spectrum"), ("mixture", "product"), ("atoms", "line")}
    assert not any("measure" in draw(cmbound.theorem("explicit-one-step"), None, 5, n).choices for n in range(100))


@pytest.mark.parametrize("clock", ["ou", "ve"])
@pytest.mark.parametrize("teacher", ["exponential-integrator", "ddim"])
def test_truth_by_hand(teacher: str, clock: str) -> None:
    """Weights 1 at the first step and L_f(t_j) at the others, up to the node asked for."""
    made = recipe("gaussian", "spectrum", 3, N=5, grid="random", teacher=teacher, constants="lists", clock=clock, at=0.6)
    made = replace(made, knobs={**made.knobs, "log_uneven": 0.3}, choices={**made.choices, "profile": "universal"})
    found, instance = LocalSum(made), build(made, cmbound.theorem(MAP_ERROR))
    steps, nodes = found.errors.steps[0], found.errors.nodes
    params = instance.params
    lipschitz = np.array(params["L_f"]) * (np.exp(nodes[1:] - nodes[0]) if clock == "ve" else 1.0)
    want = steps[0] + lipschitz[0] * steps[1] + lipschitz[1] * steps[2]
    assert instance.truth.value == pytest.approx(want * (np.exp(nodes[0]) if clock == "ve" else 1.0), rel=1e-12)  # roundings
    assert params["t" if clock == "ou" else "sigma"] == pytest.approx(
        nodes[3] if clock == "ou" else noise_level(nodes[3]), rel=1e-12
    )
    assert not np.any(params["eps_cm"])
    assert not np.any(params["eps_sc"])
    assert instance.truth.exact


def test_score_error_is_measured() -> None:
    made = recipe(
        "mixture",
        "line",
        1,
        N=3,
        grid="geometric",
        teacher="ddim",
        constants="lists",
        clock="ou",
        profile="universal",
        log_score=-1.0,
    )
    found, params = LocalSum(made), build(made, cmbound.theorem(MAP_ERROR)).params
    nodes = found.errors.nodes
    for t, error in zip(nodes[1:], params["eps_sc"], strict=True):
        x = found.world.sample(20_000, t, seed=1)
        squares = np.square(found.errors.wave(x, t) / noise(t))
        assert abs(error**2 - squares.mean()) < 4 * squares.std() / np.sqrt(len(x))  # four standard errors
    assert judge(made).status == "passed"


def test_heun_parameters() -> None:
    """M at t_0, ..., t_{N-1}, and the score error at t_0 in the first entry."""
    made = recipe("mixture", "line", 1, N=3, grid="geometric", constants="lists", clock="ou", log_score=-1.0)
    made = replace(made, choices={**made.choices, "teacher": "heun"})
    found = LocalSum(made)
    assert found.errors.slopes.shape == (3,)
    nodes = found.errors.nodes
    value = found.errors.total(np.ones(3)).value
    low, high, r = noise_level(nodes[:-1]), noise_level(nodes[1:]), noise_level(nodes[1:]) / noise_level(nodes[:-1])
    error = found.errors.noise_errors
    exact = LocalErrors(found.world, nodes, "heun").total(np.ones(3)).value
    euler = LocalErrors(found.world, nodes, "ddim").steps[0]
    rise = (high - low) / 2 * ((1 + (r - 1) * found.errors.slopes) * error[1:] + error[:-1])
    # theory 3.14: the trapezoid's own error differs from Heun's by at most the predictor's
    assert value <= exact + np.sum(signal(nodes[:-1]) * rise + (r - 1) * found.errors.slopes * euler)


def test_witnesses_start_the_search() -> None:
    """Every witness can be built, lies within the ranges of the knobs, and refutes nothing; the search tries them first."""
    theorem = cmbound.theorem(MAP_ERROR)
    known = witnesses(theorem)
    assert {x.choices["teacher"] for x in known} <= set(variants.TEACHERS)
    assert {x.world for x in known} >= {"gaussian", "atoms"}
    for made in known:
        ranges = knob_ranges(theorem, made.world)
        # rounded to three digits; what is off is at the lower end
        assert all(ranges[name][0] - 1e-3 <= x <= ranges[name][1] + 1e-3 for name, x in made.knobs.items())
        assert judge(made).status in ("passed", "undecided")
    assert witnesses(theorem, "atoms") == [x for x in known if x.world == "atoms"]
    assert not witnesses(cmbound.theorem("explicit-one-step"))
    assert cmbound.falsify(MAP_ERROR, budget=0.01).evaluations >= len(known)


# --- planted mistakes -----------------------------------------------------------------------------------------------


def test_a_local_error_off_by_one_percent_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a bound is attained, the check sees a truth that is 1 percent too large, and a bound 1 percent too small."""
    # a Gaussian law tau z has no U: its bound with R = 0 is an equality where tau^2 <= 1 (one step: Chebyshev loses little)
    made = recipe(
        "gaussian", "spectrum", 0, d=1, N=1, grid="uniform", teacher="exponential-integrator", constants="lists", clock="ou"
    )
    changes = {"log_variance": -1.0, "log_delta": -1.0, "log_span": -3.0, "log_uneven": OFF}
    made = replace(made, choices={**made.choices, "profile": "smoothed", "at": 1.0}, knobs={**made.knobs, **changes})
    outcome = judge(made)
    assert outcome.status == "passed"
    assert outcome.ratio is not None
    assert outcome.ratio > 0.995  # so that one percent shows
    theorem = cmbound.theorem(MAP_ERROR)
    terms = tuple(
        Term(x.name, x.expression * (Rational(99, 100) if x.name == "discretisation" else 1)) for x in theorem.bare_sources
    )
    assert judge(made, replace(theorem, sources=terms)).status == "violation"
    rule = local._gaussian_integrator
    monkeypatch.setattr(local, "GAUSSIAN", {**local.GAUSSIAN, "exponential-integrator": lambda *x: 1.01 * rule(*x)})
    assert judge(made).status == "violation"
