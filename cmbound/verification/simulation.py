"""A sampler run on a law whose truth is known: measured W2 beside the bound (theory 3.5 and 4).

In the Gaussian world every law of the run is Gaussian: W2 and the constants are exact. On a mixture or a data set W2 is estimated
from samples, and L_f are the L2 constants along exact trajectories, measured: the proofs of theory 3.1 and 3.5 need only those.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from cmbound.distances import MAX_TRANSPORT, sliced_w2, w2_samples
from cmbound.distances.scaling import norm, rms
from cmbound.errors import DomainError, InputError, UnknownNameError
from cmbound.evaluation.records import Evaluation
from cmbound.evaluation.statement import theorem
from cmbound.frozen import FrozenDict, Record
from cmbound.sampling import CLOCKS, STARTS, overdamped, sample_every_step, smooth, underdamped as underdamped_samples
from cmbound.theory.notation import COUNT, Domain
from cmbound.theory.profiles import profile as profile_of
from cmbound.verification.affine import Affine, Law, Pipeline, composed, exact_score, flow, teacher_steps, underdamped
from cmbound.verification.instances import SkippedError, Truth
from cmbound.verification.request import COUNT_OF_STEPS, ends, in_clock, later_times, number_in, parse_corrector, run_nodes
from cmbound.verification.runner import Runner
from cmbound.verification.settings import law_constants, parameters
from cmbound.worlds.gaussian import Gaussian
from cmbound.worlds.mixture import Mixture
from cmbound.worlds.process import noise, signal

Array = npt.NDArray[np.float64]
Progress = Callable[[int], object]
Map = Callable[[Array, int], Array]
Score = Callable[[Array], Array]

CHOICES: Mapping[str, tuple[str, ...]] = FrozenDict(
    {
        "grid": ("geometric", "uniform", "edm", "two-stage"),
        "teacher": ("ddim", "exponential-integrator"),
        "student": ("distilled", "exact"),
        "start": STARTS,
        "clock": CLOCKS,
        "to": ("p_data", "p_delta"),
    }
)
DEFAULT_N, DEFAULT_N_SAMPLED = 10_000, 2000
TRAJECTORIES = (128, 1000)
"""Exact trajectories the L2 constants are measured on: fewest (1000 points or more), most (128 or fewer)."""
PROJECTIONS = 100
_NUMBERS = 10**8
"""Numbers in the samples, at most."""
MOST_STORED, MOST_OPERATIONS = 5 * 10**8, 1e15
"""Of :attr:`Run.stored` (4 GB) and of :attr:`Run.operations` (some days on one core)."""
_FLOW, _MATRICES, _EXPONENTIAL, _TRANSPORT = 35, 40, 30, 2000
"""Scores in the flow from node to node; products of matrices a node; multiplications in the time of an exponential; and those
behind a pair of points in optimal transport. Measured, for :attr:`Run.operations`."""
_ERROR = Domain(low=0, high=10**6)


# --- records --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Run(Record):
    """What is run, checked. Errors are vectors (d,): the score is off by ``push``, f_theta(., t) by (t - delta) ``drift``.

    Attributes:
        nodes: OU times t_0 < ... < t_N, the evaluation times among them.
        indices: the nodes of the evaluations after the first.
        corrector: name and numbers (OU units) of the corrector, or None.
    """

    world: Gaussian | Mixture
    nodes: Array
    indices: tuple[int, ...]
    grid: str
    teacher: str
    student: str
    start: str
    clock: str
    to: str
    push: Array
    drift: Array
    corrector: tuple[str, Mapping[str, float]] | None
    n: int
    seed: int
    workers: int

    @property
    def low(self) -> float:
        """Delta."""
        return float(self.nodes[0])

    @property
    def scale(self) -> float:
        """Samples in the units of the clock are this times those in OU units."""
        return float(np.exp(self.low)) if self.clock == "ve" else 1.0

    @property
    def stored(self) -> int:
        """Numbers held at once, roughly: samples after each evaluation, truth, and matrices or trajectories at every node."""
        samples = (len(self.indices) + 4) * self.n * self.world.d
        if isinstance(self.world, Gaussian):
            return samples + 12 * len(self.nodes) * self.world.d**2
        return samples + 4 * len(self.nodes) * trajectories(self.world) * self.world.d

    @property
    def operations(self) -> float:
        """Multiplications, roughly: a few billion take a second."""
        d, count = self.world.d, float(len(self.nodes) - 1)
        evaluated = sum((*self.indices, count)) if self.student == "distilled" else _FLOW * count * (len(self.indices) + 1)
        corrected = 0.0 if self.corrector is None else self.corrector[1].get("steps", 1.0)
        if isinstance(self.world, Gaussian):
            return self.n * d**2 * (len(self.indices) + 1 + corrected) + _MATRICES * count * d**3
        points = self.n * (evaluated + corrected) + trajectories(self.world) * count * (count + _FLOW)
        return len(self.world.means) * points * (d + _EXPONENTIAL) + (len(self.indices) + 1) * _TRANSPORT * min(self.n, 2000) ** 2


@dataclass(frozen=True, eq=False)
class Evaluated(Record):
    """One evaluation: its number, its time (noise level in the ``ve`` clock), measured W2, the bound and its terms.

    The interval of ``w2`` holds rounding errors if it is exact, and is an asymptotic one of 95% confidence if not.
    """

    k: int
    time: float
    w2: Truth
    bound: float
    terms: Mapping[str, float]

    @property
    def ratio(self) -> float | None:
        """Measured W2 over the bound (None if the bound is 0)."""
        return self.w2.value / self.bound if self.bound > 0 else None

    @property
    def violated(self) -> bool:
        """Whether the lower end of W2 is above the bound."""
        return self.w2.lower > self.bound


@dataclass(frozen=True, eq=False)
class Simulation(Record):
    """A run of the sampler beside its bound, in the units of its clock.

    Attributes:
        run: what was run.
        steps: the evaluations in order.
        corrected: W2 after the corrector, which no bound covers (None: no corrector).
        method: how W2 was measured: ``exact``, ``samples`` (one dimension), ``transport`` or ``sliced``.
        parameters: what ``explicit-multistep`` was evaluated with (L_f, eps_sc, eps_cm: one number for each step).
        evaluation: the bound after the last evaluation.
        samples: output of the run, the corrector included, shape (n, d).
        truth: independent samples of the target, shape (n, d).
    """

    run: Run
    steps: tuple[Evaluated, ...]
    corrected: Truth | None
    method: str
    parameters: Mapping[str, Any]
    evaluation: Evaluation
    samples: Array = field(repr=False)
    truth: Array = field(repr=False)

    @property
    def exact(self) -> bool:
        """Whether W2 and the constants are exact (else measured on samples)."""
        return self.method == "exact"

    @property
    def violations(self) -> tuple[int, ...]:
        """Numbers of the evaluations whose measured W2 is above the bound."""
        return tuple(x.k for x in self.steps if x.violated)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must be told besides the numbers."""
        from cmbound.output.simulation import notes

        return notes(self)

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready data, without the samples."""
        from cmbound.output.simulation import simulation_data

        return simulation_data(self)


# --- a run ----------------------------------------------------------------------------------------------------------


def simulate(
    world: Gaussian | Mixture,
    *,
    steps: Any = None,
    times: Sequence[Any] | None = None,
    delta: Any = None,
    horizon: Any = None,
    grid: str = "geometric",
    grid_steps: Any = 50,
    teacher: str = "ddim",
    student: str = "distilled",
    start: str = "standard",
    clock: str = "ou",
    to: str = "p_data",
    eps_sc: Any = 0,
    eps_cm: Any = 0,
    corrector: str | None = None,
    n: Any = None,
    seed: Any = 0,
    profile: str = "auto",
    workers: Any = 1,
    progress: Progress | None = None,
) -> Simulation:
    """Run the sampler on a law whose truth is known and set measured W2 beside the bound.

    ``times``, ``delta`` and ``horizon`` are OU times, or noise levels in the ``ve`` clock; evaluation times become grid nodes.

    Args:
        world: the data law; exact for :class:`Gaussian`, sampled for :class:`Mixture` and its subclass ``Atoms``.
        steps: number of evaluations, 1 to 10000; default 1, or one more than ``times``.
        times: of the evaluations after the first, each in (delta, horizon]; default: noise levels falling geometrically from the
            horizon to t = 1/2 (to the geometric mean of the ends if 1/2 is not between them).
        delta: early stopping, t >= 1e-12; default t = 1e-3.
        horizon: T in (delta, 350]; default t = 4.
        grid, grid_steps: kind of grid, and its steps before times are inserted (``two-stage``: the largest is (T - delta)/steps).
        teacher: ``ddim`` or ``exponential-integrator``.
        student: ``distilled``, the teacher run down to delta; or ``exact``, the exact consistency function.
        start, clock, to, profile: as for ``explicit-multistep``.
        eps_sc: size of a constant error of the teacher's score, along (1, ..., 1), in OU units, in [0, 1e6).
        eps_cm: the student is off by eps_cm (t - delta) along (1, ..., 1), in OU units, in [0, 1e6).
        corrector: ``smoothing:u=...``, ``overdamped:step=...,steps=...`` or ``underdamped:friction=...,step=...,steps=...``, in
            the units of the clock, with the teacher's score at delta; it runs after the last evaluation.
        n: number of samples; default 10000 in the Gaussian world, else 2000 (at least 20 there).
        seed: integer >= 0.
        workers: threads of the sampler; no effect on the result.
        progress: called with 1 after each part of the work.

    Raises:
        InputError: something not understood, of the wrong type, or a profile that is not available.
        DomainError: a number outside its domain, or a run that would hold more than 5e8 numbers or take more than 1e15
            multiplications; it is refused before anything is computed.
    """
    return carried_out(
        planned(
            world,
            steps=steps,
            times=times,
            delta=delta,
            horizon=horizon,
            grid=grid,
            grid_steps=grid_steps,
            teacher=teacher,
            student=student,
            start=start,
            clock=clock,
            to=to,
            eps_sc=eps_sc,
            eps_cm=eps_cm,
            corrector=corrector,
            n=n,
            seed=seed,
            profile=profile,
            workers=workers,
        ),
        profile=profile,
        progress=progress,
    )


def planned(
    world: Gaussian | Mixture,
    *,
    steps: Any = None,
    times: Sequence[Any] | None = None,
    delta: Any = None,
    horizon: Any = None,
    grid: str = "geometric",
    grid_steps: Any = 50,
    teacher: str = "ddim",
    student: str = "distilled",
    start: str = "standard",
    clock: str = "ou",
    to: str = "p_data",
    eps_sc: Any = 0,
    eps_cm: Any = 0,
    corrector: str | None = None,
    n: Any = None,
    seed: Any = 0,
    profile: str = "auto",
    workers: Any = 1,
) -> Run:
    """The run that :func:`simulate` carries out, checked; nothing is computed. Arguments and errors as there."""
    chosen = {"grid": grid, "teacher": teacher, "student": student, "start": start, "clock": clock, "to": to}
    for name, value in chosen.items():
        if value not in CHOICES[name]:
            raise UnknownNameError(name, value, CHOICES[name])
    if profile != "auto":
        profile_of(profile)
    if not isinstance(world, Gaussian | Mixture):
        raise InputError(f"world is {type(world).__name__}; Gaussian, Mixture or Atoms is needed")
    low, high = ends(delta, horizon, clock)
    nodes, indices = run_nodes(
        grid, int(number_in("grid_steps", grid_steps, COUNT_OF_STEPS)), low, high, later_times(times, steps, low, high, clock)
    )
    least, usual = (1, DEFAULT_N) if isinstance(world, Gaussian) else (20, DEFAULT_N_SAMPLED)
    along = np.ones(world.d) / np.sqrt(world.d)
    found = Run(
        world=world,
        nodes=nodes,
        indices=indices,
        **chosen,
        push=float(number_in("eps_sc", eps_sc, _ERROR)) * along,
        drift=float(number_in("eps_cm", eps_cm, _ERROR)) * along,
        corrector=None if corrector is None else parse_corrector(corrector, float(np.exp(low)) if clock == "ve" else 1.0),
        n=usual if n is None else int(number_in("n", n, Domain(low=least, high=_NUMBERS // world.d + least, integer=True))),
        seed=int(number_in("seed", seed, Domain(low=0, integer=True))),
        workers=int(number_in("workers", workers, COUNT)),
    )
    if found.stored > MOST_STORED:
        raise DomainError(
            f"this run would hold {found.stored:.1e} numbers at once; at most {MOST_STORED:.0e} ({MOST_STORED * 8 // 10**9} GB) "
            "are allowed: use fewer samples, evaluations, steps of the grid or dimensions"
        )
    if found.operations > MOST_OPERATIONS:
        raise DomainError(
            f"this run would take {found.operations:.1e} multiplications; at most {MOST_OPERATIONS:.0e} (days) are allowed: use "
            "fewer samples, data points, evaluations or steps of the grid"
        )
    return found


def carried_out(run: Run, *, profile: str = "auto", progress: Progress | None = None) -> Simulation:
    """Carry out a run; arguments and errors as for :func:`simulate`."""
    world, clock = run.world, run.clock
    try:
        with np.errstate(all="ignore"):
            advance = progress or (lambda x: None)
            found = _gaussian(run, world, advance) if isinstance(world, Gaussian) else _sampled(run, world, advance)
    except np.linalg.LinAlgError:
        raise DomainError("the covariances of this run do not fit float64: use a larger delta or smaller numbers") from None
    except MemoryError:
        raise DomainError("this run does not fit the memory: use fewer samples, steps or dimensions") from None
    params = _parameters(run, found, profile)
    evaluation = replace(theorem("explicit-multistep").evaluate(**params), unused=())  # measured here, not given
    evaluations = tuple(
        Evaluated(x.k, in_clock(x.t, clock), w2, x.value, {name: term.value for name, term in x.terms.items()})
        for x, w2 in zip(evaluation.steps or (), found.w2, strict=False)
    )
    corrected = None if run.corrector is None else found.w2[-1]
    return Simulation(run, evaluations, corrected, found.method, params, evaluation, run.scale * found.samples, found.truth)


@dataclass(frozen=True, eq=False)
class _Measured(Record):
    """W2 after each evaluation (and the corrector), how, samples, truth, and L_f, eps_sc and eps_cm of every step (N,)."""

    w2: tuple[Truth, ...]
    method: str
    samples: Array
    truth: Array
    constants: tuple[Array, Array, Array]


def _parameters(run: Run, found: _Measured, profile: str) -> dict[str, Any]:
    """What explicit-multistep is evaluated with."""
    count = len(run.nodes) - 1
    choices: dict[str, Any] = {name: getattr(run, name) for name in CHOICES}
    choices |= {"constants": "lists", "t_star": "0", "profile": profile, "times": [i / count for i in run.indices]}
    if not all(np.isfinite(x).all() for x in found.constants):
        raise DomainError("the constants of this run do not fit float64: use a smaller horizon or smaller errors")
    law = law_constants(theorem("explicit-multistep"), run.world, run.nodes, choices)
    try:
        params = parameters(theorem("explicit-multistep"), choices, run.nodes, law, *found.constants)
    except SkippedError as error:
        raise InputError(str(error)) from None
    if not run.indices:
        params = {name: x for name, x in params.items() if name not in ("times", "sigmas")} | {"k": 1}
    return params


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


# --- the Gaussian world ---------------------------------------------------------------------------------------------


def _gaussian(run: Run, world: Gaussian, advance: Progress) -> _Measured:
    nodes = run.nodes
    shape = (len(nodes), world.d, world.d)
    score = exact_score(world, nodes) + Affine(np.zeros(shape), np.broadcast_to(run.push, shape[:2]))
    exactly = run.student == "exact"
    student = flow(world, nodes, nodes[0]) if exactly else composed(teacher_steps(nodes, run.teacher, score))
    student = student + Affine(np.zeros(shape), (nodes - run.low)[:, None] * run.drift)
    outputs = _outputs(run, lambda x, i: _image(student[i], x), lambda x: _image(score[0], x))
    advance(1)
    pipe = Pipeline(world, nodes, run.teacher, score, student)
    laws = [pipe.first(run.start)]
    for i in run.indices:
        laws.append(pipe.again(laws[-1], i))
    if run.corrector is not None:
        laws.append(_corrected_law(run, laws[-1], score[0]))
    target = pipe.data() if run.to == "p_data" else pipe.law(0).scaled(run.scale)
    size = run.scale * max(x.size for x in laws) + target.size
    if not size < np.inf:
        raise DomainError("the laws of this run do not fit float64: use a smaller step, horizon or error")
    w2 = tuple(Truth.rounded(x.scaled(run.scale).w2(target), size) for x in laws)
    constants = pipe.lipschitz, pipe.score_error[1:], pipe.consistency_error
    advance(1)
    return _Measured(w2, "exact", outputs[-1], _truth(run), constants)


def _image(f: Affine, x: Array) -> Array:
    """Rows (n, d) through one affine map."""
    return np.asarray(x @ f.matrix.T + f.shift)


# --- any other world ------------------------------------------------------------------------------------------------


def _sampled(run: Run, world: Mixture, advance: Progress) -> _Measured:
    runner = Runner(world, run.nodes, run.teacher, run.push, run.drift)

    def student(x: Array, i: int) -> Array:
        if run.student == "distilled":
            return runner.student(x, i)
        return np.asarray(world.flow(x, run.nodes[i], run.low) + (run.nodes[i] - run.low) * run.drift)

    outputs = _outputs(run, student, lambda x: world.score(x, run.low) + run.push)
    advance(1)
    truth, method, w2 = _truth(run), _method(run), []
    for x in outputs:
        w2.append(_distance(run.scale * x, truth, run.seed, method))
        advance(1)
    lipschitz, consistency = _constants(run, runner, student)
    advance(1)
    errors = np.full(len(lipschitz), norm(run.push))
    return _Measured(tuple(w2), method, outputs[-1], truth, (lipschitz, errors, consistency))


def _method(run: Run) -> str:
    if run.world.d == 1:
        return "samples"
    return "transport" if run.n <= MAX_TRANSPORT and find_spec("ot") is not None else "sliced"


def _distance(x: Array, truth: Array, seed: int, method: str) -> Truth:
    """W2 between the laws of two samples; in one dimension the sliced distance is W2, in more d^(1/2) times it is at most W2."""
    if method == "transport":
        found, factor = w2_samples(x, truth), 1.0
    else:
        found = sliced_w2(x, truth, PROJECTIONS if method == "sliced" else 10, seed)
        factor = float(np.sqrt(x.shape[1]))
    return Truth(factor * found.value, factor * found.lower, factor * found.upper, exact=False, sampled=True)


def trajectories(world: Mixture) -> int:
    """How many exact trajectories the L2 constants are measured on."""
    few, most = TRAJECTORIES
    return max(few, min(most, few * most // len(world.means)))


def _constants(run: Run, runner: Runner, student: Map) -> tuple[Array, Array]:
    """L_f and eps_cm of every step (N,), measured along exact trajectories (theory 3.1). Rare events may be missed.

    A later evaluation at t_hat adds the L2 constant between the output so far and its exact partner, noised with the same noise:
    the recursion of theory 3.5 holds along this coupling.
    """
    world, nodes, count = run.world, run.nodes, len(run.nodes) - 1
    rng = np.random.default_rng([run.seed, 2])
    x_0 = world.sample(trajectories(runner.world), seed=rng)
    z = rng.standard_normal(x_0.shape)
    path = [signal(nodes[-1]) * x_0 + noise(nodes[-1]) * z]
    for n in range(count - 1, -1, -1):
        path.append(world.flow(path[-1], nodes[n + 1], nodes[n]))
    path.reverse()
    beginning = (float(noise(nodes[-1])) if run.start == "matched" else 1.0) * z
    others = [*(runner.step(path[n + 1], n)[0] for n in range(count)), beginning]
    images = [others[0], *_images(run, runner, others)]
    if run.student == "exact":
        true_images = [path[0] + (t - run.low) * run.drift for t in nodes]
        consistency = np.array([rms(true_images[n + 1] - images[n]) for n in range(count)]) / np.diff(nodes)
    else:
        true_images = [path[0], *_images(run, runner, path)]
        consistency = np.full(count, norm(run.drift))
    lipschitz = np.array([_slope(images[n] - true_images[n], others[n], path[n]) for n in range(1, count + 1)])
    x, y = path[0], images[-1]
    for i in run.indices:
        gap = nodes[i] - nodes[0]
        z = rng.standard_normal(x.shape)
        x, y = (signal(gap) * points + noise(gap) * z for points in (x, y))
        image = student(y, i)
        lipschitz[i - 1] = max(lipschitz[i - 1], _slope(image - student(x, i), y, x))
        x, y = world.flow(x, nodes[i], nodes[0]), image
    return lipschitz, consistency


def _images(run: Run, runner: Runner, points: Sequence[Array]) -> list[Array]:
    """f_theta(points[n], t_n) for n = 1..N, all in one go."""
    nodes, shifts = run.nodes, (run.nodes[1:] - run.low)[:, None, None] * run.drift
    if run.student == "exact":
        return list(run.world.flow(np.stack(points[1:]), nodes[1:, None], run.low) + shifts)
    moving = np.empty((0, run.world.d))
    for n in range(len(nodes) - 2, -1, -1):
        moving = runner.step(np.concatenate([moving, points[n + 1]]), n)[0]
    return list(moving.reshape(len(nodes) - 1, -1, run.world.d)[::-1] + shifts)


def _slope(image: Array, x: Array, y: Array) -> float:
    """L2 norm of ``image`` over that of x - y; 1 where x and y agree up to rounding."""
    apart = rms(x - y)
    return rms(image) / apart if apart > 1e-13 * rms(y) else 1.0


# --- correctors -----------------------------------------------------------------------------------------------------


def _corrected_samples(run: Run, x: Array, score: Score) -> Array:
    assert run.corrector is not None
    (kind, k), rng = run.corrector, np.random.default_rng([run.seed, 3])
    if kind == "smoothing":
        return smooth(x, k["u"], rng)
    if kind == "overdamped":
        return overdamped(x, score, k["step"], int(k["steps"]), rng)
    return underdamped_samples(x, score, k["friction"], k["step"], int(k["steps"]), rng)


def _corrected_law(run: Run, law: Law, score: Affine) -> Law:
    assert run.corrector is not None
    kind, k = run.corrector
    if kind == "smoothing":
        return law.noised(float(signal(k["u"])), float(noise(k["u"])))
    if kind == "underdamped":
        return underdamped(law, score, friction=k["friction"], step=k["step"], steps=int(k["steps"]))
    drift = Affine(np.eye(run.world.d) + k["step"] * score.matrix, k["step"] * score.shift)
    for _ in range(int(k["steps"])):
        law = law.through(drift).noised(1.0, float(np.sqrt(2 * k["step"])))
    return law
