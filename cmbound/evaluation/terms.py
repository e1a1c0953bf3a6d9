"""The terms of a setting in one arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from typing import Any

import sympy

from cmbound.arithmetic.backend import Backend, ordered_symbols
from cmbound.arithmetic.exact import Value
from cmbound.evaluation.nodes import FLOATS, node, node_index, nodes
from cmbound.evaluation.paths import choose_pieces
from cmbound.evaluation.setting import Setting
from cmbound.evaluation.sums import Piece, Sums
from cmbound.theory.formulas import outer_terms
from cmbound.theory.notation import TABLE, W_prev
from cmbound.theory.records import Term, Theorem
from cmbound.theory.variants import ConsistencySum, LipschitzAt, Placeholder, ScheduleSum, ScoreSum

Paths = Mapping[Value, tuple[Piece, ...]]
"""The pieces of each map error, by the time it is needed at."""
_Compiled = tuple[tuple[Any, ...], tuple[Any, ...], Callable[..., list[Any]]]


def prepared(setting: Setting, exact: bool = True) -> tuple[Setting, Sums, Paths]:
    """The setting with its times at nodes of its grid, its sums in float64, and the paths chosen with them.

    Where float64 is all that follows, nodes need not be ``exact``.
    """
    setting = _at_nodes(setting, exact)
    sums = Sums(setting, FLOATS)
    return setting, sums, choose_pieces(setting, sums, _local_times(setting))


def _at_nodes(setting: Setting, exact: bool) -> Setting:
    """On a grid, put the exact nodes in the place of the times a user wrote (to a relative 1e-9)."""
    if setting.grid is None:
        return setting

    def exactly(time: Value) -> Value:
        assert setting.grid is not None
        index = node_index(setting, time)
        if exact or setting.collapsed or index == setting.grid.N:
            return node(setting, index)
        return Fraction(float(nodes(setting, FLOATS)[index]))

    times = {name: exactly(setting.values[name]) for name in ("t", "t_hat") if name in setting.values}
    lists = {name: tuple(map(exactly, setting.lists[name])) for name in ("times",) if name in setting.lists}
    if not times and not lists:
        return setting
    return replace(setting, values={**setting.values, **times}, lists={**setting.lists, **lists})


def _local_times(setting: Setting) -> list[Value]:
    """The times at which the map error is needed, each once."""
    wanted: list[Value] = []
    for symbol in setting.theorem.local_ends:
        wanted += evaluation_times(setting) if symbol.name == "t_hat" else [setting.values[symbol.name]]
    return list(dict.fromkeys(wanted))


def evaluation_times(setting: Setting) -> list[Value]:
    """Multistep: the times of the second to the k-th evaluation."""
    if "times" in setting.lists:
        return list(setting.lists["times"])
    later = int(setting.values["k"]) - 1
    return [setting.values["t_hat"]] * later if later else []


def term_rows(setting: Setting, sums: Sums, paths: Paths) -> list[dict[str, Any]]:
    """The terms by name after each evaluation (one row for every statement but multistep sampling)."""
    theorem, values = setting.theorem, dict(sums.fixed)
    if theorem.uses_schedule and not theorem.bare_recursion:
        return _scheduled_rows(setting, sums)
    rows = [term_row(_outer(setting, _first_terms(theorem)), sums, paths, values, setting.values)]
    if not theorem.bare_recursion:
        return rows
    known: dict[Value, tuple[Any, dict[str, Any]]] = {}
    for end in evaluation_times(setting):
        if end not in known:
            known[end] = contraction(setting, sums, end), increments(setting, sums, paths, end)
        slope, added = known[end]
        rows.append({**rows[-1], **{name: slope * rows[-1][name] + extra for name, extra in added.items()}})
    return rows


def last_row(
    setting: Setting, sums: Sums, paths: Paths, wanted: Collection[str]
) -> Callable[[Mapping[Any, Any]], dict[str, Any]]:
    """The terms wanted after the last evaluation, by name, as a function of the parameters by symbol, no sum over the grid among
    them.

    For one evaluation the sums are computed here, once.
    """
    theorem = setting.theorem
    if theorem.bare_recursion or theorem.uses_schedule:

        def rows(values: Mapping[Any, Any]) -> dict[str, Any]:
            sums.fixed = dict(values)
            return {x: y for x, y in term_rows(setting, sums, paths)[-1].items() if x in wanted}

        return rows
    terms = tuple(x for x in _outer(setting, theorem.bare_sources) if x.name in wanted)
    found, symbols, function = compiled(sums.backend, terms)
    names, held = [x.name for x in terms], _held(found, sums, paths, setting.values)
    return lambda values: dict(zip(names, function(*held, *(values[x] for x in symbols)), strict=True))


def contraction(setting: Setting, sums: Sums, end: Value) -> Any:
    """Multistep: the factor by which one more evaluation, at a time, multiplies every term."""
    return term_row(recursion_parts(setting.theorem)[:1], sums, {}, *_at_t_hat(setting, sums, end))["slope"]


def increments(setting: Setting, sums: Sums, paths: Paths, end: Value) -> dict[str, Any]:
    """Multistep: what one more evaluation, at a time, adds to every term, by name."""
    scale = sums.backend.value(setting.theorem.ve_factor, sums.fixed) if setting.clock.name == "ve" else 1
    added = term_row(recursion_parts(setting.theorem)[1:], sums, paths, *_at_t_hat(setting, sums, end))
    return {name: scale * x for name, x in added.items()}


@lru_cache(maxsize=128)
def _first_terms(theorem: Theorem) -> tuple[Term, ...]:
    """The terms after the first evaluation."""
    if not theorem.bare_recursion:
        return theorem.bare_sources
    return tuple(Term(x.name, x.expression.subs(TABLE["k"].symbol, 1)) for x in theorem.bare_sources)


@lru_cache(maxsize=128)
def recursion_parts(theorem: Theorem) -> tuple[Term, ...]:
    """The common slope of the recursion in W_prev, and its terms without that."""
    slope = Term("slope", sympy.diff(theorem.bare_recursion[0].expression, W_prev))
    return slope, *(Term(x.name, x.expression.subs(W_prev, 0)) for x in theorem.bare_recursion)


def _at_t_hat(setting: Setting, sums: Sums, end: Value) -> tuple[dict[Any, Any], dict[str, Value]]:
    """The numbers by symbol and by name, with the time of one evaluation."""
    return {**sums.fixed, TABLE["t_hat"].symbol: sums.backend.number(end)}, {**setting.values, "t_hat": end}


def _scheduled_rows(setting: Setting, sums: Sums) -> list[dict[str, Any]]:
    """As :func:`term_rows`, for terms that are functions of sums over the evaluations."""
    terms = _outer(setting, setting.theorem.bare_sources)
    times = [setting.values["T"], *evaluation_times(setting)]
    found, symbols, function = compiled(sums.backend, terms)
    last = [sums.backend.number(x) for x in times]
    columns = [sums.schedule(x.args[0], times) if isinstance(x, ScheduleSum) else last for x in found]
    fixed = [sums.fixed[x] for x in symbols]
    rows = (function(*holders, *fixed) for holders in zip(*columns, strict=True))
    return [dict(zip((x.name for x in terms), row, strict=True)) for row in rows]


def _outer(setting: Setting, terms: tuple[Term, ...]) -> tuple[Term, ...]:
    return outer_terms(setting.theorem, setting.target, setting.start, setting.clock, terms)


def term_row(
    terms: Sequence[Term], sums: Any, paths: Paths, values: Mapping[Any, Any], times: Mapping[str, Value]
) -> dict[str, Any]:
    """The terms by name.

    Args:
        terms: what is computed.
        sums, paths: for their place-holders.
        values: parameters by symbol, in the arithmetic of the sums.
        times: exact numbers by name, the times the place-holders end at among them.
    """
    found, symbols, function = compiled(sums.backend, tuple(terms))
    computed = function(*_held(found, sums, paths, times), *(values[x] for x in symbols))
    return dict(zip((x.name for x in terms), computed, strict=True))


def _held(found: Sequence[Any], sums: Any, paths: Paths, times: Mapping[str, Value]) -> list[Any]:
    """The values of place-holders."""
    kinds = {LipschitzAt: sums.lipschitz, ConsistencySum: sums.consistency, ScoreSum: sums.score}
    held = []
    for holder in found:
        end = times[holder.args[0].name]
        held.append(kinds[type(holder)](end) if type(holder) in kinds else sums.local(paths[end], end))
    return held


def compiled(backend: Backend, terms: tuple[Term, ...]) -> _Compiled:
    """Place-holders, remaining symbols, and a function of both."""
    return _compiled(backend.compile, tuple(x.expression for x in terms))


@lru_cache(maxsize=256)
def _compiled(compile: Any, terms: tuple[Any, ...]) -> _Compiled:
    found = sorted({x for e in terms for x in e.atoms(Placeholder)}, key=str)
    names = {x: sympy.Dummy(f"p{i}") for i, x in enumerate(found)}
    bare = tuple(e.xreplace(names) for e in terms)
    symbols = tuple(x for x in ordered_symbols(sympy.Tuple(*bare)) if x not in names.values())
    return tuple(found), symbols, compile(bare, (*names.values(), *symbols))
