"""What every analytic world offers, and the checks and the batching they share (theory 1 and 4)."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import numpy.typing as npt

from cmbound.checks import checked_unmasked
from cmbound.distances.scaling import Array as Array, norm
from cmbound.errors import DomainError, InputError
from cmbound.frozen import content
from cmbound.numbers import apart
from cmbound.worlds.process import noise, signal

Seed = int | np.random.Generator
Compute = Callable[..., Array]

LARGEST = 1e50
"""Largest size of a coordinate; products of what is computed from it stay inside float64."""
SMALLEST = 1e-50
"""Smallest variance (and smallest time of a law without a density) a density is computed at, for the same reason."""
BLOCK = 1 << 20
"""Numbers in the largest temporary array, roughly (8 megabytes)."""


def numbers(name: str, value: npt.ArrayLike, *ndims: int) -> Array:
    """``value`` as in :func:`real`, not empty and with one of the numbers of dimensions; raises InputError or DomainError."""
    array = real(name, value)
    if array.ndim not in ndims:
        raise InputError(f"{name} has shape {array.shape}; {' or '.join(map(str, ndims))} dimensions are needed")
    if array.size == 0:
        raise InputError(f"{name} is empty (shape {array.shape})")
    return array


def real(name: str, value: npt.ArrayLike) -> Array:
    """``value`` as a float64 array of any shape, finite and at most 1e50 in size; raises InputError or DomainError."""
    array = converted(name, value)
    if array.size:
        size = max(array.max(), -array.min())
        if not np.isfinite(size):
            raise InputError(f"{name} has an entry that is not finite")
        if size > LARGEST:
            raise DomainError(f"{name} has an entry of size {size:.3g}; at most {LARGEST:g} is allowed")
    return array


def converted(name: str, value: npt.ArrayLike) -> Array:
    """``value`` as a float64 array of any shape; raises InputError for what is none of real numbers, or is masked."""
    checked_unmasked(name, value)
    try:
        array = np.asarray(value)
    except ValueError:
        raise InputError(f"{name} is not an array of numbers (its rows differ in length)") from None
    if array.dtype.kind not in "fiu":
        raise InputError(f"{name} has dtype {array.dtype}; real numbers are needed")
    return array.astype(np.float64, copy=False)


def times(name: str, t: npt.ArrayLike, positive: str = "") -> Array:
    """Finite times >= 0 as a float64 array; ``positive`` says why 0 is not allowed; raises InputError or DomainError."""
    if isinstance(t, float) and (SMALLEST if positive else 0.0) <= t < np.inf:
        return np.asarray(t)
    array = converted(name, t)
    if array.size:
        low, high = array.min(), array.max()
        if positive and not low >= SMALLEST:
            least = f"; the smallest supported is {SMALLEST:g}" if low > 0 else ""
            raise DomainError(f"{name} must be > 0 {positive}, got {low:g}{least}")
        if not (low >= 0 and high < np.inf):
            raise DomainError(f"{name} must be a finite number >= 0, got {high if low >= 0 else low:g}")
    return array


def scalar_time(name: str, t: Any, positive: str = "") -> float:
    """One time, checked as :func:`times` does."""
    if type(t) is float and (SMALLEST if positive else 0.0) <= t < np.inf:
        return t
    array = times(name, t, positive)
    if array.ndim:
        raise InputError(f"{name} has shape {array.shape}; one number is needed")
    return float(array)


def interval(low_name: str, low: Any, high_name: str, high: Any) -> tuple[float, float]:
    """Two times, low <= high; raises InputError or DomainError."""
    first, last = scalar_time(low_name, low), scalar_time(high_name, high)
    if first > last:
        most, given = apart(last, first)
        raise DomainError(f"{low_name} must be <= {high_name} = {most}, got {given}")
    return first, last


def generator(seed: Seed) -> np.random.Generator:
    """The generator itself, or a new one for an integer seed >= 0; raises InputError for anything else."""
    if isinstance(seed, np.random.Generator):
        return seed
    try:
        value = operator.index(seed)
    except TypeError:
        value = -1
    if value < 0 or isinstance(seed, bool):
        raise InputError(f"seed is {seed!r}; an integer >= 0 or a numpy Generator is needed")
    return np.random.default_rng(value)


def broadcast(**shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The common shape; raises InputError if there is none."""
    longest, *others = sorted(set(shapes.values()), key=len, reverse=True)
    if not any(others):  # all the same, and numbers beside them
        return longest
    try:
        return np.broadcast_shapes(*shapes.values())
    except ValueError:
        given = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise InputError(f"the shapes of points and times do not broadcast: {given}") from None


def spread(x: Array, shape: tuple[int, ...]) -> Array:
    """``x`` broadcast to a shape, itself where it has it: NumPy takes its time."""
    return x if x.shape == shape else np.broadcast_to(x, shape)


class World(ABC):
    """A data law on R^d whose noised laws p_t are known: the law of x_t = c_t x_0 + s_t z.

    Points x have shape (..., d), times (units of the OU clock) are numbers or arrays that broadcast against x.shape[:-1]: x
    (n, d) and t (m, 1) give (m, n, d). float32 points give float32 results; everything is computed in float64. Every method
    raises InputError for what has the wrong shape or is not a number and DomainError for a time outside its domain; in
    particular a law without a density has no score at t = 0.

    Attributes:
        d: dimension.
        mean: E x_0, shape (d,).
    """

    d: int
    mean: Array

    # --- two worlds are equal where their laws are written in the same numbers; nobody can change these ---

    @property
    @abstractmethod
    def _law(self) -> tuple[Any, ...]:
        """The numbers the law is written in."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, World) and type(self) is type(other) and bool(content(self._law) == content(other._law))

    def __hash__(self) -> int:
        return hash((type(self), content(self._law)))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} in {self.d} dimension{'s' * (self.d != 1)}>"

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._close()

    def _close(self) -> None:
        """From now on nothing can be changed: no array, and no attribute."""
        for x in vars(self).values():
            if isinstance(x, np.ndarray):
                x.setflags(write=False)
        vars(self)["_closed"] = True

    def __setattr__(self, name: str, value: object) -> None:
        if "_closed" in vars(self):
            raise FrozenInstanceError(f"a law cannot be changed; make another {type(self).__name__}")
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        raise FrozenInstanceError(f"a law cannot be changed; make another {type(self).__name__}")

    # --- the law ---

    @property
    @abstractmethod
    def covariance(self) -> Array:
        """Cov x_0, shape (d, d)."""

    @property
    @abstractmethod
    def sd2(self) -> float:
        """(tr Cov x_0)^{1/2}."""

    @property
    def m2(self) -> float:
        """(E norm(x_0)^2)^{1/2}, never below ``sd2``."""
        return max(float(np.hypot(norm(self.mean), self.sd2)), self.sd2)

    @property
    @abstractmethod
    def d_eff(self) -> int:
        """Dimension of the affine hull of the support (0 for a single point)."""

    @property
    @abstractmethod
    def radius(self) -> float:
        """Radius of a ball that holds the support, inf if there is none."""

    @property
    @abstractmethod
    def smoothing(self) -> tuple[float, float] | None:
        """(R, tau) such that x_0 = U + tau z with norm(U - centre) <= R and 0 <= tau < 1, or None if there is no such pair."""

    @property
    @abstractmethod
    def _least_variance(self) -> float:
        """Smallest eigenvalue of the covariances of the components."""

    @property
    def _no_density(self) -> str:
        """Why t = 0 is not allowed; empty if it is."""
        return "" if self._least_variance >= SMALLEST else "(this law has no density at t = 0)"

    # --- what is computed for a block: x (n, d), t one number (shape ()) or (n,) ---

    @abstractmethod
    def _log_density(self, x: Array, t: Array) -> Array: ...

    @abstractmethod
    def _score(self, x: Array, t: Array) -> Array: ...

    @abstractmethod
    def _hessian_product(self, x: Array, t: Array, v: Array) -> Array: ...

    @abstractmethod
    def _score_acceleration(self, x: Array, t: Array) -> Array: ...

    @abstractmethod
    def _denoiser(self, x: Array, t: Array) -> Array: ...

    @abstractmethod
    def _flow(self, x: Array, t_from: Array, t_to: Array) -> Array: ...

    @abstractmethod
    def _draw(self, n: int, c: float, s: float, rng: np.random.Generator) -> Array: ...

    @property
    def _rows(self) -> int:
        """Number of points of a block."""
        return BLOCK

    # --- samples ---

    def sample(self, n: int, t: float = 0.0, *, seed: Seed, dtype: npt.DTypeLike = np.float64) -> Array:
        """n independent draws of x_t.

        Args:
            n: number of points, >= 1.
            t: time, >= 0 (0: the data law).
            seed: integer >= 0 or a numpy Generator; the same seed gives the same numbers.
            dtype: float64 or float32.

        Returns:
            Shape (n, d).
        """
        try:
            count = operator.index(n)
        except TypeError:
            count = 0
        if count < 1:
            raise InputError(f"n is {n!r}; an integer >= 1 is needed")
        if np.dtype(dtype) not in (np.float32, np.float64):
            raise InputError(f"dtype is {np.dtype(dtype)}; float32 or float64 is needed")
        time = scalar_time("t", t)
        return self._draw(count, float(signal(time)), float(noise(time)), generator(seed)).astype(dtype, copy=False)

    # --- at a time t ---

    def log_density(self, x: npt.ArrayLike, t: npt.ArrayLike) -> Array:
        """log p_t(x), shape (...)."""
        return self._blocks(self._log_density, x, {"t": times("t", t, self._no_density)}, scalar=True)

    def score(self, x: npt.ArrayLike, t: npt.ArrayLike) -> Array:
        """s(x, t) = grad log p_t(x), shape (..., d)."""
        return self._blocks(self._score, x, {"t": times("t", t, self._no_density)})

    def hessian_product(self, x: npt.ArrayLike, v: npt.ArrayLike, t: npt.ArrayLike) -> Array:
        """H v, H the Hessian of log p_t at x; v broadcasts against x. Shape (..., d)."""
        return self._blocks(self._hessian_product, x, {"t": times("t", t, self._no_density)}, v)

    def score_acceleration(self, x: npt.ArrayLike, t: npt.ArrayLike) -> Array:
        """d/dt s(x_t, t) along the PF-ODE dx/dt = -x - s(x, t), at x_t = x (theory 3.2). Shape (..., d)."""
        return self._blocks(self._score_acceleration, x, {"t": times("t", t, self._no_density)})

    def denoiser(self, x: npt.ArrayLike, t: npt.ArrayLike) -> Array:
        """E[x_0 | x_t = x], shape (..., d)."""
        return self._blocks(self._denoiser, x, {"t": times("t", t, self._no_density)})

    # --- the probability flow ---

    def flow(self, x: npt.ArrayLike, t_from: npt.ArrayLike, t_to: npt.ArrayLike) -> Array:
        """The PF-ODE solution from (x, t_from), read at t_to (either direction of time). Shape (..., d)."""
        pair = {"t_from": times("t_from", t_from, self._no_density), "t_to": times("t_to", t_to)}
        return self._blocks(self._flow, x, pair)

    def consistency(self, x: npt.ArrayLike, t: npt.ArrayLike, delta: npt.ArrayLike) -> Array:
        """The exact consistency function f(x, t) = flow(x, t, delta). Shape (..., d)."""
        return self.flow(x, t, delta)

    # --- one dimension ---

    def cdf(self, x: npt.ArrayLike, t: npt.ArrayLike) -> Array:
        """P(x_t <= x) for numbers x (any shape, broadcast against t); relatively accurate in the lower tail; d = 1 only."""
        return self._probability(x, t, 1.0)

    def survival(self, x: npt.ArrayLike, t: npt.ArrayLike) -> Array:
        """P(x_t > x) for numbers x (any shape, broadcast against t); relatively accurate in the upper tail; d = 1 only."""
        return self._probability(x, t, -1.0)

    @abstractmethod
    def _probability(self, x: npt.ArrayLike, t: npt.ArrayLike, sign: float) -> Array: ...

    # --- constants ---

    @abstractmethod
    def score_lipschitz(self, T: float, t_star: float = 0.0) -> float:
        """A Lipschitz constant of s(., t) valid for every t in [t_star, T]; inf if none is known."""

    def score_above(self, T: float, t_star: float = 0.0) -> float:
        """A bound on the largest eigenvalue of the Jacobian of s(., t) for t in [t_star, T], >= 0; inf if none is known."""
        return self.score_lipschitz(T, t_star)

    @abstractmethod
    def map_lipschitz(self, t: float, delta: float) -> float:
        """A Lipschitz constant of the exact consistency function f(., t) with end delta <= t; inf if none is known."""

    def constants(self, delta: float, T: float, t_star: float = 0.0, *, scores: bool = True) -> dict[str, Any]:
        """The constants of this law by cmbound parameter name; each is valid for it, up to the rounding of float64.

        ``--data FILE`` rounds upper bounds up, at eight digits.

        Args:
            delta: early-stopping time, >= 0.
            T: horizon, >= delta.
            t_star: time from which the scores are to be Lipschitz, 0 or delta. If they are not from 0 on, delta is taken.
            scores: whether L_s is wanted (for some laws it is the result of a search).

        Returns:
            d, m2, sd2, d_eff (at least 1); L_s (at least 1) with t_star (0 or "delta"), where finite; R, and tau if it is
            positive, where ``smoothing`` knows them; n_atoms and unequal weights for a finite data set.
        """
        low, high = interval("delta", delta, "T", T)
        start = scalar_time("t_star", t_star)
        if start not in (0.0, low):
            raise DomainError(f"t_star must be 0 or delta = {low:g}, got {start:g}")
        values: dict[str, Any] = {"d": self.d, "m2": self.m2, "sd2": self.sd2, "d_eff": max(self.d_eff, 1)}
        for from_time, label in ((0.0, 0), (low, "delta")) if scores else ():
            if start <= from_time:
                constant = self.score_lipschitz(high, from_time)
                if np.isfinite(constant):
                    values |= {"L_s": max(constant, 1.0), "t_star": label}
                    break
        if self.smoothing is not None:
            radius, tau = self.smoothing
            values |= {"R": radius} if tau == 0 else {"R": radius, "tau": tau}
        return values

    # --- batching ---

    def _points(self, name: str, x: npt.ArrayLike) -> Array:
        array = real(name, x)
        if array.ndim == 0 or array.shape[-1] != self.d:
            raise InputError(f"{name} has shape {array.shape}; the last dimension must be d = {self.d}")
        return array

    def _blocks(
        self, compute: Compute, x: npt.ArrayLike, at: dict[str, Array], v: npt.ArrayLike | None = None, *,
        scalar: bool = False,
    ) -> Array:  # fmt: skip
        """``compute(x, *at, v)`` block by block over points, for everything broadcast together: vectors, or numbers."""
        given = [self._points("x", x)] + ([] if v is None else [self._points("v", v)])
        single = getattr(x, "dtype", None) == np.float32
        shapes = {name: array.shape for name, array in at.items()} | {"x": given[0].shape[:-1]}
        batch = broadcast(**shapes, **({} if v is None else {"v": given[-1].shape[:-1]}))
        rows = [spread(y, (*batch, self.d)).reshape(-1, self.d) for y in given]
        moments = [t if t.ndim == 0 else spread(t, batch).reshape(-1) for t in at.values()]
        step = max(1, self._rows)
        if len(rows[0]) <= step:
            out = np.ascontiguousarray(compute(rows[0], *moments, *rows[1:]))
        else:
            out = np.empty(len(rows[0]) if scalar else (len(rows[0]), self.d))
            for i in range(0, len(out), step):
                cut = slice(i, i + step)
                out[cut] = compute(rows[0][cut], *(t if t.ndim == 0 else t[cut] for t in moments), *(y[cut] for y in rows[1:]))
        return out.reshape(batch if scalar else (*batch, self.d)).astype(np.float32 if single else np.float64, copy=False)
