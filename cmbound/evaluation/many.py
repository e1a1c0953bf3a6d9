"""The choice of profiles for many settings at once: one shortest path for each (one setting: :mod:`cmbound.evaluation.paths`).

Columns are arrays of shape (K, P): K candidate nodes, P settings. A loop runs over the nodes alone. The paths are chosen by
tables (:mod:`cmbound.evaluation.separated`), and what they cost is then computed by the bounds themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import sympy

from cmbound.arithmetic.backend import ordered_symbols
from cmbound.evaluation.paths import TIE
from cmbound.evaluation.separated import Separated, separated
from cmbound.evaluation.sums import FLOATS
from cmbound.theory.notation import a, b
from cmbound.theory.rules import Rule

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]
Values = Mapping[Any, Any]


@dataclass
class Tables:
    """The parts of the cost of one rule at the nodes, by their names.

    Attributes:
        cost: what is taken apart.
        fixed: shape (P,) or scalars.
        begin, end: shape (K, P): at the node where a stretch begins or ends.
        low, high: shape (K, P): sums, ``low`` where a stretch begins plus ``high`` where it ends.
        peaks: shape (K - 1, P): of these the largest on a stretch enters.
    """

    cost: Separated
    fixed: Values
    begin: Mapping[Any, Array]
    end: Mapping[Any, Array]
    low: Mapping[Any, Array]
    high: Mapping[Any, Array]
    peaks: Mapping[Any, Array]

    def __post_init__(self) -> None:
        names = (*self.fixed, *self.begin, *self.end, *self.low, *self.peaks)
        self.function = FLOATS.compile((self.cost.expr,), names)

    def row(self, i: int) -> Array:
        """The costs from node ``i`` to the nodes after it, shape (K - 1 - i, P)."""
        given = [*self.fixed.values(), *(x[i] for x in self.begin.values()), *(x[i + 1 :] for x in self.end.values())]
        given += [x[i] + y[i + 1 :] for x, y in zip(self.low.values(), self.high.values(), strict=True)]
        given += [np.maximum.accumulate(x[i:], axis=0) for x in self.peaks.values()]
        return np.asarray(self.function(*given)[0])


def closed_tables(costs: Sequence[Separated], times: Array, ends: Array, values: Values) -> list[Tables]:
    """The tables of several rules on a grid of which only the largest step is known.

    Args:
        costs: what they cost.
        times, ends: shape (K, P): where a stretch begins, and where one that ends at this candidate really ends.
        values: parameters by symbol, shape (P,) or scalars.
    """
    parts = [x for cost in costs for _, _, x in cost.sums.values()]
    steps = _computed(parts, {**values, a: times[:-1], b: times[1:]}, times[1:].shape)
    left = [_from_here_on(np.where(times[:-1] == times[1:], 0.0, x)) for x in steps]
    beyond = [x * (ends > times) for x in _computed(parts, {**values, a: times, b: ends}, times.shape)]
    return tables(costs, times, ends, values, [(x, y - x) for x, y in zip(left, beyond, strict=True)])


def tables(
    costs: Sequence[Separated], times: Array, ends: Array, values: Values, parts: Sequence[tuple[Array, Array]]
) -> list[Tables]:
    """The tables of several rules, of the costs' additive parts what they are where a stretch begins and ends, in their order."""
    sums = [x for cost in costs for x in cost.sums.values()]
    at_begin = _computed([*(x for x, _, _ in sums), *_all(costs, "begin")], {**values, a: times}, times.shape)
    at_end = _computed([*(x for _, x, _ in sums), *_all(costs, "end")], {**values, b: ends}, times.shape)
    low = iter([x + y for (x, _), y in zip(parts, at_begin, strict=False)])
    high = iter([x + y for (_, x), y in zip(parts, at_end, strict=False)])
    columns = {"begin": iter(at_begin[len(sums) :]), "end": iter(at_end[len(sums) :])}
    columns["fixed"] = iter(_computed(_all(costs, "fixed"), values, times.shape[1:]))
    found = []
    for cost in costs:
        fixed, begin, end = ({x: next(columns[name]) for x in getattr(cost, name)} for name in ("fixed", "begin", "end"))
        found.append(Tables(cost, fixed, begin, end, {x: next(low) for x in cost.sums}, {x: next(high) for x in cost.sums}, {}))
    return found


def _all(costs: Sequence[Separated], name: str) -> list[Any]:
    return [x for cost in costs for x in getattr(cost, name).values()]


def _computed(exprs: Sequence[Any], values: Values, shape: tuple[int, ...]) -> list[Array]:
    """Several expressions at once: what they share is computed once."""
    symbols = ordered_symbols(sympy.Tuple(*exprs))
    found = FLOATS.compile(tuple(exprs), symbols)(*(values[x] for x in symbols))
    return [np.broadcast_to(np.asarray(x, dtype=np.float64), shape) for x in found]


def _evaluated(expr: Any, values: Values, shape: tuple[int, ...]) -> Array:
    return _computed([expr], values, shape)[0]


def _from_here_on(steps: Array) -> Array:
    """Sums of the steps from each node to the last, the small ones first."""
    sums = np.zeros((len(steps) + 1, steps.shape[1]))
    for i in range(len(steps))[::-1]:  # of whole rows: faster than numpy's cumsum along the first axis
        np.add(steps[i], sums[i + 1], out=sums[i])
    return sums


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


def shortest(tables: Sequence[Tables], same: npt.NDArray[np.bool_]) -> tuple[Array, Pieces]:
    """The cheapest path from the first node to the last for each setting: its cost by the tables (infinite: none), its stretches.

    Args:
        tables: of the rules.
        same: shape (K - 1, P): whether a node is at the time of the one after it.
    """
    size, count = same.shape[0] + 1, same.shape[1]
    search = _Search(size, count, len(tables) + 1)
    sums = [(r, x.low[x.cost.expr], x.high[x.cost.expr], *_none(count)) for r, x in enumerate(tables) if x.cost.additive]
    others = [(r, x) for r, x in enumerate(tables) if not x.cost.additive]
    with np.errstate(all="ignore"):
        for i in range(size):
            for r, low, high, lowest, code in sums:  # low + high: the best beginning is the same for every end
                search.arrive(i, lowest + high[i], code)
                leaving = search.best[i] + low[i]
                np.copyto(code, search.code(i, r), where=leaving < lowest)
                np.fmin(lowest, leaving, out=lowest)
            if i < size - 1:
                for r, x in others:
                    search.leave(i, r, x.row(i))
                search.leave(i, len(tables), np.where(same[i], 0.0, np.inf)[None])
    return search.best[-1], search.walked()


def _none(count: int) -> tuple[Array, npt.NDArray[np.int16]]:
    """Of no beginning yet: its cost and its code."""
    return np.full(count, np.inf), np.zeros(count, dtype=np.int16)


class _Search:
    """The costs of the best paths to every node, and a code for the node and the rule each comes from."""

    def __init__(self, size: int, count: int, rules: int) -> None:
        self.rules = rules
        self.best = np.full((size, count), np.inf)
        self.best[0] = 0.0
        self.origin = np.zeros((size, count), dtype=np.int16)

    def code(self, i: int, rule: int) -> Any:
        return np.int16(i * self.rules + rule)

    def arrive(self, i: int, cost: Array, code: Any) -> None:
        """Come to one node where that is cheaper than the best way so far; a cost that is not a number is not."""
        better = cost < self.best[i]
        np.copyto(self.best[i], cost, where=better)
        np.copyto(self.origin[i], code, where=better)

    def leave(self, i: int, rule: int, costs: Array) -> None:
        """Go on from a node to those after it, as many as there are costs; by rules in their order, the codes rise."""
        here = slice(i + 1, i + 1 + len(costs))
        best, origin, costs = self.best[here], self.origin[here], costs + self.best[i]
        better = costs < best
        np.fmin(best, costs, out=best)
        np.maximum(origin, better * self.code(i, rule), out=origin)

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
    whole = _finite(_computed([x.weighted_bound for x in rules], {**values, a: times[0], b: times[-1]}, (count,)))
    cost: Array = whole.min(axis=0)
    cuttable = [x for x in rules if x.cuttable]
    if not cuttable:
        return cost
    found, pieces = shortest(closed_tables([separated(x.bound) for x in cuttable], times, ends, values), times[:-1] == times[1:])
    total = np.where(np.isfinite(found), 0.0, np.inf)
    for number, rule in enumerate(cuttable):
        which, start, end = pieces.of(number)
        if len(which):
            rows = {x: y[which] if np.ndim(y) else y for x, y in values.items()}
            paid = _evaluated(rule.weighted_bound, {**rows, a: times[start, which], b: ends[end, which]}, which.shape)
            total += np.bincount(which, paid, minlength=count)
    return np.where(total < cost * (1 - TIE), total, cost)


def _finite(rows: Sequence[Array]) -> Array:
    costs = np.stack(rows)
    return np.where(np.isfinite(costs), costs, np.inf)
