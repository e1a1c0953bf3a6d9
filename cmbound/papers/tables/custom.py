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

import tomllib
from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from os import PathLike, fspath
from typing import Any

from cmbound.errors import CmboundError, InputError, UnknownNameError
from cmbound.evaluation.records import Evaluation
from cmbound.evaluation.statement import theorem as find
from cmbound.files import read_text
from cmbound.numbers import rounded, text_of
from cmbound.papers.tables.settings import as_number
from cmbound.papers.tables.words import DASH
from cmbound.reports.cells import Cell, dollars, math, number
from cmbound.reports.table import Table
from cmbound.reports.words import prose, symbol
from cmbound.theory.notation import PUBLIC, TABLE
from cmbound.theory.records import Theorem

_TOP = ("caption", "label", "digits", "size", "defaults", "column", "row")
_SIZES = ("normalsize", "small", "footnotesize", "scriptsize")
_COLUMN = ("quantity", "header", "digits")
_ROW = ("label", "statement", "preset", "params", "profile", "grid", "teacher", "to", "start", "clock")
_OPTIONS = ("preset", "profile", "grid", "teacher", "to", "start", "clock")


def custom(digits: int, spec: Any = None) -> Table:
    """The table a specification describes.

    Args:
        digits: significant digits where a column and the specification name none.
        spec: path of a TOML file, or its content as a mapping.

    Raises:
        InputError: a key that does not exist, is missing, or holds something else than it may.
        CmboundError: a row that cannot be evaluated, with its number and label.
    """
    if spec is None:
        raise InputError("a custom table needs a specification: --spec FILE.toml")
    data = _read(spec)
    _known(data, _TOP, "key of the table")
    digits = _digits(data.get("digits", digits), "digits")
    size = _text(data, "size")
    if size and size not in _SIZES:
        raise UnknownNameError("size", size, _SIZES)
    columns = [_column(x, i) for i, x in enumerate(_tables(data, "column"), 1)]
    defaults = data.get("defaults", {})
    if not isinstance(defaults, Mapping):
        raise InputError(f"defaults must be a table of keys, got {defaults!r}")
    _known(defaults, _ROW, "key of [defaults]")
    rows = [_Row({**defaults, **x}, i, defaults) for i, x in enumerate(_tables(data, "row"), 1)]
    cells = tuple(tuple(row.cell(name, own or digits) for name, _, own in columns) for row in rows)
    heads = tuple(header for _, header, _ in columns)
    sides = "".join("r" if all(row[i].kind == "number" or row[i] == DASH for row in cells) else "l" for i in range(len(columns)))
    return Table(
        tuple(x.string() for x in heads),
        cells,
        sides,
        caption=_text(data, "caption"),
        label=_text(data, "label"),
        heads=heads,
        size=size,
        tight=bool(size),
    )


# --- reading --------------------------------------------------------------------------------------------------------


def _read(spec: Any) -> Mapping[str, Any]:
    if isinstance(spec, Mapping):
        return spec
    if not isinstance(spec, str | PathLike):
        raise InputError(f"a specification is a file or a mapping, got {spec!r}")
    text = read_text(fspath(spec))
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(f"cannot read {spec} as TOML: {error}") from None


def _known(data: Mapping[str, Any], allowed: tuple[str, ...], what: str) -> None:
    for key in data:
        if key not in allowed:
            raise UnknownNameError(what, key, allowed)


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key, "")
    if not isinstance(value, str):
        raise InputError(f"{key} must be text, got {value!r}")
    return value


def _digits(value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 17:
        raise InputError(f"{where} must be an integer from 1 to 17, got {value!r}")
    return value


def _tables(data: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    found = data.get(key)
    if not isinstance(found, list) or not found or not all(isinstance(x, Mapping) for x in found):
        raise InputError(f"the specification needs at least one [[{key}]]" + ("" if found is None else f", got {found!r}"))
    return found


def _column(data: Mapping[str, Any], place: int) -> tuple[str, Cell, int | None]:
    """Quantity, header and digits."""
    _known(data, _COLUMN, f"key of [[column]] {place}")
    if "quantity" not in data:
        raise InputError(f"[[column]] {place} has no quantity; allowed: {', '.join(QUANTITIES)}, a term, a parameter")
    name = _text(data, "quantity")
    if name not in QUANTITIES and name not in PUBLIC and name not in _terms():
        raise UnknownNameError(f"quantity of [[column]] {place}", name, (*QUANTITIES, *_terms(), *PUBLIC))
    header = dollars(_text(data, "header")) if data.get("header") is not None else _title(name)
    return name, header, _digits(data["digits"], f"digits of [[column]] {place}") if "digits" in data else None


def _title(name: str) -> Cell:
    return symbol(name) if name in TABLE else Cell(name.replace("_", " "))


def _terms() -> tuple[str, ...]:
    """The names of the terms of all statements."""
    from cmbound.catalogue import catalogue

    return tuple(dict.fromkeys(x.name for theorem in catalogue for x in theorem.sources))


# --- one row --------------------------------------------------------------------------------------------------------


class _Row:
    """A statement, and where it is evaluated."""

    def __init__(self, data: Mapping[str, Any], place: int, defaults: Mapping[str, Any]) -> None:
        _known(data, _ROW, f"key of [[row]] {place}")
        self._label = data.get("label", "")
        self._where = f"[[row]] {place}" + (f" ({self._label})" if self._label else "")
        if not isinstance(self._label, str):
            raise InputError(f"label of [[row]] {place} must be text, got {self._label!r}")
        if "statement" not in data:
            raise InputError(f"{self._where} has no statement")
        params = data.get("params", {})
        if not isinstance(params, Mapping):
            raise InputError(f"params of {self._where} must be a table of numbers, got {params!r}")
        shared = defaults.get("params", {})
        self._params = {**(shared if isinstance(shared, Mapping) else {}), **params}
        self._options = {x: data[x] for x in _OPTIONS if x in data}
        self._theorem = self._named(lambda: find(data["statement"]))

    def _named(self, work: Callable[[], Any]) -> Any:
        """The result of ``work``; an error names the row."""
        try:
            return work()
        except CmboundError as error:
            error.args = (f"{self._where}: {error}",)
            raise

    @cached_property
    def evaluation(self) -> Evaluation:
        """The certified value."""
        result: Evaluation = self._named(lambda: self._theorem.evaluate(**self._options, **self._params))
        return result

    def cell(self, name: str, digits: int) -> Cell:
        """One quantity."""
        if name == "label":
            return dollars(self._label)
        if name in _OF_STATEMENT:
            return _OF_STATEMENT[name](self._theorem)
        if name in _OF_EVALUATION:
            return _OF_EVALUATION[name](self.evaluation, digits)
        if name in PUBLIC:
            return self._parameter(name, digits)
        term = self.evaluation.terms.get(name)
        return DASH if term is None else number(rounded(term.upper, digits))

    def _parameter(self, name: str, digits: int) -> Cell:
        """As it was given; one that follows to so many digits."""
        found = self.evaluation
        value = found.parameters.get(name)
        if value is None and name in found.derived:
            return number(rounded(found.derived[name].upper, digits, "nearest"))
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


def _ratio(found: Evaluation, digits: int) -> Cell:
    return DASH if not found.trivial else number(rounded(found.value / found.trivial, digits))


def _text_cell(value: str | None) -> Cell:
    return DASH if value is None else Cell(value.replace("_", " "))


_OF_STATEMENT: Mapping[str, Callable[[Theorem], Cell]] = {
    "statement": lambda x: Cell(x.id),
    "title": lambda x: prose(x.title),
    "kind": lambda x: Cell(x.kind),
    "known": lambda x: Cell(x.known),
    "metric": lambda x: prose(x.metric),
    "reference": lambda x: Cell(str(x.reference)),
    "quantity": lambda x: math(x.quantity_latex.replace("@", r"p_{\mathrm{data}}"), x.quantity.format(target="p_data")),
}
_OF_EVALUATION: Mapping[str, Callable[[Evaluation, int], Cell]] = {
    "total": lambda x, digits: number(rounded(x.upper, digits)),
    "lower": lambda x, digits: number(rounded(x.lower, digits, "down")),
    "dominating_term": lambda x, digits: _text_cell(x.dominating_term),
    "trivial": lambda x, digits: DASH if x.trivial is None else number(rounded(Decimal(repr(x.trivial)), digits)),
    "ratio": _ratio,
    "vacuous": lambda x, digits: DASH if x.vacuous is None else Cell("yes" if x.vacuous else "no"),
    "profile": lambda x, digits: _text_cell(", ".join(dict.fromkeys(y.profile for y in x.stretches)) or None),
    "teacher": lambda x, digits: _text_cell(x.teacher),
    "grid": lambda x, digits: _text_cell(None if x.grid is None else str(x.grid["kind"])),
}
"""``trivial``: what always answering 0 achieves; ``ratio``: the total over that (below 1: not vacuous)."""
QUANTITIES = ("label", *_OF_STATEMENT, *_OF_EVALUATION)
