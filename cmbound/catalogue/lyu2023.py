"""Lyu, Chen, Feng, "Convergence guarantee for consistency models" (arXiv:2308.11449; ICML 2024): order form.

Constants are hidden in the paper; every term carries the unspecified constant C, so none of these is a bound until
somebody supplies C. ``stated``: the form is confirmed by reviews that quote it; ``implied``: fixed by what is stated.
"""

from __future__ import annotations

from collections.abc import Callable

from sympy import Rational, exp

from cmbound.theory.named import largest, log, sqrt
from cmbound.theory.notation import C, L_f, L_s, R, T, W_prev, d, delta, eps, eps_cm, eps_sc, eta, h, k, m2, t, t_hat
from cmbound.theory.records import Assumption, Reference, Term, Theorem

PAPER = "lyu2023"
THREE_HALVES = Rational(3, 2)

M = largest(sqrt(d), m2)
CONSISTENCY, SCORE, DISCRETISATION = eps_cm, L_f * eps_sc, L_f * L_s**THREE_HALVES * sqrt(d) * h
INITIALISATION = M * L_f * exp(-T)
HALVING = 2 ** (-k)
SETTLE = log(2 * L_f) + delta
STEPS = T**2 * L_f * L_s**THREE_HALVES * sqrt(d) / eps
"""T/h with the recipe of Corollary 4 for an accuracy eps in W2."""

SECOND_MOMENT = Assumption("A1", "the data have a finite second moment $m2$ (Assumption 1)")
LIPSCHITZ_SCORE = Assumption("A2", "the score $s(., t)$ is $L_s$-Lipschitz for all $t$ (Assumption 2)")
SCORE_ERROR = Assumption("A3", "the $L2$ score error is at most $eps_sc$ at every grid time (Assumption 3)")
CONSISTENCY_ERROR = Assumption("A4", "the $L2$ consistency error of step $n$ is at most $eps_cm h_n$ (Assumption 4)")
LIPSCHITZ_MODEL = Assumption("A5", "$f_theta(., t_n)$ is $L_f$-Lipschitz for all $n$ (Assumption 5)")
GRID = Assumption("A6", "two-stage grid: step $h$ down to about $h$, then halving steps (Assumption 6)")
LONG = Assumption("horizon", "$T >= 1/L_s$", 1 / L_s <= T)
ORDERED = Assumption("interval", "$delta < T$", delta < T)
SHORT = Assumption("step", "$h <= T$", h <= T)
STEP = Assumption("step", "$h <= T - delta$", h <= T - delta)
ALL = (SECOND_MOMENT, LIPSCHITZ_SCORE, SCORE_ERROR, CONSISTENCY_ERROR, LIPSCHITZ_MODEL, GRID)

STATED = "order form as quoted by reviews of the paper; constants hidden"
IMPLIED = "fixed by the stated results; wording of the paper not seen; constants hidden"


def _one_step(prefactor: object) -> tuple[Term, ...]:
    """prefactor times (M L_f e^{-T} + T B), split by origin."""
    return (
        Term("initialisation", C * prefactor * INITIALISATION),
        Term("consistency", C * prefactor * T * CONSISTENCY),
        Term("score", C * prefactor * T * SCORE),
        Term("discretisation", C * prefactor * T * DISCRETISATION),
    )


STATEMENTS: tuple[Callable[[], Theorem], ...] = (
    lambda: Theorem(
        id="lyu2023-thm2",
        title="$L2$ error of the learned consistency map",
        kind="order",
        status="implied",
        metric="$L2$ map error",
        quantity="(E norm(f_theta(x_t, t) - f(x_t, t))^2)^(1/2), x_t ~ p_t",
        quantity_latex=r"\left(E_{p_{t}} \left\| f_\theta - f \right\|^2\right)^{1/2}",
        reference=Reference(PAPER, "Theorem 2"),
        provenance=IMPLIED,
        sources=(
            Term("consistency", C * t * CONSISTENCY),
            Term("score", C * t * SCORE),
            Term("discretisation", C * (t * DISCRETISATION + sqrt(t) * L_f * L_s * sqrt(d) * h)),
        ),
        statement_assumptions=(*ALL, Assumption("step", "$h <= t$", h <= t)),
        derivation="Telescope along the exact trajectory; one exponential-integrator step errs by L_s^(3/2) d^(1/2) h^2.",
        experiment="map_error",
    ),
    lambda: Theorem(
        id="lyu2023-thm3",
        title="One-step sampling: distance to the early-stopped law",
        kind="order",
        status="stated",
        metric="$W2$",
        quantity="W2(f_theta(., T)#N(0, I), p_delta)",
        quantity_latex=r"W_2\left(f_\theta(\cdot, T)_\# \mathcal{N}(0, I), p_\delta\right)",
        reference=Reference(PAPER, "Theorem 3"),
        provenance=STATED,
        sources=_one_step(1),
        statement_assumptions=(*ALL, LONG, SHORT),
        derivation="Theorem 2 at t = T, and N(0, I) is within M e^{-T} of p_T.",
        rests_on=("lyu2023-thm2",),
        experiment="one_step_to_p_delta",
    ),
    lambda: Theorem(
        id="lyu2023-cor4",
        title="One-step sampling: distance to the data law",
        kind="order",
        status="stated",
        metric="$W2$",
        quantity="W2(f_theta(., T)#N(0, I), p_data)",
        quantity_latex=r"W_2\left(f_\theta(\cdot, T)_\# \mathcal{N}(0, I), p_{\mathrm{data}}\right)",
        reference=Reference(PAPER, "Corollary 4"),
        provenance=STATED,
        sources=(*_one_step(1), Term("early_stopping", C * M * sqrt(delta))),
        statement_assumptions=(*ALL, LONG, ORDERED, STEP),
        derivation="Theorem 3 and W2(p_delta, p_data) of order M delta^(1/2).",
        rests_on=("lyu2023-thm3",),
        complexity=STEPS,
        experiment="one_step",
    ),
    lambda: Theorem(
        id="lyu2023-cor5",
        title="Multistep sampling: one more evaluation",
        kind="order",
        status="stated",
        metric="$W2$",
        quantity="W2(q_k, p_delta)",
        quantity_latex=r"W_2\left(q_k, p_\delta\right)",
        reference=Reference(PAPER, "Corollary 5"),
        provenance="recursion as quoted by reviews of the paper; constants hidden",
        sources=(
            Term("initialisation", C * L_f * exp(-(t_hat - delta)) * W_prev),
            Term("consistency", C * t_hat * CONSISTENCY),
            Term("score", C * t_hat * SCORE),
            Term("discretisation", C * t_hat * DISCRETISATION),
        ),
        statement_assumptions=(
            *ALL,
            Assumption("time", "$delta < t_hat$", t_hat > delta),
            Assumption("step", "$h <= t_hat - delta$", h <= t_hat - delta),
        ),
        derivation="Noising back from delta to t contracts W2 by e^{-(t - delta)}; then Theorem 2 at t.",
        rests_on=("lyu2023-thm2",),
        experiment="one_more_step",
    ),
    lambda: Theorem(
        id="lyu2023-cor6",
        title="Multistep sampling at a fixed time",
        kind="order",
        status="implied",
        metric="$W2$",
        quantity="W2(q_k, p_data)",
        quantity_latex=r"W_2\left(q_k, p_{\mathrm{data}}\right)",
        reference=Reference(PAPER, "Corollary 6"),
        provenance="condition stated; formula implied; constants hidden",
        sources=(
            Term("initialisation", C * HALVING * INITIALISATION),
            Term("consistency", C * (HALVING * T * CONSISTENCY + SETTLE * CONSISTENCY)),
            Term("score", C * (HALVING * T * SCORE + SETTLE * SCORE)),
            Term("discretisation", C * (HALVING * T * DISCRETISATION + SETTLE * DISCRETISATION)),
            Term("early_stopping", C * M * sqrt(delta)),
        ),
        statement_assumptions=(
            *ALL,
            LONG,
            Assumption("settle", "$T >= log(2 L_f) + delta$", T >= SETTLE),
            Assumption("fixed time", "every evaluation after the first is at a time of order $log(2 L_f) + delta$"),
            STEP,
        ),
        derivation="At t_hat = log(2 L_f) + delta the recursion of Corollary 5 halves the distance.",
        rests_on=("lyu2023-cor5", "lyu2023-thm3"),
        experiment="settled_multistep",
    ),
    lambda: Theorem(
        id="lyu2023-lem7",
        title="Lipschitz constant of the score for bounded data",
        kind="order",
        status="stated",
        metric="Lipschitz constant of the score",
        quantity="L_s on [delta, T]",
        quantity_latex=r"L_s",
        reference=Reference(PAPER, "Lemma 7"),
        provenance="stated for R^2 >= delta; in general the larger of 1/delta and R^2/delta^2; constants hidden",
        sources=(Term("score_lipschitz", C * largest(1 / delta, R**2 / delta**2)),),
        statement_assumptions=(Assumption("support", "the data lie in a ball of radius $R$"),),
        derivation="The Hessian of log p_t is (Cov(z|y) - I)/s_t^2 and the posterior covariance of x_0 is at most R^2.",
        experiment="score_lipschitz",
    ),
    lambda: Theorem(
        id="lyu2023-cor8",
        title="Step size for bounded data and target accuracy $eps$",
        kind="order",
        status="stated",
        metric="step size",
        quantity="h for W2(., p_data) of order eps, with delta of order eps^2/max(R^2, d)",
        quantity_latex=r"h",
        reference=Reference(PAPER, "Corollary 8"),
        provenance=STATED,
        sources=(Term("step", C * eps**7 / (sqrt(d) * R**3 * largest(R**6, d**3) * L_f * T)),),
        statement_assumptions=(
            Assumption("support", "the data lie in a ball of radius $R$"),
            SCORE_ERROR,
            CONSISTENCY_ERROR,
            LIPSCHITZ_MODEL,
            GRID,
            Assumption("radius", "$R > 0$", R > 0),
        ),
        derivation="The recipe of Corollary 4 with the L_s of Lemma 7 at delta = eps^2/max(R^2, d).",
        rests_on=("lyu2023-cor4", "lyu2023-lem7"),
        complexity=T**2 * L_f * R**3 * sqrt(d) * largest(R**6, d**3) / eps**7,
        complexity_metric="$W2$",
        experiment="step_size",
    ),
    lambda: Theorem(
        id="lyu2023-cor9",
        title="Total variation after smoothing by the forward process",
        kind="order",
        status="implied",
        metric="TV",
        quantity="TV(smoothed one-step sample, p_data)",
        quantity_latex=r"\mathrm{TV}\left(q P_\delta, p_{\mathrm{data}}\right)",
        reference=Reference(PAPER, "Corollary 9"),
        provenance="first term stated, rest implied; delta of order eps^2/(L_s^2 M^2); constants hidden",
        sources=(*_one_step(L_s * M / eps), Term("early_stopping", C * eps)),
        statement_assumptions=(*ALL, LONG, SHORT),
        derivation="Smoothing for time delta turns W2 into TV at a price delta^(-1/2); TV(p_{2 delta}, p_data) is of order eps.",
        rests_on=("lyu2023-thm3",),
        complexity=STEPS.subs(eps, eps**2 / (L_s * M)),
        experiment="tv_smoothing_for_delta",
    ),
    lambda: Theorem(
        id="lyu2023-cor10",
        title="Total variation after an underdamped Langevin corrector",
        kind="order",
        status="implied",
        metric="TV",
        quantity="TV(corrected one-step sample, p_data)",
        quantity_latex=r"\mathrm{TV}\left(q_{\mathrm{corrected}}, p_{\mathrm{data}}\right)",
        reference=Reference(PAPER, "Corollary 10"),
        provenance="implied; the number of extra steps, of order d^(1/2)/eps, is stated; constants hidden",
        sources=(
            *_one_step(sqrt(L_s)),
            Term("corrector_score", C * eps_sc / sqrt(L_s)),
            Term("corrector_discretisation", C * sqrt(L_s) * sqrt(d) * eta),
            Term("early_stopping", C * eps),
        ),
        statement_assumptions=(*ALL, LONG, SHORT, Assumption("corrector", "corrector time of order $L_s^(-1/2)$")),
        derivation="The corrector turns W2 into TV at a price L_s^(1/2); Girsanov for its score error and step.",
        rests_on=("lyu2023-thm3",),
        complexity=STEPS.subs(eps, eps / sqrt(L_s)),
        experiment="tv_short_corrector",
    ),
)
