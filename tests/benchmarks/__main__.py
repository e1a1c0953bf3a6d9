"""Speed, each figure beside a yardstick measured in the same run: ``python -m tests.benchmarks [ROOM ...]``.

The rooms are the modules beside this one: certified, commands, arrays, sampling, verification, certification.

1. Vectorised ``explicit-one-step`` (universal profile) on 10^6 points, against the same formula written by hand in numpy.
2. Certified evaluations: per second, against the same formula in mpmath at the same number of digits; on long grids, against a
   loop by hand; at many times; budgets; how the cost grows with steps, times and points.
3. Commands as whole processes, against a bare ``python -c "import sympy"`` and against one ``cmbound evaluate``.
4. Arrays of settings on grids, against numpy by hand; how the cost grows with points and steps.
5. Sampling and distances, against the raw random generator, the bare matrix product and POT.
6. Instances per second, against the bare bound on them; all planted mistakes, against the instances that refute them.
7. The telescope of a certificate, against a hand-written loop of the same posterior means and calls of the model.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

import cmbound

Array = npt.NDArray[np.float64]
POINTS = 10**6
REPEATS = 9
ONE_STEP = cmbound.theorem("explicit-one-step")


def by_hand(eps_sc: Array, eps_cm: Array, L_f: Array, d: Array, m2: Array, T: Array, delta: Array, h: Array) -> Array:
    """What a careful author would write: stable, every common factor computed once."""
    c_T, s_T = np.exp(-T), np.sqrt(-np.expm1(-2 * T))
    s_d = np.sqrt(-np.expm1(-2 * delta))
    span = T - delta
    root = np.sqrt(d)
    initialisation = L_f * c_T * np.sqrt(m2 * m2 + c_T * c_T * d / (1 + s_T) ** 2)
    growth = np.expm1(h)
    g = np.where(h < 1e-2, h * (1 / 2 + h * (1 / 6 + h * (1 / 24 + h * (1 / 120 + h * (1 / 720 + h / 5040))))), (growth - h) / h)
    J = 1 / s_d - 1 / s_T
    I3 = J + span + np.log((1 + s_T) / (1 + s_d))
    a, b = d + 2, d + 4
    U = 2 / (3 * np.sqrt(3)) * np.sqrt(d * a * b) + (24 * d * d * d * a * b * b) ** (1 / 6)
    discretisation = L_f * g * (root * J + U * I3)
    early = np.sqrt(np.expm1(-delta) ** 2 * m2 * m2 + s_d * s_d * d)
    total: Array = initialisation + eps_cm * span + L_f * eps_sc * growth / h * span + discretisation + early
    return total


def points(count: int) -> dict[str, Array]:
    """Random settings."""
    rng = np.random.default_rng(0)
    return {
        "eps_sc": rng.uniform(0, 0.1, count),
        "eps_cm": rng.uniform(0, 0.1, count),
        "L_f": rng.uniform(1, 5, count),
        "d": rng.integers(1, 1000, count).astype(np.float64),
        "m2": rng.uniform(0, 30, count),
        "T": rng.uniform(3, 6, count),
        "delta": 10 ** rng.uniform(-5, -1, count),
        "h": 10 ** rng.uniform(-5, -1, count),
    }


def paired(first: Callable[[], Any], second: Callable[[], Any]) -> tuple[float, float, float]:
    """Median seconds of processor time of both and the median of the ratios, run alternately."""
    first(), second()
    times: list[tuple[float, float]] = []
    for _ in range(REPEATS):
        marks = [time.process_time()]
        for function in (first, second):
            function()
            marks.append(time.process_time())
        times.append((marks[1] - marks[0], marks[2] - marks[1]))
    return (
        statistics.median(x for x, _ in times),
        statistics.median(y for _, y in times),
        statistics.median(x / y for x, y in times),
    )


def vectorised() -> str:
    """10^6 points."""
    values = points(POINTS)
    assert np.allclose(ONE_STEP.approximate(**values, profile="universal").total, by_hand(**values), rtol=1e-9)
    ours, theirs, ratio = paired(lambda: ONE_STEP.approximate(**values, profile="universal"), lambda: by_hand(**values))
    return (
        f"approximate, 10^6 points: {ours * 1e3:.0f} ms (total and terms); by hand in numpy: {theirs * 1e3:.0f} ms (total only); "
        f"ratio {ratio:.2f}"
    )


if __name__ == "__main__":
    from tests.benchmarks import arrays, certification, certified, commands, sampling, verification

    rooms = (certified, commands, arrays, sampling, verification, certification)
    wanted = [x for x in rooms if x.__name__.rpartition(".")[2] in (sys.argv[1:] or x.__name__)]
    for benchmark in ([] if sys.argv[1:] else [vectorised]) + [x for room in wanted for x in room.BENCHMARKS]:
        sys.stdout.write(benchmark() + "\n")
        sys.stdout.flush()
