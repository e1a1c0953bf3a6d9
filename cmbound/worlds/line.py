"""Gaussian mixtures on the line: distribution functions, quantiles and monotone rearrangement, accurate in every tail.

Let W_j be the total weight of the j components with the smallest means. Then, for every j,

    F(x) - W_j = A - B,  A = sum_{k >= j} pi_k Phi(z_k),  B = sum_{k < j} pi_k Phi(-z_k),  z_k = (x - m_k)/sigma_k,

and A and B are sums of positive terms whose logarithms are known to full accuracy however small they are. An equation F(y) = u
is solved in this form with the j whose W_j is nearest to u: j = 0 and j = K are the two tails, the others the gaps between
components. All arrays are flat: numbers (n,), means and deviations (n or 1, K) in increasing order of the means.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import erfcx, log_ndtr, ndtr, ndtri_exp

from cmbound.distances.scaling import across
from cmbound.frozen import Record
from cmbound.worlds.base import Array

_MAX_ITERATIONS = 400  # bisection and Newton end in tens; this guards against cycling
_LOG_2PI = float(np.log(2 * np.pi))
Index = np.ndarray[tuple[int], np.dtype[np.intp]]


@dataclass(frozen=True, eq=False)
class Line(Record):
    """Components at given times: ``means`` and ``deviations`` (n or 1, K), ``log_weights`` (K,)."""

    means: Array
    deviations: Array
    log_weights: Array

    def take(self, rows: Index) -> Line:
        if len(self.means) == 1:
            return self
        return Line(self.means[rows], self.deviations[rows], self.log_weights)

    def standard(self, x: Array) -> Array:
        return (x[:, None] - self.means) / self.deviations

    def probability(self, x: Array, sign: float) -> Array:
        """F(x) for sign = 1, 1 - F(x) for sign = -1."""
        return np.asarray(np.minimum(ndtr(sign * self.standard(x)) @ np.exp(self.log_weights), 1.0))

    def log_density(self, x: Array) -> Array:
        return _log_sum(self.log_weights - np.log(self.deviations) - (self.standard(x) ** 2 + _LOG_2PI) / 2)

    def split(self, x: Array, j: Index) -> tuple[Array, Array, Array, Array]:
        """log A, log B, log(abs(dA/dx)/A) and log(abs(dB/dx)/B); -inf for an empty sum."""
        z = self.standard(x)
        upper = np.arange(z.shape[1]) >= j[:, None]
        below, hazard = _tail(np.where(upper, z, -z))
        mass = self.log_weights + below
        hazard /= self.deviations
        sums, rates = [], []
        for kept in (upper, ~upper):
            part = np.where(kept, mass, -np.inf)
            top = across(np.maximum, part)
            base = np.where(np.isfinite(top), top, 0.0)
            share = np.exp(part - base[:, None])
            total = across(np.add, share)
            sums.append(base + _log(total))
            rates.append(_log(across(np.add, share * hazard) / np.where(total > 0, total, 1.0)))
        return sums[0], sums[1], rates[0], rates[1]


def _tail(z: Array) -> tuple[Array, Array]:
    """log Phi(z) and phi(z)/Phi(z), accurate where both underflow."""
    squares, negative = z * z / 2, z < 0
    scaled = erfcx(np.abs(z) / np.sqrt(2)) / 2  # Phi(-abs(z)) over e^{-z^2/2}
    density = np.exp(-squares)
    rest = np.where(negative, scaled, 1 - scaled * density)
    hazard = np.where(negative, 1.0, density) / (rest * np.sqrt(2 * np.pi))
    return np.log(rest) - np.where(negative, squares, 0.0), hazard


@dataclass(frozen=True, eq=False)
class Level(Record):
    """F(y) = W_j + exp(plus) - exp(minus), of which at most one of ``plus``, ``minus`` (n,) is above -inf."""

    j: Index
    plus: Array
    minus: Array


def _log_sum(x: Array) -> Array:
    """Logarithm of the sum of exp along the last axis; -inf for an empty sum."""
    top = across(np.maximum, x)
    base = np.where(np.isfinite(top), top, 0.0)
    total = across(np.add, np.exp(x - base[:, None]))
    return np.asarray(base + _log(total))


def _log(x: Array) -> Array:
    return np.asarray(np.log(x, where=x > 0, out=np.full_like(x, -np.inf)))


def _log_difference(a: Array, b: Array) -> Array:
    """log(e^a - e^b) where a > b, else -inf."""
    gap = np.where(a > b, b - np.where(a > b, a, 0.0), -1.0)
    return np.asarray(np.where(a > b, a + _log(-np.expm1(gap)), -np.inf))


def _nearest(sums: Array, u: Array) -> Index:
    """Index of the entry of the increasing ``sums`` nearest to u."""
    right = np.clip(np.searchsorted(sums, u), 1, len(sums) - 1)
    return np.asarray(np.where(u - sums[right - 1] <= sums[right] - u, right - 1, right))


def level_of(u: Array, weights: Array, *, survival: bool) -> Level:
    """The level with F(y) = u, or with 1 - F(y) = u, for u in [0, 1]."""
    sums = np.concatenate([[0.0], np.cumsum(weights[::-1] if survival else weights)])
    sums[-1] = 1.0
    j = _nearest(sums, u)
    plus, minus = _log(np.maximum(u - sums[j], 0)), _log(np.maximum(sums[j] - u, 0))
    return Level(len(weights) - j, minus, plus) if survival else Level(j, plus, minus)


def level_of_normal(z: Array, weights: Array) -> Level:
    """The level with F(y) = Phi(z)."""
    low, high = level_of(ndtr(z), weights, survival=False), level_of(ndtr(-z), weights, survival=True)
    negative = z < 0
    j = np.where(negative, low.j, high.j)
    plus = np.where(j == 0, log_ndtr(z), np.where(negative, low.plus, high.plus))
    minus = np.where(j == len(weights), log_ndtr(-z), np.where(negative, low.minus, high.minus))
    return Level(j, plus, minus)


def level_at(x: Array, line: Line, weights: Array) -> Level:
    """The level with F(y) = F_line(x)."""
    low = line.probability(x, 1.0)
    high = line.probability(x, -1.0)
    j = np.where(low <= 0.5, level_of(low, weights, survival=False).j, level_of(high, weights, survival=True).j)
    a, b, _, _ = line.split(x, j)
    return Level(j, _log_difference(a, b), _log_difference(b, a))


def log_derivative(level: Level, x: Array, start: Line, y: Array, end: Line) -> Array:
    """log of p_start(x)/p_end(y) where F_start(x) = F_end(y) is the level; in a tail by p/F or p/(1 - F), safe there."""
    tail = (level.j == 0) | (level.j == len(start.log_weights))
    parts = []
    for line, at in ((start, x), (end, y)):
        _, _, rate_a, rate_b = line.split(at, level.j)
        parts.append(np.where(tail, np.where(level.j == 0, rate_a, rate_b), line.log_density(at)))
    return np.asarray(parts[0] - parts[1])


def solve(level: Level, line: Line, weights: Array) -> Array:
    """The y of a level: safeguarded Newton on g(y) = log(A + e^minus) - log(B + e^plus), which increases in y.

    The quantile of the mixture lies between the smallest and the largest of those of its components. Infinite where F = 0 or 1.
    """
    sums = np.concatenate([[0.0], np.cumsum(weights)])
    last = len(weights)
    rest = np.concatenate([np.cumsum(weights[::-1])[::-1], [0.0]])
    gap = np.exp(level.plus) - np.exp(level.minus)
    below, above = sums[level.j] + gap, rest[level.j] - gap
    log_below = np.where(level.j == 0, level.plus, _log(np.maximum(below, 0)))
    log_above = np.where(level.j == last, level.minus, _log(np.maximum(above, 0)))
    lower = below <= 0.5
    z = np.where(lower, ndtri_exp(np.minimum(log_below, 0.0)), -ndtri_exp(np.minimum(log_above, 0.0)))
    y = np.where(lower, -np.inf, np.inf)
    todo = np.flatnonzero(np.where(lower, log_below, log_above) > -np.inf)
    part = line.take(todo)
    slack = 1e-6 * (1 + np.abs(z[todo, None]))
    low = (part.means + part.deviations * (z[todo, None] - slack)).min(axis=1)
    high = (part.means + part.deviations * (z[todo, None] + slack)).max(axis=1)
    y[todo] = (low + high) / 2
    step = high - low
    for _ in range(_MAX_ITERATIONS):
        if not len(todo):
            break
        part, x = line.take(todo), y[todo]
        only_a, only_b, rate_a, rate_b = part.split(x, level.j[todo])
        a, b = np.logaddexp(only_a, level.minus[todo]), np.logaddexp(only_b, level.plus[todo])
        g = a - b
        slope = np.exp(rate_a + (only_a - a)) + np.exp(rate_b + (only_b - b))
        low, high = np.where(g <= 0, x, low), np.where(g >= 0, x, high)
        with np.errstate(over="ignore"):  # a slope that is almost 0: the bracket is halved instead
            move = np.where(slope > 0, -g / np.where(slope > 0, slope, 1.0), np.inf)
        newton = x + move
        # Newton steps may keep crawling along one side: one that is hardly shorter than the last one halves the bracket instead.
        rounding = 1e-15 * (np.abs(x) + part.deviations.min(axis=1))
        settled = np.abs(move) <= rounding
        crawling = (np.abs(move) > 0.9 * step) & (np.abs(move) > 1e-9 * (high - low))
        chosen = np.where(crawling | ~((newton > low) & (newton < high)), (low + high) / 2, newton)
        y[todo] = np.where(settled, np.clip(newton, low, high), chosen)
        kept = ~(settled | (high - low <= rounding / 2))
        todo, low, high, step = todo[kept], low[kept], high[kept], np.abs(chosen - x)[kept]
    return y
