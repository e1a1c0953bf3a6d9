"""Every interval the package prints covers the truth as often as it says, over seeds (:mod:`tests.coverage`)."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from cmbound.distances import coupling_w2, sliced_w2, w2_samples
from tests.coverage import ALLOWANCE, CASES, SKEWED, TWO, Case, table

CLAIMED = [x for x in CASES if x.claimed]


def check(case: Case, runs: int) -> None:
    """Skewed laws are asked for more: the upper end alone is missed in 2.5% of the runs, up to the allowance.

    Without the correction for skewness it is missed in 14% and 9% (w2_samples and sliced_w2, n = 20).
    """
    sides = case.sides(runs)
    covered, missed = sides.count(0), sides.count(+1)
    assert case.plausible(covered, runs), f"{covered} of {runs} intervals cover; {case.least:.1%} are asked for"
    if case.law in SKEWED:
        assert stats.binom.sf(missed - 1, runs, 0.025 + ALLOWANCE) > 1e-3, f"{missed} of {runs} upper ends are too low"


@pytest.mark.parametrize("case", CLAIMED, ids=lambda x: x.name)
def test_coverage(case: Case) -> None:
    """Binomial test: 88.5% where 95% is claimed is found with 3000 runs (weight 1)."""
    check(case, 3000 // case.weight)


@pytest.mark.slow
@pytest.mark.parametrize("case", CLAIMED, ids=lambda x: x.name)
def test_coverage_with_many_seeds(case: Case) -> None:
    check(case, 60_000 // case.weight)


def test_skewed_laws_are_among_the_cases() -> None:
    found = {(x.interval, x.law, x.n) for x in CLAIMED}
    assert found >= {(name, law, n) for name in TWO for law in SKEWED for n in (20, 100)}


@pytest.mark.parametrize("name", ["coupling_w2", "w2_samples", "sliced_w2"])
def test_a_rare_event_not_seen_is_covered_by_a_stated_diameter_only(name: str) -> None:
    """All that was seen is 0: the interval collapses, and is called asymptotic; with a diameter it reaches what may be hidden."""
    x = np.zeros((100, 2))
    calls = {
        "coupling_w2": coupling_w2,
        "w2_samples": w2_samples,
        "sliced_w2": lambda x, y, **more: sliced_w2(x, y, 1000, 0, **more),
    }
    call = calls[name]
    bare, bounded = call(x, x), call(x, x, diameter=3.0)
    assert (bare.value, bare.lower, bare.upper, bare.trust) == (0, 0, 0, "asymptotic")
    assert (bounded.value, bounded.lower, bounded.trust) == (0, 0, "guaranteed")
    # a law that moves 3 with probability 1 - 0.025^(1/100) = 3.6% hides as often as the upper end may be too low
    assert 3 * (1 - 0.025**0.01) ** 0.5 <= bounded.upper < 2
    assert call(x, x + 3e-5, diameter=3e-3).upper == pytest.approx(call(x, x + 3e-2, diameter=3.0).upper * 1e-3)


def test_the_table_names_every_case() -> None:
    lines = table(1).splitlines()
    assert len(lines) == len(CASES) + 2
    assert all(x.interval in line and x.trust in line for x, line in zip(CASES, lines[2:], strict=True))
