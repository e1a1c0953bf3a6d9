"""Tables of numbers: presets with their bounds, budgets for target errors, a comparison at one point."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cmbound.catalogue import MAIN
from cmbound.catalogue.presets import Preset, names as preset_names, preset as find_preset
from cmbound.comparison.records import Comparison
from cmbound.errors import CmboundError, DomainError, InputError, UndecidedError
from cmbound.evaluation.statement import theorem as find
from cmbound.numbers import exact
from cmbound.papers.words import DASH, as_number, listed, up
from cmbound.planning.budget import solve
from cmbound.planning.problem import TERM_OF
from cmbound.planning.records import Budget
from cmbound.reports.cells import Cell, math, mixed, number
from cmbound.reports.table import Table
from cmbound.reports.words import named, prose, symbol, words
from cmbound.verification.measured import compare

TARGETS = ("1", "0.1", "0.01")
QUICK_PRESETS = ("gaussian-2d",)
"""Presets that are solved within seconds; digits takes a minute, song2023-cifar10 longer."""
ASSUMED = ("*", "assumed")
_LONG_NAME = 12  # characters of the name of a preset that fits over its column


def presets(digits: int, presets: Any = None, statement: Any = MAIN) -> Table:
    """Parameters and bounds of the presets."""
    chosen = [find_preset(x) for x in (listed("presets", presets) if presets is not None else preset_names())]
    theorem = find(statement)
    names = dict.fromkeys(name for x in chosen for name in x.parameters)
    rows = [(symbol(name), *(_parameter(x, name) for x in chosen)) for name in names]
    options = dict.fromkeys(name for x in chosen for name in x.options)
    rows += [(Cell(name), *(Cell(x.options.get(name, "-")) for x in chosen)) for name in options]
    found = [theorem.evaluate(preset=x.name) for x in chosen]
    rows.append((mixed("bound (", prose(theorem.metric), ")"), *(up(x.upper, digits) for x in found)))
    rows.append((Cell("best constant"), *(up(x.trivial, digits) for x in found)))
    rows.append((Cell("largest term"), *(Cell(words(x.dominating_term)) for x in found)))
    notes = [Cell(f"Bounds: {theorem.id}, rounded up.")]
    if any(cell.mark for row in rows for cell in row):
        notes.insert(0, mixed(math("{}^{*}", "*"), " assumed, neither published nor measured."))
    header = ("parameter", *(x.name for x in chosen))
    heads = (Cell("parameter"), *(Cell(x.name, lines=_two_lines(x.name)) for x in chosen))
    looks: dict[str, Any] = {"size": "footnotesize", "tight": True, "aligned": False}
    return Table(header, tuple(rows), "l" + "r" * len(chosen), heads=heads, notes=tuple(notes), **looks)


def _two_lines(name: str) -> tuple[str, ...]:
    """A long name on two lines."""
    first, _, last = name.partition("-")
    return (f"{first}-", last) if last and len(name) > _LONG_NAME else ()


def _parameter(preset: Preset, name: str) -> Cell:
    if name not in preset.parameters:
        return DASH
    return as_number(preset.parameters[name], ASSUMED if preset.origins[name].how == "assumed" else None)


_COLUMNS = ("N", "T", "delta", "h", "eps_sc", "eps_cm")


def budgets(
    digits: int,
    statement: Any = MAIN,
    targets: Any = TARGETS,
    presets: Any = QUICK_PRESETS,
    progress: Callable[[int], None] | None = None,
) -> Table:
    """What a target error needs, for presets."""
    theorem = find(statement)
    wanted = listed("targets", targets)
    for x in wanted:
        if exact("target", x) <= 0:
            raise DomainError(f"target must be > 0, got {x}")
    rows = []
    for name in listed("presets", presets):
        constants = find_preset(name)
        for target in wanted:
            try:
                cells = _budget_cells(solve(theorem, target=target, preset=name))
            except (DomainError, UndecidedError) as error:
                cells = (*(DASH for _ in _COLUMNS), Cell(_why(error)))
            rows.append((Cell(constants.name), as_number(target), *cells))
            if progress is not None:
                progress(1)
    note = Cell(f"{theorem.id}; equal shares of the target for each term, answers rounded to the safe side, bounds certified.")
    header = ("preset", "eps", *_COLUMNS, "largest term")
    heads = (Cell("preset"), symbol("eps"), *map(symbol, _COLUMNS), Cell("largest term"))
    looks: dict[str, Any] = {"layout": "headings", "size": "footnotesize", "tight": True}
    return Table(header, tuple(rows), "l" + "r" * 7 + "l", heads=heads, widths={8: 0.2}, notes=(note,), **looks)


def _budget_cells(found: Budget) -> tuple[Cell, ...]:
    cells = (as_number(found.budget[x]) if found.budget.get(x) is not None else DASH for x in _COLUMNS)
    return (*cells, Cell(words(found.achieved.dominating_term)))


def _why(error: CmboundError) -> str:
    """The term in the way, in a few words."""
    if isinstance(error, UndecidedError):
        return "undecided"
    where = {place: x for x in TERM_OF.values() if (place := str(error).find(x)) >= 0}
    return f"not reachable: {words(where[min(where)])}" if where else "not reachable"


def comparison(digits: int, statements: Any = None, metric: str | None = None, params: Mapping[str, Any] | None = None) -> Table:
    """Bounds of different papers at one point."""
    if not params:
        raise InputError("give the point to compare at: a preset or parameters")
    return comparison_table(
        compare(statements=None if statements is None else listed("statements", statements), metric=metric, **params), digits
    )


def comparison_table(found: Comparison, digits: int) -> Table:
    """A comparison, ranked within each metric."""
    rows = []
    for x in sorted(found.rows, key=lambda x: x.column):
        metric = prose(x.theorem.metric)
        if x.column != x.theorem.metric:
            metric = mixed(metric, named(x.column.removeprefix(x.theorem.metric)))
        value = up(None if x.evaluation is None else x.evaluation.upper, digits)
        rank = DASH if x.rank is None else number(str(x.rank))
        names = (Cell(x.id), Cell(x.theorem.kind), Cell(x.theorem.known))
        rows.append((metric, *names, value, rank, named(x.reason.partition(":")[0])))
    header = ("metric", "statement", "form", "known", "value", "rank", "remark")
    note = Cell("Values rounded up. With C = 1 the constant is unspecified: not a bound, and not ranked.")
    return Table(
        header, tuple(rows), "llllrrl", widths={6: 0.33}, layout="headings", size="scriptsize", tight=True, notes=(note,)
    )
