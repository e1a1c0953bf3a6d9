"""Tables and every format they are printed in: text, LaTeX (booktabs), Markdown, CSV, JSON, HTML."""

from __future__ import annotations

import csv
import html
import io
import json
from collections.abc import Callable, Sequence
from typing import Any

from cmbound.errors import UnknownNameError
from cmbound.reports.cells import Cell, Cells, dollars
from cmbound.reports.latex import latex_table
from cmbound.reports.page import Page

FORMATS = ("text", "latex", "markdown", "csv", "json", "html")


class Table(Cells):
    """A header and rows of cells, which print themselves; the fields are those of :class:`~cmbound.reports.cells.Cells`."""

    def __repr__(self) -> str:
        return f"<Table{f' {self.name}' if self.name else ''}: {', '.join(self.header)}; {len(self.rows)} rows>"

    def __str__(self) -> str:
        return self.text()

    def text(self, width: int | None = None) -> str:
        """The table with its caption and notes, as a terminal of this width shows it."""
        page = Page(width)
        if self.caption:
            page.line(self.caption)
            page.line()
        page.table(self, 0)
        for note in self.notes:
            page.line()
            page.line(note.string())
        return str(page)

    def latex(self, siunitx: bool = False) -> str:
        """A booktabs tabular; with a caption or a label a complete table environment."""
        return latex_table(self, siunitx)

    def markdown(self) -> str:
        """A pipe table, columns lined up."""
        body = [[cell.markdown() for cell in row] for row in self.sparse_rows()]
        head = [cell.markdown() for cell in self.titles]
        widths = [max(3, *(len(row[i]) for row in [head, *body])) for i in range(len(head))]

        def line(cells: Sequence[str]) -> str:
            padded = (
                text.rjust(width) if side == "r" else text.ljust(width)
                for text, width, side in zip(cells, widths, self.alignment, strict=True)
            )
            return "| " + " | ".join(padded) + " |"

        rule = [
            "-" * (width - 1) + ":" if side == "r" else "-" * width for width, side in zip(widths, self.alignment, strict=True)
        ]
        caption = [f"Table: {dollars(self.caption).markdown()}", ""] if self.caption else []
        notes = [x for note in self.notes for x in ("", note.markdown())]
        return "\n".join([*caption, line(head), line(rule), *map(line, body), *notes])

    def csv(self) -> str:
        """RFC 4180 with a header line; math in plain text where it has one."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(self.header)
        writer.writerows([cell.string() for cell in row] for row in self.rows)
        return buffer.getvalue().rstrip("\n")

    def to_dict(self) -> dict[str, Any]:
        """The table as JSON-ready data: every cell with its type."""
        columns = zip(self.header, self.alignment, self.titles, strict=True)
        return {
            "schema_version": "1",
            "table": self.name,
            "caption": self.caption,
            "label": self.label,
            "columns": [{"header": x, "align": side, "latex": cell.latex()} for x, side, cell in columns],
            "rows": [[cell.data() for cell in row] for row in self.rows],
            "notes": [x.string() for x in self.notes],
        }

    data = to_dict

    def json(self) -> str:
        """The table as JSON text."""
        return to_json(self.to_dict())

    def html(self) -> str:
        """An HTML table that needs nothing else (math is MathML)."""

        def style(side: str) -> str:
            return ' style="text-align:right"' if side == "r" else ""

        def cells(tag: str, row: Sequence[Cell]) -> str:
            return "".join(f"<{tag}{style(x)}>{y.html()}</{tag}>" for x, y in zip(self.alignment, row, strict=True))

        name = f' id="{html.escape(self.label)}"' if self.label else ""
        caption = f"<caption>{dollars(self.caption).html()}</caption>" if self.caption else ""
        body = "".join(f"<tr>{cells('td', row)}</tr>" for row in self.sparse_rows())
        notes = "<br/>".join(x.html() for x in self.notes)
        foot = f'<tfoot><tr><td colspan="{len(self.header)}">{notes}</td></tr></tfoot>' if notes else ""
        head = f"<thead><tr>{cells('th', self.titles)}</tr></thead>"
        return f"<table{name}>{caption}{head}<tbody>{body}</tbody>{foot}</table>"

    def _repr_html_(self) -> str:
        return self.html()

    def render(self, format: str, siunitx: bool = False) -> str:
        """The table as ``text``, ``latex``, ``markdown``, ``csv``, ``json`` or ``html``; ``siunitx`` is for LaTeX.

        Raises:
            UnknownNameError: no such form.
        """
        writers: dict[str, Callable[[], str]] = {
            "text": self.text,
            "latex": lambda: self.latex(siunitx),
            "markdown": self.markdown,
            "csv": self.csv,
            "json": self.json,
            "html": self.html,
        }
        if format not in writers:
            raise UnknownNameError("format", format, FORMATS)
        return writers[format]()


def to_json(data: Any) -> str:
    """JSON text with sorted keys."""
    return json.dumps(data, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
