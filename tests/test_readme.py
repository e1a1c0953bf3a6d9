"""README: every command shown is run and compared with what the page shows; its Python examples run.

``python -m tests.test_readme`` rewrites the shown outputs from the commands.
"""

from __future__ import annotations

import csv
import math
import re
import shlex
import tempfile
from itertools import chain
from pathlib import Path

import pytest

from tests.helpers import silent
from tests.pages import rewritten

README = Path(__file__).parent.parent / "README.md"
TEXT = README.read_text(encoding="utf-8")


def _runnable(text: str) -> str:
    """The page without the commands of a shell that install things; figures have a test of their own."""
    return text.replace("```sh\n", "```bash\n")


def test_what_is_shown_is_what_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = _runnable(TEXT)
    assert rewritten(page, tmp_path) == page
    value, first, *_, number, curve, formula = capsys.readouterr().out.splitlines()
    assert value == "0.32"
    assert first.startswith("mine: ")
    assert "early_stopping" in number
    assert curve.startswith("(1000,) ")
    assert formula.startswith("W_2")


def test_sentences_quote_the_numbers_shown() -> None:
    value = re.search(r"<= ([0-9.]+)", TEXT[TEXT.index("$ cmbound evaluate explicit-one-step --preset digits") :])
    assert value is not None
    assert f"at most {math.ceil(float(value[1]) * 1000) / 1000} " in TEXT
    for said, printed in (("by 6.78", "m2 = 6.775704"), ("off by 4.33 ", "sd2 = 4.332795")):
        assert said in TEXT
        assert printed in TEXT


def test_it_is_short() -> None:
    lines = TEXT.splitlines()
    assert len(lines) <= 200
    assert max(map(len, lines)) <= 170


def test_the_figure_shows_what_the_command_computes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The committed data behind the figure are what its command produces now, in any directory."""
    found = re.search(r"<!-- figure commands -->\n```sh\ncmbound (.*)\n```", TEXT)
    assert found is not None
    monkeypatch.chdir(tmp_path)
    silent(*shlex.split(found[1]))
    place = README.parent / "paper_tables" / "readme"
    names = {x.name for x in tmp_path.iterdir()}
    assert names == {x.name for x in place.iterdir()}
    assert [x for x in names if x.endswith(".png") and f"](paper_tables/readme/{x})" in TEXT]
    for name in names:
        old, new = place / name, tmp_path / name
        if name.endswith(".png"):
            assert old.read_bytes()[:4] == new.read_bytes()[:4] == b"\x89PNG"
            continue
        before, after = (list(csv.reader(x.read_text().splitlines())) for x in (old, new))
        assert before[0] == after[0]
        assert len(before) == len(after)
        for a, b in zip(chain(*before[1:]), chain(*after[1:]), strict=True):
            assert a == b or math.isclose(float(a), float(b), rel_tol=1e-9)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        README.write_text(rewritten(_runnable(TEXT), Path(place)).replace("```bash\n", "```sh\n"), encoding="utf-8")
