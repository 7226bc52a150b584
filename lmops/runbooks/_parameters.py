"""The parameters of a runbook: what its notebook declares, and whether given values fit.

Names reach the kernel as code, so only a name that the notebook itself declares is ever passed on; values reach it
as Python literals made from checked JSON values.
"""

from __future__ import annotations

import ast
import io
import json
import keyword
import math
import tokenize
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lmops.errors import RunbookRefusedError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_SCALARS: Final[dict[str, type]] = {"int": int, "float": float, "bool": bool, "str": str}
_TRUE: Final = frozenset({"1", "on", "true", "yes"})
_FALSE: Final = frozenset({"0", "false", "no", "off"})
_MAX_DEPTH: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Type:
    """The declared type of a parameter; ``item`` is the type inside a list or of a dict's values."""

    base: str
    item: Type | None = None
    is_optional: bool = False

    def __str__(self) -> str:
        inside = "" if self.item is None else f"[{'str, ' if self.base == 'dict' else ''}{self.item}]"
        return f"{self.base}{inside}{' | None' if self.is_optional else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One declared parameter: its name, type, default and what the comment says about unit and meaning."""

    name: str
    type: Type
    default: object
    doc: str

    def __str__(self) -> str:
        line = f"{self.name}: {self.type} = {self.default!r}"
        return f"{line}  # {self.doc}" if self.doc else line


def parse(source: str, *, where: str) -> tuple[Parameter, ...]:
    """Return the parameters that a cell declares, one a line: ``name: type = default  # unit and meaning``.

    Args:
        source: Text of the cell tagged ``parameters``.
        where: Name of the notebook, for messages.

    Raises:
        RunbookRefusedError: The cell holds anything but such lines, or a default does not fit its type.
    """
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError) as error:
        raise RunbookRefusedError(f"the parameters cell of {where} is not Python: {error}") from error
    docs = _comments(source)
    found: dict[str, Parameter] = {}
    for node in body:
        parameter = _declaration(node, docs, where)
        if parameter.name in found:
            raise RunbookRefusedError(f"the parameters cell of {where} declares {parameter.name!r} twice")
        found[parameter.name] = parameter
    return tuple(found.values())


def bind(
    parameters: Iterable[Parameter], given: Mapping[str, object], assignments: Iterable[str] = ()
) -> dict[str, object]:
    """Return the values to pass on, each with a declared name and of its declared type.

    Args:
        parameters: What the notebook declares.
        given: Values by name, as Python objects.
        assignments: Texts ``name=value`` from a command line; the value is read by the declared type.

    Raises:
        RunbookRefusedError: A name is unknown or given twice, or a value does not fit; every problem is named.
    """
    known = {parameter.name: parameter for parameter in parameters}
    values: dict[str, object] = {}
    problems: list[str] = []
    for name, value in given.items():
        if problem := _name_problem(name, known):
            problems.append(problem)
        elif problem := _problem(value, known[name].type):
            problems.append(f"{name}: {problem}")
        else:
            values[name] = value
    for text in assignments:
        name, sign, value_text = text.partition("=")
        name = name.strip()
        if not sign:
            problems.append(f"{_shorten(text)} is not of the form name=value")
        elif problem := _name_problem(name, known):
            problems.append(problem)
        elif name in values:
            problems.append(f"{name} is given twice")
        else:
            try:
                values[name] = convert(value_text, known[name].type)
            except ValueError as error:
                problems.append(f"{name}: {error}")
    if problems:
        raise RunbookRefusedError("; ".join(problems))
    return values


def convert(text: str, to: Type) -> object:
    """Return the value that a text from a command line stands for.

    Raises:
        ValueError: The text is not a value of that type.
    """
    if to.is_optional and text.strip().lower() in {"none", "null"}:
        return None
    if to.base == "str":
        return text
    value: object
    if to.base == "bool":
        word = text.strip().lower()
        if word not in _TRUE | _FALSE:
            raise ValueError(f"expected {to}, got {_shorten(text)}; use true or false")
        return word in _TRUE
    try:
        if to.base == "int":
            value = int(text)
        elif to.base == "float":
            value = float(text)
        else:
            value = json.loads(text)
    except (ValueError, RecursionError) as error:
        form = " as JSON" if to.base in {"list", "dict"} else ""
        raise ValueError(f"expected {to}{form}, got {_shorten(text)}") from error
    if problem := _problem(value, to):
        raise ValueError(problem)
    return value


def _declaration(node: ast.stmt, docs: Mapping[int, str], where: str) -> Parameter:
    line = f"line {node.lineno} of the parameters cell of {where}"
    if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name) or node.value is None:
        raise RunbookRefusedError(f"{line} is not of the form `name: type = default  # unit and meaning`")
    declared = _type(node.annotation)
    if declared is None:
        raise RunbookRefusedError(
            f"{line} has the type {ast.unparse(node.annotation)}; use int, float, bool, str, list, dict, "
            "list[...], dict[str, ...], or one of them with `| None`"
        )
    try:
        default = ast.literal_eval(node.value)
    except ValueError as error:
        raise RunbookRefusedError(
            f"{line}: the default must be a plain value, not {ast.unparse(node.value)}"
        ) from error
    if problem := _problem(default, declared):
        raise RunbookRefusedError(f"{line}: the default does not fit: {problem}")
    doc = docs.get(node.end_lineno or node.lineno, "")
    return Parameter(name=node.target.id, type=declared, default=default, doc=doc)


def _type(node: ast.expr) -> Type | None:
    """Return the type an annotation stands for, or None when it is not one we know."""
    match node:
        case ast.Name(id=base) if base in _SCALARS or base in {"list", "dict"}:
            return Type(base=base)
        case ast.BinOp(left=left, op=ast.BitOr(), right=ast.Constant(value=None)):
            inner = _type(left)
            return None if inner is None else Type(base=inner.base, item=inner.item, is_optional=True)
        case ast.Subscript(value=ast.Name(id="list"), slice=inside):
            item = _type(inside)
            return None if item is None else Type(base="list", item=item)
        case ast.Subscript(value=ast.Name(id="dict"), slice=ast.Tuple(elts=[ast.Name(id="str"), inside])):
            item = _type(inside)
            return None if item is None else Type(base="dict", item=item)
    return None


def _comments(source: str) -> dict[int, str]:
    """Return the comment of each line."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {token.start[0]: token.string.lstrip("#").strip() for token in tokens if token.type == tokenize.COMMENT}


def _name_problem(name: object, known: Mapping[str, Parameter]) -> str:
    """Return why a name cannot be passed on, or "" when the notebook declares it."""
    if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
        return f"{_shorten(name)} is not a parameter name"
    return "" if name in known else did_you_mean("parameter", name, known)


def _problem(value: object, wanted: Type) -> str:
    """Return why a value does not fit a type, or ""."""
    if value is None:
        return "" if wanted.is_optional else f"expected {wanted}, got None"
    # exactly these classes: a bool is no int here, and a subclass may print as something else
    exact = type(value)
    fits = exact is {"list": list, "dict": dict, **_SCALARS}[wanted.base] or (wanted.base == "float" and exact is int)
    if not fits:
        return f"expected {wanted}, got {_shorten(value)} ({exact.__name__})"
    if problem := _json_problem(value):
        return problem
    if wanted.item is None:
        return ""
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next((problem for item in items if (problem := _problem(item, wanted.item))), "")


def _json_problem(value: object, depth: int = 0) -> str:
    """Return why a value has no JSON form, or ""."""
    if depth > _MAX_DEPTH:
        return f"nested more than {_MAX_DEPTH} deep"
    parts: Iterable[object] = ()
    problem = ""
    if type(value) is str:
        # a lone surrogate has no UTF-8 form: neither the notebook nor the record could keep it
        problem = "" if _has_utf8(value) else "text that has no UTF-8 form"
    elif type(value) is float:
        problem = "" if math.isfinite(value) else f"{value} is not a finite number"
    elif type(value) is list:
        parts = value
    elif type(value) is dict:
        problem = "" if all(type(key) is str for key in value) else "the keys of a dict must be text"
        parts = (part for pair in value.items() for part in pair)
    elif value is not None and type(value) not in {bool, int}:
        problem = f"{_shorten(value)} ({type(value).__name__}) has no JSON form"
    return problem or next((found for part in parts if (found := _json_problem(part, depth + 1))), "")


def _has_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shorten(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 80 else text[:77] + "..."
