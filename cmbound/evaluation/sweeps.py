"""A statement over the full product of parameter ranges, in float64, chunk by chunk."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from cmbound.checks import first_refused, shown
from cmbound.errors import DomainError, InputError
from cmbound.evaluation.notes import unused_note
from cmbound.evaluation.records import Approximation
from cmbound.evaluation.setting import resolve
from cmbound.evaluation.statement import theorem as find
from cmbound.evaluation.unused import unused
from cmbound.frozen import Record
from cmbound.later import Array, np
from cmbound.numbers import exact
from cmbound.parallel import mapped
from cmbound.theory.formulas import OPTIONS, accepts, unknown_parameter
from cmbound.theory.notation import TABLE
from cmbound.theory.records import Theorem

CHUNK = 5000
"""Points evaluated at once: some seconds of work."""
MAX_POINTS = 10**10  # days of work
MAX_AXIS = 10**7  # an axis is held in memory
_RANGE = re.compile(r"([^:]+):([^:]+):(log|linear):([0-9]+)")


@dataclass(frozen=True, eq=False)
class Sweep(Record):
    """What is swept: the statement, the axes in order, and everything that stays fixed.

    Attributes:
        theorem: the statement; its id becomes the statement.
        axes: name and values (n,) of every parameter that varies; the last varies fastest.
        fixed: the other parameters and the options.
    """

    theorem: Any
    axes: Mapping[str, Array]
    fixed: Mapping[str, Any]

    def __post_init__(self) -> None:
        super().__post_init__()
        statement = find(self.theorem)
        object.__setattr__(self, "theorem", statement)
        for name in (*self.axes, *self.fixed):
            if name not in OPTIONS and not accepts(statement, name):
                raise unknown_parameter(statement, name)
        for name, values in self.axes.items():
            if name in self.fixed:
                raise InputError(f"{name} varies and is fixed at {self.fixed[name]!r}: give it once")
            if getattr(values, "ndim", 0) != 1 or not len(values):
                raise InputError(f"{name} must be an array of one dimension that is not empty, got {shown(values)}")
        if not self.axes:
            raise InputError("nothing varies: give a parameter as a list (2,8,32) or a range (1e-4:1e-1:log:50)")
        if len(self) > MAX_POINTS:
            raise DomainError(f"the sweep has {len(self)} points; at most {MAX_POINTS} are allowed")

    @property
    def unused(self) -> tuple[tuple[str, str], ...]:
        """The names that were given and that nothing depends on, with the reason (all profiles to choose from count)."""
        first = {name: float(x[0]) for name, x in self.axes.items()}
        widths = {bool(x > 0): float(x) for x in self.axes.get("tau", ())}  # profiles are for tau = 0 or for tau > 0
        points = [{**first, "tau": x} for x in widths.values()] or [first]
        found = [unused(resolve(self.theorem, {**self.fixed, **point}), varied=self.axes) for point in points]
        return tuple(x for x in found[0] if all(x[0] in dict(others) for others in found))

    @property
    def notes(self) -> list[str]:
        """What a reader must be told besides the numbers."""
        found = self.unused
        return [unused_note(found)] if found else []

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of values on each axis."""
        return tuple(len(x) for x in self.axes.values())

    def __len__(self) -> int:
        return int(np.prod(self.shape, dtype=object))

    def columns(self, start: int, stop: int) -> dict[str, Array]:
        """The parameters that vary, at the points number ``start`` to ``stop`` - 1."""
        places = np.unravel_index(np.arange(start, stop), self.shape)
        return {name: x[i] for (name, x), i in zip(self.axes.items(), places, strict=True)}


@dataclass(frozen=True, eq=False)
class Chunk(Record):
    """Some points of a sweep: columns of one length by name, and the name of the dominating term at each point."""

    parameters: Mapping[str, Array]
    terms: Mapping[str, Array]
    total: Array

    @property
    def columns(self) -> dict[str, Array]:
        """All columns by name."""
        return {**self.parameters, **self.terms, "total": self.total}

    @property
    def dominating(self) -> list[str]:
        """Name of the largest term at each point."""
        names = list(self.terms)
        return [names[i] for i in np.argmax(np.stack(list(self.terms.values())), axis=0)]


def axis(name: str, text: str) -> Array | None:
    """The values of ``1,2,3`` or ``low:high:log|linear:count``; None for a single value.

    Raises:
        InputError: not of either form. DomainError: a logarithmic range that does not lie above 0, or too many values.
    """
    if ":" in text:
        found = _RANGE.fullmatch(text.strip())
        if found is None:
            raise InputError(f"{name} is {text!r}; a range is LOW:HIGH:log:COUNT or LOW:HIGH:linear:COUNT")
        low, high = (float(exact(name, x)) for x in found.group(1, 2))
        count = int(found[4])
        if not 2 <= count <= MAX_AXIS:
            raise DomainError(f"{name} has a range of {count} values; 2 to {MAX_AXIS} are allowed")
        if found[3] == "log" and not low > 0:
            raise DomainError(f"{name} has a logarithmic range from {found[1]}; it must begin above 0")
        if not low < high:
            raise DomainError(f"{name} has a range from {found[1]} to {found[2]}; it must increase")
        values = np.geomspace(low, high, count) if found[3] == "log" else np.linspace(low, high, count)
        return np.unique(np.rint(values)) if TABLE[name].domain.integer else values
    if "," in text:
        return np.array([float(exact(name, x)) for x in text.split(",")])
    return None


def sweep(id: str | Theorem, **params: Any) -> Sweep:
    """A sweep over everything in ``params`` that is a range, a comma-separated list or an array.

    Args:
        id: the statement, or its id.
        params: as for :meth:`Theorem.approximate`; text may be a range ``1e-4:1e-1:log:50``, a list ``2,8,32`` or
            a number; a sequence or array (n,) of numbers is an axis too.

    Raises:
        CmboundError: something not understood, or more than 10^10 points.

    >>> import cmbound
    >>> what = cmbound.sweep("explicit-one-step", preset="gaussian-2d", h="1e-4:1e-2:log:3")
    >>> what.shape
    (3,)
    """
    axes: dict[str, Array] = {}
    fixed: dict[str, Any] = {}
    for name, value in params.items():
        values: Array | None = None
        if name in TABLE and isinstance(value, str):
            values = axis(name, value)
        elif name in TABLE and (isinstance(value, Sequence) or getattr(value, "ndim", 0) == 1):
            values = np.array([float(exact(name, x)) for x in value])
        if values is None:
            fixed[name] = value
        elif not len(values):
            raise InputError(f"{name} has no values")
        else:
            axes[name] = values
    return Sweep(id, axes, fixed)


def _approximated(what: Sweep, start: int, stop: int) -> Approximation:
    found: Approximation = what.theorem.approximate(**{**what.fixed, **what.columns(start, stop)})
    return found


def _evaluated(what: Sweep, start: int, stop: int) -> Chunk:
    columns = what.columns(start, stop)
    try:
        found = _approximated(what, start, stop)
    except DomainError as error:  # that of the first point
        place = first_refused(partial(_approximated, what), start, stop)
        where = ", ".join(f"{name} = {x[0]:.6g}" for name, x in what.columns(place, place + 1).items())
        raise DomainError(f"{str(error).split(' at index')[0]}, at {where}") from None
    size = stop - start

    def column(x: Any) -> Array:
        return np.ascontiguousarray(np.broadcast_to(np.asarray(x, dtype=np.float64), (size,)))

    return Chunk(columns, {name: column(x) for name, x in found.terms.items()}, column(found.total))


def chunks(
    what: Sweep, *, size: int = CHUNK, jobs: int = 1, cluster: str | None = None, progress: Callable[[int], None] | None = None
) -> Iterator[Chunk]:
    """The points of a sweep in order, a chunk at a time: memory does not grow with the number of points.

    Args:
        what: the sweep.
        size: points in a chunk; no effect on the numbers.
        jobs, cluster: see :func:`cmbound.parallel.mapped`.
        progress: called with the number of points that were just done.

    Raises:
        DomainError: a point outside the domain of the statement; the message gives its values.
    """
    tasks = ((what, i, min(i + size, len(what))) for i in range(0, len(what), size))
    for chunk in mapped(_evaluated, tasks, jobs=jobs, cluster=cluster):
        if progress is not None:
            progress(len(chunk.total))
        yield chunk


def swept(what: Sweep, **options: Any) -> dict[str, Array]:
    """All columns of a sweep as arrays of length ``len(what)`` (parameters, terms, ``total``); options as for :func:`chunks`."""
    return joined(list(chunks(what, **options)))


def joined(parts: Sequence[Chunk]) -> dict[str, Array]:
    """The columns of several chunks, one after the other."""
    return {name: np.concatenate([x.columns[name] for x in parts]) for name in parts[0].columns}
