"""One step of a teacher's solver down from one noise level to the next (theory 1, 3.10, 3.14; VE clock).

Along the probability flow dx/d sigma = (x - D(x, sigma))/sigma, D(x, sigma) = E[x_0 | x_0 + sigma z = x].
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cmbound.certification.user import array_of, points_of
from cmbound.checks import checked_name
from cmbound.errors import InputError
from cmbound.frozen import FrozenDict
from cmbound.worlds.base import Array

Denoise = Callable[[Array, float], Array]
Step = Callable[[Denoise, Array, float, float], Array]


def euler(denoise: Denoise, x: Array, high: float, low: float) -> Array:
    """Euler in sigma, which is DDIM (Song et al. 2021)."""
    answer = denoise(x, high)
    return np.asarray(answer + (low / high) * (x - answer))


def heun(denoise: Denoise, x: Array, high: float, low: float) -> Array:
    """Heun in sigma (Karras et al. 2022)."""
    slope = (x - denoise(x, high)) / high
    predicted = x + (low - high) * slope
    return np.asarray(x + (low - high) * (slope + (predicted - denoise(predicted, low)) / low) / 2)


def exponential_integrator(denoise: Denoise, x: Array, high: float, low: float) -> Array:
    """The score frozen in Ornstein-Uhlenbeck time (theory 1): x + (1 - e^{-h})(D - x)/s^2 in VE units."""
    shrink = 1 - np.hypot(1, low) / np.hypot(1, high)
    return np.asarray(x + shrink * (1 + high**2) / high**2 * (denoise(x, high) - x))


def dpm_solver_2(denoise: Denoise, x: Array, high: float, low: float) -> Array:
    """DPM-Solver-2 (Lu et al. 2022), the noise predicted at the geometric mean of the two levels."""
    middle = float(np.sqrt(high * low))
    half = euler(denoise, x, high, middle)
    return np.asarray(x + (low - high) * (half - denoise(half, middle)) / middle)


SOLVERS: Mapping[str, Step] = FrozenDict(
    {"euler": euler, "heun": heun, "exponential-integrator": exponential_integrator, "dpm-solver-2": dpm_solver_2}
)
ORDER = FrozenDict({"euler": 1, "heun": 2, "exponential-integrator": 1, "dpm-solver-2": 2})
"""Order of each method: a step half as long has a local error 2^-(order + 1) times as large, for small steps."""
CATALOGUED = FrozenDict({"euler": "ddim", "exponential-integrator": "exponential-integrator"})
"""Teachers that the statements of the catalogue know, by their names there."""
SAME_AS = FrozenDict({"ddim": "euler"})


def solver(given: Any) -> tuple[str, Step]:
    """Name and step of a solver: a name of :data:`SOLVERS` or ``ddim``, or a callable step(denoise, x, high, low)."""
    if callable(given):
        name = getattr(given, "__name__", "user") or "user"
        return name, given if isinstance(given, UserStep) else UserStep(name, given)
    if not isinstance(given, str):
        raise InputError(f"solver is {given!r}; one of {', '.join(SOLVERS)} or a callable step(denoise, x, high, low) is needed")
    name = SAME_AS.get(given, given)
    return name, SOLVERS[checked_name("solver", name, tuple(SOLVERS))]


@dataclass(frozen=True)
class UserStep:
    """A user's step(denoise, x, high, low), whose result must be finite points."""

    name: str
    step: Step

    def __call__(self, denoise: Denoise, x: Array, high: float, low: float) -> Array:
        where = f"the solver {self.name} from noise level {high:g} to {low:g}"
        return points_of(where, array_of(where, lambda: self.step(denoise, x, high, low)), x)
