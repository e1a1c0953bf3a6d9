"""From sampled squares to a bound on their root mean square, at a confidence (theory 5.4)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cmbound.distances import coupling_w2
from cmbound.distances.samples import ASYMPTOTIC, GUARANTEED
from cmbound.worlds.base import Array

CONDITIONAL = "conditional"
"""Rests on a constant that was only estimated from below."""
TRUSTS = (GUARANTEED, ASYMPTOTIC, CONDITIONAL)


@dataclass(frozen=True)
class Root:
    """A root mean square: found on the samples, with one-sided upper bounds.

    Attributes:
        estimate: of the samples.
        upper: missed with a small probability, by a normal approximation corrected for skewness.
        guaranteed: the same for every law and number of samples, by bets (None: the squares have no bound).
    """

    estimate: float
    upper: float
    guaranteed: float | None = None


def root(values: Array, tail: float, most: float | None) -> Root:
    """Bounds of (E Y)^{1/2} from n values of Y >= 0, each missed with probability ``tail``; ``most`` bounds Y^{1/2}."""
    if not values.any():
        return Root(0.0, 0.0, 0.0 if most == 0 else None if most is None else _guaranteed(values, tail, most))
    distances = np.sqrt(values)[:, None]
    found = coupling_w2(distances, np.zeros_like(distances), level=1 - 2 * tail)
    return Root(found.value, found.upper, None if most is None else _guaranteed(values, tail, most))


def _guaranteed(values: Array, tail: float, most: float) -> float:
    distances = np.sqrt(values)[:, None]
    return coupling_w2(distances, np.zeros_like(distances), level=1 - 2 * tail, diameter=most).upper


def lower_root(values: Array, tail: float) -> float:
    """The lower bound that belongs to :func:`root`, asymptotic."""
    distances = np.sqrt(values)[:, None]
    return coupling_w2(distances, np.zeros_like(distances), level=1 - 2 * tail).lower if values.any() else 0.0


def added(parts: list[Root]) -> Root:
    """The sum of root mean squares."""
    firm = [x.guaranteed for x in parts]
    total = None if any(x is None for x in firm) else math.fsum(x for x in firm if x is not None)
    return Root(math.fsum(x.estimate for x in parts), math.fsum(x.upper for x in parts), total)


def exact(value: float) -> Root:
    """A number that is known."""
    return Root(value, value, value)
