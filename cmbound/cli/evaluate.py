"""``cmbound evaluate``."""

from __future__ import annotations

import os
import re
import tomllib
from typing import Any

import click

from cmbound.cli import CONTEXT
from cmbound.cli.common import (
    at_work,
    completer,
    format_option,
    output_option,
    parameter_names,
    preset_names,
    read,
    theorem_ids,
    write,
)
from cmbound.errors import InputError, UnknownNameError
from cmbound.files import json_of

# Names the shell completes; a test keeps them equal to what the library offers (which would import SymPy).
PROFILE_NAMES = (
    "auto",
    "universal",
    "universal-integrated",
    "second-moment",
    "lipschitz",
    "lipschitz-decay",
    "smoothed",
    "bounded",
    "atoms",
)
GRID_KINDS = ("uniform", "two-stage", "geometric", "edm")
TEACHER_NAMES = ("exponential-integrator", "ddim")
OPTION_NAMES = ("profile", "grid", "teacher", "to", "start", "clock", "preset", "digits", "tier")


def parse_pairs(pairs: tuple[str, ...]) -> dict[str, str]:
    """``NAME=VALUE`` pairs; a name given twice is an error."""
    result: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        name = name.strip()
        if not equals or not name or not value.strip():
            raise InputError(f"-p {pair!r} is not of the form NAME=VALUE")
        if name in result:
            raise InputError(f"parameter {name!r} is given twice")
        if name in OPTION_NAMES:
            raise InputError(f"{name} is an option, not a parameter: write --{name} {value.strip()}")
        result[name] = value.strip()
    return result


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, value in pairs:
        if name in result:
            raise InputError(f"parameter {name!r} is given twice")
        result[name] = value
    return result


def parse_params(path: str) -> dict[str, Any]:
    """A flat TOML or JSON table of parameters (and options); numbers keep the digits they are written with."""
    text = read(path)
    is_json = path.endswith(".json") or (not path.endswith(".toml") and text.lstrip().startswith("{"))
    if is_json:
        data = json_of(text, path, parse_float=str, parse_int=str, parse_constant=str, object_pairs_hook=_no_duplicates)
    else:
        try:
            data = tomllib.loads(text, parse_float=str)
        except (ValueError, RecursionError) as error:
            raise InputError(f"cannot read {path} as TOML: {error}") from None
    if not isinstance(data, dict):
        raise InputError(f"{path} must hold a table of parameters")
    for name, value in data.items():
        if isinstance(value, dict | bool) or value is None:
            raise InputError(f"{path}: {name} must be a number, text or a list of numbers")
    return data


def parse_grid(text: str | None) -> Any:
    """A kind of grid, or the numbers in a file (JSON list, or separated by commas, blanks or lines; # comments)."""
    if text is None or text in GRID_KINDS:
        return text
    if text != "-" and not os.path.exists(text):
        raise UnknownNameError("grid", text, GRID_KINDS, hint=" (neither a kind of grid nor a file)")
    body = read(text)
    if body.lstrip().startswith("["):
        numbers = json_of(body, text, parse_float=str, parse_int=str, parse_constant=str)
        return [x if isinstance(x, str) else repr(x) for x in numbers]
    return [x for line in body.splitlines() for x in re.split(r"[,;\s]+", line.split("#")[0]) if x]


@click.command("evaluate", context_settings=CONTEXT, short_help="Evaluate a statement, certified.")
@click.argument("id", shell_complete=completer(theorem_ids))
@click.option(
    "-p",
    "pairs",
    multiple=True,
    metavar="NAME=VALUE",
    shell_complete=completer(parameter_names),
    help="A parameter: exact decimal (0.1), fraction (1/3), 1e-3, or values for each step separated by commas. Repeatable.",
)
@click.option(
    "--params",
    metavar="FILE",
    type=click.Path(allow_dash=True),
    help="TOML or JSON table of parameters and options, - for standard input.",
)
@click.option(
    "--preset", metavar="NAME", shell_complete=completer(preset_names), help="Start from a preset (see cmbound presets)."
)
@click.option(
    "--profile", metavar="NAME", shell_complete=completer(lambda: PROFILE_NAMES), help="Regularity profile.  [default: auto]"
)
@click.option(
    "--grid",
    metavar="KIND|FILE",
    shell_complete=completer(lambda: GRID_KINDS),
    help="uniform, two-stage, geometric, edm, or a file of increasing times (noise levels with --clock ve).",
)
@click.option(
    "--teacher", metavar="NAME", shell_complete=completer(lambda: TEACHER_NAMES), help="exponential-integrator (default) or ddim."
)
@click.option("--to", type=click.Choice(["p_data", "p_delta"]), help="Distance to which law.  [default: p_data]")
@click.option(
    "--start", type=click.Choice(["standard", "matched"]), help="Start from N(0, I) or N(0, s_T^2 I).  [default: standard]"
)
@click.option("--clock", type=click.Choice(["ou", "ve"]), help="Clock the constants are given in.  [default: ou]")
@click.option(
    "--tier", type=click.Choice(["certified", "approximate"]), default="certified", show_default=True, help="Arithmetic."
)
@click.option("--digits", type=int, help="Relative accuracy of the enclosure, in digits.  [default: 15]")
@format_option("text", "json", "latex", "markdown", "csv")
@output_option
def evaluate_command(
    id: str, pairs: tuple[str, ...], params: str | None, tier: str, form: str, output: str, grid: str | None, **options: Any
) -> None:
    """Evaluate the statement ID to a certified number with its named terms.

    -p overrides --params, which overrides --preset.

    \b
    cmbound evaluate explicit-one-step --preset digits
    cmbound evaluate explicit-one-step --preset gaussian-2d -p h=1e-4 --format json
    """
    from cmbound.catalogue import theorem
    from cmbound.evaluation.point import evaluate

    statement = theorem(id)
    given: dict[str, Any] = {} if params is None else parse_params(params)
    numbers = parse_pairs(pairs)
    given = {**given, **numbers, **{name: value for name, value in options.items() if value is not None}}
    if grid is not None or isinstance(given.get("grid"), str):
        given["grid"] = parse_grid(grid if grid is not None else given["grid"])
    with at_work(f"evaluating {id}", given):
        result = evaluate(statement, given, tier=tier)
    if form == "json":
        from cmbound.output.data import to_json

        text = to_json(result.to_dict())
    elif form == "text":
        from cmbound.output.text import evaluation_page

        text = evaluation_page(result)
    else:
        from cmbound.output.tables import evaluation_document

        text = evaluation_document(result, form)
    write(text, output)
