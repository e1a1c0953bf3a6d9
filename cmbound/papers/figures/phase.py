"""A phase diagram: which of several statements is the smallest where, in a plane of two parameters (float64)."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from cmbound.comparison.phase import NONE, Phase, phase
from cmbound.papers.figures.data import Array, split_range
from cmbound.papers.figures.style import BLACK, REGIONS, in_paper_style, label, new_figure, scale_of
from cmbound.reports.words import symbol

BETWEEN = 4
"""Pieces in which a border is interpolated between two points."""


def phase_data(ids: tuple[str, ...] | list[str], x: str, y: str, /, **params: Any) -> Phase:
    """Evaluate statements over a plane (:func:`cmbound.comparison.phase.phase` with its axes as text).

    Args:
        ids: two statements or more, about the same quantity; none for the default pair.
        x, y: ``NAME=LOW:HIGH:log|linear:COUNT`` or ``NAME=1,2,3``.
        params: numbers and options.

    Raises:
        CmboundError: as there, and for an axis of another form.
    """
    return phase(tuple(ids) or None, *(dict([split_range(text)]) for text in (x, y)), **params)


@in_paper_style
def phase_figure(data: Phase, *, width: str = "column", title: str | None = None) -> Figure:
    """Draw the region in which each statement is the smallest, the borders, and levels of the smallest value.

    The arguments are as for :func:`.terms.terms_figure`.
    """
    figure, (axes,) = new_figure(width, 2.9)
    axes.set_xscale(scale_of(data.x))
    axes.set_yscale(scale_of(data.y))
    colours = ["#FFFFFF", *(REGIONS[i % len(REGIONS)] for i in range(len(data.values)))]
    numbers = {"vmin": NONE - 0.5, "vmax": len(data.values) - 0.5}
    axes.pcolormesh(data.x, data.y, data.winners, cmap=ListedColormap(colours), shading="nearest", rasterized=True, **numbers)
    axes.set_xlim(data.x[0], data.x[-1])
    axes.set_ylim(data.y[0], data.y[-1])
    _borders(axes, data)
    _levels(axes, data)
    label(axes, symbol(data.x_name).latex(), symbol(data.y_name).latex())
    handles = [Patch(facecolor=colours[i + 1], edgecolor=BLACK, label=_label(id, data)) for i, id in enumerate(data.values)]
    if np.any(data.winners == NONE):
        handles.append(Patch(facecolor="white", edgecolor=BLACK, label="none applies"))
    columns = 1 if width == "column" and len(handles) > 1 and max(len(str(x.get_label())) for x in handles) > 18 else 2
    figure.legend(handles=handles, loc="outside upper center", ncols=columns, title=title)
    return figure


def _label(id: str, data: Phase) -> str:
    return f"{id} ($C = {data.constant}$, no bound)" if id in data.order_forms else id


def _borders(axes: Any, data: Phase) -> None:
    """Where a statement equals the smallest of the others, interpolated between the points; dashed beside an order form."""
    if min(data.winners.shape) < 2:
        return
    x, y = (_finer_axis(z) for z in (data.x, data.y))
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = [_finer(_finer(np.log(np.where(np.isnan(z), np.inf, z))).T).T for z in data.values.values()]
    for i, own in enumerate(logs):
        others = np.min([z for j, z in enumerate(logs) if j != i], axis=0)
        with np.errstate(invalid="ignore"):
            gap = np.ma.masked_invalid(own - others)
        if not gap.count() or not gap.min() < 0 < gap.max():
            continue
        axes.contourf(x, y, gap, levels=[gap.min() - 1, 0.0], colors=[REGIONS[i % len(REGIONS)]])
        if i or len(logs) > 2:
            line = "dashed" if data.constant is not None else "solid"
            axes.contour(x, y, gap, levels=[0.0], colors=BLACK, linewidths=1.3, linestyles=line, zorder=2.5)


def _finer(values: Array) -> Array:
    """Linear interpolation along the first axis, with ``BETWEEN`` pieces between neighbours."""
    places = np.arange((len(values) - 1) * BETWEEN + 1) / BETWEEN
    low = np.minimum(places.astype(int), len(values) - 2)
    weight = (places - low).reshape(-1, *[1] * (values.ndim - 1))
    return np.asarray((1 - weight) * values[low] + weight * values[low + 1])


def _finer_axis(values: Array) -> Array:
    return np.exp(_finer(np.log(values))) if scale_of(values) == "log" else _finer(values)


def _levels(axes: Any, data: Phase) -> None:
    """Thin lines where the smallest value is a power of ten, with the power written on them."""
    with np.errstate(invalid="ignore", divide="ignore"):
        smallest = np.min([np.where(np.isnan(x), np.inf, x) for x in data.values.values()], axis=0)
        logs = np.ma.masked_invalid(np.log10(smallest))
    if min(logs.shape) < 2 or not logs.count():
        return
    levels = np.arange(np.ceil(logs.min()), np.floor(logs.max()) + 1)
    levels = levels[(levels > logs.min()) & (levels < logs.max())][:: max(1, len(levels) // 6)]
    if not len(levels):
        return
    drawn = axes.contour(data.x, data.y, logs, levels=levels, colors="#555555", linewidths=0.5, linestyles="dotted")
    axes.clabel(drawn, fmt={x: "1" if x == 0 else f"$10^{{{int(x)}}}$" for x in levels}, fontsize=7)
