"""Numbers from text and numbers as text: read exactly, written rounded in the safe direction, never through a locale.

``0.1`` as text is the rational 1/10, a Python float is the binary number it is. What is an upper bound is written rounded up,
a lower one rounded down, an estimate to the nearest, so that a number read off a page still is what it claims to be.
"""

from __future__ import annotations

import math
import re
from decimal import MAX_EMAX, MIN_EMIN, ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from functools import lru_cache
from numbers import Integral, Rational, Real
from typing import Any

from cmbound.errors import DomainError, InputError

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?(/[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?)?")
_LONGEST = 1000  # characters; reading more takes time that grows with their square
_ALLOWED_BITS = 990  # 10^300 has 997
_SMALLEST, _LARGEST = Fraction(1, 10**300), Fraction(10**300)  # a double holds the rest, with room for a square root


@lru_cache(maxsize=4096)  # a search reads the same texts in every trial
def parse(name: str, text: str) -> Fraction:
    """The exact value of a decimal, an integer or a fraction such as ``1/3`` or ``1e-3``.

    Raises:
        InputError: ``text`` is not a number, or longer than 1000 characters.
        DomainError: NaN, an infinity, a zero denominator, or a size outside [1e-300, 1e300].
    """
    stripped = text.strip()
    if stripped.lower().lstrip("+-") in ("nan", "inf", "infinity"):
        raise DomainError(f"{name} is {stripped}; a finite number is needed")
    if len(stripped) > _LONGEST:
        raise InputError(f"{name} has {len(stripped)} characters ({stripped[:12]}...); at most {_LONGEST} are read")
    if not _NUMBER.fullmatch(stripped):
        raise InputError(f"{name} is {text!r}, which is not a number (write 0.1, 1e-3 or 1/3)")
    for exponent in re.findall(r"[eE]([+-]?[0-9]+)", stripped):
        if abs(int(exponent)) > 2 * _LONGEST:
            raise DomainError(f"{name} is {stripped}; only 0 and sizes from 1e-300 to 1e300 are supported")
    top, _, bottom = stripped.partition("/")
    if bottom and Fraction(bottom) == 0:
        raise DomainError(f"{name} is {stripped}; the denominator must not be zero")
    return _sized(name, Fraction(top) / Fraction(bottom) if bottom else Fraction(top), stripped)


def _sized(name: str, value: Fraction, shown: Any) -> Fraction:
    if abs(value.numerator.bit_length() - value.denominator.bit_length()) < _ALLOWED_BITS:  # told without a division
        return value
    if value and not _SMALLEST <= abs(value) <= _LARGEST:
        text = str(shown)
        text = text if len(text) <= 40 else f"{text[:20]}..."
        raise DomainError(f"{name} is {text}; only 0 and sizes from 1e-300 to 1e300 are supported")
    return value


def exact(name: str, value: Any) -> Fraction:
    """The exact value of a number given in Python (int, float, Fraction, Decimal, numpy or SymPy number, text).

    Raises:
        InputError: not a real number.
        DomainError: NaN, infinite, or a size outside [1e-300, 1e300].
    """
    if isinstance(value, str):
        return parse(name, value)
    if type(value) is float and (1e-299 < abs(value) < 1e299 or value == 0):  # most of what searches give
        return Fraction(value)
    if type(value) is int:
        return _sized(name, Fraction(value), "an integer")
    if isinstance(value, bool) or getattr(getattr(value, "dtype", None), "kind", "") == "b":
        raise InputError(f"{name} is {value}, which is not a number")
    if isinstance(value, Integral):
        return _sized(name, Fraction(int(value)), "an integer")
    if isinstance(value, Rational):
        return _sized(name, Fraction(int(value.numerator), int(value.denominator)), "a fraction")
    if isinstance(value, Real):
        value = float(value)
    if isinstance(value, float | Decimal):
        if not (value.is_finite() if isinstance(value, Decimal) else math.isfinite(value)):
            raise DomainError(f"{name} is {value}; a finite number is needed")
        return _sized(name, Fraction(value), value)
    if getattr(value, "ndim", None) == 0:
        return exact(name, value.item())
    if getattr(value, "is_Rational", False):
        return _sized(name, Fraction(int(value.p), int(value.q)), value)
    if getattr(value, "is_Float", False):
        return _sized(name, Fraction(*value.as_integer_ratio()), value)
    raise InputError(f"{name} is {value!r}, which is not a number")


def text_of(value: Any) -> str:
    """How a number given by a user is reported: as given, a float as the fraction it is exactly."""
    if isinstance(value, str):
        return value.strip()
    return str(value if type(value) is int else exact("number", value))


# --- as text ----------------------------------------------------------------------------------------------------------

MOST_EXPONENT = 900_000
"""Decimal exponents stay within this, where every decimal context computes with them."""
_ROUNDING = {"up": ROUND_CEILING, "down": ROUND_FLOOR, "nearest": ROUND_HALF_EVEN}
_MOST_DIGITS = 60  # more are told apart as fractions


def rounded(x: Decimal | Fraction | float, digits: int = 6, direction: str = "up") -> str:
    """A number to at most ``digits`` significant digits: ``up`` (at least ``x``), ``down`` (at most ``x``) or ``nearest``.

    A float is the binary number it is: the nearest double to 0.1 is above 1/10, and 0.100001 rounded up.

    >>> rounded(Fraction(2, 3)), rounded(1.13050524, 5), rounded(1.13050524, 5, "down")
    ('0.666667', '1.1306', '1.1305')
    """
    value = _to_digits(x, digits, direction)
    if value == 0:
        return "0"
    if value.is_infinite():
        return str(float(value))
    return f"{value:f}" if -5 <= value.adjusted() < digits + 3 else f"{value:e}".replace("e+", "e")


def _to_digits(x: Decimal | Fraction | float, digits: int, direction: str) -> Decimal:
    context = Context(prec=digits, rounding=_ROUNDING[direction], Emax=MAX_EMAX, Emin=MIN_EMIN)
    if isinstance(x, Fraction | int):
        return context.normalize(context.divide(Decimal(x.numerator), Decimal(x.denominator)))
    return context.normalize(x if isinstance(x, Decimal) else Decimal.from_float(float(x)))


def apart(*values: Decimal | Fraction | float, digits: int = 6) -> tuple[str, ...]:
    """Numbers to be compared by a reader, to the nearest with as many digits as tell different ones apart.

    >>> apart(Fraction("5.833"), 5.833)
    ('5.833', '5.8330000000000002')
    """
    count = len(set(values))  # exact between types, and infinities are values too
    for more in range(digits, _MOST_DIGITS):
        texts = tuple(rounded(x, more, "nearest") for x in values)
        if len(set(texts)) == count:
            return texts
    return tuple(str(Fraction(x)) for x in values)


def text_up(value: float, upper: Decimal | None = None) -> str:
    """A double as text that is not below ``upper`` (default: the double itself), its shortest one where that will do."""
    least = Decimal.from_float(value) if upper is None else upper
    text = repr(float(value))
    return text if Decimal(text) >= least else rounded(least, 17)


def plain_decimal(x: Decimal) -> str:
    """All digits, in the shortest of the two usual notations."""
    if x == 0:
        return "0"
    sign, digits, exponent = x.as_tuple()
    text = "".join(map(str, digits)).rstrip("0")
    x = Decimal((sign, tuple(map(int, text)), int(exponent) + len(digits) - len(text)))
    return f"{x:f}" if -6 <= x.adjusted() < 21 else f"{x:e}".replace("e+", "e")


def in_full(value: float) -> str:
    """A double with all its digits, as short as that goes.

    >>> in_full(0.1), in_full(2)
    ('0.1', '2')
    """
    return repr(float(value)).removesuffix(".0")


def latex_number(text: str) -> str:
    """A number as LaTeX math: 1.5e-07 becomes 1.5 \\times 10^{-7}."""
    mantissa, _, exponent = text.partition("e")
    return rf"{mantissa} \times 10^{{{int(exponent)}}}" if exponent else mantissa


def counted(count: Any, noun: str) -> str:
    """A number of things: 1 point, 2 points, 1 batch, 2 batches, 1 trajectory, 2 trajectories.

    >>> counted(1, "statement"), counted(0, "batch"), counted("3", "trajectory")
    ('1 statement', '0 batches', '3 trajectories')
    """
    if str(count) == "1":
        return f"{count} {noun}"
    return f"{count} {noun[:-1]}ies" if noun.endswith("y") else f"{count} {noun}{'es' if noun.endswith('ch') else 's'}"
