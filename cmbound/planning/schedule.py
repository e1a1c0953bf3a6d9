"""The best times for multistep sampling (theory 3.5): the recursion is monotone, so the greedy choice is optimal."""

from __future__ import annotations

from typing import Any

from cmbound.errors import DomainError, InputError
from cmbound.evaluation.records import Evaluation
from cmbound.evaluation.statement import about, theorem
from cmbound.numbers import exact
from cmbound.planning.candidates import Candidates
from cmbound.planning.records import LONGEST, Schedule
from cmbound.theory.records import Theorem
from cmbound.threads import alone

DEFAULT_STEPS = 8  # what the help says; the gain is gone long before
MOST_STEPS = 1000  # evaluations a schedule is made for
_GAIN = 0.01  # of the first bound: what nobody would pay an evaluation for


@alone
def schedule(id: str | Theorem | None = None, *, steps: Any = DEFAULT_STEPS, gain: Any = None, **params: Any) -> Schedule:
    """The best times for multistep sampling.

    Args:
        id: a statement about the bound after one more evaluation, or its id (default: that of the catalogue).
        steps: number of evaluations, the first at T included.
        gain: what an evaluation must gain to be worth taking (a distance; default: 1% of the bound after the first).
        params: numbers and options of the statement, without k, t_hat and times. On a grid the best nodes are
            chosen; with a largest step h the best times of all. L_f may be a list with one value for each step.

    Returns:
        A :class:`Schedule`; its bounds are certified at the times found in float64. On grids of more than 200 steps and in
        continuous time the times are the best to about 0.2%, which changes the bounds in second order only.

    Raises:
        DomainError: steps is not an integer from 1 to 1000, or gain is negative.
        CmboundError: as for :meth:`cmbound.evaluation.statement.Statement.evaluate`.

    >>> import cmbound
    >>> found = cmbound.schedule(steps=3, preset="gaussian-2d")
    >>> len(found.times), found.bounds[-1] <= found.bounds[0]
    (2, True)
    """
    several = (x for x in about("multistep") if x.bare_recursion)
    statement = next(several) if id is None else theorem(id)
    if not statement.bare_recursion:
        raise InputError(f"schedule needs a statement about one more evaluation; {statement.id} is about one sample")
    count = exact("steps", steps)
    if count.denominator != 1 or not 1 <= count <= MOST_STEPS:
        raise DomainError(f"steps must be an integer from 1 to {MOST_STEPS}, got {steps}")
    least = None if gain is None else exact("gain", gain)
    if least is not None and least < 0:
        raise DomainError(f"gain must be a number >= 0, got {gain}")
    given = {name: x for name, x in params.items() if x is not None}
    candidates, k = Candidates(statement, {name: x for name, x in given.items() if name != "digits"}), int(count)
    (limit, where), chosen, halving = candidates.limit(), candidates.greedy(k), candidates.halving()
    smallest_gain = _GAIN * (candidates.first + candidates.rest) if least is None else float(least)
    fixed_time = candidates.end if halving is None else halving

    def certified(times: list[float]) -> Evaluation:
        return statement.evaluate(**given, **({"times": [repr(x) for x in times]} if times else {"k": 1}))

    return Schedule(
        optimal=certified([x.time for x in chosen]),
        fixed=certified([fixed_time] * (k - 1)),
        best_fixed=certified([candidates.best_fixed(k)[0]] * (k - 1)),
        times=tuple(x.time for x in chosen),
        fixed_times=(fixed_time,) * (k - 1),
        limit=limit + candidates.rest,
        limit_time=None if where is None else where.time,
        gain=smallest_gain,
        steps_worth_taking=worth_taking(candidates, limit, smallest_gain),
        halves=halving is not None,
    )


def worth_taking(candidates: Candidates, limit: float, gain: float) -> int:
    """The number of evaluations after which another one, at the best time, gains less than ``gain`` (or nothing)."""
    bound = candidates.first
    if bound <= limit:
        return 1
    for k in range(1, LONGEST):
        chosen = candidates.next(bound)
        after = chosen.contraction * bound + chosen.error
        if bound - after < gain or after >= bound:
            return k
        bound = after
    return LONGEST
