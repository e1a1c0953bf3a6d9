"""What is wrong with a model, and what would lower its error: read off the terms and the noise levels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cmbound.certification.certificate import Advice, Judged, Level
from cmbound.certification.laws import Law
from cmbound.certification.request import Request
from cmbound.certification.teachers import ORDER
from cmbound.certification.telescope import SUMMED

MOST_OF_IT = 0.8
"""Share of the discretisation error that the noise levels named for a finer grid make up."""
BOUNDARY = 0.05
"""A boundary term above this share of the early stopping is worth a word."""
STANDS_OUT = 5.0
"""A step whose error per step is so many times that of both neighbours' median stands out."""
NOISING = 1e-6
"""A noising back that differs by more, over the noise level, is not that of the exact chain."""


def advised(
    request: Request, terms: Mapping[str, float], levels: Sequence[Level], judged: Sequence[Judged]
) -> tuple[Advice, ...]:
    """Changes with what they would take off the attributed rung, the largest first."""
    found = [
        Advice("half the consistency error", terms["consistency"] / 2),
        Advice("half the error of the teacher's score", terms["score"] / 2),
        Advice("a horizon twice as large", terms["initialisation"] / 2),
        Advice("a lowest noise level half as large", terms["early_stopping"] / 2),
        Advice("f(x, sigma_0) = x at the lowest noise level", terms["boundary"]),
    ]
    if terms["discretisation"] > 0:
        high, low = _stretch(levels)
        order = ORDER.get(request.solver, 1)
        gain = terms["discretisation"] * (1 - 2.0**-order) * MOST_OF_IT
        found.append(Advice(f"steps half as long between noise levels {low:.3g} and {high:.3g}", gain))
    best = min(judged, key=_middle)
    if best.k > 1:
        found.append(Advice(f"{best.k} evaluations (taken off the distance)", _middle(judged[0]) - _middle(best)))
    return tuple(sorted((x for x in found if x.gain > 0), key=lambda x: -x.gain))


def _middle(x: Judged) -> float:
    """Between what the two sides of the distance are estimates of."""
    return sum(x.distance.estimates) / 2


def _stretch(levels: Sequence[Level]) -> tuple[float, float]:
    """The shortest stretch of steps with most of the discretisation error: its largest and smallest noise level."""
    sizes = [x.discretisation for x in levels]
    goal = MOST_OF_IT * sum(sizes)
    runs = ((j - i, i, j) for i in range(len(sizes)) for j in range(i + 1, len(sizes) + 1) if sum(sizes[i:j]) >= goal)
    _, i, j = min(runs, default=(len(sizes), 0, len(sizes)))
    return levels[i].sigma_from, levels[j - 1].sigma_to


def found_wrong(
    request: Request, law: Law, terms: Mapping[str, float], levels: Sequence[Level], judged: Sequence[Judged]
) -> tuple[str, ...]:
    """What a look at the numbers says about the model, in words."""
    found = []
    if terms["boundary"] > BOUNDARY * terms["early_stopping"]:
        found.append(
            f"boundary: f(x, sigma) is not x at the lowest noise level {request.sigmas[0]:g} (off by {terms['boundary']:.3g})"
        )
    for x in judged[1:]:
        off = x.parts["noising"]
        if off > NOISING * law.sd2:
            found.append(
                f"noising: evaluation {x.k} at noise level {x.sigma:g} is noised back with another scale (off by {off:.3g})"
            )
        before, after = _middle(judged[x.k - 2]), _middle(x)
        if after > before:
            found.append(
                f"evaluation {x.k} at noise level {x.sigma:g} does not help: W2 is about {after:.3g}, before it {before:.3g}"
            )
    for name in SUMMED:
        found += _outstanding(name, levels)
    return tuple(found)


def _outstanding(name: str, levels: Sequence[Level]) -> list[str]:
    """Runs of steps whose error is far above that of the steps around them."""
    sizes = [float(getattr(x, name)) for x in levels]
    total = sum(sizes)
    found = []
    for j, size in enumerate(sizes):
        around = sorted(sizes[max(0, j - 3) : j] + sizes[j + 1 : j + 4])
        if around and size > STANDS_OUT * around[len(around) // 2] and size > total / len(sizes):
            level = levels[j]
            found.append(
                f"{name}: the step from noise level {level.sigma_from:.4g} to {level.sigma_to:.4g} stands out ({size:.3g})"
            )
    return found
