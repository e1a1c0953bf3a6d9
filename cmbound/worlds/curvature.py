"""Lipschitz constants of the scores of Gaussian mixtures: sup over t in [t_star, T] of the largest eigenvalue of +-H.

For components with one covariance Sigma, P = (c^2 Sigma + s^2 I)^{-1} and H = -P + c^2 P Cov_r(m) P. Let lambda be the smallest
eigenvalue of Sigma, v = c^2 lambda + s^2 and R the radius of a ball around the means. Then H >= -1/v, and for a unit vector e and
f = P e (so norm(f) <= 1/v) e.H e <= c^2 R^2 norm(f)^2 - f.P^{-1} f <= (c^2 R^2 - v) norm(f)^2, at most
max(0, c^2 R^2/v^2 - 1/v). This is theory 3.3 with v in place of s_delta^2.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from cmbound.distances.scaling import across
from cmbound.worlds.base import SMALLEST, Array
from cmbound.worlds.process import noise, signal

TOLERANCE = 1e-4
"""Relative amount by which numerically maximised constants are inflated."""
_BUDGET = 3_000_000  # boxes times points: some seconds
_AT_ONCE = 256  # boxes in one array operation
_FARTHEST = 1e11  # largest b (m_K - m_1)^2 of :func:`on_the_line`: its rounding error in a logit stays below the tolerance
_TIMES = 2000  # times in one array operation, over the cube of the number of components
MOST_SCANNED = 32
"""Most components with covariances of their own for which :func:`scanned` searches."""


def shared(radius: float, variance: float, t_star: float, T: float) -> float:
    """sup over [t_star, T] of max(1/v, c^2 R^2/v^2 - 1/v), v = c^2 variance + s^2; inf if v is 0 at t_star.

    v is monotone in t, so that 1/v is largest at an end.
    """
    return max(_precision(variance, t_star), _precision(variance, T), above(radius, variance, t_star, T))


def above(radius: float, variance: float, t_star: float, T: float) -> float:
    """sup over [t_star, T] of max(0, c^2 R^2/v^2 - 1/v), which the largest eigenvalue of H does not exceed; inf if v is 0.

    With y = c^2 and k = 1 - variance, v = 1 - k y, and y R^2/v^2 - 1/v has the derivative (R^2 - k + k (R^2 + k) y)/v^3 in y:
    for k >= 0 the sup is at an end, for k < 0 it can be at the zero of the numerator.
    """
    ends = [_precision(variance, t_star), _precision(variance, T)]
    if max(ends) == math.inf:
        return math.inf if radius > 0 else 0.0
    k, high, low = 1 - variance, math.exp(-2 * t_star), math.exp(-2 * T)
    values = [0.0, *(math.exp(-2 * t) * radius**2 * p * p - p for t, p in zip((t_star, T), ends, strict=True))]
    if k < 0 and radius**2 > -k:
        y = min(max((radius**2 - k) / (-k * (radius**2 + k)), low), high)
        values.append(y * radius**2 / (1 - k * y) ** 2 - 1 / (1 - k * y))
    return max(values)


def _precision(variance: float, t: float) -> float:
    v = math.exp(-2 * t) * variance - math.expm1(-2 * t)
    return 1 / v if v >= SMALLEST else math.inf


def on_the_line(means: Array, weights: Array, variance: float, t_star: float, T: float) -> float:
    """The sup of abs(H) in one dimension with one variance, at most a relative 1e-4 above it unless there is no time for that.

    With b = c^2/v, k = 1 - variance: c^2/v^2 = b(1 + k b), 1/v = 1 + k b, and the posterior weights at x = c y are proportional
    to pi_j exp(b (y m_j - m_j^2/2)). So H = b(1 + k b) Var - (1 + k b). Boxes in (y, b) are split until an upper bound of H on
    every one of them is below the largest value found, times 1 + 1e-4; the bound lets logits vary independently. Outside the y
    searched one end of the data has almost all the weight, and E (m - m_end)^2, which bounds Var, falls outwards.
    When the work exceeds its limit, the largest upper bound that remains is returned, which is valid too; inf where float64 does
    not resolve the logits (components more than 3e5 widths apart).
    """
    precisions = _precision(variance, t_star), _precision(variance, T)
    floor = max(precisions)
    order = np.argsort(means)
    m = means[order] - (means.min() + means.max()) / 2
    log_weights = np.log(weights[order])
    if len(m) == 1 or m[0] == m[-1] or floor == math.inf:
        return floor
    k = 1 - variance
    b_low, b_high = sorted(math.exp(-2 * t) * p for t, p in zip((t_star, T), precisions, strict=True))
    b_low = max(b_low, 4 / (m[-1] - m[0]) ** 2)  # below, b Var <= 1 and H <= 0
    if b_low > b_high:
        return floor
    if b_high * (m[-1] - m[0]) ** 2 > _FARTHEST:
        return math.inf
    y_low, y_high = _range(m, log_weights, b_low)
    boxes = np.array([[y_low, y_high, b_low, b_high]])
    best, bounds, across = _bounds(boxes, m, log_weights, k)
    work = 0
    while len(boxes) and work < _BUDGET:
        chosen = np.zeros(len(boxes), dtype=bool)  # those with the largest bounds
        chosen[np.argpartition(-bounds, min(_AT_ONCE, len(boxes)) - 1)[:_AT_ONCE]] = True
        halves = _halves(boxes[chosen], across[chosen])
        value, new_bounds, new_across = _bounds(halves, m, log_weights, k)
        best = max(best, value)
        boxes, bounds = np.concatenate([boxes[~chosen], halves]), np.concatenate([bounds[~chosen], new_bounds])
        across = np.concatenate([across[~chosen], new_across])
        kept = bounds > max(floor, best * (1 + TOLERANCE))
        boxes, bounds, across = boxes[kept], bounds[kept], across[kept]
        work += len(halves) * len(m)
    return max(floor, best * (1 + TOLERANCE), float(bounds.max(initial=0.0)))


def _halves(boxes: Array, across: npt.NDArray[np.bool_]) -> Array:
    """Both halves of every box, cut across y where ``across`` is true, else across b."""
    rows, first = np.arange(len(boxes)), np.where(across, 0, 2)
    low, high = boxes[rows, first], boxes[rows, first + 1]
    middle = np.where(across, (low + high) / 2, np.sqrt(np.abs(low * high)))
    left, right = boxes.copy(), boxes.copy()
    left[rows, first + 1], right[rows, first] = middle, middle
    return np.concatenate([left, right])


def _range(m: Array, log_weights: Array, b: float) -> tuple[float, float]:
    """y outside which the end component has all but e^{-60} of the weight, for every larger b too."""
    low = (log_weights[1:] - log_weights[0] + 60 + math.log(len(m)), m[1:] - m[0], (m[1:] + m[0]) / 2)
    high = (log_weights[:-1] - log_weights[-1] + 60 + math.log(len(m)), m[-1] - m[:-1], (m[-1] + m[:-1]) / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        below = np.where(low[1] > 0, low[2] - np.maximum(low[0], 0) / (b * low[1]), 0.0)
        above = np.where(high[1] > 0, high[2] + np.maximum(high[0], 0) / (b * high[1]), 0.0)
    return float(below.min()), float(above.max())


def _bounds(boxes: Array, m: Array, log_weights: Array, k: float) -> tuple[float, Array, npt.NDArray[np.bool_]]:
    """Of H: the largest of the values at one point of each box; upper bounds; and whether y rather than b makes them loose."""
    y, w = (boxes[:, :1] + boxes[:, 1:2]) / 2, (boxes[:, 1:2] - boxes[:, :1]) / 2
    b_low, b_high = boxes[:, 2:3], boxes[:, 3:]
    b = b_high
    q = y * m - m * m / 2
    logits = log_weights + b * q
    logits -= across(np.maximum, logits)[:, None]
    r = np.exp(logits)
    total = across(np.add, r)[:, None]
    r /= total
    average = (r @ m)[:, None]
    away = np.abs(m - average)
    variance = across(np.add, r * away**2)
    by_y = b * w * away
    by_b = (b - b_low) * np.abs(q - across(np.add, r * q)[:, None])
    logits -= np.log(total)
    # Var <= sum r_j e^{move_j} (m_j - average)^2 / sum r_j e^{-move_j}, and Var <= range^2/4.
    terms = logits + by_y + by_b + 2 * np.log(np.maximum(away, 1e-300))
    widest = 2 * math.log((m[-1] - m[0]) / 2)
    most = np.exp(np.minimum(_log_sum(terms) - _log_sum(logits - by_y - by_b), widest))
    heavy = terms.argmax(axis=1)[:, None]
    factor_low, factor_high, factor = (x[:, 0] * (1 + k * x[:, 0]) for x in (b_low, b_high, b))
    top = np.maximum(factor_low, factor_high)
    if k < 0:  # b(1 + k b) is largest at b = -1/(2k)
        peak = np.clip(-1 / (2 * k), b_low[:, 0], b_high[:, 0])
        top = peak * (1 + k * peak)
    least = 1 + k * (b_low if k >= 0 else b_high)[:, 0]
    loose_y, loose_b = (np.take_along_axis(x, heavy, 1)[:, 0] for x in (by_y, by_b))
    value = factor * variance - (1 + k * b[:, 0])
    return float(value.max()), top * most - least, loose_y >= loose_b + np.log(b_high / b_low)[:, 0]


def _log_sum(x: Array) -> Array:
    """Logarithm of the sum of exp along rows of finite numbers."""
    top = across(np.maximum, x)
    return np.asarray(top + np.log(across(np.add, np.exp(x - top[:, None]))))


def scanned(means: Array, weights: Array, variances: Array, t_star: float, T: float) -> float:
    """The sup of abs(H) in one dimension with variances of their own, found numerically and inflated by a relative 1e-4.

    abs(H) is largest near a component, where one component takes over from another, or (1/largest variance) far out: at every
    time of a grid, points around all components and around all crossings of two weighted densities (in units of the width of
    the crossing) are tried and the best ones refined, then the best times. inf where a variance is 0, and for more than 32
    components.
    """
    narrowest = _precision(float(variances.min()), t_star)
    if narrowest == math.inf or len(means) > MOST_SCANNED:
        return math.inf
    floor = max(_precision(float(variances.max()), t) for t in (t_star, T))
    scale = 1 / narrowest

    def top(t: Array) -> Array:
        parts = np.array_split(t[:, None], math.ceil(len(t) * len(means) ** 3 / _TIMES))
        laws = ((signal(x) * means, signal(2 * x) * variances + noise(x) ** 2) for x in parts)
        return np.concatenate([_top(*x, np.log(weights)) for x in laws])

    grid = t_star + scale * np.expm1(np.linspace(0, math.log1p((T - t_star) / scale), 161))
    grid[-1] = T
    values = top(grid)
    best = float(values.max())
    for i in np.argsort(values)[-3:]:
        best = max(best, _zoomed(top, float(grid[max(i - 1, 0)]), float(grid[min(i + 1, len(grid) - 1)])))
    return max(floor, best * (1 + TOLERANCE))


def _zoomed(function: Callable[[Array], Array], low: float, high: float) -> float:
    """The largest value of a function on [low, high], by five rounds of a grid of nine."""
    best = -math.inf
    for _ in range(5):
        points = np.linspace(low, high, 9)
        values = function(points)
        i = int(np.argmax(values))
        best = max(best, float(values[i]))
        low, high = float(points[max(i - 1, 0)]), float(points[min(i + 1, 8)])
    return best


def _top(means: Array, variances: Array, log_weights: Array) -> Array:
    """The largest size of the second derivative of the log-density of the components (times, K), at each of the times."""
    constants = log_weights - np.log(variances) / 2
    # components come first: what is summed over them is added row by row
    columns = [np.ascontiguousarray(x.T)[:, :, None] for x in (means, variances, constants)]

    def second(x: Array) -> Array:
        """At numbers (times, n)."""
        m, v, constant = columns
        scores = (m - x) / v
        r = constant - scores**2 * v / 2
        r -= r.max(axis=0)
        np.exp(r, out=r)
        r /= r.sum(axis=0)
        scores -= np.sum(r * scores, axis=0)
        return np.asarray(np.abs(np.sum(r * (scores**2 - 1 / v), axis=0)))

    widest = np.sqrt(variances.max(axis=1, keepdims=True))
    around = (means[..., None] + np.sqrt(variances)[..., None] * np.linspace(-12, 12, 193)).reshape(len(means), -1)
    i, j = np.triu_indices(means.shape[1], 1)
    # Crossings solve p x^2 - 2 q x - r = 0, x from the mean of the first.
    away = means[:, j] - means[:, i]
    p, q = 1 / variances[:, i] - 1 / variances[:, j], -away / variances[:, j]
    r = 2 * (constants[:, i] - constants[:, j]) + away**2 / variances[:, j]
    root = np.sqrt(np.maximum(q * q + p * r, 0)) * np.where(q < 0, -1, 1)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        crossings = np.tile(means[:, i], 2) + np.concatenate([(q + root) / p, -r / (q + root)], axis=1)
    a, b = np.tile(i, 2), np.tile(j, 2)
    usable = np.isfinite(crossings) & (np.abs(crossings) < 1e6 * (np.abs(means).max(axis=1, keepdims=True) + widest))
    crossings = np.where(usable, crossings, 0.0)
    steep = np.abs((crossings - means[:, a]) / variances[:, a] - (crossings - means[:, b]) / variances[:, b])
    width = np.where(usable, np.minimum(1 / np.maximum(steep, 1e-300), 12 * widest), np.inf)
    with np.errstate(invalid="ignore"):
        beside = crossings[..., None] + width[..., None] * np.linspace(-12, 12, 97)
    beside[~usable] = np.inf
    x = np.sort(np.concatenate([around, beside.reshape(len(means), -1)], axis=1), axis=1)
    kept = np.isfinite(x)  # the first ones of each row
    values = np.where(kept, second(np.where(kept, x, 0.0)), -np.inf)
    best = np.asarray(values.max(axis=1))
    n = np.argsort(values, axis=1)[:, -5:]
    low = np.take_along_axis(x, np.maximum(n - 1, 0), axis=1)
    high = np.take_along_axis(x, np.minimum(n + 1, kept.sum(axis=1, keepdims=True) - 1), axis=1)
    for _ in range(4):
        points = np.linspace(low, high, 17, axis=-1)
        found = second(points.reshape(len(x), -1)).reshape(points.shape)
        k = found.argmax(axis=-1)[..., None]
        best = np.maximum(best, found.max(axis=(1, 2)))
        low, high = (np.take_along_axis(points, y, axis=-1)[..., 0] for y in (np.maximum(k - 1, 0), np.minimum(k + 1, 16)))
    return best
