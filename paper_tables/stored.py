"""Records behind figures, read back from their stored CSV, so that a figure is drawn from the data that are committed."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np


def _columns(text: str) -> dict[str, list[str]]:
    header, *rows = list(csv.reader(io.StringIO(text)))
    return {name: [row[i] for row in rows] for i, name in enumerate(header)}


def _number(text: str) -> float:
    return float(text) if text else float("nan")


def _array(column: list[str]) -> Any:
    return np.array([_number(x) for x in column])


def _target(spec: Mapping[str, Any]) -> str:
    return str(spec.get("params", {}).get("to", "p_data"))


def terms(spec: Mapping[str, Any], text: str) -> Any:
    """Terms of a bound along one parameter."""
    from cmbound.papers.figures.terms import TermsData

    name, *rest = (columns := _columns(text))
    arrays = {x: _array(columns[x]) for x in rest}
    total, trivial = arrays.pop("total"), arrays.pop("trivial", None)
    return TermsData(spec["arguments"][0], name, _array(columns[name]), arrays, total, trivial, _target(spec))


def grids(spec: Mapping[str, Any], text: str) -> Any:
    """A bound on several grids."""
    from cmbound.papers.figures.grids import GridsData
    from cmbound.theory.grids import KINDS

    columns = {name: _array(x) for name, x in _columns(text).items()}
    trivial = float(columns["trivial"][0]) if "trivial" in columns else None
    bounds = {kind: columns[kind.replace("-", "_")] for kind in KINDS}
    return GridsData(spec["arguments"][0], columns["N"], bounds, columns["two_stage_steps"], trivial, _target(spec))


def multistep(spec: Mapping[str, Any], text: str) -> Any:
    """Bounds after each evaluation."""
    from cmbound.papers.figures.multistep import SCHEDULES, MultistepData

    columns = {name: _array(x) for name, x in _columns(text).items()}

    def each(what: str) -> dict[str, Any]:
        return {name: columns[f"{name}_{what}"] for name in SCHEDULES if f"{name}_{what}" in columns}

    clock = str(spec.get("params", {}).get("clock", "ou"))
    limit = float(columns["limit"][0])
    return MultistepData(columns["k"], each("time"), each("bound"), each("measured"), limit, 0, _target(spec), clock)


def phase(spec: Mapping[str, Any], text: str) -> Any:
    """Several statements in a plane; x varies fastest."""
    from cmbound.comparison.phase import Phase, winner_of

    columns = _columns(text)
    x_name, y_name, *ids = (name for name in columns if name != "winner")
    x, y = np.unique(_array(columns[x_name])), np.unique(_array(columns[y_name]))
    values = {id: _array(columns[id]).reshape(len(y), len(x)) for id in ids}
    return Phase(x_name, y_name, x, y, tuple(ids), values, winner_of(list(values.values())), (), "")


def ratios(spec: Mapping[str, Any], text: str) -> Any:
    """Instances one by one."""
    from cmbound.papers.figures.ratios import ratios_from_csv

    return ratios_from_csv(text)


def tightness(spec: Mapping[str, Any], text: str) -> Any:
    """Ratios by dimension."""
    from cmbound.papers.figures.tightness import TightnessData

    columns = _columns(text)
    statements = tuple(dict.fromkeys(columns["statement"]))
    sizes = tuple(dict.fromkeys(int(x) for x in columns["d"]))

    def of(name: str, read: Callable[[str], Any]) -> dict[str, tuple[Any, ...]]:
        pairs = list(zip(columns["statement"], columns[name], strict=True))
        return {id: tuple(read(x) for owner, x in pairs if owner == id) for id in statements}

    def ratio(value: str) -> float | None:
        return float(value) if value else None

    return TightnessData(statements, sizes, of("largest", ratio), of("median", ratio), of("decided", int), of("violations", int))


READERS: dict[str, Callable[[Mapping[str, Any], str], Any]] = {
    "terms": terms,
    "grids": grids,
    "multistep": multistep,
    "phase": phase,
    "ratios": ratios,
    "tightness": tightness,
}
"""How each kind of figure is read back."""
