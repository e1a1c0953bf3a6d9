"""The figure of a sweep: lines over one axis, a map over two."""

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
from cmbound.papers.figures.style import bounded, compared, in_paper_style, legend_above, look, scale_of, term_numbers
from cmbound.reports.words import symbol, words

SIZE = (4.4, 3.1)
"""Inches."""


def check_axes(what: Sweep) -> None:
    """Raise InputError where a sweep has three axes or more: no figure can show it."""
    if len(what.axes) > 2:
        raise InputError(f"a figure shows one or two axes, the sweep has {len(what.axes)}: {', '.join(what.axes)}")


@in_paper_style
def sweep_figure(what: Sweep, parts: Sequence[Chunk]) -> Figure:
    """One axis: the terms and the total against it. Two: a map of the total, with the regions where each term dominates.

    Args:
        what: the sweep.
        parts: all its chunks.

    Raises:
        InputError: three axes or more.
    """
    check_axes(what)
    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.subplots()
    (_lines if len(what.axes) == 1 else _map)(axes, what, joined(parts), list(parts[0].terms))
    return figure


def _lines(axes: Axes, what: Sweep, columns: Mapping[str, Any], terms: Sequence[str]) -> None:
    ((name, values),) = what.axes.items()
    statement = what.theorem
    numbers = term_numbers(terms)
    for term in terms:
        if np.any(columns[term] > 0):
            axes.plot(values, columns[term], label=words(term), **look(numbers[term]))
    axes.plot(values, columns["total"], linewidth=1.6, **compared(statement))
    axes.set_xscale(scale_of(values))
    axes.set_yscale("log", nonpositive="clip")
    axes.set_xlabel(symbol(name).latex())
    axes.set_ylabel(bounded(statement))
    legend_above(axes, 3)


def _map(axes: Any, what: Sweep, columns: Mapping[str, Any], terms: Sequence[str]) -> None:
    (first, y), (second, x) = what.axes.items()
    total = np.maximum(columns["total"].reshape(what.shape), np.finfo(np.float64).tiny)
    mesh = axes.pcolormesh(x, y, total, norm=LogNorm(), cmap="cividis", shading="nearest", rasterized=True)
    largest = np.argmax(np.stack([columns[term] for term in terms]), axis=0).reshape(what.shape)
    present = np.unique(largest)
    outline = [withStroke(linewidth=1.5, foreground="#333333")]
    for term in present:
        if min(what.shape) > 1 and len(present) > 1:
            axes.contour(x, y, (largest == term).astype(float), levels=[0.5], colors="white", linewidths=0.8)
        rows, places = np.nonzero(largest == term)
        middle = int(np.argmin((rows - rows.mean()) ** 2 + (places - places.mean()) ** 2))
        where = {"ha": "center", "va": "center", "clip_on": True, "color": "white", "path_effects": outline}
        axes.text(x[places[middle]], y[rows[middle]], words(terms[term]), fontsize=7, **where)
    axes.set_xscale(scale_of(x))
    axes.set_yscale(scale_of(y))
    axes.set_xlabel(symbol(second).latex())
    axes.set_ylabel(symbol(first).latex())
    axes.figure.colorbar(mesh, ax=axes).set_label(f"{bounded(what.theorem)}\nregions: dominating term")
