"""Whether a teacher returns what it is said to return: its answers, read in every way there is, against the law's denoiser."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from cmbound.certification.models import OUTPUTS, Denoiser
from cmbound.certification.telescope import PROBE, Setup, squares, stream
from cmbound.errors import InputError
from cmbound.frozen import FrozenDict
from cmbound.worlds.base import Array

Reading = Callable[[Array, Array, float, bool], Array]
POINTS = 64  # at each noise level: what is read in the wrong way is wrong at each of them
CLEARLY = 10.0
"""How much closer another reading must be than the one that was asked for: no training error is that large."""
FAR = 0.02
"""Of the best constant's error: a teacher that is closer than that on the whole is not questioned."""
CLOSE = 0.5
"""Of the best constant's error, at every noise level: another reading must denoise, and not be less wrong only."""
ELSEWHERE: Mapping[str, Reading] = FrozenDict(
    {
        "the noise with the other sign": lambda raw, x, s, ou: x + s * raw,
        "the score with the other sign": lambda raw, x, s, ou: x - s**2 * raw * (1 / np.hypot(1, s) if ou else 1.0),
        "noise - x_0 (rectified flow)": lambda raw, x, s, ou: (x - s * raw) / (1 + s),
        "x_0 - noise (rectified flow)": lambda raw, x, s, ou: (x + s * raw) / (1 + s),
        "the velocity with the other sign": lambda raw, x, s, ou: (x + s * np.hypot(1, s) * raw) / (1 + s**2),
        "the field -x - score of the probability flow in the time t": lambda raw, x, s, ou: (
            x - s**2 / np.hypot(1, s) * (x / np.hypot(1, s) + raw)
        ),
    }
)
"""Readings that are no ``teacher_output``: the denoiser from the answer, x and sigma (VE units), and whether the clock is OU."""


def unlike(setup: Setup) -> list[str]:
    """A note where the teacher is worse than the best constant answer on the whole.

    Raises:
        InputError: read in another way its answers are those of a denoiser, and in the way that was asked for they are not.
    """
    teacher, law = setup.teacher, setup.law
    if teacher is None:
        return []
    rng = stream(setup.seed, PROBE, 1)
    x0, z = law.draw(POINTS, rng), rng.standard_normal((POINTS, law.d))
    off: dict[str, list[float]] = {}
    for sigma in map(float, setup.sigmas[1:]):  # the teacher need not be right at the lowest
        x = x0 + sigma * z
        truth = law.denoiser(x, sigma)
        for name, reading in _readings(teacher, x, sigma).items():
            off.setdefault(name, []).append(math.sqrt(float(squares(reading - truth).mean())))
    sizes = {name: math.sqrt(float(np.mean(np.square(values)))) for name, values in off.items()}
    mine = sizes.pop(teacher.output)
    near = min(sizes, key=lambda name: max(off[name]))
    # one level at which it is wrong is an error of the teacher, not another meaning
    mostly = np.mean(np.multiply(off[near], CLEARLY) < off[teacher.output]) > 1 / 2
    if mine > FAR * law.sd2 and max(off[near]) < CLOSE * law.sd2 and sizes[near] * CLEARLY < mine and mostly:
        advice = f"give teacher_output {near}" if near in OUTPUTS else "no teacher_output means that: convert it"
        raise InputError(
            f"the teacher does not look like teacher_output {teacher.output}: read so it is off E[x_0 | x] by {mine:.3g}, "
            f"read as {near} by {sizes[near]:.3g}; {advice}"
        )
    if mine <= law.sd2:
        return []
    return [
        f"the teacher does not look like a denoiser (teacher_output {teacher.output}): it is off E[x_0 | x] by {mine:.3g} in "
        f"root mean square, the best constant by at most {law.sd2:.3g}"
    ]


def _readings(teacher: Denoiser, x: Array, sigma: float) -> dict[str, Array]:
    raw, ou = teacher.model(x, sigma), teacher.model.clock == "ou"
    found = {name: teacher.read(name, raw, x, sigma) for name in OUTPUTS}
    return found | {name: np.asarray(read(raw, x, sigma, ou)) for name, read in ELSEWHERE.items()}
