"""Where templates run: plain data in, text out, nothing else, and never for long.

jinja2's sandbox keeps a template away from Python. It does not keep it from asking for too much: ``'x' * 10**9``, loops
in loops, text that doubles with every turn. So the template's tree is changed before it is compiled: every turn of a
loop and every call of a macro counts, and whatever makes text or lists out of others is measured before it is made.
"""

from __future__ import annotations

import functools
import json
import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sized
from contextvars import ContextVar
from html import escape
from io import StringIO
from typing import Any, Final, NamedTuple

from jinja2 import StrictUndefined, filters, nodes, pass_context  # imported when something is rendered
from jinja2.compiler import CodeGenerator
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context, LoopContext, Macro, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace
from jinja2.visitor import NodeTransformer

MAX_CHARS: Final = 10_000_000
MAX_STEPS: Final = 1_000_000
MAX_SECONDS: Final = 10.0
MAX_NODES: Final = 20_000
_MAX_BITS: Final = 10_000
_MAX_INDENT: Final = 1000
_MAX_DIGITS: Final = 20
_MAX_DEPTH: Final = 100
_MAX_NUMERAL: Final = 1000

_STRING_METHODS: Final = (
    "capitalize", "casefold", "count", "endswith", "find", "index", "isalnum", "isalpha", "isdigit", "islower",
    "isnumeric", "isspace", "isupper", "join", "lower", "lstrip", "partition", "removeprefix", "removesuffix",
    "replace", "rfind", "rpartition", "rsplit", "rstrip", "split", "splitlines", "startswith", "strip", "title",
    "upper",
)  # fmt: skip  # many words: packed, they are read at a glance
_METHODS: Final[dict[type, frozenset[str]]] = {
    str: frozenset(_STRING_METHODS),
    dict: frozenset(("get", "items", "keys", "values")),
    list: frozenset(("count", "index")),
    tuple: frozenset(("count", "index", "grouper", "list")),  # the last two: groups of groupby
}
_FILTERS: Final = (
    "abs", "capitalize", "count", "d", "default", "dictsort", "filesizeformat", "first", "float", "groupby", "indent",
    "int", "items", "join", "last", "length", "list", "lower", "map", "max", "min", "reject", "rejectattr", "replace",
    "reverse", "round", "select", "selectattr", "sort", "string", "sum", "title", "trim", "truncate", "unique", "upper",
    "urlencode", "wordcount",
)  # fmt: skip  # many words: packed, they are read at a glance
#: What may be written as it is; anything else would write its address in memory.
_WRITABLE: Final = (str, int, float, type(None), Mapping, list, tuple, set, frozenset, range)
#: Their result is no larger than what they were given, and they do not read all of it.
_FREE: Final = frozenset(("count", "d", "default", "first", "last", "length"))
_NODES: Final = (
    nodes.Expr,
    nodes.Helper,
    nodes.Template,
    nodes.Output,
    nodes.For,
    nodes.If,
    nodes.Macro,
    nodes.CallBlock,
    nodes.FilterBlock,
    nodes.With,
    nodes.Assign,
    nodes.AssignBlock,
)


class Budget:
    """What one rendering may still use."""

    def __init__(self) -> None:
        self.chars = MAX_CHARS
        self.steps = MAX_STEPS
        self.deadline = time.monotonic() + MAX_SECONDS

    def step(self, chars: int = 0, steps: int = 1) -> None:
        """Count steps and characters made."""
        self.chars -= chars
        self.steps -= steps
        if self.chars < 0:
            raise SecurityError(f"it makes more than {MAX_CHARS:,} characters")
        if self.steps < 0:
            raise SecurityError(f"it takes more than {MAX_STEPS:,} steps")
        if time.monotonic() > self.deadline:
            raise SecurityError(f"it takes longer than {MAX_SECONDS:.0f} seconds")

    def counted(self, values: Iterator[Any]) -> Iterator[Any]:
        """Pass values on and count them."""
        for value in values:
            self.step()
            yield value

    def room_for(self, chars: int) -> None:
        """Count characters before they are made."""
        self.step(chars=max(chars, 0))


_BUDGET: ContextVar[Budget] = ContextVar("lmops_prompt_budget")


def budget() -> Budget:
    """Return the budget of the rendering that runs."""
    return _BUDGET.get()


def text_of(value: Any) -> str:
    """Return a value as text, measured first; what was never given is an error."""
    if isinstance(value, str):
        return value
    _size(value)
    refuse_nothing(value)
    if not isinstance(value, _WRITABLE):
        raise SecurityError(f"it writes a {type(value).__name__}, which is no text: call it, or use | list or | join")
    return str(value)


def refuse_nothing(value: Any) -> None:
    """Raise for None and NaN, also within a list or an object: a model would read them as words."""
    if isinstance(value, Mapping):
        for pair in value.items():
            refuse_nothing(pair)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            refuse_nothing(item)
    elif value is None or (isinstance(value, float) and not math.isfinite(value)):
        said = "nothing (None)" if value is None else f"no number ({value})"
        raise SecurityError(
            f"it writes {said} as text; write {{{{ name | default('...') }}}} or {{% if name is not none %}} for what "
            "may be missing, {{ name | tojson }} for a list or an object with gaps"
        )


def _default(value: Any, default_value: Any = "", boolean: bool = False) -> Any:  # jinja2's
    """Return the value, or another one where it was not given or is nothing."""
    is_missing = isinstance(value, Undefined) or value is None or (boolean and not value)
    return default_value if is_missing else value


def _size(value: Any, depth: int = 0) -> int:
    """Return about how many characters a value has as text, counting the steps that finding out takes."""
    budget().step()
    if depth > _MAX_DEPTH:
        raise SecurityError(f"it nests lists deeper than {_MAX_DEPTH} levels")
    if isinstance(value, str):
        size = len(value)
    elif isinstance(value, Mapping):
        size = sum(_size(key, depth + 1) + _size(item, depth + 1) + 4 for key, item in value.items())
    elif isinstance(value, list | tuple | set | frozenset):
        size = sum(_size(item, depth + 1) + 2 for item in value)
    elif isinstance(value, Undefined):
        str(value)  # raises, with its name
        size = 0
    else:
        size = 20
    if size > MAX_CHARS:
        raise SecurityError(f"it makes more than {MAX_CHARS:,} characters")
    return size


@pass_context
def _finalize(_context: Context, value: Any) -> str:
    """Turn each value that is written into text."""
    if isinstance(value, Undefined):
        return str(value)  # raises, with its name
    text = text_of(value)
    budget().step(chars=len(text))
    return text


class Sandbox(ImmutableSandboxedEnvironment):
    """The environment of prompts: no loaders, no autoescaping, strict about what is missing, and bounded."""

    intercepted_binops = frozenset(("+", "*", "**", "%"))

    def __init__(self) -> None:
        # Not optimised: nothing of a template runs before its budget is there.
        super().__init__(
            undefined=StrictUndefined, keep_trailing_newline=True, optimized=False, cache_size=0, finalize=_finalize
        )
        self.globals = {name: self.globals[name] for name in ("range", "dict", "namespace")}
        self.filters = {name: _measured(filters.FILTERS[name], name) for name in _FILTERS}
        self.filters |= {
            "d": _measured(_default, "d"),
            "default": _measured(_default, "default"),
            "tojson": _measured(_tojson, "tojson"),
            "e": _measured(_escape, "e"),
            "escape": _measured(_escape, "escape"),
        }

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Return whether an attribute may be used: a few methods of plain data, and what loops offer."""
        for kind, names in _METHODS.items():
            if isinstance(obj, kind):
                return attr in names
        if isinstance(obj, LoopContext | Namespace | Macro | Undefined):
            return super().is_safe_attribute(obj, attr, value)
        return False

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return what ``obj.attribute`` means: of data its own keys come first, whatever methods a dict has."""
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)

    def wrap_str_format(self, value: Any) -> None:
        """``str.format`` is a language of its own and is not offered."""

    def call(__self, __context: Context, __obj: Any, *args: Any, **_kwargs: Any) -> Any:  # jinja2's
        """Call a macro, a loop, a global function or a method of plain data, and count it."""
        spent = budget()
        spent.step()
        owner = getattr(__obj, "__self__", None)
        if isinstance(owner, str):
            values = [*args, *_kwargs.values()]
            if __obj.__name__ == "replace" and len(values) > 1:
                _check_replace(owner, str(values[0]), str(values[1]))
            elif __obj.__name__ == "join" and values:
                _check_join(list(spent.counted(iter(values[0]))), owner)
            else:
                spent.step(chars=len(owner))
        result = super().call(__context, __obj, *args, **_kwargs)
        return __self.measured(result) if isinstance(result, list | dict) else result

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:  # jinja2's
        """Compute ``+ * ** %`` after looking at how large the result gets."""
        if operator == "%" and isinstance(left, str):
            raise SecurityError("it formats text with %; write {{ a }} or join text with ~")
        if operator == "+" and isinstance(left, Sized) and isinstance(right, Sized):
            budget().step(chars=len(left) + len(right))
        if operator == "*":
            for some, times in ((left, right), (right, left)):
                if isinstance(some, Sized) and isinstance(times, int):
                    budget().step(chars=len(some) * max(times, 0))
        if operator in ("*", "**") and isinstance(left, int) and isinstance(right, int):
            bits = left.bit_length() * right if operator == "**" else left.bit_length() + right.bit_length()
            if bits > _MAX_BITS:
                raise SecurityError(f"it computes a number of more than {_MAX_BITS:,} bits")
        return self.binop_table[operator](left, right)

    def tick(self, chars: int) -> None:
        """Count one turn of a loop or one call of a macro, with the fixed text in it."""
        budget().step(chars=chars)

    def measured(self, value: Any) -> Any:
        """Return a list or dict that a template makes: comparing or writing it must not take for ever."""
        _size(value)
        return value

    def concat_measured(self, *parts: Any) -> str:
        """Return what ``a ~ b`` makes."""
        text = "".join(map(text_of, parts))
        budget().step(chars=len(text))
        return text

    def compiled(self, source: str) -> Compiled:
        """Return the template as jinja2 runs it, and what it is made of as it was written.

        Raises:
            TemplateSyntaxError: It does not parse.
            SecurityError: It does what templates of prompts may not.
        """
        tree = self.parse(source)
        parts = list(_walk(tree))
        if len(parts) > MAX_NODES:
            # Compiling has no other bound, and takes a second for every few thousand of them.
            raise SecurityError(f"it has {len(parts):,} variables, tags and texts, more than {MAX_NODES:,}")
        refuse_nodes(parts)
        changed = _Bounded().visit(tree)
        changed.set_environment(self)
        writer = _Writer(self)
        writer.visit(changed)
        code = self._compile(writer.stream.getvalue(), "<template>")
        return Compiled(self.template_class.from_code(self, code, self.make_globals(None)), parts, writer.outside)


class Compiled(NamedTuple):
    """A template that can run.

    Args:
        template: What runs.
        parts: The nodes of its text.
        outside: The names that it takes from outside, those of global functions among them.
    """

    template: Any
    parts: list[nodes.Node]
    outside: set[str]


class _Writer(CodeGenerator):
    """Writes the code of a template, and notes on the way what it takes from outside: the same walk tells both."""

    stream: StringIO

    def __init__(self, environment: Sandbox) -> None:
        super().__init__(environment, None, "<template>", StringIO(), optimized=False)
        self.outside: set[str] = set()

    def enter_frame(self, frame: Any) -> None:  # jinja2's
        super().enter_frame(frame)
        self.outside.update(name for action, name in frame.symbols.loads.values() if action == "resolve" and name)


class _Bounded(NodeTransformer):
    """Makes turns and calls count, and ``~`` measured."""

    def visit_For(self, node: nodes.For) -> Any:  # jinja2's
        return self._counting(node)

    def visit_Macro(self, node: nodes.Macro) -> Any:
        return self._counting(node)

    def visit_CallBlock(self, node: nodes.CallBlock) -> Any:
        return self._counting(node)

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        return _call("concat_measured", node.nodes, node.lineno)

    def visit_List(self, node: nodes.List) -> nodes.Node:
        return self._measured(node)

    def visit_Dict(self, node: nodes.Dict) -> nodes.Node:
        return self._measured(node)

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:
        self.generic_visit(node)
        return _call("measured", [node], node.lineno) if node.ctx == "load" else node

    def _measured(self, node: Any) -> nodes.Node:
        self.generic_visit(node)
        return _call("measured", [node], node.lineno)

    def _counting(self, node: Any) -> Any:
        chars = sum(map(_static_chars, node.body))
        self.generic_visit(node)
        tick = _call("tick", [nodes.Const(chars, lineno=node.lineno)], node.lineno)
        node.body.insert(0, nodes.ExprStmt(tick, lineno=node.lineno))
        return node


def _call(name: str, args: list[nodes.Expr], lineno: int) -> nodes.Call:
    function = nodes.EnvironmentAttribute(name, lineno=lineno)
    return nodes.Call(function, args, [], None, None, lineno=lineno)


def _static_chars(node: nodes.Node) -> int:
    """Return the characters of fixed text that one turn writes; inner loops count for themselves."""
    if isinstance(node, nodes.TemplateData):
        return len(node.data)
    if isinstance(node, nodes.For | nodes.Macro | nodes.CallBlock):
        return 0
    return sum(map(_static_chars, node.iter_child_nodes()))


def refuse_nodes(parts: list[nodes.Node]) -> None:
    """Refuse what can be seen without running it: other templates, and names that start with an underscore."""
    for node in parts:
        if not isinstance(node, _NODES):
            raise _at(
                node, f"it uses {{% {type(node).__name__.lower()} %}}; a prompt stands alone, without other templates"
            )
        name: object = node.attr if isinstance(node, nodes.Getattr) else None
        if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
            name = node.arg.value
        if isinstance(node, nodes.Name | nodes.NSRef):
            name = node.name
        if isinstance(name, str) and name.startswith("_"):
            raise _at(node, f"it asks for {name!r}; names with a leading underscore are closed to templates")


def _walk(node: nodes.Node) -> Iterator[nodes.Node]:
    waiting = [node]
    while waiting:
        found = waiting.pop()
        yield found
        waiting += reversed(list(found.iter_child_nodes()))


def _at(node: nodes.Node, message: str) -> SecurityError:
    error = SecurityError(message)
    error.lineno = node.lineno  # type: ignore[attr-defined]  # as jinja2's syntax errors carry it
    return error


# -- filters -----------------------------------------------------------------------------------------------------------


def _measured(function: Any, name: str) -> Any:
    """Return a filter that counts what it reads and makes."""

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        spent = budget()
        place = 1 if hasattr(function, "jinja_pass_arg") else 0
        head, value, rest = args[:place], args[place], args[place + 1 :]
        if name not in _FREE:
            if isinstance(value, Iterator):
                value = spent.counted(value)
            elif isinstance(value, Sized):
                spent.step(steps=len(value) if not isinstance(value, str) else 1)
        value = _check_filter(name, value, [*rest, *kwargs.values()])
        result = function(*head, value, *rest, **kwargs)
        if isinstance(result, str):
            spent.step(chars=len(result) if name not in _FREE else 0)
        elif isinstance(result, list):
            spent.step(steps=len(result))
        return result

    return run


def _check_filter(name: str, value: Any, options: list[Any]) -> Any:
    """Return the value of a filter whose result may be much larger than it, after a look at how large."""
    if name == "join":
        items = list(value)
        _check_join(items, str(options[0]) if options else "")
        return items
    if name == "replace" and len(options) > 1:
        _check_replace(text_of(value), str(options[0]), str(options[1]))
    elif name in ("string", "urlencode", "wordcount", "trim", "title", "upper", "lower", "capitalize", "truncate"):
        budget().room_for(_size(value))
        refuse_nothing(value)
    elif name == "indent":
        width = options[0] if options else 4
        width = len(width) if isinstance(width, str) else int(width)
        if width > _MAX_INDENT:
            raise SecurityError(f"it indents by {width:,} characters; the most is {_MAX_INDENT:,}")
        budget().room_for(width * (text_of(value).count("\n") + 1))
    elif name in ("int", "float") and isinstance(value, str) and len(value) > _MAX_NUMERAL:
        raise SecurityError(f"it reads a number of {len(value):,} digits; the most is {_MAX_NUMERAL:,}")
    elif name == "round" and any(isinstance(option, int) and abs(option) > _MAX_DIGITS for option in options):
        raise SecurityError(f"it rounds to more than {_MAX_DIGITS} digits")
    elif name == "sum" and any(isinstance(option, list | tuple) for option in options):
        raise SecurityError("it sums up lists; sum is for numbers")
    return value


def _check_replace(text: str, old: str, new: str) -> None:
    budget().room_for(len(text) + text.count(old) * max(len(new) - len(old), 0))


def _check_join(items: list[Any], separator: str) -> None:
    budget().room_for(sum(map(_size, items)) + len(separator) * max(len(items) - 1, 0))
    refuse_nothing(items)


def _tojson(value: Any, indent: int | None = None) -> str:
    """Return JSON as a model should read it: with its own letters, and without escapes for web pages."""
    if indent is not None and not 0 <= indent <= _MAX_DIGITS:
        raise SecurityError(f"it indents JSON by {indent}; the most is {_MAX_DIGITS}")
    budget().room_for(_size(value))
    if isinstance(value, Iterable) and not isinstance(value, str | Mapping | list | tuple):
        value = list(value)
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _escape(value: Any) -> str:
    """Return text with ``& < > " '`` as entities, for prompts that put texts between tags."""
    text = text_of(value)
    budget().room_for(6 * len(text))
    return escape(text)


def run(template: Any, values: dict[str, Any]) -> str:
    """Return what a compiled template makes of values, within a fresh budget."""
    token = _BUDGET.set(Budget())
    try:
        return "".join(template.generate(values))
    finally:
        _BUDGET.reset(token)
