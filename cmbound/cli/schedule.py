"""``cmbound schedule``."""

from __future__ import annotations

from typing import Any

import click

from cmbound.cli.files import emit, figure_bytes
from cmbound.cli.measuring import effort, measuring_options, takes, with_data
from cmbound.cli.options import FIGURE, Command, optional_id, refuse, report_options, setting_options
from cmbound.cli.progress import at_work, size_of
from cmbound.numbers import counted


@click.command("schedule", cls=Command, short_help="The best times for multistep sampling.")
@optional_id
@setting_options()
@measuring_options()
@click.option("--steps", metavar="K", default="8", show_default=True, help="Number of evaluations, the first at T included.")
@click.option(
    "--gain", metavar="G", help="What an evaluation must gain to be worth taking.  [default: 1% of the bound after the first]"
)
@click.option("--plot", metavar="FILE", type=FIGURE, help="Draw bounds and times (.png, .pdf or .svg).")
@report_options
def schedule_command(
    id: str | None,
    given: dict[str, Any],
    measuring: dict[str, Any],
    steps: str,
    gain: str | None,
    plot: str | None,
    form: str,
    output: str,
) -> None:
    """The best times for multistep sampling, and the bound after each evaluation.

    Takes the parameters of the multistep statement (ID, where it is another one) but k, t_hat and times: the nodes of a grid are
    tried, or with a largest step h all times. Beside it the fixed time of Cor 6 and the best fixed time, the limit of the bound,
    and the number of evaluations after which another one is not worth it.

    \b
    cmbound schedule --preset gaussian-2d --steps 5 --plot schedule.pdf
    cmbound schedule --preset digits --gain 0.01
    """
    from cmbound.planning.schedule import schedule

    refuse(given, steps="--steps", gain="--gain", id="ID")
    with_data(given, measuring, takes(id, "multistep"))
    with at_work(f"scheduling {counted(steps, 'evaluation')}", given, times=size_of(steps) * effort(given)):
        result = schedule(id, steps=steps, gain=gain, **given)
    figures = []
    if plot is not None:
        from cmbound.papers.figures.multistep import multistep_figure, planned

        figures.append((figure_bytes(multistep_figure(planned(result), width="page"), plot), plot))
    emit(result.report(), form, output, *figures)
