"""``cmbound solve``."""

from __future__ import annotations

from typing import Any

import click

from cmbound.cli import CONTEXT
from cmbound.cli.common import at_work, completer, format_option, output_option, parameter_names, preset_names, theorem_ids, write
from cmbound.cli.evaluate import GRID_KINDS, PROFILE_NAMES, TEACHER_NAMES, parse_grid, parse_pairs, parse_params

UNKNOWNS = ("h", "N", "eps_sc", "eps_cm", "T", "delta", "k", "L_f", "u", "eta")


def read_given(pairs: tuple[str, ...], params: str | None, grid: str | None, options: dict[str, Any]) -> dict[str, Any]:
    """Parameters and options: -p overrides --params, which overrides --preset."""
    given: dict[str, Any] = {} if params is None else parse_params(params)
    given |= parse_pairs(pairs) | {name: value for name, value in options.items() if value is not None}
    if grid is not None or isinstance(given.get("grid"), str):
        given["grid"] = parse_grid(grid if grid is not None else given["grid"])
    return given


def statement_options(command: Any) -> Any:
    """The options that ``solve`` and ``schedule`` share with ``evaluate``."""
    choices = [
        click.option(
            "-p",
            "pairs",
            multiple=True,
            metavar="NAME=VALUE",
            shell_complete=completer(parameter_names),
            help="A parameter, exact (0.1, 1/3, 1e-3), or values for each step separated by commas. Repeatable.",
        ),
        click.option(
            "--params",
            metavar="FILE",
            type=click.Path(allow_dash=True),
            help="TOML or JSON table of parameters and options, - for standard input.",
        ),
        click.option("--preset", metavar="NAME", shell_complete=completer(preset_names), help="Start from a preset."),
        click.option(
            "--profile",
            metavar="NAME",
            shell_complete=completer(lambda: PROFILE_NAMES),
            help="Regularity profile.  [default: auto]",
        ),
        click.option(
            "--grid",
            metavar="KIND|FILE",
            shell_complete=completer(lambda: GRID_KINDS),
            help="uniform, two-stage, geometric, edm, or a file of increasing times.  [default: any grid with largest step h]",
        ),
        click.option(
            "--teacher",
            metavar="NAME",
            shell_complete=completer(lambda: TEACHER_NAMES),
            help="exponential-integrator (default) or ddim.",
        ),
        click.option("--to", type=click.Choice(["p_data", "p_delta"]), help="Distance to which law.  [default: p_data]"),
        click.option(
            "--start",
            type=click.Choice(["standard", "matched"]),
            help="Start from N(0, I) or N(0, s_T^2 I).  [default: standard]",
        ),
        click.option("--clock", type=click.Choice(["ou", "ve"]), help="Clock the constants are given in.  [default: ou]"),
    ]
    for choice in reversed(choices):
        command = choice(command)
    return command


@click.command("solve", context_settings=CONTEXT, short_help="What a target error needs.")
@click.argument("id", shell_complete=completer(theorem_ids))
@click.option("--target", required=True, metavar="EPS", help="What the bound may be at most.")
@statement_options
@click.option(
    "--fix",
    multiple=True,
    metavar="NAME=VALUE",
    help="Hold delta, T, h, N, eps_sc, eps_cm, k, t_hat, times, u, eta, gamma or tau_c fixed and solve the rest. Repeatable; "
    "-p does the same.",
)
@click.option(
    "--split",
    metavar="WEIGHTS|optimal",
    help="Shares of the terms: 0.2,0.3,..., early_stopping=0.3,..., or optimal: the fewest steps.  [default: equal]",
)
@click.option(
    "--for",
    "unknown",
    metavar="NAME",
    shell_complete=completer(lambda: UNKNOWNS),
    help=f"One unknown, everything else given: {', '.join(UNKNOWNS)}.",
)
@format_option("text", "json", "latex", "markdown", "csv")
@output_option
def solve_command(
    id: str,
    target: str,
    pairs: tuple[str, ...],
    params: str | None,
    fix: tuple[str, ...],
    split: str | None,
    unknown: str | None,
    grid: str | None,
    form: str,
    output: str,
    **options: Any,
) -> None:
    """What the statement ID needs for a bound of at most EPS.

    Early-stopping time, horizon, step and errors are chosen so that every named term stays within its share of EPS, and the
    answer is rounded to the safe side and certified. A preset gives the constants; with --for also everything else.

    \b
    cmbound solve explicit-one-step --target 0.1 -p L_f=1.05 -p d=2 -p m2=1.2
    cmbound solve explicit-one-step --target 0.1 --preset gaussian-2d --fix eps_sc=1e-3 --split optimal
    cmbound solve explicit-one-step --target 0.1 --preset gaussian-2d --for h
    """
    given = read_given(pairs, params, grid, options)
    fixed = parse_pairs(fix)
    from cmbound.planning.budget import solve

    for name in ("target", "split", "unknown", "fix", "id"):
        if name in given:
            from cmbound.errors import InputError

            raise InputError(f"{name} is no parameter; write --{'for' if name == 'unknown' else name}")
    with at_work(f"solving {id}", given, times=20):
        result = solve(id, target=target, fix=fixed, split=split, unknown=unknown, **given)
    if form == "json":
        from cmbound.output.data import to_json

        text = to_json(result.to_dict())
    else:
        from cmbound.output.planning import budget_document, budget_page

        text = budget_page(result) if form == "text" else budget_document(result, form)
    write(text, output)
