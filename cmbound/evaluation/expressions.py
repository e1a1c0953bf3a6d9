"""The bound of a statement as an expression in which parameters are found by their names, and what is made of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from typing import Any

import sympy
from sympy import Add, Mul

from cmbound.arithmetic import approximate
from cmbound.checks import checked_distinct
from cmbound.errors import InputError, UnknownNameError
from cmbound.evaluation import arrays
from cmbound.evaluation.given import exact_lists, exact_scalars
from cmbound.evaluation.paths import combinable
from cmbound.later import np
from cmbound.names import CHOICES
from cmbound.theory.formulas import (
    ALIASES,
    OPTIONS as ALL_OPTIONS,
    accepts,
    closed_terms,
    computable_terms,
    one_profile,
    require_formula,
    unknown_parameter,
)
from cmbound.theory.named import derivative as derivative_by
from cmbound.theory.notation import TABLE, entropy, nu
from cmbound.theory.records import Term, Theorem
from cmbound.theory.variants import EI, Placeholder
from cmbound.threads import alone

OPTIONS = tuple(x for x in CHOICES if x != "grid")
_INSTEAD = frozenset({"sd2", "R", "d_eff", "diameter", "n_atoms"})
"""Parameters that a profile takes in the place of others, where they are given."""
_ANY = {"d": 1, "h": "1e-9"}  # what an evaluation needs even where the bound of a user's profile does not contain it
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


class _Present(set[Any]):
    """The symbols of a bound; to look for a plain symbol with the name of a parameter is an error and not a silent no.

    :func:`sympy.diff` and the like ask here before they answer 0.
    """

    def __contains__(self, x: object) -> bool:
        return super().__contains__(x) or _is_no_other(x)


def _is_no_other(x: Any) -> bool:
    if type(x) is sympy.Symbol and x.name in TABLE and x != TABLE[x.name].symbol:
        raise InputError(f"this symbol {x.name!r} is not the one of the bound: use theorem.symbols[{x.name!r}]")
    return False


class ByName:
    """Mixed into a class of expressions: parameters may be named by text and by plain symbols.

    What its operators and methods return is of that kind again; what functions of SymPy make of it (``sympy.exp(bound)``) and its
    parts (``args``) are not. A name of no parameter that is not in the expression either raises UnknownNameError.
    """

    plain: Any
    """The expression itself, of SymPy's own class."""
    _op_priority = 20.0  # above every class of SymPy: x + bound is asked of the bound

    @property
    def func(self) -> Any:
        return type(self.plain)

    @property
    def free_symbols(self) -> set[Any]:
        """Its symbols; a plain symbol with the name of a parameter, sought in it, raises InputError."""
        return _Present(self.plain.free_symbols)

    def diff(self, *symbols: Any, **kwargs: Any) -> Any:
        """As that of SymPy; symbols may be named by text: ``diff("L_f")``.

        What is named and does not occur raises InputError: it may enter by way of others. By its own symbol the derivative is 0.
        """
        found = [_found(self.plain, x) for x in symbols]
        for given, x in zip(map(_first, symbols), map(_first, found), strict=True):
            if isinstance(x, sympy.Symbol) and x != given and x not in self.plain.free_symbols:
                raise _absent(x.name, self.plain)
        once = len(found) == 1 and isinstance(found[0], sympy.Symbol) and not kwargs
        return by_name(derivative_by(self.plain, *found) if once else self.plain.diff(*found, **kwargs))

    def subs(self, *args: Any, **kwargs: Any) -> Any:
        """As :meth:`sympy.Basic.subs`; names in text that is put in are those of parameters too."""
        pairs = [args] if len(args) == 2 else args[0].items() if isinstance(args[0], Mapping) else args[0]
        return by_name(self.plain.subs([(_found(self.plain, old), _value(new)) for old, new in pairs], **kwargs))

    def xreplace(self, rule: Mapping[Any, Any]) -> Any:
        """As :meth:`sympy.Basic.xreplace`."""
        return by_name(self.plain.xreplace({_found(self.plain, old): _value(new) for old, new in rule.items()}))

    def has(self, *patterns: Any) -> bool:
        """As :meth:`sympy.Basic.has`; raises InputError for a plain symbol with the name of a parameter."""
        for x in patterns:
            _is_no_other(x)
        return bool(self.plain.has(*(_found(self.plain, x) if isinstance(x, str) else x for x in patterns)))

    def _eval_power(self, exponent: Any) -> Any:
        return by_name(self.plain**exponent)

    def _eval_Integral(self, *limits: Any, **kwargs: Any) -> Any:
        return sympy.Integral(self.plain, *(_found(self.plain, x) for x in limits), **kwargs)

    def _eval_simplify(self, **kwargs: Any) -> Any:
        return by_name(sympy.simplify(self.plain, **kwargs))

    def __eq__(self, other: object) -> bool:
        return bool(self.plain == plain(other))

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self.plain)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return by_name, (self.plain,)


def _first(given: Any) -> Any:
    return given[0] if isinstance(given, tuple | list | sympy.Tuple) and given else given


def _absent(name: str, expr: Any) -> InputError:
    """The error for a parameter that is not among the symbols of a bound."""
    present = {x.name for x in expr.free_symbols}
    instead = ALIASES.get(name)
    if instead in present:
        return InputError(f"{name} does not occur in this bound, in which {instead} stands for the noise level: name {instead}")
    return InputError(f"{name} does not occur in this bound; {', '.join(x for x in TABLE if x in present) or 'no parameters'} do")


def _found(expr: Any, given: Any) -> Any:
    """What is meant by an argument in which a symbol may be named: ``"L_f"``, ``("L_f", 1, 2)``, or anything else as it is."""
    if isinstance(given, tuple | list | sympy.Tuple):
        return (_found(expr, given[0]), *map(_value, given[1:])) if given else given
    if type(given) is sympy.Symbol and given in expr.free_symbols:
        return given
    if isinstance(given, str) and given not in TABLE and sympy.Symbol(given) in expr.free_symbols:
        return sympy.Symbol(given)
    symbol = symbol_of(plain(given))
    if symbol is not given and ALIASES.get(getattr(symbol, "name", "")) in {x.name for x in expr.free_symbols}:
        raise _absent(symbol.name, expr)
    if isinstance(symbol, sympy.Symbol) and symbol.name in ("n_atoms", "weights") and expr.free_symbols & {nu, entropy}:
        raise InputError(
            f"the entropy stands for {symbol.name} in this bound: name n_atoms in theorem.diff, substitute or lambdify"
        )
    return symbol


def _value(given: Any) -> Any:
    """What is put in; names in text are those of parameters."""
    return sympy.sympify(given, locals={x: y.symbol for x, y in TABLE.items()}) if isinstance(given, str) else plain(given)


def _naming(name: str, at: bool = False) -> Any:
    """A method all of whose arguments name symbols, or (``at``) the first does and the second is put in for it."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        named, put = (args[:1], args[1:2]) if at else (args, ())
        given = (*(_found(self.plain, x) for x in named), *map(_value, put), *args[len(named) + len(put) :])
        return by_name(getattr(self.plain, name)(*given, **kwargs))

    method.__name__, method.__doc__ = name, f"As that of SymPy; symbols may be named by text: ``{name}('L_f')``."
    return method


def _keeping(name: str) -> Any:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return by_name(getattr(self.plain, name)(*map(plain, args), **kwargs))

    method.__name__, method.__doc__ = name, "As that of SymPy."
    return method


_NAMING = (
    *("integrate", "count", "find", "collect", "as_independent", "as_coefficient", "as_leading_term", "is_constant"),
    *("is_polynomial", "is_rational_function", "has_free"),
)  # fmt: skip
_NAMING_AT = ("limit", "series", "nseries", "aseries", "coeff", "replace", "leadterm", "apart")
_KEEPING = (
    *("doit", "expand", "simplify", "factor", "together", "cancel", "nsimplify", "trigsimp", "powsimp", "radsimp", "ratsimp"),
    *("evalf", "n", "rewrite", "refine", "as_numer_denom", "__neg__", "__abs__", "__pow__", "__rpow__"),
    *(f"__{side}{x}__" for x in ("add", "sub", "mul", "truediv", "mod") for side in ("", "r")),
)  # fmt: skip
for _names, _make in ((_NAMING, _naming), (_NAMING_AT, partial(_naming, at=True)), (_KEEPING, _keeping)):
    for _name in _names:
        setattr(ByName, _name, _make(_name))


@cache
def _kind(theirs: Any) -> Any:
    """The class of expressions by name under one of SymPy's, with its name and its place in the order of classes.

    What SymPy itself builds with it is of SymPy's own class.
    """

    def build(cls: type, *args: Any, **kwargs: Any) -> Any:
        return theirs(*args, **kwargs)

    content = {"class_key": theirs.class_key, "__module__": __name__, "__new__": build}
    if hasattr(theirs, "_from_args"):
        content["_from_args"] = theirs._from_args
    return type(theirs.__name__, (ByName, theirs), content)


def by_name(expr: Any) -> Any:
    """The expression, whose parameters may then be named by text (a lone symbol or number, and what is none, as it is)."""
    if isinstance(expr, tuple):
        return tuple(map(by_name, expr))
    if not isinstance(expr, sympy.Expr) or isinstance(expr, ByName) or expr.is_Atom:
        return expr
    theirs: Any = type(expr)
    result = sympy.Basic.__new__(_kind(theirs), *expr.args)
    result.plain = expr
    if isinstance(expr, Add | Mul | sympy.Pow):
        result.is_commutative = expr.is_commutative
    return result


def plain(expr: Any) -> Any:
    """The expression of SymPy's own class."""
    return expr.plain if isinstance(expr, ByName) else expr


def terms_by_name(theorem: Theorem, options: Mapping[str, Any]) -> tuple[Term, ...]:
    """See :meth:`cmbound.evaluation.statement.Statement.formula`."""
    return named_terms(closed_terms(theorem, **options))


@alone
def named_terms(terms: Iterable[Term]) -> tuple[Term, ...]:
    """The terms, in whose expressions parameters may be named by text."""
    return tuple(Term(x.name, by_name(x.expression)) for x in terms)


def bare_terms(terms: Any) -> Any:
    """The terms in expressions of SymPy's own classes (what is no sequence of terms as it is)."""
    if not isinstance(terms, list | tuple):
        return terms
    return tuple(
        Term(x.name, plain(x.expression)) if isinstance(x, Term) and isinstance(x.expression, ByName) else x for x in terms
    )


@alone
def bound(theorem: Theorem, options: Mapping[str, Any], given: Iterable[Any] = ()) -> Any:
    """The sum of the terms (options as for :meth:`cmbound.evaluation.statement.Statement.formula`), in what is ``given``."""
    return by_name(Add(*(x.expression for x in closed_terms(theorem, **options, instead=_instead(given)))))


def _instead(given: Iterable[Any]) -> frozenset[str]:
    return _INSTEAD & {x if isinstance(x, str) else getattr(x, "name", "") for x in given}


def _refuse_lists(numbers: Mapping[str, Any]) -> None:
    for name in exact_lists(numbers):
        raise InputError(f"{name}: a list has no place in a closed form; evaluate and approximate take it")


@alone
def substituted_by_name(theorem: Theorem, params: Mapping[str, Any]) -> Any:
    """See :meth:`cmbound.evaluation.statement.Statement.substitute`."""
    require_formula(theorem)
    options = {name: value for name, value in params.items() if name in OPTIONS}
    numbers = {name: value for name, value in params.items() if name not in OPTIONS}
    for name in numbers:
        if name in ALL_OPTIONS:
            raise InputError(f"substitute takes no {name}")
    _refuse_lists(numbers)
    expr = plain(bound(theorem, options, numbers))
    return by_name(expr.subs(numbers_in(theorem, numbers), simultaneous=True))


def _named(theorem: Theorem, given: Any, expr: Any) -> Any:
    """The symbol of a parameter that occurs in ``expr``."""
    symbol = symbol_of(given)
    if not isinstance(symbol, sympy.Symbol):
        raise InputError(f"a parameter is named by text or by its symbol, got {given!r}")
    if symbol not in expr.free_symbols:
        if symbol.name in TABLE and not accepts(theorem, symbol.name) and not TABLE[symbol.name].internal:
            raise unknown_parameter(theorem, symbol.name)
        raise _absent(symbol.name, expr)
    return symbol


@alone
def derivative(theorem: Theorem, names: tuple[Any, ...], options: Mapping[str, Any]) -> Any:
    """See :meth:`cmbound.evaluation.statement.Statement.diff`."""
    if not names:
        raise InputError("name the parameter to differentiate by")
    expr = bound(theorem, options, names)
    return expr.diff(*(_named(theorem, x, expr) for x in names))


@alone
def function(theorem: Theorem, names: tuple[Any, ...], params: Mapping[str, Any]) -> Callable[..., Any]:
    """See :meth:`cmbound.evaluation.statement.Statement.lambdify`."""
    numbers = {x: y for x, y in params.items() if x not in OPTIONS}
    _refuse_lists(numbers)
    expr = _closed(theorem, {name: params.get(name) for name in OPTIONS}, _instead((*names, *numbers)))
    expr = expr.subs(numbers_in(theorem, numbers), simultaneous=True)
    present = [x for x in TABLE if TABLE[x].symbol in expr.free_symbols]
    chosen = [_named(theorem, x, expr).name for x in names] if names else present
    checked_distinct("the arguments of lambdify", chosen)
    missing = [f"{x} ({TABLE[x].meaning})" for x in present if x not in chosen]
    if missing:
        raise InputError(f"the bound of {theorem.id} needs {', '.join(missing)} too: a number, or its name among the arguments")
    which = one_profile(params.get("profile"))
    searched = which is not None and (which.own or combinable(((which, which.rules[EI]),)))
    compiled = approximate.compile((expr,), tuple(TABLE[x].symbol for x in chosen))

    def bound_at(*args: Any, **named: Any) -> Any:
        given = dict(zip(chosen, args, strict=False)) | named
        if len(args) + len(named) != len(chosen) or set(given) != set(chosen):
            raise InputError(f"the bound of {theorem.id} is a function of {', '.join(chosen)}, each given once")
        if searched:  # the best stretches depend on the numbers, and so does what a user's profile must satisfy
            absent = {x: y for x, y in _ANY.items() if x not in {*params, *given} and accepts(theorem, x)}
            values = {**absent, **params, **{x: _number_or_array(y) for x, y in given.items()}}
            return arrays.approximate(theorem, values).total
        return compiled(*(given[x] for x in chosen))[0]

    bound_at.__doc__ = f"The bound of {theorem.id} in float64, as a function of {', '.join(chosen)} (numbers or arrays)."
    return bound_at


def _number_or_array(x: Any) -> Any:
    return x if np.ndim(x) == 0 else np.asarray(x)


def _closed(theorem: Theorem, options: Mapping[str, Any], instead: frozenset[str]) -> Any:
    """The sum of the terms with the forms float64 needs still inside."""
    profile, teacher, to, start, clock = (options[x] for x in ("profile", "teacher", "to", "start", "clock"))
    if profile == "auto":
        raise InputError(f"auto has no closed form: {_WANTED_PROFILE}")
    require_formula(theorem)
    terms = computable_terms(theorem, profile, teacher or EI, to, start, clock, instead)
    expr = Add(*(x.expression for x in terms))
    if expr.has(sympy.Sum):
        raise InputError(f"teacher {teacher!r} has no closed form in h: use approximate")
    if expr.has(Placeholder):
        raise InputError(f"the bound of {theorem.id} depends on the profile: {_WANTED_PROFILE}")
    return expr


def numbers_in(theorem: Theorem, numbers: Mapping[str, Any]) -> dict[Any, Any]:
    """Exact numbers by symbol; noise levels become times."""
    values: dict[Any, Any] = {}
    for name, value in exact_scalars(theorem, numbers).items():
        number = sympy.Rational(value.numerator, value.denominator)
        if name in ALIASES:
            name, number = ALIASES[name], sympy.log(1 + number**2) / 2
        values[TABLE[name].symbol] = number
    return values
