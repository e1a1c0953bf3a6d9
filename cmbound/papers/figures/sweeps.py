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
from cmbound.evaluation.statement import theorem as find
from cmbound.evaluation.sweeps import Sweep
from cmbound.papers.figures.style import in_paper_style, look, scale_of, symbol, term_numbers, words


def check_axes(what: Sweep) -> None:
    """Whether a figure of a sweep can be drawn.

    Raises:
        InputError: three axes or more.
    """
    if len(what.axes) > 2:
        raise InputError(f"a figure shows one or two axes, the sweep has {len(what.axes)}: {', '.join(what.axes)}")


@in_paper_style
def sweep_figure(what: Sweep, columns: Mapping[str, Any], terms: Sequence[str]) -> Figure:
    """One axis: the terms and the total against it. Two: a map of the total, with the regions where each term dominates.

    Args:
        what: the sweep.
        columns: all its columns, arrays of length ``len(what)``.
        terms: names of the terms, in order.

    Raises:
        InputError: three axes or more.
    """
    check_axes(what)
    figure = Figure(figsize=(4.4, 3.1), layout="constrained")
    axes = figure.subplots()
    if len(what.axes) == 1:
        _lines(axes, what, columns, terms)
    else:
        _map(figure, axes, what, columns, terms)
    axes.tick_params(labelsize=7)
    return figure


def _lines(axes: Axes, what: Sweep, columns: Mapping[str, Any], terms: Sequence[str]) -> None:
    (name, values), *_ = what.axes.items()
    numbers = term_numbers(terms)
    for term in terms:
        if np.any(columns[term] > 0):
            axes.plot(values, columns[term], label=words(term), **look(numbers[term]))
    axes.plot(values, columns["total"], color="#000000", linewidth=1.6, label="total")
    axes.set_xscale(scale_of(values))
    axes.set_yscale("log", nonpositive="clip")
    axes.set_xlabel(symbol(name), fontsize=8)
    axes.set_ylabel(f"bound on {find(what.theorem).metric}", fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, fontsize=7, frameon=False, handlelength=1.6)


def _map(figure: Figure, axes: Axes, what: Sweep, columns: Mapping[str, Any], terms: Sequence[str]) -> None:
    (first, y), (second, x) = what.axes.items()
    total = np.maximum(columns["total"].reshape(what.shape), np.finfo(np.float64).tiny)
    mesh = axes.pcolormesh(x, y, total, norm=LogNorm(), cmap="cividis", shading="nearest", rasterized=True)
    largest = np.argmax(np.stack([columns[term] for term in terms]), axis=0).reshape(what.shape)
    present = np.unique(largest)
    if min(what.shape) > 1 and len(present) > 1:
        for term in present:
            axes.contour(x, y, (largest == term).astype(float), levels=[0.5], colors="white", linewidths=0.8)
    for term in present:
        rows, places = np.nonzero(largest == term)
        middle = int(np.argmin((rows - rows.mean()) ** 2 + (places - places.mean()) ** 2))
        axes.text(
            x[places[middle]],
            y[rows[middle]],
            words(terms[term]),
            color="white",
            fontsize=7,
            ha="center",
            va="center",
            path_effects=[withStroke(linewidth=1.5, foreground="#333333")],
            clip_on=True,
        )
    axes.set_xscale(scale_of(x))
    axes.set_yscale(scale_of(y))
    axes.set_xlabel(symbol(second), fontsize=8)
    axes.set_ylabel(symbol(first), fontsize=8)
    bar = figure.colorbar(mesh, ax=axes)
    bar.set_label(f"bound on {find(what.theorem).metric}; regions: dominating term", fontsize=8)
    bar.ax.tick_params(labelsize=7)
