"""A run carried out: its samples, the distance of their law to the target, and the constants of teacher and student."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

from cmbound.distances import MAX_TRANSPORT, sliced_w2, w2_samples
from cmbound.distances.scaling import Array, norm, rms
from cmbound.errors import DomainError
from cmbound.frozen import Record
from cmbound.sampling import overdamped, sample_every_step, smooth, underdamped as underdamped_samples
from cmbound.verification.affine import Affine, Law, underdamped
from cmbound.verification.instances import Truth
from cmbound.verification.request import Run
from cmbound.verification.runner import quotient
from cmbound.worlds.gaussian import Gaussian
from cmbound.worlds.process import noise, signal

Progress = Callable[[int], object]
Map = Callable[[Array, int], Array]
Score = Callable[[Array], Array]

PROJECTIONS = 100  # random directions of the sliced distance


@dataclass(frozen=True, eq=False)
class Measured(Record):
    """What was measured of a run: W2 after each evaluation (and the corrector), in the units of the clock, and how (``method``).

    ``samples`` (n, d) are the last ones in OU units, ``truth`` (n, d) samples of the target in the units of the clock,
    ``constants`` L_f, eps_sc and eps_cm of every step (N,).
    """

    w2: tuple[Truth, ...]
    method: str
    samples: Array
    truth: Array
    constants: tuple[Array, Array, Array]


def measured(run: Run, advance: Progress) -> Measured:
    """Carry out a run; ``advance`` is called with 1 after each part of the work.

    Raises DomainError where it does not fit float64 or the memory.
    """
    try:
        with np.errstate(all="ignore"):
            return _gaussian(run, advance) if isinstance(run.world, Gaussian) else _sampled(run, advance)
    except np.linalg.LinAlgError:
        raise DomainError("the covariances of this run do not fit float64: use a larger delta or smaller numbers") from None
    except MemoryError:
        raise DomainError("this run does not fit the memory: use fewer samples, steps or dimensions") from None


def _outputs(run: Run, student: Map, score: Score) -> Array:
    """Samples (OU units) after each evaluation, and after the corrector if there is one: shape (k or k + 1, n, d)."""
    index = {float(t): i for i, t in enumerate(run.nodes)}
    times = [float(run.nodes[i]) for i in (-1, *run.indices)]
    options: dict[str, Any] = {"d": run.world.d, "n": run.n, "seed": run.seed, "start": run.start, "workers": run.workers}
    found = sample_every_step(lambda x, t: student(x, index[t]), times, delta=run.low, **options)
    if run.corrector is None:
        return found
    last = _corrected_samples(run, found[-1], score)
    if not np.isfinite(last).all():
        raise DomainError("the corrector is unstable: its samples are not finite; use a smaller step")
    return np.concatenate([found, last[None]])


def _truth(run: Run) -> Array:
    """Samples of the target in the units of the clock."""
    rng = np.random.default_rng([run.seed, 1])
    if run.to == "p_data":
        return run.world.sample(run.n, seed=rng)
    return run.scale * run.world.sample(run.n, run.low, seed=rng)


def _gaussian(run: Run, advance: Progress) -> Measured:
    pipe = run.pipeline
    outputs = _outputs(run, lambda x, i: _image(pipe.student[i], x), lambda x: _image(pipe.score[0], x))
    advance(1)
    laws = pipe.laws(run.start, run.indices)
    if run.corrector is not None:
        laws.append(_corrected_law(run, laws[-1], pipe.score[0]))
    size = max(x.size for x in laws)
    if not size < np.inf:
        raise DomainError("the laws of this run do not fit float64: use a smaller step, horizon or error")
    w2 = tuple(pipe.w2(x, run.to, run.scale, size) for x in laws)
    constants = pipe.lipschitz, pipe.score_error[1:], pipe.consistency_error
    advance(1)
    return Measured(w2, "exact", outputs[-1], _truth(run), constants)


def _image(f: Affine, x: Array) -> Array:
    """Rows (n, d) through one affine map."""
    return np.asarray(x @ f.matrix.T + f.shift)


def _sampled(run: Run, advance: Progress) -> Measured:
    outputs = _outputs(run, run.runner.student, lambda x: run.world.score(x, run.low) + run.push)
    advance(1)
    transport = run.n <= MAX_TRANSPORT and find_spec("ot") is not None
    method = "samples" if run.world.d == 1 else "transport" if transport else "sliced"
    truth, w2 = _truth(run), []
    for x in outputs:
        w2.append(_distance(run.scale * x, truth, run.seed, method))
        advance(1)
    constants = _constants(run)
    advance(1)
    return Measured(tuple(w2), method, outputs[-1], truth, constants)


def _distance(x: Array, truth: Array, seed: int, method: str) -> Truth:
    """W2 between the laws of two samples; in one dimension the sliced distance is W2, in more d^(1/2) times it is at most W2."""
    if method == "transport":
        found, factor = w2_samples(x, truth), 1.0
    else:
        found = sliced_w2(x, truth, PROJECTIONS if method == "sliced" else 10, seed)
        factor = float(np.sqrt(x.shape[1]))
    return Truth(factor * found.value, factor * found.lower, factor * found.upper, exact=False, sampled=True)


def _constants(run: Run) -> tuple[Array, Array, Array]:
    """L_f, eps_sc and eps_cm of every step (N,), measured along exact trajectories (theory 3.1). Rare events may be missed.

    A later evaluation at t_hat adds the L2 constant between the output so far and its exact partner, noised with the same noise:
    the recursion of theory 3.5 holds along this coupling.
    """
    world, nodes, runner, count = run.world, run.nodes, run.runner, len(run.nodes) - 1
    rng = np.random.default_rng([run.seed, 2])
    x_0 = world.sample(run.trajectories, seed=rng)
    z = rng.standard_normal(x_0.shape)
    path = runner.exact_path(x_0, z)
    others = runner.beside(path, (float(noise(nodes[-1])) if run.start == "matched" else 1.0) * z)
    images = runner.images(others)
    exact_images = [path[0] + shift for shift in runner.shifts] if runner.exact else runner.images(path)
    consistency = np.full(count, norm(run.drift))
    if runner.exact:
        consistency = np.array([rms(exact_images[n + 1] - images[n]) for n in range(count)]) / np.diff(nodes)
    lipschitz = np.array([quotient(images[n] - exact_images[n], others[n], path[n]) for n in range(1, count + 1)])
    x, y = path[0], images[-1]
    for i in run.indices:
        gap = nodes[i] - nodes[0]
        z = rng.standard_normal(x.shape)
        x, y = (signal(gap) * points + noise(gap) * z for points in (x, y))
        image = runner.student(y, i)
        lipschitz[i - 1] = max(lipschitz[i - 1], quotient(image - runner.student(x, i), y, x))
        x, y = world.flow(x, nodes[i], nodes[0]), image
    return lipschitz, np.full(count, norm(run.push)), consistency


def _corrected_samples(run: Run, x: Array, score: Score) -> Array:
    assert run.correction is not None
    (kind, k), rng = run.correction, np.random.default_rng([run.seed, 3])
    if kind == "smoothing":
        return smooth(x, k["u"], rng)
    if kind == "overdamped":
        return overdamped(x, score, k["step"], int(k["steps"]), rng)
    return underdamped_samples(x, score, k["friction"], k["step"], int(k["steps"]), rng)


def _corrected_law(run: Run, law: Law, score: Affine) -> Law:
    assert run.correction is not None
    kind, k = run.correction
    if kind == "smoothing":
        return law.noised(float(signal(k["u"])), float(noise(k["u"])))
    if kind == "underdamped":
        return underdamped(law, score, friction=k["friction"], step=k["step"], steps=int(k["steps"]))
    drift = Affine(np.eye(run.world.d) + k["step"] * score.matrix, k["step"] * score.shift)
    for _ in range(int(k["steps"])):
        law = law.through(drift).noised(1.0, float(np.sqrt(2 * k["step"])))
    return law
