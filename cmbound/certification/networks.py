"""The networks behind the shipped examples: a perceptron conditioned on the noise level, preconditioned as in EDM.

The forward pass is written once, for any array module: numpy where the examples are measured, ``jax.numpy`` where they are
trained. Preconditioning: Karras et al. (2022), table 1; with the boundary condition of Song et al. (2023), appendix C.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cmbound.checks import checked_name, shown
from cmbound.errors import DomainError, InputError
from cmbound.frozen import Record

Array = npt.NDArray[np.float64]
KINDS = ("student", "denoiser")
FREQUENCIES = 8
"""Cosines of the position of the noise level; the first is the constant 1."""
HIDDEN = 3
"""Hidden layers."""
ROWS = 256
"""Points at once: what is between the layers stays in the cache."""
SLACK = 1e-9  # how far, relatively, rounding on the way through another clock may carry a noise level out of its interval


def preconditioning(kind: str, sigma: Any, sigma_data: float, sigma_min: float, sqrt: Any) -> tuple[Any, Any, Any]:
    """c_skip, c_out, c_in at noise levels sigma: a network F becomes c_skip x + c_out F(c_in x, sigma).

    A student has c_skip = 1 and c_out = 0 at sigma_min, and is then the identity, exactly.
    """
    start = sigma_min if kind == "student" else 0.0
    variance = sigma_data * sigma_data
    total = sqrt(sigma * sigma + variance)
    return variance / ((sigma - start) * (sigma - start) + variance), sigma_data * (sigma - start) / total, 1.0 / total


def position(sigma: Any, sigma_min: float, sigma_max: float, log: Any) -> Any:
    """Where sigma lies between sigma_min (0) and sigma_max (1), on a logarithmic scale."""
    return (log(sigma) - math.log(sigma_min)) / (math.log(sigma_max) - math.log(sigma_min))


def perceptron(weights: Mapping[str, Any], x: Any, place: Any, functions: Any) -> Any:
    """The network alone, x (n, d), place (n, 1) or (1, 1): shape (n, d); ``functions`` is numpy or what stands in for it.

    With features e_k = cos(pi k place), hidden layer i is silu(W_i h * (S_i e) + B_i e), added to h from the second on.
    """
    features = functions.cos(math.pi * place * functions.arange(FREQUENCIES))
    hidden = None
    for i in range(HIDDEN):
        inner = (x if hidden is None else hidden) @ weights[f"W{i}"] * (features @ weights[f"S{i}"]) + features @ weights[f"B{i}"]
        layer = inner * (0.5 + 0.5 * functions.tanh(0.5 * inner))  # silu, which overflows nowhere in this form
        hidden = layer if hidden is None else hidden + layer
    return hidden @ weights["W"] + weights["b"]


@dataclass(frozen=True, eq=False)
class Network(Record):
    """A learned function of (x, sigma): a consistency model (``student``) or a denoiser, in float64.

    Attributes:
        kind: ``student`` or ``denoiser``.
        weights: the arrays of :func:`perceptron`.
        sigma_data: scale of the data, a standard deviation of one coordinate.
        sigma_min, sigma_max: the noise levels it was trained for.
    """

    kind: str
    weights: Mapping[str, Array]
    sigma_data: float
    sigma_min: float
    sigma_max: float

    def __post_init__(self) -> None:
        checked_name("kind", self.kind, KINDS)
        super().__post_init__()

    @property
    def d(self) -> int:
        """Dimension of the space it acts on."""
        return int(self.weights["W0"].shape[0])

    def __call__(self, x: npt.ArrayLike, sigma: npt.ArrayLike) -> Array:
        """The values at x (n, d) and the noise levels sigma, a number or (n,): shape (n, d).

        Raises:
            InputError: shapes that do not fit.
            DomainError: a noise level the network was not trained for, or an x that is not finite.
        """
        points, levels = self._points(x), self._levels(sigma)
        if levels.shape[0] not in (1, len(points)):
            raise InputError(
                f"sigma must be a number or have shape ({len(points)},), one for each row of x, got {np.shape(sigma)}"
            )
        skip, out, scale = preconditioning(self.kind, levels, self.sigma_data, self.sigma_min, np.sqrt)
        place = position(levels, self.sigma_min, self.sigma_max, np.log)
        scaled, value = scale * points, np.empty_like(points)
        for i in range(0, len(points), ROWS):
            rows = slice(i, i + ROWS)
            value[rows] = perceptron(self.weights, scaled[rows], place if len(place) == 1 else place[rows], np)
        return np.asarray(skip * points + out * value)

    def _points(self, x: npt.ArrayLike) -> Array:
        points = np.asarray(x, dtype=np.float64)
        if points.ndim != 2 or points.shape[1] != self.d:
            raise InputError(f"x must have shape (n, {self.d}), got {points.shape}")
        if not np.isfinite(points).all():
            raise DomainError("x must be finite")
        return points

    def _levels(self, sigma: npt.ArrayLike) -> Array:
        levels = np.asarray(sigma, dtype=np.float64)
        if levels.ndim > 1:
            raise InputError(f"sigma must be a number or have shape (n,), got shape {levels.shape}")
        low, high = self.sigma_min, self.sigma_max
        if not ((levels >= low * (1 - SLACK)) & (levels <= high * (1 + SLACK))).all():
            raise DomainError(
                f"sigma must lie in [{low}, {high}], the noise levels the network was trained for, got {shown(sigma)}"
            )
        return np.clip(levels, low, high).reshape(-1, 1)
