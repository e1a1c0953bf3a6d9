"""``cmbound presets`` and ``cmbound profiles``."""

from __future__ import annotations

import click

from cmbound import names as offered
from cmbound.cli.files import emit
from cmbound.cli.options import Command, completer, preset_names, report_options


@click.command("presets", cls=Command, short_help="List or show presets, with sources.")
@click.argument("name", required=False, shell_complete=completer(preset_names))
@report_options
def presets_command(name: str | None, form: str, output: str) -> None:
    """List the presets, or show the preset NAME with the source of every number."""
    from cmbound.catalogue.presets import names, preset
    from cmbound.reports.report import titles

    rows = [preset(x) for x in names()]
    listed = titles("presets", [(x.name, x.title) for x in rows], lambda: [x.to_dict() for x in rows])
    emit(preset(name).report() if name else listed, form, output)


@click.command("profiles", cls=Command, short_help="List or show regularity profiles.")
@click.argument("name", required=False, shell_complete=completer(lambda: offered.PROFILES))
@report_options
def profiles_command(name: str | None, form: str, output: str) -> None:
    """List the regularity profiles, or show the profile NAME with its bound for each teacher."""
    from cmbound.evaluation.shown import profile_data, profile_report
    from cmbound.reports.report import titles
    from cmbound.theory.profiles import PROFILES, profile

    rows = PROFILES.values()
    listed = titles("profiles", [(x.name, x.title) for x in rows], lambda: [profile_data(x) for x in rows])
    emit(profile_report(profile(name)) if name else listed, form, output)
