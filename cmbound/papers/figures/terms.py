"""The terms of a bound against one of its parameters, in float64: as lines, stacked, or as shares of the total."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from cmbound.errors import InputError
from cmbound.evaluation.point import evaluate
from cmbound.evaluation.statement import theorem as find
from cmbound.evaluation.sweeps import Sweep, swept
from cmbound.numbers import text_of
from cmbound.papers.figures import style
from cmbound.papers.figures.data import Array, FigureData, range_of, with_formula
from cmbound.reports.words import words
from cmbound.theory.records import Theorem

VIEWS = ("lines", "stacked", "shares")
_HEIGHT = 2.55  # inches, with the legend above


@dataclass(frozen=True, eq=False)
class TermsData(FigureData):
    """The terms of a statement along one parameter (float64).

    Attributes:
        theorem: id of the statement.
        name: the parameter that varies.
        values: its values (n,).
        terms: the terms by name, each (n,).
        total: their sum (n,).
        trivial: what the best constant, the mean or else 0, achieves (for TV: any law), (n,); None if there is no such yardstick.
        to: ``p_data`` or ``p_delta``.
        constant: C of an order form, as text (None: a bound, or C itself varies).
    """

    theorem: str
    name: str
    values: Array
    terms: Mapping[str, Array]
    total: Array
    trivial: Array | None
    to: str
    constant: str | None = None

    @property
    def columns(self) -> Mapping[str, Array]:
        """The parameter, the terms, ``total`` and ``trivial``."""
        last = {} if self.trivial is None else {"trivial": self.trivial}
        return {self.name: self.values, **self.terms, "total": self.total, **last}


def terms_data(id: str, over: str, /, **params: Any) -> TermsData:
    """Evaluate a statement along one parameter.

    Args:
        id: the statement.
        over: ``NAME=LOW:HIGH:log|linear:COUNT`` or ``NAME=1,2,3``.
        params: the other parameters and the options, as for :meth:`cmbound.theory.records.Theorem.approximate`.

    Raises:
        CmboundError: as there, and if ``over`` is malformed.
    """
    statement = with_formula(id)
    name, values = range_of(over, statement)
    if name in params:
        raise InputError(f"{name} varies; leave it out of the parameters")
    found = swept(Sweep(id, {name: values}, params))
    terms = {x: y for x, y in found.items() if x not in (name, "total")}
    constant = text_of(params["C"]) if statement.kind == "order" and "C" in params else None
    trivial = _trivial(id, name, values, params)
    return TermsData(statement.id, name, values, terms, found["total"], trivial, params.get("to") or "p_data", constant)


def _trivial(id: str, name: str, values: Array, params: Mapping[str, Any]) -> Array | None:
    """The yardstick at every value; it is evaluated at the ends only where those agree."""

    def at(value: float) -> float | None:
        return evaluate(find(id), {**params, name: float(value)}, "approximate").trivial

    first, last = at(values[0]), at(values[-1])
    if first is None or last is None:
        return None
    if first == last:
        return np.full(len(values), first)
    return np.array([at(x) for x in values], dtype=np.float64)


@style.in_paper_style
def terms_figure(data: TermsData, *, view: str = "lines", width: str = "column", title: str | None = None) -> Figure:
    """Draw the terms.

    Args:
        data: what to draw.
        view: ``lines`` (logarithmic), ``stacked`` (heights add up, so the scale is linear) or ``shares`` (of the total).
        width: ``column`` or ``page``.
        title: above the legend.

    Raises:
        InputError: another view or width.
    """
    if view not in VIEWS:
        raise InputError(f"view is {view!r}; it is one of {', '.join(VIEWS)}")
    figure, (axes,) = style.new_figure(width, _HEIGHT)
    axes.set_xscale(style.axis_scale(data.values))
    axes.set_xlim(data.values[0], data.values[-1])
    statement = find(data.theorem)
    present = [name for name, x in data.terms.items() if np.any(x > 0)]
    shown = style.bounded(statement, data.to, data.constant)
    if view == "lines":
        _lines(axes, data, statement, present)
    else:
        _stack(axes, data, statement, present, view == "shares")
    if view == "shares":
        shown = "share of the " + ("order form" if statement.kind == "order" else "bound")
    style.label(axes, style.variable(data.name), shown)
    style.legend(figure, axes, title, 3 if width == "column" else 7)
    return figure


def _lines(axes: Any, data: TermsData, statement: Theorem, present: list[str]) -> None:
    numbers = style.term_numbers(list(data.terms))
    for name in present:
        axes.plot(data.values, data.terms[name], label=words(name), **style.look(numbers[name]))
    axes.plot(data.values, data.total, linewidth=1.6, zorder=1.9, **style.compared(statement))
    axes.set_yscale("log", nonpositive="clip")
    top = float(np.max(data.total))
    if data.trivial is not None and np.any(data.trivial > 0):
        axes.plot(data.values, data.trivial, label=style.yardstick(statement), zorder=1.8, **style.YARDSTICK)
        top = max(top, float(np.max(data.trivial)))
    positive = [x[x > 0] for x in (data.total, *(data.terms[name] for name in present))]
    lowest = min((float(x.min()) for x in positive if len(x)), default=1.0)
    if top > 0:
        axes.set_ylim(max(lowest, top * 1e-8) / 1.6, top * 1.6)


def _stack(axes: Any, data: TermsData, statement: Theorem, present: list[str], shares: bool) -> None:
    numbers = style.term_numbers(list(data.terms))
    whole = np.where(data.total > 0, data.total, 1.0) if shares else np.ones(len(data.total))
    low = np.zeros(len(data.values))
    for name in present:
        high = low + data.terms[name] / whole
        axes.fill_between(data.values, low, high, label=words(name), **style.filled(numbers[name]))
        low = high
    if not shares:
        axes.plot(data.values, data.total, **style.compared(statement))
    axes.set_ylim(0, 1 if shares else None)
