"""The sharper bounds of the specification once more: formulas as written there, in mpmath, sharing nothing with the package.

Energy identities (3.12), the rules that rest on them (3.13), the Heun teacher (3.14) and the sharper distance of p_t to
p_data (3.7). As in :mod:`tests.oracle` the caller sets the precision and nothing is rearranged. Times are OU times,
levels are VE noise levels, ``W`` of a step are L_f(t_j) for the exponential integrator (EI) and L_f(t_j) c_j for DDIM and
Heun. Norms are in L2 and ``al``, ``om``, ``mmse``, ``kh`` are the specification's signs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import pairwise
from typing import Any

import mpmath
from mpmath import exp, log, mpf, sqrt

from tests import oracle
from tests.oracle import I3, beta, c, clip, g, kh, lam, rho, s, v

Mp = Any
Interval = Callable[[Mp, Mp], Mp]


# --- what is known of the data law --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Law:
    """What is known of p_data = law of U + tau z. A number no rule asks for may be missing.

    ``eigs`` are the eigenvalues of Cov(x_0), ``pi`` the weights of atoms (any positive scale), ``covers`` pairs
    (r, N_cov(r)), ``L`` a two-sided Lipschitz constant of the score and ``L_os`` a one-sided one, both from ``t_star`` on.
    """

    d: Mp = None
    m2: Mp = None
    sd2: Mp = None
    eigs: tuple[Mp, ...] = ()
    covers: tuple[tuple[Mp, Mp], ...] = ()
    R: Mp = None
    diameter: Mp = None
    tau: Mp = 0
    L: Mp = None
    L_os: Mp = None
    t_star: Mp = 0
    n_atoms: int = 0
    pi: tuple[Mp, ...] = ()

    @property
    def spread(self) -> Mp:
        """An upper bound on (tr Cov x_0)^{1/2}: the smallest of what is given."""
        known = [x for x in (self.sd2, self.m2, self.R if self.tau == 0 else None) if x is not None]
        return min([*known, sqrt(sum(self.eigs))] if self.eigs else known)

    @property
    def half_width(self) -> Mp:
        """R where only norm(Cov(x_0|x_t)) <= R^2 is used: half the diameter will do."""
        return min(x for x in (self.R, None if self.diameter is None else self.diameter / 2) if x is not None)

    @property
    def weights(self) -> list[Mp]:
        """Probabilities of the atoms; none for another law."""
        return [p / sum(self.pi) for p in self.pi] if self.pi else [mpf(1) / self.n_atoms] * self.n_atoms

    @property
    def entropy(self) -> Mp:
        """Ent = sum pi_i log(1/pi_i)."""
        return sum((p * log(1 / p) for p in self.weights), mpf(0))

    @property
    def replica(self) -> Mp:
        """l = log((nu+1)/2), nu = (sum pi_i^{1/2})^2."""
        return log((sum(sqrt(p) for p in self.weights) ** 2 + 1) / 2)

    @property
    def core(self) -> Law:
        """What is known of U."""
        if self.tau == 0:
            return self
        eigs = tuple(x - self.tau**2 for x in self.eigs)
        known = [x for x in (self.sd2, self.m2) if x is not None]
        sd = min([*(sqrt(x**2 - self.tau**2 * self.d) for x in known), *([self.R] if self.R is not None else [])])
        return replace(self, m2=None, sd2=sd, eigs=eigs, tau=0)


# --- 3.12: the information and the error of estimation -------------------------------------------------------------------


def information(level: Mp, law: Law) -> Mp:
    """(I3): the smallest known bound on the mutual information of x_0 and x_0 + level z."""
    found = []
    if law.eigs:
        found.append(sum(log(1 + x / level**2) for x in law.eigs) / 2)
    if law.d is not None and any(x is not None for x in (law.sd2, law.m2, law.R)):
        found.append(law.d / 2 * log(1 + law.spread**2 / (law.d * level**2)))
    if law.n_atoms or law.pi:
        found.append(law.entropy)
    found.extend(log(number) + r**2 / (2 * level**2) for r, number in law.covers)
    return min(found)


def mmse(level: Mp, law: Law) -> Mp:
    """The best linear estimate's error, which bounds E tr Cov(x_0|x_t)."""
    if law.eigs:
        return sum(x * level**2 / (x + level**2) for x in law.eigs)
    return law.d * level**2 * law.spread**2 / (law.spread**2 + law.d * level**2)


# --- 3.12: how a rule is used with the exponential integrator ----------------------------------------------------------


def nothing(_a: Mp, _b: Mp) -> Mp:
    return mpf(0)


@dataclass(frozen=True)
class EiRule:
    """sum_j W_j int (e^{u-t_j}-1) a du <= sum_j W_j g(h_j) area_j + ( sum_j (W_j kh(h_j))^2 inverse_j )^{1/2} root.

    ``inverse`` is the integral of 1/om, ``root`` the bound on (int om a^2 du)^{1/2} over the stretch, ``area`` the integral
    of the non-increasing pointwise part.
    """

    inverse: Interval
    root: Interval
    area: Interval = nothing


def ei_grid(rule: EiRule, nodes: Sequence[Mp], weights: Sequence[Mp]) -> Mp:
    """On the steps of a grid, W_j given."""
    steps = list(zip(weights, pairwise(nodes), strict=True))
    square = sum((W * kh(q - p)) ** 2 * rule.inverse(p, q) for W, (p, q) in steps)
    return sum(W * g(q - p) * rule.area(p, q) for W, (p, q) in steps) + sqrt(square) * rule.root(nodes[0], nodes[-1])


def ei_closed(rule: EiRule, a: Mp, b: Mp, h: Mp, inside: bool = False) -> Mp:
    """Steps at most h, every weight 1. ``inside``: the stretch may begin inside a step and pays for the unseen part."""
    area, square = g(h) * rule.area(a, b), kh(h) ** 2 * rule.inverse(a, b)
    if inside:
        end = min(a + h, b)
        area += (exp(h) - 1 - g(h)) * rule.area(a, end)
        square += ((exp(h) - 1) ** 2 - kh(h) ** 2) * rule.inverse(a, end)
    return area + sqrt(square) * rule.root(a, b)


# --- 3.13 (c*): lipschitz and one-sided, exponential integrator ------------------------------------------------------


def c1_energy(a: Mp, b: Mp, L: Mp) -> Mp:
    """B = int_a^b Lh lt (Lh - lt) dt."""
    Lh = max(L, 2 / sqrt(mpf(3)))
    x = b if Lh <= 2 else clip(-log(1 - 2 / Lh) / 2, a, b)

    def late(t: Mp) -> Mp:
        return (Lh**2 - Lh) * log(lam(t)) + Lh / 2 / lam(t) ** 2

    return Lh**3 / 4 * (x - a) + late(b) - late(x)


def c1(law: Law) -> EiRule:
    """om = 1."""
    Lh = max(law.L, 2 / sqrt(mpf(3)))

    def root(a: Mp, b: Mp) -> Mp:
        return sqrt(law.d) * sqrt(min(Lh, 1 / s(a) ** 2) * Lh / 2 + c1_energy(a, b, law.L))

    return EiRule(lambda p, q: q - p, root)


def c2_energy(a: Mp, law: Law, L: Mp, one_sided: bool) -> Mp:
    """X_a."""
    sa2 = s(a) ** 2
    ell = 1 / sa2 if one_sided else min(max(L, mpf(1)), 1 / sa2)
    X = (L + 1) * (c(a) ** 2 * law.spread**2 + law.d * (sa2 - 2 + ell)) + law.d * (ell - 1) ** 2
    rounding = mpf(10) ** (10 - mpmath.mp.dps) * (L + 1) * law.d * ell**2  # ten digits are left to it
    if -rounding > X:
        raise ValueError("no law has this spread and this Lipschitz constant")
    return max(X, mpf(0))


def c2(law: Law, one_sided: bool = False) -> EiRule:
    """om = e^{2t}."""
    L = law.L_os if one_sided else law.L

    def root(a: Mp, _b: Mp) -> Mp:
        return sqrt(exp(2 * a) / 2 * c2_energy(a, law, L, one_sided))

    return EiRule(lambda p, q: (exp(-2 * p) - exp(-2 * q)) / 2, root)


def c3(law: Law, one_sided: bool = False) -> EiRule:
    """om = e^{2t} - 1."""
    L = law.L_os if one_sided else law.L

    def G(p: Mp, q: Mp) -> Mp:
        return log(s(q) / s(p))

    def root(a: Mp, b: Mp) -> Mp:
        late = law.spread**2 / 2 * (1 + L * s(b) ** 2) + L * law.d * c(b) ** 2 / 2
        return sqrt(L * law.d * G(a, b) + law.d / lam(a) ** 2 + late)

    return EiRule(G, root)


def corollary(h: Mp, law: Law) -> Mp:
    """Any delta, T and grid with steps at most h; t_star = 0 and L >= 2."""
    L, ell = law.L, log(law.L)
    first = sqrt(L * law.d) * sqrt((1 + ell) / 2 * (mpf(37) / 20 + ell / 2))
    return kh(h) * (first + law.spread / 2 * sqrt((L + 1) * (1 + ell)))


# --- 3.11 (f), 3.13 (s1): exponential integrator -----------------------------------------------------------------------


def f_ei(law: Law) -> EiRule:
    """(f): any law, om = s^3."""
    d = law.d

    def root(a: Mp, b: Mp) -> Mp:
        i3 = I3(a, b)
        return sqrt(4 * d * i3 + d / s(a)) + sqrt(beta(d) * i3 + d * (d + 2) / (12 * s(a)))

    def area(p: Mp, q: Mp) -> Mp:
        return sqrt(d) * ((q + log(1 + s(q))) - (p + log(1 + s(p))))

    return EiRule(I3, root, area)


def s1(law: Law) -> EiRule:
    """U in a ball; om = v^3/c^2. With tau = 0: bounded and atoms."""
    tau = law.tau

    def inverse(p: Mp, q: Mp) -> Mp:
        return (v(p, tau) ** -2 - v(q, tau) ** -2) / (4 * (1 - tau**2))

    def root(a: Mp, _b: Mp) -> Mp:
        return law.half_width * sqrt(information(sqrt(tau**2 + lam(a) ** 2), law.core))

    def area(p: Mp, q: Mp) -> Mp:
        return sqrt(law.d) * (1 / sqrt(v(p, tau)) - 1 / sqrt(v(q, tau)))

    return EiRule(inverse, root, area)


# --- 3.12, 3.14: the factors of a step for the weights lam, lam^2, lam^3 -------------------------------------------------


def chi(r: Mp) -> Mp:
    return sqrt(log(r) - 2 * (1 - 1 / r) + (1 - 1 / r**2) / 2)


def cube(r: Mp) -> Mp:
    return sqrt((1 - 1 / r) ** 3 / 3)


def rho_heun(r: Mp) -> Mp:
    return sqrt(1 - (1 + r) * log(r) / (r - 1) + (1 + r) ** 2 / (4 * r))


def chi_heun(r: Mp) -> Mp:
    return sqrt(log(r) - (1 + r) * (1 - 1 / r) + (1 + r) ** 2 * (1 - 1 / r**2) / 8)


def cube_heun(r: Mp) -> Mp:
    m = (1 + r) / 2
    return sqrt((1 - 1 / r) - m * (1 - 1 / r**2) + m**2 / 3 * (1 - 1 / r**3))


def T4(r: Mp) -> Mp:
    return (r - 1) ** 4 * (1 - r**-4) / 480


@dataclass(frozen=True)
class Weight:
    """om = lam^power: (int_j kernel^2/om d tau)^{1/2} is ``factor(r) * scale(lam_j, lam_{j+1})``."""

    power: int
    euler: Callable[[Mp], Mp]
    heun: Callable[[Mp], Mp]
    scale: Interval


FIRST = Weight(1, lambda r: rho(r), lambda r: rho_heun(r), lambda p, q: sqrt(q - p))
SECOND = Weight(2, lambda r: chi(r), lambda r: chi_heun(r), lambda _p, _q: mpf(1))
THIRD = Weight(3, lambda r: cube(r), lambda r: cube_heun(r), lambda p, _q: 1 / sqrt(p))


@dataclass(frozen=True)
class LevelRule:
    """A weight om and ``root``, the bound on (int om al d tau)^{1/2} over a stretch of levels."""

    weight: Weight
    root: Interval


def ddim_grid(rule: LevelRule, levels: Sequence[Mp], weights: Sequence[Mp]) -> Mp:
    """Bound on sum_j W_j int (lam - lam_j) b d lam."""
    om = rule.weight
    square = sum((W * om.euler(q / p) * om.scale(p, q)) ** 2 for W, (p, q) in zip(weights, pairwise(levels), strict=True))
    return sqrt(square) * rule.root(levels[0], levels[-1])


def heun_first(rule: LevelRule, levels: Sequence[Mp], weights: Sequence[Mp], M: Sequence[Mp]) -> Mp:
    """Bound on sum_j W_j (Tr_j + (1/2)(r_j - 1) M_j E_j), first order; M of the lower node of each step."""
    om = rule.weight
    square = mpf(0)
    for W, Mj, (p, q) in zip(weights, M, pairwise(levels), strict=True):
        r = q / p
        square += (W * (om.heun(r) + (r - 1) * Mj / 2 * om.euler(r)) * om.scale(p, q)) ** 2
    return sqrt(square) * rule.root(levels[0], levels[-1])


# --- 3.11 (f), 3.13: the rules in noise levels -------------------------------------------------------------------------


def f_levels(law: Law) -> LevelRule:
    """(f): any law."""
    d = law.d

    def root(a: Mp, b: Mp) -> Mp:
        return sqrt(4 * d * (b - a) + d * b) + sqrt(d * (b - a)) + sqrt(beta(d) * (b - a) + b * d * (d + 2) / 12)

    return LevelRule(FIRST, root)


def p1_tail(k: Mp) -> Mp:
    """M(k) = sup over x >= 0 of x (k+x)^2 e^{-x/4}."""
    x = (12 - k + sqrt((k - 12) ** 2 + 16 * k)) / 2
    return x * (k + x) ** 2 * exp(-x / 4)


def p1_at(y: Mp, ell: Mp, Z: Mp) -> Mp:
    """The bracket of B1 at one y."""
    k = 4 * (ell + y)
    return k / 2 * Z + p1_tail(k) * exp(-y)


def p1_constant(b: Mp, law: Law, y: Mp | None = None) -> Mp:
    """B1; without y the smallest over all y > 0 with k >= 1/2, which a scan brackets and golden sections find."""
    ell, ent = law.replica, law.entropy
    gb = min(x for x in (4 * ell, 2 * ent, law.spread**2 / b**2, law.d) if x is not None)
    bracket = partial(p1_at, ell=ell, Z=min(ent + gb / 2, 4 * ell + gb))
    if y is not None:
        return bracket(y)
    low = max(mpf(0), mpf(1) / 8 - ell)
    scan = [low + mpf(i) / 4 for i in range(400)]  # e^{-100} M(k) is nothing beside the first term
    with mpmath.workdps(15):
        near = min(range(0, len(scan), 8), key=lambda i: bracket(scan[i]))  # of every second unit of y, then all around it
        best = min(range(max(near - 8, 0), min(near + 9, len(scan))), key=lambda i: bracket(scan[i]))
    return golden(bracket, scan[max(best - 1, 0)], scan[min(best + 1, len(scan) - 1)])


def golden(f: Callable[[Mp], Mp], low: Mp, high: Mp) -> Mp:
    """The smallest value of a function with one valley: its error is the square of the argument's."""
    ratio = (sqrt(mpf(5)) - 1) / 2
    p, q = high - ratio * (high - low), low + ratio * (high - low)
    at_p, at_q = f(p), f(q)
    while high - low > mpf(10) ** (-mpmath.mp.dps // 2):
        if at_p < at_q:
            high, q, at_q = q, p, at_p
            p = high - ratio * (high - low)
            at_p = f(p)
        else:
            low, p, at_p = p, q, at_q
            q = low + ratio * (high - low)
            at_q = f(q)
    return min(at_p, at_q)


def p1(law: Law, y: Mp | None = None) -> LevelRule:
    """Atoms, om = lam."""
    constant = cache(lambda b: p1_constant(b, law, y))  # every stretch that ends at b asks for it
    return LevelRule(FIRST, lambda _a, b: sqrt(b * constant(b)))


def p2(law: Law) -> LevelRule:
    """Data in a ball, om = lam^2."""
    return LevelRule(SECOND, lambda a, _b: law.half_width * sqrt(information(a, law)))


def p3(law: Law) -> LevelRule:
    """Data in a ball, om = lam^3, to any noise level."""

    def root(a: Mp, _b: Mp) -> Mp:
        R = law.half_width
        return R * law.spread / sqrt(a) * sqrt(1 + R**2 / (3 * a**2))

    return LevelRule(THIRD, root)


def largest_gamma(b: Mp, L: Mp) -> Mp:
    """gam_b = 1 + L s_b^2 at noise level b."""
    return 1 + L * b**2 / (1 + b**2)


def d2(law: Law, one_sided: bool = False) -> LevelRule:
    """lambda_max(H) <= L, om = lam^2."""
    L = law.L_os if one_sided else law.L
    return LevelRule(SECOND, lambda _a, b: sqrt(largest_gamma(b, L) * mmse(b, law) / 2))


def s2(levels: Sequence[Mp], weights: Sequence[Mp], law: Law) -> Mp:
    """U in a ball, DDIM."""
    tau = law.tau
    drift, square = mpf(0), mpf(0)
    for W, (p, q) in zip(weights, pairwise(levels), strict=True):
        sp, sq = sqrt(tau**2 + p**2), sqrt(tau**2 + q**2)
        drift += W * (tau**2 * (1 / sp - 1 / sq) - p * (q / sq - p / sp))
        square += W**2 * (q / sq) ** 6 * chi(q / p) ** 2
    first = information(sqrt(tau**2 + levels[0] ** 2), law.core)
    return sqrt(law.d) * drift + law.half_width * sqrt(first) * sqrt(square)


# --- 3.14: Heun, second order ------------------------------------------------------------------------------------------


def h1_root(a: Mp, law: Law) -> Mp:
    """(h1): bound on (int_a sig^2 E norm(Psi)^2)^{1/2}."""
    kap = law.half_width**2 / a**2
    early = sqrt(27 + mpf(333) / 2 * kap + mpf(945) / 4 * kap**2) * sqrt(information(2 * a / 3, law))
    return law.half_width * (early + (sqrt(kap + 8 * kap**2) + 2) * sqrt(information(a, law)))


def h2_root(a: Mp, b: Mp, law: Law, one_sided: bool = False) -> Mp:
    """(h2): the same where lambda_max(H) <= L from t_star on; nothing (infinity) for a stretch that begins there."""
    if lam(law.t_star) >= a:
        return mpf("inf")
    f = 1 / (1 - lam(law.t_star) / a)
    gam = largest_gamma(b, law.L_os if one_sided else law.L)
    first = f**2 * gam**2 + 2 * f**2 * gam**3 + 4 * f * gam**3 + f * gam**2 / 2
    return sqrt(mmse(b, law)) * (sqrt(first) + sqrt(4 * gam**3 + gam**2 / 2) + sqrt(2 * gam))


def heun_second(levels: Sequence[Mp], weights: Sequence[Mp], M: Sequence[Mp], root: Mp, energy: Mp) -> Mp:
    """Bound on sum_j W_j (Tr_j + (1/2)(r_j - 1) M_j E_j), second order.

    ``root`` bounds (int sig^2 E norm(Psi)^2 d tau)^{1/2} and ``energy`` (int sig^2 al d tau)^{1/2}.
    """
    trapezoid, predictor = mpf(0), mpf(0)
    for W, Mj, (p, q) in zip(weights, M, pairwise(levels), strict=True):
        r = q / p
        trapezoid += W**2 * T4(r)
        predictor += W**2 * ((r - 1) * Mj * chi(r)) ** 2
    return sqrt(trapezoid) * root + sqrt(predictor) / 2 * energy


def h1(levels: Sequence[Mp], weights: Sequence[Mp], M: Sequence[Mp], law: Law) -> Mp:
    """Data in a ball."""
    return heun_second(levels, weights, M, h1_root(levels[0], law), p2(law).root(levels[0], levels[-1]))


def h2(levels: Sequence[Mp], weights: Sequence[Mp], M: Sequence[Mp], law: Law, one_sided: bool = False) -> Mp:
    """lambda_max(H) <= L."""
    a, b = levels[0], levels[-1]
    return heun_second(levels, weights, M, h2_root(a, b, law, one_sided), d2(law, one_sided).root(a, b))


def heun_score(levels: Sequence[Mp], weights: Sequence[Mp], M: Sequence[Mp], eps_sc: Sequence[Mp]) -> Mp:
    """sum_j W_j (h_j/2) [ (1 + (r_j - 1) M_j) de_{j+1} + de_j ], de_j = s_j eps_sc(t_j), all N + 1 nodes given."""
    de = [x / sqrt(1 + x**2) * e for x, e in zip(levels, eps_sc, strict=True)]
    rows = zip(weights, M, pairwise(levels), pairwise(de), strict=True)
    return sum(W * (q - p) / 2 * ((1 + (q / p - 1) * Mj) * late + early) for W, Mj, (p, q), (early, late) in rows)


# --- which rules a law allows, on a stretch of a grid -------------------------------------------------------------------

Stretch = Callable[[int, int], Mp]


@dataclass(frozen=True)
class Grid:
    """OU times t_0, ..., t_N, with L_f(t_j) and (Heun) M_j for j = 0, ..., N - 1."""

    nodes: tuple[Mp, ...]
    L_f: tuple[Mp, ...]
    M: tuple[Mp, ...] = ()

    @property
    def levels(self) -> list[Mp]:
        return [lam(t) for t in self.nodes]

    @property
    def weights(self) -> list[Mp]:
        """W_j of DDIM and Heun."""
        return [L * c(t) for L, t in zip(self.L_f, self.nodes[:-1], strict=True)]


def atomic(law: Law) -> bool:
    return bool(law.n_atoms or law.pi)


def without_entropy(law: Law) -> Law:
    """What ``bounded-integrated`` may use: the law without its atoms."""
    return replace(law, n_atoms=0, pi=())


def ei_rules(law: Law) -> dict[str, list[EiRule]]:
    """The integrated rules of each profile for which the law says enough."""
    found = {"universal-integrated": [f_ei(law)]}
    if law.L is not None:
        found["lipschitz-integrated"] = [c1(law), c2(law), c3(law)]
    if law.L_os is not None:
        found["one-sided"] = [c2(law, one_sided=True), c3(law, one_sided=True)]
    if law.R is not None and law.tau == 0:
        found["bounded-integrated"] = [s1(without_entropy(law))]
        if atomic(law):
            found["atoms"] = [s1(law)]
    if law.R is not None and law.tau > 0:
        found["smoothed-integrated"] = [s1(law)]
    return found


def level_rules(law: Law) -> dict[str, list[LevelRule]]:
    """The same for DDIM and for Heun to first order."""
    found = {"universal-integrated": [f_levels(law)]}
    if law.L is not None:
        found["lipschitz-integrated"] = [d2(law)]
    if law.L_os is not None:
        found["one-sided"] = [d2(law, one_sided=True)]
    if law.R is not None and law.tau == 0:
        found["bounded-integrated"] = [p2(without_entropy(law)), p3(without_entropy(law))]
        if atomic(law):
            found["atoms"] = [p1(law), p2(law), p3(law)]
    return found


def old_data(law: Law) -> oracle.Data:
    """The law as the pointwise rules of :mod:`tests.oracle` read it."""
    return oracle.Data(d=law.d, m2=law.m2, sd2=law.sd2, L=law.L, t_star=law.t_star, R=law.R, tau=law.tau)


def pointwise_names(law: Law, teacher: str) -> list[str]:
    """The pointwise profiles for which the law says enough."""
    found = ["universal"]
    if law.m2 is not None or law.sd2 is not None:
        found.append("second-moment")
    if law.L is not None and teacher == "ei":
        found.append("lipschitz")
    if law.R is not None and law.tau == 0:
        found.append("bounded")
    if law.R is not None and law.tau > 0 and teacher == "ei":
        found.append("smoothed")
    return found


def pointwise_stretch(name: str, law: Law, grid: Grid, teacher: str) -> Stretch:
    """A pointwise profile of :mod:`tests.oracle` on steps i, ..., k - 1."""
    data = old_data(law)
    rule_sum, weights = (oracle.ei_grid, list(grid.L_f)) if teacher == "ei" else (oracle.ddim_grid, grid.weights)
    return lambda i, k: rule_sum(name, grid.nodes[i : k + 1], weights[i:k], data)


def ei_stretches(law: Law, grid: Grid) -> dict[str, list[Stretch]]:
    """By profile, the bounds on the local errors of a stretch of steps i, ..., k - 1 (exponential integrator)."""

    def on(rule: EiRule) -> Stretch:
        return lambda i, k: ei_grid(rule, grid.nodes[i : k + 1], grid.L_f[i:k])

    found = {name: [pointwise_stretch(name, law, grid, "ei")] for name in pointwise_names(law, "ei")}
    return {**found, **{name: [on(rule) for rule in rules] for name, rules in ei_rules(law).items()}}


def ddim_stretches(law: Law, grid: Grid) -> dict[str, list[Stretch]]:
    """The same for DDIM."""
    levels, weights = grid.levels, grid.weights

    def on(rule: LevelRule) -> Stretch:
        return lambda i, k: ddim_grid(rule, levels[i : k + 1], weights[i:k])

    found = {name: [pointwise_stretch(name, law, grid, "ddim")] for name in pointwise_names(law, "ddim")}
    found.update({name: [on(rule) for rule in rules] for name, rules in level_rules(law).items()})
    if law.R is not None and law.tau > 0:
        found["smoothed-integrated"] = [lambda i, k: s2(levels[i : k + 1], weights[i:k], law)]
    return found


def heun_stretches(law: Law, grid: Grid) -> dict[str, list[Stretch]]:
    """The same for Heun: what is in the place of the local error, score errors apart (:func:`heun_score`)."""
    levels, weights, M = grid.levels, grid.weights, grid.M

    def first(rule: LevelRule) -> Stretch:
        return lambda i, k: heun_first(rule, levels[i : k + 1], weights[i:k], M[i:k])

    def second(order: Callable[..., Mp], *more: Any) -> Stretch:
        return lambda i, k: order(levels[i : k + 1], weights[i:k], M[i:k], *more)

    found = {name: [first(rule) for rule in rules] for name, rules in level_rules(law).items()}
    for name, rules in found.items():
        if name == "bounded-integrated":
            rules.append(second(h1, without_entropy(law)))
        elif name == "atoms":
            rules.append(second(h1, law))
        elif name in ("lipschitz-integrated", "one-sided"):
            rules.append(second(h2, law, name == "one-sided"))
    return found


STRETCHES: dict[str, Callable[[Law, Grid], dict[str, list[Stretch]]]] = {
    "ei": ei_stretches,
    "ddim": ddim_stretches,
    "heun": heun_stretches,
}


# --- best path ------------------------------------------------------------------------------------------------------------

LONGEST = 6  # steps: 32 partitions, at most a dozen rules on each stretch


def partitions(N: int) -> Iterator[tuple[int, ...]]:
    """All ways to cut steps 0, ..., N - 1 into stretches, as the nodes where they begin and end."""
    for choice in range(2 ** (N - 1)):
        yield (0, *(i for i in range(1, N) if choice >> (i - 1) & 1), N)


@dataclass(frozen=True)
class Path:
    """The smallest sum over all partitions and, stretch by stretch, the profile that gives it with its two nodes."""

    value: Mp
    pieces: tuple[tuple[str, int, int], ...]


def best_path(stretches: Mapping[str, Sequence[Stretch]], N: int) -> Path:
    """Exhaustive, no dynamic programming: every partition of N steps, on each stretch the best of the rules."""
    if not 1 <= N <= LONGEST:
        raise ValueError(f"an exhaustive search takes 1 to {LONGEST} steps, not {N}")
    best: dict[tuple[int, int], tuple[Mp, str]] = {}
    for i in range(N):
        for k in range(i + 1, N + 1):
            best[i, k] = min((rule(i, k), name) for name, rules in stretches.items() for rule in rules)
    found = min(partitions(N), key=lambda cut: sum(best[piece][0] for piece in pairwise(cut)))
    pieces = tuple((best[piece][1], *piece) for piece in pairwise(found))
    return Path(sum(best[piece][0] for piece in pairwise(found)), pieces)


def local_errors(teacher: str, law: Law, grid: Grid, allowed: Sequence[str] = ()) -> Path:
    """The best path on a grid of at most seven nodes over the profiles named (all that the law allows by default)."""
    return best_of(STRETCHES[teacher](law, grid), grid, allowed)


def best_of(stretches: Mapping[str, Sequence[Stretch]], grid: Grid, allowed: Sequence[str] = ()) -> Path:
    chosen = {name: rules for name, rules in stretches.items() if not allowed or name in allowed}
    return best_path(chosen, len(grid.nodes) - 1)


def remembering(stretches: Mapping[str, Sequence[Stretch]]) -> dict[str, list[Stretch]]:
    """The same, each bound on a stretch computed once: for several searches at one precision."""
    return {name: [cache(rule) for rule in rules] for name, rules in stretches.items()}


# --- 3.7: the distance of p_t to p_data -------------------------------------------------------------------------------


def Q(r: Mp, d: Mp, L: Mp, m2: Mp) -> Mp:
    """Bound on E (d log p_r/dr)^2; the score is L-Lipschitz from time 0 on."""
    V = c(r) ** 2 * m2**2 + s(r) ** 2 * d
    S = d**2 / V if L < 2 else d * (L if r == 0 else min(L, 1 / s(r) ** 2))
    return d * (1 + L**2) + L * (V - 2 * d) + (L - 2) * S


def Q_turns(d: Mp, L: Mp, m2: Mp) -> list[Mp]:
    """Times where Q or its running minimum changes its form; between them the latter is constant or Q.

    With y = c_r^2: Q is increasing in V for L < 2, linear in y up to s_r^2 = 1/L and convex in y later, so there are the
    kink, the minimum of the convex part and the points where it comes back to Q(0).
    """
    if L < 2:
        return []
    slope = L * (m2**2 - d)
    found = [1 - 1 / L]
    if slope < 0:
        found.append(1 - sqrt((L - 2) * d / -slope))
        # slope y + (L-2) d/(1-y) = slope + (L-2) d L: a quadratic in x = 1 - y, slope x^2 + (L-2) d L x = (L-2) d
        root = sqrt(max(((L - 2) * d * L) ** 2 + 4 * slope * (L - 2) * d, mpf(0)))
        found.extend(1 - (-(L - 2) * d * L + sign * root) / (2 * slope) for sign in (1, -1))
    return sorted(-log(y) / 2 for y in found if 0 < y < 1)


def tv_integral(t: Mp, d: Mp, L: Mp, m2: Mp) -> Mp:
    """(1/2) int_0^t min_{r' <= r} Q(r')^{1/2} dr."""
    turns = [r for r in Q_turns(d, L, m2) if r < t]

    def smallest(r: Mp) -> Mp:
        return min(Q(x, d, L, m2) for x in (mpf(0), *(x for x in turns if x <= r), r))

    if smallest(t) < 0:
        raise ValueError("no law has this second moment and this Lipschitz constant")
    return mpmath.quad(lambda r: sqrt(smallest(r)), [0, *turns, t]) / 2


def tv_closed(t: Mp, d: Mp, L: Mp, m2: Mp) -> Mp:
    """(t/2) Q(0)^{1/2}."""
    return t / 2 * sqrt(Q(mpf(0), d, L, m2))


def tv_smoothing(u: Mp, delta: Mp, W2: Mp, d: Mp, L: Mp, m2: Mp) -> Mp:
    """TV(q P_u, p_data) from W2(q, p_delta), with the integral form."""
    return min(mpf(1), W2 / sqrt(2 * mpmath.pi * (exp(2 * u) - 1)) + tv_integral(delta + u, d, L, m2))
