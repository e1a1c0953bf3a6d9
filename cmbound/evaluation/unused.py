"""Which of the parameters and options that were given enter nothing: who gives a number should know that it changes nothing.

A name is used if the terms that were evaluated, the rules of the profiles on the path, the grid, or an assumption that was
checked depend on it. Of constants that bound the same (the radius and half the diameter) those above the smallest are not. That
the constants of a law are compared with each other (:mod:`cmbound.evaluation.law`) is no use.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from functools import lru_cache
from typing import Any

import sympy

from cmbound.arithmetic.backend import ordered_symbols
from cmbound.arithmetic.exact import rational_near
from cmbound.evaluation.nodes import FLOATS
from cmbound.evaluation.setting import Setting
from cmbound.evaluation.sums import Piece
from cmbound.frozen import FrozenDict
from cmbound.later import Array, np
from cmbound.names import CHOICES
from cmbound.theory.formulas import ALIASES, choices, outer_terms
from cmbound.theory.functions import information, mmse
from cmbound.theory.grids import TAKES
from cmbound.theory.named import exchanged
from cmbound.theory.notation import TABLE, L_f, entropy, nu
from cmbound.theory.profiles import PROFILES, unavailable
from cmbound.theory.records import Term
from cmbound.theory.rules import Profile, Rule
from cmbound.theory.variants import EI, ConsistencySum, LipschitzAt, LocalErrorSum, ScheduleSum, ScoreSum, visible_symbols

_INSTEAD = {"sd2": "centred", "diameter": "halved"}
"""What may stand for a parameter, and the profiles in which it may."""
_SAME = ("R", "diameter", "sd2", "m2")
"""Constants that bound the same."""
_SUMS = (ConsistencySum, ScoreSum, LocalErrorSum)


def unused(
    setting: Setting, paths: Iterable[Iterable[Piece]] | None = None, varied: Mapping[str, Array] = FrozenDict()
) -> tuple[tuple[str, str], ...]:
    """What was given by the user (not by a preset) and enters nothing, each with the reason.

    Args:
        setting: the setting; of several one.
        paths: the paths that were chosen, for any of the settings; without them every profile to choose from counts.
        varied: what differs from setting to setting: what enters one of them is used.
    """
    if not setting.own:
        return ()
    every = [rule for _, found in setting.profiles for rule in found]
    rules = dict.fromkeys(every if paths is None else [piece.rule for path in paths for piece in path])  # each once, in order
    better: dict[str, str] = {}
    numbers = {**setting.values, **{ALIASES.get(x, x): y for x, y in varied.items()}}
    single = bool(setting.theorem.bare_recursion) and bool(np.all(np.equal(numbers.get("k", 0), 1)))
    by_rules = {x for rule in rules for x in (_of_rule(rule) if paths is None else _depends(rule, numbers, better))}
    used = _used(setting, single, by_rules)
    used |= {alias for alias, name in ALIASES.items() if name in used}
    return tuple(
        (name, _reason(setting, name, better)) for name in (*TABLE, *CHOICES) if name in setting.own and name not in used
    )


def _used(setting: Setting, single: bool, by_rules: Set[str]) -> set[str]:
    theorem, grid = setting.theorem, setting.grid
    terms = theorem.bare_sources
    if single:
        terms = tuple(Term(x.name, x.expression.subs(TABLE["k"].symbol, 1)) for x in terms)
    elif theorem.bare_recursion:
        terms = (*terms, *theorem.bare_recursion)
    names, sums = _of_terms(outer_terms(theorem, setting.target, setting.start, setting.clock, terms))
    parts = {LipschitzAt: L_f, LocalErrorSum: L_f, ConsistencySum: setting.consistency, ScoreSum: setting.teacher.weighted_score}
    found = set(names) | by_rules
    found |= {x.name for kind in sums for x in ordered_symbols(parts[kind])}
    if sums & set(_SUMS):
        found.add("delta")
        if grid is not None:  # what the nodes are made of (h where it gave the number of steps)
            found |= {"T", "grid"} | TAKES.get(grid.kind, set())
    if setting.clock.name == "ve":
        found.add("delta")
    if theorem.uses_schedule:
        found |= {"k", "times"} if "times" in setting.lists else {"k"}
    for assumption, status in setting.assumptions:
        if status == "checked":
            found |= {x.name for x in ordered_symbols(assumption.predicate)}
    if single:
        found -= {"t_hat", "times"}
    if setting.listed:
        found -= {"delta", "T"}  # what was given is what the nodes say
    if "cov_eigs" in setting.lists and "sd2" in found:  # it is the root of their sum, whatever was given
        found = found - {"sd2"} | {"cov_eigs"}
    return found | choices(theorem) | {"preset", "digits"}


@lru_cache(maxsize=512)
def _of_terms(terms: tuple[Term, ...]) -> tuple[frozenset[str], frozenset[Any]]:
    """Names of the parameters in the terms, and the kinds of their sums over the grid."""
    symbols = {x for term in terms for x in visible_symbols(term.expression)}
    symbols |= {x for term in terms for total in term.expression.atoms(ScheduleSum) for x in total.args[0].free_symbols}
    kinds = {type(x) for term in terms for x in term.expression.atoms(*_SUMS, LipschitzAt)}
    return frozenset(x.name for x in symbols), frozenset(kinds)


@lru_cache(maxsize=512)
def _of_rule(rule: Rule) -> frozenset[str]:
    return _names({x for expr in rule.expressions for x in expr.free_symbols})


def _names(symbols: Set[Any]) -> frozenset[str]:
    return frozenset({x.name for x in symbols} | ({"n_atoms", "weights"} if symbols & {nu, entropy} else set()))


def _depends(rule: Rule, values: Mapping[str, Any], better: dict[str, str]) -> set[str]:
    """What a rule depends on at these numbers; adds to ``better`` what is not the smallest of constants that bound the same."""
    outside, minima = _minima(rule)
    found = set(outside)
    for sides in minima:
        names = {x.name for side in sides for x in side.free_symbols}
        if not names <= values.keys():
            found |= names
            continue
        numbers = {TABLE[x].symbol: y if np.ndim(y := values[x]) else float(rational_near(y)) for x in names}
        sizes = dict(zip(sides, np.broadcast_arrays(*(FLOATS.value(side, numbers) for side in sides)), strict=True))
        least = np.minimum.reduce(list(sizes.values())) * (1 + 1e-12)
        smallest = {x.name for side, size in sizes.items() if np.any(size <= least) for x in side.free_symbols}
        found |= smallest
        for name in names - smallest:
            better.setdefault(name, next(x for x in _SAME if x in smallest))
    return found


@lru_cache(maxsize=512)
def _minima(rule: Rule) -> tuple[frozenset[str], tuple[tuple[Any, ...], ...]]:
    """What a rule depends on outside the minima of constants of the data, and their sides; minima of few constants first."""
    constants = {TABLE[name].symbol for name in (*_SAME, "d", "tau")}
    minima = {x for e in rule.expressions for x in e.atoms(sympy.Min) if x.free_symbols <= constants}
    hidden = {x: sympy.Dummy() for x in minima}
    symbols = {x for e in rule.expressions for x in exchanged(e, hidden).free_symbols} - set(hidden.values())
    return _names(symbols), tuple(x.args for x in sorted(minima, key=lambda x: (len(x.free_symbols), str(x))))


def _reason(setting: Setting, name: str, better: Mapping[str, str]) -> str:
    """Why a name enters nothing."""
    theorem, teacher = setting.theorem, setting.teacher.name
    if name in better:
        return f"{better[name]} bounds the same better"
    if name in CHOICES:
        return "stated in one clock only" if name == "clock" else f"no {name} enters the statement"
    name = ALIASES.get(name, name)
    if name in ("delta", "T") and setting.listed:
        return "the nodes of the grid are given"
    if name == "sd2" and "cov_eigs" in setting.lists:
        return "cov_eigs, which add up to its square, are given"
    if name in ("t_hat", "times") and setting.values.get("k") == 1:
        return "one evaluation has no later times"
    if not theorem.uses_profile:
        stated = any(TABLE[name].symbol in visible_symbols(term.expression) for term in theorem.bare_sources)
        return "it is left out by the options" if stated else "no term depends on it"
    if name in _INSTEAD and not any(getattr(p, _INSTEAD[name]) for p, _ in setting.profiles):
        return "no profile to choose from takes it"
    takers = [p for p in PROFILES.values() if any(name in _parameters(p, x) for x in p.rules)]
    with_teacher = [p for p in takers if name in _parameters(p, teacher)]
    chosen = {p.name for p, _ in setting.profiles}
    if not takers:
        return "no term depends on it"
    if not with_teacher:
        return f"no profile of the {teacher} teacher takes it"
    candidates = [p.name for p in with_teacher if p.name in chosen]
    if candidates:
        word = "profile" if len(candidates) == 1 else "profiles"
        return f"{word} {', '.join(candidates)}, which could use it, not better here"
    given = frozenset(setting.values) | frozenset(setting.lists)
    tau_positive = setting.values.get("tau", 0) > 0
    if setting.profile_name != "auto":
        return "the profile asked for does not take it"
    reasons = [x for p in with_teacher if (x := unavailable(p, teacher, given, tau_positive)) is not None]
    return reasons[0] if reasons else "the profile asked for does not take it"


@lru_cache(maxsize=512)
def _parameters(profile: Profile, teacher: str) -> Set[str]:
    """What the rules of a profile depend on, with what may stand for it."""
    if teacher not in profile.rules:
        return frozenset()
    found = {x for rule in profile.rules[teacher] for x in _of_rule(rule)}
    found |= {"sd2"} if profile.centred and "m2" in found else set()
    found |= {"diameter"} if profile.halved else set()
    found |= {"cov_eigs"} if any(e.has(information, mmse) for rule in profile.rules[teacher] for e in rule.expressions) else set()
    return frozenset(found | ({"d_eff"} if profile.subspace and (teacher != EI or "cov_eigs" in found) else set()))
