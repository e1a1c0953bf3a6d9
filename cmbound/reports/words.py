"""Cells from expressions, and from prose in which the names of parameters become their symbols."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import sympy

from cmbound.reports.cells import Cell, math, mixed
from cmbound.theory.compact import compact
from cmbound.theory.functions import plain
from cmbound.theory.notation import TABLE

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
    "<=": r"\leq",
    "(KL/2)^(1/2)": r"(\mathrm{KL}/2)^{1/2}",
}
"""What prose has besides the parameters."""
_SKIPPED = ("a", "b", "y", "q", "p", "k", "t", "C", "u", "rho", "times", "weights", "sigma", "sigmas", "R", "N", "T", "h", "d")
_SINGLE = r"(?<![\w'])(?:R|N|T|h|d|t)(?![\w'-])"
_POWER = r"(?:\^(?:\([^()]*\)|\w+))"


@cache
def _pattern() -> re.Pattern[str]:
    words = [x for x in TABLE if x not in _SKIPPED]
    named = "|".join(rf"(?<!\w){re.escape(x)}(?!\w)" for x in sorted(words, key=len, reverse=True))
    others = "|".join(
        (rf"(?<!\w){re.escape(x)}" if x[0].isalpha() else re.escape(x)) + (r"(?!\w)" if x[-1].isalnum() else "")
        for x in sorted(_PROSE, key=len, reverse=True)
    )
    return re.compile(rf"((?:{others}|{named}|{_SINGLE}){_POWER}?|(?<!\w)(?:[A-Za-z0-9]+|(?<=\))){_POWER})")


def prose(text: str) -> Cell:
    """Text in which the names of parameters become their symbols, and what is raised to a power a formula.

    >>> prose("of order L_s^(3/2)").latex()
    'of order $L_s^{3/2}$'
    """
    pieces = _pattern().split(text)
    if len(pieces) == 1:
        return Cell(text)
    return mixed(*(math(_formula(x), x) if i % 2 else Cell(x) for i, x in enumerate(pieces) if x))


def _formula(text: str) -> str:
    """LaTeX of a name and its power; of a power alone, behind a bracket that is text."""
    if text in _PROSE:
        return _PROSE[text]
    name, _, power = text.partition("^")
    base = _PROSE[name] if name in _PROSE else TABLE[name].latex if name in TABLE else name or "{}"
    return f"{base}^{{{power.strip('()')}}}" if power else base


def symbol(name: str) -> Cell:
    """A parameter's symbol."""
    return math(TABLE[name].latex, name) if name in TABLE else prose(name)


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
