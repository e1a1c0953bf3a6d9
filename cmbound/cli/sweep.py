"""``cmbound sweep``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import click

from cmbound.cli.files import figure_bytes, open_bytes, write_all, write_stream
from cmbound.cli.options import FIGURE, Command, cluster_option, id_argument, jobs_option, output_option, setting_options
from cmbound.cli.progress import number_of_steps, progress_bar
from cmbound.errors import DomainError
from cmbound.numbers import counted

LONG_POINTS = 5000
"""Points that take some seconds."""
MOST_DRAWN = 10**7
"""Points that are kept in memory for a figure."""


@click.command("sweep", cls=Command, short_help="Evaluate a statement over ranges of parameters, float64.")
@id_argument
@setting_options("NAME=VALUES", "A number, a list (2,8,32) or a range LOW:HIGH:log|linear:COUNT (1e-4:1e-1:log:50). Repeatable.")
@jobs_option
@cluster_option
@click.option("--plot", metavar="FILE", type=FIGURE, help="Draw one or two axes (png, pdf, svg).")
@click.option("--format", "form", type=click.Choice(["csv", "json", "npz"]), help="Default: csv, or what -o ends in.")
@output_option
def sweep_command(
    id: str, given: dict[str, Any], jobs: int, cluster: str | None, plot: str | None, form: str | None, output: str
) -> None:
    """Evaluate the statement ID at every combination of the values given, the last parameter varying fastest.

    One row a point: parameters, terms, total, dominating term. Written chunk by chunk: memory does not grow with the points.

    \b
    cmbound sweep explicit-one-step --preset gaussian-2d -p h=1e-5:1e-1:log:200 -o h.csv
    cmbound sweep explicit-one-step --preset gaussian-2d -p d=2,8,32 -p h=1e-4:1e-1:log:50 --plot map.png
    """
    from cmbound.evaluation.sweep_files import csv_lines, json_lines, write_npz
    from cmbound.evaluation.sweeps import Chunk, chunks, sweep

    what = sweep(id, **given)
    kind = form or {".json": "json", ".npz": "npz"}.get(os.path.splitext(output)[1].lower(), "csv")
    if plot is not None:
        from cmbound.papers.figures.sweeps import check_axes, sweep_figure

        check_axes(what)
        if len(what) > MOST_DRAWN:
            raise DomainError(f"the sweep has {len(what)} points; at most {MOST_DRAWN} can be drawn: leave out --plot")
    kept: list[Chunk] = []

    def points() -> Iterator[Chunk]:
        for chunk in chunks(what, jobs=jobs, cluster=cluster, progress=advance):
            if plot is not None:
                kept.append(chunk)
            yield chunk

    if kind != "json":
        for note in what.notes:
            click.echo(f"cmbound: note: {note}", err=True)
    steps = number_of_steps({**given, **{name: str(x.max()) for name, x in what.axes.items()}})
    title = f"sweeping {counted(len(what), 'point')}" + f" on grids of up to {steps:.0f} steps" * bool(steps)
    with progress_bar(title, len(what), long=len(what) * max(1.0, steps / 20) > LONG_POINTS) as advance:
        if kind == "npz":
            write_npz(what, points(), lambda: open_bytes(output))
        else:
            write_stream(csv_lines(points()) if kind == "csv" else json_lines(what, points()), output)
    if plot is not None:
        write_all((figure_bytes(sweep_figure(what, kept), plot), plot))
