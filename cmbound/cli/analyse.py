"""``cmbound analyse``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cmbound import names
from cmbound.cli.files import emit
from cmbound.cli.options import Command, named, optional_id, pairs_option, parse_pairs, report_options, start_option, to_option
from cmbound.errors import InputError

if TYPE_CHECKING:
    from cmbound.reports.report import Report

_HELD = ("t_star", "tau", "k")  # parameters that may be given without a complete point


def parse_along(text: str) -> tuple[str, str, str]:
    """``NAME=LOW:HIGH``."""
    name, equals, ends = text.partition("=")
    low, colon, high = ends.partition(":")
    if not (equals and colon and name.strip() and low.strip() and high.strip()):
        raise InputError(f"--along {text!r} is not of the form NAME=LOW:HIGH")
    return name.strip(), low.strip(), high.strip()


@click.command("analyse", cls=Command, short_help="Orders, elasticities, dominating terms, corollaries.")
@optional_id
@named("--profile", lambda: names.PROFILES, "Regularity profile.  [default: universal-integrated]")
@to_option
@start_option
@pairs_option(help="A parameter of the point for elasticities and the dominating term. Repeatable.")
@click.option("--along", metavar="NAME=LOW:HIGH", help="Where the dominating term changes along this parameter.")
@click.option("--corollaries", is_flag=True, help="Check all corollaries (of the statement ID, if given).")
@report_options
def analyse_command(
    id: str | None, pairs: tuple[str, ...], along: str | None, corollaries: bool, form: str, output: str, **options: Any
) -> None:
    """How the statement ID scales: the leading order of every term in every parameter, decided symbolically.

    With -p for every parameter also elasticities and the dominating term; with --along where it changes.
    With --corollaries exit status 1 if one is refuted, 4 if one is undecided.

    \b
    cmbound analyse explicit-one-step --profile universal
    cmbound analyse --corollaries
    """
    chosen = {name: x for name, x in options.items() if x is not None}
    if corollaries:
        if chosen or pairs or along is not None:
            raise InputError("--corollaries takes no parameters and options: each corollary brings its own")
        _corollaries(id, form, output)
        return
    if id is None:
        raise InputError("give the id of a statement, or --corollaries")
    emit(_analysis(id, chosen, parse_pairs(pairs), along, form), form, output)


def _analysis(id: str, options: dict[str, Any], numbers: dict[str, str], along: str | None, form: str) -> Report:
    from cmbound.analysis.orders import orders
    from cmbound.analysis.records import analysis_report
    from cmbound.analysis.sensitivity import dominance, dominating, elasticities
    from cmbound.evaluation.statement import theorem

    statement = theorem(id)
    track = None
    if along is not None:
        name, low, high = parse_along(along)
        track = dominance(statement, name, low, high, **numbers, **options)
    held = {name: x for name, x in numbers.items() if name in _HELD}
    whole = along is None and held != numbers
    found = orders(statement, **numbers, **options)
    slopes = None  # symbolic ones only where they are printed
    if whole or form == "json":
        slopes = elasticities(statement, **(numbers if whole else {x: y for x, y in held.items() if x != "k"}), **options)
    largest = dominating(statement, **numbers, **options) if whole else None
    return analysis_report(found, slopes, largest, track)


def _corollaries(id: str | None, form: str, output: str) -> None:
    from cmbound.analysis.corollaries import check_corollary, corollaries, corollaries_report
    from cmbound.evaluation.statement import theorem

    wanted = [x for x in corollaries() if id is None or x.statement == theorem(id).id]
    if not wanted:
        raise InputError(f"no corollary of {id} is recorded")
    verdicts = [check_corollary(x) for x in wanted]
    emit(corollaries_report(verdicts), form, output)
    status = {x.status for x in verdicts}
    if status != {"proved"}:
        raise SystemExit(1 if "refuted" in status else 4)
