"""Constants that cannot belong to one data law are refused; those of a real law never are, measured or as they are printed."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import cmbound
from cmbound.errors import CmboundError, DomainError, InputError
from cmbound.evaluation import law
from cmbound.evaluation.setting import resolve
from cmbound.evaluation.sweeps import sweep, swept
from cmbound.numbers import rounded
from cmbound.worlds import Atoms, Gaussian, Mixture
from tests.helpers import DOMAIN, fails

BASE: dict[str, Any] = {"d": 4, "m2": 3, "T": 3, "delta": "0.01", "h": "0.01", "L_f": 2, "eps_sc": "0.01", "eps_cm": "0.01"}
ONE_STEP = cmbound.theorem("explicit-one-step")
UPPER = ("m2", "sd2", "R", "L_s", "diameter")

CONTRADICTIONS: tuple[dict[str, Any], ...] = (
    {"sd2": "3.0001"},
    {"sd2": 2, "R": 1},
    {"sd2": 1, "R": "0.9999"},
    {"sd2": "1e-9", "R": 0},
    {"sd2": 1, "n_atoms": 1},
    {"sd2": 1, "n_atoms": 1, "R": 5},
    {"sd2": 1, "weights": "1", "R": 5},
    {"sd2": "0.9", "weights": "8,1,1", "R": 1},  # 4 * 0.8 * 0.2 = 0.8^2
    {"d_eff": 5},
    {"d_eff": 3, "n_atoms": 3},
    {"d_eff": 3, "weights": "1,2,1"},
    {"d_eff": 2, "n_atoms": 1},
    {"d_eff": 3, "tau": "0.5"},
    {"sd2": "0.9", "tau": "0.5"},
    {"sd2": 2, "tau": "0.5", "R": 1},
    {"sd2": 2, "tau": "0.5", "n_atoms": 1},
    {"sd2": "0.5", "L_s": 3},
    {"sd2": "0.5", "L_s": 3, "t_star": "delta"},
    {"R": 1, "tau": "0.5", "L_s": 3},
    {"R": 1, "L_s": 50, "t_star": "delta"},  # 1/s^2 = 50.5
    {"n_atoms": 9, "L_s": 50, "t_star": "delta"},
    {"d_eff": 2, "L_s": 50, "t_star": "delta"},
    {"n_atoms": 3, "weights": "1,1"},
    {"sd2": 1, "diameter": "1.58"},  # Jung in 4 dimensions: (2/5)^(1/2) 1.58 = 0.9993
    {"sd2": 1, "diameter": "1.99", "d_eff": 1},
    {"sd2": 1, "diameter": "1.99", "n_atoms": 2},
    {"sd2": 1, "diameter": "1.73", "n_atoms": 3, "R": 1},
    {"sd2": 1, "diameter": "2.42", "weights": "8,1,1"},  # (1 - 0.66)/2 = 0.17 = 1/2.4254^2
    {"R": 1, "diameter": "2.001"},
    {"diameter": 1, "n_atoms": 1},
    {"d_eff": 3, "L_s": 100},
    {"sd2": "1e-9", "diameter": 0},
    {"sd2": 2, "tau": "0.5", "diameter": 2},
    {"n_atoms": 1, "L_s": 100},  # -1/s^2 is the eigenvalue of one point
    {"n_atoms": 2, "L_os": 0},
    {"weights": "1,2", "L_os": 100},
)
LAWFUL: tuple[dict[str, Any], ...] = (
    {"sd2": 3},
    {"sd2": 1, "R": 1},
    {"sd2": 1, "R": 1, "n_atoms": 2},
    {"sd2": 0, "n_atoms": 1},
    {"sd2": 0, "n_atoms": 1, "R": 1, "d_eff": 1},
    {"sd2": "0.8", "weights": "8,1,1", "R": 1},
    {"d_eff": 2, "n_atoms": 3},
    {"d_eff": 4, "tau": "0.5"},
    {"sd2": 1, "tau": "0.5"},
    {"sd2": 1, "tau": "0.5", "R": 0},
    {"sd2": 1, "tau": "0.5", "n_atoms": 1},
    {"sd2": 1, "L_s": 4},
    {"R": 0, "tau": "0.5", "L_s": 4},
    {"R": 1, "L_s": 51, "t_star": "delta"},
    {"sd2": 1, "diameter": "1.5812"},
    {"sd2": 1, "diameter": 2, "d_eff": 1},
    {"sd2": 1, "diameter": "2.43", "weights": "8,1,1"},
    {"diameter": 0, "n_atoms": 1, "R": 1},
    {"sd2": 1, "R": 1, "diameter": 2},
    {"sd2": 1, "tau": "0.5", "diameter": 0},
    {"L_os": 0},
    {"n_atoms": 1, "L_os": 0},
    {"n_atoms": 2, "L_os": 100, "t_star": "delta"},
    {"n_atoms": 2, "L_os": 0, "tau": "0.5"},
    {"n_atoms": 2, "L_s": 4, "tau": "0.5"},
    {"n_atoms": 2, "L_s": 100, "t_star": "delta"},
    {"R": 1, "L_s": 4},  # rival assumptions: see the note
)


@pytest.mark.parametrize("given", CONTRADICTIONS, ids=str)
@pytest.mark.parametrize("clock", ["ou", "ve"])
def test_constants_of_no_law(given: dict[str, Any], clock: str) -> None:
    if "L_s" in given and clock == "ve":
        given = {**given, "L_s": 1}  # e^(2t) L_s is the constant in the other clock
    with pytest.raises(DomainError) as caught:
        ONE_STEP.evaluate(**BASE, **given, clock=clock)
    text = str(caught.value)
    assert "\n" not in text
    assert sum(name in text for name in given) >= min(2, len(given.keys() - {"weights"}))
    with pytest.raises(DomainError):
        ONE_STEP.approximate(**BASE, **given, clock=clock)


@pytest.mark.parametrize("given", LAWFUL, ids=str)
def test_constants_of_some_law(given: dict[str, Any]) -> None:
    assert ONE_STEP.evaluate(**BASE, **given).value > 0


def test_no_relation_is_left_out_where_none_is_looked_for() -> None:
    for _, names, *_ in law._relations(np, dict.fromkeys(law.NAMES, np.float64(1)), (), ve=False):
        assert law._COMPARED & set(names)


@pytest.mark.parametrize("given", [x for x in CONTRADICTIONS if "weights" not in x], ids=str)
def test_over_arrays_the_place_is_named(given: dict[str, Any]) -> None:
    """The last of three points is the contradiction, the others are N(0, I)."""
    good = {"sd2": 2, "m2": 3, "R": 9, "n_atoms": 9, "d_eff": 4, "tau": 0.0, "L_s": 60, "L_os": 1, "diameter": 9}
    names = [name for name in given if name != "t_star"]
    bad = {name: float(Fraction(given[name])) for name in names}
    arrays = {name: np.array([good[name], good[name], bad[name]], dtype=float) for name in names}
    fixed = {name: x for name, x in BASE.items() if name not in names}
    if given.get("t_star") is not None:
        fixed["t_star"] = given["t_star"]
    if "tau" in names or given.keys() in ({"n_atoms", "L_s"}, {"n_atoms", "L_os"}):  # the first entries are contradictions too
        with pytest.raises(DomainError):
            ONE_STEP.approximate(**fixed, **arrays)
        return
    with pytest.raises(DomainError, match="at index 2"):
        ONE_STEP.approximate(**fixed, **arrays)
    with pytest.raises(DomainError, match=rf"at {names[0]} = "):
        swept(sweep("explicit-one-step", **fixed, **{name: arrays[name] for name in names[:1]}, **{x: bad[x] for x in names[1:]}))


def _worlds(rng: np.random.Generator) -> list[Any]:
    d = int(rng.integers(1, 5))
    sizes = 10.0 ** rng.uniform(-2, 1)
    root = rng.normal(size=(d, d)) * sizes
    points = rng.normal(size=(int(rng.integers(1, 6)), d)) * sizes + rng.normal()
    heavy = rng.dirichlet(np.full(len(points), 0.2)) + 1e-9
    e = np.zeros((2, d))
    e[0, 0], e[1, 0] = sizes, -sizes
    return [
        Gaussian(rng.normal(size=d), root @ root.T),
        Gaussian(np.zeros(d), np.eye(d) * rng.uniform(0.01, 0.9)),
        Mixture(points, None, rng.uniform(0.01, 0.9) ** 2),
        Mixture(e, None, rng.uniform(0.01, 0.9) ** 2),
        Atoms(points),
        Atoms(points, heavy),
        Atoms(e),
        Atoms(e[:1]),
    ]


def _params(law: dict[str, Any], delta: float, clock: str) -> dict[str, Any]:
    law = dict(law)
    if clock == "ve" and "L_s" in law:
        law["L_s"] = max(law["L_s"] * math.exp(-2 * delta) if law["t_star"] == "delta" else law["L_s"], 1.0)
    return {**{k: v for k, v in BASE.items() if k not in law}, **law, "delta": delta, "profile": "universal", "clock": clock}


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("clock", ["ou", "ve"])
def test_no_law_is_refused(seed: int, clock: str) -> None:
    """Measured constants pass as they are, and rounded as they are printed (upper bounds up, to five digits or more)."""
    rng = np.random.default_rng(seed)
    for world in _worlds(rng):
        delta = float(10.0 ** rng.uniform(-4, -1))
        law = world.constants(delta, 3.0, float(rng.choice([0.0, delta])))
        ONE_STEP.evaluate(**_params(law, delta, clock))
        for digits in (5, 8):
            printed = {name: rounded(x, digits) if name in UPPER else x for name, x in law.items()}
            ONE_STEP.approximate(**_params(law | {k: v for k, v in printed.items() if k != "L_s"}, delta, clock))
        arrays = {
            name: np.full(3, x) for name, x in law.items() if name in (*UPPER, "tau") and not (clock == "ve" and name == "L_s")
        }
        ONE_STEP.approximate(**{**_params(law, delta, clock), **arrays})
        one = {name: [x, x] for name, x in law.items() if name in ("m2", "sd2")}
        if "weights" not in law:  # a list would be swept over
            swept(sweep("explicit-one-step", **{**_params(law, delta, clock), **one}))


EIGENVALUES: tuple[tuple[dict[str, Any], type[CmboundError], str], ...] = (
    ({"cov_eigs": [1, 1, 1, 0], "d_eff": 2}, DomainError, "3 eigenvalues of cov_eigs are positive, more than d_eff = 2"),
    ({"cov_eigs": [1, 1, 1]}, InputError, "cov_eigs has 3 values, but d = 4 are needed"),
    ({"cov_eigs": [1] * 5}, InputError, "cov_eigs has 5 values, but d = 4 are needed"),
    ({"cov_eigs": [1] * 3, "d_eff": 2}, InputError, "cov_eigs has 3 values, but d = 4 or d_eff = 2 are needed"),
    ({"cov_eigs": [1, 1, -1, 1]}, DomainError, "cov_eigs"),
    ({"cov_eigs": [1, 1, 1, 1], "sd2": "1.99"}, DomainError, "cov_eigs add up to 4, more than sd2"),
    ({"cov_eigs": [4, 4, 4, 4]}, DomainError, "sd2 must be at most m2"),
    ({"cov_eigs": [1, 1, 1, 1], "R": "1.99"}, DomainError, r"sd2 must be at most R; got sd2 = 2, R"),
    ({"cov_eigs": [1, 1, 1, 1], "diameter": "2.8"}, DomainError, r"sd2 must be at most \(j diameter"),
    ({"cov_eigs": ["0.2", "0.2", "0.2", "0.2"], "tau": "0.5", "R": 1}, DomainError, "sd2 must be at least tau"),
    ({"cov_eigs": ["0.1", "0.1", "0.1", "0.1"], "L_s": 9}, DomainError, "L_s"),
    ({"cov_eigs": ["0.1", 2, 2, 2], "L_s": 9}, DomainError, r">= 1/L_s at t_star; got L_s = 9, t_star = 0, and 0.1 among"),
    ({"cov_eigs": ["0.2", 1, 1, 1], "tau": "0.5", "R": 9}, DomainError, r"at least tau\^2; got tau = 0.5, and 0.2 among"),
    ({"cov_eigs": ["0.3", 0, 0, 0], "diameter": 1}, DomainError, r"at most diameter\^2/4"),
    ({"cov_eigs": [1, 1, 1, 0], "n_atoms": 3}, DomainError, "3 eigenvalues of cov_eigs are positive, more than n_atoms - 1 = 2"),
)


@pytest.mark.parametrize(("given", "kind", "words"), EIGENVALUES, ids=str)
def test_eigenvalues_of_no_law(given: dict[str, Any], kind: type[CmboundError], words: str) -> None:
    for tier in ("evaluate", "approximate"):
        with pytest.raises(kind, match=words) as caught:
            getattr(ONE_STEP, tier)(**BASE, **given)
        assert "\n" not in str(caught.value)


def test_eigenvalues_of_a_law() -> None:
    """Their sum is sd2^2, up to the digits constants are printed with; zeros stand for what a subspace leaves out."""
    for given in (
        {"cov_eigs": [1, 1, 1, 1], "sd2": 2},
        {"cov_eigs": [1, 1, 1, 1], "sd2": "1.99999"},
        {"cov_eigs": [1, 1, 1, 1], "sd2": 3},
        {"cov_eigs": [0, 0, 0, 0]},
        {"cov_eigs": [1, 2], "d_eff": 2},
        {"cov_eigs": ["0.25"] * 4, "tau": "0.5", "R": 0},
    ):
        assert ONE_STEP.evaluate(**BASE, **given).value > 0
    found = ONE_STEP.evaluate(**BASE, cov_eigs=[1, 1, 1, 1], profile="second-moment")
    assert found.value == ONE_STEP.evaluate(**BASE, sd2=2, profile="second-moment").value


def test_eigenvalues_are_looked_through_a_few_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """The work grows with their number, not with its square."""
    compared, greater = [0], Fraction.__gt__

    def counted(x: Fraction, y: Any) -> Any:
        compared[0] += 1
        return greater(x, y)

    monkeypatch.setattr(Fraction, "__gt__", counted)
    resolve(ONE_STEP, {**BASE, "d": 300, "m2": 30, "cov_eigs": [Fraction(i, 300) for i in range(300)]})
    assert 0 < compared[0] < 3000


def test_what_a_preset_says_is_named() -> None:
    message = fails(DOMAIN, "evaluate", "explicit-one-step", "--preset", "digits", "-p", "R=1", says=("sd2", "R = 1"))
    assert "sd2 = 4.3328 (from the preset)" in message
    fails(DOMAIN, "compare", "--preset", "gaussian-2d", "-p", "sd2=1", "-p", "R=0.5", says=("sd2 = 1", "R = 0.5"))


def test_equal_looking_numbers_are_told_apart() -> None:
    with pytest.raises(DomainError, match=r"sd2 = 1\.00000001, R = 1\b"):
        ONE_STEP.evaluate(**BASE, sd2="1.00000001", R=1)


def test_rival_assumptions_are_noted() -> None:
    found = ONE_STEP.evaluate(**{**BASE, "d": 1}, R="0.3", L_s=2)
    rests_on = {x.id for x in found.assumptions}
    assert {"A2", "support"} <= rests_on
    assert any("no law has both" in x for x in found.notes)
    assert json.dumps(found.to_dict())


@pytest.mark.parametrize(("m2", "told"), [("1", True), ("1.8", False)])
def test_too_small_a_second_moment_is_told(m2: str, told: bool) -> None:
    """c^2 m2^2 + s^2 d >= d/L_s is asked of sd2 alone, since bounds are studied for growing d at a fixed m2."""
    found = ONE_STEP.evaluate(**{**BASE, "d": 3, "m2": m2, "L_s": 1}, profile="lipschitz-integrated")
    assert any("no law with an L_s-Lipschitz score" in x for x in found.notes) == told
