"""One BLAS thread for each test process (pytest-xdist already uses every core); what a test adds is gone after it."""

import os
from collections.abc import Iterator

import pytest

from tests.helpers import forget

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def nothing_of_ones_own() -> Iterator[None]:
    """Symbols and statements that a test adds are gone after it."""
    yield
    forget()
