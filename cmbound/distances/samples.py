"""Distances between samples in any dimension, with confidence intervals.

An interval is ``guaranteed`` where the laws lie in a set of a stated diameter: then its level holds for every such law and every
number of samples (bounded differences, or bets). Otherwise it is ``asymptotic``: right for many samples, and wrong for as long
as a rare event that matters has not been seen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq, linear_sum_assignment
from scipy.special import stdtrit

from cmbound.checks import checked_count, checked_float
from cmbound.distances.arguments import Array, finite_array
from cmbound.distances.scaling import differences, exponent, norm, scaled, shift, unscaled
from cmbound.errors import DomainError, InputError
from cmbound.frozen import Record
from cmbound.numbers import counted

MAX_TRANSPORT = 2000
"""Most points a side for :func:`w2_samples`: the network simplex takes seconds there and its cost matrix grows as n^2."""
AT_ONCE = 2**16
"""About how many pairs of projected rows are held in memory at once."""
BATCHES = 10
"""Independent batches behind the asymptotic intervals of :func:`w2_samples` and :func:`sliced_w2`."""
FEW = 50
"""Rows up to which equally many are assigned by SciPy's method: for so few the network simplex takes longer to set up."""
CUT = 0.01
"""Least ratio of the root of what a plan costs and the largest distance it was computed with."""
_DEEPEST = -1000  # scaling by 2^1000 leaves numbers of size 1 inside float64
BOLDEST = 0.75
"""Most of its wealth a bet may lose."""
_NOTHING = 2.0**-60  # a mean below is 0
GUARANTEED, ASYMPTOTIC = "guaranteed", "asymptotic"


@dataclass(frozen=True, eq=False)
class Estimate(Record):
    """A number computed from samples, with its confidence interval; what the interval covers is said by the function.

    Attributes:
        value: the estimate.
        lower, upper: ends of the interval.
        level: confidence level.
        n: number of samples behind it (the smaller one, if two sizes are).
        trust: ``guaranteed``: the level holds for every n and every law in a set of the diameter stated; or ``asymptotic``:
            it is approached as n grows.
    """

    value: float
    lower: float
    upper: float
    level: float
    n: int
    trust: str = ASYMPTOTIC


def w2_samples(x: npt.ArrayLike, y: npt.ArrayLike, *, level: float = 0.95, diameter: float | None = None) -> Estimate:
    """W2 between the laws of two samples, by optimal transport (in d > 1 dimensions by POT, extra ``pot``).

    ``value`` is the distance of the two point sets with equal weights: for d = 1 by sorting, else what the best plan found
    costs, never less than the distance and accurate also where a few points lie very far away. As an estimate it is
    biased upwards, by about n^(-1/d) in d > 4 dimensions. The interval **covers that bias**. With P_n, Q_n the empirical laws
    and P_n/2, P_n/2' those of the two halves of x, joint convexity of W2^2 and the triangle inequality give

        a^(1/2) - p^(1/2) - q^(1/2) <= W2 <= a^(1/2),  a = E W2^2(P_n, Q_n),  p = E W2^2(P_n/2, P_n/2'),  q likewise,

    and a, p, q are replaced by one-sided limits about the values found. The two sides share 1 - level, and the three limits of
    the lower side share its half (Bonferroni).

    With ``diameter`` the limits are those of bounded differences (McDiarmid 1989): moving one of n rows moves W2^2 by at most
    diameter^2/n. They are ``guaranteed``. Without it they are Student limits, with the spread of ten independent batches of n/10
    rows (five pairs of batches for p and q), and ``asymptotic``: fluctuations are taken as normal, with a variance that falls at
    least as fast as 1/n. The upper limit, which no bias helps, is corrected for skewness as in :func:`coupling_w2`:
    for that of the batches or that of what the rows of the plan cost, whichever is larger. Either interval is wide where the
    bias is, in many dimensions; its lower end may then be 0.

    Args:
        x, y: independent rows, independent of each other, shapes (n, d) and (m, d), 20 to 2000 of them.
        level: confidence level in (0, 1).
        diameter: of a set that holds both laws, > 0, in the units of x; None if there is none or it is not known.

    Raises:
        InputError: POT is missing and d > 1, shapes that do not fit, too few or too many rows.
        DomainError: a level outside (0, 1), a diameter that is not > 0 or smaller than that of the rows, or a distance beyond
            float64.

    Example:
        >>> import numpy as np
        >>> points = np.random.default_rng(0).uniform(size=(2, 500, 2))
        >>> w2_samples(points[0], points[1] / 2, diameter=2**0.5).trust
        'guaranteed'
    """
    a, b = _pair(x, y)
    if max(len(a), len(b)) > MAX_TRANSPORT:
        raise InputError(
            f"x and y have {len(a)} and {counted(len(b), 'row')}; at most {MAX_TRANSPORT} are allowed (use sliced_w2)"
        )
    return _interval(_transport, lambda xs, ys: list(map(_transport, xs, ys)), a, b, level, diameter)


def _transport(x: Array, y: Array, paid: Paid | None = None) -> float:
    """W2 between two point sets with equal weights, by the optimal plan."""
    i, j, mass = _plan(x, y)
    distances = norm(x[i] - y[j], axis=1)
    if paid is not None:
        _pay(paid, (i, j), mass * np.square(scaled(distances, exponent(distances))))
    return float(norm(distances * np.sqrt(mass))) / math.sqrt(math.lcm(len(x), len(y)))


def _pay(paid: Paid, rows: tuple[Index, Index], costs: Array) -> None:
    """Add what is moved between pairs of rows, which comes at these costs, to what each row pays."""
    for own, total in zip(rows, paid, strict=True):
        total += np.bincount(own.ravel(), weights=costs.ravel())


def _quantiles(n: int, m: int) -> Plan:
    """The optimal plan between n and m points on the line: ranks, ranks, and masses in units of 1/lcm(n, m)."""
    if n == m:
        return np.arange(n), np.arange(n), np.ones(n)
    units = math.lcm(n, m)
    ends = [np.arange(1, k + 1) * (units // k) for k in (n, m)]
    cuts = np.union1d(*ends)
    i, j = (np.searchsorted(own, cuts) for own in ends)
    return i, j, np.diff(cuts, prepend=0).astype(np.float64)


def _sorted_plan(x: Array, y: Array) -> Plan:
    """The optimal plan between two point sets on the line: rows of x, rows of y, masses, in units of 1/lcm(n, m)."""
    i, j, mass = _quantiles(len(x), len(y))
    return np.argsort(x, kind="stable")[i], np.argsort(y, kind="stable")[j], mass


def _plan(x: Array, y: Array) -> Plan:
    """The optimal plan between two point sets, as :func:`_sorted_plan` gives it.

    A solver knows costs up to a rounding error of the largest, which is nothing beside a small distance if some points lie far
    away. But no plan that moves anything farther than what all of a known plan costs can be better than that plan: costs are
    cut there, and solved for again, until the largest cost left and the result are of comparable size. The best plan found is
    returned.
    """
    if x.shape[1] == 1:
        return _sorted_plan(x[:, 0], y[:, 0])
    try:
        import ot
    except ImportError:
        raise InputError("w2_samples needs POT in more than one dimension: pip install 'cmbound[pot]'") from None
    from scipy.spatial.distance import cdist

    n, m = len(x), len(y)
    units = math.lcm(n, m)  # integer masses: those of equal sets are equal
    masses = np.full(n, units / n), np.full(m, units / m)
    least, most = math.inf, math.inf
    e = max(exponent(x - x[0], y - x[0]), _DEEPEST)  # the solver has absolute tolerances: costs are of size 1
    while True:
        # differences are squared, not |x|^2 + |y|^2 - 2 x.y: that loses what is smaller than 1e-8 of the spread
        costs = np.minimum(cdist(scaled(x, e), scaled(y, e), "sqeuclidean"), most)
        if n == m <= FEW:
            (i, j), mass = linear_sum_assignment(costs), np.ones(n)
        else:
            plan, log = ot.emd(*masses, costs, numItermax=10**7, log=True, center_dual=False)
            if log["warning"]:
                raise InputError(f"optimal transport between {n} and {counted(m, 'point')} failed: {log['warning']}")
            i, j = np.nonzero(plan)
            mass = plan[i, j]
        found = float(norm((x[i] - y[j]) * np.sqrt(mass)[:, None]))
        if found < least:
            least, best = found, (i, j, mass)
        if found == 0 or found > CUT * math.ldexp(math.sqrt(costs.max()), e):
            return best
        e = max(exponent(found), _DEEPEST)
        most = 2 * math.ldexp(found, -e) ** 2


def sliced_w2(
    x: npt.ArrayLike, y: npt.ArrayLike, projections: int, seed: int, *, level: float = 0.95, diameter: float | None = None
) -> Estimate:
    """Sliced W2 between the laws of two samples: the root mean square of W2 over projections on random directions.

    At most d^(-1/2) W2. ``value`` is that of all rows along ``projections`` random directions. The interval is that of
    :func:`w2_samples`, which covers the bias of finite samples, and the choice of directions is covered too: each batch has a
    tenth of the directions, fresh ones; with ``diameter`` each direction is one more number that moves the result little.

    Args:
        x, y: independent rows, independent of each other, shapes (n, d) and (m, d), at least 20 of them.
        projections: number of directions >= 1, rounded up to a multiple of ten.
        seed: integer >= 0, of the directions.
        level: confidence level in (0, 1).
        diameter: of a set that holds both laws, > 0, in the units of x; None if there is none or it is not known.

    Raises:
        InputError: shapes that do not fit, too few rows, or a seed or number of projections that is no integer.
        DomainError: a level, seed or number of projections outside its domain, a diameter that is not > 0 or smaller than that
            of the rows, or a distance beyond float64.
    """
    a, b = _pair(x, y)
    count, rng = checked_count("projections", projections), np.random.default_rng(checked_count("seed", seed, least=0))

    def moved(a: Array, b: Array, directions: int, paid: Paid | None = None) -> float:
        first, second, mass = _quantiles(len(a), len(b))
        roots = np.empty(directions)
        shares = np.sqrt(mass / math.lcm(len(a), len(b)))
        block = max(1, AT_ONCE // len(mass))
        for start in range(0, directions, block):
            z = rng.standard_normal((min(block, directions - start), a.shape[1]))
            z /= np.linalg.norm(z, axis=1, keepdims=True)
            u, v = z @ a.T, z @ b.T
            distances = np.sort(u, axis=1)[:, first] - np.sort(v, axis=1)[:, second]
            roots[start : start + block] = norm(distances * shares, axis=1)
            if paid is not None:
                i, j = np.argsort(u, kind="stable")[:, first], np.argsort(v, kind="stable")[:, second]
                _pay(paid, (i, j), mass * np.square(distances))  # 0 for what is below 1e-160 of the data
        return float(norm(roots)) / math.sqrt(directions)

    few = -(-count // BATCHES)

    def of_batches(xs: Sequence[Array], ys: Sequence[Array]) -> list[float]:
        if few * max(xs[0].size, ys[0].size) * len(xs) > AT_ONCE or len(xs[0]) != len(ys[0]):
            return [moved(x, y, few) for x, y in zip(xs, ys, strict=True)]
        z = rng.standard_normal((len(xs), few, a.shape[1]))  # what one batch after the other would draw
        z /= np.linalg.norm(z, axis=2, keepdims=True)
        u, v = (np.sort(z @ np.swapaxes(np.stack(points), 1, 2), axis=2) for points in (xs, ys))
        roots = norm(u - v, axis=2) / math.sqrt(u.shape[2])
        return [float(x) / math.sqrt(few) for x in norm(roots, axis=1)]

    return _interval(partial(moved, directions=few * BATCHES), of_batches, a, b, level, diameter, few * BATCHES)


Index = npt.NDArray[np.intp]
Plan = tuple[Index, Index, Array]
Paid = tuple[Array, Array]
"""What each row of two point sets pays for their distance, up to a common factor."""


class Metric(Protocol):
    """A distance of two point sets; what their rows pay is added to ``paid``."""

    def __call__(self, x: Array, y: Array, *, paid: Paid | None = None) -> float: ...


def _interval(
    metric: Metric, of_batches: Callable[[Sequence[Array], Sequence[Array]], list[float]], x: Array, y: Array, level: float,
    diameter: float | None, directions: float = math.inf,
) -> Estimate:  # fmt: skip
    """The estimate of :func:`w2_samples` for any metric whose square is jointly convex.

    ``of_batches`` is the same for pairs of batches, with a tenth of the directions for each if it is itself random.
    """
    _check_level(level)
    origin = shift(x, y)
    x, y = x - origin, y - origin
    e = _exponent(diameter, exponent(x, y))
    x, y = scaled(x, e), scaled(y, e)
    width = None if diameter is None else _width(diameter, e, _spread(np.concatenate((x, y))))
    tail = (1 - level) / 2

    def limits(root: float, rows: tuple[int, int], *batches: Sequence[Array]) -> Callable[..., float]:
        """Roots of one-sided limits, by tail, side and rule, for the expectation of the square that is root^2 for all rows."""
        if width is None:
            roots = np.array([root, *of_batches(*batches)])
            own = exponent(roots)  # beside the data they may be too small to be squared
            mean, *values = np.square(scaled(roots, own))
            return lambda tail, side, rule=_student: math.ldexp(math.sqrt(rule(mean, np.array(values), tail, side)), own)
        unit = width * width * math.sqrt(sum(1 / k for k in (*rows, directions)) / 2)
        return lambda tail, side, _=None: math.sqrt(max(0.0, root * root + side * unit * math.sqrt(-math.log(tail))))

    paid = np.zeros(len(x)), np.zeros(len(y))
    value = metric(x, y, paid=paid)
    skewness = max(_shape(x)[1] for x in paid)
    xs, ys = (np.split(z[: len(z) // BATCHES * BATCHES], BATCHES) for z in (x, y))
    across = limits(value, (len(x), len(y)), xs, ys)
    bias = 0.0
    for z, zs in ((x, xs), (y, ys)):
        first, second = z[::2], z[1::2]
        within = limits(metric(first, second), (len(first), len(second)), zs[::2], zs[1::2])
        bias += within(tail / 3, +1)
    lower = max(0.0, across(tail / 3, -1) - bias)
    unskewed = across(tail, +1, lambda mean, values, tail, _: _unskewed(mean, values, tail, skewness)[1])
    upper = max(value, unskewed)  # a value that is too small to be squared counts
    return _estimate(value, lower, upper, level, min(len(x), len(y)), e, width)


def _estimate(value: float, lower: float, upper: float, level: float, n: int, e: int, width: float | None) -> Estimate:
    """The estimate of what is 2^e times these numbers, none of which exceeds the diameter."""
    most = math.inf if width is None else width
    value, lower, upper = (unscaled(min(z, most), e) for z in (value, lower, upper))
    return Estimate(value, lower, upper, level, n, ASYMPTOTIC if width is None else GUARANTEED)


def _exponent(diameter: float | None, e: int) -> int:
    """The exponent of the numbers, raised where the square of the diameter would not fit float64 beside them."""
    if diameter is None:
        return e
    if not 0 < checked_float("diameter", diameter) < math.inf:
        raise DomainError(f"diameter is {diameter}; it must be > 0 and finite (None if it is not known)")
    return max(e, exponent(diameter) - 400)


def _width(diameter: float, e: int, seen: float) -> float:
    """2^-e times the diameter, no smaller than the distance seen (up to rounding)."""
    width = math.ldexp(diameter, -e)
    if seen > width * (1 + 1e-12):
        raise DomainError(f"diameter is {diameter:g}, but two rows are {unscaled(seen, e):g} apart")
    return width


def _spread(z: Array) -> float:
    """A distance of two rows, not far from the largest: of the farthest from the farthest from the first."""
    far = z[np.argmax(norm(z - z[0], axis=1))]
    return float(norm(z - far, axis=1).max())


def _student(mean: float, values: Array, tail: float, side: int) -> float:
    """One-sided limit for a mean >= 0, missed with probability ``tail``, the spread taken from independent values.

    ``side`` is +1 for an upper and -1 for a lower limit.
    """
    error = float(values.std(ddof=1)) / math.sqrt(len(values))
    return max(0.0, mean - side * float(stdtrit(len(values) - 1, tail)) * error)


def coupling_w2(x: npt.ArrayLike, y: npt.ArrayLike, *, level: float = 0.95, diameter: float | None = None) -> Estimate:
    """Root mean square distance of paired samples: an **upper bound** of W2 between their laws.

    The interval is for the root mean square of the coupling; its upper end is therefore a confidence bound of W2 from above, its
    lower end says nothing about W2.

    With ``diameter`` it is ``guaranteed``: the hedged betting interval of Waudby-Smith and Ramdas 2024, "Estimating means of
    bounded random variables by betting" (J. R. Stat. Soc. B 86), theorem 3, for the squared distances. Without it it is
    ``asymptotic``: Student limits corrected for the skewness of squares (Hall 1992, "On the removal of skewness by
    transformation", J. R. Stat. Soc. B 54), never inside the uncorrected ones. At the level 0.95 that covers as stated, up to 1.5
    percentage points, for normal, uniform and Rayleigh distances from 20 rows on. The upper end is missed more often where
    distances have heavier tails (exponential ones and 20 rows: by some 6%, not 2.5%). A distance that is large with a small
    probability is not known of before it is seen: distances that are all equal, two of them or many, give an interval of width
    0, and those that are all 0 an upper end of 0. With few rows only an interval with a ``diameter`` says something.

    Args:
        x: independent rows, shape (n, d), n >= 2 (20 or more without a diameter, to be of use).
        y: shape (n, d); row i belongs to row i of x.
        level: confidence level in (0, 1).
        diameter: of a set that holds both laws, > 0, in the units of x; None if there is none or it is not known.

    Raises:
        InputError: shapes that do not fit, or entries that are not finite.
        DomainError: a level outside (0, 1), a diameter that is not > 0 or smaller than a distance, or a distance beyond float64.

    Example:
        >>> import numpy as np
        >>> x = np.zeros((50, 1))
        >>> coupling_w2(x, x).upper, coupling_w2(x, x).trust
        (0.0, 'asymptotic')
        >>> round(coupling_w2(x, x, diameter=1.0).upper, 3), coupling_w2(x, x, diameter=1.0).trust
        (0.305, 'guaranteed')
    """
    _check_level(level)
    a, b = finite_array("x", x, 2), finite_array("y", y, 2)
    if a.shape != b.shape or len(a) < 2:
        raise InputError(f"x and y have shapes {a.shape} and {b.shape}; equal shapes with at least 2 rows are needed")
    apart, first = differences(a, b)
    e = _exponent(diameter, first)
    squares = np.square(scaled(norm(apart, axis=1), e - first))
    mean, tail = float(squares.mean()), (1 - level) / 2
    if diameter is None:
        lower, upper = _unskewed(mean, squares, tail)
        return _estimate(math.sqrt(mean), math.sqrt(lower), math.sqrt(upper), level, len(a), e, None)
    width = _width(diameter, e, math.sqrt(squares.max()))
    shares = np.minimum(squares / width**2, 1.0)
    lower, upper = _bets(shares, tail), 1 - _bets(1 - shares, tail)
    return _estimate(math.sqrt(mean), width * math.sqrt(lower), width * math.sqrt(upper), level, len(a), e, width)


RARE = 1e-5
"""Probability of a wrong answer of :func:`unseen` where the normal approximation is right."""


def unseen(squares: Array, known: float) -> bool:
    """Whether draws (n,) of Y >= 0 do not show (E Y)^(1/2), which is known: its upper limit by the same draws is below it.

    Then a few values that are rare and large are missing among them, and no normal approximation by such draws is to be believed.

    >>> unseen(np.array([0.9, 1.1] * 50), 1.0), unseen(np.array([0.9, 1.1] * 50), 2.0)
    (False, True)
    """
    distances = np.sqrt(squares)[:, None]
    return coupling_w2(distances, np.zeros_like(distances), level=1 - 2 * RARE).upper < known * (1 - 1e-9)


def _shape(values: Array) -> tuple[float, float]:
    """Standard deviation, and the skewness over n^(1/2), bias removed."""
    n, apart = len(values), values - values.mean()
    deviation = math.sqrt(float(apart @ apart) / (n - 1))
    if n < 3 or deviation == 0:
        return deviation, 0.0
    apart /= deviation
    third = float((apart * apart) @ apart) / n
    return deviation, third * math.sqrt(n) ** 3 / ((n - 1) * (n - 2))


def _unskewed(mean: float, values: Array, tail: float, least: float = -math.inf) -> tuple[float, float]:
    """Both limits of :func:`_student`, moved outwards for the skewness: that of the values, or ``least`` if larger."""
    n = len(values)
    deviation, skewness = _shape(values)
    if deviation == 0:
        return mean, mean
    t = -float(stdtrit(n - 1, tail))
    c = max(least, skewness)

    def solved(level: float) -> float:
        """The z of z + c z^2/3 + c^2 z^3/27 + c/6 = level."""
        z = level - c / 6
        return 3 * (math.cbrt(1 + c * z) - 1) / c if abs(c) > 1e-5 else z - c * z * z / 3

    error = deviation / math.sqrt(n)
    return max(0.0, mean - error * max(t, solved(t))), mean + error * max(t, -solved(-t))


def _bets(shares: Array, tail: float) -> float:
    """A lower limit for the mean of independent numbers in [0, 1], above it with probability ``tail`` at most.

    Wealth prod(1 + bet_i (share_i - m)) is a nonnegative martingale if m is the mean and bet_i <= 1/m depends on earlier shares
    alone, and exceeds 1/tail at any time with probability ``tail`` at most (Ville). It falls in m.
    """
    y = shares[np.random.default_rng(0).permutation(len(shares))]  # rows may have been sorted
    count = np.arange(1, len(y) + 1)
    mean = (0.5 + np.cumsum(y)) / (count + 1)
    variance = (0.25 + np.cumsum(np.square(y - mean))) / (count + 1)
    goal = -math.log(tail)
    bets = np.sqrt(2 * goal / (len(y) * np.concatenate(([0.25], variance[:-1]))))

    def above(m: float) -> float:
        """Logarithm of the largest wealth, over its goal."""
        return float(np.cumsum(np.log1p(np.minimum(bets, BOLDEST / m) * (y - m))).max()) - goal

    return float(brentq(above, _NOTHING, 1.0, xtol=_NOTHING, rtol=1e-15)) if above(_NOTHING) >= 0 else 0.0


def _pair(x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[Array, Array]:
    a, b = finite_array("x", x, 2), finite_array("y", y, 2)
    if a.shape[1] != b.shape[1]:
        raise InputError(f"x has {counted(a.shape[1], 'column')} and y {b.shape[1]}; equal numbers are needed")
    if min(len(a), len(b)) < 2 * BATCHES:
        raise InputError(f"x and y have {len(a)} and {counted(len(b), 'row')}; at least {2 * BATCHES} are needed")
    return a, b


def _check_level(level: float) -> None:
    if not 0 < checked_float("level", level) < 1:
        raise DomainError(f"level is {level}; it must lie in (0, 1)")
