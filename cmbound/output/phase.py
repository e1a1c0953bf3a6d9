"""A phase diagram of ``cmbound compare --sweep``: shares, borders, and the figure."""

from __future__ import annotations

from typing import Any

import numpy as np

from cmbound.comparison.phase import Border, Phase
from cmbound.numbers import rounded
from cmbound.reports.cells import Cell, number
from cmbound.reports.page import Page
from cmbound.reports.table import Table

_SHOWN = 30


def phase_data(phase: Phase) -> dict[str, Any]:
    """A phase diagram as JSON-ready data."""
    return {
        "x_name": phase.x_name,
        "y_name": phase.y_name,
        "x": phase.x.tolist(),
        "y": phase.y.tolist(),
        "about": phase.column,
        "names": list(phase.names),
        "values": {name: [[None if np.isnan(z) else float(z) for z in row] for row in x] for name, x in phase.values.items()},
        "winners": phase.winners.tolist(),
        "borders": [{"x": z.x, "y": z.y, "along": z.along, "below": z.below, "above": z.above} for z in phase.borders],
        "shares": phase.shares(),
        "constant": phase.constant,
        "notes": list(phase.notes),
    }


def borders_table(phase: Phase, borders: tuple[Border, ...]) -> Table:
    """Where the winner changes."""
    names = [phase.x_name, *([phase.y_name] if phase.y_name else [])]
    rows = tuple(
        (
            *(number(rounded(z, 8, "nearest")) for z in (x.x, x.y)[: len(names)]),
            Cell(x.along),
            Cell(x.below or "none applies"),
            Cell(x.above or "none applies"),
        )
        for x in borders
    )
    return Table((*names, "along", "best below", "best above"), rows, "r" * len(names) + "lll")


def phase_page(phase: Phase, width: int | None = None) -> str:
    """Shares and borders as text."""
    page = Page(width)
    axes = f"{phase.x_name} and {phase.y_name}" if phase.y_name else phase.x_name
    page.line(f"{phase.column}: the smallest of {', '.join(phase.names)} over {axes} (float64, {phase.winners.size} points)")
    if phase.constant is not None:
        page.line(f"note: order forms at C = {phase.constant} are among them, which are no bounds")
    for note in phase.notes:
        page.line(f"note: {note}")
    for name, share in phase.shares().items():
        page.line(f"{name} wins at {100 * share:.1f}% of the points", 2)
    empty = float(np.mean(phase.winners < 0))
    if empty:
        page.line(f"none applies at {100 * empty:.1f}% of the points", 2)
    page.line()
    if not phase.borders:
        page.line("no border: the winner does not change")
        return str(page)
    page.line("borders, refined by bisection")
    page.table(borders_table(phase, phase.borders[:_SHOWN]))
    if len(phase.borders) > _SHOWN:
        page.line(f"({len(phase.borders) - _SHOWN} more; --format json has them all)", 2)
    return str(page)


def phase_document(phase: Phase, format: str) -> str:
    """Every point as CSV, or the borders in LaTeX or Markdown."""
    return phase.csv() if format == "csv" else borders_table(phase, phase.borders).render(format)
