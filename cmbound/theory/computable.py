"""What every arithmetic computes: read by the check of a user's function and by the generation of code."""

from __future__ import annotations

from typing import Any

import sympy
from sympy.codegen.cfunctions import expm1, log1p
from sympy.core.relational import Relational

from cmbound.errors import InputError
from cmbound.theory.named import Named, Rearranged

FUNCTIONS: tuple[Any, ...] = (
    *(sympy.exp, sympy.log, sympy.atan, sympy.sin, sympy.cos, sympy.sinh, sympy.cosh, sympy.tanh),
    sympy.erf,
)  # fmt: skip
FLOAT64_ONLY: tuple[Any, ...] = (expm1, log1p, sympy.atan2)
"""Functions of stable forms; a stable form without them serves every arithmetic (1 - s_T cancels 1.4 T bits of a ball too)."""
_COMPUTED: tuple[Any, ...] = (sympy.Add, sympy.Mul, sympy.Pow, sympy.Max, sympy.Min, sympy.Abs, *FUNCTIONS)
_CONSTANTS = (sympy.pi, sympy.E, sympy.nan)
_WRITABLE = "exp, log, sqrt, powers, atan, sin, cos, sinh, cosh, tanh, erf, Abs, sign, Max, Min, Heaviside and Piecewise"


def require_computable(expr: Any) -> None:
    """Raise InputError if ``expr`` contains something no arithmetic computes."""
    for x in () if expr.is_Symbol or expr.is_Rational or expr in _CONSTANTS else _parts(expr):
        require_computable(x)


def _parts(expr: Any) -> tuple[Any, ...]:
    """What must be computed before ``expr``, or in its place."""
    if isinstance(expr, Rearranged):
        return (expr.args[0],)
    if isinstance(expr, Named):
        return (type(expr).definition(*expr.args),)
    if isinstance(expr, sympy.Piecewise):
        return tuple(y for value, condition in expr.args for y in (value, *_sides(condition)))
    return tuple(expr.args) if isinstance(expr, _COMPUTED) else (rewritten(expr),)


def _sides(condition: Any) -> tuple[Any, ...]:
    """What a condition compares."""
    if isinstance(condition, sympy.And | sympy.Or | sympy.Not):
        return tuple(y for x in condition.args for y in _sides(x))
    return () if condition in (sympy.true, sympy.false) else tuple(relation(condition).args)


def relation(condition: Any) -> Any:
    """The condition, which must compare two expressions.

    Raises:
        InputError: it does not.
    """
    if not isinstance(condition, Relational):
        raise InputError(f"cannot decide {condition}: a condition of Piecewise compares two expressions")
    return condition


def rewritten(expr: Any) -> Any:
    """A function that is not computed itself in terms of those that are.

    Raises:
        InputError: there is no such form over the real numbers.
    """
    if isinstance(expr, sympy.tan):
        return sympy.sin(expr.args[0]) / sympy.cos(expr.args[0])
    if isinstance(expr, sympy.Heaviside | sympy.sign):
        return expr.rewrite(sympy.Piecewise)
    for target in (sympy.exp, sympy.log, sympy.erf) if expr.is_Function else ():
        other = expr.rewrite(target, deep=False)  # the arguments are rewritten in their turn
        if other != expr and not other.has(sympy.I):
            return other
    if expr.is_Float:
        raise InputError(
            f"an expression must be exact, got {float(expr):.6g} in it: write Rational(1, 10) or the text '0.1', not 0.1"
        )
    raise InputError(f"cannot compute {expr}: write it with {_WRITABLE}")
