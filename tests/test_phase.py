"""Phase diagrams: regions and borders agree with the statements."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cmbound.comparison.phase import NONE, Phase, winner_of
from cmbound.errors import DomainError
from cmbound.evaluation.statement import theorem
from cmbound.papers.figures.phase import phase_data, phase_figure
from tests.test_figures import ONE, TWO, column, legend, panels, phase


def test_regions_agree_with_the_statements_at_sample_points() -> None:
    data = phase()
    figure = phase_figure(data)
    axes = panels(figure)[0]
    mesh = axes.collections[0]
    assert np.array_equal(np.asarray(mesh.get_array()).reshape(data.winners.shape), data.winners)
    seen = set()
    for i, j in [(0, 0), (10, 11), (5, 3), (10, 0), (3, 8)]:
        point = {"preset": "gaussian-2d", "profile": "lipschitz", "L_f": float(data.x[j]), "T": float(data.y[i])}
        each = [theorem(ONE).evaluate(**point).value]
        try:
            each.append(theorem(TWO).evaluate(**point, k=3, t_hat=1.5).value)
        except DomainError:
            each.append(np.inf)
            assert np.isnan(data.values[TWO][i, j])
        assert data.winners[i, j] == int(np.argmin(each)), (i, j, each)
        assert column(data, "winner")[i * len(data.x) + j] == [ONE, TWO][int(np.argmin(each))]
        seen.add(int(np.argmin(each)))
    assert seen == {0, 1}
    assert legend(figure) == [ONE, TWO, "equal values of the smallest bound"]
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_xscale(), axes.get_yscale()) == ("$L_f$", "$T$", "log", "linear")


def test_the_border_is_where_both_agree() -> None:
    data = phase()
    axes = panels(phase_figure(data))[0]
    border = next(x for x in axes.collections if list(np.atleast_1d(x.get_linewidth())) == [1.3])
    points = np.concatenate([path.vertices for path in border.get_paths() if len(path.vertices)])
    assert len(points) > 5
    share = axes.transScale + axes.transLimits
    values = [share.transform(x.get_position()) for x in axes.texts]
    assert len(values) > 2
    for i, place in enumerate(values):  # none is written across the border, the edge or another one
        others = np.concatenate([share.transform(points), np.reshape(values[:i] + values[i + 1 :], (-1, 2))])
        assert min(np.linalg.norm(others - place, axis=1).min(), place.min(), (1 - place).min()) > 0.05
    for L_f, T in points[:: max(1, len(points) // 4)]:
        point = {"preset": "gaussian-2d", "profile": "lipschitz", "L_f": float(L_f), "T": float(T)}
        one = theorem(ONE).evaluate(**point).value
        two = theorem(TWO).evaluate(**point, k=3, t_hat=1.5).value
        assert one == pytest.approx(two, rel=0.1)


def test_nothing_wins_where_nothing_applies() -> None:
    axis, values = np.array([1.0, 2]), {ONE: np.full((2, 2), np.nan), TWO: np.array([[1, np.nan]] * 2)}
    data = Phase("h", "T", axis, axis, (ONE, TWO), values, winner_of(list(values.values())), (), "W2 to p_data")
    assert data.winners.tolist() == [[1, NONE], [1, NONE]]
    assert legend(phase_figure(data)) == [ONE, TWO, "none applies"]
    assert column(data, "winner") == [TWO, "", TWO, ""]


def test_an_order_form_needs_c_and_has_a_dashed_border() -> None:
    axes = ("h=1e-5:1e-1:log:9", "L_f=1:20:log:6")
    with pytest.raises(DomainError, match="C"):
        phase_data([ONE, "lyu2023-cor4"], *axes, preset="gaussian-2d")
    data = phase_data([ONE, "lyu2023-cor4"], *axes, preset="gaussian-2d", C="1")
    figure = phase_figure(data)
    assert legend(figure) == [ONE, "lyu2023-cor4 ($C = 1$, no bound)", "equal values of the smallest"]
    border = next(x for x in panels(figure)[0].collections if list(np.atleast_1d(x.get_linewidth())) == [1.3])
    assert border.get_linestyle()[0][1] is not None


CHEN: dict[str, Any] = {
    "k": 2, "t_hat": 2, "T": 6, "delta": "1e-6", "d": 2, "m2": "1.2", "R": 3, "L_s": 4, "eps_sc": 0, "start": "matched",
    "profile": "lipschitz",
}  # fmt: skip


def test_the_error_of_an_interval_is_the_rate_times_its_length() -> None:
    both, axes = [TWO, "chen2025-multistep"], ("L_f=1:100:log:8", "eps_cm=1e-5:1e-1:log:7")
    data = phase_data(both, *axes, **CHEN, h="1e-5")
    assert set(np.unique(data.winners)) == {0, 1}
    for i in (0, 3, 6):
        rate = float(data.y[i])
        own = {name: CHEN[name] for name in ("k", "t_hat", "T", "m2", "R")}
        found = theorem(both[1]).evaluate(**own, dtau="1e-5", eps_ci=rate * 1e-5)
        assert data.values[both[1]][i] == pytest.approx(np.full(8, found.value))
    said = phase_data(both, *axes, **CHEN, h="1e-5", dtau="0.5")  # the spacing cancels
    assert said.values[both[1]] == pytest.approx(data.values[both[1]])
