"""Affine teachers and students in a Gaussian world: every law is Gaussian, every constant and error exact (theory 4).

A consistency model whose teacher and student are affine maps turns Gaussians into Gaussians. Nothing is sampled here:
score errors, consistency errors and Lipschitz constants are measured in closed form, and so are the errors the
statements bound. Laws are kept as a mean and a factor A of the covariance A A^T, so that nearly equal laws are
compared without cancellation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from cmbound.distances import gaussian_w2_factors
from cmbound.distances.scaling import Array, norm
from cmbound.frozen import Record, read_only
from cmbound.sampling import underdamped_coefficients
from cmbound.verification.instances import Truth
from cmbound.verification.settings import teacher_step
from cmbound.worlds.gaussian import Gaussian
from cmbound.worlds.process import noise, signal


@dataclass(frozen=True, eq=False)
class Affine(Record):
    """x -> matrix x + shift, with any leading axes: matrix (..., d, d), shift (..., d)."""

    matrix: Array
    shift: Array

    def __post_init__(self) -> None:
        for x in (self.matrix, self.shift):  # made for this map: made read-only, not copied
            x.setflags(write=False)

    def __getitem__(self, index: Any) -> Affine:
        return Affine(self.matrix[index], self.shift[index])

    def __matmul__(self, first: Affine) -> Affine:
        """The composition: ``first``, then this map."""
        if not self.matrix.any():  # a constant
            return self
        return Affine(self.matrix @ first.matrix, self.apply(first.shift))

    def __sub__(self, other: Affine) -> Affine:
        return Affine(self.matrix - other.matrix, self.shift - other.shift)

    def __add__(self, other: Affine) -> Affine:
        return Affine(self.matrix + other.matrix, self.shift + other.shift)

    def apply(self, x: Array) -> Array:
        """The image of points (..., d)."""
        return np.asarray((self.matrix @ x[..., None])[..., 0] + self.shift)

    def rms(self, mean: Array, factor: Array) -> Array:
        """L2 norm of the map under N(mean, factor factor^T), shape (...); a diagonal factor may be given as (..., d)."""
        if not self.matrix.any():
            return np.asarray(norm(self.shift, -1))
        spread = self.matrix * factor[..., None, :] if factor.ndim == mean.ndim else self.matrix @ factor
        return np.asarray(norm(np.concatenate([spread, self.apply(mean)[..., None]], axis=-1), (-2, -1)))

    def lipschitz(self) -> Array:
        """Largest singular value, shape (...); of diagonal matrices the largest entry."""
        diagonal = np.diagonal(self.matrix, axis1=-2, axis2=-1)
        if np.count_nonzero(self.matrix) == np.count_nonzero(diagonal):
            return np.asarray(np.abs(diagonal).max(axis=-1))
        return np.asarray(np.linalg.svd(self.matrix, compute_uv=False)[..., 0])


_ZERO = read_only(np.zeros(()))


def constant(shift: Array) -> Affine:
    """x -> shift (..., d)."""
    return Affine(np.broadcast_to(_ZERO, (*shift.shape, shift.shape[-1])), shift)


@dataclass(frozen=True, eq=False)
class Law(Record):
    """N(mean, factor factor^T): mean (d,), factor (d, p)."""

    mean: Array
    factor: Array

    def __post_init__(self) -> None:
        for x in (self.mean, self.factor):  # made for this law: made read-only, not copied
            x.setflags(write=False)

    def through(self, f: Affine) -> Law:
        """The law of the image under an affine map."""
        return Law(f.apply(self.mean), f.matrix @ self.factor)

    def noised(self, scale: float, deviation: float) -> Law:
        """The law of scale x + deviation z with an independent z ~ N(0, I)."""
        size = len(self.mean)
        wide = np.concatenate([scale * self.factor, deviation * np.eye(size)], axis=1)
        return Law(scale * self.mean, _triangle(wide.T))

    def scaled(self, scale: float) -> Law:
        """The law of scale x."""
        return Law(scale * self.mean, scale * self.factor)

    def w2(self, other: Law) -> float:
        """Wasserstein-2 distance."""
        return gaussian_w2_factors(self.mean, self.factor, other.mean, other.factor)

    @property
    def size(self) -> float:
        """Root second moment, the scale of rounding errors."""
        return float(norm(np.concatenate([self.factor, self.mean[:, None]], axis=1)))


def _triangle(wide: Array) -> Array:
    """The triangular factor L of L L^T = A^T A, for A (p, d)."""
    return np.asarray(np.linalg.qr(wide, mode="r")).T


@dataclass(frozen=True, eq=False)
class Pipeline(Record):
    """A Gaussian world, a grid of OU times t_0 < ... < t_N, a teacher with an affine score and an affine student.

    The score is off by ``error`` and the student by ``change``, at t_0, ..., t_N, stacked: where it is ``distilled`` from the
    teacher run down to delta, else from the exact consistency function.
    """

    world: Gaussian
    nodes: Array
    teacher: str
    error: Affine
    change: Affine
    distilled: bool = True

    @cached_property
    def score(self) -> Affine:
        """s_phi(., t_n), n = 0..N (that at t_0 enters only a corrector)."""
        return exact_score(self.world, self.nodes) + self.error

    @cached_property
    def _steps(self) -> Affine:
        return teacher_steps(self.nodes, self.teacher, self.score)

    @cached_property
    def student(self) -> Affine:
        """f_theta(., t_n), n = 0..N."""
        return (composed(self._steps) if self.distilled else self.exact) + self.change

    def law(self, index: int) -> Law:
        """p_{t_n}."""
        t = float(self.nodes[index])
        return Law(signal(t) * self.world.mean, self.world.factor(t))

    @cached_property
    def _laws(self) -> tuple[Array, Array]:
        deviations = np.sqrt(self.world.variances(self.nodes))
        factor = deviations if self.world.eigenvectors is None else _matrices(self.world, deviations)
        return signal(self.nodes)[:, None] * self.world.mean, factor

    @cached_property
    def exact(self) -> Affine:
        """f(., t_n), the exact consistency function, n = 0..N."""
        return flow(self.world, self.nodes, self.nodes[0])

    @cached_property
    def score_error(self) -> Array:
        """L2 score error at t_0, ..., t_N."""
        return read_only(self.error.rms(*self._laws))  # type: ignore[no-any-return]

    @cached_property
    def consistency_error(self) -> Array:
        """L2 consistency error of each step divided by h_n, against the teacher, shape (N,)."""
        return self._consistency(self.change if self.distilled else self.student, self._steps)  # the teacher's own is consistent

    @cached_property
    def trajectory_error(self) -> Array:
        """The same along the exact trajectory (consistency training, theory 3.6), shape (N,)."""
        return self._consistency(self.student, flow_steps(self.world, self.nodes))

    def _consistency(self, maps: Affine, steps: Affine) -> Array:
        mean, factor = self._laws
        return read_only((maps[1:] - maps[:-1] @ steps).rms(mean[1:], factor[1:]) / np.diff(self.nodes))  # type: ignore[no-any-return]

    @cached_property
    def lipschitz(self) -> Array:
        """Lipschitz constants of f_theta(., t_n), n = 1..N, shape (N,)."""
        return read_only(self.student[1:].lipschitz())  # type: ignore[no-any-return]

    def map_error(self, index: int) -> float:
        """L2 distance of f_theta(., t_n) to the exact consistency function under p_{t_n}."""
        law = self.law(index)
        return float((self.student[index] - self.exact[index]).rms(law.mean, law.factor))

    def first(self, start: str) -> Law:
        """Law of the one-step sample from N(0, I) (``standard``) or N(0, s_T^2 I) (``matched``)."""
        deviation = 1.0 if start == "standard" else float(noise(self.nodes[-1]))
        return Law(self.student.shift[-1], deviation * self.student.matrix[-1])

    def again(self, law: Law, index: int) -> Law:
        """One more evaluation of multistep sampling: noise from delta to t_n, apply f_theta(., t_n)."""
        gap = float(self.nodes[index] - self.nodes[0])
        return law.noised(float(signal(gap)), float(noise(gap))).through(self.student[index])

    def laws(self, start: str, later: Sequence[int]) -> list[Law]:
        """Laws of the samples after the evaluation at t_N and each of those at the nodes ``later``."""
        found = [self.first(start)]
        for index in later:
            found.append(self.again(found[-1], index))
        return found

    def data(self) -> Law:
        """The data law."""
        return Law(self.world.mean, self.world.factor(0.0))

    def w2(self, law: Law, to: str, scale: float, size: float) -> Truth:
        """W2 of the law of samples (OU units) to ``p_data`` or ``p_delta`` in the units of the clock, ``scale`` times OU units.

        ``size`` is that of the laws it was computed from, which decides its rounding error.
        """
        target = self.data() if to == "p_data" else self.law(0).scaled(scale)
        return Truth.rounded(law.scaled(scale).w2(target), scale * size + target.size)


def exact_score(world: Gaussian, nodes: Array) -> Affine:
    """s(., t) at the nodes, stacked."""
    precision = _matrices(world, 1 / world.variances(nodes))
    return Affine(-precision, signal(nodes)[:, None] * (precision @ world.mean))


def flow(world: Gaussian, start: Array, end: float) -> Affine:
    """The PF-ODE flow from each time in ``start`` (n,) to ``end``, stacked."""
    return _flow(world, start, np.full(len(start), end))


def flow_steps(world: Gaussian, nodes: Array) -> Affine:
    """The PF-ODE flow from t_{n+1} to t_n, n = 0..N-1, stacked."""
    return _flow(world, nodes[1:], nodes[:-1])


def _flow(world: Gaussian, start: Array, end: Array) -> Affine:
    """The flow from each time to another, (n,)."""
    matrices = _matrices(world, np.sqrt(world.variances(end) / world.variances(start)))
    before = (matrices @ (signal(start)[:, None] * world.mean)[..., None])[..., 0]
    return Affine(matrices, signal(end)[:, None] * world.mean - before)


def _matrices(world: Gaussian, values: Array) -> Array:
    """The matrices with these eigenvalues (n, d) in the basis of the covariance."""
    if world.eigenvectors is None:
        return np.asarray(values[:, :, None] * np.eye(world.d))
    return np.asarray((world.eigenvectors * values[:, None, :]) @ world.eigenvectors.T)


def teacher_steps(nodes: Array, teacher: str, score: Affine) -> Affine:
    """One teacher step from t_{n+1} to t_n, n = 0..N-1, stacked (theory 1 and 3.10)."""
    size = score.shift.shape[-1]
    low, high = nodes[:-1], nodes[1:]
    keep, push = teacher_step(teacher, low, high)
    matrix = keep[:, None, None] * np.eye(size) + push[:, None, None] * score.matrix[1:]
    return Affine(matrix, push[:, None] * score.shift[1:])


def composed(steps: Affine) -> Affine:
    """The student that runs the teacher from t_n down to delta, n = 0..N, stacked."""
    count, size = steps.shift.shape
    matrix, shift = np.empty((count + 1, size, size)), np.empty((count + 1, size))
    matrix[0], shift[0] = np.eye(size), 0.0
    for n in range(count):
        np.matmul(matrix[n], steps.matrix[n], out=matrix[n + 1])
    np.cumsum((matrix[:-1] @ steps.shift[..., None])[..., 0], axis=0, out=shift[1:])
    return Affine(matrix, shift)


def underdamped(law: Law, score: Affine, *, friction: float, step: float, steps: int) -> Law:
    """Law of x after the underdamped Langevin corrector with frozen score (theory 3.8), started from v ~ N(0, I).

    Args:
        law: law of x at the beginning.
        score: the affine score at delta.
        friction, step, steps: gamma, eta and the number of steps.
    """
    size, k = len(law.mean), underdamped_coefficients(friction, step)
    eye, none = np.eye(size), np.zeros((size, size))
    drift = np.block([[eye + k.x_s * score.matrix, k.x_v * eye], [k.x_v * score.matrix, k.v_v * eye]])
    push = np.concatenate([k.x_s * score.shift, k.x_v * score.shift])
    root = np.block([[k.x_noise_v * eye, k.x_noise * eye], [k.v_noise * eye, none]])
    mean = np.concatenate([law.mean, np.zeros(size)])
    factor = np.block([[law.factor, none], [np.zeros_like(law.factor), eye]])
    for _ in range(steps):
        mean = drift @ mean + push
        factor = _triangle(np.concatenate([drift @ factor, root], axis=1).T)
    return Law(mean[:size], factor[:size])
