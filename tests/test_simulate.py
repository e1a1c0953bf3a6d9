"""``cmbound simulate`` and the library function behind it: exact W2, measured W2, bounds, files, figures, errors."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from itertools import pairwise
from math import exp, expm1, hypot, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

import cmbound
from cmbound.cli.laws import build_world
from cmbound.distances import sliced_w2
from cmbound.errors import DomainError, InputError
from cmbound.papers.figures import runs as plots, style
from cmbound.papers.figures.runs import simulation_figure
from cmbound.papers.figures.style import save_figure
from cmbound.verification import carried, simulation as module
from cmbound.verification.request import CHOICES, Run, parse_corrector
from cmbound.verification.simulation import Simulation, simulate
from cmbound.worlds import Atoms, Gaussian, Mixture
from tests.helpers import call, check_latex, fine, process, said, strict

GAUSSIAN = ("simulate", "--world", "gaussian")
ONE = (*GAUSSIAN, "--mean", "1", "--cov", "0.25")
PLANE = np.array([[0.0, 0.0], [1.0, 0.2], [-0.8, 0.5], [0.3, -1.2], [1.1, 1.3]])
SMALL: dict[str, Any] = {"n": 200, "grid_steps": 12}


@pytest.fixture(scope="module")
def exact_run() -> Simulation:
    """A correlated plane with everything switched on."""
    world = Gaussian([0.5, -1.0], [[1.0, 0.3], [0.3, 2.0]])
    text = "underdamped:friction=2,step=0.1,steps=5"
    return simulate(world, times=[1.0, 0.3], eps_sc=0.05, eps_cm="0.02", corrector=text, n=20_000, start="matched")


@pytest.fixture(scope="module")
def data_run() -> Simulation:
    return simulate(Atoms(PLANE), steps=2, eps_sc=0.02, **SMALL)


@pytest.fixture(scope="module")
def line_run() -> Simulation:
    return simulate(Atoms([[-1.0], [0.2], [1.5]]), steps=2, corrector="smoothing:u=0.01", to="p_delta", **SMALL)


# --- exact W2 -------------------------------------------------------------------------------------------------------


def by_hand(nodes: Sequence[float], later: Sequence[float], m: float, v: float, E: float, C: float) -> list[tuple[float, float]]:
    """Mean and deviation after each evaluation: a DDIM teacher on N(m, v), score off by E, student off by C (t - delta)."""

    def student(end: float) -> tuple[float, float]:
        slope, shift = 1.0, 0.0
        for low, high in reversed([x for x in pairwise(nodes) if x[1] <= end]):
            variance = exp(-2 * high) * v - expm1(-2 * high)
            push = exp(-low) * (sqrt(expm1(2 * high)) - sqrt(expm1(2 * low))) * sqrt(-expm1(-2 * high))
            a = exp(high - low) - push / variance
            b = push * (exp(-high) * m / variance + E)
            slope, shift = a * slope, a * shift + b
        return slope, shift + C * (end - nodes[0])

    slope, shift = student(nodes[-1])
    laws = [(shift, slope)]
    for t in later:
        gap = t - nodes[0]
        mean, deviation = exp(-gap) * laws[-1][0], hypot(exp(-gap) * laws[-1][1], sqrt(-expm1(-2 * gap)))
        slope, shift = student(t)
        laws.append((slope * mean + shift, slope * deviation))
    return laws


def test_exact_w2_against_a_computation_by_hand() -> None:
    args = (*ONE, "--times", "0.8,0.3", "--eps-sc", "0.1", "--eps-cm", "0.05", "-n", "10")
    data = strict(fine(*args, "--format", "json"))
    assert len(data["nodes"]) == 53
    laws = by_hand(data["nodes"], [0.8, 0.3], 1.0, 0.25, 0.1, 0.05)
    text = fine(*args)
    for step, (mean, deviation) in zip(data["steps"], laws, strict=True):
        expected = hypot(mean - 1, deviation - 0.5)
        assert step["w2"]["exact"]
        assert step["w2"]["value"] == pytest.approx(expected, rel=1e-9)
        assert step["w2"]["lower"] <= expected * (1 + 1e-9)
        assert f"{expected:.5g}" in text
    assert f"W2(q_3, p_data) = {expected:.6g} (exact) <= " in text


def test_exact_w2_to_p_delta_and_in_the_ve_clock() -> None:
    ou = simulate(Gaussian([1.0], [0.25]), times=[0.8], to="p_delta", n=10)
    sigma = [sqrt(expm1(2 * t)) for t in (1e-3, 0.8, 4.0)]
    ve = simulate(Gaussian([1.0], [0.25]), times=[sigma[1]], to="p_delta", n=10, clock="ve", delta=sigma[0], horizon=sigma[2])
    (mean, deviation) = by_hand(list(ou.run.nodes), [0.8], 1.0, 0.25, 0, 0)[-1]
    low = 1e-3
    target = exp(-low), sqrt(exp(-2 * low) * 0.25 - expm1(-2 * low))
    assert ou.steps[-1].w2.value == pytest.approx(hypot(mean - target[0], deviation - target[1]), rel=1e-9)
    assert ve.steps[-1].w2.value == pytest.approx(exp(low) * ou.steps[-1].w2.value, rel=1e-6)
    assert ve.steps[-1].time == pytest.approx(sigma[1])
    np.testing.assert_allclose(ve.samples, exp(low) * ou.samples, rtol=1e-6)


def test_exact_student_and_no_error_leave_initialisation_and_early_stopping() -> None:
    run = simulate(Gaussian([0.0], [1.0]), student="exact", n=10)
    assert run.steps[0].w2.value == pytest.approx(0, abs=1e-12)  # N(0, 1) stays N(0, 1)
    assert simulate(Gaussian([0.0], [4.0]), student="exact", n=10).parameters["eps_cm"][-1] > 0


def test_sample_moments_agree_with_the_exact_law() -> None:
    n = 40_000
    for later in ([], [0.8], [0.8, 0.3]):
        run = simulate(Gaussian([1.0], [0.25]), times=later, eps_sc=0.5, eps_cm=0.3, n=n)
        mean, deviation = by_hand(list(run.run.nodes), later, 1.0, 0.25, 0.5, 0.3)[-1]
        assert run.samples.mean() == pytest.approx(mean, abs=5 * deviation / sqrt(n))
        assert run.samples.std() == pytest.approx(deviation, abs=5 * deviation / sqrt(2 * n))
        assert run.truth.mean() == pytest.approx(1.0, abs=5 * 0.5 / sqrt(n))


def test_one_evaluation_in_the_ve_clock() -> None:
    run = simulate(Gaussian([0.0], [1.0]), steps=1, clock="ve", delta=0.01, horizon=50, n=10)
    assert [x.k for x in run.steps] == [1]
    assert run.steps[0].w2.upper <= run.steps[0].bound


@pytest.mark.parametrize(
    "corrector", [None, "smoothing:u=0.2", "overdamped:step=0.05,steps=4", "underdamped:friction=2,step=0.2,steps=4"]
)
@pytest.mark.parametrize("clock", ["ou", "ve"])
def test_correctors_of_samples_and_of_laws_are_the_same(corrector: str | None, clock: str) -> None:
    """W2 of the samples to the target, in 1-D, is the exact one up to the noise of the sample."""
    n = 40_000
    extra: dict[str, Any] = {} if clock == "ou" else {"delta": 0.5, "horizon": 40}
    world = Gaussian([3.0], [0.25])
    found = simulate(world, steps=2, eps_sc=0.5, corrector=corrector, n=n, clock=clock, **extra)
    w2 = found.steps[-1].w2 if found.corrected is None else found.corrected
    x = found.samples[:, 0]
    assert hypot(x.mean() - 3.0, x.std() - 0.5) == pytest.approx(w2.value, abs=6 * x.std() / sqrt(n))


def test_corrector_text() -> None:
    assert parse_corrector("overdamped:steps=3, step=1/2") == ("overdamped", {"steps": 3.0, "step": 0.5})
    assert parse_corrector("overdamped:step=4,steps=1", 2.0)[1]["step"] == 1
    assert parse_corrector("underdamped:friction=1,step=4,steps=1", 2.0)[1] == {"friction": 2, "step": 2, "steps": 1}


def test_correctors_are_given_in_the_units_of_the_clock() -> None:
    """At noise level 1/2 samples are (5/4)^(1/2) times those in OU units, and so are times of the underdamped corrector."""
    world = Gaussian([0.0], 1.0)
    options: dict[str, Any] = {"delta": 0.5, "horizon": 40, "clock": "ve", "grid_steps": 2, "n": 10}
    run = simulate(world, corrector="overdamped:step=0.5,steps=1", **options).run
    assert run.correction is not None
    assert dict(run.correction[1]) == pytest.approx({"step": 0.4, "steps": 1})
    run = simulate(world, corrector="underdamped:friction=2,step=0.5,steps=1", **options).run
    assert run.correction is not None
    assert dict(run.correction[1]) == pytest.approx({"friction": 2 * sqrt(1.25), "step": 0.5 / sqrt(1.25), "steps": 1})


def test_large_errors_are_allowed() -> None:
    run = simulate(Gaussian([0.0], [1.0]), eps_sc=999_999, eps_cm=999_999, grid_steps=2, n=10)
    assert run.parameters["eps_sc"] == pytest.approx([999_999] * 2)
    assert run.parameters["eps_cm"] == pytest.approx([999_999] * 2)


# --- the bound ------------------------------------------------------------------------------------------------------


def test_bound_is_that_of_explicit_multistep(exact_run: Simulation, data_run: Simulation, line_run: Simulation) -> None:
    for run in (exact_run, data_run, line_run):
        direct = cmbound.theorem("explicit-multistep").evaluate(**run.parameters)
        assert direct.tier == "certified"
        assert direct.steps is not None
        assert [x.bound for x in run.steps] == [x.value for x in direct.steps]
        for x, y in zip(run.steps, direct.steps, strict=True):
            assert x.terms == {name: term.value for name, term in y.terms.items()}
            assert x.ratio == x.w2.value / x.bound
        assert len(run.parameters["L_f"]) == len(run.parameters["grid"]) - 1


def test_planted_errors_are_the_constants_of_the_bound(exact_run: Simulation, data_run: Simulation) -> None:
    np.testing.assert_allclose(exact_run.parameters["eps_sc"], 0.05, rtol=1e-9)
    np.testing.assert_allclose(exact_run.parameters["eps_cm"], 0.02, rtol=1e-7)
    np.testing.assert_allclose(data_run.parameters["eps_sc"], 0.02, rtol=1e-9)
    assert set(data_run.parameters["eps_cm"]) == {0.0}
    said = " ".join(data_run.report().text().split())
    assert "eps_cm = 0" in said  # at every step
    assert re.search(r"L_f from [\d.]+ to [\d.]+", said)


@pytest.mark.parametrize("student", ["distilled", "exact"])
@pytest.mark.parametrize("clock", ["ou", "ve"])
@pytest.mark.parametrize(
    "world",
    [
        Gaussian([0.0, 3.0], [4.0, 0.0]),
        Atoms(PLANE),
        Atoms([[-1.0], [0.2], [1.5]]),
        Mixture([[0.0], [2.0]], covariance=0.1),
        Atoms([[2.0, 1.0]]),
    ],
    ids=["gaussian", "plane", "line", "mixture", "point"],
)
def test_w2_is_below_the_bound(world: Any, clock: str, student: str) -> None:
    run = simulate(world, times=[1.0, 1.0, 0.5], clock=clock, student=student, teacher="exponential-integrator", **SMALL)
    assert run.violations == ()
    for x in run.steps:
        assert x.w2.lower <= x.w2.value <= x.w2.upper
        assert x.w2.value <= x.bound
    assert run.exact == isinstance(world, Gaussian)


@pytest.mark.parametrize("start", ["standard", "matched"])
@pytest.mark.parametrize("grid", CHOICES["grid"])
def test_every_grid_and_start(grid: str, start: str) -> None:
    run = simulate(Gaussian([1.0, 0.0], [1.0, 0.1]), grid=grid, start=start, times=[1.0, 0.1], grid_steps=7, n=10)
    assert {1.0, 0.1} <= set(run.run.nodes)
    assert run.violations == ()


def test_times_at_nodes_add_no_nodes_and_repeat() -> None:
    run = simulate(Gaussian([0.0], [1.0]), grid="uniform", grid_steps=4, delta="1", horizon=5, times=[5, 3, 3 + 1e-12, 2.5], n=10)
    np.testing.assert_allclose(run.run.nodes, [1, 2, 2.5, 3, 4, 5])
    assert run.run.indices == (5, 3, 3, 2)


def test_default_times_fall_geometrically_in_noise_level() -> None:
    run = simulate(Gaussian([0.0], [1.0]), steps=3, clock="ve", n=10)
    levels = [x.time for x in run.steps]
    assert levels[0] / levels[1] == pytest.approx(levels[1] / levels[2])
    assert levels[2] == pytest.approx(sqrt(expm1(1.0)))
    assert len(simulate(Gaussian([0.0], [1.0]), steps=2, delta=0.6, n=10).steps) == 2


@pytest.mark.parametrize("place", [0, 1, 2])
def test_constants_of_one_step_beyond_float64_are_refused(place: int, exact_run: Simulation) -> None:
    constants = [np.ones(3) for _ in range(3)]
    constants[place][1] = np.inf
    found = carried.Measured((), "", np.zeros((1, 1)), np.zeros((1, 1)), (constants[0], constants[1], constants[2]))
    with pytest.raises(DomainError, match="do not fit float64"):
        module._parameters(cmbound.theorem("explicit-multistep"), exact_run.run, found, "auto")


def test_measured_bound_says_so(data_run: Simulation, line_run: Simulation, exact_run: Simulation) -> None:
    assert any("measured constants" in x for x in data_run.notes)
    assert (data_run.method, line_run.method, exact_run.method) == ("transport", "samples", "exact")
    assert not any("measured" in x for x in exact_run.notes)
    assert any("no bound covers" in x for x in line_run.notes)


def test_sampled_intervals_are_called_asymptotic(data_run: Simulation, line_run: Simulation, exact_run: Simulation) -> None:
    """In the record, in JSON and CSV, in the table and in a note; nothing exact is."""
    monte_carlo = simulate(Atoms(PLANE), n=2001, grid_steps=2)
    for run in (data_run, line_run, monte_carlo):
        assert {x.w2.trust for x in run.steps} == {"asymptotic"}
        assert {x["w2"]["trust"] for x in run.to_dict()["steps"]} == {"asymptotic"}
        assert "95% interval (asymptotic)" in run.text(100)
        assert sum("interval is" in x and "asymptotic" in x for x in run.notes) == 1
        rows = list(csv.DictReader(io.StringIO(run.report().render("csv"))))
        assert {x["trust"] for x in rows} == {"asymptotic"}
    assert {x.w2.trust for x in exact_run.steps} == {"exact"}
    assert "asymptotic" not in exact_run.text(100)
    assert {x["trust"] for x in csv.DictReader(io.StringIO(exact_run.report().render("csv")))} == {"exact"}


def test_progress_is_told_after_each_part() -> None:
    """The samples and what is measured on them; where W2 is estimated, every evaluation and the corrector too."""
    for world, corrector, parts in (
        (Gaussian([0.0], 1.0), None, 2),
        (Atoms([[0.0], [1.0]]), None, 4),
        (Atoms([[0.0], [1.0]]), "smoothing:u=0.1", 5),
    ):
        seen: list[int] = []
        simulate(world, steps=2, grid_steps=3, n=20, corrector=corrector, progress=seen.append)
        assert seen == [1] * parts


def test_more_trajectories_for_fewer_points() -> None:
    runs = [Run(Atoms(np.arange(n)[:, None])) for n in (1, 128, 256, 1000, 5000)]
    assert [x.trajectories for x in runs] == [1000, 1000, 500, 128, 128]


def test_sliced_w2_without_pot_and_for_many_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carried, "find_spec", lambda name: None)
    run = simulate(Atoms(PLANE), **SMALL)
    assert run.method == "sliced"
    measured = sliced_w2(run.samples, run.truth, carried.PROJECTIONS, run.run.seed)
    assert run.steps[-1].w2.value == pytest.approx(sqrt(2) * measured.value)
    assert run.steps[-1].w2.upper == pytest.approx(sqrt(2) * measured.upper)
    assert any("sliced" in x for x in run.notes)
    monkeypatch.undo()
    assert simulate(Atoms(PLANE), n=2001, grid_steps=2).method == "sliced"


def test_a_planted_mistake_gives_exit_status_1(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bound without the Lipschitz constants is too small here, and that is noticed."""
    args = (*ONE, "--to", "p_delta", "--eps-sc", "1", "-n", "10")
    assert call(*args).status == 0
    real = module._parameters
    monkeypatch.setattr(module, "_parameters", lambda *x: (p := real(*x)) | {"L_f": [y / 1e6 for y in p["L_f"]]})
    outcome = call(*args)
    assert outcome.status == 1
    assert outcome.err == ""
    assert "VIOLATION: measured W2 is above the bound after evaluation 1" in outcome.out
    assert " <= " not in outcome.out
    again = call(*args, "--format", "json")
    data = strict(again.out)
    assert again.status == 1
    assert data["violations"] == [1]
    assert data["steps"][0]["violated"]
    assert data["steps"][0]["ratio"] > 1


# --- output ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("data") / "points.csv"
    np.savetxt(path, PLANE, delimiter=",", header="a,b", comments="")
    return str(path)


FAST = ("-n", "50", "--grid-steps", "5")


def test_json(points: str) -> None:
    args = (
        "simulate",
        "--data",
        points,
        "--steps",
        "2",
        "--corrector",
        "overdamped:step=0.01,steps=2",
        *FAST,
        "--format",
        "json",
    )
    data = strict(fine(*args))
    assert data["world"] == "data"
    assert (data["d"], data["n"], data["constants"], data["method"]) == (2, 50, "measured", "transport")
    assert [x["k"] for x in data["steps"]] == [1, 2]
    assert data["corrector"]["name"] == "overdamped"
    assert not data["corrector"]["w2"]["exact"]
    assert set(data["steps"][0]) == {"k", "time", "w2", "bound", "ratio", "violated", "terms"}
    assert data["violations"] == []
    direct = cmbound.theorem("explicit-multistep").evaluate(**data["parameters"])
    assert direct.value == data["steps"][-1]["bound"]


def test_csv_and_latex_and_markdown() -> None:
    args = (*ONE, "--steps", "2", "--corrector", "smoothing:u=0.1", "-n", "10")
    rows = list(csv.DictReader(io.StringIO(fine(*args, "--format", "csv"))))
    assert [x["k"] for x in rows] == ["1", "2", "corrector"]
    assert rows[2]["bound"] == ""
    data = strict(fine(*args, "--format", "json"))
    assert [float(x["w2"]) for x in rows[:2]] == [x["w2"]["value"] for x in data["steps"]]
    assert [float(x["bound"]) for x in rows[:2]] == [x["bound"] for x in data["steps"]]
    latex = fine(*args, "--format", "latex")
    check_latex(latex)
    assert latex.count(r"\\") == 4
    markdown = fine(*args, "--format", "markdown")
    assert sum(x.startswith("|") for x in markdown.splitlines()) == 5
    assert "no bound covers" in markdown


def test_saved_arrays(tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    args = (*ONE, "--steps", "2", "-n", "30", "--seed", "7", "--save", str(path))
    data = strict(fine(*args, "--format", "json"))
    with np.load(path) as saved:
        assert saved["samples"].shape == saved["truth"].shape == (30, 1)
        assert saved["w2"].tolist() == [x["w2"]["value"] for x in data["steps"]]
        assert saved["bounds"].tolist() == [x["bound"] for x in data["steps"]]
        assert saved["times"].tolist() == [x["time"] for x in data["steps"]]
        assert saved["L_f"].tolist() == data["parameters"]["L_f"]
        assert (int(saved["seed"]), str(saved["clock"])) == (7, "ou")
        again = simulate(Gaussian([1.0], [0.25]), steps=2, n=30, seed=7)
        np.testing.assert_array_equal(saved["samples"], again.samples)


def test_seed_and_workers(points: str) -> None:
    for args in ((*ONE, "-n", "3000"), ("simulate", "--data", points, *FAST)):
        first = fine(*args, "--format", "json")
        assert fine(*args, "--format", "json") == first
        assert fine(*args, "--format", "json", "--workers", "3") == first
    runs = [simulate(Gaussian([0.0] * 40, 1.0), n=4000, seed=s, workers=w).samples for s, w in ((0, 1), (0, 4), (1, 1))]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])


def test_narrow_terminal_and_pipe(exact_run: Simulation) -> None:
    assert all(len(x) <= 40 for x in exact_run.text(40).splitlines())
    real = process(*ONE, "-n", "10")
    assert (real.returncode, said(real.stderr)) == (0, [])
    assert real.stdout == fine(*ONE, "-n", "10")


def test_output_file(tmp_path: Path) -> None:
    path = tmp_path / "run.txt"
    assert fine_quiet(*ONE, "-n", "10", "-o", str(path)) == ""
    assert path.read_text() == fine(*ONE, "-n", "10")


def fine_quiet(*args: str) -> str:
    outcome = call(*args)
    assert (outcome.status, outcome.err) == (0, "")
    return outcome.out


def test_ways_to_give_a_gaussian(tmp_path: Path) -> None:
    matrix = np.array([[1.0, 0.3], [0.3, 2.0]])
    np.save(tmp_path / "cov.npy", matrix)
    np.savetxt(tmp_path / "cov.csv", matrix, delimiter=",")
    for cov in ("1,0.3;0.3,2", str(tmp_path / "cov.npy"), str(tmp_path / "cov.csv")):
        np.testing.assert_allclose(build_world("gaussian", "0,1", cov, None).covariance, matrix)
    np.testing.assert_allclose(build_world("gaussian", None, "1,1/4", None).covariance, np.diag([1, 0.25]))
    np.testing.assert_allclose(build_world("gaussian", "1,2,3", "0.5", None).covariance, np.eye(3) / 2)
    assert build_world("gaussian", None, "2", None).d == 1


# --- figures --------------------------------------------------------------------------------------------------------


def lines(axes: Any) -> dict[str, Any]:
    return {x.get_label(): x for x in axes.get_lines()}


def test_figure_of_an_exact_run(exact_run: Simulation) -> None:
    figure = simulation_figure(exact_run)
    assert tuple(figure.get_size_inches()) == (6.5, 2.8)
    left, middle, right = figure.axes
    assert right.get_yscale() == "log"
    drawn = lines(right)
    np.testing.assert_array_equal(drawn["bound (certified)"].get_ydata(), [x.bound for x in exact_run.steps])
    np.testing.assert_array_equal(drawn[r"measured $W_2$"].get_ydata(), [x.w2.value for x in exact_run.steps])
    np.testing.assert_array_equal(drawn["bound (certified)"].get_xdata(), [1, 2, 3])
    trivial = drawn["the best constant (the mean)"]
    assert trivial.get_linestyle() == "--"
    assert set(trivial.get_ydata()) == {exact_run.evaluation.trivial}
    assert right.get_ylabel() == r"$W_2(q_k, p_{\mathrm{data}})$"
    assert right.get_xlabel() == "evaluation $k$"
    assert [x.get_text() for x in right.get_xticklabels()] == ["1\n$t=4$", "2\n$t=1$", "3\n$t=0.3$", "corrector"]
    corrected: list[Any] = [x for x in right.get_lines() if np.array_equal(x.get_xdata(), [4])]
    assert exact_run.corrected is not None
    assert [x.get_ydata()[0] for x in corrected] == [exact_run.corrected.value]
    assert (left.get_xlabel(), left.get_ylabel()) == ("$x_1$", "$x_2$")
    assert (left.get_xlim(), left.get_ylim()) == (middle.get_xlim(), middle.get_ylim())
    truth = lines(left)[r"samples of $p_{\mathrm{data}}$"]
    np.testing.assert_array_equal(truth.get_ydata(), exact_run.truth[: plots.MOST_POINTS, 1])
    scattered = lines(middle)[r"samples of $q_{3}^{\,\mathrm{c}}$"]
    np.testing.assert_array_equal(scattered.get_ydata(), exact_run.samples[: plots.MOST_POINTS, 1])
    colours = {to_hex(x.get_color()).upper() for x in (*left.get_lines(), *middle.get_lines(), *right.get_lines())}
    assert colours <= {style.ORANGE, style.BLUE, style.VERMILLION, style.GREY, style.BLACK}


@pytest.fixture(scope="module")
def twice(line_run: Simulation) -> list[Figure]:
    """The same figure, made twice."""
    return [simulation_figure(line_run) for _ in range(2)]


def test_figure_in_one_dimension(line_run: Simulation, twice: list[Figure]) -> None:
    left, right = twice[0].axes
    legend = left.get_legend()
    assert legend is not None
    curve = lines(left)[r"density of $p_\delta$"]
    x, y = curve.get_xdata(), curve.get_ydata()
    np.testing.assert_allclose(y, np.exp(line_run.run.world.log_density(x[:, None], 1e-3)))
    assert len([p for p in left.patches if hasattr(p, "get_width")]) == plots.BINS
    assert {x.get_text() for x in legend.get_texts()} >= {r"density of $p_\delta$", r"samples of $p_\delta$"}
    low, high = right.get_ylim()
    assert 0 < low < min(x.w2.value for x in line_run.steps)
    assert high > max(x.bound for x in line_run.steps)
    assert "bound (measured constants)" in lines(right)
    points = simulate(Atoms([[-1.0], [1.0]]), **SMALL)
    assert r"density of $p_\delta$" in lines(simulation_figure(points).axes[0])
    normal = simulate(Gaussian([0.0], [1.0]), n=30)
    assert r"density of $p_{\mathrm{data}}$" in lines(simulation_figure(normal).axes[0])


def test_figure_in_many_dimensions_and_with_many_evaluations() -> None:
    run = simulate(Gaussian([0.0] * 5, [9.0, 4.0, 1.0, 1.0, 0.1]), steps=9, n=500)
    left, middle, right = simulation_figure(run).axes
    assert left.get_xlabel() == middle.get_xlabel() == "first principal direction"
    y = lines(middle)[r"samples of $q_{9}$"].get_xdata()
    assert np.std(y) == pytest.approx(3, rel=0.15)
    assert len(lines(right)["bound (certified)"].get_ydata()) == 9
    for n in (1, 2):
        simulation_figure(simulate(Gaussian([0.0] * 3, 0.0), n=n))


@pytest.mark.parametrize("size", [1, 2, 3])
def test_nothing_overlaps(size: int) -> None:
    run = simulate(Gaussian([0.0] * size, 1.0), steps=3, n=300, corrector="smoothing:u=0.1")
    figure = simulation_figure(run)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    whole = figure.bbox
    boxes = [x.get_tightbbox(renderer) for x in figure.axes]
    ends = [y for box in boxes if box is not None for y in (box.x0, box.x1)]
    assert len(ends) == 2 * len(figure.axes)
    assert all(a <= b for a, b in pairwise([whole.x0, *ends, whole.x1 + 1]))
    for axes in figure.axes:
        labels = [x.get_window_extent(renderer) for x in axes.get_xticklabels() if x.get_text()]
        assert all(a.x1 <= b.x0 for a, b in pairwise(labels))
        legend = axes.get_legend()
        assert legend is not None
        assert legend.get_window_extent(renderer).y0 >= axes.get_window_extent(renderer).y1 - 1


@pytest.mark.parametrize(("kind", "magic"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_files_are_reproducible(kind: str, magic: bytes, tmp_path: Path, twice: list[Figure]) -> None:
    files = [tmp_path / f"{name}.{kind}" for name in ("first", "second")]
    for figure, path in zip(twice, files, strict=True):
        save_figure(figure, path)
    assert files[0].read_bytes() == files[1].read_bytes()
    assert files[0].read_bytes().startswith(magic)


def test_plot_option(tmp_path: Path) -> None:
    path = tmp_path / "run.PNG"
    fine(*ONE, "-n", "20", "--plot", str(path))
    assert path.read_bytes().startswith(b"\x89PNG")


# --- errors ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def bad_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("nan.csv").write_text("1,2\nnan,3\n")
    Path("ragged.csv").write_text("1,2\n3\n")
    Path("empty.csv").write_text("")
    np.save("cube.npy", np.zeros((2, 2, 2)))
    Path("fine.csv").write_text("0\n1\n")


USAGE = [
    (("simulate",), "--world gaussian"),
    (("simulate", "--data", "fine.csv", "--world", "gaussian"), "one of"),
    (("simulate", "--data", "fine.csv", "--mean", "1"), "--mean"),
    (("simulate", "--data", "missing.npy"), "missing.npy"),
    (("simulate", "--data", "nan.csv"), "nan"),
    (("simulate", "--data", "ragged.csv"), "line 2 has 1 number"),
    (("simulate", "--data", "empty.csv"), "empty.csv"),
    (("simulate", "--data", "cube.npy"), "shape"),
    (GAUSSIAN, "--cov"),
    ((*GAUSSIAN, "--cov", "x"), "cov"),
    ((*GAUSSIAN, "--cov", "1,2;3"), "rows"),
    ((*GAUSSIAN, "--cov", "1,2;3,1"), "symmetric"),
    ((*GAUSSIAN, "--cov", "1,1", "--mean", "1,2,3"), "shape"),
    ((*GAUSSIAN, "--cov", "missing.npy"), "missing.npy"),
    ((*ONE, "--times", "1,a"), "times"),
    ((*ONE, "--times", "1", "--steps", "3"), "steps"),
    ((*ONE, "--steps", "x"), "steps"),
    ((*ONE, "--corrector", "foo:u=1"), "corrector"),
    ((*ONE, "--corrector", "smoothing"), "smoothing:u=..."),
    ((*ONE, "--corrector", "smoothing:u=1,u=2"), "smoothing:u=..."),
    ((*ONE, "--corrector", "overdamped:step=1e9,steps=100"), "finite"),
    ((*ONE, "--grid", "foo"), "grid"),
    ((*ONE, "--teacher", "foo"), "teacher"),
    ((*ONE, "--profile", "foo"), "profile"),
    ((*ONE, "--profile", "lipschitz"), "ddim"),
    ((*ONE, "--plot", "x.gif"), ".png"),
    ((*ONE, "-n", "10", "--plot", "none/x.png"), "none/x.png"),
    ((*ONE, "-n", "10", "--save", "none/x.npz"), "none/x.npz"),
    ((*ONE, "-n", "10", "-o", "none/x"), "none/x"),
]
DOMAIN = [
    ((*GAUSSIAN, "--cov", "-1"), "semi-definite"),
    ((*GAUSSIAN, "--cov", "1,2;2,1"), "semi-definite"),
    ((*ONE, "-n", "0"), "n must be"),
    ((*ONE, "-n", "1e12"), "n must be"),
    (("simulate", "--data", "fine.csv", "-n", "10"), "n must be"),
    ((*ONE, "--times", "5"), "times must be in (delta, T] = (0.001, 4], got 5"),
    ((*ONE, "--times", "0.001"), "times"),
    ((*ONE, "--clock", "ve", "--times", "60"), "times"),
    ((*ONE, "--steps", "0"), "steps"),
    ((*ONE, "--delta", "0"), "delta"),
    ((*ONE, "--delta", "5"), "delta"),
    ((*ONE, "-T", "1000"), "horizon must be a time from 1e-12 to 350, got 1000\n"),
    ((*ONE, "--clock", "ve", "--delta", "1e-7"), "got 1e-7 (t = 5e-15)"),
    ((*ONE, "-T", "nan"), "horizon"),
    ((*ONE, "--eps-sc", "-1"), "eps_sc"),
    ((*ONE, "--eps-cm", "1e9"), "eps_cm"),
    ((*ONE, "--eps-sc", "1e6"), "eps_sc"),
    ((*ONE, "--seed", "-1"), "seed"),
    ((*ONE, "--workers", "0"), "workers"),
    ((*ONE, "--grid-steps", "0"), "grid_steps"),
    ((*ONE, "--corrector", "smoothing:u=0"), "smoothing u"),
    ((*ONE, "--corrector", "overdamped:step=1,steps=1.5"), "overdamped steps"),
]


@pytest.mark.usefixtures("bad_files")
@pytest.mark.parametrize(
    ("args", "words", "status"),
    [(*x, 2) for x in USAGE] + [(*x, 3) for x in DOMAIN],
    ids=lambda x: " ".join(x[1:]) if isinstance(x, tuple) else None,
)
def test_wrong_input(args: tuple[str, ...], words: str, status: int) -> None:
    outcome = call(*args)
    assert (outcome.status, outcome.out) == (status, ""), outcome
    assert words in outcome.err
    assert outcome.err.startswith("cmbound: error: ")
    assert outcome.err.count("\n") == 1


def test_wrong_input_in_python() -> None:
    with pytest.raises(InputError, match="world is int"):
        simulate(3)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="times is"):
        simulate(Gaussian([0.0], 1.0), times="1,2")
    with pytest.raises(DomainError, match="n must be an integer"):
        simulate(Gaussian([0.0], 1.0), n=1.5)


@pytest.mark.parametrize("options", [{}, {"to": "p_delta", "clock": "ve", "delta": 0.1, "horizon": 20}])
def test_samples_without_a_point_far_away_say_so(options: dict[str, Any]) -> None:
    """At 1 of 500 points, of which 50 are drawn, is nearly all of the variance."""
    data = np.append(np.linspace(-1, 1, 499), 100.0)[:, None]
    few, near = (Run(Atoms(x), n=50, grid_steps=4, steps=1, **options) for x in (data, data[:-1]))
    told = [x for x in simulate(few).notes if "far away" in x]
    assert len(told) == 1
    assert "the law has 4." in told[0]
    assert not any("far away" in x for x in simulate(near).notes)
