"""Whatever goes wrong: one line on standard error that says what was given and what is allowed, and the documented status.

Status: 2 usage, 3 assumption violated or input outside its domain, 4 undecided, 141 closed pipe.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy

import cmbound
from cmbound.catalogue import ids, presets
from cmbound.errors import CmboundError, InputError, UnknownNameError
from cmbound.theory import grids, profiles, variants
from cmbound.theory.computable import rewritten
from tests.helpers import (
    BASE,
    CLOSED_PIPE,
    DDIM,
    DOMAIN,
    EXPLICIT,
    IDS,
    ORDER,
    POOL,
    UNDECIDED,
    USAGE,
    call,
    fails,
    fine,
    flags,
    needed,
    one_line,
    process,
    without,
)
from tests.test_cli import COMMANDS

ONE, TRAINING = ("evaluate", "explicit-one-step"), ("evaluate", "explicit-training")
STEPS = {**without(BASE, "h"), "N": "3"}


def changed(**values: str) -> list[str]:
    """``-p`` flags of the standard setting with some values replaced or added."""
    return flags({**BASE, **values})


def test_the_form_of_a_message_is_checked() -> None:
    for err in ("", "oops\n", "cmbound: error: a\nb\n", "cmbound: error: a", "cmbound: error: \n"):
        with pytest.raises(AssertionError):
            one_line(err)


# --- missing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("id", EXPLICIT)
def test_everything_missing(id: str) -> None:
    names = needed(id)
    message = fails(USAGE, "evaluate", id, says=(id, *names))
    assert ("sigma_min" in message) == ("delta" in names)
    assert ("sigma_max" in message) == ("T" in names)


@pytest.mark.parametrize(("id", "name"), [(id, name) for id in IDS for name in needed(id) if name != "C"])
def test_one_missing(id: str, name: str) -> None:
    given = without(needed(id), name)
    message = fails(USAGE, "evaluate", id, *flags(given), says=(id,))
    listed = message.partition(" needs ")[2].partition(";")[0]
    assert [x.split()[0] for x in listed.split(", ")] == [name]


def test_a_missing_step_size_says_what_may_replace_it() -> None:
    fails(USAGE, *ONE, *flags(without(BASE, "h")), says=("h", "grid"))
    for name in ("times", "t_hat"):
        fails(USAGE, "evaluate", "explicit-multistep", *changed(k="3"), says=(name,))


@pytest.mark.parametrize("kind", grids.KINDS)
def test_what_a_grid_needs(kind: str) -> None:
    name = "h" if kind == "two-stage" else "N"
    fails(USAGE, *ONE, *flags(without(BASE, "h")), "--grid", kind, says=(kind, name))


@pytest.mark.parametrize(
    ("profile", "teacher", "name"),
    [
        (profile, teacher, name)
        for profile, x in profiles.PROFILES.items()
        for teacher in x.rules
        for name in sorted(x.parameters(teacher) - {"d", "m2", "t_star", *variants.TEACHERS[teacher].needs})
    ],
)
def test_what_a_profile_needs(profile: str, teacher: str, name: str) -> None:
    needs = profiles.PROFILES[profile].parameters(teacher) | {*variants.TEACHERS[teacher].needs}
    given = {x: POOL[x] for x in needs - {name, "t_star"}}
    args = (*flags({**STEPS, **given}), "--grid", "edm", "--teacher", teacher, "--profile", profile)
    fails(USAGE, *ONE, *args, says=(repr(profile), name))


def test_what_a_teacher_needs() -> None:
    args = (*flags({**STEPS, "R": "1"}), "--grid", "edm", "--teacher", "heun")
    for profile in ("auto", "universal-integrated", "bounded-integrated"):
        fails(USAGE, *ONE, *args, "--profile", profile, says=("needs M", "heun"))
    fails(USAGE, *ONE, *changed(M="1"), "--teacher", "heun", says=("heun", "grid"))
    for word in ("x", "1,2,x", ""):
        fails(USAGE, *ONE, *args, "-p", f"M={word}", says=("M",))
    fails(DOMAIN, *ONE, *args, "-p", "M=-1", says=("M", "-1"))
    fails(USAGE, *ONE, *args, "-p", "M=1,2,3,4,5,6,7", says=("M", "7 values"))


@pytest.mark.parametrize("args", [("evaluate",), ("show",)])
def test_missing_arguments(args: tuple[str, ...]) -> None:
    fails(USAGE, *args, says=("ID",))
    fails(USAGE, "completion", says=("bash", "zsh", "fish"))


@pytest.mark.parametrize("option", ["-p", "--params", "--preset", "--profile", "--grid", "--teacher", "--to", "--digits", "-o"])
def test_missing_value_of_an_option(option: str) -> None:
    fails(USAGE, *TRAINING, option, says=(option,))


# --- unknown --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "given", "nearest"),
    [
        (("evalute", "explicit-one-step"), "evalute", "evaluate"),
        (("evaluate", "explicit-onestep"), "explicit-onestep", "explicit-one-step"),
        (("show", "lyu2023-th2"), "lyu2023-th2", "lyu2023-thm2"),
        (("cite", "explicit-mapp-error"), "explicit-mapp-error", "explicit-map-error"),
        (("presets", "digit"), "digit", "digits"),
        (("profiles", "atom"), "atom", "atoms"),
        ((*ONE, "--preset", "gausian-2d"), "gausian-2d", "gaussian-2d"),
        ((*ONE, *changed(esp_sc="1")), "esp_sc", "eps_sc"),
        ((*ONE, *changed(eps_CM="1")), "eps_CM", "eps_cm"),
        ((*ONE, *changed(Sigma_min="1")), "Sigma_min", "sigma_min"),
        ((*ONE, *changed(), "--profile", "lipshitz"), "lipshitz", "lipschitz"),
        ((*ONE, *changed(), "--grid", "unifrom"), "unifrom", "uniform"),
        ((*ONE, *changed(), "--teacher", "ddmi"), "ddmi", "ddim"),
        (("show", "explicit-one-step", "--profile", "atom"), "atom", "atoms"),
        (("show", "explicit-one-step", "--teacher", "dim"), "dim", "ddim"),
    ],
    ids=lambda x: x[-1] if isinstance(x, tuple) else "",
)
def test_unknown_names_get_a_suggestion(args: tuple[str, ...], given: str, nearest: str) -> None:
    fails(USAGE, *args, says=(repr(given), f"did you mean {nearest!r}?"))


@pytest.mark.parametrize(
    ("args", "known"),
    [
        (("qqq",), COMMANDS),
        (("show", "qqq"), (f"known are {len(IDS)}, such as",)),
        (("presets", "qqq"), presets.names()),
        (("profiles", "qqq"), tuple(profiles.PROFILES)),
        ((*ONE, *changed(), "--profile", "qqq"), profiles.NAMES),
        ((*ONE, *changed(), "--grid", "qqq"), grids.KINDS),
        ((*ONE, *changed(), "--teacher", "qqq"), tuple(variants.TEACHERS)),
        ((*ONE, *changed(), "--to", "qqq"), variants.TARGETS),
        ((*ONE, *changed(), "--start", "qqq"), tuple(variants.STARTS)),
        ((*ONE, *changed(), "--clock", "qqq"), tuple(variants.CLOCKS)),
        ((*ONE, *changed(), "--tier", "qqq"), variants.TIERS),
        ((*ONE, *changed(), "--format", "yaml"), ("text", "json", "latex", "markdown", "csv")),
        ((*TRAINING, "-p", "qqq=1"), tuple(needed("explicit-training"))),
        (("list", "--kind", "qqq"), ("order", "explicit", "exact")),
        (("completion", "qqq"), ("bash", "zsh", "fish")),
    ],
    ids=lambda x: " ".join(x[-2:]) if isinstance(x, tuple) else "",
)
def test_names_like_no_other_get_the_list(args: tuple[str, ...], known: tuple[str, ...]) -> None:
    given = args[-1].partition("=")[0]
    fails(USAGE, *args, says=(repr(given), *known))


def test_unknown_in_a_file() -> None:
    fails(USAGE, *TRAINING, "--params", "-", stdin="m3 = 1\n", says=("'m3'", "did you mean 'm2'?"))
    for name, value in (("profile", "univrsal"), ("grid", "edn"), ("teacher", "ddmi"), ("preset", "digts")):
        fails(USAGE, *ONE, "--params", "-", stdin=json.dumps({**BASE, name: value}), says=(name, repr(value), "did you mean"))
    for name, value in (("to", "p_dta"), ("start", "mached"), ("clock", "vee")):
        fails(USAGE, *ONE, "--params", "-", stdin=json.dumps({**BASE, name: value}), says=(repr(value), "did you mean"))


@pytest.mark.parametrize(
    "args", [("--nonsense",), ("list", "--nonsense"), (*ONE, "--nonsense"), (*ONE, "--profil", "x"), ("-x",)]
)
def test_unknown_options(args: tuple[str, ...]) -> None:
    option = next(x for x in args if x.startswith("-"))
    fails(USAGE, *args, says=(option,))


@pytest.mark.parametrize("args", [("list", "x"), ("show", "explicit-one-step", "x"), (*ONE, "x")])
def test_extra_arguments(args: tuple[str, ...]) -> None:
    fails(USAGE, *args, says=(args[-1],))


def test_data_are_no_parameter_in_python() -> None:
    for ask in (cmbound.compare, cmbound.theorem("explicit-one-step").evaluate, cmbound.schedule):
        with pytest.raises(InputError, match="data is no parameter"):
            ask(data="points.npy", d=2)
    for flag in (("--data", "x.npy"), ("--preset", "digits"), ("-p", "d=1")):
        assert fails(USAGE, "table", "budgets", *flag) == f"{flag[0]}: not an option of table budgets"


@pytest.mark.parametrize(("id", "name"), [("explicit-one-step", "k"), ("explicit-training", "h"), ("lyu2023-lem7", "tau")])
def test_a_parameter_of_another_statement(id: str, name: str) -> None:
    fails(USAGE, "evaluate", id, *flags({**needed(id), name: POOL[name]}), says=(id, repr(name), *needed(id)))


@pytest.mark.parametrize(
    ("id", "option"),
    [
        ("explicit-training", ("--profile", "universal")),
        ("explicit-training", ("--grid", "edm")),
        ("explicit-training", ("--teacher", "ddim")),
        ("explicit-map-error", ("--start", "matched")),
        ("explicit-map-error", ("--to", "p_delta")),
        ("lyu2023-cor4", ("--clock", "ve")),
        ("lyu2023-cor4", ("--to", "p_delta")),
        ("lyu2023-cor4", ("--start", "matched")),
    ],
    ids=str,
)
def test_an_option_the_statement_does_not_have(id: str, option: tuple[str, str]) -> None:
    fails(USAGE, "evaluate", id, *flags(needed(id)), *option, says=(id, option[0].removeprefix("--").replace("to", "target")))


# --- duplicated -----------------------------------------------------------------------------------------------------


def test_duplicated() -> None:
    fails(USAGE, *TRAINING, "-p", "d=2", "-p", "d=2", says=("'d'", "twice"))
    fails(USAGE, *TRAINING, "-p", "d=2", "-p", " d =3", says=("'d'", "twice"))
    fails(USAGE, *TRAINING, "--params", "-", stdin='{"T": 1, "d": 2, "d": 2}', says=("'d'", "twice"))
    fails(USAGE, *TRAINING, "--params", "-", stdin="T = 1\nd = 2\nd = 2\n", says=("-", "line 3"))


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"sigma_min": "0.1"}, ("sigma_min", "delta")),
        ({"sigma_max": "10"}, ("sigma_max", "T")),
        ({"N": "3"}, ("h", "N")),
    ],
)
def test_two_ways_of_saying_the_same(given: dict[str, str], names: tuple[str, ...]) -> None:
    fails(USAGE, *ONE, *changed(**given), says=(*names, "not both"))


@pytest.mark.parametrize(
    "given",
    [
        {"times": "2,1", "t_hat": "1"},
        {"times": "2", "t_hat": "1"},
        {"times": "2,1", "sigma_hat": "1"},
        {"times": "2,1", "sigmas": "2,1"},
        {"times": "2", "sigmas": "2,1"},
        {"times": "2,1", "sigmas": "2"},
        {"times": "2", "sigmas": "2"},
        {"t_hat": "1", "sigma_hat": "1", "k": "2"},
        {"t_hat": "1", "sigmas": "1,2"},
    ],
    ids=str,
)
def test_times_given_twice(given: dict[str, str]) -> None:
    message = fails(USAGE, "evaluate", "explicit-multistep", *changed(**given), says=("not both",))
    assert sum(x in message for x in ("times", "t_hat", "sigmas", "sigma_hat")) == 2


def test_h_and_N_together() -> None:
    fails(USAGE, *ONE, *changed(N="10"), "--grid", "uniform", says=("uniform", "h", "N"))
    fails(USAGE, *ONE, *changed(N="10"), "--grid", "geometric", says=("geometric", "no h"))
    fails(USAGE, *ONE, *changed(N="10"), "--grid", "two-stage", says=("two-stage", "no N"))


# --- malformed ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pair", ["d", "=3", "d=", "d= ", "", "=", " =1"])
def test_malformed_pairs(pair: str) -> None:
    fails(USAGE, *TRAINING, "-p", pair, says=(repr(pair), "d has no value" if pair.startswith("d=") else "NAME=VALUE"))


@pytest.mark.parametrize(
    "text", ["x", "1_000", "0x10", "1e", "1.2.3", "--1", "1/2/3", "1/x", "2 3", "pi", "1e-3 m", "True", "1\n2", "½", "1j", "'1'"]
)
def test_malformed_numbers(text: str) -> None:
    fails(USAGE, *TRAINING, *flags(needed("explicit-training") | {"m2": text}), says=("m2", repr(text), "not a number", "1/3"))


@pytest.mark.parametrize("text", ["1,,2,3", "1,2,3,", ",1,2,3", ",", ",,"])
def test_empty_places_in_a_list(text: str) -> None:
    fails(USAGE, *ONE, *flags({**STEPS, "L_f": text}), "--grid", "edm", says=("L_f",))


@pytest.mark.parametrize("name", ["L_f", "eps_sc", "eps_cm"])
def test_lists_that_do_not_fit(name: str) -> None:
    fails(USAGE, *ONE, *changed(**{name: "1,2,3"}), says=(name, "list", "grid"))
    for text, count in (("1,2", 2), ("1,1,1,1", 4)):
        fails(USAGE, *ONE, *flags({**STEPS, name: text}), "--grid", "edm", says=(name, f"{count} values", "3"))
    fails(USAGE, *ONE, *flags({**STEPS, name: "1,x,2"}), "--grid", "edm", says=(name, "'x'"))


@pytest.mark.parametrize("name", ["d", "m2", "T", "delta", "N"])
def test_lists_where_one_number_is_needed(name: str) -> None:
    fails(USAGE, *ONE, *flags({**STEPS, name: "1,2"}), "--grid", "edm", says=(name, "one number"))


def test_number_of_evaluations_and_of_times() -> None:
    fails(USAGE, "evaluate", "explicit-multistep", *changed(times="2,1", k="5"), says=("k is 5", "times", "2"))


def test_combinations_that_make_no_sense() -> None:
    fails(USAGE, *ONE, *changed(), "--teacher", DDIM, says=("ddim", "grid"))
    fails(USAGE, *ONE, *changed(R="1", tau="0.5"), "--profile", "bounded", says=("bounded", "tau"))
    args = (*flags({**STEPS, "R": "1", "n_atoms": "3", "tau": "0.5"}), "--grid", "edm", "--teacher", DDIM, "--profile", "atoms")
    fails(USAGE, *ONE, *args, says=("atoms", "tau"))
    for teacher in (DDIM, "heun"):
        for profile in ("lipschitz", "smoothed", *(("universal", "second-moment", "bounded") if teacher == "heun" else ())):
            args = (*flags({**STEPS, "M": "2"}), "--grid", "edm", "--teacher", teacher, "--profile", profile)
            fails(USAGE, *ONE, *args, says=(profile, teacher))
    fails(USAGE, *ONE, *changed(L_s="2"), "--profile", "lipschitz-decay", says=("lipschitz-decay", "lipschitz-integrated"))
    fails(USAGE, *ONE, *changed(rho="7"), says=("rho", "edm"))
    fails(USAGE, *ONE, *flags({**STEPS, "rho": "7"}), "--grid", "geometric", says=("rho", "geometric"))


@pytest.mark.parametrize("digits", ["x", "1.5", ""])
def test_malformed_digits(digits: str) -> None:
    fails(USAGE, *TRAINING, "--digits", digits, says=("--digits", repr(digits)))


# --- unreadable files -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.toml", "d = = 3\n", ("TOML", "line 1")),
        ("a.json", '{"d": 3,,}', ("JSON", "line 1")),
        ("b.json", '{"d": 3', ("JSON",)),
        ("c.json", "", ("JSON",)),
        ("d.json", "[1, 2]", ("table",)),
        ("e.json", '"text"', ("table",)),
        ("f.json", "{'d': 3}", ("JSON",)),
        ("g.toml", "[more]\nd = 3\n", ("more",)),
        ("h.json", '{"d": {"value": 3}}', ("d",)),
        ("i.json", '{"d": null}', ("d",)),
        ("j.json", '{"d": true}', ("d",)),
        ("k.toml", "d = true\n", ("d",)),
        ("l.json", "[" * 100_000, ("JSON",)),
        ("m.toml", "d", ("TOML",)),
        ("n", b"\xff\xfe\x00\x01", ("UTF-8",)),
        ("o.toml", b"d = 3 # \xe9\n", ("UTF-8",)),
    ],
    ids=lambda x: x if isinstance(x, str) and len(x) < 8 else "",
)
def test_malformed_params_files(tmp_path: Path, name: str, content: str | bytes, words: tuple[str, ...]) -> None:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    fails(USAGE, *TRAINING, "--params", str(path), says=(str(path), *words))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"d": [3]}', ("d", "one number")),
        ('{"d": "three"}', ("d", "'three'")),
        ('{"eps_cm": [1, [2]]}', ("eps_cm",)),
        ('{"eps_cm": [1, true]}', ("eps_cm",)),
        ('{"eps_cm": [1, null]}', ("eps_cm",)),
        ('{"eps_cm": []}', ("eps_cm", "empty")),
        ("d = 2020-01-01\n", ("d",)),
        ("d = 07:30:00\n", ("d",)),
    ],
)
def test_malformed_values_in_files(text: str, words: tuple[str, ...]) -> None:
    fails(USAGE, *TRAINING, "--params", "-", stdin=text, says=words)


@pytest.mark.parametrize("value", [3, ["edm"], [[1, 2], 3], [1, None], True, {"kind": "edm"}])
@pytest.mark.parametrize("name", ["grid", "profile", "teacher", "to", "start", "clock", "preset"])
def test_options_of_the_wrong_kind_in_files(name: str, value: Any) -> None:
    given = {**without(BASE, "T", "delta", "h"), name: value} if name == "grid" else {**BASE, name: value}
    outcome = call(*ONE, "--params", "-", stdin=json.dumps(given))
    one_line(outcome.err)
    assert outcome.out == ""
    assert outcome.status in (USAGE, DOMAIN)


@pytest.mark.parametrize("name", ["grid", "profile", "teacher", "to", "start", "clock", "preset"])
@pytest.mark.parametrize("value", ["3", "1.5", "2020-01-01", "[]", "inf"])
def test_options_that_are_not_text_in_toml(name: str, value: str) -> None:
    given = without(BASE, "T", "delta", "h") if name == "grid" else BASE
    text = "".join(f'{x} = "{y}"\n' for x, y in given.items()) + f"{name} = {value}\n"
    outcome = call(*ONE, "--params", "-", stdin=text)
    one_line(outcome.err)
    assert outcome.status in (USAGE, DOMAIN)


@pytest.mark.parametrize("digits", ["x", 1.5, 0, -1, 10**6, [20], True, None])
def test_digits_of_the_wrong_kind_in_files(digits: Any) -> None:
    outcome = call(*TRAINING, "--params", "-", stdin=json.dumps({**needed("explicit-training"), "digits": digits}))
    assert "digits" in one_line(outcome.err)
    assert outcome.status in (USAGE, DOMAIN)


@pytest.mark.parametrize("option", ["--params", "--grid"])
def test_unreadable_files(tmp_path: Path, option: str) -> None:
    fails(USAGE, *ONE, option, str(tmp_path), says=(str(tmp_path), "directory"))
    missing = tmp_path / "missing.toml"
    fails(USAGE, *ONE, option, str(missing), says=(str(missing),))
    fails(USAGE, *ONE, option, str(tmp_path / "missing" / "file"), says=("missing",))
    fails(USAGE, *ONE, option, "", says=(option.removeprefix("--"),) if option == "--grid" else ())


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="every file can be read by root")
def test_files_without_permission(tmp_path: Path) -> None:
    path = tmp_path / "closed"
    path.write_text("d = 3\n", encoding="utf-8")
    path.chmod(0)
    for option in ("--params", "--grid"):
        fails(USAGE, *ONE, option, str(path), says=(str(path), "ermission"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1 x 3", ("grid", "'x'")),
        ("t\n0.1\n1\n", ("grid", "'t'")),
        ("[1, 2", ("JSON",)),
        ("[1, true]", ("grid",)),
        ("[1, null]", ("grid",)),
        ("[[1, 2], 3]", ("grid",)),
        ('{"nodes": [1, 2]}', ("grid",)),
        ("[" * 100_000, ("JSON",)),
    ],
    ids=lambda x: x[:12] if isinstance(x, str) else "",
)
def test_malformed_grid_files(tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    path = tmp_path / "nodes"
    path.write_text(text, encoding="utf-8")
    fails(USAGE, *ONE, *flags(without(BASE, "T", "delta", "h")), "--grid", str(path), says=words)


def test_grid_file_that_is_not_text(tmp_path: Path) -> None:
    path = tmp_path / "nodes"
    path.write_bytes(b"\xff\xfe\x01")
    fails(USAGE, *ONE, *flags(without(BASE, "T", "delta", "h")), "--grid", str(path), says=(str(path), "UTF-8"))


def test_grid_file_against_other_parameters(tmp_path: Path) -> None:
    path = tmp_path / "nodes"
    path.write_text("0.001 0.1 5", encoding="utf-8")
    given = without(BASE, "T", "delta", "h")
    fails(USAGE, *ONE, *flags({**given, "T": "6"}), "--grid", str(path), says=("T", "last node"))
    fails(USAGE, *ONE, *flags({**given, "delta": "0.002"}), "--grid", str(path), says=("delta", "first node"))
    for name in ("N", "h", "rho"):
        fails(USAGE, *ONE, *flags({**given, name: "2"}), "--grid", str(path), says=(f"no {name}",))


# --- outside the domain ---------------------------------------------------------------------------------------------

ALLOWED = {
    "eps_sc": ">= 0",
    "eps_cm": ">= 0",
    "L_f": ">= 1",
    "L_s": ">= 1",
    "d": "integer >= 1",
    "m2": ">= 0",
    "T": "> 0",
    "delta": "> 0",
    "h": "> 0",
    "N": "integer >= 1",
    "k": "integer >= 1",
    "t_hat": "> 0",
    "R": ">= 0",
    "tau": "< 1",
    "sd2": ">= 0",
    "n_atoms": "integer >= 1",
    "d_eff": "integer >= 1",
    "sigma_min": "> 0",
    "sigma_max": "> 0",
    "sigma_hat": "> 0",
}


@pytest.mark.parametrize(("name", "allowed"), ALLOWED.items())
def test_outside_the_domain(name: str, allowed: str) -> None:
    args = ("evaluate", "explicit-multistep")
    partner = {"sigma_min": "delta", "sigma_max": "T", "sigma_hat": "t_hat", "N": "h"}.get(name, "")
    base = without({**BASE, "k": "2", "t_hat": "1"}, partner)
    bad = ["-1", "-1e-30"]
    bad += ["0"] if allowed in ("> 0", ">= 1", "integer >= 1") else []
    bad += ["1/2", "0.999999999999999999999"] if ">= 1" in allowed else []
    bad += ["2.5", "3/2", "1.0000000000000000000000001"] if "integer" in allowed else []
    bad += ["1", "1.5", "1e9"] if name == "tau" else []
    for text in bad:
        fails(DOMAIN, *args, *flags({**base, name: text}), says=(name, text, allowed))


@pytest.mark.parametrize("text", ["nan", "NaN", "-nan", "inf", "-inf", "Infinity", "+inf"])
@pytest.mark.parametrize("name", sorted({*BASE, "L_s", "R", "tau", "k", "t_hat"}))
def test_not_finite(name: str, text: str) -> None:
    given = {**BASE, "k": "2", "t_hat": "1", name: text}
    fails(DOMAIN, "evaluate", "explicit-multistep", *flags(given), says=(name, text, "finite"))


@pytest.mark.parametrize("text", ["d = nan\n", "d = inf\n", "d = -inf\n", '{"d": NaN}', '{"d": -Infinity}', '{"d": "nan"}'])
def test_not_finite_in_files(text: str) -> None:
    fails(DOMAIN, *TRAINING, "--params", "-", stdin=text, says=("d", "finite"))


@pytest.mark.parametrize("text", ["1/0", "1/0.0", "0/0"])
def test_zero_denominators(text: str) -> None:
    fails(DOMAIN, *TRAINING, *flags(needed("explicit-training") | {"m2": text}), says=("m2", text, "zero"))


@pytest.mark.parametrize("text", ["1e99999", "1e-99999", "9" * 5000, "1/" + "9" * 5000, "0." + "1" * 5000], ids=lambda x: x[:9])
def test_numbers_of_absurd_length(text: str) -> None:
    for args, stdin in (
        (flags(needed("explicit-training") | {"m2": text}), ""),
        (["--params", "-"], json.dumps({**needed("explicit-training"), "m2": text})),
        (["--params", "-"], f'{json.dumps(without(needed("explicit-training"), "m2"))[:-1]}, "m2": {text}}}'),
    ):
        outcome = call(*TRAINING, *args, stdin=stdin)
        if outcome.status:
            assert outcome.status in (USAGE, DOMAIN)
            assert len(one_line(outcome.err)) < 500
        else:
            assert outcome.err == ""


@pytest.mark.parametrize(
    "given",
    [
        {"d": "1e400"},
        {"eps_sc": "1e400"},
        {"eps_sc": "1e-400"},
        {"m2": "1e400"},
        {"m2": "1e-400"},
        {"L_f": "1e400"},
        {"L_s": "1e400"},
        {"R": "1e400"},
        {"T": "1e400"},
        {"T": "1e5"},
        {"T": "400", "h": "1"},
        {"delta": "1e-400"},
        {"h": "1e-400"},
        {"sd2": "1e-400"},
        {"eps_sc": "1e200", "L_f": "1e200"},
        {"L_s": "1e9", "d": "1e7", "delta": "1e-12", "T": "200", "R": "0", "tau": "0", "eps_sc": "0", "eps_cm": "0"},
        {"L_s": "1", "m2": "0", "R": "0"},
    ],
    ids=str,
)
@pytest.mark.parametrize("tier", variants.TIERS)
@pytest.mark.parametrize("clock", variants.CLOCKS)
def test_extremes_give_a_number_or_one_line(given: dict[str, str], tier: str, clock: str) -> None:
    outcome = call(*ONE, *changed(**given), "--tier", tier, "--clock", clock, "--format", "json")
    if outcome.status:
        assert outcome.status in (DOMAIN, UNDECIDED)
        one_line(outcome.err)
    else:
        assert outcome.err == ""
        data = json.loads(outcome.out)
        assert 0 <= Decimal(data["lower"]) <= Decimal(data["upper"]) < Decimal("1e309")
        assert np.isfinite(data["value"])


@pytest.mark.parametrize(
    "given", [{"sigma_max": "1e400"}, {"sigma_max": "1e200"}, {"sigma_min": "1e-200"}, {"sigma_min": "1e-400"}], ids=str
)
@pytest.mark.parametrize("grid", [(), ("--grid", "edm", "--teacher", DDIM), ("--grid", "geometric")], ids=str)
def test_extreme_noise_levels_give_a_number_or_one_line(given: dict[str, str], grid: tuple[str, ...]) -> None:
    params = {**without(STEPS if grid else BASE, "T", "delta"), "sigma_min": "0.01", "sigma_max": "80", **given}
    outcome = call(*ONE, *flags(params), *grid, "--format", "json")
    if outcome.status:
        assert outcome.status in (DOMAIN, UNDECIDED)
        one_line(outcome.err)
    else:
        assert outcome.err == ""
        assert np.isfinite(json.loads(outcome.out)["value"])


@pytest.mark.parametrize("rho", ["1e-9", "1e-3", "1e9", "1e400"])
def test_extreme_exponents_of_the_edm_grid(rho: str) -> None:
    outcome = call(*ONE, *flags({**STEPS, "rho": rho}), "--grid", "edm")
    assert outcome.err == "" if outcome.status == 0 else one_line(outcome.err)
    assert outcome.status in (0, DOMAIN, UNDECIDED)


def test_too_many_steps_or_evaluations() -> None:
    fails(DOMAIN, *ONE, *flags({**STEPS, "N": "1e12"}), "--grid", "edm", says=("N = 1000000000000", "at most"))
    fails(DOMAIN, *ONE, *changed(h="1e-12"), "--grid", "two-stage", says=("steps", "h"))
    fails(DOMAIN, "evaluate", "explicit-multistep", *changed(k="1e9", t_hat="1"), says=("k", "1000000000", "at most"))


def test_a_value_beyond_the_largest_float() -> None:
    for tier in variants.TIERS:
        args = ("-p", "delta=1e-6", "-p", "t=1", "-p", "R=10", "--tier", tier)
        fails(DOMAIN, "evaluate", "explicit-map-lipschitz", *args, says=("explicit-map-lipschitz", "exceeds"))


@pytest.mark.parametrize("digits", ["0", "-1", "1001", "100000000"])
def test_digits_outside_their_domain(digits: str) -> None:
    args = flags(needed("explicit-training"))
    fails(DOMAIN, *TRAINING, *args, "--digits", digits, says=("digits", digits, "1 to 1000"))


# --- violated assumptions -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("delta", "T"), [("5", "5"), ("6", "5"), ("5.000000000000000000001", "5")])
@pytest.mark.parametrize("id", [x for x in EXPLICIT if {"T", "t"} & set(needed(x)) and "lipschitz" not in x])
def test_delta_below_T(id: str, delta: str, T: str) -> None:
    message = fails(DOMAIN, "evaluate", id, *flags({**needed(id), "delta": delta, "T": T}), says=("delta", "5"))
    assert "delta < T" in message or "delta < t" in message


@pytest.mark.parametrize("kind", grids.KINDS)
def test_delta_below_T_on_a_grid(kind: str) -> None:
    given = {**(BASE if kind == "two-stage" else STEPS), "delta": "5"}
    fails(DOMAIN, *ONE, *flags(given), "--grid", kind, says=("delta = 5", "T = 5"))


def test_noise_levels_in_the_wrong_order() -> None:
    given = {**without(BASE, "delta", "T"), "sigma_min": "10", "sigma_max": "2"}
    fails(DOMAIN, *ONE, *flags(given), says=("sigma_min", "sigma_max", "10", "2"))
    fails(DOMAIN, *TRAINING, *flags(without(given, "eps_sc", "h")), says=("sigma_min", "sigma_max", "10", "2"))
    args = (*flags({**without(given, "h"), "N": "3"}), "--grid", "geometric")
    fails(DOMAIN, *ONE, *args, says=("sigma_min", "sigma_max", "10", "2"))


@pytest.mark.parametrize("h", ["4.9990000000000000001", "5", "1e9"])
def test_h_at_most_T_minus_delta(h: str) -> None:
    fails(DOMAIN, *ONE, *changed(h=h), says=("h", "T - delta", "delta = 0.001", "T = 5"))
    for kind in ("uniform", "two-stage"):
        fails(DOMAIN, *ONE, *changed(h=h), "--grid", kind, says=("h", "T - delta"))


def test_the_largest_step_is_allowed() -> None:
    assert call(*ONE, *changed(h="4.999")).status == 0
    assert call(*ONE, *changed(h="4.999"), "--grid", "uniform").status == 0


@pytest.mark.parametrize("id", [x for x in ORDER if "h" in needed(x)])
def test_steps_larger_than_the_horizon_in_order_form(id: str) -> None:
    """Statements that do not know delta still know that a step is no longer than the horizon."""
    fails(DOMAIN, "evaluate", id, *flags({**needed(id), "h": "100"}), says=("h", "100"))


@pytest.mark.parametrize(
    ("id", "given", "words"),
    [
        ("lyu2023-thm3", {"T": "0.2", "h": "0.1"}, ("T >= 1/L_s", "T = 0.2", "L_s = 4")),
        ("lyu2023-cor4", {"T": "0.2", "h": "0.1"}, ("T >= 1/L_s", "T = 0.2", "L_s = 4")),
        ("lyu2023-cor6", {"L_f": "100"}, ("log(2 L_f) + delta", "L_f = 100")),
        ("lyu2023-cor8", {"R": "0"}, ("R > 0", "R = 0")),
        ("lyu2023-cor5", {"t_hat": "1e-4"}, ("delta < t_hat", "t_hat = 0.0001")),
        ("explicit-multistep", {"t_hat": "6"}, ("t_hat <= T", "t_hat = 6", "T = 5")),
        ("explicit-multistep", {"t_hat": "1e-3"}, ("delta < t_hat", "t_hat = 0.001")),
        ("explicit-map-error", {"t": "1e-3"}, ("delta < t", "t = 0.001")),
        ("explicit-map-error", {"t": "6", "T": "5"}, ("t", "T", "6", "5")),
        ("explicit-map-lipschitz", {"t": "1e-3"}, ("delta < t", "t = 0.001")),
    ],
    ids=str,
)
def test_violated_assumptions_are_named(id: str, given: dict[str, str], words: tuple[str, ...]) -> None:
    fails(DOMAIN, "evaluate", id, *flags({**needed(id), **given}), says=(id, *words))


def test_violated_assumptions_about_listed_times() -> None:
    fails(DOMAIN, "evaluate", "explicit-multistep", *changed(times="2,6,1"), says=("6", "T = 5"))
    fails(DOMAIN, "evaluate", "explicit-multistep", *changed(times="2,1e-3"), says=("0.001",))
    fails(DOMAIN, "evaluate", "explicit-multistep", *changed(times="2,-1"), says=("times[1]", "-1", "> 0"))
    fails(DOMAIN, "evaluate", "explicit-multistep", *changed(times="2,nan"), says=("times", "nan"))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"sd2": "3"}, ("sd2", "at most m2", "3", "1.25")),
        ({"d_eff": "3"}, ("d_eff", "at most d", "3", "2")),
        ({"t_star": "0.5"}, ("t_star", "0 or delta", "0.5")),
        ({"t_star": "-1"}, ("t_star", "-1")),
        ({"L_f": "0.5"}, ("L_f", ">= 1", "0.5")),
        ({"n_atoms": "3", "weights": "1,2"}, ("n_atoms is 3", "2 weights")),
        ({"weights": "1,0"}, ("weights[1]", "> 0", "0")),
        ({"weights": "1,-2"}, ("weights[1]", "> 0", "-2")),
    ],
    ids=str,
)
def test_parameters_against_each_other(given: dict[str, str], words: tuple[str, ...]) -> None:
    fails(DOMAIN, *ONE, *changed(**given), says=words)


@pytest.mark.parametrize(
    ("values", "place", "words"),
    [("1,0,1", 1, ("> 0", "0")), ("1,1,-1", 2, ("> 0", "-1")), ("-1/3,1,1", 0, ("> 0", "-1/3"))],
)
def test_entries_outside_their_domain(values: str, place: int, words: tuple[str, ...]) -> None:
    fails(DOMAIN, *ONE, *flags({**STEPS, "L_f": values}), "--grid", "edm", says=(f"L_f[{place}]", *words))


@pytest.mark.parametrize("clock", variants.CLOCKS)
@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ("0.1 0.2 0.2 1", ("not increasing", "node 2 is 0.2", "node 1 is 0.2")),
        ("1 0.5", ("not increasing", "node 1 is 0.5", "node 0 is 1")),
        ("0 0.5 1", ("node 0 is 0", "> 0")),
        ("-1 0.5 1", ("node 0 is -1", "> 0")),
        ("1", ("1 node", "2")),
        ("# nothing", ("0 nodes", "2")),
        ("0.1 nan 1", ("nan",)),
        ("0.1 1 inf", ("inf",)),
        ("[0.1, NaN]", ("NaN",)),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_grids_that_do_not_increase(tmp_path: Path, nodes: str, words: tuple[str, ...], clock: str) -> None:
    path = tmp_path / "nodes"
    path.write_text(nodes, encoding="utf-8")
    args = (*flags(without(BASE, "T", "delta", "h")), "--grid", str(path), "--clock", clock)
    fails(DOMAIN, *ONE, *args, says=("grid", *words))


@pytest.mark.parametrize("name", ["t", "sigma"])
def test_times_between_the_nodes_of_a_grid(name: str) -> None:
    given = {**STEPS, name: "1.23456789"}
    fails(DOMAIN, "evaluate", "explicit-map-error", *flags(given), "--grid", "edm", says=(name, "1.23456789", "nearest node"))


@pytest.mark.parametrize("id", ORDER)
def test_order_form_without_its_constant(id: str) -> None:
    message = fails(DOMAIN, "evaluate", id, *flags(without(needed(id), "C")), says=(id, "constant", "C"))
    assert fails(DOMAIN, "evaluate", id, says=(id, "constant", "C")) == message
    for text in ("0", "-1"):
        fails(DOMAIN, "evaluate", id, *flags({**needed(id), "C": text}), says=("C", "> 0", text))


# --- undecided, interrupted -----------------------------------------------------------------------------------------


def test_undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cmbound.evaluation.point.MAX_BITS", 1)
    fails(UNDECIDED, *TRAINING, *flags(needed("explicit-training")), says=("explicit-training", "15 digits"))


def test_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cmbound.evaluation.point.evaluate", stop)
    outcome = call(*TRAINING, *flags(needed("explicit-training")))
    assert outcome.status == 130
    assert outcome.out == ""
    assert one_line(outcome.err.lstrip("\n")) == "interrupted"


# --- output that goes nowhere ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("args", [("list",), ("cite",), (*TRAINING, *flags(needed("explicit-training")))], ids=lambda x: x[0])
def test_unwritable_output(tmp_path: Path, args: tuple[str, ...]) -> None:
    for target in (tmp_path, tmp_path / "missing" / "file"):
        fails(USAGE, *args, "-o", str(target), says=("cannot write", str(target)))
    assert list(tmp_path.iterdir()) == []


def test_a_failing_command_leaves_the_output_file_alone(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.write_text("kept", encoding="utf-8")
    fails(USAGE, *TRAINING, "-o", str(target))
    assert target.read_text(encoding="utf-8") == "kept"


PRINTING = [
    ("--version",),
    ("-h",),
    ("evaluate", "-h"),
    ("cite",),
    ("completion", "bash"),
    ("list",),
    (*TRAINING, *flags(needed("explicit-training"))),
]


def status_and_error(args: tuple[str, ...], **streams: Any) -> tuple[int, str]:
    done = subprocess.run([sys.executable, "-m", "cmbound", *args], stderr=subprocess.PIPE, text=True, check=False, **streams)
    return done.returncode, done.stderr


@pytest.mark.parametrize("args", PRINTING, ids=lambda x: " ".join(x[:2]))
def test_closed_pipe(args: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        status, err = status_and_error(args, stdout=writer)
    finally:
        os.close(writer)
    assert "Traceback" not in err
    assert err.count("\n") <= 1
    assert status == CLOSED_PIPE


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
@pytest.mark.parametrize(
    "args", [("cite",), ("-h",), (*TRAINING, *flags(needed("explicit-training")))], ids=lambda x: " ".join(x[:2])
)
def test_full_disk(args: tuple[str, ...]) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        status, err = status_and_error(args, stdout=full)
    one_line(err)
    assert status == USAGE


@pytest.mark.skipif(os.name != "posix", reason="needs a shell that closes descriptors")
@pytest.mark.parametrize(
    ("closing", "args"),
    [(">&-", ("cite",)), ("<&-", (*TRAINING, "--params", "-")), ("<&-", (*ONE, "--grid", "-"))],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_closed_streams(closing: str, args: tuple[str, ...]) -> None:
    command = f'exec "$0" -m cmbound "$@" {closing}'
    done = subprocess.run(["sh", "-c", command, sys.executable, *args], stderr=subprocess.PIPE, text=True, check=False)
    one_line(done.stderr)
    assert done.returncode in (USAGE, CLOSED_PIPE)


def test_statuses_of_a_process() -> None:
    """The statuses the operating system sees, one example each."""
    for status, args in (
        (0, ("--version",)),
        (USAGE, ("nonsense",)),
        (USAGE, (*TRAINING, "-p", "d=2", "-p", "d=2")),
        (DOMAIN, (*TRAINING, *flags({**needed("explicit-training"), "d": "2.5"}))),
    ):
        done = process(*args)
        assert done.returncode == status
        if status:
            one_line(done.stderr)
            assert done.stdout == ""


def test_arguments_that_are_not_text() -> None:
    done = subprocess.run(
        [sys.executable.encode(), b"-m", b"cmbound", *(x.encode() for x in TRAINING), b"-p", b"d=\xff"],
        capture_output=True,
        check=False,
    )
    assert done.returncode == USAGE
    assert "d" in one_line(done.stderr.decode())


# --- the same from Python -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        {"eps_sc": float("nan")},
        {"eps_sc": float("inf")},
        {"eps_sc": np.float64("nan")},
        {"eps_sc": Decimal("sNaN")},
        {"eps_sc": Decimal("-Infinity")},
        {"eps_sc": -1},
        {"eps_sc": 1j},
        {"eps_sc": np.ones((2, 2))},
        {"eps_sc": [1, 2]},
        {"eps_sc": object},
        {"eps_sc": b"1"},
        {"d": True},
        {"d": None},
        {"d": 2.5},
        {"d": Fraction(1, 3)},
        {"k": 3},
        {"nonsense": 3},
        {"tier": "approximate"},
        {"profile": 3},
        {"profile": []},
        {"profile": "nonsense"},
        {"grid": 3},
        {"grid": "nonsense"},
        {"grid": [3, 1]},
        {"grid": np.ones((2, 2))},
        {"teacher": ["ddim"]},
        {"teacher": "heun"},
        {"to": 3},
        {"preset": "nonsense"},
        {"preset": 3},
        {"digits": 0},
        {"digits": 1.5},
        {"digits": True},
        {"delta": 6},
        {"h": 6},
    ],
    ids=lambda x: str(x)[:40],
)
def test_python_raises_one_kind_of_error(given: dict[str, Any]) -> None:
    with pytest.raises(CmboundError, match=rf"\b{next(iter(given))}\b") as caught:
        cmbound.theorem("explicit-one-step").evaluate(**{**BASE, **given})
    assert isinstance(caught.value, ValueError)
    assert caught.value.exit_status in (USAGE, DOMAIN)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "given",
    [
        {"eps_sc": np.array([1.0, -1.0])},
        {"eps_sc": np.array([1.0, np.nan])},
        {"eps_sc": np.array([])},
        {"eps_sc": np.array(["1", "x"])},
        {"eps_sc": np.array([1j])},
        {"d": np.array([1.0, 2.5])},
        {"T": np.array([5.0, 1e-4])},
        {"h": np.array([1.0, 10.0])},
        {"eps_sc": np.ones(2), "L_f": np.ones(3)},
        {"eps_sc": np.ones(2), "sigma_max": 3},
        {"eps_sc": np.ones(2), "nonsense": 3},
        {"nonsense": np.ones(2)},
        {"eps_sc": np.ones(2), "digits": 3},
    ],
    ids=lambda x: str(x)[:40],
)
def test_arrays_raise_the_same_kind_of_error(given: dict[str, Any]) -> None:
    with pytest.raises(CmboundError, match=rf"\b{list(given)[-1]}\b") as caught:
        cmbound.theorem("explicit-one-step").approximate(**{**BASE, **given})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("id", ["", "x", "explicit", "EXPLICIT-ONE-STEP"])
def test_unknown_statements_from_python(id: str) -> None:
    for look_up in (cmbound.theorem, cmbound.catalogue.__getitem__):
        with pytest.raises(UnknownNameError, match="unknown statement"):
            look_up(id)


def test_every_error_is_one_line_with_a_status() -> None:
    for name in ("CmboundError", "InputError", "UnknownNameError", "MissingParameterError", "DomainError", "UndecidedError"):
        kind = getattr(cmbound, name)
        assert issubclass(kind, CmboundError)
        assert kind.exit_status in (USAGE, DOMAIN, UNDECIDED)
    assert len(ids()) == len(set(ids()))


LEVELS = {"sigma_min": "0.1", "sigma_max": 80, "N": 9, "d": 2, "m2": 1, "L_f": 2, "eps_sc": 0, "eps_cm": 0}


@pytest.mark.parametrize(
    ("id", "more", "says"),
    [
        (
            "explicit-one-step",
            {"sigma_min": 90},
            "sigma_min must be below sigma_max, got sigma_max = 80 (T = 4.3821), sigma_min = 90",
        ),
        (
            "explicit-multistep",
            {"k": 2, "sigma_hat": 100},
            "sigma_hat <= sigma_max; got sigma_max = 80 (T = 4.3821), sigma_hat = 100",
        ),
        (
            "explicit-multistep",
            {"k": 3, "sigmas": [2, 100]},
            "sigmas <= sigma_max; got sigma_max = 80 (T = 4.3821), sigmas = 100",
        ),
        ("explicit-multistep", {"k": 4, "sigmas": [10, 2]}, "k is 4, but sigmas has 2 entries"),
        (
            "explicit-multistep",
            {"sigmas": [10, 2], "sigma_hat": 3},
            "give sigmas (one for each evaluation after the first) or sigma_hat",
        ),
        (
            "explicit-map-error",
            {"sigma": 2, "h": 9},
            "h <= t - delta; got sigma_min = 0.1 (delta = 0.00497517), h = 9, sigma = 2 (",
        ),
    ],
)
def test_errors_name_what_was_given(id: str, more: dict[str, Any], says: str) -> None:
    statement = cmbound.theorem(id)
    names = {x.name for x in (*statement.parameters, *statement.optional_parameters)}
    given = {**{x: y for x, y in LEVELS.items() if x in names}, **more}
    if "h" in more:
        del given["N"]
        given.pop("sigma_max", None)
    with pytest.raises(CmboundError) as error:
        statement.evaluate(**given)
    assert says in str(error.value)


def test_a_value_too_large_for_float64_is_said_once() -> None:
    huge = {"T": 5, "delta": 1, "h": 1, "d": "1e300", "m2": "1e300", "L_f": "1e300", "eps_sc": "1e300", "eps_cm": 0}
    for tier in ("approximate", "certified"):
        arguments = [y for name, x in huge.items() for y in ("-p", f"{name}={x}")]
        outcome = call("evaluate", "explicit-one-step", *arguments, "--tier", tier)
        assert outcome.status == 3
        assert "the value, about 10^750, exceeds the largest float64 number" in outcome.err
        assert "certified tier" not in outcome.err


def test_a_float_in_an_expression_is_called_so() -> None:
    with pytest.raises(InputError, match=r"must be exact, got 0\.1 in it: write Rational\(1, 10\)"):
        rewritten(sympy.Float("0.1"))


def test_one_thing_is_one_thing() -> None:
    found = fine("compare", "--preset", "gaussian-2d", "--statement", "explicit-one-step")
    assert "1 statement: 1 ranked, 0 order forms apart" in found
    assert "1 statements" not in found
    grid = fine(
        "evaluate", "explicit-one-step", "--preset", "gaussian-2d", "--grid", "geometric", "-p", "N=1", "--profile", "universal"
    )
    assert "geometric grid of 1 step," in grid
