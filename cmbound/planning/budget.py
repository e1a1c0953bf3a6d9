"""Budgets: what a target error needs (theory 3.9)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import exp, log
from typing import Any

from scipy.optimize import minimize_scalar

from cmbound.errors import DomainError, InputError
from cmbound.evaluation.statement import theorem
from cmbound.numbers import exact
from cmbound.planning.optimal import fewest_steps
from cmbound.planning.problem import Problem, exact_number, is_given, items, later_times
from cmbound.planning.question import read_problem, read_split
from cmbound.planning.records import Budget
from cmbound.planning.single import solve_single
from cmbound.planning.solving import Answers, finish, shared
from cmbound.theory.records import Theorem
from cmbound.threads import alone

_POWERS = tuple(2**i for i in range(11))  # numbers of evaluations that are tried first; the last is the largest
_HOPELESS = 1e3  # in the place of the logarithm of an effort, where the target cannot be met
_TIME_ACCURACY, _TIME_TRIALS = 2e-3, 16
"""Of the time of later evaluations: near the best one the effort changes in second order only."""
_OFFSETS = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0)  # candidates for t_hat - delta, in units of log(2 L_f) (Cor 6), and at least of 1/2


@alone
def solve(
    id: str | Theorem,
    *,
    target: Any,
    fix: Mapping[str, Any] | None = None,
    split: str | Mapping[str, Any] | Sequence[Any] | None = None,
    unknown: str | None = None,
    **params: Any,
) -> Budget:
    """The budget that meets a target.

    Without ``unknown`` every budget parameter that is not given is solved for, so that each named term is at most its
    share of the target: delta, T, h (N on a grid), eps_sc, eps_cm in this order. A fixed parameter's term uses what it
    uses, and the others share the rest. A preset's own budget parameters are ignored. With ``unknown`` that one is
    solved for and everything else must be given (a preset counts). Answers are rounded to the safe side, and the
    certified total at the answer is at most the target.

    Args:
        id: an explicit statement, or its id.
        target: a number > 0.
        fix: budget parameters held fixed, by name (the same as giving them among ``params``).
        split: shares of the named terms: in their order, by name (unnamed terms share the rest), or ``"optimal"``: the
            fewest steps for the given errors. Default: equal shares.
        unknown: ``h``, ``N``, ``eps_sc``, ``eps_cm``, ``T``, ``delta``, ``k``, ``L_f``, ``u`` or ``eta``.
        params: numbers and options, as for :meth:`cmbound.evaluation.statement.Statement.evaluate`.

    Returns:
        A :class:`Budget`.

    Raises:
        DomainError: the target cannot be met; the message names the term and by how much it misses.
        CmboundError: as for :meth:`cmbound.evaluation.statement.Statement.evaluate`.

    >>> import cmbound
    >>> found = cmbound.solve("explicit-one-step", target="0.5", L_f="1.05", d=2, m2="1.2")
    >>> float(found.achieved) <= 0.5, found.solved
    (True, ('delta', 'T', 'h', 'eps_sc', 'eps_cm'))
    """
    statement = theorem(id)
    problem = read_problem(statement, target, fix or {}, params, unknown)
    if unknown is not None and split is not None:
        raise InputError("a single unknown takes no split: all its room is what the other terms leave")
    if unknown is not None:
        return solve_single(problem)
    optimal = isinstance(split, str) and split == "optimal"
    way = _Way(read_split(None if optimal else split, problem), optimal)
    if not statement.bare_recursion or {"times", "sigmas"} & set(problem.given):
        return way.solved(problem)
    if is_given(problem.given, "k"):
        return way.at_best_time(problem, problem.given["k"])
    return way.fewest_evaluations(problem)


class _Way:
    """How a problem is solved: the weights of the free terms, or the split with the fewest steps."""

    def __init__(self, weights: Mapping[str, Fraction], optimal: bool) -> None:
        self.weights, self.optimal = weights, optimal

    def solved(self, problem: Problem, answers: Answers | None = None) -> Budget:
        """The certified budget of the answers (by default with all times fixed or at a fixed place), perhaps the fewest steps."""
        answers = answers or shared(problem, self.weights)
        return finish(*(fewest_steps(*answers) if self.optimal else answers))

    def at_best_time(self, problem: Problem, k: Any, polish: bool = True) -> Budget:
        """k evaluations, those after the first at the time that needs the fewest steps: the best of some, then near it."""
        if exact("k", k) == 1 or later_times(problem.given):
            return self.solved(problem.with_evaluations(k))
        unit = max(log(2 * max(float(exact("L_f", x)) for x in items(problem.given.get("L_f", 1)))), 0.5)
        longest = float(exact_number(problem.given, "T")) if is_given(problem.given, "T") else float("inf")
        found: dict[float, Answers] = {}
        failed: list[DomainError] = []

        def effort(offset: float) -> float:
            try:
                found[offset] = shared(problem.with_evaluations(k, offset), self.weights)
            except DomainError as error:
                failed.append(error)
                return _HOPELESS
            return _effort(found[offset])

        efforts = {offset: effort(offset) for offset in dict.fromkeys(min(x * unit, longest) for x in _OFFSETS)}
        if not found:
            raise failed[0]
        if polish:
            first = min(efforts, key=efforts.__getitem__)
            low = max((x for x in efforts if x < first), default=first / 4)
            high = min((x for x in efforts if x > first), default=first * 2)
            options = {"xatol": _TIME_ACCURACY, "maxiter": _TIME_TRIALS}
            minimize_scalar(lambda x: effort(exp(x)), bounds=(log(low), log(high)), method="bounded", options=options)
        return self.solved(problem, min(found.values(), key=_effort))

    def fewest_evaluations(self, problem: Problem) -> Budget:
        """The smallest k for which the rest can be solved."""
        tried: dict[int, Budget | DomainError] = {}

        def works(k: int) -> bool:
            try:
                tried[k] = self.at_best_time(problem, k, polish=False)
            except DomainError as error:
                tried[k] = error
            return isinstance(tried[k], Budget)

        enough = next((k for k in _POWERS if works(k)), 1)
        k = bisect_left(range(enough), True, lo=enough // 2 + 1, key=works)
        found = tried[k]
        if isinstance(found, DomainError):
            raise found
        return found if k == 1 or later_times(problem.given) else self.at_best_time(problem, k)


def _effort(answers: Answers) -> float:
    """What is compared between schedules, as a logarithm: steps of the grid, or where they are fixed the errors allowed."""
    problem, values, _ = answers
    if problem.step in problem.unknowns:
        full = problem.params(values)
        return log(int(full["N"]) if problem.step == "N" else problem.width(full) / exact("h", full["h"]))
    return -log(Fraction(values.get("eps_cm", values.get("eps_sc", "1"))))
