"""What would help a bound that says nothing: one number at a time moved by a factor of two, evaluated in float64."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

from cmbound.errors import CmboundError
from cmbound.evaluation.point import evaluate
from cmbound.evaluation.records import Evaluation
from cmbound.numbers import parse, rounded

HALVED = ("eps_sc", "eps_cm", "L_f", "h", "M", "delta", "sigma_min", "eps_v", "eps_w", "eps_ci", "L_v")
DOUBLED = ("N", "T", "sigma_max", "k")
"""What a user of a model can change, and which way; the constants of the data are what they are."""
_NOISE_LEVELS = ("sigma_min", "sigma_max", "sigma", "sigma_hat", "sigmas")
_WORTH = 0.98  # of the bound: what leaves more is no help
_NAMED = 3  # changes, in the order of what they gain


def advised(evaluation: Evaluation, given: Mapping[str, Any]) -> Evaluation:
    """The evaluation with one sentence for each thing that would help.

    Args:
        evaluation: of a statement.
        given: what it was evaluated with, preset and options included.
    """
    found = []
    if evaluation.clock == "ou" and "preset" not in given and (levels := [x for x in _NOISE_LEVELS if x in given]):
        found.append(
            f"{', '.join(levels)}: noise levels, but L_f, eps_sc and eps_cm are read in the OU clock; those of a model that "
            "takes noise levels (VE, EDM) need --clock ve"
        )
    if evaluation.vacuous and evaluation.sampled is None:
        found.append(_what_helps(evaluation, given))
    return replace(evaluation, advice=tuple(found))


def _what_helps(evaluation: Evaluation, given: Mapping[str, Any]) -> str:
    gains = sorted((value, text) for text, value in _tried(evaluation, given) if value < _WORTH * evaluation.value)[:_NAMED]
    if not gains:
        return "no number alone, halved or doubled, lowers the bound by more than 2%"
    return "what helps most: " + ", ".join(f"{text} gives {rounded(value, 4)}" for value, text in gains)


def _tried(evaluation: Evaluation, given: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Each change with the bound after it."""
    for text, change in _changes(evaluation):
        try:
            yield text, evaluate(evaluation.theorem, {**given, **change}, "approximate").value
        except CmboundError:  # outside a domain, or against an assumption
            continue


def _changes(evaluation: Evaluation) -> Iterator[tuple[str, dict[str, Any]]]:
    for names, factor, word in ((HALVED, Fraction(1, 2), "half"), (DOUBLED, Fraction(2), "twice")):
        for name in names:
            value = evaluation.parameters.get(name)
            if value is None or isinstance(value, list | tuple):
                continue
            number = parse(name, str(value)) * factor
            if name == "L_f" and number < 1:
                number, word = Fraction(1), ""
            if number != parse(name, str(value)):
                text = f"{word} {name} ({float(number):.6g})" if word else f"{name} = {float(number):.6g}"
                yield text, {name: number}
    if evaluation.teacher not in (None, "heun") and "M" in evaluation.parameters:
        yield "teacher = heun", {"teacher": "heun"}
    if evaluation.start == "standard":
        yield "start = matched", {"start": "matched"}
