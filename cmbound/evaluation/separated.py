"""The bound on a stretch [a, b] taken apart, so that all stretches between many nodes are cheap.

There are as many stretches as pairs of nodes, but what is costly in a bound (exponentials, logarithms, integrals) is mostly of
one end alone, or additive: its value on [a, b] and on [b, c] adds up to that on [a, c]. Both are computed at the nodes; products,
sums and roots are what remains for each pair. Differences of such tables cancel where nodes are close: they decide which
stretches are used, and nothing else. A part that counts as additive by mistake would only choose a worse path.
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
from cmbound.theory.named import Named, Rearranged
from cmbound.theory.notation import TABLE, a, b, y
from cmbound.threads import alone

_TRIALS = 4  # random places at which a function is looked at before it counts as additive
_ADDITIVE = 1e-9  # relative: rounding only


@dataclass(frozen=True, eq=False)
class Separated(Record):
    """An expression in ``a`` and ``b``, written in names for its parts.

    Attributes:
        expr: the expression in these names.
        fixed: parts that depend on neither end, by their names.
        begin, end: parts that depend on one end alone.
        sums: sums of three: what depends on ``a`` alone, what depends on ``b`` alone, and what is additive.
    """

    expr: Any
    fixed: Mapping[Any, Any]
    begin: Mapping[Any, Any]
    end: Mapping[Any, Any]
    sums: Mapping[Any, tuple[Any, Any, Any]]

    @property
    def additive(self) -> bool:
        """Whether it is additive as a whole."""
        return self.expr in self.sums and self.sums[self.expr][:2] == (0, 0)

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
    return parts.taken(parts.split(expr))


class Parts:
    """The parts found so far, and their names."""

    def __init__(self) -> None:
        self.fixed: dict[Any, Any] = {}
        self.begin: dict[Any, Any] = {}
        self.end: dict[Any, Any] = {}
        self.sums: dict[Any, Any] = {}

    def taken(self, expr: Any) -> Separated:
        """An expression in the names of the parts."""
        return Separated(expr, self.fixed, self.begin, self.end, self.sums)

    def split(self, expr: Any) -> Any:
        """The expression in names for its parts."""
        ends = _ends(expr)
        if ends != {a, b}:
            return self.named(expr, self.begin if a in ends else self.end if b in ends else self.fixed)
        if is_additive(expr):
            return self.named((Integer(0), Integer(0), expr), self.sums)
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
        rest = [x for x in expr.args if len(_ends(x)) == 2 and not is_additive(x)]
        easy = [x for x in expr.args if x not in rest]
        at_end, additive = ([x for x in easy if _ends(x) == ends] for ends in ({b}, {a, b}))
        at_begin = [x for x in easy if x not in (*at_end, *additive)]
        split = list(map(self.split, rest))
        return Add(self.named((Add(*at_begin), Add(*at_end), Add(*additive)), self.sums), *split) if easy else Add(*split)

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


@lru_cache(maxsize=4096)
def is_additive(expr: Any) -> bool:
    """Whether the values of an expression on [a, b] and [b, c] add up to that on [a, c], at random places."""
    symbols = ordered_symbols(expr)
    if y in symbols:
        return False
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
