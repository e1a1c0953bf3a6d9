"""``cmbound evaluate``."""

from __future__ import annotations

from typing import Any

import click

from cmbound.cli.files import emit
from cmbound.cli.options import Command, digits_option, id_argument, report_options, setting_options, tier_option
from cmbound.cli.progress import at_work


@click.command("evaluate", cls=Command, short_help="Evaluate a statement, certified.")
@id_argument
@setting_options()
@tier_option
@digits_option
@report_options
def evaluate_command(id: str, given: dict[str, Any], tier: str, digits: int | None, form: str, output: str) -> None:
    """Evaluate the statement ID to a certified number with its named terms.

    -p overrides --params, which overrides --preset.

    \b
    cmbound evaluate explicit-one-step --preset digits
    cmbound evaluate explicit-one-step --preset gaussian-2d -p h=1e-4 --format json
    """
    from cmbound.evaluation.point import evaluate
    from cmbound.evaluation.statement import theorem

    if digits is not None:
        given["digits"] = digits
    with at_work(f"evaluating {id}", given):
        result = evaluate(theorem(id), given, tier=tier)
    emit(result.report(), form, output)
