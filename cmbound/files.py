"""Reading and writing files: one way for the whole package. A file is written whole or not at all."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any, NoReturn

from cmbound.errors import InputError
from cmbound.numbers import in_full

MOST_BYTES = 2**28
"""Size of the largest text that is read (256 MB): more is a mistake, or a device that never ends."""
_DESCRIPTORS = {"/dev/stdout": 1, "/dev/stderr": 2}


class Output(str):
    """The name of a file to write; ``option`` is what gave it, for messages."""

    option: str

    def __new__(cls, path: str, option: str = "") -> Output:
        self = super().__new__(cls, path)
        self.option = option
        return self


def _refuse(path: str | Path, reason: object) -> NoReturn:
    option = path.option if isinstance(path, Output) else ""
    raise InputError(f"{option}{': ' * bool(option)}cannot write {path}: {reason}") from None


@contextmanager
def writing(path: str | Path) -> Iterator[IO[bytes]]:
    """A stream for the bytes of a file, which takes the place of an old one only when the block ends without an exception.

    They go to a file beside it, which is then renamed: after a failure or an interruption the old file is as it was, and nothing
    is left behind. The permissions of the old file are kept and a symbolic link is followed. What is no regular file
    (/dev/stdout, a pipe) is written directly.

    Raises:
        InputError: the file cannot be written; the message names the option if ``path`` is an :class:`Output`.
        BrokenPipeError: the reader of a pipe has gone.

    Example:
        >>> with writing("/dev/null") as stream:
        ...     stream.write(b"text")
        4
    """
    check_writable(path)
    descriptor = _descriptor(path)
    if descriptor is not None:
        with _stream(path, lambda: os.dup(descriptor)) as stream:
            yield stream
        return
    old = _status(path)
    if old is not None and not stat.S_ISREG(old.st_mode):
        with _stream(path, lambda: os.open(path, os.O_WRONLY)) as stream:
            yield stream
        return
    import secrets

    target = os.path.realpath(path)
    scratch = os.path.join(os.path.dirname(target), f".cmbound-{secrets.token_hex(8)}.tmp")
    try:
        with _stream(path, lambda: os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)) as stream:
            yield stream
        try:
            if old is not None:
                with suppress(OSError, AttributeError):  # only the administrator may give a file away
                    os.chown(scratch, old.st_uid, old.st_gid)
                os.chmod(scratch, stat.S_IMODE(old.st_mode))
            os.replace(scratch, target)
        except OSError as error:
            _refuse(path, error.strerror)
    finally:
        with suppress(OSError):
            os.unlink(scratch)


def write_files(contents: Sequence[tuple[str | Path, bytes]]) -> None:
    """Write several files (as :func:`writing` does): none takes the place of an old one before all are written."""
    with ExitStack() as stack:
        for path, content in contents:
            stack.enter_context(writing(path)).write(content)


def check_writable(path: str | Path) -> None:
    """Whether a file can be written, as far as this can be told beforehand.

    Raises:
        InputError: a directory, a folder that is missing or must not be written to, a file that must not be written.
    """
    if _descriptor(path) is not None:
        return
    status = _status(path)
    if (status is not None and stat.S_ISDIR(status.st_mode)) or str(path).endswith("/"):
        _refuse(path, "it is a directory")
    if status is not None and not os.access(path, os.W_OK):
        _refuse(path, "permission denied")
    if status is not None and not stat.S_ISREG(status.st_mode):
        return
    folder = os.path.dirname(os.path.realpath(path)) if str(path) else ""
    if not os.path.isdir(folder):
        _refuse(path, f"there is no folder {folder}" if folder else "the name is empty")
    if not os.access(folder, os.W_OK | os.X_OK):
        _refuse(path, f"no file can be made in the folder {folder}")


def same_file(path: str | Path) -> str | None:
    """What two names of one regular file have in common; None for a device or a pipe, which may be written twice."""
    if _descriptor(path) is not None:
        return None
    status = _status(path)
    return os.path.realpath(path) if status is None or stat.S_ISREG(status.st_mode) else None


def _descriptor(path: str | Path) -> int | None:
    """The number of an open file that a name such as /dev/stdout stands for: opening it anew would lose its position."""
    found = re.fullmatch(r"/(?:dev|proc/self)/fd/(\d{1,9})", str(path))
    return int(found[1]) if found else _DESCRIPTORS.get(str(path))


def _status(path: str | Path) -> os.stat_result | None:
    """What is known of a file; None if there is none."""
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        _refuse(path, error.strerror)
    except ValueError as error:  # a null byte in the name
        _refuse(repr(str(path)), error)


class _File(io.FileIO):
    """A file that says which one it is when it cannot be written."""

    def __init__(self, descriptor: int, path: str | Path) -> None:
        super().__init__(descriptor, "wb")
        self._path = path

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            _refuse(self._path, error.strerror)

    def close(self) -> None:
        try:
            super().close()
        except OSError as error:
            _refuse(self._path, error.strerror)


@contextmanager
def _stream(path: str | Path, opened: Any) -> Iterator[IO[bytes]]:
    """The file that is opened, closed at the end; what is still to be written is given up if the block fails."""
    try:
        raw = _File(opened(), path)
    except OSError as error:
        _refuse(path, error.strerror)
    try:
        buffer = io.BufferedWriter(raw)
        yield buffer
        buffer.close()
    finally:
        raw.close()


def read_text(path: str | Path) -> str:
    """The text of a file: UTF-8, a byte order mark and the carriage returns at the ends of lines dropped.

    Raises:
        InputError: the file cannot be read, is no UTF-8 text or larger than 256 MB.
    """
    try:
        with open(path, "rb") as stream:
            return decoded(stream, str(path))
    except OSError as error:
        reason = "it is a directory" if os.path.isdir(path) else error.strerror
    except InputError:
        raise
    except ValueError as error:  # a null byte in the name
        reason = str(error)
    raise InputError(f"cannot read {path}: {reason}")


def decoded(stream: IO[bytes], name: str) -> str:
    """The text of a stream, as for :func:`read_text`, and refused likewise; ``name`` is for messages."""
    data = stream.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise InputError(f"cannot read {name}: it holds more than {MOST_BYTES // 2**20} MB")
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise InputError(f"cannot read {name}: not UTF-8 text") from None


def json_of(text: str, name: str, **hooks: Any) -> Any:
    """The data in a JSON text, read from the file ``name``, else InputError; ``hooks`` as for :func:`json.loads`."""
    if not text.strip():
        raise InputError(f"cannot read {name} as JSON: it is empty")
    try:
        return json.loads(text, **hooks)
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        raise InputError(f"cannot read {name} as JSON: {error}") from None


def toml_of(text: str, name: str, **hooks: Any) -> dict[str, Any]:
    """The data in a TOML text, read from the file ``name``, else InputError; ``hooks`` as for :func:`tomllib.loads`."""
    import tomllib  # with secrets below too much for the start of a command that needs neither

    try:
        return tomllib.loads(text, **hooks)
    except (ValueError, RecursionError) as error:
        raise InputError(f"cannot read {name} as TOML: {error}") from None


def given_or_read(given: Any, parse: Callable[[str, str], Any]) -> Any:
    """Data themselves, or what ``parse`` makes of the text (as for :func:`read_text`) and the name of the file at a path."""
    return parse(read_text(os.fspath(given)), os.fspath(given)) if isinstance(given, str | os.PathLike) else given


def csv_text(rows: Iterable[Iterable[Any]]) -> str:
    """Rows as CSV (RFC 4180): text as it is, numbers in full, nothing where a number does not exist (None, NaN).

    >>> csv_text([("h", "bound"), (1e-4, 2), (1.0, None)])
    'h,bound\\n0.0001,2\\n1,\\n'
    """
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(map(_field, row) for row in rows)
    return buffer.getvalue()


def _field(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None or math.isnan(value) else in_full(value)


def csv_columns(text: str) -> dict[str, list[str]]:
    """The columns of CSV with a header line, by name.

    Raises:
        InputError: no line at all, or one with more or fewer fields than the header (the message has its number).
    """
    try:
        lines = {i: x for i, x in enumerate(csv.reader(io.StringIO(text)), 1) if x}
    except csv.Error as error:
        raise InputError(f"the data cannot be read as CSV: {error}") from None
    for i, row in lines.items():
        if len(row) != len(lines[min(lines)]):
            raise InputError(f"line {i} of the data cannot be read")
    return {name: column for name, *column in zip(*lines.values(), strict=True)}
