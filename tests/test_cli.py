"""The command line: every command, every format, where parameters come from, completion, start-up, terminals.

``call`` runs the entry point in this process; a process of its own is started only where one matters.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from functools import cache
from itertools import pairwise
from math import log, sqrt
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import cmbound
from cmbound.catalogue import presets
from cmbound.catalogue.bibtex import entries
from cmbound.evaluation.records import schema
from cmbound.theory import grids, profiles, variants
from cmbound.theory.notation import PUBLIC
from tests.helpers import (
    BASE,
    DDIM,
    EXPLICIT,
    FORMATS,
    IDS,
    POOL,
    call,
    check_csv,
    check_format,
    check_latex,
    check_markdown,
    fine,
    flags,
    needed,
    process,
    said,
    strict,
    without,
)

COMMANDS = (
    "guide", "list", "show", "cite", "evaluate", "check", "simulate", "certify", "convert", "grid", "sweep", "analyse", "solve",
    "schedule", "compare", "table", "plot", "explore", "profiles", "presets", "completion",
)  # fmt: skip


# --- helpers --------------------------------------------------------------------------------------------------------


def evaluated(id: str, params: Mapping[str, str], *options: str) -> dict[str, Any]:
    """``cmbound evaluate --format json``."""
    data = strict(fine("evaluate", id, *flags(params), *options, "--format", "json"))
    assert isinstance(data, dict)
    return data


def overlap(x: Mapping[str, Any], y: Mapping[str, Any]) -> bool:
    """Whether two enclosures have a point in common."""
    return Decimal(x["lower"]) <= Decimal(y["upper"]) and Decimal(y["lower"]) <= Decimal(x["upper"])


@pytest.mark.parametrize(
    "text",
    [
        r"\begin{tabular}{ll}" + "\na & b & c \\\\\n" + r"\end{tabular}",
        r"\begin{tabular}{ll}" + "\na & b\n" + r"\end{tabular}",
        r"\begin{tabular}{ll}",
        r"\[ \left( x \]",
        r"\frac{1}{2",
        "early_stopping",
        "50 %",
    ],
)
def test_the_latex_check_can_fail(text: str) -> None:
    with pytest.raises(AssertionError):
        check_latex(text)


def test_the_other_checks_can_fail() -> None:
    with pytest.raises(AssertionError):
        check_markdown("| a | b |\n| - | - |\n| 1 |")
    with pytest.raises(AssertionError):
        check_csv("a,b\n1\n")
    for text in ('{"b": 1, "a": 2}', '{"a": NaN}', '{"a": Infinity}'):
        with pytest.raises(AssertionError):
            strict(text)


# --- entry points and help ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("args", [("cite",), ("evaluate", "explicit-training", *flags(needed("explicit-training"))), ("shwo",)])
def test_in_process_is_the_same_as_a_process(args: tuple[str, ...]) -> None:
    real, here = process(*args), call(*args)
    assert (real.returncode, real.stdout, real.stderr) == (here.status, here.out, here.err)


@pytest.mark.parametrize("option", ["-h", "--help"])
@pytest.mark.parametrize("command", [(), *((x,) for x in COMMANDS)], ids=lambda x: " ".join(x) or "cmbound")
def test_help_everywhere(command: tuple[str, ...], option: str) -> None:
    text = fine(*command, option)
    assert text.startswith(f"Usage: {' '.join(['cmbound', *command])} ")
    assert "-h, --help" in text
    assert all(len(line) <= 110 for line in text.splitlines())


def test_help_lists_every_command_and_the_exit_status() -> None:
    text = fine("-h")
    for name in COMMANDS:
        assert re.search(rf"^  {name}  ", text, re.MULTILINE)
    for status in ("0 fine", "2 usage", "3 assumption violated", "4 undecided", "141 closed"):
        assert status in re.sub(r"\s+", " ", text)


def test_help_wins_over_a_mistake_after_it() -> None:
    assert fine("evaluate", "-h", "nonsense").startswith("Usage: cmbound evaluate")


def test_help_of_evaluate_names_every_option_and_choice() -> None:
    text = re.sub(r"\s+", " ", fine("evaluate", "-h"))
    options = [
        "-p",
        "--params",
        "--preset",
        "--profile",
        "--grid",
        "--teacher",
        "--to",
        "--start",
        "--clock",
        "--tier",
        "--digits",
        "--format",
        "--output",
    ]
    for name in (*options, *grids.KINDS, *variants.TEACHERS, "p_data|p_delta", "standard|matched", "ou|ve", "|".join(FORMATS)):
        assert name in text


def test_version() -> None:
    assert fine("--version") == f"cmbound, version {cmbound.__version__}\n"
    real = process("--version")
    assert (real.returncode, real.stdout, real.stderr) == (0, f"cmbound, version {cmbound.__version__}\n", "")


def test_no_command_shows_the_help() -> None:
    outcome = call()
    assert outcome.status == 2
    assert "Usage: cmbound" in outcome.out + outcome.err


# --- list, show, cite, presets, completion --------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMATS)
def test_list(form: str) -> None:
    text = fine("list", "--format", form)
    check_format(text, form, signs=True)
    for name in IDS:
        assert name in text
    assert text == fine("list") if form == "text" else text != fine("list")


def test_list_data() -> None:
    rows = strict(fine("list", "--format", "json"))
    assert [x["id"] for x in rows] == list(IDS)
    assert rows == check_csv(fine("list", "--format", "csv"))
    for row, theorem in zip(rows, cmbound.catalogue, strict=True):
        assert (row["kind"], row["status"], row["metric"]) == (theorem.kind, theorem.status, theorem.metric)


@pytest.mark.parametrize("form", FORMATS)
def test_list_of_one_kind(form: str) -> None:
    for kind in ("explicit", "order"):
        those = [x.id for x in cmbound.catalogue if x.kind == kind]
        text = fine("list", "--kind", kind, "--format", form)
        assert [x for x in IDS if re.search(rf"(?<![\w-]){x}(?![\w-])", text)] == list(those)
    check_format(fine("list", "--kind", "exact", "--format", form), form, signs=True)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("id", IDS)
def test_show(id: str, form: str) -> None:
    check_format(fine("show", id, "--format", form), form, signs=True)


@pytest.mark.parametrize("id", IDS)
def test_show_says_everything(id: str) -> None:
    theorem = cmbound.theorem(id)
    page = re.sub(r"\s+", " ", fine("show", id))
    wanted = [theorem.title, theorem.reference.key, theorem.reference.place, theorem.provenance, theorem.derivation]
    wanted += [x.text for x in theorem.assumptions] + list(theorem.rests_on)
    wanted += [x.name for x in theorem.terms] + [x.meaning for x in theorem.parameters]
    for text in wanted:
        assert re.sub(r"\s+", " ", text) in page
    data = strict(fine("show", id, "--format", "json"))
    assert [x["name"] for x in data["parameters"]] == [x.name for x in theorem.parameters]
    assert [x["name"] for x in data["terms"]] == [x.name for x in theorem.terms]
    assert [x["id"] for x in data["assumptions"]] == [x.id for x in theorem.assumptions]
    assert data["latex"] == theorem.latex()


def test_show_with_options() -> None:
    plain = strict(fine("show", "explicit-one-step", "--format", "json"))
    for name, value in (("--profile", "universal"), ("--teacher", DDIM), ("--to", "p_delta"), ("--start", "matched")):
        assert strict(fine("show", "explicit-one-step", name, value, "--format", "json"))["latex"] != plain["latex"]
    assert strict(fine("show", "explicit-one-step", "--clock", "ve", "--format", "json"))["latex"] != plain["latex"]
    assert "early_stopping" not in fine("show", "explicit-one-step", "--to", "p_delta")
    assert "p_δ)" in fine("show", "explicit-one-step", "--to", "p_delta")


@pytest.mark.parametrize("profile", [x for x in profiles.NAMES if x not in ("auto", "atoms")])
@pytest.mark.parametrize("form", FORMATS)
def test_show_with_every_profile(profile: str, form: str) -> None:
    text = fine("show", "explicit-one-step", "--profile", profile, "--format", form)
    check_format(text, form, signs=True)
    assert "LocalErrorSum(T)" not in text


@pytest.mark.parametrize(
    ("id", "clock"),
    [(x.id, clock) for x in cmbound.catalogue if x.kind == "explicit" and "lipschitz" not in x.id for clock in ("ou", "ve")
     if x.ve_factor is not None or clock == ("ve" if x.clock == "ve" else "ou")],
)  # fmt: skip
def test_the_formula_shown_is_the_formula_evaluated(id: str, clock: str) -> None:
    import sympy

    theorem = cmbound.theorem(id)
    params = {**needed(id), **{name: POOL[name] for name in theorem.free}}
    options = {"clock": clock, **({"profile": "universal"} if theorem.uses_profile else {})}
    shown = sympy.expand_func(theorem.substitute(**params, **options)).doit()
    value = theorem.evaluate(**params, **options)
    assert float(shown.evalf(30)) == pytest.approx(value.value, rel=1e-12)


def test_cite() -> None:
    text = fine("cite")
    assert re.findall(r"^@\w+\{([^,]+),", text, re.MULTILINE) == ["cmbound", "lyu2023"]
    assert text.count("{") == text.count("}")


@pytest.mark.parametrize("id", IDS)
def test_cite_a_statement(id: str) -> None:
    found = entries()[cmbound.theorem(id).reference.key]
    assert fine("cite", id) == found + "\n"
    assert fine("cite", id, "cmbound", id) == "\n\n".join(dict.fromkeys((found, entries()["cmbound"]))) + "\n"


def test_presets() -> None:
    page = fine("presets")
    assert [line.split(":")[0] for line in page.splitlines()] == list(presets.names())
    data = strict(fine("presets", "--format", "json"))
    assert [x["name"] for x in data] == list(presets.names())
    assert all(y["how"] in presets.PROVENANCES for x in data for y in x["parameters"])


@pytest.mark.parametrize("name", presets.names())
def test_one_preset(name: str) -> None:
    page, data = fine("presets", name), strict(fine("presets", name, "--format", "json"))
    assert data in strict(fine("presets", "--format", "json"))
    for row in data["parameters"]:
        line = next(x for x in page.splitlines() if x.split()[:1] == [row["name"]])
        assert line.split()[1:3] == [row["value"], row["how"]]
        assert Fraction(row["value"]) > 0


def test_profiles() -> None:
    page, data = fine("profiles"), strict(fine("profiles", "--format", "json"))
    assert [line.split(":")[0] for line in page.splitlines()] == list(profiles.PROFILES)
    assert [x["name"] for x in data] == list(profiles.PROFILES)


@cache
def listed_profiles() -> Any:
    """What is printed of all profiles."""
    return strict(fine("profiles", "--format", "json"))


@pytest.mark.parametrize("name", profiles.PROFILES)
def test_one_profile(name: str) -> None:
    profile = profiles.PROFILES[name]
    page, data = re.sub(r"\s+", " ", fine("profiles", name)), strict(fine("profiles", name, "--format", "json"))
    assert data in listed_profiles()
    assert list(data["teachers"]) == sorted(profile.rules)
    for text in (profile.title, profile.reference, profile.derivation, *profile.rules, *(x.text for x in profile.assumptions)):
        assert re.sub(r"\s+", " ", text) in page
    for teacher in profile.rules:
        assert set(data["teachers"][teacher]["parameters"]) == profile.parameters(teacher)
    copied = fine("profiles", name, "--format", "latex")
    table, _, said = copied.partition(r"\end{tabular}")
    for row in (*data["where"], *data["signs"]):
        assert row["latex"] in said
    signs = {"a", "b", *(x["name"] for x in data["signs"])}
    assert ("sum_j" in signs) == (r"\sum_j" in table)
    assert ({"nu", "entropy", "y"} <= signs) == (name == "atoms")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script(shell: str) -> None:
    outcome = call("completion", shell)
    assert (outcome.status, outcome.err) == (0, "")
    assert f"_CMBOUND_COMPLETE={shell}_complete" in outcome.out


# --- evaluate: formats ----------------------------------------------------------------------------------------------

TRAINING = ("evaluate", "explicit-training", *flags(needed("explicit-training")))
MULTISTEP = ("evaluate", "explicit-multistep", *flags(without(needed("explicit-multistep"), "k", "t_hat")), "-p", "times=2,1")


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "args",
    [
        TRAINING,
        MULTISTEP,
        (*MULTISTEP, "--clock", "ve"),
        ("evaluate", "explicit-one-step", *flags(BASE)),
        ("evaluate", "explicit-one-step", "--preset", "song2023-cifar10"),
        ("evaluate", "lyu2023-cor4", *flags(needed("lyu2023-cor4"))),
        ("evaluate", "lyu2023-cor8", *flags(needed("lyu2023-cor8"))),
        ("evaluate", "explicit-score-lipschitz", "-p", "delta=1e-9", "-p", "R=1e3"),
    ],
    ids=lambda x: " ".join(x[1:2]),
)
def test_every_format(args: tuple[str, ...], form: str) -> None:
    text = fine(*args, "--format", form)
    check_format(text, form)
    assert args[1] in text or form == "csv"


def test_formats_agree() -> None:
    data = strict(fine(*MULTISTEP, "--format", "json"))
    rows = check_csv(fine(*MULTISTEP, "--format", "csv"))
    assert [x["term"] for x in rows] == [x["name"] for x in data["terms"]] + ["total"]
    for row, term in zip(rows, [*data["terms"], {**data, "share": 1.0}], strict=True):
        assert (row["lower"], row["upper"]) == (term["lower"], term["upper"])
        assert (float(row["value"]), float(row["share"])) == (term["value"], term["share"])
    page, latex = fine(*MULTISTEP), fine(*MULTISTEP, "--format", "latex")
    bound = re.search(r"^W2\(q_k, p_data\) <= (\S+)$", page, re.MULTILINE)
    assert bound is not None
    assert rf"\leq {bound[1]} \]" in latex
    assert f"certified: in [{data['lower']}, {data['upper']}]" in page
    for step in data["steps"]:
        assert re.search(rf"^  +{step['k']} ", page, re.MULTILINE)


@pytest.mark.parametrize("extra", [(), ("-p", "eps_sc=0"), ("-p", "T=30"), ("-p", "m2=1e6"), ("-p", "delta=1e-9")], ids=str)
def test_numbers_in_text_are_rounded_up_and_close(extra: tuple[str, ...]) -> None:
    params = without(BASE, *(x.split("=")[0] for x in extra[1::2]))
    data = evaluated("explicit-one-step", params, *extra)
    page = fine("evaluate", "explicit-one-step", *flags(params), *extra)
    shown = dict(re.findall(r"^  ([a-z]+(?: [a-z]+)?) +([0-9.e+-]+) +[0-9.]+$", page, re.MULTILINE))
    exact = {x["name"].replace("_", " "): Decimal(x["upper"]) for x in data["terms"]} | {"total": Decimal(data["upper"])}
    assert set(shown) == set(exact)
    for name, upper in exact.items():
        assert upper <= Decimal(shown[name]) <= upper * (1 + Decimal("1.001e-5")), name


def test_text_has_the_winners_by_stretch() -> None:
    args = ("explicit-one-step", "-p", "L_s=400", *flags(BASE))
    data, page = strict(fine("evaluate", *args, "--format", "json")), fine("evaluate", *args)
    stretches = data["profile"]["stretches"]
    assert data["profile"]["name"] == "auto"
    assert len({x["profile"] for x in stretches}) > 1
    assert (stretches[0]["from"], stretches[-1]["to"]) == (0.001, 5.0)
    assert all(x["to"] == y["from"] for x, y in pairwise(stretches))
    table = page[page.index("profile auto") :]
    assert [x.split()[0] for x in table.splitlines()[2 : 2 + len(stretches)]] == [x["profile"] for x in stretches]


def test_text_says_vacuous_and_names_the_dominating_term() -> None:
    page = re.sub(r"\s+", " ", fine("evaluate", "explicit-one-step", "--preset", "song2023-cifar10"))
    assert "vacuous at these parameters" in page
    assert "dominating term is discretisation" in page
    assert "vacuous" not in fine("evaluate", "explicit-one-step", "--preset", "gaussian-2d")
    assert strict(fine("evaluate", "explicit-one-step", "--preset", "gaussian-2d", "--format", "json"))["vacuous"] is False


def test_order_form_says_that_it_is_no_guarantee() -> None:
    data = evaluated("lyu2023-cor4", needed("lyu2023-cor4"))
    assert data["guarantee"] is False
    assert any("not a guarantee" in x for x in data["notes"])
    page = fine("evaluate", "lyu2023-cor4", *flags(needed("lyu2023-cor4")))
    assert "not a guarantee" in page
    assert "<~" in page


@pytest.mark.parametrize(
    ("options", "words"),
    [(("--start", "matched"), "matched"), (("--to", "p_delta"), "p_delta"), (("--clock", "ve"), "variance-exploding")],
)
def test_text_tells_choices_that_change_the_number(options: tuple[str, ...], words: str) -> None:
    """Two pages with different numbers must not read as answers to the same question."""
    standard = fine(*TRAINING)
    chosen = fine(*TRAINING, *options)
    assert words not in standard
    assert words in chosen


def test_output_file(tmp_path: Path) -> None:
    for args in (("list",), ("show", "explicit-training"), ("cite",), ("presets",), ("profiles", "atoms"), TRAINING):
        target = tmp_path / "out"
        target.write_text("something longer than the answer\n" * 500, encoding="utf-8")
        for option in ("-o", "--output"):
            outcome = call(*args, option, str(target))
            assert (outcome.status, outcome.out, outcome.err) == (0, "", "")
            assert target.read_text(encoding="utf-8") == fine(*args)
    assert fine(*TRAINING, "-o", "-") == fine(*TRAINING)


# --- evaluate: where parameters come from ---------------------------------------------------------------------------


def toml(data: Mapping[str, Any]) -> str:
    """A flat TOML table."""
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in data.items())


@pytest.mark.parametrize(
    ("form", "suffix"), [("toml", ".toml"), ("json", ".json"), ("toml", ".txt"), ("json", ".txt"), ("toml", ""), ("json", "")]
)
def test_params_file(tmp_path: Path, form: str, suffix: str) -> None:
    path = tmp_path / f"setting{suffix}"
    given = without(needed("explicit-training"), "d")
    numbers = {name: float(value) for name, value in given.items()} | {"d": 2}
    path.write_text(toml(numbers) if form == "toml" else json.dumps(numbers, indent=1), encoding="utf-8")
    data = strict(fine("evaluate", "explicit-training", "--params", str(path), "--format", "json"))
    assert data["upper"] == evaluated("explicit-training", needed("explicit-training"))["upper"]
    assert data["parameters"]["d"] == "2"


@pytest.mark.parametrize("form", ["toml", "json"])
def test_params_from_standard_input(form: str) -> None:
    given = needed("explicit-training")
    text = toml(given) if form == "toml" else "\n  " + json.dumps(given)
    data = strict(fine("evaluate", "explicit-training", "--params", "-", "--format", "json", stdin=text))
    assert data == evaluated("explicit-training", given)


def test_params_from_the_standard_input_of_a_process() -> None:
    given = needed("explicit-training")
    for text in (toml(given), json.dumps(given)):
        done = process("evaluate", "explicit-training", "--params", "-", input=text)
        assert (done.returncode, done.stdout, said(done.stderr)) == (0, fine(*TRAINING), [])


def test_numbers_in_files_keep_their_digits() -> None:
    digits = "0.1000000000000000055511151231257827021181583404541015625001"
    given = without(needed("explicit-training"), "eps_cm")
    for text in (toml(given) + f"eps_cm = {digits}\n", json.dumps(given)[:-1] + f', "eps_cm": {digits}}}'):
        data = strict(fine("evaluate", "explicit-training", "--params", "-", "--format", "json", stdin=text))
        assert data["parameters"]["eps_cm"] == digits
        assert data["upper"] == evaluated("explicit-training", {**given, "eps_cm": digits})["upper"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.1", "1/10"),
        ("1/3", "1/3"),
        ("1e-3", "1/1000"),
        ("+2", "2"),
        (".5", "1/2"),
        ("5.", "5"),
        ("1e-3/3", "1/3000"),
        (" 2 ", "2"),
    ],
)
def test_numbers_are_exact_and_reported_as_given(text: str, value: str) -> None:
    one = evaluated("explicit-training", {**needed("explicit-training"), "eps_cm": text})
    two = evaluated("explicit-training", {**needed("explicit-training"), "eps_cm": value})
    assert one["parameters"]["eps_cm"] == text.strip()
    assert (one["lower"], one["upper"]) == (two["lower"], two["upper"])


def test_precedence() -> None:
    """-p overrides --params, which overrides --preset."""

    def given(*args: str, stdin: str = "") -> dict[str, Any]:
        text = fine("evaluate", "explicit-training", "--preset", "gaussian-2d", *args, "--format", "json", stdin=stdin)
        found = strict(text)["parameters"]
        assert isinstance(found, dict)
        return found

    alone = given()
    assert (alone["T"], alone["eps_cm"], alone["d"]) == ("6", "1e-3", "2")
    file = given("--params", "-", stdin='T = 7\neps_cm = "1/3"\n')
    assert (file["T"], file["eps_cm"], file["d"]) == ("7", "1/3", "2")
    both = given("--params", "-", "-p", "T=8", stdin='T = 7\neps_cm = "1/3"\n')
    assert (both["T"], both["eps_cm"], both["d"]) == ("8", "1/3", "2")


def test_options_on_the_command_line_override_the_file() -> None:
    text = toml({**BASE, "profile": "universal", "to": "p_delta"})
    data = strict(fine("evaluate", "explicit-one-step", "--params", "-", "--format", "json", stdin=text))
    assert (data["profile"]["name"], data["to"]) == ("universal", "p_delta")
    args = ("--profile", "second-moment", "--to", "p_data")
    data = strict(fine("evaluate", "explicit-one-step", "--params", "-", *args, "--format", "json", stdin=text))
    assert (data["profile"]["name"], data["to"]) == ("second-moment", "p_data")


def test_options_in_a_params_file() -> None:
    given = without(BASE, "h") | {"N": "9"}
    options = {"profile": "universal", "grid": "edm", "teacher": DDIM, "to": "p_delta", "start": "matched", "clock": "ve"}
    line = [x for name, value in options.items() for x in (f"--{name}", value)]
    expected = evaluated("explicit-one-step", given, *line)
    for text in (toml({**given, **options}), json.dumps({**given, **options})):
        assert strict(fine("evaluate", "explicit-one-step", "--params", "-", "--format", "json", stdin=text)) == expected
    assert (expected["grid"]["kind"], expected["teacher"], expected["start"], expected["clock"]) == ("edm", DDIM, "matched", "ve")


@pytest.mark.parametrize("form", ["toml", "json"])
def test_digits_in_a_params_file(form: str) -> None:
    given: dict[str, Any] = {**needed("explicit-training"), "digits": 22}
    text = toml(given) if form == "toml" else json.dumps(given)
    data = strict(fine("evaluate", "explicit-training", "--params", "-", "--format", "json", stdin=text))
    assert data == evaluated("explicit-training", needed("explicit-training"), "--digits", "22")


def test_preset_in_a_params_file() -> None:
    text = toml({"preset": "gaussian-2d", "T": 7})
    here = strict(fine("evaluate", "explicit-training", "--params", "-", "--format", "json", stdin=text))
    there = strict(fine("evaluate", "explicit-training", "--preset", "gaussian-2d", "-p", "T=7", "--format", "json"))
    assert here == there


def test_lists_in_files_and_on_the_command_line() -> None:
    given = without(BASE, "h", "L_f", "eps_sc")
    lists: dict[str, Any] = {"L_f": [1.5, "6/5", 1], "eps_sc": ["1e-3", 0.002, 0.003]}
    line = {"L_f": "1.5,6/5,1", "eps_sc": "1e-3, 0.002, 0.003"}
    grid = ("--grid", "geometric", "-p", "N=3")
    expected = evaluated("explicit-one-step", {**given, **line}, *grid)
    for text in (toml({**given, **lists}), json.dumps({**given, **lists})):
        args = ("evaluate", "explicit-one-step", "--params", "-", *grid, "--format", "json")
        data = strict(fine(*args, stdin=text))
        assert (data["lower"], data["upper"], data["terms"]) == (expected["lower"], expected["upper"], expected["terms"])
        assert data["parameters"]["L_f"] == expected["parameters"]["L_f"] == ["1.5", "6/5", "1"]


# --- evaluate: presets ----------------------------------------------------------------------------------------------

MORE = {
    "explicit-multistep": {"k": "2", "t_hat": "1"},
    "explicit-score-lipschitz": {"R": "1"},
    "explicit-map-lipschitz": {"R": "1/100"},
    "explicit-tv-underdamped": {"L_phi": "5", "eta": "0.01"},
}


@pytest.mark.parametrize("id", EXPLICIT)
def test_preset_for_every_explicit_statement(id: str) -> None:
    data = evaluated(id, MORE.get(id, {}), "--preset", "gaussian-2d")
    assert data["theorem"] == id
    assert data["parameters"]["delta"] == "1e-4"


@pytest.mark.parametrize("name", presets.names())
def test_preset_is_one_step_away(name: str) -> None:
    data = evaluated("explicit-one-step", {}, "--preset", name)
    assert data["parameters"] == {k: v for k, v in cmbound.preset(name).parameters.items() if k in data["parameters"]}
    assert data["value"] > 0


@pytest.mark.parametrize(
    ("args", "kind", "steps"),
    [
        (("--preset", "digits", "--grid", "edm", "-p", "N=100"), "edm", 100),
        (("--preset", "digits", "--grid", "uniform", "-p", "h=0.5", "-p", "T=4.5", "-p", "delta=0.1"), "uniform", 9),
        (("--preset", "digits", "-p", "T=5"), "geometric", int(cmbound.preset("digits").parameters["N"])),
        (("--preset", "digits", "-p", "N=7"), "geometric", 7),
        (("--preset", "song2023-cifar10", "--clock", "ve"), "edm", 17),
        (("--preset", "song2023-cifar10", "--grid", "geometric"), "geometric", 17),
        (("--preset", "song2023-cifar10", "-p", "rho=3"), "edm", 17),
        (("--preset", "gaussian-2d", "--grid", "geometric", "-p", "N=50"), "geometric", 50),
        (("--preset", "gaussian-2d", "--grid", "uniform", "-p", "N=50"), "uniform", 50),
        (("--preset", "gaussian-2d", "-p", "N=50"), "uniform", 50),
        (("--preset", "gaussian-2d", "-p", "h=1e-2"), "closed-form", None),
    ],
    ids=lambda x: " ".join(x) if isinstance(x, tuple) else "",
)
def test_preset_with_overrides(args: tuple[str, ...], kind: str, steps: int | None) -> None:
    data = evaluated("explicit-one-step", {}, *args)
    assert (data["grid"]["kind"], data["grid"]["N"]) == (kind, steps)
    for name, value in (x.split("=") for x in args if "=" in x):
        assert data["parameters"][name] == value


def test_a_noise_level_replaces_the_time_of_a_preset() -> None:
    data = evaluated("explicit-training", {}, "--preset", "gaussian-2d", "-p", "sigma_max=80")
    assert data["parameters"]["sigma_max"] == "80"
    assert "T" not in data["parameters"]
    data = evaluated("explicit-training", {}, "--preset", "digits", "-p", "T=5")
    assert data["parameters"]["T"] == "5"
    assert "sigma_max" not in data["parameters"]


@pytest.mark.parametrize("preset", ["gaussian-2d", "digits", "song2023-cifar10"])
def test_a_grid_of_your_own_replaces_that_of_a_preset(tmp_path: Path, preset: str) -> None:
    path = tmp_path / "grid.txt"
    path.write_text("0.001 0.01 0.1 1 2 5\n", encoding="utf-8")
    data = evaluated("explicit-one-step", {}, "--preset", preset, "--grid", str(path))
    assert (data["grid"]["kind"], data["grid"]["N"]) == ("times", 5)
    assert (data["profile"]["stretches"][0]["from"], data["profile"]["stretches"][-1]["to"]) == (0.001, 5.0)


# --- evaluate: grids ------------------------------------------------------------------------------------------------

LAYOUTS = {
    "lines.txt": lambda xs: "# nodes\n\n" + "".join(f"{x}  # node {i}\n" for i, x in enumerate(xs)),
    "blanks.txt": lambda xs: " ".join(xs),
    "row.csv": lambda xs: ",".join(xs) + "\n",
    "column.csv": lambda xs: "\r\n".join(xs) + "\r\n",
    "spaced.csv": lambda xs: " ; ".join(xs) + "  # end",
    "text.json": lambda xs: json.dumps(list(xs)),
    "numbers.json": lambda xs: f"[{', '.join(repr(float(Fraction(x))) for x in xs)}]\n",
}


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("clock", ["ou", "ve"])
def test_grid_file(tmp_path: Path, name: str, clock: str) -> None:
    """A file with the nodes of a regular grid gives what the regular grid gives, in either clock."""
    given, one = without(BASE, "T", "delta", "h"), ("--profile", "universal")
    if clock == "ou":
        nodes = [str(Fraction(i, 4)) for i in range(1, 17)]
        ends = {"delta": nodes[0], "T": nodes[-1], "N": "15"}
        regular = evaluated("explicit-one-step", {**given, **ends}, "--grid", "uniform", *one)
    else:
        nodes = [str(Fraction(2) ** i) for i in range(-4, 7)]
        ends = {"sigma_min": nodes[0], "sigma_max": nodes[-1], "N": "10"}
        regular = evaluated("explicit-one-step", {**given, **ends}, "--grid", "geometric", "--clock", "ve", *one)
    path = tmp_path / name
    path.write_bytes(LAYOUTS[name](nodes).encode())
    data = evaluated("explicit-one-step", given, "--grid", str(path), "--clock", clock, *one)
    assert data["grid"] == {
        **regular["grid"],
        "kind": "times" if clock == "ou" else "noise-levels",
        "h_max": data["grid"]["h_max"],
    }
    assert data["grid"]["h_max"] == pytest.approx(regular["grid"]["h_max"], rel=1e-12)
    assert [x["name"] for x in data["terms"]] == [x["name"] for x in regular["terms"]]
    assert all(overlap(x, y) for x, y in zip(data["terms"], regular["terms"], strict=True))
    stretches = data["profile"]["stretches"]
    assert stretches[0]["from"] == pytest.approx(float(Fraction(nodes[0])), rel=1e-12)
    assert stretches[-1]["to"] == pytest.approx(float(Fraction(nodes[-1])), rel=1e-12)


def test_grid_from_standard_input_and_from_a_params_file(tmp_path: Path) -> None:
    given = without(BASE, "T", "delta", "h")
    nodes = ["1/1000", "0.01", "1", "5"]
    path = tmp_path / "nodes"
    path.write_text("\n".join(nodes), encoding="utf-8")
    expected = evaluated("explicit-one-step", given, "--grid", str(path))
    args = ("evaluate", "explicit-one-step", "--format", "json")
    assert strict(fine(*args, *flags(given), "--grid", "-", stdin="\n".join(nodes))) == expected
    assert strict(fine(*args, "--params", "-", stdin=toml({**given, "grid": nodes}))) == expected
    assert strict(fine(*args, "--params", "-", stdin=toml({**given, "grid": str(path)}))) == expected


def test_a_kind_of_grid_wins_over_a_file_of_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("edm").write_text("0.001 1 5", encoding="utf-8")
    given = without(BASE, "h") | {"N": "4"}
    assert evaluated("explicit-one-step", given, "--grid", "edm")["grid"]["kind"] == "edm"
    assert evaluated("explicit-one-step", without(given, "N", "T", "delta"), "--grid", "./edm")["grid"]["kind"] == "times"


def test_ends_may_be_given_with_a_grid_file(tmp_path: Path) -> None:
    path = tmp_path / "grid"
    path.write_text("0.001 1 5", encoding="utf-8")
    given = without(BASE, "h", "T", "delta")
    alone = evaluated("explicit-one-step", given, "--grid", str(path))
    assert evaluated("explicit-one-step", {**given, "T": "5", "delta": "1e-3"}, "--grid", str(path))["terms"] == alone["terms"]


# --- evaluate: JSON -------------------------------------------------------------------------------------------------


def cases() -> Iterator[tuple[str, str, dict[str, str], list[str]]]:
    """One example for every statement, profile, teacher, kind of grid, clock, start, target and tier."""
    for id in IDS:
        if cmbound.theorem(id).evaluable:
            yield id, id, needed(id), []
    for name in profiles.NAMES:
        for teacher in variants.TEACHERS if name == "auto" else profiles.PROFILES[name].rules:
            wanted = {"d", "m2", "R", "n_atoms"} if name == "auto" else {*profiles.PROFILES[name].parameters(teacher)}
            wanted |= {*variants.TEACHERS[teacher].needs}
            params = {**without(BASE, "h"), "N": "6", **{x: POOL[x] for x in sorted(wanted) if x in POOL}}
            yield (
                f"{name}, {teacher}",
                "explicit-one-step",
                params,
                ["--profile", name, "--teacher", teacher, "--grid", "geometric"],
            )
    for kind in grids.KINDS:
        params = BASE if kind == "two-stage" else {**without(BASE, "h"), "N": "6"}
        yield f"{kind} grid", "explicit-one-step", params, ["--grid", kind]
        yield f"{kind} grid, ve", "explicit-one-step", params, ["--grid", kind, "--clock", "ve"]
        yield f"{kind} grid, map error", "explicit-map-error", params, ["--grid", kind, "--teacher", DDIM]
    yield "uniform grid by h", "explicit-one-step", BASE, ["--grid", "uniform"]
    yield "N alone", "explicit-one-step", {**without(BASE, "h"), "N": "6"}, []
    noise = {**without(BASE, "T", "delta"), "sigma_min": "0.002", "sigma_max": "80"}
    for clock in variants.CLOCKS:
        for id in EXPLICIT:
            if clock == "ou" or cmbound.theorem(id).ve_factor is not None:
                yield f"{id}, {clock}", id, needed(id), ["--clock", clock]
        yield f"noise levels, {clock}", "explicit-one-step", noise, ["--clock", clock]
    yield "map error at a noise level", "explicit-map-error", {**noise, "sigma": "80"}, ["--clock", "ve"]
    for start in variants.STARTS:
        for target in variants.TARGETS:
            yield f"{start} to {target}", "explicit-one-step", BASE, ["--start", start, "--to", target]
    multistep = {**BASE, "L_s": "4"}
    yield "one evaluation", "explicit-multistep", {**multistep, "k": "1"}, []
    yield "one evaluation, t_hat", "explicit-multistep", {**multistep, "k": "1", "t_hat": "1"}, []
    yield "times", "explicit-multistep", {**multistep, "times": "2,1,1/2"}, []
    yield "one time", "explicit-multistep", {**multistep, "times": "2"}, []
    yield "noise levels", "explicit-multistep", {**multistep, "sigmas": "10,2"}, ["--clock", "ve"]
    yield "fixed noise level", "explicit-multistep", {**multistep, "sigma_hat": "2", "k": "4"}, []
    yield "noising back on a grid", "explicit-multistep", {**without(BASE, "h"), "N": "8", "times": "5"}, ["--grid", "edm"]
    for id in ("explicit-one-step", "explicit-multistep", "explicit-score-lipschitz", "lyu2023-cor4", "lyu2023-lem7"):
        yield f"{id}, approximate", id, needed(id), ["--tier", "approximate"]
    ddim = ["--grid", "geometric", "--teacher", DDIM]
    yield "weights", "explicit-one-step", {**without(BASE, "h"), "N": "6", "R": "1", "weights": "1,2,3"}, ddim
    yield "one weight", "explicit-one-step", {**without(BASE, "h"), "N": "6", "R": "1", "weights": "1"}, ddim
    lists = {"L_f": "1.5,1.2,1", "eps_sc": "0,1e-3,1/3", "eps_cm": "1,2,3"}
    yield "lists", "explicit-one-step", {**without(BASE, "h"), **lists, "N": "3"}, ["--grid", "geometric"]
    yield "no errors", "explicit-one-step", {**BASE, "eps_sc": "0", "eps_cm": "0", "m2": "0"}, []
    zero = {**needed("explicit-training"), "eps_cm": "0", "m2": "0"}
    yield "nothing left", "explicit-training", zero, ["--start", "matched", "--to", "p_delta"]
    yield "t_star", "explicit-one-step", {**BASE, "L_s": "4", "t_star": "delta"}, ["--profile", "lipschitz"]
    yield "sd2", "explicit-one-step", {**BASE, "sd2": "1"}, ["--profile", "second-moment"]
    yield "subspace", "explicit-one-step", {**without(BASE, "h"), "N": "6", "d_eff": "1"}, [*ddim, "--profile", "universal"]
    steps, heun = {**without(BASE, "h"), "N": "3"}, ["--grid", "edm", "--teacher", "heun"]
    yield "heun", "explicit-one-step", {**steps, "M": "2"}, heun
    yield "a list of M", "explicit-one-step", {**steps, "M": "2,3,1/2", "R": "2", "diameter": "3"}, heun
    yield "eigenvalues", "explicit-one-step", {**steps, "M": "2", "R": "2", "cov_eigs": "1,1/3"}, heun
    yield "errors at every node", "explicit-one-step", {**steps, "M": "2", "eps_sc": "0,1e-3,1/3,1e-2"}, heun
    yield "log-concave", "explicit-one-step", {**steps, "L_os": "0", "sd2": "1"}, ["--grid", "edm", "--teacher", DDIM]
    yield "half the diameter", "explicit-one-step", {**BASE, "R": "2", "diameter": "3"}, ["--profile", "bounded-integrated"]
    yield "forty digits", "explicit-training", needed("explicit-training"), ["--digits", "40"]


CASES = list(cases())


@pytest.mark.parametrize(("id", "params", "options"), [x[1:] for x in CASES], ids=[f"{i}-{x[0]}" for i, x in enumerate(CASES)])
def test_json_follows_the_schema(id: str, params: dict[str, str], options: list[str]) -> None:
    data = evaluated(id, params, *options)
    jsonschema.Draft202012Validator(schema()).validate(data)
    assert set(data) == set(schema()["required"]) | ({"steps"} if "multistep" in id else set())
    assert (data["theorem"], data["version"]) == (id, cmbound.__version__)
    assert data["parameters"] == {k: [x.strip() for x in v.split(",")] if "," in v else v for k, v in params.items()}
    sure = cmbound.theorem(id).known in ("verbatim", "derived")
    assert data["guarantee"] == (cmbound.theorem(id).kind == "explicit" and sure and data["tier"] == "certified")
    _check_numbers(data, data["tier"], data["terms"])
    for step in data.get("steps", ()):
        _check_numbers(step, data["tier"], step["terms"])
    if data["value"] > 0:
        assert sum(x["share"] for x in data["terms"]) == pytest.approx(1, abs=1e-9)
        assert data["dominating_term"] == max(data["terms"], key=lambda x: Decimal(x["upper"]))["name"]
    if "steps" in data:
        last = data["steps"][-1]
        assert [x["k"] for x in data["steps"]] == list(range(1, len(data["steps"]) + 1))
        assert (last["lower"], last["upper"], last["terms"]) == (data["lower"], data["upper"], data["terms"])
    if data["trivial_bound"] is not None:
        assert data["vacuous"] == (data["value"] >= data["trivial_bound"])


def _check_numbers(data: Mapping[str, Any], tier: str, terms: Sequence[Mapping[str, Any]]) -> None:
    """Directed rounding: lower <= upper <= value, to fifteen digits, and the terms add up."""
    for x in (data, *terms):
        value = Decimal(x["value"]) if tier == "certified" else Decimal(repr(x["value"]))
        lower, upper = Decimal(x["lower"]), Decimal(x["upper"])
        assert 0 <= lower <= upper <= value
        assert upper - lower <= upper * Decimal("1e-15")
        assert value <= upper * (1 + Decimal("2.3e-16")) or value < Decimal("1e-300")
        assert (lower == upper) or tier == "certified"
    if tier == "certified":
        assert sum(Fraction(x["lower"]) for x in terms) <= Fraction(data["upper"])
        assert sum(Fraction(x["upper"]) for x in terms) >= Fraction(data["lower"])


def test_the_schema_can_fail() -> None:
    validator = jsonschema.Draft202012Validator(schema())
    validator.check_schema(schema())
    good = evaluated("explicit-multistep", {**BASE, "times": "2,1"})
    assert validator.is_valid(good)
    for name in schema()["required"]:
        assert not validator.is_valid({k: v for k, v in good.items() if k != name}), name
    wrong: dict[str, Any] = {
        "schema_version": "0",
        "value": "1",
        "lower": "nan",
        "upper": 1.5,
        "terms": [{"name": "score"}],
        "grid": {"kind": "spiral", "N": 3, "h_max": 1},
        "assumptions": [{"id": "A1", "text": "x", "status": "believed"}],
        "steps": [{}],
        "tier": "guess",
        "kind": "rumour",
        "vacuous": "no",
        "parameters": {"d": 2},
        "unknown": 1,
    }
    for name, value in wrong.items():
        assert not validator.is_valid({**good, name: value}), name


@pytest.mark.parametrize("digits", [1, 15, 26, 28, 40, 200])
def test_digits(digits: int) -> None:
    """The printed decimals enclose the value, and are as close as was asked for."""
    args = ("explicit-one-step", {**BASE, "L_s": "4"}, "--digits")
    data, finer = evaluated(*args, str(digits)), evaluated(*args, str(digits + 30))
    assert Decimal(data["lower"]) < Decimal(data["upper"])  # an irrational number
    for x, y in zip((data, *data["terms"]), (finer, *finer["terms"]), strict=True):
        lower, upper = Decimal(x["lower"]), Decimal(x["upper"])
        assert lower <= Decimal(y["lower"]) <= Decimal(y["upper"]) <= upper
        assert (upper - lower) * Decimal(10) ** digits <= upper


def test_times_that_follow_from_noise_levels_are_enclosed() -> None:
    data = evaluated("explicit-one-step", {**without(BASE, "T", "delta"), "sigma_min": "0.002", "sigma_max": "80"})
    for name, sigma in (("T", 80), ("delta", 0.002)):
        low, high = (float(data["derived"][name][x]) for x in ("lower", "upper"))
        assert low <= high
        assert high == pytest.approx(log(1 + sigma**2) / 2, rel=1e-9)
    back = evaluated("explicit-one-step", BASE)["derived"]["sigma_max"]
    assert float(back["upper"]) == pytest.approx(sqrt(2.718281828459045**10 - 1), rel=1e-12)


def test_assumptions_in_json() -> None:
    found = {x["id"]: x["status"] for x in evaluated("explicit-one-step", BASE)["assumptions"]}
    assert found["interval"] == found["step"] == "checked"
    assert found["A1"] == found["A3"] == found["A4"] == found["A5"] == "assumed"
    assert "A2" not in found
    with_scores = evaluated("explicit-one-step", {**BASE, "L_s": "4"}, "--profile", "lipschitz")
    assert {"id": "A2", "status": "assumed"}.items() <= {x["id"]: x for x in with_scores["assumptions"]}["A2"].items()


def test_one_evaluation_is_one_step() -> None:
    one, several = evaluated("explicit-one-step", BASE), evaluated("explicit-multistep", {**BASE, "k": "1"})
    assert (one["lower"], one["upper"], one["terms"]) == (several["lower"], several["upper"], several["terms"])
    assert len(several["steps"]) == 1


def test_times_and_a_fixed_time_agree() -> None:
    fixed = evaluated("explicit-multistep", {**BASE, "t_hat": "1", "k": "4"})
    times = evaluated("explicit-multistep", {**BASE, "times": "1,1,1"})
    assert fixed["steps"] == times["steps"]


# --- completion -----------------------------------------------------------------------------------------------------


def offered(out: str) -> list[str]:
    """The plain suggestions in what a shell is told."""
    return [x.partition(",")[2] for x in out.splitlines() if x.startswith("plain,")]


def completion_env(line: str) -> dict[str, str]:
    """What bash hands to the program when the cursor is at the end of the line."""
    words = line.split(" ")
    return {"_CMBOUND_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}


LISTS: dict[str, tuple[str, ...] | None] = {
    "cmbound ": COMMANDS,
    "cmbound evaluate ": IDS,
    "cmbound show ": IDS,
    "cmbound cite ": IDS,
    "cmbound presets ": presets.names(),
    "cmbound profiles ": tuple(profiles.PROFILES),
    "cmbound completion ": ("bash", "zsh", "fish"),
    "cmbound evaluate explicit-one-step --preset ": presets.names(),
    "cmbound evaluate explicit-one-step --profile ": profiles.NAMES,
    "cmbound show explicit-one-step --profile ": profiles.NAMES,
    "cmbound evaluate explicit-one-step --grid ": grids.KINDS,
    "cmbound evaluate explicit-one-step --teacher ": tuple(variants.TEACHERS),
    "cmbound evaluate explicit-one-step --to ": variants.TARGETS,
    "cmbound evaluate explicit-one-step --start ": tuple(variants.STARTS),
    "cmbound evaluate explicit-one-step --clock ": tuple(variants.CLOCKS),
    "cmbound evaluate explicit-one-step --tier ": variants.TIERS,
    "cmbound evaluate explicit-one-step --format ": FORMATS,
    "cmbound evaluate explicit-one-step -p ": None,
    "cmbound evaluate explicit-one-step -p T=5 -p eps_": None,
    "cmbound evaluate explicit-one-step --profile lip": ("lipschitz", "lipschitz-integrated"),
    "cmbound evaluate lyu2023-thm": ("lyu2023-thm2", "lyu2023-thm3"),
    "cmbound evaluate explicit-one-step --pre": ("--preset",),
    "cmbound evaluate nothing-like-this": (),
}


def expected(line: str) -> list[str]:
    """What is offered; parameters are asked for now, since a user may add some."""
    parameters = [f"{x}=" for x in PUBLIC if x.startswith(line.split()[-1].removeprefix("-p"))]
    found = LISTS[line]
    return parameters if found is None else list(found)


@pytest.mark.parametrize("line", LISTS)
def test_completion_offers_what_the_library_has(line: str) -> None:
    outcome = call(env=completion_env(line))
    assert outcome.err == ""
    assert offered(outcome.out) == expected(line)


def test_choices_are_what_the_library_has() -> None:
    assert set(grids.KINDS) >= set(grids.FORMULAS)
    assert set(profiles.NAMES) == {"auto", *profiles.PROFILES}
    for kind in {x.kind for x in cmbound.catalogue}:
        assert kind in fine("list", "-h")


# --- what starting up imports ---------------------------------------------------------------------------------------

HEAVY = ("sympy", "matplotlib", "scipy")
PROBE = """
import io, json, os, sys
from contextlib import redirect_stdout
def run(argv, env):
    sys.argv = ["cmbound", *argv]
    os.environ.update(env)
    from cmbound.cli import main
    try:
        with redirect_stdout(io.TextIOWrapper(io.BytesIO(), write_through=True)) as out:
            main()
    except SystemExit as end:
        return [end.code, out.buffer.getvalue().decode()]
results = [run(argv, env) for argv, env in json.loads(sys.argv[1])]
print(json.dumps([results, [x for x in sys.modules if "." not in x or x == "numpy.ma" or x.startswith("cmbound.evaluation.")]]))
"""


def probe(runs: list[tuple[list[str], dict[str, str]]]) -> tuple[list[tuple[int, str]], set[str]]:
    """Exit status and output of each run of the program in one fresh process, and the modules imported by then."""
    done = subprocess.run([sys.executable, "-c", PROBE, json.dumps(runs)], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    results, modules = json.loads(done.stdout)
    return [(status, out) for status, out in results], set(modules)


def test_importing_the_package_is_light() -> None:
    code = "import sys, cmbound; cmbound.__version__; print(*(x for x in sys.modules if '.' not in x))"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "cmbound" in modules
    assert not {*HEAVY, "numpy", "flint", "mpmath"} & set(modules)


def test_computing_imports_what_it_uses() -> None:
    """Neither the masked arrays of numpy nor, for one bound, what many points at once need."""
    point = ["--preset", "gaussian-2d", "-p", "k=2", "-p", "t_hat=1", "-p", "R=3"]
    results, modules = probe([(["compare", *point], {}), (["schedule", "--preset", "digits", "--steps", "2"], {})])
    assert [status for status, _ in results] == [0, 0]
    assert not {"scipy", "numpy.ma"} & modules
    results, modules = probe([(["evaluate", "explicit-one-step", "--preset", "gaussian-2d"], {}), (list(TRAINING), {})])
    assert [status for status, _ in results] == [0, 0]
    assert "sympy" in modules
    assert not {"cmbound.evaluation.arrays", "cmbound.evaluation.many", "cmbound.evaluation.defining", *HEAVY[1:]} & modules


def test_showing_computes_nothing() -> None:
    ((status, out),), modules = probe([(["show", "explicit-one-step"], {})])
    assert status == 0
    assert "explicit-one-step" in out
    assert "sympy" in modules
    assert not {"numpy", "scipy", "rich"} & modules


def test_version_and_help_are_light() -> None:
    runs: list[tuple[list[str], dict[str, str]]] = [(["--version"], {}), (["-h"], {}), *(([x, "-h"], {}) for x in COMMANDS)]
    results, modules = probe(runs)
    assert [status for status, _ in results] == [0] * len(runs)
    assert all(out for _, out in results)
    assert not set(HEAVY) & modules


def test_completion_is_light() -> None:
    results, modules = probe([([], completion_env(line)) for line in LISTS])
    assert [offered(out) for _, out in results] == [expected(x) for x in LISTS]
    assert not set(HEAVY) & modules


def test_lists_are_light() -> None:
    runs: list[tuple[list[str], dict[str, str]]] = [
        ([x, *more], {}) for x in ("list", "presets") for more in ([], ["--format", "json"])
    ]
    results, modules = probe(runs)
    assert [status for status, _ in results] == [0] * len(runs)
    assert all(out for _, out in results)
    assert not {*HEAVY, "numpy", "flint", "latex2mathml"} & modules


# --- terminals ------------------------------------------------------------------------------------------------------


def on_a_terminal(columns: int, *args: str) -> str:
    """What the program prints on a terminal of this width."""
    pty = pytest.importorskip("pty")
    fcntl, termios = pytest.importorskip("fcntl"), pytest.importorskip("termios")
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, b"".join(x.to_bytes(2, sys.byteorder) for x in (24, columns, 0, 0)))
    env = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}
    chunks = []
    with subprocess.Popen(
        [sys.executable, "-m", "cmbound", *args], stdin=slave, stdout=slave, stderr=subprocess.PIPE, env=env
    ) as child:
        os.close(slave)
        while True:
            try:
                chunk = os.read(master, 1 << 16)
            except OSError:
                break
            if not chunk:
                break
            chunks.append(chunk)
        assert child.stderr is not None
        error = child.stderr.read()
    os.close(master)
    assert (child.returncode, error) == (0, b"")
    return b"".join(chunks).decode().replace("\r\n", "\n")


@pytest.mark.parametrize(
    "args",
    [TRAINING, ("list",), ("presets",), ("profiles",), ("presets", "digits"), ("show", "explicit-one-step")],
    ids=lambda x: " ".join(x[:2]),
)
def test_a_narrow_terminal(args: tuple[str, ...]) -> None:
    """Nothing is wider than the terminal, nothing is cut off, nothing is coloured."""
    text = on_a_terminal(44, *args)
    assert all(len(line) <= 44 for line in text.splitlines())
    assert not re.search(r"\x1b|\u2026", text)
    letters, wide = (Counter(re.sub(r"\s", "", x)) for x in (text, fine(*args)))
    assert not wide - letters
    assert letters == wide or args == ("list",)  # its rows become lists, where each entry has the name of its column


def test_a_number_is_never_broken_by_a_terminal_of_the_usual_width() -> None:
    text = on_a_terminal(80, *TRAINING)
    data = strict(fine(*TRAINING, "--format", "json"))
    assert f"[{data['lower']}, {data['upper']}]" in re.sub(r"\s+", " ", text)
    for name, value in needed("explicit-training").items():
        assert re.search(rf"{name} = {re.escape(value)}(,|$)", text, re.MULTILINE), (name, text)
