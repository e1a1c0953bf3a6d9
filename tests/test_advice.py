"""A vacuous bound says what it is compared with and what would help; pitfalls are one line each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cmbound
from cmbound.errors import DomainError, MissingParameterError
from cmbound.evaluation.advice import advised
from tests.helpers import fine

ONE = "explicit-one-step"
BASE: dict[str, Any] = {"d": 2, "m2": 2, "L_f": 3, "eps_sc": "0.01", "eps_cm": "0.01", "N": 20}


def notes(**params: Any) -> str:
    return "\n".join(cmbound.theorem(ONE).evaluate(**params).notes)


def test_the_yardstick_is_the_mean_where_the_spread_is_known() -> None:
    digits = cmbound.theorem(ONE).evaluate(preset="digits")
    assert digits.trivial == pytest.approx(4.332795)
    assert digits.trivial_answer == "the best constant (the mean)"
    for more, size in (({}, 2.0), ({"sd2": 1}, 1.0), ({"cov_eigs": ["0.25", "0.75"]}, 1.0)):
        for clock in ("ou", "ve"):
            found = cmbound.theorem(ONE).evaluate(**BASE, **more, T=3, delta="0.5", clock=clock)
            assert found.trivial == pytest.approx(size)
            stopped = cmbound.theorem(ONE).evaluate(**BASE, **more, T=3, delta="0.5", clock=clock, to="p_delta")
            c2 = 1.0 if clock == "ve" else np.exp(-1.0)
            noise = np.expm1(1.0) if clock == "ve" else -np.expm1(-1.0)
            assert stopped.trivial == pytest.approx(np.sqrt(c2 * size**2 + 2 * noise))
    assert "the best constant (the mean) achieves 1;" in notes(**BASE, sd2=1, T=3, delta="0.5")
    assert "the constant 0 achieves 2;" in notes(**BASE, T=3, delta="0.5")


def test_what_helps_is_what_an_evaluation_gives() -> None:
    params = {**BASE, "T": 3, "delta": "0.5"}
    found = advised(cmbound.theorem(ONE).evaluate(**params), params)
    (said,) = found.advice
    halved = cmbound.theorem(ONE).evaluate(**{**params, "L_f": "1.5"}).value
    finer = cmbound.theorem(ONE).evaluate(**{**params, "N": 40}).value
    for text in (f"half L_f (1.5) gives {halved:.3f}"[:-1], f"twice N (40) gives {finer:.3f}"[:-1]):
        assert text in said
    gains = [float(x.rpartition(" ")[2]) for x in said.split(", ")]
    assert gains == sorted(gains)
    assert gains[-1] < 0.98 * found.value
    assert not advised(cmbound.theorem(ONE).evaluate(preset="gaussian-2d"), {"preset": "gaussian-2d"}).advice
    printed = fine("evaluate", ONE, *(y for name, x in params.items() for y in ("-p", f"{name}={x}")))
    assert said in " ".join(printed.split())


def test_what_cannot_be_halved_is_named_by_its_number_alone() -> None:
    """And only that: what comes after it is halved again."""
    numbers = {"eps_sc": "1e-3", "eps_cm": "1e-3", "L_f": "1.05", "d": 2, "m2": 1, "sd2": "0.1", "L_s": 1000}
    params = {**numbers, "T": 6, "delta": "1e-4", "h": "1e-3"}
    (said,) = advised(cmbound.theorem(ONE).evaluate(**params), params).advice
    for change in ("half h (0.0005) gives", "half delta (0.00005) gives", "L_f = 1 gives"):
        assert change in said
    saturated = {"preset": "gaussian-2d", "delta": "5.9", "T": 12}
    found = cmbound.theorem(ONE).evaluate(**saturated)
    assert "the dominating term is early stopping (99%" in found.notes[0]
    with pytest.raises(DomainError, match="early stopping alone is"):
        cmbound.solve(ONE, target="0.01", fix={"delta": "0.01"}, preset="gaussian-2d")
    (said,) = advised(found, saturated).advice
    assert said == "what helps most: delta / 10 (0.59) gives 1.303"
    long = {"preset": "gaussian-2d", "T": 500, "eps_sc": "0.003", "eps_cm": "1e-3"}
    (said,) = advised(cmbound.theorem(ONE).evaluate(**long), long).advice
    assert "what helps most: half T (250) gives" in said
    assert notes(**{**BASE, "m2": "1e300", "L_s": "1", "sd2": "1e299"}, T=3, delta="0.5")  # numbers whose squares no float has


def test_one_lipschitz_constant_in_the_other_clock() -> None:
    said = "with one L_f (at least 1) in the variance-exploding clock"
    levels = {**BASE, "sigma_min": "0.1", "sigma_max": 20, "clock": "ve"}
    assert said in notes(**levels)
    assert said not in notes(**{**levels, "L_f": [3] * 20})
    assert said in notes(**{**levels, "L_f": 1})
    assert said not in notes(**{**levels, "clock": "ou"})


def test_the_other_commands_say_it_too() -> None:
    """What to change first stands first; compare says of its best bound what evaluate does, solve why it cannot."""
    levels = {**BASE, "m2": 20, "sd2": 1, "sigma_min": "0.1", "sigma_max": 20, "clock": "ve", "grid": "edm"}
    found = advised(cmbound.theorem(ONE).evaluate(**levels), levels).notes
    assert ["far from centred" in found[1], "with one L_f" in found[2], "what helps most" in found[3]] == [True] * 3
    (helps,) = advised(cmbound.theorem(ONE).evaluate(**levels), {**levels, "digits": 20}).advice
    assert helps == found[3]
    compared = cmbound.compare(statements=[ONE, "explicit-map-error"], **levels).notes
    assert compared[:2] == found[1:3]
    assert helps in compared[2]
    assert "need --clock ve" in cmbound.compare(statements=[ONE], **{**levels, "clock": "ou"}).notes[0]
    with pytest.raises(DomainError, match="with one L_f"):
        cmbound.solve(ONE, target="0.1", L_f=1, d=2, m2=1, clock="ve", grid="edm")


def test_noise_levels_in_the_usual_clock() -> None:
    given = {**BASE, "sigma_min": "0.1", "sigma_max": 20}

    def said(**more: Any) -> bool:
        found = advised(cmbound.theorem(ONE).evaluate(**given, **more), {**given, **more})
        return any("need --clock ve" in x for x in found.advice)

    assert said()
    assert not said(clock="ve")
    tv = cmbound.theorem("explicit-tv-smoothing").evaluate(**given, L_s=4)
    assert "must be converted, the statement has no other clock" in advised(tv, {**given, "L_s": 4}).advice[0]
    other = {"m2": 1, "sigma_max": 100, "k": 3, "sigma_hat": 1, "R": 1, "eps_ci": "0.1", "dtau": "0.1"}
    assert not advised(cmbound.theorem("chen2025-multistep").evaluate(**other), other).advice
    assert not any(
        "--clock ve" in x for x in advised(cmbound.theorem(ONE).evaluate(preset="digits"), {"preset": "digits"}).advice
    )


def test_data_far_from_centred(tmp_path: Path) -> None:
    points = np.random.default_rng(0).normal(size=(50, 2))
    numbers = ("sigma_min=0.1", "sigma_max=20", "L_f=2", "eps_sc=0", "eps_cm=0", "N=9")
    more = [y for x in numbers for y in ("-p", x)]
    for shift, far in ((0, False), (9000, True)):
        np.save(tmp_path / "data.npy", points + shift)
        data = json.loads(fine("evaluate", ONE, "--data", str(tmp_path / "data.npy"), *more, "--format", "json"))
        assert any("far from centred" in x for x in data["notes"]) is far


@pytest.mark.parametrize(
    ("preset", "more", "added"), [("digits", {"L_os": 0, "t_star": "delta"}, "L_os"), ("gaussian-2d", {}, "")]
)
def test_constants_a_preset_does_not_know(preset: str, more: dict[str, Any], added: str) -> None:
    given = {"preset": preset, **more}
    said = [x for x in advised(cmbound.theorem(ONE).evaluate(**given), given).advice if "not known of" in x]
    assert [x.partition(":")[0] for x in said] == [added] * bool(added)


def test_a_heun_teacher_says_what_its_constant_is() -> None:
    with pytest.raises(MissingParameterError, match="Lipschitz constant of the learned noise prediction"):
        cmbound.theorem(ONE).evaluate(**BASE, T=3, delta="0.5", teacher="heun")
