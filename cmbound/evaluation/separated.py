"""The bound on a stretch [a, b] taken apart, so that all stretches between many nodes are cheap.

There are as many stretches as pairs of nodes, but what is costly in a bound (exponentials, logarithms, integrals) is mostly of
one end alone, or additive: its value on [a, b] and on [b, c] adds up to that on [a, c], so it is a difference of values at the
ends. All these are computed at the nodes; products, sums and roots are what remains for each pair. Such differences cancel where
nodes are close: they decide which stretches are used, and nothing else. A part that counts as additive by mistake would only
choose a worse path.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import sympy
from sympy import Add, Integer, Mul

from cmbound.arithmetic import approximate
from cmbound.arithmetic.backend import ordered_symbols
from cmbound.frozen import Record
from cmbound.later import np
from cmbound.theory.functions import c, lam, s
from cmbound.theory.named import Named, Rearranged, log, log1p
from cmbound.theory.notation import TABLE, a, b, y
from cmbound.threads import alone

_TRIALS = 4  # random places at which a function is looked at before it counts as additive
_ADDITIVE = 1e-9  # relative: rounding only
LAST = sympy.Symbol("last", positive=True)
"""The end of the last stretch."""


@dataclass(frozen=True, eq=False)
class Separated(Record):
    """An expression in ``a`` and ``b``, written in names for its parts.

    Attributes:
        expr: the expression in these names.
        fixed: parts that depend on neither end, by their names.
        begin, end: parts that depend on one end alone.
        sums: sums of two: what depends on ``a`` alone and what depends on ``b`` alone (and on :data:`LAST`).
        steps: sums over the steps of a grid.
    """

    expr: Any
    fixed: Mapping[Any, Any]
    begin: Mapping[Any, Any]
    end: Mapping[Any, Any]
    sums: Mapping[Any, tuple[Any, Any]]
    steps: Mapping[Any, Any]

    @property
    def is_sum(self) -> bool:
        """Whether it is one sum of parts at one end each, or over steps."""
        return self.expr in self.sums or self.expr in self.steps

    @cached_property
    def growth(self) -> Any:
        """A lower bound on how much it grows with its sums, in which these stand for what each grows by (None: not known).

        A product of powers of sums that add up to one, such as the root of a product of two, is concave and homogeneous where
        nothing is negative: f(x + y) >= f(x) + f(y). One with other positive powers, or with a factor that depends on ``a``,
        grows by 0 at least.
        """
        terms = []
        for term in Add.make_args(sympy.expand(self.expr)):
            powers = [factor.as_base_exp() for factor in Mul.make_args(term)]
            known = (*self.sums, *self.begin, *self.fixed)
            of_sums = [power for base, power in powers if base in self.sums]
            if not all(base in known or base.is_positive for base, _ in powers) or not all(x.is_positive for x in of_sums):
                return None
            if sum(of_sums) == 1 and not any(base in self.begin for base, _ in powers):
                terms.append(term)
        return Add(*terms)


@lru_cache(maxsize=512)
@alone
def separated(expr: Any) -> Separated:
    """The parts of an expression."""
    parts = Parts()
    both = apart(expr)
    return parts.taken(parts.split(expr) if both is None else parts.named(both, parts.sums))


class Parts:
    """The parts found so far, and their names."""

    def __init__(self) -> None:
        self.fixed: dict[Any, Any] = {}
        self.begin: dict[Any, Any] = {}
        self.end: dict[Any, Any] = {}
        self.sums: dict[Any, Any] = {}
        self.steps: dict[Any, Any] = {}

    def taken(self, expr: Any) -> Separated:
        """An expression in the names of the parts."""
        return Separated(expr, self.fixed, self.begin, self.end, self.sums, self.steps)

    def split(self, expr: Any) -> Any:
        """The expression in names for its parts."""
        ends = _ends(expr)
        if ends != {a, b}:
            return self.named(expr, self.begin if a in ends else self.end if b in ends else self.fixed)
        if (both := apart(expr)) is not None:
            return self.named(both, self.sums)
        if isinstance(expr, Rearranged):
            return self.split(expr.args[1])
        if isinstance(expr, Named) and not expr.kernel:
            return self.split(type(expr).definition(*expr.args))
        if isinstance(expr, Add):
            return self.sum(expr)
        if isinstance(expr, Mul):
            return Mul(*map(self.split, _factors(expr)))
        return expr.func(*map(self.split, expr.args))

    def sum(self, expr: Any) -> Any:
        """A sum in which all that can be computed at the nodes is one summand."""
        found = {x: apart(x) for x in expr.args}
        easy = [x for x in found.values() if x is not None]
        split = [self.split(x) for x, both in found.items() if both is None]
        return Add(self.named(tuple(map(Add, *easy)), self.sums), *split) if easy else Add(*split)

    def named(self, part: Any, parts: dict[Any, Any]) -> Any:
        """The name of a part."""
        if getattr(part, "is_Rational", False):
            return part
        known = next((x for x, other in parts.items() if other == part), None)
        if known is None:
            known = sympy.Dummy("x", real=True)
            parts[known] = part
        return known


def _ends(expr: Any) -> Set[Any]:
    """The ends an expression depends on; a free parameter is chosen by the end of the stretch."""
    found = expr.free_symbols
    return frozenset(found & {a, b} | ({b} if y in found else set()))


def _factors(expr: Any) -> list[Any]:
    """The factors of a product: those that depend on one end together, those on none with one of them."""
    both = [x for x in expr.args if len(_ends(x)) == 2]
    loose, at_begin, at_end = ([x for x in expr.args if _ends(x) == ends] for ends in (set(), {a}, {b}))
    if at_begin:
        at_begin, loose = at_begin + loose, []
    elif at_end:
        at_end, loose = at_end + loose, []
    return [*(Mul(*x) for x in (loose, at_begin, at_end) if x), *both]


# --- sums of what depends on one end alone ----------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def apart(expr: Any) -> tuple[Any, Any] | None:
    """What depends on ``a`` alone and what depends on ``b`` alone, of which an expression is the sum (None: it is none).

    An integral over the stretch is that from ``a`` to :data:`LAST` less that from ``b`` on. Where it is a difference of values at
    both ends, of these what they tend to in time is left out: it would cancel late, where the rest is small.
    """
    ends = _ends(expr)
    if ends != {a, b}:
        return (expr, Integer(0)) if a in ends else (Integer(0), expr)
    if y in expr.free_symbols:  # chosen by the end
        return None
    found = [apart(x) for x in expr.args] if expr.is_Add else [None]
    if None not in found:
        return tuple(map(Add, *found))
    difference = _difference(expr)
    if difference is not None and difference[2] == 0:
        return difference[:2]
    return (expr.xreplace({b: LAST}), -expr.xreplace({a: b, b: LAST})) if is_additive(expr) else None


def _difference(expr: Any) -> tuple[Any, Any, Any] | None:
    """What depends on ``a`` and on ``b`` less constants that they tend to, and the sum of these constants (None: not known)."""
    coefficient, x = expr.as_independent(a, b, as_Add=False)
    if _ends(x) != {a, b}:
        late = _late(x)
        return None if late is None else tuple(coefficient * y for y in late)
    if isinstance(x, Rearranged):
        x = x.args[0]
    elif isinstance(x, Named) and not (x.kernel or x.primitive):
        x = type(x).definition(*x.args)
    elif isinstance(x, sympy.log) and x.args[0].is_Mul:
        x = Add(*(power * log(base) for base, power in (y.as_base_exp() for y in x.args[0].args)))
    elif not x.is_Add:
        return None
    found = [_difference(y) for y in Add.make_args(x)]
    return None if None in found else tuple(coefficient * Add(*row) for row in zip(*found, strict=True))


def _late(x: Any) -> tuple[Any, Any, Any] | None:
    """The same of what depends on one end at most."""
    if not _ends(x):
        return Integer(0), Integer(0), x
    (t,) = _ends(x)
    base, power = x.as_base_exp()
    excess = c(t) ** 2 / (s(t) * (1 + s(t)))  # 1/s_t - 1
    known = {
        1 / s(t): (excess, Integer(1)),
        log(s(t)): (-log1p(excess), Integer(0)),
        log(lam(t)): (t - log1p(excess), Integer(0)),
        log(1 + s(t)): (-log1p(c(t) ** 2 / (1 + s(t)) ** 2), sympy.log(2)),
    }
    if x == t or base == lam(t) or (base == c(t) and power > 0):
        known[x] = x, Integer(0)
    if x not in known:
        return None
    form, left = known[x]
    return (form, Integer(0), left) if t == a else (Integer(0), form, left)


@lru_cache(maxsize=4096)
def is_additive(expr: Any) -> bool:
    """Whether the values of an expression on [a, b] and [b, c] add up to that on [a, c], at random places."""
    symbols = ordered_symbols(expr)
    function = approximate.compile((expr,), symbols)
    rng = np.random.default_rng(0)
    for _ in range(_TRIALS):
        given = {x: _drawn(x, rng) for x in symbols}
        first, middle, last = np.sort(rng.uniform(0.05, 2.5, 3))
        stretches = (first, middle), (middle, last), (first, last)
        values = [function(*({**given, a: low, b: high}[s] for s in symbols))[0] for low, high in stretches]
        if not abs(values[0] + values[1] - values[2]) <= _ADDITIVE * max(map(abs, values)):
            return False
    return True


def _drawn(symbol: Any, rng: np.random.Generator) -> Any:
    """A value of a parameter at which most things can be computed."""
    row = TABLE.get(symbol.name)
    if symbol.name in ("t_star", "delta"):
        return 0.0
    if symbol.name == "cov_eigs":
        return rng.uniform(0.5, 2.0, 3)
    if symbol.name == "tau":
        return rng.uniform(0.1, 0.9)
    if row is not None and row.domain.integer:
        return float(rng.integers(2, 9))
    return rng.uniform(0.05, 0.2) if symbol.name == "h" else rng.uniform(1.5, 4.0)
