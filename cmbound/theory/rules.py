"""What a regularity profile is made of.

A profile answers one question: how large is the weighted sum of the local teacher errors over a stretch of a grid? Its answer
is one or several rules for each teacher (:class:`Rule`), written in the beginning ``a`` and the end ``b`` of a stretch or of a
step and its size ``h``; an evaluation cuts the range into stretches and takes the best rule on each. Sums over a grid, weights
and the choice of stretches are code that reads these expressions (:mod:`cmbound.evaluation.sums`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from types import FunctionType
from typing import Any

from sympy import Add, Integral, S

from cmbound import names
from cmbound.checks import checked_distinct, checked_flag, checked_kind, checked_name, checked_text, checked_tuple
from cmbound.errors import InputError
from cmbound.frozen import Deferred, Record
from cmbound.theory.computable import require_computable
from cmbound.theory.expressions import checked_expression
from cmbound.theory.functions import g
from cmbound.theory.integrals import cuts, extract, in_branches
from cmbound.theory.named import elementary, plain, sqrt
from cmbound.theory.notation import PUBLIC, TABLE, L_f, a, b, h, t
from cmbound.theory.records import Assumption
from cmbound.theory.variants import EI, TEACHERS
from cmbound.threads import LOCK

_IN_RULES = (*PUBLIC, "a", "b", "y", "nu", "entropy", "ell")


@dataclass(frozen=True, eq=False)
class Root(Record):
    """The root of a sum of squares times a factor: (sum_j W_j^2 energy_j)^{1/2} factor (theory 3.12, Cauchy-Schwarz).

    Attributes:
        energy: of one step from ``a`` to ``b`` of size ``h``; for equal steps its sum over a stretch is the same expression.
        factor: for a stretch from ``a`` to ``b``.
    """

    energy: Any
    factor: Any


@dataclass(frozen=True, eq=False)
class Free(Record):
    """A parameter that a rule leaves free: every value gives a valid bound.

    Attributes:
        symbol: the parameter.
        slope: an expression with the sign of the derivative of the bound in it, negative below the best value.
        low, high: the ends of the interval it is looked for in.
    """

    symbol: Any
    slope: Any
    low: Fraction
    high: Fraction

    def __post_init__(self) -> None:
        super().__post_init__()
        checked_expression("the slope of a rule in its free parameter", self.slope, _IN_RULES)
        ends = self.low, self.high
        if not (all(isinstance(x, Fraction) for x in ends) and self.low < self.high):
            raise InputError(f"a free parameter is looked for between two fractions, the smaller first, got {ends}")


@dataclass(frozen=True, eq=False)
class Rule(Record):
    """One bound on the sum of W_j times the local error of step j over a stretch [a, b] that begins and ends at nodes.

    It is the sum of three parts, each of which may be missing.

    Attributes:
        steps: a bound on the local error of a step from ``a`` to ``b`` of size ``h``: added up with the weights.
        roots: see :class:`Root`.
        whole: a bound for the stretch as a whole, with its largest step ``h``: taken with the largest weight.
        additive: with equal steps ``steps`` of a stretch is the sum of that of its parts, and there are no other parts.
        cuttable: where the grid is unknown (closed form in h), it may also be used on a part of the range.
        free: a parameter to be chosen for each stretch.
        breakpoints: times at which the shape of the bound changes.
    """

    steps: Any = S.Zero
    roots: tuple[Root, ...] = ()
    whole: Any = S.Zero
    additive: bool = False
    cuttable: bool = True
    free: Free | None = None
    breakpoints: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        for expr in self.expressions:
            checked_expression("the bound of a rule", expr, _IN_RULES)
        for x in self.breakpoints:
            checked_expression("a breakpoint of a rule", x, _IN_RULES)

    @property
    def parts(self) -> dict[str, Any]:
        """The expressions the bound is made of, by name, those that are missing left out."""
        found = {"steps": self.steps, "whole": self.whole}
        for i, root in enumerate(self.roots, 1):
            found |= {f"energy {i}": root.energy, f"factor {i}": root.factor}
        return {name: x for name, x in found.items() if x != 0}

    @property
    def expressions(self) -> tuple[Any, ...]:
        """The expressions the bound is made of."""
        return tuple(self.parts.values())

    def with_part(self, name: str, expr: Any) -> Rule:
        """The rule with another expression in the place of one of its :attr:`parts`."""
        kind, _, place = name.partition(" ")
        if not place:
            return replace(self, **{kind: expr})
        roots = tuple(replace(x, **{kind: expr}) if i == int(place) else x for i, x in enumerate(self.roots, 1))
        return replace(self, roots=roots)

    @cached_property
    def bound(self) -> Any:
        """The bound where all steps have the size ``h`` and the weight 1."""
        return self.steps + self.whole + Add(*(sqrt(x.energy) * x.factor for x in self.roots))

    @cached_property
    def weighted_bound(self) -> Any:
        """:attr:`bound` with the weight L_f."""
        return L_f * self.bound

    @property
    def is_sum(self) -> bool:
        """Whether it is a sum over the steps and nothing else."""
        return not self.roots and self.whole == 0

    def specialise(self, rule: Callable[[Any], Any]) -> Rule:
        """The rule with another expression in the place of each."""
        free = self.free and replace(self.free, slope=rule(self.free.slope))
        return replace(
            self,
            steps=rule(self.steps),
            roots=tuple(Root(rule(x.energy), rule(x.factor)) for x in self.roots),
            whole=rule(self.whole),
            free=free,
            breakpoints=tuple(map(rule, self.breakpoints)),
        )


class Measured(ABC):
    """Local errors of the steps of any grid, measured on samples (theory 5.5): the numbers behind the symbol ``ell`` in rules.

    Attributes:
        trust: ``asymptotic`` or ``guaranteed`` (sampled, bounded), never ``certified``.
    """

    trust: str

    @property
    @abstractmethod
    def constants(self) -> Mapping[str, float]:
        """d, m2 and sd2 of the data: a statement about them takes this d, and no smaller m2 and sd2."""

    @abstractmethod
    def for_every_number(self) -> Measured:
        """The same, holding jointly for every number of steps: of those one may be chosen by what was measured."""

    @abstractmethod
    def errors(self, teacher: str, levels: tuple[float, ...]) -> tuple[Fraction, ...]:
        """Upper ends for every step between increasing noise levels (N + 1,), (N,), units of the noise level; hold jointly."""

    @abstractmethod
    def described(self) -> Mapping[str, Any]:
        """What they rest on, JSON-ready: ``trust``, ``confidence`` and how they were sampled."""


Later = tuple[str, Callable[[], tuple[Rule, ...]]]
"""The names of the parameters in some rules, and a function that makes these rules."""


class Rules(Deferred[str, tuple[Rule, ...]]):
    """The rules of a profile of the package, by teacher: built when they are asked for, their parameters known before."""

    __slots__ = ("parameters",)

    def __init__(self, rules: Mapping[str, Later], /) -> None:
        super().__init__({teacher: make for teacher, (_, make) in rules.items()})
        self.parameters = {teacher: frozenset(names.split()) for teacher, (names, _) in rules.items()}


class _WhenAsked:
    """The acceleration of a profile that was given a function which makes it: the field is empty until it is asked for."""

    def __get__(self, profile: Profile | None, kind: type[Profile]) -> Any:
        if profile is None:
            return None  # the default
        with LOCK:
            made = profile.__dict__["_accelerate"]()
        return profile.__dict__.setdefault("acceleration", made)


@dataclass(frozen=True, eq=False, repr=False)
class Profile(Record):
    """A regularity profile.

    Attributes:
        name: its name on the command line.
        title: what it assumes, in a few words.
        rules: for each teacher it covers, the rules to choose from on each stretch; the first is shown as the closed form.
        assumptions: what must be true of the data or the scores.
        acceleration: the pointwise bound A(t) on the score acceleration it integrates, if it has one (theory 3.2); or a function
            without arguments that makes it when it is first asked for.
        derivation: the proof in short.
        reference: where it is proved.
        centred: ``sd2`` may replace ``m2``, and so may the radius where there is one.
        subspace: with the teachers in the noise level (DDIM, Heun) ``d_eff`` may replace ``d``.
        halved: half the ``diameter`` of the support may replace the radius ``R``.
        no_tau: not available when tau > 0 is given (the radius R is then that of U, not of the data).
        own: given by a user: its shape or its values are looked at in every evaluation (:mod:`cmbound.evaluation.own`).
        measured: where it rests on samples, what measures the local errors of a grid; then no bound on it is certified.

    >>> import cmbound
    >>> from cmbound.theory.notation import t
    >>> from sympy import exp
    >>> mine = cmbound.Profile.from_acceleration("mine", 3 * exp(-t))
    >>> round(float(cmbound.theorem("explicit-one-step").evaluate(preset="gaussian-2d", profile=mine)), 4)
    0.0368
    """

    name: str
    title: str
    rules: Mapping[str, tuple[Rule, ...]]
    assumptions: tuple[Assumption, ...]
    acceleration: Any = _WhenAsked()
    derivation: str = ""
    reference: str = ""
    centred: bool = False
    subspace: bool = False
    halved: bool = False
    no_tau: bool = False
    own: bool = False
    measured: Measured | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        here = f"profile {checked_text('the name of a profile', self.name)!r}"
        if self.name == "auto":
            raise InputError("a profile cannot be called 'auto', which stands for the best of several")
        checked_text(f"the title of {here}", self.title)
        if not isinstance(self.rules, Mapping) or not self.rules:
            raise InputError(
                f"the rules of {here} must be given for one teacher at least ({', '.join(TEACHERS)}), got {self.rules!r}"
            )
        for teacher in self.rules:
            checked_name(f"teacher in {here}", teacher, TEACHERS)
            if not isinstance(self.rules, Rules):  # which belong to the package
                checked_tuple(f"the rules of {here}", self.rules[teacher], Rule)
                if not self.rules[teacher]:
                    raise InputError(f"the rules of {here} for the {teacher} teacher must be one at least")
        checked_tuple(f"the assumptions of {here}", self.assumptions, Assumption)
        checked_distinct(f"the assumptions of {here}", (x.id for x in self.assumptions))
        for name in ("derivation", "reference"):
            checked_kind(f"{name} of {here}", getattr(self, name), str)
        for name in ("centred", "subspace", "halved", "no_tau", "own"):
            checked_flag(f"{name} of {here}", getattr(self, name))
        if self.measured is not None:
            checked_kind(f"measured of {here}", self.measured, Measured)
        if isinstance(self.acceleration, FunctionType):
            self.__dict__["_accelerate"] = self.__dict__.pop("acceleration")
        elif self.acceleration is not None:
            checked_expression(f"the acceleration of {here}", self.acceleration, PUBLIC)

    def __hash__(self) -> int:
        return hash((type(self), self.name, self.title))  # caches ask for it: no rule is built for that

    def __repr__(self) -> str:
        return f"<Profile {self.name}: {self.title}>"

    def parameters(self, teacher: str) -> frozenset[str]:
        """Names of the parameters the rules for ``teacher`` are written in (not the grid's)."""
        if isinstance(self.rules, Rules):
            return self.rules.parameters[teacher]
        symbols = {x.name for rule in self.rules[teacher] for expr in rule.expressions for x in expr.free_symbols}
        names = symbols - {"a", "b", "h", "y", "delta", "ell"}
        if names & {"nu", "entropy"}:
            names = names - {"nu", "entropy"} | {"n_atoms"}
        return frozenset(names)

    @classmethod
    def from_acceleration(cls, name: str, acceleration: Any, title: str = "", teacher: str = EI) -> Profile:
        """A profile of your own from a pointwise bound A(t) on the score acceleration.

        Args:
            name: a name for tables.
            acceleration: a SymPy expression in ``cmbound.theory.notation.t`` (and in parameters of the data from the table of
                symbols), bounding norm(d/dt s(x_t, t))_{L2} along the PF-ODE (OU clock). It must be finite, non-negative and
                non-increasing on [delta, T], which is where its integral is taken (rigorous quadrature in the certified
                tier). Each evaluation looks at that in ball arithmetic: what is proved is listed as ``checked``, what is
                open as ``assumed``. Functions that can be computed: exp, log, sqrt, powers,
                atan, sin, cos, sinh, cosh, tanh, erf, Abs, sign, Max, Min, Heaviside and Piecewise.
            title: what it assumes.
            teacher: only the exponential integrator has a pointwise form.

        Raises:
            InputError: ``acceleration`` is not an expression in t and parameters of the data, contains floats or a function
                that cannot be computed, or a Piecewise whose conditions do not compare t with something free of t.

        An evaluation raises DomainError where the acceleration increases, is negative or is not real, and UndecidedError where
        it is not finite or its integral has no enclosure within the limit of work (an integrable singularity at delta is not
        supported).

        >>> import cmbound
        >>> from sympy import exp
        >>> from cmbound.theory.notation import t
        >>> cmbound.Profile.from_acceleration("mine", 3 * exp(-t))
        <Profile mine: pointwise bound given by the user>
        """
        expr = in_branches(_checked(acceleration, PUBLIC, "acceleration"))
        for symbol in sorted(expr.free_symbols - {t}, key=lambda x: x.name):
            if symbol == h or TABLE[symbol.name].per_step:
                raise InputError(
                    f"acceleration contains {symbol.name!r}: it is a property of the data, not of the model or the grid"
                )
        cuts(expr, t)
        assumption = Assumption(f"profile:{name}", f"the score acceleration is at most {plain(expr)}")
        rule = pointwise(Integral(elementary(expr), (t, a, b)))
        words = title or "pointwise bound given by the user"
        return cls(_own(name), words, {teacher: (rule,)}, (assumption,), elementary(expr), own=True)

    @classmethod
    def from_stretch(
        cls, name: str, bound: Callable[[Any, Any, Any], Any], title: str = "", teacher: str = EI, stepwise: bool = True
    ) -> Profile:
        """A profile of your own from a bound on the sum of local teacher errors.

        Args:
            name: a name for tables.
            bound: called once with the symbols ``(a, b, h)``, returns a SymPy expression bounding the sum of the
                local errors of all steps in [a, b], none larger than h (OU clock). Functions as for
                :meth:`from_acceleration`; integrals of one variable between two finite limits too (none inside another).
            title: what it assumes.
            teacher: the teacher whose error it bounds.
            stepwise: on a grid, add it up over the steps (True) or apply it once to a whole stretch (False). Without
                a grid it is used on the whole range or not at all: where the steps begin is not known there.

        Raises:
            InputError: the result is not an expression in a, b, h and known parameters, or contains floats or a function
                that cannot be computed.

        An evaluation raises DomainError where a value it uses is negative or not real, UndecidedError where one is not finite.
        """
        expr = _checked(bound(a, b, h), (*PUBLIC, "a", "b"), "stretch bound")
        assumption = Assumption(f"profile:{name}", f"the local teacher errors on [a, b] add up to at most {plain(expr)}")
        rule = Rule(steps=expr, cuttable=False) if stepwise else Rule(whole=expr, cuttable=False)
        return cls(_own(name), title or "stretch bound given by the user", {teacher: (rule,)}, (assumption,), own=True)


def refuse_measured(profiles: Any, what: str) -> None:
    """Raise InputError where a profile rests on samples and ``what`` would not say what its numbers are worth."""
    for x in profiles if isinstance(profiles, list | tuple) else (profiles,):
        if isinstance(x, Profile) and x.measured is not None:
            raise InputError(f"profile {x.name!r} rests on samples, and {what} has no levels of trust: use evaluate, on one grid")


Entry = tuple[Profile, tuple[Rule, ...]]
"""A profile with its rules for the teacher at hand."""


def _own(name: str) -> str:
    """The name of a user's profile, which must not be that of another one that is known."""
    taken = ("auto", names.MEASURED, *names.PROFILES)
    if name in taken:
        raise InputError(f"a profile of your own cannot be called {name!r}; these names are taken: {', '.join(taken)}")
    return name


def _checked(expr: Any, allowed: Collection[str], what: str) -> Any:
    checked_expression(what, expr, allowed)
    bare, integrals = extract((expr,))
    for part in (*bare, *(x.body for x in integrals)):
        require_computable(part)
    return expr


def pointwise(phi: Any, breakpoints: tuple[Any, ...] = ()) -> Rule:
    """Exponential integrator: a non-increasing A(t) with integral phi gives g(h) phi (theory 3.1)."""
    return Rule(steps=g(h) * phi, additive=True, breakpoints=breakpoints)
