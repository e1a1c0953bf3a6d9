"""Corollaries as data: what the package proves about orders from the statements beside this file.

This file is not a source of statements. A corollary names a statement, what to put in the place of its parameters, and
the order that comes out; :func:`cmbound.analysis.corollaries.check_corollary` derives the order and compares. Adding a
corollary means adding a record.
"""

from __future__ import annotations

from typing import Any

from sympy import Integer, Rational, S, exp, log, sqrt

from cmbound.catalogue.lyu2023 import SETTLE, STEPS, M
from cmbound.frozen import FrozenDict
from cmbound.theory.functions import c, lam, one_minus_s, rho_squared
from cmbound.theory.named import largest, plain
from cmbound.theory.profiles import ATOMS_PROFILE
from cmbound.theory.records import Corollary

from cmbound.theory.notation import (  # isort: skip
    C, L_f, L_phi, L_s, N, R, T, W_prev, a, b, d, delta, entropy, eps, eps_cm, eps_sc, eta, gamma, h, k, m2, n_atoms, nu, t_hat,
    tau_c, u, y,
)  # fmt: skip

THREE_HALVES = Rational(3, 2)

# --- the paper ------------------------------------------------------------------------------------------------------

H_RECIPE = eps / (T * L_f * L_s**THREE_HALVES * sqrt(d))
RECIPE = FrozenDict({delta: eps**2 / M**2, eps_cm: eps / T, eps_sc: eps / (T * L_f), h: H_RECIPE})
"""Corollary 4, for a target eps; the horizon stays a symbol."""
HORIZON = log(M * L_f / eps)


def _accuracy(target: Any) -> dict[Any, Any]:
    """The recipe for W2 of order ``target``, with its horizon."""
    return {x: y.subs(eps, target) for x, y in {**RECIPE, T: HORIZON}.items() if x != delta}


BOUNDED_LIPSCHITZ = FrozenDict({L_s: R**2 / delta**2, delta: eps**2 / largest(R**2, d)})
W2_FOR_SMOOTHING = eps**2 / (L_s * M)
W2_FOR_CORRECTOR = eps / sqrt(L_s)

PAPER: tuple[Corollary, ...] = (
    Corollary(
        id="cor4-recipe",
        statement="lyu2023-cor4",
        substitution={**RECIPE, T: HORIZON},
        claim=eps,
        reference="lyu2023, Corollary 4",
        text="with the recipe of Corollary 4 every term, and so the sum, is a multiple of $eps$",
    ),
    Corollary(
        id="cor4-complexity",
        statement="lyu2023-cor4",
        quantity=T / h,
        substitution={h: H_RECIPE},
        claim=STEPS,
        exact=True,
        reference="theory 2",
        text="the recipe implies $N = T/h = T^2 L_f L_s^(3/2) d^(1/2)/eps$ steps",
    ),
    Corollary(
        id="cor6-halving",
        statement="lyu2023-cor5",
        quantity="initialisation",
        substitution={t_hat: SETTLE, C: S.One},
        claim=W_prev / 2,
        exact=True,
        reference="lyu2023, Corollary 6",
        text="at $t_hat = log(2 L_f) + delta$ another evaluation halves the distance exactly",
    ),
    Corollary(
        id="cor6-recipe",
        statement="lyu2023-cor6",
        substitution={**RECIPE, T: HORIZON, k: Integer(1)},
        claim=eps,
        limits=("eps", "L_f", "d", "m2", "L_s"),
        reference="lyu2023, Corollary 6",
        text="with the recipe of Corollary 4 the multistep bound is of order $eps$ too",
    ),
    Corollary(
        id="cor8-step",
        statement="lyu2023-cor8",
        substitution={C: S.One},
        claim=H_RECIPE.subs(L_s, BOUNDED_LIPSCHITZ[L_s]).subs(delta, BOUNDED_LIPSCHITZ[delta]),
        exact=True,
        reference="lyu2023, Corollary 8",
        text="$L_s = R^2/delta^2$ and $delta = eps^2/max(R^2, d)$ in the recipe's $h$ give the step of Corollary 8 exactly",
    ),
    Corollary(
        id="cor8-complexity",
        statement="lyu2023-cor4",
        quantity=T / h,
        substitution={h: H_RECIPE, **BOUNDED_LIPSCHITZ},
        claim=T**2 * L_f * R**3 * sqrt(d) * largest(R**6, d**3) / eps**7,
        exact=True,
        reference="lyu2023, Corollary 8",
        text="bounded data in the paper: $N = T/h = T^2 L_f R^3 max(R^6, d^3) d^(1/2)/eps^7$ steps",
    ),
    Corollary(
        id="cor9-recipe",
        statement="lyu2023-cor9",
        substitution=_accuracy(W2_FOR_SMOOTHING),
        claim=eps,
        reference="lyu2023, Corollary 9",
        text="TV of order $eps$ follows from $W2$ of order $eps^2/(L_s M)$: the bound is then a multiple of $eps$",
    ),
    Corollary(
        id="cor9-complexity",
        statement="lyu2023-cor9",
        quantity=T / h,
        substitution={h: H_RECIPE.subs(eps, W2_FOR_SMOOTHING)},
        claim=T**2 * L_f * L_s ** Rational(5, 2) * sqrt(d) * M / eps**2,
        exact=True,
        reference="lyu2023, Corollary 9",
        text="TV $eps$ by smoothing takes $N = T^2 L_f L_s^(5/2) d^(1/2) M/eps^2$ steps",
    ),
    Corollary(
        id="cor10-recipe",
        statement="lyu2023-cor10",
        substitution={**_accuracy(W2_FOR_CORRECTOR), eta: eps / sqrt(L_s * d)},
        claim=eps,
        limits=("eps", "L_f", "d", "m2", "L_s"),
        reference="lyu2023, Corollary 10",
        text="TV of order $eps$ follows from $W2$ of order $eps/L_s^(1/2)$ and a corrector step $eta = eps/(L_s d)^(1/2)$",
    ),
    Corollary(
        id="cor10-steps",
        statement="lyu2023-cor10",
        quantity=1 / (sqrt(L_s) * eta),
        substitution={eta: eps / sqrt(L_s * d)},
        claim=sqrt(d) / eps,
        exact=True,
        reference="lyu2023, Corollary 10",
        text="a corrector of time $L_s^(-1/2)$ with that step takes $d^(1/2)/eps$ extra steps",
    ),
)

# --- the explicit form ----------------------------------------------------------------------------------------------

STOPPED = eps**2 / d
"""Early stopping of order eps."""


def _steps(profile: str, count: Any, limits: tuple[str, ...] = ("eps", "d", "L_f")) -> dict[str, Any]:
    """One-step sampling with N uniform steps: the discretisation error is of order eps."""
    return {
        "statement": "explicit-one-step",
        "options": {"profile": profile},
        "quantity": "discretisation",
        "substitution": {h: (T - delta) / N, N: count, delta: STOPPED},
        "claim": eps,
        "limits": limits,
    }


def _in_horizon(profile: str, claim: Any, text: str) -> Corollary:
    return Corollary(
        id=f"horizon-{profile}",
        statement="explicit-one-step",
        options={"profile": profile},
        quantity="discretisation",
        substitution={},
        claim=claim,
        limits=("T",),
        reference="theory 3.2",
        text=text,
    )


LOGARITHMS = sqrt(d) * log(L_s) + m2 * sqrt(log(L_s))
"""What L_s^(1/2) is multiplied with under Lipschitz scores (theory 3.13)."""
_EARLY, _, _LATE = ATOMS_PROFILE.rules["ddim"]
_LOG_RATIO = log(lam(T) / lam(delta)) / N  # logarithm of the ratio of a geometric grid of N steps from delta to T
_MIDDLE = log(1 + R**2) / 2  # lam = R
ATOMS_ON_A_GEOMETRIC_GRID = plain(
    L_f
    * (
        sqrt(rho_squared(_LOG_RATIO) * R) * _EARLY.roots[0].factor.subs(b, _MIDDLE)
        + (1 - exp(-_LOG_RATIO)) / sqrt(3 * R) * _LATE.roots[0].factor.subs(a, _MIDDLE)
    )
)
"""(p1) up to lam = R and (p3) beyond, summed over a geometric grid (weights at most L_f, the sums of steps telescope)."""

EXPLICIT: tuple[Corollary, ...] = (
    Corollary(
        id="explicit-recipe",
        statement="explicit-one-step",
        options={"profile": "lipschitz"},
        substitution={**RECIPE, T: HORIZON},
        claim=eps,
        limits=("eps", "L_f", "d", "m2", "L_s"),
        reference="theory 3.4",
        text="the recipe of Corollary 4 in the explicit theorem, with every constant, gives $W2$ of order $eps$",
    ),
    Corollary(
        id="explicit-halving",
        statement="explicit-multistep",
        options={"profile": "universal"},
        quantity="initialisation",
        substitution={t_hat: SETTLE},
        claim=2 ** (1 - k) * L_f * plain(sqrt(c(T) ** 2 * m2**2 + one_minus_s(T) ** 2 * d)),
        exact=True,
        reference="theory 3.5",
        text="at $t_hat = log(2 L_f) + delta$ the initialisation error is $2^(1-k)$ times that of one-step sampling",
    ),
    Corollary(
        id="any-law-integrated",
        **_steps("universal-integrated", T * L_f * d**THREE_HALVES / eps**2),
        reference="theory 3.11 (f)",
        text="any data law, bounded or not: $N$ of order $T L_f d^(3/2)/eps^2$ steps (for fixed $T$) against $eps^(-7)$ in Corollary 8",
    ),
    Corollary(
        id="any-law-pointwise",
        **_steps("universal", T * L_f * d**2 / eps**2),
        reference="theory 3.2 (a)",
        text="the same with the pointwise universal profile takes $N$ of order $T L_f d^2/eps^2$ steps",
    ),
    Corollary(
        id="lipschitz-steps",
        **_steps(
            "lipschitz-integrated",
            T * L_f * sqrt(L_s) * LOGARITHMS / eps,
            ("eps", "L_f", "d", "L_s"),
        ),
        reference="theory 3.13 (c*)",
        text="Lipschitz scores: $N$ of order $T L_f ((L_s d)^(1/2) log(L_s) + sd2 (L_s log(L_s))^(1/2))/eps$ uniform steps, where the paper has $T^2 L_f L_s^(3/2) d^(1/2)/eps$",
    ),
    Corollary(
        id="any-law-stopping",
        statement="explicit-one-step",
        quantity="early_stopping",
        substitution={delta: STOPPED},
        claim=eps,
        limits=("eps", "d"),
        reference="theory 3.4",
        text="stopping at $delta = eps^2/d$ costs $W2$ of order $eps$",
    ),
    Corollary(
        id="atoms-free-of-dimension",
        statement="explicit-one-step",
        options={"teacher": "ddim", "profile": "atoms"},
        quantity=ATOMS_ON_A_GEOMETRIC_GRID,
        substitution={
            N: L_f * R * log(lam(T) / lam(delta)) / eps,
            y: Integer(3),
            nu: n_atoms,
            entropy: log(n_atoms),
        },
        claim=eps,
        limits=("eps", "d", "L_f"),
        reference="theory 3.13 (p1), (p3)",
        text="a finite data set: $L_f R log(lam_T/lam_delta)/eps$ geometric DDIM steps, whatever $d$, give a discretisation error of order $eps$",
    ),
    _in_horizon("universal", T, "any data law: the discretisation term is linear in $T$"),
    _in_horizon("lipschitz", T, "Lipschitz scores alone (Assumption 2): the discretisation term is linear in $T$"),
    _in_horizon("lipschitz-integrated", S.One, "Assumptions 1 and 2 together: no factor $T$ in the discretisation term"),
    _in_horizon("second-moment", S.One, "a second moment alone: no factor $T$ in the discretisation term"),
    _in_horizon("bounded", S.One, "bounded data: no factor $T$ in the discretisation term"),
    Corollary(
        id="explicit-lemma7",
        statement="explicit-score-lipschitz",
        substitution={},
        claim=R**2 / delta**2,
        limits=("delta", "R"),
        reference="theory 3.3",
        text="the explicit Lemma 7 has the order $R^2/delta^2$ of the paper's",
    ),
    Corollary(
        id="map-lipschitz-horizon",
        statement="explicit-map-lipschitz",
        substitution={},
        claim=S.One,
        limits=("t",),
        reference="theory 3.3",
        text="the Lipschitz constant of the exact consistency map is bounded in the horizon: it does not grow like $e^T$",
    ),
)

TV_LIMITS = ("eps", "L_f", "d", "m2", "L_s")
TV_TIME = eps / (L_s * M)
"""Time that TV(p_t, p_data), which is linear in t, allows for eps."""
CORRECTOR = FrozenDict({L_phi: L_s, gamma: sqrt(L_s), tau_c: 1 / sqrt(L_s), eta: eps / sqrt(L_s * d)})

TOTAL_VARIATION: tuple[Corollary, ...] = (
    Corollary(
        id="tv-smoothing-w2",
        statement="explicit-tv-smoothing",
        options={"profile": "lipschitz"},
        quantity="initialisation+consistency+score+discretisation",
        substitution={**_accuracy(eps * sqrt(TV_TIME)), u: TV_TIME, delta: TV_TIME},
        claim=eps,
        limits=TV_LIMITS,
        reference="theory 3.7",
        text="TV of order $eps$ by smoothing needs $W2$ of order $eps^(3/2)/(L_s M)^(1/2)$, against $eps^2/(L_s M)$ in Corollary 9",
    ),
    Corollary(
        id="tv-smoothing-time",
        statement="explicit-tv-smoothing",
        options={"profile": "lipschitz"},
        quantity="smoothing+early_stopping",
        substitution={u: TV_TIME, delta: TV_TIME},
        claim=eps,
        limits=("eps", "d", "m2", "L_s"),
        reference="theory 3.7",
        text="and a smoothing time of order $eps/(L_s M)$, since $TV(p_t, p_data)$ is linear in $t$",
    ),
    Corollary(
        id="tv-corrector-price",
        statement="explicit-tv-underdamped",
        options={"profile": "lipschitz"},
        quantity="initialisation",
        substitution=CORRECTOR,
        claim=sqrt(L_s),
        limits=("L_s", "eps"),
        reference="theory 3.8",
        text="the underdamped corrector turns $W2$ into TV at a price of order $L_s^(1/2)$, as in Corollary 10",
    ),
    Corollary(
        id="tv-corrector-recipe",
        statement="explicit-tv-underdamped",
        options={"profile": "lipschitz"},
        substitution={**_accuracy(W2_FOR_CORRECTOR), **CORRECTOR, delta: TV_TIME},
        claim=eps,
        limits=TV_LIMITS,
        reference="theory 3.8",
        text="TV of order $eps$ from $W2$ of order $eps/L_s^(1/2)$ and the corrector step $eta = eps/(L_s d)^(1/2)$, with every constant",
    ),
)

COROLLARIES: tuple[Corollary, ...] = (*PAPER, *EXPLICIT, *TOTAL_VARIATION)

SETTINGS = FrozenDict(
    {
        "cor4-complexity": "Lipschitz score",
        "cor8-complexity": "bounded data",
        "cor9-complexity": "Lipschitz score, smoothing",
        "lipschitz-steps": "Lipschitz score, explicit",
        "any-law-integrated": "any data law",
        "any-law-pointwise": "any data law, pointwise profile",
        "atoms-free-of-dimension": "finite data set, geometric DDIM grid",
    }
)
"""What a corollary about the number of steps assumes, in the few words that a table has room for (others show their text)."""
