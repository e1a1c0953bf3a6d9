"""The records of the catalogue: what a statement is made of, and what is claimed of its order.

The verbs of a statement are in :mod:`cmbound.evaluation.statement`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from cmbound import names
from cmbound.checks import checked_distinct, checked_kind, checked_name, checked_text, checked_tuple
from cmbound.errors import InputError
from cmbound.frozen import Record
from cmbound.theory.expressions import checked_expression, checked_relation, checked_symbols
from cmbound.theory.notation import PUBLIC, TABLE, Parameter, add
from cmbound.theory.prose import Prose
from cmbound.theory.variants import LastTime, LocalErrorSum, Placeholder, ScheduleSum, StartGap

KINDS = ("order", "explicit", "exact")
STATUSES = ("stated", "implied", "proved", "unconfirmed")
KNOWN = ("verbatim", "secondary", "derived", "abstract", "memory", "own")
CONFIRMED = ("verbatim", "derived", "own")
"""Forms that are bounds where their statement is explicit: read in the source, proved here, or answered for by their author."""
CLOCKS = (*names.CLOCKS, "heat", "unit interval", "discrete")
"""The clocks of the sources; parameters of those that are not of OU or VE are their own."""
RESERVED = frozenset({"total", "trivial", "dominating", "dominating_term"})
"""Names of columns beside those of the terms, which no term can have."""
_IN_TERMS = (*PUBLIC, "t_prev")


@dataclass(frozen=True)
class Assumption:
    """Something a statement assumes.

    Attributes:
        id: short name, unique within a statement.
        text: what is assumed; math may stand between dollar signs (:class:`~cmbound.theory.prose.Prose`).
        predicate: a SymPy relation over parameters (checked at evaluation), or None (reported as assumed).

    >>> import cmbound
    >>> cmbound.Assumption("A1", "the data have a finite second moment m2").predicate is None
    True
    """

    id: str
    text: str
    predicate: Any = None

    def __post_init__(self) -> None:
        checked_text("the id of an assumption", self.id)
        object.__setattr__(self, "text", Prose(checked_text(f"the text of assumption {self.id!r}", self.text)))
        checked_relation(f"the predicate of assumption {self.id!r}", self.predicate, PUBLIC)


@dataclass(frozen=True)
class Reference:
    """Where a statement is found: a key of ``references.bib`` and a place in that work.

    >>> import cmbound
    >>> print(cmbound.Reference("lyu2023", "Theorem 3"))
    lyu2023, Theorem 3
    """

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

    >>> import cmbound
    >>> L_f, m2 = cmbound.symbol("L_f"), cmbound.symbol("m2")
    >>> cmbound.Term("initialisation", L_f * m2)
    Term(name='initialisation', expression=L_f*m2)
    """

    name: str
    expression: Any

    def __post_init__(self) -> None:
        checked_text("the name of a term", self.name)
        checked_expression(f"term {self.name!r}", self.expression)


@dataclass(frozen=True)
class Pair:
    """An explicit statement beside the order forms of the same quantity, of which the last one is printed.

    Attributes:
        title: the quantity in a few words.
        order: ids of the order forms.
        explicit: id of the explicit statement.
    """

    title: str
    order: tuple[str, ...]
    explicit: str


@dataclass(frozen=True, eq=False, repr=False)
class Theorem(Record):
    """A statement: metric <= sum of named terms, under assumptions.

    Attributes:
        id: permanent name.
        title: one line; math may stand between dollar signs, here and in ``metric`` (:class:`~cmbound.theory.prose.Prose`).
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
            (proved here), ``abstract`` (read in the abstract only), ``memory`` (not confirmed) or ``own`` (a user's).
        clock: the clock of the source: ``ou``, ``ve``, ``heat``, ``unit interval`` or ``discrete``.
        aliases: the source's own symbols, by the name they have here.
        complexity: number of steps, or of iterations, for accuracy ``eps`` in the metric of ``complexity_metric``, up to a
            constant and logarithms (None: not known).
        complexity_metric: the metric of that accuracy (empty: ``metric``).
        experiment: what can be simulated to check it, a name of :mod:`cmbound.verification.experiments` (empty: nothing).
        remark: what a reader of each evaluation must be told (empty: nothing).
        own_parameters: rows of the table of symbols that a user added for it, entered again wherever the statement comes.

    >>> import cmbound
    >>> statement = cmbound.theorem("lyu2023-thm3")
    >>> isinstance(statement, cmbound.Theorem), statement.kind, str(statement.reference)
    (True, 'order', 'lyu2023, Theorem 3')
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
    experiment: str = ""
    remark: str = ""
    own_parameters: tuple[Parameter, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        here = f"statement {checked_text('the id of a statement', self.id)!r}"
        checked_tuple(f"the own parameters of {here}", self.own_parameters, Parameter)
        for row in self.own_parameters:
            add(row)
        checked_name(f"kind of {here}", self.kind, KINDS)
        checked_name(f"status of {here}", self.status, STATUSES)
        checked_name(f"known of {here}", self.known, KNOWN)
        checked_name(f"clock of {here}", self.clock, CLOCKS)
        for name in ("title", "metric", "quantity", "quantity_latex"):
            checked_text(f"{name} of {here}", getattr(self, name))
        checked_kind(f"the reference of {here}", self.reference, Reference)
        checked_tuple(f"the statements {here} rests on", self.rests_on, str)
        checked_tuple(f"the assumptions of {here}", self.statement_assumptions, Assumption)
        checked_distinct(f"the assumptions of {here}", (x.id for x in self.statement_assumptions))
        for name in ("title", "metric", "complexity_metric"):
            object.__setattr__(self, name, Prose(getattr(self, name)))
        self._check_names(here)
        self._check_quantity(here)
        self._check_terms(here)
        for name in ("ve_factor", "complexity"):
            if getattr(self, name) is not None:
                checked_expression(f"{name} of {here}", getattr(self, name), PUBLIC)

    def _check_names(self, here: str) -> None:
        for name in ("provenance", "derivation", "complexity_metric", "experiment", "remark"):
            checked_kind(f"{name} of {here}", getattr(self, name), str)
        if self.experiment:
            checked_name(f"experiment of {here}", self.experiment, names.EXPERIMENTS)
        checked_tuple(f"the free parameters of {here}", self.free, str)
        checked_kind(f"aliases of {here}", self.aliases, Mapping)
        for name, alias in self.aliases.items():
            checked_name(f"parameter among the aliases of {here}", name, PUBLIC)
            checked_text(f"the alias of {name} in {here}", alias)

    def _check_quantity(self, here: str) -> None:
        try:
            self.quantity.format(target="p_data")
        except (LookupError, ValueError):
            raise InputError(
                f"quantity of {here} may have {{target}} in braces and nothing else, got {self.quantity!r}"
            ) from None

    def _check_terms(self, here: str) -> None:
        for what, terms in (("terms", self.bare_sources), ("terms of the recursion", self.bare_recursion)):
            checked_tuple(f"the {what} of {here}", terms, Term)
            checked_distinct(f"the {what} of {here}", (" ".join(x.name.replace("_", " ").split()) for x in terms))  # as printed
            for term in terms:
                if term.name in RESERVED or term.name in PUBLIC:
                    raise InputError(f"a term of {here} is called {term.name!r}, which is the name of a parameter or of a column")
                checked_symbols(f"term {term.name!r} of {here}", term.expression, _IN_TERMS)
                for holder in term.expression.atoms(Placeholder):
                    if not holder.is_whole:
                        raise InputError(f"term {term.name!r} of {here} has numbers put into a place-holder: {holder}")
        stated = [x.name for x in self.bare_sources]
        for term in self.bare_recursion:
            checked_name(f"term in the recursion of {here}", term.name, stated)
        self._check_recursion(here)
        present = {x.name for term in self.bare_sources for x in term.expression.free_symbols}
        for name in self.free:
            checked_name(f"free parameter of {here}", name, [x for x in PUBLIC if x in present])
            if TABLE[name].domain.integer:
                raise InputError(
                    f"free parameter {name} of {here} is an integer: only numbers that vary continuously can be free"
                )

    def _check_recursion(self, here: str) -> None:
        slopes = {x.expression.diff(TABLE["W_prev"].symbol) for x in self.bare_recursion}
        if len(slopes) > 1 or any(x.has(TABLE["W_prev"].symbol) for x in slopes):
            raise InputError(
                f"every term in the recursion of {here} must be linear in W_prev, with the same factor; got {slopes}"
            )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id}: {self.title}>"

    @property
    def assumptions(self) -> tuple[Assumption, ...]:
        """What the statement assumes (an evaluation adds what the winning profiles assume)."""
        return self.statement_assumptions

    @property
    def bare_sources(self) -> tuple[Term, ...]:
        """The :attr:`sources` in expressions of SymPy's own classes: what is computed with, where others may be handed out."""
        return self.__dict__["sources"]  # type: ignore[no-any-return]

    @property
    def bare_recursion(self) -> tuple[Term, ...]:
        """The :attr:`recursion`, likewise."""
        return self.__dict__["recursion"]  # type: ignore[no-any-return]

    @property
    def evaluable(self) -> bool:
        """Whether the formula is known in full (a statement without terms is listed with its complexity only)."""
        return bool(self.bare_sources)

    @cached_property
    def local_ends(self) -> tuple[Any, ...]:
        """The symbols of the times up to which the local errors of the teacher are summed."""
        return tuple(sorted({x.args[0] for term in self.bare_sources for x in term.expression.atoms(LocalErrorSum)}, key=str))

    @property
    def confirmed(self) -> bool:
        """Whether its form was read or proved: what is only remembered never wins a comparison."""
        return self.status != "unconfirmed" and self.known != "memory"

    @cached_property
    def uses_profile(self) -> bool:
        """Whether a regularity profile, a teacher and a grid enter."""
        return bool(self.local_ends)

    @cached_property
    def uses_schedule(self) -> bool:
        """Whether it is about several evaluations, whose times may be given one by one."""
        return bool(self.bare_recursion) or any(term.expression.has(ScheduleSum, LastTime) for term in self.bare_sources)

    @cached_property
    def has_target(self) -> bool:
        """Whether the statement is about the distance to p_data, with the distance to p_delta inside it."""
        return any(term.name == "early_stopping" for term in self.bare_sources) and self.kind != "order"

    @cached_property
    def uses_start(self) -> bool:
        """Whether the law sampling starts from enters."""
        return any(term.expression.has(StartGap) for term in self.bare_sources)


@dataclass(frozen=True, eq=False)
class Corollary(Record):
    """A claim about the order of a statement after a substitution, which the package checks itself.

    Attributes:
        id: permanent name.
        statement: id of the statement.
        options: options of :meth:`cmbound.Statement.formula` (``profile``, ``to``, ``start``).
        quantity: ``total``, the name of a term, several names joined by ``+``, or an exact expression.
        substitution: symbols and what is put in their place, in the remaining ones; an entry may use later ones.
        claim: the claimed order, an expression in the remaining symbols (the substitution is applied to it too).
        limits: names of the parameters in whose limits the order is claimed, each on its own, the others fixed.
        exact: the claim is an equality, not an order.
        reference: where it is stated.
        text: what it says; math may stand between dollar signs (:class:`~cmbound.theory.prose.Prose`).

    >>> import cmbound
    >>> corollary = cmbound.corollaries()[0]
    >>> corollary.statement, corollary.reference
    ('lyu2023-cor4', 'lyu2023, Corollary 4')
    """

    id: str
    statement: str
    substitution: Mapping[Any, Any]
    claim: Any
    reference: str
    text: str
    options: Mapping[str, Any] = field(default_factory=dict)
    quantity: Any = "total"
    limits: tuple[str, ...] = ()
    exact: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "text", Prose(self.text))

    def __repr__(self) -> str:
        return f"<Corollary {self.id}: {self.text}>"
