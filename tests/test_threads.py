"""Threads and settings of the process: the same numbers, and the settings are left as they were."""

from __future__ import annotations

import decimal
import json
import os
import random
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import flint
import matplotlib as mpl
import mpmath
import numpy as np
import pytest
import sympy

import cmbound
from cmbound.arithmetic import certified
from cmbound.errors import DomainError
from cmbound.evaluation.sweeps import swept
from cmbound.papers.figures import terms
from cmbound.theory.notation import t
from cmbound.theory.rules import Profile
from cmbound.threads import LOCK, alone

POINT: dict[str, Any] = {"eps_sc": "0.01", "eps_cm": "0.02", "L_f": 2, "d": 3, "m2": "3/2", "T": 5, "delta": "1e-3", "h": "1e-3"}
NO_STEP = {name: x for name, x in POINT.items() if name != "h"}
ONE_STEP, MULTISTEP = (cmbound.theorem(x) for x in ("explicit-one-step", "explicit-multistep"))
MINE = Profile.from_acceleration("mine", 3 * sympy.exp(-t))


def _drawn() -> Any:
    figure = terms.terms_figure(terms.terms_data("explicit-one-step", "h=1e-4,1e-3", **NO_STEP))
    return figure.get_size_inches().tolist()


def _evaluations(digits: int) -> list[Callable[[], Any]]:
    horizon = {**POINT, "T": f"{4 + digits / 1000}"}
    return [
        lambda: ONE_STEP.evaluate(**POINT, digits=digits),
        lambda: ONE_STEP.evaluate(**POINT, L_s=4, R=2, digits=digits),
        lambda: MULTISTEP.evaluate(**POINT, k=3, t_hat=1, digits=digits),
        lambda: ONE_STEP.evaluate(**NO_STEP, grid="edm", N=12, teacher="ddim", digits=digits),
        lambda: ONE_STEP.evaluate(**NO_STEP, R=2, n_atoms=9, M=1, grid="edm", N=12, teacher="heun", digits=digits),
        lambda: ONE_STEP.evaluate(**NO_STEP, R=2, cov_eigs=[1, "0.5", 0], grid="edm", N=9, teacher="ddim", digits=digits),
        lambda: ONE_STEP.evaluate(**horizon, profile="lipschitz-integrated", L_s=3, digits=digits),
        lambda: ONE_STEP.evaluate(**POINT, profile=MINE, digits=digits),
    ]


CALLS: list[Callable[[], Any]] = [
    *(call for digits in (5, 15, 30, 60, 250) for call in _evaluations(digits)),
    lambda: ONE_STEP.approximate(**{**POINT, "d": np.arange(1, 20)}, L_s=3),
    lambda: swept(cmbound.sweep("explicit-one-step", **NO_STEP, h="1e-4:1e-2:log:5"))["total"].tolist(),
    lambda: cmbound.solve("explicit-one-step", target="1", **{x: NO_STEP[x] for x in ("L_f", "d", "m2", "T", "delta")}).budget,
    lambda: cmbound.schedule(steps=3, **POINT).times,
    lambda: cmbound.compare(statements=["explicit-one-step", "lyu2023-cor4"], C=1, L_s=3, **POINT),
    lambda: cmbound.orders("explicit-one-step", profile="universal").exponents,
    lambda: cmbound.elasticities("explicit-one-step", profile="universal", **POINT).values,
    lambda: cmbound.check("explicit-one-step", instances=3).max_ratio,
    lambda: cmbound.simulate(cmbound.Gaussian([1.0], 0.5), n=20, delta="0.01", horizon=2, grid_steps=4, steps=2).steps,
    lambda: ONE_STEP.latex(profile="lipschitz"),
    lambda: str(ONE_STEP.substitute(profile="lipschitz", L_s=3)),
    lambda: str(ONE_STEP.diff("L_f", profile="universal")),
    lambda: cmbound.table("presets").markdown(),
    _drawn,
]


def run(number: int) -> str:
    try:
        result = CALLS[number]()
        return repr((result.lower, result.upper, result) if isinstance(result, cmbound.Evaluation) else result)
    except Exception as error:
        return "".join(traceback.format_exception(error))


@cache
def expected() -> list[str]:
    """What each call gives without threads."""
    found = [run(i) for i in range(len(CALLS))]
    assert not any("Traceback" in x for x in found)
    return found


def in_threads(threads: int, calls: int, seed: int) -> list[tuple[int, str]]:
    """Numbers of calls, and what each gave in a thread."""
    rng = random.Random(seed)
    order = [rng.randrange(len(CALLS)) for _ in range(threads * calls)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(threads) as pool:
            return list(zip(order, pool.map(run, order), strict=True))
    finally:
        sys.setswitchinterval(before)


def _settings() -> tuple[Any, ...]:
    return flint.ctx.prec, mpmath.mp.prec, np.geterr(), dict(mpl.rcParams), decimal.getcontext().prec


def test_threads_give_the_same_numbers() -> None:
    before = _settings()
    assert [i for i, x in in_threads(8, 6, 0) if x != expected()[i]] == []
    assert _settings() == before


def test_threads_that_meet_empty_caches_give_the_same_numbers() -> None:
    code = "import json; from tests.test_threads import in_threads; print(json.dumps(in_threads(8, 5, 1)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=os.getcwd())
    found = json.loads(out.stdout)
    assert len(found) == 40
    assert [i for i, x in found if x != expected()[i]] == []


_HOSTILE = """
import decimal, json, warnings, flint, mpmath, numpy as np
from tests.test_threads import CALLS, run
np.seterr(all="raise")
decimal.getcontext().prec = 3
decimal.getcontext().traps[decimal.Inexact] = True
flint.ctx.prec, mpmath.mp.dps = 20, 3
print(json.dumps([run(i) for i in range(len(CALLS))]))
assert flint.ctx.prec == 20
"""


def test_settings_of_the_process_change_no_number() -> None:
    out = subprocess.run([sys.executable, "-c", _HOSTILE], capture_output=True, text=True, check=True, cwd=os.getcwd())
    assert json.loads(out.stdout.splitlines()[-1]) == expected()


def test_precision_is_restored_whatever_happens() -> None:
    before = flint.ctx.prec

    def fail(error: BaseException) -> None:
        with certified.precision(777), certified.precision(99):
            assert flint.ctx.prec == 99
            raise error

    for error in (DomainError("x"), KeyboardInterrupt(), SystemExit()):
        with pytest.raises(type(error)):
            fail(error)
        assert flint.ctx.prec == before
    with pytest.raises(DomainError):
        ONE_STEP.evaluate(**{**POINT, "T": "1e-4"})
    assert flint.ctx.prec == before


def test_a_precision_holds_for_one_thread_at_a_time() -> None:
    seen: list[int] = []

    def other() -> None:
        with certified.precision(64):
            seen.append(flint.ctx.prec)

    with certified.precision(500):
        thread = threading.Thread(target=other)
        thread.start()
        time.sleep(0.05)
        assert seen == []
        assert flint.ctx.prec == 500
    thread.join()
    assert seen == [64]
    assert alone(lambda x: x + 1)(1) == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_does_not_inherit_the_lock() -> None:
    with certified.precision(500):
        pass
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with LOCK:
            held.set()
            done.wait(0.2)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    child = os.fork()
    if child == 0:
        os._exit(0 if LOCK.acquire(timeout=5) else 1)
    done.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_decimal_settings_of_the_user_change_nothing() -> None:
    """Neither the precision nor a trap on floats."""
    given = {"eps_sc": "1e-3", "eps_cm": "1e-3", "L_f": 1, "d": 2, "m2": "1.2", "T": 5, "delta": "1e-4", "h": "1e-3", "L_s": 2}
    statement = cmbound.theorem("explicit-tv-smoothing")
    expected, schedule = statement.evaluate(**given), cmbound.schedule(steps=2, preset="gaussian-2d")
    shown = schedule.text()
    with decimal.localcontext() as context:
        context.prec = 1
        context.traps[decimal.FloatOperation] = True
        found = statement.evaluate(**given)
        assert found.value == expected.value
        assert cmbound.solve("explicit-one-step", target=1, preset="gaussian-2d").achieved.upper <= 1
        assert schedule.text() == shown
    assert found == expected
