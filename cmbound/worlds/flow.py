"""The probability-flow ODE with an adaptive Runge-Kutta method of order 8, each point with its own steps.

In u = e^t x and ell = log of the noise level e^t s_t the ODE is du/d ell = e^t s_t zhat with
zhat = -s_t score(x, t) = E[z | x_t = x]: it has no singularity at small t. Tableau and error estimate are those of DOP853
(Hairer, Norsett and Wanner, Solving Ordinary Differential Equations I, second edition, section II.5), read from SciPy.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.integrate import DOP853

from cmbound.errors import DomainError
from cmbound.worlds.base import Array
from cmbound.worlds.process import noise_level

RTOL = 1e-10
"""Local error allowed in a step, relative to the size of a coordinate of u."""
ATOL = 1e-10
"""Local error allowed in a step, relative to the scale of the data plus the noise level."""
LONGEST = 350.0
"""Largest time: the square of the noise level stays inside float64."""
MAX_STEPS = 10_000  # a flow takes tens; more means that the tolerance cannot be met
_FIRST_STEP = 0.1  # of log sigma: the controller corrects it at once
_SAFETY, _SHRINK, _GROW = 0.9, 0.2, 10.0  # the usual controller of an order-8 method


def integrate(score: Callable[[Array, Array], Array], x: Array, t_from: Array, t_to: Array, scale: float) -> Array:
    """The PF-ODE solution from points x (n, d) at the times t_from (n,), read at t_to (n,), all in (0, 350].

    ``score`` is that of the law of x_0 + lam z at points u (n, d) for the variances lam^2 (n,).

    Every point has its own step sizes and error control, so that a result does not depend on the other points (beyond the
    rounding of a matrix product, which may depend on the shape). A step is accepted where its error estimate, relative to
    ``RTOL`` abs(u) + ``ATOL`` (scale + noise level) and averaged over coordinates as in SciPy, is at most 1; ``scale`` is the
    standard deviation of a coordinate of the data.

    Raises:
        DomainError: a time beyond 350; or a path that needs more than 10000 steps: forwards in time from a place between
            data points where at this noise level hardly any mass lies and the score is very steep.
    """
    for name, t in (("t_from", t_from), ("t_to", t_to)):
        if t.size and t.max() > LONGEST:
            raise DomainError(f"{name} must be <= {LONGEST:g} for the flow of this law, got {t.max():g}")
    ell, end = np.log(noise_level(t_from)), np.log(noise_level(t_to))
    u = np.exp(t_from) * x.T  # points in columns: what is added up over few coordinates is added row by row
    todo = np.flatnonzero(ell != end)
    moved = todo
    step = np.clip(end - ell, -_FIRST_STEP, _FIRST_STEP)
    rejected = np.zeros(len(x), dtype=bool)
    slope = np.zeros_like(u)
    slope[:, todo] = _slope(score, u[:, todo], ell[todo])
    for _ in range(MAX_STEPS):
        if not len(todo):
            out = x.copy()
            out[moved] = (np.exp(-t_to[moved]) * u[:, moved]).T
            return out
        h = step[todo]
        left = end[todo] - ell[todo]
        last = np.abs(h) >= np.abs(left) * (1 - 1e-12)
        h = np.where(last, left, h)
        new, new_slope, error = _advance(score, u[:, todo], ell[todo], h, slope[:, todo], scale)
        good = error <= 1
        with np.errstate(divide="ignore"):
            factor = np.clip(_SAFETY * error**-0.125, _SHRINK, _GROW)
        factor = np.where(good & rejected[todo], np.minimum(factor, 1.0), factor)
        step[todo] = h * np.where(good, factor, np.minimum(factor, 0.95))
        rejected[todo] = ~good
        done = todo[good]
        u[:, done], slope[:, done] = new[:, good], new_slope[:, good]
        ell[done] = np.where(last, end[todo], ell[todo] + h)[good]
        todo = todo[~(good & last)]
    raise DomainError(
        f"the flow from t_from = {t_from[todo[0]]:g} to t_to = {t_to[todo[0]]:g} needs more than {MAX_STEPS} steps for "
        f"{len(todo)} points (they lie where this law has hardly any mass and its score is very steep)"
    )


def _slope(score: Callable[[Array, Array], Array], u: Array, ell: Array) -> Array:
    """e^t s_t zhat = -lam^2 score(u), with lam the noise level and the score that of x_0 + lam z."""
    variance = np.exp(2 * ell)
    return np.asarray(-variance * score(u.T, variance).T)


def _advance(
    score: Callable[[Array, Array], Array], u: Array, ell: Array, h: Array, slope: Array, scale: float
) -> tuple[Array, Array, Array]:
    """One step of u (d, n): the new u, the slope there, and the error divided by what is allowed."""
    stages = np.empty((DOP853.n_stages + 1, *u.shape))
    rows = stages.reshape(len(stages), -1)  # a view: a row of the tableau times it is one product
    stages[0] = slope
    for i in range(1, DOP853.n_stages):
        shift = (DOP853.A[i, :i] @ rows[:i]).reshape(u.shape)
        stages[i] = _slope(score, u + h * shift, ell + DOP853.C[i] * h)
    new = u + h * (DOP853.B @ rows[:-1]).reshape(u.shape)
    stages[-1] = _slope(score, new, ell + h)
    allowed = ATOL * (scale + np.exp(ell)) + RTOL * np.maximum(np.abs(u), np.abs(new))
    fifth = np.add.reduce(np.square((DOP853.E5 @ rows).reshape(u.shape) / allowed))
    third = np.add.reduce(np.square((DOP853.E3 @ rows).reshape(u.shape) / allowed))
    total = fifth + 0.01 * third
    return new, stages[-1], np.abs(h) * fifth / np.sqrt(np.where(total > 0, total, 1.0) * len(u))
