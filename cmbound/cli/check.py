"""``cmbound check``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from cmbound.cli import options
from cmbound.cli.files import emit, read
from cmbound.cli.progress import progress_bar
from cmbound.errors import InputError
from cmbound.files import json_of

FALSIFY_SECONDS = 60.0  # what the help says
LONG_INSTANCES = 1000
"""Instances that take some seconds."""


@click.command("check", cls=options.Command, short_help="Check statements against truth; try to break them.")
@options.ids_argument()
@click.option(
    "--all", "everything", is_flag=True, help="All statements with known instances (with --planted: all explicit ones)."
)
@click.option("--instances", metavar="N", type=int, help="Instances for each statement.  [default: 500]")
@options.seed_option
@options.world_option
@options.jobs_option
@options.cluster_option
@click.option("--falsify", is_flag=True, help="Search for a counterexample with an optimiser.")
@click.option("--budget", metavar="SECONDS", type=float, help="Time for --falsify, for each statement.  [default: 60]")
@click.option("--planted", is_flag=True, help="Weaken the explicit statements in every way: are the mistakes caught?")
@options.source("--from", "known", help="With --planted: try the instances of that report first.")
@options.source("--replay", help="Judge the worst instance of a JSON report again.")
@options.report_options
def check_command(
    ids: tuple[str, ...],
    everything: bool,
    instances: int | None,
    seed: int,
    world: str | None,
    jobs: int,
    cluster: str | None,
    falsify: bool,
    budget: float | None,
    planted: bool,
    known: str | None,
    replay: str | None,
    form: str,
    output: str,
) -> None:
    """Compare statements with the truth on laws whose error is known.

    Exit status 1 if a violation is found. JSON is one object for one statement and a list for several.

    \b
    cmbound check explicit-one-step --instances 2000 --jobs 2
    cmbound check explicit-map-error --falsify --budget 30
    cmbound check --planted --from planted.json --format json -o planted.json
    """
    modes = [name for name, given in (("--falsify", falsify), ("--planted", planted), ("--replay", replay is not None)) if given]
    mistakes = {
        f"give one of {' and '.join(modes)}, not both": len(modes) > 1,
        "--budget belongs to --falsify": budget is not None and not falsify,
        f"--instances does not go with {''.join(modes[:1])}": instances is not None and bool(modes),
        "--from belongs to --planted": known is not None and not planted,
        "--world does not go with --planted: a mistake may need any of the worlds": planted and world is not None,
        "--jobs and --cluster do not go with --falsify: its budget is spent by one process": falsify
        and (jobs, cluster) != (1, None),
        "--replay takes the statement from the file: leave out the id": replay is not None and bool(ids or everything),
        "give ids or --all, not both": everything and bool(ids),
        "give the id of a statement, or --all": not (ids or everything or planted or replay is not None),
    }
    for message, made in mistakes.items():
        if made:
            raise InputError(message)
    if replay is not None:
        report, failed = _replay(replay)
    elif planted:
        report, failed = _planted(ids, seed, known, jobs, cluster), False
    elif falsify:
        report, failed = _falsify(_chosen(ids), budget, seed, world)
    else:
        report, failed = _check(_chosen(ids), 500 if instances is None else instances, seed, world, jobs, cluster)
    emit(report, form, output)
    if failed:
        raise SystemExit(1)


def _chosen(ids: Sequence[str]) -> list[Any]:
    """The statements with these ids, or all that can be checked."""
    from cmbound.evaluation.statement import statements, theorem
    from cmbound.verification.experiments import experiment_of

    for x in ids:
        experiment_of(theorem(x))
    return [theorem(x) for x in ids] or [x for x in statements() if x.experiment]


def _check(chosen: list[Any], instances: int, seed: int, world: str | None, jobs: int, cluster: str | None) -> tuple[Any, bool]:
    from cmbound.verification.campaign import check, check_report

    total = len(chosen) * instances
    title = f"checking {_count(chosen)} on {instances} instance{'s' * (instances > 1)} each"
    with progress_bar(title, total, long=total > LONG_INSTANCES) as advance:
        how: dict[str, Any] = {"seed": seed, "world": world, "jobs": jobs, "cluster": cluster, "progress": advance}
        found = [check(x, instances=instances, **how) for x in chosen]
    return check_report(found), any(x.violations for x in found)


def _falsify(chosen: list[Any], budget: float | None, seed: int, world: str | None) -> tuple[Any, bool]:
    from cmbound.verification.falsify import falsify, falsify_report

    seconds = FALSIFY_SECONDS if budget is None else budget
    title = f"searching for counterexamples to {_count(chosen)}, {seconds:g} seconds each"
    with progress_bar(title, None, long=len(chosen) * seconds > 10) as advance:
        found = [falsify(x, budget=seconds, seed=seed, world=world, progress=advance) for x in chosen]
    return falsify_report(found), any(x.violations for x in found)


def _count(chosen: Sequence[Any]) -> str:
    return f"{len(chosen)} statement{'s' * (len(chosen) > 1)}"


def _planted(ids: Sequence[str], seed: int, known: str | None, jobs: int, cluster: str | None) -> Any:
    from cmbound.verification.planted import planted

    earlier = None if known is None else json_of(read(known), known)
    title = f"planting mistakes in {_count(ids) if ids else 'all explicit statements'}"
    with progress_bar(title, None, long=True) as advance:
        return planted(ids or None, seed=seed, known=earlier, jobs=jobs, cluster=cluster, progress=advance).report()


def _replay(path: str) -> tuple[Any, bool]:
    from cmbound.verification.campaign import replay

    outcome = replay(json_of(read(path), path))
    return outcome.report(), outcome.status == "violation"
