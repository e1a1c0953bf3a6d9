"""``cmbound plot``."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import click

from cmbound.cli import Group, options
from cmbound.cli.check import LONG_INSTANCES
from cmbound.cli.files import OutputFile, figure_bytes, read, write_all
from cmbound.cli.laws import build_world
from cmbound.cli.measuring import effort, measuring_options, takes, told
from cmbound.cli.progress import at_work, progress_bar, range_end, range_size, size_of
from cmbound.errors import InputError
from cmbound.numbers import counted

_OVER = "LOW:HIGH:log|linear:COUNT (1e-4:1e-1:log:60)"


class Drawing(NamedTuple):
    """Where a figure and its numbers go, its width and title."""

    output: str
    csv: str | None
    width: str
    title: str | None

    def save(self, found: Any, draw: Callable[..., Any], **how: Any) -> None:
        """Draw what was found; write the figure, and the numbers behind it if they are wanted."""
        figure = draw(found, width=self.width, title=self.title, **how)
        contents: list[tuple[str | bytes, str]] = [(figure_bytes(figure, self.output), self.output)]
        write_all(*contents, *([] if self.csv is None else [(found.csv(), self.csv)]))


_FIGURE = "The figure: .pdf, .svg or .png; - is SVG on standard output."
drawing_options = options.gathered(
    "drawing",
    Drawing._fields,
    Drawing,
    click.option("-o", "--output", metavar="FILE", type=options.FIGURE, required=True, help=_FIGURE),
    click.option("--csv", metavar="FILE", type=OutputFile(".csv"), help="Write the numbers behind the figure as CSV."),
    options.choice("--width", ("column", "page"), "3.25 or 6.5 inches."),
    click.option("--title", metavar="TEXT", help="A title above the legend."),
)


def campaign_options(count: int, what: str) -> options.Decorator:
    """How many instances are drawn, from which seed and where; the command receives them as one dict, ``campaign``."""
    count_option = options.integer("--instances", count, f"Instances for each {what}.")
    names = ("instances", "seed", "jobs", "cluster")
    return options.gathered(
        "campaign", names, dict, count_option, options.seed_option, options.jobs_option, options.cluster_option
    )


def _checking(statements: int, instances: int) -> AbstractContextManager[Callable[[int], None]]:
    title = f"checking {counted(statements, 'statement')}, {counted(instances, 'instance')}"
    return progress_bar(title, instances, long=instances > LONG_INSTANCES)


class _Figures(Group):
    command_class = options.Command


@click.group("plot", cls=_Figures, short_help="Figures for a paper, with the data behind them.")
def plot_command() -> None:
    """Figures for a paper: one column or one page wide, legible in black and white, with the data behind them as CSV.

    Curves are float64 (approximate tier), except for the bounds of multistep, which are certified. An order form is never drawn
    as a bound: it needs a value of C, which the figure states. The same command writes the same file, byte for byte.
    """


@plot_command.command("terms", short_help="The terms of a bound against a parameter.")
@options.id_argument
@click.option("--over", required=True, metavar="NAME=RANGE", help=f"The parameter that varies: {_OVER} or a list 1,2,5.")
@options.setting_options()
@click.option("--lines", "view", flag_value="lines", help="Lines on a logarithmic scale.  [default]")
@click.option("--stacked", "view", flag_value="stacked", help="Stacked on a linear scale, where heights add up.")
@click.option("--shares", "view", flag_value="shares", help="Stacked as shares of the total.")
@measuring_options()
@drawing_options
def terms_command(
    id: str, over: str, given: dict[str, Any], view: str | None, measuring: dict[str, Any], drawing: Drawing
) -> None:
    """The terms of the statement ID and their total against one parameter.

    With --data the constants of a data set are filled in.

    \b
    cmbound plot terms explicit-one-step --preset gaussian-2d --over h=1e-5:1e-1:log:80 -o terms.pdf
    cmbound plot terms explicit-one-step --preset gaussian-2d --over T=2:12:linear:60 --stacked -o terms.pdf
    """
    from cmbound.papers.figures.terms import terms_data, terms_figure

    points = range_size(over)
    known, varies = takes(id), over.partition("=")[0].strip()
    told(given, measuring, lambda name, measured: name != varies and known(name, measured))
    with at_work(f"drawing {id} at {counted(points, 'point')}", given, times=points / 1000):
        found = terms_data(id, over, **given)
    drawing.save(found, terms_figure, view=view or "lines")


@plot_command.command("ratios", short_help="True error beside bound on random instances.")
@options.ids_argument()
@campaign_options(500, "statement")
@options.world_option
@options.source("--from", "source", help="Draw the --csv of an earlier figure again.")
@drawing_options
def ratios_command(
    ids: tuple[str, ...], campaign: dict[str, Any], world: str | None, source: str | None, drawing: Drawing
) -> None:
    """The true error beside the bound on random instances, as cmbound check draws them, and the histogram of true/bound.

    Instances that are skipped or undecided are left out, those that attain the bound are not. Exit status 1 if a bound is
    violated.

    \b
    cmbound plot ratios explicit-one-step --instances 2000 --jobs 2 -o ratios.pdf --csv ratios.csv
    cmbound plot ratios --from ratios.csv --width page -o ratios.svg
    """
    from cmbound.papers.figures.ratios import ratios_data, ratios_figure, ratios_from_csv

    if source is not None:
        if ids:
            raise InputError("--from takes the statements from the file: leave out the id")
        found = ratios_from_csv(read(source))
    else:
        with _checking(len(ids), len(ids) * campaign["instances"]) as advance:
            found = ratios_data(ids, world=world, progress=advance, **campaign)
    drawing.save(found, ratios_figure)
    if found.violations:
        raise SystemExit(1)


@plot_command.command("multistep", short_help="The bound after each evaluation.")
@click.option("--steps", metavar="K", default="8", show_default=True, help="Number of evaluations, the first at T included.")
@options.setting_options()
@click.option(
    "--cov", metavar="NUMBERS|FILE", help="Run the sampler on a Gaussian law too: its covariance, as for cmbound simulate."
)
@click.option("--mean", metavar="NUMBERS", help="Mean of that law.  [default: 0]")
@click.option("--student", type=click.Choice(["distilled", "exact"]), help="The model of that run.  [default: distilled]")
@measuring_options()
@drawing_options
def multistep_command(
    steps: str,
    given: dict[str, Any],
    cov: str | None,
    mean: str | None,
    student: str | None,
    measuring: dict[str, Any],
    drawing: Drawing,
) -> None:
    """The certified bound after each evaluation: best times, best fixed time, the fixed time of Cor 6, and the limit.

    With --cov the constants are those of a run of the sampler on a Gaussian law, and its W2 is drawn too, exact: -p takes
    delta, T (with --clock ve: sigma_min, sigma_max), N, eps_sc and eps_cm, as cmbound simulate does.

    \b
    cmbound plot multistep --preset gaussian-2d -o multistep.pdf
    cmbound plot multistep --cov 1,0.25 -p T=4 -p N=200 -p eps_cm=0.01 -o multistep.pdf --csv multistep.csv
    """
    if cov is None and (mean is not None or student is not None):
        raise InputError("--mean and --student belong to --cov")
    options.refuse(given, steps="--steps", world="--cov", student="--student")
    if student is not None:
        given["student"] = student
    from cmbound.papers.figures.multistep import multistep_data, multistep_figure

    if cov is not None and measuring["measured_on"] is not None:
        raise InputError("give --cov or --data, not both")
    told(given, measuring, takes(None, "multistep"))
    world = None if cov is None else build_world("gaussian", mean, cov)
    with at_work(f"drawing {counted(steps, 'evaluation')}", given, times=size_of(steps)):
        found = multistep_data(steps=steps, world=world, **given)
    drawing.save(found, multistep_figure)


@plot_command.command("phase", short_help="Which statement is the smallest where.")
@options.ids_argument()
@click.option("-x", required=True, metavar="NAME=RANGE", help=f"The parameter across: {_OVER}.")
@click.option("-y", required=True, metavar="NAME=RANGE", help="The parameter up.")
@options.setting_options()
@measuring_options()
@drawing_options
def phase_command(
    ids: tuple[str, ...], x: str, y: str, given: dict[str, Any], measuring: dict[str, Any], drawing: Drawing
) -> None:
    """Which of several statements about one quantity is the smallest, over a plane of two parameters, with the border.

    Default: explicit-multistep and chen2025-multistep, whose consistency error of an interval is eps_cm times its length; it is
    the error along exact trajectories, and there is no early stopping. A statement takes what it knows of the parameters given.
    cmbound compare --sweep prints the borders.

    \b
    cmbound plot phase -p k=2 -p t_hat=2 -p T=6 -p delta=1e-6 -p d=2 -p m2=1.2 -p R=3 -p L_s=4 -p eps_sc=0 \\
        -p h=1e-5 --start matched -x L_f=1:100:log:60 -y eps_cm=1e-6:1e-1:log:60 -o phase.pdf
    cmbound plot phase explicit-one-step explicit-multistep --preset gaussian-2d -p k=3 -p t_hat=1.5 \\
        -x L_f=1:20:log:60 -y T=2:10:linear:60 -o phase.pdf
    """
    options.refuse(given, assume="cmbound compare --assume")
    from cmbound.papers.figures.phase import phase_data, phase_figure

    varying = {z.partition("=")[0].strip() for z in (x, y)}
    told(given, measuring, lambda name, measured: name not in varying)
    points = range_size(x) * range_size(y)
    with at_work(f"comparing statements at {counted(points, 'point')}", given, times=points / 1000):
        found = phase_data(ids, x, y, **given)
    drawing.save(found, phase_figure)


@plot_command.command("tightness", short_help="True error over bound by dimension.")
@options.ids_argument("ID...", required=True)
@click.option("--dimensions", metavar="LIST", default="1,2,4,8,16,32", show_default=True, help="Dimensions, 1 to 512.")
@campaign_options(200, "statement and dimension")
@drawing_options
def tightness_command(ids: tuple[str, ...], dimensions: str, campaign: dict[str, Any], drawing: Drawing) -> None:
    """The largest and the median true/bound by dimension, on random instances in the Gaussian world, where truth is exact.

    Exit status 1 if a bound is violated.

    \b
    cmbound plot tightness explicit-one-step explicit-multistep --instances 500 --jobs 2 -o tightness.pdf
    """
    from cmbound.papers.figures.tightness import tightness_data, tightness_figure

    sizes = [_dimension(x) for x in dimensions.split(",")]
    with _checking(len(ids), len(ids) * len(sizes) * campaign["instances"]) as advance:
        found = tightness_data(ids, dimensions=sizes, progress=advance, **campaign)
    drawing.save(found, tightness_figure)
    if any(sum(x) for x in found.violations.values()):
        raise SystemExit(1)


def _dimension(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InputError(f"a dimension must be an integer, got {text!r}") from None


@plot_command.command("grids", short_help="A bound against N for each kind of grid.")
@options.id_argument
@click.option("--over", metavar="N=RANGE", default="N=10:10000:log:25", show_default=True, help="Numbers of steps.")
@options.setting_options()
@measuring_options()
@drawing_options
def grids_command(id: str, over: str, given: dict[str, Any], measuring: dict[str, Any], drawing: Drawing) -> None:
    """The statement ID against the number of steps on uniform, two-stage, geometric and EDM grids.

    A two-stage grid is given by its largest step: that with the most steps up to N is taken, and drawn at its number of steps.
    With --data the constants of a data set are filled in, and --profile measured
    measures the local errors of every grid on it: N is then at most 1000, and the axis says what the curves are worth.

    \b
    cmbound plot grids explicit-one-step --preset digits -o grids.pdf
    """
    from cmbound.papers.figures.grids import grids_data, grids_figure

    most, points = range_end(over), range_size(over)
    told(given, measuring, takes(id))
    with at_work(
        f"drawing {id} on {counted(points, 'grid')} of each kind", {**given, "N": most}, times=points / 20 * effort(given)
    ):
        found = grids_data(id, over, **given)
    drawing.save(found, grids_figure)
