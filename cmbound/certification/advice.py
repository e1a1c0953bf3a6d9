"""What is wrong with a model, and what would lower its error: read off the terms and the noise levels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from cmbound.certification.bounds import paired
from cmbound.certification.certificate import Advice, Judged, Level, norm_of, own_error
from cmbound.certification.request import Request
from cmbound.certification.teachers import ORDER
from cmbound.certification.telescope import Sampled, Setup
from cmbound.worlds.base import Array

MOST_OF_IT = 0.8
"""Share of the discretisation error that the noise levels named for a finer grid make up."""
BOUNDARY = 0.05
"""A boundary term above this share of the early stopping is worth a word."""
LATE = 0.5
"""An early stopping above this share of the best constant's error leaves little to be learnt."""
STANDS_OUT = 3.0
"""A step whose error is so many times that of every other one, and of what their trend leads to, stands out."""
CHANCE = 3.0  # standard errors of its mean square that a step must stand out by
MATTERS = 0.1
"""Of the direct rung: what is smaller, no work on the model would show."""
SEEN = 0.01
"""Over the scale of the data: smaller errors of a step are not worth a word, and rounding is far below."""
NOISING = 1e-6
"""A noising back that differs by more, over the noise level, is not that of the exact chain."""


class Gains:
    """What the direct rung would be without a part of the error, on the same paths.

    The part is taken out of the sum before its square is taken: what cancels against other parts gains nothing. All other parts
    stay as they are, which a student that is trained again may not keep to.
    """

    def __init__(self, paths: Sampled, tail: float) -> None:
        self.paths, self.tail = paths, tail

    def without(self, name: str, share: float) -> float:
        """Fall of the root mean square if this share of a term is taken out; 0 unless the squares fall beyond chance."""
        size = self.paths.change if name == "change" else self.paths.terms[name]
        return self.instead(self.paths.direct - 2 * share * self.paths.against[name] + share * share * size)

    def inherited(self, name: str) -> float:
        """The share of an error of the teacher that the student has learnt from it, by regression.

        A consistency error that is its opposite, as that of a student on the exact map, makes up for it: nothing that is done to
        the teacher then gains anything.
        """
        size = float(self.paths.terms[name].mean())
        return min(1.0, max(0.0, 1 + float(self.paths.beside[name].mean()) / size)) if size else 0.0

    def instead(self, after: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
        """Fall of the root mean square with other squared errors of the same paths."""
        before = self.paths.direct
        if paired(before, after, self.tail) >= 0:
            return 0.0
        return math.sqrt(float(before.mean())) - math.sqrt(max(0.0, float(after.mean())))


def advised(request: Request, paths: Sampled, levels: Sequence[Level], judged: Sequence[Judged]) -> tuple[Advice, ...]:
    """Changes with what they would take off the direct rung, the largest first; none that would not lower it."""
    names = 7 + len(request.times)  # of what is tried below
    gains = Gains(paths, (1 - request.confidence) / names)
    found = [
        Advice("half the consistency error", gains.without("consistency", 0.5)),
        Advice("half the error of the teacher's score", gains.without("score", 0.5 * gains.inherited("score"))),
        Advice("a horizon twice as large", gains.without("initialisation", 0.5)),
        Advice("a lowest noise level half as large", gains.without("early_stopping", 0.5)),
        Advice(
            "f(x, sigma_0) = x at the lowest noise level, and a student that was trained with it", gains.without("boundary", 1.0)
        ),
    ]
    if paths.terms["discretisation"].any():
        high, low = _stretch(levels)
        order = ORDER.get(request.solver, 1)
        gain = gains.without("discretisation", (1 - 2.0**-order) * MOST_OF_IT * gains.inherited("discretisation"))
        found.append(Advice(f"steps half as long between noise levels {low:.3g} and {high:.3g}", gain))
    if request.teacher:
        together = gains.without("change", 0.5)
        # errors of student and teacher that cancel in part: none of them alone says what a better map would gain
        if together > max(gains.without(x, 0.5) for x in ("consistency", "score", "discretisation")):
            found.append(Advice("half the error along exact trajectories (student and teacher together)", together))
    better = [(gains.instead(chain["direct"]), x.k) for x, chain in zip(judged[1:], paths.chain, strict=True)]
    if better:
        gain, k = max(better)
        found.append(Advice(f"{k} evaluations", gain))
    return tuple(sorted((x for x in found if x.gain > 0), key=lambda x: -x.gain))


def _stretch(levels: Sequence[Level]) -> tuple[float, float]:
    """The shortest stretch of steps with most of the discretisation error: its largest and smallest noise level."""
    sizes = [x.discretisation for x in levels]
    goal = MOST_OF_IT * sum(sizes)
    runs = ((j - i, i, j) for i in range(len(sizes)) for j in range(i + 1, len(sizes) + 1) if sum(sizes[i:j]) >= goal)
    _, i, j = min(runs, default=(len(sizes), 0, len(sizes)))
    return levels[i].sigma_from, levels[j - 1].sigma_to


def found_wrong(
    request: Request, setup: Setup, terms: Mapping[str, float], levels: Sequence[Level], judged: Sequence[Judged], paths: Sampled
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What a look at the numbers says about the model, in words; and what it cannot say."""
    law, notes = setup.law, []
    found: list[str] = []
    if terms["boundary"] > BOUNDARY * terms["early_stopping"]:
        found.append(
            f"boundary: f(x, sigma) is not x at the lowest noise level {request.sigmas[0]:g} (off by {terms['boundary']:.3g})"
        )
    found += _wrong_ends(request, setup, terms)
    squared = [paths.direct, *(x["direct"] for x in paths.chain)]
    for x in judged[1:]:
        off = x.parts["noising"]
        if off > NOISING * law.sd2:
            found.append(
                f"noising: evaluation {x.k} at noise level {x.sigma:g} is noised back with another scale (off by {off:.3g})"
            )
        before = judged[x.k - 2]
        sign = paired(squared[x.k - 2], squared[x.k - 1], (1 - request.confidence) / len(request.times) / 2)
        apart = _apart(before, x, request.population)
        which = f"evaluation {x.k} at noise level {x.sigma:g}"
        if apart > 0:
            low, high = before.upper(request.population), x.distance.lower
            found.append(f"{which} does not help: W2 rises, from below {low:.3g} to above {high:.3g}")
        elif sign > 0 and apart == 0:
            found.append(
                f"{which} does not help: the direct rung rises from {before.direct.estimate:.3g} to {x.direct.estimate:.3g}"
            )
        elif sign == 0 and apart == 0:
            notes.append(f"{which} is not told apart from the one before: neither by W2 nor by the direct rung, path by path")
    least = max(SEEN * law.sd2, MATTERS * math.sqrt(float(paths.direct.mean())))
    return (*found, *located(levels, paths, least)), tuple(notes)


def _wrong_ends(request: Request, setup: Setup, terms: Mapping[str, float]) -> list[str]:
    """A largest noise level that is small beside the data, or a lowest one that is large."""
    law, low, high = setup.law, request.sigmas[0], request.sigmas[-1]
    found = []
    if law.m2 > high:
        found.append(
            f"horizon: the largest noise level {high:g} is below the size of the data, (E norm(x_0)^2)^{{1/2}} = {law.m2:.4g}: "
            f"the model starts from another law than it was trained on (initialisation {terms['initialisation']:.3g})"
        )
    early = low * math.sqrt(law.d)
    if early > LATE * law.sd2 > 0:
        found.append(
            f"early stopping: the lowest noise level {low:g} is large beside the data: it alone makes up {early:.3g}, the best "
            f"constant {law.sd2:.3g}"
        )
    return found


def _apart(before: Judged, after: Judged, population: bool) -> int:
    """The sign of the change of W2, 0 where the two enclosures meet."""
    if after.distance.lower > before.upper(population):
        return 1
    return -1 if after.upper(population) < before.distance.lower else 0


def located(levels: Sequence[Level], paths: Sampled, least: float) -> list[str]:
    """Steps and noise levels at which an error is made that is not made elsewhere.

    Each term is measured by what is its own fault: the student's by the smaller one of norm(C_n), which holds the teacher's
    error too, and norm(C_n + S_n + G_n), which a student that follows its teacher has too; the teacher's by the error of its
    denoiser and by its local error, which know nothing of the student, and by what the model makes of them.
    """
    count = len(levels)
    consistency, change = _Sizes(paths.steps["consistency"]), _Sizes(paths.changes)
    both = np.minimum(consistency.low, change.low)
    singles = [(j, j + 1) for j in range(count)]
    found = []
    # a fault of the student at one noise level is in both steps that meet there; one of the teacher is in one step
    for a, b in [*((j, j + 2) for j in range(count - 1)), *singles]:
        if any(both[a:b].min() > max(least, STANDS_OUT * x.elsewhere(a, b, least)) for x in (consistency, change)):
            worst = max(levels[a:b], key=lambda x: own_error("consistency", x))
            meeting = f"noise level {levels[a].sigma_to:.4g} stands out, in both steps that meet there"
            which = meeting if b - a > 1 else f"{_step(worst)} stands out"
            found.append(f"consistency: {which} ({norm_of('consistency', worst)})")
            break
    for name, squared in (("score", paths.score_error), ("discretisation", paths.local_discretisation)):
        sizes = _Sizes(squared)
        mapped = _Sizes(paths.steps[name])
        for a, b in singles:
            out = [x.low[a] > STANDS_OUT * x.elsewhere(a, b, least) for x in (sizes, mapped)]
            if all(out) and mapped.low[a] > least:
                found.append(f"{name}: {_step(levels[a])} stands out ({norm_of(name, levels[a])})")
    return found


def _step(level: Level) -> str:
    return f"the step from noise level {level.sigma_from:.4g} to {level.sigma_to:.4g}"


class _Sizes:
    """Root mean squares of an error in every step, largest noise level first, and what they are at least beyond chance."""

    def __init__(self, squared: Array) -> None:
        mean, error = squared.mean(axis=1)[::-1], squared.std(axis=1)[::-1] / math.sqrt(squared.shape[1])
        self.size, self.low = np.sqrt(mean), np.sqrt(np.maximum(0, mean - CHANCE * error))

    def elsewhere(self, a: int, b: int, least: float) -> float:
        """The largest of all steps but a, ..., b - 1, or what the trend of those beside them leads to."""
        others = np.maximum(np.delete(self.size, slice(a, b)), least / STANDS_OUT)
        if not len(others):
            return math.inf
        before, after = others[:a], others[a:][::-1]
        return max(float(others.max()), *(float(x[-1] ** 2 / x[-2]) for x in (before, after) if len(x) > 1 and x[-2] > 0), 0.0)
