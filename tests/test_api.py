"""The Python interface: records, representations, arrays, presets, the reference values, documentation examples."""

from __future__ import annotations

import doctest
import json
import re
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import sympy

import cmbound
from cmbound.catalogue.presets import PROVENANCES, names
from cmbound.evaluation.records import Evaluation, schema
from cmbound.evaluation.sweeps import swept
from cmbound.numbers import rounded
from cmbound.papers import digits
from tests.settings import EI, draw, for_profile, for_theorem

ONE_STEP = cmbound.theorem("explicit-one-step")
POINT: dict[str, Any] = {"eps_sc": "0.01", "eps_cm": "0.02", "L_f": 2, "d": 3, "m2": "3/2", "T": 5, "delta": "1e-3", "h": "1e-3"}
REFERENCE = json.loads(Path(__file__).with_name("reference_values.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("entry", REFERENCE, ids=lambda x: x["profile"])
def test_reference_values(entry: dict[str, Any]) -> None:
    """Independent values to 30 digits."""
    theorem = cmbound.theorem(entry["theorem"])
    result = theorem.evaluate(
        **entry["parameters"], profile=entry["profile"], teacher=entry["teacher"], t_star=entry["t_star"], digits=25
    )
    for name, text in {**entry["terms"], "total": entry["total"]}.items():
        found = result if name == "total" else result.terms[name]
        exact = Fraction(text)
        slack = exact / 10**27
        assert Fraction(found.lower) - slack <= exact <= Fraction(found.upper) + slack
        assert Fraction(found.upper) - Fraction(found.lower) <= exact / 10**24


def test_documents_have_a_row_for_each_evaluation() -> None:
    """And none where there is one evaluation; bounds with six digits, the ends of stretches with four."""
    several = cmbound.theorem("explicit-multistep").evaluate(**POINT, k=3, t_hat="1.23456789")
    rows = [[x.strip() for x in line.strip("|").split("|")] for line in several.report().markdown().splitlines() if "|" in line]
    steps = several.steps or ()
    assert rows[-3:] == [[str(x.k), t, rounded(x.upper, 6)] for x, t in zip(steps, ("5", "1.23457", "1.23457"), strict=True)]
    assert rows[-5] == ["k", "time", "bound"]
    assert "| time |" not in ONE_STEP.evaluate(**POINT).report().markdown()
    stretches = ONE_STEP.evaluate(**{**POINT, "delta": "0.0123456"}).report().text()
    assert re.search(r"universal-integrated +0\.01235 +\d\.\d{3}$", stretches, re.MULTILINE)


def test_evaluation_record() -> None:
    result = ONE_STEP.evaluate(**POINT)
    assert isinstance(result, Evaluation)
    assert float(result) == result.value >= float(result.upper)
    assert result.lower <= result.upper
    assert list(result.terms) == ["initialisation", "consistency", "score", "discretisation", "early_stopping"]
    assert result.dominating_term == max(result.terms, key=lambda x: result.terms[x].value)
    assert result.is_guarantee
    assert "<table>" in result._repr_html_()
    assert result._repr_latex_().startswith("$")
    assert "W_2" in ONE_STEP._repr_latex_()
    data = result.to_dict()
    jsonschema.validate(data, schema())
    assert json.loads(json.dumps(data)) == data
    assert data["parameters"] == {name: str(value) for name, value in POINT.items()}
    with pytest.raises(AttributeError):
        result.value = 1.0  # type: ignore[misc]


def test_numbers_are_exact() -> None:
    tenth = ONE_STEP.evaluate(**{**POINT, "eps_sc": "0.1"})
    for same in (Fraction(1, 10), Decimal("0.1"), "1/10", "1e-1", sympy.Rational(1, 10)):
        assert ONE_STEP.evaluate(**{**POINT, "eps_sc": same}).upper == tenth.upper
    binary = ONE_STEP.evaluate(**{**POINT, "eps_sc": 0.1}, digits=30)
    assert binary.upper != ONE_STEP.evaluate(**{**POINT, "eps_sc": "0.1"}, digits=30).upper
    assert Fraction(binary.parameters["eps_sc"]) == Fraction(0.1)
    assert ONE_STEP.evaluate(**{**POINT, "d": np.int64(3), "T": np.float64(5)}).upper == ONE_STEP.evaluate(**POINT).upper


@pytest.mark.parametrize("digits", [5, 15, 50, 200])
def test_digits(digits: int) -> None:
    result = ONE_STEP.evaluate(**POINT, digits=digits)
    width = Fraction(result.upper) - Fraction(result.lower)
    assert width <= Fraction(result.upper) * Fraction(10) ** -digits
    deep = ONE_STEP.evaluate(**POINT, digits=220)
    assert result.lower <= deep.lower <= deep.upper <= result.upper


def test_precision_of_the_process_is_restored() -> None:
    import flint

    before = flint.ctx.prec
    ONE_STEP.evaluate(**POINT)
    assert flint.ctx.prec == before


# --- arrays --------------------------------------------------------------------------------------------------------


def test_arrays_broadcast() -> None:
    h = np.geomspace(1e-4, 1e-1, 7)
    d = np.array([[1], [10], [100]])
    for profile in ("universal", "auto", "lipschitz-integrated"):
        result = ONE_STEP.approximate(**{**POINT, "h": h, "d": d}, L_s=10, profile=profile)
        assert result.total.shape == (3, 7)
        assert set(result.terms) == set(ONE_STEP.evaluate(**POINT).terms)
        assert np.allclose(sum(result.terms.values()), result.total, rtol=1e-14)
        for i, j in ((0, 0), (2, 6), (1, 3)):
            one = ONE_STEP.evaluate(**{**POINT, "h": h[j], "d": int(d[i, 0])}, L_s=10, profile=profile)
            assert result.total[i, j] == pytest.approx(one.value, rel=1e-12)


HEUN: dict[str, Any] = {"grid": "edm", "N": 20, "teacher": "heun", "M": 1.5}


def test_arrays_on_grids_and_of_noise_levels() -> None:
    levels = np.array([20.0, 80.0])
    base = {name: value for name, value in POINT.items() if name not in ("T", "h")}
    for options in ({"h": 1e-3}, {"grid": "edm", "N": 20}, {"grid": "edm", "N": 20, "teacher": "ddim"}, HEUN):
        result = ONE_STEP.approximate(**base, **options, sigma_max=levels)
        for value, level in zip(result.total, levels, strict=True):
            one = ONE_STEP.evaluate(**base, **options, sigma_max=float(level))
            assert value == pytest.approx(one.value, rel=1e-12)


def test_arrays_of_every_statement() -> None:
    rng = np.random.default_rng(9)
    for theorem in cmbound.catalogue:
        if not theorem.evaluable:
            continue
        rows = [for_theorem(theorem, draw(rng)) for _ in range(20)]
        arrays = {name: np.array([row[name] for row in rows]) for name in rows[0]}
        result = theorem.approximate(**arrays)
        for i in (0, 7, 19):
            assert result.total[i] == pytest.approx(theorem.evaluate(**rows[i]).value, rel=1e-12), theorem.id


def test_arrays_in_the_variance_exploding_clock() -> None:
    values = {"eps_sc": 0.01, "eps_cm": 0.02, "d": 3, "m2": 1.5, "sigma_min": 0.01, "sigma_max": 80.0, "h": 0.01, "L_s": 2.0}
    for profile in ("auto", "universal", "lipschitz", "lipschitz-integrated"):
        result = ONE_STEP.approximate(**values, L_f=np.array([1.0, 2.0]), clock="ve", profile=profile)
        for L_f, total in zip((1.0, 2.0), result.total, strict=True):
            assert total == pytest.approx(ONE_STEP.evaluate(**values, L_f=L_f, clock="ve", profile=profile).value, rel=1e-12)


def test_arrays_of_tau() -> None:
    """R is the radius of U as soon as tau > 0: a profile that needs tau = 0 must not slip in through the first point."""
    tau = np.array([0.0, 0.5])
    result = ONE_STEP.approximate(**POINT, R=0.1, tau=tau)
    for value, total in zip(tau, result.total, strict=True):
        assert total == pytest.approx(ONE_STEP.evaluate(**POINT, R=0.1, tau=value).value, rel=1e-9)
    with pytest.raises(cmbound.InputError, match="t_star"):
        ONE_STEP.approximate(**POINT, L_s=3, t_star=np.array([0.0, 0.5]))


def test_arrays_over_a_preset() -> None:
    h = np.geomspace(1e-4, 1e-2, 5)
    result = ONE_STEP.approximate(preset="gaussian-2d", h=h)
    assert result.total[2] == pytest.approx(ONE_STEP.evaluate(preset="gaussian-2d", h=h[2]).value, rel=1e-12)


def test_many_points_in_chunks() -> None:
    rng = np.random.default_rng(4)
    rows = [{**for_theorem(ONE_STEP, draw(rng)), **for_profile("second-moment", EI, draw(rng))} for _ in range(300)]
    arrays = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    for profile in ("second-moment", "auto"):
        whole = ONE_STEP.approximate(**arrays, profile=profile).total
        parts = [
            ONE_STEP.approximate(**{k: v[i : i + 7] for k, v in arrays.items()}, profile=profile).total for i in range(0, 300, 7)
        ]
        assert np.array_equal(whole, np.concatenate(parts))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"h": np.array([1e-3, -1.0])}, r"h must be a number > 0, got -1.0 at index \[1\]"),
        ({"h": np.array([[1e-3, np.nan]])}, r"h must be a number > 0, got nan at index \[0, 1\]"),
        ({"d": np.array([1.0, 2.5])}, "d must be an integer"),
        ({"h": np.array([1e-3, 7.0])}, "h <= T - delta.*index 1"),
        ({"delta": np.array([1e-3, 6.0])}, "delta < T.*index 1"),
        ({"h": np.array([1e-3]), "d": np.arange(1, 3), "T": np.arange(3, 6)}, "do not broadcast"),
        ({"h": np.array([])}, "empty"),
        ({"hh": np.array([1.0])}, "did you mean 'h'"),
    ],
)
def test_wrong_arrays(change: dict[str, Any], message: str) -> None:
    with pytest.raises(cmbound.CmboundError, match=message):
        ONE_STEP.approximate(**{**POINT, **change})


# --- presets -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", names())
def test_presets(name: str) -> None:
    preset = cmbound.preset(name)
    assert preset.source
    for origin in preset.origins.values():
        assert origin.how in PROVENANCES
        assert origin.source
    for theorem in cmbound.catalogue:
        if theorem.id in ("explicit-one-step", "explicit-map-error", "explicit-training"):
            assert theorem.evaluate(preset=name).value > 0
    result = ONE_STEP.evaluate(preset=name)
    vacuous = name.startswith("song2023")
    assert result.vacuous is vacuous
    assert any("vacuous at these parameters" in x and str(result.dominating_term) in x for x in result.notes) is vacuous
    if not vacuous:
        assert result.trivial is not None
        # the digits are set with the fewest steps that stay clearly below what a constant has
        assert result.value < result.trivial / (1.4 if name == "digits" else 5)


def test_preset_numbers_can_be_replaced() -> None:
    finer = ONE_STEP.evaluate(preset="digits", N=20000)
    assert finer.grid == {**(finer.grid or {}), "kind": "geometric", "N": 20000}
    assert finer.value < ONE_STEP.evaluate(preset="digits").value
    assert ONE_STEP.evaluate(preset="digits", T=4).parameters["T"] == "4"
    assert ONE_STEP.evaluate(preset="gaussian-2d", grid="geometric", N=50).teacher == EI
    with pytest.raises(cmbound.UnknownNameError, match="did you mean 'digits'"):
        ONE_STEP.evaluate(preset="digit")


def test_radii_and_moments_of_the_presets_are_upper_bounds() -> None:
    for name, dimension in (("song2023-cifar10", 3072), ("song2023-imagenet64", 12288)):
        numbers = {key: Fraction(value) for key, value in cmbound.preset(name).parameters.items()}
        assert numbers["d"] == dimension
        assert dimension <= numbers["R"] ** 2 <= dimension + Fraction(1, 100)
        assert Fraction(dimension, 4) <= numbers["m2"] ** 2 <= Fraction(dimension, 4) + Fraction(1, 1000)
    assert Fraction(5, 4) <= Fraction(cmbound.preset("gaussian-2d").parameters["m2"]) ** 2


def test_digits_are_what_the_data_say(capsys: pytest.CaptureFixture[str]) -> None:
    assert digits.main(["--check"]) == 0
    assert "agrees" in capsys.readouterr().out
    measured = digits.measure()
    spread = float(measured.pop("largest_principal_sd"))
    parameters = cmbound.preset("digits").parameters
    assert {name: parameters[name] for name in measured} == measured
    assert float(parameters["L_f"]) > spread > 1.6


def test_weights_of_atoms() -> None:
    """Equal weights are the default; unequal ones have a smaller effective number of points."""
    given: dict[str, Any] = {"preset": "digits", "N": 200, "n_atoms": 4, "d_eff": 3, "sd2": 1, "profile": "atoms"}
    equal = ONE_STEP.evaluate(**given).terms["discretisation"].value
    listed = ONE_STEP.evaluate(**given, weights=[2, 2, 2, 2]).terms["discretisation"].value
    skewed = ONE_STEP.evaluate(**given, weights=[97, 1, 1, 1]).terms["discretisation"].value
    assert listed == equal
    assert skewed < equal


def test_documentation_examples() -> None:
    assert doctest.testmod(cmbound).failed == 0


# --- the Heun teacher, eigenvalues, diameters, one-sided constants -----------------------------------------------------

SHARP: tuple[dict[str, Any], ...] = (
    {"teacher": "heun", "M": "2", "R": "3/2", "grid": "edm", "N": 3},
    {"teacher": "heun", "M": ["2", "3", "1/2"], "R": "3/2", "diameter": "5/2", "grid": "edm", "N": 3},
    {"teacher": "heun", "M": "2", "eps_sc": ["0.01", "0.02", "0.03", "0.04"], "grid": "edm", "N": 3},
    {"teacher": "ddim", "R": "3/2", "cov_eigs": ["1", "1/4", "0"], "grid": "edm", "N": 3},
    {"teacher": "ddim", "L_os": 0, "grid": "edm", "N": 3},
    {"L_os": "1/2", "h": "0.1"},
)


@pytest.mark.parametrize("options", SHARP)
def test_what_is_new_in_the_sharper_theory_is_an_input_like_any_other(options: dict[str, Any]) -> None:
    """Both tiers, the schema, and the less that is known the larger the bound."""
    base = {**{name: x for name, x in POINT.items() if name != "h"}, **options}
    exact, floats = ONE_STEP.evaluate(**base), ONE_STEP.approximate(**base)
    assert float(floats.total) == pytest.approx(exact.value, rel=1e-12)
    jsonschema.validate(json.loads(json.dumps(exact.to_dict())), schema())
    for name in {"diameter", "cov_eigs", "L_os", "R"} & options.keys():
        less = {x: y for x, y in base.items() if x != name}
        assert ONE_STEP.evaluate(**less).upper >= exact.upper
    if "L_os" not in options:
        assert exact.upper < ONE_STEP.evaluate(**{**base, "R": 3, "diameter": 6}).upper or "R" not in options


def test_every_verb_takes_the_heun_teacher() -> None:
    base = {**{name: x for name, x in POINT.items() if name != "h"}, "teacher": "heun", "M": "2", "R": "3/2", "grid": "edm"}
    value = ONE_STEP.evaluate(**base, N=40).value
    free = {name: x for name, x in base.items() if name != "eps_sc"}
    found = cmbound.solve("explicit-one-step", target=2 * value, unknown="eps_sc", N=40, **free)
    assert found.achieved.value <= 2 * value
    assert found.achieved.teacher == "heun"
    row = cmbound.compare(**base, N=40, statements=["explicit-one-step"]).rows[0]
    assert row.evaluation is not None
    assert row.evaluation.value == value
    plan = cmbound.schedule(steps=2, N=40, **base)
    assert plan.optimal.teacher == "heun"
    sweep = swept(cmbound.sweep("explicit-one-step", **{**base, "M": "1,2,4"}, N=40))
    assert list(np.diff(sweep["total"]) > 0) == [True, True]


def test_a_record_keeps_what_was_given_when_that_changes_later() -> None:
    """The numbers of a record become text when they are asked for, long after a list or an array may have changed."""
    steps, constants = np.array([1.0, 1.5]), [0.25, 0.5]
    given = {**POINT, **dict.fromkeys(("h", "delta", "T")), "grid": ["0.001", 1, 5], "L_f": steps, "eps_sc": constants}
    found = ONE_STEP.evaluate(**given)
    steps[:], constants[0] = 7.0, 9.0
    assert found.parameters["L_f"] == ("1", "3/2")
    assert found.parameters["eps_sc"] == ("1/4", "1/2")
