"""Nothing the package chooses can be chosen noticeably better: free parameters, budgets and times, against brute force."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import cmbound
from cmbound.errors import CmboundError, DomainError
from cmbound.evaluation.point import evaluate
from cmbound.planning.budget import solve
from cmbound.planning.problem import TERM_OF
from cmbound.planning.records import Budget

SMOOTHING, UNDERDAMPED = "explicit-tv-smoothing", "explicit-tv-underdamped"
CLOSE = 1e-3
"""What a choice may cost at most, as a part of the value."""


def drawn(rng: np.random.Generator, low: float, high: float) -> str:
    """A number of four digits, uniform on a logarithmic scale."""
    return f"{10 ** rng.uniform(low, high):.4g}"


def law(rng: np.random.Generator, id: str) -> dict[str, Any]:
    """Constants of a random law and model."""
    found: dict[str, Any] = {"d": int(rng.choice([1, 2, 10, 300])), "m2": drawn(rng, -1, 1), "L_f": f"{rng.uniform(1, 5):.3f}"}
    if id.startswith("explicit-tv"):
        found["L_s"] = drawn(rng, 0, 2)
    if id == UNDERDAMPED:
        found["L_phi"] = drawn(rng, -2, 4)
    return found


def point(rng: np.random.Generator, id: str) -> dict[str, Any]:
    """A random point, without the free parameters."""
    found = law(rng, id) | {"delta": drawn(rng, -5, -2), "T": f"{rng.uniform(2, 10):.3f}", "eps_cm": drawn(rng, -5, -2)}
    if id != "explicit-training":
        found |= {"profile": str(rng.choice(["universal", "second-moment", "universal-integrated"]))}
        found |= {"eps_sc": drawn(rng, -5, -2), "h": drawn(rng, -6, -3)}
    if id == UNDERDAMPED:
        found["eta"] = drawn(rng, -5, 0)
    if id == "explicit-multistep":
        found |= {"k": 2, "t_hat": "1"}
    return found


# --- free parameters ------------------------------------------------------------------------------------------------


def drift(x: dict[str, float], t: Any) -> Any:
    """TV(p_t, p_data), theory 3.7."""
    return t / 2 * np.sqrt(x["d"] * (1 + x["L_s"]) ** 2 + x["L_s"] * (x["m2"] ** 2 + x["d"] * x["L_s"]))


def w2(params: dict[str, Any]) -> float:
    """The bound on W2 to p_delta of one-step sampling at the same point."""
    shared = {name: x for name, x in params.items() if name not in ("L_s", "L_phi", "eta", "u", "gamma", "tau_c")}
    return float(cmbound.theorem("explicit-one-step").approximate(**shared, to="p_delta").total)


def brute_smoothing(params: dict[str, Any]) -> Any:
    x = {name: float(y) for name, y in params.items() if name != "profile"}
    room = x["T"] - x["delta"]
    u = np.append(np.geomspace(1e-12 * room, room, 200_000, endpoint=False), room)
    return float(np.min(w2(params) / np.sqrt(2 * np.pi * np.expm1(2 * u)) + drift(x, u))) + drift(x, x["delta"])


def brute_underdamped(params: dict[str, Any]) -> Any:
    """On a wide grid of what was left out (a long corrector with much friction has a limit), and a fine one where it is least."""
    x = {name: float(y) for name, y in params.items() if name != "profile"}
    distance, eps, slope = w2(params), x["eps_sc"], x["L_s"]
    spread = eps**2 + eps * slope * np.sqrt(x["d"]) * x["eta"] + slope**2 * x["d"] * x["eta"] ** 2 / 3

    def least(a: Any, b: Any) -> tuple[float, float, float]:
        """The smallest value, and the time and friction it is at."""
        pull = np.sqrt(12) * a**-1.5 + b[:, None] * np.sqrt(6 / 5) / np.sqrt(a) + x["L_phi"] * np.sqrt(13 * a / 35 + x["eta"])
        total = distance * pull / np.sqrt(4 * np.pi * b[:, None]) + np.sqrt(a / 8 * spread) / np.sqrt(b[:, None])
        i, j = np.unravel_index(total.argmin(), total.shape)
        return float(total[i, j]), a[j], b[i]

    near = np.geomspace(1 / 1.3, 1.3, 301)  # further than the neighbours in the grid
    time = np.array([x["tau_c"]]) if "tau_c" in x else x["eta"] * np.geomspace(1, 1e15, 301)
    friction = np.array([x["gamma"]]) if "gamma" in x else np.geomspace(1e-12, 1e15, 301)
    found, a, b = least(time, friction)
    closer, _, _ = least(time if "tau_c" in x else np.maximum(a * near, x["eta"]), friction if "gamma" in x else b * near)
    return min(found, closer) + drift(x, x["delta"])


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(
    ("id", "given"), [(SMOOTHING, ()), (UNDERDAMPED, ()), (UNDERDAMPED, ("gamma",)), (UNDERDAMPED, ("tau_c",))], ids=str
)
def test_free_parameters(id: str, given: tuple[str, ...], seed: int) -> None:
    rng = np.random.default_rng(seed)
    params = point(rng, id)
    params |= {name: str(float(params["eta"]) * float(drawn(rng, 0, 6))) for name in given}
    found = cmbound.theorem(id).evaluate(**params)
    least = brute_smoothing(params) if id == SMOOTHING else brute_underdamped(params)
    assert found.value <= least * (1 + CLOSE)
    assert set(found.derived) >= set(cmbound.theorem(id).free) - set(given)
    assert set(found.parameters) == set(params) - {"profile"}


@pytest.mark.parametrize("L_phi", ["1e-6", "5", "1e10"])
def test_the_corrector_is_no_longer_than_it_pays(L_phi: str) -> None:
    """The bound falls towards a limit with friction and time; what is chosen stays a multiple of the scales of the score."""
    params = {**point(np.random.default_rng(0), UNDERDAMPED), "L_phi": L_phi, "eta": "1e-12"}
    derived = cmbound.theorem(UNDERDAMPED).evaluate(**params).derived
    assert float(derived["tau_c"].upper) < 1e3 / float(L_phi) ** 0.5
    assert float(derived["gamma"].upper) < 1e3 * float(L_phi) ** 0.5


def test_friction_beyond_the_old_cap_and_at_an_assumption() -> None:
    base = {"eps_sc": "1e-3", "eps_cm": "1e-3", "L_f": "1.5", "d": 3, "m2": "2", "L_s": "4", "T": 6, "delta": "1e-3", "h": "1e-3"}
    long = cmbound.theorem(UNDERDAMPED).evaluate(**base, L_phi=5, eta="1e-3", tau_c=39930)
    assert float(long.derived["gamma"].upper) > 100 * 4 * 5**0.5
    assert long.value <= brute_underdamped({**base, "L_phi": 5, "eta": "1e-3", "tau_c": 39930}) * (1 + CLOSE)
    short = cmbound.theorem(UNDERDAMPED).evaluate(**base, L_phi=5, eta="2.123456789", gamma=3)
    assert 2.123456789 <= float(short.derived["tau_c"].lower) < 2.12346 * (1 + 1e-5)
    rest = {**base, "T": "0.012345678", "h": "1e-4", "m2": "1e5"}
    whole = cmbound.theorem(SMOOTHING).evaluate(**rest)
    assert 0.0113456 <= float(whole.derived["u"].upper) <= 0.011345678
    with pytest.raises(DomainError, match="no value of the parameters left out"):
        cmbound.theorem(UNDERDAMPED).evaluate(**base, L_phi=5, eta="1e200", gamma=3)


def test_left_out_over_arrays() -> None:
    """Where a free parameter is left out each entry of an array has its own best value."""
    params = {name: x for name, x in point(np.random.default_rng(5), SMOOTHING).items() if name != "eps_cm"}
    values = np.array([1e-4, 1e-2])
    found = cmbound.theorem(SMOOTHING).approximate(**params, eps_cm=values).total
    assert found == pytest.approx([cmbound.theorem(SMOOTHING).evaluate(**params, eps_cm=x).value for x in values], rel=1e-9)


def test_y_of_the_atoms_profile() -> None:
    """The free parameter of the profile is the best one, for few and for very many atoms, near the data and far from them."""
    from cmbound.arithmetic.approximate import compile
    from cmbound.evaluation.paths import best_free
    from cmbound.theory.functions import atoms_energy, lam
    from cmbound.theory.notation import b, d, entropy, m2, nu, y
    from cmbound.theory.profiles import ATOMS_PROFILE

    (rule,) = (x for x in ATOMS_PROFILE.rules["ddim"] if x.free)
    assert rule.free is not None
    bound = compile((atoms_energy(nu, entropy, d, m2**2 / lam(b) ** 2, y),), (nu, entropy, d, m2, b, y))
    grid = np.geomspace(float(rule.free.low), float(rule.free.high), 100_000)
    for count in (1.0, 2.0, 50.0, 1e6, 1e300):
        for end in (1e-6, 0.1, 5.0):
            given = {nu: count, entropy: np.log(count), d: 3.0, m2: 1.0, b: end}
            ((symbol, best),) = best_free(rule, {x: np.asarray(value) for x, value in given.items()})
            assert symbol == y
            assert rule.free.low <= best <= rule.free.high
            assert bound(*given.values(), best)[0] <= bound(*given.values(), grid)[0].min() * (1 + CLOSE)


# --- budgets --------------------------------------------------------------------------------------------------------


def again(budget: Budget, **changes: Any) -> Any:
    """The statement at the numbers of the budget, some of them changed (float64)."""
    achieved, theorem = budget.achieved, budget.theorem
    kind = (achieved.grid or {}).get("kind")
    options = {
        "teacher": achieved.teacher,
        "to": achieved.target,
        "start": achieved.start,
        "clock": achieved.clock if theorem.ve_factor is not None else None,
        "profile": achieved.profile,
        "grid": None if kind in (None, "closed-form") else kind,
    }
    return evaluate(theorem, {**budget.parameters, **changes, **options}, "approximate")


def relaxed(name: str, text: str) -> Any:
    """A value 0.1% less safe."""
    value = Fraction(text)
    if name == "N":
        return int(value * (1 - Fraction(CLOSE)))
    return value * (1 - Fraction(CLOSE)) if name == "T" else value * (1 + Fraction(CLOSE))


def check_maximal(budget: Budget) -> None:
    """No solved parameter can be relaxed by 0.1% without its term, or one of those it moves, leaving its share."""
    target = float(budget.target)
    solved = [x for x in budget.solved if x in TERM_OF]
    assert solved
    for name in solved:
        try:
            found = again(budget, **{name: relaxed(name, budget.budget[name])}).terms
        except DomainError:  # it lay at its cap
            continue
        terms = [TERM_OF[name], *(["corrector"] if name == "eps_sc" and "corrector" in found else [])]
        assert any(found[x].value > budget.split[x] * target for x in terms), (name, budget)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    "id",
    ["explicit-one-step", "explicit-training", "explicit-multistep", "explicit-map-error", SMOOTHING, UNDERDAMPED],
)
def test_budgets(id: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    params = law(rng, id)
    if id != "explicit-training":
        params["profile"] = str(rng.choice(["universal", "second-moment", "universal-integrated"]))
    if id == "explicit-map-error":
        params = {**params, "delta": drawn(rng, -3, -1), "t": 3, "profile": "universal"}
        params.pop("m2")
    if id == "explicit-multistep":
        params |= {"k": 2, "t_hat": 1}
    names = {"explicit-training": ("eps_cm",)}.get(id, ("eps_cm", "eps_sc", "h"))
    sizes = {"h": (-11, -10), "eps_cm": (-7, -5), "eps_sc": (-7, -5)}
    fix = {} if id == "explicit-map-error" else {x: drawn(rng, *sizes[x]) for x in names if rng.random() < 0.3}
    target = drawn(rng, -1.5, 0)
    budget = solve(id, target=target, fix=fix, **params)
    assert Fraction(budget.achieved.upper) <= Fraction(target)
    check_maximal(budget)


@pytest.mark.parametrize(
    "options", [{"teacher": "ddim"}, {"grid": "uniform"}, {"clock": "ve", "T": 3, "m2": "1e-3", "start": "matched"},
     {"teacher": "ddim", "grid": "edm"}],
)  # fmt: skip
def test_budgets_on_grids(options: dict[str, Any]) -> None:
    check_maximal(
        solve("explicit-one-step", target="0.7", **{"L_f": "1.05", "d": 2, "m2": "1.2", "profile": "second-moment", **options})
    )


def test_the_corrector_uses_its_share() -> None:
    law: dict[str, Any] = {"d": 1, "m2": "1.517", "L_f": "1.5", "L_s": 4, "L_phi": 5, "profile": "universal-integrated"}
    budget = solve(UNDERDAMPED, target="0.195", **law)
    assert budget.achieved.terms["corrector"].value >= 0.999 * budget.split["corrector"] * 0.195
    check_maximal(budget)
    with_error = solve(UNDERDAMPED, target="0.195", eps_sc="1e-4", gamma=9, tau_c="0.9", **law)
    assert with_error.achieved.terms["corrector"].value >= 0.999 * with_error.split["corrector"] * 0.195
    check_maximal(with_error)
    large = solve(UNDERDAMPED, target="0.195", eps_sc=budget.budget["eps_sc"], gamma=9, tau_c="0.9", **law)
    assert large.budget["gamma"] == "9"


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("id", "unknown"),
    [
        *(
            (id, name)
            for id in ("explicit-one-step", SMOOTHING, UNDERDAMPED)
            for name in ("delta", "h", "eps_sc", "eps_cm", "L_f")
        ),
        ("explicit-one-step", "T"),
        ("explicit-multistep", "eps_cm"),
        ("explicit-training", "T"),
        (SMOOTHING, "u"),
        (SMOOTHING, "T"),
        (UNDERDAMPED, "eta"),
    ],
)
def test_single_unknowns(id: str, unknown: str, seed: int) -> None:
    """No value further on meets the target: the free parameters that were left out are best at every one."""
    rng = np.random.default_rng(seed)
    params = point(rng, id)
    start = evaluate(cmbound.theorem(id), params, "approximate").value
    params.pop(unknown, None)
    target = f"{start * rng.choice([1.05, 1.5, 3]):.6g}"
    budget = solve(id, target=target, unknown=unknown, **params)
    assert Fraction(budget.achieved.upper) <= Fraction(target)
    value = float(budget.budget[unknown])
    factors = (1 + CLOSE, 1.01, 1.1, 2, 30, 1000)
    for x in (float(params["delta"]) + (value - float(params["delta"])) / f if unknown == "T" else value * f for f in factors):
        try:
            found = evaluate(cmbound.theorem(id), {**params, unknown: x}, "approximate").value
        except CmboundError:
            continue
        assert found > float(target), (unknown, value, x)


@pytest.mark.parametrize(
    "options", [{}, {"L_f": "3", "profile": "universal"}, {"L_f": "1", "m2": "30", "d": 1}, {"split": "optimal"}], ids=str
)
def test_time_of_later_evaluations(options: dict[str, Any]) -> None:
    """No other t_hat needs noticeably fewer steps."""
    params = {"L_f": "1.05", "d": 2, "m2": "1.2", "profile": "second-moment", "target": "0.3", **options}

    def steps(budget: Budget) -> float:
        width = Fraction(budget.budget["T"]) - Fraction(budget.budget["delta"])
        return float(width / Fraction(budget.budget["h"]))

    best = solve("explicit-multistep", k=3, **params)
    at = float(best.budget["t_hat"])
    for factor in (0.8, 0.98, 1.02, 1.2):
        other = solve("explicit-multistep", k=3, t_hat=f"{at * factor:.6g}", **params)
        assert steps(best) <= steps(other) * (1 + CLOSE)


@pytest.mark.parametrize("options", [{}, {"delta": "1e-4"}, {"start": "matched", "L_f": 3}])
def test_optimal_split(options: dict[str, Any]) -> None:
    """No other shares of early stopping, initialisation and discretisation need noticeably fewer steps."""
    params = {"L_f": "1.05", "d": 2, "m2": "1.2", "profile": "universal", "target": "0.2", **options}
    best = solve("explicit-one-step", split="optimal", **params)
    assert best.evaluations_of_teacher is not None
    free = [TERM_OF[x] for x in best.solved if x in ("delta", "T", "h")]
    whole = sum(best.split.values())
    for low in free:
        for high in free:
            for part in (0.002, 0.02, 0.1) if low != high else ():
                size = part * best.split[low]
                shares = {**best.split, low: best.split[low] - size, high: best.split[high] + size}
                texts = {x: Fraction(y / whole).limit_denominator(10**12) for x, y in shares.items()}
                texts[low] += 1 - sum(texts.values())
                other = solve("explicit-one-step", split=texts, **params)
                assert other.evaluations_of_teacher is not None
                assert best.evaluations_of_teacher <= other.evaluations_of_teacher * (1 + CLOSE) + 1
