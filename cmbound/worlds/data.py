"""Reading a data set from a file."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from cmbound.errors import InputError
from cmbound.files import read_text
from cmbound.numbers import counted
from cmbound.worlds.base import Array

SUFFIXES = (".npy", ".npz", ".csv")


def read_data(path: str | Path) -> Array:
    """The points of a data set, shape (n, d), one point a row.

    Args:
        path: .npy; .npz holding one array; or .csv, numbers separated by commas or white space, with an optional header line
            and blank lines ignored. An array (n,) is n points in one dimension.

    Raises:
        InputError: a file that cannot be read, or does not hold a non-empty table of finite numbers.
    """
    file = Path(path)
    suffix = file.suffix.lower()
    if not str(path):
        raise InputError("the name of the data file is empty")
    if file.is_dir():
        raise InputError(f"{file}: is a directory")
    if not file.is_file():
        raise InputError(f"{file}: no such file")
    if suffix not in SUFFIXES:
        raise InputError(f"{file}: the name must end in {', '.join(SUFFIXES)}")
    try:
        table = _text(file) if suffix == ".csv" else _binary(file)
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror or error})") from None
    if table.ndim != 2:
        raise InputError(f"{file}: the array has shape {table.shape}; (n, d) is needed")
    if table.size == 0:
        raise InputError(f"{file}: holds no numbers (shape {table.shape})")
    bad = ~np.isfinite(table).all(axis=1)
    if bad.any():
        row = int(np.argmax(bad))
        value = table[row][~np.isfinite(table[row])][0]
        raise InputError(f"{file}: row {row + 1} holds {value}; finite numbers are needed")
    return table


def _binary(file: Path) -> Array:
    try:
        array = loaded = np.load(file, allow_pickle=False)
        if isinstance(loaded, np.lib.npyio.NpzFile):
            with loaded:
                if len(loaded.files) != 1:
                    raise InputError(f"{file}: holds {len(loaded.files)} arrays; one is needed")
                array = loaded[loaded.files[0]]
    except InputError:
        raise
    except (ValueError, EOFError, zipfile.BadZipFile, MemoryError):  # a header may claim any size
        raise InputError(f"{file}: not a NumPy file with an array of numbers") from None
    if array.dtype.kind not in "fiu":
        raise InputError(f"{file}: the array has dtype {array.dtype}; real numbers are needed")
    return np.asarray(array[:, None] if array.ndim == 1 else array, dtype=np.float64)


def _text(file: Path) -> Array:
    lines = [(i, x) for i, x in enumerate(read_text(file).splitlines(), 1) if x.strip()]
    rows = [(i, _fields(x)) for i, x in lines]
    named = bool(rows) and not any(_is_number(x) for x in rows[0][1])
    header, rows = (rows[0][1], rows[1:]) if named else ([], rows)
    table = []
    for i, row in rows:
        wrong = next((x for x in row if not _is_number(x)), None)
        if wrong is not None:
            raise InputError(f"{file}: line {i} holds {wrong[:40]!r}, which is not a number{_hint(wrong)}")
        if len(row) != len(rows[0][1]):
            raise InputError(f"{file}: line {i} has {counted(len(row), 'number')}, line {rows[0][0]} has {len(rows[0][1])}")
        table.append([float(x) for x in row])
    if header and header[0] in ("", '""') and len(header) > 1 and [x[0] for x in table] == list(range(len(table))):
        raise InputError(
            f"{file}: the first column has no name and counts the rows: leave it out (pandas: index=False) or name it"
        )
    return np.array(table, dtype=np.float64) if table else np.empty((0, 0))


def _hint(text: str) -> str:
    return " (numbers are separated by commas or white space, not by semicolons)" if ";" in text else ""


def _fields(text: str) -> list[str]:
    return [x.strip() for x in text.split(",")] if "," in text else text.split()


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text
