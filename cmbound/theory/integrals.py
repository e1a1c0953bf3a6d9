"""Integrals inside expressions (profiles given by a user as A(t)) are taken out before code is generated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sympy
from sympy.core.relational import Relational

from cmbound.errors import InputError


@dataclass(frozen=True)
class Extracted:
    """``name`` stands for the integral of ``body`` over ``variable`` from ``low`` to ``high``; at ``cuts`` the branch changes."""

    name: Any
    body: Any
    variable: Any
    low: Any
    high: Any
    cuts: tuple[Any, ...]


def extract(exprs: Sequence[Any]) -> tuple[list[Any], list[Extracted]]:
    """The expressions with every integral replaced by a dummy symbol, and the integrals."""
    found: dict[Any, Extracted] = {}
    for expr in exprs:
        for integral in expr.atoms(sympy.Integral):
            body, variable, low, high = _parts(integral)
            inner = sympy.Dummy(variable.name, positive=True)
            body = in_branches(body.subs(variable, inner))
            found[integral] = Extracted(sympy.Dummy("integral"), body, inner, low, high, cuts(body, inner))
    names = {integral: item.name for integral, item in found.items()}
    return [e.xreplace(names) for e in exprs], list(found.values())


def _parts(integral: Any) -> tuple[Any, Any, Any, Any]:
    """Integrand, variable and limits; raises InputError unless it is one integral between two limits."""
    body, *limits = integral.args
    if len(limits) != 1 or len(limits[0]) != 3:
        raise InputError(f"{integral} cannot be computed: an integral has one variable and two limits")
    variable, low, high = limits[0]
    if any(x.has(sympy.Integral) for x in (body, low, high)):
        raise InputError(f"{integral} cannot be computed: an integral has no other integral inside")
    if any(x.has(sympy.oo, -sympy.oo, sympy.zoo, sympy.nan) for x in (low, high)):
        raise InputError(f"{integral} cannot be computed: the limits of an integral are finite")
    return body, variable, low, high


def in_branches(expr: Any) -> Any:
    """``expr`` with Heaviside and sign as Piecewise."""
    return expr.replace(lambda e: isinstance(e, sympy.Heaviside | sympy.sign), lambda e: e.rewrite(sympy.Piecewise))


def cuts(body: Any, variable: Any) -> tuple[Any, ...]:
    """Values of ``variable`` at which a condition of a Piecewise changes.

    Raises:
        InputError: a condition that is not linear in the variable.
    """
    found: dict[Any, None] = {}
    for piecewise in body.atoms(sympy.Piecewise):
        for _, condition in piecewise.args:
            for relation in condition.atoms(Relational):
                gap = sympy.expand(relation.lhs - relation.rhs)
                if not gap.has(variable):
                    continue
                slope, rest = gap.coeff(variable, 1), gap.coeff(variable, 0)
                if sympy.expand(slope * variable + rest - gap) != 0 or rest.has(variable):
                    raise InputError(f"cannot tell where {relation} changes: a condition compares t with something free of t")
                found[-rest / slope] = None
    return tuple(found)


def branch(expr: Any, holds: Callable[[Any], bool]) -> Any:
    """``expr`` with every Piecewise replaced by the branch whose condition holds (NaN if none does)."""
    if isinstance(expr, sympy.Piecewise):
        for value, condition in expr.args:
            if _holds(condition, holds):
                return branch(value, holds)
        return sympy.nan
    if not expr.has(sympy.Piecewise):
        return expr
    return expr.func(*(branch(x, holds) for x in expr.args))


def _holds(condition: Any, holds: Callable[[Any], bool]) -> bool:
    if condition in (sympy.true, sympy.false):
        return bool(condition)
    if isinstance(condition, sympy.Not):
        return not _holds(condition.args[0], holds)
    if isinstance(condition, sympy.And | sympy.Or):
        every = [_holds(x, holds) for x in condition.args]
        return all(every) if isinstance(condition, sympy.And) else any(every)
    return holds(condition)
