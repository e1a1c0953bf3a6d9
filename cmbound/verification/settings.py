"""What instances of every world share: grids, the constants of a law, and the parameters a statement is given."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np

from cmbound.distances.scaling import Array
from cmbound.theory.formulas import accepted, accepts, required
from cmbound.theory.profiles import profile, unavailable
from cmbound.theory.records import Theorem
from cmbound.verification.bench import Ranges, node_number
from cmbound.verification.instances import SkippedError
from cmbound.worlds.base import World
from cmbound.worlds.process import noise, noise_level, signal, time_of

Given = Mapping[str, Any]
Steps = Sequence[float] | Array
"""A number for each step."""

OFF = -12.0
"""A decimal logarithm that stands for zero."""

EDM_EXPONENT = 7.0  # Karras et al. 2022


Option = TypeVar("Option")


def picked(rng: np.random.Generator, options: Sequence[Option], shares: Sequence[float] | None = None) -> Option:
    """The option that ``rng.choice(options, p=shares)`` draws; no array is made of the options."""
    if shares is None:
        return options[int(rng.integers(len(options)))]
    return options[bisect_right(_running(tuple(shares)), rng.random())]


@lru_cache(maxsize=64)
def _running(shares: tuple[float, ...]) -> list[float]:
    sums = np.cumsum(shares)
    return list(map(float, sums / sums[-1]))


def random_knobs(ranges: Ranges, rng: np.random.Generator, off: float) -> dict[str, float]:
    """A value of each knob in its range; those that can be off are, with this probability."""
    return {
        name: OFF if low == OFF and rng.random() < off else float(rng.uniform(-5.0 if low == OFF else low, high))
        for name, (low, high) in ranges.items()
    }


def amplitude(log: float) -> float:
    """10^log, and 0 at ``OFF``."""
    return 0.0 if log <= OFF + 0.5 else float(10.0**log)


def grid_nodes(choices: Mapping[str, Any], knobs: Mapping[str, float]) -> Array:
    """The nodes t_0 < ... < t_N of a recipe, written independently of :mod:`cmbound.theory.grids`."""
    low = 10.0 ** knobs["log_delta"]
    high = low + 10.0 ** knobs["log_span"]
    count, kind = int(choices["N"]), choices["grid"]
    if kind == "two-stage":
        step, nodes = (high - low) / count, [high]
        while nodes[-1] - min(step, nodes[-1] / 2) > low:
            nodes.append(nodes[-1] - min(step, nodes[-1] / 2))
        return np.array([low, *reversed(nodes)])
    fractions = np.arange(count + 1) / count
    if kind == "uniform":
        inner = low + fractions * (high - low)
    elif kind == "random":
        weights = np.random.default_rng(count).exponential(size=count)
        inner = low + (high - low) * np.concatenate([[0.0], np.cumsum(weights) / weights.sum()])
    else:
        ends = noise_level(np.array([low, high]))
        if kind == "geometric":
            inner = time_of(ends[0] * (ends[1] / ends[0]) ** fractions)
        else:
            roots = ends ** (1 / EDM_EXPONENT)
            inner = time_of((roots[0] + fractions * (roots[1] - roots[0])) ** EDM_EXPONENT)
    inner[0], inner[-1] = low, high
    return np.asarray(inner)


def teacher_step(teacher: str, low: Any, high: Any) -> tuple[Any, Any]:
    """The step from time high to low is x -> keep x + push score(x): keep and push (theory 1 and 3.10)."""
    if teacher == "ddim":
        return signal(low) / signal(high), signal(low) * (noise_level(high) - noise_level(low)) * noise(high)
    return np.exp(high - low), np.expm1(high - low)


def law_constants(theorem: Theorem, world: World, nodes: Array, choices: Mapping[str, Any]) -> dict[str, Any]:
    """The constants of the law, with the regularity of its scores on [t_star, T] where the profile (None: the paper) uses it."""
    low, high = float(nodes[0]), float(nodes[-1])
    start = low if choices["t_star"] == "delta" else 0.0
    name = choices["profile"]
    chosen = None if name in (None, "auto") else profile(name)
    wanted = {"L_s", "L_os"} if chosen is None else {x for teacher in chosen.rules for x in chosen.parameters(teacher)}
    found = world.constants(low, high, start, scores="L_s" in wanted or "L_s" in required(theorem))
    if "L_os" in wanted and accepts(theorem, "L_os"):
        found |= _score_above(world, low, high, found.get("t_star", "delta" if start else 0))
    return found


def _score_above(world: World, low: float, high: float, t_star: Any) -> dict[str, Any]:
    """L_os from ``t_star`` on, or from delta on where none is known before, as for L_s."""
    bounds = {label: world.score_above(high, low if label == "delta" else 0.0) for label in (t_star, "delta")}
    return next(({"L_os": x, "t_star": label} for label, x in bounds.items() if np.isfinite(x)), {})


def require_law(theorem: Theorem, choices: Given, law: Given) -> None:
    """Raise SkippedError where the statement, or the profile asked for, needs something this law does not have."""
    if "L_s" in required(theorem) and ("L_s" not in law or law.get("t_star") == "delta"):
        raise SkippedError("the score of this law has no Lipschitz constant on [0, T] (Assumption 2)")
    if theorem.uses_profile and choices["profile"] != "auto":
        given = accepted(theorem).intersection(law)
        reason = unavailable(profile(choices["profile"]), choices["teacher"], given, law.get("tau", 0) > 0)
        if reason is not None:
            raise SkippedError(reason)


def parameters(
    theorem: Theorem, choices: Given, nodes: Array, law: Given, lipschitz: Steps, score_error: Steps, consistency_error: Steps
) -> dict[str, Any]:
    """What the statement is evaluated with.

    ``lipschitz`` is that of f_theta(., t_n), ``score_error`` at t_n (from t_0 on where the teacher asks there too) and
    ``consistency_error`` of the step from t_n to t_{n-1}
    divided by its length, n = 1..N. Raises SkippedError as :func:`require_law` does.
    """
    require_law(theorem, choices, law)
    size, ve = len(nodes) - 1, choices["clock"] == "ve"
    per_step = {
        "L_f": np.maximum(lipschitz, 1e-200) * (np.exp(-(nodes[1:] - nodes[0])) if ve else 1.0),
        "eps_sc": np.asarray(score_error) * (np.exp(-nodes[-len(score_error) :]) if ve else 1.0),
        "eps_cm": np.asarray(consistency_error) * (np.exp(nodes[0]) if ve else 1.0),
    }
    params: dict[str, Any] = dict(law)
    lists = choices["constants"] == "lists" and theorem.uses_profile
    levels = ve and lists  # the grid is then given as noise levels, and so are times on it
    if lists:
        params |= {name: [float(x) for x in column] for name, column in per_step.items()}
        params["grid"] = [float(x) for x in (noise_level(nodes) if ve else nodes)]
    else:
        params |= {name: float(np.max(column)) for name, column in per_step.items()}
        params["L_f"] = max(params["L_f"], 1.0)
        params |= {"delta": float(nodes[0]), "T": float(nodes[-1])}
        written_out = "h" in required(theorem) and not theorem.uses_profile
        if choices["constants"] == "closed" or theorem.kind == "order" or written_out:
            params["h"] = float(np.nextafter(np.max(np.diff(nodes)), 0))
        elif choices["grid"] == "two-stage":
            step = (float(nodes[-1]) - float(nodes[0])) / int(choices["N"])
            params |= {"h": float(np.nextafter(step, 0)), "grid": "two-stage"}
        else:
            params |= {"N": size, "grid": choices["grid"]}
    if theorem.bare_recursion:
        indices = [node_number(size, x) for x in choices["times"]]
        times = [float(x) for x in (noise_level(nodes) if levels else nodes)[indices]]
        if len(set(indices)) == 1:
            params |= {"sigma_hat" if levels else "t_hat": times[0], "k": len(indices) + 1}
        else:
            params["sigmas" if levels else "times"] = times
    if theorem.experiment == "map_error":
        t = float(nodes[node_number(size, choices["at"])])
        params["sigma" if levels else "t"] = float(noise_level(t)) if levels else t
        if "h" in params:
            params["h"] = min(params["h"], float(np.nextafter(t - params["delta"], 0)))
    if theorem.kind == "order":
        params["C"] = 1
    taken = accepted(theorem) | {"grid", "t_star"}
    params = {name: x for name, x in params.items() if name in taken}
    if theorem.uses_profile:
        params |= {"profile": choices["profile"], "teacher": choices["teacher"]}
    else:
        params.pop("grid", None)
        params.pop("t_star", None)
    clocks = theorem.ve_factor is not None and theorem.kind == "explicit"
    options = {"to": theorem.has_target, "start": theorem.uses_start, "clock": clocks}
    return params | {name: choices[name] for name, taken in options.items() if taken}
