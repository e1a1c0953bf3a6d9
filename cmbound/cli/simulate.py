"""``cmbound simulate``."""

from __future__ import annotations

import io
from typing import Any

import click

from cmbound import names
from cmbound.cli.files import OutputFile, emit, figure_bytes
from cmbound.cli.laws import build_world, law_options
from cmbound.cli.options import FIGURE, Command, choice, completer, named, report_options
from cmbound.cli.progress import progress_bar
from cmbound.numbers import counted

LONG = 1e10
"""Multiplications that take some seconds."""
CORRECTOR_NAMES = ("smoothing:", "overdamped:", "underdamped:")


def arrays_bytes(simulation: Any) -> bytes:
    """Samples, truth and the numbers beside them, as an .npz file."""
    import numpy as np

    run, steps = simulation.run, simulation.steps
    arrays: dict[str, Any] = {
        "samples": simulation.samples,
        "truth": simulation.truth,
        "times": [x.time for x in steps],
        "w2": [x.w2.value for x in steps],
        "w2_lower": [x.w2.lower for x in steps],
        "w2_upper": [x.w2.upper for x in steps],
        "bounds": [x.bound for x in steps],
        "nodes": simulation.parameters["grid"],
        "seed": run.seed,
        **{name: simulation.parameters[name] for name in ("L_f", "eps_sc", "eps_cm")},
        **{name: getattr(run, name) for name in ("clock", "start", "to", "teacher", "student")},
    }
    if simulation.corrected is not None:
        arrays["w2_corrected"] = simulation.corrected.value
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


@click.command("simulate", cls=Command, short_help="Run the sampler on a known law: W2 beside the bound.")
@law_options()
@click.option("--steps", metavar="K", help="Number of evaluations.  [default: 1, or one more than --times]")
@click.option("--times", metavar="NUMBERS", help="Of the evaluations after the first.  [default: geometric, from T to t = 1/2]")
@click.option("--delta", metavar="X", help="Early stopping.  [default: t = 1e-3]")
@click.option("-T", "--horizon", metavar="X", help="Time of the first evaluation.  [default: t = 4]")
@named("--grid", lambda: names.GRIDS, "uniform, geometric, edm or two-stage.", default="geometric", show_default=True)
@click.option("--grid-steps", metavar="N", default="50", show_default=True, help="Steps of the grid; the times are added.")
@named("--teacher", lambda: names.LINEAR_TEACHERS, "exponential-integrator or ddim.", default="ddim", show_default=True)
@choice("--student", ("distilled", "exact"), "The teacher run down to delta, or the exact consistency function.")
@choice("--start", names.STARTS, "N(0, I) or N(0, s_T^2 I).")
@choice("--clock", names.CLOCKS, "With ve, --delta, -T and --times are noise levels, and W2 and samples in VE units.")
@choice("--to", names.TARGETS, "Distance to which law.")
@click.option(
    "--eps-sc", metavar="E", default="0", show_default=True, help="Size of a constant error of the teacher's score (OU units)."
)
@click.option("--eps-cm", metavar="E", default="0", show_default=True, help="Drift of the student per unit of time (OU units).")
@click.option(
    "--corrector",
    metavar="TEXT",
    shell_complete=completer(lambda: CORRECTOR_NAMES),
    help="smoothing:u=0.01, overdamped:step=0.01,steps=10 or underdamped:friction=2,step=0.1,steps=10.",
)
@click.option("-n", "n", metavar="N", help="Number of samples.  [default: 10000, with --data 2000]")
@click.option("--seed", metavar="N", default="0", show_default=True, help="Seed of everything random.")
@named("--profile", lambda: ("auto", *names.PROFILES), "Regularity profile of the bound.", default="auto", show_default=True)
@click.option("--workers", metavar="N", default="1", show_default=True, help="Threads of the sampler.")
@click.option("--save", metavar="FILE", type=OutputFile(), help="Write samples, truth, times, W2 and bounds to an .npz file.")
@click.option("--plot", metavar="FILE", type=FIGURE, help="Draw samples and errors (.png, .pdf or .svg).")
@report_options
def simulate_command(
    law: dict[str, str | None],
    times: str | None,
    save: str | None,
    plot: str | None,
    profile: str,
    form: str,
    output: str,
    **options: Any,
) -> None:
    """Run the sampler on a law whose truth is known, and set measured W2 beside the bound.

    With --world gaussian every number is exact. With --data W2 is estimated from samples and the bound is that of measured
    constants. Exit status 1 if measured W2 is above the bound.

    \b
    cmbound simulate --world gaussian --cov 1,0.25 --steps 2 --plot run.pdf
    cmbound simulate --data points.csv --times 0.8,0.3 --corrector smoothing:u=0.01
    """
    from cmbound.verification.request import Run
    from cmbound.verification.simulation import simulate

    world = build_world(**law)
    run = Run(world, times=None if times is None else times.split(","), **options)
    atoms = f", {counted(len(world.means), 'data point')}" if law["data"] is not None else ""
    title = (
        f"simulating {counted(run.n, 'sample')} in {counted(world.d, 'dimension')}{atoms}, "
        f"{counted(len(run.nodes) - 1, 'step')} of the grid, {counted(len(run.indices) + 1, 'evaluation')}"
    )
    with progress_bar(title, None, long=run.operations > LONG) as advance:
        result = simulate(run, profile=profile, progress=advance)
    others: list[tuple[str | bytes, str]] = []
    if save is not None:
        others.append((arrays_bytes(result), save))
    if plot is not None:
        from cmbound.papers.figures.runs import simulation_figure

        others.append((figure_bytes(simulation_figure(result), plot), plot))
    emit(result.report(), form, output, *others)
    if result.violations:
        raise SystemExit(1)
