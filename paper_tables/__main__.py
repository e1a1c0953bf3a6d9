"""``python -m paper_tables [--check] [--jobs N] [--only NAME] [--data]``: rebuild the paper's tables, figures and data."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from paper_tables.build import DATA, GENERATED, Output, draw, outputs, same, specs, stored_data, write


def main(arguments: Sequence[str] | None = None) -> int:
    """Rebuild, or compare; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m paper_tables", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare the committed files instead; exit status 1 if one differs")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="worker processes for campaigns")
    parser.add_argument("--only", metavar="NAME", help="only files whose path contains NAME")
    parser.add_argument("--figures", action="store_true", help="only draw the figures, from the data as they are")
    parser.add_argument("--data", action="store_true", help="run the stored campaigns again as well (half an hour)")
    given = parser.parse_args(arguments)
    chosen = [x for x in outputs(given.jobs) if given.only is None or given.only in x.name]
    if not chosen:
        print(f"no file is called {given.only}", file=sys.stderr)
        return 2
    if given.check:
        return check(chosen, given.data, whole=given.only is None)
    if not given.figures:
        build(chosen, given.data)
    figures(chosen)
    return 0


def build(chosen: Sequence[Output], slow: bool) -> None:
    """Write the files that changed."""
    for output in chosen:
        if not output.slow or slow or not output.path.exists():
            text = output.make()
            if not output.path.exists() or not same(output.path.read_text(encoding="utf-8"), text, output.exact):
                write(output.path, text)
                print(f"written {output.name}")


def figures(chosen: Sequence[Output]) -> None:
    """Draw the figures whose data are among the chosen files."""
    for stem, spec in specs("figures").items():
        source = DATA / f"{stem}.csv"
        if source.exists() and any(x.path == source for x in chosen):
            draw(spec, stored_data(spec, source), GENERATED / "figures" / f"{stem}.pdf")


def check(chosen: Sequence[Output], slow: bool, whole: bool) -> int:
    """Say which file differs from what the package produces."""
    wrong = []
    for output in chosen:
        if not output.path.exists():
            wrong.append(f"missing: {output.name}")
        elif (not output.slow or slow) and not same(output.path.read_text(encoding="utf-8"), output.make(), output.exact):
            wrong.append(f"differs: {output.name}")
    if whole:
        known = {x.path for x in chosen}
        wrong += [f"not made by anything: {x.name}" for x in strangers(known)]
    for line in wrong:
        print(line)
    if wrong:
        print("run python -m paper_tables and look at the difference", file=sys.stderr)
    return 1 if wrong else 0


def strangers(known: set[Path]) -> list[Path]:
    """Files in the folders of generated files that nothing makes."""
    found = [x for folder in (GENERATED, DATA) for x in sorted(folder.rglob("*")) if x.is_file() and x.suffix != ".pdf"]
    return [x for x in found if x not in known]


if __name__ == "__main__":
    sys.exit(main())
