"""Tables and every format they are printed in: text, LaTeX (booktabs, siunitx), Markdown, CSV, JSON, HTML."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from cmbound.checks import checked_name, checked_tuple
from cmbound.errors import InputError
from cmbound.files import csv_text
from cmbound.frozen import FrozenDict, Record
from cmbound.names import FORMATS
from cmbound.numbers import counted
from cmbound.reports.cells import DECIMAL, Cell, dollars
from cmbound.reports.page import Page

_LABEL = re.compile(r"[A-Za-z0-9:._/+-]+")


@dataclass(frozen=True, eq=False, repr=False)
class Table(Record):
    """A header and rows of cells, one alignment (``l`` or ``r``) for each column, which print themselves.

    Attributes:
        header: the headers in plain text.
        rows: the cells.
        alignment: one letter for each column.
        caption, label: for LaTeX (either makes a complete ``table`` environment), Markdown and HTML; math in dollars.
        heads: the headers as cells, where one of them is not text.
        widths: columns set as paragraphs in LaTeX, with their share of the line.
        layout: ``groups``: rows with the same first cell belong together, it is printed once; ``headings``: in LaTeX and
            HTML such a cell becomes a line of its own above its rows.
        size: LaTeX size the table is meant for (``footnotesize``; empty: the size of the text).
        tight: less space between the columns in LaTeX.
        aligned: the numbers of a column are comparable: with siunitx their decimal points line up.
        notes: explanations below the table.
        name: what the table is called on the command line.

    >>> import cmbound
    >>> table = cmbound.table("complexity")
    >>> table.header
    ('statement', 'setting', 'metric', 'N', 'known')
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
                f"a table of {counted(columns, 'column')} needs as many letters l or r as its alignment, got {self.alignment!r}"
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
        return self.heads or tuple(map(Cell, self.header))

    def sparse_rows(self) -> list[tuple[Cell, ...]]:
        """The rows, with a first cell that repeats the one above left out where rows are grouped."""
        if not self.layout:
            return list(self.rows)
        above = [None, *(row[0] for row in self.rows)]
        return [(Cell("") if row[0] == x else row[0], *row[1:]) for row, x in zip(self.rows, above, strict=False)]

    def __repr__(self) -> str:
        return f"<Table{f' {self.name}' if self.name else ''}: {', '.join(self.header)}; {counted(len(self.rows), 'row')}>"

    def __str__(self) -> str:
        return self.text()

    def render(self, format: str, siunitx: bool = False) -> str:
        """The table as ``text``, ``json``, ``latex``, ``markdown``, ``csv`` or ``html``; ``siunitx`` is for LaTeX.

        Raises:
            UnknownNameError: no such form.
        """
        writer = getattr(self, checked_name("format", format, FORMATS))
        return str(writer(siunitx) if format == "latex" else writer())

    def text(self, width: int | None = None) -> str:
        """The table with its caption and notes, as a terminal of this width shows it."""
        page = Page(width)
        if self.caption:
            page.line(self.caption)
            page.line()
        self.put_on(page)
        for note in self.notes:
            page.line()
            page.line(note.string())
        return str(page)

    def put_on(self, page: Page, indent: int = 0) -> None:
        """Lay out header and rows on a page."""
        page.grid(self.header, self.alignment, ([x.string() for x in row] for row in self.sparse_rows()), indent)

    def markdown(self) -> str:
        """A pipe table, columns lined up."""
        body = [[cell.markdown() for cell in row] for row in self.sparse_rows()]
        head = [cell.markdown() for cell in self.titles]
        widths = [max(3, *map(len, column)) for column in zip(head, *body, strict=True)]
        columns = list(zip(widths, self.alignment, strict=True))

        def line(cells: Sequence[str]) -> str:
            padded = (x.rjust(n) if side == "r" else x.ljust(n) for x, (n, side) in zip(cells, columns, strict=True))
            return f"| {' | '.join(padded)} |"

        rule = ["-" * (n - 1) + ":" if side == "r" else "-" * n for n, side in columns]
        caption = [f"Table: {dollars(self.caption).markdown()}", ""] if self.caption else []
        notes = [x for note in self.notes for x in ("", note.markdown())]
        return "\n".join([*caption, line(head), line(rule), *map(line, body), *notes])

    def csv(self) -> str:
        """RFC 4180 with a header line; math in plain text where it has one."""
        return csv_text([self.header, *([cell.string() for cell in row] for row in self.rows)]).rstrip("\n")

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

        skip = 1 if self.layout == "headings" else 0
        span = f'colspan="{len(self.header) - skip}" style="{_SIDES["l"]}"'

        def cells(tag: str, row: Sequence[Cell]) -> str:
            columns = list(zip(self.alignment, row, strict=True))[skip:]
            return "<tr>" + "".join(f'<{tag} style="{_SIDES[side]}">{x.html()}</{tag}>' for side, x in columns) + "</tr>"

        def heading(first: Cell) -> str:
            return f"<tr><th {span}>{first.html()}</th></tr>" if skip and first.text else ""

        name = f' id="{html.escape(self.label)}"' if self.label else ""
        caption = f"<caption>{dollars(self.caption).html()}</caption>" if self.caption else ""
        body = "".join(heading(row[0]) + cells("td", row) for row in self.sparse_rows())
        notes = "<br/>".join(x.html() for x in self.notes)
        foot = f"<tfoot><tr><td {span}>{notes}</td></tr></tfoot>" if notes else ""
        return f"<table{name}>{caption}<thead>{cells('th', self.titles)}</thead><tbody>{body}</tbody>{foot}</table>"

    def _repr_html_(self) -> str:
        return self.html()

    def latex(self, siunitx: bool = False) -> str:
        """The tabular and below it the notes; with a caption or a label a complete ``table`` environment."""
        setup = [f"\\{self.size}"] if self.size else []
        setup += [r"\setlength{\tabcolsep}{3pt}"] if self.tight else []
        body, notes = _tabular(self, siunitx), _notes(self.notes)
        if self.caption or self.label:
            head = [r"\begin{table}[tbp]", r"\centering"]
            head += [f"\\caption{{{dollars(self.caption).latex()}}}"] if self.caption else []
            head += [f"\\label{{{self.label}}}"] if self.label else []
            lines = [*head, *setup, *body, *notes, r"\end{table}"]
        else:
            lines = [*(["{%", *setup, *body, "}"] if setup else body), *notes]
        return "\n".join([f"% needs {', '.join(packages(lines))}", *lines])


def to_json(data: Any) -> str:
    """JSON text with sorted keys."""
    return json.dumps(data, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)


_SIDES = FrozenDict({x: f"text-align:{y};padding:0.1em 1em 0.1em 0" for x, y in (("l", "left"), ("r", "right"))})
"""The style of HTML cells: a notebook would set text to the right, a browser without space between the columns."""

# --- LaTeX ------------------------------------------------------------------------------------------------------------

_PADDED = 40  # columns of source wider than this are not lined up
_SHORT = 10  # characters of a number that is short without an exponent
_PACKAGES = FrozenDict(
    {
        "array": r"\\arraybackslash",
        "siunitx": r"\\begin\{tabular\}\{.*S\[|\\num\{",
        "amsmath": r"\\begin\{align|\\operatorname|\\text\{",
        "amssymb": r"\\(checkmark|lesssim|mathfrak)\b",
    }
)
"""The packages besides booktabs, each with a pattern of the source that needs it."""


def packages(lines: Sequence[str]) -> list[str]:
    """The packages that LaTeX source needs."""
    text = "\n".join(lines)
    return ["booktabs", *(name for name, sign in _PACKAGES.items() if re.search(sign, text))]


def _notes(notes: Sequence[Cell]) -> list[str]:
    """The notes, printed below the table: without them its signs would be undefined."""
    if not notes:
        return []
    text = r"\\ ".join(x.latex() for x in notes)
    return [r"\par\vspace{2pt}\noindent", r"\begin{minipage}{\linewidth}\scriptsize\raggedright", text, r"\end{minipage}"]


def _tabular(table: Table, siunitx: bool) -> list[str]:
    rows = _one_notation(table.rows) if siunitx and table.aligned else table.rows
    headings = table.layout == "headings"
    columns = range(1 if headings else 0, len(table.header))
    formats = {i: _table_format([r[i] for r in rows]) for i in columns if siunitx and table.aligned and table.alignment[i] == "r"}
    numeric = {i: x for i, x in formats.items() if x}

    def cell(i: int, x: Cell) -> list[str]:
        if i in numeric:
            return [x.siunitx()]
        return [x.siunitx(aligned=False)] if siunitx and x.is_decimal else x.latex_lines()

    top = _side_by_side([table.titles[i].latex_lines() for i in columns], at_bottom=True)
    top = [[f"{{{x}}}" if i in numeric and x else x for i, x in zip(columns, line, strict=True)] for line in top]
    blocks: list[tuple[Cell, list[list[str]]]] = []
    for row in rows:
        parts = [cell(i, row[i]) for i in columns]
        if not blocks or (table.layout and row[0] != blocks[-1][0]):
            blocks.append((row[0], []))
        elif table.layout == "groups":
            parts[0] = [""]
        blocks[-1][1].extend(_side_by_side(parts))
    widths = _widths([*top, *(line for _, lines in blocks for line in lines)])
    form = "".join(_column(table, i, numeric) for i in columns)
    edge = "@{}" if table.tight else ""
    result = [f"\\begin{{tabular}}{{{edge}{form}{edge}}}", r"\toprule", *(_line(x, widths) for x in top), r"\midrule"]
    spaced = headings or max((len(x) for _, x in blocks), default=0) > 1
    for n, (first, lines) in enumerate(blocks):
        if n and spaced:
            result.append(r"\addlinespace[2pt]")
        if headings:
            result.append(f"\\multicolumn{{{len(columns)}}}{{{edge}l{edge}}}{{{first.latex()}}} \\\\")
        result += [_line(x, widths) for x in lines]
    return [*result, r"\bottomrule", r"\end{tabular}"]


def _side_by_side(cells: Sequence[list[str]], at_bottom: bool = False) -> list[list[str]]:
    """The lines of a row whose cells have several lines."""
    high = max(map(len, cells))
    filled = [[*[""] * (high - len(x)), *x] if at_bottom else [*x, *[""] * (high - len(x))] for x in cells]
    return [list(x) for x in zip(*filled, strict=True)]


def _one_notation(rows: Sequence[tuple[Cell, ...]]) -> list[tuple[Cell, ...]]:
    """The rows; in a column where only some numbers have an exponent and all are short without it, none has."""
    columns = [list(x) for x in zip(*rows, strict=True)]
    for column in columns:
        powers = ["e" in x.text for x in column if x.is_decimal]
        plain = [replace(x, text=f"{Decimal(x.text):f}") if x.is_decimal else x for x in column]
        if any(powers) and not all(powers) and all(len(x.text) <= _SHORT for x in plain if x.is_decimal):
            column[:] = plain
    return list(zip(*columns, strict=True))


def _column(table: Table, i: int, numeric: Mapping[int, str]) -> str:
    if i in numeric:
        return f"S[{numeric[i]}]"
    if i in table.widths:
        return f">{{\\raggedright\\arraybackslash}}p{{{table.widths[i]:.2f}\\linewidth}}"
    return table.alignment[i]


def _table_format(cells: Sequence[Cell]) -> str:
    """The keys of an S column that hold all its numbers (empty: there is none)."""
    found = [x for cell in cells if cell.is_decimal and (x := DECIMAL.fullmatch(cell.text))]
    if not found:
        return ""
    sign = "-" if any(x[1] for x in found) else ""
    whole, decimals = max(len(x[2]) for x in found), max(len(x[3] or "") for x in found)
    text = f"table-format={sign}{whole}{f'.{decimals}' if decimals else ''}"
    powers = [x[4] for x in found if x[4]]
    if powers:
        text += f"e{'-' if any(x.startswith('-') for x in powers) else ''}{max(len(x.lstrip('-')) for x in powers)}"
    marks = {cell.mark[0] for cell in cells if cell.mark}
    return text + "".join(rf",table-space-text-post=\textsuperscript{{{x}}}" for x in sorted(marks))


def _widths(lines: Sequence[Sequence[str]]) -> list[int]:
    """Width of each column of the source, 0 where it is not lined up."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [x if x <= _PADDED else 0 for x in widths]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    text = " & ".join(x.ljust(width) for x, width in zip(cells, widths, strict=True)).rstrip()
    if text.startswith(("[", "*")):  # would be an argument of the \\ or the rule above
        text = "{}" + text
    return text + r" \\"
