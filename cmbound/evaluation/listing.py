"""The list of the statements, for which none is built."""

from __future__ import annotations

from collections.abc import Iterable

from cmbound.catalogue import Entry
from cmbound.catalogue.bibtex import cited
from cmbound.reports.cells import Cell
from cmbound.reports.report import Body, Report
from cmbound.reports.table import Table


def listing_report(entries: Iterable[Entry]) -> Report:
    """One row for each statement."""
    columns = ("id", "kind", "status", "metric", "title", "reference")
    data = [{name: str(getattr(x, name)) for name in columns} for x in entries]
    for row in data:
        row["cited"] = cited(*row["reference"].split(", ", 1))

    def table(names: tuple[str, ...]) -> Table:
        return Table(names, tuple(tuple(Cell(row[name]) for name in names) for row in data), "l" * len(names))

    page, document = Body(), Body()
    page.table(table(tuple(x for x in columns if x != "status")), 0)
    document.table(table(columns))
    page.line()
    page.line("references")
    for key in dict.fromkeys(row["reference"].partition(", ")[0] for row in data):
        page.line(f"{key}: {cited(key)}", 2)
    return Report("the statements", page, lambda: data, table((*columns, "cited")), document)
