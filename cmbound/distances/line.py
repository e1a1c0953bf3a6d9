"""Wasserstein-2 on the line, where sorting is optimal."""

from __future__ import annotations

import math
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt

from cmbound.distances.arguments import Array, finite_array
from cmbound.distances.scaling import differences, norm, unscaled
from cmbound.errors import DomainError, InputError
from cmbound.numbers import counted

Index = npt.NDArray[np.intp]


def w2_samples_1d(
    x: npt.ArrayLike, y: npt.ArrayLike, weights_x: npt.ArrayLike | None = None, weights_y: npt.ArrayLike | None = None
) -> float:
    """W2 between two weighted point sets on the line: the integral of |F^-1 - G^-1|^2 over (0, 1), exact up to rounding.

    No weight is too small beside the others. As an estimate of the distance of the laws the sets were drawn from it is biased
    upwards.

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
        return unscaled(float(norm(difference * np.sqrt(_masses(u)))), e)
    mass, i, j = _together(u, v)
    difference, e = differences(a[i], b[j])
    return unscaled(math.sqrt(float(np.dot(mass, difference * difference))), e)


def _steps(name: str, points: npt.ArrayLike, weights: npt.ArrayLike | None) -> tuple[Array, Any]:
    """Sorted points, and there whole numbers proportional to the distribution function: without rounding.

    Of floats, a difference of 1e-16 would be a mass, and costs as much as all else if it is moved far; a smaller mass would be
    none.
    """
    x = finite_array(name, points, 1)
    equal = np.arange(1, len(x) + 1)
    if weights is None:
        return np.sort(x), equal
    w = finite_array(f"weights of {name}", weights, 1)
    if w.shape != x.shape:
        raise InputError(f"{name} has {counted(len(x), 'point')} and {counted(len(w), 'weight')}")
    if w.min() < 0 or w.max() <= 0:
        raise DomainError(f"the weights of {name} must be >= 0 with a positive sum; the smallest is {w.min():g}")
    order = np.argsort(x, kind="stable")
    if w.min() == w.max():
        return x[order], equal
    exact = [value.as_integer_ratio() for value in w[order].tolist()]
    common = max(q for _, q in exact)  # powers of two
    return x[order], np.array(list(accumulate(p * (common // q) for p, q in exact)), dtype=object)


def _masses(u: Any) -> Array:
    """The mass of each step."""
    return np.asarray(np.diff(u, prepend=0) / u[-1], dtype=np.float64)


def _together(u: Any, v: Any) -> tuple[Array, Index, Index]:
    """The pieces on which both quantile functions are constant: their masses, and which points of each law they are at."""
    wide = u.dtype == object or v.dtype == object or len(u) * len(v) >= 2**53
    p, q = ((x.astype(object) if wide else x) * y[-1] for x, y in ((u, v), (v, u)))
    ends = np.unique(np.concatenate((p, q)))
    return _masses(ends), np.searchsorted(p, ends), np.searchsorted(q, ends)
