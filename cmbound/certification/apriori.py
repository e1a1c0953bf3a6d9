"""The last rung: what a statement of the catalogue says, with the constants that were measured (theory 5.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cmbound.certification.request import Request
from cmbound.certification.teachers import CATALOGUED
from cmbound.certification.telescope import Setup
from cmbound.errors import CmboundError
from cmbound.evaluation.statement import Statement, about
from cmbound.theory.formulas import accepts
from cmbound.worlds.process import time_of

IDENTITY = 1e-6
"""A model that moves its argument at the lowest noise level by less, over the scale of the data, is the identity there."""


def a_priori(request: Request, setup: Setup, errors: Mapping[str, Any], boundary: float) -> tuple[float | None, str]:
    """The bound, or None and why there is none."""
    law = setup.law
    if boundary > IDENTITY * law.sd2:
        return None, f"f(x, sigma_0) = x does not hold (off by {boundary:.3g})"
    if request.teacher and request.solver == "heun":
        return None, "the statement about Heun's teacher needs M, which is not measured; the local errors are measured above"
    if request.teacher and request.solver not in CATALOGUED:
        return None, f"no statement of the catalogue is about the solver {request.solver}; its local errors are measured above"
    statement = _statement("one_step" if request.teacher else "training")
    ends = (float(time_of(request.sigmas[0])), float(time_of(request.sigmas[-1])))
    given: dict[str, Any] = {**law.constants(*ends), "m2": errors["m2"]}
    given |= {"clock": "ve", "start": "matched"}
    if request.teacher:
        given |= {name: [float(x) for x in errors[name]] for name in ("L_f", "eps_sc", "eps_cm")}
        given |= {"grid": list(request.sigmas), "teacher": CATALOGUED[request.solver], "profile": request.profile}
    else:  # no teacher: the statement knows the ends and one constant each
        given |= {"delta": ends[0], "T": ends[1], "eps_cm": float(max(errors["eps_cm"]))}
        given |= {"L_f": max(1.0, float(max(errors["L_f"])))}
    options = {"clock", "start", "grid", "teacher", "profile", "t_star"}
    given = {name: x for name, x in given.items() if name in options or accepts(statement, name)}
    if not statement.uses_profile:
        given.pop("t_star", None)
    try:
        found = statement.evaluate(**given)
    except CmboundError as error:
        return None, str(error)
    return float(found), f"{statement.id} at measured constants"


def _statement(experiment: str) -> Statement:
    return next(x for x in about(experiment) if x.kind == "explicit")
