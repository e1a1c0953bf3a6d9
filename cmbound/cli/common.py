"""Options, completion and output shared by the commands."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click
from click.shell_completion import CompletionItem

from cmbound.errors import InputError

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def completer(names: Callable[[], Sequence[str]]) -> Completer:
    """Shell completion from a list of names that is cheap to make."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(name) for name in names() if name.startswith(incomplete)]

    return complete


def theorem_ids() -> Sequence[str]:
    """The ids of the statements, without importing SymPy."""
    from cmbound.catalogue import ids

    return ids()


def preset_names() -> Sequence[str]:
    """The names of the presets."""
    from cmbound.presets import names

    return names()


def parameter_names() -> Sequence[str]:
    """``NAME=`` for every parameter."""
    from cmbound.notation import PUBLIC

    return [f"{name}=" for name in PUBLIC]


def output_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``-o FILE``."""
    kind = click.Path(allow_dash=True)
    return click.option("-o", "--output", metavar="FILE", type=kind, default="-", help="Write to FILE.")(command)


def cluster_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--cluster ADDRESS``."""
    text = "Send the work to a Dask scheduler (extra cluster), such as tcp://127.0.0.1:8786."
    return click.option("--cluster", metavar="ADDRESS", help=text)(command)


def format_option(*formats: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """``--format``, the first being the default."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(formats),
        default=formats[0],
        show_default=True,
        help="Form of the output.",
    )


def write(text: str, output: str) -> None:
    """Print, or write to a file.

    Raises:
        InputError: the file cannot be written.
    """
    text = text if text.endswith("\n") else text + "\n"
    if output == "-":
        if sys.stdout is None:
            raise InputError("cannot write to standard output: it is closed")
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    try:
        with open(output, "w", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise InputError(f"cannot write {output}: {error.strerror}") from None


def write_stream(pieces: Iterable[str], output: str) -> None:
    """Print, or write to a file, piece by piece.

    Raises:
        InputError: the file cannot be written.
    """
    if output == "-":
        if sys.stdout is None:
            raise InputError("cannot write to standard output: it is closed")
        for piece in pieces:
            sys.stdout.write(piece)
        sys.stdout.flush()
        return
    try:
        stream = open(output, "w", encoding="utf-8", newline="")  # noqa: SIM115
    except OSError as error:
        raise InputError(f"cannot write {output}: {error.strerror}") from None
    with stream:
        for piece in pieces:
            try:
                stream.write(piece)
            except OSError as error:
                raise InputError(f"cannot write {output}: {error.strerror}") from None


def read(path: str) -> str:
    """The text of a file, or of standard input for ``-``.

    Raises:
        InputError: the file cannot be read as UTF-8 text.
    """
    try:
        if path == "-":
            if sys.stdin is None:
                raise InputError("cannot read from standard input: it is closed")
            return sys.stdin.read()
        with open(path, encoding="utf-8-sig") as stream:
            return stream.read()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"cannot read {path}: not UTF-8 text") from None


@contextmanager
def progress_bar(title: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A progress bar on standard error while the block runs, only on a terminal; yields what advances it."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda n: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=total)
        yield lambda n: bar.advance(task, n)
