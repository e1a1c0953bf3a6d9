"""What is wrong with a model, and what would lower its error: read off the terms and the noise levels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from cmbound.certification.bounds import paired
from cmbound.certification.certificate import Advice, Judged, Level
from cmbound.certification.request import Request
from cmbound.certification.teachers import ORDER
from cmbound.certification.telescope import Sampled, Setup

MOST_OF_IT = 0.8
"""Share of the discretisation error that the noise levels named for a finer grid make up."""
BOUNDARY = 0.05
"""A boundary term above this share of the early stopping is worth a word."""
LATE = 0.5
"""An early stopping above this share of the best constant's error leaves little to be learnt."""
STANDS_OUT = 5.0
"""A step whose error is so many times the median of those around it that share no noise level with it stands out."""
AROUND = 4  # steps on either side: the error of a trained model changes by a factor over more of them
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
    return (*found, *located(levels, SEEN * law.sd2)), tuple(notes)


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


def located(levels: Sequence[Level], least: float) -> list[str]:
    """Steps and noise levels at which an error is made that is not made around them, largest noise level first.

    Each term is measured by what is its own fault: the student's by the smaller one of norm(C_n), which holds the teacher's
    error too, and norm(C_n + S_n + G_n), which a student that follows its teacher has too; the teacher's by the error of its
    denoiser and by its local error, which know nothing of the student.
    """
    student = [min(x.consistency, x.change) for x in levels]
    teacher = [x.eps_sc * x.sigma_from**2 for x in levels]
    found, j, out = [], 0, _outstanding(student, least)
    while j < len(levels):
        level = levels[j]
        if out[j] and j + 1 < len(levels) and out[j + 1]:
            size = max(student[j : j + 2])
            found.append(f"consistency: noise level {level.sigma_to:.4g} stands out, in both steps that meet there ({size:.3g})")
            j += 1
        elif out[j]:
            found.append(_step("consistency", level, student[j]))
        j += 1
    # a fault of the student at one noise level is in both steps that meet there; one of the teacher is in one step
    for name, sizes in (("score", teacher), ("discretisation", [x.local_discretisation for x in levels])):
        shown = [getattr(x, "score" if name == "score" else "local_discretisation") for x in levels]
        found += [
            _step(name, x, s) for x, s, is_out in zip(levels, shown, _outstanding(sizes, least, False), strict=True) if is_out
        ]
    return found


def _step(name: str, level: Level, size: float) -> str:
    return f"{name}: the step from noise level {level.sigma_from:.4g} to {level.sigma_to:.4g} stands out ({size:.3g})"


def _outstanding(sizes: Sequence[float], least: float, apart: bool = True) -> list[bool]:
    """Which steps have an error far above that of the steps around them (``apart``: of those that share no noise level)."""
    gap = 1 if apart else 0
    mean = sum(sizes) / len(sizes)
    out = []
    for j, size in enumerate(sizes):
        around = [*sizes[max(0, j - AROUND) : max(0, j - gap)], *sizes[j + 1 + gap : j + 1 + AROUND]]
        out.append(bool(around) and size > STANDS_OUT * float(np.median(around)) and size > max(mean, least))
    return out
