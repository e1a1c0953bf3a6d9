"""The search for a counterexample: random instances first, then an optimiser on the knobs of the most promising ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from scipy.optimize import minimize

from cmbound.errors import DomainError
from cmbound.evaluation.statement import theorem as find
from cmbound.frozen import FrozenDict, Record
from cmbound.names import LINEAR_TEACHERS
from cmbound.numbers import counted
from cmbound.reports.cells import Cell, number
from cmbound.reports.report import Body, Report, Result
from cmbound.reports.table import Table
from cmbound.theory.records import Theorem
from cmbound.theory.variants import EI
from cmbound.verification.campaign import check_search, judge, one_or_all
from cmbound.verification.experiments import experiment_of
from cmbound.verification.instances import Outcome, Recipe, ratio_cell
from cmbound.verification.laboratories import draw_choices, drawn, knob_ranges, random_world
from cmbound.verification.local_sums import MEASURE
from cmbound.verification.settings import OFF
from cmbound.verification.witnesses import witnesses

ERRORS = FrozenDict({"score": ("log_score", "log_linear"), "consistency": ("log_drift",)})
"""Which knobs make a term large; all others are put off when that term is looked at alone."""

SKIPPED = -1e6
"""The score of an instance that cannot be built."""

_CORNERED = 0.35  # witnesses lie at the ends of their ranges
_NEIGHBOUR, _NEW_SEED = 0.15, 0.2  # of a range, and how often the random part changes too
_LEAST_CORNER = -6.0  # 10^-6: below it a constant is as good as absent
_STEP = 0.12  # of a range, at the start of a climb
_RANDOM_SHARE = 0.4  # of the time: enough to find a slope to climb
_RESTARTS = 3  # climbs from different places, for a local maximum
_CLIMB = 150  # trials after which a climb has stalled


@dataclass(frozen=True, eq=False, repr=False)
class Falsification(Result, Record):
    """What the search found.

    Attributes:
        theorem, evaluations: id, and number of instances tried.
        violations: those that refute the statement.
        best: the best witness for the total (``total``: largest truth/bound) and for each term (largest share of the
            term that an instance needs); None where no instance needs any of it.
        values: the corresponding ratios.
        seed, seconds: as asked for and as measured.
    """

    theorem: str
    evaluations: int
    violations: tuple[Outcome, ...]
    best: Mapping[str, Outcome | None]
    values: Mapping[str, float]
    seed: int
    seconds: float

    def report(self) -> Report:
        """The best witness for the total and for each term."""
        return falsify_report([self])

    def _data(self) -> dict[str, Any]:
        witnesses = {name: None if x is None else x.to_dict() for name, x in self.best.items()}
        best = {name: {"ratio": self.values[name], "witness": x} for name, x in witnesses.items()}
        shown = {"violations": [x.to_dict() for x in self.violations], "best": best}
        return {name: shown.get(name, getattr(self, name)) for name in self._names() if name != "values"}


def focused(recipe: Recipe, term: str) -> Recipe:
    """The recipe with the errors that make other terms large put off."""
    kept = ERRORS.get(term, ())
    knobs = {
        name: OFF if name in ("log_score", "log_linear", "log_drift", "log_noise") and name not in kept else x
        for name, x in recipe.knobs.items()
    }
    for name in kept[:1] if kept[:1] and kept[0] in knobs and not recipe.choices.get("centred") else ():
        knobs[name] = max(knobs[name], -1.0)
    choices = {**recipe.choices, "to": "p_data" if term == "early_stopping" else "p_delta"}
    if choices.get("student") == "random":
        choices["student"] = "composed"
    return replace(recipe, knobs=knobs, choices=choices)


def moved(recipe: Recipe, theorem: Theorem, move: Callable[[float, float, float], float]) -> Recipe:
    """The recipe with every knob that is not off moved; ``move`` is given its value and the ends of its range."""
    ranges, knobs = knob_ranges(theorem, recipe.world), dict(recipe.knobs)
    for name in [x for x in knobs if knobs[x] > OFF]:
        low, high = ranges[name]
        knobs[name] = float(move(knobs[name], max(low, _LEAST_CORNER), high))
    return replace(recipe, knobs=knobs)


def cornered(recipe: Recipe, theorem: Theorem, rng: np.random.Generator) -> Recipe:
    """The recipe with about a third of the knobs that are not off at an end of their range: bounds are attained in limits."""
    return moved(recipe, theorem, lambda x, low, high: rng.choice([low, high]) if rng.random() < _CORNERED else x)


def near(recipe: Recipe, theorem: Theorem, rng: np.random.Generator) -> Recipe:
    """The recipe with every knob that is not off moved a little, and another seed now and then."""

    def beside(x: float, low: float, high: float) -> float:
        return float(np.clip(x + _NEIGHBOUR * (high - low) * rng.standard_normal(), low, high))

    found = moved(recipe, theorem, beside)
    return replace(found, seed=int(rng.integers(2**31))) if rng.random() < _NEW_SEED else found


def climb(
    objective: Callable[[Recipe], float], start: Recipe, theorem: Theorem, evaluations: int, deadline: float | None = None
) -> Recipe:
    """The best recipe seen by Nelder-Mead, within ``evaluations`` calls of ``objective`` (maximised) and the ``deadline``.

    It moves the knobs that are not off (and the length of the mean) inside the ranges of the statement's experiment.
    """
    best: list[Any] = [objective(start), start]
    ranges = knob_ranges(theorem, start.world)
    if "log_mean" in start.knobs and not start.choices.get("centred"):
        start = replace(start, knobs={**start.knobs, "log_mean": max(start.knobs["log_mean"], -1.0)})
    names = [x for x in start.knobs if start.knobs[x] > OFF]
    low = np.array([max(ranges[x][0], _LEAST_CORNER) for x in names])
    high = np.array([ranges[x][1] for x in names])

    def cost(x: Any) -> float:
        if deadline is not None and time.perf_counter() > deadline:
            raise StopIteration
        recipe = replace(start, knobs={**start.knobs, **{name: float(y) for name, y in zip(names, x, strict=True)}})
        value = objective(recipe)
        if value > best[0]:
            best[:] = [value, recipe]
        return -value

    x = np.clip(np.array([start.knobs[name] for name in names]), low, high)
    step = _STEP * (high - low)
    corners = [x, *(x + np.diag(np.where(x + step <= high, step, -step)))]
    with suppress(StopIteration):
        minimize(
            cost,
            x,
            method="Nelder-Mead",
            bounds=list(zip(low, high, strict=True)),
            options={"initial_simplex": np.array(corners), "maxfev": evaluations, "xatol": 1e-5, "fatol": 1e-9},
        )
    found: Recipe = best[1]
    return found


def score(outcome: Outcome, target: str) -> float:
    """What is maximised: truth/bound, or how much of a term the instance needs.

    Negative where the other terms suffice, so that a climb has a direction to go in; :data:`SKIPPED` if skipped.
    """
    if outcome.ratio is None:
        return SKIPPED
    value = outcome.ratio if target == "total" else max(outcome.share(target), SKIPPED / 2)
    return value if outcome.status != "undecided" else min(value, 1.0)


def falsify(
    id: str | Theorem, *, budget: float, seed: int = 0, world: str | None = None, progress: Callable[[int], None] | None = None
) -> Falsification:
    """Look for the instance that comes closest to refuting a statement, or refutes it.

    Args:
        id: the statement, or one of your own that names an experiment.
        budget: seconds to spend.
        seed: seed of the random part.
        world: ``gaussian``, ``mixture`` or ``atoms``; by default all three.
        progress: called with the number of instances that were just done.

    Raises:
        UnknownNameError, InputError, DomainError: an argument that does not exist or is out of range.

    >>> import cmbound
    >>> found = cmbound.falsify("explicit-score-lipschitz", budget=0.2, seed=1)
    >>> found.violations
    ()
    """
    theorem = find(id)
    experiment_of(theorem)
    check_search(seed, world)
    if not 0 < budget < float("inf"):
        raise DomainError(f"budget must be a number of seconds > 0, got {budget}")
    begin = time.perf_counter()
    terms = [x.name for x in theorem.bare_sources] if len(theorem.bare_sources) > 1 else []
    pool: dict[str, list[Outcome]] = {x: [] for x in ("total", *terms)}
    violations: list[Outcome] = []
    count = 0

    def tried(recipe: Recipe) -> Outcome:
        nonlocal count
        outcome = judge(recipe, theorem)
        count += 1
        if outcome.status == "violation":
            violations.append(outcome)
        for target in pool:
            pool[target] = sorted([*pool[target], outcome], key=lambda x: -score(x, target))[:_RESTARTS]
        if progress is not None:
            progress(1)
        return outcome

    def value(target: str, recipe: Recipe) -> float:
        return score(tried(recipe), target)

    for recipe in witnesses(theorem, world):
        tried(recipe)
    rng, targets = np.random.default_rng(seed), list(pool)
    while time.perf_counter() < begin + _RANDOM_SHARE * budget or not count:
        tried(random_recipe(theorem, rng, world, targets[count % len(targets)]))
    for k, target in enumerate(targets, 1):
        deadline = begin + budget * (_RANDOM_SHARE + (1 - _RANDOM_SHARE) * k / len(targets))
        for start in list(pool[target]):
            if start.ratio is not None:
                climb(partial(value, target), start.recipe, theorem, _CLIMB, deadline)
    best = {x: pool[x][0] if score(pool[x][0], x) > 0 else None for x in targets}
    values = {name: 0.0 if x is None else score(x, name) for name, x in best.items()}
    return Falsification(theorem.id, count, tuple(violations), best, values, seed, time.perf_counter() - begin)


def random_recipe(
    theorem: Theorem, rng: np.random.Generator, world: str | None, target: str, demands: Mapping[str, Any] | None = None
) -> Recipe:
    """A random recipe, mostly with other terms put off, with the choices ``demands`` makes."""
    name = world or random_world(theorem, rng)
    choices = {**draw_choices(theorem, rng), **(demands or {})}
    if choices["teacher"] != EI and choices["constants"] == "closed":
        choices |= {"constants": "single", "grid": "geometric"}
    if choices["teacher"] not in LINEAR_TEACHERS:
        choices["measure"] = MEASURE
    recipe = drawn(theorem, name, rng, choices)
    return focused(recipe, target) if rng.random() < 0.7 and target != "total" else recipe


def falsify_report(found: Sequence[Falsification]) -> Report:
    """The searches for counterexamples to some statements."""
    table = _witnesses(found)
    page = Body()
    page.table(table, 0)
    page.line()
    for x in found:
        page.line(
            f"{x.theorem}: {counted(x.evaluations, 'instance')} in {x.seconds:.1f} s, {counted(len(x.violations), 'violation')}"
        )
        for outcome in x.violations[:3]:
            outcome.say(page)
    said = [f"{x.theorem}: {counted(x.evaluations, 'instance')}, {counted(len(x.violations), 'violation')}" for x in found]
    title = said[0] if len(said) == 1 else f"searches for counterexamples to {len(said)} statements"
    return Report(title, page, lambda: one_or_all([x._data() for x in found]), table, page)


def _witnesses(found: Sequence[Falsification]) -> Table:
    """The best witness for the total and for each term."""
    rows = tuple(
        (
            Cell(x.theorem),
            Cell(name.replace("_", " ")),
            ratio_cell(x.values[name]),
            Cell("" if witness is None else witness.recipe.world),
            number("" if witness is None else str(witness.recipe.choices.get("d", ""))),
            Cell("" if witness is None or witness.profile is None else f"{witness.teacher}: {witness.profile}"),
        )
        for x in found
        for name, witness in x.best.items()
    )
    header = ("statement", "term", "best ratio", "world", "d", "teacher: profile")
    return Table(header, rows, "llrlrl", widths={5: 0.3}, size="footnotesize", tight=True)
