"""The choice of profiles: a shortest path over candidate nodes, where a stretch costs the smallest bound on it.

Everything here is float64 and vectorised over P settings at once (P = 1 for one evaluation or a grid).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from cmbound.evaluation.setting import Setting
from cmbound.evaluation.sums import FLOATS, Piece, Steps, Sums, node_index
from cmbound.notation import L_f, a, b, delta, h, q
from cmbound.numerics import approximate
from cmbound.numerics.backend import ordered_symbols
from cmbound.profiles import Profile, Rule

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]
CANDIDATES = 64
_REFINEMENT = 15
_TIE = 1e-12


class Edges(Protocol):
    """Costs of using one rule from one candidate node to a later one."""

    @property
    def size(self) -> int:
        """Number of candidate nodes."""

    def cost(self, rule: Rule, i: Index, j: Index) -> Array:
        """The bound of ``rule`` from node i[n] to node j[n], shape (P, n); infinite where it is not valid."""

    def free(self, rule: Rule) -> tuple[tuple[Any, Fraction], ...]:
        """Values chosen for the rule's free parameters."""


def _finite(cost: Array) -> Array:
    return np.where(np.isfinite(cost), cost, np.inf)


def _value(expr: Any, values: dict[Any, Any]) -> Any:
    symbols = ordered_symbols(expr)
    return approximate.compile((expr,), symbols)(*(values[x] for x in symbols))[0]


@dataclass
class ClosedEdges:
    """Candidate times of the closed form in h: ``times`` of shape (P, K), parameters of shape (P, 1) or scalar."""

    times: Array
    values: dict[Any, Any]

    @property
    def size(self) -> int:
        return int(self.times.shape[1])

    def cost(self, rule: Rule, i: Index, j: Index) -> Array:
        low, high = self.times[:, i], self.times[:, j]
        values = {**self.values, a: low, b: high}
        cost = _finite(np.broadcast_to(_value(L_f * rule.bound, values), low.shape))
        if rule.valid_from is not None:
            cost = np.where(low >= _value(rule.valid_from, self.values), cost, np.inf)
        return np.where(low == high, 0.0, cost)

    def free(self, rule: Rule) -> tuple[tuple[Any, Fraction], ...]:
        return ()


class GridEdges:
    """Candidate nodes of a grid, as node numbers 0 < ... < ``end``."""

    def __init__(self, grid: Steps, values: dict[Any, Any], candidates: Index, end: int) -> None:
        self.grid, self.values, self.candidates, self.end = grid, values, candidates, end
        self._steps: dict[Rule, Array] = {}
        self._between: dict[Rule, Array] = {}
        self._free: dict[Rule, tuple[tuple[Any, Fraction], ...]] = {}

    @property
    def size(self) -> int:
        return len(self.candidates)

    def _step_values(self, rule: Rule) -> Array:
        """The weighted bound of each step, or its weighted energy."""
        if rule not in self._steps:
            rows = self.grid.columns(0, self.end)
            weight = self.grid.weight[: self.end]
            expr, factor = (rule.bound, weight) if rule.energy is None else (rule.energy, weight * weight)
            with np.errstate(over="ignore", invalid="ignore"):
                steps = factor * FLOATS.each(expr, rows, self.values)
            if rule.valid_from is not None:
                steps = np.where(rows[a] >= _value(rule.valid_from, self.values), steps, 0.0)
            self._steps[rule] = steps
        return self._steps[rule]

    def _sums_between(self, rule: Rule) -> Array:
        """Sums of the step values between candidates. Each start has its own: a difference of running sums would cancel."""
        if rule not in self._between:
            pieces = np.add.reduceat(self._step_values(rule), self.candidates[:-1])
            sums = np.zeros((self.size, self.size))
            for k in range(self.size - 1):
                sums[k, k + 1 :] = np.cumsum(pieces[k:])
            self._between[rule] = sums
        return self._between[rule]

    def cost(self, rule: Rule, i: Index, j: Index) -> Array:
        sums = self._sums_between(rule)[i, j] if rule.stepwise or rule.energy is not None else None
        return self._cost(rule, self.candidates[i], self.candidates[j], sums)

    def switch_costs(self, early: Rule, late: Rule) -> Array:
        """Cost of ``early`` up to each node of the grid and ``late`` after it, shape (end + 1,)."""
        every = np.arange(self.end + 1)
        before = np.concatenate([[0.0], np.cumsum(self._step_values(early))])
        after = np.concatenate([[0.0], np.cumsum(self._step_values(late)[::-1])])[::-1]
        first = self._cost(early, np.zeros_like(every), every, before)
        return np.asarray((first + self._cost(late, every, np.full_like(every, self.end), after))[0])

    def _cost(self, rule: Rule, i: Index, j: Index, sums: Array | None) -> Array:
        """The bound between node numbers, given the sums of the step values between them."""
        nodes = self.grid.nodes
        if rule.stepwise:
            assert sums is not None
            cost = sums
        else:
            values = {**self.values, **{x: float(y) for x, y in self.free(rule)}, a: nodes[i], b: nodes[j]}
            if sums is not None and rule.energy is not None:
                cost = _value(rule.bound, {**values, q: np.sqrt(sums)})
            else:
                values[h] = _range_max(self.grid.h, i, j)
                cost = _range_max(self.grid.weight, i, j) * _value(rule.bound, values)
        if rule.valid_from is not None:
            cost = np.where(nodes[i] >= _value(rule.valid_from, self.values), cost, np.inf)
        cost = np.where(i == j, 0.0, _finite(np.broadcast_to(cost, i.shape)))
        return cost[None, :]

    def free(self, rule: Rule) -> tuple[tuple[Any, Fraction], ...]:
        if rule not in self._free:
            chosen = []
            for symbol, options in rule.free.items():
                trial = np.array([float(x) for x in options])
                values = {**self.values, a: self.grid.nodes[0], b: self.grid.nodes[1], q: 1.0, symbol: trial}
                chosen.append((symbol, options[int(np.argmin(_value(rule.bound, values)))]))
            self._free[rule] = tuple(chosen)
        return self._free[rule]


def _range_max(column: Array, i: Index, j: Index) -> Array:
    """max(column[i], ..., column[j - 1]) for pairs i <= j."""
    if column.min() == column.max():
        return np.full(i.shape, column[0])
    padded = np.append(column, -np.inf)
    ends = np.stack([i, np.maximum(j, i + 1)], axis=-1).ravel()
    return np.asarray(np.maximum.reduceat(padded, np.minimum(ends, len(padded) - 1))[::2])


# --- shortest path --------------------------------------------------------------------------------------------------

Entry = tuple[Profile, tuple[Rule, ...]]


def _single(edges: Edges, rules: Sequence[Rule]) -> tuple[Array, Index]:
    """Cost of one profile alone, shape (P,), and the candidate at which its second rule takes over."""
    last = np.array([edges.size - 1])
    if len(rules) == 1:
        cost = edges.cost(rules[0], np.array([0]), last)[:, 0]
        return cost, np.full(cost.shape, edges.size - 1)
    every = np.arange(edges.size)
    total = edges.cost(rules[0], np.zeros_like(every), every) + edges.cost(rules[1], every, np.full_like(every, last[0]))
    best = np.argmin(total, axis=1)
    return np.take_along_axis(total, best[:, None], axis=1)[:, 0], best


@dataclass
class Choice:
    """Costs of the best path for P settings, and the path itself for the first of them."""

    cost: Array
    path: list[tuple[str, Rule, int, int]]


def choose(edges: Edges, entries: Sequence[Entry], combine: bool) -> Choice:
    """The best profile alone or, with ``combine``, the best path if it beats every profile alone.

    Args:
        edges: costs between candidate nodes.
        entries: the profiles with their rules.
        combine: whether different profiles may be used on different stretches.
    """
    singles = [_single(edges, rules) for _, rules in entries]
    costs = np.stack([cost for cost, _ in singles])
    winner = np.argmin(costs, axis=0)
    cost = np.min(costs, axis=0)
    profile, rules = entries[winner[0]]
    cut, last = int(singles[winner[0]][1][0]), edges.size - 1
    ends = [(rules[0], 0, cut)] if len(rules) == 1 else [(rules[0], 0, cut), (rules[1], cut, last)]
    path = [(profile.name, rule, i, j) for rule, i, j in ends if i < j]
    if not combine:
        return Choice(cost, path)
    combined, steps = _shortest(edges, entries)
    better = combined < cost * (1 - _TIE)
    if better[0]:
        path = steps
    return Choice(np.where(better, combined, cost), path)


def _shortest(edges: Edges, entries: Sequence[Entry]) -> tuple[Array, list[tuple[str, Rule, int, int]]]:
    used: dict[Rule, tuple[str, Rule]] = {}
    for profile, rules in entries:
        for rule in rules:
            used.setdefault(rule, (profile.name, rule))
    short = [x for x in used.values() if x[1].splittable]
    long = [x for x in used.values() if not x[1].splittable]
    size = edges.size
    before = np.arange(size - 1)
    pairs = np.triu_indices(size, 1)
    step_costs = [edges.cost(rule, before, before + 1) for _, rule in short]
    pair_costs = [edges.cost(rule, *pairs) for _, rule in long]
    count = (step_costs or pair_costs)[0].shape[0]
    best = np.full((count, size), np.inf)
    best[:, 0] = 0.0
    step = np.min(step_costs, axis=0) if short else np.full((count, size - 1), np.inf)
    pair = np.full((count, size, size), np.inf) if long else None
    if pair is not None:
        pair[:, pairs[0], pairs[1]] = np.min(pair_costs, axis=0)
    origin = np.zeros(size, dtype=np.intp)
    for k in range(1, size):
        best[:, k] = best[:, k - 1] + step[:, k - 1]
        origin[k] = k - 1
        if pair is not None:
            through = best[:, :k] + pair[:, :k, k]
            at = np.argmin(through, axis=1)
            value = np.take_along_axis(through, at[:, None], axis=1)[:, 0]
            if value[0] < best[0, k]:
                origin[k] = at[0]
            best[:, k] = np.minimum(best[:, k], value)
    path: list[tuple[str, Rule, int, int]] = []
    k = size - 1
    while k > 0:
        i = int(origin[k])
        options = [(float(edges.cost(rule, np.array([i]), np.array([k]))[0, 0]), name, rule) for name, rule in used.values()]
        _, name, rule = min(options, key=lambda x: x[0])
        path.append((name, rule, i, k))
        k = i
    return best[:, -1], _merged(edges, path[::-1])


def _merged(edges: Edges, path: list[tuple[str, Rule, int, int]]) -> list[tuple[str, Rule, int, int]]:
    """Join neighbouring stretches of one rule where that costs nothing."""
    result = path[:1]
    for name, rule, i, k in path[1:]:
        other, same, start, _ = result[-1]
        if same is rule:
            whole, left, right = (
                float(edges.cost(rule, np.array([x]), np.array([y]))[0, 0]) for x, y in ((start, k), (start, i), (i, k))
            )
            if whole <= (left + right) * (1 + 1e-14):
                result[-1] = (other, rule, start, k)
                continue
        result.append((name, rule, i, k))
    return result


# --- candidates -----------------------------------------------------------------------------------------------------


def _breakpoints(entries: Sequence[Entry]) -> list[Any]:
    """Times at which the shape of some bound changes, each once."""
    return list(dict.fromkeys(expr for _, rules in entries for rule in rules for expr in rule.breakpoints))


def closed_choice(entries: Sequence[Entry], combine: bool, values: dict[Any, Any], end: Array) -> tuple[Choice, Array]:
    """The best path of the closed form on [delta, end].

    Args:
        entries, combine: as for :func:`choose`.
        values: parameters by symbol, scalars or shape (P, 1), delta, h and L_f among them.
        end: shape (P, 1).

    Returns:
        The choice and the candidate times, shape (P, K).
    """
    low = np.broadcast_to(values[delta], end.shape)
    if not combine and all(len(rules) == 1 for _, rules in entries):
        times = np.concatenate([low, end], axis=1)
        return choose(ClosedEdges(times, values), entries, combine), times
    fractions = np.arange(CANDIDATES) / (CANDIDATES - 1)
    times = low * np.exp(np.log(end / low) * fractions)
    for expr in _breakpoints(entries):
        extra = np.broadcast_to(_value(expr, values), end.shape)
        times = np.concatenate([times, np.clip(np.nan_to_num(extra, nan=0.0), low, end)], axis=1)
    times = np.clip(np.sort(times, axis=1), low, end)
    times[:, :1], times[:, -1:] = low, end
    for _, rules in entries:
        if len(rules) == 2:
            edges = ClosedEdges(times, values)
            cut = _single(edges, rules)[1][:, None]
            left = np.take_along_axis(times, np.maximum(cut - 1, 0), axis=1)
            right = np.take_along_axis(times, np.minimum(cut + 1, edges.size - 1), axis=1)
            inner = left + (right - left) * (np.arange(1, _REFINEMENT + 1) / (_REFINEMENT + 1))
            times = np.sort(np.concatenate([times, np.clip(inner, low, end)], axis=1), axis=1)
    if len(times) == 1:
        times = np.unique(times, axis=1)
    return choose(ClosedEdges(times, values), entries, combine), times


def choose_pieces(setting: Setting, sums: Sums, end: Any) -> tuple[Piece, ...]:
    """The path for the map error at the time ``end`` of one setting.

    Args:
        setting: the setting; its ``profile_name`` says whether profiles may be combined.
        sums: the same setting in float64.
        end: an exact time.
    """
    combine = setting.profile_name == "auto"
    if sums.grid_steps is not None:
        return _grid_pieces(setting, sums, end, combine)
    values = {x: np.asarray(y) for x, y in sums.at(end).items() if x not in (a, b)}
    choice, times = closed_choice(setting.profiles, combine, values, np.array([[FLOATS.number(end)]]))
    exact = [Fraction(float(x)) for x in times[0]]
    exact[0], exact[-1] = setting.values["delta"], end
    return tuple(Piece(name, rule, exact[i], exact[k]) for name, rule, i, k in choice.path)


def _grid_pieces(setting: Setting, sums: Sums, end: Any, combine: bool) -> tuple[Piece, ...]:
    grid, last = sums.grid_steps, node_index(setting, end)
    assert grid is not None
    if last + 1 <= CANDIDATES:
        candidates = np.arange(last + 1)
    else:
        ts = grid.nodes[: last + 1]
        wanted = ts[0] * np.exp(np.log(ts[-1] / ts[0]) * np.arange(CANDIDATES) / (CANDIDATES - 1))
        candidates = np.unique(np.append(np.clip(np.searchsorted(ts, wanted), 0, last), (0, last)))
        for expr in _breakpoints(setting.profiles):
            at = np.searchsorted(ts, float(_value(expr, sums.constants(end))))
            candidates = np.unique(np.append(candidates, min(int(at), last)))
    values = sums.constants(end)
    switches = [
        int(np.argmin(GridEdges(grid, values, candidates, last).switch_costs(*rules)))
        for _, rules in setting.profiles
        if len(rules) == 2
    ]
    candidates = np.unique(np.append(candidates, switches).astype(np.intp))
    edges = GridEdges(grid, values, candidates, last)
    choice = choose(edges, setting.profiles, combine)
    return tuple(Piece(name, rule, int(candidates[i]), int(candidates[k]), edges.free(rule)) for name, rule, i, k in choice.path)
