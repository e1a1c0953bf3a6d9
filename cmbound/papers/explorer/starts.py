"""Where the explorer starts: presets, completed so that every one of them has a number."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from cmbound.catalogue.presets import names as preset_names
from cmbound.errors import CmboundError, InputError
from cmbound.evaluation.free import best
from cmbound.evaluation.given import items
from cmbound.evaluation.nodes import FLOATS, nodes
from cmbound.evaluation.point import evaluate
from cmbound.evaluation.setting import resolve, with_preset
from cmbound.frozen import FrozenDict
from cmbound.names import OPTIONS
from cmbound.papers.explorer.model import ONE_BY_ONE
from cmbound.theory.formulas import ALIASES, required
from cmbound.theory.notation import TABLE
from cmbound.theory.records import Theorem

USUAL = "gaussian-2d"
"""The preset that fills in what a user leaves out."""
_ASSUMED: Mapping[str, str] = FrozenDict(
    {
        "L_s": "4", "R": "0.01", "k": "3", "t_hat": "1", "t": "6", "C": "1", "eps": "0.1", "N": "100",
        "eta": "1e-3", "L_phi": "4", "KL": "1", "FI": "1", "c_rate": "0.5", "W_prev": "0.5", "p": "1", "dtau": "0.1",
        "eps_w": "0.01", "kappa": "0.01", "hbar": "0.01", "L_os": "0", "L_v": "1", "eps_v": "0.01", "gam_v": "1",
        "eps_loss": "0.01", "L_map": "1", "eps_est": "0.01", "eps_F": "0.01", "eps_ci": "0.01",
        "sigma_high": "1", "sigma_low": "0.9",
    }
)  # fmt: skip
"""What stands where a preset has nothing to say."""

Start = dict[str, dict[str, str]]
"""``numbers`` and ``options``, as the page has them."""


def starts(theorem: Theorem, params: Mapping[str, Any]) -> dict[str, Start]:
    """The starting points of a page by name, what the user asked for first; those at which nothing can be computed are left out.

    Raises:
        CmboundError: what the user asked for cannot be evaluated, or the page has no place for it.
    """
    given = {"preset": USUAL, **{name: x for name, x in params.items() if x is not None}}
    name = str(given["preset"])
    found = {f"{name}, with what was given" if len(given) > 1 else name: start(theorem, given)}
    for other in preset_names():
        with suppress(CmboundError):
            here = start(theorem, {"preset": other})
            if here not in found.values():  # some presets say nothing of some statements
                found[other] = here
    return found


def start(theorem: Theorem, given: Mapping[str, Any]) -> Start:
    """One starting point, completed; ``given`` names a preset at least."""
    for name, x in given.items():
        _refuse(theorem, name, x)
    numbers, options = ({x: y for x, y in given.items() if (x in OPTIONS) == is_option} for is_option in (False, True))
    numbers, options = with_preset(theorem, numbers, options)
    added = _missing(theorem, {*numbers}, options)
    if "t_hat" in added:
        added["t_hat"] = _node_near(theorem, {**numbers, **added, **options}, added["t_hat"])
    numbers = {**added, **numbers}
    numbers |= best(theorem, {**numbers, **options}) if theorem.free else {}
    evaluate(theorem, {**numbers, **options}, tier="approximate")
    texts = {name: str(x).strip() for name, x in numbers.items()}
    chosen = {name: str(x) for name, x in options.items()}
    if "t_star" in texts:
        chosen["t_star"] = "0" if texts.pop("t_star") in ("0", "0.0") else "delta"
    if "N" in texts and theorem.uses_profile:
        chosen.setdefault("grid", "uniform")
    elif chosen.get("grid") == "uniform":
        chosen["grid"] = "uniform-h"
    return {"numbers": texts, "options": chosen}


def _refuse(theorem: Theorem, name: str, value: Any) -> None:
    """Raise InputError for what a page has no place for."""
    if name in ("digits", "tier"):
        raise InputError(f"explore takes no {name}: the page computes in float64")
    if name in ONE_BY_ONE or (name not in OPTIONS and items(value) is not None):
        raise InputError(f"explore takes one number for {name}: the page has no lists")
    if name in ("grid", "profile") and not isinstance(value, str):
        raise InputError(f"explore takes the name of a {name}, got {value!r}")


def _missing(theorem: Theorem, present: set[str], options: Mapping[str, Any]) -> dict[str, str]:
    """Numbers for what is required and not given."""
    present = present | {name for alias, name in ALIASES.items() if alias in present}
    on_grid = theorem.uses_profile and (options.get("grid", "uniform") not in ("uniform", "two-stage") or "N" in present)
    out = {*present, *theorem.free} | ({"h"} if on_grid else set()) | ({"t"} if "T" in present else set())
    return {name: _assumed(name) for name in required(theorem) if name not in out}


def _node_near(theorem: Theorem, params: Mapping[str, Any], wanted: str) -> str:
    """The node of a grid nearest to a time; the time itself where there is no grid."""
    setting = resolve(theorem, {x: y for x, y in params.items() if x != "t_hat"}, left_out=("t_hat",))
    if setting.grid is None:
        return wanted
    times = np.asarray(nodes(setting, FLOATS)[1:])
    return repr(float(times[np.argmin(np.abs(times - float(wanted)))]))


def _assumed(name: str) -> str:
    """A number of the parameter's domain, for one of a user's own the simplest."""
    if name in _ASSUMED:
        return _ASSUMED[name]
    domain = TABLE[name].domain
    low = 0 if domain.low is None else domain.low
    if domain.high is not None:
        return f"{low + domain.high}/2"
    return str(low + 1 if domain.low_open or low == 0 else low)
