"""One-step and multistep sampling of a consistency model, with OU smoothing or a Langevin corrector behind it (no torch).

A model is a callable ``f(x, t)`` on arrays (n, d) and a float t. In the ``ou`` clock t is the Ornstein-Uhlenbeck time and
``delta`` the early-stopping time; in the ``ve`` clock both are noise levels sigma, and ``delta`` is sigma_min. The two clocks run
the same process: x_VE = e^delta x_OU with e^(2 delta) = 1 + sigma_min^2, so the same seed gives the same samples up to rounding.

Rows are drawn in blocks whose size depends on d alone, and block b takes all its randomness from
``SeedSequence(seed, spawn_key=(b,))``: chunk size and number of workers change no bit of the result, and a larger n keeps every
full block. (``f`` itself must give the same bits for the same block: not so if it draws random numbers of its own.)
"""

from __future__ import annotations

import math
import operator
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from cmbound.errors import DomainError, InputError, UnknownNameError

Array = npt.NDArray[Any]
Model = Callable[[Array, float], Any]
Score = Callable[[Array], Any]
Progress = Callable[[int], object]
Result = TypeVar("Result")

CLOCKS = ("ou", "ve")
STARTS = ("standard", "matched")
BLOCK = 1 << 15
"""Numbers in a block, roughly: a quarter of a megabyte, which malloc reuses instead of returning it to the system each time."""


def block_rows(d: int) -> int:
    """Rows of a full block in d dimensions: about 2^15 numbers, a multiple of 16 rows where that many fit."""
    rows = max(1, BLOCK // d)
    return rows - rows % 16 if rows >= 16 else rows


# Kernels, in place -------------------------------------------------------------------------------------------------------


def _blend(x: Array, factor: float, spread: float, rng: np.random.Generator) -> None:
    """x <- factor x + spread z."""
    z = rng.standard_normal(x.shape, dtype=x.dtype)  # type: ignore[call-overload, unused-ignore]
    z *= spread
    if factor != 1:
        x *= factor
    x += z


def _noising(t: float, delta: float, clock: str) -> tuple[float, float]:
    """Factor and standard deviation of the forward kernel from delta to t."""
    if clock == "ve":
        return 1.0, math.sqrt((t - delta) * (t + delta))
    return math.exp(delta - t), math.sqrt(-math.expm1(2 * (delta - t)))


def _smoothing(u: float) -> tuple[float, float]:
    """Factor and standard deviation of the OU kernel over a time u."""
    return math.exp(-u), math.sqrt(-math.expm1(-2 * u))


def _overwrite(x: Array, value: Any, source: str, row: int = 0) -> None:
    """x <- value, after checking it; ``source`` and the number of the first row of x are for the message."""
    value = np.asarray(value)
    if value.shape != x.shape:
        raise InputError(f"{source} returned shape {value.shape}; the shape of its argument, {x.shape}, is needed")
    if value.dtype.kind not in "fiu":
        raise InputError(f"{source} returned an array of {value.dtype}; real numbers are needed")
    if value is not x:
        with np.errstate(over="ignore"):
            x[...] = value
    finite = np.isfinite(x)
    if not finite.all():
        bad = np.flatnonzero(~finite.all(axis=1))
        raise InputError(
            f"{source} returned non-finite values in {len(bad)} of {len(x)} rows, the first in row {row + int(bad[0])}"
        )


# Correctors --------------------------------------------------------------------------------------------------------------


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
        _positive("step", self.step)
        _count("steps", self.steps)

    def advance(self, x: Array, rng: np.random.Generator) -> None:
        """Run all steps on x in place."""
        spread = math.sqrt(2 * self.step)
        slope = np.empty_like(x)
        for _ in range(self.steps):
            _overwrite(slope, self.score(x), "the corrector's score")
            slope *= self.step
            _blend(x, 1.0, spread, rng)
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
        _positive("friction", self.friction)
        _positive("step", self.step)
        _count("steps", self.steps)

    def advance(self, x: Array, rng: np.random.Generator) -> None:
        """Run all steps on x in place."""
        k = underdamped_coefficients(self.friction, self.step)
        v = rng.standard_normal(x.shape, dtype=x.dtype)  # type: ignore[call-overload, unused-ignore]
        slope, z = np.empty_like(x), np.empty_like(x)
        for _ in range(self.steps):
            _overwrite(slope, self.score(x), "the corrector's score")
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
        x_s=step * step * _ratio_2(y),
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
        return (y + math.expm1(-y)) / y**2
    value = 1.0
    for k in range(20, 2, -1):
        value = 1 - value * y / k
    return value / 2


def _ratio_3(y: float) -> float:
    """(y - 2 tanh(y/2))/y^3, below y = 2 by the continued fraction of tanh (all of its terms are positive)."""
    if y > 2:
        return (y - 2 * math.tanh(y / 2)) / y**3
    square, tail = y * y / 4, 1.0
    for odd in range(21, 3, -2):
        tail = odd + square / tail
    q = 1 / (3 + square / tail)  # tanh(x) = x/(1 + q x^2)
    return q / (1 + q * square) / 4


# Kernels, standing alone -------------------------------------------------------------------------------------------------


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
    _clock(clock)
    delta = _delta(delta)
    out = _samples(x)
    _blend(out, *_noising(_time(t, delta), delta, clock), rng)
    return out


def smooth(x: npt.ArrayLike, u: float, rng: np.random.Generator) -> Array:
    """OU smoothing for a time u > 0: e^(-u) x + (1 - e^(-2u))^(1/2) z, a new array of the shape (n, d) of x.

    Raises:
        DomainError: u <= 0.
        InputError: x of another shape.
    """
    out = _samples(x)
    _blend(out, *_smoothing(_positive("u", u)), rng)
    return out


def overdamped(x: npt.ArrayLike, score: Score, step: float, steps: int, rng: np.random.Generator) -> Array:
    """Overdamped Langevin corrector on samples (n, d); see :class:`Overdamped`. Returns a new array."""
    out = _samples(x)
    Overdamped(score, step, steps).advance(out, rng)
    return out


def underdamped(x: npt.ArrayLike, score: Score, friction: float, step: float, steps: int, rng: np.random.Generator) -> Array:
    """Underdamped Langevin corrector on samples (n, d); see :class:`Underdamped`. Returns a new array (the positions)."""
    out = _samples(x)
    Underdamped(score, friction, step, steps).advance(out, rng)
    return out


# One run -----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Run:
    """A checked sampling run."""

    f: Model
    times: tuple[float, ...]
    d: int
    n: int
    seed: int
    delta: float
    clock: str
    start: str
    smoothing: float | None
    corrector: Corrector | None
    dtype: np.dtype[Any]

    @property
    def rows(self) -> int:
        return block_rows(self.d)

    @property
    def blocks(self) -> int:
        return -(-self.n // self.rows)

    def span(self, b: int) -> slice:
        """The rows of block b."""
        return slice(b * self.rows, min((b + 1) * self.rows, self.n))

    def empty(self, b: int) -> Array:
        """Room for block b."""
        span = self.span(b)
        return np.empty((span.stop - span.start, self.d), self.dtype)

    def fill(self, b: int, x: Array, steps: Array | None = None) -> int:
        """Write block b into x, and the samples after every step into ``steps`` (k, rows, d); return the rows up to its end."""
        rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(self.seed, spawn_key=(b,))))
        rng.standard_normal(dtype=self.dtype, out=x)  # type: ignore[call-overload, unused-ignore]
        spread = _start_spread(self.times[0], self.clock, self.start)
        if spread != 1:
            x *= spread
        for i, t in enumerate(self.times):
            if i:
                _blend(x, *_noising(t, self.delta, self.clock), rng)
            _overwrite(x, self.f(x, t), f"f at t = {t:g}", b * self.rows)
            if steps is not None:
                steps[i] = x
        if self.corrector is not None:
            self.corrector.advance(x, rng)
            _overwrite(x, x, "the corrector", b * self.rows)
        if self.smoothing is not None:
            factor, spread = _smoothing(self.smoothing)
            _blend(x, factor, spread * (math.hypot(1, self.delta) if self.clock == "ve" else 1), rng)
        return min((b + 1) * self.rows, self.n)

    def block(self, b: int) -> Array:
        """Block b as an array of its own."""
        x = self.empty(b)
        self.fill(b, x)
        return x


def _start_spread(T: float, clock: str, start: str) -> float:
    """Standard deviation of the start: N(0, I) or N(0, s_T^2 I) in the ``ou`` clock, times (1 + sigma^2)^(1/2) in ``ve``."""
    if clock == "ve":
        return T if start == "matched" else math.hypot(1, T)
    return math.sqrt(-math.expm1(-2 * T)) if start == "matched" else 1.0


def _in_order(task: Callable[[int], Result], count: int, workers: int) -> Iterator[Result]:
    """task(0), task(1), ... computed by threads; never more than ``workers`` results at once."""
    if workers == 1:
        yield from map(task, range(count))
        return
    with ThreadPoolExecutor(workers) as pool:
        pending: deque[Future[Result]] = deque()
        for b in range(count):
            pending.append(pool.submit(task, b))
            if len(pending) == workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def sample(
    f: Model,
    times: Sequence[float],
    *,
    d: int,
    n: int,
    seed: int,
    delta: float,
    clock: str = "ou",
    start: str = "standard",
    smoothing: float | None = None,
    corrector: Corrector | None = None,
    dtype: npt.DTypeLike = np.float64,
    workers: int = 1,
    progress: Progress | None = None,
    out: Array | None = None,
) -> Array:
    """Multistep consistency sampling (one step: a single time); Song et al. 2023, algorithm 1.

    Start from noise at T, x = f(x, T); then for each further time t noise back from delta to t and x = f(x, t); then the
    corrector, if any; then OU smoothing, if any.

    Args:
        f: model; gets an array (rows, d), which it may overwrite, and a float of ``times``; returns an array (rows, d).
        times: (T, t_2, ..., t_k), each > delta, in any order; noise levels (sigma_max, ...) in the ``ve`` clock.
        d: dimension >= 1.
        n: number of samples >= 1.
        seed: integer >= 0.
        delta: early-stopping time >= 0; sigma_min in the ``ve`` clock.
        clock: ``ou`` (OU time) or ``ve`` (noise level; samples are e^delta times those of ``ou``).
        start: ``standard``, N(0, I) in OU units (in ``ve`` units N(0, (1 + sigma_max^2) I)); or ``matched``, N(0, s_T^2 I) in OU
            units (N(0, sigma_max^2 I) in ``ve`` units, Song's start).
        smoothing: OU time u > 0 of the smoothing; in the ``ve`` clock too u is a time and samples stay e^delta times the OU ones.
        corrector: :class:`Overdamped` or :class:`Underdamped`; its score and step are in the units of the clock.
        dtype: float64 or float32.
        workers: threads >= 1; no effect on the result.
        progress: called with the number of finished rows after each block.
        out: C-contiguous array (n, d) of ``dtype`` to write into, for instance a memory map.

    Returns:
        The samples, shape (n, d).

    Raises:
        DomainError: a number outside its domain.
        InputError: an unknown clock or start, or what f or the score returned is of a wrong shape or not finite.
    """
    run = _check(f, times, d, n, seed, delta, clock, start, smoothing, corrector, dtype, workers)
    result = _output(out, run)
    for done in _in_order(lambda b: run.fill(b, result[run.span(b)]), run.blocks, workers):
        if progress:
            progress(done)
    return result


def sample_every_step(
    f: Model,
    times: Sequence[float],
    *,
    d: int,
    n: int,
    seed: int,
    delta: float,
    clock: str = "ou",
    start: str = "standard",
    dtype: npt.DTypeLike = np.float64,
    workers: int = 1,
    progress: Progress | None = None,
) -> Array:
    """The samples after each of the k steps, shape (k, n, d): entry i is ``sample(f, times[: i + 1], ...)``, bit for bit.

    Arguments and errors as for :func:`sample`; no corrector and no smoothing.
    """
    run = _check(f, times, d, n, seed, delta, clock, start, None, None, dtype, workers)
    result = np.empty((len(run.times), run.n, run.d), run.dtype)
    for done in _in_order(lambda b: run.fill(b, run.empty(b), result[:, run.span(b)]), run.blocks, workers):
        if progress:
            progress(done)
    return result


def stream(
    f: Model,
    times: Sequence[float],
    *,
    d: int,
    n: int,
    seed: int,
    delta: float,
    clock: str = "ou",
    start: str = "standard",
    smoothing: float | None = None,
    corrector: Corrector | None = None,
    dtype: npt.DTypeLike = np.float64,
    chunk: int | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> Iterator[Array]:
    """The rows of :func:`sample`, the same bits, as arrays (chunk, d) of which the last may be shorter.

    Arguments and errors as for :func:`sample`; ``chunk`` >= 1 is the number of rows at a time (default: one block). Holds one
    chunk and ``workers`` blocks.
    """
    run = _check(f, times, d, n, seed, delta, clock, start, smoothing, corrector, dtype, workers)
    chunk = run.rows if chunk is None else _count("chunk", chunk)
    return _recut(run, chunk, workers, progress)


def _recut(run: _Run, chunk: int, workers: int, progress: Progress | None) -> Iterator[Array]:
    done = 0
    rows = np.empty((min(chunk, run.n), run.d), run.dtype)
    filled = 0
    for block in _in_order(run.block, run.blocks, workers):
        used = 0
        while used < len(block):
            take = min(len(rows) - filled, len(block) - used)
            rows[filled : filled + take] = block[used : used + take]
            used, filled, done = used + take, filled + take, done + take
            if filled == len(rows):
                yield rows
                rows, filled = np.empty((min(chunk, run.n - done), run.d), run.dtype), 0
        if progress:
            progress(done)


# Moments -----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Interval:
    """Confidence interval, each component by itself.

    Attributes:
        lower: lower ends.
        upper: upper ends.
        level: confidence level of each component.
    """

    lower: Array
    upper: Array
    level: float


@dataclass(frozen=True)
class Moments:
    """Sample mean and covariance.

    Attributes:
        n: number of samples, >= 2.
        mean: shape (d,), float64.
        covariance: unbiased, shape (d, d), float64.
    """

    n: int
    mean: Array
    covariance: Array

    @property
    def mean_error(self) -> Array:
        """Standard error of each component of the mean, shape (d,)."""
        return np.sqrt(np.diag(self.covariance) / self.n)

    @property
    def covariance_error(self) -> Array:
        """Standard error of each entry of the covariance, shape (d, d), **if the law is Gaussian** (heavier tails: larger)."""
        variance = np.diag(self.covariance)
        return np.asarray(np.sqrt((np.outer(variance, variance) + self.covariance**2) / (self.n - 1)))

    def mean_interval(self, level: float = 0.95) -> Interval:
        """Interval for each component of the mean, by the central limit theorem (any law with a second moment)."""
        return _interval(self.mean, self.mean_error, level)

    def covariance_interval(self, level: float = 0.95) -> Interval:
        """Interval for each entry of the covariance, by the central limit theorem, **if the law is Gaussian**."""
        return _interval(self.covariance, self.covariance_error, level)


def _interval(value: Array, error: Array, level: float) -> Interval:
    if not 0 < level < 1:
        raise DomainError(f"level is {level}; it must lie in (0, 1)")
    width = float(ndtri((1 + level) / 2)) * error
    return Interval(value - width, value + width, level)


def moments(
    f: Model,
    times: Sequence[float],
    *,
    d: int,
    n: int,
    seed: int,
    delta: float,
    clock: str = "ou",
    start: str = "standard",
    smoothing: float | None = None,
    corrector: Corrector | None = None,
    dtype: npt.DTypeLike = np.float64,
    workers: int = 1,
    progress: Progress | None = None,
) -> Moments:
    """Mean and covariance of the samples that :func:`sample` would return, without holding more than ``workers`` blocks.

    Arguments and errors as for :func:`sample`; n >= 2. Blocks are merged in order (Chan, Golub and LeVeque 1983), in float64.
    """
    run = _check(f, times, d, n, seed, delta, clock, start, smoothing, corrector, dtype, workers)
    if run.n < 2:
        raise DomainError(f"n is {n}; moments need at least 2 samples")
    count, mean, scatter = 0, np.zeros(run.d), np.zeros((run.d, run.d))
    for size, block_mean, block_scatter in _in_order(lambda b: _block_moments(run.block(b)), run.blocks, workers):
        shift, total = block_mean - mean, count + size
        scatter += block_scatter
        scatter += np.outer(shift, shift * (count * size / total))
        mean += shift * (size / total)
        count = total
        if progress:
            progress(count)
    return Moments(count, mean, scatter / (count - 1))


def _block_moments(x: Array) -> tuple[int, Array, Array]:
    """Number, mean and scatter matrix (sum of (x - mean)(x - mean)^T) of the rows of x; x may be overwritten."""
    x = x.astype(np.float64, copy=False)
    mean = x.mean(axis=0)
    x -= mean
    return len(x), mean, x.T @ x


# Checks ------------------------------------------------------------------------------------------------------------------


def _check(
    f: Model,
    times: Sequence[float],
    d: int,
    n: int,
    seed: int,
    delta: float,
    clock: str,
    start: str,
    smoothing: float | None,
    corrector: Corrector | None,
    dtype: npt.DTypeLike,
    workers: int,
) -> _Run:
    _clock(clock)
    if start not in STARTS:
        raise UnknownNameError("start", start, STARTS)
    _count("workers", workers)
    delta = _delta(delta)
    schedule = tuple(_time(t, delta) for t in _listed(times))
    if not schedule:
        raise InputError("times is empty; at least the time T of the start is needed")
    if corrector is not None and not isinstance(corrector, Overdamped | Underdamped):
        raise InputError(f"corrector is {type(corrector).__name__}; Overdamped, Underdamped or None is needed")
    if np.dtype(dtype) not in (np.dtype(np.float64), np.dtype(np.float32)):
        raise InputError(f"dtype is {np.dtype(dtype)}; float64 or float32 is needed")
    return _Run(
        f=f,
        times=schedule,
        d=_count("d", d),
        n=_count("n", n),
        seed=_count("seed", seed, least=0),
        delta=delta,
        clock=clock,
        start=start,
        smoothing=None if smoothing is None else _positive("smoothing", smoothing),
        corrector=corrector,
        dtype=np.dtype(dtype),
    )


def _clock(clock: str) -> None:
    if clock not in CLOCKS:
        raise UnknownNameError("clock", clock, CLOCKS)


def _listed(times: Any) -> list[Any]:
    if isinstance(times, str) or not isinstance(times, Sequence | np.ndarray) or np.ndim(times) != 1:
        raise InputError(f"times is {times!r}; a sequence of numbers is needed")
    return list(times)


def _number(name: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise InputError(f"{name} is {value!r}; a number is needed") from None
    if not math.isfinite(number):
        raise DomainError(f"{name} is {value}; it must be finite")
    return number


def _positive(name: str, value: Any) -> float:
    number = _number(name, value)
    if number <= 0:
        raise DomainError(f"{name} is {value}; it must be > 0")
    return number


def _delta(delta: Any) -> float:
    number = _number("delta", delta)
    if number < 0:
        raise DomainError(f"delta is {delta}; it must be >= 0")
    return number


def _time(t: Any, delta: float) -> float:
    number = _number("time", t)
    if number <= delta:
        raise DomainError(f"time is {t}; each time must be > delta = {delta:g}")
    return number


def _count(name: str, value: Any, least: int = 1) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        raise InputError(f"{name} is {value!r}; an integer is needed") from None
    if number < least:
        raise DomainError(f"{name} is {value}; it must be >= {least}")
    return number


def _samples(x: npt.ArrayLike) -> Array:
    """A copy of x, shape (n, d), of a floating type."""
    out = np.array(x, order="C")
    if out.ndim != 2 or out.dtype.kind not in "fiu":
        raise InputError(f"x is an array of {out.dtype} and shape {out.shape}; real numbers of shape (n, d) are needed")
    return out if out.dtype == np.float32 else out.astype(np.float64, copy=False)


def _output(out: Array | None, run: _Run) -> Array:
    if out is None:
        return np.empty((run.n, run.d), run.dtype)
    if out.shape != (run.n, run.d) or out.dtype != run.dtype or not out.flags.c_contiguous or not out.flags.writeable:
        raise InputError(
            f"out is an array of {out.dtype} and shape {out.shape}; a writeable C-contiguous array of {run.dtype} "
            f"and shape {(run.n, run.d)} is needed"
        )
    return out
