"""The house: which room may import which. Every import is read, those inside functions and for type checkers too."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import pytest

import cmbound
from cmbound import names
from cmbound.catalogue import catalogue
from cmbound.theory import formulas, grids, profiles, variants

ROOT = Path(cmbound.__file__).parent
GROUND = frozenset({"errors", "checks", "frozen", "threads", "files", "parallel", "numbers", "names", "later"})
"""Modules that import nothing but each other; every room may import them."""
ROOMS: dict[str, tuple[str, ...]] = {
    "theory": (),
    "arithmetic": ("theory",),
    "reports": ("arithmetic",),
    "catalogue": ("theory", "reports"),  # a preset is a record, and builds its report
    "evaluation": ("catalogue", "arithmetic", "reports"),
    "distances": (),
    "worlds": ("distances",),
    "sampling": ("worlds",),
    "analysis": ("evaluation",),
    "planning": ("evaluation",),
    "comparison": ("evaluation", "analysis"),  # complexities follow from corollaries
    "verification": ("evaluation", "worlds", "sampling", "distances", "comparison"),  # measured constants are compared
    "certification": ("evaluation", "worlds", "sampling", "distances"),
    "guide": (),
    "papers": ("verification", "certification", "planning", "guide"),
    "cli": ("papers",),
}
"""From the ground up: what each room may import, and with that whatever those may."""
HEAVY: dict[str, frozenset[str]] = {
    "numpy": frozenset(ROOMS) - {"theory", "reports", "catalogue", "cli"},
    "scipy": frozenset(
        {"worlds", "sampling", "distances", "analysis", "planning", "comparison", "verification", "certification"}
    ),
    "sympy": frozenset(ROOMS) - {"worlds", "sampling", "distances", "cli"},
    "flint": frozenset({"arithmetic", "evaluation"}),
    "matplotlib": frozenset({"papers"}),
    "rich": frozenset({"reports"}),
    "markdown_it": frozenset({"papers"}),
    "pdoc": frozenset(),
    "click": frozenset({"cli"}),
    "ot": frozenset(),
    "dask": frozenset(),
    "joblib": frozenset(),
    "onnxruntime": frozenset(),
    "onnx": frozenset(),
    "jax": frozenset(),
    "optax": frozenset(),
    "sklearn": frozenset(),
}
"""Rooms in which a module may import a third-party package at its top."""
LAZY = {
    "cmbound.__main__": "an interrupt while modules are imported ends like any other",
    "cmbound": "the public names are loaded when they are asked for: import cmbound is quick",
    "cmbound.later": "NumPy is loaded when something of it is used: show computes nothing",
    "cmbound.papers.tables": "public names likewise; completion reads the names of the tables only",
    "cmbound.catalogue": "its files, and SymPy with them, are loaded when a statement is asked for: completion reads ids only",
}
"""Modules outside cli that may import the package inside functions or by names they make up, and why. (In cli a command imports
what it needs when it runs, so that help and completion are quick.)"""
_ID = re.compile(r"""['"](explicit|lyu2023|chen2025|brosse2026|euler)-[a-z0-9-]+['"]""")


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


class Module:
    """One file: its name with dots, its room, its syntax tree and its imports."""

    def __init__(self, root: Path, path: Path) -> None:
        parts = (root.name, *path.relative_to(root).with_suffix("").parts)
        self.name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        self.room = parts[1] if len(parts) > 2 else ""
        """Empty for a module that stands beside the rooms."""
        tree = parsed(path)
        self.nodes = tuple(ast.walk(tree))
        self.imports = tuple(self._imports({id(x) for x in tree.body}))

    def _imports(self, top: set[int]) -> Iterator[tuple[str, str, bool]]:
        """What every import names: a module, a name in it (empty: none), and whether it stands at the top."""
        package = self.name.split(".")[0]
        for node in self.nodes:
            if isinstance(node, ast.Import):
                yield from ((x.name, "", id(node) in top) for x in node.names)
            if isinstance(node, ast.ImportFrom):
                assert not node.level, f"{self.name}: an import is written in full"
                yield from ((str(node.module), x.name, id(node) in top) for x in node.names)
            if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) == "import_module":
                yield ast.literal_eval(named) if isinstance(named := node.args[0], ast.Constant) else f"{package}.*", "", False


class House:
    """The modules of a package, and the arrows between them."""

    def __init__(self, root: Path) -> None:
        self.package = root.name
        self.modules = {x.name: x for x in (Module(root, path) for path in sorted(root.rglob("*.py")))}

    def arrows(self) -> Iterator[tuple[Module, Module, bool]]:
        """Importing and imported module, and whether the import stands at the top of its file."""
        for module in self.modules.values():
            for name, inner, top in module.imports:
                found = self.modules.get(f"{name}.{inner}") or self.modules.get(name)
                if found is not None and found is not module:
                    yield module, found, top

    def findings(self) -> set[str]:
        """Everything that is not as it should be."""
        found = {f"{x.name}: there is no room {x.room!r}" for x in self.modules.values() if x.room not in ("", *ROOMS)}
        for module, other, top in self.arrows():
            arrow = f"{module.name} -> {other.name}"
            if module.name != self.package and not _may(self, module, other):
                found.add(f"{arrow}: not in the table")
            if not top and not _lazy(module):
                found.add(f"{arrow}: inside a function")
        found |= {f"circle: {', '.join(x)}" for x in [self.circle()] if x}
        for module in self.modules.values():
            found |= {
                f"{module.name}: {x}" for x in (*_third_party(module), *_made_up(module), *_texts(module), *_prints(module))
            }
        return found

    def circle(self) -> list[str]:
        """The first modules found that import each other (empty: there are none)."""
        edges: dict[str, set[str]] = {x: set() for x in self.modules if x != self.package}
        for module, other, _ in self.arrows():
            if self.package not in (module.name, other.name):
                edges[module.name].add(other.name)
        try:
            TopologicalSorter(edges).prepare()
        except CycleError as error:
            return sorted(set(error.args[1]))
        return []


@cache
def _allowed(room: str) -> set[str]:
    """The room, what it may import, and what those may."""
    return {room}.union(*(_allowed(x) for x in ROOMS[room]))


def _may(house: House, module: Module, other: Module) -> bool:
    """Whether the table has the arrow. Ground-floor modules import each other; the package itself has the version."""
    if other.name == house.package or other.name.removeprefix(f"{house.package}.") in GROUND:
        return True
    if not module.room:
        return module.name.endswith("__main__") and other.room == "cli"
    return module.room in ROOMS and other.room in ROOMS and other.room in _allowed(module.room)


def _lazy(module: Module) -> bool:
    return module.room == "cli" or module.name in LAZY


def _third_party(module: Module) -> Iterator[str]:
    for name, _, top in module.imports:
        package = name.split(".")[0]
        if package in HEAVY and top and module.room not in HEAVY[package]:
            yield f"imports {package} at the top"


def _made_up(module: Module) -> Iterator[str]:
    if not _lazy(module):
        yield from ("imports by a name it makes up" for name, _, _ in module.imports if name.endswith(".*"))


def _docstrings(nodes: tuple[ast.AST, ...]) -> set[int]:
    owners = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    bodies = [x.body for x in nodes if isinstance(x, owners)]
    return {id(y.value) for body in bodies for y in body if isinstance(y, ast.Expr) and isinstance(y.value, ast.Constant)}


def _texts(module: Module) -> Iterator[str]:
    """Ids of statements in the code: what code must know of a statement is a field of its record."""
    if module.room != "catalogue":
        documented = _docstrings(module.nodes)
        for node in module.nodes:
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documented:
                yield from (f"names {x.group(0)[1:-1]}" for x in _ID.finditer(repr(node.value)))


def _prints(module: Module) -> Iterator[str]:
    if module.room != "cli":
        calls = (x for x in module.nodes if isinstance(x, ast.Call))
        yield from ("prints" for x in calls if isinstance(x.func, ast.Name) and x.func.id == "print")


# --- the house as it is -------------------------------------------------------------------------------------------------


@cache
def ours() -> House:
    return House(ROOT)


def test_the_house() -> None:
    assert sorted(ours().findings()) == []


def test_who_is_lazy_has_to_be() -> None:
    house = ours()
    lazy = {module.name for module, _, top in house.arrows() if not top} | {
        module.name for module in house.modules.values() if any(name.endswith(".*") for name, _, _ in module.imports)
    }
    assert set(LAZY) <= lazy


def test_the_table_is_that_of_the_house() -> None:
    inside = {x.name for x in ROOT.iterdir() if x.is_dir() and (x / "__init__.py").exists()}
    assert set(ROOMS) <= inside
    assert {x.stem for x in ROOT.glob("*.py")} == {*GROUND, "__init__", "__main__"}
    order = list(ROOMS)
    for room, below in ROOMS.items():
        assert all(order.index(x) < order.index(room) for x in below), room
    assert _allowed("papers") == set(ROOMS) - {"cli"}
    assert set(HEAVY) & set(sys.stdlib_module_names) == set()


# --- what is listed twice, so that a shell can complete it at once ------------------------------------------------------


def test_names_offered_are_those_of_the_theory() -> None:
    for offered, known in (
        (names.PROFILES, profiles.PROFILES),
        (names.TEACHERS, variants.TEACHERS),
        (names.STARTS, variants.STARTS),
        (names.CLOCKS, variants.CLOCKS),
    ):
        assert offered == tuple(known)
    assert {*grids.FORMULAS, "two-stage"} == set(names.GRIDS) == set(grids.TAKES)
    assert {x for theorem in catalogue.theorems() for x in formulas.choices(theorem)} == set(names.CHOICES)


# --- can these tests fail? ----------------------------------------------------------------------------------------------

SOUND: dict[str, str] = {
    "__init__.py": "__version__ = '0'\n",
    "__main__.py": "from cmbound.cli import main\n",
    "errors.py": "",
    "numbers.py": "from cmbound.errors import x\n",
    "theory/__init__.py": "",
    "theory/words.py": '"""Such as \'explicit-one-step\'."""\nimport sympy\nfrom cmbound.numbers import parse\n',
    "catalogue/__init__.py": "from cmbound.theory import words\nID = 'explicit-one-step'\n",
    "evaluation/__init__.py": "",
    "evaluation/point.py": "import numpy\nfrom cmbound import __version__, numbers\nfrom cmbound.catalogue import ID\n",
    "papers/__init__.py": "from cmbound.evaluation.point import x\n\n\ndef f():\n    import ot\n",
    "cli/__init__.py": "def f():\n    from cmbound.papers import x\n    print(x)\n",
}
PLANTED: dict[str, tuple[str, str, str]] = {
    "up": ("theory/words.py", "from cmbound.catalogue import ID\n", "theory.words -> cmbound.catalogue: not in the table"),
    "up, of the ground floor": (
        "errors.py",
        "from cmbound.theory import words\n",
        "errors -> cmbound.theory.words: not in the table",
    ),
    "a whole module": (
        "theory/words.py",
        "import cmbound.evaluation.point\n",
        "words -> cmbound.evaluation.point: not in the table",
    ),
    "for type checkers": (
        "theory/words.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from cmbound.evaluation.point import x\n",
        "theory.words -> cmbound.evaluation.point: not in the table",
    ),
    "by its name": (
        "theory/words.py",
        "from importlib import import_module\n\n\ndef f():\n    import_module('cmbound.evaluation.point')\n",
        "theory.words -> cmbound.evaluation.point: not in the table",
    ),
    "by a name made up": (
        "theory/words.py",
        "from importlib import import_module\nimport_module(f'cmbound.{x}')\n",
        "theory.words: imports by a name it makes up",
    ),
    "aside": ("sampling/__init__.py", "from cmbound.theory import words\n", "sampling -> cmbound.theory.words: not in the table"),
    "inside a function": (
        "evaluation/point.py",
        "def f():\n    from cmbound.numbers import x\n",
        "evaluation.point -> cmbound.numbers: inside a function",
    ),
    "a circle": ("errors.py", "from cmbound.numbers import y\n", "circle: cmbound.errors, cmbound.numbers"),
    "a room too many": ("output/__init__.py", "", "cmbound.output: there is no room 'output'"),
    "an id": ("evaluation/point.py", "x = theorem('lyu2023-cor4')\n", "evaluation.point: names lyu2023-cor4"),
    "printing": ("papers/__init__.py", "print(1)\n", "cmbound.papers: prints"),
    "numpy": ("theory/words.py", "import numpy as np\n", "theory.words: imports numpy at the top"),
    "matplotlib": ("evaluation/point.py", "from matplotlib import cm\n", "evaluation.point: imports matplotlib at the top"),
}


def _built(folder: Path, files: dict[str, str]) -> House:
    root = folder / "cmbound"
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return House(root)


def test_a_sound_house_has_no_findings(tmp_path: Path) -> None:
    assert _built(tmp_path, SOUND).findings() == set()


@pytest.mark.parametrize("name", PLANTED)
def test_what_is_planted_is_found(name: str, tmp_path: Path) -> None:
    place, line, finding = PLANTED[name]
    found: set[Any] = _built(tmp_path, {**SOUND, place: SOUND.get(place, "") + line}).findings()
    assert any(finding in x for x in found), found


def test_every_threshold_says_why() -> None:
    """A number at the top of a module has a comment on its line or a docstring below it."""
    bare = []
    for path in ROOT.rglob("*.py"):
        lines, body = path.read_text(encoding="utf-8").split("\n"), parsed(path).body
        for node, below in zip(body, [*body[1:], None], strict=True):
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None and _is_threshold(node.value):
                said = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
                if not said and "#" not in lines[node.end_lineno - 1 if node.end_lineno else 0]:
                    bare.append(f"{path.relative_to(ROOT)}: {lines[node.lineno - 1]}")
    assert bare == []


def _is_threshold(value: ast.expr) -> bool:
    parts = list(ast.walk(value))
    numbers = [
        x for x in parts if isinstance(x, ast.Constant) and isinstance(x.value, int | float) and not isinstance(x.value, bool)
    ]
    allowed = ast.Constant | ast.BinOp | ast.UnaryOp | ast.Tuple | ast.operator | ast.unaryop | ast.expr_context
    return bool(numbers) and all(isinstance(x, allowed) and not isinstance(getattr(x, "value", 0), str) for x in parts)


def test_a_threshold_is_recognised() -> None:
    assert all(_is_threshold(ast.parse(x, mode="eval").body) for x in ("1e-3", "10**6", "(1, 2.5)", "-4", "1 << 20"))
    assert not any(_is_threshold(ast.parse(x, mode="eval").body) for x in ("'a'", "True", "f(3)", "('a', 1)", "x"))


def test_the_map_of_the_tests_names_each_file_once() -> None:
    here = Path(__file__).parent
    named = re.findall(r"`(test_\w+)`", (here / "README.md").read_text(encoding="utf-8"))
    assert sorted(named) == sorted(x.stem for x in here.glob("test_*.py"))
