"""Budgets: what a target error needs (theory 3.9)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import exp, log, nextafter
from typing import Any

from scipy.optimize import minimize_scalar

from cmbound.errors import DomainError, InputError
from cmbound.evaluation.records import Evaluation
from cmbound.evaluation.statement import theorem as find
from cmbound.frozen import Record
from cmbound.numbers import apart, exact, text_of
from cmbound.planning.problem import (
    HIGHEST,
    LOWEST,
    SMALLEST,
    TERM_OF,
    Problem,
    exact_number,
    is_given,
    items,
    later_times,
    read_problem,
    rounded,
    stepped,
)
from cmbound.planning.roots import Missed, fewest, largest, smallest
from cmbound.planning.split import read_split
from cmbound.theory.records import Theorem
from cmbound.threads import alone

Values = dict[str, str]
_ROUNDS = 20
_CLOSE = 1 - 2e-4
_SAME = Fraction(10001, 10000)
_SCAN = 24
_PROPORTIONAL = 1e-9
_WIDER = 4.0
_CORRECTIONS = 40
_HOPELESS = 1e3
_TIME_ACCURACY, _TIME_TRIALS = 2e-3, 16
MAX_K = 1024
_OFFSETS = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0)
"""Candidates for t_hat - delta, in units of log(2 L_f) (Cor 6), and at least of 1/2."""


@dataclass(frozen=True, eq=False, repr=False)
class Budget(Record):
    """What a target error needs.

    Attributes:
        theorem: the statement.
        target: what its total may be.
        budget: every budget parameter as exact text, those held fixed or chosen included; N counts the steps of a grid.
        fixed: the budget parameters that were given.
        solved: the names of those that were solved for, in their order.
        chosen: the names of the statement's free parameters that were left out and not solved for: the best were taken.
        split: by term, the share of the target it was allowed (a fixed term: the share it uses).
        achieved: the certified evaluation at the budget; its upper end is at most the target.
        evaluations_of_teacher: one for each step of the grid (None: no teacher enters).
        steps_of_corrector: tau_c/eta rounded up, each with one evaluation of the score (None: no corrector enters).
    """

    theorem: Theorem
    target: Fraction
    budget: Mapping[str, str]
    fixed: Mapping[str, str]
    solved: tuple[str, ...]
    split: Mapping[str, float]
    achieved: Evaluation
    evaluations_of_teacher: int | None
    chosen: tuple[str, ...] = ()
    steps_of_corrector: int | None = None

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={x}" for name, x in self.budget.items())
        return f"<Budget for {self.theorem.id} <= {float(self.target):.6g}: {shown}>"

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The numbers at which the achieved value was evaluated (the options are those that were given)."""
        return self.achieved.parameters

    def to_dict(self) -> dict[str, Any]:
        """The budget as JSON-ready data (the shape of ``cmbound solve --format json``)."""
        from cmbound.output.planning import budget_data

        return budget_data(self)


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
        params: numbers and options, as for :meth:`cmbound.theory.records.Theorem.evaluate`.

    Returns:
        A :class:`Budget`.

    Raises:
        DomainError: the target cannot be met; the message names the term and by how much it misses.
        CmboundError: as for :meth:`cmbound.theory.records.Theorem.evaluate`.
    """
    theorem = find(id) if isinstance(id, str) else id
    problem = read_problem(theorem, target, fix or {}, params, unknown)
    if unknown is not None:
        if split is not None:
            raise InputError("a single unknown takes no split: all its room is what the other terms leave")
        from cmbound.planning.single import solve_single

        return solve_single(problem)
    weights, optimal = read_split(split, problem)
    if not theorem.recursion or later_times(problem.given):
        if theorem.recursion and not {"k", "times", "sigmas"} & set(problem.given):
            return _fewest_evaluations(problem, weights, optimal)
        return _solve_all(problem, weights, optimal)
    if is_given(problem.given, "k"):
        return _best_time(problem, int(exact("k", problem.given["k"])), weights, optimal)
    return _fewest_evaluations(problem, weights, optimal)


# --- all unknowns ---------------------------------------------------------------------------------------------------


def _solve_all(problem: Problem, weights: Mapping[str, Fraction], optimal: bool) -> Budget:
    values, allowed = shared(problem, weights)
    if optimal:
        from cmbound.planning.optimal import fewest_steps

        problem, values, allowed = fewest_steps(problem, values, allowed)
    return finish(problem, values, allowed)


def shared(problem: Problem, weights: Mapping[str, Fraction]) -> tuple[Values, dict[str, float]]:
    """The answers when the free terms share what the fixed ones leave, and the allowance of each free term.

    What a fixed term uses depends on the answers (eps_cm (T - delta), say). It falls as the room of the others grows, so
    that substituting it again and again from the whole target downwards finds the largest room; should that be slow,
    rooms are searched.
    """
    target = float(problem.target)

    def attempt(room: float) -> tuple[Values, dict[str, float]]:
        allowed = {x: float(y) * room for x, y in weights.items()}
        values = filled(problem, allowed)
        used = problem.values_of_terms(values)
        return values, {x: used[x] for x in problem.terms if x not in weights}

    room, tried = target, []
    for _ in range(_ROUNDS):
        values, fixed = attempt(room)
        used = sum(fixed.values())
        if used + (room if weights else 0.0) <= target * (1 + 1e-15):
            return values, {x: float(y) * room for x, y in weights.items()}
        tried.append((used + room, fixed))
        room = (target - used) * _CLOSE
        if used >= target:
            raise impossible(problem, fixed)
    return _searched(problem, weights, attempt, room, tried)


def _searched(
    problem: Problem,
    weights: Mapping[str, Fraction],
    attempt: Callable[[float], tuple[Values, dict[str, float]]],
    room: float,
    tried: list[tuple[float, dict[str, float]]],
) -> tuple[Values, dict[str, float]]:
    """The largest room found on a logarithmic scan that fits, then by bisection."""
    target = float(problem.target)

    def fits(size: float) -> Values | None:
        values, fixed = attempt(size)
        tried.append((sum(fixed.values()) + size, fixed))
        return values if tried[-1][0] <= target else None

    rooms = [room * 10 ** (-4 * i / _SCAN) for i in range(_SCAN + 1)]
    for upper, lower in pairwise(rooms):
        best = fits(lower)
        if best is None:
            continue
        for _ in range(12):
            middle = (lower + upper) / 2
            found = fits(middle)
            if found is None:
                upper = middle
            else:
                lower, best = middle, found
        return best, {x: float(y) * lower for x, y in weights.items()}
    raise impossible(problem, min(tried, key=lambda x: x[0])[1])


def filled(problem: Problem, allowed: Mapping[str, float]) -> Values:
    """Solve the unknowns one after the other, each term within its allowance.

    The corrector's share is for its step and for the score error it uses: the step gets half of it first, then what the score
    error, whose own term is often far smaller, leaves. A longer step makes W2 dearer, so that the rest is solved again.
    """
    shared = "eta" in problem.unknowns and "eps_sc" in problem.unknowns
    values = _in_order(problem, allowed, {}, 0.5 if shared else 1.0)
    for _ in range(_ROUNDS if shared else 0):
        eta = solve_one(problem, "eta", values, allowed["corrector"])
        if Fraction(eta) <= Fraction(values["eta"]) * _SAME:
            break
        values = _in_order(problem, allowed, {"eta": eta})
    return values


def _in_order(problem: Problem, allowed: Mapping[str, float], values: Values, part: float = 1.0) -> Values:
    """The unknowns without a value, one after the other; the corrector's step within ``part`` of its share."""
    for name in problem.unknowns:
        if name not in values:
            values[name] = solve_one(problem, name, values, allowed[problem.term_of(name)] * (part if name == "eta" else 1.0))
    if "corrector" in allowed and "eps_sc" in values:
        values["eps_sc"] = _for_corrector(problem, values, allowed["corrector"])
    return values


def _for_corrector(problem: Problem, values: Values, allowance: float) -> str:
    """The score error, lowered until the corrector's own term is within its allowance too."""

    def used(x: Any) -> float:
        return problem.values_of_terms({**values, "eps_sc": x}, "corrector")["corrector"]

    text = values["eps_sc"]
    if used(text) <= allowance:
        return text
    return _inside(rounded(largest(used, allowance, float(LOWEST), float(Fraction(text))), up=False), "eps_sc", used, allowance)


def _inside(text: str, name: str, used: Callable[[Any], float], allowance: float) -> str:
    """The first answer from ``text`` on, going to the safe side, that is within the allowance."""
    while used(text) > allowance:
        text = stepped(name, text)
    return text


def solve_one(problem: Problem, name: str, values: Values, allowance: float) -> str:
    """The best value of one unknown, rounded to the safe side.

    Raises:
        DomainError: no value brings its term within the allowance.
    """
    term = problem.term_of(name)

    def used(x: Any) -> float:
        return problem.values_of_terms({**values, name: x}, term)[term]

    try:
        return best(problem, name, values, used, allowance)
    except Missed as error:
        still, share = apart(error.value, allowance, digits=4)
        raise DomainError(
            f"the target {float(problem.target):g} cannot be met: {term} is still {still} at {name} = {error.place:g}, "
            f"{error.value - allowance:.4g} above its share {share}"
        ) from None


def best(problem: Problem, name: str, values: Values, used: Callable[[Any], float], allowance: float) -> str:
    """The best value of an unknown at which ``used`` is within the allowance, rounded to the safe side.

    Raises:
        Missed: there is none.
    """
    if name == "N":
        return str(fewest(used, allowance))
    low, high = problem.ends(name, values)
    if high < low:
        raise DomainError(f"no {name} fits: it must lie between {float(low):.6g} and {float(high):.6g}")
    if name == "T":
        return _rounded_horizon(problem, values, used, allowance, low, high)
    cap = problem.cap(name, values)
    top = float(Fraction(cap))
    if name.startswith("eps"):
        x = _largest_error(used, allowance)
    else:
        x = largest(used, allowance, min(float(low), top), top * (1 - 1e-12))
    if x >= top * (1 - 1e-9) and used(cap) <= allowance:
        return cap
    return _inside(rounded(x, up=False), name, used, allowance)


def _largest_error(used: Callable[[Any], float], allowance: float) -> float:
    """The largest error within the allowance: most terms are proportional to it, but not a total whose free parameters follow it.

    Raises:
        Missed: none is.
    """
    others = used("0")
    if others >= allowance:
        raise Missed(0, others)
    slope = used("1") - others
    x = min((allowance - others) / slope, float(HIGHEST)) if slope > 0 else float(HIGHEST)
    if abs(used(x) - allowance) <= _PROPORTIONAL * allowance:
        return x
    low = high = x
    while used(low) > allowance and low > float(LOWEST):
        low /= _WIDER
    while used(high) < allowance and high < float(HIGHEST):
        high *= _WIDER
    return largest(used, allowance, max(low, float(LOWEST)), min(high, float(HIGHEST)))


def _rounded_horizon(
    problem: Problem, values: Values, used: Callable[[Any], float], allowance: float, low: Fraction, high: Fraction
) -> str:
    """The smallest T; it must lie above delta, and at or above the later times."""
    full = {**problem.given, **values}
    text = rounded(max(low, 10 * LOWEST), up=True, digits=6)
    floor = problem.start(full)
    while Fraction(text) <= floor or Fraction(text) < low:
        text = rounded(Fraction(text) * (1 + Fraction(1, 10**4)), up=True, digits=6)
    if used(text) <= allowance:
        return text
    start = nextafter(float(Fraction(text)), float(high))
    return _inside(rounded(smallest(used, allowance, start, float(high)), up=True), "T", used, allowance)


def impossible(problem: Problem, used: Mapping[str, float], place: str = "") -> DomainError:
    """The error for a target that the given parameters exceed."""
    target = float(problem.target)
    name = max(used, key=lambda x: used[x])
    if used[name] > target:
        what = f"{name} alone is {apart(used[name], target, digits=4)[0]}, {used[name] - target:.4g} above it"
    else:
        total = sum(used.values())
        shown = " + ".join(f"{x} {y:.4g}" for x, y in used.items() if y > 0)
        over = f"{total - target:.4g} above it" if total > target else "which leaves no room for the other terms"
        what = f"{shown} = {apart(total, target, digits=4)[0]}, {over}"
    held = ", ".join(f"{x} = {y}" for x, y in problem.fixed.items())
    return DomainError(f"the target {target:g} cannot be met{f' with {held} fixed' if held else ''}: {place}{what}")


# --- multistep sampling ---------------------------------------------------------------------------------------------


def _best_time(problem: Problem, k: int, weights: Mapping[str, Fraction], optimal: bool, polish: bool = True) -> Budget:
    """k evaluations, those after the first at the time that needs the fewest steps: the best of some, then near it."""
    if k == 1:
        return _solve_all(problem.with_evaluations(1, None), weights, optimal)
    unit = max(log(2 * max(float(exact("L_f", x)) for x in items(problem.given["L_f"]))), 0.5)
    offsets = [x * unit for x in _OFFSETS]
    if is_given(problem.given, "T"):
        offsets = [min(x, float(exact_number(problem.given, "T"))) for x in offsets]
    found: dict[float, tuple[Problem, Values, dict[str, float]]] = {}
    failed: list[DomainError] = []

    def effort(offset: float) -> float:
        trial = problem.with_evaluations(k, offset)
        try:
            found[offset] = (trial, *shared(trial, weights))
        except DomainError as error:
            failed.append(error)
            return _HOPELESS
        return _effort(*found[offset][:2])

    efforts = {offset: effort(offset) for offset in dict.fromkeys(offsets)}
    if not found:
        raise failed[0]
    if polish:
        first = min(efforts, key=efforts.__getitem__)
        low = max((x for x in efforts if x < first), default=first / 4)
        high = min((x for x in efforts if x > first), default=first * 2)
        options = {"xatol": _TIME_ACCURACY, "maxiter": _TIME_TRIALS}
        minimize_scalar(lambda x: effort(exp(x)), bounds=(log(low), log(high)), method="bounded", options=options)
    trial, values, allowed = min(found.values(), key=lambda x: _effort(x[0], x[1]))
    if optimal:
        from cmbound.planning.optimal import fewest_steps

        trial, values, allowed = fewest_steps(trial, values, allowed)
    return finish(trial, values, allowed)


def _effort(problem: Problem, values: Values) -> float:
    """What is compared between schedules, as a logarithm: steps of the grid, or where they are fixed the errors allowed."""
    if problem.step in problem.unknowns:
        full = problem.params(values)
        if problem.step == "N":
            return log(int(full["N"]))
        return log((exact_number(full, "T") - exact_number(full, "delta")) / exact("h", full["h"]))
    return -log(Fraction(values.get("eps_cm", values.get("eps_sc", "1"))))


def _fewest_evaluations(problem: Problem, weights: Mapping[str, Fraction], optimal: bool) -> Budget:
    """The smallest k for which the rest can be solved."""

    def attempt(k: int) -> Budget | DomainError:
        try:
            if later_times(problem.given):
                return _solve_all(problem.with_evaluations(k, None), weights, optimal)
            return _best_time(problem, k, weights, optimal, polish=False)
        except DomainError as error:
            return error

    k, below = 1, 0
    outcome = first = attempt(k)
    while isinstance(outcome, DomainError):
        if k >= MAX_K:
            raise first if isinstance(first, DomainError) else outcome
        below, k = k, 2 * k
        outcome = attempt(k)
    while k - below > 1:
        middle = (k + below) // 2
        trial = attempt(middle)
        if isinstance(trial, DomainError):
            below = middle
        else:
            k, outcome = middle, trial
    return outcome if k == 1 or later_times(problem.given) else _best_time(problem, k, weights, optimal)


# --- the answer -----------------------------------------------------------------------------------------------------


def finish(problem: Problem, values: Values, allowed: Mapping[str, float]) -> Budget:
    """Certify the answer, tightened in its last digits where rounding carried it above the target.

    Raises:
        DomainError: the target is exceeded although nothing is unknown.
    """
    values = dict(values)
    achieved = problem.certified(values)
    for _ in range(_CORRECTIONS):
        if Fraction(achieved.upper) <= problem.target:
            break
        if not problem.unknowns:
            raise impossible(problem, {x: y.value for x, y in achieved.terms.items()})
        loose = [x for x in problem.unknowns if x not in SMALLEST] or list(problem.unknowns)
        for name in loose:
            values[name] = stepped(name, values[name])
        achieved = problem.certified(values)
    if Fraction(achieved.upper) > problem.target:
        raise impossible(problem, {x: y.value for x, y in achieved.terms.items()})
    return record(problem, values, allowed, achieved)


def record(problem: Problem, values: Values, allowed: Mapping[str, float], achieved: Evaluation) -> Budget:
    """The answer as a record."""
    theorem, target = problem.theorem, float(problem.target)
    solved = [*problem.unknowns, *(x for x in values if x not in problem.unknowns)]
    for name in ("k", "t_hat"):
        chosen = problem.params(values).get(name)
        if theorem.recursion and name not in problem.fixed and chosen is not None and name not in values:
            values = {**values, name: str(chosen)}
            solved.append(name)
    steps = _steps(problem, values)
    chosen = {x: text_of(achieved.parameters[x]) for x in problem.chosen}
    everything = {**problem.fixed, **values, **chosen}
    if steps is not None:
        everything["N"] = str(steps)
    order = [x for x in (*TERM_OF, *problem.fixed, *values, *chosen) if x in everything]
    split = {x: allowed.get(x, y.value) / target for x, y in achieved.terms.items()}
    return Budget(
        theorem=theorem,
        target=problem.target,
        budget={x: everything[x] for x in dict.fromkeys(order)},
        fixed=problem.fixed,
        solved=tuple(solved),
        split=split,
        achieved=achieved,
        evaluations_of_teacher=steps,
        chosen=tuple(chosen),
        steps_of_corrector=_steps_of_corrector(achieved.parameters),
    )


def _steps_of_corrector(params: Mapping[str, Any]) -> int | None:
    if not {"tau_c", "eta"} <= set(params):
        return None
    return -int(-exact("tau_c", params["tau_c"]) / exact("eta", params["eta"]) // 1)


def _steps(problem: Problem, values: Mapping[str, Any]) -> int | None:
    """The number of steps of the grid: ceil((T - delta)/h), or that of the grid."""
    if not problem.theorem.uses_profile:
        return None
    full = problem.params(values)
    if "N" in full:
        return int(exact("N", full["N"]))
    if full.get("grid") is None:
        width = exact_number(full, problem.end) - exact_number(full, "delta")
        return -int(-width / exact("h", full["h"]) // 1)
    from cmbound.evaluation.setting import resolve

    grid = resolve(problem.theorem, full).grid
    assert grid is not None
    return grid.N
