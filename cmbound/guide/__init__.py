"""The manual: one Markdown file for each topic, in the order they are read.

Blocks of code in them are run by the tests, page by page and in order: ``console`` (commands and what they print), ``pycon``
(Python and what it prints), and blocks with a file name, which are written to that file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cmbound.errors import InputError, UnknownNameError


@dataclass(frozen=True)
class Topic:
    """One page of the manual: its name on the command line, the file it is in, and the Markdown text."""

    name: str
    file: str
    text: str

    @property
    def title(self) -> str:
        """The heading of the page."""
        return self.text.partition("\n")[0].removeprefix("# ")

    @property
    def summary(self) -> str:
        """The first paragraph, in one line."""
        return " ".join(self.text.split("\n\n")[1].split())


@cache
def topics() -> tuple[Topic, ...]:
    """All pages, in the order they are read.

    >>> from cmbound.guide import topics
    >>> topics()[0].name
    'tutorial'
    """
    pages = sorted(Path(__file__).parent.glob("*.md"))
    return tuple(Topic(re.sub(r"^\d+-", "", x.stem), x.name, x.read_text(encoding="utf-8")) for x in pages)


def topic(name: str) -> Topic:
    """The page of this name, or the one whose name begins so, in letters of either case.

    Raises:
        InputError: there is none, or more than one.

    >>> from cmbound.guide import topic
    >>> topic("tutorial").title
    'Ten minutes with cmbound'
    """
    known = {x.name: x for x in topics()}
    meant = [x for x in known if x.startswith(name.lower())]
    if name.lower() in known or len(meant) == 1:
        return known[name.lower() if name.lower() in known else meant[0]]
    if meant:
        raise InputError(f"topic {name!r} of the guide may be {', '.join(meant)}")
    unknown, there = str(UnknownNameError("topic of the guide", name, known)), ", ".join(known)
    raise InputError(unknown if unknown.endswith(there) else f"{unknown} There are {there}")
