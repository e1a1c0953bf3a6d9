"""Every order ``analyse`` prints against what ``evaluate`` computes: growth of the values between two far scales, twice."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import Any

import mpmath
import pytest
import sympy
from sympy import S

import cmbound
from cmbound.analysis.records import Order, Orders
from cmbound.errors import DomainError, UndecidedError
from cmbound.theory.formulas import accepts, required
from cmbound.theory.notation import TABLE
from cmbound.theory.profiles import PROFILES
from cmbound.theory.records import Theorem
from tests.settings import EI, for_profile, for_theorem

BASE: dict[str, Any] = {
    "eps_sc": "0.002", "eps_cm": "0.003", "L_s": "3.5", "L_f": "1.5", "d": "5", "m2": "1.2", "sd2": "0.6", "R": "1.4",
    "tau": "0", "delta": "0.01", "T": "5", "t": "5", "t_hat": "2", "h": "0.01", "k": "3", "n_atoms": "7", "C": "1.3",
    "eps": "0.1", "u": "0.3", "gamma": "2", "tau_c": "3", "L_phi": "4", "eta": "0.02", "W_prev": "0.5", "KL": "2", "FI": "2",
    "c_rate": "0.5", "eps_w": "0.01", "kappa": "0.01", "hbar": "0.01", "L_os": "0.5", "L_v": "2", "eps_v": "0.01",
    "gam_v": "0.7", "eps_loss": "0.01", "L_map": "2", "eps_est": "0.01", "eps_F": "0.01", "p": "2", "N": "400", "sigma_high": "2",
    "sigma_low": "0.5", "eps_ci": "0.001", "dtau": "0.01", "d_eff": "2",
}  # fmt: skip
FAR = ((10**16, 10**24), (10**32, 10**48))
"""Pairs of values of a parameter (or of one over it) for powers."""
PAIRS: dict[str, tuple[tuple[int, int], ...]] = {"k": ((500, 1000), (2000, 3000))}
PAIRS |= dict.fromkeys(("T", "t", "t_hat"), ((10**3, 2 * 10**3), (10**4, 2 * 10**4), (10**7, 10**9)))
NEAR = ((3, 5), (5, 8), (8, 12), (20, 40), (100, 200))
"""For exponentials, those of these that float64 holds."""
CLOSE = {"power": 0.004, "exponential": 0.02}
"""Half a power of a logarithm between the two farthest values makes a difference of 0.0055; exponentials end before that."""


@cache
def derived(id: str, profile: str | None) -> Orders:
    return cmbound.orders(id, **({"profile": profile} if profile else {}))


def given(theorem: Theorem, profile: str | None) -> dict[str, Any]:
    """A point of the domain, every free parameter included: an order is that with the others fixed."""
    needed = for_theorem(theorem, {**BASE, **{name: float(BASE[name]) for name in ("R", "delta", "m2")}})
    found = {name: BASE[name] for name in needed}
    if theorem.id == "explicit-map-lipschitz":
        found |= {"R": "0.5", "delta": "0.1"}
    if theorem.id == "chen2025-multistep":
        found |= {"m2": "1e-6", "eps_ci": "1e-6"}
    if theorem.id == "euler-flow":
        found |= {"N": "4"}  # the power of L_v is N - 1
    if theorem.id == "lyu2023-cor6":
        found |= {"T": "150"}
    if profile in ("smoothed", "smoothed-integrated"):
        found |= {"tau": "0.3"}
    return ({**{x: BASE[x] for x in for_profile(profile, EI, BASE)}, "profile": profile} if profile else {}) | found


def terms_at(theorem: Theorem, params: dict[str, Any], name: str, value: Fraction) -> dict[str, Any]:
    """The terms and the total, as logarithms (certified; for a far horizon float64: 1 - s_T takes T bits)."""
    params = {**params, name: value}
    if name == "t_hat" and accepts(theorem, "T"):
        params["T"] = 1000 if value < 1000 else 10**11  # the horizon makes room
    if name == "tau_c":
        params["eta"] = "1e-200"  # at most tau_c
    if name == "N" and "h" in params:
        end = next(Fraction(params[x]) for x in ("t", "T", "t_hat", "h") if x in params)
        params["h"] = (end - Fraction(params.get("delta", 0))) / params.pop("N")
    if name == "T" and "t" in params:
        params.pop("t")
    if name in ("T", "t", "t_hat") and value > 200 and theorem.uses_profile:
        result = cmbound.theorem(theorem).approximate(**params)
        found = {x: float(y) for x, y in result.terms.items()} | {"total": float(result.total)}
        return {x: math.log(y) if y > 0 else None for x, y in found.items()}
    evaluated = cmbound.theorem(theorem).evaluate(**params)
    upper = {x: y.upper for x, y in evaluated.terms.items()} | {"total": evaluated.upper}
    return {x: float(y.ln()) if y > Decimal("1e-10000") else None for x, y in upper.items()}


def logarithm(x: Order, at: dict[str, Any], value: Fraction) -> float:
    """log of the order (without its coefficient) at a value of its parameter."""
    point = {TABLE[n].symbol: sympy.Rational(v) for n, v in at.items() if n in TABLE and n != "profile"}
    point[TABLE[x.parameter].symbol] = sympy.Rational(value)
    with mpmath.workdps(60):
        return float(sympy.log(x.expression.xreplace(point)).expand(force=True).evalf(60))


def disagreements(theorem: Theorem, profile: str | None, names: tuple[str, ...] | None = None) -> tuple[list[str], int]:
    """The orders the values do not have, and how many were compared."""
    orders, params = derived(theorem.id, profile), given(theorem, profile)
    wrong, missed, compared = [], [], 0
    for name in orders.parameters if names is None else names:
        rows = {**{x: y[name] for x, y in orders.terms.items()}, "total": orders.total[name]}
        if name == "p" or (theorem.id, name) == ("chen2025-multistep", "t_hat"):
            continue  # a small integer; beyond T, where the bound would no longer fall, t_hat cannot go
        limit = orders.total[name].limit
        kinds = {x.kind for x in rows.values()}
        assert "undecided" not in kinds, (theorem.id, profile, name)
        pairs = [(x, "exponential") for x in NEAR if "exponential" in kinds]
        pairs += [(x, "power") for x in PAIRS.get(name, FAR) if "power" in kinds]
        seen: dict[str, list[float]] = {}
        for pair, kind in pairs:
            values = [Fraction(x) if limit == "oo" else 1 / Fraction(x) for x in pair]
            try:
                measured = [terms_at(theorem, params, name, x) for x in values]
            except (DomainError, UndecidedError):
                continue
            for term, x in rows.items():
                logs = [y[term] for y in measured]
                if x.kind == kind and None not in logs:
                    grown = [logarithm(x, params, y) for y in values]
                    steps = math.log(pair[1] / pair[0])
                    seen.setdefault(term, []).append(((logs[1] - logs[0]) - (grown[1] - grown[0])) / steps)
        missed += [(theorem.id, profile, x, name) for x, y in rows.items() if x not in seen and y.kind != "zero"]
        for term, gaps in seen.items():
            compared += 1
            if not abs(gaps[-1]) < CLOSE[rows[term].kind]:
                wrong.append(f"{theorem.id} {profile} {term}: {name} printed {rows[term]}, off by {gaps}")
    assert not missed, missed
    return wrong, compared


EI_PROFILES = tuple(p.name for p in PROFILES.values() if EI in p.rules)


@pytest.mark.parametrize("profile", EI_PROFILES)
def test_one_step(profile: str) -> None:
    wrong, compared = disagreements(cmbound.theorem("explicit-one-step"), profile)
    assert not wrong
    assert compared >= 50


@pytest.mark.parametrize("id", [x.id for x in cmbound.catalogue if x.evaluable and not x.uses_profile])
def test_statements_without_a_profile(id: str) -> None:
    wrong, compared = disagreements(cmbound.theorem(id), None)
    assert not wrong
    assert compared > 0


REST = [
    (x.id, p)
    for x in cmbound.catalogue
    if x.uses_profile and x.id != "explicit-one-step"
    for p in EI_PROFILES
    if not (p == "atoms" and "L_s" in required(x))  # points have no Lipschitz score from time 0 on
]


@pytest.mark.slow
@pytest.mark.parametrize(("id", "profile"), REST)
def test_every_statement_and_profile(id: str, profile: str) -> None:
    wrong, compared = disagreements(cmbound.theorem(id), profile)
    assert not wrong
    assert compared > 0


def test_a_wrong_order_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another profile's orders are seen to be wrong, be it by a power or by half a power of a logarithm."""
    values = cmbound.theorem("explicit-one-step")
    mine = derived("explicit-one-step", "lipschitz-integrated")
    shorter = {name: replace(x, logs=x.logs - S.Half) for name, x in mine.terms["discretisation"].items()}
    wrong_logs = replace(mine, terms={**mine.terms, "discretisation": shorter})
    for found, seen in ((derived("explicit-one-step", "lipschitz"), {"L_s"}), (wrong_logs, {"m2", "L_s"})):
        monkeypatch.setitem(globals(), "derived", lambda *_, x=found: x)
        wrong, _ = disagreements(values, "lipschitz-integrated", ("m2", "L_s"))
        assert {x.split(":")[1].split()[0] for x in wrong if "discretisation" in x} == seen
