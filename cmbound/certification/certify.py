"""What does theory guarantee for a model at hand? (theory 5)"""

from __future__ import annotations

import math
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import scipy

from cmbound import __version__
from cmbound.certification import adapters
from cmbound.certification.advice import advised, found_wrong
from cmbound.certification.attack import attacked
from cmbound.certification.certificate import UNSEEN, Baselines, Certificate, Judged, Level, Refutation, Rung
from cmbound.certification.distance import BATCHES, Effort, Enclosure, batch_costs, checked_size, enclosure, transport, unmatched
from cmbound.certification.examples import EXAMPLES, Example, example
from cmbound.certification.given import checked_place, claims_of, fingerprint, label, largest_square, reference, repeated
from cmbound.certification.ladder import Ladder, tail_of
from cmbound.certification.laws import DataLaw, Law, WorldLaw, law_of
from cmbound.certification.models import ASKINGS, PROBED, Denoiser, Model
from cmbound.certification.recognition import misread, rounded, unlike
from cmbound.certification.request import Request
from cmbound.certification.teachers import solver as solver_of
from cmbound.certification.telescope import (
    BASELINES,
    HELD_OUT,
    PROBE,
    SHOWN,
    SUMMED,
    TERMS,
    Sampled,
    Setup,
    block_rows,
    generate,
    roots,
    sampled,
    stream,
)
from cmbound.checks import checked_callable, checked_count, checked_finite, shown
from cmbound.distances import unseen
from cmbound.errors import DomainError, InputError
from cmbound.numbers import counted
from cmbound.reports.words import words
from cmbound.theory.grids import Grid
from cmbound.worlds.base import Array

Progress = Callable[[str, int, int], object]
"""Told what is being done, how much of it is done, and out of how much."""

EXAMPLE_STEPS = 18
"""Steps of the grid of a shipped example: those of a published grid of 18 points, and one more."""
KEPT = 400
"""Samples of the model and of the data that a certificate keeps, for its page."""
PARTS = 10  # of the progress within a distance
FRESH_BATCHES = 3  # of the reference law itself: a baseline, not a bound
MOST_HELD_OUT = 1000  # held-out points in one exact transport


def certify(
    model: Any,
    *,
    data: Any = None,
    sigmas: Any = None,
    teacher: Any = None,
    n: int = 20_000,
    confidence: float = 0.99,
    clip: tuple[float, float] | None = None,
    seed: int = 0,
    solver: Any = None,
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
        model: a callable f(x, sigma), a PyTorch module, ``FILE.py:NAME`` (the file is run), ``FILE.onnx`` (where shapes and
            names of its inputs and outputs leave it open which is which, ``FILE.onnx:X,SIGMA`` or ``FILE.onnx:X,SIGMA,OUTPUT``),
            or a shipped example (``moons``, ``digits``, :func:`cmbound.example`), which has its own data, teacher, noise levels,
            solver and ``clip``.
        data: the reference law: points (n, d), a .npy, .npz or .csv file (of .npz also ``points`` and ``weights``), a
            :class:`Gaussian`, a :class:`Mixture`.
        sigmas: increasing noise levels sigma_0 < ... < sigma_N, or a :class:`Grid` of them.
        teacher: as ``model``; None: consistency training, no teacher.
        n: number of exact trajectories, >= 20; the lower side of the distance has more samples where these are cheap.
        confidence: that everything that is claimed holds, jointly.
        clip: two numbers: every coordinate of an output is clipped to that interval, which must hold the data. Then results are
            ``guaranteed``; else they are ``asymptotic``. A clipped model is no identity outside the box: the terms boundary and
            early stopping are then f(x_delta) - P x_delta and P x_delta - a, with the projection P onto the box.
        seed: of everything random.
        solver: ``euler`` (``ddim``; the default), ``heun``, ``exponential-integrator``, ``dpm-solver-2``, or a callable
            step(denoise, x, high, low).
        teacher_output: what it returns: ``denoiser`` D = E[x_0 | x], ``score`` (D - x)/sigma^2 (in the clock ``ou`` that of p_t),
            ``noise`` (x - D)/sigma, or ``velocity`` (noise - sigma D)/(1 + sigma^2)^{1/2} of v-prediction. Another field, such as
            noise - x_0 of rectified flows or the slope of an ODE, must be converted; answers that fit another are refused.
        clock: ``ve``; or ``ou``: model and teacher are asked at x/(1 + sigma^2)^{1/2} and t = log(1 + sigma^2)/2, and outputs of
            the model are multiplied by (1 + sigma_0^2)^{1/2}.
        times: noise levels of further evaluations.
        L_f: a claimed Lipschitz constant of f(., sigma), or one for each noise level from sigma_0 on; eps_sc, eps_cm: claimed
            errors in the same units as ``levels``, or one for each step from the lowest on. Claims are tried to be refuted; the
            rungs local and a priori rest on an L_f that is not, and no bound rests on eps_sc and eps_cm.
        held_out: points (m, d) or a file of fresh data, or a fraction of ``data`` that is kept apart.
        budget: seconds > 0 for the batches of exact transport, in the place of ``batches``.
        batches, distance_batch: number, >= 3, and size of these batches (a size of its own needs POT, extra ``pot``).
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
    ['direct', 'attributed', 'stepwise', 'local', 'a_priori']
    """
    shipped = _shipped(model)
    if shipped is not None:
        for what, given in (("data", data), ("teacher", teacher)):
            if given is not None:
                raise InputError(f"{what} is not for the example {shipped.name}, which has its own")
        model, teacher, data = shipped.model, shipped.denoiser, shipped.data
        sigmas = Grid.edm(shipped.sigma_min, shipped.sigma_max, EXAMPLE_STEPS) if sigmas is None else sigmas
        clip, solver = shipped.clip if clip is None else clip, shipped.solver if solver is None else solver
    elif data is None or sigmas is None:
        raise InputError(f"certify needs {'data' if data is None else 'sigmas'} (shipped examples: {', '.join(EXAMPLES)})")
    checked_callable("progress", progress)
    _checked_together(teacher, solver if shipped is None else None, teacher_output, renoise, times, budget, batches)
    found, kept, labels = reference(data, held_out)
    law = law_of(found)
    del found  # of a large data file it is a second copy, of a gigabyte
    name, step = solver_of("euler" if solver is None else solver)
    called = (label(model), labels[0], label(teacher)) if shipped is None else (shipped.name,) * 3
    request = Request(
        model=called[0], data=called[1], teacher=called[2], held_out=labels[1], sigmas=sigmas, renoise=label(renoise), n=n,
        confidence=confidence, clip=clip, seed=seed, solver=name, teacher_output=teacher_output, clock=clock, times=times,
        shape=shape, batch=batch, batches=batches, distance_batch=distance_batch, tolerance=tolerance, dtype=dtype,
        profile=profile, fingerprint=fingerprint(law), population=population,
    )  # fmt: skip
    request = replace(request, claims=claims_of(request, L_f, eps_sc, eps_cm, teacher))
    checked_place(law, request.sigmas[0])
    checked_size(law, request.distance_batch, request.population)
    most = largest_square(law, request.clip, request.population)
    factor = 1 / ASKINGS[request.clock].scale(request.sigmas[0])
    common: dict[str, Any] = {"batch": request.batch, "clock": request.clock, "dtype": request.dtype}
    with adapters.evaluating(model, teacher):
        ports: list[str] = []
        asked = partial(adapters.loaded, shape=request.shape, d=law.d, tell=ports.append)
        student = Model(asked(model, "model"), law.d, "model", clip=request.clip, factor=factor, **common)
        known = None
        if teacher is not None:
            teaching = Model(asked(teacher, "teacher"), law.d, "teacher", **common)
            known = Denoiser(teaching, request.teacher_output)
        noising = None if renoise is None else adapters.loaded_function(renoise, "renoise", "renoise(y, tau, z)")
        setup = Setup(
            student, known, law, np.array(request.sigmas), step, request.seed, request.tolerance, request.times, noising
        )
        count = checked_count("workers", workers)
        _probe(setup, request)
        coarse, finely = rounded(setup)
        told = [*ports, *unlike(setup), *repeated(law, kept), *finely]
        return _certified(request, setup, most, kept, budget, count, progress or (lambda *x: None), told, coarse)


def _checked_together(
    teacher: Any, solver: Any, teacher_output: str, renoise: Any, times: Any, budget: Any, batches: Any
) -> None:
    """Arguments that would have no effect, or contradict each other."""
    if teacher is None and solver not in (None, "euler", "ddim"):
        raise InputError(f"solver is {shown(solver)}, but there is no teacher whose step it could be")
    if teacher is None and teacher_output != "denoiser":
        raise InputError(f"teacher_output is {shown(teacher_output)}, but there is no teacher")
    if renoise is not None and isinstance(times, Sequence) and not times:
        raise InputError("renoise is given, but no times: there is one evaluation, and nothing is noised back")
    if budget is not None and batches is not None:
        raise InputError("give either budget or batches: the budget decides how many batches there are")
    if budget is not None and checked_finite("budget", budget) <= 0:
        raise DomainError(f"budget is {budget}; a number of seconds > 0 is needed")


def _shipped(model: Any) -> Example | None:
    """The shipped example that is meant, if one is."""
    return example(model) if isinstance(model, str) and model in EXAMPLES else model if isinstance(model, Example) else None


def _certified(
    request: Request, setup: Setup, most: float | None, kept: Array | None, budget: float | None, workers: int,
    progress: Progress, told: Sequence[str], coarse: Sequence[str],
) -> Certificate:  # fmt: skip
    law, alpha = setup.law, 1 - request.confidence
    done = 0.0

    def advance(rows: float) -> None:
        nonlocal done
        done += rows
        progress("exact trajectories", int(done), request.n)

    paths = sampled(setup, request.n, workers=workers, progress=advance)
    refutations = attacked(request, setup, paths, alpha)
    evaluations = len(request.times) + 1
    distances: list[Enclosure] = []
    rare = unseen(paths.spread, law.sd2)
    outer = []
    effort = Effort(request.n, request.batches or BATCHES, budget, request.distance_batch, request.population, request.seed)
    for k in range(1, evaluations + 1):
        seen = partial(_seen, progress, k - 1, evaluations)
        drawn = partial(generate, setup, k)
        distances.append(enclosure(drawn, law, alpha / 2 / evaluations, most, effort, seen, rare))
        if rare:
            outer.append(unmatched(drawn, law, tail_of(request, alpha / 2), request.n))
    progress("distances", PARTS * evaluations, PARTS * evaluations)
    for judged_by in (setup.model, setup.teacher.model if setup.teacher else None):
        if judged_by is not None:
            judged_by.confirm()
    request = replace(request, batches=distances[0].batches)
    ladder = Ladder(request, setup, paths, alpha / 2, most, {x.name for x in refutations}, outer)
    rungs, notes = ladder.rungs()
    baselines = _baselines(law, distances[0], kept, request)
    judged = _judged(request, paths, distances, rungs["direct"], ladder)
    levels = _levels(request, setup, paths, ladder)
    terms = {name: ladder.terms[name] for name in TERMS}
    wrong, untold = found_wrong(request, setup, terms, levels, judged, paths)
    return Certificate(
        request, law.described(), distances[0], rungs, terms, levels, judged, baselines,
        advised(request, paths, levels, judged), (*_unseen(law, paths, rare), *misread(setup, paths), *coarse, *wrong),
        tuple(refutations),
        (*told, *claimed(request, refutations, rungs), *_told(request, ladder),
         *compared(baselines, distances[0], rungs["direct"]), *notes, *untold),
        ladder.ode_error, versions(),
        paths.outputs[:KEPT], law.draw(KEPT, stream(request.seed, SHOWN)),
    )  # fmt: skip


def _unseen(law: Law, paths: Sampled, rare: bool) -> list[str]:
    """A finding where the paths do not show the variance of the law."""
    if not rare:
        return []
    return [
        f"{UNSEEN}: the starting points of the {counted(len(paths.spread), 'path')} have sd2 = {float(roots(paths.spread)):.4g}, "
        f"the reference law has {law.sd2:.4g}: a few points far away carry the rest and were hardly drawn. No estimate of a rung "
        f"shows them; asymptotic ends rest on sd2 in their place. More paths (n), or data without these points, say more"
    ]


def _seen(progress: Progress, done: int, evaluations: int, share: float) -> None:
    """Progress within the distance of one evaluation: the other side of the enclosure takes about as long as one more part."""
    progress("distances", PARTS * done + int((PARTS - 1) * share), PARTS * evaluations)


def _probe(setup: Setup, request: Request) -> None:
    """The checks of the first batch, at every noise level a model is asked at, in batches as large as those of the run."""
    law, rng = setup.law, stream(setup.seed, PROBE)
    size = max(PROBED, min(request.batch, request.n, block_rows(law.d)))
    x0, z = law.draw(size, rng), rng.standard_normal((size, law.d))
    setup.model.probe(x0, z, sorted({*request.sigmas, *request.times}))
    if setup.teacher is not None:
        setup.teacher.model.probe(x0, z, request.sigmas)


def versions() -> dict[str, str]:
    """The software behind the numbers."""
    return {"cmbound": __version__, "numpy": np.__version__, "scipy": scipy.__version__, "python": platform.python_version()}


def _judged(request: Request, paths: Sampled, distances: list[Enclosure], direct: Rung, ladder: Ladder) -> tuple[Judged, ...]:
    first = Judged(1, request.sigmas[-1], distances[0], direct, {})
    later = [
        Judged(
            k,
            tau,
            distances[k - 1],
            ladder.direct_of(chain["direct"], k),
            {x: float(roots(y)) for x, y in chain.items() if x != "direct"},
        )
        for k, (tau, chain) in enumerate(zip(request.times, paths.chain, strict=True), 2)
    ]
    return (first, *later)


def _levels(request: Request, setup: Setup, paths: Sampled, ladder: Ladder) -> tuple[Level, ...]:
    """One row for each step, from the largest noise level down."""
    sigmas, errors = request.sigmas, ladder.local_errors(False)
    ends = sum(ladder.terms[x] for x in ("initialisation", "boundary", "early_stopping"))
    total = ends + sum(x for name in SUMMED for x in ladder.steps[name])
    levels = []
    for j in range(request.steps - 1, -1, -1):
        norms = {name: ladder.steps[name][j] for name in SUMMED}
        score, discretisation = ladder.local[j]
        levels.append(
            Level(
                sigmas[j + 1],
                sigmas[j],
                **norms,
                change=float(roots(paths.changes[j])),
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
        lambda m, key: law.draw(m, stream(request.seed, BASELINES, key)), law, FRESH_BATCHES, request.distance_batch, request.seed
    )
    held, size = None, 0
    if kept is not None:
        size = min(len(kept), MOST_HELD_OUT, len(law.points) if isinstance(law, DataLaw) else MOST_HELD_OUT)
        rng = stream(request.seed, HELD_OUT)
        mine = kept[rng.permutation(len(kept))[:size]]
        theirs = law.points[rng.permutation(len(law.points))[:size]] if isinstance(law, DataLaw) else law.draw(size, rng)
        held = math.sqrt(transport(mine, theirs)[0])
    return Baselines(law.sd2, law.m2, math.sqrt(float(np.mean(costs))), held, first.batch, size)


def compared(x: Baselines, first: Enclosure, direct: Rung) -> list[str]:
    """What must be said of estimates that stand side by side."""
    notes = []
    if x.held_out is not None and x.held_out_batch != x.batch:
        notes.append(
            f"held-out data are compared in batches of {x.held_out_batch}, fresh data in batches of {x.batch}: the smaller "
            "a batch, the larger its distance, so that the two numbers must not be compared"
        )
    low, high = first.estimates
    if low > high:
        notes.append(
            "the two estimates of the distance come from different samples and cross here, by less than their noise: "
            "only the ends at confidence are ordered"
        )
    if direct.estimate < max(low, high):
        notes.append(
            "the estimate of the direct rung is below one of the distance: they come from different samples, and that of the "
            "upper end is the larger the smaller a batch is; only the ends at confidence are bounds"
        )
    return notes


def claimed(request: Request, refutations: Sequence[Refutation], rungs: Mapping[str, Rung]) -> list[str]:
    """What the user claims, what came of trying to refute it, and what rests on it."""
    notes, fallen = [], {x.name for x in refutations}
    for name, values in request.claims:
        some = [f"{x:g}" for x in values]
        each = some[0] if len(set(some)) == 1 else f"{', '.join(some)} (from the lowest noise level on)"
        said = f"{name} <= {each}, claimed by the user, tried on {counted(request.n, 'path')}"
        rest = " and ".join(words(x) for x in ("local", "a_priori") if x in rungs)
        tail = f"not refuted; {f'the rungs {rest} hold' if name == 'L_f' else 'no bound rests on it'}"
        tail += " if it is true" if name == "L_f" else ""
        notes.append(f"{said}: {'refuted; no number rests on it' if name in fallen else tail}")
    return notes


def _told(request: Request, ladder: Ladder) -> list[str]:
    notes = []
    if adapters.runs_code(request.model) or adapters.runs_code(request.teacher):
        notes.append("the code of the user's Python file was run")
    if isinstance(ladder.setup.law, WorldLaw):
        notes.append("lower side of the distance: a quadratic potential, sharp between Gaussian laws")
    if request.clip is not None:
        notes.append(
            "clipped outputs: boundary is f(x_delta) - P x_delta, early stopping P x_delta - a, P the projection onto the box"
        )
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
