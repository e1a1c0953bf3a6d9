"""From the numbers people log to the constants of the theorems: per-pixel RMSE of a denoiser, value of a consistency loss."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from cmbound.arithmetic import certified
from cmbound.checks import checked_count, checked_finite, checked_name
from cmbound.errors import DomainError, InputError
from cmbound.frozen import Record
from cmbound.names import CLOCKS
from cmbound.numbers import exact, rounded
from cmbound.reports.cells import Cell, math as latex, number
from cmbound.reports.report import Body, Report, Result
from cmbound.reports.table import Table

REDUCTIONS = ("mean", "sum")
"""Whether a logged square is the mean over the coordinates, or their sum."""


@dataclass(frozen=True, eq=False, repr=False)
class Conversion(Result, Record):
    """A logged number as a constant of the theorems.

    Attributes:
        name: ``eps_sc`` or ``eps_cm``.
        value: in the units of ``clock``, rounded up.
        clock: ``ve`` (what ``--clock ve`` takes) or ``ou``.
        formula: how it was computed.
        notes: what it is worth.
    """

    name: str
    value: float
    clock: str
    formula: str
    notes: tuple[str, ...]

    def report(self) -> Report:
        """The number, the formula and the notes."""
        body = Body()
        table = Table(
            ("constant", "value", "clock"),
            ((latex(r"\varepsilon_{" + self.name[4:] + "}", self.name), number(rounded(self.value)), Cell(self.clock)),),
            "lrl",
        )
        body.table(table, 0)
        body.line(self.formula)
        for note in self.notes:
            body.line(f"note: {note}")
        title = f"{self.name} from a logged number"
        data = {name: list(x) if isinstance(x := getattr(self, name), tuple) else x for name in self._names()}
        return Report(title, body, _same(data), table, body)


def _same(data: dict[str, Any]) -> Callable[[], Any]:
    return lambda: dict(data)


def convert(
    *,
    rmse: Any = None,
    loss: Any = None,
    d: Any,
    sigma: Any,
    sigma_to: Any = None,
    sigma_min: Any = None,
    weight: Any = 1,
    reduction: str = "mean",
    mmse: Any = 0,
    clock: str = "ve",
) -> Conversion:
    """eps_sc from the RMSE of a denoiser, or eps_cm from a consistency loss.

    A denoiser whose error against the data at noise level sigma has root mean square e per coordinate is off E[x_0 | x] by at
    most (d e^2 - mmse)^{1/2} in L2, mmse = E norm(x_0 - E[x_0 | x])^2 being what nobody can predict (0 if it is not known: a safe
    choice). Its score is off by that over sigma^2. A consistency loss weight * E norm(f(x, sigma) - f(xhat, sigma_to))^2 gives
    eps_cm h with h the length of the step in t = log(1 + sigma^2)/2.

    Args:
        rmse: root mean square error per coordinate of the denoiser against the data, >= 0.
        loss: the consistency loss (a squared distance; pseudo-Huber and LPIPS say nothing about L2), >= 0.
        d: dimension.
        sigma: noise level, of a step the upper one.
        sigma_to: for a loss, the lower noise level of the step.
        sigma_min: for a loss with ``clock`` ou, the lowest noise level.
        weight: what the loss was multiplied with, > 0.
        reduction: whether the loss is the ``mean`` over coordinates or their ``sum``.
        mmse: for an RMSE, the least squared error E norm(x_0 - E[x_0 | x])^2, if it is known.
        clock: units of the result.

    Raises:
        InputError: not exactly one of rmse and loss, or a noise level that is missing.
        DomainError: a number outside its domain.

    >>> import cmbound
    >>> cmbound.convert(rmse="0.01", d=64, sigma=2).value
    0.02
    >>> round(cmbound.convert(loss=1e-4, d=64, sigma=2, sigma_to=1).value, 6)
    0.174617
    """
    if (rmse is None) == (loss is None):
        raise InputError("give exactly one of rmse and loss")
    checked_name("clock", clock, CLOCKS)
    checked_name("reduction", reduction, REDUCTIONS)
    size, high = checked_count("d", d), _positive("sigma", sigma)
    _needless(rmse is not None, clock, sigma_to, sigma_min, weight, reduction, mmse)
    if rmse is not None:
        return _from_rmse(_number("rmse", rmse, least=0), size, high, _number("mmse", mmse, least=0), clock)
    if sigma_to is None:
        raise InputError("a loss needs sigma_to, the lower noise level of its step")
    low = _positive("sigma_to", sigma_to)
    if low >= high:
        raise DomainError(f"sigma_to is {sigma_to}; it must be below sigma = {sigma}")
    count = size if reduction == "mean" else 1
    return _from_loss(_number("loss", loss, least=0), count, high, low, _positive("weight", weight), sigma_min, clock)


def _needless(of_rmse: bool, clock: str, sigma_to: Any, sigma_min: Any, weight: Any, reduction: str, mmse: Any) -> None:
    """Arguments that would have no effect."""
    given = {
        "sigma_to": sigma_to is not None,
        "sigma_min": sigma_min is not None,
        "weight": checked_finite("weight", weight) != 1,
        "reduction": reduction != "mean",
    }
    named = [name for name, is_given in given.items() if is_given]
    if of_rmse and named:
        raise InputError(f"{named[0]} is given, but belongs to a loss: an rmse does not depend on it")
    if not of_rmse and checked_finite("mmse", mmse) != 0:
        raise InputError("mmse is given, but belongs to an rmse: a loss does not depend on it")
    if not of_rmse and sigma_min is not None and clock == "ve":
        raise InputError("sigma_min is given, but only the clock ou depends on it")


def _from_rmse(error: Fraction, d: int, sigma: Fraction, mmse: Fraction, clock: str) -> Conversion:
    square = d * error**2 - mmse
    if square < 0:
        most = float(d * error**2)
        raise DomainError(
            f"mmse is {float(mmse):g}, more than the squared error d rmse^2 = {most:g}: no denoiser is better than it"
        )
    value = _up(square * (1 + sigma**2 if clock == "ou" else 1) / sigma**4)
    unit = " (1 + sigma^2)^{1/2}" if clock == "ou" else ""
    notes = ["an upper bound: the error against the data holds what nobody can predict"] if mmse == 0 else []
    return Conversion("eps_sc", value, clock, f"eps_sc = (d rmse^2 - mmse)^{{1/2}}/sigma^2{unit}", tuple(notes))


def _from_loss(
    loss: Fraction, count: int, high: Fraction, low: Fraction, weight: Fraction, sigma_min: Any, clock: str
) -> Conversion:
    square, growth = loss * count / weight, (high**2 - low**2) / (1 + low**2)
    if clock == "ou":
        if sigma_min is None:
            raise InputError("eps_cm in the clock ou needs sigma_min, the lowest noise level")
        least = _positive("sigma_min", sigma_min)
        if least > low:
            raise DomainError(f"sigma_min is {sigma_min}; the lowest noise level of all is at most sigma_to = {float(low):g}")
        square /= 1 + least**2
    value, step = _up(square, growth), math.log1p(growth) / 2
    unit = " (1 + sigma_min^2)^{-1/2}" if clock == "ou" else ""
    notes = (
        f"the step has the length {step:.6g} in t",
        "only a squared distance gives an L2 error: not pseudo-Huber, L1 or LPIPS",
        "the loss must be that of the model itself, on the side of the target too (not of a moving average)",
    )
    return Conversion("eps_cm", value, clock, f"eps_cm = (loss {'d ' if count > 1 else ''}/ weight)^{{1/2}}/h{unit}", notes)


def _up(square: Fraction, growth: Fraction | None = None) -> float:
    """The root of ``square``, over log(1 + growth)/2 where it is given, as a float that is not below it."""
    with certified.precision(200):
        value = certified.root(certified.number(square))
        if growth is not None:
            value = 2 * value / certified.number(growth).log1p()
        return certified.float_up(certified.decimal(value, 25, up=True))


def _positive(name: str, given: Any) -> Fraction:
    number = _number(name, given)
    if number <= 0:
        raise DomainError(f"{name} is {given}; it must be > 0")
    return number


def _number(name: str, given: Any, least: float = -math.inf) -> Fraction:
    checked_finite(name, given)
    number = exact(name, given)
    if number < least:
        raise DomainError(f"{name} is {given}; it must be >= {least}")
    return number
