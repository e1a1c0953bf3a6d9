"""Checks of what the distances are given."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cmbound.checks import checked_unmasked
from cmbound.distances.scaling import Array as Array
from cmbound.errors import DomainError, InputError


def finite_array(name: str, values: npt.ArrayLike, dimensions: int) -> Array:
    """An array of that many dimensions without NaN, infinities or a mask; raises InputError."""
    checked_unmasked(name, values)
    try:
        given = np.asarray(values)
        if np.iscomplexobj(given):
            raise TypeError  # a conversion would drop the imaginary parts
        x = given.astype(np.float64, copy=False)
    except (TypeError, ValueError):
        raise InputError(f"{name} is not an array of real numbers") from None
    if x.ndim != dimensions or x.size == 0:
        raise InputError(f"{name} has shape {x.shape}; {dimensions} dimension{'s' * (dimensions > 1)} and an entry are needed")
    if not np.isfinite(x).all():
        raise InputError(f"{name} has entries that are not finite")
    return x


def covariance_matrix(name: str, values: npt.ArrayLike) -> Array:
    """A symmetric matrix; raises InputError or DomainError."""
    C = finite_array(name, values, 2)
    if C.shape[0] != C.shape[1]:
        raise InputError(f"{name} has shape {C.shape}; a square matrix is needed")
    if np.array_equal(C, C.T):
        return C
    with np.errstate(over="ignore"):
        gap = float(np.abs(C - C.T).max())
    if gap > 1e-10 * float(np.abs(C).max()):
        raise DomainError(f"{name} differs from its transpose by {gap:.3g}; it must be symmetric")
    return C / 2 + C.T / 2


def same_dimension(**lengths: int) -> None:
    """Raise InputError unless all lengths agree."""
    if len(set(lengths.values())) > 1:
        raise InputError("the dimensions differ: " + ", ".join(f"{name} {length}" for name, length in lengths.items()))
