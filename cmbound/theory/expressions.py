"""Checking the expressions a statement or a profile is made of: exact, and in the symbols of the table."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sympy import Expr, Float, Ge, Gt, Le, Lt

from cmbound.checks import shown
from cmbound.errors import InputError, UnknownNameError
from cmbound.theory.notation import TABLE, own


def checked_expression(what: str, given: Any, allowed: Collection[str] | None = None) -> Any:
    """``given``, an exact SymPy expression; with ``allowed`` in these parameters of the table of symbols and no others.

    Raises:
        InputError: another object, a floating-point number in it, or a symbol that is not one of the table's.
    """
    if not isinstance(given, Expr):
        raise InputError(f"{what} must be a SymPy expression, got {shown(given)}")
    if _inexact(given):
        raise InputError(f"{what} must be exact, got {given}: write Rational(1, 10), not 0.1")
    if allowed is not None:
        checked_symbols(what, given, allowed)
    return given


def _inexact(expr: Any) -> bool:
    """Whether there is a floating-point number in ``expr``; what occurs in many places is looked at once."""
    seen, left = set(), [expr]
    while left:
        x = left.pop()
        if x not in seen:
            if isinstance(x, Float):
                return True
            seen.add(x)
            left += x.args
    return False


def checked_symbols(what: str, given: Any, allowed: Collection[str]) -> None:
    """Raise InputError where a symbol of ``given`` is not the one of that name in the table, or is not ``allowed``."""
    for symbol in sorted(given.free_symbols, key=str):
        if symbol.name not in allowed and not own(symbol.name):
            raise UnknownNameError(f"symbol in {what}", symbol.name, allowed)
        if symbol != TABLE[symbol.name].symbol:
            raise InputError(f"{what} contains a symbol {symbol.name!r} of its own; make it with cmbound.symbol({symbol.name!r})")


def checked_relation(what: str, given: Any, allowed: Collection[str]) -> None:
    """Raise InputError unless ``given`` is None or an inequality between exact expressions in these parameters."""
    if given is None:
        return
    if not isinstance(given, Ge | Gt | Le | Lt):
        decided = " (it holds, or fails, whatever the parameters are)" if str(given) in ("True", "False") else ""
        raise InputError(f"{what} must be an inequality (<, <=, >, >=) over parameters, got {shown(given)}{decided}")
    for side in given.args:
        checked_expression(what, side, allowed)
