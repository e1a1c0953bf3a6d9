"""Wasserstein-2 on the line, where sorting is optimal."""

from __future__ import annotations

import math
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from cmbound.distances.arguments import Array, finite_array
from cmbound.distances.scaling import differences, norm, unscaled
from cmbound.errors import DomainError, InputError
from cmbound.numbers import counted


def w2_samples_1d(
    x: npt.ArrayLike, y: npt.ArrayLike, weights_x: npt.ArrayLike | None = None, weights_y: npt.ArrayLike | None = None
) -> float:
    """W2 between two weighted point sets on the line: the integral of |F^-1 - G^-1|^2 over (0, 1), exact up to rounding.

    It is the distance of the two sets; as an estimate of the distance of the laws they were drawn from it is biased upwards.

    Args:
        x, y: points, shapes (n,) and (m,).
        weights_x, weights_y: of the points, >= 0, scaled to sum 1; equal weights if None.

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
        raise InputError(f"{name} has {counted(len(x), 'point')} and {counted(len(w), 'weight')}")
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
