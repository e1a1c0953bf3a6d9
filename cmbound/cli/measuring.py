"""``--data FILE`` of the commands that evaluate a bound: constants of the data, and the profile ``measured`` (theory 5.5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from cmbound import names
from cmbound.cli.options import Decorator, gathered, statement
from cmbound.cli.streams import Apart, apart
from cmbound.errors import DomainError, InputError

if TYPE_CHECKING:
    from cmbound.evaluation.records import Evaluation
    from cmbound.theory.records import Theorem

Takes = Callable[[str, bool], bool]
DRAWS = 1000  # as in Python
MEASURED_TIMES = 60.0
"""Evaluations that measuring a grid takes as long as, for what is said of the size of a job."""


def measuring_options(data: bool = True) -> Decorator:
    """The data (unless the command has an option for them), and how local errors are measured on them, as ``measuring``."""
    help = f"A data set, one point a row (.npy, .npz or .csv): its constants, and what --profile {names.MEASURED} measures on."
    return gathered(
        "measuring",
        (*(("measured_on",) if data else ()), "solver", "draws", "trust", "draws_seed"),
        dict,
        *([click.option("--data", "measured_on", metavar="FILE", help=help)] if data else []),
        click.option(
            "--solver",
            metavar="NAME|FILE.py:NAME",
            help="Measure this step: euler, heun, exponential-integrator, dpm-solver-2, or step(denoise, x, high, low) of a "
            "file, which is run.  [default: the teacher's]",
        ),
        click.option("--draws", metavar="N", help=f"Draws for every step that is measured.  [default: {DRAWS}]"),
        click.option("--draws-seed", metavar="N", help="Seed of the draws.  [default: 0]"),
        click.option(
            "--trust",
            type=click.Choice(["asymptotic", "guaranteed"]),
            help="Intervals of what is measured; guaranteed needs --solver or --teacher ddim or heun.  [default: asymptotic]",
        ),
    )


def with_data(given: dict[str, Any], measuring: dict[str, Any], takes: Takes, flag: str = "--data") -> str:
    """Put the constants of the data and the measured profile among the parameters; returns what the data are (empty: none).

    Args:
        given: parameters and options, changed in place.
        measuring: what :func:`measuring_options` gathered.
        takes: whether a parameter of this name is of use, and whether where the profile is measured.
        flag: what names the data.

    Raises:
        InputError: options that belong to a profile that was not asked for, or no data.
        DomainError: constants that are not those of the data.
    """
    path, measured = measuring["measured_on"], given.get("profile") == names.MEASURED
    options = {name: measuring[name] for name in ("solver", "draws", "draws_seed", "trust") if measuring[name] is not None}
    if options and not measured:
        raise InputError(f"--{next(iter(options)).replace('_', '-')} belongs to --profile {names.MEASURED}")
    if path is None:
        if measured:
            raise InputError(f"--profile {names.MEASURED} needs {flag} FILE")
        return ""
    from cmbound.certification.adapters import loaded_function, runs_code
    from cmbound.certification.measured import data_constants, measured_profile
    from cmbound.cli.certify import whole

    found = data_constants(path)
    _check_constants(given, found.numbers, path)
    given |= {name: x for name, x in found.texts.items() if name not in given and takes(name, measured)}
    if measured:
        solver = options.get("solver")
        if runs_code(solver):
            with apart():
                solver = Apart(loaded_function(solver, "solver", "step(denoise, x, high, low)"))
        given["profile"] = measured_profile(
            path,
            solver=solver,
            draws=whole("draws", options.get("draws", str(DRAWS))) or 0,
            seed=whole("draws_seed", options.get("draws_seed", "0")) or 0,
            trust=options.get("trust", "asymptotic"),
        )
    return found.data


def told(given: dict[str, Any], measuring: dict[str, Any], takes: Takes) -> None:
    """The same for a command whose result shows no parameters: what was filled in is said on standard error."""
    own = set(given)
    data = with_data(given, measuring, takes)
    filled = ", ".join(f"{name} = {x}" for name, x in given.items() if name not in own and name != "profile")
    if data and filled:
        click.echo(f"cmbound: note: {filled} are those of {data}", err=True)


def _check_constants(given: dict[str, Any], constants: Mapping[str, Any], path: str) -> None:
    """What was given must be true of the data, and a preset must say nothing else of its own law."""
    from cmbound.catalogue.presets import preset
    from cmbound.evaluation.law import OF_A_LAW, ROUNDING
    from cmbound.numbers import exact, text_of

    known = preset(given["preset"]).parameters if "preset" in given else {}
    foreign = [x for x in known if x in OF_A_LAW and x not in constants and x not in given]
    if foreign:
        raise InputError(f"preset {given['preset']} has {', '.join(foreign)} of another law than {path}: give it, or no preset")
    for name in ("d", "m2", "sd2", "R", "diameter", "d_eff", "n_atoms"):
        value = given.get(name, known.get(name) if name == "d" else None)
        if value is None or name not in constants:
            continue
        number, measured = float(exact(name, value)), float(constants[name])
        if name == "d" and number != measured:
            raise DomainError(f"d is {text_of(value)}, but {path} has points in {constants['d']} dimensions")
        if name != "d" and number < measured * (1 - ROUNDING):
            raise DomainError(f"{name} is {text_of(value)}, below that of {path}, {measured:.8g}")


def takes(id: str | None, experiment: str = "") -> Takes:
    """What the statement ``id``, or the explicit one of an experiment, takes: a profile may want what it does not ask for."""
    from cmbound.theory.formulas import accepts, required

    found = _first_about(experiment) if id is None else statement(id)
    return lambda name, measured: name in required(found) if measured else accepts(found, name)


def _first_about(experiment: str) -> Theorem:
    from cmbound.evaluation.statement import about

    return next(x for x in about(experiment) if x.bare_recursion)


def effort(given: Mapping[str, Any]) -> float:
    """Evaluations that one takes as long as."""
    return 1.0 if isinstance(given.get("profile"), str | None) else MEASURED_TIMES


def from_data(result: Evaluation, data: str, filled: set[str]) -> Evaluation:
    """An evaluation that says which of its constants are those of the data; that some enter nothing is no mistake."""
    from dataclasses import replace

    from cmbound.evaluation.records import CheckedAssumption

    names_of = ", ".join(x for x in result.parameters if x in filled)
    said = CheckedAssumption("data", f"{names_of} are those of {data}", "checked")
    unused = tuple(x for x in result.unused if x[0] not in filled)
    return replace(result, assumptions=(*result.assumptions, *([said] if names_of else [])), unused=unused)
