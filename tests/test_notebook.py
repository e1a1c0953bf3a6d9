"""What a notebook shows of each kind of result: well-formed HTML in which every cell says its side, whatever the page says.

``python -m tests.test_notebook FILE.html`` writes the executed notebook, to be looked at.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import cmbound
from cmbound.worlds import Gaussian

ONE = "explicit-one-step"
BASE: dict[str, Any] = {"preset": "gaussian-2d"}
SHOWN: dict[str, Callable[[], Any]] = {
    "statement": lambda: cmbound.theorem(ONE),
    "evaluation": lambda: cmbound.theorem(ONE).evaluate(**BASE),
    "comparison": lambda: cmbound.compare(statements=[ONE], **BASE),
    "budget": lambda: cmbound.solve(ONE, target="0.5", **BASE),
    "schedule": lambda: cmbound.schedule(steps=2, profile="lipschitz", **BASE),
    "simulation": lambda: cmbound.simulate(Gaussian([0.0], [1.0]), n=30),
    "table": lambda: cmbound.table("comparison", params=BASE, statements=ONE),
    "certificate": lambda: cmbound.certify(lambda x, sigma: 0 * x, data=[[0.0], [1.0]], sigmas=[0.1, 1.0], n=100),
}
CELLS = (
    "import cmbound",
    "one = cmbound.theorem('explicit-one-step')\none",
    "one.evaluate(preset='gaussian-2d')",
    "cmbound.compare(preset='gaussian-2d', metric='W2')",
    "cmbound.solve(one, target='0.5', preset='gaussian-2d')",
    "cmbound.schedule(steps=2, preset='gaussian-2d')",
    "cmbound.simulate(cmbound.Gaussian([0.0], [1.0]), n=30)",
    "cmbound.table('budgets', targets=['1'])",
    "cmbound.certify(lambda x, sigma: 0 * x, data=[[0.0], [1.0]], sigmas=[0.1, 1.0], n=100)",
    "one.explore(preset='gaussian-2d')",
)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("kind", SHOWN)
def test_what_a_notebook_shows(kind: str) -> None:
    root = ElementTree.fromstring(SHOWN[kind]()._repr_html_())
    assert root.tag in ("div", "table")
    cells = [x for x in root.iter() if x.tag in ("td", "th")]
    assert cells or kind == "statement"
    for table in root.iter("table"):
        rows = [x for x in table.iter("tr") if x.find("td") is not None and x.find("td").get("colspan") is None]  # type: ignore[union-attr]
        for column in zip(*(row.findall("td") for row in rows), strict=True):
            sides = {"right" if "text-align:right" in (x.get("style") or "") else "left" for x in column}
            assert all("text-align:" in (x.get("style") or "") for x in column)
            texts = [text for x in column if (text := "".join(x.itertext())) not in ("", "-")]  # nothing, or not measured
            assert len(sides) == 1
            if texts:
                assert sides == {"right" if all(map(_is_number, texts)) else "left"}, texts


def executed(folder: Path) -> str:
    """A notebook with :data:`CELLS`, executed, as HTML."""
    cells: list[dict[str, Any]] = [
        {"cell_type": "code", "metadata": {}, "execution_count": None, "outputs": [], "source": x} for x in CELLS
    ]
    notebook = folder / "results.ipynb"
    notebook.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}), encoding="utf-8")
    command = [sys.executable, "-m", "nbconvert", "--to", "html", "--execute", "--log-level=ERROR", str(notebook)]
    subprocess.run(command, check=True, capture_output=True, cwd=folder)
    return notebook.with_suffix(".html").read_text(encoding="utf-8")


def test_an_executed_notebook(tmp_path: Path) -> None:
    """Every cell but the first shows its result as HTML, and none as the text of an object or a traceback."""
    pytest.importorskip("nbconvert")
    pytest.importorskip("ipykernel")
    page = executed(tmp_path)
    assert page.count('data-mime-type="text/html"') == len(CELLS) - 1
    assert 'data-mime-type="text/plain"' not in page
    for said in ("lipschitz-integrated", "best constant", "srcdoc"):
        assert said in page


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        Path(sys.argv[1]).write_text(executed(Path(place)), encoding="utf-8")
