"""Regularity profiles: closed forms against quadrature, monotone accelerations, auto against single profiles, own profiles."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy
from scipy.integrate import quad

import cmbound
from cmbound.arithmetic import approximate
from cmbound.theory.notation import TABLE, a, b, t
from cmbound.theory.profiles import NAMES, PROFILES
from cmbound.theory.rules import Profile, Rule
from tests.settings import EI, EXTREMES, cases, draw, for_profile, for_theorem, one_law, repaired

ONE_STEP = cmbound.theorem("explicit-one-step")
POINTWISE = [p for p in PROFILES.values() if p.acceleration is not None]
EQUAL = {"universal", "lipschitz"}
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


def _start(profile: Profile, rule: Rule, values: dict[str, float]) -> float:
    if rule.valid_from is None:
        return values["delta"]
    return _float(rule.valid_from, {x: _numbers(values)[x] for x in rule.valid_from.free_symbols}) * 1.0001


@BY_NAME
@pytest.mark.parametrize("seed", range(6))
def test_closed_form_against_quadrature(profile: Profile, seed: int) -> None:
    """The closed Phi equals the integral of A, or lies above it, on the whole range and on stretches of it."""
    values = draw(np.random.default_rng(100 + seed))
    values["t_star"] = 0.0 if seed % 2 else values["delta"]
    rule = profile.rules[EI][-1]
    low, high = _start(profile, rule, values), values["T"]
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
            low = _start(profile, profile.rules[EI][-1], values)
            times = np.geomspace(low, 12.0, 4000)
            curve = np.asarray(_acceleration(profile, values)(times))
            assert np.isfinite(curve[1:]).all()
            assert (np.diff(curve[1:]) <= 1e-11 * curve[1:-1]).all(), (profile.name, values)


def test_an_increasing_acceleration_would_be_noticed() -> None:
    """The exact acceleration of N(0, 100) increases for a while: the check must see such a thing."""
    exact = Profile.from_acceleration("increasing", sympy.exp(-2 * t) / (1 + 99 * sympy.exp(-2 * t)) ** 2)
    curve = np.asarray(_acceleration(exact, {})(np.geomspace(1e-3, 12, 400)))
    assert (np.diff(curve) > 0).any()


def _common(values: dict[str, float]) -> dict[str, Any]:
    return {**for_theorem(ONE_STEP, values), "sd2": values["sd2"], "L_s": values["L_s"], "R": values["R"]}


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(
    ("teacher", "grid"), [(EI, None), *itertools.product([EI, "ddim"], ["geometric", "edm", "two-stage", "uniform"])]
)
def test_auto_is_never_above_a_single_profile(seed: int, teacher: str, grid: str | None) -> None:
    rng = np.random.default_rng(seed)
    values = draw(rng)
    params = {**_common(values), "n_atoms": values["n_atoms"], "t_star": "delta" if seed % 2 else 0}
    if seed == 3:
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
            or (name in ("bounded", "atoms") and "tau" in params)
            or (name == "smoothed" and "tau" not in params)
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
    params = {"eps_sc": 0, "eps_cm": 0, "L_f": 1, "d": 3, "m2": 2, "L_s": 20, "T": 5, "delta": "1e-3", "h": "1e-3"}
    auto = ONE_STEP.evaluate(**params)
    assert len(auto.stretches) >= 3
    singles = [
        float(ONE_STEP.evaluate(**params, profile=name))
        for name in ("universal", "universal-integrated", "second-moment", "lipschitz")
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
    both = {EI, "ddim"}
    assert table == {
        "universal": both,
        "universal-integrated": both,
        "second-moment": both,
        "lipschitz": {EI},
        "lipschitz-decay": {EI},
        "smoothed": {EI},
        "bounded": both,
        "atoms": {"ddim"},
    }
    assert PROFILES["lipschitz-decay"].parameters(EI) == {"d", "L_s", "t_star", "m2"}
    assert PROFILES["atoms"].parameters("ddim") == {"R", "n_atoms"}


@pytest.mark.parametrize(("name", "teacher"), list(cases()))
def test_dimension_of_a_subspace_and_variance_help(name: str, teacher: str) -> None:
    """sd2 replaces m2 in second-moment; d_eff replaces d for DDIM in (a), (b), (f) and nowhere else."""
    values = draw(np.random.default_rng(1))
    values |= {"d": 100, "d_eff": 5, "m2": 3.0, "sd2": 1.0, "tau": 0.0, "R": 4.0, "L_s": 200.0}
    base = {**for_theorem(ONE_STEP, values), **for_profile(name, teacher, values), "teacher": teacher, "profile": name}
    base.pop("h")
    base |= {"grid": "geometric", "N": 30}
    base.pop("sd2", None)
    plain = ONE_STEP.evaluate(**base).terms["discretisation"].value
    smaller = ONE_STEP.evaluate(**base, d_eff=5).terms["discretisation"].value
    centred = ONE_STEP.evaluate(**base, sd2=1.0).terms["discretisation"].value
    subspace = teacher == "ddim" and name in ("universal", "universal-integrated", "second-moment")
    assert (smaller < plain) == subspace
    assert (centred < plain) == (name == "second-moment")
    if subspace:
        other = ONE_STEP.evaluate(**{**base, "d": 5}).terms["discretisation"].value
        assert smaller == pytest.approx(other, rel=1e-14)


def test_auto_is_given_alone() -> None:
    with pytest.raises(cmbound.InputError, match=r"^profile 'auto' stands for the best of all that apply; give it alone"):
        cmbound.theorem("explicit-one-step").evaluate(preset="gaussian-2d", profile=("auto", "universal"))
