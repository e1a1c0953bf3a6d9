"""The explorer: its numbers against the float tier, its texts against the package, and its page in a browser."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy

import cmbound
from cmbound.arithmetic import approximate
from cmbound.arithmetic.javascript import Functions, kernels
from cmbound.errors import CmboundError, InputError
from cmbound.evaluation import law
from cmbound.evaluation.advice import advised
from cmbound.evaluation.notes import ONE_LIPSCHITZ
from cmbound.evaluation.point import completed, evaluate, float_terms
from cmbound.evaluation.statement import Statement, statements, theorem
from cmbound.numbers import rounded
from cmbound.papers.explorer.explorer import explore
from cmbound.papers.explorer.model import LISTS
from cmbound.theory.functions import chi_h_squared, chi_squared, g, kappa_h, rho_h_squared, rho_squared
from tests.browser import CHROMIUM, Browser, needs_chromium
from tests.helpers import DOMAIN, USAGE, call
from tests.latex import compiled, missing_tex
from tests.settings import cases, draw, for_profile, for_theorem, one_law

NODE = shutil.which("node")
needs_javascript = pytest.mark.skipif(
    NODE is None and CHROMIUM is None, reason="neither node nor Chromium is installed: nothing here runs JavaScript"
)
CLOSE = 1e-12
EVALUABLE = tuple(x for x in statements() if x.evaluable and x.known != "own")
EI = "exponential-integrator"
VALUES = """(points) => points.map((x) => {
  try { return evaluate(MODEL, x); } catch (error) { if (error instanceof Refusal) return {refused: error.message}; throw error; }
})"""
Setting = dict[str, dict[str, str]]


@cache
def page(id: str, **params: Any) -> cmbound.Explorer:
    return explore(id, **params)


def model(script: str) -> Any:
    """What a page is told, which its script begins with."""
    return json.loads(script.partition("\n")[0].removeprefix("const MODEL = ").removesuffix(";"))


def run(script: str, function: str, given: Any) -> Any:
    """What a function makes of something JSON-ready after a page's script has run: in node, or else in Chromium."""
    return run_all([(script, given)], function)[0]


def run_all(pages: Sequence[tuple[str, Any]], function: str) -> list[Any]:
    """The same of several pages, each with something of its own, in one process."""
    calls = [f"(() => {{ {script}\nreturn ({function})({json.dumps(given)}); }})()" for script, given in pages]
    if NODE is None:
        with Browser() as browser:
            return [browser.run(x) for x in calls]
    text = f'"use strict"; process.stdout.write(JSON.stringify([{", ".join(calls)}]));'
    done = subprocess.run([NODE, "-"], input=text, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: list[Any] = json.loads(done.stdout)
    return found


# --- points -----------------------------------------------------------------------------------------------------------


def usual(told: Any, **chosen: str) -> dict[str, str]:
    """The options of a setting."""
    return {name: values[0] for name, values in told["choices"].items()} | chosen


def asked(told: Any, rng: np.random.Generator) -> dict[str, str]:
    """Options at random, but what decides which parameters there are."""
    left = {x: y for x, y in told["choices"].items() if x in ("to", "start", "clock")}
    return {name: str(rng.choice(values)) for name, values in left.items()}


def begin(statement: Statement, rng: np.random.Generator) -> str:
    """From when on L_s holds: what the statement allows."""
    zero = any(str(y) == "t_star" for x in statement.assumptions if x.predicate is not None for y in x.predicate.free_symbols)
    return "0" if zero else str(rng.choice(["0", "delta"]))


def closed(statement: Statement, told: Any, rng: np.random.Generator) -> Iterator[tuple[dict[str, str], list[dict[str, float]]]]:
    """Options, and points with numbers for the same parameters: of every profile, and of all together."""
    if not statement.uses_profile:
        yield asked(told, rng), [for_theorem(statement, draw(rng)) for _ in range(22)]
        return
    needs_score = begin(statement, rng) == "0" and any(x.name == "L_s" for x in statement.parameters)
    profiles = [x for x, teacher in cases() if teacher == EI and not (x == "atoms" and needs_score)]
    for profile in (*profiles, "auto", "auto"):
        options = usual(told, **asked(told, rng), profile=profile, t_star=begin(statement, rng))
        several = [profile] if profile != "auto" else [str(x) for x in rng.choice(profiles, 3)]
        found = []
        for _ in range(6 if profile != "auto" else 3):
            values = draw(rng)
            here = {x: y for name in several for x, y in for_profile(name, EI, values).items()}
            lawful = one_law({**for_theorem(statement, values), **here, "t_star": options["t_star"]})
            found.append({name: x for name, x in lawful.items() if name != "t_star"})
        yield options, found


def on_grids(statement: Statement, told: Any, rng: np.random.Generator, count: int) -> Iterator[Setting]:
    """Settings on a grid, with every teacher."""
    for _ in range(count):
        values, teacher = draw(rng), str(rng.choice(told["choices"]["teacher"]))
        covering = [x for x, y in cases() if y == teacher]
        profile = str(rng.choice([*covering, *["auto"] * len(covering)]))
        several = [profile] if profile != "auto" else [str(x) for x in rng.choice(covering, 3)]
        given = {
            **for_theorem(statement, values),
            **{x: y for name in several for x, y in for_profile(name, teacher, values).items()},
        }
        options = usual(
            told, **asked(told, rng), profile=profile, teacher=teacher, grid=str(rng.choice(told["choices"]["grid"][1:]))
        )
        options["t_star"] = begin(statement, rng)
        given |= {"M": values["M"]} if teacher == "heun" else {}
        if options["grid"] in ("uniform", "geometric", "edm"):
            given = {name: x for name, x in given.items() if name != "h"} | {"N": int(rng.integers(1, 90))}
        else:
            given |= {"delta": 10.0 ** rng.uniform(-4, -1), "T": rng.uniform(1, 4), "h": rng.uniform(0.02, 0.5)}
            given |= {"t": given["T"]} if "t" in given else {}
        given |= {"t_hat": given["T"]} if "t_hat" in given else {}
        lawful = one_law({**given, "t_star": options["t_star"]})
        yield as_setting({x: y for x, y in lawful.items() if x != "t_star"}, options)


def as_setting(numbers: Mapping[str, float], options: dict[str, str]) -> Setting:
    return {
        "numbers": {name: repr(x) if isinstance(x, int) else repr(float(x)) for name, x in numbers.items()},
        "options": options,
    }


def for_package(setting: Setting) -> dict[str, str]:
    """A setting of the page as the package takes it."""
    options = {name: x for name, x in setting["options"].items() if x}
    return {**setting["numbers"], **options, **({"grid": "uniform"} if options.get("grid") == "uniform-h" else {})}


def terms_of(statement: Statement, setting: Setting) -> dict[str, float]:
    """The terms in the float tier."""
    return float_terms(completed(statement, for_package(setting)))


def differing(terms: Mapping[str, float], found: Any) -> list[str]:
    """Terms in which the page is not the float tier."""
    assert "refused" not in found, found
    assert set(found["terms"]) == set(terms)
    return [x for x, value in terms.items() if abs(found["terms"][x] - value) > CLOSE * abs(value)]


# --- numbers ----------------------------------------------------------------------------------------------------------


@needs_javascript
def test_a_thousand_points_are_those_of_the_float_tier() -> None:
    """Every evaluable statement, every profile, grid, teacher, start, clock and target."""
    rng, tried = np.random.default_rng(20), []
    for statement in EVALUABLE:
        script = page(statement.id).script
        told, wanted, settings = model(script), [], []
        for options, points in closed(statement, told, rng):
            arrays = {name: np.array([x[name] for x in points]) for name in points[0]}
            found = statement.approximate(**arrays, **{x: y for x, y in options.items() if y})
            wanted += [{name: float(x[i]) for name, x in found.terms.items()} for i in range(len(points))]
            settings += [as_setting(x, options) for x in points]
        for setting in on_grids(statement, told, rng, 24) if statement.uses_profile else ():
            with suppress(CmboundError):  # profiles that do not go together; what is refused has a test of its own
                wanted.append(terms_of(statement, setting))
                settings.append(setting)
        tried.append((statement.id, script, settings, wanted))
    for (id, _, settings, wanted), found in zip(tried, run_all([x[1:3] for x in tried], VALUES), strict=True):
        for setting, terms, value in zip(settings, wanted, found, strict=True):
            assert not differing(terms, value), (id, setting)
    assert sum(len(x[2]) for x in tried) >= 1000


MISTAKES = {
    "a sign in a kernel": (r"\(expm1\(h\) - h\) / h", "(expm1(h) + h) / h"),
    "a coefficient": (r'"g": \[0\.0, 0\.5', '"g": [0.0, 0.25'),
    "a sign in a generated function": (r"(?m)^(\(\{[^}]*h: [^}]*\}\) => .*?) = -2\.0\*", r"\1 = 2.0*"),
    "a stretch that does not pay for the step after it": (r"times\[k\] \+ v\.h", "times[k]"),
    "no path of several stretches": (r"through < best\[k\]", "through > best[k]"),
    "a constant in the wrong clock": (r"column\(\"eps_sc\", rows\.b", 'column("eps_sc", rows.a'),
    "the sum of squares without squares of the weight": (r"\(w\) => w \* w", "(w) => w"),
    "one evaluation too few": (r"k <= evaluations \+ 1", "k <= evaluations"),
}


@needs_javascript
def test_a_planted_mistake_is_caught() -> None:
    """Each of them changes a number at one of some points, and nothing else does."""
    statement = theorem("explicit-multistep")
    script, usual_numbers = page(statement.id).script, {"d": 8, "m2": 3.0, "L_f": 1.5, "eps_sc": 0.01, "eps_cm": 0.01, "k": 3}
    told = model(script)
    more = {"delta": 0.01, "T": 5.0, "t_hat": 5.0, "L_s": 9.0}
    points = [
        as_setting({**usual_numbers, **more, "h": 0.8}, usual(told, profile="universal")),
        as_setting({**usual_numbers, **more, "h": 0.1}, usual(told, clock="ve")),
        as_setting({**usual_numbers, **more, "N": 30}, usual(told, grid="geometric", teacher="ddim", clock="ve")),
    ]
    wanted = [
        {name: x.value for name, x in evaluate(statement, for_package(x), tier="approximate").terms.items()} for x in points
    ]

    def wrong(found: Any) -> bool:
        return any("refused" in y or differing(x, y) for x, y in zip(wanted, found, strict=True))

    scripts = {"none": script}
    for name, (right, mistake) in MISTAKES.items():
        scripts[name], count = re.subn(right, mistake, script, count=1)
        assert count == 1, name
    found = run_all([(x, points) for x in scripts.values()], VALUES)
    assert [name for name, x in zip(scripts, found, strict=True) if not wrong(x)] == ["none"]


BAD: tuple[tuple[str, dict[str, str], str], ...] = (
    ("explicit-one-step", {"L_f": "0.5"}, "L_f must be a number >= 1, got 0.5"),
    ("explicit-one-step", {"d": "2.5"}, "d must be an integer >= 1"),
    ("explicit-one-step", {"h": "abc"}, "is not a number"),
    ("explicit-one-step", {"L_f": "2, 3"}, "the page has no lists: cmbound evaluate takes L_f=2,3, one value for each step"),
    ("explicit-one-step", {"d": "2,3"}, 'd is "2,3", which is not one number (write 0.1, 1e-3 or 1/3); the page has no lists'),
    ("explicit-one-step", {"h": "1/0"}, "denominator"),
    ("explicit-one-step", {"h": "nan"}, "not a number"),
    ("explicit-one-step", {"h": "1e999"}, "only 0 and sizes"),
    ("explicit-one-step", {"eps_sc": "1e-400"}, "only 0 and sizes"),
    ("explicit-one-step", {"h": ""}, "needs h"),
    ("explicit-one-step", {"delta": "7"}, "violated"),
    ("explicit-one-step", {"sigma_min": "0.1"}, "not both"),
    ("explicit-one-step", {"sd2": "9"}, "no data law has these constants: sd2 must be at most m2"),
    ("explicit-one-step", {"profile": "atoms"}, "profile atoms needs"),
    ("explicit-one-step", {"profile": "bounded", "R": "9", "tau": "0.5"}, "needs tau = 0"),
    ("explicit-one-step", {"profile": "universal", "teacher": "heun", "grid": "edm", "N": "9", "M": "1"}, "does not cover"),
    ("explicit-one-step", {"teacher": "ddim"}, "has no closed form in h: choose a grid"),
    ("explicit-one-step", {"grid": "two-stage", "h": "30"}, "h must be at most T - delta"),
    ("explicit-one-step", {"grid": "geometric", "N": "1000000"}, "too many for this page"),
    ("explicit-one-step", {"clock": "ve", "T": "400"}, "at most 350"),
    ("explicit-map-lipschitz", {"R": "10"}, "exceeds the float64 range"),
    ("explicit-multistep", {"k": "20000"}, "k must be at most 10000"),
    ("explicit-multistep", {"t_hat": ""}, "needs t_hat"),
    ("chen2025-multistep", {"T": "0.5", "t_hat": "1"}, "violated"),
)


def without_number(id: str, change: dict[str, str]) -> Setting:
    """The first start of a page with a change that leaves it no number."""
    told = model(page(id).script)
    options = usual(told, **{x: y for x, y in change.items() if x in told["choices"]})
    numbers = {**next(iter(told["starts"].values()))["numbers"], **{x: y for x, y in change.items() if x not in options}}
    return {"numbers": numbers, "options": options}


@cache
def answers() -> list[Any]:
    """What the pages make of all of them."""
    return [x for (x,) in run_all([(page(id).script, [without_number(id, change)]) for id, change, _ in BAD], VALUES)]


@needs_javascript
@pytest.mark.parametrize("case", range(len(BAD)), ids=[f"{x}-{y}" for x, y, _ in BAD])
def test_what_has_no_number_is_told_in_words(case: int) -> None:
    """The page refuses what the package refuses, in words and with no NaN (but for the page's own limit of steps)."""
    id, change, words = BAD[case]
    assert words in answers()[case]["refused"]
    if "for this page" not in words:
        setting = without_number(id, change)
        given = for_package({"numbers": {x: y for x, y in setting["numbers"].items() if y}, "options": setting["options"]})
        given = {x: y for x, y in given.items() if x != "h" or setting["options"].get("grid") not in ("edm", "geometric")}
        with pytest.raises(CmboundError):
            evaluate(theorem(id), given, tier="approximate")


@needs_javascript
def test_constants_of_no_data_law_are_those_the_package_refuses() -> None:
    """The one table of relations that is written twice."""
    rng = np.random.default_rng(3)
    points: list[tuple[dict[str, float], bool]] = []
    for _ in range(1500):
        values = draw(rng)
        values |= {
            "R": values["m2"] * rng.uniform(0.3, 2),
            "diameter": values["m2"] * rng.uniform(0.5, 4),
            "L_s": 10 ** rng.uniform(0, 2),
            "L_os": rng.uniform(0, 2),
        }
        values |= {"d": int(rng.integers(1, 9)), "d_eff": int(rng.integers(1, 9)), "n_atoms": int(rng.integers(1, 9))}
        names = ("m2", "sd2", "R", "tau", "d_eff", "n_atoms", "L_s", "L_os", "diameter")
        here = {"d": values["d"], "t_star": float(rng.choice([0, 0.3]))}
        points.append((here | {x: values[x] for x in names if rng.random() < 0.35}, bool(rng.random() < 0.3)))
    refused = run(
        page("explicit-one-step").script,
        """(points) => points.map(([x, ve]) => {
          try { checkLaw(x, ve ? "ve" : "ou"); return ""; } catch (error) { return error.message; } })""",
        points,
    )
    found = [told_by_law(values, ve) for values, ve in points]
    for (values, ve), ours, theirs in zip(points, found, refused, strict=True):
        assert bool(ours) == bool(theirs), (values, ve, ours, theirs)
        assert ours.partition("; got")[0] == theirs.partition("; got")[0]
    assert len({x.partition(";")[0] for x in refused if x}) >= 10


def told_by_law(values: Mapping[str, float], ve: bool) -> str:
    """What the package says of constants that are those of no law (empty: nothing)."""
    try:
        law.check(values, ve=ve)
    except CmboundError as error:
        return str(error)
    return ""


X, Y = sympy.symbols("x y", real=True)
WRITTEN = (
    sympy.erf(X) * (2 + sympy.erf(30 * Y)),
    sympy.sin(X) * sympy.cos(Y) + sympy.sinh(X) / sympy.cosh(Y) + sympy.tanh(X * Y),
    sympy.Piecewise((X**2, X > 1), (-Y, sympy.And(X > 0, Y <= 2)), (sympy.Rational(1, 3), True)),
    sympy.Abs(X) ** sympy.Rational(1, 3) + sympy.Max(X, Y, 0) + sympy.Min(X, Y) + sympy.sign(X) * sympy.Heaviside(Y),
    sympy.exp(-X) / (1 + Y**2) ** sympy.Rational(3, 2) + sympy.log(2 + X**4) ** 5 + sympy.pi**X + sympy.E,
    sympy.Piecewise((1, sympy.Or(sympy.Ne(X, 0), sympy.Not(Y < 1))), (2, True)) / -X,
)
"""What a statement of one's own may be written in."""


@needs_javascript
def test_the_third_dialect_writes_what_the_float_tier_does() -> None:
    functions = Functions()
    numbers = [functions.add(x) for x in WRITTEN]
    points = [{"x": float(x), "y": float(y)} for x, y in np.random.default_rng(1).normal(0, 2, (60, 2))]
    found = run(f"{kernels()}\n{functions.source()}", f"(points) => points.map((v) => {numbers}.map((i) => F[i](v)))", points)
    wanted = approximate.compile(WRITTEN, (X, Y))
    for point, values in zip(points, found, strict=True):
        np.testing.assert_allclose(values, wanted(point["x"], point["y"]), rtol=CLOSE, atol=0)


KERNELS = (g, kappa_h, rho_squared, chi_squared, rho_h_squared, chi_h_squared)
PLACES = [float(x) for x in (0, *np.geomspace(1e-12, 1, 40), *np.linspace(0.4, 20, 60))]
AT_PLACES = f"(n) => Array.from({{length: n}}, (_, i) => {json.dumps(PLACES)}.map((x) => F[i]({{x}})))"


def kernels_off(*before: str) -> list[set[str]]:
    """After each of some sources: kernels whose JavaScript is not their float tier."""
    functions = Functions()
    assert [functions.add(kernel(X)) for kernel in KERNELS] == list(range(len(KERNELS)))
    wanted = [approximate.compile((kernel(X),), (X,))(np.array(PLACES))[0] for kernel in KERNELS]
    return [
        {
            kernel.__name__
            for kernel, values, right in zip(KERNELS, found, wanted, strict=True)
            if not np.allclose(np.array(values, dtype=float), right, rtol=CLOSE, atol=0)
        }
        for found in run_all([(f"{x}\n{functions.source()}", len(KERNELS)) for x in before], AT_PLACES)
    ]


@needs_javascript
def test_kernels_are_those_of_the_float_tier() -> None:
    """Near 0 and far from it; a changed sign on either side is seen."""
    right, wrong = kernels(), {}
    signs = {
        "g": "(expm1(h) - h)", "kappa_h": "- 4 * expm1(h)", "rho_squared": "expm1(x) - expm1(-x)",
        "chi_squared": "- expm1(-2 * x)", "rho_h_squared": "- x / tanh", "chi_h_squared": "- 1.5 * sinh",
    }  # fmt: skip
    for name, closed in signs.items():
        assert right.count(closed) == 1
        wrong[right.replace(closed, closed.replace(" - ", " + ").replace("- ", "+ "))] = {name}
        first = f"series(SERIES.{name},"
        assert right.count(first) == 1
        wrong[right.replace(first, f"-{first}")] = {name}
    assert kernels_off(right, *wrong) == [set(), *wrong.values()]


def test_a_page_computes_no_integral() -> None:
    with pytest.raises(InputError, match="a page cannot compute"):
        Functions().add(sympy.Integral(X, (X, 0, Y)))


# --- texts ------------------------------------------------------------------------------------------------------------


def is_above(text: str, value: float) -> bool:
    """Whether a number is a bound as it is shown: rounded up, by less than a unit of the sixth digit."""
    return value * (1 - CLOSE) <= float(text) <= value * (1 + 1.001e-5)


COPIED: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("explicit-one-step", "gaussian-2d", {}),
    ("explicit-one-step", "digits", {"clock": "ve", "to": "p_delta", "t_star": "delta"}),
    ("explicit-multistep", "digits", {"t_hat": "0.7", "profile": "atoms"}),
    ("explicit-multistep", "gaussian-2d", {"grid": "uniform-h", "h": "1/7", "t_hat": "2"}),
    ("explicit-tv-smoothing", "gaussian-2d", {}),
    ("lyu2023-thm3", "gaussian-2d", {"C": "2"}),
    ("chen2025-multistep", "gaussian-2d", {}),
)


@cache
def copied() -> list[tuple[dict[str, str], Any]]:
    """The options of all of them, and what the pages show and copy."""
    function = """(x) => { const found = evaluate(MODEL, x), {snapped} = found;
      return [upper(found.total), asCommand(MODEL, x, snapped), asPython(MODEL, x, snapped), asLatex(MODEL, x, found),
        found.trivial]; }"""
    settings = []
    for id, preset, change in COPIED:
        told = model(page(id).script)
        start = next(y for x, y in told["starts"].items() if x == preset)
        options = {**usual(told), **start["options"], **{x: y for x, y in change.items() if x in told["choices"]}}
        numbers = start["numbers"] | {x: y for x, y in change.items() if x not in options}
        settings.append({"numbers": numbers, "options": options})
    shown = run_all([(page(x[0]).script, y) for x, y in zip(COPIED, settings, strict=True)], function)
    return [(x["options"], y) for x, y in zip(settings, shown, strict=True)]


@needs_javascript
@pytest.mark.parametrize("case", range(len(COPIED)), ids=[f"{x}-{y}" for x, y, _ in COPIED])
def test_the_copied_command_and_python_give_the_number_on_the_page(case: int, tmp_path: Path) -> None:
    id, (options, (shown, command, python, latex, trivial)) = COPIED[case][0], copied()[case]
    outcome = call(*shlex.split(command)[1:], "--format", "json")
    assert outcome.status == 0, (command, outcome.err)
    value = json.loads(outcome.out)["value"]
    assert is_above(shown, value)
    wanted = json.loads(outcome.out)["trivial_bound"]
    assert trivial == (None if wanted is None else pytest.approx(wanted, rel=CLOSE))
    scope: dict[str, Any] = {}
    exec(python, scope)
    assert float(scope["bound"]) == value
    named = {x: y for x, y in options.items() if x in ("teacher", "to", "start", "clock")}
    if not options.get("grid"):
        formula = latex.partition("\\begin{align*}\n")[2].partition("\n\\end{align*}")[0]
        assert formula.replace(" \\\\\n&{}+ ", " + ").replace("\n&{} ", " ") == theorem(id).latex(**named)
    if options.get("teacher", EI) == EI and not missing_tex():
        assert compiled(latex, tmp_path) == []  # and fits the page
    assert "approximate" in latex
    explained = latex.partition("\\end{align*}")[2]
    for sign, defined in {
        "s_{": "$s_{",
        "c_{": "$c_{",
        r"E_{h}": "$E_{h}$: ",
        "W_2": "$W_2$: ",
        "t_{j}": r"$t_0 < \dots < t_N$: ",
    }.items():
        assert (sign not in latex) or defined in explained, sign


@needs_javascript
def test_a_link_restores_the_state() -> None:
    """And what a link asks for that is not there is left out, and named."""
    script = page("explicit-one-step").script
    told = model(script)
    state = {
        "A": {"numbers": {"h": "1/3", "sigma_min": "1e-2", "d": "3"}, "options": usual(told, teacher="heun", grid="edm")},
        "B": {"numbers": {"h": "0.1", "delta": "x&y=%"}, "options": usual(told)},
        "over": "h",
    }
    back, strange, empty = run(
        script,
        """([state, hash, usual]) =>
          [fromHash(MODEL, toHash(state), usual), fromHash(MODEL, hash, usual), fromHash(MODEL, "", usual)]""",
        [state, "#A.h=1&A.teacher=none&C.h=2&A.zeta=1&over=zeta&A.h=2&A&B.constructor=1&A.h.h=3", {"A": 1, "over": "h"}],
    )
    assert back == [state, []]
    left_out = ["A.teacher=none", "C.h=2", "A.zeta=1", "over=zeta", "A.h=2", "A=", "B.constructor=1", "A.h.h=3"]
    assert strange == [{"A": {"numbers": {"h": "1"}, "options": usual(told)}, "B": None, "over": "h"}, left_out]
    assert empty == [{"A": 1, "B": None, "over": "h"}, []]


@needs_javascript
def test_numbers_are_written_as_the_package_writes_them() -> None:
    rng = np.random.default_rng(5)
    numbers = [0.0, 0.1, 1.0, 999999.5, 1e-5, 9.999999e-6, 123456789.0, 1e-300, 1.7e308, *10.0 ** rng.uniform(-300, 300, 200)]
    found = run(
        page("explicit-training").script,
        "(xs) => xs.map((x) => [rounded(x), rounded(x, 3), upper(x), upper(x, 4)])",
        [float(x) for x in numbers],
    )
    for x, shown in zip(numbers, found, strict=True):
        exact = Decimal(repr(float(x)))
        assert shown == [rounded(exact, *how) for how in ((6, "nearest"), (3, "nearest"), (6, "up"), (4, "up"))]


SAYS = """(points) => points.map((x) => {
  try {
    const found = evaluate(MODEL, x);
    const total = (changed) => {
      try { return evaluate(MODEL, changed).total; } catch (error) { if (!(error instanceof Refusal)) throw error; }
    };
    let helps = "";
    if (isVacuous(found)) searchFor(MODEL, x, found, total, (said) => (helps = said)).forEach((job) => job());
    return notesOf(MODEL, x, found, helps);
  } catch (error) { if (error instanceof Refusal) return error.message; throw error; }
})"""
SPREAD, LEVELS = {"sd2": "0.1", "L_s": "1000"}, {"sigma_min": "0.1", "delta": ""}
TOLD: Mapping[str, tuple[dict[str, str], ...]] = {
    "explicit-one-step": (
        {}, SPREAD, LEVELS, {"L_s": "1"}, {"h": "1", **SPREAD, **LEVELS}, {"clock": "ve"},
        {"clock": "ve", "to": "p_delta", "h": "1"}, {"R": "9", "profile": "bounded"},
        {"delta": "5.9", "T": "12"}, {"T": "500", "eps_sc": "0.003"},
        {"grid": "edm", "N": "7", "teacher": "heun", "M": "1", "L_f": "1"},
    ),
    "explicit-multistep": ({}, {"eps_sc": "0.2", "t_hat": "0.01"}, {"clock": "ve", "grid": "geometric", "N": "9", "t_hat": "6"}),
    "explicit-tv-smoothing": ({"h": "0.5", **LEVELS}, {"start": "matched", "u": "1e-6"}),
    "chen2025-multistep": ({}, {"R": "10", "eps_ci": "3"}),
    "explicit-training": ({"eps_cm": "5", "start": "matched"},),
    "lyu2023-thm3": ({},),
    "kwon2022-w2": ({},),
}  # fmt: skip


@needs_javascript
def test_what_a_value_is_worth_and_what_would_help_are_said_as_on_the_command_line() -> None:
    tried: dict[str, list[Setting]] = {}
    for id, changes in TOLD.items():
        told = model(page(id).script)
        numbers = next(iter(told["starts"].values()))["numbers"]
        settings = tried[id] = []
        for change in changes:
            options = usual(told, **{x: y for x, y in change.items() if x in told["choices"]})
            settings.append({"numbers": numbers | {x: y for x, y in change.items() if x not in options}, "options": options})
    for (id, settings), said in zip(tried.items(), run_all([(page(id).script, x) for id, x in tried.items()], SAYS), strict=True):
        for setting, found in zip(settings, said, strict=True):
            given = {x: y for x, y in for_package(setting).items() if y and not (x == "h" and setting["options"].get("grid"))}
            wanted = advised(evaluate(theorem(id), given, tier="approximate"), given).notes
            lists = [f"{ONE_LIPSCHITZ} ({LISTS.format(name='L_f', list='2,3,4')})" if x == ONE_LIPSCHITZ else x for x in wanted]
            assert found == [x for x in lists if not x.startswith(("float64:", "does not enter"))], (id, setting)


@needs_javascript
def test_what_changes_nothing_is_what_the_package_does_not_use() -> None:
    told = model(page("explicit-one-step").script)
    numbers = next(iter(told["starts"].values()))["numbers"] | {"R": "100", "sd2": "1", "diameter": "100"}
    setting = {"numbers": numbers, "options": usual(told, profile="second-moment")}
    function = """(x) => withoutOne(MODEL, x).filter(([, less]) => evaluate(MODEL, less).total === evaluate(MODEL, x).total)
      .map(([name]) => name)"""
    unused = evaluate(theorem("explicit-one-step"), for_package(setting), tier="approximate").unused
    found = run(page("explicit-one-step").script, function, setting)
    assert set(found) == {name for name, _ in unused} - {"t_star"} == {"L_s", "R", "diameter"}


@needs_javascript
def test_times_given_as_noise_levels_are_named_as_such() -> None:
    told = model(page("explicit-multistep").script)
    numbers = {x: y for x, y in next(iter(told["starts"].values()))["numbers"].items() if x not in ("delta", "T", "t_hat")}
    numbers |= {"sigma_max": "100", "sigma_min": "0.02", "sigma_hat": "10"}
    changes: tuple[tuple[dict[str, str], dict[str, str]], ...] = (
        ({"sigma_min": "200"}, {}),
        ({"sigma_hat": "1e4"}, {}),
        ({"h": "99"}, {}),
        ({"sigma_min": "200", "N": "9"}, {"grid": "geometric"}),
        ({"sigma_hat": ""}, {}),
    )
    settings = [{"numbers": numbers | x, "options": usual(told, **y)} for x, y in changes]
    found = run(page("explicit-multistep").script, VALUES, settings)
    assert [x["refused"].partition("violated: ")[2] for x in found[:2]] == [
        "sigma_min < sigma_max; got sigma_max = 100 (T = 4.60522), sigma_min = 200 (delta = 5.29833)",
        "sigma_hat <= sigma_max; got sigma_max = 100 (T = 4.60522), sigma_hat = 10000 (t_hat = 9.21034)",
    ]
    for setting, x in zip(settings[:2], found, strict=False):
        with pytest.raises(CmboundError, match=re.escape(x["refused"])):
            evaluate(theorem("explicit-multistep"), for_package(setting), tier="approximate")
    assert "sigma_min = 0.02 (delta = 0.00019996)" in found[2]["refused"]
    assert "sigma_min < sigma_max" in found[3]["refused"]
    assert found[4]["refused"] == "explicit-multistep needs t_hat (or sigma_hat)"
    moved = {"numbers": numbers | {"N": "30"}, "options": usual(told, grid="geometric")}
    shown, command = run(
        page("explicit-multistep").script,
        "(x) => { const {snapped, total} = evaluate(MODEL, x); return [upper(total), asCommand(MODEL, x, snapped)]; }",
        moved,
    )
    assert "-p sigma_hat=" in command
    assert is_above(shown, json.loads(call(*shlex.split(command)[1:], "--format", "json").out)["value"])


# --- the page ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """The address of a statement's page in a file."""
    folder = tmp_path_factory.mktemp("pages")

    def written(id: str) -> str:
        path = folder / f"{id}.html"
        path.write_text(page(id).html, encoding="utf-8")
        return path.as_uri()

    return written


@needs_chromium
def test_the_page_in_a_browser(address: Callable[[str], str]) -> None:
    """Numbers, link, copied command, keyboard, narrow window, dark mode; no error, nothing asked of the network."""
    url = address("explicit-one-step")
    with Browser() as browser:
        browser.open(url)
        shown = browser.run("$('values').querySelector('b').textContent")
        assert "approximate (float64 in the browser)" in browser.run("$('values').textContent")
        outcome = call(*shlex.split(browser.run("$('text-command').textContent"))[1:], "--format", "json")
        assert is_above(shown, json.loads(outcome.out)["value"])
        dominating = browser.run("document.querySelector('.term.largest').textContent")
        assert f"{json.loads(outcome.out)['dominating_term'].replace('_', ' ')}" in dominating
        assert browser.run("document.querySelectorAll('#formula math').length") == 6

        _by_keyboard(browser)
        browser.run("$('second').click()")
        _type(browser, "h, setting B", "0.5")
        values = browser.run("[...$('values').querySelectorAll('b')].map((x) => x.textContent)")
        assert len(values) == 2
        assert values[0] != values[1]
        link = browser.run("$('text-link').textContent")
        assert link == browser.run("location.href")

        browser.open(f"{link}&A.zeta=3")  # everything is as it was
        assert browser.run("$('notes').textContent").startswith("the link has what this page has not, left out here: A.zeta=3")
        outside = """[...document.querySelectorAll('.cell')].filter((x) => x.lastChild.getBoundingClientRect().right >
            x.getBoundingClientRect().right + 1).length"""
        assert browser.run(outside) == 0  # two settings side by side have room for their fields
        assert browser.run("$('legend').textContent").endswith("the terms drawn are those of A; of B only the total")
        assert browser.run("[...$('values').querySelectorAll('b')].map((x) => x.textContent)") == values
        assert browser.run("$('text-link').textContent") == link

        _type(browser, "delta, setting A", "7")
        assert "violated" in browser.run("document.querySelector('#values .wrong').textContent")
        assert browser.run("[...document.querySelectorAll('#texts pre, #texts button')].map((x) => x.id)") == [
            "copy-link",
            "text-link",
        ]
        _type(browser, "L_f, setting A", "1/2")
        assert "L_f must be a number >= 1, got 1/2" in browser.run("$('values').textContent")
        assert browser.run("document.activeElement.getAttribute('aria-invalid')") == "true"

        _type(browser, "m2, setting A", "1.4142135623730951")
        for width in (1200, 500, 400):  # no field cuts its number
            browser.resize(width)
            cut = "[...document.querySelectorAll('.cell input[type=text]')].filter((x) => x.scrollWidth > x.clientWidth).length"
            assert browser.run(cut) == 0
            assert browser.run(outside) == 0
        assert browser.run("document.documentElement.scrollWidth") <= 400
        browser.dark()
        red, green, blue = map(int, re.findall(r"\d+", browser.run("getComputedStyle(document.body).backgroundColor"))[:3])
        assert red + green + blue < 150
        assert "NaN" not in browser.run("document.body.innerText")
        assert browser.complaints == []
        assert {x.partition("#")[0] for x in browser.requests} <= {url, "about:blank"}


def _type(browser: Browser, label: str, text: str) -> None:
    """What a user does in a number field."""
    field = f"document.querySelector('input[type=text][aria-label^=\"{label}\"]')"
    browser.run(f"{field}.focus(); {field}.select()")
    browser.press("Backspace")
    browser.run(f"document.execCommand('insertText', false, {json.dumps(text)})")


def _by_keyboard(browser: Browser) -> None:
    """By Tab alone to the first slider, and with an arrow to another number, in sight."""
    for _ in range(40):
        browser.press("Tab")
        if browser.run("document.activeElement.type") == "range":
            break
    before = browser.run("[document.activeElement.getAttribute('aria-valuetext'), $('values').textContent]")
    assert browser.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    browser.press("ArrowRight")
    after = browser.run("[document.activeElement.getAttribute('aria-valuetext'), $('values').textContent]")
    assert float(after[0]) > float(before[0])
    assert after[1] != before[1]


@needs_chromium
@pytest.mark.parametrize("id", ["lyu2023-thm3", "explicit-tv-underdamped", "explicit-multistep"])
def test_other_pages_in_a_browser(address: Callable[[str], str], id: str) -> None:
    """Every start has a number; an order form says what it is."""
    with Browser() as browser:
        browser.open(address(id))
        for name in model(page(id).script)["starts"]:
            browser.run(f"$('start').value = {json.dumps(name)}; $('start').dispatchEvent(new Event('change'))")
            assert browser.run("$('values').querySelectorAll('.wrong').length") == 0
        assert ("order form with C = 1: not a guarantee" in browser.run("$('notes').textContent")) == (id == "lyu2023-thm3")
        assert browser.complaints == []
        assert set(browser.requests) <= {address(id), "about:blank"}


def test_pages_are_small_and_ask_for_nothing() -> None:
    for statement in EVALUABLE:
        text = page(statement.id).html
        assert len(text.encode()) < 300_000
        assert not re.findall(r"(?:src|href)=(?!\"data:,\")|@import|url\(|fetch\(|XMLHttp", text)
        assert text.count("</script>") == 1
        assert not re.search("@[A-Z]+@", text)


# --- command, notebook, errors ----------------------------------------------------------------------------------------


OWN = """
import cmbound
kap = cmbound.symbol("kap_x", domain=">= 0", meaning="curvature </script> of the data")
terms = {"score": "L_f*eps_sc*(T - delta)", "curvature": kap**2 + 1}
mine = cmbound.Statement.define("explored-bound", terms, assumptions=["T > 2*delta"])
"""


@needs_javascript
def test_a_statement_of_ones_own(tmp_path: Path) -> None:
    """By --define, from a file whose name needs quotes; its text cannot end the script; what is copied runs."""
    source, target = tmp_path / "it's my own.py", tmp_path / "page.html"
    source.write_text(OWN, encoding="utf-8")
    outcome = call("explore", "explored-bound", "--define", str(source), "-p", "kap_x=1/10", "-o", str(target))
    assert (outcome.status, outcome.out) == (0, "")
    text = target.read_text(encoding="utf-8")
    assert text.count("</script>") == 1
    script = text.partition('"use strict";\n')[2].partition("// The state of the page")[0]
    setting = next(iter(model(script)["starts"].values()))
    function = "(x) => [upper(evaluate(MODEL, x).total), asCommand(MODEL, x), asPython(MODEL, x)]"
    shown, command, python = run(script, function, setting)
    again = call(*shlex.split(command)[1:], "--format", "json")
    assert again.status == 0, again.err
    assert is_above(shown, json.loads(again.out)["value"])
    scope: dict[str, Any] = {}
    exec(python, scope)
    assert float(scope["bound"]) == json.loads(again.out)["value"]


def test_in_a_notebook() -> None:
    shown = theorem("explicit-training").explore()
    assert repr(shown) == "<Explorer: explicit-training>"
    assert shown._repr_html_().startswith('<iframe title="explicit-training" srcdoc="&lt;!DOCTYPE html&gt;')
    assert "<script" not in shown._repr_html_()


def test_what_is_not_given_is_as_ever() -> None:
    """None is nothing; a statement that came from no file has a place for one in its command."""
    assert explore("explicit-training", preset=None, L_f=None) == explore("explicit-training")
    mine = Statement.define("explored-here", {"score": "L_f*eps_sc"})
    assert model(explore(mine).script)["define"] == []


def test_it_starts_where_it_is_told() -> None:
    told = model(explore("explicit-one-step", preset="digits", L_f=3, clock="ve", t_star="delta").script)
    first = next(iter(told["starts"].values()))
    assert first["numbers"]["L_f"] == "3"
    assert first["numbers"]["N"] == "250"
    assert first["options"] == {"grid": "geometric", "teacher": "heun", "start": "matched", "clock": "ve", "t_star": "delta"}


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("no-such",), USAGE, "no-such"),
        (("chen2022-bounded",), USAGE, "not known in full"),
        (("explicit-one-step", "-p", "L_f=1,2"), USAGE, "explore takes one number for L_f"),
        (("explicit-one-step", "-p", "cov_eigs=1"), USAGE, "explore takes one number for cov_eigs"),
        (("explicit-one-step", "-p", "zeta=1"), USAGE, "zeta"),
        (("explicit-one-step", "-p", "L_f=0.5"), DOMAIN, "L_f must be a number >= 1"),
        (("explicit-one-step", "-p", "delta=7"), DOMAIN, "violated"),
    ],
)
def test_what_cannot_be_explored_is_one_line(arguments: tuple[str, ...], status: int, words: str) -> None:
    outcome = call("explore", *arguments)
    assert (outcome.status, outcome.out) == (status, "")
    assert outcome.err.count("\n") == 1
    assert words in outcome.err


def test_explore_takes_no_digits() -> None:
    with pytest.raises(InputError, match="explore takes no digits"):
        explore("explicit-one-step", digits=30)
