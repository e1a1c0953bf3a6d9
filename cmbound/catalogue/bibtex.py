"""The bibliography of the catalogue, as text."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from importlib import resources

_ACCENTS = {"'": "\u0301", "`": "\u0300", '"': "\u0308", "^": "\u0302", "~": "\u0303"}
_FIELD = re.compile(r"^  (\w+) *= \{(.*)\},?$", re.MULTILINE)


@cache
def entries() -> dict[str, str]:
    """BibTeX entries by key."""
    text = resources.files("cmbound.catalogue").joinpath("references.bib").read_text(encoding="utf-8")
    return {x[1]: x[0] for x in re.finditer(r"^@\w+\{([^,]+),.*?^\}", text, flags=re.MULTILINE | re.DOTALL)}


@cache
def fields(key: str) -> dict[str, str]:
    """The fields of an entry as plain text (none: there is no such entry)."""
    return {name: _plain(text) for name, text in _FIELD.findall(entries().get(key, ""))}


def _plain(text: str) -> str:
    """What BibTeX source says: accents on their letters, no braces."""
    text = re.sub(r"\\(['`\"^~])\{?([A-Za-z])\}?", lambda x: unicodedata.normalize("NFC", x[2] + _ACCENTS[x[1]]), text)
    return re.sub(r"[{}$]", "", text.replace("--", "\u2013")).replace("\\_", "_")


def cited(key: str, place: str = "") -> str:
    """A work in full: authors, title, arXiv number or where it appeared, year, and a place there; the key, if it is no entry.

    >>> print(cited("kwon2022", "Theorem 1")[65:])
    Secretly Minimizes the Wasserstein Distance, arXiv:2212.06359 (2022), Theorem 1
    """
    found, there = fields(key), f", {place}" * bool(place)
    if not found:
        return key + there
    names = [" ".join(reversed(x.split(", "))) for x in found["author"].split(" and ")]
    people = ", ".join(names[:-1]) + " and " * (len(names) > 1) + names[-1]
    number = re.search(r"arXiv:[0-9.]*[0-9]", found.get("note", ""))
    where = number[0] if number else found.get("booktitle") or found.get("journal") or ""
    title = found.get("title", "title not confirmed")
    return f"{people}, {title}{', ' * bool(where)}{where} ({found['year']}){there}"
