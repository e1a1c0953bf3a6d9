"""Machine-checked facts: the recipe of Corollary 4, Corollary 8 from it, and the closed form of multistep sampling."""

from __future__ import annotations

from typing import Any

import pytest
import sympy
from sympy import Max, Rational, exp, log, sqrt

import cmbound
from cmbound.theory.formulas import _powers_joined
from cmbound.theory.functions import geometric_sum
from cmbound.theory.named import elementary, plain
from cmbound.theory.notation import C, L_f, L_s, R, T, W_prev, d, delta, eps, eps_cm, eps_sc, h, k, m2
from cmbound.theory.variants import Placeholder

M = Max(sqrt(d), m2)
RECIPE = {
    delta: eps**2 / M**2,
    eps_cm: eps / T,
    eps_sc: eps / (T * L_f),
    h: eps / (T * L_f * L_s ** Rational(3, 2) * sqrt(d)),
}
HORIZON = log(M * L_f / eps)


def _with_recipe(expr: Any, recipe: dict[Any, Any]) -> Any:
    return sympy.simplify(expr.subs(recipe, simultaneous=True).subs(T, HORIZON))


def test_recipe_of_corollary_4() -> None:
    """Every term of Corollary 4 becomes C eps, whatever the problem's constants are."""
    terms = {x.name: _with_recipe(x.expression, RECIPE) for x in cmbound.theorem("lyu2023-cor4").terms}
    assert terms == dict.fromkeys(("initialisation", "consistency", "score", "discretisation", "early_stopping"), C * eps)


def test_a_wrong_recipe_is_noticed() -> None:
    wrong = {**RECIPE, h: eps / (T * L_f * L_s * sqrt(d))}
    terms = {x.name: _with_recipe(x.expression, wrong) for x in cmbound.theorem("lyu2023-cor4").terms}
    assert terms["discretisation"] != C * eps


@pytest.mark.parametrize("larger", ["R^2", "d"])
def test_corollary_8_follows_from_corollary_4(larger: str) -> None:
    """L_s = R^2/delta^2 (Lemma 7) at delta = eps^2/max(R^2, d) in the recipe's h gives Corollary 8's h exactly."""
    size = R**2 if larger == "R^2" else d
    stopped = eps**2 / size
    lipschitz = R**2 / stopped**2
    derived = RECIPE[h].subs(L_s, lipschitz)
    (term,) = cmbound.theorem("lyu2023-cor8").terms
    claimed = term.expression.subs(C, 1).subs(Max(R**6, d**3), size**3)
    assert not claimed.has(Max)
    r = sympy.Symbol("r", positive=True)
    assert sympy.simplify((derived / claimed).subs(R, r)) == 1
    (lemma,) = cmbound.theorem("lyu2023-lem7").terms
    ordered = lemma.expression.subs(C, 1)
    assert ordered.args
    assert R**2 / delta**2 in ordered.args


def test_complexity_of_corollary_4() -> None:
    """N = T/h = T^2 L_f L_s^(3/2) d^(1/2)/eps."""
    assert sympy.simplify(T / RECIPE[h] - T**2 * L_f * L_s ** Rational(3, 2) * sqrt(d) / eps) == 0


MULTISTEP = cmbound.theorem("explicit-multistep")


@pytest.mark.parametrize("count", [2, 3, 5, 9])
def test_closed_form_solves_the_recursion(count: int) -> None:
    sources = {x.name: x.expression for x in MULTISTEP.bare_sources if x.name != "early_stopping"}
    for rule in MULTISTEP.bare_recursion:
        before, after = (_summed(sources[rule.name].subs(k, n)) for n in (count - 1, count))
        assert sympy.expand(after - rule.expression.subs(W_prev, before)) == 0


def test_first_evaluation_is_one_step_sampling() -> None:
    one_step = {x.name: x.expression for x in cmbound.theorem("explicit-one-step").bare_sources}
    for term in MULTISTEP.bare_sources:
        assert _summed(term.expression.subs(k, 1)) == one_step[term.name]


def _summed(expr: Any) -> Any:
    return expr.replace(geometric_sum, lambda x, n: sympy.Add(*(x**i for i in range(int(n)))))


def test_substitute_keeps_the_rest_symbolic() -> None:
    theorem = cmbound.theorem("explicit-training")
    expr = theorem.substitute(L_f="3/2", T=2, eps_cm="0.1")
    assert expr.free_symbols == {delta, d, m2}
    numbers = {"d": 3, "m2": 2, "delta": "1/100"}
    whole = theorem.evaluate(L_f="3/2", T=2, eps_cm="0.1", **numbers)
    value = elementary(expr).subs({d: 3, m2: 2, delta: Rational(1, 100)}).evalf(30)
    assert abs(value - sympy.Float(str(whole.upper), 30)) < 1e-15
    assert theorem.substitute(sigma_max=80).has(sympy.log(6401))


def test_substitute_with_a_profile_and_l_s_one() -> None:
    expr = cmbound.theorem("explicit-one-step").substitute(profile="lipschitz", L_s=1, t_star=0, d=2, h="1/100", L_f=1)
    assert not expr.atoms(sympy.zoo, sympy.nan)
    assert not expr.has(Placeholder)


def test_orders_are_visible() -> None:
    """The printed expression of a profile is the one that is computed: g(h) Phi, differentiable in everything."""
    expr = cmbound.theorem("explicit-one-step").formula(profile="lipschitz")[3].expression
    slope = elementary(sympy.diff(expr, d))
    point = {d: 4, L_s: 5, L_f: 1, T: 3, delta: Rational(1, 100), h: Rational(1, 100)}
    values = {x: point.get(x, 0) for x in slope.free_symbols}
    base = {x: point.get(x, 0) for x in elementary(expr).free_symbols}
    assert float(slope.subs(values)) * 2 * 4 == pytest.approx(float(elementary(expr).subs(base)))


def test_latex_of_a_difference_begins_with_a_positive_term() -> None:
    assert r"T - \delta" in cmbound.theorem("explicit-training").latex()
    assert plain(exp(-T)) == exp(-T)


@pytest.mark.parametrize("clock", ["ou", "ve"])
def test_powers_of_e_are_printed_as_one(clock: str) -> None:
    """What cancels between the clocks is not printed, and what is printed is the same number."""
    statement, values = cmbound.theorem("explicit-multistep"), {L_f: 2, T: 3, delta: Rational(1, 5), h: Rational(1, 10), k: 4}
    for term in statement.formula(profile="universal", clock=clock):
        more = {x: Rational(i + 2, 3) for i, x in enumerate(sorted(term.expression.free_symbols - values.keys(), key=str))}
        printed, meant = (elementary(x).subs({**values, **more}) for x in (_powers_joined(term.expression), term.expression))
        assert float((printed - meant).doit()) == pytest.approx(0, abs=1e-12)
    assert statement.latex(clock="ve").count("e^") == 6
    assert r"L_f^{k} \sqrt{" in statement.latex(clock="ve")
    assert r"\sum_{i=0}^{k - 2} L_f^{i}" in statement.latex(clock="ve")
    assert r"\varepsilon_{cm} \left({t}_{j + 1} - {t}_{j}\right) + " in statement.latex(clock="ve", teacher="ddim")
