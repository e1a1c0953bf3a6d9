"""The float64 tier: expressions become vectorised numpy functions."""

from __future__ import annotations

import operator
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from fractions import Fraction
from functools import cache, lru_cache, reduce
from itertools import accumulate, pairwise
from math import factorial
from typing import Any

import flint
import sympy
from flint import fmpq

from cmbound.arithmetic import certified
from cmbound.arithmetic.codegen import Dialect, function as generate
from cmbound.errors import DomainError, UndecidedError
from cmbound.frozen import FrozenDict
from cmbound.later import Array, NDArray, np
from cmbound.theory.integrals import extract
from cmbound.theory.named import Named


def _series(coefficients: Sequence[float], x: Array) -> Array:
    if x.ndim == 0:  # the same numbers, by Python's arithmetic in a twentieth of the time
        value = float(x)
        return np.asarray(reduce(lambda total, y: total * value + y, coefficients[-2::-1], coefficients[-1]))
    total = np.full_like(x, coefficients[-1])
    for value in coefficients[-2::-1]:
        total *= x
        total += value
    return np.asarray(total)


def _joined(
    x: Any, small: Callable[[Array], NDArray[np.bool_]], near: Callable[[Array], Any], far: Callable[[Array], Any]
) -> Array:
    """One form where ``x`` is small, another elsewhere: each is computed where it is needed alone."""
    x = np.asarray(x, dtype=np.float64)
    here = small(x)
    if here.all():
        return np.asarray(near(x))
    if not here.any():
        return np.asarray(far(x))
    out: Array = np.empty_like(x)
    out[here], out[~here] = near(x[here]), far(x[~here])
    return out


def _taylor(term: Callable[[int], Fraction], count: int) -> tuple[float, ...]:
    return tuple(float(term(n)) for n in range(count))


_G = (0.0, *_taylor(lambda n: Fraction(1, factorial(n + 2)), 16))
_KAPPA = (0.0, *_taylor(lambda n: Fraction(2 ** (n + 3) - 4, 2 * factorial(n + 3)), 23))
_SINH = _taylor(lambda n: Fraction(2, factorial(2 * n + 3)), 11)


def g(h: Any) -> Array:
    """(e^h - 1 - h)/h."""
    return _joined(h, lambda x: np.abs(x) <= 0.5, lambda x: _series(_G, x), lambda x: (np.expm1(x) - x) / x)


def kappa_h(h: Any) -> Array:
    """((e^{2h} - 4 e^h + 3 + 2h)/(2h))^{1/2}."""

    def closed(x: Array) -> Array:
        return np.asarray(np.sqrt((np.expm1(2 * x) - 4 * np.expm1(x) + 2 * x) / (2 * x)))

    return _joined(h, lambda x: x <= 0.5, lambda x: x * np.sqrt(_series(_KAPPA[1:], x)), closed)


def rho_squared(x: Any) -> Array:
    """(e^x - e^{-x} - 2x)/(e^x - 1)."""
    x = np.asarray(x, dtype=np.float64)
    low, high = np.minimum(x, 1.0), np.maximum(x, 1.0)
    with np.errstate(invalid="ignore"):
        ratio = np.where(low > 0, low / np.expm1(np.where(low > 0, low, 1.0)), 1.0)
    small = _series(_SINH, low * low) * low * low * ratio
    large = (np.expm1(high) - np.expm1(-high) - 2 * high) / np.expm1(high)
    return np.asarray(np.where(x <= 1.0, small, large))


def _bernoulli(n: int) -> Fraction:
    number = fmpq.bernoulli(n)
    return Fraction(int(number.p), int(number.q))


_CHI = _taylor(lambda n: Fraction((2 ** (n + 2) - 2) * (-1) ** n, factorial(n + 3)), 20)
_CHI_H = _taylor(lambda n: Fraction(2 ** (2 * n + 2) - 3, 2 * factorial(2 * n + 3)), 11)
_RHO_H = _taylor(lambda n: (Fraction(1, 2) - 2 * _bernoulli(2 * n + 2)) / factorial(2 * n + 2), 14)


def chi_squared(x: Any) -> Array:
    """x - 2 (1 - e^{-x}) + (1 - e^{-2x})/2."""

    def closed(x: Array) -> Array:
        return np.asarray(x + 2 * np.expm1(-x) - np.expm1(-2 * x) / 2)

    return _scaled(x, 0.5, _CHI, 3, closed)


def rho_h_squared(x: Any) -> Array:
    """3/2 + cosh(x)/2 - x coth(x/2)."""

    def closed(x: Array) -> Array:
        return np.asarray(1.5 + np.cosh(x) / 2 - x / np.tanh(x / 2))

    return _scaled(x, 1.5, _RHO_H, 2, closed, 2)


def chi_h_squared(x: Any) -> Array:
    """x - (3/2) sinh x + (1/4) sinh 2x."""

    def closed(x: Array) -> Array:
        return np.asarray(x - 1.5 * np.sinh(x) + np.sinh(2 * x) / 4)

    return _scaled(x, 1.0, _CHI_H, 3, closed, 2)


def _scaled(
    x: Any, bound: float, coefficients: Sequence[float], power: int, closed: Callable[[Array], Array], by: int = 1
) -> Array:
    """x^power times a power series in x^by up to ``bound``, the closed form beyond."""
    with np.errstate(over="ignore", invalid="ignore"):
        return _joined(x, lambda x: x <= bound, lambda x: x**power * _series(coefficients, x**by), closed)


def spectral(k: Any, x: Any, shift: Any, values: Any) -> Array:
    """The sum over ``values`` of :class:`cmbound.theory.functions.spectral`, for ``x`` and ``shift`` of any shape."""
    above = np.maximum(np.asarray(values) - np.asarray(shift)[..., None], 0.0)
    scaled = above * np.asarray(x)[..., None]
    return np.asarray(np.log1p(scaled).sum(axis=-1) if k == 0 else ((above / (1 + scaled)) ** k).sum(axis=-1))


def geometric_sum(x: Any, n: Any) -> Array:
    """1 + x + ... + x^(n-1) for x >= 0."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        logx = np.log(np.asarray(x, dtype=np.float64))
        n = np.asarray(n, dtype=np.float64)
        value = np.expm1(n * logx) / np.expm1(logx)
    return np.asarray(np.where(n == 0, 0.0, np.where(logx == 0, n, value)))


SERIES: Mapping[str, tuple[float, ...]] = FrozenDict(
    {
        "g": _G,
        "kappa_h": _KAPPA[1:],
        "rho_squared": _SINH,
        "chi_squared": _CHI,
        "rho_h_squared": _RHO_H,
        "chi_h_squared": _CHI_H,
    }
)
"""Coefficients of the power series that the kernels use near 0, for whoever computes them in another language."""


def power_source(base: str, p: int, q: int) -> str:
    """Small powers as products and roots, which numpy computes faster than ``**``."""
    root = {1: base, 2: f"sqrt({base})", 4: f"sqrt(sqrt({base}))"}.get(q)
    if root is None or p > 8:
        return f"{base}**{p / q!r}"
    return {1: root, 2: f"square({root})", 3: f"cube({root})", 4: f"square(square({root}))", 6: f"square(cube({root}))"}.get(
        p, f"{base}**{p / q!r}"
    )


def _cube(x: Any) -> Any:
    return x * x * x


def _nested(function: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    return lambda *xs: reduce(function, xs)


def _erf(x: Any) -> Any:
    from scipy.special import erf

    return erf(x)


_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
KERNELS = ("g", "kappa_h", "rho_squared", "chi_squared", "rho_h_squared", "chi_h_squared", "geometric_sum", "spectral")
"""Names of the named functions that have a function here."""


def rational_source(p: int, q: int) -> str:
    """The double next to p/q."""
    return repr(float(Fraction(p, q)))


@cache
def _dialect() -> Dialect:
    """How numpy writes things: made when it is first used, since numpy is loaded by it."""
    return Dialect(
        stable=True,
        kernels=KERNELS,
        rational=rational_source,
        power=power_source,
        namespace={
            **{name: getattr(np, name) for name in ("exp", "log", "expm1", "log1p", "sqrt", "square", "power")},
            "atan": np.arctan,
            "atan2": np.arctan2,
            "cube": _cube,
            "maximum": _nested(np.maximum),
            "minimum": _nested(np.minimum),
            "pi": lambda: np.pi,
            **{name: getattr(np, name) for name in ("sin", "cos", "sinh", "cosh", "tanh")},
            "erf": _erf,
            "absolute": np.abs,
            "compare": lambda op, x, y: _COMPARISONS[op](x, y),
            "choice": np.where,
            "and_": _nested(np.logical_and),
            "or_": _nested(np.logical_or),
            "not_": np.logical_not,
            "not_a_number": lambda: np.nan,
            "g": g,
            "kappa_h": kappa_h,
            "rho_squared": rho_squared,
            "chi_squared": chi_squared,
            "rho_h_squared": rho_h_squared,
            "chi_h_squared": chi_h_squared,
            "geometric_sum": geometric_sum,
            "spectral": spectral,
        },
    )


def _called(cls: Any, *values: Any) -> Any:
    """What ``sympy.lambdify`` calls where a named function stands: its float64 form, which does not cancel."""
    symbols = tuple(sympy.Symbol(f"x{i}", real=True) for i in range(len(values)))
    return compile((cls(*symbols),), symbols)(*values)[0]


Named._imp_ = classmethod(_called)

_PRECISIONS = (128, 256, 512, 1024)  # an integral that has no float at one of them gets the next
_ENOUGH = 52  # bits to which an integral must be known to be a float64 number
_MOST_FAILURES = 5  # more would only repeat the message


def _integral(integral: Any, symbols: tuple[Any, ...]) -> Callable[..., Array]:
    """An integral as a function of ``symbols`` (numbers or arrays): the middle of an enclosure, NaN where there is none.

    No rule with fixed nodes sees every peak and every corner, and the functions are a user's: so each row is enclosed.
    """
    used = [i for i, x in enumerate(symbols) if x in integral.free_symbols]
    names = tuple(symbols[i] for i in used)
    at = lru_cache(maxsize=1 << 16)(lambda row: _enclosed(integral, names, row, _PRECISIONS))
    gap = lru_cache(maxsize=1 << 16)(lambda row: _enclosed(integral, names, row, _PRECISIONS[:2]))
    _, *ends = integral.limits[0]
    between = [names.index(x) for x in ends] if set(ends) <= set(names) - integral.function.free_symbols else []

    def function(*given: Any) -> Array:
        columns = np.broadcast_arrays(*(np.asarray(given[i], dtype=np.float64) for i in used)) if used else [np.zeros(())]
        rows, where = np.unique(np.stack([x.ravel() for x in columns], axis=1), axis=0, return_inverse=True)
        found, failures = _added(gap, rows, between) if between else np.full(len(rows), np.nan), 0
        for i in np.flatnonzero(np.isnan(found)):
            found[i] = _float(at(tuple(rows[i].tolist()) if used else ()))
            failures += int(np.isnan(found[i]))
            if failures > _MOST_FAILURES:  # each takes long, and one is enough for an error
                break
        return np.asarray(found[where.ravel()].reshape(columns[0].shape))

    return function


def _added(gap: Callable[[tuple[float, ...]], Any], rows: Array, ends: list[int]) -> Array:
    """Integrals between many pairs of a few ends: of each gap between neighbouring ends once, and sums of them.

    Args:
        gap: the enclosure of one integral, None where there is none.
        rows: parameters of the integrals, shape (R, k).
        ends: the columns that are its lower and its upper end.

    Returns:
        The integrals, shape (R,); NaN where there are no more pairs than gaps or a sum is not known to float64.
    """
    found, groups = np.full(len(rows), np.nan), defaultdict(list)
    for i, row in enumerate(rows.tolist()):
        groups[tuple(x for j, x in enumerate(row) if j not in ends)].append(i)
    for members in groups.values():
        points, index = np.unique(rows[np.ix_(members, ends)], return_inverse=True)
        if len(members) <= len(points) or not np.isfinite(rows[members]).all():
            continue
        pairs, row = index.reshape(-1, 2), rows[members[0]].copy()
        sums = _sums([gap(_with(row, ends, x)) for x in pairwise(points.tolist())], set(pairs.min(axis=1).tolist()))
        for i, (low, high) in zip(members, pairs.tolist(), strict=True):
            found[i] = _float(sums[min(low, high)][abs(high - low)]) * (1 if low <= high else -1)
    return found


def _with(row: Array, ends: list[int], values: tuple[float, float]) -> tuple[float, ...]:
    row[ends] = values
    return tuple(row.tolist())


def _sums(gaps: Sequence[Any], starts: Collection[int]) -> dict[int, list[Any]]:
    """Running sums of balls from every start: of positive ones no difference is taken, which would cancel."""
    with certified.precision(_PRECISIONS[0]):
        balls = [flint.arb.nan() if x is None else x for x in gaps]
        return {i: list(accumulate(balls[i:], initial=flint.arb(0))) for i in starts}


def _float(ball: Any) -> float:
    """The float64 number that a ball is known to be, NaN if it is not."""
    known = ball is not None and ball.is_finite() and (ball.is_zero() or ball.rel_accuracy_bits() >= _ENOUGH)
    return float(ball.mid()) if known else np.nan


def _enclosed(integral: Any, names: tuple[Any, ...], row: tuple[float, ...], precisions: Sequence[int]) -> Any:
    """An enclosure, at the first precision at which it is known to float64 or else at the last; None where there is none."""
    ball = None
    for bits in precisions if np.isfinite(row).all() else ():
        try:
            with certified.precision(bits), certified.integrals_to(bits):
                ball = certified.compile((integral,), names)(*(certified.number(Fraction(x)) for x in row))[0]
        except (DomainError, UndecidedError):
            if bits >= certified.SINGULAR_BITS:
                return None
            continue
        if not np.isnan(_float(ball)):
            break
    return ball


_OF_PYTHON = (float, int, bool)


@lru_cache(maxsize=512)
def compile(exprs: tuple[Any, ...], symbols: tuple[Any, ...]) -> Callable[..., list[Any]]:
    """A numpy function of ``symbols`` (arrays that broadcast) returning the list of values of ``exprs``."""
    bare, integrals = extract(exprs)
    main = generate(bare, (*symbols, *(i.name for i in integrals)), _dialect())
    parts = [_integral(sympy.Integral(i.body, (i.variable, i.low, i.high)), symbols) for i in integrals]

    def function(*given: Any) -> list[Any]:
        values = [np.float64(x) if type(x) in _OF_PYTHON else x for x in given]  # a Python float raises where it overflows
        with np.errstate(divide="ignore", over="ignore", invalid="ignore", under="ignore"):
            return main(*values, *[integral(*values) for integral in parts]) if parts else main(*values)

    return function
