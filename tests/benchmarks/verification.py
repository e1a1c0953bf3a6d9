"""Speed of the verification: exact Gaussian instances, built, measured and judged, against the bare bound on them."""

from __future__ import annotations

import time

from cmbound.errors import DomainError
from cmbound.evaluation.point import evaluate
from cmbound.evaluation.statement import theorem
from cmbound.verification.campaign import draw, judge
from cmbound.verification.instances import SkippedError
from cmbound.verification.laboratories import build

COUNT = 400


def instances() -> str:
    """Instances per second of processor time beside the float64 evaluation of the same statement at the same parameters."""
    statement = theorem("explicit-one-step")
    recipes = []
    params = []
    for n in range(COUNT):
        recipe = draw(statement, "gaussian", 0, n)
        try:
            values = build(recipe, statement).params
            evaluate(statement, values, tier="approximate")
        except (SkippedError, DomainError):
            continue
        params.append(values)
        recipes.append(recipe)
    marks = [time.process_time()]
    for recipe in recipes:
        judge(recipe, statement)
    marks.append(time.process_time())
    for values in params:
        evaluate(statement, values, tier="approximate")
    marks.append(time.process_time())
    ours, bare = marks[1] - marks[0], marks[2] - marks[1]
    return (
        f"exact Gaussian instances of explicit-one-step: {len(recipes) / ours:.0f} per second (built, measured and judged); "
        f"the bare float64 bound at the same parameters: {len(recipes) / bare:.0f} per second; ratio of times {ours / bare:.1f}"
    )


BENCHMARKS = [instances]
