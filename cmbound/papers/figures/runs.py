"""The figure of a simulation: 6.5 by 2.8 inches."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from cmbound.errors import DomainError
from cmbound.papers.figures.data import Array
from cmbound.papers.figures.style import BLACK, BLUE, ORANGE, VERMILLION, in_paper_style, law, legend_above, level, new_figure
from cmbound.verification.simulation import Simulation

BINS = 60  # of the histogram
MOST_POINTS = 2000
"""Points of a scatter plot; more only blur it."""
_NAMED_TICKS = 6  # more run into each other


@in_paper_style
def simulation_figure(simulation: Simulation) -> Figure:
    """Samples and truth, in one histogram or side by side, and on the right W2 beside the bound after each evaluation."""
    line = simulation.run.world.d == 1
    figure, panels = new_figure("page", 2.8, columns=2 if line else 3)
    if line:
        _histogram(panels[0], simulation)
    else:
        _scatter(panels[:2], simulation)
    _errors(panels[-1], simulation)
    for axes in panels:
        scattered = not line and axes is not panels[-1]
        legend_above(axes, 2 if line else 1, 2.0 if scattered else 1.0)
    return figure


def _histogram(axes: Any, simulation: Simulation) -> None:
    """Samples and truth in common bins, with the density of the target (of p_delta if the data law has none)."""
    x, y = simulation.samples[:, 0], simulation.truth[:, 0]
    low, high = min(x.min(), y.min()), max(x.max(), y.max())
    edges = np.linspace(low, high, BINS + 1) if high > low else np.linspace(low - 0.5, low + 0.5, BINS + 1)
    axes.hist(x, bins=edges, density=True, color=ORANGE, alpha=0.6, label=f"samples of ${_sampled(simulation)}$")
    outline = {"histtype": "step", "color": BLUE, "linewidth": 0.8}
    axes.hist(y, bins=edges, density=True, label=f"samples of ${law(simulation.run.to)}$", **outline)
    points, density, name = _density(simulation, edges)
    axes.plot(points, density, color=BLACK, linewidth=0.9, label=f"density of ${name}$")
    axes.set_xlim(edges[0], edges[-1])
    axes.set_xlabel("$x$")
    axes.set_ylabel("density")


def _sampled(simulation: Simulation) -> str:
    """The law of the samples in the paper's notation."""
    return f"q_{{{len(simulation.steps)}}}" + (r"^{\,\mathrm{c}}" if simulation.corrected is not None else "")


def _density(simulation: Simulation, edges: Array) -> tuple[Array, Array, str]:
    run = simulation.run
    points = np.linspace(edges[0], edges[-1], 1601)
    if run.to == "p_data":
        try:
            return points, np.exp(run.world.log_density(points[:, None], 0.0)), r"p_{\mathrm{data}}"
        except DomainError:  # point masses
            pass
    return points, np.exp(run.world.log_density(points[:, None] / run.scale, run.low)) / run.scale, r"p_\delta"


def _scatter(panels: Any, simulation: Simulation) -> None:
    """Truth and samples in the same frame, in the plane of the first two principal directions of the truth if d > 2."""
    x, y = simulation.samples[:MOST_POINTS], simulation.truth[:MOST_POINTS]
    names = ("$x_1$", "$x_2$")
    if x.shape[1] > 2:
        centre = simulation.truth.mean(axis=0)
        directions = np.linalg.svd(simulation.truth - centre, full_matrices=False)[2][:2]
        if len(directions) < 2:
            directions = np.eye(2, x.shape[1])
        x, y = (x - centre) @ directions.T, (y - centre) @ directions.T
        names = ("first principal direction", "second principal direction")
    marks = {"marker": "o", "linestyle": "none", "markeredgewidth": 0, "rasterized": True}
    size = 1.2 + 2 * min(1.0, 20 / np.sqrt(len(x)))
    low, high = np.minimum(x.min(axis=0), y.min(axis=0)), np.maximum(x.max(axis=0), y.max(axis=0))
    middle, half = (low + high) / 2, 0.55 * max(float((high - low).max()), 1e-9)
    looks = ((y, BLUE, law(simulation.run.to)), (x, ORANGE, _sampled(simulation)))
    for axes, (points, colour, name) in zip(panels, looks, strict=True):
        axes.plot(*points.T, markersize=size, color=colour, alpha=0.6, label=f"samples of ${name}$", **marks)
        axes.set_xlim(middle[0] - half, middle[0] + half)
        axes.set_ylim(middle[1] - half, middle[1] + half)
        axes.set_aspect("equal")
        axes.set_xlabel(names[0])
    panels[0].set_ylabel(names[1])


def _errors(axes: Any, simulation: Simulation) -> None:
    """Measured W2 with its interval, the bound and the trivial bound; a log scale."""
    steps, corrected, trivial = simulation.steps, simulation.corrected, simulation.evaluation.trivial or 0.0
    how = "certified" if simulation.exact else "measured constants"
    measured = r"measured $W_2$" if simulation.exact else r"measured $W_2$ (asymptotic 95%)"
    k = [x.k for x in steps]
    points = {x.k: x.w2 for x in steps}
    times = [float(simulation.run.nodes[i]) for i in (-1, *simulation.run.indices)]
    names = [f"{x.k}\n$t={t:.3g}$" for x, t in zip(steps, times, strict=True)]
    axes.set_yscale("log", nonpositive="clip")
    axes.plot(k, [x.bound for x in steps], color=VERMILLION, marker="s", markersize=5, linewidth=1.2, label=f"bound ({how})")
    axes.plot(k, [x.w2.value for x in steps], color=BLUE, marker="o", markersize=3.5, linewidth=0.8, label=measured)
    if corrected is not None:
        points[k[-1] + 1] = corrected
        names.append("corrector")
        axes.plot([k[-1] + 1], [corrected.value], color=BLUE, marker="D", markersize=4, markerfacecolor="none", linestyle="none")
    if not simulation.exact:
        ends = [(x.value - min(x.lower, x.value), max(x.upper - x.value, 0.0)) for x in points.values()]
        style = {"fmt": "none", "ecolor": BLUE, "elinewidth": 0.8, "capsize": 2}
        axes.errorbar(list(points), [x.value for x in points.values()], yerr=np.array(ends).T, **style)
    if trivial > 0:
        level(axes, trivial, simulation.evaluation.trivial_answer)
    heights = [y for x in points.values() for y in (x.value, x.upper)] + [*(x.bound for x in steps), trivial]
    heights = [y for y in heights if y > 0] or [1.0]
    axes.set_ylim(min(heights) / 2, max(heights) * 2)  # an interval that reaches 0 runs off at the bottom
    axes.set_xlim(0.5, len(points) + 0.5)
    named = len(points) <= _NAMED_TICKS
    if named:
        axes.set_xticks(list(points), names)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("evaluation $k$" + " (last: corrector)" * (corrected is not None and not named))
    axes.set_ylabel(f"$W_2(q_k, {law(simulation.run.to)})$")
