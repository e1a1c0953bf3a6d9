"""The package against the independent transcription in :mod:`tests.oracle`, on random valid settings and at extremes.

Certified enclosures must contain the oracle's value (with ``digits=45`` this compares 40 digits), float64 values must
agree to 1e-12 in every term.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from mpmath import exp, mpf, workdps

import cmbound
from cmbound.evaluation.paths import choose_pieces
from cmbound.evaluation.setting import resolve
from cmbound.evaluation.terms import prepared
from tests import oracle
from tests.oracle import Data, Mp, Steps, Terms, mp
from tests.settings import one_law

EI, DDIM = "exponential-integrator", "ddim"
SLACK = 1e-12
TINY = 1e-300
DIGITS = 45
Params = dict[str, Any]

NEEDS: dict[str, dict[str, tuple[str, ...]]] = {
    EI: {
        "universal": (),
        "universal-integrated": (),
        "second-moment": ("m2",),
        "lipschitz": ("L_s",),
        "lipschitz-decay": ("L_s", "m2"),
        "smoothed": ("R", "tau"),
        "bounded": ("R",),
    },
    DDIM: {
        "universal": (),
        "universal-integrated": (),
        "second-moment": ("m2",),
        "bounded": ("R",),
        "atoms": ("R", "n_atoms"),
    },
}
CASES = [(teacher, profile) for teacher, profiles in NEEDS.items() for profile in profiles]
SUBSPACE = {"universal", "universal-integrated", "second-moment"}
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
    {"L_s": 1},
    {"L_s": 1 + 1e-9},
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
    wanted = {"eps_sc", "eps_cm", "L_f", "d", "delta", "T", *NEEDS[teacher][profile], *names}
    return {name: value for name, value in values.items() if name in wanted}


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
    """L_f, eps_sc and eps_cm as lists with one value for each step."""
    with workdps(50):
        steps = len(nodes_of(params) or ()) - 1
    lists = {
        "L_f": [float(x) for x in 10.0 ** rng.uniform(-1, 2, steps)],
        "eps_sc": [float(x) for x in 10.0 ** rng.uniform(-4, 1, steps)],
        "eps_cm": [float(x) for x in 10.0 ** rng.uniform(-4, 1, steps)],
    }
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


def data_of(p: Params, end: Mp) -> Data:
    """What is known of the data law; the Lipschitz constant of the score up to ``end``."""
    known: dict[str, Any] = {name: mp(p[name]) for name in ("d", "m2", "sd2", "R", "tau", "d_eff") if name in p}
    if "L_s" in p:
        known["L"] = oracle.ve_score_lipschitz(end, mp(p["L_s"])) if p.get("clock") == "ve" else mp(p["L_s"])
    if p.get("t_star") == "delta":
        known["t_star"] = ends(p)[0]
    weights = tuple(mp(x) for x in p.get("weights", ()))
    return Data(**known, n_atoms=int(p.get("n_atoms", len(weights))), pi=weights)


def _constants(p: Params) -> tuple[Any, Any, Any]:
    """L_f, eps_sc, eps_cm: numbers, or lists of them."""
    L_f, eps_sc, eps_cm = (
        [mp(x) for x in p[name]] if isinstance(p[name], list) else mp(p[name]) for name in ("L_f", "eps_sc", "eps_cm")
    )
    return L_f, eps_sc, eps_cm


def _collapsed(p: Params) -> bool:
    """Whether the closed form in h applies: no grid, or a uniform one with constants and rules that need not be summed."""
    if p.get("grid") is None:
        return True
    constant = not any(isinstance(p[name], list) for name in ("L_f", "eps_sc", "eps_cm"))
    uniform = p["grid"] == "uniform" and p.get("teacher", EI) == EI and p.get("clock", "ou") == "ou" and constant
    decays = p["profile"] == "lipschitz-decay" or (p["profile"] == "auto" and {"L_s", "m2"} <= p.keys())
    return uniform and not decays


def _rule(piece: Any) -> str:
    if piece.profile == "lipschitz-decay":
        return "lipschitz" if piece.rule.valid_from is None else "lipschitz-late"
    if piece.profile == "atoms":
        return "atoms-above" if piece.rule.energy is None else "atoms-below"
    return str(piece.profile)


def chosen(theorem: str, p: Params, end: str | Fraction) -> list[tuple[str, Any, Any]]:
    """The stretches the package chose up to ``end`` (the name of a parameter, or a time): rule, beginning, end."""
    setting, sums, _ = prepared(resolve(cmbound.theorem(theorem), p))
    time = setting.values[end] if isinstance(end, str) else end
    return [(_rule(x), x.start, x.end) for x in choose_pieces(setting, sums, time)]


def _place(x: Any) -> Any:
    """A beginning or an end of a stretch: node numbers stay, times become mpf."""
    if isinstance(x, int):
        return x
    return mp(x) if isinstance(x, Fraction) else mpf(str(x.evalf(600)))


def pieces_of(theorem: str, p: Params, end: Any, last: Any, first: Any) -> list[tuple[str, Any, Any]]:
    """The stretches to sum over: the whole range, or those the package chose for a profile that chooses."""
    if p["profile"] in ("auto", "lipschitz-decay", "atoms"):
        found = [(rule, _place(a), _place(b)) for rule, a, b in chosen(theorem, p, end)]
        assert all(x[2] == y[1] for x, y in pairwise(found))
        assert abs(found[0][1] - first) <= mpf(10) ** -100
        assert abs(found[-1][2] - last) <= mpf(10) ** -100
        return [(found[0][0], first, found[0][2]), *found[1:]] if len(found) > 1 else [(found[0][0], first, last)]
    return [(p["profile"], first, last)]


def _check_late(pieces: Sequence[tuple[str, Any, Any]], nodes: Sequence[Mp] | None, data: Data) -> None:
    """Rule (d) holds from t_star + u on."""
    for rule, a, _ in pieces:
        if rule == "lipschitz-late":
            assert (a if nodes is None else nodes[a]) >= data.t_star + oracle.look_back(data.L)


def errors(theorem: str, p: Params, end: Any, t: Mp) -> tuple[Terms, Mp]:
    """The terms of the map error at time t, and L_f there, in the OU clock; ``end`` names t for the package."""
    delta, T = ends(p)
    data = data_of(p, t)
    L_f, eps_sc, eps_cm = _constants(p)
    if _collapsed(p):
        grid = nodes_of(p)
        h = mp(p["h"]) if grid is None else (T - delta) / (len(grid) - 1)
        if p.get("clock") == "ve":
            L_f, eps_sc, eps_cm = oracle.ve_constants(t, delta, L_f, eps_sc, eps_cm)
        pieces = pieces_of(theorem, p, end, t, delta)
        _check_late(pieces, None, data)
        if grid is None:
            pieces = [(rule, a, b if b == t else min(b + h, t)) for rule, a, b in pieces]
        return oracle.map_error_closed(pieces, delta, t, h, L_f, eps_sc, eps_cm, data), L_f
    nodes = nodes_of(p)
    assert nodes is not None
    last = min(range(len(nodes)), key=lambda i: abs(nodes[i] - t))
    x: Steps = oracle.steps(nodes, L_f, eps_sc, eps_cm, p.get("clock", "ou")).upto(last)
    pieces = pieces_of(theorem, p, end, last, 0)
    _check_late(pieces, nodes, data)
    return oracle.map_error_grid(pieces, x, p.get("teacher", EI), data), x.L_f[-1]


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
    if values["T"] > 100 and profile in ("lipschitz", "lipschitz-decay", "auto"):
        options["clock"] = "ou"
    if profile in ("lipschitz", "lipschitz-decay") and i % 3 == 0:
        options["t_star"] = "delta"
    if profile in ("second-moment", "auto") and i % 2 == 0:
        options["sd2"] = values["sd2"]
    return options


@cache
def _closed_rows(profile: str) -> list[tuple[Params, Terms]]:
    """Settings without a grid, with the oracle's terms."""
    rows = []
    for i, values in enumerate(settings(1, 16, (*EXTREMES, NARROW))):
        p = {**picked(values, EI, profile, "m2", "h"), "profile": profile, **_options(i, values, profile)}
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
        p |= on_grid(values, kind, rng, options["clock"])
        if teacher == DDIM and profile in SUBSPACE and i % 2:
            p["d_eff"] = values["d_eff"]
        if profile == "atoms" and i % 2:
            p["weights"] = [float(x) for x in rng.exponential(size=int(rng.integers(1, 30)))]
            del p["n_atoms"]
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
    names = ["L_s", "R", "n_atoms", "sd2", "d_eff"]
    known = {name: values[name] for name in names if rng.uniform() < 0.7}
    if "R" in known and teacher == EI and rng.uniform() < 0.5:
        known["tau"] = values["tau"]
    if "L_s" in known and rng.uniform() < 0.3:
        known["t_star"] = "delta"
    return known


def _singles(p: Params, teacher: str) -> list[str]:
    """The profiles that may be asked for alone."""
    off = {"bounded", "atoms"} if p.get("tau", 0) > 0 else set()
    return [name for name, needs in NEEDS[teacher].items() if name not in off and all(x in p for x in needs)]


@cache
def _auto_settings(teacher: str, kind: str | None) -> list[Params]:
    rng, found = np.random.default_rng(6), []
    for i, values in enumerate(settings(7, 3, EXTREMES[2:4] + EXTREMES[-2:])):
        options = _options(i, values, "auto")
        p = {**picked(values, teacher, "universal", "m2", "h"), "teacher": teacher, "profile": "auto", **options}
        p = one_law(p | _known(values, teacher, rng))
        if kind is not None:
            del p["h"]
            p |= on_grid(values, kind, rng, options["clock"])
            if kind == "nodes":
                del p["delta"], p["T"]
            if i % 2:
                p = with_lists(p, rng)
        found.append(p)
    return found


AUTO = [(EI, None), *((teacher, kind) for teacher in (EI, DDIM) for kind in KINDS)]


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


def _rules(p: Params, teacher: str) -> list[str]:
    """The rules stretches may be bounded by."""
    names = _singles(p, teacher)
    found = [name for name in names if name not in ("lipschitz-decay", "atoms")]
    found += ["lipschitz-late"] if "lipschitz-decay" in names else []
    return found + (["atoms-below", "atoms-above"] if "atoms" in names else [])


def _best_path(p: Params, teacher: str) -> Mp:
    """The smallest sum over all ways to cut the grid into stretches, by the oracle."""
    nodes, data = nodes_of(p), data_of(p, ends(p)[1])
    assert nodes is not None
    x = oracle.steps(nodes, *_constants(p), p["clock"])
    late = data.t_star + oracle.look_back(data.L) if data.L is not None else mpf(0)
    additive = [rule for rule in _rules(p, teacher) if rule not in ("universal-integrated", "atoms-below")]
    best = [mpf(0)]
    for k in range(1, len(nodes)):
        valid = [rule for rule in additive if rule != "lipschitz-late" or nodes[k - 1] >= late]
        options = [best[-1] + oracle.discretisation_grid([(rule, k - 1, k)], x, teacher, data) for rule in valid]
        for rule in sorted(set(_rules(p, teacher)) - set(additive)):
            options += [best[i] + oracle.discretisation_grid([(rule, i, k)], x, teacher, data) for i in range(k)]
        best.append(min(options))
    return best[-1] * (exp(nodes[0]) if p["clock"] == "ve" else 1)


@pytest.mark.parametrize("extreme", [False, True])
@pytest.mark.parametrize("teacher", [EI, DDIM])
def test_auto_is_the_best_path_over_all_nodes(teacher: str, extreme: bool) -> None:
    rng = np.random.default_rng(18)
    for i, values in enumerate(settings(19, 0 if extreme else 6, EXTREMES[2:4] if extreme else ())):
        clock = "ve" if i % 2 and values["T"] < 100 else "ou"
        p = {**picked(values, teacher, "universal", "m2"), "teacher": teacher, "profile": "auto", "clock": clock}
        known = _known({**values, "n_atoms": min(values["n_atoms"], 50)}, teacher, rng)
        p = one_law(p | known) | on_grid(values, ("geometric", "edm")[i % 2], rng, clock)
        p = {"L_f": 2, **with_lists(p, rng)} if i % 2 else {**p, "L_f": 2}
        found = cmbound.theorem("explicit-one-step").evaluate(**p).terms["discretisation"].upper
        with workdps(60):
            best = _best_path(p, teacher)
            assert abs(mpf(str(found)) - best) <= 1e-9 * best, (float(mpf(str(found)) / best - 1), p)


def test_lipschitz_decay_switches_at_the_best_node() -> None:
    rng = np.random.default_rng(20)
    for i, values in enumerate(settings(21, 8, EXTREMES[:4])):
        p = {**picked(values, EI, "lipschitz-decay", "m2"), "profile": "lipschitz-decay", "clock": "ou"}
        p |= on_grid(values, KINDS[1 + i % 3], rng, "ou")
        found = cmbound.theorem("explicit-one-step").evaluate(**p).terms["discretisation"].upper
        with workdps(digits_for(p)):
            nodes, data = nodes_of(p), data_of(p, ends(p)[1])
            assert nodes is not None
            x = oracle.steps(nodes, *_constants(p))
            last, late = len(nodes) - 1, data.t_star + oracle.look_back(data.L)
            paths = [[("lipschitz", 0, n), ("lipschitz-late", n, last)] for n in range(last) if nodes[n] >= late]
            paths = [[y for y in path if y[1] < y[2]] for path in [*paths, [("lipschitz", 0, last)]]]
            best = min(oracle.discretisation_grid(path, x, EI, data) for path in paths)
            assert abs(mpf(str(found)) - best) <= 1e-9 * best, (float(mpf(str(found)) / best - 1), p)


def test_lipschitz_decay_switches_near_the_best_time() -> None:
    """Without a grid: within one part in a thousand of the best of many switch times, each at the first node from there on."""
    for values in settings(22, 6, EXTREMES[:4]):
        p = {**picked(values, EI, "lipschitz-decay", "m2", "h"), "profile": "lipschitz-decay"}
        found = cmbound.theorem("explicit-one-step").evaluate(**p).terms["discretisation"].upper
        with workdps(60 + math.ceil(values["T"])):
            (low, high), data, h = ends(p), data_of(p, mpf(0)), mp(p["h"])
            first = max(low, data.t_star + mpf("1.02") * oracle.look_back(data.L))
            best = oracle.ei_closed("lipschitz", low, high, h, data)
            for i in range(100 if first < high else 0):
                cut = first * (high / first) ** (mpf(i) / 100)
                early = oracle.ei_closed("lipschitz", low, min(cut + h, high), h, data)
                best = min(best, early + oracle.ei_closed("lipschitz-late", cut, high, h, data))
            assert mpf(str(found)) <= mp(p["L_f"]) * best * (1 + mpf("1e-3")), (float(mpf(str(found)) / best), p)


def test_auto_over_arrays() -> None:
    rows = []
    for values in settings(8, 12, ()):
        p = {**picked(values, EI, "universal", "m2", "h", "L_s", "R"), "profile": "auto"}
        with workdps(digits_for(p)):
            rows.append((p, one_step(p)))
    compare_arrays("explicit-one-step", rows)


def test_atoms_minimised() -> None:
    """The node and the y the package chose are the best of all nodes and of the whole list."""
    rng = np.random.default_rng(9)
    for i, values in enumerate(settings(10, 4, EXTREMES[2:4])):
        p: Params = {**picked(values, DDIM, "atoms", "m2"), "profile": "atoms", "teacher": DDIM}
        p |= on_grid(values, "geometric", rng, "ou")
        p = with_lists(p, rng) if i % 2 else p
        found = cmbound.theorem("explicit-one-step").evaluate(**p).terms["discretisation"].upper
        with workdps(digits_for(p)):
            nodes, data = nodes_of(p), data_of(p, mpf(0))
            assert nodes is not None
            x = oracle.steps(nodes, *_constants(p))
            weights, levels = x.weights(DDIM), [oracle.lam(t) for t in nodes]
            best = oracle.atoms(levels, weights, data)
            assert abs(mpf(str(found)) - best) <= SLACK * best
            every = [oracle.atoms_at(levels, weights, data, split) for split in range(len(levels) - 1)]
            assert min(every) >= best


# --- the other statements -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("teacher", "profile"), CASES)
def test_map_error(teacher: str, profile: str) -> None:
    rng = np.random.default_rng(11)
    for i, values in enumerate(settings(12, 3, EXTREMES[2:4])):
        clock = "ve" if i % 2 and values["T"] < 100 else "ou"
        p: Params = {**picked(values, teacher, profile), "profile": profile, "teacher": teacher, "clock": clock}
        on = teacher == DDIM or i % 3 == 0
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
        (EI, None, "lipschitz-decay"),
        (EI, None, "auto"),
        (EI, "uniform", "second-moment"),
        (EI, "uniform", "universal-integrated"),
        (EI, "geometric", "lipschitz-decay"),
        (EI, "two-stage", "auto"),
        (DDIM, "edm", "universal"),
    ],
)
def test_multistep(teacher: str, kind: str | None, profile: str) -> None:
    rng = np.random.default_rng(13)
    for i, values in enumerate(settings(14, 3, EXTREMES[3:4])):
        p: Params = picked(values, EI, "lipschitz-decay") if profile == "auto" else picked(values, teacher, profile, "m2")
        p |= {"profile": profile, "teacher": teacher, **_options(i, values, profile)}
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
    """A few settings, two for every profile and teacher, and what the package says."""
    rng, found = np.random.default_rng(17), []
    for teacher, profile in CASES:
        for clock in ("ou", "ve"):
            values = draw(rng, delta=0.01, T=2, L_s=20, tau=0.5, d=5, d_eff=3, m2=1.5, R=2, n_atoms=10)
            p: Params = {**picked(values, teacher, profile, "m2"), "profile": profile, "teacher": teacher, "clock": clock}
            p |= {"start": "standard" if clock == "ou" else "matched", "grid": "edm", "N": 8}
            found.append((p, cmbound.theorem("explicit-one-step").evaluate(**p, digits=DIGITS)))
    return found


def _disagreements() -> Iterator[bool]:
    """Whether the comparison rejects each of these settings."""
    with workdps(120):
        for p, ev in _evaluated():
            yield bool(outside(ev, one_step(p), DIGITS))


MUTABLE = (
    "c s lam time edm g kh rho D U_d K_d J I3 w beta look_back v energy atoms_bn atoms_log "
    "ddim_universal ddim_second_moment ddim_bounded integrated score_grid initialisation early_stopping"
)


def test_unchanged_oracle_agrees() -> None:
    assert not any(_disagreements())


@pytest.mark.parametrize("name", MUTABLE.split())
def test_a_small_relative_change_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    original = getattr(oracle, name)

    def changed(*args: Any) -> Any:
        x, factor = original(*args), 1 + mpf(10) ** -30
        return [x[0], *(factor * t for t in x[1:-1]), x[-1]] if isinstance(x, list) else factor * x

    monkeypatch.setattr(oracle, name, changed)
    assert any(_disagreements())


@pytest.mark.parametrize("profile", sorted(oracle.POINTWISE))
def test_a_lost_factor_is_noticed(profile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    original = oracle.POINTWISE[profile]
    monkeypatch.setitem(oracle.POINTWISE, profile, lambda a, b, x: original(a, b, x) / 2)
    assert any(_disagreements())
