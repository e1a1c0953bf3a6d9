"""A statement with its verbs: what :func:`cmbound.theorem` returns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from functools import cache
from typing import TYPE_CHECKING, Any

from cmbound.catalogue import catalogue, ids, listed, record
from cmbound.checks import checked_name
from cmbound.errors import InputError, UnknownNameError
from cmbound.evaluation import above
from cmbound.evaluation.arrays import approximate
from cmbound.evaluation.defining import OPTIONS, defined, from_file
from cmbound.evaluation.expressions import (
    bare_terms,
    bound,
    derivative,
    function,
    named_terms,
    substituted_by_name,
    terms_by_name,
)
from cmbound.evaluation.point import evaluate
from cmbound.evaluation.records import Approximation, Evaluation
from cmbound.evaluation.shown import statement_report
from cmbound.frozen import FrozenDict
from cmbound.reports.report import Report, Result
from cmbound.theory.formulas import latex_statement, optional_rows, required_rows
from cmbound.theory.records import Term, Theorem


class _Symbols(FrozenDict[str, Any]):
    """Symbols by name; a name that is not among them is an error that says which are."""

    def __missing__(self, name: object) -> Any:
        raise UnknownNameError("parameter", name, self)


class _ByName:
    """A field of a statement with terms: handed out so that parameters are found by name, held (and computed with) without."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, statement: Statement | None, owner: type | None = None) -> Any:
        if statement is None:
            return self
        held = statement.__dict__
        return held.get(f"_{self.name}") or held.setdefault(f"_{self.name}", named_terms(held[self.name]))

    def __set__(self, statement: Statement, terms: Any) -> None:
        statement.__dict__[self.name] = bare_terms(terms)


class Statement(Result, Theorem):
    """A :class:`~cmbound.theory.records.Theorem`, whose fields it has, that evaluates and prints itself."""

    if not TYPE_CHECKING:
        sources = _ByName()
        recursion = _ByName()

    @classmethod
    def of(cls, theorem: Theorem) -> Statement:
        """The theorem as a statement."""
        return theorem if isinstance(theorem, cls) else cls(**{x.name: getattr(theorem, x.name) for x in fields(theorem)})

    @classmethod
    def define(cls, id: str, terms: Mapping[str, Any], **options: Any) -> Statement:
        """A statement of your own, which everything that takes an id takes too.

        Args:
            id: its name.
            terms: the named terms of the bound: SymPy expressions (parameters by name or from :func:`cmbound.symbol`), numbers,
                or texts such as ``"L_f*eps_sc*(T - delta)"``, whose decimals are exact. With the names of the catalogue
                (``score``, ``consistency``, ``discretisation``, ...) :func:`cmbound.solve` shares a target among them.
            options: ``title``, ``metric`` (default W2), ``kind`` (``explicit``, ``order`` with the constant C, ``exact``),
                ``quantity`` and ``quantity_latex`` (the left-hand side), ``assumptions`` (prose, inequalities that each
                evaluation checks, or :class:`~cmbound.Assumption`), ``reference`` (``"key, place"``), ``derivation``,
                ``rests_on`` (ids of the catalogue or of statements of yours, defined before), ``free`` (parameters an evaluation
                may choose), ``experiment`` (what :func:`cmbound.check` simulates), ``remark``, ``complexity``.

        Raises:
            InputError: a term is no exact expression that can be computed. UnknownNameError: an unknown symbol.

        >>> import cmbound
        >>> kap = cmbound.symbol("kap", domain=">= 0", meaning="curvature of the data manifold")
        >>> mine = cmbound.Statement.define("mine", {"score": "L_f*eps_sc*(T - delta)", "curvature": kap**2})
        >>> float(mine.evaluate(L_f=2, eps_sc="0.01", T=4, delta="0.5", kap="1/2"))
        0.32
        """
        for name in options:
            checked_name("option of a definition", name, OPTIONS)
        made = cls.of(defined(id, terms, **options))
        if id in catalogue:
            raise InputError(f"there is another statement {id!r}: take another id")
        for name in made.rests_on:
            checked_name(f"statement that {id!r} rests on", name, (*ids(), *_registered, *_defined))
        _defined.add(id)
        return made

    def __repr__(self) -> str:
        return Theorem.__repr__(self)

    def report(self, **options: Any) -> Report:
        """Everything known about the statement (options as for :meth:`formula`)."""
        return statement_report(self, **options)

    def formula(self, **options: Any) -> tuple[Term, ...]:
        """The named terms as closed expressions.

        Args:
            options: ``profile`` (a name or a :class:`~cmbound.theory.rules.Profile`; without one the sum of local
                teacher errors stays a function E_h), ``teacher``, ``to``, ``start``, ``clock`` as in
                :meth:`evaluate`. Of a profile it is the first rule on the whole range: an evaluation, which takes the best
                path of stretches, is never larger.

        Raises:
            InputError: an option that does not exist or does not fit the statement.
        """
        return terms_by_name(self, options)

    @property
    def terms(self) -> tuple[Term, ...]:
        """The named terms in closed form (exponential-integrator teacher, largest step h, any profile E_h)."""
        return self.formula()

    @property
    def expression(self) -> Any:
        """The sum of :attr:`terms`, an exact SymPy expression; ``sympy.expand_func`` unfolds the named functions.

        Like :meth:`formula`, :meth:`substitute` and :meth:`diff` it finds parameters by name: ``sympy.diff(expression, "L_f")``,
        ``expression.subs({"h": "1/1000"})``; so do the results of its own methods and operators. A derivative by the name of a
        parameter that does not occur is an error, by its symbol it is 0. SymPy knows nothing of names:
        in what its functions make of it (``sympy.exp(expression)``, ``sympy.Add(...)``), in its ``args`` and in a lone symbol,
        ``"L_f"`` and ``Symbol("L_f")`` are other symbols, and a derivative by them is 0. There use :attr:`symbols`.
        """
        return bound(self, {})

    @property
    def symbols(self) -> Mapping[str, Any]:
        """The SymPy symbols of the parameters, by name, which all of SymPy understands.

        They know their domains (L_f >= 1, d an integer) and are not equal to ``Symbol("L_f")``, for which see
        :attr:`expression`. To ask for another name by ``symbols[name]`` raises UnknownNameError.

        >>> import cmbound
        >>> cmbound.theorem("explicit-one-step").symbols["L_f"]
        L_f
        """
        return _Symbols({x.name: x.symbol for x in (*self.parameters, *self.optional_parameters)})

    def diff(self, *names: Any, **options: Any) -> Any:
        """A derivative of the bound, exact.

        Args:
            names: parameters, as text or symbols, one after the other (``diff("L_f", "d")`` is a second derivative).
            options: as for :meth:`formula`. Without a profile the derivative of the sum of the local teacher errors stays
                unevaluated; with one it is that of :meth:`formula`. What is named is taken as given: ``sd2`` then stands for m2
                where the profile allows it, and so on.

        Returns:
            A SymPy expression in :attr:`symbols`.

        Raises:
            UnknownNameError: no such parameter.
            InputError: the parameter does not occur in the bound, or an option that does not fit.

        >>> import cmbound
        >>> cmbound.theorem("explicit-one-step").diff("eps_cm")
        T - delta
        """
        return derivative(self, names, options)

    def lambdify(self, *names: Any, **params: Any) -> Callable[..., Any]:
        """The bound as a float64 function of some parameters, which agrees with :meth:`approximate`.

        Args:
            names: its arguments, as text or symbols, in this order (default: all parameters left, in the order of the table).
            params: numbers for the other parameters, and the options of :meth:`formula` (one profile by name).

        Returns:
            A function of numbers or arrays that broadcast, by position or by name; it does not check their domains (with a
            profile whose best stretches are looked for, or one given by a user, it is :meth:`approximate`, which does, and
            raises what that raises).

        Raises:
            UnknownNameError: no such parameter.
            InputError: a parameter that does not occur, one that is missing, or a bound without a closed form.

        >>> import cmbound
        >>> f = cmbound.theorem("explicit-one-step").lambdify(
        ...     "h", "L_f", profile="universal", eps_sc="1e-3", eps_cm="1e-3", d=2, m2="1.2", T=5, delta="1e-4"
        ... )
        >>> round(float(f(1e-4, 1)), 4)
        0.0738
        """
        return function(self, names, params)

    @property
    def parameters(self) -> tuple[Any, ...]:
        """Rows of the table of symbols: the parameters that must be given."""
        return required_rows(self)

    @property
    def optional_parameters(self) -> tuple[Any, ...]:
        """Rows of the table of symbols: those that may be given besides (profiles, grids, noise levels, free parameters)."""
        return optional_rows(self)

    def latex(self, **options: Any) -> str:
        """The statement as LaTeX math, ``quantity \\le expression`` (options as for :meth:`formula`)."""
        return latex_statement(self, **options)

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"

    def substitute(self, **params: Any) -> Any:
        """The expression with exact numbers put in and everything else left symbolic.

        Args:
            params: numbers (read as in :meth:`evaluate`) and the options of :meth:`formula`, of whose profile it is the first
                rule on the whole range. Numbers enter as in an evaluation: ``sd2`` in the place of m2, and so on.

        Returns:
            A SymPy expression.

        Raises:
            CmboundError: as for :meth:`evaluate`, except that nothing is missing. InputError: a list.
        """
        return substituted_by_name(self, params)

    def explore(self, **params: Any) -> Any:
        """A page with a slider for every parameter, which a notebook shows (:func:`cmbound.explore`, which has the arguments).

        >>> import cmbound
        >>> cmbound.theorem("explicit-one-step").explore(preset="gaussian-2d", h="1e-4")
        <Explorer: explicit-one-step>
        """
        return above.explore(self, **params)

    # --- numbers --------------------------------------------------------------------------------------------------

    def evaluate(self, **params: Any) -> Evaluation:
        """The certified value at one point.

        Args:
            params: the numbers, by name (:attr:`parameters`, :attr:`optional_parameters`): int, Fraction, Decimal,
                text such as ``"1/3"``, or a float, taken as the exact binary number it is. Options:
                ``profile`` (``"auto"``, a name, a Profile, or a sequence of them), ``grid`` (a kind, a
                :class:`~cmbound.theory.grids.Grid` or an increasing array of times), ``teacher``, ``to``, ``start``,
                ``clock``, ``preset`` and ``digits`` (relative accuracy of the enclosure, default 15).

        Returns:
            An :class:`Evaluation`.

        Raises:
            MissingParameterError, UnknownNameError, InputError: the question is incomplete or not understood.
            DomainError: a number outside its domain, or a violated assumption.
            UndecidedError: no enclosure of the wanted accuracy at the highest precision.
        """
        return evaluate(self, params)

    def approximate(self, **params: Any) -> Approximation:
        """The float64 value, over arrays that broadcast.

        Args:
            params: as for :meth:`evaluate` (without ``digits``), with numpy arrays of any broadcastable shapes.

        Returns:
            An :class:`Approximation` of the broadcast shape.

        Raises:
            CmboundError: as for :meth:`evaluate`; for an array the first offending value is named.
        """
        return approximate(self, params)


_registered: dict[str, Statement] = {}
"""Those of a user, by id."""
_defined: set[str] = set()
"""Ids of those a user defined, registered or not: others may rest on them."""


@cache
def _catalogued(id: str) -> Statement:
    return Statement.of(record(id))


def statements() -> tuple[Statement, ...]:
    """All statements of the catalogue, in order, and after them those that were registered."""
    return (*map(_catalogued, ids()), *_registered.values())


def about(experiment: str) -> Iterator[Statement]:
    """Those that an experiment checks, in the same order; no other is built."""
    yield from (_catalogued(x.id) for x in listed() if x.experiment == experiment)
    yield from (x for x in _registered.values() if x.experiment == experiment)


def register(statement: Theorem) -> Statement:
    """Let a statement of one's own be found by its id, in the place of an earlier one of one's own.

    Raises:
        InputError: the id is that of another statement.

    >>> import cmbound
    >>> mine = cmbound.register(cmbound.Statement.define("my-bound", {"score": "L_f*eps_sc"}))
    >>> cmbound.theorem("my-bound") == mine
    True
    """
    found = Statement.of(statement)
    if found.id in catalogue:
        raise InputError(f"there is another statement {found.id!r}: take another id")
    _registered[found.id] = found
    return found


def register_files(paths: Iterable[str]) -> None:
    """Register what files define (:func:`cmbound.evaluation.defining.from_file`).

    Raises:
        InputError: a file cannot be read, or two different statements have one id.
    """
    found: dict[str, tuple[Statement, str]] = {}
    for path in paths:
        for x in map(Statement.of, from_file(path)):
            other, where = found.setdefault(x.id, (x, path))
            if x != other:
                places = f"twice in {path}" if where == path else f"in {where} and in {path}"
                raise InputError(f"two different statements are called {x.id!r}, {places}: give one of them another id")
    for x, _ in found.values():
        register(x)


def theorem(id: str | Theorem) -> Statement:
    """The statement with this id; a statement itself is returned.

    Raises:
        UnknownNameError: there is none; the message names the nearest one.

    >>> import cmbound
    >>> cmbound.theorem("explicit-one-step").metric
    'W2'
    """
    if isinstance(id, Theorem):
        return Statement.of(id)
    if not isinstance(id, str) or not (id in _registered or id in catalogue):
        raise UnknownNameError("statement", id, (*ids(), *_registered))
    return _registered[id] if id in _registered else _catalogued(id)
