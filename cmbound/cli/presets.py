"""``cmbound presets``."""

from __future__ import annotations

import click

from cmbound.cli import CONTEXT
from cmbound.cli.common import completer, format_option, output_option, preset_names, write


@click.command("presets", context_settings=CONTEXT)
@click.argument("name", required=False, shell_complete=completer(preset_names))
@format_option("text", "json")
@output_option
def presets_command(name: str | None, form: str, output: str) -> None:
    """List the presets, or show the preset NAME with the source of every number."""
    from cmbound.output.data import preset_data, to_json
    from cmbound.output.text import preset_page
    from cmbound.presets import names, preset

    chosen = [preset(x) for x in ([name] if name else names())]
    if form == "json":
        text = to_json(preset_data(chosen[0]) if name else [preset_data(x) for x in chosen])
    elif name:
        text = preset_page(chosen[0])
    else:
        text = "\n".join(f"{x.name}: {x.title}" for x in chosen)
    write(text, output)
