"""``cmbound plot``: every figure has a command; wrong input is one line with the documented status."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from cmbound.cli.plot import plot_command
from cmbound.errors import InputError, UnknownNameError
from cmbound.papers.figures import style
from cmbound.papers.figures.ratios import RatiosData, ratios_figure, ratios_from_csv
from cmbound.papers.figures.terms import terms_figure
from cmbound.papers.figures.tightness import TightnessData, tightness_figure
from tests.helpers import call, fails, silent
from tests.test_figures import ONE, TWO, ratios, terms

GOOD: Mapping[str, tuple[str, ...]] = {
    "terms": (ONE, "--preset", "gaussian-2d", "--over", "h=1e-4:1e-1:log:5", "--stacked"),
    "ratios": (ONE, "--instances", "25", "--world", "gaussian"),
    "multistep": ("--preset", "gaussian-2d", "--profile", "universal", "--steps", "3"),
    "phase": (ONE, TWO, "--preset", "gaussian-2d", "--profile", "universal", "-p", "k=2", "-p", "t_hat=1", "-x", "L_f=1:9:log:4",
              "-y", "T=4:9:linear:4"),
    "tightness": (ONE, "--dimensions", "1,2", "--instances", "10"),
    "grids": (ONE, "--preset", "digits", "--over", "N=20,40"),
}  # fmt: skip


def test_every_figure_has_a_command() -> None:
    assert set(plot_command.commands) == set(GOOD)


@pytest.mark.parametrize("name", GOOD)
def test_commands(name: str, tmp_path: Path) -> None:
    figure, data = tmp_path / "x.pdf", tmp_path / "x.csv"
    silent("plot", name, *GOOD[name], "-o", str(figure), "--csv", str(data), "--width", "page", "--title", "T")
    assert figure.read_bytes().startswith(b"%PDF")
    assert len(data.read_text().splitlines()) >= 3
    assert "cmbound plot" in call("plot", name, "-h").out


def test_ratios_are_read_from_their_csv(tmp_path: Path) -> None:
    data = ratios()
    assert ratios_from_csv(data.csv()).rows == data.rows
    last = len(data.csv().splitlines()) + 1
    for text, words in (
        ("a,b\n1,2\n", "with the columns statement,world"),
        (data.csv().replace("passed", "maybe"), "line 2 of the data"),
        (data.csv() + "x\n", f"line {last} of the data"),
    ):
        with pytest.raises(InputError, match=words):
            ratios_from_csv(text)
    path = tmp_path / "r.csv"
    path.write_text(data.csv())
    out = tmp_path / "r.svg"
    assert call("plot", "ratios", "--from", str(path), "-o", str(out)).status == 0
    style.save_figure(ratios_figure(data), tmp_path / "same.svg")
    assert out.read_bytes() == (tmp_path / "same.svg").read_bytes()
    fails(2, "plot", "ratios", ONE, "--from", str(path), "-o", str(out), says=("leave out the id",))


def test_a_violation_ends_with_status_1(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text(ratios().csv().replace("passed", "violation", 1))
    assert call("plot", "ratios", "--from", str(path), "-o", str(tmp_path / "r.png")).status == 1


OVER = ("--over", "h=1e-4:1e-1:log:5")
PLANE = ("-x", "L_f=1:9:log:4", "-y", "T=4:9:linear:4")
PRESET = ("--preset", "gaussian-2d")


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("terms", ONE, *PRESET, "--over", "hh=1:2:log:3"), 2, ("unknown parameter 'hh'", "did you mean 'h'")),
        (("terms", ONE, *PRESET, *OVER, "-p", "eps_sx=1"), 2, ("unknown parameter 'eps_sx'", "did you mean 'eps_sc'")),
        (("terms", "explicit-one-stpe", *OVER), 2, ("did you mean 'explicit-one-step'",)),
        (("terms", ONE, *PRESET, "--over", "h=1e-4:1e-1:5"), 2, ("LOW:HIGH:log:COUNT",)),
        (("terms", ONE, *PRESET, "--over", "h"), 2, ("NAME=LOW:HIGH",)),
        (("terms", ONE, *PRESET, "--over", "h=0.1"), 2, ("needs a range",)),
        (("terms", ONE, *PRESET, "--over", "h=0:1:log:5"), 3, ("must begin above 0",)),
        (("terms", ONE, *PRESET, "--over", "h=1e-4:100:log:5"), 3, ("h <= T - delta",)),
        (("terms", "jain2025-multistep", "--over", "d=1,2"), 2, ("a complexity only",)),
        (("tightness", "jain2025-multistep"), 2, ("a complexity only",)),
        (("terms", ONE, *OVER), 2, ("needs eps_sc",)),
        (("terms", ONE, *PRESET, *OVER, "-p", "h=1"), 2, ("h varies",)),
        (("terms", ONE, *PRESET, *OVER, "-p", "over=1"), 2, ("over",)),
        (("ratios",), 2, ("give the id",)),
        (("ratios", ONE, ONE), 2, ("given twice",)),
        (("ratios", ONE, "--world", "gauss"), 2, ("did you mean 'gaussian'",)),
        (("ratios", ONE, "--instances", "0"), 3, ("instances must be an integer from 1",)),
        (("ratios", "--from", "/nonexistent"), 2, ("cannot read /nonexistent",)),
        (("multistep", *PRESET, "--steps", "0"), 3, ("steps must be an integer",)),
        (("multistep", *PRESET, "--cov", "1"), 2, ("preset follows from the world",)),
        (("multistep", "--mean", "1"), 2, ("belong to --cov",)),
        (("multistep", *PRESET, "-p", "world=1"), 2, ("world is no parameter",)),
        (("phase", ONE, *PRESET, *PLANE), 2, ("two statements",)),
        (("phase", ONE, "explicit-tv-smoothing", *PRESET, *PLANE), 2, ("different quantities",)),
        (
            ("phase", ONE, TWO, *PRESET, "-x", "Lf=1:9:log:4", "-y", "T=4:9:linear:4"),
            2,
            ("unknown parameter 'Lf'", "did you mean 'L_f'"),
        ),
        (("phase", ONE, TWO, *PRESET, "-x", "T=1:9:log:4", "-y", "T=4:9:linear:4"), 2, ("both axes are T",)),
        (("phase", ONE, TWO, *PRESET, *PLANE, "-p", "k=2"), 2, ("t_hat",)),
        (("tightness", ONE, "--dimensions", "1,a"), 2, ("'a'",)),
        (("tightness", ONE, "--dimensions", "0"), 3, ("a dimension must be an integer from 1",)),
        (("tightness", "explicit-tv-smoothing"), 3, ("dimension 1 only",)),
        (("grids", ONE, "--preset", "digits", "--over", "h=1,2"), 2, ("over N",)),
        (("grids", ONE, "--preset", "digits", "--grid", "edm", "-p", "N=3"), 2, ("the grid is chosen here: leave out grid, N",)),
        (("multistep", ONE), 2, (f"unexpected argument {ONE}: the usage is cmbound plot multistep [OPTIONS]",)),
        (("grids", "explicit-training", "--preset", "digits"), 2, ("no grid",)),
    ],
)
def test_wrong_input(arguments: tuple[str, ...], status: int, says: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    fails(status, "plot", *arguments, "-o", str(path), says=says)
    assert not path.exists()


def test_wrong_files(tmp_path: Path) -> None:
    good = ("plot", "terms", ONE, *PRESET, *OVER)
    fails(2, *good, "-o", "x.gif", says=("x.gif", ".pdf"))
    fails(2, *good, says=("-o",))
    fails(2, *good, "-o", str(tmp_path / "x.pdf"), "--csv", "x.txt", says=("x.txt", ".csv"))
    fails(2, *good, "-o", str(tmp_path / "no" / "x.pdf"), says=("cannot write",))
    fails(2, *good, "-o", "x.pdf", "--width", "wide", says=("wide",))
    fails(2, "plot", "term", says=("term",))
    with pytest.raises(UnknownNameError, match="column"):
        terms_figure(terms(), width="colum")
    with pytest.raises(InputError, match="lines, stacked, shares"):
        terms_figure(terms(), view="pie")
    with pytest.raises(InputError, match="nothing to draw"):
        ratios_figure(RatiosData((ONE,), ()))
    none: dict[str, tuple[None, ...]] = {ONE: (None,)}
    with pytest.raises(InputError, match="nothing to draw"):
        tightness_figure(TightnessData((ONE,), (1,), none, none, {ONE: (0,)}, {ONE: (0,)}))


def test_constants_of_a_data_set_are_filled_in_and_said(tmp_path: Path) -> None:
    points, figure = np.random.default_rng(1).normal(size=(40, 2)), str(tmp_path / "figure.svg")
    np.save(tmp_path / "points.npy", points)
    np.savez(tmp_path / "points.npz", x=points)
    np.savetxt(tmp_path / "points.csv", points, delimiter=",")
    npy, npz, csv = (str(tmp_path / f"points.{x}") for x in ("npy", "npz", "csv"))
    numbers = ["-p", "eps_sc=0.01", "-p", "eps_cm=0.01", "-p", "sigma_min=0.1", "-p", "L_f=2"]
    last, steps = ["-p", "sigma_max=20"], ["-p", "N=9"]
    size = float(np.sqrt((points**2).sum(axis=1).mean()))
    for command in (
        ["plot", "terms", ONE, "--over", "N=5,9", *last, "--data", npy, "-o", figure],
        ["plot", "multistep", "--steps", "2", "--grid", "edm", *last, *steps, "--data", npz, "-o", figure],
        [
            "plot",
            "phase",
            ONE,
            TWO,
            "-p",
            "h=0.1",
            "-p",
            "k=2",
            "-p",
            "t_hat=1",
            "--data",
            csv,
            "-o",
            figure,
            "-x",
            "T=2,3",
            "-y",
            "M=2,3",
        ],
        ["table", "comparison", "--statements", ONE, *last, *steps, "--data", npy],
    ):
        outcome = call(*command, *numbers)
        assert outcome.status == 0, outcome.err
        said = re.search(r"note: d = 2, m2 = ([0-9.]+), .*n_atoms = 40", outcome.err)
        assert said, outcome.err
        assert size <= float(said[1]) <= size * (1 + 1e-6)  # rounded to the safe side
    varied = call("plot", "terms", ONE, "--over", "m2=2,3", *last, *steps, "--data", npy, *numbers, "-o", figure)
    assert varied.status == 0
    assert "m2 =" not in varied.err
    both = call("plot", "multistep", "--cov", "1", "--data", npy, "-o", figure)
    assert (both.status, "--cov or --data" in both.err) == (2, True)
    assert call("table", "presets", "--data", npy).status == 2
