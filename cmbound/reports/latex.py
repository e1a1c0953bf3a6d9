"""A table in LaTeX: booktabs, with S columns of siunitx where they are asked for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from cmbound.reports.cells import DECIMAL, Cell, Cells, dollars

_PADDED = 40
"""Columns of source wider than this are not lined up."""
_SHORT = 10
"""Characters of a number that is short without an exponent."""


def latex_table(table: Cells, siunitx: bool = False) -> str:
    """The tabular and below it the notes; with a caption or a label a complete table environment."""
    body = _tabular(table, siunitx)
    setup = [f"\\{table.size}"] if table.size else []
    setup += [r"\setlength{\tabcolsep}{3pt}"] if table.tight else []
    needs = packages([*body, *_notes(table)])
    first = f"% needs {', '.join(needs)}"
    if not (table.caption or table.label):
        if setup:
            body = ["{%", *setup, *body, "}"]
        return "\n".join([first, *body, *_notes(table)])
    lines = [r"\begin{table}[tbp]", r"\centering"]
    lines += [f"\\caption{{{dollars(table.caption).latex()}}}"] if table.caption else []
    lines += [f"\\label{{{table.label}}}"] if table.label else []
    lines += [*setup, *body]
    lines += _notes(table)
    return "\n".join([f"% needs {', '.join(packages(lines))}", *lines, r"\end{table}"])


def _notes(table: Cells) -> list[str]:
    """The notes, printed below the table: without them its signs would be undefined."""
    if not table.notes:
        return []
    notes = r"\\ ".join(x.latex() for x in table.notes)
    return [r"\par\vspace{2pt}\noindent", r"\begin{minipage}{\linewidth}\scriptsize\raggedright", notes, r"\end{minipage}"]


def packages(lines: Sequence[str]) -> list[str]:
    """What the source uses."""
    text = "\n".join(lines)
    marks = {
        "array": r"\\arraybackslash",
        "siunitx": r"\\begin\{tabular\}\{.*S\[|\\num\{",
        "amsmath": r"\\begin\{align|\\operatorname|\\text\{",
        "amssymb": r"\\(checkmark|lesssim|mathfrak)\b",
    }
    return ["booktabs", *(name for name, mark in marks.items() if re.search(mark, text))]


def _tabular(table: Cells, siunitx: bool) -> list[str]:
    if siunitx and table.aligned:
        table = replace(table, rows=_one_notation(table))
    headings = table.layout == "headings"
    skip = 1 if headings else 0
    columns = range(skip, len(table.header))
    numeric = {
        i: x
        for i in columns
        if siunitx and table.aligned and table.alignment[i] == "r" and (x := _table_format([r[i] for r in table.rows]))
    }

    def cell(i: int, x: Cell) -> list[str]:
        if i in numeric:
            return [x.siunitx()]
        return [x.siunitx(aligned=False)] if siunitx and x.is_decimal else x.latex_lines()

    heads = [x.latex_lines() for i, x in enumerate(table.titles) if i >= skip]
    high = max(map(len, heads))
    head = [[*[""] * (high - len(x)), *x] for x in heads]
    top = [[f"{{{x[i]}}}" if j + skip in numeric and x[i] else x[i] for j, x in enumerate(head)] for i in range(high)]
    blocks: list[tuple[Cell | None, list[list[str]]]] = []
    above: Cell | None = None
    for row in table.rows:
        new = bool(table.layout) and row[0] != above
        if new or not blocks:
            blocks.append((row[0] if table.layout else None, []))
        parts = [cell(i, x) for i, x in enumerate(row) if i >= skip]
        if table.layout == "groups" and not new:
            parts[0] = [""]
        height = max(map(len, parts))
        blocks[-1][1].extend([[x[j] if j < len(x) else "" for x in parts] for j in range(height)])
        above = row[0]
    widths = _widths([*top, *(line for _, lines in blocks for line in lines)])
    form = "".join(_column(table, i, numeric) for i in columns)
    form = f"@{{}}{form}@{{}}" if table.tight else form
    edge = "@{}l@{}" if table.tight else "l"
    result = [f"\\begin{{tabular}}{{{form}}}", r"\toprule", *(_line(x, widths) for x in top), r"\midrule"]
    for n, (first, lines) in enumerate(blocks):
        if n and (headings or max(len(x[1]) for x in blocks) > 1):
            result.append(r"\addlinespace[2pt]")
        if headings and first is not None:
            result.append(f"\\multicolumn{{{len(columns)}}}{{{edge}}}{{{first.latex()}}} \\\\")
        result += [_line(x, widths) for x in lines]
    return [*result, r"\bottomrule", r"\end{tabular}"]


def _one_notation(table: Cells) -> tuple[tuple[Cell, ...], ...]:
    """The rows; in a column where only some numbers have an exponent and all are short without it, none has."""
    columns = [list(x) for x in zip(*table.rows, strict=True)]
    for column in columns:
        powers = ["e" in x.text for x in column if x.is_decimal]
        texts = [f"{Decimal(x.text):f}" if x.is_decimal else x.text for x in column]
        short = all(len(y) <= _SHORT for x, y in zip(column, texts, strict=True) if x.is_decimal)
        if any(powers) and not all(powers) and short:
            column[:] = [replace(x, text=y) if x.is_decimal else x for x, y in zip(column, texts, strict=True)]
    return tuple(zip(*columns, strict=True))


def _column(table: Cells, i: int, numeric: dict[int, str]) -> str:
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
    powers = [x[4] for x in found if x[4]]
    exponent = (
        f"e{'-' if any(x.startswith('-') for x in powers) else ''}{max(len(x.lstrip('-')) for x in powers)}" if powers else ""
    )
    text = f"table-format={sign}{whole}{f'.{decimals}' if decimals else ''}{exponent}"
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
