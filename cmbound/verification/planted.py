"""Planted mistakes: every explicit statement weakened in every way of :mod:`cmbound.verification.mutations`.

A weakened copy is *caught* by an instance whose truth lies above it, *not weaker* when that is proved, and otherwise it
*survived*: the list of survivors says how loose a statement is. A profile is weakened inside ``explicit-map-error``, on
which the other statements rest; in those its sum enters as a whole.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

import numpy as np
import sympy

from cmbound.catalogue import catalogue
from cmbound.catalogue import theorem as find
from cmbound.catalogue.explicit import CORRECTED, TO_TV
from cmbound.errors import CmboundError, DomainError, InputError
from cmbound.evaluation.point import evaluate_setting
from cmbound.evaluation.setting import Setting, resolve
from cmbound.formulas import CONSISTENCY_STEP
from cmbound.functions import plain
from cmbound.notation import L_f, T, W_prev, d, d_eff, m2, sd2, t_hat
from cmbound.parallel import mapped
from cmbound.profiles import PROFILES
from cmbound.records import Term, Theorem
from cmbound.variants import (
    CLOCKS,
    STARTS,
    TEACHERS,
    ConsistencySum,
    EarlyStoppingGap,
    LipschitzAt,
    LocalErrorSum,
    ScoreSum,
    StartGap,
)
from cmbound.verification.campaign import BUILDERS, has_instances, judge, require_instances, whole
from cmbound.verification.falsify import climb, cornered, focused, near, random_recipe, score
from cmbound.verification.instances import WORLDS, Outcome, Recipe, SkippedError
from cmbound.verification.mutations import Change, weakened

DRAWS = 200
_STARTS = 3
_CLIMB = 100
_FINE, _LONG = 21, 34
_NEAR, _MORE = 0.7, 4
_CAUGHT = 1 + 1e-9
_HOPELESS, _CLOSE = -3.0, -0.5
_VOID = 1e-5
"""Below this ratio of truth to bound an instance says nothing about any term."""
LEAST = -1e6
"""Margin of an instance in which the change makes no difference."""


@dataclass(frozen=True)
class Plant:
    """One weakened copy of a statement.

    Attributes:
        theorem: id of the statement.
        component: which of its parts was weakened, with the choices it belongs to.
        change: what was done to it.
        before, after: the part, as text.
        not_weaker: why the copy is not weaker (empty: it may be).
        term: the named term the part belongs to.
        demands: choices an instance must make for the part to enter.
        put: puts the weakened part into a setting.
    """

    theorem: str
    component: str
    change: str
    before: str
    after: str
    not_weaker: str
    term: str
    demands: Mapping[str, str]
    put: Callable[[Setting], Setting]

    @property
    def name(self) -> str:
        """Unique among all copies."""
        return f"{self.theorem}: {self.component}: {self.change}"


@dataclass(frozen=True)
class Verdict:
    """What became of a weakened copy.

    Attributes:
        plant: the copy.
        status: ``caught``, ``not weaker`` or ``survived``.
        ratio: the largest truth/(weakened bound) found (None if not looked for; infinite against a bound of 0).
        witness: the recipe of that instance.
    """

    plant: Plant
    status: str
    ratio: float | None
    witness: Recipe | None

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready data."""
        return {
            "theorem": self.plant.theorem,
            "component": self.plant.component,
            "change": self.plant.change,
            "before": self.plant.before,
            "after": self.plant.after,
            "reason": self.plant.not_weaker,
            "ratio": self.ratio if self.ratio is None or np.isfinite(self.ratio) else "inf",
            "witness": None if self.witness is None else self.witness.to_dict(),
        }


@dataclass(frozen=True)
class PlantedReport:
    """The verdicts on all weakened copies of some statements."""

    verdicts: tuple[Verdict, ...]
    seed: int
    seconds: float

    def having(self, status: str) -> list[Verdict]:
        """Those with this status."""
        return [x for x in self.verdicts if x.status == status]

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready data: ``planted`` and ``caught`` are numbers, the lists hold each copy once."""
        return {
            "planted": len(self.verdicts),
            "caught": len(self.having("caught")),
            "not_weaker": [x.to_dict() for x in self.having("not weaker")],
            "survived": [x.to_dict() for x in self.having("survived")],
            "witnesses": [x.to_dict() for x in self.having("caught")],
            "seed": self.seed,
            "seconds": self.seconds,
        }


# --- the parts of a statement ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Component:
    """A part of a statement that can be weakened: its expression and how a weakened one is put back."""

    name: str
    term: str
    expression: Any
    put: Callable[[Setting, Any], Setting]
    demands: Mapping[str, str]
    extra: tuple[Change, ...] = ()


def explicit_ids() -> tuple[str, ...]:
    """The statements that mistakes are planted in."""
    return tuple(x.id for x in catalogue if x.kind == "explicit" and has_instances(x))


def _sources(setting: Setting, rule: Callable[[Any], Any]) -> Setting:
    """The setting with ``rule`` applied to every term of its statement."""
    theorem = setting.theorem

    def changed(terms: Sequence[Term]) -> tuple[Term, ...]:
        return tuple(Term(x.name, rule(x.expression)) for x in terms)

    return replace(setting, theorem=replace(theorem, sources=changed(theorem.sources), recursion=changed(theorem.recursion)))


def components(theorem: Theorem) -> Iterator[Component]:
    """The parts of a statement, term by term."""
    expressions = [x.expression for x in theorem.sources]

    def has(kind: Any) -> bool:
        return any(x.has(kind) for x in expressions)

    if theorem.uses_start:
        for start, gap in STARTS.items():
            full = L_f * (gap if start == "matched" else gap.args[0])
            yield Component(f"initialisation ({start})", "initialisation", full, _put_start, {"start": start})
    if has(ConsistencySum):
        yield Component("consistency", "consistency", CONSISTENCY_STEP, lambda x, e: replace(x, consistency=e), {})
    if has(ScoreSum):
        for name, teacher in TEACHERS.items():
            yield Component(f"score ({name})", "score", L_f * teacher.score, _put_score, {"teacher": name})
    if has(LocalErrorSum):
        yield from _profile_components() if theorem.id == "explicit-map-error" else _local_components()
    if has(EarlyStoppingGap):
        for clock in CLOCKS.values():
            yield Component(
                f"early stopping ({clock.name})",
                "early_stopping",
                clock.early_stopping,
                _put_early,
                {"clock": clock.name, "to": "p_data"},
            )
    if theorem.recursion:
        slope = sympy.diff(theorem.recursion[0].expression, W_prev)
        extra = (Change("L_f dropped", slope.xreplace({LipschitzAt(t_hat): sympy.S.One})),)
        yield Component("contraction", "initialisation", slope, _put_contraction, {}, extra)
    for factor in (TO_TV, CORRECTED):
        if any(x.has(factor) for x in expressions):
            yield Component("price of total variation", "initialisation", factor, partial(_put_factor, factor), {})
    for term in theorem.sources:
        if not term.expression.has(LipschitzAt, ConsistencySum, ScoreSum, LocalErrorSum, EarlyStoppingGap):
            demands = {"to": "p_data"} if term.name == "early_stopping" else {}
            yield Component(term.name, term.name, plain(term.expression), partial(_put_term, term.name), demands)


def _put_start(setting: Setting, expr: Any) -> Setting:
    return _sources(setting, lambda e: e.xreplace({StartGap(T): expr.xreplace({L_f: LipschitzAt(T)}) / LipschitzAt(T)}))


def _put_score(setting: Setting, expr: Any) -> Setting:
    return replace(setting, teacher=replace(setting.teacher, score=expr / L_f))


def _put_early(setting: Setting, expr: Any) -> Setting:
    factor = setting.theorem.ve_factor if setting.clock.name == "ve" else 1
    return _sources(setting, lambda e: e.replace(EarlyStoppingGap, lambda x: expr / factor))


def _put_contraction(setting: Setting, expr: Any) -> Setting:
    theorem = setting.theorem
    terms = tuple(Term(x.name, expr * W_prev + x.expression.subs(W_prev, 0)) for x in theorem.recursion)
    return replace(setting, theorem=replace(theorem, recursion=terms))


def _put_factor(factor: Any, setting: Setting, expr: Any) -> Setting:
    return _sources(setting, lambda e: e.subs(factor, expr))


def _put_term(name: str, setting: Setting, expr: Any) -> Setting:
    terms = tuple(Term(x.name, expr if x.name == name else x.expression) for x in setting.theorem.sources)
    return replace(setting, theorem=replace(setting.theorem, sources=terms))


def _local_components() -> Iterator[Component]:
    """The sum of local teacher errors as a whole, whatever profile bounds it."""
    whole_sum = sympy.Symbol("E_h", nonnegative=True)
    for name in TEACHERS:
        yield Component(
            f"discretisation ({name})",
            "discretisation",
            whole_sum,
            lambda x, e: _sources(x, lambda y: y.replace(LocalErrorSum, lambda end: e.xreplace({whole_sum: LocalErrorSum(end)}))),
            {"teacher": name},
        )


def _profile_components() -> Iterator[Component]:
    for profile in PROFILES.values():
        for teacher, rules in profile.rules.items():
            for number, rule in enumerate(rules):
                part = f", {('early', 'late')[number]}" if len(rules) == 2 else ""
                demands = {"teacher": teacher, "profile": profile.name}
                extra = (Change("L_f dropped", rule.bound),)
                name = f"discretisation ({teacher}, {profile.name}{part})"
                yield Component(name, "discretisation", rule.bound, _RulePut(number, False), demands)
                yield Component(name, "discretisation", rule.bound, _RulePut(number, True), demands, extra)


@dataclass(frozen=True)
class _RulePut:
    """Puts a weakened bound in the place of rule ``number`` of the one profile of a setting, or takes its weight away."""

    number: int
    unweighted: bool

    def __call__(self, setting: Setting, expr: Any) -> Setting:
        profile, rules = setting.profiles[0]
        rule = rules[self.number]
        if not self.unweighted:
            changed = replace(rule, bound=expr.xreplace(_specialisation(setting)))
        elif rule.energy is None:
            changed = replace(rule, bound=rule.bound / L_f)
        else:
            changed = replace(rule, energy=rule.energy / L_f**2)
        new = tuple(changed if i == self.number else x for i, x in enumerate(rules))
        return replace(setting, profiles=((profile, new),))


def _specialisation(setting: Setting) -> dict[Any, Any]:
    """The replacements (sd2 for m2, d_eff for d) that were made in the rules of the setting's profile."""
    _, rules = setting.profiles[0]
    symbols = {x for rule in rules for x in rule.bound.free_symbols}
    return {**({m2: sd2} if sd2 in symbols else {}), **({d: d_eff} if d_eff in symbols else {})}


def _put(put: Callable[[Setting, Any], Setting], expr: Any, setting: Setting) -> Setting:
    return put(setting, expr)


@lru_cache(maxsize=32)
def plants(id: str) -> tuple[Plant, ...]:
    """All weakened copies of a statement."""
    result: list[Plant] = []
    seen: dict[str, int] = {}
    for part in components(find(id)):
        unweighted = isinstance(part.put, _RulePut) and part.put.unweighted
        changes = list(part.extra) if unweighted else [*weakened(part.expression), *part.extra]
        for change in changes:
            text = change.text
            key = f"{part.name}: {text}"
            seen[key] = seen.get(key, 0) + 1
            if seen[key] > 1:
                text = f"{text} ({seen[key]})"
            after = part.expression / L_f if unweighted else change.expression
            result.append(
                Plant(
                    id,
                    part.name,
                    text,
                    str(plain(part.expression)),
                    str(plain(after)),
                    change.not_weaker,
                    part.term,
                    part.demands,
                    partial(_put, part.put, change.expression),
                )
            )
    return tuple(result)


# --- catching -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Witness:
    """An instance with its setting and bound, ready for copies to be tried on.

    Instances with measured constants can refute a copy only at constants that certainly hold: those are taken.
    """

    recipe: Recipe
    setting: Setting
    bound: float
    truth: float

    @classmethod
    def build(cls, recipe: Recipe, theorem: Theorem) -> Witness | None:
        """The instance of a recipe, its truth at the lower end; None if it is skipped."""
        try:
            instance = BUILDERS[recipe.world](recipe, theorem)
            setting = resolve(theorem, instance.generous or instance.params)
            bound = evaluate_setting(setting, "approximate").value
        except (SkippedError, DomainError):
            return None
        return cls(recipe, setting, bound, instance.truth.lower)

    def weakened_bound(self, plant: Plant) -> float:
        """The bound of the copy (of the statement itself where the part does not enter)."""
        try:
            return evaluate_setting(plant.put(self.setting), "approximate").value
        except (CmboundError, KeyError, ZeroDivisionError):
            return self.bound

    def margin(self, plant: Plant) -> float:
        """1 - (bound - truth)/(bound - weakened bound): positive where the copy is refuted, at most 1.

        It looks for instances where the change matters more than the slack of the rest, unlike the plain ratio, which is
        near 1 wherever other terms are attained.
        """
        change = self.bound - self.weakened_bound(plant)
        slack = self.bound - self.truth
        if change <= 1e-9 * self.bound or slack < 0 or self.truth < _VOID * self.bound:
            return LEAST
        return max(1 - slack / change, LEAST)

    def ratio(self, plant: Plant) -> float:
        """truth/(weakened bound)."""
        weak = self.weakened_bound(plant)
        if weak > 0:
            return self.truth / weak
        return float("inf") if self.truth > 0 else 0.0

    def refutes(self, plant: Plant) -> bool:
        """Whether the truth lies above the copy, by more than rounding."""
        return self.margin(plant) > 0 and self.ratio(plant) > _CAUGHT


def recheck(plant: Plant, recipe: Recipe) -> float:
    """truth/(weakened bound) on the instance of a recipe, -1 if it is skipped."""
    witness = Witness.build(recipe, find(plant.theorem))
    return -1.0 if witness is None else witness.ratio(plant)


def _pool(theorem: Theorem, plant: Plant, seed: int, draws: int) -> list[Witness]:
    """Instances the part of a copy enters, with other errors off; those that need its term most first.

    The second half of the draws are mostly near the best instance so far; from the best ones an optimiser goes on.
    """
    rng = np.random.default_rng([seed, _hash(plant.component)])
    target = "total" if len(theorem.sources) == 1 else plant.term
    outcomes: list[Outcome] = []
    if not theorem.uses_profile:
        draws *= _MORE  # no grid to sum over: cheap
    for i in range(draws):
        recipe = _random(theorem, plant, rng, i)
        if 2 * i > draws and rng.random() < _NEAR:
            best = max(outcomes, key=lambda x: score(x, target), default=None)
            if best is not None and best.recipe.world == recipe.world:
                recipe = near(best.recipe, rng)
        outcome = judge(recipe, theorem)
        if outcome.ratio is not None:
            outcomes.append(outcome)
    outcomes.sort(key=lambda x: -score(x, target))
    climbed = [climb(lambda r: score(judge(r, theorem), target), x.recipe, _CLIMB) for x in outcomes[:_STARTS]]
    found = [Witness.build(x, theorem) for x in (*climbed, *(x.recipe for x in outcomes))]
    return [x for x in found if x is not None]


def _random(theorem: Theorem, plant: Plant, rng: np.random.Generator, number: int) -> Recipe:
    """Draw number ``number`` for a part of a statement."""
    grids: tuple[Mapping[str, Any], ...] = ({}, {"N": _FINE})  # a fine grid hides local errors
    if plant.term == "discretisation":  # one step shows them; a long geometric grid leaves no initialisation beside them
        grids = ({}, {"N": 1}, {"N": _LONG, "grid": "geometric", "start": "matched"})
    demands = {**plant.demands, **grids[number % len(grids)]}
    world = str(rng.choice(WORLDS)) if plant.term == "discretisation" and theorem.uses_profile else None
    recipe = focused(random_recipe(theorem, rng, world, plant.term, demands), plant.term)
    if demands.get("N") == _LONG:
        recipe = replace(recipe, knobs={**recipe.knobs, "log_span": float(rng.uniform(0.5, 1.0))})
    return recipe if rng.random() < 1 / 2 else cornered(recipe, rng)


def _hash(text: str) -> int:
    """A hash that is the same in every process."""
    return zlib.crc32(text.encode())


def _component(id: str, name: str, seed: int, draws: int) -> list[tuple[str, float | None, Recipe | None]]:
    """Status, ratio and witness for the copies of one part of a statement, in their order."""
    theorem = find(id)
    copies = [x for x in plants(id) if x.component == name]
    pool = _pool(theorem, copies[0], seed, draws)
    return [_verdict(x, theorem, pool) for x in copies]


def _verdict(plant: Plant, theorem: Theorem, pool: list[Witness]) -> tuple[str, float | None, Recipe | None]:
    if plant.not_weaker:
        return "not weaker", None, None
    rated: list[tuple[float, Witness]] = []
    for witness in pool:
        rated.append((witness.margin(plant), witness))
        if witness.refutes(plant):
            return "caught", witness.ratio(plant), witness.recipe
    rated.sort(key=lambda x: -x[0])

    def margin(recipe: Recipe) -> float:
        witness = Witness.build(recipe, theorem)
        return LEAST if witness is None else witness.margin(plant)

    for value, start in rated[:_STARTS]:
        if value <= _HOPELESS:
            break
        recipe = climb(margin, start.recipe, _CLIMB)
        if margin(recipe) > _CLOSE:
            recipe = climb(margin, recipe, 2 * _CLIMB)
        best = Witness.build(recipe, theorem)
        if best is None:
            continue
        pool.insert(0, best)  # may refute other copies of the part too
        rated.append((best.margin(plant), best))
        if best.refutes(plant):
            return "caught", best.ratio(plant), best.recipe
    if not rated:
        return "survived", None, None
    closest = max(rated, key=lambda x: x[0])[1]
    return "survived", closest.ratio(plant), closest.recipe


def planted(
    ids: Sequence[str] | None = None,
    *,
    seed: int = 0,
    draws: int = DRAWS,
    jobs: int = 1,
    cluster: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> PlantedReport:
    """Weaken statements in every way and see which mistakes are caught.

    Args:
        ids: explicit statements (default all).
        seed: seed of the search; the result does not depend on ``jobs``.
        draws: random instances for each part of a statement, before the optimiser takes over.
        jobs, cluster: where the work runs, see :func:`cmbound.parallel.mapped`.
        progress: called with the number of copies that were just judged.

    Raises:
        UnknownNameError, InputError, DomainError: an argument that does not exist or is out of range.
    """
    begin = time.perf_counter()
    whole("seed", seed, 0, 2**31 - 1)
    whole("draws", draws, 1, 10**6)
    chosen = explicit_ids() if ids is None else tuple(ids)
    for id in chosen:
        require_instances(find(id))
        if find(id).kind != "explicit":
            raise InputError(f"{id} is an order-form statement: mistakes are planted in explicit ones")
    parts = [(id, name) for id in chosen for name in dict.fromkeys(x.component for x in plants(id))]
    verdicts: list[Verdict] = []
    work = mapped(_component, ((id, name, seed, draws) for id, name in parts), jobs=jobs, cluster=cluster)
    for (id, name), rows in zip(parts, work, strict=True):
        copies = [x for x in plants(id) if x.component == name]
        verdicts += [Verdict(plant, *row) for plant, row in zip(copies, rows, strict=True)]
        if progress is not None:
            progress(len(rows))
    return PlantedReport(tuple(verdicts), seed, time.perf_counter() - begin)
