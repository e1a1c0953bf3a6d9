"""Figures of a certificate: the ladder, the errors by noise level, samples beside data, the curve of evaluations."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from cmbound.certification.certificate import Certificate
from cmbound.certification.nodes import MeasuredGrid
from cmbound.papers.figures.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    MARKERS,
    VERMILLION,
    filled,
    in_paper_style,
    term_numbers,
)
from cmbound.reports.words import words

WIDTH = 3.2
"""Inches: less than a telephone shows, so that its letters become larger there and never smaller."""
ERRORS = ("consistency", "score", "discretisation")
ROOM = 0.08  # of an axis, beyond the outermost marker: half of it must not be cut off
IMAGES = 6  # rows and columns of a grid of images
FLAT, TITLED, TALLEST = 1.5, 0.4, 4.0  # width over height of data; inches: of a title and an axis, and of the whole figure
SCATTERED = 400  # points of a scatter plot


@in_paper_style
def ladder_figure(x: Certificate) -> Figure:
    """The enclosure and the rungs as bars on a log axis, beside the best constant and fresh data."""
    figure = Figure(figsize=(WIDTH, 2.6), layout="constrained")
    axes = figure.subplots()
    base = x.baselines
    low, high = x.distance.asymptotic
    numbers = [base.constant, base.fresh, *(y.estimate for y in x.rungs.values()), high]
    left = min(y for y in numbers if y > 0) / 3
    names = ["distance", *x.rungs]
    axes.barh(0, high - max(low, left), left=max(low, left), color=VERMILLION, height=0.5)
    axes.plot([max(x.distance.lower, left), x.distance.upper], [0, 0], color=BLACK, linewidth=1, linestyle="-")
    for i, rung in enumerate(x.rungs.values(), 1):
        axes.barh(i, rung.estimate - left, left=left, color=BLUE, height=0.5, alpha=0.5 if rung.trust == "conditional" else 1.0)
        axes.plot([rung.estimate, rung.upper], [i, i], color=BLACK, linewidth=1, linestyle="-")
        axes.plot([rung.upper], [i], marker="|", color=BLACK)
    axes.axvline(base.constant, color=GREY, linestyle="--", label="best constant")
    axes.axvline(base.fresh, color=GREEN, linestyle=":", label="fresh data")
    axes.set_xscale("log")
    axes.set_xlim(left, None)
    axes.set_yticks(range(len(names)), [words(y) for y in names])
    axes.invert_yaxis()
    axes.set_xlabel("bound on $W_2$ (thin line: at confidence)")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


@in_paper_style
def levels_figure(x: Certificate) -> Figure:
    """Norms of the three errors of every step, stacked, with the share of the stepwise rung."""
    figure = Figure(figsize=(WIDTH, 2.8), layout="constrained")
    axes = figure.subplots()
    levels = x.levels[::-1]
    position = np.arange(len(levels))
    bottom = np.zeros(len(levels))
    for name, number in term_numbers(ERRORS).items():
        sizes = np.array([getattr(y, name) for y in levels])
        if sizes.any():
            axes.bar(position, sizes, bottom=bottom, width=0.9, label=name, **filled(number))
        bottom += sizes
    axes.set_ylabel("root mean square")
    total = bottom.sum() / max(sum(y.share for y in levels), 1e-300)
    if total > 0:
        right = axes.secondary_yaxis("right", functions=(partial(_times, 100 / total), partial(_times, total / 100)))
        right.set_ylabel("share of the stepwise rung (%)")
    shown = np.unique(np.linspace(0, len(levels) - 1, min(6, len(levels))).round().astype(int))
    axes.set_xticks(shown, [f"{levels[i].sigma_to:.2g}" for i in shown])
    axes.set_xlabel("step, by the noise level it ends at")
    if total > 0:
        figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    else:
        axes.set_ylim(0, 1)
        axes.set_xlim(-0.5, len(levels) - 0.5)
        axes.text(0.5, 0.5, "all errors of the steps are 0", transform=axes.transAxes, ha="center", va="center")
    return figure


def _times(factor: float, y: Any) -> Any:
    return factor * np.asarray(y)


@in_paper_style
def samples_figure(x: Certificate) -> Figure:
    """Samples of the model beside the data: a scatter plot, a grid of square images, or a histogram."""
    side, d = math.isqrt(x.data.shape[1]), x.data.shape[1]
    images = side * side == d and side >= 4
    low, high = float(x.data.min()), float(x.data.max())
    margin = 0.1 * (high - low) or 1.0
    ends = [(y.min() - margin, y.max() + margin) for y in x.data[:, :2].T]
    flat = 1.0 if images or d == 1 else float(np.ptp(ends[0]) / np.ptp(ends[1]))
    rows, columns = (2, 1) if flat > FLAT else (1, 2)  # what is wide stands one above the other
    height = min(TALLEST, rows * (WIDTH / columns / flat + TITLED))
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    pair = figure.subplots(rows, columns)
    for axes, title, points in zip(pair, ("model", "data"), (x.samples, x.data), strict=True):
        axes.set_title(title)
        if images:
            _images(axes, points, side, low, high)
        elif d == 1:
            axes.hist(points[:, 0], bins=30, range=(low, high), color=BLUE)
        else:
            axes.plot(points[:SCATTERED, 0], points[:SCATTERED, 1], ".", markersize=2, color=BLUE, rasterized=True)
            axes.set(xlim=ends[0], ylim=ends[1], aspect="equal")
    return figure


def _images(axes: Any, points: Any, side: int, low: float, high: float) -> None:
    count, cell = IMAGES * IMAGES, side + 1  # a line between images
    table = np.full((count, cell, cell), (low + high) / 2)
    table[: min(count, len(points)), :side, :side] = points[:count].reshape(-1, side, side)
    sheet = table.reshape(IMAGES, IMAGES, cell, cell).swapaxes(1, 2).reshape(IMAGES * cell, IMAGES * cell)[:-1, :-1]
    axes.imshow(sheet, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
    axes.set_axis_off()


@in_paper_style
def evaluations_figure(x: Certificate) -> Figure:
    """The enclosure and the direct rung after each evaluation."""
    figure = Figure(figsize=(WIDTH, 2.2), layout="constrained")
    axes = figure.subplots()
    k = [y.k for y in x.evaluations]
    low, high = (np.array([y.distance.asymptotic[i] for y in x.evaluations]) for i in (0, 1))
    middle = (low + high) / 2
    axes.errorbar(k, middle, yerr=[middle - low, high - middle], fmt="o", color=VERMILLION, capsize=3, label="$W_2$ (asymptotic)")
    axes.plot(k, [y.direct.estimate for y in x.evaluations], "s-", color=BLUE, label="direct rung")
    axes.set_xticks(k)
    axes.set_xlim(k[0] - ROOM * len(k), k[-1] + ROOM * len(k))
    axes.set_ylim(0, (1 + ROOM) * max(*high, *(y.direct.estimate for y in x.evaluations)))
    axes.set_xlabel("number of evaluations")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


def figures(x: Certificate) -> dict[str, Figure]:
    """All that there are, by their captions."""
    found = {
        "The ladder: the enclosure of the distance, and upper bounds of it": ladder_figure(x),
        "Errors by noise level": levels_figure(x),
        "Samples of the model beside the data": samples_figure(x),
    }
    if len(x.evaluations) > 1:
        found["Distance after each evaluation"] = evaluations_figure(x)
    return found


@in_paper_style
def nodes_figure(x: MeasuredGrid) -> Figure:
    """Local errors of a teacher on three grids, step by step."""
    figure = Figure(figsize=(WIDTH, 2.6), layout="constrained")
    axes = figure.subplots()
    for (name, sigmas), marker in zip(x.grids.items(), MARKERS, strict=False):
        label = f"{name}, sum {x.sums[name]:.3g}"
        axes.plot(sigmas[:-1], x.errors[name], marker=marker, markersize=3, label=label)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("noise level a step ends at")
    axes.set_ylabel("local error (L2)")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=1)
    return figure
