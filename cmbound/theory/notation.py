"""The one table of symbols: ASCII name, LaTeX, meaning, domain, and the paper's name for it.

No symbol is created anywhere else. The table itself does not import SymPy, so that the command line
can complete and check names at once; :attr:`Parameter.symbol` imports it when it is first asked for.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property
from math import inf
from typing import Any, cast

from cmbound.checks import checked_text
from cmbound.errors import InputError, UnknownNameError
from cmbound.frozen import FrozenDict
from cmbound.theory.prose import Prose

_DOMAIN = re.compile(r"(an? )?(number|integer)?( ?(?P<sign>>=?) ?(?P<low>-?[0-9]+))?( and)?( ?< ?(?P<high>-?[0-9]+))?")


@dataclass(frozen=True)
class Domain:
    """An interval of numbers, possibly of integers only. Infinite ends are ``None``."""

    low: int | None = None
    low_open: bool = False
    high: int | None = None
    integer: bool = False

    @classmethod
    def of(cls, text: str) -> Domain:
        """The domain that a text says, such as ``>= 0``, ``> 0 and < 1``, ``an integer >= 1`` or ``a number``.

        Raises:
            InputError: the text is not of this form.
        """
        words = " ".join(text.split())
        found = _DOMAIN.fullmatch(words)
        if found is None or not words:
            raise InputError(f"domain must be like '>= 0', '> 0 and < 1', 'integer >= 1' or 'a number', got {text!r}")
        low, high = (None if found[x] is None else int(found[x]) for x in ("low", "high"))
        if low is not None and high is not None and low >= high:
            raise InputError(f"domain {text!r} holds no number")
        return cls(low, found["sign"] == ">", high, "integer" in words)

    def __contains__(self, x: Fraction) -> bool:
        top, bottom = x.numerator, x.denominator  # integers are compared faster than fractions
        if self.integer and bottom != 1:
            return False
        if self.low is not None and (top < self.low * bottom or (self.low_open and top == self.low * bottom)):
            return False
        return self.high is None or top < self.high * bottom

    def holds(self, x: Any) -> Any:
        """Elementwise membership for a float64 array of any shape (NaN and infinities are outside)."""
        low = -inf if self.low is None else self.low
        inside = (x > low) if self.low_open or self.low is None else (x >= low)
        inside &= x < (inf if self.high is None else self.high)
        if self.integer:
            inside &= x.round() == x
        return inside

    def holds_all(self, x: Any) -> bool:
        """Whether every entry of a non-empty float64 array is inside, in as few passes as possible."""
        low, high = x.min(), x.max()  # NaN if there is one
        above = self.low is None or (low > self.low if self.low_open else low >= self.low)
        below = high < (inf if self.high is None else self.high)
        return bool(above and below and low > -inf and not (self.integer and (x.round() != x).any()))

    def __str__(self) -> str:
        kind = "an integer" if self.integer else "a number"
        low = "" if self.low is None else f" {'>' if self.low_open else '>='} {self.low}"
        high = "" if self.high is None else f"{' and' if low else ''} < {self.high}"
        return kind + low + high


NON_NEGATIVE = Domain(low=0)
POSITIVE = Domain(low=0, low_open=True)
AT_LEAST_ONE = Domain(low=1)
COUNT = Domain(low=1, integer=True)


@dataclass(frozen=True)
class Parameter:
    """One row of the table of symbols.

    Attributes:
        name: ASCII name, the keyword in Python and on the command line.
        latex: how it is written in a paper.
        meaning: what it is, in one sentence; math may stand between dollar signs.
        domain: the numbers allowed.
        paper: where the source paper introduces it (empty: introduced by cmbound).
        per_step: whether a list with one value for each grid step is allowed.
        internal: bound variables of formulas, never given by a user.
    """

    name: str
    latex: str
    meaning: str
    domain: Domain
    paper: str = ""
    per_step: bool = False
    internal: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "meaning", Prose(self.meaning))

    @cached_property
    def symbol(self) -> Any:
        """The SymPy symbol, with the assumptions its domain implies."""
        import sympy

        integer = True if self.domain.integer else None
        positive = True if (self.domain.low == 0 and self.domain.low_open) or self.domain.low == 1 else None
        nonnegative = True if self.domain.low == 0 else None
        return sympy.Symbol(self.name, real=True, integer=integer, positive=positive, nonnegative=nonnegative)


PARAMETERS: tuple[Parameter, ...] = (
    Parameter("eps_sc", r"\varepsilon_{sc}", "$L2$ score error, sup over grid times", NON_NEGATIVE, "Assumption 3", True),
    Parameter("eps_cm", r"\varepsilon_{cm}", "$L2$ consistency error per unit of time $t$", NON_NEGATIVE, "Assumption 4", True),
    Parameter("L_s", "L_s", "Lipschitz constant of the score on $[t_star, T]$", AT_LEAST_ONE, "Assumption 2"),
    Parameter("L_f", "L_f", "Lipschitz constant of the consistency model at every grid time", AT_LEAST_ONE, "Assumption 5", True),
    Parameter("d", "d", "dimension of the data", COUNT),
    Parameter("m2", r"\mathfrak{m}_2", "root second moment (E norm(x_0)^2)^(1/2) of the data", NON_NEGATIVE, "Assumption 1"),
    Parameter("T", "T", "horizon: the time sampling starts from", POSITIVE),
    Parameter("delta", r"\delta", "early-stopping time", POSITIVE),
    Parameter("h", "h", "largest step of the grid, in the time $t$", POSITIVE, "Assumption 6"),
    Parameter("N", "N", "number of steps of the grid ($N + 1$ nodes)", COUNT),
    Parameter("rho", r"\varrho", "exponent of the EDM grid", POSITIVE),
    Parameter("t", "t", "time at which the map error or the Lipschitz constant is asked for (default $T$)", POSITIVE),
    Parameter("k", "k", "number of function evaluations in multistep sampling", COUNT),
    Parameter("t_hat", r"\hat t", "fixed time to which multistep sampling noises back", POSITIVE, "Corollary 6"),
    Parameter("times", r"(t_{n_2}, \dots, t_{n_k})", "times of the second to the $k$-th evaluation, instead of $t_hat$", POSITIVE, "Corollary 5", True),
    Parameter("R", "R", "radius of a ball holding the support (of $U$ where $tau > 0$)", NON_NEGATIVE, "Lemma 7"),
    Parameter("tau", r"\tau", "width of the Gaussian part of the data law $U + tau z$", Domain(low=0, high=1)),
    Parameter("t_star", "t_*", "time from which Assumption 2 holds: 0 or $delta$", NON_NEGATIVE, "Assumption 2"),
    Parameter("sd2", r"\mathfrak{s}_2", "root trace of the covariance of the data, at most $m2$", NON_NEGATIVE),
    Parameter("n_atoms", "n", "number of points of a finite data set", COUNT),
    Parameter("weights", r"(\pi_i)", "weights of the points of a finite data set (proportional; default equal)", POSITIVE, "", True),
    Parameter("d_eff", r"d_{\mathrm{eff}}", "dimension of an affine subspace holding the data, at most $d$", COUNT),
    Parameter("cov_eigs", r"(\mu_i)", "eigenvalues of the covariance of the data, $d$ of them ($d_eff$ where it is given)", NON_NEGATIVE, "", True),
    Parameter("diameter", r"\operatorname{diam}", "diameter of the support (of $U$ where $tau > 0$), of which half may stand for $R$", NON_NEGATIVE),
    Parameter("M", "M", "Lipschitz constant of the learned noise prediction at the end of a step (Heun teacher)", NON_NEGATIVE, "", True),
    Parameter("sigma_min", r"\sigma_{\min}", "smallest noise level, instead of $delta$", POSITIVE),
    Parameter("sigma_max", r"\sigma_{\max}", "largest noise level, instead of $T$", POSITIVE),
    Parameter("sigma", r"\sigma", "noise level, instead of $t$", POSITIVE),
    Parameter("sigma_hat", r"\hat\sigma", "noise level, instead of $t_hat$", POSITIVE),
    Parameter("sigmas", r"(\sigma_{n_2}, \dots, \sigma_{n_k})", "noise levels, instead of times", POSITIVE, "", True),
    Parameter("C", "C", "the unspecified constant of an order-form statement", POSITIVE),
    Parameter("eps", r"\varepsilon", "target accuracy of an order-form statement", POSITIVE),
    Parameter("u", "u", "time of the OU smoothing after sampling", POSITIVE, "Corollary 9"),
    Parameter("gamma", r"\gamma", "friction of the underdamped Langevin corrector", POSITIVE, "Corollary 10"),
    Parameter("tau_c", r"\tau_c", "total time of the underdamped Langevin corrector", POSITIVE, "Corollary 10"),
    Parameter("L_phi", r"L_\varphi", "Lipschitz constant of the learned score at time $delta$", POSITIVE),
    Parameter("eta", r"\eta", "step of the underdamped Langevin corrector", POSITIVE, "Corollary 10"),
    Parameter("KL", r"\mathrm{KL}", "relative entropy of the data law to $N(0, I)$", NON_NEGATIVE),
    Parameter("FI", r"\mathrm{FI}", "relative Fisher information of the data law to $N(0, I)$", NON_NEGATIVE),
    Parameter("c_rate", r"c", "unspecified rate in the exponent of an order-form statement", POSITIVE),
    Parameter("eps_w", r"\varepsilon_w", "step-weighted $L2$ score error (sum_n $h_n$ E norm($s_phi$ - s)^2)^(1/2), time as in the source", NON_NEGATIVE),
    Parameter("kappa", r"\kappa", "largest ratio of a step to min(1, time left)", POSITIVE),
    Parameter("hbar", r"\bar h", "largest ratio of a step to the time left", POSITIVE),
    Parameter("L_os", r"L_{os}", "one-sided Lipschitz constant of the score on $[t_star, T]$: largest eigenvalue of its Jacobian, or 0 (of the learned score where a statement says so)", NON_NEGATIVE),
    Parameter("L_v", r"L_v", "Lipschitz constant of the learned velocity field at all times", NON_NEGATIVE),
    Parameter("eps_v", r"\varepsilon_v", "$L2$ error of the learned velocity field", NON_NEGATIVE),
    Parameter("gam_v", r"\gamma_v", "largest mean over a step of the mean square of dv/dt along the exact flow of the velocity v", NON_NEGATIVE),
    Parameter("eps_loss", r"\varepsilon_{\ell}", "bound on the loss of a learned flow map", NON_NEGATIVE),
    Parameter("L_map", r"L_{map}", "Lipschitz constant of the exact flow maps between any two times", AT_LEAST_ONE),
    Parameter("eps_est", r"\varepsilon_{est}", "estimation error of consistency training", NON_NEGATIVE),
    Parameter("eps_F", r"\varepsilon_F", "approximation error of the class of functions trained on", NON_NEGATIVE),
    Parameter("p", "p", "order of the one-step solver", COUNT),
    Parameter("sigma_high", r"\sigma_{j}", "noise level a step starts from", POSITIVE),
    Parameter("sigma_low", r"\sigma_{j+1}", "noise level a step ends at", POSITIVE),
    Parameter("eps_ci", r"\varepsilon_{ci}", "$L2$ consistency error of one interval of the training grid (not per unit of time)", NON_NEGATIVE),
    Parameter("dtau", r"\Delta\tau", "spacing of a uniform training grid that begins at time 0", POSITIVE),
    Parameter("W_prev", r"W_2(q_{k-1}, p_\delta)", "distance to $p_delta$ after the previous evaluation", NON_NEGATIVE, "Corollary 5"),
    Parameter("a", "a", "beginning of a stretch of the grid", POSITIVE, internal=True),
    Parameter("b", "b", "end of a stretch of the grid", POSITIVE, internal=True),
    Parameter("t_prev", r"t_{j-1}", "time of the evaluation before the one at $t_hat$", POSITIVE, internal=True),
    Parameter("eps_sc_a", r"\varepsilon_{sc}", "$L2$ score error at the end of a step", NON_NEGATIVE, internal=True),
    Parameter("y", "y", "any number > 0: the best is taken", POSITIVE, internal=True),
    Parameter("ell", r"\ell_n", "measured local error of a step, in units of the noise level", NON_NEGATIVE, internal=True),
    Parameter("nu", r"\nu", "(sum of the root weights)^2 of a finite data set", POSITIVE, internal=True),
    Parameter("entropy", r"H", "entropy of the weights of a finite data set", NON_NEGATIVE, internal=True),
)  # fmt: skip

UPPER_BOUNDS: frozenset[str] = frozenset({
    "eps_sc", "eps_cm", "L_s", "L_f", "m2", "h", "R", "sd2", "cov_eigs", "diameter", "M", "L_phi", "KL", "FI", "eps_w", "kappa", "hbar",
    "L_os", "L_v", "eps_v", "gam_v", "eps_loss", "L_map", "eps_est", "eps_F", "eps_ci", "W_prev",
})  # fmt: skip
"""The parameters of which a statement needs an upper bound: a measured one is rounded up wherever it is printed.

The others are what they are (a time, a count, the width tau of the Gaussian part): they are printed in full."""

TABLE: Mapping[str, Parameter] = FrozenDict({p.name: p for p in PARAMETERS})
"""All rows by name; :func:`symbol` adds a user's own."""


class _Public(Sequence[str]):
    """The names a user may give, in the order of the table."""

    def _names(self) -> list[str]:
        return [name for name, row in TABLE.items() if not row.internal]

    def __getitem__(self, place: Any) -> Any:
        return self._names()[place]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __contains__(self, name: object) -> bool:
        return name in TABLE and not TABLE[str(name)].internal

    def __len__(self) -> int:
        return len(self._names())


PUBLIC: Sequence[str] = _Public()


def own(name: str) -> bool:
    """Whether a parameter is a user's own."""
    return name in TABLE and name not in _BUILT_IN


def symbol(name: str, domain: str | Domain | None = None, meaning: str = "", latex: str = "") -> Any:
    r"""The SymPy symbol of a parameter: of the table of symbols by its name alone, or a new one for a statement of your own.

    Args:
        name: ASCII name, the keyword in Python and on the command line.
        domain: the numbers allowed: ``>= 0``, ``> 0 and < 1``, ``an integer >= 1``, ... (the ends are integers).
        meaning: what it is, in one sentence.
        latex: how it is written in a paper (default: the name).

    Raises:
        UnknownNameError: a name alone that is in no table.
        InputError: no such form of domain, or a name that cannot be a keyword or means something else already.

    >>> import cmbound
    >>> kap = cmbound.symbol("kap", domain=">= 0", meaning="curvature of the data manifold", latex=r"\kappa_M")
    >>> kap.is_nonnegative, cmbound.symbol("L_f")
    (True, L_f)
    """
    checked_text("the name of a symbol", name)
    if domain is None:
        if name not in TABLE:
            raise UnknownNameError("parameter", name, PUBLIC, hint=" (a symbol of your own needs a domain, such as '>= 0')")
        return TABLE[name].symbol
    allowed = domain if isinstance(domain, Domain) else Domain.of(checked_text(f"domain of {name}", domain))
    row = Parameter(name, latex or r"\mathit{" + name.replace("_", r"\_") + "}", meaning or "a parameter of one's own", allowed)
    return add(row).symbol


def add(row: Parameter) -> Parameter:
    """Enter a user's row in the table.

    Raises:
        InputError: a name that cannot be a keyword or means something else already.
    """
    name = row.name
    if not name.isascii() or not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_"):
        raise InputError(f"a symbol cannot be called {name!r}: use letters, digits and _")
    if name in _TAKEN or (name in TABLE and not own(name)):
        raise InputError(f"a symbol of your own cannot be called {name!r}, which means something else here already")
    if name in TABLE and TABLE[name].domain != row.domain:
        raise InputError(f"{name} is {TABLE[name].domain} already; take another name for {row.domain}")
    if TABLE.get(name) != row:
        dict.__setitem__(cast(dict[str, Parameter], TABLE), name, row)
        latex_names.cache_clear()
    return TABLE[name]


_BUILT_IN = frozenset(TABLE)
WORDS = ("exp", "log", "sqrt", "sin", "cos", "sinh", "cosh", "tanh", "atan", "erf", "Max", "Min", "Abs", "pi", "E")
"""What a term written as text may contain besides numbers, parameters and + - * / ** ( )."""
_TAKEN = frozenset({
    *WORDS, "I", "S", "oo", "zoo", "nan", "inf", "self", "jobs", "along", "names", "params", "options", "define",
    "profile", "grid", "teacher", "to", "start", "clock", "preset", "digits", "tier", "id", "target", "split", "unknown", "fix",
    "total", "trivial", "dominating", "dominating_term", "statements", "metric", "world", "assume", "steps", "gain",
})  # fmt: skip
"""Names of options and columns."""


SIGNS: tuple[tuple[str, str, str], ...] = (
    (r"W_1(?!\()", "W_1", "the Wasserstein distance of order 1"),
    (r"W_2\\left|E\\, W_2", "W_2", "the Wasserstein distance of order 2"),
    (r"\\mathrm\{TV\}", r"\mathrm{TV}", "the total variation distance"),
    (r"\\mathrm\{KL\}\\left", r"\mathrm{KL}(\cdot, \cdot)", "the relative entropy"),
    (r"\\mathrm\{Lip\}", r"\mathrm{Lip}", "the smallest Lipschitz constant"),
    (r"(?<![A-Za-z])E(_\{p|\\,)", "E", "the expectation, under a law written as its index"),
    (r"f_\\theta", r"f_\theta", "the learned consistency function"),
    (r"(?<![A-Za-z\\_])f(?![_A-Za-z])", "f", "the exact consistency function"),
    (r"_\\#", r"_\#", "the image of a law under a map"),
    (r"p_\{\\mathrm\{data\}\}", r"p_{\mathrm{data}}", "the data law"),
    (r"p_\{\\mathrm\{start\}\}", r"p_{\mathrm{start}}", "the law sampling starts from"),
    (r"p_\\delta", r"p_\delta", "the law of the forward process at the early-stopping time"),
    (r"p_\{t\}", "p_t", "the law of the forward process at the time t"),
    (r"p_1", "p_1", "the law of the forward process after its first step"),
    (r"p_\{\\sigma_j\}|p_\{\\sigma_\{j\+1\}\}", r"p_{\sigma_j}, p_{\sigma_{j+1}}", "the laws of the data at these noise levels"),
    (r"\\mathcal\{N\}\(0, I\)", r"\mathcal{N}(0, I)", "the standard normal law"),
    (r"q_\{\\mathrm\{corrected\}\}", r"q_{\mathrm{corrected}}", "the law of the sample after the corrector"),
    (r"(?<![A-Za-z])q_k", "q_k", "the law of the sample after k evaluations"),
    (r"\(q(?= P|, )|, q\\right", "q", "the law of the sample"),
    (r"P_u", "P_u", "the Ornstein-Uhlenbeck kernel of the time u"),
    (r"P_\\delta", r"P_\delta", "the Ornstein-Uhlenbeck kernel of the early-stopping time"),
    (r"\\mathrm\{DDIM\}", r"\mathrm{DDIM}", "one DDIM step with the exact score"),
)
"""What a statement's left-hand side is written in, beyond parameters: a pattern of its LaTeX, the sign, its meaning."""


WRITTEN: Mapping[str, str] = FrozenDict(
    {
        "f_theta": r"f_\theta", "s_phi": r"s_\phi", "p_data": r"p_{\mathrm{data}}", "p_delta": r"p_\delta", "W1": "W_1", "W2": "W_2",
        "L2": "L^2", "TV": r"\mathrm{TV}", "lam_T": r"\lambda_T", "lam_delta": r"\lambda_\delta", "log": r"\log", "max": r"\max",
        "~": r"\sim", ".": r"\cdot", "<=": r"\leq", ">=": r"\geq",
    }
)  # fmt: skip
"""LaTeX of what marked math has besides parameters."""
_TOKEN = re.compile(r"[A-Za-z]\w*|\^\((.*?)\)|[<>]=|~|(?<=\()\.")


def typeset(marked: str) -> str:
    r"""LaTeX of math in the names of the table, as it is marked in a :class:`~cmbound.theory.prose.Prose`.

    >>> print(typeset("s(., t) <= L_s^(-1/2)"))
    s(\cdot, t) \leq L_s^{-1/2}
    """

    def token(found: re.Match[str]) -> str:
        if found[1]:
            return f"^{{{typeset(found[1])}}}"
        if found[0] == "N" and marked.startswith("(0, ", found.end()):
            return r"\mathcal{N}"  # a normal law, not the number of steps
        return TABLE[found[0]].latex if found[0] in TABLE else WRITTEN.get(found[0], found[0])

    return _TOKEN.sub(token, marked)


@cache
def latex_names() -> dict[Any, str]:
    """LaTeX of every symbol, for SymPy's ``symbol_names``."""
    return {p.symbol: p.latex for p in TABLE.values()}


def __getattr__(name: str) -> Any:
    """``from cmbound.theory.notation import eps_sc`` gives the SymPy symbol of the table."""
    if name in TABLE:
        return TABLE[name].symbol
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
