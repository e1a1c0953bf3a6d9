"""The profile ``measured`` (theory 5.5): local errors of a teacher on data in the place of a bound on them."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import binom

import cmbound
from cmbound.certification.measured import LocalErrors, _reaches
from cmbound.certification.teachers import SOLVERS, euler
from cmbound.evaluation.records import schema
from cmbound.evaluation.sweeps import chunks
from cmbound.theory.rules import Profile
from tests.helpers import BASE, call, fails, fine, said

Array = npt.NDArray[np.float64]
VARIANCE = 0.25
LEVELS = (0.1, 0.5, 2.0, 5.0)
ONE = cmbound.theorem("explicit-one-step")
POINT: dict[str, Any] = {"d": 1, "m2": "0.5", "L_f": 2, "eps_sc": 0, "eps_cm": 0, "start": "matched"}
GRID: dict[str, Any] = {"grid": "edm", "sigma_min": "0.1", "sigma_max": 5, "N": 4}
TEACHERS = ("ddim", "heun", "exponential-integrator")
SOLVER = {"ddim": "euler", "heun": "heun", "exponential-integrator": "exponential-integrator"}


def errors(profile: Profile) -> LocalErrors:
    """What measures."""
    assert isinstance(profile.measured, LocalErrors)
    return profile.measured


def truth(name: str, high: float, low: float, v: float = VARIANCE, d: int = 1) -> float:
    """The local error of a step on N(0, v I), where steps and flow are linear."""

    def denoise(x: Array, sigma: float) -> Array:
        return x * v / (v + sigma**2)

    factor = float(SOLVERS[name](denoise, np.ones((1, 1)), high, low)[0, 0])
    flow = math.sqrt((v + low**2) / (v + high**2))
    return abs(factor - flow) * math.sqrt(d * (v + high**2))


@pytest.mark.parametrize("name", SOLVERS)
def test_estimates_are_the_closed_form_on_a_gaussian_law(name: str) -> None:
    law = cmbound.Gaussian([0.0, 1.0, 2.0], VARIANCE)
    found = errors(cmbound.measured_profile(law, solver=name, draws=20_000)).found("ddim", LEVELS)
    for x, (low, high) in zip(found, itertools.pairwise(LEVELS), strict=True):
        # four standard errors of a root mean square of 60,000 normal numbers
        assert x.estimate == pytest.approx(truth(name, high, low, d=3), rel=4 / math.sqrt(2 * 60_000))
        assert x.estimate < x.upper < 1.05 * x.estimate  # some standard errors above: narrow


def test_the_flow_of_a_data_set_is_followed() -> None:
    """On the line the flow maps quantiles to quantiles: two atoms, by bisection."""
    high, low = 1.0, 0.3
    rng = np.random.default_rng(1)
    x = np.where(rng.random(4000) < 0.5, -1.0, 1.0) + high * rng.standard_normal(4000)

    def cdf(y: Array, sigma: float) -> Array:
        from scipy.stats import norm

        return np.asarray((norm.cdf((y - 1) / sigma) + norm.cdf((y + 1) / sigma)) / 2)

    below, above = np.full(x.shape, -9.0), np.full(x.shape, 9.0)
    for _ in range(60):  # to the last bit of an interval of 18
        middle = (below + above) / 2
        smaller = cdf(middle, low) < cdf(x, high)
        below, above = np.where(smaller, middle, below), np.where(smaller, above, middle)
    denoised = np.tanh(x / high**2)
    byhand = math.sqrt(float(np.mean((denoised + low / high * (x - denoised) - below) ** 2)))
    found = errors(cmbound.measured_profile([[-1.0], [1.0]], solver="euler", draws=4000)).found("ddim", (low, high))[0]
    assert found.estimate == pytest.approx(byhand, rel=0.1)  # two samples of 4,000 each
    assert found.estimate < found.upper


def test_upper_ends_hold_jointly_as_often_as_stated() -> None:
    """300 seeds: misses are binomial. The estimates themselves would be missed nearly always."""
    confidence, seeds, law = 0.8, 300, cmbound.Gaussian([0.0], VARIANCE)
    want = [truth("euler", high, low) for low, high in itertools.pairwise(LEVELS)]
    missed = bare = 0
    for seed in range(seeds):
        profile = cmbound.measured_profile(law, solver="euler", draws=40, seed=seed, confidence=confidence)
        found = errors(profile).found("ddim", LEVELS)
        missed += any(x.upper < y for x, y in zip(found, want, strict=True))
        bare += any(x.estimate < y for x, y in zip(found, want, strict=True))
    most = binom.ppf(0.999, seeds, 1 - confidence)  # one test in a thousand fails by chance
    assert missed <= most < bare


@pytest.mark.parametrize("clock", ["ou", "ve"])
@pytest.mark.parametrize("teacher", TEACHERS)
def test_the_discretisation_is_the_weighted_sum_of_upper_ends(teacher: str, clock: str) -> None:
    """By hand, in the units of the clock, with a list of constants."""
    law = cmbound.Gaussian([0.0], VARIANCE)
    mine = cmbound.measured_profile(law, draws=50)
    lipschitz = ["1.5", "2", "1.25", "3"]
    given = {**POINT, **GRID, "L_f": lipschitz, "teacher": teacher, "clock": clock, "M": 1}
    given = given if teacher == "heun" else {x: y for x, y in given.items() if x != "M"}
    found = ONE.evaluate(**given, profile=mine)
    levels = tuple(float(x) for x in cmbound.Grid.edm("0.1", 5, 4).values)
    uppers = [float(x) for x in errors(mine).errors(teacher, levels)]
    # L_f is a list at t_1, ..., t_N, and 1 at delta; errors are in units of the noise level
    weights = [1.0, *map(float, lipschitz[:-1])]
    scale = 1.0 if clock == "ve" else 0.0
    total = sum(w * e * (scale or 1 / math.hypot(1, low)) for w, e, low in zip(weights, uppers, levels, strict=False))
    assert found.terms["discretisation"].value == pytest.approx(total, rel=1e-9)  # nodes are rounded to float64 twice
    certified = ONE.evaluate(**given)
    assert found.terms["score"].value == certified.terms["score"].value


def test_it_is_below_every_profile_and_above_the_truth() -> None:
    """On a data set: the sum of true local errors, the measured one, the best bound on it."""
    rng = np.random.default_rng(0)
    points = rng.uniform(-1, 1, (20, 2))
    atoms = cmbound.Atoms(points)
    constants = {x: y for x, y in atoms.constants(0.01, 3.0, scores=False).items() if x in ("d", "m2", "R", "n_atoms", "sd2")}
    given = {**GRID, **constants, "L_f": 1, "eps_sc": 0, "eps_cm": 0, "teacher": "ddim"}
    mine = cmbound.measured_profile(points, draws=400)
    measured, bound = (ONE.evaluate(**given, profile=x).terms["discretisation"].value for x in (mine, "auto"))
    estimate = errors(cmbound.measured_profile(points, draws=20_000, seed=1))
    levels = tuple(float(x) for x in cmbound.Grid.edm("0.1", 5, 4).values)
    true = sum(x.estimate / math.hypot(1, low) for x, low in zip(estimate.found("ddim", levels), levels, strict=False))
    assert true < measured < bound
    both = ONE.evaluate(**given, profile=[mine, "atoms", "bounded-integrated"])
    assert both.terms["discretisation"].value <= measured
    assert both.tier == "asymptotic"


def test_it_is_never_called_certified() -> None:
    mine = cmbound.measured_profile(cmbound.Gaussian([0.0], VARIANCE), draws=50)
    found = ONE.evaluate(**POINT, **GRID, teacher="ddim", profile=mine)
    data = json.loads(found.report().json())
    jsonschema.validate(data, schema())
    assert (data["tier"], data["guarantee"], data["sampled"]["trust"], data["sampled"]["confidence"]) == (
        "asymptotic", False, "asymptotic", 0.99,
    )  # fmt: skip
    page = found.report().text()
    assert "certified: in" not in page
    assert "asymptotic, not certified" in page
    assert "asymptotic" in repr(found)
    plain = ONE.evaluate(**POINT, **GRID, teacher="ddim")
    assert (plain.tier, plain.sampled) == ("certified", None)
    jsonschema.validate(plain.to_dict(), schema())


@pytest.mark.parametrize("name", ["euler", "heun", "dpm-solver-2"])
def test_a_guaranteed_interval_rests_on_a_true_bound_of_the_local_error(name: str) -> None:
    """No point of a wide range of x has a larger local error, and some come near for small steps of Euler."""
    points = np.array([[-1.0], [1.0]])
    profile = cmbound.measured_profile(points, solver=name, draws=20, trust="guaranteed")
    measured = errors(profile)
    for low, high in ((0.05, 1.0), (0.5, 0.6), (0.1, 20.0)):
        x = np.concatenate([np.linspace(-5, 5, 2001), np.linspace(-1, 1, 2001) * 1e-3])[:, None] * max(high, 1)
        stepped = SOLVERS[name](measured.law.denoiser, x, high, low)
        off = np.abs(stepped - measured._flow(x, high, low, 1e-8)).max()
        assert off <= _reaches(high, low)[name] * 2 * (1 + 1e-6)  # the diameter is 2, the flow is off by 1e-8
        assert measured.found("ddim", (low, high))[0].upper >= measured.found("ddim", (low, high))[0].estimate
    found = ONE.evaluate(**{**POINT, "m2": 1}, **GRID, teacher="heun" if name == "heun" else "ddim", profile=profile, M=1)
    assert found.tier == "guaranteed"
    assert not found.is_guarantee


def test_the_diameter_of_a_data_set() -> None:
    from cmbound.certification import laws

    points = np.random.default_rng(0).standard_normal((300, 3)) + 100
    apart = np.linalg.norm(points[:, None] - points, axis=2).max()
    law = laws.DataLaw(points)
    assert apart <= law.diameter <= apart * (1 + 1e-9)  # rounded up by 1e-11
    assert laws.DataLaw(np.concatenate([points] * 20)).diameter >= apart  # too many pairs: by the radius
    assert math.ldexp(laws.DataLaw(np.ldexp(points, -900)).diameter, 900) == law.diameter  # no square underflows


def test_the_constants_of_many_points_are_those_of_a_law(tmp_path: Path) -> None:
    """Too many pairs: the diameter is bounded, by no more than twice the radius."""
    points = np.random.default_rng(0).standard_normal((5001, 2))
    np.save(tmp_path / "many.npy", points)
    data = fine(
        "evaluate", "explicit-one-step", "--data", str(tmp_path / "many.npy"), "--format", "json",
        *(x for name in ("eps_sc", "eps_cm", "L_f", "T", "delta", "h") for x in ("-p", f"{name}={BASE[name]}")),
    )  # fmt: skip
    found = json.loads(data)["parameters"]
    assert math.dist(points[np.argmax(points[:, 0])], points[np.argmin(points[:, 0])]) <= float(found["diameter"])
    assert float(found["diameter"]) <= 2 * float(found["R"]) * (1 + 1e-6)


def test_a_grid_is_measured_once() -> None:
    calls = []

    def mine(denoise: Callable[[Array, float], Array], x: Array, high: float, low: float) -> Array:
        calls.append((high, low))
        return euler(denoise, x, high, low)

    law = cmbound.Gaussian([0.0], VARIANCE)
    own, known = (cmbound.measured_profile(law, solver=x, draws=50) for x in (mine, "euler"))
    given = {**POINT, **GRID, "teacher": "ddim"}
    first, again = ONE.evaluate(**given, profile=own), ONE.evaluate(**{**given, "L_f": 3}, profile=own)
    assert len(calls) == len(set(calls)) == 4
    assert first.value == ONE.evaluate(**given, profile=known).value < again.value
    assert "measured:score" in {x.id for x in first.assumptions}
    assert "measured:score" not in {x.id for x in ONE.evaluate(**given, profile=known).assumptions}
    assert known == cmbound.measured_profile(law, solver="euler", draws=50) != cmbound.measured_profile(law, draws=50)


def test_solving_schedules_and_comparisons_say_what_they_rest_on() -> None:
    mine = cmbound.measured_profile([[-1.0], [1.0]], draws=50)
    given: dict[str, Any] = {"d": 1, "m2": 1, "L_f": "1.1", "eps_sc": 0, "eps_cm": "0.001", "teacher": "ddim", "profile": mine}
    ends: dict[str, Any] = {"grid": "edm", "sigma_min": "0.1", "sigma_max": 20}
    found = cmbound.solve("explicit-one-step", target="0.4", unknown="N", **given, **ends)
    count = int(found.budget["N"])
    assert found.achieved.tier == "asymptotic"
    assert found.achieved.sampled is not None
    assert found.achieved.sampled["grids"] == "every number of steps"
    assert "certified, with" not in found.report().text()
    assert json.loads(found.report().json())["achieved"]["tier"] == "asymptotic"
    every = mine.measured.for_every_number()  # type: ignore[union-attr]
    fewer = ONE.evaluate(
        **{**given, "profile": Profile(mine.name, mine.title, mine.rules, (), measured=every)}, **ends, N=count - 1
    )
    assert float(found.achieved) <= 0.4 < float(fewer)
    schedule = cmbound.schedule(steps=2, **given, **ends, N=8)
    assert json.loads(schedule.report().json())["tier"] == "asymptotic"
    assert ", certified" not in schedule.report().text()
    row = cmbound.compare(statements=["explicit-one-step"], **given, **ends, N=8).rows[0]
    assert (row.guarantee, row.to_dict()["tier"]) == (False, "asymptotic")
    assert "not certified" in row.remarks


def test_what_has_no_levels_of_trust_does_not_take_it() -> None:
    mine = cmbound.measured_profile([[-1.0], [1.0]], draws=20)
    given: dict[str, Any] = {**POINT, "m2": 1, **GRID, "teacher": "ddim", "profile": mine}
    calls: tuple[Callable[[], Any], ...] = (
        lambda: ONE.approximate(**given),
        lambda: ONE.approximate(**{**given, "L_f": np.array([1.0, 2.0])}),
        lambda: list(chunks(cmbound.sweep("explicit-one-step", **{**given, "L_f": "1,2"}))),
        lambda: cmbound.orders("explicit-one-step", profile=mine),
        lambda: ONE.formula(profile=mine),
        lambda: ONE.lambdify("L_f", profile=mine),
        lambda: cmbound.dominance("explicit-one-step", "L_f", 1, 2, **{x: y for x, y in given.items() if x != "L_f"}),
    )
    for each in calls:
        with pytest.raises(cmbound.InputError, match="rests on samples"):
            each()


WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"h": "0.1"}, cmbound.InputError, "belongs to the steps of a grid"),
    ({**GRID, "N": 2000}, cmbound.DomainError, "at most 1000"),
    ({**GRID, "d": 2}, cmbound.DomainError, "d is 2"),
    ({**GRID, "m2": "0.9"}, cmbound.DomainError, "m2 is 0.9"),
    ({**GRID, "teacher": "heun", "M": 1}, cmbound.InputError, "does not cover the heun teacher"),
    ({**GRID, "profile": "measured"}, cmbound.InputError, "cmbound.measured_profile(data)"),
]


@pytest.mark.parametrize(("change", "error", "says"), WRONG)
def test_wrong_questions(change: dict[str, Any], error: type[Exception], says: str) -> None:
    mine = cmbound.measured_profile([[-1.0], [1.0]], draws=20, solver="euler")
    ends = {} if "grid" in change else {"delta": "0.01", "T": 3}
    given = {
        **POINT,
        "m2": 1,
        "teacher": "exponential-integrator" if "h" in change else "ddim",
        "profile": mine,
        **ends,
        **change,
    }
    if "h" in change:
        given["profile"] = cmbound.measured_profile([[-1.0], [1.0]], draws=20)
    with pytest.raises(error, match=says.replace("(", r"\(").replace(")", r"\)")):
        ONE.evaluate(**given)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"draws": 5}, "draws is 5"),
        ({"draws": 10**8}, "draws is 100000000"),
        ({"confidence": 1}, "confidence is 1"),
        ({"trust": "certified"}, "unknown trust 'certified'"),
        ({"solver": "magic"}, "unknown solver 'magic'"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_wrong_options(options: dict[str, Any], says: str) -> None:
    with pytest.raises(cmbound.CmboundError, match=says):
        cmbound.measured_profile([[-1.0], [1.0]], **options)


@pytest.mark.parametrize("data", [cmbound.Gaussian([0.0], 1.0), [[-1.0], [1.0]]])
def test_what_is_not_bounded_is_not_guaranteed(data: Any) -> None:
    mine = cmbound.measured_profile(data, draws=20, trust="guaranteed")
    with pytest.raises(cmbound.DomainError, match="needs bounded local errors"):
        ONE.evaluate(**{**POINT, "m2": 1}, **GRID, profile=mine)


def test_no_asymptotic_end_rests_on_draws_that_miss_a_point_far_away() -> None:
    """At 1 of 400 points, which 100 draws miss more often than not, is nearly all of the error."""
    data = np.append(np.linspace(-1, 1, 399), 30.0)[:, None]
    truth = max(x.estimate for x in errors(cmbound.measured_profile(data, solver="euler", draws=4000)).found("ddim", (1.0, 5.0)))
    refused = 0
    for seed in range(12):
        mine = errors(cmbound.measured_profile(data, solver="euler", draws=100, seed=seed))
        told = ""
        try:
            assert mine.found("ddim", (1.0, 5.0))[0].upper > truth / 2
        except cmbound.DomainError as error:
            told = str(error)
        refused += "a few points far away" in told
        assert not told or "a few points far away" in told
    assert 6 < refused < 12
    firm = errors(cmbound.measured_profile(data, draws=100, trust="guaranteed"))
    assert firm.found("ddim", (1.0, 5.0))[0].upper > truth


# --- the command line -----------------------------------------------------------------------------------------------------


@pytest.fixture
def points(tmp_path: Path) -> str:
    """A small data file."""
    path = tmp_path / "points.npy"
    np.save(path, np.random.default_rng(0).uniform(-1, 1, (30, 2)))
    return str(path)


ASKED = ("-p", "sigma_min=0.1", "-p", "sigma_max=5", "-p", "L_f=1.1", "-p", "eps_sc=0", "-p", "eps_cm=0.01", "--clock", "ve")
STEPS = ("--grid", "edm", "-p", "N=4", "--teacher", "ddim")
MEASURED = ("--profile", "measured", "--draws", "50")


def test_evaluate_with_a_data_file(points: str, tmp_path: Path) -> None:
    page = fine("evaluate", "explicit-one-step", "--data", points, *MEASURED, *ASKED, *STEPS)
    assert "asymptotic, not certified" in page
    assert "d, m2 are those of" in page
    data = json.loads(fine("evaluate", "explicit-one-step", "--data", points, *MEASURED, *ASKED, *STEPS, "--format", "json"))
    mine = cmbound.measured_profile(points, draws=50)
    given = {
        "sigma_min": "0.1",
        "sigma_max": 5,
        "L_f": "1.1",
        "eps_sc": 0,
        "eps_cm": "0.01",
        "clock": "ve",
        "grid": "edm",
        "N": 4,
    }
    same = ONE.evaluate(**given, d=2, m2=data["parameters"]["m2"], teacher="ddim", profile=mine)
    assert same.value == data["value"]
    step = tmp_path / "step.py"
    step.write_text(
        "print('loaded')\ndef mine(denoise, x, high, low):\n    print('asked')\n    answer = denoise(x, high)\n"
        "    return answer + (low / high) * (x - answer)\n"
    )
    own = call(
        "evaluate",
        "explicit-one-step",
        "--data",
        points,
        *MEASURED,
        *ASKED,
        *STEPS,
        "--solver",
        f"{step}:mine",
        "--format",
        "json",
    )
    assert (own.status, set(said(own.err))) == (0, {"loaded", "asked"})  # what it prints does not stand among the results
    assert json.loads(own.out)["value"] == pytest.approx(data["value"], rel=1e-12)  # the same step, written by hand


def test_constants_of_a_data_file(points: str) -> None:
    """Measured, rounded up, and enough for the bounds on a finite data set."""
    data = json.loads(fine("evaluate", "explicit-one-step", "--data", points, *ASKED, *STEPS, "--format", "json"))
    table = np.load(points)
    found = {name: float(data["parameters"][name]) for name in ("m2", "sd2", "R", "diameter")}
    m2 = math.sqrt(float(np.mean(np.sum(table**2, axis=1))))
    apart = np.linalg.norm(table[:, None] - table, axis=2).max()
    for name, x in {"m2": m2, "sd2": math.sqrt(float(np.trace(np.cov(table.T, bias=True)))), "diameter": apart}.items():
        assert x <= found[name] <= x * (1 + 1e-7), name  # eight digits, rounded up
    assert apart / 2 <= found["R"] <= apart
    assert data["parameters"]["n_atoms"] == "30"
    assert data["tier"] == "certified"


def test_the_other_commands(points: str, tmp_path: Path) -> None:
    common = ("--data", points, *MEASURED, *ASKED)
    assert ", asymptotic" in fine("schedule", *common, *STEPS, "--steps", "2")
    assert "the target), asymptotic" in fine(
        "solve", "explicit-one-step", "--target", "3", *common, "--grid", "edm", "--teacher", "ddim", "--for", "N"
    )
    assert "not certified" in fine("compare", *common, *STEPS, "--metric", "W2")
    figure, numbers = tmp_path / "grids.svg", tmp_path / "grids.csv"
    outcome = call(
        "plot", "grids", "explicit-one-step", "--data", points, *MEASURED, *ASKED, "--teacher", "ddim", "--over", "N=4,8",
        "-o", str(figure), "--csv", str(numbers),
    )  # fmt: skip
    assert (outcome.status, outcome.out) == (0, "")
    assert re.search(r"note: d = 2, m2 = \S+ are those of ", outcome.err)
    assert "asymptotic" in numbers.read_text()
    assert figure.stat().st_size > 0


@pytest.mark.parametrize(
    ("extra", "status", "says"),
    [
        (("--profile", "measured", *STEPS), 2, "--profile measured needs --data FILE"),
        (("--data", "POINTS", "--draws", "50", *STEPS), 2, "--draws belongs to --profile measured"),
        (("--data", "POINTS", *MEASURED, *STEPS, "-p", "d=3"), 3, "d is 3, but"),
        (("--data", "POINTS", *MEASURED, *STEPS, "-p", "m2=0.1"), 3, "m2 is 0.1, below that of"),
        (("--data", "POINTS", "-p", "R=0.1", *STEPS), 3, "R is 0.1, below that of"),
        (("--data", "POINTS", "-p", "d_eff=1", *STEPS), 3, "d_eff is 1, below that of"),
        (("--data", "POINTS", "-p", "n_atoms=5", *STEPS), 3, "n_atoms is 5, below that of"),
        (("--data", "POINTS", "-p", "L_os=0", *STEPS), 3, "points has no L_os from t_star = 0 on"),
        (("--data", "POINTS", "-p", "L_s=9", *STEPS), 3, "points has no L_s from t_star = 0 on"),
        (("--data", "POINTS", *MEASURED, "--preset", "gaussian-2d", *STEPS), 2, "L_s of another law"),
        (("--data", "none.npy", *MEASURED, *STEPS), 2, "none.npy"),
        (("--data", "", *STEPS), 2, "the name of the data file is empty"),
        (("--data", "POINTS", "-p", "L_f="), 2, "-p 'L_f=': L_f has no value"),
        (("--data", "POINTS", *MEASURED, *STEPS, "--solver", "nothing.py:mine"), 2, "nothing.py: no such file"),
        (("--data", "POINTS", "--profile", "measured", "--draws", "many", *STEPS), 2, "draws is 'many'"),
        (("--data", "POINTS", *MEASURED, "--trust", "guaranteed", "--grid", "edm", "-p", "N=4"), 3, "needs bounded local errors"),
        (("--data", "POINTS", *MEASURED, "-p", "h=0.1"), 2, "belongs to the steps of a grid"),
    ],
)
def test_wrong_input_is_one_line(points: str, extra: tuple[str, ...], status: int, says: str) -> None:
    given = (points if x == "POINTS" else x for x in extra)
    fails(status, "evaluate", "explicit-one-step", *ASKED, *given, says=(says,))
