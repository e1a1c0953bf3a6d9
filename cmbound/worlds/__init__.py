"""Analytic worlds: data laws whose score, flow and consistency function are known (theory 4)."""

from cmbound.worlds.atoms import Atoms
from cmbound.worlds.base import World
from cmbound.worlds.data import read_data
from cmbound.worlds.gaussian import Gaussian
from cmbound.worlds.mixture import Mixture

__all__ = ["Atoms", "Gaussian", "Mixture", "World", "read_data"]
