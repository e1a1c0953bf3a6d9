"""Which statement gives the smallest bound where, over one or two parameters, and the borders between them (float64)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from cmbound.catalogue import PAIR
from cmbound.comparison.asked import Given, checked, distinct
from cmbound.comparison.compare import NOT_ERRORS
from cmbound.comparison.readings import DERIVED, denied
from cmbound.comparison.records import column, target_of
from cmbound.errors import CmboundError, DomainError, InputError, UnknownNameError
from cmbound.evaluation.statement import Statement
from cmbound.evaluation.sweeps import axis
from cmbound.files import csv_text
from cmbound.frozen import Record
from cmbound.numbers import counted, exact, rounded
from cmbound.reports.cells import Cell, number
from cmbound.reports.report import Body, Report, Result
from cmbound.reports.table import Table
from cmbound.reports.words import joined, named, symbol
from cmbound.theory.formulas import accepts
from cmbound.theory.notation import TABLE
from cmbound.theory.records import Theorem
from cmbound.threads import alone

Array = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Evaluate = Callable[[Mapping[str, Array]], Array]
Best = Callable[[Mapping[str, Array]], Whole]

NONE = -1  # no statement applies at this point
MAX_POINTS = 10**6  # a plane of a thousand squared; a page shows no more
TOLERANCE = 1e-9  # of a border, as a share of its place
_SHOWN = 30  # borders that are printed: a terminal and a page hold no more


@dataclass(frozen=True)
class Border:
    """A point where the best statement changes, on a line along one axis.

    Attributes:
        x, y: the point (``y`` is 0 where there is one axis).
        along: name of the parameter that moves across the border.
        below: id of the best statement before it (empty: none applies).
        above: id of the best one behind it.
    """

    x: float
    y: float
    along: str
    below: str
    above: str


@dataclass(frozen=True, eq=False, repr=False)
class Phase(Result, Record):
    """Winners over one or two parameters.

    Attributes:
        x_name: the first parameter.
        y_name: the second (empty where there is one).
        x: its values (nx,).
        y: its values (ny,), or (0,) where there is none.
        names: ids of the statements.
        values: by id (ny, nx), nan where a statement does not apply.
        winners: number of the best statement in ``names`` (ny, nx), -1 where none applies.
        borders: where the winner changes, refined to a relative 1e-9 along each line of the grid of values.
        column: the metric, and the law the distance is to.
        constant: C as text, where an order form is among the statements.
        notes: what a reader must be told.
        order_forms: ids of the order forms among the statements.
    """

    x_name: str
    y_name: str
    x: Array
    y: Array
    names: tuple[str, ...]
    values: Mapping[str, Array]
    winners: Whole
    borders: tuple[Border, ...]
    column: str
    constant: str | None = None
    notes: tuple[str, ...] = ()
    order_forms: tuple[str, ...] = ()

    def __repr__(self) -> str:
        axes = f"({self.x_name}, {self.y_name})" if self.y_name else self.x_name
        return f"<Phase of {', '.join(self.names)} over {axes}: {len(self.borders)} border points>"

    def shares(self) -> dict[str, float]:
        """The share of the points that each statement wins."""
        return {name: float(np.mean(self.winners == i)) for i, name in enumerate(self.names)}

    @property
    def columns(self) -> dict[str, Any]:
        """One row a point, x varying fastest: the parameters, every value and the id of the winner (empty for none)."""
        x, y = np.meshgrid(self.x, self.y)
        axes = {self.x_name: x.ravel()} | ({self.y_name: y.ravel()} if self.y_name else {})
        values = {name: self.values[name].ravel() for name in self.names}
        names = (*self.names, "")  # none has number -1, the last one
        return {**axes, **values, "winner": [names[i] for i in self.winners.ravel()]}

    def csv(self) -> str:
        """The columns with a header line; nothing where a number does not exist."""
        return csv_text([self.columns, *zip(*self.columns.values(), strict=True)])

    def to_dict(self) -> dict[str, Any]:
        return {
            **{name: getattr(self, name) for name in ("x_name", "y_name", "constant")},
            "x": self.x.tolist(),
            "y": self.y.tolist(),
            "about": self.column,
            "names": list(self.names),
            "values": {name: [[None if np.isnan(z) else float(z) for z in row] for row in x] for name, x in self.values.items()},
            "winners": self.winners.tolist(),
            "borders": [asdict(x) for x in self.borders],
            "shares": self.shares(),
            "notes": list(self.notes),
        }

    def report(self) -> Report:
        """How much each statement wins, and the borders; CSV holds every point."""
        axes = joined(map(symbol, filter(None, (self.x_name, self.y_name))), " and ")
        smallest = named(f"{self.column}: the smallest of {', '.join(self.names)} over ")
        title = joined((smallest, axes, Cell(f" (float64, {counted(self.winners.size, 'point')})")), "")
        granted = () if self.constant is None else (f"order forms at C = {self.constant} are among them, which are no bounds",)
        notes = (*granted, *self.notes)
        more = f"({len(self.borders) - _SHOWN} more; --format json has them all)" if len(self.borders) > _SHOWN else ""
        wins = {name: f"{100 * x:.1f}" for name, x in self.shares().items()}
        if np.any(self.winners == NONE):
            wins["none applies"] = f"{100 * np.mean(self.winners == NONE):.1f}"
        page, document, borders = Body(), Body(), self._borders()
        page.line(title)
        for note in notes:
            page.line(f"note: {note}")
        for name, share in wins.items():
            page.line(f"{name}{' wins' if name in self.names else ''} at {share}% of the points", 2)
        page.line()
        page.line("borders, refined by bisection" if self.borders else "no border: the winner does not change")
        rows = tuple((Cell(name), number(share)) for name, share in wins.items())
        said = (title, *map(named, notes))
        document.table(Table(("smallest", "share (%)"), rows, "lr", size="footnotesize", tight=True, notes=said))
        if self.borders:
            page.table(borders)
            document.line()
            document.table(replace(borders, size="footnotesize", tight=True, notes=(Cell(more),) if more else ()))
        if more:
            page.line(more, 2)
        return Report(title.string(), page, self.to_dict, self, document)

    def _borders(self) -> Table:
        """Where the winner changes, as far as a page holds it."""
        names = tuple(filter(None, (self.x_name, self.y_name)))
        heads = (*map(symbol, names), *map(Cell, ("along", "best below", "best above")))
        rows = []
        for x in self.borders[:_SHOWN]:
            place = (number(rounded(z, 8, "nearest")) for z in (x.x, x.y)[: len(names)])
            rows.append((*place, symbol(x.along), *(Cell(z or "none applies") for z in (x.below, x.above))))
        return Table(tuple(x.string() for x in heads), tuple(rows), "r" * len(names) + "lll", heads=heads)


@alone
def phase(
    statements: Sequence[str | Theorem] | None,
    x: Mapping[str, Any],
    y: Mapping[str, Any] | None = None,
    *,
    assume: Sequence[str] | None = None,
    **params: Any,
) -> Phase:
    """Evaluate statements over one or two parameters and find where the best one changes.

    Args:
        statements: ids, or statements of one's own, about one quantity; None for those of :data:`cmbound.catalogue.PAIR`.
        x: the first parameter and its increasing values: a sequence, or text ``LOW:HIGH:log|linear:COUNT``.
        y: the second, likewise.
        assume: readings of an assumption that are granted, as in :func:`cmbound.compare`; None grants all that the statements
            need, which ``notes`` then says.
        params: the other numbers and options.

    Raises:
        InputError: statements about different quantities, unconfirmed ones, a name given twice or known to none of them.
        DomainError: an order form without C, or a statement that applies nowhere.

    >>> import cmbound
    >>> pair = ["explicit-one-step", "explicit-multistep"]
    >>> found = cmbound.phase(pair, {"L_f": "1:10:log:5"}, preset="gaussian-2d", k=2, t_hat=1)
    >>> found.names
    ('explicit-one-step', 'explicit-multistep')
    """
    chosen = distinct(statements or PAIR)
    axes = _axes(x, y)
    for name in axes:
        if params.get(name) is not None:
            raise InputError(f"{name} varies; leave it out of the parameters")
    numbers, options, _ = checked(params, chosen, {name: z[0] for name, z in axes.items()})
    where = _checked(chosen, options, numbers)
    for name in axes:
        if not any(accepts(z, name) or any(accepts(z, a) and name in b for a, b in DERIVED.items()) for z in chosen):
            raise InputError(f"{name} varies, but {', '.join(z.id for z in chosen)} do not depend on it")
    functions = {z.id: _Plane(z, numbers, options, axes) for z in chosen}
    notes = tuple(note for f in functions.values() for note in f.notes(assume))
    grid = np.meshgrid(*axes.values())
    points = dict(zip(axes, (z.ravel() for z in grid), strict=True))
    values = {name: f(points).reshape(grid[0].shape if y is not None else (1, -1)) for name, f in functions.items()}
    winners = winner_of(values.values())
    (x_name, y_name), (xs, ys) = (*axes, "")[:2], (*axes.values(), np.zeros(1))[:2]
    borders = _all_borders(functions, (x_name, y_name), (xs, ys), winners)
    order_forms = tuple(z.id for z in chosen if z.kind == "order")
    constant = str(params["C"]) if order_forms else None
    return Phase(x_name, y_name, xs, ys, tuple(values), values, winners, borders, where, constant, notes, order_forms)


def winner_of(values: Iterable[Array]) -> Whole:
    """Number of the smallest array at each place, the first where several are equal; -1 where all are nan."""
    stack = np.stack([np.where(np.isnan(x), np.inf, x) for x in values])
    return np.where(np.isinf(stack.min(axis=0)), NONE, np.argmin(stack, axis=0))


# --- what is asked ----------------------------------------------------------------------------------------------------


def _axes(*given: Mapping[str, Any] | None) -> dict[str, Array]:
    axes = [_axis(one) for one in given if one is not None]
    if len(axes) > len(dict(axes)):
        raise InputError(f"both axes are {axes[0][0]}")
    size = prod(len(values) for _, values in axes)
    if size > MAX_POINTS:
        raise DomainError(f"the plane has {counted(size, 'point')}; at most {MAX_POINTS} are allowed")
    return dict(axes)


def _axis(one: Mapping[str, Any]) -> tuple[str, Array]:
    if len(one) != 1:
        raise InputError(f"an axis is one parameter with its values, got {len(one)}")
    ((name, given),) = one.items()
    if name not in TABLE:
        raise UnknownNameError("parameter", name, TABLE)
    values = axis(name, given) if isinstance(given, str) else np.array([float(exact(name, x)) for x in given])
    if values is None:
        raise InputError(f"{name} is {given!r}; an axis is LOW:HIGH:log:COUNT, LOW:HIGH:linear:COUNT or a list")
    if len(values) < 2 or np.any(np.diff(values) <= 0):
        raise InputError(f"the values of {name} must increase, and be two or more")
    return name, values


def _checked(chosen: Sequence[Theorem], options: Mapping[str, Any], numbers: Mapping[str, Any]) -> str:
    """The one column the statements are compared in."""
    if len({x.id for x in chosen}) < 2:
        raise InputError("a phase diagram needs two statements or more")
    for x in chosen:
        if not x.confirmed:
            raise InputError(f"{x.id} is not confirmed: it never wins a comparison")
        if not x.evaluable:
            raise InputError(f"{x.id} has no formula to evaluate")
        if x.kind == "order" and "C" not in numbers:
            raise DomainError(f"{x.id} is an order-form statement with an unspecified constant: give C to compare it")
        if x.metric in NOT_ERRORS:
            raise InputError(f"{x.id} bounds a {x.metric}: smaller is not better")
    where = {x.id: column(x.metric, target_of(x, options)) for x in chosen}
    if len(set(where.values())) > 1:
        raise InputError("the statements bound different quantities: " + "; ".join(f"{a}: {b}" for a, b in where.items()))
    return next(iter(where.values()))


class _Plane:
    """One statement as a function of the parameters that vary."""

    def __init__(
        self, theorem: Statement, numbers: Mapping[str, Any], options: Mapping[str, Any], axes: Mapping[str, Array]
    ) -> None:
        given = Given({**numbers, **{name: float(x[0]) for name, x in axes.items()}}, options)
        known = {**given.law, **given.numbers}
        self.theorem, self.options, self.derived = theorem, options, given.derived(theorem)
        self.rates = {name: DERIVED[name] for name in self.derived if name in DERIVED}
        self.spacing = float(exact("dtau", self.derived["dtau"])) if self.rates else 0.0
        self.fixed = {name: x for name, x in given(theorem).items() if name not in axes}
        self.known = {name: float(exact(rate, known[rate])) for name, (rate, _) in self.rates.items()}
        self.anywhere = False

    def notes(self, assume: Sequence[str] | None) -> list[str]:
        """What is taken as granted, and what follows from other numbers; raises InputError for what is not granted."""
        refused = denied(self.theorem, self.options, self.derived, assume or ())
        if refused and assume is not None:
            raise InputError(f"{self.theorem.id}: {refused}")
        found = [f"taken as granted: {refused.split(': ', 1)[1].split(' (--assume')[0]}"] if refused else []
        found += [", ".join(f"{a} = {b} {c}" for a, (b, c) in DERIVED.items())] if self.derived else []
        return [f"{self.theorem.id}: {text}" for text in found]

    def __call__(self, points: Mapping[str, Array]) -> Array:
        """Values at points (n,), nan where the statement does not apply."""
        moving = {name: x for name, x in points.items() if accepts(self.theorem, name)}
        size = len(next(iter(points.values())))
        for name, (rate, step) in self.rates.items():
            width = points.get(step, np.full(size, self.spacing))
            moving[name] = points.get(rate, np.full(size, self.known[name])) * width
        fixed = {name: x for name, x in self.fixed.items() if name not in self.rates}
        if not moving:
            return np.full(size, self.theorem.approximate(**fixed).total)
        found = np.full(size, np.nan)
        failures: list[CmboundError] = []
        single = bool(set(self.theorem.free) - set(fixed) - set(moving))  # the best value is chosen at one point at a time
        many = 1 if single else size

        def fill(a: int, b: int) -> None:
            """Evaluate the points a..b-1, halving where one of them lies outside."""
            at = {name: float(x[a]) if single else x[a:b] for name, x in moving.items()}
            try:
                found[a:b] = self.theorem.approximate(**fixed, **at).total
            except DomainError as error:
                if b - a == 1:
                    failures.append(error)
                    return
                fill(a, (a + b) // 2)
                fill((a + b) // 2, b)

        for start in range(0, size, many):
            fill(start, start + many)
        if failures and np.isnan(found).all() and not self.anywhere:
            raise failures[0]
        self.anywhere = True
        return found


# --- borders ----------------------------------------------------------------------------------------------------------


def _all_borders(
    functions: Mapping[str, Evaluate], axes: tuple[str, str], values: tuple[Array, Array], winners: Whole
) -> tuple[Border, ...]:
    def best(points: Mapping[str, Array]) -> Whole:
        return winner_of([f(points) for f in functions.values()])

    found, names = [], (*functions, "")  # none has number -1, the last one
    for along, across, table in ((0, 1, winners), (1, 0, winners.T)):
        if not axes[along] or len(values[along]) < 2:
            continue
        rows, places = np.nonzero(table[:, 1:] != table[:, :-1])
        line, other = values[along], values[across][rows]
        ends = line[places], line[places + 1], table[rows, places], table[rows, places + 1]
        for place, side, below, above in _refined(best, axes[along], axes[across], other, *ends):
            x, y = (place, side) if along == 0 else (side, place)
            found.append(Border(x, y, axes[along], names[below], names[above]))
    return tuple(found)


def _refined(
    best: Best, name: str, other_name: str, other: Array, low: Array, high: Array, first: Whole, last: Whole
) -> list[tuple[float, float, int, int]]:
    """Every border between neighbouring values, by bisection on all of them at once: place, side, winner below, winner above."""
    integer = TABLE[name].domain.integer
    found: list[tuple[float, float, int, int]] = []
    while len(low):
        a, b, above = low.copy(), high.copy(), last.copy()
        for _ in range(200):
            middle = np.rint((a + b) / 2) if integer else np.where(a > 0, np.sqrt(np.abs(a * b)), (a + b) / 2)
            wide = (b - a > (1 if integer else TOLERANCE * np.abs(b))) & (a < middle) & (middle < b)
            if not wide.any():
                break
            here = best({name: middle[wide]} | ({other_name: other[wide]} if other_name else {}))
            same, where = here == first[wide], np.flatnonzero(wide)
            a[where[same]] = middle[wide][same]
            b[where[~same]] = middle[wide][~same]
            above[where[~same]] = here[~same]
        found += [(float(p), float(q), int(i), int(j)) for p, q, i, j in zip(b, other, first, above, strict=True)]
        more = above != last  # a third statement wins in between
        low, high, other, first, last = b[more], high[more], other[more], above[more], last[more]
    return found
