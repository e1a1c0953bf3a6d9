"""The law of the data that a command is given: ``--world``, ``--mean``, ``--cov`` and ``--data``."""

from __future__ import annotations

import os
from typing import Any

import click

from cmbound.cli.options import Decorator, gathered
from cmbound.errors import InputError


def law_options(
    data: str = "A data set, one point a row (.npy, .npz or .csv): its empirical law, which is --world atoms.",
) -> Decorator:
    """The options that name a law of the data, gathered as ``law``; what --data is for is said by the command."""
    return gathered(
        "law",
        ("world", "mean", "cov", "data"),
        dict,
        click.option(
            "--world",
            type=click.Choice(["gaussian", "atoms"]),
            help="gaussian: a Gaussian law (--cov, --mean), where everything is exact; atoms: the law of the points in --data.",
        ),
        click.option("--mean", metavar="NUMBERS", help='Mean, for instance "0,1".  [default: 0]'),
        click.option(
            "--cov", metavar="NUMBERS|FILE", help='Variances "1,0.25", rows "1,0.3;0.3,2", or a .npy, .npz or .csv file of rows.'
        ),
        click.option("--data", metavar="FILE", help=data),
    )


def parse_list(name: str, text: str) -> list[float]:
    """Numbers separated by commas."""
    from cmbound.numbers import parse

    return [float(parse(name, x)) for x in text.split(",")]


def parse_covariance(text: str) -> Any:
    """Variances, rows separated by semicolons, or a file with rows (one row: variances)."""
    from cmbound.worlds import read_data

    if os.path.exists(text) or text.lower().endswith((".npy", ".csv", ".npz")):
        table = read_data(text)
        return table[0] if len(table) == 1 else table
    rows = [parse_list("cov", x) for x in text.split(";")]
    if len({len(x) for x in rows}) > 1:
        raise InputError(f"cov is {text!r}; its rows differ in length")
    return rows[0] if len(rows) == 1 else rows


def build_world(world: str | None = None, mean: str | None = None, cov: str | None = None, data: str | None = None) -> Any:
    """The law the options ask for."""
    from cmbound.worlds import Atoms, Gaussian, read_data

    if world == "atoms" and data is None:
        raise InputError("--world atoms needs --data FILE")
    if (world == "gaussian") == (data is not None):
        raise InputError("give one of --world gaussian (with --cov) and --data FILE")
    if data is not None:
        if mean is not None or cov is not None:
            raise InputError("--mean and --cov belong to --world gaussian, not to --data")
        return Atoms(read_data(data))
    if cov is None:
        raise InputError("--world gaussian needs --cov")
    covariance = parse_covariance(cov)
    centre = [0.0] * len(covariance) if mean is None else parse_list("mean", mean)
    return Gaussian(centre, covariance[0] if len(covariance) == 1 and not isinstance(covariance[0], list) else covariance)
