"""The two arithmetics where they are strained: digits lost to cancellation, integrals of a user's profile."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import flint
import mpmath
import pytest
import sympy
from sympy import atan, exp, log, pi, sqrt, tanh

import cmbound
from cmbound.functions import elementary
from cmbound.notation import t
from cmbound.numerics import approximate, certified
from cmbound.profiles import Profile

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
