"""The catalogue of statements: one file per source, data only.

Adding a statement means adding one record to one of these files. Each stands behind ``lambda:`` and is built when it is asked
for; what a listing says of it is read off the file.
"""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from cmbound.errors import UnknownNameError
from cmbound.theory.prose import Prose
from cmbound.threads import LOCK

SOURCES: tuple[str, ...] = ("lyu2023", "explicit", "related")
"""The files of the catalogue, in the order in which they are listed."""
PAIR = ("explicit-multistep", "chen2025-multistep")
"""Two bounds on one distance, which a phase diagram sets side by side unless told otherwise: linear in the errors, but with a
Lipschitz constant of the model; without one, but with a fourth root."""
MAIN = "explicit-one-step"
"""The statement that tables of numbers are about where none is named."""


@dataclass(frozen=True)
class Entry:
    """What a listing says of a statement, as it is written in its record: read without building it."""

    id: str
    kind: str
    status: str
    metric: str
    title: str
    reference: str
    experiment: str


class Catalogue(ModuleType):
    """The statements in a fixed order: iterate, ask for one by id, or count them.

    The package itself is the catalogue (``for statement in cmbound.catalogue``), whichever way it was imported. What it hands
    out is made by ``present``, which the top of the package sets: the records themselves know no verbs.
    """

    present: Callable[[Any], Any] = staticmethod(lambda x: x)

    def theorems(self) -> Iterator[Any]:
        """The records, in order, each built when it is first asked for."""
        return map(record, ids())

    def known(self, id: str) -> str:
        """The id, which must be that of a statement.

        Raises:
            UnknownNameError: there is none; the message names the nearest one.
        """
        if id not in self:
            raise UnknownNameError("statement", id, ids())
        return id

    def __iter__(self) -> Iterator[Any]:
        return map(self.present, self.theorems())

    def __len__(self) -> int:
        return len(ids())

    def __getitem__(self, id: str) -> Any:
        return self.present(record(self.known(id)))

    def __contains__(self, id: object) -> bool:
        return isinstance(id, str) and _source(id) is not None

    def __repr__(self) -> str:
        return f"<catalogue of {len(self)} statements: {', '.join(ids())}>"


sys.modules[__name__].__class__ = Catalogue
catalogue: Catalogue = cast(Catalogue, sys.modules[__name__])


def _source(id: str) -> str | None:
    """The file of a statement (None: there is none); what does not name it is not read any further."""
    return next((x for x in SOURCES if f'"{id}"' in _text(x) and id in _written(x)), None)


@cache
def _text(source: str) -> str:
    return Path(__file__).with_name(f"{source}.py").read_text(encoding="utf-8")


@cache
def _written(source: str) -> dict[str, tuple[int, Entry]]:
    """By id: the place of a statement in a file, and what is written there.

    Read off the file as text: no SymPy is imported, so that a shell completes ids at once, and no other statement is built.
    """
    found = {}
    tree = ast.parse(_text(source))
    values = dict(_assigned(tree))
    for place, later in enumerate(cast(ast.Tuple, values["STATEMENTS"]).elts):
        call = cast(ast.Call, cast(ast.Lambda, later).body)
        entry = _entry({x.arg: x.value for x in call.keywords}, values)
        found[entry.id] = place, entry
    return found


def _assigned(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """The names at the top of a module, each with what it stands for."""
    for node in tree.body:
        for target in node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]:
            if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(target, ast.Name) and node.value is not None:
                yield target.id, node.value


def _entry(fields: Mapping[str | None, ast.expr], values: Mapping[str, ast.expr]) -> Entry:
    def text(node: ast.expr | None) -> str:
        node = values[node.id] if isinstance(node, ast.Name) else node
        return str(node.value) if isinstance(node, ast.Constant) else ""

    def prose(name: str) -> str:
        return str(Prose(text(fields[name])))

    reference = ", ".join(map(text, cast(ast.Call, fields["reference"]).args))
    return Entry(
        id=text(fields["id"]),
        kind=text(fields["kind"]),
        status=text(fields["status"]),
        metric=prose("metric"),
        title=prose("title"),
        reference=reference,
        experiment=text(fields.get("experiment")),
    )


def ids() -> tuple[str, ...]:
    """The ids of the statements, in order."""
    return tuple(id for source in SOURCES for id in _written(source))


def listed() -> tuple[Entry, ...]:
    """What a listing says of each statement, in order."""
    return tuple(entry for source in SOURCES for _, entry in _written(source).values())


@cache
def record(id: str) -> Any:
    """The record with this id, which alone of its file is built; the file, and SymPy with it, is loaded."""
    source = str(_source(id))
    place, _ = _written(source)[id]
    with LOCK:
        return importlib.import_module(f"{__name__}.{source}").STATEMENTS[place]()
