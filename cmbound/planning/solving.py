"""Solving for the unknowns, each within the share of its term, and certifying the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from math import ceil, nextafter
from typing import Any

from cmbound.errors import DomainError
from cmbound.evaluation.notes import pitfalls
from cmbound.evaluation.records import Evaluation
from cmbound.numbers import apart, exact, text_of
from cmbound.planning.problem import HIGHEST, LOWEST, SMALLEST, TERM_OF, Problem, rounded, stepped
from cmbound.planning.records import Budget
from cmbound.planning.roots import Missed, fewest, largest, smallest
from cmbound.reports.words import words

Values = dict[str, str]
Answers = tuple[Problem, Values, dict[str, float]]  # a problem, the values of its unknowns, and what each free term was allowed
_SHRINK = (*[2e-4] * 20, *(2e-4 * 2**i for i in range(1, 13)))
"""By how much the room for the free terms falls from trial to trial: fast in the end, where the fixed terms follow it closely."""
_ROUNDS = 20  # shares settle in a few
_SAME = Fraction(10001, 10000)  # a corrector's step that grows by less is not solved for again
_PROPORTIONAL = 1e-9  # relative error of a root found from two values, below which it is one
_WIDER = 4.0  # two steps more span a decade
_CORRECTIONS = 40  # last digits that rounding may cost; one or two do


def shared(problem: Problem, weights: Mapping[str, Fraction]) -> Answers:
    """The answers when the free terms share what the fixed ones leave.

    What a fixed term uses depends on the answers (eps_cm (T - delta), say). It falls as the room of the others grows, so
    that substituting it again and again from the whole target downwards finds the largest room.

    Raises:
        DomainError: the fixed terms leave none.
    """
    room = target = float(problem.target)
    for shrink in _SHRINK:
        allowed = {x: float(y) * room for x, y in weights.items()}
        values = filled(problem, allowed)
        fixed = {x: y for x, y in problem.values_of_terms(values).items() if x not in weights}
        used = sum(fixed.values())
        if used + (room if weights else 0.0) <= target * (1 + 1e-15):
            return problem, values, allowed
        if used >= target:
            break
        room = (target - used) * (1 - shrink)
    raise impossible(problem, fixed)


def filled(problem: Problem, allowed: Mapping[str, float]) -> Values:
    """Solve the unknowns one after the other, each term within its allowance.

    The corrector's share is for its step and for the score error it uses: the step gets half of it first, then what the score
    error, whose own term is often far smaller, leaves. A longer step makes W2 dearer, so that the rest is solved again.
    """
    shared = {"eta", "eps_sc"} <= set(problem.unknowns)
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
        low = solve_one(problem, "eps_sc", values, allowed["corrector"], "corrector")
        values["eps_sc"] = min(values["eps_sc"], low, key=Fraction)
    return values


def solve_one(problem: Problem, name: str, values: Values, allowance: float, term: str = "") -> str:
    """The best value of one unknown at which a term (default: its own) is within its allowance, rounded to the safe side.

    Raises:
        DomainError: no value brings the term within the allowance.
    """
    term = term or problem.term_of(name)

    def used(x: Any) -> float:
        return problem.values_of_terms({**values, name: x}, term)[term]

    try:
        return best(problem, name, values, used, allowance)
    except Missed as error:
        still, share = apart(error.value, allowance, digits=4)
        raise DomainError(
            f"the target {float(problem.target):g} cannot be met: {words(term)} is still {still} at {name} = {error.place:g}, "
            f"{error.value - allowance:.4g} above its share {share}{_first(problem, term)}"
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
        text = _lowest_horizon(problem, values, low)
        if used(text) <= allowance:
            return text
        x = smallest(used, allowance, nextafter(float(Fraction(text)), float(high)), float(high))
    else:
        cap = problem.cap(name, values)
        top = float(Fraction(cap))
        errors = name.startswith("eps")
        x = _largest_error(used, allowance) if errors else largest(used, allowance, min(float(low), top), top * (1 - 1e-12))
        if x >= top * (1 - 1e-9) and used(cap) <= allowance:
            return cap
    text = rounded(x, up=name == "T")
    while used(text) > allowance:
        text = stepped(name, text)
    return text


def _lowest_horizon(problem: Problem, values: Values, low: Fraction) -> str:
    """The first T above delta, and at or above the later times."""
    start = problem.start({**problem.given, **values})
    text = rounded(max(low, 10 * LOWEST), up=True, digits=6)
    while Fraction(text) <= start or Fraction(text) < low:
        text = rounded(Fraction(text) * (1 + Fraction(1, 10**4)), up=True, digits=6)
    return text


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


def impossible(problem: Problem, used: Mapping[str, float], place: str = "") -> DomainError:
    """The error for a target that the given parameters exceed."""
    target = float(problem.target)
    name = max(used, key=lambda x: used[x])
    total, shown = sum(used.values()), " + ".join(f"{words(x)} {y:.4g}" for x, y in used.items() if y > 0)
    if used[name] > target:
        total, shown = used[name], f"{words(name)} alone"
    over = f"{total - target:.4g} above it" if total > target else "which leaves no room for the other terms"
    what = f"{shown} {'is' if used[name] > target else '='} {apart(total, target, digits=4)[0]}, {over}"
    held = ", ".join(f"{x} = {y}" for x, y in problem.fixed.items())
    return DomainError(
        f"the target {target:g} cannot be met{f' with {held} fixed' if held else ''}: {place}{what}{_first(problem, name)}"
    )


def _first(problem: Problem, term: str) -> str:
    """What to change before anything else, where this term is in the way."""
    given, initial = problem.given, term == "initialisation"
    return "".join(f"; {x}" for x in pitfalls(given, given.get("clock") == "ve")) if initial else ""


def finish(problem: Problem, values: Values, allowed: Mapping[str, float]) -> Budget:
    """Certify the answer, tightened in its last digits where rounding carried it above the target.

    Raises:
        DomainError: the target is exceeded although nothing is unknown.
    """
    values = dict(values)
    loose = [x for x in problem.unknowns if x not in SMALLEST] or list(problem.unknowns)
    achieved = problem.certified(values)
    for _ in range(_CORRECTIONS if loose else 0):
        if Fraction(achieved.upper) <= problem.target:
            break
        values |= {name: stepped(name, values[name]) for name in loose}
        achieved = problem.certified(values)
    if Fraction(achieved.upper) > problem.target:
        raise impossible(problem, {x: y.value for x, y in achieved.terms.items()})
    return _record(problem, values, allowed, achieved)


def _record(problem: Problem, values: Values, allowed: Mapping[str, float], achieved: Evaluation) -> Budget:
    full, target = problem.params(values), float(problem.target)
    if problem.theorem.bare_recursion:
        values = values | {x: str(full[x]) for x in ("k", "t_hat") if full.get(x) is not None and x not in problem.fixed}
    steps = _steps(problem, full, achieved)
    chosen = {x: text_of(achieved.parameters[x]) for x in problem.chosen}
    found = {**problem.fixed, **values, **chosen} | ({} if steps is None else {"N": str(steps)})
    budget = {x: found[x] for x in dict.fromkeys((*TERM_OF, *found)) if x in found}
    solved = tuple(dict.fromkeys((*problem.unknowns, *values)))
    split = {x: allowed.get(x, y.value) / target for x, y in achieved.terms.items()}
    at = achieved.parameters
    corrector = ceil(exact("tau_c", at["tau_c"]) / exact("eta", at["eta"])) if {"tau_c", "eta"} <= set(at) else None
    return Budget(
        problem.theorem, problem.target, budget, problem.fixed, solved, split, achieved, steps, tuple(chosen), corrector
    )


def _steps(problem: Problem, params: Mapping[str, Any], achieved: Evaluation) -> int | None:
    """The number of steps of the grid, without one ceil((T - delta)/h)."""
    if achieved.grid is None:
        return None
    count = achieved.grid["N"]
    return ceil(problem.width(params) / exact("h", params["h"])) if count is None else int(count)
