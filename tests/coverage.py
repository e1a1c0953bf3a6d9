"""How often each interval of the package covers the truth: ``python -m tests.coverage [RUNS]`` prints the table (Markdown).

A case draws data from a law whose truth is known and says whether the interval covers it. The tests ask for the nominal level:
without allowance where an interval is guaranteed, and with an allowance of 1.5 percentage points where it is asymptotic. Cases
that are not claimed are known limits of asymptotic intervals; they are in the table, next to the same law with its diameter.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import stats

from cmbound import Gaussian, certify, measured_profile
from cmbound.distances import Estimate, coupling_w2, gaussian_w2, sliced_w2, w2_samples
from cmbound.sampling import Moments
from cmbound.verification.carried import _distance
from cmbound.verification.mixture import LEVEL, distance

Array = npt.NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Array]

ALLOWANCE = 0.015
"""How far below its level an asymptotic interval may cover."""
SIGNIFICANT = 1e-4
"""A case fails if so few intervals would cover with at most this probability."""


@dataclass(frozen=True)
class Case:
    """An interval, a law and a number of samples.

    Attributes:
        interval: the function it comes from.
        law: what is drawn.
        n: number of samples.
        trust: ``guaranteed`` or ``asymptotic``.
        level: nominal.
        side: where the truth lies beside the interval for data from this generator: -1 below, 0 inside, +1 above.
        weight: runs are divided by this (slow intervals).
        claimed: False for a known limit of an asymptotic interval.
    """

    interval: str
    law: str
    n: int
    trust: str
    level: float
    side: Callable[[np.random.Generator], int]
    weight: int = 1
    claimed: bool = True

    @property
    def name(self) -> str:
        return f"{self.interval}, {self.law}, n = {self.n}, {self.trust}"

    @property
    def least(self) -> float:
        """The coverage asked for."""
        return self.level - (ALLOWANCE if self.trust == "asymptotic" else 0.0)

    def sides(self, runs: int) -> list[int]:
        """The side of each run; run i has a generator of its own."""
        return [self.side(np.random.default_rng([i, self.n])) for i in range(runs)]

    def plausible(self, covered: int, runs: int) -> bool:
        """Whether the interval may well cover as often as it claims."""
        return bool(stats.binom.cdf(covered, runs, self.least) > SIGNIFICANT)


def _side(lower: float, truth: float, upper: float) -> int:
    return int(truth > upper) - int(truth < lower)


def _beside(found: Estimate, truth: float) -> int:
    return _side(found.lower, truth, found.upper)


# --- pairs: the rows of x - y, and the root of their mean square ---------------------------------------------------------


def _normal(d: int) -> Draw:
    return lambda rng, n: rng.standard_normal((n, d))


def _rare(probability: float, size: float) -> Draw:
    return lambda rng, n: np.where(rng.random((n, 1)) < probability, size, 0.0)


PAIRS: dict[str, tuple[Draw, float]] = {
    "normal differences, d = 1": (_normal(1), 1.0),
    "normal differences, d = 10": (_normal(10), math.sqrt(10)),
    "N(1, 1) differences, d = 1": (lambda rng, n: 1 + rng.standard_normal((n, 1)), math.sqrt(2)),
    "widths 1, 0.1, 0.1": (lambda rng, n: rng.normal(0.0, [1, 0.1, 0.1], (n, 3)), math.sqrt(1.02)),
    "uniform on [-1, 1]": (lambda rng, n: rng.uniform(-1, 1, (n, 1)), math.sqrt(1 / 3)),
    "Laplace": (lambda rng, n: rng.laplace(size=(n, 1)), math.sqrt(2)),
    "10 with probability 2%": (_rare(0.02, 10.0), math.sqrt(2)),
    "root of an exponential": (lambda rng, n: np.sqrt(rng.exponential(size=(n, 1))), 1.0),
    "exponential": (lambda rng, n: rng.exponential(size=(n, 1)), math.sqrt(2)),
    "1 with probability 50%": (_rare(0.5, 1.0), math.sqrt(0.5)),
    "1 with probability 0.1%": (_rare(0.001, 1.0), math.sqrt(0.001)),
}


def _coupling(law: str, n: int, diameter: float | None = None, claimed: bool = True) -> Case:
    draw, truth = PAIRS[law]

    def side(rng: np.random.Generator) -> int:
        x = draw(rng, n)
        return _beside(coupling_w2(x, np.zeros_like(x), diameter=diameter), truth)

    return Case("coupling_w2", law, n, "guaranteed" if diameter else "asymptotic", 0.95, side, 3 if diameter else 1, claimed)


# --- two samples ---------------------------------------------------------------------------------------------------------


def _shifted(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    return rng.standard_normal((n, 2)), rng.normal([1.0, 0.0], 1.0, (n, 2))


def _same(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    return rng.uniform(size=(n, 2)), rng.uniform(size=(n, 2))


def _halved(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    return rng.uniform(-1, 1, size=(n, 2)), rng.uniform(-0.5, 0.5, size=(n, 2))


def _mode(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    return np.where(rng.random((n, 1)) < 0.01, 1.0, 0.0), np.zeros((n, 1))


def _exponential(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    return rng.exponential(size=(n, 1)), rng.exponential(4.0, size=(n, 1))


def _point(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    return np.zeros((n, 1)), rng.standard_normal((n, 1))


def _plane_point(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    return np.zeros((n, 2)), rng.standard_normal((n, 2))


SAMPLES: dict[str, tuple[Callable[[np.random.Generator, int], tuple[Array, Array]], float, float]] = {
    "N(0, I) and N(e_1, I), d = 2": (_shifted, 1.0, math.inf),
    "uniform on a square, twice": (_same, 0.0, math.sqrt(2)),
    "uniform on a square and on its half": (_halved, math.sqrt(1 / 6), math.sqrt(8)),
    "exponential and 4 times as wide, d = 1": (_exponential, math.sqrt(18), math.inf),
    "a point and N(0, 1), d = 1": (_point, 1.0, math.inf),
    "a point and N(0, I), d = 2": (_plane_point, math.sqrt(2), math.inf),
    "a mode of 1% at distance 1, and none": (_mode, 0.1, 1.0),
}
"""The samples, W2 of the laws, and the diameter."""


TWO = ("w2_samples", "sliced_w2")
SKEWED = tuple(law for law in SAMPLES if law.startswith(("exponential", "a point")))
"""Their squared distances are skewed, and there is little bias to make up for it."""


def _two(interval: str, law: str, n: int, *, bounded: bool = False, weight: int = 1, claimed: bool = True) -> Case:
    draw, truth, diameter = SAMPLES[law]
    stated = diameter if bounded else None

    def side(rng: np.random.Generator) -> int:
        x, y = draw(rng, n)
        if interval == "w2_samples":
            return _beside(w2_samples(x, y, diameter=stated), truth)
        root = math.sqrt(x.shape[1])  # along every direction these laws differ so that d^(1/2) times sliced W2 is W2
        return _beside(sliced_w2(x, y, 20, int(rng.integers(2**31)), diameter=stated), truth / root)

    return Case(interval, law, n, "guaranteed" if bounded else "asymptotic", 0.95, side, weight, claimed)


def _simulated(method: str, law: str, n: int, weight: int) -> Case:
    """The interval of ``cmbound simulate``."""
    draw, truth, _ = SAMPLES[law]

    def side(rng: np.random.Generator) -> int:
        x, y = draw(rng, n)
        if method == "samples":  # one dimension; both laws keep their W2 along the first axis
            x, y = x[:, :1], y[:, :1]
        found = _distance(x, y, int(rng.integers(2**31)), method)
        return _side(found.lower, truth, found.upper)

    return Case(f"simulate ({method})", law, n, "asymptotic", 0.95, side, weight)


# --- check and moments ---------------------------------------------------------------------------------------------------


def _checked(coupled: bool, d: int) -> Case:
    """The interval of ``cmbound check`` in several dimensions: N(0, I), moved and stretched along the first axis."""
    factors = np.ones(d)
    factors[0] = 1.5
    move = 0.3 * np.eye(d)[0]
    w2 = gaussian_w2(np.zeros(d), np.eye(d), move, np.diag(factors**2))
    noise = 0.1

    def side(rng: np.random.Generator) -> int:
        x = rng.standard_normal((500, d))
        y = x * factors + move
        if coupled:
            found = distance(x, y, coupled=True)
            return _side(found.lower, w2, found.upper)
        found = distance(x, y + noise * rng.standard_normal(y.shape))
        return _side(found.lower, math.sqrt(w2**2 + noise**2 * d), found.upper)

    law = f"N(0, I) and its affine image, d = {d}"
    return Case("check, W2 by coupling" if coupled else "check, map error", law, 500, "asymptotic", LEVEL, side, 15)


def _moments(kind: str, law: str, n: int) -> Case:
    root = np.array([[1.0, 0.0], [1.6, 1.2]])  # correlation 0.8

    def side(rng: np.random.Generator) -> int:
        x = rng.standard_normal((n, 2)) @ root.T if law == "normal" else rng.exponential(size=(n, 2)) - 1
        found = Moments(n, x.mean(axis=0), np.cov(x, rowvar=False))
        if kind == "mean":
            i = found.mean_interval()
            return _side(i.lower[1], 0.0, i.upper[1])
        at = (1, 1) if kind == "variance" else (0, 1)
        i = found.covariance_interval()
        return _side(i.lower[at], (root @ root.T)[at], i.upper[at])

    return Case(f"moments ({kind})", law, n, "asymptotic", 0.95, side)


# --- a model at hand, and the local errors of a teacher ------------------------------------------------------------------


def _certified(law: str, bounded: bool) -> Case:
    """Both ends of the distance and the direct rung, jointly: a model that only knows the sign, or no more than the mean."""
    factor, truth = {"a model 10% too wide": (1.1, 0.1), "a model that answers the mean": (0.0, 1.0)}[law]

    def side(rng: np.random.Generator) -> int:
        found = certify(
            lambda x, sigma: factor * np.sign(x), data=[[-1.0], [1.0]], sigmas=[0.1, 1.0, 10.0], n=100, batches=3, confidence=0.9,
            distance_batch=25, clip=(-2, 2) if bounded else None, seed=int(rng.integers(2**31)),
        )  # fmt: skip
        near = 1e-6 * truth  # the exact trajectories are off by less
        return _side(found.distance.lower - near, truth, min(found.distance.upper, found.rungs["direct"].upper) + near)

    return Case("certify", f"two points, {law}", 100, "guaranteed" if bounded else "asymptotic", 0.9, side, 300)


def _local_errors(n: int) -> Case:
    """The upper ends of ``measured_profile``, jointly: Euler steps on N(0, 1/4), in closed form linear."""
    levels = (0.1, 0.5, 2.0, 5.0)
    truths = []
    for low, high in pairwise(levels):
        euler = 1 - (1 - low / high) * high**2 / (0.25 + high**2)
        truths.append(abs(euler - math.sqrt((0.25 + low**2) / (0.25 + high**2))) * math.sqrt(0.25 + high**2))

    def side(rng: np.random.Generator) -> int:
        law, seed = Gaussian([0.0], 0.25), int(rng.integers(2**31))
        profile = measured_profile(law, solver="euler", draws=n, seed=seed, confidence=0.9)
        assert profile.measured is not None
        return int(any(x < y for x, y in zip(profile.measured.errors("ddim", levels), truths, strict=True)))

    return Case("measured_profile", "N(0, 1/4)", n, "asymptotic", 0.9, side, 20)


CASES = (
    *(_coupling(law, 20) for law in PAIRS if "prob" not in law and law not in ("Laplace", "exponential")),
    _coupling("normal differences, d = 1", 200),
    _coupling("Laplace", 20, claimed=False),
    _coupling("Laplace", 400),
    _coupling("exponential", 20, claimed=False),
    _coupling("exponential", 400),
    _coupling("10 with probability 2%", 50, claimed=False),
    _coupling("10 with probability 2%", 50, 10.0),
    _coupling("1 with probability 50%", 20, 1.0),
    _coupling("1 with probability 50%", 200, 1.0),
    _coupling("1 with probability 0.1%", 50, 1.0),
    _coupling("uniform on [-1, 1]", 5, 1.0),
    _coupling("uniform on [-1, 1]", 200, 1.0),
    _two("w2_samples", "N(0, I) and N(e_1, I), d = 2", 20, weight=30),
    _two("w2_samples", "N(0, I) and N(e_1, I), d = 2", 200, weight=60),
    *(_two(name, law, n, weight=10) for name in TWO for law in SKEWED for n in (20, 100)),
    _two("w2_samples", "uniform on a square, twice", 20, weight=30),
    _two("w2_samples", "uniform on a square and on its half", 100, weight=30),
    _two("w2_samples", "a mode of 1% at distance 1, and none", 100, weight=30, claimed=False),
    _two("w2_samples", "a mode of 1% at distance 1, and none", 100, weight=30, bounded=True),
    _two("w2_samples", "uniform on a square, twice", 20, weight=30, bounded=True),
    _two("w2_samples", "uniform on a square and on its half", 200, weight=60, bounded=True),
    _two("sliced_w2", "N(0, I) and N(e_1, I), d = 2", 20, weight=30),
    _two("sliced_w2", "N(0, I) and N(e_1, I), d = 2", 1000, weight=60),
    _two("sliced_w2", "a mode of 1% at distance 1, and none", 100, weight=30, claimed=False),
    _two("sliced_w2", "a mode of 1% at distance 1, and none", 100, weight=30, bounded=True),
    _two("sliced_w2", "N(0, I) and N(e_1, I), d = 2", 100, weight=30),
    _simulated("samples", "N(0, I) and N(e_1, I), d = 2", 20, 30),
    _simulated("samples", "N(0, I) and N(e_1, I), d = 2", 500, 30),
    _simulated("transport", "N(0, I) and N(e_1, I), d = 2", 100, 30),
    _simulated("sliced", "N(0, I) and N(e_1, I), d = 2", 100, 30),
    _checked(False, 3),
    _checked(True, 2),
    _checked(True, 8),
    _moments("mean", "normal", 5),
    _moments("mean", "normal", 20),
    _moments("mean", "exponential", 200),
    _moments("variance", "normal", 5),
    _moments("variance", "normal", 20),
    _moments("covariance", "normal", 5),
    _moments("covariance", "normal", 20),
    *(_certified(f"a model {x}", bounded) for x in ("10% too wide", "that answers the mean") for bounded in (False, True)),
    _local_errors(20),
    _local_errors(100),
)


def table(runs: int) -> str:
    """The cases as a Markdown table."""
    rows = ["| interval | law | n | trust | nominal (%) | covered (%) | runs | |", "|---|---|--:|---|--:|--:|--:|---|"]
    for x in CASES:
        count = max(1, runs // x.weight)
        covered = x.sides(count).count(0)
        verdict = "not claimed" if not x.claimed else "" if x.plausible(covered, count) else "FAILS"
        shares = f"{100 * x.level:g} | {100 * covered / count:.2f} | {count}"
        rows.append(f"| {x.interval} | {x.law} | {x.n} | {x.trust} | {shares} | {verdict} |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(table(int(sys.argv[1]) if len(sys.argv) > 1 else 6000))
