"""Speed of the verification: campaigns of exact Gaussian instances, and of all worlds, against the bare bound on them."""

from __future__ import annotations

import time
from typing import Any

from cmbound.evaluation.point import evaluate
from cmbound.evaluation.statement import theorem
from cmbound.verification.campaign import run
from cmbound.verification.instances import Outcome
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


BENCHMARKS = (gaussian, everywhere)
