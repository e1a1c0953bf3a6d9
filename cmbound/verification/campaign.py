"""``check``: draw instances of a statement, compare truth with bound, and report."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cmbound.checks import checked_name, checked_whole
from cmbound.errors import CmboundError, DomainError, InputError
from cmbound.evaluation.point import completed, evaluate, float_terms
from cmbound.evaluation.statement import theorem as find
from cmbound.frozen import Record, thawed
from cmbound.names import WORLDS
from cmbound.numbers import counted, rounded
from cmbound.parallel import mapped
from cmbound.reports.cells import Cell, number
from cmbound.reports.report import Body, Report, Result
from cmbound.reports.table import Table
from cmbound.theory.records import Theorem
from cmbound.verification.experiments import experiment_of
from cmbound.verification.instances import Instance, Outcome, Recipe, SkippedError, ratio_cell
from cmbound.verification.laboratories import build, draw_choices, drawn, random_world

ATTAINED = "attained: truth and bound agree to within the error of the truth"
WIDE = "the error of the truth is too large to tell it from the bound"
_AGREE = 1 + 1e-6  # rounding of the sum of a truth and a bound
BATCH = 25  # instances of one task: a tenth of a second, or some seconds where nothing is in closed form
MAX_INSTANCES = 10**7  # days of work


@dataclass(frozen=True, eq=False, repr=False)
class Check(Result, Record):
    """What a campaign on one statement found.

    Attributes:
        theorem: its id; kind: its kind.
        instances: how many were drawn; each is ``passed``, a violation, undecided or skipped.
        passed, violations, undecided, skipped: counts.
        sampled: how many of those that were judged have a truth known from samples (``asymptotic``), judged at the ends of a
            99.994% confidence interval.
        reasons: why instances were skipped or undecided, with counts.
        max_ratio, median_ratio: of truth/bound over the instances that passed, attain the bound or violate it (None: there
            are none). For an order-form statement the largest is the smallest constant C the instances allow.
        sharpness: for each term the largest share of it that some instance needs (1: attained).
        profiles: for each teacher and profile the number of instances and the largest ratio.
        worst: a violation, or the outcome with the largest ratio (one that attains the bound only if all do).
        seed, seconds: of the campaign, and its wall-clock time.
    """

    theorem: str
    kind: str
    instances: int
    passed: int
    violations: int
    undecided: int
    skipped: int
    sampled: int
    reasons: Mapping[str, int]
    max_ratio: float | None
    median_ratio: float | None
    sharpness: Mapping[str, float]
    profiles: Mapping[str, Mapping[str, float]]
    worst: Outcome | None
    seed: int
    seconds: float

    @property
    def hidden_constant(self) -> float | None:
        """Order form: no constant C below this one makes the statement true on the instances."""
        return self.max_ratio if self.kind == "order" else None

    def report(self) -> Report:
        """Counts, ratios, sharpness, and the worst instance."""
        return check_report([self])

    def _data(self) -> dict[str, Any]:
        found = {name: thawed(getattr(self, name)) for name in self._names() if name != "worst"}
        worst = None if self.worst is None else self.worst.to_dict()
        return found | {"hidden_constant": self.hidden_constant, "worst": worst}


def judge(recipe: Recipe, theorem: Theorem | None = None) -> Outcome:
    """Build the instance of a recipe and compare its truth with the bound; raises InputError for what does not exist."""
    statement = find(recipe.theorem) if theorem is None else theorem
    try:
        instance = build(recipe, statement)
        setting = completed(statement, instance.params)
        terms = float_terms(setting)
    except (SkippedError, DomainError) as reason:
        return Outcome(recipe, "skipped", str(reason).split("; got")[0])
    except KeyError as missing:
        raise InputError(f"the recipe lacks {missing}") from None
    truth, bound = instance.truth, sum(terms.values())
    outcome = Outcome(
        recipe,
        "passed",
        truth=truth.value,
        bound=bound,
        ratio=_ratio(truth.value if bound > 0 else truth.lower, bound),
        terms=terms,
        profile=setting.profile_name,
        teacher=setting.teacher.name if statement.uses_profile else None,
        params=instance.params,
        trust=truth.trust,
    )
    if statement.kind == "order" or truth.upper <= bound:
        return outcome
    if truth.lower <= bound:
        agree = truth.value <= bound * _AGREE or truth.exact
        return replace(outcome, status="undecided", reason=ATTAINED if agree else WIDE)
    return _above(outcome, instance, statement)


def _above(outcome: Outcome, instance: Instance, statement: Theorem) -> Outcome:
    """The truth lies above the float64 bound: a violation if it lies above the certified one too."""
    if instance.generous is not None:
        generous = sum(float_terms(completed(statement, instance.generous)).values())
        if instance.truth.lower <= generous:
            return replace(outcome, status="undecided", reason="above the bound at the measured constants only")
    certified = evaluate(statement, instance.generous or instance.params).value
    if instance.truth.lower <= certified:
        return replace(outcome, status="undecided", reason="above the float64 bound only")
    return replace(outcome, status="violation", bound=certified, ratio=_ratio(outcome.truth or 0.0, certified))


def _ratio(truth: float, bound: float) -> float:
    return truth / bound if bound > 0 else (0.0 if truth == 0 else float("inf"))


def draw(theorem: Theorem, world: str | None, seed: int, number: int) -> Recipe:
    """Recipe number ``number`` of a campaign: it depends on nothing but the arguments."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number,)))
    name = world or random_world(theorem, rng)
    return drawn(theorem, name, rng, draw_choices(theorem, rng))


def _batch(theorem: Theorem, world: str | None, seed: int, numbers: range) -> list[Outcome]:
    return [judge(draw(theorem, world, seed, n), theorem) for n in numbers]


def check(
    id: str | Theorem,
    *,
    instances: int = 500,
    seed: int = 0,
    world: str | None = None,
    jobs: int = 1,
    cluster: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> Check:
    """Compare a statement with the truth on random instances.

    Args:
        id: the statement, or one of your own that names an experiment.
        instances: how many to draw.
        seed: seed of the campaign; the result does not depend on ``jobs``.
        world: ``gaussian``, ``mixture`` or ``atoms``; by default all three.
        jobs, cluster: where the work runs, see :func:`cmbound.parallel.mapped`.
        progress: called with the number of instances that were just done.

    Raises:
        UnknownNameError, InputError, DomainError: an argument that does not exist or is out of range.

    >>> import cmbound
    >>> cmbound.check("explicit-map-error", instances=20, world="gaussian").violations
    0
    """
    begin = time.perf_counter()
    theorem = find(id)
    work = run(theorem, instances=instances, seed=seed, world=world, jobs=jobs, cluster=cluster, progress=progress)
    return summarise(theorem, list(work), seed, time.perf_counter() - begin)


def run(
    id: str | Theorem,
    *,
    instances: int,
    seed: int = 0,
    world: str | None = None,
    jobs: int = 1,
    cluster: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> Iterator[Outcome]:
    """The outcomes of a campaign, in order (arguments as for :func:`check`)."""
    theorem = find(id)
    experiment_of(theorem)
    checked_whole("instances", instances, 1, MAX_INSTANCES)
    check_search(seed, world)
    batches = ((theorem, world, seed, range(i, min(i + BATCH, instances))) for i in range(0, instances, BATCH))
    for outcomes in mapped(_batch, batches, jobs=jobs, cluster=cluster):
        if progress is not None:
            progress(len(outcomes))
        yield from outcomes


def check_search(seed: int, world: str | None) -> None:
    """Raise InputError, DomainError or UnknownNameError for a seed or a world that cannot be."""
    checked_whole("seed", seed, 0, 2**63 - 1)
    if world is not None:
        checked_name("world", world, WORLDS)


def summarise(theorem: Theorem, outcomes: Sequence[Outcome], seed: int, seconds: float) -> Check:
    """Counts, ratios and sharpness of the outcomes of one statement."""
    count = Counter(x.status for x in outcomes)
    decided = [x for x in outcomes if x.ratio is not None and (x.status != "undecided" or x.reason == ATTAINED)]
    ratios = np.array([x.ratio for x in decided], dtype=np.float64)
    profiles: dict[str, dict[str, float]] = {}
    sharpness: dict[str, float] = {}
    for x in decided:
        if x.profile is not None:
            row = profiles.setdefault(f"{x.teacher}: {x.profile}", {"instances": 0, "max_ratio": 0.0})
            row["instances"] += 1
            row["max_ratio"] = max(row["max_ratio"], x.ratio or 0.0)
        for name in x.terms if theorem.kind != "order" else ():
            sharpness[name] = max(sharpness.get(name, 0.0), x.needed(name))
    return Check(
        theorem=theorem.id,
        kind=theorem.kind,
        instances=len(outcomes),
        passed=count["passed"],
        violations=count["violation"],
        undecided=count["undecided"],
        skipped=count["skipped"],
        sampled=sum(x.trust == "asymptotic" and x.status != "skipped" for x in outcomes),
        reasons=dict(Counter(x.reason for x in outcomes if x.reason).most_common()),
        max_ratio=float(ratios.max()) if len(ratios) else None,
        median_ratio=float(np.median(ratios)) if len(ratios) else None,
        sharpness=sharpness,
        profiles=dict(sorted(profiles.items())),
        worst=_worst(decided),
        seed=seed,
        seconds=seconds,
    )


def _worst(decided: Sequence[Outcome]) -> Outcome | None:
    """A violation if there is one, else the largest ratio of those that do not just attain the bound (all those tie)."""
    rank = {"violation": 2, "passed": 1, "undecided": 0}
    return max(decided, key=lambda x: (rank[x.status], x.ratio or 0.0), default=None)


def replay(data: Any, theorem: Theorem | None = None) -> Outcome:
    """Judge once more the instance of a report (``cmbound check --format json``), of its ``worst`` entry, or of a bare recipe.

    Raises InputError where the data hold no recipe; ``theorem`` is the statement, where it is one of your own.
    """
    for name in ("worst", "recipe"):
        if isinstance(data, dict) and isinstance(data.get(name), dict):
            data = data[name]
    try:
        return judge(Recipe.from_dict(data), theorem)
    except CmboundError:
        raise
    except (TypeError, ValueError, IndexError) as error:
        raise InputError(f"the recipe cannot be replayed: {error}") from None


# --- what is said ---------------------------------------------------------------------------------------------------


def check_report(reports: Sequence[Check]) -> Report:
    """Campaigns on some statements."""
    summary = _summary(reports)
    said = [f"{x.theorem}: {counted(x.instances, 'instance')}, {counted(x.violations, 'violation')}" for x in reports]
    title = said[0] if len(said) == 1 else f"checks of {len(said)} statements"
    page = _page(reports, summary)
    return Report(title, page, lambda: one_or_all([x._data() for x in reports]), summary, page)


def one_or_all(data: list[Any]) -> Any:
    """Data of one thing are an object, of several a list."""
    return data[0] if len(data) == 1 else data


def _summary(reports: Sequence[Check]) -> Table:
    """One row for each statement."""
    counts = ("instances", "passed", "violations", "undecided", "skipped")
    rows = tuple(
        (Cell(x.theorem), *(number(str(getattr(x, name))) for name in counts), *map(ratio_cell, (x.max_ratio, x.median_ratio)))
        for x in reports
    )
    header = ("statement", *counts, "max ratio", "median ratio")
    return Table(header, rows, "l" + "r" * 7, layout="headings", size="footnotesize", tight=True)


def _sharpness(reports: Sequence[Check]) -> Table:
    """The largest share of each term that some instance needs."""
    rows = tuple(
        (Cell(x.theorem), Cell(name.replace("_", " ")), ratio_cell(value))
        for x in reports
        if x.kind != "order"
        for name, value in x.sharpness.items()
    )
    return Table(("statement", "term", "sharpness"), rows, "llr")


def _profiles(reports: Sequence[Check]) -> Table:
    """The largest ratio with each teacher and profile."""
    rows = tuple(
        (Cell(x.theorem), Cell(name), number(str(int(row["instances"]))), ratio_cell(row["max_ratio"]))
        for x in reports
        for name, row in x.profiles.items()
    )
    return Table(("statement", "teacher: profile", "instances", "max ratio"), rows, "llrr", size="footnotesize", tight=True)


def _remarks(reports: Sequence[Check]) -> list[str]:
    """What verdicts rest on samples, and what order forms are not."""
    sampled = sum(x.sampled for x in reports)
    found = [f"{sampled} of the truths are sampled: those verdicts are at asymptotic 99.994% intervals"] if sampled else []
    for x in reports:
        if x.hidden_constant is not None:
            least = rounded(x.hidden_constant, 6, "down")
            found.append(f"{x.theorem}: order form, not a guarantee; the instances force C >= {least}")
        elif x.kind == "order":
            found.append(f"{x.theorem}: order form; no instance estimates its constant")
    return found


def _page(reports: Sequence[Check], summary: Table) -> Body:
    page, sharp, alone = Body(), _sharpness(reports), reports[0] if len(reports) == 1 else None
    page.table(summary, 0)
    if sharp.rows:
        page.line()
        page.line("sharpness: the largest share of a term that some instance needs (1: attained; below 1/2: halving it survives)")
        page.table(sharp)
    if alone is not None and alone.profiles:
        page.line()
        page.table(_profiles(reports))
    if any(x.sampled for x in reports):
        page.line()
    for remark in _remarks(reports):
        page.line(remark)
    if alone is not None and alone.reasons:
        page.line()
        page.line("skipped or undecided")
        for reason, count in list(alone.reasons.items())[:8]:
            page.line(f"{count}: {reason}", 2)
    for x in reports:
        if x.worst is not None and (alone is not None or x.violations):
            page.line()
            page.line(f"{'VIOLATION' if x.violations else 'largest ratio'}, {x.theorem}:")
            x.worst.say(page)
    return page
