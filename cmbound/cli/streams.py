"""The standard streams: what cannot be written is one line and a status, whoever writes it."""

from __future__ import annotations

import errno
import io
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import Any, TypeVar

from cmbound.errors import InputError

PIPE_CLOSED, INTERRUPTED = 141, 130  # what a shell reports for SIGPIPE and SIGINT
MOST_CHARACTERS = 1500
"""Of a message: what is quoted in it may be of any length."""

PATIENCE = 8.0
"""Seconds after which a command that is still at work says so."""

Result = TypeVar("Result")
SAID = threading.Event()
"""Whether the command has said what it is at: one line is enough, and none beside a progress bar."""


@contextmanager
def announced(title: str, seconds: float) -> Iterator[None]:
    """One line on standard error says what is at work, if the block takes longer than that; one for a whole command."""

    def say() -> None:
        if not SAID.is_set():
            SAID.set()
            with suppress(OSError, ValueError):
                sys.stderr.write(f"cmbound: {title}\n")
                sys.stderr.flush()

    line = threading.Timer(seconds, say)
    line.daemon = True
    line.start()
    try:
        yield
    finally:
        line.cancel()


class _Stdout(io.TextIOWrapper):
    """Standard output as text."""

    def write(self, text: str) -> int:
        return blamed(lambda: super(_Stdout, self).write(text), self.encoding)

    def flush(self) -> None:
        blamed(super().flush)


class StdoutBytes(io.RawIOBase):
    """Standard output as bytes."""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return blamed(lambda: sys.stdout.buffer.write(data))


def blamed(write: Callable[[], Result], encoding: str = "") -> Result:
    """What ``write`` returns, which writes to standard output.

    Raises:
        InputError: standard output cannot be written, or its encoding has no such character.
        SystemExit: its reader has gone.
    """
    try:
        return write()
    except BrokenPipeError:
        raise SystemExit(PIPE_CLOSED) from None
    except OSError as error:
        reason = "it is closed" if error.errno == errno.EBADF else error.strerror
        raise InputError(f"cannot write to standard output: {reason}") from None
    except (UnicodeError, LookupError) as error:
        lacking = f"has no {error.object[error.start]!a}" if isinstance(error, UnicodeEncodeError) else "cannot encode the text"
        raise InputError(
            f"standard output is written in {encoding}, which {lacking}: set PYTHONIOENCODING=utf-8, or write a file with -o"
        ) from None


@contextmanager
def standard_streams() -> Iterator[None]:
    """While the block runs, standard output itself says why it cannot be written, and a closed stream is no surprise.

    A descriptor that is closed is opened on the null device, so that no file gets its number; standard output then fails when
    something is written.
    """
    given = sys.stdout, sys.stderr
    SAID.clear()
    _open_closed()
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    below = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if not hasattr(below, "buffer"):
        yield
        return
    sys.stdout = out = _Stdout(below.buffer, encoding=below.encoding, errors=below.errors, newline="\n")
    try:
        yield
    finally:
        _drop(out)
        sys.stdout, sys.stderr = given


def _open_closed() -> None:
    for number, stream in enumerate((sys.stdin, sys.stdout, sys.stderr)):
        if stream is None:
            try:
                os.fstat(number)
            except OSError:
                os.open(os.devnull, os.O_RDONLY if number == 1 else os.O_RDWR)


def _drop(out: _Stdout) -> None:
    """Let go of the stream below; what cannot be written goes nowhere, so that closing it at exit cannot fail again."""
    try:
        out.flush()
    except (InputError, SystemExit):
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), out.buffer.fileno())
    with suppress(InputError, SystemExit, ValueError):
        out.detach()


@contextmanager
def apart() -> Iterator[None]:
    """While the block runs, what is printed goes to standard error: code of the user's must not stand among the results.

    So does what is written past Python, to the descriptor itself.
    """
    kept, out = None, sys.stdout
    with suppress(OSError, ValueError, AttributeError):
        out.flush()
        if out.fileno() == 1:  # else standard output is caught by somebody who called us
            kept = os.dup(1)
            os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        if kept is not None:
            os.dup2(kept, 1)
            os.close(kept)


ONE_AT_A_TIME = threading.Lock()
"""Streams are those of the whole process: two threads that move them would put them back in the wrong order."""


class Apart:
    """A function of the user's: what it prints goes to standard error, call by call."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self.call, self.__name__ = call, getattr(call, "__name__", "user")

    def __call__(self, *given: Any) -> Any:
        with ONE_AT_A_TIME, apart():
            return self.call(*given)


def complain(message: str) -> None:
    """One line on standard error, whatever its encoding; nowhere if it cannot be written. It is cut if it is very long."""
    text = " ".join(message.split())
    if len(text) > MOST_CHARACTERS:
        text = f"{text[: MOST_CHARACTERS * 2 // 3]} ... {text[-MOST_CHARACTERS // 3 :]}"
    line = f"cmbound: error: {text}\n"
    try:
        sys.stderr.write(line)
        sys.stderr.flush()
    except (UnicodeError, LookupError):
        with suppress(OSError):
            os.write(2, line.encode("ascii", "backslashreplace"))
    except OSError:
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
