"""Every symbol and function a statement is printed with is defined there or in the table of symbols, and means one thing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import Any

import pytest

from cmbound.catalogue import catalogue
from cmbound.errors import InputError
from cmbound.evaluation import shown
from cmbound.evaluation.shown import statement_data
from cmbound.evaluation.statement import Statement
from cmbound.papers import tables
from cmbound.reports.words import formula
from cmbound.theory.formulas import latex
from cmbound.theory.functions import J, v
from cmbound.theory.named import Named, plain
from cmbound.theory.notation import PARAMETERS, SIGNS, T, delta, t
from cmbound.theory.profiles import PROFILES
from cmbound.theory.variants import PLACEHOLDERS, TEACHERS

TABLE_OF_SYMBOLS = {x.latex for x in PARAMETERS}
OPERATORS = {
    *("left", "right", "frac", "sqrt", "cdot", "leq", "lesssim", "quad", "dots", "sup", "infty", "operatorname"),
    *("sum", "log", "max", "min", "e", "pi", "atan2", "atan"),
}
BOUND = {"i", "j", "n", "j + 1", "t_{j}", "t_{j + 1}", "t_0", "t_N"}
_SUBSCRIPT = r"_(?:\{(?:[^{}]|\{[^{}]*\})*\}|\\[A-Za-z]+|[A-Za-z0-9])"
_ATOM = re.compile(
    r"\\mathrm\{[A-Za-z]+\}|\\bar [a-z]|\\hat [a-z]|(?:\\mathfrak\{[a-z]\}|\\mathcal\{[A-Z]\}|\\?[A-Za-z]+)(?:"
    + _SUBSCRIPT
    + ")?"
)


def variants(theorem: Statement) -> Iterator[dict[str, Any]]:
    """The forms a statement is printed in."""
    yield {}
    if theorem.has_target:
        yield {"to": "p_delta"}
    if theorem.ve_factor is not None:
        yield {"clock": "ve"}
    for teacher in TEACHERS if theorem.uses_profile else ():
        yield {"teacher": teacher}
        yield from ({"teacher": teacher, "profile": name} for name, x in PROFILES.items() if teacher in x.rules)


def heads(where: list[dict[str, str]]) -> dict[str, str]:
    """The names of the functions that are defined, each with its definition."""
    found: dict[str, str] = {}
    for row in where:
        left, _, right = row["latex"].partition(" = ")
        if left:
            head = re.split(r"\\left\(|_\{|\^\{", left)[0]
            assert found.setdefault(head + ("_" if "_{" in left[: len(head) + 2] else "("), right)
    return found


def undefined(theorem: Statement, options: dict[str, Any]) -> list[str]:
    """The signs of the printed LaTeX that nothing defines."""
    report = theorem.report(**options)
    found, document = report.data(), report.render("latex")
    visible = "\n".join(x for x in document.split("\n") if not x.startswith("%"))
    assert all(x["latex"] in visible for x in (*found["where"], *found["signs"]))
    text = " ".join([*found["latex_lines"], *(x["latex"] for x in found["where"])])
    for sign in sorted(TABLE_OF_SYMBOLS, key=len, reverse=True):
        if " " in sign or "(" in sign or sign.count("\\") > 1:
            text = text.replace(sign, " ")
    for pattern, sign, _ in SIGNS:
        if sign in {x["latex"] for x in found["signs"]}:
            text = re.sub(pattern, " ", text)
    names = {x.rstrip("_(") for x in heads(found["where"])} | {x["latex"] for x in found["signs"]}
    missing = []
    for atom in _ATOM.findall(text):
        base = atom.split("_{")[0].lstrip("\\") if "_{" in atom else atom.lstrip("\\")
        known = atom in TABLE_OF_SYMBOLS or atom.lstrip("\\") in OPERATORS or base in OPERATORS or atom in BOUND
        if not (known or atom in names or atom.split("_{")[0] in names or base in names):
            missing.append(atom)
    return missing


@pytest.mark.parametrize("id", [x.id for x in catalogue if x.evaluable])
def test_everything_printed_is_defined(id: str) -> None:
    for options in variants(catalogue[id]):
        assert not undefined(catalogue[id], options), options


@pytest.mark.parametrize("name", ["tv_drift", "steering", "corrector_information"])
def test_a_function_without_definition_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = shown.definitions
    monkeypatch.setattr(shown, "definitions", lambda e: [x for x in whole(e) if type(x[0]).__name__ != name])
    assert undefined(catalogue["explicit-tv-underdamped"], {})


def test_a_place_holder_without_meaning_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shown, "PLACEHOLDERS", {})
    assert undefined(catalogue["explicit-one-step"], {})


@pytest.mark.parametrize("id", [x.id for x in catalogue if x.evaluable])
def test_no_sign_means_two_things(id: str) -> None:
    for options in variants(catalogue[id]):
        terms = catalogue[id].formula(**options)
        calls = {type(x) for term in terms for x in plain(term.expression).atoms(Named)}
        names = [(x.latex_name, x.subscript) for x in calls]
        assert len(set(names)) == len(names), options
        used = {x.name for term in terms for x in term.expression.free_symbols}
        symbols = {x.latex for x in PARAMETERS if x.name in used}
        assert not symbols & {x.latex_name for x in calls if not x.subscript}, options


def test_what_occurs_at_several_arguments_is_defined_at_a_general_one() -> None:
    where = heads(statement_data(catalogue["explicit-one-step"])["where"])
    assert where == {"c_": "e^{- t}", "s_": r"\sqrt{1 - e^{- 2 t}}"}
    found = dict(shown.definitions([J(t, delta) + J(t, T) + J(delta, T)]))
    assert [str(x) for x in found if isinstance(x, J)] == ["J(t, r)"]
    found = dict(shown.definitions([J(t, delta) + J(t, T)]))
    assert [str(x) for x in found if isinstance(x, J)] == ["J(t, r)"]  # t is taken


def test_v_without_width_is_written_as_it_is() -> None:
    assert latex(v(0, delta)) == r"s_{\delta}^{2}"
    assert latex(1 / v(0, delta) ** 2) == r"\frac{1}{s_{\delta}^{4}}"
    bounded = catalogue["explicit-one-step"].latex(profile="bounded")
    assert "v_{" not in bounded
    assert r"s_{\delta}" in bounded
    assert "v_{" in catalogue["explicit-one-step"].latex(profile="smoothed")


@cache
def _formula(expression: Any, short: tuple[Any, ...]) -> Any:
    return formula(expression, dict(short))


@pytest.mark.parametrize("profile", [None, *(x.name for x in PROFILES.values() if "exponential-integrator" in x.rules)])
def test_the_table_of_statements_defines_its_signs(profile: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """What no profile enters is the same in all of these tables, and is set once."""
    module = import_module("cmbound.papers.tables.statements")
    monkeypatch.setattr(module, "formula", lambda x, short=None: _formula(x, tuple((short or {}).items())))
    found = tables.table("statements", profile=profile) if profile else tables.table("statements")
    text = found.latex()
    body, notes = text.split(r"\bottomrule")
    for name in (r"\Theta_{", "K", "G"):
        assert name in body
        assert re.search(re.escape(name) + r"[^$]* = ", notes), name
    assert r"v_{" not in body.replace(r"v_{\delta}", "") or profile != "bounded"


def test_place_holders_and_unknown_options() -> None:
    assert all(x.latex_name and meaning for x, meaning in PLACEHOLDERS.items())
    with pytest.raises(InputError):
        statement_data(catalogue["explicit-training"], profile="bounded")
