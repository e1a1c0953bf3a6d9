"""The files commands read and write, and how a report is written to one: what cannot be raises InputError."""

from __future__ import annotations

import codecs
import json
import os
import re
import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import IO, TYPE_CHECKING, Any, cast

import click

from cmbound.cli.streams import StdoutBytes
from cmbound.errors import InputError
from cmbound.files import Output, check_writable, decoded, read_text, same_file, write_files, writing

if TYPE_CHECKING:
    from cmbound.reports.report import Report


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


def emit(report: Report, form: str, output: str, *others: tuple[str | bytes, str]) -> None:
    """Write a report in a format, after other things (figures, arrays); HTML as a complete page."""
    write_all(*others, (fitting(rendered(report, report.title, form), form, output), output))


def rendered(what: Any, title: str, form: str, **options: Any) -> str:
    """A report or a table in a format; HTML as a complete page."""
    from cmbound.reports.report import html_page

    text: str = what.render(form, **options)
    return html_page(title, text) if form == "html" else text


def fitting(text: str, form: str, output: str) -> str:
    """The text; on a standard output that is not UTF-8, JSON and HTML in ASCII: they are UTF-8 by definition, and can say all."""
    encoding = codecs.lookup(sys.stdout.encoding or "utf-8").name
    if output != "-" or form not in ("json", "html") or encoding == "utf-8":
        return text
    if form == "html":
        return text.encode("ascii", "xmlcharrefreplace").decode()
    return re.sub(r"[^\x00-\x7f]", lambda x: json.dumps(x[0])[1:-1], text)


def write(text: str, output: str) -> None:
    """Print, or write to a file."""
    write_all((text, output))


def write_all(*contents: tuple[str | bytes, str]) -> None:
    """Write several things: the files together, and then what goes to standard output."""
    ended = [(x + "\n" if isinstance(x, str) and not x.endswith("\n") else x, target) for x, target in contents]
    write_files([(target, _encoded(x, target)) for x, target in ended if target != "-"])
    for x, target in ended:
        if target == "-":
            if isinstance(x, bytes):
                StdoutBytes().write(x)
            else:
                sys.stdout.write(x)
            sys.stdout.flush()


def write_stream(pieces: Iterable[str], output: str) -> None:
    """Print, or write to a file, piece by piece."""
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


def _encoded(text: str | bytes, output: str) -> bytes:
    if isinstance(text, bytes):
        return text
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"cannot write {output}: {error.object[error.start]!a} in the text is no character") from None


def read(path: str) -> str:
    """The UTF-8 text of a file, or of standard input for ``-``."""
    if path != "-":
        return read_text(path)
    if sys.stdin is None:
        raise InputError("cannot read from standard input: it is closed")
    try:
        return decoded(sys.stdin.buffer, "standard input")
    except OSError as error:
        raise InputError(f"cannot read from standard input: {error.strerror}") from None
