"""A phase diagram: which of several statements is the smallest where, in a plane of two parameters (float64)."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from cmbound.comparison.phase import NONE, Phase, phase
from cmbound.papers.figures.data import split_range
from cmbound.papers.figures.planes import changes, draw_levels, finer, finer_axis, gaps, level_handle, set_axes
from cmbound.papers.figures.style import BLACK, REGIONS, in_paper_style, label, new_figure, variable

_LEVEL = "#555555"


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
    set_axes(axes, data.x, data.y)
    colours = ["#FFFFFF", *(REGIONS[i % len(REGIONS)] for i in range(len(data.values)))]
    numbers = {"vmin": NONE - 0.5, "vmax": len(data.values) - 0.5}
    axes.pcolormesh(data.x, data.y, data.winners, cmap=ListedColormap(colours), shading="nearest", rasterized=True, **numbers)
    set_axes(axes, data.x, data.y)  # a mesh reaches half a cell beyond its points
    _borders(axes, data)
    smallest = np.min([np.where(np.isnan(x), np.inf, x) for x in data.values.values()], axis=0)
    handles: list[Any] = [
        Patch(facecolor=colours[i + 1], edgecolor=BLACK, label=_label(id, data)) for i, id in enumerate(data.values)
    ]
    if np.any(data.winners == NONE):
        handles.append(Patch(facecolor="white", edgecolor=BLACK, label="none applies"))
    if draw_levels(axes, data.x, data.y, smallest, _LEVEL):
        handles.append(level_handle(_LEVEL, "equal values of the smallest" + " bound" * (not data.order_forms)))
    label(axes, variable(data.x_name), variable(data.y_name))
    columns = 1 if width == "column" and len(handles) > 1 and max(len(str(x.get_label())) for x in handles) > 18 else 2
    figure.legend(handles=handles, loc="outside upper center", ncols=columns if width == "column" else 3, title=title)
    return figure


def _label(id: str, data: Phase) -> str:
    return f"{id} ($C = {data.constant}$, no bound)" if id in data.order_forms else id


def _borders(axes: Any, data: Phase) -> None:
    """Where a statement equals the smallest of the others, interpolated between the points; dashed beside an order form."""
    if min(data.winners.shape) < 2:
        return
    x, y = finer_axis(data.x), finer_axis(data.y)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = [finer(np.log(np.where(np.isnan(z), np.inf, z))) for z in data.values.values()]
    for i, gap in enumerate(gaps(logs)):
        if not changes(gap):
            continue
        axes.contourf(x, y, gap, levels=[gap.min() - 1, 0.0], colors=[REGIONS[i % len(REGIONS)]])
        if i or len(logs) > 2:
            line = "dashed" if data.constant is not None else "solid"
            axes.contour(x, y, gap, levels=[0.0], colors=BLACK, linewidths=1.3, linestyles=line, zorder=2.5)
