"""Generic tests: every statement of the catalogue, found by iteration, must pass them."""

from __future__ import annotations

import dataclasses
import re
from decimal import Decimal
from functools import cache
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import assume, given, settings, strategies as st
from matplotlib.mathtext import MathTextParser

import cmbound
from cmbound.catalogue import ids, listed
from cmbound.catalogue.bibtex import entries
from cmbound.evaluation.paths import combinable
from cmbound.evaluation.statement import Statement
from cmbound.theory.formulas import computable_terms, latex
from cmbound.theory.named import Rearranged, elementary
from cmbound.theory.notation import PARAMETERS, TABLE, entropy, nu
from cmbound.theory.profiles import PROFILES
from tests.settings import EI, EXTREMES, draw, ei_options, for_profile, for_theorem, one_law, repaired

THEOREMS = list(cmbound.catalogue)
EVALUABLE = [x for x in THEOREMS if x.evaluable]
BY_ID = pytest.mark.parametrize("theorem", THEOREMS, ids=[x.id for x in THEOREMS])
BY_EVALUABLE = pytest.mark.parametrize("theorem", EVALUABLE, ids=[x.id for x in EVALUABLE])
DIGITS = 300
"""What mpmath computes with: of a horizon of 200 the smallest summand is below the others by 174 digits."""
TERM_NAMES = {"initialisation", "consistency", "score", "discretisation", "early_stopping", "velocity", "total_variation"}
PAPER_IDS = [f"lyu2023-{x}" for x in ("thm2", "thm3", "cor4", "cor5", "cor6", "lem7", "cor8", "cor9", "cor10")]
EXPLICIT_IDS = [
    f"explicit-{x}"
    for x in (
        "map-error",
        "one-step",
        "multistep",
        "training",
        "score-lipschitz",
        "map-lipschitz",
        "tv-early-stopping",
        "tv-smoothing",
        "tv-underdamped",
    )
]
RELATED_IDS = [
    "chen2022-ddpm", "chen2022-cld", "chen2022-bounded", "chen2023-dpum", "benton2024-linear", "chewi2026-ddpm", "kwon2022-w2",
    "benton2023-flow", "euler-flow", "bansal2024-thm2", "gao2024-pfode", "brosse2026-edm", "beyler2025-samplers",
    "stephan2026-euler", "wainwright2026-schedules", "kremling2025-weak", "mbacke2023-ddpm", "yang2025-rectified",
    "song2023-thm1", "li2024-training", "dou2024-distill",
    "chen2025-multistep", "jain2025-multistep", "boffi2025-flowmap",
]  # fmt: skip


def test_order_and_ids() -> None:
    assert [x.id for x in cmbound.catalogue] == PAPER_IDS + EXPLICIT_IDS + RELATED_IDS
    assert list(ids()) == PAPER_IDS + EXPLICIT_IDS + RELATED_IDS
    assert len(set(ids())) == len(cmbound.catalogue)


def test_lookup_by_id_whatever_was_imported_before() -> None:
    import cmbound.catalogue.explicit
    import cmbound.theory.records

    assert cmbound.theorem("explicit-training").id == "explicit-training"
    assert cmbound.catalogue["lyu2023-thm3"].metric == "W2"
    with pytest.raises(cmbound.UnknownNameError, match="explicit-one-step"):
        cmbound.theorem("explicit-onestep")


@BY_ID
def test_what_is_read_off_a_file_is_what_its_record_says(theorem: Statement) -> None:
    (entry,) = (x for x in listed() if x.id == theorem.id)
    assert {x.name: str(getattr(theorem, x.name)) for x in dataclasses.fields(entry)} == dataclasses.asdict(entry)


@BY_ID
def test_record_is_complete(theorem: Statement) -> None:
    assert theorem.kind in ("order", "explicit", "exact")
    assert theorem.status in ("stated", "implied", "proved", "unconfirmed")
    assert theorem.known in ("verbatim", "secondary", "derived", "abstract", "memory")
    assert (theorem.status == "unconfirmed") == (theorem.known == "memory")
    if theorem.evaluable:
        assert (theorem.kind == "order") == (TABLE["C"].symbol in theorem.expression.free_symbols)
    assert set(theorem.aliases) <= set(TABLE)
    for text in (
        theorem.title,
        theorem.metric,
        theorem.quantity,
        theorem.provenance,
        theorem.derivation,
        theorem.reference.place,
    ):
        assert text.strip()
    assert theorem.reference.key in entries()
    assert set(theorem.rests_on) <= set(ids())
    assert theorem.assumptions
    names = [x.id for x in theorem.assumptions]
    assert len(set(names)) == len(names)
    if theorem.metric in ("W2", "L2 map error"):
        assert {x.name for x in theorem.terms} <= TERM_NAMES


@BY_ID
def test_expressions_are_exact_and_split(theorem: Statement) -> None:
    assert not theorem.expression.atoms(sympy.Float)
    assert theorem.expression == sympy.Add(*(x.expression for x in theorem.terms))
    assert not theorem.expression.has(Rearranged)
    known = {x.symbol for x in PARAMETERS}
    assert theorem.expression.free_symbols <= known
    for assumption in theorem.assumptions:
        if assumption.predicate is not None:
            assert not assumption.predicate.atoms(sympy.Float)
            assert assumption.predicate.free_symbols <= known
    if theorem.complexity is not None:
        assert not theorem.complexity.atoms(sympy.Float)
        assert TABLE["eps"].symbol in theorem.complexity.free_symbols <= known


def test_a_float_would_be_noticed() -> None:
    assert (TABLE["d"].symbol * 0.5).atoms(sympy.Float)


_GROUP = re.compile(r"(?<!\\){([^{}]*)}")


def _parse(text: str) -> None:
    """Group by group, the inner ones first, and term by term: many formulas share them. An x stands for a group."""
    while found := _GROUP.search(text):
        for term in _summands(found[1]):
            _parse_summand(term)
        text = f"{text[: found.start()]}@{text[found.end() :]}"
    for term in _summands(text):
        _parse_summand(term)


def _summands(text: str) -> list[str]:
    """What stands between plus signs outside all pairs of \\left and \\right, of which none may be left open."""
    found, depth = [""], 0
    for piece in re.split(r"( \+ |\\left|\\right)", text):
        depth += {r"\left": 1, r"\right": -1}.get(piece, 0)
        if piece == " + " and depth == 0:
            found.append("")
        else:
            found[-1] += piece
    return found if depth == 0 else [text]


@cache
def _parse_summand(text: str) -> None:
    MathTextParser("path").parse(f"${text.replace('@', '{x}')}$", dpi=72)


@BY_ID
def test_latex_parses(theorem: Statement) -> None:
    _parse(theorem.latex())
    for term in theorem.terms:
        _parse(latex(term.expression))
    if theorem.uses_profile:
        for name in PROFILES:
            for teacher in PROFILES[name].rules:
                _parse(theorem.latex(profile=name, teacher=teacher))
    if theorem.has_target:
        assert "delta" in theorem.latex(to="p_delta")


def test_the_latex_parser_notices_a_mistake() -> None:
    with pytest.raises(ValueError, match="Expected"):
        _parse(r"\frac{a}{b")


def _relative(x: Any, y: Any) -> float:
    return float(abs(x - y) / y) if y else float(abs(x))


@cache
def _in_mpmath(expression: Any) -> tuple[list[Any], Any]:
    """The symbols of an expression, and it as a function of them."""
    expr = elementary(expression)
    expr = expr.doit() if expr.has(sympy.Sum, sympy.Integral) else expr
    symbols = sorted(expr.free_symbols, key=str)
    return symbols, sympy.lambdify(symbols, expr, modules=[{"Max": max, "Min": min}, "mpmath"])


def _reference(theorem: Statement, params: dict[str, Any]) -> dict[str, Any]:
    """The terms by mpmath at 60 significant digits or more, from the definitions (no balls, no rearrangement)."""
    options = {"profile": params.get("profile")}
    terms = computable_terms(theorem, options["profile"], "exponential-integrator", None, None, None)
    with mpmath.workdps(DIGITS):
        numbers = {TABLE[x].symbol: int(v) if x == "k" else mpmath.mpf(v) for x, v in params.items() if x != "profile"}
        numbers.setdefault(TABLE["t_star"].symbol, mpmath.mpf(0))
        numbers.setdefault(TABLE["tau"].symbol, mpmath.mpf(0))
        if "n_atoms" in params:
            numbers |= {nu: mpmath.mpf(params["n_atoms"]), entropy: mpmath.log(params["n_atoms"])}
        result = {}
        for term in terms:
            symbols, function = _in_mpmath(term.expression)
            result[term.name] = function(*(numbers[x] for x in symbols))
        return result


def _has_several_paths(params: dict[str, Any]) -> bool:
    """Whether an evaluation may be smaller than the closed form."""
    profile = PROFILES.get(params.get("profile", ""))
    return profile is not None and combinable(((profile, profile.rules[EI]),))


def _settings(theorem: Statement, seed: int, extremes: bool) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    found = []
    for change in [{}, *EXTREMES] if extremes else [{}]:
        for params in ei_options(theorem, repaired({**draw(rng), **change})):
            found.append(params)
    return found


@BY_EVALUABLE
def test_three_arithmetics_agree(theorem: Statement) -> None:
    """Certified encloses the mpmath value; float64 agrees to 1e-12; both at the extremes too."""
    checked = 0
    for params in _settings(theorem, 11, extremes=True):
        if theorem.id == "lyu2023-cor8" and params["R"] == 0:
            continue
        reference = _reference(theorem, params)
        if sum(reference.values()) > 1e300:
            with pytest.raises(cmbound.DomainError, match="largest float64"):
                theorem.evaluate(**params)
            continue
        certified = theorem.evaluate(**params)
        approximate = theorem.approximate(**params)
        for name, exact in reference.items():
            term = certified.terms[name]
            if _has_several_paths(params) and name == "discretisation":  # at most one rule on the whole range: see test_sharp
                with mpmath.workdps(DIGITS):
                    assert mpmath.mpf(str(term.lower)) <= exact, params
                assert _relative(float(approximate.terms[name]), float(term.upper)) < 1e-12 or exact < 1e-300, (name, params)
                continue
            with mpmath.workdps(DIGITS):
                slack = abs(exact) * mpmath.mpf(10) ** -60
                assert mpmath.mpf(str(term.lower)) - slack <= exact <= mpmath.mpf(str(term.upper)) + slack, (name, params)
                assert _relative(mpmath.mpf(str(term.upper)), exact) < 1e-15 or exact < 1e-300
                if exact > 1e-300:
                    assert _relative(mpmath.mpf(float(approximate.terms[name])), exact) < 1e-12, (name, params)
        assert certified.lower <= certified.upper <= Decimal(certified.value)
        assert certified.value >= 0
        checked += 1
    assert checked >= 10


def test_a_wrong_digit_is_noticed() -> None:
    theorem = cmbound.theorem("explicit-one-step")
    params = _settings(theorem, 5, extremes=False)[0]
    exact = _reference(theorem, params)["discretisation"]
    term = theorem.evaluate(**params).terms["discretisation"]
    wrong = exact * (1 + mpmath.mpf(10) ** -14)
    assert not mpmath.mpf(str(term.lower)) <= wrong <= mpmath.mpf(str(term.upper))


GROWING = (
    "eps_sc", "eps_cm", "L_s", "L_f", "d", "m2", "h", "R", "KL", "FI", "eps_w", "kappa", "L_os", "L_v", "eps_v", "gam_v",
    "eps_loss", "L_map", "eps_est", "eps_F", "eps_ci", "sigma_high",
)  # fmt: skip
NOT_MONOTONE = {
    ("lyu2023-cor8", "*"),  # a step size, which shrinks
    ("lyu2023-cor10", "L_s"),  # the corrector's score term falls as L_s grows
    *((f"explicit-tv-{x}", "d") for x in ("early-stopping", "smoothing", "underdamped")),  # d^2/m2^2 bounds E norm(s)^2 below
    ("smoothed-integrated", "d"),  # of a second moment m2^2, the noise of width tau takes d tau^2
}


def _exempt(theorem: Statement, params: dict[str, Any], name: str) -> bool:
    return bool({(theorem.id, "*"), (theorem.id, name), (params.get("profile"), name)} & NOT_MONOTONE)


@BY_EVALUABLE
def test_non_decreasing(theorem: Statement) -> None:
    """In every parameter of :data:`GROWING`, each where present, for every profile."""
    rng = np.random.default_rng(23)
    tried = 0
    for _ in range(6):
        for params in ei_options(theorem, draw(rng)):
            names = [x for x in GROWING if x in params and not _exempt(theorem, params, x)]
            rows = {x: np.full((len(names), 5), float(params[x])) for x in names}
            for i, name in enumerate(names):
                ladder = np.array([1.0, 1.01, 1.3, 2.0, 10.0]) * params[name]
                if name == "h" and {"t_hat", "t", "T"} & set(params):
                    ladder = np.minimum(ladder, (params.get("t_hat", params.get("t", params.get("T"))) - params.get("delta", 0)))
                if name == "d":
                    ladder = np.ceil(ladder)
                rows[name][i] = ladder
            if not names:
                continue
            found = theorem.approximate(**{**params, **{name: x.ravel() for name, x in rows.items()}}).total
            for name, values in zip(names, found.reshape(-1, 5), strict=True):
                assert (values >= 0).all()
                assert (np.diff(values) >= -1e-13 * values[1:]).all(), (name, params, values)
                tried += 1
    assert tried > 0 or theorem.id == "lyu2023-cor8"


CLOSED_FORM = [name for name, x in PROFILES.items() if "exponential-integrator" in x.rules]


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), which=st.integers(0, len(EVALUABLE) - 1), profile=st.sampled_from([*CLOSED_FORM, "auto"]))
def test_tiers_agree_over_the_domains(seed: int, which: int, profile: str) -> None:
    theorem = EVALUABLE[which]
    values = draw(np.random.default_rng(seed))
    params: dict[str, Any] = for_theorem(theorem, values)
    if theorem.uses_profile:
        extra = {"L_s": values["L_s"], "R": values["R"], "m2": values["m2"]}
        params |= extra if profile == "auto" else for_profile(profile, "exponential-integrator", values)
        params["profile"] = profile
    params = one_law(params)
    assume(profile != "atoms" or not theorem.uses_profile or "n_atoms" in params)  # points have no L_s from time 0 on
    certified, approximate = theorem.evaluate(**params), theorem.approximate(**params)
    assert float(approximate.total) == pytest.approx(certified.value, rel=1e-12)
    for name, term in certified.terms.items():
        assert float(approximate.terms[name]) == pytest.approx(term.value, rel=1e-12)
    shares = sum(term.share for term in certified.terms.values())
    assert shares == pytest.approx(1.0)


def test_ids_are_permanent_names() -> None:
    for name in ids():
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", name)
