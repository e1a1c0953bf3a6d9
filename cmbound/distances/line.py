"""Distances on the line: Wasserstein-2 by quantiles, total variation by densities."""

from __future__ import annotations

import math
from itertools import accumulate

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from cmbound.distances.arguments import Array, Function, finite_array, number
from cmbound.distances.quadrature import integrate, lobatto_sums
from cmbound.distances.scaling import differences, exponent, norm, scaled, together, unscaled
from cmbound.errors import DomainError, InputError

REACH = 8.2
"""Normal scores beyond which quadrature stops: 1 - Phi(8.2) = 1.2e-16 is the rounding of 1 - u in float64."""


def w2_samples_1d(
    x: npt.ArrayLike, y: npt.ArrayLike, weights_x: npt.ArrayLike | None = None, weights_y: npt.ArrayLike | None = None
) -> float:
    """W2 between two weighted point sets on the line: the integral of |F^-1 - G^-1|^2 over (0, 1), exact up to rounding.

    It is the distance of the two sets; as an estimate of the distance of the laws they were drawn from it is biased upwards.

    Args:
        x: points, shape (n,).
        y: points, shape (m,).
        weights_x: shape (n,), >= 0, scaled to sum 1; equal weights if None.
        weights_y: shape (m,), likewise.

    Raises:
        InputError: shapes that do not fit, or entries that are not finite.
        DomainError: negative weights, weights that are all 0, or a distance beyond float64.
    """
    (a, u), (b, v) = _steps("x", x, weights_x), _steps("y", y, weights_y)
    if np.array_equal(u, v):
        difference, e = differences(a, b)
        return unscaled(float(norm(difference * np.sqrt(np.diff(u, prepend=0.0)))), e)
    ends = np.sort(np.concatenate((u, v)))
    mass = np.diff(ends, prepend=0.0)
    middle = ends - mass / 2
    difference, e = differences(_at(a, u, middle), _at(b, v, middle))
    return unscaled(math.sqrt(float(np.dot(mass, difference * difference))), e)


def _steps(name: str, points: npt.ArrayLike, weights: npt.ArrayLike | None) -> tuple[Array, Array]:
    """Sorted points and the values of their distribution function there; the last is 1."""
    x = finite_array(name, points, 1)
    equal = np.arange(1, len(x) + 1) / len(x)
    if weights is None:
        return np.sort(x), equal
    w = finite_array(f"weights of {name}", weights, 1)
    if w.shape != x.shape:
        raise InputError(f"{name} has {len(x)} points and {len(w)} weights")
    if w.min() < 0 or w.max() <= 0:
        raise DomainError(f"the weights of {name} must be >= 0 with a positive sum; the smallest is {w.min():g}")
    order = np.argsort(x, kind="stable")
    return x[order], equal if w.min() == w.max() else _shares(w[order])


def _shares(weights: Array) -> Array:
    """Cumulative sums over the total, rounded once: two sets of the same weights agree wherever their sums do.

    A difference of 1e-16 would be a mass, and costs as much as all else if it is moved far.
    """
    exact = [w.as_integer_ratio() for w in weights.tolist()]
    common = max(q for _, q in exact)  # powers of two
    sums = list(accumulate(p * (common // q) for p, q in exact))
    return np.array([total / sums[-1] for total in sums])


def _at(x: Array, u: Array, level: Array) -> Array:
    """The quantiles at ``level`` of the law with distribution function values u at the sorted points x."""
    return x[np.minimum(np.searchsorted(u, level), len(x) - 1)]


def w2_sample_quantile(
    x: npt.ArrayLike, quantile: Function, weights: npt.ArrayLike | None = None, *, rtol: float = 1e-10
) -> float:
    """W2 between a weighted point set and a law given by its quantile function.

    Adaptive Lobatto quadrature in z = Phi^-1(u), cut at the jumps of the point set; accuracy as for :func:`w2_quantiles`.

    Args:
        x: points, shape (n,).
        quantile: vectorised quantile function on (0, 1).
        weights: shape (n,), >= 0, scaled to sum 1; equal weights if None.
        rtol: relative accuracy of W2^2, >= 1e-13.

    Raises:
        InputError, DomainError: as for :func:`w2_samples_1d` and :func:`w2_quantiles`.
    """
    points, u = _steps("x", x, weights)
    jumps = ndtri(u[:-1])
    return _w2_scores(lambda z: points[np.minimum(np.searchsorted(jumps, z), len(points) - 1)], _score(quantile), jumps, rtol)


def w2_sample_normal(x: npt.ArrayLike, mean: float, deviation: float, weights: npt.ArrayLike | None = None) -> float:
    """W2 between a weighted point set and N(mean, deviation^2), in closed form.

    W2^2 = sum_i w_i (x_i - c_i)^2 + the variance within the quantile cells, c_i the conditional mean of cell i: no cancellation
    but in the second part, whose error is about 1e-15 deviation^2.

    Args:
        x: points, shape (n,).
        mean: mean of the normal law.
        deviation: its standard deviation, >= 0.
        weights: shape (n,), >= 0, scaled to sum 1; equal weights if None.

    Raises:
        InputError: shapes that do not fit, or entries that are not finite.
        DomainError: weights or a deviation outside their domain, or a distance beyond float64.
    """
    points, u = _steps("x", x, weights)
    mean, deviation = number("mean", mean), number("deviation", deviation)
    if not 0 <= deviation < math.inf or not math.isfinite(mean):
        raise DomainError(f"mean is {mean} and deviation {deviation}; both must be finite and deviation >= 0")
    edges = ndtri(np.concatenate(([0.0], u)))
    mass, density = np.diff(np.concatenate(([0.0], u))), np.exp(-edges * edges / 2) / math.sqrt(2 * math.pi)
    first = density[:-1] - density[1:]
    kept = mass > 0
    centre = np.divide(first, mass, out=np.zeros_like(first), where=kept)
    within = max(0.0, 1.0 - float(np.dot(first[kept], centre[kept])))
    e = exponent(points, mean, deviation)
    points, mean, deviation = scaled(points, e), math.ldexp(mean, -e), math.ldexp(deviation, -e)
    apart, more = differences(points - mean, deviation * centre)
    between = math.sqrt(float(np.dot(mass, apart * apart)))
    return together((between, e + more), (deviation * math.sqrt(within), e))


def w2_quantiles(q1: Function, q2: Function, *, breaks: npt.ArrayLike = (), rtol: float = 1e-10) -> float:
    """W2 between two laws on the line given by their quantile functions.

    The integral of |q1(u) - q2(u)|^2 over (0, 1), in z = Phi^-1(u) on [-8.2, 8.2], by adaptive Lobatto quadrature. The relative
    accuracy of W2^2 is ``rtol``, the absolute accuracy of W2 about 1e-13 of the root mean square of the laws, if both quantile
    functions are exact to rounding, grow at most polynomially in z, and no rise and fall of their difference hides between two
    nodes (6 in each quarter of z to begin with). Jumps are found by bisection; naming them in ``breaks`` is faster and safer. A
    law with tails so heavy that the cut matters is refused.

    Args:
        q1: vectorised quantile function on (0, 1).
        q2: likewise.
        breaks: levels u in (0, 1) where a quantile function jumps.
        rtol: relative accuracy of W2^2, >= 1e-13.

    Raises:
        InputError: a quantile function returning a wrong shape or values that are not finite, or no convergence.
        DomainError: tails too heavy, or a level or ``rtol`` outside its domain.
    """
    levels = np.asarray(breaks, dtype=np.float64)
    if levels.ndim != 1 or not ((levels > 0) & (levels < 1)).all():
        raise DomainError("breaks must be a list of levels in (0, 1)")
    return _w2_scores(_score(q1), _score(q2), ndtri(np.sort(levels)), rtol)


def _score(quantile: Function) -> Function:
    """A quantile function of z = Phi^-1(u), with its values checked."""
    last = np.nextafter(1.0, 0.0)

    def at(z: Array) -> Array:
        return _values("the quantile function", quantile, np.minimum(ndtr(z), last))

    return at


def _values(name: str, function: Function, at: Array) -> Array:
    values = np.asarray(function(at), dtype=np.float64)
    if values.shape != at.shape:
        raise InputError(f"{name} returned shape {values.shape}; it must be vectorised and return {at.shape}")
    if not np.isfinite(values).all():
        raise InputError(f"{name} returned a value that is not finite at {at.flat[np.argmin(np.isfinite(values))]:.17g}")
    return values


def _w2_scores(g1: Function, g2: Function, jumps: Array, rtol: float) -> float:
    """The root of the integral of |g1(z) - g2(z)|^2 phi(z)."""
    if not number("rtol", rtol) >= 1e-13:
        raise DomainError(f"rtol is {rtol}; it must be >= 1e-13")
    # off centre: with an edge at 0 a jump next to 0 can leave |g1 - g2| as it was in symmetric settings
    quarters = np.concatenate(([-REACH], np.arange(-32, 33) / 4 + 0.07, [REACH]))
    edges = np.union1d(quarters, jumps[np.abs(jumps) < REACH])
    e = exponent(g1(edges), g2(edges))

    def square(z: Array) -> Array:
        return np.asarray(np.square(scaled(g1(z), e) - scaled(g2(z), e)) * np.exp(-z * z / 2) / math.sqrt(2 * math.pi))

    def size(z: Array) -> Array:
        return np.asarray((np.square(scaled(g1(z), e)) + np.square(scaled(g2(z), e))) * np.exp(-z * z / 2))

    scale = float(lobatto_sums(size, edges[:-1], edges[1:]).sum())
    rounding = 1e-15 * math.sqrt(scale)

    def allowed(total: float) -> float:
        return max(rtol * total, rounding * (math.sqrt(total) + rounding))

    total, _ = integrate(square, edges, allowed, "|q1 - q2|^2")
    ends = lobatto_sums(square, np.array([-REACH, REACH - 0.2]), np.array([0.2 - REACH, REACH]))
    if ends.max() > allowed(total):
        raise DomainError(
            f"the tails are too heavy: {ends.max() / total:.2g} of W2^2 lies within 6e-16 of an end; give a larger rtol"
        )
    return unscaled(math.sqrt(total), e)


def tv_densities_1d(log_p: Function, log_q: Function, lower: float, upper: float) -> float:
    """Total variation between two laws on the line with log densities log_p and log_q: half the integral of |p - q|.

    Adaptive Lobatto quadrature, on cells that resolve both densities and their crossings; absolute accuracy 1e-12 for densities
    that are smooth but for jumps and kinks. Both must have mass 1 within 1e-9 on [lower, upper]: that is checked, and catches a
    piece hiding between the nodes of the first 512 cells (mass missing outside counts at most half in the result).

    Args:
        log_p: vectorised log density; -inf where the density is 0.
        log_q: likewise.
        lower: finite lower end.
        upper: finite upper end, > lower.

    Raises:
        InputError: a log density of a wrong shape, not a number or +inf; or no convergence.
        DomainError: ends that are no interval, or a mass that is not 1.
    """
    lower, upper = number("lower", lower), number("upper", upper)
    if not (0 < upper - lower < math.inf):
        raise DomainError(f"lower is {lower} and upper {upper}; finite numbers with lower < upper are needed")
    start = np.linspace(lower, upper, 513)
    cells = start

    def log_density(function: Function, x: Array) -> Array:
        values = np.asarray(function(x), dtype=np.float64)
        if values.shape != x.shape or np.isnan(values).any() or (values == np.inf).any():
            raise InputError(
                f"a log density returned shape {values.shape}, nan or inf; shape {x.shape} and values < inf are needed"
            )
        return values

    for name, function in (("p", log_p), ("q", log_q)):
        mass, resolved = integrate(lambda x, g=function: np.exp(log_density(g, x)), start, lambda _: 1e-12, name)  # type: ignore[misc]
        cells = np.union1d(cells, resolved)
        if abs(mass - 1) > 1e-9:
            raise DomainError(f"density {name} has mass {mass:.12g} on [{lower:g}, {upper:g}]; it must be 1 within 1e-9")

    def excess(x: Array) -> Array:
        """(p - q)/2."""
        a, b = log_density(log_p, x), log_density(log_q, x)
        high = np.maximum(a, b)
        gap = np.subtract(a, b, out=np.zeros_like(high), where=high > -np.inf)
        return np.asarray(np.copysign(np.exp(high) * np.expm1(-np.abs(gap)) / 2, gap))

    cells = np.union1d(cells, _crossings(excess, cells))
    return min(1.0, integrate(lambda x: np.abs(excess(x)), cells, lambda _: 1e-14, "|p - q|")[0])


def _crossings(function: Function, edges: Array) -> Array:
    """Where the function changes its sign, one point for each cell with different signs at its ends; by bisection."""
    signs = np.sign(function(edges))
    changes = signs[:-1] * signs[1:] < 0
    low, high, left = edges[:-1][changes], edges[1:][changes], signs[:-1][changes]
    for _ in range(60):
        middle = low / 2 + high / 2
        before = np.sign(function(middle)) == left
        low, high = np.where(before, middle, low), np.where(before, high, middle)
    return np.asarray(low)
