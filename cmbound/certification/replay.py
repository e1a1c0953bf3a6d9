"""A certificate's data read back: what it was made with, and which of its numbers another run does not find."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from cmbound.errors import InputError

_SAME_NAME = (
    "model", "data", "sigmas", "n", "confidence", "clip", "seed", "solver", "teacher_output", "clock", "times", "batches",
    "distance_batch", "batch", "tolerance", "dtype", "profile", "population",
)  # fmt: skip
_REPLAYABLE = re.compile(r"(\.py:\w+|\.onnx)$|^(moons|digits)$")


def call_of(data: Any, path: str) -> dict[str, Any]:
    """The arguments of :func:`cmbound.certify` behind a report.

    Raises:
        InputError: no report of this version, or one of a model that was a callable in Python.
    """
    request = data.get("request") if isinstance(data, Mapping) else None
    if not isinstance(request, Mapping) or data.get("schema_version") != "1":
        raise InputError(f"{path} is no report of certify in JSON (schema version 1)")
    try:
        call = {name: request[name] for name in _SAME_NAME}
        shape, claims = request["shape"], dict(request["claims"])
        call |= {name: request[name] or None for name in ("teacher", "held_out", "renoise")}
    except (KeyError, TypeError, ValueError):
        raise InputError(f"{path} is no report of certify in JSON: its request is not complete") from None
    if not isinstance(call["model"], str) or not _REPLAYABLE.search(call["model"]):
        raise InputError(f"{path}: the model was {call['model']}, given in Python: only that of a file can be replayed")
    call |= {name: claims.get(name) for name in ("L_f", "eps_sc", "eps_cm")}
    if isinstance(call["held_out"], str) and call["held_out"].replace(".", "", 1).isdigit():
        call["held_out"] = float(call["held_out"])
    return {**call, "shape": None if shape is None else tuple(shape)}


def differing(old: Mapping[str, float], new: Mapping[str, float], most: float) -> list[str]:
    """Names of the numbers that differ by more than this share, or that only one of them has."""
    names = sorted({*old, *new})
    size = {name: max(abs(old.get(name, 0.0)), abs(new.get(name, 0.0)), 1e-9) for name in names}
    return [x for x in names if x not in old or x not in new or abs(old[x] - new[x]) > most * size[x]]
