"""Typed cells: what a table, and a line with math, is made of.

A cell knows what it is: text is escaped, math is LaTeX already, a number is decimal text that no locale and no ``repr``
has touched. All formats carry the same cells.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cmbound.checks import checked_name
from cmbound.numbers import latex_number

CELLS = ("text", "number", "math", "mixed")

_LATEX_SPECIAL = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
}
_MARKDOWN_SPECIAL = re.compile(r"[\\`*$|<>\[\]]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
DECIMAL = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?(?:e(-?[0-9]+))?")


def escape_latex(text: str) -> str:
    """Text that LaTeX prints as it is, on one line."""
    return "".join(_LATEX_SPECIAL.get(x, x) for x in " ".join(text.split())).replace("--", "-{}-")


def escape_markdown(text: str) -> str:
    """Text that Markdown prints as it is, on one line."""
    return _MARKDOWN_SPECIAL.sub(lambda x: "\\" + x.group(), " ".join(text.split()))


@dataclass(frozen=True)
class Cell:
    """A table cell.

    Attributes:
        text: the content; of math its LaTeX.
        kind: ``text``, ``number`` (decimal text, possibly with an exponent), ``math`` or ``mixed`` (see ``parts``).
        plain: math in plain text, such as a SymPy expression (empty: the LaTeX itself).
        lines: text or math that LaTeX sets on several lines, together the same as ``text``.
        parts: the cells a mixed cell is made of, printed one after the other.
        mark: a sign after a number that a note explains, with what it means: ``("*", "assumed")``.
    """

    text: str
    kind: str = "text"
    plain: str = ""
    lines: tuple[str, ...] = ()
    parts: tuple[Cell, ...] = ()
    mark: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        checked_name("kind of cell", self.kind, CELLS)

    @property
    def is_decimal(self) -> bool:
        """Whether this is a number in decimal notation."""
        return self.kind == "number" and DECIMAL.fullmatch(self.text) is not None

    def string(self) -> str:
        """The cell in plain text, as a terminal and CSV show it."""
        return (self.plain or self.text) + (f" ({self.mark[1]})" if self.mark else "")

    def latex(self) -> str:
        """The cell in LaTeX."""
        if self.kind == "mixed":
            return "".join(x.latex() if x.kind != "text" else _inner(x.text, escape_latex) for x in self.parts)
        if self.kind == "text":
            return "--" if self.text == "-" else escape_latex(self.text)
        if not self.text:
            return ""
        body = self.text if self.kind == "math" else r"\infty" if self.text == "inf" else latex_number(self.text)
        return f"${{{body}}}^{{{self.mark[0]}}}$" if self.mark else f"${body}$"

    def latex_lines(self) -> list[str]:
        """The cell in LaTeX, one entry for each line."""
        if not self.lines:
            return [self.latex()]
        return [f"${x}$" if self.kind == "math" else escape_latex(x) for x in self.lines]

    def siunitx(self, aligned: bool = True) -> str:
        """The cell in an S column: a bare number, anything else in braces; without alignment a ``\\num``."""
        mark = rf"\textsuperscript{{{self.mark[0]}}}" if self.mark else ""
        if self.is_decimal:
            return (self.text if aligned else rf"\num{{{self.text}}}") + mark
        text = self.latex()
        return f"{{{text}}}" if text and aligned else text

    def markdown(self) -> str:
        """The cell in Markdown."""
        if self.kind == "mixed":
            return "".join(x.markdown() if x.kind != "text" else _inner(x.text, escape_markdown) for x in self.parts)
        if self.kind == "math":
            return "$" + self.text.replace(r"\|", r"\Vert ").replace("|", r"\vert ") + "$"
        return escape_markdown(self.text) + (escape_markdown(self.mark[0]) if self.mark else "")

    def html(self) -> str:
        """The cell in HTML; math as MathML, which needs nothing else."""
        if self.kind == "mixed":
            return "".join(x.html() if x.kind != "text" else html.escape(x.text) for x in self.parts)
        if self.kind == "math":
            return mathml(self.text)
        return html.escape(self.text) + (f"<sup>{html.escape(self.mark[0])}</sup>" if self.mark else "")

    def data(self) -> dict[str, Any]:
        """The cell as JSON-ready data: a number's ``text`` is exact, its ``value`` the nearest double."""
        result: dict[str, Any] = {"type": self.kind, "text": self.text}
        if self.kind == "number":
            result["value"] = float(self.text) if self.is_decimal else None
        elif self.kind == "math":
            result = {"type": "math", "latex": self.text, "text": self.string()}
        if self.mark:
            result["mark"] = self.mark[1]
        return result


def _inner(text: str, escape: Callable[[str], str]) -> str:
    """Escaped text inside a mixed cell: the spaces at its ends stay."""
    body = escape(text)
    return (" " if text[:1] == " " else "") + body + (" " if body and text[-1:] == " " else "")


def mathml(latex: str) -> str:
    """MathML of LaTeX math, which a browser shows without a script; what is no LaTeX is shown as it is."""
    from latex2mathml import converter, exceptions  # which only HTML needs

    errors = (x for x in vars(exceptions).values() if isinstance(x, type) and issubclass(x, Exception))
    no_latex: tuple[type[Exception], ...] = (IndexError, ValueError, *errors)
    try:
        text = converter.convert(latex.replace(r"\mathrm", r"\text"), display="block")  # a word, not the product of its letters
    except no_latex:
        return f"<math><mtext>{html.escape(latex)}</mtext></math>"
    text = text.replace('display="block"', 'displaystyle="true"')  # fractions and sums as in a display, on the line of the text
    return re.sub("&(?!#)", "&amp;", text)  # the library escapes all but this


def number(text: str, mark: tuple[str, str] | None = None) -> Cell:
    """A cell with a number."""
    return Cell(text, "number", mark=mark)


def math(text: str, plain: str = "", lines: Sequence[str] = ()) -> Cell:
    """A cell with LaTeX math."""
    return Cell(text, "math", plain, tuple(lines))


def mixed(*parts: Cell | str) -> Cell:
    """A cell of text and math."""
    cells = tuple(Cell(x) if isinstance(x, str) else x for x in parts)
    return Cell("".join(x.string() for x in cells), "mixed", parts=cells)


def dollars(text: str, math: Callable[[str], Cell] = math) -> Cell:
    """What a user writes for a caption or a header: text, with math (by default LaTeX) between dollar signs."""
    pieces = text.split("$")
    if len(pieces) % 2 == 0 or len(pieces) == 1:  # no math, or a dollar sign that is just that
        return Cell(text)
    return mixed(*(math(x) if i % 2 else x for i, x in enumerate(pieces) if x))
