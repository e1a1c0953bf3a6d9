"""CONTRIBUTING.md, followed to the letter."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import indent

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
HEAD = "import numpy as np\nimport pytest\n\nimport cmbound\n\n\n"


def block(name: str) -> str:
    found = re.search(rf"<!-- {name} -->\n```python\n(.*?)```", TEXT, re.DOTALL)
    assert found is not None
    return found[1]


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": ""}  # the copy is compiled once
    return subprocess.run([sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package with the statement of the guide in it."""
    folder = tmp_path_factory.mktemp("package")
    shutil.copytree(ROOT / "cmbound", folder / "cmbound", ignore=shutil.ignore_patterns("__pycache__"))
    catalogue = folder / "cmbound" / "catalogue" / "related.py"
    text, beginning = catalogue.read_text(encoding="utf-8"), "STATEMENTS: tuple[Callable[[], Theorem], ...] = (\n"
    assert text.count(beginning) == 1
    catalogue.write_text(
        text.replace(beginning, beginning + indent(block("statement").rstrip(), "    ") + ",\n"), encoding="utf-8"
    )
    return folder


def test_a_statement_is_added_in_one_file(package: Path) -> None:
    shown = run(package, "-m", "cmbound", "show", "example2026-early")
    assert "early_stopping: √(" in shown.stdout, shown.stderr
    found = run(package, "-m", "cmbound", "evaluate", "example2026-early", "-p", "delta=0.1", "-p", "d=3", "-p", "m2=2")
    assert "certified: in [" in found.stdout, found.stderr
    assert "example2026-early" in run(package, "-m", "cmbound", "list").stdout


def test_its_test_passes_and_can_fail(package: Path) -> None:
    files = {"test_example.py": block("statement test"), "test_wrong.py": block("statement test").replace("* 4", "* 5")}
    for name, text in files.items():
        (package / name).write_text(HEAD + text, encoding="utf-8")
    done = run(package, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files)
    assert done.returncode == 1
    assert "1 failed, 1 passed" in done.stdout
    assert "FAILED test_wrong.py" in done.stdout


def test_the_tables_name_files_that_exist() -> None:
    for name in re.findall(r"`(test_\w+\.py)`", TEXT):
        assert (ROOT / "tests" / name).is_file(), name
    for name in re.findall(r"`((?:theory|verification|reports|papers|catalogue|cli|names)[\w/]*\.(?:py|toml))`", TEXT):
        assert (ROOT / "cmbound" / name.replace("NAME", "terms")).is_file(), name
