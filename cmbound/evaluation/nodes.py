"""The nodes of a grid: in float64 and in balls, all of them, and one by one as exact numbers."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import Any

from cmbound.arithmetic.backend import Backend, Floats, ordered_symbols
from cmbound.arithmetic.certified import Point
from cmbound.arithmetic.exact import Value, as_expr, noise_level
from cmbound.errors import DomainError
from cmbound.evaluation.setting import SAME_TIME, Setting
from cmbound.frozen import read_only
from cmbound.later import np
from cmbound.theory import grids
from cmbound.theory.grids import FORMULAS, Grid, j, two_stage_node
from cmbound.theory.notation import N, T, delta, h, rho, sigma

FLOATS = Floats()


def distinct(values: Any) -> Any:
    """Numbers in rising order, each once, shape (k,): as ``np.unique``, which loads the masked arrays first."""
    found = np.sort(np.asarray(values), axis=None)
    return found[np.append(True, found[1:] != found[:-1])] if found.size else found


def nodes(setting: Setting, backend: Backend) -> Any:
    """The nodes t_0 < ... < t_N."""
    assert setting.grid is not None
    if setting.grid.N > grids.MAX_STEPS:
        raise DomainError(f"the grid has N = {setting.grid.N} steps; at most {grids.MAX_STEPS} can be summed step by step")
    ends = tuple(setting.values.get(x.name) for x in (delta, T, h, rho))
    return _floats(setting.grid, *ends) if isinstance(backend, Floats) else _nodes(backend, setting.grid, *ends)


@lru_cache(maxsize=4)
def _floats(*of: Any) -> Any:
    return read_only(np.asarray(_nodes(FLOATS, *of)))


def _nodes(backend: Backend, grid: Grid, first: Value, last: Value, step: Value, exponent: Value) -> Any:
    if grid.kind == "times":
        return backend.column(grid.values)
    if grid.kind == "noise-levels":
        return backend.each(grids.time_of(sigma), {sigma: backend.column(grid.values)}, {})
    low, high = backend.number(first), backend.number(last)
    if grid.kind == "two-stage":
        size = backend.number(step)
        return backend.joined([two_stage_node(grid, low, high, size, i) for i in range(grid.N + 1)])
    fixed = {delta: low, T: high, N: backend.number(Fraction(grid.N))}
    if exponent is not None:
        fixed[rho] = backend.number(exponent)
    inner = backend.each(FORMULAS[grid.kind], {j: backend.counted(grid.N + 1)}, fixed)
    return backend.joined([low, *inner[1:-1], high])


def levels(setting: Setting) -> tuple[float, ...]:
    """The noise levels of the nodes, in float64."""
    return tuple(float(x) for x in np.sqrt(np.expm1(2 * np.asarray(nodes(setting, FLOATS), dtype=np.float64))))


def node(setting: Setting, index: int) -> Value:
    """Node number ``index`` as an exact number."""
    grid, values = setting.grid, setting.values
    assert grid is not None
    if index == grid.N:
        return values["T"]
    if grid.kind == "times":
        return grid.values[index]
    if grid.kind == "noise-levels":
        return Point(grids.time_of(sigma), ((sigma, grid.values[index]),), index)
    if grid.kind == "two-stage":
        ends = [values["delta"], values["T"], values["h"]]
        low, high, size = ends if all(isinstance(x, Fraction) for x in ends) else map(as_expr, ends)
        return two_stage_node(grid, low, high, size, index)
    numbers: dict[Any, Any] = {**{x: values.get(x.name) for x in (delta, T, rho)}, N: Fraction(grid.N), j: Fraction(index)}
    if grid.kind == "uniform" and all(isinstance(numbers[x], Fraction) for x in (delta, T)):
        return numbers[delta] + numbers[j] / numbers[N] * (numbers[T] - numbers[delta])
    formula = FORMULAS[grid.kind]
    return Point(formula, tuple((x, numbers[x]) for x in ordered_symbols(formula)), index)


def node_index(setting: Setting, time: Any) -> int:
    """The number of the node at this time; raises DomainError if there is none."""
    grid = setting.grid
    assert grid is not None
    if isinstance(time, Point):
        return time.place
    if time == setting.values.get("T"):
        return grid.N
    value = FLOATS.number(time)
    if grid.kind == "uniform":
        low, high = FLOATS.number(setting.values["delta"]), FLOATS.number(setting.values["T"])
        nearest = round((value - low) / (high - low) * grid.N)
        near = low + (high - low) * nearest / grid.N
    else:
        ts = nodes(setting, FLOATS)
        after = int(np.clip(np.searchsorted(ts, value), 1, grid.N))
        nearest = after - int(value - ts[after - 1] <= ts[after] - value)
        near = float(ts[nearest])
    if nearest < 1 or abs(near - value) > SAME_TIME * value:
        raise DomainError(
            f"time {value:.12g} (sigma {noise_level(value):.12g}) is not a node t_1, ..., t_N of the grid; "
            f"the nearest node is at time {near:.12g} (sigma {noise_level(near):.12g})"
        )
    return int(nearest)
