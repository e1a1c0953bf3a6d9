"""The third arithmetic: float64 in a browser. Expressions become JavaScript, in the forms that do not cancel.

What the generated functions call is in ``kernels.js``; the coefficients of its series are those of the float64 tier.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from typing import Any

import sympy

from cmbound.arithmetic import approximate
from cmbound.arithmetic.codegen import Dialect, written
from cmbound.errors import InputError
from cmbound.theory.functions import spectral


def _power(base: str, p: int, q: int) -> str:
    text = approximate.power_source(base, p, q)
    return text if "**" not in text else f"power({base}, {p / q!r})"


JAVASCRIPT = Dialect(
    stable=True,
    kernels=tuple(x for x in approximate.KERNELS if x != spectral.__name__),
    rational=approximate.rational_source,
    power=_power,
    namespace={},
)


def kernels() -> str:
    """What generated functions call: JavaScript to be put before them."""
    text = resources.files(__package__).joinpath("kernels.js").read_text(encoding="utf-8")
    return f"const SERIES = {json.dumps(dict(approximate.SERIES))};\n{text}"


class Functions:
    """JavaScript functions, each written once.

    A function takes one object with a number for each of its symbols, by name, and returns a number.

    >>> from cmbound.theory.notation import delta, m2
    >>> written = Functions()
    >>> written.add(m2 * delta), written.add(m2 * delta)
    (0, 0)
    >>> print(written.source())
    const F = [
    ({delta: v0, m2: v1}) => { const x0 = v0*v1; return x0; },
    ];
    """

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def add(self, expr: Any, keys: Mapping[Any, str] | None = None) -> int:
        """The number of the function that computes ``expr``; ``keys`` are names for symbols that are called otherwise.

        Raises:
            InputError: an integral or a sum over a list, which a page cannot compute.
        """
        renamed = tuple(sorted((keys or {}).items(), key=lambda x: x[1]))
        return self._numbers.setdefault(arrow(expr, renamed), len(self._numbers))

    def source(self) -> str:
        """The functions, as an array ``F``."""
        return "".join(("const F = [\n", *(f"{x},\n" for x in self._numbers), "];"))


@lru_cache(maxsize=2048)
def arrow(expr: Any, renamed: tuple[tuple[Any, str], ...] = ()) -> str:
    """An arrow function that computes ``expr`` (see :meth:`Functions.add`)."""
    if expr.has(sympy.Integral, spectral):
        raise InputError(f"a page cannot compute {expr}: integrals and lists are for evaluate")
    keys = {x: x.name for x in expr.free_symbols} | dict(renamed)
    symbols = sorted(expr.free_symbols, key=lambda x: keys[x])
    lines, (result,) = written((expr,), {x: f"v{i}" for i, x in enumerate(symbols)}, JAVASCRIPT)
    given = ", ".join(f"{keys[x]}: v{i}" for i, x in enumerate(symbols))
    body = f"const {', '.join(f'{x} = {y}' for x, y in lines)}; " if lines else ""
    return f"({{{given}}}) => {{ {body}return {result}; }}"
