"""Instances of ``check`` on one isotropic normal law, in every world: constants and truths by hand, plain numpy.

Teacher, student and flow are x -> a x + b with a number a there: what the Gaussian world gets from linear algebra, the line
from quadrature and several dimensions from samples is one formula here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from math import erf, exp, expm1, hypot, log, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import cmbound
from cmbound.verification import gaussian
from cmbound.verification.instances import Instance, Recipe
from cmbound.verification.laboratories import build
from cmbound.verification.runner import runner
from cmbound.verification.settings import OFF
from tests.test_verification import recipe

Array = npt.NDArray[np.float64]
MAP_ERROR, ONE_STEP, MULTISTEP, TRAINING = (f"explicit-{x}" for x in ("map-error", "one-step", "multistep", "training"))
EARLY, SMOOTHING = "explicit-tv-early-stopping", "explicit-tv-smoothing"
Map = tuple[float, Array]
"""x -> a x + b as (a, b); also N(b, a^2 I)."""


def c(t: float) -> float:
    return exp(-t)


def s(t: float) -> float:
    return sqrt(-expm1(-2 * t))


@dataclass(frozen=True)
class Hand:
    """N(mean, variance I), score off by ``push``, student off by (t - delta) ``drift``."""

    nodes: list[float]
    mean: Array
    variance: float
    teacher: str
    push: Array
    drift: Array

    @property
    def N(self) -> int:
        return len(self.nodes) - 1

    def v(self, t: float) -> float:
        return c(t) ** 2 * self.variance + s(t) ** 2

    def law(self, t: float) -> Map:
        return sqrt(self.v(t)), c(t) * self.mean

    def step(self, k: int) -> Map:
        low, high = self.nodes[k], self.nodes[k + 1]
        keep, push = exp(high - low), expm1(high - low)
        if self.teacher == "ddim":
            push = c(low) * (s(high) / c(high) - s(low) / c(low)) * s(high)
        return keep - push / self.v(high), push * (c(high) * self.mean / self.v(high) + self.push)

    def flow(self, high: float, low: float) -> Map:
        a = sqrt(self.v(low) / self.v(high))
        return a, c(low) * self.mean - a * c(high) * self.mean

    def student(self, n: int, exact: bool = False) -> Map:
        a, b = (1.0, 0 * self.mean)
        for k in reversed(range(n)):
            a, b = after(self.step(k), (a, b))
        if exact:
            a, b = self.flow(self.nodes[n], self.nodes[0])
        return a, b + (self.nodes[n] - self.nodes[0]) * self.drift

    def rms(self, f: Map, t: float) -> float:
        """L2 norm of f under p_t."""
        a, b = after(f, self.law(t))
        return hypot(a * sqrt(len(b)), *b)

    def trajectory_error(self) -> list[float]:
        found = []
        for n, (low, high) in enumerate(pairwise(self.nodes)):
            a, b = self.student(n + 1)
            x, y = after(self.student(n), self.flow(high, low))
            found.append(self.rms((a - x, b - y), high) / (high - low))
        return found


def after(f: Map, x: Map) -> Map:
    return f[0] * x[0], f[0] * x[1] + f[1]


def w2(q: Map, p: Map) -> float:
    return hypot((abs(q[0]) - abs(p[0])) * sqrt(len(q[1])), *(q[1] - p[1]))


def tv(q: Map, p: Map) -> float:
    """On the line: the densities cross where a quadratic vanishes."""
    (s1, m1), (s2, m2) = ((abs(a), float(b[0])) for a, b in (q, p))
    cuts = np.roots([1 / s2**2 - 1 / s1**2, 2 * (m1 / s1**2 - m2 / s2**2), (m2 / s2) ** 2 - (m1 / s1) ** 2 - 2 * log(s1 / s2)])

    def inside(m: float, deviation: float) -> float:
        x, y = (0.5 * erf((z - m) / deviation / sqrt(2)) for z in cuts)
        return x - y

    return abs(inside(m1, s1) - inside(m2, s2))


def number(count: int, fraction: float) -> int:
    return max(1, min(count, round(fraction * count)))


def truth_by_hand(id: str, hand: Hand, choices: Any, u: float, exact_student: bool) -> float:
    low = hand.nodes[0]
    scale = exp(low) if choices["clock"] == "ve" else 1.0
    if id == MAP_ERROR:
        n = number(hand.N, choices["at"])
        f, exact = hand.student(n), hand.flow(hand.nodes[n], low)
        return scale * hand.rms((f[0] - exact[0], f[1] - exact[1]), hand.nodes[n])
    data = (sqrt(hand.variance), hand.mean)
    if id == EARLY:
        return tv(hand.law(low), data)
    start = s(hand.nodes[-1]) if choices["start"] == "matched" else 1.0
    law = after(hand.student(hand.N, exact_student), (start, 0 * hand.mean))
    if id == MULTISTEP:
        for fraction in choices["times"]:
            n = number(hand.N, fraction)
            gap = hand.nodes[n] - low
            law = after(hand.student(n), (hypot(c(gap) * law[0], s(gap)), c(gap) * law[1]))
    if id == SMOOTHING:
        return tv((hypot(c(u) * law[0], s(u)), c(u) * law[1]), data if choices["to"] == "p_data" else hand.law(low))
    target = data if choices["to"] == "p_data" else (scale * hand.law(low)[0], scale * hand.law(low)[1])
    return w2((scale * law[0], scale * law[1]), target)


def made(id: str, world: str, d: int, seed: int) -> Recipe:
    """A recipe without what no number can express, its other choices random."""
    rng = np.random.default_rng([seed, d])
    choices: dict[str, Any] = {
        "d": d, "N": int(rng.integers(1, 6)), "grid": str(rng.choice(["geometric", "uniform", "edm", "two-stage"])),
        "teacher": str(rng.choice(["ddim", "exponential-integrator"])), "profile": "universal", "t_star": "0",
        "constants": str(rng.choice(["lists", "single"])), "start": str(rng.choice(["standard", "matched"])),
        "to": str(rng.choice(["p_data", "p_delta"])), "clock": str(rng.choice(["ou", "ve"])), "at": 0.7,
        "times": [[0.9, 0.4], [0.5, 0.5], [0.6]][seed % 3], "score_sign": 1, "drift_sign": -1,
        "shape": "isotropic", "student": "composed", "null": 0, "aligned": False, "centred": False,
        "components": 1, "symmetric": False, "widths": "common",
    }  # fmt: skip
    if id in (TRAINING, EARLY, SMOOTHING):
        choices["constants"] = "single"
    if id in (EARLY, SMOOTHING):
        choices["clock"] = "ou"
    if world == "mixture" and d > 1:
        choices["to"] = "p_delta"
    wide = float(rng.uniform(-1, -0.1))
    knobs = {
        "log_delta": -1.0, "log_span": float(rng.uniform(-0.3, 0.4)), "log_mean": 0.1, "log_score": -0.7, "log_drift": -0.5,
        "log_variance": 2 * wide, "log_spread": 0.0, "log_linear": OFF, "log_noise": OFF,
        "log_radius": 0.0, "log_tau": wide, "log_weight": 0.0, "log_u": -1.0,
    }  # fmt: skip
    return recipe(id, world, seed, **choices, **knobs)


def by_hand(made: Recipe) -> Hand:
    """The same teacher and student; directions are read off, their lengths are those of the recipe."""
    if made.world == "gaussian":
        pipe = gaussian.pipeline(made)
        nodes, mean, variance = pipe.nodes, pipe.world.mean, 10 ** made.knobs["log_variance"]
        v = np.exp(-2 * nodes[0]) * variance + 1 - np.exp(-2 * nodes[0])
        push = pipe.score.shift[0] - np.exp(-nodes[0]) * mean / v
        assert pipe.score.matrix[0] == pytest.approx(-np.eye(len(mean)) / v)
        hand = Hand(nodes.tolist(), mean, variance, made.choices["teacher"], push, 0 * push)
        a, b = hand.student(1)
        drift = (pipe.student.shift[1] - b) / (nodes[1] - nodes[0])
        assert pipe.student.matrix[1] == pytest.approx(a * np.eye(len(mean)))
        assert np.linalg.norm(mean) == pytest.approx(10**0.1)
    else:
        run = runner(made)
        nodes, mean, variance, push, drift = run.nodes, run.world.mean, 10 ** (2 * made.knobs["log_tau"]), run.offset, run.drift
    assert [np.linalg.norm(x) for x in (push, drift)] == pytest.approx([10**-0.7, 10**-0.5], rel=1e-9)
    return Hand(nodes.tolist(), mean, variance, made.choices["teacher"], push, drift)


CASES = [
    *((id, "gaussian", d) for id in (MAP_ERROR, ONE_STEP, MULTISTEP, TRAINING) for d in (1, 3)),
    *((id, "gaussian", 1) for id in (EARLY, SMOOTHING)),
    *((id, "mixture", 1) for id in (MAP_ERROR, ONE_STEP, MULTISTEP, TRAINING, EARLY, SMOOTHING)),
    *((id, "mixture", 2) for id in (MAP_ERROR, ONE_STEP)),
]


@pytest.mark.parametrize(("id", "world", "d"), CASES)
def test_instances_by_hand(id: str, world: str, d: int) -> None:
    for seed in range(4):
        recipe_ = made(id, world, d, seed)
        hand, theorem = by_hand(recipe_), cmbound.theorem(id)
        instance = build(recipe_, theorem)
        exact_student = id == TRAINING and world == "mixture"
        exact = truth_by_hand(id, hand, recipe_.choices, 0.1, exact_student)
        assert instance.truth.lower <= exact <= instance.truth.upper, (seed, instance.truth, exact)
        wide = {("gaussian", 1): 1e-8, ("gaussian", 3): 1e-8, ("mixture", 1): 1e-3, ("mixture", 2): 2.0}[world, d]
        assert instance.truth.upper - instance.truth.lower <= wide * max(exact, 0.1)
        check_constants(instance, hand, theorem, recipe_.choices, exact_student)


def check_constants(instance: Instance, hand: Hand, theorem: Any, choices: Any, exact_student: bool) -> None:
    """What the statement is evaluated with, in its clock."""
    params, d, t = instance.params, len(hand.mean), np.array(hand.nodes)
    law = {"m2": hypot(*hand.mean, sqrt(d * hand.variance)), "sd2": sqrt(d * hand.variance), "d": d}
    expected: dict[str, Any] = {name: x for name, x in law.items() if name in params}
    L_f = np.array([abs(hand.student(n, exact_student)[0]) for n in range(1, hand.N + 1)])
    if exact_student:  # no earlier map enters
        L_f[:-1] = 0
    eps_sc, eps_cm = np.full(hand.N, np.linalg.norm(hand.push)), np.full(hand.N, np.linalg.norm(hand.drift))
    if theorem.id == TRAINING and not exact_student:
        eps_cm = np.array(hand.trajectory_error())
    if choices["clock"] == "ve":
        L_f, eps_sc, eps_cm = L_f * np.exp(t[0] - t[1:]), eps_sc * np.exp(-t[1:]), eps_cm * np.exp(t[0])
    listed = (choices["constants"] == "lists" or (instance.recipe.world == "mixture" and d > 1)) and theorem.uses_profile
    if listed:
        grid = np.sqrt(np.expm1(2 * t)) if choices["clock"] == "ve" else t
        expected |= {"L_f": L_f, "eps_sc": eps_sc, "eps_cm": eps_cm, "grid": grid}
    else:
        one = {"L_f": max(1.0, L_f.max()), "eps_sc": eps_sc.max(), "eps_cm": eps_cm.max(), "delta": t[0], "T": t[-1]}
        expected |= {name: x for name, x in one.items() if name in params}
    for name, x in expected.items():
        assert np.asarray(params[name]) == pytest.approx(np.asarray(x), rel=1e-6), (name, instance.recipe)
    if instance.generous is not None and "L_f" in params:  # one component has R = 0: what certainly holds is what is found
        assert np.asarray(instance.generous["L_f"]) == pytest.approx(np.asarray(params["L_f"]), rel=1e-6)


def test_a_distance_in_several_dimensions_is_bounded_from_below() -> None:
    """Laws far apart: the interval is narrow, and W2 between the two normal laws is inside."""
    for seed in range(3):
        recipe_ = made(ONE_STEP, "mixture", 2, seed)
        recipe_ = replace(recipe_, knobs={**recipe_.knobs, "log_drift": 1.0})
        run = runner(recipe_)
        hand = Hand(run.nodes.tolist(), run.world.mean, 10 ** (2 * recipe_.knobs["log_tau"]), run.teacher, run.offset, run.drift)
        truth = build(recipe_, cmbound.theorem(ONE_STEP)).truth
        assert truth.lower <= truth_by_hand(ONE_STEP, hand, recipe_.choices, 0.1, False) <= truth.upper
        assert truth.lower > 0.8 * truth.value > 0.8 * truth.upper / 1.1


# --- the paper's statements, and constants of the law --------------------------------------------------------------------


def corrected(law: Map, score: Map, friction: float, step: float, steps: int) -> Map:
    """Underdamped Langevin with the score frozen over a step, on the line from v ~ N(0, 1): moments, noise by quadrature."""
    points, weights = np.polynomial.legendre.leggauss(40)
    left = step * (1 - points) / 2  # time left to the end of the step
    kernels = np.stack([-np.expm1(-friction * left) / friction, np.exp(-friction * left)])
    noise = 2 * friction * (kernels * weights * step / 2) @ kernels.T
    drop, lag = (float(np.sum(weights * x) * step / 2) for x in (kernels[1], kernels[0]))
    move = np.array([[1 + lag * score[0], drop], [drop * score[0], exp(-friction * step)]])
    mean, covariance = np.array([law[1][0], 0.0]), np.diag([law[0] ** 2, 1.0])
    for _ in range(steps):
        mean, covariance = move @ mean + np.array([lag, drop]) * score[1][0], move @ covariance @ move.T + noise
    return sqrt(covariance[0, 0]), mean[:1]


@pytest.mark.parametrize("count", [1, 6])
@pytest.mark.parametrize("id", [f"lyu2023-{x}" for x in ("thm2", "thm3", "cor4", "cor5", "cor6", "cor9", "cor10")])
def test_order_forms_by_hand(id: str, count: int) -> None:
    theorem = cmbound.theorem(id)
    recipe_ = recipe(
        id, "gaussian", 1, d=1, N=count, shape="isotropic", student="composed", null=0, aligned=False, score_sign=1,
        drift_sign=-1, at=0.6, times=[0.9, 0.4], scalar=True, log_variance=-0.6, log_spread=0.0, log_mean=0.1, log_score=-0.7,
        log_drift=-0.5, log_linear=OFF, log_noise=OFF, log_delta=-1.0, log_span=0.4,
    )  # fmt: skip
    hand, instance = by_hand(recipe_), build(recipe_, theorem)
    low, t, params = hand.nodes[0], np.array(hand.nodes), instance.params
    data, first = (sqrt(hand.variance), hand.mean), hand.student(hand.N)
    slopes = [abs(hand.student(n)[0]) for n in range(1, hand.N + 1)]
    L_f, L_s = max(1.0, *slopes), max(1.0, 1 / hand.variance, 1 / hand.v(hand.nodes[-1]))
    everything = {
        "C": 1, "L_f": L_f, "L_s": L_s, "eps_sc": 10**-0.7, "eps_cm": 10**-0.5, "h": np.diff(t).max(), "T": t[-1], "d": 1,
        "t": t[-1], "m2": hypot(hand.mean[0], data[0]), "delta": low,
    }  # fmt: skip
    expected: dict[str, Any] = {name: x for name, x in everything.items() if name in params}

    def again(law: Map, n: int) -> Map:
        gap = hand.nodes[n] - low
        return after(hand.student(n), (hypot(c(gap) * law[0], s(gap)), c(gap) * law[1]))

    name = id.removeprefix("lyu2023-")
    if name == "thm2":
        n = number(hand.N, 0.6)
        f, exact = hand.student(n), hand.flow(hand.nodes[n], low)
        truth = hand.rms((f[0] - exact[0], f[1] - exact[1]), hand.nodes[n])
        expected |= {"t": hand.nodes[n], "h": min(everything["h"], hand.nodes[n] - low)}
    elif name in ("thm3", "cor4"):
        truth = w2(first, hand.law(low) if name == "thm3" else data)
    elif name == "cor5":
        n = number(hand.N, 0.6)
        truth = w2(again(first, n), hand.law(low))
        expected |= {"t_hat": hand.nodes[n], "W_prev": w2(first, hand.law(low))}
    elif name == "cor6":
        n = next(i for i, x in enumerate(hand.nodes) if x >= log(2 * L_f) + low)
        truth = w2(again(again(first, n), n), data)
        expected |= {"k": 3}
    else:
        expected["eps"] = sqrt(low) * L_s * max(1.0, expected["m2"])
        if name == "cor9":
            truth = tv((hypot(c(low) * first[0], s(low)), c(low) * first[1]), data)
        else:
            score = -1 / hand.v(low), c(low) * hand.mean / hand.v(low) + hand.push
            expected["eta"] = 1 / sqrt(L_s) / count
            truth = tv(corrected(first, score, 2 * sqrt(L_s), expected["eta"], count), data)
    assert instance.truth.value == pytest.approx(truth, rel=1e-8)
    assert set(expected) >= set(params) - {"R", "tau", "sd2", "d_eff", "n_atoms", "weights", "t_star"}
    assert {x: params[x] for x in expected} == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("t_star", ["0", "delta"])
@pytest.mark.parametrize("log_variance", [2.0, -2.0])
def test_the_score_of_a_normal_law_is_steepest_at_an_end(log_variance: float, t_star: str) -> None:
    """Of [t_star, T]: at T if the variance is above 1, at t_star if it is below; at least 1."""
    recipe_ = recipe(
        ONE_STEP, "gaussian", 2, d=2, N=4, shape="isotropic", null=0, profile="lipschitz", teacher="exponential-integrator",
        clock="ou", constants="lists", grid="uniform", t_star=t_star, log_variance=log_variance, log_delta=-1.0, log_span=-0.2,
    )  # fmt: skip
    params = build(recipe_, cmbound.theorem(ONE_STEP)).params
    low, high = 0.1, 0.1 + 10**-0.2
    variances = [10**log_variance * c(t) ** 2 + s(t) ** 2 for t in (low if t_star == "delta" else 0.0, high)]
    assert params["L_s"] == pytest.approx(max(1.0, *(1 / x for x in variances)), rel=1e-12)
    assert str(params["t_star"]) == t_star


def test_the_score_of_a_wide_mixture_is_steepest_inside() -> None:
    """Between two components of variance 4 at -20 and 20: c^2 r^2/v^2 - 1/v first grows with time, then falls."""
    recipe_ = recipe(
        ONE_STEP, "mixture", 2, d=1, components=2, symmetric=True, widths="common", N=8, profile="lipschitz", grid="uniform",
        teacher="exponential-integrator", clock="ou", constants="lists", t_star="0",
        log_radius=np.log10(20), log_tau=np.log10(2), log_mean=OFF, log_delta=-2.0, log_span=0.3,
    )  # fmt: skip
    t = np.linspace(0, 0.01 + 10**0.3, 100_001)
    v = 4 * np.exp(-2 * t) - np.expm1(-2 * t)
    slopes = np.exp(-2 * t) * 400 / v**2 - 1 / v
    assert 0.4 < t[np.argmax(slopes)] < 0.7
    assert build(recipe_, cmbound.theorem(ONE_STEP)).params["L_s"] == pytest.approx(slopes.max(), rel=1e-6)


@pytest.mark.parametrize("radius", [0.3, 2.0])
def test_slopes_of_two_symmetric_points(radius: float) -> None:
    """They are attained between them: c^2 r^2/s^4 - 1/s^2 of the score (far points have 1/s^2), theory 3.3 of the exact map."""
    made_ = {"d": 1, "components": 2, "symmetric": True, "N": 3, "grid": "uniform", "log_radius": np.log10(radius)}
    off = {"log_mean": OFF, "log_delta": -0.5, "log_span": 0.0}
    low, high = 10**-0.5, 10**-0.5 + 1
    score = build(recipe("explicit-score-lipschitz", "atoms", 3, **made_, **off), cmbound.theorem("explicit-score-lipschitz"))
    exact = max(1 / s(low) ** 2, abs(c(low) ** 2 * radius**2 / s(low) ** 4 - 1 / s(low) ** 2))
    assert score.truth.value <= exact * (1 + 1e-12)
    assert score.truth.value >= exact * (1 - 0.02)
    narrow, tiny = {**off, "log_mean": 0.5, "log_delta": -3.0}, 1e-3  # so steep that only the point between them shows it
    score = build(recipe("explicit-score-lipschitz", "atoms", 3, **made_, **narrow), cmbound.theorem("explicit-score-lipschitz"))
    assert score.truth.value == pytest.approx(c(tiny) ** 2 * radius**2 / s(tiny) ** 4 - 1 / s(tiny) ** 2, rel=1e-9)
    slope = build(recipe("explicit-map-lipschitz", "atoms", 3, **made_, **off), cmbound.theorem("explicit-map-lipschitz"))
    wanted = s(low) / s(high) * exp(radius**2 / 2 * (1 / s(low) ** 2 - 1 / s(high) ** 2))
    assert slope.truth.value == pytest.approx(wanted, rel=1e-6)
    assert dict(slope.params) == pytest.approx({"R": radius, "delta": low, "tau": 0, "t": high})


@pytest.mark.parametrize(("shape", "null"), [("full", 0), ("full", 2), ("diagonal", 1)])
def test_covariances_of_a_recipe(shape: str, null: int) -> None:
    """The largest variance and its direction, where the mean lies if it is aligned; variances within the spread; null ones."""
    recipe_ = recipe(
        ONE_STEP, "gaussian", 4, d=5, shape=shape, null=null, aligned=True, student="composed",
        log_variance=0.5, log_spread=2.0, log_mean=0.3,
    )  # fmt: skip
    pipe = gaussian.pipeline(recipe_)
    mean, covariance = pipe.world.mean, pipe.world.covariance
    assert np.linalg.norm(mean) == pytest.approx(10**0.3)
    assert covariance @ mean == pytest.approx(10**0.5 * mean)
    values = np.linalg.eigvalsh(covariance)
    assert values[:null] == pytest.approx(0, abs=1e-12)
    assert (values[null:] > 10**-1.5 * (1 - 1e-9)).all()
    assert values[-1] == pytest.approx(10**0.5)
    assert values[-2] < 10**0.5 * 0.99
    assert np.array_equal(covariance, np.diag(np.diag(covariance)))  # in the basis of its eigenvectors, whatever the shape
    top, shifts = mean / np.linalg.norm(mean), pipe.student.shift  # errors of the score and the drift are along it too
    assert shifts == pytest.approx(np.outer(shifts @ top, top), abs=1e-9 * (1 + np.abs(shifts).max()))


def test_individual_widths_weights_and_the_spread_of_centres() -> None:
    """Of a mixture: centres in a ball of the radius about their mean, weights within their ratio, widths within a factor 10."""
    for seed in range(6):
        recipe_ = recipe(
            MAP_ERROR, "mixture", seed, d=2, components=5, symmetric=False, widths="individual",
            log_radius=0.4, log_tau=-0.3, log_weight=2.0, log_mean=0.7,
        )  # fmt: skip
        world = runner(recipe_).world
        centre = world.means.mean(axis=0)
        assert np.linalg.norm(world.means - centre, axis=1).max() == pytest.approx(10**0.4)
        assert np.linalg.norm(centre) == pytest.approx(10**0.7)
        assert world.weights.sum() == pytest.approx(1)
        assert 1 < world.weights.max() / world.weights.min() <= 100
        widths = np.array([x[0, 0] for x in np.asarray(world.component_covariance)])
        assert (widths <= 10**-0.6).all()
        assert (widths >= 10**-1.6).all()
    line = runner(recipe(MAP_ERROR, "atoms", 1, d=2, components=3, symmetric=True, log_radius=0.4, log_mean=OFF)).world
    assert line.weights == pytest.approx([1 / 3] * 3)
    assert line.means[1] == pytest.approx(0, abs=1e-12)
    assert line.means[0] == pytest.approx(-line.means[2])
    assert np.linalg.norm(line.means[0]) == pytest.approx(10**0.4)
