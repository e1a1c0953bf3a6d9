"""Comparison of statements: rankings, refusals, measured constants, phase diagrams, complexities, ``cmbound compare``."""

from __future__ import annotations

import csv
import io
import json
import sys
from dataclasses import replace
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sympy import Rational, sqrt

import cmbound
from cmbound.catalogue import PAIR, catalogue
from cmbound.catalogue.presets import names
from cmbound.comparison import compare as module
from cmbound.comparison.complexity import Complexity, against, complexities, complexity_of, converted, verdicts
from cmbound.comparison.implied import implied
from cmbound.comparison.phase import NONE, Phase, phase, winner_of
from cmbound.comparison.records import (
    NOT_APPLICABLE,
    NOT_EVALUABLE,
    ORDER,
    RANKED,
    STATUSES,
    UNCONFIRMED,
    Comparison,
)
from cmbound.errors import CmboundError, DomainError, InputError, UnknownNameError
from cmbound.papers.figures.phase import phase_figure
from cmbound.theory.formulas import accepts
from cmbound.theory.notation import L_f, L_s, R, d, eps, m2
from cmbound.theory.variants import TARGETS
from cmbound.verification.measured import compare
from cmbound.worlds import Atoms, Gaussian
from tests.helpers import BASE, DOMAIN, USAGE, call, fails, fine, flags, without
from tests.latex import compiled, missing_tex
from tests.test_figures import legend

POINT: dict[str, Any] = {**BASE, "L_s": "4", "k": "3", "t_hat": "1", "R": "2", "u": "0.1"}
CORRECTOR: dict[str, Any] = {"eta": "0.01", "gamma": "4", "tau_c": "0.5", "u": "0.1"}
PLANE: dict[str, Any] = {
    "d": 2, "m2": "1.1", "R": "1.5", "T": 6, "delta": "1e-4", "h": "1e-3", "eps_sc": "1e-3", "k": 2, "t_hat": 1,
    "start": "matched",
}  # fmt: skip


@pytest.fixture(scope="module")
def point() -> Comparison:
    return compare(**POINT)


@pytest.fixture(scope="module")
def plane() -> Phase:
    return phase(None, {"L_f": np.geomspace(1, 20, 7)}, {"eps_cm": np.geomspace(1e-4, 1, 6)}, **PLANE)


@pytest.fixture(scope="module")
def gaussian() -> Comparison:
    return compare(world=Gaussian([1.0, 0.0], [1.0, 0.25]), k=2, eps_cm="1e-3", eps_sc="1e-3", **CORRECTOR)


# --- at one point -----------------------------------------------------------------------------------------------------


def test_every_statement_appears_exactly_once(point: Comparison) -> None:
    assert [x.id for x in point.rows] == [x.id for x in catalogue]
    assert {x.status for x in point.rows} <= set(STATUSES)
    for row in point.rows:
        assert (row.rank is not None) == (row.status == RANKED)
        assert row.reason or row.status == RANKED
        assert row.evaluation is None or row.status not in (NOT_APPLICABLE, NOT_EVALUABLE)
    assert point["explicit-one-step"].id == "explicit-one-step"
    with pytest.raises(UnknownNameError):
        point["explicit-one-stp"]


def test_values_are_those_of_evaluating_each_statement(point: Comparison) -> None:
    compared = set()
    for row in point.rows:
        own = {name: x for name, x in POINT.items() if accepts(row.theorem, name)}
        own |= {"C": 1} if row.theorem.kind == "order" else {}
        if row.evaluation is not None:
            assert row.evaluation.upper == cmbound.theorem(row.theorem).evaluate(**own).upper
            compared.add(row.status)
    assert compared == {RANKED, ORDER}
    assert point["explicit-multistep"].evaluation is not None


def test_ranks_follow_the_values(point: Comparison) -> None:
    for name in point.columns:
        ranked = point.ranking(name)
        uppers = [x.evaluation.upper for x in ranked if x.evaluation is not None]
        assert uppers == sorted(uppers)
        assert all(x.column == name for x in ranked)
        if ranked:
            assert point.winners[name] == ranked[0].id
            assert ranked[0].rank == 1
    assert point.winners["W2 to p_data"] == "explicit-multistep"


def test_equal_values_share_a_rank() -> None:
    found = compare(**{**POINT, "k": "1"}, statements=["explicit-one-step", "explicit-multistep"])
    assert [x.rank for x in found.rows] == [1, 1]
    assert any("give the same value" in x for x in found.notes)


def test_order_forms_and_unconfirmed_ones_never_win(point: Comparison) -> None:
    unsure = {x.id for x in catalogue if x.kind == "order" or x.status == "unconfirmed" or x.known == "memory"}
    assert not unsure & set(point.winners.values())
    apart = [x for x in point.rows if x.status == ORDER]
    assert {"lyu2023-cor4", "lyu2023-cor6"} <= {x.id for x in apart}
    assert all("C = 1" in x.reason and not x.guarantee for x in apart)
    assert point["chen2023-dpum"].status == UNCONFIRMED


def test_order_forms_are_ranked_at_a_constant_the_user_sets() -> None:
    found = compare(**POINT, C="1e-9")
    row = found["lyu2023-cor4"]
    assert row.status == RANKED
    assert row.reason == "order form at C = 1e-9"
    assert not row.guarantee
    assert found.winners["W2 to p_data"] in ("lyu2023-cor4", "lyu2023-cor6")
    assert any("only if that constant is right" in x for x in found.notes)
    assert found["lyu2023-cor8"].rank is None  # a step size is no error


def test_an_unconfirmed_statement_is_shown_apart_even_where_it_is_smallest(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = replace(catalogue["explicit-one-step"], id="wrong", status="unconfirmed")
    monkeypatch.setattr(module, "selected", lambda *args: (wrong, catalogue["explicit-multistep"]))
    found = compare(**POINT)
    assert found["wrong"].status == UNCONFIRMED
    assert found["wrong"].rank is None
    assert found.winners == {"W2 to p_data": "explicit-multistep"}


@pytest.mark.parametrize("target", TARGETS)
def test_distances_to_different_laws_are_not_compared(target: str) -> None:
    found = compare(**POINT, to=target)
    assert found["explicit-one-step"].column == f"W2 to {target}"
    assert found["lyu2023-thm3"].column == "W2 to p_delta"
    assert found["explicit-tv-early-stopping"].column == "TV between p_delta and p_data"


def test_reasons(point: Comparison) -> None:
    lacking = {x.id: x.reason for x in point.rows if x.status == NOT_APPLICABLE and x.reason.startswith("needs ")}
    assert lacking["lyu2023-cor10"] == "needs eps, eta"
    for reason in lacking.values():
        missing = {x.split()[0] for x in reason.removeprefix("needs ").partition(";")[0].split(", ")}
        assert not missing & set(POINT)
    late = compare(**{**POINT, "t_hat": "9"})["explicit-multistep"]
    assert late.status == NOT_APPLICABLE
    assert "'before-T'" in late.reason
    assert compare(**{**POINT, "T": "1/8", "h": "0.01", "t_hat": "0.1"})["lyu2023-cor4"].reason.startswith("assumption 'horizon'")
    ve = compare(**POINT, clock="ve")["lyu2023-cor4"]
    assert "ou clock only" in ve.reason
    assert compare(L_v=1, eps_v="1e-3", clock="ve")["benton2023-flow"].status == RANKED


def test_two_readings_of_a_constant_are_not_mixed(point: Comparison) -> None:
    assert "'A4-exact'" in point["explicit-training"].reason
    assert "give eps_ci" in compare(**POINT, dtau="0.01")["chen2025-multistep"].reason
    granted = compare(**POINT, dtau="0.01", assume=["A4-exact"])
    assert granted["explicit-training"].status == RANKED
    assert granted["chen2025-multistep"].status == RANKED
    assert any("read differently" in x for x in granted.notes)
    other = compare(**POINT, assume=["A4-exact"])  # dtau drops out of the bound
    assert other["chen2025-multistep"].value == pytest.approx(granted["chen2025-multistep"].value, rel=1e-12)
    own = compare(**POINT, dtau="0.01", eps_ci="1e-5")["chen2025-multistep"]
    direct = catalogue["chen2025-multistep"].evaluate(
        **{name: POINT[name] for name in ("R", "m2", "T", "k", "t_hat")}, eps_ci="1e-5", dtau="0.01"
    )
    assert own.value == direct.value


def test_a_start_that_a_statement_does_not_have() -> None:
    row = compare(**POINT, start="standard", assume=["A4-exact"])["chen2025-multistep"]
    assert "'start' fails" in row.reason


def test_the_largest_step_of_a_grid_stands_for_h() -> None:
    given = {**POINT, "N": 50}
    del given["h"]
    found = compare(**given, grid="geometric")
    largest = found["explicit-map-error"].evaluation.grid["h_max"]  # type: ignore[union-attr, index]
    assert float(found["lyu2023-cor4"].evaluation.parameters["h"].split("/")[0]) > 0  # type: ignore[union-attr]
    assert any(f"h = {largest:.6g}" in x for x in found.notes)


@pytest.mark.parametrize("preset", names())
def test_presets(preset: str) -> None:
    found = compare(preset=preset, u="0.1")
    assert len(found.rows) == len(catalogue)
    assert found.winners["W2 to p_data"] == "explicit-one-step"
    assert found["explicit-one-step"].value == cmbound.theorem("explicit-one-step").evaluate(preset=preset).value
    assert found.parameters["d"] == cmbound.preset(preset).parameters["d"]


def test_a_statement_that_counts_steps_beside_one_that_has_a_largest_step() -> None:
    found = compare(**POINT, N=7, kappa="0.01", eps_w="0.1", statements=["benton2024-linear", "explicit-one-step"])
    assert found["explicit-one-step"].value == compare(**POINT, statements=["explicit-one-step"]).rows[0].value
    assert found["benton2024-linear"].status == ORDER


def test_what_follows_in_other_metrics() -> None:
    tv, w2 = implied("KL", "p_data", Decimal("0.02"), {"R": 3}, True)
    assert (tv.metric, w2.metric) == ("TV", "W2")
    assert 0.1 <= tv.value < 0.1 * (1 + 1e-12)
    assert 6 * np.sqrt(0.1) <= w2.value * (1 + 1e-15)
    assert w2.value < 6 * np.sqrt(0.1) * (1 + 1e-12)
    assert w2.guarantee
    assert [x.metric for x in implied("KL", "p_delta", Decimal(1), {"R": 3}, True)] == ["TV"]
    assert implied("TV", "p_data", Decimal(1), {"R": 3, "tau": 1}, True) == ()
    assert implied("TV", "p_data", Decimal(1), {}, True) == ()
    assert implied("L2 map error", "", Decimal(1), {"R": 1}, True) == ()
    (root,) = implied("W2^2", "p_data", Decimal(4), {}, False)
    assert root.value == pytest.approx(2)
    assert not root.guarantee


def test_vacuous_bounds_of_other_papers_are_called_so() -> None:
    ids = ["explicit-one-step", "chen2025-multistep"]
    found = compare(preset="song2023-cifar10", k=2, sigma_hat="0.8", assume=["A4-exact"], statements=ids)
    assert found["chen2025-multistep"].vacuous
    assert found.winners["W2 to p_data"] == "chen2025-multistep"
    assert any(x.startswith("W2 to p_data: even the best bound is vacuous; what helps most: ") for x in found.notes)


def test_tiers() -> None:
    found = compare(**POINT, tier="approximate")
    assert found["explicit-one-step"].value == pytest.approx(compare(**POINT)["explicit-one-step"].value, rel=1e-12)
    assert not found["explicit-one-step"].guarantee


@pytest.mark.parametrize(
    ("given", "kind", "says"),
    [
        ({}, InputError, "nothing to compare"),
        ({"d": -1}, DomainError, "d must be"),
        ({"dd": 1}, UnknownNameError, "did you mean 'd'"),
        ({"d": "x"}, InputError, "not a number"),
        ({"d": [1, 2]}, InputError, "one number"),
        ({"L_f": [1, 0]}, DomainError, "L_f[1]"),
        ({"h": 1, "N": 2, "grid": "uniform"}, InputError, "h or N"),
        ({"T": 1, "sigma_max": 2}, InputError, "sigma_max or T"),
        ({"d": 1, "metric": "W3"}, UnknownNameError, "metric"),
        ({"d": 1, "statements": ["explicit"]}, UnknownNameError, "statement"),
        ({"d": 1, "assume": ["A5-exact"]}, UnknownNameError, "A4-exact"),
        ({"d": 1, "clock": "vee"}, UnknownNameError, "clock"),
        ({"d": 1, "tier": "exact"}, UnknownNameError, "tier"),
        ({"d": 1, "digits": 3000}, DomainError, "digits must be an integer from 1 to 1000"),
        ({"W_prev": 1, "rho": 0}, DomainError, "rho"),
    ],
    ids=str,
)
def test_mistakes(given: dict[str, Any], kind: type[CmboundError], says: str) -> None:
    with pytest.raises(kind) as error:
        compare(**given)
    assert says in str(error.value)


# --- measured constants -----------------------------------------------------------------------------------------------


def test_constants_of_a_gaussian_law_are_measured(gaussian: Comparison) -> None:
    run = cmbound.simulate(Gaussian([1.0, 0.0], [1.0, 0.25]), steps=2, eps_cm="1e-3", eps_sc="1e-3", n=1)
    assert gaussian["explicit-multistep"].value == pytest.approx(run.steps[-1].bound, rel=1e-12)
    assert gaussian["explicit-one-step"].value == pytest.approx(run.steps[0].bound, rel=1e-12)
    assert {"L_f", "eps_cm", "eps_sc", "L_s", "L_phi", "KL"} <= set(gaussian.measured)
    assert float(gaussian.parameters["KL"]) == pytest.approx((1 + 0.25 - 1 - np.log(0.25)) / 2, rel=1e-7)
    assert float(gaussian.parameters["FI"]) == pytest.approx(1 + 0.25 - 2 + 1 / 0.25, rel=1e-7)
    assert not {"eta", "T", "delta"} & set(gaussian.measured)
    assert gaussian["explicit-tv-underdamped"].status == RANKED
    assert any("every constant is exact" in x for x in gaussian.notes)
    for id in ("explicit-one-step", "explicit-training", "explicit-multistep"):
        step = run.steps[-1 if id == "explicit-multistep" else 0]
        assert (gaussian[id].value or 0) >= step.w2.lower


def test_training_is_compared_at_its_own_consistency_error(gaussian: Comparison) -> None:
    """The error between exact points holds the discretisation of the teacher, which eps_cm = 1e-3 does not."""
    row = gaussian["explicit-training"]
    assert row.status == RANKED
    assert float(row.evaluation.terms["consistency"].upper) > 1e-3 * 4  # type: ignore[union-attr]


def test_all_statements_are_on_the_nodes_of_the_run(gaussian: Comparison) -> None:
    """Those that take one constant for all steps too."""
    grids = [x.evaluation.grid for x in gaussian.rows if x.evaluation is not None and x.theorem.uses_profile]
    assert len(grids) > 4
    assert all(x == grids[0] and x["kind"] == "times" for x in grids if x is not None)
    assert None not in grids


def test_a_data_set() -> None:
    found = compare(world=Atoms([[0.0], [1.0], [3.0]]), N=5, k=2)
    assert found["explicit-one-step"].status == RANKED
    assert "'A4-exact'" in found["explicit-training"].reason
    assert {"R", "n_atoms"} <= set(found.measured)
    granted = compare(world=Atoms([[0.0], [1.0], [3.0]]), N=5, k=2, eps_ci="1e-3", dtau="1e-3", statements=["chen2025-multistep"])
    assert "got start = standard" in granted.rows[0].reason
    for given in ({"L_f": 2}, {"preset": "digits"}, {"clock": "ve"}, {"h": 1}, {"m2": 1}, {"grid": [1, 2]}):
        with pytest.raises(InputError, match=f"^{next(iter(given))} .*world"):
            compare(world=Atoms([[0.0], [1.0]]), **given)


# --- phase diagrams ---------------------------------------------------------------------------------------------------


def test_winners_are_those_of_both_sides(plane: Phase) -> None:
    assert plane.names == PAIR
    assert plane.winners.shape == (6, 7)
    for j, eps_cm in enumerate(plane.y):
        for i, lipschitz in enumerate(plane.x):
            found = compare(
                statements=PAIR,
                L_f=float(lipschitz),
                eps_cm=float(eps_cm),
                assume=["A4-exact"],
                tier="approximate",
                **PLANE,
            )
            assert found.winners["W2 to p_data"] == plane.names[plane.winners[j, i]]
            for name in plane.names:
                assert plane.values[name][j, i] == pytest.approx(found[name].value, rel=1e-9)


def test_borders_separate_the_winners(plane: Phase) -> None:
    assert plane.borders
    changes = sum(int(np.sum(np.diff(plane.winners, axis=a) != 0)) for a in (0, 1))
    assert len(plane.borders) >= changes
    for x in plane.borders:
        sides = []
        for factor in (1 - 1e-6, 1 + 1e-6):
            at: dict[str, Any] = {"L_f": x.x, "eps_cm": x.y}
            at[x.along] *= factor
            found = compare(statements=PAIR, assume=["A4-exact"], tier="approximate", **at, **PLANE)
            sides.append(found.winners["W2 to p_data"])
        assert sides == [x.below, x.above]


def test_a_phase_says_what_it_takes_as_granted(plane: Phase) -> None:
    assert any("taken as granted" in x for x in plane.notes)
    with pytest.raises(InputError, match="A4-exact"):
        phase(None, {"L_f": [1, 2]}, assume=(), eps_cm="1e-3", **PLANE)
    granted = phase(None, {"L_f": [1, 2]}, assume=("A4-exact",), eps_cm="1e-3", **PLANE)
    assert not any("taken as granted" in x for x in granted.notes)


def test_one_axis_and_integers() -> None:
    fixed = {**PLANE, "L_f": "1.2", "eps_cm": "1e-3"}
    del fixed["k"]
    found = phase(["explicit-multistep", "explicit-one-step"], {"k": [1, 9]}, **fixed)
    assert found.winners.shape == (1, 2)
    assert found.y_name == ""
    for x in found.borders:
        assert x.x == int(x.x)


def test_where_a_statement_does_not_apply_it_does_not_win() -> None:
    fixed = {**PLANE, "L_f": "1.2", "eps_cm": "1e-3"}
    del fixed["t_hat"]
    found = phase(["explicit-multistep", "chen2025-multistep"], {"t_hat": [1, 5, 7, 8]}, **fixed)
    assert list(found.winners[0, 2:]) == [NONE, NONE]
    border = found.borders[-1]
    assert border.above == ""
    assert border.x == pytest.approx(6)
    assert np.isnan(found.values["explicit-multistep"][0, 3])
    assert found.csv().splitlines()[-1] == "8,,,"


def test_winner_of() -> None:
    nan = float("nan")
    values = [np.array([1.0, 2.0, nan, nan, 3.0]), np.array([1.0, 1.0, 5.0, nan, nan])]
    assert list(winner_of(values)) == [0, 1, 1, NONE, 0]


@pytest.mark.parametrize(
    ("ids", "kind", "says"),
    [
        (["explicit-one-step"], InputError, "two statements"),
        (["explicit-one-step", "explicit-map-error"], InputError, "different quantities"),
        (["explicit-one-step", "lyu2023-cor4"], DomainError, "give C"),
        (["explicit-tv-smoothing", "chen2023-dpum"], InputError, "not confirmed"),
        (["explicit-one-step", "gao2024-pfode"], InputError, "no formula"),
    ],
    ids=str,
)
def test_phases_that_make_no_sense(ids: list[str], kind: type[CmboundError], says: str) -> None:
    with pytest.raises(kind, match=says):
        phase(ids, {"L_f": [1, 2]}, eps_cm="1e-3", **PLANE)


def test_bad_axes() -> None:
    for axis, words in (
        ({"L_f": [2, 1]}, "values of L_f must increase"),
        ({"L_f": "1"}, "L_f is '1'; an axis is LOW:HIGH"),
        ({"L_f": [1]}, "values of L_f must increase, and be two or more"),
        ({"q_f": [1, 2]}, "unknown parameter 'q_f'"),
        ({"L_f": [1, 2], "d": [1, 2]}, "one parameter with its values, got 2"),
        ({"d": [1, 2]}, "d varies; leave it out"),
        ({"gamma": [1, 2]}, "gamma varies, but .* do not depend on it"),
    ):
        with pytest.raises(InputError, match=words):
            phase(None, axis, eps_cm="1e-3", **PLANE)
    with pytest.raises(InputError, match="both axes"):
        phase(None, {"L_f": [1, 2]}, {"L_f": [1, 2]}, eps_cm="1e-3", **PLANE)


# --- complexities -----------------------------------------------------------------------------------------------------


@cache
def known() -> tuple[Complexity, ...]:
    """The complexities of the catalogue."""
    return complexities()


def own(id: str, expression: Any = None) -> Complexity:
    """A complexity of the catalogue, possibly with another expression."""
    found = next(x for x in known() if x.id == id and "R" not in x.exponents)
    return found if expression is None else complexity_of(found.theorem, expression)


def test_recorded_complexities_of_the_paper_are_those_of_its_recipes() -> None:
    recorded = [x for x in known() if x.own and x.recorded]
    assert {x.id for x in recorded} >= {"lyu2023-cor4", "lyu2023-cor8", "lyu2023-cor9", "lyu2023-cor10", "explicit-one-step"}
    assert all(x.recipe for x in recorded)
    assert own("lyu2023-cor4").exponents == {"eps": 1, "d": Rational(1, 2), "L_s": Rational(3, 2), "L_f": 1}
    assert own("lyu2023-cor10").exponents == {"eps": 1, "d": Rational(1, 2), "L_s": 2, "L_f": 1}


def test_a_planted_complexity_has_no_recipe() -> None:
    wrong = replace(catalogue["lyu2023-cor10"], complexity=L_f * L_s * sqrt(d) / eps)
    recorded, recipe = complexities([wrong])
    assert (recorded.recorded, recorded.recipe) == (True, "")
    assert recipe.recipe == "cor10-recipe"


@pytest.mark.parametrize(
    ("expression", "better", "same", "worse"),
    [
        (L_s**2 * d / eps**2, (), ("eps", "d", "L_s"), ()),
        (L_f * L_s**2 * d / eps**2, (), ("eps", "d", "L_s"), ("L_f",)),
        (L_f * L_s**2 * sqrt(d) / eps, ("eps", "d"), ("L_s",), ("L_f",)),
        (L_s**3 * d**2 / eps**2, (), ("eps",), ("d", "L_s")),
        (L_s * m2 * d / eps**3, ("L_s",), ("d",), ("eps", "m2")),
    ],
    ids=str,
)
def test_verdicts_compare_exponents(expression: Any, better: Any, same: Any, worse: Any) -> None:
    found = against(own("lyu2023-cor10", expression), own("chen2022-ddpm"))
    assert (found.better, found.same, found.worse) == (better, same, worse)
    assert found.comparable
    assert found.verdict.startswith("matches") == (not better)
    assert ("not in theirs" in found.verdict) == bool({"L_f", "m2"} & set(worse))


def test_different_metrics_are_not_said_to_match() -> None:
    found = against(own("lyu2023-cor4"), own("chen2022-ddpm"))
    assert not found.comparable
    assert found.verdict.startswith("not the same accuracy (W2 to p_data against TV to p_data)")
    brought = converted(own("chen2022-ddpm"), "W2")
    assert brought is not None
    assert brought.expression == L_s**2 * d * R**4 / eps**4
    assert against(own("lyu2023-cor4"), brought).comparable
    assert converted(own("benton2024-linear"), "W2") is None  # p_delta lies in no ball
    assert not against(own("lyu2023-cor10"), own("benton2024-linear")).comparable


def test_the_claim_of_the_abstract() -> None:
    """In TV, with the corrector: the exponents of the best score-based sampler, and L_f besides."""
    found = next(x for x in verdicts(known()) if (x.ours.id, x.theirs.id) == ("lyu2023-cor10", "chen2023-dpum"))
    assert (found.better, found.same, found.worse) == ((), ("eps", "d", "L_s"), ("L_f",))
    assert found.theirs.unconfirmed
    assert all(x.theirs.through or x.comparable or x.ours.id == "lyu2023-cor4" for x in verdicts(known()))


# --- statements of one's own ------------------------------------------------------------------------------------------

OWN = replace(catalogue["explicit-one-step"], id="own-one-step", title="a statement of one's own")


def test_statements_of_ones_own_are_compared() -> None:
    found = compare(**POINT, statements=[OWN, "explicit-multistep", "explicit-one-step"])
    assert [x.id for x in found.rows] == ["explicit-one-step", "explicit-multistep", "own-one-step"]
    assert found["own-one-step"].rank == found["explicit-one-step"].rank == 2
    assert found["own-one-step"].value == found["explicit-one-step"].value
    assert compare(**POINT, statements=OWN).winners == {"W2 to p_data": "own-one-step"}
    changed = replace(catalogue["explicit-one-step"], title="another with the id of this one")
    assert compare(**POINT, statements=[changed, "explicit-multistep"]).rows[0].theorem.title == changed.title
    with pytest.raises(InputError, match="different names, got 'explicit-one-step' twice"):
        compare(**POINT, statements=["explicit-one-step", changed])


def test_readings_of_ones_own_are_granted() -> None:
    assumptions = tuple(replace(x, id="A5-mine") if x.id == "A5" else x for x in OWN.statement_assumptions)
    mine = replace(OWN, statement_assumptions=assumptions)
    assert "'A5-mine' is not granted" in compare(**POINT, statements=[mine]).rows[0].reason
    assert compare(**POINT, statements=[mine], assume=["A5-mine"]).rows[0].status == RANKED


def test_statements_of_ones_own_in_a_phase_diagram() -> None:
    fixed = {**PLANE, "eps_cm": "1e-3"}
    found = phase([OWN, "explicit-multistep"], {"L_f": [1, 2, 4]}, **fixed)
    same = phase(["explicit-one-step", "explicit-multistep"], {"L_f": [1, 2, 4]}, **fixed)
    assert found.names == ("own-one-step", "explicit-multistep")
    assert np.array_equal(found.values["own-one-step"], same.values["explicit-one-step"])
    order = replace(catalogue["lyu2023-cor4"], id="own-order")
    both = phase([OWN, order], {"L_f": [1, 2, 4]}, C=1, L_s=4, **fixed)
    assert both.order_forms == ("own-order",)
    del fixed["T"]
    drawn = phase_figure(phase([OWN, order], {"L_f": [1, 2]}, {"T": [5, 6]}, C=1, L_s=4, **fixed))
    assert legend(drawn)[:2] == ["own-one-step", "own-order ($C = 1$, no bound)"]


def test_complexities_of_ones_own() -> None:
    (found,) = complexities([replace(OWN, complexity=d / eps)])
    assert (found.id, found.exponents) == ("own-one-step", {"eps": 1, "d": 1})
    assert [x.id for x in complexities(["chen2022-ddpm"])] == ["chen2022-ddpm"]


# --- every result -----------------------------------------------------------------------------------------------------


def test_results_print_themselves(point: Comparison, plane: Phase) -> None:
    flags = tuple(x for name, value in POINT.items() for x in ("-p", f"{name}={value}"))
    assert fine("compare", *flags) == point.text() + "\n"
    assert json.loads(fine("compare", *flags, "--format", "json")) == point.to_dict()
    assert plane.report().render("csv") == plane.csv()
    for x in (point, plane, known()[0], verdicts()[0]):
        assert str(x) == x.text() == x.report().render("text")
        assert x.to_dict() == x.report().data()
        assert json.loads(json.dumps(x.to_dict())) == x.to_dict()
        assert x._repr_html_().startswith("<div>")
        assert "<math" in x._repr_html_()
        assert x.latex().startswith("% cmbound: ")
        assert len(repr(x)) < 300


def test_a_comparison_itself_measures_nothing() -> None:
    with pytest.raises(InputError, match="world is no parameter: give the constants of the law"):
        module.compare(world=Gaussian([0.0], [1.0]), d=1)
    assert module.compare(**POINT) == compare(**POINT)
    assert cmbound.compare is compare


@pytest.mark.skipif(bool(missing_tex()), reason=missing_tex() or "pdflatex is here")
def test_latex_fits_a_page(point: Comparison, plane: Phase, gaussian: Comparison, tmp_path: Path) -> None:
    every = {**POINT, **CORRECTOR, "C": "2", "KL": "1", "FI": "2", "L_phi": "2", "dtau": "0.1"}
    found = [
        point.latex(),
        gaussian.latex(),
        compare(**every, assume=["A4-exact"]).latex(),
        compare(world=Atoms([[0.0], [1.0], [3.0]]), N=5, k=2).latex(),
        compare(R=3, tier="approximate").latex(),
        plane.latex(),
        phase(None, {"L_f": [1, 2]}, eps_cm="1e-3", **PLANE).latex(),
        phase(None, {"L_f": "1:20:log:40"}, {"eps_cm": "1e-3:1:log:40"}, **PLANE).latex(),
        fine("compare", "--complexity", "--format", "latex"),
        known()[0].latex(),
        verdicts()[1].latex(),
    ]
    assert compiled("\n\\clearpage\n".join(found), tmp_path) == []
    assert r"\varepsilon" in found[0]
    assert r"\mathfrak{m}_2" in found[0]
    assert "eps_cm" not in found[0].replace(r"eps\_cm", "eps_cm")


# --- the command ------------------------------------------------------------------------------------------------------

FLAGS = tuple(x for name, value in POINT.items() for x in ("-p", f"{name}={value}"))
SWEEP = ("--sweep", "L_f=1:20:log:5", "--sweep", "eps_cm=1e-3:1:log:4")
PLANE_FLAGS = (*(x for name, value in PLANE.items() if name != "start" for x in ("-p", f"{name}={value}")), "--start", "matched")


def test_every_format(point: Comparison) -> None:
    data = json.loads(fine("compare", *FLAGS, "--format", "json"))
    assert data["winners"] == point.winners
    assert [x["id"] for x in data["rows"]] == [x.id for x in catalogue]
    text = fine("compare", *FLAGS)
    table = list(csv.DictReader(io.StringIO(fine("compare", *FLAGS, "--format", "csv"))))
    assert [x["id"] for x in table] == [x.id for x in catalogue]
    assert all(row.id in text for row in point.rows)
    chosen = ("--statement", "explicit-one-step", "--statement", "gao2024-pfode")
    assert "gao2024-pfode" in fine("compare", *FLAGS, *chosen, "--format", "markdown")
    assert r"\toprule" in fine("compare", *FLAGS, "--format", "latex")
    assert fine("compare", *FLAGS, "--metric", "TV").count("explicit-one-step") == 0


def test_worlds_on_the_command_line(tmp_path: Path) -> None:
    text = fine("compare", "--world", "gaussian", "--cov", "1,0.25", "-p", "N=5", "--statement", "explicit-one-step")
    assert "measured: d = 2" in text
    assert "assumed: delta = 0.001, T = 4, N = 5, k = 1" in text
    file = tmp_path / "x.csv"
    file.write_text("0\n1\n")
    one = ("--data", str(file), "--statement", "explicit-one-step", "--format", "json")
    data = json.loads(fine("compare", *one, "--world", "atoms", "-p", "N=4"))
    assert {"R", "L_f"} <= {*data["measured"]}


def test_data_are_constants_as_everywhere(tmp_path: Path) -> None:
    """Filled in and named; a run on their law is --world atoms."""
    file = tmp_path / "x.csv"
    file.write_text("0\n1\n3\n")
    one = ("--data", str(file), *flags(without(BASE, "d", "m2")), "--format", "json")
    data = json.loads(fine("compare", *one, "--statement", "explicit-one-step"))
    alone = json.loads(fine("evaluate", "explicit-one-step", *one))
    assert data["rows"][0]["upper"] == alone["upper"]
    assert data["measured"] == ["d", "m2", "sd2", "d_eff", "R", "n_atoms", "diameter"]
    assert "those of" in data["notes"][0]
    point = flags({"k": "2", "t_hat": "1", **without(BASE, "d", "m2", "L_f")})
    swept = json.loads(fine("compare", *one[:2], *point, "--sweep", "L_f=1:9:log:3", "--format", "json"))
    assert np.shape(swept["winners"]) == (1, 3)


def test_sweeps_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In every format it is one diagram, which is computed once."""
    known: dict[str, Phase] = {}

    def once(*args: Any, **given: Any) -> Phase:
        asked = repr((args, given))
        if asked not in known:
            known[asked] = phase(*args, **given)
        return known[asked]

    monkeypatch.setattr(sys.modules["cmbound.comparison.phase"], "phase", once)
    data = json.loads(fine("compare", *PLANE_FLAGS, *SWEEP, "--format", "json"))
    assert np.shape(data["winners"]) == (4, 5)
    lines = fine("compare", *PLANE_FLAGS, *SWEEP, "--format", "csv").splitlines()
    assert lines[0] == "L_f,eps_cm,explicit-multistep,chen2025-multistep,winner"
    assert len(lines) == 1 + 20
    assert "borders, refined by bisection" in fine("compare", *PLANE_FLAGS, *SWEEP)
    figure = tmp_path / "phase.svg"
    fine("compare", *PLANE_FLAGS, *SWEEP, "--plot", str(figure), "--format", "latex")
    assert figure.read_text().startswith("<?xml")
    assert len(known) == 1


def test_the_sharper_complexity_is_set_against_that_of_the_paper() -> None:
    """theory 3.13: L_s^(1/2) log L_s where the paper has L_s^(3/2), at the price of a term in sd2."""
    ours = next(x for x in known() if x.recipe == "lipschitz-steps")
    assert ours.exponents == {"eps": 1, "d": Rational(1, 2), "L_s": Rational(1, 2), "L_f": 1, "m2": 1}
    assert ours.logs["L_s"] == 1
    rows = [x for x in verdicts(known()) if x.ours.recipe == "lipschitz-steps"]
    assert [x.theirs.id for x in rows if x.theirs.theorem.reference.key == "lyu2023"] == ["lyu2023-cor4"]
    assert (rows[0].comparable, rows[0].better, rows[0].same, rows[0].worse) == (True, ("L_s",), ("eps", "d", "L_f"), ("m2",))
    assert len(rows) > 3
    assert not [x for x in verdicts(x for x in known() if x.recipe != "lipschitz-steps") if x.ours.id == ours.id]


def test_complexities_on_the_command_line() -> None:
    text = fine("compare", "--complexity")
    assert "not the same accuracy" in text
    assert "better in L_s (1/2 against 3/2); matches in 1/eps" in text.replace("\n", " ").replace("    ", "")
    data = json.loads(fine("compare", "--complexity", "--format", "json"))
    assert {x["id"] for x in data["complexities"]} >= {x.id for x in catalogue if x.complexity is not None}
    for form in ("latex", "markdown", "csv"):
        assert "lyu2023-cor4" in fine("compare", "--complexity", "--format", form)


@pytest.mark.parametrize(
    ("args", "status", "says"),
    [
        ((), USAGE, "nothing to compare"),
        (("-p", "d=-1"), DOMAIN, "d must be"),
        (("-p", "epscm=1"), USAGE, "eps_cm"),
        (("--complexity", "-p", "d=2"), USAGE, "--complexity"),
        (("--plot", "x.png", "-p", "d=2"), USAGE, "--sweep"),
        (("--sweep", "L_f"), USAGE, "NAME=LOW:HIGH"),
        (("--sweep", "L_f=1:2:log:3", "--plot", "x.png"), USAGE, "twice"),
        ((*SWEEP, "--sweep", "d=1:2:linear:2"), USAGE, "3 times"),
        ((*SWEEP, "--metric", "W2"), USAGE, "--metric"),
        ((*SWEEP, "--plot", "x.bmp"), USAGE, ".png"),
        (("--world", "gaussian"), USAGE, "--cov"),
        (("--world", "gaussian", "--cov", "1,1", "-p", "m2=1"), USAGE, "m2 is measured"),
        (("--world", "gaussian", "--cov", "1,1", "-p", "T=-1"), DOMAIN, "T"),
        (("--preset", "digts"), USAGE, "did you mean 'digits'"),
        (("--preset", "digits", "--assume", "A4"), USAGE, "A4-exact"),
    ],
    ids=lambda x: " ".join(x) if isinstance(x, tuple) else "",
)
def test_mistakes_on_the_command_line(args: tuple[str, ...], status: int, says: str) -> None:
    fails(status, "compare", *args, says=(says,))


def test_help() -> None:
    assert "--complexity" in call("compare", "--help").out
