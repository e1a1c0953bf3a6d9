"""What ``cmbound simulate`` prints: measured W2 beside the bound."""

from __future__ import annotations

from typing import Any

import numpy as np

from cmbound.distances import MAX_TRANSPORT
from cmbound.evaluation.records import terms_table
from cmbound.frozen import FrozenDict, thawed
from cmbound.numbers import apart, rounded, text_up
from cmbound.reports.cells import Cell, number
from cmbound.reports.page import Page
from cmbound.reports.table import Table
from cmbound.verification.instances import Truth
from cmbound.verification.request import in_clock, measured_constant
from cmbound.verification.simulation import CHOICES, Run, Simulation, trajectories
from cmbound.worlds.gaussian import Gaussian

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


def notes(simulation: Simulation) -> tuple[str, ...]:
    """What a reader must be told besides the numbers."""
    found = []
    run = simulation.run
    if not isinstance(run.world, Gaussian):
        measured = "L_f is an L2 constant" if run.student == "distilled" else "L_f and eps_cm are L2 constants"
        along = f"along {trajectories(run.world)} exact trajectories"
        found.append(f"bound at measured constants: {measured} {along}; rare jumps between points may be missed")
        found.append(METHODS[simulation.method])
    if simulation.corrected is not None:
        found.append("no bound covers W2 after the corrector")
    return (*found, *simulation.evaluation.notes)


def world_name(run: Run) -> str:
    """The data law in a few words."""
    if isinstance(run.world, Gaussian):
        return f"Gaussian law in d = {run.world.d}"
    return f"{len(run.world.means)} points in d = {run.world.d}"


def _measured(x: Truth) -> dict[str, Any]:
    return {"value": x.value, "lower": x.lower, "upper": x.upper, "exact": x.exact, "trust": x.trust}


def simulation_data(simulation: Simulation) -> dict[str, Any]:
    """A simulation as JSON-ready data, without its samples."""
    run, evaluation = simulation.run, simulation.evaluation
    corrector = None
    if run.corrector is not None and simulation.corrected is not None:
        corrector = {"name": run.corrector[0], "numbers": dict(run.corrector[1]), "w2": _measured(simulation.corrected)}
    steps = [
        {
            "k": x.k,
            "time": float(x.time),
            "w2": _measured(x.w2),
            "bound": x.bound,
            "ratio": x.ratio,
            "violated": x.violated,
            "terms": dict(x.terms),
        }
        for x in simulation.steps
    ]
    return {
        "world": "gaussian" if isinstance(run.world, Gaussian) else "data",
        "d": run.world.d,
        "n": run.n,
        "seed": run.seed,
        **{name: getattr(run, name) for name in CHOICES},
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


def exact_table(simulation: Simulation) -> Table:
    """One row for each evaluation, and one for the corrector, with all digits (what CSV holds)."""
    name = "sigma" if simulation.run.clock == "ve" else "time"
    rows = [
        tuple(
            number(x)
            for x in (str(x.k), repr(float(x.time)), *_digits(x.w2), text_up(x.bound), "" if x.ratio is None else repr(x.ratio))
        )
        for x in simulation.steps
    ]
    if simulation.corrected is not None:
        rows.append((Cell("corrector"), Cell(""), *(number(x) for x in _digits(simulation.corrected)), Cell(""), Cell("")))
    return Table(("k", name, "w2", "lower", "upper", "trust", "bound", "ratio"), tuple(rows), "r" * 8)


def _digits(x: Truth) -> tuple[str, ...]:
    return repr(x.value), repr(x.lower), repr(x.upper), x.trust


def evaluations_table(simulation: Simulation) -> Table:
    """One row for each evaluation, and one for the corrector, rounded; the bound up."""
    name = "sigma" if simulation.run.clock == "ve" else "time"
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
    return Table(("k", name, "measured W2", interval, "bound", "ratio"), tuple(rows), "rrrlrr")


def _shown(x: Truth, bound: float = np.inf) -> tuple[Cell, Cell]:
    interval = "exact" if x.exact else f"[{rounded(x.lower, 3, 'down')}, {rounded(x.upper, 3)}]"
    value = rounded(x.value, 5, "nearest") if x.value <= bound else apart(x.value, bound, digits=5)[0]
    return number(value), Cell(interval)


def constants_text(simulation: Simulation) -> str:
    """The constants the bound was evaluated with, lists by their ends."""
    parts = []
    for name, value in simulation.parameters.items():
        if isinstance(value, list | tuple) and name not in ("grid", "times", "weights"):
            low, high = (measured_constant(name, x) for x in (min(value), max(value)))
            parts.append(f"{name} = {high}" if low == high else f"{name} from {low} to {high}")
        elif isinstance(value, int | float | np.number):
            parts.append(f"{name} = {measured_constant(name, value)}")
    return ", ".join(parts)


def summary(simulation: Simulation) -> tuple[str, str]:
    """What was run, in two lines."""
    run, count = simulation.run, len(simulation.steps)
    first = f"{world_name(run)}, {run.n} samples, seed {run.seed}; {count} evaluation{'s' * (count > 1)}"
    options = {"start": run.start, "clock": run.clock}
    other = "".join(f", {name} {x}" for name, x in options.items() if x not in ("standard", "ou"))
    second = f"{run.student} student, {run.teacher} teacher, {run.grid} grid of {len(run.nodes) - 1} steps{other}"
    if run.corrector is not None:
        second += f", {run.corrector[0]} corrector"
    return first, second


def simulation_page(simulation: Simulation, width: int | None = None) -> str:
    """A simulation as text."""
    page = Page(width)
    evaluation, last = simulation.evaluation, simulation.steps[-1]
    for line in summary(simulation):
        page.line(line)
    if simulation.violations:
        page.line(f"VIOLATION: measured W2 is above the bound after evaluation {', '.join(map(str, simulation.violations))}")
    how = "exact" if simulation.exact else "measured"
    w2, sign, bound = rounded(last.w2.value, 6, "nearest"), " <= ", rounded(last.bound)
    if last.w2.value > last.bound:
        (w2, bound), sign = apart(last.w2.value, last.bound), ", bound "
    page.line(f"W2(q_{last.k}, {evaluation.target}) = {w2} ({how}){sign}{bound} ({evaluation.theorem.id} at {how} constants)")
    page.line()
    page.table(evaluations_table(simulation))
    page.line()
    page.line(f"terms of the bound after evaluation {last.k}")
    page.table(terms_table(evaluation))
    page.line()
    page.line(f"{how} constants: {constants_text(simulation)}")
    for note in simulation.notes:
        page.line(f"note: {note}")
    return str(page)


def simulation_document(simulation: Simulation, form: str) -> str:
    """A simulation as a LaTeX or Markdown fragment, or as CSV."""
    if form == "csv":
        return exact_table(simulation).csv()
    text, table = [*summary(simulation), *(f"note: {x}" for x in simulation.notes)], evaluations_table(simulation).render(form)
    if form == "latex":
        return "\n".join(["% needs booktabs", table, *(f"% {x}" for x in text)])
    return "\n\n".join([table, *(f"*{x}*" for x in text)])
