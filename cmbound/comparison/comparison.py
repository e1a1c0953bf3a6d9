"""All statements of the catalogue side by side at one point: what applies, what each gives, which is best.

Rows are ranked within a column: one metric, to one law. A guarantee is never mixed with anything else: order forms are ranked
only where the user sets C, and a form that is not confirmed never is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

from cmbound.comparison.asked import (
    Given,
    Source,
    check_steps,
    checked_numbers,
    checked_options,
    checked_readings,
    fitting_options,
    preset_numbers,
    selected,
    shown_numbers,
    wants_step,
)
from cmbound.comparison.implied import BALL, Implied, implied
from cmbound.comparison.readings import DERIVED, denied, meanings
from cmbound.errors import CmboundError, InputError, UnknownNameError
from cmbound.evaluation import law
from cmbound.evaluation.point import evaluate
from cmbound.evaluation.records import Evaluation
from cmbound.frozen import Record
from cmbound.numbers import exact, rounded, text_of
from cmbound.theory.formulas import OPTIONS, accepts
from cmbound.theory.records import Theorem
from cmbound.theory.variants import TIERS, choose
from cmbound.threads import alone

RANKED, ORDER, UNCONFIRMED = "ranked", "order form", "unconfirmed"
NOT_APPLICABLE, NOT_EVALUABLE = "not applicable", "not evaluable"
STATUSES = (RANKED, ORDER, UNCONFIRMED, NOT_APPLICABLE, NOT_EVALUABLE)

NOT_ERRORS = ("step size",)
"""Metrics in which a smaller number is not better."""
_LAWS = re.compile(r"p_(?:data|delta)")


@dataclass(frozen=True, eq=False, repr=False)
class Row(Record):
    """One statement in a comparison.

    Attributes:
        theorem: the statement.
        status: ``ranked``, ``order form`` (evaluated with C, not ranked), ``unconfirmed`` (its form is from memory),
            ``not applicable`` (``reason`` names the assumption or the parameter) or ``not evaluable`` (no formula).
        target: the law the distance is to; both names where it is between p_delta and p_data; empty for other metrics.
        evaluation: its value, where it has one.
        rank: place in its column, from 1; equal values share it.
        reason: why it is not ranked, or at what C it is.
        implied: what follows from it in other metrics.
        trivial: what always answering 0 (for TV: any law at all) achieves, where that is known.
    """

    theorem: Theorem
    status: str
    target: str
    evaluation: Evaluation | None = None
    rank: int | None = None
    reason: str = ""
    implied: tuple[Implied, ...] = ()
    trivial: float | None = None

    def __repr__(self) -> str:
        return f"<Row {self.theorem.id}: {self.status}>"

    @property
    def id(self) -> str:
        """Id of the statement."""
        return self.theorem.id

    @property
    def column(self) -> str:
        """What the row is compared in: its metric and the law the distance is to."""
        return column(self.theorem.metric, self.target)

    @property
    def value(self) -> float | None:
        """The value, rounded up (None without one)."""
        return None if self.evaluation is None else self.evaluation.value

    @property
    def vacuous(self) -> bool | None:
        """Whether the trivial answer has a guarantee at least as good (None: no such yardstick)."""
        return None if self.trivial is None or self.value is None else self.value >= self.trivial

    @property
    def guarantee(self) -> bool:
        """Whether the value bounds the metric."""
        return self.status == RANKED and self.evaluation is not None and self.evaluation.is_guarantee


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Record):
    """All statements at one point.

    Attributes:
        parameters: what they were evaluated with, as text.
        options: profile, grid, teacher, to, start, clock, preset, as far as given.
        tier: ``certified`` or ``approximate``.
        rows: every statement compared, exactly once, in the order of the catalogue.
        measured: the parameters measured from a world or a data set; the others are assumed.
        notes: what a reader must be told besides.
    """

    parameters: Mapping[str, Any]
    options: Mapping[str, Any]
    tier: str
    rows: tuple[Row, ...]
    measured: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<Comparison of {len(self.rows)} statements: {', '.join(f'{x}: {y}' for x, y in self.winners.items())}>"

    def __getitem__(self, id: str) -> Row:
        for row in self.rows:
            if row.id == id:
                return row
        raise UnknownNameError("statement", id, (x.id for x in self.rows))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns, in the order of the catalogue."""
        return tuple(dict.fromkeys(x.column for x in self.rows))

    def ranking(self, name: str) -> tuple[Row, ...]:
        """The ranked rows of a column, the best first."""
        return tuple(sorted((x for x in self.rows if x.column == name and x.rank is not None), key=lambda x: x.rank or 0))

    @property
    def winners(self) -> dict[str, str]:
        """The best statement of each column that has a ranked one (the first in the catalogue where several are equal)."""
        return {name: ranked[0].id for name in self.columns if (ranked := self.ranking(name))}

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready data."""
        from cmbound.output.comparison import comparison_data

        return comparison_data(self)


def column(metric: str, target: str) -> str:
    """Name of a column: distances to different laws are different quantities."""
    if not target:
        return metric
    return f"{metric} between {target}" if " and " in target else f"{metric} to {target}"


@alone
def compare(
    *,
    statements: Iterable[str] | None = None,
    metric: str | None = None,
    world: Any = None,
    assume: Sequence[str] = (),
    tier: str = "certified",
    **params: Any,
) -> Comparison:
    """Evaluate every statement at one point and rank the bounds, metric by metric.

    Each statement gets the parameters it has. One that cannot be evaluated stays in the comparison with the reason. Rules: an
    order form is evaluated with C = 1 and not ranked, unless ``C`` is given; a statement whose form is unconfirmed is never
    ranked; where eps_cm means different things (A4, A4-exact) it is read as in A4, unless ``assume`` names the other.
    ``h`` is the largest step of the grid where a statement asks for h and a grid was given. Where ``eps_ci`` was not
    given and A4-exact is assumed it is eps_cm times ``dtau`` (if that was not given, of any size: no value depends on it).

    Args:
        statements: ids; default all of the catalogue.
        metric: only statements in this metric.
        world: a law (Gaussian, Mixture, Atoms) from which constants are measured.
        assume: ids of other readings of an assumption, such as ``A4-exact``, that hold as well.
        tier: ``certified`` or ``approximate``.
        params: numbers and options as for :meth:`cmbound.theory.records.Theorem.evaluate`.

    Raises:
        InputError: nothing to compare with, an unknown name, something malformed.
        DomainError: a number outside its domain.
    """
    choose("tier", tier, TIERS)
    chosen = selected(statements, metric)
    checked_readings(assume)
    options = checked_options({name: x for name, x in params.items() if name in OPTIONS and x is not None})
    numbers = {name: x for name, x in params.items() if name not in OPTIONS and x is not None}
    if not numbers and not world and set(options) <= {"to", "start", "clock", "digits", "profile", "teacher"}:
        raise InputError("nothing to compare at: give parameters, a preset, or a world")
    check_steps(numbers, options)
    values = checked_numbers(numbers)
    if world is not None:
        from cmbound.verification.measured import Measured

        at = Measured(world, numbers, options)
        source: Source = at
        shown, measured, granted, notes = at.shown, at.measured, at.readings, at.notes
        values |= {name: Fraction(x) for name, x in at.law.items() if name in ("R", "tau", "m2")}
    else:
        source = Given(numbers, options)
        shown, measured, granted, notes = shown_numbers(numbers, options), (), (), ()
        in_preset = {x: exact(x, y) for x, y in preset_numbers(options).items()}
        together = {x: y for x, y in (in_preset | values).items() if x not in ("L_s", "t_star")}  # L_s: each statement's own
        law.check(together, own=values)
        values = {x: Fraction(y) for x, y in preset_numbers(options).items() if x in ("R", "tau", "m2")} | values
    rows = _ranked(tuple(_row(x, source, "C" in numbers, (*assume, *granted), tier, values) for x in chosen))
    asked = (*numbers, *options) if world is None else tuple(x for x in numbers if x not in run_shape())
    options.pop("digits", None)
    notes = (*notes, *_step_note(rows, source), *_notes(rows), *_unused_note(rows, source, asked))
    return Comparison(shown, options, tier, rows, measured, notes)


# --- rows -------------------------------------------------------------------------------------------------------------


def target_of(theorem: Theorem, params: Mapping[str, Any]) -> str:
    """The law the distance is to, read off the quantity."""
    if theorem.has_target:
        return str(params.get("to") or "p_data")
    return " and ".join(dict.fromkeys(_LAWS.findall(theorem.quantity)))


def _row(
    theorem: Theorem,
    source: Source,
    own_constant: bool,
    assume: tuple[str, ...],
    tier: str,
    values: Mapping[str, Fraction],
) -> Row:
    try:
        params = source(theorem)
    except CmboundError as error:
        return Row(theorem, NOT_APPLICABLE, target_of(theorem, {}), reason=str(error))
    target = target_of(theorem, params)
    unconfirmed = theorem.status == "unconfirmed" or theorem.known == "memory"
    if unconfirmed and not theorem.evaluable:
        return Row(theorem, UNCONFIRMED, target, reason="its form is not confirmed, and no formula is recorded")
    if not theorem.evaluable:
        return Row(theorem, NOT_EVALUABLE, target, reason="its formula is not known in full: see the table of complexities")
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
        return Row(theorem, NOT_APPLICABLE, target, reason=_shortened(theorem, str(error)))
    if unconfirmed:
        return Row(theorem, UNCONFIRMED, target, found, reason="its form is not confirmed: it is never ranked")
    if theorem.metric in NOT_ERRORS:
        return Row(theorem, ORDER, target, found, reason=f"a {theorem.metric}, not an error: not ranked")
    if theorem.kind == "order" and not own_constant:
        return Row(theorem, ORDER, target, found, reason="with C = 1: its constant is unspecified, so it is not ranked")
    reason = f"order form at C = {text_of(params['C'])}" if theorem.kind == "order" else ""
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
    return float(values["m2"]) if row.column == "W2 to p_data" and "m2" in values else None


def _shortened(theorem: Theorem, text: str) -> str:
    """The message without the id, which the row names already."""
    for start in (f"{theorem.id}: ", f"{theorem.id} "):
        text = text.removeprefix(start)
    return text.replace(f" of {theorem.id} ", " ")


def _step_note(rows: tuple[Row, ...], source: Source) -> tuple[str, ...]:
    used = [x.id for x in rows if wants_step(x.theorem) and x.evaluation is not None]
    return (f"h = {rounded(source.step)}, the largest step of the grid, in {', '.join(used)}",) if used and source.step else ()


def run_shape() -> tuple[str, ...]:
    """The numbers that shape the run on a world."""
    from cmbound.verification.measured import RUN

    return (*RUN, "t_hat")


def _unused_note(rows: tuple[Row, ...], source: Source, asked: Sequence[str]) -> tuple[str, ...]:
    """What was given and enters no row that has a value."""
    entered = {"preset", "digits"}
    for row in rows:
        if row.evaluation is None:
            continue
        left_out = {name for name, _ in row.evaluation.unused}
        entered |= {x for x in asked if accepts(row.theorem, x) and x not in left_out}
        entered |= {x for x in fitting_options(row.theorem, source.options) if x not in left_out}
        entered |= {x for name in source.derived(row.theorem) if name in DERIVED for x in DERIVED[name]}
        entered |= {"R", "tau"} if any(BALL in x.through for x in row.implied) else set()
        entered |= {"h", "N", "rho", "T", "delta"} if wants_step(row.theorem) and source.step else set()
    names = [x for x in dict.fromkeys(asked) if x not in entered]
    return (f"does not enter any value: {', '.join(names)}",) if names else ()


def _ranked(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """Places within each column, by the upper ends; equal ones share a place."""
    uppers: dict[str, list[Decimal]] = {}
    for row in rows:
        if row.status == RANKED and row.evaluation is not None:
            uppers.setdefault(row.column, []).append(row.evaluation.upper)
    return tuple(
        replace(row, rank=1 + sum(x < row.evaluation.upper for x in uppers[row.column]))
        if row.status == RANKED and row.evaluation is not None
        else row
        for row in rows
    )


def _notes(rows: tuple[Row, ...]) -> tuple[str, ...]:
    """What a reader could get wrong about the winners."""
    found = []
    for name in dict.fromkeys(x.column for x in rows):
        ranked = sorted((x for x in rows if x.column == name and x.rank is not None), key=lambda x: x.rank or 0)
        if not ranked or ranked[0].evaluation is None:
            continue
        best, others = ranked[0], [x.id for x in ranked[1:] if x.rank == 1]
        if others:
            found.append(f"{name}: {', '.join([best.id, *others])} give the same value")
        if best.theorem.kind == "order":
            found.append(f"{name}: {best.id} is an {best.reason}, a bound only if that constant is right")
        if best.vacuous:
            found.append(f"{name}: even the best bound is vacuous")
        found += [f"{name}: {text}" for text in meanings([x.theorem for x in ranked])]
    return tuple(found)
