"""The kernels samples go through: noising back, OU smoothing, Langevin correctors with frozen score."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cmbound.checks import checked_count
from cmbound.sampling.arguments import Array, delta_of, known_clock, overwrite, positive, samples_of, time_after

Score = Callable[[Array], Any]


def blend(x: Array, factor: float, spread: float, rng: np.random.Generator) -> None:
    """x <- factor x + spread z."""
    z = rng.standard_normal(x.shape, dtype=x.dtype)  # type: ignore[call-overload, unused-ignore]
    z *= spread
    if factor != 1:
        x *= factor
    x += z


def noising(t: float, delta: float, clock: str) -> tuple[float, float]:
    """Factor and standard deviation of the forward kernel from delta to t."""
    if clock == "ve":
        return 1.0, math.sqrt(t - delta) * math.sqrt(t + delta)
    return math.exp(delta - t), math.sqrt(-math.expm1(2 * (delta - t)))


@dataclass(frozen=True)
class Overdamped:
    """Overdamped Langevin steps x <- x + step s(x) + (2 step)^(1/2) z.

    Attributes:
        score: callable on arrays (n, d), returning the same shape; it must not change its argument.
        step: step size, > 0, in squared units of x.
        steps: number of steps, >= 1.

    Raises:
        DomainError: a step size or number of steps outside its domain.
    """

    score: Score
    step: float
    steps: int

    def __post_init__(self) -> None:
        positive("step", self.step)
        checked_count("steps", self.steps)

    def advance(self, x: Array, rng: np.random.Generator) -> None:
        """Run all steps on x in place."""
        spread = math.sqrt(2 * self.step)
        slope = np.empty_like(x)
        for _ in range(self.steps):
            overwrite(slope, self.score(x), "the corrector's score")
            slope *= self.step
            blend(x, 1.0, spread, rng)
            x += slope


@dataclass(frozen=True)
class Underdamped:
    """Underdamped Langevin steps dv = -friction v dt + s dt + (2 friction)^(1/2) dB, dx = v dt, v_0 ~ N(0, I).

    The score is frozen at the beginning of each step, which is then integrated exactly (Cheng, Chatterji, Bartlett and
    Jordan 2018); the velocity is kept from one step to the next.

    Attributes:
        score: callable on arrays (n, d), returning the same shape; it must not change its argument.
        friction: gamma > 0, in inverse units of time.
        step: step size eta > 0, in units of time.
        steps: number of steps J >= 1; the total time is J eta.

    Raises:
        DomainError: a parameter outside its domain.
    """

    score: Score
    friction: float
    step: float
    steps: int

    def __post_init__(self) -> None:
        positive("friction", self.friction)
        positive("step", self.step)
        checked_count("steps", self.steps)

    def advance(self, x: Array, rng: np.random.Generator) -> None:
        """Run all steps on x in place."""
        k = underdamped_coefficients(self.friction, self.step)
        v = rng.standard_normal(x.shape, dtype=x.dtype)  # type: ignore[call-overload, unused-ignore]
        slope, z = np.empty_like(x), np.empty_like(x)
        for _ in range(self.steps):
            overwrite(slope, self.score(x), "the corrector's score")
            x += k.x_v * v
            x += k.x_s * slope
            v *= k.v_v
            v += k.x_v * slope
            rng.standard_normal(dtype=x.dtype, out=z)  # type: ignore[call-overload, unused-ignore]
            v += k.v_noise * z
            x += k.x_noise_v * z
            rng.standard_normal(dtype=x.dtype, out=z)  # type: ignore[call-overload, unused-ignore]
            x += k.x_noise * z


Corrector = Overdamped | Underdamped


@dataclass(frozen=True)
class Coefficients:
    """One underdamped step, with s the frozen score and z, z' independent standard normal.

    v' = v_v v + x_v s + v_noise z and x' = x + x_v v + x_s s + x_noise_v z + x_noise z'.
    """

    v_v: float
    x_v: float
    x_s: float
    v_noise: float
    x_noise_v: float
    x_noise: float


def underdamped_coefficients(friction: float, step: float) -> Coefficients:
    """Coefficients of one exactly integrated underdamped step; no cancellation for any friction x step.

    With y = friction x step and c = 1 - e^(-y): Var v = c(2 - c), Cov(x, v) = c^2/friction and
    Var(x | v) = (2/friction^2)(y - 2 tanh(y/2)).
    """
    y = friction * step
    c = -math.expm1(-y)
    return Coefficients(
        v_v=math.exp(-y),
        x_v=step * _ratio_1(y),
        x_s=step * (step * _ratio_2(y)),
        v_noise=math.sqrt(c * (2 - c)),
        x_noise_v=step * _ratio_1(y) * math.sqrt(c / (2 - c)),
        x_noise=step * math.sqrt(2 * y * _ratio_3(y)),
    )


def _ratio_1(y: float) -> float:
    """(1 - e^(-y))/y."""
    return -math.expm1(-y) / y if y else 1.0


def _ratio_2(y: float) -> float:
    """(y - 1 + e^(-y))/y^2."""
    if y > 1:
        return (1 + math.expm1(-y) / y) / y
    value = 1.0
    for k in range(20, 2, -1):
        value = 1 - value * y / k
    return value / 2


def _ratio_3(y: float) -> float:
    """(y - 2 tanh(y/2))/y^3, below y = 2 by the continued fraction of tanh (all of its terms are positive)."""
    if y > 2:
        return (1 - 2 * math.tanh(y / 2) / y) / y / y
    square, tail = y * y / 4, 1.0
    for odd in range(21, 3, -2):
        tail = odd + square / tail
    q = 1 / (3 + square / tail)  # tanh(x) = x/(1 + q x^2)
    return q / (1 + q * square) / 4


def noise_back(x: npt.ArrayLike, t: float, rng: np.random.Generator, *, delta: float, clock: str = "ou") -> Array:
    """Noise samples at delta up to t by the forward kernel.

    ``ou``: e^-(t - delta) x + (1 - e^-2(t - delta))^(1/2) z. ``ve``: x + (t^2 - delta^2)^(1/2) z, t and delta noise levels.

    Args:
        x: samples, shape (n, d); left unchanged.
        t: time, or noise level, > delta.
        rng: generator to draw z from.
        delta: early-stopping time, or sigma_min, >= 0.
        clock: ``ou`` or ``ve``.

    Returns:
        New array (n, d) of the dtype of x (float64 if that is not a floating type).

    Raises:
        DomainError: delta < 0 or t <= delta.
        InputError: an unknown clock, or x of another shape.
    """
    known_clock(clock)
    delta = delta_of(delta)
    out = samples_of(x)
    blend(out, *noising(time_after(t, delta), delta, clock), rng)
    return out


def smooth(x: npt.ArrayLike, u: float, rng: np.random.Generator) -> Array:
    """OU smoothing for a time u > 0: e^(-u) x + (1 - e^(-2u))^(1/2) z, a new array of the shape (n, d) of x.

    Raises:
        DomainError: u <= 0.
        InputError: x of another shape.
    """
    out = samples_of(x)
    blend(out, *noising(positive("u", u), 0.0, "ou"), rng)
    return out


def overdamped(x: npt.ArrayLike, score: Score, step: float, steps: int, rng: np.random.Generator) -> Array:
    """Overdamped Langevin corrector on samples (n, d); see :class:`Overdamped`. Returns a new array."""
    out = samples_of(x)
    Overdamped(score, step, steps).advance(out, rng)
    return out


def underdamped(x: npt.ArrayLike, score: Score, friction: float, step: float, steps: int, rng: np.random.Generator) -> Array:
    """Underdamped Langevin corrector on samples (n, d); see :class:`Underdamped`. Returns a new array (the positions)."""
    out = samples_of(x)
    Underdamped(score, friction, step, steps).advance(out, rng)
    return out
