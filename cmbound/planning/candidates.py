"""Multistep sampling as a recursion W -> contraction(t) W + error(t), at candidate times t in float64 (theory 3.5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import exp, log
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

from cmbound.arithmetic.exact import float_below
from cmbound.errors import DomainError, InputError
from cmbound.evaluation.paths import choose_pieces
from cmbound.evaluation.point import evaluate
from cmbound.evaluation.setting import Setting, resolve
from cmbound.evaluation.statement import theorem
from cmbound.evaluation.sums import FLOATS, Sums, node_index, nodes
from cmbound.numbers import exact
from cmbound.planning.problem import rounded

Array = npt.NDArray[np.float64]
ALL_NODES = 200
"""Grids of at most so many steps are searched node by node."""
COARSE = 64
"""Candidate times otherwise, before refinement around the best one."""
_CLOSEST = 1e-6
_FINE = 2e-3
_BETWEEN = 8
_ROOF = 1e-9
TIME_DIGITS = 6
HALF = 0.5


@dataclass(frozen=True)
class Candidate:
    """A time at which an evaluation may take place: W becomes contraction W + error."""

    time: float
    contraction: float
    error: float


def halving_time(setting: Setting) -> float:
    """log(2 L_f), the time beyond delta after which an evaluation halves the distance (Cor 6), for the largest L_f."""
    return log(2 * max(float(x) for x in setting.lists.get("L_f", (setting.values.get("L_f"),))))


class Candidates:
    """The times a multistep sampler may use, with what an evaluation at each does.

    The error at a time is that of ``explicit-map-error``: sums of the consistency and score errors over the steps
    before it, and the best path of profiles up to it, found for each time by itself, as an evaluation does (about 5 ms
    with profile auto). Therefore all nodes are tried on grids of at most 200 steps; on longer grids, and in continuous
    time, 64 log-spaced times are, and then times between the neighbours of the best one until they lie within 0.2%.

    Attributes:
        end: the last time, T or the float64 number below it: as text every time here is at most T, and what is printed may be
            given back.
        first: bound on W2(q_1, p_delta), OU clock.
        scale: e^delta in the variance-exploding clock, else 1: distances here are those of the OU clock.
        early: the early-stopping term, in the clock of the user.
    """

    def __init__(self, params: Mapping[str, Any]) -> None:
        statement = theorem("explicit-multistep")
        for name in ("times", "sigmas", "t_hat", "sigma_hat", "k"):
            if name in params:
                raise InputError(f"the times are chosen here; leave {name} out")
        self.params = dict(params)
        start = {**params, "k": 1}
        self.setting: Setting = resolve(statement, start)
        terms = evaluate(statement, start, "approximate").terms
        self.delta = FLOATS.number(self.setting.values["delta"])
        self.end = float_below(self.setting.values["T"])
        if not self.delta < self.end:
            raise DomainError("times are chosen in float64, in which delta and T are the same number here; give a larger T")
        self.scale = exp(self.delta) if self.setting.clock.name == "ve" else 1.0
        self.early = terms["early_stopping"].value if "early_stopping" in terms else 0.0
        self.first = sum(x.value for name, x in terms.items() if name != "early_stopping") / self.scale
        self._sums = Sums(self.setting, FLOATS)
        self._known: dict[float, Candidate] = {}
        self._table: tuple[Array, Array, Array] | None = None
        self._refines = True
        for time in self._coarse():
            self.at(float(time))

    # --- candidate times ------------------------------------------------------------------------------------------

    @cached_property
    def nodes(self) -> Array | None:
        """The nodes t_1, ..., t_N of the grid, if there is one."""
        if self.setting.grid is None:
            return None
        return np.append(np.asarray(nodes(self.setting, FLOATS)[1:-1], dtype=np.float64), self.end)

    def _coarse(self) -> Array:
        if self.nodes is not None and len(self.nodes) <= ALL_NODES:
            return self.nodes
        width = self.end - self.delta
        wanted = self.delta + width * np.exp(np.linspace(log(_CLOSEST), 0.0, COARSE))
        if self.nodes is not None:
            return np.asarray(self.nodes[np.unique(np.clip(np.searchsorted(self.nodes, wanted), 0, len(self.nodes) - 1))])
        return np.unique([*(self._short(x) for x in wanted), self.end])

    def _short(self, time: float) -> float:
        """A time with few digits, inside (delta, T]."""
        short = float(f"{time:.{TIME_DIGITS - 1}e}")
        return short if self.delta < short <= self.end else min(max(time, np.nextafter(self.delta, 1e9)), self.end)

    def at(self, time: float) -> Candidate:
        """The candidate at a time (a node, if there is a grid)."""
        if time not in self._known:
            end = self._exact(time)
            pieces = choose_pieces(self.setting, self._sums, end)
            contraction = float(self._sums.lipschitz(end)) * exp(self.delta - time)
            error = float(self._consistency_and_score(time, end) + self._sums.local(pieces, end))
            self._known[time] = Candidate(time, contraction, error)
            self._table = None
        return self._known[time]

    def _exact(self, time: float) -> Any:
        return self.setting.values["T"] if time == self.end else exact("t_hat", repr(time))

    def _consistency_and_score(self, time: float, end: Any) -> float:
        if self._running is None:
            return float(self._sums.consistency(end) + self._sums.score(end))
        return float(self._running[node_index(self.setting, end) - 1])

    @cached_property
    def _running(self) -> Array | None:
        """Consistency and score errors up to every node, in one pass."""
        from cmbound.theory.notation import L_f

        grid = self._sums.grid_steps
        if grid is None:
            return None
        rows = grid.columns(0, len(grid.nodes) - 1)
        each = FLOATS.each(self.setting.consistency, rows, self._sums.fixed)
        each = each + FLOATS.each(L_f * self.setting.teacher.score, rows, self._sums.fixed)
        return np.asarray(np.cumsum(each))

    def only(self, time: float) -> None:
        """Keep one candidate."""
        chosen = self.at(time)
        self._known, self._table, self._refines = {time: chosen}, None, False

    @property
    def table(self) -> tuple[Array, Array, Array]:
        """Times, contractions and errors of all candidates, in increasing time."""
        if self._table is None:
            rows = [self._known[x] for x in sorted(self._known)]
            self._table = (
                np.array([x.time for x in rows]),
                np.array([x.contraction for x in rows]),
                np.array([x.error for x in rows]),
            )
        return self._table

    def best(self, objective: Callable[[Any, Any], Any]) -> Candidate:
        """The candidate with the smallest objective(contraction, error), refined between its neighbours."""
        while True:
            times, contractions, errors = self.table
            i = int(np.argmin(objective(contractions, errors)))
            low, high = float(times[max(i - 1, 0)]), float(times[min(i + 1, len(times) - 1)])
            if not self._refines or not np.isfinite(objective(contractions, errors)[i]) or not self._refine(objective, low, high):
                return self._known[float(times[i])]

    def _refine(self, objective: Callable[[Any, Any], Any], low: float, high: float) -> bool:
        """Add candidates between two times; False where none is missing."""
        before = len(self._known)
        if self.nodes is not None:
            inside = np.flatnonzero((self.nodes > low) & (self.nodes < high))
            for j in inside[:: max(1, len(inside) // _BETWEEN)]:
                self.at(float(self.nodes[j]))
        elif high - low > _FINE * high:
            roof = 1e3 * float(np.min(objective(*self.table[1:]))) + _ROOF

            def value(time: float) -> float:
                x = self.at(self._short(time))
                return min(float(objective(np.float64(x.contraction), np.float64(x.error))), roof)

            minimize_scalar(value, bounds=(low, high), method="bounded", options={"xatol": _FINE / 3 * high, "maxiter": 16})
        return len(self._known) > before

    # --- schedules ------------------------------------------------------------------------------------------------

    def greedy(self, steps: int) -> list[Candidate]:
        """The best times of the second to the last evaluation: the bound after each one is the smallest possible."""
        bound, chosen = self.first, []
        for _ in range(steps - 1):
            chosen.append(self.next(bound))
            bound = chosen[-1].contraction * bound + chosen[-1].error
        return chosen

    def next(self, bound: float) -> Candidate:
        """The best time for one more evaluation after a bound."""
        return self.best(lambda contraction, error: contraction * bound + error)

    def best_fixed(self, k: int) -> tuple[float, float]:
        """The best fixed time for k evaluations and the bound after them."""

        def after(contraction: Any, error: Any) -> Any:
            return fixed_bound(self.first, contraction, error, k)

        chosen = self.best(after)
        return chosen.time, float(after(np.float64(chosen.contraction), np.float64(chosen.error)))

    def limit(self) -> tuple[float, Candidate | None]:
        """W_inf = min e(t)/(1 - contraction(t)) over the times that contract, and where (infinite: none does)."""

        def fixed_point(contraction: Any, error: Any) -> Any:
            with np.errstate(divide="ignore"):
                return np.where(contraction < 1, error / np.maximum(1 - contraction, 0), np.inf)

        chosen = self.best(fixed_point)
        value = float(fixed_point(np.float64(chosen.contraction), np.float64(chosen.error)))
        return value, chosen if np.isfinite(value) else None

    def halving(self) -> float | None:
        """The fixed time of Cor 6: the first at which an evaluation halves the distance, log(2 L_f) + delta (None: none does)."""
        if self.nodes is None and self.setting.clock.name == "ou":
            time = float(rounded(self.delta + halving_time(self.setting), True, 12))
            return time if time <= self.end else None
        every = self.nodes if self.nodes is not None else self.table[0]
        for x in every:
            if float(self._sums.lipschitz(self._exact(float(x)))) * exp(self.delta - float(x)) <= HALF:
                return float(x)
        return None


def fixed_bound(first: float, contraction: Any, error: Any, k: int) -> Any:
    """The bound after k evaluations, those after the first at one time."""
    contraction = np.asarray(contraction, dtype=np.float64)
    power = contraction ** (k - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(contraction == 1, k - 1.0, (1 - power) / (1 - contraction))
    return power * first + error * terms
