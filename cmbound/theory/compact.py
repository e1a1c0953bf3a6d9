"""LaTeX for the cells of a table: powers and a slash in the place of roots and fractions, so that lines stay low."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sympy import Dummy, Mul, Pow, Rational, S
from sympy.printing.latex import LatexPrinter

from cmbound.theory.formulas import without_width
from cmbound.theory.named import Named, plain
from cmbound.theory.notation import latex_names

_HALF = Rational(1, 2)
_LOW_BRACKETS = re.compile(r"\\left\(([^()]*)\\right\)")


class _Compact(LatexPrinter):  # type: ignore[misc]
    """Sums begin with a positive term; a product has one slash; what is under a root below the line stays together."""

    def _as_ordered_terms(self, expr: Any, order: Any = None) -> list[Any]:
        return sorted(super()._as_ordered_terms(expr, order), key=lambda x: bool(x.could_extract_minus_sign()))

    def _print_Mul(self, expr: Any) -> str:
        if expr.could_extract_minus_sign():
            return f"- {self._factor(-expr)}"
        root, expr = _root(expr)
        top, bottom = _fraction(expr)
        pieces = [] if top == 1 and root != 1 else [self._factor(top) if bottom != 1 or root != 1 else self._product(top)]
        if root != 1:
            pieces.append(self._print_root(root))
        return " ".join(pieces) + (f" / {self._below(bottom)}" if bottom != 1 else "")

    def _product(self, expr: Any) -> str:
        return str(super()._print_Mul(expr) if expr.is_Mul else self._print(expr))

    def _factor(self, expr: Any) -> str:
        text = self._product(expr)
        return rf"\left({text}\right)" if expr.is_Add else text

    def _below(self, expr: Any) -> str:
        text = self._product(expr)
        return rf"\left({text}\right)" if expr.is_Mul or expr.is_Add else text

    def _print_root(self, square: Any) -> str:
        top, bottom = _fraction(square)
        if top == 1:
            return rf"\left({self._product(bottom)}\right)^{{-1/2}}"
        inner = self._factor(top) + (f" / {self._below(bottom)}" if bottom != 1 else "")
        return rf"\left({inner}\right)^{{1/2}}"

    def _print_Pow(self, expr: Any) -> str:
        if expr.exp.is_Rational and expr.exp < 0 and not expr.base.is_Rational:
            return f"1 / {self._below(expr.base ** (-expr.exp))}"
        return str(super()._print_Pow(expr))


def _fraction(expr: Any) -> tuple[Any, Any]:
    """Numerator and denominator, where only rational powers go below the line (e^{-T} stays)."""
    top, bottom = [], []
    for x in Mul.make_args(expr):
        if isinstance(x, Pow) and x.exp.is_Rational and x.exp < 0:
            bottom.append(x.base ** (-x.exp))
        elif x.is_Rational:
            top.append(S(x.p))
            bottom.append(S(x.q))
        else:
            top.append(x)
    return Mul(*top), Mul(*bottom)


def _root(product: Any) -> tuple[Any, Any]:
    """The square of the factors that belong under one root (1: there is no such root), and the other factors."""
    under, rest, numeric = [], [], S.One
    for x in product.args:
        if x.is_Rational or (x.is_number and (x**2).is_Rational):
            numeric *= x
        elif isinstance(x, Pow) and _joins(x.base, x.exp):
            under.append(x.base ** (2 * x.exp))
        else:
            rest.append(x)
    if not under or (numeric.is_Rational and numeric != 1):
        return S.One, product
    return Mul(numeric**2, *under), Mul(*rest)


def _joins(base: Any, exponent: Any) -> bool:
    """Whether a power goes under the common root: what is below the line, and named functions or their abbreviations."""
    named = isinstance(base, Named | Dummy)
    return bool((exponent == -_HALF and (named or not base.is_Symbol)) or (exponent == _HALF and named))


def compact(expr: Any, names: Mapping[Any, str] | None = None) -> str:
    """LaTeX of an expression, kept low; ``names`` has the LaTeX of symbols that are not in the table of symbols."""
    expr, more = without_width(plain(expr))
    settings = {"symbol_names": {**latex_names(), **more, **(names or {})}, "fold_frac_powers": True, "root_notation": False}
    text = str(_Compact(settings).doprint(expr)).replace(r"\log{", r"\log {")
    return re.sub(r"\(([a-z])\)\^|(?<= )\(([A-Z])\)\^", r"\1\2^", _LOW_BRACKETS.sub(r"(\1)", text))
