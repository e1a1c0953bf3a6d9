"""What a bound in one metric says in another: Pinsker's inequality, a coupling on a ball, a square root.

TV <= (KL/2)^(1/2) always. On a ball of radius R, W2^2 <= (2 R)^2 TV: a coupling that attains TV moves mass at most 2 R, where it
moves any. The data lie in the ball; samples do once they are projected onto it, which changes no TV to the data for the worse.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import ROUND_CEILING, Context, Decimal
from fractions import Fraction
from typing import Any

from cmbound.arithmetic.certified import float_up
from cmbound.numbers import plain_decimal

_UP = Context(prec=30, rounding=ROUND_CEILING)
ROOT = "the square root"
PINSKER = "TV <= (KL/2)^(1/2)"
BALL = "W2^2 <= 4 R^2 TV on a ball of radius R, samples projected onto it"


@dataclass(frozen=True)
class Implied:
    """A bound in another metric that follows from a row; rows are never ranked by it.

    Attributes:
        metric: the other metric.
        upper: the bound, rounded up.
        through: the inequalities used.
        guarantee: whether the row it follows from is a guarantee.
    """

    metric: str
    upper: Decimal
    through: str
    guarantee: bool

    @property
    def value(self) -> float:
        """The bound as a float, rounded up."""
        return float_up(self.upper)

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "upper": plain_decimal(self.upper), "value": self.value}


def implied(metric: str, target: str, upper: Decimal, numbers: Mapping[str, Any], guarantee: bool) -> tuple[Implied, ...]:
    """What follows from ``metric`` <= ``upper`` where that is ``KL``, ``TV`` or ``W2^2``.

    Among the exact ``numbers``, ``R`` is the radius of a ball that holds the data (``p_data`` only) where ``tau`` is 0.
    """
    if metric == "W2^2":
        return (Implied("W2", _root(upper), ROOT, guarantee),)
    if metric not in ("KL", "TV"):
        return ()
    found = []
    if metric == "KL":
        upper = _root(_UP.divide(upper, Decimal(2)))
        found.append(Implied("TV", upper, PINSKER, guarantee))
    if target == "p_data" and "R" in numbers and not numbers.get("tau", 0):
        radius = Fraction(numbers["R"])
        wide = _UP.divide(Decimal(2 * radius.numerator), Decimal(radius.denominator))
        bound, through = _UP.multiply(wide, _root(min(upper, Decimal(1)))), (*(x.through for x in found), BALL)
        found.append(Implied("W2", bound, ", then ".join(through), guarantee))
    return tuple(found)


def _root(x: Decimal) -> Decimal:
    """The square root, rounded up (decimal's own rounds to nearest)."""
    return _UP.next_plus(_UP.sqrt(x)) if x else Decimal(0)
