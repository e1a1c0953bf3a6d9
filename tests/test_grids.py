"""Grids, sums over them, lists for each step, clocks, starts and targets."""

from __future__ import annotations

import itertools
from decimal import Decimal
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest

import cmbound
from cmbound.arithmetic.backend import Balls, Floats
from cmbound.arithmetic.certified import precision
from cmbound.evaluation.nodes import nodes
from cmbound.evaluation.setting import resolve
from cmbound.theory import grids
from cmbound.theory.profiles import PROFILES
from tests.settings import EI

ONE_STEP = cmbound.theorem("explicit-one-step")
BASE: dict[str, Any] = {"eps_sc": "1/100", "eps_cm": "1/50", "L_f": "3/2", "d": 3, "m2": 2, "T": 5, "delta": "1/100"}
EXTRA: dict[str, Any] = {"R": 2, "L_s": 60, "L_os": 20, "n_atoms": 100, "t_star": "delta"}
POINTWISE = [p.name for p in PROFILES.values() if p.acceleration is not None and p.name != "smoothed"]
INTEGRATED = [p.name for p in PROFILES.values() if EI in p.rules and p.acceleration is None]


def _nodes(**params: Any) -> Any:
    return nodes(resolve(ONE_STEP, {**BASE, **params}), Floats())


def test_regular_grids() -> None:
    uniform, geometric, edm = (_nodes(grid=x, N=10) for x in ("uniform", "geometric", "edm"))
    assert np.allclose(np.diff(uniform), 0.499)
    levels = np.sqrt(np.expm1(2 * geometric))
    assert np.allclose(levels[1:] / levels[:-1], levels[1] / levels[0])
    levels = np.sqrt(np.expm1(2 * edm))
    assert np.allclose(np.diff(levels ** (1 / 7)), np.diff(levels ** (1 / 7))[0])
    for grid in (uniform, geometric, edm):
        assert len(grid) == 11
        assert grid[0] == 0.01
        assert grid[-1] == 5.0


def test_edm_grid_of_song_et_al() -> None:
    """sigma_i of CIFAR-10: 18 points from 0.002 to 80 with rho = 7."""
    setting = resolve(ONE_STEP, {"preset": "song2023-cifar10"})
    levels = np.sqrt(np.expm1(2 * nodes(setting, Floats())))
    i = np.arange(18)
    expected = (0.002 ** (1 / 7) + i / 17 * (80 ** (1 / 7) - 0.002 ** (1 / 7))) ** 7
    assert np.allclose(levels, expected, rtol=1e-12)
    assert float(Floats().number(setting.values["T"])) == pytest.approx(4.3821, abs=1e-4)
    assert float(Floats().number(setting.values["delta"])) == pytest.approx(2e-6, rel=1e-5)


@pytest.mark.parametrize(
    ("delta", "T", "h"),
    [("1/100", "5", "1/10"), ("1/8", "1", "1/4"), ("1e-9", "3", "2"), ("1/3", "7/3", "3/10"), ("1/2", "1", "1/2")],
)
def test_two_stage_grid_is_assumption_6(delta: str, T: str, h: str) -> None:
    low, high, step = Fraction(delta), Fraction(T), Fraction(h)
    expected = [high]
    while expected[-1] > low:
        expected.append(max(expected[-1] - min(step, expected[-1] / 2), low))
    found = _nodes(delta=delta, T=T, h=h, grid="two-stage")
    assert np.allclose(found, [float(x) for x in reversed(expected)], rtol=1e-14)


def test_nodes_in_balls_enclose_floats() -> None:
    for params in ({"grid": "edm", "N": 30}, {"grid": "two-stage", "h": "1/7"}, {"grid": "geometric", "N": 9}):
        setting = resolve(ONE_STEP, {**BASE, **params})
        floats = nodes(setting, Floats())
        with precision(200):
            balls = nodes(setting, Balls())
        assert np.allclose(floats, [float(x) for x in balls], rtol=1e-13)


def _extra(profile: str) -> dict[str, Any]:
    return EXTRA | ({"tau": "1/3"} if "smoothed" in profile else {})


@pytest.mark.parametrize("profile", [*POINTWISE, "smoothed", *INTEGRATED, "auto"])
def test_uniform_grid_is_the_closed_form(profile: str) -> None:
    """With h = (T - delta)/N, by N and by h: the same for one stretch; at most that where stretches may be cut at known nodes."""
    step, extra = Fraction(499, 100) / 40, _extra(profile)
    closed = ONE_STEP.evaluate(**BASE, **extra, h=step, profile=profile)
    first = ONE_STEP.evaluate(**BASE, **extra, N=40, profile=profile)
    assert first.value <= closed.value
    one_rule = profile != "auto" and len(PROFILES[profile].rules[EI]) == 1
    if one_rule and len(first.stretches) == len(closed.stretches) == 1:
        assert first.value == pytest.approx(closed.value, rel=1e-14)
    assert first.value == closed.value or profile not in (*POINTWISE, "smoothed")
    assert len(closed.stretches) == 1 or profile in (*INTEGRATED, "auto")
    for choice in ({"grid": "uniform", "N": 40}, {"grid": "uniform", "h": step}, {"grid": "uniform", "h": "0.1249"}):
        assert ONE_STEP.evaluate(**BASE, **extra, **choice, profile=profile).value == first.value


@pytest.mark.parametrize("profile", [*POINTWISE, "smoothed", *INTEGRATED])
def test_step_by_step_sum_is_the_closed_form(profile: str) -> None:
    """The same nodes given one by one: the sums of theory 3.1, 3.11, 3.13 as written."""
    step, extra = Fraction(499, 100) / 40, _extra(profile)
    listed = [Fraction(1, 100) + i * step for i in range(41)]
    closed = ONE_STEP.evaluate(**BASE, **extra, N=40, profile=profile)
    base = {name: value for name, value in BASE.items() if name not in ("T", "delta")}
    summed = ONE_STEP.evaluate(**base, **extra, grid=listed, profile=profile)
    assert len(summed.stretches) == len(closed.stretches)
    for name, term in closed.terms.items():
        assert summed.terms[name].value == pytest.approx(term.value, rel=1e-14)


def test_large_grids_are_summed_or_refused() -> None:
    assert ONE_STEP.evaluate(**BASE, grid="uniform", N=10**9).value < ONE_STEP.evaluate(**BASE, grid="uniform", N=10**3).value
    with pytest.raises(cmbound.DomainError, match="1000000"):
        ONE_STEP.evaluate(**BASE, grid="geometric", N=10**9)
    with pytest.raises(cmbound.DomainError, match="larger h"):
        ONE_STEP.evaluate(**BASE, grid="two-stage", h="1e-9")


def test_steps_that_shrink_help() -> None:
    """With the same number of steps, steps that shrink near delta beat equal ones."""
    values = {x: ONE_STEP.evaluate(**BASE, grid=x, N=200, teacher="ddim").value for x in ("uniform", "geometric", "edm")}
    assert values["geometric"] < values["uniform"]
    assert values["edm"] < values["uniform"]


# --- lists for each step -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("teacher", [EI, "ddim", "heun"])
def test_equal_entries_are_one_constant(teacher: str) -> None:
    """A list of equal entries differs from the constant only in L_f(t_0) = 1."""
    grid = [Fraction(1, 100), Fraction(1, 2), Fraction(2), Fraction(5)]
    base = {name: value for name, value in BASE.items() if name not in ("T", "delta")}
    one = {**base, "L_f": 1, "grid": grid, "teacher": teacher, "profile": "universal-integrated"}
    listed = {**one, "L_f": [1, 1, 1], "eps_sc": ["1/100"] * 3, "eps_cm": ["1/50"] * 3}
    if teacher == "heun":
        one, listed = {**one, "M": "1/3"}, {**listed, "M": ["1/3"] * 3, "eps_sc": ["1/100"] * 4}
    assert ONE_STEP.evaluate(**listed).value == ONE_STEP.evaluate(**one).value


def test_lists_enter_step_by_step() -> None:
    """Theory 3.1: step j uses L_f(t_j), eps_sc(t_{j+1}), eps_cm of step j; L_f(t_0) = 1; L_f(t_N) in the initialisation."""
    grid = [Fraction(1, 100), Fraction(1, 2), Fraction(2), Fraction(5)]
    L_f, eps_sc, eps_cm = (
        [2, 3, 5],
        [Fraction(1, 10), Fraction(1, 20), Fraction(1, 40)],
        [Fraction(1, 7), Fraction(2, 7), Fraction(3, 7)],
    )
    result = ONE_STEP.evaluate(d=3, m2=2, L_f=L_f, eps_sc=eps_sc, eps_cm=eps_cm, grid=grid, profile="universal")
    steps = [y - x for x, y in itertools.pairwise(grid)]
    assert result.terms["consistency"].value == pytest.approx(float(sum(x * y for x, y in zip(eps_cm, steps, strict=True))))
    weights = [1, 2, 3]
    score = sum(w * float(e) * np.expm1(float(s)) for w, e, s in zip(weights, eps_sc, steps, strict=True))
    assert result.terms["score"].value == pytest.approx(score)
    constant = ONE_STEP.evaluate(d=3, m2=2, L_f=5, eps_sc=0, eps_cm=0, grid=grid, profile="universal")
    assert result.terms["initialisation"].value == constant.terms["initialisation"].value
    each = [
        cmbound.theorem("explicit-map-error").evaluate(d=3, L_f=1, eps_sc=0, eps_cm=0, grid=[x, y], profile="universal").value
        for x, y in itertools.pairwise(grid)
    ]
    expected = sum(w * x for w, x in zip(weights, each, strict=True))
    assert result.terms["discretisation"].value == pytest.approx(expected)


def test_lists_enter_step_by_step_with_heun() -> None:
    """Theory 3.14: M and L_f c at the beginning of a step, eps_sc at both of its ends, delta among them."""
    grid = [Fraction(1, 100), Fraction(1, 2), Fraction(2), Fraction(5)]
    base: dict[str, Any] = {"d": 3, "m2": 2, "eps_cm": 0, "grid": grid, "teacher": "heun"}
    result = ONE_STEP.evaluate(**base, L_f=[2, 3, 5], eps_sc=["0.1", "0.2", "0.4", "0.8"], M=["0.5", "0.25", "4"])
    time = np.array([float(x) for x in grid])
    sigma, noise = np.sqrt(np.expm1(2 * time)), np.sqrt(-np.expm1(-2 * time)) * np.array([0.1, 0.2, 0.4, 0.8])
    weights, M = np.array([1, 2, 3]) * np.exp(-time[:-1]), np.array([0.5, 0.25, 4])
    rise = np.diff(sigma)
    by_hand = weights * rise / 2 * ((1 + rise / sigma[:-1] * M) * noise[1:] + noise[:-1])
    assert result.terms["score"].value == pytest.approx(by_hand.sum(), rel=1e-13)
    one = ONE_STEP.evaluate(**base, L_f=2, eps_sc=["0", "0", "0", "1"], M=0).terms["score"].value
    last = 2 * np.exp(-time[2]) * rise[2] / 2 * np.sqrt(-np.expm1(-10))
    assert one == pytest.approx(last, rel=1e-13)


# --- clocks, starts, targets ---------------------------------------------------------------------------------------


def _ve_by_hand(levels: list[Fraction], L_f: list[float], eps_sc: list[float], eps_cm: float, **extra: Any) -> dict[str, float]:
    """The VE distance from OU constants converted step by step (theory, section 1); M is the same in both clocks."""
    times = [0.5 * np.log1p(float(x) ** 2) for x in levels]
    delta = times[0]
    lipschitz = [np.exp(t - delta) * x for t, x in zip(times[1:], L_f, strict=True)]
    score = [np.exp(t) * x for t, x in zip(times[-len(eps_sc) :], eps_sc, strict=True)]
    consistency = [np.exp(-delta) * eps_cm] * len(L_f)
    ou = ONE_STEP.evaluate(
        **extra,
        L_f=lipschitz,
        eps_sc=score,
        eps_cm=consistency,
        grid=cmbound.Grid.from_noise_levels(levels),
        to="p_delta",
    )
    terms = {name: np.exp(delta) * x.value for name, x in ou.terms.items()}
    return {**terms, "early_stopping": float(levels[0]) * np.sqrt(extra["d"])}


@pytest.mark.parametrize("teacher", [EI, "ddim", "heun"])
@pytest.mark.parametrize("start", ["standard", "matched"])
def test_variance_exploding_clock(teacher: str, start: str) -> None:
    levels = [Fraction(1, 100), Fraction(1, 5), Fraction(1), Fraction(8), Fraction(80)]
    extra: dict[str, Any] = {"d": 3, "m2": 2, "R": 2, "teacher": teacher, "start": start, "profile": "bounded-integrated"}
    L_f, eps_sc = [1.0, 1.5, 0.5, 0.25], [0.5, 0.1, 0.02, 0.001]
    if teacher == "heun":
        extra["M"], eps_sc = [3.0, 2.0, 1.0, 0.5], [1.0, *eps_sc]
    expected = _ve_by_hand(levels, L_f, eps_sc, 0.01, **extra)
    found = ONE_STEP.evaluate(**extra, L_f=L_f, eps_sc=eps_sc, eps_cm=0.01, grid=levels, clock="ve")
    assert {name: x.value for name, x in found.terms.items()} == pytest.approx(expected, rel=1e-12)
    assert found.to_dict()["profile"]["stretches"][0]["to"] == pytest.approx(80.0)


def test_noise_levels_in_place_of_times() -> None:
    base = {name: value for name, value in BASE.items() if name not in ("T", "delta")}
    result = ONE_STEP.evaluate(**base, h="1/100", sigma_min="0.002", sigma_max=80)
    T, delta = result.derived["T"], result.derived["delta"]
    with mpmath.workdps(40):
        exact = Decimal(mpmath.nstr(mpmath.log(6401) / 2, 35))
    assert T.lower <= exact <= T.upper
    assert T.upper - T.lower < Decimal("1e-15")
    assert Decimal("1.9999e-6") < delta.lower <= delta.upper < Decimal("2e-6")
    by_times = ONE_STEP.approximate(**base, h=0.01, T=float(T.upper), delta=float(delta.upper))
    assert result.value == pytest.approx(float(by_times.total), rel=1e-9)


def test_targets_and_starts() -> None:
    both = {x: ONE_STEP.evaluate(**BASE, h="1/100", to=x) for x in ("p_data", "p_delta")}
    assert set(both["p_data"].terms) - set(both["p_delta"].terms) == {"early_stopping"}
    assert both["p_delta"].value < both["p_data"].value
    matched = ONE_STEP.evaluate(**BASE, h="1/100", start="matched").terms["initialisation"]
    assert matched.value == pytest.approx(1.5 * np.exp(-5) * 2)


# --- multistep -----------------------------------------------------------------------------------------------------

MULTISTEP = cmbound.theorem("explicit-multistep")


def test_multistep_recursion_and_closed_form() -> None:
    """Certified runs the recursion, approximate the closed form; with q = 1 as well."""
    for t_hat, count in (("2", 4), ("1/2", 7), ("5", 2)):
        params = {**BASE, "h": "1/100", "k": count, "t_hat": t_hat}
        certified, approximate = MULTISTEP.evaluate(**params), MULTISTEP.approximate(**{**params, "L_f": np.array([1.5])})
        assert float(approximate.total[0]) == pytest.approx(certified.value, rel=1e-12)
        assert certified.steps is not None
        assert [x.k for x in certified.steps] == list(range(1, count + 1))
        assert certified.steps[-1].value == certified.value
    first = MULTISTEP.evaluate(**BASE, h="1/100", k=1)
    assert first.value == ONE_STEP.evaluate(**BASE, h="1/100").value


def test_multistep_at_given_times() -> None:
    fixed = MULTISTEP.evaluate(**BASE, h="1/100", k=3, t_hat=2)
    listed = MULTISTEP.evaluate(**BASE, h="1/100", times=[2, 2])
    assert listed.value == fixed.value
    falling = MULTISTEP.evaluate(**BASE, h="1/100", times=[3, 1])
    assert falling.steps is not None
    errors = {t: cmbound.theorem("explicit-map-error").evaluate(**{**BASE, "m2": 2}, h="1/100", t=t).value for t in (3, 1)}
    early = falling.terms["early_stopping"].value
    before = falling.steps[0].value - early
    for t in (3, 1):
        before = 1.5 * np.exp(-(t - 0.01)) * before + errors[t]
    assert falling.value - early == pytest.approx(before, rel=1e-9)


def test_multistep_reduces_the_bound_and_says_when_not() -> None:
    better = MULTISTEP.evaluate(preset="gaussian-2d", k=3, t_hat=1)
    assert better.steps is not None
    assert better.steps[0].value > better.steps[1].value > better.steps[2].value
    worse = MULTISTEP.evaluate(**{**BASE, "L_f": 30}, h="1/1000", k=4, t_hat="1/10")
    assert any("stopping there is better" in x for x in worse.notes)


def test_times_on_a_grid_must_be_nodes() -> None:
    with pytest.raises(cmbound.DomainError, match="not a node") as caught:
        MULTISTEP.evaluate(**BASE, grid="geometric", N=20, k=2, t_hat=1)
    nearest = str(caught.value).rsplit("at time ", 1)[1].split()[0]
    result = MULTISTEP.evaluate(**BASE, grid="geometric", N=20, k=2, t_hat=nearest)
    assert result.steps is not None
    map_error = cmbound.theorem("explicit-map-error").evaluate(**BASE, grid="geometric", N=20, t=nearest)
    assert map_error.value < result.value


@pytest.mark.parametrize("options", [{"clock": "ve", "h": 1}, {"grid": "geometric", "N": 9}, {"grid": ["1/100", 1, 400]}])
def test_horizons_whose_noise_level_leaves_float64(options: dict[str, Any]) -> None:
    base = (
        BASE
        if "grid" not in options or options["grid"] == "geometric"
        else {k: v for k, v in BASE.items() if k not in ("T", "delta")}
    )
    params = {**base, "T": 400} if base is BASE else base
    with pytest.raises(cmbound.DomainError, match="T must be at most 350"):
        ONE_STEP.evaluate(**params, **options)
    assert ONE_STEP.evaluate(**{**BASE, "T": 349}, h=1, clock="ve", to="p_delta").to_dict()["profile"]["stretches"]


def test_sums_have_a_limit() -> None:
    assert grids.MAX_STEPS == 10**6
    with pytest.raises(cmbound.DomainError, match="at most"):
        MULTISTEP.evaluate(**BASE, h="1/100", k=10**7, t_hat=2)
