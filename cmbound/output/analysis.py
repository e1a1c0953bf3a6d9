"""What ``cmbound analyse`` prints: orders, elasticities, dominating terms, corollaries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cmbound.analysis.records import Dominance, Elasticities, Order, Orders, Verdict
from cmbound.evaluation.records import unused_note
from cmbound.numbers import rounded
from cmbound.reports.cells import Cell, math, number
from cmbound.reports.page import Page
from cmbound.reports.table import Table
from cmbound.theory.formulas import latex
from cmbound.theory.functions import plain

_WHERE = {"0": "-> 0", "oo": "-> oo"}
UNIFORM = "N: with a uniform grid, h = (T - delta)/N"


def order_data(x: Order) -> dict[str, Any]:
    """One order as JSON-ready data."""
    return {
        "limit": x.limit,
        "kind": x.kind,
        "order": None if x.kind == "undecided" else str(x.expression),
        "exponent": str(x.exponent),
        "logs": str(x.logs),
        "rate": str(x.rate),
        "growing": x.growing,
        "leading": str(plain(x.leading)),
        "conditions": [str(c) for c in x.conditions],
        "reason": x.reason,
    }


def orders_data(found: Orders) -> dict[str, Any]:
    """Orders as JSON-ready data."""
    return {
        "theorem": found.theorem.id,
        "options": {name: getattr(x, "name", x) for name, x in found.options.items()},
        "terms": {term: {name: order_data(x) for name, x in row.items()} for term, row in found.terms.items()},
        "total": {name: order_data(x) for name, x in found.total.items()},
        "polynomial": found.polynomial,
        "exponents": {name: str(x) for name, x in found.exponents.items()},
        "verdict": found.verdict,
        "notes": _notes(found),
    }


def analysis_data(
    orders: Orders, elasticities: Elasticities | None, dominating: str | None, along: Dominance | None
) -> dict[str, Any]:
    """Everything about one statement as JSON-ready data."""
    slopes = {} if elasticities is None else elasticities.expressions
    values = None if elasticities is None else elasticities.values
    return {
        **orders_data(orders),
        "elasticities": {
            name: {"expression": str(plain(x)), "value": None if values is None else values[name]} for name, x in slopes.items()
        },
        "dominating_term": dominating,
        "along": None if along is None else dominance_data(along),
    }


def dominance_data(found: Dominance) -> dict[str, Any]:
    """Dominating terms as JSON-ready data."""
    return {
        "parameter": found.parameter,
        "intervals": [{"from": x.low, "to": x.high, "term": x.term} for x in found.intervals],
        "borders": list(found.borders),
    }


def _conditions(orders: Orders) -> list[str]:
    rows = [*orders.terms.values(), orders.total]
    found = dict.fromkeys(str(c) for row in rows for x in row.values() for c in x.conditions)
    return list(found)


def _reasons(orders: Orders) -> list[str]:
    rows = {**orders.terms, "total": orders.total}
    return [f"{term}, {name}: {x.reason}" for term, row in rows.items() for name, x in row.items() if x.kind == "undecided"]


def held(orders: Orders) -> list[str]:
    """Parameters of the algorithm among the others that are held fixed, where an evaluation may choose them."""
    names = [name for name in orders.theorem.free if name in orders.total]
    one = len(names) == 1
    text = (
        f"{', '.join(names)}: held fixed like the others; an evaluation that leaves {'it' if one else 'them'} out takes the best"
    )
    return [f"{text} value{'' if one else 's'}"] if names else []


def orders_table(orders: Orders, as_math: bool = False) -> Table:
    """One row for each parameter, one column for each term."""

    def cell(x: Order) -> Cell:
        return math(latex(x.expression)) if as_math and x.kind != "undecided" else Cell(str(x))

    columns = [*orders.terms.values(), *([orders.total] if len(orders.terms) > 1 else [])]
    header = ("parameter", "limit", *(name.replace("_", " ") for name in orders.terms), "total")[: 2 + len(columns)]
    rows = tuple(
        (Cell(name), Cell(_WHERE[x.limit]), *(cell(column[name]) for column in columns)) for name, x in orders.total.items()
    )
    return Table(header, rows, "l" * len(header))


def orders_rows(orders: Orders) -> Table:
    """One row for each term and parameter (what CSV holds)."""
    header = ("term", "parameter", "limit", "kind", "order", "exponent", "logs", "rate", "leading")
    rows = []
    for term, row in {**orders.terms, "total": orders.total}.items():
        for name, x in row.items():
            data = order_data(x)
            rows.append((Cell(term), Cell(name), *(Cell(str(data[key] or "")) for key in header[2:])))
    return Table(header, tuple(rows), "l" * len(header))


def elasticities_table(found: Elasticities) -> Table:
    """Values at the point."""
    values = found.values or {}
    rows = tuple((Cell(name), number(rounded(x, 5, "nearest"))) for name, x in values.items())
    return Table(("parameter", "elasticity"), rows, "lr")


def dominance_table(found: Dominance) -> Table:
    """The largest term on each interval."""
    rows = tuple(
        (number(rounded(x.low, 6, "nearest")), number(rounded(x.high, 6, "nearest")), Cell(x.term.replace("_", " ")))
        for x in found.intervals
    )
    return Table((f"{found.parameter} from", "to", "largest term"), rows, "rrl")


def analysis_page(
    orders: Orders, elasticities: Elasticities | None, dominating: str | None, along: Dominance | None, width: int | None = None
) -> str:
    """Everything about one statement as text."""
    page, theorem = Page(width), orders.theorem
    page.line(f"{theorem.id}: {theorem.title}")
    options = ", ".join(f"{name} {getattr(x, 'name', x)}" for name, x in orders.options.items())
    page.line(f"leading orders, each parameter on its own, the others fixed{f' ({options})' if options else ''}")
    if theorem.kind == "order":
        page.line("order form: with the unspecified constant C")
    page.table(orders_table(orders))
    if "h" in orders.total:
        page.line(UNIFORM, 2)
    for text in held(orders):
        page.line(text, 2)
    for text in _conditions(orders):
        page.line(f"where {text}", 2)
    for text in _reasons(orders):
        page.line(f"undecided: {text}", 2)
    page.line(f"verdict: {orders.verdict}")
    for text in _notes(orders):
        page.line(f"note: {text}")
    page.line()
    if elasticities is None or elasticities.values is None:
        page.line("elasticities: give all parameters with -p for their values (--format json has the expressions)")
    else:
        page.line("elasticities d log(bound)/d log(parameter) at the point")
        page.table(elasticities_table(elasticities))
        page.line(f"largest term there: {(dominating or 'none').replace('_', ' ')}")
    if along is not None:
        page.line()
        page.table(dominance_table(along))
    return str(page)


def _notes(orders: Orders) -> list[str]:
    return [unused_note(orders.unused)] if orders.unused else []


def analysis_document(
    orders: Orders, elasticities: Elasticities | None, dominating: str | None, along: Dominance | None, format: str
) -> str:
    """Everything about one statement in LaTeX, Markdown or CSV (which holds the orders only)."""
    if format == "csv":
        return orders_rows(orders).csv()
    comment = "% {}" if format == "latex" else "`{}`"
    parts = [comment.format(f"cmbound: {orders.theorem.id}, {orders.verdict}"), orders_table(orders, as_math=True).render(format)]
    if elasticities is not None and elasticities.values is not None:
        parts += [elasticities_table(elasticities).render(format), comment.format(f"largest term: {dominating}")]
    if along is not None:
        parts.append(dominance_table(along).render(format))
    notes = [*([UNIFORM] if "h" in orders.total else []), *held(orders)]
    parts += [comment.format(x) for x in (*notes, *(f"where {c}" for c in _conditions(orders)), *_notes(orders))]
    return "\n".join(parts) if format == "latex" else "\n\n".join(parts)


# --- corollaries ------------------------------------------------------------------------------------------------------


def verdict_data(x: Verdict) -> dict[str, Any]:
    """A checked corollary as JSON-ready data."""
    corollary = x.corollary
    return {
        "id": corollary.id,
        "statement": corollary.statement,
        "options": dict(corollary.options),
        "quantity": str(plain(corollary.quantity)) if not isinstance(corollary.quantity, str) else corollary.quantity,
        "substitution": {str(symbol): str(plain(value)) for symbol, value in corollary.substitution.items()},
        "claim": str(corollary.claim),
        "exact": corollary.exact,
        "limits": list(corollary.limits),
        "reference": corollary.reference,
        "text": corollary.text,
        "status": x.status,
        "how": x.how,
        "ratio": None if x.ratio is None else str(x.ratio),
        "derived": {name: order_data(y) for name, y in x.derived.items()},
        "claimed": {name: order_data(y) for name, y in x.claimed.items()},
        "reason": x.reason,
    }


def _shown(x: Verdict) -> str:
    if x.status != "proved":
        return x.reason
    if x.how == "identity":
        return f"{'equal to' if x.ratio == 1 else f'{x.ratio} times'} {x.corollary.claim}"
    return ", ".join(f"{name}: {y}" for name, y in x.derived.items())


def corollaries_table(verdicts: Sequence[Verdict]) -> Table:
    """One row for each corollary."""
    rows = tuple((Cell(x.corollary.id), Cell(x.status), Cell(x.corollary.text), Cell(_shown(x))) for x in verdicts)
    return Table(("corollary", "verdict", "claim", "derived"), rows, "llll")


def corollaries_page(verdicts: Sequence[Verdict], width: int | None = None) -> str:
    """Checked corollaries as text."""
    page = Page(width)
    for x in verdicts:
        page.line(f"{x.status:<9} {x.corollary.id}: {x.corollary.text}")
        page.line(f"{x.corollary.statement}, {x.corollary.reference}; derived by {x.how}: {_shown(x)}", 10)
    counts = ", ".join(f"{sum(x.status == status for x in verdicts)} {status}" for status in ("proved", "refuted", "undecided"))
    page.line(counts)
    return str(page)
