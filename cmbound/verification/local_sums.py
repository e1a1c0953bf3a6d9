"""Instances of the bound on the map error whose truth is the sum of local teacher errors itself, whatever the student.

Theory 3.1 bounds the map error of a student by the weighted sum of the errors of single teacher steps, and a profile bounds that
sum. A student seldom attains the first step; here the second is compared with the truth alone: the weights W_j = L_f(t_j) are
numbers nobody has to find a student for, the consistency errors are 0, and the teacher may have a score error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from cmbound.distances.scaling import Array
from cmbound.frozen import FrozenDict, Record
from cmbound.names import GRIDS
from cmbound.theory.formulas import accepts
from cmbound.theory.records import Theorem
from cmbound.verification import gaussian, mixture
from cmbound.verification.bench import Params, Ranges, node_number
from cmbound.verification.instances import Instance, Recipe, Truth
from cmbound.verification.local import LocalErrors, Wave
from cmbound.verification.runner import law
from cmbound.verification.settings import OFF, amplitude, grid_nodes, law_constants, parameters, picked, random_knobs
from cmbound.worlds.atoms import Atoms
from cmbound.worlds.base import World
from cmbound.worlds.gaussian import Gaussian
from cmbound.worlds.geometry import diameter
from cmbound.worlds.mixture import Mixture
from cmbound.worlds.process import noise, noise_level
from cmbound.worlds.product import Product
from cmbound.worlds.zigzag import Zigzag

MEASURE = "local errors"
"""What the choice ``measure`` of a recipe says."""
KNOBS: Ranges = FrozenDict({"log_uneven": (OFF, 0.5), "log_frequency": (-1.0, 1.0), "tilt": (-3.0, 3.0)})
"""More knobs, decimal logarithms: spread of log10 of the weights; frequency of the error of the noise prediction.

The last is the power of the noise level that the weights grow like; log10 of the one weight, up to its sign, where there is one.
"""

_SHAPES = FrozenDict(
    {
        "gaussian": {"spectrum": 0.7, "steps": 0.3},
        "mixture": {"line": 0.45, "product": 0.4, "zigzag": 0.15},
        "atoms": {"line": 0.45, "product": 0.4, "several": 0.15},
    }
)
"""Laws of each world, and how often: a random spectrum or one with few large eigenvalues; a law on the line, a product of such
laws, a score whose slopes alternate, a finite data set in several dimensions."""
_SIZES = FrozenDict(
    {"spectrum": (1, 2, 8, 64, 1000), "steps": (2, 8, 64, 1000), "product": (2, 3, 20, 500), "several": (2, 3, 100)}
)
UP = 1e-12
"""Relative: eigenvalues and distances carry the rounding errors of float64."""
_FEW = FrozenDict({"zigzag": 5, "several": 3, "line": 21, "product": 13})  # steps of a grid, for half a second
_TILTED = 0.5  # how often
_PLANE = 2  # dimensions of what is sampled: more have the same law along them


def draw(world: str, theorem: Theorem, rng: np.random.Generator, choices: Mapping[str, Any]) -> Recipe:
    """A random recipe; ``choices`` are those already made for the statement."""
    shares = _SHAPES[world]
    shape = picked(rng, list(shares), list(shares.values()))
    made = {
        "shape": shape,
        "d": picked(rng, _SIZES.get(shape, (1,))),
        "components": picked(rng, [1, 2, 3, 5], [0.1, 0.5, 0.2, 0.2]),
        "symmetric": bool(rng.random() < 0.3),
        "widths": "common",
        "more": bool(rng.random() < 0.5),  # the eigenvalues of the covariance and the diameter are given too
        **choices,
        "measure": MEASURE,
    }
    made["N"] = min(int(made["N"]), _FEW.get(shape, 10**6))
    if made["constants"] != "lists":
        made["clock"] = "ou"  # one L_f in noise levels is another in OU times at every node
    ranges, names = gaussian.KNOBS, ["log_variance", "log_spread"]
    if world != "gaussian":
        ranges, names = mixture.KNOBS, ["log_radius", "log_tau", "log_weight", "log_score"]
    drawn = {**{name: ranges[name] for name in (*names, "log_delta", "log_span")}, **KNOBS}
    del drawn["tilt"]
    return Recipe(theorem.id, world, int(rng.integers(2**31)), made, random_knobs(drawn, rng, 0.6))


def weighted(recipe: Recipe, rng: np.random.Generator) -> Recipe:
    """The recipe with weights that matter: random ones between 1/3000 and 3000, and a power of the noise level."""
    tilt = float(rng.uniform(*KNOBS["tilt"])) if rng.random() < _TILTED else 0.0
    uneven = float(rng.uniform(0.0, KNOBS["log_uneven"][1])) if rng.random() < _TILTED else OFF
    return replace(recipe, knobs={**recipe.knobs, "tilt": tilt, "log_uneven": uneven})


def heavy(recipe: Recipe) -> Recipe:
    """The recipe with one weight for all steps, the largest there is."""
    kind = recipe.choices["grid"] if recipe.choices["grid"] in GRIDS else "geometric"
    choices = {**recipe.choices, "constants": "single", "grid": kind, "clock": "ou"}
    return replace(recipe, choices=choices, knobs={**recipe.knobs, "tilt": KNOBS["tilt"][1]})


@dataclass(frozen=True, eq=False)
class LocalSum(Record):
    """What a recipe builds: a law, a grid, a teacher, and weights."""

    recipe: Recipe

    @cached_property
    def world(self) -> World:
        """The data law."""
        choices, knobs, size = self.recipe.choices, self.recipe.knobs, int(self.recipe.choices["d"])
        rng = np.random.default_rng([self.recipe.seed, 3])
        if choices["shape"] in ("spectrum", "steps"):
            levels = np.concatenate([[0.0], rng.uniform(0, 1, size - 1)])
            levels = np.round(levels**0.2) if choices["shape"] == "steps" else levels
            return Gaussian(np.zeros(size), 10.0 ** (knobs["log_variance"] - knobs["log_spread"] * levels))
        if choices["shape"] == "zigzag":
            pieces = rng.uniform(0.3, 3.0, 2 * int(rng.integers(1, 4)) - 1)
            return Zigzag(10.0 ** (-2 * knobs["log_radius"]), pieces)
        if choices["shape"] == "several":
            return (
                Product([self._factor(0, _PLANE), Atoms([[0.0]])], [1, size - _PLANE]) if size > _PLANE else self._factor(0, size)
            )
        if choices["shape"] == "line":
            return self._factor(0, 1)
        kinds = min(size, 3)
        return Product([self._factor(i, 1) for i in range(kinds)], [size // kinds + (i < size % kinds) for i in range(kinds)])

    def _factor(self, number: int, size: int) -> Mixture:
        """A mixture or a data set in ``size`` dimensions."""
        plain = {"log_mean": OFF, **self.recipe.knobs}
        choices = {**self.recipe.choices, "d": size}
        return law(replace(self.recipe, seed=self.recipe.seed + number, choices=choices, knobs=plain))

    @cached_property
    def errors(self) -> LocalErrors:
        """The local errors of the steps."""
        choices, knobs = self.recipe.choices, self.recipe.knobs
        tau = {"mixture": 10.0 ** knobs.get("log_tau", OFF), "atoms": 0.0}.get(self.recipe.world, 0.0)
        width = self.world.sd2 if choices["shape"] == "zigzag" else tau
        wave = Wave(amplitude(knobs.get("log_score", OFF)), 10.0 ** knobs["log_frequency"], width)
        return LocalErrors(self.world, grid_nodes(choices, knobs), str(choices["teacher"]), wave, self.recipe.seed)

    @cached_property
    def weights(self) -> Array:
        """L_f(t_1), ..., L_f(t_N)."""
        nodes = self.errors.nodes
        count, tilt = len(nodes) - 1, self.recipe.knobs.get("tilt", 0.0)
        spread = amplitude(self.recipe.knobs["log_uneven"]) * np.random.default_rng([self.recipe.seed, 4]).uniform(-1, 1, count)
        if self.recipe.choices["constants"] != "lists":
            spread = np.full(count, np.abs(spread[0]) + np.abs(tilt))
        elif tilt:
            spread = spread + tilt * np.log10(noise_level(nodes[1:]) / noise_level(nodes[0]))
        return np.asarray(10.0**spread)

    @property
    def truth(self) -> Truth:
        """sum_j W_j norm(xhat_j - x_j) up to the node asked for, in the units of the clock; W_0 = 1 where L_f is a list."""
        choices, nodes = self.recipe.choices, self.errors.nodes
        first = 1.0 if choices["constants"] == "lists" else self.weights[0]
        count = node_number(len(nodes) - 1, choices["at"])
        scale = float(np.exp(nodes[0])) if choices["clock"] == "ve" else 1.0
        return self.errors.total(scale * np.concatenate([[first], self.weights])[:count])

    def parameters(self, theorem: Theorem) -> Params:
        """What the statement is evaluated with."""
        choices, found = self.recipe.choices, self.errors
        constants = law_constants(theorem, self.world, found.nodes, choices)
        if choices.get("more"):
            constants |= _more(self.world, theorem)
        score = found.noise_errors / noise(found.nodes)
        if choices["teacher"] == "heun":
            constants["M"] = found.slopes.tolist() if choices["constants"] == "lists" else float(found.slopes.max())
        asked = score if choices["teacher"] == "heun" else score[1:]  # Heun's method asks for the score at t_0 too
        return parameters(theorem, choices, found.nodes, constants, self.weights, asked, np.zeros(len(score) - 1))


def _more(world: World, theorem: Theorem) -> dict[str, Any]:
    """The eigenvalues of the covariance and the diameter of the support, rounded up, where the statement takes them."""
    eigenvalues = _spectrum(world)
    found: dict[str, Any] = {"cov_eigs": (np.maximum(eigenvalues, 0.0) + UP * eigenvalues.max()).tolist()}
    factors = world.pairs if isinstance(world, Product) else ((world, 1),)
    if all(isinstance(x, Atoms) for x, _ in factors):
        squares = (count * diameter(x.points) ** 2 for x, count in factors if isinstance(x, Atoms))
        found["diameter"] = float(np.sqrt(sum(squares))) * (1 + UP)
    return {name: x for name, x in found.items() if accepts(theorem, name)}


def _spectrum(world: World) -> Array:
    """The eigenvalues of the covariance."""
    if isinstance(world, Product):
        return np.concatenate([np.tile(_spectrum(x), n) for x, n in world.pairs])
    return np.asarray(world.eigenvalues if isinstance(world, Gaussian) else np.linalg.eigvalsh(world.covariance))


def build(recipe: Recipe, theorem: Theorem) -> Instance:
    """The instance of a recipe."""
    found = LocalSum(recipe)
    return Instance(recipe, found.parameters(theorem), found.truth)
