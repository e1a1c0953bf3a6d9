"""The choice of profiles for many settings at once: one shortest path for each (one setting: :mod:`cmbound.evaluation.paths`).

Columns are arrays of shape (K, P): K candidate nodes, P settings. A loop runs over the nodes alone. The paths are chosen by
tables (:mod:`cmbound.evaluation.separated`), and what they cost is then computed by the bounds themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sympy

from cmbound.arithmetic.backend import ordered_symbols
from cmbound.evaluation.paths import TIE
from cmbound.evaluation.separated import Separated, separated
from cmbound.evaluation.sums import FLOATS
from cmbound.frozen import FrozenDict
from cmbound.later import Array, Index, NDArray, np
from cmbound.theory.notation import a, b
from cmbound.theory.rules import Rule

Values = Mapping[Any, Any]
_ROUNDING = 1e-12  # of a step: sums that end at the same time differ by no more
MANY = 200  # settings from which on it is faster to leave ways out one by one than to compute all at once


@dataclass
class Tables:
    """The parts of the cost of one rule at the nodes, by their names.

    Attributes:
        cost: what is taken apart.
        fixed: shape (P,) or scalars.
        begin, end: shape (K, P): at the node where a stretch begins or ends.
        steps: shape (K - 1, P): of additive parts the value between neighbours.
        low, high: shape (K, P): what such a sum has besides where a stretch begins and where it ends.
        peaks: shape (K - 1, P): of these the largest on a stretch enters.
    """

    cost: Separated
    fixed: Values
    begin: Mapping[Any, Array]
    end: Mapping[Any, Array]
    steps: Mapping[Any, Array]
    low: Mapping[Any, Array]
    high: Mapping[Any, Array]
    peaks: Mapping[Any, Array]

    def __post_init__(self) -> None:
        names = (*self.fixed, *self.begin, *self.end, *self.steps, *self.peaks)  # in the order of the arguments below
        self._function = FLOATS.compile((self.cost.expr,), names)
        self._sums = {x: np.array(y) for x, y in self.low.items()}
        self._tails = {x: y if y.any() else None for x, y in self.high.items()}
        self._largest = {x: np.zeros(y.shape) for x, y in self.peaks.items()}
        self._reached: dict[int, int] = {}

    def column(self, k: int) -> Array:
        """The costs to node ``k`` from the nodes before it, shape (k, P), after those to node ``k`` - 1.

        Sums grow by a step at a time: nothing cancels.
        """
        for x, sums in self._sums.items():
            sums[:k] += self.steps[x][k - 1]
        for x, largest in self._largest.items():
            np.maximum(largest[:k], self.peaks[x][k - 1], out=largest[:k])
        given = [*self.fixed.values(), *(x[:k] for x in self.begin.values()), *(x[k] for x in self.end.values())]
        for sums, tail in zip(self._sums.values(), self._tails.values(), strict=True):
            given.append(sums[:k] if tail is None else sums[:k] + tail[k])
        return np.asarray(self._function(*given, *(x[:k] for x in self._largest.values()))[0])

    def single(self, k: int, i: int) -> Array:
        """The cost to node ``k`` from node ``i`` alone, shape (P,), after those from there to nodes before ``k``."""
        since = self._reached.get(i, i)
        self._reached[i] = k
        given = [*self.fixed.values(), *(x[i] for x in self.begin.values()), *(x[k] for x in self.end.values())]
        for x, sums in self._sums.items():
            sums[i] += self.steps[x][since] if since == k - 1 else self.steps[x][since:k].sum(axis=0)
            given.append(sums[i] + self.high[x][k])
        return np.asarray(self._function(*given)[0])

    def neighbours(self) -> Array:
        """The costs between neighbours, shape (K - 1, P)."""
        ends = [x[1:] for x in self.end.values()]
        sums = [self.low[x][:-1] + y + self.high[x][1:] for x, y in self.steps.items()]
        return np.asarray(self._function(*self.fixed.values(), *(x[:-1] for x in self.begin.values()), *ends, *sums)[0])

    def gains(self) -> Array:
        """How much more a stretch costs at least that goes on to the next node, shape (K - 1, P); not a number: not known."""
        steps = list(self.steps.values())
        grown = [y + np.diff(x, axis=0) for x, y in zip(self.high.values(), steps, strict=True)]
        found = FLOATS.compile((self.cost.growth,), (*self.fixed, *self.steps))
        gains = found(*self.fixed.values(), *(np.maximum(x, 0.0) for x in grown))[0]
        known = all(np.all(x >= 0) for x in (*self.fixed.values(), *self.begin.values()))
        rising = [x >= -_ROUNDING * np.abs(y) for x, y in zip(grown, steps, strict=True)]
        return np.where(np.all(rising, axis=0) & known, gains, np.nan)


def closed_tables(costs: Sequence[Separated], times: Array, ends: Array, values: Values) -> list[Tables]:
    """The tables of several rules on a grid of which only the largest step is known.

    Args:
        costs: what they cost.
        times, ends: shape (K, P): where a stretch begins, and where one that ends at this candidate really ends.
        values: parameters by symbol, shape (P,) or scalars.
    """
    parts = [x for cost in costs for _, _, x in cost.sums.values()]
    later = ends > times
    beyond = [x * later for x in computed(parts, {**values, a: times, b: ends}, times.shape)]
    return tables(costs, times, ends, values, between(parts, times, values), beyond)


def between(parts: Sequence[Any], times: Array, values: Values) -> list[Array]:
    """The values of expressions between neighbouring nodes, 0 where they are at the same time."""
    found = computed(parts, {**values, a: times[:-1], b: times[1:]}, times[1:].shape)
    same = times[:-1] == times[1:]
    return [np.where(same, 0.0, x) for x in found] if same.any() else found


def tables(
    costs: Sequence[Separated],
    times: Array,
    ends: Array,
    values: Values,
    steps: Sequence[Array],
    beyond: Sequence[Array] = (),
    peaks: Mapping[Any, Array] = FrozenDict(),
) -> list[Tables]:
    """The tables of several rules (arguments as for :func:`closed_tables`).

    Args:
        steps: of their additive parts, in their order, the values between neighbours.
        beyond: of these the values between ``times`` and ``ends``.
        peaks: what enters by its largest value.
    """
    sums = [x for cost in costs for x in cost.sums.values()]
    at_begin = computed([*(x for x, _, _ in sums), *_all(costs, "begin")], {**values, a: times}, times.shape)
    at_end = computed([*(x for _, x, _ in sums), *_all(costs, "end")], {**values, b: ends}, times.shape)
    columns = {"begin": at_begin[len(sums) :], "end": at_end[len(sums) :], "steps": steps, "low": at_begin[: len(sums)]}
    columns["high"] = [x + y for x, y in zip(at_end, beyond, strict=False)] if beyond else at_end[: len(sums)]
    columns["fixed"] = computed(_all(costs, "fixed"), values, times.shape[1:])
    left = {name: iter(x) for name, x in columns.items()}
    found = []
    for cost in costs:
        names = {"fixed": cost.fixed, "begin": cost.begin, "end": cost.end} | dict.fromkeys(("steps", "low", "high"), cost.sums)
        parts = {name: {x: next(left[name]) for x in known} for name, known in names.items()}
        found.append(Tables(cost, **parts, peaks=peaks))
    return found


def _all(costs: Sequence[Separated], name: str) -> list[Any]:
    return [x for cost in costs for x in getattr(cost, name).values()]


def computed(exprs: Sequence[Any], values: Values, shape: tuple[int, ...]) -> list[Array]:
    """Several expressions at once: what they share is computed once."""
    symbols = _symbols(tuple(exprs))
    found = FLOATS.compile(tuple(exprs), symbols)(*(values[x] for x in symbols))
    return [np.broadcast_to(np.asarray(x, dtype=np.float64), shape) for x in found]


@lru_cache(maxsize=512)
def _symbols(exprs: tuple[Any, ...]) -> tuple[Any, ...]:
    return ordered_symbols(sympy.Tuple(*exprs))


def evaluated(expr: Any, values: Values, shape: tuple[int, ...]) -> Array:
    """One expression as a column."""
    return computed([expr], values, shape)[0]


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


def shortest(tables: Sequence[Tables], same: NDArray[np.bool_], lazily: bool = False) -> tuple[Array, Pieces]:
    """The cheapest path from the first node to the last for each setting: its cost by the tables (infinite: none), its stretches.

    Args:
        tables: of the rules.
        same: shape (K - 1, P): whether a node is at the time of the one after it.
        lazily: leave out ways that cannot be the best where costs are known to grow: faster for many settings that are alike.
    """
    size, count = same.shape[0] + 1, same.shape[1]
    search = _Search(size, count, len(tables) + 1)
    sums = [(r, x, np.full(count, np.inf), np.zeros(count, dtype=np.int16)) for r, x in enumerate(tables) if x.cost.additive]
    others = [(r, x) for r, x in enumerate(tables) if not x.cost.additive]
    growing = {r: _Growing(search, r, x) for r, x in others if lazily and x.cost.growth is not None}
    others = [(r, x) for r, x in others if r not in growing]
    with np.errstate(all="ignore"):
        for k in range(1, size):
            search.arrive(k, np.where(same[k - 1], search.best[k - 1], np.inf), search.code(k - 1, len(tables)))
            for r, x, lowest, code in sums:  # each step costs the same wherever the stretch begins: so does the best one
                np.copyto(code, search.code(k - 1, r), where=search.best[k - 1] < lowest)
                np.fmin(lowest, search.best[k - 1], out=lowest)
                lowest += x.steps[x.cost.expr][k - 1]
                search.arrive(k, lowest + x.high[x.cost.expr][k], code)
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


class _Growing:
    """The ways to every node by a rule whose cost is known to grow: of these only the ones are computed that may be the best."""

    def __init__(self, search: _Search, rule: int, table: Tables) -> None:
        self.search, self.rule, self.table = search, rule, table
        shape = len(search.best) - 1, search.best.shape[1]
        with np.errstate(all="ignore"):
            self.neighbours, gains = (np.broadcast_to(x, shape) for x in (table.neighbours(), table.gains()))
        self.unknown = np.isnan(gains)
        self.gains = np.where(self.unknown, 0.0, gains)
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
        self._arrive(k, i, self.table.single(k, i))

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
        return np.asarray(i * self.rules + rule, dtype=np.int16)

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


def closed_costs(rules: Sequence[Rule], times: Array, ends: Array, values: Values) -> Array:
    """For each setting L_f times the smallest bound on the local errors, shape (P,).

    Args:
        rules: to choose from on each stretch.
        times, ends: as for :func:`closed_tables`.
        values: parameters by symbol, shape (P,) or scalars.
    """
    count = times.shape[1]
    whole = finite(computed([x.weighted_bound for x in rules], {**values, a: times[0], b: times[-1]}, (count,)))
    cost: Array = whole.min(axis=0)
    cuttable = [x for x in rules if x.cuttable]
    if not cuttable:
        return cost
    costs = closed_tables([separated(x.bound) for x in cuttable], times, ends, values)
    found, pieces = shortest(costs, times[:-1] == times[1:], lazily=count >= MANY)
    total = np.where(np.isfinite(found), 0.0, np.inf)
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
