"""Named functions: definitions against their rearranged forms, kernels against mpmath, decimals against directed rounding."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import flint
import mpmath
import numpy as np
import pytest
import sympy
from sympy.codegen.cfunctions import expm1

import cmbound
from cmbound.arithmetic import approximate, certified, codegen
from cmbound.theory import functions, named
from cmbound.theory.formulas import outer_terms
from cmbound.theory.grids import FORMULAS
from cmbound.theory.named import Named, Rearranged, elementary, plain
from cmbound.theory.notation import TABLE
from cmbound.theory.profiles import PROFILES
from cmbound.theory.variants import CLOCKS, STARTS, TEACHERS
from tests import oracle, oracle_sharp as sharp

RNG = np.random.default_rng(3)


def _rearranged_forms() -> list[Any]:
    """Every pair of forms that occurs anywhere in the package."""
    exprs: list[Any] = [*STARTS.values(), *FORMULAS.values(), *(x.score for x in TEACHERS.values())]
    for profile in PROFILES.values():
        for rules in profile.rules.values():
            for rule in rules:
                exprs += [*rule.expressions, *([] if rule.free is None else [rule.free.slope])]
    for theorem in cmbound.catalogue:
        exprs += [x.expression for x in outer_terms(theorem, "p_data", "standard", CLOCKS["ou"], theorem.bare_sources)]
    found: set[Any] = set()
    queue, seen = exprs, set()
    while queue:
        expr = queue.pop()
        for node in sympy.preorder_traversal(expr):
            if isinstance(node, Rearranged):
                found.add(node)
            if isinstance(node, Named) and not node.kernel and not node.primitive and node not in seen:
                seen.add(node)
                queue.append(type(node).definition(*node.args))
    return sorted(found, key=str)


def _number(name: str, rng: np.random.Generator) -> Any:
    ranges = {"a": (1e-6, 2.0), "delta": (1e-6, 0.1), "b": (2.1, 6.0), "T": (2.1, 6.0), "t": (2.1, 6.0), "h": (1e-6, 0.5)}
    ranges |= {
        "tau": (0.0, 0.99),
        "t_star": (0.0, 0.0),
        "L_s": (1.5, 1e4),
        "j": (1, 9),
        "N": (10, 20),
        "rho": (3, 9),
        "d": (1, 10),
        "M": (0.0, 10.0),
        "L_os": (0.0, 1e3),
        "nu": (1.0, 1e6),
    }
    low, high = ranges.get(name, (0.1, 10.0))
    value = rng.uniform(low, high)
    return sympy.Integer(int(value)) if name in ("j", "N", "d", "k") else sympy.Rational(Fraction(float(value)))


def _function(expr: Any) -> Callable[[dict[Any, Any]], Any]:
    """In mpmath, of exact values by symbol."""
    expr = expr.doit()
    symbols = sorted(expr.free_symbols, key=str)
    modules = [{"Max": max, "Min": min, "log1p": mpmath.log1p, "expm1": mpmath.expm1}, "mpmath"]
    function = sympy.lambdify(symbols, expr, modules=modules)
    return lambda values: function(*(mpmath.mpf(values[x].p) / values[x].q for x in symbols))


def _second(node: Any) -> Any:
    """The form for float64 in elementary functions."""
    expr = node.replace(Rearranged, lambda first, second: second)
    while expr.atoms(Named):
        expr = expr.replace(lambda e: isinstance(e, Named), lambda e: type(e).definition(*e.args))
        expr = expr.replace(Rearranged, lambda first, second: second)
    return expr


@pytest.mark.parametrize("node", _rearranged_forms(), ids=lambda x: str(plain(x))[:60])
def test_both_forms_are_equal(node: Any) -> None:
    both = _function(elementary(node)), _function(_second(node))
    for _ in range(4):
        values = {x: _number(x.name, RNG) for x in node.free_symbols}
        with mpmath.workdps(80):
            first, second = (function(values) for function in both)
            assert abs(first - second) <= mpmath.mpf(10) ** -60 * (abs(first) + mpmath.mpf(10) ** -15)


def test_unequal_forms_would_be_noticed() -> None:
    x = TABLE["t"].symbol
    wrong = named.rearranged(1 - functions.s(x), functions.c(x) ** 2 / (1 - functions.s(x)))
    with mpmath.workdps(80):
        values = {x: sympy.Rational(5, 2)}
        assert abs(_function(elementary(wrong))(values) - _function(_second(wrong))(values)) > 1e-3


def _mp(name: str, x: float) -> Any:
    with mpmath.workdps(120):
        y = mpmath.mpf(x)
        return {
            "g": lambda: (mpmath.exp(y) - 1 - y) / y,
            "kappa_h": lambda: mpmath.sqrt((mpmath.exp(2 * y) - 4 * mpmath.exp(y) + 3 + 2 * y) / (2 * y)),
            "rho_squared": lambda: (mpmath.exp(y) - mpmath.exp(-y) - 2 * y) / (mpmath.exp(y) - 1),
            "chi_squared": lambda: sharp.chi(mpmath.exp(y)) ** 2,
            "rho_h_squared": lambda: sharp.rho_heun(mpmath.exp(y)) ** 2,
            "chi_h_squared": lambda: sharp.chi_heun(mpmath.exp(y)) ** 2,
        }[name]()


@pytest.mark.parametrize("name", ["g", "kappa_h", "rho_squared", "chi_squared", "rho_h_squared", "chi_h_squared"])
def test_kernels_keep_all_digits(name: str) -> None:
    """From h = 1e-12 to h = 20, at both sides of the change from series to closed form, as array and as scalar."""
    ends = [x * y for x in (0.5, 1.0, 1.5) for y in (0.9998, 1.0, 1.0002)]
    points = np.concatenate([10.0 ** np.linspace(-12, 1.3, 200), np.array(ends)])
    values = getattr(approximate, name)(points)
    for x, value in zip(points, values, strict=True):
        exact = _mp(name, float(x))
        assert abs(value - exact) <= 4e-15 * exact, x
        assert abs(float(getattr(approximate, name)(float(x))) - exact) <= 4e-15 * exact
    assert getattr(approximate, name)(0.0) == 0.0


def cube_of_a_step(x: Any) -> Any:
    """The energy of one step with the weight of lam^3, as :func:`functions.heun_cube` has it in float64."""
    return functions.heun_cube(named.rearranged(1 - sympy.exp(-x), -expm1(-x)), sympy.exp(-x))


KERNELS: dict[Any, Any] = {
    functions.chi_squared: lambda r: sharp.chi(r) ** 2,
    functions.rho_h_squared: lambda r: sharp.rho_heun(r) ** 2,
    functions.chi_h_squared: lambda r: sharp.chi_heun(r) ** 2,
    functions.rho_squared: lambda r: oracle.rho(r) ** 2,
    functions.trapezoid_energy: lambda r: sharp.T4(r),
    cube_of_a_step: lambda r: sharp.cube_heun(r) ** 2,
}


@pytest.mark.parametrize("function", KERNELS, ids=["chi", "rhoH", "chiH", "rho", "T4", "cubeH"])
def test_kernels_of_a_step_near_one_and_far(function: Any) -> None:
    """r - 1 from 1e-9 on and r up to e^20, both tiers."""
    x = sympy.Symbol("x", positive=True)
    for log_r in (Fraction(1, 10**9), Fraction(1, 10**4), Fraction(1, 7), Fraction(1), Fraction(3), Fraction(20)):
        with mpmath.workdps(120):
            exact = KERNELS[function](mpmath.exp(mpmath.mpf(log_r.numerator) / log_r.denominator))
            with certified.precision(300):
                ball = certified.compile((plain(function(x)),), (x,))(certified.number(log_r))[0]
                found = mpmath.mpf(ball.mid().str(60, radius=False))
                # x^5 at 1e-9 takes 45 of the 90 digits
                assert abs(found - exact) <= mpmath.mpf(10) ** -30 * exact
                assert ball.rel_accuracy_bits() > 100
            value = float(approximate.compile((function(x),), (x,))(float(log_r))[0])
            assert abs(value - exact) <= 1e-14 * exact, log_r


@pytest.mark.parametrize("k", [0, 1, 2, 3])
def test_sums_over_eigenvalues(k: int) -> None:
    """As defined, near x = 0 and far, with a shift that takes some of them out; one number, an array, and balls."""
    eigenvalues = [Fraction(0), Fraction(1, 10**12), Fraction(1, 7), Fraction(5, 2), Fraction(10**6)]
    for x in (Fraction(1, 10**12), Fraction(1, 3), Fraction(10**9)):
        for shift in (Fraction(0), Fraction(1, 7), Fraction(1)):
            above = [max(Fraction(0), y - shift) for y in eigenvalues]
            with mpmath.workdps(60):
                terms = [mpmath.mpf(y.numerator) / y.denominator for y in above]
                at = mpmath.mpf(x.numerator) / x.denominator
                exact = sum(mpmath.log(1 + y * at) if k == 0 else (y / (1 + y * at)) ** k for y in terms)
                values = np.array([float(y) for y in eigenvalues])
                found = approximate.spectral(k, float(x), float(shift), values)
                assert abs(float(found) - exact) <= 1e-14 * exact + mpmath.mpf(10) ** -300
                both = approximate.spectral(k, np.array([float(x), 2.0]), float(shift), values)
                assert both.shape == (2,)
                assert both[0] == found
                with certified.precision(200):
                    numbers = [certified.number(y) for y in eigenvalues]
                    ball = certified.spectral(k, certified.number(x), certified.number(shift), numbers)
                    wanted = certified.number(Fraction(0))
                    for y in above:
                        z = certified.number(y)
                        wanted += (1 + z * certified.number(x)).log() if k == 0 else (z / (1 + z * certified.number(x))) ** k
                    assert ball.overlaps(wanted)
                    assert ball.is_zero() or ball.rel_accuracy_bits() > 100


def test_geometric_sum() -> None:
    for x in (0.0, 1e-300, 0.3, 1 - 1e-12, 1.0, 1 + 1e-12, 2.5):
        for n in (0, 1, 2, 7, 50):
            exact = sum(Fraction(x) ** i for i in range(n))
            assert float(approximate.geometric_sum(x, n)) == pytest.approx(float(exact), rel=1e-13)
            with certified.precision(200):
                ball = certified.geometric_sum(certified.number(Fraction(x)), certified.number(n))
                assert ball.contains(certified.number(exact))


def test_named_functions_unfold_and_differentiate() -> None:
    a, b = TABLE["a"].symbol, TABLE["b"].symbol
    assert sympy.expand_func(functions.c(a)) == sympy.exp(-a)
    slope = functions.J(a, b).diff(a)
    numeric = (functions.J(a + sympy.Rational(1, 10**10), b) - functions.J(a, b)) * 10**10
    point = {a: sympy.Rational(1, 3), b: 2}
    assert float(elementary(slope).subs(point)) == pytest.approx(float(elementary(numeric).subs(point).evalf(40)), rel=1e-8)
    assert "s_{T}" in sympy.latex(functions.s(TABLE["T"].symbol))


@pytest.mark.parametrize(
    "value", [Fraction(1, 3), Fraction(2, 3) * 10**30, Fraction(1, 7**400), Fraction(5), Fraction(-1, 3), Fraction(10) ** 40]
)
@pytest.mark.parametrize("digits", [3, 17, 60])
def test_decimals_are_directed(value: Fraction, digits: int) -> None:
    with certified.precision(300):
        ball = certified.number(value)
    low, high = certified.decimal(ball, digits, up=False), certified.decimal(ball, digits, up=True)
    assert Fraction(low) <= value <= Fraction(high)
    assert Fraction(high) - Fraction(low) <= abs(value) * Fraction(10) ** (1 - digits)


@pytest.mark.parametrize(("sign", "low", "high"), [(1, "0", "1e-900000"), (-1, "-1e-900000", "0")])
def test_decimals_of_what_is_too_small_to_be_shown(sign: int, low: str, high: str) -> None:
    ball = sign * flint.arb(2) ** -4_000_000
    assert [certified.decimal(ball, 6, up=x) for x in (False, True)] == [Decimal(low), Decimal(high)]


def test_float_up_rounds_up() -> None:
    for text in ("0.1", "1e-320", "3", "1.7976931348623157e308", "0.30000000000000004"):
        up = certified.float_up(Decimal(text))
        assert Decimal(up) >= Decimal(text)
        assert Decimal(float(np.nextafter(up, -np.inf))) < Decimal(text)
    with pytest.raises(cmbound.DomainError, match="largest float64"):
        certified.float_up(Decimal("1e309"))


def test_balls_choose_no_branch() -> None:
    """Max of overlapping balls encloses both, where a comparison would pick one."""
    x, y = sympy.symbols("x y")
    function = certified.compile((sympy.Max(x, y),), (x, y))
    left, right = flint.arb(1, 0.5), flint.arb(1.25, 0.5)
    value = function(left, right)[0]
    assert value.contains(flint.arb(1.75))
    assert value.contains(flint.arb(1))


def test_what_is_exchanged_is_what_sympy_would_exchange() -> None:
    """Every rule, with other constants in the place of its own."""
    values = {x.symbol: y for x, y in ((TABLE["m2"], TABLE["sd2"].symbol), (TABLE["R"], TABLE["diameter"].symbol / 2))}
    rules = [rule for profile in PROFILES.values() for teacher in profile.rules for rule in profile.rules[teacher]]
    exprs = [x for rule in rules for x in (*rule.expressions, *rule.breakpoints)]
    assert [named.exchanged(x, values) for x in exprs] == [x.xreplace(values) for x in exprs]
    assert any(x.has(*values) for x in exprs)


def test_no_sign_is_looked_for_in_roots_of_sums_and_products(monkeypatch: pytest.MonkeyPatch) -> None:
    """SymPy answers by asking about all the parts, for a long time: about what a bound is made of it need not."""
    t, x = TABLE["t"].symbol, functions.lam(TABLE["t"].symbol)
    total = 3 * x**2 / (1 + t * x) + 5 / x
    product = (7 + t * x) * (x + 1 / x)
    asked: list[Any] = []
    for kind, fact in ((sympy.Mul, "infinite"), (sympy.Mul, "imaginary")):
        monkeypatch.setitem(kind._prop_handler, fact, asked.append)
    for base in (total, product):
        for expr in (t * named.sqrt(base), named.power(base, 3) / x, named.exchanged(x * named.sqrt(base), {t: 2 * t})):
            assert expr.is_Mul
    assert asked == []


def test_generated_code_lets_go_of_what_it_does_not_need() -> None:
    """Every variable but those that are returned is deleted once, after it was used for the last time."""
    t, x = sympy.symbols("t x", positive=True)
    function = codegen.function((sympy.exp(t) * (1 + sympy.sqrt(1 + t)), sympy.log(1 + t) + x), (t, x), approximate._dialect())
    _, *lines, last = str(function.__doc__).splitlines()
    made = [line.split(" = ")[0].strip() for line in lines if " = " in line]
    gone = [name for line in lines if line.strip().startswith("del ") for name in line.strip()[4:].split(", ")]
    assert sorted(gone) == sorted(x for x in made if x not in last)
    assert function(np.array([1.0, 2.0]), 0.0)[1] == pytest.approx(np.log([2.0, 3.0]))
