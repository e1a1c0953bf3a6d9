"""The manual as web pages that open from disk, with the API reference made by pdoc from the docstrings (extra ``docs``)."""

from __future__ import annotations

import html
import os
import re
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any

from markdown_it import MarkdownIt

import cmbound
from cmbound import distances, sampling, worlds
from cmbound.errors import InputError
from cmbound.files import Output, check_writable, read_text, write_files
from cmbound.guide import Topic, topics

_MODULES = (cmbound, worlds, sampling, distances)
_API = "api"  # folder of the API reference
_OURS = '<meta name="generator" content="cmbound guide">'
"""What the first page of the manual says, and no other."""
_STYLE = """
:root { color-scheme: light dark; --line: #8886; --code: #8882 }
body { font: 16px/1.55 system-ui, sans-serif; margin: 0 auto; max-width: 82em; padding: 0 1em;
       display: grid; grid-template-columns: 14em minmax(0, 1fr); gap: 2em }
nav { padding-top: 2em; font-size: .92em } nav a { display: block; padding: .15em 0; text-decoration: none }
nav a[aria-current] { font-weight: bold }
pre { background: var(--code); padding: .7em 1em; overflow-x: auto; border-radius: 4px; font-size: .86em; line-height: 1.35 }
code { font-family: ui-monospace, monospace } :not(pre) > code { background: var(--code); padding: 0 .25em; border-radius: 3px }
:is(p, li) > code { overflow-wrap: anywhere }
table { border-collapse: collapse; display: block; overflow-x: auto }
td, th { border-bottom: 1px solid var(--line); padding: .25em .8em .25em 0; text-align: left; vertical-align: top }
@media (max-width: 50em) { body { display: block } nav { columns: 2 } }
"""


def write_site(directory: str) -> str:
    """Write the manual and, where pdoc is installed, the API reference into a directory; the path of the page to open.

    Args:
        directory: made if it is not there; else it must be empty, or hold the manual.

    Raises:
        InputError: the directory cannot be written, or holds something else.
    """
    _check_own(directory)
    _make(directory, [directory])
    reference = _reference()
    pages = {f"{x.name}.html": _page(x, bool(reference)) for x in topics()}
    first = topics()[0].name
    pages["index.html"] = (
        f'<!DOCTYPE html>{_OURS}<meta http-equiv="refresh" content="0; url={first}.html"><a href="{first}.html">{first}</a>\n'
    )
    pages |= {f"{_API}/{name}": text for name, text in reference.items()}
    files = [(Output(os.path.join(directory, name), "--html"), text.encode()) for name, text in pages.items()]
    _make(directory, [os.path.dirname(file) for file, _ in files])
    for file, _ in files:
        check_writable(file)
    write_files(files)
    return os.path.join(directory, "index.html")


def _make(directory: str, folders: Iterable[str]) -> None:
    """Make folders; InputError where that cannot be done."""
    try:
        for folder in folders:
            os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise InputError(f"--html: {directory} cannot be made: {error.strerror}") from None


def _check_own(directory: str) -> None:
    """Raise InputError unless nothing but the manual stands there."""
    index = os.path.join(directory, "index.html")
    if not os.path.isdir(directory) or not os.listdir(directory) or (os.path.isfile(index) and _OURS in read_text(index)):
        return
    raise InputError(f"--html: {directory} holds other files than the manual: give a new or an empty directory")


def _page(topic: Topic, reference: bool) -> str:
    """A page of the manual, with links to the others and to the API reference, if there is one."""
    api = f'<a href="{_API}/{cmbound.__name__}.html">API reference</a>' if reference else ""
    links = "".join(
        f'<a href="{x.name}.html"{" aria-current=page" if x == topic else ""}>{html.escape(x.title)}</a>' for x in topics()
    )
    body = MarkdownIt("commonmark").enable("table").render(_linked(topic.text))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<title>{html.escape(topic.title)} - cmbound</title>
<style>{_STYLE}</style>
</head>
<body>
<nav>{links}{api}</nav>
<main>
{body}</main>
</body>
</html>
"""


def _linked(text: str) -> str:
    """Links to other files of the manual become links to their pages."""
    for x in topics():
        text = text.replace(f"]({x.file}", f"]({x.name}.html")
    return text


def _reference() -> Mapping[str, str]:
    """The pages of the API reference, by file name (as pdoc links them: a module inside a package lies in its folder).

    None where pdoc is not installed.
    """
    try:
        from pdoc import doc, render
    except ImportError:
        return {}
    render.configure(docformat="google", show_source=False)
    modules = {x.__name__: doc.Module(_filled(x)) for x in _MODULES}
    pages = {f"{name.replace('.', '/')}.html": render.html_module(x, modules) for name, x in modules.items()}
    return {name: _alive(re.sub(r'<a class="attribution".*?</a>', "", text, flags=re.DOTALL)) for name, text in pages.items()}


def _alive(page: str) -> str:
    """The page without links to places it does not have (a member inherited from a class that is not public)."""
    places = set(re.findall(r'\bid="([^"]+)"', page))
    link = r'<a href="#([^"]+)"[^>]*>(.*?)</a>'
    return re.sub(link, lambda x: x[0] if x[1] in places else x[2], page, flags=re.DOTALL)


def _filled(module: ModuleType) -> Any:
    """A copy of a module that has its public names, also those loaded on demand, and nothing else (no module inside it)."""
    copy: Any = ModuleType(module.__name__, module.__doc__)
    members = {name: getattr(module, name) for name in module.__all__}
    vars(copy).update({name: x for name, x in members.items() if not isinstance(x, ModuleType)})
    copy.__all__ = [x for x in members if x in vars(copy)]
    return copy
