"""The independent transcription in :mod:`tests.oracle_sharp` against reference values, definitions and truth."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mpmath import erf, exp, log, mpf, pi, quad, sqrt, workdps

from tests import oracle, oracle_sharp as sharp
from tests.oracle import Mp, mp
from tests.oracle_sharp import Law

REFERENCE = json.loads(Path(__file__).with_name("reference_values_sharp.json").read_text(encoding="utf-8"))
PRECISION = 50  # digits: twenty more than the reference values have
AGREE = mpf(10) ** -20  # the accuracy the reference values are given for


def law_of(x: dict[str, Any]) -> Law:
    """``sdU`` is the spread of U, from which that of the data follows."""
    sd2 = x.get("sd2")
    if "sdU" in x:
        sd2 = sqrt(x["sdU"] ** 2 + x["tau"] ** 2 * x["d"])
    names = {name: x[name] for name in ("d", "R", "tau", "L") if name in x}
    return Law(sd2=sd2, n_atoms=int(x.get("N") or 0), L_os=x.get("L"), **names)


def ei(rule: Callable[..., sharp.EiRule]) -> Callable[[dict[str, Any]], Mp]:
    """A rule of the exponential integrator in closed form."""
    options = {"one_sided": True}
    return lambda x: sharp.ei_closed(rule(law_of(x), **options if x.get("one_sided") else {}), x["a"], x["b"], x["h"])


def ones(x: dict[str, Any]) -> list[Mp]:
    return [mpf(1)] * (len(x["nodes"]) - 1)


def constants(x: dict[str, Any]) -> list[Mp]:
    return [x["M"]] * (len(x["nodes"]) - 1)


def ddim(rule: Callable[[Law], sharp.LevelRule]) -> Callable[[dict[str, Any]], Mp]:
    return lambda x: sharp.ddim_grid(rule(law_of(x)), x["nodes"], ones(x))


def heun(rule: Callable[[Law], sharp.LevelRule]) -> Callable[[dict[str, Any]], Mp]:
    return lambda x: sharp.heun_first(rule(law_of(x)), x["nodes"], ones(x), constants(x))


FUNCTIONS: dict[str, Callable[[dict[str, Any]], Mp]] = {
    "c1": ei(sharp.c1),
    "c2": ei(sharp.c2),
    "c3": ei(sharp.c3),
    "c_corollary_any_grid": lambda x: sharp.corollary(x["h"], law_of(x)),
    "s1": ei(sharp.s1),
    "p1": ddim(sharp.p1),
    "p2": ddim(sharp.p2),
    "p3": ddim(sharp.p3),
    "d2": ddim(sharp.d2),
    "s2_ddim": lambda x: sharp.s2(x["nodes"], ones(x), law_of(x)),
    "heun_p1": heun(sharp.p1),
    "heun_p2": heun(sharp.p2),
    "heun_p3": heun(sharp.p3),
    "heun_d2": heun(sharp.d2),
    "heun_f": heun(sharp.f_levels),
    "h1_second": lambda x: sharp.h1(x["nodes"], ones(x), constants(x), law_of(x)),
    "h2_second": lambda x: sharp.h2(x["nodes"], ones(x), constants(x), law_of(x)),
    "rho2": lambda x: oracle.rho(x["r"]) ** 2,
    "chi2": lambda x: sharp.chi(x["r"]) ** 2,
    "rhoH2": lambda x: sharp.rho_heun(x["r"]) ** 2,
    "chiH2": lambda x: sharp.chi_heun(x["r"]) ** 2,
    "om3H": lambda x: sharp.cube_heun(x["r"]) ** 2,
    "T4": lambda x: sharp.T4(x["r"]),
}


def exact(value: Any) -> Any:
    """Numbers of the file, which are texts, at the current precision."""
    if isinstance(value, list):
        return [mp(x) for x in value]
    return mp(value) if isinstance(value, str) else value


def error(entry: dict[str, Any]) -> Mp:
    """Relative distance of the oracle to the reference value."""
    with workdps(PRECISION):
        found = FUNCTIONS[entry["function"]]({name: exact(x) for name, x in entry["parameters"].items()})
        return abs(found / mp(entry["value"]) - 1)


def test_all_reference_values_are_there() -> None:
    assert len(REFERENCE) == 51
    assert {entry["function"] for entry in REFERENCE} == set(FUNCTIONS)


@pytest.mark.parametrize("entry", REFERENCE, ids=lambda entry: entry["name"])
def test_reference_values(entry: dict[str, Any]) -> None:
    assert error(entry) < AGREE


PLANTED: dict[str, tuple[str, Callable[..., Mp]]] = {
    "chi": ("p2", lambda r: sqrt(log(r) - 2 * (1 - 1 / r) + (1 - 1 / r**3) / 2)),
    "p1_tail": ("p1", lambda k: mpf(0)),
    "c1_energy": ("c1", lambda a, b, L: mpf(0)),
    "T4": ("h1_second", lambda r: (r - 1) ** 4 * (1 - r**-4) / 120),
    "mmse": ("d2", lambda level, law: law.d * level**2),
    "kh": ("s1", lambda h: h / 2),
}


@pytest.mark.parametrize("name", PLANTED)
def test_planted_mistakes_are_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong piece is seen in every reference value of a rule that is made of it."""
    function, wrong = PLANTED[name]
    monkeypatch.setattr(sharp, name, wrong)
    assert all(error(entry) > AGREE for entry in REFERENCE if entry["function"] == function)


# --- the pieces are what they stand for: quadrature ---------------------------------------------------------------------

ROOMY = mpf(10) ** -12  # quadrature to 15 of the 30 digits in use, and what rounding leaves of it


@pytest.mark.parametrize("weight", [sharp.FIRST, sharp.SECOND, sharp.THIRD], ids=["lam", "lam^2", "lam^3"])
@pytest.mark.parametrize(("p", "q"), [("0.3", "0.4"), ("2", "7")])
def test_factors_of_a_step(weight: sharp.Weight, p: str, q: str) -> None:
    """The integrals of kernel^2/om d tau, for Euler's kernel and for the trapezoid rule's."""
    with workdps(30):
        low, high = mp(p), mp(q)
        middle, r = (low + high) / 2, high / low
        for factor, centre in ((weight.euler, low), (weight.heun, middle)):
            square = quad(lambda x, centre=centre: (x - centre) ** 2 / x ** (weight.power + 1), [low, middle, high])
            assert abs((factor(r) * weight.scale(low, high)) ** 2 / square - 1) < ROOMY


@pytest.mark.parametrize("r", ["1.1", "3", "20"])
def test_second_order_factor_is_above_its_integral(r: str) -> None:
    """T4 replaces a symmetric weight against a convex function, and is that integral to leading order."""
    with workdps(30):
        ratio = mp(r)
        exactly = quad(lambda x: (x - 1) ** 2 * (ratio - x) ** 2 / x**5, [1, ratio]) / 4
        assert exactly <= sharp.T4(ratio)
        assert r != "1.1" or sharp.T4(ratio) < exactly * mp("1.02")  # the gap is of relative order (r - 1)^2


@pytest.mark.parametrize("L", ["1", "1.5", "3", "40"])
@pytest.mark.parametrize(("a", "b"), [("0.001", "0.01"), ("0.01", "3"), ("1", "2")])
def test_energy_of_c1(L: str, a: str, b: str) -> None:
    with workdps(30):
        Lh = max(mp(L), 2 / sqrt(mpf(3)))

        def integrand(t: Mp) -> Mp:
            low = min(Lh, 1 / oracle.s(t) ** 2, Lh / 2)
            return Lh * low * (Lh - low)

        kink = mp(a) if Lh <= 2 else oracle.clip(-log(1 - 2 / Lh) / 2, mp(a), mp(b))
        assert abs(sharp.c1_energy(mp(a), mp(b), mp(L)) - quad(integrand, [mp(a), kink, mp(b)])) < ROOMY * Lh**3


EI_RULES: dict[str, tuple[Callable[[Law], sharp.EiRule], Callable[[Mp, Law], Mp]]] = {
    "c1": (sharp.c1, lambda t, law: mpf(1)),
    "c2": (sharp.c2, lambda t, law: exp(2 * t)),
    "c3": (sharp.c3, lambda t, law: exp(2 * t) - 1),
    "f": (sharp.f_ei, lambda t, law: oracle.s(t) ** 3),
    "s1": (sharp.s1, lambda t, law: oracle.v(t, law.tau) ** 3 / oracle.c(t) ** 2),
}
LAW = Law(d=mpf(3), sd2=mpf(2), R=mpf(3), tau=mpf(1) / 4, L=mpf(5))


@pytest.mark.parametrize("name", EI_RULES)
def test_closed_form_sees_the_worst_place_of_the_nodes(name: str) -> None:
    """A stretch that begins inside a step: wherever the nodes lie, the kernel's integral is below what is charged for it."""
    a, b, h = mpf(2) / 10, mpf(19) / 20, mpf(1) / 10  # seven steps and a half
    build, om = EI_RULES[name]
    rule = build(LAW)
    charged = oracle.kh(h) ** 2 * rule.inverse(a, b)
    corrected = charged + ((exp(h) - 1) ** 2 - oracle.kh(h) ** 2) * rule.inverse(a, a + h)
    whole = sharp.ei_closed(rule, a, b, h, inside=True)
    assert whole > sharp.ei_closed(rule, a, b, h)

    def kernel(first: Mp) -> Mp:
        """The integral over [a, b] with nodes first, first + h, ..., first <= a."""
        found, node = mpf(0), first
        while node < b:
            p, q = max(node, a), min(node + h, b)
            found += quad(lambda u, node=node: (exp(u - node) - 1) ** 2 / om(u, LAW), [p, q])
            node += h
        return found

    seen = [kernel(a - h * k / 10) for k in range(10)]
    assert max(seen) <= corrected
    assert seen[0] <= charged * (1 + ROOMY) < max(seen)  # without the correction some grid is not covered


@pytest.mark.parametrize("name", EI_RULES)
def test_weights_of_a_rule(name: str) -> None:
    """Equal steps and weights 1 give the closed form; a weight counts in its own step."""
    rule = EI_RULES[name][0](LAW)
    nodes = [mpf(2 + j) / 10 for j in range(5)]
    one = sharp.ei_grid(rule, nodes, [mpf(1)] * 4)
    assert abs(one / sharp.ei_closed(rule, nodes[0], nodes[-1], mpf(1) / 10) - 1) < ROOMY
    assert abs(sharp.ei_grid(rule, nodes, [mpf(3)] * 4) / (3 * one) - 1) < ROOMY
    uneven = sharp.ei_grid(rule, nodes, [mpf(1), mpf(1), mpf(1), mpf(3)])
    assert one < uneven < sharp.ei_grid(rule, nodes, [mpf(3), mpf(1), mpf(1), mpf(3)]) < 3 * one


# --- truth: Gaussian laws and two points ----------------------------------------------------------------------------------

GAUSSIAN = (mpf(1) / 9, mpf(1) / 2, mpf(4))  # eigenvalues of the covariance: scores with L = 9
GAUSS = Law(d=mpf(3), eigs=GAUSSIAN, L=mpf(9), L_os=mpf(0))  # log-concave
NODES = tuple(mpf(x) / 100 for x in (2, 5, 11, 25, 60, 130, 250))
STEPS = sharp.Grid(NODES, tuple(mpf(x) for x in (1, 3, 2, 5, 2, 1)), (mpf(1),) * 6)


def gaussian_acceleration(t: Mp) -> Mp:
    """norm(ds/dt)_{L2}: a component of variance v moves with x' = x (1-v)/v, and s = -x/v, v' = 2 (1-v)."""
    values = [x * oracle.c(t) ** 2 + oracle.s(t) ** 2 for x in GAUSSIAN]
    return sqrt(sum((1 - v) ** 2 / v**3 for v in values))


def gaussian_speed(level: Mp) -> Mp:
    """b = norm(d zhat/d lam)_{L2}: zhat has the standard deviation lam/(ev + lam^2)^{1/2}, the ODE keeps the direction."""
    return sqrt(sum(x**2 / (x + level**2) ** 3 for x in GAUSSIAN))


def gaussian_truth(teacher: str, i: int, k: int) -> Mp:
    """The sum that the rules bound, on steps i, ..., k - 1."""
    if teacher == "ei":
        steps = zip(STEPS.L_f[i:k], pairwise(STEPS.nodes[i : k + 1]), strict=True)
        return sum(W * quad(lambda u, p=p: (exp(u - p) - 1) * gaussian_acceleration(u), [p, q]) for W, (p, q) in steps)
    steps = zip(STEPS.weights[i:k], pairwise(STEPS.levels[i : k + 1]), strict=True)
    return sum(W * quad(lambda x, p=p: (x - p) * gaussian_speed(x), [p, q]) for W, (p, q) in steps)


@pytest.mark.parametrize("teacher", ["ei", "ddim"])
def test_gaussian_truth_is_below_every_rule(teacher: str) -> None:
    with workdps(20):
        stretches = sharp.STRETCHES[teacher](GAUSS, STEPS)
        for i, k in ((0, 6), (0, 2), (2, 5), (4, 6)):
            truth = gaussian_truth(teacher, i, k)
            assert all(truth <= rule(i, k) for rules in stretches.values() for rule in rules)
        best = sharp.best_path(stretches, 6)
        assert truth < gaussian_truth(teacher, 0, 6) <= best.value


def two_points_speed(level: float) -> float:
    """b = norm(A)_{L2}/lam with A = E[w (w.z)|x], data 1 and -1 with equal weights."""
    x = np.linspace(0, 1 + 8 * level, 2000)
    up, down = np.exp(-((x - 1) ** 2) / (2 * level**2)), np.exp(-((x + 1) ** 2) / (2 * level**2))
    density = (up + down) / (2 * level * np.sqrt(2 * np.pi))
    rows = [(up / (up + down), (x - 1) / level), (down / (up + down), (x + 1) / level)]
    mean = sum(p * z for p, z in rows)
    A = sum(p * (z - mean) ** 2 * z for p, z in rows)
    return float(np.sqrt(2 * np.sum(density * A**2) * x[1]) / level)


def test_two_points_are_below_every_rule_and_not_far() -> None:
    """Energies over the whole range, where a single rule is sharpest."""
    with workdps(15):
        law = Law(d=mpf(1), sd2=mpf(1), R=mpf(1), n_atoms=2)
        levels = [mpf(2) ** (mpf(j) / 2 - 2) for j in range(7)]
        weights = [mpf(1)] * 6
        truth = sum(quad(lambda x, p=p: (x - p) * two_points_speed(float(x)), [p, q], maxdegree=2) for p, q in pairwise(levels))
        rules = [rule for rules in sharp.level_rules(law).values() for rule in rules]
        found = [sharp.ddim_grid(rule, levels, weights) for rule in rules]
        assert truth <= min(found) < 5 * truth  # two points are seen at 0.2 to 0.8 of the bound


# --- best path ------------------------------------------------------------------------------------------------------------


def test_partitions_are_all_and_each_once() -> None:
    found = list(sharp.partitions(6))
    assert len(set(found)) == len(found) == 32
    assert all(cut[0] == 0 and cut[-1] == 6 and list(cut) == sorted(set(cut)) for cut in found)


def test_best_path_of_a_known_table() -> None:
    """Square roots of lengths favour one stretch, squares favour single steps, and a bonus is found in the middle."""
    together = {"root": [lambda i, k: sqrt(mpf(k - i))]}
    assert sharp.best_path(together, 5).pieces == (("root", 0, 5),)
    apart = {"square": [lambda i, k: mpf(k - i) ** 2]}
    assert sharp.best_path(apart, 5).pieces == tuple(("square", i, i + 1) for i in range(5))
    bonus = {**together, "bonus": [lambda i, k: mpf(0 if (i, k) == (1, 4) else 9)]}
    assert sharp.best_path(bonus, 5) == sharp.Path(mpf(2), (("root", 0, 1), ("bonus", 1, 4), ("root", 4, 5)))


@pytest.mark.parametrize("teacher", ["ei", "ddim", "heun"])
def test_best_path_is_below_every_single_profile(teacher: str) -> None:
    """Two masses of different rules: more profiles never hurt and no partition by hand is better."""
    law = Law(d=mpf(2), m2=mpf(1), R=mpf(1), n_atoms=4, L=mpf(30), L_os=mpf(30))
    best = sharp.local_errors(teacher, law, STEPS)
    profiles = sharp.remembering(sharp.STRETCHES[teacher](law, STEPS))
    alone = {name: sharp.best_of(profiles, STEPS, [name]).value for name in profiles}
    assert best.value <= min(alone.values())
    for name, rules in profiles.items():
        byhand = min(rule(0, 2) for rule in rules) + min(rule(2, 6) for rule in rules)
        assert alone[name] <= min(byhand, *(rule(0, 6) for rule in rules))


@pytest.mark.parametrize("N", [0, 7])
def test_only_short_grids_are_searched(N: int) -> None:
    with pytest.raises(ValueError, match="1 to 6 steps"):
        sharp.best_path({"any": [lambda i, k: mpf(1)]}, N)


# --- Heun's budget --------------------------------------------------------------------------------------------------------


def test_score_errors_of_a_heun_step() -> None:
    """One step by hand: sigma from 1 to 3, M = 2, eps_sc = 0.2 and 0.1 in the OU clock."""
    levels = [mpf(1), mpf(3)]
    found = sharp.heun_score(levels, [mpf(2)], [mpf(2)], [mp("0.2"), mp("0.1")])
    early, late = mp("0.2") / sqrt(mpf(2)), mp("0.1") * 3 / sqrt(mpf(10))
    assert abs(found - 2 * ((1 + 2 * 2) * late + early)) < ROOMY


def test_heun_is_half_of_euler_and_second_order_wins_for_small_steps() -> None:
    law = Law(d=mpf(2), sd2=mpf(1), R=mpf(1), n_atoms=4, L=mpf(4))
    levels = [mpf(1) + mpf(j) / 1000 for j in range(8)]
    weights, none = [mpf(1)] * 7, [mpf(0)] * 7
    for rules in sharp.level_rules(law).values():
        for rule in rules:
            ratio = sharp.heun_first(rule, levels, weights, none) / sharp.ddim_grid(rule, levels, weights)
            assert abs(ratio - mpf(1) / 2) < mpf(10) ** -3  # the ratio is 1/2 up to the relative step, here 1/1000
    first = sharp.heun_first(sharp.p2(law), levels, weights, none)
    assert sharp.h1(levels, weights, none, law) < first
    assert sharp.h2(levels, weights, none, law) < sharp.heun_first(sharp.d2(law), levels, weights, none)


# --- 3.7 --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("L", ["1.2", "2", "7"])
def test_density_of_a_gaussian_changes_at_the_bounded_rate(L: str) -> None:
    """Equality at time 0 for N(0, I/L): E (d log p/dt)^2 = (d/2)(v'/v)^2 with v = 1/L, v' = 2 (1 - v)."""
    with workdps(30):
        d, v = mpf(3), 1 / mp(L)
        assert abs(sharp.Q(mpf(0), d, mp(L), sqrt(d * v)) / (2 * d * ((1 - v) / v) ** 2) - 1) < ROOMY


def gaussian_tv(p: Mp, q: Mp) -> Mp:
    """TV of two centred Gaussians in one dimension with these variances."""
    x = sqrt(log(q / p) * p * q / (q - p))
    return abs(erf(x / sqrt(2 * p)) - erf(x / sqrt(2 * q)))


@pytest.mark.parametrize(("L", "variance"), [("1.5", "0.8"), ("4", "0.25"), ("4", "0.5"), ("9", "3")])
@pytest.mark.parametrize("t", ["0.01", "0.3", "2"])
def test_distance_to_the_data_is_above_truth(L: str, variance: str, t: str) -> None:
    with workdps(20):
        m2, time = sqrt(mp(variance)), mp(t)
        truth = gaussian_tv(mp(variance), oracle.c(time) ** 2 * mp(variance) + oracle.s(time) ** 2)
        integral = sharp.tv_integral(time, mpf(1), mp(L), m2)
        assert truth <= integral <= sharp.tv_closed(time, mpf(1), mp(L), m2) * (1 + ROOMY)


@pytest.mark.parametrize(("d", "L", "m2"), [("1", "4", "0.6"), ("1", "40", "0.17"), ("5", "3", "9"), ("2", "1.4", "1.3")])
def test_running_minimum_is_the_smallest_so_far(d: str, L: str, m2: str) -> None:
    """The integral with its breaks computed, against a fine sum with the minimum taken point by point."""
    with workdps(20):
        t, n = mpf(2), 1000
        smallest, total = sharp.Q(mpf(0), mp(d), mp(L), mp(m2)), mpf(0)
        for i in range(n):
            smallest = min(smallest, sharp.Q(t * (2 * i + 1) / (2 * n), mp(d), mp(L), mp(m2)))
            total += sqrt(smallest) * t / (2 * n)
        assert abs(sharp.tv_integral(t, mp(d), mp(L), mp(m2)) / total - 1) < mp("1e-4")  # midpoint rule with 1000 points


def test_smoothing_adds_the_two_distances_and_stops_at_one() -> None:
    d, L, m2, u, delta = mpf(2), mpf(4), mpf(1), mpf(1) / 100, mpf(1) / 1000
    found = sharp.tv_smoothing(u, delta, mpf(1) / 100, d, L, m2)
    kernel = mpf(1) / 100 / sqrt(2 * pi * (exp(2 * u) - 1))
    assert abs(found - kernel - sharp.tv_integral(u + delta, d, L, m2)) < ROOMY
    assert sharp.tv_smoothing(u, delta, mpf(10), d, L, m2) == 1


@pytest.mark.parametrize("spoiled", [lambda law: sharp.c2_energy(mpf(1) / 10, law, law.L, False)])
def test_inconsistent_inputs_are_refused(spoiled: Callable[[Law], Mp]) -> None:
    """A score that is 1-Lipschitz and a law that hardly spreads exclude one another."""
    with pytest.raises(ValueError, match="no law"):
        spoiled(Law(d=mpf(2), sd2=mpf(1) / 100, L=mpf(1)))
    with pytest.raises(ValueError, match="no law"):
        sharp.tv_integral(mpf(1), mpf(2), mpf(1), mpf(1) / 100)


# --- 3.12: what bounds the information ------------------------------------------------------------------------------------


def test_information_takes_the_best_of_what_is_known() -> None:
    level, half = mpf(1) / 2, mpf(1) / 2
    isotropic = half * 3 * log(1 + mpf(4) / (3 * level**2))
    assert sharp.information(level, Law(d=mpf(3), sd2=mpf(2))) == isotropic
    line = Law(d=mpf(3), eigs=(mpf(4), mpf(0), mpf(0)))
    assert abs(sharp.information(level, line) - log(1 + 4 / level**2) / 2) < ROOMY
    assert sharp.information(level, line) < isotropic
    assert abs(sharp.information(level, Law(d=mpf(3), sd2=mpf(2), n_atoms=4)) - log(mpf(4))) < ROOMY
    uneven = Law(d=mpf(3), sd2=mpf(9), pi=(mpf(3), mpf(1)))
    assert abs(sharp.information(level, uneven) - (log(mpf(4)) - log(mpf(3)) * 3 / 4)) < ROOMY
    clusters = Law(d=mpf(3), sd2=mpf(9), covers=((mpf(1), mpf(2)), (mpf(9), mpf(1))))
    assert abs(sharp.information(level, clusters) - (log(mpf(2)) + 2)) < ROOMY


def test_information_of_a_gaussian_is_attained() -> None:
    """int g_1 d tau with g_1 = sum ev/(ev + lam^2), its value for a Gaussian law, from the level on."""
    with workdps(30):
        found = quad(lambda x: sum(e / (e + x**2) for e in GAUSSIAN) / x, [mpf(1) / 3, 1, 10, mpf("inf")])
        assert abs(found / sharp.information(mpf(1) / 3, GAUSS) - 1) < ROOMY
        assert abs(sharp.mmse(mpf(1) / 3, GAUSS) - sum(e / (9 * e + 1) for e in GAUSSIAN)) < ROOMY


def test_smoothed_law_has_a_core() -> None:
    """The spread of U is that of the data without the noise, and never above R."""
    law = Law(d=mpf(4), sd2=mpf(5), R=mpf(9), tau=mpf(1) / 2)
    assert abs(law.core.spread - sqrt(mpf(24))) < ROOMY
    assert Law(d=mpf(4), sd2=mpf(5), R=mpf(2), tau=mpf(1) / 2).core.spread == 2
