"""Tables about the statements: their two forms, and what they assume."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from sympy import Dummy

from cmbound.catalogue import catalogue
from cmbound.catalogue.explicit import CONTRACTION, PAIRS, TO_TV
from cmbound.catalogue.lyu2023 import M
from cmbound.errors import InputError
from cmbound.evaluation.shown import definitions
from cmbound.evaluation.statement import Statement, theorem as find
from cmbound.frozen import FrozenDict
from cmbound.papers.words import CHECK, chosen
from cmbound.reports.cells import Cell, math, mixed
from cmbound.reports.table import Table
from cmbound.reports.words import formula, joined, may_contain, prose, words
from cmbound.theory.formulas import closed_terms, put
from cmbound.theory.functions import corrector_information, geometric_sum, steering, tv_drift
from cmbound.theory.named import Named, plain
from cmbound.theory.notation import TABLE, C, W_prev
from cmbound.theory.prose import Prose
from cmbound.theory.records import Pair, Term, Theorem
from cmbound.theory.variants import STARTS, LipschitzAt, LocalErrorSum

_CORE = ("A1", "A2", "A3", "A4", "A5", "A6")  # the assumptions of the source paper, which have a column each
_LONG_NAME = 16  # characters of the name of a term that fits on one line


def statements(digits: int, statements: Any = None, profile: str | None = None) -> Table:
    """The order form of the paper beside the explicit form."""
    pairs = PAIRS if statements is None else _pairs_of([x.id for x in chosen(statements, ())])
    rows, expressions = [], []
    short = _abbreviations()
    for pair in pairs:
        order, ours = find(pair.order[-1]), find(pair.explicit)
        recursion = any(x.expression.has(W_prev) for x in order.bare_sources)
        left, right = _order_terms(order), _explicit_terms(ours, recursion, profile)
        heading = _heading(pair, order, ours, recursion)
        for name in sorted({**left, **right}, key=lambda x: x == "early_stopping"):  # their own order, early stopping last
            cells = [formula(x[name], short) if name in x else Cell("") for x in (left, right)]
            rows.append((heading, Cell(words(name), lines=tuple(name.split("_")) if len(name) > _LONG_NAME else ()), *cells))
        expressions += [*left.values(), *right.values()]
    header = ("statement", "term", "order form", "explicit form")
    notes = _where(expressions, short)
    return Table(header, tuple(rows), "llll", layout="headings", size="scriptsize", tight=True, notes=notes)


def _pairs_of(ids: Sequence[str]) -> tuple[Pair, ...]:
    pairs = tuple(x for x in PAIRS if {*x.order, x.explicit} & {*ids})
    missing = {*ids} - {y for x in pairs for y in (*x.order, x.explicit)}
    if missing:
        raise InputError(f"{min(missing)} has no counterpart to stand beside; `cmbound show {min(missing)}` prints it")
    return pairs


def _order_terms(theorem: Theorem) -> dict[str, Any]:
    return {x.name: x.expression.xreplace({C: 1}) for x in closed_terms(theorem)}


def _explicit_terms(theorem: Theorem, recursion: bool, profile: str | None) -> dict[str, Any]:
    """By name; of a recursion the distance before counts as initialisation."""
    if recursion:
        terms = [x if x.name == "initialisation" else Term(x.name, x.expression.subs(W_prev, 0)) for x in theorem.bare_recursion]
        theorem = replace(theorem, sources=tuple(terms))
    return {x.name: x.expression for x in closed_terms(theorem, profile=profile if theorem.uses_profile else None)}


def _heading(pair: Pair, order: Statement, explicit: Statement, recursion: bool) -> Cell:
    places = ", ".join(find(x).reference.place for x in pair.order)
    shown = order if recursion else explicit
    quantity = math(shown.quantity_latex.replace("@", r"p_{\mathrm{data}}"), shown.quantity.format(target="p_data"))
    return mixed(f"{pair.title}: ", quantity, f" ({places}; {explicit.id})")


@cache
def _abbreviations() -> Mapping[Any, tuple[Any, str]]:
    """What would make the lines too long, with the sign that stands for it."""
    found = {
        M: "M",
        TO_TV: "V_u",
        plain(STARTS["standard"]): r"D_T",
        put(CONTRACTION, LipschitzAt, lambda x: TABLE["L_f"].symbol): "r",
    }
    terms = [x.expression for name in dict.fromkeys(x.explicit for x in PAIRS) for x in closed_terms(find(name))]
    calls = (*(y for x in terms for y in x.atoms(Named)), *(call for call, _ in definitions(terms)))
    for call in dict.fromkeys(x for x in calls if isinstance(x, tv_drift | steering | corrector_information)):
        index = f"_{{{formula(call.args[-1]).text}}}" if isinstance(call, tv_drift) else ""
        found[call] = type(call).latex_name + index
    return FrozenDict({plain(x): (Dummy(f"short{i}", positive=True), text) for i, (x, text) in enumerate(found.items())})


def _where(expressions: Sequence[Any], short: Mapping[Any, tuple[Any, str]]) -> tuple[Cell, ...]:
    """What the named functions and the abbreviations are."""
    notes: list[Cell | str] = []
    if any(x.has(LocalErrorSum) for x in expressions):
        notes.append(prose("$E_h$: $L_f$ times the sum of the local errors of the teacher, bounded by a regularity profile. "))
    shown = [plain(x) for x in expressions]
    found = [x for x in definitions(shown) if not isinstance(x[0], geometric_sum)]
    if found:
        others = [x for x in short if not isinstance(x, Named)]
        used = [x for x in others if any(may_contain(y, x) and y.subs(x, short[x][0]) != y for y in shown)]
        signs = [(math(short[x][1], short[x][1]), formula(x)) for x in used]
        calls = [(formula(call, short), formula(body, {x: y for x, y in short.items() if x != call})) for call, body in found]
        cells = [math(f"{x.text} = {y.text}", f"{x.string()} = {y.string()}") for x, y in (*signs, *calls) if x.text != y.text]
        notes += ["Where ", joined(cells, ", "), "."]
    return (mixed(*notes),) if notes else ()


def assumptions(digits: int, statements: Any = None) -> Table:
    """Which statement assumes what."""
    default = [x.id for x in catalogue if x.reference.key in ("lyu2023", "cmbound")]
    rows: list[tuple[Cell, ...]] = []
    texts: dict[str, str] = {}
    for theorem in chosen(statements, default):
        core: dict[str, Cell] = {}
        others = []
        for x in theorem.assumptions:
            name, _, variant = x.id.partition("-")
            if name in _CORE and name not in core:
                core[name] = Cell(variant) if variant else CHECK
                texts.setdefault(x.id, Prose(x.text).marked.split(" (Assumption")[0])
            else:
                others.append(prose(x.text) if x.predicate is None else math(formula(x.predicate).text, str(x.predicate)))
        rows.append((Cell(theorem.id), *(core.get(x, Cell("")) for x in _CORE), joined(others)))
    used = [i for i, x in enumerate(_CORE, 1) if any(row[i].text for row in rows)]
    notes = tuple(prose(f"{name}: {text}.") for name, text in sorted(texts.items()))
    header = ("statement", *(_CORE[i - 1] for i in used), "besides")
    cells = tuple((row[0], *(row[i] for i in used), row[-1]) for row in rows)
    return Table(header, cells, "l" * len(header), widths={len(used) + 1: 0.33}, size="footnotesize", tight=True, notes=notes)
