"""Whatever a user gives and nothing depends on is said so, and nothing else is."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import cmbound
from cmbound.analysis.orders import orders
from cmbound.catalogue import catalogue
from cmbound.errors import CmboundError
from cmbound.evaluation.sweeps import sweep
from cmbound.planning.budget import solve
from cmbound.planning.schedule import schedule
from tests.helpers import call
from tests.settings import cases, draw, for_profile, for_theorem, one_law

ONE_STEP = cmbound.theorem("explicit-one-step")
BASE: dict[str, Any] = {"d": 4, "m2": 3, "T": 3, "delta": "0.01", "L_f": 2, "eps_sc": "0.01", "eps_cm": "0.01"}
STEP = {**BASE, "h": "0.01"}
DDIM = {**BASE, "teacher": "ddim", "grid": "edm", "N": 10}
HEUN = {**DDIM, "teacher": "heun", "M": 1}
EIGS = ("1", "1", "1/2", "1/5")
NODES = {**{k: v for k, v in BASE.items() if k not in ("T", "delta")}, "grid": ["0.01", "0.5", "3"]}
MULTI = {**STEP, "k": 1}

CASES: tuple[tuple[str, dict[str, Any], set[str]], ...] = (
    ("explicit-one-step", STEP, set()),
    ("explicit-one-step", {**STEP, "n_atoms": 5}, {"n_atoms"}),
    ("explicit-one-step", {**STEP, "d_eff": 2}, {"d_eff"}),
    ("explicit-one-step", {**STEP, "tau": "0.1"}, {"tau"}),
    ("explicit-one-step", {**STEP, "sd2": 1, "profile": "universal"}, {"sd2"}),
    ("explicit-one-step", {**STEP, "sd2": 1, "profile": "second-moment"}, set()),
    ("explicit-one-step", {**STEP, "L_s": 4, "t_star": "delta", "profile": "lipschitz"}, set()),
    ("explicit-one-step", {**STEP, "L_s": 4, "t_star": 0, "profile": "universal"}, {"L_s", "t_star"}),
    ("explicit-one-step", {**STEP, "R": 2, "tau": "0.5", "profile": "smoothed"}, set()),
    ("explicit-one-step", {**DDIM, "L_s": 3}, set()),
    ("explicit-one-step", {**DDIM, "L_s": 3, "t_star": 0, "tau": "0.5"}, {"t_star", "tau"}),
    ("explicit-one-step", {**DDIM, "L_s": 3, "L_os": 1, "profile": "universal"}, {"L_s", "L_os"}),
    ("explicit-one-step", {**DDIM, "L_os": 1, "profile": "one-sided"}, set()),
    ("explicit-one-step", {**STEP, "L_os": 1, "t_star": "delta", "profile": "one-sided"}, {"t_star"}),
    ("explicit-one-step", {**HEUN, "L_os": 1, "t_star": "delta", "profile": "one-sided"}, {"t_star"}),  # first order is better
    ("explicit-one-step", {**HEUN, "N": 200, "L_os": 1, "t_star": "delta", "profile": "one-sided"}, set()),
    ("explicit-one-step", {**DDIM, "M": 1}, {"M"}),
    ("explicit-one-step", {**STEP, "M": 1}, {"M"}),
    ("explicit-one-step", {**HEUN, "eps_sc": 0, "profile": "universal-integrated"}, set()),
    ("explicit-one-step", {**STEP, "diameter": 3, "profile": "universal"}, {"diameter"}),
    ("explicit-one-step", {**DDIM, "R": 2, "diameter": 3, "profile": "bounded"}, {"diameter"}),
    ("explicit-one-step", {**DDIM, "R": 2, "diameter": 3, "profile": "bounded-integrated"}, set()),
    ("explicit-one-step", {**DDIM, "diameter": 3, "profile": "bounded-integrated"}, set()),
    ("explicit-one-step", {**DDIM, "R": 2, "diameter": 4, "sd2": 1, "profile": "bounded-integrated"}, set()),  # equal
    ("explicit-one-step", {**DDIM, "R": 2, "diameter": "3.9", "sd2": 1, "profile": "bounded-integrated"}, {"R"}),
    ("explicit-one-step", {**DDIM, "R": "1.9", "diameter": "3.8001", "sd2": 1, "profile": "bounded-integrated"}, {"diameter"}),
    ("explicit-map-error", {**STEP, "R": 2, "profile": "bounded-integrated"}, {"m2"}),
    ("explicit-one-step", {**STEP, "cov_eigs": EIGS, "profile": "universal"}, {"cov_eigs"}),
    ("explicit-one-step", {**STEP, "cov_eigs": EIGS, "profile": "second-moment"}, set()),
    ("explicit-one-step", {**STEP, "cov_eigs": EIGS, "L_os": 1, "profile": "one-sided"}, set()),
    ("explicit-one-step", {**DDIM, "cov_eigs": EIGS, "R": 2, "profile": "bounded-integrated"}, set()),
    ("explicit-one-step", {**DDIM, "cov_eigs": EIGS, "sd2": 2, "R": 2, "profile": "bounded-integrated"}, {"sd2"}),
    ("explicit-one-step", {**DDIM, "cov_eigs": EIGS, "sd2": 2, "profile": "universal"}, {"cov_eigs", "sd2"}),
    ("explicit-one-step", {**STEP, "R": 2, "d_eff": 2, "profile": "bounded-integrated"}, set()),
    ("explicit-one-step", {**DDIM, "rho": 5}, set()),
    ("explicit-one-step", {**DDIM, "R": 2, "n_atoms": 4, "weights": "1,1,1,2", "profile": "atoms"}, set()),
    ("explicit-one-step", {**DDIM, "d_eff": 2, "profile": "universal"}, set()),
    ("explicit-one-step", {**DDIM, "R": 2, "d_eff": 2, "profile": "bounded"}, {"d_eff"}),
    ("explicit-one-step", {**DDIM, "R": 2, "profile": "bounded", "to": "p_delta", "start": "matched"}, set()),
    ("explicit-one-step", {**DDIM, "R": 2, "n_atoms": 4, "profile": "atoms", "to": "p_delta", "start": "matched"}, set()),
    ("explicit-one-step", NODES, set()),
    ("explicit-one-step", {**NODES, "T": 3, "delta": "0.01"}, {"T", "delta"}),
    ("explicit-multistep", {**MULTI, "t_hat": 1}, {"t_hat"}),
    ("explicit-multistep", {**MULTI, "k": 3, "t_hat": 1}, set()),
    ("explicit-training", {**BASE, "eps_sc": None, "start": "matched", "clock": "ve"}, set()),
    ("explicit-tv-early-stopping", {"L_s": 3, "m2": 2, "d": 2, "delta": "0.1", "to": "p_data"}, {"to"}),
    ("lyu2023-thm3", {**STEP, "delta": None, "L_s": 2, "C": 1, "start": "standard", "clock": "ou"}, {"start", "clock"}),
)


@pytest.mark.parametrize(("id", "given", "names"), CASES, ids=lambda x: x if isinstance(x, str) else "")
def test_what_enters_nothing(id: str, given: dict[str, Any], names: set[str]) -> None:
    found = catalogue[id].evaluate(**given)
    assert {x for x, _ in found.unused} == names
    notes = [x for x in found.notes if x.startswith("does not enter")]
    assert len(notes) == bool(names)
    assert all(name in notes[0] for name in names)
    assert json.loads(json.dumps(found.to_dict()))["notes"] == list(found.notes)


def test_used_means_that_the_value_depends_on_it() -> None:
    """On random settings of every profile: a value that moves with a parameter never has it among the unused, and one that is
    said to be unused can be left out, or changed, without moving the value."""
    rng = np.random.default_rng(3)
    seen = 0
    others = ["L_s", "R", "sd2", "n_atoms", "d_eff", "L_os", "diameter"]
    ball = ("bounded", "bounded-integrated", "atoms", "auto")
    for profile, teacher in (*cases(), ("auto", "ddim"), ("auto", "exponential-integrator")):
        for _ in range(3):
            values = draw(rng)
            base: dict[str, Any] = {**for_theorem(ONE_STEP, values), "teacher": teacher, "profile": profile}
            own = values if profile == "auto" else for_profile(profile, teacher, values)
            names = {*own, *rng.choice(others, 2)} & {*others, "tau", "m2", "M"}
            base |= {name: values[name] for name in names if not (name == "tau" and profile in ball)}
            if teacher != "exponential-integrator":
                base.pop("h")
                base |= {"grid": "geometric", "N": 20}
            base = one_law(base)
            try:
                found = ONE_STEP.evaluate(**base)
            except CmboundError:
                continue
            unused = {x for x, _ in found.unused}
            for name in (*others, "tau", "m2", "L_f", "eps_sc", "eps_cm", "M"):
                if name not in base or (profile == "auto" and name in unused):
                    continue
                moved = {**base, name: base[name] + 1 if name in ("n_atoms",) else base[name] * 1.01}
                if name == "d_eff":
                    moved[name] = base[name] - 1
                try:
                    other = ONE_STEP.evaluate(**moved)
                except CmboundError:
                    continue
                changed = other.upper != found.upper
                if name in unused or not _shadowed(name, base):
                    assert changed == (name not in unused) or (not changed and base[name] == 0), (name, profile, teacher, base)
                seen += 1
    assert seen > 60


def _shadowed(name: str, base: dict[str, Any]) -> bool:
    """Whether another constant may be the smaller side of a minimum both enter: the value then depends on one of them."""
    sizes = {"R", "diameter", "sd2", "m2", "n_atoms", "d_eff", "d"}
    return name in sizes and len(sizes & base.keys()) > 1


def test_why() -> None:
    found = ONE_STEP.evaluate(**DDIM, R=2, diameter="3.9", sd2=1, L_s=9, profile="bounded-integrated")
    assert dict(found.unused) == {"R": "diameter bounds the same better", "L_s": "the profile asked for does not take it"}
    asked = ONE_STEP.evaluate(**STEP, sd2=1, n_atoms=3, profile="second-moment")
    assert dict(asked.unused) == {"n_atoms": "the profile asked for does not take it"}


def test_a_preset_is_not_blamed() -> None:
    for options in ({"preset": "digits", "N": 100}, {"preset": "gaussian-2d"}):
        assert not ONE_STEP.evaluate(**options).unused
    assert {x for x, _ in ONE_STEP.evaluate(preset="gaussian-2d", d_eff=2).unused} == {"d_eff"}


def test_everywhere() -> None:
    """The note is in the record, so in JSON and on the page, of every command that evaluates."""
    flags = ["--preset", "gaussian-2d", "-p", "d_eff=2"]
    commands: tuple[tuple[str, ...], ...] = (
        ("evaluate", "explicit-one-step", *flags),
        ("solve", "explicit-one-step", "--target", "0.3", *flags),
        ("solve", "explicit-one-step", "--target", "0.3", *flags, "--for", "h"),
        ("schedule", "--steps", "2", *flags),
        ("compare", "--metric", "W2", *flags),
        ("analyse", "explicit-one-step", "-p", "d_eff=2", *(x for k, v in STEP.items() for x in ("-p", f"{k}={v}"))),
    )
    for command in commands:
        page = " ".join(call(*command).out.split())
        assert "does not enter" in page, command
        assert "d_eff" in page.partition("does not enter")[2][:40], command
        found = json.loads(call(*command, "--format", "json").out)
        notes = found["achieved"]["notes"] if command[0] == "solve" else found["notes"]
        assert any("does not enter" in x and "d_eff" in x for x in notes), command
    swept = call("sweep", "explicit-one-step", *flags, "-p", "h=1e-3,1e-2")
    assert "does not enter: d_eff" in swept.err
    assert "does not enter" not in swept.out
    assert any(
        "d_eff" in x
        for x in json.loads(call("sweep", "explicit-one-step", *flags, "-p", "h=1e-3,1e-2", "--format", "json").out)["notes"]
    )


def test_records() -> None:
    params = {**STEP, "d_eff": 2}
    assert [x for x, _ in ONE_STEP.approximate(**params).unused] == ["d_eff"]
    assert [x for x, _ in ONE_STEP.approximate(**{**params, "h": np.array([0.01, 0.1])}).unused] == ["d_eff"]
    grid = {**BASE, "d_eff": 2, "grid": "edm", "N": 5, "m2": np.array([3.0, 4.0])}
    assert [x for x, _ in ONE_STEP.approximate(**grid).unused] == ["d_eff"]
    assert [x for x, _ in sweep("explicit-one-step", **{**params, "h": "0.01,0.1"}).unused] == ["d_eff"]
    assert [x for x, _ in orders(ONE_STEP, L_s=3).unused] == ["L_s"]
    assert [x for x, _ in orders(ONE_STEP, L_s=3, profile="lipschitz").unused] == []
    assert [x for x, _ in solve("explicit-one-step", target=1, L_f=2, d=2, m2=2, d_eff=2).achieved.unused] == ["d_eff"]
    found = schedule(steps=2, **{**STEP, "d_eff": 2})
    assert [x for x, _ in found.optimal.unused] == ["d_eff"]
    assert Fraction(found.optimal.upper) > 0


def test_sums_depend_on_where_they_begin() -> None:
    """Also where no assumption that is checked names delta."""
    bare = replace(cmbound.theorem("explicit-map-error"), statement_assumptions=())
    assert {x for x, _ in bare.evaluate(**STEP, t=2, profile="universal").unused} == {"m2", "T"}
