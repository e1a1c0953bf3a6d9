"""The smallest value of a function of one variable, searched between two ends."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

_GOLDEN = (3 - sqrt(5)) / 2
_ROOT_EPSILON = sqrt(2.2e-16)  # a minimum is flat: its place is known to half the digits


def minimum(f: Callable[[float], float], low: float, high: float, accuracy: float, most: int = 500) -> float:
    """The place of a local minimum between two ends, by parabolas and golden sections (Brent 1973, localmin).

    Asks for the values that :func:`scipy.optimize.minimize_scalar` asks for with ``method="bounded"``; to import that takes
    longer than most searches do.

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
