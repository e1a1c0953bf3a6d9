"""Lists from what a user writes, and the cells every table has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cmbound.catalogue import catalogue
from cmbound.errors import InputError
from cmbound.evaluation.statement import theorem as find
from cmbound.reports.cells import Cell, math
from cmbound.theory.records import Theorem

CHECK = math(r"\checkmark", "yes")
DASH = Cell("-")


def listed(name: str, value: Any) -> list[str]:
    """A list a user gave: text with commas, or a sequence.

    Raises:
        InputError: empty, or not a list.
    """
    items: Sequence[Any] = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list | tuple):
        raise InputError(f"{name} must be a list, or text with commas, got {value!r}")
    found = [str(x).strip() for x in items]
    if not found or not all(found):
        raise InputError(f"{name} has an empty entry in {value!r}" if found else f"{name} is empty")
    return list(dict.fromkeys(found))


def chosen(value: Any, default: Sequence[str]) -> list[Theorem]:
    """Statements a user named (``all``: the whole catalogue)."""
    names = list(default) if value is None else listed("statements", value)
    if names == ["all"]:
        return list(catalogue)
    return [find(x) for x in names]
