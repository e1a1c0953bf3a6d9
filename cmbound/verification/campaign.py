"""``check``: draw instances of a statement, compare truth with bound, and report."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cmbound.errors import CmboundError, DomainError, InputError, UnknownNameError
from cmbound.evaluation.point import evaluate
from cmbound.evaluation.statement import theorem as find
from cmbound.frozen import FrozenDict, Record
from cmbound.parallel import mapped
from cmbound.theory.records import Theorem
from cmbound.verification import gaussian, mixture, related
from cmbound.verification.instances import WORLDS, Instance, Outcome, Recipe, SkippedError
from cmbound.verification.settings import draw_choices


def _built_by(own: related.Builder) -> related.Builder:
    """The builder of a world; statements of other papers have theirs."""
    return lambda recipe, theorem: (related.build if theorem.id in related.SHARES else own)(recipe, theorem)


def _drawn_by(world: str, own: related.Drawer) -> related.Drawer:
    """Likewise what draws a recipe."""
    return lambda theorem, rng, choices: (
        related.draw(world, theorem, rng, choices) if theorem.id in related.SHARES else own(theorem, rng, choices)
    )


BUILDERS: Mapping[str, related.Builder] = FrozenDict(
    {
        "gaussian": _built_by(gaussian.build),
        "mixture": _built_by(mixture.build),
        "atoms": _built_by(mixture.build),
    }
)
DRAWERS: Mapping[str, related.Drawer] = FrozenDict(
    {
        "gaussian": _drawn_by("gaussian", gaussian.draw),
        "mixture": _drawn_by("mixture", mixture.draw_mixture),
        "atoms": _drawn_by("atoms", mixture.draw_atoms),
    }
)
SHARES = FrozenDict({"gaussian": 0.8, "mixture": 0.1, "atoms": 0.1})
"""How the instances are divided among the worlds when none is asked for."""
_CHECKED_SOURCES = ("lyu2023", "cmbound")

ATTAINED = "attained: truth and bound agree to within the error of the truth"
WIDE = "the error of the truth is too large to tell it from the bound"
_AGREE = 1 + 1e-6
BATCH = 25
MAX_INSTANCES = 10**7


@dataclass(frozen=True, eq=False)
class Report(Record):
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
        seed: the seed of the campaign.
        seconds: wall-clock time.
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

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready data."""
        return {
            "theorem": self.theorem,
            "kind": self.kind,
            "instances": self.instances,
            "passed": self.passed,
            "violations": self.violations,
            "undecided": self.undecided,
            "skipped": self.skipped,
            "sampled": self.sampled,
            "reasons": dict(self.reasons),
            "max_ratio": self.max_ratio,
            "median_ratio": self.median_ratio,
            "hidden_constant": self.hidden_constant,
            "sharpness": dict(self.sharpness),
            "profiles": {name: dict(x) for name, x in self.profiles.items()},
            "worst": None if self.worst is None else self.worst.to_dict(),
            "seed": self.seed,
            "seconds": self.seconds,
        }


def has_instances(theorem: Theorem) -> bool:
    """Whether instances of the statement are known: those of the source paper, of cmbound, and some of other papers."""
    return theorem.reference.key in _CHECKED_SOURCES or theorem.id in related.SHARES


def require_instances(theorem: Theorem) -> None:
    """Raise InputError if no instances of the statement are known."""
    if not has_instances(theorem):
        raise InputError(f"{theorem.id} cannot be checked: no instances are known where its truth is; check --all leaves it out")


def random_world(theorem: Theorem, rng: np.random.Generator) -> str:
    """A world the statement has instances in."""
    shares = related.SHARES.get(theorem.id, SHARES)
    return str(rng.choice(list(shares), p=list(shares.values())))


# --- one instance ---------------------------------------------------------------------------------------------------


def judge(recipe: Recipe, theorem: Theorem | None = None) -> Outcome:
    """Build the instance of a recipe and compare its truth with the bound.

    Raises:
        InputError: the recipe names something that does not exist.
    """
    statement = find(recipe.theorem) if theorem is None else theorem
    try:
        instance = BUILDERS[recipe.world](recipe, statement)
        found = evaluate(statement, instance.params, tier="approximate")
    except (SkippedError, DomainError) as reason:
        return Outcome(recipe, "skipped", str(reason).split("; got")[0])
    except KeyError as missing:
        raise InputError(f"the recipe lacks {missing}") from None
    truth, bound = instance.truth, found.value
    outcome = Outcome(
        recipe,
        "passed",
        truth=truth.value,
        bound=bound,
        ratio=_ratio(truth.value if bound > 0 else truth.lower, bound),
        terms={name: x.value for name, x in found.terms.items()},
        profile=found.profile,
        teacher=found.teacher,
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
        generous = evaluate(statement, instance.generous, tier="approximate").value
        if instance.truth.lower <= generous:
            return replace(outcome, status="undecided", reason="above the bound at the measured constants only")
    certified = evaluate(statement, instance.generous or instance.params).value
    if instance.truth.lower <= certified:
        return replace(outcome, status="undecided", reason="above the float64 bound only")
    return replace(outcome, status="violation", bound=certified, ratio=_ratio(outcome.truth or 0.0, certified))


def _ratio(truth: float, bound: float) -> float:
    return truth / bound if bound > 0 else (0.0 if truth == 0 else float("inf"))


# --- a campaign -----------------------------------------------------------------------------------------------------


def draw(theorem: Theorem, world: str | None, seed: int, number: int) -> Recipe:
    """Recipe number ``number`` of a campaign: it depends on nothing but the arguments."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number,)))
    name = world or random_world(theorem, rng)
    return DRAWERS[name](theorem, rng, draw_choices(theorem, rng))


def _batch(id: str, world: str | None, seed: int, numbers: range) -> list[Outcome]:
    theorem = find(id)
    return [judge(draw(theorem, world, seed, n), theorem) for n in numbers]


def check(
    id: str,
    *,
    instances: int = 500,
    seed: int = 0,
    world: str | None = None,
    jobs: int = 1,
    cluster: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> Report:
    """Compare a statement with the truth on random instances.

    Args:
        id: the statement.
        instances: how many to draw.
        seed: seed of the campaign; the result does not depend on ``jobs``.
        world: ``gaussian``, ``mixture`` or ``atoms``; by default all three.
        jobs, cluster: where the work runs, see :func:`cmbound.parallel.mapped`.
        progress: called with the number of instances that were just done.

    Raises:
        UnknownNameError, InputError, DomainError: an argument that does not exist or is out of range.
    """
    begin = time.perf_counter()
    work = run(id, instances=instances, seed=seed, world=world, jobs=jobs, cluster=cluster, progress=progress)
    outcomes = list(work)
    return summarise(find(id), outcomes, seed, time.perf_counter() - begin)


def run(
    id: str,
    *,
    instances: int,
    seed: int = 0,
    world: str | None = None,
    jobs: int = 1,
    cluster: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> Iterator[Outcome]:
    """The outcomes of a campaign, in order (arguments as for :func:`check`)."""
    require_instances(find(id))
    whole("instances", instances, 1, MAX_INSTANCES)
    whole("seed", seed, 0, 2**63 - 1)
    if world is not None and world not in WORLDS:
        raise UnknownNameError("world", world, WORLDS)
    batches = ((id, world, seed, range(i, min(i + BATCH, instances))) for i in range(0, instances, BATCH))
    for outcomes in mapped(_batch, batches, jobs=jobs, cluster=cluster):
        if progress is not None:
            progress(len(outcomes))
        yield from outcomes


def whole(name: str, value: Any, low: int, high: int) -> int:
    """``value`` if it is an integer from ``low`` to ``high``; raises InputError or DomainError naming it."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise InputError(f"{name} must be an integer, got {value!r}")
    if not low <= value <= high:
        raise DomainError(f"{name} must be an integer from {low} to {high}, got {value}")
    return int(value)


def summarise(theorem: Theorem, outcomes: Sequence[Outcome], seed: int, seconds: float) -> Report:
    """Counts, ratios and sharpness of the outcomes of one statement."""
    count = {status: sum(x.status == status for x in outcomes) for status in ("passed", "violation", "undecided", "skipped")}
    decided = [x for x in outcomes if x.ratio is not None and (x.status != "undecided" or x.reason == ATTAINED)]
    ratios = np.array([x.ratio for x in decided], dtype=np.float64)
    reasons: dict[str, int] = {}
    profiles: dict[str, dict[str, float]] = {}
    sharpness: dict[str, float] = {}
    for x in outcomes:
        if x.reason:
            reasons[x.reason] = reasons.get(x.reason, 0) + 1
    for x in decided:
        if x.profile is not None:
            row = profiles.setdefault(f"{x.teacher}: {x.profile}", {"instances": 0, "max_ratio": 0.0})
            row["instances"] += 1
            row["max_ratio"] = max(row["max_ratio"], x.ratio or 0.0)
        for name in x.terms if theorem.kind != "order" else ():
            sharpness[name] = max(sharpness.get(name, 0.0), x.needed(name))
    return Report(
        theorem=theorem.id,
        kind=theorem.kind,
        instances=len(outcomes),
        passed=count["passed"],
        violations=count["violation"],
        undecided=count["undecided"],
        skipped=count["skipped"],
        sampled=sum(x.trust == "asymptotic" and x.status != "skipped" for x in outcomes),
        reasons=dict(sorted(reasons.items(), key=lambda x: -x[1])),
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


def replay(data: Any) -> Outcome:
    """Judge once more the instance of a report, of its ``worst`` entry, or of a bare recipe.

    Raises:
        InputError: the data hold no recipe.
    """
    for name in ("worst", "recipe"):
        if isinstance(data, dict) and isinstance(data.get(name), dict):
            data = data[name]
    try:
        return judge(Recipe.from_dict(data))
    except CmboundError:
        raise
    except (TypeError, ValueError, IndexError) as error:
        raise InputError(f"the recipe cannot be replayed: {error}") from None
