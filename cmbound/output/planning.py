"""What ``cmbound solve`` and ``cmbound schedule`` print."""

from __future__ import annotations

from fractions import Fraction
from math import isfinite
from typing import Any

from cmbound.arithmetic.certified import float_up
from cmbound.arithmetic.exact import in_clock
from cmbound.evaluation.records import SCHEMA_VERSION, Evaluation
from cmbound.frozen import thawed
from cmbound.numbers import plain_decimal, rounded
from cmbound.planning.budget import Budget
from cmbound.planning.schedule import LONGEST, Schedule
from cmbound.reports.cells import Cell, number
from cmbound.reports.page import Page
from cmbound.reports.table import Table

# --- budgets --------------------------------------------------------------------------------------------------------


def budget_data(budget: Budget) -> dict[str, Any]:
    """A budget as JSON-ready data."""
    achieved = budget.achieved.to_dict()
    kept = ("value", "lower", "upper", "terms", "guarantee", "trivial_bound", "vacuous", "profile", "notes", "assumptions")
    return {
        "schema_version": SCHEMA_VERSION,
        "theorem": budget.theorem.id,
        "quantity": budget.achieved.quantity,
        "target": target_text(budget),
        "budget": dict(budget.budget),
        "fixed": dict(budget.fixed),
        "solved": list(budget.solved),
        "chosen": list(budget.chosen),
        "split": dict(budget.split),
        "achieved": {name: achieved[name] for name in kept},
        "evaluations_of_teacher": budget.evaluations_of_teacher,
        "steps_of_corrector": budget.steps_of_corrector,
        "parameters": achieved["parameters"],
        **{name: achieved[name] for name in ("teacher", "grid", "clock", "start", "to")},
    }


def target_text(budget: Budget) -> str:
    """The target as exact text: decimal where that is short, else a fraction."""
    text = rounded(float(budget.target), 17, "nearest")
    return text if Fraction(text) == budget.target else str(budget.target)


def budget_table(budget: Budget) -> Table:
    """The parameters, each ``solved``, ``fixed``, ``chosen`` or ``follows``."""
    rows = []
    for name, value in budget.budget.items():
        kinds = {"solved": budget.solved, "fixed": budget.fixed, "chosen": budget.chosen}
        how = next((kind for kind, names in kinds.items() if name in names), "follows")
        rows.append((Cell(name), number(value), Cell(how)))
    return Table(("parameter", "value", "how"), tuple(rows), "lrl")


def shares_table(budget: Budget) -> Table:
    """What each term was allowed and what it uses, with the total."""
    rows = []
    for name, x in budget.achieved.terms.items():
        used, share = Fraction(x.upper), Fraction(budget.split[name]) * budget.target
        allowed, bound = within(used if abs(used - share) <= share * _FLOAT else share, used)
        rows.append((Cell(name.replace("_", " ")), number(allowed), number(bound)))
    total = within(budget.target, Fraction(budget.achieved.upper))[1]
    rows.append((Cell("total"), number(target_text(budget)), number(total)))
    return Table(("term", "allowed", "bound"), tuple(rows), "lrr")


_FLOAT = Fraction(1, 10**12)
"""Shares are float64; a fixed term is allowed what it uses."""


def within(allowed: Fraction, bound: Fraction, digits: int = 6) -> tuple[str, str]:
    """What is allowed rounded down and a bound within it rounded up, with as many digits as keep them in this order."""
    if allowed == bound:
        return rounded(bound, digits), rounded(bound, digits)
    while True:
        texts = rounded(allowed, digits, "down"), rounded(bound, digits)
        if Fraction(texts[1]) <= Fraction(texts[0]) or bound > allowed:
            return texts
        digits += 1


def _budget_lines(budget: Budget) -> list[str]:
    achieved = budget.achieved
    lines = []
    if budget.evaluations_of_teacher is not None:
        lines.append(f"{budget.evaluations_of_teacher} evaluations of the teacher, one for each step of the grid")
    if budget.steps_of_corrector is not None:
        lines.append(
            f"{budget.steps_of_corrector} evaluations of the score in the corrector, one for each of its steps (tau_c/eta)"
        )
    return [*lines, *(f"note: {x}" for x in achieved.notes)]


def budget_page(budget: Budget, width: int | None = None) -> str:
    """A budget as text."""
    page = Page(width)
    achieved = budget.achieved
    page.line(f"{budget.theorem.id}: {budget.theorem.title}")
    bound = within(budget.target, Fraction(achieved.upper))[1]
    page.line(f"{achieved.quantity} <= {bound} <= {target_text(budget)} (the target), certified, with")
    page.line()
    page.table(budget_table(budget))
    page.line()
    page.table(shares_table(budget))
    page.line()
    for line in _budget_lines(budget):
        page.line(line)
    _options(page, achieved)
    page.line("parameters: " + ", ".join(f"{name} = {_short(x)}" for name, x in achieved.parameters.items()))
    page.line("assumptions")
    for x in achieved.assumptions:
        page.line(f"[{x.status}] {x.id}: {x.text}", 2)
    return str(page)


def _short(value: Any) -> str:
    return f"[{value[0]}, ..., {value[-1]}]" if isinstance(value, list | tuple) and len(value) > 8 else str(thawed(value))


def _options(page: Page, evaluation: Evaluation) -> None:
    grid = evaluation.grid
    if grid is None:
        return
    kind = "any grid with steps of at most h" if grid["kind"] == "closed-form" else f"{grid['kind']} grid of {grid['N']} steps"
    used = list(dict.fromkeys(x.profile for x in evaluation.stretches))
    page.line(f"teacher {evaluation.teacher}, {kind}, profile {evaluation.profile}" + (f" ({', '.join(used)})" if used else ""))


def budget_document(budget: Budget, form: str) -> str:
    """A budget as a LaTeX or Markdown fragment, or as CSV."""
    if form == "csv":
        return budget_table(budget).csv()
    title = f"{budget.theorem.id}: {budget.achieved.quantity} <= {target_text(budget)}"
    tables = [budget_table(budget).render(form), shares_table(budget).render(form)]
    if form == "latex":
        return "\n".join([f"% cmbound: {title}; needs booktabs", "\n\n".join(tables), *(f"% {x}" for x in _budget_lines(budget))])
    return "\n\n".join([f"**{budget.theorem.id}**, target {target_text(budget)}", *tables, *_budget_lines(budget)])


# --- schedules ------------------------------------------------------------------------------------------------------


def schedule_data(schedule: Schedule) -> dict[str, Any]:
    """A schedule as JSON-ready data; an infinite limit is null. Times are those of the OU clock, as ``times`` takes them."""
    optimal = schedule.optimal.to_dict()
    kept = ("quantity", "teacher", "grid", "clock", "start", "to", "parameters", "assumptions", "trivial_bound", "notes")
    return {
        "schema_version": SCHEMA_VERSION,
        "theorem": schedule.optimal.theorem.id,
        "times": list(schedule.times),
        "bounds": [float_up(x) for x in schedule.bounds],
        "fixed_times": list(schedule.fixed_times),
        "fixed_bounds": [float_up(x) for x in schedule.fixed_bounds],
        "best_fixed_time": schedule.best_fixed_time,
        "best_fixed_bounds": [x.value for x in schedule.best_fixed.steps or ()],
        "limit": schedule.limit if isfinite(schedule.limit) else None,
        "limit_time": schedule.limit_time,
        "gain": schedule.gain,
        "steps_worth_taking": schedule.steps_worth_taking,
        "fixed_time_halves": schedule.halves,
        "steps": optimal["steps"],
        **{name: optimal[name] for name in kept},
    }


def schedule_table(schedule: Schedule, digits: int = 6) -> Table:
    """One row for each evaluation: the best time, and the bounds of the three schedules."""
    clock = schedule.optimal.clock
    rows = []
    three = (schedule.optimal.steps or (), schedule.fixed.steps or (), schedule.best_fixed.steps or ())
    for best, fixed, other in zip(*three, strict=True):
        time = number(rounded(in_clock(best.t, clock), digits, "nearest"))
        rows.append((number(str(best.k)), time, *(number(rounded(x.upper, digits)) for x in (best, fixed, other))))
    name = "sigma" if clock == "ve" else "time"
    return Table(("k", name, "bound", "fixed time (Cor 6)", "best fixed time"), tuple(rows), "rrrrr")


def exact_schedule_table(schedule: Schedule) -> Table:
    """The same with all digits (what CSV holds)."""
    clock = schedule.optimal.clock
    rows = []
    three = (schedule.optimal.steps or (), schedule.fixed.steps or (), schedule.best_fixed.steps or ())
    for best, fixed, other in zip(*three, strict=True):
        times = [number(repr(in_clock(x.t, clock))) for x in (best, fixed, other)]
        bounds = [number(plain_decimal(x.upper)) for x in (best, fixed, other)]
        rows.append((number(str(best.k)), *(x for pair in zip(times, bounds, strict=True) for x in pair)))
    header = ("k", "time", "bound", "fixed_time", "fixed_bound", "best_fixed_time", "best_fixed_bound")
    return Table(header, tuple(rows), "r" * 7)


def _schedule_lines(schedule: Schedule) -> list[str]:
    lines = [_worth(schedule), _limit(schedule)]
    if schedule.best_fixed_time is not None:
        shown = [in_clock(x, schedule.optimal.clock) for x in (schedule.fixed_times[0], schedule.best_fixed_time)]
        texts = [rounded(x, 6, "nearest") for x in shown]
        how = "the first that halves" if schedule.halves else "the last, as no evaluation halves the distance"
        lines.append(f"fixed time of Cor 6, {how}: {texts[0]}; best fixed time: {texts[1]}")
        lines.append(f"the best times in full: times={','.join(map(repr, schedule.times))}")
    return [*lines, *(f"note: {x}" for x in schedule.optimal.notes)]


def _worth(schedule: Schedule) -> str:
    count, gain = schedule.steps_worth_taking, rounded(schedule.gain, 4, "nearest")
    if count == LONGEST:
        return f"steps worth taking: {count} or more (each of so many gains at least {gain})"
    first = schedule.bounds[0]
    if count == 1 and first <= schedule.limit:
        return "steps worth taking: 1 (more only raise the bound)"
    less = "nothing" if schedule.gain == 0 else f"less than {gain}"
    return f"steps worth taking: {count} (one more gains {less})"


def _limit(schedule: Schedule) -> str:
    """Where the bound tends to; above the first bound it is no lower limit."""
    if schedule.limit_time is None:
        return "limit: infinite, no time contracts (L_f e^-(t - delta) >= 1 everywhere)"
    at = rounded(in_clock(schedule.limit_time, schedule.optimal.clock), 6, "nearest")
    limit = rounded(schedule.limit)
    if schedule.bounds[0] <= schedule.limit:
        return f"limit: with more and more evaluations the bound rises to {limit} (float64), at {at}; the first bound is the best"
    return f"limit: no number of evaluations brings the bound below {limit} (float64), at {at}"


def schedule_page(schedule: Schedule, width: int | None = None) -> str:
    """A schedule as text."""
    page = Page(width)
    optimal = schedule.optimal
    page.line(f"{optimal.theorem.id}: the best times for {len(schedule.bounds)} evaluation{'s' * (len(schedule.bounds) > 1)}")
    page.line(f"{optimal.quantity} <= {rounded(optimal.upper)}, certified")
    page.line()
    page.table(schedule_table(schedule))
    page.line()
    for line in _schedule_lines(schedule):
        page.line(line)
    _options(page, optimal)
    page.line("assumptions")
    for x in optimal.assumptions:
        page.line(f"[{x.status}] {x.id}: {x.text}", 2)
    return str(page)


def schedule_document(schedule: Schedule, form: str) -> str:
    """A schedule as a LaTeX or Markdown fragment, or as CSV."""
    if form == "csv":
        return exact_schedule_table(schedule).csv()
    table, lines = schedule_table(schedule).render(form), _schedule_lines(schedule)
    if form == "latex":
        return "\n".join(
            [f"% cmbound: {schedule.optimal.theorem.id}, best times; needs booktabs", table, *(f"% {x}" for x in lines)]
        )
    return "\n\n".join([table, *lines])
