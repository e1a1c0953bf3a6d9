"""Functions with a name in the theory, formulas with a form of their own for float64, and expressions built as they stand.

A :class:`Named` function has a ``definition``: an expression in elementary functions and in other named functions.
Where evaluating a definition in floating point would cancel (1 - s_T at large T, differences of nearby powers),
:func:`rearranged` keeps the formula as it is read together with an equal form that does not cancel: everything that is
printed, differentiated or certified uses the first, only the float64 tier uses the second.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, ClassVar

import sympy
from mpmath.libmp import prec_to_dps
from sympy import Function, Max, Min, Pow, S, sympify
from sympy.codegen import cfunctions
from sympy.core.mul import _unevaluated_Mul


class Rearranged(Function):
    """``Rearranged(plain, stable)``: two equal expressions, the first to read, the second for float64."""

    nargs = 2
    is_finite, is_imaginary = True, False

    @property
    def free_symbols(self) -> set[Any]:
        return set(self.args[0].free_symbols)

    def _eval_derivative(self, symbol: Any) -> Any:
        return self.args[0].diff(symbol)

    def _eval_evalf(self, prec: int) -> Any:
        return self.args[0]._eval_evalf(prec)

    def _numpycode(self, printer: Any) -> str:
        return f"({printer._print(self.args[1])})"

    def _mpmathcode(self, printer: Any) -> str:
        return f"({printer._print(self.args[0])})"

    _pythoncode = _numpycode


def rearranged(plain: Any, stable: Any) -> Any:
    """The formula ``plain`` that float64 evaluates as ``stable``."""
    return Rearranged(plain, stable)


def largest(*args: Any) -> Any:
    """Max of expressions none of which is known to be the largest: SymPy would look for one for a long time, in vain."""
    return Max(*args, evaluate=all(sympify(x).is_number for x in args))


def smallest(*args: Any) -> Any:
    """Min of expressions none of which is known to be the smallest."""
    return Min(*args, evaluate=all(sympify(x).is_number for x in args))


def _told(x: Any) -> Any:
    """``x``, the base of a power, of which SymPy need not find out for a long time what it would about a sum or a product.

    That is: no summand is infinite, no product imaginary, and the sign of a named function is not known. It would ask whenever
    the power comes into a product.
    """
    if x.is_Add:
        for y in x.args:
            _tell(y, infinite=False)
    elif x.is_Mul:
        _tell(x, imaginary=False)
        for y in x.args:
            if _unsigned(y):
                _tell(y, extended_real=None, extended_nonnegative=None)
    return x


def _unsigned(x: Any) -> bool:
    """Whether ``x`` is a named function, a power of one, or a sum or a power of a sum with such a term."""
    part = x.base if x.is_Pow else x
    if part.is_Add:
        return any(_unsigned(y) for term in part.args for y in sympy.Mul.make_args(term))
    return isinstance(part, Named | Rearranged)


def _tell(x: Any, **facts: bool | None) -> None:
    if x._assumptions is x.default_assumptions:
        x._assumptions = x.default_assumptions.copy()
    for name, known in facts.items():
        x._assumptions.setdefault(name, known)


def power(x: Any, exponent: Any) -> Any:
    """A power as it is: SymPy would ask for a long time, in vain, whether a factor is positive."""
    x = sympify(x)
    return Pow(_told(x), exponent, evaluate=x.is_number)


def sqrt(x: Any) -> Any:
    """The square root; of a product that of its positive symbols and numbers apart, as SymPy has it after many questions."""
    x = sympify(x)
    if x.is_Mul and not x.is_number:
        apart = [y for y in x.args if _is_simple(y) and y.is_positive]
        if apart:
            rest = sympy.Mul(*(y for y in x.args if y not in apart))
            return product(sympy.Mul(*(Pow(y, S.Half) for y in apart)), sqrt(rest))
    unknown = x.is_Add or (x.is_Pow and x.exp.is_Integer and isinstance(x.base, Named | Rearranged))  # its sign
    return power(x, S.Half) if unknown else Pow(_told(x), S.Half)


def product(*factors: Any) -> Any:
    """The product of factors none of which are powers of the same, as it is: SymPy would take every power once more."""
    return _unevaluated_Mul(*factors)


def _is_simple(x: Any) -> bool:
    return bool(x.is_Atom or (x.is_Pow and x.base.is_Atom and x.exp.is_Atom))


def exp(x: Any) -> Any:
    """The exponential; of what has no logarithm inside, or an extremum, as it is: SymPy would look for one."""
    x = sympify(x)
    return sympy.exp(x, evaluate=x.is_number or (x.has(sympy.log) and not x.has(Min, Max)))


def log(x: Any) -> Any:
    """log of an expression as it is: SymPy would ask whether it is zero."""
    return sympy.log(x, evaluate=x.is_number)


def log1p(x: Any) -> Any:
    """log(1 + x), as it is."""
    return cfunctions.log1p(x, evaluate=x.is_number)


def expm1(x: Any) -> Any:
    """exp(x) - 1, as it is."""
    return cfunctions.expm1(x, evaluate=x.is_number)


@lru_cache(maxsize=1024)
def unfolded(call: Named) -> Any:
    """The definition of a named function at its arguments."""
    return type(call).definition(*call.args)


class Named(Function):
    """A function with a name in the theory. ``sympy.expand_func`` replaces it by its definition."""

    is_finite, is_imaginary = True, False
    latex_name: ClassVar[str]
    subscript: ClassVar[bool] = False
    """Write the argument as a subscript: c_T instead of c(T)."""
    kernel: ClassVar[bool] = False
    """Evaluated by a numpy function of the same name instead of its definition."""
    primitive: ClassVar[bool] = False
    """Has no definition in elementary functions: every arithmetic computes it by a function of its own."""

    @classmethod
    def definition(cls, *args: Any) -> Any:
        raise TypeError(f"{cls.__name__} has no definition")

    def _eval_expand_func(self, **hints: Any) -> Any:
        return elementary(self)

    def _eval_evalf(self, prec: int) -> Any:
        # SymPy would look for a function of this name in mpmath, whose beta is another one
        exact = self.xreplace({x: sympy.Rational(x) for x in self.atoms(sympy.Float)})
        return elementary(exact).evalf(prec_to_dps(prec))

    def _mpmathcode(self, printer: Any) -> str:
        return f"({printer._print(elementary(self))})"

    def fdiff(self, argindex: int = 1) -> Any:
        return _slope(self, argindex)

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        args = [printer._print(x) for x in self.args]
        power = "" if exp is None else f"^{{{exp}}}"
        if self.subscript:
            return f"{self.latex_name}_{{{', '.join(args)}}}{power}"
        return rf"{self.latex_name}{power}\left({', '.join(args)}\right)"


_ARGUMENTS = tuple(sympy.Dummy("x", real=True) for _ in range(20))
"""What stands for the argument by which a derivative is taken; a definition has calls inside, a few deep."""


@lru_cache(maxsize=2048)
def _slope(call: Named, argindex: int) -> Any:
    """The derivative of a call by one of its arguments; a bound has the same calls in many places."""
    args = list(call.args)
    x = next(x for x in _ARGUMENTS if x not in call.free_symbols)  # the same ones, so that calls inside are met again
    args[argindex - 1] = x
    slope, at = derivative(plain(type(call).definition(*args)), x), call.args[argindex - 1]
    return slope.subs(x, at) if slope.has(sympy.Derivative) else exchanged(slope, {x: at})


@lru_cache(maxsize=8192, typed=True)
def derivative(expr: Any, x: Any) -> Any:
    """The derivative of an expression by a symbol, as :func:`sympy.diff` has it.

    That asks of every part of a sum and a product whether its derivative is zero, and looks through it for derivatives that are
    not carried out.
    """
    if expr.is_Add:
        return expr.func(*(derivative(y, x) for y in expr.args))
    if expr.is_Mul:
        slopes = [derivative(y, x) for y in expr.args]
        rows = ((*expr.args[:i], y, *expr.args[i + 1 :]) for i, y in enumerate(slopes) if y is not S.Zero)
        return sympy.Add(*(sympy.Mul(*row) for row in rows))
    if expr.is_Pow:
        base, exponent = derivative(expr.base, x), derivative(expr.exp, x)
        grown = S.Zero if exponent is S.Zero else exponent * sympy.log(expr.base)
        return expr * (grown + base * expr.exp / expr.base)
    if isinstance(expr, Rearranged):
        return derivative(expr.args[0], x)
    if type(expr)._eval_derivative is Function._eval_derivative and not expr.is_Derivative:
        slopes = [derivative(y, x) for y in expr.args]
        return sympy.Add(*(expr.fdiff(i) * y for i, y in enumerate(slopes, 1) if y is not S.Zero))
    return expr.diff(x)


def named(latex_name: str, *, subscript: bool = False, kernel: bool = False) -> Callable[[Callable[..., Any]], Any]:
    """Make a definition the :class:`Named` function of its name: ``c(t)`` stays ``c(t)`` until somebody unfolds it."""

    def made(definition: Callable[..., Any]) -> Any:
        content = {
            "__doc__": definition.__doc__,
            "__module__": definition.__module__,
            "latex_name": latex_name,
            "subscript": subscript,
            "kernel": kernel,
            "definition": staticmethod(definition),
        }
        kind: Any = type(Named)
        return kind(definition.__name__, (Named,), content)

    return made


def _replace(expr: Any, rule: Any) -> Any:
    """Rebuild ``expr`` bottom up, giving each node to ``rule``, and each part once."""
    known: dict[Any, Any] = {}

    def new(part: Any) -> Any:
        if not part.args:
            return part
        if part not in known:
            args = [new(x) for x in part.args]
            changed = any(x is not y for x, y in zip(args, part.args, strict=True))
            known[part] = rule(part.func(*args) if changed else part)
        return known[part]

    return new(expr)


def exchanged(expr: Any, values: Mapping[Any, Any]) -> Any:
    """What ``expr.xreplace(values)`` is, each part once and without what SymPy would ask on the way."""
    known = dict(values)

    def new(part: Any) -> Any:
        if part not in known:
            args = [new(x) for x in part.args]
            changed = any(x is not y for x, y in zip(args, part.args, strict=True))
            if changed and part.is_Pow:
                _told(args[0])
            known[part] = part.func(*args) if changed else part
        return known[part]

    return new(expr)


@lru_cache(maxsize=4096, typed=True)
def plain(expr: Any) -> Any:
    """The expression as it is read: every :class:`Rearranged` gives way to its first form."""
    return _replace(expr, lambda e: e.args[0] if isinstance(e, Rearranged) else e)


@lru_cache(maxsize=4096, typed=True)
def elementary(expr: Any) -> Any:
    """``expr`` in elementary functions, as defined."""

    def rule(e: Any) -> Any:
        if isinstance(e, Rearranged):
            return e.args[0]
        return elementary(unfolded(e)) if isinstance(e, Named) and not e.primitive else e

    return _replace(expr, rule)
