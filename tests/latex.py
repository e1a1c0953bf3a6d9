"""LaTeX as a reader gets it: pdflatex on a paper with the default page of the article class."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

PACKAGES = ("booktabs", "array", "siunitx", "amsmath", "amssymb")
"""What the package says its LaTeX may need."""


@cache
def missing_tex() -> str:
    """Why LaTeX cannot be run here (empty: it can)."""
    if shutil.which("pdflatex") is None or shutil.which("kpsewhich") is None:
        return "no pdflatex on this machine"
    lost = [x for x in PACKAGES if not subprocess.run(["kpsewhich", f"{x}.sty"], capture_output=True, check=False).stdout]
    return f"LaTeX lacks {', '.join(lost)}" if lost else ""


def compiled(body: str, folder: Path) -> list[str]:
    """Errors and complaints of pdflatex about a paper with this body, which loads what the body says it needs."""
    named = {x for line in body.splitlines() if line.startswith("%") for x in re.split(r"[\s,;]+", line.partition("needs ")[2])}
    packages = "".join(f"\\usepackage{{{x}}}\n" for x in PACKAGES if x in named)
    source = f"\\documentclass{{article}}\n{packages}\\begin{{document}}\nText.\n\n{body}\n\\end{{document}}\n"
    (folder / "paper.tex").write_text(source, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "paper.tex"]
    run = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    if "\\newlabel" in (folder / "paper.aux").read_text(encoding="utf-8"):
        run = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    output = run.stdout.decode("utf-8", errors="replace").splitlines()
    return [x for x in output if x.startswith("!") or "Overfull" in x or "Warning" in x]
