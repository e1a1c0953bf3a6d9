"""A teacher measured before there is a model: its local errors on a data set, and the noise levels that make their sum small.

The local error ell_n of a step depends on the data, the grid and the solver alone (theory 5.5). For a method of order r the sum
over N steps is smallest, to leading order, when all are equal: the nodes are moved until they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cmbound.certification.flow import TOLERANCE, Paths
from cmbound.certification.given import read_law
from cmbound.certification.laws import Law, law_of, squares
from cmbound.certification.request import MOST_PATHS, grid as given_grid
from cmbound.certification.teachers import ORDER, Step, solver as solver_of
from cmbound.certification.telescope import PATHS, spans, stream
from cmbound.checks import checked_callable, checked_count, checked_whole
from cmbound.errors import DomainError
from cmbound.frozen import Record
from cmbound.numbers import rounded
from cmbound.reports.cells import Cell, number
from cmbound.reports.report import Body, Report, Result
from cmbound.reports.table import Table
from cmbound.theory.grids import Grid
from cmbound.worlds.base import Array

MOST_ROUNDS = 8  # of moving the nodes: the sum settles after three or four
MOST_NODES = 1000  # steps of a grid whose nodes are moved one by one
KINDS = ("equidistributed", "edm", "geometric")


@dataclass(frozen=True, eq=False, repr=False)
class MeasuredGrid(Result, Record):
    """Noise levels for a data set and a solver.

    Attributes:
        law: the data in words.
        solver: the teacher's.
        n: number of exact trajectories.
        seed: of the trajectories.
        grids: noise levels (N + 1,), by kind: ``equidistributed``, ``edm`` (rho = 7), ``geometric``.
        errors: local errors of every step, root mean squares, (N,), from the lowest step on.
    """

    law: str
    solver: str
    n: int
    seed: int
    grids: Mapping[str, Array]
    errors: Mapping[str, Array]

    @property
    def sums(self) -> dict[str, float]:
        """The sum of the local errors of each grid: what the discretisation is at most, for a model that is 1-Lipschitz."""
        return {name: float(x.sum()) for name, x in self.errors.items()}

    @property
    def grid(self) -> Grid:
        """The equidistributed nodes, as everything takes them."""
        return Grid.from_noise_levels([float(x) for x in self.grids[KINDS[0]]])

    def report(self) -> Report:
        """The sums side by side, and the nodes."""
        return Report(
            f"noise levels for {self.law}, {self.solver}", _page(self), lambda: _data(self), _nodes(self, True), _page(self)
        )


def measured_grid(
    data: Any,
    *,
    sigma_min: Any,
    sigma_max: Any,
    steps: int,
    solver: Any = "euler",
    n: int = 1000,
    seed: int = 0,
    progress: Callable[[int], object] | None = None,
) -> MeasuredGrid:
    """The noise levels that make the sum of a teacher's local errors on a data set smallest, beside EDM and geometric ones.

    Args:
        data: points (n, d), a data file, a :class:`Gaussian` or a :class:`Mixture`.
        sigma_min, sigma_max: lowest and largest noise level.
        steps: number of steps, 2 to 1000.
        solver: ``euler``, ``heun``, ``exponential-integrator``, ``dpm-solver-2``, or a callable step(denoise, x, high, low).
        n: number of exact trajectories.
        seed: of the trajectories.
        progress: called with 1 after each grid that was measured.

    Raises:
        InputError, DomainError: what cannot be read, or numbers outside their domains.

    >>> import cmbound
    >>> found = cmbound.measured_grid([[-1.0], [1.0]], sigma_min=0.05, sigma_max=20, steps=8, n=200)
    >>> found.sums["equidistributed"] <= found.sums["edm"]
    True
    """
    law = law_of(read_law(data) if isinstance(data, str) else data)
    count, paths = checked_whole("steps", steps, 2, MOST_NODES), checked_count("n", n, 2)
    if paths > MOST_PATHS:
        raise DomainError(f"n is {paths}; at most {MOST_PATHS} are allowed")
    checked_callable("progress", progress)
    name, step = solver_of(solver)
    order = ORDER.get(name, 1)
    grids = {kind: np.array(given_grid(kind, sigma_min, sigma_max, count)) for kind in KINDS[1:]}
    tell = progress or (lambda x: None)

    def measured(sigmas: Array) -> Array:
        found = local_errors(law, sigmas, step, paths, checked_count("seed", seed, 0))
        tell(1)
        return found

    errors = {kind: measured(x) for kind, x in grids.items()}
    best = min(errors, key=lambda x: float(errors[x].sum()))
    sigmas, found = grids[best], errors[best]
    kept = sigmas, found
    for _ in range(MOST_ROUNDS):
        sigmas = equidistributed(sigmas, found, order)
        found = measured(sigmas)
        if found.sum() >= kept[1].sum() * (1 - 1e-3):  # nothing more to gain
            break
        kept = sigmas, found
    if found.sum() < kept[1].sum():
        kept = sigmas, found
    return MeasuredGrid(law.described(), name, paths, seed, {KINDS[0]: kept[0], **grids}, {KINDS[0]: kept[1], **errors})


def local_errors(law: Law, sigmas: Array, step: Step, n: int, seed: int, tolerance: float = TOLERANCE) -> Array:
    """norm(Psi_n x_{n+1} - x_n)_2 of every step along n exact trajectories, (N,) from the lowest on."""
    total = np.zeros(len(sigmas) - 1)
    for block, size in enumerate(spans(n, law.d)):
        rng = stream(seed, PATHS, block)
        noise = float(sigmas[-1]) * rng.standard_normal((size, law.d))
        paths = Paths(law, law.draw(size, rng) + noise, float(sigmas[-1]), tolerance)
        for j in range(len(sigmas) - 2, -1, -1):
            stepped = step(law.denoiser, paths.x.copy(), float(sigmas[j + 1]), float(sigmas[j]))
            paths.down(float(sigmas[j]))
            total[j] += float(squares(stepped - paths.x).sum())
    return np.asarray(np.sqrt(total / n))


def equidistributed(sigmas: Array, errors: Array, order: int) -> Array:
    """Nodes that share the errors out equally: a step of length h has the error (density h)^(order + 1), in log sigma."""
    where = np.log(sigmas)
    weight = np.maximum(errors, errors.max() * 1e-6) ** (1 / (order + 1))
    # the integral of the density, by steps; its quantiles are the new nodes
    sums = np.concatenate(([0.0], np.cumsum(weight)))
    inner = np.interp(np.linspace(0, sums[-1], len(sigmas)), sums, where)
    new = np.exp(inner)
    new[0], new[-1] = sigmas[0], sigmas[-1]
    return np.asarray(new)


def _sums(x: MeasuredGrid) -> Table:
    best = x.sums[KINDS[0]]
    rows = tuple(
        (Cell(name), number(rounded(total, 4, "nearest")), number(rounded(total / best if best else 1.0, 3, "nearest")))
        for name, total in x.sums.items()
    )
    return Table(("grid", "sum of local errors", "over the first"), rows, "lrr")


def _nodes(x: MeasuredGrid, exact: bool) -> Table:
    header = tuple(y for name in x.grids for y in (f"{name} sigma", f"{name} error"))
    rows = []
    for j in range(len(x.grids[KINDS[0]])):
        cells = []
        for name in x.grids:
            values = x.grids[name][j], x.errors[name][j - 1] if j else None
            cells += ["" if v is None else repr(float(v)) if exact else rounded(float(v), 4, "nearest") for v in values]
        rows.append(tuple(map(number, cells)))
    return Table(header, tuple(rows), "r" * len(header), size="footnotesize", tight=True)


def _page(x: MeasuredGrid) -> Body:
    body = Body()
    body.line(f"{x.law}; {x.solver} steps, {x.n} exact trajectories, seed {x.seed}")
    body.table(_sums(x))
    body.line()
    body.table(_nodes(x, False))
    body.line("measured on samples: estimates, not bounds")
    return body


def _data(x: MeasuredGrid) -> dict[str, Any]:
    return {
        "schema_version": "1",
        **{name: getattr(x, name) for name in ("law", "solver", "n", "seed")},
        "grids": {name: y.tolist() for name, y in x.grids.items()},
        "errors": {name: y.tolist() for name, y in x.errors.items()},
        "sums": x.sums,
    }
