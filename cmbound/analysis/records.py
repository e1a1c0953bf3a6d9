"""The records of the analysis: orders, elasticities, dominating terms, corollaries and their verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sympy import Expr, S, exp, log

from cmbound.frozen import Record
from cmbound.theory.prose import Prose
from cmbound.theory.records import Theorem


@dataclass(frozen=True)
class Order:
    """The leading order of a quantity as one parameter goes to its limit, the others fixed.

    Attributes:
        parameter: its name.
        limit: ``0`` or ``oo``.
        kind: ``power`` (powers and logarithms; a constant is the power 0), ``exponential``, ``zero`` (the quantity
            vanishes identically) or ``undecided``.
        exponent: power of the parameter itself (delta^(-1/2): -1/2), beside the exponential if there is one.
        logs: power of log(parameter), or of log(1/parameter) where it tends to 0.
        rate: what stands in the exponential (-T for e^{-T}), 0 without one.
        growing: whether the exponential grows.
        leading: the leading term, with its coefficient in the other parameters.
        conditions: relations the others must satisfy for this order, where the symbols alone do not imply them.
        reason: why it is undecided.
    """

    parameter: str
    limit: str
    kind: str
    exponent: Any = S.Zero
    logs: Any = S.Zero
    rate: Any = S.Zero
    growing: bool = False
    leading: Any = S.Zero
    conditions: tuple[Any, ...] = ()
    reason: str = ""

    @property
    def constant(self) -> bool:
        """Whether the quantity tends to a constant that is not 0."""
        return self.kind == "power" and self.exponent == 0 and self.logs == 0

    @property
    def expression(self) -> Expr:
        """The order without its coefficient, in the parameter."""
        from cmbound.theory.notation import TABLE

        if self.kind == "zero":
            return S.Zero
        x = TABLE[self.parameter].symbol
        return x**self.exponent * log(1 / x if self.limit == "0" else x) ** self.logs * exp(self.rate)

    def __str__(self) -> str:
        return "?" if self.kind == "undecided" else str(self.expression)


@dataclass(frozen=True, eq=False, repr=False)
class Orders(Record):
    """Leading orders of a statement: ``terms[name][parameter]`` and ``total[parameter]``.

    The other parameters are held fixed, free ones of the algorithm (``u``, ``gamma``, ``tau_c``) too; the time at which a profile
    changes from its first rule to its second is no parameter: it is the best one, as in an evaluation. ``unused`` are the
    numbers that were given and occur in no term, with the reason.
    """

    theorem: Theorem
    options: Mapping[str, Any]
    terms: Mapping[str, Mapping[str, Order]]
    total: Mapping[str, Order]
    unused: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        return f"<Orders of {self.theorem.id}: {self.verdict}>"

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters analysed."""
        return tuple(self.total)

    @property
    def exponential(self) -> tuple[str, ...]:
        """The parameters in which the total grows exponentially."""
        return tuple(name for name, x in self.total.items() if x.growing)

    @property
    def undecided(self) -> tuple[str, ...]:
        """The parameters in which the order of the total is not decided."""
        return tuple(name for name, x in self.total.items() if x.kind == "undecided")

    @property
    def polynomial(self) -> bool | None:
        """Whether the total is at most polynomial (powers and logarithms) in every parameter; None if undecided."""
        return False if self.exponential else (None if self.undecided else True)

    @property
    def exponents(self) -> dict[str, Any]:
        """For each parameter the power of the total (logarithms aside), where it is polynomial."""
        return {name: x.exponent for name, x in self.total.items() if x.kind == "power"}

    @property
    def verdict(self) -> str:
        """The answer to "is the bound polynomial in every parameter?" in one sentence."""
        from cmbound.analysis.orders import verdict

        return verdict(self)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready data."""
        from cmbound.output.analysis import orders_data

        return orders_data(self)


@dataclass(frozen=True, eq=False, repr=False)
class Elasticities(Record):
    """d log(bound)/d log(parameter): exact expressions, and float values at the point (if one was given)."""

    theorem: Theorem
    expressions: Mapping[str, Any]
    values: Mapping[str, float] | None

    def __repr__(self) -> str:
        shown = self.expressions if self.values is None else {name: f"{x:.4g}" for name, x in self.values.items()}
        return f"<Elasticities of {self.theorem.id}: {', '.join(f'{x} {y}' for x, y in shown.items())}>"


@dataclass(frozen=True)
class Interval:
    """Values of a parameter, from ``low`` to ``high``, over which one term is the largest."""

    low: float
    high: float
    term: str


@dataclass(frozen=True)
class Dominance:
    """The largest term along one parameter: intervals in rising order."""

    theorem: str
    parameter: str
    intervals: tuple[Interval, ...]

    @property
    def borders(self) -> tuple[float, ...]:
        """Where the largest term changes (for an integer parameter: its first value in the new interval)."""
        return tuple(x.low for x in self.intervals[1:])


@dataclass(frozen=True, eq=False)
class Corollary(Record):
    """A claim about the order of a statement after a substitution, which the package checks itself.

    Attributes:
        id: permanent name.
        statement: id of the statement.
        options: options of :meth:`cmbound.theory.records.Theorem.formula` (``profile``, ``to``, ``start``).
        quantity: ``total``, the name of a term, several names joined by ``+``, or an exact expression.
        substitution: symbols and what is put in their place, in the remaining ones; an entry may use later ones.
        claim: the claimed order, an expression in the remaining symbols (the substitution is applied to it too).
        limits: names of the parameters in whose limits the order is claimed, each on its own, the others fixed.
        exact: the claim is an equality, not an order.
        reference: where it is stated.
        text: what it says; math may stand between dollar signs (:class:`~cmbound.theory.prose.Prose`).
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


@dataclass(frozen=True, eq=False)
class Verdict(Record):
    """What became of a corollary.

    Attributes:
        corollary: the record.
        status: ``proved``, ``refuted`` or ``undecided``.
        how: ``identity`` (the quantity is a constant times the claim, or equal to it) or ``orders`` (the leading
            orders agree in each limit on its own).
        ratio: the constant, after an identity.
        derived: the order of the quantity in each limit.
        claimed: the order of the claim in each limit.
        reason: why it is refuted or undecided.
    """

    corollary: Corollary
    status: str
    how: str
    ratio: Any = None
    derived: Mapping[str, Order] = field(default_factory=dict)
    claimed: Mapping[str, Order] = field(default_factory=dict)
    reason: str = ""

    def __repr__(self) -> str:
        return f"<Verdict on {self.corollary.id}: {self.status}>"

    @property
    def derived_order(self) -> Any:
        """The order that was derived, in one expression: the claim times the constant, or the product over the limits."""
        if self.ratio is not None:
            return self.ratio * self.corollary.claim
        product = S.One
        for x in self.derived.values():
            product = product * x.expression
        return product if self.derived and all(x.kind != "undecided" for x in self.derived.values()) else None
