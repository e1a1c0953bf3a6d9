"""Two-sided enclosure of W2 between what a model generates and the reference law: no ODE, no teacher (theory 5.3)."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment
from scipy.special import stdtrit

from cmbound.certification.bounds import root
from cmbound.certification.laws import COPIED, DataLaw, Law, from_centre, squares
from cmbound.distances import coupling_w2, unseen, w2_samples_1d
from cmbound.distances.samples import ASYMPTOTIC, GUARANTEED
from cmbound.distances.scaling import norm
from cmbound.errors import DomainError, InputError
from cmbound.frozen import Record
from cmbound.numbers import counted
from cmbound.worlds.base import Array

Draw = Callable[[int, int], Array]
"""Samples of the model: how many, and the number of the stream they are drawn from."""

BATCH, MOST_BATCH = 1000, 2000
"""Points of a batch of exact transport, whose time grows with their cube; a data set of at most 2000 points is taken whole."""
LEAST_BATCH = 10  # points of a batch that say anything of a law
LINE_BATCH = 20_000  # on the line sorting is optimal, and large batches cost nothing
BATCHES, LEAST_BATCHES = 6, 3  # three batches are the fewest whose spread means anything
ASCENT_STEPS, ASCENT_BATCH = 300, 256  # averaged stochastic ascent: beyond this the lower side gains little beside its spread
ASCENT_WORK, LEAST_STEPS = 5e11, 10  # products of the ascent: some tens of seconds on one core, for large data sets too
ASCENT_RATE = 0.05
"""First step of the ascent, relative to the spread of the potentials and for each expected hit of a point."""
MORE, FRESH_WORK = (
    10,
    4e10,
)  # samples of the lower side for each path, which costs some hundred; products of them: some 10 seconds
ROOM = 2.0
"""Limit of the values of the lower side over the largest one that was seen before: hardly any is beyond it."""
PATHS_AT_ONCE = 16  # rows of the table of distances: they fit a cache
ROUNDS = 60  # of the shortest paths behind dual potentials: any potentials give a bound, and more rounds hardly a better one
RESAMPLED = 10  # the stream of resampled points; those of the telescope and of the model have other numbers
BLOCK = 1 << 17  # numbers in a table of distances, a megabyte that stays in the cache
TRAINING, FRESH, VALIDATION = 1000, 2000, 3000  # streams: batches have the numbers 0, 1, ...


MOST_TABLE, MOST_LINE, COPIES = 40_000_000, 10**7, 4
"""Distances in one table of a batch and the points, samples of a batch on the line, and tables that exact transport holds."""


def checked_size(law: Law, batch: int | None, population: bool) -> None:
    """Refuse a size of batches for which there is no memory, before anything is computed.

    Raises:
        DomainError: such a size.
    """
    if batch is None:
        return
    if population:
        rows = columns = _split_size(law, batch)[1]
    elif law.d == 1:
        rows, columns = batch, 0
    elif isinstance(law, DataLaw) and len(law.weights) <= MOST_BATCH:
        rows, columns = batch, len(law.weights)
    else:
        if batch > MOST_BATCH:
            raise DomainError(f"distance_batch is {batch}; at most {MOST_BATCH} are allowed where points are resampled")
        return
    most = MOST_TABLE // columns if columns and not population else math.isqrt(MOST_TABLE) if columns else MOST_LINE
    if rows > most:
        size = (
            f": {COPIES} tables of {rows} x {columns} distances take {8e-9 * COPIES * rows * columns:.3g} GB" if columns else ""
        )
        raise DomainError(f"distance_batch is {batch}{size}; at most {most} are allowed")


@dataclass(frozen=True, eq=False)
class Enclosure(Record):
    """W2(q, p), q the law of the model's samples and p the reference law.

    Attributes:
        lower, upper: ends at the stated trust; each is missed with half of ``missed``.
        trust: ``guaranteed`` where outputs and data lie in a stated box, else ``asymptotic``.
        asymptotic: ends by normal approximations, mostly narrower (bets may be narrower for values that are rarely large).
        estimates: what the two sides are estimates of: a lower and an upper bound of W2 that samples of any number approach.
        samples: model samples behind the lower side.
        batches, batch: number and size of the batches of exact transport behind the upper side.
        missed: probability that the interval does not hold W2.
        method: how the sides were found.
        gain: what four times as many samples, and batches four times as many, would give.
    """

    lower: float
    upper: float
    trust: str
    asymptotic: tuple[float, float]
    estimates: tuple[float, float]
    samples: int
    batches: int
    batch: int
    missed: float
    method: str
    gain: tuple[float, float]


@dataclass(frozen=True)
class Effort:
    """How much is spent: samples of the lower side, batches of the upper one or seconds for them, and the size of a batch.

    ``population``: the points are only a sample of the law, and each is used in one batch. ``seed``: of resampled points.
    """

    samples: int
    batches: int = BATCHES
    seconds: float | None = None
    batch: int | None = None
    population: bool = False
    seed: int = 0


def enclosure(
    draw: Draw, law: Law, missed: float, most: float | None, effort: Effort,
    tell: Callable[[float], object] = lambda x: None, rare: bool = False,
) -> Enclosure:  # fmt: skip
    """Both sides; ``most`` is the largest squared distance of an output and a point of the law (None: there is none).

    ``tell`` is called with the share of the batches that are done. ``rare``: as many draws of the law as ``effort`` has samples
    do not show its variance. Then, and where resampled points do not, no normal approximation is used that rests on such points:
    the lower end is one for every law (0 if there is none), and the upper end is :func:`unmatched`.
    """
    tail = missed / 2
    if effort.population:
        return _population(draw, law, missed, most, effort)
    costs, potentials, spread, size, method = _batches(draw, law, effort, tell)
    drawn = "resampled" in method
    void = drawn and unseen(
        np.concatenate([from_centre(_resampled(law, size, b, effort.seed), law.mean) for b in range(len(costs))]), law.sd2
    )
    high = _upper(costs, spread, size, tail, most, isinstance(law, DataLaw) and not drawn)
    if void:
        high = high[0], max(high[0], unmatched(draw, law, tail, effort.samples)), high[2]
        method = f"{method}, which do not show the variance of the law (the asymptotic upper end rests on sd2 in their place)"
    if isinstance(law, DataLaw):
        cheap = int(FRESH_WORK // law.points.size)
        samples = int(np.clip(MORE * effort.samples, effort.samples, max(effort.samples, cheap)))
        low = _lower_data(draw, law, potentials, tail, most, samples, rare or void)
    else:
        samples = effort.samples
        low = _lower_quadratic(draw, law, tail, samples)
        low = (low[0], 0.0, None) if rare or void else low
    (low_estimate, low_normal, low_firm), (high_estimate, high_normal, high_firm) = low, high
    firm = low_firm is not None and high_firm is not None
    lower, upper = (low_firm, high_firm) if low_firm is not None and high_firm is not None else (low_normal, high_normal)
    gain = low_estimate - (low_estimate - lower) / 2, upper if void else high_estimate + (upper - high_estimate) / 2
    return Enclosure(
        lower, upper, GUARANTEED if firm else ASYMPTOTIC, (low_normal, high_normal), (low_estimate, high_estimate),
        samples, len(costs), size, missed, method, gain,
    )  # fmt: skip


def unmatched(draw: Draw, law: Law, tail: float, samples: int) -> float:
    """An upper end of W2 that rests on no draws of the law: W2^2 <= E norm(y - E x_0)^2 + sd2^2, y and x_0 being independent."""
    return math.hypot(root(from_centre(draw(samples, FRESH), law.mean), tail, None).upper, law.sd2)


def _population(draw: Draw, law: Law, missed: float, most: float | None, effort: Effort) -> Enclosure:
    """Of a law known by samples only: W2(q, p)^2 <= E W2(q_m, p_m)^2 with disjoint batches of the points; 0 from below."""
    if not isinstance(law, DataLaw) or not law.equal:
        raise InputError("population needs data points of equal weight: a law that is known is no sample")
    batches, size = _split_size(law, effort.batch)
    if size < LEAST_BATCH:
        raise DomainError(f"population needs at least {LEAST_BATCHES * LEAST_BATCH} points, got {len(law.points)}")
    order = np.random.default_rng(0).permutation(len(law.points))  # the order they are kept in is no random one
    parts = [law.points[order[k * size : (k + 1) * size]] for k in range(batches)]
    costs = [transport(draw(size, k), part)[0] for k, part in enumerate(parts)]
    estimate, normal, firm = _upper(costs, None, size, missed, most, False)
    end = normal if firm is None else firm
    trust = ASYMPTOTIC if firm is None else GUARANTEED
    gain = 0.0, estimate + (end - estimate) / 2
    method = "two samples: the data are only a sample of their law, and nothing is said from below"
    return Enclosure(0.0, end, trust, (0.0, normal), (0.0, estimate), batches * size, batches, size, missed, method, gain)


def _split_size(law: Law, batch: int | None) -> tuple[int, int]:
    """How many disjoint batches the points make, and their size."""
    count = len(law.points) if isinstance(law, DataLaw) else 0
    batches = max(LEAST_BATCHES, -(-count // (batch or BATCH)))
    return batches, count // batches


# --- the upper side: batches of exact discrete transport --------------------------------------------------------------


def _batches(
    draw: Draw, law: Law, effort: Effort, tell: Callable[[float], object]
) -> tuple[list[float], list[Array], float | None, int, str]:
    """Squared distances of batches, dual potentials on the points of a data set, how far those of samples spread, the size, how.

    To first order the cost of a batch is the mean of the potentials of its samples (del Barrio and Loubes 2019).
    """
    one, size, method = _matcher(law, effort.batch, effort.seed)
    costs: list[float] = []
    potentials: list[Array] = []
    variances: list[float] = []
    began = time.monotonic()
    while True:
        y = draw(size, len(costs))
        cost, potential = one(y, len(costs))
        costs.append(cost)
        if potential is not None and isinstance(law, DataLaw):
            potentials.append(potential)
            variances.append(float(nearest(y, law.points, potential)[0].var(ddof=1)))
        spent = (time.monotonic() - began) * (1 + 1 / len(costs))  # with one more
        share = len(costs) / effort.batches if effort.seconds is None else spent / effort.seconds
        tell(min(share, len(costs) / LEAST_BATCHES, 1.0))
        enough = share >= 1 if effort.seconds is None else share > 1
        if len(costs) >= LEAST_BATCHES and enough:
            return costs, potentials, math.sqrt(np.mean(variances)) if variances else None, size, method


def batch_costs(draw: Draw, law: Law, batches: int, batch: int | None = None, seed: int = 0) -> list[float]:
    """Squared distances of batches of samples to the law, as the upper side takes them."""
    one, size, _ = _matcher(law, batch, seed)
    return [one(draw(size, k), k)[0] for k in range(batches)]


Matcher = Callable[[Array, int], tuple[float, Array | None]]


def _matcher(law: Law, batch: int | None, seed: int) -> tuple[Matcher, int, str]:
    """What computes the squared distance of one batch, the size of a batch, and in words."""
    if law.d == 1:
        return _quantiles(law, batch or LINE_BATCH, seed)
    if isinstance(law, DataLaw) and len(law.weights) <= MOST_BATCH:
        points, weights = law.points, law.weights
        if law.equal and batch is None:
            copies = max(1, round(BATCH / len(points)))
            return (lambda y, b: transport(y, points, copies)), copies * len(points), "transport to all points"
        if batch is not None or find_spec("ot") is not None:
            return (lambda y, b: weighted_transport(y, points, weights)), batch or BATCH, "transport to all points"
    size = min(batch or BATCH, MOST_BATCH)
    return (lambda y, b: (transport(y, _resampled(law, size, b, seed))[0], None)), size, "transport to resampled points"


def _quantiles(law: Law, size: int, seed: int) -> tuple[Matcher, int, str]:
    """On the line."""
    if not isinstance(law, DataLaw):
        return (
            (lambda y, b: (w2_samples_1d(y[:, 0], _resampled(law, size, b, seed)[:, 0]) ** 2, None)),
            size,
            "quantiles of resampled points",
        )
    line, weights = law.points[:, 0], law.weights
    return (
        (lambda y, b: (w2_samples_1d(y[:, 0], line, None, weights) ** 2, line_potentials(y[:, 0], line, weights))),
        size,
        "quantiles",
    )


def line_potentials(y: Array, points: Array, weights: Array) -> Array:
    """Optimal potentials of weighted points on the line for a sample y: cells of neighbours meet at a quantile of y."""
    order = np.argsort(points, kind="stable")
    x, shares = points[order], np.cumsum(weights[order])[:-1]
    meet = np.quantile(y, np.minimum(shares, 1.0), method="hazen")
    psi = np.zeros(len(points))
    psi[order] = np.concatenate(([0.0], np.cumsum((meet - x[1:]) ** 2 - (meet - x[:-1]) ** 2)))
    return np.asarray(psi - psi.mean())


def weighted_transport(y: Array, points: Array, weights: Array) -> tuple[float, Array]:
    """Squared W2 of a sample and of weighted points, and dual potentials of the points, by POT (extra ``pot``)."""
    try:
        import ot
    except ImportError:
        raise InputError("batches of a size of their own need POT: pip install 'cmbound[pot]'") from None
    plan, log = ot.emd(np.full(len(y), 1 / len(y)), weights, squared_distances(y, points), numItermax=10**7, log=True)
    if log["warning"]:
        raise InputError(f"optimal transport between {len(y)} and {counted(len(points), 'point')} failed: {log['warning']}")
    i, j = np.nonzero(plan)
    moved = y[i] - points[j]
    duals = np.asarray(log["v"])
    return float(np.einsum("ij,ij,i->", moved, moved, plan[i, j])), duals - duals.mean()


def _resampled(law: Law, size: int, batch: int, seed: int) -> Array:
    return law.draw(size, np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(RESAMPLED, batch))))


def transport(x: Array, y: Array, copies: int = 1) -> tuple[float, Array]:
    """Squared W2 of two sets of equally many points, each of y in some copies, and optimal dual potentials of y with mean 0.

    The assignment is that of SciPy. With c(i, j) the squared distances and row i assigned to s(i), potentials v satisfy
    v_j <= v_{s(i)} + c(i, j) - c(i, s(i)): shortest paths, by rounds of Bellman and Ford.
    """
    if len(x) != copies * len(y):
        raise InputError(f"transport between {len(x)} and {counted(copies * len(y), 'point')}: equally many are needed")
    rows, columns = np.arange(len(x)), _assigned(x, y, copies)
    matched = x - y[columns]
    value = float(np.einsum("ij,ij->", matched, matched)) / len(x)
    costs = squared_distances(x, y)
    costs -= costs[rows, columns][:, None]
    v, fallen = np.zeros(len(y)), rows
    for _ in range(ROUNDS):
        new = v.copy()
        for i in range(0, len(fallen), PATHS_AT_ONCE):  # the other rows say what they have said before
            part = fallen[i : i + PATHS_AT_ONCE]
            np.minimum(new, (costs[part] + v[columns[part]][:, None]).min(axis=0), out=new)
        if (v - new).max() <= 1e-9 * max(value, 1e-300):  # far below what a potential is worth
            break
        fallen, v = np.flatnonzero((new < v)[columns]), new
    return value, v - v.mean()


def _assigned(x: Array, y: Array, copies: int) -> npt.NDArray[np.intp]:
    """The row of y that each row of x is assigned to: the sum of their inner products is largest.

    That is the same for both sets moved and stretched to the same place and size, and for any numbers subtracted from the
    columns: then most rows have a place of their own at once.
    """
    costs = squared_distances(_standard(x), _standard(y))
    costs -= costs.min(axis=0)
    return np.asarray(linear_sum_assignment(np.tile(costs, copies))[1] % len(y))


def _standard(x: Array) -> Array:
    """Points moved to the median 0 and stretched to the median size 1, on which few points far away have no influence."""
    away = x - np.median(x, axis=0)
    sizes = norm(away, axis=1)
    return np.asarray(away / max(float(np.median(sizes)) or float(sizes.mean()), 1e-300))


def squared_distances(x: Array, y: Array) -> Array:
    """Table of squared distances."""
    centre = y.mean(axis=0)
    a, b = x - centre, y - centre
    table = np.einsum("ij,ij->i", a, a)[:, None] + np.einsum("ij,ij->i", b, b) - 2 * (a @ b.T)
    return np.asarray(np.maximum(table, 0.0))


def _upper(
    costs: list[float], spread: float | None, size: int, tail: float, most: float | None, one_sample: bool
) -> tuple[float, float, float | None]:
    """Root of the mean cost, and of its upper limits: a normal one, and that of bounded differences (McDiarmid 1989).

    Bets on the costs would pay the largest value over the number of batches, not of samples; many small batches take little
    time, but their mean is larger, by more than bets then gain. The normal limit has the spread of the potentials of samples,
    and never less than that of the batches; where there are no
    potentials it is Student's for the few batches.
    """
    values = np.array(costs)
    mean, error = float(values.mean()), float(values.std(ddof=1)) / math.sqrt(len(values))
    freedom = len(values) - 1
    if spread is not None:
        freedom, error = len(values) * size - 1, max(error, spread / math.sqrt(len(values) * size))
    normal = mean - float(stdtrit(freedom, tail)) * error
    firm = None
    if most is not None:
        # moving one of the samples moves the mean cost by at most most/(number of samples); resampled points count too
        drawn = len(values) * size
        firm = math.sqrt(min(most, mean + most * math.sqrt((1 if one_sample else 2) * math.log(1 / tail) / (2 * drawn))))
    return math.sqrt(mean), math.sqrt(normal), firm


# --- the lower side: weak duality on fresh samples --------------------------------------------------------------------


class _Nearest:
    """The nearest of some points when each is nearer by a number of its own; what the points alone decide is computed once."""

    def __init__(self, points: Array) -> None:
        self.points, self.centre = points, points.mean(axis=0)
        self.few = [self._piece(0)] if len(points) <= COPIED else None  # a copy of all points may be as large as the memory

    def _piece(self, first: int) -> tuple[int, Array, Array]:
        near = self.points[first : first + COPIED] - self.centre
        return first, -2 * near.T, squares(near)

    def search(self, away: Array, psi: Array) -> tuple[Array, npt.NDArray[np.int64]]:
        """min_i (norm(y - x_i)^2 - norm(y)^2 - psi_i) for each row of y, given from the centre, and where it is attained."""
        value, index = np.empty(len(away)), np.empty(len(away), dtype=np.int64)
        rows = max(1, BLOCK // min(COPIED, len(psi)))
        for first, factors, sizes in self.few or map(self._piece, range(0, len(psi), COPIED)):
            offset = sizes - psi[first : first + COPIED]
            for i in range(0, len(away), rows):
                table = away[i : i + rows] @ factors
                table += offset
                best = table.argmin(axis=1)
                least = table[np.arange(len(best)), best]
                better = least < value[i : i + rows] if first else slice(None)
                value[i : i + rows][better] = least[better]
                index[i : i + rows][better] = best[better] + first
        return value, index


def nearest(y: Array, points: Array, psi: Array) -> tuple[Array, npt.NDArray[np.int64]]:
    """min_i (norm(y - x_i)^2 - psi_i) for each row of y, and where it is attained."""
    known = _Nearest(points)
    away = y - known.centre
    value, index = known.search(away, psi)
    return value + squares(away), index


def _lower_data(
    draw: Draw, law: DataLaw, potentials: list[Array], tail: float, most: float | None, samples: int, rare: bool
) -> tuple[float, float, float | None]:
    points, weights = law.points, law.weights
    start = np.mean(potentials, axis=0) if potentials else np.zeros(len(points))
    check = draw(min(samples, 4 * ASCENT_BATCH), VALIDATION)
    tried = [start, _ascent(draw, points, weights, start)]
    psi = max(tried, key=lambda x: float(nearest(check, points, x)[0].mean() + weights @ x))
    psi = psi - psi.max()  # then 0 <= the minimum <= most
    # smaller values give a smaller bound, which holds a fortiori: the limit, set on other samples, is the range of the bets
    limit = ROOM * float(nearest(check, points, psi)[0].max())
    clipped = most is not None
    if limit > 0 and (clipped or rare):
        most = limit if most is None else min(most, limit)
    values, _ = nearest(draw(samples, FRESH), points, psi)
    values = np.maximum(values, 0.0)
    values = values if most is None else np.minimum(values, most)
    estimate, normal, firm = _mean_limits(values, float(weights @ psi), tail, most)
    return estimate, (firm or 0.0) if rare else normal, firm if clipped else None


def _mean_limits(values: Array, added: float, tail: float, most: float | None) -> tuple[float, float, float | None]:
    """Roots of the mean of values >= 0 plus a number, and of its lower limits."""
    distances = np.sqrt(values)[:, None]
    nothing = np.zeros_like(distances)
    found = coupling_w2(distances, nothing, level=1 - 2 * tail)
    firm = None
    if most is not None:
        firm = coupling_w2(distances, nothing, level=1 - 2 * tail, diameter=math.sqrt(most)).lower
    sides = (found.value, found.lower, firm)
    estimate, normal, bets = (None if x is None else math.sqrt(max(0.0, x * x + added)) for x in sides)
    assert estimate is not None
    assert normal is not None
    return estimate, normal, bets


def _ascent(draw: Draw, points: Array, weights: Array, start: Array) -> Array:
    """Averaged stochastic ascent of the semi-dual (Genevay, Cuturi, Peyre and Bach 2016) from some potentials."""
    known, psi, average = _Nearest(points), start.copy(), np.zeros_like(start)
    steps = int(np.clip(ASCENT_WORK / (ASCENT_BATCH * points.size), LEAST_STEPS, ASCENT_STEPS))
    first, _ = nearest(draw(ASCENT_BATCH, TRAINING), points, psi)
    spread = max(float(psi.std()), 0.1 * float(first.std()), 1e-300)
    rate = ASCENT_RATE * spread * len(points) * min(1.0, ASCENT_BATCH / len(points))
    for k in range(steps):
        _, hit = known.search(draw(ASCENT_BATCH, TRAINING + k) - known.centre, psi)
        psi = psi + rate / math.sqrt(k + 1) * (weights - np.bincount(hit, minlength=len(points)) / ASCENT_BATCH)
        average += psi
    return average / steps


def _lower_quadratic(draw: Draw, law: Law, tail: float, samples: int) -> tuple[float, float, float | None]:
    """Weak duality with a quadratic potential, for a law known by its first two moments; attained between Gaussian laws.

    With f(x) = u.A u/2 + m_q.x, u = x - m_p and A > 0: W2^2 >= E_p norm^2 + E_q norm^2 - 2 E_p f - 2 E_q f*,
    f*(y) = m_p.(y - m_q) + (y - m_q).A^{-1}(y - m_q)/2. A is the linear optimal map from the covariance of p to that of q.
    """
    train, fresh = draw(samples, TRAINING), draw(samples, FRESH)
    mean_p, covariance = law.mean, covariance_of(law)
    mean_q = train.mean(axis=0)
    floor = 1e-9 * (law.sd2**2 + float(train.var(axis=0).sum())) / law.d  # keeps the map invertible
    ridge = floor * np.eye(law.d)
    a = _optimal_map(covariance + ridge, np.atleast_2d(np.cov(train, rowvar=False)) + ridge)
    centred = fresh - mean_q
    inverse = np.einsum("ij,ij->i", centred, np.linalg.solve(a, centred.T).T)
    conjugate = centred @ mean_p + inverse / 2
    constant = law.m2**2 - float(np.trace(a @ covariance)) - 2 * float(mean_q @ mean_p)
    values = np.einsum("ij,ij->i", fresh, fresh) - 2 * conjugate + constant
    mean, error = float(values.mean()), float(values.std(ddof=1)) / math.sqrt(len(values))
    normal = mean + float(stdtrit(len(values) - 1, tail)) * error
    return math.sqrt(max(0.0, mean)), math.sqrt(max(0.0, normal)), None


def covariance_of(law: Law) -> Array:
    """Cov x_0 of a law with a world behind it."""
    world = getattr(law, "world", None)
    if world is None:
        raise InputError("this law has no covariance in closed form")
    return np.asarray(world.covariance)


def _root(matrix: Array) -> tuple[Array, Array]:
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    sizes = np.sqrt(np.maximum(values, values.max() * 1e-15))
    return (vectors * sizes) @ vectors.T, (vectors / sizes) @ vectors.T


def _optimal_map(source: Array, target: Array) -> Array:
    half, inverse = _root(source)
    return np.asarray(inverse @ _root(half @ target @ half)[0] @ inverse)
