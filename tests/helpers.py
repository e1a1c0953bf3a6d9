"""What several tests use: the program here and in a process of its own, parameters, whether output is well-formed."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any, NoReturn, cast
from unittest.mock import patch
from xml.etree import ElementTree

import cmbound
from cmbound.catalogue import ids
from cmbound.cli import main
from cmbound.evaluation.statement import _registered
from cmbound.theory.notation import TABLE, own

IDS = ids()
EXPLICIT = tuple(x for x in IDS if x.startswith("explicit-"))
ORDER = tuple(x for x in IDS if x.startswith("lyu2023-"))
EI, DDIM = "exponential-integrator", "ddim"
BASE = {
    "eps_sc": "1e-3",
    "eps_cm": "1e-3",
    "L_f": "1.05",
    "d": "2",
    "m2": "1.25",
    "T": "5",
    "delta": "1e-3",
    "h": "1e-2",
}
POOL = {
    **BASE,
    "L_s": "4",
    "t": "5",
    "k": "3",
    "t_hat": "1",
    "R": "1/10",
    "tau": "0.5",
    "sd2": "1",
    "n_atoms": "7",
    "C": "2",
    "eps": "0.1",
    "eta": "0.01",
    "u": "0.1",
    "gamma": "2",
    "tau_c": "1",
    "L_phi": "5",
    "W_prev": "0.5",
    "KL": "2",
    "FI": "3",
    "c_rate": "0.5",
    "kappa": "0.1",
    "N": "20",
    "L_map": "1.5",
    "eps_est": "0.1",
    "eps_F": "0.1",
    "p": "2",
    "L_os": "0.1",
    "L_v": "1",
    "eps_v": "0.1",
    "eps_w": "0.1",
    "gam_v": "0.7",
    "eps_loss": "0.1",
    "hbar": "0.1",
    "sigma_high": "1",
    "sigma_low": "0.5",
    "eps_ci": "0.01",
    "dtau": "0.1",
    "M": "2",
    "diameter": "1/5",
}
FORMATS = ("text", "json", "latex", "markdown", "csv", "html")
USAGE, DOMAIN, UNDECIDED, CLOSED_PIPE = 2, 3, 4, 141


@dataclass(frozen=True)
class Outcome:
    """What a command leaves behind."""

    status: int
    out: str
    err: str


def call(*args: str, stdin: str = "", env: Mapping[str, str] | None = None) -> Outcome:
    """The entry point with these arguments, in this process. An exception it does not handle is a failure of the test."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    code: Any = None
    with (
        patch.object(sys, "argv", ["cmbound", *args]),
        patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode()), encoding="utf-8")),
        patch.dict(os.environ, env or {}),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as end:
            code = end.code
    assert code is None or isinstance(code, int), code
    return Outcome(code or 0, *(x.buffer.getvalue().decode() for x in (out, err)))


def process(*args: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """The program in a process of its own."""
    return subprocess.run([sys.executable, "-m", "cmbound", *args], capture_output=True, text=True, **options)


def fine(*args: str, **options: Any) -> str:
    """What a command that must succeed prints. On a slow machine a long one may have said what it computes."""
    outcome = _succeeds(*args, **options)
    assert outcome.out.endswith("\n")
    assert not outcome.out.endswith("\n\n")
    return outcome.out


def silent(*args: str, **options: Any) -> None:
    """A command that must succeed and print nothing."""
    assert _succeeds(*args, **options).out == ""


def _succeeds(*args: str, **options: Any) -> Outcome:
    outcome = call(*args, **options)
    assert (outcome.status, said(outcome.err)) == (0, []), outcome
    return outcome


def said(errors: str) -> list[str]:
    """The lines on standard error but those that say on a slow machine what is computed."""
    return [x for x in errors.splitlines() if not re.fullmatch(r"cmbound: \w+ing:? .*", x)]


def forget() -> None:
    """Take the symbols and the statements of one's own out of the tables of the package."""
    for name in [x for x in TABLE if own(x)]:
        dict.pop(cast(dict[str, Any], TABLE), name)
    _registered.clear()


def flags(params: Mapping[str, str]) -> list[str]:
    """``-p NAME=VALUE`` for each parameter."""
    return [x for name, value in params.items() for x in ("-p", f"{name}={value}")]


def without(params: Mapping[str, str], *names: str) -> dict[str, str]:
    """The parameters but these."""
    return {name: value for name, value in params.items() if name not in names}


def needed(id: str) -> dict[str, str]:
    """A valid value for every parameter the statement must be given."""
    found = {x.name: POOL[x.name] for x in cmbound.theorem(id).parameters}
    return {**found, "m2": "0.05"} if id == "chen2025-multistep" else found  # m2 <= R


def _sorted_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    assert names == sorted(set(names)), f"keys not sorted or not unique: {names}"
    return dict(pairs)


def _no_constant(text: str) -> NoReturn:
    raise AssertionError(f"{text} is no JSON")


def strict(text: str) -> Any:
    """JSON with sorted, unique keys and without NaN and infinities."""
    return json.loads(text, object_pairs_hook=_sorted_pairs, parse_constant=_no_constant)


def check_latex(text: str) -> None:
    """Environments, braces and pairs of \\left and \\right match, rows fit the columns of their table, specials are escaped."""
    stack: list[tuple[str, int]] = []
    for line in text.splitlines():
        if line.startswith("%"):
            continue
        assert line.count(r"\left") == line.count(r"\right"), line
        if line == "{%":
            stack.append((line, 0))
            continue
        if line == "}":
            assert stack.pop()[0] == "{%"
            continue
        bare = re.sub(r"\\[\\{}]", "", line)
        assert bare.count("{") == bare.count("}"), line
        if line.endswith(r"{minipage}{\linewidth}\scriptsize\raggedright"):
            stack.append(("minipage", 0))
        elif begin := re.fullmatch(r"\\begin\{(\w+\*?)\}(?:\{(.+)\})?", line):
            stack.append((begin[1], len(re.findall("[lcrp]", re.sub(r"@\{\}|>\{[^}]*\}|(?<=p)\{[^}]*\}", "", begin[2] or "")))))
        elif end := re.fullmatch(r"\\end\{(\w+\*?)\}", line):
            assert stack.pop()[0] == end[1]
        elif stack and stack[-1][0] == "align*":
            assert line.endswith((r" \\", r"\leq", r"\lesssim")) or line.startswith("&{}"), line
            assert len(re.findall(r"(?<!\\)&", line)) <= 1, line
            continue
        elif stack and stack[-1][0] == "tabular" and line not in (r"\toprule", r"\midrule", r"\bottomrule"):
            assert line.endswith(r" \\"), line
            assert line.startswith(r"\multicolumn") or len(re.findall(r"(?<!\\)&", line)) == stack[-1][1] - 1, line
        plain = re.sub(r"\\\[.*?\\\]|(?<!\\)\$.*?(?<!\\)\$", "", line)
        plain = re.sub(r"\\[a-zA-Z]+|\\.", "", plain)
        assert not re.search(r"[_^#%$~<>\\]", plain), line
    assert not stack


def check_markdown(text: str) -> None:
    """Every pipe table has a rule under its header and rows of equal length."""
    for block in re.split(r"\n\s*\n", text):
        rows = [x for x in block.splitlines() if x.startswith("|")]
        if rows:
            assert len(rows) > 1
            assert re.fullmatch(r"\|( -+:? \|)+", rows[1]), rows[1]
            assert len({len(re.findall(r"(?<!\\)\|", x)) for x in rows}) == 1, rows


def check_csv(text: str) -> list[dict[str, str]]:
    """Rows as long as the header."""
    header, *rows = csv.reader(io.StringIO(text), strict=True)
    assert all(len(row) == len(header) for row in rows)
    assert all(header)
    return [dict(zip(header, row, strict=True)) for row in rows]


def check_format(text: str, form: str, signs: bool = False) -> None:
    """``text`` is well-formed in its format, and plain ASCII (not math in HTML, nor text and data that may have ``signs``)."""
    assert text.isascii() or form == "html" or (signs and form in ("text", "json", "csv"))
    if form == "json":
        strict(text)
    elif form == "latex":
        check_latex(text)
    elif form == "markdown":
        check_markdown(text)
    elif form == "csv":
        check_csv(text)
    elif form == "html":
        assert ElementTree.fromstring(text).tag == "html"
    else:
        letters = "".join(x for x in text if not unicodedata.combining(x))
        assert all(line == line.rstrip() and len(line) <= 120 for line in letters.splitlines())


def one_line(err: str) -> str:
    """The message, if ``err`` is one line of the documented form."""
    assert err.startswith("cmbound: error: "), err
    assert err.endswith("\n"), err
    assert err.count("\n") == 1, err
    assert "Traceback" not in err
    message = err.removeprefix("cmbound: error: ").rstrip("\n")
    assert message.strip() == message
    assert message
    return message


def fails(status: int, *args: str, says: tuple[str, ...] = (), stdin: str = "") -> str:
    """The command fails as documented, prints nothing else, and its message contains every one of ``says``."""
    outcome = call(*args, stdin=stdin)
    message = one_line(outcome.err)
    assert outcome.out == ""
    assert outcome.status == status, message
    for words in says:
        assert words in message, (words, message)
    return message


def with_option(args: Sequence[str], option: str, value: str) -> tuple[str, ...]:
    """The arguments with an option, in the place of what they say of it: twice would be an error."""
    args = tuple(args)
    while option in args:
        at = args.index(option)
        args = args[:at] + args[at + 2 :]
    return (*args, option, value)
