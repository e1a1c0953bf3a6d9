"""Speed of the verification: campaigns against the bare bound on their instances, planted mistakes against their instances."""

from __future__ import annotations

import json
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from cmbound.evaluation.point import evaluate
from cmbound.evaluation.statement import theorem
from cmbound.verification.campaign import run
from cmbound.verification.instances import Outcome, Recipe
from cmbound.verification.planted import explicit_ids, planted, recheck
from cmbound.verification.plants import plants
from tests.benchmarks.__main__ import paired

COUNT = 400
STATEMENT = theorem("explicit-one-step")


def _campaign(world: str | None) -> list[Outcome]:
    return list(run(STATEMENT, instances=COUNT, world=world))


def gaussian() -> str:
    """Instances per second of processor time beside the float64 evaluation of the same statement at the same parameters."""
    points: list[dict[str, Any]] = [dict(x.params) for x in _campaign("gaussian") if x.status != "skipped"]

    def bare() -> None:
        for values in points:
            evaluate(STATEMENT, values, tier="approximate")

    ours, other, ratio = paired(lambda: _campaign("gaussian"), bare)
    return (
        f"check of {COUNT} Gaussian instances: {COUNT / ours:.0f} drawn per second, {len(points) / ours:.0f} judged per second "
        f"(the others cannot meet an assumption); the bare float64 bound at the same parameters: {len(points) / other:.0f} per "
        f"second; ratio of times {ratio:.1f}"
    )


def everywhere() -> str:
    """The same in all worlds, where a few instances are measured by quadratures."""
    start = time.process_time()
    judged = sum(x.status != "skipped" for x in _campaign(None))
    seconds = time.process_time() - start
    return f"check of {COUNT} instances in all worlds: {COUNT / seconds:.0f} drawn per second, {judged / seconds:.0f} judged"


def mistakes() -> str:
    """All planted mistakes, from the committed instances on and from nothing, against those instances one after the other."""
    known = json.loads((Path(__file__).parents[2] / "paper_tables" / "planted.json").read_text(encoding="utf-8"))
    copies = {(x.theorem, x.component, x.change): x for id in explicit_ids() for x in plants(id)}
    marks = [time.perf_counter()]
    for row in known["witnesses"]:
        recheck(copies[row["theorem"], row["component"], row["change"]], Recipe.from_dict(row["witness"]))
    marks.append(time.perf_counter())
    for earlier in (known, None):
        planted(known=earlier, jobs=2)
        marks.append(time.perf_counter())
    bare, again, anew = (y - x for x, y in pairwise(marks))
    return (
        f"{len(copies)} planted mistakes on two cores: {again:.0f} s from the committed instances, {anew:.0f} s anew; the "
        f"{len(known['witnesses'])} instances alone, one after the other: {bare:.0f} s (seconds of the clock)"
    )


BENCHMARKS = (gaussian, everywhere, mistakes)
