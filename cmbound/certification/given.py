"""What a certificate is given: data and held-out data, what they are called, claims, the box of the outputs."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from typing import Any
from zipfile import BadZipFile

import numpy as np

from cmbound.certification.laws import COPIED, DataLaw, Law, squares
from cmbound.certification.request import Request, per_level
from cmbound.checks import shown
from cmbound.errors import DomainError, InputError
from cmbound.worlds import Atoms, World, read_data
from cmbound.worlds.base import Array, converted


def label(given: Any) -> str:
    """What a model is called: its text, the name of a function, or nothing."""
    if given is None:
        return ""
    if isinstance(given, str | os.PathLike):
        return os.fspath(given)
    name = getattr(given, "__qualname__", type(given).__qualname__)
    return "a callable" if "<lambda>" in name else name


def reference(data: Any, held_out: Any) -> tuple[Any, Array | None, tuple[str, str]]:
    """The reference data, the points kept apart, and what both are called."""
    label = os.fspath(data) if isinstance(data, str | os.PathLike) else type(data).__name__
    found = read_law(os.fspath(data)) if isinstance(data, str | os.PathLike) else data
    if not isinstance(found, World | Law):
        found = _flat("data", found)
    if held_out is None:
        return found, None, (label, "")
    if isinstance(held_out, str | os.PathLike):
        kept = read_law(os.fspath(held_out))
        if isinstance(kept, Atoms):
            raise InputError(f"{os.fspath(held_out)}: held-out points have no weights")
    elif not hasattr(held_out, "__len__"):
        return *_split(found, held_out), (label, str(held_out))
    else:
        kept = held_out
    kept, width = _flat("held_out", kept), found.d if hasattr(found, "d") else found.shape[-1]
    if kept.ndim != 2 or kept.shape[1] != width or len(kept) < 2 or not np.isfinite(kept).all():
        raise InputError(f"held_out has shape {kept.shape}; finite points (m, {width}), m >= 2, are needed")
    return found, kept, (label, os.fspath(held_out) if isinstance(held_out, str | os.PathLike) else "an array")


def _flat(name: str, given: Any) -> Array:
    """Points (n, d): numbers are points on the line, images are flattened.

    Raises:
        InputError: what is no array of real numbers, is masked, or is empty.
    """
    points = converted(name, given)
    if points.size == 0:
        raise InputError(f"{name} is empty (shape {points.shape}); points (n, d) are needed")
    if points.ndim == 0:
        raise InputError(f"{name} is a number; points (n, d) are needed")
    return points.reshape(len(points), -1)


def read_law(path: str) -> Any:
    """The points of a data file, or points with weights; images of a .npy file, of any shape, are flattened.

    Raises:
        InputError: a file that cannot be read; an archive of several arrays that are not ``points`` (or ``x``) and ``weights``.
        DomainError: weights that are no weights of these points.
    """
    if path.lower().endswith(".npy") and os.path.isfile(path):
        with suppress(ValueError, EOFError, OSError):  # what is wrong with the file is said below
            images = np.load(path, mmap_mode="r", allow_pickle=False)
            if images.ndim > 2 and images.dtype.kind in "fiu":
                return np.asarray(images, dtype=np.float64).reshape(len(images), -1)
    if path.lower().endswith(".npz") and os.path.isfile(path):
        arrays: dict[str, Array] = {}
        with suppress(ValueError, EOFError, OSError, BadZipFile, MemoryError), np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files if len(archive.files) > 1}
        if arrays:
            return _weighted(path, arrays)
    return read_data(path)


def _weighted(path: str, arrays: dict[str, Array]) -> Atoms:
    names = sorted(arrays)
    if len(names) != 2 or names[0] not in ("points", "weights") or names[1] not in ("weights", "x"):
        raise InputError(f"{path}: holds the arrays {', '.join(names)}; one array of points, or points and weights, is needed")
    points = arrays[names[1 - names.index("weights")]]
    if any(x.dtype.kind not in "fiu" or not x.ndim for x in arrays.values()):
        raise InputError(f"{path}: points and weights must be arrays of real numbers")
    return Atoms(points.reshape(len(points), -1), arrays["weights"])


def _split(data: Any, fraction: Any) -> tuple[Array, Array]:
    """A fraction of the points kept apart, chosen by a permutation with a seed of its own."""
    try:
        share = float(fraction)
    except (TypeError, ValueError):
        raise InputError(f"held_out is {shown(fraction)}; points, a file or a fraction in (0, 1) is needed") from None
    if not 0 < share < 1:
        raise DomainError(f"held_out is {fraction}; a fraction must lie in (0, 1)")
    if isinstance(data, World | Law):
        raise InputError("held_out is a fraction, but the reference law is no data set")
    points = data
    order = np.random.default_rng(0).permutation(len(points))
    count = round(share * len(points))
    if count < 2 or len(points) - count < 2:
        raise DomainError(
            f"held_out is {fraction}, which leaves {count} of {len(points)} points; at least 2 on each side are needed"
        )
    return points[np.sort(order[count:])], points[np.sort(order[:count])]


def repeated(law: Law, kept: Array | None) -> list[str]:
    """A note where held-out points are points of the data themselves."""
    if kept is None or not isinstance(law, DataLaw):
        return []
    known = {x.tobytes() for x in law.points}
    count = sum(x.tobytes() in known for x in np.ascontiguousarray(kept))
    return [f"{count} of {len(kept)} held-out points are points of the data: these are not fresh"] if count else []


RESOLVED = 1e-3  # of the lowest noise level: what is rounded by more is no longer that noise


def checked_place(law: Law, low: float) -> None:
    """Data so far from 0 that float64 does not tell apart what the lowest noise level does.

    Raises:
        DomainError: such data.
    """
    far = float(np.abs(law.points).max()) if isinstance(law, DataLaw) else float(np.abs(law.mean).max())
    if np.spacing(far) > RESOLVED * low:
        raise DomainError(
            f"data lies at {far:.3g}, where float64 rounds by {np.spacing(far):.2g}, too much for noise of level {low:g}: "
            "subtract what the points have in common"
        )


def fingerprint(law: Law) -> str:
    """SHA-256 of the numbers of a law, by which a replay knows its data."""
    parts = (law.points, law.weights) if isinstance(law, DataLaw) else (law.mean, np.array([law.sd2, law.m2]))
    digest = hashlib.sha256()
    for x in parts:
        for i in range(0, len(x), COPIED):
            digest.update(x[i : i + COPIED].tobytes())
    return digest.hexdigest()


def claims_of(request: Request, L_f: Any, eps_sc: Any, eps_cm: Any, teacher: Any) -> tuple[tuple[str, tuple[float, ...]], ...]:
    """The constants a user claims, by name."""
    if eps_sc is not None and teacher is None:
        raise InputError("eps_sc is claimed, but there is no teacher")
    claims = []
    for name, given, count in (
        ("L_f", L_f, request.steps + 1),
        ("eps_sc", eps_sc, request.steps),
        ("eps_cm", eps_cm, request.steps),
    ):
        if given is not None:
            claims.append((name, per_level(name, given, count, 0.0)))
    return tuple(claims)


def largest_square(law: Law, clip: tuple[float, float] | None, population: bool) -> float | None:
    """The largest squared distance of a clipped output and a point of the law; None where outputs are not clipped."""
    if clip is None:
        return None
    if not isinstance(law, DataLaw):
        raise DomainError(f"clip is {clip[0]:g}, {clip[1]:g}, but the reference law is {law.described()}, which no box holds")
    low, high = clip
    least, largest = law.points.min(axis=1), law.points.max(axis=1)
    outside = (least < low) | (largest > high)
    if outside.any():
        row = int(outside.argmax())
        value = least[row] if least[row] < low else largest[row]
        raise DomainError(f"clip is {low:g}, {high:g}, but a point of the data holds {value:g}: clipping would move the data")
    if population:  # other points of the law may lie anywhere in the box
        return law.d * (high - low) ** 2
    pieces = (law.points[i : i + COPIED] for i in range(0, len(law.points), COPIED))
    return max(float(squares(np.maximum(x - low, high - x)).max()) for x in pieces)
