"""A certificate as one HTML file that needs nothing else: no network, no script."""

from __future__ import annotations

import base64
import html
import re
import shlex
from collections.abc import Iterable
from itertools import cycle

from cmbound.certification import certificate as printed
from cmbound.certification.certificate import Certificate
from cmbound.papers.figures.certificates import figures
from cmbound.papers.figures.style import rendered
from cmbound.reports.table import Table

STYLE = """
:root { color-scheme: light dark }
body { font-family: system-ui, sans-serif; line-height: 1.45; max-width: 62rem; margin: 0 auto; padding: 1rem; color: #111;
       background: #fff; overflow-wrap: anywhere }
h1 { font-size: 1.4rem } h2 { font-size: 1.1rem; margin: 1.6rem 0 0.4rem }
.verdict { font-size: 1.15rem; border-left: 0.4rem solid #0072B2; padding: 0.3rem 0.8rem; background: #f2f7fb }
.wrong { border-left: 0.4rem solid #D55E00; padding: 0.2rem 0.8rem; background: #fdf3ee; margin: 0.4rem 0 }
.figures { display: flex; flex-wrap: wrap; gap: 1rem } figure { margin: 0; flex: 1 1 22rem; min-width: 0 }
figure img { width: 100%; max-width: 34rem; height: auto } figcaption { font-size: 0.9rem; color: #333 }
.wide { overflow-x: auto } table { border-collapse: collapse; font-size: 0.85rem; white-space: nowrap }
thead { border-bottom: 1px solid } code { white-space: pre-wrap; background: #f4f4f4 }
@media (prefers-color-scheme: dark) {
  body { color: #ddd; background: #161616 } .verdict { background: #14293a } .wrong { background: #3a2015 }
  figcaption { color: #bbb } code { background: #2a2a2a } figure img { background: #fff; border-radius: 0.3rem }
  .wide td::before { color: #aaa !important } .wide tr { border-color: #555 !important }
}
@media (max-width: 44rem) {
  .wide table { white-space: normal } .wide thead { display: none }
  .wide table, .wide tbody, .wide tr { display: block }
  .wide tr { border-bottom: 1px solid #bbb; padding: 0.4rem 0 }
  .wide td { display: flex; justify-content: space-between; gap: 1rem; padding: 0.05rem 0 !important }
  .wide td::before { content: attr(data-label); color: #555; text-align: left }
  .wide td:first-child { font-weight: 600 } .wide td:empty { display: none }
}
"""


def page(x: Certificate) -> str:
    """The whole page: the verdict first, then figures, tables, what to improve, assumptions, and how to get it again."""
    title = html.escape(f"certificate of {x.request.model}")
    parts = [
        f"<h1>{title}</h1>",
        f'<p class="verdict">{html.escape(x.verdict)}</p>',
        *(f'<p class="wrong">refuted: {html.escape(printed.refuted(y))}</p>' for y in x.refuted),
        *(f'<p class="wrong">{html.escape(y)}</p>' for y in x.findings),
        *_lines((printed.largest(x), *printed.summary(x))),
        f'<div class="figures">{"".join(_figures(x))}</div>',
        *_section("The ladder", printed.rungs_table(x)),
        *_section("The six terms", printed.terms_table(x)),
        *(_section("Evaluations", printed.evaluations_table(x)) if len(x.evaluations) > 1 else ()),
        *((*_section("What to improve", printed.advice_table(x)), *_lines([printed.ADVISED])) if x.advice else ()),
        *_section("Noise levels", printed.levels_table(x, exact=False)),
        "<h2>Levels of trust and assumptions</h2>",
        *_list(printed.assumptions(x)),
        "<h2>Notes, and what could not be computed</h2>",
        *_list((printed.effort(x), *x.notes)),
        "<h2>How to get it again</h2>",
        f"<p><code>{html.escape(command(x))}</code></p>",
        *_lines([f"seed {x.request.seed}; " + ", ".join(f"{name} {version}" for name, version in x.versions.items())]),
    ]
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<link rel="icon" href="data:,"/>
<title>{title}</title>
<style>{STYLE}</style>
</head>
<body>
{"".join(parts)}
</body>
</html>"""


def _figures(x: Certificate) -> Iterable[str]:
    for caption, figure in figures(x).items():
        data = base64.b64encode(rendered(figure, "svg")).decode()
        text = html.escape(caption)
        yield f'<figure><img alt="{text}" src="data:image/svg+xml;base64,{data}"/><figcaption>{text}</figcaption></figure>'


def _section(title: str, table: Table) -> Iterable[str]:
    return (f"<h2>{html.escape(title)}</h2>", f'<div class="wide">{_labelled(table)}</div>')


def _labelled(table: Table) -> str:
    """The table in HTML; each cell knows its column, for a window so narrow that a row is set as a list."""
    names = cycle(table.header)
    return re.sub("<td ", lambda _: f'<td data-label="{html.escape(next(names))}" ', table.html())


def _lines(texts: Iterable[str]) -> Iterable[str]:
    return (f"<p>{html.escape(x)}</p>" for x in texts)


def _list(texts: Iterable[str]) -> Iterable[str]:
    return ("<ul>", *(f"<li>{html.escape(x)}</li>" for x in texts), "</ul>")


def command(x: Certificate) -> str:
    """The command that computes the certificate again (of a model given in Python: what comes nearest to it)."""
    r = x.request
    words = ["cmbound", "certify", r.model]
    if r.data != r.model:  # an example has its own
        words += ["--data", r.data, "--sigmas", ",".join(map(repr, r.sigmas))]
        words += ["--clip", f"{r.clip[0]!r},{r.clip[1]!r}"] if r.clip else []
        words += ["--teacher", r.teacher] if r.teacher else []
    else:
        words += ["--steps", str(r.steps)]
    options: dict[str, object] = {"-n": r.n, "--seed": r.seed, "--confidence": r.confidence, "--batches": r.batches}
    for flag, value in options.items():
        words += [flag, str(value)]
    for flag, value, default in (
        ("--solver", r.solver, "euler"),
        ("--teacher-output", r.teacher_output, "denoiser"),
        ("--clock", r.clock, "ve"),
        ("--dtype", r.dtype, "float64"),
        ("--profile", r.profile, "auto"),
        ("--held-out", r.held_out, ""),
        ("--renoise", r.renoise, ""),
        ("--distance-batch", r.distance_batch, None),
        ("--batch", r.batch, 4096),
    ):
        words += [flag, str(value)] if value != default else []
    words += ["--population"] if r.population else []
    words += ["--times", ",".join(map(repr, r.times))] if r.times else []
    words += ["--shape", ",".join(map(str, r.shape))] if r.shape else []
    for name, values in r.claims:
        words += [f"--{name.replace('_', '-')}", ",".join(map(repr, values))]
    return shlex.join(words)
