"""True sums of local teacher errors: sum_j W_j norm(xhat_j - x_j)_{L2} along the exact trajectories (theory 3.1, 3.10, 3.14).

A step begins on the exact trajectory, so that the sum needs no student: the law of x at each node, the exact flow over each step
and the teacher's step. Gaussian laws are done in closed form, coordinate by coordinate; mixtures on the line by a quadrature
with panels around every component and at every jump of the flow, which no small weight escapes; mixtures in several dimensions
are sampled, as many points from every component; products add the squares of their blocks.

A teacher sees the noise prediction e(x, t) = -s_t score(x, t) = E[z | x_t = x], exact or off by a :class:`Wave`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from cmbound.distances.scaling import Array
from cmbound.frozen import FrozenDict, Record
from cmbound.verification.instances import Truth
from cmbound.worlds.base import World
from cmbound.worlds.gaussian import Gaussian
from cmbound.worlds.mixture import Mixture
from cmbound.worlds.process import noise, noise_level, signal
from cmbound.worlds.product import Product

Prediction = Callable[[Array, Any], Array]
"""The noise prediction at points (..., d) and times that broadcast against them."""

Measured = Callable[[Any, Array, Any, Any], Array]
Mean = tuple[float, float, float]
"""A mean square, what it is off by at most, and the square of what the function is rounded by."""

MOST_PANELLED = 16
"""Most components around which panels are laid; more of them are integrated over as one smooth law."""
SAMPLES = 600
"""Points of a component in several dimensions."""
_POINTS = 301  # of the trapezoidal rule for a smooth law, which converges faster than any power
_REACH = 9.0  # standard deviations: what lies beyond is below rounding
_PANEL_WIDTH, _GRADES = 2.0, 8.0 ** -np.arange(4)  # standard deviations: of panels, and of those beside a jump
_PANEL = 1e-6  # of the integral, by which the rules on a panel may differ
_ROUNDS, _MOST = 30, 400  # halvings of a panel, and panels: what is left by then is in the error
_SIGMAS = 4.0  # one wrong interval in 16,000
_ROUNDING, _SCALED = 1e-13, 1e-15  # of the largest coordinate: what a flow is rounded by, and the terms of a step
_AGREE = 3.0  # an integral is off by at most this times the difference of two rules
_PHASE = 1.0  # so that an error is neither odd nor even


def exponential_integrator(e: Prediction, x: Array, low: Any, high: Any) -> Array:
    """e^h x + (e^h - 1) score(x, t_high) (theory 1)."""
    return np.asarray(np.exp(high - low) * x - np.expm1(high - low) / noise(high) * e(x, high))


def ddim(e: Prediction, x: Array, low: Any, high: Any) -> Array:
    """Euler in the noise level (theory 3.10)."""
    return np.asarray(signal(low) * (x / signal(high) - (noise_level(high) - noise_level(low)) * e(x, high)))


def heun(e: Prediction, x: Array, low: Any, high: Any) -> Array:
    """The trapezoid in the noise level behind an Euler step (theory 3.14)."""
    step, first = noise_level(high) - noise_level(low), e(x, high)
    predicted = signal(low) * (x / signal(high) - step * first)
    return np.asarray(signal(low) * (x / signal(high) - step / 2 * (first + e(predicted, low))))


STEPS: Mapping[str, Callable[[Prediction, Array, Any, Any], Array]] = FrozenDict(
    {"exponential-integrator": exponential_integrator, "ddim": ddim, "heun": heun}
)
"""One step from x at the time ``high`` to ``low``, for every teacher."""


def _gaussian_integrator(v: Array, low: Array, high: Array) -> Array:
    a, step = v * signal(2 * high) + np.square(noise(high)), np.exp(high - low)
    factor, flow = step - np.expm1(high - low) / a, np.sqrt((v * signal(2 * low) + np.square(noise(low))) / a)
    rest = np.expm1(high - low) ** 2 * signal(2 * high) * (1 - v) / a**2  # the difference of the squares, without cancellation
    return np.asarray(np.where(factor > 0, rest / np.where(factor > 0, factor + flow, 1.0), factor - flow) * np.sqrt(a))


def _rise(low: Array, high: Array) -> Array:
    """noise_level(high) - noise_level(low), without cancellation."""
    return np.asarray(np.expm1(2 * (high - low)) * np.exp(2 * low) / (noise_level(low) + noise_level(high)))


def _gaussian_ddim(v: Array, low: Array, high: Array) -> Array:
    s, top = noise_level(low), noise_level(high)
    ends = np.sqrt(v + s**2), np.sqrt(v + top**2)
    return np.asarray(-signal(low) * v * _rise(low, high) ** 2 / (ends[1] * (v + top * s + ends[0] * ends[1])))


def _gaussian_heun(v: Array, low: Array, high: Array) -> Array:
    s, top = noise_level(low), noise_level(high)
    a, b = v + s**2, v + top**2
    factor = (v * v + v * (top**2 + 3 * s**2) / 2 + top * s**3) / (a * b)
    rest = _rise(low, high) ** 3 * v * (v * (top + 3 * s) / 4 + s**3) / (a * b) ** 2
    return np.asarray(signal(low) * rest / (factor + np.sqrt(a / b)) * np.sqrt(b))


GAUSSIAN: Mapping[str, Callable[[Array, Array, Array], Array]] = FrozenDict(
    {"exponential-integrator": _gaussian_integrator, "ddim": _gaussian_ddim, "heun": _gaussian_heun}
)
"""The step minus the flow on a coordinate of variance v times its standard deviation at the time ``high``.

Both multiply the distance from the mean by a number, so that this is the root mean square of their difference, up to its sign.
"""


_HALF = np.array(
    [
        [0.991455371120812640, 0.022935322010529225, 0.0],
        [0.949107912342758525, 0.063092092629978553, 0.129484966168869693],
        [0.864864423359769073, 0.104790010322250184, 0.0],
        [0.741531185599394440, 0.140653259715525919, 0.279705391489276668],
        [0.586087235467691130, 0.169004726639267903, 0.0],
        [0.405845151377397167, 0.190350578064785410, 0.381830050505118945],
        [0.207784955007898468, 0.204432940075298892, 0.0],
        [0.0, 0.209482141084727828, 0.417959183673469388],
    ]
)
KRONROD = np.concatenate([_HALF, _HALF[-2::-1] * [-1.0, 1.0, 1.0]]).T
"""Nodes on [-1, 1], the weights of Kronrod's rule, and those of Gauss's rule in every other node (QUADPACK, 7 and 15)."""


@dataclass(frozen=True, eq=False)
class Wave(Record):
    """What a learned noise prediction is off by: size sin(frequency x/(c^2 width^2 + s^2)^(1/2) + 1) in every coordinate."""

    size: float = 0.0
    frequency: float = 1.0
    width: float = 0.0

    def _spread(self, t: Any) -> Any:
        return np.hypot(signal(t) * self.width, noise(t))

    def __call__(self, x: Array, t: Any) -> Array:
        return np.asarray(self.size * np.sin(self.frequency * x / self._spread(t) + _PHASE))

    def slope(self, t: Any) -> Any:
        """s_t times its Lipschitz constant."""
        return noise(t) * self.size * abs(self.frequency) / self._spread(t)


@dataclass(frozen=True, eq=False)
class LocalErrors(Record):
    """The local errors of a teacher on a law, along a grid of OU times t_0 < ... < t_N, in OU units.

    Attributes:
        world: a Gaussian law, a mixture, or a product of these.
        nodes: shape (N + 1,), all > 0.
        teacher: a key of :data:`STEPS`.
        wave: what its noise prediction is off by; for mixtures and their products.
        seed: of the samples, for a mixture in several dimensions.
    """

    world: World
    nodes: Array
    teacher: str
    wave: Wave = Wave()
    seed: int = 0

    @property
    def _blocks(self) -> tuple[tuple[World, int], ...]:
        return self.world.pairs if isinstance(self.world, Product) else ((self.world, 1),)

    @property
    def sampled(self) -> bool:
        """Whether the errors are known from samples."""
        return any(isinstance(x, Mixture) and x.d > 1 for x, _ in self._blocks)

    @cached_property
    def steps(self) -> tuple[Array, Array]:
        """norm(xhat_j - x_j)_{L2} of every step, j = 0..N-1, and what each is off by at most; two arrays (N,)."""
        return self._norms(self._gap, self.nodes[1:], self.nodes[:-1])

    @cached_property
    def noise_errors(self) -> Array:
        """L2 error of the noise prediction at t_0, ..., t_N under the law there: s_t times that of the score; shape (N + 1,)."""
        if not self.wave.size:
            return np.zeros(len(self.nodes))
        value, slack = self._norms(lambda law, x, t, low: self.wave(x, t), self.nodes, self.nodes)
        return np.asarray(value + slack)

    @cached_property
    def slopes(self) -> Array:
        """M at t_0, ..., t_{N-1}: s_t times a Lipschitz constant of the noise prediction there (theory 3.14), shape (N,)."""
        low = self.nodes[:-1]
        found = [self.world.score_lipschitz(t, t) for t in low.tolist()]
        return np.asarray(np.square(noise(low)) * found + self.wave.slope(low))

    def total(self, weights: Array) -> Truth:
        """sum_j W_j norm(xhat_j - x_j)_{L2} over the first len(W) steps."""
        value, slack = (float(weights @ x[: len(weights)]) for x in self.steps)
        exact = all(isinstance(x, Gaussian) for x, _ in self._blocks)
        return Truth(value, max(value - slack, 0.0), value + slack, exact=exact, sampled=self.sampled)

    def _gap(self, law: Mixture, x: Array, high: float, low: float) -> Array:
        """xhat - x_low for points x (m, d) at the time ``high``."""

        def e(y: Array, t: float) -> Array:
            return np.asarray(-noise(t) * law.score(y, t) + self.wave(y, t))

        exact = law.rearrangement(x, high, low) if law.d == 1 else law.flow(x, high, low)
        return STEPS[self.teacher](e, x, low, high) - exact

    def _norms(self, f: Measured, high: Array, low: Array) -> tuple[Array, Array]:
        """L2 norm of f(law, x, high, low) under the law at every time of ``high``, and what each is off by at most."""
        found = np.zeros((len(high), 3))  # mean square, its error and that by rounding
        for law, count in self._blocks:
            if isinstance(law, Gaussian):
                squares = np.sum(GAUSSIAN[self.teacher](law.eigenvalues, low[:, None], high[:, None]) ** 2, axis=-1)
                found += count * squares[:, None] * [1.0, 1e-12, 0.0]  # a few roundings in every coordinate
                continue
            assert isinstance(law, Mixture)
            mean = self._sampled if law.d > 1 else _smooth if len(law.weights) > MOST_PANELLED else _panelled
            found += count * np.array([mean(law, f, *pair) for pair in zip(high.tolist(), low.tolist(), strict=True)])
        value = np.sqrt(found[:, 0])
        with np.errstate(invalid="ignore"):
            error = found[:, 1] / (value + np.sqrt(np.maximum(found[:, 0] - found[:, 1], 0.0)))
        return value, np.where(found[:, 1] > 0, error, 0.0) + np.sqrt(found[:, 2])

    def _sampled(self, law: Mixture, f: Measured, high: float, low: float) -> Mean:
        """By as many samples of every component: four standard errors."""
        z = np.random.default_rng([self.seed, 7]).standard_normal((SAMPLES, law.d))
        centres, deviations = _components(law, high)
        x = centres[:, None, :] + deviations[:, None, None] * z
        found = np.sum(f(law, x.reshape(-1, law.d), high, low) ** 2, axis=-1).reshape(len(centres), -1)
        error = np.sqrt(law.weights**2 @ found.var(axis=1) / SAMPLES)
        return float(law.weights @ found.mean(axis=1)), _SIGMAS * float(error), law.d * _rounding(x, high, low)


def _components(law: Mixture, t: float) -> tuple[Array, Array]:
    """Centres (K, d) and standard deviations (K,) of the components at time t; their covariances must be isotropic."""
    inner = np.asarray(law.component_covariance)
    variances = inner[:, 0, 0] if inner.ndim == 3 else np.broadcast_to(inner.reshape(-1)[:1], len(law.weights))
    return np.asarray(signal(t) * law.means), np.sqrt(signal(2 * t) * variances + np.square(noise(t)))


def _rounding(x: Array, high: float, low: float) -> float:
    """The square of what a step from points x is rounded by.

    It scales them by e^h before it takes the noise away, and a corrector multiplies the error by the ratio of the noise levels.
    """
    terms = np.exp(high - low) * noise_level(high) / noise_level(low)
    return float((_ROUNDING + _SCALED * terms) * np.abs(x).max()) ** 2


def _smooth(law: Mixture, f: Measured, high: float, low: float) -> Mean:
    """On the line by the trapezoidal rule in the normal score, compared with that on every other point."""
    z = np.linspace(-_REACH, _REACH, _POINTS)
    mass, x = np.exp(-(z**2) / 2), law.from_normal(z, high)
    found = np.square(f(law, x[:, None], high, low)[:, 0])
    values = [float(found[::k] @ mass[::k] / mass[::k].sum()) for k in (1, 2)]
    return values[0], _AGREE * abs(values[0] - values[1]) + 1e-11 * values[0], _rounding(x, high, low)


def _panelled(law: Mixture, f: Measured, high: float, low: float) -> Mean:
    """On the line by Gauss and Kronrod on panels over every component that shrink towards the jumps of the flow.

    Late in the flow the points between two components go far to either side of the quantile at which their mass begins; a step
    has jumps of its own, so that panels on which the two rules differ are halved.
    """
    centres, deviations = _components(law, high)
    edges = (centres + deviations[:, None] * np.arange(-_REACH, _REACH + 1, _PANEL_WIDTH)).reshape(-1)
    if len(law.weights) > 1:
        order = np.argsort(law.means[:, 0], kind="stable")
        jumps = law.quantile(np.cumsum(law.weights[order])[:-1], high)
        widths = np.concatenate([-_GRADES, [0.0], _GRADES]) * float(deviations.min())
        edges = np.concatenate([edges, (jumps[:, None] + widths).reshape(-1)])
    edges = np.unique(edges)

    def rules(ends: Array) -> Array:
        half = (ends[1:] - ends[:-1]) / 2
        x = ((ends[1:] + ends[:-1]) / 2 + half * KRONROD[0][:, None]).T.reshape(-1, 1)
        found = np.square(f(law, x, high, low)[:, 0]) * np.exp(law.log_density(x, high))
        return np.asarray(half * (KRONROD[1:] @ found.reshape(-1, KRONROD.shape[1]).T))

    ends = np.array([edges[:-1], edges[1:]])
    values = rules(ends)
    rounding = _rounding(edges, high, low)  # below it panels differ by noise, which no halving lessens
    for _ in range(_ROUNDS):
        bad = np.abs(values[0] - values[1]) > max(_PANEL * float(values[0].sum()), rounding)
        if not bad.any() or len(bad) > _MOST:
            break
        middle = ends[:, bad].mean(axis=0)
        halves = np.concatenate([[ends[0, bad], middle], [middle, ends[1, bad]]], axis=1)
        ends = np.concatenate([ends[:, ~bad], halves], axis=1)
        values = np.concatenate([values[:, ~bad], rules(halves)], axis=1)
    value, error = float(values[0].sum()), _AGREE * float(np.abs(values[0] - values[1]).sum())
    return value, error + 1e-11 * value, rounding
