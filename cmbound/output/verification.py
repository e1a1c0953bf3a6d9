"""What ``cmbound check`` prints: campaigns, the search for counterexamples, planted mistakes."""

from __future__ import annotations

from collections.abc import Sequence

from cmbound.numbers import apart, rounded
from cmbound.reports.cells import Cell, number
from cmbound.reports.page import Page
from cmbound.reports.table import Table
from cmbound.verification.campaign import Report
from cmbound.verification.falsify import Falsification
from cmbound.verification.instances import Outcome
from cmbound.verification.planted import PlantedReport, Verdict


def _ratio(x: float | None, digits: int = 4) -> Cell:
    if x is None:
        return Cell("")
    return number(rounded(x, digits, "nearest") if x != float("inf") else "inf")


def summary_table(reports: Sequence[Report]) -> Table:
    """One row for each statement."""
    header = ("statement", "instances", "passed", "violations", "undecided", "skipped", "max ratio", "median ratio")
    rows = tuple(
        (
            Cell(x.theorem),
            *(number(str(n)) for n in (x.instances, x.passed, x.violations, x.undecided, x.skipped)),
            _ratio(x.max_ratio),
            _ratio(x.median_ratio),
        )
        for x in reports
    )
    return Table(header, rows, "l" + "r" * 7)


def sharpness_table(reports: Sequence[Report]) -> Table:
    """The largest share of each term that some instance needs."""
    rows = tuple(
        (Cell(x.theorem), Cell(name.replace("_", " ")), _ratio(value))
        for x in reports
        if x.kind != "order"
        for name, value in x.sharpness.items()
    )
    return Table(("statement", "term", "sharpness"), rows, "llr")


def profiles_table(reports: Sequence[Report]) -> Table:
    """The largest ratio with each teacher and profile."""
    rows = tuple(
        (Cell(x.theorem), Cell(name), number(str(int(row["instances"]))), _ratio(row["max_ratio"]))
        for x in reports
        for name, row in x.profiles.items()
    )
    return Table(("statement", "teacher: profile", "instances", "max ratio"), rows, "llrr")


def check_page(reports: Sequence[Report], width: int | None = None) -> str:
    """Campaigns as text."""
    page = Page(width)
    page.table(summary_table(reports), 0)
    sharp = sharpness_table(reports)
    if sharp.rows:
        page.line()
        page.line("sharpness: the largest share of a term that some instance needs (1: attained; below 1/2: halving it survives)")
        page.table(sharp)
    if len(reports) == 1 and reports[0].profiles:
        page.line()
        page.table(profiles_table(reports))
    sampled = sum(x.sampled for x in reports)
    if sampled:
        page.line()
        page.line(f"{sampled} of the truths are sampled: those verdicts are at asymptotic 99.994% intervals")
    for report in reports:
        if report.hidden_constant is not None:
            least = rounded(report.hidden_constant, 6, "down")
            page.line(f"{report.theorem}: order form, not a guarantee; the instances force C >= {least}")
        elif report.kind == "order":
            page.line(f"{report.theorem}: order form; no instance estimates its constant")
    if len(reports) == 1:
        _reasons(page, reports[0])
    for report in reports:
        if report.worst is not None and (len(reports) == 1 or report.violations):
            page.line()
            page.line(f"{'VIOLATION' if report.violations else 'largest ratio'}, {report.theorem}:")
            _outcome(page, report.worst)
    return str(page)


def _reasons(page: Page, report: Report) -> None:
    if report.reasons:
        page.line()
        page.line("skipped or undecided")
        for reason, count in list(report.reasons.items())[:8]:
            page.line(f"{count}: {reason}", 2)


def _outcome(page: Page, outcome: Outcome) -> None:
    if outcome.ratio is not None and outcome.truth is not None and outcome.bound is not None:
        how = " (sampled, asymptotic)" if outcome.trust == "asymptotic" else ""
        true, bound = apart(outcome.truth, outcome.bound, digits=10)
        page.line(f"true {true}{how}, bound {bound}", 2)
        page.line(f"ratio {rounded(outcome.ratio, 8, 'nearest')}, {outcome.status}{_because(outcome)}", 2)
        page.line(", ".join(f"{name} {rounded(x)}" for name, x in outcome.terms.items()), 2)
    else:
        page.line(f"{outcome.status}{_because(outcome)}", 2)
    recipe = outcome.recipe
    choices = ", ".join(f"{name} {x}" for name, x in recipe.choices.items() if name != "times")
    page.line(f"{recipe.world} world, seed {recipe.seed}; {choices}", 2)
    page.line(", ".join(f"{name} {x:.4g}" for name, x in recipe.knobs.items()), 2)


def _because(outcome: Outcome) -> str:
    return f" ({outcome.reason})" if outcome.reason else ""


def replay_page(outcome: Outcome, width: int | None = None) -> str:
    """One instance judged again."""
    page = Page(width)
    page.line(outcome.recipe.theorem)
    _outcome(page, outcome)
    return str(page)


def falsify_table(found: Sequence[Falsification]) -> Table:
    """The best witness for the total and for each term."""
    rows = tuple(
        (
            Cell(x.theorem),
            Cell(name.replace("_", " ")),
            _ratio(x.values[name]),
            Cell("" if witness is None else witness.recipe.world),
            number("" if witness is None else str(witness.recipe.choices.get("d", ""))),
            Cell("" if witness is None or witness.profile is None else f"{witness.teacher}: {witness.profile}"),
        )
        for x in found
        for name, witness in x.best.items()
    )
    return Table(("statement", "term", "best ratio", "world", "d", "teacher: profile"), rows, "llrlrl")


def falsify_page(found: Sequence[Falsification], width: int | None = None) -> str:
    """The search for counterexamples as text."""
    page = Page(width)
    page.table(falsify_table(found), 0)
    page.line()
    for x in found:
        page.line(f"{x.theorem}: {x.evaluations} instances in {x.seconds:.1f} s, {len(x.violations)} violations")
        for outcome in x.violations[:3]:
            _outcome(page, outcome)
    return str(page)


def planted_table(verdicts: Sequence[Verdict]) -> Table:
    """Weakened copies, one row each."""
    rows = tuple(
        (Cell(x.plant.theorem), Cell(x.plant.component), Cell(x.plant.change), Cell(x.status), _ratio(x.ratio)) for x in verdicts
    )
    return Table(("statement", "part", "change", "status", "best ratio"), rows, "llllr")


def planted_page(report: PlantedReport, width: int | None = None) -> str:
    """Planted mistakes as text: counts for each part, then the survivors."""
    page = Page(width)
    counts: dict[tuple[str, str], list[Verdict]] = {}
    for x in report.verdicts:
        counts.setdefault((x.plant.theorem, x.plant.component), []).append(x)
    rows = tuple(
        (
            Cell(theorem),
            Cell(part),
            number(str(len(xs))),
            *(number(str(sum(x.status == status for x in xs))) for status in ("caught", "not weaker", "survived")),
        )
        for (theorem, part), xs in counts.items()
    )
    page.table(Table(("statement", "part", "planted", "caught", "not weaker", "survived"), rows, "llrrrr"), 0)
    total = len(report.verdicts)
    caught, survived = len(report.having("caught")), report.having("survived")
    page.line()
    page.line(f"{total} planted, {caught} caught, {len(report.having('not weaker'))} not weaker, {len(survived)} survived")
    if survived:
        page.line("survivors, with the largest truth/(weakened bound) found")
        table = planted_table(survived)
        page.table(Table(table.header[:3] + table.header[4:], tuple(x[:3] + x[4:] for x in table.rows), "lllr"))
    return str(page)
