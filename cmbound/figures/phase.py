"""A phase diagram: which of several statements is the smallest where, in a plane of two parameters (float64)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from cmbound.catalogue import theorem as find
from cmbound.errors import DomainError, InputError, UnknownNameError
from cmbound.figures.data import Array, FigureData
from cmbound.figures.mapping import Conversion
from cmbound.figures.ratios import check_count
from cmbound.figures.style import BLACK, REGIONS, in_paper_style, new_figure, scale_of, symbol, tidy
from cmbound.figures.terms import range_of
from cmbound.formulas import OPTIONS, accepts, optional, required
from cmbound.notation import TABLE
from cmbound.numbers import exact
from cmbound.presets import preset
from cmbound.records import Theorem

DEFAULT = ("explicit-multistep", "chen2025-multistep")
CONVERSIONS = {"chen2025-multistep": (("dtau", "h"), ("eps_ci", "eps_cm*dtau"), ("eps_ci", "eps_cm*h"))}
"""Used where nothing else is said: a parameter as an expression, if it is not given and everything in the expression is.

The consistency error of an interval is the error per unit of time, times the spacing, which is the largest step. (In
chen2025-multistep it is measured along exact trajectories, in the explicit statements from a teacher's step.)
"""
NONE = -1
"""The winner where no statement applies."""
MAX_POINTS = 10**6
BETWEEN = 4
"""Pieces in which a border is interpolated between two points."""


@dataclass(frozen=True, eq=False)
class PhaseData(FigureData):
    """Several statements in a plane of two parameters (float64).

    Attributes:
        x_name, y_name: the parameters.
        x, y: their values (m,) and (n,).
        values: by id of the statement, (n, m); nan where an assumption of the statement is violated.
        constant: C, as text, if an order form is among the statements (its value is then no bound).
    """

    x_name: str
    y_name: str
    x: Array
    y: Array
    values: Mapping[str, Array]
    constant: str | None

    @property
    def winner(self) -> npt.NDArray[np.int64]:
        """Number of the smallest statement at each point (n, m); ``NONE`` where none applies."""
        stack = np.stack([np.where(np.isnan(x), np.inf, x) for x in self.values.values()])
        return np.where(np.isinf(stack.min(axis=0)), NONE, np.argmin(stack, axis=0))

    @property
    def columns(self) -> Mapping[str, Sequence[Any] | Array]:
        """One row a point, x varying fastest: the two parameters, every statement, and the id of the smallest."""
        ids = list(self.values)
        x, y = np.meshgrid(self.x, self.y)
        smallest = ["" if i == NONE else ids[i] for i in self.winner.ravel()]
        return {
            self.x_name: x.ravel(),
            self.y_name: y.ravel(),
            **{id: v.ravel() for id, v in self.values.items()},
            "smallest": smallest,
        }


def phase_data(
    ids: Sequence[str],
    x: str,
    y: str,
    /,
    *,
    maps: Sequence[str] = (),
    progress: Callable[[int], None] | None = None,
    **params: Any,
) -> PhaseData:
    """Evaluate statements over a plane.

    Each statement takes what it knows of the parameters given. What it calls by another name, or measures in another unit,
    is converted by ``maps``: with ``chen2025-multistep.eps_cm=eps_cm*h`` its eps_cm is the product of the two given.

    Args:
        ids: two statements or more, about the same quantity.
        x, y: ``NAME=LOW:HIGH:log|linear:COUNT``.
        maps: ``STATEMENT.NAME=EXPRESSION``.
        progress: called with the number of points that were just done.
        params: numbers and options; a name no statement has must occur in ``maps``.

    Raises:
        CmboundError: a malformed argument; statements about different quantities; an order form without C; a statement that
            applies nowhere.
    """
    chosen = [find(id) for id in check_count(ids)]
    _check_comparable(chosen)
    conversions = [Conversion.parse(text) for text in maps]
    (x_name, xs), (y_name, ys) = (
        range_of(text) if text.partition("=")[0].strip() in TABLE else _free_range(text) for text in (x, y)
    )
    if x_name == y_name:
        raise InputError(f"both axes are {x_name}")
    if len(xs) * len(ys) > MAX_POINTS:
        raise DomainError(f"the plane has {len(xs) * len(ys)} points; at most {MAX_POINTS} are allowed")
    for name in (x_name, y_name):
        if name in params:
            raise InputError(f"{name} varies; leave it out of the parameters")
    plane = dict(zip((x_name, y_name), (z.ravel() for z in np.meshgrid(xs, ys)), strict=True))
    _check_names(chosen, conversions, [*plane, *params])
    shape = (len(ys), len(xs))
    values = {}
    for statement in chosen:
        own = _own(statement, conversions, plane, params)
        values[statement.id] = _anywhere(statement, own, shape[0] * shape[1]).reshape(shape)
        if progress is not None:
            progress(shape[0] * shape[1])
    order = any(x.kind == "order" for x in chosen)
    return PhaseData(x_name, y_name, xs, ys, values, str(params["C"]) if order else None)


def _check_comparable(chosen: Sequence[Theorem]) -> None:
    if len(chosen) < 2:
        raise InputError("a phase diagram needs two statements or more")
    metrics = {x.metric: x.id for x in chosen}
    if len(metrics) > 1:
        raise InputError("the statements bound different quantities: " + "; ".join(f"{id}: {m}" for m, id in metrics.items()))


def _free_range(text: str) -> tuple[str, Array]:
    """An axis that is no parameter of cmbound, used in a conversion only."""
    name, equals, values = text.partition("=")
    if not name.strip().isidentifier():
        raise InputError(f"{text!r} is not of the form NAME=LOW:HIGH:log|linear:COUNT")
    return name.strip(), range_of(f"h{equals}{values}")[1]


def _check_names(chosen: Sequence[Theorem], conversions: Sequence[Conversion], names: Sequence[str]) -> None:
    """Every name is understood by some statement or conversion, and every conversion belongs to a statement."""
    for x in conversions:
        if x.statement not in {s.id for s in chosen}:
            raise UnknownNameError("statement", x.statement, [s.id for s in chosen], hint=" in a conversion")
        statement = find(x.statement)
        if not accepts(statement, x.name):
            raise UnknownNameError("parameter", x.name, [*required(statement), *optional(statement)], hint=f" of {x.statement}")
    usual = [text for s in chosen for _, text in CONVERSIONS.get(s.id, ())]
    used = {name for x in conversions for name in x.names} | {name for text in usual for name in text.split("*")}
    for name in names:
        if name not in OPTIONS and name not in used and not any(accepts(s, name) for s in chosen):
            raise UnknownNameError("parameter", name, sorted({n for s in chosen for n in (*required(s), *optional(s))} | used))


def _own(
    statement: Theorem, conversions: Sequence[Conversion], plane: Mapping[str, Array], params: Mapping[str, Any]
) -> dict[str, Any]:
    """What one statement is evaluated with; arrays are those that vary over the plane."""
    given = {**params, **plane}
    own = {name: x for name, x in given.items() if accepts(statement, name) or name in OPTIONS}
    if not statement.uses_profile:
        own = {name: x for name, x in own.items() if name not in ("profile", "grid", "teacher")}
    if not statement.uses_start:
        own.pop("start", None)
    known = {**(preset(str(params["preset"])).parameters if params.get("preset") is not None else {}), **given}
    mine = {x.name: x for x in conversions if x.statement == statement.id}
    for name, text in CONVERSIONS.get(statement.id, ()):
        usual = Conversion.parse(f"{statement.id}.{name}={text}")
        if name not in known and usual.names <= known.keys():
            mine.setdefault(name, usual)
    for x in mine.values():
        for name in sorted(x.names - known.keys()):
            raise UnknownNameError("name", name, known, hint=f" in {x.text!r}")
        numbers = {n: known[n] if isinstance(known[n], np.ndarray) else float(exact(n, known[n])) for n in x.names}
        own[x.name] = x.value(numbers)
    return own


def _anywhere(statement: Theorem, own: Mapping[str, Any], size: int) -> Array:
    """The value at every point, nan where the statement does not apply.

    Raises:
        DomainError: it applies nowhere; of the reasons, that at the first point.
    """
    arrays = {name: x for name, x in own.items() if isinstance(x, np.ndarray)}
    fixed = {name: x for name, x in own.items() if name not in arrays}
    found = np.full(size, np.nan)
    failures: list[DomainError] = []

    def fill(start: int, stop: int) -> None:
        try:
            piece = {name: x[start:stop] for name, x in arrays.items()}
            found[start:stop] = statement.approximate(**fixed, **piece).total
        except DomainError as error:
            if stop - start == 1:
                failures.append(error)
                return
            middle = (start + stop) // 2
            fill(start, middle)
            fill(middle, stop)

    if not arrays:
        found[:] = statement.approximate(**fixed).total
    elif statement.kind == "order" and "C" not in own:
        statement.approximate(**fixed, **{name: x[:1] for name, x in arrays.items()})
    else:
        fill(0, size)
    if failures and np.isnan(found).all():
        raise failures[0]
    return found


@in_paper_style
def phase_figure(data: PhaseData, *, width: str = "column", title: str | None = None) -> Figure:
    """Draw the region in which each statement is the smallest, the borders, and levels of the smallest value.

    Args:
        data: what to draw.
        width: ``column`` or ``page``.
        title: above the legend.

    Raises:
        UnknownNameError: another width.
    """
    figure = new_figure(width, 2.9)
    axes = figure.subplots()
    axes.set_xscale(scale_of(data.x))
    axes.set_yscale(scale_of(data.y))
    colours = ["#FFFFFF", *(REGIONS[i % len(REGIONS)] for i in range(len(data.values)))]
    axes.pcolormesh(
        data.x,
        data.y,
        data.winner,
        cmap=ListedColormap(colours),
        vmin=-1.5,
        vmax=len(data.values) - 0.5,
        shading="nearest",
        rasterized=True,
    )
    axes.set_xlim(data.x[0], data.x[-1])
    axes.set_ylim(data.y[0], data.y[-1])
    _borders(axes, data)
    _levels(axes, data)
    axes.set_xlabel(symbol(data.x_name))
    axes.set_ylabel(symbol(data.y_name))
    tidy(axes.xaxis)
    tidy(axes.yaxis)
    handles = [Patch(facecolor=colours[i + 1], edgecolor=BLACK, label=_label(id, data)) for i, id in enumerate(data.values)]
    if np.any(data.winner == NONE):
        handles.append(Patch(facecolor="white", edgecolor=BLACK, label="none applies"))
    columns = 1 if width == "column" and len(handles) > 1 and max(len(str(x.get_label())) for x in handles) > 18 else 2
    figure.legend(handles=handles, loc="outside upper center", ncols=columns, title=title)
    return figure


def _label(id: str, data: PhaseData) -> str:
    return f"{id} ($C = {data.constant}$, no bound)" if find(id).kind == "order" else id


def _borders(axes: Any, data: PhaseData) -> None:
    """Where a statement equals the smallest of the others, interpolated between the points; dashed beside an order form."""
    if min(data.winner.shape) < 2:
        return
    x, y = (_finer_axis(z) for z in (data.x, data.y))
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = [_finer(_finer(np.log(np.where(np.isnan(z), np.inf, z))).T).T for z in data.values.values()]
    for i, own in enumerate(logs):
        others = np.min([z for j, z in enumerate(logs) if j != i], axis=0)
        with np.errstate(invalid="ignore"):
            gap = np.ma.masked_invalid(own - others)
        if not gap.count() or not gap.min() < 0 < gap.max():
            continue
        axes.contourf(x, y, gap, levels=[gap.min() - 1, 0.0], colors=[REGIONS[i % len(REGIONS)]])
        if i or len(logs) > 2:
            line = "dashed" if data.constant is not None else "solid"
            axes.contour(x, y, gap, levels=[0.0], colors=BLACK, linewidths=1.3, linestyles=line, zorder=2.5)


def _finer(values: Array) -> Array:
    """Linear interpolation along the first axis, with ``BETWEEN`` pieces between neighbours."""
    places = np.arange((len(values) - 1) * BETWEEN + 1) / BETWEEN
    low = np.minimum(places.astype(int), len(values) - 2)
    weight = (places - low).reshape(-1, *[1] * (values.ndim - 1))
    return np.asarray((1 - weight) * values[low] + weight * values[low + 1])


def _finer_axis(values: Array) -> Array:
    return np.exp(_finer(np.log(values))) if scale_of(values) == "log" else _finer(values)


def _levels(axes: Any, data: PhaseData) -> None:
    """Thin lines where the smallest value is a power of ten, with the power written on them."""
    with np.errstate(invalid="ignore", divide="ignore"):
        smallest = np.min([np.where(np.isnan(x), np.inf, x) for x in data.values.values()], axis=0)
        logs = np.ma.masked_invalid(np.log10(smallest))
    if min(logs.shape) < 2 or not logs.count():
        return
    levels = np.arange(np.ceil(logs.min()), np.floor(logs.max()) + 1)
    levels = levels[(levels > logs.min()) & (levels < logs.max())][:: max(1, len(levels) // 6)]
    if not len(levels):
        return
    drawn = axes.contour(data.x, data.y, logs, levels=levels, colors="#555555", linewidths=0.5, linestyles="dotted")
    axes.clabel(drawn, fmt={x: "1" if x == 0 else f"$10^{{{int(x)}}}$" for x in levels}, fontsize=7)
