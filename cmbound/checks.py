"""Checking arguments: the error names the argument, what was given and what is allowed."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from cmbound.errors import InputError, UnknownNameError

_LONGEST = 100


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


def checked_expression(what: str, given: Any, allowed: Collection[str] | None = None) -> Any:
    """``given``, an exact SymPy expression; with ``allowed`` in these parameters of the table of symbols and no others.

    Raises:
        InputError: another object, a floating-point number in it, or a symbol that is not one of the table's.
    """
    from sympy import Expr, Float

    if not isinstance(given, Expr):
        raise InputError(f"{what} must be a SymPy expression, got {shown(given)}")
    if given.atoms(Float):
        raise InputError(f"{what} must be exact, got {given}: write Rational(1, 10), not 0.1")
    if allowed is not None:
        checked_symbols(what, given, allowed)
    return given


def checked_symbols(what: str, given: Any, allowed: Collection[str]) -> None:
    """Raise InputError where a symbol of ``given`` is not the one of that name in the table, or is not ``allowed``."""
    from cmbound.theory.notation import TABLE

    for symbol in sorted(given.free_symbols, key=str):
        if symbol.name not in allowed:
            raise UnknownNameError(f"symbol in {what}", symbol.name, allowed)
        if symbol != TABLE[symbol.name].symbol:
            raise InputError(f"{what} contains a symbol {symbol.name!r} of its own; import it from cmbound.theory.notation")


def checked_relation(what: str, given: Any, allowed: Collection[str]) -> None:
    """Raise InputError unless ``given`` is None or an inequality between exact expressions in these parameters."""
    from sympy import Ge, Gt, Le, Lt

    if given is None:
        return
    if not isinstance(given, Ge | Gt | Le | Lt):
        decided = " (it holds, or fails, whatever the parameters are)" if str(given) in ("True", "False") else ""
        raise InputError(f"{what} must be an inequality (<, <=, >, >=) over parameters, got {shown(given)}{decided}")
    for side in given.args:
        checked_expression(what, side, allowed)
