"""What figures over a plane of two parameters share: smooth borders of regions, and labelled lines of equal value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.lines import Line2D

from cmbound.papers.figures.data import Array
from cmbound.papers.figures.style import axis_scale, short

BETWEEN = 4
"""Pieces in which a value is interpolated between two points."""
_LEVEL: dict[str, Any] = {"linewidth": 0.5, "linestyle": "dotted"}
_FEW = 4  # lines of equal value; fewer do not show how a value grows
_MOST = 8  # more make a figure grey
_LETTER = (0.022, 0.02)
"""Width of a letter and half its height, in shares of the axes."""
_LEAST = 0.05  # of the axes, from the middle of a number to what it must not cross: a line without that room has none


def set_axes(axes: Any, x: Array, y: Array) -> None:
    """The scales that suit two ranges, and the limits."""
    axes.set_xscale(axis_scale(x))
    axes.set_yscale(axis_scale(y))
    axes.set_xlim(x[0], x[-1])
    axes.set_ylim(y[0], y[-1])


def finer(values: Array) -> Array:
    """Linear interpolation along both axes of an array, with ``BETWEEN`` pieces between neighbours."""
    return _finer(_finer(values).T).T


def _finer(values: Array) -> Array:
    places = np.arange((len(values) - 1) * BETWEEN + 1) / BETWEEN
    low = np.minimum(places.astype(int), len(values) - 2)
    weight = (places - low).reshape(-1, *[1] * (values.ndim - 1))
    return np.asarray((1 - weight) * values[low] + weight * values[low + 1])


def finer_axis(values: Array) -> Array:
    """The places of interpolated values along an axis, on its scale."""
    return np.exp(_finer(np.log(values))) if axis_scale(values) == "log" else _finer(values)


def gaps(logs: Sequence[Array]) -> list[Any]:
    """For each of several functions, by their finely interpolated logarithms, how far it is above the least of the others.

    Masked where neither is finite. With the logarithms negated: how far each is below the largest of the others.
    """
    found = []
    for i, own in enumerate(logs):
        others = np.min([z for j, z in enumerate(logs) if j != i], axis=0)
        with np.errstate(invalid="ignore"):
            found.append(np.ma.masked_invalid(own - others))
    return found


def changes(gap: Any) -> bool:
    """Whether a gap is of both signs: a border is somewhere."""
    return bool(gap.count()) and bool(gap.min() < 0 < gap.max())


def draw_levels(axes: Any, x: Array, y: Array, values: Array, colour: str) -> bool:
    """Thin dotted lines of equal value, with the value written on them; whether there are any.

    Values are powers of ten, or 1, 2 and 5 times those where there would be few.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        logs = np.ma.masked_invalid(np.log10(values))
    if min(logs.shape) < 2 or not logs.count():
        return False
    powers = np.arange(np.floor(logs.min()), np.ceil(logs.max()) + 1)
    levels = _inside(powers, logs)
    if len(levels) < _FEW:
        levels = _inside(np.sort(np.concatenate([powers + np.log10(m) for m in (1, 2, 5)])), logs)
    levels = levels[:: max(1, -(-len(levels) // _MOST))]
    if not len(levels):
        return False
    drawn = axes.contour(x, y, logs, levels=levels, colors=colour, linewidths=_LEVEL["linewidth"], linestyles=_LEVEL["linestyle"])
    texts = {z: short(float(f"{10**z:.3g}")) for z in levels}
    axes.clabel(drawn, fmt=texts, fontsize=7, manual=_places(axes, drawn))
    return True


def _places(axes: Any, drawn: Any) -> list[Any]:
    """Where the value of each line is written: as far as can be from edges, borders, names and the values of other lines."""
    from scipy.spatial import cKDTree

    share = axes.transScale + axes.transLimits  # of the width and the height of the axes
    borders = [x for x in axes.collections if isinstance(x, type(drawn)) and x is not drawn and not x.filled]
    taken = [share.transform(path.vertices) for x in borders for path in x.get_paths() if len(path.vertices)]
    taken += [_room(share.transform(x.get_position()), len(x.get_text()), bool(x.get_rotation())) for x in axes.texts]
    places = []
    for path in drawn.get_paths():
        at = share.transform(path.vertices)
        free = np.minimum(at, 1 - at).min(axis=1, initial=1.0)
        if taken:
            free = np.minimum(free, cKDTree(np.concatenate(taken)).query(at)[0])
        if len(at) and free.max() > _LEAST:
            best = int(np.argmax(free))
            places.append(path.vertices[best])
            taken.append(_room(at[best], 4))
    return places


def half_size(letters: int, upright: bool = False) -> tuple[float, float]:
    """Half the width and half the height of a text, in shares of the axes."""
    size = letters / 2 * _LETTER[0], _LETTER[1]
    return size[::-1] if upright else size


def _room(centre: Array, letters: int, upright: bool = False) -> Array:
    """Points over the room that a text takes."""
    width, height = half_size(letters, upright)
    count = 2 * letters + 1
    across, up = np.meshgrid(
        np.linspace(-width, width, 3 if upright else count), np.linspace(-height, height, count if upright else 3)
    )
    return np.column_stack([centre[0] + across.ravel(), centre[1] + up.ravel()])


def _inside(levels: Array, logs: Any) -> Array:
    return np.asarray(levels[(levels > logs.min()) & (levels < logs.max())])


def level_handle(colour: str, label: str) -> Line2D:
    """What the lines of equal value are called in a legend."""
    return Line2D([], [], color=colour, label=label, **_LEVEL)
