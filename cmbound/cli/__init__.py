"""The command line. Modules here parse and print, nothing else; heavy imports wait until a command runs.

Exit status: 0 fine, 1 a check failed, 2 usage, 3 assumption violated or input outside its domain, 4 undecided at the
allowed precision, 130 interrupted, 141 the reader of the output went away (a closed pipe).
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from typing import NoReturn

import click

from cmbound import __version__
from cmbound.errors import CmboundError
from cmbound.frozen import FrozenDict

PIPE_CLOSED = 141

_COMMANDS = {
    "list": "catalogue",
    "show": "catalogue",
    "cite": "catalogue",
    "evaluate": "evaluate",
    "check": "check",
    "simulate": "simulate",
    "sweep": "sweep",
    "analyse": "analyse",
    "solve": "solve",
    "schedule": "schedule",
    "compare": "compare",
    "table": "table",
    "plot": "plot",
    "profiles": "presets",
    "presets": "presets",
    "completion": "completion",
}
CONTEXT = FrozenDict({"help_option_names": ["-h", "--help"], "max_content_width": 110})


class _Lazy(click.Group):
    """Imports a command's module when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"cmbound.cli.{_COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        from cmbound.errors import UnknownNameError

        if args and not args[0].startswith("-") and args[0] not in _COMMANDS:
            raise click.UsageError(str(UnknownNameError("command", args[0], _COMMANDS)), ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=_Lazy, context_settings=CONTEXT)
@click.version_option(__version__, prog_name="cmbound")
def cli() -> None:
    """Convergence guarantees of consistency models: exact statements, certified numbers.

    Exit status: 0 fine, 1 a check failed, 2 usage, 3 assumption violated or input outside its domain,
    4 undecided at the allowed precision, 130 interrupted, 141 closed pipe.
    """


def _fail(message: str, status: int) -> NoReturn:
    line = " ".join(message.split())
    if sys.stderr is not None:
        sys.stderr.write(f"cmbound: error: {line}\n")
    _drop_output()
    raise SystemExit(status)


def _drop_output() -> None:
    """What is left in the buffer of standard output goes nowhere, so that closing it at exit cannot fail again."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stdout.flush()
        return
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main() -> NoReturn:
    """Entry point: every expected failure becomes one line on stderr and the documented exit status."""
    status: object = 0
    stream = sys.stdout
    try:
        status = cli.main(prog_name="cmbound", standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
    except CmboundError as error:
        _fail(str(error), error.exit_status)
    except click.exceptions.NoArgsIsHelpError as error:
        sys.stderr.write(error.format_message() + "\n")
        raise SystemExit(2) from None
    except click.ClickException as error:
        _fail(error.format_message(), 2)
    except click.Abort:
        _fail("interrupted", 130)
    except SystemExit:
        if sys.stdout is not stream:  # click wraps the stream and ends with status 1 when the reader has gone
            _drop_output()
            raise SystemExit(PIPE_CLOSED) from None
        raise
    except BrokenPipeError:
        _drop_output()
        raise SystemExit(PIPE_CLOSED) from None
    except OSError as error:
        _fail(f"cannot write to standard output: {error.strerror}", 2)
    raise SystemExit(status if isinstance(status, int) else 0)
