"""How tight statements are in each dimension: the largest and the median true/bound on random Gaussian instances."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from cmbound.checks import checked_whole
from cmbound.errors import DomainError, InputError
from cmbound.evaluation.statement import theorem as find
from cmbound.papers.figures import style
from cmbound.papers.figures.data import FigureData
from cmbound.papers.figures.ratios import check_count, decided
from cmbound.parallel import mapped
from cmbound.theory.records import Theorem
from cmbound.verification.campaign import draw, judge
from cmbound.verification.instances import Outcome, Recipe

DIMENSIONS = (1, 2, 4, 8, 16, 32)  # doublings that take seconds
LARGEST = 512  # larger covariances take seconds each
BATCH = 25  # instances of one task: about a second
MOST_INSTANCES = 10**6  # hours
SHORT_GRIDS = 64
"""From this dimension on grids have at most four steps, as in a campaign."""
_LOWEST = 1e-6  # ratios below it are all the same to the eye


@dataclass(frozen=True, eq=False)
class TightnessData(FigureData):
    """Ratios true/bound by dimension.

    Attributes:
        statements: their ids, in order.
        dimensions: the dimensions, in order.
        largest, median: for each statement the ratios in each dimension (None: no instance was decided).
        decided, violations: likewise the number of decided instances and of violations.
    """

    statements: tuple[str, ...]
    dimensions: tuple[int, ...]
    largest: Mapping[str, tuple[float | None, ...]]
    median: Mapping[str, tuple[float | None, ...]]
    decided: Mapping[str, tuple[int, ...]]
    violations: Mapping[str, tuple[int, ...]]

    @property
    def columns(self) -> Mapping[str, Sequence[Any]]:
        """One row for each statement and dimension."""
        ids = [id for id in self.statements for _ in self.dimensions]
        parts = {"largest": self.largest, "median": self.median, "decided": self.decided, "violations": self.violations}
        each = {name: [x for id in self.statements for x in rows[id]] for name, rows in parts.items()}
        return {"statement": ids, "d": [x for _ in self.statements for x in self.dimensions], **each}


def with_dimension(recipe: Recipe, d: int) -> Recipe:
    """The recipe of a Gaussian instance in another dimension."""
    choices = {**recipe.choices, "d": d}
    if "null" in choices:  # sums of local errors have no such directions
        choices["null"] = min(int(choices["null"]), d - 1)
    if d >= SHORT_GRIDS:
        choices["N"] = min(int(choices["N"]), 4)
    return replace(recipe, choices=choices)


def _batch(id: str, d: int, seed: int, numbers: range) -> list[Outcome]:
    theorem = find(id)
    return [judge(with_dimension(draw(theorem, "gaussian", seed, n), d), theorem) for n in numbers]


def check_dimensions(statements: Sequence[Theorem], dimensions: Sequence[int]) -> tuple[int, ...]:
    """The dimensions in increasing order.

    Raises:
        InputError, DomainError: not integers from 1 to 512, none, or a statement that is checked in one dimension only.
    """
    found = tuple(sorted({checked_whole("a dimension", x, 1, LARGEST) for x in dimensions}))
    if not found:
        raise InputError("give a dimension")
    for x in statements:
        if x.metric == "TV" and found != (1,):
            raise DomainError(f"{x.id} is about total variation, whose truth is known in dimension 1 only; got {found[-1]}")
    return found


def tightness_data(
    ids: Sequence[str],
    *,
    dimensions: Sequence[int] = DIMENSIONS,
    instances: int = 200,
    seed: int = 0,
    jobs: int = 1,
    cluster: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> TightnessData:
    """Draw the same Gaussian instances in every dimension.

    Args:
        ids: the statements. The value of an order form is taken at C = 1.
        dimensions: from 1 to 512.
        instances: for each statement and dimension.
        seed, jobs, cluster, progress: as for :func:`cmbound.verification.campaign.check`.

    Raises:
        CmboundError: an argument that does not exist or is out of range.
    """
    chosen = check_count(ids)
    sizes = check_dimensions([find(x) for x in chosen], dimensions)
    checked_whole("instances", instances, 1, MOST_INSTANCES)
    checked_whole("seed", seed, 0, 2**63 - 1)
    starts = range(0, instances, BATCH)
    keys = [(id, d) for id in chosen for d in sizes]
    tasks = ((id, d, seed, range(i, min(i + BATCH, instances))) for id, d in keys for i in starts)
    found: dict[tuple[str, int], list[Outcome]] = {key: [] for key in keys}
    places = iter([key for key in keys for _ in starts])
    for outcomes in mapped(_batch, tasks, jobs=jobs, cluster=cluster):
        found[next(places)] += outcomes
        if progress is not None:
            progress(len(outcomes))
    kept = {key: [x for x in outcomes if decided(x)] for key, outcomes in found.items()}

    def rows(value: Callable[[list[Outcome]], Any]) -> dict[str, tuple[Any, ...]]:
        return {id: tuple(value(kept[id, d]) for d in sizes) for id in chosen}

    return TightnessData(
        chosen,
        sizes,
        largest=rows(lambda xs: max((x.ratio or 0.0 for x in xs), default=None)),
        median=rows(lambda xs: float(np.median([x.ratio or 0.0 for x in xs])) if xs else None),
        decided=rows(len),
        violations=rows(lambda xs: sum(x.status == "violation" for x in xs)),
    )


@style.in_paper_style
def tightness_figure(data: TightnessData, *, width: str = "column", title: str | None = None) -> Figure:
    """Draw the largest (filled marks) and the median ratio (open marks) against the dimension.

    The arguments are as for :func:`.terms.terms_figure`.

    Raises:
        InputError: no instance, or another width.
    """
    if not any(any(x) for x in data.decided.values()):
        raise InputError("no instance was decided: nothing to draw")
    figure, (axes,) = style.new_figure(width, 2.6)
    lowest, highest = 1.0, 1.0
    for i, id in enumerate(data.statements):
        order = find(id).kind == "order"
        marks: dict[str, Any] = {
            "color": style.COLOURS[i],
            "marker": style.MARKERS[i],
            "markersize": 5.5 - 0.7 * i,
            "zorder": 3 + i / 10,
        }
        both = ((data.largest, style.called(find(id)), "-", style.COLOURS[i]), (data.median, None, ":", "white"))
        for rows, name, line, face in both:
            values = np.array(rows[id], dtype=np.float64)  # None becomes nan
            axes.plot(
                data.dimensions,
                values,
                linestyle=style.ORDER_DASHES if order else line,
                markerfacecolor=face,
                label=name,
                **marks,
            )
            seen = values[values > 0]
            lowest, highest = min([lowest, *seen]), max([highest, *seen])
    style.level(axes, 1.0)
    axes.set_yscale("log", nonpositive="mask")
    axes.set_ylim(max(lowest, _LOWEST) / 1.5, highest * 1.5)
    style.label(axes, "dimension $d$", "true error / bound")
    if len(data.dimensions) > 1 and data.dimensions[-1] > 4:
        axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator(data.dimensions))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: style.short(x)))
    for name, line, face in (("largest", "-", style.BLACK), ("median", ":", "white")):
        axes.plot([], [], color=style.BLACK, marker="o", linestyle=line, markerfacecolor=face, label=name)
    style.legend(figure, axes, title, 2 if width == "column" else 4)
    return figure
