"""Norms and differences that neither overflow nor underflow: numbers are brought to size 1 by a power of two before squaring.

Powers of two, and shifts by :func:`shift`, are exact, so that results are equivariant under scaling and invariant under
translation up to the rounding of the data.
"""

from __future__ import annotations

import math
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from cmbound.errors import DomainError

Array = npt.NDArray[np.float64]
Scaled = tuple[float, int]
"""A number and an exponent: value 2^e."""


def exponent(*arrays: Any) -> int:
    """The e with the largest size of the finite entries in [2^(e-1), 2^e); below that of every float if they are all 0."""
    largest = max(float(np.abs(x).max(initial=0.0)) for x in arrays)
    return math.frexp(largest)[1] if largest else -1100


def scaled(x: Array, e: int) -> Array:
    """x 2^-e."""
    return np.asarray(np.ldexp(x, -e))


def unscaled(value: float, e: int) -> float:
    """value 2^e; raises DomainError where it is beyond float64."""
    try:
        return math.ldexp(value, e)
    except OverflowError:
        raise DomainError("the distance is larger than 1.8e308, the largest float64") from None


def together(a: Scaled, b: Scaled) -> float:
    """(a^2 + b^2)^(1/2), whatever their sizes; raises DomainError where it is beyond float64."""
    e = max(a[1], b[1])
    return unscaled(math.hypot(*(math.ldexp(x, own - e) for x, own in (a, b))), e)


_FEW, _LONG = 7, 200  # columns that NumPy adds up in their order too; numbers from which on that is slow


def across(operation: np.ufunc, table: Array) -> Array:
    """``operation.reduce(table, axis=-1)``: few columns one after the other, which takes NumPy a fraction of the time."""
    if table.size < _LONG or not 1 < table.shape[-1] <= _FEW:
        return np.asarray(operation.reduce(table, axis=-1))
    return np.asarray(reduce(operation, table.T if table.ndim == 2 else np.moveaxis(table, -1, 0)))


_SAFE = 1e-200, 1e300
"""Sums of squares none of which underflowed or overflowed, but for what does not count beside the others."""


def norm(x: Array, axis: int | tuple[int, ...] | None = None) -> Any:
    """Euclidean (Frobenius) norm over the axes, over all of them for None; inf where it is beyond float64."""
    with np.errstate(over="ignore", under="ignore"):
        squares = np.square(x)
        plain = across(np.add, squares) if axis in (-1, squares.ndim - 1) else np.add.reduce(squares, axis=axis)
    low, high = (plain, plain) if plain.ndim == 0 else (plain.min(initial=1.0), plain.max(initial=1.0))
    if plain.dtype == np.float64 and _SAFE[0] <= low and high <= _SAFE[1]:  # a power of two would change no bit
        return np.sqrt(plain)
    _, e = np.frexp(np.abs(x).max(axis=axis, keepdims=True, initial=0.0))
    sums = np.sum(np.square(np.ldexp(x, -e)), axis=axis)
    with np.errstate(over="ignore"):
        return np.ldexp(np.sqrt(sums), np.reshape(e, sums.shape))


def rms(x: Array) -> float:
    """Root mean square of the norms of the vectors x (..., d)."""
    return float(norm(x) / math.sqrt(x.size / x.shape[-1]))


def differences(x: Array, y: Array) -> tuple[Array, int]:
    """(x - y) 2^-e and e, the largest size about 1."""
    first = 2 if max(np.abs(x).max(), np.abs(y).max()) > 1e307 else 0  # where a difference may overflow
    apart = scaled(x, first) - scaled(y, first) if first else x - y
    e = exponent(apart)
    return scaled(apart, e), e + first


def shift(*points: Array) -> Array:
    """What to subtract from points (n, d) far from the origin: their smallest entry in each coordinate, where that is exact.

    Exact by Sterbenz' lemma, where all entries lie within a factor 2 of each other; 0 elsewhere, where nothing is gained.
    """
    low, high = (f([f(x, axis=0) for x in points], axis=0) for f in (np.min, np.max))
    with np.errstate(over="ignore"):
        return np.asarray(np.where(high - low <= np.minimum(np.abs(low), np.abs(high)), low, 0.0))
