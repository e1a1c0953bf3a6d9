"""Independent blocks of coordinates: a product of laws, each repeated, so that many dimensions cost no more than a few."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property, reduce
from typing import Any

import numpy as np

from cmbound.checks import checked_whole
from cmbound.errors import DomainError, InputError
from cmbound.worlds.atoms import Atoms
from cmbound.worlds.base import Array, World

MOST_ATOMS = 4096
"""Most points of a product of finite data sets whose weights are written out."""


class Product(World):
    """The law of independent blocks, the first ``counts[0]`` of them with the law ``factors[0]``, and so on.

    Args:
        factors: laws in any dimension.
        counts: how many blocks have each of them, each >= 1.

    Raises:
        InputError: lists of different lengths or empty ones, or a factor that is no law.
        DomainError: a count below 1.

    >>> from cmbound.worlds import Atoms
    >>> law = Product([Atoms([[-1.0], [1.0]]), Atoms([[0.0]])], [3, 2])
    >>> law.d, law.d_eff, round(law.radius, 4)
    (5, 3, 1.7321)
    """

    def __init__(self, factors: Sequence[World], counts: Sequence[int]) -> None:
        if not len(factors) or len(factors) != len(counts):
            raise InputError(
                f"counts has {len(counts)} entries for {len(factors)} factors; one for each of at least one is needed"
            )
        for i, (x, n) in enumerate(zip(factors, counts, strict=True)):
            if not isinstance(x, World):
                raise InputError(f"factors[{i}] is {type(x).__name__}; a law is needed")
            checked_whole(f"counts[{i}]", n, 1, 10**6)
        self.factors, self.counts = tuple(factors), tuple(int(n) for n in counts)
        self.d = sum(n * x.d for x, n in self.pairs)
        self.mean = np.concatenate([np.tile(x.mean, n) for x, n in self.pairs])
        self._close()

    @property
    def pairs(self) -> tuple[tuple[World, int], ...]:
        """Every factor with its count."""
        return tuple(zip(self.factors, self.counts, strict=True))

    @property
    def _law(self) -> tuple[Any, ...]:
        return (self.counts, *(y for x in self.factors for y in (type(x).__name__, *x._law)))

    def _sum(self, values: Sequence[float]) -> float:
        return math.fsum(n * x for n, x in zip(self.counts, values, strict=True))

    @property
    def covariance(self) -> Array:
        out, first = np.zeros((self.d, self.d)), 0
        for block in (x.covariance for x, n in self.pairs for _ in range(n)):
            cut = slice(first, first + len(block))
            out[cut, cut] = block
            first += len(block)
        return out

    @cached_property
    def sd2(self) -> float:
        return math.sqrt(self._sum([x.sd2**2 for x in self.factors]))

    @property
    def d_eff(self) -> int:
        return int(self._sum([x.d_eff for x in self.factors]))

    @property
    def radius(self) -> float:
        return math.sqrt(self._sum([x.radius**2 for x in self.factors]))

    @property
    def smoothing(self) -> tuple[float, float] | None:
        known = [x.smoothing for x in self.factors if x.smoothing is not None]
        if len(known) < len(self.factors) or len({tau for _, tau in known}) > 1:
            return None
        return math.sqrt(self._sum([radius**2 for radius, _ in known])), known[0][1]

    @property
    def _least_variance(self) -> float:
        return min(x._least_variance for x in self.factors)

    def _blockwise(self, method: str, x: Array, t: Array, *more: Array) -> Array:
        """What a method of the factors gives on every block, shape (n, d); (n, number of blocks) if it gives numbers."""
        parts, first = [], 0
        for factor, n in self.pairs:
            cut = slice(first, first + n * factor.d)
            given = (
                y[:, cut].reshape(-1, factor.d) if y.ndim == 2 else y if y.ndim == 0 else np.repeat(y, n) for y in (x, t, *more)
            )
            parts.append(getattr(factor, method)(*given).reshape(len(x), -1))
            first = cut.stop
        return np.concatenate(parts, axis=1)

    def _log_density(self, x: Array, t: Array) -> Array:
        return np.asarray(self._blockwise("_log_density", x, t).sum(axis=1))

    def _score(self, x: Array, t: Array) -> Array:
        return self._blockwise("_score", x, t)

    def _hessian_product(self, x: Array, t: Array, v: Array) -> Array:
        return self._blockwise("_hessian_product", x, t, v)

    def _score_acceleration(self, x: Array, t: Array) -> Array:
        return self._blockwise("_score_acceleration", x, t)

    def _denoiser(self, x: Array, t: Array) -> Array:
        return self._blockwise("_denoiser", x, t)

    def _flow(self, x: Array, t_from: Array, t_to: Array) -> Array:
        return self._blockwise("_flow", x, t_from, t_to)

    def _draw(self, n: int, c: float, s: float, rng: np.random.Generator) -> Array:
        columns = [x._draw(n * m, c, s, rng).reshape(n, -1) for x, m in self.pairs]
        return np.concatenate(columns, axis=1)

    def _probability(self, x: Any, t: Any, sign: float) -> Array:
        raise DomainError(f"this needs d = 1, and the law is a product in d = {self.d}")

    def score_lipschitz(self, T: float, t_star: float = 0.0) -> float:
        """The largest of the factors: the Jacobian is block diagonal."""
        return max(x.score_lipschitz(T, t_star) for x in self.factors)

    def score_above(self, T: float, t_star: float = 0.0) -> float:
        """The largest of the factors."""
        return max(x.score_above(T, t_star) for x in self.factors)

    def map_lipschitz(self, t: float, delta: float) -> float:
        """The largest of the factors."""
        return max(x.map_lipschitz(t, delta) for x in self.factors)

    def constants(self, delta: float, T: float, t_star: float = 0.0, *, scores: bool = True) -> dict[str, Any]:
        values = super().constants(delta, T, t_star, scores=scores)
        sets = [x for x in self.factors if isinstance(x, Atoms)]
        if len(sets) < len(self.factors):
            return values
        size = math.prod(len(x.weights) ** n for x, n in zip(sets, self.counts, strict=True))
        if size <= MOST_ATOMS:
            masses = [x.weights for x, n in zip(sets, self.counts, strict=True) for _ in range(n)]
            weights = reduce(lambda x, y: np.outer(x, y).reshape(-1), masses)
            values |= {"n_atoms": size, "weights": weights.tolist()}
        return values
