"""Tables of verification: campaigns against the truth, sharpness, planted mistakes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cmbound.errors import InputError
from cmbound.files import given_or_read, json_of
from cmbound.frozen import FrozenDict
from cmbound.names import WORLDS
from cmbound.numbers import rounded
from cmbound.papers.words import DASH, chosen
from cmbound.reports.cells import Cell, number
from cmbound.reports.table import Table
from cmbound.reports.words import words
from cmbound.verification.campaign import check
from cmbound.verification.experiments import experiment_of
from cmbound.verification.planted import explicit_ids, planted as plant

INSTANCES = 100  # a table in about a minute
Progress = Callable[[int], None]
_COUNTS = ("instances", "passed", "violations", "undecided", "skipped")
_NEEDED = ("theorem", "kind", *_COUNTS, "max_ratio", "median_ratio", "sharpness")
_FATES = FrozenDict({"caught": "witnesses", "not weaker": "not_weaker", "implied": "implied", "survived": "survived"})
"""What becomes of a planted mistake, and the list of a report that holds those."""


def _reports(worlds: Sequence[str | None], statements: Any, saved: Any, **options: Any) -> list[Mapping[str, Any]]:
    """Reports as data, each with its ``world``: computed (options as for :func:`check`), or read."""
    if saved is None:
        asked = chosen(statements, explicit_ids())
        for x in asked:
            experiment_of(x)
        return [{**check(x.id, world=world, **options).to_dict(), "world": world or "all"} for x in asked for world in worlds]
    data = given_or_read(saved, json_of)
    rows = [data] if isinstance(data, dict) else data
    if not isinstance(rows, list) or not rows:
        raise InputError("no report of cmbound check in the file")
    for row in rows:
        missing = [x for x in _NEEDED if not isinstance(row, dict) or x not in row]
        if missing:
            raise InputError(f"no report of cmbound check in the file: it lacks {missing[0]!r}")
    wanted = None if statements is None else {x.id for x in chosen(statements, ())}
    return [{"world": "all", **x} for x in rows if wanted is None or x["theorem"] in wanted]


def _ratio(x: float | None, digits: int) -> Cell:
    return DASH if x is None else number(rounded(x, digits, "nearest"))


def _counts(*values: float) -> tuple[Cell, ...]:
    return tuple(number(str(int(x))) for x in values)


def verification(
    digits: int,
    statements: Any = None,
    instances: int = INSTANCES,
    seed: int = 0,
    jobs: int = 1,
    saved: Any = None,
    progress: Progress | None = None,
    world: str | None = None,
) -> Table:
    """Comparison with the truth."""
    worlds = WORLDS if world is None else (world,)
    rows = []
    for x in _reports(worlds, statements, saved, instances=instances, seed=seed, jobs=jobs, progress=progress):
        counts = _counts(x["instances"], x["passed"] + x["violations"], x["violations"], x["undecided"], x["skipped"])
        ratios = (_ratio(x["max_ratio"], digits), _ratio(x["median_ratio"], digits))
        rows.append((Cell(x["theorem"]), Cell(x["world"]), *counts, *ratios))
    note = Cell(
        "Decided: passed or violated. Ratio: true error over bound; one above 1 without a violation lies within the error of "
        "the true value. Skipped: the instance does not meet an assumption."
    )
    header = ("statement", "world", "instances", "decided", "violations", "undecided", "skipped", "max ratio", "median ratio")
    return Table(header, tuple(rows), "llrrrrrrr", layout="headings", size="footnotesize", tight=True, notes=(note,))


def sharpness(
    digits: int,
    statements: Any = None,
    instances: int = INSTANCES,
    seed: int = 0,
    jobs: int = 1,
    saved: Any = None,
    progress: Progress | None = None,
    world: str | None = None,
) -> Table:
    """How much of each term is needed."""
    rows = tuple(
        (Cell(x["theorem"]), Cell(words(name)), _ratio(value, digits))
        for x in _reports((world,), statements, saved, instances=instances, seed=seed, jobs=jobs, progress=progress)
        for name, value in x["sharpness"].items()
    )
    note = Cell(
        "Sharpness: the largest share of the term that some instance needs; 1 is attained, below 1/2 halving it survives."
    )
    return Table(("statement", "term", "sharpness"), rows, "llr", layout="groups", notes=(note,))


def planted(
    digits: int, statements: Any = None, seed: int = 0, jobs: int = 1, saved: Any = None, progress: Progress | None = None
) -> Table:
    """Planted mistakes that were caught."""
    names = None if statements is None else [x.id for x in chosen(statements, ())]
    report = plant(names, seed=seed, jobs=jobs, progress=progress).to_dict() if saved is None else saved
    data = given_or_read(report, json_of)
    if not isinstance(data, Mapping) or not all(isinstance(data.get(x), list) for x in _FATES.values()):
        raise InputError("no report of cmbound check --planted in the file: it needs witnesses, not_weaker, implied and survived")
    counts: dict[str, dict[str, int]] = {}
    for fate, key in _FATES.items():
        for x in data[key]:
            if not isinstance(x, Mapping) or not isinstance(x.get("theorem"), str):
                raise InputError(f"no report of cmbound check --planted in the file: an entry of {key!r} lacks 'theorem'")
            if names is None or x["theorem"] in names:
                counts.setdefault(x["theorem"], dict.fromkeys(_FATES, 0))[fate] += 1
    order = [*explicit_ids(), *counts]
    rows = {name: tuple(counts[name].values()) for name in sorted(counts, key=order.index)}
    rows["total"] = tuple(sum(x[fate] for x in counts.values()) for fate in _FATES)
    cells = tuple((Cell(name), *_counts(sum(x), *x)) for name, x in rows.items())
    note = Cell(
        "Planted: copies weakened in one place. Caught: an instance refutes the copy. Not weaker: proved to follow from the "
        "statement. Implied: proved to follow from a survivor."
    )
    return Table(("statement", "planted", *_FATES), cells, "lr" + "r" * len(_FATES), notes=(note,))
