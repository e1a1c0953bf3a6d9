"""Sums over the steps of a grid for many settings at once (one setting: :mod:`cmbound.evaluation.sums`).

Columns are arrays of shape (N, P) or (K, P): N steps or K candidate nodes, P settings. All settings have as many steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import sympy

from cmbound.errors import DomainError
from cmbound.evaluation.many import Tables, evaluated, finite, shortest, tables
from cmbound.evaluation.paths import CANDIDATES, TIE, best_free, candidate_times, combinable
from cmbound.evaluation.separated import Parts, Separated
from cmbound.evaluation.setting import LONGEST_HORIZON, PER_STEP, Setting
from cmbound.evaluation.sums import FLOATS, Piece
from cmbound.later import Array, Index, np
from cmbound.theory import grids
from cmbound.theory.formulas import ALIASES, convert
from cmbound.theory.notation import TABLE, L_f, L_os, L_s, M, T, a, b, delta, eps_cm, eps_sc, eps_sc_a, h
from cmbound.theory.rules import Rule
from cmbound.threads import alone


def applies(setting: Setting, varied: Sequence[str]) -> bool:
    """Whether settings like this one can be summed together, when these parameters vary.

    The number of steps must not vary, nor the place of a node at which something happens, and no list may be one of the data.
    """
    if setting.grid is None or setting.collapsed or "h" in setting.values:  # h decides how many steps there are
        return False
    if setting.listed and {"delta", "T", "t"} & {ALIASES.get(x, x) for x in varied}:  # each must be that of the nodes
        return False
    if set(setting.lists) - set(PER_STEP) or setting.theorem.uses_schedule:
        return False
    if any(p.own or p.measured is not None for p, _ in setting.profiles):
        return False
    free = [rule.free for _, rules in setting.profiles for rule in rules if rule.free is not None]
    return not any(a in x.slope.free_symbols for x in free) and ends_with_grid(setting, varied)


def ends_with_grid(setting: Setting, varied: Sequence[str]) -> bool:
    """Whether the time of the map error is the end of the grid."""
    return not {"t", "T"} <= {ALIASES.get(x, x) for x in (*setting.given, *varied)}


def unlawful(values: Mapping[Any, Any]) -> Any:
    """Where a grid does not end after it begins, or beyond the longest horizon."""
    return (values[delta] >= values[T]) | (values[T] > LONGEST_HORIZON)


@dataclass
class ManySums:
    """The place-holders of a statement for P settings: as :class:`cmbound.evaluation.sums.Sums`, in float64.

    Attributes:
        setting: one of them.
        fixed: parameters by symbol, shape (P,) or scalars.
        count: P.
        used: the stretches in use, of any of the settings.
    """

    setting: Setting
    fixed: dict[Any, Any]
    count: int
    backend: Any = FLOATS
    used: set[Piece] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.nodes = self._nodes()
        self.rows = self._rows()
        self.weight = self.rows[L_f] * evaluated(self.setting.teacher.weight, {a: self.rows[a]}, self.rows[a].shape)
        self._sums: dict[Any, Array] = {}

    # --- steps ------------------------------------------------------------------------------------------------------

    def _nodes(self) -> Array:
        grid = self.setting.grid
        assert grid is not None
        shape = grid.N + 1, self.count
        if grid.kind in grids.LISTED:
            given = np.array([float(x) for x in grid.values])
            sigma = TABLE["sigma"].symbol
            ts = given if grid.kind == "times" else FLOATS.value(grids.time_of(sigma), {sigma: given})
            return np.broadcast_to(ts[:, None], shape)
        number = np.arange(grid.N + 1, dtype=np.float64)[:, None]
        ts = evaluated(grids.FORMULAS[grid.kind], {**self.fixed, grids.j: number, TABLE["N"].symbol: float(grid.N)}, shape).copy()
        ts[0], ts[-1] = self.fixed[delta], self.fixed[T]
        return ts

    def _rows(self) -> dict[Any, Array]:
        ts, clock, lists = self.nodes, self.setting.clock, self.setting.lists
        rows: dict[Any, Array] = {a: ts[:-1], b: ts[1:], h: ts[1:] - ts[:-1]}
        if not (rows[h] > 0).all():
            raise DomainError("the nodes of the grid do not increase at this precision: too many steps, or an extreme rho")
        for symbol, time in ((L_f, a), (eps_sc, b), (eps_sc_a, a), (eps_cm, a), (M, a)):
            given = self._given(symbol, len(rows[h]))
            if given is not None:
                values = {**self.fixed, symbol: given, a: rows[time]}
                rows[symbol] = evaluated(convert(symbol, clock, a, a), values, rows[h].shape)
        if clock.name == "ve" and "L_f" in lists:
            rows[L_f] = np.concatenate([np.ones((1, self.count)), rows[L_f][1:]])
        return rows

    def _given(self, symbol: Any, size: int) -> Any:
        """What is given of a symbol that may differ from step to step: shape (N, 1) or (P,), None where it is not."""
        known = eps_sc if symbol == eps_sc_a else symbol
        if known.name not in self.setting.lists:
            return self.fixed.get(known)
        column = np.array([float(x) for x in self.setting.lists[known.name]])
        if symbol == L_f:  # that at delta is known, and one at T enters no step
            column = np.concatenate([[1.0], column[:-1]])
        return (column[:size] if symbol == eps_sc_a else column[-size:])[:, None]

    def steps(self, expr: Any, power: int) -> Array:
        """A quantity of each step, times a power of its weight, shape (N, P)."""
        if (expr, power) not in self._sums:
            found = evaluated(expr, {**self.constants(), **self.rows}, self.weight.shape)
            with np.errstate(over="ignore", invalid="ignore"):
                self._sums[expr, power] = found * self.weight**power if power else found
        return self._sums[expr, power]

    def constants(self) -> dict[Any, Any]:
        """The parameters by symbol, the Lipschitz constants of the score as they are up to the end."""
        clock, found = self.setting.clock, dict(self.fixed)
        for x in (L_s, L_os) if clock.name == "ve" else ():
            if x in found:
                found[x] = FLOATS.value(convert(x, clock, a, a), {**self.fixed, a: self.nodes[-1]})
        return found

    # --- place-holders ----------------------------------------------------------------------------------------------

    def lipschitz(self, end: Any) -> Any:
        """L_f at the end."""
        given = self.setting.lists.get("L_f")
        values = {**self.fixed, a: self.nodes[-1]} | ({} if given is None else {L_f: float(given[-1])})
        return FLOATS.value(convert(L_f, self.setting.clock, a, a), values)

    def consistency(self, end: Any) -> Array:
        """Sum of the consistency errors."""
        return np.asarray(self.steps(self.setting.consistency, 0).sum(axis=0))

    def score(self, end: Any) -> Array:
        """Sum of what the score errors do."""
        return np.asarray(self.steps(self.setting.teacher.weighted_score, 0).sum(axis=0))

    def local(self, pieces: Any, end: Any) -> Array:
        """Sum of the local teacher errors along the best paths."""
        named = [(p.name, rule) for p, rules in self.setting.profiles for rule in rules]
        everything = np.arange(self.count)
        first, last = np.zeros(self.count, dtype=np.intp), np.full(self.count, len(self.weight))
        single = finite([self._paid(rule, everything, first, last) for _, rule in named])
        cost: Array = single.min(axis=0)
        best = np.argmin(single, axis=0)
        path = np.zeros(self.count, dtype=bool)
        if len(self.weight) > 1 and combinable(self.setting.profiles):
            nodes = self._candidates()
            found, chosen = shortest(self._tables([rule for _, rule in named], nodes), nodes[:-1] == nodes[1:], self.count)
            total = np.where(np.isfinite(found), 0.0, np.inf)
            for i, (_, rule) in enumerate(named):
                which, start, stop = chosen.of(i)
                start, stop = nodes[start, which], nodes[stop, which]
                real = start < stop
                which, start, stop = which[real], start[real], stop[real]
                total += np.bincount(which, self._paid(rule, which, start, stop), self.count)
            path = total < cost * (1 - TIE)
            cost = np.where(path, total, cost)
            self._use(named, chosen.rule[path[chosen.setting]])
        self._use(named, best[~path])
        return cost

    def _use(self, named: Sequence[tuple[str, Rule]], numbers: Index) -> None:
        self.used |= {Piece(*named[int(i)], 0, 0) for i in np.unique(numbers)}

    # --- stretches ---------------------------------------------------------------------------------------------------

    def _candidates(self) -> Index:
        """Numbers of the nodes at which a stretch may begin or end, rising, shape (K, P)."""
        last = len(self.weight)
        if last + 1 <= CANDIDATES:
            return np.broadcast_to(np.arange(last + 1)[:, None], self.nodes.shape)
        values = {x: y[:, None] if np.ndim(y) else y for x, y in self.constants().items()}
        wanted = candidate_times(self.setting.profiles, values, self.nodes[0][:, None], self.nodes[-1][:, None])
        found = np.stack([np.searchsorted(ts, x) for ts, x in zip(self.nodes.T, wanted, strict=True)], axis=1)
        ends = np.array([[0], [last]]).repeat(self.count, axis=1)
        return np.sort(np.concatenate([np.clip(found, 0, last), ends]), axis=0)

    def _tables(self, rules: Sequence[Rule], nodes: Index) -> list[Tables]:
        """The tables of the rules."""
        times, values = np.take_along_axis(self.nodes, nodes, axis=0), self.constants()
        found: list[Tables] = []
        for rule in rules:
            cost = stretch(rule)
            given = {**values, **_free(rule, {**values, b: times})}
            steps = {x: _reduced(np.add, self.steps(*y), nodes) for x, y in zip(cost.steps, summed(rule), strict=True)}
            found += tables([cost], times, times, given, steps, self._peaks(rule, nodes))
        return found

    def _peaks(self, rule: Rule, nodes: Index) -> dict[Any, Array]:
        """The largest step and the largest weight between neighbouring candidates, where the rule needs them."""
        if rule.whole == 0:
            return {}
        columns = {_LARGEST_STEP: self.rows[h], _LARGEST_WEIGHT: self.weight}
        return {x: _reduced(np.maximum, column, nodes) for x, column in columns.items()}

    def _paid(self, rule: Rule, which: Index, start: Index, stop: Index) -> Array:
        """The bounds of a rule on stretches of some settings, from node to node."""
        if not len(which):
            return np.zeros(0)
        whole = len(which) == self.count and not start.any() and (stop == len(self.weight)).all()
        lengths = stop - start
        offsets = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        owner = () if whole else np.repeat(which, lengths)
        step = () if whole else np.arange(int(lengths.sum())) - np.repeat(offsets - start, lengths)

        def combined(column: Array, how: Any) -> Array:
            return np.asarray(how.reduce(column, axis=0) if whole else how.reduceat(column[step, owner], offsets))

        values = {x: y[which] if np.ndim(y) else y for x, y in self.constants().items()}
        values |= {a: self.nodes[start, which], b: self.nodes[stop, which]}
        values |= _free(rule, values)
        sums = [combined(self.steps(*x), np.add) for x in summed(rule)]
        total = sums.pop(0) if rule.steps != 0 else np.zeros(len(which))
        with np.errstate(over="ignore", invalid="ignore"):
            for root, energy in zip(rule.roots, sums, strict=True):
                total = total + np.sqrt(energy) * FLOATS.value(root.factor, values)
            if rule.whole != 0:
                largest = combined(self.rows[h], np.maximum)
                total = total + combined(self.weight, np.maximum) * FLOATS.value(rule.whole, {**values, h: largest})
        return total


_LARGEST_STEP, _LARGEST_WEIGHT = sympy.Dummy("h", positive=True), sympy.Dummy("w", positive=True)


def _reduced(how: Any, steps: Array, nodes: Index) -> Array:
    """What a reduction makes of the steps between neighbouring candidates, 0 where there are none, shape (K - 1, P)."""
    if len(nodes) == len(steps) + 1 and (nodes[:-1] < nodes[1:]).all():  # every one
        return steps
    ended = np.concatenate([steps, np.zeros((1, steps.shape[1]))])  # a stretch without steps may begin at the last node
    found = np.stack([how.reduceat(x, i) for x, i in zip(ended.T, nodes[:-1].T, strict=True)], axis=1)
    return np.where(nodes[:-1] == nodes[1:], 0.0, found)


def _free(rule: Rule, values: dict[Any, Any]) -> dict[Any, Any]:
    return dict(best_free(rule, values))


def summed(rule: Rule) -> list[tuple[Any, int]]:
    """What is summed over the steps of a stretch, each with the power of the weight."""
    return [(rule.steps, 1)] * (rule.steps != 0) + [(root.energy, 2) for root in rule.roots]


@lru_cache(maxsize=512)
@alone
def stretch(rule: Rule) -> Separated:
    """The bound on a stretch of a grid in the names of its parts; its sums over the steps are those of :func:`summed`."""
    parts = Parts()
    names = [parts.named(sympy.Dummy("sum"), parts.steps) for _ in summed(rule)]
    terms = [names.pop(0)] if rule.steps != 0 else []
    terms += [sympy.sqrt(x) * parts.split(root.factor) for x, root in zip(names, rule.roots, strict=True)]
    if rule.whole != 0:
        kinds = {a: parts.begin, b: parts.end}
        held = {x: parts.named(x, kinds.get(x, parts.fixed)) for x in rule.whole.free_symbols - {h}}
        terms.append(_LARGEST_WEIGHT * rule.whole.xreplace({**held, h: _LARGEST_STEP}))
    return parts.taken(sympy.Add(*terms))
