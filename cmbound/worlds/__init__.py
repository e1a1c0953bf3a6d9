"""Analytic worlds: data laws whose score, flow and consistency function are known (theory 4)."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cmbound.worlds.atoms import Atoms
    from cmbound.worlds.base import World
    from cmbound.worlds.data import read_data
    from cmbound.worlds.gaussian import Gaussian
    from cmbound.worlds.mixture import Mixture

__all__ = ["Atoms", "Gaussian", "Mixture", "World", "read_data"]

_HOMES = {"Atoms": "atoms", "Gaussian": "gaussian", "Mixture": "mixture", "World": "base", "read_data": "data"}


def __getattr__(name: str) -> Any:
    """The public names, each loaded when it is first asked for (SciPy is slow to import)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
