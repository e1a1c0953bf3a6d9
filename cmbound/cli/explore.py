"""``cmbound explore``."""

from __future__ import annotations

from typing import Any

import click

from cmbound.catalogue import MAIN
from cmbound.cli.files import OutputFile, write
from cmbound.cli.options import DEFINED, Command, optional_id, setting_options
from cmbound.cli.progress import at_work


@click.command("explore", cls=Command, short_help="A page with sliders for a statement.")
@optional_id
@setting_options(help="A parameter: exact decimal (0.1), fraction (1/3) or 1e-3. Repeatable.")
@click.option(
    "-o", "--output", metavar="FILE", type=OutputFile(), default="-", help="Write the page to FILE; - is standard output."
)
@click.pass_context
def explore_command(ctx: click.Context, id: str | None, given: dict[str, Any], output: str) -> None:
    """A page for the statement ID (default explicit-one-step) that computes in the browser: one file, no network.

    It has a slider for every parameter, the terms as bars and against a parameter, the formula with its largest term marked, two
    settings side by side, and what it shows as a link, a command line, Python and LaTeX. Its numbers are float64. It starts where
    the options say; what they leave out is that of the preset gaussian-2d.

    \b
    cmbound explore explicit-one-step -o page.html
    cmbound explore explicit-multistep --preset digits -o digits.html
    cmbound explore my-bound --define mine.py -o mine.html
    """
    from cmbound.papers.explorer.explorer import explore

    with at_work(f"making a page for {id or MAIN}", given):
        page = explore(id or MAIN, define=ctx.meta.get(DEFINED, ()), **given)
    write(page.html + "\n", output)
