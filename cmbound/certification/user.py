"""Code of the user's: whatever it does, a certificate ends with one line that says who failed and where."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cmbound.errors import CmboundError, InputError

MOST_QUOTED = 200  # characters of a message of the user's code: two lines of a terminal


def asked(where: str, call: Callable[..., Any], *given: Any) -> Any:
    """What ``call`` returns for what it is given.

    Raises:
        InputError: ``call`` ended with an exception, ran out of memory, or tried to end the program. An interruption and the
            errors of this package pass.

    >>> asked("the model", lambda x: 1 / x, 0)
    Traceback (most recent call last):
        ...
    cmbound.errors.InputError: the model failed: ZeroDivisionError: division by zero
    """
    try:
        return call(*given)
    except (CmboundError, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise InputError(f"{where} {_told(error)}") from None


def _told(error: BaseException) -> str:
    text = " ".join(str(error).split())[:MOST_QUOTED]
    if isinstance(error, SystemExit):
        return f"tried to end the program (SystemExit: {text})"
    if isinstance(error, MemoryError):
        return f"ran out of memory{f' ({text})' if text else ''}: give it fewer rows in one call (batch)"
    return f"failed: {type(error).__name__}: {text}"
