"""Multistep sampling as a recursion W -> contraction(t) W + error(t), at candidate times t in float64 (theory 3.5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import log
from typing import Any

from cmbound.arithmetic.exact import float_below
from cmbound.arithmetic.minimum import minimum
from cmbound.errors import DomainError, InputError
from cmbound.evaluation.nodes import FLOATS, distinct, nodes
from cmbound.evaluation.paths import choose_pieces
from cmbound.evaluation.point import completed, float_terms
from cmbound.evaluation.sums import Sums
from cmbound.evaluation.terms import contraction, increments
from cmbound.later import Array, np
from cmbound.numbers import exact
from cmbound.planning.problem import rounded
from cmbound.theory.records import Theorem

Objective = Callable[[Any, Any], Any]  # what is to be small, a function of contraction and error
ALL_NODES = 200  # grids of at most so many steps are searched node by node
COARSE = 64  # candidate times otherwise, before refinement around the best one
_CLOSEST = 1e-6  # the first candidate lies beyond delta by this part of T - delta
_FINE = 2e-3  # relative distance of neighbours that are not refined any more: the bound changes in second order
_BETWEEN = 8  # nodes tried between two neighbours, in each round
TIME_DIGITS = 6  # digits of a time that is printed and typed back


@dataclass(frozen=True)
class Candidate:
    """A time at which an evaluation may take place: W becomes contraction W + error."""

    time: float
    contraction: float
    error: float


class Candidates:
    """The times a multistep sampler may use, with what an evaluation at each does.

    The error at a time is that of the map: sums of the consistency and score errors over the steps before it, and the best path
    of profiles up to it, found for each time by itself, as an evaluation does (about 5 ms with profile auto). Therefore all nodes
    are tried on grids of at most 200 steps; on longer grids, and in continuous time, 64 log-spaced times are, and then times
    between the neighbours of the best one until they lie within 0.2%.

    Attributes:
        end: the last time, T or the float64 number below it: as text every time here is at most T, and what is printed may be
            given back.
        first: the bound after the first evaluation, without the terms that no evaluation changes.
        rest: those terms (early stopping).
    """

    def __init__(self, theorem: Theorem, params: Mapping[str, Any], only: float | None = None) -> None:
        own = [name for name in ("times", "sigmas", "t_hat", "sigma_hat", "k") if name in params]
        if own:
            raise InputError(f"the times and their number are chosen here: leave out {', '.join(own)}")
        self.setting = completed(theorem, {**params, "k": 1})
        terms, moved = float_terms(self.setting), {x.name for x in theorem.bare_recursion}
        self.first = sum(x for name, x in terms.items() if name in moved)
        self.rest = sum(x for name, x in terms.items() if name not in moved)
        self.delta = FLOATS.number(self.setting.values["delta"])
        self.end = float_below(self.setting.values["T"])
        if not self.delta < self.end:
            raise DomainError("times are chosen in float64, in which delta and T are the same number here; give a larger T")
        self._sums = Sums(self.setting, FLOATS)
        self._known: dict[float, Candidate] = {}
        self._refines = only is None
        self._add([float(x) for x in self._coarse()] if only is None else [only])

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
            return np.asarray(self.nodes[distinct(np.clip(np.searchsorted(self.nodes, wanted), 0, len(self.nodes) - 1))])
        return np.asarray(distinct([*(self._short(x) for x in wanted), self.end]))

    def _short(self, time: float) -> float:
        """A time with few digits, inside (delta, T]."""
        short = float(f"{time:.{TIME_DIGITS - 1}e}")
        return short if self.delta < short <= self.end else min(max(time, np.nextafter(self.delta, 1e9)), self.end)

    def at(self, time: float) -> Candidate:
        """The candidate at a time (a node, if there is a grid)."""
        self._add([time])
        return self._known[time]

    def _add(self, times: Sequence[float]) -> None:
        """What an evaluation at each of these times does."""
        ends = {time: self._exact(time) for time in times if time not in self._known}
        paths = choose_pieces(self.setting, self._sums, list(ends.values())) if self.setting.theorem.uses_profile else {}
        for time, end in ends.items():
            error = float(sum(increments(self.setting, self._sums, paths, end).values()))
            self._known[time] = Candidate(time, self._contraction(time), error)

    def _exact(self, time: float) -> Any:
        return self.setting.values["T"] if time == self.end else exact("t_hat", repr(time))

    def _contraction(self, time: float) -> float:
        return float(contraction(self.setting, self._sums, self._exact(time)))

    def best(self, objective: Objective) -> Candidate:
        """The candidate at which the objective is smallest, refined between its neighbours."""
        while True:
            every = [self._known[x] for x in sorted(self._known)]
            values = objective(*(np.array([getattr(x, name) for x in every]) for name in ("contraction", "error")))
            i = int(np.argmin(values))
            low, high = every[max(i - 1, 0)].time, every[min(i + 1, len(every) - 1)].time
            if not self._refines or not np.isfinite(values[i]) or not self._refine(objective, float(values[i]), low, high):
                return every[i]

    def _refine(self, objective: Objective, least: float, low: float, high: float) -> bool:
        """Add candidates between two times; False where none is missing."""
        before = len(self._known)
        if self.nodes is not None:
            inside = np.flatnonzero((self.nodes > low) & (self.nodes < high))
            self._add([float(x) for x in self.nodes[inside[:: max(1, len(inside) // _BETWEEN)]]])
        elif high - low > _FINE * high:
            roof = 1e3 * least  # where nothing contracts the objective is infinite, which no search likes

            def value(time: float) -> float:
                return min(value_of(objective, self.at(self._short(time))), roof)

            minimum(value, low, high, _FINE / 3 * high, most=16)
        return len(self._known) > before

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
        return chosen.time, value_of(after, chosen)

    def limit(self) -> tuple[float, Candidate | None]:
        """W_inf = min e(t)/(1 - contraction(t)) over the times that contract, and where (infinite: none does)."""

        def fixed_point(contraction: Any, error: Any) -> Any:
            with np.errstate(divide="ignore"):
                return np.where(contraction < 1, error / np.maximum(1 - contraction, 0), np.inf)

        chosen = self.best(fixed_point)
        value = value_of(fixed_point, chosen)
        return value, chosen if np.isfinite(value) else None

    def halving(self) -> float | None:
        """The fixed time of Cor 6: the first at which an evaluation halves the distance, log(2 L_f) + delta (None: none does)."""
        values = self.setting.values
        if self.nodes is None and self.setting.clock.name == "ou" and "L_f" in values:
            time = float(rounded(self.delta + log(2 * float(values["L_f"])), True, 12))
            return time if time <= self.end else None
        every = map(float, self.nodes) if self.nodes is not None else sorted(self._known)
        return next((x for x in every if self._contraction(x) <= 0.5), None)


def value_of(objective: Objective, candidate: Candidate) -> float:
    """The objective at one candidate."""
    return float(objective(np.float64(candidate.contraction), np.float64(candidate.error)))


def fixed_bound(first: float, contraction: Any, error: Any, k: int) -> Any:
    """The bound after k evaluations, those after the first at one time."""
    contraction = np.asarray(contraction, dtype=np.float64)
    power = contraction ** (k - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(contraction == 1, k - 1.0, (1 - power) / (1 - contraction))
    return power * first + error * terms
