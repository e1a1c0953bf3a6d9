"""What would help a bound that says nothing: one number at a time made smaller or larger, evaluated in float64."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

from cmbound.catalogue.presets import preset
from cmbound.errors import CmboundError
from cmbound.evaluation.law import OF_A_FILE, OF_A_LAW
from cmbound.evaluation.point import evaluate
from cmbound.evaluation.records import Evaluation
from cmbound.frozen import FrozenDict
from cmbound.numbers import parse, rounded
from cmbound.theory.formulas import ALIASES, accepts
from cmbound.theory.records import Theorem

LOWERED = ("eps_sc", "eps_cm", "L_f", "h", "M", "delta", "sigma_min", "eps_v", "eps_w", "eps_ci", "L_v", "T", "sigma_max")
RAISED = ("N", "T", "sigma_max", "k")
"""What a user of a model can change, and which way; the constants of the data are what they are."""
FACTORS = FrozenDict({2: ("half {name}", "twice {name}"), 10: ("{name} / 10", "10 {name}"), 100: ("{name} / 100", "100 {name}")})
"""How much is tried, in words; more only where less is no help, as in a term that is saturated."""
WORTH = 0.98  # of the bound: what leaves more is no help
NAMED = 3  # changes, in the order of what they gain
LEVELS = (
    "{levels}: noise levels, but L_f, eps_sc and eps_cm are read in the OU clock; those of a model that "
    "takes noise levels (VE, EDM) {remedy}"
)
MOST = "what helps most: {changes}"
GIVES = "{change} gives {value}"
NOTHING = "no number alone, changed by a factor of 2, 10 or 100, lowers the bound by more than 2%"


def advised(evaluation: Evaluation, given: Mapping[str, Any], data: str = "") -> Evaluation:
    """The evaluation with one sentence for each thing that would help, or that its author has to answer for.

    Args:
        evaluation: of a statement.
        given: what it was evaluated with, preset and options included.
        data: what the data are called that the constants were measured on (empty: none).
    """
    found = list(doubtful(evaluation, given, data))
    if evaluation.vacuous:
        found += what_helps(evaluation, given)
    return replace(evaluation, advice=tuple(found))


def doubtful(evaluation: Evaluation, given: Mapping[str, Any], data: str = "") -> Iterator[str]:
    """What was given and may not be what it is taken for."""
    yield from _of_no_preset(evaluation, given, data)
    levels = [x for x in ALIASES if x in given]
    if levels and evaluation.clock == "ou" and "preset" not in given and (remedy := levels_remedy(evaluation.theorem)):
        yield LEVELS.format(levels=", ".join(levels), remedy=remedy)


def levels_remedy(theorem: Theorem) -> str:
    """What those must do who have the constants of a model that takes noise levels (empty: the statement has none of them)."""
    if not accepts(theorem, "L_f"):
        return ""
    return "must be converted, the statement has no other clock" if theorem.ve_factor is None else "need --clock ve"


def _of_no_preset(evaluation: Evaluation, given: Mapping[str, Any], data: str) -> Iterator[str]:
    """Constants added to those of a definite law, which may not have them."""
    known = {*OF_A_FILE} if data else set()
    if "preset" in given:
        known |= preset(given["preset"]).parameters.keys()
    unused = {name for name, _ in evaluation.unused}
    added = [x for x in OF_A_LAW if x in given and x not in known | unused]
    if added and known:
        law = data or f"preset {given['preset']}"
        yield f"{', '.join(added)}: given here and not known of {law}; that its law has it is your assumption"


def what_helps(evaluation: Evaluation, given: Mapping[str, Any]) -> Iterator[str]:
    """One sentence on what would lower the bound most; none where each number would have to be measured again."""
    if evaluation.sampled is not None:
        return
    for factor in FACTORS:
        tried = _tried(evaluation, given, factor)
        gains = sorted((value, text) for text, value in tried if value < WORTH * evaluation.value)[:NAMED]
        if gains:
            yield MOST.format(changes=", ".join(GIVES.format(change=text, value=rounded(value, 4)) for value, text in gains))
            return
    yield NOTHING


def _tried(evaluation: Evaluation, given: Mapping[str, Any], factor: int) -> Iterator[tuple[str, float]]:
    """Each change with the bound after it."""
    given = {name: x for name, x in given.items() if name != "digits"}  # of an enclosure
    for text, change in _changes(evaluation, factor):
        try:
            yield text, evaluate(evaluation.theorem, {**given, **change}, "approximate").value
        except CmboundError:  # outside a domain, or against an assumption
            continue


def _changes(evaluation: Evaluation, factor: int) -> Iterator[tuple[str, dict[str, Any]]]:
    lower, raised = FACTORS[factor]
    for names, share, words in ((LOWERED, Fraction(1, factor), lower), (RAISED, Fraction(factor), raised)):
        for name in names:
            value = evaluation.parameters.get(name)
            if value is None or isinstance(value, list | tuple):
                continue
            before = parse(name, str(value))
            wanted = before * share
            number = max(wanted, Fraction(1)) if name == "L_f" else wanted
            if number != before:
                shown = rounded(number, 6, "nearest")
                yield f"{words.format(name=name)} ({shown})" if number == wanted else f"{name} = {shown}", {name: number}
    if evaluation.teacher not in (None, "heun") and "M" in evaluation.parameters:
        yield "teacher = heun", {"teacher": "heun"}
    if evaluation.start == "standard":
        yield "start = matched", {"start": "matched"}
