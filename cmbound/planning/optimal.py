"""The split that needs the fewest steps for given errors (a search over delta, T and the time of later evaluations)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from math import exp, log
from typing import Any

import numpy as np
from scipy.optimize import minimize

from cmbound.errors import DomainError, InputError
from cmbound.planning.problem import SMALLEST, Problem, exact_number, rounded
from cmbound.planning.solving import Answers, Values, best, filled
from cmbound.theory.grids import MAX_STEPS

_TRIALS = 50  # for each number that is searched
_HOPELESS = 1e3  # in the place of the logarithm of a number of steps, where the target cannot be met
_CORRECTIONS = 6  # N settles in two or three
_ACCURACY = 1e-3  # relative error of a step, which is corrected to first order in the number of steps
_LONGEST = 6.5  # largest logarithm of a time: e^-T is still a float64 number


def fewest_steps(problem: Problem, values: Values, allowed: Mapping[str, float]) -> Answers:
    """The answers with the fewest steps, started from those of another split; never more steps than there.

    The problem that is returned has the best time of later evaluations, where that is free. Early stopping, initialisation and
    discretisation divide what the other free terms, which keep their allowance, leave.

    Raises:
        InputError: the step is not an unknown.
    """
    if problem.step not in problem.unknowns:
        raise InputError("split optimal minimises the number of steps, which the given parameters fix")
    search, unchanged = _Search(problem, values, allowed), (problem, values, dict(allowed))
    start = np.array(search.start)
    if not len(start):
        return unchanged
    simplex = np.array([start, *(start + 0.5 * np.eye(len(start)))])
    options = {"initial_simplex": simplex, "maxfev": _TRIALS * len(start), "xatol": 5e-3, "fatol": 1e-4}
    found = minimize(search.steps, start, method="Nelder-Mead", options=options)
    try:
        problem, better, shares = search.rounded(found.x)
    except DomainError:
        return unchanged
    if found.fun >= search.steps(start):
        return unchanged
    rest = tuple(x for x in problem.unknowns if x not in better)
    better |= filled(replace(problem, given={**problem.given, **better}, unknowns=rest), shares) if rest else {}
    return problem, better, shares


class _Search:
    """The number of steps as a function of log delta and log(T - delta), whichever are unknown, and of log(t_hat - delta)."""

    def __init__(self, problem: Problem, values: Values, allowed: Mapping[str, float]) -> None:
        self.problem, self.step = problem, str(problem.step)
        self.names = [name for name in ("delta", "T") if name in problem.unknowns]
        self.terms = {name: problem.term_of(name) for name in (*self.names, self.step)}
        self.kept = {x: y for x, y in allowed.items() if x not in self.terms.values()}
        self.room = float(problem.target) - sum(self.kept.values())
        self.given = {x: y for x, y in values.items() if x in ("u", "eta")}
        self.last = float(Fraction(values[self.step]))
        full = {**problem.given, **values}
        numbers = {"delta": exact_number(full, "delta"), "T": problem.width(full)}
        self.start = [log(numbers[name]) for name in self.names]
        if self.names and problem.offset is not None:
            self.start.append(log(problem.offset))

    def at(self, x: Any) -> tuple[Problem, dict[str, Any]]:
        """At a point of the search the problem, with t_hat, and delta and T."""
        sizes = [exp(min(u, _LONGEST)) for u in x]
        problem = self.problem if self.problem.offset is None else replace(self.problem, offset=sizes[-1])
        found: dict[str, Any] = dict(zip(self.names, sizes, strict=False))
        if "T" in found:
            found["T"] += float(exact_number({**problem.given, **found}, "delta"))
        return problem, found

    def others(self, used: Mapping[str, float]) -> float:
        """What the terms use that keep no allowance (those of the free errors have stand-ins)."""
        return sum(y for x, y in used.items() if x not in self.kept)

    def steps(self, x: Any) -> float:
        """log((T - delta)/h) or log N at a point, corrected by how far the room is used: smooth; large where it cannot be met."""
        value, step = _HOPELESS, None  # discretisation is about proportional to the step: a few corrections from the last answer
        try:
            problem, values = self.at(x)
            width = float(problem.width({**problem.given, **values})) * (1 - 1e-12)
            for _ in range(_CORRECTIONS):
                before, step = step, round(self.last) if self.step == "N" else min(self.last, width)
                if step == before:
                    break
                used = problem.values_of_terms({**self.given, **values, self.step: step})
                share = used[self.terms[self.step]]
                room = self.room - self.others(used) + share
                if room <= 0:
                    return _HOPELESS
                ratio = max(share / room, 1e-3)
                value = log(step if self.step == "N" else width / step) + log(ratio)
                if abs(ratio - 1) < _ACCURACY:
                    break
                self.last = min(max(step * ratio, 1), MAX_STEPS) if self.step == "N" else step / ratio
        except DomainError:
            return _HOPELESS
        return value

    def rounded(self, x: Any) -> Answers:
        """The answers at a point, rounded to the safe side, and what each term is allowed there."""
        problem, found = self.at(x)
        values = self.given | {name: rounded(Fraction(y), up=name in SMALLEST) for name, y in found.items()}

        def total(step: Any) -> float:
            return self.others(problem.values_of_terms({**values, self.step: step}))

        values[self.step] = best(problem, self.step, values, total, self.room)
        used = problem.values_of_terms(values)
        return problem, values, {x: used[x] for x in self.terms.values()} | self.kept
