"""Measures the constants of the ``digits`` preset from the handwritten-digits data that scikit-learn ships.

``python -m cmbound.papers.digits`` prints the table ``digits.json`` holds; ``--check`` compares instead (status 1 if
they differ). Needs the extra ``digits``. Pixels 0..16 are mapped to [-1, 1]; upper bounds are rounded up.
"""

from __future__ import annotations

import json
import sys
from decimal import ROUND_CEILING, Decimal
from fractions import Fraction
from importlib import resources

import numpy as np

from cmbound.worlds.geometry import enclosing_ball


def _round_up(square: Fraction, digits: int = 6) -> str:
    """sqrt(square), rounded up to ``digits`` decimals."""
    guess = Decimal(float(square) ** 0.5).quantize(Decimal(1).scaleb(-digits), rounding=ROUND_CEILING)
    while Fraction(guess) ** 2 < square:
        guess += Decimal(1).scaleb(-digits)
    return str(guess)


def measure() -> dict[str, str]:
    """Exact moments, the radius about a fixed centre, the diameter, and the dimension of the affine hull."""
    from sklearn.datasets import load_digits

    pixels = load_digits().data.astype(np.int64)
    count, size = pixels.shape
    if len(np.unique(pixels, axis=0)) != count:
        raise SystemExit("the data set has repeated points")
    scaled = pixels - 8  # eight times the coordinates
    second = Fraction(int((scaled**2).sum()), 64 * count)
    mean = scaled.sum(axis=0)
    variance = second - Fraction(int((mean**2).sum()), 64 * count * count)
    centre = np.round(enclosing_ball(scaled / 8)[0] * 2**20).astype(np.int64)  # near it, as multiples of 2^-20
    distances = ((scaled * 2**17 - centre).astype(object) ** 2).sum(axis=1)
    radius = Fraction(int(distances.max()), 2**40)
    gram = pixels @ pixels.T
    squares = np.diag(gram)
    diameter = Fraction(int((squares[:, None] + squares[None, :] - 2 * gram).max()), 64)
    # a lower bound on the Lipschitz constant of any map that takes N(0, I) to this law
    largest_sd = float(np.linalg.eigvalsh(np.cov(scaled / 8, rowvar=False, bias=True))[-1] ** 0.5)
    rank = int(np.linalg.matrix_rank((pixels - pixels[0]).astype(np.float64)))
    return {
        "d": str(size),
        "n_atoms": str(count),
        "m2": _round_up(second),
        "sd2": _round_up(variance),
        "R": _round_up(radius),
        "diameter": _round_up(diameter),
        "d_eff": str(rank),
        "largest_principal_sd": f"{largest_sd:.3f}",
    }


def main(arguments: list[str]) -> int:
    """Print the measured table, or compare it with the committed one."""
    measured = measure()
    text = json.dumps(measured, indent=2) + "\n"
    if "--check" not in arguments:
        sys.stdout.write(text)
        return 0
    same = bool(text == resources.files("cmbound.catalogue.presets").joinpath("digits.json").read_text(encoding="utf-8"))
    sys.stdout.write("digits.json agrees with the data\n" if same else f"digits.json differs; measured:\n{text}")
    return 0 if same else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
