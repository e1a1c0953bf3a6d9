"""One unknown, everything else given: the best value at which the total still meets the target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from math import exp, inf, log
from typing import Any

import numpy as np
from scipy.optimize import brentq, minimize_scalar

from cmbound.errors import DomainError, MissingParameterError
from cmbound.evaluation.setting import MAX_EVALUATIONS
from cmbound.planning.candidates import Candidates
from cmbound.planning.problem import Problem, exact_number, is_given, rounded, stepped
from cmbound.planning.records import Budget
from cmbound.planning.roots import Missed
from cmbound.planning.solving import best, finish, impossible
from cmbound.theory.formulas import accepts

_POINTS = 80  # of a scan, for each e-folding or so: dips are wider
_STEPS = 20  # last digits an answer may be away from a root that rounding has missed; then it gets more digits


def solve_single(problem: Problem) -> Budget:
    """The budget with one unknown.

    Raises:
        DomainError: no value meets the target; the message names the term that stands in the way.
        CmboundError: something else is missing or wrong.
    """
    name = problem.unknowns[0]
    if name == "k":
        return _evaluations(problem)
    for other in ("delta", problem.end):
        needed = problem.step is not None or name in ("delta", "T", "u")
        if needed and other != name and accepts(problem.theorem, other) and not is_given(problem.given, other):
            raise MissingParameterError(f"{problem.theorem.id} needs {other}: only {name} is the unknown")
    return finish(problem, {name: (_on_both_sides if name in ("delta", "T", "u") else _monotone)(problem, name)}, {})


def _totals(problem: Problem, name: str) -> Callable[[Any], float]:
    return lambda x: sum(problem.values_of_terms({name: x}).values())


def _monotone(problem: Problem, name: str) -> str:
    """h, N, eps_sc, eps_cm and L_f: the total is monotone in each."""
    try:
        return best(problem, name, {}, _totals(problem, name), float(problem.target))
    except Missed:
        extreme = {"N": 10**6, "L_f": 1}.get(name, 0 if name.startswith("eps") else problem.ends(name, {})[0])
        raise impossible(problem, problem.values_of_terms({name: extreme})) from None


def _on_both_sides(problem: Problem, name: str) -> str:
    """delta, T and u: some terms fall and others grow, so the good values are found by a scan, then by bisection."""
    total, target = _totals(problem, name), float(problem.target)
    low, high = map(float, problem.ends(name, {}))
    if name == "T":
        start = float(problem.start(problem.given))
        gap = max(low - start, 1e-6 * max(low, 1e-3))
        points = np.minimum(start + gap * (1 + 1e-9) * np.exp(np.linspace(0.0, log((high - start) / gap), _POINTS)), high)
    else:
        points = float(Fraction(problem.cap(name, {}))) * np.exp(np.linspace(0.0, -80.0, 4 * _POINTS))

    def value(x: Any) -> float:
        try:
            return total(x)
        except DomainError:  # above the float64 range, or outside an interval
            return inf

    first = _first_good(points, value, target)
    if first is None:
        at = points[int(np.argmin([value(x) for x in points]))]
        raise impossible(problem, problem.values_of_terms({name: float(at)}), f"at the best {name}, {at:.4g}, ")
    good, bad = first
    x = good if bad is None else exp(brentq(lambda u: value(exp(u)) - target, log(good), log(bad), xtol=1e-10))
    text = rounded(x, up=name == "T")
    for _ in range(_STEPS):
        if value(text) <= target:
            return text
        text = stepped(name, text)
    return rounded(good, up=name == "T", digits=15)


def _first_good(points: Any, value: Callable[[float], float], target: float) -> tuple[float, float | None] | None:
    """The first point within the target and its neighbour outside (None: no neighbour); the lowest dip is looked into."""
    values = []
    for i, x in enumerate(points):
        values.append(value(x))
        if values[-1] <= target:
            return float(x), float(points[i - 1]) if i else None
    i = int(np.argmin(values))
    before, after = float(points[max(i - 1, 0)]), float(points[min(i + 1, len(points) - 1)])
    found = minimize_scalar(lambda u: value(exp(u)), bounds=sorted((log(before), log(after))), method="bounded")
    return (exp(found.x), before) if found.fun <= target else None


def _evaluations(problem: Problem) -> Budget:
    """The smallest k: with the given t_hat, or with the best fixed time for each k."""
    target, one = float(problem.target), problem.values_of_terms({"k": 1})
    if sum(one.values()) <= target:
        return finish(_with_k(problem, 1), {}, {})
    only = float(exact_number(problem.given, "t_hat")) if is_given(problem.given, "t_hat") else None
    params = {x: y for x, y in problem.given.items() if x not in ("t_hat", "sigma_hat", "k")}
    candidates = Candidates(problem.theorem, params, only)
    lowest, best_k, best_time = candidates.first, 1, None
    for k in range(2, MAX_EVALUATIONS + 1):
        time, bound = candidates.best_fixed(k)
        if bound <= target - candidates.rest:
            try:
                return finish(_with_k(problem, k, time), {}, {})
            except DomainError:
                continue
        if bound >= lowest * (1 - 1e-12):
            break
        lowest, best_k, best_time = bound, k, time
    if best_time is None:
        raise impossible(problem, one, "at the best k, 1, ")
    trial = _with_k(problem, best_k, best_time)
    raise impossible(trial, trial.values_of_terms({}), f"at the best k, {best_k}, and t_hat = {best_time:.6g}, ")


def _with_k(problem: Problem, k: int, time: float | None = None) -> Problem:
    """The question with nothing left unknown."""
    chosen = {} if time is None or is_given(problem.given, "t_hat") else {"t_hat": repr(time)}
    return replace(problem, given={**problem.given, **chosen, "k": str(k)}, unknowns=())
