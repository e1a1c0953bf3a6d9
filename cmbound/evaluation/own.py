"""Accelerations given by a user are looked at before they are believed: what can be proved, what is refuted, what is open.

A pointwise bound A(t) must be finite, non-negative and non-increasing on [delta, T] (theory 3.1 needs it). That is decided by
enclosures (:mod:`cmbound.arithmetic.decreasing`): proved it is listed as checked, refuted it is an error, open it is listed as
assumed, provided its integral has an enclosure. Stretch functions: :mod:`cmbound.evaluation.stretches`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from functools import cmp_to_key, lru_cache
from itertools import pairwise
from typing import Any

import sympy
from sympy import Integral

from cmbound.arithmetic import certified
from cmbound.arithmetic.decreasing import Fact, examine
from cmbound.arithmetic.exact import Value, as_expr, difference, sign
from cmbound.errors import DomainError, UndecidedError
from cmbound.later import np
from cmbound.theory.formulas import convert
from cmbound.theory.integrals import cuts
from cmbound.theory.named import plain
from cmbound.theory.notation import TABLE, L_s, a, b, delta, t
from cmbound.theory.records import Assumption, Theorem
from cmbound.theory.rules import Entry, Profile
from cmbound.theory.variants import Clock

Shape = tuple[str, Assumption, str]
"""A profile's name, what it must satisfy, and ``checked`` or ``assumed``."""
_ADVICE = (
    "bound the sum over the steps of the integral of (e^(u - t_n) - 1) A(u), or take (e^h - 1) times the integral of A, "
    "and give that by Profile.from_stretch"
)


def shapes(
    theorem: Theorem, entries: Sequence[Entry], clock: Clock, values: Mapping[str, Value], lists: Mapping[str, Sequence[Value]]
) -> tuple[Shape, ...]:
    """What is known of the shape of the user's accelerations on the range where they are integrated.

    Raises:
        DomainError: one that increases, is negative or is not real somewhere, with the times.
        UndecidedError: one that has no finite enclosure, or whose integral has none within the limit of work.
    """
    found = []
    for profile, _ in entries:
        if _is_pointwise(profile):
            verdicts = [
                verdict(profile.name, profile.acceleration, constants, values["delta"], end)
                for end in _ends(theorem, clock, values, lists)
                for constants in [tuple((x, _constant(x, clock, values, end)) for x in _names(profile.acceleration))]
            ]
            text = f"{plain(profile.acceleration)} is non-negative and non-increasing in t on [delta, T]"
            status = "assumed" if "assumed" in verdicts else "checked"
            found.append((profile.name, Assumption(f"profile:{profile.name}:shape", text), status))
    return tuple(found)


def _is_pointwise(profile: Profile) -> bool:
    return profile.own and profile.acceleration is not None


def _names(acceleration: Any) -> tuple[str, ...]:
    return tuple(sorted(x.name for x in acceleration.free_symbols - {t}))


def _ends(theorem: Theorem, clock: Clock, values: Mapping[str, Value], lists: Mapping[str, Sequence[Value]]) -> list[Value]:
    """The times up to which local errors are summed; only the last where the constants do not depend on it."""
    named = [x.name for x in theorem.local_ends]
    found = [values[name] for name in named if name in values]
    found += lists.get("times", ()) if "t_hat" in named else ()
    found.sort(key=lambda x: float(as_expr(x)))
    return found if clock.name == "ve" else found[-1:]


def _constant(name: str, clock: Clock, values: Mapping[str, Value], end: Value) -> Value:
    """A parameter as it enters the profile, exactly."""
    value = values[name]
    if name != "L_s" or clock.name == "ou":
        return value
    known = {L_s: as_expr(value), a: as_expr(end), delta: as_expr(values["delta"])}
    return convert(L_s, clock, a, a).subs(known, simultaneous=True)


@lru_cache(maxsize=4096)
def verdict(name: str, acceleration: Any, values: tuple[tuple[str, Any], ...], low: Any, high: Any) -> str:
    """``checked`` or ``assumed``; raises what :func:`shapes` raises.

    Args:
        name: of the profile, for messages.
        acceleration: an expression in t and parameters.
        values: exact parameters by name.
        low, high: the range, exact.
    """
    symbols = (t, *(TABLE[x].symbol for x, _ in values))
    exact = {TABLE[x].symbol: as_expr(y) for x, y in values}
    joints = _joints(acceleration, exact, low, high)
    with certified.precision(certified.SHAPE_BITS):
        balls = [certified.number(y) for _, y in values]
        ends = [certified.number(x) for x in (low, *joints, high)]
        parts = [(certified.chosen(acceleration, symbols, ((x + y) / 2, *balls)), x, y) for x, y in pairwise(ends)]
    facts = [examine(body, symbols, balls, x, y) for body, x, y in parts]
    if acceleration.has(sympy.Piecewise):
        bodies = [None, *(body for body, _, _ in parts), None]
        facts += [
            _joint(left, acceleration, right, {**exact, t: as_expr(at)})
            for left, right, at in zip(bodies, bodies[1:], (low, *joints, high), strict=False)
        ]
    for kind, text in _REFUTED.items():
        for fact in facts:
            if fact.kind == kind:
                raise DomainError(f"profile {name!r}: {plain(acceleration)} {text} {_place(fact)}")
    singular = next((x for x in facts if x.kind == "singular"), None)
    if singular is not None:
        raise UndecidedError(
            f"profile {name!r}: no finite enclosure of {plain(acceleration)} was found {_place(singular)}; "
            "an acceleration must be finite on [delta, T], and this one was not shown to be"
        )
    if all(x.kind == "fine" for x in facts):
        return "checked"
    _integral(name, acceleration, symbols, exact, low, high)
    return "assumed"


_REFUTED = {
    "not real": "is not a real number",
    "negative": "is negative, and an acceleration cannot be,",
    "increases": f"increases (it must not: {_ADVICE})",
}


def _place(fact: Fact) -> str:
    return f"at t = {fact.low:.6g}" if fact.low == fact.high else f"from t = {fact.low:.6g} to {fact.high:.6g}"


def _joints(acceleration: Any, exact: Mapping[Any, Any], low: Any, high: Any) -> list[Any]:
    """The times inside (low, high) at which the branch of a Piecewise may change, exact and in rising order."""
    inner: list[Any] = []
    for x in cuts(acceleration, t):
        at = x.subs(exact, simultaneous=True)
        at = Fraction(int(at.p), int(at.q)) if at.is_Rational else at
        if at not in inner and sign(difference(at, low)) > 0 and sign(difference(high, at)) > 0:
            inner.append(at)
    return sorted(inner, key=cmp_to_key(lambda x, y: sign(difference(x, y))))


def _joint(left: Any, whole: Any, right: Any, given: Mapping[Any, Any]) -> Fact:
    """Whether the function steps down, or not at all, where its branch changes: to its value there, and from it.

    Args:
        left, right: the branches before and after (None: none in the range).
        whole: the function.
        given: exact numbers by symbol, t among them.
    """
    place = float(given[t])
    value = whole.subs(given, simultaneous=True)
    chain = [x.subs(given, simultaneous=True) for x in (left, whole, right) if x is not None]
    if any(x.has(sympy.nan, sympy.zoo, sympy.oo) for x in chain):
        return Fact("singular", place, place)
    if not value.is_real:
        return Fact("not real" if value.is_real is False else "open", place, place)
    try:
        if sign(value) < 0:
            return Fact("negative", place, place)
        return Fact("fine" if all(sign(x - y) >= 0 for x, y in pairwise(chain)) else "increases", place, place)
    except UndecidedError:
        return Fact("open", place, place)


def _integral(name: str, acceleration: Any, symbols: tuple[Any, ...], exact: Mapping[Any, Any], low: Any, high: Any) -> None:
    """Raise UndecidedError where the integral has no enclosure."""
    ends = {a: as_expr(low), b: as_expr(high)}
    expr = Integral(acceleration, (t, a, b))
    given = {**exact, **ends}
    order = tuple(sorted(given, key=lambda x: x.name))
    for bits in certified.PRECISIONS:
        with certified.precision(bits):
            ball = certified.compile((expr,), order)(*(certified.number(given[x]) for x in order))[0]
            if ball.is_finite() and ball.rel_accuracy_bits() > 20:
                return
    raise UndecidedError(f"profile {name!r}: the integral of {plain(acceleration)} has no enclosure to 6 digits")


# --- arrays -----------------------------------------------------------------------------------------------------------


def doubtful_rows(entries: Sequence[Entry], values: Mapping[Any, Any], end: Any, size: int) -> Iterator[int]:
    """Rows of arrays of parameters at which a user's acceleration is not proved to be in order; each needs a look of its own.

    Args:
        entries: the profiles to choose from.
        values: the parameters by symbol, OU clock; scalars or arrays of this size.
        end: the symbol of the time up to which local errors are summed.
        size: number of rows.
    """
    columns = {x: np.broadcast_to(np.asarray(y, dtype=np.float64), (size,)) for x, y in values.items()}
    for profile, _ in entries:
        if _is_pointwise(profile):
            used = [TABLE[name].symbol for name in _names(profile.acceleration)]
            rows = np.stack([columns[x] for x in (*used, delta, end)], axis=1)
            unique, first = np.unique(rows, axis=0, return_index=True)
            yield from (int(first[i]) for i in _open(profile.acceleration, tuple(used), unique, np.arange(len(unique))))


def _open(acceleration: Any, used: tuple[Any, ...], rows: Any, which: Any) -> Iterator[int]:
    """Among the rows those at which the shape is not proved, a box of parameters at a time."""
    if len(which) == 1 or acceleration.has(sympy.Piecewise):
        yield from which
        return
    box = rows[which]
    low, high = box.min(axis=0), box.max(axis=0)
    with certified.precision(certified.SHAPE_BITS):
        ends = [[certified.number(Fraction(float(x))) for x in side] for side in (low, high)]
        balls = [x.union(y) for x, y in zip(*ends, strict=True)]
    if examine(acceleration, (t, *used), balls[:-2], ends[0][-2], ends[1][-1]).kind == "fine":
        return
    spread = [y / x if x > 0 else y - x for x, y in zip(low, high, strict=True)]
    ranked = which[np.argsort(box[:, int(np.argmax(spread))], kind="stable")]
    half = len(ranked) // 2
    yield from _open(acceleration, used, rows, ranked[:half])
    yield from _open(acceleration, used, rows, ranked[half:])
