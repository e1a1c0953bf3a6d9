"""The errors cmbound raises. Each carries the exit status the command line ends with."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class CmboundError(Exception):
    """Base of every error raised on purpose; its text is one line meant for the user."""

    exit_status = 2

    def __str__(self) -> str:
        # a text may show what was given, and a matrix, for one, is shown on several lines
        return " ".join(line.strip() for line in super().__str__().splitlines())


class InputError(CmboundError, ValueError):
    """Something that cannot be read or understood: a malformed number, file or combination (status 2)."""


class UnknownNameError(InputError):
    """An id, parameter, profile, preset or option value that does not exist (status 2)."""

    def __init__(self, what: str, given: object, allowed: Iterable[str], hint: str = "") -> None:
        names = list(allowed)
        folded = {name.lower(): name for name in names}
        near = difflib.get_close_matches(str(given).lower(), folded, n=1, cutoff=0.5)
        if near:
            tail = f"; did you mean {folded[near[0]]!r}?"
        elif names and len(names) <= 40:
            tail = f"; known: {', '.join(names)}"
        else:
            tail = ""
        super().__init__(f"unknown {what} {given!r}{hint}{tail}")


class MissingParameterError(InputError):
    """A parameter the statement needs was not given (status 2)."""


class DomainError(CmboundError, ValueError):
    """A parameter outside its domain, or a violated assumption (status 3)."""

    exit_status = 3


class UndecidedError(CmboundError, ArithmeticError):
    """A number that could not be enclosed at the highest allowed precision (status 4)."""

    exit_status = 4
