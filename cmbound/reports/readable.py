"""LaTeX math as text that a terminal can show: one line, with the signs of Unicode.

What is read is the little LaTeX that the package writes itself; :func:`readable` says so where it meets anything else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from cmbound.frozen import FrozenDict

_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|[{}^_&~]|\s+|[A-Za-z]|[0-9.]+|[^\sA-Za-z0-9]")
SIGNS: Mapping[str, str] = FrozenDict(
    {
        "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "varepsilon": "ε", "epsilon": "ε", "zeta": "ζ", "eta": "η",
        "theta": "θ", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "pi": "π", "rho": "ρ", "varrho": "ρ", "sigma": "σ",
        "tau": "τ", "phi": "φ", "varphi": "φ", "omega": "ω", "Delta": "Δ", "Phi": "Φ", "Gamma": "Γ", "Lambda": "Λ", "Sigma": "Σ",
        "Theta": "Θ", "Psi": "Ψ", "Omega": "Ω", "psi": "ψ", "chi": "χ", "xi": "ξ", "ell": "ℓ", "varkappa": "ϰ", "iota": "ι",
        "leq": " ≤ ", "geq": " ≥ ", "lesssim": " ≲ ", "sim": " ~ ", "times": "×", "cdot": "·", "dots": "…", "ldots": "…",
        "infty": "∞", "sum": "Σ", "prod": "Π", "int": "∫", "in": " ∈ ", "lfloor": "⌊", "rfloor": "⌋", "lceil": "⌈", "rceil": "⌉",
        "log": "log", "max": "max", "min": "min", "exp": "exp", "sinh": "sinh", "cosh": "cosh", "tanh": "tanh",
        "operatorname": "",
        "sin": "sin", "cos": "cos", "tan": "tan", "atan": "atan", "sup": "sup", "inf": "inf", "quad": " ", "dot": "·", "ast": "*",
        "left": "", "right": "", "mathrm": "", "mathfrak": "", "mathcal": "", "mathit": "", "text": "", "limits": "", "big": "",
    }
)  # fmt: skip
"""Commands as signs; those that only change a font or a size say nothing."""
_MARKS = FrozenDict({"hat": "\u0302", "bar": "\u0304", "tilde": "\u0303"})
_ESCAPED = FrozenDict(
    {"\\#": "#", "\\,": " ", "\\;": " ", "\\:": " ", "\\!": "", "\\|": "‖", "\\{": "{", "\\}": "}", "\\_": "_", "\\ ": " "}
)
_ABOVE = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_BELOW = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


class _NotRead(Exception):
    """A command that is not known."""


def readable(latex: str) -> str:
    r"""LaTeX math as one line of text (empty: it has something that no sign stands for).

    >>> print(readable(r"W_2\left(q_k, p_{\mathrm{data}}\right) \leq L_f e^{- T} \sqrt{d + \mathfrak{m}_2^{2}}"))
    W₂(q_k, p_data) ≤ L_f e^{-T} √(d + m₂²)
    >>> print(readable(r"\frac{a + b}{2 c} + \frac{1}{h}"))
    (a + b)/(2 c) + 1/h
    """
    tokens = _TOKEN.findall(latex)
    try:
        text, end = _group(tokens, 0)
    except (_NotRead, IndexError):
        return ""
    return text if end == len(tokens) else ""


def _group(tokens: list[str], at: int) -> tuple[str, int]:
    """The text up to the brace that closes, and the place after what was read."""
    found: list[str] = []
    while at < len(tokens) and tokens[at] != "}":
        text, at = _piece(tokens, at)
        found.append(text)
    text = re.sub(r"\s+", " ", "".join(found)).strip()
    text = re.sub("‖ ?([^‖]*?) ?‖ ?(?=([≤≲≥]?))", lambda x: f"‖{x[1]}‖" + " " * bool(x[2]), text)
    if text.startswith("- "):
        text = "-" + text[2:]
    return re.sub(r"([(\[{|‖⌊⌈]) | (?=[)\]},|⌋⌉])", r"\1", text), at


def _piece(tokens: list[str], at: int) -> tuple[str, int]:
    """One sign, group, fraction, root, power or index."""
    token = tokens[at]
    if token in "^_":
        text, at = _argument(tokens, at + 1)
        return _script(token, text), at
    if token == r"\frac":
        above, at = _argument(tokens, at + 1)
        below, at = _argument(tokens, at)
        return f" {_summed(above)}/{_factor(below)} ", at
    if token == r"\sqrt":
        order = tokens[at + 2] if tokens[at + 1] == "[" else ""
        text, at = _argument(tokens, at + (4 if order else 1))
        return f" ({text})^{{1/{order}}} " if order else f" √{_factor(text)} ", at
    if token.startswith("\\") and token[1:] in _MARKS:
        text, at = _argument(tokens, at + 1)
        return text + _MARKS[token[1:]], at
    if token == "{":
        return _argument(tokens, at)
    return _sign(token), at + 1


def _argument(tokens: list[str], at: int) -> tuple[str, int]:
    """What a command takes: a group or one sign."""
    while tokens[at].isspace():
        at += 1
    if tokens[at] != "{":
        return _piece(tokens, at)
    text, at = _group(tokens, at + 1)
    if tokens[at] != "}":
        raise _NotRead
    return text, at + 1


def _sign(token: str) -> str:
    if token in _ESCAPED:
        return _ESCAPED[token]
    if token.startswith("\\"):
        if token[1:] not in SIGNS:
            raise _NotRead
        return SIGNS[token[1:]]
    if token in "&~":
        raise _NotRead
    return " " if token.isspace() else token


def _script(kind: str, text: str) -> str:
    if text.isdigit():
        return text.translate(_ABOVE if kind == "^" else _BELOW)
    return f"{kind}{text}" if re.fullmatch(r"[^\W_⁰-⁹₀-₉]+|[#*·]", text) else f"{kind}{{{text}}}"


def _outer(text: str) -> str:
    """The text without what stands between brackets."""
    while (less := re.sub(r"\([^()]*\)|\{[^{}]*\}", "", text)) != text:
        text = less
    return text


def _summed(text: str) -> str:
    return f"({text})" if re.search(r" [+-] ", _outer(text)) else text


def _factor(text: str) -> str:
    whole = text.startswith("(") and text.endswith(")") and not _outer(text)
    return f"({text})" if re.search(r"[ /]", _outer(text)) and not whole else text
