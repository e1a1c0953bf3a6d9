"""The forward process in numpy, x_t = c_t x_0 + s_t z, in both clocks.

Written here once more on purpose: what a bound is checked against must not share code with the bound.
All functions take numbers or arrays and return the same shape.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def signal(t: Any) -> Any:
    """c_t = e^{-t}, the factor of x_0 in x_t."""
    return np.exp(-np.asarray(t, dtype=np.float64))


def noise(t: Any) -> Any:
    """s_t = (1 - e^{-2t})^{1/2}, the standard deviation of the noise in x_t."""
    return np.sqrt(-np.expm1(-2 * np.asarray(t, dtype=np.float64)))


def noise_level(t: Any) -> Any:
    """sigma = s_t/c_t = (e^{2t} - 1)^{1/2}, the noise level of the variance-exploding clock."""
    return np.sqrt(np.expm1(2 * np.asarray(t, dtype=np.float64)))


def time_of(sigma: Any) -> Any:
    """t = (1/2) log(1 + sigma^2), the time at which the noise level is sigma."""
    level = np.asarray(sigma, dtype=np.float64)
    far = np.maximum(level, 1e8)  # sigma^2 + 1 rounds to sigma^2, which may overflow
    return np.log1p(np.square(np.minimum(level, 1e8))) / 2 + np.log(far / 1e8)
