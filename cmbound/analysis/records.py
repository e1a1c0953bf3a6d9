"""The records of the analysis, and what they say: orders, elasticities, dominating terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from sympy import Expr, S, exp, log

from cmbound.evaluation.notes import unused_note
from cmbound.frozen import Record
from cmbound.numbers import rounded
from cmbound.reports.cells import Cell, math, mixed, number
from cmbound.reports.report import Body, Report, Result
from cmbound.reports.table import Table
from cmbound.reports.words import formula, joined, prose, symbol, words
from cmbound.theory.named import plain
from cmbound.theory.notation import TABLE
from cmbound.theory.records import Theorem

UNIFORM = mixed(symbol("N"), Cell(": with a uniform grid, "), math(r"h = (T - \delta)/N", "h = (T - delta)/N"))
_HIDDEN = "order form: with the unspecified constant C"
_UPPER = (
    "the local errors are those of one rule of the profile on the whole range (for each parameter that of the smallest order): "
    "an upper bound on an evaluation, which takes the best path of stretches, so its order may be smaller and is never larger"
)
_ENDS = {"0": "0", "oo": r"\infty"}


@dataclass(frozen=True, eq=False)
class Order(Record):
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
    leading: Any = field(default_factory=lambda: S.Zero)
    conditions: tuple[Any, ...] = field(default_factory=tuple)
    reason: str = ""

    @property
    def constant(self) -> bool:
        """Whether the quantity tends to a constant that is not 0."""
        return self.kind == "power" and self.exponent == 0 and self.logs == 0

    @property
    def expression(self) -> Expr:
        """The order without its coefficient, in the parameter."""
        if self.kind == "zero":
            return S.Zero
        x = TABLE[self.parameter].symbol
        return x**self.exponent * log(1 / x if self.limit == "0" else x) ** self.logs * exp(self.rate)

    def __str__(self) -> str:
        return "?" if self.kind == "undecided" else str(self.expression)

    @property
    def cell(self) -> Cell:
        """The order in a table."""
        return Cell("?") if self.kind == "undecided" else formula(self.expression)

    @cached_property
    def _leading(self) -> str:
        return str(plain(self.leading))

    def to_dict(self) -> dict[str, Any]:
        return {
            "limit": self.limit,
            "kind": self.kind,
            "order": None if self.kind == "undecided" else str(self),
            **{name: str(getattr(self, name)) for name in ("exponent", "logs", "rate")},
            "growing": self.growing,
            "leading": self._leading,
            "conditions": [str(x) for x in self.conditions],
            "reason": self.reason,
        }


@dataclass(frozen=True, eq=False, repr=False)
class Orders(Result, Record):
    """Leading orders of a statement: ``terms[name][parameter]`` and ``total[parameter]``.

    The other parameters are held fixed, free ones of the algorithm (``u``, ``gamma``, ``tau_c``) too. The local errors are
    bounded by one rule of the profile on the whole range, for each parameter by that of the smallest order. An evaluation takes
    the best path of stretches: where it may be smaller (``is_upper``), the orders are those of an upper bound on what it finds.
    ``unused`` are the numbers that were given and occur in no term, with the reason.
    """

    theorem: Theorem
    options: Mapping[str, Any]
    terms: Mapping[str, Mapping[str, Order]]
    total: Mapping[str, Order]
    unused: tuple[tuple[str, str], ...] = ()
    is_upper: bool = False

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
        if self.exponential:
            return f"not polynomial: exponential in {', '.join(f'{x} (as {self.total[x]})' for x in self.exponential)}"
        powers = ", ".join(f"{name}: {x}" for name, x in self.total.items() if x.kind != "undecided")
        if self.undecided:
            return f"undecided in {', '.join(self.undecided)}; polynomial in the others ({powers})"
        moving = [(name, x.exponent.free_symbols) for name, x in self.total.items() if x.kind == "power"]
        said = [f"the power of {x} depends on {', '.join(sorted(map(str, others)))}" for x, others in moving if others]
        return "; ".join([f"polynomial in every parameter ({powers})", *said])

    @property
    def rows(self) -> dict[str, Mapping[str, Order]]:
        """The orders of each term and of the total."""
        return {**self.terms, "total": self.total}

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must be told besides."""
        upper = (_UPPER,) if self.is_upper else ()
        return (*upper, unused_note(self.unused)) if self.unused else upper

    def to_dict(self) -> dict[str, Any]:
        return {
            "theorem": self.theorem.id,
            "options": {name: getattr(x, "name", x) for name, x in self.options.items()},
            "terms": {term: {name: x.to_dict() for name, x in row.items()} for term, row in self.terms.items()},
            "total": {name: x.to_dict() for name, x in self.total.items()},
            "is_upper": self.is_upper,
            "polynomial": self.polynomial,
            "exponents": {name: str(x) for name, x in self.exponents.items()},
            "verdict": self.verdict,
            "notes": list(self.notes),
        }

    def report(self) -> Report:
        """A table of the orders, what they rest on, and the verdict."""
        page, document = Body(), Body()
        page.line(f"{self.theorem.id}: {self.theorem.title}")
        options = ", ".join(f"{name} {getattr(x, 'name', x)}" for name, x in self.options.items())
        page.line(f"leading orders, each parameter on its own, the others fixed{f' ({options})' if options else ''}")
        if self.theorem.kind == "order":
            page.line(_HIDDEN)
        page.table(self._matrix())
        for note in self._conditions():
            page.line(note, 2)
        page.line(f"verdict: {self.verdict}")
        for text in self.notes:
            page.line(f"note: {text}")
        document.table(self._by_parameter())
        return Report(f"{self.theorem.id}, {self.verdict}", page, self.to_dict, self._in_full(), document)

    def _conditions(self) -> tuple[Cell, ...]:
        """What the orders rest on, and what is not decided."""
        found = [UNIFORM] if "h" in self.total else []
        free = [x for x in self.theorem.free if x in self.total]
        if free:
            it, value = ("it", "value") if len(free) == 1 else ("them", "values")
            said = f": held fixed like the others; an evaluation that leaves {it} out takes the best {value}"
            found.append(mixed(*joined(map(symbol, free), ", ").parts, Cell(said)))
        orders = [x for row in self.rows.values() for x in row.values()]
        conditions = {str(x): x for order in orders for x in order.conditions}
        found += [mixed(Cell("where "), formula(x)) for x in conditions.values()]
        for term, row in self.rows.items():
            found += [Cell(f"undecided: {term}, {name}: {x.reason}") for name, x in row.items() if x.kind == "undecided"]
        return tuple(found)

    def _matrix(self) -> Table:
        """One row for each parameter, one column for each term."""
        columns = self.rows if len(self.terms) > 1 else self.terms
        header = ("parameter", "limit", *map(words, columns))
        rows = tuple(
            (symbol(name), math(rf"\to {_ENDS[x.limit]}", f"-> {x.limit}"), *(column[name].cell for column in columns.values()))
            for name, x in self.total.items()
        )
        return Table(header, rows, "l" * len(header))

    def _by_parameter(self) -> Table:
        """One row for each parameter, the terms that depend on it beside the total: no wider than a page, whatever the terms."""
        many = len(self.terms) > 1
        rows = tuple(
            (math(rf"{TABLE[name].latex} \to {_ENDS[x.limit]}", f"{name} -> {x.limit}"), x.cell, *([self._moving(name)] * many))
            for name, x in self.total.items()
        )
        said = "; terms that are not named tend to a constant" if many else ""
        hidden = (prose(_HIDDEN),) if self.theorem.kind == "order" else ()
        notes = (Cell(f"Leading orders, each parameter on its own, the others fixed{said}."), *hidden, *self._conditions())
        notes = (*notes, *map(Cell, self.notes))
        header, widths = (("limit", "total", "terms"), {2: 0.55}) if many else (("limit", "order"), {})
        return Table(header, rows, "l" * len(header), widths=widths, size="footnotesize", tight=True, notes=notes)

    def _moving(self, name: str) -> Cell:
        """The terms that depend on a parameter."""
        found = {term: row[name] for term, row in self.terms.items() if not row[name].constant}
        return joined((mixed(Cell(f"{words(term)} "), x.cell) for term, x in found.items()), ", ")

    def _in_full(self) -> Table:
        """One row for each term and parameter, as plain text."""
        header = ("term", "parameter", "limit", "kind", "order", "exponent", "logs", "rate", "leading")
        data = ({"term": term, "parameter": name} | x.to_dict() for term, row in self.rows.items() for name, x in row.items())
        rows = tuple(tuple(Cell(str(x[key] or "")) for key in header) for x in data)
        return Table(header, rows, "l" * len(header))


@dataclass(frozen=True, eq=False, repr=False)
class Elasticities(Result, Record):
    """d log(bound)/d log(parameter): exact expressions, and float values at the point (if one was given)."""

    theorem: Theorem
    expressions: Mapping[str, Any]
    values: Mapping[str, float] | None

    def __repr__(self) -> str:
        shown = self.expressions if self.values is None else {name: f"{x:.4g}" for name, x in self.values.items()}
        return f"<Elasticities of {self.theorem.id}: {', '.join(f'{x} {y}' for x, y in shown.items())}>"

    def to_dict(self) -> dict[str, Any]:
        """By parameter the expression and, at a point, the value."""
        return {
            name: {"expression": str(plain(x)), "value": None if self.values is None else self.values[name]}
            for name, x in self.expressions.items()
        }

    def report(self) -> Report:
        """The values at the point; without one the expressions, for which a paper has no room."""
        page, document, head = Body(), Body(), ("parameter", "elasticity")
        if self.values is None:
            cells = {name: Cell(x["expression"]) for name, x in self.to_dict().items()}
            for name, x in cells.items():
                document.line(f"{name}: {x.string()}")
        else:
            cells = {name: number(rounded(x, 5, "nearest")) for name, x in self.values.items()}
        table = Table(head, tuple((symbol(name), x) for name, x in cells.items()), "ll" if self.values is None else "lr")
        page.line(f"elasticities d log(bound)/d log(parameter){'' if self.values is None else ' at the point'}")
        page.table(table)
        if self.values is not None:
            document.table(table)
        return Report(f"elasticities of {self.theorem.id}", page, self.to_dict, table, document)


@dataclass(frozen=True)
class Interval:
    """Values of a parameter, from ``low`` to ``high``, over which one term is the largest."""

    low: float
    high: float
    term: str


@dataclass(frozen=True, eq=False, repr=False)
class Dominance(Result, Record):
    """The largest term along one parameter: intervals in rising order."""

    theorem: str
    parameter: str
    intervals: tuple[Interval, ...]

    @property
    def borders(self) -> tuple[float, ...]:
        """Where the largest term changes (for an integer parameter: its first value in the new interval)."""
        return tuple(x.low for x in self.intervals[1:])

    def to_dict(self) -> dict[str, Any]:
        intervals = [{"from": x.low, "to": x.high, "term": x.term} for x in self.intervals]
        return {"parameter": self.parameter, "intervals": intervals, "borders": list(self.borders)}

    def report(self) -> Report:
        """The largest term on each interval."""
        page, ends = Body(), [[number(rounded(y, 6, "nearest")) for y in (x.low, x.high)] for x in self.intervals]
        rows = tuple((*span, Cell(words(x.term))) for span, x in zip(ends, self.intervals, strict=True))
        heads = (mixed(symbol(self.parameter), Cell(" from")), Cell("to"), Cell("largest term"))
        table = Table(tuple(x.string() for x in heads), rows, "rrl", heads=heads)
        page.table(table)
        return Report(f"{self.theorem}: the largest term along {self.parameter}", page, self.to_dict, table, page)


def analysis_report(orders: Orders, elasticities: Elasticities | None, dominating: str | None, along: Dominance | None) -> Report:
    """Everything about one statement; CSV holds the orders only."""
    report = orders.report()
    page, document = report.page, report.document
    page.line()
    if elasticities is None or elasticities.values is None:
        page.line("elasticities: give all parameters with -p for their values (--format json has the expressions)")
    else:
        slopes = elasticities.report()
        page.parts += slopes.page.parts
        page.line(f"largest term there: {words(dominating)}")
        document.line()
        document.parts += slopes.document.parts
        document.line()
        document.line(Cell(f"Largest term there: {words(dominating)}."))
    if along is not None:
        for body in (page, document):
            body.line()
            body.parts += along.report().page.parts

    def data() -> dict[str, Any]:
        slopes = {} if elasticities is None else elasticities.to_dict()
        moving = None if along is None else along.to_dict()
        return {**orders.to_dict(), "elasticities": slopes, "dominating_term": dominating, "along": moving}

    return replace(report, data=data)
