"""A sweep as CSV, JSON or npz, written chunk by chunk."""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Any

from cmbound.evaluation.sweeps import Chunk, Sweep
from cmbound.files import csv_text
from cmbound.later import np
from cmbound.numbers import in_full

DOMINATING = "dominating"


def _columns(chunk: Chunk) -> dict[str, Any]:
    """The numbers as lists, and the name of the dominating term."""
    return {**{name: x.tolist() for name, x in chunk.columns.items()}, DOMINATING: chunk.dominating}


def csv_lines(parts: Iterable[Chunk]) -> Iterator[str]:
    """RFC 4180 with a header line, a piece of text for each chunk."""
    for i, chunk in enumerate(parts):
        columns = _columns(chunk)
        yield csv_text([*([columns] if not i else []), *zip(*columns.values(), strict=True)])


def json_lines(what: Sweep, parts: Iterable[Chunk]) -> Iterator[str]:
    """One JSON object: ``theorem``, ``notes``, ``axes``, ``columns`` and ``rows``, a piece of text for each chunk."""
    axes = {name: len(x) for name, x in what.axes.items()}
    start = f'{{"theorem": {json.dumps(what.theorem.id)}, "notes": {json.dumps(what.notes)}, "axes": {json.dumps(axes)}, '
    for i, chunk in enumerate(parts):
        columns = _columns(chunk)
        if not i:
            yield f'{start}"columns": {json.dumps(list(columns))}, "rows": [\n'
        rows = (f"[{', '.join(map(in_full, x))}, {json.dumps(name)}]" for *x, name in zip(*columns.values(), strict=True))
        yield (",\n" if i else "") + ",\n".join(rows)
    yield "\n]}\n"


def write_npz(what: Sweep, parts: Iterable[Chunk], opened: Callable[[], AbstractContextManager[IO[bytes]]]) -> None:
    """Columns as arrays in an npz file, which is ``opened`` when all are there; gathered on disk, not in memory.

    Raises:
        InputError: the file cannot be written.
    """
    with tempfile.TemporaryDirectory() as folder:
        files: dict[str, Any] = {}
        start = 0
        for chunk in parts:
            for name, column in chunk.columns.items():
                if name not in files:
                    files[name] = np.lib.format.open_memmap(
                        str(Path(folder) / f"{name}.npy"), mode="w+", dtype=np.float64, shape=(len(what),)
                    )
                files[name][start : start + len(column)] = column
            start += len(chunk.total)
        with opened() as stream, zipfile.ZipFile(stream, "w", allowZip64=True) as archive:
            for name, file in files.items():
                file.flush()
                archive.write(Path(folder) / f"{name}.npy", f"{name}.npy")
