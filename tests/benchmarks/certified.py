"""Speed of certified evaluations: of one point, on long grids, at many times; and how the cost grows."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import flint
import mpmath
import numpy as np
from flint import arb, fmpq

import cmbound
from cmbound.evaluation.nodes import FLOATS, nodes
from cmbound.evaluation.setting import resolve
from tests.benchmarks.__main__ import paired

ONE_STEP = cmbound.theorem("explicit-one-step")
MULTISTEP = cmbound.theorem("explicit-multistep")
ON_GRID: dict[str, Any] = {"eps_sc": "0.01", "eps_cm": "0.02", "L_f": 2, "d": 3, "m2": "3/2", "T": 5, "delta": "1e-3"}
NUMBERS = {**ON_GRID, "h": "1e-3"}
STEPS = 10**5
TIMES = 491
DECADES = (1, 10, 100, 1000)


def points() -> str:
    """Scalar evaluations with 15 certified digits."""
    count = 100

    def ours() -> None:
        for i in range(count):
            ONE_STEP.evaluate(**{**NUMBERS, "h": f"{1000 + i}e-6"}, profile="universal")

    def reference() -> None:
        with mpmath.workdps(34):
            for _ in range(count):
                _mpmath(*(mpmath.mpf(x) if x != "3/2" else mpmath.mpf(3) / 2 for x in NUMBERS.values()))

    mine, other, ratio = paired(ours, reference)
    return (
        f"certified evaluations (universal): {count / mine:.0f} per second; the bare formula in 34-digit mpmath, uncertified: "
        f"{count / other:.0f} per second; ratio of times {ratio:.1f}"
    )


def _mpmath(eps_sc: Any, eps_cm: Any, L_f: Any, d: Any, m2: Any, T: Any, delta: Any, h: Any) -> Any:
    c_T, s_T, c_d, s_d = (
        mpmath.exp(-T),
        mpmath.sqrt(1 - mpmath.exp(-2 * T)),
        mpmath.exp(-delta),
        mpmath.sqrt(1 - mpmath.exp(-2 * delta)),
    )
    J = 1 / s_d - 1 / s_T
    I3 = J + T - delta + mpmath.log((1 + s_T) / (1 + s_d))
    D = d * (d + 2) * (d + 4)
    U = 2 / (3 * mpmath.sqrt(3)) * mpmath.sqrt(D) + (24 * d**3 * (d + 2) * (d + 4) ** 2) ** (mpmath.mpf(1) / 6)
    g = (mpmath.exp(h) - 1 - h) / h
    return (
        L_f * mpmath.sqrt(c_T**2 * m2**2 + (1 - s_T) ** 2 * d)
        + eps_cm * (T - delta)
        + L_f * eps_sc * (mpmath.exp(h) - 1) / h * (T - delta)
        + L_f * g * (mpmath.sqrt(d) * J + U * I3)
        + mpmath.sqrt((1 - c_d) ** 2 * m2**2 + s_d**2 * d)
    )


def long_grid() -> str:
    """All sums over a grid, with 15 certified digits, against two of them in a loop written by hand."""
    given = {**ON_GRID, "grid": "geometric", "N": STEPS, "teacher": "ddim", "profile": "universal-integrated"}
    mine, other, ratio = paired(lambda: ONE_STEP.evaluate(**given), lambda: _by_hand(STEPS))
    return (
        f"certified, geometric grid of {STEPS} steps: {mine:.2f} s; two of its sums in a loop by hand: {other:.2f} s; "
        f"ratio {ratio:.1f}"
    )


def _by_hand(count: int) -> Any:
    """The sums of the score errors and of the squares of the local errors (DDIM, universal-integrated)."""
    before, flint.ctx.prec = flint.ctx.prec, 123
    try:
        eps, L_f, one, two = arb(fmpq(1, 100)), arb(2), arb(1), arb(2)
        low, high = (((two * x).exp() - one).sqrt() for x in (arb(fmpq(1, 1000)), arb(5)))
        ratio = (high / low).log() / count
        score = energy = arb(0)
        a, c_a = low, (low * low + one).rsqrt()
        for i in range(1, count + 1):
            b = low * (ratio * i).exp()
            c_b = (b * b + one).rsqrt()
            rise, x = b - a, (b / a).log()
            score += L_f * c_a * rise * b * c_b * eps
            up, down = x.exp(), (-x).exp()
            weight = L_f * c_a
            energy += weight * weight * rise * ((up - down - two * x) / (up - one))
            a, c_a = b, c_b
        return score, energy
    finally:
        flint.ctx.prec = before


def many_times() -> str:
    """Multistep sampling with a time of its own for each evaluation, against one evaluation on the same grid."""
    given = {**ON_GRID, "grid": "geometric", "N": 500}
    times = _times(given, TIMES)
    mine, other, ratio = paired(lambda: MULTISTEP.evaluate(**given, times=times), lambda: ONE_STEP.evaluate(**given))
    return f"certified multistep, {TIMES} times: {mine:.2f} s; one step on its grid: {other * 1e3:.0f} ms; ratio {ratio:.0f}"


def _times(given: dict[str, Any], count: int) -> list[str]:
    """Nodes of the grid but T, the latest first."""
    ts = nodes(resolve(MULTISTEP, {**given, "k": 1}), FLOATS)[1:-1]
    return [repr(float(x)) for x in ts[::-1][:count]]


def budget() -> str:
    """A budget of about 10^5 steps, against the certified evaluation of its answer."""
    asked: dict[str, Any] = {"target": "1.0", "preset": "song2023-cifar10"}
    found = cmbound.solve("explicit-one-step", **asked)
    answer = {x: found.budget[x] for x in ("delta", "T", "N", "eps_sc", "eps_cm")}
    mine, other, ratio = paired(
        lambda: cmbound.solve("explicit-one-step", **asked), lambda: ONE_STEP.evaluate(preset="song2023-cifar10", **answer)
    )
    said = f"solve, {found.budget['N']} steps: {mine:.2f} s; the certified evaluation of its answer: {other:.2f} s"
    return f"{said}; ratio {ratio:.1f}"


def growth() -> str:
    """How the cost of a certified evaluation grows: the exponents over the last two of three decades."""
    grid, long = {**ON_GRID, "grid": "geometric"}, {**ON_GRID, "grid": "geometric", "N": 3000}

    def at_points(count: int) -> None:
        for i in range(count):
            ONE_STEP.evaluate(**{**NUMBERS, "h": f"{1000 + i}e-6"}, profile="universal")

    return "\n".join(
        (
            _exponent("steps N", 1000, lambda x: ONE_STEP.evaluate(**grid, N=x)),
            _exponent("times k on 3000 steps", 2, lambda x: MULTISTEP.evaluate(**long, times=_times(long, x))),
            _exponent("points", 1, at_points),
        )
    )


def _exponent(what: str, first: int, run: Callable[[int], Any]) -> str:
    sizes, seconds = [first * x for x in DECADES], []
    run(sizes[0])
    for size in sizes:
        start = time.process_time()
        run(size)
        seconds.append(time.process_time() - start)
    slope = np.polyfit(np.log(sizes[1:]), np.log(seconds[1:]), 1)[0]
    shown = ", ".join(f"{x}: {y:.2g} s" for x, y in zip(sizes, seconds, strict=True))
    return f"certified, number of {what}: {shown}; exponent {slope:.2f}"


BENCHMARKS = (points, long_grid, many_times, budget, growth)
