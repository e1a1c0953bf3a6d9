"""Records as JSON-ready data. The shape of an evaluation is described by ``evaluation.schema.json``."""

from __future__ import annotations

import json
import re
from importlib import resources
from typing import Any

import sympy

import cmbound
from cmbound.arithmetic.exact import noise_level
from cmbound.catalogue.presets import Preset
from cmbound.frozen import thawed
from cmbound.output.numbers import plain_decimal
from cmbound.theory.formulas import closed_terms, latex, on_a_grid, statement_parts
from cmbound.theory.functions import Named, plain, v
from cmbound.theory.notation import SIGNS
from cmbound.theory.profiles import PROFILES, Profile
from cmbound.theory.records import Assumption, Evaluation, Terms, Theorem
from cmbound.theory.variants import PLACEHOLDERS, TEACHERS, Placeholder

SCHEMA_VERSION = "1"


def schema() -> dict[str, Any]:
    """The JSON schema of an evaluation."""
    text = resources.files("cmbound.output").joinpath("evaluation.schema.json").read_text(encoding="utf-8")
    result: dict[str, Any] = json.loads(text)
    return result


def to_json(data: Any) -> str:
    """JSON text with sorted keys."""
    return json.dumps(data, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)


def _terms(terms: Terms) -> list[dict[str, Any]]:
    return [
        {
            "name": x.name,
            "value": x.value,
            "lower": plain_decimal(x.lower),
            "upper": plain_decimal(x.upper),
            "share": x.share,
        }
        for x in terms.values()
    ]


def in_clock(t: float, clock: str) -> float:
    """A time as it is reported: t itself, or its noise level in the variance-exploding clock."""
    return noise_level(t) if clock == "ve" else t


def evaluation_data(evaluation: Evaluation) -> dict[str, Any]:
    """The evaluation as nested dicts, lists, numbers and text."""
    theorem, clock = evaluation.theorem, evaluation.clock
    data: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "version": cmbound.__version__,
        "theorem": theorem.id,
        "metric": theorem.metric,
        "quantity": evaluation.quantity,
        "kind": theorem.kind,
        "tier": evaluation.tier,
        "guarantee": evaluation.is_guarantee,
        "value": evaluation.value,
        "lower": plain_decimal(evaluation.lower),
        "upper": plain_decimal(evaluation.upper),
        "terms": _terms(evaluation.terms),
        "dominating_term": evaluation.dominating_term,
        "trivial_bound": evaluation.trivial,
        "vacuous": evaluation.vacuous,
        "profile": {
            "name": evaluation.profile,
            "stretches": [
                {
                    "profile": x.profile,
                    "from": in_clock(x.start, clock),
                    "to": in_clock(x.end, clock),
                    "at": in_clock(x.at, clock),
                }
                for x in evaluation.stretches
            ],
        },
        "teacher": evaluation.teacher,
        "grid": dict(evaluation.grid or {"kind": None, "N": None, "h_max": None}),
        "clock": clock,
        "start": evaluation.start,
        "to": evaluation.target,
        "parameters": thawed(evaluation.parameters),
        "derived": {
            name: {"lower": plain_decimal(x.lower), "upper": plain_decimal(x.upper)} for name, x in evaluation.derived.items()
        },
        "assumptions": [{"id": x.id, "text": x.text, "status": x.status} for x in evaluation.assumptions],
        "notes": list(evaluation.notes),
    }
    if evaluation.steps is not None:
        data["steps"] = [
            {
                "k": x.k,
                "time": in_clock(x.t, clock),
                "value": x.value,
                "lower": plain_decimal(x.lower),
                "upper": plain_decimal(x.upper),
                "terms": _terms(x.terms),
            }
            for x in evaluation.steps
        ]
    return data


def definitions(exprs: list[Any]) -> list[tuple[Any, Any]]:
    """Named functions that occur, each once with its definition, the inner ones after the outer ones."""
    found: dict[Any, Any] = {}
    queue = list(exprs)
    kinds: set[Any] = set()
    while queue:
        expr = queue.pop(0)
        for call in sorted(expr.atoms(Named), key=lambda x: (x.count_ops(), str(x))):
            kind = (type(call), isinstance(call, v) and call.args[0] == 0)
            if kind in kinds:
                continue
            kinds.add(kind)
            found[call] = plain(type(call).definition(*call.args))
            queue.append(found[call])
    return list(found.items())


def _row(row: Any) -> dict[str, Any]:
    return {"name": row.name, "latex": row.latex, "meaning": row.meaning, "domain": str(row.domain), "paper": row.paper}


def _where(exprs: list[Any]) -> list[dict[str, str]]:
    rows = []
    for call, body in definitions(exprs):
        left, right = latex(call), latex(body)
        rows.append({"name": str(call), "definition": str(body), "latex": f"{left} = {right}" if left != right else ""})
    return rows


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


def profile_data(profile: Profile) -> dict[str, Any]:
    """A regularity profile: what it assumes, what it needs, and its bound for each teacher."""
    return {
        "name": profile.name,
        "title": profile.title,
        "reference": profile.reference,
        "derivation": profile.derivation,
        "assumptions": [{"id": x.id, "text": x.text} for x in profile.assumptions],
        "teachers": {
            teacher: {
                "parameters": sorted(profile.parameters(teacher)),
                "bounds": [str(plain(rule.bound)) for rule in rules],
                "latex": [latex(rule.bound) for rule in rules],
            }
            for teacher, rules in profile.rules.items()
        },
        "where": _where([plain(rule.bound) for rules in profile.rules.values() for rule in rules]),
        "acceleration": None if profile.acceleration is None else str(plain(profile.acceleration)),
    }


def _profile_assumptions(profile: str | Profile | None) -> tuple[Assumption, ...]:
    if isinstance(profile, Profile):
        return profile.assumptions
    return PROFILES[profile].assumptions if profile is not None and profile in PROFILES else ()


def theorem_data(theorem: Theorem, **options: Any) -> dict[str, Any]:
    """A statement with everything known about it (options as for :meth:`cmbound.theory.records.Theorem.formula`)."""
    terms = closed_terms(theorem, **options)
    left, right = statement_parts(theorem, **options)
    expression = sympy.Add(*(x.expression for x in terms))
    data: dict[str, Any] = {
        "id": theorem.id,
        "title": theorem.title,
        "kind": theorem.kind,
        "status": theorem.status,
        "metric": theorem.metric,
        "quantity": theorem.quantity.format(target=options.get("to") or "p_data"),
        "latex": theorem.latex(**options),
        "latex_lines": [left, *right],
        "expression": str(expression),
        "terms": [{"name": x.name, "expression": str(x.expression), "latex": latex(x.expression)} for x in terms],
        "where": _where([expression]),
        "signs": _signs(left, expression),
        "parameters": [_row(x) for x in theorem.parameters],
        "optional_parameters": [_row(x) for x in theorem.optional_parameters],
        "assumptions": [
            {"id": x.id, "text": x.text, "predicate": None if x.predicate is None else str(x.predicate)}
            for x in {(x.id, x.text): x for x in (*theorem.assumptions, *_profile_assumptions(options.get("profile")))}.values()
        ],
        "reference": {"key": theorem.reference.key, "place": theorem.reference.place},
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
        data["on_a_grid"] = (
            {
                name: {
                    x.name: latex(on_a_grid(x.expression, teacher, None))
                    for x in theorem.sources
                    if x.expression.has(Placeholder)
                }
                for name, teacher in TEACHERS.items()
            }
            if not theorem.recursion
            else {}
        )
    return data


def _complexity(theorem: Theorem) -> dict[str, str] | None:
    """Number of steps for accuracy eps, up to constants and logarithms."""
    if theorem.complexity is None:
        return None
    metric = theorem.complexity_metric or theorem.metric
    return {"steps": str(theorem.complexity), "latex": latex(theorem.complexity), "metric": metric}


def listing(theorems: list[Theorem]) -> list[dict[str, str]]:
    """One row for each statement."""
    return [
        {
            "id": x.id,
            "kind": x.kind,
            "status": x.status,
            "metric": x.metric,
            "title": x.title,
            "reference": str(x.reference),
        }
        for x in theorems
    ]


def preset_data(preset: Preset) -> dict[str, Any]:
    """A preset with the source of every number."""
    return {
        "name": preset.name,
        "title": preset.title,
        "source": preset.source,
        "options": dict(preset.options),
        "parameters": [
            {"name": name, "value": value, "how": preset.origins[name].how, "source": preset.origins[name].source}
            for name, value in preset.parameters.items()
        ],
    }
