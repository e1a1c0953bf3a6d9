"""What does theory guarantee for a model at hand? (theory 5)"""

from __future__ import annotations

import hashlib
import math
import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import scipy

from cmbound import __version__
from cmbound.certification import adapters
from cmbound.certification.advice import advised, found_wrong
from cmbound.certification.apriori import a_priori
from cmbound.certification.attack import attacked
from cmbound.certification.bounds import CONDITIONAL, Root, added, exact, root
from cmbound.certification.certificate import Baselines, Certificate, Judged, Level, Rung
from cmbound.certification.distance import BATCHES, Effort, Enclosure, batch_costs, enclosure, transport
from cmbound.certification.laws import DataLaw, Law, WorldLaw, law_of
from cmbound.certification.models import Denoiser, Model
from cmbound.certification.request import Request, per_level
from cmbound.certification.teachers import solver as solver_of
from cmbound.certification.telescope import SUMMED, TERMS, TINY, Sampled, Setup, generate, roots, sampled, stream
from cmbound.checks import checked_count, shown
from cmbound.distances.samples import ASYMPTOTIC, GUARANTEED
from cmbound.errors import DomainError, InputError
from cmbound.worlds import read_data
from cmbound.worlds.base import Array
from cmbound.worlds.process import time_of

Progress = Callable[[str, int, int], object]
"""Told what is being done, how much of it is done, and out of how much."""

KEPT = 400
"""Samples of the model and of the data that a certificate keeps, for its page."""
FRESH_BATCHES = 3  # of the reference law itself: a baseline, not a bound
LOCAL = ("score", "discretisation")
"""Errors of the teacher's step, which the model passes on."""
MOST_HELD_OUT = 1000  # held-out points in one exact transport


def certify(
    model: Any,
    *,
    data: Any,
    sigmas: Any,
    teacher: Any = None,
    n: int = 20_000,
    confidence: float = 0.99,
    clip: tuple[float, float] | None = None,
    seed: int = 0,
    solver: Any = "euler",
    teacher_output: str = "denoiser",
    clock: str = "ve",
    times: Any = (),
    L_f: Any = None,
    eps_sc: Any = None,
    eps_cm: Any = None,
    held_out: Any = None,
    budget: float | None = None,
    batches: int | None = None,
    distance_batch: int | None = None,
    shape: tuple[int, ...] | None = None,
    batch: int = 4096,
    dtype: str = "float64",
    tolerance: float = Request.tolerance,
    profile: str = "auto",
    renoise: Any = None,
    population: bool = False,
    workers: int = 1,
    progress: Progress | None = None,
) -> Certificate:
    """A two-sided, finite-sample enclosure of W2 between what a model generates and the data, and where its error is made.

    The model is used as a function f(x, sigma): x a float array (n, d), sigma a noise level; x_0 + sigma z is what it is trained
    on. No Lipschitz constant and no property of the data is assumed, and ``distance`` needs neither a teacher nor an ODE.

    Args:
        model: a callable f(x, sigma), a PyTorch module, ``FILE.py:NAME`` (the file is run) or ``FILE.onnx``.
        data: the reference law: points (n, d), a .npy, .npz or .csv file, a :class:`Gaussian`, a :class:`Mixture`.
        sigmas: increasing noise levels sigma_0 < ... < sigma_N, or a :class:`Grid` of them.
        teacher: as ``model``; None: consistency training, no teacher.
        n: number of exact trajectories, and of samples behind the lower side of the distance.
        confidence: that everything that is claimed holds, jointly.
        clip: two numbers: every coordinate of an output is clipped to that interval, which must hold the data. Then results are
            ``guaranteed``; else they are ``asymptotic``.
        seed: of everything random.
        solver: ``euler`` (``ddim``), ``heun``, ``exponential-integrator``, ``dpm-solver-2``, or a callable step(denoise, x, high,
            low).
        teacher_output: ``denoiser``, ``score``, ``noise`` or ``velocity``.
        clock: ``ve``; or ``ou``: model and teacher are asked at x/(1 + sigma^2)^{1/2} and t = log(1 + sigma^2)/2, and outputs of
            the model are multiplied by (1 + sigma_0^2)^{1/2}.
        times: noise levels of further evaluations.
        L_f: a claimed Lipschitz constant of f(., sigma), or one for each noise level from sigma_0 on; eps_sc, eps_cm: claimed
            errors in the same units as ``levels``, or one for each step from the lowest on. Claims are first tried to be refuted.
        held_out: points (m, d) or a file of fresh data, or a fraction of ``data`` that is kept apart.
        budget: seconds for the batches of exact transport, in the place of ``batches``.
        batches, distance_batch: number and size of these batches (a size of its own needs POT, extra ``pot``).
        shape: of one point, such as (3, 32, 32), if the model wants images; data are flattened.
        batch: most rows of one call of the model.
        dtype: of the arrays the model is asked with.
        tolerance: of the exact trajectories, relative to the scale of the data plus the noise level.
        profile: regularity profile of the a priori rung.
        renoise: how the model's own sampler noises back, renoise(y, tau, z); default y + (tau^2 - sigma_0^2)^{1/2} z.
        population: the data are a sample, and the distance is to the law behind them: from above only, by two samples. The rungs
            stay about the data.
        workers: threads, one block of paths each (the model must bear it).
        progress: called with what is being done, how much of it is done, and out of how much.

    Raises:
        InputError: something that cannot be read or understood, or a model that does not keep to the protocol.
        DomainError: a number outside its domain, data outside ``clip``.

    >>> import cmbound, numpy as np
    >>> law = cmbound.Gaussian([0.0], 1.0)
    >>> model = lambda x, sigma: x * np.sqrt((1 + 0.1**2) / (1 + sigma**2))  # the exact consistency function
    >>> cert = cmbound.certify(model, data=law, sigmas=cmbound.Grid.edm(0.1, 10, 5), n=1000)
    >>> cert.distance.lower <= 0.01 <= cert.distance.upper < 0.3
    True
    >>> list(cert.rungs)
    ['direct', 'attributed', 'stepwise', 'local']
    """
    found, kept, labels = _data(data, held_out)
    law = law_of(found)
    name, step = solver_of(solver)
    request = Request(
        model=_label(model), data=labels[0], held_out=labels[1], sigmas=sigmas, teacher=_label(teacher),
        renoise=_label(renoise), n=n, confidence=confidence, clip=clip, seed=seed, solver=name, teacher_output=teacher_output,
        clock=clock, times=times, shape=shape, batch=batch, batches=batches, distance_batch=distance_batch, tolerance=tolerance,
        dtype=dtype, profile=profile, fingerprint=_fingerprint(law), population=bool(population),
    )  # fmt: skip
    request = replace(request, claims=_claims(request, L_f, eps_sc, eps_cm, teacher))
    most = _most(law, request.clip, request.population)
    factor = math.hypot(1, request.sigmas[0]) if request.clock == "ou" else 1.0
    common: dict[str, Any] = {"batch": request.batch, "clock": request.clock, "dtype": request.dtype}
    student = Model(adapters.loaded(model, "model", request.shape), law.d, "model", clip=request.clip, factor=factor, **common)
    known = None
    if teacher is not None:
        teaching = Model(adapters.loaded(teacher, "teacher", request.shape), law.d, "teacher", **common)
        known = Denoiser(teaching, request.teacher_output)
    noising = None if renoise is None else adapters.loaded_renoise(renoise)
    setup = Setup(student, known, law, np.array(request.sigmas), step, request.seed, request.tolerance, request.times, noising)
    _probe(setup)
    return _certified(request, setup, most, kept, budget, checked_count("workers", workers), progress or (lambda *x: None))


def _certified(
    request: Request, setup: Setup, most: float | None, kept: Array | None, budget: float | None, workers: int, progress: Progress
) -> Certificate:
    law, alpha = setup.law, 1 - request.confidence
    done = 0.0

    def advance(rows: float) -> None:
        nonlocal done
        done += rows
        progress("exact trajectories", int(done), request.n)

    paths = sampled(setup, request.n, workers=workers, progress=advance)
    refutations = attacked(request, setup, paths, alpha)
    evaluations = len(request.times) + 1
    distances = []
    effort = Effort(request.n, request.batches or BATCHES, budget, request.distance_batch, request.population, request.seed)
    for k in range(1, evaluations + 1):
        progress("distances", k - 1, evaluations)
        distances.append(enclosure(partial(generate, setup, k), law, alpha / 2 / evaluations, most, effort))
    progress("distances", evaluations, evaluations)
    request = replace(request, batches=distances[0].batches)
    ladder = _Ladder(request, setup, paths, alpha / 2, most)
    rungs, notes = ladder.rungs({x.name for x in refutations})
    baselines = _baselines(law, distances[0], kept, request)
    judged = _judged(request, paths, distances, rungs["direct"], ladder)
    levels = _levels(request, setup, paths, ladder)
    terms = {name: ladder.terms[name].estimate for name in TERMS}
    return Certificate(
        request, law.described(), distances[0], rungs, terms, levels, judged, baselines,
        advised(request, terms, levels, judged), found_wrong(request, law, terms, levels, judged), tuple(refutations),
        (*_told(request, paths, ladder), *notes), ladder.ode_error, versions(),
        paths.outputs[:KEPT], law.draw(KEPT, stream(request.seed, 9)),
    )  # fmt: skip


# --- what was given ---------------------------------------------------------------------------------------------------


def _label(given: Any) -> str:
    if given is None:
        return ""
    if isinstance(given, str | os.PathLike):
        return os.fspath(given)
    name = getattr(given, "__qualname__", type(given).__qualname__)
    return "a callable" if "<lambda>" in name else name


def _data(data: Any, held_out: Any) -> tuple[Any, Array | None, tuple[str, str]]:
    """The reference data, the points kept apart, and what both are called."""
    label = os.fspath(data) if isinstance(data, str | os.PathLike) else type(data).__name__
    found = read_data(os.fspath(data)) if isinstance(data, str | os.PathLike) else data
    if isinstance(found, np.ndarray) and found.ndim > 2:
        found = found.reshape(len(found), -1)
    if held_out is None:
        return found, None, (label, "")
    if isinstance(held_out, str | os.PathLike):
        kept = read_data(os.fspath(held_out))
    elif np.ndim(held_out) == 0:
        return *_split(found, held_out), (label, str(held_out))
    else:
        kept = np.asarray(held_out, dtype=np.float64)
    width = np.shape(found)[-1] if not hasattr(found, "d") else found.d
    kept = kept.reshape(len(kept), -1)
    if kept.shape[1] != width or len(kept) < 2 or not np.isfinite(kept).all():
        raise InputError(f"held_out has shape {kept.shape}; finite points (m, {width}), m >= 2, are needed")
    return found, kept, (label, os.fspath(held_out) if isinstance(held_out, str | os.PathLike) else "an array")


def _split(data: Any, fraction: Any) -> tuple[Array, Array]:
    """A fraction of the points kept apart, chosen by a permutation with a seed of its own."""
    try:
        share = float(fraction)
    except (TypeError, ValueError):
        raise InputError(f"held_out is {shown(fraction)}; points, a file or a fraction in (0, 1) is needed") from None
    if not 0 < share < 1:
        raise DomainError(f"held_out is {fraction}; a fraction must lie in (0, 1)")
    if hasattr(data, "d"):
        raise InputError("held_out is a fraction, but the reference law is no data set")
    points = np.asarray(data, dtype=np.float64)
    order = np.random.default_rng(0).permutation(len(points))
    count = round(share * len(points))
    if count < 2 or len(points) - count < 2:
        raise DomainError(
            f"held_out is {fraction}, which leaves {count} of {len(points)} points; at least 2 on each side are needed"
        )
    return points[np.sort(order[count:])], points[np.sort(order[:count])]


def _fingerprint(law: Law) -> str:
    parts = (law.points, law.weights) if isinstance(law, DataLaw) else (law.mean, np.array([law.sd2, law.m2]))
    digest = hashlib.sha256()
    for x in parts:
        digest.update(np.ascontiguousarray(x).tobytes())
    return digest.hexdigest()


def _claims(request: Request, L_f: Any, eps_sc: Any, eps_cm: Any, teacher: Any) -> tuple[tuple[str, tuple[float, ...]], ...]:
    if eps_sc is not None and teacher is None:
        raise InputError("eps_sc is claimed, but there is no teacher")
    claims = []
    for name, given, count in (
        ("L_f", L_f, request.steps + 1),
        ("eps_sc", eps_sc, request.steps),
        ("eps_cm", eps_cm, request.steps),
    ):
        if given is not None:
            claims.append((name, per_level(name, given, count, 0.0)))
    return tuple(claims)


def _most(law: Law, clip: tuple[float, float] | None, population: bool) -> float | None:
    """The largest squared distance of a clipped output and a point of the law; None where outputs are not clipped."""
    if clip is None:
        return None
    if not isinstance(law, DataLaw):
        raise DomainError(f"clip is {clip[0]:g}, {clip[1]:g}, but the reference law is {law.described()}, which no box holds")
    low, high = clip
    outside = ((law.points < low) | (law.points > high)).any(axis=1)
    if outside.any():
        row = int(outside.argmax())
        values = law.points[row]
        value = values[(values < low) | (values > high)][0]
        raise DomainError(
            f"clip is {low:g}, {high:g}, but row {row + 1} of the data holds {value:g}: clipping would move the data"
        )
    if population:  # other points of the law may lie anywhere in the box
        return law.d * (high - low) ** 2
    return float(np.square(np.maximum(law.points - low, high - law.points)).sum(axis=1).max())


def _probe(setup: Setup) -> None:
    """The checks of the first batch."""
    law, rng = setup.law, stream(setup.seed, 8)
    sigmas = [float(setup.sigmas[i]) for i in sorted({0, len(setup.sigmas) // 2, len(setup.sigmas) - 1})]
    x = law.draw(16, rng) + sigmas[-1] * rng.standard_normal((16, law.d))
    setup.model.probe(x, sigmas)
    if setup.teacher is not None:
        setup.teacher.model.probe(x, sigmas)


def versions() -> dict[str, str]:
    """The software behind the numbers."""
    return {"cmbound": __version__, "numpy": np.__version__, "scipy": scipy.__version__, "python": platform.python_version()}


# --- the ladder -------------------------------------------------------------------------------------------------------


class _Ladder:
    """The rungs, with the probability of an error shared out among all means."""

    def __init__(self, request: Request, setup: Setup, paths: Sampled, alpha: float, most: float | None) -> None:
        self.request, self.setup, self.paths, self.most = request, setup, paths, most
        n = request.steps
        self.tail = alpha / (len(request.times) + 1 + 5 + 6 * n)
        self.box = None if request.clip is None else setup.law.d * (request.clip[1] - request.clip[0]) ** 2
        self.rounding = TINY * setup.law.sd2
        self.ode_error = 2 * float(roots(paths.apart)) if len(paths.apart) else 0.0
        low = request.sigmas[0]
        root_of = self._root
        self.steps = {name: [root_of(x, self.box) for x in paths.steps[name]] for name in SUMMED}
        # a sum of n differences of clipped outputs has norm at most n times the diameter
        wide = None if self.box is None else n * n * self.box
        self.terms = {name: root_of(paths.terms[name], wide) for name in SUMMED}
        self.terms |= {name: root_of(paths.terms[name], self.box) for name in ("initialisation", "boundary")}
        spread = exact(low * math.sqrt(setup.law.d))
        self.terms["early_stopping"] = Root(float(roots(paths.terms["early_stopping"])), spread.upper, spread.guaranteed)
        self.local = [
            (root_of(a, None), root_of(b, None)) for a, b in zip(paths.local_score, paths.local_discretisation, strict=True)
        ]
        self.lipschitz, self.claimed = self._lipschitz()

    def _root(self, values: Array, most: float | None) -> Root:
        return root(values, self.tail, None if most is None else math.sqrt(most))

    def _lipschitz(self) -> tuple[Array, bool]:
        """A Lipschitz constant at every noise level: claimed, or the largest that was seen."""
        claims = dict(self.request.claims)
        if "L_f" in claims:
            return np.array(claims["L_f"]), True
        seen = np.array([x.quotient for x in self.paths.pairs])
        for j, pair in enumerate(self.local):
            for name, local in zip(LOCAL, pair, strict=True):
                if local.estimate > self.rounding:  # what the proof needs is the root mean square quotient
                    seen[j] = max(seen[j], self.steps[name][j].estimate / local.estimate)
        moved = float(roots(self.paths.x0))
        if moved > self.rounding:
            seen[-1] = max(seen[-1], self.terms["initialisation"].estimate / moved)
        return np.maximum(seen, np.finfo(np.float64).tiny), False

    def rungs(self, refuted: set[str]) -> tuple[dict[str, Rung], list[str]]:
        """The rungs that can be had, and why others cannot."""
        ends = [self.terms["boundary"], self.terms["early_stopping"]]
        early = self.request.sigmas[0] * math.sqrt(self.setup.law.d)
        start = self.terms["initialisation"]
        wider = exact(self.ode_error)
        direct = added([self._root(self.paths.direct, self.most), wider])
        attributed = added([start, *(self.terms[x] for x in SUMMED), *ends, wider])
        stepwise = added([start, *(y for x in SUMMED for y in self.steps[x]), *ends, wider])
        found = {"direct": direct, "attributed": attributed, "stepwise": stepwise}
        firm = not self.claimed or "L_f" in refuted
        local = self._local([*ends, wider])
        rungs = {}
        # a bound of what is larger is a bound of what is smaller; all hold jointly
        low, low_firm = math.inf, math.inf
        for name in reversed(found):
            x = found[name]
            low = min(low, x.upper)
            low_firm = min(low_firm, math.inf if x.guaranteed is None else x.guaranteed)
            trusted = math.isfinite(low_firm)
            rungs[name] = Rung(x.estimate, low_firm if trusted else low, GUARANTEED if trusted else ASYMPTOTIC, low)
        rungs = {name: rungs[name] for name in found}
        trust = CONDITIONAL if firm else ASYMPTOTIC
        above = rungs["stepwise"].asymptotic
        rungs["local"] = Rung(local.estimate, max(local.upper, above), trust, max(local.upper, above))
        last, reason = a_priori(self.request, self.setup, self.local_errors(False), self.terms["boundary"].estimate)
        if last is None:
            return rungs, [f"no a priori rung: {reason}"]
        upper, _ = a_priori(self.request, self.setup, self.local_errors(True), self.terms["boundary"].estimate)
        assert upper is not None
        # the other rungs hold the error of trajectories, and an early stopping that was sampled and may be a little too large
        more = max(0.0, ends[1].estimate - early) + self.ode_error
        top = max(upper, last + more, rungs["local"].upper)
        rungs["a_priori"] = Rung(last + more, top, trust, top)
        return rungs, [f"a priori: {reason}"] if reason else []

    def _local(self, ends: list[Root]) -> Root:
        parts = [exact(float(self.lipschitz[-1]) * self._moment), *self.steps["consistency"], *ends]
        for j, pair in enumerate(self.local):
            constant = float(self.lipschitz[j])
            for name, x in zip(LOCAL, pair, strict=True):
                # what is rounding before the model says nothing of a quotient: it is taken as it comes out of the model
                seen = x.estimate > self.rounding
                parts.append(Root(constant * x.estimate, constant * x.upper) if seen else self.steps[name][j])
        return added(parts)

    @property
    def _moment(self) -> float:
        """What the initialisation moves: m2, or what was seen if that is more."""
        return max(self.setup.law.m2, float(roots(self.paths.x0)))

    def local_errors(self, upper: bool) -> dict[str, Any]:
        """What the a priori statement takes: L_f, eps_sc and eps_cm of every step, from the lowest on."""

        def pick(x: Root) -> float:
            return x.upper if upper else x.estimate

        nodes = time_of(np.array(self.request.sigmas))
        error = [self._root(x, None) for x in self.paths.score_error]
        return {
            "L_f": self.lipschitz[1:],
            "eps_sc": np.array([pick(x) for x in error]) / np.square(self.request.sigmas[1:]),
            "eps_cm": np.array([pick(x) for x in self.steps["consistency"]]) / np.diff(nodes),
            "m2": self._moment,
        }

    def direct_of(self, values: Array) -> Rung:
        """The direct rung of a further evaluation."""
        x = added([self._root(values, self.most), exact(self.ode_error)])
        firm = x.guaranteed is not None
        return Rung(x.estimate, x.upper if x.guaranteed is None else x.guaranteed, GUARANTEED if firm else ASYMPTOTIC, x.upper)


def _judged(request: Request, paths: Sampled, distances: list[Enclosure], direct: Rung, ladder: _Ladder) -> tuple[Judged, ...]:
    first = Judged(1, request.sigmas[-1], distances[0], direct, {})
    later = [
        Judged(
            k,
            tau,
            distances[k - 1],
            ladder.direct_of(chain["direct"]),
            {x: float(roots(y)) for x, y in chain.items() if x != "direct"},
        )
        for k, (tau, chain) in enumerate(zip(request.times, paths.chain, strict=True), 2)
    ]
    return (first, *later)


def _levels(request: Request, setup: Setup, paths: Sampled, ladder: _Ladder) -> tuple[Level, ...]:
    """One row for each step, from the largest noise level down."""
    sigmas, errors = request.sigmas, ladder.local_errors(False)
    ends = sum(ladder.terms[x].estimate for x in ("initialisation", "boundary", "early_stopping"))
    total = ends + sum(x.estimate for name in SUMMED for x in ladder.steps[name])
    levels = []
    for j in range(request.steps - 1, -1, -1):
        norms = {name: ladder.steps[name][j].estimate for name in SUMMED}
        score, discretisation = (x.estimate for x in ladder.local[j])
        levels.append(
            Level(
                sigmas[j + 1],
                sigmas[j],
                **norms,
                local_score=score,
                local_discretisation=discretisation,
                eps_sc=float(errors["eps_sc"][j]),
                eps_cm=float(errors["eps_cm"][j]),
                quotient=float(paths.pairs[j].quotient),
                share=math.fsum(norms.values()) / total if total else 0.0,
            )
        )
    return tuple(levels)


def _baselines(law: Law, first: Enclosure, kept: Array | None, request: Request) -> Baselines:
    costs = batch_costs(
        lambda m, key: law.draw(m, stream(request.seed, 7, key)), law, FRESH_BATCHES, request.distance_batch, request.seed
    )
    held, size = None, 0
    if kept is not None:
        size = min(len(kept), MOST_HELD_OUT, len(law.points) if isinstance(law, DataLaw) else MOST_HELD_OUT)
        rng = stream(request.seed, 6)
        mine = kept[rng.permutation(len(kept))[:size]]
        theirs = law.points[rng.permutation(len(law.points))[:size]] if isinstance(law, DataLaw) else law.draw(size, rng)
        held = math.sqrt(transport(mine, theirs)[0])
    return Baselines(law.sd2, law.m2, math.sqrt(float(np.mean(costs))), held, first.batch, size)


def _told(request: Request, paths: Sampled, ladder: _Ladder) -> list[str]:
    notes = []
    if adapters.runs_code(request.model) or adapters.runs_code(request.teacher):
        notes.append("the code of the user's Python file was run")
    if isinstance(ladder.setup.law, WorldLaw):
        notes.append("lower side of the distance: a quadratic potential, sharp between Gaussian laws")
    if request.population:
        notes.append("the distance is to the law behind the data, the rungs are to the data themselves")
    if ladder.ode_error:
        notes.append(
            f"exact trajectories: error {ladder.ode_error:.2g}, estimated with half the tolerance, is part of every rung"
        )
    if not ladder.claimed:
        notes.append(
            "Lipschitz constants are the largest quotients seen: the local and the a priori rung are conditional on them"
        )
    if request.clock == "ou":
        notes.append("model in Ornstein-Uhlenbeck time: its outputs are multiplied by (1 + sigma_0^2)^{1/2}")
    return notes


def certified_numbers(x: Certificate) -> Mapping[str, float]:
    """The two ends and the rungs, by name."""
    return {"lower": x.distance.lower, "upper": x.distance.upper, **{name: y.upper for name, y in x.rungs.items()}}
