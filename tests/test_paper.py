"""The paper: its files are current, complete and used, and it compiles where there is TeX."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

import paper_tables.__main__ as command
from cmbound.catalogue import catalogue
from cmbound.theory.profiles import PROFILES
from paper_tables import build

PAPER = build.HERE
GENERATED = build.GENERATED


def sources() -> dict[str, str]:
    """paper.tex and everything it reads, by path below the paper's folder (without .tex)."""
    found: dict[str, str] = {}
    waiting = ["paper"]
    while waiting:
        name = waiting.pop()
        if name not in found:
            path = PAPER / f"{name}.tex"
            assert path.exists(), f"{name}.tex is read but does not exist"
            found[name] = re.sub(r"(?<!\\)%.*", "", path.read_text(encoding="utf-8"))
            waiting += inputs(found[name])
    return found


def inputs(text: str) -> list[str]:
    """What a source reads, the two macros for statements and profiles included."""
    plain = re.findall(r"\\input\{([^}#]+)\}", text)
    statements = re.findall(r"\\statement\{([^}#]+)\}", text)
    profiles = re.findall(r"\\profilebound\{([^}#]+)\}", text)
    return [*plain, *(f"generated/statements/{x}" for x in statements), *(f"generated/profiles/{x}" for x in profiles)]


# --- the committed files --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["generated/", "data/terms-h", "data/multistep"])
def test_committed_files_are_current(part: str, capsys: pytest.CaptureFixture[str]) -> None:
    status = command.main(["--check", "--only", part])
    assert status == 0, capsys.readouterr().out


def test_every_file_is_made_by_something() -> None:
    known = {x.path for x in build.outputs()}
    assert command.strangers(known) == []
    assert [x.name for x in build.outputs() if not x.path.exists()] == []


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[build.Output]]:
    """A copy of the formulas and of one figure in another folder, built there, and what makes them, run once."""
    place = tmp_path_factory.mktemp("paper")
    for folder in ("figures", "tables", "campaigns"):
        (place / folder).mkdir()
    shutil.copy(PAPER / "figures" / "multistep.toml", place / "figures")
    with pytest.MonkeyPatch.context() as patch:
        moved(patch, place)
        made = [replace(x, make=cache(x.make)) for x in build.outputs()]
        patch.setattr(command, "outputs", lambda jobs: made)
        assert command.main([]) == 0
    return place, made


def moved(patch: pytest.MonkeyPatch, place: Path) -> None:
    """The command works on another folder."""
    for module in (build, command):
        patch.setattr(module, "GENERATED", place / "generated")
        patch.setattr(module, "DATA", place / "data")
    patch.setattr(build, "HERE", place)


@pytest.fixture
def elsewhere(built: tuple[Path, list[build.Output]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The built copy, in a folder of its own."""
    place, made = built
    shutil.copytree(place, tmp_path, dirs_exist_ok=True)
    moved(monkeypatch, tmp_path)
    here = [replace(x, path=tmp_path / x.path.relative_to(place)) for x in made]
    monkeypatch.setattr(command, "outputs", lambda jobs: here)
    return tmp_path


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("generated/statements/explicit-one-step.tex", "mathfrak", "mathbb"),
        ("generated/profiles/bounded_ddim.tex", "10", "9"),
        ("data/multistep.csv", "0.2682", "0.2683"),
        ("data/multistep.csv", "\n3,", "\n"),
    ],
)
def test_check_finds_a_difference(elsewhere: Path, path: str, old: str, new: str, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert command.main(["--check"]) == 0
    file = elsewhere / path
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    assert command.main(["--check"]) == 1
    assert capsys.readouterr().out == f"differs: {path}\n"
    assert command.main([]) == 0
    assert command.main(["--check"]) == 0


def test_check_finds_missing_and_foreign_files(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (elsewhere / "generated/order.tex").unlink()
    (elsewhere / "data/old.csv").write_text("x\n", encoding="utf-8")
    capsys.readouterr()
    assert command.main(["--check"]) == 1
    assert capsys.readouterr().out == "missing: generated/order.tex\nnot made by anything: old.csv\n"


def test_figures_are_drawn_from_the_data(elsewhere: Path) -> None:
    figure = elsewhere / "generated/figures/multistep.pdf"
    first = figure.read_bytes()
    figure.unlink()
    assert command.main(["--figures"]) == 0
    assert figure.read_bytes() == first


def test_numbers_may_differ_within_the_tolerance() -> None:
    assert build.same("a,b\n1,x\n", "a,b\n1.0000000001,x\n", exact=False)
    assert not build.same("a,b\n1,x\n", "a,b\n1.0000000001,x\n", exact=True)
    assert not build.same("a,b\n1,x\n", "a,b\n1.001,x\n", exact=False)
    assert not build.same("a,b\n1,x\n", "a,b\n1,y\n", exact=False)
    assert not build.same("a,b\n1,x\n", "a,b\n1,x\n2,x\n", exact=False)
    assert build.same('[{"x": 1, "y": null}]', '[{"x": 1.0, "y": null}]', exact=False)
    assert not build.same('[{"x": 1}]', '[{"x": 1, "y": 2}]', exact=False)


def test_unknown_name() -> None:
    assert command.main(["--check", "--only", "nonsense"]) == 2


# --- the source -----------------------------------------------------------------------------------------------------


def test_every_file_is_used() -> None:
    used = {PAPER / f"{x}.tex" for x in sources()}
    unused = [x for x in sorted(GENERATED.rglob("*.tex")) + sorted((PAPER / "sections").glob("*.tex")) if x not in used]
    assert unused == []


def test_every_figure_is_shown() -> None:
    shown = [x for text in sources().values() for x in re.findall(r"\\includegraphics\[[^]]*\]\{([^}]+)\}", text)]
    assert sorted(shown) == sorted(build.specs("figures"))
    assert all((build.DATA / f"{x}.csv").exists() for x in shown)


def test_every_explicit_statement_and_profile_is_in_the_paper() -> None:
    read = set(sources())
    for theorem in catalogue:
        if theorem.id.startswith("explicit-"):
            assert f"generated/statements/{theorem.id}" in read
            assert any(rf"\code{{{theorem.id}}}" in text for text in sources().values())
    assert set(PROFILES) <= {Path(x).name.split("_")[0] for x in read if x.startswith("generated/profiles/")}


def test_environments_and_braces_are_balanced() -> None:
    for name, text in sources().items():
        stack: list[str] = []
        for kind, environment in re.findall(r"\\(begin|end)\{([^}]+)\}", text):
            if kind == "begin":
                stack.append(environment)
            else:
                assert stack, f"{name}: \\end{{{environment}}} without a beginning"
                assert stack.pop() == environment, f"{name}: \\end{{{environment}}} ends something else"
        assert stack == [], f"{name}: never ended"
        bare = re.sub(r"\\[{}]", "", text)
        assert bare.count("{") == bare.count("}"), name


def test_references_exist_once() -> None:
    text = "\n".join(sources().values())
    labels = re.findall(r"\\label\{([^}]+)\}", text)
    assert len(labels) == len(set(labels))
    wanted = set(re.findall(r"\\(?:eq)?ref\{([^}#]+)\}", text))
    assert wanted <= set(labels)
    entries = re.findall(r"@\w+\{([^,]+),", (PAPER.parent / "cmbound/catalogue/references.bib").read_text(encoding="utf-8"))
    cited = {x.strip() for group in re.findall(r"\\cite\{([^}]+)\}", text) for x in group.split(",")}
    assert cited <= set(entries)


@pytest.mark.skipif(shutil.which("pdflatex") is None or shutil.which("bibtex") is None, reason="no TeX on this machine")
def test_the_paper_compiles(tmp_path: Path) -> None:
    shutil.copy(PAPER / "paper.tex", tmp_path)
    shutil.copy(PAPER.parent / "cmbound/catalogue/references.bib", tmp_path)
    for folder in ("sections", "generated"):
        shutil.copytree(PAPER / folder, tmp_path / folder)
    for stem, spec in build.specs("figures").items():
        build.draw(spec, build.stored_data(spec, build.DATA / f"{stem}.csv"), tmp_path / "generated/figures" / f"{stem}.pdf")
    latex = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    draft = [*latex[:-1], "-draftmode", latex[-1]]
    for program in (draft, ["bibtex", "paper"], draft, latex):
        run = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False)
        assert run.returncode == 0, run.stdout[-2000:]
    log = (tmp_path / "paper.log").read_text(encoding="utf-8", errors="replace")
    assert "undefined" not in log
    wide = [float(x) for x in re.findall(r"Overfull \\hbox \(([0-9.]+)pt too wide\)", log)]
    assert max(wide, default=0.0) < 5
