"""Cells that several tables have, and lists from what a user writes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from cmbound.catalogue import catalogue
from cmbound.errors import InputError
from cmbound.evaluation.statement import Statement, theorem as find
from cmbound.numbers import rounded
from cmbound.reports.cells import Cell, math, number
from cmbound.theory.records import Theorem

CHECK = math(r"\checkmark", "yes")
DASH = Cell("-")
_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?(e-?[0-9]+)?")


def as_number(text: str, mark: tuple[str, str] | None = None) -> Cell:
    """A number as a user wrote it, in the usual notation."""
    clean = text.strip().lower().replace("e+", "e")
    return number(re.sub(r"e(-?)0+(?=[0-9])", r"e\1", clean) if _DECIMAL.fullmatch(clean) else text, mark)


def up(value: Any, digits: int, direction: str = "up") -> Cell:
    """A number rounded up (or as ``direction`` says); a dash for None."""
    if value is None:
        return DASH
    return number(rounded(Decimal(repr(value)) if isinstance(value, float) else value, digits, direction))


def listed(name: str, value: Any) -> list[Any]:
    """A list a user gave: text with commas, or a sequence (of statements, or what is written as text).

    Raises:
        InputError: empty, or not a list.
    """
    items: Sequence[Any] = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list | tuple):
        raise InputError(f"{name} must be a list, or text with commas, got {value!r}")
    found = [x if isinstance(x, Theorem) else str(x).strip() for x in items]
    if not found or not all(found):
        raise InputError(f"{name} has an empty entry in {value!r}" if found else f"{name} is empty")
    return list(dict.fromkeys(found))


def chosen(value: Any, default: Sequence[str]) -> list[Statement]:
    """Statements a user named (``all``: the whole catalogue)."""
    names = list(default) if value is None else listed("statements", value)
    return list(catalogue) if names == ["all"] else [find(x) for x in names]
