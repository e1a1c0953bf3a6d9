"""The certified tier: expressions become functions on Arb balls (python-flint), and balls become decimals.

Every result is an enclosure: the exact value for the exact inputs lies in [lower, upper].
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache, reduce
from itertools import pairwise
from math import floor, inf, isfinite, log10, nextafter
from typing import Any, NamedTuple, TypeAlias

import flint
from flint import acb, arb, fmpq

from cmbound.arithmetic.codegen import Dialect, function as generate
from cmbound.errors import DomainError, UndecidedError
from cmbound.numbers import MOST_EXPONENT
from cmbound.theory.integrals import Extracted, branch, extract
from cmbound.threads import LOCK

Ball: TypeAlias = Any
"""An Arb ball; python-flint has no complete type information."""


class precision:
    """Ball arithmetic with ``bits`` of working precision inside the block, one thread at a time (a global setting)."""

    __slots__ = ("_before", "_bits")

    def __init__(self, bits: int) -> None:
        self._bits = bits

    def __enter__(self) -> None:
        LOCK.acquire()
        self._before, flint.ctx.prec = flint.ctx.prec, self._bits

    def __exit__(self, *error: object) -> None:
        flint.ctx.prec = self._before
        LOCK.release()


_wanted: ContextVar[int] = ContextVar("wanted", default=128)


class integrals_to:
    """Integrals to a relative accuracy of about 2^-bits inside the block, however high the working precision."""

    __slots__ = ("_bits", "_token")

    def __init__(self, bits: int) -> None:
        self._bits = bits

    def __enter__(self) -> None:
        self._token = _wanted.set(self._bits)

    def __exit__(self, *error: object) -> None:
        _wanted.reset(self._token)


class Point(NamedTuple):
    """An exact number as a formula and the exact numbers to be put into it, by symbol; a node of a grid knows which one it is."""

    formula: Any
    numbers: tuple[tuple[Any, Any], ...]
    place: int


def number(value: Any) -> Ball:
    """A ball around an exact number: int, Fraction, SymPy expression without symbols, :class:`Point`."""
    if isinstance(value, Fraction):
        return arb(fmpq(*value.as_integer_ratio()))
    if isinstance(value, int):
        return arb(value)
    if isinstance(value, Point):
        return compile((value.formula,), tuple(x for x, _ in value.numbers))(*(number(y) for _, y in value.numbers))[0]
    return compile((value,), ())()[0]


def _log(x: Ball) -> Ball:
    return arb.neg_inf() if x.is_zero() else x.log()


def root(x: Ball) -> Ball:
    """Every radicand of the theory is a non-negative number; a ball around 0 may reach below it."""
    result = x.sqrt()
    return result if result.is_finite() or not x.contains(0) else x.nonnegative_part().sqrt()


def _maximum(*xs: Ball) -> Ball:
    result = arb(xs[0])
    for x in xs[1:]:
        result = result.max(x)
    return result


def _minimum(*xs: Ball) -> Ball:
    result = arb(xs[0])
    for x in xs[1:]:
        result = result.min(x)
    return result


def compare(op: str, x: Ball, y: Ball) -> bool | None:
    """Whether ``x op y`` holds for all numbers in the balls; None if it does for some of them only."""
    if op in (">", ">="):
        return compare(op.replace(">", "<"), y, x)
    if op in ("==", "!="):
        same = True if x.is_exact() and y.is_exact() and x == y else (None if x.overlaps(y) else False)
        return same if op == "==" else _not(same)
    if op == "<":
        return True if x < y else (False if x >= y else None)
    return True if x <= y else (False if x > y else None)


def _not(x: bool | None) -> bool | None:
    return None if x is None else not x


def _and(*xs: bool | None) -> bool | None:
    return False if False in xs else (None if None in xs else True)


def _choice(condition: bool | None, x: Any, y: Any) -> Ball:
    """One of two numbers, or a ball around both."""
    return arb(x).union(arb(y)) if condition is None else arb(x if condition else y)


def geometric_sum(x: Ball, n: Any) -> Ball:
    """1 + x + ... + x^(n-1) by doubling; ``n`` an exact non-negative integer."""
    count = int(arb(n).unique_fmpz())
    total, power = arb(0), arb(1)
    for bit in bin(count)[2:]:
        total, power = total * (1 + power), power * power
        if bit == "1":
            total, power = total * x + 1, power * x
    return total


def spectral(k: Any, x: Ball, shift: Any, values: Sequence[Ball]) -> Ball:
    """The sum over ``values`` of :class:`cmbound.theory.functions.spectral` (one logarithm, of a product)."""
    power, offset = int(arb(k).unique_fmpz()), arb(shift)
    above = [(e - offset).nonnegative_part() for e in values]
    if power:
        return sum(((e / (1 + e * x)) ** power for e in above), arb(0))
    product = arb(1)
    for e in above:
        product *= 1 + e * x
    return product.log()


@lru_cache(maxsize=512)
def _constant(p: int, q: int, bits: int) -> Ball:
    """The number p/q as a ball of so many bits."""
    return arb(fmpq(p, q))


def _rational(p: int, q: int) -> str:
    return f"rational({p}, {q})"


def _power(base: str, p: int, q: int) -> str:
    if q == 1:
        return f"{base}**{p}"
    return f"sqrt({base})" if (p, q) == (1, 2) else f"power({base}, rational({p}, {q}))"


ELEMENTARY = ("sin", "cos", "sinh", "cosh", "tanh", "erf")

BALLS = Dialect(
    stable=False,
    kernels=("geometric_sum", "spectral"),
    rational=_rational,
    power=_power,
    namespace={
        "rational": lambda p, q: _constant(p, q, flint.ctx.prec),
        "exp": lambda x: x.exp(),
        "log": _log,
        "sqrt": root,
        "power": lambda x, p: x**p,
        "atan": lambda x: x.atan(),
        "maximum": _maximum,
        "minimum": _minimum,
        **{name: (lambda x, name=name: getattr(arb(x), name)()) for name in ELEMENTARY},
        "absolute": lambda x: abs(arb(x)),
        "compare": lambda op, x, y: compare(op, arb(x), arb(y)),
        "choice": _choice,
        "and_": _and,
        "or_": lambda *xs: _not(_and(*map(_not, xs))),
        "not_": lambda x: _not(x),
        "not_a_number": arb.nan,
        "pi": arb.pi,
        "geometric_sum": geometric_sum,
        "spectral": spectral,
    },
)


INTEGRAL_EVALUATIONS = 50_000
"""Most values of an integrand that one integral may take."""
SHAPE_BITS = 256
"""Precision at which the shape of a user's function is decided."""
PRECISIONS = (128, 512, 2048)
"""Precisions tried one after the other until something about a user's function is settled."""
SINGULAR_BITS = 1 << 8
"""Precision at which an integral is given up that has no finite enclosure, or takes too many values and is still not known."""
_ENOUGH = 4  # an integral is computed with at most so many times the bits that are wanted of it; one that needs more is given up


def _integral(item: Extracted, symbols: Sequence[Any]) -> Callable[[Sequence[Ball], Sequence[Any]], Ball]:
    """Rigorous quadrature (Petras) between the places at which the integrand changes its branch.

    The variable is exp(x) where the range begins above 0, so that decades cost no bisections.
    """
    names = (item.variable, *symbols)

    def integrate(ends: Sequence[Ball], values: Sequence[Any]) -> Ball:
        low, *cuts, high = ends
        if high < low:
            return -integrate([high, *cuts, low], values)
        total, groups = arb(0), _groups(cuts, low, high)
        edges = [_edges(group) for group in groups]
        for group, (start, end) in zip(groups, edges, strict=True):
            if len(group) > 1:  # a short way, on which the function may take any of its branches
                width = (high if group is groups[-1] else end) - (low if group is groups[0] else start)
                total += arb(0) if width.is_zero() else width * compile((item.body,), names)(start.union(end), *values)[0]
        for (_, left), (right, _) in pairwise(edges):
            body = chosen(item.body, names, ((left + right) / 2, *values))
            total += _stretch(_analytic(body, names), left, right, values)
        return total

    return integrate


def _groups(cuts: Sequence[Ball], low: Ball, high: Ball) -> list[list[Ball]]:
    """The ends and the cuts between them in rising order; those that balls do not tell apart stay together."""
    inner = [x for x in cuts if not (x <= low or x >= high)]
    groups: list[list[Ball]] = []
    for x in sorted([low, *inner, high], key=lambda x: float(x.mid())):
        group = [x]
        while groups and not all(y > z for y in group for z in groups[-1]):
            group = [*groups.pop(), *group]
        groups.append(group)
    return groups


def _edges(group: Sequence[Ball]) -> tuple[Ball, Ball]:
    """Exact numbers at or below, and at or above, all balls of a group; of a single ball itself."""
    if len(group) == 1:
        return group[0], group[0]
    hull = reduce(lambda x, y: x.union(y), group)
    return hull.lower(), hull.upper()


def _stretch(function: Callable[..., Any], low: Ball, high: Ball, values: Sequence[Any]) -> Ball:
    """The integral of one branch."""
    logarithmic = bool(low > 0 and high > 0)

    count = 0

    def integrand(z: acb, analytic: bool) -> acb:
        nonlocal count
        count += 1
        t = z.exp() if logarithmic else z
        value = function(analytic, t, *values)
        return value * t if logarithmic else value

    ends = (low.log(), high.log()) if logarithmic else (low, high)
    wanted = _wanted.get()
    bits = min(int(flint.ctx.prec), _ENOUGH * wanted)
    with precision(bits):
        whole = acb.integral(integrand, *ends, rel_tol=arb(2) ** -min(bits, wanted), eval_limit=INTEGRAL_EVALUATIONS)
    if whole.is_finite() and not whole.imag.contains(0):
        raise DomainError(f"an integrand of a profile is not real between {float(low.mid()):.6g} and {float(high.mid()):.6g}")
    result = whole.real
    known = result.rel_accuracy_bits() if result.is_finite() and not result.is_zero() else 0
    exhausted = not result.is_finite() or (count > INTEGRAL_EVALUATIONS and known < 64)
    if result.is_zero() or known > wanted // 2 or bits < (SINGULAR_BITS if exhausted else _ENOUGH * wanted):
        return result
    raise UndecidedError(
        f"an integral of a profile from {float(low.mid()):.6g} to {float(high.mid()):.6g} has no enclosure within "
        f"{INTEGRAL_EVALUATIONS} values of its integrand: it must be finite there, and smooth enough"
    )


@lru_cache(maxsize=256)
def _analytic(body: Any, symbols: tuple[Any, ...]) -> Callable[..., acb]:
    """One branch as a function of the flag ``analytic`` (see python-flint's ``acb.integral``) and of acb numbers."""
    now = threading.local()

    def chain(name: str) -> Callable[..., acb]:
        return lambda *xs: reduce(lambda x, y: getattr(acb(x), name)(acb(y), analytic=now.analytic), xs)

    dialect = replace(
        BALLS,
        namespace={
            "rational": lambda p, q: acb(arb(fmpq(p, q))),
            **{name: (lambda z, name=name: getattr(acb(z), name)()) for name in ("exp", "atan", *ELEMENTARY)},
            "log": lambda z: acb(z).log(analytic=now.analytic),
            "sqrt": lambda z: acb(z).sqrt(analytic=now.analytic),
            "power": lambda z, p: acb(z).pow(p, analytic=now.analytic),
            "absolute": lambda z: acb(z).real_abs(analytic=now.analytic),
            "maximum": chain("real_max"),
            "minimum": chain("real_min"),
            "pi": lambda: acb(arb.pi()),
            "not_a_number": lambda: acb(arb.nan()),
        },
    )
    generated = generate([body], symbols, dialect)

    def function(analytic: bool, *values: Any) -> acb:
        now.analytic = analytic
        return acb(generated(*values)[0])

    return function


def chosen(body: Any, symbols: Sequence[Any], values: Sequence[Any]) -> Any:
    """``body`` with the branch of every Piecewise that holds at the values (balls).

    Raises:
        UndecidedError: a condition that balls do not decide.
    """

    def holds(relation: Any) -> bool:
        names = tuple(symbols)
        found = compare(relation.rel_op, *compile((relation.lhs, relation.rhs), names)(*values))
        if found is None:
            raise UndecidedError(f"cannot decide the condition {relation} of a profile")
        return found

    return branch(body, holds)


@lru_cache(maxsize=1024)
def compile(exprs: tuple[Any, ...], symbols: tuple[Any, ...]) -> Callable[..., list[Ball]]:
    """A function of balls (in the order of ``symbols``) returning enclosures of ``exprs`` at the current precision."""
    bare, integrals = extract(exprs)
    main = generate(bare, (*symbols, *(i.name for i in integrals)), BALLS)
    parts = [integral(i, symbols) for i in integrals]

    def function(*values: Ball) -> list[Ball]:
        found = main(*values, *[part(*values) for part in parts]) if parts else main(*values)
        return [x if type(x) is arb else arb(x) for x in found]

    return function


def integral(item: Extracted, symbols: tuple[Any, ...]) -> Callable[..., Ball]:
    """An integral as a function of balls (in the order of ``symbols``)."""
    inner, ends = _integral(item, symbols), generate([item.low, *item.cuts, item.high], symbols, BALLS)
    return lambda *values: inner(ends(*values), values)


def relative_accuracy(x: Ball) -> float:
    """Decimal digits to which the ball determines its number (infinite for an exact one)."""
    if not x.is_finite():
        return -inf
    if x.is_exact():
        return inf
    return float(x.rel_accuracy_bits() * _LOG10_2)


_LOG10_2 = log10(2.0)
_MOST_BITS = 4096  # of integers that are faster than balls
_EXACT_EXPONENT = 2000  # digits before or after the point that precision is spent on


def _exponent(x: Ball) -> int:
    """Some e with 10^(e-2) <= abs(x) <= 10^(e+2), for exact non-zero x (beyond 10^18 some larger or smaller e)."""
    mantissa, two = x.man_exp()
    bits = int(two) + int(abs(mantissa)).bit_length()
    return floor(bits * _LOG10_2) if abs(bits) < 10**18 else bits // 4


def _with_integers(x: Ball, digits: int, up: bool) -> Decimal | None:
    """:func:`decimal` of a ball whose ends are numbers of few bits (None: they are not), which takes no ball arithmetic."""
    if not x.is_finite():
        return None
    m, e = x.mid().man_exp()
    end, two = int(m), int(e)
    if abs(two) > _MOST_BITS or end.bit_length() > _MOST_BITS:
        return None
    if not x.is_exact():
        m, e = x.rad().man_exp()
        least = min(two, int(e))
        if abs(least) > _MOST_BITS or abs(int(e)) > _MOST_BITS:
            return None
        end, two = (end << (two - least)) + (1 if up else -1) * (int(m) << (int(e) - least)), least
    if not end:
        return Decimal(0)
    shift = digits + 2 - floor((two + abs(end).bit_length()) * _LOG10_2)
    above = end * 10 ** max(shift, 0) * 2 ** max(two, 0)
    below = 10 ** max(-shift, 0) * 2 ** max(-two, 0)
    integer = -(-above // below) if up else above // below
    while integer % 10 == 0:
        integer, shift = integer // 10, shift - 1
    return Decimal(f"{integer}E{-shift}")


def decimal(x: Ball, digits: int, up: bool) -> Decimal:
    """A decimal with at least ``digits`` digits that is at least (``up``) or at most every number in the ball.

    Below 10^-900000 it is 0 or 10^-900000.

    Raises:
        DomainError: the number exceeds 10^900000.
    """
    found = _with_integers(x, digits, up)
    if found is not None:
        return found
    with precision(int(digits * 3.4) + 64):
        end = x.upper() if up else x.lower()
    if end.is_zero():
        return Decimal(0)
    exponent = _exponent(end)
    if exponent < -MOST_EXPONENT:
        return Decimal((0 if end > 0 else 1, (1,), -MOST_EXPONENT)) if (end > 0) == up else Decimal(0)
    if exponent > MOST_EXPONENT:
        raise DomainError(f"a number of about 10^{exponent if exponent < 10**18 else '(10^18) or more'} cannot be shown")
    shift = digits + 2 - exponent
    # with all digits of the power of ten an exact number stays exact; where there are too many of them a ball will do
    with precision(int((digits + min(abs(exponent), _EXACT_EXPONENT)) * 3.4) + 64):
        scaled = end * arb(10) ** shift
        whole = scaled.ceil().upper().ceil() if up else scaled.floor().lower().floor()
        integer = int(whole.unique_fmpz())
    while integer and integer % 10 == 0:
        integer, shift = integer // 10, shift - 1
    sign = 1 if integer < 0 else 0
    return Decimal((sign, tuple(map(int, str(abs(integer)))), -shift))


def float_up(x: Decimal) -> float:
    """The smallest double that is at least ``x``; raises DomainError beyond the largest double."""
    value = float(x)
    if Decimal.from_float(value) < x:
        value = nextafter(value, inf)
    if not isfinite(value):
        raise DomainError(f"the value {x:.3e} exceeds the largest float64 number (about 1.8e308)")
    return value
