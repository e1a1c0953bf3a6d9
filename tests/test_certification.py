"""A user's model, measured: the telescope against closed forms, the order of the rungs, what must not matter, planted faults."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

import cmbound
from cmbound.certification import distance
from cmbound.certification.adapters import _roles
from cmbound.certification.advice import _stretch
from cmbound.certification.attack import attacked
from cmbound.certification.bounds import firm_sum, lower_root, paired, root, summed
from cmbound.certification.certificate import RUNGS, UNSEEN, Certificate, effort, evaluations_table, largest, to_data
from cmbound.certification.certify import compared
from cmbound.certification.distance import checked_size
from cmbound.certification.flow import along
from cmbound.certification.laws import DataLaw, Law, WorldLaw, law_of
from cmbound.certification.models import Denoiser, Model
from cmbound.certification.recognition import MISREAD, _nearest, misread, unlike
from cmbound.certification.request import Request
from cmbound.certification.teachers import SOLVERS
from cmbound.certification.telescope import Setup, roots, sampled
from cmbound.numbers import rounded
from cmbound.papers.figures.certificates import levels_figure
from cmbound.worlds.process import signal, time_of

Array = npt.NDArray[np.float64]

GRID = cmbound.Grid.edm(0.1, 10, 6)
SIGMAS = np.array([float(x) for x in GRID.values])
LAW = cmbound.Gaussian([0.5, -1.0], [[1.0, 0.3], [0.3, 0.5]])
LINE = cmbound.Gaussian([0.5], 0.8)


def exact_map(law: cmbound.Gaussian) -> Callable[[Array, float], Array]:
    """The exact consistency function in the VE clock."""
    low = float(time_of(SIGMAS[0]))

    def f(x: Array, sigma: float) -> Array:
        t = float(time_of(sigma))
        return np.asarray(law.flow(x * signal(t), t, low) / signal(low))

    return f


def denoiser_of(law: cmbound.worlds.World) -> Callable[[Array, float], Array]:
    def d(x: Array, sigma: float) -> Array:
        t = float(time_of(sigma))
        return law.denoiser(x * signal(t), t)

    return d


def distilled(denoise: Callable[[Array, float], Array], sigmas: Array) -> Callable[[Array, float], Array]:
    """Euler steps of a teacher down to the lowest noise level: a student without a consistency error."""

    def f(x: Array, sigma: float) -> Array:
        y, at = x, sigma
        for low in sigmas[sigmas < sigma * (1 - 1e-9)][::-1]:
            answer = denoise(y, at)
            y, at = answer + low / at * (y - answer), low
        return y

    return f


POINTS = np.random.default_rng(3).uniform(-1, 1, (40, 2))


FEW = {"distance_batch": 100, "ascent": 30}
"""Of a certificate in the plane whose distance is not what is tested: transport and ascent take a second otherwise."""


def small(**changed: Any) -> Certificate:
    """A certificate that takes a second: a student on a law on the line."""
    given: dict[str, Any] = {
        "model": exact_map(LINE),
        "teacher": denoiser_of(LINE),
        "data": LINE,
        "sigmas": GRID,
        "n": 600,
        "batches": 3,
    }
    given |= changed
    with patch.object(distance, "ASCENT_STEPS", given.pop("ascent", distance.ASCENT_STEPS)):
        return cmbound.certify(given.pop("model"), **given)


# --- the parts, against what is known -----------------------------------------------------------------------------------


def test_the_denoiser_of_a_data_set_is_that_of_its_world() -> None:
    weights = np.random.default_rng(0).random(40)
    world, law = cmbound.Atoms(POINTS, weights), DataLaw(POINTS, weights / weights.sum())
    x = np.random.default_rng(1).standard_normal((30, 2))
    for sigma in (0.01, 0.3, 40.0):
        np.testing.assert_allclose(law.denoiser(x, sigma), denoiser_of(world)(x, sigma), rtol=1e-9, atol=1e-12)
    assert law.sd2 == pytest.approx(world.sd2)
    assert law.m2 == pytest.approx(world.m2)


@pytest.mark.parametrize("d", [2, 30], ids=["plane", "wide"])
@pytest.mark.parametrize("weighted", [False, True], ids=["equal", "weighted"])
@pytest.mark.parametrize("origin", [0.0, 1e3])
def test_posterior_means_are_those_of_sums_in_extended_precision(d: int, weighted: bool, origin: float) -> None:
    """With and without a shift of the logits, with few points of any weight and with all, at many noise levels at once."""
    rng = np.random.default_rng(0)
    weights = rng.random(500) if weighted else np.ones(500)
    law = DataLaw(origin + rng.standard_normal((500, d)), weights / weights.sum())
    sigma = np.geomspace(0.01, 100, 150)
    x = law.draw(150, rng) + sigma[:, None] * rng.standard_normal((150, d))
    points = law.points.astype(np.longdouble)
    logits = -np.square(x[:, None] - points).sum(axis=2) / (2 * sigma.astype(np.longdouble)[:, None] ** 2) + np.log(law.weights)
    masses = np.exp(logits - logits.max(axis=1, keepdims=True))
    truth = np.asarray(masses @ points / masses.sum(axis=1, keepdims=True), dtype=np.float64)
    allowed = 1e-12 if origin == 0 else 1e-8  # x itself is known to 1e-13 there
    np.testing.assert_allclose(law.denoiser(x, sigma) - origin, truth - origin, atol=allowed, rtol=0)
    one = np.array([law.denoiser(x[i : i + 1], float(sigma[i]))[0] for i in range(150)])
    np.testing.assert_allclose(one - origin, truth - origin, atol=allowed, rtol=0)


def test_posterior_weights_survive_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    law, x = DataLaw(POINTS), np.random.default_rng(1).standard_normal((30, 2))
    whole, drawn = law.denoiser(x, 0.4), law.posterior(x, 0.4, np.random.default_rng(2))
    monkeypatch.setattr("cmbound.certification.laws.LOGITS", 100)
    monkeypatch.setattr("cmbound.certification.laws.LEAST_ROWS", 3)
    np.testing.assert_allclose(law.denoiser(x, 0.4), whole, rtol=1e-12)
    np.testing.assert_array_equal(law.posterior(x, 0.4, np.random.default_rng(2)), drawn)


MIXTURE = cmbound.Mixture([[0.0, 0.0], [1.0, 2.0]], [0.3, 0.7], [[[1.0, 0.2], [0.2, 0.5]], [[0.1, 0.0], [0.0, 2.0]]])


@pytest.mark.parametrize("data", [LAW, MIXTURE, POINTS], ids=["gaussian", "mixture", "points"])
def test_posterior_draws_make_the_pair_of_data_and_noised_data(data: Any) -> None:
    """(x_0 + sigma z, draw) has the law of (x_0 + sigma z, x_0): the same mean products, up to 5 standard errors."""
    law, rng, n, sigma = law_of(data), np.random.default_rng(4), 40_000, 0.7
    x0 = law.draw(n, rng)
    x = x0 + sigma * rng.standard_normal(x0.shape)
    a = law.posterior(x, sigma, rng)
    for i in range(2):
        for j in range(2):
            for left, right in ((a[:, i] * a[:, j], x0[:, i] * x0[:, j]), (a[:, i] * x[:, j], x0[:, i] * x[:, j])):
                off = left - right
                assert abs(off.mean()) < 5 * off.std() / math.sqrt(n)


def test_trajectories_of_points_are_those_of_the_world() -> None:
    world, law = cmbound.Atoms(POINTS), DataLaw(POINTS)
    x = law.draw(50, np.random.default_rng(0)) + 10 * np.random.default_rng(1).standard_normal((50, 2))
    t, low = float(time_of(SIGMAS[-1])), float(time_of(SIGMAS[0]))
    truth = world.flow(x * signal(t), t, low) / signal(low)
    off = [float(np.sqrt(np.mean((list(along(law, x, SIGMAS, tol))[-1] - truth) ** 2))) for tol in (1e-4, 1e-6, 1e-8)]
    assert off[2] < 1e-6  # far below the tolerance of a certificate
    assert off[2] < off[1] < off[0]


@pytest.mark.parametrize("name", SOLVERS)
def test_order_of_a_teachers_step(name: str) -> None:
    """Local errors against the flow in closed form: a step half as long is 2^-(order + 1) times as wrong."""
    law = WorldLaw(LAW)
    x = np.random.default_rng(0).standard_normal((20, 2)) * 2
    errors = []
    for low in (0.9, 0.95):
        off = SOLVERS[name](law.denoiser, x, 1.0, low) - law.flow(x, 1.0, low)
        errors.append(float(np.abs(off).max()))
    order = math.log2(errors[0] / errors[1]) - 1
    assert order == pytest.approx(1 if name in ("euler", "exponential-integrator") else 2, abs=0.1)


@pytest.mark.parametrize("output", ["denoiser", "score", "noise", "velocity"])
@pytest.mark.parametrize("clock", ["ve", "ou"])
def test_what_a_teacher_returns(output: str, clock: str) -> None:
    """Each output, made from the world's own score by its definition, is turned back into the denoiser."""
    x, sigma = np.random.default_rng(0).standard_normal((5, 2)), 0.7
    t = float(time_of(sigma))
    c, s = float(signal(t)), math.sqrt(1 - float(signal(t)) ** 2)
    answer = denoiser_of(LAW)(x, sigma)
    made = {
        "denoiser": answer,
        "score": LAW.score(x * c, t) * (1 if clock == "ou" else c),
        "noise": (x - answer) / sigma,
        "velocity": c * (x - answer) / sigma - s * answer,
    }[output]
    asked: list[Any] = []

    def teacher(y: Array, level: float) -> Array:
        asked.append((y.copy(), level))
        return made

    found = Denoiser(Model(teacher, 2, "teacher", clock=clock), output)(x, sigma)
    np.testing.assert_allclose(found, answer, rtol=1e-10)
    np.testing.assert_allclose(asked[0][0], x * c if clock == "ou" else x)
    assert asked[0][1] == pytest.approx(t if clock == "ou" else sigma)


# --- the direct rung in closed form -------------------------------------------------------------------------------------

SLOPE = np.array([[0.08, 0.02], [-0.01, 0.06]])
SHIFT = np.array([0.4, -0.7])


def affine(x: Array, sigma: float) -> Array:
    """An arbitrary affine model."""
    return np.asarray(x @ SLOPE.T + SHIFT)


def direct_square() -> float:
    """E norm(f(sigma_N z) - a)^2 for the affine model: f = S sigma z + b, a = mu + K F (x_0' - mu + sigma z) + noise."""
    high, low = float(SIGMAS[-1]), float(SIGMAS[0])
    start, end = float(time_of(high)), float(time_of(low))
    flow = LAW.flow_matrix(start, end) * float(signal(start) / signal(end))
    cov = LAW.covariance
    total = np.linalg.inv(cov + low**2 * np.eye(2))
    gain, rest = cov @ total, cov - cov @ total @ cov
    back = gain @ flow
    size = np.sum((SHIFT - LAW.mean) ** 2) + high**2 * np.sum((SLOPE - back) ** 2)
    return float(size + np.trace(back @ cov @ back.T) + np.trace(rest))


def _setup(seed: int) -> Setup:
    model = Model(affine, 2, "model")
    return Setup(model, None, WorldLaw(LAW), SIGMAS[[0, 3, 6]], SOLVERS["euler"], seed, 1e-5)


def test_direct_rung_in_closed_form() -> None:
    values = sampled(_setup(0), 40_000).direct
    assert values.mean() == pytest.approx(direct_square(), abs=5 * values.std() / math.sqrt(len(values)))


RUNS = 500
"""Seeds behind a coverage: a level missed by 3 percentage points is seen."""


def test_the_upper_end_of_the_direct_rung_covers() -> None:
    """Binomial test at the level 0.9 with the allowance of asymptotic intervals, 1.5 percentage points."""
    truth, tail = math.sqrt(direct_square()), 0.1
    values = sampled(_setup(1), 150 * RUNS).direct.reshape(RUNS, 150)  # paths are independent
    covered = sum(root(x, tail, None).upper >= truth for x in values)
    assert stats.binom.cdf(covered, RUNS, 1 - tail - 0.015) > 1e-4
    assert covered < RUNS  # an upper end that always covers says nothing


def test_the_guaranteed_end_covers_and_the_coverage_test_can_fail() -> None:
    """Bounded values: never less than the level; an end that is 5% too low would be found."""
    tail, truth, covered, too_low = 0.1, math.sqrt(1 / 3), 0, 0
    for seed in range(RUNS):
        values = np.random.default_rng(seed).random(150) ** 2
        firm = root(values, tail, 1.0).guaranteed
        assert firm is not None
        covered += firm >= truth
        too_low += 0.95 * root(values, tail, None).upper >= truth
    assert stats.binom.cdf(covered, RUNS, 1 - tail) > 1e-4
    assert stats.binom.cdf(too_low, RUNS, 1 - tail - 0.015) < 1e-4


def _rare(n: int, seed: int) -> tuple[Array, Array]:
    """Terms a and -a + b of paths in [-1, 1]: b small, but for one path in 50."""
    rng = np.random.default_rng(seed)
    a = rng.uniform(-0.3, 0.3, n)
    return a, np.where(rng.random(n) < 0.02, 0.9, rng.uniform(-0.1, 0.1, n)) - a


def test_the_guaranteed_end_of_a_sum_covers_what_a_pilot_has_not_seen() -> None:
    """norm(whole)_2 is known; what is left of the bound without the paths beyond the limit is below it."""
    truth, tail, covered, without = math.sqrt(0.02 * 0.81 + 0.98 * 0.01 / 3), 0.1, 0, 0
    for seed in range(RUNS):
        a, b = _rare(150, seed)
        terms = [(a**2, 1.0), (b**2, 1.0)]
        firm = firm_sum(terms, (a + b) ** 2, 4.0, tail)
        covered += firm >= truth
        without += root((a + b)[np.abs(a + b) < 0.2] ** 2, tail, None).upper >= truth
    assert stats.binom.cdf(covered, RUNS, 1 - tail) > 1e-4
    assert without == 0


def test_the_asymptotic_end_of_a_sum_covers() -> None:
    """Five dependent Gaussian terms, whose root mean squares add up to 1.5."""
    tail, covered, sizes = 0.1, 0, np.arange(1, 6) * 0.1
    for seed in range(RUNS):
        rng = np.random.default_rng(seed)
        x = (0.6 * rng.standard_normal((150, 1)) + 0.8 * rng.standard_normal((150, 5))) * sizes
        covered += summed([(y**2, 1.0) for y in x.T], tail).upper >= sizes.sum()
    assert stats.binom.cdf(covered, RUNS, 1 - tail - 0.015) > 1e-4  # the allowance of asymptotic intervals
    assert covered < RUNS


def test_a_sum_of_many_terms_pays_the_diameter_once() -> None:
    rng = np.random.default_rng(0)
    terms = [(0.01 * rng.random(1000), 1.0) for _ in range(60)]
    whole, most, tail = 0.01 * rng.random(1000), 4.0, 0.001
    seen = summed(terms, tail)
    assert seen.estimate == pytest.approx(sum(math.sqrt(x.mean()) for x, _ in terms))
    assert seen.estimate <= seen.upper < 1.05 * seen.estimate
    one_by_one = sum(root(x, tail, 2.0).guaranteed or 0.0 for x, _ in terms)
    once = root(whole, tail / 2, 2.0).guaranteed
    assert once is not None
    assert firm_sum(terms, whole, most, tail) < 1.3 * (seen.estimate + once) < 0.6 * one_by_one


def test_pairs_tell_apart_what_means_alone_do_not() -> None:
    rng = np.random.default_rng(0)
    before = rng.random(200)
    assert paired(before, before + 0.01 * rng.random(200), 0.01) == 1
    assert paired(before + 0.01 * rng.random(200), before, 0.01) == -1
    wrong = sum(paired(rng.random(50), rng.random(50), 0.05) != 0 for _ in range(RUNS))
    assert stats.binom.sf(wrong, RUNS, 2 * 0.05 + 0.015) > 1e-4  # both sides, and the allowance of asymptotic tests
    assert paired(before, before * (1 + 1e-14), 0.01) == 0


# --- the ladder ----------------------------------------------------------------------------------------------------------

BOX = {"clip": (-1.0, 1.0)}
MEAN_OF_POINTS = denoiser_of(cmbound.Atoms(POINTS))
INSTANCES: dict[str, dict[str, Any]] = {
    "gaussian, exact student": {},
    "gaussian, half the denoiser": {"teacher": lambda x, s: 0.9 * denoiser_of(LINE)(x, s)},
    "gaussian, constant": {"model": lambda x, s: 0 * x},
    "no teacher": {"teacher": None},
    "no teacher, constant": {"teacher": None, "model": lambda x, s: 0 * x + 1},
    "heun": {"solver": "heun"},
    "exponential integrator": {"solver": "exponential-integrator"},
    "dpm-solver-2": {"solver": "dpm-solver-2"},
    "user's step": {"solver": lambda denoise, x, high, low: x + (low / high - 1) * (x - denoise(x, high))},
    "points on the line": {
        "data": POINTS[:, :1],
        "model": distilled(denoiser_of(cmbound.Atoms(POINTS[:, :1])), SIGMAS),
        "teacher": denoiser_of(cmbound.Atoms(POINTS[:, :1])),
        **BOX,
    },
    "points in the plane": {
        "data": POINTS,
        "model": distilled(MEAN_OF_POINTS, SIGMAS),
        "teacher": lambda x, s: MEAN_OF_POINTS(x, s) + 0.02,
        "n": 300,
        **BOX,
    },
    "mixture": {
        "data": cmbound.Mixture([[-1.0], [1.0]], covariance=0.1),
        "model": lambda x, s: np.tanh(x),
        "teacher": denoiser_of(cmbound.Mixture([[-1.0], [1.0]], covariance=0.1)),
    },
}


@cache
def certified(name: str) -> Certificate:
    return small(**INSTANCES[name])


@pytest.fixture(params=INSTANCES)
def instance(request: pytest.FixtureRequest) -> Certificate:
    return certified(request.param)


def test_the_rungs_are_ordered(instance: Certificate) -> None:
    names = [x for x in RUNGS if x in instance.rungs]
    assert names[:4] == list(RUNGS[:4])
    assert list(instance.rungs) == names
    for low, high in pairwise(names):
        for what in ("estimate", "upper", "asymptotic"):
            below, above = (getattr(instance.rungs[x], what) for x in (low, high))
            assert below <= above * (1 + 1e-9), (low, high, what)
    for x in instance.rungs.values():
        assert x.estimate <= x.upper * (1 + 1e-9)


def test_the_distance_is_below_the_direct_rung(instance: Certificate) -> None:
    assert instance.distance.lower <= instance.distance.upper
    assert instance.distance.lower <= instance.rungs["direct"].upper
    assert instance.distance.asymptotic[0] <= instance.rungs["direct"].estimate * 1.05


def test_trust_follows_the_bounds(instance: Certificate) -> None:
    clipped = instance.request.clip is not None
    assert {instance.rungs[x].trust for x in RUNGS[:3]} == {"guaranteed" if clipped else "asymptotic"}
    assert instance.rungs["local"].trust == "conditional"
    assert instance.distance.trust == ("guaranteed" if clipped else "asymptotic")


def test_every_format_and_the_shares_add_up(instance: Certificate) -> None:
    for form in cmbound.names.FORMATS:
        assert instance.report().render(form)
    ends = sum(instance.terms[x] for x in ("initialisation", "boundary", "early_stopping"))
    steps = sum(x.consistency + x.score + x.discretisation for x in instance.levels)
    low = instance.request.sigmas[0]
    exact = low * math.sqrt(instance.samples.shape[1])  # of the rung; the term is that of the samples
    assert instance.rungs["stepwise"].estimate == pytest.approx(ends + steps + instance.ode_error, rel=1e-9)
    assert instance.terms["early_stopping"] == pytest.approx(exact, rel=0.2)
    assert sum(x.share for x in instance.levels) == pytest.approx(steps / (ends + steps))


def _shrunk(law: Law, x: Array, sigma: float) -> Array:
    return 0.9 * law.denoiser(x, sigma)


def test_the_telescope_is_an_identity() -> None:
    for data, clip in ((LAW, None), (MIXTURE, None), (POINTS, None), (POINTS, (-1.0, 1.0))):
        law = law_of(data)
        teacher = Denoiser(Model(partial(_shrunk, law), 2, "teacher"), "denoiser")
        setup = Setup(Model(affine, 2, "model", clip=clip), teacher, law, SIGMAS, SOLVERS["heun"], 0, 1e-5)
        assert sampled(setup, 50).residue < 1e-12


def test_local_errors_are_those_of_the_teacher_alone() -> None:
    """They know nothing of the model, and in the Gaussian world they are those of a linear map."""
    one = sampled(_with_teacher(affine), 2000)
    two = sampled(_with_teacher(lambda x, s: 0 * x), 2000)
    np.testing.assert_array_equal(one.local_discretisation, two.local_discretisation)
    law = WorldLaw(LAW)
    high, low = float(SIGMAS[-1]), float(SIGMAS[-2])
    basis = np.vstack([np.eye(2), np.zeros((1, 2))]) + LAW.mean
    off = SOLVERS["euler"](law.denoiser, basis, high, low) - law.flow(basis, high, low)
    matrix = (off[:2] - off[2]).T
    square = float(np.trace(matrix @ (LAW.covariance + high**2 * np.eye(2)) @ matrix.T) + off[2] @ off[2])
    assert float(roots(one.local_discretisation[-1])) == pytest.approx(math.sqrt(square), rel=0.05)


def _with_teacher(model: Callable[[Array, float], Array]) -> Setup:
    teacher = Denoiser(Model(denoiser_of(LAW), 2, "teacher"), "denoiser")
    return Setup(Model(model, 2, "model"), teacher, WorldLaw(LAW), SIGMAS, SOLVERS["euler"], 0, 1e-5)


def test_the_guaranteed_lower_end_does_not_pay_for_a_wide_box() -> None:
    """A model that is 0.5 off, in a box of side 100: bets on the whole box would say 0."""
    found = small(
        data=POINTS,
        model=lambda x, s: distilled(denoiser_of(cmbound.Atoms(POINTS)), SIGMAS)(x, s) + 0.5,
        teacher=None,
        clip=(-50.0, 50.0),
        distance_batch=100,
    )
    assert found.distance.trust == "guaranteed"
    assert 0.5 < found.distance.lower <= found.distance.asymptotic[0] < 0.75  # 0.71 and what sampling adds
    assert f"; asymptotic: {rounded(found.distance.asymptotic[0], 4, 'down')} to " in found.verdict


# --- what must not matter ------------------------------------------------------------------------------------------------


def close(one: Certificate, two: Certificate, rel: float) -> None:
    for name, x in one.rungs.items():
        assert two.rungs[name].estimate == pytest.approx(x.estimate, rel=rel), name
        assert two.rungs[name].upper == pytest.approx(x.upper, rel=rel), name
    for name, term in one.terms.items():
        assert two.terms[name] == pytest.approx(term, rel=rel, abs=1e-12), name
    assert two.distance.upper == pytest.approx(one.distance.upper, rel=rel)
    assert two.distance.lower == pytest.approx(one.distance.lower, rel=rel)


def test_points_far_away_that_were_not_drawn_are_not_left_out() -> None:
    """The student is linear and makes none of them: W2 is at least what it takes to get there, nearly the best constant's."""
    spread = np.array([0.8, 0.3])

    def student(x: Array, sigma: float) -> Array:
        return np.asarray(x * np.sqrt((spread**2 + 0.02**2) / (spread**2 + sigma**2)))

    points = np.clip(np.random.default_rng(0).standard_normal((3000, 2)) * spread, -3, 3)
    points[0] = [2000, -1000]
    few: dict[str, Any] = {"sigmas": cmbound.Grid.edm(0.02, 20, 3), "n": 200, "batches": 3, "distance_batch": 100}
    for count, seed in ((3000, 1), (300, 2)):  # resampled points, and transport to all of them
        cert = cmbound.certify(
            student, data=points[:count], seed=seed, **few | ({} if count > 2000 else {"distance_batch": None})
        )
        # a share 1/count of the samples, of which hardly any is 5 away from 0, is carried to the point far away
        truth = (math.sqrt(float(points[0] @ points[0])) - 5) / math.sqrt(count)
        assert cert.findings[0].startswith(UNSEEN)
        assert cert.distance.lower <= truth <= cert.upper <= 1.01 * truth
        assert all(x.upper >= truth for x in cert.rungs.values())
        assert "better" not in cert.verdict
        assert "would give" not in effort(cert)
    ordinary = cmbound.certify(student, data=points[1:300], **few | {"distance_batch": None})
    assert not any(x.startswith(UNSEEN) for x in ordinary.findings)
    assert "better" in ordinary.verdict


def test_ends_that_contradict_are_not_printed_as_an_enclosure() -> None:
    cert = cmbound.certify(lambda x, sigma: 0 * x, data=[[-1.0], [1.0]], sigmas=[0.1, 1, 10], n=100, batches=3)
    low = replace(cert.evaluations[0].direct, upper=0.5 * cert.distance.lower)
    crossed = replace(cert, evaluations=(replace(cert.evaluations[0], direct=low),))
    assert crossed.upper == cert.distance.upper
    assert "contradict each other" in crossed.verdict
    under = replace(cert.distance, upper=0.4 * cert.distance.lower)
    both = replace(crossed.evaluations[0], distance=under)
    assert (both.lower(False), both.upper(False)) == (0.0, low.upper)


def test_neither_batches_nor_workers_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cmbound.certification.telescope.MOST_ROWS", 128)  # several blocks
    one = small()
    close(one, small(batch=37), 1e-9)
    two = small(workers=3)
    assert to_data(two)["rungs"] == to_data(one)["rungs"]
    assert small() == one
    assert small(seed=1) != one


def test_the_clock_does_not_matter() -> None:
    f, d = exact_map(LINE), denoiser_of(LINE)
    factor = math.hypot(1, SIGMAS[0])

    def in_time(g: Callable[[Array, float], Array], by: float) -> Callable[[Array, float], Array]:
        return lambda x, t: g(x / signal(t), math.sqrt(math.expm1(2 * t))) / by

    close(small(), small(model=in_time(f, factor), teacher=in_time(d, 1.0), clock="ou"), 1e-8)


def test_the_order_of_the_data_does_not_matter() -> None:
    given = {**INSTANCES["points in the plane"], **FEW}
    close(small(**given), small(**{**given, "data": POINTS[::-1]}), 1e-12)


def test_places_and_directions_do_not_matter() -> None:
    """Translated data: the same terms but the initialisation (noise starts at 0). Rotated: the same law, other draws."""
    law, move, turn = cmbound.Atoms(POINTS), np.array([3.0, -2.0]), np.array([[0.6, -0.8], [0.8, 0.6]])
    f, d = distilled(denoiser_of(law), SIGMAS), denoiser_of(law)

    def terms(f: Any, d: Any, points: Array, n: int) -> dict[str, float]:
        teacher = Denoiser(Model(lambda x, s: 0.9 * d(x, s), 2, "teacher"), "denoiser")
        setup = Setup(Model(f, 2, "model"), teacher, DataLaw(points), SIGMAS, SOLVERS["euler"], 0, 1e-6)
        return {name: float(roots(x)) for name, x in sampled(setup, n).terms.items()}

    one = terms(f, d, POINTS, 2000)
    two = terms(lambda x, s: f(x - move, s) + move, lambda x, s: d(x - move, s) + move / 0.9 - 0.0 * move, POINTS + move, 2000)
    three = terms(lambda x, s: f(x @ turn, s) @ turn.T, lambda x, s: d(x @ turn, s) @ turn.T, POINTS @ turn.T, 2000)
    for name in ("discretisation", "early_stopping"):
        assert two[name] == pytest.approx(one[name], rel=1e-4)
    for name, value in one.items():
        assert three[name] == pytest.approx(value, rel=0.1, abs=1e-6), name  # 2000 paths: some per cent


@pytest.mark.parametrize("far", [1e2, 1e4, 1e8])
def test_translated_data_have_the_same_terms(far: float) -> None:
    """Up to the rounding of the data themselves; all but the initialisation, whose noise starts at 0."""

    def terms(shift: float) -> dict[str, float]:
        law = DataLaw(POINTS + shift)
        teacher = Denoiser(Model(lambda x, s: law.denoiser(x, s) + 0.1, 2, "teacher"), "denoiser")
        setup = Setup(Model(lambda x, s: 0.9 * (x - shift) + shift, 2, "model"), teacher, law, SIGMAS, SOLVERS["euler"], 0, 1e-5)
        return {name: float(roots(x)) for name, x in sampled(setup, 100).terms.items() if name != "initialisation"}

    here, there = terms(0.0), terms(far)
    assert there == pytest.approx(here, rel=1e-9 + 1e-13 * far)


def test_data_too_far_from_0_are_named() -> None:
    small(data=POINTS[:, :1] + 1e9, model=lambda x, s: 0 * x, teacher=None, n=50)
    with pytest.raises(cmbound.DomainError, match=r"data lies at 1e\+14, where float64 rounds by 0.0.*subtract"):
        small(data=POINTS[:, :1] + 1e14, model=lambda x, s: 0 * x, teacher=None, n=50)


def test_weighted_points_in_a_file(tmp_path: Path) -> None:
    """As many copies of a point as its weight says, or the weights: the same law."""
    points, counts = POINTS[:8, :1], np.arange(1, 9)
    given: dict[str, Any] = {"model": lambda x, s: 0.1 * x, "teacher": None, "n": 300, "batches": 3}
    copies = small(data=np.repeat(points, counts, axis=0), **given)
    for name in ("points", "x"):
        arrays: dict[str, Any] = {name: points, "weights": counts}
        np.savez(tmp_path / "w.npz", **arrays)
        found = small(data=str(tmp_path / "w.npz"), **given)
        assert found.law == "8 points in d = 1"
        assert found.baselines.constant == pytest.approx(copies.baselines.constant, rel=1e-9)
        assert found.distance.lower <= copies.distance.upper
        assert copies.distance.lower <= found.distance.upper
    sums = cmbound.measured_grid(str(tmp_path / "w.npz"), sigma_min=0.1, sigma_max=10, steps=4, n=50).sums
    assert all(x > 0 for x in sums.values())
    for arrays, message in (
        ({"a": points, "weights": counts}, "holds the arrays a, weights; one array of points, or points and weights, is needed"),
        ({"x": points, "weights": -counts}, "weights"),
        ({"x": points, "weights": counts[:3]}, "weights"),
        ({"x": points, "weights": counts.astype(str)}, "must be arrays of real numbers"),
    ):
        np.savez(tmp_path / "bad.npz", **arrays)
        with pytest.raises(cmbound.CmboundError, match=message):
            small(data=str(tmp_path / "bad.npz"), **given)


# --- planted faults ------------------------------------------------------------------------------------------------------


def at_level(k: int, f: Callable[[Array, float], Array], size: float) -> Callable[[Array, float], Array]:
    """The function with a constant added at one noise level."""
    return lambda x, sigma: f(x, sigma) + (size if abs(sigma - SIGMAS[k]) < 1e-9 * sigma else 0.0)


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    assert small(times=(1.0,)).findings == ()


def test_copies_of_one_point_have_no_spread() -> None:
    assert DataLaw(np.full((37, 3), 0.1)).sd2 == 0


@pytest.mark.parametrize("steps", [5, 10])
def test_no_step_of_a_right_student_stands_out(steps: int) -> None:
    """The exact map of a Gaussian law beside points drawn from it and clipped: an error with a peak, but no fault."""
    spread = np.array([0.8, 0.3])
    points = np.clip(np.random.default_rng(0).standard_normal((400, 2)) * spread, -1, 1)
    model = lambda x, s: x * np.sqrt((spread**2 + 0.02**2) / (spread**2 + s**2))  # noqa: E731
    for teacher in (None, lambda x, s: x * spread**2 / (spread**2 + s**2)):
        found = small(model=model, teacher=teacher, data=points, sigmas=cmbound.Grid.edm(0.02, 20, steps), n=200, **FEW)
        assert not any("stands out" in x for x in found.findings)


# an exact student and an exact teacher of N(0, I) in the plane, on a coarse grid
PLANE = cmbound.Gaussian([0.0, 0.0], 1.0)
COARSE = (0.05, 0.2, 0.6, 1.5, 4.0, 10.0)


def plane_map(x: Array, sigma: float) -> Array:
    return np.asarray(x * math.sqrt((1 + COARSE[0] ** 2) / (1 + sigma**2)))


def plane(**changed: Any) -> Certificate:
    given = {"model": plane_map, "teacher": denoiser_of(PLANE), "data": PLANE, "sigmas": COARSE, "n": 300, "batches": 3}
    return small(**{**given, **FEW, "seed": 1, **changed})


@pytest.mark.parametrize("k", range(1, 5))
@pytest.mark.parametrize("solver", ["heun", "euler"])
def test_a_student_wrong_by_a_factor_at_one_noise_level_is_named_and_nothing_else(k: int, solver: str) -> None:
    def bumped(x: Array, sigma: float) -> Array:
        return plane_map(x, sigma) * (1.3 if sigma == COARSE[k] else 1.0)

    (finding,) = plane(model=bumped, solver=solver).findings
    assert finding.startswith(f"consistency: noise level {COARSE[k]:g} stands out")


@pytest.mark.parametrize("k", range(1, 6))
def test_a_teacher_wrong_at_one_noise_level_is_not_held_against_the_student(k: int) -> None:
    def bumped(x: Array, sigma: float) -> Array:
        return np.asarray(denoiser_of(PLANE)(x, sigma) + (0.5 if sigma == COARSE[k] else 0.0))

    found = plane(teacher=bumped)
    (finding,) = found.findings
    assert finding.startswith(f"score: the step from noise level {COARSE[k]:g} to")
    assert not {x.what for x in found.advice} & {"half the consistency error", "half the error of the teacher's score"}


def test_advice_is_what_lowers_the_direct_rung() -> None:
    """A student on the exact map cannot be helped by its terms, which cancel; one that follows a wrong teacher can."""
    clean = plane()
    assert clean.terms["consistency"] > clean.rungs["direct"].estimate  # that it cancels is what is tested
    assert {x.what for x in clean.advice} <= {"a horizon twice as large", "a lowest noise level half as large"}
    wrong = lambda x, s: denoiser_of(PLANE)(x, s) + 0.5  # noqa: E731
    follows = plane(model=distilled(wrong, np.array(COARSE)), teacher=wrong)
    assert follows.advice[0].what in (
        "half the error of the teacher's score",
        "half the error along exact trajectories (student and teacher together)",
    )
    for found in (clean, follows):
        assert all(0 < x.gain < found.rungs["direct"].estimate for x in found.advice)
    fault = next(x for x in follows.advice if "score" in x.what)
    better = plane(model=distilled(lambda x, s: denoiser_of(PLANE)(x, s) + 0.25, np.array(COARSE)), teacher=wrong)
    gained = follows.rungs["direct"].estimate - better.rungs["direct"].estimate
    assert fault.gain == pytest.approx(gained, rel=0.05)  # sampling only: the student is linear in its teacher's offset
    assert "all others stayed as they are" in " ".join(follows.report().render("text").split())


def test_shorter_steps_help_no_student_that_has_not_learnt_them() -> None:
    """On the exact map from a short horizon, where discretisation alone would cancel a part; of Euler steps they do."""
    levels = [x for x in COARSE if x < 4]
    exact = plane(sigmas=levels, n=2000)
    assert exact.terms["discretisation"] > 0.05
    assert not any("steps half as long" in x.what for x in exact.advice)
    learnt = plane(sigmas=levels, n=2000, model=distilled(denoiser_of(PLANE), np.array(levels)), solver="euler")
    assert any("steps half as long" in x.what for x in learnt.advice)


def test_evaluations_are_told_apart_on_the_same_paths() -> None:
    exact = plane(times=(1.5, 0.6))
    assert not any("does not help" in x for x in exact.findings)
    assert any(x.what == "3 evaluations" for x in exact.advice)
    constant = plane(model=lambda x, s: 0 * x + 0.5, times=(1.5,), teacher=None)
    assert any("evaluation 2 at noise level 1.5 is not told apart" in x for x in constant.notes)
    assert not any("help" in x for x in constant.findings)
    assert not any("evaluations" in x.what for x in constant.advice)


@pytest.mark.parametrize("k", [2, 4])
def test_a_consistency_error_at_one_noise_level_is_located(k: int) -> None:
    """The model is wrong at sigma_k alone: the steps that end and begin there say so."""
    found = small(model=at_level(k, exact_map(LINE), 1.0), teacher=None)
    by_size = sorted(found.levels, key=lambda x: -x.consistency)[:2]
    assert {x.sigma_from for x in by_size} | {x.sigma_to for x in by_size} == set(SIGMAS[k - 1 : k + 2])
    (told,) = [x for x in found.findings if x.startswith("consistency") and f"{SIGMAS[k]:.4g}" in x]
    norm = f"norm C {rounded(by_size[0].consistency, 3, 'nearest')}"
    assert told.endswith(f"({norm})")
    assert f"consistency, {norm}, from" in largest(found)
    page = found.report().render("text")
    assert "% of attributed" in page
    assert re.search(r"^ +discretisation +- +-$", page, re.MULTILINE)
    assert found.report().render("csv").splitlines()[1].split(",")[3:5] == ["", ""]


@pytest.mark.parametrize("k", [2, 4])
def test_a_score_error_at_one_noise_level_is_located(k: int) -> None:
    found = small(teacher=at_level(k, denoiser_of(LINE), 1.0))
    largest = max(found.levels, key=lambda x: x.score)
    assert largest.sigma_from == pytest.approx(SIGMAS[k])
    assert largest.eps_sc == pytest.approx(1 / SIGMAS[k] ** 2, rel=1e-9)
    assert any(x.startswith("score: the step from noise level " + f"{SIGMAS[k]:.4g}") for x in found.findings)


def test_the_stretch_with_most_of_the_discretisation_is_the_shortest() -> None:
    """Three of the six steps, though the five from the first or the last on have as much."""
    sizes, sigmas = (0.3, 1.0, 1.0, 4.0, 4.0, 0.1), (64.0, 32.0, 16.0, 8.0, 4.0, 2.0, 1.0)
    levels: list[Any] = [
        SimpleNamespace(discretisation=x, sigma_from=a, sigma_to=b) for x, (a, b) in zip(sizes, pairwise(sigmas), strict=True)
    ]
    assert _stretch(levels) == (16.0, 2.0)
    assert _stretch(levels[::-1]) == (4.0, 8.0)


def test_what_is_wrong_at_one_noise_level_is_no_other_reading() -> None:
    one, all_of_them, near = np.array([2.0, 0.01, 0.01, 0.01]), np.full(4, 1.0), np.full(4, 0.01)
    assert _nearest({"noise": near}, one, 1.0, MISREAD) is None
    assert _nearest({"noise": near}, all_of_them, 1.0, MISREAD) == "noise"


def test_clipping_is_no_missing_boundary_condition() -> None:
    """Paths end outside the box of the data; a model that is the identity there and is clipped still has no boundary error."""
    found = certified("points on the line")
    assert found.terms["boundary"] == 0
    assert "a_priori" in found.rungs
    assert found.terms["early_stopping"] <= found.request.sigmas[0] * 1.05


def test_without_a_teacher_the_last_rung_is_that_of_training() -> None:
    """By hand: m2 max(1, L_f) + sup of eps_cm times the time + sigma_0, one dimension."""
    found = small(teacher=None, model=lambda x, s: exact_map(LINE)(x, s) + 0.1 * (s > SIGMAS[0]))
    largest = max(x.eps_cm for x in found.levels)
    span = float(time_of(SIGMAS[-1]) - time_of(SIGMAS[0]))
    claimed = max(1.0, max(x.quotient for x in found.levels))
    byhand = claimed * LINE.m2 + largest * span + SIGMAS[0]
    assert found.rungs["a_priori"].estimate == pytest.approx(byhand, rel=0.1)  # the sampled norm of x_0 may be above m2
    assert any("a priori: explicit-training" in x for x in found.notes)


def test_a_missing_boundary_condition_is_named() -> None:
    found = small(model=at_level(0, exact_map(LINE), 0.02))
    assert found.terms["boundary"] == pytest.approx(0.02)
    assert any(x.startswith("boundary") and f"{SIGMAS[0]:g}" in x for x in found.findings)
    assert "a_priori" not in found.rungs
    assert any("no a priori rung" in x for x in found.notes)


def test_a_wrong_noise_scale_between_evaluations_is_named() -> None:
    found = small(times=(3.0, 0.2), renoise=lambda y, tau, z: y + (tau if tau < 1 else math.sqrt(tau**2 - 0.01)) * z)
    assert found.evaluations[1].parts["noising"] < 1e-12
    assert found.evaluations[2].parts["noising"] > 0.001
    assert [x for x in found.findings if x.startswith("noising")] == [
        x for x in found.findings if "evaluation 3 at noise level 0.2" in x
    ][:1]
    assert not any(x.startswith("noising") for x in small(times=(3.0, 0.2)).findings)


def test_whether_another_evaluation_helps_is_read_off_the_distance() -> None:
    """A model that is right at the second noise level alone is helped by it, one that is wrong there is not."""
    f = exact_map(LINE)
    helped = small(model=lambda x, s: f(x, s) + (0.8 if s > 9 else 0.0), times=(3.0,), teacher=None)
    harmed = small(model=lambda x, s: f(x, s) + (0.8 if s < 9 else 0.0), times=(3.0,), teacher=None)
    gain = 0.8 * (1 - math.sqrt(0.81 / 9.8))  # the map at sigma = 3 passes on the rest
    assert any(x.what.startswith("2 evaluations") and x.gain == pytest.approx(gain, abs=0.1) for x in helped.advice)
    assert not any("does not help" in x for x in helped.findings)
    assert any("evaluation 2 at noise level 3 does not help" in x for x in harmed.findings)
    assert not any("not told apart" in x for x in (*helped.notes, *harmed.notes))
    assert not any(x.what.startswith("2 evaluations") for x in harmed.advice)


def test_each_evaluation_is_that_of_its_definition() -> None:
    """The constant model: inherited 0, and the map error is that of the constant; W2 of a constant is known."""
    found = small(model=lambda x, s: 0 * x + 0.5, times=(1.0,))
    second = found.evaluations[1]
    assert second.parts["inherited"] == 0
    assert second.direct.estimate == pytest.approx(math.sqrt(0.8), rel=0.1)
    for x in found.evaluations:
        assert x.distance.lower <= math.sqrt(0.8) <= x.distance.upper


# --- claims --------------------------------------------------------------------------------------------------------------


def test_true_claims_stand_and_false_ones_fall() -> None:
    f = exact_map(LINE)
    true = [math.sqrt((0.8 + 0.01) / (0.8 + s**2)) for s in SIGMAS]
    stands = small(L_f=[x * 1.0001 for x in true], eps_cm=1.0, eps_sc=0.1)
    assert stands.refuted == ()
    assert stands.rungs["local"].trust == "conditional"
    for form in ("text", "markdown", "latex", "json"):  # the page: in test_certify_command
        printed = " ".join(stands.report().render(form).split())
        assert "claimed by the user, tried on 600 paths: not refuted" in printed, form
        assert "no bound rests on it" in printed, form
        assert ("conditional, claimed" in printed) == (form != "json"), form
        assert "claimed by the user and not refuted" in printed, form
        assert "only estimated, from below" not in printed, form
        assert "guaranteed: " not in printed, form
    false = [*true]
    false[3] *= 0.9
    found = small(L_f=false)
    (fallen,) = found.refuted
    assert any(x.endswith("tried on 600 paths: refuted; no number rests on it") for x in found.notes)
    close(found, small(), 0)
    assert (fallen.name, fallen.sigma) == ("L_f", SIGMAS[3])
    again = np.linalg.norm(f(fallen.x[None], SIGMAS[3]) - f(fallen.y[None], SIGMAS[3])) / np.linalg.norm(fallen.x - fallen.y)
    assert fallen.replayed == pytest.approx(again)
    assert again > fallen.claimed


def test_a_claim_at_one_level_that_is_far_below_what_was_measured_falls() -> None:
    """Also with few paths, whose squares are so unequal that a normal approximation says nothing from below."""
    heavy = lambda x, s: denoiser_of(LINE)(x, s) + 0.1 * np.abs(x - 0.5) ** 6  # noqa: E731
    levels = [0.1, 0.5, 2, 10]
    found = small(sigmas=levels, n=60, teacher=heavy, eps_sc=[1e-9, 1e9, 1e9])
    assert [x.name for x in found.refuted] == ["eps_sc"]


@pytest.mark.parametrize("power", [1, 4])
@pytest.mark.parametrize("n", [20, 200])
def test_the_lower_limit_of_a_mean_holds_for_every_law(power: int, n: int) -> None:
    """For few values and heavy tails too; and it is no empty one."""
    rng = np.random.default_rng(0)
    mean = math.factorial(2 * power) / 2**power / math.factorial(power)  # of z^(2 power)
    limits = np.array([lower_root(rng.standard_normal(n) ** (2 * power), 0.2) ** 2 for _ in range(RUNS)])
    assert stats.binom.sf(int((limits > mean).sum()) - 1, RUNS, 0.2) > 1e-4
    assert (limits > 0).all()


def test_false_errors_fall() -> None:
    (score,) = small(teacher=at_level(3, denoiser_of(LINE), 0.3), eps_sc=0.1 / SIGMAS[3] ** 2).refuted
    assert (score.name, score.sigma) == ("eps_sc", SIGMAS[3])
    assert score.found == pytest.approx(0.3 / SIGMAS[3] ** 2, rel=1e-6)
    (consistency,) = small(model=at_level(3, exact_map(LINE), 0.3), teacher=None, eps_cm=0.01).refuted
    assert consistency.name == "eps_cm"
    assert consistency.found > 0.01
    assert consistency.replayed == pytest.approx(consistency.found, rel=0.05)  # on other points, a constant error
    assert score.replayed == pytest.approx(0.3 / SIGMAS[3] ** 2, rel=1e-6)


def test_rounding_refutes_nothing_and_a_replay_must_agree() -> None:
    d = denoiser_of(LINE)
    assert small(eps_sc=0.0).refuted == ()
    assert small(teacher=lambda x, s: d(x, s).astype(np.float32), eps_sc=0.0).refuted == ()
    assert len(small(teacher=lambda x, s: d(x, s) + 1e-4, eps_sc=0.0).refuted) == 1
    asked = []

    def only_in_half(x: Array, s: float) -> Array:
        """Wrong in half precision alone."""
        asked.append(x.dtype)
        return d(x.astype(np.float64), s) + (0.1 if x.dtype == np.float16 else 0.0)

    assert small(teacher=only_in_half, eps_sc=0.01, dtype="float16").refuted == ()
    assert {np.dtype(np.float16), np.dtype(np.float64)} <= set(asked)


def test_a_true_claim_is_hardly_ever_refuted(monkeypatch: pytest.MonkeyPatch) -> None:
    """At most with the stated probability; an attack without its margins would be found out.

    The claim is exactly the error: a teacher off by 0.1 times a normal variable.
    """
    law, d, levels, alpha = WorldLaw(LINE), denoiser_of(LINE), SIGMAS[[0, 3, 6]], 0.2

    def off(x: Array, s: float) -> Array:
        return np.asarray(d(x, s) + 0.1 * (x - LINE.mean) / math.sqrt(0.8 + s**2))

    claims = (("eps_sc", tuple(0.1 / levels[1:] ** 2)),)
    request = Request("m", "d", tuple(levels), "t", n=40, claims=claims)
    teacher = Denoiser(Model(off, 1, "teacher"), "denoiser")
    model = Model(exact_map(LINE), 1, "model")
    setup = Setup(model, teacher, law, levels, SOLVERS["euler"], 2, 1e-5)
    paths = sampled(setup, 40 * RUNS)  # which are independent
    parts = [replace(paths, score_error=x) for x in np.split(paths.score_error, RUNS, axis=1)]
    runs = [(replace(request, seed=seed), replace(setup, seed=seed), x) for seed, x in enumerate(parts)]

    def fallen() -> int:
        return sum(bool(attacked(*run, alpha)) for run in runs)

    assert stats.binom.sf(fallen() - 1, RUNS, alpha) > 1e-4
    monkeypatch.setattr("cmbound.certification.attack.lower_root", lambda values, tail: math.sqrt(values.mean()))
    assert stats.binom.sf(fallen() - 1, RUNS, alpha) < 1e-4


# --- models that do not keep to the protocol, and other bad input --------------------------------------------------------


def model_that(fails: Callable[[Array], Any]) -> Callable[[Array, float], Any]:
    return lambda x, sigma: fails(x)


def _nan(x: Array) -> Array:
    out = x * 0
    out[2] = np.nan
    return out


def _raise(x: Array) -> Array:
    raise RuntimeError("out of\nmemory")


def _in_place(x: Array) -> Array:
    x += 1
    return x


def _end(x: Array) -> Array:
    raise SystemExit(0)


def _no_memory(x: Array) -> Array:
    if len(x) > 100:
        raise MemoryError("no room")
    return x


class Changing:
    """A model that becomes another one after the first checks."""

    def __init__(self) -> None:
        self.rows = 0

    def __call__(self, x: Array, sigma: float) -> Array:
        self.rows += len(x)
        return x if self.rows < 10_000 else 1.5 * x


def only_at(level: int, fails: Callable[[Array], Array]) -> Callable[[Array, float], Array]:
    """A model that fails at one noise level alone."""
    return lambda x, sigma: fails(x) if sigma == SIGMAS[level] else x


RNG = np.random.default_rng(0)
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "shape": ({"model": model_that(lambda x: x[:, :0])}, r"the model at noise level 0\.1 returned shape \(16, 0\)"),
    "type": ({"model": model_that(lambda x: x.astype(str))}, "returned an array of <U32; real numbers"),
    "complex": ({"model": model_that(lambda x: x * 1j)}, "returned an array of complex128"),
    "NaN": ({"model": model_that(_nan)}, r"at noise level 0\.1 returned values that are not finite, first in row 2"),
    "size": ({"model": model_that(lambda x: x * 0 + 1e60)}, r"returned a value of size 1e\+60; at most 1e\+50"),
    "tiny sigma": ({"sigmas": [1e-20, 1]}, r"sigmas must lie in \[1e-12, 1e\+12\]"),
    "exception": ({"model": model_that(_raise)}, r"at noise level 0\.1, rows 0 to 15, failed: RuntimeError: out of memory"),
    "random": ({"model": model_that(lambda x: x + RNG.standard_normal(x.shape))}, "asked twice: it must not be random"),
    "batch": ({"model": model_that(lambda x: x - x.mean(axis=0))}, "must not depend on other rows"),
    "teacher": ({"teacher": model_that(_nan)}, "the teacher at noise level"),
    "no callable": ({"model": 3}, "model is 3; a callable"),
    "no file": ({"model": "nothing.py:f"}, "nothing.py: no such file"),
    "no name": ({"model": "nothing"}, "FILE.py:NAME or FILE.onnx is needed"),
    "class": ({"model": dict}, "model: dict is a class; an instance of it"),
    "arguments": ({"model": lambda x: x}, r"it is called as f\(x, sigma\)"),
    "no onnx": ({"model": "nothing.onnx"}, "nothing.onnx: no such file"),
    "data": ({"data": "points.txt"}, "points.txt: no such file"),
    "data shape": ({"data": np.zeros((0, 2))}, "data is empty"),
    "data NaN": ({"data": np.array([[np.nan]])}, "data has an entry that is not finite"),
    "sigmas": ({"sigmas": [1.0, 0.5]}, "sigmas must be > 0 and increase"),
    "one sigma": ({"sigmas": [1.0]}, "from 2 to"),
    "sigma text": ({"sigmas": "edm"}, "noise levels are needed"),
    "grid": ({"sigmas": cmbound.Grid("uniform", 3)}, "one of listed nodes is needed"),
    "n": ({"n": 3}, "n is 3; it must be >= 20"),
    "n text": ({"n": "many"}, "n is 'many'; an integer is needed"),
    "confidence": ({"confidence": 1}, r"confidence is 1; it must lie in \(0, 1\)"),
    "clip order": ({"clip": (1, -1)}, "clip is 1, -1; the first must be below"),
    "clip of a density": ({"clip": (-9, 9)}, "which no box holds"),
    "clip and data": ({"data": POINTS[:, :1], "clip": (-0.5, 0.5)}, "clipping would move the data"),
    "clip count": ({"clip": (1,)}, "two numbers are needed"),
    "solver": ({"solver": "eulr"}, "did you mean 'euler'"),
    "output": ({"teacher_output": "scores"}, "did you mean 'score'"),
    "clock": ({"clock": "vp"}, "unknown clock 'vp'"),
    "times": ({"times": (20.0,)}, "times has 20; noise levels in"),
    "L_f count": ({"L_f": [1, 2]}, "L_f has 2 numbers; one, or 7, is needed"),
    "L_f": ({"L_f": 0}, "L_f must be > 0"),
    "eps_sc": ({"eps_sc": -1}, "eps_sc must be >= 0"),
    "eps_sc without teacher": ({"eps_sc": 1, "teacher": None}, "there is no teacher"),
    "held out": ({"held_out": 2.0, "data": POINTS}, r"a fraction must lie in \(0, 1\)"),
    "held out of a density": ({"held_out": 0.2}, "no data set"),
    "held out shape": ({"held_out": np.zeros((5, 3))}, r"finite points \(m, 1\)"),
    "batches": ({"batches": 1}, "batches is 1; it must be >= 3"),
    "dtype": ({"dtype": "int8"}, "unknown dtype"),
    "shape of images": ({"shape": (2, 2)}, "has 4 numbers, but a point of the data has 1"),
    "renoise": ({"renoise": 1, "times": (1.0,)}, "renoise is 1; a callable"),
    "renoise shape": ({"renoise": lambda y, tau, z: y[:1], "times": (1.0,)}, r"returned shape \(1, 1\); finite numbers of shape"),
    "tolerance": ({"tolerance": 0}, "tolerance is 0"),
    "seed": ({"seed": -1}, "seed is -1"),
    "workers": ({"workers": 0}, "workers is 0"),
    "end": ({"model": model_that(_end)}, r"the model at noise level 0\.1, rows 0 to 15, tried to end the program"),
    "memory": ({"model": model_that(_no_memory)}, r"at noise level 0\.1, rows 0 to 599, ran out of memory \(no room\): give it"),
    "renoise fails": ({"renoise": lambda y, tau, z: y.nothing, "times": (1.0,)}, "renoise at noise level 1 failed: "),
    "solver fails": ({"solver": lambda f, x, high, low: x.nothing}, "the solver <lambda> from noise level .* failed: Attribute"),
    "solver NaN": ({"solver": lambda f, x, high, low: x * np.nan}, r"returned NaN, first in row 0 \(600 rows\)"),
    "renoise NaN": ({"renoise": lambda y, tau, z: y * np.nan, "times": (1.0,)}, r"renoise at noise level 1 returned NaN, first"),
    "solver infinite": ({"solver": lambda f, x, high, low: x + np.inf}, "returned infinite values, first in row 0"),
    "confidence above": ({"confidence": 1 - 1e-16}, "confidence is 0.9999999999999999; with 6 steps at most 1 - 2.7e-14"),
    "clip beyond": ({"clip": (-1e300, 1e300), "data": POINTS}, r"clip is -1e\+300, 1e\+300; at most 1e\+50"),
    "no shape": ({"shape": ()}, r"shape is \(\); sizes are needed"),
    "population": ({"population": "a"}, "population is 'a'; True or False"),
    "solver without teacher": ({"solver": "heun", "teacher": None}, "solver is 'heun', but there is no teacher"),
    "output without teacher": (
        {"teacher_output": "score", "teacher": None},
        "teacher_output is 'score', but there is no teacher",
    ),
    "renoise without times": ({"renoise": lambda y, tau, z: y}, "renoise is given, but no times"),
    "budget": ({"budget": 0, "batches": None}, "budget is 0; a number of seconds > 0"),
    "budget and batches": ({"budget": 1}, "give either budget or batches"),
    "profile": ({"profile": "nosuch"}, "unknown profile 'nosuch'"),
    "batch in the middle": (
        {"model": only_at(2, lambda x: x - x.mean(axis=0))},
        f"noise level {SIGMAS[2]:g} .*must not depend on other",
    ),
    "large batch": ({"model": model_that(lambda x: x - x.mean(axis=0) * (len(x) > 64))}, "must not depend on other rows"),
    "changing": ({"model": Changing()}, "gives other values when it is asked again at the end: it must not change"),
    "order": ({"model": model_that(lambda x: x + np.arange(len(x))[:, None])}, "nor depend on the order"),
    "seldom random": ({"model": model_that(lambda x: x + (RNG.random(x.shape) < 2e-3))}, "must not be random"),
}


WRONG: tuple[Any, ...] = (
    None, True, "a", 3.5, -1, 0, math.nan, math.inf, 10**30, (), [[1, 2], [3]], {1: 2}, {1}, np.zeros((0, 2)), np.array(1.0),
    np.ma.array([1.0, 2.0], mask=[False, True]), object(), b"x", 1j, np.array(["a"]), iter([1.0]),
)  # fmt: skip
PARAMETERS = [x for x in inspect.signature(cmbound.certify).parameters if x != "model"]


class _Began(Exception):
    """The arguments are accepted."""


def _begun(*_: Any, **__: Any) -> None:
    raise _Began


@pytest.mark.filterwarnings("ignore:Warning. converting a masked element")
@pytest.mark.parametrize("name", PARAMETERS)
def test_whatever_a_parameter_is_given_the_error_names_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cmbound.certification.certify.sampled", _begun)
    given: dict[str, Any] = {"batches": None} if name == "budget" else {}
    if name in ("held_out", "clip"):
        given |= {"data": POINTS, "model": lambda x, s: x, "teacher": lambda x, s: x}
    if name == "renoise":
        given |= {"times": [1.0]}
    refused = 0
    for wrong in WRONG:
        try:
            small(**given, **{name: wrong})
        except _Began:
            continue
        except cmbound.CmboundError as error:
            told, refused = str(error), refused + 1
            assert name in told or (name in ("data", "held_out") and told == "a: no such file"), (wrong, told)
            assert "\n" not in told, wrong
    assert refused >= 5


@pytest.mark.filterwarnings("ignore:Warning. converting a masked element")
@pytest.mark.parametrize(
    ("function", "given"),
    [
        (cmbound.measured_grid, {"data": [[-1.0], [1.0]], "sigma_min": 0.1, "sigma_max": 10, "steps": 2, "n": 20}),
        (cmbound.measured_profile, {"data": [[-1.0], [1.0]], "draws": 20}),
        (cmbound.convert, {"loss": 1e-4, "d": 4, "sigma": 2, "sigma_to": 1, "sigma_min": 0.5, "clock": "ou"}),
        (cmbound.convert, {"rmse": 0.1, "d": 4, "sigma": 2}),
    ],
)
def test_the_same_of_the_functions_beside_it(function: Callable[..., Any], given: dict[str, Any]) -> None:
    for name in inspect.signature(function).parameters:
        refused = 0
        for wrong in WRONG:
            try:
                function(**{**given, name: wrong})
            except cmbound.CmboundError as error:
                told, refused = str(error), refused + 1
                assert name in told or (name, told[:10]) in {("data", "a: no such"), ("sigma_max", "sigmas mus")}
        assert refused >= 5, name


def test_masked_arrays_are_refused_wherever_arrays_are_read() -> None:
    """A mask would be dropped."""
    points = np.ma.array(POINTS, mask=POINTS > 0.9)
    for one in (
        lambda: small(data=points), lambda: small(data=POINTS, held_out=points, model=lambda x, s: x, teacher=None),
        lambda: small(sigmas=np.ma.array([0.1, 1.0, 10.0], mask=[False, True, False])),
        lambda: small(model=lambda x, s: np.ma.array(x)), lambda: small(teacher=lambda x, s: np.ma.array(x)),
        lambda: small(solver=lambda f, x, high, low: np.ma.array(x)),
        lambda: small(renoise=lambda y, tau, z: np.ma.array(y), times=[1.0]),
        lambda: cmbound.measured_grid(points, sigma_min=0.1, sigma_max=10, steps=3),
        lambda: cmbound.measured_profile(points), lambda: cmbound.Atoms(points),
        lambda: cmbound.theorem("explicit-one-step").approximate(preset="gaussian-2d", L_f=np.ma.array([1.0, 2.0])),
        lambda: cmbound.distances.w2_samples(points, POINTS), lambda: cmbound.Gaussian(np.ma.array([0.0]), 1.0),
        lambda: cmbound.sampling.sample(lambda x, t: np.ma.array(x), [1.0], d=1, n=10, seed=0, delta=0.1),
    ):  # fmt: skip
        with pytest.raises(cmbound.InputError, match="masked array; one without a mask is needed"):
            one()


def test_sizes_for_which_there_is_no_memory_are_refused_before_anything_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cmbound.certification.certify.sampled", _begun)
    plane: dict[str, Any] = {"data": POINTS, "model": lambda x, s: x, "teacher": None}
    many: dict[str, Any] = {**plane, "data": np.random.default_rng(0).uniform(-1, 1, (2500, 2))}
    for given, message in (
        (
            {**plane, "distance_batch": 10**7},
            "distance_batch is 10000000: 4 tables of 10000000 x 40 distances take 12.8 GB; at most",
        ),
        ({**many, "distance_batch": 2001}, "distance_batch is 2001; at most 2000 are allowed where points are resampled"),
        ({"distance_batch": 10**8}, "distance_batch is 100000000; at most 10000000 are allowed"),
        ({"n": 10**7, "sigmas": cmbound.Grid.edm(0.1, 10, 40)}, "n is 10000000: 40 steps of that take 24.4 GB; at most"),
        ({"batches": 10**9}, "batches is 1000000000; at most"),
    ):
        with pytest.raises(cmbound.DomainError, match=message):
            small(**given)
    with pytest.raises(_Began):
        small(**plane, distance_batch=2000)
    line = law_of(np.random.default_rng(0).uniform(-1, 1, (50_000, 1)))
    with pytest.raises(cmbound.DomainError, match=r"distance_batch is 20000: 4 tables of 16666 x 16666 .*; at most 6324"):
        checked_size(line, 20_000, True)


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line(case: str) -> None:
    changed, message = BAD[case]
    with pytest.raises(cmbound.CmboundError, match=message) as error:
        small(**changed)
    assert "\n" not in str(error.value)


def test_rounding_is_no_dependence_on_the_batch() -> None:
    """Answers that cancel to rounding differ from batch to batch by as much as they are."""
    x0, z = np.ones((20, 1)), np.random.default_rng(0).standard_normal((20, 1))
    Model(lambda x, s: 0 * x + 1e-16 * len(x), 1, "model").probe(x0, z, [0.1])
    with pytest.raises(cmbound.InputError, match="depend on other rows"):
        Model(lambda x, s: 0 * x + 1e-10 * len(x), 1, "model").probe(x0, z, [0.1])


def _returned(output: str, law: cmbound.Gaussian) -> Callable[[Array, float], Array]:
    """A teacher that returns this, by its definition."""
    d = denoiser_of(law)

    def teacher(x: Array, s: float) -> Array:
        answer = d(x, s)
        noise = (x - answer) / s
        return {
            "denoiser": answer,
            "score": -noise / s,
            "noise": noise,
            "velocity": (noise - s * answer) / math.hypot(1, s),
            "rectified flow": noise - answer,
            "other sign": -noise,
        }[output]

    return teacher


@pytest.mark.parametrize("said", ["denoiser", "score", "noise", "velocity"])
@pytest.mark.parametrize("returned", ["denoiser", "score", "noise", "velocity", "rectified flow", "other sign"])
def test_a_teacher_that_returns_something_else_is_recognised(returned: str, said: str) -> None:
    """Refused by name; what is said rightly is not, and neither is a bad teacher."""
    given: dict[str, Any] = {"data": LAW, "model": exact_map(LAW), "n": 50, "teacher_output": said, **FEW}
    if returned == said:
        small(**given, teacher=_returned(returned, LAW))
        return
    with pytest.raises(cmbound.InputError, match=f"does not look like teacher_output {said}.*read as .*{returned}"):
        small(**given, teacher=_returned(returned, LAW))


OUTPUTS = ("denoiser", "score", "noise", "velocity")


@pytest.mark.parametrize("clock", ["ve", "ou"])
@pytest.mark.parametrize("data", [LAW, POINTS, [[-1.0], [1.0]], 50 * POINTS], ids=["gaussian", "points", "two", "large"])
def test_outputs_are_told_apart_of_teachers_that_are_off_by_some_per_cent(data: Any, clock: str) -> None:
    """In every pair; and a poor teacher that returns what is said is no other one."""
    law, sigmas = law_of(data), [float(x) for x in cmbound.Grid.edm(0.1, 80 if law_of(data).sd2 > 10 else 10, 5).values]

    def asked(output: str, said: str, wrong: Callable[[Array, float], Array]) -> list[str]:
        def teacher(x: Array, t: float) -> Array:
            s = t if clock == "ve" else math.sqrt(math.expm1(2 * t))
            scale = 1.0 if clock == "ve" else math.hypot(1, s)
            answer = wrong(x * scale, s)
            noise = (x * scale - answer) / s
            velocity = (noise - s * answer) / math.hypot(1, s)
            return {"denoiser": answer, "score": -noise / s * scale, "noise": noise, "velocity": velocity}[output]

        made = Model(teacher, law.d, "teacher", clock=clock)
        return unlike(Setup(made, Denoiser(made, said), law, np.array(sigmas), SOLVERS["euler"], 0, 1e-5))

    centred = {f"{a:g} times": lambda x, s, a=a: law.mean + a * (law.denoiser(x, s) - law.mean) for a in (0.0, 0.3, 0.8, 1.1)}
    poor = {
        **centred,
        "shifted": lambda x, s: law.denoiser(x, s) + 0.3 * law.scale,
        "level": lambda x, s: law.denoiser(x, 1.3 * s),
    }
    for output in OUTPUTS:
        for wrong in poor.values():
            asked(output, output, wrong)
        for said in set(OUTPUTS) - {output}:
            with pytest.raises(cmbound.InputError, match=rf"read as {output} by .*; give teacher_output {output}$"):
                asked(output, said, lambda x, s: law.mean + 1.04 * (law.denoiser(x, s) - law.mean))


def test_a_model_of_data_in_other_units_is_given_no_clock() -> None:
    """Data of 0 to 255 and a model of data in [-1, 1]; and data far from 0."""
    unit = lambda x, s: x * math.sqrt(0.31 / (0.3 + s * s))  # noqa: E731
    for data in (np.random.default_rng(0).uniform(0, 255, (60, 4)), POINTS + 20):
        law = law_of(data)
        setup = Setup(Model(unit, law.d, "model"), None, law, SIGMAS, SOLVERS["euler"], 0, 1e-5)
        (told,) = misread(setup, sampled(setup, 40))
        assert re.match(r"the model fits no known way to ask and to read it: its answers at ", told)
        said = f"the data lie in [{data.min():.3g}, {data.max():.3g}], with mean {data.mean():.3g}"
        assert told.endswith(said)


HIDDEN: dict[str, tuple[Callable[[Array, float], tuple[Array, float]], float]] = {
    "in the clock ve": (lambda x, s: (x, s), 1.0),
    "in the clock ou": (lambda x, t: (x * math.exp(t), math.sqrt(math.expm1(2 * t))), math.hypot(1, SIGMAS[0])),
    "at (x/(1 + sigma^2)^{1/2}, sigma)": (lambda x, s: (x * math.hypot(1, s), s), math.hypot(1, SIGMAS[0])),
    "at (x/(1 + sigma), sigma/(1 + sigma))": (lambda x, t: (x / (1 - t), t / (1 - t)), 1 + SIGMAS[0]),
    "at (x, sigma^2)": (lambda x, square: (x, math.sqrt(square)), 1.0),
    "at (x, log(sigma))": (lambda x, log: (x, math.exp(log)), 1.0),
    "at (x, log(sigma)/4)": (lambda x, log: (x, math.exp(4 * log)), 1.0),
}
"""What a model makes of its arguments to find x and sigma, and what its answers must be multiplied by."""


@pytest.mark.parametrize("clock", ["ve", "ou"])
@pytest.mark.parametrize("way", HIDDEN)
def test_a_wrong_clock_is_recognised(way: str, clock: str) -> None:
    """Of a teacher: refused. Of a model: found. Both say how to ask; asked rightly nothing is said."""
    undo, factor = HIDDEN[way]
    given: dict[str, Any] = {"n": 50, "clock": clock, "teacher": None, "batches": 3}
    given["model"] = lambda x, s: exact_map(LINE)(*undo(x, s)) / factor
    told = [x for x in small(**given).findings if "exact consistency function" in x]
    if way == f"in the clock {clock}":
        assert not told
        small(**{**given, "teacher": lambda x, s: denoiser_of(LINE)(*undo(x, s))})
        return
    assert len(told) == 1
    assert f"; asked {way} it is off by " in told[0]
    assert told[0].endswith(f"give clock {way[-2:]}" if "clock" in way else "that asks the model so")
    with pytest.raises(cmbound.InputError, match=f"asked in the clock {clock}: .* asked {re.escape(way)} by "):
        small(**{**given, "teacher": lambda x, s: denoiser_of(LINE)(*undo(x, s))})


def test_a_teacher_that_is_asked_and_read_in_the_wrong_way_is_recognised() -> None:
    noise = _returned("noise", LINE)
    undo, _ = HIDDEN["in the clock ou"]
    with pytest.raises(
        cmbound.InputError, match=r"read as noise and asked in the clock ou .*clock ou, and give teacher_output noise"
    ):
        small(model=exact_map(LINE), n=50, teacher=lambda x, t: noise(*undo(x, t)))


@pytest.mark.parametrize("returned", ["denoiser", "noise"])
def test_a_model_that_returns_something_else_is_recognised(returned: str) -> None:
    f = exact_map(LINE)
    model = {"denoiser": denoiser_of(LINE), "noise": lambda x, s: (x - f(x, s)) / s}[returned]
    said = {"denoiser": "it is no consistency function", "noise": "its answers read as noise, it is off by"}[returned]
    assert sum(said in x for x in small(model=model, n=50, teacher=None).findings) == 1


def test_good_and_bad_models_are_not_taken_for_misread(instance: Certificate) -> None:
    """What is trained on them in their own clock, and what fits in none."""
    assert not any("exact consistency function" in x for x in instance.findings)


@pytest.mark.parametrize("off", [0.0, 0.02, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("clock", ["ve", "ou"])
def test_an_error_is_no_other_clock(off: float, clock: str) -> None:
    """A student and a teacher that are wrong by a factor, by a shift, or at a noise level a third off, but in their clock."""
    undo, factor = HIDDEN[f"in the clock {clock}"]
    f, d = exact_map(LINE), denoiser_of(LINE)
    for shift, scale, level in ((off, 1.0, 1.0), (0.0, 1 - off, 1.0), (0.0, 1.0, 1 + off / 2)):

        def wrong(g: Callable[[Array, float], Array], x: Array, s: float, by: float) -> Array:
            y, sigma = undo(x, s)
            return (scale * g(y, sigma * level) + shift) / by  # noqa: B023

        found = small(
            model=lambda x, s: wrong(f, x, s, factor), teacher=lambda x, s: wrong(d, x, s, 1.0), clock=clock, n=50
        )  # fmt: skip
        assert not any("exact consistency function" in x for x in found.findings), (shift, scale, level)


def test_a_bad_teacher_is_no_other_teacher() -> None:
    assert not any("does not look like" in x for x in small(teacher=lambda x, s: 0 * x, n=50).notes)
    assert any("does not look like a denoiser" in x for x in small(teacher=lambda x, s: 0 * x + 9, n=50).notes)


def test_held_out_points_that_are_not_fresh_are_told() -> None:
    told = "held-out points are points of the data"
    given: dict[str, Any] = {"data": POINTS, "model": lambda x, s: 0 * x, "teacher": None, "n": 50, **FEW}
    assert any(x.startswith(f"40 of 40 {told}") for x in small(**given, held_out=POINTS).notes)
    other = small(**given, held_out=POINTS + 0.01).notes
    assert not any(told in x for x in other)
    assert any("must not be compared" in x for x in other) == (small(**given).baselines.batch != 40)


def test_estimates_that_cross_are_explained() -> None:
    """The ends are estimated on different samples, and either may be the larger."""
    found = small(n=50)
    for ends, told in (((0.2, 0.1), True), ((0.1, 0.2), False)):
        notes = compared(found.baselines, replace(found.distance, estimates=ends), found.rungs["direct"])
        assert any("come from different samples and cross" in x for x in notes) == told


def test_a_direct_rung_below_the_distance_is_explained() -> None:
    found = small(n=50)
    for estimate, told in ((0.15, True), (0.25, False)):
        direct = replace(found.rungs["direct"], estimate=estimate)
        notes = compared(found.baselines, replace(found.distance, estimates=(0.1, 0.2)), direct)
        assert any("the direct rung is below one of the distance" in x for x in notes) == told


def test_the_largest_error_may_be_at_an_end() -> None:
    """A constant has no error of a step, and a horizon that is too short moves all samples."""
    constant = small(model=lambda x, s: 0 * x + 9, teacher=None, n=50)
    assert largest(constant) == (
        f"largest error: boundary, {rounded(constant.terms['boundary'], 3, 'nearest')}, at the lowest noise level 0.1; "
        "those of the steps are 0"
    )
    assert "all errors of the steps are 0" in {x.get_text() for x in levels_figure(constant).axes[0].texts}
    start = small(model=at_level(-1, exact_map(LINE), 1.0), sigmas=SIGMAS, data=LINE, n=50)
    assert largest(start).startswith("largest error of a step: consistency")
    short = small(sigmas=[0.1, 0.3, 0.5], data=cmbound.Gaussian([5.0], 0.8), model=lambda x, s: x, teacher=None, n=50)
    assert largest(short).startswith("largest error: initialisation, ")
    assert "at the largest noise level 0.5; of a step: consistency" in largest(short)
    assert not levels_figure(short).axes[0].texts


def test_a_horizon_too_short_and_a_lowest_level_too_large_are_found() -> None:
    far = small(data=cmbound.Gaussian([12.0], 0.8), model=lambda x, s: x, teacher=None, n=50).findings
    assert any("horizon: the largest noise level 10 is below the size of the data" in x and " = 12.03" in x for x in far)
    late = small(sigmas=[1.0, 3.0, 10.0], model=lambda x, s: x, teacher=None, n=50).findings
    assert any("early stopping: the lowest noise level 1 is large beside the data: it alone makes up 1," in x for x in late)
    for x in (*small(n=50).findings, *plane(n=50).findings):
        assert not x.startswith(("horizon", "early"))


def test_each_evaluation_has_one_upper_end() -> None:
    """The least of the distance's and the direct rung's, in the verdict, the table and the findings alike."""
    found = small(times=(3.0,), model=lambda x, s: exact_map(LINE)(x, s) + (0.8 if s < 9 else 0.0), teacher=None)
    first = found.evaluations[0]
    assert [x.k for x in found.evaluations] == [1, 2]
    below = replace(first, direct=replace(first.direct, upper=0.5 * first.distance.upper))
    one = replace(found, evaluations=(below, *found.evaluations[1:]))
    assert one.upper == below.upper(False) == 0.5 * first.distance.upper
    assert below.upper(True) == first.distance.upper
    assert rounded(one.upper, 4) in evaluations_table(one).rows[0][2].text
    assert f"<= {rounded(one.upper, 4)} (" in one.verdict
    (finding,) = (x for x in found.findings if "does not help: W2 rises" in x)
    assert f"from below {found.upper:.3g} to above" in finding


def test_what_rounds_is_told_with_its_noise_level() -> None:
    f = exact_map(LINE)
    half = small(model=lambda x, s: f(x, s).astype(np.float16), n=50)
    (note,) = (x for x in half.notes if "float16" in x)
    assert re.match(r"the model returns float16: at noise level \S+ answers up to \S+ are rounded by up to 0.00\d+$", note)
    whole = small(model=lambda x, s: np.round(f(x, s)).astype(int), n=50)
    assert any("returns int64: at noise level" in x and x.endswith("rounded by up to 0.5") for x in whole.findings)
    asked = small(dtype="float16", n=50)
    told = [x for x in (*asked.notes, *asked.findings) if "is asked in float16: at noise level 10 x is rounded by" in x]
    assert [x.split()[1] for x in told] == ["model", "teacher"]
    for silent in (small(n=50), small(dtype="float32", n=50)):
        assert not any("rounded by" in x for x in (*silent.notes, *silent.findings))


def test_what_more_paths_would_give() -> None:
    """The number of paths that is said brings the guaranteed end to 1.2 times the asymptotic one."""
    given = INSTANCES["points on the line"]
    few = small(**given, n=200)
    words = re.search(r"with at most about (\S+) paths", effort(few))
    assert words
    many = small(**given, n=int(float(words[1])))
    assert many.rungs["direct"].upper <= 1.2 * few.rungs["direct"].asymptotic
    between = small(**{**given, "n": 800, "batches": 12})
    high = float(re.search(r"give about \[\S+ (\S+)\]", effort(few))[1])  # type: ignore[index]
    assert between.upper <= high * 1.05
    assert "paths" not in effort(small(n=50)).split("give about")[1]


def test_the_confidence_is_printed_as_it_is() -> None:
    assert "confidence 0.9999999999999)" in small(confidence=0.9999999999999, n=50).verdict


def test_the_models_argument_is_its_own() -> None:
    """A model that overwrites its argument is given a copy: it judges as one that does not."""
    close(small(model=lambda x, s: _in_place(x), teacher=None), small(model=lambda x, s: x + 1, teacher=None), 1e-12)


def test_noise_levels_for_each_row() -> None:
    """A model that wants (n,) noise levels is asked so."""
    f = exact_map(LINE)

    def by_row(x: Array, sigma: Any) -> Array:
        return f(x, float(sigma[:, None][0, 0]))

    close(small(model=by_row), small(), 1e-12)


def test_images_are_given_their_shape(tmp_path: Path) -> None:
    points = POINTS.reshape(20, 4)
    seen = set()

    def model(x: Array, sigma: float) -> Array:
        seen.add(x.shape[1:])
        return x * 0.1

    one = small(model=model, data=points.reshape(20, 1, 2, 2), shape=(1, 2, 2), teacher=None, n=50, **FEW)
    assert seen == {(1, 2, 2)}
    close(one, small(model=lambda x, s: x * 0.1, data=points, teacher=None, n=50, **FEW), 1e-12)
    np.save(tmp_path / "images.npy", points.reshape(20, 1, 2, 2))
    close(one, small(model=model, data=str(tmp_path / "images.npy"), shape=(1, 2, 2), teacher=None, n=50, **FEW), 1e-12)


def test_a_python_file_is_run_and_this_is_said(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("def student(x, sigma):\n    return 0.1 * x\n")
    found = small(model=f"{tmp_path}/model.py:student", teacher=None)
    assert any("code of the user's Python file was run" in x for x in found.notes)
    close(found, small(model=lambda x, s: 0.1 * x, teacher=None), 1e-12)
    with pytest.raises(cmbound.InputError, match="has no teacher"):
        small(model=f"{tmp_path}/model.py:teacher")


def test_an_onnx_file(tmp_path: Path) -> None:
    """y = 0.1 x + 0.01 sigma, as a graph in single precision."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    make, kind = onnx.helper, onnx.TensorProto.FLOAT

    def reference(x: Array, sigma: float) -> Array:
        return 0.1 * x + 0.01 * sigma

    for rank in (0, 1, 2):
        shape: tuple[Any, ...] = ((), ("n",), ("n", 1))[rank]
        axes = make.make_tensor("axes", onnx.TensorProto.INT64, [1], [1])
        last = make.make_node("Unsqueeze", ["b", "axes"], ["c"]) if rank == 1 else make.make_node("Identity", ["b"], ["c"])
        nodes = [make.make_node("Mul", ["x", "k"], ["a"]), make.make_node("Mul", ["sigma", "m"], ["b"]), last]
        nodes.append(make.make_node("Add", ["a", "c"], ["y"]))
        ends = [make.make_tensor_value_info("x", kind, ["n", 1]), make.make_tensor_value_info("sigma", kind, shape)]
        constants = [make.make_tensor("k", kind, [], [0.1]), make.make_tensor("m", kind, [], [0.01]), axes]
        graph = make.make_graph(nodes, "g", ends, [make.make_tensor_value_info("y", kind, ["n", 1])], constants)
        opset = [make.make_opsetid("", 13)]
        path = tmp_path / f"{rank}.onnx"
        path.write_bytes(make.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString())
        found = small(model=str(path), teacher=None)
        assert not any("was run" in x for x in found.notes)
        assert any(x.startswith(f"model: {path}: its input x is taken for x and sigma for sigma") for x in found.notes)
        close(found, small(model=reference, teacher=None), 1e-5)
    swapped = small(model=f"{path}:sigma,x,y", teacher=None, n=20)
    close(swapped, small(model=lambda x, s: 0.1 * s + 0.01 * x, teacher=None, n=20), 1e-5)
    with pytest.raises(cmbound.InputError, match="names 1 port"):
        small(model=f"{path}:sigma")
    ends = [make.make_tensor_value_info(*x) for x in (("x", kind, [8, 1]), ("sigma", kind, [8]))]  # a batch of 8, no other
    nodes[2] = make.make_node("Unsqueeze", ["b", "axes"], ["c"])
    graph = make.make_graph(nodes, "g", ends, [make.make_tensor_value_info("y", kind, [8, 1])], constants)
    (tmp_path / "fixed.onnx").write_bytes(make.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString())
    close(small(model=str(tmp_path / "fixed.onnx"), teacher=None, n=60), small(model=reference, teacher=None, n=60), 1e-5)
    (tmp_path / "bad.onnx").write_bytes(b"nothing")
    with pytest.raises(cmbound.InputError, match="is no ONNX model"):
        small(model=str(tmp_path / "bad.onnx"))


def _port(text: str) -> SimpleNamespace:
    """An input or output of an ONNX file, written as ``x:n,2``."""
    name, _, sizes = text.partition(":")
    return SimpleNamespace(name=name, type="tensor(float)", shape=[int(x) if x.isdigit() else x for x in sizes.split(",") if x])


ROLES: dict[str, tuple[str, int, tuple[int, ...] | None, str]] = {
    # inputs, outputs and names; numbers of a point; its shape; what is said
    "shapes": ("bar:n foo:n,2", 2, None, "foo is taken for x and bar for sigma, by their shapes; its output y"),
    "shapes before names": ("x:n sigma:n,2", 2, None, "sigma is taken for x and x for sigma, by their shapes"),
    "a number": ("foo:n,1 bar:", 1, None, "foo is taken for x and bar for sigma, by their shapes"),
    "names": ("noise_level:n,1 latent:n,1", 1, None, "latent is taken for x and noise_level for sigma, by their names"),
    "one name": ("Sigmas:n,1 noise:n,1", 1, None, "noise is taken for x and Sigmas for sigma"),
    "whole words": ("level:n,1 sigma_x:n,1", 1, None, "sigma_x is taken for x and level for sigma"),
    "parts of exporters": ("g/timestep:n,1 g/sample.1:n,1", 1, None, "g/sample.1 is taken for x"),
    "open sizes": ("t:n,k z:n,d", 2, None, "z is taken for x and t for sigma, by their names"),
    "named": ("bar:n,1 foo:n,1 = foo bar", 1, None, "foo is taken for x and bar for sigma, as named"),
    "no shape": ("x: sigma:n", 2, None, "x is taken for x"),
    "images": ("x:n,3,2,2 t:n", 12, None, "a point has the shape 3,2,2, as the file says"),
    "images of open size": ("x:n,c,h,w t:n", 12, (3, 2, 2), "x is taken for x and t for sigma"),
    "an output": ("x:n,2 t:n > aux:n out:n,2", 2, None, "its output out is used"),
    "a named output": ("x:n,2 t:n > z:n,2 out:n,2 = x t z", 2, None, "its output z is used"),
    "open": ("bar:n,1 foo:n,1", 1, None, r"! has the inputs bar \(n, 1\), foo \(n, 1\): either may be x.*FILE.onnx:X,SIGMA"),
    "both x": ("x:n,1 z:n,1", 1, None, "! either may be x"),
    "both sigma": ("t:n,1 sigma:n,1", 1, None, "! either may be x"),
    "no such input": ("x:n,1 t:n,1 = x s", 1, None, "! has the inputs .*, not x and s"),
    "no such output": ("x:n,1 t:n,1 = x t z", 1, None, r"! has the outputs y \(n\), not z"),
    "another size": ("x:n,3 t:n", 2, None, "! none fits points of 2 numbers beside a noise level as the other$"),
    "images without a shape": (
        "x:n,c,h,w t:n",
        12,
        None,
        r"! x \(n, c, h, w\), t .* none fits .*: give shape, the sizes",
    ),
    "images of another shape": ("x:n,3,2,2 t:n", 12, (2, 2, 3), "! none fits points of shape 2,2,3"),
    "two outputs": ("x:n,2 t:n > a:n,2 b:n,2", 2, None, "! several have the shape of x; .*X,SIGMA,OUTPUT"),
    "no output": ("x:n,2 t:n > a:n b:n", 2, None, "! none has the shape of x"),
    "three inputs": ("x:n,2 t:n label:n", 2, None, "! two of real numbers, x and sigma, are needed"),
}


@pytest.mark.parametrize("case", ROLES)
def test_the_inputs_of_an_onnx_file_are_told_apart_or_refused(case: str) -> None:
    text, d, shape, said = ROLES[case]
    ports, _, names = text.partition(" = ")
    inputs, _, outputs = ports.partition(" > ")
    both = [_port(x) for x in inputs.split()], [_port(x) for x in (outputs or "y:n").split()]
    if said.startswith("! "):
        with pytest.raises(cmbound.InputError, match=f"^model: m.onnx .*{said[2:]}"):
            _roles("model: m.onnx", names.split(), both, d, shape)
        return
    assert said in _roles("model: m.onnx", names.split(), both, d, shape).told


def test_a_jax_function() -> None:
    """In single precision, compiled, and returning an array of JAX."""
    jax = pytest.importorskip("jax")
    model = jax.jit(lambda x, sigma: 0.1 * x + 0.01 * sigma)
    close(small(model=model, teacher=None), small(model=lambda x, s: 0.1 * x + 0.01 * s, teacher=None), 1e-5)


@pytest.mark.parametrize("rows", [False, True], ids=["one level", "a level a row"])
@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_a_torch_module(kind: str, rows: bool) -> None:
    """Left in training mode, with weights that want gradients, dropout, and points of shape (1, 2)."""
    torch = pytest.importorskip("torch")

    class Net(torch.nn.Module):  # type: ignore[name-defined, misc]
        def __init__(self, scale: float) -> None:
            super().__init__()
            self.scale = torch.nn.Parameter(torch.tensor(scale, dtype=getattr(torch, kind)))
            self.dropout = torch.nn.Dropout(0.5)

        def forward(self, x: Any, sigma: Any) -> Any:
            assert x.dtype == sigma.dtype == self.scale.dtype
            assert x.shape[1:] == (1, 2)
            level = sigma[:, None, None] if rows else sigma
            return self.dropout(self.scale * x + 0.01 * level)

    given = {**INSTANCES["points in the plane"], **FEW, "n": 100}
    plain = {"model": lambda x, s: 0.1 * x + 0.01 * s, "teacher": lambda x, s: 0.2 * x + 0.01 * s}
    nets = {"model": Net(0.1), "teacher": Net(0.2)}
    assert nets["model"].training
    close(small(**{**given, **nets}, shape=(1, 2)), small(**{**given, **plain}), 1e-4 if kind == "float32" else 1e-9)


def test_what_is_the_users_is_left_as_it_was() -> None:
    """Modes of the parts of a module, also after a failure; NumPy's errors and random numbers; the type PyTorch makes."""
    torch = pytest.importorskip("torch")
    parts = torch.nn.Sequential(torch.nn.Dropout(0.5), torch.nn.Identity(), torch.nn.Dropout(0.5))
    parts[2].eval()

    class Net(torch.nn.Module):  # type: ignore[name-defined, misc]
        def __init__(self, fails: bool) -> None:
            super().__init__()
            self.parts, self.fails = parts, fails

        def forward(self, x: Any, sigma: Any) -> Any:
            if self.fails and sigma > 5:
                raise RuntimeError
            return self.parts(0.1 * x)

    def state() -> Any:
        random = np.random.get_state()  # noqa: NPY002
        return np.geterr(), str(random), torch.get_default_dtype(), torch.get_rng_state().sum(), torch.is_grad_enabled()

    before, modes = state(), [x.training for x in parts.modules()]
    for fails in (False, True):
        net = Net(fails)
        if fails:
            with pytest.raises(cmbound.InputError, match="the model at noise level"):
                small(model=net, teacher=None, n=50)
        else:
            small(model=net, teacher=None, n=50)
        assert net.training
        assert [x.training for x in parts.modules()] == modes == [True, True, True, False]
    assert state() == before


def test_a_function_of_torch() -> None:
    """It makes tensors of arrays itself; what is random in it is found out, and a tensor with a gradient is refused."""
    torch = pytest.importorskip("torch")
    dropout, weight = torch.nn.Dropout(0.1), torch.tensor(0.1, dtype=torch.float64, requires_grad=True)
    close(
        small(model=lambda x, s: (weight * torch.as_tensor(x) + 0.01 * s).detach(), teacher=None),
        small(model=lambda x, s: 0.1 * x + 0.01 * s, teacher=None),
        1e-9,
    )
    with pytest.raises(cmbound.InputError, match="must not be random"):
        small(model=lambda x, s: dropout(0.1 * torch.as_tensor(x)), teacher=None)
    with pytest.raises(cmbound.InputError, match="requires grad"):
        small(model=lambda x, s: weight * torch.as_tensor(x), teacher=None)


@pytest.mark.parametrize("point", [0.0, 3.0])
def test_data_that_are_one_point(point: float) -> None:
    """Every number can be had, and the constant is perfect."""
    data = np.full((5, 2), point)
    found = small(data=data, model=lambda x, s: 0 * x + point, teacher=lambda x, s: 0 * x + point, n=50)
    assert found.distance.upper < 1e-6
    assert found.rungs["direct"].estimate == pytest.approx(found.ode_error, abs=1e-12)
    assert found.baselines.constant == pytest.approx(0, abs=1e-12)
    for form in cmbound.names.FORMATS:
        assert "nan" not in found.report().render(form).lower().replace("dominan", "")


def test_held_out_data_are_kept_apart() -> None:
    given = {**INSTANCES["points in the plane"], **FEW, "held_out": 0.25}
    found = small(**given)
    assert found.law == "30 points in d = 2"
    assert found.baselines.held_out_batch == 10
    assert found.baselines.held_out is not None
    assert found.baselines.held_out > 0
    assert found.baselines.constant == pytest.approx(found.baselines.zero, rel=0.2)


def test_the_conclusion_follows_from_the_numbers() -> None:
    good, bad = small(), small(model=lambda x, s: 0 * x + 9)
    assert "better than the best constant" in good.verdict
    assert "worse than the best constant" in bad.verdict
    assert good.upper <= min(good.distance.upper, good.rungs["direct"].upper)
    unsure = replace(good, baselines=replace(good.baselines, constant=good.upper * 0.9))
    assert "not told apart" in unsure.verdict
