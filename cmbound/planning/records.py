"""What planning finds, and how it is printed: a budget for a target error, a schedule of multistep sampling."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from math import isfinite
from textwrap import wrap
from typing import Any

from cmbound.arithmetic.certified import float_up
from cmbound.arithmetic.exact import in_clock
from cmbound.evaluation.records import SCHEMA_VERSION, Evaluation, assumption_line, parameters_line
from cmbound.frozen import Record, thawed
from cmbound.numbers import counted, latex_number, plain_decimal, rounded
from cmbound.reports.cells import Cell, math, mixed, number
from cmbound.reports.report import Body, Report, Result
from cmbound.reports.table import Table
from cmbound.reports.words import prose, words
from cmbound.theory.notation import TABLE
from cmbound.theory.records import Theorem

LONGEST = 10**4  # evaluations after which nobody asks any more whether another one is worth taking
_FLOAT = Fraction(1, 10**12)  # shares are float64; a fixed term is allowed what it uses
_LINE = 40  # characters of a number on one line of a LaTeX table
_FEW = 8  # entries of a list that LaTeX shows; of a longer one it has the ends
_SHOWN = 40  # rows of a schedule that fit on a page of LaTeX; half of them from either end


# --- budgets --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False, repr=False)
class Budget(Result, Record):
    """What a target error needs.

    Attributes:
        theorem: the statement.
        target: what its total may be.
        budget: every budget parameter as exact text, those held fixed or chosen included; N counts the steps of a grid.
        fixed: the budget parameters that were given.
        solved: the names of those that were solved for, in their order.
        chosen: the names of the statement's free parameters that were left out and not solved for: the best were taken.
        split: by term, the share of the target it was allowed (a fixed term: the share it uses).
        achieved: the certified evaluation at the budget; its upper end is at most the target.
        evaluations_of_teacher: one for each step of the grid (None: no teacher enters).
        steps_of_corrector: tau_c/eta rounded up, each with one evaluation of the score (None: no corrector enters).

    >>> import cmbound
    >>> found = cmbound.solve("explicit-one-step", target="0.5", preset="gaussian-2d", unknown="h")
    >>> found.solved
    ('h',)
    """

    theorem: Theorem
    target: Fraction
    budget: Mapping[str, str]
    fixed: Mapping[str, str]
    solved: tuple[str, ...]
    split: Mapping[str, float]
    achieved: Evaluation
    evaluations_of_teacher: int | None
    chosen: tuple[str, ...] = ()
    steps_of_corrector: int | None = None

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={x}" for name, x in self.budget.items())
        return f"<Budget for {self.theorem.id} <= {float(self.target):.6g}: {shown}>"

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The numbers at which the achieved value was evaluated (the options are those that were given)."""
        return self.achieved.parameters

    def report(self) -> Report:
        """The parameters, what each term was allowed and uses, and everything the bound assumed."""
        page, document, achieved, target = Body(), Body(), self.achieved, _target_text(self)
        parameters, shares, notes = _parameters_table(self), _shares_table(self), _budget_notes(self)
        allowed, bound = within(self.target, Fraction(achieved.upper))
        page.line(mixed(f"{self.theorem.id}: ", prose(self.theorem.title)))
        page.line(f"{achieved.quantity} <= {bound} <= {target} (the target), {achieved.tier}, with")
        for table in (parameters, shares):
            page.line()
            page.table(table)
        page.line()
        for note in (*notes, *_said(achieved, "note: ")):
            page.line(note)
        page.line(parameters_line(achieved))
        _assume(page, achieved)
        document.formula(rf"{achieved.quantity_latex} \leq {latex_number(bound)} \leq {latex_number(allowed)}")
        document.table(parameters)
        document.line()
        document.table(replace(shares, notes=(*notes, *_said(achieved))))
        title = f"{self.theorem.id}: {achieved.quantity} <= {target}"
        return Report(title, page, lambda: _budget_data(self), parameters, document)


def _budget_data(budget: Budget) -> dict[str, Any]:
    achieved = budget.achieved.to_dict()
    kept = (
        "value", "lower", "upper", "terms", "tier", "guarantee", "sampled", "trivial_bound", "vacuous", "profile", "notes",
        "assumptions",
    )  # fmt: skip
    return {
        "schema_version": SCHEMA_VERSION,
        "theorem": budget.theorem.id,
        "quantity": budget.achieved.quantity,
        "target": _target_text(budget),
        **{name: thawed(getattr(budget, name)) for name in ("budget", "fixed", "solved", "chosen", "split")},
        "achieved": {name: achieved[name] for name in kept},
        **{name: getattr(budget, name) for name in ("evaluations_of_teacher", "steps_of_corrector")},
        **{name: achieved[name] for name in ("parameters", "teacher", "grid", "clock", "start", "to")},
    }


def _target_text(budget: Budget) -> str:
    """The target as exact text: decimal where that is short, else a fraction."""
    text = rounded(float(budget.target), 17, "nearest")
    return text if Fraction(text) == budget.target else str(budget.target)


def _parameters_table(budget: Budget) -> Table:
    """The parameters, each ``solved``, ``fixed``, ``chosen`` or ``follows``."""
    kinds = {"solved": budget.solved, "fixed": budget.fixed, "chosen": budget.chosen}
    rows = []
    for name, value in budget.budget.items():
        how = next((kind for kind, names in kinds.items() if name in names), "follows")
        rows.append((math(TABLE[name].latex, name), _as_given(value), Cell(how)))
    return Table(("parameter", "value", "how"), tuple(rows), "lrl", size="footnotesize", aligned=False)


def _as_given(value: str) -> Cell:
    """A number, or a list with one for each step, as a user may have written it; LaTeX has more than one line for a long one."""
    items = value.split(",")
    if len(items) == 1 and len(value) <= _LINE:
        cell = number(value)
        return cell if cell.is_decimal else Cell(value)
    few = items if len(items) <= _FEW else [items[0], "...", f"{items[-1]} ({counted(len(items), 'value')})"]
    return Cell(value, lines=tuple(wrap(", ".join(few), _LINE)))


def _shares_table(budget: Budget) -> Table:
    """What each term was allowed and what it uses, with the total."""
    rows = []
    for name, x in budget.achieved.terms.items():
        used, share = Fraction(x.upper), Fraction(budget.split[name]) * budget.target
        allowed, bound = within(used if abs(used - share) <= share * _FLOAT else share, used)
        rows.append((Cell(words(name)), number(allowed), number(bound)))
    total = within(budget.target, Fraction(budget.achieved.upper))[1]
    rows.append((Cell("total"), _as_given(_target_text(budget)), number(total)))
    return Table(("term", "allowed", "bound"), tuple(rows), "lrr", size="footnotesize")


def within(allowed: Fraction, bound: Fraction, digits: int = 6) -> tuple[str, str]:
    """What is allowed rounded down and a bound within it rounded up, with as many digits as keep them in this order."""
    texts = rounded(allowed, digits, "up" if allowed == bound else "down"), rounded(bound, digits)
    in_order = Fraction(texts[1]) <= Fraction(texts[0])
    return texts if in_order or bound > allowed else within(allowed, bound, digits + 1)


def _budget_notes(budget: Budget) -> list[Cell]:
    teacher, corrector = budget.evaluations_of_teacher, budget.steps_of_corrector
    found = [] if teacher is None else [Cell(f"{counted(teacher, 'evaluation')} of the teacher, one for each step of the grid")]
    if corrector is not None:
        count = f"{counted(corrector, 'evaluation')} of the score in the corrector, one for each of its steps ("
        found.append(mixed(Cell(count), math(r"\tau_c/\eta", "tau_c/eta"), Cell(")")))
    return found


# --- schedules ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False, repr=False)
class Schedule(Result, Record):
    """The best multistep schedule, with fixed-time schedules beside it.

    Attributes:
        optimal: certified evaluation at the best times.
        fixed: certified evaluation at the fixed time of Cor 6, log(2 L_f) + delta (the first node from it on).
        best_fixed: certified evaluation at the best fixed time for this number of evaluations.
        times, fixed_times: times (OU clock) of the second to the last evaluation, as the parameter ``times`` takes them.
        limit: W_inf, where the bound tends to with more and more evaluations (float64; early stopping included as in the bounds).
            No number of evaluations brings the bound below it, unless the first evaluation is already there.
        limit_time: the time at which it is attained (None: no time contracts, and the limit is infinite).
        gain: what an evaluation must gain to be worth taking.
        steps_worth_taking: the number of evaluations after which another one gains less (at most 10000).
        halves: whether an evaluation at the fixed time halves the distance; where none does the fixed time is T.

    >>> import cmbound
    >>> cmbound.schedule(steps=2, preset="gaussian-2d").steps_worth_taking
    4
    """

    optimal: Evaluation
    fixed: Evaluation
    best_fixed: Evaluation
    times: tuple[float, ...]
    fixed_times: tuple[float, ...]
    limit: float
    limit_time: float | None
    gain: float
    steps_worth_taking: int
    halves: bool

    def __repr__(self) -> str:
        shown = ", ".join(f"{x:.4g}" for x in self.times)
        bound = f"{self.optimal.quantity} <= {rounded(self.optimal.upper)}"
        return f"<Schedule of {counted(len(self.bounds), 'evaluation')} at T, {shown}: {bound}>"

    @property
    def bounds(self) -> tuple[Decimal, ...]:
        """Certified upper ends after each evaluation."""
        return tuple(x.upper for x in self.optimal.steps or ())

    @property
    def fixed_bounds(self) -> tuple[Decimal, ...]:
        """Likewise for the fixed time of Cor 6."""
        return tuple(x.upper for x in self.fixed.steps or ())

    @property
    def best_fixed_time(self) -> float | None:
        """The best fixed time (None: one evaluation only)."""
        steps = self.best_fixed.steps or ()
        return steps[1].t if len(steps) > 1 else None

    def report(self) -> Report:
        """The times and bounds of the three schedules, the limit, and everything the bounds assumed."""
        page, document, optimal = Body(), Body(), self.optimal
        table, notes = _schedule_table(self), _schedule_notes(self)
        title = f"{optimal.theorem.id}: the best times for {len(self.bounds)} evaluation{'s' * (len(self.bounds) > 1)}"
        page.line(title)
        page.line(f"{optimal.quantity} <= {rounded(optimal.upper)}, {optimal.tier}")
        page.line()
        page.table(table)
        page.line()
        for note in (*notes, *map(Cell, _in_full(self)), *_said(optimal, "note: ")):
            page.line(note)
        _assume(page, optimal)
        document.formula(optimal.latex())
        if len(table.rows) > _SHOWN:
            notes.insert(0, Cell(f"({counted(len(table.rows) - _SHOWN, 'evaluation')} in between left out)"))
            table = replace(table, rows=table.rows[: _SHOWN // 2] + table.rows[-_SHOWN // 2 :])
        document.table(replace(table, notes=(*notes, *_said(optimal))))
        for line in _in_full(self):  # a comment in LaTeX: it may be longer than a page
            document.line(line)
        return Report(title, page, lambda: _schedule_data(self), _exact_schedule(self), document)


def _schedule_data(schedule: Schedule) -> dict[str, Any]:
    """An infinite limit is null. Times are those of the OU clock, as ``times`` takes them."""
    optimal = schedule.optimal.to_dict()
    kept = (
        "quantity", "tier", "sampled", "teacher", "grid", "clock", "start", "to", "parameters", "assumptions", "trivial_bound",
        "notes", "steps",
    )  # fmt: skip
    return {
        "schema_version": SCHEMA_VERSION,
        "theorem": schedule.optimal.theorem.id,
        "times": list(schedule.times),
        "bounds": list(map(float_up, schedule.bounds)),
        "fixed_times": list(schedule.fixed_times),
        "fixed_bounds": list(map(float_up, schedule.fixed_bounds)),
        "best_fixed_time": schedule.best_fixed_time,
        "best_fixed_bounds": [x.value for x in schedule.best_fixed.steps or ()],
        "limit": schedule.limit if isfinite(schedule.limit) else None,
        **{name: getattr(schedule, name) for name in ("limit_time", "gain", "steps_worth_taking")},
        "fixed_time_halves": schedule.halves,
        **{name: optimal[name] for name in kept},
    }


def _three(schedule: Schedule) -> Iterable[tuple[Any, ...]]:
    """One evaluation after the other, as each of the three schedules has it."""
    return zip(*(x.steps or () for x in (schedule.optimal, schedule.fixed, schedule.best_fixed)), strict=True)


def _schedule_table(schedule: Schedule) -> Table:
    """One row for each evaluation: the best time, and the bounds of the three schedules."""
    clock = schedule.optimal.clock
    time = math(r"\sigma", "sigma") if clock == "ve" else math("t", "time")
    header = ("k", time.plain, "bound", "fixed time (Cor 6)", "best fixed time")
    rows = tuple(
        (number(str(row[0].k)), _time(row[0].t, clock), *(number(rounded(x.upper)) for x in row)) for row in _three(schedule)
    )
    heads = (math("k"), time, *map(Cell, header[2:]))
    return Table(header, rows, "rrrrr", heads=heads, size="footnotesize")


def _time(t: float, clock: str) -> Cell:
    return number(rounded(in_clock(t, clock), 6, "nearest"))


def _exact_schedule(schedule: Schedule) -> Table:
    """The same with all digits (what CSV holds)."""
    clock = schedule.optimal.clock
    rows = tuple(
        (number(str(row[0].k)), *(number(text) for x in row for text in (repr(in_clock(x.t, clock)), plain_decimal(x.upper))))
        for row in _three(schedule)
    )
    header = ("k", "time", "bound", "fixed_time", "fixed_bound", "best_fixed_time", "best_fixed_bound")
    return Table(header, rows, "r" * 7)


def _schedule_notes(schedule: Schedule) -> list[Cell]:
    notes = [_worth(schedule), _limit(schedule)]
    if schedule.best_fixed_time is not None:
        how = "the first that halves" if schedule.halves else "the last, as no evaluation halves the distance"
        one, other = (_time(x, schedule.optimal.clock) for x in (schedule.fixed_times[0], schedule.best_fixed_time))
        notes.append(mixed(Cell(f"fixed time of Cor 6, {how}: "), one, Cell("; best fixed time: "), other))
    return notes


def _in_full(schedule: Schedule) -> list[str]:
    return [f"the best times in full: times={','.join(map(repr, schedule.times))}"] if schedule.times else []


def _worth(schedule: Schedule) -> Cell:
    count, gain = schedule.steps_worth_taking, number(rounded(schedule.gain, 4, "nearest"))
    if count == LONGEST:
        return mixed(Cell(f"steps worth taking: {count} or more (each of so many gains at least "), gain, Cell(")"))
    if count == 1 and _rises(schedule):
        return Cell("steps worth taking: 1 (more only raise the bound)")
    less = (Cell("nothing"),) if schedule.gain == 0 else (Cell("less than "), gain)
    shown = "" if count <= len(schedule.bounds) else f"; {len(schedule.bounds)} of them asked for and shown"
    return mixed(Cell(f"steps worth taking: {count} (one more gains "), *less, Cell(f"){shown}"))


def _rises(schedule: Schedule) -> bool:
    """Whether the bound tends to no less than it is after the first evaluation."""
    return Fraction(schedule.bounds[0]) <= schedule.limit


def _limit(schedule: Schedule) -> Cell:
    """Where the bound tends to; above the first bound it is no lower limit."""
    if schedule.limit_time is None:
        contracts = math(r"L_f e^{-(t - \delta)} \geq 1", "L_f e^-(t - delta) >= 1")
        return mixed(Cell("limit: infinite, no time contracts ("), contracts, Cell(" everywhere)"))
    at, limit = _time(schedule.limit_time, schedule.optimal.clock), number(rounded(schedule.limit))
    rises = _rises(schedule)
    start = "with more and more evaluations the bound rises to" if rises else "no number of evaluations brings the bound below"
    end = "; the first bound is the best" if rises else ""
    return mixed(Cell(f"limit: {start} "), limit, Cell(" (float64), at "), at, Cell(end))


# --- both -----------------------------------------------------------------------------------------------------------


def _said(evaluation: Evaluation, mark: str = "") -> list[Cell]:
    """The sentences below the tables about the evaluation, and what the sums over the grid were taken for."""
    found, grid = [Cell(f"{mark}{x}") for x in evaluation.notes], evaluation.grid
    if grid is not None:
        closed = grid["kind"] == "closed-form"
        kind = "any grid with steps of at most h" if closed else f"{grid['kind']} grid of {counted(grid['N'], 'step')}"
        used = ", ".join(dict.fromkeys(x.profile for x in evaluation.stretches))
        found.append(Cell(f"teacher {evaluation.teacher}, {kind}, profile {evaluation.profile}{f' ({used})' if used else ''}"))
    return found


def _assume(page: Body, evaluation: Evaluation) -> None:
    page.line("assumptions")
    for x in evaluation.assumptions:
        page.line(assumption_line(x), 2)
