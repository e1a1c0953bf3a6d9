"""Tables in LaTeX (booktabs), Markdown, CSV, HTML and text, and the pages ``evaluate``, ``show`` and ``list`` print."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cmbound.output.numbers import latex_number, plain_decimal, rounded
from cmbound.records import Evaluation

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
}


def escape_latex(text: str) -> str:
    """Text that LaTeX prints as it is."""
    return "".join(_LATEX_SPECIAL.get(x, x) for x in text)


@dataclass(frozen=True)
class Cell:
    """A table cell: ``kind`` is ``text``, ``number`` (its text may end in an exponent) or ``math`` (LaTeX)."""

    text: str
    kind: str = "text"

    def latex(self) -> str:
        """The cell in LaTeX."""
        if self.kind == "text":
            return escape_latex(self.text)
        return f"${latex_number(self.text) if self.kind == 'number' else self.text}$"

    def markdown(self) -> str:
        """The cell in Markdown."""
        return f"${self.text}$" if self.kind == "math" else self.text.replace("|", r"\|")

    def html(self) -> str:
        """The cell in HTML."""
        return f"\\({html.escape(self.text)}\\)" if self.kind == "math" else html.escape(self.text)


def number(text: str) -> Cell:
    """A cell with a number."""
    return Cell(text, "number")


def math(text: str) -> Cell:
    """A cell with LaTeX math."""
    return Cell(text, "math")


@dataclass(frozen=True)
class Table:
    """A header and rows of cells, one alignment (``l`` or ``r``) for each column."""

    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    alignment: str
    caption: str = ""

    def latex(self) -> str:
        """A booktabs tabular."""
        lines = [
            f"\\begin{{tabular}}{{{self.alignment}}}",
            r"\toprule",
            " & ".join(map(escape_latex, self.header)) + r" \\",
            r"\midrule",
        ]
        lines += [" & ".join(cell.latex() for cell in row) + r" \\" for row in self.rows]
        return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"])

    def markdown(self) -> str:
        """A pipe table, columns lined up."""
        body = [[cell.markdown() for cell in row] for row in self.rows]
        widths = [max(3, *(len(row[i]) for row in [list(self.header), *body])) for i in range(len(self.header))]

        def line(cells: Sequence[str]) -> str:
            padded = (
                text.rjust(width) if side == "r" else text.ljust(width)
                for text, width, side in zip(cells, widths, self.alignment, strict=True)
            )
            return "| " + " | ".join(padded) + " |"

        rule = [
            "-" * (width - 1) + ":" if side == "r" else "-" * width for width, side in zip(widths, self.alignment, strict=True)
        ]
        return "\n".join([line(self.header), line(rule), *map(line, body)])

    def csv(self) -> str:
        """RFC 4180 with a header line."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(self.header)
        writer.writerows([cell.text for cell in row] for row in self.rows)
        return buffer.getvalue().rstrip("\n")

    def html(self) -> str:
        """A plain HTML table."""
        head = "".join(f"<th>{html.escape(x)}</th>" for x in self.header)
        body = "".join("<tr>" + "".join(f"<td>{cell.html()}</td>" for cell in row) + "</tr>" for row in self.rows)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def render(self, format: str) -> str:
        """The table as ``latex``, ``markdown``, ``csv`` or ``html``."""
        return {"latex": self.latex, "markdown": self.markdown, "csv": self.csv, "html": self.html}[format]()


# --- evaluations ----------------------------------------------------------------------------------------------------


def terms_table(evaluation: Evaluation, digits: int = 6) -> Table:
    """The named terms, each rounded up, with the total."""
    rows = [
        (Cell(name.replace("_", " ")), number(rounded(x.upper, digits)), number(f"{100 * x.share:.1f}"))
        for name, x in evaluation.terms.items()
    ]
    rows.append((Cell("total"), number(rounded(evaluation.upper, digits)), number("100.0" if evaluation.value > 0 else "0.0")))
    return Table(("term", "bound", "share (%)"), tuple(rows), "lrr")


def exact_terms_table(evaluation: Evaluation) -> Table:
    """The named terms with their enclosures (what CSV holds)."""
    rows = [
        (Cell(name), number(repr(x.value)), number(plain_decimal(x.lower)), number(plain_decimal(x.upper)), number(repr(x.share)))
        for name, x in evaluation.terms.items()
    ]
    total = (
        Cell("total"),
        number(repr(evaluation.value)),
        number(plain_decimal(evaluation.lower)),
        number(plain_decimal(evaluation.upper)),
        number("1.0" if evaluation.value > 0 else "0.0"),
    )
    return Table(("term", "value", "lower", "upper", "share"), (*rows, total), "lrrrr")


def steps_table(evaluation: Evaluation, digits: int = 6) -> Table:
    """Multistep sampling: the bound after each evaluation."""
    from cmbound.output.data import in_clock

    name = "sigma" if evaluation.clock == "ve" else "time"
    rows = tuple(
        (number(str(x.k)), number(rounded(in_clock(x.t, evaluation.clock), digits, "nearest")), number(rounded(x.upper, digits)))
        for x in evaluation.steps or ()
    )
    return Table(("k", name, "bound"), rows, "rrr")


def stretches_table(evaluation: Evaluation) -> Table:
    """Which profile was used on which stretch."""
    from cmbound.output.data import in_clock

    clock = evaluation.clock
    several = len({x.at for x in evaluation.stretches}) > 1
    header = ("profile", "from", "to") + (("map error at",) if several else ())
    rows = tuple(
        (
            Cell(x.profile),
            number(rounded(in_clock(x.start, clock), 4, "nearest")),
            number(rounded(in_clock(x.end, clock), 4, "nearest")),
            *((number(rounded(in_clock(x.at, clock), 4, "nearest")),) if several else ()),
        )
        for x in evaluation.stretches
    )
    return Table(header, rows, "l" + "r" * (len(header) - 1))


def relation(evaluation: Evaluation) -> tuple[str, str]:
    """How the value relates to the quantity, in text and in LaTeX."""
    return ("<~", r"\lesssim") if evaluation.theorem.kind == "order" else ("<=", r"\leq")


def evaluation_latex(evaluation: Evaluation) -> str:
    """LaTeX math: quantity <= value."""
    target = r"p_{\mathrm{data}}" if evaluation.target in (None, "p_data") else r"p_\delta"
    value = latex_number(rounded(evaluation.upper))
    return f"{evaluation.theorem.quantity_latex.replace('@', target)} {relation(evaluation)[1]} {value}"


def evaluation_html(evaluation: Evaluation) -> str:
    """What a notebook shows."""
    notes = "".join(f"<li>{html.escape(x)}</li>" for x in evaluation.notes)
    return (
        f"<div><p><b>{html.escape(evaluation.theorem.id)}</b> ({html.escape(evaluation.tier)}): "
        f"{html.escape(evaluation.quantity)} {html.escape(relation(evaluation)[0])} {rounded(evaluation.upper)}</p>"
        f"{terms_table(evaluation).html()}" + (f"<ul>{notes}</ul>" if notes else "") + "</div>"
    )


def evaluation_document(evaluation: Evaluation, format: str) -> str:
    """An evaluation as a LaTeX or Markdown fragment, or as CSV."""
    if format == "csv":
        return exact_terms_table(evaluation).csv()
    parts = []
    if format == "latex":
        parts.append(f"% cmbound: {evaluation.theorem.id}, {evaluation.tier}; needs booktabs, amsmath, amssymb")
        parts.append(rf"\[ {evaluation_latex(evaluation)} \]")
    else:
        parts.append(f"**{evaluation.theorem.id}** ({evaluation.tier}): ${evaluation_latex(evaluation)}$\n")
    parts.append(terms_table(evaluation).render(format))
    if evaluation.steps is not None:
        parts.append("\n" + steps_table(evaluation).render(format))
    for note in evaluation.notes:
        parts.append(f"% {note}" if format == "latex" else f"\n*{note}*")
    return "\n".join(parts)


def statement_document(data: dict[str, Any], format: str) -> str:
    """A statement (as :func:`cmbound.output.data.theorem_data` gives it) in LaTeX, Markdown or CSV."""
    if format == "csv":
        rows = tuple((Cell(x["name"]), Cell(x["expression"]), Cell(x["latex"])) for x in data["terms"])
        return Table(("term", "expression", "latex"), rows, "lll").csv()
    table = Table(
        ("term", "expression"), tuple((Cell(x["name"].replace("_", " ")), math(x["latex"])) for x in data["terms"]), "ll"
    )
    where = [x["latex"] for x in data["where"]]
    if format == "latex":
        lines = [
            f"% cmbound: {data['id']} ({data['kind']} form), {data['reference']['key']}, {data['reference']['place']}",
            "% needs booktabs, amsmath, amssymb",
            r"\begin{align*}",
            data["latex_lines"][0],
            " \\\\\n".join(f"&{{}}{'+' if i else ''} {x}" for i, x in enumerate(data["latex_lines"][1:])),
            r"\end{align*}",
            table.latex(),
            *(f"% where {x}" for x in where),
            *(f"% assumption {x['id']}: {x['text']}" for x in data["assumptions"]),
        ]
        return "\n".join(lines)
    lines = [
        f"**{data['id']}** ({data['kind']} form; {data['reference']['key']}, {data['reference']['place']}): {data['title']}",
        "",
        f"$${data['latex']}$$",
        "",
        table.markdown(),
        "",
        *([f"where ${'$, $'.join(where)}$", ""] if where else []),
        *(f"* {x['id']}: {x['text']}" for x in data["assumptions"]),
        "",
        data["derivation"],
    ]
    return "\n".join(lines)
