"""Expansions of an expression as one parameter grows, and so its leading order.

The variable X tends to infinity (a parameter that tends to 0 is 1/X). A series is a finite sum of coefficients times
monomials X^p (log X)^q exp(growing terms), in falling order, with a monomial that bounds the rest. Sums, products,
powers, exp, log, atan, Max and Min have rules; each keeps track of the rest, so that what is found after a
cancellation is right or is not found: the expansion is then repeated with more terms.

Coefficients are exact expressions in the other parameters. That one is zero is decided by simplification, that it is
not by a ball (Arb) that excludes 0 at a point; its sign, where Max, Min or an exponential needs it, by the assumptions
of the symbols or by balls at every point of a sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cmp_to_key, lru_cache, reduce
from typing import Any

import sympy
from sympy import Add, Integer, Max, Min, Mul, S, atan, exp, log, pi

from cmbound.analysis import expressions
from cmbound.analysis.expressions import KERNELS, MoreTerms, OrderUndecidedError, Sample, from_two, geo, unfolded
from cmbound.analysis.monomials import ONE, Monomial, Series, falling
from cmbound.theory.functions import geometric_sum, kappa_h
from cmbound.theory.named import Named, Rearranged, unfolded as definition

ATTEMPTS = (2, 4, 8, 16)  # numbers of terms kept, one attempt after the other


class Calculus:
    """The rules, for a variable, a sample of points for the other parameters, and a number of terms to keep."""

    def __init__(self, variable: Any, sample: Sample, terms: int, settle: bool = False) -> None:
        self.variable, self.kept, self.settle = variable, terms, settle
        self.is_zero, self.sign = sample.is_zero, sample.sign
        self.conditions: dict[Any, None] = {}
        self._known: dict[Any, Series] = {}
        self._resolved: dict[Any, Any] = {}

    # --- monomials ----------------------------------------------------------------------------------------------------

    def compare(self, m: Monomial, n: Monomial) -> int:
        """1 if m grows faster than n, -1 if slower, 0 if they are equal."""
        if m == n:
            return 0
        if not (m.growth or n.growth):
            return self.sign(m.power - n.power) or self.sign(m.logs - n.logs)
        ratio = m.times(n, S.NegativeOne)
        for _, value in falling(ratio.growth, lambda x, y: self.sign(x[0] - y[0]) or self.sign(x[1] - y[1])):
            if (found := self._rate_sign(value)) != 0:
                return found
        return self.sign(ratio.power) or self.sign(ratio.logs)

    def _rate_sign(self, value: Any) -> int:
        """The sign of a rate of growth; noted as a condition where the symbols alone do not decide it."""
        value = sympy.expand(sympy.expand_log(value, force=True))
        found = self.sign(value)
        known = from_two(value)
        if not (known.is_positive or known.is_negative):
            shown, side = (-value, -found) if value.could_extract_minus_sign() else (value, found)
            self.conditions[shown > 0 if side > 0 else shown < 0] = None
        return found

    def direction(self, m: Monomial) -> int:
        """1 if the exponential in m grows, -1 if it decays, 0 without one."""
        return self.compare(Monomial(growth=m.growth), ONE)

    def _larger(self, *ms: Monomial | None) -> Monomial | None:
        return max((m for m in ms if m is not None), key=cmp_to_key(self.compare), default=None)

    # --- series -------------------------------------------------------------------------------------------------------

    def collect(self, pairs: Sequence[tuple[Monomial, Any]], rest: Monomial | None) -> Series:
        """A series from terms in any order, whose coefficients do not vanish (their sums may)."""
        found: dict[Monomial, list[Any]] = {}
        for m, value in pairs:
            if rest is None or self.compare(m, rest) > 0:
                found.setdefault(m, []).append(value)
        merged: list[tuple[Monomial, list[Any]]] = []
        for m, values in falling(found.items(), self.compare):
            if merged and self.compare(m, merged[-1][0]) == 0:  # the same monomial may be written in two ways
                merged[-1][1].extend(values)
            else:
                merged.append((m, values))
        terms = [(m, x) for m, values in merged for x in [Add(*values)] if len(values) == 1 or not self.is_zero(x)]
        if len(terms) > self.kept:
            rest = self._larger(rest, terms[self.kept][0])
        return Series(tuple(terms[: self.kept]), rest)

    def add(self, *xs: Series) -> Series:
        return self.collect([pair for x in xs for pair in x.terms], self._larger(*(x.rest for x in xs)))

    def multiply(self, x: Series, y: Series) -> Series:
        if not (x.terms or x.rest) or not (y.terms or y.rest):
            return Series(())
        sizes = [z.terms[0][0] if z.terms else z.rest for z in (x, y)]
        rests = [z.rest.times(size) for z, size in ((x, sizes[1]), (y, sizes[0])) if z.rest is not None and size is not None]
        pairs = [(m.times(n), a * b) for m, a in x.terms for n, b in y.terms]
        return self.collect(pairs, self._larger(*rests))

    def constant(self, value: Any) -> Series:
        return Series(() if self.is_zero(value) else ((ONE, value),))

    def _split(self, x: Series) -> tuple[Monomial, Any, Series]:
        """x = c m (1 + small): the monomial, the coefficient, and what is small."""
        if not x.terms:
            raise MoreTerms("everything kept has cancelled")
        (m, value), others = x.terms[0], x.terms[1:]
        inverse = m.raised(S.NegativeOne)
        rest = None if x.rest is None else x.rest.times(inverse)
        return m, value, self.collect([(n.times(inverse), other / value) for n, other in others], rest)

    def _power_series(self, small: Series, coefficients: Sequence[Any]) -> Series:
        """The sum of coefficients times powers of something that tends to 0 (``small``)."""
        total, power = self.constant(coefficients[0]), self.constant(S.One)
        if not small.terms and small.rest is None:
            return total
        for value in coefficients[1:]:
            power = self.multiply(power, small)
            total = self.add(total, self.multiply(self.constant(value), power))
        size = small.terms[0][0] if small.terms else small.rest
        assert size is not None
        return self.add(total, Series((), size.raised(Integer(len(coefficients)))))

    def power(self, x: Series, exponent: Any) -> Series:
        """x to a power that does not depend on X."""
        if exponent.is_Integer and exponent >= 0 and not x.terms and x.rest is None:
            return self.constant(S.One if exponent == 0 else S.Zero)
        if exponent.is_Integer and 0 < exponent <= 8:
            return reduce(self.multiply, [x] * int(exponent))
        m, value, small = self._split(x)
        if not exponent.is_Integer and self.sign(value) < 0:
            raise OrderUndecidedError(f"a root of a negative number: {value}")
        root = value**exponent
        if root.has(sympy.Abs):
            root = root.replace(sympy.Abs, lambda y: self.sign(y) * y)
        return self.multiply(
            Series(((m.raised(exponent), root),)), self._power_series(small, _binomials(exponent, self.kept + 1))
        )

    def exp(self, x: Series) -> Series:
        """The exponential: growing terms stay inside, constants and small terms come out."""
        if x.rest is not None and self.compare(x.rest, ONE) >= 0:
            raise MoreTerms("the rest of an exponent does not vanish")
        front, power, growth, small = S.Zero, S.Zero, [], []
        for m, value in x.terms:
            size = self.compare(m, ONE)
            if size < 0:
                small.append((m, value))
            elif size == 0:
                front += value
            elif m.growth:
                raise OrderUndecidedError("an exponential of an exponential")
            elif (m.power, m.logs) == (0, 1):
                power += value
            elif m.power == 0 and self.sign(m.logs - 1) < 0:
                raise OrderUndecidedError("an exponential of a root of a logarithm")
            else:
                growth.append(((m.power, m.logs), value))
        factor = Series(((Monomial(power, S.Zero, tuple(sorted(growth, key=str))), exp(front)),))
        factorials = [1 / sympy.factorial(j) for j in range(self.kept + 1)]
        return self.multiply(factor, self._power_series(self.collect(small, x.rest), factorials))

    def log(self, x: Series) -> Series:
        m, value, small = self._split(x)
        if m.logs != 0:
            raise OrderUndecidedError("a logarithm of a logarithm")
        pairs = [(Monomial(*key), rate) for key, rate in m.growth]
        pairs += [(Monomial(S.Zero, S.One), m.power), (ONE, log(value))]
        coefficients = [S.Zero, *(S.NegativeOne ** (j + 1) / Integer(j) for j in range(1, self.kept + 1))]
        return self.add(self.collect([p for p in pairs if not self.is_zero(p[1])], None), self._power_series(small, coefficients))

    def atan(self, x: Series) -> Series:
        if not x.terms and x.rest is None:
            return x
        m, value, small = self._split(x)
        size = self.compare(m, ONE)
        if size > 0:
            end = self.constant(self.sign(value) * pi / 2)
            return self.add(end, self.multiply(self.constant(S.NegativeOne), self.atan(self.power(x, S.NegativeOne))))
        coefficients = _atan_taylor(S.Zero if size < 0 else value, self.kept + 1)
        if size == 0:
            small = self.multiply(self.constant(value), small)
        return self._power_series(x if size < 0 else small, coefficients)

    # --- expressions --------------------------------------------------------------------------------------------------

    def expand(self, e: Any) -> Series:
        """The series of an expression."""
        found = self._known.get(e)
        if found is None:
            found = self._known[e] = self._expand(e) if e.has(self.variable) else self.constant(e)
        return found

    def _expand(self, e: Any) -> Series:
        if e == self.variable:
            return Series(((Monomial(S.One), S.One),))
        if e.is_Add:
            return self.add(*map(self.expand, e.args))
        if e.is_Mul:
            fixed, moving = e.as_independent(self.variable, as_Add=False)
            return reduce(self.multiply, map(self.expand, Mul.make_args(moving)), self.constant(fixed))
        if isinstance(e, exp | log | atan):
            return {exp: self.exp, log: self.log, atan: self.atan}[type(e)](self.expand(e.args[0]))
        if e.is_Pow:
            if e.exp.has(self.variable):
                return self.exp(self.multiply(self.expand(e.exp), self.log(self.expand(e.base))))
            return self.power(self.expand(e.base), e.exp)
        if isinstance(e, Max | Min):
            return self._tied(e)
        if isinstance(e, geo):
            return self._geometric(*e.args)
        if isinstance(e, KERNELS):
            return self._kernel(e)
        raise OrderUndecidedError(f"no rule for {type(e).__name__}")

    def _kernel(self, e: Any) -> Series:
        inner = self.expand(e.args[0])
        if self.compare(self._split(inner)[0], ONE) >= 0:
            return self.expand(definition(e))
        result = self._power_series(inner, expressions.taylor(e.func, self.kept + 2))
        return self.power(result, sympy.Rational(1, 2)) if isinstance(e, kappa_h) else result

    def _tied(self, e: Any) -> Series:
        """Max or Min whose arguments are of the same order, the sign of their difference being unknown."""
        parts = [self._split(self.expand(x)) for x in e.args]
        if any(self.compare(m, parts[0][0]) != 0 for m, _, _ in parts):
            raise OrderUndecidedError(f"cannot decide {type(e).__name__}")
        lead = parts[0][0]
        rests = [lead.times(m) for _, _, x in parts if (m := x.terms[0][0] if x.terms else x.rest) is not None]
        return Series(((lead, type(e)(*(value for _, value, _ in parts))),), self._larger(*rests))

    def _geometric(self, x: Any, n: Any) -> Series:
        inner = self.expand(x)
        m = self._split(inner)[0]
        size = self.compare(m, ONE)
        if size == 0:
            return self.expand((x**n - 1) / (x - 1))
        if size < 0:
            return Series(((ONE, S.One),), m)
        lead = self.power(inner, n - 1)
        return self.multiply(lead, Series(((ONE, S.One),), m.raised(S.NegativeOne)))

    def resolved(self, e: Any) -> Any:
        """``e`` in elementary functions (but for kernels of X), each Max and Min replaced by what is known to win for large X."""
        if not e.args:
            return e
        found = self._resolved.get(e)
        if found is None:
            found = self._resolved[e] = self._resolve(e) if self.settle or e.has(self.variable) else unfolded(e)
        return found

    def _resolve(self, e: Any) -> Any:
        if isinstance(e, Named) and not isinstance(e, (geometric_sum, *KERNELS)):
            return self.resolved(definition(e))
        if isinstance(e, Rearranged):
            return self.resolved(e.args[0])
        args = [self.resolved(x) for x in e.args]
        if isinstance(e, geometric_sum):
            x, n = args
            return geo(x, n) if x.has(self.variable) and not n.has(self.variable) and not n.is_Integer else (x**n - 1) / (x - 1)
        if isinstance(e, Max | Min) and any(x.has(self.variable) for x in args):
            return self._winner(e.func, args)
        e = expressions.rebuilt(e, args)
        if isinstance(e, Max | Min):
            return self._settled(e)
        return unfolded(e) if isinstance(e, KERNELS) and not e.has(self.variable) else e

    def _settled(self, e: Any) -> Any:
        """A constant Max or Min; if asked to settle it, the argument on which every point of the sample agrees."""
        e = expressions.ordered(e)
        if not isinstance(e, Max | Min) or not self.settle:
            return e
        best, *others = e.args
        try:
            for x in others:
                if self.sign(x - best) == (1 if isinstance(e, Max) else -1):
                    best = x
        except OrderUndecidedError:
            return e
        self.conditions[sympy.Eq(e, best, evaluate=False)] = None
        return best

    def _winner(self, kind: Any, args: Sequence[Any]) -> Any:
        """The largest or smallest of expressions without those that another one is known to beat."""
        better, left = (
            (1 if kind is Max else -1),
            list(dict.fromkeys(y for x in args for y in (x.args if isinstance(x, kind) else (x,)))),
        )
        for x in tuple(left):
            if any(self._beats(y, x, better) for y in left if y is not x):
                left.remove(x)
        return kind(*left)

    def _beats(self, x: Any, y: Any, better: int) -> bool:
        """Whether x - y is known to have the sign ``better``, or to vanish."""
        try:
            gap = self.expand(x - y)
            if gap.terms:
                return self.sign(gap.terms[0][1]) == better
        except OrderUndecidedError:
            return False
        if gap.rest is not None:
            raise MoreTerms("everything kept has cancelled")
        return True


@lru_cache(maxsize=256)
def _binomials(exponent: Any, count: int) -> tuple[Any, ...]:
    """The first coefficients of (1 + z)^exponent at 0."""
    return tuple(sympy.ff(exponent, j) / sympy.factorial(j) for j in range(count))


@lru_cache(maxsize=256)
def _atan_taylor(start: Any, count: int) -> tuple[Any, ...]:
    """The first coefficients of atan at ``start``."""
    z = sympy.Dummy("z", positive=True)
    return tuple(sympy.diff(atan(z), z, j).subs(z, start) / sympy.factorial(j) for j in range(count))


Leading = tuple[Monomial, Any, int, tuple[Any, ...]]


def leading(expr: Any, variable: Any, sample: Sample) -> Leading | None:
    """The leading term of ``expr`` for a large variable (None: the expression vanishes).

    Returns:
        Its monomial and coefficient, the direction of its exponential (see :meth:`Calculus.direction`), and the
        conditions on signs it relies on.

    Raises:
        OrderUndecidedError: no rule applies, a sign depends on the other parameters, or more than 16 terms cancel.
    """
    try:
        return _leading(expr, variable, sample, settle=False)
    except OrderUndecidedError:
        if not unfolded(expr).has(Max, Min):
            raise
        return _leading(expr, variable, sample, settle=True)


def _leading(expr: Any, variable: Any, sample: Sample, settle: bool) -> Leading | None:
    for kept in ATTEMPTS:
        rules = Calculus(variable, sample, kept, settle)
        try:
            found = rules.expand(rules.resolved(expr))
        except MoreTerms:
            continue
        if found.terms:
            m, value = found.terms[0]
            return m, value, rules.direction(m), tuple(rules.conditions)
        if found.rest is None:
            return None
    raise OrderUndecidedError(f"the first {ATTEMPTS[-1]} terms of an expansion cancel")
