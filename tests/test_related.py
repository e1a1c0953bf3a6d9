"""Bounds of other papers: what is known of each, formulas once more in numpy, limiting cases, instances with known truth."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import sympy
from scipy.special import ndtr
from sympy import log, sqrt

import cmbound
from cmbound.catalogue.corollaries import COROLLARIES
from cmbound.comparison.complexity import complexities_report
from cmbound.errors import CmboundError, DomainError, InputError
from cmbound.theory.functions import U
from cmbound.theory.named import elementary, plain
from cmbound.theory.notation import C, L_s, L_v, N, T, d, delta, eps, eps_ci, h, hbar, k, kappa, m2, sigma_high, sigma_low, t_hat
from cmbound.theory.records import Term, Theorem
from cmbound.theory.variants import LastTime, ScheduleSum
from cmbound.verification import related
from cmbound.verification.campaign import check, draw, judge
from cmbound.verification.experiments import EXPERIMENTS, experiment_of
from cmbound.verification.instances import Recipe
from cmbound.verification.laboratories import build
from cmbound.verification.plants import components
from cmbound.verification.settings import OFF
from cmbound.worlds.atoms import Atoms
from cmbound.worlds.mixture import Mixture
from tests.helpers import fails

Array = npt.NDArray[np.float64]
MULTISTEP, EDM = cmbound.theorem("chen2025-multistep"), cmbound.theorem("brosse2026-edm")
FLOW, REPORTED = cmbound.theorem("euler-flow"), cmbound.theorem("bansal2024-thm2")

ROWS = {
    "chen2022-ddpm": ("order", "verbatim", True),
    "chen2022-cld": ("order", "verbatim", True),
    "chen2022-bounded": ("order", "verbatim", False),
    "chen2023-dpum": ("order", "memory", False),
    "benton2024-linear": ("order", "secondary", True),
    "chewi2026-ddpm": ("explicit", "verbatim", True),
    "kwon2022-w2": ("explicit", "secondary", True),
    "benton2023-flow": ("explicit", "verbatim", True),
    "euler-flow": ("explicit", "derived", True),
    "bansal2024-thm2": ("explicit", "secondary", True),
    "gao2024-pfode": ("order", "secondary", False),
    "brosse2026-edm": ("explicit", "verbatim", True),
    "beyler2025-samplers": ("order", "abstract", False),
    "stephan2026-euler": ("order", "abstract", False),
    "wainwright2026-schedules": ("order", "memory", False),
    "kremling2025-weak": ("order", "abstract", False),
    "mbacke2023-ddpm": ("order", "abstract", False),
    "yang2025-rectified": ("order", "abstract", False),
    "song2023-thm1": ("order", "secondary", True),
    "li2024-training": ("order", "secondary", True),
    "dou2024-distill": ("order", "secondary", False),
    "chen2025-multistep": ("explicit", "derived", True),
    "jain2025-multistep": ("order", "abstract", False),
    "boffi2025-flowmap": ("explicit", "secondary", True),
}
STATUS = {"memory": "unconfirmed", "derived": "proved"}


# --- the records ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("id", ROWS)
def test_every_row_says_how_it_is_known(id: str) -> None:
    theorem = cmbound.theorem(id)
    kind, known, evaluable = ROWS[id]
    assert (theorem.kind, theorem.known, theorem.evaluable) == (kind, known, evaluable)
    assert theorem.status == STATUS.get(known, "stated")
    assert theorem.reference.key not in ("lyu2023", "cmbound")


def test_no_other_row() -> None:
    assert {x.id for x in cmbound.catalogue if x.reference.key not in ("lyu2023", "cmbound")} == set(ROWS)


@pytest.mark.parametrize("id", [x for x, row in ROWS.items() if not row[2]])
def test_what_is_not_known_in_full_cannot_be_evaluated(id: str) -> None:
    theorem = cmbound.theorem(id)
    for question in (
        lambda: theorem.evaluate(d=2),
        lambda: theorem.approximate(d=np.array([2.0, 3.0])),
        lambda: theorem.substitute(d=2),
        lambda: cmbound.orders(id),
    ):
        with pytest.raises(InputError, match=f"{id} cannot be evaluated: its formula is not known in full"):
            question()
    fails(2, "evaluate", id, says=(id, "not known in full"))
    assert theorem.parameters == theorem.optional_parameters == ()


@pytest.mark.parametrize(
    ("id", "params", "message"),
    [
        ("chen2022-ddpm", {"KL": 1}, "unspecified constant"),
        ("chen2022-cld", {"C": 1, "KL": 1, "FI": 1, "L_s": 2, "d": 2, "m2": 1, "T": 3, "h": "0.1", "eps_sc": 0}, "needs c_rate"),
        ("chewi2026-ddpm", {"m2": 1, "d": 2, "T": 3, "delta": "0.1", "eps_w": 0, "hbar": "0.6"}, "hbar <= 1/2; got hbar = 0.6"),
        ("brosse2026-edm", {"d": 1, "sigma_high": 1, "sigma_low": 2}, "sigma_low < sigma_high"),
        ("brosse2026-edm", {"d": 1, "sigma_high": 1, "sigma_low": 0}, "sigma_low must be a number > 0, got 0"),
        ("song2023-thm1", {"C": 1, "h": 1, "p": "1.5"}, "p must be an integer >= 1, got 1.5"),
        ("kwon2022-w2", {"L_os": -1}, "L_os must be a number >= 0, got -1"),
    ],
)
def test_domains(id: str, params: dict[str, Any], message: str) -> None:
    with pytest.raises(CmboundError, match=message):
        cmbound.theorem(id).evaluate(**params)


def test_clocks() -> None:
    step: dict[str, Any] = {"d": 2, "sigma_high": 1, "sigma_low": "0.9"}
    assert EDM.evaluate(**step).clock == EDM.evaluate(**step, clock="ve").clock == "ve"
    with pytest.raises(InputError, match="brosse2026-edm is stated in the ve clock only"):
        EDM.evaluate(**step, clock="ou")
    with pytest.raises(InputError, match="chen2025-multistep is stated in the ou clock only"):
        MULTISTEP.evaluate(clock="ve")
    noise: dict[str, Any] = {"m2": 2, "d": 5, "sigma_min": "0.1", "sigma_max": 10, "eps_w": "0.01", "hbar": "0.01"}
    found = cmbound.theorem("chewi2026-ddpm").evaluate(**noise)
    assert found.value == pytest.approx(4 / 200 + 4e-4 + 2 * 0.01 * 5 * (1 + np.log(10**4)), rel=1e-12)


# --- formulas and complexities ----------------------------------------------------------------------------------------


def terms(id: str) -> dict[str, Any]:
    return {x.name: x.expression for x in cmbound.theorem(id).terms}


@pytest.mark.parametrize("id", ["chen2022-ddpm", "chen2022-cld"])
def test_steps_of_chen2022_follow_from_the_bound(id: str) -> None:
    """h = eps^2/(L^2 d) makes the discretisation error of order eps T^(1/2) (small eps), with T/h steps."""
    step = eps**2 / (L_s**2 * d)
    error = terms(id)["discretisation"].subs(h, step) / (C * sqrt(T))
    assert sympy.simplify(sympy.limit(error / eps, eps, 0)) == 1
    assert sympy.simplify((T / step) / cmbound.theorem(id).complexity) == T


def test_steps_of_the_linear_bounds_follow_from_them() -> None:
    """KL = eps^2: kappa = T/N (benton2024) and N = 1/hbar (chewi2026) at N = d/eps^2, up to T and logarithms."""
    steps = cmbound.theorem("benton2024-linear").complexity
    error = terms("benton2024-linear")["discretisation"].subs(kappa, T / sympy.Symbol("n")).subs(N, steps)
    error = error.subs(sympy.Symbol("n"), steps)
    assert sympy.simplify(error / (C * eps**2)) == 2 * T**2
    explicit = cmbound.theorem("chewi2026-ddpm")
    error = terms(explicit.id)["discretisation"].subs(hbar, 1 / explicit.complexity)
    assert error.subs(eps, 2 * eps) == 4 * error
    assert d not in sympy.simplify(error).free_symbols


def test_complexities_of_the_source_paper_are_those_of_the_corollaries() -> None:
    claims = {x.id: x.claim for x in COROLLARIES}
    for name in ("cor4", "cor8", "cor9"):
        assert sympy.simplify(cmbound.theorem(f"lyu2023-{name}").complexity / claims[f"{name}-complexity"]) == 1
    assert cmbound.theorem("lyu2023-cor10").complexity == claims["cor4-complexity"].subs(eps, eps / sqrt(L_s))
    steps = {x.id: x.substitution.get(N) for x in COROLLARIES}
    assert cmbound.theorem("explicit-one-step").complexity == steps["any-law-integrated"]


def test_exact_scores_and_a_long_horizon_leave_the_steps_only() -> None:
    """Every score-based bound vanishes as its errors and steps do and the horizon grows."""
    for id, limits in (("chen2022-ddpm", {h: 0}), ("benton2024-linear", {kappa: 0}), ("chewi2026-ddpm", {hbar: 0})):
        found = terms(id)
        assert found["discretisation"].subs(limits) == 0
        assert sympy.limit(elementary(found["initialisation"]), T, sympy.oo) == 0


def test_kwon2022_integrates_a_constant_growth() -> None:
    """The closed form against quadrature of g^2 I(t) b^(1/2) with I(t) = exp((1 + 2 L) t)."""
    L, horizon, error = 0.4, 1.7, 0.03
    t = (np.arange(200_000) + 0.5) * horizon / 200_000
    integral = 2 * error * np.exp((1 + 2 * L) * t).mean() * horizon
    params: dict[str, Any] = {"L_os": "0.4", "T": "1.7", "eps_sc": "0.03", "m2": 2, "d": 3}
    found = cmbound.theorem("kwon2022-w2").evaluate(**params)
    assert found.terms["score"].value == pytest.approx(integral, rel=1e-9)
    start = np.hypot(np.exp(-horizon) * 2, (1 - np.sqrt(1 - np.exp(-2 * horizon))) * np.sqrt(3))
    assert found.terms["initialisation"].value == pytest.approx(np.exp((1 + 2 * L) * horizon) * start, rel=1e-12)


def test_flow_bounds() -> None:
    assert cmbound.theorem("benton2023-flow").evaluate(L_v=0, eps_v="0.25").value == 0.25
    assert cmbound.theorem("boffi2025-flowmap").evaluate(L_v=1, eps_loss="0.25").value == pytest.approx(np.exp(3))


def test_local_error_is_implied_by_the_universal_profile() -> None:
    """U_d <= 4 d^(1/2) (d + 3): the ratio falls from 0.31 to its limit 0.096."""
    claim = 4 * sqrt(d) * (d + 3)
    ratio = elementary(U(d)) / claim
    values = [float(ratio.subs(d, n)) for n in (1, 2, 3, 10, 100, 10**4, 10**8)]
    assert values == sorted(values, reverse=True)
    assert values[0] < 0.32
    assert float(sympy.limit(ratio, d, sympy.oo)) == pytest.approx(2 / 3**1.5 / 4, rel=1e-9)
    assert EDM.expression == claim * (sigma_high - sigma_low - sigma_low * log(sigma_high / sigma_low))


@pytest.mark.parametrize("gap", [1e-12, 1e-6, 1e-2, 10.0])
def test_small_steps_keep_their_digits(gap: float) -> None:
    high = np.array([1.0 + gap, 2.0])
    found = EDM.approximate(d=3, sigma_high=high, sigma_low=1.0).total
    for x, value in zip(high, found, strict=True):
        assert value == pytest.approx(EDM.evaluate(d=3, sigma_high=float(x), sigma_low=1).value, rel=1e-12)


# --- euler-flow -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "L"), [(1, "7"), (3, "0"), (4, "2.5"), (1000, "0.1"), (10**6, "3")])
def test_flow_bound_is_its_recursion(count: int, L: str) -> None:
    """e_{k+1} = (1 + h L) e_k + h (eps + h (gam/3)^(1/2)), and at most the form with e^L."""
    error = 0.0
    for _ in range(count if count < 10_000 else 0):
        error = (1 + float(L) / count) * error + (0.1 + np.sqrt(0.7 / 3) / count) / count
    found = FLOW.evaluate(L_v=L, eps_v="0.1", gam_v="0.7", N=count).value
    assert count > 1000 or found == pytest.approx(error, rel=1e-12)  # a longer loop takes seconds and loses digits
    growth = np.expm1(float(L)) / float(L) if float(L) else 1.0
    limit = growth * (0.1 + np.sqrt(0.7 / 3) / count)
    assert found <= limit * (1 + 1e-12)  # rounding of numpy
    assert count < 10**6 or found == pytest.approx(limit, rel=1e-5)  # the gap is of order L^2/N


def test_one_euler_step_pays_no_growth() -> None:
    assert FLOW.evaluate(L_v=100, eps_v="0.1", gam_v=3, N=1).value == pytest.approx(1.1, rel=1e-15)


def test_the_order_in_the_slope_is_that_of_so_many_steps() -> None:
    """A polynomial whose degree grows with N is not passed off as a fixed power."""
    verdict = cmbound.orders(FLOW.id).verdict
    assert verdict.endswith("; the power of L_v depends on N")
    assert "exponential in L_v" in cmbound.orders(REPORTED.id).verdict
    assert "depends" not in cmbound.orders("explicit-one-step", profile="universal").verdict


def test_reported_flow_bound_follows_and_is_not_sharp() -> None:
    """At least 20 times the square of the derived bound, 374 times what it leads to for L = 1 and two equal terms."""
    for L in ("0", "0.01", "0.5", "1", "2", "5", "30"):
        for count, eps_v, gam_v in ((1, 1, 0), (1, 0, 3), (10, "0.1", 3), (1000, "0.5", 1)):
            point: dict[str, Any] = {"L_v": L, "eps_v": eps_v, "gam_v": gam_v, "N": count}
            assert REPORTED.evaluate(**point).value >= 20 * FLOW.evaluate(**point).value ** 2
    factor = REPORTED.evaluate(L_v=1, eps_v=1, gam_v=0, N=1).value / (4 / 3 * np.expm1(1.0) ** 2)
    assert factor == pytest.approx(374.5, abs=0.1)


def test_straight_flow_is_the_flow_of_its_velocity() -> None:
    """The slope is the logarithmic derivative of the deviation, and A/(t (1-t)^2) of theory 3.15 is the acceleration."""
    v = np.array([4.0, 0.09, 1.0])
    flow = related.StraightFlow(v)
    t, gap = np.array([0.2, 0.5, 0.9]), 1e-5
    deviation = [np.sqrt(flow.marginal(t + x)) for x in (-gap, 0.0, gap)]
    assert flow.slopes(t) == pytest.approx((deviation[2] - deviation[0]) / (2 * gap) / deviation[1], rel=1e-6)
    second = (deviation[2] - 2 * deviation[1] + deviation[0]) / gap**2
    assert np.sum(second**2, axis=1) == pytest.approx(np.sum(v**2 / flow.marginal(t) ** 3, axis=1), rel=1e-4)
    level = (t / (1 - t))[:, None]  # x_t = (1 - t) x_0 + t z with the roles of time reversed
    speed = v * level / (v + level**2) ** 1.5  # L2 norm of d zhat/d tau of a Gaussian
    back = np.sum((speed / (t * (1 - t) ** 2)[:, None]) ** 2, axis=1)
    assert back == pytest.approx(np.sum(v**2 / flow.marginal(1 - t) ** 3, axis=1), rel=1e-12)


def test_mean_acceleration_against_quadrature() -> None:
    flow = related.StraightFlow(np.array([4.0, 0.01]))
    edges = np.array([0.0, 0.1, 0.6, 1.0])
    for found, low, high in zip(flow.accelerations(edges), edges, edges[1:], strict=False):
        t = low + (np.arange(100_000) + 0.5) * (high - low) / 100_000
        assert found == pytest.approx(np.mean(np.sum(flow.variances**2 / flow.marginal(t) ** 3, axis=1)), rel=1e-6)


def test_euler_steps_against_sampling() -> None:
    """Standard deviation and mean of 400 000 points sent through four steps, velocity and error written anew."""
    v, count, offset, tilt = np.array([4.0, 0.25]), 4, 0.3, -0.2
    x = np.random.default_rng(5).standard_normal((400_000, 2))
    for t in np.arange(count) / count:
        m = (1 - t) ** 2 + t**2 * v
        step = x * (t * v - (1 - t)) / m
        step[:, 0] += offset + tilt * x[:, 0] / np.sqrt(m[0])
        x = x + step / count
    sampled = np.sqrt(np.sum(x.mean(axis=0) ** 2) + np.sum((x.std(axis=0) - np.sqrt(v)) ** 2))
    distance, slope = related.StraightFlow(v).euler(count, offset, tilt)
    assert distance == pytest.approx(sampled, rel=0.01)  # 400 000 points: a standard error of 0.2 per cent
    assert related.StraightFlow(v).euler(10_000, 0.0, 0.0)[0] < 1e-3  # the flow itself ends at the data
    assert slope == max(
        abs((t * 5 - 1) / ((1 - t) ** 2 + 4 * t**2) - 0.2 / np.sqrt((1 - t) ** 2 + 4 * t**2)) for t in (0, 0.25, 0.5, 0.75)
    )


@pytest.mark.parametrize("name", ["velocity", "discretisation"])
def test_a_halved_term_of_the_flow_bound_is_a_violation(name: str) -> None:
    wrong = halved(FLOW, name)
    outcomes = [judge(draw(wrong, None, 0, n), wrong) for n in range(300)]
    violations = [x for x in outcomes if x.status == "violation"]
    assert violations
    assert all(judge(x.recipe).status == "passed" for x in violations)


def test_a_flow_bound_with_too_little_growth_is_a_violation() -> None:
    slower = tuple(Term(x.name, x.expression.subs(L_v, L_v / 10)) for x in FLOW.bare_sources)
    wrong = replace(FLOW, sources=slower)
    assert any(judge(draw(wrong, None, 0, n), wrong).status == "violation" for n in range(300))


def test_flow_bound_is_checked_in_the_gaussian_world_alone() -> None:
    assert check(FLOW.id, instances=20, world="gaussian").passed == 20
    assert check(FLOW.id, instances=5, world="atoms").skipped == 5


def test_what_is_known_from_abstracts_only_has_a_note() -> None:
    """No exponents are made up: those without a number of steps are named below the table of complexities."""
    note = complexities_report().data()["notes"][-1]
    for id in ("beyler2025-samplers", "wainwright2026-schedules", "kremling2025-weak", "mbacke2023-ddpm", "yang2025-rectified"):
        assert id in note
    assert cmbound.theorem("stephan2026-euler").complexity == sqrt(d) / eps


# --- chen2025-multistep -----------------------------------------------------------------------------------------------


def by_hand(times: list[float], R: float, m2: float, error: float, spacing: float) -> float:
    """The bound with plain numpy, term by term."""
    c2 = np.exp(-2 * np.array(times))
    information = c2[0] * m2**2 / (1 - c2[0]) / 4
    for j in range(1, len(times)):
        information += c2[j] * (times[j - 1] * error / spacing) ** 2 / (1 - c2[j]) / 4
    return float(2 * R * information**0.25 + times[-1] * error / spacing)


CONSTANTS: dict[str, Any] = {"R": 3, "m2": 2, "eps_ci": 0.001, "dtau": 0.125}
SCHEDULES: list[tuple[dict[str, Any], list[float]]] = [
    ({"T": 4, "k": 1}, [4.0]),
    ({"T": 4, "k": 1, "t_hat": 1}, [4.0]),
    ({"T": 4, "k": 2, "t_hat": 1}, [4.0, 1.0]),
    ({"T": 4, "k": 7, "t_hat": 0.5}, [4.0] + [0.5] * 6),
    ({"T": 4, "times": [2, 1, 0.5]}, [4.0, 2.0, 1.0, 0.5]),
    ({"sigma_max": 80, "sigmas": [4, 1]}, [np.log1p(80.0**2) / 2, np.log(17.0) / 2, np.log(2.0) / 2]),
]


@pytest.mark.parametrize(("schedule", "times"), SCHEDULES)
def test_multistep_against_plain_numpy(schedule: dict[str, Any], times: list[float]) -> None:
    found = MULTISTEP.evaluate(**CONSTANTS, **schedule)
    wanted = by_hand(times, 3, 2, 0.001, 0.125)
    assert found.value == pytest.approx(wanted, rel=1e-13)
    assert float(MULTISTEP.approximate(**CONSTANTS, **schedule).total) == pytest.approx(wanted, rel=1e-13)
    assert found.steps is not None
    assert [x.t for x in found.steps] == pytest.approx(times)
    assert [x.value for x in found.steps] == pytest.approx(
        [by_hand(times[: i + 1], 3, 2, 0.001, 0.125) for i in range(len(times))], rel=1e-13
    )


def test_a_fixed_time_is_a_schedule_of_equal_times() -> None:
    fixed = MULTISTEP.evaluate(**CONSTANTS, T=4, k=5, t_hat="0.75")
    listed = MULTISTEP.evaluate(**CONSTANTS, T=4, times=["0.75"] * 4)
    assert (fixed.lower, fixed.upper) == (listed.lower, listed.upper)
    closed = MULTISTEP.substitute(**CONSTANTS, T=4, k=5, t_hat="0.75")
    assert float(elementary(closed).evalf(30)) == pytest.approx(fixed.value, rel=1e-13)


def test_the_closed_form_is_the_sum() -> None:
    step = ScheduleSum(t_hat * cmbound.theory.notation.t_prev)
    sums = [step.at_fixed_time().subs(k, n) for n in (1, 2, 3, 6)]
    assert sums == [0, T * t_hat, T * t_hat + t_hat**2, T * t_hat + 4 * t_hat**2]
    assert [LastTime(T).at_fixed_time().subs(k, n) for n in (1, 2, 5)] == [T, t_hat, t_hat]


def test_arrays_of_schedules() -> None:
    counts, times = np.array([1, 2, 5]), np.array([[0.5], [1.0]])
    total = MULTISTEP.approximate(**CONSTANTS, T=4, k=counts, t_hat=times).total
    assert total.shape == (2, 3)
    for i, t in enumerate(times[:, 0]):
        for j, n in enumerate(counts):
            assert total[i, j] == pytest.approx(by_hand([4.0] + [float(t)] * (int(n) - 1), 3, 2, 0.001, 0.125), rel=1e-12)
    several = MULTISTEP.approximate(**{**CONSTANTS, "eps_ci": np.array([0.001, 0.1])}, T=4, times=[2, 1]).total
    assert several == pytest.approx([by_hand([4.0, 2.0, 1.0], 3, 2, x, 0.125) for x in (0.001, 0.1)], rel=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dtau": 5}, "dtau <= T"),
        ({"t_hat": "0.1"}, "dtau <= t_hat"),
        ({"t_hat": 5}, "t_hat <= T"),
        ({"t_hat": None, "times": [1, 5]}, "t_hat <= T; got T = 4, t_hat = 5"),
        ({"times": [1]}, "give times .* or t_hat, not both"),
        ({"t_hat": None}, "needs t_hat"),
        ({"eps_ci": [0.1, 0.2]}, "eps_ci must be one number, got a list"),
    ],
)
def test_multistep_questions_that_make_no_sense(change: dict[str, Any], message: str) -> None:
    with pytest.raises(CmboundError, match=message):
        MULTISTEP.evaluate(**{**CONSTANTS, "T": 4, "k": 3, "t_hat": 1, **change})


def test_ten_thousand_evaluations() -> None:
    found = MULTISTEP.evaluate(**CONSTANTS, T=4, k=10_000, t_hat=1)
    wanted = by_hand([4.0] + [1.0] * 9_999, 3, 2, 0.001, 0.125)
    assert found.value == pytest.approx(wanted, rel=1e-12)


def test_no_error_and_a_point_at_the_origin_cost_nothing() -> None:
    found = MULTISTEP.evaluate(R=0, m2=0, eps_ci=0, dtau=1, T=4, k=3, t_hat=1)
    assert found.value == 0
    one = MULTISTEP.evaluate(R=1, m2=0, eps_ci="0.1", dtau=1, T=4, k=1)
    assert one.terms["total_variation"].value == 0
    assert one.value == pytest.approx(0.4)


def test_entropy_steps_of_the_proof() -> None:
    """The two bounds on relative entropies are those of Gaussians with shifted means, in ball-free arithmetic."""
    c, s, x, error = np.exp(-1.2), np.sqrt(-np.expm1(-2.4)), 0.8, 0.05
    z = np.linspace(-12, 12, 400_001)

    def entropy(shift: float) -> float:
        log_ratio = (z**2 - (z - shift) ** 2) / -2  # of N(0, 1) to N(shift, 1)
        return float(np.sum(np.exp(-(z**2) / 2) * log_ratio) / np.sum(np.exp(-(z**2) / 2)))

    assert abs(entropy(c * x / s)) == pytest.approx(c**2 * x**2 / (2 * s**2), rel=1e-9)
    assert abs(entropy(c * error / s)) == pytest.approx(c**2 * error**2 / (2 * s**2), rel=1e-9)


# --- instances --------------------------------------------------------------------------------------------------------


def halved(theorem: Theorem, name: str, by: int = 2) -> Theorem:
    changed = tuple(Term(x.name, x.expression / by if x.name == name else x.expression) for x in theorem.bare_sources)
    return replace(theorem, sources=changed)


def multistep_recipe(times: list[float], count: int = 1, seed: int = 7, **knobs: float) -> Recipe:
    base = {name: OFF if low == OFF else 0.0 for name, (low, _) in related.KNOBS.items()}
    choices = {
        "d": 1, "components": 2, "symmetric": False, "widths": "common", "drift_sign": 1, "shift_sign": 1,
        "N": count, "times": times,
    }  # fmt: skip
    return Recipe(MULTISTEP.id, "atoms", seed, choices, {**base, **knobs})


def test_which_statements_have_instances() -> None:
    assert MULTISTEP.experiment in EXPERIMENTS
    assert EDM.experiment in EXPERIMENTS
    assert cmbound.theorem("explicit-training").experiment in EXPERIMENTS
    assert cmbound.theorem("lyu2023-cor8").experiment in EXPERIMENTS
    assert FLOW.experiment in EXPERIMENTS
    for id in set(ROWS) - {MULTISTEP.id, EDM.id, FLOW.id}:
        assert not cmbound.theorem(id).experiment
        with pytest.raises(InputError, match=f"{id} cannot be checked"):
            experiment_of(cmbound.theorem(id))
    with pytest.raises(InputError, match="no instances are known"):
        check("boffi2025-flowmap", instances=3)


@pytest.mark.parametrize("id", [MULTISTEP.id, EDM.id, FLOW.id])
def test_no_violation(id: str) -> None:
    report = check(id, instances=300, seed=2)
    assert report.violations == report.skipped == 0, report.worst
    assert report.passed + report.undecided == 300
    assert report.max_ratio is not None
    assert (report.max_ratio > 0.9) == (id in (MULTISTEP.id, FLOW.id))
    assert report.max_ratio > 0.02


@pytest.mark.parametrize("world", ["gaussian", "mixture", "atoms"])
def test_worlds(world: str) -> None:
    assert check(EDM.id, instances=40, world=world).passed == 40
    report = check(MULTISTEP.id, instances=10, world=world)
    assert report.skipped == (0 if world == "atoms" else 10)


def test_a_halved_consistency_term_is_a_violation() -> None:
    wrong = halved(MULTISTEP, "consistency")
    outcomes = [judge(draw(wrong, None, 0, n), wrong) for n in range(150)]
    violations = [x for x in outcomes if x.status == "violation"]
    assert violations
    assert all(judge(x.recipe).status in ("passed", "undecided") for x in violations)


def test_a_halved_total_variation_term_is_a_violation() -> None:
    """Two atoms at -R and R with weights near 1/5 and 4/5, an exact student, one evaluation from far away: ratio 0.58."""
    wrong = halved(MULTISTEP, "total_variation")
    recipes = [multistep_recipe([], seed=i, log_span=0.6, log_weight=x) for i in range(4) for x in np.linspace(0.2, 3, 15)]
    ratios = [judge(x).ratio or 0.0 for x in recipes]
    best = recipes[int(np.argmax(ratios))]
    assert 0.55 < max(ratios) < 1
    assert judge(best, wrong).status == "violation"
    assert judge(best).status == "passed"


def test_a_forgotten_sum_over_the_evaluations_is_a_violation() -> None:
    first, second = MULTISTEP.bare_sources
    forgotten = first.expression.replace(ScheduleSum, lambda *x: sympy.S.Zero)
    wrong = replace(MULTISTEP, sources=(Term(first.name, forgotten), second))
    outcomes = [
        judge(multistep_recipe([0.1], 10, log_span=0.9, log_drift=x, log_room=-0.3), wrong) for x in np.linspace(-2, -1, 9)
    ]
    assert any(x.status == "violation" for x in outcomes)
    assert all(judge(x.recipe).status == "passed" for x in outcomes)


def test_a_local_error_that_is_far_too_small_is_a_violation() -> None:
    wrong = halved(EDM, "discretisation", 100)
    outcomes = [judge(draw(wrong, None, 0, n), wrong) for n in range(60)]
    assert any(x.status == "violation" for x in outcomes)


def test_multistep_truth_against_sampling() -> None:
    """The law after three evaluations, and the consistency error, by simulation of the student on points and trajectories."""
    recipe = multistep_recipe([0.5, 0.25], 4, log_span=0.1, log_weight=1.0, log_drift=-0.7, log_shift=-1.0, log_room=-0.5)
    instance = build(recipe, MULTISTEP)
    world = Atoms(np.array([[-1.0], [0.3], [1.0]]), np.array([0.3, 0.5, 0.2]))
    student = related.Student(world, 1.2, 0.05, 0.3)
    rng = np.random.default_rng(3)

    def answer(x: Array, t: float) -> Array:
        centres = np.exp(-t) * np.sort(world.points[:, 0])
        u = ndtr((x[:, None] - centres) / np.sqrt(-np.expm1(-2 * t))) @ student.atoms[1]
        index = np.searchsorted(np.cumsum(student.atoms[1])[:-1], u - student.shift * t)
        return np.asarray(np.clip(student.atoms[0][index] + student.drift * t, -1.2, 1.2))

    y, mass, values = np.zeros(400_000), np.ones(1), np.zeros(1)
    for t in (1.5, 0.7, 0.3):
        deviation = float(np.sqrt(-np.expm1(-2 * t)))
        y = answer(np.exp(-t) * y + deviation * rng.standard_normal(len(y)), t)
        mass = student.law(t, np.exp(-t) * values, mass, deviation)
        values = student.values(t)
        for value, p in zip(values, mass, strict=True):
            assert np.mean(np.abs(y - value) < 1e-9) == pytest.approx(p, abs=0.005)
    x_0 = world.sample(200_000, seed=rng)[:, 0]
    high = np.exp(-0.7) * x_0 + np.sqrt(-np.expm1(-1.4)) * rng.standard_normal(len(x_0))
    low = world.rearrangement(high[:, None], 0.7, 0.3)[:, 0]
    gap = float(np.sqrt(np.mean((answer(high, 0.7) - answer(low, 0.3)) ** 2)))
    assert student.apart(0.7, 0.3) == pytest.approx(gap, rel=0.02)
    assert instance.truth.lower <= instance.truth.value <= instance.truth.upper


def test_distance_of_finite_laws() -> None:
    x, y = np.array([0.0, 1.0]), np.array([0.0, 1.0, 3.0])
    found = related.finite_w2(x, np.array([0.5, 0.5]), y, np.array([0.25, 0.5, 0.25]))
    assert found.value == pytest.approx(np.sqrt(0.25 * 1 + 0.25 * 4), rel=1e-12)
    assert found.lower <= found.value <= found.upper


def test_local_truths_agree_with_the_flow() -> None:
    """One mixture component is a Gaussian; the Gaussian truth is that of the step and the flow on samples."""
    variance, high, low = 2.0, 1.5, 0.7
    line = related._line_step(Mixture(np.array([[0.4]]), np.ones(1), variance), high, low)
    step, exact = (variance + high * low) / np.hypot(np.sqrt(variance), high), np.hypot(np.sqrt(variance), low)
    assert line.lower <= abs(step - exact) <= line.upper
    recipe = Recipe(
        EDM.id, "gaussian", 1, {"d": 1}, {"log_variance": np.log10(2.0), "log_spread": 0.0, "log_level": 0, "log_step": 0}
    )
    assert build(recipe, EDM).truth.value == pytest.approx(np.sqrt(3) - 4 / np.sqrt(6), rel=1e-12)
    truth = related._gaussian_step(recipe, high, low)
    assert truth.value == pytest.approx(abs(step - exact), rel=1e-12)


def test_variances_of_a_local_error_lie_below_the_largest() -> None:
    """At small variances an axis errs in proportion to its variance: the largest one alone, and never more than all alike."""
    knobs = {"log_variance": -4.0, "log_spread": 4.0, "log_level": 0.0, "log_step": 0.0}
    one, many = (build(Recipe(EDM.id, "gaussian", 1, {"d": n}, knobs), EDM).truth.value for n in (1, 8))
    assert one < many < np.sqrt(8) * one
    v = 1e-4
    assert one == pytest.approx(np.sqrt(v + 1) - (v + 2) / np.sqrt(v + 4), rel=1e-9)


def test_parts_for_planted_mistakes() -> None:
    assert [x.name for x in components(MULTISTEP)] == ["total_variation", "consistency"]
    assert [x.name for x in components(EDM)] == ["discretisation"]
    for theorem in (MULTISTEP, EDM):
        for part, term in zip(components(theorem), theorem.bare_sources, strict=True):
            assert plain(part.expression) == plain(term.expression)


def test_symbols_are_used_as_the_table_says() -> None:
    assert MULTISTEP.aliases["eps_ci"] == "eps_cm"
    assert not {delta, m2} & EDM.expression.free_symbols
    assert eps_ci in MULTISTEP.expression.free_symbols
    with pytest.raises(DomainError, match="eps_ci must be a number >= 0"):
        MULTISTEP.evaluate(**{**CONSTANTS, "eps_ci": -1}, T=4, k=1)
