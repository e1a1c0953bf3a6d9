"""The figure of a sweep: lines over one axis; over two a map, or a line for each of a few values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from cmbound.errors import InputError
from cmbound.evaluation.sweeps import Chunk, Sweep, joined
from cmbound.papers.figures.data import Array
from cmbound.papers.figures.planes import changes, draw_levels, finer, finer_axis, gaps, half_size, level_handle, set_axes
from cmbound.papers.figures.style import (
    BLACK,
    COLOURS,
    axis_scale,
    bounded,
    compared,
    fit_scale,
    in_paper_style,
    label,
    legend,
    look,
    new_figure,
    term_numbers,
    tidy,
    variable,
)
from cmbound.reports.words import symbol, words

FEW = len(COLOURS)
"""Values that are drawn as a line each: between them a map would only guess."""
_HEIGHT = 2.9  # inches
_TINY = np.finfo(np.float64).tiny
_LEVEL = "white"


def check_axes(what: Sweep) -> None:
    """Raise InputError where a sweep has three axes or more: no figure can show it."""
    if len(what.axes) > 2:
        raise InputError(f"a figure shows one or two axes, the sweep has {len(what.axes)}: {', '.join(what.axes)}")


@in_paper_style
def sweep_figure(what: Sweep, parts: Sequence[Chunk]) -> Figure:
    """One axis: the terms and the total against it. Two: a map of the total, with the regions where each term dominates.

    Where one of two axes has at most ``FEW`` values, the total against the other one is a line for each of them.

    Args:
        what: the sweep.
        parts: all its chunks.

    Raises:
        InputError: three axes or more.
    """
    check_axes(what)
    figure, (axes,) = new_figure("column", _HEIGHT)
    draw = _terms if len(what.axes) == 1 else _totals if min(what.shape) <= FEW else _map
    draw(figure, axes, what, joined(parts), list(parts[0].terms))
    return figure


def _terms(figure: Figure, axes: Axes, what: Sweep, columns: Mapping[str, Any], terms: Sequence[str]) -> None:
    ((name, values),) = what.axes.items()
    numbers = term_numbers(terms)
    for term in terms:
        if np.any(columns[term] > 0):
            axes.plot(values, columns[term], label=words(term), **look(numbers[term]))
    axes.plot(values, columns["total"], linewidth=1.6, zorder=1.9, **compared(what.theorem))
    axes.set_xscale(axis_scale(values))
    axes.set_yscale("log", nonpositive="clip")
    label(axes, variable(name), bounded(what.theorem))
    legend(figure, axes, None, 3)


def _totals(figure: Figure, axes: Axes, what: Sweep, columns: Mapping[str, Any], terms: Sequence[str]) -> None:
    totals = columns["total"].reshape(what.shape)
    axis = list(what.axes.items())
    if what.shape[0] > FEW or (what.shape[1] <= FEW and what.shape[0] > what.shape[1]):
        axis, totals = axis[::-1], totals.T
    (few, some), (name, values) = axis
    mark: dict[str, Any] = {"marker": "o"} if len(values) <= FEW else {}
    for i, (value, total) in enumerate(zip(some, totals, strict=True)):
        axes.plot(values, total, label=f"{symbol(few).latex()} $= {value:.4g}$", **look(i), **mark)
    axes.set_xscale(axis_scale(values))
    fit_scale(axes)
    label(axes, variable(name), bounded(what.theorem))
    legend(figure, axes, None, 3)


def _map(figure: Figure, axes: Any, what: Sweep, columns: Mapping[str, Any], terms: Sequence[str]) -> None:
    (first, y), (second, x) = what.axes.items()
    total = np.maximum(columns["total"].reshape(what.shape), _TINY)
    fine_x, fine_y = finer_axis(x), finer_axis(y)
    smooth = np.exp(finer(np.log(total)))
    mesh = axes.pcolormesh(fine_x, fine_y, smooth, norm=LogNorm(), cmap="cividis", shading="gouraud", rasterized=True)
    set_axes(axes, x, y)
    logs = {term: finer(np.log(np.maximum(columns[term].reshape(what.shape), _TINY))) for term in terms}
    largest = np.argmax(np.stack(list(logs.values())), axis=0)
    for i, gap in enumerate(gaps([-z for z in logs.values()])):
        if changes(gap):
            axes.contour(fine_x, fine_y, gap, levels=[0.0], colors="white", linewidths=1.0)
        if np.any(largest == i):
            _name(axes, fine_x, fine_y, largest == i, words(terms[i]))
    label(axes, variable(second), variable(first))
    bar = figure.colorbar(mesh, ax=axes)
    bar.set_label(bounded(what.theorem))
    tidy(bar.ax.yaxis)
    handles = [level_handle(BLACK, "equal values")] if draw_levels(axes, fine_x, fine_y, smooth, _LEVEL) else []
    figure.legend(handles=handles, loc="outside upper center", title="Regions: the dominating term")


def _name(axes: Any, x: Array, y: Array, region: Any, name: str) -> None:
    """The name of a region, in the middle of its widest part where it stays inside the axes; upright where it has no room."""
    from scipy.ndimage import distance_transform_edt

    depth = distance_transform_edt(np.pad(region, 1))[1:-1, 1:-1]
    share = axes.transScale + axes.transLimits  # of the width and the height of the axes
    across, up = (
        share.transform(np.column_stack([x, np.full_like(x, y[0])]))[:, 0],
        share.transform(np.column_stack([np.full_like(y, x[0]), y]))[:, 1],
    )
    for upright in (False, True):
        width, height = half_size(len(name), upright)
        inside = np.outer(np.minimum(up, 1 - up) >= height, np.minimum(across, 1 - across) >= width)
        if np.any(region & inside):
            depth = np.where(inside, depth, 0.0)
            break
    else:  # the region is a corner: as near to it as the name has room
        row, place = np.unravel_index(np.argmax(depth), region.shape)
        depth = np.where(inside, -np.hypot(across - across[place], (up - up[row])[:, None]), -np.inf)
    row, place = np.unravel_index(np.argmax(depth), region.shape)
    outline = [withStroke(linewidth=1.5, foreground="#333333")]
    where = {"ha": "center", "va": "center", "clip_on": True, "color": "white", "path_effects": outline}
    axes.text(x[place], y[row], name, fontsize=7, rotation=90 * upright, **where)
