"""One unknown at a time: inverses of monotone functions, numbers of steps against a search by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize, minimize_scalar

from cmbound.arithmetic.minimum import minimum, simplex_minimum
from cmbound.errors import DomainError
from cmbound.planning.roots import Missed, fewest, largest, smallest
from cmbound.theory.grids import MAX_STEPS


@pytest.mark.parametrize("exact", [1e-9, 0.3, 7.0, 1e8])
@pytest.mark.parametrize("power", [0.25, 1.0, 6.0])
def test_largest_is_the_inverse(exact: float, power: float) -> None:
    found = largest(lambda x: x**power, exact**power, 1e-12, 1e12)
    assert found == pytest.approx(exact, rel=2e-7)
    assert largest(lambda x: x**power, exact**power, 1e-12, 1e12, 1e-12) == pytest.approx(exact, rel=1e-11)


def test_largest_where_there_is_nothing_to_solve() -> None:
    assert largest(lambda x: x, 3.0, 1.0, 3.0) == 3.0
    assert largest(lambda x: x, 9.0, 1.0, 2.0) == 2.0
    assert largest(lambda x: 0.0, 9.0, 1.0, 2.0) == 2.0
    assert largest(lambda x: x, 1.0, 1.0, 2.0) == pytest.approx(1.0, rel=1e-6)
    with pytest.raises(Missed, match=r"^at 0\.25 it is still 0\.3333$") as caught:
        largest(lambda x: 4 * x / 3, 0.3, 0.25, 2.0)
    assert (caught.value.place, caught.value.value) == (0.25, 4 * 0.25 / 3)


def refused_above(edge: float, f: Callable[[float], float]) -> Callable[[float], float]:
    def g(x: float) -> float:
        if x > edge:
            raise DomainError("beyond float64")
        return f(x)

    return g


def test_beyond_float64_is_infinite() -> None:
    assert largest(refused_above(700, math.exp), math.exp(5), 1e-3, 1e6) == pytest.approx(5, rel=1e-6)
    with pytest.raises(Missed, match=r"^at 4 it is still inf$"):
        smallest(refused_above(3, lambda x: 9.0), 1.0, 1.0, 4.0)


@pytest.mark.parametrize("exact", [0.01, 2.0, 300.0])
def test_smallest_is_the_inverse(exact: float) -> None:
    """Absolute accuracy relative to the lower end, but for ends below 1e-3."""
    for low in (0.0, 1e-3, 5e-3):
        found = smallest(lambda x: 5 * math.exp(-x), 5 * math.exp(-exact), low, 690.0)
        assert abs(found - exact) <= 1e-7 * max(low, 1e-3) + 1e-12 * exact
    assert smallest(lambda x: max(0.0, 1 - x / exact), 0.5, 0.0, 3 * exact) == pytest.approx(exact / 2, rel=1e-6)  # 0 at the end


def test_smallest_where_there_is_nothing_to_solve() -> None:
    assert smallest(lambda x: 1 / x, 0.5, 2.0, 9.0) == 2.0
    with pytest.raises(Missed, match=r"^at 8 it is still 0\.125$") as caught:
        smallest(lambda x: 1 / x, 0.1, 2.0, 8.0)
    assert (caught.value.place, caught.value.value) == (8.0, 0.125)
    assert smallest(lambda x: 1 / x, 0.125, 2.0, 8.0) == pytest.approx(8.0, rel=1e-6)


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0, 3.7])
@pytest.mark.parametrize("exact", [1, 2, 3, 17, 1000, 9999])
def test_fewest_is_exact_up_to_ten_thousand(exact: int, power: float) -> None:
    """And no quantity is computed often: each evaluation sums over a grid."""
    asked = list[int]()

    def f(n: int) -> float:
        asked.append(n)
        return float(3 * n**-power * (1 + 0.2 / n))

    assert fewest(f, f(exact)) == exact
    assert fewest(f, math.nextafter(f(exact), 0)) == exact + 1
    assert min(asked) == 1
    assert len(asked) <= 66


@pytest.mark.parametrize("exact", [20_001, 123_457, 40_000_000])
def test_fewest_beyond_ten_thousand_is_rounded_up_a_little(exact: int) -> None:
    for power, most in ((0.5, 40), (1.0, 10), (1.5, 60), (2.0, 80), (4.0, 60)):
        asked = list[int]()

        def f(n: int, power: float = power, asked: list[int] = asked) -> float:
            asked.append(n)
            return float(1e5 * n**-power)

        found = fewest(f, f(exact), limit=10**9)
        assert exact <= found <= exact * (1 + 1e-4)
        assert len(asked) <= most, "predictions that creep"
    assert fewest(lambda n: 1 / n, 1 / exact, limit=10**9, width=0.0) == exact


def test_fewest_of_a_step_is_found_by_halving() -> None:
    for exact in (2, 5, 777, 9000):
        assert fewest(lambda n, m=exact: 1.0 if n < m else 1e-6, 1e-3) == exact  # type: ignore[misc]


def test_fewest_ends_at_the_limit() -> None:
    assert fewest(lambda n: 1 / n, 1 / 700, limit=700) == 700
    with pytest.raises(Missed, match=r"^at 699 it is still") as caught:
        fewest(lambda n: 1 / n, 1 / 700, limit=699)
    assert (caught.value.place, caught.value.value) == (699, 1 / 699)
    with pytest.raises(Missed) as caught:
        fewest(lambda n: 2.0, 1.0)
    assert caught.value.place == MAX_STEPS


@pytest.mark.parametrize("most", [2, 16, 500])
@pytest.mark.parametrize(
    "f", [lambda x: (x - 1) ** 2 + math.sin(5 * x), lambda x: abs(x - 2), lambda x: min(x * x, 3.0), lambda x: x, math.floor]
)
def test_a_minimum_is_searched_at_the_places_scipy_tries(f: Callable[[float], float], most: int) -> None:
    for low, high, accuracy in ((-1.0, 4.0, 1e-6), (0.5, 2.5, 0.1), (-3.0, 1e3, 1e-3)):
        ours: list[float] = []
        theirs: list[float] = []

        def noted(x: Any, places: list[float]) -> float:
            places.append(float(x))
            return f(x)

        found = minimum(partial(noted, places=ours), low, high, accuracy, most)
        wanted = minimize_scalar(
            partial(noted, places=theirs), bounds=(low, high), method="bounded", options={"xatol": accuracy, "maxiter": most}
        )
        assert ours == theirs
        assert found == wanted.x


@pytest.mark.parametrize("most", [3, 40, 600])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_simplex_moves_as_that_of_scipy(count: int, most: int) -> None:
    def valley(x: Any) -> float:
        return float(np.sum((x - np.arange(count)) ** 2) + np.prod(np.sin(3 * x)))

    for f in (valley, lambda x: float(np.max(np.abs(x - 1))), lambda x: float("inf") if x[0] < 0.3 else float(np.sum(x * x))):
        start = np.linspace(0.5, 2, count)
        simplex = np.array([start, *(start + 0.4 * step for step in np.eye(count))])
        ours: list[Any] = []
        theirs: list[Any] = []

        def noted(x: Any, places: list[Any], f: Callable[[Any], float]) -> float:
            places.append(x.tolist())
            return f(x)

        place, value = simplex_minimum(partial(noted, places=ours, f=f), simplex, 1e-6, 1e-9, most)
        options = {"initial_simplex": simplex, "xatol": 1e-6, "fatol": 1e-9, "maxfev": most}
        wanted = minimize(partial(noted, places=theirs, f=f), start, method="Nelder-Mead", options=options)
        assert ours == theirs
        assert (place.tolist(), value) == (wanted.x.tolist(), wanted.fun)
