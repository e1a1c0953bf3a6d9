"""NumPy, loaded when something of it is first used: what shows formulas imports modules that compute, and computes nothing."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__all__ = ["Array", "Index", "NDArray", "np"]


class _Later:
    """Stands for a module until an attribute of it is asked for."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        value = getattr(importlib.import_module(self._name), name)
        setattr(self, name, value)
        return value


if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Index = NDArray[np.intp]
else:
    np = _Later("numpy")
    NDArray = Array = Index = Any  # for annotations, which nothing evaluates
