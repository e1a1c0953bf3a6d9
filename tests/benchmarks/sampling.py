"""Speed of the sampler and of the Bures distance, each beside a yardstick measured in the same run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import ot

from cmbound import distances, sampling
from tests.benchmarks.__main__ import paired
from tests.benchmarks.arrays import exponent


def one_step() -> str:
    """10^7 numbers through a diagonal affine map, against the bare generator filling the same array.

    Written a * x + b, most of what is not drawn is numpy repeating a and b for every row of ten; in place, with a and b repeated
    beforehand, the same numbers come out. With a map that does nothing it is what the sampler adds: a generator for each block,
    and a look at what the map returned.
    """
    n, d = 10**6, 10
    a, b, out = np.linspace(0.5, 1.5, d), np.ones(d), np.empty((n, d))
    A, B = (np.tile(x, (sampling.block_rows(d), 1)) for x in (a, b))
    rng = np.random.Generator(np.random.PCG64(0))
    rows = []
    for title, f in (
        ("no map", lambda x, t: x),
        ("in place", lambda x, t: np.add(np.multiply(x, A[: len(x)], out=x), B[: len(x)], out=x)),
        ("a * x + b", lambda x, t: a * x + b),
    ):
        ours, theirs, ratio = paired(
            lambda f=f: sampling.sample(f, (3.0,), d=d, n=n, seed=0, delta=0.01, out=out),  # type: ignore[misc]
            lambda: rng.standard_normal(out=out),
        )
        rows.append(f"{title} {ours * 1e3:.0f} ms; standard_normal alone: {theirs * 1e3:.0f} ms; ratio {ratio:.2f}")
    return "one-step sampling, 10^7 numbers: " + "; ".join(rows)


def full_covariance() -> str:
    """x A^T + b at d = 64, against the bare matrix product of the same size (which draws no numbers)."""
    n, d = 10**5, 64
    rng = np.random.Generator(np.random.PCG64(0))
    A, b = rng.standard_normal((d, d)), np.ones(d)
    out, z, product = np.empty((n, d)), rng.standard_normal((n, d)), np.empty((n, d))
    transposed = np.ascontiguousarray(A.T)
    ours, theirs, ratio = paired(
        lambda: sampling.sample(lambda x, t: x @ transposed + b, (3.0,), d=d, n=n, seed=0, delta=0.01, out=out),
        lambda: np.matmul(z, transposed, out=product),
    )
    draw, _, _ = paired(lambda: rng.standard_normal(out=z), lambda: None)
    return (
        f"one-step sampling, d = 64, full covariance: {ours * 1e3:.0f} ms; the matrix product alone: {theirs * 1e3:.0f} ms "
        f"(drawing the noise: {draw * 1e3:.0f} ms); ratio {ratio:.2f}, to product and noise together {ours / (theirs + draw):.2f}"
    )


def bures() -> str:
    """Bures-Wasserstein distance at d = 512, against POT: far laws (trace formula) and near ones (factors)."""
    d = 512
    rng = np.random.default_rng(0)
    m1, m2 = rng.standard_normal((2, d))
    C1, C2 = (X @ X.T / (2 * d) for X in rng.standard_normal((2, d, 2 * d)))
    rows = []
    for title, second in (("far laws", (m2, C2)), ("near laws", (m1, C1 * (1 + 1e-9)))):
        ours, theirs, ratio = paired(
            lambda second=second: distances.gaussian_w2(m1, C1, *second),  # type: ignore[misc]
            lambda second=second: ot.gaussian.bures_wasserstein_distance(m1, second[0], C1, second[1]),  # type: ignore[misc]
        )
        rows.append(f"{title} {ours * 1e3:.0f} ms; POT: {theirs * 1e3:.0f} ms; ratio {ratio:.2f}")
    return "Bures distance at d = 512: " + "; ".join(rows)


def growth() -> str:
    """Of the Bures distance of close laws and of far ones in the dimension."""

    def distance(d: int, close: bool) -> Callable[[], float]:
        X, Y = np.random.default_rng(0).standard_normal((2, d, 2 * d)) / np.sqrt(2 * d)
        first = X @ X.T
        second = first * (1 + 1e-9) if close else Y @ Y.T
        return lambda: distances.gaussian_w2(np.zeros(d), first, np.zeros(d), second)

    rows = []
    for title, close in (("far laws", False), ("close laws", True)):
        rows.append(f"Bures distance of {title}, dimension: {exponent([1, 10, 100, 1000], partial(distance, close=close))}")
    return "\n".join(rows)


BENCHMARKS: list[Callable[[], str]] = [one_step, full_covariance, bures, growth]
