"""The manual: one Markdown file for each topic, in the order they are read.

Blocks of code in them are run by the tests, page by page and in order: ``console`` (commands and what they print), ``pycon``
(Python and what it prints), and blocks with a file name, which are written to that file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cmbound.errors import UnknownNameError


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
    """The page of this name.

    Raises:
        UnknownNameError: there is none.

    >>> from cmbound.guide import topic
    >>> topic("tutorial").title
    'Ten minutes with cmbound'
    """
    known = {x.name: x for x in topics()}
    if name not in known:
        raise UnknownNameError("topic of the guide", name, known)
    return known[name]
