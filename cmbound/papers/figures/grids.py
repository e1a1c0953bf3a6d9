"""A bound against the number of steps, for each kind of time grid (float64)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from cmbound.arithmetic.exact import rational_near
from cmbound.errors import DomainError, InputError
from cmbound.evaluation.point import evaluate
from cmbound.evaluation.records import Evaluation
from cmbound.evaluation.setting import resolve
from cmbound.evaluation.statement import theorem as find
from cmbound.papers.figures import style
from cmbound.papers.figures.data import Array, FigureData, range_of, with_formula
from cmbound.theory.grids import KINDS, MAX_STEPS, two_stage

_FINE = 1e-5  # relative accuracy of the step of a two-stage grid: at the very smallest step two of its nodes coincide
_MOST_MARKERS = 10  # more hide the line


@dataclass(frozen=True, eq=False)
class GridsData(FigureData):
    """A bound on several grids (float64).

    Attributes:
        theorem: id of the statement.
        N: numbers of steps asked for (n,).
        bounds: by kind of grid, each (n,); nan where no grid of this kind has so few steps.
        steps: numbers of steps of the two-stage grids, whose step size decides it: the most that do not exceed ``N``.
        trivial: what the best constant, the mean or else 0, achieves (None: no such yardstick).
        to: ``p_data`` or ``p_delta``.
        sampled: level of trust and confidence where local errors were measured on samples, grid by grid (empty: they were not).
    """

    theorem: str
    N: Array
    bounds: Mapping[str, Array]
    steps: Array
    trivial: float | None
    to: str
    sampled: str = ""

    @property
    def columns(self) -> Mapping[str, Sequence[Any] | Array]:
        """The number of steps, the bound for each kind of grid, the steps of the two-stage grid, and the yardstick."""
        last = {} if self.trivial is None else {"trivial": [self.trivial] * len(self.N)}
        said = {"trust": [self.sampled] * len(self.N)} if self.sampled else {}
        bounds = {name.replace("-", "_"): x for name, x in self.bounds.items()}
        return {"N": self.N, **bounds, "two_stage_steps": self.steps, **last, **said}


def finest_step(delta: Fraction, T: Fraction, steps: int) -> Fraction | None:
    """The step size of the finest two-stage grid with at most so many steps (None: every two-stage grid has more)."""
    high = T - delta
    if steps < two_stage(delta, T, high).N:
        return None
    low = high / (2 * steps)
    while high - low > _FINE * high:
        middle = Fraction(float((low + high) / 2))
        low, high = (low, middle) if steps >= two_stage(delta, T, middle).N else (middle, high)
    return high


def grids_data(id: str, over: str = "N=10:10000:log:25", /, **params: Any) -> GridsData:
    """Evaluate a statement on the four kinds of grid.

    Args:
        id: a statement with a teacher.
        over: ``N=LOW:HIGH:log|linear:COUNT`` or ``N=10,100``.
        params: the other parameters and the options, as for :meth:`Theorem.approximate`, without grid, h and N.

    Raises:
        CmboundError: as there, a statement without a grid, or a malformed range.
    """
    statement = with_formula(id)
    if not statement.uses_profile:
        raise InputError(f"{id} has no grid: no teacher enters it")
    name, counts = range_of(over, statement)
    if name != "N":
        raise InputError(f"grids are compared over N, not over {name}")
    if counts[0] < 1 or counts[-1] > MAX_STEPS:
        raise DomainError(f"N must be from 1 to {MAX_STEPS}, got {counts[0]:g} to {counts[-1]:g}")
    own = [other for other in ("grid", "h", "N") if other in params]
    if own:
        raise InputError(f"the grid is chosen here: leave out {', '.join(own)}")
    rho = params.get("rho")
    given = {x: y for x, y in params.items() if x != "rho"}
    ends = resolve(statement, {**given, "grid": "uniform", "N": 2}).values
    delta, T = (rational_near(ends[x]) for x in ("delta", "T"))
    sizes = [finest_step(delta, T, int(x)) for x in counts]
    only_edm = {} if rho is None else {"edm": {"rho": rho}}

    def at(kind: str, **size: Any) -> Evaluation:
        return evaluate(statement, {**given, "grid": kind, **size, **only_edm.get(kind, {})}, "approximate")

    bounds = {kind: np.array([at(kind, N=int(x)).value for x in counts]) for kind in KINDS if kind != "two-stage"}
    bounds["two-stage"] = np.array([np.nan if x is None else at("two-stage", h=x).value for x in sizes])
    steps = np.array([np.nan if x is None else two_stage(delta, T, x).N for x in sizes])
    one = at("uniform", N=int(counts[0]))
    sampled = "" if one.sampled is None else f"{one.tier}, {one.sampled['confidence']:.12g}"
    found = {kind: bounds[kind] for kind in KINDS}
    return GridsData(statement.id, counts, found, steps, one.trivial, one.target or "p_data", sampled)


@style.in_paper_style
def grids_figure(data: GridsData, *, width: str = "column", title: str | None = None) -> Figure:
    """Draw the bound on each kind of grid against the number of its steps (arguments as for :func:`.terms.terms_figure`)."""
    figure, (axes,) = style.new_figure(width, 2.6)
    statement = find(data.theorem)
    every = max(1, -(-len(data.N) // _MOST_MARKERS))
    for i, (kind, bounds) in enumerate(data.bounds.items()):
        name, x = "EDM" if kind == "edm" else kind, data.steps if kind == "two-stage" else data.N
        axes.plot(x, bounds, marker=style.MARKERS[i], markevery=every, label=name, **style.nested(i), **style.look(i))
    if data.trivial is not None and data.trivial > 0:
        style.level(axes, data.trivial, style.yardstick(statement))
    axes.set_xscale(style.axis_scale(data.N))
    style.fit_scale(axes)
    style.label(axes, style.variable("N"), style.bounded(statement, data.to) + (f" ({data.sampled})" if data.sampled else ""))
    style.legend(figure, axes, title, 3 if width == "column" else 5)
    return figure
