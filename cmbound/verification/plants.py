"""The weakened copies of a statement: its parts, each weakened in every way of :mod:`cmbound.verification.mutations`.

A profile is weakened inside the bound on the map error, on which the other statements rest; in those its sum enters as a whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial, wraps
from typing import Any

import sympy

from cmbound.catalogue.explicit import CORRECTED, TO_TV
from cmbound.evaluation.setting import Setting
from cmbound.evaluation.statement import theorem as find
from cmbound.frozen import Record
from cmbound.names import LINEAR_TEACHERS
from cmbound.theory import variants
from cmbound.theory.formulas import CONSISTENCY_STEP, put
from cmbound.theory.named import plain
from cmbound.theory.notation import L_f, T, W_prev, t_hat
from cmbound.theory.profiles import PROFILES, specialisation
from cmbound.theory.records import Term, Theorem
from cmbound.theory.rules import Profile, Rule
from cmbound.threads import alone
from cmbound.verification.local_sums import MEASURE
from cmbound.verification.mutations import Change, weakened


@dataclass(frozen=True, eq=False)
class Component(Record):
    """A part of a statement that can be weakened: its expression and how a weakened one is put back.

    ``term`` is the named term it belongs to, ``demands`` are choices an instance must make for it to enter; ``priced`` says
    whether it is a part of a distance that the price of total variation multiplies.
    """

    name: str
    term: str
    expression: Any
    put: Callable[[Setting, Any], Setting]
    demands: Mapping[str, str]
    extra: tuple[Change, ...] = ()
    priced: bool = False


@dataclass(frozen=True, eq=False)
class Plant(Record):
    """One weakened copy of a statement: the part that was weakened, what was done to it, what it has become.

    ``not_weaker`` says why the copy is not weaker (empty: it may be).
    """

    statement: Theorem
    part: Component
    change: str
    expression: Any
    not_weaker: str = ""

    @property
    def theorem(self) -> str:
        """The id of the statement."""
        return self.statement.id

    @property
    def component(self) -> str:
        """The part that was weakened, with the choices it belongs to."""
        return self.part.name

    @property
    def term(self) -> str:
        """The named term it belongs to."""
        return self.part.term

    @property
    def demands(self) -> Mapping[str, str]:
        """Choices an instance must make for the part to enter."""
        return self.part.demands

    @property
    def name(self) -> str:
        """Unique among all copies."""
        return f"{self.theorem}: {self.component}: {self.change}"

    @property
    def unweighted(self) -> bool:
        """Whether a rule of a profile lost its weight."""
        return isinstance(self.part.put, RulePut) and not self.part.put.part

    @property
    def before(self) -> str:
        """The part as text."""
        return str(plain(self.part.expression))

    @property
    def after(self) -> str:
        """What it has become, as text."""
        return str(plain(self.part.expression / L_f if self.unweighted else self.expression))

    def put(self, setting: Setting) -> Setting:
        """The copy in the place of the statement of a setting."""
        return self.part.put(setting, self.expression)


def _of_statement(change: Callable[..., Theorem]) -> Callable[..., Setting]:
    """Decorator of what puts an expression into a statement: into that of a setting, made once for all settings."""
    made = lru_cache(maxsize=512)(change)

    @wraps(change)
    def put_back(*args: Any) -> Setting:
        *fixed, setting, expr = args
        found: Setting = replace(setting, theorem=made(*fixed, setting.theorem, expr))
        return found

    return put_back


def _sources(theorem: Theorem, rule: Callable[[Any], Any]) -> Theorem:
    """The statement with ``rule`` applied to every term."""

    def changed(terms: Sequence[Term]) -> tuple[Term, ...]:
        return tuple(Term(x.name, rule(x.expression)) for x in terms)

    return replace(theorem, sources=changed(theorem.bare_sources), recursion=changed(theorem.bare_recursion))


PRICE = "price of total variation"
_SUMS = (variants.ConsistencySum, variants.ScoreSum, variants.LocalErrorSum)
WHOLE_SUM = sympy.Symbol("E_h", nonnegative=True)
"""Stands for the sum of local teacher errors."""


@lru_cache(maxsize=32)
def components(theorem: Theorem) -> tuple[Component, ...]:
    """The parts of a statement, term by term."""
    factors = [x for x in (TO_TV, CORRECTED) if any(term.expression.has(x) for term in theorem.bare_sources)]
    priced = {term.name for term in theorem.bare_sources if term.expression.has(*factors)} if factors else set()
    return tuple(replace(x, priced=x.term in priced) for x in _components(theorem))


def _components(theorem: Theorem) -> Iterator[Component]:
    expressions = [x.expression for x in theorem.bare_sources]
    teachers = variants.TEACHERS if theorem.experiment == "map_error" else LINEAR_TEACHERS  # those an instance can run

    def has(kind: Any) -> bool:
        return any(x.has(kind) for x in expressions)

    if theorem.uses_start:
        for start, gap in variants.STARTS.items():
            full = L_f * (gap if start == "matched" else gap.args[0])
            yield Component(f"initialisation ({start})", "initialisation", full, _put_start, {"start": start})
    if has(variants.ConsistencySum):
        yield Component("consistency", "consistency", CONSISTENCY_STEP, _put_consistency, {})
    if has(variants.ScoreSum):
        for name in teachers:
            teacher = variants.TEACHERS[name]
            yield Component(f"score ({name})", "score", teacher.weighted_score, _put_score, {"teacher": name})
    if has(variants.LocalErrorSum):
        if theorem.experiment == "map_error":
            yield from _profile_components()
        else:  # as a whole, whatever profile bounds it
            for name in teachers:
                yield Component(f"discretisation ({name})", "discretisation", WHOLE_SUM, _put_local, {"teacher": name})
    if has(variants.EarlyStoppingGap):
        for clock in variants.CLOCKS.values():
            name, demands = f"early stopping ({clock.name})", {"clock": clock.name, "to": "p_data"}
            yield Component(name, "early_stopping", clock.early_stopping, _put_early, demands)
    if theorem.bare_recursion:
        slope = sympy.diff(theorem.bare_recursion[0].expression, W_prev)
        extra = (Change("L_f dropped", slope.xreplace({variants.LipschitzAt(t_hat): sympy.S.One})),)
        yield Component("contraction", "initialisation", slope, _put_contraction, {}, extra)
    for factor in (TO_TV, CORRECTED):
        if has(factor):
            yield Component(PRICE, "initialisation", factor, partial(_put_factor, factor), {})
    for term in theorem.bare_sources:
        if not term.expression.has(variants.LipschitzAt, variants.EarlyStoppingGap, *_SUMS):
            demands = {"to": "p_data"} if term.name == "early_stopping" else {}
            yield Component(term.name, term.name, plain(term.expression), partial(_put_term, term.name), demands)


@_of_statement
def _put_start(theorem: Theorem, expr: Any) -> Theorem:
    at_end = variants.LipschitzAt(T)
    return _sources(theorem, lambda e: e.xreplace({variants.StartGap(T): expr.xreplace({L_f: at_end}) / at_end}))


def _put_consistency(setting: Setting, expr: Any) -> Setting:
    return replace(setting, consistency=expr)


@_of_statement
def _put_local(theorem: Theorem, expr: Any) -> Theorem:
    kind = variants.LocalErrorSum
    return _sources(theorem, lambda e: put(e, kind, lambda end: expr.xreplace({WHOLE_SUM: kind(end)})))


def _put_score(setting: Setting, expr: Any) -> Setting:
    return replace(setting, teacher=replace(setting.teacher, score=expr / L_f))


def _put_early(setting: Setting, expr: Any) -> Setting:
    return _put_gap(setting, expr / (setting.theorem.ve_factor if setting.clock.name == "ve" else 1))


@_of_statement
def _put_gap(theorem: Theorem, expr: Any) -> Theorem:
    return _sources(theorem, lambda e: put(e, variants.EarlyStoppingGap, lambda x: expr))


@_of_statement
def _put_contraction(theorem: Theorem, expr: Any) -> Theorem:
    terms = tuple(Term(x.name, expr * W_prev + x.expression.subs(W_prev, 0)) for x in theorem.bare_recursion)
    return replace(theorem, recursion=terms)


@_of_statement
def _put_factor(factor: Any, theorem: Theorem, expr: Any) -> Theorem:
    return _sources(theorem, lambda e: e.subs(factor, expr))


@_of_statement
def _put_term(name: str, theorem: Theorem, expr: Any) -> Theorem:
    terms = tuple(Term(x.name, expr if x.name == name else x.expression) for x in theorem.bare_sources)
    return replace(theorem, sources=terms)


def _profile_components() -> Iterator[Component]:
    """The parts of every rule; an expression that several teachers or profiles share is weakened once."""
    seen: set[Any] = set()
    for profile in PROFILES.values():
        for teacher, rules in profile.rules.items():
            for number, rule in enumerate(rules):
                place = f", rule {number + 1}" if len(rules) > 1 else ""
                demands = {"teacher": teacher, "profile": profile.name, "measure": MEASURE}  # the sum itself: no student to find
                name = f"discretisation ({teacher}, {profile.name}{place}"
                for part, expr in rule.parts.items():
                    if expr in seen:
                        continue
                    seen.add(expr)
                    label = f"{name})" if len(rule.parts) == 1 else f"{name}, {part})"
                    yield Component(label, "discretisation", expr, RulePut(number, part), demands)
                if rule.whole != 0:  # its weight is one number
                    continue
                extra = (Change("L_f dropped", rule.bound),)
                yield Component(f"{name})", "discretisation", rule.bound, RulePut(number, ""), demands, extra)


@dataclass(frozen=True)
class RulePut:
    """Weakens a part of rule ``number`` of the one profile of a setting, or takes its weight away where no part is named."""

    number: int
    part: str

    def __call__(self, setting: Setting, expr: Any) -> Setting:
        profile, rules = setting.profiles[0]
        given = frozenset(setting.values) | frozenset(setting.lists)
        changed = _weakened(self.part, profile, rules[self.number], setting.teacher.name, given, expr)
        new = tuple(changed if i == self.number else x for i, x in enumerate(rules))
        return replace(setting, profiles=((profile, new),))


@lru_cache(maxsize=512)
def _weakened(part: str, profile: Profile, rule: Rule, teacher: str, given: frozenset[str], expr: Any) -> Rule:
    """The rule with a part weakened, or without its weight, made once for all settings with these parameters."""
    if part:
        return rule.with_part(part, specialisation(profile, teacher, given)(expr))
    roots = tuple(replace(x, energy=x.energy / L_f**2) for x in rule.roots)
    return replace(rule, steps=rule.steps / L_f, roots=roots)


@lru_cache(maxsize=32)
@alone
def plants(id: str | Theorem) -> tuple[Plant, ...]:
    """All weakened copies of a statement."""
    result: list[Plant] = []
    seen: Counter[tuple[str, str]] = Counter()
    theorem = find(id)
    for part in components(theorem):
        unweighted = isinstance(part.put, RulePut) and not part.put.part
        changes = list(part.extra) if unweighted else [*weakened(part.expression), *part.extra]
        for change in changes:
            key = part.name, change.text
            seen[key] += 1
            text = f"{change.text} ({seen[key]})" if seen[key] > 1 else change.text
            result.append(Plant(theorem, part, text, change.expression, change.not_weaker))
    return tuple(result)
