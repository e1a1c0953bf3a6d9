"""The choice of profiles: a shortest path over candidate nodes, where a stretch costs the smallest bound on it.

Everything here is float64 and vectorised over P settings at once (P = 1 for one evaluation or a grid).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any, Protocol

from cmbound.arithmetic.backend import ordered_symbols
from cmbound.arithmetic.running import SQUARED, WEIGHTED
from cmbound.evaluation.nodes import FLOATS, distinct, node, node_index
from cmbound.evaluation.setting import Setting
from cmbound.evaluation.steps import FloatSteps
from cmbound.evaluation.sums import Piece, Sums
from cmbound.later import Array, Index, NDArray, np
from cmbound.theory.notation import a, b, delta, h
from cmbound.theory.rules import Entry, Rule

CANDIDATES = 64  # spaced evenly in log t; the shortest path costs their square
_AT_ONCE = 16  # ends that paths are looked for at once
_ALL_NODES = 512  # so many free parameters are found at once, wherever a stretch ends
_NEAR = 20_000  # stretches whose costs are computed at once: arrays that stay in the cache
_BISECTIONS = 80  # to the last bit of a float64 number
TIE = 1e-12  # rounding alone must not split a stretch


class Edges(Protocol):
    """Costs of using one rule from one candidate to a later one."""

    @property
    def size(self) -> int:
        """Number of candidates."""

    def whole(self, rules: Sequence[Rule]) -> Array:
        """The bounds of rules from the first candidate to the last, shape (R, P)."""

    def costs(self, rules: Sequence[Rule]) -> Iterator[tuple[int, Array]]:
        """The bound of each rule from candidate i to candidate j > i, some j after the other; infinite where it is not valid.

        Each time the first j and an array of shape (R, P, size, number of j), or with all j - 1 in the place of size.
        """


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

    def whole(self, rules: Sequence[Rule]) -> Array:
        return _bounds(rules, {**self.values, a: self.times[:, :1], b: self.times[:, -1:]}, (len(self.times), 1))[..., 0]

    def costs(self, rules: Sequence[Rule]) -> Iterator[tuple[int, Array]]:
        values = {x: y[..., None] if np.ndim(y) == 2 else y for x, y in self.values.items()}
        cut = [i for i, x in enumerate(rules) if x.cuttable or self.at_nodes]
        width = max(1, _NEAR // self.times.size)
        for start in range(0, self.size, width):
            stop = min(start + width, self.size)
            begin, end = self.times[:, :stop, None], self.times[:, None, start:stop]
            shape = (len(self.times), stop, stop - start)
            found = _bounds([rules[i] for i in cut], {**values, a: begin, b: self.ends[:, None, start:stop]}, shape)
            found[:, begin == end] = 0.0
            if len(cut) < len(rules):
                found, some = np.full((len(rules), *shape), np.inf), found
                found[cut] = some
                for i in set(range(len(rules))) - set(cut) if stop == self.size else ():
                    found[i, :, 0, -1] = self.whole([rules[i]])[0]
            yield start, found


def _bounds(rules: Sequence[Rule], values: Mapping[Any, Any], shape: tuple[int, ...]) -> Array:
    """The bounds of several rules, (R, *shape): what they share is computed once."""
    found = np.empty((len(rules), *shape))
    for row, x in zip(found, FLOATS.values(tuple(x.weighted_bound for x in rules), values), strict=True):
        row[...] = x
    found[~np.isfinite(found)] = np.inf
    return found


class GridEdges(Edges):
    """Candidate nodes of a grid, as node numbers 0 < ... < ``end``."""

    def __init__(self, sums: Sums, end: Any, candidates: Index) -> None:
        assert isinstance(sums.grid_steps, FloatSteps)
        self.sums, self.grid, self.values, self.candidates = sums, sums.grid_steps, sums.constants(end), candidates
        self.time, self.end, self.nodes = end, int(candidates[-1]), self.grid.nodes[candidates]

    @property
    def size(self) -> int:
        return len(self.candidates)

    def _sums(self, parts: Sequence[tuple[str, Any]]) -> Mapping[tuple[str, Any], Array]:
        """Entry (i, j): the sum of that kind of each expression over the steps between two candidates."""
        columns = self.grid.each([(*x, self.sums.key(x[1], self.time)) for x in parts], self.values)
        gaps = [np.add.reduceat(x[: self.end], self.candidates[:-1]) for x in columns]
        # each start has its own running sum: a difference of two would cancel
        return dict(zip(parts, _spread(_finite(np.stack(gaps)), np.add, 0.0), strict=True)) if gaps else {}

    def _largest(self, column: Array) -> Array:
        """Entry (i, j): the largest value at the steps between two candidates."""
        return _spread(np.maximum.reduceat(column[: self.end], self.candidates[:-1]), np.maximum, -np.inf)

    def whole(self, rules: Sequence[Rule]) -> Array:
        ((_, found),) = self.costs(rules)
        return np.asarray(found[:, :, 0, -1])

    def costs(self, rules: Sequence[Rule]) -> Iterator[tuple[int, Array]]:
        groups = [[x for x in rules if x.free is None], *([x] for x in rules if x.free is not None)]
        with np.errstate(over="ignore", invalid="ignore"):  # where a stretch would end before it begins
            sums = self._sums(list(dict.fromkeys(y for x in rules for y in _summed(x))))
            found = {rule: cost for group in groups if group for rule, cost in self._computed(group, sums)}
            costs = _finite(np.stack([found[x] for x in rules]))[:, None]
        yield 0, costs

    def _computed(self, rules: Sequence[Rule], sums: Mapping[tuple[str, Any], Array]) -> Iterator[tuple[Rule, Array]]:
        """The cost of each rule, of several without a free parameter or of one."""
        values = {**self.values, a: self.nodes[:, None], b: self.nodes[None, :]}
        values |= _free_between(self.sums, self.time, rules[0], self.candidates[:, None], self.candidates[None, :])
        factors = iter(FLOATS.values(tuple(root.factor for x in rules for root in x.roots), values))
        for rule in rules:
            cost = np.zeros((self.size, self.size))
            if rule.steps != 0:
                cost += sums[WEIGHTED, rule.steps]
            for root in rule.roots:
                cost += np.sqrt(sums[SQUARED, root.energy]) * next(factors)
            if rule.whole != 0:
                bound = FLOATS.value(rule.whole, {**values, h: self._largest(self.grid.rows[h])})
                cost += self._largest(self.grid.weight) * bound
            yield rule, cost


def _summed(rule: Rule) -> Iterator[tuple[str, Any]]:
    """What a rule adds up over steps: the kind of sum, and the expression."""
    if rule.steps != 0:
        yield WEIGHTED, rule.steps
    yield from ((SQUARED, x.energy) for x in rule.roots)


@lru_cache(maxsize=128)
def _before(size: int) -> NDArray[np.bool_]:
    """Entry (i, j): whether j < i."""
    return np.tri(size, k=-1, dtype=bool)


def _spread(parts: Array, combine: Any, nothing: float) -> Array:
    """Entry (..., i, j > i): what ``combine`` makes of parts i to j - 1, shape (..., size - 1)."""
    size = parts.shape[-1] + 1
    result = np.full((*parts.shape[:-1], size, size), nothing)
    upper = np.where(_before(size - 1), nothing, parts[..., None, :])
    result[..., :-1, 1:] = combine.accumulate(upper, axis=-1)
    return result


def best_free(rule: Rule, values: Mapping[Any, Any]) -> list[tuple[Any, Any]]:
    """The best value of the free parameter of a rule, by bisection on the slope of the bound in it."""
    if rule.free is None:
        return []
    free = rule.free
    shape = np.broadcast_shapes(*(np.shape(values[x]) for x in ordered_symbols(free.slope) if x != free.symbol))
    low, high = np.full(shape, float(free.low)), np.full(shape, float(free.high))
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        falling = FLOATS.value(free.slope, {**values, free.symbol: middle}) < 0
        low, high = np.where(falling, middle, low), np.where(falling, high, middle)
    return [(free.symbol, (low + high) / 2)]


def _free_between(sums: Sums, time: Any, rule: Rule, start: Any, stop: Any) -> list[tuple[Any, Any]]:
    """The best value of the free parameter of a rule on stretches between nodes, found once for each node where one ends.

    Args:
        time: where the sum ends, at which constants are taken that grow.
        start, stop: numbers of nodes, arrays that broadcast.
    """
    if rule.free is None:
        return []
    assert isinstance(sums.grid_steps, FloatSteps)
    values, ts = sums.constants(time), sums.grid_steps.nodes
    if a in ordered_symbols(rule.free.slope):
        return best_free(rule, {**values, a: ts[start], b: ts[stop]})
    key = rule.free, sums.key(rule.free.slope, time)
    found, wanted = sums.chosen.setdefault(key, np.full(len(ts), np.nan)), distinct(stop)
    missing = wanted[np.isnan(found[wanted])]
    if missing.size:
        if len(ts) <= _ALL_NODES:  # other ends will ask for others
            missing = np.arange(len(ts))
        ((_, found[missing]),) = best_free(rule, {**values, b: ts[missing]})
    return [(rule.free.symbol, found[stop])]


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
    if edges.size > 2 and combinable(entries):
        return Shortest(edges, entries).choice(edges.size - 1)
    named = _named(entries)
    whole = edges.whole([rule for _, rule in named])
    return Choice(np.min(whole, axis=0), [(*named[int(np.argmin(whole[:, 0]))], 0, edges.size - 1)])


def _named(entries: Sequence[Entry]) -> list[tuple[str, Rule]]:
    """The rules, each with the name of its profile."""
    return [(profile.name, rule) for profile, rules in entries for rule in rules]


def combinable(entries: Sequence[Entry]) -> bool:
    """Whether a path of several stretches is looked for: one rule alone is cut if it is a root of a sum of squares."""
    rules = [rule for _, rules in entries for rule in rules]
    return len(rules) > 1 or bool(rules[0].roots)


class Shortest:
    """The cheapest ways to cut [first candidate, candidate k] into stretches, for every k: one search finds them all.

    Attributes:
        best: their costs, shape (P, size).
    """

    def __init__(self, edges: Edges, entries: Sequence[Entry]) -> None:
        self.named, size = _named(entries), edges.size
        for start, costs in edges.costs([rule for _, rule in self.named]):
            rules, count, _, width = costs.shape
            if start == 0:
                self.best, self.first = np.zeros((count, size)), np.empty((rules, count, size))
                self.which, self.origin = np.zeros((2, count, size), dtype=np.intp)
                every = np.arange(count)
            self.first[..., start : start + width] = costs[:, :, 0]
            smallest = np.minimum.reduce(costs, axis=0)
            if count == 1:
                self._one(smallest[0], start)
            for k in range(max(start, 1), start + width) if count > 1 else ():
                through = self.best[:, :k] + smallest[:, :k, k - start]
                i = self.origin[:, k] = through.argmin(axis=1)
                self.best[:, k] = through[every, i]
            ends = np.arange(width)
            origin = self.origin[:, start : start + width]
            self.which[:, start : start + width] = costs[:, every[:, None], origin, ends].argmin(axis=0)

    def _one(self, smallest: Array, start: int) -> None:
        """The paths of one setting to the next candidates: of a few numbers lists are faster than arrays."""
        best = self.best[0].tolist()
        for k, column in enumerate(smallest.T.tolist(), start):
            if k > 0:
                through = [x + y for x, y in zip(best[:k], column, strict=False)]
                best[k] = min(through)
                self.origin[0, k] = through.index(best[k])
        self.best[0] = best

    def choice(self, k: int) -> Choice:
        """The best path up to candidate ``k``, or one rule where that is as good up to rounding."""
        cost, better = self._better(k)
        return Choice(np.where(better, self.best[:, k], cost), self.path(k))

    def _better(self, k: int) -> tuple[Array, Any]:
        """The costs of the best rule up to candidate ``k``, and whether paths cost less."""
        cost = np.min(self.first[:, :, k], axis=0)
        return cost, self.best[:, k] < cost * (1 - TIE)

    def path(self, k: int, p: int = 0) -> list[tuple[str, Rule, int, int]]:
        """The stretches of the choice up to candidate ``k`` for setting ``p``."""
        if not self._better(k)[1][p]:
            return [(*self.named[int(np.argmin(self.first[:, p, k]))], 0, k)]
        path: list[tuple[str, Rule, int, int]] = []
        while k > 0:
            i = int(self.origin[p, k])
            path.append((*self.named[self.which[p, k]], i, k))
            k = i
        return path[::-1]


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
    times = _closed_times(entries, values, end)
    return choose(ClosedEdges(times, values, at_nodes=False), entries), times


def _closed_times(entries: Sequence[Entry], values: dict[Any, Any], end: Array) -> Array:
    low = np.broadcast_to(values[delta], end.shape)
    times = candidate_times(entries, values, low, end) if combinable(entries) else np.concatenate([low, end], axis=1)
    return times[:, np.append(True, times[0, 1:] != times[0, :-1])] if len(times) == 1 else times


def candidate_times(entries: Sequence[Entry], values: dict[Any, Any], low: Array, end: Array) -> Array:
    """Times from ``low`` to ``end``, spaced evenly in log t, and those at which a bound changes its shape; shape (P, K).

    What rounding keeps from the end is there: no stretch is shorter than the costs of stretches are exact.
    """
    changes = [FLOATS.value(expr, values) for expr in _breakpoints(entries)]
    count = max(map(len, (low, end, *map(np.atleast_1d, changes))))
    times = np.empty((count, CANDIDATES + len(changes)))
    times[:, :CANDIDATES] = low * np.exp(np.log(end / low) * np.arange(CANDIDATES) / (CANDIDATES - 1))
    for column, change in zip(times.T[CANDIDATES:], changes, strict=True):
        column[:, None] = np.nan_to_num(change, nan=0.0)
    times = np.sort(np.clip(np.where(times < end * (1 - TIE), times, end), low, end), axis=1)
    times[:, :1] = low
    return times


def choose_pieces(setting: Setting, sums: Sums, ends: Sequence[Any]) -> dict[Any, tuple[Piece, ...]]:
    """The paths for the map errors at some times of one setting, by their ends.

    Args:
        setting: the setting.
        sums: the same setting in float64.
        ends: exact times (none, where no profile enters).
    """
    if not ends:
        return {}
    if sums.grid_steps is not None:
        return {end: _grid_pieces(setting, sums, end) for end in ends}
    if not combinable(setting.profiles):
        return {end: (_single_piece(setting, end),) for end in ends}
    if setting.grid is not None:
        return {end: _uniform_pieces(setting, _without_ends(sums.at(end)), end) for end in ends}
    found: dict[Any, tuple[Piece, ...]] = {}
    for i in range(0, len(ends), _AT_ONCE):
        found |= _closed_pieces(setting, sums, ends[i : i + _AT_ONCE])
    return found


def _single_piece(setting: Setting, end: Any) -> Piece:
    ((profile, (rule,)),) = setting.profiles
    return Piece(
        profile.name, rule, setting.values["delta"], end if setting.grid is None else node(setting, node_index(setting, end))
    )


def _without_ends(stretch: Mapping[Any, Any]) -> dict[Any, Any]:
    return {x: np.asarray(y) for x, y in stretch.items() if x not in (a, b)}


def _closed_pieces(setting: Setting, sums: Sums, ends: Sequence[Any]) -> dict[Any, tuple[Piece, ...]]:
    """On a grid of which only the largest step is known, all ends at once."""
    rows = [_without_ends(sums.at(end)) for end in ends]
    values = {
        x: y if all(row[x] is y for row in rows) else np.stack([row[x] for row in rows])[:, None] for x, y in rows[0].items()
    }
    last = np.array([[FLOATS.number(end)] for end in ends])
    times = _closed_times(setting.profiles, values, last)
    shortest = Shortest(ClosedEdges(times, values, at_nodes=False), setting.profiles)
    found = {}
    for p, end in enumerate(ends):
        path = shortest.path(times.shape[1] - 1, p)
        exact = {0: setting.values["delta"], times.shape[1] - 1: end}
        exact = {i: exact.get(i, Fraction(float(times[p, i]))) for _, _, *used in path for i in used}
        found[end] = tuple(Piece(name, rule, exact[i], exact[k]) for name, rule, i, k in path)
    return found


def _candidate_nodes(setting: Setting, values: dict[Any, Any], low: float, high: float, locate: Any, last: int) -> Index:
    """Numbers of the nodes at which a stretch may begin or end: all of them, or the first from each candidate time on.

    Args:
        locate: from an array of times to the number of the first node at or after each.
        last: the number of the node at ``high``.
    """
    if last + 1 <= CANDIDATES:
        return np.arange(last + 1)
    wanted = candidate_times(setting.profiles, values, np.array([[low]]), np.array([[high]]))[0]
    return np.asarray(distinct(np.append(np.clip(locate(wanted), 0, last), (0, last)).astype(np.intp)))


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
    assert isinstance(grid, FloatSteps)

    def piece(name: str, rule: Rule, start: int, stop: int) -> Piece:
        free = tuple((x, Fraction(float(y))) for x, y in _free_between(sums, end, rule, start, stop))
        return Piece(name, rule, start, stop, free)

    one = len(_named(setting.profiles)) == 1
    if not combinable(setting.profiles) or (one and last == 1):  # a step is not cut
        ((profile, (rule,)),) = setting.profiles
        return (piece(profile.name, rule, 0, last),)
    if last < CANDIDATES and setting.clock.name == "ou":  # where nothing depends on the end, nothing is computed for each
        candidates = np.arange(min(len(grid.nodes), CANDIDATES))
        if "paths" not in sums.chosen:
            sums.chosen["paths"] = Shortest(GridEdges(sums, setting.values["T"], candidates), setting.profiles)
        choice = sums.chosen["paths"].choice(last)
    else:
        values, ts = sums.constants(end), grid.nodes[: last + 1]
        candidates = _candidate_nodes(setting, values, ts[0], ts[-1], lambda times: np.searchsorted(ts, times), last)
        choice = choose(GridEdges(sums, end, candidates), setting.profiles)
    return tuple(piece(name, rule, int(candidates[i]), int(candidates[k])) for name, rule, i, k in choice.path)
