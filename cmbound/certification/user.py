"""Code of the user's: whatever it does, a certificate ends with one line that says who failed and where."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cmbound.errors import CmboundError, EndedError, InputError
from cmbound.numbers import counted
from cmbound.worlds.base import Array

MOST_QUOTED = 200  # characters of a message of the user's code: two lines of a terminal


def asked(where: str, call: Callable[..., Any], *given: Any) -> Any:
    """What ``call`` returns for what it is given.

    Raises:
        InputError: ``call`` ended with an exception, ran out of memory, or tried to end the program. An interruption, a signal
            to end and the errors of this package pass.

    >>> asked("the model", lambda x: 1 / x, 0)
    Traceback (most recent call last):
        ...
    cmbound.errors.InputError: the model failed: ZeroDivisionError: division by zero
    """
    try:
        return call(*given)
    except (CmboundError, KeyboardInterrupt, EndedError):
        raise
    except BaseException as error:
        raise InputError(f"{where} {_told(error)}") from None


def array_of(where: str, call: Callable[[], Any]) -> Any:
    """What a call of the user's code returns, as an array.

    Raises:
        InputError: as :func:`asked`, or a masked array, whose mask would be dropped.
    """
    found = asked(where, call)
    if isinstance(found, np.ma.MaskedArray):
        raise InputError(f"{where} returned a masked array; one without a mask is needed")
    return asked(where, np.asarray, found)


def points_of(where: str, found: Any, like: Array) -> Array:
    """An answer that must be finite points of the shape of others, in float64.

    Raises:
        InputError: another shape or type, or values that are not finite.
    """
    if found.shape != like.shape:
        raise InputError(f"{where} returned shape {found.shape}; finite numbers of shape {like.shape} are needed")
    if found.dtype.kind not in "fiu":
        raise InputError(f"{where} returned an array of {found.dtype}; real numbers are needed")
    points: Array = found.astype(np.float64, copy=False)
    finite = np.isfinite(points).all(axis=1)
    if not finite.all():
        bad = "NaN" if np.isnan(points).any() else "infinite values"
        rows = counted(int((~finite).sum()), "row")
        raise InputError(f"{where} returned {bad}, first in row {int(np.argmin(finite))} ({rows}); finite numbers are needed")
    return points


def _told(error: BaseException) -> str:
    text = " ".join(str(error).split())[:MOST_QUOTED]
    if isinstance(error, SystemExit):
        return f"tried to end the program (SystemExit: {text})"
    if isinstance(error, MemoryError):
        return f"ran out of memory{f' ({text})' if text else ''}: give it fewer rows in one call (batch)"
    return f"failed: {type(error).__name__}: {text}"
