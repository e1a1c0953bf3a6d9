"""What all figures share: the style sheet, sizes, colours that also work in black and white, labels, and saving."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from io import BytesIO
from pathlib import Path
from typing import Any, ParamSpec

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from cmbound.checks import checked_name
from cmbound.errors import InputError
from cmbound.files import write_files
from cmbound.frozen import FrozenDict
from cmbound.reports.words import symbol
from cmbound.theory.notation import typeset
from cmbound.theory.records import Theorem
from cmbound.threads import LOCK

SHEET = Path(__file__).with_name("paper.mplstyle")
WIDTHS = FrozenDict({"column": 3.25, "page": 6.5})
"""Inches: one column, and the width of the text, of a paper with two columns."""
SUFFIXES = (".png", ".pdf", ".svg")

BLACK, GREY = "#000000", "#777777"
BLUE, VERMILLION, GREEN, PINK, ORANGE, SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
COLOURS = (BLUE, VERMILLION, GREEN, PINK, ORANGE, SKY)
"""The palette of Okabe and Ito, in the order of the style sheet (yellow is too light for a line)."""
DASHES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 2.5)))
ORDER_DASHES = (0, (2, 1.2))  # unlike any line of a bound
MARKERS = ("o", "s", "^", "D", "v", "P")
HATCHES = ("", "////", "....", "\\\\\\\\", "xxxx", "++++")
TINTS = ("#7FB8D8", "#EAAE7F", "#7FCEB9", "#E6BCD3", "#F2CF7F", "#AAD9F4")
"""The palette half as strong: the fill of what is a line of the full colour elsewhere."""
REGIONS = ("#7FB8D8", "#F7F1A0", "#E5E5E5", "#E6BCD3", "#7FCEB9", "#EAAE7F")
"""Fills of regions, light enough for black lines and text on them."""
YARDSTICK = FrozenDict({"color": GREY, "linewidth": 0.7, "linestyle": (0, (6, 3))})
TERMS = ("initialisation", "discretisation", "score", "consistency", "early_stopping", "smoothing")
"""Terms that keep their look in every figure."""
_COUNTED = FrozenDict({"N": "number of steps", "k": "number of evaluations"})


Arguments = ParamSpec("Arguments")


@contextmanager
def paper_style() -> Iterator[None]:
    """The style sheet while the block runs, whatever the user's own settings are."""
    with LOCK, matplotlib.rc_context(fname=SHEET):
        yield


def make_ticks(figure: Figure) -> None:
    """Make the first tick of each kind, which Matplotlib leaves out until a figure is drawn; the others are made like it."""
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            axis.get_major_ticks(1)
            axis.get_minor_ticks(1)


def in_paper_style(draw: Callable[Arguments, Figure]) -> Callable[Arguments, Figure]:
    """Decorator of a function that makes a figure: all of it, ticks included, is made in the style of the sheet."""

    @wraps(draw)
    def styled(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Figure:
        with paper_style():
            figure = draw(*args, **kwargs)
            make_ticks(figure)
        return figure

    return styled


def new_figure(width: str, height: float, columns: int = 1, rows: int = 1) -> tuple[Figure, list[Any]]:
    """An empty figure as wide as a ``column`` or a ``page`` (else UnknownNameError), and its panels."""
    figure = Figure(figsize=(WIDTHS[checked_name("width", width, WIDTHS)], height), layout="constrained")
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


def check_suffix(path: str | Path) -> str:
    """The kind of figure a file name asks for; InputError if it is not .png, .pdf or .svg."""
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"{path}: the name of a figure must end in {', '.join(SUFFIXES)}")
    return suffix[1:]


def save_figure(figure: Figure, path: str | Path) -> None:
    """Write a figure; the name's ending decides the kind; no date is written, so that the same figure is the same file.

    Raises:
        InputError: another ending, or the file cannot be written.
    """
    write_files([(path, rendered(figure, check_suffix(path)))])


def rendered(figure: Figure, kind: str) -> bytes:
    """The file of a figure, of kind ``png``, ``pdf`` or ``svg``."""
    undated: dict[str, Any] = {"png": {}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}[kind]
    with paper_style(), BytesIO() as buffer:
        figure.savefig(buffer, format=kind, dpi=300, metadata=undated)
        return buffer.getvalue()


def look(number: int) -> dict[str, Any]:
    """Colour and dashes of line number 0, 1, ..."""
    return {"color": COLOURS[number % len(COLOURS)], "linestyle": DASHES[number % len(DASHES)]}


def dashes(theorem: Theorem, number: int) -> Any:
    """The dashes of a statement: short ones for an order form, which is no bound."""
    return ORDER_DASHES if theorem.kind == "order" else DASHES[number % len(DASHES)]


def filled(number: int) -> dict[str, Any]:
    """The look of an area that stands for line number 0, 1, ...: its colour, and a hatch for black and white."""
    i = number % len(COLOURS)
    return {"facecolor": TINTS[i], "hatch": HATCHES[i], "edgecolor": COLOURS[i], "linewidth": 0.4}


def nested(number: int) -> dict[str, Any]:
    """Size and place of the marks of line number 0, 1, ...: later ones are smaller and above, so that none hides another."""
    return {"markersize": 5.9 - min(number, 3), "zorder": 2 + number / 10}


def variable(name: str) -> str:
    """The label of an axis along a parameter; a count says of what, since N and k are letters of much else."""
    sign = symbol(name).latex()
    return f"{_COUNTED[name]} {sign}" if name in _COUNTED else sign


def term_numbers(names: Sequence[str]) -> dict[str, int]:
    """The number of the look of each term: a known term always has the same; others take what is free, in order."""
    free = [i for i, name in enumerate(TERMS) if name not in names] + list(range(len(TERMS)))
    return {name: TERMS.index(name) if name in TERMS else free.pop(0) for name in names}


def law(to: str | None) -> str:
    """LaTeX of the law a distance is to."""
    return typeset(to or "p_data")


def quantity(theorem: Theorem, to: str | None = None) -> str:
    """What a statement bounds, in the paper's notation."""
    return f"${theorem.quantity_latex.replace('@', law(to))}$"


def bounded(theorem: Theorem, to: str | None = None, constant: str | None = None) -> str:
    """The label of an axis that shows a statement's value; that of an order form says that it is not a bound."""
    if theorem.kind == "order":
        return "order form" + (f" at $C = {constant}$" if constant else "") + ", no bound"
    return f"bound on {quantity(theorem, to)}"


def yardstick(theorem: Theorem) -> str:
    """What the trivial value of a statement's quantity is achieved by."""
    return "any law" if theorem.metric == "TV" else "best constant"


def called(theorem: Theorem) -> str:
    """A statement in a legend; an order form carries the value of its constant at which it is shown."""
    return f"{theorem.id} ($C = 1$, no bound)" if theorem.kind == "order" else theorem.id


def compared(theorem: Theorem) -> dict[str, Any]:
    """The look of the total of a statement: dashed where it is no bound."""
    return {"color": BLACK, "label": "total", **({"linestyle": "--"} if theorem.kind == "order" else {})}


def scale_of(values: Any) -> str:
    """Logarithmic where positive values spread over more than a decade."""
    finite = np.asarray(values, dtype=np.float64)
    finite = finite[np.isfinite(finite)]
    return "log" if len(finite) and finite.min() > 0 and finite.max() / finite.min() > 10 else "linear"


def axis_scale(values: Any) -> str:
    """The scale of an axis with these values: logarithmic also where they grow by a factor more evenly than by a difference."""
    numbers = np.asarray(values, dtype=np.float64)
    if len(numbers) < 3 or not numbers[0] > 0 or not (np.diff(numbers) > 0).all():
        return scale_of(numbers)
    spread = [float(np.std(x) / np.mean(x)) for x in (np.diff(np.log(numbers)), np.diff(numbers))]
    return "log" if spread[0] < spread[1] else scale_of(numbers)


def tidy(axis: Any) -> None:
    """Few and short labels on a logarithmic axis whose limits are set: powers of ten, or 1, 2, 5 where those are too few."""
    low, high = sorted(axis.get_view_interval())
    if axis.get_scale() != "log" or low <= 0:
        return
    axis.set_minor_formatter(NullFormatter())
    if high / low >= 100:
        if high / low > 1e6:
            axis.set_minor_locator(NullLocator())
        return
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda x, _: short(x)))


def short(x: float) -> str:
    """A number of one or two digits, in plain notation from 0.001 to 5000."""
    if 1e-3 <= x < 1e4:
        return f"{x:g}"
    mantissa, exponent = f"{x:.0e}".split("e")
    power = f"10^{{{int(exponent)}}}"
    return f"${power}$" if mantissa == "1" else rf"${mantissa} \times {power}$"


def label(axes: Any, x: str, y: str) -> None:
    """Name both axes, whose limits are set, and tidy them."""
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    tidy(axes.xaxis)
    tidy(axes.yaxis)


def fit_scale(axes: Any) -> None:
    """The vertical scale that suits the lines drawn."""
    axes.set_yscale(scale_of(np.concatenate([line.get_ydata() for line in axes.lines])))


def level(axes: Any, height: float, label: str | None = None) -> None:
    """A yardstick: a thin line across."""
    axes.axhline(height, label=label, zorder=1, **YARDSTICK)


def legend(figure: Figure, axes: Any, title: str | None, columns: int) -> None:
    """The legend of some axes above all axes, where nothing is drawn, under the title."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=columns, title=title)


def legend_above(axes: Any, columns: int, marks: float = 1.0) -> None:
    """The legend of some axes above them, its marks larger by a factor."""
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=columns, handlelength=1.6, markerscale=marks)
