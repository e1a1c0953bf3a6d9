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
from cmbound.evaluation.sweeps import Sweep, axis, table
from cmbound.frozen import Record
from cmbound.numbers import text_of
from cmbound.papers.figures.data import Array, FigureData, with_formula
from cmbound.papers.figures.style import (
    BLACK,
    GREY,
    HATCHES,
    REGIONS,
    bounded,
    in_paper_style,
    legend,
    look,
    new_figure,
    scale_of,
    symbol,
    term_numbers,
    tidy,
    words,
    yardstick,
)
from cmbound.theory.formulas import accepts, unknown_parameter

VIEWS = ("lines", "stacked", "shares")
_HEIGHT = 2.55


@dataclass(frozen=True, eq=False)
class TermsData(FigureData, Record):
    """The terms of a statement along one parameter (float64).

    Attributes:
        theorem: id of the statement.
        name: the parameter that varies.
        values: its values (n,).
        terms: the terms by name, each (n,).
        total: their sum (n,).
        trivial: what always answering 0 (for TV: any law) achieves, (n,); None if there is no such yardstick.
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


def range_of(what: str, *names: Any) -> tuple[str, Array]:
    """Name and values of ``NAME=LOW:HIGH:log|linear:COUNT`` or ``NAME=1,2,3``.

    Args:
        what: the text.
        names: statements, of which one at least must have the parameter.

    Raises:
        InputError, DomainError: neither form, a single value, a bad range, or a parameter no statement has.
    """
    name, equals, text = (x.strip() for x in what.partition("="))
    if not equals or not name or not text:
        raise InputError(f"{what!r} is not of the form NAME=LOW:HIGH:log|linear:COUNT")
    if names and not any(accepts(x, name) for x in names):
        raise unknown_parameter(names[0], name)
    values = axis(name, text)
    if values is None or len(values) < 2:
        raise InputError(f"{name} is {text!r}; a figure needs a range LOW:HIGH:log|linear:COUNT or a list of values")
    return name, np.unique(values)


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
    found = table(Sweep(id, {name: values}, params))
    terms = {x: y for x, y in found.items() if x not in (name, "total")}
    constant = text_of(params["C"]) if statement.kind == "order" and "C" in params else None
    trivial = _trivial(id, name, values, params)
    return TermsData(id, name, values, terms, found["total"], trivial, params.get("to") or "p_data", constant)


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


@in_paper_style
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
    figure = new_figure(width, _HEIGHT)
    axes = figure.subplots()
    axes.set_xscale(scale_of(data.values))
    axes.set_xlim(data.values[0], data.values[-1])
    present = [name for name, x in data.terms.items() if np.any(x > 0)]
    if view == "lines":
        _lines(axes, data, present)
    else:
        _stack(axes, data, present, view == "shares")
    axes.set_xlabel(symbol(data.name))
    tidy(axes.xaxis)
    tidy(axes.yaxis)
    legend(figure, axes, title, 3 if width == "column" else 7)
    return figure


def _lines(axes: Any, data: TermsData, present: list[str]) -> None:
    statement = find(data.theorem)
    order = statement.kind == "order"
    numbers = term_numbers(list(data.terms))
    for name in present:
        axes.plot(data.values, data.terms[name], label=words(name), **look(numbers[name]))
    style = {"linestyle": "--"} if order else {}
    axes.plot(data.values, data.total, color=BLACK, linewidth=1.6, label="total", zorder=1.9, **style)
    axes.set_yscale("log", nonpositive="clip")
    top = float(np.max(data.total))
    if data.trivial is not None and np.any(data.trivial > 0):
        axes.plot(
            data.values, data.trivial, color=GREY, linewidth=0.7, linestyle=(0, (6, 3)), label=yardstick(statement), zorder=1.8
        )
        top = max(top, float(np.max(data.trivial)))
    positive = [x[x > 0] for x in (data.total, *(data.terms[name] for name in present))]
    lowest = min((float(x.min()) for x in positive if len(x)), default=1.0)
    if top > 0:
        axes.set_ylim(max(lowest, top * 1e-8) / 1.6, top * 1.6)
    axes.set_ylabel(bounded(statement, data.to, data.constant))


def _stack(axes: Any, data: TermsData, present: list[str], shares: bool) -> None:
    statement = find(data.theorem)
    numbers = term_numbers(list(data.terms))
    whole = np.where(data.total > 0, data.total, 1.0) if shares else np.ones(len(data.total))
    low = np.zeros(len(data.values))
    for name in present:
        high = low + data.terms[name] / whole
        number = numbers[name] % len(REGIONS)
        axes.fill_between(
            data.values,
            low,
            high,
            facecolor=REGIONS[number],
            edgecolor=BLACK,
            linewidth=0.4,
            hatch=HATCHES[number],
            label=words(name),
        )
        low = high
    if not shares:
        style = {"linestyle": "--"} if statement.kind == "order" else {}
        axes.plot(data.values, data.total, color=BLACK, label="total", **style)
    axes.set_ylim(0, 1 if shares else None)
    axes.set_ylabel(
        "share of the " + ("order form" if statement.kind == "order" else "bound")
        if shares
        else bounded(statement, data.to, data.constant)
    )
