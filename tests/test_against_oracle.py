"""The package against the independent transcriptions in :mod:`tests.oracle` and :mod:`tests.oracle_sharp`, on random valid
settings and at extremes.

Certified enclosures must contain the oracle's value (with ``digits=45`` this compares 40 digits), float64 values must
agree to 1e-12 in every term.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from functools import cache, partial
from itertools import pairwise
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from mpmath import exp, log, mpf, sqrt, workdps

import cmbound
from cmbound.evaluation.paths import choose_pieces
from cmbound.evaluation.setting import resolve
from cmbound.evaluation.terms import prepared
from cmbound.theory.profiles import PROFILES
from tests import oracle, oracle_sharp as sharp
from tests.oracle import Data, Mp, Steps, Terms, mp
from tests.settings import one_law

EI, DDIM, HEUN = "exponential-integrator", "ddim", "heun"
SLACK = 1e-12  # what float64 is held to: thousands of roundings
TINY = 1e-300
DIGITS = 45
Params = dict[str, Any]

_ANY: dict[str, tuple[str, ...]] = {"universal": (), "universal-integrated": (), "second-moment": ("m2",)}
_BALL: dict[str, tuple[str, ...]] = {"bounded-integrated": ("R", "m2"), "atoms": ("R", "n_atoms", "m2")}
_SLOPE: dict[str, tuple[str, ...]] = {"lipschitz-integrated": ("L_s", "m2"), "one-sided": ("L_os", "m2")}
NEEDS: dict[str, dict[str, tuple[str, ...]]] = {
    EI: {
        **_ANY,
        "lipschitz": ("L_s",),
        **_SLOPE,
        "smoothed": ("R", "tau"),
        "smoothed-integrated": ("R", "tau", "m2"),
        "bounded": ("R",),
        **_BALL,
    },
    DDIM: {**_ANY, **_SLOPE, "smoothed-integrated": ("R", "tau", "m2"), "bounded": ("R",), **_BALL},
    HEUN: {"universal-integrated": (), **_SLOPE, **_BALL},
}
CASES = [(teacher, profile) for teacher, profiles in NEEDS.items() for profile in profiles]
POINTWISE = {"universal", "second-moment", "lipschitz", "smoothed", "bounded"}
SCORES = {"lipschitz", "lipschitz-integrated", "one-sided"}
HALVED = {"smoothed-integrated", "bounded-integrated", "atoms"}
CENTRED = {"second-moment", "lipschitz-integrated", "one-sided", *HALVED}
SUBSPACE = {
    "universal",
    "universal-integrated",
    "second-moment",
    "lipschitz-integrated",
    "one-sided",
    "bounded-integrated",
    "atoms",
}
KINDS = ("uniform", "two-stage", "geometric", "edm", "nodes")
OPTIONS: tuple[Params, ...] = (
    {"start": "standard", "to": "p_data", "clock": "ou"},
    {"start": "matched", "to": "p_delta", "clock": "ou"},
    {"start": "standard", "to": "p_delta", "clock": "ve"},
    {"start": "matched", "to": "p_data", "clock": "ve"},
)
EXTREMES: tuple[Params, ...] = (
    {"L_s": 10**9},
    {"d": 10**7},
    {"delta": 1e-12},
    {"T": 200},
    {"R": 0},
    {"tau": 0},
    {"tau": 0.999999},
    {"L_s": 1, "L_os": 0, "M": 0},
    {"L_s": 1 + 1e-9, "L_os": 1e9},
    {"eps_sc": 0, "eps_cm": 0},
    {"m2": 0, "sd2": 0},
    {"h": 1e-10},
    {"h": 1, "T": 5},
    {"d": 1, "d_eff": 1, "L_f": 1, "n_atoms": 1},
    {"L_s": 10**9, "d": 10**7, "delta": 1e-12, "T": 200, "R": 0, "eps_sc": 0, "eps_cm": 0, "h": 1},
    {"L_s": 1, "d": 10**7, "delta": 1e-12, "T": 200, "R": 1000, "m2": 0, "sd2": 0, "tau": 0.999999, "h": 1e-10},
)
NARROW: Params = {"delta": 0.75, "T": 0.75 + 1e-9, "h": 1e-10}
"""Without a grid only: float64 nodes in so short an interval are not accurate to twelve digits of the steps."""


# --- settings -----------------------------------------------------------------------------------------------------------


def draw(rng: np.random.Generator, **fixed: Any) -> Params:
    """A value for every parameter, the fixed ones as given, inside the domains."""
    delta = 10.0 ** rng.uniform(-6, 0)
    d = int(10.0 ** rng.uniform(0, 6))
    p: Params = {
        "eps_sc": 10.0 ** rng.uniform(-6, 1),
        "eps_cm": 10.0 ** rng.uniform(-6, 1),
        "L_f": 1 + 10.0 ** rng.uniform(-2, 2),
        "L_s": 1 + 10.0 ** rng.uniform(-3, 6),
        "d": d,
        "d_eff": int(rng.integers(1, d + 1)),
        "m2": 10.0 ** rng.uniform(-2, 3),
        "delta": delta,
        "T": delta + 10.0 ** rng.uniform(-1, 1.3),
        "R": 10.0 ** rng.uniform(-2, 2),
        "tau": rng.uniform(0.01, 1),
        "n_atoms": int(10.0 ** rng.uniform(0, 6)),
        "L_os": 10.0 ** rng.uniform(-3, 6),
        "M": 10.0 ** rng.uniform(-3, 3),
        **fixed,
    }
    p.setdefault("sd2", p["m2"] * rng.uniform(0.1, 1))
    p.setdefault("h", (p["T"] - p["delta"]) * 10.0 ** rng.uniform(-6, 0))
    p["h"] = min(p["h"], 0.9 * (p["T"] - p["delta"]))
    p["sd2"], p["d_eff"] = min(p["sd2"], p["m2"]), min(p["d_eff"], p["d"])
    return p


def settings(seed: int, count: int, extremes: Sequence[Params] = EXTREMES) -> Iterator[Params]:
    """Random settings, then one at every extreme."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        yield draw(rng)
    for fixed in extremes:
        yield draw(rng, **fixed)


def picked(values: Params, teacher: str, profile: str, *names: str) -> Params:
    """The numbers a statement with this profile takes."""
    wanted = {"eps_sc", "eps_cm", "L_f", "d", "delta", "T", *NEEDS[teacher][profile], *names, *(["M"] if teacher == HEUN else [])}
    return {name: value for name, value in values.items() if name in wanted}


def lawful(params: Params, teacher: str, profile: str) -> Params:
    """Constants that one law has; the score of a law of dimension d has m2^2 >= d/L_s, which rule (c2) rests on."""
    many = {"n_atoms": max(params["n_atoms"], 2)} if "n_atoms" in params and teacher != EI else {}
    p = one_law({**params, **many})  # (p1) for one point: :func:`test_one_point`
    if "L_s" in p and "m2" in p:
        p["m2"] = max(p["m2"], 1.0001 * math.sqrt(p["d"] / p["L_s"]))
        if "sd2" in p and "R" not in p:
            p["sd2"] = max(p["sd2"], p["m2"] / 1.0001)
            p["m2"] = max(p["m2"], p["sd2"])
    if p.get("tau", 0) > 0:  # U has the rest of the spread: what is left of two equal numbers is rounding
        least = 1.1 * p["tau"] * math.sqrt(p["d"])
        p |= {name: max(p[name], least) for name in ("sd2", "m2") if name in p}
    if "sd2" in p and "R" in p and p.get("n_atoms") != 1:
        p["R"] = max(p["R"], 1.0001 * p["sd2"])
    if "diameter" in p:
        p["diameter"] = 1.6 * p["R"]
        if "sd2" in p:  # a law in two points at that distance is the widest of all, whatever the dimension
            p["R"], p["diameter"] = 1.3 * p["R"], 2.001 * p["R"]
        if p.get("n_atoms") == 1:
            p["diameter"] = 0
    return p


def on_grid(values: Params, kind: str, rng: np.random.Generator, clock: str) -> Params:
    """The numbers that describe a grid of at most a dozen steps (or forty halvings) on [delta, T]."""
    low, high = float(values["delta"]), float(values["T"])
    n = int(rng.integers(1, 10))
    if kind == "two-stage":
        return {"grid": kind, "h": (high - low) * rng.uniform(0.1, 0.9)}
    if kind != "nodes":
        return {"grid": kind, "N": n, **({"rho": int(rng.integers(1, 9))} if kind == "edm" and n % 2 else {})}
    inner = np.exp(rng.uniform(math.log(low), math.log(high), n))
    nodes = np.unique(np.concatenate([[low], inner, [high]]))
    if clock == "ve":
        nodes = np.unique(np.sqrt(np.expm1(2 * nodes)))
    return {"grid": [float(x) for x in nodes]}


def with_lists(params: Params, rng: np.random.Generator) -> Params:
    """L_f, eps_sc, eps_cm and M as lists with one value for each step (eps_sc of Heun at each node)."""
    with workdps(50):
        steps = len(nodes_of(params) or ()) - 1
    heun = params.get("teacher") == HEUN
    lists = {
        "L_f": [float(x) for x in 10.0 ** rng.uniform(-1, 2, steps)],
        "eps_sc": [float(x) for x in 10.0 ** rng.uniform(-4, 1, steps + heun)],
        "eps_cm": [float(x) for x in 10.0 ** rng.uniform(-4, 1, steps)],
    }
    if heun:
        lists["M"] = [float(x) for x in 10.0 ** rng.uniform(-2, 2, steps)]
    kept = [name for name in lists if rng.uniform() < 0.7] or ["L_f"]
    return {**params, **{name: lists[name] for name in kept}}


# --- the oracle's side ----------------------------------------------------------------------------------------------------


def digits_for(params: Params) -> int:
    """Enough that 60 digits are left after every cancellation in the formulas as written."""
    grid = params.get("grid")
    last = grid[-1] if isinstance(grid, list) else params.get("T") or params.get("t") or 5
    time = math.log1p(float(last)) if params.get("clock") == "ve" and isinstance(grid, list) else float(last)
    return 160 + 2 * math.ceil(time)


def ends(p: Params) -> tuple[Mp, Mp]:
    """delta and T."""
    if isinstance(p.get("grid"), list):
        first, last = mp(p["grid"][0]), mp(p["grid"][-1])
        return (oracle.time(first), oracle.time(last)) if p.get("clock") == "ve" else (first, last)
    low = oracle.time(mp(p["sigma_min"])) if "sigma_min" in p else mp(p["delta"])
    high = oracle.time(mp(p["sigma_max"])) if "sigma_max" in p else mp(p["T"])
    return low, high


def nodes_of(p: Params) -> list[Mp] | None:
    grid = p.get("grid")
    if grid is None:
        return None
    low, high = ends(p)
    if isinstance(grid, list):
        inner = [mp(x) for x in grid[1:-1]]
        return [low, *(oracle.time(x) if p.get("clock") == "ve" else x for x in inner), high]
    if grid == "two-stage":
        return oracle.two_stage(low, high, mp(p["h"]))
    if grid == "geometric":
        return oracle.geometric(low, high, p["N"])
    if grid == "edm":
        return oracle.edm(low, high, p["N"], mp(p.get("rho", 7)))
    return oracle.uniform(low, high, p["N"] if "N" in p else math.ceil((high - low) / mp(p["h"])))


def _slope(p: Params, name: str, end: Mp) -> Mp:
    """A Lipschitz constant of the score in the OU clock up to ``end``."""
    return oracle.ve_score_lipschitz(end, mp(p[name])) if p.get("clock") == "ve" else mp(p[name])


def _eigenvalues(p: Params) -> tuple[Mp, ...]:
    return tuple(mp(x) for x in p.get("cov_eigs", ()))


def data_of(p: Params, end: Mp) -> Data:
    """What the pointwise rules know of the data law; the Lipschitz constant of the score up to ``end``."""
    known: dict[str, Any] = {name: mp(p[name]) for name in ("d", "m2", "sd2", "R", "tau", "d_eff") if name in p}
    if "L_s" in p:
        known["L"] = _slope(p, "L_s", end)
    if p.get("t_star") == "delta":
        known["t_star"] = ends(p)[0]
    if "cov_eigs" in p:
        known["sd2"] = sqrt(sum(_eigenvalues(p)))
    return Data(**known)


@dataclass(frozen=True)
class Known(sharp.Law):
    """A law that may lie in a subspace, of which a bound on the information may speak whatever the rule does."""

    d_eff: Mp = None

    @property
    def entropy(self) -> Mp:
        """Of equal weights it is log n: a sum of a million equal terms takes long."""
        return super().entropy if self.pi else log(mpf(self.n_atoms))

    @property
    def replica(self) -> Mp:
        """Likewise: nu = n."""
        return super().replica if self.pi else log((mpf(self.n_atoms) + 1) / 2)

    @property
    def core(self) -> sharp.Law:
        """What is known of U: its spread is not below 0 where m2 is too small for the noise."""
        d, noise = self.d if self.d_eff is None else self.d_eff, self.tau**2
        eigs = tuple(max(mpf(0), x - noise) for x in self.eigs)
        if self.tau == 0:
            return replace(self, d=d)
        widths = [x for x in (self.R, None if self.diameter is None else self.diameter / sqrt(mpf(2))) if x is not None]
        spread = sqrt(max(mpf(0), self.spread**2 - noise * d))
        return replace(self, d=d, m2=None, sd2=min([spread, *widths]), eigs=eigs, tau=0)


def law_of(p: Params, end: Mp, profile: str, teacher: str) -> Known:
    """What an integrated rule of this profile may know of the data law."""
    data = data_of(p, end)
    subspace = profile in SUBSPACE and teacher != EI and data.d_eff is not None
    spreads = [x for x in (data.m2 if data.sd2 is None else data.sd2,) if x is not None]
    if profile in HALVED and "diameter" in p:
        spreads.append(sqrt(mp(p["diameter"]) ** 2 / 2 + data.d * data.tau**2))
    weights = tuple(mp(x) for x in p.get("weights", ()))
    return Known(
        d=data.d_eff if subspace else data.d,
        d_eff=data.d_eff,
        sd2=min(spreads) if spreads else None,
        eigs=_eigenvalues(p),
        R=data.R if profile in HALVED else None,
        diameter=mp(p["diameter"]) if "diameter" in p else None,
        tau=data.tau if profile == "smoothed-integrated" else mpf(0),
        L=data.L,
        L_os=_slope(p, "L_os", end) if "L_os" in p else None,
        t_star=data.t_star,
        n_atoms=int(p.get("n_atoms", 0)) if profile == "atoms" and not weights else 0,
        pi=weights if profile == "atoms" else (),
    )


def _constants(p: Params) -> tuple[Any, Any, Any]:
    """L_f, eps_sc, eps_cm: numbers, or lists of them (eps_sc at the ends of the steps)."""
    L_f, eps_sc, eps_cm = (
        [mp(x) for x in p[name]] if isinstance(p[name], list) else mp(p[name]) for name in ("L_f", "eps_sc", "eps_cm")
    )
    return L_f, eps_sc[1:] if isinstance(eps_sc, list) and p.get("teacher") == HEUN else eps_sc, eps_cm


def _per_step(p: Params, name: str, size: int) -> list[Mp]:
    return [mp(x) for x in p[name]] if isinstance(p[name], list) else [mp(p[name])] * size


def _collapsed(p: Params) -> bool:
    """Whether the closed form in h applies: no grid, or a uniform one with constants and rules that need not be summed."""
    if p.get("grid") is None:
        return True
    constant = not any(isinstance(p[name], list) for name in ("L_f", "eps_sc", "eps_cm"))
    uniform = p["grid"] == "uniform" and p.get("teacher", EI) == EI and p.get("clock", "ou") == "ou" and constant
    return uniform and p["profile"] in POINTWISE


# --- rules by profile and number ------------------------------------------------------------------------------------------

EI_RULES: dict[tuple[str, int], Callable[[Known], sharp.EiRule]] = {
    ("universal-integrated", 0): lambda x: sharp.f_ei(x),
    ("lipschitz-integrated", 1): lambda x: sharp.c1(x),
    ("lipschitz-integrated", 2): lambda x: sharp.c2(x),
    ("lipschitz-integrated", 3): lambda x: sharp.c3(x),
    ("one-sided", 0): lambda x: sharp.c3(x, one_sided=True),
    ("one-sided", 1): lambda x: sharp.c2(x, one_sided=True),
    ("smoothed-integrated", 0): lambda x: sharp.s1(x),
    ("bounded-integrated", 0): lambda x: sharp.s1(x),
    ("atoms", 0): lambda x: sharp.s1(x),
}
"""By profile and number of the rule; (lipschitz-integrated, 0) is one number for the stretch."""
LEVEL_RULES: dict[tuple[str, int], Callable[[Known], sharp.LevelRule]] = {
    ("universal-integrated", 0): lambda x: sharp.f_levels(x),
    ("lipschitz-integrated", 0): lambda x: sharp.d2(x),
    ("one-sided", 0): lambda x: sharp.d2(x, one_sided=True),
    ("bounded-integrated", 0): lambda x: sharp.p2(x),
    ("bounded-integrated", 1): lambda x: sharp.p3(x),
    ("atoms", 0): lambda x: sharp.p1(x),
    ("atoms", 1): lambda x: sharp.p2(x),
    ("atoms", 2): lambda x: sharp.p3(x),
}
Levels = Sequence[Mp]
SECOND: dict[tuple[str, int], Callable[[Levels, Levels, Levels, Known], Mp]] = {
    ("lipschitz-integrated", 1): lambda *x: sharp.h2(*x),
    ("one-sided", 1): lambda levels, weights, noise, law: sharp.h2(levels, weights, noise, law, one_sided=True),
    ("bounded-integrated", 2): lambda *x: sharp.h1(*x),
    ("atoms", 3): lambda *x: sharp.h1(*x),
}
"""Heun's method at second order."""


@dataclass(frozen=True)
class Part:
    """A stretch bounded by one rule: its profile, its number there, beginning, end, and its free parameter if it has one."""

    profile: str
    number: int
    start: Any
    end: Any
    free: Mp | None = None


def _corollary(h: Mp, law: Known) -> Mp:
    return sharp.corollary(h, replace(law, L=max(law.L, mpf(2))))  # a score with L_s < 2 is 2-Lipschitz too


def closed_part(x: Part, p: Params, h: Mp, t: Mp) -> Mp:
    """Steps at most h, every weight 1."""
    if x.profile in POINTWISE:
        return oracle.ei_closed(x.profile, x.start, x.end, h, data_of(p, t))
    law = law_of(p, t, x.profile, EI)
    if (x.profile, x.number) == ("lipschitz-integrated", 0):
        return _corollary(h, law)
    return sharp.ei_closed(EI_RULES[x.profile, x.number](law), x.start, x.end, h)


def grid_part(x: Part, p: Params, grid: Steps, t: Mp) -> Mp:
    """On the steps number start, ..., end - 1 of a grid."""
    teacher, (i, k) = p.get("teacher", EI), (x.start, x.end)
    nodes, weights = grid.nodes[i : k + 1], grid.weights("ei" if teacher == EI else "ddim")[i:k]
    if x.profile in POINTWISE:
        return (oracle.ei_grid if teacher == EI else oracle.ddim_grid)(x.profile, nodes, weights, data_of(p, t))
    law, which = law_of(p, t, x.profile, teacher), (x.profile, x.number)
    if teacher == EI:
        if which == ("lipschitz-integrated", 0):
            return max(weights) * _corollary(max(q - y for y, q in pairwise(nodes)), law)
        return sharp.ei_grid(EI_RULES[which](law), nodes, weights)
    levels = [oracle.lam(y) for y in nodes]
    if x.profile == "smoothed-integrated":
        return sharp.s2(levels, weights, law)
    noise = _per_step(p, "M", k)[i:k] if teacher == HEUN else []
    if teacher == HEUN and which in SECOND:
        return SECOND[which](levels, weights, noise, law)
    rule = LEVEL_RULES[which](law) if x.free is None else sharp.p1(law, x.free)
    return sharp.heun_first(rule, levels, weights, noise) if teacher == HEUN else sharp.ddim_grid(rule, levels, weights)


_CHOSEN: dict[str, list[Part]] = {}


def chosen(theorem: str, p: Params, end: str | Fraction) -> list[Part]:
    """The stretches the package chose up to ``end`` (the name of a parameter, or a time), found once."""
    asked = repr((theorem, p, end))
    if asked not in _CHOSEN:
        _CHOSEN[asked] = _chosen(theorem, p, end)
    return _CHOSEN[asked]


def _chosen(theorem: str, p: Params, end: str | Fraction) -> list[Part]:
    setting, sums, _ = prepared(resolve(cmbound.theorem(theorem), p))
    time = setting.values[end] if isinstance(end, str) else end
    rules = {profile.name: found for profile, found in setting.profiles}
    return [
        Part(x.profile, rules[x.profile].index(x.rule), x.start, x.end, mp(x.free[0][1]) if x.free else None)
        for x in choose_pieces(setting, sums, [time])[time]
    ]


def _place(x: Any) -> Any:
    """A beginning or an end of a stretch: node numbers stay, times become mpf."""
    if isinstance(x, int):
        return x
    return mp(x) if isinstance(x, Fraction) else mpf(str(x.evalf(600)))


def pieces_of(theorem: str, p: Params, end: Any, last: Any, first: Any) -> list[Part]:
    """The stretches to sum over: those the package chose, which cover the range."""
    found = [replace(x, start=_place(x.start), end=_place(x.end)) for x in chosen(theorem, p, end)]
    assert all(x.end == y.start for x, y in pairwise(found))
    assert abs(found[0].start - first) <= mpf(10) ** -100
    assert abs(found[-1].end - last) <= mpf(10) ** -100
    found[0], found[-1] = replace(found[0], start=first), replace(found[-1], end=last)
    return [replace(found[0], end=last)] if len(found) == 1 else found


def score_terms(p: Params, x: Steps) -> Mp:
    """The sum of what the score errors do."""
    teacher, size = p.get("teacher", EI), len(x.nodes) - 1
    if teacher != HEUN:
        return oracle.score_grid(x, "ei" if teacher == EI else "ddim")
    first = mp(p["eps_sc"][0] if isinstance(p["eps_sc"], list) else p["eps_sc"])
    if p.get("clock") == "ve":
        first *= sqrt(1 + oracle.lam(x.nodes[0]) ** 2)
    levels = [oracle.lam(y) for y in x.nodes]
    return sharp.heun_score(levels, x.weights("ddim"), _per_step(p, "M", size)[:size], [first, *x.eps_sc])


def errors(theorem: str, p: Params, end: Any, t: Mp) -> tuple[Terms, Mp]:
    """The terms of the map error at time t, and L_f there, in the OU clock; ``end`` names t for the package."""
    delta, T = ends(p)
    L_f, eps_sc, eps_cm = _constants(p)
    if _collapsed(p):
        grid = nodes_of(p)
        h = mp(p["h"]) if grid is None else (T - delta) / (len(grid) - 1)
        if p.get("clock") == "ve":
            L_f, eps_sc, eps_cm = oracle.ve_constants(t, delta, L_f, eps_sc, eps_cm)
        pieces = pieces_of(theorem, p, end, t, delta)
        if grid is None:
            pieces = [replace(x, end=x.end if x.end == t else min(x.end + h, t)) for x in pieces]
        found = oracle.map_error_closed(delta, t, h, L_f, eps_sc, eps_cm)
        return found | {"discretisation": L_f * sum(closed_part(x, p, h, t) for x in pieces)}, L_f
    nodes = nodes_of(p)
    assert nodes is not None
    last = min(range(len(nodes)), key=lambda i: abs(nodes[i] - t))
    x: Steps = oracle.steps(nodes, L_f, eps_sc, eps_cm, p.get("clock", "ou")).upto(last)
    pieces = pieces_of(theorem, p, end, last, 0)
    terms = {
        "consistency": oracle.consistency_grid(x),
        "score": score_terms(p, x),
        "discretisation": sum(grid_part(y, p, x, t) for y in pieces),
    }
    return terms, x.L_f[-1]


def one_step(p: Params) -> Terms:
    delta, T = ends(p)
    found, L_f = errors("explicit-one-step", p, "T", T)
    options = (p.get("start", "standard"), p.get("to", "p_data"), p.get("clock", "ou"))
    return oracle.one_step(found, L_f, delta, T, mp(p["d"]), mp(p["m2"]), *options)


def map_error(p: Params, t: Mp, end: str = "t") -> Terms:
    found, _ = errors("explicit-map-error", p, end, t)
    scale = exp(ends(p)[0]) if p.get("clock") == "ve" else 1
    return {name: scale * x for name, x in found.items()}


def multistep(p: Params, times: Sequence[Mp], names: Sequence[Any]) -> list[Terms]:
    """The terms after each evaluation."""
    (delta, T), scale = ends(p), 1
    if p.get("clock") == "ve":
        scale = exp(delta)
    first, L_f = errors("explicit-multistep", p, "T", T)
    rows = [oracle.one_step(first, L_f, delta, T, mp(p["d"]), mp(p["m2"]), p["start"], p["to"], p["clock"])]
    later = [errors("explicit-multistep", p, name, t) for name, t in zip(names, times, strict=True)]
    for (found, L), t in zip(later, times, strict=True):
        row = {name: L * exp(-(t - delta)) * x for name, x in rows[-1].items() if name != "early stopping"}
        row |= {name: row[name] + scale * x for name, x in found.items()}
        rows.append(row | {name: x for name, x in rows[-1].items() if name == "early stopping"})
    outer = [sum(x for name, x in row.items() if name != "early stopping") for row in rows]
    totals = oracle.multistep(outer[0], [scale * sum(e.values()) for e, _ in later], [x for _, x in later], times, delta)
    assert all(abs(x - y) <= mpf(10) ** -60 * x for x, y in zip(outer, totals, strict=True))
    return rows


# --- comparison -------------------------------------------------------------------------------------------------------------


def _renamed(want: Terms) -> Terms:
    return {name.replace(" ", "_"): x for name, x in want.items()}


def outside(got: Any, want: Terms, digits: int = 15) -> list[str]:
    """What is wrong with certified terms: names, an oracle value outside its enclosure, an enclosure too wide."""
    want = _renamed(want)
    if set(got.terms) != set(want):
        return [f"terms {sorted(got.terms)}, expected {sorted(want)}"]
    rows = [(name, got.terms[name].lower, got.terms[name].upper, x) for name, x in want.items()]
    wrong = []
    for name, lower, upper, x in [*rows, ("total", got.lower, got.upper, sum(want.values()))]:
        low, high, slack = mpf(str(lower)), mpf(str(upper)), abs(x) * mpf(10) ** -40
        if not low - slack <= x <= high + slack:
            wrong.append(f"{name}: {float(x)!r} is not in [{lower}, {upper}]")
        if high - low > abs(x) * mpf(10) ** (1 - digits):
            wrong.append(f"{name}: [{lower}, {upper}] is wider than {digits} digits")
    return wrong


def far(total: Any, terms: Mapping[str, Any], want: Terms) -> list[str]:
    """What is wrong with float64 terms."""
    want = _renamed(want)
    if set(terms) != set(want):
        return [f"terms {sorted(terms)}, expected {sorted(want)}"]
    rows = [*((name, terms[name], x) for name, x in want.items()), ("total", total, sum(want.values()))]
    return [
        f"{name}: {float(y)!r}, expected {float(x)!r}" for name, y, x in rows if not abs(mpf(float(y)) - x) <= SLACK * x + TINY
    ]


def compare(theorem: str, params: Params, want: Callable[[], Terms]) -> Terms:
    """Both tiers at one point against the oracle; the oracle's terms."""
    th = cmbound.theorem(theorem)
    with workdps(digits_for(params)):
        expected = want()
        ev = th.evaluate(**params, digits=DIGITS)
        assert outside(ev, expected, DIGITS) == [], params
        assert Decimal(ev.value) >= ev.upper
        short = th.evaluate(**params)
        assert outside(short, expected) == [], params
        ap = th.approximate(**params)
        assert far(ap.total, ap.terms, expected) == [], params
    return expected


def compare_arrays(theorem: str, rows: Sequence[tuple[Params, Terms]]) -> None:
    """One call over arrays against the oracle's terms at every entry (rows of the same parameters and options)."""
    names = [name for name, x in rows[0][0].items() if isinstance(x, int | float)]
    fixed = {name: x for name, x in rows[0][0].items() if name not in names}
    ap = cmbound.theorem(theorem).approximate(**fixed, **{n: np.array([float(p[n]) for p, _ in rows]) for n in names})
    assert ap.total.shape == (len(rows),)
    for i, (p, want) in enumerate(rows):
        with workdps(digits_for(p)):
            assert far(ap.total[i], {name: x[i] for name, x in ap.terms.items()}, want) == [], p


def _grouped(rows: Sequence[tuple[Params, Terms]]) -> list[list[tuple[Params, Terms]]]:
    groups: dict[Any, list[tuple[Params, Terms]]] = {}
    for row in rows:
        key = tuple((name, x if isinstance(x, str) else None) for name, x in sorted(row[0].items()))
        groups.setdefault(key, []).append(row)
    return list(groups.values())


# --- one step ---------------------------------------------------------------------------------------------------------------


def _options(i: int, values: Params, profile: str) -> Params:
    """Start, target and clock in turn (no score of the other clock where its constant leaves the float64 range)."""
    options = dict(OPTIONS[i % len(OPTIONS)])
    if values["T"] > 100 and profile in (*SCORES, "auto"):
        options["clock"] = "ou"
    if profile in SCORES and i % 3 == 0:
        options["t_star"] = "delta"
    if profile in (*CENTRED, "auto") and i % 2 == 0:
        options["sd2"] = values["sd2"]
    if profile in HALVED and i % 3 == 1:
        options["diameter"] = 0  # :func:`lawful` says how large
    return options


@cache
def _closed_rows(profile: str) -> list[tuple[Params, Terms]]:
    """Settings without a grid, with the oracle's terms."""
    rows = []
    for i, values in enumerate(settings(1, 16, (*EXTREMES, NARROW))):
        p = {**picked(values, EI, profile, "m2", "h"), "profile": profile, **_options(i, values, profile)}
        p = lawful(p, EI, profile)
        with workdps(digits_for(p)):
            rows.append((p, one_step(p)))
    return rows


@pytest.mark.parametrize("profile", NEEDS[EI])
def test_closed_form(profile: str) -> None:
    for p, want in _closed_rows(profile):
        compare("explicit-one-step", p, lambda want=want: want)  # type: ignore[misc]


@pytest.mark.parametrize("clock", ["ou", "ve"])
@pytest.mark.parametrize("profile", NEEDS[EI])
def test_closed_form_arrays(profile: str, clock: str) -> None:
    for group in _grouped([row for row in _closed_rows(profile) if row[0]["clock"] == clock]):
        compare_arrays("explicit-one-step", group)


@pytest.mark.parametrize(("teacher", "profile"), CASES)
def test_grids(teacher: str, profile: str) -> None:
    rng = np.random.default_rng(2)
    for i, values in enumerate(settings(3, 5)):
        kind = KINDS[i % len(KINDS)]
        options = _options(i // 2, values, profile)
        p = {**picked(values, teacher, profile, "m2"), "profile": profile, "teacher": teacher, **options}
        if profile in SUBSPACE and i % 2:
            p["d_eff"] = values["d_eff"]
        p = lawful(p, teacher, profile)
        if profile == "atoms" and i % 2:
            p["weights"] = [float(x) for x in rng.exponential(size=int(rng.integers(2, 30)))]
            p["d_eff"] = min(p["d_eff"], max(len(p["weights"]) - 1, 1))
            del p["n_atoms"]
            p.pop("sd2", None)  # bounded by the largest weight
        p |= on_grid(values, kind, rng, options["clock"])
        if kind == "nodes":
            del p["delta"], p["T"]
        if i % 3:
            p = with_lists(p, rng)
        want = compare("explicit-one-step", p, lambda p=p: one_step(p))  # type: ignore[misc]
        if kind != "nodes" and i % 6 == 0:
            compare_arrays("explicit-one-step", [(p, want)])


@pytest.mark.parametrize("clock", ["ou", "ve"])
def test_noise_levels_instead_of_times(clock: str) -> None:
    rng = np.random.default_rng(4)
    for kind in (None, "uniform", "two-stage", "geometric", "edm"):
        values = draw(rng, delta=1e-3, T=3)
        p = {**picked(values, EI, "universal", "m2"), "profile": "universal", "start": "matched", "to": "p_data", "clock": clock}
        p |= {"h": values["h"]} if kind is None else on_grid(values, kind, rng, clock)
        del p["delta"], p["T"]
        p |= {"sigma_min": 10.0 ** rng.uniform(-4, -1), "sigma_max": 10.0 ** rng.uniform(1, 3)}
        compare("explicit-one-step", p, lambda p=p: one_step(p))  # type: ignore[misc]


def test_uniform_grid_by_its_largest_step() -> None:
    rng = np.random.default_rng(5)
    for _ in range(4):
        values = draw(rng)
        values["h"] = (values["T"] - values["delta"]) * rng.uniform(0.05, 0.9)
        p = {**picked(values, EI, "lipschitz", "m2", "h"), "profile": "lipschitz", "grid": "uniform"}
        compare("explicit-one-step", p, lambda p=p: one_step(p))  # type: ignore[misc]


# --- profiles that choose -----------------------------------------------------------------------------------------------


def _known(values: Params, teacher: str, rng: np.random.Generator) -> Params:
    """A random part of what may be known of the data law."""
    names = ["L_s", "R", "n_atoms", "sd2", "d_eff", "L_os"]
    known = {name: values[name] for name in names if rng.uniform() < 0.7}
    if "R" in known and teacher != HEUN and rng.uniform() < 0.5:
        known["tau"] = values["tau"]
    if "R" in known and rng.uniform() < 0.5:
        known["diameter"] = 0  # :func:`lawful` says how large
    if "L_s" in known and rng.uniform() < 0.3:
        known["t_star"] = "delta"
    if not {"t_star", "tau"} & known.keys() and {"L_s", "L_os"} & known.keys():
        known.pop("n_atoms", None)  # points have no Lipschitz score from time 0 on
    return known


def _singles(p: Params, teacher: str) -> list[str]:
    """The profiles that may be asked for alone."""
    off = {"bounded", "bounded-integrated", "atoms"} if p.get("tau", 0) > 0 else set()
    have = {*p, *(["n_atoms"] if "weights" in p else [])}
    return [name for name, needs in NEEDS[teacher].items() if name not in off and have >= {*needs} - {"m2"}]


def _spectrum(p: Params, rng: np.random.Generator) -> Params:
    """Eigenvalues of the covariance in the place of sd2, where there are not too many of them."""
    count = int(p["d_eff"] if "d_eff" in p else p["d"])
    if count > 40 or "sd2" not in p or p["sd2"] == 0:
        return p
    least = p.get("tau", 0) ** 2
    free = max(p["sd2"] ** 2 * 0.999 - count * least, 0.0)
    shares = rng.dirichlet(np.ones(count))
    found = {name: x for name, x in p.items() if name != "sd2"}
    return found | {"cov_eigs": [float(least + free * x) for x in shares]} if free > 0 else p


@cache
def _auto_settings(teacher: str, kind: str | None) -> list[Params]:
    rng, found = np.random.default_rng(6), []
    for i, values in enumerate(settings(7, 3, EXTREMES[2:4] + EXTREMES[-2:])):
        options = _options(i, values, "auto")
        p = {**picked(values, teacher, "universal-integrated", "m2", "h"), "teacher": teacher, "profile": "auto", **options}
        p = lawful(p | _known(values, teacher, rng), teacher, "auto")
        if "L_s" not in p:
            p = _spectrum(p, rng)
        if kind is not None:
            del p["h"]
            p |= on_grid(values, kind, rng, options["clock"])
            if kind == "nodes":
                del p["delta"], p["T"]
            if i % 2:
                p = with_lists(p, rng)
        found.append(p)
    return found


AUTO = [(EI, None), *((teacher, kind) for teacher in (EI, DDIM, HEUN) for kind in KINDS)]


@pytest.mark.parametrize(("teacher", "kind"), AUTO)
def test_auto_is_the_sum_over_its_stretches(teacher: str, kind: str | None) -> None:
    for p in _auto_settings(teacher, kind):
        compare("explicit-one-step", p, lambda p=p: one_step(p))  # type: ignore[misc]


@pytest.mark.parametrize(("teacher", "kind"), AUTO)
def test_auto_is_never_above_a_single_profile(teacher: str, kind: str | None) -> None:
    th = cmbound.theorem("explicit-one-step")
    for p in _auto_settings(teacher, kind):
        found = float(th.approximate(**p).terms["discretisation"])
        for profile in _singles(p, teacher):
            single = float(th.approximate(**{**p, "profile": profile}).terms["discretisation"])
            assert found <= single * (1 + SLACK), (profile, found, single, p)


UNIFORM: Params = {"d": 19, "m2": "0.0455", "L_s": 900, "R": 60, "T": "9.4", "delta": "1e-12", "grid": "uniform", "N": 6}
HUGE_STEPS: tuple[Params, ...] = (
    {"d": 10**7, "m2": "0.01", "T": 200, "delta": "1e-12", "grid": "two-stage", "h": 32, "teacher": DDIM, "L_f": 1},
    {"d": 10**7, "m2": 0, "R": 1000, "T": 200, "delta": "1e-12", "grid": "two-stage", "h": 70, "L_f": 1},
    {"d": 20, "m2": 1, "R": 60, "T": 9, "delta": "1e-12", "grid": "geometric", "N": 20, "L_f": 1},
    {**UNIFORM, "L_f": ["95.8", "32", "0.15", "15", "26.6", "41.4"]},
)


@pytest.mark.parametrize("values", HUGE_STEPS)
def test_a_huge_bound_on_one_step_does_not_hide_the_others(values: Params) -> None:
    """The path is the best one although some profile's bound on the first steps is 10^20 times that on the last."""
    p: Params = {**values, "eps_sc": 0, "eps_cm": 0, "clock": "ou", "profile": "auto"}
    found = cmbound.theorem("explicit-one-step").evaluate(**p).terms["discretisation"].upper
    with workdps(60):
        best = _best_path(p, p.get("teacher", EI))
        assert abs(mpf(str(found)) - best) <= 1e-9 * best, float(mpf(str(found)) / best - 1)


def _rules(p: Params, teacher: str) -> list[tuple[str, int]]:
    """The rules stretches may be bounded by, as profile and number."""
    found = []
    for name in _singles(p, teacher):
        if name in POINTWISE or name == "smoothed-integrated":
            found.append((name, 0))
        elif teacher == EI:
            found += [x for x in (("lipschitz-integrated", 0), *EI_RULES) if x[0] == name]
        else:
            found += [x for x in (*LEVEL_RULES, *(SECOND if teacher == HEUN else ())) if x[0] == name]
    return found


@contextmanager
def remembered() -> Iterator[None]:
    """Functions of one number or step, which all stretches of a grid ask for anew, are computed once, at one precision."""
    with ExitStack() as stack:
        for name in ("c", "s", "lam", "g", "kh", "rho", "chi", "cube", "rho_heun", "chi_heun", "cube_heun"):
            once = cache(getattr(_homes(name)[0], name))
            for module in _homes(name):
                stack.enter_context(patch.object(module, name, once))
        stack.enter_context(patch.dict(EI_RULES, {x: cache(partial(_each_step_once, rule)) for x, rule in EI_RULES.items()}))
        yield


def _each_step_once(rule: Callable[[Known], sharp.EiRule], law: Known) -> sharp.EiRule:
    found = rule(law)
    return replace(found, inverse=cache(found.inverse), area=cache(found.area))


@remembered()
def _best_path(p: Params, teacher: str) -> Mp:
    """The smallest sum over all ways to cut the grid into stretches, by the oracle."""
    nodes, t = nodes_of(p), ends(p)[1]
    assert nodes is not None
    x = oracle.steps(nodes, *_constants(p), p["clock"])
    rules = _rules(p, teacher)
    best = [mpf(0)]
    for k in range(1, len(nodes)):
        options = [best[-1] + grid_part(Part(*rule, k - 1, k), p, x, t) for rule in rules if rule[0] in POINTWISE]
        for rule in (x for x in rules if x[0] not in POINTWISE):
            options += [best[i] + grid_part(Part(*rule, i, k), p, x, t) for i in range(k)]
        best.append(min(options))
    return best[-1] * (exp(nodes[0]) if p["clock"] == "ve" else 1)


@pytest.mark.parametrize("extreme", [False, True])
@pytest.mark.parametrize("teacher", [EI, DDIM, HEUN])
def test_auto_is_the_best_path_over_all_nodes(teacher: str, extreme: bool) -> None:
    rng = np.random.default_rng(18)
    for i, values in enumerate(settings(19, 0 if extreme else 6, EXTREMES[2:4] if extreme else ())):
        clock = "ve" if i % 2 and values["T"] < 100 else "ou"
        p = {**picked(values, teacher, "universal-integrated", "m2"), "teacher": teacher, "profile": "auto", "clock": clock}
        known = _known({**values, "n_atoms": min(values["n_atoms"], 50)}, teacher, rng)
        p = lawful(p | known, teacher, "auto") | on_grid(values, ("geometric", "edm")[i % 2], rng, clock)
        p = {"L_f": 2, **with_lists(p, rng)} if i % 2 else {**p, "L_f": 2}
        found = cmbound.theorem("explicit-one-step").evaluate(**p).terms["discretisation"].upper
        with workdps(60):
            best = _best_path(p, teacher)
            assert abs(mpf(str(found)) - best) <= 1e-9 * best, (float(mpf(str(found)) / best - 1), p)


@pytest.mark.parametrize("profile", sorted({x[0] for x in EI_RULES}))
def test_the_closed_form_switches_near_the_best_time(profile: str) -> None:
    """Without a grid a profile alone is no worse than the best of many times of one change from a rule to another."""
    for values in settings(22, 3, EXTREMES[:2]):
        p = lawful({**picked(values, EI, profile, "m2", "h"), "profile": profile}, EI, profile)
        found = cmbound.theorem("explicit-one-step").evaluate(**p).terms["discretisation"].upper
        with workdps(60 + math.ceil(values["T"])):
            (low, high), h = ends(p), mp(p["h"])
            rules = [x for x in _rules(p, EI) if x[0] == profile]
            best = min(closed_part(Part(*rule, low, high), p, h, high) for rule in rules)
            for i in range(1, 30):
                cut = low * (high / low) ** (mpf(i) / 30)
                early = min(closed_part(Part(*rule, low, min(cut + h, high)), p, h, high) for rule in rules)
                best = min(best, early + min(closed_part(Part(*rule, cut, high), p, h, high) for rule in rules))
            # the package tries 64 times, none of them quite these
            assert mpf(str(found)) <= mp(p["L_f"]) * best * (1 + mpf("2e-2")), (float(mpf(str(found)) / best), p)


def test_auto_over_arrays() -> None:
    rows = []
    for values in settings(8, 12, ()):
        p = lawful({**picked(values, EI, "universal", "m2", "h", "L_s", "R", "L_os"), "profile": "auto"}, EI, "auto")
        with workdps(digits_for(p)):
            rows.append((p, one_step(p)))
    compare_arrays("explicit-one-step", rows)


def test_the_free_parameter_of_atoms_is_the_best() -> None:
    """The y the package takes on a stretch of (p1) gives the smallest bracket of all y, which golden sections find."""
    rng, seen = np.random.default_rng(9), 0
    for i, values in enumerate(settings(10, 6, EXTREMES[2:4])):
        small = {**values, "R": 100 * values["R"], "n_atoms": min(values["n_atoms"], 1000)}
        p: Params = {**picked(small, DDIM, "atoms", "m2"), "profile": "atoms", "teacher": DDIM, "clock": "ou"}
        p |= on_grid(values, "geometric", rng, "ou")
        p = with_lists(p, rng) if i % 2 else p
        with workdps(60):
            nodes = nodes_of(p)
            assert nodes is not None
            law = law_of(p, nodes[-1], "atoms", DDIM)
            for x in chosen("explicit-one-step", p, "T"):
                if x.number == 0:
                    level = oracle.lam(nodes[x.end])
                    best = sharp.p1_constant(level, law)
                    assert best <= sharp.p1_constant(level, law, x.free) <= best * (1 + mpf(10) ** -25)
                    seen += 1
    assert seen >= 4


@pytest.mark.parametrize("teacher", [DDIM, HEUN])
def test_one_point(teacher: str) -> None:
    """Its bound is zero, up to e^{-y} for the largest y that float64 tells from infinity."""
    p: Params = {"d": 9, "m2": 3, "R": 2, "n_atoms": 1, "L_f": 2, "eps_sc": 0, "eps_cm": 0, "T": 9, "delta": "1e-6", "M": 1}
    p |= {"teacher": teacher, "profile": "atoms", "grid": "edm", "N": 20}
    assert cmbound.theorem("explicit-map-error").evaluate(**p).terms["discretisation"].value < 1e-100
    assert cmbound.theorem("explicit-map-error").approximate(**p).terms["discretisation"] == 0


# --- the other statements -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("teacher", "profile"), CASES)
def test_map_error(teacher: str, profile: str) -> None:
    rng = np.random.default_rng(11)
    for i, values in enumerate(settings(12, 3, EXTREMES[2:4])):
        clock = "ve" if i % 2 and values["T"] < 100 else "ou"
        p: Params = {**picked(values, teacher, profile), "profile": profile, "teacher": teacher, "clock": clock}
        p = lawful(p, teacher, profile)
        on = teacher != EI or i % 3 == 0
        p |= on_grid(values, KINDS[i % 4], rng, clock) if on else {"h": values["h"]}
        p = with_lists(p, rng) if on and i % 4 < 2 else p
        with workdps(digits_for(p)):
            nodes = nodes_of(p)
            if nodes is None:
                low, high = float(values["delta"]), float(values["T"])
                t = mp(low + (high - low) * rng.uniform(0.1, 1))
            else:
                t = nodes[int(rng.integers(1, len(nodes)))]
        p["t"] = float(t)
        if nodes is None:
            p["h"] = min(p["h"], 0.9 * (p["t"] - float(values["delta"])))
        want = compare("explicit-map-error", p, lambda p=p, t=t: map_error(p, t))  # type: ignore[misc]
        if not on:
            compare_arrays("explicit-map-error", [(p, want)])
        if i == 0:
            del p["t"]
            compare("explicit-map-error", p, lambda p=p: map_error(p, ends(p)[1], "T"))  # type: ignore[misc]


def _compare_steps(p: Params, rows: Sequence[Terms]) -> None:
    ev = cmbound.theorem("explicit-multistep").evaluate(**p, digits=DIGITS)
    assert ev.steps is not None
    assert [x.k for x in ev.steps] == list(range(1, len(rows) + 1))
    with workdps(digits_for(p)):
        for step, row in zip(ev.steps, rows, strict=True):
            assert outside(step, row, DIGITS) == [], p


@pytest.mark.parametrize(
    ("teacher", "kind", "profile"),
    [
        (EI, None, "universal"),
        (EI, None, "lipschitz-integrated"),
        (EI, None, "auto"),
        (EI, "uniform", "second-moment"),
        (EI, "uniform", "universal-integrated"),
        (EI, "geometric", "one-sided"),
        (EI, "two-stage", "auto"),
        (DDIM, "edm", "universal"),
        (DDIM, "geometric", "atoms"),
        (HEUN, "edm", "bounded-integrated"),
        (HEUN, "uniform", "lipschitz-integrated"),
    ],
)
def test_multistep(teacher: str, kind: str | None, profile: str) -> None:
    rng = np.random.default_rng(13)
    for i, values in enumerate(settings(14, 3, EXTREMES[3:4])):
        p: Params = picked(values, EI, "lipschitz-integrated") if profile == "auto" else picked(values, teacher, profile, "m2")
        p = lawful(p | {"profile": profile, "teacher": teacher, **_options(i, values, profile)}, teacher, profile)
        p |= {"h": values["h"]} if kind is None else on_grid(values, kind, rng, p["clock"])
        if kind is not None and i % 2:
            p = with_lists(p, rng)
        k = int(rng.integers(2, 6))
        with workdps(digits_for(p)):
            nodes, (low, high) = nodes_of(p), ends(p)
            if nodes is None:
                times = [mp(float(low + (high - low) * rng.uniform(0.3, 1))) for _ in range(k - 1)]
            else:
                times = [nodes[int(rng.integers(1, len(nodes)))] for _ in range(k - 1)]
            if i % 2:
                times = [times[0]] * (k - 1)
                p |= {"k": k, "t_hat": float(times[0])}
            else:
                p["times"] = [float(t) for t in times]
            setting, _, _ = prepared(resolve(cmbound.theorem("explicit-multistep"), p))
            names = list(setting.lists["times"]) if "times" in p else ["t_hat"] * (k - 1)
            rows = multistep(p, times, names)
        compare("explicit-multistep", p, lambda rows=rows: rows[-1])  # type: ignore[misc]
        _compare_steps(p, rows)
        if kind is None and "t_hat" in p:
            compare_arrays("explicit-multistep", [(p, rows[-1])])


@pytest.mark.parametrize("extra", [{}, {"t_hat": 1}], ids=["without-t_hat", "with-t_hat"])
def test_one_evaluation_is_one_step(extra: Params) -> None:
    values = draw(np.random.default_rng(23), delta=0.01, T=3, h=0.1)
    p = {**picked(values, EI, "universal", "m2", "h"), "profile": "universal"}
    compare("explicit-multistep", {**p, **extra, "k": 1}, lambda: one_step(p))


def test_training() -> None:
    rows = []
    for i, values in enumerate(settings(15, 12)):
        p: Params = {name: values[name] for name in ("eps_cm", "L_f", "d", "m2", "T", "delta")} | OPTIONS[i % len(OPTIONS)]

        def want(p: Params = p) -> Terms:
            delta, T = ends(p)
            L_f, eps_cm = mp(p["L_f"]), mp(p["eps_cm"])
            if p["clock"] == "ve":
                L_f, _, eps_cm = oracle.ve_constants(T, delta, L_f, mpf(0), eps_cm)
            found = oracle.training_error(eps_cm, delta, T)
            return oracle.one_step(found, L_f, delta, T, mp(p["d"]), mp(p["m2"]), p["start"], p["to"], p["clock"])

        rows.append((p, compare("explicit-training", p, want)))
    for group in _grouped(rows):
        compare_arrays("explicit-training", group)


@pytest.mark.parametrize("clock", ["ou", "ve"])
def test_lipschitz_constants(clock: str) -> None:
    rows: dict[str, list[tuple[Params, Terms]]] = {"explicit-score-lipschitz": [], "explicit-map-lipschitz": []}
    for values in settings(16, 16, EXTREMES[2:7] + EXTREMES[-2:]):
        p = {"delta": values["delta"], "R": values["R"], "tau": values["tau"], "clock": clock}

        def score(p: Params = p) -> Terms:
            delta = mp(p["delta"])
            scale = exp(-2 * delta) if p["clock"] == "ve" else 1
            return {"score_lipschitz": scale * oracle.score_lipschitz(delta, mp(p["R"]), mp(p["tau"]))}

        rows["explicit-score-lipschitz"].append((p, compare("explicit-score-lipschitz", p, score)))
        low, tau = values["delta"], values["tau"]
        small = math.sqrt((tau**2 * math.exp(-2 * low) - math.expm1(-2 * low)) * (1 - tau**2))
        q = {**p, "R": 0 if values["R"] == 0 else small * (values["R"] % 30), "t": values["T"]}

        def exact_map(p: Params = q) -> Terms:
            delta, t = mp(p["delta"]), mp(p["t"])
            scale = exp(delta - t) if p["clock"] == "ve" else 1
            return {"map_lipschitz": scale * oracle.map_lipschitz(delta, t, mp(p["R"]), mp(p["tau"]))}

        rows["explicit-map-lipschitz"].append((q, compare("explicit-map-lipschitz", q, exact_map)))
    for theorem, found in rows.items():
        for group in _grouped(found):
            compare_arrays(theorem, group)


# --- can these tests fail? -----------------------------------------------------------------------------------------------


@cache
def _evaluated() -> list[tuple[Params, Any]]:
    """Settings, two for every profile and teacher and some for rules they do not take, and what the package says."""
    rng, found = np.random.default_rng(17), []
    for teacher, profile in CASES:
        for clock in ("ou", "ve"):
            values = draw(rng, delta=0.01, T=2, L_s=20, tau=0.5, d=5, d_eff=3, m2=1.5, R=2, n_atoms=10, L_os=3, M=0.7)
            p: Params = {**picked(values, teacher, profile, "m2"), "profile": profile, "teacher": teacher, "clock": clock}
            p |= {"start": "standard" if clock == "ou" else "matched", "grid": "edm", "N": 8}
            found.append((p, cmbound.theorem("explicit-one-step").evaluate(**p, digits=DIGITS)))
    for profile in ("lipschitz-integrated", "one-sided", "bounded-integrated"):  # short steps: rules that are better there
        values = draw(rng, delta=0.01, T=2, L_s=20, d=5, m2=1.5, R=2, L_os=3, M=0.01)
        p = {**picked(values, HEUN, profile, "m2"), "profile": profile, "teacher": HEUN, "clock": "ou", "grid": "edm", "N": 200}
        found.append((p, cmbound.theorem("explicit-one-step").evaluate(**p, digits=DIGITS)))
    for teacher, R, end in itertools.product((DDIM, HEUN), (200, 0.1), (3, 9)):  # noise far below R, and far above it
        values = draw(rng, delta=0.01, T=end, d=5, m2=0.9 * R, R=R, n_atoms=10, M=0.1 if R > 1 else 10)
        p = {**picked(values, teacher, "atoms", "m2"), "profile": "atoms", "teacher": teacher, "clock": "ou"}
        p |= {"grid": "edm", "N": 40 if R > 1 else 3}
        found.append((p, cmbound.theorem("explicit-one-step").evaluate(**p, digits=DIGITS)))
    p = {**picked(draw(rng, delta=1e-9, T=9, L_s=1000, d=5, m2=1.5, h=0.1), EI, "lipschitz-integrated", "m2", "h"), "clock": "ou"}
    p["profile"] = "lipschitz-integrated"  # no grid: one number for the whole range
    found.append((p, cmbound.theorem("explicit-one-step").evaluate(**p, digits=DIGITS)))
    return found


def _disagreements(name: str = "") -> Iterator[bool]:
    """Whether the comparison rejects each of these settings (those alone that a function of the oracle enters)."""
    with workdps(120):
        for (p, ev), called in zip(_evaluated(), _called(), strict=True):
            if not name or name in called:
                yield bool(outside(ev, one_step(p), DIGITS))


@cache
def _called() -> list[set[str]]:
    """The functions of the oracle that enter each of these settings."""
    found: list[set[str]] = []
    with ExitStack() as stack:
        for name in MUTABLE.split():
            for module in _homes(name):
                stack.enter_context(patch.object(module, name, _noting(getattr(module, name), name, found)))
        for p, _ in _evaluated():
            found.append(set())
            with workdps(120):
                one_step(p)
    return found


def _noting(function: Callable[..., Any], name: str, found: list[set[str]]) -> Callable[..., Any]:
    def noted(*args: Any, **options: Any) -> Any:
        found[-1].add(name)
        return function(*args, **options)

    return noted


def _homes(name: str) -> list[Any]:
    return [module for module in (oracle, sharp) if hasattr(module, name)]


MUTABLE = (
    "c s lam time edm g kh rho D U_d K_d J I3 w beta v ddim_universal ddim_second_moment ddim_bounded score_grid "
    "initialisation early_stopping information mmse c1_energy c2_energy corollary chi cube rho_heun chi_heun cube_heun T4 "
    "p1_tail p1_at largest_gamma s2 h1_root h2_root heun_second heun_first heun_score"
)


def test_unchanged_oracle_agrees() -> None:
    assert not any(_disagreements())


@pytest.mark.parametrize("name", MUTABLE.split())
def test_a_small_relative_change_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _called()
    original = getattr(_homes(name)[0], name)

    def changed(*args: Any, **options: Any) -> Any:
        x, factor = original(*args, **options), 1 + mpf(10) ** -30
        return [x[0], *(factor * t for t in x[1:-1]), x[-1]] if isinstance(x, list) else factor * x

    for module in _homes(name):
        monkeypatch.setattr(module, name, changed)
    assert any(_disagreements(name))


def test_every_rule_is_on_a_path_that_is_compared() -> None:
    taken = set()
    for p, _ in _evaluated():
        taken |= {(p.get("teacher", EI), x.profile, x.number) for x in chosen("explicit-one-step", p, "T")}
    all_of_them = {(t, name, i) for t, name in CASES for i in range(len(PROFILES[name].rules[t]))}
    # (p1) to (p3) and (h1) are the same for both profiles of data in a ball
    same = {("atoms", 1): 0, ("atoms", 2): 1, ("atoms", 3): 2}
    missing = {x for x in all_of_them - taken if x[0] == EI or x[1] not in ("atoms", "bounded-integrated")}
    assert missing == set()
    for t in (DDIM, HEUN):
        balls = {(name, i) for teacher, name, i in taken if teacher == t}
        seen = {i for name, i in balls if name == "bounded-integrated"} | {same[x] for x in balls if x in same}
        assert seen == set(range(3 if t == HEUN else 2))
        assert ("atoms", 0) in balls


@pytest.mark.parametrize("profile", sorted(oracle.POINTWISE))
def test_a_lost_factor_is_noticed(profile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    original = oracle.POINTWISE[profile]
    monkeypatch.setitem(oracle.POINTWISE, profile, lambda a, b, x: original(a, b, x) / 2)
    assert any(_disagreements())
