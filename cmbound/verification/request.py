"""What is asked of a simulated run: a record, checked when it is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from cmbound.checks import checked_name
from cmbound.distances.scaling import Array
from cmbound.errors import DomainError, InputError, UnknownNameError
from cmbound.frozen import FrozenDict, Record, read_only
from cmbound.names import CLOCKS, GRIDS, LINEAR_TEACHERS, STARTS, TARGETS
from cmbound.numbers import apart, exact, rounded
from cmbound.theory.notation import COUNT, POSITIVE, UPPER_BOUNDS, Domain
from cmbound.verification.affine import Pipeline, constant
from cmbound.verification.runner import Runner
from cmbound.verification.settings import grid_nodes
from cmbound.worlds.gaussian import Gaussian
from cmbound.worlds.mixture import Mixture
from cmbound.worlds.process import noise_level, time_of

CHOICES: Mapping[str, tuple[str, ...]] = FrozenDict(
    {
        "grid": GRIDS,
        "teacher": LINEAR_TEACHERS,
        "student": ("distilled", "exact"),
        "start": STARTS,
        "clock": CLOCKS,
        "to": TARGETS,
    }
)
CORRECTORS = FrozenDict({"smoothing": ("u",), "overdamped": ("step", "steps"), "underdamped": ("friction", "step", "steps")})
"""What each corrector is given."""
DEFAULT_DELTA, DEFAULT_HORIZON, LAST_TIME = 1e-3, 4.0, 0.5
"""OU times; ``LAST_TIME`` is where the default evaluations end."""
DEFAULT_N, DEFAULT_N_SAMPLED = 10_000, 2000  # samples in a second: exact ones, and transported ones
TRAJECTORIES = (128, 1000)
"""Exact trajectories the L2 constants are measured on: fewest (1000 points or more), most (128 or fewer)."""
MOST_STORED, MOST_OPERATIONS = 5 * 10**8, 1e15
"""Of :attr:`Run.stored` (4 GB) and of :attr:`Run.operations` (some days on one core)."""
_NUMBERS = 10**8  # numbers in the samples, at most
_FLOW, _MATRICES, _EXPONENTIAL, _TRANSPORT = 35, 40, 30, 2000
"""Scores in the flow from node to node; products of matrices a node; multiplications in the time of an exponential; and those
behind a pair of points in optimal transport. Measured, for :attr:`Run.operations`."""
_COUNT_OF_STEPS = Domain(low=1, high=10_001, integer=True)
_ERROR = Domain(low=0, high=10**6)
_SHORTEST, _LONGEST = 1e-12, 350.0  # times whose noise level is a double with all its digits
_SAME = 1e-9  # a time that was printed and typed back


@dataclass(frozen=True, eq=False)
class Run(Record):
    """What is run, checked when it is made; nothing is computed but the grid.

    ``times``, ``delta`` and ``horizon`` are OU times, or noise levels in the ``ve`` clock; evaluation times become grid nodes.

    Attributes:
        world: the data law; exact for :class:`Gaussian`, sampled for :class:`Mixture` and its subclass ``Atoms``.
        steps: number of evaluations, 1 to 10000; default 1, or one more than ``times``.
        times: of the evaluations after the first, each in (delta, horizon]; default: noise levels falling geometrically from the
            horizon to t = 1/2 (to the geometric mean of the ends if 1/2 is not between them).
        delta: early stopping, t >= 1e-12; default t = 1e-3.
        horizon: T in (delta, 350]; default t = 4.
        grid, grid_steps: kind of grid, and its steps before times are inserted (``two-stage``: the largest is (T - delta)/steps).
        teacher: ``ddim`` or ``exponential-integrator``.
        student: ``distilled``, the teacher run down to delta; or ``exact``, the exact consistency function.
        start, clock, to: as for the statement.
        eps_sc: size of a constant error of the teacher's score, along (1, ..., 1), in OU units, in [0, 1e6).
        eps_cm: the student is off by eps_cm (t - delta) along (1, ..., 1), in OU units, in [0, 1e6).
        corrector: ``smoothing:u=...``, ``overdamped:step=...,steps=...`` or ``underdamped:friction=...,step=...,steps=...``, in
            the units of the clock, with the teacher's score at delta; it runs after the last evaluation.
        n: number of samples; default 10000 in the Gaussian world, else 2000 (at least 20 there).
        seed: integer >= 0.
        workers: threads of the sampler; no effect on the result.

    Raises:
        InputError: something not understood, or of the wrong type.
        DomainError: a number outside its domain, or a run that would hold more than 5e8 numbers or take more than 1e15
            multiplications.
    """

    world: Gaussian | Mixture
    steps: Any = None
    times: Any = None
    delta: Any = None
    horizon: Any = None
    grid: str = "geometric"
    grid_steps: Any = 50
    teacher: str = "ddim"
    student: str = "distilled"
    start: str = "standard"
    clock: str = "ou"
    to: str = "p_data"
    eps_sc: Any = 0
    eps_cm: Any = 0
    corrector: Any = None
    n: Any = None
    seed: Any = 0
    workers: Any = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, known in CHOICES.items():
            checked_name(name, getattr(self, name), known)
        if not isinstance(self.world, Gaussian | Mixture):
            raise InputError(f"world is {type(self.world).__name__}; Gaussian, Mixture or Atoms is needed")
        least, usual = (1, DEFAULT_N) if isinstance(self.world, Gaussian) else (20, DEFAULT_N_SAMPLED)
        most = Domain(low=least, high=_NUMBERS // self.world.d + least, integer=True)
        for name in ("_grid", "push", "drift", "correction"):
            getattr(self, name)  # raises where it cannot be made
        counts = {
            "n": usual if self.n is None else number_in("n", self.n, most),
            "seed": number_in("seed", self.seed, Domain(low=0, integer=True)),
            "workers": number_in("workers", self.workers, COUNT),
        }
        for name, value in counts.items():
            object.__setattr__(self, name, int(value))
        if self.stored > MOST_STORED:
            raise DomainError(
                f"this run would hold {self.stored:.1e} numbers at once; at most {MOST_STORED:.0e} "
                f"({MOST_STORED * 8 // 10**9} GB) are allowed: use fewer samples, evaluations, steps of the grid or dimensions"
            )
        if self.operations > MOST_OPERATIONS:
            raise DomainError(
                f"this run would take {self.operations:.1e} multiplications; at most {MOST_OPERATIONS:.0e} (days) are allowed: "
                "use fewer samples, data points, evaluations or steps of the grid"
            )

    @cached_property
    def _grid(self) -> tuple[Array, tuple[int, ...]]:
        low, high = ends(self.delta, self.horizon, self.clock)
        later = later_times(self.times, self.steps, low, high, self.clock)
        return run_nodes(self.grid, int(number_in("grid_steps", self.grid_steps, _COUNT_OF_STEPS)), low, high, later)

    @property
    def nodes(self) -> Array:
        """OU times t_0 < ... < t_N, the evaluation times among them."""
        return self._grid[0]

    @property
    def indices(self) -> tuple[int, ...]:
        """The nodes of the evaluations after the first."""
        return self._grid[1]

    def _along(self, name: str) -> Array:
        """An error of this size along (1, ..., 1), shape (d,)."""
        along = np.ones(self.world.d) / np.sqrt(self.world.d)
        return read_only(float(number_in(name, getattr(self, name), _ERROR)) * along)  # type: ignore[no-any-return]

    @cached_property
    def push(self) -> Array:
        """What the teacher's score is off by, shape (d,)."""
        return self._along("eps_sc")

    @cached_property
    def drift(self) -> Array:
        """f_theta(., t) is off by t - delta times this, shape (d,)."""
        return self._along("eps_cm")

    @cached_property
    def correction(self) -> tuple[str, Mapping[str, float]] | None:
        """Name and numbers (OU units) of the corrector, or None."""
        return None if self.corrector is None else parse_corrector(self.corrector, self.scale)

    @property
    def low(self) -> float:
        """Delta."""
        return float(self.nodes[0])

    @property
    def scale(self) -> float:
        """Samples in the units of the clock are this times those in OU units."""
        return float(np.exp(self.low)) if self.clock == "ve" else 1.0

    @property
    def trajectories(self) -> int:
        """How many exact trajectories L2 constants are measured on, where the world is no Gaussian."""
        few, most = TRAJECTORIES
        return max(few, min(most, few * most // self._components))

    @property
    def _components(self) -> int:
        return 1 if isinstance(self.world, Gaussian) else len(self.world.means)

    @property
    def stored(self) -> int:
        """Numbers held at once, roughly: samples after each evaluation, truth, and matrices or trajectories at every node."""
        samples = (len(self.indices) + 4) * self.n * self.world.d
        if isinstance(self.world, Gaussian):
            return int(samples + 12 * len(self.nodes) * self.world.d**2)
        return int(samples + 4 * len(self.nodes) * self.trajectories * self.world.d)

    @property
    def operations(self) -> float:
        """Multiplications, roughly: a few billion take a second."""
        d, count = self.world.d, float(len(self.nodes) - 1)
        evaluated = sum((*self.indices, count)) if self.student == "distilled" else _FLOW * count * (len(self.indices) + 1)
        corrected = 0.0 if self.correction is None else self.correction[1].get("steps", 1.0)
        if isinstance(self.world, Gaussian):
            return float(self.n * d**2 * (len(self.indices) + 1 + corrected) + _MATRICES * count * d**3)
        points = self.n * (evaluated + corrected) + self.trajectories * count * (count + _FLOW)
        transport = (len(self.indices) + 1) * _TRANSPORT * min(self.n, 2000) ** 2
        return float(self._components * points * (d + _EXPONENTIAL) + transport)

    @cached_property
    def pipeline(self) -> Pipeline:
        """In the Gaussian world, all maps of the run."""
        assert isinstance(self.world, Gaussian)
        error = constant(np.tile(self.push, (len(self.nodes), 1)))
        change = constant((self.nodes - self.low)[:, None] * self.drift)
        return Pipeline(self.world, self.nodes, self.teacher, error, change, self.student == "distilled")

    @cached_property
    def runner(self) -> Runner:
        """In any other world, the teacher and the student."""
        assert isinstance(self.world, Mixture)
        return Runner(self.world, self.nodes, self.teacher, self.push, self.drift, self.student == "exact")


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
    count = None if steps is None else int(number_in("steps", steps, _COUNT_OF_STEPS))
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
    return read_only(nodes), tuple(int(np.argmin(np.abs(nodes - t))) for t in times)


def parse_corrector(text: str, scale: float = 1.0) -> tuple[str, dict[str, float]]:
    """Name and numbers in OU units of ``name:number=...,...``; ``scale`` is e^delta in the ve clock.

    Raises InputError for an unknown corrector or other numbers than it takes, DomainError for one outside its domain.
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
