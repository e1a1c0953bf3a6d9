"""``cmbound schedule``."""

from __future__ import annotations

from typing import Any

import click

from cmbound.cli import CONTEXT
from cmbound.cli.common import FIGURE, at_work, figure_bytes, format_option, output_option, size_of, write_all
from cmbound.cli.solve import read_given, statement_options
from cmbound.errors import InputError


@click.command("schedule", context_settings=CONTEXT, short_help="The best times for multistep sampling.")
@statement_options
@click.option("--steps", metavar="K", default="8", show_default=True, help="Number of evaluations, the first at T included.")
@click.option(
    "--gain", metavar="G", help="What an evaluation must gain to be worth taking.  [default: 1% of the bound after the first]"
)
@click.option("--plot", metavar="FILE", type=FIGURE, help="Draw bounds and times (.png, .pdf or .svg).")
@format_option("text", "json", "latex", "markdown", "csv")
@output_option
def schedule_command(
    pairs: tuple[str, ...],
    params: str | None,
    grid: str | None,
    steps: str,
    gain: str | None,
    plot: str | None,
    form: str,
    output: str,
    **options: Any,
) -> None:
    """The best times for multistep sampling, and the bound after each evaluation.

    Takes the parameters of explicit-multistep but k, t_hat and times: the nodes of a grid are tried, or with a largest step h
    all times. Beside it the fixed time of Cor 6 and the best fixed time, the limit of the bound, and the number of evaluations
    after which another one is not worth it.

    \b
    cmbound schedule --preset gaussian-2d --steps 5 --plot schedule.pdf
    cmbound schedule --preset digits --gain 0.01
    """
    given = read_given(pairs, params, grid, options)
    for name in ("steps", "gain"):
        if name in given:
            raise InputError(f"{name} is an option, not a parameter: write --{name} {given[name]}")
    from cmbound.planning.schedule import schedule

    with at_work(f"scheduling {steps} evaluations", given, times=size_of(steps)):
        result = schedule(steps=steps, gain=gain, **given)
    contents: list[tuple[str | bytes, str]] = []
    if plot is not None:
        from cmbound.papers.figures.multistep import multistep_figure, planned

        contents.append((figure_bytes(multistep_figure(planned(result), width="page"), plot), plot))
    if form == "json":
        from cmbound.output.data import to_json

        text = to_json(result.to_dict())
    else:
        from cmbound.output.planning import schedule_document, schedule_page

        text = schedule_page(result) if form == "text" else schedule_document(result, form)
    write_all(*contents, (text, output))
