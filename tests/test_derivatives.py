"""Derivatives of every bound by every parameter against differences of its certified value; what SymPy users write first."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from functools import cache, partial
from typing import Any

import numpy as np
import pytest
import sympy
from sympy import Derivative, Rational, Symbol
from sympy.core.function import ArgumentIndexError

import cmbound
from cmbound.arithmetic import certified
from cmbound.errors import CmboundError, InputError, UnknownNameError
from cmbound.evaluation.expressions import ByName, by_name
from cmbound.theory import functions, named
from cmbound.theory.functions import beta, c, g, geometric_sum
from cmbound.theory.named import Named
from cmbound.theory.notation import TABLE, L_f, T, d, delta, eps_cm, eps_sc, h, k, m2, t, t_hat, t_prev
from cmbound.theory.profiles import PROFILES
from cmbound.theory.rules import Profile
from cmbound.theory.variants import ConsistencySum, LocalErrorSum, Placeholder, ScheduleSum, ScoreSum, StartGap, visible_symbols
from tests.settings import draw, ei_options

ONE_STEP = cmbound.theorem("explicit-one-step")
POINT: dict[str, Any] = {"eps_sc": "0.01", "eps_cm": "0.02", "L_f": 2, "d": 3, "m2": "3/2", "T": 5, "delta": "1e-3", "h": "1e-3"}
DIGITS = 60


def cases() -> Iterator[tuple[str, str | None]]:
    for theorem in cmbound.catalogue:
        if theorem.evaluable:
            for options in ei_options(theorem, draw(np.random.default_rng(5))):
                yield theorem.id, options.get("profile")


CASES = list(dict.fromkeys(cases()))


def _setting(id: str, profile: str | None) -> dict[str, Any]:
    theorem = cmbound.theorem(id)
    found = next(x for x in ei_options(theorem, draw(np.random.default_rng(5))) if x.get("profile") == profile)
    return {name: x if isinstance(x, str) else Fraction(x).limit_denominator(10**6) or Fraction(x) for name, x in found.items()}


def _ball(expr: Any, values: dict[Any, Fraction]) -> Any:
    """An enclosure of ``expr`` to about 100 digits; steps of a Heaviside function are decided first."""
    if expr.has(sympy.Heaviside):
        expr = expr.replace(sympy.Heaviside, lambda x, *rest: _step(_ball(x, values)))
    symbols = tuple(sorted(expr.free_symbols, key=str))
    with certified.precision(400):
        return certified.compile((named.plain(expr),), symbols)(*(certified.number(values[x]) for x in symbols))[0]


def _counted(expr: Any, count: dict[Any, Any]) -> Any:
    """With the number of evaluations put in, and sums added up."""
    expr = expr.subs(count)
    return expr.doit() if expr.has(sympy.Sum) else expr


def _step(x: Any) -> Any:
    """Heaviside's function."""
    return Rational(1, 2) if x == 0 else sympy.Integer(x > 0)


def _value(theorem: Any, point: dict[str, Any]) -> Any:
    with certified.precision(400):
        return certified.number(Fraction(theorem.evaluate(**point, digits=DIGITS).lower))


def _of_weights(values: dict[Any, Fraction]) -> dict[Any, Fraction]:
    """What follows from the number of points with equal weights (the entropy to float64)."""
    count = values.get(TABLE["n_atoms"].symbol)
    return {} if count is None else {TABLE["nu"].symbol: count, TABLE["entropy"].symbol: Fraction(math.log(count))}


def _is_shown(profile: str | None) -> bool:
    """Whether an evaluation is the closed form that is shown; others take the best path of several stretches or rules."""
    return profile is None or PROFILES[profile].acceleration is not None


@pytest.mark.parametrize(("id", "profile"), CASES)
def test_every_derivative_is_the_limit_of_differences(id: str, profile: str | None) -> None:
    theorem, point = cmbound.theorem(id), _setting(id, profile)
    options = {} if profile is None else {"profile": profile}
    bound = sympy.Add(*(x.expression for x in theorem.formula(**options)))
    values = {TABLE["t_star"].symbol: Fraction(0), TABLE["tau"].symbol: Fraction(0)}
    values |= {TABLE[name].symbol: x for name, x in point.items() if isinstance(x, Fraction)}
    count = {k: sympy.Integer(int(values[k]))} if k in values else {}
    values |= _of_weights(values)
    shown, counted = _is_shown(profile), _counted(bound, count)
    with certified.precision(400):
        whole = _ball(counted, values)
        assert _value(theorem, point) <= whole * (1 + certified.number(Fraction(1, 10**50)))
    tried = 0
    for name, x in point.items():
        symbol = TABLE[name].symbol if name in TABLE else None
        if symbol not in bound.free_symbols or symbol == k or x == 0:
            continue
        if name == "N" and bound.has(geometric_sum):  # it counts the terms of a sum
            continue
        step = x * Fraction(1, 10**15)
        if not shown or TABLE[name].domain.integer:
            low, high = (_ball(counted, {**values, symbol: y}) for y in (x - step, x + step))
        else:
            low, high = (_value(theorem, {**point, name: y}) for y in (x - step, x + step))
        slope = _ball(_counted(theorem.diff(name, **options), count), values)
        with certified.precision(400):
            difference = (high - low) / (2 * certified.number(step))
            assert abs(slope - difference) <= abs(difference) * 1e-12 + 1e-25, name
        tried += 1
    assert tried


def _exact(given: dict[str, float]) -> dict[Any, Fraction]:
    return {TABLE[name].symbol: Fraction(x) for name, x in given.items()}


@pytest.mark.parametrize(("id", "profile"), CASES)
def test_lambdify_agrees_with_approximate(id: str, profile: str | None) -> None:
    theorem, point = cmbound.theorem(id), _setting(id, profile)
    options = {} if profile is None else {"profile": profile}
    exact = {TABLE[name].symbol: x for name, x in point.items() if isinstance(x, Fraction)}
    values = {x.name: float(y) for x, y in (exact | _of_weights(exact)).items()} | {"t_star": 0.0}
    symbols = visible_symbols(sympy.Add(*(x.expression for x in theorem.formula(**options))))
    names = {"n_atoms" if x.name == "entropy" else x.name for x in symbols}
    given = {name: values.get(name, 0.0) for name in names}
    found = theorem.lambdify(*given, **options)
    arrays = {name: np.array([x]) for name, x in values.items() if name not in ("t_star", "nu", "entropy")}
    expected = theorem.approximate(**arrays, **options).total[0]
    assert found(*given.values()) == pytest.approx(expected, rel=1e-12)
    assert found(**{name: np.array([x, x]) for name, x in given.items()}) == pytest.approx([expected] * 2, rel=1e-12)


INSTEAD: tuple[tuple[str, dict[str, Any]], ...] = (
    ("second-moment", {"sd2": 1}),
    ("bounded-integrated", {"R": 2, "sd2": 1}),
    ("bounded-integrated", {"R": 2, "diameter": 3}),
    ("bounded-integrated", {"R": 2, "d_eff": 2}),
    ("smoothed-integrated", {"R": 2, "tau": "1/2", "sd2": 2}),
    ("atoms", {"R": 2, "n_atoms": 9, "diameter": 3}),
    ("atoms", {"R": 2, "n_atoms": 2, "sd2": 2}),
)


@pytest.mark.parametrize(("profile", "given"), INSTEAD, ids=str)
def test_what_is_given_instead_enters_as_in_an_evaluation(profile: str, given: dict[str, Any]) -> None:
    point = {"L_f": 2, "eps_sc": 0, "eps_cm": 0, "d": 3, "m2": 3, "T": 4, "delta": "1/50", "h": "1/10", "profile": profile}
    value = ONE_STEP.approximate(**point, **given).total
    assert float(ONE_STEP.substitute(**point, **given).evalf(30)) == pytest.approx(value, rel=1e-12)
    name, number = given.popitem()
    assert ONE_STEP.lambdify(name, **point, **given)(number) == pytest.approx(value, rel=1e-12)
    if TABLE[name].symbol not in ONE_STEP.substitute(profile=profile).free_symbols:
        assert TABLE[name].symbol in ONE_STEP.diff(name, profile=profile).free_symbols


def test_lists_and_what_the_entropy_stands_for_are_no_silent_zero() -> None:
    atoms = ONE_STEP.substitute(profile="atoms")
    mistakes: tuple[Callable[[str], Any], ...] = (atoms.diff, partial(sympy.diff, atoms), lambda name: atoms.subs({name: 5}))
    for mistake in mistakes:
        with pytest.raises(InputError, match="entropy stands for n_atoms"):
            mistake("n_atoms")
    for verb in (ONE_STEP.substitute, ONE_STEP.lambdify):
        with pytest.raises(InputError, match="cov_eigs: a list"):
            verb(profile="second-moment", cov_eigs=[1, 2])


def _named() -> list[type[Named]]:
    return [x for x in vars(functions).values() if isinstance(x, type) and issubclass(x, Named) and x is not Named]


ARGUMENTS = {"tv_drift": (2, 3, 4, 1), "B": (5, 2, 4), "clipped_log": (3, Rational(1, 9), 2), "P": (3, Rational(1, 9), 2)}
ARGUMENTS |= {"Q": (3, Rational(1, 99), Rational(1, 9), 2), "J": (Rational(1, 3), 2), "I3": (Rational(1, 3), 2)}
ARGUMENTS |= {"v": (Rational(1, 3), 2), "steering": (2, 3, 4, Rational(1, 5))}
ARGUMENTS |= {"corrector_information": (1, 2, 3, 4, 5, Rational(1, 6)), "tv_energy": (3, 4, 5)}
ARGUMENTS |= {name: (Rational(2, 3), 5, 3) for name in ("information", "mmse")}
ARGUMENTS |= {"hessian_excess": (7, Rational(1, 20), 2), "relative_energy": (7, 5, 3, Rational(1, 20))}
ARGUMENTS |= {"one_sided_energy": (7, 5, 3, Rational(1, 20)), "one_sided_excess": (7, 5, 3, Rational(1, 20), 2)}
ARGUMENTS |= {"trace_bound": (9, 2, 5, Rational(1, 2)), "atoms_energy": (9, 2, 5, Rational(1, 2), 3)}


@pytest.mark.parametrize("kind", [x for x in _named() if not x.primitive], ids=lambda x: x.__name__)
def test_every_named_function_has_its_derivative(kind: type[Named]) -> None:
    """But for primitive ones: :func:`test_sums_over_eigenvalues_have_their_derivative`."""
    at = [sympy.sympify(x) for x in ARGUMENTS.get(kind.__name__, (Rational(7, 5),))]
    if kind is geometric_sum:
        at = [Rational(7, 5), sympy.Integer(6)]
    symbols = sympy.symbols(f"x:{len(at)}", positive=True)
    values, step = {x: Fraction(int(y.p), int(y.q)) for x, y in zip(symbols, at, strict=True)}, Fraction(1, 10**15)
    count = {symbols[1]: at[1]} if kind is geometric_sum else {}  # a number of terms
    for x in symbols[: 1 if kind is geometric_sum else None]:
        for inner in (x, x + x**2):
            call = kind(*(inner if y == x else y for y in symbols)).subs(count)
            low, high = (_ball(call, {**values, x: values[x] + s}) for s in (-step, step))
            slope = _ball(_counted(named.derivative(call, x), {}), values)
            with certified.precision(400):
                difference = (high - low) / (2 * certified.number(step))
                assert abs(slope - difference) < 1e-14 * (1 + abs(slope)), (x, inner)


@pytest.mark.parametrize("power", [0, 1, 2])
def test_sums_over_eigenvalues_have_their_derivative(power: int) -> None:
    """By the place the noise level is in; the list itself is no variable."""
    x, eigenvalues = TABLE["t"].symbol, TABLE["cov_eigs"].symbol
    call = functions.spectral(power, x**2, Rational(1, 10), eigenvalues)
    slope = sympy.diff(call, x)
    given = [Fraction(0), Fraction(1, 3), Fraction(7)]
    with certified.precision(400):

        def at(expr: Any, time: Fraction) -> Any:
            numbers = [certified.number(y) for y in given]
            return certified.compile((expr,), (x, eigenvalues))(certified.number(time), numbers)[0]

        step, time = Fraction(1, 10**30), Fraction(3, 4)
        difference = (at(call, time + step) - at(call, time - step)) / (2 * certified.number(step))
        assert abs(at(slope, time) - difference) < 1e-25
    with pytest.raises(ArgumentIndexError):
        call.fdiff(4)


# --- place-holders --------------------------------------------------------------------------------------------------


def test_a_place_holder_depends_on_what_it_stands_for() -> None:
    expr = ONE_STEP.expression
    held = LocalErrorSum(T)
    for name in ("L_f", "d", "h", "delta", "T", "m2", "L_s", "R", "sd2", "L_os", "diameter", "M"):
        symbol = TABLE[name].symbol
        assert symbol in expr.free_symbols
        assert sympy.diff(expr, symbol).has(Derivative)
        assert sympy.diff(expr, symbol) - sympy.diff(expr - held, symbol) == sympy.diff(held, symbol)
    assert not sympy.diff(expr, eps_sc).has(Derivative)
    assert sympy.diff(ConsistencySum(T), eps_cm) == Derivative(ConsistencySum(T), eps_cm)
    assert sympy.diff(ScoreSum(T), L_f) != 0
    assert sympy.diff(StartGap(T), m2) != 0
    put_in = expr.subs(L_f, 2)
    assert L_f not in put_in.free_symbols
    assert "E_h(T; L_f = 2)" in str(put_in)
    assert put_in.subs(d, 3).has(Placeholder)
    assert sympy.limit(held, h, 0) != held
    assert str(held) == "E_h(T)"
    for theorem in cmbound.catalogue:
        assert pickle.loads(pickle.dumps(theorem.sources)) == theorem.sources


def test_put_in_numbers_come_out_where_the_quantity_is_written_out() -> None:
    from cmbound.theory.formulas import put

    half = ConsistencySum(T).subs(eps_cm, Rational(1, 2))
    assert put(half, ConsistencySum, lambda x: eps_cm * (x - delta)) == (T - delta) / 2
    whole = ScheduleSum(t_prev * t_hat * L_f)
    assert sympy.diff(whole, L_f) == ScheduleSum(t_prev * t_hat)
    assert sympy.diff(whole, t_hat).has(Derivative)
    fixed = {T: 5, t_hat: 2}
    assert whole.subs(fixed, simultaneous=True).at_fixed_time().subs(k, 3) == whole.at_fixed_time().subs({**fixed, k: 3})


# --- what is written first ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("id", ["explicit-one-step", "explicit-training", "lyu2023-lem7", "explicit-multistep"])
def test_names_and_plain_symbols_are_found(id: str) -> None:
    """sympy.diff(e, "L_f") gave 0: the table's symbol is not Symbol("L_f")."""
    theorem = cmbound.theorem(id)
    expr = theorem.expression
    for name, symbol in theorem.symbols.items():
        if symbol not in expr.free_symbols or name == "k":
            continue
        expected = sympy.diff(sympy.Add(*(x.expression for x in theorem.terms)), symbol)
        assert expected != 0
        ways = [sympy.diff(expr, x) for x in (name, Symbol(name), symbol)] + [theorem.diff(x) for x in (name, symbol)]
        assert all(x == expected for x in ways)
        assert expr.subs(name, 3) == expr.subs({Symbol(name): 3}) == expr.subs(symbol, 3) != expr
    for wrong in ("Lf", Symbol("L_g")):
        for ask in (sympy.diff, lambda e, x: e.subs(x, 1), lambda e, x: e.limit(x, 0), lambda e, x: e.series(x, 0, 1)):
            with pytest.raises(UnknownNameError, match="unknown parameter"):
                ask(expr, wrong)


def test_the_expression_is_the_sum_it_prints_as() -> None:
    expr = ONE_STEP.expression
    plain = sympy.Add(*(x.expression for x in ONE_STEP.terms))
    assert expr == plain
    assert plain == expr
    assert hash(expr) == hash(plain)
    assert str(expr) == str(plain)
    assert sympy.latex(expr) == sympy.latex(plain)
    assert expr - plain == 0
    assert pickle.loads(pickle.dumps(expr)) == expr
    assert by_name(L_f) is L_f
    assert by_name(L_f + h).limit("h", 0) == by_name(L_f + h).limit(Symbol("h"), 0) == sympy.limit(by_name(L_f + h), h, 0) == L_f
    with pytest.raises(InputError, match=r"theorem.symbols\['h'\]"):
        sympy.limit(by_name(L_f + h), Symbol("h"), 0)
    assert by_name(L_f * sympy.exp(h)).series("h", 0, 2) == sympy.series(L_f * sympy.exp(h), h, 0, 2)
    assert ONE_STEP.diff("L_f", "L_f") == sympy.diff(plain, L_f, 2)
    assert expr.diff(TABLE["N"].symbol) == expr.diff(TABLE["sigma_max"].symbol) == 0
    assert expr.subs({"N": 3, "d": 2}) == expr.subs("d", 2)
    first, bare = ONE_STEP.sources[0].expression, ONE_STEP.bare_sources[0].expression
    assert {sympy.diff(first, x) for x in ("L_f", Symbol("L_f"), L_f)} == {sympy.diff(bare, L_f)} != {0}
    assert cmbound.theorem("explicit-multistep").recursion[0].expression.diff("L_f") != 0
    again = replace(ONE_STEP, sources=ONE_STEP.sources)
    assert again == pickle.loads(pickle.dumps(ONE_STEP)) == ONE_STEP
    assert not any(isinstance(x.expression, ByName) for x in again.bare_sources)
    assert ONE_STEP.symbols.get("Lf") is None
    assert "Lf" not in ONE_STEP.symbols


@cache
def _handed_out() -> list[Any]:
    """Every kind of expression a user is given, and what its own methods and operators make of it."""
    found = [x.expression for x in (*ONE_STEP.terms, ONE_STEP.formula(profile="universal")[3])]
    found += [ONE_STEP.expression, ONE_STEP.substitute(profile="universal", d=2), ONE_STEP.diff("L_f", profile="universal")]
    one = ONE_STEP.terms[2].expression
    found += [one + 1, 1 + one, d - one, 2 * one, one / d, d / one, -one, one**2, 2**one, sympy.sqrt(one)]
    found += [
        one.subs("h", "T/100"),
        one.diff("eps_sc"),
        one.doit(),
        sympy.expand(one),
        one.xreplace({"h": delta}),
        one.coeff("L_f"),
    ]
    found += [sympy.simplify(one), sum(x.expression for x in ONE_STEP.terms[:3])]
    return [*found, pickle.loads(pickle.dumps(one))]


@pytest.mark.parametrize("i", range(28))
def test_every_expression_that_is_handed_out_finds_names(i: int) -> None:
    """Only the whole bound did: in its terms, its derivatives and whatever was made of it a derivative by a name was 0."""
    expr = _handed_out()[i]
    plain = expr.plain
    assert type(plain) is expr.func
    assert (expr == plain, plain == expr, hash(expr)) == (True, True, hash(plain))
    assert (str(expr), sympy.latex(expr), sympy.srepr(expr)) == (str(plain), sympy.latex(plain), sympy.srepr(plain))
    for symbol in plain.free_symbols:
        name = symbol.name
        slope = sympy.diff(plain, symbol)
        ways = [sympy.diff(expr, x) for x in (name, Symbol(name), symbol, (name, 1), (Symbol(name), 1))]
        assert ways == [slope] * 5
        twice = sympy.diff(plain, symbol, 2)
        assert sympy.diff(expr, name, 2) == sympy.diff(expr, name, name) == sympy.diff(expr, (name, 2)) == twice
        put_in = plain.subs(symbol, Rational(1, 10**4))
        assert expr.subs({name: "1/10000"}) == expr.subs(Symbol(name), "1/10000") == put_in
        assert expr.xreplace({Symbol(name): sympy.Integer(2)}) == expr.xreplace({name: 2}) == plain.xreplace({symbol: 2})
        assert expr.coeff(name) == expr.coeff(Symbol(name)) == plain.coeff(symbol)
        assert expr.replace(name, 3) == plain.replace(symbol, sympy.Integer(3))
        assert expr.as_independent(name) == plain.as_independent(symbol)
        for ask in (sympy.Derivative, lambda e, x: sympy.Integer(x in e.free_symbols), sympy.limit):
            with pytest.raises(InputError, match=rf"theorem.symbols\['{name}'\]"):
                ask(expr, Symbol(name), *([1] if ask is sympy.limit else [])).doit()


def test_elasticities_find_names() -> None:
    one, all_of_them = cmbound.elasticity("explicit-one-step", "h"), cmbound.elasticities("explicit-one-step").expressions
    for expr in (one, all_of_them["L_f"]):
        assert sympy.diff(expr, "eps_cm") == sympy.diff(expr.plain, eps_cm) != 0


def test_integrals_and_limits_by_name() -> None:
    consistency, score = (ONE_STEP.terms[i].expression for i in (1, 2))
    for ask in (sympy.integrate, lambda e, x: e.integrate(x)):
        assert ask(consistency, ("eps_cm", 1, 2)) == ask(consistency, (Symbol("eps_cm"), 1, 2)) == 3 * (T - delta) / 2
        assert sympy.expand(sympy.diff(ask(score, "eps_sc"), eps_sc) - score) == 0
    assert score.limit("h", 0) == L_f * eps_sc * (T - delta)
    assert consistency.limit("delta", "T") == 0
    assert score.series("h", 0, 2) == sympy.series(score.plain, h, 0, 2)


def test_a_symbol_of_the_user_stays_what_it_is() -> None:
    mine = Symbol("x")
    put_in = ONE_STEP.terms[1].expression.subs("eps_cm", mine)
    assert put_in.diff(mine) == put_in.diff("x") == T - delta
    assert put_in.subs(mine, "1/2") == (T - delta) / 2
    with pytest.raises(UnknownNameError):
        put_in.diff(Symbol("y_"))


WRONG = [
    (lambda: ONE_STEP.diff(), "name the parameter"),
    (lambda: ONE_STEP.diff("Lf"), "did you mean 'L_f'"),
    (lambda: ONE_STEP.diff("gamma"), "has no parameter 'gamma'"),
    (lambda: ONE_STEP.diff("L_s", profile="universal"), "L_s does not occur in this bound"),
    (lambda: ONE_STEP.diff(L_f + 1), "named by text or by its symbol"),
    *((lambda x=x: ONE_STEP.expression.diff(x), f"^{x} does not occur in this bound; eps_sc, ") for x in ("N", "cov_eigs")),
    *((lambda e=e: e.diff(Symbol("sigma_min")), "sigma_min does .*: name delta$") for e in (ONE_STEP, ONE_STEP.expression)),
    (lambda: sympy.diff(ONE_STEP.expression, ("sigma_max", 2)), "sigma_max .*, in which T stands for the noise level: name T$"),
    (lambda: ONE_STEP.expression.subs({"sigma_max": 3}), "^sigma_max does not occur"),
    (lambda: ONE_STEP.expression.limit("sigma_max", sympy.oo), "name T$"),
    (lambda: ONE_STEP.symbols["Lf"], "unknown parameter 'Lf'; did you mean 'L_f'"),
    (lambda: ONE_STEP.lambdify(), "depends on the profile"),
    (lambda: ONE_STEP.lambdify(profile="auto"), "auto has no closed form"),
    (lambda: ONE_STEP.lambdify(profile="universal", teacher="ddim"), "no closed form in h"),
    (lambda: ONE_STEP.lambdify("h", profile="universal"), "needs eps_sc"),
    (lambda: ONE_STEP.lambdify("h", "h", profile="universal"), "'h' twice"),
    (lambda: ONE_STEP.lambdify("R", profile="universal"), "R does not occur"),
    (lambda: ONE_STEP.lambdify("h", profile="universal", d=0), "d must be an integer"),
    (lambda: ONE_STEP.lambdify(profile="universal")(1.0), "each given once"),
    (lambda: ONE_STEP.lambdify(profile="universal", **{x: POINT[x] for x in POINT if x != "h"})(1.0, h=2.0), "each given once"),
    (lambda: cmbound.theorem("chen2023-dpum").lambdify(), "formula is not known"),
    (lambda: sympy.lambdify(list(ONE_STEP.expression.free_symbols), ONE_STEP.expression), "depends on the profile"),
]


@pytest.mark.parametrize(("ask", "message"), WRONG, ids=[x[1] for x in WRONG])
def test_an_error_and_no_silent_nought(ask: Any, message: str) -> None:
    with pytest.raises(CmboundError, match=message):
        ask()


@pytest.mark.parametrize("module", [None, "numpy", "math", "mpmath"])
def test_sympy_lambdify_knows_the_named_functions(module: str | None) -> None:
    expr = sympy.Add(*(x.expression for x in ONE_STEP.formula(profile="lipschitz")))
    values = {**{TABLE[name].symbol: float(Fraction(x)) for name, x in POINT.items()}, TABLE["L_s"].symbol: 4.0}
    values[TABLE["t_star"].symbol] = 0.0
    found = sympy.lambdify(list(values), expr, *([module] if module else []))(*values.values())
    assert float(found) == pytest.approx(ONE_STEP.evaluate(**POINT, L_s=4, profile="lipschitz").value, rel=1e-9)


def test_named_functions_have_numbers() -> None:
    """SymPy looked for c and beta in mpmath, whose beta is another function."""
    assert abs(beta(5).evalf() - Rational(4 * 49, 81) - Rational(40, 9)) < 1e-14
    assert abs(c(1).evalf(30) - sympy.exp(-1).evalf(30)) < 1e-29
    small = Rational(1, 10**12)
    assert abs(g(1e-12).evalf() / (small / 2).evalf() - 1) < 1e-11


def test_profiles_of_a_user_have_derivatives() -> None:
    mine = Profile.from_acceleration("mine", 3 * sympy.exp(-t))
    slope = ONE_STEP.diff("delta", profile=mine)
    with pytest.raises(InputError):
        ONE_STEP.diff("L_s", profile=mine)
    step = Fraction(1, 10**18)
    ends = [
        Fraction(ONE_STEP.evaluate(**{**POINT, "delta": Fraction(1, 1000) + x}, profile=mine, digits=DIGITS).lower)
        for x in (-step, step)
    ]
    found = slope.subs({TABLE[name].symbol: Rational(str(x)) for name, x in POINT.items()}, simultaneous=True).doit().evalf(25)
    assert float(found) == pytest.approx(float((ends[1] - ends[0]) / (2 * step)), rel=1e-10)
    assert PROFILES["universal"].rules["exponential-integrator"][0].bound.diff(d).has(h)


def test_code_of_a_rearranged_form_keeps_its_brackets() -> None:
    expr = 3 * named.Rearranged(L_f - d, L_f - d) ** 2
    for module in ("numpy", "math", "mpmath"):
        assert float(sympy.lambdify([L_f, d], expr, module)(5.0, 3.0)) == 12.0
