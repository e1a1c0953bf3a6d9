"""``cmbound presets`` and ``cmbound profiles``."""

from __future__ import annotations

import click

from cmbound.cli import CONTEXT
from cmbound.cli.common import completer, format_option, output_option, preset_names, write
from cmbound.cli.evaluate import PROFILE_NAMES


@click.command("presets", context_settings=CONTEXT, short_help="List or show presets, with sources.")
@click.argument("name", required=False, shell_complete=completer(preset_names))
@format_option("text", "json")
@output_option
def presets_command(name: str | None, form: str, output: str) -> None:
    """List the presets, or show the preset NAME with the source of every number."""
    from cmbound.catalogue.presets import names, preset
    from cmbound.output.data import preset_data, to_json
    from cmbound.output.text import preset_page, titles_page

    chosen = [preset(x) for x in ([name] if name else names())]
    if form == "json":
        text = to_json(preset_data(chosen[0]) if name else [preset_data(x) for x in chosen])
    elif name:
        text = preset_page(chosen[0])
    else:
        text = titles_page([(x.name, x.title) for x in chosen])
    write(text, output)


@click.command("profiles", context_settings=CONTEXT, short_help="List or show regularity profiles.")
@click.argument("name", required=False, shell_complete=completer(lambda: PROFILE_NAMES[1:]))
@format_option("text", "json")
@output_option
def profiles_command(name: str | None, form: str, output: str) -> None:
    """List the regularity profiles, or show the profile NAME with its bound for each teacher."""
    from cmbound.output.data import profile_data, to_json
    from cmbound.output.text import profile_page, titles_page
    from cmbound.theory.profiles import PROFILES
    from cmbound.theory.variants import choose

    chosen = [choose("profile", name, PROFILES)] if name else list(PROFILES.values())
    if form == "json":
        text = to_json(profile_data(chosen[0]) if name else [profile_data(x) for x in chosen])
    elif name:
        text = profile_page(profile_data(chosen[0]))
    else:
        text = titles_page([(x.name, x.title) for x in chosen])
    write(text, output)
