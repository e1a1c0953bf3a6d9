"""Arrays of settings: the choice of profiles, grids, lists for each step, the other teachers; how the cost grows."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

import cmbound
from tests.benchmarks.__main__ import paired, points as closed_points

Array = npt.NDArray[np.float64]
ONE_STEP = cmbound.theorem("explicit-one-step")
N, COUNT = 40, 4000


def points(count: int) -> dict[str, Array]:
    """Random settings on grids (without what is given for each step)."""
    rng = np.random.default_rng(0)
    return {
        "d": rng.integers(1, 1000, count).astype(np.float64),
        "m2": rng.uniform(0, 30, count),
        "T": rng.uniform(3, 6, count),
        "delta": 10 ** rng.uniform(-5, -1, count),
    }


def by_hand(d: Array, m2: Array, T: Array, delta: Array, eps_sc: Array, eps_cm: Array, L_f: Array, size: int = N) -> Array:
    """What a careful author would write for the DDIM teacher, the universal profile and an EDM grid.

    Args:
        d, m2, T, delta: shape (P,).
        eps_sc, eps_cm, L_f: shape (size, 1), one value for each step.
        size: number of steps.
    """
    j = np.arange(size + 1)[:, None]
    low, high = np.sqrt(np.expm1(2 * delta)) ** (1 / 7), np.sqrt(np.expm1(2 * T)) ** (1 / 7)
    ts = np.log1p((low + j / size * (high - low)) ** 14) / 2
    ts[0], ts[-1] = delta, T
    a, b = ts[:-1], ts[1:]
    s_a, s_b, c_a = np.sqrt(-np.expm1(-2 * a)), np.sqrt(-np.expm1(-2 * b)), np.exp(-a)
    x = b - a + np.log1p(-(c_a**2) * np.expm1(-2 * (b - a)) / (s_a * (s_a + s_b)))  # log of the ratio of noise levels
    lam = s_a / c_a
    g = np.where(x < 1e-2, x * (1 / 2 + x * (1 / 6 + x * (1 / 24 + x * (1 / 120 + x / 720)))), (np.expm1(x) - x) / x)
    U = 2 / (3 * np.sqrt(3)) * np.sqrt(d * (d + 2) * (d + 4)) + (24 * d**3 * (d + 2) * (d + 4) ** 2) ** (1 / 6)
    at = np.concatenate([np.ones((1, 1)), L_f[:-1]])
    c_T, s_T, s_d = np.exp(-T), np.sqrt(-np.expm1(-2 * T)), np.sqrt(-np.expm1(-2 * delta))
    initialisation = L_f[-1] * c_T * np.sqrt(m2**2 + c_T**2 * d / (1 + s_T) ** 2)
    consistency = (eps_cm * (b - a)).sum(axis=0)
    score = (at * eps_sc * c_a * lam * np.expm1(x) * s_b).sum(axis=0)
    discretisation = (at * c_a * U * lam * x * g).sum(axis=0)
    early = np.sqrt(np.expm1(-delta) ** 2 * m2**2 + s_d**2 * d)
    total: Array = initialisation + consistency + score + discretisation + early
    return total


def steps(size: int) -> dict[str, Array]:
    """Errors and Lipschitz constants, one for each step."""
    rng = np.random.default_rng(1)
    return {"eps_sc": rng.uniform(0, 0.1, size), "eps_cm": rng.uniform(0, 0.1, size), "L_f": rng.uniform(1, 3, size)}


def _ours(count: int, size: int = N, **options: Any) -> Callable[[], Any]:
    given: dict[str, Any] = {name: x.tolist() for name, x in steps(size).items()}
    given |= {"teacher": "ddim", "grid": "edm", "N": size, "profile": "universal", **points(count), **options}
    return lambda: ONE_STEP.approximate(**given).total


def _by_hand(count: int, size: int = N) -> Callable[[], Any]:
    values, given = points(count), {name: x[:, None] for name, x in steps(size).items()}
    return lambda: by_hand(**values, **given, size=size)


def automatic() -> str:
    """The choice of profiles in closed form against one fixed profile: at random points, and on a grid of two parameters."""
    h, eps_sc = np.meshgrid(np.geomspace(1e-5, 1e-1, 50), np.geomspace(1e-3, 1e-1, 40))
    grid: dict[str, Any] = {"preset": "gaussian-2d", "h": h, "eps_sc": eps_sc}
    return "\n".join(
        _chosen(*x) for x in (("random points", closed_points(2000)), ("preset gaussian-2d, h against eps_sc", grid))
    )


def _chosen(name: str, values: dict[str, Any]) -> str:
    ours, theirs, ratio = paired(
        lambda: ONE_STEP.approximate(**values, profile="auto"),
        lambda: ONE_STEP.approximate(**values, profile="universal"),
    )
    return f"profile auto, 2000 points, {name}: {ours * 1e3:.0f} ms; profile universal: {theirs * 1e3:.1f} ms; ratio {ratio:.0f}"


def grids() -> str:
    """The DDIM teacher on an EDM grid with lists for each step."""
    ours, theirs = _ours(COUNT), _by_hand(COUNT)
    assert np.allclose(ours(), theirs(), rtol=1e-9)
    mine, other, ratio = paired(ours, theirs)
    return (
        f"DDIM teacher, EDM grid of {N} steps, three lists, {COUNT} points: {mine * 1e3:.0f} ms; by hand in numpy (total only): "
        f"{other * 1e3:.0f} ms; ratio {ratio:.2f}"
    )


def profiles_on_grids() -> str:
    """The choice of profiles for each teacher, against one fixed profile on the same grids."""
    rows = []
    for teacher in ("exponential-integrator", "ddim", "heun"):
        options: dict[str, Any] = {"teacher": teacher, **({"M": 1, "eps_sc": 0.1} if teacher == "heun" else {})}
        one = "universal-integrated" if teacher == "heun" else "universal"
        ours, theirs, ratio = paired(_ours(400, profile="auto", **options), _ours(400, profile=one, **options))
        rows.append(
            f"profile auto, {teacher}, EDM grid of {N} steps, 400 points: {ours * 1e3:.0f} ms; profile {one}: "
            f"{theirs * 1e3:.0f} ms; ratio {ratio:.1f}"
        )
    return "\n".join(rows)


def exponent(sizes: list[int], work: Callable[[int], Callable[[], Any]]) -> str:
    """How the seconds grow with a size: medians over three decades, and the power between the two largest sizes."""
    seconds = []
    for size in sizes:
        run, times = work(size), []
        for _ in range(5):
            begin = time.process_time()
            run()
            times.append(time.process_time() - begin)
        seconds.append(float(np.median(times)))
    slope = np.log(seconds[-1] / seconds[-2]) / np.log(sizes[-1] / sizes[-2])  # smaller ones cost what any call costs
    shown = ", ".join(f"{x}: {y * 1e3:.1f} ms" for x, y in zip(sizes, seconds, strict=True))
    return f"exponent {slope:.2f} ({shown})"


def growth() -> str:
    """In the number of points, of steps, and in the dimension."""

    def closed(count: int) -> Callable[[], Any]:
        given = {"eps_sc": 0.1, "eps_cm": 0.1, "L_f": 2, "h": 1e-3}
        values = points(count)
        return lambda: ONE_STEP.approximate(**values, **given)

    rows = (
        ("points, profile auto", [10, 100, 1000, 10_000], closed),
        ("points on a grid, DDIM", [10, 100, 1000, 10_000], _ours),
        ("steps of a grid, DDIM, 100 points", [10, 100, 1000, 10_000], lambda size: _ours(100, size)),
    )
    return "\n".join(f"cost in the number of {title}: {exponent(sizes, work)}" for title, sizes, work in rows)


BENCHMARKS = (automatic, grids, profiles_on_grids, growth)
