"""The teacher on a mixture or a finite data set, the student that runs it, and the exact trajectories beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from cmbound.distances.scaling import Array, norm, rms
from cmbound.frozen import Record
from cmbound.verification.bench import Bench, Params
from cmbound.verification.instances import Recipe, Truth
from cmbound.verification.settings import amplitude, grid_nodes, law_constants, parameters, teacher_step
from cmbound.worlds.atoms import Atoms
from cmbound.worlds.mixture import Mixture
from cmbound.worlds.process import noise, signal

LARGE = 1e100
"""Stands for a Lipschitz constant that is not known or leaves the float64 range."""
_ROUNDS, _WATCHED = 16, 6  # refinements of the steepest secants, each half as long


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
    norm(drift) h_n at every step, exactly. If ``exact``, the student adds the drift to the exact consistency function.
    """

    world: Mixture
    nodes: Array
    teacher: str
    offset: Array
    drift: Array
    exact: bool = False

    def step(self, x: Array, n: int, slope: Array | None = None) -> tuple[Array, Array | None]:
        """One teacher step from t_{n+1} to t_n; ``slope`` is carried along by the derivative (one dimension)."""
        low, high = float(self.nodes[n]), float(self.nodes[n + 1])
        keep, push = (float(x) for x in teacher_step(self.teacher, low, high))
        if slope is None:
            score = self.world.score(x, high)
        else:
            score, along = self.world._score_and_product(x, high, np.ones_like(x))
            slope = slope * (keep + push * along[..., 0])
        return keep * x + push * (score + self.offset), slope

    @property
    def shifts(self) -> Array:
        """What the drift adds at t_0, ..., t_N, shape (N + 1, d)."""
        return np.asarray((self.nodes - self.nodes[0])[:, None] * self.drift)

    def student(self, x: Array, n: int) -> Array:
        """f_theta(x, t_n) on points (..., d)."""
        if self.exact:
            return np.asarray(self.world.flow(x, self.nodes[n], self.nodes[0]) + self.shifts[n])
        for k in range(n - 1, -1, -1):
            x, _ = self.step(x, k)
        return np.asarray(x + self.shifts[n])

    def images(self, points: Sequence[Array]) -> list[Array]:
        """f_theta(points[n], t_n) for n = 0..N, points (m, d), all in one go."""
        if self.exact:
            moved = self.world.flow(np.stack(points[1:]), self.nodes[1:, None], float(self.nodes[0]))
            return [points[0], *(moved + self.shifts[1:, None])]
        moved = np.empty((0, self.world.d))
        for n in range(len(self.nodes) - 2, -1, -1):
            moved = self.step(np.concatenate([moved, points[n + 1]]), n)[0]
        rows = moved.reshape(len(self.nodes) - 1, -1, self.world.d)[::-1]
        return [points[0], *(rows + self.shifts[1:, None])]

    def exact_path(self, x_0: Array, z: Array) -> list[Array]:
        """The exact trajectories of c_T x_0 + s_T z at t_0, ..., t_N."""
        path = [signal(self.nodes[-1]) * x_0 + noise(self.nodes[-1]) * z]
        for n in range(len(self.nodes) - 2, -1, -1):
            path.append(self.world.flow(path[-1], self.nodes[n + 1], self.nodes[n]))
        return path[::-1]

    def beside(self, path: Sequence[Array], beginning: Array) -> list[Array]:
        """Where f_theta(., t_n), n = 0..N, is used beside the exact trajectories (theory 3.1): a step of the teacher ends there.

        At T it is where the run begins.
        """
        return [*(self.step(path[n + 1], n)[0] for n in range(len(path) - 1)), beginning]

    def slopes(self, x: Array) -> tuple[Array, Array]:
        """f_theta(., t_n) and its derivative for all n = 1..N at once, at numbers x (N, m), d = 1; two arrays (N, m)."""
        values, slopes = x.copy(), np.ones_like(x)
        for k in range(len(x) - 1, -1, -1):
            moved, slope = self.step(values[k:, :, None], k, slopes[k:])
            assert slope is not None
            values[k:], slopes[k:] = moved[..., 0], slope
        return values + self.shifts[1:], slopes

    def steepest_found(self, x: Array) -> Array:
        """The largest derivatives of f_theta(., t_n), n = 1..N, near numbers x (N, m) in increasing order, shape (N,).

        Intervals with the steepest secants are halved again and again, which finds the narrow transitions between components.
        """
        values, slopes = self.slopes(x)
        best = np.max(np.abs(slopes), axis=1)
        intervals = np.stack([x[:, :-1], x[:, 1:], values[:, :-1], values[:, 1:]])
        secants = _secants(intervals)
        rows = np.arange(len(x))[:, None]
        for _ in range(_ROUNDS):
            index = np.argpartition(-secants, _WATCHED, axis=1)[:, :_WATCHED]
            left = intervals[:, rows, index]
            right, middle = left.copy(), (left[0] + left[1]) / 2
            at_middle, slopes = self.slopes(middle)
            best = np.maximum(best, np.max(np.abs(slopes), axis=1))
            left[1], left[3] = right[0], right[2] = middle, at_middle
            intervals[:, rows, index], secants[rows, index] = left, _secants(left)
            intervals, secants = np.concatenate([intervals, right], axis=2), np.concatenate([secants, _secants(right)], axis=1)
        return np.asarray(best)

    def steepest(self, radius: float, tau: float) -> Array:
        """Lipschitz constants of f_theta(., t_n), n = 1..N, that certainly hold: products of those of the steps."""
        high, low = self.nodes[1:], self.nodes[:-1]
        v = signal(high) ** 2 * tau**2 + noise(high) ** 2
        top = signal(high) ** 2 * radius**2 / v**2 - 1 / v
        keep, push = teacher_step(self.teacher, low, high)
        with np.errstate(over="ignore"):
            return np.asarray(np.cumprod(np.maximum(np.abs(keep - push / v), np.abs(keep + push * top))))


def _secants(intervals: Array) -> Array:
    """Sizes of the slopes over intervals: their ends and the values there, shape (4, N, m); 0 for those too short to have one."""
    low, high, at_low, at_high = intervals
    width = high - low
    return np.where(width > 1e-13 * (1 + np.abs(high)), np.abs(at_high - at_low) / np.maximum(width, 1e-300), 0.0)


def runner(recipe: Recipe) -> Runner:
    """The law, teacher and student of a recipe."""
    choices, knobs = recipe.choices, recipe.knobs
    world = law(recipe)
    u = np.random.default_rng([recipe.seed, 1]).standard_normal(world.d)
    u /= np.linalg.norm(u)
    offset = choices["score_sign"] * amplitude(knobs["log_score"]) * u
    drift = choices["drift_sign"] * amplitude(knobs["log_drift"]) * u
    return Runner(world, grid_nodes(choices, knobs), choices["teacher"], offset, drift)


def quotient(image: Array, x: Array, y: Array) -> float:
    """L2 norm of ``image`` over that of x - y; 1 where x and y agree up to rounding."""
    apart = rms(x - y)
    return rms(image) / apart if apart > 1e-13 * rms(y) else 1.0


class RunnerBench(Bench):
    """The teacher run on a mixture or a data set: constants that are measured, beside some that certainly hold."""

    @cached_property
    def run(self) -> Runner:
        """Law, grid, teacher and student."""
        return runner(self.recipe)

    @property
    def world(self) -> Mixture:
        return self.run.world

    @property
    def nodes(self) -> Array:
        return self.run.nodes

    @property
    def spread(self) -> float:
        """Standard deviation of the law sampling starts from."""
        return float(noise(self.nodes[-1])) if self.start == "matched" else 1.0

    def steepest(self) -> Array:
        """Lipschitz constants of f_theta(., t_n), n = 1..N, that certainly hold; inf where none are known."""
        smoothing = self.world.smoothing
        return np.full(len(self.nodes) - 1, np.inf) if smoothing is None else self.run.steepest(*smoothing)

    def both(self, found: Array, certain: Array, **changed: Any) -> tuple[Params, Params]:
        """The parameters at the constants L_f found, and at those that certainly hold (n = 1..N)."""
        law = law_constants(self.theorem, self.world, self.nodes, self.choices)
        errors = [np.full(len(found), norm(x)) for x in (self.run.offset, self.run.drift)]
        certain = np.maximum(np.minimum(certain, LARGE), found)
        choices = {**self.choices, **changed}
        params, generous = (parameters(self.theorem, choices, self.nodes, law, x, *errors) for x in (found, certain))
        return params, generous

    def score_slope(self) -> Truth:
        x = _probes(self.world, self.low)
        columns = [self.world.hessian_product(x, np.broadcast_to(e, x.shape), self.low) for e in np.eye(self.world.d)]
        return _largest(np.abs(np.linalg.eigvalsh(np.stack(columns, axis=-1))))

    def map_slope(self) -> Truth:
        high = float(self.nodes[-1])
        return _largest(self.world.flow_derivative(_probes(self.world, high), high, self.low))


def _largest(slopes: Array) -> Truth:
    value = float(np.max(slopes))
    return Truth(value, value * (1 - 1e-9), value * (1 + 1e-9))


def _probes(world: Mixture, t: float) -> Array:
    """Points where slopes are large: between the components, and a sample."""
    centres = signal(t) * world.means
    pairs = (centres[:, None, :] + centres[None, :, :]) / 2
    sample = world.sample(200, t, seed=0)
    if world.d == 1:
        ends = float(centres.min()) - 3, float(centres.max()) + 3
        sample = np.concatenate([sample, np.linspace(*ends, 801)[:, None]])
    return np.concatenate([pairs.reshape(-1, world.d), sample])
