"""Text for a terminal, laid out by rich and never wider than the terminal.

What fits is written as it stands, which is what rich makes of it too: to import rich takes longer than most pages do.
"""

from __future__ import annotations

import io
import re
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from cmbound.frozen import FrozenDict

_PIPE_WIDTH = 120  # columns where the output is no terminal: what README and the golden files are written with
_NARROWEST = 20  # columns below which nothing can be laid out
_NARROW = 60  # columns below which a table that does not fit is a list: wider terminals fold a few words
_BETWEEN = 2  # columns between those of a table


def _fitted(rows: Sequence[Sequence[str]], width: int) -> list[int] | None:
    """Widths of the columns of a table that break no word (None: there are none so small)."""
    columns = list(zip(*rows, strict=True))
    words = [max((len(x) for text in column for x in text.split()), default=0) for column in columns]
    widths = [max(map(len, column)) for column in columns]
    available = width - _BETWEEN * len(columns)
    if sum(words) > available:
        return None
    while sum(widths) > available:
        widest = max(range(len(widths)), key=lambda i: widths[i] - words[i])
        widths[widest] -= 1
    return widths


def printable(text: str) -> bool:
    """Whether standard output has all these characters."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except (UnicodeError, LookupError):
        return False
    return True


_ASCII = FrozenDict(
    {
        "·": "*", "×": "x", "−": "-", "–": "-", "≤": "<=", "≥": ">=", "≲": "<~", "√": "sqrt", "‖": "||", "∞": "oo", "∈": "in",
        "•": "*",
    }
)  # fmt: skip
"""Signs whose names in Unicode are not what they are called."""


def shown(text: str) -> str:
    """The text, in plain letters where standard output lacks a sign of it."""
    if printable(text):
        return text
    bare = "".join(x if printable(x) else _bare(x) for x in text)
    return bare if printable(bare) else text


def _bare(sign: str) -> str:
    """A sign in plain letters: the names of Greek ones, dashes for frames, letters without accents."""
    name, parts = unicodedata.name(sign, "").split(), unicodedata.decomposition(sign).split()
    if sign in _ASCII:
        return _ASCII[sign]
    if parts[:1] in (["<super>"], ["<sub>"]):
        return "^_"[parts[0] == "<sub>"] + "".join(chr(int(x, 16)) for x in parts[1:])
    if name[:1] == ["GREEK"] and "LETTER" in name:
        return name[-1].lower() if "SMALL" in name else name[-1].capitalize()
    if name[:1] == ["BOX"]:
        return "|" if "VERTICAL" in name else "-"
    return "".join(x for x in unicodedata.normalize("NFKD", sign) if not unicodedata.combining(x))


def _as_it_stands(text: str) -> bool:
    """Whether every character of a text takes one column."""
    return text.isprintable() and (text.isascii() or all(map(_narrow, text)))


def _narrow(character: str) -> bool:
    return character.isascii() or not (
        unicodedata.category(character).startswith("M") or unicodedata.east_asian_width(character) in "WF"
    )


def folded(text: str, width: int) -> list[str]:
    """The lines of a paragraph of characters that take one column each: words that are longer than a line are broken."""
    lines, line = [], ""
    for word in re.findall(r"\s*\S+\s*", text):
        size = len(word.rstrip())
        if line and len(line) + size > width:
            lines.append(line)
            line = ""
        while size > width and len(word) > width:
            lines.append(word[:width])
            word = word[width:]
        line += word
    return [*lines, line]


class Page:
    """Collects lines; nothing is styled and nothing depends on the terminal but the width."""

    def __init__(self, width: int | None = None) -> None:
        if width is None:
            width = shutil.get_terminal_size((_PIPE_WIDTH, 24)).columns if sys.stdout.isatty() else _PIPE_WIDTH
        self._width = max(width, _NARROWEST)
        self._parts: list[str] = []

    def line(self, text: str = "", indent: int = 0) -> None:
        """A paragraph, folded at the width."""
        text = shown(text)
        if _as_it_stands(text):
            self._parts += [" " * indent + x for x in folded(text, self._width - indent)]
            return
        from rich.text import Text

        self._lay_out(Text(text), indent)

    def grid(self, header: Sequence[str], alignment: str, rows: Iterable[Sequence[str]], indent: int = 0) -> None:
        """Columns without borders; in a terminal so narrow that numbers would be broken, each row as a list."""
        every = [tuple(header), *(tuple(map(shown, row)) for row in rows)]
        widths = [max(map(len, column)) for column in zip(*every, strict=True)]
        needed = indent + sum(widths) + _BETWEEN * len(widths)  # rich counts what is beside the last column too
        if needed <= self._width and all(_as_it_stands(x) for row in every for x in row):
            sides = ["rjust" if x == "r" else "ljust" for x in alignment]
            for row in every:
                cells = (getattr(x, side)(width) for x, side, width in zip(row, sides, widths, strict=True))
                self._parts.append(" " * indent + (" " * _BETWEEN).join(cells))
        else:
            self._folded(header, alignment, every[1:], indent)

    def _folded(self, header: Sequence[str], alignment: str, rows: Sequence[Sequence[str]], indent: int) -> None:
        widths: Sequence[int | None] = [None] * len(header)
        if self._width <= _NARROW:
            fitting = _fitted((header, *rows), self._width - indent)
            if fitting is None:
                self._lists(header, rows, indent)
                return
            widths = fitting
        from rich.table import Table as Grid
        from rich.text import Text

        grid = Grid(box=None, pad_edge=False, padding=(0, _BETWEEN, 0, 0), show_edge=False)
        for name, side, width in zip(header, alignment, widths, strict=True):
            grid.add_column(name, justify="right" if side == "r" else "left", overflow="fold", header_style="", width=width)
        for row in rows:
            grid.add_row(*map(Text, row))
        self._lay_out(grid, indent)

    def _lay_out(self, what: Any, indent: int) -> None:
        """What rich makes of something."""
        from rich.console import Console
        from rich.padding import Padding

        buffer = io.StringIO()
        console = Console(file=buffer, width=self._width, color_system=None, highlight=False, markup=False)
        console.print(Padding(what, (0, 0, 0, indent)) if indent else what)
        self._parts.append(buffer.getvalue().removesuffix("\n"))

    def _lists(self, header: Sequence[str], rows: Sequence[Sequence[str]], indent: int) -> None:
        for row in rows:
            for i, (name, text) in enumerate(zip(header, row, strict=True)):
                if text:
                    self.line(f"{name}: {text}" if name else text, indent + 2 * bool(i))

    def __str__(self) -> str:
        return "\n".join(line.rstrip() for line in "\n".join(self._parts).rstrip().split("\n"))


def markdown(text: str) -> str:
    """Markdown laid out for the terminal that standard output is, with what it can show of colours; code is never folded."""
    from rich.console import Console
    from rich.markdown import CodeBlock, Markdown
    from rich.syntax import Syntax

    class Code(CodeBlock):
        """Lines as they stand, also where the terminal is narrower: it folds or scrolls them, and they can be copied."""

        def __rich_console__(self, console: Any, options: Any) -> Any:
            lines = Syntax("", self.lexer_name, theme=self.theme).highlight(str(self.text).rstrip())
            lines.rstrip()
            lines.no_wrap, lines.overflow = True, "ignore"
            yield lines

    class LaidOut(Markdown):
        elements: ClassVar = {**Markdown.elements, "fence": Code, "code_block": Code}

    buffer = io.StringIO()
    width = max(min(shutil.get_terminal_size((_PIPE_WIDTH, 24)).columns, _PIPE_WIDTH), _NARROWEST)
    Console(file=buffer, width=width, force_terminal=True).print(LaidOut(text, code_theme="ansi_dark"), crop=False)
    return shown(buffer.getvalue())
