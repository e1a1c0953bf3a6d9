"""``cmbound table``."""

from __future__ import annotations

from typing import Any

import click

from cmbound.catalogue import MAIN
from cmbound.cli import options
from cmbound.cli.files import emit, fitting, rendered, write
from cmbound.cli.measuring import told
from cmbound.cli.progress import progress_bar
from cmbound.errors import InputError
from cmbound.numbers import counted


def _names() -> list[str]:
    from cmbound.papers.tables import NAMES

    return list(NAMES)


_FLAGS = {"saved": "from"}  # options of the library that are called otherwise here


def _size(name: str, given: dict[str, Any]) -> tuple[str, bool]:
    """What a table takes, and whether this is long."""
    if name == "budgets":
        presets, targets = (
            str(given.get(x, y)).count(",") + 1 for x, y in (("presets", "gaussian-2d"), ("targets", "1,0.1,0.01"))
        )
        quick = given.get("presets", "gaussian-2d") == "gaussian-2d" and targets < 10
        return f"budgets of {presets} preset{'s' * (presets > 1)} for {targets} target{'s' * (targets > 1)}", not quick
    if name in ("verification", "sharpness", "planted") and "saved" not in given:
        count = given.get("statements", "all explicit")
        instances = given.get("instances", 100)
        return f"checking the statements {count} for table {name}" + f" on {counted(instances, 'instance')} each" * (
            name != "planted"
        ), True
    return f"table {name}", False


@click.command("table", cls=options.Command, short_help="Tables for papers.")
@click.argument("name", required=False, shell_complete=options.completer(_names))
@click.option("--spec", metavar="FILE", type=click.Path(), help="custom: the TOML file that describes the table.")
@click.option("--statements", metavar="ID,...", help="Only these statements (all: the whole catalogue).")
@click.option("--statement", metavar="ID", help=f"budgets, presets: the statement.  [default: {MAIN}]")
@click.option("--profile", metavar="NAME", help="statements: write out the local teacher errors with this profile.")
@click.option("--targets", metavar="EPS,...", help="budgets: the target errors.  [default: 1,0.1,0.01]")
@click.option(
    "--presets",
    metavar="NAME,...",
    shell_complete=options.completer(options.preset_names),
    help="budgets, presets: which presets. Budgets of gaussian-2d (the default there) take seconds, of digits a minute, "
    "of the others longer.",
)
@options.define_option
@options.preset_option
@options.pairs_option(help="comparison: a parameter.")
@click.option(
    "--data",
    metavar="FILE",
    type=click.Path(),
    help="comparison: a data set (.npy, .npz or .csv), whose constants are filled in.",
)
@click.option("--metric", metavar="NAME", help="comparison: only statements in this metric.")
@click.option("--instances", metavar="N", type=int, help="Instances for each statement and world.  [default: 100]")
@click.option("--seed", metavar="N", type=int, help="Seed of the campaign.  [default: 0]")
@click.option("--world", metavar="NAME", help="verification, sharpness: gaussian, mixture or atoms.")
@click.option("--jobs", metavar="N", type=int, help="Worker processes.  [default: 1]")
@click.option(
    "--from", "saved", metavar="FILE", type=click.Path(), help="Take what cmbound check --format json wrote instead of computing."
)
@click.option(
    "--caption", metavar="TEXT", default="", help="Caption, with math between dollar signs: a complete table environment."
)
@click.option("--label", metavar="NAME", default="", help="LaTeX label.")
@click.option("--digits", metavar="N", type=int, default=4, show_default=True, help="Significant digits; bounds are rounded up.")
@click.option("--siunitx/--no-siunitx", default=False, help="LaTeX with S columns, which align decimal points.")
@options.report_options
def table_command(
    name: str | None,
    pairs: tuple[str, ...],
    preset: str | None,
    data: str | None,
    caption: str,
    label: str,
    digits: int,
    siunitx: bool,
    form: str,
    output: str,
    **given: Any,
) -> None:
    """The table NAME (without NAME: which there are), ready for a paper.

    Without --caption and --label LaTeX is a tabular with its notes, with one of them a table environment; its first line names
    the packages.

    \b
    cmbound table statements --format latex --caption "Both forms" --label tab:forms -o forms.tex
    cmbound table budgets --targets 1,0.1 --presets gaussian-2d,digits --format latex --siunitx
    cmbound table planted --from paper_tables/planted.json
    cmbound table custom --spec mine.toml --format html
    """
    from cmbound.papers.tables import NAMES, table

    given = {key: x for key, x in given.items() if x is not None}
    if siunitx and form != "latex":
        raise InputError(f"--siunitx belongs to --format latex, not {form}")
    if name is None:
        if given or pairs or preset is not None or data is not None or caption or label:
            raise InputError(f"give the name of a table: {', '.join(NAMES)}")
        from cmbound.reports.report import titles

        rows = [(x, entry.title) for x, entry in NAMES.items()]
        emit(titles("tables", rows, lambda: [{"name": x, "title": title} for x, title in rows]), form, output)
        return
    if pairs or preset is not None or data is not None:
        given["params"] = {**({} if preset is None else {"preset": preset}), **options.parse_pairs(pairs)}
    if name in NAMES:
        for key in given:
            if key not in NAMES[name].options:
                point = {"--data": data, "--preset": preset, "-p": pairs or None}
                flags = (
                    [x for x, value in point.items() if value is not None] if key == "params" else [f"--{_FLAGS.get(key, key)}"]
                )
                raise InputError(f"{', '.join(flags)}: not an option of table {name}")
    if data is not None:
        measured = dict.fromkeys(("solver", "draws", "trust", "draws_seed"))
        told(given["params"], {**measured, "measured_on": data}, lambda name, measured: True)
    title, long = _size(name, given)
    with progress_bar(title, None, long=long) as advance:
        progress = {"progress": advance} if name in NAMES and "progress" in NAMES[name].options else {}
        found = table(name, caption=caption, label=label, digits=digits, **given, **progress)
    write(fitting(rendered(found, found.caption or f"cmbound table {name}", form, siunitx=siunitx), form, output), output)
