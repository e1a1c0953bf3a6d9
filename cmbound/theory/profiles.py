"""Regularity profiles: how large is the sum of the local teacher errors over a stretch of a grid?

A profile answers that one question. Its answer is one expression for each teacher (a :class:`Rule`), written in the
beginning ``a`` and the end ``b`` of a stretch and the largest step ``h`` in it; two profiles consist of two rules,
an early one up to some node and a late one after it. Sums over a grid, weights and the choice of stretches are code
that reads these expressions (:mod:`cmbound.evaluation.sums`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache
from typing import Any

from sympy import Integer, Integral, Max, Min, Rational, S, log, sqrt

from cmbound.arithmetic.codegen import require_computable
from cmbound.arithmetic.integrals import cuts, extract, in_branches
from cmbound.checks import checked_distinct, checked_name, checked_text, checked_tuple
from cmbound.errors import InputError, UnknownNameError
from cmbound.frozen import FrozenDict, Record
from cmbound.theory.expressions import checked_expression
from cmbound.theory.functions import (
    I3,
    B,
    J,
    K,
    P,
    Q,
    U,
    artanh_s,
    beta,
    c,
    c_drop,
    ddim_energy,
    elementary,
    g,
    kap,
    kappa_h,
    lam,
    lam_drop,
    lam_log_gap,
    lam_rise,
    look_back,
    one_minus_ratio,
    plain,
    rearranged,
    s,
    s_rise,
    smoothed_drop,
    v,
    w0,
)
from cmbound.theory.notation import H_2, PUBLIC, TABLE, L_s, R, a, b, d, d_eff, h, m2, n_atoms, nu, q, sd2, t, t_star, tau, y
from cmbound.theory.records import Assumption
from cmbound.theory.variants import TEACHERS
from cmbound.threads import alone

EI = "exponential-integrator"
_IN_RULES = (*PUBLIC, "a", "b", "q", "y", "nu", "H_2")
HALF, QUARTER = Rational(1, 2), Rational(1, 4)


@dataclass(frozen=True, eq=False)
class Rule(Record):
    """One bound on the sum of local teacher errors over the stretch [a, b], before the weights L_f.

    Attributes:
        bound: the bound, an expression in ``a``, ``b``, ``h`` and the profile's parameters.
        stepwise: on a grid, apply it to each step and add up; otherwise to a stretch as a whole, with its largest
            step and weight.
        additive: with equal steps the bound on a stretch is the sum of the bounds on its parts.
        cuttable: where the grid is unknown (closed form in h), it may also be used on a part of the range.
        energy: for bounds in ``q``: q^2 is the sum over the steps of weight^2 times this expression.
        valid_from: earliest ``a`` at which the bound may be used (None: everywhere).
        free: values of a free parameter, each of which gives a valid bound; the smallest is taken.
        breakpoints: times at which the shape of the bound changes.
    """

    bound: Any
    stepwise: bool = True
    additive: bool = False
    cuttable: bool = True
    energy: Any = None
    valid_from: Any = None
    free: Mapping[Any, tuple[Fraction, ...]] = field(default_factory=dict)
    breakpoints: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        checked_expression("the bound of a rule", self.bound, _IN_RULES)
        for name, values in self.free.items():
            if not values or not all(isinstance(x, Fraction | int) for x in values):
                raise InputError(f"the free parameter {name} of a rule needs exact values to choose from, got {values!r}")
            checked_expression("the free parameter of a rule", name, _IN_RULES)
        for what, given in (("energy", self.energy), ("valid_from", self.valid_from)):
            if given is not None:
                checked_expression(f"{what} of a rule", given, _IN_RULES)
        for x in self.breakpoints:
            checked_expression("a breakpoint of a rule", x, _IN_RULES)
        if self.energy is None and self.bound.has(q):
            raise InputError(f"a rule whose bound is written in q needs the energy that q is the root of, got {self.bound}")

    def specialise(self, values: Mapping[Any, Any]) -> Rule:
        """The rule with symbols replaced."""

        def sub(e: Any) -> Any:
            return None if e is None else e.subs(values, simultaneous=True)

        return replace(
            self,
            bound=sub(self.bound),
            energy=sub(self.energy),
            valid_from=sub(self.valid_from),
            breakpoints=tuple(map(sub, self.breakpoints)),
        )


@dataclass(frozen=True, eq=False, repr=False)
class Profile(Record):
    """A regularity profile.

    Attributes:
        name: its name on the command line.
        title: what it assumes, in a few words.
        rules: for each teacher it covers, one rule, or an early and a late one.
        assumptions: what must be true of the data or the scores.
        acceleration: the pointwise bound A(t) on the score acceleration it integrates, if it has one (theory 3.2).
        derivation: the proof in short.
        reference: where it is proved.
        centred: ``sd2`` may replace ``m2``.
        subspace: with the DDIM teacher ``d_eff`` may replace ``d``.
        no_tau: not available when tau > 0 is given (the radius R is then that of U, not of the data).
        own: given by a user: its shape or its values are looked at in every evaluation (:mod:`cmbound.evaluation.own`).
    """

    name: str
    title: str
    rules: Mapping[str, tuple[Rule, ...]]
    assumptions: tuple[Assumption, ...]
    acceleration: Any = None
    derivation: str = ""
    reference: str = ""
    centred: bool = False
    subspace: bool = False
    no_tau: bool = False
    own: bool = False

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
        for teacher, rules in self.rules.items():
            checked_name(f"teacher in {here}", teacher, TEACHERS)
            checked_tuple(f"the rules of {here}", rules, Rule)
            if len(rules) not in (1, 2):
                raise InputError(f"{here} must have one rule for {teacher}, or an early and a late one, got {len(rules)}")
        checked_tuple(f"the assumptions of {here}", self.assumptions, Assumption)
        checked_distinct(f"the assumptions of {here}", (x.id for x in self.assumptions))
        if self.acceleration is not None:
            checked_expression(f"the acceleration of {here}", self.acceleration, PUBLIC)

    def __repr__(self) -> str:
        return f"<Profile {self.name}: {self.title}>"

    def parameters(self, teacher: str) -> frozenset[str]:
        """Names of the parameters the rules for ``teacher`` are written in (not the grid's)."""
        symbols: set[Any] = set()
        for rule in self.rules[teacher]:
            symbols |= rule.bound.free_symbols | (rule.energy.free_symbols if rule.energy is not None else set())
        names = {x.name for x in symbols} - {"a", "b", "h", "q", "y", "delta"}
        if names & {"nu", "H_2"}:
            names = names - {"nu", "H_2"} | {"n_atoms"}
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

        >>> from sympy import exp
        >>> from cmbound.theory.notation import t
        >>> Profile.from_acceleration("mine", 3 * exp(-t))
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
        rule = _pointwise(Integral(elementary(expr), (t, a, b)))
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
        rule = Rule(expr, stepwise=stepwise, cuttable=False)
        return cls(_own(name), title or "stretch bound given by the user", {teacher: (rule,)}, (assumption,), own=True)


def _own(name: str) -> str:
    """The name of a user's profile, which must not be that of another one that is known."""
    if name in NAMES:
        raise InputError(f"a profile of your own cannot be called {name!r}; these names are taken: {', '.join(NAMES)}")
    return name


def _checked(expr: Any, allowed: Collection[str], what: str) -> Any:
    checked_expression(what, expr, allowed)
    bare, integrals = extract((expr,))
    for part in (*bare, *(x.body for x in integrals)):
        require_computable(part)
    return expr


def _pointwise(phi: Any, additive: bool = True, **kwargs: Any) -> Rule:
    """Exponential integrator: a non-increasing A(t) with integral phi gives g(h) phi (theory 3.1)."""
    return Rule(g(h) * phi, additive=additive, **kwargs)


SECOND_MOMENT = Assumption("A1", "the data have a finite second moment $m2$ (Assumption 1)")
LIPSCHITZ = Assumption("A2", "the score $s(., t)$ is $L_s$-Lipschitz for all $t$ in $[t_star, T]$ (Assumption 2)")
BOUNDED = Assumption("support", "the data lie in a ball of radius $R$ (any centre)")
SMOOTHED = Assumption(
    "smoothed", "the data are $U + tau z$ with $z ~ N(0, I)$ independent of $U$ and $U$ in a ball of radius $R$"
)
ATOMS = Assumption("atoms", "the data are the law of $n_atoms$ points (with the given weights) in a ball of radius $R$")

# --- (a), (f): any law ----------------------------------------------------------------------------------------------

UNIVERSAL = Profile(
    name="universal",
    title="any data law, pointwise",
    rules={
        EI: (_pointwise(sqrt(d) * J(a, b) + U(d) * I3(a, b)),),
        "ddim": (Rule(U(d) * lam_log_gap(a, b)),),
    },
    assumptions=(SECOND_MOMENT,),
    acceleration=s(t) ** -3 * (c(t) ** 2 * sqrt(d) + U(d)),
    derivation="ds/dt = c^2 s^-3 zhat - s^-3 E[w (w.z)|y]; Hoelder and Jensen on the posterior moments of z, whose prior is N(0, I).",
    reference="theory 3.2 (a), 3.10",
    subspace=True,
)

UNIVERSAL_INTEGRATED = Profile(
    name="universal-integrated",
    title="any data law, integrated over a stretch (order d instead of d^(3/2))",
    rules={
        EI: (
            Rule(
                g(h) * sqrt(d) * artanh_s(a, b)
                + kappa_h(h)
                * sqrt(I3(a, b))
                * (sqrt(4 * d * I3(a, b) + d / s(a)) + sqrt(beta(d) * I3(a, b) + d * (d + 2) / (12 * s(a)))),
                stepwise=False,
            ),
        ),
        "ddim": (
            Rule(
                q
                * (
                    sqrt(4 * d * lam_rise(a, b) + d * lam(b))
                    + sqrt(d * lam_rise(a, b))
                    + sqrt(beta(d) * lam_rise(a, b) + lam(b) * d * (d + 2) / 12)
                ),
                stepwise=False,
                energy=ddim_energy(a, b),
            ),
        ),
    },
    assumptions=(SECOND_MOMENT,),
    derivation="Ito for norm(v)^4 and for the posterior energy bounds the integrals of E norm(C3 - 2 zhat)^2 and E norm(M zhat)^2; Cauchy-Schwarz per step.",
    reference="theory 3.11 (f)",
    subspace=True,
)

# --- (b): finite second moment --------------------------------------------------------------------------------------

_W = Rational(3, 2)

SECOND_MOMENT_PROFILE = Profile(
    name="second-moment",
    title="finite second moment, bounded in T",
    rules={
        EI: (_pointwise(sqrt(d) * J(a, b) + K(d) * sqrt(m2) * (Rational(2, 3) * lam_drop(a, b, _W) + 2 * lam_drop(a, b, HALF))),),
        "ddim": (Rule(2 * K(d) * sqrt(m2) * lam_rise(a, b, HALF) ** 2 / sqrt(lam(b))),),
    },
    assumptions=(SECOND_MOMENT,),
    acceleration=s(t) ** -3 * (c(t) ** 2 * sqrt(d) + K(d) * sqrt(c(t) * m2 / s(t))),
    derivation="E tr Cov(z|y) is at most the error of the best linear estimate, (c m2/s)^2; Hoelder with the exact moments of norm(z)^2.",
    reference="theory 3.2 (b), 3.10",
    centred=True,
    subspace=True,
)

# --- (c), (d): Lipschitz scores -------------------------------------------------------------------------------------

_LIPSCHITZ_RULE = _pointwise(
    sqrt(d) * ((1 + L_s) * P(L_s, a, b) + sqrt(2) * L_s * kap(L_s) * Q(L_s, t_star, a, b)),
    breakpoints=(-log(1 - 1 / L_s) / 2, t_star + log(1 + w0(L_s)) / 2),
)
_LIPSCHITZ_A = sqrt(d) * (
    (1 + L_s) * Min(sqrt(L_s), 1 / s(t)) + sqrt(2) * L_s * kap(L_s) * Max(1 / sqrt(w0(L_s)), 1 / lam(t - t_star))
)


def _decay_fisher(time: Any) -> Any:
    return c(time) ** 2 * m2**2 + d * c(time) ** 4 / s(time) ** 2


_TAIL = 2 * L_s * (3 * L_s + 1) / (2 * L_s + 1)
_BACK = look_back(L_s)
_DECAY_A = (
    sqrt(8 * d * L_s * (3 * L_s + 1)) * sqrt(_decay_fisher(t - _BACK))
    + sqrt(1 + L_s) / s(t) * (d * (d + 2) * _TAIL * _decay_fisher(t - _BACK)) ** QUARTER
)
_DECAY_RULE = _pointwise(
    sqrt(8 * d * L_s * (3 * L_s + 1)) * (m2 * c_drop(a - _BACK, b - _BACK) + sqrt(d) * s_rise(a - _BACK, b - _BACK))
    + sqrt(1 + L_s)
    / s(a)
    * (d * (d + 2) * _TAIL) ** QUARTER
    * (2 * sqrt(m2) * c_drop(a - _BACK, b - _BACK, HALF) + d**QUARTER / sqrt(s(a - _BACK)) * c_drop(a - _BACK, b - _BACK)),
    additive=False,
    valid_from=t_star + Rational(101, 100) * _BACK,
    breakpoints=(t_star + 2 * _BACK,),
)

LIPSCHITZ_PROFILE = Profile(
    name="lipschitz",
    title="Lipschitz scores (the paper's Assumption 2)",
    rules={EI: (_LIPSCHITZ_RULE,)},
    assumptions=(LIPSCHITZ,),
    acceleration=_LIPSCHITZ_A,
    derivation="E norm(s)^2 = -E tr H; for grad Delta log p look back by w, integrate by parts, Brascamp-Lieb and Bochner on the log-concave posterior.",
    reference="theory 3.2 (c)",
)

LIPSCHITZ_DECAY = Profile(
    name="lipschitz-decay",
    title="Lipschitz scores and second moment: (c), then a bound that decays in t",
    rules={EI: (_LIPSCHITZ_RULE, _DECAY_RULE)},
    assumptions=(SECOND_MOMENT, LIPSCHITZ),
    acceleration=_DECAY_A,
    derivation="The relative score s + x has E norm(s + x)^2 at most the relative Fisher information, which decays; same covariance identities.",
    reference="theory 3.2 (d)",
)

# --- (e): bounded and smoothed data ---------------------------------------------------------------------------------


def _smoothed_phi(tau: Any) -> Any:
    noise = rearranged(1 / sqrt(v(tau, a)) - 1 / sqrt(v(tau, b)), (1 - tau) * (1 + tau) * smoothed_drop(tau, a, b, HALF))
    spread = noise + R**2 / 3 * smoothed_drop(tau, a, b, Rational(3, 2))
    return sqrt(d) * spread + 9 * R**3 / 40 * smoothed_drop(tau, a, b, Integer(2))


def _smoothed_acceleration(tau: Any) -> Any:
    inner = (1 - tau**2) / v(tau, t)
    spread = Max(inner, R**2 / v(tau, t) ** 2 - inner)
    return c(t) ** 2 / sqrt(v(tau, t)) * sqrt(d) * spread + Rational(9, 10) * c(t) ** 3 * R**3 / v(tau, t) ** 3


SMOOTHED_PROFILE = Profile(
    name="smoothed",
    title="bounded variable plus Gaussian noise of width tau, bounded in T",
    rules={EI: (_pointwise(_smoothed_phi(tau)),)},
    assumptions=(SMOOTHED,),
    acceleration=_smoothed_acceleration(tau),
    derivation="Eigenvalues of H lie in [-1/v, c^2 R^2/v^2 - 1/v]; grad Delta log p is a posterior third cumulant of U, at most (9/10) R^3 (c/v)^3.",
    reference="theory 3.2 (e)",
)

BOUNDED_PROFILE = Profile(
    name="bounded",
    title="data in a ball of radius R, bounded in T",
    rules={
        EI: (_pointwise(_smoothed_phi(S.Zero)),),
        "ddim": (
            Rule(
                lam_rise(a, b)
                / 2
                * (sqrt(d) * R**2 / 2 * lam_drop(a, b, Integer(2)) + 3 * R**3 / 10 * lam_drop(a, b, Integer(3)))
            ),
        ),
    },
    assumptions=(BOUNDED,),
    acceleration=_smoothed_acceleration(S.Zero),
    derivation="The smoothed profile at tau = 0; for DDIM b <= d^(1/2) R^2/lam^3 + (9/10) R^3/lam^4.",
    reference="theory 3.2 (e), 3.10",
    no_tau=True,
)

# --- (g): a finite data set -----------------------------------------------------------------------------------------

ATOMS_PROFILE = Profile(
    name="atoms",
    title="finite data set, free of the dimension",
    rules={
        "ddim": (
            Rule(
                q * sqrt(lam(b) * B(nu, H_2, y)),
                stepwise=False,
                energy=ddim_energy(a, b),
                free={y: tuple(Fraction(50 * 3 + i, 50) for i in range(2000))},
            ),
            Rule(one_minus_ratio(a, b) * 4 * R**2 * sqrt(log(sqrt(2) * n_atoms)) * lam_drop(a, b, Integer(1))),
        )
    },
    assumptions=(ATOMS,),
    derivation="Two posterior replicas bound E exp(tr Cov/4); the information I(x_0; y) has a drift that pays for E norm(A)^2; late steps by norm(A) <= (4 R^2/lam^2) log(2^(1/2) n)^(1/2).",
    reference="theory 3.11 (g)",
    no_tau=True,
)

PROFILES: Mapping[str, Profile] = FrozenDict(
    {
        p.name: p
        for p in (
            UNIVERSAL,
            UNIVERSAL_INTEGRATED,
            SECOND_MOMENT_PROFILE,
            LIPSCHITZ_PROFILE,
            LIPSCHITZ_DECAY,
            SMOOTHED_PROFILE,
            BOUNDED_PROFILE,
            ATOMS_PROFILE,
        )
    }
)
"""The eight profiles of theory 3.2 and 3.11, in the order of the table there."""

NAMES: tuple[str, ...] = ("auto", *PROFILES)


def profile(name: str) -> Profile:
    """The built-in profile called ``name``; raises :class:`UnknownNameError` with the nearest name."""
    if not isinstance(name, str) or name not in PROFILES:
        raise UnknownNameError("profile", name, NAMES)
    return PROFILES[name]


def unavailable(p: Profile, teacher: str, given: frozenset[str], tau_positive: bool) -> str | None:
    """Why ``p`` cannot be used with the given parameters, or None."""
    if teacher not in p.rules:
        return f"profile {p.name!r} does not cover the {teacher} teacher (it covers {', '.join(p.rules)})"
    if p.no_tau and tau_positive:
        return f"profile {p.name!r} needs tau = 0: with tau > 0, R is the radius of U, not of the data"
    have = given | {"t_star"}
    if p.centred and "sd2" in have:
        have |= {"m2"}
    missing = sorted(p.parameters(teacher) - have)
    if missing:
        return f"profile {p.name!r} needs {', '.join(missing)}"
    return None


def specialised(p: Profile, teacher: str, given: frozenset[str]) -> tuple[Rule, ...]:
    """The rules of ``p`` for ``teacher``, with ``sd2`` for m2 and ``d_eff`` for d where given and allowed."""
    centred = p.centred and "sd2" in given
    subspace = p.subspace and teacher == "ddim" and "d_eff" in given
    return _specialised(p, teacher, centred, subspace)


@lru_cache(maxsize=256)
@alone
def _specialised(p: Profile, teacher: str, centred: bool, subspace: bool) -> tuple[Rule, ...]:
    values: dict[Any, Any] = {**({m2: sd2} if centred else {}), **({d: d_eff} if subspace else {})}
    return tuple(rule.specialise(values) for rule in p.rules[teacher]) if values else p.rules[teacher]
