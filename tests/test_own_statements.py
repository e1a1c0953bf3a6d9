"""Statements of one's own: defined, evaluated, and refused in one line where they are not exact or not computable."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import sympy
from sympy import Piecewise, Rational, Symbol, erf

import cmbound
from cmbound.errors import CmboundError, DomainError, InputError, UndecidedError, UnknownNameError
from cmbound.evaluation.defining import from_file
from cmbound.evaluation.statement import _registered, theorem
from cmbound.theory.notation import PUBLIC, TABLE, Domain, add
from tests.helpers import call, fine

KAP = cmbound.symbol("kap", domain=">= 0", meaning="curvature of the data manifold", latex=r"\kappa_M")
POINT: dict[str, Any] = {"L_f": 2, "eps_sc": "0.01", "T": 4, "delta": "0.5", "kap": "1/2"}
MINE = cmbound.Statement.define(
    "mine",
    {"score": "L_f*eps_sc*(T - delta)", "curvature": KAP**2},
    title="A bound with a curvature",
    assumptions=["the manifold is smooth", Symbol("delta") < Symbol("T")],
    reference="someone2026, Theorem 1",
)
ROW = TABLE["kap"]
dict.pop(cast(dict[str, Any], TABLE), "kap")  # known again in each test below, and in no other
TOML = """
[[symbol]]
name = "kap"
domain = ">= 0"
meaning = "curvature of the data manifold"
latex = '\\kappa_M'

[[statement]]
id = "from-toml"
title = "A bound from a file"
assumptions = ["the manifold is smooth"]
[statement.terms]
score = "L_f*eps_sc*(T - delta)"
curvature = "0.1*kap^2"
"""
PYTHON = """
import cmbound
kap = cmbound.symbol("kap", domain=">= 0", meaning="curvature of the data manifold", latex=r"\\kappa_M")
found = cmbound.Statement.define("from-python", {"score": "L_f*eps_sc*(T - delta)", "curvature": kap**2})
"""


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    known = dict(_registered)
    add(ROW)
    yield
    _registered.clear()
    _registered.update(known)


# --- what a statement of one's own can do ----------------------------------------------------------------------------


def test_it_is_evaluated_like_any_other() -> None:
    found = MINE.evaluate(**POINT)
    assert Fraction(found.lower) <= Fraction(2, 100) * Fraction(7, 2) + Fraction(1, 4) <= Fraction(found.upper)
    assert found.is_guarantee
    assert found.dominating_term == "curvature"
    assert found.parameters["kap"] == "1/2"
    assert any("author" in x for x in found.notes)
    assert [x.status for x in found.assumptions] == ["assumed", "checked"]
    values = MINE.approximate(**{**POINT, "kap": np.array([0.0, 1.0, 2.0])})
    assert values.total == pytest.approx([0.07, 1.07, 4.07])
    assert MINE.lambdify("kap", **{x: y for x, y in POINT.items() if x != "kap"})(3.0) == pytest.approx(9.07)


def test_it_prints_itself() -> None:
    assert r"\kappa_M^{2}" in MINE.latex()
    assert "curvature of the data manifold" in MINE.text()
    assert MINE.to_dict()["known"] == "own"
    assert str(MINE.reference) == "someone2026, Theorem 1"
    assert MINE.diff("kap") == 2 * KAP
    assert MINE.substitute(kap="1/2").has(cmbound.symbol("L_f"))


def test_decimals_in_texts_are_exact() -> None:
    terms = cmbound.Statement.define("x", {"a": "0.1*L_f + 1e-3*m2^2 + .5"}).terms
    m2, lip = cmbound.symbol("m2"), cmbound.symbol("L_f")
    assert terms[0].expression == lip / 10 + m2**2 / 1000 + Rational(1, 2)


@pytest.mark.parametrize(
    ("term", "value"),
    [(erf(KAP), 0.5204998778), (Piecewise((KAP, KAP > 1), (2 * KAP, True)), 1.0), (sympy.exp(-KAP), 0.6065306597), (3, 3.0)],
)
def test_functions(term: Any, value: float) -> None:
    found = cmbound.Statement.define("x", {"a": term})
    given = {"kap": "1/2"} if found.parameters else {}
    assert float(found.evaluate(**given)) == pytest.approx(value, rel=1e-9)
    assert float(found.approximate(**given).total) == pytest.approx(value, rel=1e-9)


def test_it_goes_through_pickle_to_a_process_that_knows_no_such_symbol() -> None:
    text = pickle.dumps(MINE)
    dict.pop(cast(dict[str, Any], TABLE), "kap")
    assert "kap" not in PUBLIC
    again = pickle.loads(text)
    assert again == MINE
    assert TABLE["kap"] == ROW
    assert float(again.evaluate(**POINT)) == float(MINE.evaluate(**POINT))


# --- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("term", "message"),
    [
        (0.1 * KAP, "must be exact"),
        (KAP + sympy.Float("0.1"), "must be exact"),
        ("L_f**", "cannot be read"),
        ("L_f; d", "must be written with"),
        ("__import__('os').system('true')", "must be written with"),
        ("d.conjugate", "unknown name"),
        ("foo*2", r"unknown name 'foo' in term"),
        ("eps_sc/0", "a division by 0 in 'eps_sc/0'"),
        (sympy.gamma(KAP), "cannot compute"),
        (sympy.I * KAP, "cannot compute"),
        (Symbol("zz"), "unknown symbol"),
        (None, "must be a SymPy expression"),
        ([1], "must be a SymPy expression"),
        (float("nan"), "must be finite"),
        (sympy.oo, "must be finite"),
        ("10**10**10", "exponent"),
        ("2**100000", "exponent"),
    ],
)
def test_terms_that_are_refused(term: Any, message: str) -> None:
    with pytest.raises((InputError, UnknownNameError), match=message) as error:
        cmbound.Statement.define("x", {"a": term})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "make",
    [
        lambda: cmbound.Statement.define("", {"a": 1}),
        lambda: cmbound.Statement.define("x", {}),
        lambda: cmbound.Statement.define("x", [1]),  # type: ignore[arg-type]
        lambda: cmbound.Statement.define("x", {"total": 1}),
        lambda: cmbound.Statement.define("x", {"L_f": 1}),
        lambda: cmbound.Statement.define("x", {"a": 1}, kind="sharp"),
        lambda: cmbound.Statement.define("x", {"a": 1}, assumptions=[3]),
        lambda: cmbound.Statement.define("x", {"a": 1}, free=["L_f"]),
        lambda: cmbound.Statement.define("x", {"a": 1}, free=3),
        lambda: cmbound.Statement.define("x", {"a": 1}, rests_on=3),
        lambda: cmbound.Statement.define("x", {"a": 1}, assumptions=KAP),
        lambda: cmbound.Statement.define("x", {"a": 1}, titel="y"),
        lambda: cmbound.Statement.define("x", {"a": 1}, experiment="one_stpe"),
        lambda: cmbound.Statement.define("x", {"a": 1}, rests_on="explicit-one-stpe"),
        lambda: cmbound.Statement.define("x y", {"a": 1}),
        lambda: cmbound.Statement.define("explicit-one-step", {"a": 1}),
        lambda: cmbound.Statement.define("x", {"a": 1}, assumptions=["zzq <= 1"]),
        lambda: cmbound.Statement.define("x", {"a": 1}, assumptions=["0 < kap < 1"]),
        lambda: cmbound.Statement.define("x", {"a": 1}, assumptions=["zzq == 1"]),
        *(
            lambda text=text: cmbound.Statement.define("x", {"a": 1}, assumptions=text)
            for text in ("kap = 1", "kap == 1", "kap ≤ 1", "kap/2 != 2*L_f", "0 <= kap ≤ 1", "kap = L_f = 1")
        ),
        lambda: cmbound.symbol("pi", domain=">= 0"),
        lambda: cmbound.symbol("exp", domain=">= 0"),
        lambda: cmbound.symbol("self", domain=">= 0"),
        lambda: cmbound.symbol("new", domain="> 1 and < 0"),
        lambda: cmbound.symbol("L_f", domain=">= 0"),
        lambda: cmbound.symbol("a", domain=">= 0"),
        lambda: cmbound.symbol("profile", domain=">= 0"),
        lambda: cmbound.symbol("not a name", domain=">= 0"),
        lambda: cmbound.symbol("lambda", domain=">= 0"),
        lambda: cmbound.symbol("L_ff"),
        lambda: cmbound.symbol("new", domain="positive"),
        lambda: cmbound.symbol("new", domain=">= 0.5"),
        lambda: cmbound.symbol("kap", domain="> 0"),
        lambda: cmbound.register(replace(theorem("explicit-one-step"), title="other", known="own")),
    ],
)
def test_definitions_that_are_refused(make: Callable[[], Any]) -> None:
    with pytest.raises(CmboundError) as error:
        make()
    assert "\n" not in str(error.value)


def test_values_outside_a_domain() -> None:
    with pytest.raises(DomainError, match="kap must be a number >= 0"):
        MINE.evaluate(**{**POINT, "kap": -1})
    with pytest.raises(DomainError, match="own-2"):
        MINE.evaluate(**{**POINT, "T": "0.1"})
    quotient = cmbound.Statement.define("x", {"a": KAP / cmbound.symbol("eps_cm")})
    assert float(quotient.evaluate(kap=1, eps_cm=2)) == 0.5
    with pytest.raises(UndecidedError, match="the term a has no finite enclosure"):
        quotient.evaluate(kap=1, eps_cm=0)
    with pytest.raises(DomainError, match="float64 range"):
        quotient.approximate(kap=1, eps_cm=np.array([1.0, 0.0]))
    with pytest.raises(DomainError, match="the term a is negative"):
        cmbound.Statement.define("x", {"a": "eps_sc - 1"}).evaluate(eps_sc="0.5")


def test_an_inequality_in_words_is_checked() -> None:
    prose = ["the data are in a ball, kap <= 1 say", "kap = 1 for all data", "eps_sc = o(1)", "q = p"]
    found = cmbound.Statement.define("x", {"a": KAP}, assumptions=["kap <= 1", *prose])
    assert [x.status for x in found.evaluate(kap=1).assumptions] == ["checked", *["assumed"] * 4]
    with pytest.raises(DomainError, match="own-1"):
        found.evaluate(kap=2)


def test_an_order_form_has_its_constant() -> None:
    found = cmbound.Statement.define("x", {"a": KAP}, kind="order", metric="my_metric%")
    assert float(found.evaluate(kap=2, C=3)) == 6
    assert r"\mathrm{my\_metric\%}" in found.latex()


def test_a_statement_may_be_registered_anew() -> None:
    for value in (1, 2):
        cmbound.register(cmbound.Statement.define("again", {"a": value}))
        assert float(theorem("again").evaluate()) == value


@pytest.mark.parametrize("text", ["a number", "> 0", ">= 0 and < 1", "an integer >= 1", "integer", "< 3", ">= -2"])
def test_domains_are_read_as_they_are_printed(text: str) -> None:
    domain = Domain.of(text)
    assert Domain.of(str(domain)) == domain
    words = text.removeprefix("an ")
    assert words.removeprefix("integer ").removeprefix("a number") in str(domain)


# --- from a file -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "text", "id"), [("own.toml", TOML, "from-toml"), ("own.py", PYTHON, "from-python")])
def test_a_file_defines_statements(tmp_path: Path, name: str, text: str, id: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    pairs = [f"-p{x}={y}" for x, y in POINT.items()]
    out = fine("evaluate", "--define", str(path), id, *pairs)
    assert out.startswith(f"{id}: ")
    assert theorem(id).id == id
    assert "kap" in fine("show", id, "--define", str(path))


def test_a_decimal_in_a_file_is_exact(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(TOML, encoding="utf-8")
    (found,) = from_file(str(path))
    assert found.bare_sources[1].expression == KAP**2 / 10


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("own.txt", "", ".py or a .toml"),
        ("own.toml", "x = ", "TOML"),
        ("own.toml", "[[statment]]\nid = 'x'", "statment"),
        ("own.toml", "[[statement]]\nid = 'x'", "terms"),
        ("own.toml", "[[statement]]\nid = 'x'\ncolour = 'red'\n[statement.terms]\na = '1'", "colour"),
        ("own.toml", "[[statement]]\nid = 'x'\n[statement.terms]\na = 'L_q'", "L_q"),
        ("own.toml", "statement = 3", "statement must be an array of tables, each headed [[statement]], got 3"),
        ("own.toml", "[statement.mine]\nid = 'x'", "statement must be an array of tables, each headed [[statement]]"),
        ("own.toml", "[symbol]\nname = 'x'", "symbol must be an array of tables, each headed [[symbol]]"),
        ("own.toml", "symbol = ['x']", "symbol must be an array of tables, each headed [[symbol]]"),
        ("own.toml", f"{TOML}{TOML[TOML.index('[[st') :].replace('0.1', '0.2')}", "'from-toml', twice in "),
        ("own.py", f"{PYTHON}\nother = cmbound.Statement.define('from-python', {{'a': 1}})", "'from-python', twice in "),
        ("own.py", "1/0", "ZeroDivisionError"),
        ("own.py", "raise SystemExit(3)", "SystemExit"),
        ("own.py", "def f(:", "SyntaxError"),
        ("own.py", "import cmbound", "defines no statement"),
    ],
)
def test_files_that_are_refused(tmp_path: Path, name: str, text: str, message: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    result = call("evaluate", "--define", str(path), "x")
    assert result.status == 2, result.err
    assert message in result.err
    assert len(result.err.splitlines()) == 1


def test_two_files_may_define_a_statement_if_it_is_the_same(tmp_path: Path) -> None:
    paths = [tmp_path / f"{i}.toml" for i in range(3)]
    for path, text in zip(paths, (TOML, TOML, TOML.replace("0.1", "0.2")), strict=True):
        path.write_text(text, encoding="utf-8")
    first, same, other = map(str, paths)
    fine("show", "from-toml", "--define", first, "--define", same)
    result = call("show", "from-toml", "--define", first, "--define", other)
    message = f"two different statements are called 'from-toml', in {first} and in {other}: give one of them another id"
    assert (result.status, result.err) == (2, f"cmbound: error: {message}\n")


def test_a_file_that_is_not_there() -> None:
    result = call("evaluate", "--define", "nowhere.py", "x")
    assert result.status == 2
    assert "nowhere.py" in result.err


COMMANDS = {
    "evaluate": ("evaluate", "from-toml"),
    "show": ("show", "from-toml"),
    "analyse": ("analyse", "from-toml"),
    "solve": ("solve", "from-toml", "--target", "0.5"),
    "sweep": ("sweep", "from-toml", "-p", "kap=0.1:1:log:3"),
    "compare": ("compare", "--statement", "from-toml", "--statement", "explicit-one-step"),
    "table": ("table", "assumptions", "--statements", "from-toml"),
    "plot": ("plot", "terms", "from-toml", "--over", "kap=0.1:1:log:5", "-o", "-"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_takes_it(tmp_path: Path, name: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(TOML, encoding="utf-8")
    given = (
        {}
        if name in ("show", "table", "analyse")
        else {x: y for x, y in POINT.items() if f"{x}=" not in " ".join(COMMANDS[name])}
    )
    if name == "solve":
        given.pop("eps_sc")
    out = fine(*COMMANDS[name], "--define", str(path), *(f"-p{x}={y}" for x, y in given.items()))
    assert ("kap" in out) if name in ("sweep", "plot") else ("from-toml" in out)


def test_without_an_experiment_nothing_can_be_checked(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(TOML, encoding="utf-8")
    result = call("check", "from-toml", "--define", str(path))
    assert result.status == 2
    assert "names no experiment" in result.err
    assert len(result.err.splitlines()) == 1


def test_a_statement_with_an_experiment_is_checked() -> None:
    loose = replace(theorem("explicit-tv-early-stopping"), id="mine-too", known="own")
    tight = replace(loose, sources=tuple(replace(x, expression=x.expression / 10**6) for x in loose.bare_sources))
    assert cmbound.check(loose, instances=6, seed=1).violations == 0
    assert cmbound.check(tight, instances=6, seed=1).violations > 0


def test_one_text_is_one_name_and_not_its_letters() -> None:
    made = cmbound.Statement.define("one", {"smoothing": "u + 1/u"}, rests_on="mine", free="u", assumptions="u < 3")
    assert (made.rests_on, made.free, [x.text for x in made.assumptions]) == (("mine",), ("u",), ["u < 3"])
    assert float(made.evaluate()) == pytest.approx(2)


@pytest.mark.parametrize("term", ["1/u", "1/u^4", "u^(-1/10)", "1/log(1 + u)", "u", "1 + u", "u/(1 + u^2)"])
def test_a_bound_without_a_minimum(term: str) -> None:
    """Warnings are errors in these tests: nothing may overflow aloud."""
    with pytest.raises(DomainError, match=r"one has no minimum in u: the bound falls for ever as u .*; give u"):
        cmbound.Statement.define("one", {"a": term}, free="u").evaluate()


@pytest.mark.parametrize(
    ("term", "name", "best"),
    [("u + 1e-250/u", "u", 1e-125), ("1 + kap", "kap", 0), ("1 + L_f", "L_f", 1), ("1 - u*exp(-u)/4", "u", 1)],
)
def test_a_minimum_is_found_wherever_it_is(term: str, name: str, best: float) -> None:
    made = cmbound.Statement.define("one", {"a": term}, free=name)
    assert float(made.evaluate().derived[name].upper) == pytest.approx(best, rel=1e-2)


def test_where_all_values_are_best_one_is_taken() -> None:
    made = cmbound.Statement.define("one", {"a": "eps_sc/u + eps_cm*u"}, free="u")
    assert float(made.evaluate(eps_sc=0, eps_cm=0)) == 0
    with pytest.raises(DomainError, match="no minimum in u: the bound falls for ever as u tends to 0"):
        made.evaluate(eps_sc=0, eps_cm=1)


def test_an_integer_cannot_be_free() -> None:
    with pytest.raises(InputError, match="free parameter k of statement 'one' is an integer"):
        cmbound.Statement.define("one", {"a": "k + 10/k"}, free="k")


def test_an_option_given_twice_is_an_error() -> None:
    result = call("evaluate", "explicit-one-step", "--preset", "digits", "--preset", "gaussian-2d")
    assert (result.status, result.err) == (2, "cmbound: error: --preset is given twice\n")


def test_a_term_that_is_empty() -> None:
    with pytest.raises(InputError, match="term 'a' of statement 'm' is empty"):
        cmbound.Statement.define("m", {"a": " "})
