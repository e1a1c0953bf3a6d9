"""The command line. Modules here parse and print, nothing else; heavy imports wait until a command runs.

Exit status: 0 fine, 1 a check failed, 2 usage, 3 assumption violated or input outside its domain, 4 undecided at the
allowed precision, 130 interrupted, 141 the reader of the output went away (a closed pipe).
"""

from __future__ import annotations

import importlib
import os
import re
import sys
from typing import NoReturn

import click

from cmbound import __version__
from cmbound.cli.streams import INTERRUPTED, PATIENCE, PIPE_CLOSED, announced, complain, standard_streams
from cmbound.errors import CmboundError, UnknownNameError

_COMMANDS = {
    "guide": "guide",
    **dict.fromkeys(("list", "show", "cite"), "catalogue"),
    **{
        x: x
        for x in (
            "evaluate",
            "check",
            "simulate",
            "certify",
            "convert",
            "grid",
            "sweep",
            "analyse",
            "solve",
            "schedule",
            "compare",
            "table",
            "plot",
            "explore",
        )
    },
    **dict.fromkeys(("profiles", "presets"), "presets"),
    "completion": "completion",
}
"""The commands in their order, each with the module it is in."""


class Group(click.Group):
    """Offers the nearest command for one that does not exist."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        known = self.list_commands(ctx)
        if args and not args[0].startswith("-") and args[0] not in known:
            raise click.UsageError(str(UnknownNameError("command", args[0], known)), ctx)
        return super().resolve_command(ctx, args)


class _Lazy(Group):
    """Imports a command's module when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"cmbound.cli.{_COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="cmbound")
def cli() -> None:
    """Convergence guarantees of consistency models: exact statements, certified numbers.

    Exit status: 0 fine, 1 a check failed, 2 usage, 3 assumption violated or input outside its domain,
    4 undecided at the allowed precision, 130 interrupted, 141 closed pipe.
    """


def main() -> NoReturn:
    """Entry point: every expected failure becomes one line on stderr and the documented exit status."""
    with standard_streams():
        status = _status(sys.argv[1:])
    raise SystemExit(status)


def _status(arguments: list[str]) -> int:
    """The exit status of a command, once it has run and said what went wrong."""
    try:
        status = _run(arguments)
        sys.stdout.flush()
        return status
    except CmboundError as error:
        complain(str(error))
        return error.exit_status
    except click.exceptions.NoArgsIsHelpError as error:
        sys.stderr.write(error.format_message() + "\n")
        return 2
    except click.ClickException as error:
        complain(_unexpected(error) or error.format_message() + _options(error))
        return 2
    except (click.Abort, KeyboardInterrupt):
        complain("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        return PIPE_CLOSED
    except OSError as error:
        complain(f"the operating system says: {error}")
        return 2
    except MemoryError:
        complain("this needs more memory than there is: ask for fewer points, steps or dimensions")
        return 3
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0


def _run(arguments: list[str]) -> int:
    """Run a command; its exit status. Not by ``cli.main``, which writes a line of its own when it is interrupted."""
    if "_CMBOUND_COMPLETE" in os.environ:
        cli.main(arguments, prog_name="cmbound", complete_var="_CMBOUND_COMPLETE")
    try:
        with announced(f"computing: {' '.join(arguments)[:200]}", PATIENCE), cli.make_context("cmbound", arguments) as context:
            cli.invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code
    return 0


def _unexpected(error: click.ClickException) -> str:
    """What is said of an argument too many (empty: it is another mistake)."""
    found = re.fullmatch(r"Got unexpected extra arguments? \((.*)\)", error.format_message())
    if found is None or not isinstance(error, click.UsageError) or error.ctx is None:
        return ""
    usage = " ".join([error.ctx.command_path, *error.ctx.command.collect_usage_pieces(error.ctx)])
    return f"unexpected argument {found[1]}: the usage is {usage}"


def _options(error: click.ClickException) -> str:
    """The options of a command, if one is unknown that is like none of them."""
    if not isinstance(error, click.NoSuchOption) or error.possibilities or error.ctx is None:
        return ""
    known = [max(x.opts, key=len) for x in error.ctx.command.get_params(error.ctx) if isinstance(x, click.Option)]
    return f" Known: {', '.join(known)}"
