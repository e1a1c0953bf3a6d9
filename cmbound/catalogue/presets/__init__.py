"""Presets: settings of published or measured models, with the source of every number (``presets.toml``)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cmbound.checks import checked_name, checked_text
from cmbound.errors import DomainError, InputError, UnknownNameError
from cmbound.files import toml_of
from cmbound.frozen import Record
from cmbound.names import CHOICES
from cmbound.numbers import parse
from cmbound.reports.cells import Cell, math, number
from cmbound.reports.report import Body, Report, Result
from cmbound.reports.table import Table
from cmbound.theory.notation import PUBLIC, TABLE

PROVENANCES = ("published", "measured", "assumed")


@dataclass(frozen=True)
class Origin:
    """How a number of a preset is known: ``published``, ``measured`` or ``assumed``, and the source."""

    how: str
    source: str

    def __post_init__(self) -> None:
        checked_name("provenance of a number", self.how, PROVENANCES)
        checked_text("the source of a number", self.source)


@dataclass(frozen=True, eq=False, repr=False)
class Preset(Result, Record):
    """A setting with its sources.

    Attributes:
        name: its name on the command line.
        title: what it is.
        source: where it comes from.
        parameters: exact numbers, as text.
        options: grid, teacher, start, clock.
        origins: how each parameter is known.
    """

    name: str
    title: str
    source: str
    parameters: Mapping[str, str]
    options: Mapping[str, str]
    origins: Mapping[str, Origin]

    def __post_init__(self) -> None:
        super().__post_init__()
        here = f"preset {checked_text('the name of a preset', self.name)!r}"
        for name, value in self.parameters.items():
            checked_name(f"parameter of {here}", name, PUBLIC)
            if parse(name, checked_text(f"{name} of {here}", value)) not in TABLE[name].domain:
                raise DomainError(f"{name} of {here} must be {TABLE[name].domain}, got {value}")
        for name, choice in self.options.items():
            checked_text(f"{checked_name(f'option of {here}', name, CHOICES)} of {here}", choice)
        if set(self.origins) != set(self.parameters):
            raise InputError(f"{here} must say of each of its parameters, and of no other, how it is known")

    def to_dict(self) -> dict[str, Any]:
        """The preset as JSON-ready data."""
        return {
            "name": self.name,
            "title": self.title,
            "source": self.source,
            "options": dict(self.options),
            "parameters": [{"name": x, "value": value, **asdict(self.origins[x])} for x, value in self.parameters.items()],
        }

    def report(self) -> Report:
        """The numbers, each with its source."""
        page, document = Body(), Body()
        page.line(f"{self.name}: {self.title}")
        page.line(f"source: {self.source}")
        if self.options:
            page.line("options: " + ", ".join(f"{name} = {value}" for name, value in self.options.items()))
        page.line()
        rows = tuple(
            (math(TABLE[name].latex, name), number(value), Cell(self.origins[name].how), Cell(self.origins[name].source))
            for name, value in self.parameters.items()
        )
        table = Table(("parameter", "value", "known", "source"), rows, "lrll", widths={3: 0.5})
        page.table(table, 0)
        document.table(table)
        return Report(f"preset {self.name}: {self.title}", page, self.to_dict, table, document)


@cache
def _presets() -> dict[str, Preset]:
    text = Path(__file__).with_name("presets.toml").read_text(encoding="utf-8")
    return {name: _read(name, row) for name, row in toml_of(text, "presets.toml").items()}


def _read(name: str, row: Mapping[str, Any]) -> Preset:
    parameters, origins = {}, {}
    measured = Path(__file__).with_name(f"{name}.json")
    constants = json.loads(measured.read_text(encoding="utf-8")) if measured.is_file() else {}
    for key, entry in row["parameters"].items():
        parameters[key] = entry["value"] if "value" in entry else constants[key]
        origins[key] = Origin(entry["how"], entry["source"])
    return Preset(name, row["title"], row["source"], parameters, row.get("options", {}), origins)


def names() -> tuple[str, ...]:
    """The names of the presets, in their order."""
    return tuple(_presets())


def preset(name: str) -> Preset:
    """The preset called ``name``.

    Raises:
        UnknownNameError: there is none; the message names the nearest one.

    >>> import cmbound
    >>> cmbound.preset("gaussian-2d").parameters["d"]
    '2'
    """
    if not isinstance(name, str) or name not in _presets():
        raise UnknownNameError("preset", name, names())
    return _presets()[name]
