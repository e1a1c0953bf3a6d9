"""Statements of one's own: from expressions, texts, or a file to the record every part of the package takes."""

from __future__ import annotations

import re
import runpy
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

import sympy

from cmbound.checks import checked_text, shown
from cmbound.errors import CmboundError, EndedError, InputError, UnknownNameError
from cmbound.files import read_text
from cmbound.theory.computable import require_computable
from cmbound.theory.notation import PUBLIC, TABLE, WORDS, own, symbol
from cmbound.theory.records import Assumption, Reference, Term, Theorem

_WORD = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")
_PLAIN = re.compile(r"[\w\s.,+\-*/()]*")
_NUMBER = re.compile(r"(?<![\w.])[0-9]+\.?[0-9]*[eE][+-]?[0-9]+|(?<![\w.])[0-9]+\.[0-9]*|(?<![\w.])\.[0-9]+")
_ID = re.compile(r"[A-Za-z0-9][\w.+-]*")
_SIGN = re.compile(r"<=|>=|==|!=|<>|=<|=>|[<>=≤≥≠]")
_CHECKED = {"<=": sympy.Le, ">=": sympy.Ge, "<": sympy.Lt, ">": sympy.Gt}
_MOST = 1000  # of an exponent: a power of numbers is computed while it is read
_LATEX = {"W1": "W_1", "W2": "W_2"}


def defined(
    id: str,
    terms: Mapping[str, Any],
    *,
    title: str = "",
    metric: str = "W2",
    kind: str = "explicit",
    quantity: str = "",
    quantity_latex: str = "",
    assumptions: Iterable[Any] = (),
    reference: str | Reference = "",
    derivation: str = "",
    rests_on: Iterable[str] = (),
    free: Iterable[str] = (),
    experiment: str = "",
    remark: str = "",
    complexity: Any = None,
) -> Theorem:
    """See :meth:`cmbound.evaluation.statement.Statement.define`."""
    here = f"statement {checked_text('the id of a statement', id)!r}"
    if not isinstance(terms, Mapping) or not terms:
        raise InputError(f"the terms of {here} must be a mapping of names to expressions that is not empty, got {shown(terms)}")
    if not _ID.fullmatch(id):
        raise InputError(f"the id of a statement is made of letters, digits and . _ + -, got {id!r}")
    found = {name: expression(f"term {name!r} of {here}", x) for name, x in terms.items()}
    hidden = TABLE["C"].symbol
    if kind == "order" and not any(x.has(hidden) for x in found.values()):
        found = {name: hidden * x for name, x in found.items()}
    sources = tuple(Term(name, x) for name, x in found.items())
    rows = [TABLE[x] for x in sorted({x.name for t in sources for x in t.expression.free_symbols}) if own(x)]
    law, escaped = f"{metric}(q, p_data)", re.sub(r"[%#&_$]", r"\\\g<0>", str(metric))
    return Theorem(
        id=id,
        title=title or id,
        kind=kind,
        status="stated",
        metric=metric,
        quantity=quantity or law,
        quantity_latex=quantity_latex or _LATEX.get(metric, rf"\mathrm{{{escaped}}}") + r"(q, p_{\mathrm{data}})",
        reference=_reference(reference, id),
        provenance="defined by its author",
        sources=sources,
        statement_assumptions=tuple(_assumption(x, i, here) for i, x in enumerate(_several(assumptions), 1)),
        derivation=derivation or "by its author",
        rests_on=_several(rests_on),
        free=_several(free),
        known="own",
        complexity=None if complexity is None else expression(f"complexity of {here}", complexity),
        experiment=experiment,
        remark=remark,
        own_parameters=tuple(rows),
    )


def _several(given: Any) -> tuple[Any, ...]:
    """A text is one of them, not its letters."""
    return (given,) if isinstance(given, str) or not isinstance(given, Iterable) else tuple(given)


OPTIONS = tuple(defined.__kwdefaults__ or ())
"""What a definition may say besides id and terms."""


def expression(what: str, given: Any) -> Any:
    """An exact expression in the symbols of the table, from a SymPy expression, a number or a text.

    Raises:
        InputError: something else, a float, or a function no arithmetic computes. UnknownNameError: an unknown symbol.
    """
    if isinstance(given, str) and not given.strip():
        raise InputError(f"{what} is empty: an expression is needed")
    expr = _read(what, given) if isinstance(given, str) else given
    try:
        expr = sympy.sympify(expr, strict=True)
    except sympy.SympifyError:
        raise InputError(f"{what} must be a SymPy expression, a number or a text, got {shown(given)}") from None
    for x in sorted(expr.free_symbols, key=str):
        if x.name not in TABLE or TABLE[x.name].internal:
            raise UnknownNameError("symbol", x.name, PUBLIC, hint=f" in {what}; cmbound.symbol makes one of your own")
    expr = expr.xreplace({x: TABLE[x.name].symbol for x in expr.free_symbols})
    if expr.has(sympy.nan, sympy.oo, -sympy.oo, sympy.zoo):
        raise InputError(f"{what} must be finite, got {'a division by 0' if expr.has(sympy.zoo) else expr} in {shown(given)}")
    if expr.atoms(sympy.Float):
        raise InputError(f"{what} must be exact, got {expr}: write Rational(1, 10) or the text '0.1', not 0.1")
    if not expr.is_extended_real and expr.is_extended_real is not None:
        raise InputError(f"{what} must be real, got {expr}")
    require_computable(expr)
    return expr


def _read(what: str, text: str) -> Any:
    """A text, of which every word is a parameter or a function: nothing else is evaluated. Decimals are exact."""
    text = text.replace("^", "**")
    if not _PLAIN.fullmatch(text):
        raise InputError(f"{what} must be written with numbers, parameters, {', '.join(WORDS)} and + - * / ** ( ), got {text!r}")
    words = {x: TABLE[x].symbol for x in _WORD.findall(_NUMBER.sub("1", text)) if x in PUBLIC}
    for x in _WORD.findall(_NUMBER.sub("1", text)):
        if x not in PUBLIC and x not in WORDS:
            raise UnknownNameError("name", x, [*PUBLIC, *WORDS], hint=f" in {what}")
    names = {**{x: getattr(sympy, x) for x in WORDS}, **words}
    functions = {x: getattr(sympy, x) for x in ("Rational", "Integer", "Add", "Mul", "Pow")}
    exact = _NUMBER.sub(lambda x: f"Rational('{x[0]}')", text)
    try:
        bare = sympy.parse_expr(exact, names, global_dict=dict(functions), evaluate=False)
        large = any(_is_large(x.exp) for x in bare.atoms(sympy.Pow))
        found = None if large else sympy.parse_expr(exact, names, global_dict=functions)
    except (SyntaxError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{what} is {text!r}, which cannot be read: {error}") from None
    if large:
        raise InputError(f"{what} is {text!r}: a number in an exponent is at most {_MOST}")
    return found


def _is_large(exponent: Any) -> bool:
    """Whether a number in an exponent is large, or a power itself (a quotient is a power with exponent -1)."""
    if exponent.free_symbols:
        return False
    return any(x.exp != -1 for x in exponent.atoms(sympy.Pow)) or bool(abs(exponent.doit()) > _MOST)


def _reference(given: str | Reference, title: str) -> Reference:
    if isinstance(given, Reference):
        return given
    key, _, place = given.partition(",")
    return Reference(key.strip() or "this work", place.strip() or title)


def _assumption(given: Any, number: int, here: str) -> Assumption:
    if isinstance(given, Assumption):
        return given
    if isinstance(given, str):
        signs, sides = _SIGN.findall(given), [x.strip() for x in _SIGN.split(given)]
        if not signs or re.search(r"[A-Za-z_]\w*\s+\w", given):
            return Assumption(f"own-{number}", given)
        if not re.search("[<>]|==", given) and not _are_known(sides):
            return Assumption(f"own-{number}", given)
        if len(signs) != 1 or signs[0] not in _CHECKED:
            raise InputError(
                f"an assumption of {here} must be one inequality with <, <=, > or >=, which is checked, or prose, got {given!r}"
            )
        left, right = (expression(f"assumption {given!r} of {here}", x) for x in sides)
        return Assumption(f"own-{number}", given, _CHECKED[signs[0]](left, right))
    if isinstance(given, sympy.core.relational.Relational):
        return Assumption(
            f"own-{number}", str(given), given.func(*(expression(f"an assumption of {here}", x) for x in given.args))
        )
    raise InputError(f"an assumption of {here} must be text, an inequality or an Assumption, got {shown(given)}")


def _are_known(texts: Iterable[str]) -> bool:
    """Whether all are expressions in known symbols."""
    try:
        return all(expression("a side", x) is not None for x in texts)
    except CmboundError:
        return False


# --- files ------------------------------------------------------------------------------------------------------------


def from_file(path: str) -> list[Theorem]:
    """The statements a file defines.

    Args:
        path: a Python file, of which every statement it leaves in a variable is taken, or a TOML file with
            ``[[symbol]]`` (name, domain, meaning, latex) and ``[[statement]]`` (id, title, metric, terms, ...) tables.

    Raises:
        InputError: the file cannot be read, fails, or defines no statement.
    """
    if path.endswith(".toml"):
        found = _from_toml(path)
    elif path.endswith(".py"):
        found = _from_python(path)
    else:
        raise InputError(f"{path}: statements are defined in a .py or a .toml file")
    if not found:
        raise InputError(f"{path} defines no statement (in Python: name = cmbound.Statement.define(...))")
    return found


def _from_python(path: str) -> list[Theorem]:
    read_text(path)  # a file that cannot be read is refused in one line
    try:
        names = runpy.run_path(path)
    except (CmboundError, KeyboardInterrupt, EndedError):
        raise
    except BaseException as error:  # whatever a user's script does
        raise InputError(f"{path} fails: {type(error).__name__}: {' '.join(str(error).split())}") from None
    return [x for x in names.values() if isinstance(x, Theorem)]


def _from_toml(path: str) -> list[Theorem]:
    try:
        data = tomllib.loads(read_text(path), parse_float=str)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"cannot read {path} as TOML: {error}") from None
    for name, rows in data.items():
        if name not in ("symbol", "statement"):
            raise UnknownNameError("table", name, ("symbol", "statement"), hint=f" in {path}")
        if not isinstance(rows, list) or not all(isinstance(x, dict) for x in rows):
            raise InputError(f"{path}: {name} must be an array of tables, each headed [[{name}]], got {shown(rows)}")
    try:
        for row in data.get("symbol", ()):
            symbol(**row)
        return [defined(**row) for row in data.get("statement", ())]
    except TypeError as error:
        raise InputError(f"{path}: {str(error).partition('() ')[2] or error}") from None
