"""Choices a statement leaves open: the teacher, the law sampling starts from, and the clock.

Each is a record of expressions, written once; statements refer to them through the place-holders below.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, ClassVar

from sympy import Derivative, Function, S

from cmbound.checks import checked_name
from cmbound.errors import InputError
from cmbound.frozen import Deferred, FrozenDict
from cmbound.names import TARGETS as TARGETS, TIERS as TIERS
from cmbound.theory.functions import c, em1, lam, lam_rise, one_minus_c, one_minus_s, s
from cmbound.theory.named import exchanged, exp, largest, rearranged, smallest, sqrt
from cmbound.theory.notation import (
    L_f,
    L_os,
    L_s,
    M,
    R,
    T,
    a,
    b,
    d,
    d_eff,
    delta,
    diameter,
    eps_cm,
    eps_sc,
    eps_sc_a,
    h,
    k,
    m2,
    n_atoms,
    sd2,
    t_hat,
    t_prev,
    t_star,
    tau,
)


class Placeholder(Function):
    """Stands for a quantity that depends on the teacher, the profile, the grid, the start or the clock.

    Written with a time, ``LocalErrorSum(T)``; its other arguments are the parameters it stands for, so that a derivative, a
    substitution and ``free_symbols`` see them. They are printed where they are not the symbols of the table any more.
    """

    latex_name: ClassVar[str]
    text_name: ClassVar[str]
    hidden: ClassVar[tuple[Any, ...]]
    """The parameters the quantity depends on besides its time."""

    def __new__(cls, time: Any, *others: Any, **options: Any) -> Any:
        return super().__new__(cls, time, *(others or cls.hidden), **options)

    @property
    def is_whole(self) -> bool:
        """Whether nothing was put in the place of the parameters it stands for."""
        return bool(self.args[1:] == self.hidden)

    def filled(self, expr: Any) -> Any:
        """What the quantity is, given as an expression in the symbols of the table, at what was put in their place."""
        return expr if self.is_whole else expr.subs(dict(zip(self.hidden, self.args[1:], strict=True)), simultaneous=True)

    def _shown(self, printer: Any) -> str:
        changed = [(x, y) for x, y in zip(self.hidden, self.args[1:], strict=True) if x != y]
        return "; ".join([printer._print(self.args[0]), *(f"{printer._print(x)} = {printer._print(y)}" for x, y in changed)])

    def _sympystr(self, printer: Any) -> str:
        return f"{self.text_name}({self._shown(printer)})"

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        body = rf"{self.latex_name}\left({self._shown(printer)}\right)"
        return body if exp is None else f"{body}^{{{exp}}}"

    def _no_number(self, printer: Any) -> str:
        raise InputError(f"{self} depends on the profile: give one, as in theorem.formula(profile='universal')")

    _numpycode = _pythoncode = _mpmathcode = _no_number


class ConsistencySum(Placeholder):
    """Sum of the consistency errors of the steps from delta to the time in the argument."""

    latex_name = r"E_{cm}"
    text_name = "E_cm"
    hidden = (delta, eps_cm)


class ScoreSum(Placeholder):
    """Sum over the steps of L_f times what the score error does to one teacher step."""

    latex_name = r"E_{sc}"
    text_name = "E_sc"
    hidden = (delta, h, L_f, eps_sc, M)


class LocalErrorSum(Placeholder):
    """Sum over the steps of L_f times the error of one teacher step with the exact score; a profile bounds it."""

    latex_name = r"E_{h}"
    text_name = "E_h"
    hidden = (delta, h, L_f, d, m2, L_s, t_star, R, tau, sd2, n_atoms, d_eff, L_os, diameter, M)


class LipschitzAt(Placeholder):
    """L_f at one time."""

    latex_name = "L_f"
    text_name = "L_f"
    hidden = (L_f, delta)


class StartGap(Placeholder):
    """Bound on W2 between the law sampling starts from and p_T."""

    latex_name = r"E_{0}"
    text_name = "E_0"
    hidden = (d, m2)


class EarlyStoppingGap(Placeholder):
    """Bound on W2(p_delta, p_data)."""

    latex_name = r"E_{\delta}"
    text_name = "E_delta"
    hidden = (d, m2)


class ScheduleSum(Placeholder):
    """Sum over the evaluations after the first of an expression in their time t_hat and the time before, t_prev."""

    latex_name = r"\Sigma"
    text_name = "sum_j"
    hidden = (T, t_hat, k)

    def _eval_derivative(self, symbol: Any) -> Any:
        if any(x.has(symbol) for x in self.args[1:]):
            return Derivative(self, symbol, evaluate=False)
        return self.func(self.args[0].diff(symbol), *self.args[1:])

    def at_fixed_time(self) -> Any:
        """The sum where every evaluation after the first is at t_hat (the first is at T)."""
        step, first, fixed, count = self.args
        second, later = (exchanged(step, {t_prev: x}) for x in (first, fixed))
        return smallest(1, count - 1) * second + largest(0, count - 2) * later


class LastTime(Placeholder):
    """The time of the last evaluation, where the first is at the time in the argument."""

    latex_name = "t_k"
    text_name = "t_k"
    hidden = (t_hat, k)

    def at_fixed_time(self) -> Any:
        """The time where every evaluation after the first is at t_hat."""
        first, fixed, count = self.args
        return largest(0, 2 - count) * first + smallest(1, count - 1) * fixed


@lru_cache(maxsize=512)
def visible_symbols(expr: Any) -> frozenset[Any]:
    """The symbols of ``expr``, without those that only place-holders stand for."""
    while holders := expr.atoms(Placeholder):
        expr = exchanged(expr, {x: x.args[0] for x in holders})
    return frozenset(expr.free_symbols)


PLACEHOLDERS: Mapping[Any, str] = FrozenDict(
    {
        LocalErrorSum: "L_f times the sum of the local errors of the teacher up to that time, bounded by a regularity profile",
        ConsistencySum: "the sum of the consistency errors of the steps up to that time",
        ScoreSum: "L_f times the sum of what the score errors do to the steps up to that time",
        StartGap: "a bound on the distance between the law sampling starts from and that of the forward process",
        EarlyStoppingGap: "a bound on the distance of early stopping",
    }
)
"""What the place-holders that a formula may keep stand for."""


@dataclass(frozen=True)
class Teacher:
    """The one-step solver behind the consistency error.

    Attributes:
        name: its name on the command line.
        title: what it is.
        score: what a score error does to one step from b to a, as an expression in a, b, h, eps_sc (at b) and eps_sc_a (at a).
        weight: factor with which L_f(t_j) multiplies the local error of a step (an expression in a).
        needs_grid: whether the sums have no closed form in the largest step h.
        reference: where it is analysed.
        needs: parameters that must be given for it.
    """

    name: str
    title: str
    score: Any
    weight: Any
    needs_grid: bool
    reference: str
    needs: tuple[str, ...] = ()

    @cached_property
    def weighted_score(self) -> Any:
        """:attr:`score` with the weight L_f."""
        return L_f * self.score


EI = "exponential-integrator"


def _exponential_integrator() -> Teacher:
    return Teacher(
        name=EI,
        title="exponential integrator in t (score frozen over a step)",
        score=eps_sc * em1(h) / h * (b - a),
        weight=S.One,
        needs_grid=False,
        reference="theory 3.1",
    )


def _ddim() -> Teacher:
    return Teacher(
        name="ddim",
        title="DDIM (noise prediction frozen over a step; Euler in the noise level)",
        score=c(a) * lam_rise(a, b) * s(b) * eps_sc,
        weight=c(a),
        needs_grid=True,
        reference="theory 3.10",
    )


def _heun() -> Teacher:
    return Teacher(
        name="heun",
        title="Heun's method in the noise level (EDM: Euler predictor, trapezoid corrector)",
        score=c(a)
        * lam_rise(a, b)
        / 2
        * ((1 + rearranged(lam(b) / lam(a) - 1, lam_rise(a, b) / lam(a)) * M) * s(b) * eps_sc + s(a) * eps_sc_a),
        weight=c(a),
        needs_grid=True,
        reference="theory 3.14",
        needs=("M",),
    )


TEACHERS: Mapping[str, Teacher] = Deferred({EI: _exponential_integrator, "ddim": _ddim, "heun": _heun})
"""By name; as all that is made of expressions, each is built when it is first asked for."""

STARTS: Mapping[str, Any] = Deferred(
    {
        "standard": lambda: rearranged(
            sqrt(c(T) ** 2 * m2**2 + one_minus_s(T) ** 2 * d), c(T) * sqrt(m2**2 + c(T) ** 2 * d / (1 + s(T)) ** 2)
        ),
        "matched": lambda: c(T) * m2,
    }
)
"""Coupling bound on W2(start, p_T): N(0, I) (standard) or N(0, s_T^2 I) (matched), theory 3.4."""


@dataclass(frozen=True)
class Clock:
    """A clock, with the conversion of each constant into the Ornstein-Uhlenbeck clock.

    Attributes:
        name: ``ou`` or ``ve``.
        L_f, eps_sc: the OU constant at the time ``a`` as an expression in the given one.
        eps_cm: likewise (the same at all times).
        slope: the factor between the Lipschitz constants (two-sided or one-sided) of the score, up to the time ``a``.
        early_stopping: bound on the distance of p_delta to p_data in this clock.
    """

    name: str
    L_f: Any
    eps_sc: Any
    eps_cm: Any
    slope: Any
    early_stopping: Any


CLOCKS: Mapping[str, Clock] = Deferred(
    {
        "ou": lambda: Clock("ou", L_f, eps_sc, eps_cm, S.One, sqrt(one_minus_c(delta) ** 2 * m2**2 + s(delta) ** 2 * d)),
        "ve": lambda: Clock("ve", L_f * exp(a - delta), eps_sc * exp(a), eps_cm * exp(-delta), exp(2 * a), lam(delta) * sqrt(d)),
    }
)


def choose(what: str, given: str, allowed: Any) -> Any:
    """``allowed[given]`` (or ``given``, if ``allowed`` is a sequence); raises :class:`UnknownNameError`."""
    name = checked_name(what, given, allowed)
    return allowed[name] if isinstance(allowed, Mapping) else name
