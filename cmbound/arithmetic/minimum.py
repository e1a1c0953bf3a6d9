"""Where a function is smallest, in float64. Values are asked for where :mod:`scipy.optimize` asks for them.

To import SciPy's searches takes longer than most commands that need one.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from math import inf, sqrt
from typing import Any

from cmbound.later import np

_GOLDEN = (3 - sqrt(5)) / 2
_ROOT_EPSILON = sqrt(2.2e-16)  # a minimum is flat: its place is known to half the digits


def minimum(f: Callable[[float], float], low: float, high: float, accuracy: float, most: int = 500) -> float:
    """The place of a local minimum between two ends, by parabolas and golden sections (Brent 1973, localmin).

    As :func:`scipy.optimize.minimize_scalar` with ``method="bounded"``.

    Args:
        f: the function.
        low, high: the ends, which are not tried themselves.
        accuracy: of the place, absolute.
        most: values asked for at most, two or more.

    >>> round(minimum(lambda x: (x - 2) ** 2, 0, 5, 1e-6), 6)
    2.0
    """
    x = second = third = low + _GOLDEN * (high - low)  # the places of the three smallest values
    fx = f_second = f_third = f(x)
    step = before = 0.0
    for _ in range(most - 1):
        middle, near = (low + high) / 2, _ROOT_EPSILON * abs(x) + accuracy / 3
        if abs(x - middle) <= 2 * near - (high - low) / 2:
            break
        parabola = None
        if abs(before) > near:
            r, q = (x - second) * (fx - f_third), (x - third) * (fx - f_second)
            p, q = (x - third) * q - (x - second) * r, 2 * (q - r)
            p, q = -p if q > 0 else p, abs(q)
            if abs(p) < abs(0.5 * q * before) and q * (low - x) < p < q * (high - x):
                parabola = p / q
            before = step
        if parabola is not None:
            step, place = parabola, x + parabola
            if place - low < 2 * near or high - place < 2 * near:
                step = near if middle >= x else -near
        else:
            before = low - x if x >= middle else high - x
            step = _GOLDEN * before
        place = x + (1 if step >= 0 else -1) * max(abs(step), near)
        value = f(place)
        if value <= fx:
            low, high = (x, high) if place >= x else (low, x)
            x, second, third, fx, f_second, f_third = place, x, second, value, fx, f_second
            continue
        low, high = (place, high) if place < x else (low, place)
        if value <= f_second or second == x:
            second, third, f_second, f_third = place, second, value, f_second
        elif value <= f_third or third in (x, second):
            third, f_third = place, value
    return x


class _Enough(Exception):
    """No more values may be asked for."""


def simplex_minimum(f: Callable[[Any], float], simplex: Any, accuracy: float, flat: float, most: int) -> tuple[Any, float]:
    """A local minimum of a function of several variables (Nelder and Mead 1965), and the value there.

    As :func:`scipy.optimize.minimize` with ``method="Nelder-Mead"``.

    Args:
        f: a function of an array (n,).
        simplex: n + 1 places to begin with, shape (n + 1, n).
        accuracy, flat: the search ends where places differ by so little, and values too.
        most: values asked for at most.

    >>> place, value = simplex_minimum(lambda x: (x[0] - 2) ** 2, [[0.0], [1.0]], 1e-6, 1e-12, 100)
    >>> round(float(place[0]), 5)
    2.0
    """
    places, values, asked = np.array(simplex, dtype=np.float64), np.full(len(simplex), inf), 0

    def value(x: Any) -> float:
        nonlocal asked
        if asked >= most:
            raise _Enough
        asked += 1
        return f(np.copy(x))

    with suppress(_Enough):
        for i, x in enumerate(places):
            values[i] = value(x)
    places, values = _ranked(places, values)
    while asked < most and not (np.abs(places[1:] - places[0]).max() <= accuracy and abs(values[0] - values[1:]).max() <= flat):
        with suppress(_Enough):
            _step(value, places, values)
        places, values = _ranked(places, values)
    return places[0], float(values[0])


def _ranked(places: Any, values: Any) -> tuple[Any, Any]:
    order = np.argsort(values)
    return places[order], values[order]


def _step(value: Callable[[Any], float], places: Any, values: Any) -> None:
    """Put a better place for the worst one, or draw all to the best one."""
    middle, worst = np.add.reduce(places[:-1], 0) / (len(places) - 1), places[-1]
    there = 2 * middle - worst
    at_there = value(there)
    if at_there < values[0]:
        beyond = 3 * middle - 2 * worst
        at_beyond = value(beyond)
        places[-1], values[-1] = (beyond, at_beyond) if at_beyond < at_there else (there, at_there)
    elif at_there < values[-2]:
        places[-1], values[-1] = there, at_there
    else:
        outside = at_there < values[-1]
        between = 1.5 * middle - 0.5 * worst if outside else 0.5 * middle + 0.5 * worst
        at_between = value(between)
        if at_between <= at_there if outside else at_between < values[-1]:
            places[-1], values[-1] = between, at_between
            return
        for i in range(1, len(places)):
            places[i] = places[0] + 0.5 * (places[i] - places[0])
            values[i] = value(places[i])
