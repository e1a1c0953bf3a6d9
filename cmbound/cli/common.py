"""Options, completion and output shared by the commands."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from fractions import Fraction
from math import inf
from typing import IO, Any, cast

import click
from click.shell_completion import CompletionItem

from cmbound.cli.streams import PATIENCE, SAID, StdoutBytes, announced
from cmbound.errors import CmboundError, InputError
from cmbound.files import Output, check_writable, decoded, read_text, same_file, write_files, writing

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
    from cmbound.catalogue.presets import names

    return names()


def parameter_names() -> Sequence[str]:
    """``NAME=`` for every parameter."""
    from cmbound.theory.notation import PUBLIC

    return [f"{name}=" for name in PUBLIC]


class OutputFile(click.ParamType[Output]):
    """The name of a file to write, ``-`` for standard output: refused before any work if it cannot be written.

    Args:
        suffixes: what the name may end in; everything if none is given.
    """

    name = "file"

    def __init__(self, *suffixes: str) -> None:
        self.suffixes = suffixes

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Output:
        target = Output(value, "" if param is None else param.opts[0])
        if value != "-":
            if self.suffixes and os.path.splitext(value)[1].lower() not in self.suffixes:
                raise InputError(f"{target.option}: {value}: the name must end in {', '.join(self.suffixes)}")
            check_writable(target)
        place = "-" if value == "-" else same_file(target)
        if ctx is not None and place is not None:
            others = ctx.meta.setdefault("cmbound.outputs", {})
            other = others.setdefault(place, target.option)
            if other != target.option:
                where = "standard output" if place == "-" else value
                raise InputError(f"{other} and {target.option} both write to {where}: give one of them another file")
        return target


FIGURE = OutputFile(".png", ".pdf", ".svg")


def output_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``-o FILE``."""
    text = "Write to FILE; - is standard output."
    return click.option("-o", "--output", metavar="FILE", type=OutputFile(), default="-", help=text)(command)


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
        InputError: the file or standard output cannot be written.
    """
    write_all((text, output))


def write_all(*contents: tuple[str | bytes, str]) -> None:
    """Write several things: the files together, and then what goes to standard output.

    Raises:
        InputError: as for :func:`write`.
    """
    write_files([(target, _encoded(x if isinstance(x, bytes) else _ended(x), target)) for x, target in contents if target != "-"])
    for x, target in contents:
        if target == "-":
            if isinstance(x, bytes):
                StdoutBytes().write(x)
            else:
                sys.stdout.write(_ended(x))
            sys.stdout.flush()


def write_stream(pieces: Iterable[str], output: str) -> None:
    """Print, or write to a file, piece by piece.

    Raises:
        InputError: as for :func:`write`.
    """
    if output == "-":
        for piece in pieces:
            sys.stdout.write(piece)
        sys.stdout.flush()
        return
    with writing(output) as stream:
        for piece in pieces:
            stream.write(_encoded(piece, output))


def open_bytes(output: str) -> AbstractContextManager[IO[bytes]]:
    """A stream for the bytes of a file or of standard output."""
    return nullcontext(cast(IO[bytes], StdoutBytes())) if output == "-" else writing(output)


def figure_bytes(figure: Any, output: str) -> bytes:
    """A figure as the kind of file its name asks for; SVG on standard output."""
    from cmbound.papers.figures.style import check_suffix, rendered

    return rendered(figure, "svg" if output == "-" else check_suffix(output))


def _ended(text: str) -> str:
    return text if text.endswith("\n") else text + "\n"


def _encoded(text: str | bytes, output: str) -> bytes:
    if isinstance(text, bytes):
        return text
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"cannot write {output}: {error.object[error.start]!a} in the text is no character") from None


def read(path: str) -> str:
    """The text of a file, or of standard input for ``-``.

    Raises:
        InputError: the file cannot be read as UTF-8 text.
    """
    if path != "-":
        return read_text(path)
    if sys.stdin is None:
        raise InputError("cannot read from standard input: it is closed")
    try:
        return decoded(sys.stdin.buffer, "standard input")
    except OSError as error:
        raise InputError(f"cannot read from standard input: {error.strerror}") from None


def number_of_steps(given: Mapping[str, Any]) -> float:
    """The number of steps of the grid that parameters and options ask for, for the size of a job: 0 in closed form."""
    from cmbound.catalogue.presets import preset

    grid, known = given.get("grid"), given
    with suppress(CmboundError, KeyError):
        known = {**preset(given["preset"]).parameters, **given}
    if isinstance(grid, list):
        return len(grid) - 1
    return size_of(known.get("N")) or (size_of(known.get("T")) / (size_of(known.get("h")) or inf) if grid == "two-stage" else 0.0)


def range_size(text: str) -> int:
    """The number of values of ``NAME=LOW:HIGH:log:COUNT`` or ``1,2,3``, for the size of a job."""
    return int(size_of(text.rpartition(":")[2])) if ":" in text else text.count(",") + 1


def range_end(text: str) -> str:
    """The largest value of such a range."""
    values = text.partition("=")[2]
    return values.split(":")[1] if values.count(":") > 1 else max(values.split(","), key=size_of)


def size_of(value: Any) -> float:
    """A number as it was given, for the size of a job; 0 if it is none."""
    try:
        return float(Fraction(str(value)))
    except (ValueError, ZeroDivisionError, OverflowError):
        return 0.0


@contextmanager
def at_work(what: str, given: Mapping[str, Any], *, times: float = 1) -> Iterator[None]:
    """Says that a statement is evaluated, so many ``times``, if this is long: on a large grid, or with a large horizon."""
    steps, horizon = number_of_steps(given), size_of(given.get("T"))
    size = [f"a grid of {steps:.0f} steps"] if steps else []
    if horizon > LONG_HORIZON:
        size.append(f"the horizon T = {given['T']}, which needs many digits")
    title = " with ".join([what, " and ".join(size)] if size else [what])
    with progress_bar(title, None, long=times * max(steps, 1000) > LONG_STEPS or horizon > LONG_HORIZON):
        yield


LONG_STEPS, LONG_HORIZON = 50_000, 200_000
"""Steps of a grid, over all evaluations, and horizons that take some seconds."""


CHECKED = 1.0
"""Seconds after which all arguments are checked."""


@contextmanager
def progress_bar(title: str, total: int | None, *, long: bool) -> Iterator[Callable[[int], None]]:
    """A progress bar on standard error while the block runs, if that is a terminal; yields what advances it.

    Elsewhere one line says what is computed and how much of it, soon if that is ``long``: some seconds or more, by its size. It
    waits until the arguments are checked, which takes no time, so that a mistake in them is one line too.
    """
    if not sys.stderr.isatty():
        with announced(title, CHECKED if long else PATIENCE):
            yield lambda n: None
        return
    from rich.console import Console
    from rich.progress import Progress

    SAID.set()
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=total)
        yield lambda n: bar.advance(task, n)
