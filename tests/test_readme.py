"""README: every command shown is run and compared with what the page shows; its Python example runs.

``python -m tests.test_readme`` rewrites the shown outputs from the commands.
"""

from __future__ import annotations

import csv
import math
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"
BLOCK = re.compile(r"```console\n\$ (?P<command>.*)\n(?P<output>(?:.*\n)*?)```")


def _run(command: str) -> str:
    assert command.startswith("cmbound ")
    arguments = [sys.executable, "-m", *command.split()]
    return subprocess.run(arguments, check=True, capture_output=True, text=True, cwd=README.parent).stdout


def _shown(command: str, page: str) -> str:
    """What the page must show: everything, or where its last line is ``...`` as many lines as it shows."""
    lines = _run(command).splitlines(keepends=True)
    shown = page.splitlines()
    return "".join(lines[: len(shown) - 1]) + "...\n" if shown[-1:] == ["..."] else "".join(lines)


def _blocks() -> list[tuple[str, str]]:
    return [(x["command"], x["output"]) for x in BLOCK.finditer(README.read_text(encoding="utf-8"))]


@pytest.mark.parametrize(("command", "output"), _blocks(), ids=lambda x: x[:60] if x.startswith("cmbound") else "")
def test_shown_output_is_what_the_command_prints(command: str, output: str) -> None:
    assert output == _shown(command, output)


def test_sentences_quote_the_numbers_shown() -> None:
    text = README.read_text(encoding="utf-8")
    shown = dict(_blocks())["cmbound evaluate explicit-one-step --preset digits"]
    value = re.search(r"<= ([0-9.]+)", shown)
    assert value is not None
    assert f"at most {math.ceil(float(value[1]) * 1000) / 1000}," in text
    assert "off by 6.78" in text
    assert "m2 = 6.775704" in shown
    assert "17 Euler steps" in text


def _figure_commands() -> list[str]:
    found = re.search(r"<!-- figure commands -->\n```sh\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert found is not None
    return found[1].splitlines()


@pytest.mark.parametrize("command", _figure_commands(), ids=lambda x: x[13:20])
def test_figures_show_what_the_command_computes(command: str, tmp_path: Path) -> None:
    """The committed data behind each figure shown are what its command produces now."""
    image, data = (README.parent / x for x in re.findall(r"paper_tables/readme/\S+", command))
    _run(re.sub(r"paper_tables/readme", str(tmp_path), command))
    assert image.read_bytes()[:4] == (tmp_path / image.name).read_bytes()[:4] == b"\x89PNG"
    assert f"]({image.relative_to(README.parent)})" in README.read_text(encoding="utf-8")
    old, new = (list(csv.reader(x.read_text().splitlines())) for x in (data, tmp_path / data.name))
    assert old[0] == new[0]
    assert len(old) == len(new)
    for before, after in zip(old[1:], new[1:], strict=True):
        for a, b in zip(before, after, strict=True):
            assert a == b or math.isclose(float(a), float(b), rel_tol=1e-9)


def test_python_examples(capsys: pytest.CaptureFixture[str]) -> None:
    evaluation, own, simulation = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    exec(evaluation, {})
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert "early_stopping" in lines[0]
    assert "(1000,)" in lines[1]
    exec(own, {})
    value, *page = capsys.readouterr().out.splitlines()
    assert value == "0.32"
    assert page[0].startswith("mine: ")
    exec(simulation, {})
    assert 0 < float(capsys.readouterr().out) < 0.05


if __name__ == "__main__":
    page = README.read_text(encoding="utf-8")
    README.write_text(
        BLOCK.sub(lambda x: f"```console\n$ {x['command']}\n{_shown(x['command'], x['output'])}```", page), encoding="utf-8"
    )
