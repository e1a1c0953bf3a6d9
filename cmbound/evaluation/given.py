"""What a user gives: numbers read exactly, lists with one value for each step, and floats that were meant as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from math import isfinite
from typing import Any

from cmbound.errors import DomainError, InputError
from cmbound.later import np
from cmbound.numbers import exact, text_of
from cmbound.theory.formulas import accepted, unknown_parameter
from cmbound.theory.notation import TABLE, Domain
from cmbound.theory.records import Theorem

_PER_STEP = Domain(low=0, low_open=True)
"""Domain of the Lipschitz constant at one time of several: only the largest is at least 1."""


def items(value: Any) -> list[Any] | None:
    """The entries of a list (as text ``1,2``); None for a single number."""
    if isinstance(value, (int, float, Fraction)):
        return None
    if isinstance(value, str):
        return value.split(",") if "," in value else None
    return list(value) if isinstance(value, Sequence) or getattr(value, "ndim", 0) == 1 else None


def is_delta(value: Any) -> bool:
    """Whether a t_star is the text ``delta``, and not a number."""
    return isinstance(value, str) and value.strip() == "delta"


def _checked(name: str, value: Any, domain: Domain) -> Fraction:
    number = exact(name, value)
    if number not in domain:
        raise DomainError(f"{name} must be {domain}, got {text_of(value)}")
    return number


def exact_scalars(theorem: Theorem, params: Mapping[str, Any]) -> dict[str, Fraction]:
    """Parameters given as single numbers, exact and inside their domains (``t_star = delta`` is left out)."""
    result, known = {}, accepted(theorem)
    for name, value in params.items():
        if name not in known:
            raise unknown_parameter(theorem, name)
        if not (name == "t_star" and is_delta(value)) and items(value) is None:
            result[name] = _checked(name, value, TABLE[name].domain)
    return result


def exact_lists(params: Mapping[str, Any]) -> dict[str, tuple[Fraction, ...]]:
    """Parameters given as lists, exact and inside their domains."""
    result = {}
    for name, value in params.items():
        entries = items(value)
        if entries is None or name == "t_star":
            continue
        if not TABLE[name].per_step:
            raise InputError(f"{name} must be one number, got a list")
        if not entries:
            raise InputError(f"{name} is an empty list")
        domain = _PER_STEP if name == "L_f" else TABLE[name].domain
        result[name] = tuple(_checked(f"{name}[{i}]", x, domain) for i, x in enumerate(entries))
    return result


def kept(value: Any) -> Any:
    """The value, of a list the entries it has now."""
    entries = items(value)
    return value if entries is None else tuple(entries)


def as_text(name: str, value: Any) -> str | list[str]:
    """A parameter as it is reported."""
    if name == "t_star" and is_delta(value):
        return "delta"
    entries = items(value)
    return text_of(value) if entries is None else [text_of(x) for x in entries]


# --- floats that were meant as text -------------------------------------------------------------------------------------


def readings(params: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], str, float]]:
    """The parameters with floats read as the decimals they print as: one after the other, then all.

    With each, a name that has such a float, of Python or of NumPy, and the float.
    """
    found = [(name, *x) for name, value in params.items() for x in _as_typed(value)]
    for name, value, text in found:
        yield {**params, name: value}, name, text
    if found:
        yield {**params, **{name: value for name, value, _ in found}}, found[0][0], found[0][2]


def _as_typed(value: Any) -> list[tuple[Any, Any]]:
    """The value with floats whose shortest text is another number as that text, and such a float.

    Of a list: with the last, with the first, and with all such floats replaced.
    """
    if isinstance(value, float | np.floating):
        return [(str(value), value)] if isfinite(value) and Fraction(str(value)) != Fraction(float(value)) else []
    if isinstance(value, str | Mapping) or not isinstance(value, Sequence | np.ndarray) or getattr(value, "ndim", 1) != 1:
        return []
    texts = {i: text for i, x in enumerate(value) if isinstance(x, float | np.floating) for text, _ in _as_typed(x)}
    if not texts:
        return []
    choices = [{i: texts[i]} for i in (max(texts), min(texts))] + [texts]
    return [([x.get(i, y) for i, y in enumerate(value)], value[next(iter(x))]) for x in choices]
