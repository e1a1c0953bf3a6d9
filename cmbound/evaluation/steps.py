"""The steps of a grid, and sums over them: in float64 on arrays, in balls by one loop over the nodes for all sums at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import Any, NamedTuple, Protocol

from cmbound.arithmetic.backend import Balls
from cmbound.arithmetic.exact import Value
from cmbound.arithmetic.running import LARGEST, SQUARED, WEIGHTED, summed
from cmbound.errors import DomainError
from cmbound.evaluation.nodes import FLOATS, distinct, levels, nodes
from cmbound.evaluation.setting import Setting
from cmbound.later import np
from cmbound.theory.formulas import convert
from cmbound.theory.notation import L_f, M, a, b, ell, eps_cm, eps_sc, eps_sc_a, h
from cmbound.theory.variants import Clock, Teacher

_AT_ONCE = 1 << 14
"""Steps between two reports of progress."""


class Request(NamedTuple):
    """Something to be made of the values of an expression at the steps from one node to another.

    Attributes:
        kind: ``sum``, ``weighted``, ``squared`` or ``largest`` (:mod:`cmbound.arithmetic.running`).
        expr: in what a step has, and in parameters.
        start, stop: numbers of the nodes.
        key: tells apart requests in which parameters have other values than everywhere else; empty where they have not.
    """

    kind: str
    expr: Any
    start: int
    stop: int
    key: tuple[Any, ...] = ()


Part = tuple[str, Any, tuple[Any, ...]]
"""The kind, the expression and the key of a request."""
_TOGETHER = 1 << 12
"""Steps up to which what several expressions share is kept until all of them are computed."""


class Steps(Protocol):
    """The steps of a grid in one arithmetic, OU clock, from delta upwards."""

    nodes: Any

    def total(self, wanted: Request, values: Mapping[Any, Any]) -> Any:
        """What is asked for, with the parameters by symbol."""


_TOLD: ContextVar[Callable[[int], Any]] = ContextVar("told", default=lambda steps: None)


@contextmanager
def telling(told: Callable[[int], Any]) -> Iterator[None]:
    """Inside the block ``told`` is called with numbers of steps, as they have been added up in balls."""
    token = _TOLD.set(told)
    try:
        yield
    finally:
        _TOLD.reset(token)


def _increasing(rising: Iterable[bool]) -> None:
    if not all(rising):
        raise DomainError("the nodes of the grid do not increase at this precision: too many steps, or an extreme rho")


def _columns(setting: Setting) -> Iterator[tuple[Any, Any, Sequence[Value]]]:
    """Symbols of what is given for each step, the end of the step it is taken at, and its values."""
    assert setting.grid is not None
    lists, size = setting.lists, setting.grid.N
    if "L_f" in lists:
        yield L_f, a, (Fraction(1), *lists["L_f"][:-1])  # that at delta is known, and one at T enters no step
    if "eps_sc" in lists:
        yield eps_sc, b, lists["eps_sc"][-size:]
        yield eps_sc_a, a, lists["eps_sc"][:size]
    for symbol in (eps_cm, M):
        if symbol.name in lists:
            yield symbol, a, lists[symbol.name]
    if (measured := setting.measured) is not None:
        yield ell, a, measured.errors(setting.teacher.name, levels(setting))


_PLACES = {L_f: a, eps_sc: b, eps_sc_a: a, eps_cm: a}
"""What is converted from one clock into the other, and the end of a step at which it is taken."""


@lru_cache(maxsize=512)
def _at_step(expr: Any, clock: Clock) -> Any:
    """``expr`` in what is given, in the clock it is given in."""
    if clock.name == "ou":
        return expr
    return expr.xreplace({x: convert(x, clock, place, place) for x, place in _PLACES.items()})


@lru_cache(maxsize=64)
def _weight(teacher: Teacher, clock: Clock) -> Any:
    """What the local error of a step is multiplied with, in what is given."""
    return _at_step(L_f * teacher.weight, clock)


# --- float64 ----------------------------------------------------------------------------------------------------------


@dataclass
class FloatSteps:
    """Arrays.

    Attributes:
        planned: what will be asked for: it is computed with what is asked for first.
        nodes: t_0, ..., t_N.
        rows: beginnings, ends, sizes, and the constants at the steps, by symbol (a number where it is the same at all).
        weight: what the local error of each step is multiplied with.
    """

    setting: Setting
    fixed: Mapping[Any, Any]
    planned: tuple[Part, ...] = ()
    nodes: Any = field(init=False)
    rows: dict[Any, Any] = field(init=False)
    weight: Any = field(init=False)

    def __post_init__(self) -> None:
        clock, teacher = self.setting.clock, self.setting.teacher
        self.nodes = nodes(self.setting, FLOATS)
        rows = self.rows = {a: self.nodes[:-1], b: self.nodes[1:]}
        with np.errstate(invalid="ignore"):  # of nodes beyond the float64 range, which are refused in the next line
            rows[h] = rows[b] - rows[a]
        _increasing((bool((rows[h] > 0).all()),))
        given = {symbol: FLOATS.column(values) for symbol, _, values in _columns(self.setting)}
        scalars = {**self.fixed, **({eps_sc_a: self.fixed[eps_sc]} if eps_sc in self.fixed else {})}
        known = {x: (given if x in given else scalars)[x] for x in (*_PLACES, M, *given) if x in given or x in scalars}
        converted = tuple(convert(x, clock, _PLACES.get(x, a), _PLACES.get(x, a)) for x in known)
        if clock.name != "ou":
            known = dict(zip(known, FLOATS.values(converted, {**scalars, **rows, **known}), strict=True))
        rows |= known
        if clock.name == "ve" and "L_f" in self.setting.lists:
            rows[L_f] = FLOATS.joined([1.0, *rows[L_f][1:]])
        self.weight = np.broadcast_to(rows[L_f] * FLOATS.value(teacher.weight, {**self.fixed, **rows}), rows[h].shape)
        with np.errstate(over="ignore"):
            self._squared = self.weight * self.weight
        self._known: dict[Part, Any] = {}

    def each(self, parts: Sequence[Part], values: Mapping[Any, Any]) -> list[Any]:
        """The values of expressions at all steps, each in its kind of sum."""
        missing = [x for x in dict.fromkeys(parts) if x not in self._known]
        if missing:
            missing += [x for x in self.planned if x not in self._known and x not in missing]
        width = len(missing) if len(self.weight) <= _TOGETHER else 1
        for i in range(0, len(missing), max(1, width)):
            group = missing[i : i + width]
            found = FLOATS.values(tuple(expr for _, expr, _ in group), {**values, **self.rows})
            with np.errstate(over="ignore", invalid="ignore"):
                for part, column in zip(group, found, strict=True):
                    if getattr(column, "shape", ()) != self.weight.shape:
                        column = np.broadcast_to(column, self.weight.shape)
                    factor = {WEIGHTED: self.weight, SQUARED: self._squared}.get(part[0])
                    self._known[part] = column if factor is None else factor * column
        return [self._known[x] for x in parts]

    def total(self, wanted: Request, values: Mapping[Any, Any]) -> Any:
        column = self.each([(wanted.kind, wanted.expr, wanted.key)], values)[0][wanted.start : wanted.stop]
        return FLOATS.largest(column) if wanted.kind == LARGEST else FLOATS.total(column)


# --- balls ------------------------------------------------------------------------------------------------------------

BALLS = Balls()
Asked = tuple[Request, Mapping[Any, Any]]
"""A request with the parameters by symbol."""


@dataclass
class BallSteps:
    """Balls at the current precision.

    Attributes:
        planned: says what will be asked for: the first time something is, all of it is computed.
    """

    setting: Setting
    planned: Callable[[], Iterable[Asked]]
    nodes: Any = field(init=False)

    def __post_init__(self) -> None:
        assert self.setting.grid is not None
        self.nodes = nodes(self.setting, BALLS)
        _increasing(y > x for x, y in pairwise(self.nodes))
        self._columns = {symbol: BALLS.column(values) for symbol, _, values in _columns(self.setting)}
        self._size = {}
        if self.setting.grid.kind == "uniform":
            count = BALLS.number(Fraction(self.setting.grid.N))
            self._size = {h: (self.nodes[-1] - self.nodes[0]) / count}
        self._found: dict[Request, Any] = {}

    def total(self, wanted: Request, values: Mapping[Any, Any]) -> Any:
        if wanted not in self._found:
            groups: dict[Any, list[Asked]] = {}
            for asked in (*(() if self._found else self.planned()), (wanted, values)):
                groups.setdefault(asked[0].key, []).append(asked)
            for group in groups.values():
                self._compute(list(dict.fromkeys(x for x, _ in group)), group[0][1])
        return self._found[wanted]

    def _compute(self, requests: Sequence[Request], values: Mapping[Any, Any]) -> None:
        """Everything that is asked for with the same parameters."""
        asked: dict[tuple[str, Any], list[Request]] = {}
        for x in requests:
            asked.setdefault((x.kind, x.expr), []).append(x)
        marks = distinct([y for x in requests for y in (x.start, x.stop)])
        marks = distinct([*marks, *range(marks[0], marks[-1], _AT_ONCE)])
        needed = np.zeros((len(asked), len(marks)), dtype=int)
        for row, group in zip(needed, asked.values(), strict=True):
            np.add.at(row, np.searchsorted(marks, [x.start for x in group]), 1)
            np.add.at(row, np.searchsorted(marks, [x.stop for x in group]), -1)
        needed = np.cumsum(needed, axis=1) > 0
        parts = tuple(asked)
        found: dict[Any, list[Any]] = {x: [None] * (len(marks) - 1) for x in parts}
        for low, high in _runs(marks, needed):
            here = tuple(x for x, y in zip(parts, needed[:, low], strict=True) if y)
            for i, values_here in enumerate(self._loop(here, marks[low : high + 1].tolist(), values), low):
                for part, y in zip(here, values_here, strict=True):
                    found[part][i] = y
            _TOLD.get()(int(marks[high] - marks[low]))
        for part, group in asked.items():
            self._gather(part[0], group, marks, found[part])

    def _loop(self, parts: tuple[tuple[str, Any], ...], marks: list[int], values: Mapping[Any, Any]) -> list[tuple[Any, ...]]:
        """What is made of the parts between consecutive marks."""
        clock, (low, high) = self.setting.clock, (marks[0], marks[-1])
        if not parts:
            return []
        exprs = tuple((kind, _at_step(x, clock)) for kind, x in parts)
        weight = _weight(self.setting.teacher, clock)
        known = {x: y for x, y in values.items() if x != h}  # what is given may be the largest step
        known |= self._size | ({eps_sc_a: values[eps_sc]} if eps_sc in values else {})
        symbols = set[Any]().union(*(x.free_symbols for _, x in exprs), weight.free_symbols) - {a, b}
        columns = tuple(x for x in self._columns if x in symbols)
        scalars = tuple(sorted((x for x in symbols.difference(columns) if x in known), key=str))
        function = summed(exprs, weight, (a, b, h), columns, scalars)
        given = [self._columns[x][low:high] for x in columns]
        return function(self.nodes[low : high + 1], given, [known[x] for x in scalars], [x - low for x in marks])

    def _gather(self, kind: str, requests: Sequence[Request], marks: Any, found: Sequence[Any]) -> None:
        """What was asked for from what lies between the marks; all that begin at one node are one running sum."""
        starts: dict[int, list[Request]] = {}
        for x in requests:
            starts.setdefault(x.start, []).append(x)
        for start, group in starts.items():
            low, high = np.searchsorted(marks, (start, max(x.stop for x in group)))
            running = list(accumulate(found[low:high], lambda x, y: x.max(y) if kind == LARGEST else x + y))
            for x in group:
                self._found[x] = running[int(np.searchsorted(marks, x.stop)) - low - 1]


def _runs(marks: Any, needed: Any) -> Iterator[tuple[int, int]]:
    """Places of marks between which the same parts are needed, and not many more steps than are taken at once."""
    low = 0
    for i in range(1, len(marks)):
        last = i == len(marks) - 1
        if last or (needed[:, i] != needed[:, low]).any() or marks[i] - marks[low] >= _AT_ONCE:
            yield low, i
            low = i
