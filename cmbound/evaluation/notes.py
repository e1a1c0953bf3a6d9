"""What a reader of an evaluation must be told besides the number, one sentence for each thing one could get wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

from cmbound.numbers import counted, parse, rounded
from cmbound.reports.words import words
from cmbound.theory.records import CONFIRMED, Theorem

VE_NOTE = "variance-exploding clock: L_f, eps_sc, eps_cm and L_s are those of the VE model; eps_cm and h count per unit of t"
VACUOUS = "vacuous at these parameters: {known} {trivial}; the dominating term is {term} ({share} of the bound)"
TV_KNOWN = "total variation never exceeds"
UNCENTRED = "the data are far from centred, m2 is above 3 sd2: subtract the mean of the data, and sd2 is their m2"
ONE_LIPSCHITZ = (
    "with one L_f (at least 1) in the variance-exploding clock the initialisation is about L_f m2, never informative: give L_f "
    "at each noise level (a list), or constants of the OU clock"
)
EARLIER = "the bound is smallest after evaluation {k} ({value}); stopping there is better"
NOT_FROM_ZERO = "no law has both its data in a ball and an L_s-Lipschitz score from t_star = 0 on: use t_star = delta"
LITTLE_SPREAD = "no law with an L_s-Lipschitz score from t_star = 0 on has m2^2 < d/L_s: the least is taken where it enters"
FAR = 3
"""m2 over sd2, from which on the mean of the data is most of m2."""


def standing(theorem: Theorem, constant: str) -> Iterator[str]:
    """What a number is worth because of its statement, whatever the parameters.

    Args:
        theorem: the statement.
        constant: the C of an order form, as text.
    """
    if theorem.kind == "order":
        yield f"order form with C = {constant}: not a guarantee, the paper's constant is unspecified"
    elif theorem.known == "own":
        yield "a statement of one's own: that it holds is its author's to prove"
    elif theorem.known not in CONFIRMED:
        yield "not a guarantee: the form of this statement is quoted by others, its source was not read"


def notes(evaluation: Any) -> list[str]:
    """One sentence for each thing a reader could get wrong."""
    found = list(standing(evaluation.theorem, str(evaluation.parameters.get("C"))))
    if evaluation.tier == "approximate":
        found.append("float64: an approximation of the bound, not a certified one")
    if evaluation.sampled is not None:
        found.append(sampled_note(evaluation.sampled))
    if evaluation.vacuous:
        term = evaluation.dominating_term
        assert term is not None
        assert evaluation.trivial is not None
        known = TV_KNOWN if evaluation.theorem.metric == "TV" else f"{evaluation.trivial_answer} achieves"
        trivial, share = rounded(Decimal(repr(evaluation.trivial))), f"{evaluation.terms[term].share:.0%}"
        found.append(VACUOUS.format(known=known, trivial=trivial, term=words(term), share=share))
    found += pitfalls(evaluation.parameters, initialisation=evaluation.clock == "ve" and evaluation.vacuous and evaluation.start)
    found += evaluation.advice
    if evaluation.clock == "ve" and evaluation.theorem.has_target:
        found.append(VE_NOTE)
    if evaluation.theorem.remark:
        found.append(evaluation.theorem.remark)
    if evaluation.steps is not None and len(evaluation.steps) > 1:
        best = min(evaluation.steps, key=lambda x: x.upper)
        if best.value < evaluation.value * (1 - 1e-6):
            found.append(EARLIER.format(k=best.k, value=rounded(best.upper)))
    rests_on = {x.id for x in evaluation.assumptions}
    if "A2" in rests_on and rests_on & {"support", "atoms"} and _from_zero(evaluation):
        found.append(NOT_FROM_ZERO)
    if "A2" in rests_on and _too_little_spread(evaluation):
        found.append(LITTLE_SPREAD)
    if evaluation.unused:
        found.append(unused_note(evaluation.unused))
    return found


def sampled_note(sampled: Mapping[str, Any]) -> str:
    """What a number is worth that rests on samples."""
    jointly = "jointly" if sampled["grids"] == "one" else f"jointly for {sampled['grids']}"
    rare = "; what is rare and has not been drawn is not in it" if sampled["trust"] == "asymptotic" else ""
    return (
        f"{sampled['trust']}, not certified: it rests on local errors measured on samples ({sampled['data']}; "
        f"{sampled['solver']}, {counted(sampled['draws'], 'draw')} each, seed {sampled['seed']}), whose upper ends hold "
        f"{jointly} at confidence {sampled['confidence']}{rare}"
    )


def _too_little_spread(evaluation: Any) -> bool:
    """Whether m2, given alone, is below what a Lipschitz score allows (sd2 below it is refused)."""
    given = evaluation.parameters
    if not {"d", "m2", "L_s"} <= given.keys() or "sd2" in given or not _from_zero(evaluation) or evaluation.clock != "ou":
        return False
    d, m2, lipschitz = (parse(name, str(given[name])) for name in ("d", "m2", "L_s"))
    return m2**2 * lipschitz < d * (1 - Fraction(1, 10**9))  # beyond the rounding of a measured constant


def pitfalls(given: Mapping[str, Any], initialisation: Any) -> Iterator[str]:
    """What to change before any number: the mean of the data, and one L_f for an ``initialisation`` in the VE clock."""
    if {"m2", "sd2"} <= given.keys():
        m2, sd2 = (parse(name, str(given[name])) for name in ("m2", "sd2"))
        if m2 > FAR * sd2 > 0:
            yield UNCENTRED
    if initialisation and not isinstance(given.get("L_f", []), list | tuple):
        yield ONE_LIPSCHITZ


def _from_zero(evaluation: Any) -> bool:
    return str(evaluation.parameters.get("t_star", "0")) in ("0", "0.0")


def unused_note(unused: Iterable[tuple[str, str]]) -> str:
    """What was given and enters nothing, with the reasons."""
    names: dict[str, list[str]] = {}
    for name, reason in unused:
        names.setdefault(reason, []).append(name)
    return "does not enter: " + "; ".join(f"{', '.join(x)} ({reason})" for reason, x in names.items())
