"""How a target is divided among the named terms."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from cmbound.errors import DomainError, InputError, UnknownNameError
from cmbound.numbers import exact
from cmbound.planning.problem import Problem, items


def read_split(split: Any, problem: Problem) -> tuple[dict[str, Fraction], bool]:
    """Weights of the free terms, adding up to 1, and whether the split is to be optimised.

    Raises:
        CmboundError: a term that does not exist, a weight that is not positive, or weights that do not add up to 1.
    """
    free = problem.free_terms
    if split is None or split == "optimal":
        return {x: Fraction(1, len(free)) for x in free}, split == "optimal"
    named = _named(split)
    if named is None:
        values = items(split)
        if len(values) not in (len(problem.terms), len(free)):
            raise InputError(f"split needs {len(problem.terms)} numbers ({', '.join(problem.terms)}), got {len(values)}")
        names = problem.terms if len(values) == len(problem.terms) else free
        named = dict(zip(names, values, strict=True))
    return _weights({x: exact(f"split of {x}", y) for x, y in named.items()}, problem), False


def _named(split: Any) -> dict[str, Any] | None:
    if isinstance(split, Mapping):
        return dict(split)
    if not isinstance(split, str) or "=" not in split:
        return None
    found: dict[str, Any] = {}
    for pair in split.split(","):
        name, equals, value = (x.strip() for x in pair.partition("="))
        if not equals or not value or name in found:
            raise InputError(f"split is {split!r}; write 0.2,0.2,... or early_stopping=0.3,..., each term once, or optimal")
        found[name] = value
    return found


def _weights(named: dict[str, Fraction], problem: Problem) -> dict[str, Fraction]:
    for name, x in named.items():
        if name not in problem.terms:
            raise UnknownNameError("term", name, problem.terms, hint=" in split")
        if not 0 < x <= 1:
            raise DomainError(f"split of {name} must be a number > 0 and <= 1, got {x}")
    rest, total = [x for x in problem.terms if x not in named], sum(named.values(), Fraction(0))
    if total > 1 or (rest and total == 1) or (not rest and total != 1):
        raise DomainError(f"the weights of split must add up to 1{' with the terms left out' * bool(rest)}, got {float(total):g}")
    full = {**named, **{x: (1 - total) / len(rest) for x in rest}}
    chosen = {x: full[x] for x in problem.free_terms}
    whole = sum(chosen.values(), Fraction(0))
    return {x: y / whole for x, y in chosen.items()}
