"""The teacher on a mixture or a finite data set, and the student that runs it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cmbound.frozen import Record
from cmbound.verification.instances import Recipe
from cmbound.verification.settings import amplitude, grid_nodes
from cmbound.worlds.atoms import Atoms
from cmbound.worlds.mixture import Mixture
from cmbound.worlds.process import noise, noise_level, signal

Array = npt.NDArray[np.float64]

LARGE = 1e100
"""Stands for a Lipschitz constant that is not known or leaves the float64 range."""
_ROUNDS, _WATCHED = 16, 6


def law(recipe: Recipe) -> Mixture:
    """The data law of a recipe."""
    choices, knobs = recipe.choices, recipe.knobs
    rng = np.random.default_rng(recipe.seed)
    size, count = int(choices["d"]), int(choices["components"])
    centres = rng.standard_normal((count, size))
    if choices["symmetric"] and count > 1:
        axis = centres[0] / np.linalg.norm(centres[0])
        centres = np.linspace(-1.0, 1.0, count)[:, None] * axis
    if count > 1:
        centres = centres - centres.mean(axis=0)
        centres *= 10.0 ** knobs["log_radius"] / np.max(np.linalg.norm(centres, axis=1))
    direction = rng.standard_normal(size)
    centres = centres + amplitude(knobs["log_mean"]) * direction / np.linalg.norm(direction)
    weights = np.ones(count)
    if not choices["symmetric"] and count > 1:
        weights = 10.0 ** (knobs["log_weight"] * rng.uniform(-1, 0, count))
    weights /= weights.sum()
    if recipe.world == "atoms":
        return Atoms(centres, weights)
    variance = 10.0 ** (2 * knobs["log_tau"])
    if choices["widths"] == "individual":
        return Mixture(centres, weights, variance * 10.0 ** rng.uniform(-1, 0, (count, 1, 1)) * np.eye(size))
    return Mixture(centres, weights, variance)


@dataclass(frozen=True, eq=False)
class Runner(Record):
    """The teacher with score s + offset, and the student that runs it down to delta and adds a drift.

    ``offset`` and ``drift`` are vectors (d,): the L2 score error is norm(offset) at every time, the consistency error
    norm(drift) h_n at every step, exactly.
    """

    world: Mixture
    nodes: Array
    teacher: str
    offset: Array
    drift: Array

    def step(self, x: Array, n: int, slope: Array | None = None) -> tuple[Array, Array | None]:
        """One teacher step from t_{n+1} to t_n; ``slope`` is carried along by the derivative (one dimension)."""
        low, high = float(self.nodes[n]), float(self.nodes[n + 1])
        if self.teacher == "ddim":
            keep = float(signal(low) / signal(high))
            push = float(signal(low) * (noise_level(high) - noise_level(low)) * noise(high))
        else:
            keep, push = float(np.exp(high - low)), float(np.expm1(high - low))
        if slope is not None:
            slope = slope * (keep + push * self.world.hessian_product(x, np.ones_like(x), high)[..., 0])
        return keep * x + push * (self.world.score(x, high) + self.offset), slope

    def student(self, x: Array, n: int) -> Array:
        """f_theta(x, t_n) on points (..., d)."""
        shift = (self.nodes[n] - self.nodes[0]) * self.drift
        for k in range(n - 1, -1, -1):
            x, _ = self.step(x, k)
        return np.asarray(x + shift)

    def slopes(self, x: Array) -> tuple[Array, Array]:
        """f_theta(., t_n) and its derivative for all n = 1..N at once, at numbers x (N, m), d = 1; two arrays (N, m)."""
        values, slopes = x.copy(), np.ones_like(x)
        for k in range(len(x) - 1, -1, -1):
            moved, slope = self.step(values[k:, :, None], k, slopes[k:])
            assert slope is not None
            values[k:], slopes[k:] = moved[..., 0], slope
        values += (self.nodes[1:] - self.nodes[0])[:, None] * self.drift[0]
        return values, slopes

    def steepest_found(self, x: Array) -> Array:
        """The largest derivatives of f_theta(., t_n), n = 1..N, near numbers x (N, m) in increasing order, shape (N,).

        Intervals with the steepest secants are halved again and again, which finds the narrow transitions between components.
        """
        values, slopes = self.slopes(x)
        best = np.max(np.abs(slopes), axis=1)
        for _ in range(_ROUNDS):
            width = np.diff(x, axis=1)
            secant = np.abs(np.diff(values, axis=1)) / np.maximum(width, 1e-300)
            secant[width <= 1e-13 * (1 + np.abs(x[:, 1:]))] = 0.0
            index = np.argpartition(-secant, _WATCHED, axis=1)[:, :_WATCHED]
            middle = np.take_along_axis(x[:, 1:] + x[:, :-1], index, axis=1) / 2
            at_middle, slopes = self.slopes(middle)
            best = np.maximum(best, np.max(np.abs(slopes), axis=1))
            x, values = np.concatenate([x, middle], axis=1), np.concatenate([values, at_middle], axis=1)
            order = np.argsort(x, axis=1)
            x, values = np.take_along_axis(x, order, axis=1), np.take_along_axis(values, order, axis=1)
        return np.asarray(best)

    def steepest(self, radius: float, tau: float) -> Array:
        """Lipschitz constants of f_theta(., t_n), n = 1..N, that certainly hold: products of those of the steps."""
        high, low = self.nodes[1:], self.nodes[:-1]
        v = signal(high) ** 2 * tau**2 + noise(high) ** 2
        top = signal(high) ** 2 * radius**2 / v**2 - 1 / v
        if self.teacher == "ddim":
            keep, push = signal(low) / signal(high), signal(low) * (noise_level(high) - noise_level(low)) * noise(high)
        else:
            keep, push = np.exp(high - low), np.expm1(high - low)
        with np.errstate(over="ignore"):
            return np.asarray(np.cumprod(np.maximum(np.abs(keep - push / v), np.abs(keep + push * top))))


def runner(recipe: Recipe) -> Runner:
    """The law, teacher and student of a recipe."""
    choices, knobs = recipe.choices, recipe.knobs
    world = law(recipe)
    u = np.random.default_rng([recipe.seed, 1]).standard_normal(world.d)
    u /= np.linalg.norm(u)
    offset = choices["score_sign"] * amplitude(knobs["log_score"]) * u
    drift = choices["drift_sign"] * amplitude(knobs["log_drift"]) * u
    return Runner(world, grid_nodes(choices, knobs), choices["teacher"], offset, drift)
