"""Presets: settings of published or measured models, with the source of every number (``presets.toml``)."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from cmbound.errors import UnknownNameError

PROVENANCES = ("published", "measured", "assumed")


@dataclass(frozen=True)
class Origin:
    """How a number of a preset is known: ``published``, ``measured`` or ``assumed``, and the source."""

    how: str
    source: str


@dataclass(frozen=True)
class Preset:
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


@cache
def _table() -> dict[str, Preset]:
    text = resources.files(__name__).joinpath("presets.toml").read_text(encoding="utf-8")
    return {name: _read(name, row) for name, row in tomllib.loads(text).items()}


def _read(name: str, row: Mapping[str, Any]) -> Preset:
    parameters, origins = {}, {}
    measured = resources.files(__name__).joinpath(f"{name}.json")
    constants = json.loads(measured.read_text(encoding="utf-8")) if measured.is_file() else {}
    for key, entry in row["parameters"].items():
        parameters[key] = entry["value"] if "value" in entry else constants[key]
        origins[key] = Origin(entry["how"], entry["source"])
    return Preset(name, row["title"], row["source"], parameters, row.get("options", {}), origins)


def names() -> tuple[str, ...]:
    """The names of the presets, in their order."""
    return tuple(_table())


def preset(name: str) -> Preset:
    """The preset called ``name``.

    Raises:
        UnknownNameError: there is none; the message names the nearest one.
    """
    if not isinstance(name, str) or name not in _table():
        raise UnknownNameError("preset", name, names())
    return _table()[name]
