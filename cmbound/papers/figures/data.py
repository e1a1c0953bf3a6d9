"""The data behind a figure: named columns of one length, and their CSV."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from cmbound.errors import InputError
from cmbound.evaluation.statement import Statement, theorem as find
from cmbound.evaluation.sweeps import axis
from cmbound.files import csv_text
from cmbound.frozen import Record
from cmbound.theory.formulas import accepts, unknown_parameter
from cmbound.theory.records import Theorem

Array = npt.NDArray[np.float64]


class FigureData(Record, ABC):
    """Base of the records that hold what a figure shows."""

    @property
    @abstractmethod
    def columns(self) -> Mapping[str, Sequence[Any] | Array]:
        """The columns by name: numbers or text, all of one length."""

    def csv(self) -> str:
        """RFC 4180 with a header line; numbers in full, nothing where a number does not exist."""
        return csv_text([self.columns, *zip(*self.columns.values(), strict=True)])


def number(text: str) -> float:
    """A number of a CSV file (nan: none)."""
    return float(text or "nan")


def with_formula(id: str) -> Statement:
    """The statement with this id; InputError if there is none, or only its complexity is known."""
    statement = find(id)
    if not statement.evaluable:
        raise InputError(f"{statement.id} gives a complexity only, no formula to draw")
    return statement


def split_range(text: str) -> tuple[str, str]:
    """Name and values of ``NAME=VALUES``; InputError if it is not of this form."""
    name, equals, values = (x.strip() for x in text.partition("="))
    if not name or not equals or not values:
        raise InputError(f"{text!r} is not of the form NAME=LOW:HIGH:log|linear:COUNT")
    return name, values


def range_of(text: str, statement: Theorem) -> tuple[str, Array]:
    """Name and values of ``NAME=LOW:HIGH:log|linear:COUNT`` or ``NAME=1,2,3``, a parameter of the statement.

    Raises:
        InputError, DomainError: neither form, a single value, a bad range, or a parameter the statement does not have.
    """
    name, given = split_range(text)
    if not accepts(statement, name):
        raise unknown_parameter(statement, name)
    values = axis(name, given)
    if values is None or len(values) < 2:
        raise InputError(f"{name} is {given!r}; a figure needs a range LOW:HIGH:log|linear:COUNT or a list of values")
    return name, np.unique(values)
