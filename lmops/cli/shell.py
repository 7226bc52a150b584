"""What Python calls in a message are in a shell: whoever typed a command is told the command that helps."""

from __future__ import annotations

import ast
import contextlib
import inspect
import re
import shlex
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class _Verb(Protocol):
    """What a command was made of."""

    noun: str
    verb: Callable[..., Any]


_CALL: Final = re.compile(r"\bws\.(?P<place>[a-z_]+(?:\.[a-z_]+)*)\((?P<given>(?:[^()]|\([^()]*\))*)\)")
#: Commands that are not made of a verb.
_PLAIN: Final = {
    "sql": "sql",
    "erase": "erase",
    "traces.search": "search",
    "traces.get": "show",
    "traces.ingest": "ingest",
}


def in_shell(message: str, root: click.Command) -> str:
    """Return a message with the command in the place of each Python call that has one.

    Args:
        message: What an error says, such as "ws.prompts.list() shows all".
        root: The group of all commands.

    Example:
        >>> from lmops.cli import main
        >>> in_shell("ws.prompts.promote('greet', 2, to='house') makes it", main)
        'lmops prompt promote greet 2 --to house makes it'
    """
    if not isinstance(root, click.Group) or _CALL.search(message) is None:
        return message
    known = dict(_commands(root))

    def written(call: re.Match[str]) -> str:
        found = known.get(call["place"])
        return call[0] if found is None else " ".join(("lmops", found[0], *_arguments(found[1], call["given"])))

    return _CALL.sub(written, message)


def _commands(root: click.Group) -> Iterator[tuple[str, tuple[str, click.Command]]]:
    """Yield each verb that has a command, as it stands behind ``ws.``, with the words and the command."""
    yield from ((place, (name, root.commands[name])) for place, name in _PLAIN.items() if name in root.commands)
    for group in root.commands.values():
        made = group.commands.items() if isinstance(group, click.Group) else ()
        verbs = {name: _verb(command) for name, command in made}
        nouns = [verb.noun for verb in verbs.values() if verb is not None]
        for name, command in made:
            verb = verbs[name]
            # one that is written by hand has the name of its verb
            said = f"{nouns[0]}.{name.replace('-', '_')}" if verb is None and nouns else name
            place = said if verb is None else f"{verb.noun}.{verb.verb.__name__}"
            yield place, (f"{group.name} {name}", command)


def _verb(command: click.Command) -> _Verb | None:
    """Return what a command was made of; None for one that was written by hand."""
    return cast("_Verb | None", getattr(command.callback, "__self__", None))


def _arguments(command: click.Command, given: str) -> list[str]:
    """Return the arguments of a call as they are typed; "..." where they cannot be told."""
    try:
        call = cast("ast.Call", ast.parse(f"_({given})", mode="eval").body)
    except SyntaxError:
        return ["..."]
    verb, params = _verb(command), {param.name: param for param in command.params}
    if verb is None:
        takes = [param.name for param in command.params if isinstance(param, click.Argument)]
    else:
        takes = [name for name in inspect.signature(verb.verb).parameters if name != "self"]
    named = [*zip(takes, call.args, strict=False), *((one.arg or "", one.value) for one in call.keywords)]
    typed = [word for name, value in named if name in params for word in _typed(params[name], value)]
    return typed or ["..."] * bool(named)


def _typed(param: click.Parameter, value: ast.expr) -> list[str]:
    """Return one argument or option as it is typed."""
    words = [_word(one) for one in (value.elts if isinstance(value, ast.List | ast.Tuple) else (value,))]
    if isinstance(param, click.Argument):
        return words
    flag = max(param.opts, key=len)
    if isinstance(param, click.Option) and param.is_flag:
        return [flag]
    return [part for word in words for part in (flag, word)]


def _word(value: ast.expr) -> str:
    """Return a value as it is typed; what stands for one in capitals."""
    with contextlib.suppress(ValueError):
        found: Any = ast.literal_eval(value)
        return "..." if found is ... else shlex.quote(str(found))
    return value.id.upper() if isinstance(value, ast.Name) else "..."
