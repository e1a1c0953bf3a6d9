"""Checks of what the samplers are given."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cmbound.checks import checked_finite
from cmbound.errors import DomainError, InputError, UnknownNameError
from cmbound.names import CLOCKS

Array = npt.NDArray[Any]


def overwrite(x: Array, value: Any, source: str, row: int = 0) -> None:
    """x <- value, after checking it; ``source`` and the number of the first row of x are for the message."""
    if isinstance(value, np.ma.MaskedArray):
        raise InputError(f"{source} returned a masked array; one without a mask is needed")
    value = np.asarray(value)
    if value.shape != x.shape:
        raise InputError(f"{source} returned shape {value.shape}; the shape of its argument, {x.shape}, is needed")
    if value.dtype.kind not in "fiu":
        raise InputError(f"{source} returned an array of {value.dtype}; real numbers are needed")
    if value is not x:
        with np.errstate(over="ignore"):
            x[...] = value
    finite = np.isfinite(x)
    if not finite.all():
        bad = np.flatnonzero(~finite.all(axis=1))
        raise InputError(
            f"{source} returned non-finite values in {len(bad)} of {len(x)} rows, the first in row {row + int(bad[0])}"
        )


def known_clock(clock: str) -> None:
    """Raise UnknownNameError for a clock that does not exist."""
    if clock not in CLOCKS:
        raise UnknownNameError("clock", clock, CLOCKS)


def positive(name: str, value: Any) -> float:
    """A finite float > 0; raises InputError or DomainError."""
    number = checked_finite(name, value)
    if number <= 0:
        raise DomainError(f"{name} is {value}; it must be > 0")
    return number


def delta_of(delta: Any) -> float:
    """An early-stopping time >= 0; raises InputError or DomainError."""
    number = checked_finite("delta", delta)
    if number < 0:
        raise DomainError(f"delta is {delta}; it must be >= 0")
    return number


def time_after(t: Any, delta: float) -> float:
    """A time after delta; raises InputError or DomainError."""
    number = checked_finite("time", t)
    if number <= delta:
        raise DomainError(f"time is {t}; each time must be > delta = {delta:g}")
    return number


def samples_of(x: npt.ArrayLike) -> Array:
    """A copy of x, shape (n, d), of a floating type."""
    out = np.array(x, order="C")
    if out.ndim != 2 or out.dtype.kind not in "fiu":
        raise InputError(f"x is an array of {out.dtype} and shape {out.shape}; real numbers of shape (n, d) are needed")
    return out if out.dtype == np.float32 else out.astype(np.float64, copy=False)
