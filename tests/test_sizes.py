"""Long jobs say what they compute, short ones are silent, and what cannot end or fit is refused before any work."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

import cmbound
from cmbound.cli.progress import number_of_steps, progress_bar, range_end, range_size
from cmbound.errors import DomainError
from cmbound.verification.request import Run
from cmbound.verification.simulation import simulate
from cmbound.worlds import Atoms, Gaussian
from tests.helpers import call, one_line
from tests.test_files import ID, G, arguments

SAID = {
    "evaluate": ((ID, *G, "--grid", "edm", "-p", "N=51000"), "evaluating explicit-one-step with a grid of 51000 steps"),
    "sweep": ((ID, *G, "-p", "h=1e-3:1e-1:log:5001", "-o", "/dev/null"), "sweeping 5001 points"),
    "simulate": (
        ("--world", "gaussian", "--cov", "1,1", "--grid-steps", "4"),
        "simulating 10000 samples in 2 dimensions, 4 steps",
    ),
    "check": (("explicit-map-error", "--instances", "2"), "checking 1 statement on 2 instances each"),
    "table": (("budgets", "--targets", "10,11"), "budgets of 1 preset for 2 targets"),
    "plot ratios": ((ID, "--instances", "2", "--world", "gaussian", "-o", "-"), "checking 1 statement, 2 instances"),
    "plot grids": (
        (ID, *G, "--over", "N=2,3", "-o", "-"),
        "drawing explicit-one-step on 2 grids of each kind with a grid of 3 steps",
    ),
    "schedule": ((*G, "--steps", "1"), "scheduling 1 evaluation"),
    "solve": ((ID, *G, "--target", "20", "--for", "eps_sc"), "solving explicit-one-step"),
    "compare": ((*G, "--statement", ID), "comparing statements"),
    "certify": (
        ("moons", "-n", "20", "--batches", "3", "--distance-batch", "20"),
        "certifying moons: 18 steps, 20 paths, 3 batches",
    ),
}
"""A command and the beginning of its line, where everything counts as long."""


@pytest.fixture
def everything_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "progress.CHECKED",
        "progress.LONG_STEPS",
        "sweep.LONG_POINTS",
        "simulate.LONG",
        "certify.LONG",
        "check.LONG_INSTANCES",
    ):
        monkeypatch.setattr(f"cmbound.cli.{name}", 0)
    monkeypatch.setattr("cmbound.cli.plot.LONG_INSTANCES", 0)
    monkeypatch.setattr("cmbound.cli.table._size", lambda name, given: ("budgets of 1 preset for 2 targets", True))


@pytest.mark.usefixtures("everything_is_long")
@pytest.mark.parametrize("name", list(SAID))
def test_one_line_off_a_terminal(name: str) -> None:
    args, line = SAID[name]
    outcome = call(*name.split(), *args)
    assert outcome.status == 0
    assert outcome.err.count("\n") == 1
    assert outcome.err.startswith(f"cmbound: {line}")


@pytest.mark.usefixtures("everything_is_long")
def test_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[tuple[str, Any]] = []
    monkeypatch.setattr("rich.progress.Progress.add_task", lambda self, title, total: shown.append((title, total)))
    monkeypatch.setattr("rich.progress.Progress.advance", lambda self, task, n: shown.append(("", n)))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with progress_bar("working", 3, long=False) as advance:
        advance(2)
    assert shown == [("working", 3), ("", 2)]


def test_a_short_command_is_silent_and_a_mistake_is_one_line() -> None:
    for name in ("sweep", "evaluate", "simulate", "schedule"):
        assert call(*arguments(name)).err == ""
    one_line(call("sweep", ID, *G, "-p", "h=1e-5:1e-1:log:100000", "-p", "qqqq=1").err)
    one_line(call("evaluate", ID, *G, "--grid", "edm", "-p", "N=100000000000").err)
    one_line(call("check", ID, "--instances", str(10**15)).err)


def test_the_size_of_what_is_asked() -> None:
    assert number_of_steps({"preset": "gaussian-2d"}) == 0
    assert number_of_steps({"preset": "song2023-cifar10"}) == int(cmbound.preset("song2023-cifar10").parameters["N"])
    assert number_of_steps({"grid": ["0", "1", "2"]}) == 2
    assert number_of_steps({"N": "1e6", "grid": "edm"}) == 10**6
    assert number_of_steps({"grid": "two-stage", "T": "10", "h": "1/100"}) == 1000
    assert number_of_steps({"N": "x", "preset": "nothing"}) == 0
    assert range_size("h=1:2:log:70") == 70
    assert range_size("h=1,2,3") == 3
    assert range_end("N=10:2000:log:7") == "2000"
    assert range_end("N=10,2000,7") == "2000"


# --- refusals -------------------------------------------------------------------------------------------------------

REFUSED: list[tuple[str, tuple[str, ...], str, str]] = [
    ("simulate", ("--world", "gaussian", "--cov", "1", "-n", str(10**15)), "simulation.measured", "n must be an integer"),
    (
        "simulate",
        ("--world", "gaussian", "--cov", "1", "-n", str(10**8), "--steps", "9"),
        "simulation.measured",
        "at most 5e+08",
    ),
    (
        "simulate",
        ("--world", "gaussian", "--cov", "1", "--grid-steps", str(10**12)),
        "simulation.measured",
        "grid_steps must be",
    ),
    ("check", (ID, "--instances", str(10**12)), "campaign.mapped", "instances must be"),
    ("check", (ID, "--jobs", str(10**12)), "campaign._batch", "jobs must be"),
]


@pytest.mark.parametrize(("name", "args", "worker", "says"), REFUSED, ids=lambda x: str(x)[:40])
def test_a_size_that_cannot_be_is_refused_before_the_work(
    name: str, args: tuple[str, ...], worker: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"cmbound.verification.{worker}", lambda *_, **__: pytest.fail("work began"), raising=False)
    outcome = call(name, *args)
    assert says in one_line(outcome.err)
    assert outcome.status == 3


@pytest.mark.parametrize("gain", ["-1", "x", "nan"])
def test_the_gain_is_checked_before_the_schedule(gain: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cmbound.planning.schedule.Candidates", lambda *_: pytest.fail("work began"))
    outcome = call("schedule", *G, "--gain", gain)
    assert "gain" in one_line(outcome.err)


def test_a_run_is_measured_before_it_is_carried_out() -> None:
    """What is held and what is computed grow as the run does."""
    rng = np.random.default_rng(0)
    world = Atoms(rng.standard_normal((300, 4)))
    small, large = Run(world, n=100), Run(world, n=10_000)
    assert small.operations < large.operations < Run(world, n=10_000, steps=3).operations
    assert small.operations < Run(world, n=100, student="exact").operations
    assert small.operations < Run(world, n=100, grid_steps=500).operations
    assert small.stored < large.stored < Run(world, n=10_000, steps=3).stored
    large_runs: tuple[dict[str, Any], ...] = ({"n": 2 * 10**7, "steps": 9}, {"n": 10**6, "steps": 500})
    for options in large_runs:
        with pytest.raises(DomainError, match="would hold"):
            Run(world, **options)
    with pytest.raises(DomainError, match="would hold"):
        Run(Gaussian(np.zeros(300), np.eye(300)), grid_steps=10_000)
    with pytest.raises(DomainError, match="would take"):
        Run(Atoms(rng.standard_normal((10**5, 1))), n=10**6, grid_steps=5000)


def test_the_estimate_of_a_simulation_is_of_the_right_size() -> None:
    """Within a factor of thirty of a billion multiplications a second, on any machine."""
    run = Run(Atoms(np.random.default_rng(0).standard_normal((500, 8))), n=500, grid_steps=20)
    before = time.process_time()
    simulate(run)
    seconds = time.process_time() - before
    assert 1 / 30 < run.operations / 1e9 / seconds < 30


def test_a_figure_of_too_many_points(tmp_path: Path) -> None:
    args = ("-p", "h=1e-5:1e-1:log:10000", "-p", "m2=1:2:linear:10000", "--plot", str(tmp_path / "x.png"), "-o", "/dev/null")
    assert "can be drawn" in one_line(call("sweep", ID, *G, *args).err)


def test_a_command_that_takes_long_says_that_it_is_at_work() -> None:
    """Whatever it is, and whatever its size was thought to be."""
    with patch("cmbound.cli.PATIENCE", 0.0):
        outcome = call("analyse", "explicit-training")
    assert outcome.status == 0
    assert outcome.err == "cmbound: computing: analyse explicit-training\n"
    assert call("analyse", "explicit-training").err == ""
