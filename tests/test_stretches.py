"""A stretch begins and ends at nodes: uniform grids, lists of nodes, and the closed form where only the largest step is known.

For every profile, pair of profiles and bound of a user's own: N equal steps give what the list of their nodes gives, the closed
form in h is at least the value on every uniform grid with steps up to h, and both are at least the truth.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest
from sympy import Expr, Rational, exp

import cmbound
from cmbound import Profile
from cmbound.evaluation.nodes import FLOATS, node
from cmbound.evaluation.paths import GridEdges, Shortest, choose, choose_pieces
from cmbound.evaluation.point import completed
from cmbound.evaluation.sums import Sums
from cmbound.theory.profiles import PROFILES
from cmbound.theory.variants import EI
from cmbound.worlds import Gaussian, Mixture

MAP_ERROR = cmbound.theorem("explicit-map-error")
BALL, SMOOTHED = ("bounded", "bounded-integrated", "atoms"), ("smoothed", "smoothed-integrated")
NAMES = [p.name for p in PROFILES.values() if EI in p.rules]
CHOICES = [(x,) for x in NAMES] + list(itertools.combinations(NAMES, 2))
ROUNDING = 1e-12


def _own(rng: np.random.Generator, slope: Fraction) -> Profile:
    """A true bound where the score acceleration is at most ``slope``: for one step, or for steps up to h."""
    return _bound(slope, bool(rng.uniform() < 0.5), bool(rng.uniform() < 0.5))


@cache
def _bound(slope: Fraction, of_one_step: bool, stepwise: bool) -> Profile:
    def one_step(a: Any, b: Any, h: Any) -> Expr:
        return Rational(slope) * (exp(b - a) - 1 - (b - a))

    def any_steps(a: Any, b: Any, h: Any) -> Expr:
        return Rational(slope) * (exp(h) - 1) * (b - a)

    return Profile.from_stretch("own", one_step if of_one_step else any_steps, stepwise=stepwise)


def _settings(seed: int, count: int) -> Iterator[dict[str, Any]]:
    """Settings of the map error whose only term is the discretisation."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        low = Fraction(float(10.0 ** rng.uniform(-5, -0.5)))
        yield {
            "eps_sc": 0,
            "eps_cm": 0,
            "L_f": Fraction(float(rng.uniform(1, 3))),
            "d": int(rng.integers(1, 40)),
            "m2": float(10.0 ** rng.uniform(-1, 1)),
            "delta": low,
            "T": low + Fraction(float(10.0 ** rng.uniform(-0.5, 0.9))),
        }


def _law(choice: tuple[str, ...], delta: Fraction, rng: np.random.Generator) -> dict[str, Any]:
    """What these profiles need besides: constants that one law can have."""
    known: dict[str, Any] = {}
    if {*BALL, *SMOOTHED} & set(choice):
        known["R"] = float(10.0 ** rng.uniform(-1, 1))
    if "atoms" in choice:
        known["n_atoms"] = int(rng.integers(2, 1000))
    if set(SMOOTHED) & set(choice):
        known["tau"] = "1/3"
    if {"lipschitz", "lipschitz-integrated"} & set(choice):
        known["L_s"] = 9 + float(10.0 ** rng.uniform(-1, 3))
    if "one-sided" in choice:
        known["L_os"] = float(rng.choice([0.0, 10.0 ** rng.uniform(-1, 3)]))
    if "R" in known and {"L_s", "L_os"} & known.keys() and "tau" not in known:
        known["t_star"] = "delta"
        known |= {"L_s": known["L_s"] - float(1 / np.expm1(-2 * float(delta)))} if "L_s" in known else {}
    return known


def _profiles(choice: tuple[str, ...], own: Profile | None = None) -> dict[str, Any]:
    asked = [own, *choice] if own else list(choice)
    return {"profile": asked if len(asked) > 1 else asked[0]}


def _nodes(low: Fraction, high: Fraction, N: int) -> list[Fraction]:
    return [low + (high - low) * j / N for j in range(N + 1)]


def _together(choice: tuple[str, ...]) -> bool:
    """Whether the profiles can hold of one law as the package reads R (smoothed needs tau, bounded tau = 0)."""
    return not (set(SMOOTHED) & set(choice) and set(BALL) & set(choice))


@pytest.mark.parametrize("choice", [x for x in CHOICES if _together(x)], ids="+".join)
@pytest.mark.parametrize("own", [False, True], ids=["built-in", "own"])
def test_equal_steps_their_nodes_and_the_closed_form(choice: tuple[str, ...], own: bool) -> None:
    rng = np.random.default_rng(len(choice) + 7 * own)
    for i, p in enumerate(_settings(sum(map(len, choice)), 3)):
        mine = _own(rng, Fraction(10) ** int(rng.integers(-3, 2))) if own else None
        base = {**p, **_law(choice, p["delta"], rng), **_profiles(choice, mine)}
        low, high = p["delta"], p["T"]
        h = (high - low) / (1, 2.5, 90)[i]
        closed = float(MAP_ERROR.approximate(**base, h=Fraction(h)).total)
        for N in (int(np.ceil((high - low) / h)), (2, 7, 200)[i]):
            by_number = float(MAP_ERROR.approximate(**base, N=N).total)
            listed = {name: value for name, value in base.items() if name not in ("delta", "T")}
            by_nodes = float(MAP_ERROR.approximate(**listed, grid=_nodes(low, high, N)).total)
            assert by_number == pytest.approx(by_nodes, rel=ROUNDING), (N, base)
            assert (high - low) / N > h or by_number <= closed * (1 + ROUNDING), (N, h, base)


PAIRS = (("universal", "universal-integrated"), ("lipschitz", "second-moment", "lipschitz-integrated"))


def test_the_certified_value_is_that_of_the_nodes() -> None:
    rng = np.random.default_rng(2)
    for p in _settings(3, 2):
        for choice in (*PAIRS, ("one-sided",), ("bounded-integrated", "bounded")):
            listed = {name: value for name, value in p.items() if name not in ("delta", "T")}
            law = _law(choice, p["delta"], rng)
            by_number = MAP_ERROR.evaluate(**p, **law, N=70, **_profiles(choice))
            by_nodes = MAP_ERROR.evaluate(**listed, **law, grid=_nodes(p["delta"], p["T"], 70), **_profiles(choice))
            assert by_number.value == pytest.approx(by_nodes.value, rel=1e-15)
            nodes = {float(x) for x in _nodes(p["delta"], p["T"], 70)}
            for stretch in by_number.stretches:
                assert min(abs(stretch.start - x) for x in nodes) <= 1e-14 * stretch.start


def test_arrays_pay_for_their_cuts_too() -> None:
    """Entry by entry the vectorised closed form is that of one evaluation, which pays for the step a cut falls into."""
    for p in _settings(5, 3):
        h = np.geomspace(1e-4, float(p["T"] - p["delta"]), 7)
        base = {**p, "profile": ["universal", "universal-integrated", "second-moment"]}
        together = MAP_ERROR.approximate(**{k: float(v) if isinstance(v, Fraction) else v for k, v in base.items()}, h=h).total
        for x, value in zip(h, together, strict=True):
            assert float(MAP_ERROR.evaluate(**base, h=float(x)).value) == pytest.approx(float(value), rel=1e-9)
        assert np.all(np.diff(together) > 0)


# --- against the truth --------------------------------------------------------------------------------------------------


def _truth(world: Gaussian | Mixture, nodes: Any) -> float:
    """Sum of the local errors of the exponential integrator on the line, by midpoints in the quantile."""
    z = _NORMAL_MIDPOINTS
    at = [world.from_normal(z[:, None], float(t)) if isinstance(world, Mixture) else _gaussian(world, z, float(t)) for t in nodes]
    total = 0.0
    for (x, y), (low, high) in zip(itertools.pairwise(at), itertools.pairwise(nodes), strict=True):
        step = float(high - low)
        error = np.exp(step) * y + np.expm1(step) * world.score(y, float(high)) - x
        total += float(np.sqrt(np.mean(error**2)))
    return total


def _midpoints(count: int) -> Any:
    from scipy.special import ndtri

    return ndtri((np.arange(count) + 0.5) / count)


_NORMAL_MIDPOINTS = _midpoints(500)


def _gaussian(world: Gaussian, z: Any, t: float) -> Any:
    variance = np.exp(-2 * t) * float(world.covariance[0, 0]) - np.expm1(-2 * t)
    return (np.sqrt(variance) * z + np.exp(-t) * float(world.mean[0]))[:, None]


def _acceleration(world: Gaussian | Mixture, low: float, high: float) -> float:
    """The largest score acceleration on [low, high], rounded up."""
    z, largest = _NORMAL_MIDPOINTS, 0.0
    for t in np.geomspace(low, high, 40):
        x = world.from_normal(z[:, None], t) if isinstance(world, Mixture) else _gaussian(world, z, t)
        largest = max(largest, float(np.sqrt(np.mean(world.score_acceleration(x, t) ** 2))))
    return 1.02 * largest


def _largest_slope(world: Gaussian | Mixture, high: float) -> float:
    """The largest slope of the score on [0, high], rounded up; 0 where the law is log-concave."""
    x = np.linspace(-8, 8, 4001)[:, None]
    slopes = [np.diff(world.score(x, float(t))[:, 0]) / np.diff(x[:, 0]) for t in np.linspace(1e-9, high, 60)]
    return 1.02 * max(0.0, float(np.max(slopes)))


WORLDS: dict[str, Gaussian | Mixture] = {
    "narrow": Gaussian([0.0], [[0.01]]),
    "wide": Gaussian([0.0], [[100.0]]),
    "two clusters": Mixture([[-1.5], [1.5]], [0.3, 0.7], 0.04),
    "three clusters": Mixture([[-3.0], [0.0], [2.0]], [0.2, 0.5, 0.3], 0.25),
}


@pytest.mark.parametrize("name", WORLDS)
def test_every_choice_of_profiles_is_above_the_truth(name: str) -> None:
    """Alone, in pairs and beside a bound of one's own: the closed form and the uniform grid are bounds."""
    world, rng = WORLDS[name], np.random.default_rng(11)
    low, high = Fraction(1, 20), Fraction(21, 20)
    slope = Fraction(_acceleration(world, float(low), float(high)))
    known: dict[str, Any] = {"d": 1, "m2": world.m2, "eps_sc": 0, "eps_cm": 0, "L_f": 1, "delta": low, "T": high}
    known["L_s"] = max(1.0, world.score_lipschitz(float(high)))
    smoothing = world.smoothing
    if smoothing is not None:
        known["R"], known["tau"] = smoothing
    known["L_os"] = _largest_slope(world, float(high))
    names = [x for x in NAMES if x not in BALL and (smoothing is not None or x not in SMOOTHED)]
    for N in (1, 3, 40):
        truth = _truth(world, _nodes(low, high, N))
        for choice in [(x,) for x in names] + list(itertools.combinations(names, 2)):
            for mine in (None, _own(rng, slope))[: len(choice)]:
                base = {**known, **_profiles(choice, mine)}
                on_grid = float(MAP_ERROR.approximate(**base, N=N).total)
                closed = float(MAP_ERROR.approximate(**base, h=(high - low) / N).total)
                assert truth * (1 - 1e-6) <= on_grid <= closed * (1 + ROUNDING), (N, choice, mine)


def test_a_bound_for_one_step_is_not_cut_inside_it() -> None:
    """A bound that grows like the square of the stretch would vanish if a step were cut into pieces."""
    own = Profile.from_stretch("own", lambda a, b, h: Rational(256, 1000) * (exp(b - a) - 1 - (b - a)))
    base: dict[str, Any] = {"eps_sc": 0, "eps_cm": 0, "L_f": 1, "d": 1, "m2": 10}
    ends = {"delta": "0.05", "T": "1.05"}
    alone = MAP_ERROR.evaluate(**base, **ends, h=1, profile=own).value
    assert alone >= _truth(WORLDS["wide"], [0.05, 1.05]) > 0.14
    for choice in ({**ends, "h": 1}, {**ends, "grid": "uniform", "N": 1}, {**ends, "N": 1}, {"grid": ["0.05", "1.05"]}):
        assert MAP_ERROR.evaluate(**base, **choice, profile=(own, "universal")).value == alone


@pytest.mark.parametrize("stepwise", [True, False])
def test_a_bound_of_ones_own_is_summed_over_equal_steps(stepwise: bool) -> None:
    """``stepwise`` means the same for N equal steps as for their list."""
    own = Profile.from_stretch("own", lambda a, b, h: (b - a) ** 2, stepwise=stepwise)
    base: dict[str, Any] = {"eps_sc": 0, "eps_cm": 0, "L_f": 1, "d": 1, "m2": 1, "profile": own}
    found = MAP_ERROR.evaluate(**base, delta="1/4", T="5/4", N=10).value
    assert found == pytest.approx(0.1 if stepwise else 1.0, rel=1e-15)
    assert MAP_ERROR.evaluate(**base, grid=_nodes(Fraction(1, 4), Fraction(5, 4), 10)).value == found


@pytest.mark.parametrize("teacher", ["ddim", "heun"])
def test_one_search_finds_the_paths_to_all_nodes(teacher: str) -> None:
    given = {"preset": "digits", "grid": "edm", "N": 12, "teacher": teacher, **({"M": 1} if teacher == "heun" else {})}
    setting = completed(MAP_ERROR, given)
    assert setting.grid is not None
    every = Shortest(GridEdges(Sums(setting, FLOATS), setting.values["T"], np.arange(13)), setting.profiles)
    for k in range(1, 13):
        found = every.choice(k)
        edges = GridEdges(Sums(setting, FLOATS), node(setting, k), np.arange(k + 1))
        alone = choose(edges, setting.profiles)
        assert found.path == alone.path
        assert found.cost == pytest.approx(alone.cost, rel=1e-12)


@pytest.mark.parametrize("choice", [{}, {"clock": "ve"}, {"L_s": 1}, {"n_atoms": 5, "R": 3, "L_s": None}])
def test_paths_to_many_ends_are_those_to_each_alone(choice: dict[str, Any]) -> None:
    """Some ends are so near that candidate times coincide."""
    given = {
        "eps_sc": 0.01,
        "eps_cm": 0.01,
        "L_f": 1,
        "d": 2,
        "m2": 1.5,
        "L_s": 4,
        "T": 6,
        "delta": "1e-4",
        "h": "1e-2",
        **choice,
    }
    setting = completed(MAP_ERROR, {name: x for name, x in given.items() if x is not None})
    ends = [
        Fraction(x)
        for x in ("1/9999", "1/1000", "1/7", "1/3", "3/2", *map(str, range(2, 6)), "6", *(f"{i}/31" for i in range(9, 22)))
    ]
    together = choose_pieces(setting, Sums(setting, FLOATS), ends)
    assert list(together) == ends
    assert len({x.rule for pieces in together.values() for x in pieces}) > 1
    for end in ends:
        assert together[end] == choose_pieces(setting, Sums(setting, FLOATS), [end])[end]
