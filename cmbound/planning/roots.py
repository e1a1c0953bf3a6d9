"""One unknown at a time: the largest or smallest value at which a monotone quantity stays within its allowance."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, inf, log

from scipy.optimize import brentq

from cmbound.errors import DomainError
from cmbound.theory.grids import MAX_STEPS

Function = Callable[[float], float]
_TINY, _FAR = 1e-300, 1e3  # in the place of 0 and of infinity, whose logarithm no search likes
_WHOLE = 1e-4  # relative width to which a number of steps is found: exact up to 10^4, beyond that rounded up
_PREDICTIONS = 40
"""Most predictions before the bracket is only halved: a fall like n^-2 reflects each at the goal, and the ends would creep."""


class Missed(DomainError):
    """No value of an unknown is good enough: at the best ``place`` the quantity is still ``value``."""

    def __init__(self, place: float, value: float) -> None:
        super().__init__(f"at {place:.3g} it is still {value:.4g}")
        self.place, self.value = place, value


def _value(f: Function, x: float) -> float:
    """f(x); infinite where it leaves the float64 range."""
    try:
        return f(x)
    except DomainError:
        return inf


def _gap(f: Function, allowance: float, x: float) -> float:
    return min(log(max(_value(f, x), _TINY)) - log(allowance), _FAR)


def largest(f: Function, allowance: float, low: float, high: float, accuracy: float = 1e-7) -> float:
    """The largest x in [low, high] with f(x) <= allowance, f increasing, to a relative ``accuracy``.

    Raises:
        Missed: f(low) is above the allowance.
    """
    if f(low) > allowance:
        raise Missed(low, f(low))
    if _value(f, high) <= allowance:
        return high
    return exp(float(brentq(lambda u: _gap(f, allowance, exp(u)), log(low), log(high), xtol=accuracy)))


def smallest(f: Function, allowance: float, low: float, high: float, accuracy: float = 1e-7) -> float:
    """The smallest x in [low, high] with f(x) <= allowance, f decreasing (about exponentially).

    Raises:
        Missed: f(high) is above the allowance.
    """
    if f(low) <= allowance:
        return low
    last = _value(f, high)
    if last > allowance:
        raise Missed(high, last)
    return float(brentq(lambda x: _gap(f, allowance, x), low, high, xtol=accuracy * max(low, 1e-3)))


def fewest(f: Callable[[int], float], allowance: float, limit: int = MAX_STEPS, width: float = _WHOLE) -> int:
    """The smallest whole n >= 1 with f(n) <= allowance, f about a falling power of n; beyond 1/``width`` rounded up.

    Raises:
        Missed: there is none up to ``limit``.
    """
    below, n = 0, 1
    value = f(1)
    while value > allowance:
        if n >= limit:
            raise Missed(limit, value)
        below, n = n, min(max(2 * n, int(n * min(value / allowance, 64.0))), limit)
        value = f(n)
    guess, left = n * value / allowance, _PREDICTIONS
    while n - below > max(1, width * n):
        middle = min(max(round(guess), below + 1), n - 1)
        value, left = f(middle), left - 1
        below, n = (below, middle) if value <= allowance else (middle, n)
        guess = _next_guess(middle * value / allowance, below, n, width) if left > 0 else (below + n) / 2
    return n


def _next_guess(guess: float, below: int, n: int, width: float) -> float:
    """A falling power predicts the place well; step past it a little, so that both ends of the bracket close in."""
    margin = max(0.25 * width * n, 0.5)
    if not below < guess < n:
        return (below + n) / 2
    return guess + margin if guess - below < n - guess else guess - margin
