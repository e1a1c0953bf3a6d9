"""Tables for papers: one small function for each, which returns a :class:`~cmbound.reports.table.Table`.

Adding a table means adding a function to one of the files here and a line to :data:`NAMES`.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cmbound.errors import DomainError, InputError, UnknownNameError
from cmbound.frozen import FrozenDict
from cmbound.reports.table import Table
from cmbound.threads import alone

DIGITS = 4
MOST_DIGITS = 17


@dataclass(frozen=True)
class Entry:
    """One table: what it shows, the file its function (of the same name) is in, and the options that takes."""

    title: str
    module: str
    options: tuple[str, ...] = ()


_CAMPAIGN = ("statements", "instances", "seed", "jobs", "saved", "progress")

NAMES: Mapping[str, Entry] = FrozenDict(
    {
        "statements": Entry("the order form of the paper beside the explicit form", "statements", ("statements", "profile")),
        "assumptions": Entry("which statement assumes what", "statements", ("statements",)),
        "complexity": Entry("number of steps for an error of eps", "statements"),
        "budgets": Entry("what a target error needs, for presets", "settings", ("statement", "targets", "presets", "progress")),
        "verification": Entry("comparison with the truth", "checks", (*_CAMPAIGN, "world")),
        "planted": Entry("planted mistakes that were caught", "checks", ("statements", "seed", "jobs", "saved", "progress")),
        "sharpness": Entry("how much of each term is needed", "checks", (*_CAMPAIGN, "world")),
        "presets": Entry("parameters and bounds of the presets", "settings", ("presets", "statement")),
        "comparison": Entry("bounds of different papers at one point", "settings", ("statements", "metric", "params")),
        "custom": Entry("a table of your own", "custom", ("spec",)),
    }
)


@alone
def table(name: str, *, caption: str = "", label: str = "", digits: int = DIGITS, **options: Any) -> Table:
    """A table by name.

    Args:
        name: one of :data:`NAMES`.
        caption, label: for LaTeX (either makes a complete ``table`` environment); math between dollar signs.
        digits: significant digits of bounds (rounded up) and of ratios.
        options: ``statements``, ``presets``, ``targets`` (lists or text with commas), ``statement``, ``profile``, ``metric``,
            ``params`` (a mapping), ``world``, ``instances``, ``seed``, ``jobs``, ``saved`` (a file that ``check --format
            json`` wrote, or its data) and ``spec`` (a TOML file or its data), each for the tables that have it.

    Returns:
        A :class:`~cmbound.reports.table.Table`; ``render("latex")`` and the like give text.

    Raises:
        UnknownNameError: no such table, or an option it does not have.
        CmboundError: as for what the table shows.
    """
    if not isinstance(name, str) or name not in NAMES:
        raise UnknownNameError("table", name, NAMES)
    entry = NAMES[name]
    for key in options:
        if key not in entry.options:
            known = f"it takes {', '.join(x for x in entry.options if x != 'progress')}" if entry.options else "it takes none"
            raise InputError(f"table {name!r} has no option {key!r}: {known}")
    if isinstance(digits, bool) or not isinstance(digits, int):
        raise InputError(f"digits must be an integer, got {digits!r}")
    if not 1 <= digits <= MOST_DIGITS:
        raise DomainError(f"digits must be an integer from 1 to {MOST_DIGITS}, got {digits}")
    if not isinstance(caption, str) or not isinstance(label, str):
        raise InputError("caption and label are text")
    build = getattr(importlib.import_module(f"{__name__}.{entry.module}"), name)
    result: Table = build(digits, **{key: x for key, x in options.items() if x is not None})
    return replace(result, name=name, caption=caption or result.caption, label=label or result.label)
