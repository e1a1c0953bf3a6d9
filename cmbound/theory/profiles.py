"""The regularity profiles of theory 3.2 and 3.11 to 3.14: data, and which of them can be used (:mod:`cmbound.theory.rules`).

Expressions stand behind ``lambda`` and in functions: an evaluation builds those of its teacher and of the profiles it can use.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import cache, lru_cache, partial
from typing import Any

from sympy import Integer, Min, Rational, S

from cmbound.errors import InputError, UnknownNameError
from cmbound.frozen import Deferred, FrozenDict
from cmbound.names import MEASURED
from cmbound.theory.functions import (
    I3,
    J,
    K,
    P,
    Q,
    U,
    artanh_s,
    atoms_energy,
    atoms_slope,
    beta,
    c,
    c_drop,
    chi_h_squared,
    chi_squared,
    g,
    hessian_excess,
    heun_cube,
    information,
    kap,
    kappa_h,
    lam,
    lam_drop,
    lam_log_gap,
    lam_rise,
    largest_eigenvalue,
    log_lam,
    log_s,
    mmse,
    one_minus_lam,
    one_minus_ratio,
    one_sided_energy,
    one_sided_excess,
    relative_energy,
    rho_h_squared,
    rho_squared,
    s,
    smoothed_drop,
    smoothed_gap,
    spectral,
    trapezoid_energy,
    v,
    w0,
)
from cmbound.theory.named import exchanged, largest, log, power, product, rearranged, smallest, sqrt
from cmbound.theory.notation import (
    L_os,
    L_s,
    M,
    R,
    a,
    b,
    cov_eigs,
    d,
    d_eff,
    diameter,
    entropy,
    h,
    m2,
    nu,
    sd2,
    t,
    t_star,
    tau,
    y,
)
from cmbound.theory.records import Assumption
from cmbound.theory.rules import Free, Later, Profile, Root, Rule, Rules, pointwise
from cmbound.theory.variants import EI
from cmbound.threads import alone

HALF = Rational(1, 2)

SECOND_MOMENT = Assumption("A1", "the data have a finite second moment $m2$ (Assumption 1)")
LIPSCHITZ = Assumption("A2", "the score $s(., t)$ is $L_s$-Lipschitz for all $t$ in $[t_star, T]$ (Assumption 2)")
ONE_SIDED = Assumption(
    "one-sided", "the eigenvalues of the Jacobian of the score $s(., t)$ are at most $L_os$ for all $t$ in $[t_star, T]$"
)
BOUNDED = Assumption("support", "the data lie in a ball of radius $R$ (any centre)")
SMOOTHED = Assumption(
    "smoothed", "the data are $U + tau z$ with $z ~ N(0, I)$ independent of $U$ and $U$ in a ball of radius $R$"
)
ATOMS = Assumption("atoms", "the data are the law of $n_atoms$ points (with the given weights) in a ball of radius $R$")

# --- the factors of one step, for the weights lam, lam^2 and lam^3 (theory 3.12, 3.14) --------------------------------


@cache
def _x() -> Any:
    """x = log(lam_b/lam_a), the logarithm of the ratio r of a step."""
    return log_lam(a, b)


def _predictor() -> Any:
    """(r - 1) M/2: what the error of the predictor counts in a Heun step."""
    return M * rearranged(lam(b) / lam(a) - 1, lam_rise(a, b) / lam(a)) / 2


def _two(corrector: Any, predictor: Any) -> Any:
    """The energy of a Heun step, from the roots of those of its two parts."""
    return power(sqrt(corrector) + product(_predictor(), sqrt(predictor)), Integer(2))


EULER: Mapping[int, Any] = Deferred(
    {
        1: lambda: rho_squared(_x()) * lam_rise(a, b),
        2: lambda: chi_squared(_x()),
        3: lambda: one_minus_ratio(a, b) ** 3 / (3 * lam(a)),
    }
)
HEUN: Mapping[int, Any] = Deferred(
    {
        1: lambda: _two(rho_h_squared(_x()), rho_squared(_x())) * lam_rise(a, b),
        2: lambda: _two(chi_h_squared(_x()), chi_squared(_x())),
        3: lambda: _two(heun_cube(one_minus_ratio(a, b), lam(a) / lam(b)), one_minus_ratio(a, b) ** 3 / 3) / lam(a),
    }
)
"""By the power of lam: the energy of one step with the weight om = lam^power, DDIM and Heun (first order)."""
_STEPS: Mapping[str, Mapping[int, Any]] = FrozenDict({"ddim": EULER, "heun": HEUN})
_KH = kappa_h(h) ** 2


def _in_noise_level(ddim: str, heun: str, rules: Callable[[str], tuple[Rule, ...]]) -> dict[str, Later]:
    """The rules of DDIM and Heun, each from its name, and the parameters they contain."""
    return {"ddim": (ddim, partial(rules, "ddim")), "heun": (heun, partial(rules, "heun"))}


def _in_lam(teacher: str, power: int, factor: Any, free: Free | None = None) -> Rule:
    """The rule of DDIM or Heun with the weight om = lam^power."""
    return Rule(roots=(Root(_STEPS[teacher][power], factor),), free=free)


def _second_order(curvature: Any, predictor: Any) -> Rule:
    """A second-order rule of Heun's method, from root energies of Psi and of A with the weight lam^2 (theory 3.14)."""
    return Rule(roots=(Root(trapezoid_energy(_x()), curvature), Root(_predictor() ** 2 * chi_squared(_x()), predictor)))


# --- (a), (f): any law ----------------------------------------------------------------------------------------------

UNIVERSAL = Profile(
    name="universal",
    title="any data law, pointwise",
    rules=Rules(
        {
            EI: ("d", lambda: (pointwise(sqrt(d) * J(a, b) + U(d) * I3(a, b)),)),
            "ddim": ("d", lambda: (Rule(steps=U(d) * lam_log_gap(a, b)),)),
        }
    ),
    assumptions=(SECOND_MOMENT,),
    acceleration=lambda: s(t) ** -3 * (c(t) ** 2 * sqrt(d) + U(d)),
    derivation="ds/dt = c^2 s^-3 zhat - s^-3 E[w (w.z)|y]; Hoelder and Jensen on the posterior moments of z, whose prior is N(0, I).",
    reference="theory 3.2 (a), 3.10",
    subspace=True,
)


def _any_law(teacher: str) -> tuple[Rule, ...]:
    rise, end = lam_rise(a, b), lam(b)
    factor = sqrt(4 * d * rise + d * end) + sqrt(d * rise) + sqrt(beta(d) * rise + end * d * (d + 2) / 12)
    return (_in_lam(teacher, 1, factor),)


UNIVERSAL_INTEGRATED = Profile(
    name="universal-integrated",
    title="any data law, integrated over a stretch (order d instead of d^(3/2))",
    rules=Rules(
        {
            EI: (
                "d",
                lambda: (
                    Rule(
                        steps=g(h) * sqrt(d) * artanh_s(a, b),
                        roots=(
                            Root(
                                _KH * I3(a, b),
                                sqrt(4 * d * I3(a, b) + d / s(a)) + sqrt(beta(d) * I3(a, b) + d * (d + 2) / (12 * s(a))),
                            ),
                        ),
                    ),
                ),
            ),
            **_in_noise_level("d", "M d", _any_law),
        }
    ),
    assumptions=(SECOND_MOMENT,),
    derivation="Ito for norm(v)^4 and for the posterior energy bounds the integrals of E norm(C3 - 2 zhat)^2 and E norm(M zhat)^2; Cauchy-Schwarz per step.",
    reference="theory 3.11 (f), 3.14",
    subspace=True,
)

# --- (b): finite second moment --------------------------------------------------------------------------------------

_W = Rational(3, 2)

SECOND_MOMENT_PROFILE = Profile(
    name="second-moment",
    title="finite second moment, bounded in T",
    rules=Rules(
        {
            EI: (
                "d m2",
                lambda: (
                    pointwise(
                        sqrt(d) * J(a, b) + K(d) * sqrt(m2) * (Rational(2, 3) * lam_drop(a, b, _W) + 2 * lam_drop(a, b, HALF))
                    ),
                ),
            ),
            "ddim": ("d m2", lambda: (Rule(steps=2 * K(d) * sqrt(m2) * lam_rise(a, b, HALF) ** 2 / sqrt(lam(b))),)),
        }
    ),
    assumptions=(SECOND_MOMENT,),
    acceleration=lambda: s(t) ** -3 * (c(t) ** 2 * sqrt(d) + K(d) * sqrt(c(t) * m2 / s(t))),
    derivation="E tr Cov(z|y) is at most the error of the best linear estimate, (c m2/s)^2; Hoelder with the exact moments of norm(z)^2.",
    reference="theory 3.2 (b), 3.10",
    centred=True,
    subspace=True,
)

# --- (c), (c*), (d2): Lipschitz scores ------------------------------------------------------------------------------

LIPSCHITZ_PROFILE = Profile(
    name="lipschitz",
    title="Lipschitz scores (the paper's Assumption 2)",
    rules=Rules(
        {
            EI: (
                "L_s d t_star",
                lambda: (
                    pointwise(
                        sqrt(d) * ((1 + L_s) * P(L_s, a, b) + sqrt(2) * L_s * kap(L_s) * Q(L_s, t_star, a, b)),
                        breakpoints=(-log(1 - 1 / L_s) / 2, t_star + log(1 + w0(L_s)) / 2),
                    ),
                ),
            )
        }
    ),
    assumptions=(LIPSCHITZ,),
    acceleration=lambda: (
        sqrt(d)
        * ((1 + L_s) * smallest(sqrt(L_s), 1 / s(t)) + sqrt(2) * L_s * kap(L_s) * largest(1 / sqrt(w0(L_s)), 1 / lam(t - t_star)))
    ),
    derivation="E norm(s)^2 = -E tr H; for grad Delta log p look back by w, integrate by parts, Brascamp-Lieb and Bochner on the log-concave posterior.",
    reference="theory 3.2 (c)",
)


def _any_grid() -> Rule:
    """The corollary of (c1) to (c3) for any grid, one number in the largest step."""
    L = largest(L_s, Integer(2))  # an L_s-Lipschitz score is 2-Lipschitz where L_s < 2
    growth = (1 + log(L)) / 2 * (Rational(185, 100) + log(L) / 2)
    return Rule(whole=kappa_h(h) * (product(sqrt(L), sqrt(d), power(growth, HALF)) + m2 * sqrt(L + 1) * sqrt(1 + log(L)) / 2))


def _exponential(relative: Any) -> Rule:
    """The weight om = e^{2t} (c2)."""
    return Rule(roots=(Root(_KH * c_drop(a, b, Integer(2)) / 2, sqrt(relative / 2)),))


def _decaying(L: Any) -> Rule:
    """The weight om = lam^2 (c3)."""
    return Rule(roots=(Root(_KH * log_s(a, b), sqrt(one_sided_excess(L, d, m2, a, b))),))


def _bounded_above(L: Any, teacher: str) -> tuple[Rule, ...]:
    """(d2) for DDIM and Heun, (h2) for Heun: only the largest eigenvalue L of the Jacobian enters."""
    gam, error = 1 + L * s(b) ** 2, mmse(lam(b) ** 2, d, m2)
    energy = sqrt(gam * error / 2)
    first = _in_lam(teacher, 2, energy)
    if teacher == "ddim":
        return (first,)
    f = 1 / one_minus_lam(t_star, a)
    growth = (
        sqrt(f**2 * gam**2 + 2 * f**2 * gam**3 + 4 * f * gam**3 + f * gam**2 / 2) + sqrt(4 * gam**3 + gam**2 / 2) + sqrt(2 * gam)
    )
    return first, _second_order(sqrt(error) * growth, energy)


LIPSCHITZ_INTEGRATED = Profile(
    name="lipschitz-integrated",
    title="Lipschitz scores, integrated (order (L_s d)^(1/2) log L_s, bounded in T)",
    rules=Rules(
        {
            EI: (
                "L_s d m2",
                lambda: (
                    _any_grid(),
                    Rule(
                        roots=(
                            Root(
                                _KH * (b - a),
                                sqrt(
                                    d
                                    * (
                                        smallest(largest_eigenvalue(L_s), 1 / s(a) ** 2) * largest_eigenvalue(L_s) / 2
                                        + hessian_excess(L_s, a, b)
                                    )
                                ),
                            ),
                        ),
                        breakpoints=(-log(1 - 1 / L_s) / 2, -log(1 - 2 / L_s) / 2),
                    ),
                    _exponential(relative_energy(L_s, d, m2, a)),
                    _decaying(L_s),
                ),
            ),
            **_in_noise_level("L_s d m2", "L_s M d m2 t_star", partial(_bounded_above, L_s)),
        }
    ),
    assumptions=(SECOND_MOMENT, LIPSCHITZ),
    derivation="Bochner's identity gives the energy of ds/dt along the ODE exactly; E tr H <= 0 and the secants of la^2 and la^3 over the spectrum bound it; Cauchy-Schwarz over the steps.",
    reference="theory 3.12, 3.13 (c*), (d2), 3.14 (h2)",
    centred=True,
    subspace=True,
)

ONE_SIDED_PROFILE = Profile(
    name="one-sided",
    title="Jacobian of the score bounded from above only (L_os = 0: log-concave data)",
    rules=Rules(
        {
            EI: ("L_os d m2", lambda: (_decaying(L_os), _exponential(one_sided_energy(L_os, d, m2, a)))),
            **_in_noise_level("L_os d m2", "L_os M d m2 t_star", partial(_bounded_above, L_os)),
        }
    ),
    assumptions=(SECOND_MOMENT, ONE_SIDED),
    derivation="As lipschitz-integrated, with the weights e^{2t} and e^{2t} - 1 alone, whose boundary terms need nothing from below.",
    reference="theory 3.12, 3.13 (c2), (c3), (d2), 3.14 (h2)",
    centred=True,
    subspace=True,
)

# --- (e): bounded and smoothed data ---------------------------------------------------------------------------------


def _noise_drop(tau: Any) -> Any:
    return rearranged(1 / sqrt(v(tau, a)) - 1 / sqrt(v(tau, b)), (1 - tau) * (1 + tau) * smoothed_drop(tau, a, b, HALF))


def _smoothed_phi(tau: Any) -> Any:
    spread = _noise_drop(tau) + R**2 / 3 * smoothed_drop(tau, a, b, Rational(3, 2))
    return sqrt(d) * spread + 9 * R**3 / 40 * smoothed_drop(tau, a, b, Integer(2))


def _smoothed_acceleration(tau: Any) -> Any:
    inner = (1 - tau**2) / v(tau, t)
    spread = largest(inner, R**2 / v(tau, t) ** 2 - inner)
    return c(t) ** 2 / sqrt(v(tau, t)) * sqrt(d) * spread + Rational(9, 10) * c(t) ** 3 * R**3 / v(tau, t) ** 3


def _spread(tau: Any) -> Any:
    """Root trace of the covariance of U, for data U + tau z."""
    return m2 if tau == 0 else sqrt(largest(S.Zero, m2**2 - d * tau**2))


def _shared(tau: Any, *others: Any) -> Any:
    """R times the root of the mutual information of U and x at the beginning of a stretch, which others may bound too."""
    return R * sqrt(smallest(information(tau**2 + lam(a) ** 2, d, _spread(tau)), *others))


def _smoothed_ei(tau: Any, *others: Any) -> Rule:
    """(s1)."""
    return Rule(
        steps=g(h) * sqrt(d) * _noise_drop(tau),
        roots=(Root(_KH * smoothed_drop(tau, a, b, Integer(2)) / 4, _shared(tau, *others)),),
    )


SMOOTHED_PROFILE = Profile(
    name="smoothed",
    title="bounded variable plus Gaussian noise of width tau, bounded in T",
    rules=Rules({EI: ("R d tau", lambda: (pointwise(_smoothed_phi(tau)),))}),
    assumptions=(SMOOTHED,),
    acceleration=lambda: _smoothed_acceleration(tau),
    derivation="Eigenvalues of H lie in [-1/v, c^2 R^2/v^2 - 1/v]; grad Delta log p is a posterior third cumulant of U, at most (9/10) R^3 (c/v)^3.",
    reference="theory 3.2 (e)",
)

SMOOTHED_INTEGRATED = Profile(
    name="smoothed-integrated",
    title="bounded variable plus Gaussian noise of width tau, integrated (R times the root of an information)",
    rules=Rules(
        {
            EI: ("R d m2 tau", lambda: (_smoothed_ei(tau),)),
            "ddim": (
                "R d m2 tau",
                lambda: (
                    Rule(
                        steps=sqrt(d) * smoothed_gap(tau, a, b),
                        roots=(Root((s(b) / sqrt(v(tau, b))) ** 6 * chi_squared(_x()), _shared(tau)),),
                    ),
                ),
            ),
        }
    ),
    assumptions=(SECOND_MOMENT, SMOOTHED),
    derivation="The energy identity for U and the noise left on it; the information of U and x_t bounds the energy of the posterior covariance.",
    reference="theory 3.12, 3.13 (s1), (s2)",
    centred=True,
    halved=True,
)

BOUNDED_PROFILE = Profile(
    name="bounded",
    title="data in a ball of radius R, bounded in T",
    rules=Rules(
        {
            EI: ("R d", lambda: (pointwise(_smoothed_phi(S.Zero)),)),
            "ddim": (
                "R d",
                lambda: (
                    Rule(
                        steps=lam_rise(a, b)
                        / 2
                        * (sqrt(d) * R**2 / 2 * lam_drop(a, b, Integer(2)) + 3 * R**3 / 10 * lam_drop(a, b, Integer(3)))
                    ),
                ),
            ),
        }
    ),
    assumptions=(BOUNDED,),
    acceleration=lambda: _smoothed_acceleration(S.Zero),
    derivation="The smoothed profile at tau = 0; for DDIM b <= d^(1/2) R^2/lam^3 + (9/10) R^3/lam^4.",
    reference="theory 3.2 (e), 3.10",
    no_tau=True,
)


def _curved(*others: Any) -> Rule:
    """(h1): Heun's method at second order for data in a ball."""
    ratio = (R / lam(a)) ** 2
    early, late = (smallest(information(x * lam(a) ** 2, d, m2), *others) for x in (Rational(4, 9), 1))
    growth = sqrt((27 + Rational(333, 2) * ratio + Rational(945, 4) * ratio**2) * early)
    return _second_order(R * (growth + (sqrt(ratio + 8 * ratio**2) + 2) * sqrt(late)), R * sqrt(late))


def _in_ball(teacher: str, *others: Any) -> tuple[Rule, ...]:
    """Data in a ball: (p2), (p3), for Heun (h1); ``others`` bound the information too."""
    square = _in_lam(teacher, 2, _shared(S.Zero, *others))
    cube = _in_lam(teacher, 3, R * m2 * sqrt((1 + R**2 / (3 * lam(a) ** 2)) / lam(a)))
    return (square, cube, _curved(*others)) if teacher == "heun" else (square, cube)


BOUNDED_INTEGRATED = Profile(
    name="bounded-integrated",
    title="data in a ball of radius R, integrated (R times the root of an information)",
    rules=Rules({EI: ("R d m2", lambda: (_smoothed_ei(S.Zero),)), **_in_noise_level("R d m2", "M R d m2", _in_ball)}),
    assumptions=(SECOND_MOMENT, BOUNDED),
    derivation="The posterior covariance is at most R^2 in every direction; by the energy identity the weighted energy is at most R^2 times the information of x_0 and x_t.",
    reference="theory 3.12, 3.13 (p2), (p3), (s1), 3.14 (h1)",
    centred=True,
    subspace=True,
    halved=True,
    no_tau=True,
)

# --- a finite data set ----------------------------------------------------------------------------------------------


def _finite(teacher: str) -> tuple[Rule, ...]:
    """(p1), and what holds for all data in a ball."""
    ratio = (m2 / lam(b)) ** 2
    free = Free(y, atoms_slope(nu, entropy, d, ratio, y), Fraction(1, 8), Fraction(1000))
    entropic = _in_lam(teacher, 1, sqrt(lam(b) * atoms_energy(nu, entropy, d, ratio, y)), free)
    return entropic, *_in_ball(teacher, entropy)


ATOMS_PROFILE = Profile(
    name="atoms",
    title="finite data set, free of the dimension",
    rules=Rules(
        {
            EI: ("R d m2 n_atoms", lambda: (_smoothed_ei(S.Zero, entropy),)),
            **_in_noise_level("R d m2 n_atoms", "M R d m2 n_atoms", _finite),
        }
    ),
    assumptions=(ATOMS,),
    derivation="Two posterior replicas bound E exp(tr Cov/4), the tails of the energy identity; the information of x_0 and x_t is at most the entropy of the weights.",
    reference="theory 3.12, 3.13 (p1), (p2), (p3), (s1), 3.14 (h1)",
    centred=True,
    subspace=True,
    halved=True,
    no_tau=True,
)

PROFILES: Mapping[str, Profile] = FrozenDict(
    {
        p.name: p
        for p in (
            UNIVERSAL,
            UNIVERSAL_INTEGRATED,
            SECOND_MOMENT_PROFILE,
            LIPSCHITZ_PROFILE,
            LIPSCHITZ_INTEGRATED,
            ONE_SIDED_PROFILE,
            SMOOTHED_PROFILE,
            SMOOTHED_INTEGRATED,
            BOUNDED_PROFILE,
            BOUNDED_INTEGRATED,
            ATOMS_PROFILE,
        )
    }
)
"""The profiles of theory 3.2, 3.11 and 3.13: pointwise and integrated ones in pairs."""

NAMES: tuple[str, ...] = ("auto", *PROFILES)


REPLACED: Mapping[str, str] = FrozenDict({"lipschitz-decay": "lipschitz-integrated"})
"""Profiles of earlier versions, and what took their place."""


def profile(name: str) -> Profile:
    """The built-in profile called ``name``; raises :class:`UnknownNameError` with the nearest name."""
    if isinstance(name, str) and name in REPLACED:
        raise InputError(f"profile {name!r} was replaced by {REPLACED[name]!r}, which is sharper under the same assumptions")
    if name == MEASURED:
        raise InputError("profile 'measured' is made from data: --data FILE, or profile=cmbound.measured_profile(data)")
    if not isinstance(name, str) or name not in PROFILES:
        raise UnknownNameError("profile", name, NAMES)
    return PROFILES[name]


@lru_cache(maxsize=4096)
def unavailable(p: Profile, teacher: str, given: frozenset[str], tau_positive: bool) -> str | None:
    """Why ``p`` cannot be used with the given parameters, or None."""
    if teacher not in p.rules:
        return f"profile {p.name!r} does not cover the {teacher} teacher (it covers {', '.join(p.rules)})"
    if p.no_tau and tau_positive:
        return f"profile {p.name!r} needs tau = 0: with tau > 0, R is the radius of U, not of the data"
    have = given | {"t_star"}
    if p.halved and "diameter" in have:
        have |= {"R"}
    if p.centred and have & ({"sd2", "R"} if p.halved else {"sd2"}):
        have |= {"m2"}
    missing = sorted(p.parameters(teacher) - have)
    if missing:
        return f"profile {p.name!r} needs {', '.join(missing)}"
    return None


def specialised(p: Profile, teacher: str, given: frozenset[str]) -> tuple[Rule, ...]:
    """The rules of ``p`` for ``teacher`` with these parameters given (:func:`specialisation`)."""
    return _specialised(p, teacher, given & _INSTEAD)


@lru_cache(maxsize=512)
@alone
def _specialised(p: Profile, teacher: str, given: frozenset[str]) -> tuple[Rule, ...]:
    known = specialisation(p, teacher, given)
    return tuple(rule.specialise(known) for rule in p.rules[teacher])


_INSTEAD = frozenset({"m2", "sd2", "R", "d_eff", "diameter", "cov_eigs"})


def specialisation(p: Profile, teacher: str, given: frozenset[str]) -> Callable[[Any], Any]:
    """Puts what may stand for a parameter in its place, where it is given and ``p`` allows it.

    That is: ``sd2`` or the radius for m2, ``d_eff`` for d, half the ``diameter`` for R, and the eigenvalues ``cov_eigs`` for
    what only the trace of the covariance says.
    """
    values: dict[Any, Any] = {}
    if p.centred:
        around = [sd2] if "sd2" in given else [m2] if "m2" in given else []
        radii = {"R": R, "diameter": diameter / sqrt(2)} if p.halved else {}
        noise = 0 if p.no_tau else d * tau**2
        values[m2] = smallest(*around, *(sqrt(x**2 + noise) for name, x in radii.items() if name in given))
    if p.halved and "diameter" in given:
        values[R] = smallest(R, diameter / 2) if "R" in given else diameter / 2
    inside = {d: d_eff} if "d_eff" in given else {}
    if p.subspace and teacher != EI:
        values.update(inside)

    def known(expr: Any) -> Any:
        """A better bound on the information and on the error of an estimate than by the trace of the covariance alone."""
        better = {e: Min(e.xreplace(inside), *_spectral_information(given, e)) for e in expr.atoms(information)}
        if "cov_eigs" in given:
            better |= {e: spectral(1, 1 / e.args[0], 0, cov_eigs) for e in expr.atoms(mmse)}
        return exchanged(exchanged(expr, better), values)

    return known


def _spectral_information(given: frozenset[str], e: Any) -> list[Any]:
    """The bound on the mutual information ``e`` by the eigenvalues of the covariance, where they are given."""
    return [spectral(0, 1 / e.args[0], tau**2 if e.has(tau) else S.Zero, cov_eigs) / 2] if "cov_eigs" in given else []
