"""The catalogue of statements: one file per source, data only.

Adding a statement means adding one record to one of these files.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, cast

from cmbound.errors import UnknownNameError

SOURCES: tuple[str, ...] = ("lyu2023", "explicit", "related")
"""The files of the catalogue, in the order in which they are listed."""
PAIR = ("explicit-multistep", "chen2025-multistep")
"""Two bounds on one distance, which a phase diagram sets side by side unless told otherwise: linear in the errors, but with a
Lipschitz constant of the model; without one, but with a fourth root."""
MAIN = "explicit-one-step"
"""The statement that tables of numbers are about where none is named."""


class Catalogue(ModuleType):
    """The statements in a fixed order: iterate, ask for one by id, or count them.

    The package itself is the catalogue (``for statement in cmbound.catalogue``), whichever way it was imported. What it hands
    out is made by ``present``, which the top of the package sets: the records themselves know no verbs.
    """

    present: Callable[[Any], Any] = staticmethod(lambda x: x)

    def theorems(self) -> Iterator[Any]:
        """The records, in order; their files, and SymPy with them, are loaded when they are first asked for."""
        for source in SOURCES:
            yield from importlib.import_module(f"{__name__}.{source}").STATEMENTS

    def known(self, id: str) -> str:
        """The id, which must be that of a statement.

        Raises:
            UnknownNameError: there is none; the message names the nearest one.
        """
        names = [x.id for x in self.theorems()]
        if id not in names:
            raise UnknownNameError("statement", id, names)
        return id

    def __iter__(self) -> Iterator[Any]:
        return map(self.present, self.theorems())

    def __len__(self) -> int:
        return sum(1 for _ in self.theorems())

    def __getitem__(self, id: str) -> Any:
        wanted = self.known(id)
        return next(self.present(x) for x in self.theorems() if x.id == wanted)

    def __contains__(self, id: object) -> bool:
        return any(theorem.id == id for theorem in self.theorems())

    def __repr__(self) -> str:
        return f"<catalogue of {len(self)} statements: {', '.join(x.id for x in self.theorems())}>"


sys.modules[__name__].__class__ = Catalogue
catalogue: Catalogue = cast(Catalogue, sys.modules[__name__])


def ids() -> tuple[str, ...]:
    """The ids, in order, read off the source files: no SymPy is imported, so that a shell can complete them at once."""
    import ast
    from importlib import resources

    found = []
    for source in SOURCES:
        tree = ast.parse(resources.files(__name__).joinpath(f"{source}.py").read_text(encoding="utf-8"))
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "Theorem":
                found += [str(x.value.value) for x in call.keywords if x.arg == "id" and isinstance(x.value, ast.Constant)]
    return tuple(found)
