"""Tables about the statements: their two forms, what they assume, how many steps they take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sympy import Dummy, simplify

from cmbound.analysis.corollaries import check_corollary, corollaries
from cmbound.catalogue import catalogue
from cmbound.catalogue.explicit import CONTRACTION, TO_TV
from cmbound.catalogue.lyu2023 import M
from cmbound.errors import InputError
from cmbound.evaluation.shown import definitions
from cmbound.evaluation.statement import theorem as find
from cmbound.papers.tables.words import CHECK, chosen, listed
from cmbound.reports.cells import Cell, math, mixed
from cmbound.reports.table import Table
from cmbound.reports.words import formula, joined, prose
from cmbound.theory.formulas import closed_terms, put
from cmbound.theory.functions import Named, corrector_information, geometric_sum, plain, steering, tv_drift
from cmbound.theory.notation import TABLE, C, N, T, h
from cmbound.theory.records import Term, Theorem
from cmbound.theory.variants import STARTS, LipschitzAt, LocalErrorSum

PAIRS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("Map error", ("lyu2023-thm2",), "explicit-map-error"),
    ("One step", ("lyu2023-thm3", "lyu2023-cor4"), "explicit-one-step"),
    ("One more evaluation", ("lyu2023-cor5",), "explicit-multistep"),
    ("Several evaluations", ("lyu2023-cor6",), "explicit-multistep"),
    ("Lipschitz constant of the score", ("lyu2023-lem7",), "explicit-score-lipschitz"),
    ("TV by smoothing", ("lyu2023-cor9",), "explicit-tv-smoothing"),
    ("TV by a corrector", ("lyu2023-cor10",), "explicit-tv-underdamped"),
)
"""Title, the statements of the paper and the explicit one about the same quantity."""
_RECURSION = "lyu2023-cor5"
_CORE = ("A1", "A2", "A3", "A4", "A5", "A6")


# --- the two forms --------------------------------------------------------------------------------------------------


def statements(digits: int, statements: Any = None, profile: str | None = None) -> Table:
    """The order form of the paper beside the explicit form of the same quantity, term by term."""
    pairs = PAIRS
    if statements is not None:
        wanted = {find(x).id for x in listed("statements", statements)}
        pairs = tuple(x for x in PAIRS if wanted & {*x[1], x[2]})
        missing = wanted - {y for x in pairs for y in (*x[1], x[2])}
        if missing:
            raise InputError(f"{min(missing)} has no counterpart to stand beside; `cmbound show {min(missing)}` prints it")
    rows, expressions = [], []
    short = _abbreviations()
    for title, paper, explicit in pairs:
        order, ours = _order_terms(find(paper[-1])), _explicit_terms(find(explicit), paper[-1] == _RECURSION, profile)
        heading = _heading(title, [find(x) for x in paper], find(explicit), paper[-1] == _RECURSION)
        for name in _names(order, ours):
            cells = [formula(x[name], short) if name in x else Cell("") for x in (order, ours)]
            words = name.split("_")
            rows.append((heading, Cell(" ".join(words), lines=tuple(words) if len(name) > 16 else ()), *cells))
        expressions += [*order.values(), *ours.values()]
    header = ("statement", "term", "order form", "explicit form")
    return Table(
        header, tuple(rows), "llll", layout="headings", size="footnotesize", tight=True, notes=_where(expressions, short)
    )


def _order_terms(theorem: Theorem) -> dict[str, Any]:
    return {x.name: x.expression.xreplace({C: 1}) for x in closed_terms(theorem)}


def _explicit_terms(theorem: Theorem, recursion: bool, profile: str | None) -> dict[str, Any]:
    """By name; of a recursion the distance before counts as initialisation."""
    known = profile if theorem.uses_profile else None
    if not recursion:
        return {x.name: x.expression for x in closed_terms(theorem, profile=known)}
    before = TABLE["W_prev"].symbol
    terms = tuple(
        Term(x.name, x.expression if x.name == "initialisation" else x.expression.subs(before, 0)) for x in theorem.recursion
    )
    return {x.name: x.expression for x in closed_terms(replace(theorem, sources=terms), profile=known)}


def _names(order: dict[str, Any], ours: dict[str, Any]) -> list[str]:
    """The terms of both, in their order, early stopping last."""
    names = list(dict.fromkeys([*order, *ours]))
    return sorted(names, key=lambda x: x == "early_stopping")


def _heading(title: str, paper: Sequence[Theorem], explicit: Theorem, recursion: bool) -> Cell:
    places = ", ".join(x.reference.place for x in paper)
    left = paper[-1].quantity_latex if recursion else explicit.quantity_latex.replace("@", r"p_{\mathrm{data}}")
    quantity = paper[-1].quantity if recursion else explicit.quantity.format(target="p_data")
    return mixed(Cell(f"{title}: "), math(left, quantity), Cell(f" ({places}; {explicit.id})"))


def _abbreviations() -> dict[Any, tuple[Any, str]]:
    """What would make the lines too long, with the sign that stands for it."""
    found = {
        M: "M",
        TO_TV: "V_u",
        plain(STARTS["standard"]): r"D_T",
        put(CONTRACTION, LipschitzAt, lambda x: TABLE["L_f"].symbol): "r",
    }
    for theorem in (find("explicit-tv-smoothing"), find("explicit-tv-underdamped")):
        for x in closed_terms(theorem):
            for call in x.expression.atoms(tv_drift, steering, corrector_information):
                index = f"_{{{formula(call.args[-1]).text}}}" if isinstance(call, tv_drift) else ""
                found[call] = type(call).latex_name + index
    return {plain(expr): (Dummy(f"short{i}", positive=True), text) for i, (expr, text) in enumerate(found.items())}


def _where(expressions: Sequence[Any], short: Mapping[Any, tuple[Any, str]]) -> tuple[Cell, ...]:
    """What the named functions and the abbreviations are."""
    found = [x for x in definitions([plain(x) for x in expressions]) if not isinstance(x[0], geometric_sum)]
    notes: list[Cell] = []
    if any(x.has(LocalErrorSum) for x in expressions):
        notes = [*prose("E_h: L_f times the sum of the local errors of the teacher, bounded by a regularity profile. ").parts]
    if found:
        signs = [
            (math(text, text), formula(x))
            for x, (_, text) in short.items()
            if not isinstance(x, Named) and _occurs(x, expressions)
        ]
        pairs = [
            *signs,
            *((formula(call, short), formula(body, {x: y for x, y in short.items() if x != call})) for call, body in found),
        ]
        cells = [math(f"{x.text} = {y.text}", f"{x.string()} = {y.string()}") for x, y in pairs if x.text != y.text]
        notes += [Cell("Where "), *joined(cells, ", ").parts, Cell(".")]
    return (mixed(*notes),) if notes else ()


def _occurs(x: Any, expressions: Sequence[Any]) -> bool:
    return any(plain(y).subs(x, Dummy()) != plain(y) for y in expressions)


# --- assumptions ----------------------------------------------------------------------------------------------------


def assumptions(digits: int, statements: Any = None) -> Table:
    """One row for each statement: the assumptions of the paper, and what else it needs."""
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
                texts.setdefault(x.id, x.text)
            elif x.predicate is not None:
                others.append(math(formula(x.predicate).text, str(x.predicate)))
            else:
                others.append(prose(x.text))
        rows.append((Cell(theorem.id), *(core.get(x, Cell("")) for x in _CORE), joined(others)))
    used = [x for x in _CORE if any(row[1 + _CORE.index(x)].text for row in rows)]
    rows = [(row[0], *(row[1 + _CORE.index(x)] for x in used), row[-1]) for row in rows]
    notes = tuple(prose(f"{name}: {texts[name].split(' (Assumption')[0]}.") for name in sorted(texts))
    header = ("statement", *used, "besides")
    return Table(
        header, tuple(rows), "l" * len(header), widths={len(used) + 1: 0.33}, size="footnotesize", tight=True, notes=notes
    )


# --- complexity -----------------------------------------------------------------------------------------------------

_SETTINGS = {
    "cor4-complexity": "Lipschitz score",
    "cor8-complexity": "bounded data",
    "cor9-complexity": "Lipschitz score, smoothing",
    "any-law-integrated": "any data law",
    "any-law-pointwise": "any data law, pointwise profile",
    "atoms-free-of-dimension": "finite data set, geometric DDIM grid",
}
"""A few words for a corollary; one that is not here shows its text."""


def complexity(digits: int) -> Table:
    """Number of steps for an error of eps: what follows from the statements, and what other papers state."""
    rows: list[tuple[Cell, ...]] = []
    shown: list[tuple[str, Any]] = []
    for x in corollaries():
        quantity = None if isinstance(x.quantity, str) else x.quantity - T / h
        count = x.claim if quantity == 0 else x.substitution.get(N)
        if count is None:
            continue
        theorem, status = find(x.statement), check_corollary(x).status
        rows.append(_complexity_row(theorem, _SETTINGS.get(x.id, x.text), theorem.metric, count, status))
        shown.append((theorem.id, count))
    for theorem in catalogue:
        if theorem.complexity is not None and not _is_shown(theorem, shown):
            metric = theorem.complexity_metric or theorem.metric
            rows.append(_complexity_row(theorem, theorem.title, metric, theorem.complexity, theorem.known))
    heads = (Cell("statement"), Cell("setting"), Cell("metric"), math("N", "N"), Cell("known"))
    sign = math(f"M = {formula(M).text}", f"M = {M}")
    note = mixed(
        sign,
        Cell(". Up to constants (other papers: and logarithms), for an error of at most "),
        math(r"\varepsilon", "eps"),
        Cell(". Known: proved (from the bound, machine-checked), derived (from the bound), verbatim (read in the source), "),
        Cell("secondary (quoted by others), abstract (read there only), memory (not confirmed)."),
    )
    header = ("statement", "setting", "metric", "N", "known")
    return Table(header, tuple(rows), "lllll", heads=heads, widths={1: 0.24}, size="footnotesize", tight=True, notes=(note,))


def _is_shown(theorem: Theorem, shown: Sequence[tuple[str, Any]]) -> bool:
    """Whether a corollary of the same paper already gives this number of steps."""
    source = theorem.id.partition("-")[0]
    return any(id.startswith(source) and simplify(count / theorem.complexity) == 1 for id, count in shown)


def _complexity_row(theorem: Theorem, setting: str, metric: str, count: Any, known: str) -> tuple[Cell, ...]:
    return Cell(theorem.id), prose(setting), prose(metric), formula(count, {M: (Dummy("M", positive=True), "M")}), Cell(known)
