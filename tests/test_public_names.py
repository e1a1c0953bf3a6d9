"""The public interface is frozen: names, signatures and methods, as tests/public_names.txt has them.

``python -m tests.test_public_names`` writes the file anew: do so only for a change that CHANGELOG.md names.
"""

from __future__ import annotations

import doctest
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import cmbound
from cmbound.evaluation import statement

FILE = Path(__file__).with_name("public_names.txt")
NO_EXAMPLE = {"__version__", "catalogue", "PROFILES"}
"""Data and a module: there is nothing to call."""


def signature(value: Any) -> str:
    """Names, kinds and defaults of the arguments; annotations are for type checkers."""
    if inspect.isclass(value) and issubclass(value, Exception):
        return ""
    found = inspect.signature(value)
    bare = [x.replace(annotation=inspect.Parameter.empty) for x in found.parameters.values()]
    return str(found.replace(parameters=bare, return_annotation=inspect.Signature.empty))


def members(kind: type) -> Iterator[str]:
    """Public methods and properties of a class, its fields among the arguments of the constructor."""
    for name in sorted(x for x in dir(kind) if not x.startswith("_")):
        if hasattr(Exception, name) or hasattr(dict, name):
            continue
        value = inspect.getattr_static(kind, name)
        call = getattr(kind, name)
        if isinstance(value, property) or not callable(call):
            yield f"    .{name}"
        else:
            yield f"    .{name}{signature(call)}"


def interface() -> str:
    """One line for each public name, with the members of classes below it."""
    lines = []
    for name in cmbound.__all__:
        value = getattr(cmbound, name)
        if inspect.isclass(value):
            lines += [f"class {name}{signature(value)}", *members(value)]
        elif inspect.isfunction(value):
            lines.append(f"{name}{signature(value)}")
        else:
            lines.append(name)
    return "\n".join(lines) + "\n"


def test_the_interface_is_frozen() -> None:
    assert interface() == FILE.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [x for x in cmbound.__all__ if x not in NO_EXAMPLE])
def test_every_public_name_has_an_example_that_runs(name: str) -> None:
    value = getattr(cmbound, name)
    found = [x for x in doctest.DocTestFinder(recurse=True).find(value, name, globs={}) if x.examples]
    assert found, f"{name} has no worked example in its docstring"
    assert not any(doctest.SKIP in y.options for x in found for y in x.examples)
    before = dict(statement._registered)
    for example in found:
        result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE).run(example)
        assert not result.failed, example.name
    for id in statement._registered.keys() - before:  # what an example registers is for it alone
        del statement._registered[id]


if __name__ == "__main__":
    FILE.write_text(interface(), encoding="utf-8")
