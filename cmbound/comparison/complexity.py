"""Numbers of steps for an accuracy, side by side: exponents in each parameter, and an honest verdict.

The number of steps of a statement is the one recorded with it and the one its recipes imply: a corollary that gives the bound
order eps, with N = T/h. Where both exist they must agree. Exponents are leading orders in each parameter alone (logarithms
apart), from :func:`cmbound.analysis.orders.order`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import eq, gt, lt
from typing import Any

from sympy import Dummy, Integer, S

from cmbound.analysis.corollaries import corollaries, substituted
from cmbound.analysis.orders import order
from cmbound.catalogue.corollaries import HORIZON, LOGARITHMS, STOPPED
from cmbound.catalogue.lyu2023 import M
from cmbound.comparison.records import column, target_of
from cmbound.evaluation.statement import statements as all_statements, theorem as find
from cmbound.frozen import FrozenDict, Record
from cmbound.reports.cells import Cell, math
from cmbound.reports.report import Body, Report, Result
from cmbound.reports.table import Table
from cmbound.reports.words import formula, joined, named, symbol
from cmbound.theory.notation import N, R, T, delta, eps, h
from cmbound.theory.records import Corollary, Theorem
from cmbound.threads import alone

OWN = ("lyu2023", "cmbound")  # sources whose complexities are those of consistency models; the others are compared with them
PAPER = "lyu2023"  # the paper whose complexities get verdicts
NAMES = ("eps", "d", "L_s", "L_f", "R", "m2", "L_map")
PINSKER, ON_A_BALL = "Pinsker's inequality", "W2^2 <= 4 R^2 TV on a ball of radius R"

_NARROW: Mapping[str, Any] = FrozenDict({"layout": "headings", "size": "scriptsize", "tight": True})
"""How the tables are set in a paper."""
_SHORT = FrozenDict({M: (Dummy("M", positive=True), "M"), LOGARITHMS: (Dummy("Q", positive=True), "Q")})
"""What stands for long factors in a paper (the notes say so)."""

_CONVERSIONS: dict[tuple[str, str], tuple[Any, str]] = {
    ("KL^(1/2)", "TV"): (eps, PINSKER),
    ("TV", "W2"): (eps**2 / R**2, ON_A_BALL),
    ("KL^(1/2)", "W2"): (eps**2 / R**2, f"{PINSKER} and {ON_A_BALL}"),
}
"""Their metric and ours: the accuracy in theirs that gives eps in ours, up to a constant, and the inequality."""


@dataclass(frozen=True, eq=False, repr=False)
class Complexity(Result, Record):
    """A number of steps for accuracy eps.

    Attributes:
        theorem: the statement.
        metric: in which eps is measured.
        target: the law the distance is to (empty: another one).
        expression: the number of steps, up to a constant.
        recorded: whether it is recorded with the statement (else it is that of a recipe).
        recipe: the corollary that implies it (empty: none does).
        exponents: powers by parameter (of 1/eps for eps), each alone; smaller is better.
        logs: powers of logarithms that were seen (a recorded complexity leaves them out).
        through: the inequality through which it was brought to this metric (empty: as stated).
    """

    theorem: Theorem
    metric: str
    target: str
    expression: Any
    recorded: bool
    recipe: str
    exponents: Mapping[str, Any]
    logs: Mapping[str, Any]
    through: str = ""

    def __repr__(self) -> str:
        return f"<Complexity of {self.theorem.id}: {self.expression}>"

    @property
    def id(self) -> str:
        return self.theorem.id

    @property
    def column(self) -> str:
        """Metric and law."""
        return column(self.metric, self.target)

    @property
    def own(self) -> bool:
        """Whether it is one of a consistency model in this package's sources."""
        return self.theorem.reference.key in OWN

    def power(self, name: str) -> str:
        """The exponent of a parameter as text: 0 where it does not matter, ``log`` where it does so through a logarithm only."""
        power = self.exponents.get(name, S.Zero)
        return "log" if power == 0 and self.logs.get(name, 0) != 0 else str(power)

    @property
    def unconfirmed(self) -> bool:
        """Whether its form is not confirmed."""
        return not self.theorem.confirmed

    @property
    def known(self) -> str:
        """How it is known: from a recipe, or as its source is."""
        if self.unconfirmed:
            return "unconfirmed"
        return f"recipe: {self.recipe}" if self.recipe else self.theorem.known

    @property
    def marked(self) -> str:
        """The id, with what is missing in brackets."""
        return self.id if self.recipe or self.known in ("verbatim", "derived") else f"{self.id} ({self.known})"

    def to_dict(self) -> dict[str, Any]:
        return {
            **{name: getattr(self, name) for name in ("id", "metric", "target", "recorded", "recipe", "unconfirmed", "through")},
            "steps": str(self.expression),
            **{a: {label(name): str(x) for name, x in getattr(self, a).items()} for a in ("exponents", "logs")},
            "known": self.theorem.known,
            "reference": str(self.theorem.reference),
        }

    def report(self) -> Report:
        """The number of steps and the exponents."""
        return _report(f"complexity of {self.id}", self.to_dict, (self,))


@dataclass(frozen=True, eq=False, repr=False)
class Against(Result, Record):
    """One complexity against another.

    Attributes:
        ours, theirs: the two (``theirs`` possibly brought to our metric).
        comparable: whether eps means the same in both: one metric, to one law.
        better, same, worse: parameters in which ours has the smaller, the same, the larger exponent.
    """

    ours: Complexity
    theirs: Complexity
    comparable: bool
    better: tuple[str, ...]
    same: tuple[str, ...]
    worse: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """``matches``, or what it is better and worse in."""
        pairs = {word: ", ".join(map(self._pair, names)) for word, names in self._words()}
        found = {word: x for word, x in pairs.items() if x} or {"matches": ""}
        text = "; ".join(f"{word} in {x}" for word, x in found.items())
        present = {x.name for x in self.theirs.expression.free_symbols}
        extra = ", ".join(x for x in self.worse if x not in present)
        text += f" (not in theirs: {extra})" if extra else ""
        different = f"not the same accuracy ({self.ours.column} against {self.theirs.column}): as numbers {text}"
        return text if self.comparable else different

    def _words(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        return ("better", self.better), ("matches", self.same), ("worse", self.worse)

    def _pair(self, name: str) -> str:
        return f"{label(name)} ({self.ours.power(name)} against {self.theirs.power(name)})"

    def __repr__(self) -> str:
        return f"<Against {self.ours.id} and {self.theirs.id}: {self.verdict}>"

    @property
    def sentence(self) -> str:
        """The two, and the verdict, in one sentence."""
        through = f" through {self.theirs.through}" if self.theirs.through else ""
        word = " (unconfirmed)" if self.theirs.unconfirmed else ""
        steps = f"N = {self.ours.expression} against {self.theirs.expression}"
        return f"{self.ours.id} against {self.theirs.id}{word}{through}, {steps}: {self.verdict}"

    def to_dict(self) -> dict[str, Any]:
        ours, theirs = self.ours, self.theirs
        steps = {"steps": [str(ours.expression), str(theirs.expression)], "through": theirs.through}
        words = {word: [label(x) for x in names] for word, names in self._words()}
        said = {"unconfirmed": theirs.unconfirmed, "verdict": self.verdict}
        return {"ours": ours.id, "theirs": theirs.id, **steps, "comparable": self.comparable, **words, **said}

    def report(self) -> Report:
        """The two side by side, and the verdict."""
        return _report(f"{self.ours.id} against {self.theirs.id}", self.to_dict, (self.ours, self.theirs), (self,))


NOTES = (
    "N of a consistency model is the number of steps of the grid it is trained on, and a sample takes one evaluation (k in "
    "multistep sampling); N of a score-based sampler is the number of evaluations for every sample",
    "L_f, the Lipschitz constant of the consistency model, has no counterpart for score-based models: it is one more assumption, "
    "and for data that are only bounded the known bound on that of the exact map is exponential in R^2",
    "every exponent is that of one parameter alone; verdicts leave out constants and logarithms, such as T^2 = log(M L_f/eps)^2; "
    "recorded complexities of other papers leave out all logarithms",
    "M = max(d^(1/2), m2): where m2 is of order d^(1/2), a power of m2 is another of d^(1/2)",
    "in papers Q = d^(1/2) log(L_s) + m2 log(L_s)^(1/2)",
)


def label(name: str) -> str:
    """How a parameter is called in a table of exponents."""
    return "1/eps" if name == "eps" else name


# --- the table --------------------------------------------------------------------------------------------------------


@alone
def complexities(statements: Iterable[str | Theorem] | None = None) -> tuple[Complexity, ...]:
    """The complexities of the catalogue: recorded ones, and those of recipes, each expression of a statement once.

    Args:
        statements: statements to look at, possibly with other ``complexity`` than the catalogue's; default all.

    >>> import cmbound
    >>> rows = cmbound.complexities()
    >>> next(str(x.expression) for x in rows if x.id == "lyu2023-cor4")
    'L_f*L_s**(3/2)*T**2*sqrt(d)/eps'
    """
    found: list[Complexity] = []
    for theorem in all_statements() if statements is None else map(find, statements):
        own = [] if theorem.complexity is None else [complexity_of(theorem, theorem.complexity, recorded=True)]
        for x in corollaries():
            steps = _steps(x) if x.statement == theorem.id else None
            if steps is not None:
                new = complexity_of(theorem, steps, recipe=x.id)
                same = next((i for i, y in enumerate(own) if y.exponents == new.exponents), None)
                if same is None:
                    own.append(new)
                elif not own[same].recipe:
                    own[same] = replace(own[same], recipe=x.id)
        found += own
    return _without_doubles(found)


def _without_doubles(found: list[Complexity]) -> tuple[Complexity, ...]:
    """A recipe of one statement that another one of the same source records is shown there."""
    kept: list[Complexity] = []
    for x in found:
        twin = next((y for y in found if y is not x and _twins(x, y)), None)
        if twin is None:
            kept.append(x)
        elif x.recorded:
            kept.append(replace(x, recipe=x.recipe or twin.recipe))
    return tuple(kept)


def _twins(x: Complexity, y: Complexity) -> bool:
    """Whether one records what the recipe of the other implies."""
    same = x.column == y.column and x.exponents == y.exponents and x.theorem.reference.key == y.theorem.reference.key
    return same and x.recorded != y.recorded and x.id != y.id and "R" in x.exponents


def complexity_of(theorem: Theorem, expression: Any, *, recorded: bool = False, recipe: str = "") -> Complexity:
    """A record with its exponents derived (the horizon is that of the recipe, early stopping of order eps)."""
    metric = theorem.complexity_metric or theorem.metric
    exponents, logs = exponents_of(expression.subs(T, HORIZON).subs(delta, STOPPED))
    return Complexity(theorem, metric, target_of(theorem, {}), expression, recorded, recipe, exponents, logs)


def exponents_of(expression: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Powers by parameter (of 1/eps for eps), and powers of logarithms."""
    present = {x.name for x in expression.free_symbols}
    found = {name: order(expression, name) for name in (*(x for x in NAMES if x in present), *sorted(present - set(NAMES)))}
    powers = {name: -x.exponent if name == "eps" else x.exponent for name, x in found.items() if x.exponent != 0}
    return powers, {name: x.logs for name, x in found.items() if x.logs != 0}


def _steps(x: Corollary) -> Any:
    """The number of steps a corollary is about, with its recipe put in: N, or T/h, for an accuracy of order eps."""
    if N in x.substitution:
        return substituted(N, x.substitution)
    if x.claim == eps and h in x.substitution:
        return substituted(T / h, {name: y for name, y in x.substitution.items() if name != T})
    if not isinstance(x.quantity, str) and x.quantity == T / h:
        return x.claim
    return None


# --- verdicts ---------------------------------------------------------------------------------------------------------


def against(ours: Complexity, theirs: Complexity) -> Against:
    """Exponents compared, parameter by parameter; a parameter that does not occur has exponent 0."""
    names = [x for x in NAMES if x in ours.exponents or x in theirs.exponents]
    names += sorted({*ours.exponents, *theirs.exponents} - set(names))
    gaps = {x: ours.exponents.get(x, Integer(0)) - theirs.exponents.get(x, Integer(0)) for x in names}
    comparable = ours.metric == theirs.metric and ours.target == theirs.target != ""
    return Against(ours, theirs, comparable, *(tuple(x for x in names if holds(gaps[x], 0)) for holds in (lt, eq, gt)))


def converted(theirs: Complexity, metric: str) -> Complexity | None:
    """A complexity brought to another metric, where an inequality allows it (on a ball: only of distances to the data law)."""
    if (theirs.metric, metric) not in _CONVERSIONS or (metric == "W2" and theirs.target != "p_data"):
        return None
    accuracy, through = _CONVERSIONS[theirs.metric, metric]
    expression = theirs.expression.subs(eps, accuracy)
    exponents, logs = exponents_of(expression)
    return replace(theirs, metric=metric, expression=expression, exponents=exponents, logs=logs, through=through)


@alone
def verdicts(found: Iterable[Complexity] | None = None) -> tuple[Against, ...]:
    """Every complexity of the paper against every one of another source, and so the explicit ones that are sharper than it.

    These are set against the paper's too. Where the metrics differ the numbers are compared through an inequality where there
    is one. Those of the paper's first complexity are besides set side by side as they are, and said not to be comparable.

    >>> import cmbound
    >>> cmbound.verdicts()[0].comparable
    False
    """
    rows = complexities() if found is None else tuple(found)
    mine: list[Complexity] = []
    for x in rows:
        if x.theorem.reference.key == PAPER and all(x.exponents != y.exponents or x.column != y.column for y in mine):
            mine.append(x)
    result = []
    sharper = [x for x in rows if mine and _sharper(x, mine[0])]
    for ours in (*mine, *sharper):  # data that are bounded are not compared with data with Lipschitz scores
        others = (x for x in rows if not x.own and ("R" in ours.exponents) == ("R" in x.exponents))
        for theirs in (*mine[:1], *others) if ours in sharper else others:
            direct, brought = against(ours, theirs), converted(theirs, ours.metric)
            if direct.comparable or ours is mine[0]:
                result.append(direct)
            if brought is not None and brought.target == ours.target:
                result.append(against(ours, brought))
    return tuple(result)


def _sharper(x: Complexity, paper: Complexity) -> bool:
    """Whether it is an explicit one, under the same assumptions and to the same accuracy, with a smaller exponent."""
    alike = x.own and x.theorem.reference.key != PAPER and x.column == paper.column
    return alike and "L_s" in x.exponents and bool(against(x, paper).better)


# --- the report -------------------------------------------------------------------------------------------------------


def complexities_report() -> Report:
    """Every complexity with its exponents, and the verdicts; CSV holds the table alone."""
    rows = complexities()
    found = verdicts(rows)
    notes = (*NOTES, *_without_steps())
    data = {"complexities": [x.to_dict() for x in rows], "verdicts": [x.to_dict() for x in found], "notes": list(notes)}
    return _report("complexities", lambda: data, rows, found, notes)


def _without_steps() -> tuple[str, ...]:
    """A note on the statements of which neither a bound nor a number of steps is known."""
    silent = [f"{x.id} ({x.known})" for x in all_statements() if not x.evaluable and x.complexity is None]
    return (f"no number of steps is known here of {', '.join(silent)}",) if silent else ()


def _report(
    title: str, data: Callable[[], Any], rows: Sequence[Complexity], found: Sequence[Against] = (), notes: Sequence[str] = ()
) -> Report:
    page, document, table = Body(), Body(), _exponents(rows)
    page.line("steps N for accuracy eps, up to constants; exponents (of 1/eps for eps), smaller is better; log: logarithmic only")
    page.table(table)
    if found:
        page.line()
        page.line("verdicts on the paper's complexities")
    for x in found:
        page.line(x.sentence, 2)
    page.line()
    for note in notes:
        page.line(f"note: {note}")
    document.table(_for_paper(rows, notes))
    for ours in dict.fromkeys(x.ours for x in found):
        document.line()
        document.table(_verdicts_for_paper([x for x in found if x.ours == ours]))
    return Report(title, page, data, table, document)


def _present(rows: Sequence[Complexity]) -> list[str]:
    return [x for x in NAMES if any(x in row.exponents for row in rows)]


def _exponents(rows: Sequence[Complexity]) -> Table:
    """One row a complexity, one column for the exponent in each parameter."""
    present = _present(rows)
    header = ("statement", "accuracy", "steps N", *map(label, present), "known")
    body = tuple(
        (Cell(x.id), Cell(x.column), formula(x.expression), *(Cell(x.power(name)) for name in present), Cell(x.known))
        for x in rows
    )
    return Table(header, body, "lll" + "r" * len(present) + "l")


def _for_paper(rows: Sequence[Complexity], notes: Sequence[str]) -> Table:
    """The same below the accuracy, which has a line of its own; of what is known, only where something is missing."""
    present = _present(rows)
    heads = (Cell("accuracy"), Cell("statement"), math("N", "N"), *map(_sign, present))
    places = list(dict.fromkeys(x.column for x in rows))
    body = tuple(
        (named(x.column), Cell(x.marked), formula(x.expression, _SHORT), *(_power(x.power(name)) for name in present))
        for x in sorted(rows, key=lambda x: places.index(x.column))
    )
    said = (Cell("In brackets what was neither proved here nor read in its source."), *map(named, notes))
    header, alignment = tuple(x.string() for x in heads), "lll" + "r" * len(present)
    return Table(header, body, alignment, heads=heads, widths={1: 0.2}, notes=said, **_NARROW)


def _sign(name: str) -> Cell:
    return math(r"1/\varepsilon", label(name)) if name == "eps" else symbol(name)


def _power(*texts: str) -> Cell:
    """Exponents, where there are several in brackets."""
    text = f"({', '.join(texts)})" if len(texts) > 1 else texts[0]
    return math(text.replace("log", r"\log"), text)


def _verdicts_for_paper(found: Sequence[Against]) -> Table:
    """Below a complexity those it is compared with: in which parameters its exponents are smaller, equal and larger."""

    def pairs(x: Against, names: Sequence[str]) -> Cell:
        cells = ((_sign(y), _power(x.ours.power(y), x.theirs.power(y))) for y in names)
        return joined((math(rf"{sign.text}\,{powers.text}", f"{sign.plain} {powers.plain}") for sign, powers in cells), ", ")

    rows = []
    for x in found:
        against = [x.theirs.marked, x.theirs.through, "" if x.comparable else f"not the same accuracy: {x.theirs.column}"]
        steps = math(f"N = {formula(x.ours.expression, _SHORT).text}", f"N = {x.ours.expression}")
        heading = joined((Cell(x.ours.id), steps, named(x.ours.column)), ", ")
        columns = (pairs(x, names) for names in (x.better, x.same, x.worse))
        rows.append((heading, named("; ".join(filter(None, against))), *columns))
    header, widths = ("ours", "against", "better", "matches", "worse"), {1: 0.28, 2: 0.2, 3: 0.2, 4: 0.2}
    said = (Cell("In brackets the exponents: ours, theirs."),)
    return Table(header, tuple(rows), "lllll", widths=widths, notes=said, **_NARROW)
