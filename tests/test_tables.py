"""Tables for papers: typed cells, every form, every named table, a user's own, and what LaTeX makes of them.

``python -m tests.test_tables`` writes the golden files anew.
"""

from __future__ import annotations

import csv
import html.parser
import io
import json
import random
import re
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import cmbound
import cmbound.theory.notation
from cmbound.catalogue.explicit import PAIRS
from cmbound.errors import CmboundError, DomainError, InputError, UnknownNameError
from cmbound.evaluation.shown import profile_data
from cmbound.names import FORMATS
from cmbound.numbers import rounded
from cmbound.papers.tables import NAMES, table
from cmbound.papers.tables.settings import comparison_table
from cmbound.reports import page
from cmbound.reports.cells import Cell, dollars, escape_latex, math, mathml, mixed, number
from cmbound.reports.table import Table
from cmbound.reports.words import named, prose
from cmbound.theory.compact import compact
from cmbound.theory.notation import SIGNS, TABLE, WRITTEN
from cmbound.theory.profiles import PROFILES
from cmbound.theory.prose import Prose
from tests.helpers import call, fine
from tests.latex import compiled, missing_tex

GOLDEN = Path(__file__).parent / "golden"
SPEC: dict[str, Any] = {
    "caption": "Bounds, $W_2$ & more",
    "label": "tab:own",
    "size": "footnotesize",
    "defaults": {"statement": "explicit-one-step"},
    "column": [
        {"quantity": "label", "header": "model"},
        {"quantity": "total", "digits": 3},
        {"quantity": "discretisation"},
        {"quantity": "eps_sc"},
        {"quantity": "N"},
        {"quantity": "dominating_term"},
        {"quantity": "vacuous"},
    ],
    "row": [
        {"label": "good_1 & $L_f = 1$", "preset": "gaussian-2d", "params": {"L_f": "1", "eps_sc": "1e-4"}},
        {"label": "digits", "preset": "digits"},
        {"label": "CIFAR-10 (50%)", "preset": "song2023-cifar10"},
    ],
}
CHECKED = {
    "theorem": "explicit-one-step",
    "kind": "explicit",
    "instances": 100,
    "passed": 80,
    "violations": 0,
    "undecided": 2,
    "skipped": 18,
    "max_ratio": 0.98765,
    "median_ratio": 1.5e-7,
    "sharpness": {"score": 1.0, "early_stopping": 0.25},
}
PLANTED = {
    "witnesses": [{"theorem": "explicit-one-step"}] * 3,
    "not_weaker": [{"theorem": "explicit-map-error"}],
    "implied": [{"theorem": "explicit-one-step"}] * 2,
    "survived": [{"theorem": "explicit-one-step"}],
}
QUICK: dict[str, dict[str, Any]] = {
    "statements": {},
    "assumptions": {},
    "presets": {},
    "verification": {"saved": CHECKED},
    "planted": {"saved": PLANTED},
    "sharpness": {"saved": [CHECKED]},
    "custom": {"spec": SPEC},
}


def quick(name: str, **options: Any) -> Table:
    """A table that takes little time, as in a paper."""
    return made(name, **options) if options else once(name)


@cache
def once(name: str) -> Table:
    return made(name)


def made(name: str, **options: Any) -> Table:
    return table(name, **{"caption": f"Table {name}", "label": f"tab:{name}", **QUICK[name], **options})


# --- LaTeX, read ------------------------------------------------------------------------------------------------------


def cells_of(line: str) -> int:
    """Number of columns a row of a tabular fills."""
    count = 1
    for found in re.finditer(r"(?<!\\)&|\\multicolumn\{([0-9]+)\}", line):
        count += int(found[1]) - 1 if found[1] else 1
    return count


def columns_of(spec: str) -> int:
    """Number of columns of a tabular."""
    spec = re.sub(r"@\{\}|>\{[^}]*\}", "", spec)
    spec = re.sub(r"p\{[^}]*\}|S\[[^\]]*\]", "l", spec)
    assert re.fullmatch("[lrc]+", spec), spec
    return len(spec)


def check_table(text: str) -> None:
    """Environments and braces match, every row fills its columns, dollars pair, specials outside of math are escaped."""
    stack: list[tuple[str, int]] = []
    depth = 0
    assert text.startswith("% needs booktabs")
    for line in text.splitlines():
        if line.startswith("%"):
            continue
        bare = re.sub(r"\\[\\{}$&%#_]", "", line).removesuffix("%")
        depth += bare.count("{") - bare.count("}")
        assert bare.count("$") % 2 == 0, line
        assert line.count(r"\left") == line.count(r"\right"), line
        if begin := re.match(r"\\begin\{(\w+)\}(?:\{(.*)\})?", line):
            stack.append((begin[1], columns_of(begin[2]) if begin[1] == "tabular" else 0))
            continue
        if end := re.fullmatch(r"\\end\{(\w+)\}", line):
            assert stack.pop()[0] == end[1]
            continue
        if stack and stack[-1][0] == "tabular" and not re.fullmatch(r"\\(top|mid|bottom)rule|\\addlinespace(\[2pt\])?", line):
            assert line.endswith(r"\\"), line
            assert cells_of(line.removesuffix(r"\\")) == stack[-1][1], line
            assert not line.startswith(("[", "*")), line
        outside = re.sub(r"\$[^$]*\$", "", bare.removesuffix(r"\\"))
        outside = re.sub(r"\\label\{[^}]*\}|\\[a-zA-Z]+|\\.", "", outside)
        assert not re.search(r"[_^#%$~<>]", outside), line
    assert not stack
    assert depth == 0


GOOD = "% needs booktabs\n\\begin{tabular}{lr}\n\\toprule\na & $1^{2}$ \\\\\n\\bottomrule\n\\end{tabular}"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (" & ", " "),
        (" & ", " & & "),
        (r"\\", ""),
        ("}$", "$"),
        ("$ ", " "),
        (r"\end{tabular}", ""),
        ("{lr}", "{l}"),
        ("a &", "a_b &"),
        ("a &", "50% &"),
        ("a &", "[a] &"),
        ("% needs booktabs", "% nothing"),
    ],
)
def test_the_latex_check_can_fail(old: str, new: str) -> None:
    check_table(GOOD)
    with pytest.raises(AssertionError):
        check_table(GOOD.replace(old, new, 1))


@pytest.mark.parametrize("siunitx", [False, True])
@pytest.mark.parametrize("name", QUICK)
def test_latex_is_well_formed(name: str, siunitx: bool) -> None:
    found = quick(name)
    text = found.latex(siunitx)
    check_table(text)
    assert f"\\label{{tab:{name}}}" in text
    assert text.count(r"\begin{table}") == text.count(r"\caption{") == 1
    for package, sign in (
        ("array", "arraybackslash"),
        ("siunitx", "table-format"),
        ("amssymb", r"\lesssim"),
        ("amssymb", "frak"),
    ):
        assert sign not in text or package in text.splitlines()[0]


def test_without_caption_and_label_there_is_a_tabular_with_its_notes() -> None:
    text = table("planted", saved=PLANTED).latex()
    check_table(text)
    assert "{table}" not in text
    assert "\nPlanted: copies" in text.partition(r"\end{tabular}")[2]


# --- cells ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("char", "latex"),
    [
        ("\\", r"\textbackslash{}"), ("&", r"\&"), ("%", r"\%"), ("$", r"\$"), ("#", r"\#"), ("_", r"\_"), ("{", r"\{"),
        ("}", r"\}"), ("~", r"\textasciitilde{}"), ("^", r"\textasciicircum{}"), ("<", r"\textless{}"), (">", r"\textgreater{}"),
        ("|", r"\textbar{}"), ('"', "''"), ("--", "-{}-"), ("a\n\n b", "a b"),
    ],
)  # fmt: skip
def test_text_is_escaped(char: str, latex: str) -> None:
    assert escape_latex(char) == Cell(char).latex() == latex


@pytest.mark.parametrize("char", list("\\&%$#_{}~^<>|\"'`*[]"))
def test_special_characters_survive_every_form(char: str) -> None:
    text = f"{char}x{char} y"
    one = Table(("a", "b"), ((Cell(text), number("1")),), "lr", caption=text.replace("$", ""), label="tab:x")
    check_table(one.latex())
    rows = list(csv.reader(io.StringIO(one.csv())))
    assert rows[1] == [text, "1"]
    assert json.loads(one.json())["rows"][0][0] == {"type": "text", "text": text}
    assert len(re.findall(r"(?<!\\)\|", one.markdown().splitlines()[-1])) == 3
    assert "".join(ElementTree.fromstring(one.html()).find("tbody").itertext()) == f"{text}1"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "latex", "column"),
    [
        ("0.5", "$0.5$", "0.5"),
        ("-12", "$-12$", "-12"),
        ("1.5e-7", r"$1.5 \times 10^{-7}$", "1.5e-7"),
        ("2e12", r"$2 \times 10^{12}$", "2e12"),
        ("inf", r"$\infty$", r"{$\infty$}"),
        ("1/3", "$1/3$", "{$1/3$}"),
        ("", "", ""),
    ],
)
def test_numbers(text: str, latex: str, column: str) -> None:
    assert number(text).latex() == latex
    assert number(text).siunitx() == column
    value = number(text).data()["value"]
    assert value == (float(text) if re.fullmatch(r"-?[0-9.]+(e-?[0-9]+)?", text) else None)


def test_marked_numbers() -> None:
    cell = number("1e-3", ("*", "assumed"))
    assert cell.latex() == r"${1 \times 10^{-3}}^{*}$"
    assert cell.siunitx(aligned=False) == r"\num{1e-3}\textsuperscript{*}"
    assert cell.string() == "1e-3 (assumed)"
    assert cell.data()["mark"] == "assumed"


@pytest.mark.parametrize(
    ("numbers", "form"),
    [
        (("1", "22.5", "0.125"), "table-format=2.3"),
        (("-1", "3"), "table-format=-1"),
        (("1.5e-7", "2e10", "3"), "table-format=1.1e-2"),
        (("1e5", "2e10"), "table-format=1e2"),
        (("1e-4", "0.01"), "table-format=1.4"),
        (("1", "inf", "-"), "table-format=1"),
    ],
)
def test_s_columns_hold_their_numbers(numbers: tuple[str, ...], form: str) -> None:
    cells = [Cell(x) if x == "-" else number(x) for x in numbers]
    text = Table(("x", "n_1"), tuple((Cell("a"), x) for x in cells), "lr").latex(siunitx=True)
    check_table(text)
    assert f"S[{form}]" in text
    assert r"{n\_1}" in text
    assert ("{--}" in text) == ("-" in numbers)


def test_a_column_without_numbers_is_no_s_column() -> None:
    text = Table(("x",), ((Cell("-"),),), "r").latex(siunitx=True)
    assert r"\begin{tabular}{r}" in text


def test_lines_of_source_line_up() -> None:
    lines = [x for x in table("planted", saved=PLANTED).latex().splitlines() if "&" in x]
    assert len({x.index("&") for x in lines}) == 1


def test_dollars_are_math_in_pairs_only() -> None:
    assert dollars("cost of $W_2$ & more").latex() == r"cost of $W_2$ \& more"
    assert dollars("5 $").latex() == r"5 \$"
    assert mixed(Cell("a "), math("x"), Cell(" b_1")).latex() == r"a $x$ b\_1"


def test_rows_that_begin_with_a_bracket_or_star() -> None:
    found = Table(("a", "b"), tuple((Cell(x), Cell("y")) for x in ("[x]", "*", "z")), "ll")
    check_table(found.latex())
    assert "{}[x]" in found.latex()


@pytest.mark.parametrize("label", ["a b", "x}", "50%", "a\\b"])
def test_labels_are_checked(label: str) -> None:
    with pytest.raises(InputError, match="label"):
        table("planted", saved=PLANTED, label=label)


# --- MathML and compact LaTeX -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("theorem", [x for x in cmbound.catalogue if x.evaluable], ids=lambda x: x.id)
def test_statements_become_mathml(theorem: Any) -> None:
    for latex in (theorem.latex(), *(compact(x.expression) for x in theorem.terms)):
        text = mathml(latex)
        shown = "".join(ElementTree.fromstring(text).itertext())
        assert shown
        assert "\\" not in shown, latex  # a command the library does not know is printed as it is


def test_every_sign_becomes_mathml() -> None:
    """Symbols, named functions with their definitions, what a left-hand side is written in, the bounds of profiles."""
    pieces = [x.latex for x in TABLE.values()] + [sign for _, sign, _ in SIGNS]
    pieces += [bound for x in PROFILES.values() for row in profile_data(x)["teachers"].values() for bound in row["latex"]]
    for theorem in cmbound.catalogue:
        pieces += [x["latex"] for x in theorem.to_dict()["where"] if x["latex"]]
    for latex in dict.fromkeys(pieces):
        assert "\\" not in "".join(ElementTree.fromstring(mathml(latex)).itertext()), latex


def test_mathml_of_a_formula() -> None:
    root = ElementTree.fromstring(mathml(r"\frac{1}{2} x^{2}_{n} \leq p_{\mathrm{data}}"))
    tags = {x.tag.rpartition("}")[2]: "".join(x.itertext()) for x in root.iter()}
    assert (tags["mfrac"], tags["msubsup"], tags["mtext"]) == ("12", "xn2", "data")
    assert root.get("displaystyle") == "true"
    assert "\\unknown" in mathml(r"\unknown")


@pytest.mark.parametrize("latex", ["", "x_", "^", "{", "}", r"\left(", r"\frac{1", "a & b", "x^2^3", "\\", "<b>", "%", '"'])
def test_mathml_of_what_is_no_latex(latex: str) -> None:
    text = mathml(latex)
    root = ElementTree.fromstring(text)
    assert root.tag.endswith("math")
    assert {x.tag.rpartition("}")[2] for x in root.iter()} <= {"math", "mrow", "mi", "mo", "mn", "mtext", "mfrac"}


@pytest.mark.parametrize(
    ("expression", "latex"),
    [
        ("a/b", "a / b"),
        ("a/(b*c)", "a / (b c)"),
        ("a/(b + c)", "a / (b + c)"),
        ("(a + b)*c/d", "c (a + b) / d"),
        ("sqrt(a)", "a^{1/2}"),
        ("1/sqrt(a)", "1 / a^{1/2}"),
        ("sqrt(2)*x/(2*sqrt(pi)*sqrt(y + 1))", r"x (2 \pi (y + 1))^{-1/2}"),
        ("x*exp(-y)", "x e^{- y}"),
        ("b - a", "b - a"),
    ],
)
def test_compact_latex(expression: str, latex: str) -> None:
    import sympy

    names = {x: sympy.Symbol(x, positive=True) for x in "abcdxy"}
    found = compact(sympy.sympify(expression, locals=names))
    assert found.replace(r"\left", "").replace(r"\right", "") == latex


@pytest.mark.parametrize("theorem", [x for x in cmbound.catalogue if x.evaluable], ids=lambda x: x.id)
def test_compact_latex_is_the_same_formula(theorem: Any) -> None:
    """Brackets balance and every symbol of the expression is there."""
    from cmbound.theory.notation import latex_names
    from cmbound.theory.variants import visible_symbols

    assert theorem.terms
    for term in theorem.terms:
        text = compact(term.expression)
        assert text.count("(") == text.count(")")
        assert text.count("{") == text.count("}")
        hidden = {cmbound.theory.notation.tau}  # v_delta is written without it
        for x in visible_symbols(term.expression) & set(latex_names()) - hidden:
            assert latex_names()[x] in text, (x, text)


@pytest.mark.parametrize(
    ("marked", "latex"),
    [
        ("$h$ is at most $eps_cm h_n$", r"$h$ is at most $\varepsilon_{cm} h_n$"),
        ("the score $s(., t)$ is $L_s$-Lipschitz", r"the score $s(\cdot, t)$ is $L_s$-Lipschitz"),
        ("of order $L_s^(-1/2)$", "of order $L_s^{-1/2}$"),
        ("$z ~ N(0, sigma_max^2 I)$", r"$z \sim \mathcal{N}(0, \sigma_{\max}^2 I)$"),
        ("$T >= log(2 L_f) + delta$", r"$T \geq \log(2 L_f) + \delta$"),
        ("$2^(1-k)$ times $L_f log(lam_T/lam_delta)/eps$", r"$2^{1-k}$ times $L_f \log(\lambda_T/\lambda_\delta)/\varepsilon$"),
        ("the data", "the data"),
    ],
)
def test_marked_math_has_symbols(marked: str, latex: str) -> None:
    assert prose(marked).latex() == latex
    assert prose(marked).string() == marked.replace("$", "")


def test_words_that_are_names_have_symbols() -> None:
    assert named("needs t_hat (or sigma_hat), a, d").latex() == r"needs $\hat t$ (or $\hat\sigma$), a, $d$"
    assert named(" to p_data").latex() == r" to $p_{\mathrm{data}}$"
    assert named("nothing here") == Cell("nothing here")


def marked_texts() -> dict[str, str]:
    """Every text of the catalogue and of the table of symbols in which math may be marked."""
    texts = [x.meaning for x in TABLE.values()]
    for theorem in cmbound.catalogue:
        texts += [theorem.title, theorem.metric, theorem.complexity_metric, *(x.text for x in theorem.assumptions)]
    texts += [x.text for x in cmbound.corollaries()]
    return {str(x): Prose(x).marked for x in texts}


def test_the_math_of_the_catalogue_is_marked() -> None:
    """Nothing with an underscore or a power stands outside of the marks, and every word in them has a meaning."""
    left_over = {"(E norm(x_0)^2)^(1/2)", "(sum of the root weights)^2", "(sum_n $h_n$ E norm($s_phi$ - s)^2)^(1/2)"}
    letters = {"I", "U", "z", "n", "s", "m0", "e", "M"}
    for plain, marked in marked_texts().items():
        assert "$" not in plain
        assert marked.count("$") % 2 == 0, marked
        for known in left_over:
            marked = marked.replace(known, "")
        pieces = marked.split("$")
        assert not re.search(r"[_^]|<|>=", "".join(pieces[::2])), marked
        for word in re.findall(r"[A-Za-z]\w*", " ".join(pieces[1::2])):
            assert word in TABLE or word in WRITTEN or word in letters or re.fullmatch(r"[a-zA-Z]_[nTt]", word), (word, marked)


# --- the named tables -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", QUICK)
def test_all_forms_carry_the_same_cells(name: str, form: str) -> None:
    found = quick(name)
    text = found.render(form)
    if form == "json":
        data = json.loads(text)
        assert [[x["text"] for x in row] for row in data["rows"]] == [
            [x.string() if x.kind == "math" else x.text for x in row] for row in found.rows
        ]
        assert data["table"] == name
    elif form == "text":
        wide = found.text(5000)
        assert all(x.string() in wide for row in found.rows for x in row)
        assert all(x in wide for x in (*found.header, found.caption))
        assert max(map(len, text.splitlines())) <= 120
    elif form == "csv":
        rows = list(csv.reader(io.StringIO(text)))
        assert rows == [list(found.header), *([x.string() for x in row] for row in found.rows)]
    elif form == "html":
        root = ElementTree.fromstring(text)
        assert root.get("id") == f"tab:{name}"
        headings = found.layout == "headings"
        filled = [x.findall("td") for x in root.findall("tbody/tr") if x.find("td") is not None]
        assert len(filled) == len(found.rows)
        assert {len(x) for x in filled} == {len(found.header) - headings}
        above = ["".join(x.itertext()) for x in root.findall("tbody/tr/th")]
        assert len(above) == (len({row[0] for row in found.rows}) if headings else 0)
        html.parser.HTMLParser().feed(text)
        assert "<script" not in text
    elif form == "markdown":
        lines = [x for x in text.splitlines() if x.startswith("|")]
        assert len(lines) == 2 + len(found.rows)
        assert len({len(x) for x in lines}) == 1
        assert {len(re.findall(r"(?<!\\)\|", x)) for x in lines} == {len(found.header) + 1}
    else:
        check_table(text)


def test_every_pair_is_about_one_quantity() -> None:
    for pair in PAIRS:
        theorem = cmbound.theorem(pair.explicit)
        assert {cmbound.theorem(x).metric for x in pair.order} == {theorem.metric}
    one_step = {x.name: x.expression for x in cmbound.theorem("lyu2023-cor4").terms if x.name != "early_stopping"}
    assert one_step == {x.name: x.expression for x in cmbound.theorem("lyu2023-thm3").terms}


def test_statements_have_every_term() -> None:
    data = table("statements").data()["rows"]
    for pair in PAIRS:
        rows = [x for x in data if x[0]["text"].startswith(f"{pair.title}:")]
        for place, id in ((2, pair.order[-1]), (3, pair.explicit)):
            if pair.title == "One more evaluation" and place == 3:
                continue
            cells = {x[1]["text"]: x[place]["text"] for x in rows if x[place]["text"]}
            expected = {x.name.replace("_", " "): str(x.expression).replace("C*", "") for x in cmbound.theorem(id).terms}
            assert set(cells) == set(expected)
            if place == 3:
                assert cells == expected


def test_assumptions_are_those_of_the_records() -> None:
    found = table("assumptions", statements="explicit-training,lyu2023-cor4").data()
    names = [x["header"] for x in found["columns"]]
    training, corollary = found["rows"]
    assert training[names.index("A4")]["text"] == "exact"
    assert "A2" not in names or training[names.index("A2")]["text"] == ""
    assert corollary[names.index("A6")]["text"] == "yes"
    assert r"\checkmark" in table("assumptions").latex()


def test_presets_mark_what_is_assumed() -> None:
    found = table("presets", presets="gaussian-2d", digits=3)
    rows = {x[0].string(): x[1] for x in found.rows}
    assert rows["L_f"].mark == ("*", "assumed")
    assert rows["L_s"].mark is None
    value = cmbound.theorem("explicit-one-step").evaluate(preset="gaussian-2d").upper
    assert rows["bound (W2)"].text == rounded(value, 3)
    assert float(rows["bound (W2)"].text) >= float(value)


def test_complexity_has_both_kinds_of_rows() -> None:
    found = table("complexity")
    rows = [[x.string() for x in row] for row in found.rows]
    assert ["lyu2023-cor4", "L_f*L_s**(3/2)*T**2*sqrt(d)/eps", "proved"] in [[x[0], x[3], x[4]] for x in rows]
    assert any(x[0] == "explicit-one-step" and x[4] == "proved" for x in rows)
    assert all(any(x[0] == y.id for x in rows) for y in cmbound.catalogue if y.complexity is not None and not y.evaluable)
    check_table(found.latex())


def test_budgets_say_what_cannot_be_reached() -> None:
    found = table("budgets", targets=["1"], presets="gaussian-2d")
    cells = dict(zip(found.header, found.rows[0], strict=True))
    budget = cmbound.solve("explicit-one-step", target=1, preset="gaussian-2d")
    assert cells["N"].text == budget.budget["N"]
    assert cells["delta"].text == budget.budget["delta"]
    impossible = table("budgets", targets="1e-250", presets="gaussian-2d")
    assert impossible.rows[0][-1].text.startswith("not reachable")
    assert impossible.rows[0][2].text == "-"
    check_table(impossible.latex(siunitx=True))


def test_verification_from_a_campaign_is_that_of_its_report() -> None:
    computed = table("verification", statements="explicit-training", world="gaussian", instances=20, seed=3)
    report = cmbound.check("explicit-training", world="gaussian", instances=20, seed=3)
    saved = table("verification", saved={**report.to_dict(), "world": "gaussian"})
    assert computed.rows == saved.rows
    assert [x.text for x in computed.rows[0][:3]] == ["explicit-training", "gaussian", "20"]


def test_planted_counts() -> None:
    rows = {row[0].text: [x.text for x in row[1:]] for row in table("planted", saved=PLANTED).rows}
    assert rows == {
        "explicit-map-error": ["1", "0", "1", "0", "0"],
        "explicit-one-step": ["6", "3", "0", "2", "1"],
        "total": ["7", "3", "1", "2", "1"],
    }


def test_the_committed_plants_make_a_table() -> None:
    path = Path(__file__).parents[1] / "paper_tables" / "planted.json"
    total = table("planted", saved=str(path)).rows[-1]
    assert int(total[1].text) == json.loads(path.read_text(encoding="utf-8"))["planted"]


def test_comparison_reads_the_record() -> None:
    compared = compare_two()
    found = comparison_table(compared, 3)
    value = rounded(compared.rows[0].evaluation.upper, 3)
    assert [x.string() for x in found.rows[1]] == ["W2 to p_data", "explicit-one-step", "explicit", "derived", value, "1", ""]
    assert [x.string() for x in found.rows[0]] == ["TV to p_data", "chen2022-ddpm", "order", "verbatim", "-", "-", "needs KL"]
    assert found.rows[1][0].latex() == r"$W_2$ to $p_{\mathrm{data}}$"
    assert found.rows[0][-1].latex() == r"needs $\mathrm{KL}$"
    check_table(found.latex(siunitx=True))


@cache
def compare_two() -> Any:
    """One statement that has a value and one that has none."""
    return cmbound.compare(statements=["explicit-one-step", "chen2022-ddpm"], preset="gaussian-2d")


def test_narrow_terminals() -> None:
    for name in QUICK:
        assert all(len(x) <= 60 for x in quick(name).text(60).splitlines())


WORDS = (
    "",
    "a",
    "eps_sc",
    "1.234e-5",
    "two words",
    "  led",
    "x" * 30,
    "y" * 75,
    "[bold]",
    "<=",
    "a\tb",
    "n\nl",
    "\u03b1\u03b2",
    "http://x.y/z",
)


def a_page(seed: int) -> str:
    """Lines and tables of some words, on a page of some width."""
    rng = random.Random(seed)
    made = page.Page(rng.choice([20, 40, 60, 61, 80, 120]))
    for _ in range(3):
        made.line(" ".join(rng.choices(WORDS, k=rng.randint(0, 12))), rng.choice([0, 2, 7]))
        count = rng.randint(1, 9)
        rows = [rng.choices(WORDS, k=count) for _ in range(rng.randint(0, 4))]
        made.grid(rng.choices(WORDS, k=count), "".join(rng.choices("lr", k=count)), rows, rng.choice([0, 2]))
    return str(made)


def test_what_fits_is_written_as_rich_lays_it_out(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = [a_page(seed) for seed in range(300)]
    monkeypatch.setattr(page, "_as_it_stands", lambda text: False)
    assert quick == [a_page(seed) for seed in range(300)]


# --- a user's own -----------------------------------------------------------------------------------------------------


def test_custom_numbers_are_those_of_the_evaluation() -> None:
    found = table("custom", spec=SPEC)
    value = cmbound.theorem("explicit-one-step").evaluate(preset="gaussian-2d", L_f="1", eps_sc="1e-4")
    row = dict(zip(found.header, found.rows[0], strict=True))
    assert row["total"].text == rounded(value.upper, 3)
    assert row["discretisation"].text == rounded(value.terms["discretisation"].upper, 4)
    assert row["eps_sc"].text == "1e-4"
    assert row["N"].text == "6000"
    assert found.rows[2][6].text == "yes"
    assert found.label == "tab:own"
    assert table("custom", spec=SPEC, label="tab:other").label == "tab:other"


def test_custom_may_list_statements_without_evaluating() -> None:
    columns = [{"quantity": x} for x in ("statement", "metric", "kind", "known", "quantity", "reference", "title")]
    found = table("custom", spec={"column": columns, "row": [{"statement": x.id} for x in cmbound.catalogue]})
    assert len(found.rows) == len(cmbound.catalogue)
    check_table(found.latex())


def changed(**changes: Any) -> dict[str, Any]:
    """The specification with parts replaced."""
    return {**SPEC, **changes}


@pytest.mark.parametrize(
    ("spec", "error", "words"),
    [
        (changed(colum=[]), UnknownNameError, ("colum", "column")),
        (changed(column=[]), InputError, ("[[column]]",)),
        (changed(row=3), InputError, ("[[row]]", "3")),
        (changed(column=[{"header": "x"}]), InputError, ("[[column]] 1", "quantity", "total")),
        (changed(column=[{"quantity": "totl"}]), UnknownNameError, ("totl", "total")),
        (changed(column=[{"quantity": "total", "digit": 3}]), UnknownNameError, ("digit", "digits")),
        (changed(column=[{"quantity": "total", "digits": "3"}]), InputError, ("digits of [[column]] 1", "'3'", "1 to 17")),
        (changed(column=[{"quantity": 3}]), InputError, ("quantity", "3")),
        (changed(row=[{"preset": "digits", "sta": 1}]), UnknownNameError, ("[[row]] 1", "sta")),
        (changed(defaults={}, row=[{"preset": "digits"}]), InputError, ("[[row]] 1", "statement")),
        (changed(row=[{"label": "x", "preset": "digts"}]), UnknownNameError, ("[[row]] 1 (x)", "digts", "digits")),
        (changed(row=[{"preset": "gaussian-2d", "params": {"L_f": "0"}}]), DomainError, ("[[row]] 1", "L_f")),
        (changed(row=[{"preset": "gaussian-2d", "params": 3}]), InputError, ("params", "3")),
        (changed(row=[{"preset": "gaussian-2d", "label": 3}]), InputError, ("label", "3")),
        (changed(defaults=3), InputError, ("defaults", "3")),
        (changed(digits=0), InputError, ("digits", "0")),
        (changed(size="tiny2"), UnknownNameError, ("size", "tiny2")),
        (changed(caption=3), InputError, ("caption", "3")),
        (changed(label="a b"), InputError, ("label", "a b")),
        (None, InputError, ("specification",)),
        (3, InputError, ("3",)),
    ],
)
def test_custom_errors_name_the_key(spec: Any, error: type[CmboundError], words: tuple[str, ...]) -> None:
    with pytest.raises(error) as caught:
        table("custom", spec=spec)
    assert "\n" not in str(caught.value)
    assert all(x in str(caught.value) for x in words), str(caught.value)


# --- errors and the command line --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"name": "statments"}, UnknownNameError, ("statments", "statements")),
        ({"name": "presets", "targets": "1"}, InputError, ("targets", "presets", "statement")),
        ({"name": "presets", "digits": 0}, DomainError, ("digits", "0")),
        ({"name": "presets", "digits": "4"}, InputError, ("digits", "'4'")),
        ({"name": "presets", "presets": "a,,b"}, InputError, ("presets", "a,,b")),
        ({"name": "presets", "presets": "digts"}, UnknownNameError, ("digts", "digits")),
        ({"name": "budgets", "targets": "0"}, DomainError, ("target", "0")),
        ({"name": "statements", "statements": "explicit-training"}, InputError, ("explicit-training",)),
        ({"name": "comparison"}, InputError, ("preset",)),
        ({"name": "planted", "saved": {}}, InputError, ("witnesses",)),
        ({"name": "planted", "saved": {**PLANTED, "survived": [1]}}, InputError, ("survived", "theorem")),
        ({"name": "verification", "saved": []}, InputError, ("no report",)),
        ({"name": "verification", "saved": {"theorem": "x"}}, InputError, ("lacks", "kind")),
        ({"name": "sharpness", "saved": "/nowhere.json"}, InputError, ("/nowhere.json",)),
    ],
)
def test_errors(options: dict[str, Any], error: type[CmboundError], words: tuple[str, ...]) -> None:
    with pytest.raises(error) as caught:
        table(**options)
    assert all(x in str(caught.value) for x in words), str(caught.value)


def test_on_the_command_line(tmp_path: Path) -> None:
    saved, target = tmp_path / "planted.json", tmp_path / "planted.tex"
    saved.write_text(json.dumps(PLANTED), encoding="utf-8")
    args = ("table", "planted", "--from", str(saved))
    fine_text = fine(*args, "--format", "latex", "--siunitx", "--caption", "A & B", "--label", "tab:p")
    assert fine_text == table("planted", saved=PLANTED, caption="A & B", label="tab:p").latex(siunitx=True) + "\n"
    assert call(*args, "--format", "latex", "-o", str(target)).out == ""
    assert target.read_text(encoding="utf-8") == table("planted", saved=PLANTED).latex() + "\n"
    assert "explicit-one-step" in fine(*args)
    for name in NAMES:
        assert f"{name}: " in fine("table")


@pytest.mark.parametrize(
    "args",
    [
        ("table", "presets", "--presets", "gaussian-2d", "--caption", "A & B"),
        ("evaluate", "explicit-one-step", "--preset", "gaussian-2d"),
        ("show", "explicit-tv-underdamped"),
        ("presets", "digits"),
        ("profiles", "bounded"),
        ("table",),
    ],
)
def test_html_is_a_complete_page(args: tuple[str, ...]) -> None:
    """On the command line; it needs nothing else, and has the same words as the text."""
    page = ElementTree.fromstring(fine(*args, "--format", "html"))
    assert [x.tag for x in page] == ["head", "body"]
    assert page.findtext("head/title")
    assert not page.findall(".//script")
    assert not page.findall(".//link")
    body = page.find("body")
    assert body is not None
    assert len("".join(body.itertext()).split()) > 10


def test_html_in_a_notebook_is_a_fragment_with_its_math() -> None:
    for found, signs in (
        (cmbound.theorem("explicit-one-step"), ("\N{GREEK SMALL LETTER DELTA}", "\N{LESS-THAN OR EQUAL TO}", "L2")),
        (cmbound.theorem("explicit-one-step").evaluate(preset="gaussian-2d"), ("assumptions", "early stopping", "L2")),
        (cmbound.preset("digits"), ("number of pixels",)),
    ):
        root = ElementTree.fromstring(found._repr_html_())
        assert root.tag == "div"
        text = "".join(root.itertext())
        assert all(x in text for x in signs), text
        assert all(x.find("{*}mrow") is not None for x in root.iter("{http://www.w3.org/1998/Math/MathML}math"))
        assert "$" not in text
    assert ElementTree.fromstring(quick("custom")._repr_html_()).tag == "table"


@pytest.mark.parametrize(
    ("args", "status", "words"),
    [
        (("statments",), 2, ("did you mean 'statements'",)),
        (("presets", "--from", "x"), 2, ("--from", "presets")),
        (("planted", "-p", "h=1"), 2, ("-p", "planted")),
        (("custom",), 2, ("--spec",)),
        (("presets", "--siunitx"), 2, ("--siunitx", "latex")),
        (("--caption", "x"), 2, ("name of a table",)),
        (("presets", "--digits", "0"), 3, ("digits",)),
        (("custom", "--spec", "/nowhere.toml"), 2, ("/nowhere.toml",)),
    ],
)
def test_errors_on_the_command_line(args: tuple[str, ...], status: int, words: tuple[str, ...]) -> None:
    outcome = call("table", *args)
    assert (outcome.status, outcome.out) == (status, "")
    assert outcome.err.count("\n") == 1
    assert all(x in outcome.err for x in words), outcome.err


def test_a_malformed_specification(tmp_path: Path) -> None:
    path = tmp_path / "spec.toml"
    path.write_text("[[column]\n", encoding="utf-8")
    outcome = call("table", "custom", "--spec", str(path))
    assert outcome.status == 2
    assert "as TOML" in outcome.err


# --- golden files and LaTeX itself ------------------------------------------------------------------------------------


@cache
def golden() -> dict[str, str]:
    """What the golden files hold, by name."""
    found = {f"{name}.tex": quick(name).latex() + "\n" for name in ("statements", "planted", "verification")}
    found["presets.tex"] = quick("presets", presets="gaussian-2d,digits").latex(siunitx=True) + "\n"
    found |= {f"custom.{form}": quick("custom").render(form) + "\n" for form in ("csv", "json", "html", "markdown")}
    return found | {"custom.tex": quick("custom").latex(siunitx=True) + "\n"}


@pytest.mark.parametrize("name", sorted(x.name for x in GOLDEN.iterdir()) if GOLDEN.is_dir() else [])
def test_golden_files(name: str) -> None:
    assert golden()[name] == (GOLDEN / name).read_text(encoding="utf-8")


def test_every_golden_file_is_there() -> None:
    assert {x.name for x in GOLDEN.iterdir()} == set(golden())


@pytest.mark.skipif(bool(missing_tex()), reason=missing_tex() or "pdflatex is here")
class TestPdflatex:
    """Every table in a paper with the default page: no error, nothing sticks out."""

    @pytest.mark.parametrize("siunitx", [False, True])
    def test_tables_compile(self, siunitx: bool, tmp_path: Path) -> None:
        found = [quick(x) for x in QUICK]
        found += [table("complexity", caption="N", label="tab:c"), comparison_table(compare_two(), 4)]
        found += [table("budgets", targets="1,1e-250", presets="gaussian-2d", caption="Budgets")]
        body = "\n\\clearpage\n".join([x.latex(siunitx) for x in found])
        assert compiled(body, tmp_path) == []

    def test_special_characters_compile(self, tmp_path: Path) -> None:
        nasty = Table(("[a]", "b|c"), tuple((Cell(x), number("1e-5")) for x in ("[x]", "*", '\\&%$#_{}~^<>|"--', "")), "lr")
        assert compiled("\n\n".join([nasty.latex(), nasty.latex(siunitx=True)]), tmp_path) == []

    def test_compiling_can_fail(self, tmp_path: Path) -> None:
        assert compiled(GOOD.replace("a &", "a_b &"), tmp_path)
        wide = GOOD.replace("a &", "\\rule{500pt}{1pt} &")
        assert any("Overfull" in x for x in compiled(wide, tmp_path))


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for file, text in golden().items():
        (GOLDEN / file).write_text(text, encoding="utf-8")
