"""From sampled squares to a bound on their root mean square, at a confidence (theory 5.4)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import betaincinv, stdtrit

from cmbound.distances import coupling_w2
from cmbound.worlds.base import Array

CONDITIONAL = "conditional"
"""Rests on a constant that was only estimated from below, or claimed."""


@dataclass(frozen=True)
class Root:
    """A root mean square: found on the samples, with one-sided upper bounds.

    Attributes:
        estimate: of the samples.
        upper: missed with a small probability, by a normal approximation corrected for skewness.
        guaranteed: the same for every law and number of samples, by bets (None: the squares have no bound).
    """

    estimate: float
    upper: float
    guaranteed: float | None = None


def root(values: Array, tail: float, most: float | None) -> Root:
    """Bounds of (E Y)^{1/2} from n values of Y >= 0, each missed with probability ``tail``; ``most`` bounds Y^{1/2}."""
    if not values.any():
        return Root(0.0, 0.0, 0.0 if most == 0 else None if most is None else _guaranteed(values, tail, most))
    distances = np.sqrt(values)[:, None]
    found = coupling_w2(distances, np.zeros_like(distances), level=1 - 2 * tail)
    return Root(found.value, found.upper, None if most is None else _guaranteed(values, tail, most))


def _guaranteed(values: Array, tail: float, most: float) -> float:
    distances = np.sqrt(values)[:, None]
    return coupling_w2(distances, np.zeros_like(distances), level=1 - 2 * tail, diameter=most).upper


def lower_root(values: Array, tail: float) -> float:
    """A lower bound of (E Y)^{1/2} from n values of Y >= 0, missed with probability ``tail``.

    The larger one of two, each missed with half of it: the asymptotic one that belongs to :func:`root`, which is 0 for few values
    of which one is large, and one for every law and number of values. With y_1 <= ... <= y_n in order, P(Y >= y_k) is at least
    the tail/(2n) quantile of the law Beta(n - k + 1, k) (Clopper and Pearson 1934), jointly for all k, and E Y is the integral of
    P(Y >= y).

    >>> import numpy as np
    >>> lower_root(np.array([0.0, 1.0, 4.0] * 20), 0.01) > 0.5
    True
    """
    if not values.any():
        return 0.0
    distances = np.sqrt(values)[:, None]
    normal = coupling_w2(distances, np.zeros_like(distances), level=1 - tail).lower
    return max(normal, math.sqrt(float(np.diff(np.sort(values), prepend=0.0) @ _least_masses(len(values), tail / 2))))


@lru_cache(maxsize=8)
def _least_masses(n: int, tail: float) -> Array:
    """Joint lower bounds of P(Y >= y_k) for the k-th smallest of n values, k = 1, ..., n."""
    k = np.arange(1, n + 1)
    return np.asarray(betaincinv(n - k + 1, k, tail / n))


def added(parts: list[Root]) -> Root:
    """The sum of root mean squares."""
    firm = [x.guaranteed for x in parts]
    total = None if any(x is None for x in firm) else math.fsum(x for x in firm if x is not None)
    return Root(math.fsum(x.estimate for x in parts), math.fsum(x.upper for x in parts), total)


Weighed = tuple[Array, float]
"""Squared norms of a term, one for each path, and the factor of its root mean square in a sum."""

PILOT = 4
"""One path in so many sets weights and the limit of a sum; the others are what the limit is believed on."""
ROOM = 2.0
"""The limit of a sum over the largest one of the pilot: the others then hardly ever exceed it."""

SHARES = (0.99, 0.97, 0.95, 0.9, 0.8)
"""Shares of the paths that a smaller limit would leave inside: beyond it errors are rare and large, or the limit is no gain."""


def _squares(terms: Sequence[Weighed], weights: Sequence[float]) -> Array:
    """Sum(w) sum(c^2 Y/w): its mean is at least the square of the sum of c (E Y)^{1/2}, with equality for w = c (E Y)^{1/2}."""
    parts = [c * c / w * y for (y, c), w in zip(terms, weights, strict=True)]
    return np.asarray(math.fsum(weights) * np.sum(parts, axis=0))


def summed(terms: Sequence[Weighed], tail: float) -> Root:
    """The sum of root mean squares, times factors, by one mean (Cauchy-Schwarz with the weights that are seen)."""
    sizes = [c * math.sqrt(float(y.mean())) for y, c in terms]
    some = [(x, w) for x, w in zip(terms, sizes, strict=True) if w > 0]
    if not some:
        return Root(0.0, 0.0)
    found = root(_squares([x for x, _ in some], [w for _, w in some]), tail, None)
    total = math.fsum(sizes)
    return Root(total, max(total, found.upper))


def _limit(values: Array, whole: Array, most: float, price: float) -> float:
    """The limit of the values for which the bound is expected to be least, by Bernstein's with log(1/tail)/n = ``price``."""

    def expected(y: Array, top: float) -> float:
        return math.sqrt(float(y.mean()) + math.sqrt(2 * price) * float(y.std()) + top * price)

    def bound(limit: float) -> float:
        inside = values <= limit
        return expected(np.where(inside, values, 0.0), limit) + expected(np.where(inside, 0.0, whole), most)

    top = float(values.max())
    return min((ROOM * top, top, *(float(np.quantile(values, x)) for x in SHARES)), key=bound)


def firm_sum(terms: Sequence[Weighed], whole: Array, most: float, tail: float) -> float:
    """A guaranteed bound of norm(whole)_2 by a sum of root mean squares, where the terms add up to ``whole``.

    By the triangle inequality with the terms on the paths where no limit is exceeded, and with ``whole`` itself on the others:
    the diameter is paid once, not for every term. Weights and limit come from a pilot, which is used for nothing else.

    Args:
        terms: squared norms (n,) of each term.
        whole: squared norms (n,) of their sum.
        most: bounds ``whole``.
        tail: probability that the bound does not hold.
    """
    pilot = max(2, len(whole) // PILOT)
    first = [c * math.sqrt(float(y[:pilot].mean())) for y, c in terms]
    least = 1e-3 * max(*first, 1e-300)  # a term that is 0 in the pilot may not be 0: it gets a small weight
    values = _squares(terms, [max(x, least) for x in first])
    limit = _limit(values[:pilot], whole[:pilot], most, math.log(2 / tail) / (len(whole) - pilot))
    rest, apart = values[pilot:], whole[pilot:]
    if limit <= 0:
        return _guaranteed(apart, tail, math.sqrt(most))
    inside = rest <= limit
    kept = _guaranteed(np.where(inside, rest, 0.0), tail / 2, math.sqrt(limit) * (1 + 1e-12))  # rounding
    return kept + _guaranteed(np.where(inside, 0.0, apart), tail / 2, math.sqrt(most))


def paired(before: Array, after: Array, tail: float) -> int:
    """The sign of E(after - before), asymptotic: 0 where the two are not told apart."""
    apart = after - before
    mean, error = float(apart.mean()), float(apart.std(ddof=1)) / math.sqrt(len(apart))
    # what is below rounding of either is no difference
    reach = max(-float(stdtrit(len(apart) - 1, tail)) * error, 1e-9 * float(before.mean() + after.mean()))
    return 0 if abs(mean) <= reach else 1 if mean > 0 else -1


def exact(value: float) -> Root:
    """A number that is known."""
    return Root(value, value, value)
