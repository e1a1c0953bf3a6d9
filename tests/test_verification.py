"""Verification: exact Gaussian instances against other routes, verdicts, campaigns, the search, planted mistakes."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import count, islice, product, tee
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import sympy

import cmbound
from cmbound import names, sampling
from cmbound.arithmetic.backend import Floats
from cmbound.catalogue import catalogue
from cmbound.distances import coupling_w2, gaussian_tv_1d, gaussian_w2
from cmbound.errors import CmboundError, DomainError, InputError, UnknownNameError
from cmbound.evaluation.nodes import nodes as engine_nodes
from cmbound.evaluation.point import evaluate_setting, float_terms
from cmbound.evaluation.setting import Setting, _resolved, resolve
from cmbound.theory.functions import c, g, s
from cmbound.theory.named import elementary
from cmbound.theory.notation import L_f, d, eps_sc, h, m2, t
from cmbound.theory.records import Term, Theorem
from cmbound.verification import campaign, falsify as search, gaussian, mixture
from cmbound.verification.affine import Affine, Law, underdamped
from cmbound.verification.campaign import check, check_report, draw, judge, replay, run
from cmbound.verification.experiments import EXPERIMENTS
from cmbound.verification.falsify import falsify
from cmbound.verification.implied import claims_more, implied
from cmbound.verification.instances import Instance, Outcome, Recipe, SkippedError, Truth
from cmbound.verification.laboratories import LABORATORIES, build, draw_choices
from cmbound.verification.line import quadrature
from cmbound.verification.mutations import weakened
from cmbound.verification.orders import at_least
from cmbound.verification.planted import PlantedReport, Verdict, explicit_ids, planted, recheck
from cmbound.verification.plants import Component, RulePut, components, plants
from cmbound.verification.runner import runner
from cmbound.verification.settings import OFF, grid_nodes
from cmbound.worlds.process import noise, noise_level, signal
from tests.latex import compiled, missing_tex

Array = npt.NDArray[np.float64]
EXPLICIT = [x.id for x in catalogue if x.kind == "explicit" and x.reference.key == "cmbound"]
ORDER = [x.id for x in catalogue if x.kind == "order" and x.reference.key == "lyu2023"]
WORLDS = ("gaussian", "mixture", "atoms")
PLANTED = Path(__file__).parent.parent / "paper_tables" / "planted.json"


def recipe(id: str = "explicit-one-step", world: str = "gaussian", number: int = 0, **changes: Any) -> Recipe:
    """A recipe of the campaign with seed 7, some choices and knobs changed."""
    found = draw(cmbound.theorem(id), world, 7, number)
    if "measure" in found.choices:  # the sum of local errors, which has no student: :mod:`tests.test_local_errors`
        return recipe(id, world, number + 1000, **changes)
    choices = {name: x for name, x in changes.items() if not name.startswith("log_")}
    knobs = {name: x for name, x in changes.items() if name.startswith("log_")}
    return replace(found, choices={**found.choices, **choices}, knobs={**found.knobs, **knobs})


def halved(theorem: Theorem, name: str) -> Theorem:
    """The statement with one term halved."""
    terms = tuple(Term(x.name, x.expression / 2 if x.name == name else x.expression) for x in theorem.bare_sources)
    return replace(theorem, sources=terms)


# --- affine pipelines against sampling and straight-line code --------------------------------------------------------


@pytest.mark.parametrize("teacher", ["exponential-integrator", "ddim"])
@pytest.mark.parametrize("student", ["composed", "exact", "random"])
def test_measured_constants_agree_with_samples(teacher: str, student: str) -> None:
    made = recipe(
        d=3, shape="full", null=0, teacher=teacher, student=student, grid="geometric", N=4, aligned=False,
        log_variance=0.0, log_spread=1.0, log_mean=0.0, log_delta=-1.0, log_span=0.0,
        log_score=-0.5, log_linear=-0.5, log_drift=-0.3, log_noise=-1.0,
    )  # fmt: skip
    pipe = gaussian.pipeline(made)
    rng, n, step = np.random.default_rng(1), 100_000, 2
    high, low = float(pipe.nodes[step + 1]), float(pipe.nodes[step])
    x_0 = rng.multivariate_normal(pipe.world.mean, pipe.world.covariance, n)
    x = np.exp(-high) * x_0 + np.sqrt(1 - np.exp(-2 * high)) * rng.standard_normal((n, 3))
    score = pipe.score[step + 1].apply(x)
    if teacher == "ddim":
        lam = np.sqrt(np.expm1(2 * pipe.nodes))
        xhat = np.exp(-low) * (x * np.exp(high) + (lam[step + 1] - lam[step]) * np.sqrt(1 - np.exp(-2 * high)) * score)
    else:
        xhat = np.exp(high - low) * x + np.expm1(high - low) * score

    def rms(y: Array) -> float:
        return float(np.sqrt(np.mean(np.sum(y**2, axis=1))))

    f_high, f_low = pipe.student[step + 1], pipe.student[step]
    assert rms(score - pipe.world.score(x, high)) == pytest.approx(pipe.score_error[step + 1], rel=0.01)
    assert rms(f_high.apply(x) - f_low.apply(xhat)) / (high - low) == pytest.approx(pipe.consistency_error[step], rel=0.01)
    on_path = f_low.apply(pipe.world.flow(x, high, low))
    assert rms(f_high.apply(x) - on_path) / (high - low) == pytest.approx(pipe.trajectory_error[step], rel=0.01)
    assert rms(f_high.apply(x) - pipe.world.consistency(x, high, pipe.nodes[0])) == pytest.approx(
        pipe.map_error(step + 1), rel=0.01
    )
    assert pipe.score_error[step + 1] == pytest.approx(np.hypot(10**-0.5, 10**-0.5), rel=1e-10)
    if student == "composed":
        assert pipe.consistency_error == pytest.approx(np.full(4, 10**-0.3), rel=1e-9)
    pairs = rng.standard_normal((1000, 2, 3))
    slopes = np.linalg.norm(f_high.apply(pairs[:, 0]) - f_high.apply(pairs[:, 1]), axis=1)
    ratio = np.max(slopes / np.linalg.norm(pairs[:, 0] - pairs[:, 1], axis=1))
    assert 0.9 * pipe.lipschitz[step] < ratio <= pipe.lipschitz[step] * (1 + 1e-12)


def test_one_step_error_by_hand_on_the_line() -> None:
    made = recipe(
        d=1, shape="diagonal", null=0, student="composed", teacher="exponential-integrator", grid="uniform", N=1,
        constants="lists", profile="universal", start="standard", to="p_data", clock="ou", score_sign=1, drift_sign=1,
        log_variance=0.5, log_mean=0.2, log_delta=-1.0, log_span=0.0,
        log_score=-1.0, log_linear=OFF, log_drift=-1.0, log_noise=OFF,
    )  # fmt: skip
    pipe = gaussian.pipeline(made)
    low, high = 0.1, 1.1
    mean, variance = float(pipe.world.mean[0]), 10**0.5
    v = np.exp(-2 * high) * variance + 1 - np.exp(-2 * high)
    assert abs(mean) == pytest.approx(10**0.2)
    slope = np.e - (np.e - 1) / v
    push = float(pipe.score[1].shift[0] - np.exp(-high) * mean / v)
    assert abs(push) == pytest.approx(0.1)
    drift = float(pipe.student.shift[1, 0] - (np.e - 1) * pipe.score[1].shift[0])
    assert abs(drift) == pytest.approx(0.1)
    shift = (np.e - 1) * (np.exp(-high) * mean / v + push) + drift
    instance = build(made, cmbound.theorem("explicit-one-step"))
    assert instance.truth.value == pytest.approx(np.hypot(shift - mean, abs(slope) - np.sqrt(variance)), rel=1e-12)
    assert instance.params["L_f"] == pytest.approx([abs(slope)])
    assert instance.params["eps_sc"] == pytest.approx([0.1])
    assert instance.params["eps_cm"] == pytest.approx([0.1])
    assert instance.params["grid"] == pytest.approx([low, high])


def test_multistep_law_is_the_moment_recursion() -> None:
    made = recipe("explicit-multistep", d=3, shape="full", student="random", N=5, log_noise=-0.5, start="matched", log_span=0.3)
    pipe = gaussian.pipeline(made)
    law = pipe.again(pipe.again(pipe.first("matched"), 3), 2)
    F = pipe.student
    variance = 1 - np.exp(-2 * pipe.nodes[-1])
    mean, covariance = F.shift[-1], variance * F.matrix[-1] @ F.matrix[-1].T
    for n in (3, 2):
        keep = np.exp(-(pipe.nodes[n] - pipe.nodes[0]))
        inner = keep**2 * covariance + (1 - keep**2) * np.eye(3)
        mean, covariance = F.matrix[n] @ (keep * mean) + F.shift[n], F.matrix[n] @ inner @ F.matrix[n].T
    assert law.mean == pytest.approx(mean)
    assert law.factor @ law.factor.T == pytest.approx(covariance)


def test_underdamped_law_is_that_of_the_sampler() -> None:
    rng = np.random.default_rng(3)
    score = Affine(np.array([[-2.0, 0.3], [0.3, -1.0]]), np.array([0.5, -0.2]))
    law = Law(np.array([1.0, -1.0]), np.array([[0.5, 0.0], [0.2, 0.3]]))
    out = underdamped(law, score, friction=1.5, step=0.2, steps=4)
    n = 200_000
    x = law.mean + rng.standard_normal((n, 2)) @ law.factor.T
    y = sampling.underdamped(x, lambda z: score.apply(z), 1.5, 0.2, 4, rng)
    covariance = out.factor @ out.factor.T
    assert np.abs(y.mean(axis=0) - out.mean).max() < 5 * np.sqrt(covariance.max() / n)
    assert np.abs(np.cov(y, rowvar=False) - covariance).max() < 5 * covariance.max() * np.sqrt(2 / n)


@pytest.mark.parametrize("kind", ["uniform", "geometric", "edm", "two-stage"])
def test_grids_of_instances_are_those_of_the_package(kind: str) -> None:
    choices, knobs = {"grid": kind, "N": 9}, {"log_delta": -2.0, "log_span": 0.4}
    ours = grid_nodes(choices, knobs)
    low, high = 10**-2.0, 10**-2.0 + 10**0.4
    size = {"h": (high - low) / 9} if kind == "two-stage" else {"N": 9}
    setting = resolve(
        cmbound.theorem("explicit-one-step"),
        {"delta": low, "T": high, "eps_sc": 0, "eps_cm": 0, "L_f": 1, "d": 1, "m2": 1, "grid": kind, **size},
    )
    assert ours == pytest.approx(engine_nodes(setting, Floats()), rel=1e-12)


# --- mixtures -------------------------------------------------------------------------------------------------------


def test_quadrature_agrees_with_samples() -> None:
    made = recipe(
        "explicit-multistep", "mixture", d=1, components=3, symmetric=False, widths="common", teacher="ddim", grid="geometric",
        N=8, to="p_delta", clock="ou", start="standard", times=[0.6], constants="lists", profile="auto",
        log_radius=0.3, log_tau=-0.5, log_delta=-1.5, log_span=0.3, log_score=-1.0, log_drift=-1.0,
    )  # fmt: skip
    instance = build(made, cmbound.theorem("explicit-multistep"))
    run_ = runner(made)
    rng, n = np.random.default_rng(0), 200_000
    x = run_.student(rng.standard_normal((n, 1)), 8)
    index = round(0.6 * 8)
    gap = run_.nodes[index] - run_.nodes[0]
    x = run_.student(np.exp(-gap) * x + np.sqrt(1 - np.exp(-2 * gap)) * rng.standard_normal((n, 1)), index)
    truth = np.sort(run_.world.sample(n, float(run_.nodes[0]), seed=5)[:, 0])
    sampled = float(np.sqrt(np.mean((np.sort(x[:, 0]) - truth) ** 2)))
    assert instance.truth.value == pytest.approx(sampled, abs=0.01)
    assert instance.truth.upper - instance.truth.lower < 0.01


def test_step_products_are_lipschitz_constants() -> None:
    for number in range(40):
        made = recipe("explicit-map-error", "mixture", number, d=1, widths="common", log_tau=-0.3, N=5)
        run_ = runner(made)
        assert run_.world.smoothing is not None
        steep = run_.steepest(*run_.world.smoothing)
        x = np.linspace(-5, 5, 2001)[:, None] * (1 + run_.world.sd2)
        count = len(run_.nodes) - 1
        values, slopes = run_.slopes(np.repeat(x.T, count, axis=0))
        found = run_.steepest_found(np.repeat(x.T, count, axis=0))
        for n in range(1, count + 1):
            assert np.max(np.abs(slopes[n - 1])) <= found[n - 1] <= steep[n - 1] * (1 + 1e-9)
            i = 1000
            rise = (run_.student(x[i] + 1e-6, n) - run_.student(x[i] - 1e-6, n))[0] / 2e-6
            assert rise == pytest.approx(slopes[n - 1, i], rel=1e-4, abs=1e-6)
            assert run_.student(x[i], n)[0] == pytest.approx(values[n - 1, i])


def test_several_dimensions_measure_what_they_say() -> None:
    made = recipe("explicit-map-error", "atoms", d=2, components=3, N=3, at=1.0, clock="ou", constants="lists", profile="auto",
                  teacher="ddim", log_radius=0.2, log_delta=-1.0, log_span=0.2, log_score=-1.0, log_drift=-1.0)  # fmt: skip
    instance = build(made, cmbound.theorem("explicit-map-error"))
    run_ = runner(made)
    x = run_.world.sample(4000, float(run_.nodes[-1]), seed=11)
    gap = run_.student(x, 3) - run_.world.consistency(x, run_.nodes[-1], run_.nodes[0])
    again = float(np.sqrt(np.mean(np.sum(gap**2, axis=1))))
    assert instance.truth.lower < again < instance.truth.upper
    assert instance.params["eps_sc"] == pytest.approx([0.1] * 3)
    assert instance.generous is not None
    assert all(x >= y for x, y in zip(instance.generous["L_f"], instance.params["L_f"], strict=True))


def test_sampled_distances_by_hand() -> None:
    """The interval is the coupling's at four standard errors, and from below the moments' less four of their own."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((500, 2))
    y = 1.5 * x + [3.0, 0.0]
    found, plain = mixture.distance(x, y, coupled=True), mixture.distance(x, y)
    interval = coupling_w2(x, y, level=0.99994)
    rounding = 1e-13 * math.sqrt(np.mean(np.sum(y**2, axis=1)))
    assert (plain.value, plain.trust, plain.exact) == (interval.value, "asymptotic", False)
    assert (plain.lower, plain.upper) == pytest.approx((interval.lower - rounding, interval.upper + rounding), rel=1e-15)
    moments = [(z.mean(axis=0), np.cov(z.T)) for z in (x, y)]
    spread = math.sqrt(sum(np.trace(C) * 499 / 500 for _, C in moments))
    below = gaussian_w2(*moments[0], *moments[1]) - 4 * spread * math.sqrt(2 / 500)
    assert found.lower == pytest.approx(below - rounding, rel=1e-12)
    assert 0 < found.lower < found.value == plain.value < found.upper == plain.upper
    assert mixture.distance(x, x, coupled=True).lower == 0


def test_a_few_large_errors_make_the_interval_wide_below() -> None:
    """One row in 500 makes the error: four standard errors reach far below it."""
    gap = np.zeros((500, 2))
    gap[7] = [30.0, 40.0]
    found = mixture.distance(gap, np.zeros((500, 2)))
    assert found.value == pytest.approx(50 / math.sqrt(500))
    assert found.lower == 0
    assert found.upper > 2 * found.value


def test_truths_say_how_they_are_known() -> None:
    assert [Truth(1.0, 1.0, 1.0, *x).trust for x in ((True,), (False,), (False, True))] == ["exact", "approximate", "asymptotic"]
    sizes = {"gaussian": "exact", "mixture": "approximate"}
    for world, trust in sizes.items():
        drawn = (judge(draw(cmbound.theorem("explicit-map-error"), world, 0, n)) for n in range(20))
        outcome = next(x for x in drawn if x.status == "passed")
        assert outcome.trust == outcome.to_dict()["trust"] == trust


def test_sampled_verdicts_are_counted_and_said() -> None:
    report = check("explicit-map-error", instances=16, world="mixture")
    assert 0 < report.sampled < report.instances - report.skipped
    assert report.to_dict()["sampled"] == report.sampled
    said = f"{report.sampled} of the truths are sampled: those verdicts are at asymptotic 99.994% intervals"
    assert said in report.text(100)
    exact = check("explicit-map-error", instances=3, world="gaussian")
    assert exact.sampled == 0
    assert "asymptotic" not in exact.text()


@pytest.mark.parametrize("scale", [1e-250, 1e-160, 1e160, 1e250])
def test_errors_of_affine_maps_and_of_quadratures_scale(scale: float) -> None:
    rng = np.random.default_rng(1)
    matrix, shift, mean, factor = rng.standard_normal((3, 3)), *rng.standard_normal((2, 3)), rng.standard_normal((3, 3))
    one = Affine(matrix, shift).rms(mean, factor)
    assert Affine(scale * matrix, scale * shift).rms(mean, factor) == pytest.approx(scale * one, rel=1e-14)
    assert Law(scale * mean, scale * factor).size == pytest.approx(scale * Law(mean, factor).size, rel=1e-14)
    z = np.linspace(-8, 8, 1001)
    assert quadrature(scale * z, 0 * z, z).value == pytest.approx(scale, rel=1e-6)


@pytest.mark.parametrize("target", ["p_data", "p_delta"])
def test_total_variation_after_one_step_of_the_corrector_on_the_line(target: str) -> None:
    """With one component every law is normal: the closed form, from the exact law of the corrector of the Gaussian world."""
    statement = cmbound.theorem("explicit-tv-underdamped")
    made = recipe(
        statement.id, "mixture", d=1, components=1, widths="common", N=3, grid="geometric", constants="single", to=target,
        profile="universal", teacher="ddim", start="matched", corrector_steps=1, score_sign=1, drift_sign=1,
        log_mean=0.0, log_tau=-0.2, log_delta=-1.0, log_span=0.2, log_score=-0.5, log_drift=-0.5, log_gamma=0.5, log_tau_c=-0.3,
    )  # fmt: skip
    instance, run_ = build(made, statement), runner(made)
    low, high = float(run_.nodes[0]), float(run_.nodes[-1])
    ends = run_.student(np.array([[0.0], [1.0]]), 3)[:, 0]
    law = Law(ends[:1], np.array([[(ends[1] - ends[0]) * np.sqrt(1 - np.exp(-2 * high))]]))
    mean, variance = float(run_.world.mean[0]), 10**-0.4
    v = np.exp(-2 * low) * variance + 1 - np.exp(-2 * low)
    score = Affine(np.array([[-1 / v]]), np.array([np.exp(-low) * mean / v + run_.offset[0]]))
    out = underdamped(law, score, friction=10**0.5, step=10**-0.3, steps=1)
    keep, spread = (1.0, variance) if target == "p_data" else (np.exp(-low), v)
    exact = gaussian_tv_1d(float(out.mean[0]), abs(float(out.factor[0, 0])), keep * mean, float(np.sqrt(spread)))
    assert 0.05 < exact < 0.9
    assert instance.truth.lower <= exact <= instance.truth.upper
    assert instance.truth.upper - instance.truth.lower < 1e-4  # the integrand has kinks
    expected = {"gamma": 10**0.5, "tau_c": 10**-0.3, "eta": 10**-0.3, "L_phi": 10**0.4, "eps_sc": abs(run_.offset[0])}
    assert {name: instance.params[name] for name in expected} == pytest.approx(expected)
    with pytest.raises(SkippedError, match="several steps of the corrector"):
        build(replace(made, choices={**made.choices, "corrector_steps": 3}), statement)


# --- verdicts -------------------------------------------------------------------------------------------------------


NOT_SMOOTH = "the score of this law has no Lipschitz constant on [0, T] (Assumption 2)"
WITHOUT_INSTANCES = {
    ("explicit-tv-early-stopping", "atoms"): NOT_SMOOTH,
    ("explicit-tv-smoothing", "atoms"): NOT_SMOOTH,
    ("explicit-tv-underdamped", "atoms"): NOT_SMOOTH,
}
"""Scores that are Lipschitz from time 0 on need a density."""


@pytest.mark.parametrize(("id", "world"), [x for x in product(EXPLICIT, WORLDS) if x not in WITHOUT_INSTANCES])
def test_no_violation(id: str, world: str) -> None:
    number = 60 if world == "gaussian" else 12
    report = check(id, instances=number, world=world, seed=3)
    assert report.violations == 0, report.worst
    assert report.passed + report.violations + report.undecided + report.skipped == report.instances == number
    assert report.skipped < number
    assert sum(report.reasons.values()) == report.undecided + report.skipped
    assert report.max_ratio is not None
    assert 0 < report.max_ratio < 1.001


@pytest.mark.parametrize(("id", "world"), WITHOUT_INSTANCES)
def test_statements_without_instances_in_a_world_say_why(id: str, world: str) -> None:
    report = check(id, instances=5, world=world, seed=3)
    assert (report.skipped, report.instances) == (5, 5)
    assert report.reasons == {WITHOUT_INSTANCES[id, world]: 5}
    assert (report.max_ratio, report.median_ratio, report.worst) == (None, None, None)


@pytest.mark.parametrize(
    ("id", "term"),
    [
        ("explicit-map-error", "consistency"),
        ("explicit-map-error", "score"),
        ("explicit-one-step", "initialisation"),
        ("explicit-one-step", "early_stopping"),
        ("explicit-training", "consistency"),
    ],
)
def test_a_halved_term_is_a_violation(id: str, term: str) -> None:
    wrong = halved(cmbound.theorem(id), term)
    outcomes = (judge(draw(wrong, "gaussian", 0, n), wrong) for n in range(250))
    violations = list(islice((x for x in outcomes if x.status == "violation"), 4))
    assert len(violations) == 4
    assert all(x.ratio is not None and x.ratio > 1 for x in violations)
    right = [judge(x.recipe) for x in violations]
    assert all(x.status in ("passed", "undecided") for x in right)
    assert all(x.needed(term) > 0.5 for x in right)


def test_truth_equal_to_the_bound_is_undecided_never_passed() -> None:
    made = recipe("explicit-score-lipschitz", shape="isotropic", d=2, log_variance=-1.0)
    outcome = judge(made)
    assert outcome.status == "undecided"
    assert outcome.ratio == pytest.approx(1)
    assert outcome.reason.startswith("attained")


def judged_as(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> Outcome:
    """The verdict on an instance as it is, whatever its recipe says."""
    monkeypatch.setattr(campaign, "build", lambda recipe, theorem: instance)
    return judge(instance.recipe)


def test_a_measured_constant_cannot_convict(monkeypatch: pytest.MonkeyPatch) -> None:
    made = recipe("explicit-map-error", "mixture", d=1, constants="lists", profile="auto", widths="common", log_tau=-0.3,
                  log_span=0.0, at=1.0)  # fmt: skip
    statement = cmbound.theorem("explicit-map-error")
    instance = build(made, statement)
    above = replace(instance, truth=Truth(1e3, 1e3, 1e3, exact=False), generous={**instance.params, "eps_cm": 10**6})
    outcome = judged_as(above, monkeypatch)
    assert outcome.status == "undecided"
    assert "measured constants only" in outcome.reason
    assert judged_as(replace(above, generous=None), monkeypatch).status == "violation"


def test_nothing_is_at_most_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A truth of 0 passes a bound of 0; one above it does not, and its ratio is infinite."""
    params = {"L_f": 1, "eps_cm": 0, "d": 2, "m2": 0, "delta": "0.1", "T": 2, "start": "matched", "to": "p_delta"}
    made = recipe("explicit-training")
    for truth, status, ratio in ((0.0, "passed", 0.0), (0.5, "violation", float("inf"))):
        outcome = judged_as(Instance(made, params, Truth(truth, truth, truth)), monkeypatch)
        assert (outcome.status, outcome.bound, outcome.ratio) == (status, 0.0, ratio)


def test_verdicts_at_the_ends_of_the_interval_of_the_truth(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passed: the whole interval is below. Undecided: attained or too wide. A violation: the whole interval is above."""
    made = recipe()
    bound = judge(made).bound
    assert bound is not None
    instance = build(made, cmbound.theorem(made.theorem))
    for (value, lower, upper, exact), status, reason in (
        ((0.8, 0.7, 1.0, True), "passed", ""),
        ((0.8, 0.7, 1.1, True), "undecided", campaign.ATTAINED),
        ((1.0, 0.7, 1.1, False), "undecided", campaign.ATTAINED),
        ((1.05, 0.7, 1.1, False), "undecided", campaign.WIDE),
        ((1.05, 1.0, 1.1, True), "undecided", campaign.ATTAINED),
        ((1.05, 1.01, 1.1, False), "violation", ""),
    ):
        truth = Truth(bound * value, bound * lower, bound * upper, exact)
        outcome = judged_as(replace(instance, truth=truth), monkeypatch)
        assert (outcome.status, outcome.reason) == (status, reason), (value, lower, upper)
        assert outcome.ratio == pytest.approx(value)


def test_an_undecided_instance_scores_at_most_1() -> None:
    outcome = Outcome(recipe(), "undecided", truth=1.2, bound=1.0, ratio=1.2, terms={"x": 0.1, "y": 0.9})
    assert search.score(outcome, "total") == search.score(outcome, "x") == 1
    passed = replace(outcome, status="passed", truth=0.5, ratio=0.5)
    assert search.score(passed, "total") == 0.5
    assert search.score(passed, "x") == pytest.approx(-4)
    assert search.score(replace(passed, terms={"x": 0.0}), "x") == search.SKIPPED / 2
    assert search.score(replace(passed, ratio=None), "x") == search.SKIPPED


def test_needed_is_the_smallest_factor_of_a_term() -> None:
    made = recipe()
    outcome = Outcome(made, "passed", truth=3.0, bound=4.0, ratio=0.75, terms={"x": 2.0, "y": 2.0, "z": 0.0})
    assert outcome.needed("x") == 0.5
    assert outcome.needed("z") == 0
    assert replace(outcome, truth=1.0).needed("x") == 0
    assert replace(outcome, truth=None).needed("x") == 0


def test_skipped_instances_say_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a law does not have is told before anything is measured."""
    made = recipe("explicit-map-error", d=2, shape="full", profile="atoms", teacher="ddim", constants="lists", null=0)
    monkeypatch.setattr(gaussian, "_pipeline", None)
    outcome = judge(made)
    assert outcome.status == "skipped"
    assert "atoms" in outcome.reason
    assert outcome.ratio is None
    with pytest.raises(SkippedError):
        build(made, cmbound.theorem("explicit-map-error"))


def test_a_step_size_has_no_hidden_constant() -> None:
    begin = time.perf_counter()
    report = check("lyu2023-cor8", instances=60, seed=1)
    assert 0 < report.seconds <= time.perf_counter() - begin
    assert report.skipped == 60
    assert report.hidden_constant is None
    assert report.reasons == {"lyu2023-cor8 states a step size, not a bound on an error": 60}


@pytest.mark.parametrize("id", [x for x in ORDER if x != "lyu2023-cor8"])
def test_order_forms_give_a_hidden_constant(id: str) -> None:
    report = check(id, instances=30, seed=28)  # in every world; cor6 needs C > 1
    assert report.violations == report.undecided == 0
    assert report.hidden_constant is not None
    worst = report.worst
    assert worst is not None
    assert worst.truth is not None
    C = report.hidden_constant
    at = cmbound.theorem(id).approximate(**{**worst.params, "C": C}).total
    assert float(at) == pytest.approx(worst.truth, rel=1e-9)


# --- campaigns ------------------------------------------------------------------------------------------------------


def test_a_campaign_does_not_depend_on_jobs_and_can_be_replayed(tmp_path: Path) -> None:
    alone = check("explicit-one-step", instances=30, seed=5)
    two = check("explicit-one-step", instances=30, seed=5, jobs=2)
    first, second = alone.to_dict(), two.to_dict()
    first.pop("seconds"), second.pop("seconds")
    assert first == second
    assert check("explicit-one-step", instances=30, seed=6).to_dict()["max_ratio"] != alone.max_ratio
    path = tmp_path / "report.json"
    path.write_text(json.dumps(alone.to_dict()))
    again = replay(json.loads(path.read_text()))
    assert alone.worst is not None
    assert again.to_dict() == alone.worst.to_dict()
    assert replay(json.loads(json.dumps(alone.worst.recipe.to_dict()))).ratio == again.ratio


def test_progress_counts_every_instance() -> None:
    seen: list[int] = []
    list(run("explicit-training", instances=30, world="gaussian", progress=seen.append))
    assert sum(seen) == 30


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        ({"id": "explicit-one-stpe"}, UnknownNameError, "explicit-one-step"),
        ({"id": "explicit-one-step", "instances": 0}, DomainError, "instances must be an integer from 1"),
        ({"id": "explicit-one-step", "instances": 2.5}, InputError, "instances must be an integer, got 2.5"),
        ({"id": "explicit-one-step", "seed": -1}, DomainError, "seed must be an integer from 0"),
        ({"id": "explicit-one-step", "jobs": 0}, DomainError, "jobs must be an integer from 1"),
        ({"id": "explicit-one-step", "world": "gausian"}, UnknownNameError, "gaussian"),
    ],
)
def test_wrong_arguments_of_a_campaign(arguments: dict[str, Any], kind: type[CmboundError], words: str) -> None:
    with pytest.raises(kind, match=words):
        check(**arguments)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": "1"}, "seed of a recipe must be int"),
        ({"world": "moon"}, "world of a recipe must be one of gaussian"),
        ({"knobs": {"log_mean": "1"}}, "knob log_mean of a recipe must be a number"),
        ({"theorem": "nothing"}, "unknown statement"),
        ({"choices": {}}, "lacks"),
    ],
)
def test_wrong_recipes(change: dict[str, Any], words: str) -> None:
    data = {**recipe().to_dict(), **change}
    with pytest.raises(CmboundError, match=words):
        replay(data)
    with pytest.raises(InputError, match="a recipe has the entries"):
        replay({"theorem": "explicit-one-step"})
    with pytest.raises(InputError, match="the recipe cannot be replayed"):
        replay({**recipe().to_dict(), "choices": {**recipe().choices, "d": "two"}})


# --- the search -----------------------------------------------------------------------------------------------------


@pytest.fixture
def steady_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second is 64 looks at the clock, so that a search of some seconds does not depend on the machine."""
    looks = count()
    monkeypatch.setattr(search, "time", SimpleNamespace(perf_counter=lambda: next(looks) / 64))


@pytest.mark.usefixtures("steady_clock")
def test_the_search_refutes_a_wrong_statement() -> None:
    found = falsify(halved(cmbound.theorem("explicit-training"), "consistency"), budget=3, world="gaussian")
    assert found.violations
    assert found.values["total"] > 1


@pytest.mark.usefixtures("steady_clock")
def test_the_search_finds_attained_terms() -> None:
    found = falsify("explicit-training", budget=4, world="gaussian", seed=2)
    assert 100 < found.evaluations < 300
    assert not found.violations
    assert found.values["consistency"] > 0.95
    assert found.values["initialisation"] > 0.9
    witness = found.best["consistency"]
    assert witness is not None
    assert judge(witness.recipe).needed("consistency") == pytest.approx(found.values["consistency"])
    with pytest.raises(DomainError, match="budget must be a number of seconds > 0"):
        falsify("explicit-training", budget=0)


def test_climbing_improves_and_stays_in_range() -> None:
    start = recipe("explicit-map-error", log_score=-3.0)
    best = search.climb(
        lambda x: x.knobs["log_score"] - abs(x.knobs["log_delta"] + 2), start, cmbound.theorem("explicit-map-error"), 400
    )
    low, high = gaussian.KNOBS["log_score"]
    assert low <= best.knobs["log_score"] <= high
    assert best.knobs["log_score"] > 1.5
    assert best.knobs["log_delta"] == pytest.approx(-2, abs=0.2)
    assert best.choices == start.choices
    lowest = search.climb(lambda x: -x.knobs["log_score"], start, cmbound.theorem("explicit-map-error"), 300)
    assert lowest.knobs["log_score"] == pytest.approx(-6, abs=0.1)  # not down to where it is off
    assert lowest.knobs["log_score"] >= -6
    assert search.climb(lambda x: 0.0, start, cmbound.theorem("explicit-map-error"), 20) == start


# --- planted mistakes -----------------------------------------------------------------------------------------------


def test_weakened_expressions() -> None:
    expr = L_f * (sympy.sqrt(d) * c(t) + m2**2 * g(h) / s(t)) + eps_sc
    found = {x.text: x for x in weakened(expr)}
    assert {x.expression for x in weakened(expr)} >= {
        sympy.Integer(0),
        expr / 2,
        expr - eps_sc,
        expr - eps_sc / 2,
        expr.xreplace({g(h): h / 4}),
        expr.xreplace({L_f: sympy.S.One}),
        expr.xreplace({sympy.sqrt(d): sympy.S.One}),
        expr.xreplace({m2**2: m2 ** sympy.Rational(3, 2)}),
    }
    assert found["exponent of c(t) lowered"].not_weaker == "c(t) is at most 1"
    assert len({x.expression for x in weakened(expr)}) == len(weakened(expr))
    assert expr not in {x.expression for x in weakened(expr)}


@pytest.mark.parametrize("id", EXPLICIT)
def test_every_statement_has_planted_copies(id: str) -> None:
    copies = plants(id)
    names = [x.name for x in copies]
    assert len(set(names)) == len(names)
    terms = {x.name for x in cmbound.theorem(id).bare_sources}
    assert {x.term for x in copies} == terms
    assert {x.term for x in copies if x.change == "dropped"} == terms
    assert {x.term for x in copies if x.change == "halved"} == terms


def test_putting_the_part_back_unchanged_changes_nothing() -> None:
    """Taking the weight L_f away from a profile is a change instead, where the profile enters."""
    compared, parts = set(), [(cmbound.theorem(id), part) for id in EXPLICIT for part in components(cmbound.theorem(id))]
    known: dict[tuple[Any, ...], Iterator[Setting]] = {}  # those of parts with the same demands
    for theorem, part in parts:
        unweighted, key = is_unweighted(part), (theorem.id, part.term, *sorted(part.demands.items()))
        known[key], settings = tee(known.get(key) or settings_of(theorem, part))
        for setting in islice(settings, 8 if unweighted else 1):
            before = evaluate_setting(setting, "approximate").value
            after = evaluate_setting(part.put(setting, part.expression), "approximate").value
            assert after == pytest.approx(before, rel=1e-9) or (unweighted and after < before), part.name
            if not unweighted or after < before * (1 - 1e-6):
                compared.add((theorem.id, part.name, unweighted))
                break
    data_sets_only = {x.name for _, x in parts if x.demands.get("profile", "").startswith(("atoms", "bounded", "smoothed"))}
    assert {x.name for theorem, x in parts if (theorem.id, x.name, is_unweighted(x)) not in compared} <= data_sets_only


def is_unweighted(part: Component) -> bool:
    return isinstance(part.put, RulePut) and not part.put.part


def settings_of(theorem: Theorem, part: Component) -> Iterator[Setting]:
    """Instances a part of a statement enters, in the Gaussian world with L_f = 2."""
    rng = np.random.default_rng(1)
    for _ in range(40):
        demands = {**part.demands, "constants": "single", "grid": "geometric"}
        made = search.random_recipe(theorem, rng, "gaussian", part.term, demands)
        with suppress(SkippedError, DomainError):
            params = build(made, theorem).params
            # floats are not read in another way where they do not fit
            yield _resolved(theorem, {**params, "L_f": 2} if "L_f" in params else params, ())


def test_mistakes_are_caught_and_reported() -> None:
    report = planted(["explicit-training"], draws=15)
    assert len(report.verdicts) == len(plants("explicit-training"))
    caught = report.having("caught")
    assert len(caught) >= 0.75 * (len(report.verdicts) - len(report.having("not weaker")))
    for verdict in caught:
        assert verdict.witness is not None
        assert recheck(verdict.plant, verdict.witness) > 1
        assert judge(verdict.witness).status != "violation"
    data = report.to_dict()
    assert data["planted"] == data["caught"] + sum(len(data[x]) for x in ("survived", "implied", "not_weaker"))
    json.dumps(data, allow_nan=False)


TV_COPIES = ("consistency: halved", "consistency: dropped", "score (ddim): dropped")
MOST_SURVIVORS = 94
"""The list of survivors may become shorter."""


def committed() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(PLANTED.read_text(encoding="utf-8"))
    return found


def _name(row: dict[str, Any]) -> str:
    return f"{row['theorem']}: {row['component']}: {row['change']}"


def test_the_list_of_survivors_does_not_grow() -> None:
    """Every other copy is refuted by its committed witness, or proved not weaker or to follow from a survivor."""
    data = committed()
    copies = {x.name: x for id in explicit_ids() for x in plants(id)}
    rows = [*data["witnesses"], *data["survived"], *data["implied"], *data["not_weaker"]]
    assert {_name(x) for x in rows} == set(copies), "run: cmbound check --planted --from FILE --format json -o FILE"
    assert len(rows) == data["planted"]
    assert len(data["witnesses"]) == data["caught"]
    for row in data["witnesses"]:
        assert recheck(copies[_name(row)], Recipe.from_dict(row["witness"])) > 1, _name(row)
    assert {_name(x) for x in data["not_weaker"]} == {x.name for x in copies.values() if x.not_weaker}
    survivors = {_name(x) for x in data["survived"]}
    assert len(survivors) <= MOST_SURVIVORS
    left = {_name(x) for x in (*data["survived"], *data["implied"])}
    found = implied([x for name, x in copies.items() if name in left])
    assert {x.name: [y.name for y in below] for x, below in found.items()} == {_name(x): x["implied_by"] for x in data["implied"]}
    for row in data["implied"]:
        assert set(row["implied_by"]) <= survivors, _name(row)


def test_what_is_implied_is_never_below() -> None:
    """The orders that are proved from the form of the copies, at random numbers; and some that do not hold are not proved."""
    data = committed()
    copies = {x.name: x for id in explicit_ids() for x in plants(id)}
    settings: dict[tuple[Any, ...], list[Setting]] = {}
    compared = 0
    for row in data["implied"]:
        above, ends = copies[_name(row)], [copies[x] for x in row["implied_by"]]
        if any(above.demands.get("profile") != x.demands.get("profile") for x in ends):
            continue  # of different profiles: two settings of one law
        demands = {**ends[0].demands, **above.demands}
        key = above.theorem, *sorted(demands.items())
        if key not in settings:
            settings[key] = list(islice(settings_of(above.statement, replace(above.part, demands=demands)), 3))
        for setting in settings[key]:
            high, *lower = (sum(float_terms(x.put(setting)).values()) for x in (above, *ends))
            assert min(lower) <= high * (1 + 1e-9), above.name
            compared += min(lower) < high * (1 - 1e-6)
    assert compared > 30


def test_orders_that_do_not_hold_are_not_proved() -> None:
    x, y = sympy.sqrt(d) * g(h), m2 * c(t)
    assert at_least(x + y, x)
    assert at_least(x + y, (x + y) / 2)
    assert at_least(sympy.sqrt(x + y / 2), sympy.sqrt(x + y) / 2)
    assert at_least(sympy.sqrt(d) * x, x)
    assert at_least(g(h), h / 4)
    for large, small in ((x, x + y), (x / 2, x), (x, y), (m2, m2**2), (x / sympy.sqrt(d), x), (L_f * x, x), (x + y / 2, x + y)):
        assert not at_least(large, small), (large, small)
    half, dropped, other = (next(p for p in plants("explicit-tv-smoothing") if p.name.endswith(y)) for y in TV_COPIES)
    assert claims_more(dropped, half)
    assert not claims_more(half, dropped)
    assert not claims_more(dropped, other)
    assert not claims_more(other, dropped)


def test_halved_copies_of_sharp_parts_are_caught() -> None:
    """Where some instance needs more than half of a term, every copy that halves the term is caught."""
    data = committed()
    copies = {x.name: x for id in explicit_ids() for x in plants(id)}
    campaign = json.loads((PLANTED.parent / "data" / "sharpness.json").read_text(encoding="utf-8"))
    sharp = {(x["theorem"], name) for x in campaign for name, share in x["sharpness"].items() if share > 1 / 2}
    assert ("explicit-one-step", "discretisation") in sharp
    for row in data["survived"]:
        if row["change"] == "halved":
            assert row["ratio"] <= 1, _name(row)
        if row["change"] in ("halved", "dropped") and row["theorem"] != "explicit-map-error":
            assert (row["theorem"], copies[_name(row)].term) not in sharp, _name(row)
    loose = {"explicit-map-error", "explicit-tv-early-stopping", "explicit-tv-smoothing", "explicit-tv-underdamped"}
    assert {x["theorem"] for x in data["survived"]} <= loose | {"chen2025-multistep", "brosse2026-edm"}


def test_known_instances_are_tried_first() -> None:
    """With the instances of an earlier report nothing it caught survives, however short the search."""
    data = committed()
    rows = [x for x in data["witnesses"] if x["theorem"] == "explicit-score-lipschitz"]
    report = planted(["explicit-score-lipschitz"], draws=1, known=data)
    caught = {x.plant.name: x.witness for x in report.having("caught")}
    assert {_name(x) for x in rows} <= set(caught)
    assert len(rows) >= 4
    with pytest.raises(InputError, match="earlier report"):
        planted(["explicit-score-lipschitz"], draws=1, known={"witnesses": [{"theorem": 1}]})


def test_order_forms_are_not_planted() -> None:
    with pytest.raises(InputError, match="order-form"):
        planted(["lyu2023-thm3"])
    assert isinstance(planted(["explicit-map-lipschitz"], draws=5), PlantedReport)


def test_random_choices_fit_the_statement() -> None:
    rng = np.random.default_rng(0)
    for id in EXPLICIT:
        for _ in range(30):
            choices = draw_choices(cmbound.theorem(id), rng)
            assert not (choices["teacher"] == "ddim" and choices["constants"] == "closed")
            assert not (choices["constants"] == "single" and choices["grid"] == "random")


@pytest.mark.parametrize("world", WORLDS)
def test_random_recipes_use_every_choice_and_stay_in_their_ranges(world: str) -> None:
    theorem = cmbound.theorem("explicit-tv-smoothing" if world != "atoms" else "explicit-map-error")
    recipes = [draw(theorem, world, 1, n) for n in range(600)]
    ranges = LABORATORIES[world].knobs
    for made in recipes:
        for name, value in made.knobs.items():
            low, high = ranges[name]
            assert value == OFF == low or low <= value <= high, name
        if world == "mixture":
            assert made.knobs["log_u"] <= max(-3.0, made.knobs["log_span"] - 0.1)
        if world == "gaussian":
            assert made.knobs["log_u"] <= made.knobs["log_span"] - 0.1
    drawn: dict[str, set[Any]] = {}
    recipes = [x for x in recipes if "measure" not in x.choices]  # sums of local errors: tests.test_local_errors
    for made in recipes:
        for name, value in made.choices.items():
            drawn.setdefault(name, set()).add(str(value))
    both = {"score_sign": {"-1", "1"}, "drift_sign": {"-1", "1"}, "start": {"standard", "matched"}, "to": {"p_data", "p_delta"}}
    own: dict[str, dict[str, set[str]]] = {
        "gaussian": {
            "shape": {"full", "diagonal", "isotropic", "point"},
            "student": {"composed", "exact", "random"},
            "centred": {"True", "False"},
            "d": {"1", "2", "3", "8", "32"},
        },
        "mixture": {
            "components": {"1", "2", "3", "5"},
            "symmetric": {"True", "False"},
            "widths": {"common", "individual"},
            "d": {"1"},
        },
        "atoms": {"components": {"1", "2", "3", "5"}, "d": {"1", "2", "3", "8"}, "clock": {"ou", "ve"}},
    }
    expected = {**both, **own[world]}
    assert {name: drawn[name] for name in expected} == expected
    off = [x.knobs["log_drift"] == OFF for x in recipes]
    assert 0.25 < np.mean(off) < 0.65


def test_the_process_in_numpy_is_that_of_the_theory() -> None:
    for at in (1e-9, 0.3, 12.0):
        exact = [float(sympy.N(elementary(f(sympy.Rational(at))), 40)) for f in (c, s)]
        assert [float(signal(at)), float(noise(at))] == pytest.approx(exact, rel=1e-14)
        assert float(noise_level(at)) == pytest.approx(exact[1] / exact[0], rel=1e-13)


# --- statements of one's own ------------------------------------------------------------------------------------------


def own(id: str = "explicit-one-step", **changes: Any) -> Theorem:
    """A statement that is in no catalogue, every term written out for the exponential integrator."""
    statement = cmbound.theorem(id)
    terms = statement.formula(**({"profile": "universal"} if statement.uses_profile else {}))
    plain: dict[str, Any] = {"id": "mine", "sources": terms, "rests_on": (), "ve_factor": None, **changes}
    return replace(statement, **plain)


def test_a_statement_of_ones_own_is_checked() -> None:
    """It goes to other processes with its terms; the teacher and the start are those its formula is for."""
    report = check(own(), instances=30, seed=2, jobs=2)
    assert (report.theorem, report.violations) == ("mine", 0)
    assert report.passed > 15
    wrong = halved(own(), "initialisation")
    outcomes = [judge(draw(wrong, None, 2, n), wrong) for n in range(60)]
    assert {x.recipe.choices["teacher"] for x in outcomes} == {"exponential-integrator"}
    worst = next(x for x in outcomes if x.status == "violation")
    assert replay(worst.to_dict(), wrong).to_dict() == worst.to_dict()
    assert replay(worst.to_dict(), own()).status == "passed"


def test_mistakes_are_planted_in_a_statement_of_ones_own() -> None:
    report = planted([own("explicit-score-lipschitz")], draws=3)
    known = planted(["explicit-score-lipschitz"], draws=3)
    assert {x.plant.theorem for x in report.verdicts} == {"mine"}
    assert [x.status for x in report.verdicts] == [x.status for x in known.verdicts]
    verdict = report.having("caught")[0]
    assert verdict.witness is not None
    assert recheck(verdict.plant, verdict.witness, own("explicit-score-lipschitz")) > 1


def test_a_simulation_is_set_beside_a_statement_of_ones_own() -> None:
    world = cmbound.Gaussian([0.0, 1.0], [1.0, 0.5])
    found = cmbound.simulate(world, statement=own(), n=10, teacher="exponential-integrator")
    assert found.evaluation.theorem.id == found.to_dict()["theorem"] == "mine"
    assert found.steps[0].bound == own_value(found.parameters)
    assert found.violations == ()
    with pytest.raises(InputError, match="mine is about one evaluation: leave out steps and times"):
        cmbound.simulate(world, statement=own(), n=10, steps=2)
    with pytest.raises(InputError, match="mine cannot be set beside a simulation: that takes an explicit statement"):
        cmbound.simulate(world, statement=own("explicit-map-error"), n=10)


def own_value(params: Any) -> float:
    return cmbound.theorem(own()).evaluate(**params).value


def test_a_statement_without_an_experiment_is_refused_in_one_line() -> None:
    words = "^mine cannot be checked: it names no experiment, so that no instances are known"
    for call in (lambda x: check(x, instances=2), lambda x: falsify(x, budget=1), lambda x: planted([x], draws=1)):
        with pytest.raises(InputError, match=words) as caught:
            call(own(experiment=""))
        assert "\n" not in str(caught.value)


def test_every_experiment_checks_a_statement() -> None:
    """The table holds no name that nothing uses, and the catalogue none that is not in the table."""
    assert {x.experiment for x in catalogue if x.experiment} == set(EXPERIMENTS)
    assert tuple(EXPERIMENTS) == names.EXPERIMENTS


@pytest.mark.parametrize(
    "made", [lambda: check("explicit-map-lipschitz", instances=4), lambda: falsify("explicit-map-lipschitz", budget=0.01)]
)
def test_results_say_themselves(made: Any) -> None:
    found = made()
    assert len(repr(found)) < 120
    assert str(found) == found.text()
    assert json.loads(found.report().render("json")) == found.to_dict()
    assert "explicit-map-lipschitz" in found.latex()
    assert "<table>" in found._repr_html_()


@pytest.mark.skipif(bool(missing_tex()), reason=missing_tex() or "pdflatex is here")
def test_reports_fit_the_page_of_a_paper(tmp_path: Path) -> None:
    reports = [check("explicit-multistep", instances=20, seed=1), check("lyu2023-thm3", instances=5)]
    worst = reports[0].worst
    assert worst is not None
    verdicts = [Verdict(x, "survived", 0.5, None) for id in ("explicit-map-error", "explicit-tv-underdamped") for x in plants(id)]
    found = [
        check_report(reports).render("latex"),
        reports[0].latex(),
        worst.latex(),
        falsify("explicit-one-step", budget=0.1).latex(),
        PlantedReport(tuple(verdicts[::7]), 0, 1.0).latex(),
        cmbound.simulate(cmbound.Atoms([[0.0], [1.0]]), n=50, steps=2, grid_steps=5, corrector="smoothing:u=0.1").latex(),
    ]
    assert compiled("\n\n\\clearpage\n".join(found), tmp_path) == []
