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
from cmbound.planning.problem import LOWEST, SMALLEST, TERM_OF, Problem, exact_number, rounded
from cmbound.planning.roots import fewest, largest
from cmbound.theory.grids import MAX_STEPS

_TRIALS = 50
"""For each number that is searched."""
_HOPELESS = 1e3
_CORRECTIONS = 6
_ACCURACY = 1e-6
_WIDTH = 1e-2
_ERRORS = ("score", "consistency")


def fewest_steps(
    problem: Problem, values: Mapping[str, str], allowed: Mapping[str, float]
) -> tuple[Problem, dict[str, str], dict[str, float]]:
    """The answers with the fewest steps, started from those of another split; never more steps than there.

    The problem that is returned has the best time of later evaluations, where that is free.

    Free errors eps_sc and eps_cm keep the allowance they have; early stopping, initialisation and discretisation divide
    what the errors leave.

    Raises:
        InputError: the step is not an unknown.
    """
    from cmbound.planning.budget import filled

    step = problem.step
    if step not in problem.unknowns:
        raise InputError("split optimal minimises the number of steps, which the given parameters fix")
    reserve = sum(allowed[x] for x in _ERRORS if x in allowed)
    search = _Search(problem, float(problem.target) - reserve)
    start = [search.coordinate(name, values) for name in search.names]
    if not start:
        return problem, dict(values), dict(allowed)
    if problem.offset is not None:
        start.append(log(problem.offset))
    simplex = np.array([start, *(np.array(start) + 0.5 * np.eye(len(start)))])
    options = {"initial_simplex": simplex, "maxfev": _TRIALS * len(start), "xatol": 5e-3, "fatol": 1e-4}
    found = minimize(search.steps, start, method="Nelder-Mead", options=options)
    try:
        better = search.rounded(found.x)
    except DomainError:
        return problem, dict(values), dict(allowed)
    if found.fun >= search.steps(np.array(start)):
        return problem, dict(values), dict(allowed)
    problem = search.at(found.x)
    used = problem.values_of_terms(better)
    room = {name: used[TERM_OF[name]] for name in (*search.names, step)}
    shares = {TERM_OF[name]: x for name, x in room.items()} | {x: allowed[x] for x in _ERRORS if x in allowed}
    errors = [name for name in problem.unknowns if TERM_OF[name] in _ERRORS]
    if errors:
        rest = Problem(
            problem.theorem,
            problem.target,
            {**problem.given, **better},
            tuple(errors),
            problem.fixed,
            problem.terms,
            step,
            problem.offset,
        )
        better |= filled(rest, shares)
    return problem, better, shares


class _Search:
    """The number of steps as a function of log delta and log(T - delta), whichever are unknown, and of log(t_hat - delta)."""

    def __init__(self, problem: Problem, room: float) -> None:
        self.problem, self.room, self.step = problem, room, str(problem.step)
        self.names = [name for name in ("delta", "T") if name in problem.unknowns]
        self.last: float | None = None

    def at(self, x: Any) -> Problem:
        """The problem with t_hat at a point of the search."""
        return self.problem if self.problem.offset is None else replace(self.problem, offset=exp(min(x[-1], 6.5)))

    def coordinate(self, name: str, values: Mapping[str, str]) -> float:
        full = {**self.problem.given, **values}
        delta = float(exact_number(full, "delta"))
        return log(delta) if name == "delta" else log(float(exact_number(full, "T")) - delta)

    def values(self, x: Any) -> dict[str, Any]:
        """delta and T at a point of the search."""
        found: dict[str, Any] = {}
        for name, u in zip(self.names, x, strict=False):
            found[name] = exp(min(u, 6.5))
        if "T" in found:
            found["T"] += float(exact_number({**self.problem.given, **found}, "delta"))
        return found

    def total(self, values: Mapping[str, Any], step: Any) -> float:
        """The terms but those of the free errors, whose stand-ins are 0."""
        return sum(self.problem.values_of_terms({**values, self.step: step}).values())

    def steps(self, x: Any) -> float:
        """log((T - delta)/h) or log N at a point; large where the target cannot be met."""
        self.problem = self.at(x)
        try:
            values = self.values(x)
            full = {**self.problem.given, **values}
            width = float(exact_number(full, self.problem.end) - exact_number(full, "delta"))
            if self.step == "N":
                return self._count(values)
            return log(width / self._largest_step(values, width))
        except DomainError:
            return _HOPELESS

    def _largest_step(self, values: Mapping[str, Any], width: float) -> float:
        """Discretisation is about proportional to h: a few corrections from the last answer; if not, bracketed."""
        if self.last is not None:
            step = min(self.last, width)
            outer = self.total(values, float(LOWEST))
            if outer >= self.room:
                raise DomainError("no room for the discretisation")
            for _ in range(_CORRECTIONS):
                ratio = (self.room - outer) / (self.total(values, step) - outer)
                if abs(ratio - 1) < _ACCURACY or (ratio > 1 and step == width):
                    self.last = step
                    return step
                step = min(step * ratio, width)
        self.last = largest(lambda h: self.total(values, h), self.room, float(LOWEST), width, accuracy=_ACCURACY)
        return self.last

    def _count(self, values: Mapping[str, Any]) -> float:
        """log N, corrected by how far the room is used, so that it varies smoothly; N from the last answer likewise."""
        n = fewest(lambda n: self.total(values, n), self.room, width=_WIDTH) if self.last is None else int(self.last)
        for _ in range(_CORRECTIONS):
            used = self.problem.values_of_terms({**values, "N": n})
            rest = self.room - sum(y for x, y in used.items() if x != "discretisation")
            if rest <= 0:
                raise DomainError("no room for the discretisation")
            ratio = used["discretisation"] / rest
            self.last = min(max(round(n * ratio), 1), MAX_STEPS)
            if abs(ratio - 1) < _WIDTH or self.last == n:
                break
            n = int(self.last)
        return log(n) + log(max(ratio, 1e-3))

    def rounded(self, x: Any) -> dict[str, str]:
        """The answers at a point, rounded to the safe side."""
        from cmbound.planning.budget import best

        self.problem = self.at(x)
        values = {name: rounded(Fraction(y), up=name in SMALLEST) for name, y in self.values(x).items()}
        values[self.step] = best(self.problem, self.step, values, lambda y: self.total(values, y), self.room)
        return values
