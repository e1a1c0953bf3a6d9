"""Formulas of the paper, printed by the package from the expressions it computes with."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sympy

from cmbound.catalogue import catalogue
from cmbound.evaluation.statement import Statement
from cmbound.numbers import latex_number
from cmbound.reports.cells import escape_latex
from cmbound.reports.words import prose
from cmbound.theory import functions
from cmbound.theory.formulas import latex, rule_parts, statement_parts
from cmbound.theory.named import Named, plain
from cmbound.theory.notation import PARAMETERS, TABLE
from cmbound.theory.profiles import PROFILES

HEADER = "% Written by python -m paper_tables; do not edit.\n"
SHORT = {"exponential-integrator": "ei", "ddim": "ddim", "heun": "heun"}
WIDE = 260
"""LaTeX source of a sum longer than this is broken into one line for each summand."""
_CALLED = {"L": "L_s"}
"""Arguments of the named functions that the table of symbols calls otherwise."""


def statement(theorem: Statement) -> str:
    """The display of a statement, each named term on a line of its own (or on two, if it is a long sum)."""
    left, shown = statement_parts(theorem)
    terms = [x for x in theorem.formula() if x.expression != 0]
    if len(shown) == 1:
        return f"{HEADER}\\[\n{left} {shown[0]}\n\\]%\n"
    lines: list[str] = []
    for term, text in zip(terms, shown, strict=True):
        parts = [text] if len(text) < WIDE or not isinstance(term.expression, sympy.Add) else map(latex, term.expression.args)
        lines += [f"&{'{}+{}' if lines or i else ''} {x}" for i, x in enumerate(parts)]
        lines[-1] += rf" \tag*{{\footnotesize {escape_latex(term.name.replace('_', ' '))}}}"
    return f"{HEADER}\\begin{{align*}}\n{left} {{}}" + " \\\\\n".join(lines) + "\n\\end{align*}%\n"


def display(expression: Any) -> str:
    """A display of one expression, broken into one line for each summand of a sum that is too long for a line."""
    expression = plain(expression)
    text = latex(expression)
    factors = sympy.Mul.make_args(expression)
    sums = [x for x in factors if isinstance(x, sympy.Add)]
    if len(text) < (WIDE if isinstance(expression, sympy.Add) else 1.4 * WIDE) or len(sums) != 1:
        return f"{HEADER}\\[\n{text}\n\\]%\n"
    rest = sympy.Mul(*(x for x in factors if x is not sums[0]))
    summands = [part for x in sums[0].args for part in _shorter(x)]
    first, last = ("", "") if rest == 1 else (rf"{latex(rest)} \Bigl[", r"\Bigr]")
    body = " \\\\\n".join(f"&{'{}+' if i else ''} {latex(x)}" for i, x in enumerate(summands))
    return f"{HEADER}\\begin{{align*}}\n{first}{body} {last}\n\\end{{align*}}%\n"


def _shorter(expression: Any) -> list[Any]:
    """The summand itself or, if it is too long for a line, what multiplying out a sum in it gives."""
    if len(latex(expression)) < WIDE:
        return [expression]
    factors = sympy.Mul.make_args(expression)
    inner = next((x for x in factors if isinstance(x, sympy.Add) and len(latex(x)) > WIDE / 3), None)
    if inner is None:
        return [expression]
    rest = sympy.Mul(*(x for x in factors if x is not inner))
    return [rest * x for x in inner.args]


def profile_bounds() -> Iterator[tuple[str, str]]:
    """Name and display of every rule of every profile."""
    for profile in PROFILES.values():
        for teacher, rules in profile.rules.items():
            for number, rule in enumerate(rules, 1):
                part = "" if number == 1 else f"_{number}"
                shown = display(rule.bound) if rule.is_sum else _summands([x for _, x in rule_parts(rule, teacher)])
                yield f"{profile.name}_{SHORT[teacher]}{part}", shown


def _summands(shown: Sequence[str]) -> str:
    """A display of a sum, given by the LaTeX of its summands: on one line, or each on its own, smaller where it must be."""
    if sum(map(len, shown)) < WIDE:
        return f"{HEADER}\\[\n\\fit{{{' + '.join(shown)}}}\n\\]%\n"
    body = " \\\\\n".join(rf"\fit{{{'{} + ' if i else ''}{x}}}" for i, x in enumerate(shown))
    return f"{HEADER}\\begin{{gather*}}\n{body}\n\\end{{gather*}}%\n"


def order_forms() -> str:
    """The statements of the source in order form, one line each."""
    rows = []
    for theorem in catalogue:
        if theorem.id.startswith("lyu2023-"):
            left, shown = statement_parts(theorem)
            place = f"{theorem.reference.place} ({theorem.status})"
            rows.append((place, left, shown))
    return HEADER + _aligned(rows)


def _aligned(rows: Sequence[tuple[str, str, list[str]]]) -> str:
    lines = []
    for place, left, shown in rows:
        lines.append(rf"\intertext{{{escape_latex(place)}:}}")
        groups = _lines(shown)
        lines += [f"{left} {{}}& {groups[0]} \\\\", *(f"&{{}}+ {x} \\\\" for x in groups[1:])]
    lines[-1] = lines[-1].removesuffix(" \\\\")
    return "\\begin{align*}\n" + "\n".join(lines) + "\n\\end{align*}\n"


def _lines(shown: Sequence[str], width: int = 150) -> list[str]:
    """Summands put on as few lines as the width allows."""
    result = [shown[0]]
    for x in shown[1:]:
        if len(result[-1]) + len(x) < width:
            result[-1] += f" + {x}"
        else:
            result.append(x)
    return result


def named_functions() -> str:
    """The definition of every named function."""
    rows = []
    for name, function in vars(functions).items():
        if inspect.isclass(function) and issubclass(function, Named) and function.__module__ == functions.__name__:
            if function is functions.geometric_sum or function.primitive or function is Named:
                continue
            names = list(inspect.signature(function.definition).parameters)
            symbols = [TABLE[_CALLED.get(x, x)].symbol if _CALLED.get(x, x) in TABLE else sympy.Symbol(x) for x in names]
            tag = rf"\tag*{{\footnotesize\code{{{escape_latex(name)}}}}}"
            parts = _definition(plain(function.definition(*symbols)))
            lines = [f"{latex(function(*symbols))} ={{}}& {parts[0]}", *(f"&{{}}{x}" for x in parts[1:])]
            rows += [*lines[:-1], f"{lines[-1]} {tag}"]
    return HEADER + "{\\footnotesize\n\\begin{align*}\n" + " \\\\\n".join(rows) + "\n\\end{align*}}\n"


def _definition(expression: Any) -> list[str]:
    """LaTeX of a definition: one line, or one for each summand if it is long."""
    text = latex(expression)
    if len(text) < 0.8 * WIDE or not isinstance(expression, sympy.Add):  # the name and its tag take the rest of the line
        return [text]
    parts = [latex(x) for x in expression.args]
    return [parts[0], *(x if x.startswith("-") else f"+ {x}" for x in parts[1:])]


def symbols() -> str:
    """The table of symbols."""
    rows = [
        f"${x.latex}$ & \\code{{{escape_latex(x.name)}}} & {prose(x.meaning).latex()} & {_domain(str(x.domain))} & "
        f"{escape_latex(x.paper) or '--'} \\\\"
        for x in PARAMETERS
        if not x.internal
    ]
    head = r"symbol & name & meaning & domain & source \\"
    return "\n".join(
        [
            HEADER.rstrip("\n"),
            r"{\footnotesize",
            r"\begin{longtable}{ll>{\raggedright\arraybackslash}p{0.38\linewidth}>{\raggedright\arraybackslash}p{0.13\linewidth}l}",
            r"\toprule",
            head,
            r"\midrule",
            r"\endhead",
            *rows,
            r"\bottomrule",
            r"\end{longtable}}",
            "",
        ]
    )


def _domain(text: str) -> str:
    return (
        escape_latex(text).replace(r"\textgreater{}=", r"$\geq$").replace(r"\textgreater{}", "$>$").replace(r"\textless{}", "$<$")
    )


def float_text(stem: str, spec: Mapping[str, Any]) -> str:
    """The figure environment: caption, the parameters the data were computed with, label."""
    given = [_given(name, value) for name, value in spec.get("params", {}).items()]
    settings = "; ".join(x for x in given if x)
    caption = f"{spec['caption']} Settings: {settings}." if settings else spec["caption"]
    return (
        f"{HEADER}\\begin{{figure}}[tbp]\n\\centering\n\\includegraphics[width=\\linewidth]{{{stem}}}\n"
        f"\\caption{{{caption}}}\\label{{fig:{stem}}}\n\\end{{figure}}\n"
    )


def _given(name: str, value: Any) -> str:
    if name == "maps":
        return ""
    if name in TABLE:
        text = str(value)
        return f"${TABLE[name].latex}={latex_number(text)}$"
    shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return f"{escape_latex(name)} \\code{{{escape_latex(shown)}}}"


def formula_files() -> dict[str, str]:
    """Every formula file by its path under ``generated/``."""
    files = {f"statements/{x.id}.tex": statement(x) for x in catalogue if x.id.startswith("explicit-")}
    files |= {f"profiles/{name}.tex": text for name, text in profile_bounds()}
    return {**files, "order.tex": order_forms(), "functions.tex": named_functions(), "symbols.tex": symbols()}
