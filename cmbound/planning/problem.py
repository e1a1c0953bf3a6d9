"""The question behind a budget: a statement, what is given, which parameters are unknown, and trial evaluations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

from cmbound.arithmetic.exact import float_below, rational_near, time_from_sigma
from cmbound.errors import MissingParameterError
from cmbound.evaluation.free import best as best_values
from cmbound.evaluation.nodes import FLOATS, nodes
from cmbound.evaluation.point import completed, evaluate, float_terms
from cmbound.evaluation.records import Evaluation
from cmbound.evaluation.setting import LONGEST_HORIZON, SAME_TIME, resolve
from cmbound.frozen import FrozenDict, Record
from cmbound.numbers import exact, plain_decimal, rounded as to_digits, text_of
from cmbound.theory.formulas import ALIASES, accepts
from cmbound.theory.grids import MAX_STEPS
from cmbound.theory.records import Theorem
from cmbound.theory.rules import Profile, Rule
from cmbound.theory.variants import TEACHERS

BUDGET: Mapping[str, tuple[str, ...]] = FrozenDict(
    {"early_stopping_tv": ("delta",), "early_stopping": ("delta",), "smoothing": ("u",), "corrector": ("eta",)}
    | {"initialisation": ("T",), "discretisation": ("h", "N"), "score": ("eps_sc",), "consistency": ("eps_cm",)}
)
"""The parameter that moves each named term alone, in the order in which they are solved (theory 3.9).

A new statement whose terms are monotone in a parameter of their own adds a row. A term without one uses what it uses.
"""
TERM_OF = FrozenDict({name: term for term, names in BUDGET.items() for name in names})
"""The usual term of each parameter; in a problem see :meth:`Problem.term_of`."""
SMALLEST = frozenset({"T", "N", "k"})  # unknowns of which the smallest value is wanted; of the others it is the largest
DIGITS = 5  # significant digits of an answer
TIME_DIGITS = 6  # digits of a time that is printed and typed back
_BEYOND = 1 + Fraction(1, 2**100)  # a stand-in for T lies beyond a time that is known to 200 bits
LOWEST, HIGHEST = Fraction(1, 10**100), Fraction(10**100)  # within the range of exact input, far outside any answer
LARGEST_DELTA = Fraction(10)
"""Largest early-stopping time tried where no horizon caps it: the early-stopping term no longer grows."""
LARGEST_T = Fraction(690)  # largest horizon tried in closed form: e^-T is still a float64 number
NOTHING = Profile("nothing", "no local errors", {name: (Rule(),) for name in TEACHERS}, ())
"""For trials in which the discretisation term is not looked at."""
OF_ALIAS = FrozenDict({name: alias for alias, name in ALIASES.items()})


def rounded(x: float | Fraction, up: bool, digits: int = DIGITS) -> str:
    """A positive number with few significant digits as exact decimal text, rounded up or down."""
    return plain_decimal(Decimal(to_digits(Fraction(x), digits, "up" if up else "down")))


def stepped(name: str, text: str) -> str:
    """The next safer answer: one unit of the last digit further (N one more)."""
    value = Fraction(text)
    if name == "N":
        return str(int(value) + 1)
    unit = Fraction(10) ** (Decimal(rounded(value, up=False)).adjusted() - DIGITS + 1)
    return rounded(value + unit, up=True) if name in SMALLEST else rounded(value - unit, up=False)


def is_given(params: Mapping[str, Any], name: str) -> bool:
    """Whether a parameter was given, as a time or as a noise level."""
    return name in params or OF_ALIAS.get(name) in params


def exact_number(params: Mapping[str, Any], name: str) -> Fraction:
    """A parameter, from its noise level where that was given (then to 200 bits)."""
    if name in params:
        return exact(name, params[name])
    alias = OF_ALIAS.get(name, "")
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

    def width(self, params: Mapping[str, Any]) -> Fraction:
        """The length of the grid."""
        return -exact_number(params, "delta") + exact_number(params, self.end)

    def with_evaluations(self, k: Any, offset: float | None = None) -> Problem:
        """The same question with k evaluations and t_hat = delta + offset."""
        return replace(self, given={**self.given, "k": k}, offset=offset)

    def params(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Everything an evaluation needs; unknowns without a value get a stand-in that leaves the earlier terms alone."""
        full = {**self.given, **values}
        missing = [name for name in self.unknowns if name not in full]
        full |= {name: x for name, x in {"u": "1/2", "N": 1, "eps_sc": 0, "eps_cm": 0}.items() if name in missing}
        if "eta" in missing:
            full["eta"] = rounded(exact("tau_c", full["tau_c"]) / 10**9, up=False)
        if "T" in missing:
            start = 2 * float(self.start(full)) + 1 + float(exact("u", full.get("u", 0)))
            full["T"] = max([Fraction(start), *(x * _BEYOND for x in later_times(full)), *self._t_hat(full)])
        if "h" in missing:
            full["h"] = float(self.width(full)) / 2
        return self._with_t_hat(full)

    def _t_hat(self, params: Mapping[str, Any]) -> list[Fraction]:
        wanted = [] if self.offset is None else [exact_number(params, "delta") + Fraction(self.offset)]
        return [Fraction(rounded(x, True, TIME_DIGITS)) for x in wanted]

    def _with_t_hat(self, params: dict[str, Any]) -> dict[str, Any]:
        """With the time of the later evaluations, on a grid the first node from it on; at most T."""
        if self.offset is None:
            return params
        time = self._t_hat(params)[0]
        if params.get("grid") is not None:
            ts = nodes(resolve(self.theorem, {**params, "k": 1}), FLOATS)[1:]
            text = repr(float(ts[min(int(np.searchsorted(ts, float(time) * (1 - SAME_TIME))), len(ts) - 1)]))
        elif time < exact_number(params, "T"):
            text = rounded(time, True, TIME_DIGITS)
        elif "T" in params:
            text = text_of(params["T"])
        else:
            text = repr(float_below(time_from_sigma(exact("sigma_max", params["sigma_max"]))))
        return {**params, "t_hat": text}

    def values_of_terms(self, values: Mapping[str, Any], term: str | None = None) -> dict[str, float]:
        """The terms by name in float64; with ``term`` only that one is meant, and what it does not need is left out."""
        full = self.params(values)
        if self.theorem.uses_profile and term not in (None, "discretisation"):
            full["profile"] = NOTHING
            several = any(len(items(self.given.get(x, "0"))) > 1 for x in ("L_f", "eps_sc", "eps_cm"))
            lists = several or not isinstance(self.given.get("grid"), str | None)
            if term in ("early_stopping", "initialisation") and not lists:
                full = {x: y for x, y in full.items() if x not in ("grid", "teacher", "N", "rho")}
                full = self._with_t_hat({**full, "h": float(self.width(full)) / 2})
        return float_terms(completed(self.theorem, full))

    def certified(self, values: Mapping[str, Any]) -> Evaluation:
        """The certified evaluation."""
        params = self.params(values)
        if self.theorem.free:  # put in as if given: the record shows them, and all of it put back gives this bound
            params |= best_values(self.theorem, params)
        found = evaluate(self.theorem, params)
        return replace(found, unused=tuple(x for x in found.unused if x[0] in self.own))

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
            return LOWEST, min(self.width(full), LARGEST_DELTA) if is_given(full, "T") else LARGEST_DELTA
        step = max([exact_number(full, x) for x in ("h", "u") if x in full and x != name], default=Fraction(0))
        if name == "delta":
            room = exact_number(full, self.end) - step if is_given(full, self.end) else LARGEST_DELTA
            return LOWEST, min([room, *later_times(full)])
        if name == "T":
            strict = full.get("clock") == "ve" or full.get("grid") is not None or "N" in full
            low = max([self.start(full) + step, *later_times(full), *self._t_hat(full)])
            return low, Fraction(LONGEST_HORIZON) if strict else LARGEST_T
        width = -self.start(full) + exact_number(full, self.end)
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
