"""Pure rendering: template messages and values in, messages out; errors in the words of whoever writes prompts."""

from __future__ import annotations

import functools
import math
import numbers
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.errors import UsageError, did_you_mean
from lmops.text import plain_line

if TYPE_CHECKING:
    from types import TracebackType

_MAX_DEPTH: Final = 64
#: What pandas puts where there is nothing.
_MISSING: Final = frozenset({"NAType", "NaTType"})
_SPAN_CHARS: Final = 2000
_SPAN_VARIABLES: Final = 50


class Use(NamedTuple):
    """Where a variable is used first, and whether the template does without it."""

    message: int
    line: int
    is_optional: bool


class _Compiled(NamedTuple):
    template: Any
    uses: dict[str, tuple[int, bool]]


class _Refused(NamedTuple):
    line: int | None
    problem: str


def analyse(messages: Sequence[Mapping[str, str]]) -> dict[str, Use]:
    """Return the variables of template messages, in the order in which they first appear.

    A variable is optional when the template asks whether it is there: ``{{ x | default('') }}``, ``x is defined``.

    Raises:
        UsageError: A template does not parse or does what templates may not; the message says where.
    """
    found: dict[str, Use] = {}
    for number, message in enumerate(messages, start=1):
        for name, (line, is_optional) in _compiled(message, number, len(messages)).uses.items():
            before = found.get(name)
            if before is None:
                found[name] = Use(number, line, is_optional)
            elif not is_optional:
                found[name] = before._replace(is_optional=False)
    return found


def render(messages: Sequence[Mapping[str, str]], given: Mapping[str, Any], *, ref: str = "the prompt") -> list[Any]:
    """Return the messages with the variables put in.

    Args:
        messages: Dicts of "role" and "content", a template.
        given: Plain data by variable; values are never read as templates.
        ref: What the prompt is called in errors.

    Raises:
        UsageError: Variables are missing or unknown, a value is not plain data, or the template fails.
    """
    uses = analyse(messages)
    _check_names(uses, given, ref)
    values = {name: _plain(value, name, ref) for name, value in given.items()}
    rendered = []
    for number, message in enumerate(messages, start=1):
        compiled = _compiled(message, number, len(messages))
        where = _where(message, number, len(messages))
        rendered.append({"role": message["role"], "content": _run(compiled.template, values, ref=ref, where=where)})
    return rendered


def mark_span(name: str, version: int, given: Mapping[str, Any]) -> None:
    """Name a prompt version, and what went into it, on the span that runs now; without a span nothing happens."""
    from opentelemetry import trace

    span = trace.get_current_span()
    if not span.is_recording():
        return
    span.set_attribute("gen_ai.prompt.name", name)
    span.set_attribute("gen_ai.prompt.version", str(version))
    for key, value in list(given.items())[:_SPAN_VARIABLES]:
        span.set_attribute(f"gen_ai.prompt.variable.{key}", str(value)[:_SPAN_CHARS])


def _check_names(uses: Mapping[str, Use], given: Mapping[str, Any], ref: str) -> None:
    """Name everything that is missing and everything that is unknown, at once."""
    missing = [name for name, use in uses.items() if name not in given and not use.is_optional]
    unknown = [str(name) for name in given if name not in uses]
    if not missing and not unknown:
        return
    parts = []
    if missing:
        listed = ", ".join(f"{name!r} ({_line_of(uses[name])})" for name in missing[:20])
        parts.append(f"{ref} needs {'variable' if len(missing) == 1 else 'variables'} {listed}")
    if unknown:
        parts.append("; ".join(_unknown(name, uses) for name in unknown[:10]))
    said = ", ".join(repr(plain_line(name, 60)) for name in list(given)[:20]) or "nothing"
    raise UsageError("; ".join(parts) + f"; given: {said}")


def _unknown(name: str, uses: Mapping[str, Use]) -> str:
    return did_you_mean("variable", name, uses)


def _line_of(use: Use) -> str:
    return f"line {use.line}" if use.message == 1 else f"message {use.message}, line {use.line}"


def _where(message: Mapping[str, str], number: int, total: int) -> str:
    return "the template" if total == 1 else f"message {number} ({message['role']})"


def _compiled(message: Mapping[str, str], number: int, total: int) -> _Compiled:
    found = _compile(message["content"])
    if isinstance(found, _Refused):
        line = f", line {found.line}" if found.line else ""
        raise UsageError(f"{_where(message, number, total)}{line}: {found.problem}")
    return found


@functools.lru_cache(maxsize=256)
def _compile(source: str) -> _Compiled | _Refused:
    from jinja2.exceptions import SecurityError, TemplateError

    sandbox = _sandbox()
    try:
        found = sandbox.compiled(source)
    except SecurityError as error:
        return _Refused(getattr(error, "lineno", None), f"refused, {error.message}")
    except TemplateError as error:
        return _Refused(getattr(error, "lineno", None), f"not a valid template: {plain_line(error.message, 300)}")
    except (SyntaxError, RecursionError, MemoryError, ValueError, OverflowError) as error:
        return _Refused(None, f"not a valid template: too deeply nested or too large ({type(error).__name__})")
    names = _names(found.parts)
    taken = next((node.lineno for node in names if node.name == "self"), None)
    if taken is not None:  # it is itself, and never what somebody gives
        return _Refused(taken, "'self' belongs to the template language and is no variable; give it another name")
    return _Compiled(found.template, _uses(found.parts, names, _given(found, names, sandbox)))


def _names(parts: Sequence[Any]) -> list[Any]:
    """Return where a template reads a name."""
    from jinja2 import nodes

    return [node for node in parts if isinstance(node, nodes.Name) and node.ctx == "load"]


def _given(found: Any, names: Sequence[Any], sandbox: Any) -> set[str]:
    """Return the names that a template takes from outside; ``range`` and its like only where they are not called."""
    from jinja2 import nodes

    called = {id(node.node) for node in found.parts if isinstance(node, nodes.Call)}
    said = {node.name for node in names if id(node) not in called}
    outside: set[str] = found.outside
    return outside - (set(sandbox.globals) - said)


@functools.cache
def _sandbox() -> Any:
    from lmops.prompts._sandbox import Sandbox

    return Sandbox()


def _uses(parts: Sequence[Any], names: Sequence[Any], given: set[str]) -> dict[str, tuple[int, bool]]:
    from jinja2 import nodes

    asked = {
        node.node.name
        for kind, words in ((nodes.Filter, ("default", "d")), (nodes.Test, ("defined", "undefined")))
        for node in parts
        if isinstance(node, kind) and node.name in words and isinstance(node.node, nodes.Name)
    }
    found: dict[str, tuple[int, bool]] = {}
    for node in sorted(names, key=lambda node: node.lineno):
        if node.name in given:
            found.setdefault(node.name, (node.lineno, node.name in asked))
    return found


def _plain(value: Any, where: str, ref: str, depth: int = 0) -> Any:
    """Return plain data: a template may call what an object offers, so objects stay outside."""
    if value is None or isinstance(value, bool) or type(value).__name__ in _MISSING:
        return value if isinstance(value, bool) else None
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        if math.isinf(value):
            raise UsageError(f"{ref}: the variable {where} is infinite ({value}); give a number or None")
        # What a frame has where there is nothing.
        return None if math.isnan(value) else float(value)
    if depth < _MAX_DEPTH and isinstance(value, Mapping):
        return {str(key): _plain(item, f"{where}.{str(key)[:40]}", ref, depth + 1) for key, item in value.items()}
    if depth < _MAX_DEPTH and isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [_plain(item, f"{where}[{place}]", ref, depth + 1) for place, item in enumerate(value)]
    deep = " (nested too deeply)" if depth >= _MAX_DEPTH else ""
    raise UsageError(
        f"{ref}: the variable {where} is {type(value).__name__}{deep}; "
        "give text, numbers, booleans, None, lists and dicts of them"
    )


def _run(template: Any, values: dict[str, Any], *, ref: str, where: str) -> str:
    from jinja2.exceptions import SecurityError, UndefinedError

    from lmops.prompts._sandbox import run

    try:
        return run(template, values)
    except Exception as error:  # noqa: BLE001  # whatever a template makes happen is a fault of the template
        line = _template_line(error.__traceback__)
        place = f"{ref}, {where}" + (f", line {line}" if line else "")
        said = plain_line(getattr(error, "message", None) or error, 300)
        if isinstance(error, UndefinedError):
            given = ", ".join(repr(name) for name in list(values)[:20]) or "nothing"
            raise UsageError(f"{place}: {said}; given: {given}") from None
        if isinstance(error, SecurityError):
            nothing = ", ".join(repr(name) for name, value in values.items() if value is None)
            said += f"; given as None: {nothing}" if nothing and "(None)" in said else ""
            raise UsageError(f"{place}: refused, {said}") from None
        raise UsageError(f"{place}: {type(error).__name__}: {said}") from None


def _template_line(trace: TracebackType | None) -> int | None:
    """Return the line of the template in which an error arose; jinja2 puts it into the traceback."""
    line = None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
