"""The enclosure of W2 between samples and a law, where W2 is known exactly."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

import cmbound
from cmbound.certification import distance
from cmbound.certification.distance import Effort, enclosure, line_potentials, nearest, transport, weighted_transport
from cmbound.certification.laws import DataLaw, Law, law_of
from cmbound.distances import gaussian_w2, w2_samples_1d

Array = npt.NDArray[np.float64]
MISSED = 0.01

RNG = np.random.default_rng(5)
PLANE = RNG.standard_normal((60, 2))
SPACE = RNG.uniform(-1, 1, (150, 12))
LINE = RNG.exponential(size=(80, 1))
MATRIX = np.diag([1.4, 0.8]) + 0.1  # positive: x -> M x is the gradient of a convex function


def drawn(law: Law, move: Callable[[Array], Array], seed: int = 0) -> Callable[[int, int], Array]:
    return lambda n, key: move(law.draw(n, np.random.default_rng([seed, key])))


def known(points: Array, move: Callable[[Array], Array]) -> float:
    return float(np.sqrt(np.mean(np.sum((move(points) - points) ** 2, axis=1))))


EXACT: dict[str, tuple[Array, Callable[[Array], Array]]] = {
    "a translation in the plane": (PLANE, lambda x: x + np.array([0.5, -0.2])),
    "a positive linear map in the plane": (PLANE, lambda x: x @ MATRIX),
    "a translation in 12 dimensions": (SPACE, lambda x: x + 0.1),
    "a contraction in 12 dimensions": (SPACE, lambda x: 0.7 * x),
    "the constant mean": (PLANE, lambda x: 0 * x + PLANE.mean(axis=0)),
    "a monotone map of the line": (LINE, lambda x: np.expm1(x / 2)),
}


@pytest.mark.parametrize("batches", [3, pytest.param(6, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", EXACT)
def test_w2_that_is_known_is_enclosed_narrowly(name: str, batches: int) -> None:
    """Optimal maps: gradients of convex functions, so that W2 is the distance moved. 4000 samples, and batches of 1000."""
    points, move = EXACT[name]
    law = law_of(points)
    found = enclosure(drawn(law, move), law, MISSED, None, Effort(4000, batches))
    truth = known(points, move)
    assert found.lower <= truth <= found.upper
    # a batch has a point more or less often than the law, and moves the difference: farther in many dimensions
    assert found.upper - found.lower < (0.3 if law.d > 2 else 0.15) * law.sd2


def test_the_law_itself_has_distance_zero() -> None:
    for points in (PLANE, LINE):
        law = law_of(points)
        found = enclosure(drawn(law, lambda x: x), law, MISSED, None, Effort(2000))
        assert found.lower < 1e-6
        assert found.upper < 0.25 * law.sd2


def test_a_permutation_of_the_points_costs_nothing() -> None:
    cost, psi = transport(SPACE[::-1], SPACE)
    assert cost == pytest.approx(0, abs=1e-12)
    assert abs(psi).max() < 1e-9


def test_gaussian_laws_are_enclosed() -> None:
    """The quadratic potential attains W2 between Gaussian laws, whatever the dimension."""
    law = cmbound.Gaussian([0.0, 1.0, 0.0], [[1.0, 0.2, 0.0], [0.2, 0.5, 0.0], [0.0, 0.0, 2.0]])
    mean, cov = 1.2 * law.mean + 0.1, 1.44 * law.covariance
    truth = gaussian_w2(law.mean, law.covariance, mean, cov)
    found = enclosure(drawn(law_of(law), lambda x: 1.2 * x + 0.1), law_of(law), MISSED, None, Effort(20_000))
    assert found.lower <= truth <= found.upper
    assert found.estimates[0] == pytest.approx(truth, rel=0.05)
    assert "quadratic" not in found.method


def test_the_guaranteed_enclosure_holds_the_asymptotic_one() -> None:
    law = law_of(SPACE)
    most = float(np.square(np.maximum(SPACE + 1, 1 - SPACE)).sum(axis=1).max())
    found = enclosure(drawn(law, lambda x: np.clip(1.5 * x, -1, 1)), law, MISSED, most, Effort(3000))
    assert found.trust == "guaranteed"
    assert found.lower <= found.asymptotic[0] <= found.asymptotic[1] <= found.upper
    assert found.asymptotic[0] <= known(SPACE, lambda x: np.clip(1.5 * x, -1, 1)) <= found.asymptotic[1]


def test_more_samples_make_it_narrower() -> None:
    law = law_of(PLANE)
    move = EXACT["a translation in the plane"][1]
    efforts = Effort(500, 3, batch=200), Effort(16_000, 12, batch=200)
    few, many = (enclosure(drawn(law, move), law, MISSED, None, x) for x in efforts)
    assert many.upper - many.lower < 0.6 * (few.upper - few.lower)


def test_seconds_decide_how_many_batches() -> None:
    law = law_of(LINE)
    found = enclosure(drawn(law, lambda x: x), law, MISSED, None, Effort(200, seconds=0.3))
    assert found.batches >= 3


def test_large_data_are_resampled(monkeypatch: pytest.MonkeyPatch) -> None:
    """More points than fit one batch: the two-sample bound, still above the truth."""
    monkeypatch.setattr(distance, "MOST_BATCH", 50)
    law = law_of(PLANE)
    found = enclosure(drawn(law, lambda x: x + 0.5), law, MISSED, None, Effort(3000, 3))
    assert "resampled" in found.method
    assert found.lower <= math.sqrt(0.5) <= found.upper


def test_weighted_points_and_batches_of_a_size_of_their_own() -> None:
    weights = np.random.default_rng(0).random(60)
    law = DataLaw(PLANE, weights / weights.sum())
    move = EXACT["a translation in the plane"][1]
    found = enclosure(drawn(law, move), law, MISSED, None, Effort(4000, 4, batch=500))
    assert found.batch == 500
    assert found.lower <= known(PLANE, move) <= found.upper


def test_a_population_is_bounded_from_above() -> None:
    """Points are only a sample of the law: W2 between N(0, I) and its translation, in two dimensions."""
    points = np.random.default_rng(0).standard_normal((1500, 2))
    law = law_of(points)
    fresh = np.random.default_rng
    found = enclosure(
        lambda n, key: fresh([1, key]).standard_normal((n, 2)) + np.array([1.0, 0.0]),
        law,
        MISSED,
        None,
        Effort(100, batch=500, population=True),
    )
    assert (found.lower, found.batches, found.batch) == (0, 3, 500)
    assert 1 <= found.upper < 1.5  # three batches: Student's t is 7 deviations
    with pytest.raises(cmbound.DomainError, match="at least 30 points"):
        enclosure(drawn(law_of(PLANE[:20]), lambda x: x), law_of(PLANE[:20]), MISSED, None, Effort(100, population=True))
    known_law = law_of(cmbound.Gaussian([0.0], 1.0))
    with pytest.raises(cmbound.InputError, match="is no sample"):
        enclosure(drawn(known_law, lambda x: x), known_law, MISSED, None, Effort(100, population=True))


# --- the parts -----------------------------------------------------------------------------------------------------------


def test_potentials_are_optimal() -> None:
    """Weak duality is an equality at the potentials of a batch, for that batch."""
    x = RNG.standard_normal((60, 2)) * 1.3
    cost, psi = transport(x, PLANE)
    assert nearest(x, PLANE, psi)[0].mean() + psi.mean() == pytest.approx(cost, rel=1e-6)
    again, duals = weighted_transport(x, PLANE, np.full(60, 1 / 60))
    assert again == pytest.approx(cost, rel=1e-9)
    assert nearest(x, PLANE, duals)[0].mean() + duals.mean() == pytest.approx(cost, rel=1e-6)


def test_potentials_on_the_line_are_optimal() -> None:
    y, weights = RNG.standard_normal(50_000), np.random.default_rng(1).random(80)
    weights /= weights.sum()
    psi = line_potentials(y, LINE[:, 0], weights)
    dual = nearest(y[:, None], LINE, psi)[0].mean() + weights @ psi
    assert dual == pytest.approx(w2_samples_1d(y, LINE[:, 0], None, weights) ** 2, rel=1e-4)


def test_any_potentials_stay_below() -> None:
    law, rng = law_of(PLANE), np.random.default_rng(0)
    y = drawn(law, lambda x: x + 0.5)(20_000, 0)
    for _ in range(20):
        psi = rng.standard_normal(60)
        assert nearest(y, PLANE, psi)[0].mean() + psi.mean() < 0.5 * (1 + 0.02)  # W2^2 = 0.5, and the noise of 20,000 samples


# --- how often it covers -------------------------------------------------------------------------------------------------

RUNS = 100
"""Seeds behind a coverage; :mod:`tests.coverage` has 200 for certificates among its slow tests."""


@pytest.fixture(scope="module")
def runs() -> list[distance.Enclosure]:
    """At the level 0.8, over seeds: W2 of a translation by 0.3 on the line, each end missed at most with half of the rest."""
    law = law_of(LINE[:20])
    return [enclosure(drawn(law, lambda x: x + 0.3, seed), law, 0.2, None, Effort(150, 3, batch=300)) for seed in range(RUNS)]


def coverage(ends: Sequence[float]) -> int:
    """How many lower ends are below the truth."""
    return sum(x <= 0.3 * (1 + 1e-9) for x in ends)


def test_both_ends_cover(runs: list[distance.Enclosure]) -> None:
    """Each end at least 0.9, with the allowance of asymptotic intervals; a wrong level would be found."""
    low, high = coverage([x.lower for x in runs]), sum(x.upper >= 0.3 * (1 - 1e-9) for x in runs)
    assert stats.binom.cdf(min(low, high), RUNS, 0.9 - 0.015) > 1e-4
    assert low < RUNS


def test_a_lower_end_without_its_margin_would_be_found(runs: list[distance.Enclosure]) -> None:
    """It is the estimate from below."""
    assert all(x.lower < x.estimates[0] for x in runs)
    assert stats.binom.cdf(coverage([x.estimates[0] for x in runs]), RUNS, 0.9 - 0.015) < 1e-4


def test_nearest_points_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of points and of samples give what one table gives; of equal values the first."""
    rng = np.random.default_rng(3)
    points, y, psi = 1e4 + rng.standard_normal((50, 3)), 1e4 + rng.standard_normal((40, 3)), rng.standard_normal(50)
    points[45], psi[45] = points[2], psi[2]
    table = np.square(y[:, None] - points).sum(axis=2) - psi
    monkeypatch.setattr(distance, "COPIED", 7)
    monkeypatch.setattr(distance, "BLOCK", 30)
    value, index = nearest(y, points, psi)
    np.testing.assert_allclose(value, table.min(axis=1), rtol=1e-10, atol=1e-10)
    np.testing.assert_array_equal(index, table.argmin(axis=1))


@pytest.mark.parametrize("effort", [Effort(200, 5), Effort(200, seconds=0.2)], ids=["batches", "seconds"])
def test_progress_is_a_share_of_the_batches(effort: Effort) -> None:
    law, seen = law_of(PLANE), list[float]()
    found = enclosure(drawn(law, lambda x: x), law, MISSED, None, effort, seen.append)
    assert len(seen) == found.batches
    assert seen == sorted(seen)
    assert 0 < seen[0] < 1
    assert seen[-1] == 1
