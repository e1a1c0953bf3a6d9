"""What is said of a statement, a profile or the catalogue: everything known, as data and as a report."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from copy import deepcopy
from functools import lru_cache, partial
from typing import Any

import sympy

from cmbound.catalogue.bibtex import cited
from cmbound.frozen import FrozenDict
from cmbound.reports.cells import Cell, dollars, math, mixed
from cmbound.reports.readable import readable
from cmbound.reports.report import Body, Report
from cmbound.reports.table import Table
from cmbound.reports.words import joined, prose, symbol
from cmbound.theory.formulas import (
    closed_terms,
    latex,
    on_a_grid,
    one_profile,
    optional_rows,
    required_rows,
    rule_parts,
    statement_parts,
)
from cmbound.theory.functions import v
from cmbound.theory.named import Named, plain
from cmbound.theory.notation import SIGNS, TABLE
from cmbound.theory.profiles import PROFILES
from cmbound.theory.records import Term, Theorem
from cmbound.theory.rules import Profile
from cmbound.theory.variants import PLACEHOLDERS, TEACHERS, Placeholder


def definitions(exprs: list[Any]) -> list[tuple[Any, Any]]:
    """Named functions that occur, each once with its definition, the inner ones after the outer ones.

    What occurs at several arguments is defined at a general one: c_t where there are c_T and c_delta.
    """
    found: dict[Any, dict[Any, None]] = {}
    queue = list(exprs)
    while queue:
        expr = queue.pop(0)
        for call in sorted(expr.atoms(Named), key=_place):
            calls = found.setdefault((type(call), isinstance(call, v) and call.args[0] == 0), {})
            if call not in calls:
                calls[call] = None
                queue.append(_defined(call))
    return [(call, _defined(call)) for call in map(_general, found.values())]


@lru_cache(maxsize=2048)
def _place(call: Any) -> tuple[int, str]:
    return call.count_ops(), str(call)


@lru_cache(maxsize=2048)
def _defined(call: Any) -> Any:
    return plain(type(call).definition(*call.args))


def _general(calls: Iterable[Any]) -> Any:
    """One call for several of a function: with a sign of its own, t before others, for each argument in which they differ."""
    first, *others = calls
    same = [all(x.args[i] == y for x in others) for i, y in enumerate(first.args)]
    taken = {str(y) for x, kept in zip(first.args, same, strict=True) if kept for y in x.free_symbols}
    free = (sympy.Symbol(x, positive=True) for x in "trxyz" if x not in taken)
    return first.func(*(x if kept else next(free) for x, kept in zip(first.args, same, strict=True)))


def _row(row: Any) -> dict[str, Any]:
    return {"name": row.name, "latex": row.latex, "meaning": row.meaning, "domain": str(row.domain), "paper": row.paper}


def _where(exprs: list[Any]) -> list[dict[str, str]]:
    return [dict(_definition(call)) for call, _ in definitions(exprs)]


@lru_cache(maxsize=1024)
def _definition(call: Any) -> FrozenDict[str, str]:
    left, body = latex(call), _defined(call)
    right = latex(body)
    return FrozenDict({"name": str(call), "definition": str(body), "latex": f"{left} = {right}" if left != right else ""})


def _signs(text: str, expr: Any) -> list[dict[str, str]]:
    """What the LaTeX of a statement is written in besides parameters and named functions: each sign with its meaning."""
    found = [{"latex": sign, "meaning": meaning} for pattern, sign, meaning in SIGNS if re.search(pattern, text)]
    for kind, meaning in PLACEHOLDERS.items():
        if expr.has(kind):
            found.append({"latex": kind.latex_name, "meaning": meaning})
    if expr.atoms(sympy.Indexed):
        found.append(
            {"latex": r"t_0 < \dots < t_N", "meaning": "the nodes of the grid, from delta to T (t_n: where the sum ends)"}
        )
    return found


def statement_data(theorem: Theorem, **options: Any) -> dict[str, Any]:
    """A statement with everything known about it (options as for :meth:`~cmbound.evaluation.statement.Statement.formula`)."""
    return _everything(theorem, _said(theorem, **options))


def _said(theorem: Theorem, **options: Any) -> dict[str, Any]:
    """What a page says of a statement."""
    terms = closed_terms(theorem, **options)
    left, right = statement_parts(theorem, **options)
    expression = sympy.Add(*(x.expression for x in terms))
    profile = one_profile(options.get("profile"))
    assumptions = (*theorem.assumptions, *(() if profile is None else profile.assumptions))
    data: dict[str, Any] = {
        "id": theorem.id,
        "title": theorem.title,
        "kind": theorem.kind,
        "status": theorem.status,
        "metric": theorem.metric,
        "quantity": theorem.quantity.format(target=options.get("to") or "p_data"),
        "latex": f"{left} {' + '.join(right)}",
        "latex_lines": [left, *right],
        "expression": str(expression),
        "terms": [{"name": x.name, "expression": str(x.expression), "latex": latex(x.expression)} for x in terms],
        "where": _where([expression]),
        "signs": _signs(left, expression),
        "parameters": [_row(x) for x in required_rows(theorem)],
        "optional_parameters": [_row(x) for x in optional_rows(theorem)],
        "assumptions": [
            {"id": x.id, "text": x.text, "predicate": None if x.predicate is None else str(x.predicate)}
            for x in {(x.id, x.text): x for x in assumptions}.values()
        ],
        "reference": {
            "key": theorem.reference.key,
            "place": theorem.reference.place,
            "cited": cited(theorem.reference.key, theorem.reference.place),
        },
        "provenance": theorem.provenance,
        "derivation": theorem.derivation,
        "rests_on": list(theorem.rests_on),
        "known": theorem.known,
        "evaluable": theorem.evaluable,
        "clock": theorem.clock,
        "aliases": dict(theorem.aliases),
        "complexity": _complexity(theorem),
    }
    if theorem.uses_profile:
        data["profiles"] = [
            {"name": p.name, "title": p.title, "teachers": {t: sorted(p.parameters(t)) for t in p.rules}}
            for p in PROFILES.values()
        ]
    return data


def _on_a_grid(theorem: Theorem) -> dict[str, Any]:
    """The terms as sums over the steps of a grid, for each teacher: data alone has them."""
    if not theorem.uses_profile:
        return {}
    summed = [] if theorem.bare_recursion else [x for x in theorem.bare_sources if x.expression.has(Placeholder)]
    found = {
        name: {x.name: latex(on_a_grid(x.expression, teacher, None)) for x in summed}
        for name, teacher in (TEACHERS.items() if summed else ())
    }
    return {"on_a_grid": found}


def _complexity(theorem: Theorem) -> dict[str, str] | None:
    """Number of steps for accuracy eps, up to constants and logarithms."""
    if theorem.complexity is None:
        return None
    metric = theorem.complexity_metric or theorem.metric
    return {"steps": str(theorem.complexity), "latex": latex(theorem.complexity), "metric": metric}


def statement_report(theorem: Theorem, **options: Any) -> Report:
    """Terms, definitions, assumptions, source, derivation, and what it rests on (options as for :func:`statement_data`)."""
    data = _said(theorem, **options)
    title = f"{data['id']} ({data['kind']} form), {data['reference']['key']}, {data['reference']['place']}"
    rows = tuple((Cell(x["name"]), Cell(x["expression"]), Cell(x["latex"])) for x in data["terms"])
    table = Table(("term", "expression", "latex"), rows, "lll")
    return Report(title, _statement_page(data), partial(_everything, theorem, data), table, _statement_document(data))


def _everything(theorem: Theorem, data: dict[str, Any]) -> dict[str, Any]:
    return {**deepcopy(data), **_on_a_grid(theorem)}


def _statement_page(data: dict[str, Any]) -> Body:
    """One statement with its terms, definitions, assumptions, source and derivation."""
    page = Body()
    page.line(mixed(f"{data['id']}: ", prose(data["title"])))
    page.line(data["reference"]["cited"])
    page.line(f"{data['kind']} form, {data['status']}; cmbound cite {data['reference']['key']}")
    page.line(f"known: {data['known']}; clock: {data['clock']}")
    page.line(f"provenance: {data['provenance']}")
    page.line()
    sign = "<~" if data["kind"] == "order" else "<="
    left = math(data["latex_lines"][0], f"{data['quantity']} {sign}")
    right = " sum of" if data["evaluable"] else " ? (not known in full: it cannot be evaluated)"
    page.line(mixed(left, right), signs=_signed("", data["latex_lines"][0], right))
    for term in data["terms"]:
        name = f"{term['name']}: "
        page.line(mixed(name, math(term["latex"], term["expression"])), 2, _signed(name, term["latex"]))
    _say_where(page, data)
    if "profiles" in data:
        page.line()
        page.line("E_h(t), L_f times the local teacher errors up to t, is bounded by a regularity profile. What each needs:")
        for row in data["profiles"]:
            needs = "; ".join(f"{teacher}: {', '.join(names)}" for teacher, names in row["teachers"].items())
            page.line(f"{row['name']} ({row['title']}): {needs}", 2)
    if data["complexity"] is not None:
        found = data["complexity"]
        about = ("steps for accuracy ", symbol("eps"), " in ", prose(found["metric"]))
        left_out = ", constants and logarithms left out: "
        said = _signed(f"steps for accuracy ε in {found['metric']}{left_out}", found["latex"])
        page.line(mixed(*about, left_out, math(found["latex"], found["steps"])), signs=said)
    if data["parameters"]:
        page.line()
        page.line("parameters")
    for row in data["parameters"]:
        said = f": {prose(row['meaning']).string()}; {row['domain']}"
        named = "" if readable(row["latex"]) == row["name"] else f", {row['name']}"
        signs = _signed("", row["latex"], named + said)
        page.line(mixed(symbol(row["name"]), ": ", prose(row["meaning"]), f"; {row['domain']}"), 2, signs)
    if data["optional_parameters"]:
        page.line("optional: " + ", ".join(row["name"] for row in data["optional_parameters"]))
    if data["aliases"]:
        page.line("in the source: " + ", ".join(f"{name} is {own}" for name, own in data["aliases"].items()))
    page.line()
    page.line("assumptions")
    for row in data["assumptions"]:
        page.line(mixed(f"[{'checked' if row['predicate'] else 'assumed'}] {row['id']}: ", prose(row["text"])), 2)
    page.line()
    page.line(f"derivation: {data['derivation']}")
    page.line("rests on: " + (", ".join(data["rests_on"]) or "no other statement"))
    page.line()
    page.line(f"LaTeX: {data['latex']}")
    return page


def _signed(before: str, latex: str, after: str = "") -> str:
    """A line with its math in the signs of Unicode (empty: there are none for it)."""
    text = readable(latex)
    return f"{before}{text}{after}" if text else ""


def _say_where(page: Body, data: dict[str, Any]) -> None:
    """What the named functions are."""
    if data["where"]:
        page.line("where")
    for row in data["where"]:
        text = f"{row['name']} = {row['definition']}"
        page.line(math(row["latex"], text) if row["latex"] else text, 2, _signed("", row["latex"]))


def _statement_document(data: dict[str, Any]) -> Body:
    document = Body()
    document.formula(*data["latex_lines"])
    terms = tuple((Cell(x["name"].replace("_", " ")), math(x["latex"])) for x in data["terms"])
    document.table(Table(("term", "expression"), terms, "ll"))
    for line in _explained(data["where"], data["signs"]):
        document.line(line)
    for x in data["assumptions"]:
        document.line(f"assumption {x['id']}: {x['text']}")
    document.line(f"derivation: {data['derivation']}")
    return document


def _explained(where: list[dict[str, str]], signs: list[dict[str, str]]) -> list[Cell]:
    """What the named functions and the signs of a formula are, in at most two sentences."""
    found = []
    defined = [x["latex"] for x in where if x["latex"]]
    if defined:
        found.append(mixed("Where ", joined(map(math, defined), ", "), "."))
    if signs:
        meanings = [dollars(f"${x['latex']}$: {x['meaning']}") for x in signs]
        found.append(mixed("Signs: ", joined(meanings), "."))
    return found


def explained_latex(left: str, terms: Sequence[Term]) -> list[str]:
    """The same of an inequality with these terms, in LaTeX."""
    expression = sympy.Add(*(x.expression for x in terms))
    return [x.latex() for x in _explained(_where([expression]), _signs(left, expression))]


def profile_data(profile: Profile) -> dict[str, Any]:
    """A regularity profile: what it assumes, what it needs, and its bound for each teacher."""
    parts = {teacher: [rule_parts(rule, teacher) for rule in rules] for teacher, rules in profile.rules.items()}
    expressions = [plain(x) for rules in profile.rules.values() for rule in rules for x in rule.expressions]
    return {
        "name": profile.name,
        "title": profile.title,
        "reference": profile.reference,
        "derivation": profile.derivation,
        "assumptions": [{"id": x.id, "text": x.text} for x in profile.assumptions],
        "teachers": {
            teacher: {
                "parameters": sorted(profile.parameters(teacher)),
                "bounds": [" + ".join(x for x, _ in rule) for rule in rules],
                "latex": [" + ".join(x for _, x in rule) for rule in rules],
            }
            for teacher, rules in parts.items()
        },
        "where": _where(expressions),
        "signs": [*_summed([x for rules in parts.values() for rule in rules for _, x in rule]), *_internal(expressions)],
        "acceleration": None if profile.acceleration is None else str(plain(profile.acceleration)),
    }


def _internal(expressions: list[Any]) -> list[dict[str, str]]:
    """The symbols of the expressions that are no parameters."""
    names = {x.name for e in expressions for x in e.free_symbols}
    rows = [TABLE[name] for name in TABLE if name in names and TABLE[name].internal]
    return [{"name": x.name, "latex": x.latex, "meaning": x.meaning} for x in rows]


def _summed(shown: list[str]) -> list[dict[str, str]]:
    """What a sum over the steps is written in, where there is one."""
    signs = (
        (r"\sum_j", "sum_j", "the sum over the steps j of the stretch; inside it a and b are the ends of the step"),
        ("W_j", "W_j", "L_f at the lower end of the step, for the ddim and heun teachers times c there"),
    )
    return [{"name": name, "latex": sign, "meaning": x} for sign, name, x in signs if any(sign in line for line in shown)]


def profile_report(profile: Profile) -> Report:
    """A regularity profile: what it assumes and its bound for each teacher."""
    data = profile_data(profile)
    names = ("teacher", "bound")
    rows = tuple((Cell(t), Cell(x)) for t, row in data["teachers"].items() for x in row["bounds"])
    shown = tuple((Cell(t), math(x)) for t, row in data["teachers"].items() for x in row["latex"])
    document = Body()
    document.table(Table(names, shown, "ll"))
    for line in _explained(data["where"], data["signs"]):
        document.line(line)
    return Report(
        f"profile {profile.name}: {profile.title}", _profile_page(data), lambda: data, Table(names, rows, "ll"), document
    )


def _profile_page(data: dict[str, Any]) -> Body:
    """A regularity profile: what it assumes and its bound for each teacher."""
    page = Body()
    page.line(f"{data['name']}: {data['title']}")
    page.line(f"source: cmbound, {data['reference']}")
    page.line()
    page.line("bounds the sum of the local teacher errors over a stretch [a, b] of a grid")
    for teacher, row in data["teachers"].items():
        several = len(row["bounds"]) > 1
        choice = ", the best of these on each stretch" if several else ""
        page.line(f"{teacher}, needs {', '.join(row['parameters'])}{choice}", 2)
        for i, (bound, shown) in enumerate(zip(row["bounds"], row["latex"], strict=True), 1):
            number = f"{i}: " if several else ""
            page.line(mixed(number, math(shown, bound)), 4, _signed(number, shown))
    _say_where(page, data)
    for x in data["signs"]:
        page.line(mixed(math(x["latex"], x["name"]), f": {x['meaning']}"), 2, _signed("", x["latex"], f": {x['meaning']}"))
    if data["acceleration"]:
        page.line()
        page.line(f"from the bound on the score acceleration A(t) = {data['acceleration']}")
    page.line()
    page.line("assumptions")
    for row in data["assumptions"]:
        page.line(mixed(f"{row['id']}: ", prose(row["text"])), 2)
    page.line(f"derivation: {data['derivation']}")
    return page
