"""What a notebook shows of each kind of result: well-formed HTML in which every cell says its side, whatever the page says."""

from __future__ import annotations

from collections.abc import Callable
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
}


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
            texts = [text for x in column if (text := "".join(x.itertext()))]
            assert len(sides) == 1
            if texts:
                assert sides == {"right" if all(map(_is_number, texts)) else "left"}, texts
