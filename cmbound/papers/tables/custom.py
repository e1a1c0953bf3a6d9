"""A user's own table, described in TOML: rows are statements or settings, columns are chosen quantities.

::

    caption = "Bounds"            # optional, as are label, digits, size (small, footnotesize, ...) and [defaults]
    [defaults]                    # for every row
    statement = "explicit-one-step"
    [[column]]
    quantity = "label"
    header = "model"
    [[column]]
    quantity = "total"
    digits = 3
    [[row]]
    label = "well trained"
    preset = "gaussian-2d"
    params = { eps_sc = "1e-4" }
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from functools import cached_property, partial
from typing import Any, NamedTuple

from cmbound.catalogue import catalogue
from cmbound.checks import checked_name, shown
from cmbound.errors import CmboundError, InputError
from cmbound.evaluation.records import Evaluation
from cmbound.evaluation.statement import theorem as find
from cmbound.files import given_or_read, toml_of
from cmbound.frozen import FrozenDict
from cmbound.numbers import rounded, text_of
from cmbound.papers.words import DASH, as_number, up
from cmbound.reports.cells import Cell, dollars, math, number
from cmbound.reports.table import Table
from cmbound.reports.words import prose, symbol, words
from cmbound.theory.notation import PUBLIC

_SIZES = ("", "normalsize", "small", "footnotesize", "scriptsize")
_MOST_DIGITS = 17  # what a double holds
_OPTIONS = ("preset", "profile", "grid", "teacher", "to", "start", "clock")
_ROW = ("label", "statement", *_OPTIONS, "params")
_KINDS = FrozenDict({str: "text", int: f"an integer from 1 to {_MOST_DIGITS}", Mapping: "a table"})


def custom(digits: int, spec: Any = None) -> Table:
    """A table of your own.

    Args:
        digits: significant digits where a column and the specification name none.
        spec: path of a TOML file, or its content as a mapping.

    Raises:
        InputError: a key that does not exist, is missing, or holds something else than it may.
        CmboundError: a row that cannot be evaluated, with its number and label.
    """
    if spec is None:
        raise InputError("a custom table needs a specification: --spec FILE.toml")
    data = given_or_read(spec, toml_of)
    if not isinstance(data, Mapping):
        raise InputError(f"a specification is a file or a mapping, got {shown(spec)}")
    _check_keys(data, ("caption", "label", "digits", "size", "defaults", "column", "row"), "the table")
    digits = _get(data, "digits", int, digits)
    defaults = _get(data, "defaults", Mapping, {})
    _check_keys(defaults, _ROW, "[defaults]")
    columns = [_column(x, f"[[column]] {i}", digits) for i, x in enumerate(_tables(data, "column"), 1)]
    rows = [_Row(x, f"[[row]] {i}", defaults) for i, x in enumerate(_tables(data, "row"), 1)]
    cells = tuple(tuple(row.cell(x) for x in columns) for row in rows)
    numeric = [all(x.kind == "number" or x == DASH for x in column) for column in zip(*cells, strict=True)]
    size = checked_name("size", _get(data, "size", str, ""), _SIZES)
    heads = tuple(x.header for x in columns)
    texts = {key: _get(data, key, str, "") for key in ("caption", "label")}
    alignment = "".join("r" if x else "l" for x in numeric)
    return Table(tuple(x.string() for x in heads), cells, alignment, heads=heads, size=size, tight=bool(size), **texts)


def _check_keys(data: Iterable[str], allowed: tuple[str, ...], where: str) -> None:
    for key in data:
        checked_name(f"key of {where}", key, allowed)


def _get(data: Mapping[str, Any], key: str, kind: Any, default: Any, where: str = "") -> Any:
    """What a key holds, which must be of this kind."""
    value = data.get(key, default)
    if not isinstance(value, kind) or isinstance(value, bool) or (kind is int and not 1 <= value <= _MOST_DIGITS):
        raise InputError(f"{key}{f' of {where}' * bool(where)} must be {_KINDS[kind]}, got {shown(value)}")
    return value


def _tables(data: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    found = data.get(key)
    if not isinstance(found, list) or not found or not all(isinstance(x, Mapping) for x in found):
        raise InputError(f"the specification needs at least one [[{key}]]" + ("" if found is None else f", got {shown(found)}"))
    return found


class _Column(NamedTuple):
    """A quantity: its header, its cell in a row to so many digits, and the digits."""

    header: Cell
    cell: Callable[[_Row, int], Cell]
    digits: int


def _column(data: Mapping[str, Any], where: str, digits: int) -> _Column:
    _check_keys(data, ("quantity", "header", "digits"), where)
    if "quantity" not in data:
        raise InputError(f"{where} has no quantity; allowed: {', '.join(QUANTITIES)}, a term, a parameter")
    terms = dict.fromkeys(x.name for theorem in catalogue for x in theorem.bare_sources)
    name = checked_name(f"quantity of {where}", data["quantity"], (*QUANTITIES, *terms, *PUBLIC))
    header = dollars(_get(data, "header", str, "", where)) if "header" in data else symbol(name)
    of_kind = partial(_parameter, name=name) if name in PUBLIC else partial(_term, name=name)
    return _Column(header, QUANTITIES.get(name, of_kind), _get(data, "digits", int, digits, where))


@contextmanager
def _naming(where: str) -> Iterator[None]:
    """An error in the block names the row."""
    try:
        yield
    except CmboundError as error:
        error.args = (f"{where}: {error}",)
        raise


class _Row:
    """A statement, and where it is evaluated."""

    def __init__(self, data: Mapping[str, Any], where: str, defaults: Mapping[str, Any]) -> None:
        _check_keys(data, _ROW, where)
        both = {**defaults, **data}
        self.label = _get(both, "label", str, "", where)
        self.where = f"{where} ({self.label})" if self.label else where
        if "statement" not in both:
            raise InputError(f"{self.where} has no statement")
        params = {**_get(defaults, "params", Mapping, {}, "[defaults]"), **_get(data, "params", Mapping, {}, self.where)}
        self.given = {**{x: both[x] for x in _OPTIONS if x in both}, **params}
        with _naming(self.where):
            self.statement = find(both["statement"])

    def cell(self, column: _Column) -> Cell:
        """One quantity."""
        with _naming(self.where):
            return column.cell(self, column.digits)

    @cached_property
    def evaluation(self) -> Evaluation:
        """The certified value."""
        return self.statement.evaluate(**self.given)


def _term(row: _Row, digits: int, name: str) -> Cell:
    term = row.evaluation.terms.get(name)
    return up(None if term is None else term.upper, digits)


def _parameter(row: _Row, digits: int, name: str) -> Cell:
    """As it was given; one that follows to so many digits."""
    found = row.evaluation
    value = found.parameters.get(name)
    if value is None and name in found.derived:
        return up(found.derived[name].upper, digits, "nearest")
    if value is None and name == "N":
        return _steps(found)
    if isinstance(value, list | tuple):
        return Cell(f"{text_of(value[0])}, ..., {text_of(value[-1])}" if value else "")
    return DASH if value is None else as_number(str(value))


def _steps(found: Evaluation) -> Cell:
    """Steps of the grid: with a largest step only, the fewest there can be."""
    grid = found.grid or {}
    if grid.get("N") is not None:
        return number(str(grid["N"]))
    values = [found.parameters.get(x) for x in ("T", "delta", "h")]
    if grid and all(isinstance(x, str) for x in values):
        end, begin, step = (Fraction(str(x)) for x in values)
        return number(str(-int(-(end - begin) / step // 1)))
    return DASH


def _ratio(row: _Row, digits: int) -> Cell:
    found = row.evaluation
    return number(rounded(found.value / found.trivial, digits)) if found.trivial else DASH


def _said(value: str | None) -> Cell:
    return DASH if value is None else Cell(words(value))


QUANTITIES: Mapping[str, Callable[[_Row, int], Cell]] = FrozenDict(
    {
        "label": lambda row, digits: dollars(row.label),
        "statement": lambda row, digits: Cell(row.statement.id),
        "title": lambda row, digits: prose(row.statement.title),
        "kind": lambda row, digits: Cell(row.statement.kind),
        "known": lambda row, digits: Cell(row.statement.known),
        "metric": lambda row, digits: prose(row.statement.metric),
        "reference": lambda row, digits: Cell(str(row.statement.reference)),
        "quantity": lambda row, digits: math(
            row.statement.quantity_latex.replace("@", r"p_{\mathrm{data}}"), row.statement.quantity.format(target="p_data")
        ),
        "total": lambda row, digits: up(row.evaluation.upper, digits),
        "lower": lambda row, digits: up(row.evaluation.lower, digits, "down"),
        "dominating_term": lambda row, digits: _said(row.evaluation.dominating_term),
        "trivial": lambda row, digits: up(row.evaluation.trivial, digits),
        "ratio": _ratio,
        "vacuous": lambda row, digits: _said({True: "yes", False: "no", None: None}[row.evaluation.vacuous]),
        "profile": lambda row, digits: _said(", ".join(dict.fromkeys(x.profile for x in row.evaluation.stretches)) or None),
        "teacher": lambda row, digits: _said(row.evaluation.teacher),
        "grid": lambda row, digits: _said(None if row.evaluation.grid is None else str(row.evaluation.grid["kind"])),
    }
)
"""``trivial``: what the best constant achieves; ``ratio``: the total over that (below 1: not vacuous)."""
