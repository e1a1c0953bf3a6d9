"""Random valid parameters for every statement, profile and teacher: what the generic tests draw from."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from cmbound.theory.formulas import optional_rows, required_rows
from cmbound.theory.profiles import PROFILES
from cmbound.theory.records import Theorem
from cmbound.theory.variants import TEACHERS

EI = "exponential-integrator"


def draw(rng: np.random.Generator) -> dict[str, float]:
    """One value for every parameter, consistent with each other and inside every domain."""
    delta = float(10.0 ** rng.uniform(-6, -1))
    T = float(delta + rng.uniform(4.5, 8))
    m2 = float(10.0 ** rng.uniform(-1, 2))
    d = int(10.0 ** rng.uniform(0, 4))
    return {
        "eps_sc": float(10.0 ** rng.uniform(-4, 0)),
        "eps_cm": float(10.0 ** rng.uniform(-4, 0)),
        "L_s": float(1 + 10.0 ** rng.uniform(-1, 4)),
        "L_f": float(1 + rng.uniform(0, 3)),
        "d": d,
        "m2": m2,
        "sd2": float(m2 * rng.uniform(0.3, 1)),
        "T": T,
        "delta": delta,
        "h": float((T - delta) * 10.0 ** rng.uniform(-6, -0.5)),
        "k": int(rng.integers(1, 6)),
        "R": float(10.0 ** rng.uniform(-1, 2)),
        "tau": float(rng.uniform(0, 0.99)),
        "t": T,
        "t_hat": float(delta + (T - delta) * rng.uniform(0.4, 1)),
        "n_atoms": int(rng.integers(1, 10**5)),
        "d_eff": int(rng.integers(1, d + 1)),
        "C": float(rng.uniform(0.5, 2)),
        "eps": float(10.0 ** rng.uniform(-3, 0)),
        "eta": float(10.0 ** rng.uniform(-3, 0)),
        "u": float(10.0 ** rng.uniform(-3, 0)),
        "gamma": float(10.0 ** rng.uniform(-1, 2)),
        "tau_c": float(10.0 ** rng.uniform(0, 1)),
        "L_phi": float(10.0 ** rng.uniform(-1, 3)),
        "W_prev": float(10.0 ** rng.uniform(-2, 1)),
        "KL": float(10.0 ** rng.uniform(-2, 3)),
        "FI": float(10.0 ** rng.uniform(-2, 3)),
        "c_rate": float(rng.uniform(0.1, 1)),
        "eps_w": float(10.0 ** rng.uniform(-4, 0)),
        "kappa": float(10.0 ** rng.uniform(-4, 0)),
        "hbar": float(10.0 ** rng.uniform(-4, -0.5)),
        "L_os": float(rng.uniform(0, 0.5)),
        "L_v": float(rng.uniform(0, 10)),
        "eps_v": float(10.0 ** rng.uniform(-4, 0)),
        "gam_v": float(10.0 ** rng.uniform(-4, 2)),
        "eps_loss": float(10.0 ** rng.uniform(-4, 0)),
        "L_map": float(1 + rng.uniform(0, 3)),
        "eps_est": float(10.0 ** rng.uniform(-4, 0)),
        "eps_F": float(10.0 ** rng.uniform(-4, 0)),
        "p": int(rng.integers(1, 4)),
        "N": int(rng.integers(2, 1000)),
        "sigma_high": float(10.0 ** rng.uniform(0, 2)),
        "sigma_low": float(10.0 ** rng.uniform(-3, -0.01)),
        "eps_ci": float(10.0 ** rng.uniform(-4, 0)),
        "dtau": float(rng.uniform(0.01, 1)),
        "M": float(10.0 ** rng.uniform(-2, 2)),
        "diameter": float(10.0 ** rng.uniform(-1, 2)),
    }


EXTREMES: tuple[dict[str, float], ...] = (
    {"L_s": 1e9},
    {"d": 10**7},
    {"delta": 1e-12},
    {"T": 200.0, "t": 200.0},
    {"R": 0.0},
    {"tau": 0.0},
    {"L_s": 1.0},
    {"eps_sc": 0.0, "eps_cm": 0.0},
    {"m2": 0.0, "sd2": 0.0},
    {"tau": 0.9999999},
    {"L_s": 1e9, "d": 10**7, "delta": 1e-12, "T": 200.0, "t": 200.0, "R": 0.0, "eps_sc": 0.0, "eps_cm": 0.0},
    {"L_s": 1.0, "d": 10**7, "delta": 1e-12, "T": 200.0, "t": 200.0, "R": 1e3, "m2": 0.0, "sd2": 0.0},
)


def repaired(values: dict[str, float]) -> dict[str, float]:
    """The values with dependent ones pulled back into their domains after some were replaced."""
    span = values["T"] - values["delta"]
    values["d_eff"] = min(values["d_eff"], values["d"])
    values["h"] = min(values["h"], 0.1 * span)
    values["t_hat"] = values["delta"] + 0.5 * span
    values["t"] = values["T"]
    return values


def one_law(given: dict[str, Any]) -> dict[str, Any]:
    """Parameters with the constants of the data pulled to where one law has them all (OU clock)."""
    p = dict(given)
    tau, d = float(p.get("tau", 0)), p.get("d", 1)
    if tau == 0 and str(p.get("t_star", 0)) in ("0", "0.0") and {"L_s", "L_os"} & p.keys():
        p.pop("n_atoms", None)  # points have no Lipschitz score there
    points = p.get("n_atoms", 2)
    if "d_eff" in p:
        p["d_eff"] = d if tau > 0 else min(p["d_eff"], max(points - 1, 1))
        if "L_s" in p and p["d_eff"] < d and str(p.get("t_star", 0)) in ("0", "0.0"):  # nor has a subspace
            del p["d_eff"]
    start = float(p["delta"]) if p.get("t_star") == "delta" else float(p.get("t_star", 0))
    decay, noise = math.exp(-2 * start), -math.expm1(-2 * start)
    if "L_s" in p and tau**2 * decay + noise > 0 and {"R", "n_atoms", "d_eff"} & p.keys():
        p["L_s"] = max(p["L_s"], 1.0001 / (tau**2 * decay + noise))
    if "sd2" in p:
        least = tau * math.sqrt(d) if points == 1 else max(p["sd2"], tau * math.sqrt(d))
        if "L_s" in p and points > 1:
            least = max(least, math.sqrt(max(d / p["L_s"] - noise * d, 0) / decay) * 1.0001)
        p["sd2"] = least
        p["m2"] = max(p["m2"], least) if "m2" in p else None
        p = {name: x for name, x in p.items() if x is not None}
        if "R" in p and points > 1:
            p["R"] = max(p["R"], 1.0001 * least)
    if "diameter" in p:
        k = min(d, p.get("d_eff", d), points - 1 if "n_atoms" in p else d)
        spread = math.sqrt(max(p.get("sd2", 0) ** 2 - d * tau**2, 0))
        p["diameter"] = 0 if points == 1 else max(p["diameter"], 1.0001 * spread * math.sqrt(2 * (k + 1) / k))
        if "R" in p:
            p["R"] = max(p["R"], p["diameter"] / 2)
    return p


def for_theorem(theorem: Theorem, values: dict[str, float]) -> dict[str, float]:
    """The values the statement needs (a radius small enough for exp(R^2/delta) where that is the answer, m2 below R)."""
    found = {name: values[name] for name in (*(x.name for x in required_rows(theorem)), *theorem.free)}
    if theorem.id == "explicit-map-lipschitz":
        found["R"] *= values["delta"] ** 0.5 / 100
    if theorem.id == "chen2025-multistep":
        found["m2"] = min(found["m2"], found["R"]) / 20
    return found


def for_profile(profile: str, teacher: str, values: dict[str, float]) -> dict[str, float]:
    """The values the profile and the teacher need (profiles of data in a ball exclude tau)."""
    names = {*PROFILES[profile].parameters(teacher), *TEACHERS[teacher].needs} - {"t_star"}
    return {name: values[name] for name in sorted(names)}


def cases() -> Iterator[tuple[str, str]]:
    """Every profile with every teacher it covers."""
    for profile in PROFILES.values():
        for teacher in profile.rules:
            yield profile.name, teacher


def ei_options(theorem: Theorem, values: dict[str, float]) -> Iterator[dict[str, Any]]:
    """Settings of one statement: one for each exponential-integrator profile, or the statement alone."""
    base = for_theorem(theorem, values)
    if not theorem.uses_profile:
        if any(x.name == "tau" for x in optional_rows(theorem)):
            yield {**base, "tau": values["tau"]}
        yield base
        return
    for profile, teacher in cases():
        if teacher == EI and not (profile == "atoms" and "L_s" in base):
            yield one_law({**base, **for_profile(profile, teacher, values), "profile": profile})
