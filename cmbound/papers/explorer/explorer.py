"""The explorer's page, put together: what it is told, its scripts, its style."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from cmbound.arithmetic.javascript import Functions, kernels
from cmbound.checks import checked_text
from cmbound.evaluation.statement import theorem as find
from cmbound.frozen import Record
from cmbound.papers.explorer.model import model
from cmbound.papers.explorer.starts import starts
from cmbound.reports.words import prose
from cmbound.theory.formulas import require_formula
from cmbound.theory.records import Theorem

_SCRIPTS = ("reading.js", "grids.js", "profiles.js", "engine.js", "texts.js", "advice.js")
"""What computes and writes; it needs no page, and runs in node too."""
_PAGE = ("controls.js", "results.js", "plot.js")
"""What shows it."""
_HEIGHT = 900  # pixels of a notebook's cell


@dataclass(frozen=True, eq=False, repr=False)
class Explorer(Record):
    """A page on which the numbers of one statement can be moved.

    Attributes:
        theorem: id of the statement.
        html: the page: one file that needs no other and no network.
        script: what the page computes with, in JavaScript, without the page.

    >>> import cmbound
    >>> page = cmbound.explore("explicit-one-step", preset="gaussian-2d")
    >>> page
    <Explorer: explicit-one-step>
    >>> page.html.startswith("<!DOCTYPE html>"), "http" in page.html.replace("http://www.w3.org", "")
    (True, False)
    """

    theorem: str
    html: str
    script: str

    def __repr__(self) -> str:
        return f"<Explorer: {self.theorem}>"

    def _repr_html_(self) -> str:
        title, page = map(html.escape, (self.theorem, self.html))
        return f'<iframe title="{title}" srcdoc="{page}" style="border:0;width:100%;height:{_HEIGHT}px"></iframe>'


def explore(id: str | Theorem, *, define: Sequence[str] = (), **params: Any) -> Explorer:
    """A page with a slider for every parameter of a statement, which computes in the browser.

    Its numbers are float64, computed by JavaScript that is generated from the statement's own expressions; the page gives the
    command line, the Python and the LaTeX of what it shows. In a notebook the result shows itself.

    Args:
        id: a statement, or its id.
        define: files that define the statement, for the command line the page shows.
        params: where the page starts: numbers and options as :meth:`cmbound.Statement.evaluate` takes them (one number for each
            parameter, a profile and a grid by name). What is left out is that of a preset (default ``gaussian-2d``).

    Returns:
        An :class:`Explorer`; ``html`` is the page, to be written to a file as it is.

    Raises:
        CmboundError: as for an evaluation at the starting point. InputError: a list, ``digits``, or a statement whose formula is
            not known in full or has an integral.

    >>> import cmbound
    >>> page = cmbound.explore("explicit-one-step", h="1e-4")
    >>> '"h": "1e-4"' in page.script
    True
    """
    statement = find(id)
    require_formula(statement)
    begin, functions = starts(statement, params), Functions()  # first, since what is asked for may be refused
    told = model(statement, functions) | {
        "starts": begin,
        "own": statement.known == "own",
        "define": [checked_text("a file that defines statements", x) for x in define],
    }
    script = "\n".join((f"const MODEL = {_json(told)};", kernels(), functions.source(), *map(_read, _SCRIPTS)))
    return Explorer(statement.id, _page(statement, script), script)


def _page(theorem: Theorem, script: str) -> str:
    kind = {
        "order": "order form: never a guarantee, its constant C is not known",
        "explicit": "explicit bound",
        "exact": "exact",
    }[theorem.kind]
    page = _read("page.html")
    for name, text in {
        "ID": html.escape(theorem.id),
        "TITLE": prose(theorem.title).html(),
        "KIND": f"{kind}; {html.escape(str(theorem.reference))}; in {prose(theorem.metric).html()}",
        "STYLE": _read("page.css"),
        "SCRIPT": "\n".join((script, *map(_read, _PAGE))),
    }.items():
        page = page.replace(f"@{name}@", text)
    return page


def _json(data: Any) -> str:
    """JSON that may stand inside a script of a page: nothing in it ends the script."""
    return json.dumps(data).replace("<", "\\u003c")


def _read(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
