"""Numbers as LaTeX; as plain text see :mod:`cmbound.numbers`."""

from __future__ import annotations

from cmbound.numbers import plain_decimal, rounded

__all__ = ["latex_number", "plain_decimal", "rounded"]


def latex_number(text: str) -> str:
    """A number as LaTeX math: 1.5e-07 becomes 1.5 \\times 10^{-7}."""
    mantissa, _, exponent = text.partition("e")
    return rf"{mantissa} \times 10^{{{int(exponent)}}}" if exponent else mantissa
