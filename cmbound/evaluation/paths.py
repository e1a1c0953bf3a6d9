"""The choice of profiles: a shortest path over candidate nodes, where a stretch costs the smallest bound on it.

Everything here is float64 and vectorised over P settings at once (P = 1 for one evaluation or a grid).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from cmbound.evaluation.setting import Setting
from cmbound.evaluation.sums import FLOATS, Piece, Steps, Sums, node, node_index
from cmbound.theory.notation import L_f, a, b, delta, h
from cmbound.theory.rules import Entry, Rule

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]
CANDIDATES = 64  # spaced evenly in log t; the shortest path costs their square
_BISECTIONS = 80  # to the last bit of a float64 number
_TIE = 1e-12  # rounding alone must not split a stretch


class Edges(Protocol):
    """Costs of using one rule from one candidate to a later one."""

    @property
    def size(self) -> int:
        """Number of candidates."""

    def additive(self, rule: Rule) -> bool:
        """Whether the cost of a stretch is the sum of the costs of its parts, apart from :meth:`surplus`."""

    def part(self, rule: Rule) -> Array:
        """The bound of an additive ``rule`` between neighbouring candidates, shape (P, size - 1)."""

    def surplus(self, rule: Rule) -> Array:
        """What a stretch of an additive ``rule`` pays beyond its end at each candidate, shape (P, size) or (1, 1)."""
        return np.zeros((1, 1))

    def cost(self, rule: Rule, i: Index, j: Index) -> Array:
        """The bound of ``rule`` from candidate i[n] to candidate j[n], shape (P, n); infinite where it is not valid."""


def _finite(cost: Array) -> Array:
    return np.where(np.isfinite(cost), cost, np.inf)


@dataclass
class ClosedEdges(Edges):
    """Candidate times ``times`` of shape (P, K), parameters ``values`` of shape (P, 1) or scalar.

    With ``at_nodes`` they are nodes of a uniform grid. Otherwise the grid is unknown but for its largest step h, and a
    stretch that ends at a candidate x really ends at the first node from x on, at x + h at the latest: it pays for
    [x, x + h] too, and the next stretch pays from x on. So a path costs at least what it costs on every grid with
    steps up to h, and no stretch begins inside a step.
    """

    times: Array
    values: dict[Any, Any]
    at_nodes: bool

    def __post_init__(self) -> None:
        self.ends = self.times if self.at_nodes else np.minimum(self.times + self.values[h], self.times[:, -1:])

    @property
    def size(self) -> int:
        return int(self.times.shape[1])

    def _between(self, rule: Rule, low: Array, high: Array) -> Array:
        values = {**self.values, a: low, b: high}
        cost = _finite(np.broadcast_to(FLOATS.value(L_f * rule.bound, values), low.shape))
        return np.where(low == high, 0.0, cost)

    def additive(self, rule: Rule) -> bool:
        return rule.additive

    def part(self, rule: Rule) -> Array:
        return self._between(rule, self.times[:, :-1], self.times[:, 1:])

    def surplus(self, rule: Rule) -> Array:
        return super().surplus(rule) if self.at_nodes else self._between(rule, self.times, self.ends)

    def cost(self, rule: Rule, i: Index, j: Index) -> Array:
        cost = np.where(self.times[:, i] == self.times[:, j], 0.0, self._between(rule, self.times[:, i], self.ends[:, j]))
        if rule.cuttable or self.at_nodes:
            return cost
        return np.where((i == j) | ((i == 0) & (j == self.size - 1)), cost, np.inf)


class GridEdges(Edges):
    """Candidate nodes of a grid, as node numbers 0 < ... < ``end``."""

    def __init__(self, grid: Steps, values: dict[Any, Any], candidates: Index, end: int) -> None:
        self.grid, self.values, self.candidates, self.end = grid, values, candidates, end
        self._sums: dict[tuple[Any, bool], Array] = {}

    @property
    def size(self) -> int:
        return len(self.candidates)

    def _between(self, expr: Any, squared: bool) -> Array:
        """Sums over the steps between neighbouring candidates of the weight (or its square) times ``expr``."""
        if (expr, squared) not in self._sums:
            rows, weight = self.grid.columns(0, self.end), self.grid.weight[: self.end]
            with np.errstate(over="ignore", invalid="ignore"):
                steps = (weight * weight if squared else weight) * FLOATS.each(expr, rows, self.values)
            self._sums[expr, squared] = _finite(np.add.reduceat(steps, self.candidates[:-1]))
        return self._sums[expr, squared]

    def additive(self, rule: Rule) -> bool:
        return rule.is_sum

    def part(self, rule: Rule) -> Array:
        return self._between(rule.steps, squared=False)[None, :]

    def cost(self, rule: Rule, i: Index, j: Index) -> Array:
        nodes = self.grid.nodes
        first, last = self.candidates[i], self.candidates[j]
        values = {**self.values, a: nodes[first], b: nodes[last]}
        values.update(_best_free(rule, values))
        cost = np.zeros(i.shape)
        if rule.steps != 0:
            cost = cost + _running(self._between(rule.steps, squared=False))[i, j]
        for root in rule.roots:
            cost = cost + np.sqrt(_running(self._between(root.energy, squared=True))[i, j]) * FLOATS.value(root.factor, values)
        if rule.whole != 0:
            values[h] = _range_max(self.grid.rows[h], first, last)
            cost = cost + _range_max(self.grid.weight, first, last) * FLOATS.value(rule.whole, values)
        return np.where(i == j, 0.0, _finite(cost))[None, :]

    def free(self, rule: Rule, i: int, j: int) -> tuple[tuple[Any, Fraction], ...]:
        """The value of the free parameter of a rule on one stretch between candidates, exactly."""
        nodes = self.grid.nodes[self.candidates[[i, j]]]
        return tuple((x, Fraction(float(y))) for x, y in _best_free(rule, {**self.values, a: nodes[0], b: nodes[1]}))


def _running(parts: Array) -> Array:
    """Entry (i, j) is the sum of parts i to j - 1; each start has its own: a difference of two sums would cancel."""
    size = len(parts) + 1
    sums = np.zeros((size, size))
    sums[:-1, 1:] = np.cumsum(np.triu(np.broadcast_to(parts, (size - 1, size - 1))), axis=1)
    return sums


def _best_free(rule: Rule, values: Mapping[Any, Any]) -> list[tuple[Any, Any]]:
    """The best value of the free parameter of a rule, by bisection on the slope of the bound in it."""
    if rule.free is None:
        return []
    free, shape = rule.free, np.broadcast_shapes(*(np.shape(values[x]) for x in (a, b)))
    low, high = np.full(shape, float(free.low)), np.full(shape, float(free.high))
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        falling = FLOATS.value(free.slope, {**values, free.symbol: middle}) < 0
        low, high = np.where(falling, middle, low), np.where(falling, high, middle)
    return [(free.symbol, (low + high) / 2)]


def _range_max(column: Array, i: Index, j: Index) -> Array:
    """max(column[i], ..., column[j - 1]) for pairs i <= j."""
    if column.min() == column.max():
        return np.full(i.shape, column[0])
    padded = np.append(column, -np.inf)
    ends = np.stack([i, np.maximum(j, i + 1)], axis=-1).ravel()
    return np.asarray(np.maximum.reduceat(padded, np.minimum(ends, len(padded) - 1))[::2])


# --- shortest path --------------------------------------------------------------------------------------------------


@dataclass
class Choice:
    """Costs of the best path for P settings, and the path itself for the first of them."""

    cost: Array
    path: list[tuple[str, Rule, int, int]]


def choose(edges: Edges, entries: Sequence[Entry]) -> Choice:
    """The best path, or one rule on the whole range where that is as good up to rounding.

    Args:
        edges: costs between candidate nodes.
        entries: the profiles with their rules.
    """
    whole = [(profile.name, rule) for profile, rules in entries for rule in rules]
    ends = np.array([0]), np.array([edges.size - 1])
    costs = np.stack([edges.cost(rule, *ends)[:, 0] for _, rule in whole])
    cost = np.min(costs, axis=0)
    path = [(*whole[int(np.argmin(costs[:, 0]))], 0, edges.size - 1)]
    if edges.size == 2 or not combinable(entries):
        return Choice(cost, path)
    combined, steps = _shortest(edges, entries)
    better = combined < cost * (1 - _TIE)
    if better[0]:
        path = steps
    return Choice(np.where(better, combined, cost), path)


def combinable(entries: Sequence[Entry]) -> bool:
    """Whether a path of several stretches can be better than one rule on the whole range."""
    rules = [rule for _, rules in entries for rule in rules]
    return len(rules) > 1 or not rules[0].is_sum


def _shortest(edges: Edges, entries: Sequence[Entry]) -> tuple[Array, list[tuple[str, Rule, int, int]]]:
    """The cheapest way to cut [first, last candidate] into stretches, shape (P,), and its stretches for the first setting.

    ``best[:, k]`` is the cost up to candidate k; ``running[rule]`` the same for paths whose last stretch belongs to an
    additive rule and has not been closed.
    """
    names: dict[Rule, str] = {}
    for profile, rules in entries:
        for rule in rules:
            names.setdefault(rule, profile.name)
    size = edges.size
    additive = [rule for rule in names if edges.additive(rule)]
    parts = {rule: edges.part(rule) for rule in additive}
    surplus = {rule: edges.surplus(rule) for rule in additive}
    whole = [rule for rule in names if not edges.additive(rule)]
    pairs = np.triu_indices(size, 1)
    pair_costs = {rule: edges.cost(rule, *pairs) for rule in whole}
    count = next(iter([*parts.values(), *pair_costs.values()])).shape[0]
    direct = {}
    for rule, cost in pair_costs.items():
        direct[rule] = np.full((count, size, size), np.inf)
        direct[rule][:, pairs[0], pairs[1]] = cost
    best = np.full((count, size), np.inf)
    best[:, 0] = 0.0
    running = {rule: np.full(count, np.inf) for rule in additive}
    began = dict.fromkeys(additive, 0)
    origin: list[tuple[Rule | None, int]] = [(None, 0)] * size
    for k in range(1, size):
        for rule in additive:
            if best[0, k - 1] < running[rule][0]:
                began[rule] = k - 1
            running[rule] = np.minimum(running[rule], best[:, k - 1]) + parts[rule][:, k - 1]
            beyond = surplus[rule][:, min(k, surplus[rule].shape[1] - 1)]
            best[:, k] = _better(best[:, k], running[rule] + beyond, origin, k, (rule, began[rule]))
        for rule in whole:
            through = best[:, :k] + direct[rule][:, :k, k]
            at = np.argmin(through, axis=1)
            value = np.take_along_axis(through, at[:, None], axis=1)[:, 0]
            best[:, k] = _better(best[:, k], value, origin, k, (rule, int(at[0])))
    path: list[tuple[str, Rule, int, int]] = []
    k = size - 1
    while k > 0 and np.isfinite(best[0, -1]):
        rule_used, i = origin[k]
        assert rule_used is not None
        path.append((names[rule_used], rule_used, i, k))
        k = i
    return best[:, -1], path[::-1]


def _better(old: Array, new: Array, origin: list[tuple[Rule | None, int]], k: int, how: tuple[Rule, int]) -> Array:
    """The smaller of two costs up to candidate k; how the first setting gets there is noted in ``origin``."""
    if new[0] < old[0]:
        origin[k] = how
    return np.minimum(old, new)


# --- candidates -----------------------------------------------------------------------------------------------------


def _breakpoints(entries: Sequence[Entry]) -> list[Any]:
    """Times at which the shape of some bound changes, each once."""
    return list(dict.fromkeys(expr for _, rules in entries for rule in rules for expr in rule.breakpoints))


def closed_choice(entries: Sequence[Entry], values: dict[Any, Any], end: Array) -> tuple[Choice, Array]:
    """The best path on [delta, end] of a grid of which only the largest step h is known.

    Args:
        entries: as for :func:`choose`.
        values: parameters by symbol, scalars or shape (P, 1), delta, h and L_f among them.
        end: shape (P, 1).

    Returns:
        The choice and the candidate times, shape (P, K).
    """
    low = np.broadcast_to(values[delta], end.shape)
    times = _candidate_times(entries, values, low, end) if combinable(entries) else np.concatenate([low, end], axis=1)
    if len(times) == 1:
        times = np.unique(times, axis=1)
    return choose(ClosedEdges(times, values, at_nodes=False), entries), times


def _candidate_times(entries: Sequence[Entry], values: dict[Any, Any], low: Array, end: Array) -> Array:
    """Times from ``low`` to ``end``, spaced evenly in log t, and those at which a bound changes its shape; shape (P, K)."""
    times = low * np.exp(np.log(end / low) * np.arange(CANDIDATES) / (CANDIDATES - 1))
    for expr in _breakpoints(entries):
        extra = np.broadcast_to(FLOATS.value(expr, values), end.shape)
        times = np.concatenate([times, np.clip(np.nan_to_num(extra, nan=0.0), low, end)], axis=1)
    times = np.clip(np.sort(times, axis=1), low, end)
    times[:, :1], times[:, -1:] = low, end
    return times


def choose_pieces(setting: Setting, sums: Sums, end: Any) -> tuple[Piece, ...]:
    """The path for the map error at the time ``end`` of one setting.

    Args:
        setting: the setting.
        sums: the same setting in float64.
        end: an exact time.
    """
    if sums.grid_steps is not None:
        return _grid_pieces(setting, sums, end)
    values = {x: np.asarray(y) for x, y in sums.at(end).items() if x not in (a, b)}
    if setting.grid is not None:
        return _uniform_pieces(setting, values, end)
    choice, times = closed_choice(setting.profiles, values, np.array([[FLOATS.number(end)]]))
    exact = [Fraction(float(x)) for x in times[0]]
    exact[0], exact[-1] = setting.values["delta"], end
    return tuple(Piece(name, rule, exact[i], exact[k]) for name, rule, i, k in choice.path)


def _candidate_nodes(setting: Setting, values: dict[Any, Any], low: float, high: float, locate: Any, last: int) -> Index:
    """Numbers of the nodes at which a stretch may begin or end: all of them, or the first from each candidate time on.

    Args:
        locate: from an array of times to the number of the first node at or after each.
        last: the number of the node at ``high``.
    """
    if last + 1 <= CANDIDATES:
        return np.arange(last + 1)
    wanted = _candidate_times(setting.profiles, values, np.array([[low]]), np.array([[high]]))[0]
    return np.unique(np.append(np.clip(locate(wanted), 0, last), (0, last)).astype(np.intp))


def _uniform_pieces(setting: Setting, values: dict[Any, Any], end: Any) -> tuple[Piece, ...]:
    """On a uniform grid whose steps need not be summed one by one."""
    grid, last = setting.grid, node_index(setting, end)
    assert grid is not None
    low, high = FLOATS.number(setting.values["delta"]), FLOATS.number(setting.values["T"])

    def locate(times: Array) -> Array:
        return np.asarray(np.ceil((times - low) / (high - low) * grid.N))

    candidates = _candidate_nodes(setting, values, low, FLOATS.number(end), locate, last)
    times = low + (high - low) * (candidates / grid.N)
    choice = choose(ClosedEdges(times[None, :], values, at_nodes=True), setting.profiles)
    exact = {i: node(setting, int(candidates[i])) for _, _, *ends in choice.path for i in ends}
    return tuple(Piece(name, rule, exact[i], exact[k]) for name, rule, i, k in choice.path)


def _grid_pieces(setting: Setting, sums: Sums, end: Any) -> tuple[Piece, ...]:
    grid, last = sums.grid_steps, node_index(setting, end)
    assert grid is not None
    values, ts = sums.constants(end), grid.nodes[: last + 1]
    candidates = _candidate_nodes(setting, values, ts[0], ts[-1], lambda times: np.searchsorted(ts, times), last)
    edges = GridEdges(grid, values, candidates, last)
    choice = choose(edges, setting.profiles)
    return tuple(
        Piece(name, rule, int(candidates[i]), int(candidates[k]), edges.free(rule, i, k)) for name, rule, i, k in choice.path
    )
