"""The errors cmbound raises. Each carries the exit status the command line ends with."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


class CmboundError(Exception):
    """Base of every error raised on purpose; its text is one line meant for the user.

    >>> import cmbound
    >>> try:
    ...     cmbound.theorem("explicit-one-stop")
    ... except cmbound.CmboundError as error:
    ...     error.exit_status
    2
    """

    exit_status = 2

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other) and self.args == getattr(other, "args", None)

    def __hash__(self) -> int:
        return hash((type(self), self.args))

    def __reduce__(self) -> Any:
        # an error crosses from a worker to its parent: it is rebuilt from its text, not from what its constructor takes
        return _rebuilt, (type(self), self.args), vars(self)

    def __str__(self) -> str:
        # a text may show what was given, and a matrix, for one, is shown on several lines
        return " ".join(line.strip() for line in super().__str__().splitlines())


class EndedError(SystemExit):
    """The program was told to end (SIGTERM, SIGHUP): code of the user's that is running has not failed."""


def _rebuilt(kind: type[CmboundError], args: tuple[Any, ...]) -> CmboundError:
    return kind.__new__(kind, *args)


class InputError(CmboundError, ValueError):
    """Something that cannot be read or understood: a malformed number, file or combination (status 2).

    >>> import cmbound
    >>> cmbound.theorem("explicit-one-step").evaluate(preset="gaussian-2d", L_f="one")
    Traceback (most recent call last):
        ...
    cmbound.errors.InputError: L_f is 'one', which is not a number (write 0.1, 1e-3 or 1/3)
    """


class UnknownNameError(InputError):
    """An id, parameter, profile, preset or option value that does not exist (status 2).

    >>> import cmbound
    >>> cmbound.theorem("explicit-one-stop")
    Traceback (most recent call last):
        ...
    cmbound.errors.UnknownNameError: unknown statement 'explicit-one-stop'; did you mean 'explicit-one-step'?
    """

    def __init__(self, what: str, given: object, allowed: Iterable[str], hint: str = "") -> None:
        names = list(allowed)
        folded = {name.lower(): name for name in names}
        near = difflib.get_close_matches(str(given).lower(), folded, n=1, cutoff=0.5)
        if near:
            tail = f"; did you mean {folded[near[0]]!r}?"
        elif len(names) > 40:
            tail = f"; known are {len(names)}, such as {', '.join(difflib.get_close_matches(str(given), names, n=5, cutoff=0))}"
        else:
            tail = f"; known: {', '.join(names)}" if names else ""
        super().__init__(f"unknown {what} {given!r}{hint}{tail}")


class MissingParameterError(InputError):
    """A parameter the statement needs was not given (status 2).

    >>> import cmbound
    >>> cmbound.theorem("explicit-map-error").evaluate(t=1)
    Traceback (most recent call last):
        ...
    cmbound.errors.MissingParameterError: ...
    """


class DomainError(CmboundError, ValueError):
    """A parameter outside its domain, or a violated assumption (status 3).

    >>> import cmbound
    >>> cmbound.theorem("explicit-one-step").evaluate(preset="gaussian-2d", L_f=0)
    Traceback (most recent call last):
        ...
    cmbound.errors.DomainError: L_f must be a number >= 1, got 0
    """

    exit_status = 3


class UndecidedError(CmboundError, ArithmeticError):
    """A number that could not be enclosed at the highest allowed precision (status 4).

    >>> import cmbound
    >>> quotient = cmbound.Statement.define("quotient", {"ratio": "eps_sc/eps_cm"})
    >>> quotient.evaluate(eps_sc=1, eps_cm=0)
    Traceback (most recent call last):
        ...
    cmbound.errors.UndecidedError: quotient: the term ratio has no finite enclosure at these parameters: ...
    """

    exit_status = 4
