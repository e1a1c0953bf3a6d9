"""The telescope along exact trajectories: what every step of the proof contributes, path by path (theory 5.1).

Paths are computed in blocks whose size depends on the dimension alone, and block b takes its randomness from
``SeedSequence(seed, spawn_key=(purpose, b))``: the size of a batch and the number of workers change nothing but rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cmbound.certification.flow import Paths
from cmbound.certification.laws import Law, squares
from cmbound.certification.models import Denoiser, Model
from cmbound.certification.teachers import Step
from cmbound.certification.user import array_of, points_of
from cmbound.frozen import Record
from cmbound.sampling.run import in_order
from cmbound.worlds.base import Array

NUMBERS, MOST_ROWS, LEAST_ROWS = 1 << 20, 4096, 64  # of a block: eight megabytes an array, and products that are worth it
Tell = Callable[[float], object]
Renoise = Callable[[Array, float, Array], Array]
PATHS, EVALUATIONS, DISTANCES, ATTACKS, HELD_OUT, BASELINES, PROBE, SHOWN = range(8)
"""What a stream of random numbers is for."""
TINY = 1e-4
"""Two points closer than this, over the scale of their coordinates, say nothing: answers in single precision are off by 1e-7."""
PROBES, POWER_STEPS, PROBE_STEP = 8, 4, 1e-3  # points, power iterations and step of the differences, relative to the scale
TRAIL = 32  # paths whose points are kept at every noise level: what a model is read by, and no memory in any dimension
CHECKED_PATHS = 128
"""Paths followed once more with half the tolerance."""
TERMS = ("initialisation", "consistency", "score", "discretisation", "boundary", "early_stopping")
SUMMED = ("consistency", "score", "discretisation")


def stream(seed: int, purpose: int, block: int = 0) -> np.random.Generator:
    """The random numbers of a block."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(purpose, block)))


def block_rows(d: int) -> int:
    """Paths in a full block."""
    return min(max(NUMBERS // d, LEAST_ROWS), MOST_ROWS)


def spans(n: int, d: int) -> list[int]:
    """The sizes of the blocks of n paths."""
    rows = block_rows(d)
    return [min(rows, n - i) for i in range(0, n, rows)]


@dataclass(frozen=True, eq=False)
class Pair(Record):
    """Two points at a noise level, and the quotient of their answers: what a Lipschitz constant must not be below."""

    quotient: float
    level: int
    x: Array
    y: Array


@dataclass
class Sampled:
    """Numbers of every path, squared norms unless said otherwise; sums of blocks are one after the other.

    Attributes:
        direct: norm(f(sigma_N z) - a)^2, shape (n,).
        x0: norm(x_0')^2, which the initialisation moves, (n,).
        spread: norm(x_0' - E x_0)^2, (n,).
        terms: by name; of consistency, score and discretisation the sum over the steps, (n,).
        steps: by name, of every step, (N, n).
        local_score, local_discretisation: of the teacher's step itself, (N, n).
        score_error: norm(D_phi - D)^2 at the upper end of the step, (N, n).
        residue: largest entry by which the telescope fails to be an identity.
        pairs: the largest quotient at every noise level, N + 1 of them.
        ratios: largest root mean square quotients of a block at every noise level, (N + 1,).
        changes: norm(C_n + S_n + G_n)^2: of what the model itself changes along exact trajectories, of every step, (N, n).
        moved: squared norm of everything but the early stopping, (n,).
        against: by term, and ``change`` for the three sums together, the inner product with f(sigma_N z) - a, (n,).
        beside: of score and discretisation, the inner product with the consistency error, (n,).
        change: squared norm of the sum of the changes, (n,).
        worst: by name, for each step the point whose term is largest.
        outputs, targets: the model's samples and the draws a, of the first block.
        apart: norm of the difference of x_delta with half the tolerance, squared, of the first paths.
        trail: points of the first paths at every noise level, from the lowest on.
    """

    direct: Array
    x0: Array
    spread: Array
    terms: dict[str, Array]
    steps: dict[str, Array]
    local_score: Array
    local_discretisation: Array
    score_error: Array
    changes: Array
    moved: Array
    against: dict[str, Array]
    beside: dict[str, Array]
    change: Array
    residue: float
    pairs: list[Pair]
    worst: dict[str, list[tuple[float, Array]]]
    outputs: Array
    targets: Array
    apart: Array
    trail: list[Array]
    chain: list[dict[str, Array]] = field(default_factory=list)
    """Of every further evaluation, squared norms by name: ``direct``, ``noising``, ``inherited``, ``map``, (n,) each."""


@dataclass
class Setup:
    """What is sampled.

    Attributes:
        model: the model that is judged.
        teacher: its teacher (None: consistency training).
        law: the reference law.
        sigmas: noise levels (N + 1,), increasing.
        step: the teacher's step.
        seed: of everything random.
        tolerance: of the exact trajectories.
        times: noise levels of the evaluations after the first.
        renoise: the model's own noising back, renoise(y, tau, z) (None: the right one).
    """

    model: Model
    teacher: Denoiser | None
    law: Law
    sigmas: Array
    step: Step
    seed: int
    tolerance: float
    times: tuple[float, ...] = ()
    renoise: Renoise | None = None

    def noised(self, y: Array, tau: float, z: Array) -> Array:
        """y with noise up to the level tau: y + (tau^2 - sigma_0^2)^{1/2} z."""
        low = float(self.sigmas[0])
        return np.asarray(y + np.sqrt((tau - low) * (tau + low)) * z)

    def noised_by_user(self, y: Array, tau: float, z: Array) -> Array:
        """The same as the model's own sampler does it."""
        if self.renoise is None:
            return self.noised(y, tau, z)
        noising = self.renoise
        where = f"renoise at noise level {tau:g}"
        out = array_of(where, lambda: noising(y.copy(), tau, z.copy()))
        return points_of(where, out, y)


def generate(setup: Setup, evaluations: int, n: int, key: int) -> Array:
    """n samples of the model after so many evaluations, from a stream of their own."""
    out = []
    for block, size in enumerate(spans(n, setup.law.d)):
        seeds = np.random.SeedSequence(setup.seed, spawn_key=(DISTANCES, evaluations, key, block))
        rng = np.random.default_rng(seeds)
        top = float(setup.sigmas[-1])
        y = setup.model(top * rng.standard_normal((size, setup.law.d)), top)
        for tau in setup.times[: evaluations - 1]:
            y = setup.model(setup.noised_by_user(y, tau, rng.standard_normal(y.shape)), tau)
        out.append(y)
    return np.concatenate(out)


def sampled(setup: Setup, n: int, *, workers: int = 1, progress: Tell = lambda x: None) -> Sampled:
    """The telescope of n paths; ``progress`` is told how many were done, in parts of one."""
    sizes = spans(n, setup.law.d)
    return _joined(list(in_order(lambda b: _block(setup, b, sizes[b], progress), len(sizes), min(workers, len(sizes)))))


def _joined(blocks: Sequence[Sampled]) -> Sampled:
    first = blocks[0]

    def rows(pick: Callable[[Sampled], Array]) -> Array:
        return np.concatenate([pick(x) for x in blocks], axis=-1)

    return Sampled(
        rows(lambda x: x.direct),
        rows(lambda x: x.x0),
        rows(lambda x: x.spread),
        {name: rows(lambda x, name=name: x.terms[name]) for name in TERMS},  # type: ignore[misc]
        {name: rows(lambda x, name=name: x.steps[name]) for name in SUMMED},  # type: ignore[misc]
        rows(lambda x: x.local_score),
        rows(lambda x: x.local_discretisation),
        rows(lambda x: x.score_error),
        rows(lambda x: x.changes),
        rows(lambda x: x.moved),
        {name: rows(lambda x, name=name: x.against[name]) for name in first.against},  # type: ignore[misc]
        {name: rows(lambda x, name=name: x.beside[name]) for name in first.beside},  # type: ignore[misc]
        rows(lambda x: x.change),
        max(x.residue for x in blocks),
        [max(level, key=lambda x: x.quotient) for level in zip(*(x.pairs for x in blocks), strict=True)],
        {
            name: [max(step, key=lambda x: x[0]) for step in zip(*(x.worst[name] for x in blocks), strict=True)]
            for name in first.worst
        },
        first.outputs,
        first.targets,
        first.apart,
        first.trail,
        [
            {name: np.concatenate([x.chain[k][name] for x in blocks]) for name in evaluation}
            for k, evaluation in enumerate(first.chain)
        ],
    )


def _block(setup: Setup, block: int, size: int, tell: Tell) -> Sampled:
    """The telescope of one block of paths, from the largest noise level downwards."""
    model, law, sigmas, count = setup.model, setup.law, setup.sigmas, len(setup.sigmas) - 1
    rng = stream(setup.seed, PATHS, block)
    z, x0 = rng.standard_normal((size, law.d)), law.draw(size, rng)
    top = float(sigmas[-1])
    noise = top * z
    paths = Paths(law, x0 + noise, top, setup.tolerance)
    generated, value = model(noise, top), model(paths.x, top)
    start = generated - value
    trail = [paths.x[:TRAIL].copy()]
    quotients = [_Quotients(law, k) for k in range(count + 1)]
    quotients[-1].tried(noise, paths.x, generated, value)
    steps = {name: np.zeros((count, size)) for name in SUMMED}
    local = {name: np.zeros((count, size)) for name in ("score", "discretisation", "error", "change")}
    sums = {name: np.zeros_like(z) for name in SUMMED}
    worst: dict[str, list[tuple[float, Array]]] = {"eps_cm": [], "eps_sc": []}
    for j in range(count - 1, -1, -1):
        high, low = float(sigmas[j + 1]), float(sigmas[j])
        _extend(quotients[j + 1], model, high, paths.x, value, setup, block)
        before, answer = paths.x.copy(), paths.answer
        exact = _Known(law, before, high, answer)
        paths.down(low)
        trail.append(paths.x[:TRAIL].copy())
        value_next = model(paths.x, low)
        if setup.teacher is None:
            parts = {"consistency": value - value_next}
        else:
            true = setup.step(exact, before, high, low)
            learned = setup.step(setup.teacher, before, high, low)
            f_true, f_learned = model(true, low), model(learned, low)
            parts = {"consistency": value - f_learned, "score": f_learned - f_true, "discretisation": f_true - value_next}
            local["score"][j], local["discretisation"][j] = squares(learned - true), squares(true - paths.x)
            local["error"][j] = squares(setup.teacher(before, high) - answer)
            quotients[j].tried(learned, true, f_learned, f_true)
            quotients[j].tried(true, paths.x, f_true, value_next)
            quotients[j].tried(learned, paths.x, f_learned, value_next)
        for name, part in parts.items():
            steps[name][j] = squares(part)
            sums[name] += part
        local["change"][j] = squares(value - value_next)
        for name, values in (("eps_cm", steps["consistency"][j]), ("eps_sc", local["error"][j])):
            k = int(values.argmax())
            worst[name].append((float(values[k]), before[k].copy()))
        value = value_next
        tell(size / count)
    _extend(quotients[0], model, float(sigmas[0]), paths.x, value, setup, block)
    target = law.posterior(paths.x, float(sigmas[0]), rng)
    # targets lie in the box that outputs are clipped to, so that clipping x_delta only moves it towards its target
    end = paths.x if model.clip is None else np.clip(paths.x, *model.clip)
    vectors = {"initialisation": start, **sums, "boundary": value - end, "early_stopping": end - target}
    whole, change = generated - target, sum(sums.values(), np.zeros_like(z))
    apart = np.zeros(0)
    if block == 0:
        apart = squares(_again(setup, (x0 + noise)[:CHECKED_PATHS]) - paths.x[:CHECKED_PATHS])
    return Sampled(
        squares(whole),
        squares(x0),
        squares(x0 - law.mean),
        {name: squares(x) for name, x in vectors.items()},
        steps,
        local["score"],
        local["discretisation"],
        local["error"],
        local["change"],
        squares(whole - vectors["early_stopping"]),
        {name: np.einsum("ij,ij->i", x, whole) for name, x in {**vectors, "change": change}.items()},
        {name: np.einsum("ij,ij->i", sums[name], sums["consistency"]) for name in ("score", "discretisation")},
        squares(change),
        float(np.abs(sum(vectors.values()) - whole).max()),
        [x.best() for x in quotients],
        {name: x[::-1] for name, x in worst.items()},
        generated,
        target,
        apart,
        trail[::-1],
        _chain(setup, block, generated, paths.x),
    )


def _chain(setup: Setup, block: int, y: Array, a: Array) -> list[dict[str, Array]]:
    """Further evaluations beside the exact chain with the same noise (theory 5.2)."""
    rng, law, low, found = stream(setup.seed, EVALUATIONS, block), setup.law, float(setup.sigmas[0]), []
    for tau in setup.times:
        z = rng.standard_normal(y.shape)
        given, right, exact = setup.noised_by_user(y, tau, z), setup.noised(y, tau, z), setup.noised(a, tau, z)
        f_given, f_exact = setup.model(given, tau), setup.model(exact, tau)
        f_right = f_given if setup.renoise is None else setup.model(right, tau)
        paths = Paths(law, exact, tau, setup.tolerance)
        for sigma in (*setup.sigmas[setup.sigmas < tau][::-1],):
            paths.down(float(sigma))
        y, a = f_given, paths.x
        target = law.posterior(a, low, rng)
        parts = {"noising": f_given - f_right, "inherited": f_right - f_exact, "map": f_exact - a, "direct": y - target}
        found.append({name: squares(x) for name, x in parts.items()})
    return found


def _again(setup: Setup, x: Array) -> Array:
    """The same trajectories with half the tolerance."""
    paths = Paths(setup.law, x, float(setup.sigmas[-1]), setup.tolerance / 2)
    for sigma in setup.sigmas[-2::-1]:
        paths.down(float(sigma))
    return paths.x


class _Known:
    """The denoiser of the law, whose answer at the upper end of a step is known from the trajectory."""

    def __init__(self, law: Law, x: Array, sigma: float, answer: Array) -> None:
        self.law, self.x, self.sigma, self.answer = law, x, sigma, answer

    def __call__(self, x: Array, sigma: float) -> Array:
        return self.answer if x is self.x and sigma == self.sigma else self.law.denoiser(x, sigma)


class _Quotients:
    """The largest quotient of differences seen at a noise level, with its pair of points."""

    def __init__(self, law: Law, level: int) -> None:
        self.floor, self.level = TINY * law.scale, level
        self.found: list[Pair] = []
        self.shape = law.d

    def tried(self, x: Array, y: Array, fx: Array, fy: Array) -> None:
        """Compare row by row."""
        below = np.sqrt(squares(x - y))
        near = self.floor + TINY * np.sqrt(squares(x))
        with np.errstate(divide="ignore", invalid="ignore"):
            quotient = np.where(below > near, np.sqrt(squares(fx - fy)) / below, 0.0)
        k = int(quotient.argmax())
        self.found.append(Pair(float(quotient[k]), self.level, x[k].copy(), y[k].copy()))

    def best(self) -> Pair:
        return max(self.found, key=lambda x: x.quotient, default=Pair(0.0, self.level, np.zeros(self.shape), np.ones(self.shape)))


def _extend(quotients: _Quotients, model: Model, sigma: float, x: Array, fx: Array, setup: Setup, block: int) -> None:
    """Quotients between different paths, and of a power iteration on differences at a few points of the first block."""
    if len(x) > 1:
        quotients.tried(x, np.roll(x, 1, axis=0), fx, np.roll(fx, 1, axis=0))
    if block:
        return
    base, answer = x[:PROBES], fx[:PROBES]
    direction = stream(setup.seed, ATTACKS, quotients.level).standard_normal(base.shape)
    size = PROBE_STEP * (setup.law.scale + sigma)
    for _ in range(POWER_STEPS):
        norms = np.sqrt(squares(direction))[:, None]
        direction = np.where(norms > 0, direction / np.where(norms > 0, norms, 1), 1 / np.sqrt(setup.law.d))
        moved = base + size * direction
        image = model(moved, sigma)
        quotients.tried(moved, base, image, answer)
        direction = image - answer


def roots(values: Any) -> Array:
    """Root mean squares along the last axis."""
    return np.asarray(np.sqrt(np.mean(values, axis=-1)))
