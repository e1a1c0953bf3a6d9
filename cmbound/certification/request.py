"""What a certificate is asked for: checked when it is made, and all that a replay needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from cmbound.certification.flow import TOLERANCE
from cmbound.certification.models import OUTPUTS
from cmbound.checks import checked_count, checked_finite, checked_flag, checked_name, checked_unmasked, shown
from cmbound.errors import DomainError, InputError
from cmbound.frozen import Record
from cmbound.names import CLOCKS, PROFILES
from cmbound.numbers import counted
from cmbound.theory.grids import Grid
from cmbound.worlds.base import LARGEST
from cmbound.worlds.process import noise_level

LEAST_PATHS = 20
"""Fewer paths say nothing about a mean."""
MOST_PATHS, MOST_STEPS = 10**7, 10**4  # more is a mistake
MOST_BATCHES = 10**6  # more is a mistake
MOST_BYTES, OF_A_STEP, OF_A_PATH = 16e9, 7, 25
"""Memory of what is kept of all paths, and how many numbers are, of each path for each step and besides."""
LEAST_TAIL = 4 * 2.0**-53  # what a share of the error probability must be for float64 to tell its level from 1
LEAST_LEVEL, MOST_LEVEL = 1e-12, 1e12  # noise levels whose squares, and those of points over them, stay inside float64
DTYPES = ("float64", "float32", "float16")


@dataclass(frozen=True, eq=False)
class Request(Record):
    """What a certificate is asked for, as text and numbers.

    Attributes:
        model, teacher, data, held_out, renoise: what they are called (empty: there is none).
        sigmas: noise levels, increasing.
        n: number of paths, and of samples of the lower side of the distance.
        confidence: of everything that is claimed, jointly.
        clip: interval every coordinate of an output is clipped to.
        seed: of everything random.
        solver: the teacher's; teacher_output: what it returns.
        clock: in which the model and the teacher are asked.
        times: noise levels of the evaluations after the first.
        shape: of one point, where the model wants it.
        batch: most rows of one call of the model.
        claims: constants the user claims, by name, one for each noise level (L_f) or each step (eps_sc, eps_cm), from below.
        batches, distance_batch: number and size of the batches of exact transport (None: chosen).
        tolerance: of the exact trajectories.
        dtype: of the arrays the model is asked with.
        profile: regularity profile of the a priori rung.
        fingerprint: of the data (SHA-256 of the numbers).
        population: the distance is to the law the data are a sample of.
    """

    model: str
    data: str
    sigmas: tuple[float, ...]
    teacher: str = ""
    held_out: str = ""
    renoise: str = ""
    n: int = 20_000
    confidence: float = 0.99
    clip: tuple[float, float] | None = None
    seed: int = 0
    solver: str = "euler"
    teacher_output: str = "denoiser"
    clock: str = "ve"
    times: tuple[float, ...] = ()
    shape: tuple[int, ...] | None = None
    batch: int = 4096
    claims: tuple[tuple[str, tuple[float, ...]], ...] = ()
    batches: int | None = None
    distance_batch: int | None = None
    tolerance: float = TOLERANCE
    dtype: str = "float64"
    profile: str = "auto"
    fingerprint: str = ""
    population: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        given = object.__setattr__
        given(self, "n", checked_count("n", self.n, LEAST_PATHS))
        if self.n > MOST_PATHS:
            raise DomainError(f"n is {self.n}; at most {MOST_PATHS} paths are allowed")
        given(self, "confidence", _inside("confidence", self.confidence, 0, 1))
        given(self, "tolerance", _inside("tolerance", self.tolerance, 0, 1))
        given(self, "seed", checked_count("seed", self.seed, 0))
        given(self, "batch", checked_count("batch", self.batch))
        given(self, "sigmas", levels(self.sigmas))
        given(self, "times", _times(self.times, self.sigmas))
        least = LEAST_TAIL * 2 * (len(self.times) + 5) * self.steps  # shared out among the rungs and the steps
        if 1 - self.confidence < least:
            raise DomainError(
                f"confidence is {self.confidence!r}; with {counted(self.steps, 'step')} at most 1 - {least:.2g} is allowed"
            )
        given(self, "clip", interval(self.clip))
        for name in ("batches", "distance_batch"):
            value = getattr(self, name)
            if value is not None:
                given(self, name, checked_count(name, value, 3 if name == "batches" else LEAST_PATHS))
        if (self.batches or 0) > MOST_BATCHES:
            raise DomainError(f"batches is {self.batches}; at most {MOST_BATCHES} are allowed")
        size = 8.0 * self.n * (OF_A_STEP * self.steps + OF_A_PATH + 4 * len(self.times))
        if size > MOST_BYTES:
            most = int(MOST_BYTES * self.n / size)
            raise DomainError(
                f"n is {self.n}: {counted(self.steps, 'step')} of that take {size / 1e9:.3g} GB; at most {most} paths are allowed"
            )
        given(self, "population", checked_flag("population", self.population))
        checked_name("clock", self.clock, CLOCKS)
        checked_name("teacher_output", self.teacher_output, OUTPUTS)
        checked_name("dtype", self.dtype, DTYPES)
        checked_name("profile", self.profile, ("auto", *PROFILES))
        if self.shape is not None:
            given(self, "shape", _shape(self.shape))

    @property
    def steps(self) -> int:
        """Number of steps of the grid."""
        return len(self.sigmas) - 1


def _inside(name: str, value: Any, low: float, high: float) -> float:
    number = checked_finite(name, value)
    if not low < number < high:
        raise DomainError(f"{name} is {value}; it must lie in ({low:g}, {high:g})")
    return number


def levels(given: Any) -> tuple[float, ...]:
    """Noise levels, increasing: a :class:`~cmbound.theory.grids.Grid` of listed nodes, or numbers."""
    if isinstance(given, Grid):
        if given.kind not in ("times", "noise-levels"):
            raise InputError(
                f"sigmas is a grid of kind {given.kind!r}; one of listed nodes is needed, such as Grid.edm(0.02, 80, 40)"
            )
        nodes = np.array([float(x) for x in given.values])
        given = noise_level(nodes) if given.kind == "times" else nodes
    values = listed("sigmas", given, "noise levels are needed, such as Grid.edm(0.02, 80, 40)")
    if not 2 <= len(values) <= MOST_STEPS + 1:
        raise DomainError(f"sigmas has {len(values)} noise levels; from 2 to {MOST_STEPS + 1} are needed")
    if values[0] <= 0 or any(b <= a for a, b in pairwise(values)):
        raise DomainError("sigmas must be > 0 and increase")
    if not (values[0] >= LEAST_LEVEL and values[-1] <= MOST_LEVEL):
        raise DomainError(f"sigmas must lie in [{LEAST_LEVEL:g}, {MOST_LEVEL:g}], got {values[0]:g} to {values[-1]:g}")
    return values


def listed(name: str, given: Any, needed: str) -> tuple[float, ...]:
    """Finite numbers, one after the other.

    Raises:
        InputError: what is no list of them, or a masked array; the message ends with what is ``needed``.
        DomainError: a number that is not finite.
    """
    checked_unmasked(name, given)
    if not is_list(given):
        raise InputError(f"{name} is {shown(given)}; {needed}")
    return tuple(checked_finite(name, x) for x in given)


def is_list(given: Any) -> bool:
    """Whether it is a sequence that is no text, or an array with a dimension."""
    return (isinstance(given, Sequence) and not isinstance(given, str | bytes)) or getattr(given, "ndim", 0) > 0


def _shape(given: Any) -> tuple[int, ...]:
    if not is_list(given) or not len(given):
        raise InputError(f"shape is {shown(given)}; sizes are needed, such as (3, 32, 32)")
    return tuple(checked_count("shape", x) for x in given)


def _times(given: Any, sigmas: tuple[float, ...]) -> tuple[float, ...]:
    values = listed("times", given, "noise levels are needed, such as [1.0, 0.3]")
    for x in values:
        if not sigmas[0] < x <= sigmas[-1]:
            raise DomainError(f"times has {x:g}; noise levels in ({sigmas[0]:g}, {sigmas[-1]:g}] are needed")
    return values


def interval(given: Any) -> tuple[float, float] | None:
    """Two numbers, the first below the second; or None."""
    if given is None:
        return None
    checked_unmasked("clip", given)
    if not is_list(given) or len(given) != 2:
        raise InputError(f"clip is {shown(given)}; two numbers are needed, such as -1, 1")
    low, high = (checked_finite("clip", x) for x in given)
    if max(abs(low), abs(high)) > LARGEST:
        raise DomainError(f"clip is {low:g}, {high:g}; at most {LARGEST:g} in size is allowed")
    if not low < high:
        raise DomainError(f"clip is {low:g}, {high:g}; the first must be below the second")
    return low, high


def grid(kind: str, low: Any, high: Any, steps: Any) -> tuple[float, ...]:
    """Noise levels of an ``edm`` (rho = 7) or ``geometric`` grid."""
    checked_name("grid", kind, ("edm", "geometric"))
    made = Grid.edm if kind == "edm" else Grid.geometric
    ends = checked_finite("sigma_min", low), checked_finite("sigma_max", high)
    if not 0 < ends[0] < ends[1]:
        raise DomainError(f"sigma_min is {low} and sigma_max is {high}; 0 < sigma_min < sigma_max is needed")
    return levels(made(low, high, steps))


def per_level(name: str, given: Any, count: int, low: float) -> tuple[float, ...]:
    """A claimed constant, one for each noise level or step."""
    many = is_list(given)
    numbers = listed(name, given, f"a number, or {count}, is needed") if many else (checked_finite(name, given),) * count
    if len(numbers) != count:
        raise InputError(f"{name} has {counted(len(numbers), 'number')}; one, or {count}, is needed")
    if min(numbers) < low or (low == 0 and name == "L_f" and min(numbers) <= 0):
        raise DomainError(f"{name} must be {'> 0' if name == 'L_f' else '>= 0'}, got {min(numbers):g}")
    return numbers
