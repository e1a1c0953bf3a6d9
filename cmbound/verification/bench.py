"""What an experiment is, and the bench it is carried out on: a law, a grid, a teacher and a student in one world."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from cmbound.distances.scaling import Array
from cmbound.frozen import FrozenDict, Record
from cmbound.theory.records import Theorem
from cmbound.verification.instances import Recipe, SkippedError, Truth
from cmbound.worlds.base import World

Ranges = Mapping[str, tuple[float, float]]
"""Of the knobs of a recipe, by name."""
Params = dict[str, Any]

EVERYWHERE = FrozenDict({"gaussian": 0.8, "mixture": 0.1, "atoms": 0.1})
"""How instances are divided among the worlds when none is asked for."""


class Bench(ABC):
    """What a recipe builds in one world, and what can be measured of it; ``exact`` where every law is known in closed form.

    Times are given by the number of a node t_0 < ... < t_N; lengths are in the units of the clock of the recipe. What a world
    cannot measure raises SkippedError.
    """

    exact: ClassVar[bool] = False

    def __init__(self, recipe: Recipe, theorem: Theorem, experiment: Experiment) -> None:
        self.recipe, self.theorem, self.experiment = recipe, theorem, experiment
        self.choices, self.knobs = recipe.choices, recipe.knobs

    @property
    @abstractmethod
    def world(self) -> World:
        """The data law."""

    @property
    @abstractmethod
    def nodes(self) -> Array:
        """t_0 < ... < t_N, OU times."""

    @property
    @abstractmethod
    def constants(self) -> tuple[Params, Params | None]:
        """What the statement is evaluated with; and the same with constants that certainly hold, where those are measured.

        Raises SkippedError where an assumption of the statement (or of the profile asked for) cannot be met.
        """

    @property
    def low(self) -> float:
        """Delta."""
        return float(self.nodes[0])

    @property
    def scale(self) -> float:
        """A length in the units of the clock is this times that in OU units."""
        return float(np.exp(self.low)) if self.choices["clock"] == "ve" else 1.0

    @property
    def start(self) -> str:
        """The law sampling starts from: chosen where the statement leaves it open."""
        return str(self.choices["start"]) if self.theorem.uses_start else "standard"

    @property
    def target(self) -> str:
        """The law distances are taken to: chosen where the statement leaves it open."""
        return str(self.choices["to"]) if self.theorem.has_target else "p_data"

    def node(self, fraction: float) -> int:
        """The node a fraction of the grid stands for, one of t_1, ..., t_N."""
        return node_number(len(self.nodes) - 1, fraction)

    @abstractmethod
    def map_error(self, n: int) -> Truth:
        """L2 distance of f_theta(., t_n) to the exact consistency function under p_{t_n}."""

    @abstractmethod
    def w2(self, later: Sequence[int], to: str) -> Truth:
        """W2 between the samples after the evaluations at t_N and at the nodes ``later``, and ``to``."""

    def tv(self, to: str, after: Kernel | None) -> Truth:
        """Total variation between p_delta, or the sample of one evaluation sent through ``after``, and ``to``."""
        raise SkippedError("total variation is not known in several dimensions of this world")

    def score_model(self, params: Mapping[str, Any]) -> Params:
        """What a corrector is told of the learned score at delta: its Lipschitz constant, and its error where that changes."""
        return {"L_phi": params["L_s"]}

    @abstractmethod
    def score_slope(self) -> Truth:
        """The Lipschitz constant of the scores on [delta, T], or the largest slope found."""

    @abstractmethod
    def map_slope(self) -> Truth:
        """The Lipschitz constant of the exact consistency function at T, or the largest slope found."""


@dataclass(frozen=True)
class Kernel:
    """What runs after the student: OU smoothing for a time ``u``, or the underdamped Langevin corrector (``steps`` > 0)."""

    u: float = 0.0
    friction: float = 0.0
    step: float = 0.0
    steps: int = 0


Measure = Callable[[Bench, Mapping[str, Any]], tuple[Truth, Params]]
Draw = Callable[[str, Theorem, np.random.Generator, Mapping[str, Any]], Recipe]


@dataclass(frozen=True, eq=False)
class Experiment(Record):
    """What is simulated to check a statement.

    Attributes:
        title: what is measured, in one line.
        measure: from the bench and the constants of its recipe to the truth and further parameters of the statement.
        quantity: ``W2``, ``map error``, ``TV`` or ``slope``; decides which laws are drawn.
        constants: whether the statement is evaluated at the measured constants of a run (else ``measure`` gives all parameters).
        exact_pairs: the error of the student is that along the exact trajectory.
        on_the_line: where nothing is in closed form it is carried out in one dimension only.
        closed: it is carried out only where every law is in closed form.
        after: what runs after the student: ``smoothing`` or ``corrector``.
        shares: the worlds it is carried out in, and how instances are divided among them.
        draw: draws its own recipes, whose knobs have the ranges ``knobs``.
    """

    title: str
    measure: Measure
    quantity: str = "W2"
    constants: bool = True
    exact_pairs: bool = False
    on_the_line: bool = False
    closed: bool = False
    after: str = ""
    shares: Mapping[str, float] = EVERYWHERE
    draw: Draw | None = None
    knobs: Ranges = field(default_factory=dict)


def node_number(count: int, fraction: float) -> int:
    """The node a fraction of a grid of ``count`` steps stands for, one of t_1, ..., t_N."""
    return max(1, min(count, round(fraction * count)))
