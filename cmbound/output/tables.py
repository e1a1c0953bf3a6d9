"""The tables, pages and documents that ``evaluate``, ``show`` and ``list`` print."""

from __future__ import annotations

import html
from typing import Any

from cmbound.numbers import plain_decimal, rounded, text_up
from cmbound.output.numbers import latex_number
from cmbound.reports.table import Cell, Table, dollars, math, number
from cmbound.theory.records import Evaluation


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
        (
            Cell(name),
            number(text_up(x.value, x.upper)),
            number(plain_decimal(x.lower)),
            number(plain_decimal(x.upper)),
            number(repr(x.share)),
        )
        for name, x in evaluation.terms.items()
    ]
    total = (
        Cell("total"),
        number(text_up(evaluation.value, evaluation.upper)),
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
    where = [x["latex"] for x in data["where"] if x["latex"]]
    signs = [f"${x['latex']}$: {x['meaning']}" for x in data["signs"]]
    if format == "latex":
        lines = [
            f"% cmbound: {data['id']} ({data['kind']} form), {data['reference']['key']}, {data['reference']['place']}",
            "% needs booktabs, amsmath, amssymb",
            r"\begin{align*}",
            data["latex_lines"][0],
            " \\\\\n".join(f"&{{}}{'+' if i else ''} {x}" for i, x in enumerate(data["latex_lines"][1:])),
            r"\end{align*}",
            table.latex(),
            *([f"Where ${'$, $'.join(where)}$."] if where else []),
            *([f"Signs: {'; '.join(dollars(x).latex() for x in signs)}."] if signs else []),
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
        *([f"Signs: {'; '.join(dollars(x).markdown() for x in signs)}.", ""] if signs else []),
        *(f"* {x['id']}: {x['text']}" for x in data["assumptions"]),
        "",
        data["derivation"],
    ]
    return "\n".join(lines)
