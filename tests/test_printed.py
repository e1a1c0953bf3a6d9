"""A number read off a page is what it claims to be: upper bounds are rounded up, lower ones down, in every form of output."""

from __future__ import annotations

import csv
import io
import json
import re
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cmbound
from cmbound.arithmetic.certified import float_up
from cmbound.numbers import apart, rounded, text_up
from cmbound.planning.budget import solve
from cmbound.planning.records import within
from cmbound.theory.notation import UPPER_BOUNDS
from cmbound.verification.measured import compare
from cmbound.verification.request import measured_constant
from cmbound.verification.simulation import simulate
from cmbound.worlds import Atoms
from tests.helpers import call
from tests.settings import EI, draw, for_profile, for_theorem, one_law

ONE_STEP = cmbound.theorem("explicit-one-step")
NUMBER = r"-?[0-9]+(?:\.[0-9]+)?(?:e-?[0-9]+)?"


def latex_decimal(text: str) -> Fraction:
    """A number as LaTeX shows it."""
    return Fraction(re.sub(r" \\times 10\^\{(-?[0-9]+)\}", r"e\1", text))


# --- the function -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(300))
def test_directions(seed: int) -> None:
    rng = np.random.default_rng(seed)
    digits = int(rng.integers(1, 20))
    exact: Any = Fraction(int(rng.integers(1, 10**12)), int(rng.integers(1, 10**12))) * 10 ** int(rng.integers(-30, 30))
    if seed % 3 == 1:
        exact = float(exact)
    if seed % 3 == 2:
        exact = Decimal(int(rng.integers(1, 10**15))).scaleb(int(rng.integers(-40, 40)))
    if seed % 2:
        exact = -exact
    value = Fraction(exact)
    up, down, near = (Fraction(rounded(exact, digits, x)) for x in ("up", "down", "nearest"))
    assert down <= value <= up
    assert down <= near <= up
    assert abs(up - down) <= abs(value) * Fraction(10) ** (1 - digits)
    assert near in (up, down)


def test_equal_digits_keep_the_order() -> None:
    rng = np.random.default_rng(0)
    for x, y in np.sort(1 + rng.uniform(0, 1e-4, (200, 2)), axis=1):
        for direction in ("up", "down", "nearest"):
            assert Fraction(rounded(x, 5, direction)) <= Fraction(rounded(y, 5, direction))
        texts = apart(x, y)
        assert texts[0] != texts[1]
        assert Fraction(texts[0]) < Fraction(texts[1])
    assert apart(1, 1.0, Fraction(1)) == ("1", "1", "1")
    assert apart(float("inf"), Fraction(2)) == ("inf", "2")


def test_a_double_as_text_is_above() -> None:
    rng = np.random.default_rng(1)
    for _ in range(3000):
        x = Decimal(repr(float(rng.uniform(0.1, 10)))) + Decimal(int(rng.integers(-9, 9))).scaleb(-int(rng.integers(16, 24)))
        value = float_up(x)
        assert Decimal(value) >= x
        assert x <= Decimal(text_up(value, x)) <= x * (1 + Decimal("3e-16"))
        assert Decimal(value) <= Decimal(text_up(value))


def test_measured_constants() -> None:
    assert measured_constant("R", 1.13050524) == "1.1306"
    assert measured_constant("tau", 1 / 3) == repr(1 / 3)
    assert measured_constant("n_atoms", 30) == "30"


# --- evaluations ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("tier", ["certified", "approximate"])
def test_an_evaluation_in_every_form(seed: int, tier: str) -> None:
    rng = np.random.default_rng(seed)
    values = draw(rng)
    from cmbound.evaluation.point import evaluate

    profile = ("universal", "second-moment", "lipschitz")[seed % 3]
    params = one_law({**for_theorem(ONE_STEP, values), **for_profile(profile, EI, values), "profile": profile})
    found = evaluate(ONE_STEP, params, tier)
    exact: dict[str, Any] = {**{name.replace("_", " "): x for name, x in found.terms.items()}, "total": found}
    rows = {name: Fraction(x.upper) for name, x in exact.items()}

    page = found.text(200)
    headline = re.search(rf"p_data\) <= ({NUMBER})$", page, re.MULTILINE)
    assert headline is not None
    assert Fraction(headline[1]) >= rows["total"]
    for name, upper in rows.items():
        shown = re.search(rf"^  {name} +({NUMBER}) +[0-9.]+$", page, re.MULTILINE)
        assert shown is not None
        assert upper <= Fraction(shown[1]) <= upper * (1 + Fraction(2, 10**5))

    data = json.loads(json.dumps(found.to_dict()), parse_float=Decimal)
    for name, row in {"total": data, **{x["name"].replace("_", " "): x for x in data["terms"]}}.items():
        assert rows[name] == Fraction(row["upper"]) >= Fraction(row["lower"])
        value = float(row["value"])  # JSON numbers are doubles; in the approximate tier upper is its shortest text
        assert Fraction(value) >= rows[name] if tier == "certified" else value == float(row["upper"])

    table = csv.DictReader(io.StringIO(found.report().render("csv")))
    for row in table:
        upper = rows[row["term"].replace("_", " ")]
        assert Fraction(row["value"]) >= upper == Fraction(row["upper"])
        assert Fraction(row["lower"]) <= upper

    for form, mark in (("latex", r"& \$?{}\$? *&"), ("markdown", r"\| +{} \|")):
        text = found.report().render(form)
        stated = re.search(r"\\leq (.+?)(?: \\\]|\$)", text)
        assert stated is not None
        assert latex_decimal(stated[1]) >= rows["total"]
        for name, upper in rows.items():
            pattern = mark.replace("{}", r"([0-9][^&|$]*?)")
            shown = re.search(rf"{name} +{pattern}", text)
            assert shown is not None, (name, text)
            assert upper <= latex_decimal(shown[1].strip())
    total = re.search(rf" ({NUMBER}), {tier}>$", repr(found))
    assert total is not None
    assert Fraction(total[1]) >= rows["total"]
    for name, text in re.findall(rf"(\w+)=({NUMBER})", repr(found.terms)):
        assert Fraction(text) >= rows[name.replace("_", " ")]


# --- measured constants -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_constants_of_data(seed: int, tmp_path: Path) -> None:
    """What is shown of a data set, typed back, is a valid constant of it."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(12, 2)) * 10.0 ** rng.uniform(-1, 0.5)
    world = Atoms(points)
    run = simulate(world, n=20, grid_steps=5, delta=0.05, horizon=2)
    exact = {name: x for name, x in run.parameters.items() if isinstance(x, int | float)}
    page = run.text(400)
    shown = dict(re.findall(rf"([A-Za-z_0-9]+) = ({NUMBER})", page.partition("constants: ")[2].partition("note")[0]))
    assert {"R", "m2", "sd2"} <= set(shown)
    for name, text in shown.items():
        if name in UPPER_BOUNDS and name in exact:
            assert Fraction(exact[name]) <= Fraction(text) <= Fraction(exact[name]) * (1 + Fraction(1, 10**4))
        elif name in exact:
            assert float(text) == exact[name]
    law = {name: shown[name] for name in ("d", "m2", "sd2", "R", "n_atoms", "d_eff")}
    base = {"T": 2, "delta": "0.05", "L_f": 2, "eps_sc": 0, "eps_cm": 0, "teacher": "ddim", "grid": "edm", "N": 20}
    again = ONE_STEP.evaluate(**base, **law)
    measured = ONE_STEP.evaluate(**base, **{name: exact[name] for name in law})
    assert measured.upper <= again.upper <= measured.upper * Decimal("1.001")

    data = json.loads(json.dumps(run.to_dict()))  # JSON numbers are doubles: the constants themselves
    assert all(data["parameters"][name] == x for name, x in exact.items())
    for row in csv.DictReader(io.StringIO(run.report().render("csv"))):
        assert Fraction(row["bound"]) >= Fraction(run.evaluation.upper)

    file = tmp_path / "points.csv"
    file.write_text("\n".join(",".join(map(repr, map(float, row))) for row in points))
    printed = call("simulate", "--data", str(file), "-n", "20", "--grid-steps", "5").out
    found = re.search(rf"\bR = ({NUMBER})", printed)
    assert found is not None
    assert Fraction(found[1]) >= Fraction(world.constants(0.05, 2.0)["R"])


def test_constants_of_a_comparison() -> None:
    world = Atoms(np.random.default_rng(5).normal(size=(6, 2)))
    found = compare(world=world, delta=0.05, T=2, N=5, statements=["explicit-one-step", "explicit-map-error"])
    law = world.constants(0.05, 2.0)
    for name in ("R", "m2", "L_s"):
        assert Fraction(law[name]) <= Fraction(found.parameters[name])
    row = found["explicit-one-step"]
    assert row.evaluation is not None
    upper = Fraction(row.evaluation.upper)
    shown = re.search(rf"explicit-one-step +explicit +({NUMBER})", found.text(200))
    assert shown is not None
    assert Fraction(shown[1]) >= upper
    rows = {x["id"]: x for x in csv.DictReader(io.StringIO(found.report().render("csv")))}
    assert Fraction(rows["explicit-one-step"]["value"]) >= upper == Fraction(rows["explicit-one-step"]["upper"])


# --- budgets ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_budgets(seed: int) -> None:
    """What is printed, typed back, meets the target; no bound is printed above what it is allowed."""
    rng = np.random.default_rng(seed)
    given: dict[str, Any] = {"d": int(rng.integers(1, 9)), "m2": f"{rng.uniform(1, 3):.4f}", "L_f": f"{1 + rng.uniform():.4f}"}
    fixed: dict[str, Any] = {"delta": "1e-4"} if seed % 2 else {}
    target = f"{10.0 ** rng.uniform(-2, 1):.4g}"
    found = solve("explicit-one-step", target=target, **given, **fixed)
    page = found.text(160)
    rows = re.findall(rf"^  ([a-z ]+?) +({NUMBER}|[0-9]+/[0-9]+) +({NUMBER})$", page, re.MULTILINE)
    assert len(rows) == 6
    for name, allowed, bound in rows:
        assert Fraction(bound) <= Fraction(allowed), (name, allowed, bound)
        upper = found.achieved.upper if name == "total" else found.achieved.terms[name.replace(" ", "_")].upper
        assert Fraction(bound) >= Fraction(upper)
    budget = dict(re.findall(rf"^  (\w+) +({NUMBER}) +(?:solved|fixed)$", page, re.MULTILINE))
    again = ONE_STEP.evaluate(**given, **budget)
    assert Fraction(again.upper) <= Fraction(target)


def test_close_numbers_stay_apart() -> None:
    allowed, bound = Fraction("1.124915"), Fraction("1.1249149")
    texts = within(allowed, bound)
    assert Fraction(texts[1]) <= Fraction(texts[0]) <= allowed
    assert Fraction(texts[1]) >= bound
    assert within(Fraction(1, 3), Fraction(1, 3))[0] == within(Fraction(1, 3), Fraction(1, 3))[1]
