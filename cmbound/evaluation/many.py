"""The choice of profiles for many settings at once: one shortest path for each (one setting: :mod:`cmbound.evaluation.paths`).

Columns are arrays of shape (K, P): K candidate nodes, P settings. A loop runs over the nodes alone. The paths are chosen by
tables (:mod:`cmbound.evaluation.separated`), and what they cost is then computed by the bounds themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import sympy

from cmbound.arithmetic.backend import ordered_symbols
from cmbound.evaluation.paths import TIE
from cmbound.evaluation.separated import LAST, Separated, separated
from cmbound.evaluation.sums import FLOATS
from cmbound.frozen import FrozenDict
from cmbound.later import Array, Index, NDArray, np
from cmbound.theory.notation import a, b
from cmbound.theory.rules import Rule

Values = Mapping[Any, Any]
_ROUNDING = 1e-12  # of a step: sums that end at the same time differ by no more
MANY = 100  # settings from which on it is faster to leave ways out one by one than to compute all at once


@dataclass
class Tables:
    """The parts of the cost of one rule at the nodes, by their names. One column may stand for all settings: P or 1.

    Attributes:
        cost: what is taken apart.
        fixed: shape (P,) or scalars.
        begin, end: shape (K, P): at the node where a stretch begins or ends.
        sums: two of shape (K, P): what a sum has where a stretch begins and where it ends.
        steps: shape (K - 1, P): of sums over the steps of a grid the value between neighbours.
        peaks: shape (K - 1, P): of these the largest on a stretch enters.
    """

    cost: Separated
    fixed: Values
    begin: Mapping[Any, Array]
    end: Mapping[Any, Array]
    sums: Mapping[Any, tuple[Array, Array]]
    steps: Mapping[Any, Array] = FrozenDict()
    peaks: Mapping[Any, Array] = FrozenDict()

    def __post_init__(self) -> None:
        names = (*self.fixed, *self.begin, *self.end, *self.sums, *self.steps, *self.peaks)
        self._function = FLOATS.compile((self.cost.expr,), names)
        self._running = [np.zeros(x.shape) for x in self.steps.values()]
        self._largest = [np.zeros(x.shape) for x in self.peaks.values()]

    def between(self, start: Any, end: Any) -> Array:
        """The costs from some nodes to others, without steps and peaks."""
        begins, ends = (x[start] for x in self.begin.values()), (x[end] for x in self.end.values())
        sums = (low[start] + high[end] for low, high in self.sums.values())
        return self._cost([*self.fixed.values(), *begins, *ends, *sums])

    def column(self, k: int) -> Array:
        """The costs to node ``k`` from the nodes before it, shape (k, P), after those to node ``k`` - 1.

        Sums over steps grow by a step at a time: nothing cancels.
        """
        begins, ends = (x[:k] for x in self.begin.values()), (x[k] for x in self.end.values())
        sums = (low[:k] + high[k] for low, high in self.sums.values())
        for running, steps in zip(self._running, self.steps.values(), strict=True):
            running[:k] += steps[k - 1]
        for largest, peaks in zip(self._largest, self.peaks.values(), strict=True):
            np.maximum(largest[:k], peaks[k - 1], out=largest[:k])
        return self._cost([*self.fixed.values(), *begins, *ends, *sums, *(x[:k] for x in (*self._running, *self._largest))])

    def _cost(self, given: Sequence[Any]) -> Array:
        return np.asarray(self._function(*given)[0])

    def gains(self) -> Array:
        """How much more a stretch costs at least that goes on to the next node, shape (K - 1, P); not a number: not known."""
        known: Any = all(np.all(x >= 0) for x in (*self.fixed.values(), *self.begin.values()))
        grown = []
        for _, end in self.sums.values():
            more = np.diff(end, axis=0)
            if (more < 0).any():
                known = known & (more >= -_ROUNDING * np.abs(end[1:]))
                more = np.maximum(more, 0.0)
            grown.append(more)
        gains = FLOATS.compile((self.cost.growth,), (*self.fixed, *self.sums))(*self.fixed.values(), *grown)[0]
        return np.asarray(gains) if known is True else np.where(known, gains, np.nan)


@cache
def keep_freed_memory() -> None:
    """Let the C library keep what is freed, for the next arrays: new pages cost more than what is computed in them.

    That of GNU gives back what is free beyond twice the largest block that was ever freed, as long as that is below 32 MB.
    """
    np.empty(31 << 17)


def tables(
    costs: Sequence[Separated],
    times: Array,
    ends: Array,
    values: Values,
    steps: Mapping[Any, Array] = FrozenDict(),
    peaks: Mapping[Any, Array] = FrozenDict(),
) -> list[Tables]:
    """The tables of several rules.

    Args:
        costs: what they cost.
        times, ends: shape (K, P): where a stretch begins, and where one that ends at this candidate really ends.
        values: parameters by symbol, shape (P,) or scalars.
        steps: sums over the steps of a grid, between neighbours.
        peaks: what enters by its largest value.
    """
    at_begin = [x for cost in costs for x in (*cost.begin.values(), *(low for low, _ in cost.sums.values()))]
    at_end = [x for cost in costs for x in (*cost.end.values(), *(high for _, high in cost.sums.values()))]
    begin = iter(columns(at_begin, {**values, a: times, LAST: times[-1]}, len(times)))
    end = iter(columns(at_end, {**values, b: ends, LAST: times[-1]}, len(times)))
    fixed = iter(computed([x for cost in costs for x in cost.fixed.values()], values))
    found = []
    for cost in costs:
        begins, ends_ = {x: next(begin) for x in cost.begin}, {x: next(end) for x in cost.end}
        sums = {x: (next(begin), next(end)) for x in cost.sums}
        found.append(Tables(cost, {x: next(fixed) for x in cost.fixed}, begins, ends_, sums, steps, peaks))
    return found


def columns(exprs: Sequence[Any], values: Values, size: int) -> list[Array]:
    """Several expressions at nodes, shape (size, P) or (size, 1)."""
    found = [np.atleast_1d(x) for x in computed(exprs, values)]
    return [np.broadcast_to(x, (size, x.shape[-1])) for x in found]


def computed(exprs: Sequence[Any], values: Values) -> list[Any]:
    """Several expressions at once: what they share is computed once."""
    symbols = _symbols(tuple(exprs))
    return FLOATS.compile(tuple(exprs), symbols)(*(values[x] for x in symbols))


@lru_cache(maxsize=512)
def _symbols(exprs: tuple[Any, ...]) -> tuple[Any, ...]:
    return ordered_symbols(sympy.Tuple(*exprs))


def evaluated(expr: Any, values: Values, shape: tuple[int, ...]) -> Array:
    """One expression as a column."""
    return np.broadcast_to(np.asarray(computed([expr], values)[0], dtype=np.float64), shape)


# --- shortest paths -------------------------------------------------------------------------------------------------


@dataclass
class Pieces:
    """The stretches of all paths: for each the number of the setting, of the rule, and of the nodes it begins and ends at."""

    setting: Index
    rule: Index
    start: Index
    end: Index

    def of(self, rule: int) -> tuple[Index, Index, Index]:
        """Settings, beginnings and ends of the stretches with one rule."""
        mine = self.rule == rule
        return self.setting[mine], self.start[mine], self.end[mine]


def shortest(tables: Sequence[Tables], same: NDArray[np.bool_], count: int, lazily: bool = False) -> tuple[Array, Pieces]:
    """The cheapest path from the first node to the last for each setting: its cost by the tables (infinite: none), its stretches.

    Args:
        tables: of the rules.
        same: shape (K - 1, P): whether a node is at the time of the one after it.
        count: P.
        lazily: leave out ways that cannot be the best where costs are known to grow: faster for many settings that are alike.
    """
    size = len(same) + 1
    search = _Search(size, count, len(tables) + 1)
    sums = [_Sum(search, r, x) for r, x in enumerate(tables) if x.cost.is_sum]
    others = [(r, x) for r, x in enumerate(tables) if not x.cost.is_sum]
    growing = {r: _Growing(search, r, x) for r, x in others if lazily and x.cost.growth is not None}
    others = [(r, x) for r, x in others if r not in growing]
    with np.errstate(all="ignore"):
        for k in range(1, size):
            if same[k - 1].any():
                search.arrive(k, np.where(same[k - 1], search.best[k - 1], np.inf), search.code(k - 1, len(tables)))
            for cheapest in sums:
                cheapest.extend(k)
            for r, x in others:
                total = x.column(k) + search.best[:k]
                least = np.fmin.reduce(total, axis=0)
                first = np.maximum.reduce((total == least) * np.arange(k, dtype=np.int16)[:, None], axis=0)
                search.arrive(k, least, search.code(first, r))
            for ways in growing.values():
                ways.extend(k)
            for i, r in search.leaders(k - 1):
                if r in growing:
                    growing[r].compute(k, i)
            for ways in growing.values():
                ways.settle(k)
    return search.best[-1], search.walked()


class _Sum:
    """The cheapest way by a rule whose cost is a sum of what depends on one end alone: it is so wherever the stretch ends."""

    def __init__(self, search: _Search, rule: int, table: Tables) -> None:
        self.search, self.rule = search, rule
        size, count = search.best.shape
        nothing = np.zeros((size, 1))
        self.low, self.high = table.sums.get(table.cost.expr, (nothing, nothing))
        self.steps = table.steps.get(table.cost.expr, nothing)
        self.lowest, self.code = np.full(count, np.inf), np.zeros(count, dtype=np.int16)

    def extend(self, k: int) -> None:
        """Come to node ``k`` from the best node before it."""
        start = self.search.best[k - 1] + self.low[k - 1]
        better = start < self.lowest
        np.copyto(self.lowest, start, where=better)
        np.copyto(self.code, self.search.code(k - 1, self.rule), where=better)
        self.lowest += self.steps[k - 1]
        self.search.arrive(k, self.lowest + self.high[k], self.code)


class _Growing:
    """The ways to every node by a rule whose cost is known to grow: of these only the ones are computed that may be the best."""

    def __init__(self, search: _Search, rule: int, table: Tables) -> None:
        self.search, self.rule, self.table = search, rule, table
        shape = len(search.best) - 1, search.best.shape[1]
        with np.errstate(all="ignore"):
            neighbours = table.between(slice(None, -1), slice(1, None))
            self.neighbours, gains = (np.broadcast_to(x, shape) for x in (neighbours, table.gains()))
        self.unknown = np.isnan(gains)
        self.gains = np.where(self.unknown, 0.0, gains) if self.unknown.any() else gains
        self.grown = np.zeros(shape[1])
        self.low = np.empty(shape)  # of each way the cost when it was last computed, less what had grown by then

    def extend(self, k: int) -> None:
        """Go on to node ``k``, and come to it from the node before."""
        self.grown += self.gains[k - 1]
        if self.unknown[k - 1].any():
            self.low[: k - 1, self.unknown[k - 1]] = -np.inf
        self._arrive(k, k - 1, self.neighbours[k - 1])

    def compute(self, k: int, i: int) -> None:
        """Come to node ``k`` from node ``i``."""
        self._arrive(k, i, self.table.between(i, k))

    def settle(self, k: int) -> None:
        """Come to node ``k`` from all nodes from where that may be cheaper than the best way so far."""
        settled = (self.low[: k - 1] >= self.search.best[k] - self.grown).all(axis=1)
        for i in np.flatnonzero(~settled).tolist():
            self.compute(k, i)

    def _arrive(self, k: int, i: int, cost: Array) -> None:
        total = cost + self.search.best[i]
        self.search.arrive(k, total, self.search.code(i, self.rule))
        np.subtract(total, self.grown, out=self.low[i])


class _Search:
    """The costs of the best paths to every node, and a code for the node and the rule each comes from."""

    def __init__(self, size: int, count: int, rules: int) -> None:
        self.rules = rules
        self.best = np.full((size, count), np.inf)
        self.best[0] = 0.0
        self.origin = np.zeros((size, count), dtype=np.int16)

    def code(self, i: Any, rule: int) -> Any:
        return i * self.rules + rule

    def arrive(self, k: int, cost: Array, code: Any) -> None:
        """Come to a node where that is cheaper than the best way so far; a cost that is not a number is not."""
        better = cost < self.best[k]
        np.copyto(self.best[k], cost, where=better)
        np.copyto(self.origin[k], code, where=better)

    def leaders(self, k: int) -> list[tuple[int, int]]:
        """The node and the rule from which some of the settings come to node ``k``."""
        return [divmod(x, self.rules) for x in set(self.origin[k, :: 1 + len(self.origin[k]) // 8].tolist())] if k else []

    def walked(self) -> Pieces:
        """The stretches of the paths that exist, but for those without length."""
        found: list[tuple[Index, Index, Index, Index]] = []
        left = np.flatnonzero(np.isfinite(self.best[-1]))
        at = np.full(len(left), len(self.best) - 1)
        while len(left):
            before, rule = np.divmod(self.origin[at, left].astype(np.intp), self.rules)
            found.append((left, rule, before, at))
            left, at = left[before > 0], before[before > 0]
        columns = [np.concatenate(x) for x in zip(*found, strict=True)] if found else [np.zeros(0, dtype=np.intp)] * 4
        real = columns[1] < self.rules - 1
        return Pieces(*(x[real] for x in columns))


# --- a grid of which only the largest step is known -----------------------------------------------------------------


def closed_costs(rules: Sequence[Rule], times: Array, ends: Array, values: Values, count: int) -> Array:
    """For each setting L_f times the smallest bound on the local errors, shape (P,).

    Args:
        rules: to choose from on each stretch.
        times, ends: as for :func:`tables`.
        values: parameters by symbol, shape (P,) or scalars.
        count: P.
    """
    bounds = computed([x.weighted_bound for x in rules], {**values, a: times[0], b: times[-1]})
    cost: Array = finite([np.broadcast_to(x, count) for x in bounds]).min(axis=0)
    cuttable = [x for x in rules if x.cuttable]
    if not cuttable:
        return cost
    keep_freed_memory()
    costs = tables([separated(x.bound) for x in cuttable], times, ends, values)
    found, pieces = shortest(costs, times[:-1] == times[1:], count, lazily=count >= MANY)
    total = np.where(np.isfinite(found), 0.0, np.inf)
    times, ends = (np.broadcast_to(x, (len(x), count)) for x in (times, ends))
    for number, rule in enumerate(cuttable):
        which, start, end = pieces.of(number)
        if len(which):
            rows = {x: y[which] if np.ndim(y) else y for x, y in values.items()}
            paid = evaluated(rule.weighted_bound, {**rows, a: times[start, which], b: ends[end, which]}, which.shape)
            total += np.bincount(which, paid, minlength=count)
    return np.where(total < cost * (1 - TIE), total, cost)


def finite(rows: Sequence[Array]) -> Array:
    """Costs one above the other, infinite where they are not finite."""
    costs = np.stack(rows)
    return np.where(np.isfinite(costs), costs, np.inf)
