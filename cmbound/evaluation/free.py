"""Parameters of the algorithm that a user may leave out: the ones that make the bound smallest are taken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cmbound.errors import DomainError
from cmbound.numbers import exact
from cmbound.records import Theorem

RANGE = (-12.0, 6.0)
"""Decimal logarithms between which the best value is looked for."""
MOST_FRICTION = 4.0
"""Largest friction tried, in units of L_phi^(1/2): more lowers the bound a little towards the overdamped limit, and the number
of steps grows without end."""
_DIGITS = 6


def best(theorem: Theorem, params: Mapping[str, Any]) -> dict[str, str]:
    """Values, as decimal text, of the free parameters that ``params`` leaves out.

    The search is float64 (Nelder-Mead on logarithms from the best point of a coarse grid); any value gives a valid bound, so
    that nothing about it needs a proof.

    Raises:
        CmboundError: as for an evaluation; DomainError if no value satisfies the assumptions.
    """
    from scipy.optimize import minimize

    from cmbound.evaluation.point import evaluate_setting
    from cmbound.evaluation.setting import resolve

    names = [name for name in theorem.free if params.get(name) is None]
    if not names or (params.get("preset") is not None and _in_preset(params["preset"], names)):
        return {}
    failure: list[DomainError] = []
    most = MOST_FRICTION * float(exact("L_phi", params["L_phi"])) ** 0.5 if params.get("L_phi") is not None else np.inf

    def value(logs: Any) -> float:
        if np.min(logs) < RANGE[0] or np.max(logs) > RANGE[1]:
            return np.inf
        if "gamma" in names and 10.0 ** logs[names.index("gamma")] > most:
            return np.inf
        try:
            return evaluate_setting(resolve(theorem, {**params, **_texts(names, logs)}), "approximate").value
        except DomainError as error:
            failure.append(error)
            return np.inf

    axes = np.meshgrid(*[np.linspace(-7.0, 3.0, 21 if len(names) == 1 else 9)] * len(names), indexing="ij")
    starts = np.stack([x.ravel() for x in axes], axis=-1)
    values = np.array([value(x) for x in starts])
    if not np.isfinite(values).any():
        raise failure[-1]
    first = starts[int(np.argmin(values))]
    simplex = np.array([first, *(first + 0.2 * step for step in np.eye(len(names)))])
    options = {"initial_simplex": simplex, "xatol": 1e-4, "fatol": 1e-10, "maxfev": 120}
    with np.errstate(invalid="ignore"):
        found = minimize(value, first, method="Nelder-Mead", options=options).x
    return _texts(names, found if value(found) <= values.min() else first)


def _texts(names: list[str], logs: Any) -> dict[str, str]:
    return {name: f"{10.0**x:.{_DIGITS}g}" for name, x in zip(names, logs, strict=True)}


def _in_preset(name: Any, names: list[str]) -> bool:
    from cmbound.presets import preset

    return all(x in preset(name).parameters for x in names)
