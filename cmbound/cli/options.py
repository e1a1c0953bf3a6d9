"""Options the commands share, and the decorator that hands a command what was given with them."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from cmbound import names
from cmbound.cli.files import OutputFile, read
from cmbound.errors import InputError, UnknownNameError
from cmbound.files import json_of, same_file, toml_of

if TYPE_CHECKING:
    from cmbound.theory.records import Theorem

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]
FIGURE = OutputFile(".png", ".pdf", ".svg")


class Command(click.Command):
    """A command to which no option is given twice, unless it may be."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        seen: set[str | None] = set()
        for option in self.make_parser(ctx).parse_args(list(args))[2] if not ctx.resilient_parsing else ():
            if isinstance(option, click.Option) and not option.multiple and not option.is_flag:
                if option.name in seen:
                    raise InputError(f"{max(option.opts, key=len)} is given twice")
                seen.add(option.name)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run it, unless a file that it reads is one that it would replace."""
        for name, value in ctx.params.items():
            param = next(x for x in self.params if x.name == name)
            if not isinstance(value, str) or isinstance(param.type, OutputFile) or "FILE" not in str(param.make_metavar(ctx)):
                continue
            if "--from" in param.opts:  # a report that is continued
                continue
            if os.path.isfile(value) and same_file(value) in ctx.meta.get("cmbound.outputs", {}):
                raise InputError(f"{param.opts[0]} reads {value}, which would be replaced: give the output another file")
        return super().invoke(ctx)


# --- completion ---------------------------------------------------------------------------------------------------------


def completer(offered: Callable[[], Sequence[str]]) -> Completer:
    """Shell completion from a list of names that is cheap to make."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(name) for name in offered() if name.startswith(incomplete)]

    return complete


def theorem_ids() -> Sequence[str]:
    """The ids of the statements, without importing SymPy."""
    from cmbound.catalogue import ids

    return ids()


def statement(id: str) -> Theorem:
    """The statement with this id; of one of the catalogue its record alone, without what its verbs import."""
    from cmbound.catalogue import catalogue, record

    if id in catalogue:
        found: Theorem = record(id)
        return found
    from cmbound.evaluation.statement import theorem

    return theorem(id)


def preset_names() -> Sequence[str]:
    """The names of the presets."""
    from cmbound.catalogue.presets import names

    return names()


def parameter_names() -> Sequence[str]:
    """``NAME=`` for every parameter."""
    from cmbound.theory.notation import PUBLIC

    return [f"{name}=" for name in PUBLIC]


# --- options ------------------------------------------------------------------------------------------------------------


def together(*options: Decorator) -> Decorator:
    """Several options as one decorator, in the order they are listed."""
    return lambda command: functools.reduce(lambda done, option: option(done), reversed(options), command)


def gathered(into: str, names: Sequence[str], make: Callable[..., Any], *options: Decorator) -> Decorator:
    """The same, where the command receives one argument, ``into``, instead of those in ``names``: what ``make`` makes of them."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def run(**values: Any) -> Any:
            made = make(**{name: values.pop(name) for name in names})
            return command(**{into: made}, **values)

        return together(*options)(run)

    return decorate


def choice(flag: str, offered: Sequence[str], help: str, *name: str) -> Decorator:
    """An option with a few values, the first being the default."""
    return click.option(flag, *name, type=click.Choice(offered), default=offered[0], show_default=True, help=help)


def source(*flags: str, help: str) -> Decorator:
    """An option that names a file to read, ``-`` for standard input."""
    return click.option(*flags, metavar="FILE", type=click.Path(allow_dash=True), help=help)


def integer(flag: str, default: int, help: str) -> Decorator:
    """An option whose value is an integer."""
    return click.option(flag, metavar="N", type=int, default=default, show_default=True, help=help)


output_option = click.option(
    "-o", "--output", metavar="FILE", type=OutputFile(), default="-", help="Write to FILE; - is standard output."
)
report_options = together(choice("--format", names.FORMATS, "Form of the output.", "form"), output_option)
"""``--format`` and ``-o`` of every command that prints a report."""
seed_option = integer("--seed", 0, "Seed of the campaign.")
jobs_option = integer("--jobs", 1, "Worker processes.")
cluster_option = click.option(
    "--cluster", metavar="ADDRESS", help="Send the work to a Dask scheduler (extra cluster), such as tcp://127.0.0.1:8786."
)


DEFINED = "cmbound.define"
"""Under this name a context keeps the files that defined statements."""


def _define(ctx: click.Context, param: click.Parameter, paths: tuple[str, ...]) -> None:
    ctx.meta[DEFINED] = paths
    if paths:
        from cmbound.evaluation.statement import register_files

        register_files(paths)


define_option = click.option(
    "--define",
    metavar="FILE",
    multiple=True,
    type=click.Path(),
    expose_value=False,
    is_eager=True,
    callback=_define,
    help="A .py or .toml file that defines statements of your own. Repeatable.",
)


id_argument = together(click.argument("id", shell_complete=completer(theorem_ids)), define_option)
"""The id of a statement, which --define may have defined."""
optional_id = together(click.argument("id", required=False, shell_complete=completer(theorem_ids)), define_option)


def ids_argument(metavar: str = "[ID]...", required: bool = False) -> Decorator:
    """The ids of several statements, which --define may have defined."""
    several = click.argument("ids", metavar=metavar, nargs=-1, required=required, shell_complete=completer(theorem_ids))
    return together(several, define_option)


tier_option = choice("--tier", names.TIERS, "Arithmetic.")
digits_option = click.option("--digits", type=int, help="Relative accuracy of the enclosure, in digits.  [default: 15]")


def named(flag: str, offered: Callable[[], Sequence[str]], help: str, **more: Any) -> Decorator:
    """An option whose value is a name that the shell completes."""
    return click.option(flag, metavar="NAME", shell_complete=completer(offered), help=help, **more)


world_option = named("--world", lambda: names.WORLDS, "gaussian, mixture or atoms.")
profile_option = named("--profile", lambda: ("auto", *names.PROFILES), "Regularity profile.  [default: auto]")
teacher_option = named("--teacher", lambda: names.TEACHERS, f"{' or '.join(names.TEACHERS)}.  [default: {names.TEACHERS[0]}]")
to_option = click.option("--to", type=click.Choice(names.TARGETS), help="Distance to which law.  [default: p_data]")
start_option = click.option(
    "--start", type=click.Choice(names.STARTS), help="Start from N(0, I) or N(0, s_T^2 I).  [default: standard]"
)
clock_option = click.option("--clock", type=click.Choice(names.CLOCKS), help="Clock the constants are given in.  [default: ou]")
preset_option = named("--preset", preset_names, "Start from a preset (see cmbound presets).")


def pairs_option(metavar: str = "NAME=VALUE", help: str = "") -> Decorator:
    """``-p``."""
    text = "A parameter: exact decimal (0.1), fraction (1/3), 1e-3, or values for each step separated by commas. Repeatable."
    return click.option(
        "-p", "pairs", multiple=True, metavar=metavar, shell_complete=completer(parameter_names), help=help or text
    )


def setting_options(metavar: str = "NAME=VALUE", help: str = "") -> Decorator:
    """The options that set the point a statement is taken at; the command receives what they gave as one dict, ``given``.

    -p overrides --params, which overrides --preset.
    """
    return gathered(
        "given",
        ("pairs", "params", "preset", "profile", "teacher", "to", "start", "clock", "grid"),
        _setting,
        pairs_option(metavar, help),
        source("--params", help="TOML or JSON table of parameters and options, - for standard input."),
        preset_option,
        profile_option,
        click.option(
            "--grid",
            metavar="KIND|FILE",
            shell_complete=completer(lambda: names.GRIDS),
            help=f"{', '.join(names.GRIDS)}, or a file of increasing times (noise levels with --clock ve).",
        ),
        teacher_option,
        to_option,
        start_option,
        clock_option,
    )


def _setting(pairs: tuple[str, ...], params: str | None, **chosen: Any) -> dict[str, Any]:
    given: dict[str, Any] = {} if params is None else parse_params(params)
    given |= parse_pairs(pairs) | {name: value for name, value in chosen.items() if value is not None}
    if isinstance(given.get("grid"), str):
        given["grid"] = parse_grid(given["grid"])
    return given


# --- reading what was given ---------------------------------------------------------------------------------------------


def split_pair(flag: str, text: str, form: str) -> tuple[str, str]:
    """The two sides of what has this form, ``NAME=...``."""
    name, equals, value = (x.strip() for x in text.partition("="))
    if name and equals and not value:
        raise InputError(f"{flag} {text!r}: {name} has no value")
    if not (name and equals):
        raise InputError(f"{flag} {text!r} is not of the form {form}")
    return name, value


def parse_pairs(pairs: tuple[str, ...]) -> dict[str, str]:
    """``NAME=VALUE`` pairs; a name given twice is an error."""
    result: dict[str, str] = {}
    for pair in pairs:
        name, value = split_pair("-p", pair, "NAME=VALUE")
        if name in result:
            raise InputError(f"parameter {name!r} is given twice")
        if name in names.OPTIONS:
            raise InputError(f"{name} is an option, not a parameter: write --{name} {value}")
        result[name] = value
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
        data = toml_of(text, path, parse_float=str)
    if not isinstance(data, dict):
        raise InputError(f"{path} must hold a table of parameters")
    for name, value in data.items():
        if isinstance(value, dict | bool) or value is None:
            raise InputError(f"{path}: {name} must be a number, text or a list of numbers")
    return data


def parse_grid(text: str) -> Any:
    """A kind of grid, or the numbers in a file (JSON list, or separated by commas, blanks or lines; # comments)."""
    if text in names.GRIDS:
        return text
    if text != "-" and not os.path.exists(text):
        raise UnknownNameError("grid", text, names.GRIDS, hint=" (neither a kind of grid nor a file)")
    body = read(text)
    if body.lstrip().startswith("["):
        numbers = json_of(body, text, parse_float=str, parse_int=str, parse_constant=str)
        return [x if isinstance(x, str) else repr(x) for x in numbers]
    return [x for line in body.splitlines() for x in re.split(r"[,;\s]+", line.split("#")[0]) if x]


def refuse(given: dict[str, Any], **options: str) -> None:
    """Raise InputError where the name of an option of the command was given as a parameter."""
    for name, flag in options.items():
        if name in given:
            raise InputError(f"{name} is no parameter; write {flag}")
