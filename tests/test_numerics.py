"""The two arithmetics where they are strained: digits lost to cancellation, integrals of a user's profile."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import flint
import mpmath
import numpy as np
import pytest
import sympy
from sympy import atan, exp, log, pi, sqrt, tanh

import cmbound
from cmbound.arithmetic import approximate, certified, decreasing, exact
from cmbound.arithmetic.backend import Balls, Floats
from cmbound.errors import InputError
from cmbound.theory import integrals
from cmbound.theory.grids import time_of
from cmbound.theory.named import elementary, plain
from cmbound.theory.notation import TABLE, t
from cmbound.theory.profiles import PROFILES
from cmbound.theory.rules import Profile, Rule
from tests import oracle_sharp as sharp
from tests.settings import cases

ONE_STEP = cmbound.theorem("explicit-one-step")
POINT: dict[str, Any] = {"eps_sc": "0.01", "eps_cm": "0.02", "L_f": 2, "d": 3, "m2": "3/2", "T": 5, "delta": "1e-3", "h": "1e-3"}


@pytest.mark.parametrize("h", ["1e-9", "1e-12", "1e-20"])
def test_digits_that_cancel_are_computed_again(h: str) -> None:
    """(e^h - 1 - h)/h loses 2 log2(1/h) bits: the first precision tried does not give the digits asked for."""
    found = ONE_STEP.evaluate(**{**POINT, "h": h}, profile="universal", digits=15)
    pairs: list[Any] = [found, *found.terms.values()]
    for x in pairs:
        assert 0 <= Fraction(x.upper) - Fraction(x.lower) <= Fraction(x.upper) / 10**14
    deep = ONE_STEP.evaluate(**{**POINT, "h": h}, profile="universal", digits=40)
    assert found.lower <= deep.lower <= deep.upper <= found.upper


def test_accuracy_is_counted_in_decimal_digits() -> None:
    with certified.precision(200):
        ball = certified.number(1) + flint.arb(0, 1e-6)
    assert 5 < certified.relative_accuracy(ball) < 7
    assert certified.relative_accuracy(certified.number(3)) == float("inf")


LAW: dict[str, Any] = {
    "d": 7,
    "m2": 3,
    "R": 2,
    "tau": Fraction(1, 3),
    "L_s": 20,
    "L_os": 5,
    "M": 2,
    "nu": 30,
    "entropy": 3,
    "y": 4,
}
TIMES = [  # r - 1 about 1e-9 at small, middle and large noise; a long step at each; the longest horizon of a grid
    *((x, x * (1 + 1e-9)) for x in (1e-12, 1e-3, 0.5, 3.0, 300.0)),
    *((1e-12, 1e-11), (1e-12, 0.5), (1e-3, 2.0), (0.5, 20.0), (1e-12, 300.0), (300.0, 349.0)),
]
STRAINED: tuple[dict[str, Any], ...] = (
    {},
    {"L_s": 1, "L_os": 0, "M": 0},
    {"L_s": 1 + 1e-9},
    {"L_s": 2},
    {"L_s": 10**9, "L_os": 10**9, "M": 10**9},
    {"d": 10**7, "m2": 10**4},
    {"tau": 1 - 1e-9, "m2": 10},
    {"tau": 0},
    {"nu": 1 + 1e-9, "entropy": 1e-9, "y": Fraction(1, 8)},
    {"R": 1e-9, "m2": 3},
)


def _squares(rule: Rule, given: dict[Any, Fraction]) -> list[Fraction]:
    """The energies of a step, whose roots a bound has."""
    with certified.precision(4000):
        balls = [Balls().value(x.energy, {x: certified.number(y) for x, y in given.items()}) for x in rule.roots]
        return [Fraction(certified.decimal(x, 25, up=True)) for x in balls if not x.is_zero()]


@pytest.mark.parametrize(("name", "teacher"), list(cases()))
def test_every_rule_keeps_twelve_digits(name: str, teacher: str) -> None:
    """float64 against balls that see every cancellation, where steps are short or long and constants are extreme."""
    for number, rule in enumerate(PROFILES[name].rules[teacher]):
        for (low, high), change in itertools.product(TIMES, STRAINED):
            given = {TABLE[x].symbol: y for x, y in {**LAW, **change, "t_star": 0, "a": low, "b": high, "h": high - low}.items()}
            given = {x: Fraction(y) for x, y in given.items()}
            near = float(Floats().value(rule.bound, {x: float(y) for x, y in given.items()}))
            with certified.precision(4000):  # e^600 with a part that is 1e-12 of a part of 1e-24
                ball = Balls().value(rule.bound, {x: certified.number(y) for x, y in given.items()})
                assert ball.is_zero() or ball.rel_accuracy_bits() > 60
                exact = Fraction(certified.decimal(ball, 25, up=True)) if not ball.is_zero() else Fraction(0)
            if math.isinf(near):  # an evaluation says that it exceeds the float64 range: so must the bound or the square it has
                assert max(exact, *_squares(rule, given)) > Fraction(10) ** 300, (number, low, high, change)
            else:
                assert abs(Fraction(near) - exact) <= Fraction(1, 10**12) * exact + Fraction(1, 10**300), (
                    number,
                    low,
                    high,
                    change,
                )


ACCELERATIONS = [log(1 + 1 / t), sqrt(1 + 1 / t), (1 + 1 / t) ** sympy.Rational(1, 3), 2 - atan(t), 2 - tanh(t), pi * exp(-t)]


@pytest.mark.parametrize("acceleration", ACCELERATIONS, ids=str)
def test_integrals_of_a_profile_of_ones_own(acceleration: Any) -> None:
    """g(h) times the integral over [delta, T], against mpmath; both tiers."""
    mine = Profile.from_acceleration("mine", acceleration)
    found = ONE_STEP.evaluate(**POINT, profile=mine, digits=20).terms["discretisation"]
    body = sympy.lambdify(t, elementary(acceleration), "mpmath")
    with mpmath.workdps(40):
        low, high, h = mpmath.mpf("0.001"), mpmath.mpf(5), mpmath.mpf("0.001")
        pieces = [low * (high / low) ** (mpmath.mpf(i) / 8) for i in range(9)]
        exact = 2 * (mpmath.expm1(h) - h) / h * mpmath.quad(body, pieces)
        assert (
            mpmath.mpf(str(found.lower)) * (1 - mpmath.mpf("1e-25"))
            <= exact
            <= mpmath.mpf(str(found.upper)) * (1 + mpmath.mpf("1e-25"))
        )
    float_tier = ONE_STEP.approximate(**POINT, profile=mine).terms["discretisation"]
    assert float(float_tier) == pytest.approx(float(exact), rel=1e-12)


@pytest.mark.parametrize(("middle", "radius"), [(1.5, 0.125), (1.875, 0.25), (1.125, 0.25), (1.5, 0.75)])
def test_integrals_whose_branch_changes_at_a_place_that_is_a_ball(middle: float, radius: float) -> None:
    """int_1^2 max(t, a) dt for an a anywhere between the ends, or at one or both of them."""
    a = TABLE["a"].symbol
    larger = sympy.Piecewise((a, t < a), (t, True))
    found = certified.compile((sympy.Integral(larger, (t, 1, 2)),), (a,))(flint.arb(middle, radius))[0]
    for x in (middle - radius, middle, middle + radius):
        cut = min(max(x, 1), 2)
        assert found.contains(flint.arb(x * (cut - 1) + (4 - cut**2) / 2))


@pytest.mark.parametrize("q", [1, 2, 3, 4, 6])
def test_powers(q: int) -> None:
    """Small powers are written as products and roots; all of them are the power."""
    x = sympy.Symbol("x", positive=True)
    for p in (-7, -3, -2, -1, 1, 2, 3, 4, 5, 6, 7, 9, 11):
        expr = x ** sympy.Rational(p, q)
        assert approximate.compile((expr,), (x,))(1.7)[0] == pytest.approx(1.7 ** (p / q), rel=1e-14)
        with certified.precision(100):
            ball = certified.compile((expr,), (x,))(certified.number(Fraction(17, 10)))[0]
        assert float(ball.mid()) == pytest.approx(1.7 ** (p / q), rel=1e-14)


@pytest.mark.parametrize("x", [1e-12, 1e-5, 0.3, 0.4999, 0.5, 0.5001, 0.75, 0.9999, 1.0, 1.0001, 1.4, 3.0, 40.0])
def test_functions_with_a_series_near_zero(x: float) -> None:
    """g, kappa_h and the factors of a step in doubles, on both sides of where the series ends, alone and in an array."""
    with mpmath.workdps(60):
        h = mpmath.mpf(x)
        exact = {
            approximate.g: (mpmath.exp(h) - 1 - h) / h,
            approximate.kappa_h: mpmath.sqrt((mpmath.exp(2 * h) - 4 * mpmath.exp(h) + 3 + 2 * h) / (2 * h)),
            approximate.rho_squared: (mpmath.exp(h) - mpmath.exp(-h) - 2 * h) / (mpmath.exp(h) - 1),
            approximate.chi_squared: h - 2 * (1 - mpmath.exp(-h)) + (1 - mpmath.exp(-2 * h)) / 2,
            approximate.rho_h_squared: sharp.rho_heun(mpmath.exp(h)) ** 2,
            approximate.chi_h_squared: sharp.chi_heun(mpmath.exp(h)) ** 2,
        }
    for function, value in exact.items():
        assert float(function(x)) == pytest.approx(float(value), rel=3e-15, abs=0)
        assert function(np.array([1e-3, x, 2.0]))[1] == pytest.approx(float(value), rel=3e-15, abs=0)
        assert function(0.0) == 0


@pytest.mark.parametrize("op", ["<", "<=", ">", ">=", "==", "!="])
def test_comparisons_of_balls_hold_for_all_of_their_numbers_or_none(op: str) -> None:
    """Against the ends; touching, overlapping, separate and exact balls."""
    holds: Callable[[float, float], bool] = getattr(
        operator, {"<": "lt", "<=": "le", ">": "gt", ">=": "ge", "==": "eq", "!=": "ne"}[op]
    )
    balls = [(0, 0), (1, 0), (1, 0.75), (0, 1.5), (2, 0.75), (5, 0.75), (5, 0)]
    for (m1, r1), (m2, r2) in itertools.product(balls, repeat=2):
        xs, ys = ({m - r, m, m + r} for m, r in ((m1, r1), (m2, r2)))
        both = {float(x) for x in xs | ys}  # numbers the two have in common are among the ends
        every = [
            holds(x, y)
            for x in {*xs, *(z for z in both if m1 - r1 <= z <= m1 + r1)}
            for y in {*ys, *(z for z in both if m2 - r2 <= z <= m2 + r2)}
        ]
        expected = None if len(set(every)) == 2 else every[0]
        assert certified.compare(op, flint.arb(m1, r1), flint.arb(m2, r2)) is expected, (op, m1, r1, m2, r2)


def test_conditions_that_are_not_known() -> None:
    assert [certified._and(*x) for x in ((True, True), (True, None), (None, False), (False, True), ())] == [
        True,
        None,
        False,
        False,
        True,
    ]
    assert [certified._not(x) for x in (True, None, False)] == [False, None, True]


@pytest.mark.parametrize("low", [0.4, 1.0, 2.5])
def test_powers_of_jets_enclose_values_and_slopes(low: float) -> None:
    """x^3, x^(3/2), 2^x and x^x on a piece: the values and derivatives at its ends lie inside, those of a point are sharp."""
    half = 0.05
    cases: dict[str, tuple[Callable[[Any], Any], Callable[[float], float], Callable[[float], float]]] = {
        "x^3": (lambda x: x**3, lambda x: x**3, lambda x: 3 * x**2),
        "x^-2": (lambda x: x**-2, lambda x: x**-2.0, lambda x: -2 * x**-3.0),
        "x^(3/2)": (lambda x: decreasing._power(x, 1.5), lambda x: x**1.5, lambda x: 1.5 * x**0.5),
        "2^x": (lambda x: decreasing._power(2, x), lambda x: 2**x, lambda x: math.log(2) * 2**x),
        "x^x": (lambda x: decreasing._power(x, x), lambda x: x**x, lambda x: x**x * (math.log(x) + 1)),
    }
    for name, (power, value, slope) in cases.items():
        wide = power(decreasing.Jet(flint.arb(low + half, half), flint.arb(1)))
        for x in (low + 1e-6, low + half, low + 2 * half - 1e-6):
            assert wide.value.contains(flint.arb(value(x), 1e-12)), name
            assert wide.slope.contains(flint.arb(slope(x), 1e-12)), name
        point = power(decreasing.Jet(flint.arb(low), flint.arb(1)))
        assert float(point.value.mid()) == pytest.approx(value(low), rel=1e-12)
        assert float(point.slope.mid()) == pytest.approx(slope(low), rel=1e-12)


def test_conditions_of_a_profile_that_is_written_in_branches() -> None:
    """Cuts are where a linear condition changes; branches are chosen through and, or and not."""
    a = sympy.Symbol("a", positive=True)
    body = sympy.Piecewise((1, (t > 1) & (t < 2 * a)), (2, sympy.Or(t > 9, a > 3)), (3, True))
    assert set(integrals.cuts(body, t)) == {1, 2 * a, 9}

    def at(time: float, size: float) -> Any:
        return integrals.branch(body, lambda x: bool(x.subs({t: time, a: size})))

    assert [at(1.5, 1), at(2.5, 1), at(2.5, 2), at(9.5, 1), at(0.5, 4), at(0.5, 1)] == [1, 3, 1, 2, 2, 3]
    with pytest.raises(InputError, match=r"^cannot tell where .* changes: a condition compares t with something free of t$"):
        integrals.cuts(sympy.Piecewise((1, t**2 > 2), (2, True)), t)
    with pytest.raises(InputError, match=r"^cannot tell where .* changes"):
        integrals.cuts(sympy.Piecewise((1, a * t > exp(-t)), (2, True)), t)


def test_one_of_two_numbers_or_both() -> None:
    assert [float(certified._choice(condition, 1, 2)) for condition in (True, False)] == [1, 2]
    both = certified._choice(None, 1, 2)
    assert both.contains(1)
    assert both.contains(2)


def test_every_combination_of_choices_is_tried() -> None:
    """The sign of a ball around 0 and the larger of two that overlap; what is decided is no choice."""
    choices, seen = decreasing._Choices(), list[tuple[float, float]]()
    around, above = (decreasing.Jet(flint.arb(m, 1), flint.arb(s)) for m, s in ((0, 1), (0.5, 2)))
    far = decreasing.Jet(flint.arb(-9), flint.arb(7))
    while True:
        assert float(choices.absolute(far).slope) == -7
        assert float(choices.extremum(-1, far, around).slope) == 7
        seen.append((float(choices.absolute(around).slope), float(choices.extremum(1, around, above, far).slope)))
        if not choices.next():
            break
    assert sorted(seen) == [(-1, 1), (-1, 2), (1, 1), (1, 2)]


@pytest.mark.parametrize("text", ["1/3", "2/3", "-1/3", "-2/3", "0", "7", "5.833", "1e-320"])
def test_the_largest_float_below(text: str) -> None:
    """The text of the float, or the float itself, is at most the value; that of the next one is above it."""
    value = Fraction(text)
    for read in (lambda x: Fraction(repr(x)), Fraction):
        found = exact.float_below(value, read)
        assert read(found) <= value < read(math.nextafter(found, math.inf))


@pytest.mark.parametrize("sigma", [Fraction(0), Fraction(1, 3), Fraction(80), Fraction(math.nextafter(0.5, 1))])
def test_the_exact_time_of_a_noise_level_is_that_of_the_formula(sigma: Fraction) -> None:
    assert exact.time_from_sigma(sigma) == plain(time_of(exact.as_expr(sigma)))
