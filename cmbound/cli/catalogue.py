"""``cmbound list``, ``cmbound show`` and ``cmbound cite``."""

from __future__ import annotations

from typing import Any

import click

from cmbound.cli import options
from cmbound.cli.files import emit, write
from cmbound.errors import InputError


@click.command("list", cls=options.Command)
@click.option("--kind", type=click.Choice(["order", "explicit", "exact"]), help="Only statements of this kind.")
@options.report_options
def list_command(kind: str | None, form: str, output: str) -> None:
    """List the statements."""
    from cmbound.catalogue import listed
    from cmbound.evaluation.listing import listing_report

    emit(listing_report(x for x in listed() if kind in (None, x.kind)), form, output)


@click.command("show", cls=options.Command, short_help="Show one statement and its proof in short.")
@options.id_argument
@options.profile_option
@options.teacher_option
@options.to_option
@options.start_option
@options.clock_option
@options.report_options
def show_command(id: str, form: str, output: str, **given: Any) -> None:
    """Show the statement ID: terms, definitions, assumptions, source, derivation, what it rests on."""
    from cmbound.evaluation.statement import theorem

    emit(theorem(id).report(**{name: value for name, value in given.items() if value is not None}), form, output)


@click.command("cite", cls=options.Command, short_help="Print BibTeX.")
@options.ids_argument()
@click.option("--all", "whole", is_flag=True, help="Every entry of the bibliography.")
@options.output_option
def cite_command(ids: tuple[str, ...], whole: bool, output: str) -> None:
    """Print BibTeX: of cmbound and the source paper, or of where the statements ID come from (or of keys), each once."""
    from cmbound.catalogue.bibtex import entries

    if whole and ids:
        raise InputError(f"--all is every entry: leave {', '.join(ids)} away")
    keys = list(entries()) if whole else ["cmbound", "lyu2023"]
    if ids:
        from cmbound.evaluation.statement import theorem

        keys = list(dict.fromkeys(x if x in entries() else theorem(x).reference.key for x in ids))
    unknown = [x for x in keys if x not in entries()]
    if unknown:
        raise InputError(f"the bibliography has no entry {', '.join(map(repr, unknown))}")
    write("\n\n".join(entries()[key] for key in keys), output)
