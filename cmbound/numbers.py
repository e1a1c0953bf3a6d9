"""Reading numbers exactly: ``0.1`` is the rational 1/10, a Python float is the binary number it is."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from fractions import Fraction
from numbers import Integral, Rational, Real
from typing import Any

from cmbound.errors import DomainError, InputError

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?(/\d+(\.\d+)?([eE][+-]?\d+)?)?")
_MAX_EXPONENT = 5000


def parse(name: str, text: str) -> Fraction:
    """The exact value of a decimal, an integer or a fraction such as ``1/3`` or ``1e-3``.

    Raises:
        InputError: ``text`` is not a number.
        DomainError: NaN, an infinity, a zero denominator, or an exponent beyond 5000.
    """
    stripped = text.strip()
    if stripped.lower().lstrip("+-") in ("nan", "inf", "infinity"):
        raise DomainError(f"{name} is {stripped}; a finite number is needed")
    if not _NUMBER.fullmatch(stripped):
        raise InputError(f"{name} is {text!r}, which is not a number (write 0.1, 1e-3 or 1/3)")
    for exponent in re.findall(r"[eE]([+-]?\d+)", stripped):
        if abs(int(exponent)) > _MAX_EXPONENT:
            raise DomainError(f"{name} is {stripped}; exponents beyond {_MAX_EXPONENT} are not supported")
    top, _, bottom = stripped.partition("/")
    if bottom and Fraction(bottom) == 0:
        raise DomainError(f"{name} is {stripped}; the denominator must not be zero")
    return Fraction(top) / Fraction(bottom) if bottom else Fraction(top)


def exact(name: str, value: Any) -> Fraction:
    """The exact value of a number given in Python (int, float, Fraction, Decimal, numpy or SymPy number, text).

    Raises:
        InputError: not a real number.
        DomainError: NaN or infinite.
    """
    if isinstance(value, str):
        return parse(name, value)
    if isinstance(value, bool):
        raise InputError(f"{name} is {value}, which is not a number")
    if isinstance(value, Integral):
        return Fraction(int(value))
    if isinstance(value, Rational):
        return Fraction(int(value.numerator), int(value.denominator))
    if isinstance(value, Real):
        value = float(value)
    if isinstance(value, float | Decimal):
        if not math.isfinite(value):
            raise DomainError(f"{name} is {value}; a finite number is needed")
        return Fraction(value)
    if getattr(value, "ndim", None) == 0:
        return exact(name, value.item())
    if getattr(value, "is_Rational", False):
        return Fraction(int(value.p), int(value.q))
    if getattr(value, "is_Float", False):
        return Fraction(*value.as_integer_ratio())
    raise InputError(f"{name} is {value!r}, which is not a number")


def text_of(value: Any) -> str:
    """How a number given by a user is reported: as given, a float as the fraction it is exactly."""
    if isinstance(value, str):
        return value.strip()
    return str(exact("number", value))
