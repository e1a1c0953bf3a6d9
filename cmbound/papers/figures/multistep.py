"""The bound after each evaluation of multistep sampling: best times, best fixed time, Cor 6, the limit, and measured W2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from cmbound.arithmetic.exact import in_clock
from cmbound.errors import InputError
from cmbound.evaluation.records import Evaluation
from cmbound.frozen import FrozenDict
from cmbound.papers.figures import style
from cmbound.papers.figures.data import Array, FigureData
from cmbound.planning.records import Schedule
from cmbound.planning.schedule import schedule
from cmbound.verification.request import DEFAULT_HORIZON
from cmbound.verification.simulation import simulate
from cmbound.worlds.gaussian import Gaussian
from cmbound.worlds.process import noise_level

SCHEDULES = ("best", "fixed", "best_fixed")
"""Best times; the fixed time of Cor 6; the best fixed time."""
_LOOKS = FrozenDict(
    {
        "best": ("best times", style.BLUE, "o", "-"),
        "fixed": ("fixed time (Cor. 6)", style.VERMILLION, "s", "--"),
        "best_fixed": ("best fixed time", style.GREEN, "^", "-."),
    }
)
_MOST_MARKERS = 12  # more hide the line


@dataclass(frozen=True, eq=False)
class MultistepData(FigureData):
    """Certified bounds after each evaluation.

    Attributes:
        k: numbers of the evaluations (n,).
        times: for each of ``SCHEDULES`` the times (noise levels in the ``ve`` clock), each (n,).
        bounds: likewise the certified bounds.
        measured: likewise the exact W2 of a run in the Gaussian world; empty without one.
        limit: where the bound tends to with more and more evaluations (float64, infinite: no time contracts).
        steps_worth_taking: the number of evaluations after which another one gains less than 1% of the first bound.
        to, clock: as in an evaluation.
    """

    k: Array
    times: Mapping[str, Array]
    bounds: Mapping[str, Array]
    measured: Mapping[str, Array]
    limit: float
    steps_worth_taking: int
    to: str
    clock: str

    @property
    def columns(self) -> Mapping[str, Sequence[Any] | Array]:
        """The number of evaluations, times, bounds and measured W2 of each schedule, and the limit."""
        found: dict[str, Sequence[Any] | Array] = {"k": self.k}
        for name in SCHEDULES:
            found |= {f"{name}_time": self.times[name], f"{name}_bound": self.bounds[name]}
            if name in self.measured:
                found[f"{name}_measured"] = self.measured[name]
        return {**found, "limit": np.full(len(self.k), self.limit)}


def multistep_data(*, steps: Any = 8, world: Gaussian | None = None, **params: Any) -> MultistepData:
    """Plan multistep sampling and, in a Gaussian world, run the sampler at the times found.

    Args:
        steps: number of evaluations, the first at T included.
        world: the data law of a run. The constants of the bound are then those of the run, exact.
        params: as for :func:`cmbound.schedule`; with a world only ``delta``, ``T`` (noise levels in the ``ve`` clock), ``N``,
            ``eps_sc``, ``eps_cm`` and the options, as for :func:`cmbound.verification.simulation.simulate`.

    Raises:
        CmboundError: as there, or a parameter that a world determines.
    """
    given = {name: x for name, x in params.items() if x is not None}
    if world is None:
        return planned(schedule(steps=steps, **given))
    run = _run_options(given)
    found = simulate(world, times=[_start(run)], n=1, **run)  # a second evaluation at T adds no node to the grid
    constants = {name: x for name, x in found.parameters.items() if name not in ("k", "times", "sigmas", "t_hat", "sigma_hat")}
    plan = schedule(steps=steps, **constants)
    return planned(plan, {name: _measured(world, run, x) for name, x in _evaluations(plan).items()})


def planned(plan: Schedule, measured: Mapping[str, Array] | None = None) -> MultistepData:
    """The data of a schedule, with the W2 of a run at its times if there was one."""
    clock = plan.optimal.clock
    steps = {name: x.steps or () for name, x in _evaluations(plan).items()}
    return MultistepData(
        k=np.array([x.k for x in steps["best"]], dtype=np.float64),
        times={name: np.array([in_clock(x.t, clock) for x in rows]) for name, rows in steps.items()},
        bounds={name: np.array([x.value for x in rows]) for name, rows in steps.items()},
        measured=measured or {},
        limit=plan.limit,
        steps_worth_taking=plan.steps_worth_taking,
        to=plan.optimal.target or "p_data",
        clock=clock,
    )


def _evaluations(plan: Schedule) -> dict[str, Evaluation]:
    return {"best": plan.optimal, "fixed": plan.fixed, "best_fixed": plan.best_fixed}


def _run_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters and options of a run, as :func:`cmbound.verification.simulation.simulate` calls them."""
    ends = {"sigma_min": "delta", "sigma_max": "horizon"} if given.get("clock") == "ve" else {"delta": "delta", "T": "horizon"}
    names = {**ends, "N": "grid_steps", "eps_sc": "eps_sc", "eps_cm": "eps_cm"}
    options = ("grid", "teacher", "student", "start", "clock", "to", "profile")
    for name in given:
        if name not in (*names, *options):
            raise InputError(f"{name} follows from the world of the run; give {', '.join(names)} and options only")
    return {names.get(name, name): x for name, x in given.items()}


def _measured(world: Gaussian, run: Mapping[str, Any], evaluation: Evaluation) -> Array:
    """Exact W2 after each evaluation of a run at the times of a schedule."""
    steps = evaluation.steps or ()
    times = [in_clock(x.t, evaluation.clock) for x in steps[1:]] or [_start(run)]
    found = simulate(world, times=times, n=1, **run)
    return np.array([x.w2.value for x in found.steps[: len(steps)]])


def _start(run: Mapping[str, Any]) -> Any:
    """The horizon of a run, in its clock."""
    return run.get("horizon", noise_level(DEFAULT_HORIZON) if run.get("clock") == "ve" else DEFAULT_HORIZON)


@style.in_paper_style
def multistep_figure(data: MultistepData, *, width: str = "column", title: str | None = None) -> Figure:
    """Draw bounds and limit against the number of evaluations; a page shows the times beside.

    Open marks show the measured W2 of the run with the best times (arguments as for :func:`.terms.terms_figure`).
    """
    page = width == "page"
    figure, panels = style.new_figure(width, 2.4 if page else 2.6, columns=1 + page)
    every = max(1, -(-len(data.k) // _MOST_MARKERS))
    for i, (name, (label_of, colour, marker, line)) in enumerate(_LOOKS.items()):
        looks: dict[str, Any] = {"color": colour, "marker": marker, "linestyle": line, "label": label_of, "markevery": every}
        for axes, values in zip(panels, (data.bounds, data.times), strict=False):
            axes.plot(data.k, values[name], **looks, **style.nested(len(_LOOKS) - i))
    if isfinite(data.limit):
        style.level(panels[0], data.limit, "limit")
    if "best" in data.measured and np.any(data.measured["best"] > 0):
        panels[0].plot(
            data.k, data.measured["best"], color=style.BLACK, marker="o", markerfacecolor="white", linestyle=":", linewidth=0.8,
            label="measured $W_2$ (best times)", markevery=every, zorder=4,
        )  # fmt: skip
    both = f"$W_2(q_k, {style.law(data.to)})$"
    names = (
        both if data.measured else f"bound on {both}",
        r"noise level $\sigma_{n_k}$" if data.clock == "ve" else "time $t_{n_k}$",
    )
    for axes, name in zip(panels, names, strict=False):
        style.fit_scale(axes)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        style.label(axes, style.variable("k"), name)
    style.legend(figure, panels[0], title, 5 if page else 2)
    return figure
