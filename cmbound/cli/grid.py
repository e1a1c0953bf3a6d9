"""``cmbound grid``."""

from __future__ import annotations

import click

from cmbound.cli.certify import LONG, SOLVERS, whole
from cmbound.cli.files import emit, figure_bytes
from cmbound.cli.options import FIGURE, Command, choice, report_options
from cmbound.cli.progress import progress_bar, size_of


@click.command("grid", cls=Command, short_help="Noise levels that suit a data set.")
@click.option("--data", metavar="FILE", required=True, help="The data, one point a row (.npy, .npz or .csv).")
@click.option("--steps", metavar="N", default="18", show_default=True, help="Number of steps.")
@click.option("--sigma-min", metavar="X", default="0.002", show_default=True, help="Lowest noise level.")
@click.option("--sigma-max", metavar="X", default="80", show_default=True, help="Largest noise level.")
@choice("--solver", SOLVERS, "The teacher's step (euler is DDIM).")
@click.option("-n", "n", metavar="N", default="1000", show_default=True, help="Number of exact trajectories.")
@click.option("--seed", metavar="N", default="0", show_default=True, help="Seed of the trajectories.")
@click.option("--plot", metavar="FILE", type=FIGURE, help="Draw the local errors (.png, .pdf or .svg).")
@report_options
def grid_command(
    data: str,
    steps: str,
    sigma_min: str,
    sigma_max: str,
    solver: str,
    n: str,
    seed: str,
    plot: str | None,
    form: str,
    output: str,
) -> None:
    """The noise levels that make the sum of a teacher's local errors on a data set smallest, beside EDM and geometric ones.

    \b
    cmbound grid --data train.npy --steps 18 --plot grid.pdf
    """
    from cmbound.certification.nodes import KINDS, MOST_ROUNDS, measured_grid

    size = size_of(n) * size_of(steps)
    most = MOST_ROUNDS + len(KINDS) - 1  # grids that are measured; often fewer
    with progress_bar(f"measuring local errors of grids of {steps} steps on {n} trajectories", most, long=size > LONG) as advance:
        found = measured_grid(
            data,
            sigma_min=sigma_min,
            sigma_max=sigma_max,
            steps=whole("steps", steps) or 0,
            solver=solver,
            n=whole("n", n) or 0,
            seed=whole("seed", seed) or 0,
            progress=advance,
        )
    figures = []
    if plot is not None:
        from cmbound.papers.figures.certificates import nodes_figure

        figures.append((figure_bytes(nodes_figure(found), plot), plot))
    emit(found.report(), form, output, *figures)
