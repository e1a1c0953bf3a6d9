"""Math in the signs of Unicode, names of papers, and what a terminal without these signs shows."""

from __future__ import annotations

import os
import re

import pytest

import cmbound
from cmbound.catalogue.bibtex import cited, entries, fields
from cmbound.evaluation.shown import profile_data, statement_data
from cmbound.reports.readable import readable
from cmbound.theory.notation import TABLE
from cmbound.theory.profiles import PROFILES
from tests.helpers import fine, process


@pytest.mark.parametrize(
    ("latex", "text"),
    [
        (r"\frac{a - b}{2 c d} \left(e^{h} - 1\right)", "(a - b)/(2 c d) (e^h - 1)"),
        (r"\frac{L_f \varepsilon_{sc}}{h}", "L_f ε_sc/h"),
        (r"\sqrt{d \left(1 - s_{T}\right)^{2} + \mathfrak{m}_2^{2} c_{T}^{2}}", "√(d (1 - s_T)² + m₂² c_T²)"),
        (r"\sqrt[4]{a b} - e^{- 2 T - \delta}", "(a b)^{1/4} - e^{-2 T - δ}"),
        (r"\sum_{i=0}^{k - 2} x^{i} \leq \hat t", "Σ_{i=0}^{k - 2} x^i ≤ t̂"),
        (r"\left(E_{p_{t}} \left\| f_\theta - f \right\|^2\right)^{1/2} \lesssim", "(E_{p_t} ‖f_θ - f‖²)^{1/2} ≲"),
        (r"W_2\left(f_\theta(\cdot, T)_\# p_{\mathrm{start}}, p_\delta\right)", "W₂(f_θ(·, T)_# p_start, p_δ)"),
        (r"\frac{\sqrt{\frac{a}{b}}}{c^{\frac{3}{2}}}", "√(a/b)/c^{3/2}"),
        (r"\unknown{x}", ""),
        (r"\frac{a}{", ""),
        ("a}", ""),
    ],
)
def test_signs(latex: str, text: str) -> None:
    assert readable(latex) == text


def test_everything_in_the_catalogue_has_signs() -> None:
    sources = [x["latex"] for t in cmbound.catalogue for x in (*statement_data(t)["terms"], *statement_data(t)["where"])]
    sources += [statement_data(t)["latex_lines"][0] for t in cmbound.catalogue] + [x.latex for x in TABLE.values()]
    for profile in PROFILES.values():
        data = profile_data(profile)
        sources += [x for row in data["teachers"].values() for x in row["latex"]] + [x["latex"] for x in data["where"]]
    for latex in filter(None, sources):
        text = readable(latex)
        assert text, latex
        assert not re.search(r"\\|  |\( | \)", text), text
        for opening, closing in ("()", "{}"):
            assert text.count(opening) == text.count(closing), text
        for number in re.findall(r"(?<![\d.])[3-9]\d*", latex):  # each number of the source is somewhere in the text
            above, below = (number.translate(str.maketrans("0123456789", x)) for x in ("⁰¹²³⁴⁵⁶⁷⁸⁹", "₀₁₂₃₄₅₆₇₈₉"))
            assert any(x in text for x in (number, above, below)), (latex, text)


def test_a_statement_is_shown_in_signs_and_without_them_in_names() -> None:
    shown = fine("show", "explicit-one-step")
    assert "W₂(f_θ(·, T)_# p_start, p_data) ≤ sum of\n  initialisation: L_f √(d (1 - s_T)² + m₂² c_T²)\n" in shown
    assert "  ε_sc, eps_sc: L2 score error" in shown
    bare = process("show", "stephan2026-euler", env={**os.environ, "PYTHONIOENCODING": "ascii"}).stdout
    assert "Arthur Stephanovitch, Lipschitz regularity" in bare
    assert "W2(sampled law, p_data) <~ ?" in bare


def test_every_source_has_authors_a_year_and_a_title() -> None:
    unconfirmed = [key for key in entries() if "title" not in fields(key)]
    assert unconfirmed == ["brosse2026"]
    for key in entries():
        found = fields(key)
        assert found["year"].isdigit()
        assert key == "cmbound" or all(", " in name for name in found["author"].split(" and ")), key
        assert "not confirmed" in found.get("note", "") or key not in unconfirmed
    for statement in cmbound.catalogue:
        place = cited(statement.reference.key, statement.reference.place)
        assert place.endswith(f", {statement.reference.place}")
        assert place in " ".join(statement.text(1000).splitlines())
    assert cited("mine", "page 3") == "mine, page 3"


def test_the_list_names_every_paper_once() -> None:
    listed = " ".join(fine("list").split())
    for key in {x.reference.key for x in cmbound.catalogue}:
        assert listed.count(f"{key}: {cited(key)}") == 1
