"""``cmbound check`` on the command line: formats, exit status, replay, wrong input."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import cmbound
from cmbound.names import WORLDS
from cmbound.theory.records import Term
from cmbound.verification import campaign, falsify as search
from cmbound.verification.laboratories import LABORATORIES
from tests.helpers import call, fails, fine

KEYS = {
    "theorem", "kind", "instances", "passed", "violations", "undecided", "skipped", "sampled", "reasons", "max_ratio",
    "median_ratio", "hidden_constant", "sharpness", "profiles", "worst", "seed", "seconds",
}  # fmt: skip
SMALL = ("--instances", "30", "--world", "gaussian")


def test_world_names_are_those_of_the_library() -> None:
    assert set(WORLDS) == set(LABORATORIES)


def test_json_of_one_statement_and_of_several() -> None:
    one = json.loads(fine("check", "explicit-training", *SMALL, "--format", "json"))
    assert set(one) == KEYS
    assert one["violations"] == 0
    assert one["passed"] + one["undecided"] + one["skipped"] == 30
    assert set(one["sharpness"]) == {"initialisation", "consistency", "early_stopping"}
    assert set(one["worst"]) >= {"true", "bound", "ratio", "terms", "parameters", "recipe", "status"}
    several = json.loads(fine("check", "explicit-training", "lyu2023-thm3", *SMALL, "--format", "json"))
    assert [x["theorem"] for x in several] == ["explicit-training", "lyu2023-thm3"]
    assert several[1]["hidden_constant"] > 0
    one.pop("seconds"), several[0].pop("seconds")
    assert one == several[0]


def test_all_checks_every_statement_with_instances() -> None:
    rows = list(csv.DictReader(io.StringIO(fine("check", "--all", "--instances", "2", "--world", "gaussian", "--format", "csv"))))
    assert [x["statement"] for x in rows] == [x.id for x in cmbound.catalogue if x.experiment]
    assert all(int(x["instances"]) == 2 and int(x["violations"]) == 0 for x in rows)


def test_text_says_what_was_found() -> None:
    text = fine("check", "explicit-one-step", *SMALL)
    for words in ("max ratio", "sharpness", "early stopping", "largest ratio", "gaussian world", "skipped or undecided"):
        assert words in text
    text = fine("check", "lyu2023-thm3", *SMALL)
    assert "order form, not a guarantee; the instances force C >=" in text
    assert "no instance estimates its constant" in fine("check", "lyu2023-cor8", *SMALL)


@pytest.mark.parametrize("form", ["latex", "markdown"])
def test_tables(form: str) -> None:
    text = fine("check", "explicit-training", *SMALL, "--format", form)
    assert "explicit-training" in text
    assert ("\\toprule" in text) == (form == "latex")


def _wrong() -> Any:
    theorem = cmbound.theorem("explicit-training")
    terms = tuple(Term(x.name, x.expression / 3) for x in theorem.bare_sources)
    return replace(theorem, sources=terms)


def test_a_violation_ends_with_status_1_and_can_be_replayed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wrong = _wrong()
    monkeypatch.setattr(campaign, "find", lambda id: wrong)
    path = tmp_path / "report.json"
    outcome = call("check", "explicit-training", *SMALL, "--format", "json", "-o", str(path))
    assert outcome.status == 1
    report = json.loads(path.read_text())
    assert report["violations"] > 0
    assert report["worst"]["status"] == "violation"
    assert report["worst"]["ratio"] > 1
    outcome = call("check", "explicit-training", *SMALL)
    assert outcome.status == 1
    assert "VIOLATION" in outcome.out
    outcome = call("check", "--replay", str(path))
    assert outcome.status == 1
    assert "violation" in outcome.out
    monkeypatch.undo()
    assert "passed" in fine("check", "--replay", str(path))


def test_replay_reads_standard_input_and_gives_the_same_numbers() -> None:
    report = fine("check", "explicit-one-step", *SMALL, "--format", "json")
    again = call("check", "--replay", "-", "--format", "json", stdin=report)
    assert again.status == 0
    worst = json.loads(report)["worst"]
    assert json.loads(again.out) == worst
    row = next(csv.DictReader(io.StringIO(call("check", "--replay", "-", "--format", "csv", stdin=report).out)))
    assert (row["statement"], row["status"]) == ("explicit-one-step", worst["status"])
    assert float(row["true"]) == pytest.approx(worst["true"], rel=1e-9)


def test_falsify(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = count()  # a second is 64 looks at the clock
    monkeypatch.setattr(search, "time", SimpleNamespace(perf_counter=lambda: next(looks) / 64))
    found = json.loads(
        fine("check", "explicit-training", "--falsify", "--budget", "1", "--world", "gaussian", "--format", "json")
    )
    assert found["violations"] == []
    assert set(found["best"]) == {"total", "initialisation", "consistency", "early_stopping"}
    assert found["best"]["total"]["witness"]["recipe"]["world"] == "gaussian"
    assert "0 violations" in fine("check", "explicit-training", "--falsify", "--budget", "0.5", "--world", "gaussian")
    wrong = _wrong()
    monkeypatch.setattr(search, "find", lambda id: wrong)
    assert call("check", "explicit-training", "--falsify", "--budget", "1", "--world", "gaussian").status == 1


def test_planted() -> None:
    data = json.loads(fine("check", "explicit-score-lipschitz", "--planted", "--format", "json"))
    assert data["planted"] == data["caught"] + sum(len(data[x]) for x in ("survived", "implied", "not_weaker"))
    assert data["caught"] >= 3
    text = fine("check", "explicit-score-lipschitz", "--planted")
    assert f"{data['planted']} planted, {data['caught']} caught" in text


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        ((), 2, ("give the id of a statement, or --all",)),
        (("explicit-one-stpe",), 2, ("did you mean 'explicit-one-step'",)),
        (("--all", "explicit-one-step"), 2, ("give ids or --all, not both",)),
        (("explicit-one-step", "--world", "gausian"), 2, ("gaussian",)),
        (("explicit-one-step", "--instances", "0"), 3, ("instances must be an integer from 1", "got 0")),
        (("explicit-one-step", "--instances", "x"), 2, ("--instances",)),
        (("explicit-one-step", "--seed", "-1"), 3, ("seed must be an integer from 0", "got -1")),
        (("explicit-one-step", "--jobs", "0"), 3, ("jobs must be an integer from 1", "got 0")),
        (("explicit-one-step", "--falsify", "--planted"), 2, ("--falsify and --planted",)),
        (("explicit-one-step", "--budget", "3"), 2, ("--budget belongs to --falsify",)),
        (("explicit-one-step", "--falsify", "--budget", "0"), 3, ("budget must be a number of seconds > 0",)),
        (("explicit-one-step", "--falsify", "--budget", "nan"), 3, ("budget must be a number of seconds > 0",)),
        (("explicit-one-step", "--falsify", "--jobs", "2"), 2, ("--jobs and --cluster do not go with --falsify",)),
        (("explicit-one-step", "--planted", "--world", "gaussian"), 2, ("--world does not go with --planted",)),
        (("explicit-one-step", "--planted", "--instances", "3"), 2, ("--instances does not go with --planted",)),
        (("lyu2023-thm3", "--planted"), 2, ("order-form",)),
        (("kwon2022-w2",), 2, ("kwon2022-w2 cannot be checked", "no instances are known")),
        (("chen2022-bounded", "brosse2026-edm"), 2, ("chen2022-bounded cannot be checked",)),
        (("--replay", "missing.json"), 2, ("cannot read missing.json",)),
        (("explicit-one-step", "--replay", "missing.json"), 2, ("leave out the id",)),
    ],
)
def test_wrong_input(arguments: tuple[str, ...], status: int, says: tuple[str, ...]) -> None:
    fails(status, "check", *arguments, says=says)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"worst": null}', '{"worst": {"recipe": {"theorem": 1}}}'])
def test_replay_of_something_else(text: str) -> None:
    fails(2, "check", "--replay", "-", stdin=text)
