"""The true error beside the bound on random instances whose truth is known: every instance, and the histogram of true/bound."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from cmbound.checks import checked_name
from cmbound.errors import InputError
from cmbound.evaluation.statement import theorem as find
from cmbound.files import csv_columns
from cmbound.papers.figures.data import Array, FigureData, number, with_formula
from cmbound.papers.figures.style import BLACK, COLOURS, GREY, MARKERS, called, dashes, in_paper_style, label, legend, new_figure
from cmbound.verification.campaign import ATTAINED, run
from cmbound.verification.experiments import experiment_of
from cmbound.verification.instances import Outcome

MOST = len(COLOURS)
"""Statements one figure can tell apart."""
LOWEST = 1e-4
"""Smaller ratios are counted in the first bin."""
PER_DECADE = 6  # bars wide enough to see in one column
MARGIN = 0.02
"""Share of the instances that may lie beyond each end of an axis."""
_COLUMNS = ("statement", "world", "d", "status", "true", "bound", "ratio")
_DECIDED = ("passed", "violation", "undecided")


@dataclass(frozen=True, eq=False)
class RatiosData(FigureData):
    """The decided instances of some statements: those that passed, attain the bound (``undecided``) or violate it.

    Attributes:
        statements: their ids, in order.
        rows: statement, world, dimension, status, true error, bound and their ratio of each instance.
        left_out: for each statement the number of instances that were skipped or undecided for another reason; None where it is
            not known (data read from a file).
    """

    statements: tuple[str, ...]
    rows: tuple[tuple[str, str, float, str, float, float, float], ...]
    left_out: Mapping[str, int] | None = None

    @property
    def columns(self) -> Mapping[str, Sequence[Any]]:
        """One row for each decided instance."""
        return {name: [row[i] for row in self.rows] for i, name in enumerate(_COLUMNS)}

    def of(self, statement: str) -> tuple[Array, Array, Array]:
        """True errors, bounds and ratios of one statement, each (n,)."""
        table = np.array([row[4:] for row in self.rows if row[0] == statement], dtype=np.float64).reshape(-1, 3)
        return table[:, 0], table[:, 1], table[:, 2]

    @property
    def violations(self) -> int:
        """Instances above the bound."""
        return sum(row[3] == "violation" for row in self.rows)


def decided(outcome: Outcome) -> bool:
    """Whether an instance has a ratio to show: it passed, violates the bound, or attains it."""
    return outcome.ratio is not None and (outcome.status != "undecided" or outcome.reason == ATTAINED)


def check_count(ids: Sequence[str]) -> tuple[str, ...]:
    """The statements of a figure, each known and given once, as many as it can tell apart.

    Raises:
        InputError: an unknown or repeated id, too many of them or none.
    """
    chosen = tuple(with_formula(x).id for x in ids)
    if not chosen:
        raise InputError("give the id of a statement")
    if len(set(chosen)) < len(chosen):
        raise InputError("a statement is given twice")
    if len(chosen) > MOST:
        raise InputError(f"a figure shows at most {MOST} statements, got {len(chosen)}")
    return chosen


def ratios_data(
    ids: Sequence[str],
    *,
    instances: int = 500,
    seed: int = 0,
    world: str | None = None,
    jobs: int = 1,
    cluster: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> RatiosData:
    """Draw instances of some statements, as ``cmbound check`` does.

    Args:
        ids: the statements. The value of an order form is taken at C = 1.
        instances, seed, world, jobs, cluster, progress: as for :func:`cmbound.verification.campaign.check`.

    Raises:
        CmboundError: as there, or more than six statements.
    """
    chosen = check_count(ids)
    for id in chosen:
        experiment_of(find(id))
    rows: list[Any] = []
    left_out = {}
    for id in chosen:
        outcomes = list(run(id, instances=instances, seed=seed, world=world, jobs=jobs, cluster=cluster, progress=progress))
        kept = [x for x in outcomes if decided(x)]
        left_out[id] = len(outcomes) - len(kept)
        for x in kept:
            size = x.params.get("d", x.recipe.choices.get("d", float("nan")))
            rows.append((id, x.recipe.world, float(size), x.status, x.truth, x.bound, x.ratio))
    return RatiosData(chosen, tuple(rows), left_out)


def ratios_from_csv(text: str) -> RatiosData:
    """The data of an earlier figure, from its CSV.

    Raises:
        InputError: not such a file.
    """
    columns = csv_columns(text)
    if tuple(columns) != _COLUMNS:
        raise InputError(f"the file must be the --csv of an earlier plot, with the columns {','.join(_COLUMNS)}")
    rows: list[Any] = []
    for i, (statement, world, d, status, *numbers) in enumerate(zip(*columns.values(), strict=True), 2):
        try:
            rows.append((statement, world, number(d), checked_name("status", status, _DECIDED), *map(number, numbers)))
        except ValueError:
            raise InputError(f"line {i} of the data cannot be read") from None
    return RatiosData(check_count(tuple(dict.fromkeys(columns["statement"]))), tuple(rows))


def bins(data: RatiosData) -> tuple[Array, list[Array]]:
    """The common edges of the histogram and the counts of each statement, which sum to its decided instances.

    Ratios below ``LOWEST`` (0 among them) are in the first bin; a ratio of 1 up to rounding is in the bin that ends at 1.
    """
    each = []
    for id in data.statements:
        ratios = data.of(id)[2]
        exceeds = np.array([x[3] == "violation" for x in data.rows if x[0] == id]) | (find(id).kind == "order")
        each.append(np.where(exceeds, np.maximum(ratios, LOWEST), np.clip(ratios, LOWEST, 1.0)))
    largest = min(max((float(x.max()) for x in each if len(x)), default=1.0), 1e6)
    decades = np.log10(1 / LOWEST) + max(0.0, np.ceil(np.log10(largest) * PER_DECADE - 1e-9) / PER_DECADE)
    edges = LOWEST * 10.0 ** (np.arange(round(decades * PER_DECADE) + 1) / PER_DECADE)
    edges[round(np.log10(1 / LOWEST) * PER_DECADE)] = 1.0
    edges[-1] = max(edges[-1], largest)
    counts = []
    for x in each:
        place = np.clip(np.searchsorted(edges, np.minimum(x, largest), side="left") - 1, 0, len(edges) - 2)
        counts.append(np.bincount(place, minlength=len(edges) - 1).astype(np.float64))
    return edges, counts


@in_paper_style
def ratios_figure(data: RatiosData, *, width: str = "column", title: str | None = None) -> Figure:
    """Draw every instance (bound across, true error up, below the diagonal where the bound holds) and the histogram of ratios.

    The arguments are as for :func:`.terms.terms_figure`; the two are side by side on a page.

    Raises:
        InputError: no instance, or another width.
    """
    if not data.rows:
        raise InputError("no instance was decided: nothing to draw")
    column = width == "column"
    figure, (first, second) = new_figure(width, 4.3, rows=2) if column else new_figure(width, 2.6, columns=2)
    _instances(first, data)
    _histogram(second, data)
    names = len(data.statements)
    legend(figure, first, title, 1 if column and names > 1 else 2 if names <= 3 else 3)
    return figure


def _instances(axes: Any, data: RatiosData) -> None:
    size = max(1.6, 3.0 - len(data.rows) / 2000)
    for i, id in enumerate(data.statements):
        true, bound, _ = data.of(id)
        axes.plot(
            bound, true, linestyle="none", marker=MARKERS[i], markersize=size, markeredgewidth=0.5, markeredgecolor=COLOURS[i],
            markerfacecolor="none", alpha=0.8, label=called(find(id)), rasterized=len(data.rows) > 5000,
        )  # fmt: skip
    if data.violations:
        above = [(x[5], x[4]) for x in data.rows if x[3] == "violation"]
        axes.plot(*np.array(above).T, linestyle="none", marker="x", markersize=5, color=BLACK, label="violation")
    true, bound = (np.array([row[i] for row in data.rows]) for i in (4, 5))
    (left, right), (bottom, top) = _middle(bound), _middle(true)
    ends = [min(left, bottom), max(right, top)]
    axes.plot(ends, ends, color=GREY, linewidth=0.7, linestyle="--", label="true error = bound", zorder=1)
    axes.set_xscale("log", nonpositive="mask")
    axes.set_yscale("log", nonpositive="mask")
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
    outside = int(np.sum((bound < left) | (bound > right) | (true < bottom) | (true > top)))
    if outside:
        text = f"{outside} of {len(true)}\noutside the frame"
        axes.text(0.03, 0.97, text, transform=axes.transAxes, va="top", fontsize=7, color="#444444")
    label(axes, "bound", "true error")


def _middle(values: Array) -> tuple[float, float]:
    """A range with most positive values in it: a campaign has a few that are larger or smaller by many decades."""
    positive = values[values > 0]
    if not len(positive):
        return 0.1, 1.0
    low, high = np.quantile(positive, [MARGIN, 1 - MARGIN])
    return float(low) / 2, float(high) * 2


def _histogram(axes: Any, data: RatiosData) -> None:
    edges, counts = bins(data)
    for i, (id, count) in enumerate(zip(data.statements, counts, strict=True)):
        axes.stairs(
            count, edges, edgecolor=COLOURS[i], facecolor=to_rgba(COLOURS[i], 0.2), fill=len(data.statements) == 1,
            linestyle=dashes(find(id), i), linewidth=1.0, label=called(find(id)),
        )  # fmt: skip
        ratios = data.of(id)[2]
        if len(ratios):
            middle = float(np.clip(np.median(ratios), edges[0], edges[-1]))
            mark = {"marker": MARKERS[i], "color": COLOURS[i], "markersize": 4.5, "linestyle": "none"}
            axes.plot([middle], [0], clip_on=False, zorder=5, **mark)
    axes.axvline(1.0, color=GREY, linewidth=0.7, linestyle="--", zorder=1)
    axes.set_xscale("log")
    axes.set_xlim(edges[0], edges[-1] if edges[-1] > 1 else 1.25)
    axes.set_ylim(0, None)
    label(axes, "true error / bound (marks: medians)", "instances")
    names = {1e-4: r"$\leq 10^{-4}$", 1.0: "1"}
    ticks = 10.0 ** np.arange(round(np.log10(LOWEST)), np.floor(np.log10(edges[-1]) + 1e-9) + 1)
    axes.set_xticks(ticks, [names.get(x, f"$10^{{{round(np.log10(x))}}}$") for x in ticks])
