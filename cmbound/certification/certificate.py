"""What a certificate holds, and how it is printed (theory 5)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cmbound.certification.bounds import CONDITIONAL
from cmbound.certification.distance import Enclosure
from cmbound.certification.request import Request
from cmbound.certification.telescope import SUMMED
from cmbound.distances.samples import ASYMPTOTIC, GUARANTEED
from cmbound.frozen import FrozenDict, Record, thawed
from cmbound.numbers import counted, rounded
from cmbound.reports.cells import Cell, math as latex, number
from cmbound.reports.report import Body, Report, Result
from cmbound.reports.table import Table
from cmbound.reports.words import words
from cmbound.worlds.base import Array

RUNGS = ("direct", "attributed", "stepwise", "local", "a_priori")
"""From the sharpest to what is known before there is a model; each is at least the one before it."""
UNSEEN = "rare points"
"""How the finding begins that draws do not show the variance of the law."""
SCHEMA_VERSION = "1"


@dataclass(frozen=True, eq=False)
class Rung(Record):
    """One upper bound of W2.

    Attributes:
        estimate: its value on the samples.
        upper: at the confidence of the certificate, jointly with all other rungs and distances.
        trust: of ``upper``: ``guaranteed``, ``asymptotic``, or ``conditional`` (on estimated or claimed Lipschitz constants).
        asymptotic: the upper end by normal approximations.
    """

    estimate: float
    upper: float
    trust: str
    asymptotic: float


@dataclass(frozen=True, eq=False)
class Level(Record):
    """The step of the grid from one noise level down to the next.

    Attributes:
        sigma_from, sigma_to: noise levels.
        consistency, score, discretisation: root mean squares of C_n, S_n, G_n.
        change: root mean square of C_n + S_n + G_n, the change of the model itself along exact trajectories: 0 for the exact
            map, whatever the teacher.
        local_score, local_discretisation: of the teacher's step itself, before the model.
        eps_sc: L2 error of the teacher's score at ``sigma_from`` (units of ``--clock ve``).
        eps_cm: norm of C_n over the step's length in the time t = log(1 + sigma^2)/2 (units of ``--clock ve``).
        quotient: largest quotient of differences of the model at ``sigma_to``.
        share: of the stepwise rung.
    """

    sigma_from: float
    sigma_to: float
    consistency: float
    score: float
    discretisation: float
    change: float
    local_score: float
    local_discretisation: float
    eps_sc: float
    eps_cm: float
    quotient: float
    share: float


@dataclass(frozen=True, eq=False)
class Judged(Record):
    """The model after k evaluations.

    Attributes:
        k: number of evaluations.
        sigma: noise level of the last one.
        distance: to the reference law.
        direct: the direct rung.
        parts: root mean squares of what the evaluation adds: ``noising`` (a wrong noise scale), ``inherited``, ``map``.
    """

    k: int
    sigma: float
    distance: Enclosure
    direct: Rung
    parts: Mapping[str, float]

    def upper(self, population: bool) -> float:
        """The least upper end of W2: of the distance, or of the direct rung, which bounds that to the data themselves.

        The larger one where the lower end contradicts the least.
        """
        either = self.direct.trust == self.distance.trust and not population
        ends = (self.distance.upper, self.direct.upper) if either else (self.distance.upper,)
        return min(ends) if min(ends) >= self.distance.lower else max(ends)

    def lower(self, population: bool) -> float:
        """The lower end of W2, 0 where it contradicts every upper one."""
        return self.distance.lower if self.distance.lower <= self.upper(population) else 0.0

    def contradicted(self, population: bool) -> bool:
        """Whether an upper end is below the lower one: at least one of them does not hold."""
        rung = () if population or self.direct.trust != self.distance.trust else (self.direct.upper,)
        return bool(min(self.distance.upper, *rung) < self.distance.lower)


@dataclass(frozen=True, eq=False)
class Baselines(Record):
    """What to compare with (theory 5.6).

    Attributes:
        constant: W2 of the best constant answer, the mean.
        zero: W2 of the answer 0.
        fresh: root mean square distance of batches of the reference law itself, as many samples as a batch of the model has.
        held_out: the same for points that were kept apart (None: there are none).
        batch, held_out_batch: samples of one such batch.
    """

    constant: float
    zero: float
    fresh: float
    held_out: float | None
    batch: int
    held_out_batch: int


@dataclass(frozen=True, eq=False)
class Advice(Record):
    """What would lower the direct rung, and by how much: an estimate, on the same paths, beyond chance."""

    what: str
    gain: float


@dataclass(frozen=True, eq=False)
class Refutation(Record):
    """A constant the user claimed and a place where it does not hold.

    Attributes:
        name: ``L_f``, ``eps_sc`` or ``eps_cm``.
        sigma: noise level.
        claimed, found: what was claimed, and what was found (for eps_sc and eps_cm a lower confidence bound of the root mean
            square over the paths).
        x: the point, shape (d,); for eps_sc and eps_cm that of the worst path.
        y: the other point of the pair for L_f (d,), else empty.
        replayed: asked once more in float64: for L_f the quotient at these two points alone; for eps_sc and eps_cm the lower
            confidence bound of the root mean square on fresh points. It exceeds the claim too.
    """

    name: str
    sigma: float
    claimed: float
    found: float
    x: Array = field(repr=False)
    y: Array = field(repr=False)
    replayed: float = math.nan


@dataclass(frozen=True, eq=False, repr=False)
class Certificate(Result, Record):
    """What theory guarantees for one model.

    Attributes:
        request: what was asked.
        law: the reference law in words.
        distance: enclosure of W2 between the model's samples (one evaluation) and the reference law.
        rungs: ``direct``, ``attributed``, ``stepwise``, ``local``, ``a_priori``; one that cannot be had is missing.
        terms: root mean squares of the six terms of the telescope.
        levels: one for each step, from the largest noise level down.
        evaluations: the model after each evaluation.
        baselines: what to compare with.
        advice: what to improve, the largest gain first.
        findings: what is wrong with the model, in words.
        refuted: claims that do not hold.
        notes: what a reader must be told besides the numbers; what could not be computed.
        ode_error: estimated error of the exact trajectories, part of every rung.
        versions: of the software.
        samples, data: some samples of the model and of the reference law, (m, d).

    >>> import cmbound
    >>> constant = cmbound.certify(lambda x, sigma: 0 * x, data=[[-1.0], [1.0]], sigmas=[0.1, 1, 10], n=100, batches=3)
    >>> constant.distance.lower <= 1 <= constant.distance.upper
    True
    >>> constant.baselines.constant
    1.0
    """

    request: Request
    law: str
    distance: Enclosure
    rungs: Mapping[str, Rung]
    terms: Mapping[str, float]
    levels: tuple[Level, ...]
    evaluations: tuple[Judged, ...]
    baselines: Baselines
    advice: tuple[Advice, ...]
    findings: tuple[str, ...]
    refuted: tuple[Refutation, ...]
    notes: tuple[str, ...]
    ode_error: float
    versions: Mapping[str, str]
    samples: Array = field(repr=False)
    data: Array = field(repr=False)

    @property
    def upper(self) -> float:
        """The least upper bound of W2 that rests on no estimated or claimed constant."""
        return self.evaluations[0].upper(self.request.population)

    @property
    def verdict(self) -> str:
        """One line: where the model stands."""
        first, apart = self.evaluations[0], self.request.population
        constant, low = self.baselines.constant, first.lower(apart)
        if first.contradicted(apart):
            tail = "the ends of different samples contradict each other, and the safe ones are given"
        elif self.upper < constant:
            tail = f"better than the best constant ({rounded(constant, 4, 'nearest')})"
        elif low > constant:
            tail = f"worse than the best constant ({rounded(constant, 4, 'nearest')})"
        else:
            tail = f"not told apart from the best constant ({rounded(constant, 4, 'nearest')})"
        level = f"{self.distance.trust}, confidence {self.request.confidence!r}"
        if self.distance.trust != ASYMPTOTIC:
            low_normal, high_normal = self.distance.asymptotic
            if not self.request.population:
                high_normal = min(high_normal, self.rungs["direct"].asymptotic)
            if low_normal > high_normal:
                low_normal, high_normal = 0.0, max(self.distance.asymptotic[1], self.rungs["direct"].asymptotic)
            level += f"; asymptotic: {rounded(low_normal, 4, 'down')} to {rounded(high_normal, 4)}"
        what = "law of the data" if self.request.population else "data"
        return f"{rounded(low, 4, 'down')} <= W2(model, {what}) <= {rounded(self.upper, 4)} ({level}); {tail}"

    def report(self) -> Report:
        """The summary first, then the ladder, the noise levels and what to improve."""
        title, document = f"certificate of {self.request.model}", _body(self, _halves(self))
        return Report(title, _page(self), lambda: to_data(self), levels_table(self), document)


# --- tables -----------------------------------------------------------------------------------------------------------


def _near(x: float, digits: int = 4) -> Cell:
    return number(rounded(x, digits, "nearest"))


def rungs_table(x: Certificate) -> Table:
    """The enclosure, the rungs and what to compare them with."""
    rows = [
        (
            Cell(words(name)),
            _near(rung.estimate),
            number(rounded(rung.upper, 4)),
            number(rounded(rung.asymptotic, 4)),
            Cell(", ".join([rung.trust, *_remarks(x, rung)])),
        )
        for name, rung in x.rungs.items()
    ]
    first = (
        Cell("distance, lower end"), _near(x.distance.estimates[0]), number(rounded(x.distance.lower, 4, "down")),
        number(rounded(x.distance.asymptotic[0], 4, "down")), Cell(x.distance.trust),
    )  # fmt: skip
    second = (
        Cell("distance, upper end"), _near(x.distance.estimates[1]), number(rounded(x.distance.upper, 4)),
        number(rounded(x.distance.asymptotic[1], 4)), Cell(x.distance.trust),
    )  # fmt: skip
    base = x.baselines
    others = [
        (Cell("best constant"), _near(base.constant)),
        (Cell(f"fresh data, {counted(base.batch, 'sample')}"), _near(base.fresh)),
    ]
    if base.held_out is not None:
        others.append((Cell(f"held-out data, {counted(base.held_out_batch, 'sample')}"), _near(base.held_out)))
    return Table(
        ("bound of W2", "estimate", "at confidence", "asymptotic", "trust"),
        (first, second, *rows, *((a, b, Cell(""), Cell(""), Cell("")) for a, b in others)),
        "lrrrl",
        size="footnotesize",
        tight=True,
    )


def _remarks(x: Certificate, rung: Rung) -> list[str]:
    """What is said beside the level of trust of a rung."""
    on_claim = rung.trust == CONDITIONAL and rests_on_claim(x)
    return [*(["claimed L_f"] if on_claim else []), *(["vacuous"] if rung.upper > x.baselines.constant else [])]


def rests_on_claim(x: Certificate) -> bool:
    """Whether rungs rest on a Lipschitz constant that the user claims."""
    return "L_f" in dict(x.request.claims) and not any(y.name == "L_f" for y in x.refuted)


def terms_table(x: Certificate) -> Table:
    """The six terms of the telescope."""
    total = sum(x.terms.values())
    rows = [
        (Cell(words(k)), *(_absent(x, k) or (_near(v), _near(100 * v / total if total else 0.0, 3)))) for k, v in x.terms.items()
    ]
    return Table(("term", "root mean square", "% of attributed"), tuple(rows), "lrr")


_OF_TEACHER = ("score", "discretisation", "local_score", "local_discretisation", "eps_sc")


def _absent(x: Certificate, name: str) -> tuple[Cell, ...]:
    """Two cells for what there is not without a teacher, none for what there is."""
    return () if x.request.teacher or name not in _OF_TEACHER else (Cell("-"), Cell("-"))


LEVEL_COLUMNS = (
    "sigma_from", "sigma_to", "consistency", "score", "discretisation", "change", "local_score", "local_discretisation", "eps_sc",
    "eps_cm", "quotient", "share",
)  # fmt: skip
_HEADS = (
    "from", "to", "norm C", "norm S", "norm G", "C+S+G", "local score", "local discr.", "eps_sc", "eps_cm", "quotient",
    "% of stepwise",
)  # fmt: skip
_COLUMNS = FrozenDict(zip(LEVEL_COLUMNS, _HEADS, strict=True))


def levels_table(x: Certificate, exact: bool = True) -> Table:
    """One row for each step; with all digits for CSV."""
    there = [not _absent(x, name) for name in LEVEL_COLUMNS]
    rows = []
    for level in x.levels:
        values = [getattr(level, name) for name in LEVEL_COLUMNS]
        cells = [number(repr(float(v))) for v in values] if exact else [_near(v, 3) for v in (*values[:-1], 100 * values[-1])]
        rows.append(tuple(cell if is_there else Cell("" if exact else "-") for cell, is_there in zip(cells, there, strict=True)))
    header = LEVEL_COLUMNS if exact else _HEADS
    heads = tuple(latex(r"\varepsilon_{" + h[4:] + "}", h) if h.startswith("eps") else _stacked(h) for h in header)
    return Table(header, tuple(rows), "r" * len(header), heads=heads, size="scriptsize", tight=True)


def _stacked(head: str) -> Cell:
    """A header whose words stand one above the other in LaTeX, where eleven columns must fit."""
    return Cell(head, lines=tuple(head.split()))


def evaluations_table(x: Certificate) -> Table:
    """One row for each evaluation."""
    rows = []
    for e in x.evaluations:
        ends = f"[{rounded(e.lower(x.request.population), 4, 'down')}, {rounded(e.upper(x.request.population), 4)}]"
        parts = [_near(e.parts[name]) if name in e.parts else Cell("") for name in ("noising", "inherited", "map")]
        rows.append(
            (number(str(e.k)), _near(e.sigma), Cell(ends), _near(e.direct.estimate), number(rounded(e.direct.upper, 4)), *parts)
        )
    header = ("k", "sigma", "W2", "direct", "upper", "noising", "inherited", "map error")
    heads = (latex("k"), latex(r"\sigma", "sigma"), latex("W_2", "W2"), *map(_stacked, header[3:]))
    return Table(header, tuple(rows), "rrlrrrrr", heads=heads, size="footnotesize", tight=True)


def advice_table(x: Certificate) -> Table:
    """What to improve."""
    rows = tuple((Cell(a.what), _near(a.gain, 3)) for a in x.advice)
    return Table(("what would lower the direct rung", "by about"), rows, "lr", widths={0: 0.7})


ADVISED = (
    "by about: the fall of the estimate of the direct rung if that part of the error alone were so much smaller on each path and "
    "all others stayed as they are; all but further evaluations needs a student trained again, whose other errors may differ"
)
"""What a gain is, beside the table."""


def summary(x: Certificate) -> tuple[str, ...]:
    """What was judged, in a few lines."""
    r = x.request
    teacher = f"teacher {r.teacher} ({r.teacher_output}), {r.solver} steps" if r.teacher else "no teacher (consistency training)"
    clip = f", outputs clipped to [{r.clip[0]:g}, {r.clip[1]:g}]" if r.clip else ""
    return (
        f"model {r.model}{clip}; reference law: {x.law}",
        f"{teacher}; {counted(len(r.sigmas) - 1, 'step')} in [{r.sigmas[0]:g}, {r.sigmas[-1]:g}], {counted(r.n, 'path')}, "
        f"seed {r.seed}",
    )


def own_error(name: str, level: Level) -> float:
    """The error of a step; of the student's only what is not its teacher's, and not made up for by it."""
    size = float(getattr(level, name))
    return min(size, level.change) if name == "consistency" else size


def norm_of(name: str, level: Level) -> str:
    """The error of a step with the name of its column; of the student beside what the step changes, if that is not the same."""
    names = ("consistency", "change") if name == "consistency" and level.change != level.consistency else (name,)
    return ", ".join(f"{_COLUMNS[x]} {rounded(getattr(level, x), 3, 'nearest')}" for x in names)


def largest(x: Certificate) -> str:
    """Where the largest error is made: at an end of the grid, or in a step, which is named in any case."""
    low, high = x.request.sigmas[0], x.request.sigmas[-1]
    ends = {
        "initialisation": f"at the largest noise level {high:.4g}",
        "boundary": f"at the lowest noise level {low:.4g}",
        "early_stopping": f"at the lowest noise level {low:.4g}",
    }
    end = max(ends, key=lambda name: x.terms[name])
    name, level = max(((n, v) for v in x.levels for n in SUMMED), key=lambda pair: own_error(*pair))
    size = own_error(name, level)
    step = f"{name}, {norm_of(name, level)}, from noise level {level.sigma_from:.4g} to {level.sigma_to:.4g}"
    if size >= x.terms[end]:
        return f"largest error of a step: {step}"
    found = f"largest error: {words(end)}, {rounded(x.terms[end], 3, 'nearest')}, {ends[end]}"
    return f"{found}; of a step: {step}" if size else f"{found}; those of the steps are 0"


TRUSTS = FrozenDict(
    {
        GUARANTEED: "holds with the stated confidence for every law and number of samples (bounded outputs)",
        ASYMPTOTIC: "by normal approximations; what is rare and has not been sampled is not in it",
    }
)
"""What the levels of trust mean that no claim changes."""


FIRM_SUMS = (
    "guaranteed ends of attributed and stepwise have, on paths with terms beyond a pilot's, the whole error in their place"
)
ALWAYS = (
    "rungs rest on the error of the exact trajectories too, which is estimated with half the tolerance; the distance does not",
    "the reference law is the one given; what it says of a population behind a data file is not covered",
)


def assumptions(x: Certificate) -> tuple[str, ...]:
    """The levels of trust that occur, and what all rests on."""
    firm = {x.distance.trust, *(y.trust for y in x.rungs.values()), *(y.distance.trust for y in x.evaluations)}
    on = "claimed by the user and not refuted" if rests_on_claim(x) else "that were only estimated, from below"
    found = [f"{name}: {text}" for name, text in TRUSTS.items() if name in firm or name == ASYMPTOTIC]
    found += [f"{CONDITIONAL}: rests on Lipschitz constants {on}"] if CONDITIONAL in firm else []
    if any(y.upper > x.baselines.constant for y in x.rungs.values()):
        found.append("vacuous: above the best constant answer, the mean")
    if GUARANTEED in firm:
        found.append(FIRM_SUMS)
    return (*found, *ALWAYS)


def _halves(x: Certificate) -> tuple[Table, ...]:
    """The table of noise levels in two, which a column of a paper holds: the terms of the telescope, and what they come from."""
    whole = levels_table(x, exact=False)
    parts = []
    for columns in ((0, 1, 2, 3, 4, 10), (0, 1, 5, 6, 7, 8, 9)):
        rows = tuple(tuple(row[i] for i in columns) for row in whole.rows)
        heads = tuple(whole.titles[i] for i in columns)
        parts.append(
            replace(whole, header=tuple(whole.header[i] for i in columns), rows=rows, heads=heads, alignment="r" * len(columns))
        )
    return tuple(parts)


def _body(x: Certificate, levels: tuple[Table, ...]) -> Body:
    body = Body()
    body.line(x.verdict)
    for text in (*(f"REFUTED: {refuted(y)}" for y in x.refuted), *(f"finding: {y}" for y in x.findings), largest(x), *summary(x)):
        body.line(text)
    body.line()
    body.table(rungs_table(x))
    body.line()
    body.table(terms_table(x))
    if len(x.evaluations) > 1:
        body.line()
        body.table(evaluations_table(x))
    for table in levels:
        body.line()
        body.table(table)
    if x.advice:
        body.line()
        body.table(advice_table(x))
        body.line(ADVISED)
    body.line()
    body.line(effort(x))
    for note in x.notes:
        body.line(f"note: {note}")
    for text in assumptions(x):
        body.line(text)
    return body


def effort(x: Certificate) -> str:
    """What the enclosure was computed with, and what more would gain."""
    y, (low, high) = x.distance, x.distance.gain
    spent = f"distance: {y.method}, {counted(y.samples, 'sample')} and {counted(y.batches, 'batch')} of {y.batch}"
    if any(text.startswith(UNSEEN) for text in x.findings):
        return spent  # what more of them would show is not known
    if not x.request.population:
        high = min(high, _halved(x.rungs["direct"]))
    return (
        f"{spent}; four times as many, and as many paths, would give about "
        f"[{rounded(low, 4, 'down')}, {rounded(high, 4)}]{_needed(x)}"
    )


def _halved(rung: Rung) -> float:
    """What four times as many paths would give: the interval halved."""
    return rung.estimate + (rung.upper - rung.estimate) / 2


NEAR = 1.2
"""What is this close to the end by normal approximations is as good for most purposes."""


def _needed(x: Certificate) -> str:
    """How many paths bring the guaranteed end near the asymptotic one.

    What the square of the end adds to that of the estimate falls at least as fast as the root of the number of paths.
    """
    rung = x.rungs["direct"]
    goal = NEAR * rung.asymptotic
    if x.request.population or rung.trust != GUARANTEED or rung.upper <= goal:
        return ""
    base = rung.estimate**2
    more = ((rung.upper**2 - base) / (goal**2 - base)) ** 2
    return (
        f"; the guaranteed end of the direct rung comes within {NEAR - 1:.0%} of the asymptotic one with at most about "
        f"{counted(rounded(more * x.request.n, 2), 'path')}"
    )


def refuted(x: Refutation) -> str:
    """A refuted claim in words."""
    found = rounded(x.found, 6, "nearest")
    if x.name != "L_f":
        return (
            f"{x.name} = {x.claimed:g} at noise level {x.sigma:.6g}: at confidence the root mean square is at least {found}, and "
            f"at least {rounded(x.replayed, 6, 'nearest')} by fresh points asked in float64"
        )
    return f"{x.name} = {x.claimed:g} at noise level {x.sigma:.6g}: found {found}, {x.replayed:.6g} when replayed in float64"


def _page(x: Certificate) -> Body:
    return _body(x, (levels_table(x, exact=False),))


# --- data -------------------------------------------------------------------------------------------------------------


def _plain(x: Any) -> Any:
    if isinstance(x, Record):
        return {name: _plain(getattr(x, name)) for name in x._names()}
    if isinstance(x, Mapping):
        return {str(k): _plain(v) for k, v in x.items()}
    if isinstance(x, tuple | list):
        return [_plain(v) for v in x]
    if hasattr(x, "tolist"):
        return _plain(x.tolist())
    return None if isinstance(x, float) and not math.isfinite(x) else x


def to_data(x: Certificate) -> dict[str, Any]:
    """A certificate as JSON-ready data, without its samples."""
    data = {name: _plain(getattr(x, name)) for name in x._names() if name not in ("samples", "data")}
    return {
        "schema_version": SCHEMA_VERSION,
        **thawed(data),
        "verdict": x.verdict,
        "upper": x.upper,
        "assumptions": [*assumptions(x), *([ADVISED] if x.advice else [])],
    }


_MEASURED = (
    "distance", "rungs", "terms", "levels", "evaluations", "baselines", "refuted", "advice", "ode_error", "upper",
)  # fmt: skip


def measured_numbers(data: Mapping[str, Any]) -> dict[str, float]:
    """Every number of a certificate's data that was measured, by its place: what a replay must find again."""
    found: dict[str, float] = {}

    def walk(place: str, x: Any) -> None:
        if isinstance(x, Mapping):
            for name, y in x.items():
                walk(f"{place}.{name}" if place else name, y)
        elif isinstance(x, list):
            for i, y in enumerate(x):
                walk(f"{place}[{i}]", y)
        elif isinstance(x, int | float) and not isinstance(x, bool):
            found[place] = float(x)

    walk("", {name: data[name] for name in _MEASURED})
    return found
