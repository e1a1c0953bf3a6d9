"""Integrals inside expressions (profiles given by a user as A(t)) are taken out before code is generated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sympy


@dataclass(frozen=True)
class Extracted:
    """``name`` stands for the integral of ``body`` over ``variable`` from ``low`` to ``high``."""

    name: Any
    body: Any
    variable: Any
    low: Any
    high: Any


def extract(exprs: Sequence[Any]) -> tuple[list[Any], list[Extracted]]:
    """The expressions with every integral replaced by a dummy symbol, and the integrals."""
    found: dict[Any, Extracted] = {}
    for expr in exprs:
        for integral in expr.atoms(sympy.Integral):
            body, (variable, low, high) = integral.args
            inner = sympy.Dummy(variable.name, positive=True)
            found[integral] = Extracted(sympy.Dummy("integral"), body.subs(variable, inner), inner, low, high)
    names = {integral: item.name for integral, item in found.items()}
    return [e.xreplace(names) for e in exprs], list(found.values())
