"""Numbers as text: rounded in the safe direction, never through a locale."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal

_ROUNDING = {"up": ROUND_CEILING, "down": ROUND_FLOOR, "nearest": ROUND_HALF_EVEN}


def rounded(x: Decimal | float, digits: int = 6, direction: str = "up") -> str:
    """``x`` to at most ``digits`` significant digits, by default rounded up."""
    value = x if isinstance(x, Decimal) else Decimal(repr(float(x)))
    if value == 0:
        return "0"
    value = Context(prec=digits, rounding=_ROUNDING[direction]).normalize(value)  # in no other context: a user's may round again
    return f"{value:f}" if -5 <= value.adjusted() < digits + 3 else f"{value:e}".replace("e+", "e")


def plain_decimal(x: Decimal) -> str:
    """All digits, in the shortest of the two usual notations."""
    if x == 0:
        return "0"
    sign, digits, exponent = x.as_tuple()
    text = "".join(map(str, digits)).rstrip("0")
    x = Decimal((sign, tuple(map(int, text)), int(exponent) + len(digits) - len(text)))
    return f"{x:f}" if -6 <= x.adjusted() < 21 else f"{x:e}".replace("e+", "e")


def latex_number(text: str) -> str:
    """A number as LaTeX math: 1.5e-07 becomes 1.5 \\times 10^{-7}."""
    mantissa, _, exponent = text.partition("e")
    return rf"{mantissa} \times 10^{{{int(exponent)}}}" if exponent else mantissa
