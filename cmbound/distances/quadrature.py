"""Composite Gauss-Lobatto quadrature with halved cells until the error allowed is met."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cmbound.distances.arguments import Array, Function
from cmbound.errors import InputError


def _lobatto(count: int) -> tuple[Array, Array]:
    """Nodes and weights on [-1, 1] of Lobatto quadrature, its end nodes moved in by 1e-9.

    A jump anywhere in the cell then lies between two nodes, so it is noticed; one at the very end of the cell is outside.
    """
    inner = np.polynomial.Legendre.basis(count - 1).deriv().roots()
    nodes = np.concatenate(([1e-9 - 1], inner, [1 - 1e-9]))
    powers = np.arange(count)
    weights = np.linalg.solve(np.vander(nodes, increasing=True).T, (1 - (-1.0) ** (powers + 1)) / (powers + 1))
    return nodes, weights


NODES, WEIGHTS = _lobatto(6)
MAX_CELLS = 1 << 20
"""Most cells that may wait for halving, beyond the cells quadrature begins with."""


def lobatto_sums(function: Function, low: Array, high: Array) -> Array:
    """Integrals over the cells [low, high] by Lobatto quadrature."""
    half = (high - low) / 2
    result = np.empty_like(half)
    for start in range(0, len(half), 1 << 15):
        part = slice(start, start + (1 << 15))
        nodes = (low[part] + half[part])[:, None] + half[part, None] * NODES
        result[part] = half[part] * (function(nodes.ravel()).reshape(nodes.shape) @ WEIGHTS)
    return result


def integrate(function: Function, edges: Array, allowed: Callable[[float], float], name: str) -> tuple[float, Array]:
    """Integral over all cells and the edges of the final ones.

    Each cell is compared with its two halves, and halved until the differences sum to ``allowed(total)``.
    """
    low, high = edges[:-1], edges[1:]
    whole = lobatto_sums(function, low, high)
    settled, final, limit = 0.0, [edges], len(low) + MAX_CELLS
    while True:
        middle = low / 2 + high / 2
        left, right = lobatto_sums(function, low, middle), lobatto_sums(function, middle, high)
        error, total = np.abs(left + right - whole), settled + float((left + right).sum())
        split = (error > allowed(total) / (2 * len(error))) & (low < middle) & (middle < high)
        if error.sum() <= allowed(total) or not split.any():
            return total, np.sort(np.concatenate(final))
        settled += float((left + right)[~split].sum())
        final.append(middle[split])
        low, high = np.concatenate((low[split], middle[split])), np.concatenate((middle[split], high[split]))
        whole = np.concatenate((left[split], right[split]))
        if len(low) > limit:
            raise InputError(f"the integral of {name} does not converge: the functions are too rough, or not accurate enough")
