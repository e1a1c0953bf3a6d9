"""The float64 tier: expressions become vectorised numpy functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import sympy
from sympy.printing.numpy import NumPyPrinter

from cmbound.functions import stable
from cmbound.numerics.integrals import extract

Array = npt.NDArray[np.float64]


def _series(coefficients: Sequence[float], x: Array) -> Array:
    total = np.full_like(x, coefficients[-1])
    for value in coefficients[-2::-1]:
        total *= x
        total += value
    return np.asarray(total)


def _with_series(x: Any, bound: float, coefficients: Sequence[float], closed: Callable[[Array], Array]) -> Array:
    """The power series where abs(x) <= bound, the closed form elsewhere."""
    x = np.asarray(x, dtype=np.float64)
    small: npt.NDArray[np.bool_] = np.abs(x) <= bound
    if small.all():
        return _series(coefficients, x)
    if not small.any():
        return closed(x)
    out: Array = np.empty_like(x)
    out[small] = _series(coefficients, x[small])
    out[~small] = closed(x[~small])
    return out


def _taylor(term: Callable[[int], sympy.Rational], first: int, last: int) -> tuple[float, ...]:
    return tuple(float(term(n)) for n in range(first, last))


_factorial = sympy.factorial
_G = (0.0, *_taylor(lambda n: 1 / _factorial(n + 1), 1, 17))
_KAPPA = (0.0, *_taylor(lambda n: (sympy.Integer(2) ** (n + 2) - 4) / _factorial(n + 2) / 2, 1, 24))
_SINH = _taylor(lambda n: sympy.Integer(2) / _factorial(2 * n + 3), 0, 11)


def g(h: Any) -> Array:
    """(e^h - 1 - h)/h."""
    return _with_series(h, 0.5, _G, lambda x: (np.expm1(x) - x) / x)


def kappa_h(h: Any) -> Array:
    """((e^{2h} - 4 e^h + 3 + 2h)/(2h))^{1/2}."""

    def closed(x: Array) -> Array:
        return np.asarray(np.sqrt((np.expm1(2 * x) - 4 * np.expm1(x) + 2 * x) / (2 * x)))

    def series(x: Array) -> Array:
        return x * np.sqrt(_series(_KAPPA[1:], x))

    x = np.asarray(h, dtype=np.float64)
    return np.asarray(np.where(x <= 0.5, series(np.minimum(x, 0.5)), closed(np.maximum(x, 0.5))))


def rho_squared(x: Any) -> Array:
    """(e^x - e^{-x} - 2x)/(e^x - 1)."""
    x = np.asarray(x, dtype=np.float64)
    low, high = np.minimum(x, 1.0), np.maximum(x, 1.0)
    with np.errstate(invalid="ignore"):
        ratio = np.where(low > 0, low / np.expm1(np.where(low > 0, low, 1.0)), 1.0)
    small = _series(_SINH, low * low) * low * low * ratio
    large = (np.expm1(high) - np.expm1(-high) - 2 * high) / np.expm1(high)
    return np.asarray(np.where(x <= 1.0, small, large))


def geometric_sum(x: Any, n: Any) -> Array:
    """1 + x + ... + x^(n-1) for x >= 0."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        logx = np.log(np.asarray(x, dtype=np.float64))
        n = np.asarray(n, dtype=np.float64)
        value = np.expm1(n * logx) / np.expm1(logx)
    return np.asarray(np.where(n == 0, 0.0, np.where(logx == 0, n, value)))


def _cube(x: Any) -> Any:
    return x * x * x


class _Printer(NumPyPrinter):
    """Small powers as products and roots, which numpy computes faster than ``**``."""

    def _print_Max(self, expr: Any) -> str:
        return self._nested("numpy.maximum", expr.args)

    def _print_Min(self, expr: Any) -> str:
        return self._nested("numpy.minimum", expr.args)

    def _nested(self, name: str, args: Sequence[Any]) -> str:
        text = self._print(args[0])
        for arg in args[1:]:
            text = f"{self._module_format(name)}({text}, {self._print(arg)})"
        return str(text)

    def _print_Pow(self, expr: Any, rational: bool = False) -> str:
        base, power = expr.args
        body = self._print(base)
        if power.is_Rational:
            sign, size = (power < 0), abs(power)
            root = {1: body, 2: f"sqrt({body})", 4: f"sqrt(sqrt({body}))"}.get(int(size.q))
            times = int(size.p)
            if root is not None and times <= 6:
                text = {1: f"({root})", 2: f"square({root})", 3: f"cube({root})"}.get(times)
                if text is None:
                    text = f"({root})**{times}" if times == 5 else f"square({'square' if times == 4 else 'cube'}({root}))"
                return f"(1.0/{text})" if sign else text
        return str(super()._print_Pow(expr, rational=rational))


_NAMESPACE: dict[str, Any] = {
    "sqrt": np.sqrt,
    "square": np.square,
    "cube": _cube,
    "g": g,
    "kappa_h": kappa_h,
    "rho_squared": rho_squared,
    "geometric_sum": geometric_sum,
}


def _lambdify(symbols: Sequence[Any], expr: Any) -> Callable[..., Any]:
    printer = _Printer(
        {
            "fully_qualified_modules": False,
            "inline": True,
            "allow_unknown_functions": True,
            "user_functions": {name: name for name in ("g", "kappa_h", "rho_squared", "geometric_sum")},
        }
    )
    function: Callable[..., Any] = sympy.lambdify(symbols, expr, modules=[_NAMESPACE, "numpy"], printer=printer, cse=True)
    return function


_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(20)
_PIECES = 32


def _quadrature(body: Callable[..., Any], ends: Sequence[Any], others: Sequence[Any]) -> Array:
    """Integral of body(t, *others) over [ends[0], ends[1]], by Gauss-Legendre in log t on 32 pieces."""
    low, high = (np.asarray(x, dtype=np.float64) for x in ends)
    width = np.log(high / low) / _PIECES
    total = np.zeros(np.broadcast(low, high).shape)
    for piece in range(_PIECES):
        for node, weight in zip(_NODES, _WEIGHTS, strict=True):
            t = low * np.exp(width * (piece + (node + 1) / 2))
            total = total + weight / 2 * width * t * body(t, *others)
    return np.asarray(total)


@lru_cache(maxsize=512)
def compile(exprs: tuple[Any, ...], symbols: tuple[Any, ...]) -> Callable[..., list[Any]]:
    """A numpy function of ``symbols`` (arrays that broadcast) returning the list of values of ``exprs``."""
    bare, integrals = extract([stable(e) for e in exprs])
    main = _lambdify((*symbols, *(i.name for i in integrals)), bare)
    parts = [(_lambdify((i.variable, *symbols), i.body), _lambdify(symbols, [i.low, i.high])) for i in integrals]

    def function(*given: Any) -> list[Any]:
        values = [float(x) if isinstance(x, int) else x for x in given]
        with np.errstate(divide="ignore", over="ignore", invalid="ignore", under="ignore"):
            extra = [_quadrature(body, ends(*values), values) for body, ends in parts]
            result: list[Any] = main(*values, *extra)
            return result

    return function
