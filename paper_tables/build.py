"""Everything the paper is built from: what each file is, how it is made, and whether the committed one is current."""

from __future__ import annotations

import importlib
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from cmbound.errors import InputError
from cmbound.files import csv_columns, json_of, read_text, toml_of, writing
from cmbound.papers.figures.style import save_figure
from cmbound.papers.tables import table
from cmbound.verification.campaign import check
from paper_tables.formulas import HEADER, float_text, formula_files
from paper_tables.stored import READERS

HERE = Path(__file__).parent
GENERATED = HERE / "generated"
DATA = HERE / "data"
FLOAT_TOLERANCE = 1e-6
"""Relative difference allowed between floating-point data computed on different machines."""


@dataclass(frozen=True)
class Output:
    """One committed file.

    Attributes:
        path: where it is.
        make: its text, as the package now produces it.
        exact: compared character by character; otherwise numbers may differ by ``FLOAT_TOLERANCE``.
        slow: stored data, made again only when asked for.
    """

    path: Path
    make: Callable[[], str]
    exact: bool = True
    slow: bool = False

    @property
    def name(self) -> str:
        """The path below this folder."""
        return self.path.relative_to(HERE).as_posix()


def specs(kind: str) -> dict[str, dict[str, Any]]:
    """The TOML files of ``tables`` or ``figures`` by stem."""
    return {x.stem: toml_of(read_text(x), x.name) for x in sorted((HERE / kind).glob("*.toml"))}


# --- tables ---------------------------------------------------------------------------------------------------------


def table_text(spec: Mapping[str, Any]) -> str:
    """A table: name, options, caption, label, digits, siunitx, size; ``rename_headers`` shortens headers."""
    options = dict(spec.get("options", {}))
    if "saved" in options:
        options["saved"] = json_of(read_text(HERE / options["saved"]), options["saved"])
    found = table(spec["name"], caption=spec["caption"], label=spec["label"], digits=spec.get("digits", 4), **options)
    if "size" in spec:
        found = replace(found, size=spec["size"])
    return HEADER + found.latex(siunitx=spec.get("siunitx", False)) + "\n"


# --- figures --------------------------------------------------------------------------------------------------------


def figure_data(spec: Mapping[str, Any], jobs: int = 1) -> Any:
    """The record behind a figure, computed: ``arguments`` and ``params`` as its function in cmbound.papers.figures takes them."""
    kind = spec["kind"]
    make = getattr(importlib.import_module(f"cmbound.papers.figures.{kind}"), f"{kind}_data")
    workers = {"jobs": jobs} if kind in ("ratios", "tightness") else {}
    return make(*spec.get("arguments", ()), **spec.get("params", {}), **workers)


def stored_data(spec: Mapping[str, Any], path: Path) -> Any:
    """The record behind a figure, from its stored CSV."""
    return READERS[spec["kind"]](spec, read_text(path))


def draw(spec: Mapping[str, Any], data: Any, path: Path) -> None:
    """Draw a figure."""
    make = getattr(importlib.import_module(f"cmbound.papers.figures.{spec['kind']}"), f"{spec['kind']}_figure")
    path.parent.mkdir(parents=True, exist_ok=True)
    save_figure(make(data, **{"width": "page", **spec.get("figure", {})}), path)


# --- stored campaigns -----------------------------------------------------------------------------------------------


def campaign_text(spec: Mapping[str, Any], jobs: int) -> str:
    """Reports of ``cmbound check``, one for each statement and world as its file lists them."""
    reports = []
    for run in spec["runs"]:
        for id in run["statements"]:
            for world in run["worlds"]:
                where = None if world == "all" else world
                found = check(id, instances=run["instances"], seed=spec["seed"], world=where, jobs=jobs).to_dict()
                reports.append({**{k: v for k, v in found.items() if k in spec["keep"]}, "world": world})
    return json.dumps(reports, indent=1, sort_keys=True) + "\n"


# --- all of it ------------------------------------------------------------------------------------------------------


def outputs(jobs: int = 1) -> Iterator[Output]:
    """Every committed file: formulas, stored data, data of figures, tables."""
    for name, text in formula_files().items():
        yield Output(GENERATED / name, partial(str, text))
    for stem, spec in specs("campaigns").items():
        yield Output(DATA / f"{stem}.json", partial(campaign_text, spec, jobs), exact=False, slow=True)
    for stem, spec in specs("figures").items():
        slow = bool(spec.get("slow", False))
        yield Output(DATA / f"{stem}.csv", partial(_csv, spec, jobs), exact=False, slow=slow)
        yield Output(GENERATED / "floats" / f"{stem}.tex", partial(float_text, stem, spec))
    for stem, spec in specs("tables").items():
        yield Output(GENERATED / "tables" / f"{stem}.tex", partial(table_text, spec))


def _csv(spec: Mapping[str, Any], jobs: int) -> str:
    return str(figure_data(spec, jobs).csv())


def same(old: str, new: str, exact: bool) -> bool:
    """Whether two texts agree: exactly, or number by number within the tolerance."""
    if exact or old == new:
        return old == new
    if new.lstrip().startswith("["):
        return _close(json.loads(old), json.loads(new))
    try:
        stored, made = csv_columns(old), csv_columns(new)
    except InputError:  # a line of another length
        return False
    return list(stored) == list(made) and _close(stored, made)


def _close(old: Any, new: Any) -> bool:
    if isinstance(old, dict) and isinstance(new, dict):
        return old.keys() == new.keys() and all(_close(old[x], new[x]) for x in old)
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(_close, old, new))
    try:
        return old == new or math.isclose(float(old), float(new), rel_tol=FLOAT_TOLERANCE)
    except (TypeError, ValueError):
        return False


def write(path: Path, text: str) -> None:
    """Write a file, and the folder it is in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with writing(path) as stream:
        stream.write(text.encode())
