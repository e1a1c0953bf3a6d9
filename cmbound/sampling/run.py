"""A sampling run, block by block: one-step and multistep, whole or as a stream."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from cmbound.checks import checked_count
from cmbound.errors import InputError, UnknownNameError
from cmbound.frozen import Record
from cmbound.names import STARTS
from cmbound.sampling.arguments import Array, delta_of, known_clock, overwrite, positive, time_after
from cmbound.sampling.kernels import Corrector, Overdamped, Underdamped, blend, noising

Model = Callable[[Array, float], Any]
Progress = Callable[[int], object]
Result = TypeVar("Result")
BLOCK = 1 << 15
"""Numbers in a block, roughly: a quarter of a megabyte, which malloc reuses instead of returning it to the system each time."""


def block_rows(d: int) -> int:
    """Rows of a full block in d dimensions: about 2^15 numbers, a multiple of 16 rows where that many fit."""
    rows = max(1, BLOCK // d)
    return rows - rows % 16 if rows >= 16 else rows


@dataclass(frozen=True, eq=False)
class Run(Record):
    """What is sampled, whatever the model: checked when it is made.

    Attributes:
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

    Raises:
        DomainError: a number outside its domain.
        InputError: an unknown clock or start, or what is not understood.
    """

    times: Any
    d: int
    n: int
    seed: int
    delta: float
    clock: str = "ou"
    start: str = "standard"
    smoothing: float | None = None
    corrector: Corrector | None = None
    dtype: Any = np.float64

    def __post_init__(self) -> None:
        known_clock(self.clock)
        if self.start not in STARTS:
            raise UnknownNameError("start", self.start, STARTS)
        if self.corrector is not None and not isinstance(self.corrector, Overdamped | Underdamped):
            raise InputError(f"corrector is {type(self.corrector).__name__}; Overdamped, Underdamped or None is needed")
        dtype = np.dtype(self.dtype)
        if dtype not in (np.dtype(np.float64), np.dtype(np.float32)):
            raise InputError(f"dtype is {dtype}; float64 or float32 is needed")
        delta = delta_of(self.delta)
        checked = {
            "delta": delta,
            "times": tuple(time_after(t, delta) for t in _listed(self.times)),
            "d": checked_count("d", self.d),
            "n": checked_count("n", self.n),
            "seed": checked_count("seed", self.seed, least=0),
            "smoothing": None if self.smoothing is None else positive("smoothing", self.smoothing),
            "dtype": dtype,
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @classmethod
    def of(cls, run: Times, options: dict[str, Any]) -> Run:
        """The run itself, or the one of these times and options."""
        if not isinstance(run, Run):
            return cls(run, **options)
        if options:
            raise InputError(f"{', '.join(options)} belong{'s' * (len(options) == 1)} into the Run that was given")
        return run

    @property
    def rows(self) -> int:
        """Rows of a full block."""
        return block_rows(self.d)

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return -(-self.n // self.rows)

    def span(self, b: int) -> slice:
        """The rows of block b."""
        return slice(b * self.rows, min((b + 1) * self.rows, self.n))

    def block(self, f: Model, b: int, x: Array | None = None, steps: Array | None = None) -> Array:
        """Block b, written into x if that is given; the samples after every step go into ``steps`` (k, rows, d)."""
        rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(self.seed, spawn_key=(b,))))
        first = b * self.rows
        if x is None:
            x = np.empty((min(self.n - first, self.rows), self.d), self.dtype)
        rng.standard_normal(dtype=self.dtype, out=x)
        spread = _start_spread(self.times[0], self.clock, self.start)
        if spread != 1:
            x *= spread
        for i, t in enumerate(self.times):
            if i:
                blend(x, *noising(t, self.delta, self.clock), rng)
            overwrite(x, f(x, t), f"f at t = {t:g}", first)
            if steps is not None:
                steps[i] = x
        if self.corrector is not None:
            self.corrector.advance(x, rng)
            overwrite(x, x, "the corrector", first)
        if self.smoothing is not None:
            factor, spread = noising(self.smoothing, 0.0, "ou")
            blend(x, factor, spread * (math.hypot(1, self.delta) if self.clock == "ve" else 1), rng)
        return x


Times = Run | Sequence[float]
"""A run, or the times of one whose rest is given beside them."""


def _listed(times: Any) -> list[Any]:
    if isinstance(times, str) or not isinstance(times, Sequence | np.ndarray) or np.ndim(times) != 1:
        raise InputError(f"times is {times!r}; a sequence of numbers is needed")
    if not len(times):
        raise InputError("times is empty; at least the time T of the start is needed")
    return list(times)


def _start_spread(T: float, clock: str, start: str) -> float:
    """Standard deviation of the start: N(0, I) or N(0, s_T^2 I) in the ``ou`` clock, times (1 + sigma^2)^(1/2) in ``ve``."""
    if clock == "ve":
        return T if start == "matched" else math.hypot(1, T)
    return math.sqrt(-math.expm1(-2 * T)) if start == "matched" else 1.0


def in_order(task: Callable[[int], Result], count: int, workers: int) -> Iterator[Result]:
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


def _written(task: Callable[[int], Any], run: Run, workers: int, progress: Progress | None) -> None:
    """Carry out the task for every block, and tell the number of finished rows after each."""
    for b, _ in enumerate(in_order(task, run.blocks, checked_count("workers", workers))):
        if progress:
            progress(run.span(b).stop)


def sample(
    f: Model, run: Times, *, workers: int = 1, progress: Progress | None = None, out: Array | None = None, **options: Any
) -> Array:
    """Multistep consistency sampling (one step: a single time); Song et al. 2023, algorithm 1.

    Start from noise at T, x = f(x, T); then for each further time t noise back from delta to t and x = f(x, t); then the
    corrector, if any; then OU smoothing, if any.

    Args:
        f: model; gets an array (rows, d), which it may overwrite, and a float of ``times``; returns an array (rows, d).
        run: a :class:`Run`; or its times, the rest of it being ``options``.
        workers: threads >= 1; no effect on the result.
        progress: called with the number of finished rows after each block.
        out: C-contiguous array (n, d) of the run's dtype to write into, for instance a memory map.

    Returns:
        The samples, shape (n, d).

    Raises:
        DomainError, InputError: as for :class:`Run`; or what f or the score returned is of a wrong shape or not finite.

    >>> sample(lambda x, t: 2 * x, (3.0, 0.5), d=2, n=4, seed=0, delta=0.01).shape
    (4, 2)
    """
    run = Run.of(run, options)
    result = _output(out, run)
    _written(lambda b: run.block(f, b, result[run.span(b)]), run, workers, progress)
    return result


def sample_every_step(f: Model, run: Times, *, workers: int = 1, progress: Progress | None = None, **options: Any) -> Array:
    """The samples after each of the k steps, shape (k, n, d): entry i is ``sample(f, times[: i + 1], ...)``, bit for bit.

    Arguments and errors as for :func:`sample`; no corrector and no smoothing.
    """
    run = Run.of(run, options)
    if run.corrector is not None or run.smoothing is not None:
        raise InputError("the samples after every step are those before a corrector or smoothing: leave it out")
    result = np.empty((len(run.times), run.n, run.d), run.dtype)
    _written(lambda b: run.block(f, b, steps=result[:, run.span(b)]), run, workers, progress)
    return result


def stream(
    f: Model, run: Times, *, chunk: int | None = None, workers: int = 1, progress: Progress | None = None, **options: Any
) -> Iterator[Array]:
    """The rows of :func:`sample`, the same bits, as arrays (chunk, d) of which the last may be shorter.

    Arguments and errors as for :func:`sample`; ``chunk`` >= 1 is the number of rows at a time (default: one block). Holds one
    chunk and ``workers`` blocks.
    """
    run = Run.of(run, options)
    blocks = in_order(lambda b: run.block(f, b), run.blocks, checked_count("workers", workers))
    return _recut(run, blocks, run.rows if chunk is None else checked_count("chunk", chunk), progress)


def _recut(run: Run, blocks: Iterator[Array], chunk: int, progress: Progress | None) -> Iterator[Array]:
    done = 0
    rows = np.empty((min(chunk, run.n), run.d), run.dtype)
    filled = 0
    for block in blocks:
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


def _output(out: Array | None, run: Run) -> Array:
    if out is None:
        return np.empty((run.n, run.d), run.dtype)
    if out.shape != (run.n, run.d) or out.dtype != run.dtype or not out.flags.c_contiguous or not out.flags.writeable:
        raise InputError(
            f"out is an array of {out.dtype} and shape {out.shape}; a writeable C-contiguous array of {run.dtype} "
            f"and shape {(run.n, run.d)} is needed"
        )
    return out
