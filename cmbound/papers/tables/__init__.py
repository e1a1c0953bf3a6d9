"""Tables for papers: one small function for each, which returns a :class:`~cmbound.reports.table.Table`.

Adding a table means adding a public function to one of the files here. Its first argument is ``digits``, the others are the
options of the table; the first line of its docstring is the table's title.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cmbound.checks import checked_name, checked_whole
from cmbound.errors import InputError
from cmbound.frozen import FrozenDict
from cmbound.reports.table import Table
from cmbound.threads import alone

DIGITS = 4  # what a column of a paper has room for
MOST_DIGITS = 17  # what a double holds


@dataclass(frozen=True)
class Entry:
    """One table: what it shows, the file its function (of the same name) is in, and the options that takes."""

    title: str
    module: str
    options: tuple[str, ...]


def _entries() -> dict[str, Entry]:
    """The tables, read off the source files: nothing heavy is imported, so that a shell can complete them at once."""
    found = {}
    for path in Path(__file__).parent.glob("*.py"):
        for x in (y for y in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(y, ast.FunctionDef)):
            arguments = [y.arg for y in x.args.args]
            if arguments[:1] == ["digits"] and not x.name.startswith("_"):
                title = (ast.get_docstring(x) or "").partition("\n")[0].rstrip(".")
                found[x.name] = Entry(title[:1].lower() + title[1:], path.stem, tuple(arguments[1:]))
    return dict(sorted(found.items()))


NAMES: Mapping[str, Entry] = FrozenDict(_entries())


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

    >>> import cmbound
    >>> print(cmbound.table("presets", presets="gaussian-2d").csv().splitlines()[1])
    d,2
    """
    entry = NAMES[checked_name("table", name, NAMES)]
    for key in options:
        if key not in entry.options:
            known = f"it takes {', '.join(x for x in entry.options if x != 'progress')}" if entry.options else "it takes none"
            raise InputError(f"table {name!r} has no option {key!r}: {known}")
    digits = checked_whole("digits", digits, 1, MOST_DIGITS)
    if not isinstance(caption, str) or not isinstance(label, str):
        raise InputError("caption and label are text")
    build = getattr(importlib.import_module(f"{__name__}.{entry.module}"), name)
    result: Table = build(digits, **{key: x for key, x in options.items() if x is not None})
    return replace(result, name=name, caption=caption or result.caption, label=label or result.label)
