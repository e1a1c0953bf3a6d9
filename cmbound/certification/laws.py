"""Reference laws p: laws whose denoiser is known and which one can sample (theory 5). VE clock: x = x_0 + sigma z."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp

from cmbound.checks import shown
from cmbound.errors import DomainError, InputError
from cmbound.numbers import counted
from cmbound.worlds import Atoms, Gaussian, Mixture, World
from cmbound.worlds.base import Array, converted, numbers
from cmbound.worlds.geometry import diameter
from cmbound.worlds.process import signal, time_of

MOST_POINTS, MOST_DIMENSIONS = 50_000, 3_072  # what is tested: a data file of this size takes minutes and some gigabytes
LOGITS, LEAST_ROWS = 1 << 17, 64
"""Numbers in a table of logits, a megabyte that stays in the cache; and rows that make products with all points worth it."""
READ = 12  # points too long for the cache are read again for every piece, whose rows are more than d over this
NEGLIGIBLE = 1e-25
"""Posterior weights below this change no digit of a mean: 1e-16 over 50,000 points, with room to spare."""
CALM = 300.0
"""Logits up to this size need no shift: their exponentials, and sums of these times the data, stay inside float64."""
FLOOR = -600.0
"""Smaller logits are raised to this: the weight is still nothing, and exponentials that underflow are slow."""
WIDE = 16  # dimensions from which products with points of no weight cost more than finding these points
COPIED = 1000  # points of which there are copies at a time
TOLD_APART = 9  # digits of a distance from the mean: those that its rounding does not touch
MOST_PAIRED = 5_000  # points whose pairs are looked at one by one: below a second
ROUNDED = 1e-11
"""Relative error of a distance, with room to spare: a product of 3,072 numbers loses 1e-12 of the squared radius."""
LARGE = 2_000_000  # numbers in a data set above which an enclosing ball and a rank take too long


class Law(ABC):
    """A law on R^d with its noised laws.

    Attributes:
        d: dimension.
        mean: shape (d,).
        sd2, m2: (tr Cov x_0)^{1/2} and (E norm(x_0)^2)^{1/2}.
        exact_flow: whether the flow is known in closed form.
    """

    d: int
    mean: Array
    sd2: float
    m2: float
    exact_flow = False

    @property
    def scale(self) -> float:
        """Standard deviation of a coordinate."""
        return self.sd2 / math.sqrt(self.d)

    @abstractmethod
    def denoiser(self, x: Array, sigma: Array | float) -> Array:
        """E[x_0 | x_0 + sigma z = x] for x (n, d), sigma a number or (n,): shape (n, d)."""

    @abstractmethod
    def draw(self, n: int, rng: np.random.Generator) -> Array:
        """n independent draws of x_0, shape (n, d)."""

    @abstractmethod
    def posterior(self, x: Array, sigma: float, rng: np.random.Generator) -> Array:
        """One draw of x_0 given x_0 + sigma z = x for each row: shape (n, d)."""

    @abstractmethod
    def constants(self, delta: float, T: float) -> dict[str, Any]:
        """Constants by parameter name (OU times), for a statement of the catalogue."""

    @abstractmethod
    def described(self) -> str:
        """The law in a few words."""


class DataLaw(Law):
    """The empirical law of points (n, d) with weights (n,): posterior means by softmax, in blocks.

    Raises:
        DomainError: more than 50,000 points or 3,072 dimensions.
    """

    points: Array
    weights: Array

    def __init__(self, points: Any, weights: Array | None = None) -> None:
        data = numbers("data", points, 2)
        if len(data) > MOST_POINTS or data.shape[1] > MOST_DIMENSIONS:
            raise DomainError(f"data has shape {data.shape}; at most ({MOST_POINTS}, {MOST_DIMENSIONS}) is supported")
        mass = np.full(len(data), 1 / len(data)) if weights is None else np.asarray(weights, dtype=np.float64)
        order = canonical(data)
        self.d = data.shape[1]
        self.weights = mass[order]
        # one product gives all logits, another one the sums and their total: points, ones, and what is subtracted
        self._table = np.ones((len(data), self.d + 2))
        self.points = self._table[:, : self.d]
        for cut in self._pieces(len(data)):
            self.points[cut] = data[order[cut]]
        self.equal = bool((self.weights == self.weights[0]).all())
        # the mean of copies of a point is that point, without rounding
        self.mean = self.weights @ self.points if (self.points != self.points[0]).any() else self.points[0].copy()
        # all is measured from the mean: what the points have in common is never squared
        spread = from_centre(self.points, self.mean)
        self._table[:, -1] = -spread / 2
        self.sd2 = math.sqrt(float(self.weights @ spread))
        self.m2 = max(math.sqrt(float(self.weights @ squares(self.points))), self.sd2)
        self._reach = math.sqrt(float(spread.max()))
        self._log_weights = np.log(self.weights)
        self._radius = math.sqrt(float(squares(self.points).max()))
        for x in (self.points, self.weights, self.mean, self._table):
            x.setflags(write=False)

    def _masses(self, x: Array, sigma: Array | float) -> Array:
        """Posterior weights (n, number of points), up to a factor for each row."""
        asked = np.zeros((len(x), self.d + 2))
        away, precision = x - self.mean, np.reshape(1 / np.square(np.asarray(sigma, dtype=np.float64)), (-1, 1))
        np.multiply(away, precision, out=asked[:, :-2])
        asked[:, -1:] = precision
        logits = np.asarray(asked @ self._table.T)
        if not self.equal:
            logits += self._log_weights
        if not self._calm(away, precision):
            logits -= logits.max(axis=1, keepdims=True)
            np.maximum(logits, FLOOR, out=logits)
        return np.asarray(np.exp(logits, out=logits))

    def _calm(self, away: Array, precision: Array) -> bool:
        """Whether no logit is large, by the inequality of Cauchy and Schwarz."""
        sizes = np.sqrt(squares(away))[:, None]
        return self.equal and float(((sizes * self._radius + self._reach**2 / 2) * precision).max()) <= CALM

    def _pieces(self, n: int) -> list[slice]:
        rows = max(LEAST_ROWS, self.d // READ, LOGITS // len(self.weights))
        return [slice(i, min(i + rows, n)) for i in range(0, n, rows)]

    def denoiser(self, x: Array, sigma: Array | float) -> Array:
        level = np.asarray(sigma, dtype=np.float64)
        out = np.empty_like(x)
        for cut in self._pieces(len(x)):
            masses, table = self._masses(x[cut], level[cut] if level.ndim else level), self._table[:, :-1]
            if self.d >= WIDE:
                used = np.flatnonzero((masses > NEGLIGIBLE * masses.max(axis=1, keepdims=True)).any(axis=0))
                if 4 * len(used) < masses.shape[1]:  # else picking columns costs more than it saves
                    masses, table = masses[:, used], table[used]
            sums = masses @ table  # the last column is 1
            np.divide(sums[:, :-1], sums[:, -1:], out=out[cut])
        return out

    def draw(self, n: int, rng: np.random.Generator) -> Array:
        index = rng.integers(len(self.points), size=n) if self.equal else rng.choice(len(self.points), size=n, p=self.weights)
        return self.points[index]

    def posterior(self, x: Array, sigma: float, rng: np.random.Generator) -> Array:
        level, out = rng.random(len(x)), np.empty_like(x)
        for cut in self._pieces(len(x)):
            sums = np.cumsum(self._masses(x[cut], sigma), axis=1)
            index = (sums < (level[cut] * sums[:, -1])[:, None]).sum(axis=1)
            out[cut] = self.points[np.minimum(index, len(self.points) - 1)]
        return out

    def constants(self, delta: float, T: float) -> dict[str, Any]:
        if self.points.size > LARGE:
            return {"d": self.d, "m2": self.m2, "sd2": self.sd2, "R": self._reach}
        return Atoms(self.points, self.weights).constants(delta, T, scores=False)

    @cached_property
    def diameter(self) -> float:
        """No two points are further apart: the largest distance of few points, else twice the largest from the mean."""
        if len(self.points) > MOST_PAIRED:
            return 2 * self._reach * (1 + ROUNDED)
        return diameter(self.points) * (1 + ROUNDED)

    def described(self) -> str:
        return f"{counted(len(self.weights), 'point')} in d = {self.d}"


class WorldLaw(Law):
    """A Gaussian law or a mixture."""

    def __init__(self, world: Gaussian | Mixture) -> None:
        self.world, self.d, self.mean, self.sd2, self.m2 = world, world.d, world.mean, world.sd2, world.m2
        self.exact_flow = isinstance(world, Gaussian)

    def denoiser(self, x: Array, sigma: Array | float) -> Array:
        t = time_of(sigma)
        return self.world.denoiser(x * np.reshape(signal(t), (-1, 1)), t)

    def flow(self, x: Array, high: float, low: float) -> Array:
        """The flow in closed form, of a Gaussian law."""
        start, end = float(time_of(high)), float(time_of(low))
        return np.asarray(self.world.flow(x * signal(start), start, end) / signal(end))

    def draw(self, n: int, rng: np.random.Generator) -> Array:
        return self.world.sample(n, seed=rng)

    @cached_property
    def _components(self) -> list[tuple[float, Array, Array, Array]]:
        """Log-weight, mean, eigenvalues and eigenvectors of each component."""
        if isinstance(self.world, Gaussian):
            return [(0.0, self.mean, *np.linalg.eigh(self.world.covariance))]
        given, count = np.asarray(self.world.component_covariance), len(self.world.weights)
        one = given * np.eye(self.d) if given.ndim == 0 else given
        matrices = list(one) if one.ndim == 3 else [one] * count
        logs = np.log(self.world.weights)
        return [(float(w), m, *np.linalg.eigh(c)) for w, m, c in zip(logs, self.world.means, matrices, strict=True)]

    def posterior(self, x: Array, sigma: float, rng: np.random.Generator) -> Array:
        parts, logits = [], []
        for log_weight, mean, values, vectors in self._components:
            values = np.maximum(values, 0.0)
            y, total = (x - mean) @ vectors, values + sigma**2
            logits.append(log_weight - (np.sum(y * y / total, axis=1) + np.sum(np.log(total))) / 2)
            parts.append((mean, vectors, y * (values / total), np.sqrt(values / total) * sigma))
        table = np.stack(logits, axis=1)
        sums = np.cumsum(np.exp(table - logsumexp(table, axis=1, keepdims=True)), axis=1)
        chosen = (sums < (rng.random(len(x)) * sums[:, -1])[:, None]).sum(axis=1)
        z, out = rng.standard_normal(x.shape), np.empty_like(x)
        for k, (mean, vectors, centre, spread) in enumerate(parts):
            rows = chosen == k
            out[rows] = mean + (centre[rows] + spread * z[rows]) @ vectors.T
        return out

    def constants(self, delta: float, T: float) -> dict[str, Any]:
        return self.world.constants(delta, T)

    def described(self) -> str:
        kind = "a Gaussian law" if self.exact_flow else f"a mixture of {len(self._components)}"
        return f"{kind} in d = {self.d}"


def squares(x: Array) -> Array:
    """Squared norms of rows."""
    return np.asarray(np.einsum("ij,ij->i", x, x))


def from_centre(points: Array, centre: Array) -> Array:
    """Squared distances (n,) of points from another one, without a copy of all of them."""
    return np.concatenate([squares(points[i : i + COPIED] - centre) for i in range(0, len(points), COPIED)])


def canonical(points: Array) -> npt.NDArray[np.intp]:
    """An order of points that does not depend on the one they are given in: by distance from their mean, then by their bytes."""
    away = np.sqrt(from_centre(points, points.mean(axis=0)))
    rounded = np.round(away / max(float(away.max()), 1e-300), TOLD_APART)
    table = np.ascontiguousarray(points)
    if (np.signbit(table) & (table == 0)).any():
        table = table + 0.0  # -0.0 becomes 0.0
    names = table.view(np.dtype((np.void, table.shape[1] * table.itemsize))).ravel()
    by_bytes = np.argsort(names, kind="stable")
    return by_bytes[np.argsort(rounded[by_bytes], kind="stable")]


def law_of(data: Any) -> Law:
    """The reference law: of points (n, d), of a Gaussian, a mixture or atoms; a :class:`Law` is kept as it is."""
    if isinstance(data, Law):
        return data
    if isinstance(data, Mixture) and not np.any(data.component_covariance):
        return DataLaw(data.means, data.weights)
    if isinstance(data, Gaussian | Mixture):
        return WorldLaw(data)
    if isinstance(data, World | str):
        raise InputError(f"data is {shown(data)}; points (n, d), a Gaussian or a Mixture is needed")
    array = converted("data", data)
    return DataLaw(array[:, None] if array.ndim == 1 else array)
