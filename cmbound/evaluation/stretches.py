"""Stretch functions given by a user: they must have real values that are not negative where they are used."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from flint import arb
from sympy import Integral

from cmbound.arithmetic import certified
from cmbound.arithmetic.backend import Balls, ordered_symbols
from cmbound.arithmetic.decreasing import NotReal, value_at
from cmbound.arithmetic.running import LARGEST
from cmbound.errors import DomainError, UndecidedError
from cmbound.evaluation.setting import Setting
from cmbound.evaluation.steps import Request
from cmbound.evaluation.sums import Piece, Sums
from cmbound.theory.notation import a, b, h
from cmbound.theory.rules import Rule


def check_stretches(setting: Setting, paths: Mapping[Any, tuple[Piece, ...]]) -> None:
    """Check the values a path takes of stretch functions given by a user, in balls.

    Args:
        setting: the setting.
        paths: the pieces by the end of the map error.

    Raises:
        DomainError: a value that is negative or not real: the function is no bound.
        UndecidedError: a value that has no finite enclosure.
    """
    own = {profile.name for profile, _ in setting.profiles if profile.own and profile.acceleration is None}
    left: list[tuple[Any, Piece, dict[int, bool] | None]] = [
        (end, piece, None) for end, pieces in paths.items() for piece in pieces if piece.profile in own
    ]
    for bits in certified.PRECISIONS:
        if left:
            with certified.precision(bits):
                sums = Sums(setting, Balls())
                left = [(*x[:2], rows) for x in left if (rows := _unsettled(sums, *x, last=bits == certified.PRECISIONS[-1]))]


def _unsettled(sums: Sums, end: Any, piece: Piece, rows: dict[int, bool] | None, last: bool) -> dict[int, bool]:
    """Those of the rows at which it takes more precision to say that a value is not negative, and whether it is finite."""
    columns, constants = _columns(sums, piece), sums.constants(end)
    found: dict[int, bool] = {}
    for i, finite in (dict.fromkeys(range(len(columns[a])), False) if rows is None else rows).items():
        value = _judged(piece.profile, piece.rule, {**constants, **{x: y[i] for x, y in columns.items()}}, finite, last)
        if not (value is None or value >= 0):
            found[i] = bool(value.is_finite())
    return found


def _columns(sums: Sums, piece: Piece) -> dict[Any, Any]:
    """Beginnings, ends and steps at which the rule of a piece is evaluated."""
    backend, grid = sums.backend, sums.grid_steps
    if grid is None:
        where = [[backend.number(piece.start)], [backend.number(piece.end)], [sums.step()]]
    elif piece.rule.steps != 0:
        where = [grid.nodes[piece.start : piece.end], grid.nodes[piece.start + 1 : piece.end + 1]]
        where.append([y - x for x, y in zip(*where, strict=True)])
    else:
        size = grid.total(Request(LARGEST, h, piece.start, piece.end), sums.fixed)
        where = [[grid.nodes[piece.start]], [grid.nodes[piece.end]], [size]]
    return dict(zip((a, b, h), where, strict=True))


def _judged(name: str, rule: Rule, values: Mapping[Any, Any], finite: bool, last: bool) -> Any:
    """A ball around a value (None: no use in asking again), after what :func:`check_stretches` raises.

    Args:
        name, rule, values: the profile's name, its rule, and balls by symbol.
        finite: whether less precision has shown that the value is finite.
        last: whether there will be no more precision.
    """
    symbols = ordered_symbols(rule.bound)
    balls = [values[x] for x in symbols]
    place = f"on the stretch from {_shown(values[a])} to {_shown(values[b])} with h = {_shown(values[h])}"
    try:
        value = certified.compile((rule.bound,), symbols)(*balls)[0]
    except UndecidedError as error:
        if last and not finite:
            raise UndecidedError(f"profile {name!r} {place}: {error}") from None
        return None if finite else arb.nan()
    if value.is_finite():
        if value < 0:
            raise DomainError(f"profile {name!r} is negative {place}: it is no bound")
        return value
    if not rule.bound.has(Integral):
        with suppress(UndecidedError):
            try:
                value_at(certified.chosen(rule.bound, symbols, balls), symbols, balls)
            except NotReal:
                raise DomainError(f"profile {name!r} is not a real number {place}") from None
    if last and not finite:
        raise UndecidedError(f"profile {name!r} has no finite value {place}")
    return None if finite else value


def _shown(x: Any) -> str:
    return f"{float(x.mid()):.6g}"
