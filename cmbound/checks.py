"""Checking arguments: the error names the argument, what was given and what is allowed."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Collection, Iterable
from typing import Any

from cmbound.errors import CmboundError, DomainError, InputError, UnknownNameError

_LONGEST = 100  # characters of what was given: a message is one line


def shown(given: Any) -> str:
    """What was given, for a message: on one line, and not all of it where it is long."""
    text = " ".join(repr(given).split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def checked_text(what: str, given: Any) -> str:
    """``given``, which must be text and not empty."""
    if not isinstance(given, str) or not given.strip():
        raise InputError(f"{what} must be text that is not empty, got {shown(given)}")
    return given


def checked_name(what: str, given: Any, allowed: Collection[str]) -> str:
    """``given``, which must be one of the names in ``allowed``."""
    if not isinstance(given, str):
        raise InputError(f"{what} must be text, got {shown(given)}")
    if given not in allowed:
        raise UnknownNameError(what, given, allowed)
    return given


def checked_kind(what: str, given: Any, kind: type) -> None:
    """Raise InputError unless ``given`` is a ``kind``."""
    if not isinstance(given, kind):
        raise InputError(f"{what} must be a {kind.__name__}, got {shown(given)}")


def checked_tuple(what: str, given: Any, kind: type) -> None:
    """Raise InputError unless ``given`` is a tuple (a list was made one) of ``kind``."""
    if not isinstance(given, tuple):
        raise InputError(f"{what} must be a tuple of {kind.__name__}, got {shown(given)}")
    for x in given:
        checked_kind(f"every one of {what}", x, kind)


def checked_distinct(what: str, names: Iterable[Any]) -> None:
    """Raise InputError where two are the same: one of them would be lost wherever they are looked up by name."""
    seen: set[Any] = set()
    for name in names:
        if name in seen:
            raise InputError(f"{what} must have different names, got {name!r} twice")
        seen.add(name)


def checked_flag(name: str, given: Any) -> bool:
    """``given``, which must be True or False (of NumPy too)."""
    if type(given).__name__ not in ("bool", "bool_"):
        raise InputError(f"{name} is {shown(given)}; True or False is needed")
    return bool(given)


def checked_callable(name: str, given: Any) -> None:
    """Raise InputError unless ``given`` is None or can be called."""
    if given is not None and not callable(given):
        raise InputError(f"{name} is {shown(given)}; a callable is needed")


def checked_unmasked(name: str, given: Any) -> None:
    """Raise InputError for a masked array of NumPy, whose mask would be dropped."""
    if hasattr(given, "mask") and hasattr(given, "filled"):
        raise InputError(f"{name} is a masked array; one without a mask is needed, such as its rows that are not masked")


def checked_float(name: str, given: Any) -> float:
    """``given`` as a float, which may be infinite or NaN."""
    try:
        if getattr(getattr(given, "dtype", None), "kind", "") == "c":
            raise TypeError  # NumPy would drop the imaginary part
        return float(given)
    except (TypeError, ValueError):
        raise InputError(f"{name} is {given!r}; a number is needed") from None


def checked_finite(name: str, given: Any) -> float:
    """``given`` as a float that is finite."""
    number = checked_float(name, given)
    if not math.isfinite(number):
        raise DomainError(f"{name} is {given}; it must be finite")
    return number


def checked_count(name: str, given: Any, least: int = 1) -> int:
    """``given`` as an integer of at least ``least``."""
    try:
        number = operator.index(given)
    except TypeError:
        raise InputError(f"{name} is {given!r}; an integer is needed") from None
    if number < least:
        raise DomainError(f"{name} is {given}; it must be >= {least}")
    return number


def checked_whole(name: str, given: Any, low: int, high: int) -> int:
    """``given`` as an integer from ``low`` to ``high``."""
    try:
        number = operator.index(given)
    except TypeError:  # arrays of several numbers too
        number = None
    if isinstance(given, bool) or number is None:
        raise InputError(f"{name} must be an integer, got {shown(given)}")
    if not low <= number <= high:
        raise DomainError(f"{name} must be an integer from {low} to {high}, got {given}")
    return number


def first_refused(check: Callable[[int, int], object], start: int, stop: int) -> int:
    """The first of some rows that a check of rows refuses, by bisection; one of them it does.

    Args:
        check: given the first row and the one after the last, raises CmboundError where one of them is not in order.
        start, stop: the rows.
    """
    low, high = start, stop  # the rows before low are in order, some row before high is not
    while high - low > 1:
        middle = (low + high) // 2
        try:
            check(low, middle)
            low = middle
        except CmboundError:
            high = middle
    return low
