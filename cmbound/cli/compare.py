"""``cmbound compare``."""

from __future__ import annotations

from math import prod
from typing import Any

import click

from cmbound.cli import CONTEXT
from cmbound.cli.common import (
    FIGURE,
    at_work,
    completer,
    figure_bytes,
    format_option,
    output_option,
    range_size,
    theorem_ids,
    write,
    write_all,
)
from cmbound.cli.simulate import build_world
from cmbound.cli.solve import read_given, statement_options
from cmbound.errors import InputError


def parse_sweep(texts: tuple[str, ...]) -> list[dict[str, str]]:
    """One or two ``NAME=LOW:HIGH:log|linear:COUNT``."""
    if len(texts) > 2:
        raise InputError(f"--sweep is given {len(texts)} times; one or two parameters can vary")
    found = []
    for text in texts:
        name, equals, values = text.partition("=")
        if not equals or not name.strip() or not values.strip():
            raise InputError(f"--sweep {text!r} is not of the form NAME=LOW:HIGH:log|linear:COUNT")
        found.append({name.strip(): values.strip()})
    return found


@click.command("compare", context_settings=CONTEXT, short_help="All statements at one point: which applies, which is best.")
@statement_options
@click.option("--metric", metavar="NAME", help="Only statements in this metric (W2, TV, KL, ...).")
@click.option(
    "--statement",
    "statements",
    multiple=True,
    metavar="ID",
    shell_complete=completer(theorem_ids),
    help="Only this statement. Repeatable.  [default: all; with --sweep explicit-multistep and chen2025-multistep]",
)
@click.option("--assume", multiple=True, metavar="ID", help="Another reading of a constant that holds too, such as A4-exact.")
@click.option("--world", type=click.Choice(["gaussian"]), help="Measure the constants on a Gaussian law (--cov, --mean).")
@click.option("--mean", metavar="NUMBERS", help='Mean, for instance "0,1".  [default: 0]')
@click.option("--cov", metavar="NUMBERS|FILE", help='Variances "1,0.25", rows "1,0.3;0.3,2", or a .npy or .csv file of rows.')
@click.option("--data", metavar="FILE", help="Measure the constants on a data set, one point a row (.npy or .csv).")
@click.option(
    "--sweep",
    multiple=True,
    metavar="NAME=RANGE",
    help="Where the best statement changes along LOW:HIGH:log|linear:COUNT. Twice at most.",
)
@click.option("--plot", metavar="FILE", type=FIGURE, help="Draw the phase diagram of two --sweep (.png, .pdf or .svg).")
@click.option("--complexity", is_flag=True, help="Numbers of steps for accuracy eps, with exponents and verdicts, instead.")
@click.option(
    "--tier", type=click.Choice(["certified", "approximate"]), default="certified", show_default=True, help="Arithmetic."
)
@click.option("--digits", type=int, help="Relative accuracy of the enclosures, in digits.  [default: 15]")
@format_option("text", "json", "latex", "markdown", "csv")
@output_option
def compare_command(
    pairs: tuple[str, ...],
    params: str | None,
    grid: str | None,
    metric: str | None,
    statements: tuple[str, ...],
    assume: tuple[str, ...],
    world: str | None,
    mean: str | None,
    cov: str | None,
    data: str | None,
    sweep: tuple[str, ...],
    plot: str | None,
    complexity: bool,
    tier: str,
    form: str,
    output: str,
    **options: Any,
) -> None:
    """Evaluate every statement that applies, say of the others why they do not, and rank the bounds metric by metric.

    Order forms are shown apart, with C = 1, and ranked only where -p C=... is given; what is not confirmed never wins.
    With --world or --data the constants are measured: -p delta, T, N, k, times, eps_sc and eps_cm shape the run.

    \b
    cmbound compare --preset gaussian-2d -p k=2 -p t_hat=1
    cmbound compare --world gaussian --cov 1,0.25 -p k=2
    cmbound compare --preset gaussian-2d -p R=3 -p k=2 -p t_hat=1 \\
        --sweep L_f=1:20:log:40 --sweep eps_cm=1e-4:1:log:40
    cmbound compare --complexity
    """
    given = read_given(pairs, params, grid, options)
    lawful = (world, mean, cov, data) != (None, None, None, None)
    if complexity:
        if given or lawful or sweep or plot or statements or metric or assume:
            raise InputError("--complexity takes no parameters: it compares numbers of steps, not bounds")
        write(_complexity(form), output)
        return
    if plot is not None and not sweep:
        raise InputError("--plot draws the phase diagram of two --sweep")
    if sweep:
        if lawful or metric is not None or tier != "certified" or "digits" in given:
            raise InputError("--sweep is float64 at given parameters: it takes no --world, --data, --metric, --tier and --digits")
        _phase(parse_sweep(sweep), statements, assume, given, plot, form, output)
        return
    from cmbound.comparison.comparison import compare

    law = build_world(world, mean, cov, data) if lawful else None
    what = "comparing statements" + ("" if law is None else f" on a law in {law.d} dimensions")
    with at_work(what, given, times=10):
        result = compare(statements=statements or None, metric=metric, world=law, assume=assume, tier=tier, **_own(given))
    if form == "json":
        from cmbound.output.data import to_json

        text = to_json(result.to_dict())
    else:
        from cmbound.output.comparison import comparison_document, comparison_page

        text = comparison_page(result) if form == "text" else comparison_document(result, form)
    write(text, output)


def _own(given: dict[str, Any]) -> dict[str, Any]:
    """Parameters from a file must not be mistaken for arguments of the function."""
    for name in ("statements", "metric", "world", "assume", "tier"):
        if name in given:
            raise InputError(f"{name} is no parameter; write --{name.removesuffix('s')}")
    return given


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
    from cmbound.output.phase import phase_document, phase_page

    if plot is not None and len(axes) != 2:
        raise InputError("a phase diagram is drawn over two parameters: give --sweep twice")
    points = prod(range_size(x) for axis in axes for x in axis.values())
    with at_work(f"comparing statements at {points} points", given, times=points / 1000):
        result = phase(statements or None, *axes, assume=assume or None, **_own(given))
    if form == "json":
        from cmbound.output.data import to_json

        text = to_json(result.to_dict())
    else:
        text = phase_page(result) if form == "text" else phase_document(result, form)
    if plot is None:
        write(text, output)
        return
    from cmbound.papers.figures.phase import phase_figure

    write_all((figure_bytes(phase_figure(result), plot), plot), (text, output))


def _complexity(form: str) -> str:
    from cmbound.comparison.complexity import complexities, verdicts
    from cmbound.output.complexity import complexities_data, complexity_document, complexity_page

    rows = complexities()
    found = verdicts(rows)
    if form == "json":
        from cmbound.output.data import to_json

        return to_json(complexities_data(rows, found))
    return complexity_page(rows, found) if form == "text" else complexity_document(rows, found, form)
