"""Posterior averages over the components of a Gaussian mixture, block by block.

With component scores s_k = -P_k (x - c m_k), P_k = (c^2 Sigma_k + s^2 I)^{-1}, and posterior weights r_k:

    score   s = sum r_k s_k,
    Hessian H = -sum r_k P_k + Cov_r(s_k),
    ds/dt along the PF-ODE = sum r_k (l_k - lbar) s_k + sum r_k (s_k - 2 P_k s_k + P_k s),
        l_k = -s_k.s + norm(s_k)^2 - tr P_k + d,  lbar = sum r_k l_k.

(The last: along dx/dt = -x - s one has d/dt s_k = s_k - 2 P_k s_k + P_k s and d/dt log r_k = l_k - lbar.) All methods take
points x (n, d) of the law of c x_0 + s z, and c and s^2, numbers (shape ()) or (n,).
"""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from cmbound.distances.scaling import across
from cmbound.worlds.base import Array, Compute

Index = npt.NDArray[np.integer[Any]]
_LOG_2PI = math.log(2 * math.pi)
_EPS = float(np.finfo(np.float64).eps)
_LOST = 1e-11  # rounding error of logits about the common centre from which on they are computed about a near component
_KEPT = 1e-13  # rounding error of logits about a component that is near enough


def _relative(logits: Array) -> Array:
    """exp(row - its largest entry). Overwrites."""
    logits -= across(np.maximum, logits)[:, None]
    return np.asarray(np.exp(logits, out=logits))


def _near(compute: Compute) -> Compute:
    """The method, the components measured from where nothing is lost."""

    def computed(self: Shared, x: Array, c: Array, v: Array, *more: Array) -> Array:
        squared = float(c.max(initial=0.0)) ** 2
        rounding = squared / (squared * self.least + float(v.min(initial=math.inf))) * _EPS  # at distance 1
        if rounding * self.reach <= _LOST:
            return compute(self, x, c, v, *more)
        logits = self._logits(*self._setup(x, c, v))
        places = self.means[(logits == np.maximum.reduce(logits)).argmax(axis=0)]
        out: Array | None = None
        left = np.arange(len(x))
        while len(left):
            about = copy.copy(self)
            about._measure_from(places[left[0]])
            near = rounding * np.sum(np.square(places[left] - about.centre), axis=1) <= _KEPT
            rows, left = left[near], left[~near]
            part = compute(about, x[rows], *(a if a.ndim == 0 else a[rows] for a in (c, v, *more)))
            out = np.empty((len(x), *part.shape[1:])) if out is None else out
            out[rows] = part
        assert out is not None
        return out

    return computed


class Shared:
    """Components with one covariance, diagonal after a rotation: matrix products only.

    Logits are log pi_k + (c x.P m_k - c^2 m_k.P m_k/2) with x and m_k measured from the centre of the means: what all
    components have in common never enters, so that nothing is lost far out in the tails. Where components lie so far from the
    centre that their neighbours could not be told apart, x and m_k are measured from a component near x.

    Points stand in columns inside: what is added up over few components or coordinates is added row by row.

    Args:
        means, weights: shapes (K, d) and (K,), the weights positive with sum 1.
        variances: shape (1,) for a multiple of the identity, or (d,), the eigenvalues of the covariance.
        vectors: eigenvectors in columns (d, d), or None for the coordinate axes.
    """

    def __init__(self, means: Array, weights: Array, variances: Array, vectors: Array | None) -> None:
        self.means, self.variances, self.vectors = means, variances, vectors
        self.log_weights = np.log(weights)
        self.size = len(means)
        self.least = float(variances.min())
        self._measure_from(means.mean(axis=0))
        self.reach = float(np.sum(self.m**2, axis=1).max())

    def _measure_from(self, centre: Array) -> None:
        self.centre = centre
        m = self._in(self.means - centre).T
        squares = m**2 if len(self.variances) > 1 else (m**2).sum(axis=0, keepdims=True)
        # one product gives all logits, another one the averages and their total
        self.table = np.concatenate([m, np.ones((1, m.shape[1])), squares / -2, self.log_weights[None]])
        d = len(m)
        self.m, self.ones, self.halves = self.table[:d].T, self.table[: d + 1], self.table[d + 1 : -1].T

    def _in(self, x: Array) -> Array:
        return x if self.vectors is None else np.asarray(x @ self.vectors)

    def _out(self, y: Array) -> Array:
        """Columns (d, n) as points (n, d)."""
        return y.T if self.vectors is None else np.asarray(y.T @ self.vectors.T)

    def _setup(self, x: Array, c: Array, v: Array) -> tuple[Array, Array, Array]:
        """c (1, n or 1), P (1 or d, n or 1) and the offset y (d, n) from the noised centre."""
        precision = 1 / (c * c * self.variances[:, None] + v)
        apart = x - (c[:, None] if c.ndim else c) * self.centre
        return c.reshape(1, -1), precision, self._in(apart).T

    def _logits(self, c: Array, precision: Array, y: Array) -> Array:
        """Shape (K, n): the terms of a logit are added up by one product, the table is written once."""
        d, n = y.shape
        factors = np.zeros((len(self.table), n))
        np.multiply(c * precision, y, out=factors[:d])
        factors[d + 1 : -1], factors[-1] = c * c * precision, 1.0
        return np.asarray(self.table.T @ factors)

    def _posterior(self, c: Array, precision: Array, y: Array) -> tuple[Array, Array, Array]:
        """r_k up to a factor (K, n); their sum (1, n); and the average of the m_k (d, n)."""
        r = self._logits(c, precision, y)
        r -= np.maximum.reduce(r)
        np.exp(r, out=r)
        sums = self.ones @ r
        return r, sums[-1:], sums[:-1] / sums[-1:]

    @_near
    def log_density(self, x: Array, c: Array, v: Array) -> Array:
        c, precision, y = self._setup(x, c, v)
        logits = self._logits(c, precision, y)
        largest = np.maximum.reduce(logits)
        best = (logits == largest).argmax(axis=0)  # of numbers it would take a second table
        logits -= largest
        total = np.add.reduce(np.exp(logits, out=logits))
        nearest = y - c * self.m[best].T
        repeated = len(y) // len(precision)
        exponent = np.add.reduce(nearest * precision * nearest) - repeated * np.add.reduce(np.log(precision))
        return np.asarray(self.log_weights[best] + np.log(total) - (exponent + len(y) * _LOG_2PI) / 2)

    @_near
    def score(self, x: Array, c: Array, v: Array) -> Array:
        c, precision, y = self._setup(x, c, v)
        _, _, average = self._posterior(c, precision, y)
        return self._out(precision * (c * average - y))

    @_near
    def denoiser(self, x: Array, c: Array, v: Array) -> Array:
        c, precision, y = self._setup(x, c, v)
        _, _, average = self._posterior(c, precision, y)
        return np.asarray(self.centre + self._out(average + c * self.variances[:, None] * precision * (y - c * average)))

    @_near
    def hessian_product(self, x: Array, c: Array, v: Array, e: Array) -> Array:
        c, precision, y = self._setup(x, c, v)
        r, total, _ = self._posterior(c, precision, y)
        return self._out(self._product(c, precision, r, total, e))

    @_near
    def score_and_product(self, x: Array, c: Array, v: Array, e: Array) -> Array:
        """The score and H e in one row (n, 2 d): what both need is computed once."""
        c, precision, y = self._setup(x, c, v)
        r, total, average = self._posterior(c, precision, y)
        score = precision * (c * average - y)
        return np.concatenate([self._out(score), self._out(self._product(c, precision, r, total, e))], axis=1)

    def _product(self, c: Array, precision: Array, r: Array, total: Array, e: Array) -> Array:
        """H e (d, n) in the inner axes."""
        w = precision * self._in(e).T
        return np.asarray(c * c * precision * self._covariance_with(r, total, self.m @ w) - w)

    def _covariance_with(self, r: Array, total: Array, g: Array) -> Array:
        """Cov_r(m_k, g_k) for numbers g (K, n), which are overwritten; shape (d, n)."""
        g -= np.add.reduce(r * g) / total
        g *= r
        return np.asarray((self.m.T @ g) / total)

    @_near
    def acceleration(self, x: Array, c: Array, v: Array) -> Array:
        """E[a norm(a)^2] + Cov(a) s + s - P s with a_k = s_k - s = c P (m_k - average)."""
        c, precision, y = self._setup(x, c, v)
        r, total, average = self._posterior(c, precision, y)
        s = precision * (c * average - y)
        cp = c * precision
        g = self.m @ (cp * s - 2 * cp * cp * average)  # norm(a_k)^2 + a_k.s up to what all k have in common
        g -= self.halves @ (2 * cp * cp)
        return self._out(cp * self._covariance_with(r, total, g) + s - precision * s)

    def draw(self, index: Index, c: float, s: float, z: Array) -> Array:
        """x_t for the components ``index`` (n,) and standard normal z (n, d)."""
        spread = np.sqrt(c * c * self.variances + s * s) * z
        return np.asarray(c * self.means[index] + (spread if self.vectors is None else spread @ self.vectors.T))


class Individual:
    """Components with covariances of their own.

    Args:
        means, weights: shapes (K, d) and (K,), the weights positive with sum 1.
        values, vectors: eigenvalues (K, d) of the covariances, and their eigenvectors in columns (K, d, d).
    """

    def __init__(self, means: Array, weights: Array, values: Array, vectors: Array) -> None:
        self.values, self.vectors = values, vectors
        self.means = means
        self.log_weights = np.log(weights)
        self.size = means.size

    def _in(self, x: Array) -> Array:
        """Points (n, d) in the axes of every component, shape (n, K, d)."""
        return np.moveaxis(x @ self.vectors, 0, 1)

    def _out(self, y: Array) -> Array:
        """Vectors (n, K, d) in the axes of their components, back to common axes."""
        return np.moveaxis(np.moveaxis(y, 1, 0) @ np.swapaxes(self.vectors, 1, 2), 0, 1)

    def _setup(self, x: Array, c: Array, v: Array) -> tuple[Array, Array, Array]:
        """c (n or 1, 1, 1), P (n or 1, K, d) and the offsets y (n, K, d), both in the axes of the components."""
        c = np.reshape(c, (-1, 1, 1))
        precision = 1 / (c * c * self.values + np.reshape(v, (-1, 1, 1)))
        apart = np.moveaxis(x[:, None] - c * self.means, 1, 0)  # before turning, which rounds at the distance from the origin
        return c, precision, np.moveaxis(apart @ self.vectors, 0, 1)

    def _posterior(self, precision: Array, y: Array) -> tuple[Array, Array, Array]:
        """Weights (n, K); the largest logit and the sum of exp(logit - largest), shapes (n,)."""
        logits = self.log_weights + (across(np.add, np.log(precision)) - across(np.add, y * precision * y)) / 2
        top = across(np.maximum, logits)
        r = _relative(logits)
        total = across(np.add, r)
        return r / total[:, None], top, total

    def _average(self, r: Array, values: Array) -> Array:
        return np.asarray(np.einsum("nk,nkd->nd", r, values))

    def log_density(self, x: Array, c: Array, v: Array) -> Array:
        _, precision, y = self._setup(x, c, v)
        _, top, total = self._posterior(precision, y)
        return np.asarray(top + np.log(total) - x.shape[1] * _LOG_2PI / 2)

    def score(self, x: Array, c: Array, v: Array) -> Array:
        _, precision, y = self._setup(x, c, v)
        r, _, _ = self._posterior(precision, y)
        return self._average(r, self._out(-precision * y))

    def denoiser(self, x: Array, c: Array, v: Array) -> Array:
        c, precision, y = self._setup(x, c, v)
        r, _, _ = self._posterior(precision, y)
        return np.asarray(r @ self.means + self._average(r, self._out(c * self.values * precision * y)))

    def hessian_product(self, x: Array, c: Array, v: Array, e: Array) -> Array:
        return self.score_and_product(x, c, v, e)[:, x.shape[1] :]

    def score_and_product(self, x: Array, c: Array, v: Array, e: Array) -> Array:
        """The score and H e in one row (n, 2 d): what both need is computed once."""
        _, precision, y = self._setup(x, c, v)
        r, _, _ = self._posterior(precision, y)
        scores = self._out(-precision * y)
        score = self._average(r, scores)
        apart = scores - score[:, None]
        products = np.einsum("nkd,nd->nk", apart, e)
        product = self._average(r * products, apart) - self._average(r, self._out(precision * self._in(e)))
        return np.concatenate([score, product], axis=1)

    def acceleration(self, x: Array, c: Array, v: Array) -> Array:
        _, precision, y = self._setup(x, c, v)
        r, _, _ = self._posterior(precision, y)
        inner = -precision * y
        scores = self._out(inner)
        s = self._average(r, scores)
        apart = scores - s[:, None]
        g = np.einsum("nkd,nkd->nk", apart, scores) - np.sum(precision, axis=2)  # l_k - d
        g = g - np.einsum("nk,nk->n", r, g)[:, None]
        turned = self._out(precision * (self._in(s) - 2 * inner))
        return self._average(r * g, apart) + s + self._average(r, turned)

    def draw(self, index: Index, c: float, s: float, z: Array) -> Array:
        spread = np.sqrt(c * c * self.values[index] + s * s)
        out = np.empty_like(z)
        for k in np.unique(index):
            rows = index == k
            out[rows] = c * self.means[k] + (spread[rows] * z[rows]) @ self.vectors[k].T
        return out
