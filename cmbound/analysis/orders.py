"""The leading order of a statement and of its terms in each parameter, decided symbolically and verified in balls."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any

import sympy
from sympy import Add, Integral, Max, Min, S

from cmbound.analysis.expressions import OrderUndecidedError, Point, Sample, ball, unfolded
from cmbound.analysis.records import Order, Orders
from cmbound.analysis.series import leading
from cmbound.arithmetic.exact import rational_near, time_from_sigma
from cmbound.errors import DomainError, InputError
from cmbound.evaluation.given import exact_scalars
from cmbound.evaluation.paths import combinable
from cmbound.evaluation.statement import theorem as find
from cmbound.frozen import FrozenDict, later
from cmbound.theory.formulas import ALIASES, closed_terms, convert, one_profile, put_in, require_formula
from cmbound.theory.functions import geometric_sum
from cmbound.theory.named import plain
from cmbound.theory.notation import TABLE, L_f, a, b, delta, entropy, n_atoms, nu, own
from cmbound.theory.profiles import specialised
from cmbound.theory.records import Theorem
from cmbound.theory.variants import CLOCKS, EI, Clock, LocalErrorSum
from cmbound.threads import alone

DEFAULT_PROFILE = "universal-integrated"  # any data law, the lowest order in d

_SMALL = ("eps_sc", "eps_cm", "eps", "h", "delta", "tau", "u", "tau_c", "eta", "eps_w", "eps_v", "eps_loss", "eps_est", "eps_F")
_LARGE = ("L_s", "L_f", "d", "m2", "sd2", "T", "N", "t", "k", "t_hat", "R", "n_atoms", "L_phi", "gamma", "W_prev", "KL", "FI")
LIMITS: Mapping[str, str] = FrozenDict(
    dict.fromkeys((*_SMALL, "gam_v", "eps_ci", "kappa", "hbar", "dtau"), "0")
    | dict.fromkeys((*_LARGE, "L_os", "L_v", "L_map"), "oo")
)
"""Where each parameter goes."""


def limit_of(parameter: str) -> str:
    """Where a parameter goes (empty: nowhere of interest); one of a user's own that is not bounded goes to infinity."""
    free = own(parameter) and TABLE[parameter].domain.high is None
    return LIMITS.get(parameter, "oo" if free else "")


_OPTIONS = ("profile", "to", "start", "clock")
_SCALES = {True: (200, 2000), False: (10**20, 10**80)}
_SLOW = {True: Fraction(1, 5), False: Fraction(3, 5)}
_BITS = (1000, 13000)  # what cancels at the farthest sample points needs the second

_SAMPLES: tuple[dict[str, str], ...] = (
    {"d": "5", "m2": "6/5", "R": "7/5", "L_s": "7/2", "L_f": "3/2", "eps": "1/10", "k": "37", "tau": "1/3", "n_atoms": "7"},
    {"d": "300", "m2": "3", "R": "40", "L_s": "90", "L_f": "2", "eps": "1/50", "k": "4", "tau": "1/9", "n_atoms": "900"},
    {"d": "2", "m2": "31", "R": "1/3", "L_s": "8/7", "L_f": "9/8", "eps": "1/3", "k": "6", "tau": "4/5", "n_atoms": "2"},
)
_DEPENDENT = {"T", "t", "delta", "t_hat", "sd2"}
_EQUAL_WEIGHTS = {entropy: sympy.log(n_atoms), nu: n_atoms}
"""A finite data set of which only the number of points is given: no weights have more entropy."""
_ANY = Fraction(3, 5)  # a number with no meaning of its own: not 0, 1/2 or 1
_USUAL = {"eps_sc": "1/500", "eps_cm": "1/300", "h": "1/90", "N": "400", "eta": "1/70", "C": "9/7"}
_USUAL |= {"W_prev": "3/7", "d_eff": "1", "sigma_high": "2"}


def sample(given: Mapping[str, Fraction]) -> Sample:
    """Points of the domain at which signs are decided: three, or one around the numbers given."""
    return _sample(FrozenDict(given), len(TABLE))


@lru_cache(maxsize=64)
def _sample(given: FrozenDict[str, Fraction], known: int) -> Sample:
    """As :func:`sample`, while the table of symbols has so many of them."""
    return Sample(_point(x, given) for x in (_SAMPLES[:1] if given else _SAMPLES))


def _point(base: Mapping[str, str], given: Mapping[str, Fraction]) -> Point:
    point = dict.fromkeys(TABLE.keys() - _DEPENDENT, _ANY)
    point |= {name: Fraction(x) for name, x in {**_USUAL, **base}.items()} | dict(given)
    end = point.get("T", point.get("t"))
    delta = point.setdefault("delta", Fraction(1, 200) if end is None else end / 1000)
    end = point.setdefault("T", max(Fraction(5), 100 * delta) if end is None else end)
    point.setdefault("t", end)
    point.setdefault("t_hat", delta + (end - delta) * Fraction(2, 5))
    point.setdefault("sd2", point["m2"] / 2)
    return {**point, "t_star": given.get("t_star", Fraction(0))}


@lru_cache(maxsize=256)
def positive(expr: Any) -> Any:
    """``expr`` with every symbol positive: orders are those of generic parameters."""
    new = {x: sympy.Symbol(x.name, positive=True, integer=True if x.is_integer else None) for x in expr.free_symbols}
    return expr.xreplace(new)


def own_symbols(expr: Any) -> Any:
    """The reverse: the symbols of the table of symbols."""
    return _renamed(expr, {x: TABLE[x.name].symbol for x in expr.free_symbols if x.name in TABLE})


def _renamed(expr: Any, names: Mapping[Any, Any]) -> Any:
    """With other symbols, of which less is known: what Max and Min have not decided before they need not compare again."""
    if not expr.args:
        return names.get(expr, expr)
    args = [_renamed(x, names) for x in expr.args]
    if all(x is y for x, y in zip(args, expr.args, strict=True)):
        return expr
    return expr.func(*args, evaluate=False) if isinstance(expr, Max | Min) else expr.func(*args)


def order(expr: Any, parameter: str, given: Mapping[str, Fraction] | None = None) -> Order:
    """The leading order of an expression as ``parameter`` goes to its limit.

    Args:
        expr: an exact expression in the table of symbols.
        parameter: name of the parameter; :data:`LIMITS` says where it goes.
        given: values of others at which signs are decided where they depend on the regime.

    Raises:
        InputError: a parameter without a limit.
    """
    if not limit_of(parameter):
        raise InputError(f"no order in {parameter}: it goes to no limit of interest")
    return _order(expr, parameter, FrozenDict(given or {}), len(TABLE))


@lru_cache(maxsize=2048)
def _order(expr: Any, parameter: str, given: FrozenDict[str, Fraction], known: int) -> Order:
    """As :func:`order`, while the table of symbols has so many of them; the statements and the profiles have terms in common."""
    limit, points = limit_of(parameter), _sample(given, known)
    symbol = sympy.Symbol(parameter, positive=True, integer=True if TABLE[parameter].symbol.is_integer else None)
    inner = positive(expr)
    x = symbol if limit == "oo" and not symbol.is_integer else sympy.Symbol("X", positive=True)
    if not inner.has(symbol):
        return Order(parameter, limit, "power" if inner != 0 else "zero", leading=expr)
    integrals = {y: sympy.Symbol(f"integral{i}", positive=True) for i, y in enumerate(sorted(inner.atoms(Integral), key=str))}
    if any(symbol in y.free_symbols for y in integrals):
        return Order(parameter, limit, "undecided", reason="an integral given by the user depends on it")
    if integrals:
        inner, points = inner.xreplace(integrals), Sample({**y, **{z.name: _ANY for z in integrals.values()}} for y in points)
    try:
        found = leading(inner if x is symbol else inner.xreplace({symbol: x if limit == "oo" else 1 / x}), x, points)
        if found is None:
            return Order(parameter, limit, "zero")
        m, value, direction, conditions = found
        back = symbol if limit == "oo" else 1 / symbol
        term = value * m.expression(back)
        _verify(inner, term, symbol, limit, points[0], bool(m.growth))
    except OrderUndecidedError as error:
        return Order(parameter, limit, "undecided", reason=str(error))
    return Order(
        parameter,
        limit,
        "exponential" if m.growth else "power",
        exponent=own_symbols(m.power if limit == "oo" else -m.power),
        logs=own_symbols(m.logs),
        rate=own_symbols(m.rate(back)),
        growing=direction > 0,
        leading=later(lambda: own_symbols(term.xreplace({y: x for x, y in integrals.items()}))),
        conditions=later(lambda: tuple(map(own_symbols, conditions))),
    )


def _verify(expr: Any, term: Any, symbol: Any, limit: str, point: Point, exponential: bool = False) -> None:
    """Compare with the leading term at two scales (smaller ones in an exponential): their ratio must tend to 1."""
    slow = _SLOW[exponential]
    at = [{**point, symbol.name: Fraction(x) if limit == "oo" else Fraction(1, x)} for x in _SCALES[exponential]]
    for bits in _BITS:
        near, far = (abs(ball(expr, x, bits) / ball(term, x, bits) - 1) for x in at)
        if far < near * slow.numerator / slow.denominator or far * 20 < 1:
            return
    raise OrderUndecidedError(f"the derived leading term {term} disagrees with the values at two scales")


def analysed_terms(
    theorem: Theorem,
    options: Mapping[str, Any],
    values: Mapping[str, Any] | None = None,
    settled: bool = True,
    rule: int = 0,
) -> dict[str, Any]:
    """The closed terms by name, with the default profile, ``t_star`` and ``tau`` put in.

    Args:
        theorem: the statement.
        options: ``profile``, ``to``, ``start``, ``clock``.
        values: ``t_star`` (0, the default, or ``delta``), ``tau`` (0 by default; any other keeps the symbol), ``k``.
        settled: otherwise the sums of the local errors stay place-holders, whatever the profile.
        rule: the number of the rule of the profile that bounds the local errors on the whole range.
    """
    require_formula(theorem)
    chosen = {name: x for name, x in options.items() if x is not None}
    if settled and chosen.get("profile") == "auto":
        raise InputError("an analysis needs one profile by name: auto has no closed form")
    if theorem.uses_profile:
        chosen.setdefault("profile", DEFAULT_PROFILE)
    values = values or {}
    star = values.get("t_star", 0)
    if star != "delta" and Fraction(star) != 0:
        raise DomainError(f"t_star must be 0 or delta, got {star}")
    if not settled:
        chosen.pop("profile", None)
        return {x.name: x.expression for x in closed_terms(theorem, **chosen)}
    fixed: dict[Any, Any] = {TABLE["t_star"].symbol: _star(values)}
    if "profile" not in chosen and not values.get("tau"):
        fixed[TABLE["tau"].symbol] = S.Zero
    if "k" in values:
        fixed[TABLE["k"].symbol] = sympy.Integer(int(values["k"]))
    found = {x.name: x.expression for x in closed_terms(theorem, **chosen)}
    which = one_profile(chosen.get("profile"))
    if rule and which is not None:
        bound = specialised(which, EI, which.parameters(EI))[rule].bound
        open_terms = closed_terms(theorem, **{name: x for name, x in chosen.items() if name != "profile"})
        found = {x.name: _with_bound(x.expression, bound, CLOCKS[chosen.get("clock", "ou")]) for x in open_terms}
    terms = {name: put_in(with_equal_weights(x), fixed) for name, x in found.items()}
    if any(x.has(LocalErrorSum) for x in terms.values()):
        raise InputError(f"{theorem.id} needs a profile to be analysed")
    return terms


def _with_bound(expr: Any, bound: Any, clock: Clock) -> Any:
    """``expr`` with the bound of a rule on the whole range in the place of the sums of the local errors."""
    for holder in expr.atoms(LocalErrorSum):
        end = holder.args[0]
        closed = convert(L_f * put_in(bound, {a: delta, b: end}), clock, end, end)
        expr = expr.xreplace({holder: holder.filled(plain(closed))})
    return expr


def with_equal_weights(expr: Any) -> Any:
    """``expr`` in the number of points alone."""
    return put_in(expr, _EQUAL_WEIGHTS)


def _star(values: Mapping[str, Any]) -> Any:
    return TABLE["delta"].symbol if values.get("t_star") == "delta" else S.Zero


def split(params: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options and numbers."""
    given = {name: x for name, x in params.items() if x is not None}
    options = {name: given.pop(name) for name in params if name in _OPTIONS and name in given}
    return options, given


def exact_point(theorem: Theorem, numbers: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers given, exact; noise levels become times; ``t_star`` may be ``delta``."""
    given = exact_scalars(theorem, numbers)
    found = {ALIASES.get(name, name): rational_near(time_from_sigma(x)) if name in ALIASES else x for name, x in given.items()}
    return found | ({"t_star": "delta"} if str(numbers.get("t_star", "")).strip() == "delta" else {})


@alone
def orders(theorem: Theorem | str, **params: Any) -> Orders:
    """The leading order of each term and of the total in each parameter, the others fixed.

    Args:
        theorem: a statement or its id.
        params: options ``profile`` (by default ``universal-integrated``), ``to``, ``start``, ``clock``; and numbers,
            which do not enter the expressions (except ``t_star``, ``tau = 0`` and ``k``): where an order depends on the regime
            (is ``L_f e^{-(t_hat - delta)}`` below 1?) it is decided there. A number of evaluations that is not given is
            any k >= 2.

    Returns:
        An :class:`~cmbound.analysis.records.Orders`.

    Raises:
        CmboundError: as for :meth:`cmbound.Statement.formula`.

    >>> import cmbound
    >>> found = cmbound.orders("explicit-one-step", profile="universal")
    >>> print(found.total["h"])
    1
    """
    theorem = find(theorem)
    options, numbers = split(params)
    point = exact_point(theorem, numbers)
    if theorem.uses_profile:
        options.setdefault("profile", DEFAULT_PROFILE)
    given = {name: x for name, x in point.items() if name not in ("t_star", "k")}
    chosen = one_profile(options.get("profile"))
    count = len(chosen.rules.get(EI, ())) if chosen is not None else 1
    versions = [analysed_terms(theorem, options, point, rule=i) for i in range(max(1, count))]
    names = _analysed(versions[0].values())
    best = {name: _smallest(versions, name, given) for name in names}
    found = {term: {name: _order_in(best[name][term], name, given) for name in names} for term in versions[0]}
    total = {name: _order_in(Add(*best[name].values()), name, given) for name in names}
    return Orders(theorem, options, found, total, _unused(theorem, options, numbers), _is_upper(options.get("profile")))


def _smallest(versions: Sequence[dict[str, Any]], name: str, given: Mapping[str, Fraction]) -> dict[str, Any]:
    """The terms with the rule of which the order in a parameter is the smallest; the first of equals, or of undecided ones."""
    if len(versions) == 1:
        return versions[0]
    moving = [term for term, x in versions[0].items() if any(other[term] != x for other in versions)]
    return min(versions, key=lambda terms: _size(_order_in(Add(*(terms[x] for x in moving)), name, given)))


def _size(x: Order) -> tuple[float, float]:
    """What powers are compared by: large where it grows fast towards the limit, infinite where it is no power."""
    if x.kind != "power" or not (x.exponent.is_number and x.logs.is_number):
        return math.inf, 0.0
    return float(x.exponent if x.limit == "oo" else -x.exponent), float(x.logs)


def _is_upper(given: Any) -> bool:
    """Whether an evaluation may find a better path than the closed form of the profile, which is one stretch."""
    chosen = one_profile(given)
    return chosen is not None and combinable(((chosen, chosen.rules[EI]),))


def _unused(theorem: Theorem, options: Mapping[str, Any], numbers: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    present = {x.name for term in closed_terms(theorem, **options) for x in term.expression.free_symbols}
    if "h" in present:
        present.add("N")
    profile = options.get("profile")
    where = f"the closed form of profile {getattr(profile, 'name', profile)}" if profile else "the closed form"
    return tuple((name, f"it does not occur in {where}") for name in numbers if ALIASES.get(name, name) not in present)


def _order_in(expr: Any, name: str, given: Mapping[str, Fraction] | None = None) -> Order:
    """:func:`order`, where N is the number of equal steps."""
    return order(_on_uniform_grid(expr) if name == "N" else expr, name, given)


def _on_uniform_grid(expr: Any) -> Any:
    """h = (end - delta)/N."""
    end = next(TABLE[x].symbol for x in ("T", "t") if x == "t" or expr.has(TABLE[x].symbol) or not expr.has(TABLE["t"].symbol))
    return expr.subs(TABLE["h"].symbol, (end - TABLE["delta"].symbol) / TABLE["N"].symbol)


def _analysed(exprs: Iterable[Any]) -> list[str]:
    present = {x.name for e in exprs for x in unfolded(e.replace(geometric_sum, lambda x, n: x**n)).free_symbols}
    names = [name for name in TABLE if limit_of(name) and name in present]
    if "h" in names:
        names.insert(names.index("h") + 1, "N")
    return names
