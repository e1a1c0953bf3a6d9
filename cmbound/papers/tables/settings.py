"""Tables of numbers: presets with their bounds, budgets for target errors, a comparison at one point."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from cmbound.catalogue.presets import Preset, names as preset_names, preset as find_preset
from cmbound.errors import CmboundError, DomainError, InputError, UndecidedError
from cmbound.evaluation.statement import theorem as find
from cmbound.numbers import exact, rounded
from cmbound.papers.tables.words import DASH, listed
from cmbound.planning.budget import solve
from cmbound.planning.problem import TERM_OF
from cmbound.planning.records import Budget
from cmbound.reports.cells import Cell, math, mixed, number
from cmbound.reports.table import Table
from cmbound.reports.words import prose, symbol

ONE_STEP = "explicit-one-step"
TARGETS = ("1", "0.1", "0.01")
QUICK_PRESETS = ("gaussian-2d",)
"""Presets that are solved within seconds; digits takes a minute, song2023-cifar10 longer."""
ASSUMED = ("*", "assumed")
_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?(e-?[0-9]+)?")


def as_number(text: str, mark: tuple[str, str] | None = None) -> Cell:
    """A number as a user wrote it, in the usual notation."""
    clean = text.strip().lower().replace("e+", "e")
    return number(re.sub(r"e(-?)0+(?=[0-9])", r"e\1", clean) if _DECIMAL.fullmatch(clean) else text, mark)


# --- presets --------------------------------------------------------------------------------------------------------


def presets(digits: int, presets: Any = None, statement: str = ONE_STEP) -> Table:
    """One column for each preset: its parameters, its options, and the bound it gives."""
    chosen = [find_preset(x) for x in (listed("presets", presets) if presets is not None else preset_names())]
    theorem = find(statement)
    names = dict.fromkeys(name for x in chosen for name in x.parameters)
    rows = [(symbol(name), *(_parameter(x, name) for x in chosen)) for name in names]
    options = dict.fromkeys(name for x in chosen for name in x.options)
    rows += [(Cell(name), *(Cell(x.options.get(name, "-")) for x in chosen)) for name in options]
    found = [theorem.evaluate(preset=x.name) for x in chosen]
    rows.append((prose(f"bound ({theorem.metric})"), *(number(rounded(x.upper, digits)) for x in found)))
    trivial = [DASH if x.trivial is None else number(rounded(Decimal(repr(x.trivial)), digits)) for x in found]
    rows.append((Cell("always 0"), *trivial))
    rows.append((Cell("largest term"), *(Cell((x.dominating_term or "none").replace("_", " ")) for x in found)))
    marked = any(cell.mark for row in rows for cell in row)
    notes = [Cell(f"Bounds: {theorem.id}, rounded up.")]
    if marked:
        notes.insert(0, mixed(math("{}^{*}", "*"), Cell(" assumed, neither published nor measured.")))
    header = ("parameter", *(x.name for x in chosen))
    heads = (Cell("parameter"), *(Cell(x.name, lines=_two_lines(x.name)) for x in chosen))
    return Table(
        header,
        tuple(rows),
        "l" + "r" * len(chosen),
        size="footnotesize",
        tight=True,
        aligned=False,
        heads=heads,
        notes=tuple(notes),
    )


def _two_lines(name: str) -> tuple[str, ...]:
    """A long name on two lines."""
    first, _, last = name.partition("-")
    return (f"{first}-", last) if last and len(name) > 12 else ()


def _parameter(preset: Preset, name: str) -> Cell:
    if name not in preset.parameters:
        return DASH
    return as_number(preset.parameters[name], ASSUMED if preset.origins[name].how == "assumed" else None)


# --- budgets --------------------------------------------------------------------------------------------------------

_COLUMNS = ("N", "T", "delta", "h", "eps_sc", "eps_cm")


def budgets(
    digits: int,
    statement: str = ONE_STEP,
    targets: Any = TARGETS,
    presets: Any = QUICK_PRESETS,
    progress: Callable[[int], None] | None = None,
) -> Table:
    """What a bound of at most eps needs, for each preset and target."""
    theorem = find(statement)
    wanted = listed("targets", targets)
    for x in wanted:
        if exact("target", x) <= 0:
            raise DomainError(f"target must be > 0, got {x}")
    rows = []
    for name in listed("presets", presets):
        constants = find_preset(name)
        for target in wanted:
            start = (Cell(constants.name), as_number(target))
            try:
                rows.append((*start, *_budget_cells(solve(theorem, target=target, preset=name))))
            except (DomainError, UndecidedError) as error:
                rows.append((*start, *(DASH for _ in _COLUMNS), Cell(_why(error))))
            if progress is not None:
                progress(1)
    heads = (
        Cell("preset"), math(r"\varepsilon", "eps"), *(symbol(x) for x in _COLUMNS), Cell("largest term")
    )  # fmt: skip
    note = Cell(f"{theorem.id}; equal shares of the target for each term, answers rounded to the safe side, bounds certified.")
    header = ("preset", "eps", *_COLUMNS, "largest term")
    return Table(
        header,
        tuple(rows),
        "l" + "r" * 7 + "l",
        heads=heads,
        widths={8: 0.2},
        layout="headings",
        size="footnotesize",
        tight=True,
        notes=(note,),
    )


def _budget_cells(found: Budget) -> tuple[Cell, ...]:
    values = [found.budget.get(name) for name in _COLUMNS]
    largest = (found.achieved.dominating_term or "none").replace("_", " ")
    cells = [DASH if x is None else as_number(x) for x in values]
    return (*cells, Cell(largest))


def _why(error: CmboundError) -> str:
    """The term in the way, in a few words."""
    if isinstance(error, UndecidedError):
        return "undecided"
    terms = dict.fromkeys(TERM_OF.values())
    where = {x: place for x in terms if (place := str(error).find(x)) >= 0}
    return f"not reachable: {min(where, key=lambda x: where[x]).replace('_', ' ')}" if where else "not reachable"


# --- comparison -----------------------------------------------------------------------------------------------------


def comparison(digits: int, statements: Any = None, metric: str | None = None, params: Mapping[str, Any] | None = None) -> Table:
    """The bounds of different papers at one point, ranked within each metric."""
    from cmbound.verification.measured import compare

    if not params:
        raise InputError("give the point to compare at: a preset or parameters")
    names = None if statements is None else listed("statements", statements)
    data = compare(statements=names, metric=metric, **params).to_dict()
    return comparison_table(data, digits)


def comparison_table(data: Mapping[str, Any], digits: int) -> Table:
    """The table of a comparison (as its ``to_dict`` gives it)."""
    rows = []
    for x in sorted(data["rows"], key=lambda x: str(x.get("column") or x["metric"])):
        value = x.get("value")
        bound = DASH if value is None else number(rounded(Decimal(x.get("upper") or value), digits))
        rank = DASH if x.get("rank") is None else number(str(x["rank"]))
        remark = prose((x.get("reason") or "").partition(":")[0])
        rows.append(
            (prose(str(x.get("column") or x["metric"])), Cell(x["id"]), Cell(x["kind"]), Cell(x["known"]), bound, rank, remark)
        )
    header = ("metric", "statement", "form", "known", "value", "rank", "remark")
    note = Cell("Values rounded up. With C = 1 the constant is unspecified: not a bound, and not ranked.")
    return Table(
        header, tuple(rows), "llllrrl", widths={6: 0.33}, layout="headings", size="scriptsize", tight=True, notes=(note,)
    )
