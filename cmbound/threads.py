"""One thread at a time where libraries keep state that all threads share.

The working precision of Arb is a setting of the process; SymPy marks what it is deducing on the symbols themselves, so that
another thread sees the question half answered; matplotlib's style is global. What computes with them holds :data:`LOCK`. It is
re-entrant, and no thread waits for another while it holds it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from decimal import MAX_EMAX, MIN_EMIN, ROUND_HALF_EVEN, Context, DivisionByZero, InvalidOperation, localcontext
from functools import wraps
from typing import ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

LOCK = threading.RLock()
_DECIMALS = Context(prec=28, rounding=ROUND_HALF_EVEN, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=[InvalidOperation, DivisionByZero])
"""Decimal arithmetic of the package, whatever the user's is."""

if hasattr(os, "register_at_fork"):  # a forked process must not inherit a lock that a thread it does not have holds
    os.register_at_fork(before=LOCK.acquire, after_in_parent=LOCK.release, after_in_child=LOCK.release)


class _Inside(threading.local):
    """Whether this thread is inside of a function that runs alone: another one in it has the lock and the decimals already."""

    held = False


_INSIDE = _Inside()


def alone(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Decorator of a function that only one thread at a time may run, in a decimal context of the package."""

    @wraps(function)
    def locked(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        if _INSIDE.held:
            return function(*args, **kwargs)
        with LOCK, localcontext(_DECIMALS):
            _INSIDE.held = True
            try:
                return function(*args, **kwargs)
            finally:
                _INSIDE.held = False

    return locked
