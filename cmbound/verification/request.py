"""What is asked of a simulated run: times in either clock, grids with the evaluation times among their nodes, correctors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from cmbound.errors import DomainError, InputError, UnknownNameError
from cmbound.frozen import FrozenDict
from cmbound.numbers import apart, exact, rounded
from cmbound.theory.notation import COUNT, POSITIVE, UPPER_BOUNDS, Domain
from cmbound.verification.settings import grid_nodes
from cmbound.worlds.process import noise_level, time_of

Array = npt.NDArray[np.float64]

CORRECTORS: Mapping[str, tuple[str, ...]] = FrozenDict(
    {
        "smoothing": ("u",),
        "overdamped": ("step", "steps"),
        "underdamped": ("friction", "step", "steps"),
    }
)
"""What each corrector is given."""
DEFAULT_DELTA, DEFAULT_HORIZON, LAST_TIME = 1e-3, 4.0, 0.5
"""OU times; ``LAST_TIME`` is where the default evaluations end."""
COUNT_OF_STEPS = Domain(low=1, high=10_001, integer=True)
_SHORTEST, _LONGEST = 1e-12, 350.0
_SAME = 1e-9


def number_in(name: str, value: Any, domain: Domain) -> Fraction:
    """An exact number inside its domain; raises InputError or DomainError naming it."""
    number = exact(name, value)
    if number not in domain:
        raise DomainError(f"{name} must be {domain}, got {value}")
    return number


def in_clock(t: Any, clock: str) -> Any:
    """OU times as they are shown: noise levels in the ``ve`` clock."""
    return noise_level(t) if clock == "ve" else t


def _time(name: str, value: Any, clock: str) -> float:
    """An OU time from what the user gave."""
    number = float(number_in(name, value, POSITIVE))
    t = number if clock == "ou" else float(time_of(min(number, 1e154)))
    if not _SHORTEST <= t <= _LONGEST:
        shown = "" if clock == "ou" else f" (t = {t:g})"
        raise DomainError(f"{name} must be a time from {_SHORTEST:g} to {_LONGEST:g}, got {value}{shown}")
    return t


def ends(delta: Any, horizon: Any, clock: str) -> tuple[float, float]:
    """delta and T as OU times."""
    low = DEFAULT_DELTA if delta is None else _time("delta", delta, clock)
    high = DEFAULT_HORIZON if horizon is None else _time("horizon", horizon, clock)
    if not low < high * (1 - 1e-6):
        last, first = apart(in_clock(high, clock), in_clock(low, clock))
        raise DomainError(f"delta must be below the horizon {last}, got {first}")
    return low, high


def later_times(times: Any, steps: Any, low: float, high: float, clock: str) -> list[float]:
    """OU times of the evaluations after the first."""
    count = None if steps is None else int(number_in("steps", steps, COUNT_OF_STEPS))
    if times is None:
        last = noise_level(LAST_TIME) if low < LAST_TIME < high else np.sqrt(noise_level(low) * noise_level(high))
        return [float(t) for t in time_of(np.geomspace(noise_level(high), last, count or 1)[1:])]
    if isinstance(times, str) or not isinstance(times, Sequence | np.ndarray):
        raise InputError(f"times is {times!r}; a list of numbers is needed")
    if count not in (None, len(times) + 1):
        raise InputError(f"steps is {count}, but times has {len(times)} entries (one less than steps is needed)")
    found = [_time("times", x, clock) for x in times]
    for x, t in zip(times, found, strict=True):
        if not low < t <= high * (1 + _SAME):
            raise DomainError(f"times must be in (delta, T] = ({in_clock(low, clock):g}, {in_clock(high, clock):g}], got {x}")
    return [min(t, high) for t in found]


def run_nodes(kind: str, count: int, low: float, high: float, times: Sequence[float]) -> tuple[Array, tuple[int, ...]]:
    """The grid with the evaluation times among its nodes, and their numbers."""
    nodes = grid_nodes({"N": count, "grid": kind}, {"log_delta": np.log10(low), "log_span": np.log10(high - low)})
    nodes[0], nodes[-1] = low, high
    for t in times:
        nearest = int(np.argmin(np.abs(nodes - t)))
        if nearest == 0 or abs(nodes[nearest] - t) > _SAME * t:
            nodes = np.sort(np.append(nodes, t))
        elif nearest < len(nodes) - 1:
            nodes[nearest] = t
    if not (np.diff(nodes) > 0).all():
        raise DomainError(f"{count} steps of the {kind} grid on [{low:g}, {high:g}] are too many: its nodes do not increase")
    return nodes, tuple(int(np.argmin(np.abs(nodes - t))) for t in times)


def parse_corrector(text: str, scale: float = 1.0) -> tuple[str, dict[str, float]]:
    """Name and numbers in OU units of ``name:number=...,...``; ``scale`` is e^delta in the ve clock.

    Raises:
        InputError: an unknown corrector, or other numbers than it takes.
        DomainError: a number outside its domain.
    """
    kind, _, rest = text.partition(":")
    if kind not in CORRECTORS:
        raise UnknownNameError("corrector", kind, CORRECTORS)
    pairs = [x.partition("=") for x in rest.split(",")]
    if sorted(name.strip() for name, _, _ in pairs) != sorted(CORRECTORS[kind]):
        form = ",".join(f"{name}=..." for name in CORRECTORS[kind])
        raise InputError(f"corrector is {text!r}; it must be of the form {kind}:{form}")
    given = {name.strip(): value for name, _, value in pairs}
    numbers = {x: float(number_in(f"{kind} {x}", value, COUNT if x == "steps" else POSITIVE)) for x, value in given.items()}
    if kind == "overdamped":
        numbers["step"] /= scale**2
    elif kind == "underdamped":
        numbers |= {"friction": numbers["friction"] * scale, "step": numbers["step"] / scale}
    return kind, numbers


def measured_constant(name: str, value: Any, digits: int = 5) -> str:
    """A measured parameter as text that may be typed back: an upper bound rounded up, anything else in full."""
    return rounded(float(value), digits) if name in UPPER_BOUNDS else repr(float(value)).removesuffix(".0")
