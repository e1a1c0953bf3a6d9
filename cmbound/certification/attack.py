"""Claims are attacked before they are believed: the samples are searched for a place where a claimed constant does not hold."""

from __future__ import annotations

import numpy as np

from cmbound.certification.bounds import lower_root
from cmbound.certification.certificate import Refutation
from cmbound.certification.flow import Paths
from cmbound.certification.models import Denoiser, Model
from cmbound.certification.request import Request
from cmbound.certification.telescope import Sampled, Setup
from cmbound.worlds.base import Array
from cmbound.worlds.process import time_of

ROUNDING = 1e-3
"""Relative excess over a claimed Lipschitz constant that a model in single precision may show by rounding."""


def attacked(request: Request, setup: Setup, paths: Sampled, alpha: float) -> list[Refutation]:
    """The claims that do not hold, each with its worst noise level and point."""
    found: list[Refutation] = []
    for name, claimed in request.claims:
        worst = _lipschitz(setup, paths, claimed) if name == "L_f" else _error(name, request, setup, paths, claimed, alpha)
        found += [] if worst is None else [worst]
    return found


def _alone(model: Model) -> Model:
    """The same model, asked in float64."""
    alone = Model(model.call, model.d, model.name, clip=model.clip, clock=model.clock, factor=model.factor)
    alone.by_row = model.by_row
    return alone


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
    """The step at which a lower confidence bound of the L2 error exceeds the claim most, and its worst path."""
    values = paths.score_error if name == "eps_sc" else paths.steps["consistency"]
    units = np.square(request.sigmas[1:]) if name == "eps_sc" else np.diff(time_of(np.array(request.sigmas)))
    lower = np.array([lower_root(x, alpha / len(values)) for x in values]) / units
    with np.errstate(divide="ignore", invalid="ignore"):
        over = np.where(lower > 0, lower / np.array(claimed), 0.0)
    j = int(over.argmax())
    if over[j] <= 1:
        return None
    _, point = paths.worst[name][j]
    again = _replayed_error(name, setup, point, j) / float(units[j])
    return Refutation(name, request.sigmas[j + 1], claimed[j], float(lower[j]), point, np.zeros(0), again)


def _replayed_error(name: str, setup: Setup, point: Array, j: int) -> float:
    """The error of step j at one point alone, in float64."""
    high, low, x, law = float(setup.sigmas[j + 1]), float(setup.sigmas[j]), point[None], setup.law
    teacher = None if setup.teacher is None else Denoiser(_alone(setup.teacher.model), setup.teacher.output)
    if name == "eps_sc" and teacher is not None:
        return float(np.linalg.norm(teacher(x, high) - law.denoiser(x, high)))
    if teacher is None:
        paths = Paths(law, x, high, setup.tolerance)
        paths.down(low)
        lower = paths.x
    else:
        lower = setup.step(teacher, x, high, low)
    model = _alone(setup.model)
    return float(np.linalg.norm(model(x, high) - model(lower, low)))
