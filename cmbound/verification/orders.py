"""Which of two weakened copies claims more: proofs, from the form of two expressions, that one is never below the other.

A proof uses that every symbol and every sum that is weakened is non-negative, what the table of symbols says of the least value
of a parameter, and that the functions at hand increase. Where none is found nothing is claimed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import permutations
from typing import Any

import sympy
from sympy import Integer

from cmbound.theory.notation import TABLE
from cmbound.verification.mutations import AT_MOST_ONE, HALVED, OPENED, UNFOLDED, is_whole

_ONE = Integer(1)
_MOST_FACTORS = 4  # orders in which factors are compared: 4! at most


@lru_cache(maxsize=2**16)
def at_least(x: Any, y: Any, times: Any = _ONE) -> bool:
    """Whether ``x`` >= ``times`` ``y`` is proved (``times`` > 0) wherever both are defined."""
    (p, x), (q, y) = x.as_coeff_Mul(), y.as_coeff_Mul()
    if q == 0:
        return True
    if p <= 0 or q < 0:
        return False
    times = times * q / p
    if x == y:
        return bool(times <= 1)
    return _compared(x, y, times) or any(at_least(a, b, times) for a, b in _forms(x, y))


def _forms(x: Any, y: Any) -> Iterator[tuple[Any, Any]]:
    """The pair with named functions that only one side has given by what they are, or are at least."""
    own, other = _given(x), _given(y)
    for kinds in (UNFOLDED, OPENED):
        here = {e for e in own ^ other if isinstance(e, kinds)}
        if here:
            unfold = {e: type(e).definition(*e.args) for e in here}
            yield x.xreplace(unfold), y.xreplace(unfold)
    kernels = {e: 2 * HALVED[type(e)](*e.args) for e in own - other if type(e) in HALVED}
    if kernels:
        yield x.xreplace(kernels), y


@lru_cache(maxsize=2**14)
def _given(expr: Any) -> frozenset[Any]:
    """The named functions in an expression that have another form."""
    return frozenset(expr.atoms(*UNFOLDED, *OPENED, *HALVED))


def _compared(x: Any, y: Any, times: Any) -> bool:
    if isinstance(x, sympy.Min):
        return all(at_least(a, y, times) for a in x.args)
    if isinstance(y, sympy.Max):
        return all(at_least(x, b, times) for b in y.args)
    if isinstance(x, sympy.Max) and any(at_least(a, y, times) for a in x.args):
        return True
    if isinstance(y, sympy.Min) and any(at_least(x, b, times) for b in y.args):
        return True
    if x.is_Pow and y.is_Pow and x.exp == y.exp and x.exp.is_positive:
        return at_least(x.base, y.base, times ** (1 / x.exp))
    if x.is_Add and not is_whole(x):
        return _sums(x.args, y.args if y.is_Add and not is_whole(y) else (y,), times)
    if x.is_Mul or y.is_Mul or x.is_Pow or y.is_Pow:
        return _products(_factors(x), _factors(y), times)
    return _numbers([x], [y], times)


def _sums(x: Sequence[Any], y: Sequence[Any], times: Any) -> bool:
    """Every term on the right has one of its own on the left that is at least as large."""
    if not y:
        return True
    if len(y) > len(x):
        return False
    first = sorted(range(len(x)), key=lambda i: x[i] != y[0])  # the same term is the likeliest
    return any(at_least(x[i], y[0], times) and _sums([*x[:i], *x[i + 1 :]], y[1:], times) for i in first)


def _factors(x: Any) -> dict[Any, Any]:
    """Exponents by base."""
    found: dict[Any, Any] = {}
    for factor in sympy.Mul.make_args(x):
        base, exponent = factor.as_base_exp()
        if not exponent.is_Rational:
            base, exponent = factor, Integer(1)
        found[base] = found.get(base, 0) + exponent
    return found


def _products(x: dict[Any, Any], y: dict[Any, Any], times: Any) -> bool:
    """Factors that both have cancel; what is left is compared one by one, in some order."""
    left: list[Any] = []
    right: list[Any] = []
    for base in {**x, **y}:
        surplus = x.get(base, 0) - y.get(base, 0)
        if surplus != 0:
            (left if surplus > 0 else right).append(base ** abs(surplus))
    if not left or not right or (len(left) == len(right) == 1 and len(x) == len(y) == 1):
        return _numbers(left, right, times)
    if len(right) > len(left) == 1 and left[0].is_Add:
        return at_least(left[0], sympy.Mul(*right), times)
    if len(left) > _MOST_FACTORS or len(right) > len(left):
        return False
    return any(_in_order(order, right, times) for order in permutations(left))


def _in_order(left: Sequence[Any], right: Sequence[Any], times: Any) -> bool:
    """The first of ``left`` against the first of ``right`` and the number, others against their own; the rest are at least 1."""
    pairs = list(zip(left, right, strict=False))
    rest = left[len(right) :]
    return all(map(_is_at_least_one, rest)) and at_least(*pairs[0], times) and all(at_least(a, b) for a, b in pairs[1:])


@lru_cache(maxsize=2**14)
def _is_at_least_one(e: Any) -> bool:
    return bool(_least(e) >= 1)


def _numbers(left: Sequence[Any], right: Sequence[Any], times: Any) -> bool:
    """By the least value of one side and the largest of the other."""
    most = sympy.prod(map(_most, right))
    if most == sympy.oo:
        return False
    least = sympy.prod(map(_least, left))
    return bool(least >= times * most) if least != 0 else most == 0


def _least(e: Any) -> Any:
    """A number that the expression is never below."""
    if e.is_number:
        return e
    if e.is_Symbol and e.name in TABLE and not TABLE[e.name].per_step:  # a list may hold less than one number for all steps
        return Integer(TABLE[e.name].domain.low or 0)
    if isinstance(e, sympy.Max):
        return max(map(_least, e.args))
    if e.is_Pow and e.exp.is_positive:
        return _least(e.base) ** e.exp
    if e.is_Mul:
        return sympy.prod(map(_least, e.args))
    if e.is_Add and not any(a.could_extract_minus_sign() for a in e.args):
        return sum(map(_least, e.args))
    return Integer(0)


def _most(e: Any) -> Any:
    """A number that the expression is never above."""
    base, exponent = e.as_base_exp()
    if e.is_number:
        return e
    return Integer(1) if isinstance(base, AT_MOST_ONE) and exponent.is_positive else sympy.oo
