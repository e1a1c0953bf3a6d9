"""Records behind figures, read back from their stored CSV, so that a figure is drawn from the data that are committed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from cmbound.comparison.phase import Phase, winner_of
from cmbound.files import csv_columns
from cmbound.papers.figures.data import number
from cmbound.papers.figures.grids import GridsData
from cmbound.papers.figures.multistep import SCHEDULES, MultistepData
from cmbound.papers.figures.ratios import ratios_from_csv
from cmbound.papers.figures.terms import TermsData
from cmbound.papers.figures.tightness import TightnessData
from cmbound.theory.grids import KINDS


def _arrays(text: str) -> dict[str, Any]:
    """The columns of a file that holds numbers only."""
    return {name: np.array([number(x) for x in column]) for name, column in csv_columns(text).items()}


def _option(spec: Mapping[str, Any], name: str, default: str) -> str:
    return str(spec.get("params", {}).get(name, default))


def terms(spec: Mapping[str, Any], text: str) -> TermsData:
    """Terms of a bound along one parameter."""
    name, *_ = columns = _arrays(text)
    values, total, trivial = columns.pop(name), columns.pop("total"), columns.pop("trivial", None)
    return TermsData(spec["arguments"][0], name, values, columns, total, trivial, _option(spec, "to", "p_data"))


def grids(spec: Mapping[str, Any], text: str) -> GridsData:
    """A bound on several grids."""
    columns = _arrays(text)
    trivial = float(columns["trivial"][0]) if "trivial" in columns else None
    bounds = {kind: columns[kind.replace("-", "_")] for kind in KINDS}
    steps, to = columns["two_stage_steps"], _option(spec, "to", "p_data")
    return GridsData(spec["arguments"][0], columns["N"], bounds, steps, trivial, to)


def multistep(spec: Mapping[str, Any], text: str) -> MultistepData:
    """Bounds after each evaluation."""
    columns = _arrays(text)

    def each(what: str) -> dict[str, Any]:
        return {name: columns[f"{name}_{what}"] for name in SCHEDULES if f"{name}_{what}" in columns}

    options = {"to": _option(spec, "to", "p_data"), "clock": _option(spec, "clock", "ou")}
    limit = float(columns["limit"][0])
    return MultistepData(columns["k"], each("time"), each("bound"), each("measured"), limit, steps_worth_taking=0, **options)


def phase(spec: Mapping[str, Any], text: str) -> Phase:
    """Several statements in a plane; x varies fastest."""
    columns = csv_columns(text)
    del columns["winner"]
    (x_name, x), (y_name, y), *rows = ((name, np.array([number(z) for z in column])) for name, column in columns.items())
    x, y = np.unique(x), np.unique(y)
    values = {id: z.reshape(len(y), len(x)) for id, z in rows}
    return Phase(x_name, y_name, x, y, tuple(values), values, winner_of(list(values.values())), (), "")


def ratios(spec: Mapping[str, Any], text: str) -> Any:
    """Instances one by one."""
    return ratios_from_csv(text)


def tightness(spec: Mapping[str, Any], text: str) -> TightnessData:
    """Ratios by dimension."""
    columns = csv_columns(text)
    owners = columns["statement"]
    statements = tuple(dict.fromkeys(owners))

    def of(name: str, read: Callable[[str], Any]) -> dict[str, tuple[Any, ...]]:
        pairs = list(zip(owners, columns[name], strict=True))
        return {id: tuple(read(x) if x else None for owner, x in pairs if owner == id) for id in statements}

    sizes = tuple(dict.fromkeys(int(x) for x in columns["d"]))
    return TightnessData(statements, sizes, of("largest", float), of("median", float), of("decided", int), of("violations", int))


READERS: dict[str, Callable[[Mapping[str, Any], str], Any]] = {
    "terms": terms,
    "grids": grids,
    "multistep": multistep,
    "phase": phase,
    "ratios": ratios,
    "tightness": tightness,
}
"""How each kind of figure is read back."""
