"""Sums over a grid, and which profile to use on which stretch of it.

The choice is made in float64 and is only a choice: whatever it is, the bound on it is valid, and the certified tier
encloses the bound of the path that was chosen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import sympy

from cmbound.arithmetic.backend import Backend, Floats
from cmbound.arithmetic.exact import Value, as_expr, noise_level
from cmbound.errors import DomainError
from cmbound.evaluation.setting import SAME_TIME, Setting
from cmbound.theory import grids
from cmbound.theory.formulas import convert
from cmbound.theory.functions import plain
from cmbound.theory.grids import FORMULAS, j, two_stage_nodes
from cmbound.theory.notation import (
    TABLE,
    L_f,
    L_os,
    L_s,
    M,
    T,
    a,
    b,
    cov_eigs,
    delta,
    ell,
    entropy,
    eps_cm,
    eps_sc,
    eps_sc_a,
    h,
    nu,
    t_hat,
    t_prev,
)
from cmbound.theory.rules import Rule

FLOATS = Floats()
_NEXT_NODE = sympy.Min(a + h, b)
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
        result.update({symbol: backend.number(value) for symbol, value in _weights(setting).items()})
    return result


def _weights(setting: Setting) -> dict[Any, Any]:
    """nu = (sum pi_i^(1/2))^2 and the entropy of the weights as exact expressions (theory 3.11 g, 3.12)."""
    if "weights" not in setting.lists:
        count = as_expr(setting.values["n_atoms"])
        return {nu: count, entropy: sympy.log(count)}
    weights = [as_expr(x) for x in setting.lists["weights"]]
    total = sum(weights)
    shares = [x / total for x in weights]
    return {nu: sympy.Add(*(sympy.sqrt(x) for x in shares)) ** 2, entropy: sympy.Add(*(x * sympy.log(1 / x) for x in shares))}


# --- the steps of a grid --------------------------------------------------------------------------------------------


@dataclass
class Steps:
    """The steps of a grid in one arithmetic, OU clock, from delta upwards.

    Attributes:
        nodes: t_0, ..., t_N.
        rows: beginnings, ends, sizes, and the constants at each step, by symbol.
        weight: what the local error of each step is multiplied with.
    """

    nodes: Any
    rows: dict[Any, Any]
    weight: Any

    def columns(self, start: int, end: int) -> dict[Any, Any]:
        """The steps number start to end - 1, by symbol."""
        return {symbol: column[start:end] for symbol, column in self.rows.items()}


def nodes(setting: Setting, backend: Backend) -> Any:
    """The nodes t_0 < ... < t_N."""
    grid, values = setting.grid, setting.values
    assert grid is not None
    if grid.N > grids.MAX_STEPS:
        raise DomainError(f"the grid has N = {grid.N} steps; at most {grids.MAX_STEPS} can be summed step by step")
    low, high = backend.number(values["delta"]), backend.number(values["T"])
    if grid.kind == "times":
        return backend.column(grid.values)
    if grid.kind == "noise-levels":
        sigma = TABLE["sigma"].symbol
        return backend.each(grids.time_of(sigma), {sigma: backend.column(grid.values)}, {})
    if grid.kind == "two-stage":
        return backend.joined(two_stage_nodes(grid, low, high, backend.number(values["h"])))
    fixed = {delta: low, T: high, TABLE["N"].symbol: backend.number(Fraction(grid.N))}
    if "rho" in values:
        fixed[TABLE["rho"].symbol] = backend.number(values["rho"])
    inner = backend.each(FORMULAS[grid.kind], {j: backend.column([Fraction(i) for i in range(grid.N + 1)])}, fixed)
    return backend.joined([low, *inner[1:-1], high])


def levels(setting: Setting) -> tuple[float, ...]:
    """The noise levels of the nodes, in float64."""
    return tuple(float(x) for x in np.sqrt(np.expm1(2 * np.asarray(nodes(setting, FLOATS), dtype=np.float64))))


def steps(setting: Setting, backend: Backend, fixed: dict[Any, Any]) -> Steps:
    """The steps of the setting's grid."""
    assert setting.grid is not None
    ts, size, clock = nodes(setting, backend), setting.grid.N, setting.clock
    rows = {a: ts[:-1], b: ts[1:]}
    rows[h] = backend.each(b - a, rows, {})
    if any(not x > 0 for x in rows[h]):
        raise DomainError("the nodes of the grid do not increase at this precision: too many steps, or an extreme rho")
    for symbol, time, given in _per_step(setting, rows, size):
        rows[symbol] = backend.each(convert(symbol, clock, a, a), {symbol: backend.column(given), a: time}, fixed)
    if (measured := setting.measured) is not None:
        rows[ell] = backend.column(measured.errors(setting.teacher.name, levels(setting)))
    if clock.name == "ve" and "L_f" in setting.lists:
        rows[L_f] = backend.joined([backend.number(Fraction(1)), *rows[L_f][1:]])
    weight = backend.product(rows[L_f], backend.each(setting.teacher.weight, {a: rows[a]}, {}))
    return Steps(ts, rows, weight)


def _per_step(setting: Setting, rows: dict[Any, Any], size: int) -> Iterator[tuple[Any, Any, Sequence[Value]]]:
    """Symbols of what may differ from step to step, the times it is taken at, and its values."""
    lipschitz, score = setting.lists.get("L_f"), setting.lists.get("eps_sc")
    if lipschitz is not None:
        lipschitz = (Fraction(1), *lipschitz[:-1])  # that at delta is known, and one at T enters no step
    for symbol, time, given in (
        (L_f, rows[a], lipschitz),
        (eps_sc, rows[b], score and score[-size:]),
        (eps_sc_a, rows[a], score and score[:size]),
        (eps_cm, rows[a], setting.lists.get("eps_cm")),
        (M, rows[a], setting.lists.get("M")),
    ):
        name = "eps_sc" if symbol == eps_sc_a else symbol.name
        if given is not None or name in setting.values:
            yield symbol, time, (setting.values[name],) * size if given is None else given


# --- sums -----------------------------------------------------------------------------------------------------------


@dataclass
class Sums:
    """Evaluates, in one arithmetic, the place-holders of a statement for the times a setting needs."""

    setting: Setting
    backend: Backend
    fixed: dict[Any, Any] = field(init=False)
    grid_steps: Steps | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.fixed = scalars(self.setting, self.backend)
        if not self.setting.collapsed:
            self.grid_steps = steps(self.setting, self.backend, self.fixed)

    def constants(self, end: Any) -> dict[Any, Any]:
        """The parameters by symbol, the Lipschitz constants of the score as they are up to ``end``."""
        if self.setting.clock.name == "ou":
            return self.fixed
        time = {**self.fixed, a: self.backend.number(end)}
        growing = [x for x in (L_s, L_os) if x in self.fixed]
        return {**self.fixed, **{x: self.backend.value(convert(x, self.setting.clock, a, a), time) for x in growing}}

    def at(self, end: Any) -> dict[Any, Any]:
        """The stretch [delta, end] as one, by symbol (closed form): constants taken at ``end`` where they grow."""
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
        return self._summed(L_f * self.setting.teacher.score, end)

    def _summed(self, expr: Any, end: Any) -> Any:
        """The sum over the steps up to a time of an expression in what a step has."""
        if self.grid_steps is None:
            return self.backend.value(expr, self.at(end))
        rows = self.grid_steps.columns(0, node_index(self.setting, end))
        return self.backend.total(self.backend.each(expr, rows, self.fixed))

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
        rows = grid.columns(piece.start, piece.end)
        weight = grid.weight[piece.start : piece.end]
        fixed = {**self.constants(end), **{symbol: backend.number(value) for symbol, value in piece.free}}
        stretch = {**fixed, a: grid.nodes[piece.start], b: grid.nodes[piece.end]}
        parts = [backend.number(Fraction(0))]
        if rule.steps != 0:
            parts.append(backend.total(backend.product(weight, backend.each(rule.steps, rows, fixed))))
        for root in rule.roots:
            squares = backend.product(backend.product(weight, weight), backend.each(root.energy, rows, fixed))
            parts.append(backend.root(backend.total(squares)) * backend.value(root.factor, stretch))
        if rule.whole != 0:
            whole = backend.value(rule.whole, {**stretch, h: backend.largest(rows[h])})
            parts.append(backend.largest(weight) * whole)
        return backend.total(parts)


def node(setting: Setting, index: int) -> Value:
    """Node number ``index`` as an exact number."""
    grid, values = setting.grid, setting.values
    assert grid is not None
    if index == grid.N:
        return values["T"]
    if grid.kind == "times":
        return grid.values[index]
    if grid.kind == "two-stage":
        ends = [values["delta"], values["T"], values["h"]]
        return two_stage_nodes(grid, *(ends if all(isinstance(x, Fraction) for x in ends) else map(as_expr, ends)))[index]
    if grid.kind == "noise-levels":
        formula, numbers = grids.time_of(TABLE["sigma"].symbol), {"sigma": grid.values[index]}
    else:
        formula = grids.FORMULAS[grid.kind].subs(grids.j, index)
        numbers = {**values, "N": Fraction(grid.N)}
    result = plain(formula).subs({x: as_expr(numbers[x.name]) for x in formula.free_symbols}, simultaneous=True)
    return Fraction(int(result.p), int(result.q)) if result.is_Rational else result


def node_index(setting: Setting, time: Any) -> int:
    """The number of the node at this time; raises DomainError if there is none."""
    grid = setting.grid
    assert grid is not None
    if time == setting.values.get("T"):
        return grid.N
    value = FLOATS.number(time)
    if grid.kind == "uniform":
        low, high = FLOATS.number(setting.values["delta"]), FLOATS.number(setting.values["T"])
        nearest = round((value - low) / (high - low) * grid.N)
        near = low + (high - low) * nearest / grid.N
    else:
        ts = nodes(setting, FLOATS)
        nearest = int(np.argmin(np.abs(ts - value)))
        near = float(ts[nearest])
    if nearest < 1 or abs(near - value) > SAME_TIME * value:
        raise DomainError(
            f"time {value:.12g} (sigma {noise_level(value):.12g}) is not a node t_1, ..., t_N of the grid; "
            f"the nearest node is at time {near:.12g} (sigma {noise_level(near):.12g})"
        )
    return int(nearest)
