"""Text in which the math is marked, so that a paper can set it as math."""

from __future__ import annotations


class Prose(str):
    """Text that was written with its math between dollar signs, in the names of the table of symbols.

    As a string it is plain: this is the one place where the signs are dropped. ``marked`` still has them.

    >>> Prose("the $L2$ error of step $n$ is at most $eps_cm h_n$")
    'the L2 error of step n is at most eps_cm h_n'
    """

    marked: str

    def __new__(cls, marked: str) -> Prose:
        if isinstance(marked, Prose):
            return marked
        self = super().__new__(cls, marked.replace("$", ""))
        self.marked = marked
        return self
