"""The records of cmbound: statements, their parts, and the results of evaluating them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from cmbound.checks import (
    checked_distinct,
    checked_expression,
    checked_kind,
    checked_name,
    checked_relation,
    checked_symbols,
    checked_text,
    checked_tuple,
)
from cmbound.errors import InputError
from cmbound.frozen import FrozenDict, Record
from cmbound.numbers import rounded
from cmbound.theory.notation import PUBLIC, TABLE

KINDS = ("order", "explicit", "exact")
STATUSES = ("stated", "implied", "proved", "unconfirmed")
KNOWN = ("verbatim", "secondary", "derived", "abstract", "memory")
RESERVED = frozenset({"total", "trivial", "dominating", "dominating_term"})
"""Names of columns beside those of the terms, which no term can have."""
_IN_TERMS = (*PUBLIC, "t_prev")


@dataclass(frozen=True)
class Assumption:
    """Something a statement assumes.

    Attributes:
        id: short name, unique within a statement.
        text: what is assumed.
        predicate: a SymPy relation over parameters (checked at evaluation), or None (reported as assumed).
    """

    id: str
    text: str
    predicate: Any = None

    def __post_init__(self) -> None:
        checked_text("the id of an assumption", self.id)
        checked_text(f"the text of assumption {self.id!r}", self.text)
        checked_relation(f"the predicate of assumption {self.id!r}", self.predicate, PUBLIC)


@dataclass(frozen=True)
class Reference:
    """Where a statement is found: a key of ``references.bib`` and a place in that work."""

    key: str
    place: str

    def __post_init__(self) -> None:
        checked_text("the key of a reference", self.key)
        checked_text(f"the place in {self.key}", self.place)

    def __str__(self) -> str:
        return f"{self.key}, {self.place}"


@dataclass(frozen=True)
class Term:
    """One named term of a statement.

    Attributes:
        name: ``initialisation``, ``consistency``, ``score``, ``discretisation``, ``early_stopping``, ...
        expression: an exact SymPy expression.
    """

    name: str
    expression: Any

    def __post_init__(self) -> None:
        checked_text("the name of a term", self.name)
        checked_expression(f"term {self.name!r}", self.expression)


@dataclass(frozen=True, eq=False, repr=False)
class Theorem(Record):
    """A statement: metric <= sum of named terms, under assumptions.

    Attributes:
        id: permanent name.
        title: one line.
        kind: ``order`` (hidden constant C, not a bound), ``explicit`` (a bound) or ``exact`` (an equality).
        status: ``stated`` or ``implied`` (order form, see theory 2), ``proved`` (explicit form).
        metric: what is bounded, in words (``W2``, ``TV``, ...).
        quantity: the left-hand side, in text; ``{target}`` is p_data or p_delta.
        quantity_latex: the same in LaTeX.
        reference: where it is stated or proved.
        provenance: how its form is known.
        sources: the terms, possibly with the place-holders of :mod:`cmbound.theory.variants`.
        statement_assumptions: what it assumes, beyond what the regularity profile adds.
        derivation: the proof in short.
        rests_on: ids of statements it uses.
        recursion: for multistep sampling, the terms after one more evaluation, in ``W_prev`` (the same term before).
        ve_factor: factor from the OU to the variance-exploding clock (None: stated in the OU clock only).
        free: parameters of the algorithm, not of the model, that an evaluation chooses best where they are left out.
        known: how sure the form is: ``verbatim`` (read in the source itself), ``secondary`` (quoted by others), ``derived``
            (proved here), ``abstract`` (read in the abstract only) or ``memory`` (not confirmed).
        clock: ``ou``, ``ve`` or another clock the source uses, in words.
        aliases: the source's own symbols, by the name they have here.
        complexity: number of steps, or of iterations, for accuracy ``eps`` in the metric of ``complexity_metric``, up to a
            constant and logarithms (None: not known).
        complexity_metric: the metric of that accuracy (empty: ``metric``).
    """

    id: str
    title: str
    kind: str
    status: str
    metric: str
    quantity: str
    quantity_latex: str
    reference: Reference
    provenance: str
    sources: tuple[Term, ...]
    statement_assumptions: tuple[Assumption, ...]
    derivation: str
    rests_on: tuple[str, ...] = ()
    recursion: tuple[Term, ...] = ()
    ve_factor: Any = None
    free: tuple[str, ...] = ()
    known: str = "derived"
    clock: str = "ou"
    aliases: Mapping[str, str] = field(default_factory=dict)
    complexity: Any = None
    complexity_metric: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        here = f"statement {checked_text('the id of a statement', self.id)!r}"
        checked_name(f"kind of {here}", self.kind, KINDS)
        checked_name(f"status of {here}", self.status, STATUSES)
        checked_name(f"known of {here}", self.known, KNOWN)
        for name in ("title", "metric", "quantity", "quantity_latex", "clock"):
            checked_text(f"{name} of {here}", getattr(self, name))
        checked_kind(f"the reference of {here}", self.reference, Reference)
        checked_tuple(f"the assumptions of {here}", self.statement_assumptions, Assumption)
        checked_distinct(f"the assumptions of {here}", (x.id for x in self.statement_assumptions))
        self._check_quantity(here)
        self._check_terms(here)
        for name in ("ve_factor", "complexity"):
            if getattr(self, name) is not None:
                checked_expression(f"{name} of {here}", getattr(self, name), PUBLIC)
        for name in self.aliases:
            checked_name(f"parameter among the aliases of {here}", name, PUBLIC)

    def _check_quantity(self, here: str) -> None:
        try:
            self.quantity.format(target="p_data")
        except (LookupError, ValueError):
            raise InputError(
                f"quantity of {here} may have {{target}} in braces and nothing else, got {self.quantity!r}"
            ) from None

    def _check_terms(self, here: str) -> None:
        from cmbound.theory.variants import Placeholder

        for what, terms in (("terms", self.sources), ("terms of the recursion", self.recursion)):
            checked_tuple(f"the {what} of {here}", terms, Term)
            checked_distinct(f"the {what} of {here}", (x.name for x in terms))
            for term in terms:
                if term.name in RESERVED or term.name in TABLE:
                    raise InputError(f"a term of {here} is called {term.name!r}, which is the name of a parameter or of a column")
                checked_symbols(f"term {term.name!r} of {here}", term.expression, _IN_TERMS)
                for holder in term.expression.atoms(Placeholder):
                    if not holder.is_whole:
                        raise InputError(f"term {term.name!r} of {here} has numbers put into a place-holder: {holder}")
        names = [x.name for x in self.sources]
        for term in self.recursion:
            checked_name(f"term in the recursion of {here}", term.name, names)
        self._check_recursion(here)
        present = {x.name for term in self.sources for x in term.expression.free_symbols}
        for name in self.free:
            checked_name(f"free parameter of {here}", name, [x for x in PUBLIC if x in present])

    def _check_recursion(self, here: str) -> None:
        slopes = {x.expression.diff(TABLE["W_prev"].symbol) for x in self.recursion}
        if len(slopes) > 1 or any(x.has(TABLE["W_prev"].symbol) for x in slopes):
            raise InputError(
                f"every term in the recursion of {here} must be linear in W_prev, with the same factor; got {slopes}"
            )

    def __repr__(self) -> str:
        return f"<Theorem {self.id}: {self.title}>"

    # --- reading --------------------------------------------------------------------------------------------------

    @property
    def evaluable(self) -> bool:
        """Whether the formula is known in full (a statement without terms is listed with its complexity only)."""
        return bool(self.sources)

    @property
    def uses_profile(self) -> bool:
        """Whether a regularity profile, a teacher and a grid enter."""
        from cmbound.theory.variants import LocalErrorSum

        return any(term.expression.has(LocalErrorSum) for term in self.sources)

    @property
    def uses_schedule(self) -> bool:
        """Whether it is about several evaluations, whose times may be given one by one."""
        from cmbound.theory.variants import LastTime, ScheduleSum

        return bool(self.recursion) or any(term.expression.has(ScheduleSum, LastTime) for term in self.sources)

    @property
    def has_target(self) -> bool:
        """Whether the statement is about the distance to p_data, with the distance to p_delta inside it."""
        return any(term.name == "early_stopping" for term in self.sources) and self.kind != "order"

    @property
    def uses_start(self) -> bool:
        """Whether the law sampling starts from enters."""
        from cmbound.theory.variants import StartGap

        return any(term.expression.has(StartGap) for term in self.sources)

    def formula(self, **options: Any) -> tuple[Term, ...]:
        """The named terms as closed expressions.

        Args:
            options: ``profile`` (a name or a :class:`~cmbound.theory.profiles.Profile`; without one the sum of local
                teacher errors stays a function E_h), ``teacher``, ``to``, ``start``, ``clock`` as in
                :meth:`evaluate`.

        Raises:
            InputError: an option that does not exist or does not fit the statement.
        """
        from cmbound.evaluation.expressions import terms_by_name

        return terms_by_name(self, options)

    @property
    def terms(self) -> tuple[Term, ...]:
        """The named terms in closed form (exponential-integrator teacher, largest step h, any profile E_h)."""
        return self.formula()

    @property
    def expression(self) -> Any:
        """The sum of :attr:`terms`, an exact SymPy expression; ``sympy.expand_func`` unfolds the named functions.

        Like :meth:`formula`, :meth:`substitute` and :meth:`diff` it finds parameters by name: ``sympy.diff(expression, "L_f")``,
        ``expression.subs({"h": "1/1000"})``; so do the results of its own methods and operators. SymPy knows nothing of names:
        in what its functions make of it (``sympy.exp(expression)``, ``sympy.Add(...)``), in its ``args`` and in a lone symbol,
        ``"L_f"`` and ``Symbol("L_f")`` are other symbols, and a derivative by them is 0. There use :attr:`symbols`.
        """
        from cmbound.evaluation.expressions import bound

        return bound(self, {})

    @property
    def symbols(self) -> Mapping[str, Any]:
        """The SymPy symbols of the parameters, by name, which all of SymPy understands.

        They know their domains (L_f >= 1, d an integer) and are not equal to ``Symbol("L_f")``, for which see
        :attr:`expression`.

        >>> import cmbound
        >>> cmbound.theorem("explicit-one-step").symbols["L_f"]
        L_f
        """
        return FrozenDict({x.name: x.symbol for x in (*self.parameters, *self.optional_parameters)})

    def diff(self, *names: Any, **options: Any) -> Any:
        """A derivative of the bound, exact.

        Args:
            names: parameters, as text or symbols, one after the other (``diff("L_f", "d")`` is a second derivative).
            options: as for :meth:`formula`. Without a profile the derivative of the sum of the local teacher errors stays
                unevaluated; with a profile of two rules the time of the change is held fixed.

        Returns:
            A SymPy expression in :attr:`symbols`.

        Raises:
            UnknownNameError: no such parameter.
            InputError: the parameter does not occur in the bound, or an option that does not fit.

        >>> import cmbound
        >>> cmbound.theorem("explicit-one-step").diff("eps_cm")
        T - delta
        """
        from cmbound.evaluation.expressions import derivative

        return derivative(self, names, options)

    def lambdify(self, *names: Any, **params: Any) -> Callable[..., Any]:
        """The bound as a float64 function of some parameters, which agrees with :meth:`approximate`.

        Args:
            names: its arguments, as text or symbols, in this order (default: all parameters left, in the order of the table).
            params: numbers for the other parameters, and the options of :meth:`formula` (one profile by name).

        Returns:
            A function of numbers or arrays that broadcast, by position or by name; it does not check their domains (with a
            profile given by a user it is :meth:`approximate`, which does, and raises what that raises).

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
        from cmbound.evaluation.expressions import function

        return function(self, names, params)

    @property
    def assumptions(self) -> tuple[Assumption, ...]:
        """What the statement assumes (an evaluation adds what the winning profiles assume)."""
        return self.statement_assumptions

    @property
    def parameters(self) -> tuple[Any, ...]:
        """Rows of the table of symbols: the parameters that must be given."""
        from cmbound.theory.formulas import required

        return tuple(TABLE[name] for name in required(self) if name not in self.free)

    @property
    def optional_parameters(self) -> tuple[Any, ...]:
        """Rows of the table of symbols: those that may be given besides (profiles, grids, noise levels, free parameters)."""
        from cmbound.theory.formulas import optional

        return tuple(TABLE[name] for name in (*self.free, *optional(self)))

    def latex(self, **options: Any) -> str:
        """The statement as LaTeX math, ``quantity \\le expression`` (options as for :meth:`formula`)."""
        from cmbound.theory.formulas import latex_statement

        return latex_statement(self, **options)

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"

    def substitute(self, **params: Any) -> Any:
        """The expression with exact numbers put in and everything else left symbolic.

        Args:
            params: numbers (read as in :meth:`evaluate`) and the options of :meth:`formula`.

        Returns:
            A SymPy expression.

        Raises:
            CmboundError: as for :meth:`evaluate`, except that nothing is missing.
        """
        from cmbound.evaluation.expressions import substituted_by_name

        return substituted_by_name(self, params)

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
        from cmbound.evaluation.point import evaluate

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
        from cmbound.evaluation.arrays import approximate

        return approximate(self, params)


@dataclass(frozen=True)
class TermValue:
    """One term of an evaluation: ``value`` (upper end, float), the decimal enclosure, and its share of the sum."""

    name: str
    value: float
    lower: Decimal
    upper: Decimal
    share: float


class Terms(Mapping[str, TermValue]):
    """The terms of an evaluation by name, in the order of the statement."""

    def __init__(self, values: tuple[TermValue, ...]) -> None:
        checked_distinct("the terms of an evaluation", (x.name for x in values))
        self._values = FrozenDict({x.name: x for x in values})

    def __hash__(self) -> int:
        return hash(self._values)

    def __reduce__(self) -> Any:
        return Terms, (tuple(self._values.values()),)

    def __getitem__(self, name: str) -> TermValue:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Terms({', '.join(f'{x.name}={rounded(x.upper)}' for x in self.values())})"


@dataclass(frozen=True)
class Stretch:
    """A stretch [start, end] (times, OU clock) on which one profile was used, in the map error at ``at``."""

    profile: str
    start: float
    end: float
    at: float


@dataclass(frozen=True)
class Step:
    """The bound after one evaluation of a multistep sampler: its number, its time, total and terms."""

    k: int
    t: float
    value: float
    lower: Decimal
    upper: Decimal
    terms: Terms


@dataclass(frozen=True)
class CheckedAssumption:
    """An assumption of an evaluation: ``checked`` (decided from the parameters) or ``assumed``."""

    id: str
    text: str
    status: str


@dataclass(frozen=True)
class Enclosed:
    """A number that follows from the parameters, as a decimal enclosure."""

    lower: Decimal
    upper: Decimal


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation(Record):
    """A statement evaluated at one point: the enclosure [lower, upper], its terms, and everything it assumed.

    ``float(evaluation)`` and ``value`` are the upper end, rounded up. In the approximate tier ``lower`` and ``upper``
    are the float64 value itself and certify nothing. ``unused`` are the names that were given and enter nothing, with the reason.
    """

    theorem: Theorem
    tier: str
    value: float
    lower: Decimal
    upper: Decimal
    terms: Terms
    profile: str | None
    stretches: tuple[Stretch, ...]
    teacher: str | None
    grid: Mapping[str, Any] | None
    target: str | None
    start: str | None
    clock: str
    parameters: Mapping[str, Any]
    derived: Mapping[str, Enclosed]
    assumptions: tuple[CheckedAssumption, ...]
    trivial: float | None
    steps: tuple[Step, ...] | None = None
    unused: tuple[tuple[str, str], ...] = ()

    def __float__(self) -> float:
        return self.value

    def __repr__(self) -> str:
        return f"<Evaluation of {self.theorem.id}: {self.quantity} {rounded(self.upper)}, {self.tier}>"

    @property
    def is_guarantee(self) -> bool:
        """Whether ``upper`` bounds the metric: certified, explicit (or exact), and read in its source or proved here."""
        known = self.theorem.known in ("verbatim", "derived")
        return self.theorem.kind != "order" and known and self.tier == "certified"

    @property
    def dominating_term(self) -> str | None:
        """Name of the largest term (None if all vanish)."""
        largest = max(self.terms.values(), key=lambda x: x.upper)
        return largest.name if largest.upper > 0 else None

    @property
    def vacuous(self) -> bool | None:
        """Whether always answering 0 (for TV: any law at all) has a guarantee at least as good (None: no such yardstick)."""
        return None if self.trivial is None else self.value >= self.trivial

    @property
    def quantity(self) -> str:
        """The left-hand side, in text."""
        return self.theorem.quantity.format(target=self.target)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must be told besides the number."""
        from cmbound.output.notes import notes

        return notes(self)

    def to_dict(self) -> dict[str, Any]:
        """The evaluation as JSON-ready data (the shape of ``cmbound evaluate --format json``)."""
        from cmbound.output.data import evaluation_data

        return evaluation_data(self)

    def latex(self) -> str:
        """The evaluation as LaTeX math, ``quantity \\le value``."""
        from cmbound.output.tables import evaluation_latex

        return evaluation_latex(self)

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"

    def _repr_html_(self) -> str:
        from cmbound.output.tables import evaluation_html

        return evaluation_html(self)


@dataclass(frozen=True, eq=False)
class Approximation(Record):
    """float64 values over arrays: ``total`` and ``terms`` (by name), all of the broadcast shape.

    ``unused`` are the names that were given and enter nothing at any point, with the reason.
    """

    total: Any
    terms: Mapping[str, Any]
    unused: tuple[tuple[str, str], ...] = ()
