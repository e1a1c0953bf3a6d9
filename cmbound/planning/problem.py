"""The question behind a budget: a statement, what is given, which parameters are unknown, and trial evaluations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction
from typing import Any

import numpy as np
from sympy import S, sqrt

from cmbound.arithmetic.approximate import compile
from cmbound.arithmetic.backend import Floats
from cmbound.arithmetic.exact import float_below, rational_near, time_from_sigma
from cmbound.errors import DomainError, InputError, MissingParameterError
from cmbound.evaluation.free import best as best_values, smallest
from cmbound.evaluation.point import evaluate
from cmbound.evaluation.records import Evaluation
from cmbound.evaluation.setting import LONGEST_HORIZON, SAME_TIME, resolve, with_preset
from cmbound.evaluation.sums import nodes
from cmbound.frozen import FrozenDict, Record
from cmbound.numbers import exact, plain_decimal, text_of
from cmbound.theory.formulas import ALIASES, OPTIONS, accepts, unknown_parameter
from cmbound.theory.functions import steering
from cmbound.theory.grids import MAX_STEPS
from cmbound.theory.notation import TABLE
from cmbound.theory.records import Theorem
from cmbound.theory.rules import Profile, Rule
from cmbound.theory.variants import EI

BUDGET: Mapping[str, tuple[str, ...]] = FrozenDict(
    {
        "early_stopping_tv": ("delta",),
        "early_stopping": ("delta",),
        "smoothing": ("u",),
        "corrector": ("eta",),
        "initialisation": ("T",),
        "discretisation": ("h", "N"),
        "score": ("eps_sc",),
        "consistency": ("eps_cm",),
    }
)
"""The parameter that moves each named term alone, in the order in which they are solved (theory 3.9).

A new statement whose terms are monotone in a parameter of their own adds a row. A term without one uses what it uses.
"""
TERM_OF = FrozenDict({name: term for term, names in BUDGET.items() for name in names})
"""The usual term of each parameter; in a problem see :meth:`Problem.term_of`."""
SMALLEST = frozenset({"T", "N", "k"})
"""Unknowns of which the smallest value is wanted; of the others it is the largest."""
STEP_OF_GRID = FrozenDict({None: "h", "two-stage": "h", "uniform": "N", "geometric": "N", "edm": "N"})
DIGITS = 5
"""Significant digits of an answer."""
TIME_DIGITS = 6
_BEYOND = 1 + Fraction(1, 2**100)
"""A stand-in for T lies beyond a time that is known to 200 bits."""
LOWEST, HIGHEST = Fraction(1, 10**100), Fraction(10**100)
LARGEST_DELTA = Fraction(10)
"""Largest early-stopping time tried where no horizon caps it: the early-stopping term no longer grows."""
LARGEST_T = Fraction(690)
NOTHING = Profile("nothing", "no local errors", {EI: (Rule(S.Zero),), "ddim": (Rule(S.Zero),)}, ())
"""For trials in which the discretisation term is not looked at."""
_OF_ALIAS = {name: alias for alias, name in ALIASES.items()}


def rounded(x: float | Fraction, up: bool, digits: int = DIGITS) -> str:
    """A positive number with few significant digits as exact decimal text, rounded up or down."""
    exact_value = Fraction(x)
    context = Context(prec=digits, rounding=ROUND_CEILING if up else ROUND_FLOOR)
    return plain_decimal(context.divide(Decimal(exact_value.numerator), Decimal(exact_value.denominator)))


def stepped(name: str, text: str) -> str:
    """The next safer answer: one unit of the last digit further (N one more)."""
    value = Fraction(text)
    if name == "N":
        return str(int(value) + 1)
    unit = Fraction(10) ** (Decimal(rounded(value, up=False)).adjusted() - DIGITS + 1)
    return rounded(value + unit, up=True) if name in SMALLEST else rounded(value - unit, up=False)


def is_given(params: Mapping[str, Any], name: str) -> bool:
    """Whether a parameter was given, as a time or as a noise level."""
    return name in params or _OF_ALIAS.get(name) in params


def exact_number(params: Mapping[str, Any], name: str) -> Fraction:
    """A parameter, from its noise level where that was given (then to 200 bits)."""
    if name in params:
        return exact(name, params[name])
    alias = _OF_ALIAS.get(name, "")
    if alias not in params:
        other = f" (or {alias})" if alias else ""
        raise MissingParameterError(f"{name}{other} must be given: no term of the statement determines it alone")
    return rational_near(time_from_sigma(exact(alias, params[alias])))


def items(value: Any) -> list[Any]:
    """The entries of a list given as text or as a sequence."""
    if isinstance(value, str):
        return value.split(",")
    return list(value) if np.ndim(value) else [value]


def later_times(params: Mapping[str, Any]) -> list[Fraction]:
    """Multistep: the times after the first that were given (from noise levels to 200 bits)."""
    if "times" in params:
        return [exact("times", x) for x in items(params["times"])]
    if "sigmas" in params:
        return [rational_near(time_from_sigma(exact("sigmas", x))) for x in items(params["sigmas"])]
    return [exact_number(params, "t_hat")] if is_given(params, "t_hat") else []


@dataclass(frozen=True, eq=False)
class Problem(Record):
    """A target for a statement.

    Attributes:
        theorem: the statement.
        target: what the total may be.
        given: numbers and options, a preset merged in.
        unknowns: the parameters to solve for, in their order.
        fixed: the budget parameters that were given, as text.
        terms: the names of the statement's terms.
        step: ``h``, ``N``, or None where the nodes of the grid are given.
        offset: multistep: t_hat - delta where t_hat was not given.
        own: names of the parameters and options the user gave (not those of a preset).
    """

    theorem: Theorem
    target: Fraction
    given: Mapping[str, Any]
    unknowns: tuple[str, ...]
    fixed: Mapping[str, str]
    terms: tuple[str, ...]
    step: str | None
    offset: float | None = None
    own: tuple[str, ...] = ()

    @property
    def free_terms(self) -> tuple[str, ...]:
        """The terms that belong to an unknown."""
        return tuple(map(self.term_of, self.unknowns))

    def term_of(self, name: str) -> str:
        """The term that a budget parameter moves alone in this statement."""
        return next(x for x in self.terms if name in BUDGET.get(x, ()))

    @property
    def chosen(self) -> tuple[str, ...]:
        """The free parameters of the statement that are neither given nor unknown."""
        return tuple(x for x in self.theorem.free if x not in self.fixed and x not in self.unknowns)

    @property
    def end(self) -> str:
        """The name of the end of the grid."""
        return "t" if is_given(self.given, "t") else "T"

    def start(self, params: Mapping[str, Any]) -> Fraction:
        """delta, or 0 for a statement that has none."""
        return exact_number(params, "delta") if accepts(self.theorem, "delta") else Fraction(0)

    def with_evaluations(self, k: int, offset: float | None) -> Problem:
        """The same question with k evaluations and t_hat = delta + offset."""
        return replace(self, given={**self.given, "k": k}, offset=offset if k > 1 else None)

    # --- trials ---------------------------------------------------------------------------------------------------

    def params(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Everything an evaluation needs; unknowns without a value get a stand-in that leaves the earlier terms alone."""
        full = {**self.given, **values}
        missing = [name for name in self.unknowns if name not in full]
        if "u" in missing:
            full["u"] = "1/2"
        if "eta" in missing:
            full["eta"] = rounded(exact("tau_c", full["tau_c"]) / 10**9, up=False)
        if "T" in missing:
            start = 2 * float(self.start(full)) + 1 + float(exact("u", full.get("u", 0)))
            full["T"] = max([Fraction(start), *(x * _BEYOND for x in later_times(full)), *self._t_hat(full)])
        if "h" in missing:
            full["h"] = float(exact_number(full, self.end) - exact_number(full, "delta")) / 2
        if "N" in missing:
            full["N"] = 1
        full.update({name: 0 for name in missing if name.startswith("eps")})
        if self.offset is not None:
            full["t_hat"] = self._node_after(full, self._t_hat(full)[0])
        return full

    def _t_hat(self, params: Mapping[str, Any]) -> list[Fraction]:
        if self.offset is None:
            return []
        return [Fraction(rounded(exact_number(params, "delta") + Fraction(self.offset), True, TIME_DIGITS))]

    def _node_after(self, params: Mapping[str, Any], time: Fraction) -> str:
        """The time, or on a grid the first node from it on; at most T."""
        if params.get("grid") is None:
            if time < exact_number(params, "T"):
                return rounded(time, True, TIME_DIGITS)
            exactly = "T" in params
            return (
                text_of(params["T"]) if exactly else repr(float_below(time_from_sigma(exact("sigma_max", params["sigma_max"]))))
            )
        ts = nodes(resolve(self.theorem, {**params, "k": 1}), Floats())[1:]
        return repr(float(ts[min(int(np.searchsorted(ts, float(time) * (1 - SAME_TIME))), len(ts) - 1)]))

    def values_of_terms(self, values: Mapping[str, Any], term: str | None = None) -> dict[str, float]:
        """The terms by name in float64; with ``term`` only that one is meant, and what it does not need is left out."""
        full = self.params(values)
        if self.theorem.uses_profile and term not in (None, "discretisation"):
            full["profile"] = NOTHING
            if term in ("early_stopping", "initialisation") and not self._has_lists():
                width = float(exact_number(full, self.end) - exact_number(full, "delta"))
                full = {x: y for x, y in full.items() if x not in ("grid", "teacher", "N", "rho")}
                full["h"] = width / 2
                if self.offset is not None:
                    full["t_hat"] = self._node_after(full, self._t_hat(full)[0])
        return {name: x.value for name, x in evaluate(self.theorem, full, "approximate").terms.items()}

    def _has_lists(self) -> bool:
        nodes_given = not isinstance(self.given.get("grid"), str | None)
        return nodes_given or any(len(items(self.given.get(x, "0"))) > 1 for x in ("L_f", "eps_sc", "eps_cm"))

    def certified(self, values: Mapping[str, Any]) -> Evaluation:
        """The certified evaluation."""
        params = self.params(values)
        if self.theorem.free:  # put in as if given: the record shows them, and all of it put back gives this bound
            params |= best_values(self.theorem, params)
        found = evaluate(self.theorem, params)
        return replace(found, unused=tuple(x for x in found.unused if x[0] in self.own))

    # --- where an unknown may lie ---------------------------------------------------------------------------------

    def ends(self, name: str, values: Mapping[str, Any]) -> tuple[Fraction, Fraction]:
        """The interval in which an unknown is looked for (its caps), given the unknowns already solved."""
        full = {**self.given, **values}
        if name.startswith("eps"):
            return LOWEST, HIGHEST
        if name == "L_f":
            return Fraction(1), HIGHEST
        if name == "eta":
            return LOWEST, exact("tau_c", full["tau_c"]) if "tau_c" in full else HIGHEST
        if name == "u":
            room = exact_number(full, "T") - exact_number(full, "delta") if is_given(full, "T") else LARGEST_DELTA
            return LOWEST, min(room, LARGEST_DELTA)
        step = max([exact_number(full, x) for x in ("h", "u") if x in full and x != name], default=Fraction(0))
        if name == "delta":
            if not is_given(full, self.end):
                return LOWEST, min([LARGEST_DELTA, *later_times(full)])
            return LOWEST, min([exact_number(full, self.end) - step, *later_times(full)])
        delta = self.start(full)
        if name == "T":
            strict = full.get("clock") == "ve" or full.get("grid") is not None or "N" in full
            high = Fraction(LONGEST_HORIZON) if strict else LARGEST_T
            return max([delta + step, *later_times(full), *self._t_hat(full)]), high
        width = exact_number(full, self.end) - delta
        return (2 * width / MAX_STEPS if full.get("grid") == "two-stage" else LOWEST), width

    def cap(self, name: str, values: Mapping[str, Any]) -> str:
        """The largest value of an unknown that its term leaves free, as text."""
        full = {**self.given, **values}
        high = self.ends(name, values)[1]
        if name == "h":
            return _short(high)
        text = rounded(high, up=False)
        inclusive = name != "delta" or (is_given(full, "h") and not later_times(full))
        return text if inclusive or Fraction(text) < high else stepped(name, text)


def _short(x: Fraction) -> str:
    """Decimal text where that is exact and not longer than 30 digits, a fraction up to 60 digits, else rounded down."""
    text = rounded(x, up=False, digits=30)
    if Fraction(text) == x:
        return text
    return str(x) if len(str(x)) <= 60 else rounded(x, up=False, digits=15)


# --- reading the question -------------------------------------------------------------------------------------------


def fixable(theorem: Theorem) -> tuple[str, ...]:
    """The names a budget may fix."""
    names = [*TERM_OF, "t", "k", "t_hat", "times", "gamma", "tau_c", *theorem.free, *ALIASES]
    return tuple(x for x in dict.fromkeys(names) if accepts(theorem, x))


def read_problem(
    theorem: Theorem, target: Any, fix: Mapping[str, Any], params: Mapping[str, Any], unknown: str | None = None
) -> Problem:
    """Check and complete a question.

    Args:
        theorem: an explicit statement.
        target: a number > 0.
        fix: budget parameters held fixed.
        params: numbers and options, as for evaluate; budget parameters among them are fixed as well.
        unknown: the single unknown; without it all budget parameters that are not given are unknown, and those of a
            preset do not count as given.

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
    numbers = {name: x for name, x in own.items() if name not in OPTIONS}
    for name in numbers:
        if not accepts(theorem, name):
            raise unknown_parameter(theorem, name)
    given = _merged(theorem, numbers, {x: own[x] for x in OPTIONS if x in own}, keep=unknown is not None)
    grid = given.get("grid")
    if theorem.uses_profile and grid is None and given.get("teacher") == "ddim":
        grid = given["grid"] = "geometric"
    step = STEP_OF_GRID.get(grid, "N") if isinstance(grid, str | None) else None
    terms = tuple(x.name for x in theorem.sources if not (x.name == "early_stopping" and given.get("to") == "p_delta"))
    chosen = best_corrector(given) if "gamma" in theorem.free and unknown is None else {}
    given = {**chosen, **given}
    if not any(accepts(theorem, name) for term in terms for name in BUDGET.get(term, ())):
        known = ", ".join(x.replace("_", " ") for x in BUDGET)
        raise InputError(f"{theorem.id} has no budget: solve knows the parameters of {known} only, and it has no such term")
    if unknown is not None:
        return _single(Problem(theorem, goal, given, (unknown,), {}, terms, step, own=tuple(sorted(own))), own)
    _count_of_lists(given, step)
    unknowns = tuple(x for x in _unknowns(given, terms, step) if accepts(theorem, x))
    fixed = {name: _text(given[name]) for name in fixable(theorem) if name in given and name not in chosen}
    return Problem(theorem, goal, given, unknowns, fixed, terms, step, own=tuple(sorted(own)))


def best_corrector(given: Mapping[str, Any]) -> dict[str, str]:
    """Friction and time of the underdamped corrector at which W2 costs least (theory 3.8), where they are left out."""
    names = [name for name in ("gamma", "tau_c") if name not in given]
    if "L_phi" not in given or not names:
        return {}
    known = {name: float(exact(name, given[name])) for name in ("L_phi", "gamma", "tau_c", "eta") if name in given}
    symbols = tuple(TABLE[name].symbol for name in ("L_phi", "gamma", "tau_c", "eta"))
    cost = compile((sqrt(steering(*symbols)),), symbols)

    def price(logs: Any) -> Any:
        numbers = {"eta": 0.0, **known, **{name: 10.0**x for name, x in zip(names, logs, strict=True)}}
        with np.errstate(all="ignore"):
            value = cost(*(numbers[x.name] for x in symbols))[0]
        return np.where(np.isfinite(value) & (numbers["eta"] <= numbers["tau_c"]), value, np.inf)

    return {name: rounded(10.0**x, up=True) for name, x in zip(names, smallest(price, len(names)), strict=True)}


def _merged(theorem: Theorem, numbers: dict[str, Any], options: dict[str, Any], keep: bool) -> dict[str, Any]:
    """Numbers and options with a preset's; of the preset's budget parameters none unless ``keep``."""
    if "preset" not in options:
        return {**numbers, **options}
    merged, chosen = with_preset(theorem, dict(numbers), dict(options))
    dropped = set() if keep else set(fixable(theorem)) - set(numbers)
    return {**{name: x for name, x in merged.items() if name not in dropped}, **chosen}


def _unknowns(given: Mapping[str, Any], terms: tuple[str, ...], step: str | None) -> list[str]:
    found = []
    for term, names in BUDGET.items():
        if term not in terms or any(is_given(given, x) for x in names):
            continue
        if step is None and term in ("early_stopping", "initialisation", "discretisation"):
            continue
        found.append(str(step) if term == "discretisation" else names[0])
    return found


def _count_of_lists(given: dict[str, Any], step: str | None) -> None:
    """A list with one value for each step fixes N."""
    lengths = [len(items(given[x])) for x in ("L_f", "eps_sc", "eps_cm") if x in given]
    if step == "N" and "h" not in given and max(lengths, default=1) > 1:
        given.setdefault("N", max(lengths))


def _single(problem: Problem, own: Mapping[str, Any]) -> Problem:
    """The question with one unknown: everything else that is given counts as fixed."""
    name = problem.unknowns[0]
    theorem, given = problem.theorem, dict(problem.given)
    names = (*TERM_OF, "L_f", *(("k",) if theorem.recursion else ()))
    moved = {"L_f", "k", *(x for term in problem.terms for x in BUDGET.get(term, ()))}
    allowed = [x for x in names if accepts(theorem, x) and x in moved]
    if name not in allowed:
        raise InputError(f"unknown must be one of {', '.join(allowed)}; got {name!r}")
    if is_given(own, name):
        raise InputError(f"{name} is the unknown; leave it out of the parameters")
    if name in ("h", "N") and name != problem.step:
        raise InputError(f"with this grid the unknown is {problem.step or 'neither h nor N'}, not {name}")
    for other in (name, _OF_ALIAS.get(name), *(("h", "N") if name in ("h", "N") else ())):
        given.pop(other, None)
    fixed = {x: _text(given[x]) for x in fixable(theorem) if x in given}
    return replace(problem, given=given, fixed=fixed)


def _text(value: Any) -> str:
    return ",".join(text_of(x) for x in items(value))
