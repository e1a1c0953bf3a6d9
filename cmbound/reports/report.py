"""A report: what a result says, once for every format.

A result builds its :class:`Report` out of lines and tables; the writers know nothing of it. A new kind of result touches no
writer, a new format touches no result.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from cmbound.checks import checked_name
from cmbound.names import FORMATS
from cmbound.reports.cells import Cell, escape_markdown, mathml
from cmbound.reports.page import Page, printable
from cmbound.reports.table import Table, packages, to_json


@dataclass(frozen=True)
class Line:
    """A paragraph of text, with math where it is a :class:`Cell`; ``signs`` is what a terminal shows instead, if it can."""

    text: str | Cell = ""
    indent: int = 0
    signs: str = ""


@dataclass(frozen=True)
class Block:
    """A table, so far from the margin."""

    table: Table
    indent: int = 2


@dataclass(frozen=True)
class Formula:
    """Displayed LaTeX math, one entry for each line of it."""

    lines: tuple[str, ...]


class Body:
    """Collects what a report is made of."""

    def __init__(self) -> None:
        self.parts: list[Line | Block | Formula] = []

    def line(self, text: str | Cell = "", indent: int = 0, signs: str = "") -> None:
        """A paragraph; an empty one is a blank line. ``signs`` is the text where a terminal has the signs of mathematics."""
        self.parts.append(Line(text, indent, signs))

    def table(self, table: Table, indent: int = 2) -> None:
        """A table."""
        self.parts.append(Block(table, indent))

    def formula(self, *lines: str) -> None:
        """Displayed math, which only documents show."""
        self.parts.append(Formula(lines))


class Rows(Protocol):
    """What CSV holds."""

    def csv(self) -> str:
        """As CSV."""


@dataclass(frozen=True)
class Report:
    """What a result says.

    Attributes:
        title: one line.
        page: what a terminal and a notebook show.
        data: makes the JSON-ready data.
        rows: what CSV holds: a table, or a result that is too long for one and writes itself.
        document: what goes into a paper (LaTeX) or a file of notes (Markdown); a line becomes a comment in LaTeX.
    """

    title: str
    page: Body
    data: Callable[[], Any]
    rows: Rows
    document: Body

    def render(self, form: str, *, siunitx: bool = False, width: int | None = None) -> str:
        """The report as ``text`` (of this width), ``json``, ``latex``, ``markdown``, ``csv`` or ``html``.

        Raises:
            UnknownNameError: no such format.
        """
        options = {"text": (width,), "latex": (siunitx,)}.get(form, ())
        return str(getattr(self, checked_name("format", form, FORMATS))(*options))

    def text(self, width: int | None = None) -> str:
        """The page as a terminal of this width shows it."""
        page = Page(width)
        signs = printable("".join(x.signs for x in self.page.parts if isinstance(x, Line)))  # one notation in all lines
        for part in self.page.parts:
            if isinstance(part, Line):
                text = part.text if isinstance(part.text, str) else part.text.string()
                page.line(part.signs if part.signs and signs else text, part.indent)
            elif isinstance(part, Block):
                part.table.put_on(page, part.indent)
        return str(page)

    def json(self) -> str:
        """The data as JSON text."""
        return to_json(self.data())

    def csv(self) -> str:
        """The rows."""
        return self.rows.csv()

    def latex(self, siunitx: bool = False) -> str:
        """A fragment of LaTeX: tables and formulas, lines as comments, and first of all what it needs."""
        parts = []
        for part in self.document.parts:
            if isinstance(part, Line):
                parts.append(part.text.latex() if isinstance(part.text, Cell) else f"% {part.text}" if part.text else "")
            elif isinstance(part, Formula):
                parts.append(_display(part.lines))
            else:
                parts.append(part.table.latex(siunitx).partition("\n")[2])  # without the line that says what it needs
        return "\n".join([f"% cmbound: {self.title}; needs {', '.join(packages(parts))}", *parts])

    def markdown(self) -> str:
        """The title, and below it tables, formulas and paragraphs."""
        parts = [f"**{escape_markdown(self.title)}**"]
        for part in self.document.parts:
            if isinstance(part, Line):
                parts.append(part.text.markdown() if isinstance(part.text, Cell) else escape_markdown(part.text))
            elif isinstance(part, Formula):
                first, *rest = part.lines
                parts.append(f"$${' '.join([first, ' + '.join(rest)]).strip()}$$")
            else:
                parts.append(part.table.markdown())
        return "\n\n".join(x for x in parts if x)

    def html(self) -> str:
        """The page as a fragment of HTML, which a notebook shows (math is MathML)."""
        parts, above = [], "0"
        for part in self.page.parts:
            if part == Line():
                above = "1em"
                continue
            indent = 0 if isinstance(part, Formula) else part.indent
            parts.append(f'<div style="margin:{above} 0 0.3em {indent}ch">{_html(part)}</div>')
            above = "0"
        return f"<div>{''.join(parts)}</div>"


def _html(part: Line | Block | Formula) -> str:
    if isinstance(part, Block):
        return part.table.html()
    if isinstance(part, Formula):
        return mathml(" ".join(part.lines))
    return part.text.html() if isinstance(part.text, Cell) else html.escape(part.text)


def html_page(title: str, fragment: str) -> str:
    """A complete HTML file around what :meth:`Report.html` or :meth:`~cmbound.reports.table.Table.html` gives."""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width"/>
<title>{html.escape(title)}</title>
<style>
body {{ font-family: sans-serif; line-height: 1.4; max-width: 60em; margin: 2em auto; padding: 0 1em }}
table {{ border-collapse: collapse }}
thead {{ border-bottom: 1px solid }}
td {{ vertical-align: top }}
</style>
</head>
<body>
{fragment}
</body>
</html>"""


def _display(lines: tuple[str, ...]) -> str:
    if len(lines) == 1:
        return rf"\[ {lines[0]} \]"
    first, *rest = lines
    body = " \\\\\n".join(f"&{{}}{'+' if i else ''} {x}" for i, x in enumerate(rest))
    return "\n".join([r"\begin{align*}", first, body, r"\end{align*}"])


def titles(what: str, rows: Sequence[tuple[str, str]], data: Callable[[], Any]) -> Report:
    """Names with titles, one paragraph each."""
    page, document = Body(), Body()
    for name, title in rows:
        page.line(f"{name}: {title}")
    table = Table(("name", "title"), tuple((Cell(name), Cell(title)) for name, title in rows), "ll", widths={1: 0.7})
    document.table(table)
    return Report(what, page, data, table, document)


class Result:
    """What every result of the package can do: it builds a report, and the report is printed."""

    def report(self) -> Report:
        """The result as a :class:`Report`."""
        raise TypeError(f"{type(self).__name__} has no report")

    def text(self, width: int | None = None) -> str:
        """The result as text, as a terminal of this width shows it."""
        return self.report().text(width)

    def to_dict(self) -> Any:
        """The result as JSON-ready data."""
        return self.report().data()

    def latex(self) -> str:
        """The result as a LaTeX fragment (which begins with the packages it needs)."""
        return self.report().latex()

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.report().title}>"

    def _repr_html_(self) -> str:
        return self.report().html()
