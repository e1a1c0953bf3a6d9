"""Reading what is asked: the given numbers and options, the unknowns, and how the target is divided among the terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from sympy import sqrt

from cmbound.arithmetic.approximate import compile
from cmbound.errors import DomainError, InputError, UnknownNameError
from cmbound.evaluation.free import smallest
from cmbound.evaluation.setting import with_preset
from cmbound.numbers import counted, exact, text_of
from cmbound.planning.problem import BUDGET, OF_ALIAS, TERM_OF, Problem, is_given, items, rounded
from cmbound.theory.formulas import ALIASES, OPTIONS, accepts, unknown_parameter
from cmbound.theory.functions import steering
from cmbound.theory.notation import TABLE
from cmbound.theory.records import Theorem
from cmbound.theory.rules import Profile


def fixable(theorem: Theorem) -> tuple[str, ...]:
    """The names a budget may fix."""
    names = [*TERM_OF, "t", "k", "t_hat", "times", "gamma", "tau_c", *theorem.free, *ALIASES]
    return tuple(x for x in dict.fromkeys(names) if accepts(theorem, x))


def read_problem(
    theorem: Theorem, target: Any, fix: Mapping[str, Any], params: Mapping[str, Any], unknown: str | None = None
) -> Problem:
    """Check and complete a question, asked as in :func:`cmbound.planning.budget.solve`.

    Without ``unknown`` all budget parameters that are not given are unknown, and those of a preset do not count as given.

    Raises:
        CmboundError: an order-form statement, a name that does not exist, a name given twice, or a bad target.
    """
    if theorem.kind != "explicit":
        raise InputError(f"solve needs an explicit statement; {theorem.id} is in {theorem.kind} form")
    goal = exact("target", target)
    if goal <= 0:
        raise DomainError(f"target must be a number > 0, got {target}")
    own = {name: x for name, x in params.items() if x is not None}
    for name in fix:
        if name not in fixable(theorem):
            raise InputError(f"fix takes {', '.join(fixable(theorem))}; got {name!r}")
        if name in own:
            raise InputError(f"{name} is given twice, as a parameter and in fix")
    own |= fix
    if "digits" in own:
        raise InputError("solve takes no digits: its answer is rounded to the safe side")
    given = _merged(theorem, own, keep=unknown is not None)
    if theorem.uses_profile and given.get("teacher") == "ddim":
        given.setdefault("grid", "geometric")
    grid = given.get("grid")
    step = ("h" if grid in (None, "two-stage") else "N") if isinstance(grid, str | None) else None
    terms = tuple(x.name for x in theorem.bare_sources if not (x.name == "early_stopping" and given.get("to") == "p_delta"))
    if not any(accepts(theorem, name) for term in terms for name in BUDGET.get(term, ())):
        known = ", ".join(x.replace("_", " ") for x in BUDGET)
        raise InputError(f"{theorem.id} has no budget: solve knows the parameters of {known} only, and it has no such term")
    if unknown is None:
        _count_of_lists(given, step)
    problem = Problem(theorem, goal, given, (), _fixed(theorem, given), terms, step, own=tuple(sorted(own)))
    if unknown is not None:
        return _measured(_single(problem, unknown, own))
    corrector = _best_corrector(given) if "gamma" in theorem.free else {}
    return _measured(replace(problem, given={**corrector, **given}, unknowns=_unknowns(problem)))


def _measured(problem: Problem) -> Problem:
    """Measured local errors belong to the nodes of a grid: of these no more than their number can be unknown.

    Raises:
        InputError: something else that moves the nodes is unknown.
    """
    profile = problem.given.get("profile")
    if not isinstance(profile, Profile) or profile.measured is None:
        return problem
    moving = [x for x in problem.unknowns if x in ("delta", "T", "h")]
    if moving:
        raise InputError(f"profile {profile.name!r} belongs to the nodes of a grid: give {', '.join(moving)}")
    if "N" not in problem.unknowns:
        return problem
    return replace(problem, given={**problem.given, "profile": replace(profile, measured=profile.measured.for_every_number())})


def _merged(theorem: Theorem, own: Mapping[str, Any], keep: bool) -> dict[str, Any]:
    """What was given with a preset merged in; of the preset's budget parameters none unless ``keep``."""
    numbers = {name: x for name, x in own.items() if name not in OPTIONS}
    options = {name: own[name] for name in OPTIONS if name in own}
    for name in numbers:
        if not accepts(theorem, name):
            raise unknown_parameter(theorem, name)
    merged, options = with_preset(theorem, numbers, options) if "preset" in options else (numbers, options)
    dropped = set() if keep else set(fixable(theorem)) - set(numbers)
    return {**{name: x for name, x in merged.items() if name not in dropped}, **options}


def _best_corrector(given: Mapping[str, Any]) -> dict[str, str]:
    """Friction and time of the underdamped corrector at which W2 costs least (theory 3.8), where they are left out."""
    names = [name for name in ("gamma", "tau_c") if name not in given]
    if "L_phi" not in given or not names:
        return {}
    symbols = tuple(TABLE[name].symbol for name in ("L_phi", "gamma", "tau_c", "eta"))
    known = {x.name: float(exact(x.name, given[x.name])) for x in symbols if x.name in given}
    cost = compile((sqrt(steering(*symbols)),), symbols)

    def price(logs: Any) -> Any:
        numbers = {"eta": 0.0, **known, **{name: 10.0**x for name, x in zip(names, logs, strict=True)}}
        with np.errstate(all="ignore"):
            value = cost(*(numbers[x.name] for x in symbols))[0]
        return np.where(np.isfinite(value) & (numbers["eta"] <= numbers["tau_c"]), value, np.inf)

    return {name: rounded(10.0**x, up=True) for name, x in zip(names, smallest(price, len(names)), strict=True)}


def _unknowns(problem: Problem) -> tuple[str, ...]:
    """The parameters of the terms that were not given; with the nodes of the grid, delta, T and the step were."""
    found = []
    for term, names in BUDGET.items():
        nodes_given = problem.step is None and term in ("early_stopping", "initialisation", "discretisation")
        if term in problem.terms and not nodes_given and not any(is_given(problem.given, x) for x in names):
            found.append(str(problem.step) if term == "discretisation" else names[0])
    return tuple(x for x in found if accepts(problem.theorem, x))


def _count_of_lists(given: dict[str, Any], step: str | None) -> None:
    """A list with one value for each step fixes N."""
    lengths = [len(items(given[x])) for x in ("L_f", "eps_sc", "eps_cm") if x in given]
    if step == "N" and "h" not in given and max(lengths, default=1) > 1:
        given.setdefault("N", max(lengths))


def _single(problem: Problem, name: str, own: Mapping[str, Any]) -> Problem:
    """The question with one unknown: everything else that is given counts as fixed."""
    theorem = problem.theorem
    moved = {"L_f", "k", *(x for term in problem.terms for x in BUDGET.get(term, ()))}
    names = (*TERM_OF, "L_f", *(("k",) if theorem.bare_recursion else ()))
    allowed = [x for x in names if accepts(theorem, x) and x in moved]
    if name not in allowed:
        raise InputError(f"unknown must be one of {', '.join(allowed)}; got {name!r}")
    if is_given(own, name):
        raise InputError(f"{name} is the unknown; leave it out of the parameters")
    if name in ("h", "N") and name != problem.step:
        raise InputError(f"with this grid the unknown is {problem.step or 'neither h nor N'}, not {name}")
    dropped = {name, OF_ALIAS.get(name), *(("h", "N") if name in ("h", "N") else ())}
    given = {x: y for x, y in problem.given.items() if x not in dropped}
    return replace(problem, given=given, unknowns=(name,), fixed=_fixed(theorem, given))


def _fixed(theorem: Theorem, given: Mapping[str, Any]) -> dict[str, str]:
    return {name: ",".join(map(text_of, items(given[name]))) for name in fixable(theorem) if name in given}


def read_split(split: Any, problem: Problem) -> dict[str, Fraction]:
    """Weights of the free terms, adding up to 1 (None: equal ones).

    Raises:
        CmboundError: a term that does not exist, a weight that is not positive, or weights that do not add up to 1.
    """
    free, terms = tuple(map(problem.term_of, problem.unknowns)), problem.terms
    if split is None:
        return {x: Fraction(1, len(free)) for x in free}
    named = dict(split) if isinstance(split, Mapping) else _by_name(split)
    if named is None:
        values = items(split)
        if len(values) not in (len(terms), len(free)):
            raise InputError(f"split needs {counted(len(terms), 'number')} ({', '.join(terms)}), got {len(values)}")
        named = dict(zip(terms if len(values) == len(terms) else free, values, strict=True))
    weights = {x: exact(f"split of {x}", y) for x, y in named.items()}
    for name, x in weights.items():
        if name not in terms:
            raise UnknownNameError("term", name, terms, hint=" in split")
        if not 0 < x <= 1:
            raise DomainError(f"split of {name} must be a number > 0 and <= 1, got {x}")
    rest, total = [x for x in terms if x not in weights], sum(weights.values(), Fraction(0))
    if total > 1 or bool(rest) == (total == 1):
        raise DomainError(f"the weights of split must add up to 1{' with the terms left out' * bool(rest)}, got {float(total):g}")
    weights |= {x: (1 - total) / len(rest) for x in rest}
    whole = sum((weights[x] for x in free), Fraction(0))
    return {x: weights[x] / whole for x in free}


def _by_name(split: Any) -> dict[str, Any] | None:
    """``early_stopping=0.3,...`` (None: numbers in the order of the terms)."""
    if not isinstance(split, str) or "=" not in split:
        return None
    found: dict[str, Any] = {}
    for pair in split.split(","):
        name, equals, value = (x.strip() for x in pair.partition("="))
        if not equals or not value or name in found:
            raise InputError(f"split is {split!r}; write 0.2,0.2,... or early_stopping=0.3,..., each term once, or optimal")
        found[name] = value
    return found
