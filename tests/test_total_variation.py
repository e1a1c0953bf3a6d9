"""The statements in total variation: formulas once more in mpmath, free parameters, instances with known truth."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
from mpmath import mpf

import cmbound
from cmbound.errors import CmboundError, DomainError, InputError
from cmbound.verification.campaign import check
from tests import oracle_sharp as sharp

SMOOTHING, UNDERDAMPED, EARLY = "explicit-tv-smoothing", "explicit-tv-underdamped", "explicit-tv-early-stopping"
BASE: dict[str, Any] = {
    "eps_sc": "1e-3", "eps_cm": "1e-3", "L_f": "1.5", "d": 3, "m2": "2", "L_s": "4", "T": 6, "delta": "1e-3", "h": "1e-3",
}  # fmt: skip
CORRECTOR = {"L_phi": "5", "eta": "1e-3", "gamma": "3", "tau_c": "0.7"}


def drift(t: Any, L: int = 4, m2: int = 2, d: int = 3) -> Any:
    """TV(p_t, p_data), theory 3.7, the sharper form."""
    return sharp.tv_closed(mpf(t), mpf(d), mpf(L), mpf(m2))


def old_drift(t: Any, L: Any, m2: Any, d: Any) -> Any:
    """The first form of theory 3.7, which the sharper one replaces."""
    return mpf(t) / 2 * mpmath.sqrt(d * (1 + L) ** 2 + L * (m2**2 + d * L))


def w2_terms(**options: Any) -> dict[str, Any]:
    found = cmbound.theorem("explicit-one-step").evaluate(**BASE, to="p_delta", digits=25, **options)
    return {name: mpf(str(x.upper)) for name, x in found.terms.items()}


def close(value: Any, wanted: Any) -> bool:
    return bool(abs(mpf(str(value)) - wanted) <= mpf(10) ** -18 * abs(wanted))


def test_formulas() -> None:
    with mpmath.workdps(40):
        early = cmbound.theorem(EARLY).evaluate(L_s=4, m2=2, d=3, delta="1e-3", digits=25)
        assert close(early.upper, drift("0.001"))
        terms = w2_terms()
        smoothed = cmbound.theorem(SMOOTHING).evaluate(**BASE, u="0.02", digits=25)
        price = 1 / mpmath.sqrt(2 * mpmath.pi * (mpmath.exp(mpf("0.04")) - 1))
        for name, value in terms.items():
            assert close(smoothed.terms[name].upper, price * value)
        assert close(smoothed.terms["smoothing"].upper, drift("0.02"))
        assert close(smoothed.terms["early_stopping"].upper, drift("0.001"))
        corrected = cmbound.theorem(UNDERDAMPED).evaluate(**BASE, **CORRECTOR, digits=25)
        gam, tau, eta, L_phi = mpf(3), mpf("0.7"), mpf("0.001"), mpf(5)
        K = (
            mpmath.sqrt(12) * tau ** mpf("-1.5")
            + gam * mpmath.sqrt(mpf(6) / 5) / mpmath.sqrt(tau)
            + L_phi * mpmath.sqrt(13 * tau / 35 + eta)
        ) ** 2 / (4 * gam)
        eps, L, d = mpf("0.001"), mpf(4), mpf(3)
        G = tau / (4 * gam) * (eps**2 + eps * L * mpmath.sqrt(d) * eta + L**2 * d * eta**2 / 3)
        for name, value in terms.items():
            assert close(corrected.terms[name].upper, mpmath.sqrt(K / mpmath.pi) * value)
        assert close(corrected.terms["corrector"].upper, mpmath.sqrt(G / 2))
        assert close(corrected.terms["early_stopping"].upper, drift("0.001"))
        to_delta = cmbound.theorem(UNDERDAMPED).evaluate(**BASE, **CORRECTOR, to="p_delta")
        assert "early_stopping" not in to_delta.terms


@pytest.mark.parametrize("L", ["1", "1.5", "2", "2.5", "7", "300", "1e9"])
def test_the_sharper_form_lies_between_the_truth_and_the_old_one(L: str) -> None:
    """On both sides of L = 2, for second moments from the least of such a law, d/L, on; N(0, I/L) loses a factor 2^(1/2)."""
    for d in (1, 3, 10**7):
        for factor in ("1", "1.2", "4", "1e6"):
            with mpmath.workdps(60):
                m2 = mpmath.sqrt(mpf(factor) * d / mpf(L))
                text = mpmath.nstr(m2 * (1 + mpf(10) ** -30), 40)
                found = cmbound.theorem(EARLY).evaluate(L_s=L, m2=text, d=d, delta="1e-3", digits=25)
                wanted = sharp.tv_closed(mpf("0.001"), mpf(d), mpf(L), mpf(text))
                # at L = 1, m2^2 = d the law is N(0, I) and the bound 0: it is compared with the old one
                scale = old_drift("0.001", mpf(L), mpf(text), d)
                assert abs(mpf(str(found.upper)) - wanted) <= mpf(10) ** -14 * scale
                if mpf(L) < 1000:  # beyond, the quadrature asks for the score's size at time 0
                    integral = sharp.tv_integral(mpf("0.001"), mpf(d), mpf(L), mpf(text))
                    assert integral <= mpf(str(found.upper)) * (1 + mpf(10) ** -20) + mpf(10) ** -14 * scale
                assert mpf(str(found.upper)) < scale
                near = float(cmbound.theorem(EARLY).approximate(L_s=L, m2=text, d=d, delta="1e-3").total)
                assert abs(near - wanted) <= 1e-12 * wanted + 1e-7 * scale  # what is left of a difference that vanishes
    with mpmath.workdps(30):  # N(0, 1/L) on the line: TV of two centred normal laws is known
        variance, t = 1 / mpf(L), mpf(10) ** -6 / mpf(L)
        later = mpmath.exp(-2 * t) * variance + 1 - mpmath.exp(-2 * t)
        truth = total_variation(variance, later)
        bound = sharp.tv_closed(t, mpf(1), mpf(L), mpmath.sqrt(variance))
        # (L-1) t E abs(x^2 - 1)/2 against (L-1) t (E (x^2 - 1)^2)^{1/2}/2
        if mpf(L) > 1:
            assert truth <= bound <= truth * mpmath.sqrt(2) / mpf("0.96")


def total_variation(v: Any, w: Any) -> Any:
    """TV of N(0, v) and N(0, w)."""
    if v == w:
        return mpf(0)
    cross = mpmath.sqrt(mpmath.log(w / v) / (1 / v - 1 / w))
    return abs(mpmath.erf(cross / mpmath.sqrt(2 * v)) - mpmath.erf(cross / mpmath.sqrt(2 * w)))


def test_what_is_left_out_is_chosen_best() -> None:
    best = cmbound.theorem(SMOOTHING).evaluate(**BASE)
    scan = [cmbound.theorem(SMOOTHING).approximate(**BASE, u=float(u)).total for u in np.geomspace(1e-6, 1, 200)]
    assert best.value <= min(scan) * (1 + 1e-6)
    assert "u" in best.derived
    assert "u" not in best.parameters
    again = cmbound.theorem(SMOOTHING).evaluate(**BASE, u=str(best.derived["u"].upper))
    assert again.value == pytest.approx(best.value, rel=1e-12)
    corrected = cmbound.theorem(UNDERDAMPED).evaluate(**BASE, L_phi=5, eta="1e-3")
    for factor, name in ((0.7, "gamma"), (0.7, "tau_c"), (1.4, "tau_c")):
        numbers = {x: float(corrected.derived[x].upper) for x in ("gamma", "tau_c")}
        numbers[name] *= factor
        other = cmbound.theorem(UNDERDAMPED).evaluate(**BASE, L_phi=5, eta="1e-3", **numbers)
        assert corrected.value <= other.value * (1 + 1e-3)
    one = cmbound.theorem(UNDERDAMPED).evaluate(**BASE, L_phi=5, eta="1e-3", gamma=2)
    assert set(one.derived) >= {"tau_c"}
    assert corrected.value <= one.value


def test_total_variation_never_exceeds_1() -> None:
    found = cmbound.theorem(SMOOTHING).evaluate(**{**BASE, "eps_cm": 100}, u="0.1")
    assert found.trivial == 1
    assert found.vacuous
    assert "total variation never exceeds 1" in " ".join(found.notes)


@pytest.mark.parametrize("id", [EARLY, SMOOTHING, UNDERDAMPED])
def test_no_violation_on_exact_instances(id: str) -> None:
    """Terms that are 10 times too small are found among these, or not among 1200 either."""
    report = check(id, instances=700, world="gaussian", seed=4)
    assert report.violations == 0, report.worst
    assert report.passed >= 350
    assert report.max_ratio is not None
    assert 0.1 < report.max_ratio < 1


@pytest.mark.parametrize("id", [EARLY, SMOOTHING])
def test_no_violation_on_mixtures(id: str) -> None:
    """Terms that are 10 and 100 times too small are found among these, or not among 60 either."""
    report = check(id, instances=30, world="mixture", seed=4)
    assert report.violations == 0, report.worst
    assert report.passed >= 10


@pytest.mark.parametrize(
    ("id", "change", "kind", "words"),
    [
        (SMOOTHING, {"u": 7}, DomainError, "delta \\+ u <= T"),
        (SMOOTHING, {"u": 0}, DomainError, "u must be a number > 0"),
        (SMOOTHING, {"u": 1, "t_star": "delta"}, DomainError, "t_star = 0"),
        (SMOOTHING, {"clock": "ve"}, InputError, "stated in the ou clock only"),
        (UNDERDAMPED, {"L_phi": 5, "eta": 1, "tau_c": "0.5", "gamma": 1}, DomainError, "eta <= tau_c"),
        (UNDERDAMPED, {"eta": "1e-3"}, CmboundError, "needs L_phi"),
        (UNDERDAMPED, {**CORRECTOR, "h": None, "grid": [0.001, 1, 6], "T": None, "delta": None, "eps_sc": [1, 2]}, InputError,
         "takes one eps_sc"),
    ],
)  # fmt: skip
def test_errors(id: str, change: dict[str, Any], kind: type[CmboundError], words: str) -> None:
    with pytest.raises(kind, match=words):
        cmbound.theorem(id).evaluate(**{**BASE, **change})


@pytest.mark.parametrize(("id", "more"), [(SMOOTHING, {}), (UNDERDAMPED, {"L_phi": 5})])
def test_a_budget_for_total_variation(id: str, more: dict[str, Any]) -> None:
    numbers = {name: BASE[name] for name in ("L_f", "d", "m2", "L_s")}
    budget = cmbound.solve(id, target="0.3", profile="universal-integrated", **numbers, **more)
    assert budget.achieved.value <= 0.3
    assert budget.achieved.value > 0.25
    assert set(budget.solved) == {"delta", "T", "h", "eps_sc", "eps_cm", "eta" if more else "u"}
    assert all(x.value <= budget.split[name] * 0.3 * (1 + 1e-9) for name, x in budget.achieved.terms.items())
    assert (budget.chosen, dict(budget.fixed)) == (("gamma", "tau_c") if more else (), {})


PRESET: dict[str, Any] = {"preset": "gaussian-2d"}


@pytest.mark.parametrize(
    ("id", "given", "options", "chosen"),
    [
        (SMOOTHING, PRESET, {"target": "0.5", "unknown": "eps_cm"}, ("u",)),
        (SMOOTHING, PRESET, {"target": "0.5", "unknown": "h"}, ("u",)),
        (SMOOTHING, {**PRESET, "u": "0.03"}, {"target": "0.5", "unknown": "eps_cm"}, ()),
        (SMOOTHING, PRESET, {"target": "0.5", "unknown": "u"}, ()),
        (UNDERDAMPED, {**PRESET, "L_phi": 4, "eta": "0.001", "gamma": 30}, {"target": "0.9", "unknown": "eps_cm"}, ("tau_c",)),
        (UNDERDAMPED, {**PRESET, "L_phi": 4, "eta": "0.001"}, {"target": "0.9", "unknown": "T"}, ("gamma", "tau_c")),
        (UNDERDAMPED, {**PRESET, "L_phi": 4, "L_f": "1.05"}, {"target": "0.5"}, ("gamma", "tau_c")),
        (UNDERDAMPED, {**PRESET, "L_phi": 4, "tau_c": "0.9"}, {"target": "0.5"}, ("gamma",)),
    ],
    ids=str,
)
def test_an_answer_tells_every_parameter_it_stands_on(
    id: str, given: dict[str, Any], options: dict[str, Any], chosen: tuple[str, ...]
) -> None:
    """Free parameters that were left out are chosen; without them nobody could check the bound that is called certified."""
    budget = cmbound.solve(id, **options, **given)
    assert budget.chosen == chosen
    assert set(chosen) & {*budget.fixed, *budget.solved, *given} == set()
    assert set(chosen) <= set(budget.budget)
    again = cmbound.theorem(id).evaluate(**budget.achieved.parameters)
    assert (again.lower, again.upper) == (budget.achieved.lower, budget.achieved.upper)
    assert set(cmbound.theorem(id).free) <= set(budget.achieved.parameters)
    data = budget.to_dict()
    assert data["chosen"] == list(chosen)
    for name in chosen:
        assert data["budget"][name] == data["parameters"][name] == budget.budget[name]
        assert re.search(rf"{name} +{re.escape(budget.budget[name])} +chosen", budget.text())


def test_the_cost_of_a_corrector_is_named() -> None:
    law: dict[str, Any] = {"L_s": "1.5", "L_phi": "1.5", "L_f": "1.05", "d": 1, "m2": "1.517"}
    budget = cmbound.solve(UNDERDAMPED, target="0.195", **law)
    eta, time = (Fraction(budget.budget[x]) for x in ("eta", "tau_c"))
    count = budget.steps_of_corrector
    assert count is not None
    assert (count - 1) * eta < time <= count * eta
    page = budget.text()
    assert f"{count} evaluations of the score in the corrector" in page
    assert f"{budget.evaluations_of_teacher} evaluations of the teacher" in page
    assert budget.to_dict()["steps_of_corrector"] == count
    assert cmbound.solve(SMOOTHING, target="0.5", unknown="eps_cm", **PRESET).steps_of_corrector is None


@pytest.mark.parametrize("unknown", [None, "delta"])
def test_the_time_of_early_stopping_alone(unknown: str | None) -> None:
    """The only term grows with delta: the largest delta within the target."""
    early = cmbound.theorem(EARLY)
    law: dict[str, Any] = {"L_s": 2, "d": 2, "m2": 1}
    budget = cmbound.solve(early, target="0.1", unknown=unknown, **law)
    assert budget.solved == ("delta",)
    found = Fraction(budget.budget["delta"])
    assert early.evaluate(**law, delta=found).value <= 0.1 < early.evaluate(**law, delta=found * Fraction(1001, 1000)).value
    with pytest.raises(InputError, match="unknown must be one of delta; got 'T'"):
        cmbound.solve(early, target="0.1", unknown="T", **law)
