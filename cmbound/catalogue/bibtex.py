"""The bibliography of the catalogue, as text."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources


@cache
def entries() -> dict[str, str]:
    """BibTeX entries by key."""
    text = resources.files("cmbound.catalogue").joinpath("references.bib").read_text(encoding="utf-8")
    return {x[1]: x[0] for x in re.finditer(r"^@\w+\{([^,]+),.*?^\}", text, flags=re.MULTILINE | re.DOTALL)}
