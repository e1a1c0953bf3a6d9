"""The two arithmetics behind one interface, so that a sum over a grid is written once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any, Protocol

from flint import arb
from sympy import Tuple

from cmbound.arithmetic import approximate, certified, running
from cmbound.later import np


class Backend(Protocol):
    """What a sum over a grid needs of an arithmetic."""

    compile: Callable[..., Callable[..., list[Any]]]
    """Expressions and their symbols to a function."""

    def value(self, expr: Any, scalars: Mapping[Any, Any]) -> Any:
        """The value of ``expr``."""
        return scalars[expr] if expr.is_Symbol else self.values((expr,), scalars)[0]

    def values(self, exprs: tuple[Any, ...], scalars: Mapping[Any, Any]) -> list[Any]:
        """The values of expressions: what they share is computed once."""
        symbols, function = _function(self.compile, exprs)
        return function(*[scalars[x] for x in symbols])

    def column(self, values: Sequence[Any]) -> Any:
        """Exact numbers as a column."""
        return self.joined([self.number(x) for x in values])

    def number(self, value: Any) -> Any:
        """An exact number in this arithmetic."""

    def counted(self, size: int) -> Any:
        """0, 1, ..., size - 1 as a column."""

    def joined(self, numbers: Sequence[Any]) -> Any:
        """Numbers of this arithmetic as a column."""

    def each(self, expr: Any, columns: Mapping[Any, Any], scalars: Mapping[Any, Any]) -> Any:
        """The column of values of ``expr``, row by row."""

    def total(self, column: Any) -> Any:
        """The sum of a column."""

    def root(self, x: Any) -> Any:
        """The square root of a number that is not negative."""

    def largest(self, column: Any) -> Any:
        """The largest entry of a column."""


class Floats(Backend):
    """float64: a column is a numpy array."""

    compile = staticmethod(approximate.compile)

    def number(self, value: Any) -> Any:
        if isinstance(value, Fraction):
            above, below = value.as_integer_ratio()
            return above / below
        return _float_near(value)

    def counted(self, size: int) -> Any:
        return np.arange(size, dtype=np.float64)

    def joined(self, numbers: Sequence[Any]) -> Any:
        return np.array(numbers, dtype=np.float64)

    def each(self, expr: Any, columns: Mapping[Any, Any], scalars: Mapping[Any, Any]) -> Any:
        size = len(next(iter(columns.values())))
        found = self.value(expr, {**scalars, **columns})
        return found if np.shape(found) == (size,) else np.broadcast_to(found, (size,))

    def total(self, column: Any) -> Any:
        return float(np.add.reduce(column))

    def root(self, x: Any) -> Any:
        return float(np.sqrt(x))

    def largest(self, column: Any) -> Any:
        return float(np.maximum.reduce(column))


class Balls(Backend):
    """Arb enclosures at the current precision: a column is a list."""

    compile = staticmethod(certified.compile)

    def number(self, value: Any) -> Any:
        return certified.number(value)

    def counted(self, size: int) -> Any:
        return list(map(arb, range(size)))

    def joined(self, numbers: Sequence[Any]) -> Any:
        return list(numbers)

    def each(self, expr: Any, columns: Mapping[Any, Any], scalars: Mapping[Any, Any]) -> Any:
        symbols = ordered_symbols(expr)
        varying = tuple(x for x in symbols if x in columns)
        if not varying:
            return [self.value(expr, scalars)] * len(next(iter(columns.values())))
        constant = tuple(x for x in symbols if x not in columns)
        return running.column(expr, varying, constant)([columns[x] for x in varying], [scalars[x] for x in constant])

    def total(self, column: Any) -> Any:
        return sum(column, certified.number(0))

    def root(self, x: Any) -> Any:
        return certified.root(x)

    def largest(self, column: Any) -> Any:
        result = column[0]
        for x in column[1:]:
            result = result.max(x)
        return result


@lru_cache(maxsize=2048)
def _function(compile: Callable[..., Any], exprs: tuple[Any, ...]) -> tuple[tuple[Any, ...], Callable[..., list[Any]]]:
    """The symbols of expressions, and a function of them."""
    symbols = ordered_symbols(Tuple(*exprs))
    return symbols, compile(exprs, symbols)


@lru_cache(maxsize=4096)
def _float_near(value: Any) -> float:
    """The float64 number next to the middle of an enclosure of an exact expression."""
    with certified.precision(128):
        return float(certified.number(value).mid())


@lru_cache(maxsize=1024)
def ordered_symbols(expr: Any) -> tuple[Any, ...]:
    """The symbols of ``expr`` in a fixed order."""
    return tuple(sorted(expr.free_symbols, key=lambda x: x.name))
