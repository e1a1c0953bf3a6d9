"""``cmbound compare``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any

import click

from cmbound.catalogue import PAIR
from cmbound.cli import options
from cmbound.cli.files import emit, figure_bytes
from cmbound.cli.laws import build_world, law_options
from cmbound.cli.measuring import effort, measuring_options, with_data
from cmbound.cli.progress import at_work, range_size
from cmbound.errors import InputError
from cmbound.numbers import counted

if TYPE_CHECKING:
    from cmbound.comparison.records import Comparison

LONG_DATA = 2000
"""Numbers in a data set from which on a run on its law takes longer."""


def parse_sweep(texts: tuple[str, ...]) -> list[dict[str, str]]:
    """One or two ``NAME=LOW:HIGH:log|linear:COUNT``."""
    if len(texts) > 2:
        raise InputError(f"--sweep is given {len(texts)} times; one or two parameters can vary")
    return [dict([options.split_pair("--sweep", x, "NAME=LOW:HIGH:log|linear:COUNT")]) for x in texts]


@click.command("compare", cls=options.Command, short_help="All statements at one point: which applies, which is best.")
@options.setting_options()
@click.option("--metric", metavar="NAME", help="Only statements in this metric (W2, TV, KL, ...).")
@click.option(
    "--statement",
    "statements",
    multiple=True,
    metavar="ID",
    shell_complete=options.completer(options.theorem_ids),
    help=f"Only this statement. Repeatable.  [default: all; with --sweep {' and '.join(PAIR)}]",
)
@options.define_option
@click.option("--assume", multiple=True, metavar="ID", help="Another reading of a constant that holds too, such as A4-exact.")
@law_options("A data set, one point a row (.npy, .npz or .csv): its constants; with --world atoms, the law of a run.")
@measuring_options(data=False)
@click.option(
    "--sweep",
    multiple=True,
    metavar="NAME=RANGE",
    help="Where the best statement changes along LOW:HIGH:log|linear:COUNT. Twice at most.",
)
@click.option("--plot", metavar="FILE", type=options.FIGURE, help="Draw the phase diagram of two --sweep (.png, .pdf or .svg).")
@click.option("--complexity", is_flag=True, help="Numbers of steps for accuracy eps, with exponents and verdicts, instead.")
@options.tier_option
@options.digits_option
@options.report_options
def compare_command(
    given: dict[str, Any],
    metric: str | None,
    statements: tuple[str, ...],
    assume: tuple[str, ...],
    law: dict[str, str | None],
    measuring: dict[str, Any],
    sweep: tuple[str, ...],
    plot: str | None,
    complexity: bool,
    tier: str,
    digits: int | None,
    form: str,
    output: str,
) -> None:
    """Evaluate every statement that applies, say of the others why they do not, and rank the bounds metric by metric.

    Order forms are shown apart, with C = 1, and ranked only where -p C=... is given; what is not confirmed never wins.
    With --data the constants of the data are filled in (and with --profile measured the local errors of the teacher's steps on
    the grid). With --world a sampler is run on the law, and the constants of its teacher and student are measured too: -p delta,
    T, N, k, times, eps_sc and eps_cm shape the run.

    \b
    cmbound compare --preset gaussian-2d -p k=2 -p t_hat=1
    cmbound compare --data train.npy -p T=5 -p delta=1e-3 -p h=0.01 -p L_f=2 -p eps_sc=0.01 -p eps_cm=0.01
    cmbound compare --world gaussian --cov 1,0.25 -p k=2
    cmbound compare --preset gaussian-2d -p R=3 -p k=2 -p t_hat=1 \\
        --sweep L_f=1:20:log:40 --sweep eps_cm=1e-4:1:log:40
    cmbound compare --complexity
    """
    options.refuse(given, statements="--statement", metric="--metric", world="--world", assume="--assume", tier="--tier")
    if digits is not None:
        given["digits"] = digits
    lawful = any(law[x] is not None for x in ("world", "mean", "cov"))
    data = None if lawful else law["data"]
    if complexity:
        if given or lawful or data or sweep or plot or statements or metric or assume:
            raise InputError("--complexity takes no parameters: it compares numbers of steps, not bounds")
        from cmbound.comparison.complexity import complexities_report

        emit(complexities_report(), form, output)
        return
    if plot is not None and not sweep:
        raise InputError("--plot draws the phase diagram of two --sweep")
    own, flag = set(given), "no --world but --data" if lawful else "--data"
    described = with_data(given, {**measuring, "measured_on": data}, lambda name, measured: True, flag)
    if sweep:
        if lawful or metric is not None or tier != "certified" or "digits" in given:
            raise InputError("--sweep is float64 at given parameters: it takes no --world, --metric, --tier and --digits")
        _phase(parse_sweep(sweep), statements, assume, given, plot, form, output)
        return
    what, size = "comparing statements", 1.0
    asked: dict[str, Any] = {"statements": statements or None, "metric": metric, "assume": assume, "tier": tier}
    if lawful:
        from cmbound.verification.measured import compare as measured

        world = build_world(**law)
        compare: Callable[..., Comparison] = partial(measured, world=world)
        atoms = counted(len(world.means), "data point") if law["data"] is not None else ""
        what = f"{what} on a law in {counted(world.d, 'dimension')}{', ' * bool(atoms)}{atoms}"
        size = max(1.0, len(world.means) * world.d / LONG_DATA) if atoms else 1.0
    else:  # nothing is measured: no world, no sampler and no distance has to be loaded
        from cmbound.comparison.compare import compare
    with at_work(what, given, times=10 * effort(given) * size):
        result = compare(**asked, **given)
    if described:
        filled = tuple(x for x in result.parameters if x in set(given) - own)
        result = replace(result, measured=filled, notes=(f"the measured constants are those of {described}", *result.notes))
    emit(result.report(), form, output)


def _phase(
    axes: list[dict[str, str]],
    statements: tuple[str, ...],
    assume: tuple[str, ...],
    given: dict[str, Any],
    plot: str | None,
    form: str,
    output: str,
) -> None:
    from cmbound.comparison.phase import phase

    if plot is not None and len(axes) != 2:
        raise InputError("a phase diagram is drawn over two parameters: give --sweep twice")
    points = prod(range_size(x) for axis in axes for x in axis.values())
    with at_work(f"comparing statements at {counted(points, 'point')}", given, times=points / 1000):
        result = phase(statements or None, *axes, assume=assume or None, **given)
    figures = []
    if plot is not None:
        from cmbound.papers.figures.phase import phase_figure

        figures.append((figure_bytes(phase_figure(result), plot), plot))
    emit(result.report(), form, output, *figures)
