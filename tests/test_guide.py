"""The manual: every command and snippet in it is run and compared with what the page shows; the command; the web pages.

``python -m tests.test_guide`` rewrites the shown outputs from the commands.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest

import cmbound.guide
from cmbound.cli import _COMMANDS
from cmbound.guide import Topic, topics
from cmbound.papers import site
from cmbound.reports.page import markdown
from tests.helpers import call, fails, fine
from tests.pages import rewritten

FOLDER = Path(cmbound.guide.__file__).parent


@pytest.mark.parametrize("topic", topics(), ids=lambda x: x.name)
def test_pages_show_what_commands_print(topic: Topic, tmp_path: Path) -> None:
    assert rewritten(topic.text, tmp_path) == topic.text


def test_a_changed_number_is_noticed(tmp_path: Path) -> None:
    page = "```console\n$ cmbound --version\ncmbound, version 9.9\n```\n"
    assert rewritten(page, tmp_path) != page
    with pytest.raises(AssertionError):
        rewritten("```pycon\n>>> 1 + 1\n3\n```\n", tmp_path)


@pytest.mark.parametrize("topic", topics(), ids=lambda x: x.name)
def test_links_lead_somewhere(topic: Topic) -> None:
    assert all((FOLDER / x).exists() for x in re.findall(r"\]\(([^)#:]+\.md)[^)]*\)", topic.text))
    assert topic.title
    assert not topic.summary.startswith(("#", "```"))


def test_every_command_is_in_the_manual() -> None:
    text = "\n".join(x.text for x in topics())
    assert [x for x in _COMMANDS if f"cmbound {x}" not in text] == []


def test_the_list_has_every_topic() -> None:
    listed = fine("guide")
    assert all(x.name in listed and x.title in listed for x in topics())
    assert fine("guide", "tutorial") == topics()[0].text
    assert fine("guide", "TUT") == topics()[0].text
    for wrong in ("tutoriel", "zzz"):
        said = fails(2, "guide", wrong)
        assert all(x.name in said for x in topics())
    assert "did you mean 'tutorial'" in call("guide", "tutoriel").err
    assert fails(2, "guide", "own").endswith("may be own-statement, own-profile, own-model")


def test_a_terminal_without_the_signs_has_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """As show has them: in a pipe, and laid out. Code keeps its lines however narrow the terminal."""
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    command = "import sys; from cmbound.guide import topic; from cmbound.reports.page import *; "
    for text in ("shown(topic('symbols').text)", "markdown(topic('symbols').text)"):
        run = subprocess.run(
            [sys.executable, "-c", f"{command}print({text})"], capture_output=True, text=True, env=env, check=True
        )
        assert "||x_0||^2" in run.stdout
        assert "sigma^2 = e^(2t) - 1" in " ".join(re.sub(r"\x1b[^m]*m", "", run.stdout).split())
    monkeypatch.setenv("COLUMNS", "40")
    laid_out = re.sub(r"\x1b[^m]*m", "", markdown(cmbound.guide.topic("results").text))
    assert "\ncertified: in [2.8874109179270760035, 2.8874109179270760036]\n" in laid_out
    assert max(len(x) for x in laid_out.partition("\n$ ")[0].splitlines()) <= 40


@pytest.fixture(scope="module")
def reference() -> Mapping[str, str]:
    """The pages that pdoc makes."""
    return site._reference()


@pytest.fixture
def made_once(reference: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """They are the same in every copy of the manual."""
    monkeypatch.setattr(site, "_reference", lambda: reference)


@pytest.mark.usefixtures("made_once")
def test_the_web_pages(tmp_path: Path) -> None:
    """Each page is there, links stay inside, and nothing is fetched from elsewhere."""
    pytest.importorskip("pdoc")
    place = tmp_path / "site"
    assert fine("guide", "--html", str(place)) == f"{place / 'index.html'}\n"
    pages = sorted(place.rglob("*.html"))
    assert {x.stem for x in pages} >= {"index", "cmbound", *(x.name for x in topics())}
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"""<(?:script|link|img)[^>]*(?:src|href)=["']?https?:""", text)
        for link in re.findall(r'href="([^"#:]+\.html)', text):
            assert (page.parent / link).exists(), (page.name, link)
        assert {*re.findall(r'href="#([^"]+)"', text)} <= {*re.findall(r'\bid="([^"]+)"', text)}, page.name
    reference = (place / "api" / "cmbound.html").read_text(encoding="utf-8")
    missing = {name for name in cmbound.__all__ if f'id="{name}"' not in reference}
    assert missing == {"catalogue"}  # a module


def test_web_pages_without_pdoc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The manual all the same, without links to what is not there."""
    monkeypatch.setitem(sys.modules, "pdoc", None)
    outcome = call("guide", "--html", str(tmp_path / "site"))
    assert outcome.status == 0
    assert "without the API reference" in outcome.err
    assert not (tmp_path / "site" / "api").exists()
    assert "API reference</a>" not in (tmp_path / "site" / "tutorial.html").read_text(encoding="utf-8")


@pytest.mark.usefixtures("made_once")
def test_only_the_manual_is_replaced(tmp_path: Path) -> None:
    """An empty directory is taken, and one that holds the manual; what else stands there stays."""
    place = tmp_path / "site"
    place.mkdir()
    for _ in range(2):
        assert call("guide", "--html", str(place)).status == 0
    (tmp_path / "index.html").write_text("mine")
    assert "other files" in fails(2, "guide", "--html", str(tmp_path))
    assert (tmp_path / "index.html").read_text() == "mine"


def test_a_directory_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site, "_reference", lambda: pytest.fail("work began"))
    (tmp_path / "file").touch()
    outcome = call("guide", "--html", str(tmp_path / "file" / "site"))
    assert outcome.status == 2
    assert "--html" in outcome.err
    assert call("guide", "tutorial", "--html", str(tmp_path)).status == 2


if __name__ == "__main__":
    for topic in topics():
        with tempfile.TemporaryDirectory() as place:
            (FOLDER / topic.file).write_text(rewritten(topic.text, Path(place)), encoding="utf-8")
