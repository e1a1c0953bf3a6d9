"""Pages with code in them (README, the manual): everything shown is run, block by block, and compared with what is shown.

Blocks are ``console`` (commands after ``$``, each with what it prints; an output that ends in ``...`` is shown as far as that),
``sh`` (commands that must succeed), ``python`` (run; one namespace for a page), ``pycon`` (a session, with its output) and blocks
with a file name behind the language, which are written to that file.
"""

from __future__ import annotations

import doctest
import re
import shlex
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path
from typing import Any

from tests.helpers import call, forget, said

_BLOCK = re.compile(r"^```(?P<kind>\w+)(?: (?P<file>\S+))?\n(?P<code>.*?)^```$", flags=re.DOTALL | re.MULTILINE)


def rewritten(text: str, place: Path) -> str:
    """The page with what its commands print now, everything in it run in a directory.

    Raises AssertionError where a session prints something else, or a command that shows no output fails.
    """
    names: dict[str, Any] = {"__name__": "__page__"}
    try:
        with chdir(place):
            return _BLOCK.sub(lambda x: _block(x, place, names), text)
    finally:
        forget()


def _block(block: re.Match[str], place: Path, names: dict[str, Any]) -> str:
    kind, file, code = block["kind"], block["file"], block["code"]
    if file is not None:
        (place / file).write_text(code, encoding="utf-8")
    elif kind == "console":
        return f"```console\n{_console(code)}```"
    elif kind == "sh":
        for command in _joined(code).splitlines():
            outcome = call(*_arguments(command))
            assert outcome.status == 0, (command, outcome)
    elif kind == "python":
        exec(compile(code, "page", "exec"), names)
    elif kind == "pycon":
        _session(code, names)
    return block[0]


def _joined(code: str) -> str:
    """Lines that end in a backslash, with the next."""
    return re.sub(r" *\\\n *", " ", code)


def _arguments(command: str) -> list[str]:
    program, *arguments = shlex.split(command, comments=True)
    assert program == "cmbound", command
    return arguments


def _console(code: str) -> str:
    """Each command with what it prints now."""
    parts = re.findall(r"^\$ ((?:.*\\\n)*.*)\n((?:(?!\$ ).*\n)*)", code, flags=re.MULTILINE)
    return "".join(f"$ {command}\n{_shown(_printed(_joined(command)), old)}" for command, old in parts)


def _printed(command: str) -> str:
    """Standard output, then the error, and where it is none of those of fine runs the exit status."""
    outcome = call(*_arguments(command))
    status = f"[exit status {outcome.status}]\n" if outcome.status else ""
    return outcome.out + "".join(f"{x}\n" for x in said(outcome.err)) + status


def _shown(output: str, page: str) -> str:
    """All of it, or where the page ends in ``...`` as many lines as it shows."""
    shown = page.splitlines()
    if shown[-1:] != ["..."]:
        return output
    return "".join(output.splitlines(keepends=True)[: len(shown) - 1]) + "...\n"


def _session(code: str, names: dict[str, Any]) -> None:
    test = doctest.DocTestParser().get_doctest(code, names, "page", None, 0)
    said: list[str] = []
    write: Callable[[str], Any] = said.append
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE).run(test, out=write, clear_globs=False)
    names.update(test.globs)
    assert not said, "".join(said)
