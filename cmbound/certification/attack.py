"""Claims are attacked before they are believed: the samples are searched for a place where a claimed constant does not hold."""

from __future__ import annotations

import numpy as np

from cmbound.certification.bounds import lower_root
from cmbound.certification.certificate import Refutation
from cmbound.certification.flow import Paths
from cmbound.certification.laws import squares
from cmbound.certification.models import Denoiser, Model
from cmbound.certification.request import Request
from cmbound.certification.telescope import ATTACKS, Sampled, Setup, stream
from cmbound.worlds.base import Array
from cmbound.worlds.process import time_of

ROUNDING = 1e-3
"""Relative excess over a claimed Lipschitz constant that a model in single precision may show by rounding."""

SINGLE = 4e-7
"""Relative rounding of answers in single precision: a few units of 2^-24."""
REPLAY = 1 << 30  # streams of replays, beyond those of the noise levels
MOST_REPLAYED = 4000
"""Fresh points of a replay: a mean over them is known to some per cent."""


def attacked(request: Request, setup: Setup, paths: Sampled, alpha: float) -> list[Refutation]:
    """The claims that do not hold, each with its worst noise level and point."""
    found: list[Refutation] = []
    for name, claimed in request.claims:
        worst = _lipschitz(setup, paths, claimed) if name == "L_f" else _error(name, request, setup, paths, claimed, alpha)
        found += [] if worst is None else [worst]
    return found


def _alone(model: Model) -> Model:
    """The same model, asked in float64."""
    return model.alike(dtype="float64")


def replayed(model: Model, sigma: float, x: Array, y: Array) -> float:
    """The quotient of differences of two points alone, asked in float64."""
    alone = _alone(model)
    moved = alone(x[None], sigma) - alone(y[None], sigma)
    return float(np.linalg.norm(moved) / np.linalg.norm(x - y))


def _lipschitz(setup: Setup, paths: Sampled, claimed: tuple[float, ...]) -> Refutation | None:
    """The pair that exceeds its constant most, of those that still do when they are asked alone."""
    pairs = sorted(zip(paths.pairs, claimed, strict=True), key=lambda x: -x[0].quotient / x[1])
    for pair, constant in pairs:
        if pair.quotient <= constant * (1 + ROUNDING):
            break
        sigma = float(setup.sigmas[pair.level])
        again = replayed(setup.model, sigma, pair.x, pair.y)
        if again > constant * (1 + ROUNDING):
            return Refutation("L_f", sigma, constant, pair.quotient, pair.x, pair.y, again)
    return None


def _error(
    name: str, request: Request, setup: Setup, paths: Sampled, claimed: tuple[float, ...], alpha: float
) -> Refutation | None:
    """The step at which a lower confidence bound of the L2 error exceeds the claim most, if that of fresh points does so too."""
    units_of = _units(name, request)
    values = paths.score_error if name == "eps_sc" else paths.steps["consistency"]
    tail = alpha / (2 * len(values))  # one half for the samples, one for the replay
    lower = np.array([lower_root(x, tail) for x in values])
    # what is rounding of answers in single precision, or of the exact trajectories, refutes nothing
    slack = np.array([_rounding(setup, sigma) for sigma in request.sigmas[1:]])
    allowed = np.array(claimed) * units_of * (1 + ROUNDING) + slack
    for j in np.argsort(allowed / np.maximum(lower, 1e-300)):
        if lower[j] <= allowed[j]:
            break
        rng = stream(request.seed, ATTACKS, REPLAY + int(j))
        x = setup.law.draw(min(request.n, MOST_REPLAYED), rng)
        x = x + request.sigmas[j + 1] * rng.standard_normal(x.shape)
        again = lower_root(_squared_errors(name, setup, x, int(j)), tail)
        if again > allowed[j]:
            unit, (_, point) = float(units_of[j]), paths.worst[name][j]
            found, replay = float(lower[j]) / unit, again / unit
            return Refutation(name, request.sigmas[j + 1], claimed[j], found, point, np.zeros(0), replay)
    return None


def _units(name: str, request: Request) -> Array:
    """From the units of a claim to those of an error of the map or the denoiser, for each step."""
    return np.square(request.sigmas[1:]) if name == "eps_sc" else np.diff(time_of(np.array(request.sigmas)))


def _rounding(setup: Setup, sigma: float) -> float:
    """An error at this noise level that rounding may make up."""
    return SINGLE * float(np.sqrt(setup.law.d)) * (setup.law.scale + sigma)


def _squared_errors(name: str, setup: Setup, x: Array, j: int) -> Array:
    """The squared errors of step j at points of its upper noise level, asked in float64."""
    high, low, law = float(setup.sigmas[j + 1]), float(setup.sigmas[j]), setup.law
    teacher = None if setup.teacher is None else Denoiser(_alone(setup.teacher.model), setup.teacher.output)
    if name == "eps_sc" and teacher is not None:
        return squares(teacher(x, high) - law.denoiser(x, high))
    if teacher is None:
        paths = Paths(law, x, high, setup.tolerance)
        paths.down(low)
        lower = paths.x
    else:
        lower = setup.step(teacher, x, high, low)
    model = _alone(setup.model)
    return squares(model(x, high) - model(lower, low))
