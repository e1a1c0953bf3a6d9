"""Comparing with constants that are measured on a law whose truth is known instead of given.

The teacher and the student are those of :func:`cmbound.verification.simulation.simulate`. In the Gaussian world every constant is
exact; on a mixture or a data set those of the law are exact and L_f and eps_cm are measured along exact trajectories.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from cmbound.comparison.asked import Given, shown_text, wants_step
from cmbound.comparison.compare import compared
from cmbound.comparison.readings import derived_numbers
from cmbound.comparison.records import Comparison
from cmbound.errors import InputError
from cmbound.frozen import FrozenDict
from cmbound.numbers import counted
from cmbound.theory.formulas import accepts, required
from cmbound.theory.notation import TABLE
from cmbound.theory.records import Theorem
from cmbound.theory.variants import visible_symbols
from cmbound.threads import alone
from cmbound.verification.affine import Pipeline
from cmbound.verification.request import measured_constant
from cmbound.verification.settings import law_constants
from cmbound.verification.simulation import run_parameters, simulate
from cmbound.worlds.gaussian import Gaussian

EXACT_READING = "A4-exact"
RUN = FrozenDict(
    {"delta": "delta", "T": "horizon", "N": "grid_steps", "k": "steps", "times": "times", "eps_sc": "eps_sc", "eps_cm": "eps_cm"}
)
"""Parameters that shape the run, and what :func:`simulate` calls them."""
_LAW = ("d", "m2", "sd2", "d_eff", "L_s", "L_os", "R", "tau", "n_atoms", "weights", "t_star")
_SAMPLES = 20  # exact trajectories along which constants are measured


@alone
def compare(
    *,
    statements: Iterable[str | Theorem] | None = None,
    metric: str | None = None,
    world: Any = None,
    assume: Sequence[str] = (),
    tier: str = "certified",
    **params: Any,
) -> Comparison:
    """Evaluate every statement at one point and rank the bounds, metric by metric.

    Each statement gets the parameters it has. One that cannot be evaluated stays in the comparison with the reason. Rules: an
    order form is evaluated with C = 1 and not ranked, unless ``C`` is given; a statement whose form is unconfirmed is never
    ranked; where eps_cm means different things (A4, A4-exact) it is read as in A4, unless ``assume`` names the other.
    ``h`` is the largest step of the grid where a statement asks for h and a grid was given. Where ``eps_ci`` was not
    given and A4-exact is assumed it is eps_cm times ``dtau`` (if that was not given, of any size: no value depends on it).

    Args:
        statements: ids, or statements of one's own; default all of the catalogue.
        metric: only statements in this metric.
        world: a law (Gaussian, Mixture, Atoms) from which constants are measured.
        assume: ids of other readings of an assumption, such as ``A4-exact``, that hold as well.
        tier: ``certified`` or ``approximate``.
        params: numbers and options as for :meth:`cmbound.Statement.evaluate`.

    Raises:
        InputError: nothing to compare with, an unknown name, something malformed.
        DomainError: a number outside its domain.

    >>> import cmbound
    >>> found = cmbound.compare(statements=["explicit-one-step", "lyu2023-thm3"], preset="gaussian-2d")
    >>> [(row.id, row.status) for row in found.rows]
    [('lyu2023-thm3', 'order form'), ('explicit-one-step', 'ranked')]
    """
    source = Given.at if world is None else lambda numbers, options, _: Measured(world, numbers, options)
    return compared(source, statements, metric, assume, tier, params)


class Measured(Given):
    """Where the parameters of each statement come from when a world is given.

    Of the numbers, delta, T, N (steps of the grid), k or times or t_hat, eps_sc and eps_cm shape the run (the sizes of the
    teacher's and of the student's error); everything else is assumed and passed on.

    Raises:
        InputError: a number that is measured here was given, or an option the run does not have.
        DomainError: a number outside its domain.
    """

    def __init__(self, world: Any, numbers: Mapping[str, Any], options: Mapping[str, Any]) -> None:
        for name in ("preset", "clock"):
            if options.get(name) not in (None, "ou"):
                raise InputError(f"{name} does not go with a world: its constants are measured in the ou clock")
        if not isinstance(options.get("grid", ""), str):
            raise InputError("grid is a list; with a world a kind of grid is needed")
        for name in numbers:
            if name in (*_LAW, "L_f", "h") or name.startswith("sigma_m"):
                what = "is measured from the world; leave it out" if name in (*_LAW, "L_f") else "does not go with a world"
                raise InputError(f"{name} {what} (delta, T, N, k, times, eps_sc and eps_cm shape the run)")
        super().__init__(numbers, {name: x for name, x in options.items() if name not in ("preset", "clock")})
        run = {RUN[name]: x for name, x in numbers.items() if name in RUN}
        if isinstance(run.get("times"), str):
            run["times"] = run["times"].split(",")
        if "t_hat" in numbers:
            run["times"] = [numbers["t_hat"]] * (int(run.pop("steps", 2)) - 1) or None
        chosen = {name: x for name, x in self.options.items() if name in ("grid", "teacher", "start", "to", "profile")}
        self._simulation = simulate(world, n=1 if isinstance(world, Gaussian) else _SAMPLES, **run, **chosen)
        self._run = self._simulation.run
        self.options |= {"start": self._run.start}
        self.notes = (self._note(),)
        if self._pipeline is not None:
            self.readings = (EXACT_READING,)
        names = (*self.law, "L_f", "eps_sc", "eps_cm")
        self.measured = (*names, *(("L_phi",) if self._pipeline is not None else ()), *self._entropies)

    @cached_property
    def law(self) -> Mapping[str, Any]:
        """The constants of the data law."""
        return self._run.world.constants(self._run.low, float(self._run.nodes[-1]))

    @cached_property
    def step(self) -> float:
        """The largest step of the grid."""
        return float(np.max(np.diff(self._run.nodes)))

    @property
    def asked(self) -> tuple[str, ...]:
        """What does not shape the run."""
        return tuple(name for name in self.numbers if name not in (*RUN, "t_hat"))

    @property
    def _pipeline(self) -> Pipeline | None:
        """In the Gaussian world, all maps of the run."""
        return self._run.pipeline if isinstance(self._run.world, Gaussian) else None

    def derived(self, theorem: Theorem) -> dict[str, Any]:
        """The consistency error of one interval, from the one along exact trajectories where that was measured."""
        error = 0 if self._pipeline is None else float(np.max(self._pipeline.trajectory_error))
        return derived_numbers(theorem, {**self.numbers, "eps_cm": error})

    def __call__(self, theorem: Theorem) -> dict[str, Any]:
        run, found = self._run, self._simulation.parameters
        stated = (visible_symbols(x.expression) for x in theorem.bare_sources)
        lists = theorem.uses_profile and not any(TABLE["eps_sc"].symbol in x for x in stated)
        choices = {"constants": "lists" if lists else "single", "profile": self.options.get("profile", "auto")}
        rate = found["eps_cm"]
        if self._pipeline is not None and any(x.id == EXACT_READING for x in theorem.statement_assumptions):
            rate = self._pipeline.trajectory_error
        law = self.law
        if theorem.uses_profile:  # as a simulation of the run has them: its bound and the one compared are the same
            law = {**law, **law_constants(theorem, run.world, run.nodes, {"t_star": "0", "profile": choices["profile"]})}
        params = run_parameters(theorem, run, law, found["L_f"], found["eps_sc"], rate, **choices)
        if not run.indices and (theorem.bare_recursion or "k" in required(theorem)):
            params = {name: x for name, x in params.items() if name not in ("times", "t_hat")} | {"k": 1}
        if not lists and theorem.uses_profile:
            params["grid"] = [float(x) for x in run.nodes]
            params = {name: x for name, x in params.items() if name not in ("N", "delta", "T", "h")}
        assumed = {name: self.numbers[name] for name in self.asked if accepts(theorem, name)}
        params = {**self._more(theorem), **params, **assumed, **self.derived(theorem)}
        return params | {name: x for name, x in self.options.items() if name == "digits"}

    def _more(self, theorem: Theorem) -> dict[str, Any]:
        """What only some statements ask for."""
        run = self._run
        found: dict[str, Any] = dict(self._entropies)
        later = [float(run.nodes[i]) for i in run.indices]
        if self._pipeline is not None:
            found["L_phi"] = float(np.atleast_1d(self._pipeline.score[:1].lipschitz())[0])
        if not theorem.uses_profile:
            found |= {"delta": run.low, "T": float(run.nodes[-1]), "k": len(later) + 1, "N": len(run.nodes) - 1}
            found |= {"h": math.nextafter(self.step, math.inf)} if wants_step(theorem) else {}
            found |= {"t_hat": later[0]} if len(set(later)) == 1 else {}
            if len(set(later)) > 1 and accepts(theorem, "times"):
                found["times"] = later
        return {name: x for name, x in found.items() if name in required(theorem) or name == "times"}

    @cached_property
    def _entropies(self) -> dict[str, float]:
        """Relative entropy and Fisher information of a Gaussian data law to N(0, I), where they are finite."""
        world = self._run.world
        variances = world.variances(np.zeros(1))[0] if isinstance(world, Gaussian) else np.zeros(1)
        if not np.all(variances > 0):
            return {}
        shift = float(np.sum(world.mean**2))
        entropy = (shift + float(np.sum(variances - 1 - np.log(variances)))) / 2
        return {"KL": max(entropy, 0.0), "FI": max(shift + float(np.sum(variances - 2 + 1 / variances)), 0.0)}

    @property
    def shown(self) -> dict[str, Any]:
        """A summary: lists by their largest entry."""
        run, found = self._run, self._simulation.parameters
        numbers: dict[str, Any] = {name: x for name, x in self.law.items() if name != "weights"}
        numbers |= {name: max(found[name]) for name in ("L_f", "eps_sc", "eps_cm")}
        numbers |= {"delta": run.low, "T": float(run.nodes[-1]), "N": len(run.nodes) - 1, "k": len(run.indices) + 1}
        numbers |= self._entropies
        given = {name: shown_text(x) for name, x in self.numbers.items() if name not in numbers}
        return {name: x if isinstance(x, str) else measured_constant(name, x, 8) for name, x in numbers.items()} | given

    def _note(self) -> str:
        """How the constants are known."""
        run = self._run
        first = f"{run.student} student of the {run.teacher} teacher, {run.grid} grid of {counted(len(run.nodes) - 1, 'step')}"
        if self._simulation.exact:
            last = self._simulation.steps[-1]
            return f"{first}: every constant is exact; true W2(q_{last.k}, {run.to}) = {last.w2.value:.6g}"
        text = "L_f and eps_cm are L2 constants along a sample of exact trajectories, and rare jumps between points may be missed"
        return f"{first}: {text}"
