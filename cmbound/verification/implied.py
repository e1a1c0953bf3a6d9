"""Which survivors follow from others: what spares a copy spares every other one whose bound is never below its own.

The bound of a copy is a sum of products of parts (the terms of a statement; steps, roots and factors of a rule of a profile). One
bound is never below another where every product is, which is proved part by part (:mod:`cmbound.verification.orders`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache, partial
from typing import Any

from sympy import Integer, Rational, sqrt

from cmbound.frozen import FrozenDict
from cmbound.theory import functions
from cmbound.theory.notation import L_f, L_os, L_s, tau
from cmbound.theory.profiles import PROFILES
from cmbound.theory.rules import Root, Rule
from cmbound.verification.orders import at_least
from cmbound.verification.plants import PRICE, Plant, RulePut, components

_SCALES = (Integer(4), Integer(2), Integer(1), Rational(1, 2), Rational(1, 4))  # of a part, that another may make up for
OF_THE_DIMENSION = (functions.U, functions.K, functions.beta)
"""Constants of the profiles that are sums of two terms."""
_HALF = Rational(1, 2)
_EMBEDDED: Mapping[tuple[str, str], Mapping[Any, Any]] = FrozenDict(
    {
        ("lipschitz-integrated", "one-sided"): {L_os: L_s},
        ("bounded", "smoothed"): {tau: 0},
        ("bounded-integrated", "smoothed-integrated"): {tau: 0},
        ("atoms", "smoothed-integrated"): {tau: 0},
        ("atoms", "bounded-integrated"): {},
        ("bounded-integrated", "atoms"): {},  # a bounded law is the limit of finite data sets in the same ball
    }
)
"""Pairs of profiles such that every law of the first is one of the second, with the parameters of the second for it."""

Product = tuple[tuple[Any, Any], ...]
"""Parts and their powers."""


def implied(survivors: Sequence[Plant]) -> dict[Plant, tuple[Plant, ...]]:
    """The survivors that follow from others, each with the one or the two it follows from, which follow from none."""
    found: dict[Plant, tuple[Plant, ...]] = {}
    weakest: list[Plant] = []
    for plant in survivors:
        below = next((x for x in weakest if claims_more(x, plant)), None)
        if below is not None:
            found[plant] = (below,)
            continue
        for x in [x for x in weakest if claims_more(plant, x)]:
            weakest.remove(x)
            found[x] = (plant,)
        weakest.append(plant)
    found |= {x: ends for x in weakest if (ends := between(x, weakest))}
    traced = {plant: _followed(below, found) for plant, below in found.items()}
    return {plant: next(((x,) for x in below if claims_more(x, plant)), below) for plant, below in traced.items()}


def _followed(below: tuple[Plant, ...], found: Mapping[Plant, tuple[Plant, ...]]) -> tuple[Plant, ...]:
    return tuple(dict.fromkeys(y for x in below for y in (_followed(found[x], found) if x in found else (x,))))


def between(plant: Plant, others: Sequence[Plant]) -> tuple[Plant, ...]:
    """Two of the others, one of which is refuted wherever ``plant`` is; empty where there are no such two.

    In each a constant of the dimension lost one of its two terms, between which half of it lies.
    """
    part = plant.part.expression
    by_expression = {x.expression: x for x in others if x.part == plant.part and x is not plant}
    for constant in part.atoms(*OF_THE_DIMENSION):
        terms = type(constant).definition(*constant.args).args
        ends = [by_expression[y] for y in (part.xreplace({constant: x}) for x in terms) if y in by_expression]
        if len(ends) == len(terms) == 2 and at_least(plant.expression, part.xreplace({constant: constant / 2})):
            return tuple(ends)
    return ()


@cache
def claims_more(strong: Plant, other: Plant) -> bool:
    """Whether the bound of ``strong`` is proved never to be above that of ``other``: it is refuted wherever the other is."""
    if strong.statement != other.statement or strong.unweighted or other.unweighted:
        return False
    of_rules = [isinstance(x.part.put, RulePut) for x in (strong, other)]
    if any(of_rules):
        return all(of_rules) and _rules_claim_more(strong, other)
    if strong.part == other.part and strong.part.term == "initialisation" and _unweighted_start(strong, other):
        return True
    below, above = (_terms(x) for x in (strong, other))
    return all(_never_below(above[slot], below[slot]) for slot in above)


def _unweighted_start(strong: Plant, other: Plant) -> bool:
    """Whether L_f was dropped from one and its root from the other, which is above the statement, and holds, for L_f <= 1."""
    return bool(other.expression == strong.expression * sqrt(L_f) and strong.part.expression == strong.expression * L_f)


def _rules_claim_more(strong: Plant, other: Plant) -> bool:
    """Every rule of the one profile has a rule of the other that is never above it, for every law of the first."""
    profile, teacher = other.demands["profile"], other.demands["teacher"]
    pair = (profile, strong.demands["profile"])
    if teacher != strong.demands["teacher"] or (profile != pair[1] and pair not in _EMBEDDED):
        return False
    mine = _embedded(strong, pair)
    return all(any(_rule_never_below(x, y) for y in mine) for x in _weakened(other))


@lru_cache(maxsize=512)
def _embedded(plant: Plant, pair: tuple[str, str]) -> tuple[Rule, ...]:
    """The rules of a copy's profile, which is the second of a pair, for a law of the first."""
    return tuple(x.specialise(partial(_put, _EMBEDDED.get(pair, {}))) for x in _weakened(plant))


def _put(values: Mapping[Any, Any], expr: Any) -> Any:
    return expr.subs(dict(values), simultaneous=True) if values else expr


@lru_cache(maxsize=512)
def _weakened(plant: Plant) -> tuple[Rule, ...]:
    """The rules of the profile of a copy."""
    rules = PROFILES[plant.demands["profile"]].rules[plant.demands["teacher"]]
    place = plant.part.put
    assert isinstance(place, RulePut)
    return tuple(x.with_part(place.part, plant.expression) if i == place.number else x for i, x in enumerate(rules))


@lru_cache(maxsize=8192)
def _rule_never_below(x: Rule, y: Rule) -> bool:
    if len(y.roots) > len(x.roots):
        return False
    pairs: list[tuple[Product, Product]] = [(((x.steps, 1),), ((y.steps, 1),)), (((x.whole, 1),), ((y.whole, 1),))]
    pairs += [(_root(p), _root(q)) for p, q in zip(x.roots, y.roots, strict=False)]
    return all(_never_below(p, q) for p, q in pairs)


def _root(x: Root) -> Product:
    return (x.energy, _HALF), (x.factor, 1)


def _terms(plant: Plant) -> dict[str, Product]:
    """The products of a copy by the name of their part; that of a distance inside a total variation has its price as a factor."""
    parts = {x.name: x for x in components(plant.statement)}
    expressions = {name: plant.expression if name == plant.component else x.expression for name, x in parts.items()}
    price = expressions.pop(PRICE, None)
    return {name: ((x, 1), (price, 1)) if parts[name].priced else ((x, 1),) for name, x in expressions.items()}


def _never_below(x: Product, y: Product) -> bool:
    """Whether a product is proved never to be below another with the same powers."""
    if any(part == 0 for part, _ in y):
        return True
    scale = Integer(1)
    for (mine, power), (theirs, _) in zip(x, y, strict=True):
        most = next((k for k in _SCALES if at_least(mine, theirs, k)), None)
        if most is None:
            return False
        scale *= most**power
    return bool(scale >= 1)
