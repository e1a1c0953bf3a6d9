"""The regularity profiles of theory 3.2 and 3.11: data, and which of them can be used (:mod:`cmbound.theory.rules`)."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Any

from sympy import Integer, Max, Min, Rational, S, log, sqrt

from cmbound.errors import UnknownNameError
from cmbound.frozen import FrozenDict
from cmbound.theory.functions import (
    I3,
    B,
    J,
    K,
    P,
    Q,
    U,
    artanh_s,
    beta,
    c,
    c_drop,
    ddim_energy,
    g,
    kap,
    kappa_h,
    lam,
    lam_drop,
    lam_log_gap,
    lam_rise,
    look_back,
    one_minus_ratio,
    rearranged,
    s,
    s_rise,
    smoothed_drop,
    v,
    w0,
)
from cmbound.theory.notation import H_2, L_s, R, a, b, d, d_eff, h, m2, n_atoms, nu, q, sd2, t, t_star, tau, y
from cmbound.theory.records import Assumption
from cmbound.theory.rules import Profile, Rule, pointwise
from cmbound.theory.variants import EI
from cmbound.threads import alone

HALF, QUARTER = Rational(1, 2), Rational(1, 4)

SECOND_MOMENT = Assumption("A1", "the data have a finite second moment $m2$ (Assumption 1)")
LIPSCHITZ = Assumption("A2", "the score $s(., t)$ is $L_s$-Lipschitz for all $t$ in $[t_star, T]$ (Assumption 2)")
BOUNDED = Assumption("support", "the data lie in a ball of radius $R$ (any centre)")
SMOOTHED = Assumption(
    "smoothed", "the data are $U + tau z$ with $z ~ N(0, I)$ independent of $U$ and $U$ in a ball of radius $R$"
)
ATOMS = Assumption("atoms", "the data are the law of $n_atoms$ points (with the given weights) in a ball of radius $R$")

# --- (a), (f): any law ----------------------------------------------------------------------------------------------

UNIVERSAL = Profile(
    name="universal",
    title="any data law, pointwise",
    rules={EI: (pointwise(sqrt(d) * J(a, b) + U(d) * I3(a, b)),), "ddim": (Rule(U(d) * lam_log_gap(a, b)),)},
    assumptions=(SECOND_MOMENT,),
    acceleration=s(t) ** -3 * (c(t) ** 2 * sqrt(d) + U(d)),
    derivation="ds/dt = c^2 s^-3 zhat - s^-3 E[w (w.z)|y]; Hoelder and Jensen on the posterior moments of z, whose prior is N(0, I).",
    reference="theory 3.2 (a), 3.10",
    subspace=True,
)

UNIVERSAL_INTEGRATED = Profile(
    name="universal-integrated",
    title="any data law, integrated over a stretch (order d instead of d^(3/2))",
    rules={
        EI: (
            Rule(
                g(h) * sqrt(d) * artanh_s(a, b)
                + kappa_h(h)
                * sqrt(I3(a, b))
                * (sqrt(4 * d * I3(a, b) + d / s(a)) + sqrt(beta(d) * I3(a, b) + d * (d + 2) / (12 * s(a)))),
                stepwise=False,
            ),
        ),
        "ddim": (
            Rule(
                q
                * (
                    sqrt(4 * d * lam_rise(a, b) + d * lam(b))
                    + sqrt(d * lam_rise(a, b))
                    + sqrt(beta(d) * lam_rise(a, b) + lam(b) * d * (d + 2) / 12)
                ),
                stepwise=False,
                energy=ddim_energy(a, b),
            ),
        ),
    },
    assumptions=(SECOND_MOMENT,),
    derivation="Ito for norm(v)^4 and for the posterior energy bounds the integrals of E norm(C3 - 2 zhat)^2 and E norm(M zhat)^2; Cauchy-Schwarz per step.",
    reference="theory 3.11 (f)",
    subspace=True,
)

# --- (b): finite second moment --------------------------------------------------------------------------------------

_W = Rational(3, 2)

SECOND_MOMENT_PROFILE = Profile(
    name="second-moment",
    title="finite second moment, bounded in T",
    rules={
        EI: (pointwise(sqrt(d) * J(a, b) + K(d) * sqrt(m2) * (Rational(2, 3) * lam_drop(a, b, _W) + 2 * lam_drop(a, b, HALF))),),
        "ddim": (Rule(2 * K(d) * sqrt(m2) * lam_rise(a, b, HALF) ** 2 / sqrt(lam(b))),),
    },
    assumptions=(SECOND_MOMENT,),
    acceleration=s(t) ** -3 * (c(t) ** 2 * sqrt(d) + K(d) * sqrt(c(t) * m2 / s(t))),
    derivation="E tr Cov(z|y) is at most the error of the best linear estimate, (c m2/s)^2; Hoelder with the exact moments of norm(z)^2.",
    reference="theory 3.2 (b), 3.10",
    centred=True,
    subspace=True,
)

# --- (c), (d): Lipschitz scores -------------------------------------------------------------------------------------

_LIPSCHITZ_RULE = pointwise(
    sqrt(d) * ((1 + L_s) * P(L_s, a, b) + sqrt(2) * L_s * kap(L_s) * Q(L_s, t_star, a, b)),
    breakpoints=(-log(1 - 1 / L_s) / 2, t_star + log(1 + w0(L_s)) / 2),
)
_LIPSCHITZ_A = sqrt(d) * (
    (1 + L_s) * Min(sqrt(L_s), 1 / s(t)) + sqrt(2) * L_s * kap(L_s) * Max(1 / sqrt(w0(L_s)), 1 / lam(t - t_star))
)


def _decay_fisher(time: Any) -> Any:
    return c(time) ** 2 * m2**2 + d * c(time) ** 4 / s(time) ** 2


_TAIL = 2 * L_s * (3 * L_s + 1) / (2 * L_s + 1)
_BACK = look_back(L_s)
_DECAY_A = (
    sqrt(8 * d * L_s * (3 * L_s + 1)) * sqrt(_decay_fisher(t - _BACK))
    + sqrt(1 + L_s) / s(t) * (d * (d + 2) * _TAIL * _decay_fisher(t - _BACK)) ** QUARTER
)
_DECAY_RULE = pointwise(
    sqrt(8 * d * L_s * (3 * L_s + 1)) * (m2 * c_drop(a - _BACK, b - _BACK) + sqrt(d) * s_rise(a - _BACK, b - _BACK))
    + sqrt(1 + L_s)
    / s(a)
    * (d * (d + 2) * _TAIL) ** QUARTER
    * (2 * sqrt(m2) * c_drop(a - _BACK, b - _BACK, HALF) + d**QUARTER / sqrt(s(a - _BACK)) * c_drop(a - _BACK, b - _BACK)),
    additive=False,
    valid_from=t_star + Rational(101, 100) * _BACK,
    breakpoints=(t_star + 2 * _BACK,),
)

LIPSCHITZ_PROFILE = Profile(
    name="lipschitz",
    title="Lipschitz scores (the paper's Assumption 2)",
    rules={EI: (_LIPSCHITZ_RULE,)},
    assumptions=(LIPSCHITZ,),
    acceleration=_LIPSCHITZ_A,
    derivation="E norm(s)^2 = -E tr H; for grad Delta log p look back by w, integrate by parts, Brascamp-Lieb and Bochner on the log-concave posterior.",
    reference="theory 3.2 (c)",
)

LIPSCHITZ_DECAY = Profile(
    name="lipschitz-decay",
    title="Lipschitz scores and second moment: (c), then a bound that decays in t",
    rules={EI: (_LIPSCHITZ_RULE, _DECAY_RULE)},
    assumptions=(SECOND_MOMENT, LIPSCHITZ),
    acceleration=_DECAY_A,
    derivation="The relative score s + x has E norm(s + x)^2 at most the relative Fisher information, which decays; same covariance identities.",
    reference="theory 3.2 (d)",
)

# --- (e): bounded and smoothed data ---------------------------------------------------------------------------------


def _smoothed_phi(tau: Any) -> Any:
    noise = rearranged(1 / sqrt(v(tau, a)) - 1 / sqrt(v(tau, b)), (1 - tau) * (1 + tau) * smoothed_drop(tau, a, b, HALF))
    spread = noise + R**2 / 3 * smoothed_drop(tau, a, b, Rational(3, 2))
    return sqrt(d) * spread + 9 * R**3 / 40 * smoothed_drop(tau, a, b, Integer(2))


def _smoothed_acceleration(tau: Any) -> Any:
    inner = (1 - tau**2) / v(tau, t)
    spread = Max(inner, R**2 / v(tau, t) ** 2 - inner)
    return c(t) ** 2 / sqrt(v(tau, t)) * sqrt(d) * spread + Rational(9, 10) * c(t) ** 3 * R**3 / v(tau, t) ** 3


SMOOTHED_PROFILE = Profile(
    name="smoothed",
    title="bounded variable plus Gaussian noise of width tau, bounded in T",
    rules={EI: (pointwise(_smoothed_phi(tau)),)},
    assumptions=(SMOOTHED,),
    acceleration=_smoothed_acceleration(tau),
    derivation="Eigenvalues of H lie in [-1/v, c^2 R^2/v^2 - 1/v]; grad Delta log p is a posterior third cumulant of U, at most (9/10) R^3 (c/v)^3.",
    reference="theory 3.2 (e)",
)

BOUNDED_PROFILE = Profile(
    name="bounded",
    title="data in a ball of radius R, bounded in T",
    rules={
        EI: (pointwise(_smoothed_phi(S.Zero)),),
        "ddim": (
            Rule(
                lam_rise(a, b)
                / 2
                * (sqrt(d) * R**2 / 2 * lam_drop(a, b, Integer(2)) + 3 * R**3 / 10 * lam_drop(a, b, Integer(3)))
            ),
        ),
    },
    assumptions=(BOUNDED,),
    acceleration=_smoothed_acceleration(S.Zero),
    derivation="The smoothed profile at tau = 0; for DDIM b <= d^(1/2) R^2/lam^3 + (9/10) R^3/lam^4.",
    reference="theory 3.2 (e), 3.10",
    no_tau=True,
)

# --- (g): a finite data set -----------------------------------------------------------------------------------------

ATOMS_PROFILE = Profile(
    name="atoms",
    title="finite data set, free of the dimension",
    rules={
        "ddim": (
            Rule(
                q * sqrt(lam(b) * B(nu, H_2, y)),
                stepwise=False,
                energy=ddim_energy(a, b),
                free={y: tuple(Fraction(50 * 3 + i, 50) for i in range(2000))},
            ),
            Rule(one_minus_ratio(a, b) * 4 * R**2 * sqrt(log(sqrt(2) * n_atoms)) * lam_drop(a, b, Integer(1))),
        )
    },
    assumptions=(ATOMS,),
    derivation="Two posterior replicas bound E exp(tr Cov/4); the information I(x_0; y) has a drift that pays for E norm(A)^2; late steps by norm(A) <= (4 R^2/lam^2) log(2^(1/2) n)^(1/2).",
    reference="theory 3.11 (g)",
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
            LIPSCHITZ_DECAY,
            SMOOTHED_PROFILE,
            BOUNDED_PROFILE,
            ATOMS_PROFILE,
        )
    }
)
"""The eight profiles of theory 3.2 and 3.11, in the order of the table there."""

NAMES: tuple[str, ...] = ("auto", *PROFILES)


def profile(name: str) -> Profile:
    """The built-in profile called ``name``; raises :class:`UnknownNameError` with the nearest name."""
    if not isinstance(name, str) or name not in PROFILES:
        raise UnknownNameError("profile", name, NAMES)
    return PROFILES[name]


def unavailable(p: Profile, teacher: str, given: frozenset[str], tau_positive: bool) -> str | None:
    """Why ``p`` cannot be used with the given parameters, or None."""
    if teacher not in p.rules:
        return f"profile {p.name!r} does not cover the {teacher} teacher (it covers {', '.join(p.rules)})"
    if p.no_tau and tau_positive:
        return f"profile {p.name!r} needs tau = 0: with tau > 0, R is the radius of U, not of the data"
    have = given | {"t_star"}
    if p.centred and "sd2" in have:
        have |= {"m2"}
    missing = sorted(p.parameters(teacher) - have)
    if missing:
        return f"profile {p.name!r} needs {', '.join(missing)}"
    return None


def specialised(p: Profile, teacher: str, given: frozenset[str]) -> tuple[Rule, ...]:
    """The rules of ``p`` for ``teacher``, with ``sd2`` for m2 and ``d_eff`` for d where given and allowed."""
    centred = p.centred and "sd2" in given
    subspace = p.subspace and teacher == "ddim" and "d_eff" in given
    return _specialised(p, teacher, centred, subspace)


@lru_cache(maxsize=256)
@alone
def _specialised(p: Profile, teacher: str, centred: bool, subspace: bool) -> tuple[Rule, ...]:
    values: dict[Any, Any] = {**({m2: sd2} if centred else {}), **({d: d_eff} if subspace else {})}
    return tuple(rule.specialise(values) for rule in p.rules[teacher]) if values else p.rules[teacher]
