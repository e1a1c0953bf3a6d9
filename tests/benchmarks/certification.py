"""Speed of the certification: the telescope beside a bare loop over the same matrix products and calls of the model.

The first yardstick computes the same posterior means, with exponentials, as one would write it by hand. The second one has the
two matrix products of each alone, so that it computes no mean: the ratio to it holds the exponentials, which in the plane cost
more than the products, the steps of the flow and all norms. Both take 1,000 rows at once, tables of some megabytes; the package
takes fewer, which stay in the cache.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from cmbound.certification.examples import example
from cmbound.certification.flow import TOLERANCE
from cmbound.certification.laws import DataLaw
from cmbound.certification.models import Denoiser, Model
from cmbound.certification.teachers import heun
from cmbound.certification.telescope import Setup, sampled
from cmbound.theory.grids import Grid
from tests.benchmarks.__main__ import paired

Array = npt.NDArray[np.float64]
PATHS, STEPS = 200, 18


class Recorded(DataLaw):
    """A law that notes every posterior mean it is asked for."""

    calls: list[tuple[Array, Any]] | None = None

    def denoiser(self, x: Array, sigma: Array | float) -> Array:
        if self.calls is not None:
            self.calls.append((x.copy(), np.array(sigma)))
        return super().denoiser(x, sigma)


def noted(call: Callable[[Array, Any], Array], calls: list[tuple[Array, Any]]) -> Callable[[Array, Any], Array]:
    """The same function, which notes what it is asked."""

    def asked(x: Array, sigma: Any) -> Array:
        calls.append((x.copy(), sigma))
        return call(x, sigma)

    return asked


def posterior_means(points: Array, calls: list[tuple[Array, Any]], softmax: bool) -> None:
    """By hand, 1,000 rows at once: products with the points around the exponential of their logits, or the products alone."""
    half = np.einsum("ij,ij->i", points, points) / 2
    for x, sigma in calls:
        level = np.broadcast_to(np.reshape(sigma, (-1, 1)), (len(x), 1)) if np.ndim(sigma) else sigma
        for i in range(0, len(x), 1000):
            table = x[i : i + 1000] @ points.T
            if softmax:
                table -= half
                table /= np.square(level[i : i + 1000] if np.ndim(level) else level)
                table -= table.max(axis=1, keepdims=True)
                np.exp(table, out=table)
                table /= table.sum(axis=1, keepdims=True)
            table @ points


def telescope(name: str) -> str:
    """A shipped example, 18 Heun steps."""
    shown = example(name)
    law, asked = Recorded(shown.data), ([], [])  # type: ignore[var-annotated]
    sigmas = np.array([float(x) for x in Grid.edm(shown.sigma_min, shown.sigma_max, STEPS).values])

    def setup(student: Any, denoiser: Any) -> Setup:
        model, teacher = Model(student, law.d, "model", clip=shown.clip), Model(denoiser, law.d, "teacher")
        return Setup(model, Denoiser(teacher, "denoiser"), law, sigmas, heun, 0, TOLERANCE)

    law.calls = []
    sampled(setup(noted(shown.model, asked[0]), noted(shown.denoiser, asked[1])), PATHS)
    means, law.calls = law.calls, None

    def bare(softmax: bool) -> None:
        posterior_means(law.points, means, softmax)
        for network, calls in zip((shown.model, shown.denoiser), asked, strict=True):
            for x, sigma in calls:
                network(x, sigma)

    plain = setup(shown.model, shown.denoiser)
    ours, loop, ratio = paired(lambda: sampled(plain, PATHS), lambda: bare(True))
    _, products, bald = paired(lambda: sampled(plain, PATHS), lambda: bare(False))
    rows = sum(len(x) for x, _ in means)
    return (
        f"telescope of {name}, {PATHS} paths, {STEPS} steps ({rows} posterior means): {ours:.2f} s; by hand the same means and "
        f"calls of both networks: {loop:.2f} s, ratio {ratio:.2f}; without the exponentials: {products:.2f} s, ratio {bald:.2f}"
    )


def moons() -> str:
    """In the plane the exponentials cost more than the products."""
    return telescope("moons")


def digits() -> str:
    """In 64 dimensions."""
    return telescope("digits")


BENCHMARKS: list[Callable[[], str]] = [moons, digits]
