"""Where statements name the same thing differently: a parameter of one as an expression in the parameters that are given."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cmbound.errors import DomainError, InputError, UnknownNameError

OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: np.divide,
    ast.Pow: np.power,
}
FUNCTIONS: dict[str, Callable[..., Any]] = {"exp": np.exp, "log": np.log, "sqrt": np.sqrt}
_LONGEST = 500


@dataclass(frozen=True)
class Conversion:
    """``STATEMENT.NAME=EXPRESSION``: what a statement takes as a parameter, in terms of what is given.

    Attributes:
        statement: id of the statement.
        name: its parameter.
        text: the expression.
        tree: the same, parsed.
        names: the names in it.
    """

    statement: str
    name: str
    text: str
    tree: ast.expr
    names: frozenset[str]

    @classmethod
    def parse(cls, text: str) -> Conversion:
        """From text such as ``chen2025-multistep.eps_cm=eps_cm*h``: + - * / ** exp log sqrt, names and numbers.

        Raises:
            InputError: not of this form.
        """
        left, equals, right = text.partition("=")
        id, dot, name = (x.strip() for x in left.strip().rpartition("."))
        if not (equals and dot and id and name and right.strip()):
            raise InputError(f"{text!r} is not of the form STATEMENT.NAME=EXPRESSION")
        try:
            if len(right) > _LONGEST:
                raise ValueError
            tree = ast.parse(right.strip().replace("^", "**"), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise InputError(
                f"{right.strip()[:60]!r} is not an expression in + - * / ** exp log sqrt, names and numbers"
            ) from None
        functions = {x.func.id for x in ast.walk(tree) if isinstance(x, ast.Call) and isinstance(x.func, ast.Name)}
        names = {x.id for x in ast.walk(tree) if isinstance(x, ast.Name)} - functions
        found = cls(id, name, right.strip(), tree, frozenset(names))
        with np.errstate(all="ignore"):
            found._value(tree, dict.fromkeys(names, 1.0))  # the form is checked before any work
        return found

    def value(self, given: Mapping[str, Any]) -> Any:
        """The expression at numbers or arrays.

        Raises:
            UnknownNameError: a name without a value.
            DomainError: the value is not finite.
        """
        with np.errstate(all="ignore"):
            found = np.asarray(self._value(self.tree, given), dtype=np.float64)
        if not np.isfinite(found).all():
            raise DomainError(f"{self.statement}.{self.name} = {self.text} is not a finite number everywhere")
        return found if found.ndim else float(found)

    def _value(self, node: ast.expr, given: Mapping[str, Any]) -> Any:
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
            return np.float64(node.value)
        if isinstance(node, ast.Name):
            if node.id not in given:
                raise UnknownNameError("name", node.id, given, hint=f" in {self.text!r}")
            return np.asarray(given[node.id], dtype=np.float64)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -self._value(node.operand, given)
        if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
            return OPERATORS[type(node.op)](self._value(node.left, given), self._value(node.right, given))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(node.args) == 1 and not node.keywords:
            if node.func.id in FUNCTIONS:
                return FUNCTIONS[node.func.id](self._value(node.args[0], given))
            raise UnknownNameError("function", node.func.id, FUNCTIONS)
        raise InputError(f"{self.text!r} is not an expression in + - * / ** exp log sqrt, names and numbers")
