"""Typed cells and tables, and every form they are printed in: LaTeX (booktabs), Markdown, CSV, JSON, HTML.

A cell knows what it is: text is escaped, math is LaTeX already, a number is decimal text that no locale and no ``repr``
has touched. All forms carry the same cells.
"""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cmbound.checks import checked_name, checked_tuple
from cmbound.errors import InputError, UnknownNameError
from cmbound.frozen import Record
from cmbound.output.numbers import latex_number

CELLS = ("text", "number", "math", "mixed")
FORMATS = ("latex", "markdown", "csv", "json", "html")

_LATEX_SPECIAL = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
}
_MARKDOWN_SPECIAL = re.compile(r"[\\`*$|<>\[\]]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
DECIMAL = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?(?:e(-?[0-9]+))?")
_LABEL = re.compile(r"[A-Za-z0-9:._/+-]+")


def escape_latex(text: str) -> str:
    """Text that LaTeX prints as it is, on one line."""
    return "".join(_LATEX_SPECIAL.get(x, x) for x in " ".join(text.split())).replace("--", "-{}-")


def escape_markdown(text: str) -> str:
    """Text that Markdown prints as it is, on one line."""
    return _MARKDOWN_SPECIAL.sub(lambda x: "\\" + x.group(), " ".join(text.split()))


@dataclass(frozen=True)
class Cell:
    """A table cell.

    Attributes:
        text: the content; of math its LaTeX.
        kind: ``text``, ``number`` (decimal text, possibly with an exponent), ``math`` or ``mixed`` (see ``parts``).
        plain: math in plain text, such as a SymPy expression (empty: the LaTeX itself).
        lines: text or math that LaTeX sets on several lines, together the same as ``text``.
        parts: the cells a mixed cell is made of, printed one after the other.
        mark: a sign after a number that a note explains, with what it means: ``("*", "assumed")``.
    """

    text: str
    kind: str = "text"
    plain: str = ""
    lines: tuple[str, ...] = ()
    parts: tuple[Cell, ...] = ()
    mark: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        checked_name("kind of cell", self.kind, CELLS)

    @property
    def is_decimal(self) -> bool:
        """Whether this is a number in decimal notation."""
        return self.kind == "number" and DECIMAL.fullmatch(self.text) is not None

    def string(self) -> str:
        """The cell in plain text, as a terminal and CSV show it."""
        return (self.plain or self.text) + (f" ({self.mark[1]})" if self.mark else "")

    def latex(self) -> str:
        """The cell in LaTeX."""
        if self.kind == "mixed":
            return "".join(x.latex() if x.kind != "text" else _inner(x.text, escape_latex) for x in self.parts)
        if self.kind == "text":
            return "--" if self.text == "-" else escape_latex(self.text)
        if not self.text:
            return ""
        body = self.text if self.kind == "math" else r"\infty" if self.text == "inf" else latex_number(self.text)
        return f"${{{body}}}^{{{self.mark[0]}}}$" if self.mark else f"${body}$"

    def latex_lines(self) -> list[str]:
        """The cell in LaTeX, one entry for each line."""
        if not self.lines:
            return [self.latex()]
        return [f"${x}$" if self.kind == "math" else escape_latex(x) for x in self.lines]

    def siunitx(self, aligned: bool = True) -> str:
        """The cell in an S column: a bare number, anything else in braces; without alignment a ``\\num``."""
        mark = rf"\textsuperscript{{{self.mark[0]}}}" if self.mark else ""
        if self.is_decimal:
            return (self.text if aligned else rf"\num{{{self.text}}}") + mark
        text = self.latex()
        return f"{{{text}}}" if text and aligned else text

    def markdown(self) -> str:
        """The cell in Markdown."""
        if self.kind == "mixed":
            return "".join(x.markdown() if x.kind != "text" else _inner(x.text, escape_markdown) for x in self.parts)
        if self.kind == "math":
            return "$" + self.text.replace(r"\|", r"\Vert ").replace("|", r"\vert ") + "$"
        return escape_markdown(self.text) + (escape_markdown(self.mark[0]) if self.mark else "")

    def html(self) -> str:
        """The cell in HTML; math as MathML, which needs nothing else."""
        if self.kind == "mixed":
            return "".join(x.html() if x.kind != "text" else html.escape(x.text) for x in self.parts)
        if self.kind == "math":
            from cmbound.reports.mathml import mathml

            return mathml(self.text)
        return html.escape(self.text) + (f"<sup>{html.escape(self.mark[0])}</sup>" if self.mark else "")

    def data(self) -> dict[str, Any]:
        """The cell as JSON-ready data: a number's ``text`` is exact, its ``value`` the nearest double."""
        result: dict[str, Any] = {"type": self.kind, "text": self.text}
        if self.kind == "number":
            result["value"] = float(self.text) if self.is_decimal else None
        elif self.kind == "math":
            result = {"type": "math", "latex": self.text, "text": self.string()}
        if self.mark:
            result["mark"] = self.mark[1]
        return result


def _inner(text: str, escape: Callable[[str], str]) -> str:
    """Escaped text inside a mixed cell: the spaces at its ends stay."""
    body = escape(text)
    return (" " if text[:1] == " " else "") + body + (" " if body and text[-1:] == " " else "")


def number(text: str, mark: tuple[str, str] | None = None) -> Cell:
    """A cell with a number."""
    return Cell(text, "number", mark=mark)


def math(text: str, plain: str = "", lines: Sequence[str] = ()) -> Cell:
    """A cell with LaTeX math."""
    return Cell(text, "math", plain, tuple(lines))


def mixed(*parts: Cell) -> Cell:
    """A cell of text and math."""
    return Cell("".join(x.string() for x in parts), "mixed", parts=parts)


def dollars(text: str) -> Cell:
    """What a user writes for a caption or a header: text, with math between dollar signs."""
    pieces = text.split("$")
    if len(pieces) % 2 == 0 or len(pieces) == 1:  # no math, or a dollar sign that is just that
        return Cell(text)
    return mixed(*(math(x) if i % 2 else Cell(x) for i, x in enumerate(pieces) if x))


@dataclass(frozen=True, eq=False)
class Table(Record):
    """A header and rows of cells, one alignment (``l`` or ``r``) for each column.

    Attributes:
        header: the headers in plain text.
        rows: the cells.
        alignment: one letter for each column.
        caption, label: for LaTeX (either makes a complete ``table`` environment), Markdown and HTML; math in dollars.
        heads: the headers as cells, where one of them is not text.
        widths: columns set as paragraphs in LaTeX, with their share of the line.
        layout: ``groups``: rows with the same first cell belong together, it is printed once; ``headings``: in LaTeX
            such a cell becomes a line of its own above its rows.
        size: LaTeX size the table is meant for (``footnotesize``; empty: the size of the text).
        tight: less space between the columns in LaTeX.
        aligned: the numbers of a column are comparable: with siunitx their decimal points line up.
        notes: explanations below the table.
        name: what the table is called on the command line.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    alignment: str
    caption: str = ""
    label: str = ""
    heads: tuple[Cell, ...] = ()
    widths: Mapping[int, float] = field(default_factory=dict)
    layout: str = ""
    size: str = ""
    tight: bool = False
    aligned: bool = True
    notes: tuple[Cell, ...] = ()
    name: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        checked_tuple("the headers of a table", self.header, str)
        columns = len(self.header)
        if not columns or len(self.alignment) != columns or set(self.alignment) - {"l", "r"}:
            raise InputError(
                f"a table of {columns} columns needs as many letters l or r as its alignment, got {self.alignment!r}"
            )
        for i, row in enumerate((self.heads, *self.rows) if self.heads else self.rows):
            checked_tuple(f"row {i} of a table", row, Cell)
            if len(row) != columns:
                raise InputError(f"row {i} of a table has {len(row)} cells, its header {columns}")
        for place in self.widths:
            if place not in range(columns):
                raise InputError(f"a width is given for column {place}; the columns are 0 to {columns - 1}")
        checked_name("layout of a table", self.layout, ("", "groups", "headings"))
        checked_tuple("the notes of a table", self.notes, Cell)
        if self.label and not _LABEL.fullmatch(self.label):
            raise InputError(f"label {self.label!r} is no LaTeX label: use letters, digits and : . _ / + -")

    @property
    def titles(self) -> tuple[Cell, ...]:
        """The headers as cells."""
        return self.heads or tuple(Cell(x) for x in self.header)

    # --- LaTeX ----------------------------------------------------------------------------------------------------

    def latex(self, siunitx: bool = False) -> str:
        """A booktabs tabular; with a caption or a label a complete table environment."""
        from cmbound.reports.latex import latex_table

        return latex_table(self, siunitx)

    # --- Markdown, CSV, JSON, HTML --------------------------------------------------------------------------------

    def sparse_rows(self) -> list[tuple[Cell, ...]]:
        """The rows, with a first cell that repeats the one above left out where rows are grouped."""
        if not self.layout:
            return list(self.rows)
        above = [None, *(row[0] for row in self.rows)]
        return [(Cell("") if row[0] == x else row[0], *row[1:]) for row, x in zip(self.rows, above, strict=False)]

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

    def data(self) -> dict[str, Any]:
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

    def json(self) -> str:
        """The table as JSON text."""
        from cmbound.output.data import to_json

        return to_json(self.data())

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
        """The table as ``latex``, ``markdown``, ``csv``, ``json`` or ``html``; ``siunitx`` is for LaTeX.

        Raises:
            UnknownNameError: no such form.
        """
        if format == "latex":
            return self.latex(siunitx)
        forms = {"markdown": self.markdown, "csv": self.csv, "json": self.json, "html": self.html}
        if format not in forms:
            raise UnknownNameError("format", format, FORMATS)
        return forms[format]()
