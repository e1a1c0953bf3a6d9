"""Sweeps: ranges, chunks, workers, a cluster, files, figures."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.contour import ContourSet
from scipy.interpolate import RegularGridInterpolator

import cmbound
from cmbound.errors import CmboundError, DomainError, InputError
from cmbound.evaluation.sweeps import axis, chunks, sweep, swept
from cmbound.papers.figures.planes import BETWEEN
from cmbound.papers.figures.sweeps import sweep_figure
from cmbound.parallel import mapped
from cmbound.verification.campaign import check
from tests.helpers import call, fails, fine

BASE: dict[str, Any] = {"eps_sc": "0.01", "eps_cm": "0.01", "L_f": 1, "m2": 1, "T": 5, "delta": "1e-3", "profile": "universal"}
ID = "explicit-one-step"


def test_axes() -> None:
    assert axis("h", "1e-4:1e-1:log:4") == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1])
    assert axis("T", "1:3:linear:3") == pytest.approx([1, 2, 3])
    assert axis("eps_cm", "0:2:linear:3") == pytest.approx([0, 1, 2])
    assert axis("d", "2,8,32") == pytest.approx([2, 8, 32])
    assert axis("d", "1:4:log:30") == pytest.approx([1, 2, 3, 4])
    assert axis("h", "0.1") is None


def test_what_is_said_of_a_bad_point_is_said_of_its_place() -> None:
    """Also where another point has something else wrong."""
    given, T, sd2 = {**BASE, "d": 5, "m2": 2, "h": 1e-3}, [5, 4, 1e-4], [1.0, 3.0]
    with pytest.raises(DomainError, match=r"sd2 must be at most m2.*, at T = 5, sd2 = 3$"):
        swept(sweep(ID, **{**given, "T": T}, sd2=sd2))
    given.pop("T")
    with pytest.raises(DomainError, match=r"assumes delta < T, which is violated, at sd2 = 1, T = 0\.0001$"):
        swept(sweep(ID, **given, sd2=sd2, T=T))


def test_the_full_product_last_parameter_fastest() -> None:
    what = sweep(ID, **BASE, d="2,8", h="1e-4:1e-1:log:4")
    found = swept(what)
    assert len(what) == 8
    assert list(found["d"]) == [2] * 4 + [8] * 4
    assert found["h"][:4] == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1])
    for i in (0, 3, 6):
        point = {**BASE, "d": int(found["d"][i]), "h": float(found["h"][i])}
        one = cmbound.theorem(ID).evaluate(**point)
        assert found["total"][i] == pytest.approx(one.value, rel=1e-12)
        assert found["score"][i] == pytest.approx(one.terms["score"].value, rel=1e-12)
    assert next(iter(chunks(what))).dominating[0] == cmbound.theorem(ID).evaluate(**{**BASE, "d": 2, "h": 1e-4}).dominating_term


def test_neither_chunks_nor_workers_change_a_number() -> None:
    what = sweep(ID, **BASE, d="1:50:linear:9", h="1e-4:1e-1:log:11")
    whole = swept(what)
    for options in ({"size": 1}, {"size": 7}, {"size": 10, "jobs": 2}):
        again = swept(what, **options)
        assert list(again) == list(whole)
        assert all((again[name] == whole[name]).all() for name in whole)


def test_a_cluster_of_two_workers_gives_the_same_numbers() -> None:
    distributed = pytest.importorskip("distributed")
    what = sweep(ID, **BASE, d="2,8", h="1e-4:1e-1:log:40")
    alone = check("explicit-training", instances=30, world="gaussian").to_dict()
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    ) as cluster:
        address = cluster.scheduler_address
        remote = swept(what, size=25, cluster=address)
        report = check("explicit-training", instances=30, world="gaussian", cluster=address).to_dict()
    local = swept(what)
    assert all((remote[name] == local[name]).all() for name in local)
    assert {**report, "seconds": 0} == {**alone, "seconds": 0}


def test_memory_does_not_grow_with_the_points() -> None:
    def peak(count: int) -> int:
        what = sweep(ID, **{**BASE, "eps_cm": "0.01:0.02:linear:100"}, d=2, h=f"1e-4:1e-1:log:{count}")
        tracemalloc.start()
        for _ in chunks(what, size=2000):
            pass
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    peak(100)
    assert peak(2000) < 1.5 * peak(100)


@pytest.mark.parametrize(
    ("params", "kind", "words"),
    [
        ({"h": "1:2:3"}, InputError, "a range is LOW:HIGH:log:COUNT"),
        ({"h": "0:1:log:5"}, DomainError, "must begin above 0"),
        ({"h": "1:1e-3:log:5"}, DomainError, "must increase"),
        ({"h": "1e-3:1:log:1"}, DomainError, "range of 1 values"),
        ({"h": "1e-3,x"}, InputError, "h is 'x', which is not a number"),
        ({"h": "0.1"}, InputError, "nothing varies"),
        ({"h": np.array([])}, InputError, "h has no values"),
        (
            {"h": "1e-6:1:log:10000", "eps_sc": "1e-6:1:log:10000", "eps_cm": "1e-6:1:log:1000"},
            DomainError,
            "at most 10000000000",
        ),
        ({"h": "1e-3:100:log:7"}, DomainError, "h <= T - delta, which is violated, at h = 14.6"),
        ({"h": "1e-3,1e-2", "d": "2,2.5"}, DomainError, "d must be an integer"),
    ],
)
def test_wrong_ranges(params: dict[str, Any], kind: type[CmboundError], words: str) -> None:
    with pytest.raises(kind, match=words):
        swept(sweep(ID, **{**BASE, "d": 2, **params}))


def test_wrong_places_to_work() -> None:
    with pytest.raises(DomainError, match="jobs must be an integer from 1"):
        list(mapped(abs, [(1,)], jobs=0))
    with pytest.raises(InputError, match="cluster decides"):
        list(mapped(abs, [(1,)], jobs=2, cluster="tcp://127.0.0.1:1"))


ARGUMENTS = (ID, "--preset", "gaussian-2d", "-p", "h=1e-4:1e-1:log:7")


def test_csv_json_and_npz_hold_the_same(tmp_path: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(fine("sweep", *ARGUMENTS))))
    data = json.loads(fine("sweep", *ARGUMENTS, "--format", "json"))
    path = tmp_path / "sweep.npz"
    assert call("sweep", *ARGUMENTS, "-o", str(path)).status == 0
    arrays = np.load(path)
    assert data["theorem"] == ID
    assert data["axes"] == {"h": 7}
    assert data["columns"] == list(rows[0]) == [*arrays.files, "dominating"]
    for i, row in enumerate(rows):
        assert [float(x) for x in list(row.values())[:-1]] == data["rows"][i][:-1] == [float(arrays[x][i]) for x in arrays.files]
        assert row["dominating"] == data["rows"][i][-1]
    assert {x["dominating"] for x in rows} == {"early_stopping", "discretisation"}


def test_lines(tmp_path: Path) -> None:
    what = sweep(ID, **BASE, d=2, h="1e-4:1e-1:log:9")
    columns = swept(what)
    parts = list(chunks(what, size=4))
    axes = sweep_figure(what, parts).axes[0]
    assert axes.get_xscale() == axes.get_yscale() == "log"
    assert axes.get_xlabel() == "$h$"
    drawn = {line.get_label(): line for line in axes.lines}
    assert set(drawn) == {*(x.replace("_", " ") for x in parts[0].terms), "total"}
    assert np.array_equal(drawn["total"].get_ydata(), columns["total"])
    short = sweep(ID, **BASE, d=2, h="1e-3:2e-3:log:5")
    assert sweep_figure(short, list(chunks(short))).axes[0].get_xscale() == "log"
    evenly = sweep(ID, **BASE, d=2, h="1e-3:2e-3:linear:5")
    assert sweep_figure(evenly, list(chunks(evenly))).axes[0].get_xscale() == "linear"
    path = tmp_path / "figure.png"
    assert call("sweep", *ARGUMENTS, "--plot", str(path), "-o", str(tmp_path / "x.csv")).status == 0
    assert path.stat().st_size > 5000


def test_map() -> None:
    what = sweep(ID, **{**BASE, "eps_sc": "1e-4:1:log:12"}, d=2, h="1e-4:1e-1:log:9")
    figure = sweep_figure(what, list(chunks(what)))
    axes = figure.axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("$h$", r"$\varepsilon_{sc}$")
    mesh = np.asarray(axes.collections[0].get_array())  # with points between those of the sweep
    np.testing.assert_allclose(mesh[::BETWEEN, ::BETWEEN].ravel(), swept(what)["total"])
    assert mesh.shape == tuple((n - 1) * BETWEEN + 1 for n in what.shape)
    assert {y for x in axes.texts if not (y := x.get_text())[:1].isdigit()} == {x.replace("_", " ") for x in _winners(what)}
    logs = np.log(np.stack([swept(what)[x] for x in next(chunks(what)).terms], axis=-1)).reshape(*what.shape, -1)
    at = RegularGridInterpolator((np.log(what.axes["eps_sc"]), np.log(what.axes["h"])), logs)
    borders = [
        np.asarray(x.get_paths()[0].vertices) for x in axes.collections if isinstance(x, ContourSet) and list(x.levels) == [0.0]
    ]
    assert borders
    for edge in borders:
        first, second = np.sort(at(np.log(edge[:, ::-1])))[:, -2:].T
        np.testing.assert_allclose(first, second, atol=0.05)
    three = sweep(ID, **{**BASE, "eps_sc": "0.1,0.2", "eps_cm": "0.1,0.2"}, d=2, h="0.1,0.2")
    with pytest.raises(InputError, match="one or two axes, the sweep has 3"):
        sweep_figure(three, [])


def test_names_of_regions_stay_inside_the_axes() -> None:
    """Upright where a region at an edge is narrower than its name."""
    for low, upright in (("1e-4", False), ("7e-4", True)):
        what = sweep(ID, preset="gaussian-2d", L_f="1:10:log:12", delta=f"{low}:1:log:20")
        figure = sweep_figure(what, list(chunks(what)))
        figure.draw_without_rendering()
        axes = figure.axes[0]
        (text,) = (x for x in axes.texts if x.get_text() == "score")
        box, room = text.get_window_extent(), axes.get_window_extent()
        assert room.x0 < box.x0 < box.x1 < room.x1
        assert room.y0 < box.y0 < box.y1 < room.y1
        assert (text.get_rotation() == 90) is upright


def test_a_line_for_each_of_a_few_values() -> None:
    what = sweep(ID, **BASE, d="2,8,32", h="1e-4:1e-1:log:9")
    figure = sweep_figure(what, list(chunks(what)))
    totals = swept(what)["total"].reshape(3, 9)
    drawn = {line.get_label(): line.get_ydata() for line in figure.axes[0].lines}
    assert list(drawn) == ["$d$ $= 2$", "$d$ $= 8$", "$d$ $= 32$"]
    for line, total in zip(drawn.values(), totals, strict=True):
        assert np.array_equal(line, total)
    turned = sweep(ID, **BASE, h="1e-4:1e-1:log:9", d="2,8,32")
    again = {line.get_label(): line.get_ydata() for line in sweep_figure(turned, list(chunks(turned))).axes[0].lines}
    assert all(np.array_equal(again[name], y) for name, y in drawn.items())


def _winners(what: Any) -> set[str]:
    return {name for chunk in chunks(what) for name in chunk.dominating}


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        ((ID, "--preset", "gaussian-2d"), 2, ("nothing varies",)),
        ((*ARGUMENTS, "--plot", "x.png", "-o", "missing/x.csv"), 2, ("-o: cannot write missing/x.csv", "there is no folder")),
        ((*ARGUMENTS, "--plot", "x.gif", "-o", "/dev/null"), 2, ("x.gif",)),
        ((*ARGUMENTS, "--jobs", "0"), 3, ("jobs must be an integer from 1",)),
        ((*ARGUMENTS, "--cluster", "tcp://127.0.0.1:9"), 2, ("cannot reach a Dask scheduler at 'tcp://127.0.0.1:9'",)),
        (("explicit-one-stpe", "-p", "h=1,2"), 2, ("did you mean 'explicit-one-step'",)),
        ((ID, "--preset", "gaussian-2d", "-p", "hh=1,2"), 2, ("hh",)),
    ],
)
def test_wrong_input(arguments: tuple[str, ...], status: int, says: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cmbound.parallel.CONNECT_SECONDS", 0.5)
    fails(status, "sweep", *arguments, says=says)
