"""Where the search for counterexamples begins: the instances of ``witnesses.toml``, which come close to attaining a bound.

Those of the map error are a law, a grid and a teacher on which the sum of local errors is a large share of the bound of one rule
(theory 4), found by random draws and an optimiser on the knobs. The others were constructed: where all terms but one are small.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from typing import Any

from cmbound.files import toml_of
from cmbound.frozen import FrozenDict
from cmbound.theory.records import Theorem
from cmbound.theory.variants import TEACHERS
from cmbound.verification.instances import Recipe
from cmbound.verification.local_sums import MEASURE
from cmbound.verification.settings import OFF

_PLAIN = FrozenDict(
    {
        "measure": MEASURE,
        "components": 2,
        "symmetric": False,
        "widths": "common",
        "constants": "lists",
        "profile": "auto",
        "clock": "ou",
        "t_star": "delta",
        "at": 1.0,
        "times": [],
        "start": "standard",
        "to": "p_delta",
    }
)
"""Choices the sums of local errors share, unless they say otherwise."""
_PIPELINE = FrozenDict(
    {
        "shape": "isotropic",
        "null": 0,
        "aligned": True,
        "centred": False,
        "student": "composed",
        "score_sign": 1,
        "drift_sign": 1,
        "constants": "lists",
        "profile": "auto",
        "start": "matched",
        "to": "p_data",
        "clock": "ou",
        "t_star": "0",
        "at": 1.0,
        "times": [],
        "corrector_steps": 100,
        "scalar": True,
    }
)
"""Choices the runs of an affine student share."""
_QUIET = FrozenDict({"log_spread": 0.0} | dict.fromkeys(("log_mean", "log_score", "log_linear", "log_drift", "log_noise"), OFF))
"""Their knobs: no error but that of the grid."""
_SHARED: Mapping[str, tuple[Mapping[str, Any], Mapping[str, float]]] = FrozenDict({"map_error": (_PLAIN, {})})


@lru_cache(maxsize=1)
def _rows() -> dict[str, Any]:
    text = resources.files("cmbound.verification").joinpath("witnesses.toml").read_text(encoding="utf-8")
    return toml_of(text, "witnesses.toml")


def witnesses(theorem: Theorem, world: str | None = None) -> list[Recipe]:
    """The known instances for the experiment of a statement, in one world or in all."""
    choices, knobs = _SHARED.get(theorem.experiment or "", (_PIPELINE, _QUIET))
    return [
        Recipe(theorem.id, row["world"], row["seed"], {**choices, **row["choices"]}, {**knobs, **row["knobs"]})
        for row in _rows().get(theorem.experiment or "", ())
        if world in (None, row["world"]) and row["choices"]["teacher"] in TEACHERS
    ]
