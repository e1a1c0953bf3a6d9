"""The table of complexities of ``cmbound compare --complexity``, with the verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cmbound.comparison.complexity import NAMES, NOTES, Against, Complexity, label
from cmbound.reports.cells import Cell, math
from cmbound.reports.page import Page
from cmbound.reports.table import Table
from cmbound.theory.formulas import latex


def complexity_data(x: Complexity) -> dict[str, Any]:
    """One complexity as JSON-ready data."""
    return {
        "id": x.id,
        "metric": x.metric,
        "target": x.target,
        "steps": str(x.expression),
        "exponents": {label(name): str(y) for name, y in x.exponents.items()},
        "logs": {label(name): str(y) for name, y in x.logs.items()},
        "recorded": x.recorded,
        "recipe": x.recipe,
        "known": x.theorem.known,
        "unconfirmed": x.unconfirmed,
        "through": x.through,
        "reference": str(x.theorem.reference),
    }


def against_data(x: Against) -> dict[str, Any]:
    """One verdict as JSON-ready data."""
    return {
        "ours": x.ours.id,
        "theirs": x.theirs.id,
        "steps": [str(x.ours.expression), str(x.theirs.expression)],
        "through": x.theirs.through,
        "comparable": x.comparable,
        "better": [label(y) for y in x.better],
        "matches": [label(y) for y in x.same],
        "worse": [label(y) for y in x.worse],
        "unconfirmed": x.theirs.unconfirmed,
        "verdict": x.verdict,
    }


def complexities_data(rows: Sequence[Complexity], verdicts: Sequence[Against]) -> dict[str, Any]:
    """Everything as JSON-ready data."""
    return {
        "complexities": [complexity_data(x) for x in rows],
        "verdicts": [against_data(x) for x in verdicts],
        "notes": list(NOTES),
    }


def exponents_table(rows: Sequence[Complexity], as_math: bool = False) -> Table:
    """One row a complexity, one column for the exponent in each parameter."""
    present = [x for x in NAMES if any(x in row.exponents for row in rows)]
    header = ("statement", "accuracy", "steps N", *map(label, present), "known")
    body = tuple(
        (
            Cell(x.id),
            Cell(x.column),
            math(latex(x.expression)) if as_math else Cell(str(x.expression)),
            *(Cell(x.power(name)) for name in present),
            Cell(_known(x)),
        )
        for x in rows
    )
    return Table(header, body, "lll" + "r" * len(present) + "l")


def _known(x: Complexity) -> str:
    if x.unconfirmed:
        return "unconfirmed"
    return f"recipe: {x.recipe}" if x.recipe else x.theorem.known


def verdict_line(x: Against) -> str:
    """One verdict in one sentence."""
    through = f" through {x.theirs.through}" if x.theirs.through else ""
    word = " (unconfirmed)" if x.theirs.unconfirmed else ""
    steps = f"N = {x.ours.expression} against {x.theirs.expression}"
    return f"{x.ours.id} against {x.theirs.id}{word}{through}, {steps}: {x.verdict}"


def complexity_page(rows: Sequence[Complexity], verdicts: Sequence[Against], width: int | None = None) -> str:
    """The table and the verdicts as text."""
    page = Page(width)
    page.line("steps N for accuracy eps, up to constants; exponents (of 1/eps for eps), smaller is better; log: logarithmic only")
    page.table(exponents_table(rows))
    page.line()
    page.line("verdicts on the paper's complexities")
    for x in verdicts:
        page.line(verdict_line(x), 2)
    page.line()
    for note in NOTES:
        page.line(f"note: {note}")
    return str(page)


def complexity_document(rows: Sequence[Complexity], verdicts: Sequence[Against], format: str) -> str:
    """The table in LaTeX, Markdown or CSV (which holds the table alone)."""
    if format == "csv":
        return exponents_table(rows).csv()
    comment = "% {}" if format == "latex" else "* {}"
    parts = [exponents_table(rows, as_math=True).render(format)]
    lines = [comment.format(x if format == "latex" else f"`{x}`") for x in [*map(verdict_line, verdicts), *NOTES]]
    return ("\n" if format == "latex" else "\n\n").join([*parts, "\n".join(lines)])
