"""Sums over a grid, and which profile to use on which stretch of it.

The choice is made in float64 and is only a choice: whatever it is, the bound on it is valid, and the certified tier
encloses the bound of the path that was chosen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Any

import sympy

from cmbound.arithmetic.backend import Backend, Floats, ordered_symbols
from cmbound.arithmetic.exact import Value, as_expr
from cmbound.arithmetic.running import LARGEST, SQUARED, SUM, WEIGHTED
from cmbound.evaluation.nodes import FLOATS as FLOATS, node_index
from cmbound.evaluation.setting import Setting
from cmbound.evaluation.steps import Asked, BallSteps, FloatSteps, Request
from cmbound.frozen import FrozenDict
from cmbound.theory.formulas import convert
from cmbound.theory.named import smallest
from cmbound.theory.notation import (
    TABLE,
    L_f,
    L_os,
    L_s,
    T,
    a,
    b,
    cov_eigs,
    delta,
    entropy,
    eps_cm,
    eps_sc,
    h,
    nu,
    t_hat,
    t_prev,
)
from cmbound.theory.records import Theorem
from cmbound.theory.rules import Rule
from cmbound.theory.variants import ConsistencySum, ScoreSum
from cmbound.threads import alone

_NEXT_NODE = smallest(a + h, b)
"""Where a step that begins at ``a`` ends at the latest, on a grid that ends at ``b``."""


@dataclass(frozen=True)
class Piece:
    """One stretch of a path: a rule used from ``start`` to ``end`` (times, or node numbers where steps are summed)."""

    profile: str
    rule: Rule
    start: Any
    end: Any
    free: tuple[tuple[Any, Fraction], ...] = ()


def scalars(setting: Setting, backend: Backend) -> dict[Any, Any]:
    """The parameters by symbol; what follows from the weights of a finite data set included."""
    result = {TABLE[name].symbol: backend.number(value) for name, value in setting.values.items()}
    if "cov_eigs" in setting.lists:
        result[cov_eigs] = backend.column(setting.lists["cov_eigs"])
    if "n_atoms" in setting.values:
        found = _of_weights(setting.lists.get("weights"), setting.values["n_atoms"])
        result.update({symbol: backend.number(value) for symbol, value in found.items()})
    return result


@lru_cache(maxsize=64)
@alone
def _of_weights(weights: tuple[Fraction, ...] | None, count: Fraction) -> Mapping[Any, Any]:
    """nu = (sum pi_i^(1/2))^2 and the entropy of the weights as exact expressions (theory 3.11 g, 3.12).

    Roots and logarithms stay as they are: SymPy would look for the prime factors of every weight.
    """
    if weights is None:
        return FrozenDict({nu: as_expr(count), entropy: sympy.log(as_expr(count))})
    total = sum(weights)
    shares = [as_expr(x / total) for x in weights]
    roots = sympy.Add(*(sympy.Pow(x, sympy.S.Half, evaluate=x == 1) for x in shares))
    return FrozenDict({nu: roots**2, entropy: sympy.Add(*(x * sympy.log(1 / x, evaluate=x == 1) for x in shares))})


@lru_cache(maxsize=128)
def _sums_in(theorem: Theorem) -> tuple[Any, ...]:
    """The kinds of place-holders of sums that do not depend on the path."""
    terms = (*theorem.bare_sources, *(theorem.bare_recursion or ()))
    return tuple(x for x in (ConsistencySum, ScoreSum) if any(term.expression.has(x) for term in terms))


# --- sums -----------------------------------------------------------------------------------------------------------


@dataclass
class Sums:
    """Evaluates, in one arithmetic, the place-holders of a statement for the times a setting needs.

    With ``paths``, the pieces of each map error by the time it is needed at, balls are added up for all of them at once.
    """

    setting: Setting
    backend: Backend
    paths: Mapping[Value, Sequence[Piece]] = field(default_factory=dict)
    grid_steps: FloatSteps | BallSteps | None = field(init=False, default=None)
    chosen: dict[Any, Any] = field(init=False, default_factory=dict)
    """What the choice of profiles needs for every end and finds once."""
    _stretches: dict[Value, dict[Any, Any]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        if self.setting.collapsed:
            return
        if isinstance(self.backend, Floats):
            self.grid_steps = FloatSteps(self.setting, self.fixed, tuple((SUM, x, ()) for x in self._whole))
        else:
            self.grid_steps = BallSteps(self.setting, self._planned)

    @cached_property
    def fixed(self) -> dict[Any, Any]:
        """The parameters by symbol."""
        return scalars(self.setting, self.backend)

    @property
    def _whole(self) -> list[Any]:
        """What is added up over all steps up to a time, whatever the path."""
        sums = {ConsistencySum: self.setting.consistency, ScoreSum: self.setting.teacher.weighted_score}
        return [sums[kind] for kind in _sums_in(self.setting.theorem)]

    def _planned(self) -> Iterator[Asked]:
        """What the paths will ask for."""
        for end, pieces in self.paths.items():
            yield from ((Request(SUM, x, 0, node_index(self.setting, end)), self.fixed) for x in self._whole)
            for piece in pieces:
                yield from self._of_piece(piece, end).values()

    def constants(self, end: Any) -> dict[Any, Any]:
        """The parameters by symbol, the Lipschitz constants of the score as they are up to ``end``."""
        if self.setting.clock.name == "ou":
            return self.fixed
        time = {**self.fixed, a: self.backend.number(end)}
        growing = [x for x in (L_s, L_os) if x in self.fixed]
        return {**self.fixed, **{x: self.backend.value(convert(x, self.setting.clock, a, a), time) for x in growing}}

    def at(self, end: Any) -> dict[Any, Any]:
        """The stretch [delta, end] as one, by symbol (closed form): constants taken at ``end`` where they grow."""
        found = self._stretches.get(end)
        if found is None:
            found = self._stretches[end] = self._stretch(end)
        return found

    def _stretch(self, end: Any) -> dict[Any, Any]:
        backend, setting = self.backend, self.setting
        time = backend.number(end)
        values = {**self.fixed, a: time, b: time}
        result = {**self.constants(end), a: self.fixed[delta], b: time, h: self.step()}
        for symbol in (L_f, eps_sc, eps_cm):
            if symbol in values and setting.clock.name != "ou":
                result[symbol] = backend.value(convert(symbol, setting.clock, a, a), values)
        return result

    def step(self) -> Any:
        """The largest step of the closed form (None where no step enters)."""
        if self.setting.grid is None:
            return self.fixed.get(h)
        width = self.fixed[T] - self.fixed[delta]
        return width / self.backend.number(Fraction(self.setting.grid.N))

    def schedule(self, step: Any, times: Sequence[Value]) -> list[Any]:
        """For each number of evaluations the sum over those after the first of ``step``, an expression in t_prev and t_hat.

        Args:
            step: what one evaluation adds.
            times: of all evaluations, the first included.
        """
        known: dict[tuple[Value, Value], Any] = {}
        totals = [self.backend.number(Fraction(0))]
        for pair in pairwise(times):
            if pair not in known:
                before, now = map(self.backend.number, pair)
                known[pair] = self.backend.value(step, {**self.fixed, t_prev: before, t_hat: now})
            totals.append(totals[-1] + known[pair])
        return totals

    def lipschitz(self, end: Any) -> Any:
        """L_f at a time."""
        values = {**self.fixed, a: self.backend.number(end)}
        if "L_f" in self.setting.lists:
            values[L_f] = self.backend.number(self.setting.lists["L_f"][node_index(self.setting, end) - 1])
        return self.backend.value(convert(L_f, self.setting.clock, a, a), values)

    def consistency(self, end: Any) -> Any:
        """Sum of the consistency errors up to a time."""
        return self._summed(self.setting.consistency, end)

    def score(self, end: Any) -> Any:
        """Sum of what the score errors do up to a time."""
        return self._summed(self.setting.teacher.weighted_score, end)

    def _summed(self, expr: Any, end: Any) -> Any:
        """The sum over the steps up to a time of an expression in what a step has."""
        if self.grid_steps is None:
            return self.backend.value(expr, self.at(end))
        return self.grid_steps.total(Request(SUM, expr, 0, node_index(self.setting, end)), self.fixed)

    def local(self, pieces: Sequence[Piece], end: Any) -> Any:
        """Sum over the pieces of a path of the bounds on the local teacher errors."""
        piece = self._closed_piece if self.grid_steps is None else self._grid_piece
        return self.backend.total([piece(x, end) for x in pieces])

    def _closed_piece(self, piece: Piece, end: Any) -> Any:
        backend, values = self.backend, self.at(end)
        last = backend.number(piece.end)
        if self.setting.grid is None and piece.end != end:
            last = backend.value(_NEXT_NODE, {a: last, h: values[h], b: values[b]})
        return backend.value(piece.rule.weighted_bound, {**values, a: backend.number(piece.start), b: last})

    def _grid_piece(self, piece: Piece, end: Any) -> Any:
        backend, grid, rule = self.backend, self.grid_steps, piece.rule
        assert grid is not None
        found = {name: grid.total(*asked) for name, asked in self._of_piece(piece, end).items()}
        stretch = {**self._parameters(piece, end), a: grid.nodes[piece.start], b: grid.nodes[piece.end]}
        parts = [found["steps"]] if "steps" in found else []
        for i, root in enumerate(rule.roots):
            parts.append(backend.root(found[f"energy {i}"]) * backend.value(root.factor, stretch))
        if rule.whole != 0:
            parts.append(found["weight"] * backend.value(rule.whole, {**stretch, h: found["h"]}))
        return backend.total(parts)

    def _parameters(self, piece: Piece, end: Any) -> dict[Any, Any]:
        return {**self.constants(end), **{symbol: self.backend.number(value) for symbol, value in piece.free}}

    def _of_piece(self, piece: Piece, end: Any) -> dict[str, Asked]:
        """What a piece takes from the steps, by name."""
        rule, values = piece.rule, self._parameters(piece, end)
        parts = {} if rule.steps == 0 else {"steps": (WEIGHTED, rule.steps)}
        parts |= {f"energy {i}": (SQUARED, root.energy) for i, root in enumerate(rule.roots)}
        if rule.whole != 0:
            parts |= {"weight": (LARGEST, L_f * self.setting.teacher.weight), "h": (LARGEST, h)}
        keys = {name: self.key(x, end, piece.free) for name, (_, x) in parts.items()}
        return {name: (Request(kind, x, piece.start, piece.end, keys[name]), values) for name, (kind, x) in parts.items()}

    def key(self, expr: Any, end: Any, free: Sequence[tuple[Any, Fraction]] = ()) -> tuple[Any, ...]:
        """What is not the same for all pieces and all ends in an expression of a step."""
        symbols = ordered_symbols(expr)
        grows = self.setting.clock.name == "ve" and (L_s in symbols or L_os in symbols)
        return (*(x for x in free if x[0] in symbols), *((end,) if grows else ()))
