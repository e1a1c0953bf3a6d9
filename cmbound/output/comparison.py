"""What ``cmbound compare`` prints at one point: a ranking for each metric, order forms apart, and why the rest does not apply."""

from __future__ import annotations

from typing import Any

from cmbound.comparison.comparison import NOT_APPLICABLE, NOT_EVALUABLE, ORDER, RANKED, UNCONFIRMED, Comparison, Row
from cmbound.frozen import thawed
from cmbound.numbers import plain_decimal, rounded, text_up
from cmbound.reports.cells import Cell, number
from cmbound.reports.page import Page
from cmbound.reports.table import Table


def row_data(row: Row) -> dict[str, Any]:
    """One row as JSON-ready data."""
    found = row.evaluation
    return {
        "id": row.id,
        "title": row.theorem.title,
        "metric": row.theorem.metric,
        "target": row.target,
        "column": row.column,
        "quantity": row.theorem.quantity.format(target=row.target),
        "kind": row.theorem.kind,
        "known": row.theorem.known,
        "clock": row.theorem.clock,
        "status": row.status,
        "value": row.value,
        "upper": None if found is None else plain_decimal(found.upper),
        "lower": None if found is None else plain_decimal(found.lower),
        "rank": row.rank,
        "guarantee": row.guarantee,
        "reason": row.reason,
        "dominating_term": None if found is None else found.dominating_term,
        "vacuous": row.vacuous,
        "assumptions": [] if found is None else [{"id": x.id, "text": x.text, "status": x.status} for x in found.assumptions],
        "implied": [
            {
                "metric": x.metric,
                "value": x.value,
                "upper": plain_decimal(x.upper),
                "through": x.through,
                "guarantee": x.guarantee,
            }
            for x in row.implied
        ],
    }


def comparison_data(comparison: Comparison) -> dict[str, Any]:
    """A comparison as JSON-ready data."""
    options = {
        name: x if isinstance(x, str) else getattr(x, "name", None) or [str(y) for y in getattr(x, "values", x)]
        for name, x in comparison.options.items()
    }
    return {
        "parameters": thawed(comparison.parameters),
        "options": options,
        "measured": list(comparison.measured),
        "tier": comparison.tier,
        "rows": [row_data(x) for x in comparison.rows],
        "winners": comparison.winners,
        "notes": list(comparison.notes),
    }


# --- tables -----------------------------------------------------------------------------------------------------------


def _value(row: Row) -> Cell:
    return Cell("") if row.evaluation is None else number(rounded(row.evaluation.upper))


def _term(row: Row) -> Cell:
    name = None if row.evaluation is None else row.evaluation.dominating_term
    return Cell((name or "none").replace("_", " "))


def _remarks(row: Row) -> str:
    words = [row.reason] if row.reason else []
    words += ["vacuous"] if row.vacuous else []
    words += [f"form {row.theorem.known}"] if row.theorem.known not in ("derived", "verbatim") else []
    return "; ".join(words)


def ranking_table(comparison: Comparison, column: str) -> Table:
    """The ranked rows of one column, the best first."""
    rows = tuple(
        (number(str(x.rank)), Cell(x.id), Cell(x.theorem.kind), _value(x), _term(x), Cell(_remarks(x)))
        for x in comparison.ranking(column)
    )
    return Table(("rank", "statement", "kind", "bound", "largest term", "remarks"), rows, "rllrll")


def unranked_table(comparison: Comparison, status: str) -> Table:
    """Rows with a value that are shown apart."""
    rows = tuple((Cell(x.id), Cell(x.column), _value(x), Cell(x.reason)) for x in comparison.rows if x.status == status)
    return Table(("statement", "about", "value", "remarks"), rows, "llrl")


def reasons_table(comparison: Comparison) -> Table:
    """Rows that do not apply or cannot be evaluated, with the reason."""
    rows = tuple(
        (Cell(x.id), Cell(x.column), Cell(x.status), Cell(x.reason))
        for x in comparison.rows
        if x.status in (NOT_APPLICABLE, NOT_EVALUABLE)
    )
    return Table(("statement", "about", "status", "reason"), rows, "llll")


def implied_lines(comparison: Comparison) -> list[str]:
    """What ranked rows imply in other metrics."""
    found = []
    for row in comparison.rows:
        for x in row.implied:
            word = "" if x.guarantee else "; no guarantee, since the row is none"
            found.append(f"{row.id} implies {x.metric} <= {rounded(x.upper)}, through {x.through}{word}")
    return found


def rows_table(comparison: Comparison) -> Table:
    """Every row with all digits (what CSV holds)."""
    names = (
        "id", "metric", "target", "kind", "known", "status", "rank", "value", "upper", "dominating_term", "vacuous", "reason",
    )  # fmt: skip
    rows = []
    for row in comparison.rows:
        data = row_data(row)
        if row.evaluation is not None:
            data["value"] = text_up(row.evaluation.value, row.evaluation.upper)
        rows.append(tuple(Cell("" if data[x] is None else str(data[x])) for x in names))
    return Table(names, tuple(rows), "l" * len(names))


# --- pages ------------------------------------------------------------------------------------------------------------


def comparison_page(comparison: Comparison, width: int | None = None) -> str:
    """A comparison as text."""
    page = Page(width)
    ranked = [name for name in comparison.columns if comparison.ranking(name)]
    counts = {status: sum(x.status == status for x in comparison.rows) for status in (RANKED, ORDER, UNCONFIRMED)}
    rest = len(comparison.rows) - sum(counts.values())
    page.line(
        f"{len(comparison.rows)} statements: {counts[RANKED]} ranked, {counts[ORDER]} order forms apart, "
        f"{counts[UNCONFIRMED]} unconfirmed, {rest} not applicable or without a formula"
    )
    if comparison.tier == "approximate":
        page.line("float64: approximations of the bounds, not certified ones")
    for note in comparison.notes:
        page.line(f"note: {note}")
    for name in ranked:
        page.line()
        page.line(f"{name}: the best is {comparison.winners[name]}")
        page.table(ranking_table(comparison, name))
    if not ranked:
        page.line()
        page.line("no bound applies at these parameters")
    lines = implied_lines(comparison)
    if lines:
        page.line()
        for text in lines:
            page.line(text)
    for status, title in ((ORDER, "apart: order forms, whose constant is hidden"), (UNCONFIRMED, "apart: not confirmed")):
        if counts[status]:
            page.line()
            page.line(title)
            page.table(unranked_table(comparison, status))
    if rest:
        page.line()
        page.line("not applicable")
        page.table(reasons_table(comparison))
    page.line()
    for text in _given(comparison):
        page.line(text)
    return str(page)


def _given(comparison: Comparison) -> list[str]:
    shown = {name: x if isinstance(x, str) else f"{len(x)} values" for name, x in comparison.parameters.items()}
    measured = {name: x for name, x in shown.items() if name in comparison.measured}
    assumed = {name: x for name, x in shown.items() if name not in measured}
    options = {name: x for name, x in comparison_data(comparison)["options"].items() if isinstance(x, str)}
    rows = (("measured", measured), ("assumed" if measured else "parameters", assumed), ("options", options))
    return [f"{title}: {', '.join(f'{name} = {x}' for name, x in row.items())}" for title, row in rows if row]


def comparison_document(comparison: Comparison, format: str) -> str:
    """A comparison in LaTeX, Markdown or CSV (which holds every row)."""
    if format == "csv":
        return rows_table(comparison).csv()
    comment = "% {}" if format == "latex" else "*{}*"
    parts = [comment.format(x) for x in _given(comparison)]
    parts += [comment.format(x) for x in comparison.notes]
    for name in comparison.winners:
        parts += [
            comment.format(f"{name}: the best is {comparison.winners[name]}"),
            ranking_table(comparison, name).render(format),
        ]
    parts += [comment.format(x) for x in implied_lines(comparison)]
    for status in (ORDER, UNCONFIRMED):
        table = unranked_table(comparison, status)
        if table.rows:
            parts += [comment.format(f"apart: {status}"), table.render(format)]
    table = reasons_table(comparison)
    if table.rows:
        parts += [comment.format("not applicable"), table.render(format)]
    return ("\n" if format == "latex" else "\n\n").join(parts)
