"""From expressions to source text: one line for each distinct subexpression.

Named functions are unfolded on the way, so that a definition used twice is computed once and no unfolded expression is
ever built. A :class:`Dialect` says how an arithmetic writes numbers, powers and functions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sympy

from cmbound.frozen import Record
from cmbound.theory.computable import FLOAT64_ONLY, FUNCTIONS, relation, rewritten
from cmbound.theory.named import Named, Rearranged, unfolded
from cmbound.threads import alone

_VARIABLE = re.compile(r"\bx\d+\b")


@dataclass(frozen=True, eq=False)
class Dialect(Record):
    """How one arithmetic writes things.

    Attributes:
        stable: use the second form of rearranged expressions and the kernels (float64), or the definitions.
        kernels: names of the named functions it computes by a function of its own.
        rational: writes the number p/q.
        power: writes a power with a rational exponent p/q, given the source of the base.
        namespace: what the source refers to.
    """

    stable: bool
    kernels: tuple[str, ...]
    rational: Callable[[int, int], str]
    power: Callable[[str, int, int], str]
    namespace: dict[str, Any]


class _Writer:
    def __init__(self, dialect: Dialect, names: Mapping[Any, str]) -> None:
        self.dialect = dialect
        self.known = dict(names)
        self.lines: list[tuple[str, str]] = []

    def source(self, expr: Any) -> str:
        """The variable or literal that holds ``expr``."""
        if expr in self.known:
            return str(self.known[expr])
        text = self._write(expr)
        if not expr.is_Rational and not text.isidentifier():
            name = f"x{len(self.lines)}"
            self.lines.append((name, text))
            text = name
        self.known[expr] = text
        return text

    def _write(self, expr: Any) -> str:
        if expr.is_Rational:
            return self.dialect.rational(int(expr.p), int(expr.q))
        if expr is sympy.nan:  # where no branch of a Piecewise applies
            return "not_a_number()"
        if expr.is_Add:
            return self._sum(expr)
        if expr.is_Mul:
            return self._product(expr)
        if isinstance(expr, Rearranged):
            return self.source(expr.args[1 if self.dialect.stable or not expr.args[1].has(*FLOAT64_ONLY) else 0])
        if isinstance(expr, Named):
            if type(expr).__name__ in self.dialect.kernels:
                return self._call(type(expr).__name__, expr.args)
            return self.source(unfolded(expr))
        if isinstance(expr, sympy.Max | sympy.Min):
            return self._call("maximum" if isinstance(expr, sympy.Max) else "minimum", expr.args)
        if isinstance(expr, sympy.Abs):
            return self._call("absolute", expr.args)
        if isinstance(expr, sympy.Piecewise):
            return self._piecewise(expr)
        if isinstance(expr, FUNCTIONS) or (self.dialect.stable and isinstance(expr, FLOAT64_ONLY)):
            return self._call(type(expr).__name__, expr.args)
        if expr.is_Pow:
            return self._power(expr)
        if expr in (sympy.pi, sympy.E):
            return "pi()" if expr == sympy.pi else self._call("exp", (sympy.S.One,))
        return self.source(rewritten(expr))

    def _piecewise(self, expr: Any) -> str:
        """The first branch whose condition holds; a number beyond the last one is not a number."""
        result = "not_a_number()"
        for value, condition in reversed(expr.args):
            holds = self._condition(condition)
            result = self.source(value) if holds == "True" else f"choice({holds}, {self.source(value)}, {result})"
        return result

    def _condition(self, condition: Any) -> str:
        if condition in (sympy.true, sympy.false):
            return str(bool(condition))
        if isinstance(condition, sympy.And | sympy.Or | sympy.Not):
            parts = ", ".join(self._condition(x) for x in condition.args)
            return f"{type(condition).__name__.lower()}_({parts})"
        compared = relation(condition)
        return f"compare({compared.rel_op!r}, {self.source(compared.lhs)}, {self.source(compared.rhs)})"

    def _call(self, name: str, args: Sequence[Any]) -> str:
        return f"{name}({', '.join(self.source(x) for x in args)})"

    def _sum(self, expr: Any) -> str:
        first, *others = expr.args
        text = self.source(first)
        for x in others:
            negative = x.is_Mul and x.args[0] == -1
            text += f" - {self.source(-x)}" if negative else f" + {self.source(x)}"
        return text

    def _product(self, expr: Any) -> str:
        above, below = [], []
        for x in _joined_roots(expr.args):
            if x.is_Pow and not isinstance(x, sympy.exp) and x.exp.is_Rational and x.exp < 0:
                below.append(self.source(_inverse(x)))
            elif x == -1:
                above.append("-1")
            else:
                above.append(self.source(x))
        if above and above[0] == "-1":
            above = [f"(-{above[1]})", *above[2:]] if len(above) > 1 else ["-1"]
        top = "*".join(above) or "1"
        return f"{top}/({'*'.join(below)})" if below else top

    def _power(self, expr: Any) -> str:
        base, exponent = expr.base, expr.exp
        if isinstance(base, Named) and type(base).__name__ not in self.dialect.kernels and exponent.is_Integer:
            definition = unfolded(base)
            if definition.is_Mul or definition.is_Pow:  # whose roots need not be taken
                return self.source(definition**exponent)
        if not exponent.is_Rational:
            return f"power({self.source(base)}, {self.source(exponent)})"
        if exponent < 0:
            return f"1/{self.source(_inverse(expr))}"
        return self.dialect.power(self.source(base), int(exponent.p), int(exponent.q))


def _inverse(power: Any) -> Any:
    """1 over a power with a negative exponent, which is written as it is: SymPy would look for a simpler form for long."""
    return power.base if power.exp == -1 else sympy.Pow(power.base, -power.exp, evaluate=False)


def _joined_roots(factors: Sequence[Any]) -> list[Any]:
    """Third, sixth and twelfth roots in a product (which SymPy splits) as one root of a product."""
    rare = [x for x in factors if x.is_Pow and x.exp.is_Rational and x.exp.q in (3, 6, 12) and x.exp > 0]
    if len(rare) < 2:
        return list(factors)
    q = max(int(x.exp.q) for x in rare)
    inside = sympy.Mul(*(x.base ** (x.exp * q) for x in rare))
    return [*(x for x in factors if x not in rare), sympy.Pow(inside, sympy.Rational(1, q), evaluate=False)]


@alone
def written(exprs: Sequence[Any], names: Mapping[Any, str], dialect: Dialect) -> tuple[list[tuple[str, str]], list[str]]:
    """The lines, each a name and what it stands for, and after them the source of each value.

    Args:
        exprs: the values.
        names: of the symbols.
        dialect: how they are written.
    """
    writer = _Writer(dialect, names)
    results = [writer.source(expr) for expr in exprs]
    return writer.lines, results


def _freeing(lines: Sequence[tuple[str, str]], results: Sequence[str]) -> list[str]:
    """The statements, each followed by one that lets go of what is not needed any more.

    Of arrays the memory is then used again while it is near: the same in a third of the time.
    """
    statements, needed = [], set(results)
    for name, text in reversed(lines):
        last = [x for x in dict.fromkeys(_VARIABLE.findall(text)) if x not in needed]
        needed.update(last)
        statements.append(f"    {name} = {text}\n" + (f"    del {', '.join(last)}\n" if last else ""))
    return statements[::-1]


@alone
def function(exprs: Sequence[Any], symbols: Sequence[Any], dialect: Dialect) -> Callable[..., list[Any]]:
    """A function of ``symbols`` (by position) returning the list of values of ``exprs``."""
    names = {symbol: f"v{i}" for i, symbol in enumerate(symbols)}
    lines, results = written(exprs, names, dialect)
    body = "".join(_freeing(lines, results))
    source = f"def generated({', '.join(names.values())}):\n{body}    return [{', '.join(results)}]\n"
    scope = dict(dialect.namespace)
    exec(compile(source, "<cmbound>", "exec"), scope)
    result: Callable[..., list[Any]] = scope["generated"]
    result.__doc__ = source
    return result
