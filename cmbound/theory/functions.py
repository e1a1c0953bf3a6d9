"""The named functions of the theory, each written once (:mod:`cmbound.theory.named`).

Functions that need a series near zero bring a numpy kernel.
"""

from __future__ import annotations

from typing import Any

import sympy
from sympy import Integer, Pow, Rational, S, atan
from sympy.core.function import ArgumentIndexError

from cmbound.theory.named import Named, exp, expm1, largest, log, log1p, named, power, rearranged, smallest, sqrt

# --- the forward process -------------------------------------------------------------------------------------------


@named("c", subscript=True)
def c(t: Any) -> Any:
    r"""c_t = e^{-t}, the factor of x_0 in x_t."""
    return exp(-t)


@named("s", subscript=True)
def s(t: Any) -> Any:
    r"""s_t = (1 - e^{-2t})^{1/2}, the standard deviation of the noise in x_t."""
    return rearranged(sqrt(1 - exp(-2 * t)), power(-expm1(-2 * t), S.Half))


@named(r"\lambda", subscript=True)
def lam(t: Any) -> Any:
    r"""lam_t = s_t/c_t = (e^{2t} - 1)^{1/2}, the noise level sigma of the variance-exploding clock."""
    return rearranged(sqrt(exp(2 * t) - 1), exp(t) * s(t))


class v(Named):
    r"""v_t = tau^2 c_t^2 + s_t^2, the variance of the Gaussian part of x_t for data U + tau z."""

    latex_name = "v"

    @classmethod
    def definition(cls, tau: Any, t: Any) -> Any:
        return tau**2 * c(t) ** 2 + s(t) ** 2

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        power = "" if exp is None else f"^{{{exp}}}"
        return f"v_{{{printer._print(self.args[1])}}}{power}"


def em1(x: Any) -> Any:
    """e^x - 1."""
    return rearranged(exp(x) - 1, expm1(x))


def one_minus_c(t: Any) -> Any:
    """1 - c_t."""
    return rearranged(1 - c(t), -expm1(-t))


def one_minus_s(t: Any) -> Any:
    """1 - s_t = c_t^2/(1 + s_t)."""
    return rearranged(1 - s(t), c(t) ** 2 / (1 + s(t)))


def s_rise(a: Any, b: Any) -> Any:
    """s_b - s_a."""
    return rearranged(s(b) - s(a), -(c(a) ** 2) * expm1(-2 * (b - a)) / (s(a) + s(b)))


def c_drop(a: Any, b: Any, power: Any = S.One) -> Any:
    """c_a^power - c_b^power."""
    return rearranged(c(a) ** power - c(b) ** power, -exp(-power * a) * expm1(-power * (b - a)))


def log_s(a: Any, b: Any) -> Any:
    """log(s_b/s_a)."""
    return rearranged(log(s(b) / s(a)), log1p(s_rise(a, b) / s(a)))


def log_lam(a: Any, b: Any) -> Any:
    """log(lam_b/lam_a)."""
    return rearranged(log(lam(b) / lam(a)), b - a + log1p(s_rise(a, b) / s(a)))


def lam_drop(a: Any, b: Any, power: Any) -> Any:
    """lam_a^(-power) - lam_b^(-power)."""
    return rearranged(lam(a) ** -power - lam(b) ** -power, -(lam(a) ** -power) * expm1(-power * log_lam(a, b)))


def lam_rise(a: Any, b: Any, power: Any = S.One) -> Any:
    """lam_b^power - lam_a^power."""
    return rearranged(lam(b) ** power - lam(a) ** power, lam(a) ** power * expm1(power * log_lam(a, b)))


def lam_log_gap(a: Any, b: Any) -> Any:
    """(lam_b - lam_a) - lam_a log(lam_b/lam_a)."""
    x = log_lam(a, b)
    return rearranged(lam(b) - lam(a) - lam(a) * log(lam(b) / lam(a)), lam(a) * x * g(x))


def one_minus_ratio(a: Any, b: Any) -> Any:
    """1 - lam_a/lam_b."""
    return rearranged(1 - lam(a) / lam(b), -expm1(-log_lam(a, b)))


def one_minus_lam(a: Any, b: Any) -> Any:
    """1 - lam_a/lam_b, also where lam_a = 0."""
    stable = -exp(2 * b) * expm1(-2 * (b - a)) / (lam(b) * (lam(b) + lam(a)))
    return rearranged(1 - lam(a) / lam(b), stable)


def v_drop(tau: Any, a: Any, b: Any, power: Any) -> Any:
    """v_a^(-power) - v_b^(-power)."""
    growth = (1 - tau) * (1 + tau) * c_drop(a, b, Integer(2)) / v(tau, a)
    return rearranged(v(tau, a) ** -power - v(tau, b) ** -power, -(v(tau, a) ** -power) * expm1(-power * log1p(growth)))


def smoothed_drop(tau: Any, a: Any, b: Any, power: Any) -> Any:
    """(v_a^(-power) - v_b^(-power))/(1 - tau^2), which stays finite as tau tends to 1."""
    return v_drop(tau, a, b, power) / ((1 - tau) * (1 + tau))


def smoothed_gap(tau: Any, a: Any, b: Any) -> Any:
    """tau^2 (1/sb_a - 1/sb_b) - lam_a (lam_b/sb_b - lam_a/sb_a) with sb = (tau^2 + lam^2)^{1/2} (theory 3.13 s2)."""
    x, y = (sqrt(tau**2 + lam(t) ** 2) for t in (a, b))
    first = rearranged(1 - x / y, lam_rise(a, b, Integer(2)) / (y * (x + y)))
    second = rearranged((lam(b) - lam(a)) / (lam(b) * x + lam(a) * y), lam_rise(a, b) / (lam(b) * x + lam(a) * y))
    # two factors, each of which stays finite at the longest horizon
    return rearranged(tau**2 * (1 / x - 1 / y) - lam(a) * (lam(b) / y - lam(a) / x), tau**2 * first * second)


def artanh_s(a: Any, b: Any) -> Any:
    """artanh(s_b) - artanh(s_a), with artanh(s_t) = arccosh(e^t) = t + log(1 + s_t)."""
    return rearranged(b + log(1 + s(b)) - a - log(1 + s(a)), b - a + log1p(s_rise(a, b) / (1 + s(a))))


def arctan_lam(a: Any, b: Any) -> Any:
    """arctan(lam_b) - arctan(lam_a)."""
    sine = c(a) ** 2 * -expm1(-2 * (b - a)) / (s(b) * c(a) + c(b) * s(a))
    return rearranged(atan(lam(b)) - atan(lam(a)), sympy.atan2(sine, c(a) * c(b) + s(a) * s(b), evaluate=False))


# --- one teacher step ----------------------------------------------------------------------------------------------


@named("g", kernel=True)
def g(h: Any) -> Any:
    r"""g(h) = (e^h - 1 - h)/h, about h/2 (theory 3.1)."""
    return (exp(h) - 1 - h) / h


@named(r"\kappa", kernel=True)
def kappa_h(h: Any) -> Any:
    r"""((e^{2h} - 4e^h + 3 + 2h)/(2h))^{1/2}, about h/3^{1/2} (theory 3.11)."""
    return sqrt(exp(2 * h) - 4 * exp(h) + 3 + 2 * h) / sqrt(2 * h)


@named(r"\rho^2", kernel=True)
def rho_squared(x: Any) -> Any:
    r"""rho(e^x)^2 with rho(r)^2 = (r - 1/r - 2 log r)/(r - 1), about x^2/3 (theory 3.11)."""
    return (exp(x) - exp(-x) - 2 * x) / (exp(x) - 1)


@named(r"\chi^2", kernel=True)
def chi_squared(x: Any) -> Any:
    r"""chi(e^x)^2 with chi(r)^2 = log r - 2(1 - 1/r) + (1 - 1/r^2)/2, about x^3/3 (theory 3.12)."""
    return x - 2 * (1 - exp(-x)) + (1 - exp(-2 * x)) / 2


@named(r"\rho_H^2", kernel=True)
def rho_h_squared(x: Any) -> Any:
    r"""rhoH(e^x)^2 with rhoH(r)^2 = 1 - (1+r) log r/(r-1) + (1+r)^2/(4r), about x^2/12 (theory 3.14)."""
    return 1 - (1 + exp(x)) * x / (exp(x) - 1) + (1 + exp(x)) ** 2 * exp(-x) / 4


@named(r"\chi_H^2", kernel=True)
def chi_h_squared(x: Any) -> Any:
    r"""chiH(e^x)^2 with chiH(r)^2 = log r - (1+r)(1-1/r) + (1+r)^2 (1-1/r^2)/8, about x^3/12 (theory 3.14)."""
    return x - exp(x) + exp(-x) + (1 + exp(x)) ** 2 * (1 - exp(-2 * x)) / 8


def heun_cube(u: Any, rest: Any) -> Any:
    """The integral of (sigma - mid)^2 over a step, with the weight of lam^3 and lam_a = 1 (theory 3.14).

    Args:
        u: 1 - 1/r.
        rest: 1/r, which 1 - u has lost most digits of where r is large.
    """
    return rearranged(u**3 * (1 - u + u**2) / (12 * (1 - u) ** 2), u**3 * (rest + u**2) / (12 * rest**2))


def trapezoid_energy(x: Any) -> Any:
    """T4(e^x) = (r-1)^4 (1 - r^{-4})/480 (theory 3.14)."""
    return em1(x) ** 4 * rearranged(1 - exp(-4 * x), -expm1(-4 * x)) / 480


class geometric_sum(Named):
    """1 + x + ... + x^(n-1), and 0 for n = 0."""

    latex_name = r"\Sigma"
    kernel = True

    @classmethod
    def definition(cls, x: Any, n: Any) -> Any:
        i = sympy.Symbol("i", integer=True)
        return sympy.Sum(x**i, (i, 0, n - 1))

    @classmethod
    def eval(cls, x: Any, n: Any) -> Any:
        if n.is_Integer and 0 <= n <= 3:
            return sum((x**i for i in range(int(n))), S.Zero)
        return None

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        x, n = self.args
        body = rf"\sum_{{i=0}}^{{{printer._print(n - 1)}}} {printer.parenthesize(x, 1000, strict=True)}^{{i}}"
        return body if exp is None else rf"\left({body}\right)^{{{exp}}}"


# --- integrals of the regularity profiles ---------------------------------------------------------------------------


@named("J")
def J(a: Any, b: Any) -> Any:
    r"""J(a, b) = 1/s_a - 1/s_b, the integral of c_t^2 s_t^{-3} (theory 3.2 a)."""
    return rearranged(1 / s(a) - 1 / s(b), s_rise(a, b) / (s(a) * s(b)))


@named("I_3")
def I3(a: Any, b: Any) -> Any:
    r"""I_3(a, b), the integral of s_t^{-3} (theory 3.2 a)."""
    return J(a, b) + rearranged(b - a + log((1 + s(b)) / (1 + s(a))), b - a + log1p(s_rise(a, b) / (1 + s(a))))


@named("U", subscript=True)
def U(d: Any) -> Any:
    r"""U_d of the universal profile (theory 3.2 a)."""
    return 2 / (3 * sqrt(3)) * sqrt(d) * sqrt(d + 2) * sqrt(d + 4) + (24 * d**3 * (d + 2) * (d + 4) ** 2) ** Rational(1, 6)


@named("K", subscript=True)
def K(d: Any) -> Any:
    r"""K_d of the second-moment profile (theory 3.2 b)."""
    moments = d * (d + 2) * (d + 4)
    first = Rational(27, 125) * Rational(4, 25) * moments * (d + 6) * (d + 8)
    sixth = 120 * d**3 + 2080 * d**2 + 3840 * d
    return Pow(first, Rational(1, 4)) + Pow(Pow(moments, Rational(1, 3)) * Pow(sixth, Rational(2, 3)), Rational(1, 4))


@named(r"\beta", subscript=True)
def beta(d: Any) -> Any:
    r"""beta = (4/81)(d+2)^2 + (8/9) d of the integrated universal profile (theory 3.11)."""
    return Rational(4, 81) * (d + 2) ** 2 + Rational(8, 9) * d


@named("w_0")
def w0(L: Any) -> Any:
    r"""w_0 = 3/(8 L + 5), how far the lipschitz profile looks back (theory 3.2 c)."""
    return 3 / (8 * L + 5)


@named(r"\varkappa")
def kap(L: Any) -> Any:
    r"""The constant of the lipschitz profile (theory 3.2 c)."""
    w, th = w0(L), 3 * L / (8 * L + 5)
    low, high = sqrt(1 - th), sqrt(1 + th)
    return 2 * power(1 + w, Rational(3, 2)) * power(1 - th, -1) * power(1 + th, -S.Half) * power(low + high, -1)


class clipped_log(Named):
    r"""-(1/2) log(1 - 1/L) clipped to [a, b]; b at L = 1. From this time on 1/s_t < L^{1/2} (theory 3.2 c)."""

    latex_name = r"\alpha"

    @classmethod
    def definition(cls, L: Any, a: Any, b: Any) -> Any:
        return smallest(b, largest(a, rearranged(-log(1 - 1 / L) / 2, -log1p(-1 / L) / 2)))

    @classmethod
    def eval(cls, L: Any, a: Any, b: Any) -> Any:
        return b if L == 1 else None


@named("P")
def P(L: Any, a: Any, b: Any) -> Any:
    r"""P(a, b), the integral of min(L^{1/2}, 1/s_t) (theory 3.2 c)."""
    m = clipped_log(L, a, b)
    return sqrt(L) * (m - a) + artanh_s(m, b)


@named("Q")
def Q(L: Any, t_star: Any, a: Any, b: Any) -> Any:
    r"""Q(a, b), the integral of max(w_0^{-1/2}, (e^{2(t - t_*)} - 1)^{-1/2}) (theory 3.2 c)."""
    w = w0(L)
    m = smallest(b, largest(a, t_star + rearranged(log(1 + w) / 2, log1p(w) / 2)))
    return (b - m) / sqrt(w) + arctan_lam(a - t_star, m - t_star)


# --- information and error of an estimate (theory 3.12) -------------------------------------------------------------


@named("I")
def information(x: Any, d: Any, spread: Any) -> Any:
    r"""Bound on the mutual information of x_0 and x_0 + x^{1/2} z, for a covariance of trace spread^2 (theory I3)."""
    return d / 2 * rearranged(log(1 + spread**2 / (d * x)), log1p(spread**2 / (d * x)))


@named(r"\mathrm{mmse}")
def mmse(x: Any, d: Any, spread: Any) -> Any:
    r"""Error of the best linear estimate of x_0 from x_0 + x^{1/2} z, for a covariance of trace spread^2 (theory 3.12)."""
    return rearranged(d * x * spread**2 / (spread**2 + d * x), spread**2 / (1 + spread**2 / (d * x)))


class spectral(Named):
    r"""A sum over the eigenvalues of a covariance, with mu_i = max(0, ev_i - shift).

    It is that of log(1 + mu_i x) for k = 0 and of (mu_i/(1 + mu_i x))^k for k >= 1; the last argument stands for the list.
    """

    latex_name = r"\Sigma"
    kernel = True
    primitive = True
    nargs = 4

    def fdiff(self, argindex: int = 1) -> Any:
        k, x, shift, values = self.args
        if argindex != 2:
            raise ArgumentIndexError(self, argindex)
        return spectral(1, x, shift, values) if k == 0 else -k * spectral(k + 1, x, shift, values)

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        k, x, shift, values = self.args
        inner = printer._print(values) + ("" if shift == 0 else f" - {printer._print(shift)}")
        inner, factor = (inner if shift == 0 else rf"({inner})"), printer._print(x)
        body = (
            rf"\sum_i \log\left(1 + {inner}\, {factor}\right)"
            if k == 0
            else rf"\sum_i \frac{{{inner}}}{{1 + {inner}\, {factor}}}"
        )
        body = body if k in (0, 1) else rf"\sum_i \left(\frac{{{inner}}}{{1 + {inner}\, {factor}}}\right)^{{{printer._print(k)}}}"
        return rf"\left({body}\right)" + ("" if exp is None else f"^{{{exp}}}")


# --- Lipschitz scores, integrated (theory 3.13 c) -------------------------------------------------------------------


@named("B")
def hessian_excess(L: Any, a: Any, b: Any) -> Any:
    r"""B(a, b), the integral of Lh lt (Lh - lt) with lt = min(1/s_t^2, Lh/2), Lh = max(L, 2/3^{1/2}) (theory 3.13 c1)."""
    high = largest_eigenvalue(L)
    x = clipped_log(largest(S.One, high / 2), a, b)
    rest = log_lam(x, b) + lam_drop(x, b, Integer(2)) / 2
    return high**3 / 4 * (x - a) + high**2 * log_lam(x, b) - high * rest


@named(r"\hat L")
def largest_eigenvalue(L: Any) -> Any:
    r"""Lh = max(L, 2/3^{1/2}) (theory 3.13 c)."""
    return largest(L, 2 / sqrt(3))


@named(r"\mathcal{X}")
def relative_energy(L: Any, d: Any, m2: Any, t: Any) -> Any:
    r"""e^{2t} X_t: bounds e^{2t} (E tr K^2 + (L + 1) E norm(x + s)^2) for an L-Lipschitz score, L >= 1 (theory 3.13 c2).

    A law with such a score at the time t has c^2 m2^2 + s^2 d >= d/L, which is put in where it is not so.
    """
    least = rearranged((1 / L - s(t) ** 2) / c(t) ** 2, 1 - (1 - 1 / L) * exp(smallest(2 * t, _FLAT)))
    late = c(t) ** 2 / s(t) ** 2
    slack = rearranged((L - 2 + s(t) ** 2) / c(t) ** 2, (L - 1) * exp(smallest(2 * t, _FLAT)) - 1)
    edge = rearranged((L - 1) / c(t), (L - 1) * exp(smallest(t, _FLAT)))
    return (L + 1) * largest(S.Zero, largest(m2**2, d * least) + d * smallest(late, slack)) + d * smallest(
        edge, c(t) / s(t) ** 2
    ) ** 2


@named(r"\mathcal{X}^{+}")
def one_sided_energy(L: Any, d: Any, m2: Any, t: Any) -> Any:
    r"""e^{2t} X_t where only lambda_max(H) <= L is known, L >= 0 (theory 3.13 c2)."""
    late = c(t) ** 2 / s(t) ** 2
    return (L + 1) * (m2**2 + d * late) + d * late / s(t) ** 2


@named(r"\mathcal{Y}")
def one_sided_excess(L: Any, d: Any, m2: Any, a: Any, b: Any) -> Any:
    r"""The braces of (c3), with G = log(s_b/s_a): where only lambda_max(H) <= L is known, L >= 0 (theory 3.13 c3)."""
    return L * d * log_s(a, b) + d / lam(a) ** 2 + m2**2 * (1 + L * s(b) ** 2) / 2 + L * d * c(b) ** 2 / 2


_FLAT = Integer(350)
"""Beyond this time (L - 1) e^(2t) is never the smaller side: c_t^2/s_t^2 is below 1e-300, and e^700 is still a float64."""

# --- a finite data set (theory 3.13 p1) -----------------------------------------------------------------------------


@named(r"\ell")
def replicas(nu: Any) -> Any:
    r"""log((nu + 1)/2): E e^{tr Gam/4} is at most its exponential, by two posterior replicas (theory 3.11 g)."""
    return log((nu + 1) / 2)


@named(r"x^*")
def tail_place(k: Any) -> Any:
    r"""Where x (k + x)^2 e^{-x/4} is largest over x >= 0 (theory 3.13 p1)."""
    return (12 - k + sqrt((k - 12) ** 2 + 16 * k)) / 2


@named("M")
def tail(k: Any) -> Any:
    r"""M(k), the largest value of x (k + x)^2 e^{-x/4} over x >= 0 (theory 3.13 p1)."""
    x = tail_place(k)
    return x * (k + x) ** 2 * exp(-x / 4)


@named("Z")
def trace_bound(nu: Any, entropy: Any, d: Any, ratio: Any) -> Any:
    r"""Z, which bounds the integral of lam g_1 up to lam_b, with its end, by lam_b Z; ratio = sd2^2/lam_b^2 (theory 3.13 p1)."""
    last = smallest(4 * replicas(nu), 2 * entropy, ratio, d)
    return smallest(entropy + last / 2, 4 * replicas(nu) + last)


@named("B_1")
def atoms_energy(nu: Any, entropy: Any, d: Any, ratio: Any, y: Any) -> Any:
    r"""B_1(y), valid for every y > 0 with k = 4 (log((nu+1)/2) + y) >= 1/2 (theory 3.13 p1)."""
    k = 4 * (replicas(nu) + y)
    return k / 2 * trace_bound(nu, entropy, d, ratio) + tail(k) * exp(-y)


def atoms_slope(nu: Any, entropy: Any, d: Any, ratio: Any, y: Any) -> Any:
    """The derivative of B_1(y) in y, whose zero is the best y (the largest value over x does not move with x)."""
    k = 4 * (replicas(nu) + y)
    x = tail_place(k)
    return 2 * trace_bound(nu, entropy, d, ratio) + (8 * x * (k + x) * exp(-x / 4) - tail(k)) * exp(-y)


# --- total variation ------------------------------------------------------------------------------------------------


@named(r"\mathcal{Q}_0")
def tv_energy(L: Any, m2: Any, d: Any) -> Any:
    r"""Q(0), which bounds E (d/dt log p_t)^2 for scores that are L-Lipschitz from time 0 on (theory 3.7, the sharper form).

    A law with such scores has m2^2 >= d/L, which is put in where it is not so: the value is then 2 d (L - 1)^2.
    """
    moment = largest(m2**2, d / L)
    fisher = largest(S.Zero, L - 2) * d * L - largest(S.Zero, 2 - L) * d**2 / moment
    return d * (1 - L) ** 2 + L * moment + fisher


@named(r"\Theta")
def tv_drift(L: Any, m2: Any, d: Any, t: Any) -> Any:
    r"""Bound (t/2) Q(0)^{1/2} on TV(p_t, p_data) for scores that are L-Lipschitz on [0, t] (theory 3.7)."""
    return t / 2 * sqrt(tv_energy(L, m2, d))


@named("K")
def steering(L_phi: Any, gamma: Any, tau_c: Any, eta: Any) -> Any:
    r"""K: what it costs to steer two copies of the underdamped corrector together (theory 3.8)."""
    pull = sqrt(12) * tau_c ** Rational(-3, 2) + gamma * sqrt(Rational(6, 5)) / sqrt(tau_c)
    return (pull + L_phi * sqrt(13 * tau_c / 35 + eta)) ** 2 / (4 * gamma)


@named("G")
def corrector_information(eps_sc: Any, L: Any, d: Any, gamma: Any, tau_c: Any, eta: Any) -> Any:
    r"""G: relative entropy between the discretised and the exact underdamped dynamics (theory 3.8)."""
    return tau_c / (4 * gamma) * (eps_sc**2 + eps_sc * L * sqrt(d) * eta + L**2 * d * eta**2 / 3)
