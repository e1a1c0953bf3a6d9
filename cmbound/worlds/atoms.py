"""A finite data set as a data law: a mixture of point masses, the world any real data set is (theory 4)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cmbound.worlds.base import numbers
from cmbound.worlds.mixture import Mixture, normalised_weights


class Atoms(Mixture):
    """The law of a finite data set, a :class:`Mixture` with tau = 0.

    Repeated points are merged and their weights added, points of weight 0 are dropped; the order of first appearance is kept.

    Args:
        points: shape (n, d).
        weights: shape (n,), >= 0, scaled to sum 1; equal if None.

    Raises:
        InputError: shapes that do not fit, or entries that are not finite.
        DomainError: negative weights, or weights that sum to 0.

    >>> import cmbound
    >>> law = cmbound.Atoms([[-1.0], [1.0], [3.0]])
    >>> law.d, law.m2
    (1, 1.9148542155126762)
    """

    def __init__(self, points: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> None:
        data = numbers("points", points, 2) + 0.0  # -0.0 becomes 0.0
        mass = normalised_weights(weights, len(data))
        _, first, label = np.unique(data, axis=0, return_index=True, return_inverse=True)
        if len(first) < len(data):
            total = np.bincount(label.reshape(-1), weights=mass)
            order = np.argsort(first)
            data, mass = data[first[order]], np.asarray(total[order], dtype=np.float64)
        super().__init__(data, mass)

    @property
    def points(self) -> npt.NDArray[np.float64]:
        """The distinct points, shape (n_atoms, d)."""
        return self.means

    def constants(self, delta: float, T: float, t_star: float = 0.0, *, scores: bool = True) -> dict[str, Any]:
        values = super().constants(delta, T, t_star, scores=scores) | {"n_atoms": len(self.weights)}
        if (self.weights != self.weights[0]).any():
            values["weights"] = self.weights.tolist()
        return values
