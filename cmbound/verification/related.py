"""Experiments of other papers, where every assumption holds and the truth is known.

Multistep sampling of a discrete student: a data set on the line. The student answers with the atom the exact trajectory ends at,
read off a quantile that is shifted a little, plus a drift, clipped to the ball. It takes finitely many values, so that its law
after any number of evaluations is a finite sum and its distance to the data is exact. One DDIM step in the EDM clock: of a
Gaussian in closed form, of a mixture or a data set on the line by quadrature. Euler steps of a flow from noise to a Gaussian
along straight paths, with an affine learned velocity: everything in closed form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from cmbound.distances import w2_samples_1d
from cmbound.distances.scaling import Array
from cmbound.frozen import FrozenDict, Record
from cmbound.theory.records import Theorem
from cmbound.verification import gaussian, mixture
from cmbound.verification.bench import Bench, Experiment, Params, Ranges, node_number
from cmbound.verification.instances import Recipe, SkippedError, Truth
from cmbound.verification.line import quadrature
from cmbound.verification.runner import law
from cmbound.verification.settings import OFF, amplitude, picked, random_knobs
from cmbound.worlds.atoms import Atoms
from cmbound.worlds.mixture import Mixture
from cmbound.worlds.process import noise, signal, time_of

KNOBS: Ranges = FrozenDict(
    {
        **{name: mixture.KNOBS[name] for name in ("log_radius", "log_tau", "log_weight", "log_mean")},
        **{name: gaussian.KNOBS[name] for name in ("log_variance", "log_spread")},
        "log_room": (OFF, 1.0),
        "log_span": (-2.0, 1.0),
        "log_drift": (OFF, 1.0),
        "log_shift": (OFF, 0.0),
        "log_level": (-3.0, 2.0),
        "log_step": (-3.0, 1.5),
        "log_offset": (OFF, 1.0),
        "log_tilt": (OFF, 1.0),
    }
)
"""Ranges of the knobs, all decimal logarithms: spread of the centres, width of the components, ratio of the largest to the
smallest weight, distance of the centre from 0, R minus the radius of the data, T, drift of the student at time 1, its shift of
the quantile at T, largest variance and its ratio to the smallest, sigma_low, sigma_high/sigma_low - 1, L2 error of a learned
velocity that is constant, and one that is linear."""

POINTS = 2001  # quadrature nodes of a smooth integrand
_REACH = 8.0  # standard deviations: what lies beyond is below rounding
_ROUNDING = 1e-14  # of a probability, which is what the squared distance of two finite sums is known to


def _drawn(needed: tuple[str, ...], world: str, theorem: Theorem, rng: np.random.Generator, choices: Mapping[str, Any]) -> Recipe:
    """A random recipe with the knobs that are needed; ``choices`` are those already made for the statement."""
    made = {
        "d": picked(rng, [1, 2, 3, 8, 32]) if world == "gaussian" else 1,
        "components": picked(rng, [1, 2, 3, 5], [0.15, 0.55, 0.15, 0.15]),
        "symmetric": bool(rng.random() < 0.15),
        "widths": "common",
        "drift_sign": picked(rng, [-1, 1]),
        "shift_sign": picked(rng, [-1, 1]),
        **choices,
    }
    knobs = random_knobs({name: KNOBS[name] for name in needed}, rng, 0.6)
    return Recipe(theorem.id, world, int(rng.integers(2**31)), made, knobs)


@dataclass(frozen=True)
class Student:
    """f_theta(x, t) = clip(q(u - shift t) + drift t) where x is the quantile u of p_t and q that of the data, points on the line.

    Values are clipped to [-radius, radius].
    """

    world: Atoms
    radius: float
    shift: float
    drift: float

    @property
    def atoms(self) -> tuple[Array, Array]:
        """The points in increasing order, and their weights."""
        order = np.argsort(self.world.points[:, 0])
        return self.world.points[order, 0], self.world.weights[order]

    def values(self, t: float) -> Array:
        """What it can answer at time t, in increasing order."""
        return np.clip(self.atoms[0] + self.drift * t, -self.radius, self.radius)

    def borders(self, t: float) -> Array:
        """The quantiles u at which the answer at time t changes."""
        return np.clip(np.cumsum(self.atoms[1])[:-1] + self.shift * t, 0.0, 1.0)

    def apart(self, t: float, s: float) -> float:
        """L2 distance of f_theta(x_t, t) and f_theta(x_s, s) on one exact trajectory (x_t and x_s have the same quantile)."""
        cuts = np.unique(np.concatenate([[0.0, 1.0], self.borders(t), self.borders(s)]))
        middle, mass = (cuts[1:] + cuts[:-1]) / 2, np.diff(cuts)
        one, two = (self.values(x)[np.searchsorted(self.borders(x), middle)] for x in (t, s))
        return float(np.sqrt(np.sum(mass * (one - two) ** 2)))

    def law(self, t: float, centres: Array, mass: Array, deviation: float) -> Array:
        """The probabilities of its answers at time t for x a sum of normal laws of one deviation."""
        with np.errstate(divide="ignore"):
            z = ndtri(self.borders(t))
        inside = np.isfinite(z)
        ends = np.where(z > 0, np.inf, -np.inf)
        ends[inside] = self.world.from_normal(z[inside], t)
        cdf = ndtr((ends[:, None] - centres) / deviation) @ mass
        return np.diff(np.concatenate([[0.0], cdf, [1.0]]))


def finite_w2(x: Array, p: Array, y: Array, q: Array) -> Truth:
    """W2 between two laws on points x, y with probabilities p, q."""
    value = w2_samples_1d(x, y, np.maximum(p, 0), np.maximum(q, 0))  # differences of a distribution function are rounded
    slack = _ROUNDING * float(max(x.max(), y.max()) - min(x.min(), y.min())) ** 2 + 1e-12 * value**2
    return Truth(value, float(np.sqrt(max(value**2 - slack, 0.0))), float(np.sqrt(value**2 + slack)))


def _multistep(bench: Bench, params: Mapping[str, Any]) -> tuple[Truth, Params]:
    choices, knobs = bench.choices, bench.knobs
    if bench.recipe.world != "atoms":
        raise SkippedError(f"the data of {bench.theorem.id} lie in a ball: it is checked in the atoms world")
    world = law(bench.recipe)
    assert isinstance(world, Atoms)
    horizon = 10.0 ** knobs["log_span"]
    radius = float(np.max(np.abs(world.points))) + amplitude(knobs["log_room"])
    shift = choices["shift_sign"] * amplitude(knobs["log_shift"]) / horizon
    student = Student(world, radius, shift, choices["drift_sign"] * amplitude(knobs["log_drift"]))
    count = int(choices["N"])
    nodes = np.linspace(0.0, horizon, count + 1)
    later = [node_number(count, x) for x in choices["times"]]
    points, weights = student.atoms
    error = max(student.apart(high, low) for low, high in pairwise(nodes.tolist()))
    times = [float(nodes[i]) for i in later]
    found: Params = {"times": times} if len(set(times)) > 1 else {"k": len(times) + 1, "t_hat": (times or [horizon])[0]}
    found = {"R": radius, "m2": min(world.m2, radius), "T": horizon, "eps_ci": error, "dtau": float(nodes[1]), **found}
    values, mass = np.zeros(1), np.ones(1)
    for i in (count, *later):
        t = float(nodes[i])
        mass = student.law(t, float(signal(t)) * values, mass, float(noise(t)))
        values = student.values(t)
    return finite_w2(values, mass, points, weights), found


def _local_error(bench: Bench, params: Mapping[str, Any]) -> tuple[Truth, Params]:
    low = 10.0 ** bench.knobs["log_level"]
    high = low * (1 + 10.0 ** bench.knobs["log_step"])
    truth = _gaussian_step(bench.recipe, high, low) if bench.exact else _line_step(law(bench.recipe), high, low)
    return truth, {"d": int(bench.choices["d"]), "sigma_high": high, "sigma_low": low}


def _variances(recipe: Recipe) -> Array:
    """The variances of a Gaussian law, the largest first."""
    levels = np.random.default_rng(recipe.seed).uniform(0, 1, int(recipe.choices["d"]))
    levels[0] = 0.0
    return np.asarray(10.0 ** (recipe.knobs["log_variance"] - recipe.knobs["log_spread"] * levels))


def _gaussian_step(recipe: Recipe, high: float, low: float) -> Truth:
    """On an axis of variance v the step multiplies by (v + high low)/(v + high^2), the flow by the ratio of deviations."""
    v = _variances(recipe)
    step, exact = (v + high * low) / np.sqrt(v + high**2), np.sqrt(v + low**2)
    gap = v * (high - low) ** 2 / ((v + high**2) * (step + exact))  # exact - step, without cancellation
    return Truth.rounded(float(np.linalg.norm(gap)), 0.0)


@dataclass(frozen=True, eq=False)
class StraightFlow(Record):
    """The exact flow along x_t = (1 - t) z + t x_0 from N(0, I) at t = 0 to a centred Gaussian at t = 1, axis by axis.

    ``variances`` are those of the data, shape (d,). At time t an axis has the variance m_t = (1 - t)^2 + t^2 v, so that
    v(x, t) = x m_t'/(2 m_t) and a point of the flow is proportional to m_t^(1/2), whose second derivative is v/m_t^(3/2). A mean
    of the data moves all laws alike and is left out.
    """

    variances: Array

    def marginal(self, t: Array) -> Array:
        """m_t, shape (times, d)."""
        return (1 - t[:, None]) ** 2 + t[:, None] ** 2 * self.variances

    def slopes(self, t: Array) -> Array:
        """The slopes of v(., t), shape (times, d)."""
        return (t[:, None] * (1 + self.variances) - 1) / self.marginal(t)

    def accelerations(self, t: Array) -> Array:
        """The mean of E norm(dv/dt)^2 = sum of v^2/m^3 between neighbouring times, shape (times - 1,).

        With m = m_0 (1 + u^2), u = (t (1 + v) - 1)/v^(1/2) and m_0 = v/(1 + v), the integral is elementary.
        """
        v = self.variances
        u = (t[:, None] * (1 + v) - 1) / np.sqrt(v)
        integral = u / (4 * (1 + u**2) ** 2) + 3 * u / (8 * (1 + u**2)) + 3 / 8 * np.arctan(u)
        return np.asarray(np.diff(integral, axis=0) @ ((1 + v) ** 2 / np.sqrt(v)) / np.diff(t))

    def euler(self, N: int, offset: float, tilt: float) -> tuple[float, float]:
        """W2 of N Euler steps to the data, and the largest slope met on the grid.

        On the first axis the learned velocity is off by ``offset`` and by ``tilt`` times the whitened coordinate: an L2 error
        of (offset^2 + tilt^2)^(1/2) at every time.
        """
        t = np.arange(N) / N
        slopes = self.slopes(t)
        slopes[:, 0] += tilt / np.sqrt(self.marginal(t)[:, 0])
        factors = 1 + slopes / N
        shift = 0.0
        for x in factors[:, 0]:
            shift = x * shift + offset / N
        gaps = np.abs(np.prod(factors, axis=0)) - np.sqrt(self.variances)
        return float(np.hypot(np.linalg.norm(gaps), shift)), float(np.max(np.abs(slopes)))


def _flow_steps(bench: Bench, params: Mapping[str, Any]) -> tuple[Truth, Params]:
    if not bench.exact:
        raise SkippedError(f"the velocity field of {bench.theorem.id} is in closed form for Gaussian laws alone")
    choices, knobs = bench.choices, bench.knobs
    flow, N = StraightFlow(_variances(bench.recipe)), int(choices["N"])
    offset = choices["drift_sign"] * amplitude(knobs["log_offset"])
    tilt = choices["shift_sign"] * amplitude(knobs["log_tilt"])
    distance, slope = flow.euler(N, offset, tilt)
    acceleration = float(np.max(flow.accelerations(np.arange(N + 1) / N)))
    truth = Truth.rounded(distance, float(np.sqrt(np.max(flow.variances))))
    return truth, {"N": N, "L_v": slope, "eps_v": float(np.hypot(offset, tilt)), "gam_v": acceleration}


def _line_step(world: Mixture, high: float, low: float) -> Truth:
    """Both maps increase, so that W2 is their L2 distance."""
    z = np.linspace(-_REACH, _REACH, POINTS)
    start, end = float(time_of(high)), float(time_of(low))
    x = world.from_normal(z, start)
    clean = world.denoiser(x[:, None], start)[:, 0]
    step = clean + low / high * (np.hypot(1.0, high) * x - clean)
    rounding = 1e-12 * float(np.max(np.abs(clean)) + high)
    return quadrature(step, np.hypot(1.0, low) * world.from_normal(z, end), z, rounding)


_OF_A_STUDENT = ("log_radius", "log_weight", "log_mean", "log_room", "log_span", "log_drift", "log_shift")
_OF_A_STEP = ("log_radius", "log_tau", "log_weight", "log_mean", "log_variance", "log_spread", "log_level", "log_step")
_OF_A_FLOW = ("log_variance", "log_spread", "log_offset", "log_tilt")
MULTISTEP = Experiment(
    "W2 of multistep sampling to the data law, a student with finitely many values",
    _multistep,
    constants=False,
    shares={"atoms": 1.0},
    draw=partial(_drawn, _OF_A_STUDENT),
    knobs=KNOBS,
)
EDM_STEP = Experiment(
    "W2 between a DDIM step in the noise level and the flow",
    _local_error,
    constants=False,
    shares={"gaussian": 0.6, "mixture": 0.2, "atoms": 0.2},
    draw=partial(_drawn, _OF_A_STEP),
    knobs=KNOBS,
)
FLOW_STEPS = Experiment(
    "W2 between Euler steps of a flow with an affine learned velocity and the data law",
    _flow_steps,
    constants=False,
    shares={"gaussian": 1.0},
    draw=partial(_drawn, _OF_A_FLOW),
    knobs=KNOBS,
)
