"""The constants ``simulate`` measures (L_f, eps_sc, eps_cm of every step) against linear algebra and particles in plain numpy."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from cmbound.verification import request as module
from cmbound.verification.simulation import Simulation, simulate
from cmbound.worlds import Atoms, Gaussian, Mixture

Array = npt.NDArray[np.float64]
Pair = tuple[Array, Array]
"""x -> M x + b as (M, b); also the random vector M w + b for a standard normal w."""

MEAN, COVARIANCE = np.array([0.5, -1.0]), np.array([[4.0, 0.3], [0.3, 0.04]])
"""Wide along one axis and narrow along the other: errors of the start and of the teacher point in different directions."""
TIMES, ERROR, DRIFT = [0.9, 0.9, 0.35], 0.1, 0.05


def c(t: float) -> float:
    return float(np.exp(-t))


def s(t: float) -> float:
    return float(np.sqrt(-np.expm1(-2 * t)))


def power(matrix: Array, exponent: float) -> Array:
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * values**exponent) @ vectors.T)


def after(f: Pair, x: Pair) -> Pair:
    """f applied to x."""
    return f[0] @ x[0], f[0] @ x[1] + f[1]


def less(x: Pair, y: Pair) -> Pair:
    return x[0] - y[0], x[1] - y[1]


def rms(x: Pair) -> float:
    return float(np.sqrt(np.sum(x[0] ** 2) + np.sum(x[1] ** 2)))


class Plane:
    """Teacher, student and flow of N(MEAN, COVARIANCE), all affine: theory 1, 3.10 and 4."""

    def __init__(self, nodes: list[float], teacher: str, student: str) -> None:
        self.nodes, self.student, self.count = nodes, student, len(nodes) - 1
        along = np.ones(2) / np.sqrt(2)
        self.error, self.drift = ERROR * along, DRIFT * along
        self.teacher = [self.step(low, high, teacher) for low, high in pairwise(nodes)]

    def variance(self, t: float) -> Array:
        return np.asarray(c(t) ** 2 * COVARIANCE + s(t) ** 2 * np.eye(2))

    def step(self, low: float, high: float, teacher: str) -> Pair:
        """From ``high`` to ``low``, from the score with its error."""
        precision = np.linalg.inv(self.variance(high))
        score = -precision, precision @ MEAN * c(high) + self.error
        if teacher == "ddim":
            keep, push = c(low) / c(high), c(low) * (s(low) * -1 / c(low) + s(high) / c(high)) * s(high)
        else:
            keep, push = 1 / c(high - low), 1 / c(high - low) - 1
        return keep * np.eye(2) + push * score[0], push * score[1]

    def flow(self, high: float, low: float) -> Pair:
        matrix = power(self.variance(low), 0.5) @ power(self.variance(high), -0.5)
        return matrix, c(low) * MEAN - matrix @ MEAN * c(high)

    def f(self, n: int) -> Pair:
        """The student at t_n."""
        found: Pair = (np.eye(2), np.zeros(2))
        if self.student == "exact":
            found = self.flow(self.nodes[n], self.nodes[0])
        else:
            for k in reversed(range(n)):
                found = after(self.teacher[k], found)
        return found[0], found[1] + (self.nodes[n] - self.nodes[0]) * self.drift

    def eps_cm(self) -> list[float]:
        """At t_{n+1} under p: f_theta against f_theta after the teacher's step, over h."""
        found = []
        for n, (low, high) in enumerate(pairwise(self.nodes)):
            x = power(self.variance(high), 0.5), c(high) * MEAN
            found.append(rms(less(after(self.f(n + 1), x), after(self.f(n), after(self.teacher[n], x)))) / (high - low))
        return found

    def L2_constants(self, start: str, evaluations: list[int]) -> list[float]:
        """Of f_theta(., t_1), ..., f_theta(., t_N) between the points the proofs of theory 3.1 and 3.5 compare.

        Random vectors are images of (g, z, z_2, z_3, ...): x_0 = mean + covariance^(1/2) g, the noise of the first
        evaluation and those of the later ones.
        """
        width = 2 * (2 + len(evaluations))

        def normal(number: int) -> Array:
            found = np.zeros((2, width))
            found[:, 2 * number : 2 * number + 2] = np.eye(2)
            return found

        high = self.nodes[-1]
        last = c(high) * power(COVARIANCE, 0.5) @ normal(0) + s(high) * normal(1), c(high) * MEAN
        path = [after(self.flow(high, t), last) for t in self.nodes]

        def ratio(n: int, x: Pair, y: Pair) -> float:
            return rms(less(after(self.f(n), x), after(self.f(n), y))) / rms(less(x, y))

        constants = [ratio(n, after(self.teacher[n], path[n + 1]), path[n]) for n in range(1, self.count)]
        begin = (s(high) if start == "matched" else 1.0) * normal(1), np.zeros(2)
        constants.append(ratio(self.count, begin, last))
        x, y = path[0], after(self.f(self.count), begin)
        for number, n in enumerate(evaluations):
            gap = self.nodes[n] - self.nodes[0]
            x, y = ((c(gap) * v[0] + s(gap) * normal(2 + number), c(gap) * v[1]) for v in (x, y))
            constants[n - 1] = max(constants[n - 1], ratio(n, y, x))
            x, y = after(self.flow(self.nodes[n], self.nodes[0]), x), after(self.f(n), y)
        return constants


def measured(run: Simulation) -> tuple[Array, Array, Array]:
    """L_f, eps_sc and eps_cm the bound was evaluated with, brought to OU units by theory 1."""
    t = run.run.nodes
    L_f, eps_sc, eps_cm = (np.array(run.parameters[x]) for x in ("L_f", "eps_sc", "eps_cm"))
    if run.run.clock == "ve":
        assert run.parameters["clock"] == "ve"
        np.testing.assert_allclose(run.parameters["grid"], np.sqrt(np.expm1(2 * t)), rtol=1e-12)
        L_f, eps_sc, eps_cm = L_f * np.exp(t[1:] - t[0]), eps_sc * np.exp(t[1:]), eps_cm * np.exp(-t[0])
    else:
        np.testing.assert_allclose(run.parameters["grid"], t, rtol=1e-15)
    return L_f, eps_sc, eps_cm


MANY = 10_000


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many trajectories that L2 constants are known to about 1%."""
    monkeypatch.setattr(module, "TRAJECTORIES", (MANY, MANY))


OPTIONS = [
    ("ddim", "distilled", "standard", "ou"),
    ("exponential-integrator", "distilled", "matched", "ve"),
    ("ddim", "exact", "matched", "ve"),
    ("exponential-integrator", "exact", "standard", "ou"),
]


def arguments(teacher: str, student: str, start: str, clock: str) -> dict[str, Any]:
    ends = {"delta": 0.05, "horizon": 1.5, "times": TIMES}
    if clock == "ve":
        ends = {name: np.sqrt(np.expm1(2 * np.array(x))).tolist() for name, x in ends.items()}
    chosen = {"teacher": teacher, "student": student, "start": start, "clock": clock}
    return {**ends, **chosen, "eps_sc": ERROR, "eps_cm": DRIFT, "grid": "uniform", "grid_steps": 4, "n": 20}


@pytest.mark.parametrize(("teacher", "student", "start", "clock"), OPTIONS)
def test_exact_constants(teacher: str, student: str, start: str, clock: str) -> None:
    run = simulate(Gaussian(MEAN, COVARIANCE), **arguments(teacher, student, start, clock))
    plane = Plane(run.run.nodes.tolist(), teacher, student)
    L_f, eps_sc, eps_cm = measured(run)
    assert L_f == pytest.approx([np.linalg.norm(plane.f(n)[0], 2) for n in range(1, plane.count + 1)], rel=1e-9)
    assert eps_sc == pytest.approx([ERROR] * plane.count, rel=1e-9)
    assert eps_cm == pytest.approx(plane.eps_cm(), rel=1e-7)
    law = {"d": 2, "m2": np.sqrt(4.04 + 1.25), "sd2": np.sqrt(4.04)}
    assert {name: run.parameters[name] for name in law} == pytest.approx(law, rel=1e-12)
    assert "R" not in run.parameters
    assert str(run.parameters["t_star"]) == "0"


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize(("teacher", "student", "start", "clock"), OPTIONS)
def test_measured_constants_of_a_normal_law(teacher: str, student: str, start: str, clock: str) -> None:
    """As a mixture of one component the same law is measured along trajectories."""
    run = simulate(Mixture([MEAN], covariance=COVARIANCE), **arguments(teacher, student, start, clock))
    plane = Plane(run.run.nodes.tolist(), teacher, student)
    L_f, eps_sc, eps_cm = measured(run)
    indices = list(run.run.indices)
    found = plane.L2_constants(start, indices)
    assert L_f == pytest.approx(found, rel=0.01)
    assert max(np.divide(found, plane.L2_constants(start, []))) > 1.1  # a later evaluation matters
    assert eps_sc == pytest.approx([ERROR] * plane.count, rel=1e-9)
    assert eps_cm == pytest.approx(plane.eps_cm(), rel=0.01)


# --- particles ----------------------------------------------------------------------------------------------------------


POINTS, WEIGHTS = np.array([[0.0, 0.0], [2.0, 0.2], [-0.8, 1.5]]), np.array([0.5, 0.3, 0.2])


def posterior_mean(x: Array, t: float) -> Array:
    """E[x_0 | x_t = x] of the data set."""
    log_weights = np.log(WEIGHTS) - np.sum((x[:, None] - c(t) * POINTS) ** 2, axis=-1) / (2 * s(t) ** 2)
    mass = np.exp(log_weights - log_weights.max(axis=1, keepdims=True))
    return np.asarray(mass @ POINTS / mass.sum(axis=1, keepdims=True))


def score_of(x: Array, t: float) -> Array:
    return np.asarray((c(t) * posterior_mean(x, t) - x) / s(t) ** 2)


def runge_kutta(x: Array, high: float, low: float, count: int = 16) -> Array:
    """The probability flow dx/dt = -x - score, backwards, in log t."""
    for begin, end in pairwise(np.geomspace(high, low, count + 1)):
        h = end - begin
        k1 = -x - score_of(x, begin)
        k2 = -(x + h / 2 * k1) - score_of(x + h / 2 * k1, begin + h / 2)
        k3 = -(x + h / 2 * k2) - score_of(x + h / 2 * k2, begin + h / 2)
        k4 = -(x + h * k3) - score_of(x + h * k3, end)
        x = x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return x


@pytest.mark.usefixtures("many")
def test_measured_constants_of_a_data_set() -> None:
    run = simulate(Atoms(POINTS, WEIGHTS), **arguments("ddim", "distilled", "standard", "ou"))
    nodes, count = run.run.nodes.tolist(), len(run.run.nodes) - 1
    along = np.ones(2) / np.sqrt(2)
    rng = np.random.default_rng(5)

    def step(x: Array, k: int) -> Array:
        low, high = nodes[k], nodes[k + 1]
        push = c(low) * (s(high) / c(high) - s(low) / c(low)) * s(high)
        return np.asarray(c(low) / c(high) * x + push * (score_of(x, high) + ERROR * along))

    def f(x: Array, k: int) -> Array:
        for j in reversed(range(k)):
            x = step(x, j)
        return np.asarray(x + (nodes[k] - nodes[0]) * DRIFT * along)

    def size(x: Array) -> float:
        return float(np.sqrt(np.mean(np.sum(x**2, axis=1))))

    def ratio(x: Array, y: Array, k: int) -> float:
        return size(f(x, k) - f(y, k)) / size(x - y)

    z = rng.standard_normal((MANY, 2))
    path = [c(nodes[-1]) * POINTS[rng.choice(3, MANY, p=WEIGHTS)] + s(nodes[-1]) * z]
    for k in reversed(range(count)):
        path.insert(0, runge_kutta(path[0], nodes[k + 1], nodes[k]))
    others = [step(path[k + 1], k) for k in range(count)] + [z]
    first = [ratio(others[k], path[k], k) for k in range(1, count + 1)]
    L_f, x, y = list(first), path[0], f(z, count)
    for k in run.run.indices:
        gap, z = nodes[k] - nodes[0], rng.standard_normal((MANY, 2))
        x, y = (c(gap) * v + s(gap) * z for v in (x, y))
        L_f[k - 1] = max(L_f[k - 1], ratio(x, y, k))
        x, y = runge_kutta(x, nodes[k], nodes[0]), f(y, k)
    found = measured(run)
    assert found[0] == pytest.approx(L_f, rel=0.05)
    assert max(np.divide(L_f, first)) > 1.1
    assert found[1] == pytest.approx([ERROR] * count, rel=1e-9)
    assert found[2] == pytest.approx([DRIFT] * count, rel=1e-9)
    assert run.parameters["m2"] == pytest.approx(np.sqrt(WEIGHTS @ np.sum(POINTS**2, axis=1)), rel=1e-12)
    assert run.parameters["R"] == pytest.approx(np.hypot(2.8, 1.3) / 2, rel=1e-6)
