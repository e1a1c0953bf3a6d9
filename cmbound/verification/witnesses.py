"""Where the search for counterexamples begins: the instances of ``witnesses.toml``, which come closest to attaining a rule.

Each is a law, a grid and a teacher on which the sum of local errors is a large share of the bound of one rule (theory 4); they
were found by random draws and an optimiser on the knobs.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from typing import Any

from cmbound.files import toml_of
from cmbound.frozen import FrozenDict
from cmbound.theory.records import Theorem
from cmbound.theory.variants import TEACHERS
from cmbound.verification.instances import Recipe
from cmbound.verification.local_sums import MEASURE

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
"""Choices all of them share, unless they say otherwise."""


@lru_cache(maxsize=1)
def _rows() -> dict[str, Any]:
    text = resources.files("cmbound.verification").joinpath("witnesses.toml").read_text(encoding="utf-8")
    return toml_of(text, "witnesses.toml")


def witnesses(theorem: Theorem, world: str | None = None) -> list[Recipe]:
    """The known instances for the experiment of a statement, in one world or in all."""
    return [
        Recipe(theorem.id, row["world"], row["seed"], {**_PLAIN, **row["choices"]}, row["knobs"])
        for row in _rows().get(theorem.experiment or "", ())
        if world in (None, row["world"]) and row["choices"]["teacher"] in TEACHERS
    ]
