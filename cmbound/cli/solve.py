"""``cmbound solve``."""

from __future__ import annotations

from typing import Any

import click

from cmbound.cli.files import emit
from cmbound.cli.measuring import effort, measuring_options, takes, with_data
from cmbound.cli.options import Command, completer, id_argument, parse_pairs, refuse, report_options, setting_options
from cmbound.cli.progress import at_work

UNKNOWNS = ("h", "N", "eps_sc", "eps_cm", "T", "delta", "k", "L_f", "u", "eta")


@click.command("solve", cls=Command, short_help="What a target error needs.")
@id_argument
@click.option("--target", required=True, metavar="EPS", help="What the bound may be at most.")
@setting_options()
@measuring_options()
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
@report_options
def solve_command(
    id: str,
    target: str,
    given: dict[str, Any],
    measuring: dict[str, Any],
    fix: tuple[str, ...],
    split: str | None,
    unknown: str | None,
    form: str,
    output: str,
) -> None:
    """What the statement ID needs for a bound of at most EPS.

    Early-stopping time, horizon, step and errors are chosen so that every named term stays within its share of EPS, and the
    answer is rounded to the safe side and certified. A preset gives the constants; with --for also everything else.

    \b
    cmbound solve explicit-one-step --target 0.1 -p L_f=1.05 -p d=2 -p m2=1.2
    cmbound solve explicit-one-step --target 0.1 --preset gaussian-2d --fix eps_sc=1e-3 --split optimal
    cmbound solve explicit-one-step --target 0.1 --preset gaussian-2d --for h
    """
    from cmbound.planning.budget import solve

    fixed = parse_pairs(fix)
    refuse(given, target="--target", split="--split", unknown="--for", fix="--fix", id="--id")
    with_data(given, measuring, takes(id))
    with at_work(f"solving {id}", given, times=20 * effort(given)):
        result = solve(id, target=target, fix=fixed, split=split, unknown=unknown, **given)
    emit(result.report(), form, output)
