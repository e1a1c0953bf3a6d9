"""The examples that ship with the package: two small consistency models that were really trained, their teachers and their data.

Nothing but numpy is needed to run them. How they were trained stands in :mod:`cmbound.certification.train`.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt

from cmbound.certification.networks import KINDS, Array, Network
from cmbound.checks import checked_name
from cmbound.errors import InputError
from cmbound.frozen import FrozenDict, Record

FOLDER = "shipped"
"""Where weights, data and the record of the training lie, beside this module."""
RECORD = "training.json"
"""What was recorded when they were trained."""


@dataclass(frozen=True)
class Origin:
    """What is chosen before an example is trained.

    Attributes:
        title: what the data are.
        sigma_min, sigma_max: the noise levels.
        sigma_data: scale of the data for the preconditioning, about a standard deviation of one coordinate.
        clip: an interval that holds every coordinate of the data.
        stored: the stored numbers as coordinates.
    """

    title: str
    sigma_min: float
    sigma_max: float
    sigma_data: float
    clip: tuple[float, float]
    stored: Callable[[npt.NDArray[Any]], npt.NDArray[Any]]


def _as_they_are(points: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return points


def _pixels(counts: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Pixels 0..16 on [-1, 1], as in the preset ``digits``."""
    return counts / 8.0 - 1.0


ORIGINS: Mapping[str, Origin] = FrozenDict(
    {
        "moons": Origin("two moons: 2000 points in the plane", 0.05, 20.0, 1.06, (-2.5, 2.5), _as_they_are),
        "digits": Origin("handwritten digits: 1797 images of 8 x 8 pixels in [-1, 1]", 0.02, 80.0, 0.54, (-1.0, 1.0), _pixels),
    }
)
EXAMPLES = tuple(ORIGINS)


@dataclass(frozen=True, eq=False)
class Example(Record):
    """A trained consistency model with its teacher and its data.

    Attributes:
        name: ``moons`` or ``digits``.
        model: the student f(x, sigma), x (n, d), sigma a number or (n,), in [sigma_min, sigma_max]: values (n, d). It is the
            identity at sigma_min.
        denoiser: the teacher D(x, sigma), an estimate of E[x_0 | x_0 + sigma z = x], with the same arguments.
        data: the points it was trained on, shape (n, d).
        sigma_min, sigma_max: the noise levels.
        clip: an interval that holds every coordinate of the data, None where there is none.
        title: what the data are.
        how: how it was trained, with the command that does it again.
        solver: the teacher's steps it was distilled along, those at which its consistency error is small.

    >>> import cmbound
    >>> shown = cmbound.example("digits")
    >>> shown.title, shown.clip, shown.solver
    ('handwritten digits: 1797 images of 8 x 8 pixels in [-1, 1]', (-1.0, 1.0), 'heun')
    >>> bool((shown.model(shown.data, shown.sigma_min) == shown.data).all())
    True
    """

    name: str
    model: Network
    denoiser: Network
    data: Array
    sigma_min: float
    sigma_max: float
    clip: tuple[float, float] | None
    title: str
    how: str
    solver: str = "heun"


def example(name: str) -> Example:
    """The shipped example of this name.

    Args:
        name: ``moons`` (2000 points in the plane, sigma in [0.05, 20]) or ``digits`` (scikit-learn's, 1797 points in 64
            dimensions, sigma in [0.02, 80]).

    Raises:
        UnknownNameError: there is no example of this name.

    >>> import cmbound
    >>> import numpy as np
    >>> moons = cmbound.example("moons")
    >>> moons.data.shape, moons.sigma_min, moons.sigma_max
    ((2000, 2), 0.05, 20.0)
    >>> noise = 20 * np.random.default_rng(0).standard_normal((5, 2))
    >>> bool((abs(moons.model(noise, 20)) < 2.6).all())
    True
    """
    return _loaded(checked_name("example", name, EXAMPLES))


@cache
def _loaded(name: str) -> Example:
    origin = ORIGINS[name]
    levels = {"sigma_data": origin.sigma_data, "sigma_min": origin.sigma_min, "sigma_max": origin.sigma_max}
    student, denoiser = (Network(kind, network_weights(name, kind), **levels) for kind in KINDS)
    data = np.asarray(origin.stored(_arrays(f"{name}-data.npz")["data"]), dtype=np.float64)
    record = trainings()[name]
    how = (
        f"a denoiser ({record['denoiser_steps']} steps), then a student by consistency distillation "
        f"({record['student_steps']} steps), three hidden layers of {record['width']} units, {record['seconds']} s on one core: "
        f"python -m cmbound.certification.train {name}"
    )
    return Example(name, student, denoiser, data, origin.sigma_min, origin.sigma_max, origin.clip, origin.title, how)


def network_weights(name: str, kind: str) -> dict[str, Array]:
    """The stored weights of a network (``student`` or ``denoiser``) of an example, as float64."""
    return {key: np.asarray(x, dtype=np.float64) for key, x in _arrays(f"{name}-{kind}.npz").items()}


def trainings() -> dict[str, dict[str, Any]]:
    """What was recorded when the examples were trained, by name."""
    found: dict[str, dict[str, Any]] = json.loads(_bytes(RECORD))
    return found


def checksum(arrays: Mapping[str, npt.NDArray[Any]]) -> str:
    """SHA-256 of what arrays hold: names, types, shapes and bytes, little-endian and in order of the names."""
    found = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name].astype(arrays[name].dtype.newbyteorder("<"))
        found.update(f"{name} {array.dtype.str} {array.shape} ".encode() + array.tobytes())
    return found.hexdigest()


def _bytes(file: str) -> bytes:
    return resources.files("cmbound.certification").joinpath(FOLDER, file).read_bytes()


def _arrays(file: str) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a shipped file, which must be those that were trained."""
    with np.load(io.BytesIO(_bytes(file)), allow_pickle=False) as stored:
        arrays = dict(stored)
    name, kind = file.removesuffix(".npz").split("-")
    if checksum(arrays) != trainings()[name]["sha256"][kind]:
        raise InputError(f"{file} does not hold what was trained: install cmbound anew")
    return arrays
