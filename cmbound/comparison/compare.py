"""All statements of the catalogue side by side at one point: what applies, what each gives, which is best.

Rows are ranked within a column: one metric, to one law. A guarantee is never mixed with anything else: order forms are ranked
only where the user sets C, and a form that is not confirmed never is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from cmbound.comparison import records
from cmbound.comparison.asked import Given, checked, checked_readings, fitting_options, selected, wants_step
from cmbound.comparison.implied import BALL, implied
from cmbound.comparison.readings import DERIVED, denied, meanings
from cmbound.comparison.records import NOT_APPLICABLE, ORDER, RANKED, UNCONFIRMED, Comparison, Row, ranking, target_of
from cmbound.errors import CmboundError
from cmbound.evaluation.advice import doubtful, what_helps
from cmbound.evaluation.notes import pitfalls, sampled_note
from cmbound.evaluation.point import checked_digits, evaluate
from cmbound.numbers import rounded, text_of
from cmbound.theory.formulas import accepts
from cmbound.theory.records import Theorem
from cmbound.theory.variants import TIERS, choose
from cmbound.threads import alone

NOT_ERRORS = ("step size",)  # metrics in which a smaller number is not better


@alone
def compare(
    *,
    statements: Iterable[str | Theorem] | None = None,
    metric: str | None = None,
    assume: Sequence[str] = (),
    tier: str = "certified",
    **params: Any,
) -> Comparison:
    """:func:`cmbound.compare` at given numbers: this room measures nothing."""
    return compared(Given.at, statements, metric, assume, tier, params)


def compared(
    source: Callable[[Mapping[str, Any], Mapping[str, Any], Mapping[str, Fraction]], Given],
    statements: Iterable[str | Theorem] | None,
    metric: str | None,
    assume: Sequence[str],
    tier: str,
    params: Mapping[str, Any],
) -> Comparison:
    """:func:`cmbound.compare` with the parameters that ``source`` makes of the numbers, options and exact values of numbers."""
    choose("tier", tier, TIERS)
    chosen = selected(statements, metric)
    checked_readings(assume, chosen)
    numbers, options, values = checked(params, chosen)
    if tier == "certified":
        checked_digits(options.get("digits"), tier)
    at = source(numbers, options, values)
    known = {x: Fraction(y) for x, y in at.law.items() if x in ("R", "tau", "m2")} | values
    rows = _ranked(tuple(_row(x, at, "C" in numbers, (*assume, *at.readings), tier, known) for x in chosen))
    options.pop("digits", None)
    notes = (*at.notes, *_step_note(rows, at), *_notes(rows, at), *_unused_note(rows, at))
    return Comparison(at.shown, options, tier, rows, at.measured, notes)


def _row(
    theorem: Theorem, source: Given, own_constant: bool, assume: tuple[str, ...], tier: str, values: Mapping[str, Fraction]
) -> Row:
    try:
        params = source(theorem)
    except CmboundError as error:
        return Row(theorem, NOT_APPLICABLE, target_of(theorem, {}), reason=str(error))
    target = target_of(theorem, params)
    if not theorem.confirmed and not theorem.evaluable:
        return Row(theorem, UNCONFIRMED, target, reason="its form is not confirmed, and no formula is recorded")
    if not theorem.evaluable:
        reason = "its formula is not known in full: see the table of complexities"
        return Row(theorem, records.NOT_EVALUABLE, target, reason=reason)
    refused = denied(theorem, source.options, source.derived(theorem), assume)
    if refused:
        return Row(theorem, NOT_APPLICABLE, target, reason=refused)
    if theorem.kind == "order" and not own_constant:
        params["C"] = 1
    if tier == "approximate":
        params.pop("digits", None)
    try:
        found = evaluate(theorem, params, tier=tier)
    except CmboundError as error:
        text = str(error).removeprefix(f"{theorem.id}: ").removeprefix(f"{theorem.id} ")  # the row names the id already
        return Row(theorem, NOT_APPLICABLE, target, reason=text.replace(f" of {theorem.id} ", " "))
    if not theorem.confirmed:
        return Row(theorem, UNCONFIRMED, target, found, reason="its form is not confirmed: it is never ranked")
    if theorem.metric in NOT_ERRORS:
        return Row(theorem, ORDER, target, found, reason=f"a {theorem.metric}, not an error: not ranked")
    if theorem.kind == "order" and not own_constant:
        return Row(theorem, ORDER, target, found, reason="with C = 1: its constant is unspecified, so it is not ranked")
    reason = f"order form at C = {text_of(params['C'])}" if theorem.kind == "order" else ""
    if found.sampled is not None:
        reason = f"{reason}; {found.tier}, not certified".removeprefix("; ")
    row = Row(theorem, RANKED, target, found, reason=reason)
    more = implied(theorem.metric, target, found.upper, values, row.guarantee)
    return replace(row, implied=more, trivial=_trivial(row, values))


def _trivial(row: Row, values: Mapping[str, Fraction]) -> float | None:
    """The yardstick of the evaluation, or that of its metric."""
    assert row.evaluation is not None
    if row.evaluation.trivial is not None:
        return row.evaluation.trivial
    if row.theorem.metric == "TV":
        return 1.0
    size = values.get("sd2", values.get("m2"))
    return float(size) if row.column == "W2 to p_data" and size is not None else None


def _ranked(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """Places within each column, by the upper ends; equal ones share a place."""
    ends = [(x.column, x.evaluation.upper) for x in rows if x.status == RANKED and x.evaluation is not None]

    def rank(row: Row) -> int | None:
        found = row.evaluation if row.status == RANKED else None
        return None if found is None else 1 + sum(name == row.column and upper < found.upper for name, upper in ends)

    return tuple(replace(x, rank=rank(x)) for x in rows)


def _step_note(rows: tuple[Row, ...], source: Given) -> tuple[str, ...]:
    used = [x.id for x in rows if wants_step(x.theorem) and x.evaluation is not None]
    return (f"h = {rounded(source.step)}, the largest step of the grid, in {', '.join(used)}",) if used and source.step else ()


def _unused_note(rows: tuple[Row, ...], source: Given) -> tuple[str, ...]:
    """What was given and enters no row that has a value."""
    entered = {"preset", "digits"}
    for row in rows:
        if row.evaluation is None:
            continue
        left_out = {name for name, _ in row.evaluation.unused}
        entered |= {x for x in source.asked if accepts(row.theorem, x) and x not in left_out}
        entered |= {x for x in fitting_options(row.theorem, source.options) if x not in left_out}
        entered |= {x for name in source.derived(row.theorem) if name in DERIVED for x in DERIVED[name]}
        entered |= {"R", "tau"} if any(BALL in x.through for x in row.implied) else set()
        entered |= {"h", "N", "rho", "T", "delta"} if wants_step(row.theorem) and source.step else set()
    names = [x for x in dict.fromkeys(source.asked) if x not in entered]
    return (f"does not enter any value: {', '.join(names)}",) if names else ()


def _notes(rows: tuple[Row, ...], source: Given) -> tuple[str, ...]:
    """What a reader could get wrong about the winners, and what would help where even they say nothing."""
    found: list[str] = []
    for name in dict.fromkeys(x.column for x in rows):
        ranked = ranking(rows, name)
        if not ranked:
            continue
        best, others = ranked[0], [x.id for x in ranked[1:] if x.rank == 1]
        if others:
            found.append(f"{name}: {', '.join([best.id, *others])} give the same value")
        if best.evaluation is not None and best.evaluation.sampled is not None:
            found.append(f"{name}: {best.id} is {sampled_note(best.evaluation.sampled)}")
        if best.theorem.kind == "order":
            found.append(f"{name}: {best.id} is an {best.reason}, a bound only if that constant is right")
        if best.evaluation is not None:
            given, ve = source(best.theorem), best.evaluation.clock == "ve"
            found += doubtful(best.evaluation, given)
            found += pitfalls(best.evaluation.parameters, ve and best.vacuous and best.evaluation.start)
            if best.vacuous:
                found += ["; ".join((f"{name}: even the best bound is vacuous", *what_helps(best.evaluation, given)))]
        found += [f"{name}: {text}" for text in meanings([x.theorem for x in ranked])]
    return tuple(dict.fromkeys(found))
