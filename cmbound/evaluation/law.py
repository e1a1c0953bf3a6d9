"""Constants that cannot belong to one data law.

Every relation below holds for every law, in the OU clock and with U the bounded part of the data U + tau z (tau = 0: the data):

* sd2 <= m2, since tr Cov = m2^2 - norm(mean)^2.
* tau d^(1/2) <= sd2, since Cov = Cov(U) + tau^2 I.
* sd2^2 <= w R^2 + d tau^2 with w = 1, and w = 4 p (1 - p) if one point of U has a weight p >= 1/2: let U lie in the ball of
  radius R around 0. Then tr Cov(U) <= E norm(U)^2 <= R^2. A point a of weight p and a rest of mean b have tr Cov(U) =
  p (1-p) norm(a-b)^2 + (1-p) V with V <= R^2 - norm(b)^2, at most R^2 (1-p) (p (1+x)^2 + 1 - x^2) for norm(b) = x R, which for
  p >= 1/2 is largest at x = 1. (One point: w = 0, whatever R.)
* sd2^2 <= j diameter^2 + d tau^2 with j = k/(2 (k + 1)), where U lies in k dimensions (d, d_eff, or n - 1 for n points): then U
  lies in a ball of radius j^(1/2) diameter (Jung). With weights p_i also j = (1 - sum p_i^2)/2: tr Cov(U) = E norm(U - U')^2/2.
* diameter <= 2 R, and 0 for one point.
* The eigenvalues cov_eigs of the covariance are d of them (d_eff where it is given) and add up to at most sd2^2, which is their
  sum where it is not given. At most d_eff are positive, and n - 1 for n points. They are at least tau^2 and at most
  diameter^2/4 + tau^2 (Popoviciu), and with an L-Lipschitz score at the time t the least has 1/L <= c^2 least + s^2: E H =
  -E s s^T, and E s s^T >= Cov(x_t)^(-1).
* d_eff <= d; n points span at most n - 1 dimensions; a law with a Gaussian part (tau > 0) spans all d.
* With an L-Lipschitz score at the time t: d/L <= tr Cov(x_t) = c^2 sd2^2 + s^2 d. By parts E s.(x - mean) = -d, so d^2 <=
  E norm(s)^2 tr Cov(x_t), and E norm(s)^2 = -E tr H <= d L. (t_star = 0: the limit t -> 0.) It is weakest at the largest t, so
  t_star decides.
* With an L-Lipschitz score at the time t and U bounded: 1/L <= v = tau^2 c^2 + s^2. H >= -L gives p_t a lower bound
  exp(-L norm(x)^2/2 - O(norm(x))); U in a ball gives the upper bound exp(-(norm(x) - c R)^2/(2 v)). The same with v = s^2 for
  data in a proper affine subspace, where x_t has variance s^2 across it. At t_star = 0 with tau = 0 there is no L at all: that is
  an error in a subspace, but L_s and R are rival assumptions, of which a statement or a profile takes one, and an evaluation that
  rests on both says so.
* Points (n_atoms, tau = 0) have no Lipschitz score from t_star = 0 on: H = (Cov(z|x_t) - I)/s^2 is -I/s^2 for one of them, and
  halfway between two neighbours its largest eigenvalue tends to infinity as t falls to 0, which leaves no L_os either.

What is known of sd2 from below holds for m2 as well, and is not asked of it: a bound is studied for growing d at a fixed m2.

In the variance-exploding clock L_s is e^(-2t) times that of the OU clock.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from fractions import Fraction
from typing import Any

from cmbound.arithmetic.exact import rational_near
from cmbound.errors import DomainError
from cmbound.later import np
from cmbound.numbers import apart, counted

NAMES = ("d", "m2", "sd2", "R", "tau", "d_eff", "n_atoms", "L_s", "L_os", "t_star", "diameter")
"""The constants that are compared (weights besides)."""
OF_A_FILE = ("d", "m2", "sd2", "R", "d_eff", "n_atoms", "weights", "diameter", "cov_eigs")
"""Parameters that say what the data are, and that are read off a data file."""
OF_A_LAW = (*OF_A_FILE, "tau", "L_s", "L_os")
"""Parameters that say what the data are."""
_COMPARED = frozenset({"sd2", "d_eff", "L_s", "L_os", "diameter"})
"""Of each relation one is among these."""
ROUNDING = 1e-12
"""Relative: measured constants carry the rounding errors of float64."""
NEGLIGIBLE = Fraction(1, 10**9)
"""Relative to the largest: an eigenvalue below may be the rounding error of 0."""
PRINTED = 1e-4
"""Relative: constants are printed with five digits or more, rounded up. Of two constants rounded alike the larger stays the
larger, but the sides of a relation in three do not."""

Relation = tuple[str, tuple[str, ...], Any, Any, float]
"""What must hold, of which constants, its two sides ``low <= high``, and the relative slack."""


def check(values: Mapping[str, Any], weights: Sequence[Any] = (), *, ve: bool = False, own: Any = NAMES, offset: int = 0) -> None:
    """Raise DomainError if no data law has these constants.

    Args:
        values: those of :data:`NAMES` that are given, numbers or float64 arrays that broadcast; ``t_star`` as a time.
        weights: of a finite data set, where they are given.
        ve: whether L_s is that of the variance-exploding clock.
        own: names given by the user; the others are a preset's, which the message says.
        offset: number of the first entry of the arrays.
    """
    if _COMPARED.isdisjoint(values):
        return
    given = {name: values[name] for name in NAMES if name in values}
    arrays = any(hasattr(x, "ndim") for x in given.values())
    ops = np if arrays else _Single
    floats = {name: np.asarray(x, dtype=np.float64) if hasattr(x, "ndim") else _float(x) for name, x in given.items()}
    with np.errstate(all="ignore") if arrays else nullcontext():
        for text, names, low, high, slack in _relations(ops, floats, weights, ve):
            bad = low > high * (1 + slack)
            if ops.any(bad):
                raise DomainError(f"no data law has these constants: {text}{_got(given, names, bad, own, offset)}")


def _float(x: Any) -> float:
    """An exact number in float64: SymPy takes a hundred times as long for the level of a time."""
    return float(x if isinstance(x, (Fraction, float, int)) else rational_near(x))


class _Single:
    """What the relations need of NumPy, for single numbers: loading NumPy takes as long as the rest of most evaluations."""

    inf = math.inf
    sqrt, hypot, exp, expm1, any, all = math.sqrt, math.hypot, math.exp, math.expm1, bool, bool
    maximum, minimum = max, min

    @staticmethod
    def where(condition: bool, x: float, y: float) -> float:
        return x if condition else y


def _concentration(ops: Any, x: Mapping[str, Any], weights: Sequence[Any]) -> Any:
    """The w above, from the largest weight."""
    if weights:
        p: Any = float(max(Fraction(y) for y in weights) / sum(Fraction(y) for y in weights))
    elif "n_atoms" in x:
        p = 1 / x["n_atoms"]
    else:
        return 1.0
    return ops.where(p <= 0.5, 1.0, 4 * p * (1 - p))


def check_spectrum(eigenvalues: Sequence[Fraction], values: Mapping[str, Any], ve: bool = False) -> None:
    """As :func:`check` for the eigenvalues of the covariance, each on its own; their sum is sd2^2.

    They are compared where every other constant is one number.
    """
    x = {name: float(values[name]) for name in ("d_eff", "n_atoms", "tau", "t_star", "diameter", "L_s") if name in values}
    tau, t_star = x.get("tau", 0.0), x.get("t_star", 0.0)
    negligible = NEGLIGIBLE * max(eigenvalues)
    spread = sum(e > negligible for e in eigenvalues)
    for name, text, most in (
        ("d_eff", "d_eff", x.get("d_eff", math.inf)),
        ("n_atoms", "n_atoms - 1", x.get("n_atoms", math.inf) - 1),
    ):
        if spread > most and (name == "d_eff" or tau == 0):
            count = f"{counted(spread, 'eigenvalue')} of cov_eigs {'is' if spread == 1 else 'are'} positive"
            raise DomainError(f"no data law has these constants: {count}, more than {text} = {most:.0f}")
    least, largest = float(min(eigenvalues)), float(max(eigenvalues))
    decay, noise = math.exp(-2 * t_star), -math.expm1(-2 * t_star)
    L, half = x.get("L_s", math.inf) / (decay if ve else 1.0), x.get("diameter", math.inf) / 2
    for e, text, names, low, high in (
        (least, "be at least tau^2", ("tau",), tau * tau, least),
        (largest, "be at most diameter^2/4 + tau^2", ("diameter", "tau"), largest, half * half + tau * tau),
        (least, "have c^2 cov_eigs + s^2 >= 1/L_s at t_star", ("L_s", "t_star"), 1.0, L * (decay * least + noise)),
    ):
        if low > high * (1 + PRINTED):
            got = _got({name: x for name, x in values.items() if name in names}, names, False, NAMES, 0)
            raise DomainError(f"no data law has these constants: each of cov_eigs must {text}{got}, and {e:.6g} among them")


def _relations(ops: Any, x: Mapping[str, Any], weights: Sequence[Any], ve: bool) -> Iterator[Relation]:
    """Products in the place of squares: a power of a single number that is too large raises an error, a product is inf."""
    w = _concentration(ops, x, weights)
    tau, t_star = x.get("tau", 0.0), x.get("t_star", 0.0)
    noise = ops.sqrt(x["d"]) * tau if "d" in x else ops.where(tau > 0, ops.inf, 0.0)
    if {"sd2", "m2"} <= x.keys():
        yield "sd2 must be at most m2", ("sd2", "m2"), x["sd2"], x["m2"], ROUNDING
    if {"sd2", "d"} <= x.keys():
        yield "sd2 must be at least tau d^(1/2)", ("sd2", "tau", "d"), noise, x["sd2"], ROUNDING
    if "sd2" in x and ("R" in x or "n_atoms" in x):
        spread = ops.where(w > 0, ops.sqrt(w) * x.get("R", ops.inf), 0.0)
        plain = not ops.any(tau > 0) and not ops.any((w > 0) & (w < 1))
        yield (
            _spread_text(ops, x, w),
            ("sd2", "R", "tau", "n_atoms"),
            x["sd2"],
            ops.hypot(spread, noise),
            ROUNDING if plain else PRINTED,
        )
    if "diameter" in x:
        yield from _widths(ops, x, weights, noise)
    if "d_eff" in x:
        yield from _dimensions(ops, x, tau)
    if "n_atoms" in x:
        for name, fewest in (("L_s", 1), ("L_os", 2)):
            if name in x:
                text = f"the score of {'finitely many' if fewest == 1 else 'several'} points has no {name} from t_star = 0 on"
                rough = (x["n_atoms"] >= fewest) & (tau == 0) & (t_star == 0)
                yield text, (name, "n_atoms", "tau", "t_star"), ops.where(rough, ops.inf, 0.0), x[name], 0.0
    if "L_s" in x:
        yield from _lipschitz(ops, x, tau, t_star, ve)


def _spread_text(ops: Any, x: Mapping[str, Any], w: Any) -> str:
    if not ops.any(w > 0):
        return "one point has no spread, sd2 must be 0" + (" or tau d^(1/2)" if "tau" in x else "")
    bound = "R" if ops.all(w == 1) else "(4 p (1 - p))^(1/2) R, p the largest weight"
    return f"sd2 must be at most {bound}" + (", or (R^2 + d tau^2)^(1/2) where tau > 0" if ops.any(x.get("tau", 0) > 0) else "")


def _widths(ops: Any, x: Mapping[str, Any], weights: Sequence[Any], noise: Any) -> Iterator[Relation]:
    if "R" in x:
        yield "diameter must be at most 2 R", ("diameter", "R"), x["diameter"], 2 * x["R"], PRINTED
    if "n_atoms" in x:
        most = ops.where(x["n_atoms"] < 2, 0.0, ops.inf)
        yield "one point has no two points, diameter must be 0", ("diameter", "n_atoms"), x["diameter"], most, 0.0
    if "sd2" in x:
        k: Any = ops.inf
        for name, less in (("d", 0), ("d_eff", 0), ("n_atoms", 1)):
            if name in x:
                k = ops.minimum(k, x[name] - less)
        share = 0.5 - 0.5 / (k + 1)
        if weights:
            total = sum(Fraction(y) for y in weights)
            share = ops.minimum(share, 0.5 - float(sum((Fraction(y) / total) ** 2 for y in weights)) / 2)
        text = "sd2 must be at most (j diameter^2 + d tau^2)^(1/2), j = k/(2 (k + 1)) in k dimensions"
        names = ("sd2", "diameter", "tau", "d", "d_eff", "n_atoms")
        yield text, names, x["sd2"], ops.hypot(ops.sqrt(share) * x["diameter"], noise), PRINTED


def _dimensions(ops: Any, x: Mapping[str, Any], tau: Any) -> Iterator[Relation]:
    if "d" in x:
        yield "d_eff must be at most d", ("d_eff", "d"), x["d_eff"], x["d"], 0.0
        full = ops.where(tau > 0, x["d"], 0.0)
        yield "data with a Gaussian part (tau > 0) have d_eff = d", ("d_eff", "d", "tau"), full, x["d_eff"], 0.0
    if "n_atoms" in x:
        most = ops.where(tau > 0, ops.inf, ops.maximum(x["n_atoms"] - 1, 1))
        yield "d_eff must be at most n_atoms - 1 (and 1 for one point)", ("d_eff", "n_atoms"), x["d_eff"], most, 0.0


def _lipschitz(ops: Any, x: Mapping[str, Any], tau: Any, t_star: Any, ve: bool) -> Iterator[Relation]:
    decay, noise = ops.exp(-2 * t_star), -ops.expm1(-2 * t_star)
    L = x["L_s"] / decay if ve else x["L_s"]
    if {"sd2", "d"} <= x.keys():
        text = "a score that is L_s-Lipschitz from t_star on needs c^2 sd2^2 + s^2 d >= d/L_s there"
        yield text, ("L_s", "sd2", "d", "t_star"), 1.0, L * (decay * x["sd2"] * x["sd2"] / x["d"] + noise), ROUNDING
    flat = x["d_eff"] < x["d"] if {"d_eff", "d"} <= x.keys() else False
    if "R" in x or "n_atoms" in x or ops.any(flat):
        bounded = "R" in x or "n_atoms" in x
        least = ops.where(flat, noise, tau * tau * decay + noise)
        where = "a ball" if bounded else "a subspace"
        text = f"for data in {where} L_s must be at least 1/(tau^2 c^2 + s^2) at t_star"
        names = ("L_s", *(("R", "n_atoms") if bounded else ("d_eff", "d")), "tau", "t_star")
        yield text, names, ops.where((bounded & (least > 0)) | flat, 1.0, 0.0), L * least, ROUNDING


def _got(given: Mapping[str, Any], names: Sequence[str], bad: Any, own: Any, offset: int) -> str:
    """The constants that contradict each other, at the first place where they do."""
    shown = {name: given[name] for name in names if name in given}
    where = ""
    if getattr(bad, "ndim", 0):
        place = int(np.argmax(bad.ravel()))
        shown = {
            name: float(np.broadcast_to(x, bad.shape).ravel()[place]) if hasattr(x, "ndim") else x for name, x in shown.items()
        }
        where = f" at index {place + offset}"
    shown = {name: x if isinstance(x, float) else rational_near(x) for name, x in shown.items()}
    pairs = zip(shown, apart(*shown.values()), strict=True)
    known = {*own, "t_star"} | ({"n_atoms"} if "weights" in own else set())
    texts = ", ".join(f"{name} = {text}{'' if name in known else ' (from the preset)'}" for name, text in pairs)
    return f"; got {texts}{where}"
