"""Whether model and teacher are what they are said to be: their answers, asked and read in every way there is, against the law.

A teacher has the law's denoiser, a model its exact consistency function. Answers that are far from it as they are asked and
read, and near it in another way, are no bad answers but misread ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import suppress

import numpy as np

from cmbound.certification.laws import DataLaw, Law
from cmbound.certification.models import ASKINGS, OUTPUTS, Denoiser, Model, read
from cmbound.certification.telescope import PROBE, Sampled, Setup, stream
from cmbound.errors import CmboundError, InputError
from cmbound.frozen import FrozenDict
from cmbound.names import CLOCKS
from cmbound.numbers import counted
from cmbound.worlds.base import Array

Reading = Callable[[Array, Array, float, float], Array]
Probed = tuple[Array, float, Array]
"""Points (n, d), their noise level, and the right answers (n, d)."""
POINTS = 64  # at each noise level: what is read in the wrong way is wrong at each of them
FAR = 0.02
"""Of the best constant's error: what is closer than that on the whole is not questioned."""
CLOSE = 0.5
"""Of the best constant's error, at every noise level: another reading must be right, and not be less wrong only."""
CLEARLY = (10.0, 10.0)
"""How much closer the denoiser must be to a model than the exact map is, in root mean square and at most noise levels."""
KIND = (2.0, 1.5)
"""The same of another output of a teacher, of what it leaves out."""
LEFT_OUT, MOST_LEFT_OUT = 0.3, 1.0
"""What an output may leave out of the denoiser, in root mean square and at any noise level, to be what it is read as: the error
over that of an answer 0. A poor teacher leaves out a part in every reading, and 0 all of it."""
NEAR, LEFT_OUT_NEAR, KIND_NEAR = 0.1, 0.5, (1.2, 1.0)
"""Of the best constant's error: where a reading is that near at every noise level, it may leave out so much and be so little
closer, since the answer itself is small at some of them."""
LEFT_OUT_ELSEWISE, LEFT_OUT_ELSEWHERE = 0.15, 0.05
"""The same where it is asked in another way, and of readings that are no ``teacher_output``: some are near one that is."""
OWN_LEFT_OUT, OWN_LEFT_OUT_ELSEWISE = 0.4, 0.2
"""What is left out at least by the reading that was asked for, if it is not what the teacher returns."""
LEAST_ANSWER, LEAST_OWN_ANSWER = 0.3, 0.5
"""Of the best constant's error: an answer 0 is taken to be off by no less, at any noise level. But where x alone is near the
denoiser at every level, as with the velocity of a standard normal law, an answer that is another reading's must be as small."""
ASKED_ELSEWISE = (1.5, 3.0)
"""How much closer a teacher must be that is asked in another way, which agrees with the right one at some noise levels, where any
answer is near the mean or near x."""
MISREAD = (2.0, 2.0)
"""The same of a model, which is named and not refused."""
LOST = 1.2  # of the best constant's error: a model that is off by more, and fits in no other way, is judged by its units
FITS = 0.15
"""Of the best constant's error: how near a model must be in another reading, as a whole, for that to be named."""
ROUNDED = 0.01  # of the scale of the data: what is rounded by more is no longer the same model
NO_WORSE = 1.1  # at no noise level
ELSEWHERE: Mapping[str, Reading] = FrozenDict(
    {
        "the noise with the other sign": lambda raw, x, s, c: x + s * raw,
        "the score with the other sign": lambda raw, x, s, c: x - s**2 * raw * c,
        "noise - x_0 (rectified flow)": lambda raw, x, s, c: (x - s * raw) / (1 + s),
        "x_0 - noise (rectified flow)": lambda raw, x, s, c: (x + s * raw) / (1 + s),
        "the velocity with the other sign": lambda raw, x, s, c: (x + s * np.hypot(1, s) * raw) / (1 + s**2),
        "the field -x - score of the probability flow in the time t": lambda raw, x, s, c: (
            x - s**2 / np.hypot(1, s) * (x / np.hypot(1, s) + raw)
        ),
    }
)
"""Readings that are no ``teacher_output``: the denoiser from the answer, x, sigma (VE units) and the factor x is asked with."""
WAYS = FrozenDict({x: f"in the clock {x}" if x in CLOCKS else f"at {x}" for x in ASKINGS})


def unlike(setup: Setup) -> list[str]:
    """A note where the teacher is worse than the best constant answer on the whole.

    Raises:
        InputError: asked or read in another way its answers are those of a denoiser, and as they were asked for they are not.
    """
    teacher, law = setup.teacher, setup.law
    if teacher is None:
        return []
    rng = stream(setup.seed, PROBE, 1)
    x0, z = law.draw(POINTS, rng), rng.standard_normal((POINTS, law.d))
    levels = map(float, setup.sigmas[1:])  # the teacher need not be right at the lowest
    probed = [(x := x0 + sigma * z, sigma, law.denoiser(x, sigma)) for sigma in levels]
    found = _errors(teacher.model, probed)
    own, clock = found[teacher.output], teacher.model.clock
    near = _other_output(teacher, probed, found, law.sd2)
    elsewise = _elsewise(teacher.model, probed, own, law.sd2, ASKED_ELSEWISE, None)
    right = _size(_own_left_out(own, _errors_of_nothing(teacher.model, probed)[teacher.output], law.sd2)) <= OWN_LEFT_OUT_ELSEWISE
    other = None if right else elsewise[1]
    if other and (near is None or CLEARLY[0] * _size(elsewise[2][other]) < _size(found[near])):
        clock, near, found = elsewise
    if near is not None:
        given, ways = teacher.model.clock, _ways(teacher.model.clock, clock)
        raise InputError(
            f"the teacher does not look like teacher_output {teacher.output}{ways[0]}: read so it is off E[x_0 | x] by "
            f"{_size(own):.3g}, read as {near}{ways[1]} by {_size(found[near]):.3g}; "
            f"{_how_to_ask('teacher', given, clock, teacher.output, near)}"
        )
    if _size(own) <= law.sd2:
        return []
    return [
        f"the teacher does not look like a denoiser (teacher_output {teacher.output}): it is off E[x_0 | x] by {_size(own):.3g} "
        f"in root mean square, the best constant by at most {law.sd2:.3g}"
    ]


def misread(setup: Setup, paths: Sampled) -> list[str]:
    """A finding where the model, asked or read in another way, is far nearer to the exact consistency function."""
    model, law = setup.model, setup.law
    end = paths.trail[0] if model.clip is None else np.clip(paths.trail[0], *model.clip)
    probed = [(x, float(s), end) for x, s in zip(paths.trail[1:], setup.sigmas[1:], strict=True)]
    errors = _errors(model, probed, OUTPUTS)
    own = errors.pop("denoiser")  # the answer itself
    told = f"the model is off the exact consistency function by {_size(own):.3g} in root mean square"
    denoised = _errors(model, [(x, s, law.denoiser(x, s)) for x, s, _ in probed], ("denoiser",))
    if _nearest(denoised, own, law.sd2, CLEARLY):
        return [f"{told}, off the denoiser E[x_0 | x] by {_size(denoised['denoiser']):.3g}: it is no consistency function"]
    clock, near = model.clock, _nearest(errors, own, law.sd2, MISREAD)
    if near is None:
        clock, near, errors = _elsewise(model, probed, own, law.sd2, MISREAD, float(setup.sigmas[0]))
    if near is None or _size(errors[near]) > FITS * law.sd2:
        lost = _size(own) > LOST * law.sd2
        return [f"the model fits no known way to ask and to read it: {_scales(model, law, probed)}"] if lost else []
    read_as = "" if near == "denoiser" else f", its answers read as {near},"
    advice = _how_to_ask("model", model.clock, clock, "denoiser", near)
    return [f"{told}; asked {WAYS[clock]}{read_as} it is off by {_size(errors[near]):.3g}: {advice}"]


def rounded(setup: Setup) -> tuple[list[str], list[str]]:
    """What model and teacher round visibly: findings where it is no small part of the scale of the data, and notes."""
    asked = [setup.model, *([] if setup.teacher is None else [setup.teacher.model])]
    told = [x for model in asked for x in model.rounding()]
    large = [text for text, off in told if off > ROUNDED * setup.law.scale]
    return large, [text for text, _ in told if text not in large]


def _ways(given: str, other: str) -> tuple[str, str]:
    """What is said of the two ways to ask, if they differ."""
    return ("", "") if given == other else (f" asked {WAYS[given]}", f" and asked {WAYS[other]}")


def _how_to_ask(what: str, given: str, other: str, output: str, near: str) -> str:
    found = []
    if other != given:
        said = f"no clock means that, so give a function of (x, sigma) that asks the {what} so"
        found.append(f"give clock {other}" if other in CLOCKS else said)
    if near != output and what == "teacher":
        found.append(f"give teacher_output {near}" if near in OUTPUTS else "no teacher_output means that: convert it")
    elif near != output:
        found.append("convert its answers")
    return ", and ".join(found)


def _errors(model: Model, probed: list[Probed], outputs: tuple[str, ...] = (*OUTPUTS, *ELSEWHERE)) -> dict[str, Array]:
    """By reading: the root mean square error at each noise level."""
    off: dict[str, list[float]] = {}
    free, scale = model.alike(clip=None), ASKINGS[model.clock].scale
    for x, sigma, truth in probed:
        raw = free(x, sigma)
        for name in outputs:
            answer = read(name, raw, x, sigma, model.clock) if name in OUTPUTS else ELSEWHERE[name](raw, x, sigma, scale(sigma))
            answer = answer if model.clip is None else np.clip(answer, *model.clip)
            apart = answer - truth
            off.setdefault(name, []).append(math.sqrt(float(np.vdot(apart, apart)) / len(apart)))
    return {name: np.array(values) for name, values in off.items()}


def _scales(model: Model, law: Law, probed: list[Probed]) -> str:
    """How large answers and right answers are, by coordinate: data in other units are seen by it."""
    answers, right = np.concatenate([model(x, s) for x, s, _ in probed]), np.concatenate([end for *_, end in probed])
    other = ("data", law.points, law.mean.mean()) if isinstance(law, DataLaw) else ("right ones", right, right.mean())
    which = f"answers at {counted(len(right), 'noised point')}"
    said = [
        f"{name} lie in [{x.min():.3g}, {x.max():.3g}], with mean {mean:.3g}"
        for name, x, mean in ((which, answers, answers.mean()), other)
    ]
    return f"its {said[0]}, the {said[1]}"


def _other_output(teacher: Denoiser, probed: list[Probed], errors: Mapping[str, Array], sd2: float) -> str | None:
    """The output, of those that were not asked for, that the answers are; None if they are none, or what was asked for.

    A reading makes the denoiser of x and of what the answer says besides. What it leaves out is its error over that of an answer
    0, at each noise level: nothing where answers are what they are read as, all of it where they say nothing.
    """
    nothing = _errors_of_nothing(teacher.model, probed)
    own = _own_left_out(errors[teacher.output], nothing[teacher.output], sd2)
    left = {name: _left_out(off, nothing[name], sd2) for name, off in errors.items()}
    if _size(errors[teacher.output]) <= FAR * sd2 or _size(own) <= OWN_LEFT_OUT:
        return None
    for names, allowed in ((OUTPUTS, LEFT_OUT), (ELSEWHERE, LEFT_OUT_ELSEWHERE)):
        name = min((x for x in names if x != teacher.output), key=lambda x: _size(left[x]))
        near = left[name]
        is_near = name in OUTPUTS and bool(errors[name].max() <= NEAR * sd2)
        least, (whole, most) = (LEFT_OUT_NEAR, KIND_NEAR) if is_near else (allowed, KIND)
        clear = _size(near) * whole < _size(own) and np.mean(near * most < own) > 1 / 2
        if clear and _size(near) < least and near.max() < MOST_LEFT_OUT:
            return name
    return None


def _errors_of_nothing(model: Model, probed: list[Probed]) -> dict[str, Array]:
    """By reading: the errors of an answer 0."""
    return _errors(model.alike(call=lambda x, s: 0 * x), probed)


def _left_out(off: Array, nothing: Array, sd2: float) -> Array:
    return np.asarray(off / np.maximum(nothing, max(LEAST_ANSWER * min(sd2, _size(nothing)), 1e-300)))


def _own_left_out(off: Array, nothing: Array, sd2: float) -> Array:
    """The same on the safe side: what is right by being small leaves out nothing."""
    return np.asarray(off / np.maximum(nothing, max(LEAST_OWN_ANSWER * sd2, 1e-300)))


def _elsewise(
    model: Model, probed: list[Probed], own: Array, sd2: float, times: tuple[float, float], low: float | None
) -> tuple[str, str | None, dict[str, Array]]:
    """The other way to ask, the reading and its errors that are nearest to what is right; no reading if none is.

    ``low``: the noise level in whose units a model answers (None: a teacher).
    """
    best: tuple[str, str | None, dict[str, Array]] = model.clock, None, {}
    outputs = (*OUTPUTS, *ELSEWHERE) if low is None else OUTPUTS
    if _size(own) <= FAR * sd2:
        return best
    for clock in (x for x in ASKINGS if x != model.clock):
        factor = 1.0 if low is None else 1 / ASKINGS[clock].scale(low)
        with suppress(CmboundError), np.errstate(all="ignore"):  # it need not bear being asked so
            found = _errors(model.alike(clock=clock, factor=factor), probed, outputs)
            near = _nearest(found, own, sd2, times)
            if near and low is None:
                left = _left_out(found[near], _errors_of_nothing(model.alike(clock=clock), probed)[near], sd2)
                near = near if _size(left) < (LEFT_OUT_ELSEWISE if near in OUTPUTS else LEFT_OUT_ELSEWHERE) else None
            if near and (best[1] is None or _size(found[near]) < _size(best[2][best[1]])):
                best = clock, near, found
    return best


def _nearest(found: Mapping[str, Array], own: Array, sd2: float, times: tuple[float, float]) -> str | None:
    """The reading that is nearest, if it is right where what was asked for is not."""
    name = min(found, key=lambda x: float(found[x].max()))
    near, (whole, most) = found[name], times
    # one level at which it is wrong is an error, not another meaning
    mostly = np.mean(near * most < own) > 1 / 2 and (near <= NO_WORSE * own + FAR * sd2).all()
    right = _size(own) > FAR * sd2 and float(near.max()) < CLOSE * sd2 and _size(near) * whole < _size(own)
    return name if right and mostly else None


def _size(off: Array) -> float:
    return math.sqrt(float(np.square(off).mean()))
