"""A sampler run on a law whose truth is known: measured W2 beside the bound (theory 3.5 and 4).

In the Gaussian world every law of the run is Gaussian: W2 and the constants are exact. On a mixture or a data set W2 is estimated
from samples, and L_f are the L2 constants along exact trajectories, measured: the proofs of theory 3.1 and 3.5 need only those.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from cmbound.distances import MAX_TRANSPORT, unseen
from cmbound.distances.scaling import Array, norm
from cmbound.errors import DomainError, InputError
from cmbound.evaluation.records import Evaluation, terms_table
from cmbound.evaluation.statement import Statement, about, theorem as find
from cmbound.frozen import FrozenDict, Record, thawed
from cmbound.numbers import apart, counted, rounded, text_up
from cmbound.reports.cells import Cell, math, mixed, number
from cmbound.reports.report import Body, Report, Result
from cmbound.reports.table import Table
from cmbound.theory.profiles import profile as profile_of
from cmbound.theory.records import Theorem
from cmbound.verification.carried import Measured, measured
from cmbound.verification.instances import SkippedError, Truth
from cmbound.verification.request import CHOICES as CHOICES, Run, in_clock, measured_constant
from cmbound.verification.settings import law_constants, parameters
from cmbound.worlds.gaussian import Gaussian
from cmbound.worlds.mixture import Mixture
from cmbound.worlds.process import noise, signal

Progress = Callable[[int], object]

_TWO_SAMPLES = (
    "as an estimate for the laws it is biased upwards, which the 95% interval covers; the interval is asymptotic: what is rare "
    "and has not been sampled is not in it"
)
METHODS = FrozenDict(
    {
        "samples": f"W2 is that of two samples, exact in one dimension; {_TWO_SAMPLES}",
        "transport": f"W2 is that of two samples, by optimal transport; {_TWO_SAMPLES}",
        "sliced": "W2 is d^(1/2) times the sliced W2 of two samples, which estimates a lower bound of W2; the 95% interval is "
        f"for that bound, and asymptotic (optimal transport needs POT, the extra pot, and at most {MAX_TRANSPORT} samples)",
    }
)


@dataclass(frozen=True, eq=False)
class Evaluated(Record):
    """One evaluation: its number, its time (noise level in the ``ve`` clock), measured W2, the bound and its terms.

    The interval of ``w2`` holds rounding errors if it is exact, and is an asymptotic one of 95% confidence if not.
    """

    k: int
    time: float
    w2: Truth
    bound: float
    terms: Mapping[str, float]

    @property
    def ratio(self) -> float | None:
        """Measured W2 over the bound (None if the bound is 0)."""
        return self.w2.value / self.bound if self.bound > 0 else None

    @property
    def violated(self) -> bool:
        """Whether the lower end of W2 is above the bound."""
        return self.w2.lower > self.bound


@dataclass(frozen=True, eq=False, repr=False)
class Simulation(Result, Record):
    """A run of the sampler beside its bound, in the units of its clock.

    Attributes:
        run: what was run.
        steps: the evaluations in order.
        corrected: W2 after the corrector, which no bound covers (None: no corrector).
        method: how W2 was measured: ``exact``, ``samples`` (one dimension), ``transport`` or ``sliced``.
        parameters: what the statement was evaluated with (L_f, eps_sc, eps_cm: one number for each step).
        evaluation: the bound after the last evaluation.
        samples, truth: output of the run, the corrector included, and independent samples of the target, each (n, d).
    """

    run: Run
    steps: tuple[Evaluated, ...]
    corrected: Truth | None
    method: str
    parameters: Mapping[str, Any]
    evaluation: Evaluation
    samples: Array = field(repr=False)
    truth: Array = field(repr=False)

    @property
    def exact(self) -> bool:
        """Whether W2 and the constants are exact (else measured on samples)."""
        return self.method == "exact"

    @property
    def violations(self) -> tuple[int, ...]:
        """Numbers of the evaluations whose measured W2 is above the bound."""
        return tuple(x.k for x in self.steps if x.violated)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must be told besides the numbers."""
        found = []
        if not self.exact:
            constants = "L_f is an L2 constant" if self.run.student == "distilled" else "L_f and eps_cm are L2 constants"
            along = f"along {self.run.trajectories} exact trajectories"
            found.append(f"bound at measured constants: {constants} {along}; rare jumps between points may be missed")
            found.append(METHODS[self.method])
            found += self._unseen()
        if self.corrected is not None:
            found.append("no bound covers W2 after the corrector")
        return (*found, *self.evaluation.notes)

    def _unseen(self) -> list[str]:
        """Where the samples of the target do not show its variance, which is known."""
        world, early = self.run.world, self.run.to == "p_delta"
        c, s, scale = (float(signal(self.run.low)), float(noise(self.run.low)), self.run.scale) if early else (1.0, 0.0, 1.0)
        sd2 = scale * float(np.hypot(c * world.sd2, s * np.sqrt(world.d)))
        found = norm(self.truth - scale * c * world.mean, axis=1)
        if not unseen(found**2, sd2):
            return []
        seen = float(norm(found) / np.sqrt(len(found)))
        return [
            f"the samples of the law have sd2 = {rounded(seen, 4, 'nearest')}, the law has {rounded(sd2, 4, 'nearest')}: a few "
            "points far away carry the rest and were hardly drawn; measured W2 and its intervals do not show them"
        ]

    def report(self) -> Report:
        """Measured W2 and the bound after every evaluation."""
        title = f"measured W2 beside the bound of {self.evaluation.theorem.id}, {_world_name(self.run)}"
        return Report(title, _page(self), lambda: _data(self), _exact_table(self), _document(self))


def simulate(
    world: Gaussian | Mixture | Run,
    *,
    statement: str | Theorem | None = None,
    profile: str = "auto",
    progress: Progress | None = None,
    **options: Any,
) -> Simulation:
    """Run the sampler on a law whose truth is known and set measured W2 beside the bound.

    Args:
        world: the data law, exact for :class:`Gaussian` and sampled for :class:`Mixture` and ``Atoms``; or the whole
            :class:`~cmbound.verification.request.Run`.
        statement: what gives the bound: one about W2 after one or several evaluations (default: the explicit one about several).
        profile: its regularity profile.
        progress: called with 1 after each part of the work.
        options: the rest of the :class:`~cmbound.verification.request.Run`: ``steps``, ``times``, ``delta``, ``horizon``,
            ``grid``, ``grid_steps``, ``teacher``, ``student``, ``start``, ``clock``, ``to``, ``eps_sc``, ``eps_cm``,
            ``corrector``, ``n``, ``seed``, ``workers``.

    Raises:
        InputError: something not understood, of the wrong type, or a profile that is not available.
        DomainError: a number outside its domain, or a run that is too large; it is refused before anything is computed.

    >>> import cmbound
    >>> run = cmbound.simulate(cmbound.Gaussian([0.0], 1.0), n=10)
    >>> run.steps[0].w2.value < run.steps[0].bound
    True
    """
    run = world if isinstance(world, Run) else Run(world, **options)
    theorem = _bounding(statement, run)
    if profile != "auto":
        profile_of(profile)
    found = measured(run, progress or (lambda x: None))
    params = _parameters(theorem, run, found, profile)
    evaluation = replace(theorem.evaluate(**params), unused=())  # measured here, not given
    bounds = [(x.t, x.value, x.terms) for x in evaluation.steps or ()]
    bounds = bounds or [(float(run.nodes[-1]), evaluation.value, evaluation.terms)]
    evaluations = tuple(
        Evaluated(k, in_clock(t, run.clock), w2, bound, {name: x.value for name, x in terms.items()})
        for k, (w2, (t, bound, terms)) in enumerate(zip(found.w2, bounds, strict=False), 1)
    )
    corrected = None if run.corrector is None else found.w2[-1]
    return Simulation(run, evaluations, corrected, found.method, params, evaluation, run.scale * found.samples, found.truth)


def _bounding(statement: str | Theorem | None, run: Run) -> Statement:
    """The statement that bounds W2 after every evaluation of the run."""
    if statement is None:
        return next(x for x in about("multistep") if x.kind == "explicit")
    theorem = find(statement)
    fits = theorem.experiment == "one_step" or (theorem.experiment == "multistep" and theorem.bare_recursion)
    if theorem.kind != "explicit" or not fits:
        raise InputError(
            f"{theorem.id} cannot be set beside a simulation: that takes an explicit statement with the experiment "
            "one_step, or with multistep and a recursion"
        )
    if theorem.experiment == "one_step" and run.indices:
        raise InputError(f"{theorem.id} is about one evaluation: leave out steps and times")
    return theorem


def _parameters(theorem: Theorem, run: Run, found: Measured, profile: str) -> dict[str, Any]:
    """What the statement is evaluated with."""
    if not all(np.isfinite(x).all() for x in found.constants):
        raise DomainError("the constants of this run do not fit float64: use a smaller horizon or smaller errors")
    law = law_constants(theorem, run.world, run.nodes, {"t_star": "0", "profile": profile})
    params = run_parameters(theorem, run, law, *found.constants, constants="lists", profile=profile)
    if theorem.bare_recursion and not run.indices:
        params = {name: x for name, x in params.items() if name not in ("times", "sigmas")} | {"k": 1}
    return params


def run_parameters(theorem: Theorem, run: Run, law: Mapping[str, Any], *errors: Array, **choices: Any) -> dict[str, Any]:
    """What the statement is evaluated with at the constants of a law and a run (L_f, eps_sc and eps_cm of every step)."""
    count = len(run.nodes) - 1
    choices |= {name: getattr(run, name) for name in CHOICES}
    choices |= {"t_star": "0", "at": 1.0, "times": [i / count for i in run.indices]}
    try:
        return parameters(theorem, choices, run.nodes, law, *errors)
    except SkippedError as error:
        raise InputError(str(error)) from None


# --- what is said ---------------------------------------------------------------------------------------------------


def _world_name(run: Run) -> str:
    """The data law in a few words."""
    what = "Gaussian law" if isinstance(run.world, Gaussian) else f"{counted(len(run.world.means), 'point')}"
    return f"{what} in d = {run.world.d}"


def _truth(x: Truth) -> dict[str, Any]:
    return {name: getattr(x, name) for name in ("value", "lower", "upper", "exact", "trust")}


def _data(simulation: Simulation) -> dict[str, Any]:
    """A simulation as JSON-ready data, without its samples."""
    run, evaluation = simulation.run, simulation.evaluation
    corrector = None
    if run.correction is not None and simulation.corrected is not None:
        name, numbers = run.correction
        corrector = {"name": name, "numbers": dict(numbers), "w2": _truth(simulation.corrected)}
    plain = ("k", "bound", "ratio", "violated")
    steps = [
        {**{name: getattr(x, name) for name in plain}, "time": float(x.time), "w2": _truth(x.w2), "terms": dict(x.terms)}
        for x in simulation.steps
    ]
    return {
        "world": "gaussian" if isinstance(run.world, Gaussian) else "data",
        "d": run.world.d,
        **{name: getattr(run, name) for name in ("n", "seed", *CHOICES)},
        "nodes": in_clock(run.nodes, run.clock).tolist(),
        "theorem": evaluation.theorem.id,
        "constants": "exact" if simulation.exact else "measured",
        "method": simulation.method,
        "parameters": thawed(simulation.parameters),
        "steps": steps,
        "corrector": corrector,
        "trivial_bound": evaluation.trivial,
        "violations": list(simulation.violations),
        "notes": list(simulation.notes),
    }


def _exact_table(simulation: Simulation) -> Table:
    """One row for each evaluation, and one for the corrector, with all digits (what CSV holds)."""

    def digits(x: Truth) -> tuple[str, ...]:
        return repr(x.value), repr(x.lower), repr(x.upper), x.trust

    rows = [
        (str(x.k), repr(float(x.time)), *digits(x.w2), text_up(x.bound), "" if x.ratio is None else repr(x.ratio))
        for x in simulation.steps
    ]
    if simulation.corrected is not None:
        rows.append(("corrector", "", *digits(simulation.corrected), "", ""))
    header = ("k", _time_name(simulation), "w2", "lower", "upper", "trust", "bound", "ratio")
    return Table(header, tuple(tuple(map(number, row)) for row in rows), "r" * 8)


def _time_name(simulation: Simulation) -> str:
    return "sigma" if simulation.run.clock == "ve" else "time"


def _table(simulation: Simulation) -> Table:
    """One row for each evaluation, and one for the corrector, rounded; the bound up."""
    rows = [
        (
            number(str(x.k)),
            number(rounded(x.time, 4, "nearest")),
            *_shown(x.w2, x.bound),
            number(rounded(x.bound, 5) if x.w2.value <= x.bound else apart(x.w2.value, x.bound, digits=5)[1]),
            number("" if x.ratio is None else rounded(x.ratio, 3, "nearest")),
        )
        for x in simulation.steps
    ]
    if simulation.corrected is not None:
        rows.append((Cell("corrector"), Cell(""), *_shown(simulation.corrected), Cell(""), Cell("")))
    interval = "interval" if simulation.exact else "95% interval (asymptotic)"
    header = ("k", _time_name(simulation), "measured W2", interval, "bound", "ratio")
    time = math(r"\sigma", "sigma") if simulation.run.clock == "ve" else math("t", "time")
    heads = (math("k"), time, mixed(Cell("measured "), math("W_2")), *(Cell(x) for x in header[3:]))
    return Table(header, tuple(rows), "rrrlrr", heads=heads)


def _shown(x: Truth, bound: float = np.inf) -> tuple[Cell, Cell]:
    interval = "exact" if x.exact else f"[{rounded(x.lower, 3, 'down')}, {rounded(x.upper, 3)}]"
    value = rounded(x.value, 5, "nearest") if x.value <= bound else apart(x.value, bound, digits=5)[0]
    return number(value), Cell(interval)


def _constants(simulation: Simulation) -> str:
    """The constants the bound was evaluated with, lists by their ends."""
    parts = []
    for name, value in simulation.parameters.items():
        if isinstance(value, list | tuple) and name not in ("grid", "times", "weights"):
            low, high = (measured_constant(name, x) for x in (min(value), max(value)))
            parts.append(f"{name} = {high}" if low == high else f"{name} from {low} to {high}")
        elif isinstance(value, int | float | np.number):
            parts.append(f"{name} = {measured_constant(name, value)}")
    return ", ".join(parts)


def _summary(simulation: Simulation) -> tuple[str, str]:
    """What was run, in two lines."""
    run, count = simulation.run, len(simulation.steps)
    first = f"{_world_name(run)}, {counted(run.n, 'sample')}, seed {run.seed}; {count} evaluation{'s' * (count > 1)}"
    options = {"start": run.start, "clock": run.clock}
    other = "".join(f", {name} {x}" for name, x in options.items() if x not in ("standard", "ou"))
    second = f"{run.student} student, {run.teacher} teacher, {run.grid} grid of {counted(len(run.nodes) - 1, 'step')}{other}"
    if run.correction is not None:
        second += f", {run.correction[0]} corrector"
    return first, second


def _page(simulation: Simulation) -> Body:
    page = Body()
    evaluation, last = simulation.evaluation, simulation.steps[-1]
    for line in _summary(simulation):
        page.line(line)
    if simulation.violations:
        page.line(f"VIOLATION: measured W2 is above the bound after evaluation {', '.join(map(str, simulation.violations))}")
    how = "exact" if simulation.exact else "measured"
    w2, sign, bound = rounded(last.w2.value, 6, "nearest"), " <= ", rounded(last.bound)
    if last.w2.value > last.bound:
        (w2, bound), sign = apart(last.w2.value, last.bound), ", bound "
    page.line(f"W2(q_{last.k}, {evaluation.target}) = {w2} ({how}){sign}{bound} ({evaluation.theorem.id} at {how} constants)")
    page.line()
    page.table(_table(simulation))
    page.line()
    page.line(f"terms of the bound after evaluation {last.k}")
    page.table(terms_table(evaluation))
    page.line()
    page.line(f"{how} constants: {_constants(simulation)}")
    for note in simulation.notes:
        page.line(f"note: {note}")
    return page


def _document(simulation: Simulation) -> Body:
    document = Body()
    document.table(replace(_table(simulation), tight=True))
    for line in (*_summary(simulation), *(f"note: {x}" for x in simulation.notes)):
        document.line(line)
    return document
