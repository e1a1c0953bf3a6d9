"""The explicit form: theorems with every constant written out (theory 3.1 to 3.6, 3.10, 3.11).

Theory numbers are sections of ``paper_tables/theory.md``, which has the proofs.

They hold for the algorithm of the source paper under the same or weaker assumptions. The place-holders of
:mod:`cmbound.theory.variants` stand for what depends on the teacher, the regularity profile, the grid, the start and the clock.
"""

from __future__ import annotations

from collections.abc import Callable

from sympy import Integer, Rational, exp, pi

from cmbound.frozen import FrozenDict
from cmbound.theory.functions import c, c_drop, corrector_information, em1, geometric_sum, steering, tv_drift, v
from cmbound.theory.named import largest, rearranged, sqrt
from cmbound.theory.records import Assumption, Pair, Reference, Term, Theorem
from cmbound.theory.variants import ConsistencySum, EarlyStoppingGap, LipschitzAt, LocalErrorSum, ScoreSum, StartGap

from cmbound.theory.notation import (  # isort: skip
    L_f, L_phi, L_s, R, T, W_prev, d, delta, eps, eps_sc, eta, gamma, h, k, m2, t, t_hat, t_star, tau, tau_c, u,
)  # fmt: skip

NOTE = "cmbound"
PROVED = "proved with every constant (paper_tables/theory.md)"

MOMENT = Assumption("A1", "the data have a finite second moment $m2$ (Assumption 1)")
SCORE_ERROR = Assumption("A3", "the $L2$ score error is at most $eps_sc$ at every grid time (Assumption 3)")
CONSISTENCY_ERROR = Assumption("A4", "the $L2$ consistency error of step $n$ is at most $eps_cm h_n$ (Assumption 4)")
EXACT_PAIRS = Assumption(
    "A4-exact", "the $L2$ consistency error between exact points of one PF-ODE trajectory is at most $eps_cm h_n$"
)
MODEL = Assumption(
    "A5", "$f_theta(., t_n)$ is $L_f$-Lipschitz for all $n$, and $f_theta(., delta)$ is the identity (Assumption 5)"
)
SUPPORT = Assumption("smoothed", "the data are $U + tau z$ with $z ~ N(0, I)$ independent of $U$ and $U$ in a ball of radius $R$")
ORDERED = Assumption("interval", "$delta < T$", delta < T)
STEP = Assumption("step", "$h <= T - delta$", h <= T - delta)
TRAINED = (MOMENT, SCORE_ERROR, CONSISTENCY_ERROR, MODEL)
AFTER_DELTA = Assumption("time", "$delta < t$", t > delta)
BEFORE_T = Assumption("horizon", "$t <= T$", t <= T)
AGAIN = (Assumption("after-delta", "$delta < t_hat$", t_hat > delta), Assumption("before-T", "$t_hat <= T$", t_hat <= T))

CONTRACTION = LipschitzAt(t_hat) * exp(-(t_hat - delta))

ONE_STEP = (
    Term("initialisation", LipschitzAt(T) * StartGap(T)),
    Term("consistency", ConsistencySum(T)),
    Term("score", ScoreSum(T)),
    Term("discretisation", LocalErrorSum(T)),
)
AT_T_HAT = FrozenDict({"consistency": ConsistencySum(t_hat), "score": ScoreSum(t_hat), "discretisation": LocalErrorSum(t_hat)})
EARLY = Term("early_stopping", EarlyStoppingGap(delta))

LIPSCHITZ = Assumption("A2", "the score $s(., t)$ is $L_s$-Lipschitz for all $t$ in $[0, T]$ (Assumption 2)")
FROM_ZERO = Assumption("from-zero", "$t_star = 0$: $L_s$ holds from time 0 on", t_star <= 0)
SMOOTH = (MOMENT, LIPSCHITZ, FROM_ZERO)
SMOOTHING = Assumption("smoothing", "$delta + u <= T$", delta + u <= T)
SCORE_AT_DELTA = Assumption("A3", "the $L2$ score error is at most $eps_sc$ at every grid time and at $delta$ (Assumption 3)")
SCORE_MODEL = Assumption("score-model", "the learned score $s_phi(., delta)$ is $L_phi$-Lipschitz")
CORRECTOR = Assumption("corrector", "$eta <= tau_c$", eta <= tau_c)
TO_TV = 1 / sqrt(2 * pi * em1(2 * u))
CORRECTED = sqrt(steering(L_phi, gamma, tau_c, eta) / pi)

STATEMENTS: tuple[Callable[[], Theorem], ...] = (
    lambda: Theorem(
        id="explicit-map-error",
        title="$L2$ error of the learned consistency map, on any grid",
        kind="explicit",
        status="proved",
        metric="$L2$ map error",
        quantity="(E norm(f_theta(x_t, t) - f(x_t, t))^2)^(1/2), x_t ~ p_t",
        quantity_latex=r"\left(E_{p_{t}} \left\| f_\theta - f \right\|^2\right)^{1/2}",
        reference=Reference(NOTE, "theory 3.1, 3.10"),
        provenance=PROVED,
        sources=(Term("consistency", ConsistencySum(t)), Term("score", ScoreSum(t)), Term("discretisation", LocalErrorSum(t))),
        statement_assumptions=(*TRAINED, AFTER_DELTA, BEFORE_T, Assumption("step", "$h <= t - delta$", h <= t - delta)),
        derivation="Triangle inequality through f_theta(xhat_n, t_n) and f_theta(x_{t_n}, t_n); f is constant along the PF-ODE, and every "
        "local step starts from the exact trajectory, so that no Gronwall factor appears. Variation of constants gives "
        "the local error; a non-increasing bound on the score acceleration and Chebyshev's sum inequality give g(h).",
        ve_factor=exp(delta),
        experiment="map_error",
    ),
    lambda: Theorem(
        id="explicit-one-step",
        title="One-step sampling: distance to the data law",
        kind="explicit",
        status="proved",
        metric="$W2$",
        quantity="W2(f_theta(., T)#start, {target})",
        quantity_latex=r"W_2\left(f_\theta(\cdot, T)_\# p_{\mathrm{start}}, @\right)",
        reference=Reference(NOTE, "theory 3.4"),
        provenance=PROVED,
        sources=(*ONE_STEP, EARLY),
        statement_assumptions=(*TRAINED, ORDERED, STEP),
        derivation="Synchronous coupling of x_T = c_T x_0 + s_T z with the start, pushed through the L_f-Lipschitz map; the map error "
        "at T; and the coupling of x_delta with x_0 for early stopping.",
        rests_on=("explicit-map-error",),
        ve_factor=exp(delta),
        complexity=T * L_f * d ** Rational(3, 2) / eps**2,
        experiment="one_step",
    ),
    lambda: Theorem(
        id="explicit-multistep",
        title="Multistep sampling: $k$ evaluations, after the first at a fixed time or at given times",
        kind="explicit",
        status="proved",
        metric="$W2$",
        quantity="W2(q_k, {target})",
        quantity_latex=r"W_2\left(q_k, @\right)",
        reference=Reference(NOTE, "theory 3.5"),
        provenance=PROVED,
        sources=(
            *(
                Term(
                    term.name,
                    CONTRACTION ** (k - 1) * term.expression
                    + (geometric_sum(CONTRACTION, k - 1) * AT_T_HAT[term.name] if term.name in AT_T_HAT else 0),
                )
                for term in ONE_STEP
            ),
            EARLY,
        ),
        statement_assumptions=(*TRAINED, ORDERED, STEP, *AGAIN),
        derivation="Noising back by the OU kernel from delta to t contracts W2 by e^{-(t - delta)}; then one evaluation as before. The closed "
        "form for a fixed time sums the recursion W_k <= L_f e^{-(t - delta)} W_{k-1} + e(t).",
        rests_on=("explicit-one-step", "explicit-map-error"),
        recursion=tuple(Term(term.name, CONTRACTION * W_prev + AT_T_HAT.get(term.name, 0)) for term in ONE_STEP),
        ve_factor=exp(delta),
        experiment="multistep",
    ),
    lambda: Theorem(
        id="explicit-training",
        title="Consistency training: one-step sampling with the error measured along exact trajectories",
        kind="explicit",
        status="proved",
        metric="$W2$",
        quantity="W2(f_theta(., T)#start, {target})",
        quantity_latex=r"W_2\left(f_\theta(\cdot, T)_\# p_{\mathrm{start}}, @\right)",
        reference=Reference(NOTE, "theory 3.6"),
        provenance=PROVED,
        sources=(ONE_STEP[0], ONE_STEP[1], EARLY),
        statement_assumptions=(MOMENT, EXACT_PAIRS, MODEL, ORDERED),
        derivation="Without a teacher the consistency errors telescope alone. The training loss used in practice compares points sharing "
        "(x_0, z), which do not lie on one trajectory: it does not measure this eps_cm.",
        rests_on=("explicit-one-step",),
        ve_factor=exp(delta),
        remark="eps_cm compares points of one PF-ODE trajectory; the training loss used in practice compares points sharing (x_0, z)",
        experiment="training",
    ),
    lambda: Theorem(
        id="explicit-score-lipschitz",
        title="Lipschitz constant of the score on [$delta$, infinity) for bounded or smoothed data",
        kind="explicit",
        status="proved",
        metric="Lipschitz constant of the score",
        quantity="L_s on [delta, infinity)",
        quantity_latex=r"L_s",
        reference=Reference(NOTE, "theory 3.3"),
        provenance=PROVED,
        sources=(
            Term("score_lipschitz", largest(1 / v(tau, delta), c(delta) ** 2 * R**2 / v(tau, delta) ** 2 - 1 / v(tau, delta))),
        ),
        statement_assumptions=(SUPPORT,),
        derivation="The eigenvalues of the Hessian of log p_t lie in [-1/v, c^2 R^2/v^2 - 1/v], and both ends shrink in t.",
        ve_factor=exp(-2 * delta),
        experiment="score_lipschitz",
    ),
    lambda: Theorem(
        id="explicit-map-lipschitz",
        title="Lipschitz constant of the exact consistency map for bounded or smoothed data, bounded in $T$",
        kind="explicit",
        status="proved",
        metric="Lipschitz constant of the consistency map",
        quantity="Lip f(., t)",
        quantity_latex=r"\mathrm{Lip} f(\cdot, t)",
        reference=Reference(NOTE, "theory 3.3"),
        provenance=PROVED,
        sources=(
            Term(
                "map_lipschitz",
                sqrt(v(tau, delta) / v(tau, t))
                * exp(
                    R**2
                    / 2
                    * rearranged(
                        (1 / v(tau, delta) - 1 / v(tau, t)) / (1 - tau**2),
                        c_drop(delta, t, Integer(2)) / (v(tau, delta) * v(tau, t)),
                    )
                ),
            ),
        ),
        statement_assumptions=(SUPPORT, AFTER_DELTA, BEFORE_T),
        derivation="Backwards in time a perturbation grows at a rate of at most 1 - 1/v + c^2 R^2/v^2, which integrates in closed form.",
        ve_factor=exp(-(t - delta)),
        experiment="map_lipschitz",
    ),
    lambda: Theorem(
        id="explicit-tv-early-stopping",
        title="Total variation between the early-stopped law and the data law",
        kind="explicit",
        status="proved",
        metric="TV",
        quantity="TV(p_delta, p_data)",
        quantity_latex=r"\mathrm{TV}\left(p_\delta, p_{\mathrm{data}}\right)",
        reference=Reference(NOTE, "theory 3.7"),
        provenance=PROVED,
        sources=(Term("early_stopping_tv", tv_drift(L_s, m2, d, delta)),),
        statement_assumptions=(
            MOMENT,
            Assumption("A2", "the score $s(., t)$ is $L_s$-Lipschitz for all $t$ in $[0, delta]$ (Assumption 2)"),
        ),
        derivation="The flow of p_t has velocity x + s, so TV grows at half the L1 norm of div(x + s) + (x + s).s, whose L2 norm is "
        "E tr((I + H)^2) - E (x + s).H (x + s); both are bounded by the Lipschitz constant and the second moment.",
        experiment="tv_early_stopping",
    ),
    lambda: Theorem(
        id="explicit-tv-smoothing",
        title="One-step sampling, then OU smoothing for a time $u$: total variation",
        kind="explicit",
        status="proved",
        metric="TV",
        quantity="TV(f_theta(., T)#start P_u, {target})",
        quantity_latex=r"\mathrm{TV}\left(f_\theta(\cdot, T)_\# p_{\mathrm{start}}\, P_u, @\right)",
        reference=Reference(NOTE, "theory 3.7"),
        provenance=PROVED,
        sources=(
            *(Term(x.name, TO_TV * x.expression) for x in ONE_STEP),
            Term("smoothing", tv_drift(L_s, m2, d, u)),
            Term("early_stopping", tv_drift(L_s, m2, d, delta)),
        ),
        statement_assumptions=(*SMOOTH, SCORE_ERROR, CONSISTENCY_ERROR, MODEL, ORDERED, STEP, SMOOTHING),
        derivation="The OU kernel turns W1 into total variation at the price (2 pi (e^{2u} - 1))^{-1/2}, the distance of two "
        "Gaussians; W1 is at most the W2 of one-step sampling; then TV(p_{delta+u}, p_data), linear in delta + u.",
        rests_on=("explicit-one-step", "explicit-tv-early-stopping"),
        free=("u",),
        experiment="tv_smoothing",
    ),
    lambda: Theorem(
        id="explicit-tv-underdamped",
        title="One-step sampling, then an underdamped Langevin corrector: total variation",
        kind="explicit",
        status="proved",
        metric="TV",
        quantity="TV(corrected f_theta(., T)#start, {target})",
        quantity_latex=r"\mathrm{TV}\left(q_{\mathrm{corrected}}, @\right)",
        reference=Reference(NOTE, "theory 3.8"),
        provenance=PROVED,
        sources=(
            *(Term(x.name, CORRECTED * x.expression) for x in ONE_STEP),
            Term("corrector", sqrt(corrector_information(eps_sc, L_s, d, gamma, tau_c, eta) / 2)),
            Term("early_stopping", tv_drift(L_s, m2, d, delta)),
        ),
        statement_assumptions=(*SMOOTH, SCORE_AT_DELTA, CONSISTENCY_ERROR, MODEL, SCORE_MODEL, ORDERED, STEP, CORRECTOR),
        derivation="Two copies are steered together along a cubic and Girsanov pays for the control; the stationary Langevin dynamics "
        "against the discretised one with the learned score by Girsanov and Pinsker; then TV(p_delta, p_data).",
        rests_on=("explicit-one-step", "explicit-tv-early-stopping"),
        free=("gamma", "tau_c"),
        experiment="tv_underdamped",
    ),
)

PAIRS: tuple[Pair, ...] = (
    Pair("Map error", ("lyu2023-thm2",), "explicit-map-error"),
    Pair("One step", ("lyu2023-thm3", "lyu2023-cor4"), "explicit-one-step"),
    Pair("One more evaluation", ("lyu2023-cor5",), "explicit-multistep"),
    Pair("Several evaluations", ("lyu2023-cor6",), "explicit-multistep"),
    Pair("Lipschitz constant of the score", ("lyu2023-lem7",), "explicit-score-lipschitz"),
    Pair("TV by smoothing", ("lyu2023-cor9",), "explicit-tv-smoothing"),
    Pair("TV by a corrector", ("lyu2023-cor10",), "explicit-tv-underdamped"),
)
"""The order forms of the source paper that have an explicit counterpart."""
