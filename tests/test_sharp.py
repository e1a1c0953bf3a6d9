"""The rules of theory 3.12 to 3.14 as the package computes them, against reference values and an independent best path."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import sympy
from mpmath import mpf, workdps

import cmbound
from cmbound.arithmetic import certified
from cmbound.arithmetic.backend import Backend, Balls, Floats
from cmbound.evaluation.paths import best_free
from cmbound.theory import functions
from cmbound.theory.grids import time_of
from cmbound.theory.notation import TABLE, a, b, h
from cmbound.theory.profiles import HEUN, profile
from cmbound.theory.rules import Rule
from tests import oracle_sharp as sharp
from tests.test_sharp_oracle import REFERENCE

AGREE = mpf(10) ** -20  # the accuracy the reference values are given for
FLOAT = 1e-12  # float64: nodes at noise levels are rounded, and short steps magnify that
DIGITS = 50  # more than the reference values have
RULES = {
    "c_corollary_any_grid": ("lipschitz-integrated", "exponential-integrator", 0),
    "c1": ("lipschitz-integrated", "exponential-integrator", 1),
    "c2": ("lipschitz-integrated", "exponential-integrator", 2),
    "c3": ("lipschitz-integrated", "exponential-integrator", 3),
    "s1": ("smoothed-integrated", "exponential-integrator", 0),
    "p1": ("atoms", "ddim", 0),
    "p2": ("bounded-integrated", "ddim", 0),
    "p3": ("bounded-integrated", "ddim", 1),
    "d2": ("lipschitz-integrated", "ddim", 0),
    "s2_ddim": ("smoothed-integrated", "ddim", 0),
    "heun_p1": ("atoms", "heun", 0),
    "heun_p2": ("bounded-integrated", "heun", 0),
    "heun_p3": ("bounded-integrated", "heun", 1),
    "heun_d2": ("lipschitz-integrated", "heun", 0),
    "heun_f": ("universal-integrated", "heun", 0),
    "h1_second": ("bounded-integrated", "heun", 2),
    "h2_second": ("lipschitz-integrated", "heun", 1),
}
KERNELS = {"rhoH2": "rho_h_squared", "chiH2": "chi_h_squared", "chi2": "chi_squared", "rho2": "rho_squared"}
"""The profile, the teacher and the number of the rule behind each name of the reference values, and the kernels."""


def symbol(name: str) -> Any:
    return TABLE[name].symbol


def rule_of(x: dict[str, Any]) -> Rule:
    name, teacher, number = RULES[x["function"]]
    if x["parameters"].get("one_sided"):
        name, number = "one-sided", 1
    rule = profile(name).rules[teacher][number]
    if not x["parameters"].get("N") or name == "atoms":
        return rule
    return rule.specialise(
        lambda e: e.replace(lambda y: isinstance(y, functions.information), lambda y: sympy.Min(y, symbol("entropy")))
    )


def constants(x: dict[str, Any], backend: Backend) -> dict[Any, Any]:
    """The parameters of a reference value by symbol; ``sdU`` is the spread of U, from which that of the data follows."""
    given = {name: Fraction(y) for name, y in x["parameters"].items() if name not in ("nodes", "one_sided") and y is not None}
    one_sided = bool(x["parameters"].get("one_sided"))
    names = {"L": "L_os" if one_sided else "L_s", "sd2": "m2"}
    fixed = {symbol(names.get(name, name)): backend.number(y) for name, y in given.items() if name not in ("N", "sdU")}
    fixed |= {
        symbol(name): backend.number(Fraction(y)) for name, y in (("t_star", 0), ("d", 1), ("m2", 1)) if symbol(name) not in fixed
    }
    if "sdU" in given:
        sd2 = sympy.sqrt(sympy.Rational(given["sdU"]) ** 2 + sympy.Rational(given["d"]) * sympy.Rational(given["tau"]) ** 2)
        fixed[symbol("m2")] = backend.number(sd2)
    if "N" in given:
        fixed |= {symbol("nu"): backend.number(given["N"]), symbol("entropy"): backend.number(sympy.log(int(given["N"])))}
    return fixed


def on_nodes(rule: Rule, levels: list[str], fixed: dict[Any, Any], backend: Backend) -> Any:
    """A rule summed over the steps between noise levels, every weight 1."""
    nodes = [backend.number(time_of(sympy.Rational(x))) for x in levels]
    rows = {a: nodes[:-1], b: nodes[1:], h: [y - x for x, y in pairwise(nodes)]}
    rows = {x: backend.joined(y) for x, y in rows.items()}
    stretch = {**fixed, a: nodes[0], b: nodes[-1]}
    floats = {x: float(y.mid()) if hasattr(y, "mid") else y for x, y in stretch.items()}
    stretch |= {x: backend.number(Fraction(float(y))) for x, y in best_free(rule, floats)}
    total = backend.number(Fraction(0))
    if rule.steps != 0:
        total += backend.total(backend.each(rule.steps, rows, fixed))
    for root in rule.roots:
        total += backend.root(backend.total(backend.each(root.energy, rows, fixed))) * backend.value(root.factor, stretch)
    return total


def computed(x: dict[str, Any], backend: Backend) -> Any:
    if x["function"] in KERNELS:
        return backend.value(getattr(functions, KERNELS[x["function"]])(sympy.log(sympy.Rational(x["parameters"]["r"]))), {})
    if x["function"] == "T4":
        return backend.value(functions.trapezoid_energy(sympy.log(sympy.Rational(x["parameters"]["r"]))), {})
    if x["function"] == "om3H":
        rest = 1 / sympy.Rational(x["parameters"]["r"])
        return backend.value(functions.heun_cube(1 - rest, rest), {})
    rule, fixed = rule_of(x), constants(x, backend)
    levels = x["parameters"].get("nodes")
    return on_nodes(rule, levels, fixed, backend) if levels else backend.value(rule.bound, fixed)


@pytest.mark.parametrize("x", REFERENCE, ids=lambda x: x["name"])
def test_rules_have_the_reference_values(x: dict[str, Any]) -> None:
    with workdps(DIGITS), certified.precision(400):
        ball = computed(x, Balls())
        assert abs(mpf(ball.mid().str(40, radius=False)) / mpf(x["value"]) - 1) < AGREE
        assert abs(float(computed(x, Floats())) / float(mpf(x["value"])) - 1) < FLOAT


def test_a_wrong_kernel_is_seen() -> None:
    x = next(y for y in REFERENCE if y["function"] == "heun_p2")
    right = rule_of(x)
    wrong = right.with_part("energy 1", HEUN[1])
    with workdps(DIGITS), certified.precision(400):
        fixed = constants(x, Balls())
        value = on_nodes(wrong, x["parameters"]["nodes"], fixed, Balls())
        assert abs(mpf(value.mid().str(40, radius=False)) / mpf(x["value"]) - 1) > 1e-3  # far beyond rounding


# --- evaluations against an exhaustive search over all paths --------------------------------------------------------------

TEACHER = {"exponential-integrator": "ei", "ddim": "ddim", "heun": "heun"}


def random_case(seed: int) -> tuple[dict[str, Any], sharp.Law, sharp.Grid, str, list[str]]:
    """Numbers for the package, and the same for the oracle: a law, a grid of 2 to 5 steps, weights and a teacher."""
    rng = np.random.default_rng(seed)
    steps = int(rng.integers(2, 6))
    teacher = list(TEACHER)[seed % 3]
    nodes = np.sort(10 ** rng.uniform(-3, 0.7, steps + 1))
    d = int(rng.integers(2, 40))
    R = float(rng.uniform(0.5, 5))
    sd2 = R * float(rng.uniform(0.3, 0.95))
    text = [f"{x:.6g}" for x in nodes]
    given: dict[str, Any] = {"d": d, "sd2": f"{sd2:.6g}", "m2": f"{1.5 * R:.6g}", "eps_cm": 0, "eps_sc": 0}
    law: dict[str, Any] = {"d": mpf(d), "sd2": mpf(given["sd2"]), "m2": mpf(given["m2"])}
    kind = ("atoms", "smoothed", "lipschitz", "one-sided")[seed % 4]
    profiles = ["universal", "universal-integrated", "second-moment"]
    if kind == "atoms":
        count = int(rng.integers(2, 50))
        given |= {"R": f"{R:.6g}", "n_atoms": count, "diameter": f"{1.6 * R:.6g}"}
        law |= {"R": mpf(given["R"]), "n_atoms": count, "diameter": mpf(given["diameter"])}
        profiles += ["bounded", "bounded-integrated", "atoms"]
    elif kind == "smoothed":
        tau = 0.3 * sd2 / d**0.5
        given |= {"R": f"{R:.6g}", "tau": f"{tau:.6g}"}
        law |= {"R": mpf(given["R"]), "tau": mpf(given["tau"])}
        profiles += ["smoothed", "smoothed-integrated"]
    elif kind == "lipschitz":
        L = 1.1 + d / sd2**2 * float(rng.uniform(1, 20))
        given |= {"L_s": f"{L:.6g}"}
        law |= {"L": mpf(given["L_s"])}
        profiles += ["lipschitz", "lipschitz-integrated"]
    else:
        given |= {"L_os": f"{float(rng.choice([0, 2, 30])):.6g}"}
        law |= {"L_os": mpf(given["L_os"])}
        profiles += ["one-sided"]
    lipschitz = ["1", *(f"{x:.4g}" for x in rng.uniform(0.5, 3, steps))]
    given["L_f"] = lipschitz[1:]
    noise = [f"{x:.4g}" for x in rng.uniform(0, 3, steps)]
    if teacher == "heun":
        given["M"] = noise
    if seed % 5 == 0 and kind != "lipschitz":
        shares = rng.dirichlet(np.ones(d))
        least = float(given.get("tau", 0)) ** 2
        eigenvalues = [f"{x:.6g}" for x in least * 1.001 + (sd2**2 - 1.01 * d * least) * shares]
        given |= {"cov_eigs": eigenvalues}
        law |= {"eigs": tuple(map(mpf, eigenvalues)), "sd2": sum(map(mpf, eigenvalues)) ** mpf("0.5")}
        del given["sd2"]
    grid = sharp.Grid(tuple(map(mpf, text)), tuple(map(mpf, lipschitz[:-1])), tuple(map(mpf, noise)))
    return {**given, "grid": text}, sharp.Law(**law), grid, teacher, profiles


@pytest.mark.parametrize("seed", range(48))
def test_the_path_is_the_best_of_all(seed: int) -> None:
    """Every profile alone and auto: the bound on the local errors is that of an exhaustive search over partitions."""
    with workdps(DIGITS):
        given, law, grid, teacher, profiles = random_case(seed)
        theorem = cmbound.theorem("explicit-map-error")
        stretches = sharp.remembering(sharp.STRETCHES[TEACHER[teacher]](law, grid))
        for name in [*profiles, "auto"]:
            if name != "auto" and teacher not in profile(name).rules:
                continue
            found = theorem.evaluate(**given, profile=name, teacher=teacher).terms["discretisation"]
            wanted = sharp.best_of(stretches, grid, profiles if name == "auto" else [name])
            # the path is chosen in float64, so that it may be beaten by rounding
            assert abs(mpf(str(found.lower)) / wanted.value - 1) < mpf(10) ** -12, (name, teacher, found, wanted)
