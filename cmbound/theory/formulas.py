"""From a statement with place-holders to closed expressions, LaTeX and lists of parameters."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import lru_cache
from typing import Any

import sympy
from sympy import IndexedBase, Sum, log
from sympy.printing.latex import LatexPrinter

from cmbound.errors import InputError, UnknownNameError
from cmbound.frozen import FrozenDict
from cmbound.names import CHOICES
from cmbound.theory.functions import v
from cmbound.theory.named import exchanged, plain
from cmbound.theory.notation import (
    PUBLIC,
    TABLE,
    L_f,
    L_os,
    L_s,
    Parameter,
    T,
    a,
    b,
    delta,
    entropy,
    eps_cm,
    eps_sc,
    eps_sc_a,
    h,
    latex_names,
    n_atoms,
    nu,
)
from cmbound.theory.profiles import profile, specialised
from cmbound.theory.records import Term, Theorem
from cmbound.theory.rules import Profile, Rule, refuse_measured
from cmbound.theory.variants import (
    CLOCKS,
    EI,
    STARTS,
    TARGETS,
    TEACHERS,
    Clock,
    ConsistencySum,
    EarlyStoppingGap,
    LastTime,
    LipschitzAt,
    LocalErrorSum,
    Placeholder,
    ScheduleSum,
    ScoreSum,
    StartGap,
    Teacher,
    choose,
    visible_symbols,
)
from cmbound.threads import alone

ALIASES: Mapping[str, str] = FrozenDict(
    {"sigma_min": "delta", "sigma_max": "T", "sigma": "t", "sigma_hat": "t_hat", "sigmas": "times"}
)
"""Noise levels that may be given instead of times."""

UNKNOWN = r"\;?"
"""LaTeX of a formula that is not known."""

CONSISTENCY_STEP = eps_cm * (b - a)
"""Consistency error of the step from b to a (Assumption 4)."""

OPTIONS = (*CHOICES, "preset", "digits")
"""What may be given beside parameters."""


def checked_options(theorem: Theorem, to: str | None, start: str | None, clock: str | None) -> tuple[str, str, Clock]:
    """The target, start and clock, with defaults; raises InputError where the statement has no such choice."""
    if to is not None and choose("value of to", to, TARGETS) != "p_data" and not theorem.has_target:
        raise InputError(f"{theorem.id} has no target {to!r}: it bounds {theorem.quantity}")
    if start is not None and choose("start", start, tuple(STARTS)) != "standard" and not theorem.uses_start:
        raise InputError(f"{theorem.id} does not depend on start")
    chosen: Clock = choose("clock", "ou" if clock is None else clock, CLOCKS)
    if theorem.ve_factor is None:
        own = theorem.clock if theorem.clock in CLOCKS else "ou"
        if clock not in (None, own):
            raise InputError(f"{theorem.id} is stated in the {theorem.clock} clock only")
        chosen = CLOCKS["ou"]  # nothing is converted
    return to or "p_data", start or "standard", chosen


def choices(theorem: Theorem) -> set[str]:
    """The choices the statement leaves open, by the names of the options that make them."""
    open_ = {
        "profile": theorem.uses_profile,
        "grid": theorem.uses_profile,
        "teacher": theorem.uses_profile,
        "to": theorem.has_target,
        "start": theorem.uses_start,
        "clock": theorem.ve_factor is not None,
    }
    return {name for name in CHOICES if open_[name]}


def put_in(expr: Any, values: Mapping[Any, Any]) -> Any:
    """``expr`` with values in the place of symbols, but for the variable of an integral (``subs`` takes many times as long)."""
    return expr.subs(values, simultaneous=True) if expr.has(sympy.Integral) else exchanged(expr, values)


def put(expr: Any, kind: type[Placeholder], rule: Callable[[Any], Any]) -> Any:
    """``expr`` with ``rule(time)`` in the place of every place-holder of one kind."""
    return exchanged(expr, {x: x.filled(rule(x.args[0])) for x in expr.atoms(kind)})


def require_formula(theorem: Theorem) -> None:
    """Raise InputError if the statement cannot be evaluated."""
    if not theorem.evaluable:
        raise InputError(f"{theorem.id} cannot be evaluated: its formula is not known in full ({theorem.provenance})")


def require_profile(theorem: Theorem, option: str) -> None:
    """Raise InputError if no teacher, profile or grid enters the statement."""
    if not theorem.uses_profile:
        raise InputError(f"{theorem.id} has no {option}: no teacher enters it")


@lru_cache(maxsize=512)
@alone
def outer_terms(theorem: Theorem, target: str, start: str, clock: Clock, terms: tuple[Term, ...]) -> tuple[Term, ...]:
    """The terms with start, early stopping and clock chosen; sums over the grid stay place-holders."""
    result = []
    for term in terms:
        if term.name == "early_stopping" and target == "p_delta" and theorem.has_target:
            continue
        expr = put(term.expression, StartGap, lambda x: exchanged(STARTS[start], {T: x}))
        stopped = expr.has(EarlyStoppingGap)
        expr = put(expr, EarlyStoppingGap, lambda x: clock.early_stopping)
        if clock.name == "ve" and not stopped:
            expr = expr * theorem.ve_factor
        result.append(Term(term.name, expr))
    return tuple(result)


@lru_cache(maxsize=1024)
@alone
def convert(expr: Any, clock: Clock, score_time: Any, lipschitz_time: Any) -> Any:
    """``expr`` with each constant replaced by its OU value, taken at the given times."""
    if clock.name == "ou":
        return expr
    values = {
        L_f: clock.L_f.xreplace({a: lipschitz_time}),
        eps_sc: clock.eps_sc.xreplace({a: score_time}),
        eps_sc_a: clock.eps_sc.xreplace({eps_sc: eps_sc_a, a: lipschitz_time}),
        eps_cm: clock.eps_cm,
        **{x: x * clock.slope.xreplace({a: score_time}) for x in (L_s, L_os)},
    }
    return put_in(expr, values)


def _rules(p: Profile, teacher: Teacher) -> tuple[Rule, ...]:
    if teacher.name not in p.rules:
        raise InputError(f"profile {p.name!r} does not cover the {teacher.name} teacher")
    return p.rules[teacher.name]


def _closed_local(p: Profile, teacher: Teacher, end: Any, instead: frozenset[str]) -> Any:
    """L_f times the first bound of the profile on [delta, end] as one stretch (an evaluation may find a better path).

    What the profile needs stands in for what it implies: the radius bounds the spread of data in a ball. So does what is given
    ``instead``; n_atoms points have equal weights.
    """
    _rules(p, teacher)
    first = specialised(p, teacher.name, p.parameters(teacher.name) | instead)[0]
    equal = {nu: n_atoms, entropy: log(n_atoms)} if "n_atoms" in instead else {}
    return L_f * put_in(first.bound, {a: delta, b: end, **equal})


@alone
def resolve_closed(expr: Any, teacher: Teacher, p: Profile | None, clock: Clock, instead: frozenset[str] = frozenset()) -> Any:
    """Put the closed form in the largest step h in the place of the place-holders; without a profile local errors stay."""

    def whole(step: Any) -> Callable[[Any], Any]:
        return lambda x: convert(put_in(step, {a: delta, b: x}), clock, x, x)

    if not expr.has(Placeholder):
        return expr
    for kind, step in ((LipschitzAt, L_f), (ConsistencySum, CONSISTENCY_STEP), (ScoreSum, teacher.weighted_score)):
        expr = put(expr, kind, whole(step))
    if p is not None:
        expr = put(expr, LocalErrorSum, lambda x: convert(_closed_local(p, teacher, x, instead), clock, x, x))
    return _at_fixed_time(expr)


def _at_fixed_time(expr: Any) -> Any:
    """The closed form of sums over the evaluations, all but the first at t_hat."""
    return exchanged(expr, {x: x.at_fixed_time() for x in expr.atoms(ScheduleSum, LastTime)})


@lru_cache(maxsize=1024)
@alone
def on_a_grid(expr: Any, teacher: Teacher, p: Profile | None, clock: Clock | None = None) -> Any:
    """Put sums over the steps of a grid t_0 < ... < t_N in the place of every place-holder (to read, not to compute).

    A sum up to another time than T ends at the node t_n that is that time.
    """
    chosen: Clock = clock or CLOCKS["ou"]
    time, index = IndexedBase("t", real=True), sympy.Symbol("j", integer=True)

    def total(step: Any, end: Any) -> Any:
        step = plain(convert(step, chosen, b, a)).subs({h: time[index + 1] - time[index]})
        step = put_in(step, {a: time[index], b: time[index + 1]})
        return Sum(step, (index, 0, (TABLE["N"].symbol if end == T else sympy.Symbol("n", integer=True)) - 1))

    def local(x: Any) -> Any:
        rules = () if p is None else _rules(p, teacher)
        return total(L_f * teacher.weight * rules[0].steps, x) if rules and rules[0].is_sum else LocalErrorSum(x)

    expr = put(expr, LipschitzAt, lambda x: convert(L_f, chosen, x, x))
    expr = put(expr, ConsistencySum, lambda x: total(CONSISTENCY_STEP, x))
    expr = put(expr, ScoreSum, lambda x: total(teacher.weighted_score, x))
    return put(expr, LocalErrorSum, local)


@alone
def closed_terms(
    theorem: Theorem,
    profile: str | Profile | None = None,
    teacher: str = "exponential-integrator",
    to: str | None = None,
    start: str | None = None,
    clock: str | None = None,
    *,
    instead: Collection[str] = (),
) -> tuple[Term, ...]:
    """See :meth:`cmbound.evaluation.statement.Statement.formula`; ``instead``: see :func:`computable_terms`."""
    found = computable_terms(theorem, profile, teacher, to, start, clock, frozenset(instead))
    return tuple(Term(x.name, plain(x.expression)) for x in found)


@lru_cache(maxsize=512)
@alone
def computable_terms(
    theorem: Theorem,
    profile: str | Profile | None,
    teacher: str,
    to: str | None,
    start: str | None,
    clock: str | None,
    instead: frozenset[str] = frozenset(),
) -> tuple[Term, ...]:
    """As :func:`closed_terms`, with the forms float64 needs still inside.

    ``instead`` names parameters that the profile does not need and that are given: they stand in for what they bound better
    (:func:`cmbound.theory.profiles.specialisation`), as in an evaluation.
    """
    target, begin, chosen = checked_options(theorem, to, start, clock)
    if profile not in (None, "auto") or teacher != "exponential-integrator":
        require_profile(theorem, "profile or teacher")
    who: Teacher = choose("teacher", teacher, TEACHERS)
    which = one_profile(profile)
    terms = outer_terms(theorem, target, begin, chosen, theorem.bare_sources)
    if who.needs_grid and theorem.uses_profile:
        return tuple(Term(x.name, on_a_grid(x.expression, who, which, chosen)) for x in terms)
    return tuple(Term(x.name, resolve_closed(x.expression, who, which, chosen, instead)) for x in terms)


def one_profile(given: str | Profile | None) -> Profile | None:
    """The profile asked for; None where all may be used."""
    refuse_measured(given, "a closed form")
    if isinstance(given, Profile):
        return given
    return None if given in (None, "auto") else profile(str(given))


# --- parameters -----------------------------------------------------------------------------------------------------

_PROFILE_PARAMETERS = (
    "d",
    "m2",
    "L_s",
    "L_os",
    "t_star",
    "R",
    "diameter",
    "tau",
    "sd2",
    "cov_eigs",
    "n_atoms",
    "weights",
    "d_eff",
    "M",
)


@lru_cache(maxsize=128)
@alone
def required(theorem: Theorem) -> tuple[str, ...]:
    """Names of the parameters that must be given, in the order of the table."""
    ei, ou = TEACHERS["exponential-integrator"], CLOCKS["ou"]
    symbols: set[str] = set()
    for term in outer_terms(theorem, "p_data", "standard", ou, theorem.bare_sources):
        symbols |= {x.name for x in visible_symbols(resolve_closed(term.expression, ei, None, ou))}
    if theorem.uses_profile:
        symbols |= {"d", "h"}
    return tuple(name for name in PUBLIC if name in symbols - {"tau"})


@lru_cache(maxsize=128)
@alone
def optional(theorem: Theorem) -> tuple[str, ...]:
    """Names of the parameters that may be given besides, in the order of the table."""
    needed = set(required(theorem))
    names: set[str] = {alias for alias, name in ALIASES.items() if name in needed}
    if any(TABLE["tau"].symbol in visible_symbols(term.expression) for term in theorem.bare_sources):
        names.add("tau")
    if theorem.uses_profile:
        names |= {*_PROFILE_PARAMETERS, "N", "rho", "delta", "T", "sigma_min", "sigma_max"}
    if "t" in needed:
        names |= {"T", "sigma_max"}
    if theorem.uses_schedule:
        names |= {"times", "sigmas"}
    return tuple(name for name in PUBLIC if name in names - needed)


def required_rows(theorem: Theorem) -> tuple[Parameter, ...]:
    """Rows of the table of symbols: the parameters that must be given."""
    return tuple(TABLE[name] for name in required(theorem) if name not in theorem.free)


def optional_rows(theorem: Theorem) -> tuple[Parameter, ...]:
    """Rows of the table of symbols: those that may be given besides (profiles, grids, noise levels, free parameters)."""
    return tuple(TABLE[name] for name in (*theorem.free, *optional(theorem)))


@lru_cache(maxsize=128)
def accepted(theorem: Theorem) -> frozenset[str]:
    """Names of the parameters of the statement."""
    return frozenset((*required(theorem), *optional(theorem)))


def accepts(theorem: Theorem, name: str) -> bool:
    """Whether ``name`` is a parameter of the statement."""
    return name in accepted(theorem)


# --- LaTeX -----------------------------------------------------------------------------------------


class _Latex(LatexPrinter):
    """Sums begin with a positive term: T - delta, not -delta + T."""

    def _as_ordered_terms(self, expr: Any, order: Any = None) -> list[Any]:
        return sorted(super()._as_ordered_terms(expr, order), key=lambda x: bool(x.could_extract_minus_sign()))


@alone
def latex(expr: Any) -> str:
    """LaTeX of an expression in the notation of the table of symbols."""
    signs = {x: latex_names()[x] for x in expr.free_symbols if x in latex_names()}
    return _latex(expr, tuple(signs.items()))


@lru_cache(maxsize=4096)
def _latex(expr: Any, signs: tuple[tuple[Any, str], ...]) -> str:
    """The same with these signs: a symbol of a user's own may be told to be written otherwise later."""
    shown, names = without_width(_powers_joined(plain(expr)))
    return str(_Latex({"symbol_names": {**dict(signs), **names}}).doprint(shown))


def _powers_joined(expr: Any) -> Any:
    """To print: the powers of e in a product as one, those of no step before its sum, and what cancels in a sum inside of it."""

    def joined(e: Any) -> Any:
        if isinstance(e, Sum):
            inside, before = _exponents(e.function)
            outer = [x for x in before if not x.has(sympy.Indexed, *e.variables)]
            inner = sympy.exp(sympy.Add(*(x for x in before if x not in outer)))
            return sympy.exp(sympy.Add(*outer)) * e.func(inside * inner, *e.limits)
        others, exponents = _exponents(sympy.powsimp(e, combine="exp"))
        factors = sympy.Mul.make_args(others)
        for total in (x for x in factors if isinstance(x, sympy.Add)):
            parts = [_exponents(x) for x in total.args]
            sums = [sympy.Add(*exponents, *own) for _, own in parts]
            if exponents and all(own and _size(x) <= len(own) for x, (_, own) in zip(sums, parts, strict=True)):
                rest = sympy.Mul(*(x for x in factors if x is not total))
                return sympy.Add(*(rest * part * sympy.exp(x) for x, (part, _) in zip(sums, parts, strict=True)))
        return others * sympy.exp(sympy.Add(*exponents))

    return expr.replace(lambda e: isinstance(e, Sum) or (isinstance(e, sympy.Mul) and e.has(sympy.exp)), joined)


def _exponents(product: Any) -> tuple[Any, list[Any]]:
    """A product without its powers of e, and the summands of their exponents."""
    factors = sympy.Mul.make_args(product)
    powers = [x for x in factors if isinstance(x, sympy.exp)]
    return sympy.Mul(*(x for x in factors if x not in powers)), [y for x in powers for y in sympy.Add.make_args(x.exp)]


def _size(exponent: Any) -> int:
    return len(sympy.Add.make_args(exponent)) if exponent else 0


def without_width(expr: Any) -> tuple[Any, dict[Any, str]]:
    """To print: v at tau = 0 is s^2 (v alone means tau^2 c^2 + s^2). The expression, and the LaTeX of what stands for s in it."""
    roots = {x: sympy.Dummy(f"s{i}", positive=True) for i, x in enumerate(sorted(_widthless(expr), key=str))}
    names = {root: f"s_{{{latex(x.args[1])}}}" for x, root in roots.items()}
    return expr.xreplace({x: root**2 for x, root in roots.items()}), names


def _widthless(expr: Any) -> set[Any]:
    return {x for x in expr.atoms(v) if x.args[0] == 0}


@alone
def rule_parts(rule: Rule, teacher: str) -> list[tuple[str, str]]:
    """The summands of a rule as text and as LaTeX: closed in h for the exponential integrator, else as sums over the steps."""
    if teacher == EI or rule.is_sum:
        shown = sympy.Add.make_args(rule.bound) if rule.roots else (rule.bound,)
        return [(str(plain(x)), latex(x)) for x in shown]
    found = []
    if rule.steps != 0:
        found.append((f"sum_j W_j ({plain(rule.steps)})", rf"\sum_j W_j \left({latex(rule.steps)}\right)"))
    for x in rule.roots:
        text = f"(sum_j W_j^2 ({plain(x.energy)}))^(1/2) ({plain(x.factor)})"
        found.append((text, rf"\left(\sum_j W_j^2 {_bracketed_sum(x.energy)}\right)^{{1/2}} {_bracketed_sum(x.factor)}"))
    return found


def _bracketed_sum(expr: Any) -> str:
    text = latex(expr)
    return rf"\left({text}\right)" if isinstance(plain(expr), sympy.Add) else text


def statement_parts(theorem: Theorem, **options: Any) -> tuple[str, list[str]]:
    """LaTeX of a statement: ``quantity \\leq`` and the terms that follow."""
    left, terms = named_parts(theorem, **options)
    return left, list(terms.values()) if theorem.evaluable else [UNKNOWN]


@alone
def named_parts(theorem: Theorem, terms: tuple[Term, ...] | None = None, **options: Any) -> tuple[str, dict[str, str]]:
    """As :func:`statement_parts`, the terms by name, those that vanish left out (default: the closed forms)."""
    relation = r"\lesssim" if theorem.kind == "order" else r"\leq"
    target = r"p_{\mathrm{data}}" if options.get("to", "p_data") == "p_data" else r"p_\delta"
    terms = closed_terms(theorem, **options) if terms is None else terms
    if theorem.kind == "order":
        terms = tuple(Term(x.name, x.expression.xreplace({TABLE["C"].symbol: sympy.S.One})) for x in terms)
    shown = {x.name: _bracketed(latex(x.expression)) for x in terms if x.expression != 0}
    return f"{theorem.quantity_latex.replace('@', target)} {relation}", shown


@alone
def latex_statement(theorem: Theorem, **options: Any) -> str:
    """See :meth:`cmbound.evaluation.statement.Statement.latex`."""
    left, terms = statement_parts(theorem, **options)
    return f"{left} {' + '.join(terms)}"


def _bracketed(text: str) -> str:
    return rf"\left({text}\right)" if text.startswith("-") else text


def unknown_parameter(theorem: Theorem, name: str) -> Exception:
    """The error for a parameter the statement does not have."""
    names = [*required(theorem), *optional(theorem)]
    if name in PUBLIC:
        return InputError(f"{theorem.id} has no parameter {name!r}; it takes {', '.join(names) or 'none'}")
    return unknown_name(name, names)


def unknown_name(name: str, known: Iterable[str]) -> Exception:
    """The error for what is the name of no parameter; data are read by other means than a parameter."""
    if name in ("data", "world", "law"):
        how = "cmbound.Atoms(points).constants(delta, T) has those of a data set, and --data FILE fills them in"
        return InputError(f"{name} is no parameter: give the constants of the law ({how})")
    return UnknownNameError("parameter", name, known)
