"""``cmbound completion``."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from cmbound.cli import cli


@click.command("completion", short_help="Print a shell completion script.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion_command(shell: str) -> None:
    """Print the completion script of a shell: eval "$(cmbound completion bash)"."""
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(cli, {}, "cmbound", "_CMBOUND_COMPLETE").source())
