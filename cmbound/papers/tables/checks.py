"""Tables of verification: campaigns against the truth, sharpness, planted mistakes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cmbound.errors import InputError
from cmbound.files import json_of, read_text
from cmbound.names import WORLDS
from cmbound.numbers import rounded
from cmbound.papers.tables.words import DASH, chosen
from cmbound.reports.cells import Cell, number
from cmbound.reports.table import Table
from cmbound.verification.campaign import check
from cmbound.verification.experiments import experiment_of
from cmbound.verification.planted import explicit_ids, planted as plant

INSTANCES = 100
Progress = Callable[[int], None]


def load(saved: Any) -> Any:
    """Data that ``cmbound check --format json`` wrote: a path, or the data themselves.

    Raises:
        InputError: the file cannot be read as JSON.
    """
    if not isinstance(saved, str):
        return saved
    return json_of(read_text(saved), saved)


def _reports(
    worlds: Sequence[str | None],
    statements: Any,
    instances: int,
    seed: int,
    jobs: int,
    saved: Any,
    progress: Progress | None,
) -> list[dict[str, Any]]:
    """Reports as data, each with its ``world``: computed, or read."""
    if saved is None:
        found = []
        asked = chosen(statements, explicit_ids())
        for x in asked:
            experiment_of(x)
        for x in asked:
            for world in worlds:
                report = check(x.id, instances=instances, seed=seed, world=world, jobs=jobs, progress=progress)
                found.append({**report.to_dict(), "world": world or "all"})
        return found
    data = load(saved)
    rows = [data] if isinstance(data, dict) else data
    needed = (
        "theorem",
        "kind",
        "instances",
        "passed",
        "violations",
        "undecided",
        "skipped",
        "max_ratio",
        "median_ratio",
        "sharpness",
    )
    if not isinstance(rows, list) or not rows:
        raise InputError("no report of cmbound check in the file")
    for row in rows:
        missing = [x for x in needed if not isinstance(row, dict) or x not in row]
        if missing:
            raise InputError(f"no report of cmbound check in the file: it lacks {missing[0]!r}")
    wanted = None if statements is None else {x.id for x in chosen(statements, ())}
    return [{"world": "all", **x} for x in rows if wanted is None or x["theorem"] in wanted]


def _ratio(x: float | None, digits: int) -> Cell:
    if x is None:
        return DASH
    return number("inf" if x == float("inf") else rounded(x, digits, "nearest"))


def verification(
    digits: int,
    statements: Any = None,
    world: str | None = None,
    instances: int = INSTANCES,
    seed: int = 0,
    jobs: int = 1,
    saved: Any = None,
    progress: Progress | None = None,
) -> Table:
    """Every statement against the truth, on each kind of law."""
    worlds: Sequence[str | None] = WORLDS if world is None else (world,)
    rows = []
    for x in _reports(worlds, statements, instances, seed, jobs, saved, progress):
        counts = (x["instances"], x["passed"] + x["violations"], x["violations"], x["undecided"], x["skipped"])
        ratios = (_ratio(x["max_ratio"], digits), _ratio(x["median_ratio"], digits))
        rows.append((Cell(x["theorem"]), Cell(x["world"]), *(number(str(int(n))) for n in counts), *ratios))
    notes = [
        Cell(
            "Decided: passed or violated. Ratio: true error over bound; one above 1 without a violation lies within the error of "
            "the true value. Skipped: the instance does not meet an assumption."
        )
    ]
    header = ("statement", "world", "instances", "decided", "violations", "undecided", "skipped", "max ratio", "median ratio")
    return Table(header, tuple(rows), "llrrrrrrr", layout="headings", size="footnotesize", tight=True, notes=tuple(notes))


def sharpness(
    digits: int,
    statements: Any = None,
    world: str | None = None,
    instances: int = INSTANCES,
    seed: int = 0,
    jobs: int = 1,
    saved: Any = None,
    progress: Progress | None = None,
) -> Table:
    """For each term the largest share of it that some instance needs."""
    rows = tuple(
        (Cell(x["theorem"]), Cell(name.replace("_", " ")), _ratio(value, digits))
        for x in _reports((world,), statements, instances, seed, jobs, saved, progress)
        for name, value in x["sharpness"].items()
    )
    note = Cell(
        "Sharpness: the largest share of the term that some instance needs; 1 is attained, below 1/2 halving it survives."
    )
    return Table(("statement", "term", "sharpness"), rows, "llr", layout="groups", notes=(note,))


def planted(
    digits: int,
    statements: Any = None,
    seed: int = 0,
    jobs: int = 1,
    saved: Any = None,
    progress: Progress | None = None,
) -> Table:
    """Weakened copies of each statement: how many were caught, are not weaker, survived."""
    names = None if statements is None else [x.id for x in chosen(statements, ())]
    data = plant(names, seed=seed, jobs=jobs, progress=progress).to_dict() if saved is None else load(saved)
    lists = {"caught": "witnesses", "not weaker": "not_weaker", "survived": "survived"}
    if not isinstance(data, Mapping) or not all(isinstance(data.get(x), list) for x in lists.values()):
        raise InputError("no report of cmbound check --planted in the file: it needs witnesses, not_weaker and survived")
    counts: dict[str, dict[str, int]] = {}
    for name, key in lists.items():
        for x in data[key]:
            if not isinstance(x, Mapping) or not isinstance(x.get("theorem"), str):
                raise InputError(f"no report of cmbound check --planted in the file: an entry of {key!r} lacks 'theorem'")
            if names is None or x["theorem"] in names:
                row = counts.setdefault(x["theorem"], dict.fromkeys(lists, 0))
                row[name] += 1
    order = {name: i for i, name in enumerate(explicit_ids())}
    rows = [
        (Cell(name), *(number(str(x)) for x in (sum(row.values()), *row.values())))
        for name, row in sorted(counts.items(), key=lambda x: order.get(x[0], len(order)))
    ]
    sums = [sum(row[x] for row in counts.values()) for x in lists]
    rows.append((Cell("total"), *(number(str(x)) for x in (sum(sums), *sums))))
    note = Cell("Planted: copies weakened in one place. Caught: an instance refutes the copy. Not weaker: proved to be implied.")
    return Table(("statement", "planted", "caught", "not weaker", "survived"), tuple(rows), "lrrrr", notes=(note,))
