"""Records and errors: checked where they are made, read-only, and equal to their copies wherever these were made."""

from __future__ import annotations

import copy
import dataclasses
import decimal
import importlib
import inspect
import json
import os
import pickle
import pkgutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from functools import cache, cached_property
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import sympy

import cmbound
from cmbound import errors
from cmbound.analysis.monomials import Monomial, Series
from cmbound.arithmetic.decreasing import Fact
from cmbound.catalogue import listed
from cmbound.catalogue.explicit import PAIRS
from cmbound.catalogue.presets import Origin, Preset, names
from cmbound.certification import bounds
from cmbound.certification.distance import Effort
from cmbound.certification.examples import ORIGINS
from cmbound.certification.laws import DataLaw
from cmbound.certification.measured import DataConstants
from cmbound.certification.teachers import UserStep
from cmbound.certification.telescope import Pair
from cmbound.certification.train import PLANS
from cmbound.comparison.complexity import verdicts
from cmbound.comparison.implied import Implied
from cmbound.comparison.phase import Border
from cmbound.distances import w2_samples
from cmbound.errors import CmboundError, DomainError, InputError, UnknownNameError
from cmbound.evaluation.records import Terms, TermValue
from cmbound.evaluation.separated import separated
from cmbound.evaluation.setting import Setting, resolve
from cmbound.evaluation.sums import Piece
from cmbound.evaluation.sweeps import Sweep, chunks
from cmbound.frozen import Deferred, FrozenDict, Record, thawed
from cmbound.guide import topics
from cmbound.papers.figures import grids, multistep, phase, ratios, terms, tightness
from cmbound.papers.tables import NAMES
from cmbound.planning.candidates import Candidate
from cmbound.planning.problem import Problem
from cmbound.planning.roots import Missed
from cmbound.reports.cells import Cell, number
from cmbound.reports.table import Table
from cmbound.sampling.accumulate import Interval, Moments
from cmbound.sampling.kernels import Coefficients, Overdamped, Underdamped
from cmbound.sampling.run import Run
from cmbound.theory.formulas import ALIASES
from cmbound.theory.grids import FORMULAS
from cmbound.theory.integrals import extract
from cmbound.theory.notation import TABLE, L_f, T, a, b, d, delta, eps_cm, t, y
from cmbound.theory.profiles import PROFILES
from cmbound.theory.records import Assumption, Reference, Term, Theorem
from cmbound.theory.rules import Free, Profile, Root, Rule
from cmbound.theory.variants import CLOCKS, EI, STARTS, TEACHERS, ConsistencySum
from cmbound.verification import campaign, gaussian, runner
from cmbound.verification.bench import Kernel
from cmbound.verification.carried import Measured
from cmbound.verification.experiments import EXPERIMENTS
from cmbound.verification.hunt import Witness
from cmbound.verification.laboratories import LABORATORIES, build
from cmbound.verification.local import LocalErrors, Wave
from cmbound.verification.local_sums import LocalSum
from cmbound.verification.mutations import weakened
from cmbound.verification.planted import Verdict, explicit_ids
from cmbound.verification.plants import RulePut, components, plants
from cmbound.verification.related import StraightFlow, Student
from cmbound.worlds.base import World
from cmbound.worlds.line import Level, Line

POINT: dict[str, Any] = {"eps_sc": "0.01", "eps_cm": "0.02", "L_f": 2, "d": 3, "m2": "3/2", "T": 5, "delta": "1e-3", "h": "1e-3"}
NO_STEP = {name: x for name, x in POINT.items() if name != "h"}
ONE_STEP = cmbound.theorem("explicit-one-step")
WORLD = cmbound.Gaussian([1.0, 0.0], [[1.0, 0.2], [0.2, 0.5]])
HOLD_CODE = {
    "cmbound.arithmetic.codegen.Dialect",
    "cmbound.certification.models.Asking",
    "cmbound.reports.report.Report",
}
"""Frozen, but made of functions."""


def model(x: Any, n: Any = None) -> Any:
    return x


def _modules() -> Iterator[Any]:
    for found in pkgutil.walk_packages(cmbound.__path__, "cmbound."):
        if not found.name.endswith("__main__"):
            yield importlib.import_module(found.name)


def _classes() -> list[type]:
    return [x for m in _modules() for x in vars(m).values() if inspect.isclass(x) and x.__module__ == m.__name__]


RECORDS = [x for x in _classes() if dataclasses.is_dataclass(x) and x.__dataclass_params__.frozen]  # type: ignore[attr-defined]
ERRORS = [x for x in _classes() if issubclass(x, Exception)]


def results() -> Iterator[Any]:
    """What the public functions return."""
    yield [PAIRS, listed()]
    yield ONE_STEP.evaluate(**POINT, L_s=3)
    yield ONE_STEP.evaluate(**{**NO_STEP, "eps_cm": [".1", ".2", ".3"]}, grid=["1e-3", 1, 2, 5])
    yield cmbound.theorem("explicit-multistep").evaluate(**POINT, k=3, t_hat=1)
    yield ONE_STEP.approximate(**{**POINT, "d": np.arange(1, 4)})
    swept = cmbound.sweep("explicit-one-step", **NO_STEP, h="1e-4,1e-3")
    yield [swept, *chunks(swept)]
    yield cmbound.orders("explicit-one-step", profile="universal")
    yield cmbound.elasticities("explicit-one-step", **POINT, profile="universal")
    yield cmbound.dominance("explicit-one-step", "h", "1e-4", "1e-1", **NO_STEP)
    yield [cmbound.check_corollary(x) for x in list(cmbound.corollaries())[:2]]
    yield verdicts()[:3]
    yield cmbound.solve("explicit-one-step", target=1, **{x: y for x, y in NO_STEP.items() if x not in ("eps_sc", "eps_cm")})
    yield cmbound.schedule(steps=3, **POINT)
    yield cmbound.compare(statements=["explicit-one-step", "lyu2023-cor4", "explicit-tv-smoothing"], u=".1", C=1, L_s=3, **POINT)
    without = {name: x for name, x in NO_STEP.items() if name != "L_f"}
    yield phase.phase_data(["explicit-one-step", "explicit-training"], "h=1e-4,1e-3", "L_f=1,2", **without)
    yield [cmbound.table("presets"), *(cmbound.preset(x) for x in names())]
    yield cmbound.check("explicit-one-step", instances=5)
    yield cmbound.falsify("explicit-one-step", budget=0.1)
    yield cmbound.planted(["explicit-training"], draws=2)
    yield cmbound.simulate(WORLD, n=50, delta="0.01", horizon=2, grid_steps=5, steps=2)
    claims: dict[str, Any] = {"L_f": 1e-3, "data": WORLD, "sigmas": [0.1, 1, 10]}
    yield cmbound.certify(model, **claims, n=50, times=[1], batches=3, distance_batch=200)
    yield cmbound.convert(rmse=0.1, d=2, sigma=1)
    yield cmbound.explore("explicit-training")
    yield cmbound.measured_grid([[-1.0], [1.0]], sigma_min=0.1, sigma_max=10, steps=3, n=20)
    yield [cmbound.measured_profile(WORLD, draws=20), cmbound.example("moons")]
    yield multistep.multistep_data(steps=2, **POINT)
    yield terms.terms_data("explicit-one-step", "h=1e-4,1e-3", **NO_STEP)
    yield grids.grids_data("explicit-one-step", "N=10,20", **NO_STEP)
    yield ratios.ratios_data(["explicit-one-step"], instances=5)
    yield tightness.tightness_data(["explicit-one-step"], dimensions=(1, 2), instances=5)
    yield [WORLD, cmbound.Mixture([[0.0, 1.0], [3.0, 4.0]], covariance=0.1), cmbound.Atoms([[0.0], [1.0]])]
    yield [*cmbound.catalogue, *PROFILES.values(), *TABLE.values(), *TEACHERS.values(), *CLOCKS.values(), *NAMES.values()]


def inner_records() -> Iterator[Any]:
    """What only the package itself makes."""
    recipe = campaign.draw(ONE_STEP, "gaussian", 0, 0)
    pipe, instance = gaussian.pipeline(recipe), build(recipe, ONE_STEP)
    yield [recipe, pipe, pipe.law(0), pipe.exact, instance, runner.runner(campaign.draw(ONE_STEP, "mixture", 0, 0))]
    yield [Kernel(u=0.1), *EXPERIMENTS.values(), *LABORATORIES.values()]
    yield [resolve(ONE_STEP, POINT), Witness.build(recipe, ONE_STEP)]
    yield [LocalSum(recipe), Wave(0.1), LocalErrors(WORLD, np.array([0.1, 0.2]), "ddim", Wave(0.1))]
    yield [StraightFlow(np.array([4.0, 0.25])), topics()[0], separated(a * b)]
    yield [*components(ONE_STEP), *weakened(L_f * d), RulePut(0, ""), Student(cmbound.Atoms([[0.0], [1.0]]), 1.0, 0.1, 0.2)]
    yield [
        Moments(2, np.zeros(2), np.eye(2)),
        Interval(np.zeros(2), np.ones(2), 0.95),
        w2_samples(np.zeros((30, 1)), np.ones((30, 1))),
    ]
    yield [Fact("increases", 0.5, 1.0), *cmbound.catalogue.theorems()]
    yield [*ONE_STEP.report().page.parts, *ONE_STEP.report().document.parts, Table(("a",), ((Cell("b"),),), "l")]
    yield [Overdamped(model, 0.1, 2), Underdamped(model, 1.0, 0.1, 2), Coefficients(1, 2, 3, 4, 5, 6)]
    yield Run((1.0,), 2, 3, 0, 0.1, corrector=Overdamped(model, 0.1, 2))
    yield [
        Monomial(),
        Series(((Monomial(), sympy.S.One),)),
        Candidate(1.0, 0.5, 0.1),
        *extract([sympy.Integral(t, (t, a, b))])[1],
    ]
    yield [Implied("TV", Decimal(1), "a ball", True), Border(1.0, 2.0, "x", "one", "two")]
    yield Piece("universal", PROFILES["universal"].rules[EI][0], Fraction(1), Fraction(2))
    yield [Line(np.zeros(2), np.ones(2), np.zeros(2)), Level(np.zeros(2, dtype=np.int64), np.ones(2), np.ones(2))]
    yield [Problem(ONE_STEP, Fraction(1), POINT, ("h",), {}, ("score",), "h"), cmbound.Grid.from_times([1, 2, "2.5"])]
    yield [DataConstants({"d": 1}, {"d": "1"}, "data.npy"), *ORIGINS.values(), *PLANS.values()]
    yield [Effort(100), bounds.Root(1.0, 2.0), Pair(1.0, 0, np.zeros(2), np.ones(2)), UserStep("own", unmoved)]
    yield Measured((), "exact", np.zeros((2, 1)), np.ones((2, 1)), (np.zeros(1),) * 3)


def unmoved(denoise: Any, x: Any, high: float, low: float) -> Any:
    """A step of one's own."""
    return x


def reached(x: Any, found: list[Any]) -> None:
    """Every record, mapping and array in ``x``, itself included."""
    if isinstance(x, Mapping | np.ndarray | cmbound.worlds.World) or dataclasses.is_dataclass(x):
        found.append(x)
    if dataclasses.is_dataclass(x):
        for field in dataclasses.fields(x):
            reached(getattr(x, field.name), found)
    elif isinstance(x, cmbound.worlds.World):
        reached(tuple(vars(x).values()), found)
    elif isinstance(x, Mapping):
        reached(tuple(x.values()), found)
    elif isinstance(x, list | tuple):
        for inner in x:
            reached(inner, found)


@pytest.fixture(scope="module")
def everything() -> list[Any]:
    found: list[Any] = []
    for x in (*results(), *inner_records()):
        reached(x, found)
    return found


def _few_of_each(everything: list[Any]) -> list[Any]:
    seen: dict[type, int] = {}
    kept = []
    for x in {id(x): x for x in everything}.values():
        seen[type(x)] = seen.get(type(x), 0) + 1
        if seen[type(x)] <= 15:
            kept.append(x)
    return kept


# --- copies ---------------------------------------------------------------------------------------------------------


def test_every_kind_of_record_is_tried(everything: list[Any]) -> None:
    reached_kinds = {type(x) for x in everything}
    assert {f"{x.__module__}.{x.__qualname__}" for x in RECORDS if x not in reached_kinds} == HOLD_CODE
    assert len(RECORDS) > 60


def test_records_pickle_copy_compare_and_hash(everything: list[Any]) -> None:
    for x in _few_of_each([x for x in everything if not isinstance(x, np.ndarray)]):
        shown = repr(x) if isinstance(x, Record) else ""
        for same in (pickle.loads(pickle.dumps(x)), copy.copy(x), copy.deepcopy(x)):
            assert type(same) is (FrozenDict if isinstance(x, Deferred) else type(x))
            assert same == x
            assert (same != x) is False
            assert hash(same) == hash(x)
            assert not shown or repr(same) == shown
        assert x != object()
        assert len({x, x}) == 1


def test_records_are_compared_as_records() -> None:
    """A dataclass without eq=False has comparisons of its own, in which arrays and what is not a number go wrong."""
    assert not [x for x in RECORDS if issubclass(x, Record) and x.__eq__ is not Record.__eq__]


def test_records_that_differ_are_not_equal() -> None:
    assert replace(ONE_STEP, title="another") != ONE_STEP
    assert ONE_STEP.evaluate(**POINT) != ONE_STEP.evaluate(**{**POINT, "d": 4})
    assert ONE_STEP.evaluate(**POINT) == ONE_STEP.evaluate(**POINT)
    one, two = (cmbound.sweep("explicit-one-step", **NO_STEP, h=x) for x in ("1e-4,1e-3", "1e-4,2e-3"))
    assert one != two
    assert one == cmbound.sweep("explicit-one-step", **NO_STEP, h="1e-4,1e-3")
    assert cmbound.Gaussian([0.0], 1.0) != cmbound.Gaussian([0.0], 2.0)
    assert Interval(np.array([np.nan]), np.ones(1), 0.5) == Interval(np.array([np.nan]), np.ones(1), 0.5)


_OTHER = """
import pickle, sys, cmbound
from cmbound.theory.profiles import PROFILES
from cmbound.theory.rules import Profile
from cmbound.theory.notation import t
import sympy
mine = Profile.from_acceleration("mine", 3 * sympy.exp(-t))
point = dict(eps_sc="0.01", eps_cm="0.02", L_f=2, d=3, m2="3/2", T=5, delta="1e-3", h="1e-3")
one = cmbound.theorem("explicit-one-step")
data = [*cmbound.catalogue, *PROFILES.values(), mine, one.evaluate(**point)]
data += [one.expression, one.formula(profile=mine), cmbound.preset("digits")]
sys.stdout.buffer.write(pickle.dumps(data))
"""


def test_records_of_another_process_are_the_same() -> None:
    """Another interpreter, with other hashes of strings and nothing in its caches."""
    out = subprocess.run(
        [sys.executable, "-c", _OTHER], capture_output=True, check=True, env={**os.environ, "PYTHONHASHSEED": "77"}
    ).stdout
    mine = Profile.from_acceleration("mine", 3 * sympy.exp(-t))
    ours = [
        *cmbound.catalogue,
        *PROFILES.values(),
        mine,
        ONE_STEP.evaluate(**POINT),
        ONE_STEP.expression,
        ONE_STEP.formula(profile=mine),
        cmbound.preset("digits"),
    ]
    theirs = pickle.loads(out)
    assert theirs == ours
    assert [hash(x) for x in theirs] == [hash(x) for x in ours]
    assert theirs[ours.index(ONE_STEP)].evaluate(**POINT) == ONE_STEP.evaluate(**POINT)
    assert ONE_STEP.evaluate(**POINT, profile=theirs[len(ours) - 5]) == ONE_STEP.evaluate(**POINT, profile=mine)


def _made(kind: type[Exception]) -> Exception:
    arguments: dict[type, tuple[Any, ...]] = {UnknownNameError: ("statement", "explicit-onestep", ["a", "b"]), Missed: (0.5, 2.0)}
    return kind(*arguments.get(kind, ("some text",)))


@pytest.mark.parametrize("kind", ERRORS, ids=lambda x: x.__name__)
def test_errors_pickle_copy_compare_and_hash(kind: type[Exception]) -> None:
    error = _made(kind)
    for same in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(same) is kind
        assert str(same) == str(error)
        assert vars(same) == vars(error)
        if issubclass(kind, CmboundError):
            assert same == error
            assert hash(same) == hash(error)
            assert error != errors.InputError("another text")


def _misspelt(number: int) -> float:
    return float(cmbound.theorem("explicit-onestep").evaluate(d=number))


def test_a_misspelt_name_in_a_worker_arrives() -> None:
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        work = pool.submit(_misspelt, 1)
        with pytest.raises(UnknownNameError, match="explicit-one-step"):
            work.result(timeout=100)


# --- nothing can be changed ----------------------------------------------------------------------------------------


def _assert_closed(x: Any) -> None:
    if isinstance(x, np.ndarray):
        assert not x.flags.writeable
        with pytest.raises(ValueError, match="read-only"):
            x.fill(0)
    elif isinstance(x, Mapping):
        closed: Any = x
        before = dict(x)
        changes: tuple[Callable[[], Any], ...] = (
            lambda: closed.__setitem__("d", 1),
            lambda: closed.__delitem__("d"),
            lambda: closed.update(d=1),
            lambda: closed.pop("d", None),
            lambda: closed.setdefault("d", 1),
            lambda: closed.clear(),
            lambda: closed.popitem(),
            lambda: closed.__ior__({"d": 1}),
        )
        for change in changes:
            with pytest.raises((TypeError, AttributeError)):
                change()
        assert dict(x) == before
        assert not any(isinstance(value, list | set | dict) and not isinstance(value, FrozenDict) for value in x.values())
    elif dataclasses.is_dataclass(x):
        for field in dataclasses.fields(x):
            assert not isinstance(getattr(x, field.name), list | set)
            with pytest.raises(dataclasses.FrozenInstanceError):
                setattr(x, field.name, None)


def test_nothing_in_a_record_can_be_changed(everything: list[Any]) -> None:
    for x in _few_of_each(everything):
        _assert_closed(x)
        if not isinstance(x, np.ndarray):
            found: list[Any] = []
            reached(pickle.loads(pickle.dumps(x)), found)
            for inner in found[:20]:
                _assert_closed(inner)


def test_what_a_record_and_a_law_compute_once_cannot_be_changed_either(everything: list[Any]) -> None:
    mixture, atoms, data = (
        cmbound.Mixture([[0.0, 1.0], [2.0, 1.0]], covariance=0.1),
        cmbound.Atoms([[0], [1]]),
        DataLaw([[0], [1]]),
    )
    run = cmbound.simulate(WORLD, n=20).run
    arrays = 0
    for x in [*_few_of_each(everything), WORLD, mixture, atoms]:
        if isinstance(x, Record | World | Terms):
            for name in ("new", next(iter(vars(x)))):
                with pytest.raises(dataclasses.FrozenInstanceError):
                    setattr(x, name, 1)
    for x in (WORLD, mixture, atoms, run, run.pipeline):
        for name in [name for name in dir(type(x)) if not name.startswith("_")]:
            if isinstance(inspect.getattr_static(type(x), name), property | cached_property) and name != "runner":
                value = getattr(x, name)
                if isinstance(value, np.ndarray) and value is getattr(x, name):
                    arrays += 1
                    assert not value.flags.writeable, f"{type(x).__name__}.{name}"
    assert arrays > 5
    assert not any(x.flags.writeable for x in (data.points, data.weights, data.mean))


def test_no_constant_of_a_module_can_be_changed() -> None:
    tried = 0
    for module in _modules():
        for name, value in vars(module).items():
            if name.startswith("_") or not name.isupper():
                continue
            assert not isinstance(value, list | set), f"{module.__name__}.{name}"
            if isinstance(value, Mapping):
                tried += 1
                assert isinstance(value, FrozenDict | Deferred), f"{module.__name__}.{name}"
                _assert_closed(value)
    assert tried > 25
    assert {type(x) for x in (PROFILES, TABLE, ALIASES)} == {FrozenDict}
    assert {type(x) for x in (STARTS, CLOCKS, TEACHERS, FORMULAS)} == {Deferred}


def test_what_is_only_read_is_computed_when_it_is_asked_for() -> None:
    found, read = (cmbound.theorem("explicit-one-step").evaluate(**NO_STEP, h="1e-3") for _ in range(2))
    late = {"terms", "derived", "assumptions", "unused"}
    assert late.isdisjoint(vars(found))
    assert read.to_dict()
    assert late <= vars(read).keys()
    with decimal.localcontext(prec=3), ThreadPoolExecutor(4) as pool:
        terms = list(pool.map(lambda x: found.terms, range(8)))
    assert all(x is terms[0] for x in terms)
    assert found == read
    with pytest.raises(AttributeError, match="'Evaluation' object has no attribute 'term'"):
        _ = found.term  # type: ignore[attr-defined]


def test_what_a_caller_keeps_does_not_change_a_record() -> None:
    values, given = np.array([1e-4, 1e-3]), dict(NO_STEP)
    swept = Sweep("explicit-one-step", {"h": values}, given)
    values[0], given["d"] = 1.0, 99
    assert swept.axes["h"][0] == 1e-4
    assert swept.fixed["d"] == 3
    assert values.flags.writeable
    levels = [1.0, 1.5]
    found = cmbound.theorem("explicit-multistep").evaluate(**{**POINT, "times": levels})
    levels[0] = 2.0
    assert found.parameters["times"] == ("1", "3/2")


def test_a_read_only_mapping_reads_as_a_dict() -> None:
    found: Any = cmbound.preset("digits").parameters
    assert json.loads(json.dumps(found)) == dict(found) == found
    assert repr(found) == repr(dict(found))
    assert {**found, "d": "1"}["d"] == "1"
    assert type(found.copy()) is type(found | {}) is dict
    assert thawed(FrozenDict({"x": [1, {"y": (2,)}]})) == {"x": [1, {"y": [2]}]}
    result = ONE_STEP.evaluate(**{**NO_STEP, "eps_cm": [".1", ".2", ".3"]}, grid=["1e-3", 1, 2, 5])
    data = result.to_dict()
    assert json.loads(json.dumps(data)) == data
    data["parameters"]["eps_cm"].append("1")
    assert result.parameters["eps_cm"] == (".1", ".2", ".3")


# --- checked where they are made -----------------------------------------------------------------------------------

PLAIN = Theorem(
    id="mine",
    title="a statement of mine",
    kind="explicit",
    status="proved",
    metric="W2",
    quantity="W2(mine, {target})",
    quantity_latex="W_2",
    reference=Reference("me", "here"),
    provenance="",
    sources=(Term("one", L_f), Term("two", d * delta)),
    statement_assumptions=(Assumption("A1", "something"),),
    derivation="",
)


def test_a_sound_statement_is_evaluated_in_full() -> None:
    result = cmbound.theorem(PLAIN).evaluate(L_f=2, d=2, delta=1)
    assert result.value == 4.0
    assert list(result.terms) == ["one", "two"]


def test_a_name_given_twice_is_refused_and_not_swallowed() -> None:
    """Two terms of one name: one of them was dropped, and half the sum was called a guarantee."""
    with pytest.raises(InputError, match=r"terms of statement 'mine' must have different names, got 'one' twice"):
        replace(PLAIN, sources=(Term("one", L_f), Term("one", d)))
    with pytest.raises(InputError, match="got 'one two' twice"):  # both are printed like that
        cmbound.Statement.define("mine", {"one_two": "m2", "one two ": "2*m2"})
    for status, sure in (("proved", True), ("unconfirmed", False)):
        known = cmbound.theorem(replace(PLAIN, status=status)).evaluate(L_f=2, d=2, delta=1)
        assert known.is_guarantee is sure
    twice = (Assumption("A1", "something"), Assumption("A1", "something else"))
    with pytest.raises(InputError, match="'A1' twice"):
        replace(PLAIN, statement_assumptions=twice)
    with pytest.raises(InputError, match="'A1' twice"):
        replace(PROFILES["universal"], assumptions=twice)
    with pytest.raises(InputError, match="'x' twice"):
        Terms((TermValue("x", 1.0, 0, 1, 0.5), TermValue("x", 1.0, 0, 1, 0.5)))  # type: ignore[arg-type]
    one, two = (Profile.from_acceleration("mine", x * sympy.exp(-t)) for x in (3, 5))
    with pytest.raises(InputError, match=r"profiles to choose from must have different names, got 'mine' twice"):
        ONE_STEP.evaluate(**POINT, profile=(one, two))
    single = ONE_STEP.evaluate(**POINT, profile=(one,))
    assert ONE_STEP.evaluate(**POINT, profile=(one, pickle.loads(pickle.dumps(one)))) == single
    with pytest.raises(InputError, match="h varies and is fixed"):
        Sweep("explicit-one-step", {"h": np.array([1e-3])}, POINT)


def test_two_assumptions_of_one_id_are_both_listed() -> None:
    said = Assumption("A1", "something that no profile says")
    found = replace(ONE_STEP, statement_assumptions=(said,)).evaluate(**POINT, profile="universal")
    assert [x.text for x in found.assumptions if x.id == "A1"] == [said.text, PROFILES["universal"].assumptions[0].text]


RULE = Rule(d * (b - a))
made: Any = SimpleNamespace(
    replace=replace,
    Reference=Reference,
    Rule=Rule,
    Root=Root,
    Free=Free,
    Grid=cmbound.Grid,
    Table=Table,
    Profile=Profile,
    Term=Term,
    Assumption=Assumption,
)
"""The constructors without their types, to be given what the types forbid."""


@cache
def _found() -> cmbound.Evaluation:
    return cmbound.theorem("explicit-one-step").evaluate(preset="gaussian-2d")


WRONG: list[tuple[Callable[[], Any], str]] = [
    (lambda: made.replace(PLAIN, kind="bogus"), "unknown kind of statement 'mine' 'bogus'; known: order, explicit, exact"),
    (lambda: made.replace(PLAIN, kind=None), "kind of statement 'mine' must be text"),
    (lambda: made.replace(PLAIN, status="prooved"), "did you mean 'proved'"),
    (lambda: made.replace(PLAIN, known="hearsay"), "unknown known of statement 'mine' 'hearsay'"),
    (lambda: made.replace(PLAIN, id=""), "the id of a statement must be text that is not empty"),
    (lambda: made.replace(PLAIN, metric=" "), "metric of statement 'mine'"),
    (lambda: made.replace(PLAIN, quantity="W2({q})"), "may have {target} in braces"),
    (lambda: made.replace(PLAIN, quantity="W2({"), "may have {target} in braces"),
    (lambda: made.replace(PLAIN, reference="me, here"), "must be a Reference"),
    (lambda: made.replace(PLAIN, sources=(L_f,)), "must be a Term, got L_f"),
    (lambda: made.replace(PLAIN, sources=L_f), "must be a tuple of Term"),
    (lambda: made.replace(PLAIN, statement_assumptions=("A1",)), "must be a Assumption"),
    (lambda: made.replace(PLAIN, sources=(Term("total", L_f),)), "is called 'total'"),
    (lambda: made.replace(PLAIN, sources=(Term("d", L_f),)), "is called 'd'"),
    (lambda: made.replace(PLAIN, sources=(Term("x", sympy.Symbol("Lf", positive=True)),)), "did you mean 'L_f'"),
    (lambda: made.replace(PLAIN, sources=(Term("x", sympy.Symbol("L_f")),)), "make it with cmbound.symbol"),
    (lambda: made.replace(PLAIN, sources=(Term("x", ConsistencySum(T).subs(eps_cm, 1)),)), "put into a place-holder"),
    (lambda: made.replace(PLAIN, free=("gama",)), "unknown free parameter of statement 'mine' 'gama'"),
    (lambda: made.replace(PLAIN, free=("gamma",)), "unknown free parameter of statement 'mine' 'gamma'"),
    (lambda: made.replace(PLAIN, aliases={"L_g": "L"}), "unknown parameter among the aliases"),
    (lambda: made.replace(PLAIN, aliases=None), "aliases of statement 'mine' must be a Mapping"),
    (lambda: made.replace(PLAIN, clock="x"), "unknown clock of statement 'mine' 'x'"),
    (lambda: made.replace(PLAIN, rests_on=(1,)), "every one of the statements statement 'mine' rests on must be a str"),
    (lambda: made.replace(PLAIN, free=None), "the free parameters of statement 'mine' must be a tuple of str"),
    (lambda: made.replace(PLAIN, experiment="one_stpe"), "unknown experiment of statement 'mine' 'one_stpe'; did you mean"),
    (lambda: made.replace(PLAIN, remark=None), "remark of statement 'mine' must be a str"),
    (lambda: made.replace(PROFILES["universal"], own="x"), "own of profile 'universal' is 'x'; True or False"),
    (lambda: made.replace(PROFILES["universal"], centred=None), "centred of profile 'universal' is None"),
    (lambda: made.replace(PROFILES["universal"], measured=1), "measured of profile 'universal' must be a Measured"),
    (lambda: made.replace(_found(), theorem=None), "theorem of an evaluation must be a Theorem, got None"),
    (lambda: made.replace(_found(), upper="x"), "upper of an evaluation must be a Decimal, got 'x'"),
    (lambda: made.replace(_found(), value=1), "value of an evaluation must be a float, got 1"),
    (lambda: made.replace(_found(), terms={}), "terms of an evaluation must be a Terms, got {}"),
    (lambda: made.replace(_found(), parameters=None), "parameters of an evaluation must be a Mapping, got None"),
    (lambda: made.replace(_found(), trivial="x"), "trivial of an evaluation must be a float or None, got 'x'"),
    (lambda: made.replace(_found(), lower=_found().upper * 9), "lower <= upper and value >= upper, got lower"),
    (lambda: made.replace(_found(), value=0.0), "lower <= upper and value >= upper, got lower"),
    (lambda: made.replace(PLAIN, complexity="d"), "complexity of statement 'mine' must be a SymPy expression"),
    (lambda: made.replace(PLAIN, ve_factor=0.5), "must be a SymPy expression"),
    (lambda: made.replace(PLAIN, recursion=(Term("three", L_f),)), "unknown term in the recursion"),
    (lambda: made.replace(PLAIN, recursion=(Term("one", TABLE["W_prev"].symbol ** 2),)), "linear in W_prev"),
    (lambda: made.replace(PLAIN, recursion=(Term("one", TABLE["W_prev"].symbol), Term("two", d))), "with the same factor"),
    (lambda: made.Term("", L_f), "the name of a term"),
    (lambda: made.Term("x", 1.5), "must be a SymPy expression, got 1.5"),
    (lambda: made.Term("x", "L_f"), "must be a SymPy expression, got 'L_f'"),
    (lambda: made.Term("x", 0.1 * L_f), "must be exact"),
    (lambda: made.Assumption("", "text"), "the id of an assumption"),
    (lambda: made.Assumption("A1", ""), "the text of assumption 'A1'"),
    (lambda: made.Assumption("A1", "text", L_f), "must be an inequality"),
    (lambda: made.Assumption("A1", "text", sympy.Eq(L_f, d)), "must be an inequality"),
    (lambda: made.Assumption("A1", "text", L_f >= 0), "whatever the parameters are"),
    (lambda: made.Assumption("A1", "text", sympy.Symbol("x") > 1), "unknown symbol"),
    (lambda: made.Reference("", "here"), "the key of a reference"),
    (lambda: made.Reference("me", None), "the place in me"),
    (lambda: made.Profile("", "title", {EI: (RULE,)}, ()), "the name of a profile"),
    (lambda: made.Profile("auto", "title", {EI: (RULE,)}, ()), "cannot be called 'auto'"),
    (lambda: made.Profile("x", "title", {}, ()), "for one teacher at least"),
    (lambda: made.Profile("x", "title", {"rk4": (RULE,)}, ()), "unknown teacher in profile 'x' 'rk4'"),
    (lambda: made.Profile("x", "title", {EI: RULE}, ()), "must be a tuple of Rule"),
    (lambda: made.Profile("x", "title", {EI: ()}, ()), "must be one at least"),
    (lambda: made.Profile("x", "title", {EI: (RULE,)}, ("A1",)), "must be a Assumption"),
    (lambda: Profile.from_acceleration("universal", sympy.exp(-t)), "cannot be called 'universal'"),
    (lambda: Profile.from_stretch("auto", lambda a, b, h: b - a), "cannot be called 'auto'"),
    (lambda: Profile.from_stretch("x", lambda a, b, h: 1.0), "must be a SymPy expression"),
    (lambda: Profile.from_acceleration("x", sympy.Symbol("s")), "unknown symbol in acceleration 's'"),
    (lambda: made.Rule("d"), "the bound of a rule"),
    (lambda: made.Rule(roots=(made.Root(d, 1.5),)), "the bound of a rule"),
    (lambda: made.Rule(roots=(made.Root("d", d),)), "the bound of a rule"),
    (lambda: made.Rule(whole=sympy.Symbol("x")), "unknown symbol in the bound of a rule"),
    (lambda: made.Rule(d, breakpoints=(0.5,)), "a breakpoint of a rule"),
    (lambda: made.Free(y, 0.5, Fraction(1), Fraction(2)), "the slope of a rule in its free parameter"),
    (lambda: made.Free(y, d - y, Fraction(2), Fraction(1)), "the smaller first"),
    (lambda: made.Free(y, d - y, 1.0, 2.0), "between two fractions"),
    (lambda: made.Grid("triangular", 3), "unknown kind of grid 'triangular'"),
    (lambda: made.Grid("uniform", 0), "N >= 1, got 0"),
    (lambda: made.Grid("uniform", 2.0), "N >= 1, got 2.0"),
    (lambda: made.Grid("times", 3, (Fraction(1), Fraction(2))), "needs 4 fractions, got 2 values"),
    (lambda: made.Grid("times", 1, (Fraction(2), Fraction(1))), "not increasing"),
    (lambda: made.Grid("times", 1, (1.0, 2.0)), "needs 2 fractions"),
    (lambda: made.Grid("edm", 3, (Fraction(1),)), "needs 0 fractions, got 1 values"),
    (lambda: Origin("guessed", "me"), "unknown provenance"),
    (lambda: Origin("assumed", ""), "the source of a number"),
    (lambda: Preset("", "t", "s", {}, {}, {}), "the name of a preset"),
    (lambda: Preset("x", "t", "s", {"dd": "1"}, {}, {}), "unknown parameter of preset 'x' 'dd'"),
    (lambda: Preset("x", "t", "s", {"d": "0"}, {}, {"d": Origin("assumed", "me")}), "d of preset 'x' must be an integer"),
    (lambda: Preset("x", "t", "s", {"d": "1"}, {}, {}), "how it is known"),
    (lambda: Preset("x", "t", "s", {}, {"colour": "red"}, {}), "unknown option of preset 'x' 'colour'"),
    (lambda: Cell("x", "mat"), "unknown kind of cell 'mat'"),
    (lambda: made.Table(("a", "b"), ((number("1"),),), "rr"), "row 0 of a table has 1 cells, its header 2"),
    (lambda: made.Table(("a",), (), "c"), "letters l or r"),
    (lambda: made.Table(("a", "b"), (), "r"), "letters l or r"),
    (lambda: made.Table(("a",), (("1",),), "r"), "must be a Cell"),
    (lambda: made.Table(("a",), (), "r", widths={1: 0.5}), "a width is given for column 1"),
    (lambda: made.Table(("a",), (), "r", layout="tall"), "unknown layout of a table"),
    (lambda: Sweep("explicit-onestep", {}, {}), "did you mean 'explicit-one-step'"),
    (lambda: Sweep("explicit-one-step", {"hh": np.ones(2)}, {}), "unknown parameter 'hh'"),
    (lambda: Sweep("explicit-one-step", {"h": np.ones((2, 2))}, NO_STEP), "h must be an array of one dimension"),
    (lambda: Sweep("explicit-one-step", {"h": np.ones(0)}, NO_STEP), "h must be an array of one dimension"),
    (lambda: Sweep("explicit-one-step", {}, POINT), "nothing varies"),
]


@pytest.mark.parametrize(("make", "message"), WRONG, ids=[x[1] for x in WRONG])
def test_a_wrong_record_is_one_clear_error(make: Callable[[], Any], message: str) -> None:
    with pytest.raises((InputError, DomainError)) as caught:
        make()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_planted_mistakes_pass_the_checks() -> None:
    """A weakened copy that its record refuses would count as a survivor."""
    tried = 0
    for id in explicit_ids():
        recipe = campaign.draw(cmbound.theorem(id), None, 0, 0)
        try:
            params = build(recipe, cmbound.theorem(id)).params
            setting: Setting = resolve(cmbound.theorem(id), params)
        except Exception:
            continue
        for plant in plants(id):
            own = {"teacher": setting.teacher.name, "profile": setting.profiles[0][0].name if setting.profiles else ""}
            if all(plant.demands.get(name, x) == x for name, x in own.items()):
                tried += plant.put(setting) != setting
    assert tried > 50


def test_a_verdict_on_a_planted_mistake_crosses_processes() -> None:
    plant = plants("explicit-training")[0]
    assert pickle.loads(pickle.dumps(Verdict(plant, "caught", 1.0, None))).plant == plant


def test_approximations_of_different_shapes_are_different() -> None:
    statement = cmbound.theorem("explicit-training")
    given = {"eps_cm": 1, "L_f": 1, "d": 2, "m2": 1, "delta": "0.1"}
    one, two, three = (statement.approximate(**given, T=np.linspace(3.0, 4.0, n)) for n in (1, 2, 3))
    single = statement.approximate(**given, T=3)
    assert len({one, two, three, single}) == 4
    assert single == statement.approximate(**given, T=3)
