"""``cmbound analyse``."""

from __future__ import annotations

from typing import Any

import click

from cmbound.cli import CONTEXT
from cmbound.cli.common import completer, format_option, output_option, parameter_names, theorem_ids, write
from cmbound.cli.evaluate import PROFILE_NAMES, parse_pairs
from cmbound.errors import InputError

_HELD = ("t_star", "tau", "k")
"""Parameters that may be given without a complete point."""


def parse_along(text: str) -> tuple[str, str, str]:
    """``NAME=LOW:HIGH``."""
    name, equals, ends = text.partition("=")
    low, colon, high = ends.partition(":")
    if not (equals and colon and name.strip() and low.strip() and high.strip()):
        raise InputError(f"--along {text!r} is not of the form NAME=LOW:HIGH")
    return name.strip(), low.strip(), high.strip()


@click.command("analyse", context_settings=CONTEXT, short_help="Orders, elasticities, dominating terms, corollaries.")
@click.argument("id", required=False, shell_complete=completer(theorem_ids))
@click.option(
    "--profile",
    metavar="NAME",
    shell_complete=completer(lambda: PROFILE_NAMES[1:]),
    help="Regularity profile.  [default: universal-integrated]",
)
@click.option("--to", type=click.Choice(["p_data", "p_delta"]), help="Distance to which law.")
@click.option("--start", type=click.Choice(["standard", "matched"]), help="Law sampling starts from.")
@click.option(
    "-p",
    "pairs",
    multiple=True,
    metavar="NAME=VALUE",
    shell_complete=completer(parameter_names),
    help="A parameter of the point for elasticities and the dominating term. Repeatable.",
)
@click.option("--along", metavar="NAME=LOW:HIGH", help="Where the dominating term changes along this parameter.")
@click.option("--corollaries", is_flag=True, help="Check all corollaries (of the statement ID, if given).")
@format_option("text", "json", "latex", "markdown", "csv")
@output_option
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
    write(_analysis(id, chosen, parse_pairs(pairs), along, form), output)


def _analysis(id: str, options: dict[str, Any], numbers: dict[str, str], along: str | None, form: str) -> str:
    from cmbound.analysis.orders import orders
    from cmbound.analysis.sensitivity import dominance, dominating, elasticities
    from cmbound.catalogue import theorem
    from cmbound.output.analysis import analysis_data, analysis_document, analysis_page

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
    if form == "json":
        from cmbound.output.data import to_json

        return to_json(analysis_data(found, slopes, largest, track))
    if form == "text":
        return analysis_page(found, slopes, largest, track)
    return analysis_document(found, slopes, largest, track, form)


def _corollaries(id: str | None, form: str, output: str) -> None:
    from cmbound.analysis.corollaries import check_corollary, corollaries
    from cmbound.catalogue import theorem
    from cmbound.output.analysis import corollaries_page, corollaries_table, verdict_data

    wanted = [x for x in corollaries() if id is None or x.statement == theorem(id).id]
    if not wanted:
        raise InputError(f"no corollary of {id} is recorded")
    verdicts = [check_corollary(x) for x in wanted]
    if form == "json":
        from cmbound.output.data import to_json

        text = to_json([verdict_data(x) for x in verdicts])
    else:
        text = corollaries_page(verdicts) if form == "text" else corollaries_table(verdicts).render(form)
    write(text, output)
    status = {x.status for x in verdicts}
    if status != {"proved"}:
        raise SystemExit(1 if "refuted" in status else 4)
