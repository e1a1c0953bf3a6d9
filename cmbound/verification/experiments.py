"""The experiments: how each is carried out, whatever the world. A statement names the one that checks it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cmbound.errors import InputError
from cmbound.frozen import FrozenDict
from cmbound.theory.formulas import accepts
from cmbound.theory.records import Theorem
from cmbound.verification import related
from cmbound.verification.bench import Bench, Experiment, Kernel, Params
from cmbound.verification.instances import SkippedError, Truth

Found = tuple[Truth, Params]
Given = Mapping[str, Any]


def _map_error(bench: Bench, params: Given) -> Found:
    return bench.map_error(bench.node(bench.choices["at"])), {}


def _one_step(bench: Bench, params: Given) -> Found:
    return bench.w2((), bench.target), {}


def _one_step_to_p_delta(bench: Bench, params: Given) -> Found:
    return bench.w2((), "p_delta"), {}


def _multistep(bench: Bench, params: Given) -> Found:
    return bench.w2([bench.node(x) for x in bench.choices["times"]], bench.target), {}


def _one_more(bench: Bench, params: Given) -> Found:
    n = bench.node(bench.choices["at"])
    added = {"t_hat": float(bench.nodes[n]), "W_prev": bench.w2((), "p_delta").value}
    return bench.w2((n,), "p_delta"), added


def _settled(bench: Bench, params: Given) -> Found:
    """At the first node at or after log(2 L_f) + delta, from which on an evaluation halves the error."""
    index = int(np.searchsorted(bench.nodes, np.log(2 * params["L_f"]) + bench.low))
    if index >= len(bench.nodes):
        raise SkippedError("the horizon T is below log(2 L_f) + delta")
    rounds = len(bench.choices["times"]) if bench.exact else 1  # noising back by quadrature is slow
    return bench.w2([index] * rounds, "p_data"), {"k": rounds + 1}


def _early_stopping(bench: Bench, params: Given) -> Found:
    return bench.tv(bench.target, None), {}


def _smoothing(bench: Bench, params: Given) -> Found:
    u = 10.0 ** bench.knobs["log_u"]
    return bench.tv(bench.target, Kernel(u=u)), {"u": u}


def _corrector(bench: Bench, params: Given) -> Found:
    friction, total, steps = 10.0 ** bench.knobs["log_gamma"], 10.0 ** bench.knobs["log_tau_c"], bench.choices["corrector_steps"]
    kernel = Kernel(friction=friction, step=total / steps, steps=int(steps))
    return bench.tv(bench.target, kernel), {"gamma": friction, "tau_c": total, "eta": kernel.step, **bench.score_model(params)}


def _accuracy(bench: Bench, params: Given) -> float:
    """The eps whose delta of order eps^2/(L_s^2 max(d, m2^2)) this is."""
    return float(np.sqrt(bench.low) * params["L_s"] * max(np.sqrt(params["d"]), params["m2"]))


def _smoothing_for_delta(bench: Bench, params: Given) -> Found:
    return bench.tv("p_data", Kernel(u=bench.low)), {"eps": _accuracy(bench, params)}


def _short_corrector(bench: Bench, params: Given) -> Found:
    rate, steps = float(np.sqrt(params["L_s"])), max(1, int(bench.choices["N"]))
    kernel = Kernel(friction=2 * rate, step=1 / rate / steps, steps=steps)
    return bench.tv("p_data", kernel), {"eps": _accuracy(bench, params), "eta": kernel.step}


def _slope_constants(bench: Bench) -> Params:
    """R and tau of the law, and delta."""
    if bench.world.smoothing is None:
        raise SkippedError("the law is not a bounded variable plus isotropic noise of width tau < 1")
    radius, tau = bench.world.smoothing
    params: Params = {"R": radius, "delta": bench.low}
    if accepts(bench.theorem, "tau"):
        params["tau"] = tau
    elif tau > 0:
        raise SkippedError("the data are not in a ball")
    return params | ({"C": 1} if bench.theorem.kind == "order" else {})


def _score_slope(bench: Bench, params: Given) -> Found:
    added = _slope_constants(bench)
    return bench.score_slope(), added


def _map_slope(bench: Bench, params: Given) -> Found:
    added = _slope_constants(bench)
    return bench.map_slope(), {**added, "t": float(bench.nodes[-1])}


def _step_size(bench: Bench, params: Given) -> Found:
    raise SkippedError(f"{bench.theorem.id} states a step size, not a bound on an error")


EXPERIMENTS: Mapping[str, Experiment] = FrozenDict(
    {
        "map_error": Experiment("L2 error of the learned consistency map at a node", _map_error, "map error"),
        "one_step": Experiment("W2 to the target after one evaluation", _one_step),
        "one_step_to_p_delta": Experiment("W2 to p_delta after one evaluation", _one_step_to_p_delta),
        "multistep": Experiment("W2 to the target after evaluations at T and at other nodes", _multistep, on_the_line=True),
        "one_more_step": Experiment("W2 to p_delta before and after one more evaluation", _one_more),
        "settled_multistep": Experiment("W2 to p_data, evaluations after the first at about log(2 L_f) + delta", _settled),
        "training": Experiment(
            "W2 to the target after one evaluation, the error of the student along the exact trajectory",
            _one_step,
            exact_pairs=True,
            on_the_line=True,
        ),
        "tv_early_stopping": Experiment("TV between p_delta and the data law", _early_stopping, "TV"),
        "tv_smoothing": Experiment("TV after OU smoothing for a time u", _smoothing, "TV", after="smoothing"),
        "tv_underdamped": Experiment("TV after an underdamped corrector", _corrector, "TV", after="corrector"),
        "tv_smoothing_for_delta": Experiment("TV after OU smoothing for a time delta", _smoothing_for_delta, "TV", closed=True),
        "tv_short_corrector": Experiment(
            "TV after an underdamped corrector of the time L_s^(-1/2)", _short_corrector, "TV", closed=True
        ),
        "score_lipschitz": Experiment("Lipschitz constant of the score on [delta, T]", _score_slope, "slope", constants=False),
        "map_lipschitz": Experiment(
            "Lipschitz constant of the exact consistency map", _map_slope, "slope", constants=False, on_the_line=True
        ),
        "step_size": Experiment("nothing: a step size is no error", _step_size, "step size", constants=False),
        "discrete_multistep": related.MULTISTEP,
        "edm_step": related.EDM_STEP,
        "flow_steps": related.FLOW_STEPS,
    }
)


def experiment_of(theorem: Theorem) -> Experiment:
    """The experiment that checks a statement; raises InputError where it names none."""
    if not theorem.experiment:
        raise InputError(
            f"{theorem.id} cannot be checked: it names no experiment, so that no instances are known where its truth is; "
            "check --all leaves it out"
        )
    return EXPERIMENTS[theorem.experiment]
