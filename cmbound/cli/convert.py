"""``cmbound convert``."""

from __future__ import annotations

from typing import Any

import click

from cmbound import names
from cmbound.cli.files import emit
from cmbound.cli.options import Command, choice, report_options


@click.command("convert", cls=Command, short_help="Logged numbers as constants of the theorems.")
@click.option("--rmse", metavar="E", help="Per-coordinate RMSE of the denoiser against the data: gives eps_sc.")
@click.option("--loss", metavar="L", help="Consistency loss of a step, a squared distance: gives eps_cm.")
@click.option("-d", "d", metavar="D", required=True, help="Dimension.")
@click.option("--sigma", metavar="X", required=True, help="Noise level; of a step the upper one.")
@click.option("--sigma-to", metavar="X", help="Lower noise level of the step (--loss).")
@click.option("--sigma-min", metavar="X", help="Lowest noise level of all (--loss with --clock ou).")
@click.option("--weight", metavar="W", default="1", show_default=True, help="What the loss was multiplied with.")
@choice("--reduction", ("mean", "sum"), "Over the coordinates, of the loss.")
@click.option("--mmse", metavar="V", default="0", show_default=True, help="Least squared error of any denoiser, if known.")
@choice("--clock", tuple(reversed(names.CLOCKS)), "Units of the result.")
@report_options
def convert_command(form: str, output: str, d: str, **given: Any) -> None:
    """The error of a score from the RMSE of a denoiser, or a consistency error from a consistency loss.

    \b
    cmbound convert --rmse 0.01 -d 3072 --sigma 2
    cmbound convert --loss 1e-4 -d 3072 --sigma 2 --sigma-to 1.5
    """
    from cmbound.certification.convert import convert
    from cmbound.cli.certify import whole

    emit(convert(d=whole("d", d), **given).report(), form, output)
