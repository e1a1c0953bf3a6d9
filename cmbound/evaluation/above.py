"""Verbs of a statement that are written in rooms above this one: the top of the package sets them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

explore: Callable[..., Any]
