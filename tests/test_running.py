"""Sums over the steps of a grid in balls: the loop that computes all of them at once, against each step computed by itself."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import cmbound
from cmbound.arithmetic import certified
from cmbound.arithmetic.backend import Balls
from cmbound.arithmetic.running import LARGEST, SQUARED, SUM, WEIGHTED, summed
from cmbound.evaluation.nodes import FLOATS, node, node_index, nodes
from cmbound.evaluation.setting import resolve
from cmbound.evaluation.steps import BallSteps, Request, telling
from cmbound.theory.functions import c, s
from cmbound.theory.notation import L_f, a, b, d, h, m2
from cmbound.theory.profiles import PROFILES
from tests.settings import cases, draw

BITS = 160
KINDS = (SUM, WEIGHTED, SQUARED, LARGEST)
WEIGHT = L_f * c(a)
ONE_STEP = cmbound.theorem("explicit-one-step")
MULTISTEP = cmbound.theorem("explicit-multistep")
BASE: dict[str, Any] = {"eps_sc": "0.01", "eps_cm": "0.02", "L_f": 2, "d": 3, "m2": "3/2", "T": 5, "delta": "1e-3"}


def by_step(kind: str, expr: Any, ts: list[Any], values: dict[Any, Any]) -> Any:
    """What is made of the values at the steps, each in a function of its own."""
    backend, found = Balls(), []
    for x, y in pairwise(ts):
        here = {**values, a: x, b: y, h: y - x}
        weight = backend.value(WEIGHT, here)
        found.append(backend.value(expr, here) * {SUM: 1, LARGEST: 1, WEIGHTED: weight, SQUARED: weight**2}[kind])
    return backend.largest(found) if kind == LARGEST else backend.total(found)


def agree(x: Any, y: Any, bits: int) -> bool:
    """Whether two enclosures are of one number, each of at least so many bits."""
    return bool(x.overlaps(y)) and min(x.rel_accuracy_bits(), y.rel_accuracy_bits()) >= bits


@pytest.mark.parametrize(("profile", "teacher"), list(cases()))
def test_the_loop_adds_up_what_the_steps_are(profile: str, teacher: str) -> None:
    """All parts of the rules of a profile in one loop, on steps of all lengths, between three nodes."""
    rng = np.random.default_rng(5)
    drawn = {**draw(rng), "t_star": 0.0, "M": 2.0, "R": 3.0, "tau": 0.5, "L_s": 7.0, "delta": 1e-3}
    symbols = {x: Fraction(drawn[x.name]) for x in _symbols(profile, teacher) if x.name in drawn}
    exprs = [x for rule in PROFILES[profile].rules[teacher] for x in (rule.steps, *(y.energy for y in rule.roots)) if x != 0]
    parts = tuple((kind, x) for x in exprs for kind in KINDS)
    with certified.precision(BITS):
        values = {x: Balls().number(y) for x, y in symbols.items()}
        ts = [Balls().number(Fraction(float(x))) for x in np.sort(10 ** rng.uniform(-3, 0.7, 7))]
        scalars = tuple(sorted(values, key=str))
        rows = summed(parts, WEIGHT, (a, b, h), (), scalars)(ts, [], [values[x] for x in scalars], [0, 2, 6])
        assert len(rows) == 2
        for row, here in zip(rows, (ts[:3], ts[2:]), strict=True):
            for (kind, expr), found in zip(parts, row, strict=True):
                assert agree(found, by_step(kind, expr, here, values), 60)


def _symbols(profile: str, teacher: str) -> set[Any]:
    found = {L_f}.union(*(x.free_symbols for rule in PROFILES[profile].rules[teacher] for x in rule.expressions))
    return found - {a, b, h}


def test_lists_and_constants_take_part() -> None:
    """A number for each step, one for all, and an expression that no step changes."""
    with certified.precision(BITS):
        ts = [Balls().number(Fraction(x, 10)) for x in (1, 2, 4, 9)]
        lipschitz, three = [Balls().number(x) for x in (1, 5, 2)], Balls().number(3)
        parts = ((SUM, d), (WEIGHTED, b - a), (LARGEST, d), (LARGEST, WEIGHT), (SUM, s(b) / s(a)))
        found = summed(parts, WEIGHT, (a, b, h), (L_f,), (d,))(ts, [lipschitz], [three], [0, 3])[0]
        rows = [{a: x, b: y, h: y - x, L_f: z, d: three} for (x, y), z in zip(pairwise(ts), lipschitz, strict=True)]
        every = [[Balls().value(x, row) for row in rows] for x in (d, WEIGHT * (b - a), d, WEIGHT, s(b) / s(a))]
        expected = [Balls().total(x) if i not in (2, 3) else Balls().largest(x) for i, x in enumerate(every)]
        assert all(agree(x, y, 100) for x, y in zip(found, expected, strict=True))


def test_a_function_of_the_other_node_is_seen() -> None:
    """The values a node hands on belong to the beginning of the next step: taken at its end they are others."""
    with certified.precision(BITS):
        ts = [Balls().number(Fraction(x, 10)) for x in (1, 2, 4, 9)]
        right, wrong = (summed(((SUM, s(x)),), L_f, (a, b, h), (), (L_f,))(ts, [], [ts[0]], [0, 3])[0][0] for x in (a, b))
        assert agree(right, by_step(SUM, s(a), ts, {L_f: ts[0]}), 100)
        assert not right.overlaps(wrong)


@pytest.mark.parametrize("grid", ["uniform", "geometric", "edm", "two-stage"])
def test_what_is_planned_is_what_is_asked_for(grid: str) -> None:
    """Many intervals at once, each alone, and step by step: the same numbers."""
    steps = {"h": "0.2"} if grid == "two-stage" else {"N": 40}
    setting = resolve(MULTISTEP, {**BASE, "k": 1, "grid": grid, **steps, "teacher": "ddim", "profile": "universal-integrated"})
    assert setting.grid is not None
    rule = PROFILES["universal-integrated"].rules["ddim"][0]
    last = setting.grid.N
    wanted = [(0, last), (0, 3), (3, 17), (17, last), (5, 6), (0, last - 1)]
    parts = ((SUM, b - a), (SQUARED, rule.roots[0].energy), (LARGEST, h))
    requests = [Request(kind, x, *ends) for kind, x in parts for ends in wanted]
    with certified.precision(BITS):
        values = {x: Balls().number(Fraction(3)) for x in (L_f, d, m2, h)}  # h is the largest step here, not that of a step
        together = BallSteps(setting, lambda: [(x, values) for x in requests])
        for x in requests:
            alone = BallSteps(setting, lambda: ()).total(x, values)
            slowly = by_step(x.kind, x.expr, together.nodes[x.start : x.stop + 1], values)
            assert agree(together.total(x, values), alone, 60)
            assert agree(alone, slowly, 60)


@pytest.mark.parametrize("grid", ["uniform", "geometric", "edm", "two-stage"])
def test_a_node_as_a_formula_is_that_node(grid: str) -> None:
    steps = {"h": "0.3"} if grid == "two-stage" else {"N": 12}
    setting = resolve(MULTISTEP, {**BASE, "k": 1, "grid": grid, **steps})
    floats = nodes(setting, FLOATS)
    with certified.precision(BITS):
        balls = nodes(setting, Balls())
        for i, (x, y) in enumerate(zip(floats, balls, strict=True)):
            exact = node(setting, i)
            assert agree(certified.number(exact), y, 100)
            assert FLOATS.number(exact) == pytest.approx(float(x), rel=1e-14)
            assert i == 0 or node_index(setting, exact) == node_index(setting, Fraction(float(x))) == i


@pytest.mark.parametrize("text", ["0", "1/3", "-1/3", "12345678901234567890123/7", "1e-290", "-1e290", "0.1", "1000", "7/8"])
@pytest.mark.parametrize("digits", [3, 17, 60])
def test_decimals_by_integers_hold_the_ball(text: str, digits: int) -> None:
    """Not below and not above any number of the ball, of that many digits, and as near as ball arithmetic makes them."""
    value = Fraction(text)
    with certified.precision(240):
        ball = certified.number(value)
        low, high = (Fraction(certified.decimal(ball, digits, up=x)) for x in (False, True))
        assert low <= value <= high
        assert high - low <= abs(value) * Fraction(10) ** -digits
        assert certified.number(low) <= ball.lower()
        assert certified.number(high) >= ball.upper()


@pytest.mark.parametrize("grid", ["uniform", "edm"])
def test_each_step_is_told_of_once(grid: str) -> None:
    told: list[int] = []
    with telling(told.append):
        ONE_STEP.evaluate(**BASE, grid=grid, N=40_000, profile="universal-integrated")
    assert sum(told) == 40_000
    assert len(told) > 2
