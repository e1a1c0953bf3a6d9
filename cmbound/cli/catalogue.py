"""``cmbound list``, ``cmbound show`` and ``cmbound cite``."""

from __future__ import annotations

from typing import Any

import click

from cmbound.cli import CONTEXT
from cmbound.cli.common import completer, format_option, output_option, theorem_ids, write
from cmbound.cli.evaluate import PROFILE_NAMES, TEACHER_NAMES


@click.command("list", context_settings=CONTEXT)
@click.option("--kind", type=click.Choice(["order", "explicit", "exact"]), help="Only statements of this kind.")
@format_option("text", "json", "latex", "markdown", "csv")
@output_option
def list_command(kind: str | None, form: str, output: str) -> None:
    """List the statements."""
    from cmbound.catalogue import catalogue
    from cmbound.output.data import listing, to_json
    from cmbound.output.text import list_page
    from cmbound.reports.table import Cell, Table

    rows = listing([x for x in catalogue if kind in (None, x.kind)])
    if form == "json":
        text = to_json(rows)
    elif form == "text":
        text = list_page(rows)
    else:
        names = ("id", "kind", "status", "metric", "title", "reference")
        text = Table(names, tuple(tuple(Cell(row[name]) for name in names) for row in rows), "l" * len(names)).render(form)
    write(text, output)


@click.command("show", context_settings=CONTEXT, short_help="Show one statement and its proof in short.")
@click.argument("id", shell_complete=completer(theorem_ids))
@click.option(
    "--profile",
    metavar="NAME",
    shell_complete=completer(lambda: PROFILE_NAMES),
    help="Write out the local teacher errors with this profile.",
)
@click.option(
    "--teacher", metavar="NAME", shell_complete=completer(lambda: TEACHER_NAMES), help="exponential-integrator (default) or ddim."
)
@click.option("--to", type=click.Choice(["p_data", "p_delta"]), help="Distance to which law.")
@click.option("--start", type=click.Choice(["standard", "matched"]), help="Law sampling starts from.")
@click.option("--clock", type=click.Choice(["ou", "ve"]), help="Clock of the statement.")
@format_option("text", "json", "latex", "markdown", "csv")
@output_option
def show_command(id: str, form: str, output: str, **options: Any) -> None:
    """Show the statement ID: terms, definitions, assumptions, source, derivation, what it rests on."""
    from cmbound.catalogue import theorem
    from cmbound.output.data import theorem_data, to_json
    from cmbound.output.tables import statement_document
    from cmbound.output.text import show_page

    data = theorem_data(theorem(id), **{name: value for name, value in options.items() if value is not None})
    if form == "json":
        text = to_json(data)
    elif form == "text":
        text = show_page(data)
    else:
        text = statement_document(data, form)
    write(text, output)


@click.command("cite", context_settings=CONTEXT, short_help="Print BibTeX.")
@click.argument("id", required=False, shell_complete=completer(theorem_ids))
@output_option
def cite_command(id: str | None, output: str) -> None:
    """Print BibTeX: of cmbound and the source paper, or of where the statement ID comes from (or of a key)."""
    from cmbound.output.bibtex import entries

    keys = ["cmbound", "lyu2023"]
    if id is not None:
        from cmbound.catalogue import theorem

        keys = [id if id in entries() else theorem(id).reference.key]
    write("\n\n".join(entries()[key] for key in keys), output)
