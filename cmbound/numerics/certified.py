"""The certified tier: expressions become functions on Arb balls (python-flint), and balls become decimals.

Every result is an enclosure: the exact value for the exact inputs lies in [lower, upper].
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any, TypeAlias

import flint
import numpy as np
from flint import acb, arb, fmpq

from cmbound.errors import DomainError
from cmbound.numerics.codegen import Dialect
from cmbound.numerics.codegen import function as generate
from cmbound.numerics.integrals import extract

Ball: TypeAlias = Any
"""An Arb ball; python-flint has no complete type information."""


@contextmanager
def precision(bits: int) -> Iterator[None]:
    """Ball arithmetic with ``bits`` of working precision inside the block (a setting of the whole process)."""
    before = flint.ctx.prec
    flint.ctx.prec = bits
    try:
        yield
    finally:
        flint.ctx.prec = before


def number(value: Any) -> Ball:
    """A ball around an exact number: int, Fraction, SymPy expression without symbols."""
    if isinstance(value, Fraction):
        return arb(fmpq(value.numerator, value.denominator))
    if isinstance(value, int):
        return arb(value)
    return compile((value,), ())()[0]


def _log(x: Ball) -> Ball:
    return arb.neg_inf() if x.is_zero() else x.log()


def _sqrt(x: Ball) -> Ball:
    """Every radicand of the theory is a non-negative number; a ball around 0 may reach below it."""
    return x.nonnegative_part().sqrt() if x.contains(0) else x.sqrt()


def _maximum(*xs: Ball) -> Ball:
    result = arb(xs[0])
    for x in xs[1:]:
        result = result.max(x)
    return result


def _minimum(*xs: Ball) -> Ball:
    result = arb(xs[0])
    for x in xs[1:]:
        result = result.min(x)
    return result


def geometric_sum(x: Ball, n: Any) -> Ball:
    """1 + x + ... + x^(n-1) by doubling; ``n`` an exact non-negative integer."""
    count = int(arb(n).unique_fmpz())
    total, power = arb(0), arb(1)
    for bit in bin(count)[2:]:
        total, power = total * (1 + power), power * power
        if bit == "1":
            total, power = total * x + 1, power * x
    return total


def _rational(p: int, q: int) -> str:
    return f"rational({p}, {q})"


def _power(base: str, p: int, q: int) -> str:
    if q == 1:
        return f"{base}**{p}"
    return f"sqrt({base})" if (p, q) == (1, 2) else f"power({base}, rational({p}, {q}))"


BALLS = Dialect(
    stable=False,
    kernels=("geometric_sum",),
    rational=_rational,
    power=_power,
    namespace={
        "rational": lambda p, q: arb(fmpq(p, q)),
        "exp": lambda x: x.exp(),
        "log": _log,
        "sqrt": _sqrt,
        "power": lambda x, p: x**p,
        "atan": lambda x: x.atan(),
        "maximum": _maximum,
        "minimum": _minimum,
        "pi": arb.pi,
        "geometric_sum": geometric_sum,
    },
)


def _integral(body: Any, symbols: Sequence[Any], variable: Any) -> Callable[..., Ball]:
    """Rigorous quadrature (Petras) of an elementary function of ``variable``."""
    analytic = [False]

    def not_analytic(*xs: Any) -> Any:
        raise DomainError("an acceleration with Max or Min cannot be integrated rigorously; give the profile a stretch function")

    dialect = replace(
        BALLS,
        namespace={
            "rational": lambda p, q: acb(arb(fmpq(p, q))),
            "exp": lambda z: acb(z).exp(),
            "log": lambda z: acb(z).log(analytic=analytic[0]),
            "sqrt": lambda z: acb(z).sqrt(analytic=analytic[0]),
            "power": lambda z, p: acb(z).pow(p, analytic=analytic[0]),
            "atan": lambda z: acb(z).atan(),
            "maximum": not_analytic,
            "minimum": not_analytic,
            "pi": lambda: acb(arb.pi()),
        },
    )
    integrand = generate([body], (variable, *symbols), dialect)

    def integrate(ends: Sequence[Ball], values: Sequence[Any]) -> Ball:
        def function(z: acb, flag: bool) -> acb:
            analytic[0] = flag
            return acb(integrand(z, *values)[0])

        return acb.integral(function, *ends).real

    return integrate


@lru_cache(maxsize=1024)
def compile(exprs: tuple[Any, ...], symbols: tuple[Any, ...]) -> Callable[..., list[Ball]]:
    """A function of balls (in the order of ``symbols``) returning enclosures of ``exprs`` at the current precision."""
    bare, integrals = extract(exprs)
    main = generate(bare, (*symbols, *(i.name for i in integrals)), BALLS)
    parts = [(_integral(i.body, symbols, i.variable), generate([i.low, i.high], symbols, BALLS)) for i in integrals]

    def function(*values: Ball) -> list[Ball]:
        extra = [integral(ends(*values), values) for integral, ends in parts]
        return [arb(x) for x in main(*values, *extra)]

    return function


def relative_accuracy(x: Ball) -> float:
    """Decimal digits to which the ball determines its number (infinite for an exact one)."""
    if not x.is_finite():
        return -np.inf
    if x.is_exact():
        return np.inf
    return float(x.rel_accuracy_bits() * np.log10(2.0))


def _exponent(x: Ball) -> int:
    """Some e with 10^(e-2) <= abs(x) <= 10^(e+2), for exact non-zero x."""
    mantissa, two = x.man_exp()
    return int(np.floor((int(two) + int(abs(mantissa)).bit_length()) * np.log10(2.0)))


def decimal(x: Ball, digits: int, up: bool) -> Decimal:
    """A decimal with at least ``digits`` digits that is at least (``up``) or at most every number in the ball."""
    with precision(int(digits * 3.4) + 64):
        end = x.upper() if up else x.lower()
    if end.is_zero():
        return Decimal(0)
    exponent = _exponent(end)
    shift = digits + 2 - exponent
    with precision(int((digits + abs(exponent)) * 3.4) + 64):
        scaled = end * arb(10) ** shift
        whole = scaled.ceil().upper().ceil() if up else scaled.floor().lower().floor()
        integer = int(whole.unique_fmpz())
    while integer and integer % 10 == 0:
        integer, shift = integer // 10, shift - 1
    sign = 1 if integer < 0 else 0
    return Decimal((sign, tuple(map(int, str(abs(integer)))), -shift))


def float_up(x: Decimal) -> float:
    """The smallest double that is at least ``x``; raises DomainError beyond the largest double."""
    value = float(x)
    if Decimal(value) < x:
        value = float(np.nextafter(value, np.inf))
    if not np.isfinite(value):
        raise DomainError(f"the value {x:.3e} exceeds the largest float64 number (about 1.8e308)")
    return value
