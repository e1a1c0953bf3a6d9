"""Paths chosen for many settings at once are those of one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
from sympy import Integer, Rational, sympify

import cmbound
from cmbound.errors import CmboundError, DomainError
from cmbound.evaluation.many import Tables, closed_costs, shortest, tables
from cmbound.evaluation.separated import LAST, apart, is_additive, separated
from cmbound.evaluation.sums import FLOATS
from cmbound.theory.functions import I3, J, P, c_drop, lam, lam_drop, lam_rise, log_lam, log_s, v_drop
from cmbound.theory.notation import L_s, a, b, d, h, m2, tau
from cmbound.theory.profiles import PROFILES
from tests import settings

OF_THE_DATA = (("m2",), ("m2", "L_s"), ("m2", "R", "tau"), ("m2", "L_os"), ("m2", "L_s", "R", "n_atoms", "L_os", "sd2", "d_eff"))


def _rows(id: str, names: tuple[str, ...], rng: np.random.Generator, extreme: dict[str, float]) -> list[dict[str, Any]]:
    """Lawful points."""
    found = []
    for _ in range(6):
        values = settings.repaired({**settings.draw(rng), **extreme})
        given = {**settings.for_theorem(cmbound.theorem(id), values), **{name: values[name] for name in names}}
        lawful = settings.one_law({**given, "t_star": "delta"})
        found.append({x: float(y) for x, y in lawful.items() if x not in ("k", "t_star")})
    return found


@pytest.mark.parametrize("id", ["explicit-one-step", "explicit-map-error", "explicit-multistep"])
@pytest.mark.parametrize("names", OF_THE_DATA)
def test_arrays_are_points_with_every_profile(id: str, names: tuple[str, ...]) -> None:
    """Automatic profiles: an array has at each place what a point has, to rounding."""
    rng = np.random.default_rng([len(names), len(id)])
    fixed: dict[str, Any] = {"t_star": "delta", **({"k": 3} if id == "explicit-multistep" else {})}
    for extreme in ({}, settings.EXTREMES[int(rng.integers(len(settings.EXTREMES)))]):
        rows = _rows(id, names, rng, extreme)
        alone = [cmbound.theorem(id).approximate(**row, **fixed) for row in rows]
        together = cmbound.theorem(id).approximate(**{x: np.array([row[x] for row in rows]) for x in rows[0]}, **fixed)
        for name, column in together.terms.items():
            np.testing.assert_allclose(column, [x.terms[name] for x in alone], rtol=1e-12)


def test_a_long_array_is_its_parts() -> None:
    """Whatever is computed together with a point."""
    rng = np.random.default_rng(0)
    values = {"h": 10 ** rng.uniform(-4, -1, 600), "m2": rng.uniform(0.1, 30, 600)}
    given = {"eps_sc": "0.01", "eps_cm": "0.01", "L_f": 2, "d": 5, "T": 5, "delta": "1e-3", "L_s": 300, "to": "p_delta"}
    statement = cmbound.theorem("explicit-one-step")
    whole = statement.approximate(**values, **given).total
    part = statement.approximate(**{name: x[510:515] for name, x in values.items()}, **given).total
    np.testing.assert_allclose(whole[510:515], part, rtol=1e-15)


def test_points_that_are_alike_are_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """As far as local errors are concerned, on which the score error and L_f have no influence; each point is as it is alone."""
    h, eps_sc, L_f = (x.ravel() for x in np.meshgrid([1e-3, 1e-2, 1e-1], [0.1, 0.2], [2.0, 3.0, 4.0]))
    sizes = []

    def counted(*args: Any) -> Any:
        sizes.append(args[-1])
        return closed_costs(*args)

    monkeypatch.setattr(cmbound.evaluation.arrays, "closed_costs", counted)
    statement, given = cmbound.theorem("explicit-one-step"), {"preset": "gaussian-2d", "profile": "auto"}
    together = statement.approximate(**given, h=h, eps_sc=eps_sc, L_f=L_f).total
    assert sizes == [3]
    alone = [
        statement.approximate(**given, h=float(x), eps_sc=float(y), L_f=float(z)).total
        for x, y, z in zip(h, eps_sc, L_f, strict=True)
    ]
    np.testing.assert_allclose(together, alone, rtol=1e-13)


INTEGRALS = [
    I3(a, b), J(a, b), P(L_s, a, b), m2 * log_s(a, b), b - a, m2 * (log_lam(a, b) + d * I3(a, b)), lam_rise(a, b), c_drop(a, b),
    lam_drop(a, b, Rational(3, 2)), v_drop(tau, a, b, Integer(2)),
]  # fmt: skip


@pytest.mark.parametrize("expr", INTEGRALS, ids=str)
def test_integrals_are_differences(expr: Any) -> None:
    """Also late, where they are small beside the values at the ends that they are differences of, as they are written."""
    assert is_additive(expr)
    assert separated(expr).is_sum
    begin, end = map(sympify, apart(expr) or ())
    assert b not in begin.free_symbols
    assert a not in end.free_symbols
    times = np.array([1e-6, 1e-5, 0.01, 0.5, 2.0, 5.0, 12.0])
    values = {L_s: 50.0, m2: 2.0, d: 3.0, tau: 0.3, LAST: 14.0}
    found = FLOATS.value(begin, {**values, a: times[:-1]}) + FLOATS.value(end, {**values, b: times[1:]})
    exact = FLOATS.value(expr, {**values, a: times[:-1], b: times[1:]})
    np.testing.assert_allclose(found, exact, rtol=1e-13, atol=1e-15 * exact.sum())


@pytest.mark.parametrize("expr", [I3(a, b) ** 2, lam(b) * (b - a), lam(a) + lam(b), (b - a) / lam(a)], ids=str)
def test_not_additive(expr: Any) -> None:
    """Products and sums at both ends are not; of these only sums are taken apart."""
    assert not is_additive(expr)
    assert separated(expr).is_sum == expr.is_Add


@pytest.mark.parametrize("profile", list(PROFILES))
def test_tables_are_the_bounds(profile: str) -> None:
    """Put together again for each pair of nodes the parts of a bound are the bound."""
    rng = np.random.default_rng(0)
    times = np.sort(rng.uniform(0.1, 3.0, (6, 2)), axis=0)
    ends = np.minimum(times + 0.1, times[-1])
    for rule in PROFILES[profile].rules[settings.EI]:
        values = {x: np.array([2.0, 3.0]) / (5 if x.name in ("tau", "h") else 1) for x in rule.bound.free_symbols - {a, b}}
        values |= {x: np.zeros(2) for x in values if x.name == "t_star"} | {h: np.array([0.1, 0.2])}
        (table,) = tables([separated(rule.bound)], times, ends, values)
        columns = [np.broadcast_to(table.column(k), (k, 2)) for k in (1, 2, 3)]
        found = FLOATS.value(rule.bound, {**values, a: times[1], b: ends[3]})
        np.testing.assert_allclose(columns[-1][1], np.broadcast_to(found, 2), rtol=1e-12)


def grown(seed: int, count: int = 300) -> tuple[list[Tables], Any, int]:
    """Tables of the rules whose growth is known, at random settings, where neighbours are at the same time, and how many."""
    rng = np.random.default_rng(seed)
    rules = [x for profile in PROFILES.values() for x in profile.rules[settings.EI]]
    costs = [x for x in map(separated, (x.bound for x in rules)) if not x.is_sum and x.growth is not None]
    times = np.sort(10 ** rng.uniform(-4, 0.5, (20, count)), axis=0)
    times[7] = times[8]
    names = sorted({x for rule in rules for x in rule.bound.free_symbols - {a, b}}, key=str)
    values = {x: 10 ** rng.uniform(-1, 2, count) for x in names}
    values |= {x: np.zeros(count) for x in names if x.name == "t_star"} | {h: 10 ** rng.uniform(-5, -1, count)}
    values |= {x: rng.uniform(0.1, 0.9, count) for x in names if x.name == "tau"}
    return tables(costs, times, np.minimum(times + values[h], times[-1]), values), times[:-1] == times[1:], count


def test_costs_grow_as_much_as_is_said() -> None:
    """Nine rules of the exponential integrator, integrated over a stretch, are known to grow."""
    found, _, _ = grown(0)
    assert len(found) == 9
    for table in found:
        gains = np.broadcast_to(table.gains(), (19, 300))
        columns = [np.broadcast_to(table.column(k), (k, 300)) for k in range(1, 20)]
        assert np.isfinite(gains[1:]).mean() > 0.9
        for k in range(1, 19):
            assert (columns[k][:k] >= (columns[k - 1] + np.nan_to_num(gains[k])) * (1 - 1e-12)).all()


def test_no_better_way_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ways that are left out could not have been the best; with a growth that is too large some were."""

    def both() -> list[Any]:
        return [shortest(*grown(1), lazily=x)[0] for x in (False, True)]

    whole, lazy = both()
    np.testing.assert_allclose(lazy, whole, rtol=1e-14)
    gains = Tables.gains
    monkeypatch.setattr(Tables, "gains", lambda table: 3 * gains(table))
    assert (both()[1] > whole * (1 + 1e-9)).any()


@dataclass
class Given(Tables):
    """Costs that are given, shape (K, K)."""

    def __init__(self, costs: Any) -> None:
        self.costs, self.cost = costs, separated(lam(a) * lam(b))

    def column(self, k: int) -> Any:
        return self.costs[:k, k, None]


def test_a_short_path_is_the_best_of_all() -> None:
    """Against every path, one after the other."""
    costs = np.random.default_rng(1).uniform(0.5, 2.0, (2, 5, 5)) * [[[1.0]], [[1.5]]]
    found, pieces = shortest([Given(x) for x in costs], np.zeros((4, 1), dtype=bool), 1)
    least = costs.min(axis=0)
    paths = [[0, *(i for i in range(1, 4) if mask >> i & 1), 4] for mask in range(0, 16, 2)]
    every = [sum(least[i, k] for i, k in pairwise(path)) for path in paths]
    assert found[0] == pytest.approx(min(every), rel=1e-15)
    assert sorted(zip(pieces.start, pieces.end, strict=True)) == list(pairwise(paths[int(np.argmin(every))]))
    assert all(costs[r, i, k] == least[i, k] for r, i, k in zip(pieces.rule, pieces.start, pieces.end, strict=True))


def test_no_path_takes_what_is_not_finite() -> None:
    """A cost that is not a number is none, and where every one is infinite there is no path."""
    costs = np.array([[0.0, np.nan, 5.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    found, pieces = shortest([Given(costs)], np.zeros((2, 1), dtype=bool), 1)
    assert found.tolist() == [5.0]
    assert pieces.start.tolist() == [0]
    found, pieces = shortest([Given(np.full((3, 3), np.inf))], np.zeros((2, 1), dtype=bool), 1)
    assert found.tolist() == [np.inf]
    assert not len(pieces.setting)


GRIDS = tuple(product(("exponential-integrator", "ddim", "heun"), ("uniform", "geometric", "edm"), (1, 5, 70)))


@pytest.mark.parametrize(("teacher", "kind", "N"), GRIDS)
def test_arrays_on_grids_are_points(teacher: str, kind: str, N: int) -> None:
    """Every teacher and grid, with lists for each step, in both clocks: at each place what a point has, to rounding."""
    rng = np.random.default_rng([N, len(kind), len(teacher)])
    id = str(rng.choice(["explicit-one-step", "explicit-map-error"]))
    names = OF_THE_DATA[int(rng.integers(len(OF_THE_DATA)))]
    clock = str(rng.choice(["ou", "ve"]))
    fixed: dict[str, Any] = {"teacher": teacher, "grid": kind, "N": N, "clock": clock, "t_star": "delta"}
    fixed |= {"L_f": rng.uniform(1, 3, N).tolist(), "eps_cm": rng.uniform(0, 0.1, N).tolist()} if N > 1 else {}
    fixed |= {"eps_sc": rng.uniform(0, 0.1, N + (teacher == "heun")).tolist()} if N == 70 else {}
    fixed |= {"M": 2.5} if teacher == "heun" else {}
    rows = [{x: y for x, y in row.items() if x != "h" and x not in fixed} for row in _rows(id, names, rng, {})]
    alone = [cmbound.theorem(id).approximate(**row, **fixed) for row in rows]
    together = cmbound.theorem(id).approximate(**{x: np.array([row[x] for row in rows]) for x in rows[0]}, **fixed)
    for name, column in together.terms.items():
        np.testing.assert_allclose(column, [x.terms[name] for x in alone], rtol=1e-12)
    assert set(together.unused) == set.intersection(*(set(x.unused) for x in alone))


def test_points_on_grids_are_computed_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the number of steps varies; not one after the other."""

    def refuse(*args: Any) -> None:
        raise AssertionError("one after the other")

    monkeypatch.setattr(cmbound.evaluation.arrays, "_loop", refuse)
    given = {"eps_sc": "0.01", "eps_cm": "0.01", "L_f": 2, "m2": 1, "T": 5, "delta": "1e-3", "grid": "edm", "teacher": "ddim"}
    found = cmbound.theorem("explicit-one-step").approximate(**given, d=np.array([[2.0, 3.0]]), N=np.array([[10], [20]]))
    assert found.total.shape == (2, 2)
    assert (np.diff(found.total, axis=0) < 0).all()
    assert (np.diff(found.total, axis=1) > 0).all()


@pytest.mark.parametrize("given", [{"profile": "universal", "N": 37}, {"h": "0.3"}, {"h": "0.3", "profile": "second-moment"}])
def test_equal_steps(given: dict[str, Any]) -> None:
    """One rule on equal steps is in closed form; where the size of the steps is given their number varies with T."""
    T = np.array([2.0, 3.5, 7.0])
    fixed = {"eps_sc": "0.01", "eps_cm": "0.01", "L_f": 2, "m2": 1, "d": 3, "delta": "1e-3", "grid": "uniform", **given}
    found = cmbound.theorem("explicit-one-step").approximate(**fixed, T=T)
    alone = [cmbound.theorem("explicit-one-step").approximate(**fixed, T=float(x)).total for x in T]
    np.testing.assert_allclose(found.total, alone, rtol=1e-13)


def test_given_nodes() -> None:
    """On nodes given one by one other parameters vary; an end that is not theirs is refused at its place."""
    fixed = {"eps_sc": "0.01", "eps_cm": "0.01", "L_f": 2, "m2": 1, "teacher": "ddim", "grid": [0.25, 1, 2, 4]}
    found = cmbound.theorem("explicit-one-step").approximate(**fixed, d=np.array([2.0, 5.0]))
    alone = [cmbound.theorem("explicit-one-step").approximate(**fixed, d=x).total for x in (2, 5)]
    np.testing.assert_allclose(found.total, alone, rtol=1e-13)
    with pytest.raises(CmboundError, match="T differs from the last node"):
        cmbound.theorem("explicit-one-step").approximate(**fixed, d=2, T=np.array([4.0, 5.0]))


def test_a_bad_place_on_a_grid_is_named() -> None:
    """As of a point."""
    given = {"eps_sc": 0, "eps_cm": 0, "L_f": 2, "m2": 1, "d": 2, "delta": "1e-3", "N": 8, "teacher": "ddim"}
    for bad, text in ((1e-4, "assumes delta < T"), (400.0, "at most 350")):
        with pytest.raises(DomainError, match=f"{text}.*index 1"):
            cmbound.theorem("explicit-one-step").approximate(**given, T=np.array([1.0, bad]))


def test_errors_in_a_sweep_name_their_place() -> None:
    """As before: the first point outside."""
    with pytest.raises(CmboundError, match="index 1"):
        cmbound.theorem("explicit-one-step").approximate(
            eps_sc=0.1, eps_cm=0.1, L_f=2, d=3, m2=1, T=5, delta=1e-3, h=np.array([0.1, 5.5]), to="p_delta"
        )


# --- each point is as it is alone ---------------------------------------------------------------------------------------

LAW: dict[str, Any] = {"eps_sc": 0, "eps_cm": 0, "L_f": 1, "d": 50, "m2": 2, "T": 5, "delta": 1e-3, "to": "p_delta"}


def check_alone(fixed: dict[str, Any], **varied: list[float]) -> None:
    """An array of points of explicit-one-step has what each of them has."""
    statement = cmbound.theorem("explicit-one-step")
    found = statement.approximate(**{**fixed, **{x: np.array(y) for x, y in varied.items()}}).total
    rows = [dict(zip(varied, row, strict=True)) for row in zip(*varied.values(), strict=True)]
    np.testing.assert_allclose(found, [statement.approximate(**{**fixed, **row}).total for row in rows], rtol=1e-12)


@pytest.mark.parametrize("L_s", [1, 2])
def test_a_bound_that_changes_its_shape_nowhere(L_s: int) -> None:
    """Where the time at which it would is infinite, no stretch is a rounding of the end long."""
    T, delta = 3.199834100124833, 0.18089679738241143
    check_alone({**LAW, "d": 11, "m2": 39, "L_s": L_s, "L_os": 4, "T": T, "delta": delta}, h=[0.002340868791557448, 0.01])


@pytest.mark.parametrize(("N", "data"), [(65, {"R": 3}), (68, {"R": 3, "L_s": 600, "t_star": "delta"})])
def test_as_many_candidates_as_nodes(N: int, data: dict[str, Any]) -> None:
    """Of which some are the same node: not every node is a candidate."""
    check_alone({**LAW, **data, "grid": "geometric", "N": N}, d=[50.0, 60.0])


def test_points_with_a_width_and_without() -> None:
    """Profiles that are for tau = 0 alone are those of the points where it is."""
    check_alone({**LAW, "h": 1e-3, "R": 2, "n_atoms": 10}, tau=[0.0, 1e-3, 0.0, 0.5])


def test_the_first_bad_point_is_named() -> None:
    """Whatever is wrong with it, and however many points there are."""
    T, sd2, given = np.full(20_000, 5.0), np.full(20_000, 1.0), {**LAW, "h": 1e-3}
    for law, horizon in ((1, 1025), (19_000, 17_000), (17_000, 19_000)):
        bad_T, bad_sd2 = T.copy(), sd2.copy()
        bad_T[horizon], bad_sd2[law] = 1e-4, 3
        text = "sd2 must be at most m2" if law < horizon else "assumes delta < T"
        with pytest.raises(DomainError, match=f"{text}.* at index {min(law, horizon)}$"):
            cmbound.theorem("explicit-one-step").approximate(**{**given, "T": bad_T}, sd2=bad_sd2)


def test_overflow_is_said_once() -> None:
    """By an error and no warning; a number that does not overflow in the end needs none."""
    with pytest.raises(DomainError, match="index 1"):
        cmbound.theorem("explicit-one-step").approximate(**{**LAW, "d": 10**6, "h": 1e-3, "L_f": np.array([1.0, 1e308])})
    large = {"T": 247, "m2": 500, "d": 61, "delta": 1e-6, "L_s": 1e7, "L_f": 500, "N": 63, "grid": "edm", "t_star": "delta"}
    assert cmbound.theorem("explicit-one-step").approximate(**{**LAW, **large, "to": "p_data", "clock": "ve"}).total > 1e100


def test_what_enters_some_point_is_used() -> None:
    """Not only the first."""
    several = cmbound.theorem("explicit-multistep")
    given = {**LAW, "h": 1e-3, "t_hat": 2}
    for k, unused in (([1, 3], ()), ([1, 1], (("t_hat", "one evaluation has no later times"),))):
        assert several.approximate(**given, k=np.array(k)).unused == unused
        assert cmbound.sweep("explicit-multistep", **given, k=k).unused == unused
    given = {**LAW, "d": 200, "m2": 9, "diameter": 3, "grid": "geometric", "N": 20, "teacher": "ddim"}
    for R, unused in (([3.0, 1.6], ()), ([3.0, 2.5], (("R", "diameter bounds the same better"),))):
        assert cmbound.theorem("explicit-one-step").approximate(**given, R=np.array(R)).unused == unused
