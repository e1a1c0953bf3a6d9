"""Exact numbers: rationals, and expressions without symbols (a time that comes from a noise level)."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from math import inf, nextafter
from typing import Any

import sympy

from cmbound.arithmetic import approximate, certified
from cmbound.errors import UndecidedError
from cmbound.theory.functions import lam
from cmbound.theory.grids import time_of
from cmbound.theory.named import plain
from cmbound.theory.notation import TABLE
from cmbound.threads import alone

Value = Any
"""An exact number: a Fraction, a SymPy expression without symbols, or a :class:`~cmbound.arithmetic.certified.Point`."""

_BITS = (128, 512, 2048, 8192)  # until the double next to the number is certain


def as_expr(value: Value) -> Any:
    """The number as a SymPy expression."""
    if isinstance(value, certified.Point):
        return plain(value.formula).subs({x: as_expr(y) for x, y in value.numbers}, simultaneous=True)
    return sympy.Rational(value.numerator, value.denominator) if isinstance(value, Fraction) else value


@alone
def root(value: Fraction) -> Value:
    """The square root, exactly."""
    result = sympy.sqrt(as_expr(value))
    return Fraction(int(result.p), int(result.q)) if result.is_Rational else result


@lru_cache(maxsize=1024)
@alone
def time_from_sigma(sigma: Fraction) -> Any:
    """The time of a noise level, exactly: ``plain(time_of(sigma))``, but that SymPy is not asked about the logarithm."""
    return sympy.log(1 + as_expr(sigma) ** 2, evaluate=sigma == 0) / 2


@alone
def sign(value: Value) -> int:
    """-1, 0 or 1. Raises UndecidedError if the sign cannot be decided."""
    if isinstance(value, Fraction | int):
        return (value > 0) - (value < 0)
    for bits in _BITS:
        with certified.precision(bits):
            ball = certified.number(value)
            if ball > 0:
                return 1
            if ball < 0:
                return -1
    if sympy.simplify(value) == 0:
        return 0
    raise UndecidedError(f"cannot decide the sign of {value}")


def difference(x: Value, y: Value) -> Value:
    """x - y, exactly."""
    if isinstance(x, Fraction) and isinstance(y, Fraction):
        return x - y
    return as_expr(x) - as_expr(y)


@alone
def rational_near(value: Value) -> Fraction:
    """A fraction within 2^-200 (relative) of the value; the value itself if it is rational."""
    if isinstance(value, Fraction):
        return value
    with certified.precision(256):
        mantissa, exponent = certified.number(value).mid().man_exp()
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


def float_below(value: Value, read: Callable[[float], Fraction] = lambda x: Fraction(repr(x))) -> float:
    """The largest float64 number that is at most the value, read as its shortest decimal text (or as ``read`` does)."""
    found = float(rational_near(value))
    while sign(difference(read(found), value)) > 0:
        found = nextafter(found, -inf)
    return found


def times(sigma: Any) -> Any:
    """Times of float64 noise levels (a number or an array)."""
    symbol = TABLE["sigma"].symbol
    return approximate.compile((time_of(symbol),), (symbol,))(sigma)[0]


def noise_level(time: float) -> float:
    """The float64 noise level at a time."""
    symbol = TABLE["t"].symbol
    return float(approximate.compile((lam(symbol),), (symbol,))(time)[0])


def in_clock(t: float, clock: str) -> float:
    """A time as it is reported: t itself, or its noise level in the variance-exploding clock."""
    return noise_level(t) if clock == "ve" else t
