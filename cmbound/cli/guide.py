"""``cmbound guide``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec

import click

from cmbound.cli.files import write
from cmbound.cli.options import Command, completer
from cmbound.errors import InputError


def _names() -> Sequence[str]:
    from cmbound.guide import topics

    return [x.name for x in topics()]


@click.command("guide", cls=Command, short_help="The manual: its topics, a page of it, or all as a web site.")
@click.argument("topic", required=False, shell_complete=completer(_names))
@click.option("--html", metavar="DIR", type=click.Path(), help="Write the whole manual and the API reference as web pages.")
def guide_command(topic: str | None, html: str | None) -> None:
    """The manual. Without TOPIC its topics (the beginning of a name is enough); a page is laid out in a terminal, and plain
    Markdown in a pipe. --html takes a new or empty directory, or one that holds the manual.

    \b
    cmbound guide
    cmbound guide tutorial
    cmbound guide --html site        # site/index.html opens without a network (API reference: extra docs)
    """
    from cmbound.guide import topic as find, topics
    from cmbound.reports.page import Page, markdown, shown

    if html is not None:
        from cmbound.papers.site import write_site

        if topic is not None:
            raise InputError(f"--html writes every topic: leave {topic} away")
        write(f"{write_site(html)}\n", "-")
        if find_spec("pdoc") is None:
            click.echo("cmbound: note: without the API reference, which pdoc makes (extra docs)", err=True)
    elif topic is not None:
        text = find(topic).text
        write(markdown(text) if sys.stdout.isatty() else shown(text), "-")
    else:
        page = Page()
        page.grid(("topic", "what it is about"), "ll", [(x.name, x.title) for x in topics()])
        page.line()
        page.line("cmbound guide TOPIC shows one; cmbound guide --html DIR writes all as web pages, with the API reference.")
        write(f"{page}\n", "-")
