"""Bounds of other papers, for comparison: score-based models, consistency models and flow maps.

Every record says how its form is known. One whose form is known in part only has no terms: it is listed with its complexity and
cannot be evaluated. ``aliases`` has the source's own symbols. Complexities leave out constants and logarithms.
"""

from __future__ import annotations

from collections.abc import Callable

from sympy import Integer, Rational, exp

from cmbound.theory.functions import c, em1, g, geometric_sum, lam, s
from cmbound.theory.named import largest, log, log1p, rearranged, sqrt
from cmbound.theory.records import Assumption, Reference, Term, Theorem
from cmbound.theory.variants import LastTime, ScheduleSum, StartGap

from cmbound.theory.notation import (  # isort: skip
    FI, KL, C, L_map, L_os, L_s, L_v, N, R, T, c_rate, d, delta, dtau, eps, eps_ci, eps_est, eps_F, eps_loss, eps_sc, eps_v,
    eps_w, gam_v, h, hbar, kappa, m2, p, sigma_high, sigma_low, t_hat, t_prev,
)  # fmt: skip

LIPSCHITZ = Assumption("A2", "the score $s(., t)$ is $L_s$-Lipschitz for all $t$ in $[0, T]$")
MOMENT = Assumption("A1", "the data have a finite second moment $m2$")
SCORE_ERROR = Assumption("A3", "the $L2$ score error is at most $eps_sc$ at every grid time")
WEIGHTED_ERROR = Assumption("score-weighted", "the step-weighted $L2$ score error is at most $eps_w$")
SMALL_STEP = Assumption("step", "$h$ is at most of order $1/L_s$")
ORDERED = Assumption("interval", "$delta < T$", delta < T)
VELOCITY = Assumption("velocity", "the velocity field is $L_v$-Lipschitz at all times in $[0, 1]$")

PATH_ERRORS = (Term("score", C * sqrt(T) * eps_sc), Term("discretisation", C * sqrt(T) * (L_s * sqrt(d * h) + L_s * m2 * h)))
"""What the score error and the steps cost along the whole path (chen2022, both samplers)."""

GROWTH = 1 + 2 * L_os
"""L_f + L_s g^2 of kwon2022 for the OU process: its drift -x is 1-Lipschitz and g^2 = 2."""

EULER_GROWTH = geometric_sum(1 + L_v / N, N) / N
"""What N equal Euler steps on [0, 1] make of errors of 1 per unit of time: ((1 + L_v/N)^N - 1)/L_v, at most (e^L_v - 1)/L_v."""
REPORTED_GROWTH = 27 * exp(4 * L_v) / largest(L_v**2, 1)
"""The factor reported for bansal2024."""
FLOW_ASSUMPTIONS = (
    Assumption(
        "velocity-error",
        "under the exact laws the $L2$ error of the learned velocity field is at most $eps_v$ at every grid time",
    ),
    Assumption("velocity", "the learned velocity field is $L_v$-Lipschitz at every grid time"),
    Assumption(
        "acceleration",
        "the mean over each step of the mean square of dv/dt along the exact flow of the velocity v is at most $gam_v$",
    ),
    Assumption("grid", "$N$ equal Euler steps on $[0, 1]$, which start from the exact law"),
)
"""What a bound on Euler steps of a flow needs (theory 3.15)."""

_LOG_RATIO = log1p((sigma_high - sigma_low) / sigma_low)
LEVEL_GAP = rearranged(sigma_high - sigma_low - sigma_low * log(sigma_high / sigma_low), sigma_low * _LOG_RATIO * g(_LOG_RATIO))

DRIFT_INFORMATION = c(T) ** 2 * m2**2 / (4 * s(T) ** 2)
"""Half the relative entropy of p_T to N(0, s_T^2 I), at most."""
NOISED_ERROR = c(t_hat) ** 2 * (t_prev * eps_ci / dtau) ** 2 / (4 * s(t_hat) ** 2)
"""Half of what noising back to t_hat adds to it: the map error at t_prev, seen through noise of variance s^2."""


STATEMENTS: tuple[Callable[[], Theorem], ...] = (
    lambda: Theorem(
        id="chen2022-ddpm",
        title="Score-based sampling (DDPM) with Lipschitz scores",
        kind="order",
        status="stated",
        metric="TV",
        quantity="TV(sampled law, p_data)",
        quantity_latex=r"\mathrm{TV}\left(q, p_{\mathrm{data}}\right)",
        reference=Reference("chen2022", "Theorem 2"),
        provenance="read in the paper; constants hidden",
        sources=(Term("initialisation", C * sqrt(KL) * exp(-T)), *PATH_ERRORS),
        statement_assumptions=(MOMENT, LIPSCHITZ, SCORE_ERROR, SMALL_STEP),
        derivation="Girsanov along the reverse process, and the OU process forgets its start. T of order log(KL/eps) and h of order "
        "eps^2/(L_s^2 d) give TV of order eps with N = T/h.",
        known="verbatim",
        aliases={"L_s": "L"},
        complexity=L_s**2 * d / eps**2,
    ),
    lambda: Theorem(
        id="chen2022-cld",
        title="Score-based sampling by critically damped Langevin dynamics",
        kind="order",
        status="stated",
        metric="TV",
        quantity="TV(sampled law, p_data)",
        quantity_latex=r"\mathrm{TV}\left(q, p_{\mathrm{data}}\right)",
        reference=Reference("chen2022", "Theorem 6"),
        provenance="read in the paper; constants hidden; h enters as in chen2022-ddpm, and so the complexity is the same",
        sources=(Term("initialisation", C * sqrt(KL + FI) * exp(-c_rate * T)), *PATH_ERRORS),
        statement_assumptions=(MOMENT, LIPSCHITZ, SCORE_ERROR, SMALL_STEP),
        derivation="As for DDPM, with the hypocoercive decay of the damped process; c_rate is a universal constant the source leaves open.",
        known="verbatim",
        aliases={"L_s": "L"},
        complexity=L_s**2 * d / eps**2,
    ),
    lambda: Theorem(
        id="chen2022-bounded",
        title="Score-based sampling for bounded data: number of steps",
        kind="order",
        status="stated",
        metric="$W2$",
        quantity="W2(projected sample, p_data)",
        quantity_latex=r"W_2\left(q, p_{\mathrm{data}}\right)",
        reference=Reference("chen2022", "corollary for bounded support"),
        provenance="complexity read in the paper; the bound behind it is not given in closed form; constants hidden",
        sources=(),
        statement_assumptions=(
            Assumption("support", "the data lie in a ball of radius $R$"),
            Assumption("projection", "samples are projected onto that ball"),
            SCORE_ERROR,
        ),
        derivation="Early stopping makes the scores Lipschitz, Theorem 2 bounds TV, and the projection turns TV into W2.",
        rests_on=("chen2022-ddpm",),
        known="verbatim",
        complexity=d**3 * R**8 * largest(R, sqrt(d)) ** 4 / eps**12,
    ),
    lambda: Theorem(
        id="chen2023-dpum",
        title="Probability-flow ODE with an underdamped corrector: number of steps",
        kind="order",
        status="unconfirmed",
        metric="TV",
        quantity="TV(sampled law, p_data)",
        quantity_latex=r"\mathrm{TV}\left(q, p_{\mathrm{data}}\right)",
        reference=Reference("chen2023", "DPUM"),
        provenance="complexity quoted by other papers; the bound itself is known from memory only and left out",
        sources=(),
        statement_assumptions=(LIPSCHITZ, Assumption("score-model", "the learned score is Lipschitz too"), SCORE_ERROR),
        derivation="Predictor steps of the ODE alternate with a corrector that turns W2 into TV. With an overdamped corrector (DPOM) "
        "the number of steps is of order L_s^3 d/eps^2.",
        known="memory",
        aliases={"L_s": "L"},
        complexity=L_s**2 * sqrt(d) / eps,
    ),
    lambda: Theorem(
        id="benton2024-linear",
        title="Score-based sampling, linear in the dimension, no smoothness",
        kind="order",
        status="stated",
        metric="$KL$",
        quantity="KL(p_delta, sampled law)",
        quantity_latex=r"\mathrm{KL}\left(p_\delta, q\right)",
        reference=Reference("benton2024", "Theorem 1"),
        provenance="quoted by two sources that agree; constants hidden; accuracy eps of the complexity is KL = eps^2, as the bound itself implies",
        sources=(
            Term("score", C * eps_w**2),
            Term("discretisation", C * (kappa**2 * d * N + kappa * d * T)),
            Term("initialisation", C * d * exp(-2 * T)),
        ),
        statement_assumptions=(
            Assumption("covariance", "the data have covariance $I$"),
            WEIGHTED_ERROR,
            Assumption("grid", "every step is at most $kappa$ min(1, time left), down to $delta$"),
        ),
        derivation="Girsanov, with the change of the score along the path bounded through stochastic localisation. Steps with kappa of "
        "order (T + log(1/delta))/N give the complexity d log(1/delta)^2/eps^2.",
        known="secondary",
        aliases={"eps_w": "eps_score"},
        complexity=d / eps**2,
        complexity_metric="$KL^(1/2)$",
    ),
    lambda: Theorem(
        id="chewi2026-ddpm",
        title="Score-based sampling with every constant, finite second moment",
        kind="explicit",
        status="stated",
        metric="$KL$",
        quantity="KL(p_delta, sampled law)",
        quantity_latex=r"\mathrm{KL}\left(p_\delta, q\right)",
        reference=Reference("chewi2026", "Theorem 12.3.2"),
        provenance="read in the book, with D at its bound d (1 + log(T/delta)); its clock is the heat flow, whose time is the square of "
        "the noise level; the score error is step-weighted (the only reading in which the bound has no unit of length); "
        "the complexity follows from the bound and is not stated",
        sources=(
            Term("initialisation", m2**2 / (2 * lam(T) ** 2)),
            Term("score", 4 * eps_w**2),
            Term("discretisation", 2 * hbar * d * (1 + 2 * log(lam(T) / lam(delta)))),
        ),
        statement_assumptions=(
            MOMENT,
            WEIGHTED_ERROR,
            Assumption("start", "sampling starts from $N(0, sigma_max^2 I)$ in the heat clock"),
            Assumption("grid", "every step is at most $hbar$ times the time left, in the heat clock"),
            Assumption("ratio", "$hbar <= 1/2$", hbar <= Rational(1, 2)),
            ORDERED,
        ),
        derivation="Girsanov in the heat flow; KL is convex, which gives the first term; W2(p_data, p_delta) is at most sigma_min d^(1/2). "
        "With hbar of order eps^2/d, N of order 1/hbar up to logarithms.",
        known="verbatim",
        clock="heat",
        aliases={"T": "(1/2) log(1 + T)", "delta": "(1/2) log(1 + delta)", "eps_w": "eps_sc"},
        complexity=d / eps**2,
        complexity_metric="$KL^(1/2)$",
    ),
    lambda: Theorem(
        id="kwon2022-w2",
        title="Score-based sampling in $W2$, continuous time",
        kind="explicit",
        status="stated",
        metric="$W2$",
        quantity="W2(sampled law, p_data)",
        quantity_latex=r"W_2\left(q, p_{\mathrm{data}}\right)",
        reference=Reference("kwon2022", "Theorem 1"),
        provenance="quoted by others; here for the OU process (drift -x, g^2 = 2) with constants that do not depend on t, where its "
        "integrals are elementary, and with W2(p_T, start) at the coupling bound of theory 3.4; no time discretisation",
        sources=(Term("initialisation", exp(GROWTH * T) * StartGap(T)), Term("score", 2 * eps_sc * em1(GROWTH * T) / GROWTH)),
        statement_assumptions=(
            MOMENT,
            Assumption("A3", "the $L2$ score error is at most $eps_sc$ at every time in $[0, T]$"),
            Assumption("score-model", "the learned score is one-sided $L_os$-Lipschitz at all times in $[0, T]$"),
            Assumption("continuous", "the reverse process is run in continuous time"),
        ),
        derivation="Synchronous coupling of the two reverse processes and Gronwall: the bound is the integral of g^2 I(t) b(t)^(1/2) over [0, T] "
        "plus I(T) W2(p_T, start), with I(t) = exp of the integral of L_f + L_s g^2 and b the squared L2 score error.",
        known="secondary",
        aliases={"L_os": "L_s", "eps_sc": "b^(1/2)"},
    ),
    lambda: Theorem(
        id="benton2023-flow",
        title="Flow matching in $W2$, continuous time",
        kind="explicit",
        status="stated",
        metric="$W2$",
        quantity="W2(flow of the learned velocity, p_data)",
        quantity_latex=r"W_2\left(q, p_{\mathrm{data}}\right)",
        reference=Reference("benton2023", "Theorem 1, Theorem 6"),
        provenance="read in the paper; here with a Lipschitz constant that does not depend on t (Theorem 1); no time discretisation",
        sources=(Term("velocity", eps_v * exp(L_v)),),
        statement_assumptions=(
            Assumption("velocity-error", "the $L2$ error of the learned velocity field over $[0, 1]$ is at most $eps_v$"),
            VELOCITY,
        ),
        derivation="Alekseev-Groebner and Gronwall along the learned flow: eps times exp of the integral of L_t over [0, 1]. For the PF-ODE of lam-regular "
        "data (Theorem 6) the exponential is (e/g)^lam (VP) or (1/g)^lam (VE); mixtures have lam = 1 + R^2/sigma^2.",
        known="verbatim",
        clock="unit interval",
        aliases={"L_v": "L_t", "eps_v": "eps"},
    ),
    lambda: Theorem(
        id="euler-flow",
        title="Flow matching in $W2$, Euler steps",
        kind="explicit",
        status="proved",
        metric="$W2$",
        quantity="W2(Euler steps of the learned velocity, p_data)",
        quantity_latex=r"W_2\left(q, p_{\mathrm{data}}\right)",
        reference=Reference("bansal2024", "set-up of Theorem 2"),
        provenance="derived here from the set-up of the source, with every constant",
        sources=(Term("velocity", EULER_GROWTH * eps_v), Term("discretisation", EULER_GROWTH * sqrt(gam_v / 3) / N)),
        statement_assumptions=FLOW_ASSUMPTIONS,
        derivation="From a point of the exact flow one step of the exact field misses by the integral of (t_{k+1} - t) dv/dt, in L2 at most "
        "(h^3/3)^(1/2) (h gam_v)^(1/2), the learned field adds h eps_v, and what was off before grows by 1 + h L_v (triangle inequality): with "
        "h = 1/N the N errors h (eps_v + h (gam_v/3)^(1/2)) add up to this; however many steps there are it is at most (e^L_v - 1)/L_v (eps_v + (gam_v/3)^(1/2)/N). For straight "
        "paths (1 - t) x_0 + t z, E norm(dv/dt)^2 is that of A = d zhat/d tau over t^2 (1 - t)^4 (theory 3.15).",
        known="derived",
        clock="unit interval",
        aliases={"gam_v": "gamma", "L_v": "L", "eps_v": "eps"},
        experiment="flow_steps",
    ),
    lambda: Theorem(
        id="bansal2024-thm2",
        title="Flow matching in $W2$, Euler steps, as reported",
        kind="explicit",
        status="stated",
        metric="$W2^2$",
        quantity="W2(Euler steps of the learned velocity, p_data)^2",
        quantity_latex=r"W_2\left(q, p_{\mathrm{data}}\right)^2",
        reference=Reference("bansal2024", "Theorem 2"),
        provenance="as secondary sources report it, not read; its symbols are read as in euler-flow, which implies it; version 6 of the source "
        "says that the proofs of its main results had errors up to version 5",
        sources=(Term("velocity", REPORTED_GROWTH * eps_v**2), Term("discretisation", REPORTED_GROWTH * gam_v / N**2)),
        statement_assumptions=FLOW_ASSUMPTIONS,
        derivation="From euler-flow: (x + y/3^(1/2))^2 <= (4/3)(x^2 + y^2) gives (4/3)((e^L_v - 1)/L_v)^2 (eps_v^2 + gam_v/N^2), which is smaller "
        "by a factor of 20 at least for every L_v.",
        rests_on=("euler-flow",),
        known="secondary",
        clock="unit interval",
        aliases={"gam_v": "gamma", "L_v": "L", "eps_v": "eps"},
    ),
    lambda: Theorem(
        id="gao2024-pfode",
        title="Probability-flow ODE for strongly log-concave data",
        kind="order",
        status="stated",
        metric="$W2$",
        quantity="W2(sampled law, p_data)",
        quantity_latex=r"W_2\left(q, p_{\mathrm{data}}\right)",
        reference=Reference("gao2024", "Theorem 3.4"),
        provenance="quoted by others, its first term only; the two others (E1 and E2: steps and score error) are not available",
        sources=(),
        statement_assumptions=(Assumption("log-concave", "the data are $m0$-strongly log-concave"),),
        derivation="The first term is exp(-int mu) norm(X_0) with mu(t) = m0 g^2/(2 [e^(-2 int_0^t f) + m0 int_0^t e^(-2 int_s^t f) g^2 ds]); for the OU "
        "process mu = m0/(c_t^2 + m0 s_t^2). Without E1 and E2 it is not a bound.",
        known="secondary",
    ),
    lambda: Theorem(
        id="brosse2026-edm",
        title="Local error of one exact DDIM step, any law",
        kind="explicit",
        status="stated",
        metric="$W2$, local error",
        quantity="W2(one DDIM step with the exact score from noise level sigma_high, law at sigma_low)",
        quantity_latex=r"W_2\left(\mathrm{DDIM}_\# p_{\sigma_j}, p_{\sigma_{j+1}}\right)",
        reference=Reference("brosse2026", "Lemma 3"),
        provenance="read in the paper; also implied by the universal profile of cmbound, whose constant U_d is smaller",
        sources=(Term("discretisation", 4 * sqrt(d) * (d + 3) * LEVEL_GAP),),
        statement_assumptions=(MOMENT, Assumption("levels", "$sigma_low < sigma_high$", sigma_low < sigma_high)),
        derivation="Theory 3.10: the L2 distance to the exact trajectory is at most the integral of (lam - sigma_low) b(lam) over the step, with "
        "b <= U_d/lam for every law and U_d <= 4 d^(1/2) (d + 3).",
        known="verbatim",
        clock="ve",
        aliases={"sigma_high": "sig_j", "sigma_low": "sig_{j+1}"},
        experiment="edm_step",
    ),
    lambda: Theorem(
        id="beyler2025-samplers",
        title="Deterministic and stochastic samplers in $W2$, Heun's method among them",
        kind="order",
        status="stated",
        metric="$W2$",
        quantity="W2(sampled law, p_data)",
        quantity_latex=r"W_2\left(q, p_{\mathrm{data}}\right)",
        reference=Reference("beyler2025", "abstract"),
        provenance="abstract and summaries only: neither a bound nor a number of steps",
        sources=(),
        statement_assumptions=(
            Assumption("support", "the data are bounded, or bounded up to Gaussian noise"),
            Assumption("score-model", "the learned score is regular in space"),
        ),
        derivation="Not read. Its bound for Heun's method is reported to be of second order in the step, with constants that are not known here.",
        known="abstract",
    ),
    lambda: Theorem(
        id="stephan2026-euler",
        title="Euler-type samplers in Wasserstein distance: number of steps",
        kind="order",
        status="stated",
        metric="$W2$",
        quantity="W2(sampled law, p_data)",
        quantity_latex=r"W_2\left(q, p_{\mathrm{data}}\right)",
        reference=Reference("stephanovitch2026", "abstract"),
        provenance="abstract only: the error after N steps is of order d^(1/2)/N up to logarithms, its constants are not known here; the "
        "abstract does not say which Wasserstein distance",
        sources=(),
        statement_assumptions=(Assumption("general", "general assumptions on the data law, which the abstract does not list"),),
        derivation="Not read. The complexity is the N at which d^(1/2)/N is eps.",
        known="abstract",
        complexity=sqrt(d) / eps,
    ),
    lambda: Theorem(
        id="wainwright2026-schedules",
        title="Score-based sampling with schedules certified from data",
        kind="order",
        status="unconfirmed",
        metric="$KL$",
        quantity="KL(p_data, sampled law)",
        quantity_latex=r"\mathrm{KL}\left(p_{\mathrm{data}}, q\right)",
        reference=Reference("wainwright2026", "abstract"),
        provenance="what is said of its abstract, which could not be confirmed: neither a bound nor a number of steps",
        sources=(),
        statement_assumptions=(Assumption("schedule", "the schedule is chosen and certified from data"),),
        derivation="Not read.",
        known="memory",
    ),
    lambda: Theorem(
        id="kremling2025-weak",
        title="Probability-flow ODE by an exponential integrator for weakly log-concave data",
        kind="order",
        status="stated",
        metric="$W2$",
        quantity="W2(sampled law, p_data)",
        quantity_latex=r"W_2\left(q, p_{\mathrm{data}}\right)",
        reference=Reference("kremling2025", "abstract"),
        provenance="abstract only: neither a bound nor a number of steps",
        sources=(),
        statement_assumptions=(
            Assumption("weak-log-concave", "the data are weakly log-concave"),
            Assumption("A2", "the score is Lipschitz"),
        ),
        derivation="Not read. Errors of the start, of the score and of the exponential integrator enter.",
        known="abstract",
    ),
    lambda: Theorem(
        id="mbacke2023-ddpm",
        title="DDPM in $W1$ without assumptions on the learned score",
        kind="order",
        status="stated",
        metric="$W1$",
        quantity="W1(sampled law, p_data)",
        quantity_latex=r"W_1\left(q, p_{\mathrm{data}}\right)",
        reference=Reference("mbacke2023", "abstract"),
        provenance="abstract only: neither a bound nor a number of steps; that the distance is of order 1 is not in the abstract",
        sources=(),
        statement_assumptions=(Assumption("support", "the data lie in a bounded set; nothing is assumed of the learned score"),),
        derivation="Not read. Nothing in it is exponential in the dimension.",
        known="abstract",
    ),
    lambda: Theorem(
        id="yang2025-rectified",
        title="Rectified flow with a deterministic sampler, several steps and one",
        kind="order",
        status="stated",
        metric="not in the abstract",
        quantity="distance of sampled law to p_data",
        quantity_latex=r"D\left(q, p_{\mathrm{data}}\right)",
        reference=Reference("yang2025", "abstract"),
        provenance="abstract only: a number of steps that is polynomial in every parameter, whose exponents and metric it does not say",
        sources=(),
        statement_assumptions=(
            Assumption("support", "the data have bounded support"),
            Assumption("corrector", "several steps: a Langevin process runs as corrector"),
        ),
        derivation="Not read.",
        known="abstract",
    ),
    lambda: Theorem(
        id="song2023-thm1",
        title="Consistency distillation: error of the map at zero loss",
        kind="order",
        status="stated",
        metric="sup norm of the map",
        quantity="sup norm(f_theta - f)",
        quantity_latex=r"\sup \left\| f_\theta - f \right\|",
        reference=Reference("song2023", "Theorem 1"),
        provenance="quoted by others; constants hidden",
        sources=(Term("discretisation", C * h**p),),
        statement_assumptions=(
            Assumption("zero-loss", "the consistency loss is exactly zero"),
            Assumption("A5", "$f_theta$ is Lipschitz"),
            Assumption("solver", "the one-step solver has order $p$, uniformly"),
        ),
        derivation="Telescoping along the solver's steps; the constant depends on the Lipschitz constant of f_theta and on the solver.",
        known="secondary",
        clock="ve",
        aliases={"h": "Delta t"},
    ),
    lambda: Theorem(
        id="li2024-training",
        title="Consistency training in $W1$",
        kind="order",
        status="stated",
        metric="$W1$",
        quantity="W1(one-step sample, law after the first forward step)",
        quantity_latex=r"W_1\left(f_\theta(\cdot, T)_\# \mathcal{N}(0, I), p_1\right)",
        reference=Reference("li2024", "Theorem 1"),
        provenance="quoted by two sources that agree; the constant of the first term is hidden",
        sources=(
            Term("discretisation", C * L_map**3 * d ** Rational(5, 2) * log(N) ** 5 / N),
            Term("estimation", eps_est),
            Term("approximation", eps_F),
        ),
        statement_assumptions=(
            Assumption("support", "the data are bounded (polynomially in the number of steps)"),
            Assumption("exact-maps", "the exact maps between any two times are $L_map$-Lipschitz"),
            Assumption("training", "every map is learned up to $eps_est + eps_F$"),
        ),
        derivation="Step by step along the forward process, with the Lipschitz constants of the exact maps (not of the model). "
        "The complexity is the first term at eps.",
        known="secondary",
        clock="discrete",
        aliases={"L_map": "L_f", "N": "T", "eps_est": "eps"},
        complexity=L_map**3 * d ** Rational(5, 2) / eps,
    ),
    lambda: Theorem(
        id="dou2024-distill",
        title="Consistency distillation from a sample of the data",
        kind="order",
        status="stated",
        metric="expected $W1$",
        quantity="E W1(sampled law, p_data)",
        quantity_latex=r"E\, W_1\left(q, p_{\mathrm{data}}\right)",
        reference=Reference("dou2024", "Theorem 4.1"),
        provenance="quoted by others, its rate only",
        sources=(),
        statement_assumptions=(
            Assumption("tails", "the data have Gaussian tails"),
            Assumption("student", "the score and the student are Lipschitz"),
        ),
        derivation="The rate in the number n of training data is n^(-1/(2(d + 5))); how the other terms depend on the model is not known here.",
        known="secondary",
    ),
    lambda: Theorem(
        id="chen2025-multistep",
        title="Multistep sampling without a Lipschitz constant of the model",
        kind="explicit",
        status="proved",
        metric="$W2$",
        quantity="W2(q_k, p_data)",
        quantity_latex=r"W_2\left(q_k, p_{\mathrm{data}}\right)",
        reference=Reference("chen2025", "set-up of multistep sampling"),
        provenance="derived here from the set-up of the source, with every constant",
        sources=(
            Term("total_variation", 2 * R * (DRIFT_INFORMATION + ScheduleSum(NOISED_ERROR)) ** Rational(1, 4)),
            Term("consistency", LastTime(T) * eps_ci / dtau),
        ),
        statement_assumptions=(
            Assumption("support", "the data and all values of $f_theta$ lie in one ball of radius $R$ (about any point)"),
            Assumption(
                "A4-exact",
                "the $L2$ consistency error between exact points of one PF-ODE trajectory one interval apart is at most $eps_ci$",
            ),
            Assumption("identity", "$f_theta(., 0)$ is the identity on the data (no early stopping)"),
            Assumption("start", "sampling starts from $N(0, s_T^2 I)$"),
            Assumption("nodes", "the times of all evaluations are multiples of $dtau$"),
            Assumption("first", "$dtau <= T$", dtau <= T),
            Assumption("later", "$dtau <= t_hat$", dtau <= t_hat),
            Assumption("before-T", "$t_hat <= T$", t_hat <= T),
        ),
        derivation="Let P_j be the law of x at t_j, Q_j the sampler's law there. KL(P_1, Q_1) <= c^2 m2^2/(2 s^2) (KL is convex). The exact map takes "
        "P_{j-1} to the data, so the chain rule for (point at t_{j-1}, point noised to t_j) gives KL(P_j, Q_j) <= KL(P_{j-1}, Q_{j-1}) + "
        "c_j^2 (t_{j-1} eps_ci/dtau)^2/(2 s_j^2): t/dtau intervals between t and 0 make an L2 map error of at most t eps_ci/dtau. Pinsker: "
        "TV <= (KL/2)^(1/2). One more evaluation: f_theta moves P_k to within t_k eps_ci/dtau of the data, and both images of P_k and Q_k "
        "lie in a ball, where W2^2 <= 4 R^2 TV.",
        known="derived",
        aliases={"eps_ci": "eps_cm", "m2": "M2^(1/2)", "k": "N"},
        experiment="discrete_multistep",
    ),
    lambda: Theorem(
        id="jain2025-multistep",
        title="Multistep consistency sampling: number of iterations",
        kind="order",
        status="stated",
        metric="$KL$",
        quantity="KL(p_data, sampled law)",
        quantity_latex=r"\mathrm{KL}\left(p_{\mathrm{data}}, q\right)",
        reference=Reference("jain2025", "abstract"),
        provenance="abstract only: a number of iterations, no bound; accuracy eps is KL of order eps^2",
        sources=(),
        statement_assumptions=(Assumption("smooth", "the data law is smooth"),),
        derivation="Not read. The logarithm is the whole statement and is kept.",
        known="abstract",
        complexity=log(d / eps),
        complexity_metric="$KL^(1/2)$",
    ),
    lambda: Theorem(
        id="boffi2025-flowmap",
        title="Flow maps from the Lagrangian loss",
        kind="explicit",
        status="stated",
        metric="$W2^2$",
        quantity="W2(one step of the flow map, p_data)^2",
        quantity_latex=r"W_2\left(q, p_{\mathrm{data}}\right)^2",
        reference=Reference("boffi2025", "Proposition 2.4"),
        provenance="assumptions read in the paper, formulas quoted by others",
        sources=(Term("loss", Integer(4) * exp(1 + 2 * L_v) * eps_loss),),
        statement_assumptions=(Assumption("loss", "the Lagrangian loss of the flow map is at most $eps_loss$"), VELOCITY),
        derivation="Gronwall along the learned velocity. For the Eulerian loss the bound is 2 e (1 + e^(2 L_v)) eps_loss.",
        known="secondary",
        clock="unit interval",
        aliases={"L_v": "Lhat", "eps_loss": "eps"},
    ),
)
"""In the order of the two families: score-based models, then consistency models and flow maps."""
