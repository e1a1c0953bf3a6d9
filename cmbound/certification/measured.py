"""The profile ``measured``: local errors of a teacher on a data set, in the place of a bound on them (theory 5.5).

ell_n = norm(Psi_n x_{n+1} - x_n)_2, x_{n+1} = x_0 + sigma_{n+1} z with x_0 from the data, x_n the exact flow down to sigma_n. It
depends on the data, the grid and the solver alone. Every step has its own exact draws of x_{n+1}; only the flow over the step is
computed. The discretisation is then the sum of L_f(sigma_n) ell_n, with the upper end of an interval for each ell_n, which hold
jointly (union bound over the steps).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np

from cmbound.certification.bounds import Root, root
from cmbound.certification.flow import TOLERANCE, Paths
from cmbound.certification.given import fingerprint, read_law
from cmbound.certification.laws import DataLaw, Law, from_centre, law_of, squares
from cmbound.certification.request import LEAST_PATHS, MOST_PATHS
from cmbound.certification.teachers import CATALOGUED, SOLVERS, Step, solver as solver_of
from cmbound.certification.telescope import CHECKED_PATHS, PATHS, roots, spans, stream
from cmbound.certification.user import points_of
from cmbound.checks import checked_callable, checked_count, checked_finite, checked_name
from cmbound.distances import unseen
from cmbound.distances.samples import ASYMPTOTIC, GUARANTEED
from cmbound.errors import DomainError
from cmbound.frozen import FrozenDict, Record
from cmbound.names import MEASURED, TEACHERS
from cmbound.numbers import counted, rounded
from cmbound.theory.functions import c
from cmbound.theory.notation import UPPER_BOUNDS, a, ell
from cmbound.theory.records import Assumption
from cmbound.theory.rules import Measured, Profile, Rule
from cmbound.worlds.base import Array

TRUSTS = (ASYMPTOTIC, GUARANTEED)
SOLVER_OF = FrozenDict({**{teacher: name for name, teacher in CATALOGUED.items()}, "heun": "heun"})
"""The step of each teacher of the catalogue."""
HALVED = 2.0
"""What the flow is off by, over its change when the tolerance is halved: an error at most proportional to the tolerance."""
DIGITS = 8  # of a measured constant: far above the rounding of a mean over 50,000 points, which is below 1e-11
Progress = Callable[[int], object]


def _reaches(high: float, low: float) -> dict[str, float]:
    """By solver: the largest local error over the diameter of the data.

    With D in the convex hull of the data x_n = (r x_{n+1}) + sig_n int D(x_u, u)/u^2 du, r = sig_n/sig_{n+1}, and a solver that
    takes D elsewhere is off by at most (1 - r) diam for Euler, and by what it adds to an Euler step besides: the trapezoid
    (1 - r)/(2 r) (D' - D), the midpoint (sig_{n+1} - sig_n)/(sig_{n+1} sig_n)^{1/2} (D' - D).
    """
    ratio = low / high
    return {
        "euler": 1 - ratio,
        "heun": (1 - ratio) * (1 + 1 / (2 * ratio)),
        "dpm-solver-2": (1 - ratio) * (1 + 1 / math.sqrt(ratio)),
    }


@dataclass(frozen=True, eq=False, repr=False)
class LocalErrors(Record, Measured):
    """What measures the local errors of the steps of a grid, each grid once.

    Attributes:
        law: the data.
        solver: name of the step, empty: that of the teacher at hand.
        step: the step (None: that of the teacher at hand).
        draws: for every step.
        seed: of the draws.
        confidence: that the upper ends of the steps of one grid hold jointly.
        trust: ``asymptotic``, or ``guaranteed`` where the local errors are bounded.
        data: what the data are called.
        told: called with 1 after each step that was measured.
        every: they hold jointly for every number of steps N, with the share 6/(pi N)^2 of what may be missed for each.
    """

    law: Law
    solver: str = ""
    step: Step | None = None
    draws: int = 1000
    seed: int = 0
    confidence: float = 0.99
    trust: str = ASYMPTOTIC
    data: str = ""
    told: Progress | None = None
    every: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "_known", {})
        object.__setattr__(self, "_print", fingerprint(self.law))

    def __repr__(self) -> str:
        return f"<local errors of {self.solver or 'the teacher'} on {self.data}, {counted(self.draws, 'draw')}, {self.trust}>"

    def _compared(self) -> tuple[Any, ...]:
        name = self.solver if self.solver in SOLVERS else (self.solver, self.step)
        return self.__dict__["_print"], name, self.draws, self.seed, self.confidence, self.trust, self.data, self.every

    @property
    def constants(self) -> Mapping[str, float]:
        return {"d": self.law.d, "m2": self.law.m2, "sd2": self.law.sd2}

    def for_every_number(self) -> LocalErrors:
        return replace(self, every=True)

    def errors(self, teacher: str, levels: tuple[float, ...]) -> tuple[Fraction, ...]:
        return tuple(Fraction(x.upper) for x in self.found(teacher, levels))

    def described(self) -> Mapping[str, Any]:
        return {
            "trust": self.trust, "confidence": self.confidence, "draws": self.draws, "seed": self.seed,
            "solver": f"{self.solver} steps" if self.solver else "the teacher's steps",
            "data": self.data, "grids": "every number of steps" if self.every else "one", "fingerprint": self.__dict__["_print"],
        }  # fmt: skip

    def found(self, teacher: str, levels: tuple[float, ...]) -> tuple[Root, ...]:
        """Estimate and upper end of the local error of every step, from the lowest on, in units of the noise level.

        Raises:
            DomainError: a noise level at which the flow cannot be followed, or draws that do not show the variance of the data
                where asymptotic ends would rest on them.
        """
        name, step = (self.solver, self.step) if self.step is not None else (SOLVER_OF[teacher], SOLVERS[SOLVER_OF[teacher]])
        known: dict[Any, tuple[Root, ...]] = self.__dict__["_known"]
        if (name, levels) not in known:
            known[name, levels] = self._measured(name, step, levels)
        return known[name, levels]

    def _measured(self, name: str, step: Step, levels: tuple[float, ...]) -> tuple[Root, ...]:
        count = len(levels) - 1
        share = 6 / (math.pi * count) ** 2 if self.every else 1.0  # these add up to 1 over all numbers of steps
        tail = share * (1 - self.confidence) / count  # each upper end may be missed: union bound
        if self.trust == ASYMPTOTIC:
            self._check_draws()
        found = []
        for low, high in pairwise(levels):
            values, off = self._squares(step, high, low)
            most = self._largest(name, high, low) if self.trust == GUARANTEED else None
            if most is not None:
                values = np.minimum(values, most**2)  # beyond it only by the error of the flow, which is added
            bound = root(values, tail, most)
            upper = bound.upper if most is None else bound.guaranteed
            assert upper is not None
            found.append(Root(bound.estimate, math.nextafter(upper + off, math.inf)))
            if self.told is not None:
                self.told(1)
        return tuple(found)

    def _check_draws(self) -> None:
        """Raise DomainError where the draws, which are the same for every step, do not show the variance of the law."""
        drawn = (self.law.draw(size, stream(self.seed, PATHS, i)) for i, size in enumerate(spans(self.draws, self.law.d)))
        spread = np.concatenate([from_centre(x, self.law.mean) for x in drawn])
        if unseen(spread, self.law.sd2):
            raise DomainError(
                f"the {counted(self.draws, 'draw')} show sd2 = {float(roots(spread)):.4g} of {self.law.sd2:.4g}: a few points "
                f"far away carry the rest and were hardly drawn; more draws, trust {GUARANTEED}, or data without them are needed"
            )

    def _squares(self, step: Step, high: float, low: float) -> tuple[Array, float]:
        """Squared local errors (n,) of the step, and what the flow is off by, a root mean square."""
        values, off = [], 0.0
        for block, size in enumerate(spans(self.draws, self.law.d)):
            rng = stream(self.seed, PATHS, block)
            x = self.law.draw(size, rng) + high * rng.standard_normal((size, self.law.d))
            stepped = points_of(f"the step from {high:g} to {low:g}", np.asarray(step(self.law.denoiser, x.copy(), high, low)), x)
            exact = self._flow(x, high, low, TOLERANCE)
            values.append(squares(stepped - exact))
            if block == 0:
                finer = self._flow(x[:CHECKED_PATHS], high, low, TOLERANCE / 2)
                off = HALVED * math.sqrt(float(squares(exact[:CHECKED_PATHS] - finer).mean()))
        return np.concatenate(values), off

    def _flow(self, x: Array, high: float, low: float, tolerance: float) -> Array:
        paths = Paths(self.law, x, high, tolerance)
        paths.down(low)
        return paths.x

    def _largest(self, name: str, high: float, low: float) -> float:
        reaches = _reaches(high, low)
        if name not in reaches or not isinstance(self.law, DataLaw):
            raise DomainError(
                f"trust guaranteed needs bounded local errors: a data set, and steps of {', '.join(reaches)} (ddim is euler); "
                f"got {self.law.described()} and {name}"
            )
        return max(reaches[name] * self.law.diameter, 1e-300)  # one point has no error at all, and a diameter must be > 0


def measured_profile(
    data: Any,
    *,
    solver: Any = None,
    draws: int = 1000,
    seed: int = 0,
    confidence: float = 0.99,
    trust: str = ASYMPTOTIC,
    progress: Progress | None = None,
) -> Profile:
    """A profile that measures the local errors of a teacher's steps on a data set: ``profile=`` of whatever takes one on a grid.

    The discretisation is the sum of L_f(sigma_n) times the upper end of an interval for ell_n = norm(Psi_n x_{n+1} - x_n)_2, the
    local error of the step from sigma_{n+1} along exact trajectories. A result is ``asymptotic`` or ``guaranteed`` at a
    confidence, for one grid, and never certified; it holds for the law of the data set itself. The error of the exact flow over a
    step is estimated with half the tolerance and added. Each grid is measured once. Asymptotic ends know nothing of what is rare
    and has not been drawn, such as a point between two others where the denoiser turns; guaranteed ones do.

    Args:
        data: points (n, d), a .npy, .npz or .csv file, a :class:`Gaussian` or a :class:`Mixture`.
        solver: ``euler`` (``ddim``), ``heun``, ``exponential-integrator``, ``dpm-solver-2``, or a callable step(denoise, x, high,
            low); default: the step of the teacher the statement is evaluated with. With one the catalogue does not know the
            teacher says what an error of the score does, and a result says that this is assumed.
        draws: for every step, 20 or more.
        seed: of the draws.
        confidence: that the upper ends of all steps of a grid hold jointly.
        trust: ``asymptotic``, or ``guaranteed`` for any number of draws, which needs a data set and a solver whose local errors
            are bounded (``euler``, ``heun``, ``dpm-solver-2``), and many draws to be of use.
        progress: called with 1 after each step that was measured.

    Raises:
        InputError, DomainError: what cannot be read, or numbers outside their domains.

    >>> import cmbound
    >>> mine = cmbound.measured_profile([[-1.0], [1.0]], draws=200)
    >>> given = dict(d=1, m2=1, L_f=2, eps_sc=0, eps_cm=0, grid="edm", sigma_min="0.05", sigma_max=20, N=18)
    >>> one = cmbound.theorem("explicit-one-step")
    >>> found = one.evaluate(**given, teacher="ddim", profile=mine)
    >>> found.tier, found.is_guarantee
    ('asymptotic', False)
    >>> found.terms["discretisation"].value < one.evaluate(**given, teacher="ddim").terms["discretisation"].value
    True
    """
    law = law_of(read_law(data) if isinstance(data, str) else data)
    checked_name("trust", trust, TRUSTS)
    count = checked_count("draws", draws, LEAST_PATHS)
    if count > MOST_PATHS:
        raise DomainError(f"draws is {count}; at most {MOST_PATHS} are allowed")
    level = checked_finite("confidence", confidence)
    if not 0 < level < 1:
        raise DomainError(f"confidence is {confidence}; it must lie in (0, 1)")
    checked_callable("progress", progress)
    name, step = ("", None) if solver is None else solver_of(solver)
    label = f"{data}: {law.described()}" if isinstance(data, str) else law.described()
    errors = LocalErrors(law, name, step, count, checked_count("seed", seed, 0), level, trust, label, progress)
    known = {solver: teacher for teacher, solver in SOLVER_OF.items()}
    teachers = (known[name],) if name in known else TEACHERS
    text = f"the data law is that of {label}, and the upper ends of the measured local errors hold"
    assumptions = [Assumption("measured", text)]
    if name and name not in known:
        text = f"what an error of the score does to a step of {name} is at most what it does to one of the teacher asked for"
        assumptions.append(Assumption("measured:score", text))
    return Profile(
        name=MEASURED,
        title="local errors measured on a data set, for one grid",
        rules={x: (Rule(steps=ell * c(a) if x == "exponential-integrator" else ell, cuttable=False),) for x in teachers},
        assumptions=tuple(assumptions),
        derivation="The local error of a step depends on the data, the grid and the solver alone.",
        reference="theory 5.5",
        measured=errors,
    )


@dataclass(frozen=True, eq=False)
class DataConstants(Record):
    """The constants of the law of a data file by parameter name: as they were computed, and as text, upper bounds rounded up.

    ``data`` is the law in words.
    """

    numbers: Mapping[str, Any]
    texts: Mapping[str, Any]
    data: str


def data_constants(data: str) -> DataConstants:
    """The constants of the law of a data file.

    Raises:
        InputError, DomainError: a file that cannot be read, or too large.
    """
    law = law_of(read_law(data))
    found = law.constants(0.0, 0.0)  # of a data set they depend on no time
    if isinstance(law, DataLaw):
        found = {**found, "diameter": min(law.diameter, 2 * found["R"])}  # that of many points is bounded from their mean
    texts = {name: _as_text(name, x) for name, x in found.items()}
    return DataConstants(found, texts, f"{data}: {law.described()}")


def _as_text(name: str, value: Any) -> Any:
    if isinstance(value, list):
        return [repr(float(x)) for x in value]
    return rounded(float(value), DIGITS) if name in UPPER_BOUNDS else repr(float(value)).removesuffix(".0")
