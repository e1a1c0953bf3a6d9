"""Is a function of time finite, non-negative and non-increasing on an interval? Decided by enclosures, never by samples.

The interval is cut into pieces until, on each, a ball that holds every value and a ball that holds every slope settle the
question. Slopes come from automatic differentiation. Where a ball does not say which argument of Max, Min or Abs is taken,
each of them is looked at: a continuous function whose branches all fall, falls.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from flint import arb, fmpq

from cmbound.arithmetic import certified
from cmbound.arithmetic.codegen import Dialect, function as generate

Ball: TypeAlias = Any

PIECES = 2000
"""Most pieces looked at."""
_NARROWEST = 2.0**-100  # of an interval, as a share: below it nothing is decided any more
_MOST_CHOICES = 32  # branches that one ball may straddle


class NotReal(Exception):
    """A root or logarithm of numbers that are all negative."""


@dataclass(frozen=True)
class Fact:
    """What was found, and where: ``finite``, ``fine`` (finite and all that was asked), or what is wrong with the function.

    Attributes:
        kind: ``increases``, ``negative`` or ``not real`` (each at every time of [low, high]); ``singular`` (no finite enclosure
            near low and high); ``open`` (finite, but not decided); ``fine``.
        low, high: floats around the place.
    """

    kind: str
    low: float = 0.0
    high: float = 0.0


class Jet:
    """A ball that holds the values of a function on a piece, and one that holds its slopes."""

    __slots__ = ("slope", "value")

    def __init__(self, value: Ball, slope: Ball) -> None:
        self.value, self.slope = value, slope

    def __add__(self, other: Any) -> Jet:
        y = _jet(other)
        return Jet(self.value + y.value, self.slope + y.slope)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Jet:
        return self + -_jet(other)

    def __rsub__(self, other: Any) -> Jet:
        return _jet(other) - self

    def __neg__(self) -> Jet:
        return Jet(-self.value, -self.slope)

    def __mul__(self, other: Any) -> Jet:
        y = _jet(other)
        return Jet(self.value * y.value, _times(self.slope, y.value) + _times(y.slope, self.value))

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Jet:
        y = _jet(other)
        inverse = 1 / y.value
        return self * Jet(inverse, _times(-y.slope, inverse * inverse))

    def __rtruediv__(self, other: Any) -> Jet:
        return _jet(other) / self

    def __pow__(self, n: int) -> Jet:
        power = self.value**n
        slope = _times(self.slope, n * self.value ** (n - 1))
        return Jet(power.nonnegative_part() if n % 2 == 0 and power.contains(0) else power, slope)


def _times(slope: Ball, value: Ball) -> Ball:
    """A slope that is exactly 0 stays so, whatever the value."""
    return arb(0) if slope.is_zero() else slope * value


def _jet(x: Any) -> Jet:
    return x if isinstance(x, Jet) else Jet(arb(x), arb(0))


def _smooth(value: Callable[[Ball], Ball], slope: Callable[[Ball, Ball], Ball]) -> Callable[[Any], Jet]:
    def function(x: Any) -> Jet:
        y = _jet(x)
        result = value(y.value)
        return Jet(result, _times(y.slope, slope(y.value, result)))

    return function


def _real(x: Ball, value: Callable[[Ball], Ball]) -> Ball:
    if x < 0:
        raise NotReal
    return value(x)


def _power(base: Any, exponent: Any) -> Jet:
    """exp(exponent log(base)) for a base >= 0."""
    x, p = _jet(base), _jet(exponent)
    value = _real(x.value, lambda y: y**p.value)
    slope = _times(x.slope, p.value * x.value ** (p.value - 1))
    return Jet(value, slope + _times(p.slope, value * x.value.log()))


class _Choices:
    """Which argument is taken where a ball does not say: every combination, one after the other."""

    def __init__(self) -> None:
        self.taken: list[int] = []
        self.sizes: list[int] = []
        self.at = 0

    def pick(self, count: int) -> int:
        if self.at == len(self.taken):
            self.taken.append(0)
            self.sizes.append(count)
        self.at += 1
        return self.taken[self.at - 1]

    def next(self) -> bool:
        """Move to the next combination; False after the last one."""
        while self.taken and self.taken[-1] + 1 >= self.sizes[-1]:
            self.taken.pop()
            self.sizes.pop()
        if self.taken:
            self.taken[-1] += 1
        self.at = 0
        return bool(self.taken)

    def extremum(self, sign: int, *xs: Any) -> Jet:
        jets = [_jet(x) for x in xs]
        left = [x for x in jets if not any(sign * (y.value - x.value) > 0 for y in jets)]
        return left[0] if len(left) == 1 else left[self.pick(len(left))]

    def absolute(self, x: Any) -> Jet:
        y = _jet(x)
        if y.value >= 0 or y.value <= 0:
            return y if y.value >= 0 else -y
        return (y, -y)[self.pick(2)]


@lru_cache(maxsize=256)
def _jets(body: Any, symbols: tuple[Any, ...]) -> Callable[[_Choices, Sequence[Any]], Jet]:
    """``body``, which has no Piecewise, as a function of jets."""
    now = threading.local()
    namespace = {
        "rational": lambda p, q: Jet(arb(fmpq(p, q)), arb(0)),
        "pi": lambda: Jet(arb.pi(), arb(0)),
        "not_a_number": lambda: Jet(arb.nan(), arb.nan()),
        "exp": _smooth(lambda x: x.exp(), lambda x, y: y),
        "log": _smooth(lambda x: _real(x, lambda y: y.log()), lambda x, y: 1 / x),
        "sqrt": _smooth(lambda x: _real(x, lambda y: y.nonnegative_part().sqrt()), lambda x, y: 1 / (2 * y)),
        "atan": _smooth(lambda x: x.atan(), lambda x, y: 1 / (1 + x**2)),
        "sin": _smooth(lambda x: x.sin(), lambda x, y: x.cos()),
        "cos": _smooth(lambda x: x.cos(), lambda x, y: -x.sin()),
        "sinh": _smooth(lambda x: x.sinh(), lambda x, y: x.cosh()),
        "cosh": _smooth(lambda x: x.cosh(), lambda x, y: x.sinh()),
        "tanh": _smooth(lambda x: x.tanh(), lambda x, y: 1 / x.cosh() ** 2),
        "erf": _smooth(lambda x: x.erf(), lambda x, y: 2 * (-(x**2)).exp() / arb.pi().sqrt()),
        "power": _power,
        "maximum": lambda *xs: now.choices.extremum(1, *xs),
        "minimum": lambda *xs: now.choices.extremum(-1, *xs),
        "absolute": lambda x: now.choices.absolute(x),
    }
    dialect = Dialect(False, (), certified.BALLS.rational, certified.BALLS.power, namespace)
    generated = generate([body], symbols, dialect)

    def function(chosen: _Choices, values: Sequence[Any]) -> Jet:
        now.choices = chosen
        return _jet(generated(*values)[0])

    return function


def _alternatives(function: Callable[[_Choices, Sequence[Any]], Jet], values: Sequence[Any]) -> Iterator[Jet | None]:
    """The jet of every branch (None: not real)."""
    choices, more = _Choices(), True
    while more:
        try:
            yield function(choices, values)
        except NotReal:
            yield None
        more = choices.next()


def examine(body: Any, symbols: tuple[Any, ...], values: Sequence[Ball], low: Ball, high: Ball, falling: bool = True) -> Fact:
    """Look at a function of ``symbols[0]`` on [low, high].

    Args:
        body: an expression without Piecewise.
        symbols: the variable, and the parameters.
        values: of the parameters, balls; what is found holds for every number in them.
        low, high: balls; the interval reaches from the lower end of one to the upper end of the other.
        falling: whether it must be non-negative and non-increasing (False: only finite).
    """
    with certified.precision(certified.SHAPE_BITS):
        return _examined(_jets(body, symbols), values, low, high, falling)


def _examined(function: Any, values: Sequence[Ball], low: Ball, high: Ball, falling: bool) -> Fact:
    start, end = low.lower(), high.upper()
    pieces, looked, left = deque([(start, end)]), 0, Fact("fine")
    positive = True
    while pieces:
        a, b = pieces.popleft()  # wide pieces first: what is refuted is shown on a wide one
        looked += 1
        found = list(_at_most(_alternatives(function, (Jet(a.union(b), arb(1)), *values))))
        jets = [x for x in found if x is not None]
        place = float(a.mid()), float(b.mid())
        if found and not jets:
            return Fact("not real", *place)
        finite = len(jets) == len(found) > 0 and all(x.value.is_finite() for x in jets)
        if falling and finite and all(x.value < 0 for x in jets):
            return Fact("negative", *place)
        if falling and finite and all(x.slope > 0 for x in jets) and a < b:
            return Fact("increases", *place)
        positive = positive and finite and all(x.value >= 0 for x in jets)
        if finite and (not falling or all(x.slope <= 0 for x in jets)):
            continue
        if looked + len(pieces) < PIECES and b - a > _NARROWEST * b:
            middle = ((a + b) / 2 if b < 2 * a or not a > 0 else (a * b).sqrt()).mid()
            pieces += [(a, middle), (middle, b)]
        elif not finite:
            left = Fact("singular", *place)
        elif left.kind == "fine":
            left = Fact("open", *place)
    if not falling or left.kind != "fine":
        return left
    return left if positive else _last_value(function, values, high)


def _at_most(found: Iterator[Jet | None]) -> Iterator[Jet | None]:
    """The jets of the branches; one without finite numbers where there are too many."""
    for i, x in enumerate(found):
        yield x if i < _MOST_CHOICES else Jet(arb.nan(), arb.nan())
        if i == _MOST_CHOICES:
            return


def _last_value(function: Any, values: Sequence[Ball], high: Ball) -> Fact:
    """A falling function is non-negative if its last value is."""
    found = [x for x in _alternatives(function, (Jet(high, arb(0)), *values)) if x is not None]
    place = float(high.mid())
    if found and all(x.value < 0 for x in found):
        return Fact("negative", place, place)
    return Fact("fine") if found and all(x.value >= 0 for x in found) else Fact("open", place, place)


def value_at(body: Any, symbols: tuple[Any, ...], values: Sequence[Ball]) -> Ball:
    """The value of an expression without Piecewise at balls (of one of its branches, where they leave a choice).

    Raises:
        NotReal: it has none over the real numbers.
    """
    return _jets(body, symbols)(_Choices(), values).value
