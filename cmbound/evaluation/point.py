"""Evaluating a statement at one exact point, with a certificate (arrays: :mod:`cmbound.evaluation.arrays`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
import sympy

from cmbound.arithmetic import approximate as floats, certified
from cmbound.arithmetic.backend import Balls, Floats
from cmbound.arithmetic.exact import Value, as_expr
from cmbound.errors import DomainError, InputError, UndecidedError
from cmbound.evaluation.free import best
from cmbound.evaluation.own import check_stretches
from cmbound.evaluation.paths import choose_pieces
from cmbound.evaluation.records import CheckedAssumption, Enclosed, Evaluation, Step, Stretch, Terms, TermValue
from cmbound.evaluation.setting import Setting, resolve
from cmbound.evaluation.sums import Piece, Sums, node, node_index, nodes
from cmbound.evaluation.unused import unused
from cmbound.numbers import exact
from cmbound.theory.formulas import ALIASES, outer_terms
from cmbound.theory.functions import c, lam, plain, s
from cmbound.theory.notation import TABLE, W_prev, d, delta, m2
from cmbound.theory.records import Term, Theorem
from cmbound.theory.variants import ConsistencySum, LipschitzAt, LocalErrorSum, Placeholder, ScheduleSum, ScoreSum
from cmbound.threads import alone

MAX_BITS = 1 << 20
MAX_WORK = 1 << 27
"""Limit of the work of one attempt, steps times bits (times bits/4096 where there are more): below a minute."""
WORK_OF_INTEGRAL = 50
DEFAULT_DIGITS = 15
MAX_DIGITS = 1000


# --- one point ------------------------------------------------------------------------------------------------------


@alone
def evaluate(theorem: Theorem, params: Mapping[str, Any], tier: str = "certified") -> Evaluation:
    """See :meth:`cmbound.theory.records.Theorem.evaluate`; ``tier`` = ``approximate`` gives the float64 value instead."""
    chosen = best(theorem, params) if theorem.free else {}
    setting = resolve(theorem, {**params, **chosen})
    given = {name: value for name, value in setting.given.items() if name not in chosen}
    setting = replace(setting, given=given, own=tuple(x for x in setting.own if x not in chosen))
    return evaluate_setting(setting, tier, params.get("digits"))


@alone
def evaluate_setting(setting: Setting, tier: str = "certified", digits: Any = None) -> Evaluation:
    """The value of a resolved setting (whose records a caller may have replaced, as planted mistakes do)."""
    digits = _digits(digits, tier)
    setting, theorem = at_nodes(setting), setting.theorem
    sums = Sums(setting, Floats())
    paths = {end: choose_pieces(setting, sums, end) for end in local_times(setting)}
    check_stretches(setting, paths)
    if tier == "approximate" and not _uses_own(setting, paths):
        with np.errstate(over="ignore", invalid="ignore"):
            return _record(setting, paths, tier, digits, *_approximate_rows(setting, term_rows(setting, sums, paths)))
    bits = 64 + int(digits * 3.33)
    rows_summed = _rows_summed(setting, paths)
    while bits <= MAX_BITS and rows_summed * bits * (1 + bits // 4096) <= MAX_WORK:
        with certified.precision(bits), certified.integrals_to(64 + int(digits * 3.33)):
            rows = term_rows(setting, Sums(setting, Balls()), paths)
            if all(_accurate(row, digits) for row in rows):
                if tier == "approximate":
                    return _record(setting, paths, tier, digits, *_approximate_rows(setting, rows))
                return _record(setting, paths, tier, digits, *_enclosed_rows(setting, rows, digits))
        bits *= 2
    size = f" of a sum of {setting.grid.N} steps" if setting.grid is not None and not setting.collapsed else ""
    raise UndecidedError(
        f"{theorem.id}: no enclosure{size} to {digits} digits within the limit of work "
        f"(more than {bits // 2} bits of precision are needed)"
    )


def _uses_own(setting: Setting, paths: Mapping[Value, Sequence[Piece]]) -> bool:
    """Whether a user's function enters: nobody has seen to it that it can be computed in float64, so balls do it."""
    own = {profile.name for profile, _ in setting.profiles if profile.own}
    return any(piece.profile in own for pieces in paths.values() for piece in pieces)


def _rows_summed(setting: Setting, paths: Mapping[Value, Sequence[Piece]]) -> int:
    """How many steps are summed for all map errors together; one with an integral counts for many."""
    steps = 1 if setting.collapsed or setting.grid is None else setting.grid.N
    integrals = any(x.rule.bound.has(sympy.Integral) for pieces in paths.values() for x in pieces)
    return steps * max(1, len(paths)) * (WORK_OF_INTEGRAL if integrals else 1)


def _digits(given: Any, tier: str) -> int:
    if given is None:
        return DEFAULT_DIGITS
    if tier == "approximate":
        raise InputError("the approximate tier takes no digits: it is float64")
    value = exact("digits", given)
    if value.denominator != 1 or not 1 <= value <= MAX_DIGITS:
        raise DomainError(f"digits must be an integer from 1 to {MAX_DIGITS}, got {given}")
    return int(value)


def at_nodes(setting: Setting) -> Setting:
    """On a grid, put the exact nodes in the place of the times a user wrote (to a relative 1e-9)."""
    if setting.grid is None:
        return setting
    values, lists = dict(setting.values), dict(setting.lists)
    for name in ("t", "t_hat"):
        if name in values:
            values[name] = node(setting, node_index(setting, values[name]))
    if "times" in lists:
        lists["times"] = tuple(node(setting, node_index(setting, x)) for x in lists["times"])
    return replace(setting, values=values, lists=lists)


def local_times(setting: Setting) -> list[Value]:
    """The times at which the map error is needed, each once."""
    if not setting.theorem.uses_profile:
        return []
    wanted: list[Value] = []
    symbols = {arg for term in setting.theorem.sources for arg in _arguments(term.expression, LocalErrorSum)}
    for symbol in sorted(symbols, key=lambda x: x.name):
        if symbol.name == "t_hat":
            wanted += evaluation_times(setting)
        else:
            wanted.append(setting.values[symbol.name])
    return list(dict.fromkeys(wanted))


def evaluation_times(setting: Setting) -> list[Value]:
    """Multistep: the times of the second to the k-th evaluation."""
    if "times" in setting.lists:
        return list(setting.lists["times"])
    if setting.values["k"] == 1:
        return []
    return [setting.values["t_hat"]] * (int(setting.values["k"]) - 1)


def _arguments(expr: Any, kind: Any) -> set[Any]:
    return {x.args[0] for x in expr.atoms(kind)}


@lru_cache(maxsize=256)
def _compiled(module: Any, terms: tuple[Any, ...]) -> tuple[tuple[Any, ...], tuple[Any, ...], Callable[..., list[Any]]]:
    """Place-holders, remaining symbols, and a function of both."""
    found = sorted({x for e in terms for x in e.atoms(Placeholder)}, key=str)
    names = {x: sympy.Dummy(f"p{i}") for i, x in enumerate(found)}
    bare = tuple(e.xreplace(names) for e in terms)
    symbols = tuple(sorted({x for e in bare for x in e.free_symbols} - set(names.values()), key=lambda x: x.name))
    return tuple(found), symbols, module.compile(bare, (*names.values(), *symbols))


def _outer(setting: Setting, terms: tuple[Term, ...]) -> tuple[Term, ...]:
    return outer_terms(setting.theorem, setting.target, setting.start, setting.clock, terms)


def _evaluated(
    terms: tuple[Term, ...],
    sums: Sums,
    paths: Mapping[Value, tuple[Piece, ...]],
    values: Mapping[Any, Any],
    times: Mapping[str, Value],
) -> list[Any]:
    module = floats if isinstance(sums.backend, Floats) else certified
    found, symbols, function = _compiled(module, tuple(x.expression for x in terms))
    holders = []
    for holder in found:
        end = times[holder.args[0].name]
        if isinstance(holder, LipschitzAt):
            holders.append(sums.lipschitz(end))
        elif isinstance(holder, ConsistencySum):
            holders.append(sums.consistency(end))
        elif isinstance(holder, ScoreSum):
            holders.append(sums.score(end))
        else:
            holders.append(sums.local(paths[end], end))
    return function(*holders, *(values[x] for x in symbols))


def term_rows(setting: Setting, sums: Sums, paths: Mapping[Value, tuple[Piece, ...]]) -> list[dict[str, Any]]:
    """The terms by name after each evaluation (one row for every statement but multistep sampling)."""
    theorem, values = setting.theorem, dict(sums.fixed)
    if theorem.uses_schedule and not theorem.recursion:
        return _scheduled_rows(setting, sums)
    if not theorem.recursion:
        terms = _outer(setting, theorem.sources)
        return [dict(zip((x.name for x in terms), _evaluated(terms, sums, paths, values, setting.values), strict=True))]
    first = _outer(setting, tuple(Term(x.name, x.expression.subs(TABLE["k"].symbol, 1)) for x in theorem.sources))
    row = dict(zip((x.name for x in first), _evaluated(first, sums, paths, values, setting.values), strict=True))
    rows = [row]
    known: dict[Value, tuple[Any, dict[str, Any]]] = {}
    for end in evaluation_times(setting):
        if end not in known:
            known[end] = contraction(setting, sums, end), increments(setting, sums, paths, end)
        slope, added = known[end]
        row = row | {name: slope * row[name] + extra for name, extra in added.items()}
        rows.append(row)
    return rows


def contraction(setting: Setting, sums: Sums, end: Value) -> Any:
    """Multistep: the factor by which one more evaluation, at a time, multiplies every term."""
    slope = _recursion(setting.theorem)[0]
    return _evaluated((slope,), sums, {}, *_at_t_hat(setting, sums, end))[0]


def increments(setting: Setting, sums: Sums, paths: Mapping[Value, tuple[Piece, ...]], end: Value) -> dict[str, Any]:
    """Multistep: what one more evaluation, at a time, adds to every term, by name."""
    terms = _recursion(setting.theorem)[1:]
    scale = sums.backend.value(setting.theorem.ve_factor, sums.fixed) if setting.clock.name == "ve" else 1
    added = _evaluated(terms, sums, paths, *_at_t_hat(setting, sums, end))
    return {x.name: scale * y for x, y in zip(terms, added, strict=True)}


@lru_cache(maxsize=128)
def _recursion(theorem: Theorem) -> tuple[Term, ...]:
    """The common slope of the recursion in W_prev, and its terms without that."""
    slope = Term("slope", sympy.diff(theorem.recursion[0].expression, W_prev))
    return slope, *(Term(x.name, x.expression.subs(W_prev, 0)) for x in theorem.recursion)


def _at_t_hat(setting: Setting, sums: Sums, end: Value) -> tuple[dict[Any, Any], dict[str, Value]]:
    """The numbers by symbol and by name, with the time of one evaluation."""
    return {**sums.fixed, TABLE["t_hat"].symbol: sums.backend.number(end)}, {**setting.values, "t_hat": end}


def _scheduled_rows(setting: Setting, sums: Sums) -> list[dict[str, Any]]:
    """As :func:`term_rows`, for terms that are functions of sums over the evaluations."""
    terms = _outer(setting, setting.theorem.sources)
    times = [setting.values["T"], *evaluation_times(setting)]
    module = floats if isinstance(sums.backend, Floats) else certified
    found, symbols, function = _compiled(module, tuple(x.expression for x in terms))
    last = [sums.backend.number(x) for x in times]
    columns = [sums.schedule(x.args[0], times) if isinstance(x, ScheduleSum) else last for x in found]
    fixed = [sums.fixed[x] for x in symbols]
    rows = (function(*holders, *fixed) for holders in zip(*columns, strict=True))
    return [dict(zip((x.name for x in terms), row, strict=True)) for row in rows]


def _accurate(row: Mapping[str, Any], digits: int) -> bool:
    total = sum(row.values(), certified.number(0))
    return all(certified.relative_accuracy(x) >= digits for x in (*row.values(), total))


def _enclosed_rows(setting: Setting, rows: list[dict[str, Any]], digits: int) -> tuple[list[Any], dict[str, Enclosed]]:
    shown = max(digits + 2, 17)
    result = []
    for row in rows:
        total = sum(row.values(), certified.number(0))
        for name, x in row.items():
            if x < 0:
                raise DomainError(f"the term {name} is negative: profile {setting.profile_name!r} is not a bound")
        if total.upper() > certified.number(Fraction(np.finfo(np.float64).max)):
            raise DomainError(f"{setting.theorem.id}: the value, about 10^{_order_of(total)}, exceeds the largest float64 number")
        terms = tuple(
            TermValue(name, certified.float_up(_up(x, shown)), _down(x, shown), _up(x, shown), _share(x, total))
            for name, x in row.items()
        )
        lower, upper = _down(total, shown), _up(total, shown)
        result.append((certified.float_up(upper), lower, upper, Terms(terms)))
    return result, _derived(setting, shown)


def _derived(setting: Setting, digits: int) -> dict[str, Enclosed]:
    balls = {name: certified.number(value) for name, value in derived_values(setting).items()}
    shown = {}
    for name, x in balls.items():
        with suppress(DomainError):  # the noise level of a time of thousands has too many digits to be shown
            if x.is_finite():
                shown[name] = Enclosed(_down(x, digits), _up(x, digits))
    return shown


def _order_of(x: Any) -> int:
    with certified.precision(128):
        return int((x.mid().log() / certified.number(10).log()).floor().mid().unique_fmpz())


def _up(x: Any, digits: int) -> Decimal:
    return certified.decimal(x, digits, up=True)


def _down(x: Any, digits: int) -> Decimal:
    return certified.decimal(x, digits, up=False)


def _share(x: Any, total: Any) -> float:
    return float((x / total).mid()) if total > 0 else 0.0


def _approximate_rows(setting: Setting, rows: list[dict[str, Any]]) -> tuple[list[Any], dict[str, Enclosed]]:
    result = []
    for row in rows:
        values = {name: float(x) for name, x in row.items()}
        total = float(sum(values.values()))
        if not np.isfinite(total):
            raise DomainError(f"{setting.theorem.id}: the value exceeds the float64 range; use the certified tier")
        terms = tuple(
            TermValue(name, x, Decimal(repr(x)), Decimal(repr(x)), x / total if total > 0 else 0.0) for name, x in values.items()
        )
        result.append((total, Decimal(repr(total)), Decimal(repr(total)), Terms(terms)))
    with certified.precision(128):
        return result, _derived(setting, 17)


def derived_values(setting: Setting) -> dict[str, Value]:
    """Numbers that follow from those given: times from noise levels, noise levels from times, h or N of a grid, ..."""
    values, lists = setting.values, setting.lists
    result: dict[str, Value] = {}
    for name, value in values.items():
        if name not in setting.given and not (name == "tau" and value == 0) and name != "t_star":
            result[name] = value
    for alias, name in ALIASES.items():
        if name in ("delta", "T") and name in values and alias not in values and setting.theorem.ve_factor is not None:
            result[alias] = plain(lam.definition(as_expr(values[name])))
    if setting.grid is not None and setting.grid.kind == "uniform" and "h" not in setting.given:
        result["h"] = (as_expr(values["T"]) - as_expr(values["delta"])) / setting.grid.N
    if "times" in lists and "times" not in setting.given:
        result |= {f"times[{i}]": x for i, x in enumerate(lists["times"])}
    return result


def _record(
    setting: Setting,
    paths: Mapping[Value, tuple[Piece, ...]],
    tier: str,
    digits: int,
    rows: list[Any],
    derived: dict[str, Enclosed],
) -> Evaluation:
    value, lower, upper, terms = rows[-1]
    theorem = setting.theorem
    steps = None
    if theorem.uses_schedule:
        numbers = [setting.values["T"], *evaluation_times(setting)]
        steps = tuple(Step(i + 1, Floats().number(t), *row) for i, (t, row) in enumerate(zip(numbers, rows, strict=True)))
    return Evaluation(
        theorem=theorem,
        tier=tier,
        value=value,
        lower=lower,
        upper=upper,
        terms=terms,
        profile=setting.profile_name,
        stretches=_stretches(setting, paths),
        teacher=setting.teacher.name if theorem.uses_profile else None,
        grid=_grid_summary(setting),
        target=setting.target if theorem.has_target else None,
        start=setting.start if theorem.uses_start else None,
        clock=setting.clock.name if theorem.clock == "ou" else theorem.clock,
        parameters=setting.given,
        derived=derived,
        assumptions=_assumptions(setting, paths),
        trivial=_trivial(setting),
        steps=steps,
        unused=unused(setting, paths.values()),
    )


def _stretches(setting: Setting, paths: Mapping[Value, tuple[Piece, ...]]) -> tuple[Stretch, ...]:
    backend = Floats()
    result: list[Stretch] = []
    ts = None
    for end, pieces in paths.items():
        at = backend.number(end)
        for piece in pieces:
            if isinstance(piece.start, int):
                ts = nodes(setting, backend) if ts is None else ts
                low, high = float(ts[piece.start]), float(ts[piece.end])
            else:
                low, high = backend.number(piece.start), backend.number(piece.end)
            if result and result[-1].profile == piece.profile and result[-1].at == at and result[-1].end == low:
                result[-1] = replace(result[-1], end=high)
            else:
                result.append(Stretch(piece.profile, low, high, at))
    return tuple(result)


def _grid_summary(setting: Setting) -> dict[str, Any] | None:
    if not setting.theorem.uses_profile:
        return None
    grid = setting.grid
    if grid is None:
        return {"kind": "closed-form", "N": None, "h_max": Floats().number(setting.values["h"])}
    if grid.kind == "uniform":
        width = Floats().number(setting.values["T"]) - Floats().number(setting.values["delta"])
        return {"kind": grid.kind, "N": grid.N, "h_max": width / grid.N}
    return {"kind": grid.kind, "N": grid.N, "h_max": float(np.max(np.diff(nodes(setting, Floats()))))}


def _assumptions(setting: Setting, paths: Mapping[Value, tuple[Piece, ...]]) -> tuple[CheckedAssumption, ...]:
    # two of one id may say different things (A2 from time 0 on, or from t_star on): then both are listed
    result = {(x.id, x.text): CheckedAssumption(x.id, x.text, status) for x, status in setting.assumptions}

    def assume(id: str, text: str) -> None:
        result.setdefault((id, text), CheckedAssumption(id, text, "assumed"))

    winners = {piece.profile for pieces in paths.values() for piece in pieces}
    for name, x, status in setting.shapes:
        if name in winners:
            result[x.id, x.text] = CheckedAssumption(x.id, x.text, status)
    for profile, _ in setting.profiles:
        if profile.name in winners:
            for x in profile.assumptions:
                assume(x.id, x.text)
            if profile.centred and "sd2" in setting.values:
                assume("sd2", "the covariance of the data has trace at most sd2^2")
            if profile.subspace and setting.teacher.name == "ddim" and "d_eff" in setting.values:
                assume("subspace", "the data lie in an affine subspace of dimension d_eff")
    return tuple(result.values())


def _trivial(setting: Setting) -> float | None:
    """W2 of always answering 0: m2 to the data law, (c_delta^2 m2^2 + s_delta^2 d)^(1/2) to p_delta (OU clock); TV: 1."""
    if setting.theorem.metric == "TV" and setting.theorem.kind != "order":
        return 1.0
    if setting.theorem.kind == "order" or not setting.theorem.has_target:
        return None
    backend = Floats()
    moment = backend.number(setting.values["m2"])
    if setting.target == "p_data":
        return float(moment)
    low, size = setting.values["delta"], setting.values["d"]
    spread = sympy.sqrt(c(delta) ** 2 * m2**2 + s(delta) ** 2 * d)
    if setting.clock.name == "ve":
        spread = sympy.sqrt(m2**2 + lam(delta) ** 2 * d)
    return float(backend.value(spread, {m2: moment, delta: backend.number(low), d: backend.number(size)}))
