"""One BLAS thread for each test process (pytest-xdist already uses every core); symbols a test adds are gone after it."""

import os
from collections.abc import Iterator
from typing import Any, cast

import pytest

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def no_symbols_of_ones_own() -> Iterator[None]:
    """The table of symbols, to which ``cmbound.symbol`` adds, is afterwards what it was."""
    from cmbound.theory.notation import TABLE, own

    yield
    for name in [x for x in TABLE if own(x)]:
        dict.pop(cast(dict[str, Any], TABLE), name)
