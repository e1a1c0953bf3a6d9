"""``cmbound evaluate``."""

from __future__ import annotations

from typing import Any

import click

from cmbound.cli.files import emit
from cmbound.cli.measuring import effort, from_data, measuring_options, takes, with_data
from cmbound.cli.options import Command, digits_option, id_argument, report_options, setting_options, statement, tier_option
from cmbound.cli.progress import at_work


@click.command("evaluate", cls=Command, short_help="Evaluate a statement, certified.")
@id_argument
@setting_options()
@measuring_options()
@tier_option
@digits_option
@report_options
def evaluate_command(
    id: str, given: dict[str, Any], measuring: dict[str, Any], tier: str, digits: int | None, form: str, output: str
) -> None:
    """Evaluate the statement ID to a certified number with its named terms.

    -p overrides --params, which overrides --preset. With --data the constants of the data are filled in; --profile measured also
    measures the local errors of the teacher's steps on them, and the result is sampled, not certified.

    \b
    cmbound evaluate explicit-one-step --preset digits
    cmbound evaluate explicit-one-step --preset gaussian-2d -p h=1e-4 --format json
    cmbound evaluate explicit-one-step --data train.npy --profile measured --teacher ddim --grid edm -p N=40 \\
        -p sigma_min=0.02 -p sigma_max=80 -p L_f=2 -p eps_sc=0.01 -p eps_cm=0.01
    """
    from cmbound.evaluation.advice import advised
    from cmbound.evaluation.point import evaluate

    if digits is not None:
        given["digits"] = digits
    theorem, own = statement(id), set(given)
    data = with_data(given, measuring, takes(id))
    with at_work(f"evaluating {id}", given, times=effort(given)):
        result = advised(evaluate(theorem, given, tier=tier), given, data)
    if data:
        result = from_data(result, data, set(given) - own)
    emit(result.report(), form, output)
