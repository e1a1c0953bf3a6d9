"""Orders against measured slopes, cancellations, elasticities, dominating terms, corollaries, ``cmbound analyse``."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import replace
from fractions import Fraction
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy
from sympy import Add, Integer, Max, Min, Rational, S, Symbol, exp, log, sqrt

import cmbound
from cmbound.analysis import orders as module
from cmbound.analysis.corollaries import Verdict, corollaries_report
from cmbound.analysis.expressions import OrderUndecidedError, unfolded
from cmbound.analysis.orders import LIMITS, analysed_terms, order, positive, sample
from cmbound.analysis.records import Order, Orders
from cmbound.analysis.series import leading
from cmbound.catalogue.corollaries import COROLLARIES, HORIZON, RECIPE, STOPPED
from cmbound.catalogue.lyu2023 import M
from cmbound.errors import DomainError, InputError, MissingParameterError, UndecidedError, UnknownNameError
from cmbound.theory.functions import (
    I3,
    J,
    c,
    c_drop,
    em1,
    g,
    kappa_h,
    lam_log_gap,
    one_minus_c,
    one_minus_s,
    rho_squared,
    s,
    s_rise,
)
from cmbound.theory.notation import TABLE, C, L_f, L_s, N, R, T, W_prev, d, delta, eps, eps_cm, eps_sc, h, k, m2, t_hat
from cmbound.theory.profiles import PROFILES
from cmbound.theory.records import Corollary
from cmbound.theory.rules import Profile
from cmbound.theory.variants import EI
from tests.helpers import Outcome, call, fine, flags, strict
from tests.latex import compiled, missing_tex

POINT = {
    "eps_sc": "1e-3",
    "eps_cm": "2e-3",
    "L_f": "1.5",
    "d": "8",
    "m2": "2",
    "T": "5",
    "delta": "1e-2",
    "h": "1e-2",
}
EI_PROFILES = tuple(p.name for p in PROFILES.values() if "exponential-integrator" in p.rules)
EXTRA: dict[str, dict[str, str]] = {
    **{name: {"L_s": "4"} for name in ("lipschitz", "lipschitz-integrated")},
    "one-sided": {"L_os": "0.5"},
    **{name: {"R": "3"} for name in ("bounded", "bounded-integrated")},
    **{name: {"R": "3", "tau": "0.3"} for name in ("smoothed", "smoothed-integrated")},
    "atoms": {"R": "3", "n_atoms": "50"},
    "auto": {"R": "3", "L_s": "4", "L_os": "0.5"},
}


# --- orders against values in mpmath --------------------------------------------------------------------------------


def in_mpmath(expr: Any, at: dict[str, Any]) -> Any:
    """The value of an expression in elementary functions."""
    known: dict[Any, Any] = {}

    def value(part: Any) -> Any:
        if part not in known:
            known[part] = new(part)
        return known[part]

    def new(part: Any) -> Any:
        if part.is_Symbol:
            return at[part.name]
        if not part.args:
            return mpmath.mpf(part.p) / part.q if part.is_Rational else getattr(mpmath, str(part).lower())
        name = type(part).__name__
        function = FUNCTIONS[name] if name in FUNCTIONS else getattr(mpmath, name)
        return function(*map(value, part.args))

    return value(expr)


FUNCTIONS: dict[str, Any] = {"Add": lambda *x: mpmath.fsum(x), "Mul": lambda *x: mpmath.fprod(x), "Pow": mpmath.power}
FUNCTIONS |= {"Max": max, "Min": min}


def values(expr: Any, name: str, scales: tuple[int, int], which: int) -> list[Any]:
    """The expression in mpmath at two values of one parameter, the others at a point of the domain."""
    point = sample({})[which]
    found = []
    for scale in scales:
        at = {x.name: point[x.name] for x in expr.free_symbols}
        at[name] = Fraction(scale) if LIMITS[name] == "oo" else Fraction(1, scale)
        found.append(in_mpmath(unfolded(expr), {x: mpmath.mpf(y.numerator) / y.denominator for x, y in at.items()}))
    return found


def agrees(expr: Any, x: Order) -> bool:
    """Whether the measured growth between two values is that of the derived order.

    The slope of the quotient by the order is what is left: 0, up to the next term.
    """
    scales = (40, 400) if x.kind == "exponential" else (10**30, 10**60)
    with mpmath.workdps(900 if x.kind == "exponential" else 250):
        first, second = (
            y / z for y, z in zip(*(values(e, x.parameter, scales, x.kind == "power") for e in (expr, x.leading)), strict=True)
        )
        slope = abs(mpmath.log(second / first) / mpmath.log(scales[1] / mpmath.mpf(scales[0])))
        return bool(slope < 0.05 and 0.5 < second < 2)


CASES: tuple[tuple[str, dict[str, Any]], ...] = (
    *(("explicit-one-step", {"profile": p}) for p in EI_PROFILES),
    ("explicit-map-error", {"profile": "second-moment"}),
    ("explicit-multistep", {"profile": "bounded", "to": "p_delta"}),
    ("explicit-training", {"start": "matched"}),
    ("explicit-score-lipschitz", {}),
    ("explicit-map-lipschitz", {}),
    ("explicit-tv-early-stopping", {}),
    ("explicit-tv-underdamped", {"profile": "universal"}),
    ("lyu2023-thm2", {}),
    ("lyu2023-cor4", {}),
    ("lyu2023-cor6", {}),
    ("lyu2023-cor8", {}),
)


@cache
def derived(id: str, **options: str) -> Orders:
    """The orders of a statement, derived once for all tests."""
    return cmbound.orders(id, **options)


@pytest.mark.parametrize(("id", "options"), CASES, ids=lambda x: x if isinstance(x, str) else "-".join(x.values()))
def test_orders_agree_with_measured_slopes(id: str, options: dict[str, str]) -> None:
    found = derived(id, **options)
    profile = options.get("profile", "universal-integrated")
    rules = PROFILES[profile].rules[EI] if cmbound.theorem(id).uses_profile else (None,)
    versions = [analysed_terms(cmbound.theorem(id), options, rule=i) for i in range(len(rules))]
    assert found.parameters
    for term in (*versions[0], "total"):
        if id == "explicit-one-step" and options["profile"] != "universal" and term not in ("discretisation", "total"):
            continue  # free of the profile
        row = found.total if term == "total" else found.terms[term]
        assert list(row) == list(found.parameters)
        for name, x in row.items():
            assert x.kind in ("power", "exponential"), (term, name, x.reason)
            if name == "N":
                continue
            terms = module._smallest(versions, name, {})
            expr = Add(*terms.values()) if term == "total" else terms[term]
            if not expr.has(TABLE[name].symbol):
                assert x.constant
                continue
            assert agrees(expr, x), (term, name, str(x))
            if name == found.parameters[-1]:
                off = replace(x, leading=x.leading * TABLE[name].symbol ** Rational(1, 4))
                assert not agrees(expr, off), (term, name)


EXPONENTS: dict[str, dict[str, Any]] = {
    "universal": {"d": Rational(3, 2), "delta": -Rational(1, 2), "T": 1, "L_f": 1, "h": 1, "m2": 0},
    "universal-integrated": {"d": 1, "delta": -Rational(1, 2), "T": 1, "L_f": 1, "h": 1, "m2": 0},
    "second-moment": {"d": Rational(5, 4), "delta": -Rational(3, 4), "T": 0, "m2": Rational(1, 2), "h": 1},
    "lipschitz": {"d": Rational(1, 2), "delta": 0, "T": 1, "L_s": Rational(3, 2), "h": 1, "N": -1},
    "lipschitz-integrated": {"d": Rational(1, 2), "delta": 0, "T": 0, "L_s": Rational(1, 2), "m2": 0, "h": 1, "N": -1},
    "one-sided": {"d": Rational(1, 2), "delta": -Rational(1, 2), "T": 0, "L_os": Rational(1, 2), "m2": 1, "h": 1, "N": -1},
    "smoothed": {"d": Rational(1, 2), "delta": 0, "T": 0, "R": 3, "h": 1, "tau": 0},
    "smoothed-integrated": {"d": Rational(1, 2), "delta": 0, "T": 0, "R": 1, "m2": 0, "h": 1, "tau": 0},
    "bounded": {"d": Rational(1, 2), "delta": -2, "T": 0, "R": 3, "h": 1, "N": -1},
    "bounded-integrated": {"d": Rational(1, 2), "delta": -1, "T": 0, "R": 1, "m2": 0, "h": 1, "N": -1},
    "atoms": {"d": Rational(1, 2), "delta": -1, "T": 0, "R": 1, "n_atoms": 0, "m2": 0, "h": 1, "N": -1},
}
LOGS: dict[str, dict[str, Any]] = {
    "one-sided": {"delta": Rational(1, 2)},
    "bounded-integrated": {"delta": Rational(1, 2)},
}
"""Powers of logarithms, where there are any."""


@pytest.mark.parametrize("profile", EI_PROFILES)
def test_discretisation_exponents(profile: str) -> None:
    """The exponents one reads off theory 3.2, 3.11 and 3.13, and the verdict."""
    found = derived("explicit-one-step", profile=profile)
    row = found.terms["discretisation"]
    assert {name: row[name].exponent for name in EXPONENTS[profile]} == EXPONENTS[profile]
    assert {name: x.logs for name, x in row.items() if x.logs != 0} == LOGS.get(profile, {})
    assert found.is_upper is (profile not in ("universal", "second-moment", "lipschitz", "smoothed", "bounded"))
    assert ("may be smaller" in found.text()) is found.is_upper
    assert {x.kind for x in row.values()} == {"power"}
    assert found.polynomial is True
    assert found.verdict.startswith("polynomial in every parameter")
    initial = found.terms["initialisation"]["T"]
    assert (initial.kind, initial.rate, initial.growing) == ("exponential", -T, False)


def test_lipschitz_scores_take_steps_of_order_half_a_power_of_the_constant() -> None:
    """theory 3.13: N = T L_f ((L_s d)^(1/2) log L_s + sd2 (L_s log L_s)^(1/2))/eps for any delta, not T^2 L_f L_s^(3/2)..."""
    term = analysed_terms(cmbound.theorem("explicit-one-step"), {"profile": "lipschitz-integrated"})["discretisation"]
    assert not term.has(T, delta)
    by_parameter = {name: order(term, name) for name in ("L_s", "d", "m2", "L_f", "h")}
    assert {name: (x.exponent, x.logs) for name, x in by_parameter.items()} == {
        "L_s": (Rational(1, 2), 1),
        "d": (Rational(1, 2), 0),
        "m2": (1, 0),
        "L_f": (1, 0),
        "h": (1, 0),
    }
    moments = order(term.subs(d, 0), "L_s")
    assert (moments.exponent, moments.logs) == (Rational(1, 2), Rational(1, 2))
    steps = cmbound.check_corollary("lipschitz-steps")
    assert (steps.status, steps.how) == ("proved", "orders")
    paper = cmbound.orders("lyu2023-cor4").terms["discretisation"]
    ours = derived("explicit-one-step", profile="lipschitz-integrated").terms["discretisation"]
    assert [x["L_s"].exponent for x in (paper, ours)] == [Rational(3, 2), Rational(1, 2)]
    assert [x["T"].exponent for x in (paper, ours)] == [1, 0]


@pytest.mark.parametrize(("count", "constant"), [(10**3, 3.6), (5 * 10**4, 4.5)])
def test_atoms_take_a_multiple_of_the_radius_and_the_ratio(count: int, constant: float) -> None:
    """theory 3.13: R log r times 3.6 and 4.5 on a geometric grid of ratio r = 1.07, whatever the noise levels and d are."""
    found = []
    for low, high, dimension in (("1/500", 80, 3072), ("1/10000", 200, 3072), ("1/10000", 200, 10**6)):
        steps = round(math.log(high / Fraction(low)) / math.log(1.07))
        point = {"sigma_min": low, "sigma_max": high, "N": steps, "d": dimension, "L_f": 1, "eps_sc": 0, "eps_cm": 0}
        result = cmbound.theorem("explicit-one-step").evaluate(
            **point, R=1, m2=1, n_atoms=count, grid="geometric", teacher="ddim", profile="atoms", clock="ve"
        )
        ratio = math.log(high / Fraction(low)) / steps
        found.append(result.terms["discretisation"].value / ratio)
    # the last digit of the constants in the text
    assert max(found) == pytest.approx(constant, abs=0.05)
    assert max(found) / min(found) < 1.01


def test_exponential_in_the_radius() -> None:
    found = derived("explicit-map-lipschitz")
    assert found.polynomial is False
    assert set(found.exponential) == {"R", "delta"}
    assert "not polynomial: exponential in" in found.verdict
    assert sympy.simplify(found.total["delta"].rate - R**2 / (4 * delta)) == 0
    assert found.total["delta"].exponent == Rational(1, 2)
    assert found.total["t"].constant


def test_multistep_depends_on_the_regime() -> None:
    """Contraction or growth in k is decided at the point, and the condition is part of the answer."""
    contracting = derived("explicit-multistep", profile="bounded", to="p_delta").terms["initialisation"]["k"]
    assert sympy.simplify(contracting.rate - k * (log(L_f) - t_hat + delta)) == 0
    assert (contracting.kind, contracting.growing) == ("exponential", False)
    (condition,) = contracting.conditions
    assert condition.subs({L_f: 2, t_hat: 1, delta: Rational(1, 100)}) == sympy.true
    growing = cmbound.orders("explicit-multistep", profile="bounded", to="p_delta", L_f=20, t_hat=1, T=5)
    assert growing.exponential == ("k",)
    (condition,) = growing.terms["initialisation"]["k"].conditions
    assert condition.subs({L_f: 20, t_hat: 1, delta: Rational(1, 100)}) == sympy.true
    fixed = cmbound.orders("explicit-multistep", profile="bounded", k=3)
    assert fixed.total["L_f"].exponent == 3
    assert "k" not in fixed.parameters


def test_t_star_tau_and_profiles_of_your_own() -> None:
    assert cmbound.orders("explicit-score-lipschitz").total["delta"].exponent == -2
    assert cmbound.orders("explicit-score-lipschitz", tau="1/2").total["delta"].constant
    later = cmbound.orders("explicit-one-step", profile="lipschitz", t_star="delta").terms["discretisation"]
    assert later["L_s"].exponent == Rational(3, 2)
    own = Profile.from_stretch("own", lambda a, b, h: h * d**2 * (b - a) / a)
    found = cmbound.orders("explicit-one-step", profile=own).terms["discretisation"]
    assert (found["d"].exponent, found["delta"].exponent) == (2, -1)
    with pytest.raises(InputError, match="does not cover the exponential-integrator teacher"):
        cmbound.orders("explicit-one-step", profile=replace(PROFILES["bounded"], name="own", rules={"ddim": own.rules[EI]}))
    integral = Profile.from_acceleration("own", sqrt(d) * s(cmbound.theory.notation.t) ** -3)
    unknown = cmbound.orders("explicit-one-step", profile=integral)
    assert unknown.terms["discretisation"]["delta"].kind == "undecided"
    assert unknown.terms["discretisation"]["L_f"].exponent == 1
    assert unknown.polynomial is None
    assert "undecided in" in unknown.verdict


# --- cancellation ---------------------------------------------------------------------------------------------------

CANCELLATIONS: tuple[tuple[Any, str, Any], ...] = (
    (exp(h) - 1 - h, "h", h**2),
    (g(h), "h", h),
    (exp(2 * h) - 4 * exp(h) + 3 + 2 * h, "h", h**3),
    (kappa_h(h), "h", h),
    (rho_squared(h), "h", h**2),
    (em1(h) / h, "h", 1),
    (1 / s(delta) - 1 / s(T), "T", 1),
    (1 / s(delta) - 1 / s(delta + h), "h", h),
    (J(delta, T), "delta", delta ** -Rational(1, 2)),
    (I3(delta, delta + h), "h", h),
    (I3(delta, delta + h) - h / s(delta) ** 3, "h", h**2),
    (c_drop(delta, delta + h), "h", h),
    (s_rise(delta, delta + h) - h * c(delta) ** 2 / s(delta), "h", h**2),
    (one_minus_s(T), "T", exp(-2 * T)),
    (one_minus_c(delta), "delta", delta),
    (one_minus_s(T) - c(T) ** 2 / 2, "T", exp(-4 * T)),
    (lam_log_gap(delta, delta + h), "h", h**2),
    (log(1 + h) - h + h**2 / 2, "h", h**3),
    (sqrt(d + 1) - sqrt(d), "d", d ** -Rational(1, 2)),
    (sqrt(d**2 + d) - d, "d", 1),
    (sympy.atan(R) - sympy.pi / 2, "R", 1 / R),
    (sympy.atan(1 + h) - sympy.atan(1), "h", h),
    ((1 + 1 / d) ** d - sympy.E, "d", 1 / d),
    (g(eps / log(1 / eps)), "eps", eps / log(1 / eps)),
    (log(d + 1) ** 2 * d ** Rational(3, 2), "d", log(d) ** 2 * d ** Rational(3, 2)),
    (exp(-T) * T + exp(-2 * T), "T", T * exp(-T)),
    (d**2 * (Max(d, 7) - d) + d, "d", d),
    (Max(1 / delta, R**2 / delta**2), "delta", delta**-2),
    (Min(1 / delta, R**2 / delta**2), "delta", delta**-1),
    (Max(L_f * eps, m2 * eps + eps**2), "eps", eps),
    ((L_f * eps + 1) ** 3 - 1 - 3 * L_f * eps, "eps", eps**2),
    (exp(exp(-T)) - 1 - exp(-T), "T", exp(-2 * T)),
)


@pytest.mark.parametrize(("expr", "name", "expected"), CANCELLATIONS, ids=lambda x: str(x)[:40])
def test_cancellation(expr: Any, name: str, expected: Any) -> None:
    found = order(expr, name)
    assert found.kind in ("power", "exponential"), found.reason
    assert sympy.simplify(found.expression / expected) == 1, str(found)
    if expr.free_symbols - {TABLE[name].symbol} or found.leading.has(TABLE[name].symbol):
        assert agrees(expr, found)


def test_what_is_not_decided() -> None:
    """No answer rather than a wrong one."""
    tail = exp(h) - Add(*(h**j / sympy.factorial(j) for j in range(30)))
    assert order(tail, "h").kind == "undecided"
    assert order((d + 1) ** 2 - d**2 - 2 * d - 1, "d").kind == "zero"
    sign = order(exp((L_f - m2) * T), "T")
    assert sign.kind == "undecided"
    assert "depends on the other parameters" in sign.reason
    decided = order(exp((L_f - m2) * T), "T", {"L_f": Fraction(3), "m2": Fraction(1)})
    assert decided.growing
    assert decided.conditions == (L_f - m2 > 0,)
    assert order(sympy.sin(d), "d").kind == "undecided"
    assert order(exp(sqrt(log(d))), "d").kind == "undecided"
    assert order(m2, "d").constant
    with pytest.raises(InputError, match="no limit"):
        order(C, "C")


def test_a_wrong_leading_term_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    x = Symbol("d", positive=True, integer=True)
    module._verify(x**2 + x, x**2, x, "oo", sample({})[0])
    for wrong in (x, x**2 * log(x), 2 * x**2, x ** Rational(9, 4)):
        with pytest.raises(OrderUndecidedError, match="disagrees"):
            module._verify(x**2 + x, wrong, x, "oo", sample({})[0])
    real = leading

    def off(*args: Any) -> Any:
        found = real(*args)
        assert found is not None
        m, value, *rest = found
        return (m, 2 * value, *rest)

    monkeypatch.setattr(module, "leading", off)
    assert order(d**2 + d, "d").kind == "undecided"


# --- elasticities ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", ["universal", "lipschitz", "smoothed"])
def test_elasticities_against_differences(profile: str) -> None:
    numbers = {**POINT, **EXTRA.get(profile, {})}
    found = cmbound.elasticities("explicit-one-step", profile=profile, **numbers).values
    assert found is not None
    assert set(found) == set(numbers)
    theorem, step = cmbound.theorem("explicit-one-step"), Fraction(1, 10**6)
    for name in set(numbers) - {"d"}:
        x = Fraction(numbers[name])
        up, down = (
            theorem.evaluate(**{**numbers, name: y}, profile=profile, digits=25).upper for y in (x * (1 + step), x / (1 + step))
        )
        slope = float(up.ln() - down.ln()) / (2 * np.log1p(float(step)))
        assert found[name] == pytest.approx(slope, abs=1e-8), name
    expr = unfolded(Add(*analysed_terms(theorem, {"profile": profile}).values()))
    at = {TABLE[name].symbol: Rational(x) for name, x in numbers.items() if name != "d"}
    above, below = (
        float(log(expr.xreplace(at).subs(d, 8 * y)).evalf(30)) for y in (1 + Rational(step), 1 / (1 + Rational(step)))
    )
    assert found["d"] == pytest.approx((above - below) / (2 * np.log1p(float(step))), abs=1e-7)


@pytest.mark.parametrize("profile", [*EI_PROFILES, "auto"])
def test_elasticities_follow_the_path(profile: str) -> None:
    """They are the slopes of what an evaluation finds, certified, to all parameters of the statement and of the profile."""
    numbers = {**POINT, **EXTRA.get(profile, {})}
    found = cmbound.elasticities("explicit-one-step", profile=profile, **numbers).values
    assert found is not None
    theorem, step = cmbound.theorem("explicit-one-step"), Fraction(1, 10**4)
    for name in set(numbers) - {"d", "n_atoms", "k"}:
        x = Fraction(numbers[name])
        up, down = (
            theorem.evaluate(**{**numbers, name: y}, profile=profile, digits=25).upper for y in (x * (1 + step), x / (1 + step))
        )
        slope = float(up.ln() - down.ln()) / (2 * np.log1p(float(step)))
        # the inner ends of a path stand on a raster that moves with delta and T
        assert found.get(name, 0.0) == pytest.approx(slope, abs=1e-3 if name in ("delta", "T") else 2e-5), name


def measured(id: str, name: str, profile: str, numbers: dict[str, str]) -> float:
    """The slope of log(value) in log(parameter), of evaluations over 4 per cent (they choose times on a raster)."""
    x, step = float(numbers[name]), 0.02
    ends = [
        np.log(float(cmbound.theorem(id).approximate(**{**numbers, name: y}, profile=profile).total))
        for y in (x * (1 + step), x * (1 - step))
    ]
    return float((ends[0] - ends[1]) / (np.log1p(step) - np.log1p(-step)))


BEST: dict[str, tuple[str, str, dict[str, str], tuple[str, ...]]] = {
    "a late stretch from delta on": (
        "explicit-one-step",
        "lipschitz-integrated",
        {"L_s": "400", "m2": "0.01"},
        ("L_s", "delta", "T"),
    ),
    "t_star = delta": ("explicit-one-step", "lipschitz-integrated", {"L_s": "400", "t_star": "delta"}, ("L_s", "m2")),
    "nothing moves the data": ("explicit-map-error", "lipschitz-integrated", {"L_s": "1.5", "m2": "0"}, ("L_s", "delta")),
    "two map errors": (
        "explicit-multistep",
        "lipschitz-integrated",
        {"L_s": "4", "k": "3", "t_hat": "2"},
        ("L_s", "m2", "t_hat"),
    ),
    "several profiles": ("explicit-multistep", "auto", {"L_s": "4", "R": "3", "k": "3", "t_hat": "2"}, ("L_s", "m2", "t_hat")),
    "smoothing": ("explicit-tv-smoothing", "lipschitz", {"L_s": "4"}, ("L_s", "delta", "m2")),
    "smoothing held by T": (
        "explicit-tv-smoothing",
        "lipschitz",
        {"L_s": "1.2", "m2": "0.5", "T": "0.3", "eps_cm": "3"},
        ("L_s", "delta", "T"),
    ),
    "the corrector": ("explicit-tv-underdamped", "lipschitz", {"L_s": "4", "L_phi": "5", "eta": "1e-2"}, ("L_s", "delta", "eta")),
}


@pytest.mark.parametrize("name", BEST)
def test_elasticities_are_those_of_the_best_choice(name: str) -> None:
    """Times of change and parameters left out move with the others, as in an evaluation."""
    id, profile, extra, names = BEST[name]
    numbers = {**POINT, **extra}
    if id == "explicit-map-error":
        numbers = {x: y for x, y in numbers.items() if x not in ("T", "m2")} | {"t": "5", "m2": "0.001"}
    found = cmbound.elasticities(id, profile=profile, **numbers).values
    assert found is not None
    for x in names:
        assert found[x] == pytest.approx(measured(id, x, profile, numbers), abs=1e-3), x


def test_elasticities_add_up_where_the_bound_is_homogeneous() -> None:
    """m2, d^(1/2) and the errors scale together: Euler's identity."""
    numbers = {name: POINT[name] for name in ("eps_cm", "L_f", "d", "m2", "T", "delta")}
    x = cmbound.elasticities("explicit-training", **numbers).values
    assert x is not None
    assert x["m2"] + 2 * x["d"] + x["eps_cm"] == pytest.approx(1, abs=1e-13)
    assert abs(x["m2"] + x["d"] + x["eps_cm"] - 1) > 1e-3
    y = cmbound.elasticities("lyu2023-cor4", **POINT, L_s=4, C=3).values
    assert y is not None
    assert y["m2"] + 2 * y["d"] + y["eps_cm"] + y["eps_sc"] == pytest.approx(1, abs=1e-13)
    assert y["L_s"] == pytest.approx(1.5 * y["h"], abs=1e-13)


def test_symbolic_elasticities() -> None:
    found = cmbound.elasticity("lyu2023-cor4", "h", term="discretisation")
    assert sympy.simplify(found) == 1
    whole = cmbound.elasticity("explicit-training", "eps_cm")
    terms = {x.name: x.expression for x in cmbound.theorem("explicit-training").terms}
    assert sympy.simplify(whole - terms["consistency"] / Add(*terms.values())) == 0
    assert cmbound.elasticities("explicit-training").values is None
    many = cmbound.elasticities("explicit-multistep", profile="bounded", R=1, k=3, t_hat=2, **POINT).values
    assert many is not None
    assert {"k", "t_hat"} <= set(many)
    smoothing = cmbound.elasticities("explicit-tv-smoothing", profile="lipschitz", L_s=4, **POINT).values
    assert smoothing is not None
    assert abs(smoothing["u"]) < 1e-3  # the smoothing time left out is the best one


def test_elasticities_refuse() -> None:
    with pytest.raises(InputError, match="does not occur"):
        cmbound.elasticity("explicit-training", "h")
    with pytest.raises(InputError, match="no term"):
        cmbound.elasticity("explicit-training", "T", term="score")
    with pytest.raises(MissingParameterError, match="needs eps_cm, L_f, d, m2, delta"):
        cmbound.elasticities("explicit-training", T=5)
    with pytest.raises(UndecidedError, match="kink"):
        cmbound.elasticities("lyu2023-cor4", **{**POINT, "d": "4"}, L_s=4, C=1)
    with pytest.raises(InputError, match="no grid"):
        cmbound.elasticities("explicit-one-step", profile="universal", **{x: y for x, y in POINT.items() if x != "h"}, N=5)


# --- dominating terms -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "low", "high", "count"),
    [("h", "1e-7", "1", 2), ("delta", "1e-8", "1", 2), ("T", "1", "30", 2), ("d", "1", "100000", 2), ("eps_cm", "1e-3", "10", 2)],
)
def test_borders_against_a_dense_scan(name: str, low: str, high: str, count: int) -> None:
    fixed = (
        {**{x: y for x, y in POINT.items() if x != name}, "h": "1e-5"}
        if name != "h"
        else {x: y for x, y in POINT.items() if x != "h"}
    )
    if name in ("T", "d"):
        fixed |= {"m2": "100", "h": "1e-3"}
    theorem = cmbound.theorem("explicit-one-step")
    found = cmbound.dominance(theorem, name, low, high, profile="universal", **fixed)
    assert len(found.intervals) >= count, found
    assert (found.intervals[0].low, found.intervals[-1].high) == (float(low), float(high))
    assert all(x.high == y.low and x.term != y.term for x, y in pairwise(found.intervals))
    xs = np.geomspace(float(low), float(high), 20011)
    xs = np.unique(np.rint(xs)) if name == "d" else xs[1:-1]
    terms = theorem.approximate(**fixed, profile="universal", **{name: xs}).terms
    names = list(terms)
    winners = np.argmax(np.stack([terms[x] for x in names]), axis=0)
    changes = np.flatnonzero(np.diff(winners))
    assert len(changes) == len(found.borders)
    for change, border in zip(changes, found.borders, strict=True):
        assert xs[change] < border <= xs[change + 1]
    for x in found.intervals:
        middle = x.low if name == "d" else np.sqrt(x.low * x.high)
        assert cmbound.dominating(theorem, profile="universal", **fixed, **{name: float(middle)}) == x.term


def test_dominance_refuses() -> None:
    rest = {x: y for x, y in POINT.items() if x != "h"}
    with pytest.raises(InputError, match="takes no other value"):
        cmbound.dominance("explicit-one-step", "h", "1e-3", "1e-2", **POINT)
    with pytest.raises(InputError, match="larger one"):
        cmbound.dominance("explicit-one-step", "h", "1e-2", "1e-3", **rest)
    with pytest.raises(DomainError, match="integer"):
        cmbound.dominance("explicit-one-step", "d", "1.5", "4", **{x: y for x, y in POINT.items() if x != "d"})
    with pytest.raises(DomainError, match="T - delta"):
        cmbound.dominance("explicit-one-step", "h", "1e-3", "10", **rest)
    with pytest.raises(InputError, match="no parameter"):
        cmbound.dominance("explicit-training", "h", "1e-3", "10", **rest)


# --- corollaries ----------------------------------------------------------------------------------------------------


@cache
def verdicts(id: str) -> Verdict:
    """What is found of a corollary, once for all tests."""
    return cmbound.check_corollary(id)


@pytest.mark.parametrize("claimed", COROLLARIES, ids=lambda x: x.id)
def test_every_corollary_is_proved(claimed: Corollary) -> None:
    verdict = verdicts(claimed.id)
    assert verdict.status == "proved", verdict.reason
    assert claimed.text
    assert cmbound.theorem(claimed.statement)
    if verdict.how == "orders":
        assert set(verdict.derived) == set(claimed.limits)
    else:
        assert not claimed.exact or verdict.ratio == 1
    assert verdict.derived_order is not None


def test_ids_are_unique() -> None:
    assert len({x.id for x in cmbound.corollaries()}) == len(cmbound.corollaries()) == len(COROLLARIES)
    with pytest.raises(UnknownNameError, match="did you mean 'cor6-halving'"):
        cmbound.check_corollary("cor6-halvin")


def known(id: str) -> Corollary:
    return next(x for x in COROLLARIES if x.id == id)


WRONG_H = eps / (T * L_f * L_s * sqrt(d))
FALSE: dict[str, tuple[Corollary, str]] = {
    "a recipe with L_s instead of L_s^(3/2)": (
        replace(known("cor4-recipe"), substitution={**RECIPE, h: WRONG_H, T: HORIZON}, limits=("eps", "L_s", "d", "L_f")),
        "L_s: sqrt(L_s) instead of 1",
    ),
    "the explicit recipe with L_s": (
        replace(known("explicit-recipe"), substitution={**RECIPE, h: WRONG_H, T: HORIZON}),
        "L_s: sqrt(L_s) instead of 1",
    ),
    "a time that does not halve": (
        replace(known("cor6-halving"), substitution={t_hat: log(3 * L_f) + delta, C: S.One}),
        "2/3 times",
    ),
    "an order that is no equality": (replace(known("cor4-complexity"), claim=2 * known("cor4-complexity").claim), "1/2 times"),
    "a step with eps^6": (replace(known("cor8-step"), claim=known("cor8-step").claim / eps), "at one point"),
    "N linear in d for any law": (
        replace(known("any-law-integrated"), substitution={h: (T - delta) / N, N: T * L_f * d / eps**2, delta: STOPPED}),
        "d: sqrt(d) instead of 1",
    ),
    "the pointwise profile with d^(3/2)": (
        replace(known("any-law-integrated"), options={"profile": "universal"}),
        "d: sqrt(d) instead of 1",
    ),
    "bounded data by their own profile": (replace(known("any-law-integrated"), options={"profile": "bounded"}), "eps: "),
    "no factor T for Lipschitz scores alone": (replace(known("horizon-lipschitz"), claim=S.One), "T: T instead of 1"),
    "a factor T too many": (replace(known("horizon-lipschitz-integrated"), claim=T), "T: 1 instead of T"),
    "Lipschitz scores without a logarithm": (
        replace(
            known("lipschitz-steps"), substitution={**known("lipschitz-steps").substitution, N: T * L_f * sqrt(L_s * d) / eps}
        ),
        "L_s: log(L_s) instead of 1",
    ),
    "Lipschitz scores at the order of the paper": (
        replace(
            known("lipschitz-steps"),
            substitution={**known("lipschitz-steps").substitution, N: known("cor4-complexity").claim},
        ),
        "L_s: log(L_s)/L_s instead of 1",
    ),
    "the pointwise profile at the integrated order": (
        replace(known("lipschitz-steps"), options={"profile": "lipschitz"}),
        "L_s: L_s/log(L_s) instead of 1",
    ),
    "TV eps from W2 eps": (
        replace(
            known("tv-smoothing-w2"),
            substitution={**known("tv-smoothing-w2").substitution, **{x: y for x, y in RECIPE.items() if x != delta}, T: HORIZON},
        ),
        "eps: sqrt(eps) instead of eps",
    ),
    "a polynomial map Lipschitz constant": (
        replace(known("map-lipschitz-horizon"), claim=R**4, limits=("R",)),
        "instead of R**4",
    ),
    "a logarithm too few": (
        replace(known("any-law-stopping"), quantity=eps * log(1 / eps), substitution={}, limits=("eps",)),
        "eps: eps*log(1/eps) instead of eps",
    ),
}


@pytest.mark.parametrize("name", FALSE)
def test_false_corollaries_are_refuted(name: str) -> None:
    claimed, reason = FALSE[name]
    verdict = cmbound.check_corollary(claimed)
    assert verdict.status == "refuted", verdict
    assert reason in verdict.reason


def test_undecided_and_malformed_corollaries() -> None:
    base = known("cor6-halving")
    regime = replace(base, quantity=exp((L_f - m2) * T), substitution={}, claim=S.One, limits=("T",), exact=False)
    assert cmbound.check_corollary(regime).status == "undecided"
    with pytest.raises(InputError, match="circles"):
        cmbound.check_corollary(replace(base, substitution={t_hat: T, T: t_hat}))
    with pytest.raises(InputError, match="names no limits"):
        cmbound.check_corollary(replace(base, exact=False, claim=W_prev**2))
    with pytest.raises(InputError, match="no term 'smoothing'"):
        cmbound.check_corollary(replace(base, quantity="score+smoothing"))


def test_simplification_looks_for_no_constant_where_values_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    cancels = replace(
        known("cor6-halving"), quantity=sympy.gamma(d + 1), substitution={}, claim=d * sympy.gamma(d), limits=("d",), exact=True
    )
    assert cmbound.check_corollary(cancels).status == "proved"  # though no value of it can be computed
    monkeypatch.delattr("cmbound.analysis.corollaries.simplified")
    assert cmbound.check_corollary("horizon-universal").how == "orders"


def test_signs_are_decided_once() -> None:
    x = d**2 + log(d) - m2
    points = sample({})
    assert not points.is_zero(x)
    assert sample({}) is points
    assert x in points._zeros
    assert sample({"d": Fraction(7)}) is not points


def test_a_recipe_for_every_term() -> None:
    """Corollary 4 term by term: each is C eps."""
    for term in ("initialisation", "consistency", "score", "discretisation", "early_stopping"):
        verdict = cmbound.check_corollary(replace(known("cor4-recipe"), quantity=term))
        assert (verdict.status, verdict.ratio) == ("proved", C)
    assert cmbound.check_corollary("cor4-recipe").ratio == 5 * C


def test_complexity_of_corollary_8_in_numbers() -> None:
    """The orders behind the comparison with Corollary 8: eps^(-7) there, eps^(-2) d^(3/2) for any law."""
    paper = known("cor8-complexity").claim
    assert [order(paper, name).exponent for name in ("eps", "R", "d", "T", "L_f")] == [-7, 9, Rational(7, 2), 2, 1]
    ours = known("any-law-integrated").substitution[N]
    assert [order(ours, name).exponent for name in ("eps", "d", "T", "L_f")] == [-2, Rational(3, 2), 1, 1]
    lipschitz = known("lipschitz-steps").substitution[N]
    assert [(x.exponent, x.logs) for x in (order(lipschitz, name) for name in ("eps", "L_s", "d", "m2", "T", "L_f"))] == [
        (-1, 0),
        (Rational(1, 2), 1),
        (Rational(1, 2), 0),
        (1, 0),
        (1, 0),
        (1, 0),
    ]
    steps = known("cor4-complexity").claim
    assert [order(steps, name).exponent for name in ("eps", "L_s", "d", "T", "L_f")] == [-1, Rational(3, 2), Rational(1, 2), 2, 1]
    assert order(known("atoms-free-of-dimension").quantity, "d").constant
    assert order(M, "d").exponent == Rational(1, 2)
    assert positive(eps_sc + eps_cm + Integer(1)).free_symbols != {eps_sc, eps_cm}


# --- statements of one's own, and every result ----------------------------------------------------------------------


def test_statements_of_ones_own() -> None:
    own = replace(cmbound.theorem("explicit-training"), id="own-training")
    point = {name: POINT[name] for name in ("eps_cm", "L_f", "d", "m2", "delta")}
    assert cmbound.orders(own).total == derived("explicit-training").total
    assert cmbound.orders(own).to_dict()["theorem"] == "own-training"
    assert cmbound.elasticities(own, T=5, **point).values == cmbound.elasticities("explicit-training", T=5, **point).values
    assert cmbound.elasticity(own, "eps_cm") == cmbound.elasticity("explicit-training", "eps_cm")
    found = cmbound.dominance(own, "T", 1, 30, **point)
    assert found.theorem == "own-training"
    assert found.intervals == cmbound.dominance("explicit-training", "T", 1, 30, **point).intervals
    assert cmbound.dominating(own, T=5, **point) == cmbound.dominating("explicit-training", T=5, **point)


@cache
def results() -> tuple[Any, ...]:
    """One of each kind."""
    rest = {x: y for x, y in POINT.items() if x != "h"}
    return (
        derived("explicit-multistep", profile="bounded"),
        cmbound.elasticities("explicit-one-step", profile="universal"),
        cmbound.elasticities("explicit-one-step", profile="universal", **POINT),
        cmbound.dominance("explicit-one-step", "h", "1e-7", "1", profile="universal", **rest),
        verdicts("cor4-recipe"),
    )


def test_results_print_themselves() -> None:
    for x in results():
        assert str(x) == x.text() == x.report().render("text")
        assert x.to_dict() == x.report().data()
        assert json.loads(json.dumps(x.to_dict())) == x.to_dict()
        assert x._repr_html_().startswith("<div>")
        assert "<math" in x._repr_html_()
        assert x.latex().startswith("% cmbound: ")
    orders, slopes, values, along, verdict = results()
    assert fine("analyse", "explicit-multistep", "--profile", "bounded").startswith(orders.text())
    assert slopes.to_dict()["h"]["value"] is None
    assert slopes.to_dict()["h"]["expression"] in slopes.report().render("csv")
    assert values.to_dict()["h"]["value"] == values.values["h"]
    assert along.to_dict()["borders"] == list(along.borders)
    assert verdict.to_dict() in strict(fine("analyse", "lyu2023-cor4", "--corollaries", "--format", "json"))
    assert [repr(x) for x in (along, verdict)] == [
        "<Dominance: explicit-one-step: the largest term along h>",
        "<Verdict on cor4-recipe: proved>",
    ]


def test_a_document_names_every_order() -> None:
    """In a paper each parameter has a row: its order in the total, and in every term that does not tend to a constant."""
    found = derived("explicit-one-step", profile="universal")
    rows = [
        [x.strip() for x in line.strip("| ").split(" | ")]
        for line in found.report().render("markdown").splitlines()
        if "to " in line and line.startswith("|")
    ]
    assert len(rows) == len(found.parameters)
    by_limit = dict(zip(found.parameters, rows, strict=True))
    assert by_limit["d"][1:] == ["$d^{3/2}$", "initialisation $d^{1/2}$, discretisation $d^{3/2}$, early stopping $d^{1/2}$"]
    assert by_limit["delta"] == [
        r"$\delta \to 0$",
        r"$1 / \delta^{1/2}$",
        r"discretisation $1 / \delta^{1/2}$, early stopping $\delta^{1/2}$",
    ]
    assert by_limit["h"][1:] == ["$1$", "discretisation $h$"]


@pytest.mark.skipif(bool(missing_tex()), reason=missing_tex() or "pdflatex is here")
def test_latex_fits_a_page(tmp_path: Path) -> None:
    statements = (
        ("explicit-one-step", "lipschitz"),
        ("explicit-multistep", "second-moment"),
        ("explicit-tv-underdamped", "bounded"),
        ("explicit-training", None),
        ("explicit-map-lipschitz", None),
        ("lyu2023-cor6", None),
        ("chen2022-cld", None),
    )
    found = [derived(id, **({"profile": profile} if profile else {})).latex() for id, profile in statements]
    found += [x.latex() for x in results()]
    whole = ("analyse", "explicit-one-step", "--profile", "universal")
    found.append(fine(*whole, *flags(POINT), "--format", "latex"))
    rest = flags({x: y for x, y in POINT.items() if x != "h"})
    found.append(fine(*whole, *rest, "--along", "h=1e-7:1", "--format", "latex"))
    found.append(corollaries_report([verdicts(x.id) for x in COROLLARIES]).render("latex"))
    assert compiled("\n\\clearpage\n".join(found), tmp_path) == []
    assert r"\varepsilon_{cm} \to 0" in found[0]
    assert r"\mathfrak{m}_2 \to \infty" in found[0]


# --- the command line -----------------------------------------------------------------------------------------------


def test_text() -> None:
    text = fine("analyse", "explicit-one-step", "--profile", "universal")
    assert "verdict: polynomial in every parameter" in text
    (row,) = (x for x in text.splitlines() if x.strip().startswith("d "))
    assert row.split() == ["d", "->", "oo", "sqrt(d)", "1", "1", "d**(3/2)", "sqrt(d)", "d**(3/2)"]
    assert "give all parameters" in text
    assert "exponential in" in fine("analyse", "explicit-map-lipschitz")
    assert "where delta - t_hat + log(L_f) < 0" in fine("analyse", "explicit-multistep", "--profile", "bounded")


def test_json() -> None:
    data = strict(fine("analyse", "explicit-one-step", "--profile", "bounded", *flags({**POINT, "R": "3"}), "--format", "json"))
    assert data["polynomial"] is True
    assert (
        data["terms"]["discretisation"]["delta"] | {"order": "delta**(-2)", "exponent": "-2", "limit": "0"}
        == data["terms"]["discretisation"]["delta"]
    )
    expected = cmbound.elasticities("explicit-one-step", profile="bounded", R="3", **POINT)
    assert expected.values is not None
    for name, x in data["elasticities"].items():
        assert x["value"] == expected.values[name]
        assert x["expression"]
    assert data["dominating_term"] == "discretisation"
    assert data["along"] is None
    assert data["options"] == {"profile": "bounded"}


def test_along() -> None:
    rest = flags({x: y for x, y in POINT.items() if x != "h"})
    args = ("analyse", "explicit-one-step", "--profile", "universal", *rest, "--along", "h=1e-7:1")
    data = strict(fine(*args, "--format", "json"))["along"]
    assert data["parameter"] == "h"
    expected = cmbound.dominance(
        "explicit-one-step", "h", "1e-7", "1", profile="universal", **{x: y for x, y in POINT.items() if x != "h"}
    )
    assert data["borders"] == list(expected.borders)
    assert [x["term"] for x in data["intervals"]] == [x.term for x in expected.intervals]
    assert "largest term" in fine(*args)


def test_tables() -> None:
    rows = list(csv.DictReader(io.StringIO(fine("analyse", "explicit-training", "--format", "csv"))))
    assert {x["term"] for x in rows} == {"initialisation", "consistency", "early_stopping", "total"}
    (row,) = (x for x in rows if (x["term"], x["parameter"]) == ("early_stopping", "delta"))
    assert (row["order"], row["exponent"]) == ("sqrt(delta)", "1/2")
    assert r"\begin{tabular}" in fine("analyse", "explicit-training", "--format", "latex")
    assert r"$\delta^{1/2}$" in fine("analyse", "explicit-training", "--format", "markdown")
    numbers = {x: POINT[x] for x in ("eps_cm", "L_f", "d", "m2", "T", "delta")}
    assert "elasticity" in fine("analyse", "explicit-training", *flags(numbers), "--format", "markdown")


def test_corollaries_on_the_command_line() -> None:
    text = fine("analyse", "lyu2023-cor4", "--corollaries")
    assert text.splitlines()[-1] == "3 proved, 0 refuted, 0 undecided"
    data = strict(fine("analyse", "lyu2023-cor4", "--corollaries", "--format", "json"))
    assert [x["id"] for x in data] == ["cor4-recipe", "cor4-complexity", "cor8-complexity"]
    assert {x["status"] for x in data} == {"proved"}
    for form in ("latex", "markdown", "csv"):
        assert "cor4-recipe" in fine("analyse", "lyu2023-cor4", "--corollaries", "--format", form)


@pytest.mark.parametrize(("name", "status"), [("no factor T for Lipschitz scores alone", 1), ("undecided", 4)])
def test_exit_status(name: str, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    import cmbound.catalogue.corollaries as records

    undecided = replace(
        known("cor6-halving"), quantity=exp((L_f - m2) * T), substitution={}, claim=S.One, limits=("T",), exact=False
    )
    chosen = undecided if name == "undecided" else FALSE[name][0]
    monkeypatch.setattr(records, "COROLLARIES", (known("cor4-complexity"), chosen))
    outcome = call("analyse", "--corollaries")
    assert outcome.status == status
    assert "1 proved" in outcome.out


ERRORS: dict[str, tuple[tuple[str, ...], int, str]] = {
    "nothing": (("analyse",), 2, "give the id"),
    "unknown id": (("analyse", "explicit-onestep"), 2, "did you mean 'explicit-one-step'"),
    "unknown profile": (("analyse", "explicit-one-step", "--profile", "universe"), 2, "did you mean 'universal'"),
    "auto": (("analyse", "explicit-one-step", "--profile", "auto"), 2, "one profile by name"),
    "no teacher": (("analyse", "explicit-training", "--profile", "universal"), 2, "no profile"),
    "replaced": (("analyse", "explicit-one-step", "--profile", "lipschitz-decay"), 2, "replaced by 'lipschitz-integrated'"),
    "malformed": (("analyse", "explicit-one-step", "--along", "h=1"), 2, "NAME=LOW:HIGH"),
    "not a number": (("analyse", "explicit-training", "-p", "T=x"), 2, "not a number"),
    "incomplete": (("analyse", "explicit-training", "-p", "T=5"), 2, "needs"),
    "domain": (("analyse", "explicit-training", "-p", "L_f=0.5"), 3, "L_f must be"),
    "corollaries of nothing": (("analyse", "explicit-training", "--corollaries"), 2, "no corollary"),
    "both": (("analyse", "--corollaries", "--profile", "universal"), 2, "takes no parameters"),
    "target": (("analyse", "lyu2023-cor4", "--to", "p_delta"), 2, "no target"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name: str) -> None:
    args, status, text = ERRORS[name]
    outcome: Outcome = call(*args)
    assert (outcome.status, outcome.out) == (status, "")
    assert text in outcome.err
    assert outcome.err.count("\n") == 1
