"""Figures: what is drawn is what the data say, in the paper's notation, the same bytes every time; wrong input is one line."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import cmbound
from cmbound.catalogue import catalogue, ids
from cmbound.comparison.phase import Phase
from cmbound.errors import DomainError, InputError
from cmbound.evaluation.statement import theorem
from cmbound.papers.figures import style
from cmbound.papers.figures.data import FigureData
from cmbound.papers.figures.grids import GridsData, finest_step, grids_data, grids_figure
from cmbound.papers.figures.multistep import MultistepData, multistep_data, multistep_figure
from cmbound.papers.figures.phase import phase_data, phase_figure
from cmbound.papers.figures.ratios import RatiosData, bins, decided, ratios_data, ratios_figure
from cmbound.papers.figures.terms import TermsData, terms_data, terms_figure
from cmbound.papers.figures.tightness import TightnessData, tightness_data, tightness_figure, with_dimension
from cmbound.reports.words import symbol, words
from cmbound.theory.grids import KINDS, two_stage
from cmbound.theory.notation import PARAMETERS
from cmbound.verification.campaign import draw, judge, run
from cmbound.worlds import Gaussian

ONE = "explicit-one-step"
TWO = "explicit-multistep"


@cache
def terms() -> TermsData:
    return terms_data(ONE, "h=1e-5:1e-1:log:9", preset="gaussian-2d")


@cache
def ratios() -> RatiosData:
    return ratios_data([ONE, "lyu2023-cor4"], instances=60, world="gaussian")


@cache
def multistep() -> MultistepData:
    return multistep_data(preset="gaussian-2d", steps=4, profile="lipschitz")


@cache
def measured() -> MultistepData:
    return multistep_data(world=Gaussian([0, 0], [1, 0.25]), steps=3, T=4, N=30, eps_cm="0.01", eps_sc="0.01")


@cache
def phase() -> Phase:
    options: dict[str, Any] = {"preset": "gaussian-2d", "k": 3, "t_hat": "1.5", "profile": "lipschitz"}
    return phase_data([ONE, TWO], "L_f=1:20:log:12", "T=1:10:linear:11", **options)


@cache
def tightness() -> TightnessData:
    return tightness_data(["explicit-map-error", ONE], dimensions=[4, 1, 2], instances=10)


@cache
def grids() -> GridsData:
    return grids_data(ONE, "N=10,30,100,300", preset="digits")


CASES: Mapping[str, tuple[Callable[[], FigureData | Phase], Callable[..., Figure]]] = {
    "terms": (terms, terms_figure),
    "ratios": (ratios, ratios_figure),
    "multistep": (multistep, multistep_figure),
    "measured": (measured, multistep_figure),
    "phase": (phase, phase_figure),
    "tightness": (tightness, tightness_figure),
    "grids": (grids, grids_figure),
}


def lines(axes: Any) -> dict[str, Any]:
    """The labelled lines of some axes."""
    return {x.get_label(): x for x in axes.lines if not str(x.get_label()).startswith("_")}


def panels(figure: Figure) -> list[Any]:
    return list(figure.axes)


def legend(figure: Figure) -> list[str]:
    return [x.get_text() for x in figure.legends[0].get_texts()]


def column(data: FigureData | Phase, name: str) -> list[str]:
    return [row[name] for row in csv.DictReader(io.StringIO(data.csv()))]


# --- every figure ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("width", style.WIDTHS)
def test_size_texts_and_room(name: str, width: str) -> None:
    data, draw_figure = CASES[name]
    figure = draw_figure(data(), width=width, title="A title")
    assert figure.get_figwidth() == {"column": 3.25, "page": 6.5}[width]
    assert figure.legends[0].get_title().get_text() == "A title"
    with style.paper_style():
        figure.draw_without_rendering()
        renderer = FigureCanvasAgg(figure).get_renderer()
        frame = figure.bbox
        above = figure.legends[0].get_window_extent(renderer)
        for axes in panels(figure):
            assert axes.get_xlabel()
            assert axes.get_ylabel()
            assert axes.get_window_extent(renderer).y1 <= above.y0, "the legend lies over the data"
            box = axes.get_tightbbox(renderer)
            assert box is not None
            assert frame.x0 - 1 <= box.x0 < box.x1 <= frame.x1 + 1
            assert frame.y0 - 1 <= box.y0 < box.y1 <= frame.y1 + 1
            for axis in (axes.xaxis, axes.yaxis):
                _apart(axis, renderer)
            texts = [axes.xaxis.label, axes.yaxis.label, *axes.get_xticklabels(), *axes.get_yticklabels()]
            assert all(7 <= x.get_fontsize() <= 8 for x in texts)
            assert all(x.get_fontname() == "STIXGeneral" for x in texts)
        assert frame.x0 <= above.x0
        assert above.x1 <= frame.x1


def _apart(axis: Any, renderer: Any) -> None:
    """At least two labels, none over the next."""
    low, high = sorted(axis.get_view_interval())
    both = zip([*axis.get_majorticklocs(), *axis.get_minorticklocs()], axis.get_ticklabels(which="both"), strict=True)
    shown = sorted((at, x.get_window_extent(renderer)) for at, x in both if low <= at <= high and x.get_text())
    assert len(shown) >= 2
    for (_, one), (_, other) in pairwise(shown):
        if axis.axis_name == "x":
            assert one.x1 < other.x0
        else:
            assert one.y1 < other.y0


@pytest.mark.parametrize("name", CASES)
def test_the_same_bytes_twice(name: str, tmp_path: Path) -> None:
    data, draw_figure = CASES[name]

    def saved(folder: str) -> dict[str, bytes]:
        figure = draw_figure(data())
        files = [tmp_path / f"{folder}.{suffix}" for suffix in ("svg", "pdf", "png")]
        for file in files:
            style.save_figure(figure, file)
        return {x.suffix: x.read_bytes() for x in files}

    one = saved("one")
    with matplotlib.rc_context({"font.size": 20, "lines.linewidth": 9, "svg.hashsalt": "other"}):  # the user's own settings
        assert one == saved("two")
    for content in one.values():
        assert b"CreationDate" not in content
        assert b"<dc:date>" not in content


@pytest.mark.parametrize("name", CASES)
def test_the_csv_holds_the_columns_in_full(name: str) -> None:
    data = CASES[name][0]()
    rows = list(csv.DictReader(io.StringIO(data.csv())))
    assert list(rows[0]) == list(data.columns)
    for key, values in data.columns.items():
        assert len(values) == len(rows)
        for row, value in zip(rows, values, strict=True):
            if isinstance(value, str):
                assert row[key] == value
            elif value is None or np.isnan(value):
                assert row[key] == ""
            else:
                assert float(row[key]) == value


def test_the_settings_of_the_user_are_left_alone() -> None:
    before = dict(matplotlib.rcParams)
    terms_figure(terms())
    assert dict(matplotlib.rcParams) == before


def test_the_style_sheet_can_be_used_by_name() -> None:
    import matplotlib.style as styles

    with styles.context("cmbound.papers.figures.paper"):
        assert matplotlib.rcParams["figure.figsize"] == [3.25, 2.4]
        colours = matplotlib.rcParams["axes.prop_cycle"].by_key()
        assert [f"#{x.removeprefix('#')}" for x in colours["color"]] == list(style.COLOURS)
        assert len(set(map(str, colours["linestyle"]))) == len(style.COLOURS)


def test_every_label_can_be_typeset() -> None:
    with style.paper_style():
        figure = Figure()
        for x in catalogue:
            figure.text(0, 0, style.quantity(x))
        for p in PARAMETERS:
            figure.text(0, 0, symbol(p.name).latex())
        figure.draw_without_rendering()
    assert symbol("eps_sc").latex() == r"$\varepsilon_{sc}$"
    assert style.quantity(theorem(ONE), "p_delta") == r"$W_2\left(f_\theta(\cdot, T)_\# p_{\mathrm{start}}, p_\delta\right)$"


def test_no_bound_is_said_of_an_order_form() -> None:
    for x in catalogue:
        assert ("no bound" in style.bounded(x)) == (x.kind == "order")
        assert ("no bound" in style.called(x)) == (x.kind == "order")
        assert (style.dashes(x, 0) == style.ORDER_DASHES) == (x.kind == "order")


def test_a_term_looks_the_same_in_every_figure() -> None:
    for x in ids():
        names = [term.name for term in theorem(x).bare_sources]
        numbers = style.term_numbers(names)
        assert all(numbers[name] == style.TERMS.index(name) for name in names if name in style.TERMS)
        assert len({numbers[name] for name in names}) == min(len(names), len(style.TERMS))


# --- terms ----------------------------------------------------------------------------------------------------------


def test_terms_are_those_of_the_statement() -> None:
    data = terms()
    one = theorem(ONE).evaluate(preset="gaussian-2d", h=float(data.values[3]))
    assert {name: x[3] for name, x in data.terms.items()} == pytest.approx({name: x.value for name, x in one.terms.items()})
    assert data.total[3] == pytest.approx(one.value)
    assert data.trivial is not None
    assert set(data.trivial) == {one.trivial}
    assert sum(data.terms.values()) == pytest.approx(data.total)


def test_terms_as_lines() -> None:
    data = terms()
    figure = terms_figure(data)
    axes = panels(figure)[0]
    drawn = lines(axes)
    assert set(drawn) == set(legend(figure)) == {*map(words, data.terms), "total", "best constant"}
    for name, values in [*data.terms.items(), ("total", data.total)]:
        assert np.array_equal(drawn[words(name)].get_xdata(), data.values)
        assert np.array_equal(drawn[words(name)].get_ydata(), values)
    assert axes.get_xscale() == axes.get_yscale() == "log"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("$h$", f"bound on {style.quantity(theorem(ONE))}")
    looks = {(x.get_color(), str(x.get_linestyle()), x.get_linewidth()) for x in drawn.values()}
    assert len(looks) == len(drawn)


@pytest.mark.parametrize("view", ["stacked", "shares"])
def test_the_stack_sums_to_the_total(view: str) -> None:
    data = terms()
    axes = panels(terms_figure(data, view=view))[0]
    assert axes.get_yscale() == "linear"
    whole = data.total if view == "shares" else np.ones(len(data.total))
    low = np.zeros(len(data.values))
    for area, (name, values) in zip(axes.collections, data.terms.items(), strict=True):
        assert area.get_label() == words(name)
        points = area.get_paths()[0].vertices
        for i, x in enumerate(data.values):
            ends = points[points[:, 0] == x][:, 1]
            assert (ends.min(), ends.max()) == pytest.approx((low[i], low[i] + values[i] / whole[i]))
        low = low + values / whole
    assert low == pytest.approx(np.ones(len(low)) if view == "shares" else data.total)


def test_terms_of_other_questions() -> None:
    moved = terms_data(ONE, "m2=1,2,4", preset="gaussian-2d")
    assert list(moved.trivial) == [1, 2, 4]  # type: ignore[arg-type]
    assert list(moved.columns) == ["m2", *moved.terms, "total", "trivial"]
    stopped = terms_data(ONE, "d=1:9:log:3", **{**_numbers(ONE), "to": "p_delta"})
    assert "early_stopping" not in stopped.terms
    assert r"p_\delta" in panels(terms_figure(stopped))[0].get_ylabel()
    order = terms_data("lyu2023-cor4", "h=1e-4:1e-2:log:5", preset="gaussian-2d", C=2)
    axes = panels(terms_figure(order))[0]
    assert axes.get_ylabel() == "order form at $C = 2$, no bound"
    assert lines(axes)["total"].get_linestyle() == "--"
    assert order.trivial is None
    with pytest.raises(DomainError, match="C"):
        terms_data("lyu2023-cor4", "h=1e-4:1e-2:log:5", preset="gaussian-2d")


def _numbers(id: str) -> dict[str, Any]:
    found = {"eps_sc": "0.01", "eps_cm": "0.01", "L_f": 1, "m2": 1, "T": 5, "delta": "1e-3", "h": "1e-2"}
    return {name: x for name, x in found.items() if name in {p.name for p in theorem(id).parameters}}


# --- ratios ---------------------------------------------------------------------------------------------------------


def test_ratios_are_the_decided_instances_of_a_campaign() -> None:
    data = ratios()
    assert data.statements
    for id in data.statements:
        outcomes = [x for x in run(id, instances=60, world="gaussian") if decided(x)]
        true, bound, ratio = data.of(id)
        assert list(true) == [x.truth for x in outcomes]
        assert list(ratio) == [x.ratio for x in outcomes]
        assert np.all(bound > 0)
        assert (data.left_out or {})[id] == 60 - len(outcomes)
        report = cmbound.check(id, instances=60, world="gaussian")
        assert report.max_ratio == max(ratio)
        assert report.median_ratio == pytest.approx(float(np.median(ratio)))


def test_every_decided_instance_is_in_the_histogram_and_beside_the_diagonal() -> None:
    data = ratios()
    edges, counts = bins(data)
    first, second = panels(ratios_figure(data))
    assert np.all(np.diff(edges) > 0)
    assert 1.0 in edges
    for patch, count, id in zip(second.patches, counts, data.statements, strict=True):
        values = patch.get_data()
        assert np.array_equal(values.values, count)
        assert np.array_equal(values.edges, edges)
        assert count.sum() == len(data.of(id)[2])
        inside = data.of(id)[2]
        assert count[edges[1:] <= 0.01].sum() == np.sum(inside <= 0.01 * (1 + 1e-9))
        dots = lines(first)[style.called(theorem(id))]
        assert np.array_equal(dots.get_xdata(), data.of(id)[1])
        assert np.array_equal(dots.get_ydata(), data.of(id)[0])
    assert first.get_xscale() == first.get_yscale() == second.get_xscale() == "log"
    outside = [x.get_text() for x in first.texts]
    (left, right), (low, high) = first.get_xlim(), first.get_ylim()
    count_out = sum(not (left <= row[5] <= right and low <= row[4] <= high) for row in data.rows)
    assert outside == ([f"{count_out} of {len(data.rows)}\noutside the frame"] if count_out else [])


def test_a_violation_is_drawn_above_one() -> None:
    row = (ONE, "gaussian", 2.0, "passed", 0.5, 1.0, 0.5)
    rows = (row, (*row[:3], "violation", 3.0, 1.0, 3.0), (*row[:4], 0.0, 1.0, 0.0), (*row[:3], "undecided", 1.0, 1.0, 1 + 1e-13))
    data = RatiosData((ONE,), rows)
    edges, counts = bins(data)
    assert counts[0][edges[:-1] >= 1].sum() == 1
    assert counts[0].sum() == 4
    assert counts[0][0] == 1
    figure = ratios_figure(data)
    assert list(lines(panels(figure)[0])["violation"].get_ydata()) == [3.0]
    assert "violation" in legend(figure)
    assert "violation" not in legend(ratios_figure(ratios()))


# --- multistep ------------------------------------------------------------------------------------------------------


def test_multistep_bounds_are_those_of_the_schedule() -> None:
    data = multistep()
    plan = cmbound.schedule(preset="gaussian-2d", steps=4, profile="lipschitz")
    assert list(data.k) == [1, 2, 3, 4]
    assert list(data.bounds["best"]) == [float(x.value) for x in plan.optimal.steps or ()]
    assert list(data.bounds["fixed"]) == [float(x.value) for x in plan.fixed.steps or ()]
    assert list(data.times["best"][1:]) == pytest.approx(plan.times)
    assert (data.limit, data.steps_worth_taking) == (plan.limit, plan.steps_worth_taking)
    figure = multistep_figure(data, width="page")
    left, right = panels(figure)
    names = {"best": "best times", "fixed": "fixed time (Cor. 6)", "best_fixed": "best fixed time"}
    for name, label in names.items():
        assert np.array_equal(lines(left)[label].get_ydata(), data.bounds[name])
        assert np.array_equal(lines(right)[label].get_ydata(), data.times[name])
    assert set(lines(left)["limit"].get_ydata()) == {data.limit}
    assert set(legend(figure)) == {*names.values(), "limit"}
    assert left.get_ylabel() == r"bound on $W_2(q_k, p_{\mathrm{data}})$"
    wide = replace(data, bounds={**data.bounds, "fixed": 100 * data.bounds["fixed"]})
    assert panels(multistep_figure(wide))[0].get_yscale() == "log"
    assert len(lines(panels(multistep_figure(replace(data, limit=float("inf"))))[0])) == 3


def test_measured_w2_lies_below_its_bound() -> None:
    data = measured()
    found = cmbound.simulate(
        Gaussian([0, 0], [1, 0.25]),
        times=list(data.times["best"][1:]),
        horizon=4,
        grid_steps=30,
        eps_cm="0.01",
        eps_sc="0.01",
        n=1,
    )
    assert list(data.measured["best"]) == pytest.approx([x.w2.value for x in found.steps])
    assert list(data.bounds["best"]) == pytest.approx([x.bound for x in found.steps])
    for name, values in data.measured.items():
        assert np.all(values < data.bounds[name])
    figure = multistep_figure(data)
    assert np.array_equal(lines(panels(figure)[0])["measured $W_2$ (best times)"].get_ydata(), data.measured["best"])
    assert panels(figure)[0].get_yscale() == "linear"  # the bounds are within a few times the distances
    with pytest.raises(InputError, match="L_f follows from the world"):
        multistep_data(world=Gaussian([0], [1]), L_f=2)


def test_multistep_in_the_other_clock() -> None:
    data = multistep_data(world=Gaussian([0], [1]), steps=2, clock="ve", sigma_min="0.01", sigma_max=50, N=20)
    assert data.times["best"][0] == pytest.approx(50)
    once = multistep_data(world=Gaussian([0], [1]), steps=1, clock="ve")
    assert len(once.measured["best"]) == len(once.k) == 1
    assert panels(multistep_figure(data, width="page"))[1].get_ylabel() == r"noise level $\sigma_{n_k}$"


# --- tightness ------------------------------------------------------------------------------------------------------


def test_tightness_is_that_of_the_instances() -> None:
    data = tightness()
    assert data.dimensions == (1, 2, 4)
    for id in data.statements:
        for i, d in enumerate(data.dimensions):
            recipes = [with_dimension(draw(theorem(id), "gaussian", 0, n), d) for n in range(10)]
            assert {x.choices["d"] for x in recipes} == {d}
            kept = [x.ratio or 0.0 for x in map(judge, recipes) if decided(x)]
            assert data.decided[id][i] == len(kept)
            assert data.largest[id][i] == max(kept)
            assert data.median[id][i] == pytest.approx(float(np.median(kept)))
    axes = panels(tightness_figure(data))[0]
    for k, id in enumerate(data.statements):
        upper, lower = axes.lines[2 * k : 2 * k + 2]
        assert upper.get_label() == id
        assert np.array_equal(upper.get_ydata(), np.array(data.largest[id]))
        assert np.array_equal(lower.get_ydata(), np.array(data.median[id]))
        assert list(upper.get_xdata()) == list(data.dimensions)
    assert axes.get_yscale() == "log"
    assert [x.get_text() for x in axes.get_xticklabels()] == ["1", "2", "4"]
    assert legend(tightness_figure(data)) == ["explicit-map-error", ONE, "largest", "median"]
    assert tightness_data(["explicit-map-error", ONE], dimensions=[1, 2, 4], instances=10, jobs=2).csv() == data.csv()


# --- grids ----------------------------------------------------------------------------------------------------------


def test_grids_are_evaluated_at_their_numbers_of_steps() -> None:
    data = grids()
    for kind in ("uniform", "geometric", "edm"):
        assert data.bounds[kind][2] == pytest.approx(theorem(ONE).evaluate(preset="digits", grid=kind, N=100).value)
    assert np.isnan(data.bounds["two-stage"][0])
    assert np.all(data.steps[1:] <= data.N[1:])
    assert np.all(data.steps[1:] >= data.N[1:] - 2)
    axes = panels(grids_figure(data))[0]
    for kind in KINDS:
        line = lines(axes)["EDM" if kind == "edm" else kind]
        np.testing.assert_array_equal(line.get_ydata(), data.bounds[kind])
        np.testing.assert_array_equal(line.get_xdata(), data.steps if kind == "two-stage" else data.N)
    assert set(lines(axes)["best constant"].get_ydata()) == {data.trivial}
    assert axes.get_xscale() == axes.get_yscale() == "log"


def test_the_finest_two_stage_grid() -> None:
    low, high = Fraction(1, 1000), Fraction(4)
    assert finest_step(low, high, 3) is None
    for steps in (15, 40, 333):
        h = finest_step(low, high, steps)
        assert h is not None
        assert two_stage(low, high, h).N <= steps < two_stage(low, high, h * Fraction(9, 10)).N
