"""What a reader of an evaluation must be told besides the number."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from cmbound.output.numbers import rounded
from cmbound.theory.records import Evaluation


def notes(evaluation: Evaluation) -> tuple[str, ...]:
    """One sentence for each thing a reader could get wrong."""
    found = []
    if evaluation.theorem.kind == "order":
        found.append(f"order form with C = {evaluation.parameters['C']}: not a guarantee, the paper's constant is unspecified")
    elif evaluation.theorem.known not in ("verbatim", "derived"):
        found.append("not a guarantee: the form of this statement is quoted by others, its source was not read")
    if evaluation.tier == "approximate":
        found.append("float64: an approximation of the bound, not a certified one")
    if evaluation.vacuous:
        term = evaluation.dominating_term
        assert term is not None
        assert evaluation.trivial is not None
        known = "total variation never exceeds" if evaluation.theorem.metric == "TV" else "always answering 0 achieves"
        found.append(
            f"vacuous at these parameters: {known} {rounded(Decimal(repr(evaluation.trivial)))}; "
            f"the dominating term is {term} ({evaluation.terms[term].share:.0%} of the bound)"
        )
    if evaluation.teacher == "ddim":
        found.append("the teacher is Euler in the noise level (DDIM); a Heun teacher is not covered")
    if evaluation.clock == "ve" and evaluation.theorem.has_target:
        found.append(
            "variance-exploding clock: L_f, eps_sc, eps_cm and L_s are those of the VE model; eps_cm and h count per unit of t"
        )
    if evaluation.theorem.id == "explicit-training":
        found.append(
            "eps_cm compares points of one PF-ODE trajectory; the training loss used in practice compares points sharing (x_0, z)"
        )
    if evaluation.steps is not None and len(evaluation.steps) > 1:
        best = min(evaluation.steps, key=lambda x: x.upper)
        if best.value < evaluation.value * (1 - 1e-6):
            found.append(f"the bound is smallest after evaluation {best.k} ({rounded(best.upper)}); stopping there is better")
    rests_on = {x.id for x in evaluation.assumptions}
    if "A2" in rests_on and rests_on & {"support", "atoms"} and _from_zero(evaluation):
        found.append("no law has both its data in a ball and an L_s-Lipschitz score from t_star = 0 on: use t_star = delta")
    if evaluation.unused:
        found.append(unused_note(evaluation.unused))
    return tuple(found)


def _from_zero(evaluation: Evaluation) -> bool:
    return str(evaluation.parameters.get("t_star", "0")) in ("0", "0.0")


def unused_note(unused: Iterable[tuple[str, str]]) -> str:
    """What was given and enters nothing, with the reasons."""
    names: dict[str, list[str]] = {}
    for name, reason in unused:
        names.setdefault(reason, []).append(name)
    return "does not enter: " + "; ".join(f"{', '.join(x)} ({reason})" for reason, x in names.items())
