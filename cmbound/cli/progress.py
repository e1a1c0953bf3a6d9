"""What a command says while it computes, and how long that takes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from fractions import Fraction
from math import inf
from typing import Any

from cmbound.cli.streams import PATIENCE, SAID, announced
from cmbound.errors import CmboundError


def number_of_steps(given: Mapping[str, Any]) -> float:
    """The number of steps of the grid that parameters and options ask for, for the size of a job: 0 in closed form."""
    from cmbound.catalogue.presets import preset

    grid, known = given.get("grid"), given
    with suppress(CmboundError, KeyError):
        known = {**preset(given["preset"]).parameters, **given}
    if isinstance(grid, list):
        return len(grid) - 1
    return size_of(known.get("N")) or (size_of(known.get("T")) / (size_of(known.get("h")) or inf) if grid == "two-stage" else 0.0)


def range_size(text: str) -> int:
    """The number of values of ``NAME=LOW:HIGH:log:COUNT`` or ``1,2,3``, for the size of a job."""
    return int(size_of(text.rpartition(":")[2])) if ":" in text else text.count(",") + 1


def range_end(text: str) -> str:
    """The largest value of such a range."""
    values = text.partition("=")[2]
    return values.split(":")[1] if values.count(":") > 1 else max(values.split(","), key=size_of)


def size_of(value: Any) -> float:
    """A number as it was given, for the size of a job; 0 if it is none."""
    try:
        return float(Fraction(str(value)))
    except (ValueError, ZeroDivisionError, OverflowError):
        return 0.0


@contextmanager
def at_work(what: str, given: Mapping[str, Any], *, times: float = 1) -> Iterator[None]:
    """Says that a statement is evaluated, so many ``times``, if this is long: on a large grid, or with a large horizon."""
    steps, horizon = number_of_steps(given), size_of(given.get("T"))
    size = [f"a grid of {steps:.0f} steps"] if steps else []
    if horizon > LONG_HORIZON:
        size.append(f"the horizon T = {given['T']}, which needs many digits")
    title = " with ".join([what, " and ".join(size)] if size else [what])
    long = times * max(steps, 1000) > LONG_STEPS
    total = int(steps) if long and times == 1 and steps else None
    with progress_bar(title, total, long=long or horizon > LONG_HORIZON) as advance, _told_of_steps(advance, total):
        yield


def _told_of_steps(advance: Callable[[int], None], total: int | None) -> Any:
    """The steps of a long grid, as they are added up, advance the bar."""
    if total is None:
        return nullcontext()
    from cmbound.evaluation.steps import telling

    return telling(advance)


LONG_STEPS, LONG_HORIZON = 50_000, 200_000
"""Steps of a grid, over all evaluations, and horizons that take some seconds."""


CHECKED = 1.0
"""Seconds after which all arguments are checked."""


@contextmanager
def progress_bar(title: str, total: int | None, *, long: bool) -> Iterator[Callable[[int], None]]:
    """A progress bar on standard error while the block runs, if that is a terminal; yields what advances it.

    Elsewhere one line says what is computed and how much of it, soon if that is ``long``: some seconds or more, by its size. It
    waits until the arguments are checked, which takes no time, so that a mistake in them is one line too.
    """
    if not sys.stderr.isatty():
        with announced(title, CHECKED if long else PATIENCE):
            yield lambda n: None
        return
    from rich.console import Console
    from rich.progress import Progress

    SAID.set()
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=total)
        yield lambda n: bar.advance(task, n)
