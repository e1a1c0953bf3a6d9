"""Sums over the steps of a grid in ball arithmetic: one generated loop over the nodes, which computes nothing twice.

What does not depend on the step is computed before the loop. What depends on one end of a step alone is computed once for each
node: it belongs to the step that ends there and to the step that begins there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any

from flint import arb

from cmbound.arithmetic.certified import BALLS, integral
from cmbound.arithmetic.codegen import written
from cmbound.theory.integrals import extract
from cmbound.threads import alone

SUM, WEIGHTED, SQUARED, LARGEST = "sum", "weighted", "squared", "largest"
"""What is made of the values at the steps: the sum of them as they are, times the weight or times its square, the largest."""

_NAME = re.compile(r"\b[vx]\d+\b")
_NUMBER = re.compile(r"rational\(-?\d+, \d+\)")
_METHOD = re.compile(r"\b(exp|atan)\((\w+)\)")
_POWER = re.compile(r"\b(\w+)\*\*([23])(?!\d)")
_ALWAYS, _FIRST, _SECOND, _STEP = frozenset[str](), frozenset({"first"}), frozenset({"second"}), frozenset({"first", "second"})
"""What a value depends on: no step, the beginning or the end of one alone, or all of a step."""


class _Loop:
    """The lines of a loop, each where it is computed first: before it, at a node, or at a step.

    The node that a step ends at is called ``node``, what depends on it alone ``q0``, ``q1``, ...; of the node it begins at they
    are ``before``, ``p0``, ``p1``, ... Names of :func:`written` begin with ``v`` and ``x``.
    """

    def __init__(self, names: Mapping[Any, str], ends: Sequence[Any], columns: Sequence[Any], scalars: Sequence[Any]) -> None:
        self.names = dict(names)
        self.levels = {names[x]: _STEP for x in columns} | {names[x]: _ALWAYS for x in scalars}
        self.levels |= {names[x]: y for x, y in zip(ends, (_FIRST, _SECOND), strict=False)}
        self.here = {names[x]: f"r{i}" for i, x in enumerate(columns)}
        self.here |= {names[x]: y for x, y in zip(ends, ("before", "node"), strict=False)}
        self.at_node = {names[x]: "node" for x in ends}
        self.rows = [f"r{i}" for i in range(len(columns))]
        self.scope = {**BALLS.namespace, "islice": islice, "zero": arb(0), "lowest": arb.neg_inf()}
        self.before = [f"{', '.join(names[x] for x in scalars)}, = scalars"] if scalars else []
        self.node: list[str] = []
        self.step: list[str] = []
        self._known: dict[str, str] = {}

    def values(self, exprs: Iterable[Any]) -> list[str]:
        """Adds what it takes to compute expressions; returns what they are called."""
        bare, integrals = extract(tuple(exprs))
        symbols, arguments = tuple(self.names), ", ".join(self.names.values())
        for i, item in enumerate(integrals):
            self.scope[f"integral{i}"] = integral(item, symbols)
            self.names[item.name] = f"v{len(self.names)}"
            self.add(self.names[item.name], f"integral{i}({arguments})")
        lines, found = written(bare, self.names, BALLS)
        for name, text in lines:
            self.add(name, text)
        return found

    def level(self, text: str) -> frozenset[str]:
        """What ``text`` depends on."""
        return _ALWAYS.union(*(self.levels[x] for x in _NAME.findall(text)))

    def add(self, name: str, text: str) -> None:
        """One line."""
        level = self.levels[name] = self.level(text)
        text = _METHOD.sub(r"\2.\1()", _POWER.sub(self._product, _NUMBER.sub(self._number, text)))
        if level == _ALWAYS:
            self.before.append(f"{name} = {text}")
        elif level == _STEP:
            self.step.append(f"{name} = {self.called(text)}")
        else:
            at_node = _NAME.sub(lambda found: self.at_node.get(found[0], found[0]), text)
            key = " + ".join(sorted(at_node.split(" + "))) if "(" not in at_node else at_node
            if key not in self._known:
                self._known[key] = str(len(self.node))
                self.node.append(f"q{self._known[key]} = {at_node}")
            self.at_node[name] = "q" + self._known[key]
            self.here[name] = ("p" if level == _FIRST else "q") + self._known[key]

    def called(self, text: str) -> str:
        """``text`` with the names of the loop."""
        return _NAME.sub(lambda found: self.here.get(found[0], found[0]), _NUMBER.sub(self._number, text))

    def _number(self, found: re.Match[str]) -> str:
        if found[0] not in self._known:
            self._known[found[0]] = f"c{len(self._known)}"
            self.before.append(f"{self._known[found[0]]} = {found[0]}")
        return self._known[found[0]]

    @staticmethod
    def _product(found: re.Match[str]) -> str:
        return "*".join([found[1]] * int(found[2]))

    def carried(self, text: str) -> list[str]:
        """The line that makes the end of a step the beginning of the next: of what ``text`` and the steps use."""
        used = sorted(set(re.findall(r"\bbefore\b|\bp\d+\b", "\n".join((*self.step, text)))))
        after = ["node" if x == "before" else f"q{x[1:]}" for x in used]
        return [f"{', '.join(used)} = {', '.join(after)}"] if used else []

    def compiled(self, lines: Iterable[str]) -> Callable[..., Any]:
        """The function called ``generated``."""
        source = "\n".join(lines) + "\n"
        exec(compile(source, "<cmbound>", "exec"), self.scope)
        result: Callable[..., Any] = self.scope["generated"]
        result.__doc__ = source
        return result


def _names(*symbols: Any) -> dict[Any, str]:
    return {x: f"v{i}" for i, x in enumerate(symbols)}


def _indented(by: int, lines: Iterable[str]) -> list[str]:
    return [" " * 4 * by + line for line in lines]


@lru_cache(maxsize=256)
@alone
def column(expr: Any, columns: tuple[Any, ...], scalars: tuple[Any, ...]) -> Callable[..., list[Any]]:
    """A function ``(columns, scalars)`` of balls returning the values of ``expr``, row by row.

    Args:
        expr: an expression that contains one of ``columns`` at least.
        columns, scalars: the symbols of what differs from row to row, and of what does not.
    """
    loop = _Loop(_names(*columns, *scalars), (), columns, scalars)
    value = loop.called(loop.values([expr])[0])
    return loop.compiled(
        [
            "def generated(columns, scalars):",
            *_indented(1, loop.before),
            "    found = []",
            f"    for {', '.join(loop.rows)}, in zip(*columns):",
            *_indented(2, [*loop.step, f"found.append({value})"]),
            "    return found",
        ]
    )


@lru_cache(maxsize=256)
@alone
def summed(
    parts: tuple[tuple[str, Any], ...],
    weight: Any,
    ends: tuple[Any, Any, Any],
    columns: tuple[Any, ...],
    scalars: tuple[Any, ...],
) -> Callable[..., list[tuple[Any, ...]]]:
    """A function ``(nodes, columns, scalars, marks)`` of balls: what is made of ``parts`` between each two neighbouring marks.

    Args:
        parts: pairs of what is made (:data:`SUM`, ...) and an expression at a step.
        weight: an expression at a step.
        ends: the symbols of the beginning, the end and the size of a step; the size may also be among ``scalars``.
        columns, scalars: the symbols of what differs from step to step, and of what does not.

    The arguments of the function are balls: the nodes, for each of ``columns`` an entry for each step, and a number for each of
    ``scalars``; and rising numbers of nodes, the first of which is 0.
    """
    *places, size = ends
    names = _names(*places, *columns, *scalars)
    loop = _Loop(names, places, columns, scalars)
    if size not in names:
        loop.names[size] = f"v{len(names)}"
        loop.add(loop.names[size], f"{names[places[1]]} - {names[places[0]]}")
        loop.names[places[1] - places[0]] = loop.names[size]
    *values, factor = loop.values([*(x for _, x in parts), weight])
    loop.add("x999999", f"{factor}*{factor}")
    factors = {SUM: "", WEIGHTED: f"{factor}*", SQUARED: "x999999*"}
    begin, fold = [], []
    for i, (kind, _), value in zip(range(len(parts)), parts, values, strict=True):
        if kind == LARGEST and loop.level(value) == _ALWAYS:
            begin.append(f"s{i} = {loop.called(value)}")
        elif kind == LARGEST:
            begin.append(f"s{i} = lowest")
            fold.append(f"s{i} = s{i}.max({loop.called(value)})")
        else:
            begin.append(f"s{i} = zero")
            fold.append(f"s{i} = s{i} + {loop.called(factors[kind] + value)}")
    carried = loop.carried("\n".join(fold))
    return loop.compiled(
        [
            "def generated(nodes, columns, scalars, marks):",
            *_indented(1, loop.before),
            *_indented(1, ["found, node = [], nodes[0]", *loop.node, *carried]),
            "    steps = zip(islice(nodes, 1, None), *columns)",
            "    for mark, after in zip(marks, islice(marks, 1, None)):",
            *_indented(2, begin),
            f"        for {', '.join(['node', *loop.rows])}, in islice(steps, after - mark):",
            *_indented(3, [*loop.node, *loop.step, *fold, *carried] or ["pass"]),
            f"        found.append(({' '.join(f's{i},' for i in range(len(parts)))}))",
            "    return found",
        ]
    )
