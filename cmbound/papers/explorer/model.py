"""What the explorer's page is told of a statement: parameters, choices, formulas, and the functions its script computes with.

The page evaluates as :mod:`cmbound.evaluation` does in float64, from the same expressions: here they become JavaScript.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator
from itertools import product
from typing import Any

import sympy

from cmbound.arithmetic.javascript import Functions
from cmbound.evaluation import advice, notes
from cmbound.evaluation.paths import CANDIDATES
from cmbound.evaluation.point import yardstick
from cmbound.evaluation.setting import PER_STEP
from cmbound.evaluation.shown import explained_latex, statement_data
from cmbound.evaluation.terms import recursion_parts
from cmbound.names import GRIDS
from cmbound.papers.figures.style import term_numbers
from cmbound.reports.cells import mathml
from cmbound.reports.words import prose
from cmbound.theory.formulas import (
    ALIASES,
    CONSISTENCY_STEP,
    accepts,
    choices,
    closed_terms,
    convert,
    named_parts,
    on_a_grid,
    optional_rows,
    outer_terms,
    required_rows,
)
from cmbound.theory.grids import FORMULAS, j, time_of
from cmbound.theory.notation import TABLE, L_f, L_os, L_s, Parameter, a, eps_cm, eps_sc, eps_sc_a
from cmbound.theory.profiles import PROFILES, specialised
from cmbound.theory.records import Assumption, Term, Theorem
from cmbound.theory.rules import Free, Profile, Rule
from cmbound.theory.variants import (
    CLOCKS,
    EI,
    STARTS,
    TARGETS,
    TEACHERS,
    ConsistencySum,
    LastTime,
    LipschitzAt,
    LocalErrorSum,
    Placeholder,
    ScheduleSum,
    ScoreSum,
)

ONE_BY_ONE = ("times", "sigmas", "weights", "cov_eigs")
"""Parameters that are lists, which the page has no place for."""
LISTS = "the page has no lists: cmbound evaluate takes {name}={list}, one value for each step of a grid"
_STANDING_FOR = frozenset({"m2", "sd2", "R", "d_eff", "diameter"})
"""What may stand for another constant: on the page one that is not given is so large that it never does."""


def model(theorem: Theorem, functions: Functions) -> dict[str, Any]:
    """The statement as JSON-ready data, in which a function is the number ``functions`` has it under."""
    found: dict[str, Any] = {
        "id": theorem.id,
        "kind": theorem.kind,
        "metric": theorem.metric,
        "standing": [*notes.standing(theorem, "{C}")],
        "says": _says(theorem),
        "remark": theorem.remark,
        "parameters": [*_parameters(theorem)],
        "choices": _choices(theorem),
        "looks": term_numbers([x.name for x in theorem.bare_sources]),
        "variants": _variants(theorem, functions),
        "formulas": _formulas(theorem),
        "signs": _signs(theorem),
        "assumptions": [_assumption(x, functions) for x in theorem.statement_assumptions],
        "scheduled": theorem.uses_schedule,
        "profiled": theorem.uses_profile,
        "timeOf": functions.add(time_of(TABLE["sigma"].symbol)),
    }
    if any(x.expression.has(LipschitzAt, ConsistencySum, ScoreSum, LocalErrorSum) for x in theorem.bare_sources):
        found |= _sums(functions)
    return found | (_profiles(functions) if theorem.uses_profile else {})


def _says(theorem: Theorem) -> dict[str, Any]:
    """What :mod:`cmbound.evaluation.notes` and :mod:`cmbound.evaluation.advice` say, and what they try."""
    return {
        "vacuous": notes.VACUOUS,
        "known": notes.TV_KNOWN if theorem.metric == "TV" else "",
        "uncentred": notes.UNCENTRED,
        "far": notes.FAR,
        "oneLipschitz": f"{notes.ONE_LIPSCHITZ} ({LISTS.format(name='L_f', list='2,3,4')})" if theorem.uses_start else "",
        "lists": LISTS,
        "ve": notes.VE_NOTE if theorem.has_target else "",
        "earlier": notes.EARLIER,
        "notFromZero": notes.NOT_FROM_ZERO,
        "littleSpread": notes.LITTLE_SPREAD,
        "levels": advice.LEVELS,
        "remedy": advice.levels_remedy(theorem),
        "most": advice.MOST,
        "gives": advice.GIVES,
        "nothing": advice.NOTHING,
        "lowered": advice.LOWERED,
        "raised": advice.RAISED,
        "factors": [[factor, *words] for factor, words in advice.FACTORS.items()],
        "worth": advice.WORTH,
        "named": advice.NAMED,
    }


# --- parameters and choices ---------------------------------------------------------------------------------------------


def _parameters(theorem: Theorem) -> Iterator[dict[str, Any]]:
    aliases = {name: alias for alias, name in ALIASES.items() if accepts(theorem, alias)}
    optional = {x.name for x in optional_rows(theorem)} - {*theorem.free}
    for row in (*required_rows(theorem), *optional_rows(theorem)):
        if row.name not in (*ONE_BY_ONE, "t_star", *ALIASES):
            alias = aliases.get(row.name)
            found = _row(row) | {"optional": row.name in optional, "alias": None if alias is None else _row(TABLE[alias])}
            found["perStep"] = theorem.uses_profile and row.name in PER_STEP
            if row.name in theorem.free:
                found["meaning"] += " (the command line takes the best one where it is left out)"
            yield found


def _row(row: Parameter) -> dict[str, Any]:
    domain = row.domain
    return {
        "name": row.name,
        "math": mathml(row.latex),
        "meaning": prose(row.meaning).html(),
        "low": domain.low,
        "open": domain.low_open,
        "high": domain.high,
        "integer": domain.integer,
        "domain": str(domain),
    }


def _choices(theorem: Theorem) -> dict[str, list[str]]:
    """What the statement leaves open, each with its values; the first is the usual one, ``""`` the closed form in h."""
    every = {
        "profile": ["auto", *PROFILES],
        "teacher": list(TEACHERS),
        "grid": ["", *GRIDS, "uniform-h"],
        "to": list(TARGETS),
        "start": list(STARTS),
        "clock": list(CLOCKS),
    }
    found = {name: values for name, values in every.items() if name in choices(theorem)}
    return found | ({"t_star": ["0", "delta"]} if theorem.uses_profile else {})


# --- terms --------------------------------------------------------------------------------------------------------------


def _open(theorem: Theorem) -> Iterator[tuple[str, str, str]]:
    """Every target, start and clock the statement may be taken at."""
    chosen = choices(theorem)

    def values(name: str, every: Iterable[str]) -> tuple[str, ...]:
        return tuple(every) if name in chosen else tuple(every)[:1]

    return product(values("to", TARGETS), values("start", STARTS), values("clock", CLOCKS))


def _variants(theorem: Theorem, functions: Functions) -> dict[str, Any]:
    """The terms by target, start and clock."""
    first = theorem.bare_sources
    if theorem.bare_recursion:
        first = tuple(Term(x.name, x.expression.subs(TABLE["k"].symbol, 1)) for x in first)
    found = {}
    for target, start, clock in _open(theorem):
        trivial = yardstick(theorem, target, clock)
        entry: dict[str, Any] = {
            "terms": [_term(x, functions) for x in outer_terms(theorem, target, start, CLOCKS[clock], first)],
            "trivial": None if trivial is None else functions.add(trivial),
            "centred": None if trivial is None else functions.add(yardstick(theorem, target, clock, centred=True)),
        }
        if theorem.bare_recursion:
            slope, *added = (_term(x, functions) for x in recursion_parts(theorem))
            scale = None if clock == "ou" else functions.add(theorem.ve_factor)
            entry["recursion"] = {"slope": slope, "added": added, "scale": scale}
        found[f"{target} {start} {clock}"] = entry
    return found


def _term(term: Term, functions: Functions) -> dict[str, Any]:
    holders = sorted(term.expression.atoms(Placeholder), key=str)
    names = {x: sympy.Symbol(f"p{i}", real=True) for i, x in enumerate(holders)}
    bare = term.expression.xreplace(names)
    return {"name": term.name, "f": functions.add(bare), "holders": [_holder(x, functions) for x in holders]}


def _holder(x: Any, functions: Functions) -> dict[str, Any]:
    found = {"kind": type(x).__name__}
    if isinstance(x, ScheduleSum):
        return found | {"step": functions.add(x.args[0])}
    return found if isinstance(x, LastTime) else found | {"end": x.args[0].name}


def _formulas(theorem: Theorem) -> dict[str, Any]:
    """The inequality, in MathML and LaTeX, by teacher, target, start, clock, and whether there is a grid; each term once."""
    chosen = choices(theorem)
    texts: dict[str, int] = {}
    sentences: dict[str, int] = {}
    found: dict[str, Any] = {}
    for teacher in TEACHERS if theorem.uses_profile else (EI,):
        for target, start, clock in _open(theorem):
            asked = {"to": target, "start": start, "clock": clock}
            options = {name: x for name, x in asked.items() if name in chosen}
            clocked = CLOCKS[clock]
            whole = outer_terms(theorem, target, start, clocked, theorem.bare_sources)
            summed = tuple(Term(x.name, on_a_grid(x.expression, TEACHERS[teacher], None, clocked)) for x in whole)
            closed = closed_terms(theorem, teacher=teacher, **options)
            for with_grid, terms in (("false", closed), ("true", summed if theorem.uses_profile else closed)):
                left, parts = named_parts(theorem, terms, teacher=teacher, **options)
                found[f"{teacher} {target} {start} {clock} {with_grid}"] = {
                    "left": texts.setdefault(left, len(texts)),
                    "terms": {name: texts.setdefault(x, len(texts)) for name, x in parts.items()},
                    "explained": [sentences.setdefault(x, len(sentences)) for x in explained_latex(left, terms)],
                }
    return {"texts": [{"latex": x, "math": mathml(x)} for x in texts], "sentences": [*sentences], "by": found}


def _signs(theorem: Theorem) -> list[dict[str, str]]:
    """What the inequality is written in, with each teacher: signs with their meaning, and named functions."""
    found: dict[str, str] = {}
    for teacher in TEACHERS if theorem.uses_profile else (EI,):
        data = statement_data(theorem, teacher=teacher)
        found |= {x["latex"]: html.escape(x["meaning"]) for x in data["signs"]}
        found |= {x["latex"]: "" for x in data["where"] if x["latex"]}
    return [{"math": mathml(x), "meaning": meaning} for x, meaning in found.items()]


def _assumption(x: Assumption, functions: Functions) -> dict[str, Any]:
    found = {"id": x.id, "text": x.text, "html": prose(x.text).html()}
    if x.predicate is None:
        return found
    names = sorted(y.name for y in x.predicate.free_symbols)
    strict = isinstance(x.predicate, sympy.StrictGreaterThan | sympy.StrictLessThan)
    sides = (x.predicate.gts, x.predicate.lts)
    high, low = (functions.add(y) for y in sides)
    return found | {"names": names, "high": high, "low": low, "strict": strict, "sides": [str(y) for y in sides]}


# --- sums over a grid ---------------------------------------------------------------------------------------------------


def _sums(functions: Functions) -> dict[str, Any]:
    """What the place-holders of the terms are sums of, by teacher, and the constants of the other clock."""
    growing = (L_f, eps_sc, eps_sc_a, eps_cm, L_s, L_os)
    return {
        "consistency": functions.add(CONSISTENCY_STEP),
        "teachers": {
            name: {
                "score": functions.add(L_f * x.score),
                "weight": functions.add(x.weight),
                "needsGrid": x.needs_grid,
                "needs": list(x.needs),
            }
            for name, x in TEACHERS.items()
        },
        "inOu": {x.name: functions.add(convert(x, CLOCKS["ve"], a, a)) for x in growing},
    }


def _profiles(functions: Functions) -> dict[str, Any]:
    """What local errors are bounded by, and the nodes of the grids."""
    return {
        "nodes": {kind: functions.add(x, {j: "j"}) for kind, x in FORMULAS.items()},
        "candidates": CANDIDATES,
        "profiles": [_profile(x, functions) for x in PROFILES.values()],
    }


def _profile(p: Profile, functions: Functions) -> dict[str, Any]:
    return {
        "name": p.name,
        "title": p.title,
        "needs": {teacher: sorted(p.parameters(teacher)) for teacher in p.rules},
        "centred": p.centred,
        "halved": p.halved,
        "noTau": p.no_tau,
        "assumptions": [{"id": x.id, "html": prose(x.text).html()} for x in p.assumptions],
        "rules": {t: [_rule(x, functions) for x in specialised(p, t, _STANDING_FOR)] for t in p.rules},
    }


def _rule(rule: Rule, functions: Functions) -> dict[str, Any]:
    return {
        "bound": functions.add(L_f * rule.bound),
        "steps": None if rule.steps == 0 else functions.add(rule.steps),
        "roots": [{"energy": functions.add(x.energy), "factor": functions.add(x.factor)} for x in rule.roots],
        "whole": None if rule.whole == 0 else functions.add(rule.whole),
        "cuttable": rule.cuttable,
        "breakpoints": [functions.add(x) for x in rule.breakpoints],
        "free": None if rule.free is None else _free(rule.free, functions),
    }


def _free(free: Free, functions: Functions) -> dict[str, Any]:
    return {
        "name": free.symbol.name,
        "slope": functions.add(free.slope),
        "low": float(free.low),
        "high": float(free.high),
        "fromStart": a in free.slope.free_symbols,  # whether the beginning of a stretch matters
    }
