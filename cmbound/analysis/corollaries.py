"""Corollaries checked by the machine: substitute, derive the order, compare with the claim."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import sympy
from sympy import Add, Max, Min, Pow, prod

from cmbound.analysis.expressions import ball
from cmbound.analysis.orders import analysed_terms, order, own_symbols, positive, sample
from cmbound.analysis.records import Order
from cmbound.catalogue import corollaries as catalogued
from cmbound.errors import CmboundError, InputError, UnknownNameError
from cmbound.evaluation.statement import theorem as find
from cmbound.frozen import Record
from cmbound.reports.cells import Cell, mixed
from cmbound.reports.report import Body, Report, Result
from cmbound.reports.table import Table
from cmbound.reports.words import formula, joined, prose, symbol
from cmbound.theory.formulas import put_in
from cmbound.theory.named import plain
from cmbound.theory.notation import TABLE
from cmbound.theory.records import Corollary
from cmbound.threads import alone


@dataclass(frozen=True, eq=False, repr=False)
class Verdict(Result, Record):
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
        found = self.derived.values()
        return prod(x.expression for x in found) if found and all(x.kind != "undecided" for x in found) else None

    @property
    def shown(self) -> Cell:
        """What was found, in one line: the order, or why there is none."""
        if self.status != "proved":
            return Cell(self.reason)
        if self.how == "identity":
            start = (Cell("equal to "),) if self.ratio == 1 else (formula(self.ratio), Cell(" times "))
            return mixed(*start, formula(self.corollary.claim))
        return joined((mixed(symbol(name), Cell(": "), x.cell) for name, x in self.derived.items()), ", ")

    def to_dict(self) -> dict[str, Any]:
        x = self.corollary
        return {
            **{name: getattr(x, name) for name in ("id", "statement", "exact", "reference", "text")},
            **{name: getattr(self, name) for name in ("status", "how", "reason")},
            "options": dict(x.options),
            "quantity": x.quantity if isinstance(x.quantity, str) else str(plain(x.quantity)),
            "substitution": {str(symbol): str(plain(value)) for symbol, value in x.substitution.items()},
            "claim": str(x.claim),
            "limits": list(x.limits),
            "ratio": None if self.ratio is None else str(self.ratio),
            **{a: {name: y.to_dict() for name, y in getattr(self, a).items()} for a in ("derived", "claimed")},
        }

    def report(self) -> Report:
        """What is claimed, and what was derived."""
        return replace(corollaries_report([self]), data=self.to_dict)


def corollaries_report(verdicts: Sequence[Verdict]) -> Report:
    """Checked corollaries with what was derived, and how many are proved."""
    page, document = Body(), Body()
    for x in verdicts:
        page.line(joined((Cell(f"{x.status:<9} {x.corollary.id}: "), prose(x.corollary.text)), ""))
        page.line(mixed(Cell(f"{x.corollary.statement}, {x.corollary.reference}; derived by {x.how}: "), x.shown), 10)
    counts = ", ".join(f"{sum(x.status == status for x in verdicts)} {status}" for status in ("proved", "refuted", "undecided"))
    page.line(counts)
    for statement in dict.fromkeys(x.corollary.statement for x in verdicts):
        document.line(Cell(f"Corollaries of {statement}:"))
        document.line()
        document.table(_table([x for x in verdicts if x.corollary.statement == statement]))
        document.line()
    rows = tuple((Cell(x.corollary.id), Cell(x.status), Cell(x.corollary.text), Cell(x.shown.string())) for x in verdicts)
    table = Table(("corollary", "verdict", "claim", "derived"), rows, "llll")
    return Report(f"corollaries, {counts}", page, lambda: [x.to_dict() for x in verdicts], table, document)


def _table(verdicts: Sequence[Verdict]) -> Table:
    """For a paper: below the name of each corollary what it says and what was derived."""
    rows = []
    for x in verdicts:
        name = mixed(Cell(f"{x.corollary.id} ("), Cell(x.corollary.reference), Cell(f"): {x.status} by {x.how}"))
        rows.append((name, prose(x.corollary.text), x.shown))
    header, widths = ("corollary", "claim", "derived"), {1: 0.45, 2: 0.45}
    return Table(header, tuple(rows), "lll", widths=widths, layout="headings", size="footnotesize", tight=True)


@alone
def corollaries() -> tuple[Corollary, ...]:
    """The corollaries of the catalogue.

    >>> import cmbound
    >>> cmbound.corollaries()[0].id
    'cor4-recipe'
    """
    return catalogued.COROLLARIES


def corollary(id: str) -> Corollary:
    """The corollary with this id; raises UnknownNameError with the nearest one."""
    known = {x.id: x for x in corollaries()}
    if id not in known:
        raise UnknownNameError("corollary", id, known)
    return known[id]


@alone
def check_corollary(claimed: Corollary | str) -> Verdict:
    """Whether the corollary holds, decided from the expressions of the catalogue.

    First the ratio of the quantity to the claim is simplified: a constant proves the order uniformly in all parameters
    (an equality needs the constant 1). Otherwise the leading orders of the two are compared in each limit on its own.

    Raises:
        InputError: the quantity or a limit of the record does not exist.

    >>> import cmbound
    >>> cmbound.check_corollary(cmbound.corollaries()[0]).status
    'proved'
    """
    x = corollary(claimed) if isinstance(claimed, str) else claimed
    derived = substituted(quantity(x), x.substitution)
    claim = substituted(sympy.sympify(x.claim), x.substitution)
    ratio = positive(derived) / positive(claim)
    ratio = ratio if _varies(ratio) else simplified(ratio)
    if ratio.free_symbols <= {sympy.Symbol("C", positive=True)} and ratio.is_positive:
        found = own_symbols(ratio)
        if not x.exact or ratio == 1:
            return Verdict(x, "proved", "identity", ratio=found)
        return Verdict(x, "refuted", "identity", ratio=found, reason=f"the quantity is {found} times the claim")
    return _not_equal(x, ratio) if x.exact else _compared(x, derived, claim)


def _varies(ratio: Any) -> bool:
    """Whether values refute that a ratio is a constant, which simplification then need not look for."""
    try:
        one, other = (ball(ratio, point) for point in sample({})[:2])
    except CmboundError:  # what cannot be computed may cancel
        return False
    return bool(one.is_finite() and other.is_finite() and not one.overlaps(other))


def _not_equal(x: Corollary, ratio: Any) -> Verdict:
    """An equality that simplification does not show: different values refute it."""
    for point in sample({}):
        gap = ball(ratio - 1, point)
        if gap.is_finite() and not gap.contains(0):
            text = f"the quantity divided by the claim is {float(gap.mid()) + 1:.6g} at one point"
            return Verdict(x, "refuted", "identity", reason=text)
    return Verdict(x, "undecided", "identity", reason="simplification does not show the equality, and no value refutes it")


def _compared(x: Corollary, derived: Any, claim: Any) -> Verdict:
    if not x.limits:
        raise InputError(f"corollary {x.id!r} names no limits, and its ratio to the claim is not constant")
    found = {name: order(derived, name) for name in x.limits}
    wanted = {name: order(claim, name) for name in x.limits}
    unknown = [name for name in x.limits if "undecided" in (found[name].kind, wanted[name].kind)]
    wrong = [name for name in x.limits if name not in unknown and not _same(found[name], wanted[name])]
    status = "refuted" if wrong else "undecided" if unknown else "proved"
    reason = ", ".join(f"{name}: {found[name]} instead of {wanted[name]}" for name in wrong)
    reason = reason or "; ".join(f"{name}: {found[name].reason or wanted[name].reason}" for name in unknown)
    return Verdict(x, status, "orders", derived=found, claimed=wanted, reason=reason)


def _same(x: Order, y: Order) -> bool:
    return x.kind == y.kind and (x.kind == "zero" or bool(sympy.simplify(x.expression / y.expression) == 1))


def quantity(x: Corollary) -> Any:
    """What the corollary is about, before the substitution."""
    if not isinstance(x.quantity, str):
        return x.quantity
    keeps_tau = TABLE["tau"].symbol in x.substitution
    terms = analysed_terms(find(x.statement), x.options, {"tau": 1} if keeps_tau else {})
    if x.quantity == "total":
        return Add(*terms.values())
    for name in x.quantity.split("+"):
        if name not in terms:
            raise InputError(f"corollary {x.id!r}: {x.statement} has no term {name!r}; it has {', '.join(terms)}")
    return Add(*map(terms.__getitem__, x.quantity.split("+")))


def substituted(expr: Any, substitution: Mapping[Any, Any]) -> Any:
    """The substitution applied until nothing it replaces is left (an entry may use the symbols of others)."""
    for _ in range(len(substitution) + 1):
        if not expr.free_symbols & set(substitution):
            return expr
        expr = put_in(expr, substitution)
    raise InputError(f"a substitution runs in circles: {', '.join(sorted(str(x) for x in substitution))}")


def simplified(ratio: Any) -> Any:
    """A quick simplification that knows Max(x, y)^p = Max(x^p, y^p) for non-negative x and y."""
    ratio = ratio.replace(
        lambda e: e.is_Pow and isinstance(e.base, Max | Min) and e.exp.is_Rational and e.exp.p != 1,
        lambda e: Pow(e.base.func(*(x ** abs(e.exp) for x in e.base.args)), 1 if e.exp > 0 else -1),
    )
    if ratio.count_ops() > 300:
        return ratio
    short = sympy.powsimp(sympy.expand_power_base(sympy.powdenest(ratio, force=True), force=True), force=True)
    short = sympy.cancel(sympy.expand(short)) if short.count_ops() < 200 else short
    return sympy.simplify(short) if short.count_ops() < 60 else short
