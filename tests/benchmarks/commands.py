"""What people wait for at the command line: whole processes, in seconds of processor time, beside a bare ``import sympy``.

The runs are interleaved and each figure is a median. A ratio is the median of those of single rounds, so that a busy machine
slows both sides of it.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Callable

ROUNDS = 7
SYMPY = ("-c", "import sympy")
EVALUATE = ("evaluate", "explicit-one-step", "--preset", "gaussian-2d")
ONE_PROFILE = (*EVALUATE, "--profile", "universal")
STARTED: tuple[tuple[str, ...], ...] = (
    ("--version",),
    ONE_PROFILE,
    EVALUATE,
    ("list",),
    ("presets",),
    ("show", "explicit-one-step"),
    ("table", "statements"),
)
POINT = ("-p", "k=2", "-p", "t_hat=1", "-p", "R=3")  # twelve statements have a value
COMPUTED: tuple[tuple[str, ...], ...] = (
    ("schedule", "--preset", "gaussian-2d", "--steps", "4"),
    ("schedule", "--preset", "digits"),
    ("compare", "--preset", "gaussian-2d", *POINT),
    ("analyse", "--corollaries"),
)
SWEEP = ("sweep", "explicit-one-step", "--preset", "gaussian-2d", "--profile")
PROFILES = ("universal", "auto")
ENVIRONMENT = {k: x for k, x in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
"""As installed: modules are compiled once, in the first round, which does not count."""


def seconds(arguments: tuple[str, ...]) -> float:
    """Processor time of one process of Python, user and system."""
    with subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=ENVIRONMENT
    ) as child:
        assert child.stderr is not None
        said = child.stderr.read()
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"{' '.join(arguments)}: {said.decode()}")
    return used.ru_utime + used.ru_stime


def rounds(commands: tuple[tuple[str, ...], ...], *yardsticks: tuple[str, ...]) -> list[list[float]]:
    """Seconds of each command of the program and, after them, of each yardstick: a list with one number for each round."""
    processes = [*(("-m", "cmbound", *x) for x in commands), *yardsticks]
    for x in processes:
        seconds(x)
    return [list(x) for x in zip(*([seconds(x) for x in processes] for _ in range(ROUNDS)), strict=True)]


def _ratio(one: list[float], other: list[float]) -> float:
    return statistics.median(x / y for x, y in zip(one, other, strict=True))


def start_up() -> str:
    """Commands that compute little."""
    *found, sympy = rounds(STARTED, SYMPY)
    rows = [f"processor time of a process; python -c 'import sympy': {statistics.median(sympy):.2f} s"]
    for command, times in zip(STARTED, found, strict=True):
        rows.append(f"  cmbound {' '.join(command)}: {statistics.median(times):.2f} s; ratio {_ratio(times, sympy):.2f}")
    return "\n".join(rows)


def computing() -> str:
    """Commands that compute, against one evaluation."""
    *found, evaluation, sympy = rounds(COMPUTED, ("-m", "cmbound", *EVALUATE), SYMPY)
    rows = [f"processor time of a process; cmbound {' '.join(EVALUATE)}: {statistics.median(evaluation):.2f} s"]
    for command, times in zip(COMPUTED, found, strict=True):
        rows.append(
            f"  cmbound {' '.join(command)}: {statistics.median(times):.2f} s; ratio {_ratio(times, evaluation):.2f}, "
            f"to import sympy {_ratio(times, sympy):.2f}"
        )
    return "\n".join(rows)


def sweeping() -> str:
    """What a point of a sweep costs with the choice of profiles, against one fixed profile: 40,000 points less 40."""
    rows = []
    for title, small, large in (
        ("h", ("h=1e-5:1e-1:log:40",), ("h=1e-5:1e-1:log:40000",)),
        ("h and eps_sc", ("h=1e-5:1e-1:log:40", "eps_sc=0.01"), ("h=1e-5:1e-1:log:200", "eps_sc=1e-3:1e-1:log:200")),
    ):
        found = rounds(tuple((*SWEEP, profile, *(f"-p{x}" for x in ranges)) for profile in PROFILES for ranges in (small, large)))
        points = [[(y - x) / 39960 for x, y in zip(*pair, strict=True)] for pair in (found[:2], found[2:])]
        one, auto = (statistics.median(x) * 1e6 for x in points)
        rows.append(
            f"a point of cmbound {' '.join(SWEEP[:-1])} over {title}: profile {PROFILES[0]} {one:.1f} us, "
            f"{PROFILES[1]} {auto:.1f} us; ratio {_ratio(points[1], points[0]):.1f}"
        )
    return "\n".join(rows)


BENCHMARKS: list[Callable[[], str]] = [start_up, computing, sweeping]
