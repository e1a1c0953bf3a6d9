"""Profiles given by a user: what is proved of them, what is refused, and limits of work."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any
from unittest.mock import Mock

import mpmath
import numpy as np
import pytest
import sympy
from sympy import Abs, Heaviside, Integer, Integral, Max, Min, Piecewise, Rational, asinh, cos, erfc, exp, log, sin, sqrt, tanh
from sympy.codegen.cfunctions import log1p

import cmbound
from cmbound import DomainError, InputError, Profile, UndecidedError
from cmbound.arithmetic import approximate, certified
from cmbound.arithmetic.decreasing import examine
from cmbound.evaluation.sweeps import swept
from cmbound.theory.notation import L_f, L_s, T, a, b, d, delta, eps_sc, h, m2, t

ONE_STEP = cmbound.theorem("explicit-one-step")
BASE: dict[str, Any] = {"eps_sc": 0, "eps_cm": 0, "L_f": 1, "d": 3, "m2": 2, "T": 5, "delta": "1/100", "h": "1/50"}
GRID: dict[str, Any] = {**{x: y for x, y in BASE.items() if x != "h"}, "grid": "geometric", "N": 7}
with mpmath.workdps(40):
    G = (mpmath.exp(mpmath.mpf(1) / 50) - 1 - mpmath.mpf(1) / 50) * 50
SECONDS = 30


def _e(x: str) -> Any:
    return mpmath.exp(mpmath.mpf(x))


def both_tiers(error: type[Exception], match: str, profile: Any, **params: Any) -> None:
    """Both tiers refuse in the same way, within the limit of work."""
    start = time.process_time()
    for tier in ("evaluate", "approximate"):
        with pytest.raises(error, match=match):
            getattr(ONE_STEP, tier)(**{**BASE, **params}, profile=profile)
    assert time.process_time() - start < SECONDS


# --- accelerations ----------------------------------------------------------------------------------------------------

FALLING: dict[str, Any] = {
    "exponential": exp(-t),
    "constant": Integer(1),
    "zero": sympy.S.Zero,
    "a pole far below delta": 1 / (t - delta + Rational(1, 10**20)),
    "parameters": m2 * sqrt(d) / t,
    "max": Max(1 / t, Rational(1, 3)),
    "min": Min(3, 1 / t),
    "corner": Max(1 - t, 0),
    "absolute": Abs(t - 9) / t,
    "branches": Piecewise((1 / t, t < 1), (1 / t**2, True)),
    "a step down": Piecewise((2, t < m2), (exp(-t), True)),
    "heaviside": 2 - Heaviside(t - 1),
    "a branch that is not real elsewhere": Piecewise((sqrt(2 - t) + 1, t < 1), (Rational(1, 2), True)),
    "erfc": erfc(t),
    "asinh of a power": asinh(1 / t),
    "the logarithm float64 has": log1p(1 / t),
    "tanh": 1 - tanh(t),
    "a double exponential": exp(-exp(t)),
    "a fall with waves": 10 / t + sin(t),
    "cosine on half a period": 2 + cos(t / 2),
}


@pytest.mark.parametrize("name", FALLING)
def test_what_falls_is_checked_and_integrated(name: str) -> None:
    acceleration = FALLING[name]
    profile = Profile.from_acceleration("mine", acceleration)
    found = ONE_STEP.evaluate(**BASE, profile=profile)
    (shape,) = (x for x in found.assumptions if "non-increasing" in x.text)
    assert shape.status == "checked"
    assert [x.status for x in found.assumptions if x.id == "profile:mine"] == ["assumed"]
    with mpmath.workdps(30):
        body = sympy.lambdify(t, acceleration.subs({m2: 2, d: 3, delta: Rational(1, 100)}).doit(), "mpmath")
        cuts = [mpmath.mpf(x) for x in ("0.01", "0.03", "0.1", str(1 / mpmath.mpf(3)), "1", "2", "3", "5")]
        if name == "a pole far below delta":
            value = mpmath.log((mpmath.mpf("4.99") + mpmath.mpf(10) ** -20) / mpmath.mpf(10) ** -20)
        else:
            value = sum(mpmath.quad(lambda x: body(x + 0 * x), [x, y]) for x, y in itertools.pairwise(cuts))
        term = found.terms["discretisation"]
        slack = mpmath.mpf(10) ** -18 * (1 + value)
        assert mpmath.mpf(str(term.lower)) - slack <= G * value <= mpmath.mpf(str(term.upper)) + slack
    near = ONE_STEP.approximate(**BASE, profile=profile).terms["discretisation"]
    assert float(near) == pytest.approx(term.value, rel=1e-14)
    on_grid = ONE_STEP.evaluate(**GRID, profile=profile)
    assert float(ONE_STEP.approximate(**GRID, profile=profile).total) == pytest.approx(on_grid.value, rel=1e-14)


RISING: dict[str, Any] = {
    "the time": t,
    "a peak": exp(-((t - 1) ** 2)),
    "a late rise": Abs(t - 3) + 100 * exp(-t),
    "a step up": Piecewise((1 / t**2, t < 1), (2 / t, True)),
    "a small step up": Piecewise((2, t < 1), (2 + Rational(1, 10**12), True)),
    "a double pole": 1 / (t - 2) ** 2,
    "a double exponential": exp(exp(t)),
    "the acceleration of N(0, 100)": exp(-2 * t) / (1 + 99 * exp(-2 * t)) ** 2,
    "by a parameter": exp((m2 - 1) * t),
    "waves": 2 + sin(5 * t),
    "maximum": Max(1 / t, t),
}


@pytest.mark.parametrize("name", RISING)
def test_what_rises_is_refused(name: str) -> None:
    both_tiers(DomainError, "increases .* t = .*", Profile.from_acceleration("mine", RISING[name]))


def test_the_refusal_shows_a_rise_and_a_way_out() -> None:
    with pytest.raises(DomainError) as caught:
        ONE_STEP.evaluate(**BASE, profile=Profile.from_acceleration("mine", exp(-((t - 1) ** 2))))
    text = str(caught.value)
    low, high = (float(x.rstrip(".,")) for x in (text.split(" t = ")[1].split(" to ")[0], text.rsplit(" to ", 1)[1]))
    assert 0.01 <= low < high <= 1.001
    assert high - low > 0.05
    assert "'mine'" in text
    assert "from_stretch" in text
    assert "\n" not in text


IMPOSSIBLE: dict[str, tuple[Any, type[Exception], str]] = {
    "negative": ((m2 - 3) * exp(-t), DomainError, "negative"),
    "negative later": (1 - t, DomainError, "negative"),
    "a simple pole inside": (1 / (t - 2), DomainError, "negative"),
    "complex": (sqrt(1 - t), DomainError, "not a real number"),
    "a logarithm": (log(2 - t), DomainError, "negative|not a real number"),
    "waves": (sin(1 / t), DomainError, "negative|increases"),
    "divergent at delta": (1 / (t - delta), UndecidedError, "no finite enclosure"),
    "divergent of higher order": (1 / (t - delta) ** 3, UndecidedError, "no finite enclosure"),
    "integrable at delta": (1 / sqrt(t - delta), UndecidedError, "no finite enclosure"),
    "an essential singularity": (exp(1 / (t - 2)), UndecidedError, "no finite enclosure"),
    "falls to both sides of a pole": (1 / (t - 2) + 1000, DomainError, "negative"),
    "a step up to a pole": (Piecewise((3 - t, t < 2), (1 / (t - 2), True)), UndecidedError, "no finite enclosure"),
    "a logarithm at delta": (-log((t - delta) / 10), UndecidedError, "no finite enclosure"),
    "no branch": (Piecewise((1 / t, t < 2)), UndecidedError, "no finite enclosure|not a"),
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_what_cannot_be_a_bound_is_refused_by_both_tiers(name: str) -> None:
    acceleration, error, match = IMPOSSIBLE[name]
    profile = Profile.from_acceleration("mine", acceleration)
    both_tiers(error, match, profile)
    both_tiers(error, match, [profile, "universal"])


def test_what_is_open_is_assumed() -> None:
    """A slope that touches 0 inside: balls never exclude a rise there."""
    profile = Profile.from_acceleration("mine", 70 - (t - 1) ** 3)
    found = ONE_STEP.evaluate(**BASE, profile=profile)
    assert [x.status for x in found.assumptions if "non-increasing" in x.text] == ["assumed"]
    exact = (Fraction(70) * (5 - Fraction(1, 100))) - (Fraction(4) ** 4 - Fraction(99, 100) ** 4) / 4
    assert found.terms["discretisation"].value == pytest.approx(float(G) * float(exact), rel=1e-12)
    beaten = ONE_STEP.evaluate(**BASE, profile=[profile, Profile.from_acceleration("less", exp(-t))])
    assert not [x for x in beaten.assumptions if x.id.startswith("profile:mine")]


@pytest.mark.parametrize("seed", range(30))
def test_random_functions(seed: int) -> None:
    """A sum of falling terms is proved; with one bump that shows in the slopes it is refused (or left open, never proved)."""
    rng = np.random.default_rng(seed)
    terms = [
        Rational(int(rng.integers(1, 50)), 10) * exp(-Rational(int(rng.integers(1, 40)), 10) * t),
        Rational(int(rng.integers(1, 50)), 10) / (t + Rational(int(rng.integers(0, 9)), 10)),
        Max(Rational(int(rng.integers(1, 50)), 10) - t, 0),
        Min(1 / t, int(rng.integers(1, 9))),
        sqrt(1 + 1 / t**2),
    ]
    falling = sum(x for x in terms if rng.random() < 0.6) + Rational(1, 100)
    ends = certified.number(Fraction(1, 100)), certified.number(Fraction(5))
    assert examine(falling, (t,), [], *ends).kind == "fine"
    place, width = Rational(int(rng.integers(10, 40)), 10), Rational(int(rng.integers(5, 12)), 20)
    bump = falling + Rational(int(rng.integers(1, 300)), 100) * exp(-(((t - place) / width) ** 2))
    ts = np.linspace(0.01, 5, 20001)
    values = np.asarray(sympy.lambdify(t, bump, "numpy")(ts))
    rises = bool((np.diff(values) > 0).any())
    found = examine(bump, (t,), [], *ends)
    assert found.kind == ("increases" if rises else "fine")
    if rises:
        low, high = (sympy.N(bump.subs(t, sympy.Rational(x)), 200) for x in (found.low, found.high))
        assert low < high


def test_parameters_decide() -> None:
    """The same record is in order at one point and not at another; noise levels and the other clock included."""
    profile = Profile.from_acceleration("mine", exp((m2 - 3) * t))
    assert ONE_STEP.evaluate(**BASE, profile=profile).value > 0
    both_tiers(DomainError, "increases", profile, m2=4)
    late = Profile.from_acceleration("late", exp(-t) * (1 + Max(0, t - 4) * 1000))
    assert ONE_STEP.evaluate(**{**BASE, "T": 4}, profile=late).value > 0
    both_tiers(DomainError, "increases", late)
    ve = {
        **{x: y for x, y in BASE.items() if x not in ("T", "delta")},
        "sigma_min": "0.02",
        "sigma_max": 20,
        "clock": "ve",
        "L_s": 2,
    }
    found = ONE_STEP.evaluate(**ve, profile=Profile.from_acceleration("mine", L_s * exp(-t)))
    assert [x.status for x in found.assumptions if "non-increasing" in x.text] == ["checked"]
    with pytest.raises(DomainError, match="negative"):
        ONE_STEP.evaluate(**ve, profile=Profile.from_acceleration("mine", (800 - L_s) * exp(-t)))  # L_s e^(2 T) is 802


def test_arrays_sweeps_and_solutions_look_too() -> None:
    pole = Profile.from_acceleration("mine", 1 / (t - 2) ** 2)
    with pytest.raises(DomainError, match="increases"):
        ONE_STEP.approximate(**{**BASE, "T": np.array([1.0, 1.5, 3.0])}, profile=Profile.from_acceleration("mine", 1 + t / 10**9))
    with pytest.raises(DomainError, match="increases"):
        ONE_STEP.approximate(**{**BASE, "T": np.array([0.5, 1.0, 3.0])}, profile=pole)
    signed = Profile.from_acceleration("mine", (m2 - 3) * exp(-t))
    assert (ONE_STEP.approximate(**{**BASE, "m2": np.linspace(3.5, 9, 3000)}, profile=signed).total > 0).all()
    with pytest.raises(DomainError, match=r"negative.* at index 3000"):
        ONE_STEP.approximate(**{**BASE, "m2": np.append(np.linspace(3.5, 9, 3000), 2.9)}, profile=signed)
    at_delta = Profile.from_acceleration("mine", 1 / (t - Rational(1, 64)))
    with pytest.raises(UndecidedError, match="no finite"):
        ONE_STEP.approximate(**{**BASE, "delta": np.array([0.1, 0.05, 1 / 64])}, profile=at_delta)
    with pytest.raises(DomainError, match="negative"):
        swept(cmbound.sweep("explicit-one-step", **{**BASE, "m2": ["4", "2"]}, profile=signed))
    with pytest.raises(DomainError, match="increases"):
        cmbound.solve(
            "explicit-one-step",
            unknown="h",
            target=3,
            **{x: y for x, y in BASE.items() if x != "h"},
            profile=Profile.from_acceleration("mine", t),
        )


def test_a_hidden_row_of_an_array_is_found() -> None:
    """Rows are taken together where a box of parameters is proved; the one that is not is found among many."""
    rng = np.random.default_rng(5)
    values = rng.uniform(0.1, 5, 1000)
    profile = Profile.from_acceleration("mine", exp((m2 - 6) * t))
    assert np.isfinite(ONE_STEP.approximate(**{**BASE, "m2": values}, profile=profile).total).all()
    values[234] = 6.001
    with pytest.raises(DomainError, match="increases"):
        ONE_STEP.approximate(**{**BASE, "m2": values}, profile=profile)


@pytest.mark.parametrize(
    "acceleration", [L_f * exp(-t), h / t, eps_sc + 1 / t, sympy.floor(t), sympy.gamma(t), sympy.gamma(1 / t), sympy.Symbol("t")]
)
def test_accelerations_that_are_refused_when_made(acceleration: Any) -> None:
    with pytest.raises(InputError):
        Profile.from_acceleration("mine", acceleration)
    with pytest.raises(InputError, match="free of t"):
        Profile.from_acceleration("mine", Piecewise((1 / t, t**2 + t < 1), (1 / t**2, True)))


# --- stretch functions ------------------------------------------------------------------------------------------------

STRETCHES: dict[str, tuple[Callable[..., Any], type[Exception], str]] = {
    "a pole at T": (lambda a, b, h: 1 / (5 - b), UndecidedError, "no finite value"),
    "negative": (lambda a, b, h: h * (1 - b), DomainError, "negative"),
    "negative on one step only": (lambda a, b, h: h * (b - Rational(7, 100)), DomainError, "negative"),
    "a root": (lambda a, b, h: sqrt(1 - b), DomainError, "not a real number"),
    "a logarithm": (lambda a, b, h: h * log(log(b - a) - 9), DomainError, "not a real number"),
    "a divergent integral": (lambda a, b, h: h * Integral(1 / (t - delta), (t, a, b)), UndecidedError, "no enclosure"),
    "an integral from 0": (lambda a, b, h: h * Integral(1 / t, (t, 0, b)), UndecidedError, "no enclosure"),
    "an integral that is not real": (
        lambda a, b, h: h * Integral(sqrt(1 - t), (t, a, b)),
        (DomainError, UndecidedError),
        "enclosure|not real",
    ),  # type: ignore[dict-item]
}


@pytest.mark.parametrize("name", STRETCHES)
@pytest.mark.usefixtures("impatient")
def test_stretch_functions_that_are_no_bounds(name: str) -> None:
    function, error, match = STRETCHES[name]
    profile = Profile.from_stretch("mine", function)
    if name != "negative on one step only":
        both_tiers(error, match, profile)
    if name == "a pole at T":
        return
    for tier in ("evaluate", "approximate"):
        with pytest.raises(error, match=match):
            getattr(ONE_STEP, tier)(**GRID, profile=profile)


def test_stretch_functions_that_float64_blurs() -> None:
    """A value that cancels to less than nothing in float64 is decided by balls."""
    profile = Profile.from_stretch("mine", lambda a, b, h: exp(h) - 1 - h - h**2 / 2)
    tiny = {**BASE, "h": "1e-7"}
    assert 0 < ONE_STEP.evaluate(**tiny, profile=profile).terms["discretisation"].value < 2e-22
    assert abs(float(ONE_STEP.approximate(**tiny, profile=profile).terms["discretisation"])) < 1e-15
    wrong = Profile.from_stretch("mine", lambda a, b, h: 1 + h - exp(h) + Rational(1, 10**30))
    both_tiers(DomainError, "negative", wrong, h="1e-7")
    profile, short = Profile.from_stretch("mine", lambda a, b, h: exp(b - a) - 1 - (b - a)), {**GRID, "T": "0.011", "N": 30}
    together = ONE_STEP.approximate(**{**short, "L_f": np.array([1.0, 2.0])}, profile=profile).terms["discretisation"]
    alone = [ONE_STEP.evaluate(**{**short, "L_f": x}, profile=profile).terms["discretisation"].value for x in (1, 2)]
    assert together == pytest.approx(alone, rel=1e-14, abs=0)


def test_what_a_rising_acceleration_can_do() -> None:
    """Theory 3.1: (e^h - 1) times the integral holds for any acceleration."""
    peak = exp(-((t - 1) ** 2))
    profile = Profile.from_stretch("mine", lambda a, b, h: (exp(h) - 1) * Integral(peak, (t, a, b)))
    with mpmath.workdps(30):
        value = mpmath.quad(lambda x: mpmath.exp(-((x - 1) ** 2)), [0.01, 1, 2, 3, 5])
        value *= mpmath.expm1(mpmath.mpf(1) / 50)
    assert ONE_STEP.evaluate(**BASE, profile=profile).terms["discretisation"].value == pytest.approx(float(value), rel=1e-12)
    assert float(ONE_STEP.approximate(**BASE, profile=profile).terms["discretisation"]) == pytest.approx(float(value), rel=1e-10)


def test_arrays_of_stretch_functions() -> None:
    profile = Profile.from_stretch("mine", lambda a, b, h: h * (3 - b))
    assert (ONE_STEP.approximate(**{**BASE, "T": np.array([1.0, 2.0])}, profile=profile).total > 0).all()
    with pytest.raises(DomainError, match="negative"):
        ONE_STEP.approximate(**{**BASE, "T": np.array([1.0, 2.0, 4.0])}, profile=profile)


# --- what no fixed rule sees ------------------------------------------------------------------------------------------

MAP = cmbound.theorem("explicit-map-error")
X = sympy.Symbol("x")
LAST = Rational(21, 20)
SHORT: dict[str, Any] = {"d": 1, "delta": "0.05", "eps_sc": 0, "eps_cm": 0, "L_f": 1, "h": "0.1"}
with mpmath.workdps(40):
    G_SHORT = (mpmath.exp(mpmath.mpf(1) / 10) - 1 - mpmath.mpf(1) / 10) * 10
    HARD: dict[str, tuple[Any, Any]] = {
        "a pole 1e-30 below": (1 / (t - delta + Rational(1, 10**30)), mpmath.log1p(mpmath.mpf(10) ** 30)),
        "a pole 1e-30 below, in numbers": (1 / (t - Rational(1, 20) + Rational(1, 10**30)), mpmath.log1p(mpmath.mpf(10) ** 30)),
        "a pole 1e-9 below": (1 / (t - delta + Rational(1, 10**9)), mpmath.log1p(mpmath.mpf(10) ** 9)),
        "a layer": (exp(-(10**9) * (t - delta)), mpmath.mpf(10) ** -9),
        "a layer and a rest": (exp(-(10**9) * (t - delta)) + Rational(1, 10**9), 2 * mpmath.mpf(10) ** -9),
        "a steep step": (
            1 - tanh(10**4 * (t - Rational(1, 2))),
            1 - (mpmath.log(mpmath.cosh(mpmath.mpf(5500))) - mpmath.log(mpmath.cosh(mpmath.mpf(4500)))) / 10**4,
        ),
        "a kink": (Max(1 - t, 0), mpmath.mpf("0.95") ** 2 / 2),
        "a kink of a minimum": (Min(1 / t, 3), 3 * (mpmath.mpf(1) / 3 - mpmath.mpf("0.05")) + mpmath.log(mpmath.mpf("3.15"))),
    }


@pytest.mark.parametrize("name", HARD)
def test_float64_agrees_with_the_enclosure(name: str) -> None:
    """Scalars, arrays, long arrays, paths of several profiles and compiled bounds."""
    acceleration, integral = HARD[name]
    profile = Profile.from_acceleration("mine", acceleration)
    value = float(G_SHORT * integral)
    assert MAP.evaluate(**SHORT, t="1.05", profile=profile).value == pytest.approx(value, rel=1e-14)
    assert float(MAP.approximate(**SHORT, t="1.05", profile=profile).total) == pytest.approx(value, rel=1e-14)
    assert MAP.approximate(**SHORT, t=np.array([1.05]), profile=profile).total == pytest.approx(value, rel=1e-12)
    assert MAP.lambdify("t", profile=profile, **SHORT)(1.05) == pytest.approx(value, rel=1e-12)
    both = [profile, "universal"]
    on_grid = {**SHORT, "h": None, "grid": "geometric", "N": 7, "T": "1.05", "t": "1.05"}
    for params in ({**SHORT, "t": "1.05"}, on_grid):
        exact = MAP.evaluate(**params, profile=both).value
        assert float(MAP.approximate(**params, profile=both).total) == pytest.approx(exact, rel=1e-14)
    if "in numbers" not in name:  # a long array is integrated from the float64 number of delta
        steps = np.full(1000, 0.1)
        long = MAP.approximate(**{**SHORT, "h": steps}, t="1.05", profile=profile).total
        assert long == pytest.approx(value, rel=1e-12)


def test_a_path_encloses_each_gap_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between 64 candidates and 64 ends of steps there are 127 gaps, and 4096 pairs."""
    asked = Mock(wraps=approximate._enclosed)
    monkeypatch.setattr(approximate, "_enclosed", asked)
    mine = Profile.from_acceleration("mine", Min(1 / t, 3) + exp(-t))
    assert MAP.evaluate(**SHORT, t="1.05", profile=[mine, "universal"]).value > 0
    assert 100 < asked.call_count < 200


def test_integrals_between_many_ends() -> None:
    """Of either sign, in either direction, for several parameters: as accurate as one by one."""
    x, m = np.geomspace(0.05, 5, 9), np.array([1.0, 7.0])[:, None, None]
    (found,) = approximate.compile((Integral(m2 * cos(3 * t), (t, a, b)),), (m2, a, b))(m, x[:, None], x[None, :])
    with mpmath.workdps(40):
        third = [mpmath.sin(3 * mpmath.mpf(y)) / 3 for y in x]
        want = [[[float(float(k) * (v - u)) for v in third] for u in third] for k in m.ravel()]
    np.testing.assert_allclose(found, want, rtol=1e-15)


INTEGRALS: dict[str, tuple[Callable[..., Any], Any]] = {
    "a peak": (
        lambda a, b, h: Integral(10**6 * exp(-(10**12) * (X - Rational(1, 3)) ** 2), (X, a, b)),
        lambda: mpmath.sqrt(mpmath.pi),
    ),
    "limits reversed": (
        lambda a, b, h: Integral(-exp(-X), (X, b, a)),
        lambda: _e("-0.05") - _e("-1.05"),
    ),
    "limits reversed here": (
        lambda a, b, h: 1 + Integral(exp(-X), (X, Max(a, 2), b)),
        lambda: 1 + mpmath.exp(-2) - _e("-1.05"),
    ),
    "branches, limits reversed": (
        lambda a, b, h: -Integral(Piecewise((2, Rational(1, 2) > X), (1, True)), (X, b, a)),
        lambda: mpmath.mpf("1.45"),
    ),
    "limits of both signs": (
        lambda a, b, h: 3 + Integral(exp(X), (X, b, -1)),
        lambda: 3 + mpmath.exp(-1) - _e("1.05"),
    ),
}


@pytest.mark.parametrize("name", INTEGRALS)
def test_integrals_in_stretch_functions(name: str) -> None:
    function, exact = INTEGRALS[name]
    profile = Profile.from_stretch("mine", function)
    with mpmath.workdps(30):
        value = float(exact())
    assert MAP.evaluate(**SHORT, t="1.05", profile=profile).value == pytest.approx(value, rel=1e-14)
    assert float(MAP.approximate(**SHORT, t="1.05", profile=profile).total) == pytest.approx(value, rel=1e-14)
    assert MAP.approximate(**SHORT, t=np.array([1.05, 0.9]), profile=profile).total[0] == pytest.approx(value, rel=1e-12)
    if name == "a peak":  # nearly nothing on most steps is something that can be added up
        grid = {**SHORT, "h": None, "grid": "uniform", "N": 10, "T": "1.05", "t": "1.05"}
        assert MAP.evaluate(**grid, profile=profile).value == pytest.approx(value, rel=1e-14)


@pytest.mark.parametrize(
    "grid", [{"grid": "uniform", "N": 10}, {"grid": ["0.05", "0.3", "0.5", "0.85", "0.95", "1.05"]}], ids=str
)
def test_a_step_that_is_negative_is_refused_though_the_sum_is_not(grid: dict[str, Any]) -> None:
    params = {**SHORT, "h": None, "T": "1.05", "t": "1.05", **grid}
    until = Profile.from_stretch("mine", lambda a, b, h: Integral(10 * exp(-X), (X, a, Min(b, Rational(8, 10)))))
    hardly = Profile.from_stretch("mine", lambda a, b, h: 1 + h - exp(h) + h**2 / 2 + h**3 / 6 + h**4 / 20 * (1 - b))
    ties = Profile.from_stretch("mine", lambda a, b, h: Piecewise((b - a, b - a < Rational(1, 10)), (2 * (b - a), True)))
    for profile, error, match in (
        (until, DomainError, r"negative on the stretch from 0\.85 to 0\.95"),
        (hardly, DomainError, "negative on the stretch"),
        (ties, UndecidedError, "no enclosure"),
    ):
        for tier in ("evaluate", "approximate"):
            with pytest.raises(error, match=match):
                getattr(MAP, tier)(**params, profile=profile)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """An integral is given up after a tenth of the values it may take: that it is given up is the same."""
    monkeypatch.setattr(certified, "INTEGRAL_EVALUATIONS", certified.INTEGRAL_EVALUATIONS // 10)


@pytest.mark.usefixtures("impatient")
def test_float64_refuses_what_is_refused() -> None:
    """An integral that takes too many values, and one that rises: by value, by array and in a compiled bound."""
    for acceleration, error in ((2 + cos(10**6 * t) / 10**7 - t, UndecidedError), (exp(t), DomainError)):
        profile = Profile.from_acceleration("mine", acceleration)
        for compute in (
            lambda p=profile: MAP.evaluate(**SHORT, t="1.05", profile=p),
            lambda p=profile: MAP.approximate(**SHORT, t="1.05", profile=p),
            lambda p=profile: MAP.approximate(**SHORT, t=np.array([1.0, 1.05]), profile=p),
            lambda p=profile: MAP.lambdify("t", profile=p, **SHORT)(1.05),
        ):
            with pytest.raises(error):
                compute()
    constant = Profile.from_stretch("mine", lambda a, b, h: b - a)
    assert MAP.lambdify("t", profile=constant, **{x: y for x, y in SHORT.items() if x not in "dh"})(1.05) == pytest.approx(
        1, rel=1e-14
    )


@pytest.mark.parametrize(
    "function",
    [
        lambda a, b, h: Integral(exp(-X), (X, a, b), (t, a, b)),
        lambda a, b, h: Integral(Integral(exp(-X * t), (X, a, b)) ** 2, (t, a, b)),
        lambda a, b, h: Integral(exp(-t), (t, a, Integral(t, (t, a, b)))),
        lambda a, b, h: Integral(exp(-t), (t, b)),
        lambda a, b, h: Integral(exp(-t), t),
        lambda a, b, h: Integral(exp(-t), (t, a, sympy.oo)),
    ],
)
def test_integrals_that_are_not_between_two_limits(function: Any) -> None:
    with pytest.raises(InputError, match="cannot be computed: "):
        Profile.from_stretch("mine", function)


HALF = Rational(1, 2)
AT_A_POINT: dict[str, tuple[Any, Any, str]] = {
    "up at a point": (Piecewise((100, sympy.Eq(t, HALF)), (2, True)), DomainError, "increases .* at t = 0.5"),
    "down at a point": (Piecewise((1, sympy.Eq(t, HALF)), (2, True)), DomainError, "increases .* at t = 0.5"),
    "negative at a point": (Piecewise((-1, sympy.Eq(t, HALF)), (2, True)), DomainError, "is negative"),
    "up at T": (Piecewise((3, sympy.Eq(t, LAST)), (2, True)), DomainError, "increases .* at t = 1.05"),
    "negative at T": (Piecewise((-3, sympy.Eq(t, LAST)), (2, True)), DomainError, "is negative"),
    "up after delta": (Piecewise((1, t <= Rational(1, 20)), (2, True)), DomainError, "increases .* at t = 0.05"),
    "nothing at a point": (Piecewise((2, t < HALF), (1, t > HALF)), UndecidedError, "no finite enclosure"),
    "a pole at a point": (Piecewise((1 / (t - HALF), sympy.Eq(t, HALF)), (1, True)), UndecidedError, "no finite enclosure"),
}


@pytest.mark.parametrize("name", AT_A_POINT)
def test_values_at_single_points_count(name: str) -> None:
    acceleration, error, match = AT_A_POINT[name]
    for tier in ("evaluate", "approximate"):
        with pytest.raises(error, match=match):
            getattr(MAP, tier)(**SHORT, t="1.05", profile=Profile.from_acceleration("mine", acceleration))


@pytest.mark.parametrize(
    "acceleration",
    [
        Piecewise((3, sympy.Eq(t, Rational(1, 20))), (2, True)),
        Piecewise((1, sympy.Eq(t, LAST)), (2, True)),
        Piecewise((3, t < HALF), (2, sympy.Eq(t, HALF)), (1, True)),
        2 - sympy.sign(t - HALF),
    ],
)
def test_steps_down_at_single_points_are_checked(acceleration: Any) -> None:
    found = MAP.evaluate(**SHORT, t="1.05", profile=Profile.from_acceleration("mine", acceleration))
    assert [x.status for x in found.assumptions if "non-increasing" in x.text] == ["checked"]


NEAR = Rational(3, 10)


@pytest.mark.parametrize("shift", [0, Rational(1, 10**60), -Rational(1, 10**60)])
def test_a_branch_that_changes_at_an_end_of_a_stretch(shift: Any) -> None:
    """Balls cannot tell a node 0.3 from a change at 0.3: on what lies between, every branch counts."""
    falls = Piecewise((3, t < NEAR + shift), (2, t < NEAR), (1, True))
    stretch = Profile.from_stretch("mine", lambda a, b, h: Integral(falls.subs(t, X), (X, a, b)))
    reverse = Profile.from_stretch("mine", lambda a, b, h: -Integral(falls.subs(t, X), (X, b, a)))
    params = {**SHORT, "h": None, "grid": ["0.05", "0.3", "0.5", "1.05"], "T": "1.05", "t": "1.05"}
    for profile in (stretch, reverse):
        found = MAP.evaluate(**params, profile=profile)
        assert found.value == pytest.approx(1.5, rel=1e-14)
        assert found.lower <= Decimal("1.5") <= found.upper or shift
        assert float(MAP.approximate(**params, profile=profile).total) == pytest.approx(1.5, rel=1e-14)
    pointwise = Profile.from_acceleration("mine", falls)
    with mpmath.workdps(30):
        steps = [(mpmath.mpf("0.25"), 3), (mpmath.mpf("0.2"), 1), (mpmath.mpf("0.55"), 1)]
        value = float(sum((mpmath.expm1(x) / x - 1) * x * y for x, y in steps))
    for tier in ("evaluate", "approximate"):
        found = getattr(MAP, tier)(**params, profile=pointwise)
        assert float(found.value if tier == "evaluate" else found.total) == pytest.approx(value, rel=1e-14)


# --- limits of work ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "profile"),
    [
        ({"delta": "1e-300", "h": "1e-3"}, exp(-t) / sqrt(t)),
        ({"digits": 400}, m2 / t),
        ({"T": "1e6", "start": "matched"}, exp(-t)),
        ({"grid": "uniform", "N": 1000, "h": None}, m2 / t),
    ],
    ids=str,
)
def test_integrals_that_end(params: dict[str, Any], profile: Any) -> None:
    start = time.process_time()
    found = ONE_STEP.evaluate(**{**BASE, **params}, profile=Profile.from_acceleration("mine", profile))
    assert found.lower <= found.upper
    assert time.process_time() - start < SECONDS


EXTREMES: dict[str, tuple[str, dict[str, Any]]] = {
    "a horizon of 1e9": (
        "explicit-training",
        {"eps_cm": 1, "L_f": 1, "d": 3, "m2": 2, "T": "1e9", "delta": "0.1", "start": "matched"},
    ),
    "a horizon of 1e300": (
        "explicit-training",
        {"eps_cm": 1, "L_f": 1, "d": 3, "m2": 2, "T": "1e300", "delta": "0.1", "start": "matched"},
    ),
    "the same, standard start": ("explicit-training", {"eps_cm": 1, "L_f": 1, "d": 3, "m2": 2, "T": "1e9", "delta": "0.1"}),
    "order form": ("lyu2023-thm3", {"eps_sc": 1, "eps_cm": 1, "L_s": 2, "L_f": 1, "d": 3, "m2": 2, "T": "1e300", "h": 1, "C": 1}),
    "a map error at 1e9": (
        "explicit-map-error",
        {"eps_sc": 1, "eps_cm": 1, "L_f": 1, "d": 3, "m2": 2, "t": "1e9", "delta": "0.1", "h": 1},
    ),
    "digits over a long grid": (
        "explicit-one-step",
        {**BASE, "h": None, "grid": "geometric", "N": 10**5, "digits": 1000, "profile": "universal"},
    ),
}


@pytest.mark.parametrize("name", EXTREMES)
def test_evaluations_end(name: str) -> None:
    """The right value or an UndecidedError, soon."""
    id, params = EXTREMES[name]
    undecided = name == "digits over a long grid"
    start = time.process_time()
    if undecided:
        with pytest.raises(UndecidedError, match="limit of work"):
            cmbound.theorem(id).evaluate(**params)
    else:
        found = cmbound.theorem(id).evaluate(**params)
        assert found.lower <= found.upper
        if "consistency" in found.terms and id != "lyu2023-thm3":
            linear = Fraction(params["T"] if "T" in params else params["t"]) - Fraction("0.1")
            assert found.terms["consistency"].value == pytest.approx(float(linear), rel=1e-12)
    assert time.process_time() - start < SECONDS


def test_a_tiny_term_keeps_an_enclosure() -> None:
    evaluated = cmbound.theorem("explicit-training").evaluate(**EXTREMES["a horizon of 1e9"][1])
    assert "  initialisation  < 1e-900000 " in evaluated.text()
    found = evaluated.terms["initialisation"]
    assert (found.lower, str(found.upper)) == (Decimal(0), "1E-900000")
    assert found.value == 5e-324
    readable = (
        cmbound.theorem("explicit-training").evaluate(**{**EXTREMES["a horizon of 1e9"][1], "T": 10**5}).terms["initialisation"]
    )
    with mpmath.workdps(40):
        exact = 2 * mpmath.exp(-(10**5))
        assert mpmath.mpf(str(readable.lower)) <= exact <= mpmath.mpf(str(readable.upper))
        assert mpmath.mpf(str(readable.upper)) / mpmath.mpf(str(readable.lower)) - 1 < mpmath.mpf(10) ** -14


def test_the_horizon_enters_accelerations() -> None:
    profile = Profile.from_acceleration("mine", exp(-t) * (1 + 1 / T))
    assert ONE_STEP.evaluate(**BASE, profile=profile).value > 0
