"""A certificate's data read back: what it was made with, and which of its numbers and words another run does not find."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from functools import cache
from importlib import resources
from typing import Any

from cmbound.errors import InputError
from cmbound.frozen import FrozenDict

_SAME_NAME = (
    "model", "data", "sigmas", "n", "confidence", "clip", "seed", "solver", "teacher_output", "clock", "times", "batches",
    "distance_batch", "batch", "tolerance", "dtype", "profile", "population",
)  # fmt: skip
_REPLAYABLE = re.compile(r"(\.py:\w+|\.onnx(:.+)?)$|^(moons|digits)$")


@cache
def schema() -> dict[str, Any]:
    """The JSON schema of a certificate."""
    found: dict[str, Any] = json.loads(resources.files(__package__).joinpath("certificate.schema.json").read_text("utf-8"))
    return found


_KINDS: Mapping[str, Callable[[Any], bool]] = FrozenDict(
    {
        "object": lambda x: isinstance(x, dict),
        "array": lambda x: isinstance(x, list),
        "string": lambda x: isinstance(x, str),
        "boolean": lambda x: isinstance(x, bool),
        "null": lambda x: x is None,
        "integer": lambda x: isinstance(x, int) and not isinstance(x, bool),
        "number": lambda x: isinstance(x, int | float) and not isinstance(x, bool),
    }
)
_LIMITS: Mapping[str, Callable[[Any, Any], bool]] = FrozenDict(
    {
        "minimum": lambda x, most: x >= most,
        "exclusiveMinimum": lambda x, most: x > most,
        "exclusiveMaximum": lambda x, most: x < most,
        "minItems": lambda x, count: len(x) >= count,
        "maxItems": lambda x, count: len(x) <= count,
        "pattern": lambda x, text: re.search(text, x) is not None,
        "enum": lambda x, values: x in values,
        "const": lambda x, value: x == value,
    }
)


_APPLIES: Mapping[str, Callable[[Any], bool]] = FrozenDict(
    {
        **dict.fromkeys(("minimum", "exclusiveMinimum", "exclusiveMaximum"), _KINDS["number"]),
        **dict.fromkeys(("minItems", "maxItems"), _KINDS["array"]),
        "pattern": _KINDS["string"],
        **dict.fromkeys(("enum", "const"), lambda x: True),
    }
)
"""What a limit is about: it allows everything else."""


def misfit(x: Any, rule: Mapping[str, Any], place: str = "") -> str:
    """What is wrong with data by the rules of a JSON schema that certificates use, or nothing: the place and why."""
    where = place or "it"
    if "$ref" in rule:
        return misfit(x, schema()["$defs"][rule["$ref"].rsplit("/", 1)[1]], place)
    if "anyOf" in rule:
        found = [misfit(x, y, place) for y in rule["anyOf"]]
        return "" if "" in found else found[0]
    kinds = rule.get("type", ())
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(_KINDS[kind](x) for kind in kinds):
        return f"{where} is no {' or '.join(kinds)}"
    for name, holds in _LIMITS.items():
        if name in rule and _APPLIES[name](x) and not holds(x, rule[name]):
            return f"{where} breaks {name} {rule[name]}"
    if isinstance(x, dict):
        return _misfit_object(x, rule, place)
    if isinstance(x, list):
        first = rule.get("prefixItems", [])
        if rule.get("items") is False and len(x) > len(first):
            return f"{where} must have at most {len(first)} items"
        rules = [*first, *([rule.get("items") or {}] * max(0, len(x) - len(first)))]
        return next((y for i, (v, r) in enumerate(zip(x, rules, strict=False)) if (y := misfit(v, r, f"{place}[{i}]"))), "")
    return ""


def _misfit_object(x: Mapping[str, Any], rule: Mapping[str, Any], place: str) -> str:
    where, known, more = place or "it", rule.get("properties", {}), rule.get("additionalProperties", True)
    for name in rule.get("required", ()):
        if name not in x:
            return f"{where} has no {name}"
    for name, y in x.items():
        if name not in known and more is False:
            return f"{where} has {name}, which is unknown"
        found = misfit(y, known.get(name, more if isinstance(more, dict) else {}), f"{place}.{name}" if place else name)
        if found:
            return found
    return ""


def beside(given: Any, path: str) -> Any:
    """A file that is not found from where the command runs, but beside the report: there.

    Raises:
        InputError: a relative path that is found in neither place.
    """
    if not isinstance(given, str) or not given:
        return given
    there = os.path.join(os.path.dirname(path), given)
    file, found = (re.sub(r"(\.py|\.onnx):.*$", r"\1", x) for x in (given, there))
    if os.path.exists(file) or os.path.exists(found):
        return given if os.path.exists(file) else there
    if re.search(r"\.(py|onnx|npy|npz|csv)$", file, re.IGNORECASE) and not os.path.isabs(file):
        raise InputError(
            f"{path}: {file}: no such file here, nor beside the report; its paths are relative to the folder it was made in: "
            "run there"
        )
    return given


def call_of(data: Any, path: str) -> dict[str, Any]:
    """The arguments of :func:`cmbound.certify` behind a report.

    Raises:
        InputError: no report of this version, or one of a model that was a callable in Python.
    """
    request = data.get("request") if isinstance(data, Mapping) else None
    if not isinstance(request, Mapping) or data.get("schema_version") != "1":
        raise InputError(f"{path} is no report of certify in JSON (schema version 1)")
    wrong = misfit(data, schema())
    if wrong:
        raise InputError(f"{path} is no report of certify in JSON: {wrong}")
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
    call |= {name: beside(call[name], path) for name in ("model", "teacher", "data", "held_out", "renoise")}
    return {**call, "shape": None if shape is None else tuple(shape)}


def words_of(data: Mapping[str, Any]) -> dict[str, str]:
    """Every text of a certificate's data but what was asked for and the software, by its place."""
    found: dict[str, str] = {}

    def walk(place: str, x: Any) -> None:
        if isinstance(x, Mapping):
            for name, y in x.items():
                walk(f"{place}.{name}" if place else str(name), y)
        elif isinstance(x, list):
            for i, y in enumerate(x):
                walk(f"{place}[{i}]", y)
        elif isinstance(x, str):
            found[place] = x

    walk("", {name: x for name, x in data.items() if name not in ("request", "versions", "schema_version")})
    return found


def differing(old: Mapping[str, float], new: Mapping[str, float], most: float) -> list[str]:
    """Names of the numbers that differ by more than this share, or that only one of them has."""
    names = sorted({*old, *new})
    size = {name: max(abs(old.get(name, 0.0)), abs(new.get(name, 0.0)), 1e-9) for name in names}
    return [x for x in names if x not in old or x not in new or abs(old[x] - new[x]) > most * size[x]]
