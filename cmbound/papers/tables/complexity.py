"""The table of numbers of steps: what follows from corollaries, and what other sources state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sympy import Dummy, simplify

from cmbound.analysis.corollaries import check_corollary, corollaries
from cmbound.catalogue import catalogue
from cmbound.catalogue.corollaries import SETTINGS
from cmbound.catalogue.lyu2023 import M
from cmbound.evaluation.statement import theorem as find
from cmbound.reports.cells import Cell, math, mixed
from cmbound.reports.table import Table
from cmbound.reports.words import formula, prose, symbol
from cmbound.theory.notation import N, T, h
from cmbound.theory.records import Theorem


def complexity(digits: int) -> Table:
    """Number of steps for an error of eps."""
    rows: list[tuple[Cell, ...]] = []
    shown: list[tuple[str, Any]] = []
    for x in corollaries():
        quantity = None if isinstance(x.quantity, str) else x.quantity - T / h
        count = x.claim if quantity == 0 else x.substitution.get(N)
        if count is None:
            continue
        theorem, status = find(x.statement), check_corollary(x).status
        rows.append(_complexity_row(theorem, SETTINGS.get(x.id, x.text), theorem.metric, count, status))
        shown.append((theorem.reference.key, count))
    for theorem in catalogue:
        if theorem.complexity is not None and not _is_shown(theorem, shown):
            metric = theorem.complexity_metric or theorem.metric
            rows.append(_complexity_row(theorem, theorem.title, metric, theorem.complexity, theorem.known))
    note = mixed(
        math(f"M = {formula(M).text}", f"M = {M}"),
        ". Up to constants (other papers: and logarithms), for an error of at most ",
        symbol("eps"),
        ". Known: proved (from the bound, machine-checked), derived (from the bound), verbatim (read in the source), "
        "secondary (quoted by others), abstract (read there only), memory (not confirmed).",
    )
    header = ("statement", "setting", "metric", "N", "known")
    heads = (*map(Cell, header[:3]), symbol("N"), Cell("known"))
    return Table(
        header,
        tuple(rows),
        "lllll",
        heads=heads,
        widths={1: 0.3},
        layout="headings",
        size="scriptsize",
        tight=True,
        notes=(note,),
    )


def _is_shown(theorem: Theorem, shown: Sequence[tuple[str, Any]]) -> bool:
    """Whether a corollary of the same paper already gives this number of steps."""
    return any(key == theorem.reference.key and simplify(count / theorem.complexity) == 1 for key, count in shown)


def _complexity_row(theorem: Theorem, setting: str, metric: str, count: Any, known: str) -> tuple[Cell, ...]:
    return Cell(theorem.id), prose(setting), prose(metric), formula(count, {M: (Dummy("M", positive=True), "M")}), Cell(known)
