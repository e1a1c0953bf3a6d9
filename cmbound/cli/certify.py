"""``cmbound certify``."""

from __future__ import annotations

import io
import os
import re
from typing import TYPE_CHECKING, Any

import click

from cmbound import names
from cmbound.cli.files import OutputFile, emit, read, write_all
from cmbound.cli.laws import parse_list
from cmbound.cli.options import Command, choice, output_option, source
from cmbound.cli.progress import progress_bar
from cmbound.cli.streams import apart
from cmbound.errors import InputError, UnknownNameError
from cmbound.files import json_of
from cmbound.frozen import FrozenDict
from cmbound.numbers import counted

if TYPE_CHECKING:
    from cmbound.certification.certificate import Certificate

SOLVERS = ("euler", "heun", "exponential-integrator", "dpm-solver-2")
OUTPUTS = ("denoiser", "score", "noise", "velocity")
EXAMPLES = ("moons", "digits")
GRIDS = ("edm", "geometric")
SUFFIXES = FrozenDict({".html": "html", ".json": "json", ".tex": "latex", ".md": "markdown", ".csv": "csv"})
"""What a file's name says of the format."""
ALIKE = 1e-6
"""Relative difference of a number that a replay must not exceed: rounding of matrix products on another machine."""


def numbers(name: str, text: str | None) -> Any:
    """A number, or numbers separated by commas; None stays None."""
    if text is None:
        return None
    values = parse_list(name, text)
    return values[0] if len(values) == 1 else values


def listed(name: str, text: str | None) -> list[float]:
    """Numbers separated by commas, none for None."""
    return [] if text is None else parse_list(name, text)


def whole(name: str, text: str | None) -> int | None:
    """An integer."""
    if text is None:
        return None
    try:
        return int(text)
    except ValueError:
        raise InputError(f"{name} is {text!r}; an integer is needed") from None


def shape_of(text: str | None) -> tuple[int, ...] | None:
    """The shape of a point, such as 3,32,32."""
    return None if text is None else tuple(whole("shape", x) or 0 for x in text.replace("x", ",").split(","))


def arguments(model: str, given: dict[str, Any]) -> dict[str, Any]:
    """What :func:`cmbound.certify` is called with, but the model's progress."""
    from cmbound.certification.request import grid

    if given["data"] is None:
        raise InputError(f"certify needs --data FILE (shipped examples: {', '.join(EXAMPLES)})")
    sigmas = given["sigmas"]
    ends = [given[x] for x in ("sigma_min", "sigma_max", "steps")]
    if (sigmas is None) == (None in ends):
        raise InputError("give either --sigmas NUMBERS, or all of --sigma-min, --sigma-max and --steps")
    unused = [x for x in ("sigma_min", "sigma_max", "steps", "grid") if given[x] is not None]
    if sigmas is not None and unused:
        raise InputError(f"--{unused[0].replace('_', '-')} has no effect beside --sigmas, which lists the noise levels")
    levels = (
        listed("sigmas", sigmas)
        if sigmas is not None
        else grid(given["grid"] or GRIDS[0], ends[0], ends[1], whole("steps", ends[2]))
    )
    clip = listed("clip", given["clip"]) or None
    return {
        "model": model,
        "data": given["data"],
        "sigmas": levels,
        "n": DEFAULT_PATHS if given["n"] is None else whole("n", given["n"]),
        "confidence": numbers("confidence", given["confidence"]),
        "clip": clip,
        "seed": whole("seed", given["seed"]),
        "times": listed("times", given["times"]),
        "held_out": _held_out(given["held_out"]),
        "budget": numbers("budget", given["budget"]),
        "shape": shape_of(given["shape"]),
        **{x: whole(x, given[x]) for x in ("batches", "distance_batch", "batch", "workers")},
        **{x: numbers(x, given[x]) for x in ("L_f", "eps_sc", "eps_cm")},
        **{x: given[x] for x in ("solver", "teacher", "teacher_output", "clock", "dtype", "profile", "renoise", "population")},
    }


def _held_out(text: str | None) -> Any:
    return (
        text
        if text is None or os.path.exists(text) or text.lower().endswith((".npy", ".npz", ".csv"))
        else numbers("held_out", text)
    )


def example_arguments(name: str, given: dict[str, Any]) -> dict[str, Any]:
    """A shipped example, with what was given on the command line on top."""
    from cmbound.certification.certify import EXAMPLE_STEPS
    from cmbound.certification.examples import example

    for option in ("teacher", "data", "clip", "sigmas", "sigma_min", "sigma_max"):
        if given[option] is not None:
            raise InputError(f"--{option.replace('_', '-')} is not for the example {name}, which has its own")
    found = example(name)
    steps = given["steps"] or str(EXAMPLE_STEPS)
    ends = {"sigma_min": found.sigma_min, "sigma_max": found.sigma_max, "steps": steps}
    few = {
        "n": EXAMPLE_PATHS if given["n"] is None else whole("n", given["n"]),
        "batches": whole("batches", given["batches"] or (None if given["budget"] else str(EXAMPLE_BATCHES))),
    }
    return {**arguments(name, {**given, "data": "", **ends}), **few, "data": None}


DEFAULT_PATHS = 20_000  # as in Python
EXAMPLE_PATHS, EXAMPLE_BATCHES = 4000, 10  # an example takes some 20 seconds of one core


LONG = 5_000
"""Paths times noise levels that take some seconds."""


@click.command("certify", cls=Command, short_help="What theory guarantees for a model at hand.")
@click.argument("model", required=False)
@click.option("--data", metavar="FILE", help="The data, one point a row (.npy, .npz or .csv).")
@click.option("--teacher", metavar="MODEL", help="The teacher, as MODEL.  [default: none, consistency training]")
@choice("--teacher-output", OUTPUTS, "What the teacher returns (below).")
@click.option(
    "--solver", type=click.Choice(SOLVERS), help="The teacher's step (euler is DDIM).  [default: euler; of an example, its own]"
)
@click.option("--sigma-min", metavar="X", help="Lowest noise level.")
@click.option("--sigma-max", metavar="X", help="Largest noise level.")
@click.option("--steps", metavar="N", help="Number of steps between them.")
@click.option("--grid", type=click.Choice(GRIDS), help="How they are spaced.  [default: edm]")
@click.option("--sigmas", metavar="NUMBERS", help="The noise levels themselves, increasing.")
@click.option(
    "--clip", metavar="LOW,HIGH", help="Clip outputs to this interval, which holds the data: then results are guaranteed."
)
@click.option("--times", metavar="NUMBERS", help="Noise levels of further evaluations.")
@click.option("-n", "n", metavar="N", help="Number of trajectories, at least 20.  [default: 20000; of an example 4000]")
@click.option("--confidence", metavar="X", default="0.99", show_default=True, help="Of everything that is claimed, jointly.")
@click.option("--seed", metavar="N", default="0", show_default=True, help="Seed of everything random.")
@choice("--clock", tuple(reversed(names.CLOCKS)), "In which the model and the teacher are asked.")
@click.option("--L-f", "L_f", metavar="NUMBERS", help="Claimed Lipschitz constant, or one for each noise level.")
@click.option("--eps-sc", metavar="NUMBERS", help="Claimed error of the score, or one for each step.")
@click.option("--eps-cm", metavar="NUMBERS", help="Claimed consistency error, or one for each step.")
@click.option("--held-out", metavar="FILE|SHARE", help="Fresh data, or the share of the data that is kept apart.")
@click.option("--budget", metavar="SECONDS", help="Time for the batches of exact transport, in the place of --batches.")
@click.option("--batches", metavar="K", help="Number of these batches, at least 3.  [default: 6; of an example 3]")
@click.option("--distance-batch", metavar="M", help="Samples in each of them, at least 20 (needs POT).")
@click.option("--shape", metavar="SIZES", help="Of one point, such as 3,32,32, if the model wants images.")
@click.option("--batch", metavar="N", default="4096", show_default=True, help="Most rows in one call of the model.")
@choice("--dtype", ("float64", "float32", "float16"), "Of the arrays the model is asked with.")
@click.option("--renoise", metavar="FILE.py:NAME", help="How the model's own sampler noises back.")
@click.option("--population", is_flag=True, help="The data are a sample: bound the distance to the law behind them.")
@click.option("--profile", metavar="NAME", default="auto", show_default=True, help="Regularity profile of the a priori rung.")
@click.option("--workers", metavar="N", default="1", show_default=True, help="Threads, one block of trajectories each.")
@source("--replay", help="A report (JSON) whose every number is computed once more.")
@click.option(
    "--counterexample",
    metavar="FILE",
    type=OutputFile(".npz"),
    help="Save the points that refute claims (none: an empty archive).",
)
@click.option("--format", "form", type=click.Choice(names.FORMATS), help="Form of the output.  [default: by -o, else text]")
@output_option
def certify_command(
    model: str | None, replay: str | None, counterexample: str | None, form: str | None, output: str, **given: Any
) -> None:
    """What theory guarantees for a trained consistency model: its distance to the data from both sides, and why.

    MODEL is FILE.py:NAME (a function f(x, sigma); the file is run), FILE.onnx (FILE.onnx:X,SIGMA or
    FILE.onnx:X,SIGMA,OUTPUT where names and shapes leave open which is which), or a shipped example (moons, digits).
    The teacher returns its denoiser D(x, sigma) = E[x_0 | x], x = x_0 + sigma z; its score (D - x)/sigma^2; the noise
    (x - D)/sigma; or the velocity (noise - sigma D)/(1 + sigma^2)^{1/2} of v-prediction.
    What the user's code prints goes to standard error.
    Exit status 1 if a claimed constant is refuted, or if a replay finds another number.

    \b
    cmbound certify moons
    cmbound certify model.py:student --teacher model.py:denoiser --data train.npy \\
        --sigma-min 0.02 --sigma-max 80 --steps 40 --clip -1,1 -o report.html
    cmbound certify --replay report.json
    """
    form = form_of(form, output)
    if replay is not None:
        _alone()
        _replay(replay, model, output)
        return
    if model is None:
        raise InputError("certify needs a MODEL: FILE.py:NAME, FILE.onnx, or a shipped example (moons, digits)")
    if re.fullmatch(r"[\w-]+", model) and model not in EXAMPLES:
        raise UnknownNameError("example", model, EXAMPLES, " (a model of your own is FILE.py:NAME or FILE.onnx)")
    call = example_arguments(model, given) if model in EXAMPLES else arguments(model, given)
    from cmbound.certification.certificate import refuted

    certificate = certified(call)
    if counterexample is not None:
        write_all((points_bytes(certificate), counterexample))
    if form == "html":
        from cmbound.papers.certificates import page

        write_all((page(certificate), output))
    else:
        emit(certificate.report(), form, output)
    if certificate.refuted:
        if output != "-":  # else it stands there
            for x in certificate.refuted:
                click.echo(f"cmbound: refuted: {refuted(x)}; saved in {counterexample or output}", err=True)
        if counterexample is None:
            click.echo("cmbound: --counterexample FILE.npz saves the points at which a claim does not hold", err=True)
        raise SystemExit(1)


def form_of(form: str | None, output: str) -> str:
    """The form that was asked for, or that of the name of the file; a name without a suffix, or .txt, is text."""
    suffix = os.path.splitext(output)[1].lower()
    if form is None and suffix not in ("", ".txt", *SUFFIXES):
        raise InputError(f"-o: {output}: the name must end in {', '.join(SUFFIXES)} or .txt, or --format is needed")
    return form or SUFFIXES.get(suffix, "text")


def certified(call: dict[str, Any]) -> Certificate:
    """The certificate, with progress on standard error."""
    from cmbound.certification.certify import certify

    done, size = 0.0, (call["n"] or 0) * len(call["sigmas"])
    named = (("n", "path"), ("batches", "batch"))
    sizes = [counted(len(call["sigmas"]) - 1, "step"), *(counted(call[x], noun) for x, noun in named if call.get(x))]
    title = f"certifying {call['model']}: {', '.join(sizes)}"
    with progress_bar(title, 200, long=size > LONG) as advance:

        def progress(what: str, count: int, total: int) -> None:
            nonlocal done
            now = 100 * count / max(total, 1) + (100 if what == "distances" else 0)
            advance(max(0, int(now) - int(done)))
            done = max(done, now)

        with apart():
            return certify(call["model"], **{name: x for name, x in call.items() if name != "model"}, progress=progress)


def points_bytes(certificate: Certificate) -> bytes:
    """The points at which claims do not hold, as an .npz file."""
    import numpy as np

    buffer = io.BytesIO()
    arrays: dict[str, Any] = {}
    for i, x in enumerate(certificate.refuted):
        arrays |= {f"{x.name}_{i}_{name}": getattr(x, name) for name in ("x", "y", "sigma", "claimed", "found", "replayed")}
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _alone() -> None:
    """Refuse what a replay would not listen to.

    Raises:
        InputError: an option beside ``--replay`` and ``-o``.
    """
    context = click.get_current_context()
    for x in context.command.params:
        if x.name in ("model", "replay", "output") or x.name is None:
            continue
        if context.get_parameter_source(x.name) == click.core.ParameterSource.COMMANDLINE:
            raise InputError(f"--replay reads everything from the report: leave {x.opts[0]} out")


def _replay(path: str, model: str | None, output: str) -> None:
    """Compute a report once more and compare every number."""
    from cmbound.certification.certificate import measured_numbers, to_data
    from cmbound.certification.replay import call_of, differing, words_of

    if model is not None:
        raise InputError("--replay reads the model from the report: leave MODEL out")
    data = json_of(read(path), path)
    call = call_of(data, path)
    own = {"data": None, "teacher": None} if call["model"] in EXAMPLES else {}
    again = certified({**call, **own})
    if again.request.fingerprint != data["request"]["fingerprint"]:
        raise InputError(f"{path}: the data are not those of the report")
    old, new = measured_numbers(data), measured_numbers(to_data(again))
    off = differing(old, new, ALIKE)
    said, says = words_of(data), words_of(to_data(again))
    reworded = [x for x in sorted({*said, *says}) if said.get(x) != says.get(x)]
    lines = [f"{name}: {old.get(name)} in the report, {new.get(name)} now" for name in off[:20]]
    lines += [f"{name}: {said.get(name)!r} in the report, {says.get(name)!r} now" for name in reworded[:20]]
    for name, version in again.versions.items():
        if data["versions"].get(name) != version:
            lines.append(f"warning: the report was made with {name} {data['versions'].get(name)}, this is {version}")
    counts = f"{counted(len(old), 'number')}, {len(off)} differ; {counted(len(said), 'text')}, {len(reworded)} differ"
    write_all(("\n".join([counts, *lines]), output))
    if off or reworded:
        if output != "-":
            click.echo(f"cmbound: {counts}; saved in {output}", err=True)
        raise SystemExit(1)
