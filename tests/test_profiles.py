"""Regularity profiles: closed forms against quadrature, monotone accelerations, auto against single profiles, own profiles."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy
from scipy.integrate import quad

import cmbound
from cmbound.arithmetic import approximate
from cmbound.errors import CmboundError
from cmbound.theory.notation import TABLE, a, b, t
from cmbound.theory.profiles import NAMES, PROFILES
from cmbound.theory.rules import Profile, Rule
from tests.settings import EI, EXTREMES, cases, draw, for_profile, for_theorem, one_law, repaired

ONE_STEP = cmbound.theorem("explicit-one-step")
POINTWISE = [p for p in PROFILES.values() if p.acceleration is not None]
EQUAL = {"universal", "lipschitz"}
BALL = ("bounded", "bounded-integrated", "atoms")
BY_NAME = pytest.mark.parametrize("profile", POINTWISE, ids=[p.name for p in POINTWISE])


def _numbers(values: dict[str, float]) -> dict[Any, float]:
    return {TABLE[name].symbol: value for name, value in {**values, "t_star": values.get("t_star", 0.0)}.items()}


def _acceleration(profile: Profile, values: dict[str, float]) -> Any:
    symbols = sorted(profile.acceleration.free_symbols - {t}, key=str)
    numbers = _numbers(values)
    function = approximate.compile((profile.acceleration,), (t, *symbols))
    return lambda time: function(time, *(numbers[x] for x in symbols))[0]


def _integral_bound(rule: Rule, values: dict[str, float], low: float, high: float) -> float:
    """Phi = bound / g(h), whatever h is."""
    results = []
    for h in (1e-3, 0.1):
        numbers = {**_numbers(values), a: low, b: high, TABLE["h"].symbol: h}
        results.append(_float(rule.bound, {x: numbers[x] for x in rule.bound.free_symbols}) / float(approximate.g(h)))
    assert results[0] == pytest.approx(results[1], rel=1e-13)
    return results[0]


@BY_NAME
@pytest.mark.parametrize("seed", range(6))
def test_closed_form_against_quadrature(profile: Profile, seed: int) -> None:
    """The closed Phi equals the integral of A, or lies above it, on the whole range and on stretches of it."""
    values = draw(np.random.default_rng(100 + seed))
    values["t_star"] = 0.0 if seed % 2 else values["delta"]
    rule = profile.rules[EI][-1]
    low, high = values["delta"], values["T"]
    function = _acceleration(profile, values)
    cuts = np.geomspace(low, high, 9)
    total = 0.0
    for left, right in itertools.pairwise(cuts):
        kinks = [float(x) for x in _kinks(profile, values) if left < x < right]
        integral, error = quad(function, left, right, points=kinks or None, epsabs=0, epsrel=1e-11, limit=500)
        total += integral
        closed = _integral_bound(rule, values, left, right)
        assert closed >= integral - 2 * error - 1e-10 * integral
        if profile.name in EQUAL:
            assert closed == pytest.approx(integral, rel=1e-8)
    whole = _integral_bound(rule, values, low, high)
    assert whole >= total * (1 - 1e-9)
    if profile.name in EQUAL:
        assert whole == pytest.approx(total, rel=1e-8)


def _kinks(profile: Profile, values: dict[str, float]) -> list[float]:
    result = []
    for rule in profile.rules[EI]:
        for expr in rule.breakpoints:
            result.append(_float(expr, {x: _numbers(values)[x] for x in expr.free_symbols}))
    return result


def _float(expr: Any, numbers: dict[Any, float]) -> float:
    symbols = tuple(sorted(numbers, key=str))
    return float(approximate.compile((expr,), symbols)(*(numbers[x] for x in symbols))[0])


@BY_NAME
def test_accelerations_do_not_increase(profile: Profile) -> None:
    """Chebyshev's inequality, and with it g(h), needs this."""
    rng = np.random.default_rng(7)
    for change in ({}, *EXTREMES[:10]):
        values = repaired({**draw(rng), **change})
        for t_star in (0.0, values["delta"]):
            values["t_star"] = t_star
            times = np.geomspace(values["delta"], 12.0, 4000)
            curve = np.asarray(_acceleration(profile, values)(times))
            assert np.isfinite(curve[1:]).all()
            assert (np.diff(curve[1:]) <= 1e-11 * curve[1:-1]).all(), (profile.name, values)


def test_an_increasing_acceleration_would_be_noticed() -> None:
    """The exact acceleration of N(0, 100) increases for a while: the check must see such a thing."""
    exact = Profile.from_acceleration("increasing", sympy.exp(-2 * t) / (1 + 99 * sympy.exp(-2 * t)) ** 2)
    curve = np.asarray(_acceleration(exact, {})(np.geomspace(1e-3, 12, 400)))
    assert (np.diff(curve) > 0).any()


def _common(values: dict[str, float]) -> dict[str, Any]:
    names = ("sd2", "L_s", "R", "L_os")
    return {**for_theorem(ONE_STEP, values), **{name: values[name] for name in names}}


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(
    ("teacher", "grid"), [(EI, None), *itertools.product([EI, "ddim", "heun"], ["geometric", "edm", "two-stage", "uniform"])]
)
def test_auto_is_never_above_a_single_profile(seed: int, teacher: str, grid: str | None) -> None:
    rng = np.random.default_rng(seed)
    values = draw(rng)
    params = {**_common(values), "n_atoms": values["n_atoms"], "t_star": "delta" if seed % 2 else 0}
    if teacher == "heun":
        params["M"] = values["M"]
    if seed == 3 and teacher != "heun":  # a law with tau > 0 has no Heun profile but those of the score
        params = {**params, "tau": values["tau"]}
    params = one_law(params)
    if grid is not None:
        params.pop("h")
        params |= {"h": Fraction(int(rng.integers(1, 9)), 10)} if grid == "two-stage" else {"N": int(rng.integers(2, 150))}
        params |= {"grid": grid}
    auto = ONE_STEP.evaluate(**params, teacher=teacher)
    compared = 0
    for name, covered in cases():
        if (
            covered != teacher
            or (name in BALL and "tau" in params)
            or (name == "atoms" and "n_atoms" not in params)
            or (name in ("smoothed", "smoothed-integrated") and "tau" not in params)
        ):
            continue
        single = ONE_STEP.evaluate(**params, teacher=teacher, profile=name)
        assert float(auto) <= float(single) * (1 + 1e-12), name
        assert {x.profile for x in single.stretches} == {name}
        compared += 1
    assert compared >= 3
    ends = [(x.start, x.end) for x in auto.stretches]
    assert ends[0][0] == pytest.approx(values["delta"])
    assert ends[-1][1] == pytest.approx(values["T"])
    assert all(x[1] == y[0] for x, y in itertools.pairwise(ends))


def test_auto_combines() -> None:
    """On a wide range different profiles win on different stretches, and the sum beats each of them."""
    params = {"eps_sc": 0, "eps_cm": 0, "L_f": 1, "d": 3, "m2": 2, "L_s": 2000, "T": 5, "delta": "1e-5", "h": "1e-3"}
    auto = ONE_STEP.evaluate(**params)
    assert len(auto.stretches) >= 3
    singles = [
        float(ONE_STEP.evaluate(**params, profile=name))
        for name in ("universal", "universal-integrated", "second-moment", "lipschitz", "lipschitz-integrated")
    ]
    assert float(auto) < 0.99 * min(singles)


def test_own_acceleration_equals_the_built_in_profile() -> None:
    own = cmbound.Profile.from_acceleration("mine", PROFILES["universal"].acceleration)
    params = {"eps_sc": "0.01", "eps_cm": "0.01", "L_f": 2, "d": 3, "m2": 2, "T": 5, "delta": "1e-3"}
    for choice in ({"h": "1e-3"}, {"grid": "geometric", "N": 20}):
        mine, built_in = (ONE_STEP.evaluate(**params, **choice, profile=x) for x in (own, "universal"))
        assert mine.value == pytest.approx(built_in.value, rel=1e-14)
        assert mine.profile == "mine"
        assert any("score acceleration" in x.text for x in mine.assumptions)
        assert float(ONE_STEP.approximate(**params, **choice, profile=own).total) == pytest.approx(mine.value, rel=1e-12)
    both = ONE_STEP.evaluate(**params, h="1e-3", profile=[own, "second-moment"])
    assert both.value <= mine.value
    assert both.profile == "auto"


def test_own_stretch_function() -> None:
    own = cmbound.Profile.from_stretch("half", lambda a, b, h: h / 2 * (b - a))
    params = {"eps_sc": 0, "eps_cm": 0, "L_f": 3, "d": 1, "m2": 1, "T": 4, "delta": "1/100", "h": "1/50"}
    term = ONE_STEP.evaluate(**params, profile=own).terms["discretisation"]
    assert Fraction(term.lower) <= 3 * Fraction(1, 100) * Fraction(399, 100) <= Fraction(term.upper)
    grid = [Fraction(1, 100), Fraction(1, 2), Fraction(4)]
    del params["h"]
    term = ONE_STEP.evaluate(**params, profile=own, grid=grid).terms["discretisation"]
    steps = [Fraction(49, 100), Fraction(7, 2)]
    assert Fraction(term.lower) <= 3 * sum(x * x for x in steps) / 2 <= Fraction(term.upper)


def test_own_profiles_are_checked() -> None:
    with pytest.raises(cmbound.InputError, match="exact"):
        cmbound.Profile.from_acceleration("floats", 0.5 / t)
    with pytest.raises(cmbound.InputError, match="'z'"):
        cmbound.Profile.from_acceleration("foreign", sympy.Symbol("z") / t)
    with pytest.raises(cmbound.InputError, match="SymPy expression"):
        cmbound.Profile.from_stretch("number", lambda a, b, h: 3)
    with pytest.raises(cmbound.InputError, match="of its own"):
        cmbound.Profile.from_acceleration("look-alike", 1 / sympy.Symbol("t"))


def test_the_table_of_profiles() -> None:
    """Theory 3.2: which profile covers which teacher, and what it needs."""
    assert ("auto", *PROFILES) == NAMES
    table = {name: set(p.rules) for name, p in PROFILES.items()}
    both, every, levels = {EI, "ddim"}, {EI, "ddim", "heun"}, {"ddim", "heun"}
    assert table == {
        "universal": both,
        "universal-integrated": every,
        "second-moment": both,
        "lipschitz": {EI},
        "lipschitz-integrated": every,
        "one-sided": every,
        "smoothed": {EI},
        "smoothed-integrated": both,
        "bounded": both,
        "bounded-integrated": every,
        "atoms": every,
    }
    assert PROFILES["lipschitz-integrated"].parameters(EI) == {"d", "L_s", "m2"}
    assert PROFILES["lipschitz-integrated"].parameters("heun") == {"d", "L_s", "t_star", "m2", "M"}
    assert PROFILES["one-sided"].parameters(EI) == {"d", "L_os", "m2"}
    assert PROFILES["smoothed-integrated"].parameters("ddim") == {"d", "R", "m2", "tau"}
    assert PROFILES["bounded-integrated"].parameters(EI) == {"d", "R", "m2"}
    assert PROFILES["atoms"].parameters("ddim") == {"d", "R", "n_atoms", "m2"}
    words = ("centred", "subspace", "halved", "no_tau")
    flags = {flag: {p.name for p in PROFILES.values() if getattr(p, flag)} for flag in words}
    halved = {"smoothed-integrated", "bounded-integrated", "atoms"}
    assert flags == {
        "centred": {"second-moment", "lipschitz-integrated", "one-sided", *halved},
        "subspace": {*PROFILES} - {"lipschitz", "smoothed", "smoothed-integrated", "bounded"},
        "halved": halved,
        "no_tau": set(BALL),
    }
    integrated = {name for name in PROFILES if name.endswith("-integrated")}
    assert {p.name for p in POINTWISE} == {*PROFILES} - integrated - {"one-sided", "atoms"}
    assert all(rule.is_sum for p in POINTWISE for rules in p.rules.values() for rule in rules)
    assert levels < every


def test_the_parameters_told_before_the_rules_are_those_in_them() -> None:
    for p in PROFILES.values():
        built = replace(p, rules=dict(p.rules))
        for teacher in p.rules:
            assert p.parameters(teacher) == built.parameters(teacher), (p.name, teacher)


def test_an_evaluation_builds_what_it_uses() -> None:
    code = """
import cmbound
cmbound.theorem("explicit-one-step").evaluate(eps_sc=0, eps_cm=0, L_f=1, d=2, m2=1, T=2, delta="0.1", h="0.1")
from cmbound.catalogue import _written
from cmbound.theory.profiles import HEUN, PROFILES
from cmbound.theory.variants import TEACHERS
import sys
print(_written.cache_info().currsize)
print(*(f"{name}/{teacher}" for name, p in PROFILES.items() for teacher in p.rules._values), *HEUN._values, *TEACHERS._values)
print(*(x for x in sys.modules if x.startswith("cmbound.catalogue.")))
"""
    read, built, files = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert read == "1"  # of the catalogue one file
    assert built.split() == [*(f"{x}/{EI}" for x in ("universal", "universal-integrated", "second-moment")), EI]
    assert {x.rpartition(".")[2] for x in files.split()} & {"lyu2023", "explicit", "related", "corollaries"} == {"explicit"}


def test_the_name_of_an_earlier_profile_names_its_successor() -> None:
    for tier in ("evaluate", "approximate"):
        with pytest.raises(cmbound.InputError) as caught:
            getattr(ONE_STEP, tier)(preset="gaussian-2d", L_s=4, profile="lipschitz-decay")
        assert "'lipschitz-decay' was replaced by 'lipschitz-integrated'" in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(cmbound.InputError, match="'lipschitz-integrated'"):
        ONE_STEP.formula(profile="lipschitz-decay")


@pytest.mark.parametrize(("name", "teacher"), list(cases()))
def test_dimension_of_a_subspace_and_variance_help(name: str, teacher: str) -> None:
    """sd2 and half the diameter, where a profile takes them, replace m2 and R; d_eff replaces d for DDIM and Heun."""
    values = draw(np.random.default_rng(1))
    values |= {"d": 100, "d_eff": 5, "m2": 3.0, "sd2": 1.0, "tau": 0.0, "R": 4.0, "L_s": 200.0, "L_os": 200.0, "n_atoms": 10**90}
    base = {**for_theorem(ONE_STEP, values), **for_profile(name, teacher, values), "teacher": teacher, "profile": name}
    base.pop("h")
    base |= {"grid": "geometric", "N": 30}
    base |= {"t_star": "delta", "L_s": 2 / -math.expm1(-2 * values["delta"])} if "L_s" in base else {}  # has no density
    base.pop("sd2", None)
    profile = PROFILES[name]
    plain = ONE_STEP.evaluate(**base).terms["discretisation"].value
    smaller = ONE_STEP.evaluate(**base, d_eff=5).terms["discretisation"].value
    centred = ONE_STEP.evaluate(**base, sd2=1.0).terms["discretisation"].value
    narrow = ONE_STEP.evaluate(**base, diameter=5).terms["discretisation"].value
    subspace = teacher != EI and profile.subspace
    assert (smaller < plain) == (subspace or profile.halved)  # the information takes it with either teacher
    assert (centred < plain) == profile.centred
    assert (narrow < plain) == profile.halved
    if subspace:
        other = ONE_STEP.evaluate(**{**base, "d": 5}).terms["discretisation"].value
        assert smaller == pytest.approx(other, rel=1e-14)
    if profile.centred:
        assert centred == ONE_STEP.approximate(**{**base, "m2": 1.0}).terms["discretisation"] or centred == pytest.approx(
            ONE_STEP.evaluate(**{**base, "m2": 1.0}).terms["discretisation"].value, rel=1e-14
        )
    if profile.halved:
        half = ONE_STEP.evaluate(**{**base, "R": 2.5}, sd2=1.0).terms["discretisation"].value
        assert ONE_STEP.evaluate(**base, sd2=1.0, diameter=5).terms["discretisation"].value == pytest.approx(half, rel=1e-14)
        without = {key: x for key, x in base.items() if key != "R"}
        assert ONE_STEP.evaluate(**without, sd2=1.0, diameter=5).value == pytest.approx(
            ONE_STEP.evaluate(**base, sd2=1.0, diameter=5).value, rel=1e-14
        )


def test_eigenvalues_of_the_covariance_help() -> None:
    """A trace is at most what equal eigenvalues give; unequal ones give less, in every rule that asks for the information or for
    the error of an estimate, and equal ones give the same."""
    law: dict[str, Any] = {"eps_sc": 0, "eps_cm": 0, "L_f": 1, "d": 4, "m2": 3, "T": 3, "delta": "0.01", "grid": "edm", "N": 12}
    takers = [
        (name, teacher)
        for name, teacher in cases()
        if name in ("smoothed-integrated", "bounded-integrated", "atoms")
        or (name in ("lipschitz-integrated", "one-sided") and teacher != EI)
    ]
    for name, teacher in takers:
        known: dict[str, Any] = {"R": 4, "n_atoms": 10**9} if name == "atoms" else {"R": 4} if "-integrated" in name else {}
        known |= {"tau": "1/10"} if name == "smoothed-integrated" else {"L_s": 11} if name == "lipschitz-integrated" else {}
        if name in ("lipschitz-integrated", "one-sided"):
            known = {"L_s": 11} if name == "lipschitz-integrated" else {"L_os": 9}
        known |= {"M": 1} if teacher == "heun" else {}
        base = {**law, **known, "profile": name, "teacher": teacher}
        found = {
            eigenvalues: ONE_STEP.evaluate(**base, cov_eigs=eigenvalues.split(",")).terms["discretisation"].value
            for eigenvalues in ("1,1,1,1", "3.7,0.1,0.1,0.1")
        }
        by_trace = ONE_STEP.evaluate(**base, sd2=2).terms["discretisation"].value
        assert found["1,1,1,1"] == pytest.approx(by_trace, rel=1e-14), (name, teacher)
        assert found["3.7,0.1,0.1,0.1"] < by_trace * (1 - 1e-6), (name, teacher)
    for name, teacher in cases():  # and nowhere else
        if (name, teacher) in takers:
            continue
        known = {"R": 4, "tau": "1/10"} if name == "smoothed" else {"R": 4} if name == "bounded" else {"L_s": 11, "L_os": 9}
        base = {**law, **known, **({"M": 1} if teacher == "heun" else {}), "profile": name, "teacher": teacher}
        with_them = ONE_STEP.evaluate(**base, cov_eigs=["3.7", "0.1", "0.1", "0.1"]).terms["discretisation"].value
        assert with_them == pytest.approx(ONE_STEP.evaluate(**base, sd2=2).terms["discretisation"].value, rel=1e-14)


HEUN_BASE: dict[str, Any] = {"d": 3, "m2": 2, "L_f": 2, "eps_cm": 0, "eps_sc": "0.1", "teacher": "heun", "R": 2}
NODES = {"grid": ["0.01", "0.1", "1", "3"]}
BAD: tuple[tuple[dict[str, Any], str], ...] = (
    ({**HEUN_BASE, "T": 3, "delta": "0.01", "h": "0.1"}, "needs M"),
    ({**HEUN_BASE, **NODES}, r"needs M \(for the heun teacher: "),
    ({**HEUN_BASE, "T": 3, "delta": "0.01", "h": "0.1", "M": 1}, "'heun' has no closed form in h: give a grid"),
    ({**HEUN_BASE, **NODES, "M": -1}, "M must be a number >= 0"),
    ({**HEUN_BASE, **NODES, "M": [1, 2]}, "M has 2 values, but the grid has N = 3 steps"),
    ({**HEUN_BASE, **NODES, "M": [1, 2, 3, 4]}, "M has 4 values, but the grid has N = 3 steps"),
    (
        {**HEUN_BASE, **NODES, "M": 1, "eps_sc": ["0.1", "0.2", "0.3"]},
        "eps_sc has 3 values, but the grid has 4 nodes, that at delta",
    ),
    ({**HEUN_BASE, **NODES, "M": 1, "eps_sc": ["0.1"] * 5}, "eps_sc has 5 values, but the grid has 4 nodes, that at delta"),
    ({**HEUN_BASE, **NODES, "teacher": "ddim", "eps_sc": ["0.1"] * 4}, "eps_sc has 4 values, but the grid has N = 3 steps"),
    ({**HEUN_BASE, **NODES, "M": 1, "profile": "universal"}, "'universal' does not cover the heun teacher"),
    ({**HEUN_BASE, **NODES, "M": 1, "tau": "0.5", "profile": "bounded-integrated"}, "needs tau = 0"),
    ({**HEUN_BASE, **NODES, "teacher": "ddim", "profile": "one-sided"}, "'one-sided' needs L_os"),
    ({**HEUN_BASE, **NODES, "teacher": "ddim", "profile": "one-sided", "L_os": -1}, "L_os must be a number >= 0"),
    ({**HEUN_BASE, **NODES, "teacher": "ddim", "diameter": -1}, "diameter must be a number >= 0"),
    ({**HEUN_BASE, **NODES, "teacher": "ddim", "cov_eigs": [1, 1]}, "cov_eigs has 2 values, but d = 3"),
    ({**HEUN_BASE, **NODES, "teacher": "ddim", "cov_eigs": [1, 1, 0, 0]}, "cov_eigs has 4 values, but d = 3"),
    ({**HEUN_BASE, **NODES, "teacher": "ddim", "d_eff": 2, "cov_eigs": [1]}, "cov_eigs has 1 value, but d = 3 or d_eff = 2"),
    ({**HEUN_BASE, **NODES, "teacher": "ddim", "cov_eigs": [1, -1, 1]}, "cov_eigs"),
    ({**HEUN_BASE, **NODES, "teacher": "ddim", "cov_eigs": [1, "x", 1]}, "cov_eigs"),
    ({**HEUN_BASE, **NODES, "teacher": "ddim", "cov_eigs": [1, float("nan"), 1]}, "cov_eigs"),
    (
        {**HEUN_BASE, **NODES, "teacher": "ddim", "sd2": 1, "cov_eigs": ["0.5", "0.5", "0.5"]},
        "cov_eigs add up to 1.5, more than sd2",
    ),
    ({**HEUN_BASE, **NODES, "teacher": "ddim", "cov_eigs": [4, 4, 4]}, "sd2 must be at most"),
)


@pytest.mark.parametrize(("given", "words"), BAD, ids=lambda x: x if isinstance(x, str) else "")
def test_bad_input_of_the_sharper_rules(given: dict[str, Any], words: str) -> None:
    """One line that names the parameter, in both tiers."""
    for tier in ("evaluate", "approximate"):
        with pytest.raises(CmboundError, match=words) as caught:
            getattr(ONE_STEP, tier)(**given)
        assert "\n" not in str(caught.value)


def test_auto_is_given_alone() -> None:
    with pytest.raises(cmbound.InputError, match=r"^profile 'auto' stands for the best of all that apply; give it alone"):
        cmbound.theorem("explicit-one-step").evaluate(preset="gaussian-2d", profile=("auto", "universal"))
