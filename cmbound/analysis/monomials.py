"""Monomials of a variable X that tends to infinity, and finite series of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cmp_to_key
from typing import Any

import sympy
from sympy import Add, S, exp, log


@dataclass(frozen=True)
class Monomial:
    """X^power (log X)^logs exp(sum of growth): ``growth`` has pairs ((p, q), c) for c X^p (log X)^q."""

    power: Any = S.Zero
    logs: Any = S.Zero
    growth: tuple[tuple[tuple[Any, Any], Any], ...] = ()

    def times(self, other: Monomial, sign: Any = S.One) -> Monomial:
        """The product with ``other**sign``."""
        growth = dict(self.growth)
        for key, value in other.growth:
            growth[key] = _expanded(growth.get(key, S.Zero) + sign * value)
        return Monomial(
            _expanded(self.power + sign * other.power),
            _expanded(self.logs + sign * other.logs),
            tuple(sorted(((x, y) for x, y in growth.items() if y != 0), key=str)),
        )

    def raised(self, exponent: Any) -> Monomial:
        return ONE.times(self, exponent)

    def rate(self, x: Any) -> Any:
        """What stands in the exponential."""
        return Add(*(value * x**p * log(x) ** q for (p, q), value in self.growth))

    def expression(self, x: Any) -> Any:
        """The monomial in ``x``."""
        return x**self.power * log(x) ** self.logs * exp(self.rate(x))


def _expanded(x: Any) -> Any:
    return x if x.is_Number else sympy.expand(x)


ONE = Monomial()


@dataclass(frozen=True)
class Series:
    """Terms (monomial, coefficient) in falling order, and a monomial that bounds the rest (None: exact)."""

    terms: tuple[tuple[Monomial, Any], ...]
    rest: Monomial | None = None


def falling(pairs: Iterable[tuple[Any, Any]], compare: Callable[[Any, Any], int]) -> list[tuple[Any, Any]]:
    """Pairs in falling order of what comes first in them."""
    key = cmp_to_key(lambda x, y: -compare(x, y))
    return sorted(pairs, key=lambda x: key(x[0]))
