"""The LaTeX math cmbound writes, as MathML: an HTML page then shows it without a script."""

from __future__ import annotations

import html
import re

_TOKEN = re.compile(r"\\[a-zA-Z]+|\\.|[0-9]+(?:\.[0-9]+)?|\S")
_LETTERS = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ϵ", "varepsilon": "ε", "eta": "η", "theta": "θ",
    "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "pi": "π", "rho": "ρ", "varrho": "ϱ", "sigma": "σ", "tau": "τ",
    "phi": "ϕ", "varphi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω", "zeta": "ζ", "xi": "ξ", "iota": "ι",
    "Gamma": "Γ", "Delta": "Δ", "Theta": "Θ", "Lambda": "Λ", "Xi": "Ξ", "Pi": "Π", "Sigma": "Σ", "Phi": "Φ", "Psi": "Ψ",
    "Omega": "Ω", "infty": "∞", "ell": "ℓ",
}  # fmt: skip
_SIGNS = {
    "leq": "≤", "le": "≤", "geq": "≥", "ge": "≥", "lesssim": "≲", "sim": "∼", "neq": "≠", "times": "×", "cdot": "·",
    "sum": "∑", "int": "∫", "to": "→", "dots": "…", "ldots": "…", "circ": "∘", "checkmark": "✓", "dagger": "†", "in": "∈",
    "|": "‖", "#": "#", "%": "%", "_": "_", "{": "{", "}": "}", "lvert": "|", "rvert": "|", "Vert": "‖", "vert": "|",
    "lfloor": "⌊", "rfloor": "⌋", "lceil": "⌈", "rceil": "⌉",
}  # fmt: skip
_SPACES = {",": "0.17em", ";": "0.28em", ":": "0.22em", " ": "0.25em", "quad": "1em", "qquad": "2em", "!": "0"}
_WORDS = ("max", "min", "log", "exp", "sin", "cos", "tan", "atan", "operatorname", "inf", "sup", "tr", "erf")
_ACCENTS = {"hat": "^", "bar": "¯", "tilde": "~"}
_UPRIGHT = ("mathrm", "text", "operatorname")


def mathml(latex: str) -> str:
    """MathML of LaTeX math; a command it does not know is shown by its name."""
    tokens = _TOKEN.findall(latex)
    return f"<math>{_Parser(tokens).row()}</math>"


class _Parser:
    """Reads tokens from left to right."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens, self._at = tokens, 0

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        self._at += 1
        return token

    def row(self, end: str = "") -> str:
        """Everything up to ``end``, which is read too."""
        parts = []
        while self._peek() and self._peek() != end:
            parts.append(self._scripted())
        self._next()
        return "".join(parts)

    def _group(self) -> str:
        """An argument: a group in braces or a single token."""
        if self._peek() == "{":
            self._next()
            return f"<mrow>{self.row('}')}</mrow>"
        return self._atom()

    def _word(self) -> str:
        """The letters of an argument in braces."""
        letters: list[str] = []
        self._next()
        while self._peek() not in ("", "}"):
            letters.append(self._next().lstrip("\\"))
        self._next()
        return html.escape("".join(letters))

    def _scripted(self) -> str:
        base, below, above = self._atom(), "", ""
        while self._peek() in ("_", "^"):
            if self._next() == "_":
                below = self._group()
            else:
                above = self._group()
        if below and above:
            return f"<msubsup>{base}{below}{above}</msubsup>"
        if below:
            return f"<msub>{base}{below}</msub>"
        return f"<msup>{base}{above}</msup>" if above else base

    def _atom(self) -> str:
        token = self._next()
        if token == "{":
            return f"<mrow>{self.row('}')}</mrow>"
        if token.startswith("\\"):
            return self._command(token[1:])
        if token[:1].isdigit():
            return f"<mn>{token}</mn>"
        return f"<mi>{token}</mi>" if token.isalpha() else f"<mo>{html.escape(token.replace('-', '−'))}</mo>"

    def _command(self, name: str) -> str:
        if name == "frac":
            return f"<mfrac>{self._group()}{self._group()}</mfrac>"
        if name == "sqrt":
            if self._peek() == "[":
                self._next()
                degree = f"<mrow>{self.row(']')}</mrow>"
                return f"<mroot>{self._group()}{degree}</mroot>"
            return f"<msqrt>{self._group()}</msqrt>"
        if name in ("left", "right"):
            sign = self._next()
            return "" if sign == "." else f"<mo>{html.escape(_SIGNS.get(sign.lstrip(chr(92)), sign))}</mo>"
        if name in _ACCENTS:
            return f"<mover>{self._group()}<mo>{_ACCENTS[name]}</mo></mover>"
        if name in _UPRIGHT:
            return f'<mi mathvariant="normal">{self._word()}</mi>'
        if name == "mathfrak":
            return "".join(f"<mi>{chr(0x1D51E + ord(x) - ord('a'))}</mi>" for x in self._word())
        if name in _WORDS:
            return f"<mi>{name}</mi>"
        if name in _SPACES:
            return f'<mspace width="{_SPACES[name]}"/>'
        if name in _LETTERS:
            return f"<mi>{_LETTERS[name]}</mi>"
        return f"<mo>{_SIGNS[name]}</mo>" if name in _SIGNS else f"<mtext>{html.escape(name)}</mtext>"
