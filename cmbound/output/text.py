"""Pages for a terminal, laid out by rich and never wider than the terminal."""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from cmbound.catalogue.presets import Preset
from cmbound.output.numbers import plain_decimal, rounded
from cmbound.output.tables import relation, steps_table, stretches_table, terms_table
from cmbound.reports.table import Cell, Table
from cmbound.theory.records import Evaluation

_PIPE_WIDTH = 120
_SHOWN_STEPS = 50


class Page:
    """Collects lines; nothing is styled and nothing depends on the terminal but the width."""

    def __init__(self, width: int | None = None) -> None:
        if width is None:
            width = shutil.get_terminal_size((_PIPE_WIDTH, 24)).columns if sys.stdout.isatty() else _PIPE_WIDTH
        self._buffer = io.StringIO()
        self._console = Console(file=self._buffer, width=max(width, 20), color_system=None, highlight=False, markup=False)

    def line(self, text: str = "", indent: int = 0) -> None:
        """A paragraph, folded at the width."""
        self._console.print(Padding(Text(text), (0, 0, 0, indent)) if indent else Text(text))

    def table(self, table: Table, indent: int = 2) -> None:
        """A table without borders."""
        grid = RichTable(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_edge=False)
        for name, side in zip(table.header, table.alignment, strict=True):
            grid.add_column(name, justify="right" if side == "r" else "left", overflow="fold", header_style="")
        for row in table.sparse_rows():
            grid.add_row(*(Text(cell.string()) for cell in row))
        self._console.print(Padding(grid, (0, 0, 0, indent)))

    def __str__(self) -> str:
        return "\n".join(line.rstrip() for line in self._buffer.getvalue().rstrip().split("\n"))


def table_page(table: Table, width: int | None = None) -> str:
    """A table with its caption and notes as text."""
    page = Page(width)
    if table.caption:
        page.line(table.caption)
        page.line()
    page.table(table, 0)
    for note in table.notes:
        page.line()
        page.line(note.string())
    return str(page)


def evaluation_page(evaluation: Evaluation, width: int | None = None) -> str:
    """The value, its terms, the winners, and everything it assumed."""
    page = Page(width)
    theorem = evaluation.theorem
    page.line(f"{theorem.id}: {theorem.title}")
    page.line(f"{evaluation.quantity} {relation(evaluation)[0]} {rounded(evaluation.upper)}")
    if evaluation.tier == "certified":
        page.line(f"certified: in [{plain_decimal(evaluation.lower)}, {plain_decimal(evaluation.upper)}]")
    for note in evaluation.notes:
        page.line(f"note: {note}")
    page.line()
    page.table(terms_table(evaluation))
    if evaluation.steps is not None:
        page.line()
        page.line("after each evaluation")
        shown = steps_table(evaluation)
        if len(shown.rows) > _SHOWN_STEPS:
            half = _SHOWN_STEPS // 2
            page.table(Table(shown.header, shown.rows[:half] + shown.rows[-half:], shown.alignment))
            page.line(f"({len(shown.rows) - _SHOWN_STEPS} evaluations in between left out; --format json has them all)", 2)
        else:
            page.table(shown)
    if evaluation.stretches:
        page.line()
        where = "noise levels" if evaluation.clock == "ve" else "times"
        page.line(f"profile {evaluation.profile}, teacher {evaluation.teacher}, {_grid(evaluation)}; stretches in {where}")
        page.table(stretches_table(evaluation))
    page.line()
    page.line("parameters: " + ", ".join(f"{name} = {_short(value)}" for name, value in evaluation.parameters.items()))
    chosen = {"start": evaluation.start, "to": evaluation.target, "clock": evaluation.clock}
    usual = {"start": "standard", "to": "p_data", "clock": "ou"}
    options = [f"{name} = {value}" for name, value in chosen.items() if value not in (None, usual[name])]
    if options:
        page.line("options: " + ", ".join(options))
    if evaluation.derived:
        page.line(
            "derived: "
            + ", ".join(f"{name} = {rounded(x.upper, 8, 'nearest')}" for name, x in list(evaluation.derived.items())[:12])
        )
    page.line("assumptions")
    for x in evaluation.assumptions:
        page.line(f"[{x.status}] {x.id}: {x.text}", 2)
    return str(page)


def _grid(evaluation: Evaluation) -> str:
    grid = evaluation.grid or {}
    if grid.get("kind") == "closed-form":
        return f"any grid with largest step {rounded(grid['h_max'], 6, 'nearest')}"
    return f"{grid.get('kind')} grid of {grid.get('N')} steps, largest {rounded(grid['h_max'], 4)} in t"


def _short(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(value)}]" if len(value) <= 8 else f"[{value[0]}, ..., {value[-1]}] ({len(value)} values)"
    return str(value)


def list_page(rows: list[dict[str, str]], width: int | None = None) -> str:
    """The statements, one line each."""
    page = Page(width)
    names = ("id", "kind", "metric", "title", "reference")
    page.table(Table(names, tuple(tuple(Cell(row[name]) for name in names) for row in rows), "l" * len(names)), 0)
    return str(page)


def show_page(data: dict[str, Any], width: int | None = None) -> str:
    """One statement with its terms, definitions, assumptions, source and derivation."""
    page = Page(width)
    page.line(f"{data['id']}: {data['title']}")
    page.line(f"{data['kind']} form, {data['status']}; {data['reference']['key']}, {data['reference']['place']}")
    page.line(f"known: {data['known']}; clock: {data['clock']}")
    page.line(f"provenance: {data['provenance']}", 0)
    page.line()
    sign = "<~" if data["kind"] == "order" else "<="
    page.line(f"{data['quantity']} {sign} {'sum of' if data['evaluable'] else '? (not known in full: it cannot be evaluated)'}")
    for term in data["terms"]:
        page.line(f"{term['name']}: {term['expression']}", 2)
    if data["where"]:
        page.line("where")
        for row in data["where"]:
            page.line(f"{row['name']} = {row['definition']}", 2)
    if "t_switch" in data["expression"]:
        page.line("t_switch: any time between delta and the end; an evaluation takes the best one", 2)
    if "profiles" in data:
        page.line()
        page.line("E_h(t), L_f times the local teacher errors up to t, is bounded by a regularity profile. What each needs:")
        for row in data["profiles"]:
            needs = "; ".join(f"{teacher}: {', '.join(names)}" for teacher, names in row["teachers"].items())
            page.line(f"{row['name']} ({row['title']}): {needs}", 2)
    if data["complexity"] is not None:
        found = data["complexity"]
        page.line(f"steps for accuracy eps in {found['metric']}, constants and logarithms left out: {found['steps']}", 0)
    if data["parameters"]:
        page.line()
        page.line("parameters")
    for row in data["parameters"]:
        page.line(f"{row['name']}: {row['meaning']}; {row['domain']}", 2)
    if data["optional_parameters"]:
        page.line("optional: " + ", ".join(row["name"] for row in data["optional_parameters"]))
    if data["aliases"]:
        page.line("in the source: " + ", ".join(f"{name} is {own}" for name, own in data["aliases"].items()))
    page.line()
    page.line("assumptions")
    for row in data["assumptions"]:
        page.line(f"[{'checked' if row['predicate'] else 'assumed'}] {row['id']}: {row['text']}", 2)
    page.line()
    page.line(f"derivation: {data['derivation']}")
    page.line("rests on: " + (", ".join(data["rests_on"]) or "no other statement"))
    page.line()
    page.line(f"LaTeX: {data['latex']}")
    return str(page)


def titles_page(rows: Sequence[tuple[str, str]], width: int | None = None) -> str:
    """Names with titles, one paragraph each."""
    page = Page(width)
    for name, title in rows:
        page.line(f"{name}: {title}")
    return str(page)


def preset_page(preset: Preset, width: int | None = None) -> str:
    """A preset with the source of every number."""
    page = Page(width)
    page.line(f"{preset.name}: {preset.title}")
    page.line(f"source: {preset.source}")
    if preset.options:
        page.line("options: " + ", ".join(f"{name} = {value}" for name, value in preset.options.items()))
    page.line()
    rows = tuple(
        (Cell(name), Cell(value, "number"), Cell(preset.origins[name].how), Cell(preset.origins[name].source))
        for name, value in preset.parameters.items()
    )
    page.table(Table(("parameter", "value", "known", "source"), rows, "lrll"), 0)
    return str(page)


def profile_page(data: dict[str, Any], width: int | None = None) -> str:
    """A regularity profile: what it assumes and its bound for each teacher."""
    page = Page(width)
    page.line(f"{data['name']}: {data['title']}")
    page.line(f"source: cmbound, {data['reference']}")
    page.line()
    page.line("bounds the sum of the local teacher errors over a stretch [a, b] of a grid (q^2: weighted sum of step energies)")
    for teacher, row in data["teachers"].items():
        page.line(f"{teacher}, needs {', '.join(row['parameters'])}", 2)
        labels = ("",) if len(row["bounds"]) == 1 else ("up to some node: ", "after it: ")
        for label, bound in zip(labels, row["bounds"], strict=True):
            page.line(label + bound, 4)
    if data["where"]:
        page.line("where")
        for row in data["where"]:
            page.line(f"{row['name']} = {row['definition']}", 2)
    if data["acceleration"]:
        page.line()
        page.line(f"from the bound on the score acceleration A(t) = {data['acceleration']}")
    page.line()
    page.line("assumptions")
    for row in data["assumptions"]:
        page.line(f"{row['id']}: {row['text']}", 2)
    page.line(f"derivation: {data['derivation']}")
    return str(page)
