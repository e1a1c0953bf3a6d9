"""Exact probability-flow trajectories of a reference law, down a grid of noise levels (theory 5.1).

In ell = log sigma the flow is dx/d ell = x - D(x, sigma): nothing is singular. Tableau and error estimate are those of the
method of Dormand and Prince (order 5, embedded 4), read from SciPy; every path has its own steps, so that its numbers do not
depend on the paths beside it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.integrate import RK45

from cmbound.certification.laws import Law, WorldLaw
from cmbound.errors import DomainError
from cmbound.worlds.base import Array

TOLERANCE = 1e-5
"""Error of a step, over the scale of the data plus the noise level: far below every error of a model."""
MOST_STEPS = 2_000  # between two noise levels a few are taken; more means that the tolerance cannot be met
_SAFETY, _SHRINK, _GROW = 0.9, 0.2, 5.0  # the usual controller of an order-5 method
_FIRST = 0.2  # of log sigma: the controller corrects it at once


class Paths:
    """Points of exact trajectories, moved down from noise level to noise level.

    Args:
        law: the reference law.
        x: points at ``sigma``, shape (n, d).
        sigma: where they are.
        tolerance: error of a step, relative to the scale of the data plus the noise level.

    Attributes:
        x: where they are now.
        answer: D(x, sigma) there.
    """

    def __init__(self, law: Law, x: Array, sigma: float, tolerance: float = TOLERANCE) -> None:
        self.law, self.x, self.sigma, self.tolerance = law, x.copy(), sigma, tolerance
        self._slope = x - law.denoiser(x, sigma)
        self._step = np.full(len(x), -_FIRST)

    @property
    def answer(self) -> Array:
        """D(x, sigma), which the last step has computed already."""
        return np.asarray(self.x - self._slope)

    def down(self, sigma: float) -> None:
        """Move on to a lower noise level."""
        if isinstance(self.law, WorldLaw) and self.law.exact_flow:
            self.x = self.law.flow(self.x, self.sigma, sigma)
            self._slope = self.x - self.law.denoiser(self.x, sigma)
        else:
            self._integrate(sigma)
        self.sigma = sigma

    def _integrate(self, sigma: float) -> None:
        ell, end = np.full(len(self.x), np.log(self.sigma)), float(np.log(sigma))
        todo = np.arange(len(self.x))
        for _ in range(MOST_STEPS):
            if not len(todo):
                return
            left = end - ell[todo]
            last = self._step[todo] <= left * (1 - 1e-12)
            h = np.where(last, left, self._step[todo])
            new, slope, error = self._advance(self.x[todo], ell[todo], h, self._slope[todo])
            good = error <= 1
            with np.errstate(divide="ignore"):
                factor = np.clip(_SAFETY * error**-0.2, _SHRINK, _GROW)
            # a step that was cut short at a noise level says little about the next one, which is not made smaller by it
            wanted = np.where(
                good & last, np.minimum(self._step[todo], h * factor), h * np.where(good, factor, np.minimum(factor, 0.9))
            )
            self._step[todo] = wanted
            done = todo[good]
            self.x[done], self._slope[done] = new[good], slope[good]
            ell[done] = np.where(last, end, ell[todo] + h)[good]
            todo = todo[~(good & last)]
        raise DomainError(f"the flow to noise level {sigma:g} needs more than {MOST_STEPS} steps for {len(todo)} paths")

    def _advance(self, x: Array, ell: Array, h: Array, slope: Array) -> tuple[Array, Array, Array]:
        """One step of each path: the new point, the slope there, and the error over what is allowed."""
        stages = np.empty((RK45.n_stages + 1, *x.shape))
        rows = stages.reshape(len(stages), -1)  # a view: a row of the tableau times it is one product
        stages[0] = slope
        for i in range(1, RK45.n_stages):
            moved = x + h[:, None] * (RK45.A[i, :i] @ rows[:i]).reshape(x.shape)
            stages[i] = moved - self.law.denoiser(moved, np.exp(ell + RK45.C[i] * h))
        new = x + h[:, None] * (RK45.B @ rows[:-1]).reshape(x.shape)
        level = np.exp(ell + h)
        stages[-1] = new - self.law.denoiser(new, level)
        off = np.linalg.norm((RK45.E @ rows).reshape(x.shape), axis=1) * np.abs(h) / np.sqrt(x.shape[1])
        return new, stages[-1], off / (self.tolerance * (self.law.scale + level))


def along(law: Law, x: Array, sigmas: Array, tolerance: float = TOLERANCE) -> Iterator[Array]:
    """The points of trajectories from (x, last level) at every lower noise level, downwards."""
    paths = Paths(law, x, float(sigmas[-1]), tolerance)
    for sigma in sigmas[-2::-1]:
        paths.down(float(sigma))
        yield paths.x
