"""Cells from expressions and prose, and lists from what a user writes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import sympy

from cmbound.catalogue import catalogue
from cmbound.errors import InputError
from cmbound.evaluation.statement import theorem as find
from cmbound.papers.tables.compact import compact
from cmbound.reports.cells import Cell, math, mixed
from cmbound.theory.functions import plain
from cmbound.theory.notation import TABLE
from cmbound.theory.records import Theorem

CHECK = math(r"\checkmark", "yes")
DASH = Cell("-")
_WIDE = 24
_PROSE = {
    "f_theta": r"f_\theta",
    "s_phi": r"s_\phi",
    "h_n": "h_n",
    "t_n": "t_n",
    "p_data": r"p_{\mathrm{data}}",
    "p_delta": r"p_\delta",
    "W2": "W_2",
    "W1": "W_1",
    "KL^(1/2)": r"\mathrm{KL}^{1/2}",
    "W2^2": "W_2^2",
    "U + tau z": r"U + \tau z",
    "z ~ N(0, I)": r"z \sim N(0, I)",
    "N(0, I)": "N(0, I)",
    "N(0, sigma_max^2 I)": r"N(0, \sigma_{\max}^2 I)",
    "N(0, s_T^2 I)": "N(0, s_T^2 I)",
    "log(2 L_f) + delta": r"\log(2 L_f) + \delta",
    "L_s^(-1/2)": "L_s^{-1/2}",
    "1/L_s": "1/L_s",
    "eps_cm h_n": r"\varepsilon_{cm} h_n",
    "[0, T]": "[0, T]",
    "[0, delta]": r"[0, \delta]",
    "s(., t)": r"s(\cdot, t)",
    "s_phi(., delta)": r"s_\phi(\cdot, \delta)",
    "f_theta(., t_n)": r"f_\theta(\cdot, t_n)",
    "f_theta(., delta)": r"f_\theta(\cdot, \delta)",
    "n": "n",
    "U": "U",
    "L2": "L^2",
    "E_h": "E_h",
}
"""What prose has besides the parameters."""
_SKIPPED = ("a", "b", "y", "q", "p", "k", "t", "C", "u", "rho", "times", "weights", "sigma", "sigmas", "R", "N", "T", "h", "d")
_SINGLE = r"(?<![\w'])(?:R|N|T|h|d|t)(?![\w'-])"


@cache
def _pattern() -> re.Pattern[str]:
    words = [x for x in TABLE if x not in _SKIPPED]
    named = "|".join(rf"(?<!\w){re.escape(x)}(?!\w)" for x in sorted(words, key=len, reverse=True))
    others = "|".join(
        (rf"(?<!\w){re.escape(x)}" if x[0].isalpha() else re.escape(x)) + (r"(?!\w)" if x[-1].isalnum() else "")
        for x in sorted(_PROSE, key=len, reverse=True)
    )
    return re.compile(f"({others}|{named}|{_SINGLE})")


def prose(text: str) -> Cell:
    """Text in which the names of parameters become their symbols."""
    pieces = _pattern().split(text)
    if len(pieces) == 1:
        return Cell(text)
    parts = []
    for i, x in enumerate(pieces):
        if x:
            parts.append(math(_PROSE[x] if x in _PROSE else TABLE[x].latex, x) if i % 2 else Cell(x))
    return mixed(*parts)


def joined(cells: Iterable[Cell], by: str = "; ") -> Cell:
    """Cells one after the other."""
    parts: list[Cell] = []
    for x in cells:
        if parts:
            parts.append(Cell(by))
        parts.extend(x.parts or (x,))
    return mixed(*parts) if parts else Cell("")


def formula(expression: Any, short: Mapping[Any, tuple[Any, str]] | None = None) -> Cell:
    """An expression; a long sum is set on several lines.

    Args:
        expression: the expression, which is also the cell's plain text.
        short: what LaTeX abbreviates: by sub-expression, a symbol and its LaTeX.
    """
    whole = plain(expression)
    names = dict((short or {}).values())
    expr = whole
    for part, (symbol, _) in (short or {}).items():
        expr = expr.subs(part, symbol) if part.is_Mul else expr.xreplace({part: symbol})
    text = compact(expr, names)
    lines: list[str] = []
    if isinstance(expr, sympy.Add) and _width(text) > _WIDE:
        for x in sorted(expr.as_ordered_terms(), key=lambda x: bool(x.could_extract_minus_sign())):
            piece = compact(x, names)
            lines.append(piece if not lines or piece.startswith("-") else f"{{}}+ {piece}")
    return math(text, str(whole), lines)


def _width(text: str) -> int:
    """About how many characters wide LaTeX math is set; those of exponents and indices are smaller."""
    text = re.sub(r"\\(?:left|right|hat|mathrm|mathfrak)|\s", "", text)
    text = re.sub(r"\\[a-zA-Z]+", "x", text)
    small = sum(len(x) for x in re.findall(r"[_^](?:\{([^{}]*)\}|.)", text))
    return len(re.sub(r"[{}_^]", "", text)) - round(0.4 * small)


def symbol(name: str) -> Cell:
    """A parameter's symbol."""
    return math(TABLE[name].latex, name) if name in TABLE else prose(name)


def listed(name: str, value: Any) -> list[str]:
    """A list a user gave: text with commas, or a sequence.

    Raises:
        InputError: empty, or not a list.
    """
    items: Sequence[Any] = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list | tuple):
        raise InputError(f"{name} must be a list, or text with commas, got {value!r}")
    found = [str(x).strip() for x in items]
    if not found or not all(found):
        raise InputError(f"{name} has an empty entry in {value!r}" if found else f"{name} is empty")
    return list(dict.fromkeys(found))


def chosen(value: Any, default: Sequence[str]) -> list[Theorem]:
    """Statements a user named (``all``: the whole catalogue)."""
    names = list(default) if value is None else listed("statements", value)
    if names == ["all"]:
        return list(catalogue)
    return [find(x) for x in names]
