"""Evaluating a statement at one exact point, with a certificate (arrays: :mod:`cmbound.evaluation.arrays`)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from functools import lru_cache
from math import isfinite
from typing import Any, NamedTuple

import sympy

from cmbound.arithmetic import certified
from cmbound.arithmetic.exact import Value, as_expr
from cmbound.errors import DomainError, InputError, UndecidedError
from cmbound.evaluation.free import best
from cmbound.evaluation.records import CheckedAssumption, Enclosed, Evaluation, Step, Stretch, Terms, TermValue
from cmbound.evaluation.setting import Setting, resolve
from cmbound.evaluation.steps import BALLS, FloatSteps
from cmbound.evaluation.stretches import check_stretches
from cmbound.evaluation.sums import FLOATS, Sums, scalars
from cmbound.evaluation.terms import Paths, evaluation_times, prepared, term_rows
from cmbound.evaluation.unused import unused
from cmbound.frozen import FrozenDict, later
from cmbound.later import np
from cmbound.numbers import exact
from cmbound.theory.formulas import ALIASES
from cmbound.theory.functions import c, lam, s
from cmbound.theory.named import plain
from cmbound.theory.notation import d, delta, h, m2, sd2, t
from cmbound.theory.records import Theorem
from cmbound.theory.rules import Rule
from cmbound.threads import alone

MAX_BITS = 1 << 20  # with MAX_WORK the end of the search for an enclosure
MAX_WORK = 1 << 28
"""Limit of the work of one attempt, steps times bits (times bits/4096 where there are more): below a minute."""
PATIENT_BITS = 4096
"""Precision at which a term of a user's statement without a finite enclosure is taken to have none: 0 in a denominator stays."""
WORK_OF_INTEGRAL = 100  # steps that one integral takes as long as
DEFAULT_DIGITS = 15  # what a double holds
MAX_DIGITS = 1000  # well below a second; a longer number is of no use


_LEVEL = plain(lam.definition(t))
"""The noise level at the time t."""
_LARGEST = certified.number(int(sys.float_info.max))

# --- one point ------------------------------------------------------------------------------------------------------


@alone
def evaluate(theorem: Theorem, params: Mapping[str, Any], tier: str = "certified") -> Evaluation:
    """See :meth:`cmbound.evaluation.statement.Statement.evaluate`; ``tier`` = ``approximate`` gives the float64 value instead."""
    return evaluate_setting(completed(theorem, params), tier, params.get("digits"))


def completed(theorem: Theorem, params: Mapping[str, Any]) -> Setting:
    """The setting of what a user gives, with the best values of the free parameters that are left out."""
    chosen = best(theorem, params) if theorem.free else {}
    setting = resolve(theorem, {**params, **chosen})
    if not chosen:
        return setting
    given = {name: value for name, value in setting.given.items() if name not in chosen}
    return replace(setting, given=given, own=tuple(x for x in setting.own if x not in chosen))


@alone
def float_terms(setting: Setting) -> dict[str, float]:
    """The terms by name in float64, as :func:`evaluate_setting` has them in the approximate tier: no record is made of them.

    What searches and campaigns compare, thousands of times: ``float_terms(completed(theorem, params))`` at what a user gives.

    Raises:
        DomainError: the value exceeds the float64 range.
        CmboundError: as for an evaluation, from a user's profile.
    """
    sums, _, rows = _in_float64(setting)
    if not rows:
        return {x.name: x.value for x in evaluate_setting(setting, "approximate").terms.values()}
    return _float_row(sums.setting, rows[-1])[1]


def _in_float64(setting: Setting) -> tuple[Sums, Paths, list[dict[str, Any]]]:
    """The sums, the paths and the terms after each evaluation (none where balls have to compute them)."""
    setting, sums, paths = prepared(setting, any(profile.own for profile, _ in setting.profiles))
    check_stretches(setting, paths)
    if _uses_own(setting, paths):
        return sums, paths, []
    with np.errstate(over="ignore", invalid="ignore"):
        return sums, paths, term_rows(setting, sums, paths)


@alone
def evaluate_setting(setting: Setting, tier: str = "certified", digits: Any = None) -> Evaluation:
    """The value of a resolved setting (whose records a caller may have replaced, as planted mistakes do)."""
    digits = checked_digits(digits, tier)
    if tier == "approximate":
        sums, paths, rows = _in_float64(setting)
        if rows:
            return _record(sums, paths, tier, rows)
    else:
        _, sums, paths = prepared(setting)
        check_stretches(sums.setting, paths)
    setting = sums.setting
    wanted = 64 + int(digits * 3.33)
    bits = wanted + _lost(setting)
    work = _steps_summed(setting, paths)
    while bits <= MAX_BITS and work * bits * (1 + bits // 4096) <= MAX_WORK:
        with certified.precision(bits), certified.integrals_to(wanted):
            rows = term_rows(setting, Sums(setting, BALLS, paths), paths)
            if all(_accurate(row, digits) for row in rows):
                return _record(sums, paths, tier, rows, max(digits + 2, 17), bits)
        if (lost := _not_finite(rows)) and setting.theorem.known == "own" and bits > PATIENT_BITS:
            raise UndecidedError(
                f"{setting.theorem.id}: the term {lost} has no finite enclosure at these parameters: "
                "does a denominator vanish, or a root or logarithm leave its domain?"
            )
        bits *= 2
    size = f" of a sum of {setting.grid.N} steps" if setting.grid is not None and not setting.collapsed else ""
    raise UndecidedError(
        f"{setting.theorem.id}: no enclosure{size} to {digits} digits within the limit of work "
        f"(more than {bits // 2} bits of precision are needed)"
    )


def _uses_own(setting: Setting, paths: Paths) -> bool:
    """Whether a user's function enters: nobody has seen to it that it can be computed in float64, so balls do it.

    With measured local errors too: then sampling is all that is uncertain.
    """
    own = {profile.name for profile, _ in setting.profiles if profile.own or profile.measured is not None}
    return any(piece.profile in own for pieces in paths.values() for piece in pieces)


def _lost(setting: Setting) -> int:
    """About how many more bits short steps cancel than those of a grid of a thousand do."""
    return 0 if setting.collapsed or setting.grid is None else int(1.5 * max(0, setting.grid.N.bit_length() - 10))


def _steps_summed(setting: Setting, paths: Paths) -> int:
    """How many steps are summed; one with an integral counts for many.

    All map errors take one pass, but those whose constants grow with the time up to which they are taken.
    """
    steps = 1 if setting.collapsed or setting.grid is None else setting.grid.N
    integrals = any(_has_integral(x.rule) for pieces in paths.values() for x in pieces)
    passes = max(1, len(paths)) if setting.collapsed or setting.clock.name == "ve" else 1
    return steps * passes * (WORK_OF_INTEGRAL if integrals else 1) + len(paths)


@lru_cache(maxsize=512)
def _has_integral(rule: Rule) -> bool:
    return any(x.has(sympy.Integral) for x in rule.expressions)


def checked_digits(given: Any, tier: str) -> int:
    """The relative accuracy that is asked for, in digits.

    Raises:
        InputError, DomainError: no number, one outside its domain, or any in the approximate tier.
    """
    if given is None:
        return DEFAULT_DIGITS
    if tier == "approximate":
        raise InputError("the approximate tier takes no digits: it is float64")
    value = exact("digits", given)
    if value.denominator != 1 or not 1 <= value <= MAX_DIGITS:
        raise DomainError(f"digits must be an integer from 1 to {MAX_DIGITS}, got {given}")
    return int(value)


def _not_finite(rows: Sequence[Mapping[str, Any]]) -> str:
    """A term without a finite enclosure (empty: there is none)."""
    return next((name for row in rows for name, x in row.items() if not x.is_finite()), "")


def _accurate(row: Mapping[str, Any], digits: int) -> bool:
    total = sum(row.values(), certified.number(0))
    return all(certified.relative_accuracy(x) >= digits for x in (*row.values(), total))


Ends = tuple[float, Decimal, Decimal]
"""The upper end as a float, and the enclosure."""


class Row(NamedTuple):
    """A total and the terms by name in one arithmetic, and what makes of a number its ends and its share of the total."""

    total: Any
    values: Mapping[str, Any]
    ends: Callable[[Any], Ends]
    share: Callable[[Any], float]

    @property
    def terms(self) -> Terms:
        """The terms as they are recorded."""
        return Terms(tuple(TermValue(name, *self.ends(x), self.share(x)) for name, x in self.values.items()))


def _enclosed_row(setting: Setting, row: Mapping[str, Any], digits: int, bits: int) -> Row:
    total = sum(row.values(), certified.number(0))
    for name, x in row.items():
        if x < 0:
            culprit = f"profile {setting.profile_name!r}" if setting.profiles else setting.theorem.id
            raise DomainError(f"the term {name} is negative: {culprit} is not a bound")
    if not total <= _LARGEST:
        raise DomainError(f"{setting.theorem.id}: the value, about 10^{_order_of(total)}, exceeds the largest float64 number")

    def ends(x: Any) -> Ends:
        upper = certified.decimal(x, digits, up=True)
        return certified.float_up(upper), certified.decimal(x, digits, up=False), upper

    def share(x: Any) -> float:
        with certified.precision(bits):
            return float((x / total).mid()) if total > 0 else 0.0

    return Row(total, row, ends, share)


def _order_of(x: Any) -> int:
    with certified.precision(128):
        return int((x.mid().log() / certified.number(10).log()).floor().mid().unique_fmpz())


def _float_row(setting: Setting, row: Mapping[str, Any]) -> tuple[float, dict[str, float]]:
    """The total and the terms by name."""
    values = {name: float(x) for name, x in row.items()}
    total = float(sum(values.values()))
    if not isfinite(total):
        evaluate_setting(setting)  # raises where the value itself is too large for any tier
        raise DomainError(
            f"{setting.theorem.id}: a number on the way to the value exceeds the float64 range; use the certified tier"
        )
    return total, values


def _approximate_row(setting: Setting, row: Mapping[str, Any]) -> Row:
    total, values = _float_row(setting, row)

    def ends(x: float) -> Ends:
        return x, Decimal(repr(x)), Decimal(repr(x))

    return Row(total, values, ends, lambda x: x / total if total > 0 else 0.0)


def _derived(setting: Setting, digits: int, bits: int) -> dict[str, Enclosed]:
    """Enclosures of the numbers that follow from those given."""
    shown = {}
    for name, value in _derived_values(setting).items():
        with certified.precision(bits):
            x = certified.number(value)
        with suppress(DomainError):  # the noise level of a time of thousands has too many digits to be shown
            if x.is_finite():
                shown[name] = Enclosed(certified.decimal(x, digits, up=False), certified.decimal(x, digits, up=True))
    return shown


def _derived_values(setting: Setting) -> dict[str, Value]:
    """Numbers that follow from those given: times from noise levels, noise levels from times, h or N of a grid, ..."""
    values, lists = setting.values, setting.lists
    result: dict[str, Value] = {}
    for name, value in values.items():
        if name not in setting.given and not (name == "tau" and value == 0) and name != "t_star":
            result[name] = value
    for alias, name in ALIASES.items():
        if name in ("delta", "T") and name in values and alias not in values and setting.theorem.ve_factor is not None:
            result[alias] = certified.Point(_LEVEL, ((t, values[name]),), 0)
    if setting.grid is not None and setting.grid.kind == "uniform" and "h" not in setting.given:
        result["h"] = (as_expr(values["T"]) - as_expr(values["delta"])) / setting.grid.N
    if "times" in lists and "times" not in setting.given:
        result |= {f"times[{i}]": x for i, x in enumerate(lists["times"])}
    return result


def _record(sums: Sums, paths: Paths, tier: str, rows: list[dict[str, Any]], digits: int = 17, bits: int = 128) -> Evaluation:
    """The record of the terms after each evaluation; what is only there to be read is computed when it is asked for.

    Args:
        sums: the setting with its sums in float64.
        paths: the pieces of each map error.
        tier, rows: the arithmetic and the terms in it.
        digits, bits: of the enclosures, and of the balls behind them.
    """
    setting, theorem = sums.setting, sums.setting.theorem
    if tier == "approximate":
        found = [_approximate_row(setting, row) for row in rows]
    else:
        found = [_enclosed_row(setting, row, digits, bits) for row in rows]
    value, lower, upper = found[-1].ends(found[-1].total)
    winners = {piece.profile for pieces in paths.values() for piece in pieces}
    sampled = next((p.measured for p, _ in setting.profiles if p.measured is not None and p.name in winners), None)
    return Evaluation(
        theorem=theorem,
        tier=tier if sampled is None else sampled.trust,
        value=value,
        lower=lower,
        upper=upper,
        terms=later(lambda: found[-1].terms),
        profile=setting.profile_name,
        stretches=_stretches(sums, paths),
        teacher=setting.teacher.name if theorem.uses_profile else None,
        grid=_grid_summary(sums),
        target=setting.target if theorem.has_target else None,
        start=setting.start if theorem.uses_start else None,
        clock=setting.clock.name if theorem.clock == "ou" else theorem.clock,
        parameters=later(lambda: FrozenDict(setting.given)),  # as text
        derived=later(lambda: _derived(setting, digits, bits)),
        assumptions=later(lambda: _assumptions(setting, paths)),
        trivial=later(lambda: _trivial(setting)),
        steps=later(lambda: _steps(setting, found)) if theorem.uses_schedule else None,
        unused=later(lambda: unused(setting, paths.values())),
        sampled=None if sampled is None else sampled.described(),
    )


def _steps(setting: Setting, rows: Sequence[Row]) -> tuple[Step, ...]:
    times = [setting.values["T"], *evaluation_times(setting)]
    found = enumerate(zip(times, rows, strict=True), 1)
    return tuple(Step(i, FLOATS.number(t), *row.ends(row.total), row.terms) for i, (t, row) in found)


def _stretches(sums: Sums, paths: Paths) -> tuple[Stretch, ...]:
    """The pieces with their times; neighbours of one profile are one."""

    def time(x: Any) -> float:
        return float(sums.grid_steps.nodes[x]) if isinstance(x, int) and sums.grid_steps is not None else FLOATS.number(x)

    result: list[Stretch] = []
    for end, pieces in paths.items():
        for piece in pieces:
            here = Stretch(piece.profile, time(piece.start), time(piece.end), FLOATS.number(end))
            last = result[-1] if result else None
            if last is not None and (last.profile, last.end, last.at) == (here.profile, here.start, here.at):
                here = replace(result.pop(), end=here.end)
            result.append(here)
    return tuple(result)


def _grid_summary(sums: Sums) -> dict[str, Any] | None:
    if not sums.setting.theorem.uses_profile:
        return None
    grid, steps = sums.setting.grid, sums.grid_steps
    if grid is None:
        return {"kind": "closed-form", "N": None, "h_max": sums.step()}
    largest = FLOATS.largest(steps.rows[h]) if isinstance(steps, FloatSteps) and grid.kind != "uniform" else sums.step()
    return {"kind": grid.kind, "N": grid.N, "h_max": largest}


def _assumptions(setting: Setting, paths: Paths) -> tuple[CheckedAssumption, ...]:
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


def yardstick(theorem: Theorem, target: str, clock: str, centred: bool = False) -> Any:
    """What a bound must be below to say anything, as an expression (None: there is no such yardstick).

    W2 of always answering 0: m2 to the data law, (c_delta^2 m2^2 + s_delta^2 d)^(1/2) to p_delta (OU clock); of always answering
    the mean, where sd2 is known (``centred``): the same with sd2, which is at most m2. TV: 1.
    """
    if theorem.kind == "order":
        return None
    if theorem.metric == "TV":
        return sympy.S.One
    if not theorem.has_target:
        return None
    size = sd2 if centred else m2
    if target == "p_data":
        return size
    noise = lam(delta) if clock == "ve" else s(delta)
    return sympy.sqrt((1 if clock == "ve" else c(delta) ** 2) * size**2 + noise**2 * d)


def _trivial(setting: Setting) -> float | None:
    found = yardstick(setting.theorem, setting.target, setting.clock.name, "sd2" in setting.values)
    if found is None:
        return None
    with certified.precision(128):
        return float(BALLS.value(found, scalars(setting, BALLS)).mid())
