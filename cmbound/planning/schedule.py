"""The best times for multistep sampling (theory 3.5): the recursion is monotone, so the greedy choice is optimal."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from cmbound.errors import DomainError
from cmbound.evaluation.records import Evaluation
from cmbound.evaluation.statement import theorem
from cmbound.frozen import Record
from cmbound.numbers import exact, rounded
from cmbound.planning.candidates import Candidates
from cmbound.threads import alone

DEFAULT_STEPS = 8
MOST_STEPS = 1000
LONGEST = 10**4
_GAIN = 0.01


@dataclass(frozen=True, eq=False, repr=False)
class Schedule(Record):
    """The best multistep schedule, with fixed-time schedules beside it.

    Attributes:
        optimal: certified evaluation at the best times.
        fixed: certified evaluation at the fixed time of Cor 6, log(2 L_f) + delta (the first node from it on).
        best_fixed: certified evaluation at the best fixed time for this number of evaluations.
        times, fixed_times: times (OU clock) of the second to the last evaluation, as the parameter ``times`` takes them.
        limit: W_inf, where the bound tends to with more and more evaluations (float64; early stopping included as in the bounds).
            No number of evaluations brings the bound below it, unless the first evaluation is already there.
        limit_time: the time at which it is attained (None: no time contracts, and the limit is infinite).
        gain: what an evaluation must gain to be worth taking.
        steps_worth_taking: the number of evaluations after which another one gains less (at most 10000).
        halves: whether an evaluation at the fixed time halves the distance; where none does the fixed time is T.
    """

    optimal: Evaluation
    fixed: Evaluation
    best_fixed: Evaluation
    times: tuple[float, ...]
    fixed_times: tuple[float, ...]
    limit: float
    limit_time: float | None
    gain: float
    steps_worth_taking: int
    halves: bool

    def __repr__(self) -> str:
        shown = ", ".join(f"{x:.4g}" for x in self.times)
        bound = f"{self.optimal.quantity} <= {rounded(self.optimal.upper)}"
        return f"<Schedule of {len(self.bounds)} evaluations at T, {shown}: {bound}>"

    @property
    def bounds(self) -> tuple[Decimal, ...]:
        """Certified upper ends after each evaluation."""
        return _uppers(self.optimal)

    @property
    def fixed_bounds(self) -> tuple[Decimal, ...]:
        """Likewise for the fixed time of Cor 6."""
        return _uppers(self.fixed)

    @property
    def best_fixed_time(self) -> float | None:
        """The best fixed time (None: one evaluation only)."""
        steps = self.best_fixed.steps or ()
        return steps[1].t if len(steps) > 1 else None

    def to_dict(self) -> dict[str, Any]:
        """The schedule as JSON-ready data (the shape of ``cmbound schedule --format json``)."""
        from cmbound.output.planning import schedule_data

        return schedule_data(self)


def _uppers(evaluation: Evaluation) -> tuple[Decimal, ...]:
    return tuple(x.upper for x in evaluation.steps or ())


@alone
def schedule(*, steps: Any = DEFAULT_STEPS, gain: Any = None, **params: Any) -> Schedule:
    """The best times for multistep sampling.

    Args:
        steps: number of evaluations, the first at T included.
        gain: what an evaluation must gain to be worth taking (a distance; default: 1% of the bound after the first).
        params: numbers and options of ``explicit-multistep``, without k, t_hat and times. On a grid the best nodes are
            chosen; with a largest step h the best times of all. L_f may be a list with one value for each step.

    Returns:
        A :class:`Schedule`; its bounds are certified at the times found in float64. On grids of more than 200 steps and in
        continuous time the times are the best to about 0.2%, which changes the bounds in second order only.

    Raises:
        DomainError: steps is not an integer from 1 to 1000, or gain is negative.
        CmboundError: as for :meth:`cmbound.theory.records.Theorem.evaluate`.
    """
    count = exact("steps", steps)
    if count.denominator != 1 or not 1 <= count <= MOST_STEPS:
        raise DomainError(f"steps must be an integer from 1 to {MOST_STEPS}, got {steps}")
    least = None if gain is None else exact("gain", gain)
    if least is not None and least < 0:
        raise DomainError(f"gain must be a number >= 0, got {gain}")
    given = {name: x for name, x in params.items() if x is not None}
    candidates = Candidates(given)
    limit, where = candidates.limit()
    k = int(count)
    chosen = candidates.greedy(k)
    first = candidates.first * candidates.scale + candidates.early
    smallest_gain = _GAIN * first if least is None else float(least)
    halving = candidates.halving()
    fixed_time = candidates.end if halving is None else halving
    return Schedule(
        optimal=_certified(given, [x.time for x in chosen]),
        fixed=_certified(given, [fixed_time] * (k - 1)),
        best_fixed=_certified(given, [candidates.best_fixed(k)[0]] * (k - 1)),
        times=tuple(x.time for x in chosen),
        fixed_times=(fixed_time,) * (k - 1),
        limit=limit * candidates.scale + candidates.early,
        limit_time=None if where is None else where.time,
        gain=smallest_gain,
        steps_worth_taking=worth_taking(candidates, limit, smallest_gain / candidates.scale),
        halves=halving is not None,
    )


def _certified(params: dict[str, Any], times: list[float]) -> Evaluation:
    more: dict[str, Any] = {"times": [repr(x) for x in times]} if times else {"k": 1}
    return theorem("explicit-multistep").evaluate(**params, **more)


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
