"""The data behind a figure: named columns of one length, and their CSV."""

from __future__ import annotations

import csv
import io
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from math import isnan
from typing import Any

import numpy as np
import numpy.typing as npt

from cmbound.errors import InputError
from cmbound.evaluation.statement import theorem as find
from cmbound.theory.records import Theorem

Array = npt.NDArray[np.float64]


class FigureData(ABC):
    """Base of the records that hold what a figure shows."""

    @property
    @abstractmethod
    def columns(self) -> Mapping[str, Sequence[Any] | Array]:
        """The columns by name: numbers or text, all of one length."""

    def csv(self) -> str:
        """RFC 4180 with a header line; numbers in full, nothing where a number does not exist."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows([_text(x) for x in row] for row in zip(*self.columns.values(), strict=True))
        return buffer.getvalue()


def with_formula(id: str) -> Theorem:
    """The statement with this id.

    Raises:
        InputError: there is none, or only its complexity is known.
    """
    statement = find(id)
    if not statement.evaluable:
        raise InputError(f"{id} gives a complexity only, no formula to draw")
    return statement


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    number = float(value)
    return "" if isnan(number) else repr(number).removesuffix(".0")
