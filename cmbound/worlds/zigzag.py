"""Scores that zigzag: laws on the line whose log-density has a second derivative that alternates between L and -L."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from cmbound.errors import DomainError
from cmbound.worlds.base import Array, interval, numbers
from cmbound.worlds.mixture import Mixture
from cmbound.worlds.process import noise, signal

SPACING = 0.15
"""Distance of neighbouring components in units of L^(-1/2): a seventh of the scale on which the log-density bends."""
_WIDTH = 0.8  # widths per distance: the sum of components ripples by 2 exp(-2 (0.8 pi)^2), 6e-6 of itself
_TAIL = 40.0  # the log-density falls by this in each tail: what is beyond is below rounding
_WATCHED = 25.0  # slopes are looked at where it has fallen by less: the components beyond the last are not missed there
_REACH = 6.0  # standard deviations of the noise
_TIMES, _SLACK = 60, 1e-3  # times a slope is looked at, and the share it is inflated by for what lies between them


class Zigzag(Mixture):
    """A law whose score has the slope -L in the two tails and L, -L, L, ... on the pieces between them.

    It is the mixture of N(x_i, (0.12 L^(-1/2))^2) with the density of such a law at nodes x_i at distances 0.15 L^(-1/2) along
    the whole line, so that density, score and flow are those of a mixture, and follow the zigzag but for its corners. Components
    with less than e^-40 of the largest weight are left out, which changes nothing in float64 where the law has any mass. Its
    constants are those of the whole mixture: largest slopes found on a fine grid, and no bounded support.

    Args:
        slope: L > 0.
        lengths: of the pieces between the tails in units of L^(-1/2), an odd number of them, each in (0, 10].

    Raises:
        DomainError: a number outside its domain, or an even number of pieces.

    >>> law = Zigzag(4.0, [1.0, 0.5, 1.0])
    >>> law.d, 3.5 < law.score_lipschitz(1.0) < 4.5
    (1, True)
    """

    def __init__(self, slope: float, lengths: npt.ArrayLike) -> None:
        pieces = numbers("lengths", lengths, 1)
        if not 0 < slope < np.inf:
            raise DomainError(f"slope must be a finite number > 0, got {slope}")
        if len(pieces) % 2 == 0 or not (pieces.min() > 0 and pieces.max() <= 10):
            raise DomainError(f"lengths must be an odd number of numbers in (0, 10], got {pieces.tolist()}")
        x, heights = _nodes(pieces)
        scale = slope**-0.5
        super().__init__(scale * x[:, None], np.exp(heights), (_WIDTH * SPACING * scale) ** 2)

    @property
    def smoothing(self) -> tuple[float, float] | None:
        return None

    def slopes(self, T: float, t_star: float = 0.0) -> tuple[float, float]:
        """The smallest and the largest slope of the score found on [t_star, T], moved outwards by a thousandth."""
        return _slopes(self, *interval("t_star", t_star, "T", T))

    def score_lipschitz(self, T: float, t_star: float = 0.0) -> float:
        """The largest slope found on [t_star, T], up or down."""
        return max(abs(x) for x in self.slopes(T, t_star))

    def score_above(self, T: float, t_star: float = 0.0) -> float:
        """The largest slope found on [t_star, T], at least 0."""
        return max(self.slopes(T, t_star)[1], 0.0)


@lru_cache(maxsize=64)
def _slopes(law: Zigzag, start: float, end: float) -> tuple[float, float]:
    found: list[Any] = []
    for t in start + np.concatenate([[0.0], np.geomspace(1e-6, 1.0, _TIMES)]) * (end - start):
        c, spread = float(signal(t)), _REACH * float(noise(t))
        x = np.linspace(c * law.means.min() - spread, c * law.means.max() + spread, 4 * len(law.means))[:, None]
        heights = law.log_density(x, t)
        x = x[heights > heights.max() - _WATCHED]
        slope = law.hessian_product(x, np.ones_like(x), t)
        found += [float(slope.min()), float(slope.max())]
    low, high = min(found), max(found)
    return low - _SLACK * abs(low), high + _SLACK * abs(high)


def _nodes(pieces: Array) -> tuple[Array, Array]:
    """Nodes and the log-density there, for L = 1, its maximum 0."""
    corners = np.concatenate([[0.0], np.cumsum(pieces)])
    changes = np.diff(np.concatenate([[-1.0], np.resize([1.0, -1.0], len(pieces)), [-1.0]]))
    reach = np.sqrt(2 * _TAIL) + corners[-1] - corners[0]
    x = np.arange(corners[0] - reach, corners[-1] + reach, SPACING)
    # from the left: the second derivative is -1, and changes at every corner
    heights = -((x - x[0]) ** 2) / 2 + np.square(np.maximum(x[:, None] - corners, 0.0)) @ changes / 2
    heights -= (heights[-1] - heights[0]) / (x[-1] - x[0]) * (x - x[0])  # both tails fall alike
    heights -= heights.max()
    return x[heights > -_TAIL], heights[heights > -_TAIL]
