"""The smallest ball around a point set."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cmbound.distances.scaling import exponent, norm, scaled, unscaled
from cmbound.worlds.base import Array, numbers

_ROUNDING = 1e-12  # of distances, as a share
_MAX_CYCLES = 5000  # it ends in tens; this guards against cycling


def enclosing_ball(points: npt.ArrayLike) -> tuple[Array, float]:
    """Centre (d,) and radius of a ball that holds the points (n, d), the smallest one up to about 1e-10 of the radius.

    The dual of the smallest ball, max sum w_i norm(p_i)^2 - norm(sum w_i p_i)^2 over weights w, is solved by an active-set method
    in the manner of Wolfe's for the nearest point of a polytope (1976): take in the farthest point, go to the circumcentre of
    the active points, and drop those that would get a negative weight. It ends after finitely many changes of the active set.
    The radius is the largest distance from the centre that is returned, so the ball holds the points whatever the centre.
    """
    p = numbers("points", points, 2)
    low, high = p.min(axis=0), p.max(axis=0)
    shift, scale = (low + high) / 2, float(np.max(high - low)) / 2
    if p.shape[1] == 1 or scale == 0:
        return shift, _radius(p, shift)
    q = (p - shift) / scale
    best, smallest = np.zeros_like(shift), np.inf
    active, w = [int(np.argmax(_squares(q)))], np.ones(1)
    for _ in range(_MAX_CYCLES):
        centre = w @ q[active]
        distances = _squares(q - centre)
        far = int(np.argmax(distances))
        if distances[far] < smallest:
            best, smallest = centre, float(distances[far])
        if distances[far] <= distances[active].max() * (1 + _ROUNDING) or far in active:
            break
        active, w = _circumcentre(q, [*active, far], np.append(w, 0.0))
    centre = shift + scale * best
    return centre, _radius(p, centre)


def _squares(x: Array) -> Array:
    return np.asarray(np.einsum("ij,ij->i", x, x))


def _radius(p: Array, centre: Array) -> float:
    return float(norm(p - centre, axis=1).max())


def _circumcentre(q: Array, active: list[int], w: Array) -> tuple[list[int], Array]:
    """Weights >= 0 of the circumcentre of the active points, after dropping those that stand in the way."""
    while len(active) > 1:
        a = q[active]
        edges = a[1:] - a[0]
        left, sizes, _ = np.linalg.svd(edges, full_matrices=len(edges) > edges.shape[1])
        if len(edges) > len(sizes) or sizes[-1] <= _ROUNDING * sizes[0]:
            # The points are affinely dependent: weights move along a line on which the dual objective is linear.
            target = np.concatenate([[-left[:, -1].sum()], left[:, -1]])
            target *= np.sign(target @ _squares(a - w @ a)) or 1.0
            steps = np.where(target < 0, w / np.where(target < 0, -target, 1.0), np.inf)
        else:
            inner = (left[:, : len(sizes)].T @ _squares(edges)) / (2 * sizes**2)
            goal = left[:, : len(sizes)] @ inner
            goal = np.concatenate([[1 - goal.sum()], goal])
            if goal.min() >= 0:
                return active, goal
            target = goal - w
            steps = np.where(goal < 0, w / np.where(goal < 0, -target, 1.0), np.inf)
        out = int(np.argmin(steps))
        w = np.maximum(w + steps[out] * target, 0)
        active = active[:out] + active[out + 1 :]
        w = np.delete(w, out)
        w /= w.sum()
    return active, np.ones(1)


def diameter(points: Array) -> float:
    """The largest distance of two points, shape (n, d), from the Gram matrix of at most ``_ROWS`` rows at a time."""
    centred = points - points.mean(axis=0)
    e = exponent(centred)
    centred = scaled(centred, e)
    squares = np.einsum("ij,ij->i", centred, centred)
    blocks = (slice(i, i + _ROWS) for i in range(0, len(points), _ROWS))
    largest = (np.max(squares[x, None] + squares - 2 * centred[x] @ centred.T) for x in blocks)
    return unscaled(float(np.sqrt(max(0.0, *largest, 0.0))), e)


_ROWS = 1000  # with 50,000 points 400 megabytes
