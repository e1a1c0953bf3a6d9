"""A report: what a result says, once for every format.

A result builds its :class:`Report` out of lines and tables; the writers know nothing of it. A new kind of result touches no
writer, a new format touches no result.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from cmbound.errors import UnknownNameError
from cmbound.reports.cells import Cell, escape_markdown, mathml
from cmbound.reports.latex import packages
from cmbound.reports.page import Page
from cmbound.reports.table import Table, to_json

FORMATS = ("text", "json", "latex", "markdown", "csv", "html")


@dataclass(frozen=True)
class Line:
    """A paragraph of text, with math between dollar signs where it is a :class:`Cell`."""

    text: str | Cell = ""
    indent: int = 0


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

    def line(self, text: str | Cell = "", indent: int = 0) -> None:
        """A paragraph; an empty one is a blank line."""
        self.parts.append(Line(text, indent))

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
        if form == "text":
            return _text(self.page, width)
        if form == "latex":
            return _latex(self, siunitx)
        writers: dict[str, Callable[[Report], str]] = {"json": _json, "markdown": _markdown, "csv": _csv, "html": _html}
        if form not in writers:
            raise UnknownNameError("format", form, FORMATS)
        return writers[form](self)


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
        return self.report().render("text", width=width)

    def to_dict(self) -> Any:
        """The result as JSON-ready data."""
        return self.report().data()

    def latex(self) -> str:
        """The result as a LaTeX fragment (which begins with the packages it needs)."""
        return self.report().render("latex")

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.report().title}>"

    def _repr_html_(self) -> str:
        return self.report().render("html")


# --- the writers ------------------------------------------------------------------------------------------------------


def _text(body: Body, width: int | None) -> str:
    page = Page(width)
    for part in body.parts:
        if isinstance(part, Line):
            page.line(part.text if isinstance(part.text, str) else part.text.string(), part.indent)
        elif isinstance(part, Block):
            page.table(part.table, part.indent)
    return str(page)


def _json(report: Report) -> str:
    return to_json(report.data())


def _csv(report: Report) -> str:
    return report.rows.csv()


def _latex(report: Report, siunitx: bool) -> str:
    """A fragment: tables and formulas, lines as comments, and first of all what it needs."""
    parts = []
    for part in report.document.parts:
        if isinstance(part, Line):
            parts.append(part.text.latex() if isinstance(part.text, Cell) else f"% {part.text}" if part.text else "")
        elif isinstance(part, Formula):
            parts.append(_display(part.lines))
        else:
            parts.append(part.table.latex(siunitx).partition("\n")[2])  # without the line that says what it needs
    return "\n".join([f"% cmbound: {report.title}; needs {', '.join(packages(parts))}", *parts])


def _display(lines: tuple[str, ...]) -> str:
    if len(lines) == 1:
        return rf"\[ {lines[0]} \]"
    first, *rest = lines
    body = " \\\\\n".join(f"&{{}}{'+' if i else ''} {x}" for i, x in enumerate(rest))
    return "\n".join([r"\begin{align*}", first, body, r"\end{align*}"])


def _markdown(report: Report) -> str:
    parts = [f"**{escape_markdown(report.title)}**"]
    for part in report.document.parts:
        if isinstance(part, Line):
            parts.append(part.text.markdown() if isinstance(part.text, Cell) else escape_markdown(part.text))
        elif isinstance(part, Formula):
            first, *rest = part.lines
            parts.append(f"$${' '.join([first, ' + '.join(rest)]).strip()}$$")
        else:
            parts.append(part.table.markdown())
    return "\n\n".join(x for x in parts if x)


def _html(report: Report) -> str:
    parts = []
    for part in report.page.parts:
        if isinstance(part, Block):
            parts.append(part.table.html())
        elif isinstance(part, Formula):
            parts.append(f"<p>{mathml(' '.join(part.lines))}</p>")
        elif part.text:
            text = part.text.html() if isinstance(part.text, Cell) else html.escape(part.text)
            parts.append(f'<p style="margin-left:{part.indent}ch">{text}</p>' if part.indent else f"<p>{text}</p>")
    return f"<div>{''.join(parts)}</div>"
