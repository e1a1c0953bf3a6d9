"""The pointwise bounds of the specification once more: formulas as written there, in mpmath, sharing nothing with the package.

The caller sets the precision (``mpmath.mp.dps``). Nothing is rearranged to avoid cancellation, so set it generously.
Times are OU times; ``L`` stands for ``L_s``; ``weights`` of a step are L_f(t_j) for the exponential integrator and
L_f(t_j) c_j for DDIM.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

from mpmath import acosh, atan, exp, log, mpf, sqrt

Mp = Any
Terms = dict[str, Mp]


def mp(x: Any) -> Mp:
    """An exact number (int, str, float, Fraction) at the current precision."""
    if isinstance(x, str):
        x = Fraction(x)
    return mpf(x.numerator) / mpf(x.denominator) if isinstance(x, Fraction) else mpf(x)


# --- section 1: the process, the clocks, the grids ------------------------------------------------------------------


def c(t: Mp) -> Mp:
    return exp(-t)


def s(t: Mp) -> Mp:
    return sqrt(1 - exp(-2 * t))


def lam(t: Mp) -> Mp:
    """The noise level sigma at time t."""
    return s(t) / c(t)


def time(sigma: Mp) -> Mp:
    return log(1 + sigma**2) / 2


def uniform(delta: Mp, T: Mp, N: int) -> list[Mp]:
    return [delta + j * (T - delta) / N for j in range(N + 1)]


def two_stage(delta: Mp, T: Mp, h: Mp) -> list[Mp]:
    """From T downwards step min(h, t/2); the last node is delta."""
    nodes = [T]
    while nodes[-1] - min(h, nodes[-1] / 2) > delta:
        nodes.append(nodes[-1] - min(h, nodes[-1] / 2))
    return [delta, *reversed(nodes)]


def geometric(delta: Mp, T: Mp, N: int) -> list[Mp]:
    r = (lam(T) / lam(delta)) ** (mpf(1) / N)
    return [delta, *(time(lam(delta) * r**j) for j in range(1, N)), T]


def edm(delta: Mp, T: Mp, N: int, rho: Mp) -> list[Mp]:
    """N steps, that is n = N + 1 points."""
    low, high = lam(delta) ** (1 / rho), lam(T) ** (1 / rho)
    return [delta, *(time((low + mpf(i) / N * (high - low)) ** rho) for i in range(1, N)), T]


# --- 3.1: kernels -----------------------------------------------------------------------------------------------------


def g(h: Mp) -> Mp:
    return (exp(h) - 1 - h) / h


def kh(h: Mp) -> Mp:
    return sqrt((exp(2 * h) - 4 * exp(h) + 3 + 2 * h) / (2 * h))


def rho(r: Mp) -> Mp:
    return sqrt((r - 1 / r - 2 * log(r)) / (r - 1))


# --- 3.2, 3.11: the constants of the profiles ---------------------------------------------------------------------


@dataclass(frozen=True)
class Data:
    """What is known of the data law. A number a profile does not need may be missing."""

    d: Mp = None
    m2: Mp = None
    sd2: Mp = None
    L: Mp = None
    t_star: Mp = 0
    R: Mp = None
    tau: Mp = 0
    d_eff: Mp = None

    @property
    def spread(self) -> Mp:
        """``second-moment`` uses sd2 in place of m2 where it is given."""
        return self.m2 if self.sd2 is None else self.sd2

    def in_subspace(self) -> Data:
        """The DDIM bounds (a), (b) hold with d_eff in place of d."""
        return self if self.d_eff is None else replace(self, d=self.d_eff)


def D(d: Mp) -> Mp:
    return d * (d + 2) * (d + 4)


def U_d(d: Mp) -> Mp:
    return 2 / (3 * sqrt(mpf(3))) * sqrt(D(d)) + (24 * d**3 * (d + 2) * (d + 4) ** 2) ** (mpf(1) / 6)


def K_d(d: Mp) -> Mp:
    fourth = mpf(1) / 4
    first = (mpf(27) / 125 * mpf(4) / 25 * D(d) * (d + 6) * (d + 8)) ** fourth
    return first + (D(d) ** (mpf(1) / 3) * (120 * d**3 + 2080 * d**2 + 3840 * d) ** (mpf(2) / 3)) ** fourth


def J(a: Mp, b: Mp) -> Mp:
    return 1 / s(a) - 1 / s(b)


def I3(a: Mp, b: Mp) -> Mp:
    return J(a, b) + (b - a) + log((1 + s(b)) / (1 + s(a)))


def w(t: Mp) -> Mp:
    return exp(2 * t) - 1


def beta(d: Mp) -> Mp:
    return mpf(4) / 81 * (d + 2) ** 2 + mpf(8) / 9 * d


# --- 3.2: integrals Phi of the pointwise profiles over [a, b] --------------------------------------------------------


def phi_universal(a: Mp, b: Mp, x: Data) -> Mp:
    """(a)."""
    return sqrt(x.d) * J(a, b) + U_d(x.d) * I3(a, b)


def phi_second_moment(a: Mp, b: Mp, x: Data) -> Mp:
    """(b)."""
    q, p = mpf(3) / 4, mpf(1) / 4
    bracket = mpf(2) / 3 * (w(a) ** -q - w(b) ** -q) + 2 * (w(a) ** -p - w(b) ** -p)
    return sqrt(x.d) * J(a, b) + K_d(x.d) * sqrt(x.spread) * bracket


def clip(x: Mp, low: Mp, high: Mp) -> Mp:
    return max(low, min(high, x))


def phi_lipschitz(a: Mp, b: Mp, x: Data) -> Mp:
    """(c)."""
    L, t_star = x.L, x.t_star
    w0 = 3 / (8 * L + 5)
    th = L * w0
    kap = 2 * (1 + w0) ** (mpf(3) / 2) / ((1 - th) * sqrt(1 + th) * (sqrt(1 - th) + sqrt(1 + th)))
    a_L = b if L == 1 else clip(-log(1 - 1 / L) / 2, a, b)
    P = sqrt(L) * (a_L - a) + acosh(exp(b)) - acosh(exp(a_L))
    b_L = clip(t_star + log(1 + w0) / 2, a, b)
    Q = (b - b_L) / sqrt(w0) + atan(sqrt(exp(2 * (b_L - t_star)) - 1)) - atan(sqrt(exp(2 * (a - t_star)) - 1))
    return sqrt(x.d) * ((1 + L) * P + sqrt(mpf(2)) * L * kap * Q)


def v(t: Mp, tau: Mp) -> Mp:
    return tau**2 * c(t) ** 2 + s(t) ** 2


def phi_smoothed(a: Mp, b: Mp, x: Data) -> Mp:
    """(e)."""
    va, vb, free = v(a, x.tau), v(b, x.tau), 1 - x.tau**2
    K = (1 / sqrt(va) - 1 / sqrt(vb)) + x.R**2 / (3 * free) * (va ** (-mpf(3) / 2) - vb ** (-mpf(3) / 2))
    return sqrt(x.d) * K + 9 * x.R**3 / 40 * (va**-2 - vb**-2) / free


def phi_bounded(a: Mp, b: Mp, x: Data) -> Mp:
    """(e) with tau = 0."""
    return phi_smoothed(a, b, replace(x, tau=mpf(0)))


POINTWISE: dict[str, Callable[[Mp, Mp, Data], Mp]] = {
    "universal": phi_universal,
    "second-moment": phi_second_moment,
    "lipschitz": phi_lipschitz,
    "smoothed": phi_smoothed,
    "bounded": phi_bounded,
}


# --- the exponential integrator: sums of local errors over a stretch ---------------------------------------------------


def ei_closed(rule: str, a: Mp, b: Mp, h: Mp, x: Data) -> Mp:
    """Steps at most h, every weight 1."""
    return g(h) * POINTWISE[rule](a, b, x)


def ei_grid(rule: str, nodes: Sequence[Mp], weights: Sequence[Mp], x: Data) -> Mp:
    """Step by step."""
    steps = list(pairwise(nodes))
    return sum(W * g(q - p) * POINTWISE[rule](p, q, x) for W, (p, q) in zip(weights, steps, strict=True))


# --- 3.10: DDIM -------------------------------------------------------------------------------------------------


def ddim_universal(l0: Mp, l1: Mp, x: Data) -> Mp:
    return U_d(x.d) * ((l1 - l0) - l0 * log(l1 / l0))


def ddim_second_moment(l0: Mp, l1: Mp, x: Data) -> Mp:
    return 2 * K_d(x.d) * sqrt(x.spread) * (sqrt(l1) - sqrt(l0)) ** 2 / sqrt(l1)


def ddim_bounded(l0: Mp, l1: Mp, x: Data) -> Mp:
    return (l1 - l0) / 2 * (sqrt(x.d) * x.R**2 / 2 * (l0**-2 - l1**-2) + 3 * x.R**3 / 10 * (l0**-3 - l1**-3))


def ddim_grid(rule: str, nodes: Sequence[Mp], weights: Sequence[Mp], x: Data) -> Mp:
    """Sum of W_j times the integral of (lam - lam_j) b over step j, with W_j = L_f(t_j) c_j given."""
    levels = [lam(t) for t in nodes]
    steps = list(zip(weights, pairwise(levels), strict=True))
    if rule == "bounded":
        return sum(W * ddim_bounded(p, q, x) for W, (p, q) in steps)
    step = {"universal": ddim_universal, "second-moment": ddim_second_moment}[rule]
    return sum(W * step(p, q, x.in_subspace()) for W, (p, q) in steps)


# --- 3.1, 3.10: map error ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Steps:
    """A grid with L_f(t_0), ..., L_f(t_N), and eps_sc(t_{j+1}), eps_cm of step j, all in the OU clock."""

    nodes: tuple[Mp, ...]
    L_f: tuple[Mp, ...]
    eps_sc: tuple[Mp, ...]
    eps_cm: tuple[Mp, ...]

    def upto(self, n: int) -> Steps:
        return Steps(self.nodes[: n + 1], self.L_f[: n + 1], self.eps_sc[:n], self.eps_cm[:n])

    def weights(self, teacher: str) -> list[Mp]:
        if teacher == "ddim":
            return [L * c(t) for L, t in zip(self.L_f[:-1], self.nodes[:-1], strict=True)]
        return list(self.L_f[:-1])


def steps(nodes: Sequence[Mp], L_f: Any, eps_sc: Any, eps_cm: Any, clock: str = "ou") -> Steps:
    """Constants or lists per step, in either clock, brought to the OU clock."""
    N, delta = len(nodes) - 1, nodes[0]
    Ls = [mpf(1), *L_f] if isinstance(L_f, (list, tuple)) else [L_f] * (N + 1)
    sc = list(eps_sc) if isinstance(eps_sc, (list, tuple)) else [eps_sc] * N
    cm = list(eps_cm) if isinstance(eps_cm, (list, tuple)) else [eps_cm] * N
    if clock == "ve":
        Ls = [exp(t - delta) * x for t, x in zip(nodes, Ls, strict=True)]
        sc = [sqrt(1 + lam(t) ** 2) * x for t, x in zip(nodes[1:], sc, strict=True)]
        cm = [exp(-delta) * x for x in cm]
    return Steps(tuple(nodes), tuple(Ls), tuple(sc), tuple(cm))


def ve_constants(t: Mp, delta: Mp, L_f: Mp, eps_sc: Mp, eps_cm: Mp) -> tuple[Mp, Mp, Mp]:
    """L_f, eps_sc, eps_cm of the OU clock on all of [delta, t], from constants of the VE clock (largest at t)."""
    return exp(t - delta) * L_f, sqrt(1 + lam(t) ** 2) * eps_sc, exp(-delta) * eps_cm


def ve_score_lipschitz(t: Mp, L: Mp) -> Mp:
    """L_s of the OU clock up to time t: s_OU(x) = (1 + sigma^2)^{1/2} s_VE((1 + sigma^2)^{1/2} x)."""
    return (1 + lam(t) ** 2) * L


def score_grid(x: Steps, teacher: str) -> Mp:
    rows = zip(x.weights(teacher), x.eps_sc, pairwise(x.nodes), strict=True)
    if teacher == "ddim":
        return sum(W * (lam(q) - lam(p)) * s(q) * e for W, e, (p, q) in rows)
    return sum(W * (exp(q - p) - 1) * e for W, e, (p, q) in rows)


def consistency_grid(x: Steps) -> Mp:
    """The sum of the consistency errors."""
    return sum(e * (q - p) for e, (p, q) in zip(x.eps_cm, pairwise(x.nodes), strict=True))


def map_error_closed(delta: Mp, t: Mp, h: Mp, L_f: Mp, eps_sc: Mp, eps_cm: Mp) -> Terms:
    """e at time t for the exponential integrator, steps at most h, but for the local errors of the teacher."""
    return {"consistency": eps_cm * (t - delta), "score": L_f * eps_sc * (exp(h) - 1) / h * (t - delta)}


# --- 3.4 - 3.6: one step, multistep, training ------------------------------------------------------------------------


def initialisation(L_f: Mp, T: Mp, d: Mp, m2: Mp, start: str = "standard") -> Mp:
    if start == "matched":
        return L_f * c(T) * m2
    return L_f * sqrt(c(T) ** 2 * m2**2 + (1 - s(T)) ** 2 * d)


def early_stopping(delta: Mp, d: Mp, m2: Mp) -> Mp:
    return sqrt((1 - c(delta)) ** 2 * m2**2 + s(delta) ** 2 * d)


def one_step(errors: Terms, L_f: Mp, delta: Mp, T: Mp, d: Mp, m2: Mp, start: str, target: str, clock: str) -> Terms:
    """The named terms from those of e_N (none but consistency for consistency training); L_f at time T, OU clock."""
    terms = {"initialisation": initialisation(L_f, T, d, m2, start), **errors}
    if clock == "ve":
        terms = {name: exp(delta) * value for name, value in terms.items()}
    if target == "p_data":
        terms["early stopping"] = lam(delta) * sqrt(d) if clock == "ve" else early_stopping(delta, d, m2)
    return terms


def training_error(eps_cm: Mp, delta: Mp, T: Mp) -> Terms:
    """e_N when the consistency error is measured along the exact trajectory."""
    return {"consistency": eps_cm * (T - delta)}


def multistep(first: Mp, errors: Sequence[Mp], L_f: Sequence[Mp], times: Sequence[Mp], delta: Mp) -> list[Mp]:
    """W2(q_1, p_delta), ..., W2(q_k, p_delta) from bounds on the first, and e and L_f at the later times."""
    found = [first]
    for e, L, t in zip(errors, L_f, times, strict=True):
        found.append(L * exp(-(t - delta)) * found[-1] + e)
    return found


# --- 3.3: Lipschitz constants ------------------------------------------------------------------------------------------


def score_lipschitz(delta: Mp, R: Mp, tau: Mp) -> Mp:
    vd = v(delta, tau)
    return max(1 / vd, c(delta) ** 2 * R**2 / vd**2 - 1 / vd)


def map_lipschitz(delta: Mp, t: Mp, R: Mp, tau: Mp) -> Mp:
    vd, vt = v(delta, tau), v(t, tau)
    return sqrt(vd / vt) * exp(R**2 / (2 * (1 - tau**2)) * (1 / vd - 1 / vt))
