"""The records of a comparison, and what they say: a ranking for each column, and why the rest is not ranked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cmbound.comparison.implied import Implied
from cmbound.errors import UnknownNameError
from cmbound.evaluation.records import Evaluation
from cmbound.frozen import Record, thawed
from cmbound.numbers import counted, latex_number, plain_decimal, rounded, text_up
from cmbound.reports.cells import Cell, math, number
from cmbound.reports.report import Body, Report, Result
from cmbound.reports.table import Table
from cmbound.reports.words import joined, named, words
from cmbound.theory.notation import TABLE
from cmbound.theory.records import Theorem

RANKED, ORDER, UNCONFIRMED = "ranked", "order form", "unconfirmed"
NOT_APPLICABLE, NOT_EVALUABLE = "not applicable", "not evaluable"
STATUSES = (RANKED, ORDER, UNCONFIRMED, NOT_APPLICABLE, NOT_EVALUABLE)

_LAWS = re.compile(r"p_(?:data|delta)")
_NUMBER = re.compile(r"-?[0-9.]+(e-?[0-9]+)?")
_APPROXIMATE = "float64: approximations of the bounds, not certified ones"


@dataclass(frozen=True, eq=False, repr=False)
class Row(Record):
    """One statement in a comparison.

    Attributes:
        theorem: the statement.
        status: ``ranked``, ``order form`` (evaluated with C, not ranked), ``unconfirmed`` (its form is from memory),
            ``not applicable`` (``reason`` names the assumption or the parameter) or ``not evaluable`` (no formula).
        target: the law the distance is to; both names where it is between p_delta and p_data; empty for other metrics.
        evaluation: its value, where it has one.
        rank: place in its column, from 1; equal values share it.
        reason: why it is not ranked, or at what C it is.
        implied: what follows from it in other metrics.
        trivial: what the best constant, the mean or else 0, achieves (for TV: any law at all), where that is known.
    """

    theorem: Theorem
    status: str
    target: str
    evaluation: Evaluation | None = None
    rank: int | None = None
    reason: str = ""
    implied: tuple[Implied, ...] = ()
    trivial: float | None = None

    def __repr__(self) -> str:
        return f"<Row {self.theorem.id}: {self.status}>"

    @property
    def id(self) -> str:
        return self.theorem.id

    @property
    def column(self) -> str:
        """What the row is compared in: its metric and the law the distance is to."""
        return column(self.theorem.metric, self.target)

    @property
    def value(self) -> float | None:
        """The value, rounded up (None without one)."""
        return None if self.evaluation is None else self.evaluation.value

    @property
    def vacuous(self) -> bool | None:
        """Whether the trivial answer has a guarantee at least as good (None: no such yardstick)."""
        return None if self.trivial is None or self.value is None else self.value >= self.trivial

    @property
    def guarantee(self) -> bool:
        """Whether the value bounds the metric."""
        return self.status == RANKED and self.evaluation is not None and self.evaluation.is_guarantee

    @property
    def bound(self) -> Cell:
        """The value in a table."""
        return Cell("") if self.evaluation is None else number(rounded(self.evaluation.upper))

    @property
    def term(self) -> str:
        """The largest term, in words."""
        return words(None if self.evaluation is None else self.evaluation.dominating_term)

    @property
    def remarks(self) -> str:
        """What is said beside the value."""
        form = "" if self.theorem.known in ("derived", "verbatim") else f"form {self.theorem.known}"
        return "; ".join(filter(None, (self.reason, "vacuous" if self.vacuous else "", form)))

    def to_dict(self) -> dict[str, Any]:
        theorem, found = self.theorem, self.evaluation
        return {
            **{name: getattr(theorem, name) for name in ("id", "title", "metric", "kind", "known", "clock")},
            **{name: getattr(self, name) for name in ("target", "column", "status", "value", "rank", "reason")},
            **{name: getattr(self, name) for name in ("guarantee", "vacuous")},
            "quantity": theorem.quantity.format(target=self.target),
            "upper": None if found is None else plain_decimal(found.upper),
            "lower": None if found is None else plain_decimal(found.lower),
            "tier": None if found is None else found.tier,
            "sampled": None if found is None or found.sampled is None else thawed(found.sampled),
            "dominating_term": None if found is None else found.dominating_term,
            "assumptions": [] if found is None else [{"id": x.id, "text": x.text, "status": x.status} for x in found.assumptions],
            "implied": [x.to_dict() for x in self.implied],
        }


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Result, Record):
    """All statements at one point.

    Attributes:
        parameters: what they were evaluated with, as text.
        options: profile, grid, teacher, to, start, clock, preset, as far as given.
        tier: ``certified`` or ``approximate``.
        rows: every statement compared, exactly once, in the order of the catalogue.
        measured: the parameters measured from a world or a data set; the others are assumed.
        notes: what a reader must be told besides.

    >>> import cmbound
    >>> found = cmbound.compare(preset="gaussian-2d", k=2, t_hat=1, metric="W2")
    >>> found.winners
    {'W2 to p_data': 'explicit-multistep'}
    """

    parameters: Mapping[str, Any]
    options: Mapping[str, Any]
    tier: str
    rows: tuple[Row, ...]
    measured: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return (
            f"<Comparison of {counted(len(self.rows), 'statement')}: {', '.join(f'{x}: {y}' for x, y in self.winners.items())}>"
        )

    def __getitem__(self, id: str) -> Row:
        rows = {x.id: x for x in self.rows}
        if id not in rows:
            raise UnknownNameError("statement", id, rows)
        return rows[id]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns, in the order of the catalogue."""
        return tuple(dict.fromkeys(x.column for x in self.rows))

    def ranking(self, name: str) -> tuple[Row, ...]:
        """The ranked rows of a column, the best first."""
        return ranking(self.rows, name)

    @property
    def winners(self) -> dict[str, str]:
        """The best statement of each column that has a ranked one (the first in the catalogue where several are equal)."""
        return {name: ranked[0].id for name in self.columns if (ranked := self.ranking(name))}

    @property
    def shown_options(self) -> dict[str, Any]:
        """The options as text, a grid of numbers as a list."""
        return {
            name: x if isinstance(x, str) else getattr(x, "name", None) or [str(y) for y in getattr(x, "values", x)]
            for name, x in self.options.items()
        }

    def to_dict(self) -> dict[str, Any]:
        return {
            "parameters": thawed(self.parameters),
            "options": self.shown_options,
            "measured": list(self.measured),
            "tier": self.tier,
            "rows": [x.to_dict() for x in self.rows],
            "winners": self.winners,
            "notes": list(self.notes),
        }

    def report(self) -> Report:
        """A ranking for each column, order forms apart, and why the rest does not apply."""
        what = f"comparison of {counted(len(self.rows), 'statement')}"
        return Report(what, _page(self), self.to_dict, _in_full(self), _document(self))


def column(metric: str, target: str) -> str:
    """Name of a column: distances to different laws are different quantities."""
    if not target:
        return metric
    return f"{metric} between {target}" if " and " in target else f"{metric} to {target}"


def target_of(theorem: Theorem, params: Mapping[str, Any]) -> str:
    """The law the distance is to, read off the quantity."""
    if theorem.has_target:
        return str(params.get("to") or "p_data")
    return " and ".join(dict.fromkeys(_LAWS.findall(theorem.quantity)))


def ranking(rows: Iterable[Row], name: str) -> tuple[Row, ...]:
    """The ranked rows of a column, the best first."""
    return tuple(sorted((x for x in rows if x.column == name and x.rank is not None), key=lambda x: x.rank or 0))


# --- the report -------------------------------------------------------------------------------------------------------


def _page(comparison: Comparison) -> Body:
    page, rows = Body(), comparison.rows
    apart = {status: [x for x in rows if x.status == status] for status in (ORDER, UNCONFIRMED)}
    ranked, rest = [x for x in rows if x.status == RANKED], _inapplicable(comparison)

    def section(title: str, header: str, cells: Sequence[tuple[Cell, ...]], alignment: str) -> None:
        if cells:
            page.line()
            page.line(title)
            page.table(Table(tuple(header.split(", ")), tuple(cells), alignment))

    page.line(
        f"{counted(len(rows), 'statement')}: {len(ranked)} ranked, {counted(len(apart[ORDER]), 'order form')} apart, "
        f"{len(apart[UNCONFIRMED])} unconfirmed, {len(rest)} not applicable or without a formula"
    )
    if comparison.tier == "approximate":
        page.line(_APPROXIMATE)
    for note in comparison.notes:
        page.line(f"note: {note}")
    for name, best in comparison.winners.items():
        places = [
            (number(str(x.rank)), Cell(x.id), Cell(x.theorem.kind), x.bound, Cell(x.term), Cell(x.remarks))
            for x in comparison.ranking(name)
        ]
        section(f"{name}: the best is {best}", "rank, statement, kind, bound, largest term, remarks", places, "rllrll")
    for lines in (() if ranked else ("no bound applies at these parameters",), _implied(comparison)):
        for text in ("", *lines) if lines else ():
            page.line(text)
    for status, title in ((ORDER, "apart: order forms, whose constant is hidden"), (UNCONFIRMED, "apart: not confirmed")):
        shown = [(Cell(x.id), Cell(x.column), x.bound, Cell(x.reason)) for x in apart[status]]
        section(title, "statement, about, value, remarks", shown, "llrl")
    reasons = [(Cell(x.id), Cell(x.column), Cell(x.status), Cell(x.reason)) for x in rest]
    section("not applicable", "statement, about, status, reason", reasons, "llll")
    page.line()
    for cell in _given(comparison):
        page.line(cell)
    return page


def _inapplicable(comparison: Comparison) -> list[Row]:
    return [x for x in comparison.rows if x.status in (NOT_APPLICABLE, NOT_EVALUABLE)]


def _implied(comparison: Comparison) -> list[str]:
    """What ranked rows imply in other metrics."""
    found = []
    for row in comparison.rows:
        for x in row.implied:
            word = "" if x.guarantee else "; no guarantee, since the row is none"
            found.append(f"{row.id} implies {x.metric} <= {rounded(x.upper)}, through {x.through}{word}")
    return found


def _given(comparison: Comparison) -> list[Cell]:
    """The point, as it was given or measured."""
    shown = {name: x if isinstance(x, str) else counted(len(x), "value") for name, x in comparison.parameters.items()}
    measured = {name: x for name, x in shown.items() if name in comparison.measured}
    assumed = {name: x for name, x in shown.items() if name not in measured}
    options = {name: x for name, x in comparison.shown_options.items() if isinstance(x, str)}
    rows = (("measured", measured), ("assumed" if measured else "parameters", assumed), ("options", options))
    return [joined((Cell(f"{x}: "), joined(map(_equal, row, row.values()), ", ")), "") for x, row in rows if row]


def _equal(name: str, text: str) -> Cell:
    plain = f"{name} = {text}"
    if name not in TABLE or not _NUMBER.fullmatch(text):
        return named(plain)
    return math(f"{TABLE[name].latex} = {latex_number(text)}", plain)


def _in_full(comparison: Comparison) -> Table:
    """Every row with all digits."""
    names = (
        "id", "metric", "target", "kind", "known", "status", "rank", "value", "upper", "dominating_term", "vacuous", "reason",
    )  # fmt: skip
    rows = []
    for row in comparison.rows:
        data = row.to_dict()
        if row.evaluation is not None:
            data["value"] = text_up(row.evaluation.value, row.evaluation.upper)
        rows.append(tuple(Cell("" if data[x] is None else str(data[x])) for x in names))
    return Table(names, tuple(rows), "l" * len(names))


def _document(comparison: Comparison) -> Body:
    """For a paper: rankings, then what stands apart, then for each reason what does not apply."""
    tier = (_APPROXIMATE,) if comparison.tier == "approximate" else ()
    said = (*map(named, (*tier, *comparison.notes, *_implied(comparison))), *_given(comparison))
    document = Body()
    for table in (_ranked_table(comparison), _apart_table(comparison), _reasons_table(comparison)):
        if table.rows:
            document.table(replace(table, size="footnotesize", tight=True, notes=() if document.parts else said))
            document.line()
    return document


def _ranked_table(comparison: Comparison) -> Table:
    rows = tuple(
        (named(name), number(str(x.rank)), Cell(x.id), x.bound, named(f"mostly {x.term}; {x.remarks}".removesuffix("; ")))
        for name in comparison.winners
        for x in comparison.ranking(name)
    )
    return Table(("about", "rank", "statement", "bound", "remarks"), rows, "lrlrl", widths={4: 0.4}, layout="headings")


def _apart_table(comparison: Comparison) -> Table:
    rows = tuple(
        (named(name), Cell(x.id), x.bound, named(x.reason))
        for name in comparison.columns
        for x in comparison.rows
        if x.column == name and x.status in (ORDER, UNCONFIRMED)
    )
    return Table(("about", "not ranked", "value", "remarks"), rows, "llrl", widths={3: 0.4}, layout="headings")


def _reasons_table(comparison: Comparison) -> Table:
    reasons: dict[str, list[str]] = {}
    for x in _inapplicable(comparison):
        reasons.setdefault(x.reason, []).append(x.id)
    rows = tuple((Cell(", ".join(ids)), named(reason)) for reason, ids in reasons.items())
    return Table(("not applicable", "reason"), rows, "ll", widths={0: 0.35, 1: 0.55})
