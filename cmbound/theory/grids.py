"""Time grids delta = t_0 < t_1 < ... < t_N = T.

A regular grid is a formula for its node number j, written once; the two-stage grid follows the recipe of the paper's
Assumption 6; any other grid is a list of exact numbers, as times or as noise levels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import sympy
from sympy import Integer

from cmbound.checks import checked_name, checked_whole
from cmbound.errors import DomainError, InputError
from cmbound.frozen import Deferred, FrozenDict, Record
from cmbound.names import GRIDS
from cmbound.numbers import exact
from cmbound.theory.functions import lam
from cmbound.theory.named import log, log1p, rearranged
from cmbound.theory.notation import N, T, delta, rho

MAX_STEPS = 10**6
"""Longest grid that is summed step by step."""

j = sympy.Symbol("j", integer=True, nonnegative=True)


def time_of(sigma: Any) -> Any:
    """t = (1/2) log(1 + sigma^2), the time at which the noise level is sigma."""
    return rearranged(log(1 + sigma**2) / 2, log1p(sigma**2) / 2)


def _edm(power: Any) -> Any:
    low, high = lam(delta) ** power, lam(T) ** power
    return time_of((low + j / N * (high - low)) ** (1 / power))


FORMULAS: Mapping[str, Any] = Deferred(
    {
        "uniform": lambda: delta + j / N * (T - delta),
        "geometric": lambda: time_of(lam(delta) * (lam(T) / lam(delta)) ** (j / N)),
        "edm": lambda: _edm(Integer(1) / rho),
    }
)
"""Node j of N: equal steps in t; constant ratio of noise levels; Karras et al. 2022, eq. 5."""

KINDS: tuple[str, ...] = GRIDS
TAKES: Mapping[str, Set[str]] = FrozenDict({"uniform": {"h", "N"}, "two-stage": {"h"}, "geometric": {"N"}, "edm": {"N", "rho"}})
"""The parameters that give a grid of each kind its steps: all are needed, but rho and one of h and N of a uniform one."""
LISTED = ("times", "noise-levels")
"""Kinds whose nodes are given one by one."""


@dataclass(frozen=True, eq=False)
class Grid(Record):
    """A grid of N steps on [delta, T].

    Attributes:
        kind: ``uniform``, ``two-stage``, ``geometric``, ``edm``, ``times`` or ``noise-levels``.
        N: number of steps.
        values: for ``times`` and ``noise-levels`` the exact nodes; for ``two-stage`` the pair (number of full
            steps h, number of halvings).

    >>> import cmbound
    >>> grid = cmbound.Grid.from_noise_levels([0.1, 1, 80])
    >>> grid.N, grid.kind
    (2, 'noise-levels')
    """

    kind: str
    N: int
    values: tuple[Fraction, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        checked_name("kind of grid", self.kind, (*KINDS, *LISTED))
        if isinstance(self.N, bool) or not isinstance(self.N, int) or self.N < 1:
            raise DomainError(f"a grid has a number of steps N >= 1, got {self.N!r}")
        wanted = self.N + 1 if self.kind in LISTED else 2 if self.kind == "two-stage" else 0
        if len(self.values) != wanted or not all(isinstance(x, Fraction) for x in self.values):
            shown = f"{len(self.values)} values" if len(self.values) != wanted else repr(self.values)
            raise InputError(f"a grid of kind {self.kind!r} with N = {self.N} needs {wanted} fractions, got {shown}")
        if self.kind in LISTED:
            _check_increasing(self.values)
        if self.kind != "uniform" and self.N > MAX_STEPS:
            raise DomainError(f"the grid has N = {self.N} steps; at most {MAX_STEPS} are allowed")

    def __hash__(self) -> int:  # of the ends: a grid is a key of caches, and its nodes may be many
        return hash((self.kind, self.N, self.values[:1], self.values[-1:]))

    @classmethod
    def from_times(cls, times: Sequence[Any]) -> Grid:
        """A grid from increasing times t_0 < ... < t_N (OU clock); t_0 is delta and t_N is T.

        Raises:
            DomainError: fewer than two nodes, a node that is not positive and finite, or nodes that do not increase.
        """
        return cls("times", len(times) - 1, _exact(times))

    @classmethod
    def from_noise_levels(cls, sigmas: Sequence[Any]) -> Grid:
        """A grid from increasing noise levels sigma_0 < ... < sigma_N.

        Raises:
            DomainError: as for :meth:`from_times`.
        """
        return cls("noise-levels", len(sigmas) - 1, _exact(sigmas))

    @classmethod
    def edm(cls, sigma_min: Any, sigma_max: Any, N: int, rho: Any = 7) -> Grid:
        """The N + 1 noise levels of Karras et al. 2022, eq. 5, in float64; the ends are exact.

        Raises:
            DomainError: unless 0 < sigma_min < sigma_max, N >= 1 and rho > 0.
        """
        power = 1 / _positive("rho", rho)
        return cls._spaced(sigma_min, sigma_max, N, lambda x: x**power, lambda x: x ** (1 / power))

    @classmethod
    def geometric(cls, sigma_min: Any, sigma_max: Any, N: int) -> Grid:
        """N + 1 noise levels with a constant ratio, in float64; the ends are exact.

        Raises:
            DomainError: as for :meth:`edm`.
        """
        return cls._spaced(sigma_min, sigma_max, N, math.log, math.exp)

    @classmethod
    def _spaced(cls, low: Any, high: Any, N: Any, there: Callable[[float], float], back: Callable[[float], float]) -> Grid:
        """Noise levels whose images under ``there`` are equally far apart."""
        ends, steps = (_positive("sigma_min", low), _positive("sigma_max", high)), checked_whole("N", N, 1, MAX_STEPS)
        first, last = map(there, ends)
        inner = [back(first + i / steps * (last - first)) for i in range(1, steps)]
        return cls.from_noise_levels([low, *inner, high])


def _positive(name: str, given: Any) -> float:
    number = float(exact(name, given))
    if number <= 0:
        raise DomainError(f"{name} must be > 0, got {given}")
    return number


def _exact(nodes: Sequence[Any]) -> tuple[Fraction, ...]:
    values = tuple(exact("grid", x) for x in nodes)
    if len(values) < 2:
        raise DomainError(f"grid has {len(values)} node{'s' * (len(values) != 1)}; at least 2 are needed")
    return values


def _shown(node: Fraction) -> str:
    """A node in a message: decimal where that is exact and short."""
    text = f"{float(node):.15g}"
    return text if Fraction(text) == node else str(node)


def _check_increasing(nodes: Sequence[Fraction]) -> None:
    if nodes[0] <= 0:
        raise DomainError(f"grid node 0 is {_shown(nodes[0])}; nodes must be > 0")
    for i, (x, y) in enumerate(pairwise(nodes)):
        if y <= x:
            raise DomainError(f"grid is not increasing: node {i + 1} is {_shown(y)}, node {i} is {_shown(x)}")


def two_stage(delta: Fraction, T: Fraction, h: Fraction) -> Grid:
    """The paper's Assumption 6: from T downwards steps min(h, t/2), the last node is delta."""
    full = max(0, min(_ceil((T - delta) / h) - 1, _floor((T - 2 * h) / h) + 1))
    if full > MAX_STEPS:
        raise DomainError(f"the grid has more than {MAX_STEPS} steps; give a larger h (got {float(h):g})")
    t, halvings = T - full * h, 0
    while t - min(h, t / 2) > delta:
        t -= min(h, t / 2)
        halvings += 1
    return Grid("two-stage", full + halvings + 1, (Fraction(full), Fraction(halvings)))


def two_stage_node(grid: Grid, delta: Any, T: Any, h: Any, index: int) -> Any:
    """A node of a two-stage grid, in whatever arithmetic ``delta``, ``T`` and ``h`` are given."""
    full, place = int(grid.values[0]), grid.N - index
    if index == 0:
        return delta
    return T - place * h if place <= full else (T - full * h) / 2 ** (place - full)


def uniform_steps(delta: Fraction, T: Fraction, h: Fraction) -> int:
    """Number of equal steps, none larger than h."""
    return _ceil((T - delta) / h)


def _ceil(x: Fraction) -> int:
    return -((-x.numerator) // x.denominator)


def _floor(x: Fraction) -> int:
    return x.numerator // x.denominator


def require(kind: str, given: frozenset[str]) -> None:
    """Check that exactly the parameters this kind of grid needs were given.

    Raises:
        InputError: naming the missing or superfluous one.
    """
    if kind == "uniform":
        if {"h", "N"} <= given:
            raise InputError("grid 'uniform' takes h or N, not both")
        if not {"h", "N"} & given:
            raise InputError("grid 'uniform' needs the largest step h or the number of steps N")
    allowed = TAKES.get(kind, set())
    for name in sorted(allowed - given - {"rho"}) if kind != "uniform" else ():
        raise InputError(f"grid {kind!r} needs {name}")
    for name in sorted(({"h", "N", "rho"} & given) - allowed):
        raise InputError(f"grid {kind!r} takes no {name}" + (" (its nodes are given)" if not allowed else ""))
