"""One BLAS thread for each test process (pytest-xdist already uses every core), and room for what SymPy and matplotlib remember.

What a test adds is gone after it.

Workers take tests that stand side by side, which share what is computed once for a file, and the rest from each other.
"""

import gc
import os
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import pytest

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy and SymPy are imported
os.environ.setdefault("SYMPY_CACHE_SIZE", "20000")

from matplotlib.mathtext import MathTextParser

from tests.helpers import forget

parser: Any = MathTextParser  # the stubs do not know it
parser._parse_cached = lru_cache(5000)(parser._parse_cached.__wrapped__)  # of 50: figures share their labels,
parser.__eq__ = lambda self, other: self._output_type == other._output_type  # of which each one in SVG has its own parser
parser.__hash__ = lambda self: hash(self._output_type)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """``-n auto`` is ``-n auto --dist worksteal``."""
    if getattr(config.option, "numprocesses", None) and config.option.dist == "no":
        config.option.dist = "worksteal"


def pytest_collection_finish() -> None:
    """What is imported stays: garbage is looked for among what the tests make, and after more of it."""
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)


@pytest.fixture(autouse=True)
def nothing_of_ones_own() -> Iterator[None]:
    """Symbols and statements that a test adds are gone after it."""
    yield
    forget()
