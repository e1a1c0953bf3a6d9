"""What comes of evaluating a statement."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import FrozenInstanceError, asdict, dataclass, replace
from decimal import Decimal
from functools import lru_cache
from importlib import resources
from typing import Any

from cmbound import __version__
from cmbound.arithmetic.exact import in_clock
from cmbound.checks import checked_distinct, shown
from cmbound.errors import InputError
from cmbound.evaluation.notes import notes
from cmbound.frozen import FrozenDict, Record, thawed
from cmbound.numbers import MOST_EXPONENT, counted, latex_number, plain_decimal, rounded, text_up
from cmbound.reports.cells import Cell, math, mixed, number
from cmbound.reports.report import Body, Report, Result
from cmbound.reports.table import Table
from cmbound.reports.words import joined, prose, symbol
from cmbound.theory.records import CONFIRMED, Theorem

SCHEMA_VERSION = "1"
_SHOWN_STEPS = 50  # evaluations of a multistep sampler that a page shows; half of them from either end
_SHOWN_DERIVED = 12  # numbers that follow from those given that a page shows; of many given times the first


@dataclass(frozen=True)
class TermValue:
    """One term of an evaluation: ``value`` (upper end, float), the decimal enclosure, and its share of the sum."""

    name: str
    value: float
    lower: Decimal
    upper: Decimal
    share: float


class Terms(Mapping[str, TermValue]):
    """The terms of an evaluation by name, in the order of the statement."""

    _values: Mapping[str, TermValue]

    def __init__(self, values: tuple[TermValue, ...]) -> None:
        checked_distinct("the terms of an evaluation", (x.name for x in values))
        super().__setattr__("_values", FrozenDict({x.name: x for x in values}))

    def __setattr__(self, name: str, value: object) -> None:
        raise FrozenInstanceError(f"cannot assign to {name!r}")

    def __hash__(self) -> int:
        return hash(self._values)

    def __reduce__(self) -> Any:
        return Terms, (tuple(self._values.values()),)

    def __getitem__(self, name: str) -> TermValue:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Terms({', '.join(f'{x.name}={rounded(x.upper)}' for x in self.values())})"


@dataclass(frozen=True)
class Stretch:
    """A stretch [start, end] (times, OU clock) on which one profile was used, in the map error at ``at``."""

    profile: str
    start: float
    end: float
    at: float


@dataclass(frozen=True)
class Step:
    """The bound after one evaluation of a multistep sampler: its number, its time, total and terms."""

    k: int
    t: float
    value: float
    lower: Decimal
    upper: Decimal
    terms: Terms


@dataclass(frozen=True)
class CheckedAssumption:
    """An assumption of an evaluation: ``checked`` (decided from the parameters) or ``assumed``."""

    id: str
    text: str
    status: str


@dataclass(frozen=True)
class Enclosed:
    """A number that follows from the parameters, as a decimal enclosure."""

    lower: Decimal
    upper: Decimal


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation(Result, Record):
    """A statement evaluated at one point: the enclosure [lower, upper], its terms, and everything it assumed.

    ``float(evaluation)`` and ``value`` are the upper end, rounded up. In the approximate tier ``lower`` and ``upper``
    are the float64 value itself and certify nothing. Where local errors were measured the tier is their level of trust,
    ``asymptotic`` or ``guaranteed`` at a confidence, and ``sampled`` says what they rest on. ``unused`` are the names that were
    given and enter nothing, with the reason; ``advice`` is what would help, where somebody looked for it.

    >>> import cmbound
    >>> found = cmbound.theorem("explicit-one-step").evaluate(preset="gaussian-2d")
    >>> found
    <Evaluation of explicit-one-step: W2(f_theta(., T)#start, p_data) ...>
    >>> found.is_guarantee, found.dominating_term
    (True, 'early_stopping')
    """

    theorem: Theorem
    tier: str
    value: float
    lower: Decimal
    upper: Decimal
    terms: Terms
    profile: str | None
    stretches: tuple[Stretch, ...]
    teacher: str | None
    grid: Mapping[str, Any] | None
    target: str | None
    start: str | None
    clock: str
    parameters: Mapping[str, Any]
    derived: Mapping[str, Enclosed]
    assumptions: tuple[CheckedAssumption, ...]
    trivial: float | None
    steps: tuple[Step, ...] | None
    unused: tuple[tuple[str, str], ...]
    sampled: Mapping[str, Any] | None = None
    advice: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        held = self.__dict__  # what is computed when it is asked for is not computed here
        for name, kinds in _KINDS.items():
            if not _is_one(type(held.get(name, _ABSENT)), kinds):  # type: ignore[arg-type]
                raise InputError(f"{name} of an evaluation must be {_words(kinds)}, got {shown(held[name])}")
        if not (self.lower <= self.upper and self.value >= float(self.upper)):
            raise InputError(
                "an evaluation must have lower <= upper and value >= upper, "
                f"got lower {self.lower}, upper {self.upper}, value {self.value}"
            )

    def __float__(self) -> float:
        return self.value

    def __repr__(self) -> str:
        return f"<Evaluation of {self.theorem.id}: {self.quantity} {rounded(self.upper)}, {self.tier}>"

    @property
    def is_guarantee(self) -> bool:
        """Whether ``upper`` bounds the metric: certified, explicit (or exact), proved here, in its source or by its author."""
        known = self.theorem.confirmed and self.theorem.known in CONFIRMED
        return self.theorem.kind != "order" and known and self.tier == "certified"

    @property
    def dominating_term(self) -> str | None:
        """Name of the largest term (None if all vanish)."""
        largest = max(self.terms.values(), key=lambda x: x.upper)
        return largest.name if largest.upper > 0 else None

    @property
    def vacuous(self) -> bool | None:
        """Whether the best constant (for TV: any law at all) has a guarantee at least as good (None: no such yardstick)."""
        return None if self.trivial is None else self.value >= self.trivial

    @property
    def trivial_answer(self) -> str:
        """What ``trivial`` is achieved by: any law (TV), the best constant, the mean, where sd2 is known, or the constant 0."""
        if self.theorem.metric == "TV":
            return "any law"
        return "the best constant (the mean)" if {"sd2", "cov_eigs"} & self.parameters.keys() else "the constant 0"

    @property
    def quantity(self) -> str:
        """The left-hand side, in text."""
        return self.theorem.quantity.format(target=self.target)

    @property
    def quantity_latex(self) -> str:
        """The left-hand side, in LaTeX."""
        return self.theorem.quantity_latex.replace("@", r"p_\delta" if self.target == "p_delta" else r"p_{\mathrm{data}}")

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must be told besides the number."""
        return tuple(notes(self))

    def to_dict(self) -> dict[str, Any]:
        """The evaluation as JSON-ready data (the shape of ``cmbound evaluate --format json``)."""
        return _data(self)

    def latex(self) -> str:
        """The evaluation as LaTeX math, ``quantity \\le value``."""
        return f"{self.quantity_latex} {_relation(self)[1]} {latex_number(rounded(self.upper))}"

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"

    def report(self) -> Report:
        """The value, its terms, the winners, and everything it assumed."""
        title = f"{self.theorem.id}, {self.tier}"
        return Report(title, _page(self), self.to_dict, _exact_terms(self), _document(self))


class _Absent:
    """Stands for a field that is computed when it is asked for."""


_ABSENT = _Absent()
_NONE = type(None)
_KINDS: Mapping[str, tuple[type, ...]] = FrozenDict(
    {
        "theorem": (Theorem,),
        "value": (float,),
        "terms": (Terms, _Absent),
        "trivial": (float, _NONE, _Absent),
        "steps": (tuple, _NONE, _Absent),
        **dict.fromkeys(("lower", "upper"), (Decimal,)),
        **dict.fromkeys(("tier", "clock"), (str,)),
        **dict.fromkeys(("profile", "teacher", "target", "start"), (str, _NONE)),
        **dict.fromkeys(("stretches", "assumptions", "unused", "advice"), (tuple, _Absent)),
        **dict.fromkeys(("parameters", "derived"), (Mapping, _Absent)),
        **dict.fromkeys(("grid", "sampled"), (Mapping, _NONE)),
    }
)
"""What the fields of an evaluation are."""


@lru_cache(maxsize=256)
def _is_one(kind: type, kinds: tuple[type, ...]) -> bool:
    return issubclass(kind, kinds)


def _words(kinds: tuple[type, ...]) -> str:
    return " or ".join("None" if x is _NONE else f"a {x.__name__}" for x in kinds if x is not _Absent)


@dataclass(frozen=True, eq=False)
class Approximation(Record):
    """float64 values over arrays: ``total`` and ``terms`` (by name), all of the broadcast shape.

    ``unused`` are the names that were given and enter nothing at any point, with the reason.

    >>> import cmbound
    >>> import numpy as np
    >>> found = cmbound.theorem("explicit-one-step").approximate(preset="gaussian-2d", L_f=np.array([1.0, 2.0]))
    >>> found.total.shape, list(found.terms)[0]
    ((2,), 'initialisation')
    """

    total: Any
    terms: Mapping[str, Any]
    unused: tuple[tuple[str, str], ...] = ()


# --- what is said of an evaluation --------------------------------------------------------------------------------------


def _ends(x: Any) -> dict[str, str]:
    """What has an enclosure, as data."""
    return {"lower": plain_decimal(x.lower), "upper": plain_decimal(x.upper)}


def _terms(terms: Terms) -> list[dict[str, Any]]:
    return [{"name": x.name, "value": x.value, **_ends(x), "share": x.share} for x in terms.values()]


def _data(evaluation: Evaluation) -> dict[str, Any]:
    """The evaluation as nested dicts, lists, numbers and text."""
    theorem, clock = evaluation.theorem, evaluation.clock

    def at(t: float) -> float:
        return in_clock(t, clock)

    stretches = [{"profile": x.profile, "from": at(x.start), "to": at(x.end), "at": at(x.at)} for x in evaluation.stretches]
    data: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "version": __version__,
        "theorem": theorem.id,
        "metric": theorem.metric,
        "quantity": evaluation.quantity,
        "kind": theorem.kind,
        "tier": evaluation.tier,
        "guarantee": evaluation.is_guarantee,
        "value": evaluation.value,
        **_ends(evaluation),
        "terms": _terms(evaluation.terms),
        "dominating_term": evaluation.dominating_term,
        "trivial_bound": evaluation.trivial,
        "vacuous": evaluation.vacuous,
        "profile": {"name": evaluation.profile, "stretches": stretches},
        "teacher": evaluation.teacher,
        "grid": dict(evaluation.grid or {"kind": None, "N": None, "h_max": None}),
        "clock": clock,
        "start": evaluation.start,
        "to": evaluation.target,
        "parameters": thawed(evaluation.parameters),
        "derived": {name: _ends(x) for name, x in evaluation.derived.items()},
        "assumptions": [asdict(x) for x in evaluation.assumptions],
        "notes": list(evaluation.notes),
        "sampled": None if evaluation.sampled is None else thawed(evaluation.sampled),
    }
    if evaluation.steps is not None:
        data["steps"] = [
            {"k": x.k, "time": at(x.t), "value": x.value, **_ends(x), "terms": _terms(x.terms)} for x in evaluation.steps
        ]
    return data


def terms_table(evaluation: Evaluation, digits: int = 6) -> Table:
    """The named terms, each rounded up, with the total."""
    terms = [(name.replace("_", " "), x.upper, 100 * x.share) for name, x in evaluation.terms.items()]
    total = ("total", evaluation.upper, 100.0 if evaluation.value > 0 else 0.0)
    rows = ((Cell(name), _bound(x, digits), number(f"{share:.1f}")) for name, x, share in (*terms, total))
    return Table(("term", "bound", "share (%)"), tuple(rows), "lrr")


def _exact_terms(evaluation: Evaluation) -> Table:
    """The named terms with their enclosures (what CSV holds)."""
    terms: list[tuple[str, Any, float]] = [(name, x, x.share) for name, x in evaluation.terms.items()]
    total = ("total", evaluation, 1.0 if evaluation.value > 0 else 0.0)
    rows = (
        (Cell(name), *map(number, (text_up(x.value, x.upper), *_ends(x).values(), repr(share))))
        for name, x, share in (*terms, total)
    )
    return Table(("term", "value", "lower", "upper", "share"), tuple(rows), "lrrrr")


def _bound(x: Decimal, digits: int) -> Cell:
    """An upper end, rounded up; one that is too small to be written is said to be below what can be."""
    if 0 < x <= Decimal(f"1e-{MOST_EXPONENT}"):
        return math(f"< 10^{{-{MOST_EXPONENT}}}", f"< 1e-{MOST_EXPONENT}")
    return number(rounded(x, digits))


def _time(evaluation: Evaluation, t: float, digits: int) -> Cell:
    """A time as it is reported."""
    return number(rounded(in_clock(t, evaluation.clock), digits, "nearest"))


def _steps_table(evaluation: Evaluation, digits: int = 6) -> Table:
    """Multistep sampling: the bound after each evaluation."""
    name = "sigma" if evaluation.clock == "ve" else "time"
    steps = evaluation.steps or ()
    rows = tuple((number(str(x.k)), _time(evaluation, x.t, digits), _bound(x.upper, digits)) for x in steps)
    return Table(("k", name, "bound"), rows, "rrr")


def _stretches_table(evaluation: Evaluation) -> Table:
    """Which profile was used on which stretch."""
    several = len({x.at for x in evaluation.stretches}) > 1
    header = ("profile", "from", "to", "map error at")[: 4 if several else 3]
    rows = tuple(
        (Cell(x.profile), *(_time(evaluation, y, 4) for y in (x.start, x.end, x.at)[: len(header) - 1]))
        for x in evaluation.stretches
    )
    return Table(header, rows, "lrrr"[: len(header)])


def _relation(evaluation: Evaluation) -> tuple[str, str]:
    """How the value relates to the quantity, in text and in LaTeX."""
    return ("<~", r"\lesssim") if evaluation.theorem.kind == "order" else ("<=", r"\leq")


def _page(evaluation: Evaluation) -> Body:
    """The value, its terms, the winners, and everything it assumed."""
    page = Body()
    theorem = evaluation.theorem
    page.line(mixed(f"{theorem.id}: ", prose(theorem.title)))
    page.line(math(evaluation.latex(), f"{evaluation.quantity} {_relation(evaluation)[0]} {rounded(evaluation.upper)}"))
    if evaluation.tier == "certified":
        page.line(f"certified: in [{plain_decimal(evaluation.lower)}, {plain_decimal(evaluation.upper)}]")
    for note in evaluation.notes:
        page.line(f"note: {note}")
    page.line()
    page.table(terms_table(evaluation))
    if evaluation.steps is not None:
        page.line()
        page.line("after each evaluation")
        shown, half = _steps_table(evaluation), _SHOWN_STEPS // 2
        left_out = len(shown.rows) - _SHOWN_STEPS
        page.table(shown if left_out <= 0 else replace(shown, rows=shown.rows[:half] + shown.rows[-half:]))
        if left_out > 0:
            page.line(f"({counted(left_out, 'evaluation')} in between left out; --format json has them all)", 2)
    if evaluation.stretches:
        page.line()
        where = "noise levels" if evaluation.clock == "ve" else "times"
        page.line(f"profile {evaluation.profile}, teacher {evaluation.teacher}, {_grid_text(evaluation)}; stretches in {where}")
        page.table(_stretches_table(evaluation))
    page.line()
    if evaluation.parameters:
        page.line(parameters_line(evaluation))
    chosen = {"start": evaluation.start, "to": evaluation.target, "clock": evaluation.clock}
    usual = {"start": "standard", "to": "p_data", "clock": "ou"}
    options = [f"{name} = {value}" for name, value in chosen.items() if value not in (None, usual[name])]
    if options:
        page.line("options: " + ", ".join(options))
    if evaluation.derived:
        first = list(evaluation.derived.items())[:_SHOWN_DERIVED]
        found = (mixed(symbol(name), f" = {rounded(x.upper, 8, 'nearest')}") for name, x in first)
        page.line(mixed("derived: ", joined(found, ", ")))
    if evaluation.assumptions:
        page.line("assumptions")
    for x in evaluation.assumptions:
        page.line(assumption_line(x), 2)
    return page


def parameters_line(evaluation: Evaluation) -> Cell:
    """What was given, on one line."""
    given = (mixed(symbol(name), f" = {short(value)}") for name, value in evaluation.parameters.items())
    return mixed("parameters: ", joined(given, ", "))


def assumption_line(x: CheckedAssumption) -> Cell:
    """An assumption and what became of it."""
    return mixed(f"[{x.status}] {x.id}: ", prose(x.text))


def _grid_text(evaluation: Evaluation) -> str:
    grid = evaluation.grid or {}
    if grid.get("kind") == "closed-form":
        return f"any grid with largest step {rounded(grid['h_max'], 6, 'nearest')}"
    return f"{grid.get('kind')} grid of {counted(grid.get('N'), 'step')}, largest {rounded(grid['h_max'], 4)} in t"


def short(value: Any) -> str:
    """A parameter on one line: of a long list the ends."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(value)}]" if len(value) <= 8 else f"[{value[0]}, ..., {value[-1]}] ({len(value)} values)"
    return str(value)


def _document(evaluation: Evaluation) -> Body:
    document = Body()
    document.formula(evaluation.latex())
    document.table(terms_table(evaluation))
    if evaluation.steps is not None:
        document.line()
        document.table(_steps_table(evaluation))
    for note in evaluation.notes:
        document.line(note)
    return document


def schema() -> dict[str, Any]:
    """The JSON schema of an evaluation."""
    text = resources.files(__package__).joinpath("evaluation.schema.json").read_text(encoding="utf-8")
    result: dict[str, Any] = json.loads(text)
    return result
