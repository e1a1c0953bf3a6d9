"""Budgets and schedules: they are certified, nearly tight, the best of many tried, and say what is impossible."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from dataclasses import fields, replace
from fractions import Fraction
from math import exp, log, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.optimize import minimize_scalar

import cmbound
from cmbound.errors import CmboundError, DomainError, InputError, MissingParameterError, UnknownNameError
from cmbound.evaluation.records import Evaluation
from cmbound.evaluation.statement import theorem
from cmbound.names import TEACHERS
from cmbound.papers.figures.multistep import multistep_figure, planned
from cmbound.planning.budget import solve
from cmbound.planning.candidates import Candidates
from cmbound.planning.problem import TERM_OF, rounded, stepped
from cmbound.planning.records import Budget
from cmbound.planning.roots import Missed, fewest, largest, smallest
from cmbound.planning.schedule import schedule
from cmbound.theory.notation import W_prev
from cmbound.theory.records import Term, Theorem
from tests.helpers import FORMATS, call, check_format, fine, flags, strict, with_option
from tests.latex import compiled, missing_tex

LAW: dict[str, Any] = {"L_f": "1.05", "d": 2, "m2": "1.2"}
FAST: dict[str, Any] = {**LAW, "profile": "second-moment"}
ORDER = ("delta", "T", "h", "eps_sc", "eps_cm")
POINT: dict[str, Any] = {**FAST, "eps_sc": "1e-3", "eps_cm": "1e-3", "T": 5, "delta": "1e-3", "h": "1e-4"}


def put_back(budget: Budget, **changes: Any) -> Evaluation:
    """The statement at the numbers of the budget, some of them changed."""
    achieved = budget.achieved
    numbers = {**budget.parameters, **changes}
    options = {
        "teacher": achieved.teacher,
        "to": achieved.target,
        "start": achieved.start,
        "clock": achieved.clock,
        "profile": achieved.profile,
    }
    kind = (achieved.grid or {}).get("kind")
    options["grid"] = None if kind in (None, "closed-form") else kind
    return cmbound.theorem(budget.theorem).evaluate(**numbers, **options)


def check_budget(budget: Budget, target: str) -> None:
    """Certified within the target, and the record agrees with itself."""
    again = put_back(budget)
    assert Fraction(again.upper) <= Fraction(target)
    assert again.upper == budget.achieved.upper
    assert budget.target == Fraction(target)
    assert budget.achieved.is_guarantee
    if budget.theorem.uses_profile and "h" in budget.budget:
        width = Fraction(budget.budget.get("t", budget.budget.get("T"))) - Fraction(budget.budget["delta"])  # type: ignore[arg-type]
        steps = int(budget.budget["N"])
        assert steps == budget.evaluations_of_teacher
        assert (steps - 1) * Fraction(budget.budget["h"]) < width <= steps * Fraction(budget.budget["h"])


def check_tight(budget: Budget, target: str) -> None:
    """Every solved term is within its share; relaxing its parameter by 1% breaks the share."""
    for name in budget.solved:
        if name not in TERM_OF:
            continue
        term = TERM_OF[name]
        share = budget.split[term] * float(Fraction(target))
        assert budget.achieved.terms[term].value <= share * (1 + 1e-12)
        value = Fraction(budget.budget[name])
        relaxed = value * Fraction(99, 100) if name in ("T", "N") else value * Fraction(101, 100)
        if name == "N":
            relaxed = Fraction(int(relaxed))
        assert put_back(budget, **{name: relaxed}).terms[term].value > share, name


# --- inverting one function -----------------------------------------------------------------------------------------


@given(st.floats(0.2, 3), st.floats(1e-6, 1e6))
def test_roots_of_powers(power: float, allowance: float) -> None:
    exact = allowance ** (1 / power)
    assert largest(lambda x: x**power, allowance, 1e-40, 1e40) == pytest.approx(exact, rel=1e-6)
    least = 100 ** (1 / power)
    if least > 1e6 * (1 - 1e-9):
        with pytest.raises(Missed):
            fewest(lambda n: 1e3 / n**power, 10.0)
        return
    found = fewest(lambda n: 1e3 / n**power, 10.0)
    assert 1e3 / found**power <= 10.0
    assert found <= max(least + 1, least * 1.0002)
    if found <= 10**4:
        assert 1e3 / (found - 1) ** power > 10.0


def test_roots_at_their_ends() -> None:
    assert largest(lambda x: 0.0, 1.0, 1.0, 7.0) == 7.0
    assert smallest(lambda x: exp(-x), 2.0, 0.5, 9.0) == 0.5
    assert smallest(lambda x: exp(-x), 1e-3, 0.5, 90.0) == pytest.approx(log(1000), rel=1e-6)
    with pytest.raises(Missed):
        largest(lambda x: x, 0.5, 1.0, 2.0)
    with pytest.raises(Missed):
        smallest(lambda x: exp(-x), 1e-9, 0.5, 9.0)
    with pytest.raises(Missed):
        fewest(lambda n: 1.0 + 1 / n, 0.5, 1000)


def test_roots_beside_what_exceeds_float64() -> None:
    def f(x: float) -> float:
        if x > 10:
            raise DomainError("exceeds the float64 range")
        return x

    assert largest(f, 5.0, 1e-3, 1e100) == pytest.approx(5, rel=1e-6)
    with pytest.raises(Missed, match="still inf"):
        smallest(f, 0.5, 1.0, 100.0)


@given(st.floats(1e-90, 1e90))
def test_rounding_is_safe_and_stepping_goes_further(x: float) -> None:
    low, high = Fraction(rounded(x, up=False)), Fraction(rounded(x, up=True))
    assert low <= Fraction(x) <= high
    assert high - low <= Fraction(x) / 1000
    assert low * Fraction(99, 100) < Fraction(stepped("h", rounded(x, up=False))) < low
    assert high < Fraction(stepped("T", rounded(x, up=True))) < high * Fraction(101, 100)


# --- all unknowns ---------------------------------------------------------------------------------------------------


@settings(max_examples=12, deadline=None)
@given(
    target=st.sampled_from(["0.5", "0.1", "1/30", "1e-3"]),
    d=st.integers(1, 300),
    ratio=st.fractions(Fraction(1, 4), Fraction(3), max_denominator=20),
    lipschitz=st.fractions(Fraction(1), Fraction(20), max_denominator=20),
    profile=st.sampled_from(["universal", "second-moment", "universal-integrated"]),
    start=st.sampled_from(["standard", "matched"]),
)
def test_budget_is_certified_and_tight(
    target: str, d: int, ratio: Fraction, lipschitz: Fraction, profile: str, start: str
) -> None:
    m2 = Fraction(round(float(ratio) * sqrt(d) * 1000), 1000)
    budget = solve("explicit-one-step", target=target, d=d, m2=m2, L_f=lipschitz, profile=profile, start=start)
    assert budget.solved == ORDER
    check_budget(budget, target)
    check_tight(budget, target)
    assert all(x == pytest.approx(0.2) for x in budget.split.values())
    assert float(budget.achieved) >= 0.99 * float(Fraction(target))


@settings(max_examples=6, deadline=None)
@given(
    st.sampled_from(["explicit-one-step", "explicit-training"]), st.floats(1e-4, 0.3), st.floats(1.0, 8.0), st.floats(1e-4, 1e-2)
)
def test_forward_then_inverse(id: str, delta: float, T: float, eps: float) -> None:
    """Solving for the terms a point has gives the point back, to the digits an answer has."""
    point: dict[str, Any] = {"delta": delta, "T": T, "eps_cm": eps}
    if id == "explicit-one-step":
        point |= {"h": T / 1000, "eps_sc": eps, "profile": "universal"}
    forward = theorem(id).evaluate(**LAW, **point)
    total = sum(Fraction(x.upper) for x in forward.terms.values())
    split = {name: Fraction(x.upper) / total for name, x in forward.terms.items()}
    options = {"profile": "universal"} if "profile" in point else {}
    budget = solve(id, target=total, split=split, **{**LAW, **options})
    assert {"delta", "T", "eps_cm"} <= set(budget.solved)
    for name in budget.solved:
        assert float(Fraction(budget.budget[name])) == pytest.approx(float(point[name]), rel=3e-3), name


@pytest.mark.parametrize(
    ("id", "options", "solved"),
    [
        ("explicit-one-step", {}, ORDER),
        ("explicit-one-step", {"clock": "ve", "T": 3, "m2": "1e-3", "start": "matched"}, ("delta", "h", "eps_sc", "eps_cm")),
        ("explicit-one-step", {"grid": "two-stage"}, ORDER),
        ("explicit-one-step", {"grid": "uniform"}, ("delta", "T", "N", "eps_sc", "eps_cm")),
        ("explicit-one-step", {"teacher": "ddim"}, ("delta", "T", "N", "eps_sc", "eps_cm")),
        ("explicit-one-step", {"teacher": "ddim", "grid": "edm", "start": "matched"}, ("delta", "T", "N", "eps_sc", "eps_cm")),
        ("explicit-one-step", {"to": "p_delta", "fix": {"delta": "1e-3"}}, ("T", "h", "eps_sc", "eps_cm")),
        ("explicit-training", {"profile": None}, ("delta", "T", "eps_cm")),
        ("explicit-map-error", {"fix": {"delta": "1e-2", "t": 3}}, ("h", "eps_sc", "eps_cm")),
        ("explicit-multistep", {"fix": {"k": 3, "t_hat": "0.5"}}, ORDER),
        ("explicit-multistep", {"fix": {"times": "0.6,0.4"}}, ORDER),
        ("explicit-multistep", {"k": 3}, (*ORDER, "t_hat")),
        ("explicit-multistep", {"k": 2, "teacher": "ddim"}, ("delta", "T", "N", "eps_sc", "eps_cm", "t_hat")),
        ("explicit-multistep", {}, (*ORDER, "k")),
        ("explicit-multistep", {"fix": {"t_hat": 1, "T": 2}}, ("delta", "h", "eps_sc", "eps_cm", "k")),
    ],
)  # fmt: skip
def test_every_statement_grid_and_clock(id: str, options: dict[str, Any], solved: tuple[str, ...]) -> None:
    params = {**FAST, **options}
    if id == "explicit-map-error":
        params.pop("m2")
        params["profile"] = "universal"
    budget = solve(id, target="0.5", **params)
    assert budget.solved == solved
    check_budget(budget, "0.5")
    if "k" not in solved and "t_hat" not in solved and options.get("grid") != "two-stage":
        check_tight(budget, "0.5")
    data = json.loads(json.dumps(budget.to_dict()))
    assert set(solved) <= set(data["budget"])
    assert Fraction(data["achieved"]["upper"]) <= Fraction(1, 2)
    assert {x["name"] for x in data["achieved"]["terms"]} == set(data["split"])


def test_smaller_targets_need_more() -> None:
    budgets = [solve("explicit-one-step", target=x, **FAST) for x in ("1", "0.3", "0.1", "0.01")]
    for easy, hard in itertools.pairwise(budgets):
        for name in ("delta", "h", "eps_sc", "eps_cm"):
            assert Fraction(hard.budget[name]) < Fraction(easy.budget[name])
        for name in ("T", "N"):
            assert Fraction(hard.budget[name]) > Fraction(easy.budget[name])


def test_closed_forms() -> None:
    """Early stopping with m2 = 0 and the consistency error can be inverted by hand."""
    budget = solve("explicit-one-step", target="0.5", d=3, m2=0, L_f=1, profile="universal")
    assert float(budget.budget["delta"]) == pytest.approx(-log(1 - 0.01 / 3) / 2, rel=2e-3)
    width = float(budget.budget["T"]) - float(budget.budget["delta"])
    assert float(budget.budget["eps_cm"]) == pytest.approx(0.1 / width, rel=2e-3)


def test_caps() -> None:
    """A share early stopping never reaches: delta is capped by T, and one step no longer than T - delta does."""
    budget = solve("explicit-one-step", target=100, fix={"T": "0.75"}, **FAST)
    assert (budget.budget["delta"], budget.budget["h"], budget.budget["N"]) == ("0.74999", "0.00001", "1")
    budget = solve("explicit-one-step", target=100, fix={"T": 2, "h": "0.5"}, **FAST)
    assert budget.budget["delta"] == "1.5"
    assert budget.evaluations_of_teacher == 1
    check_budget(solve("explicit-one-step", target=1000, **FAST), "1000")
    check_budget(solve("explicit-one-step", target="0.1", d=1, m2=0, L_f=1, start="matched", profile="universal"), "0.1")


def test_fewest_evaluations() -> None:
    """With a short horizon several are needed, and one less is not enough."""
    params = {**FAST, "fix": {"T": "0.8"}, "target": "0.05"}
    budget = solve("explicit-multistep", **params)
    k = int(budget.budget["k"])
    assert k >= 5
    with pytest.raises(DomainError, match=r"the target 0\.05 cannot be met"):
        solve("explicit-multistep", k=k - 1, **params)


def test_the_largest_step_is_the_width_exactly() -> None:
    """A fraction where that is short, rounded down where it is not."""
    for T, delta, h in (("5/7", "1/7", "4/7"), ("0.75", "0.25", "0.5"), ("2", "1", "1")):
        assert solve("explicit-one-step", target=1000, fix={"T": T, "delta": delta}, **FAST).budget["h"] == h
    long = solve("explicit-one-step", target=1000, fix={"sigma_max": "2", "sigma_min": "1"}, **FAST).budget["h"]
    assert 0 <= log(5 / 2) / 2 - float(long) < 1e-14


@pytest.mark.parametrize(
    ("id", "params", "solved"),
    [
        ("kwon2022-w2", {"L_os": "1/2", "T": "1/2"}, ("eps_sc",)),
        ("chewi2026-ddpm", {"d": 2, "delta": "1e-3", "hbar": "1e-4", "eps_w": "1e-3"}, ("T",)),
    ],
)
def test_statements_without_a_parameter_of_every_term(id: str, params: dict[str, Any], solved: tuple[str, ...]) -> None:
    """What a statement does not have is neither asked for nor solved for."""
    budget = solve(id, target=9, m2="1", **({"d": 1} | params))
    assert budget.solved == solved
    assert Fraction(budget.achieved.upper) <= 9
    for other, unknown in (("chen2025-multistep", "k"), ("brosse2026-edm", "T"), ("chen2025-multistep", None)):
        with pytest.raises(InputError, match="has no budget"):
            solve(other, target=1, unknown=unknown)
    with pytest.raises(DomainError, match=r"cannot be met: initialisation is still inf at T = 690"):
        solve("kwon2022-w2", target="0.01", m2="1", d=1, L_os="1/2")


# --- fixing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fix",
    [{"delta": "1e-5"}, {"T": 6}, {"h": "1e-4"}, {"eps_sc": "1e-3"}, {"eps_cm": "1e-3", "h": "1e-4"}, {"N": 50000}],
    ids=str,
)  # fmt: skip
def test_fix(fix: dict[str, Any]) -> None:
    budget = solve("explicit-one-step", target="0.5", fix=fix, **FAST)
    check_budget(budget, "0.5")
    check_tight(budget, "0.5")
    assert dict(budget.fixed) == {name: str(x) for name, x in fix.items()}
    assert all(budget.budget.get(name) == str(x) for name, x in fix.items())
    shares = {budget.split[TERM_OF[name]] for name in budget.solved}
    assert max(shares) - min(shares) < 1e-12
    assert sum(budget.split.values()) == pytest.approx(1, rel=2e-3)
    assert float(budget.achieved) > 0.49
    as_parameters = solve("explicit-one-step", target="0.5", **FAST, **fix)
    assert as_parameters.budget == budget.budget


def test_all_fixed() -> None:
    point = {x: POINT[x] for x in ORDER}
    enough = solve("explicit-one-step", target="0.5", fix=point, **FAST)
    assert enough.solved == ()
    assert enough.achieved.upper == theorem("explicit-one-step").evaluate(**POINT).upper
    with pytest.raises(DomainError, match=r"early stopping alone is 0\.063.*, 0\.013.* above it"):
        solve("explicit-one-step", target="0.05", fix=point, **FAST)


@pytest.mark.parametrize(
    ("fix", "text"),
    [
        ({"delta": 1}, r"delta = 1 fixed: early stopping alone is 1\.5\d+, 1\.4\d+ above it"),
        ({"T": "0.5"}, r"T = 0.5 fixed: initialisation alone is 0\.\d+, 0\.\d+ above it"),
        ({"h": "0.1"}, r"h = 0.1 fixed: discretisation alone is \d.*above it"),
        ({"eps_sc": 1}, r"eps_sc = 1 fixed: score alone is \d.*above it"),
        ({"eps_cm": "0.09"}, r"eps_cm = 0.09 fixed: consistency alone is 0\.\d+, 0\.\d+ above it"),
        ({"delta": "8e-4", "T": 3}, r"initialisation 0\.06\d* \+ early stopping 0\.056\d* = 0\.1\d+, 0\.0\d+ above it"),
    ],
)  # fmt: skip
def test_impossible_targets_name_the_term(fix: dict[str, Any], text: str) -> None:
    with pytest.raises(DomainError, match=text):
        solve("explicit-one-step", target="0.1", fix=fix, **FAST)


def test_a_target_little_above_the_least_that_can_be_met() -> None:
    """What T costs with eps_cm follows the room that is left almost one to one: it takes 27 trials (0.489 cannot be met)."""
    check_budget(solve("explicit-one-step", target="0.4925", fix={"eps_cm": "0.1"}, **FAST), "0.4925")


def test_a_grid_that_cannot_be_fine_enough() -> None:
    nodes = ["1e-3", "0.1", "1", "2"]
    with pytest.raises(DomainError, match=r"discretisation alone is \d+.*above"):
        solve("explicit-one-step", target="0.5", grid=nodes, **FAST)
    budget = solve("explicit-one-step", target="500", grid=nodes, **FAST)
    assert budget.solved == ("eps_sc", "eps_cm")
    assert budget.evaluations_of_teacher == 3


def test_lists_for_each_step() -> None:
    budget = solve("explicit-one-step", target=900, L_f=["1.1", "1.2", "1.3", "1.4"], grid="geometric", d=2, m2=1)
    assert budget.evaluations_of_teacher == 4
    assert Fraction(budget.achieved.upper) <= 900


# --- the split ------------------------------------------------------------------------------------------------------


def test_split_by_position_and_by_name() -> None:
    names = [x.name for x in theorem("explicit-one-step").bare_sources]
    numbers = ["0.1", "0.3", "0.2", "0.15", "0.25"]
    one = solve("explicit-one-step", target="0.5", split=",".join(numbers), **FAST)
    two = solve("explicit-one-step", target="0.5", split=dict(zip(names, numbers, strict=True)), **FAST)
    assert one.budget == two.budget
    check_tight(one, "0.5")
    assert one.split["consistency"] == pytest.approx(0.3)
    part = solve("explicit-one-step", target="0.5", split="early_stopping=0.6", **FAST)
    assert {x: round(y, 9) for x, y in part.split.items()} == {x: 0.6 if x == "early_stopping" else 0.1 for x in names}


@pytest.mark.parametrize(
    ("split", "kind", "text"),
    [
        ("0.5,0.5", InputError, "split needs 5 numbers .*got 2"),
        ("0.1,0.1,0.1,0.1,0.1", DomainError, "must add up to 1, got 0.5"),
        ("initialisation=1", DomainError, "must add up to 1"),
        ("initialisation=0", DomainError, "split of initialisation must be a number > 0"),
        ("initialization=0.2", UnknownNameError, "did you mean 'initialisation'"),
        ("initialisation=0.2,initialisation=0.2", InputError, "each term once"),
        ("a,b,c,d,e", InputError, "not a number"),
    ],
)
def test_bad_splits(split: str, kind: type[CmboundError], text: str) -> None:
    with pytest.raises(kind, match=text):
        solve("explicit-one-step", target="0.5", split=split, **FAST)


@pytest.mark.parametrize("options", [{}, {"fix": {"eps_sc": "1e-3", "eps_cm": "1e-3"}}, {"fix": {"delta": "1e-3"}}])
def test_optimal_split_needs_the_fewest_steps(options: dict[str, Any]) -> None:
    target = "0.2"
    default = solve("explicit-one-step", target=target, **FAST, **options)
    best = solve("explicit-one-step", target=target, split="optimal", **FAST, **options)
    check_budget(best, target)
    steps = best.evaluations_of_teacher
    assert steps is not None
    assert default.evaluations_of_teacher is not None
    assert steps < default.evaluations_of_teacher
    free = [x for x in default.solved if x in ("delta", "T", "h")]
    total = Fraction(1) if len(default.solved) == 5 else Fraction(99, 100)  # the rest is for fixed terms, and ignored
    kept = {TERM_OF[x]: total / len(default.solved) for x in default.solved if x not in free}
    rng = np.random.default_rng(3)
    for _ in range(5):
        weights = [Fraction(int(x * 1000) + 1) for x in rng.dirichlet([2.0] * len(free))]
        room = total - sum(kept.values())
        split = kept | {TERM_OF[x]: w / sum(weights) * room for x, w in zip(free, weights, strict=True)}
        other = solve("explicit-one-step", target=target, split=split, **FAST, **options)
        assert other.evaluations_of_teacher is not None
        assert steps <= other.evaluations_of_teacher * 1.001 + 1


def test_optimal_split_on_a_grid() -> None:
    settings = {**FAST, "teacher": "ddim"}
    default = solve("explicit-one-step", target="0.5", **settings)
    best = solve("explicit-one-step", target="0.5", split="optimal", **settings)
    check_budget(best, "0.5")
    assert (best.evaluations_of_teacher or 0) < (default.evaluations_of_teacher or 0)
    with pytest.raises(InputError, match="minimises the number of steps"):
        solve("explicit-one-step", target="0.5", split="optimal", fix={"N": 2000}, **settings)


# --- a single unknown -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["h", "eps_sc", "eps_cm", "T", "delta", "L_f"])
def test_single_unknown(name: str) -> None:
    target = Fraction(3, 5)
    rest = {x: y for x, y in POINT.items() if x != name}
    budget = solve("explicit-one-step", target=target, unknown=name, **rest)
    assert budget.solved == (name,)
    assert Fraction(budget.achieved.upper) <= target
    value = Fraction(budget.budget[name])
    further = value * Fraction(99, 100) if name == "T" else value * Fraction(101, 100)
    assert put_back(budget, **{name: further}).upper > target


def test_single_unknown_steps() -> None:
    rest = {x: y for x, y in POINT.items() if x != "h"}
    budget = solve("explicit-one-step", target="0.6", unknown="N", teacher="ddim", **rest)
    steps = int(budget.budget["N"])
    assert put_back(budget).value <= 0.6 < put_back(budget, N=steps - 1).value


def test_single_unknown_evaluations() -> None:
    """The smallest k, at the best fixed time or at a given one, against all k tried."""
    point = {**POINT, "T": 1}
    target = 0.19
    budget = solve("explicit-multistep", target=target, unknown="k", **point)
    k = int(budget.budget["k"])
    assert k > 2
    assert budget.solved == ("k", "t_hat")
    assert budget.achieved.value <= target
    times = np.append(np.linspace(0.05, 1, 30), 1)
    before = [theorem("explicit-multistep").evaluate(**point, k=k - 1, t_hat=x).value for x in times]
    assert min(before) > target
    at_one = solve("explicit-multistep", target=target, unknown="k", t_hat="0.9", **point)
    n = int(at_one.budget["k"])
    assert n >= k
    assert theorem("explicit-multistep").evaluate(**point, k=n - 1, t_hat="0.9").value > target
    with pytest.raises(DomainError, match="cannot be met"):
        solve("explicit-multistep", target="0.12", unknown="k", **point)
    assert solve("explicit-multistep", target=5, unknown="k", **point).budget["k"] == "1"


@pytest.mark.parametrize(
    ("unknown", "change", "text"),
    [
        ("h", {"delta": 1}, "early stopping alone is"),
        ("eps_sc", {"delta": 1}, "early stopping alone is"),
        ("T", {"delta": 1}, r"at the best T, \S+, early stopping alone is"),
        ("delta", {"h": 1}, r"at the best delta, \S+, early stopping alone is"),
        ("L_f", {"delta": 1}, "early stopping alone is"),
    ],
)
def test_single_unknown_that_does_not_help(unknown: str, change: dict[str, Any], text: str) -> None:
    rest = {x: y for x, y in {**POINT, **change}.items() if x != unknown}
    with pytest.raises(DomainError, match=rf"the target 0.6 cannot be met.*{text} .*above it"):
        solve("explicit-one-step", target="0.6", unknown=unknown, **rest)


@pytest.mark.parametrize("unknown", ["delta", "T"])
@pytest.mark.parametrize("L_f", ["1", "1.05", "1.3", "2.2", "4.1", "7"])
def test_single_unknown_in_a_narrow_dip(unknown: str, L_f: str) -> None:
    """A target that is met only near the best value, on either side of the nearest point of the scan."""
    params = {**{x: y for x, y in POINT.items() if x != unknown}, "L_f": L_f, "start": "matched", "h": "1e-5"}
    statement = theorem("explicit-one-step")

    def total(u: float) -> float:
        return float(statement.approximate(**params, **{unknown: exp(u)}).total)

    ends = (log(1e-8), log(1e-1)) if unknown == "delta" else (log(0.5), log(60))
    lowest = minimize_scalar(total, bounds=ends, method="bounded", options={"xatol": 1e-9})
    target = f"{lowest.fun * (1 + 1e-5):.12g}"
    budget = solve("explicit-one-step", target=target, unknown=unknown, **params)
    assert Fraction(budget.achieved.upper) <= Fraction(target)
    assert total(log(float(budget.budget[unknown])) + (0.01 if unknown == "delta" else -0.01)) > float(target)


# --- questions that cannot be asked ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("id", "params", "kind", "text"),
    [
        ("lyu2023-thm3", {}, InputError, "solve needs an explicit statement; lyu2023-thm3 is in order form"),
        ("explicit-score-lipschitz", {"R": 1}, InputError, "has no budget"),
        ("explicit-map-error", LAW, MissingParameterError, r"delta \(or sigma_min\) must be given"),
        ("explicit-one-step", {"L_f": 1, "d": 2}, MissingParameterError, "needs m2"),
        ("explicit-one-step", {**LAW, "target": 0}, DomainError, "target must be a number > 0, got 0"),
        ("explicit-one-step", {**LAW, "target": "x"}, InputError, "target is 'x'"),
        ("explicit-one-step", {**LAW, "d": -1}, DomainError, "d must be an integer >= 1, got -1"),
        ("explicit-one-step", {**LAW, "L_g": 1}, UnknownNameError, "L_g"),
        ("explicit-one-step", {**LAW, "fix": {"L_f": 1}}, InputError, "fix takes .*got 'L_f'"),
        ("explicit-one-step", {**LAW, "h": 1, "fix": {"h": 1}}, InputError, "h is given twice"),
        ("explicit-one-step", {**LAW, "digits": 30}, InputError, "takes no digits"),
        ("explicit-one-step", {**POINT, "unknown": "h"}, InputError, "h is the unknown"),
        ("explicit-one-step", {**POINT, "unknown": "m2"}, InputError, "unknown must be one of"),
        ("explicit-one-step", {**LAW, "unknown": "h"}, MissingParameterError, "needs delta"),
        ("explicit-one-step", {**LAW, "unknown": "h", "split": "optimal"}, InputError, "takes no split"),
        ("explicit-one-step", {**LAW, "unknown": "h", "grid": "geometric"}, InputError, "the unknown is N, not h"),
        ("explicit-one-step", {**LAW, "clock": "ve"}, DomainError, r"initialisation is still .* at T = 350, .* above"),
    ],
)  # fmt: skip
def test_errors(id: str, params: dict[str, Any], kind: type[CmboundError], text: str) -> None:
    with pytest.raises(kind, match=text):
        solve(id, **{"target": "0.5", **params})


# --- schedules ------------------------------------------------------------------------------------------------------

GRID: dict[str, Any] = {**FAST, "eps_sc": "1e-3", "eps_cm": "1e-2", "T": 3, "delta": "0.01", "N": 6, "teacher": "ddim"}
MULTISTEP = theorem("explicit-multistep")


def nodes_of(params: dict[str, Any], grid: str) -> list[float]:
    low, high = (sqrt(exp(2 * float(params[x])) - 1) for x in ("delta", "T"))
    steps = int(params["N"])
    if grid == "uniform":
        width = float(params["T"]) - float(params["delta"])
        return [float(params["delta"]) + width * i / steps for i in range(1, steps)] + [float(params["T"])]
    return [log(1 + (low * (high / low) ** (i / steps)) ** 2) / 2 for i in range(1, steps)] + [float(params["T"])]


@pytest.mark.parametrize(
    "change",
    [{}, {"clock": "ve", "L_f": 1}, {"L_f": ["0.9", "1", "1", "1.3", "1.1", "1.5"]}, {"profile": "auto", "to": "p_delta"}],
    ids=["constant", "ve", "list", "auto"],
)  # fmt: skip
@pytest.mark.parametrize("grid", ["geometric", "uniform"])
def test_schedule_against_brute_force(change: dict[str, Any], grid: str) -> None:
    params = {**GRID, **change, "grid": grid}
    found = schedule(steps=3, **params)
    nodes = nodes_of(params, grid)
    every = {x: MULTISTEP.evaluate(**params, times=[repr(y) for y in x]).value for x in itertools.product(nodes, repeat=2)}
    assert found.optimal.value == pytest.approx(min(every.values()), rel=1e-9)
    assert found.optimal.value == pytest.approx(
        every[tuple(min(nodes, key=lambda y: abs(y - x)) for x in found.times)], rel=1e-12
    )
    fixed = {x: every[x, x] for x in nodes}
    assert found.best_fixed.value == pytest.approx(min(fixed.values()), rel=1e-12)


def recursion(params: dict[str, Any]) -> tuple[float, list[tuple[float, float, float]]]:
    """W_1 and, for each node, its time, contraction and error, from evaluations to p_delta alone."""
    params = {**params, "to": "p_delta"}
    first = MULTISTEP.evaluate(**params, k=1).value
    rows = []
    for t in nodes_of(params, params["grid"]):
        after = MULTISTEP.evaluate(**params, times=[repr(t)]).value
        contraction = float(Fraction(params["L_f"])) * exp(-(t - float(params["delta"])))
        rows.append((t, contraction, after - contraction * first))
    return first, rows


def test_greedy_against_dynamic_programming() -> None:
    """Backwards: the best end bound as a function of the bound before, on a fine table of bounds."""
    params = {**GRID, "N": 30, "grid": "geometric", "to": "p_delta", "m2": 50, "profile": "universal"}
    first, rows = recursion(params)
    count = 4
    table = np.linspace(0, 3 * first, 4001)
    cost = table.copy()
    for _ in range(count - 1):
        cost = np.min([np.interp(c * table + e, table, cost) for _, c, e in rows if c * table[-1] + e <= table[-1]], axis=0)
    best = float(np.interp(first, table, cost))
    assert schedule(steps=count, **params).optimal.value == pytest.approx(best, rel=2e-3)


def test_limit_gain_and_order_of_the_times() -> None:
    params = {**GRID, "N": 30, "grid": "geometric", "to": "p_delta", "m2": 50, "profile": "universal"}
    first, rows = recursion(params)
    limit = min(e / (1 - c) for _, c, e in rows if c < 1)
    found = schedule(steps=20, gain="0.02", **params)
    assert found.limit == pytest.approx(limit, rel=1e-9)
    assert float(found.bounds[0]) > limit
    assert all(x >= y for x, y in itertools.pairwise(found.times))
    assert all(x >= y for x, y in itertools.pairwise(found.bounds))
    bound, steps = first, 1
    gains = []
    for _ in range(200):
        after = min(c * bound + e for _, c, e in rows)
        gains.append(bound - after)
        bound = after
    assert bound == pytest.approx(found.limit, rel=1e-9)
    steps = next(i + 1 for i, x in enumerate(gains) if x < 0.02)
    assert found.steps_worth_taking == steps > 1
    assert float(found.bounds[-1]) == pytest.approx(limit, rel=1e-6)


def test_continuous_times() -> None:
    """No time of a dense scan does better, the fixed time is that of Cor 6, and all is certified where it says."""
    params = {**POINT, "h": "1e-4", "L_f": 2}
    found = schedule(steps=3, **params)
    best = found.optimal
    assert best.is_guarantee
    assert best.steps is not None
    assert [x.upper for x in best.steps] == list(found.bounds)
    assert MULTISTEP.evaluate(**params, times=[repr(x) for x in found.times]).upper == best.upper
    for t in np.linspace(0.2, 5, 60):
        assert MULTISTEP.evaluate(**params, times=[t]).value >= float(found.bounds[1]) * (1 - 1e-6)
        assert MULTISTEP.evaluate(**params, k=3, t_hat=t).value >= found.best_fixed.value * (1 - 1e-6)
    assert list(found.fixed_times) == pytest.approx([log(4) + 1e-3] * 2, rel=1e-11)
    assert found.fixed_times[0] >= log(4) + 1e-3
    assert found.fixed.value >= found.best_fixed.value >= best.value * (1 - 1e-12)


def test_the_best_time_is_the_same_in_other_units() -> None:
    """Powers of two are exact: what is found does not depend on the size of the bound."""

    def best(unit: float) -> float:
        return Candidates(MULTISTEP, POINT).best(lambda contraction, error: unit * (contraction / 10 + error)).time

    assert best(2.0**-40) == best(1.0) == best(2.0**40)


def test_further_steps_that_only_hurt() -> None:
    """A start below the limit: one step is worth taking. No contraction: the limit is infinite."""
    found = schedule(steps=3, **{**POINT, "m2": 0, "start": "matched", "L_f": "1.9", "T": "0.7"})
    assert found.limit > float(found.bounds[0])
    assert found.steps_worth_taking == 1
    found = schedule(steps=2, **{**POINT, "L_f": 20, "T": "0.5", "h": "1e-3"})
    assert found.limit == float("inf")
    assert found.limit_time is None
    assert found.steps_worth_taking == 1
    assert found.to_dict()["limit"] is None
    assert found.fixed_times == (0.5,)


def test_schedule_of_one_step_and_long_grids() -> None:
    found = schedule(steps=1, **POINT)
    assert (found.times, found.fixed_times, len(found.bounds)) == ((), (), 1)
    assert found.best_fixed_time is None
    params = {**GRID, "N": 400, "grid": "geometric"}
    found = schedule(steps=2, **params)
    nodes = nodes_of(params, "geometric")[::25]
    assert min(MULTISTEP.evaluate(**params, times=[repr(x)]).value for x in nodes) >= found.optimal.value * (1 - 1e-6)


@pytest.mark.parametrize(
    ("change", "kind", "text"),
    [
        ({"steps": 0}, DomainError, "steps must be an integer from 1 to 1000, got 0"),
        ({"steps": "1.5"}, DomainError, "steps must be"),
        ({"gain": -1}, DomainError, "gain must be a number >= 0, got -1"),
        ({"k": 3, "t_hat": 1}, InputError, "leave out t_hat, k"),
        ({"times": "1,2"}, InputError, "leave out times"),
        ({"L_f": None}, MissingParameterError, "needs L_f"),
        ({"h": 10}, DomainError, "h <= T - delta"),
    ],
)
def test_schedule_errors(change: dict[str, Any], kind: type[CmboundError], text: str) -> None:
    with pytest.raises(kind, match=text):
        schedule(**{**POINT, **change})


# --- times at the horizon -------------------------------------------------------------------------------------------

SIGMAS = ("0.37", "1", "5", "13.7", "80", "123.4")
"""At each the time is irrational, and for some of them the float64 number next to it lies above."""
CLOSED: dict[str, Any] = {"L_f": "1", "d": 2, "m2": "1.2", "eps_sc": "1e-3", "eps_cm": "1e-3", "profile": "universal"}
HORIZONS: tuple[dict[str, Any], ...] = (
    *({"sigma_max": x, "sigma_min": "0.01", "grid": "edm", "teacher": "ddim", "N": 12} for x in SIGMAS),
    *({"sigma_max": x, "sigma_min": "0.01", "clock": "ve", "grid": "geometric", "N": 5} for x in SIGMAS),
    *({"sigma_max": x, "sigma_min": "0.01", "h": "1e-3"} for x in SIGMAS),
    {"sigma_max": "13.7", "sigma_min": "0.01", "clock": "ve", "h": "1e-3", "start": "matched"},
    *({"T": x, "delta": "0.001", "h": "1e-4"} for x in ("5/7", "5.833", "1/3", "0.1", "2/3", "1.00000000000000000001")),
    *({"T": x, "delta": "0.001", "N": 7} for x in ("5/7", "5.833", "1/3", "0.1")),
    {"T": "5/7", "delta": "1/7", "h": "1e-2", "grid": "two-stage"},
)


DRAWN = HORIZONS[::4]
"""A figure has floats alone; it is laid out for some horizons of each kind."""


def texts(times: Any) -> list[str]:
    return [repr(x) for x in times]


@pytest.mark.parametrize("horizon", HORIZONS, ids=lambda x: ",".join(f"{a}={b}" for a, b in x.items()))
def test_schedules_whose_times_are_the_horizon(horizon: dict[str, Any]) -> None:
    """They are planned, drawn and given back as printed, whatever number the horizon is."""
    params = {**CLOSED, **horizon}
    found = schedule(steps=3, **params)
    data = json.loads(json.dumps(found.to_dict()))
    for name, evaluation in (("times", found.optimal), ("fixed_times", found.fixed)):
        again = MULTISTEP.evaluate(**params, times=texts(data[name]))
        assert again.upper == evaluation.upper
        assert MULTISTEP.evaluate(**params, times=",".join(texts(data[name]))).upper == evaluation.upper
    at = repr(data["best_fixed_time"])
    assert MULTISTEP.evaluate(**params, k=3, t_hat=at).value == pytest.approx(found.best_fixed.value, rel=1e-12)
    without_grid = {name: x for name, x in params.items() if name in ("T", "sigma_max")}
    other = {"R": 1, "m2": 1, "eps_ci": "1e-3", "dtau": "1e-6", **without_grid}
    assert theorem("chen2025-multistep").evaluate(**other, times=texts(data["times"])).value > 0
    drawn = planned(found)
    assert all(np.isfinite(x).all() for x in (*drawn.times.values(), *drawn.bounds.values()))
    if horizon in DRAWN:
        multistep_figure(drawn, width="page")
    assert solve("explicit-multistep", target=2 * float(found.bounds[0]), unknown="k", **params).budget["k"] == "1"


@pytest.mark.parametrize("horizon", [{"sigma_max": "0.8"}, {"sigma_max": "80"}, {"T": "5/7"}, {"T": "5.833"}], ids=str)
@pytest.mark.parametrize("steps", [{"h": "1e-3"}, {"grid": "edm", "N": 12, "teacher": "ddim"}], ids=str)
def test_every_evaluation_at_the_horizon(horizon: dict[str, Any], steps: dict[str, Any]) -> None:
    """A model that contracts nowhere: the last time is the least bad one, and stands for the fixed time."""
    params = {**CLOSED, "L_f": "1000", "delta": "0.01", **horizon, **steps}
    found = schedule(steps=3, **params)
    last = float(Fraction(horizon["T"])) if "T" in horizon else log(1 + float(horizon["sigma_max"]) ** 2) / 2
    assert found.times == found.fixed_times == pytest.approx((last, last), rel=1e-14)
    assert found.limit_time is None
    assert not found.halves
    assert MULTISTEP.evaluate(**params, times=texts(found.times)).upper == found.optimal.upper


def test_the_last_node_is_the_horizon_exactly() -> None:
    """On a grid the bound at the printed time is that at the node, which is no float64 number."""
    params = {**CLOSED, "sigma_max": "80", "sigma_min": "0.01", "clock": "ve", "grid": "edm", "teacher": "ddim", "N": 12}
    at_node = MULTISTEP.evaluate(**params, sigmas="80", digits=40)
    found = MULTISTEP.evaluate(**params, times=[repr(log(1 + 80.0**2) / 2)], digits=40)
    assert found.upper == at_node.upper


def test_long_schedules_in_latex_have_a_beginning_and_an_end() -> None:
    found = schedule(steps=50, **POINT)
    page, text = found.report().text(), found.latex()
    assert all(f"[{x.status}] {x.id}: " in page for x in found.optimal.assumptions)
    assert [int(x) for x in re.findall(r"^\$(\d+)\$ +&", text, re.MULTILINE)] == [*range(1, 21), *range(31, 51)]
    assert "(10 evaluations in between left out)" in text


@pytest.mark.parametrize("name", ["song2023-cifar10", "song2023-imagenet64"])
def test_schedules_of_presets(name: str) -> None:
    text = ""
    for steps in (1, 2, 3):
        text = fine("schedule", "--preset", name, "--steps", str(steps))
        assert "no number of evaluations" not in text
        assert "more only raise the bound" in text
        assert "the first bound is the best" in text
    times = re.findall(r"times=(\S+)", text)[0]
    assert "certified" in fine("evaluate", "explicit-multistep", "--preset", name, "-p", f"times={times}")
    assert "certified" in fine(
        "evaluate", "explicit-multistep", "--preset", name, "-p", f"t_hat={times.split(',')[0]}", "-p", "k=2"
    )


@pytest.mark.parametrize(
    "horizon",
    [{"sigma_max": "0.8"}, {"T": "5/7"}, {"sigma_max": "13.7"}, {"T": "0.7000000000000000000000000000000000001"}],
    ids=str,
)
def test_budgets_with_a_given_horizon(horizon: dict[str, Any]) -> None:
    """t_hat and delta stay inside it, and what is printed can be given back."""
    budget = solve("explicit-multistep", target=5, k=3, **{**FAST, **horizon})
    assert Fraction(budget.achieved.upper) <= 5
    again = MULTISTEP.evaluate(**{**FAST, **horizon, **{x: y for x, y in budget.budget.items() if x != "N"}})
    assert again.upper == budget.achieved.upper
    step = solve("explicit-one-step", target=1000, fix={**horizon, "h": "1/7"}, **FAST)
    assert put_back(step).upper == step.achieved.upper


def test_later_times_bound_the_horizon_from_below() -> None:
    for later in ("0.5000000000000000000000000000000000001", "1/3", "2/3"):
        budget = solve("explicit-multistep", target=5, times=later, **FAST)
        assert Fraction(budget.budget["T"]) >= Fraction(later)
    budget = solve("explicit-multistep", target=5, sigmas="0.8", **FAST)
    assert Fraction(budget.achieved.upper) <= 5


@pytest.mark.parametrize("horizon", [{"T": "5.833"}, {"sigma_max": "80.1"}, {"T": "1/3"}], ids=str)
@pytest.mark.parametrize("steps", [{"h": "1e-2"}, {"grid": "edm", "N": 10}], ids=str)
def test_arrays_that_end_at_the_horizon(horizon: dict[str, Any], steps: dict[str, Any]) -> None:
    name, value = next(iter(horizon.items()))
    last = float(Fraction(value))
    params: dict[str, Any] = {**CLOSED, "delta": "1e-3", **horizon, **steps, "profile": "second-moment"}
    alias = {"T": "t_hat", "sigma_max": "sigma_hat"}[name]
    for entries in ([last, last], [last]):
        found = MULTISTEP.approximate(**params, k=2, **{alias: np.array(entries)}).total
        assert found == pytest.approx(MULTISTEP.evaluate(**params, k=2, **{alias: value}).value, rel=1e-9)


def test_horizon_below_the_resolution_of_times() -> None:
    params = {**CLOSED, "delta": "1", "T": "1.0000000000000000000001", "h": "1e-23"}
    with pytest.raises(DomainError, match="the same number here"):
        schedule(steps=2, **params)


@pytest.mark.parametrize("N", [40, 150])
@pytest.mark.parametrize("L_f", ["1.05", "1.3", "2.7"])
def test_the_fixed_time_is_the_first_node_that_halves(N: int, L_f: str) -> None:
    """Not one at which an evaluation does a little less than that."""
    params = {**GRID, "N": N, "grid": "uniform", "L_f": L_f, "teacher": None}
    found = schedule(steps=2, **params)
    contraction = [float(L_f) * exp(float(params["delta"]) - t) for t in nodes_of(params, "uniform")]
    first = next(i for i, x in enumerate(contraction) if x <= 0.5)
    assert found.fixed_times[0] == pytest.approx(nodes_of(params, "uniform")[first], rel=1e-9)
    assert found.halves
    assert 0.5 < contraction[first - 1] < 0.6, "the nodes are too coarse to tell 0.5 from 0.6"


def test_what_a_schedule_says_agrees_with_itself() -> None:
    """Above the limit, below it, no limit at all, and where nothing halves the distance."""
    point = {x: str(y) for x, y in POINT.items() if x != "profile"}

    def said(steps: str, options: tuple[str, ...] = (), **change: str) -> str:
        args = flags({**point, **change})
        return " ".join(fine("schedule", *args, "--profile", "second-moment", "--steps", steps, *options).split())

    above = said("4", T="1", m2="50")
    assert "limit: no number of evaluations brings the bound below" in above
    assert "one more gains less than" in above
    assert "; 1 of them asked for and shown" in said("1", T="1", m2="50")
    assert "the first that halves" in above
    below = said("2", ("--start", "matched"), m2="0", L_f="1.9", T="0.7")
    assert "no number of evaluations" not in below
    assert "steps worth taking: 1 (more only raise the bound)" in below
    assert "asked for" not in below
    never = said("2", L_f="20", T="0.5", h="1e-3")
    assert "limit: infinite" in never
    assert "no evaluation halves the distance" in never
    assert "the first that halves" not in never
    assert "steps worth taking: 1 (more only raise the bound)" in never
    assert "evaluation:" not in said("1").split("certified")[0].replace("1 evaluation ", "")
    with pytest.raises(DomainError, match=r"at the best k, 1, "):
        solve(
            "explicit-multistep", target="0.01", unknown="k", **{**POINT, "m2": 0, "start": "matched", "L_f": "1.9", "T": "0.7"}
        )
    with pytest.raises(DomainError, match=r"at the best k, (\d+), and t_hat") as error:
        solve("explicit-multistep", target="0.07", unknown="k", **{**POINT, "T": 1})
    k, t_hat = re.findall(r"the best k, (\d+), and t_hat = (\S+?),", str(error.value))[0]
    values = [MULTISTEP.evaluate(**{**POINT, "T": 1}, k=i, t_hat=t_hat).value for i in (int(k) - 1, int(k))]
    assert values[1] < values[0]


# --- statements of one's own ------------------------------------------------------------------------------------------

ONE_STEP = theorem("explicit-one-step")
MINE = replace(ONE_STEP, id="mine", title="Mine")
SYMBOLS = ONE_STEP.symbols


def without(statement: Theorem, *names: str) -> Theorem:
    """The statement without some of its terms."""
    sources, recursion = (tuple(x for x in y if x.name not in names) for y in (statement.bare_sources, statement.bare_recursion))
    return replace(statement, id="less", sources=sources, recursion=recursion)


def own(**terms: Any) -> Theorem:
    """A statement with other terms, which assumes nothing."""
    return replace(MINE, sources=tuple(Term(x, y) for x, y in terms.items()), statement_assumptions=())


def test_a_statement_of_ones_own_is_solved_like_one_of_the_catalogue() -> None:
    """Also one that was built from the data alone, without the verbs."""
    wanted = solve("explicit-one-step", target="0.5", **FAST)
    for mine in (MINE, Theorem(**{x.name: getattr(MINE, x.name) for x in fields(Theorem)})):
        found = solve(mine, target="0.5", **FAST)
        assert (found.theorem.id, found.budget, found.split) == ("mine", wanted.budget, wanted.split)
        assert found.text() == wanted.text().replace(f"explicit-one-step: {ONE_STEP.title}", "mine: Mine")
    assert solve(MINE, target="0.6", unknown="h", **{x: y for x, y in POINT.items() if x != "h"}).solved == ("h",)
    best = solve(MINE, target="0.2", split="optimal", **FAST)
    assert best.budget == solve("explicit-one-step", target="0.2", split="optimal", **FAST).budget


def test_a_schedule_of_a_statement_of_ones_own() -> None:
    """Contraction and errors are those of its recursion, whatever they are."""
    usual = schedule(steps=3, **POINT)
    mine = replace(MULTISTEP, id="mine", experiment="")
    for same in (schedule(mine, steps=3, **POINT), schedule("explicit-multistep", steps=3, **POINT)):
        assert (same.times, same.limit, same.bounds) == (usual.times, usual.limit, usual.bounds)
    assert schedule(without(mine, "early_stopping"), steps=3, **POINT).times == schedule(steps=3, to="p_delta", **POINT).times
    no_teacher = schedule(without(mine, "discretisation"), steps=2, **{x: y for x, y in POINT.items() if x != "profile"})
    assert float(no_teacher.bounds[1]) < float(usual.bounds[1])
    slow = replace(mine, recursion=tuple(Term(x.name, x.expression.subs(W_prev, 3 * W_prev)) for x in MULTISTEP.bare_recursion))
    found = schedule(slow, steps=2, **POINT)
    scan = [theorem(slow).evaluate(**POINT, times=[x]).value for x in np.linspace(0.5, 5, 46)]
    assert min(scan) * (1 - 1e-3) <= float(found.bounds[1]) <= min(scan) * (1 + 1e-6)
    assert found.times[0] > usual.times[0] + 0.3


@pytest.mark.parametrize(
    ("statement", "params", "solved"),
    [
        (without(MINE, "early_stopping"), {**FAST, "delta": "1e-3"}, ("T", "h", "eps_sc", "eps_cm")),
        (without(MINE, "score", "consistency"), FAST, ("delta", "T", "h")),
        (without(MINE, "discretisation"), {**LAW, "h": "1e-4"}, ("delta", "T", "eps_sc", "eps_cm")),
        (without(MULTISTEP, "early_stopping"), {**FAST, "delta": "1e-3", "k": 3}, ("T", "h", "eps_sc", "eps_cm", "t_hat")),
        (without(MULTISTEP, "discretisation"), {**LAW, "h": "1e-4", "T": 1}, ("delta", "eps_sc", "eps_cm", "k")),
        (own(score=SYMBOLS["eps_sc"] * SYMBOLS["L_f"]), {"L_f": 2}, ("eps_sc",)),
        (own(score=SYMBOLS["eps_sc"] ** 2, price=SYMBOLS["d"] / 10), {"d": 1}, ("eps_sc",)),
    ],
    ids=lambda x: "",
)
def test_statements_without_some_of_the_terms(statement: Theorem, params: dict[str, Any], solved: tuple[str, ...]) -> None:
    budget = solve(statement, target="0.5", **params)
    assert budget.solved == solved
    assert 0.49 < budget.achieved.value <= 0.5
    assert budget.latex()


@pytest.mark.parametrize(
    ("ask", "kind", "text"),
    [
        (lambda: solve(without(MINE, "early_stopping"), target="0.5", **FAST), MissingParameterError, "delta .*must be given"),
        (lambda: solve(without(MINE, "discretisation"), target="0.5", **LAW), MissingParameterError, "less needs h"),
        (lambda: solve(own(mine=SYMBOLS["eps_sc"]), target=1), InputError, "mine has no budget: .*it has no such term"),
        (lambda: solve(MINE, target=1, unknown="k", **FAST), InputError, "unknown must be one of"),
        (lambda: solve(3, target=1), UnknownNameError, "unknown statement 3"),  # type: ignore[arg-type]
        (lambda: solve("explicit-multistep", target="0.5", d=2, m2=1, k=3), MissingParameterError, "needs L_f"),
        (lambda: solve("explicit-multistep", target="0.5", k="2.5", **FAST), DomainError, r"k must be an integer >= 1, got 2\.5"),
        (lambda: schedule(MINE, **POINT), InputError, "schedule needs a statement about one more evaluation; mine is about one"),
        (lambda: schedule("chen2025-multistep"), InputError, "schedule needs a statement about one more evaluation"),
        (lambda: schedule(without(MULTISTEP, "discretisation"), T=1, delta="0.1", **LAW), MissingParameterError, "needs .*h"),
    ],
    ids=lambda x: "",
)
def test_what_cannot_be_asked_of_ones_own(ask: Callable[[], Any], kind: type[CmboundError], text: str) -> None:
    with pytest.raises(kind, match=text) as error:
        ask()
    assert "\n" not in str(error.value)


def test_a_target_that_can_hardly_be_met() -> None:
    """What the fixed term uses grows almost as fast as the room of the others falls."""
    budget = solve("explicit-one-step", target="0.5", eps_cm="0.10203", **FAST)
    check_budget(budget, "0.5")
    assert budget.split["consistency"] > 0.75
    with pytest.raises(DomainError, match=r"eps_cm = 0.10206 fixed: consistency"):
        solve("explicit-one-step", target="0.5", eps_cm="0.10206", **FAST)


@pytest.mark.parametrize(("id", "more"), [("explicit-tv-smoothing", {}), ("explicit-tv-underdamped", {"L_phi": 5})])
def test_optimal_split_in_total_variation(id: str, more: dict[str, Any]) -> None:
    """Smoothing and corrector keep the share they have."""
    given: dict[str, Any] = {"L_f": "1.5", "d": 3, "m2": "2", "L_s": "4", "profile": "universal-integrated", **more}
    default, best = solve(id, target="0.3", **given), solve(id, target="0.3", split="optimal", **given)
    assert best.solved == default.solved
    assert best.evaluations_of_teacher is not None
    assert default.evaluations_of_teacher is not None
    assert best.evaluations_of_teacher < 0.8 * default.evaluations_of_teacher
    assert 0.299 < best.achieved.value <= 0.3
    for name in ("score", "consistency", "smoothing", "corrector"):
        assert best.split.get(name) == pytest.approx(default.split.get(name))


def test_digits_of_a_schedule() -> None:
    found = schedule(steps=2, digits=30, **POINT)
    upper, lower = found.optimal.upper, found.optimal.lower
    assert 0 < upper - lower < Fraction(1, 10**29)
    assert found.times == schedule(steps=2, **POINT).times


# --- reports ----------------------------------------------------------------------------------------------------------


def test_results_print_themselves() -> None:
    budget, plan = solve("explicit-one-step", target="0.5", **FAST), schedule(steps=2, **POINT)
    assert str(budget) == budget.text()
    assert len(repr(budget)) < 200
    assert repr(budget).startswith("<Budget for explicit-one-step <= 0.5: delta=")
    assert repr(plan).startswith("<Schedule of 2 evaluations at T, ")
    for found in (budget, plan):
        assert found._repr_html_().startswith("<div>")
        assert max(map(len, found.text(60).splitlines())) <= 60
        assert found.report().data() == found.to_dict()


def test_latex_has_math_and_notes() -> None:
    text = solve("explicit-tv-underdamped", target="0.3", d=3, m2=2, L_s=4, L_phi=5, L_f="1.5", profile="universal").latex()
    for symbol in (r"$\delta$", r"$\eta$", r"$\varepsilon_{sc}$", r"$\tau_c$", r"\mathrm{TV}\left(", r"\leq 0.3 \]"):
        assert symbol in text
    notes = text[text.index(r"\begin{minipage}") :]
    assert r"one for each of its steps ($\tau_c/\eta$)" in notes
    assert "teacher exponential-integrator, any grid" in notes
    plan = schedule(steps=3, **{**CLOSED, "sigma_max": "5", "sigma_min": "0.01", "h": "1e-3", "clock": "ve"})
    table, notes = plan.latex().split(r"\begin{minipage}")
    assert r"$k$ & $\sigma$" in table
    assert "steps worth taking" in notes
    assert "% the best times in full: times=" in notes
    assert sum(x.startswith("%") for x in text.splitlines()) == 1


LONG = "1." + "3" * 90
PRINTED: tuple[Callable[[], Any], ...] = (
    lambda: solve("explicit-one-step", target="1/30", **FAST),
    lambda: solve("explicit-one-step", target="1e-30", **FAST),
    lambda: solve("explicit-one-step", target=Fraction(10**60 + 7, 3 * 10**59), **FAST),
    lambda: solve("explicit-tv-underdamped", target="0.3", **LAW, L_s=4, L_phi=5, profile="universal"),
    lambda: solve("explicit-multistep", target=5, times=",".join(["0.6"] * 30), **FAST),
    lambda: solve("explicit-multistep", target=5, times="0.6,0.55,0.5,0.45,0.4,0.35,0.33,0.3", **FAST),
    lambda: solve("explicit-multistep", target="0.5", T=LONG, k=3, **FAST),
    lambda: solve("explicit-one-step", target=1000, fix={"T": "5/7", "delta": "1/" + "7" * 25}, **FAST),
    lambda: schedule(steps=1, **POINT),
    lambda: schedule(steps=3, **POINT),
    lambda: schedule(steps=100, **POINT),
    lambda: schedule(steps=3, preset="song2023-cifar10"),
    lambda: schedule(steps=2, **{**POINT, "L_f": 20, "T": "0.5", "h": "1e-3"}),
)  # fmt: skip


@pytest.mark.skipif(bool(missing_tex()), reason=missing_tex() or "pdflatex is here")
def test_latex_compiles_within_the_page(tmp_path: Path) -> None:
    assert compiled("\n\\clearpage\n".join(x().latex() for x in PRINTED), tmp_path) == []


# --- the command line -----------------------------------------------------------------------------------------------

GIVEN = flags({x: str(y) for x, y in LAW.items()})
SOLVE = ("solve", "explicit-one-step", "--target", "0.5", *GIVEN, "--profile", "second-moment")
SCHEDULE = (
    "schedule",
    *flags({x: str(y) for x, y in POINT.items() if x != "profile"}),
    "--profile",
    "second-moment",
    "--steps",
    "3",
)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "command", [SOLVE, SCHEDULE, (*SOLVE, "--fix", "h=1e-4", "--teacher", "exponential-integrator")], ids=lambda x: x[0]
)
def test_formats(command: tuple[str, ...], form: str, tmp_path: Path) -> None:
    text = fine(*command, "--format", form)
    check_format(text, form)
    path = tmp_path / "out"
    assert fine(*command[:1], "-h")
    assert call(*command, "--format", form, "-o", str(path)).out == ""
    assert path.read_text() == text


def test_solve_json_is_the_library() -> None:
    data = strict(fine(*SOLVE, "--fix", "eps_sc=1e-3", "--split", "early_stopping=0.3", "--format", "json"))
    budget = cmbound.solve("explicit-one-step", target="0.5", fix={"eps_sc": "1e-3"}, split={"early_stopping": "0.3"}, **FAST)
    assert "parameters: <math" in budget._repr_html_()
    assert "derived: <math" in budget.achieved._repr_html_()
    assert data == json.loads(json.dumps(budget.to_dict()))
    assert data["fixed"] == {"eps_sc": "1e-3"}
    assert {"delta", "T", "h", "N", "eps_cm", "eps_sc"} == set(data["budget"])
    text = fine(*SOLVE, "--fix", "eps_sc=1e-3")
    assert re.search(r"eps_sc +1e-3 +fixed", text)
    assert re.search(rf"N +{data['budget']['N']} +follows", fine(*SOLVE, "--fix", "eps_sc=1e-3", "--split", "early_stopping=0.3"))


def test_put_back_on_the_command_line() -> None:
    data = strict(fine(*SOLVE, "--format", "json"))
    numbers = {x: y for x, y in data["budget"].items() if x != "N"}
    again = strict(
        fine("evaluate", "explicit-one-step", *GIVEN, *flags(numbers), "--profile", "second-moment", "--format", "json")
    )
    assert again["upper"] == data["achieved"]["upper"]
    assert Fraction(again["upper"]) <= Fraction(1, 2)


def test_presets_give_the_constants() -> None:
    common = ("solve", "explicit-one-step", "--target", "1", "--preset", "gaussian-2d", "--profile", "second-moment")
    data = strict(fine(*common, "--format", "json"))
    assert data["solved"] == list(ORDER)
    assert data["parameters"]["m2"] == "1.118034"
    one = strict(fine(*common, "--for", "T", "-p", "h=1e-4", "--format", "json"))
    assert one["solved"] == ["T"]
    assert one["fixed"]["delta"] == "1e-4"


def test_schedule_json_is_the_library(tmp_path: Path) -> None:
    plot = tmp_path / "bounds.svg"
    data = strict(fine(*SCHEDULE, "--gain", "0.01", "--plot", str(plot), "--format", "json"))
    found = cmbound.schedule(steps=3, gain="0.01", **POINT)
    assert data == json.loads(json.dumps(found.to_dict()))
    assert len(data["times"]) == len(data["fixed_times"]) == 2
    assert len(data["bounds"]) == len(data["fixed_bounds"]) == len(data["steps"]) == 3
    assert all(Fraction(x) >= Fraction(y) for x, y in zip(data["bounds"], found.bounds, strict=True))
    assert plot.read_text().startswith("<?xml")
    left, right = multistep_figure(planned(found), width="page").axes
    assert [x.get_label() for x in left.lines] == ["best times", "fixed time (Cor. 6)", "best fixed time", "limit"]
    assert np.array_equal(left.lines[0].get_ydata(), [x.value for x in found.optimal.steps or ()])
    assert np.array_equal(right.lines[0].get_ydata(), [5.0, *found.times])


@pytest.mark.parametrize(
    ("args", "status", "text"),
    [
        ((*SOLVE[:2], *GIVEN), 2, "--target"),
        ((*SOLVE, "--for", "x"), 2, "unknown must be one of"),
        ((*SOLVE, "--fix", "h"), 2, "NAME=VALUE"),
        ((*SOLVE, "--fix", "delta=1"), 3, "early stopping alone is"),
        ((*SOLVE, "-p", "target=1"), 2, "target"),
        ((*SCHEDULE, "--plot", "x.txt"), 2, "must end in .png, .pdf, .svg"),
        ((*SCHEDULE, "-p", "steps=3"), 2, "steps is no parameter; write --steps"),
        (with_option(SCHEDULE, "--steps", "0"), 3, "steps must be"),
        (("solve", "explicit-onestep", "--target", "1"), 2, "did you mean 'explicit-one-step'"),
    ],
)
def test_command_line_errors(args: tuple[str, ...], status: int, text: str) -> None:
    outcome = call(*args)
    assert (outcome.status, outcome.out) == (status, "")
    assert text in outcome.err
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize("teacher", TEACHERS)
def test_a_whole_budget_for_every_teacher(teacher: str) -> None:
    """What a target needs, for the digits: the budget put back meets the target."""
    found = cmbound.solve("explicit-one-step", target=4, preset="digits", teacher=teacher)
    again = cmbound.theorem("explicit-one-step").evaluate(preset="digits", teacher=teacher, **found.budget)
    assert again.upper <= 4
    assert again.upper > 3  # a fifth of the target for each term, and all but the early stopping can be met closely
