"""Cells made of what the package says in words: names, marked text, expressions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import sympy

from cmbound.reports.cells import Cell, dollars, math, mixed
from cmbound.theory.compact import compact
from cmbound.theory.named import Named, plain
from cmbound.theory.notation import PUBLIC, TABLE, typeset
from cmbound.theory.prose import Prose

_WIDE = 24  # characters of a sum that is set on one line


def words(name: str | None) -> str:
    """The name of a term as words."""
    return (name or "none").replace("_", " ")


def symbol(name: str) -> Cell:
    """A parameter's symbol."""
    return math(TABLE[name].latex, name) if name in TABLE else Cell(words(name))


def named(text: str) -> Cell:
    """Words among which are names: those that have a sign are set as math."""
    pieces = [math(typeset(x), x) if x in PUBLIC or typeset(x) != x else x for x in re.split(r"(\w+)", text) if x]
    return mixed(*pieces) if any(isinstance(x, Cell) for x in pieces) else Cell(text)


def prose(text: str) -> Cell:
    """Text whose math is marked in the names of the table of symbols: a :class:`~cmbound.theory.prose.Prose`, or its source."""
    return dollars(Prose(text).marked, lambda x: math(typeset(x), x))


def joined(cells: Iterable[Cell], by: str = "; ") -> Cell:
    """Cells one after the other."""
    parts = [y for x in cells for y in (by, x)]
    return mixed(*parts[1:]) if parts else Cell("")


def formula(expression: Any, short: Mapping[Any, tuple[Any, str]] | None = None) -> Cell:
    """An expression; a long sum is set on several lines.

    Args:
        expression: the expression, which is also the cell's plain text.
        short: what LaTeX abbreviates: by sub-expression, a symbol and its LaTeX.
    """
    whole = plain(expression)
    names = dict((short or {}).values())
    expr = whole
    for part, (sign, _) in (short or {}).items():
        if may_contain(expr, part):
            expr = expr.subs(part, sign) if part.is_Mul else expr.xreplace({part: sign})
    text = compact(expr, names)
    lines: list[str] = []
    if isinstance(expr, sympy.Add) and _width(text) > _WIDE:
        for x in sorted(expr.as_ordered_terms(), key=lambda x: bool(x.could_extract_minus_sign())):
            piece = compact(x, names)
            lines.append(piece if not lines or piece.startswith("-") else f"{{}}+ {piece}")
    return math(text, str(whole), lines)


def may_contain(expression: Any, part: Any) -> bool:
    """Whether an expression has all symbols and named functions of a part: to look for the part itself takes long."""
    return bool(part.atoms(sympy.Symbol, Named) <= expression.atoms(sympy.Symbol, Named))


def _width(text: str) -> int:
    """About how many characters wide LaTeX math is set; those of exponents and indices are smaller."""
    text = re.sub(r"\\(?:left|right|hat|mathrm|mathfrak)|\s", "", text)
    text = re.sub(r"\\[a-zA-Z]+", "x", text)
    small = sum(len(x) for x in re.findall(r"[_^](?:\{([^{}]*)\}|.)", text))
    return len(re.sub(r"[{}_^]", "", text)) - round(0.4 * small)
