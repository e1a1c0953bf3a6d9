"""The bound of a statement as an expression in which parameters are found by their names, and what is made of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import sympy
from sympy import Add, Mul

from cmbound.checks import checked_distinct
from cmbound.errors import InputError, UnknownNameError
from cmbound.formulas import accepts, closed_terms, computable_terms, numbers_in, require_formula, unknown_parameter
from cmbound.notation import TABLE
from cmbound.numerics import approximate
from cmbound.profiles import Profile
from cmbound.records import Theorem
from cmbound.threads import alone
from cmbound.variants import Placeholder

OPTIONS = ("profile", "teacher", "to", "start", "clock")
_ANY = {"d": 1, "h": "1e-9"}
"""What an evaluation needs even where the bound of a user's profile does not contain it."""
_WANTED_PROFILE = "give one profile by name, as in profile='universal'"


def symbol_of(given: Any) -> Any:
    """The symbol of the table with the name of ``given`` (text or a plain symbol); anything else as it is.

    A plain ``Symbol("L_f")`` is not the symbol of the table, which knows that L_f >= 1: SymPy would find no L_f in the bound,
    and its derivative to be 0.

    Raises:
        UnknownNameError: text or a plain symbol that is in no table.
    """
    name = given if isinstance(given, str) else given.name if type(given) is sympy.Symbol else None
    if name is None:
        return given
    if name not in TABLE:
        raise UnknownNameError("parameter", name, TABLE)
    return TABLE[name].symbol


class ByName:
    """Mixed into a sum or a product: its parameters may be named by text and by plain symbols."""

    def diff(self, *symbols: Any, **assumptions: Any) -> Any:
        """As :func:`sympy.diff`; raises UnknownNameError for a name of no parameter."""
        return _plain(self).diff(*map(symbol_of, symbols), **assumptions)

    def subs(self, *args: Any, **kwargs: Any) -> Any:
        """As :meth:`sympy.Basic.subs`; raises UnknownNameError for a name of no parameter."""
        pairs = [args] if len(args) == 2 else args[0].items() if isinstance(args[0], Mapping) else args[0]
        return by_name(_plain(self).subs([(symbol_of(old), new) for old, new in pairs], **kwargs))

    def limit(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """As :func:`sympy.limit`; raises UnknownNameError for a name of no parameter."""
        return _plain(self).limit(symbol_of(x), *args, **kwargs)

    def series(self, x: Any = None, *args: Any, **kwargs: Any) -> Any:
        """As :func:`sympy.series`; raises UnknownNameError for a name of no parameter."""
        return _plain(self).series(x if x is None else symbol_of(x), *args, **kwargs)

    def has(self, *patterns: Any) -> bool:
        """As :meth:`sympy.Basic.has`; raises InputError for a plain symbol with the name of a parameter."""
        for x in patterns:
            if type(x) is sympy.Symbol and x.name in TABLE and x != TABLE[x.name].symbol:
                raise InputError(f"this symbol {x.name!r} is not the one of the bound: use theorem.symbols[{x.name!r}]")
        return bool(_plain(self).has(*patterns))

    def __eq__(self, other: object) -> bool:
        return bool(_plain(self) == _plain(other))

    def __hash__(self) -> int:
        return hash(_plain(self))


class Total(ByName, Add):  # type: ignore[misc]
    """A sum."""

    @classmethod
    def class_key(cls) -> Any:
        return Add.class_key()


class Product(ByName, Mul):  # type: ignore[misc]
    """A product."""

    @classmethod
    def class_key(cls) -> Any:
        return Mul.class_key()


_KINDS = ((Total, Add), (Product, Mul))


def by_name(expr: Any) -> Any:
    """The sum or product ``expr``, whose parameters may then be named by text."""
    return next((ours._from_args(expr.args) for ours, theirs in _KINDS if type(expr) is theirs), expr)


def _plain(expr: Any) -> Any:
    return next((theirs._from_args(expr.args) for ours, theirs in _KINDS if type(expr) is ours), expr)


@alone
def bound(theorem: Theorem, options: Mapping[str, Any]) -> Any:
    """The sum of the terms of a statement (options as for :meth:`cmbound.records.Theorem.formula`)."""
    return by_name(Add(*(x.expression for x in closed_terms(theorem, **options))))


def _named(theorem: Theorem, given: Any, expr: Any) -> Any:
    """The symbol of a parameter that occurs in ``expr``."""
    symbol = symbol_of(given)
    if not isinstance(symbol, sympy.Symbol):
        raise InputError(f"a parameter is named by text or by its symbol, got {given!r}")
    if symbol not in expr.free_symbols:
        if symbol.name in TABLE and not accepts(theorem, symbol.name) and not TABLE[symbol.name].internal:
            raise unknown_parameter(theorem, symbol.name)
        present = {x.name for x in expr.free_symbols}
        raise InputError(f"{symbol.name} does not occur in this bound; {', '.join(x for x in TABLE if x in present)} do")
    return symbol


@alone
def derivative(theorem: Theorem, names: tuple[Any, ...], options: Mapping[str, Any]) -> Any:
    """See :meth:`cmbound.records.Theorem.diff`."""
    if not names:
        raise InputError("name the parameter to differentiate by")
    expr = bound(theorem, options)
    return expr.diff(*(_named(theorem, x, expr) for x in names))


@alone
def function(theorem: Theorem, names: tuple[Any, ...], params: Mapping[str, Any]) -> Callable[..., Any]:
    """See :meth:`cmbound.records.Theorem.lambdify`."""
    expr = _closed(theorem, *(params.get(name) for name in OPTIONS))
    expr = expr.subs(numbers_in(theorem, {x: y for x, y in params.items() if x not in OPTIONS}), simultaneous=True)
    present = [x for x in TABLE if TABLE[x].symbol in expr.free_symbols]
    chosen = [_named(theorem, x, expr).name for x in names] if names else present
    checked_distinct("the arguments of lambdify", chosen)
    missing = [f"{x} ({TABLE[x].meaning})" for x in present if x not in chosen]
    if missing:
        raise InputError(f"the bound of {theorem.id} needs {', '.join(missing)} too: a number, or its name among the arguments")
    own = isinstance(profile := params.get("profile"), Profile) and profile.own
    compiled = approximate.compile((expr,), tuple(TABLE[x].symbol for x in chosen))

    def bound_at(*args: Any, **named: Any) -> Any:
        given = dict(zip(chosen, args, strict=False)) | named
        if len(args) + len(named) != len(chosen) or set(given) != set(chosen):
            raise InputError(f"the bound of {theorem.id} is a function of {', '.join(chosen)}, each given once")
        if own:  # what it must satisfy depends on the numbers
            absent = {x: y for x, y in _ANY.items() if x not in {*params, *given} and accepts(theorem, x)}
            return theorem.approximate(**absent, **params, **{x: _number_or_array(y) for x, y in given.items()}).total
        return compiled(*(given[x] for x in chosen))[0]

    bound_at.__doc__ = f"The bound of {theorem.id} in float64, as a function of {', '.join(chosen)} (numbers or arrays)."
    return bound_at


def _number_or_array(x: Any) -> Any:
    return x if np.ndim(x) == 0 else np.asarray(x)


def _closed(theorem: Theorem, profile: Any, teacher: Any, to: Any, start: Any, clock: Any) -> Any:
    """The sum of the terms with the forms float64 needs still inside."""
    if profile == "auto":
        raise InputError(f"auto has no closed form: {_WANTED_PROFILE}")
    require_formula(theorem)
    terms = computable_terms(theorem, profile, teacher or "exponential-integrator", to, start, clock)
    expr = Add(*(x.expression for x in terms))
    if expr.has(sympy.Sum):
        raise InputError(f"teacher {teacher!r} has no closed form in h: use approximate")
    if expr.has(Placeholder):
        raise InputError(f"the bound of {theorem.id} depends on the profile: {_WANTED_PROFILE}")
    return expr
