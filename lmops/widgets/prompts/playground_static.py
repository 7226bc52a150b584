"""The parts of a playground: columns, inputs and the draft, and what was typed into them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import UsageError
from lmops.prompts.rendering import analyse
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lmops.prompts import PromptVersion
    from lmops.prompts.calls import Call
    from lmops.prompts.rendering import Use

MAX_COLUMNS: Final = 8
MAX_INPUTS: Final = 50
MAX_TEXT: Final = 1_000_000
SHOWN: Final = 20_000


@dataclass(slots=True)
class Column:
    """A version, or the draft (None), on a model; ``rev`` grows when an answer of before is no longer its answer."""

    ident: int
    version: int | None
    model: str | None
    rev: int = 0


@dataclass(slots=True)
class Input:
    """Variables that the versions are tried on."""

    ident: int
    given: dict[str, Any]
    rev: int = 0


@dataclass(slots=True)
class Draft:
    """A version that is being written, and what it started from."""

    base: int | None
    messages: list[dict[str, str]]
    is_text: bool
    params: str
    error: str | None = None
    variables: list[str] = field(default_factory=list)
    #: those that the draft cannot do without
    needed: list[str] = field(default_factory=list)

    def read(self) -> None:
        """Find the variables of the messages as they are.

        Raises:
            UsageError: A message is no template.
        """
        uses = analyse(self.messages)
        self.variables, self.needed = list(uses), needed(uses)


def needed(uses: Mapping[str, Use]) -> list[str]:
    """Return the variables that templates cannot do without."""
    return [name for name, use in uses.items() if not use.is_optional]


def draft_of(version: PromptVersion) -> Draft:
    """Return a draft that starts as a version."""
    messages = [dict(one) for one in version.messages]
    params = json.dumps(version.params, ensure_ascii=False)
    made = Draft(version.version, messages, version.template is not None, params)
    made.read()
    return made


def draft_of_call(call: Call, base: int | None) -> Draft:
    """Return a draft that renders to the messages of a call."""
    messages = call.messages
    return Draft(base, messages, is_text=False, params=json.dumps(dict(call.params), ensure_ascii=False, default=str))


def find(items: Sequence[Any], ident: int) -> Any:
    """Return the column or input of an id."""
    for item in items:
        if item.ident == ident:
            return item
    raise UsageError("this column or input is gone")


def typed(given: object) -> list[dict[str, str]]:
    """Return the messages of a draft as they were typed."""
    if not isinstance(given, list) or not 1 <= len(given) <= 100:
        raise UsageError("messages is a list of 1 to 100 pairs of role and content")
    found = []
    for one in given:
        if not isinstance(one, list) or len(one) != 2 or not all(isinstance(part, str) for part in one):
            raise UsageError("a message is a pair of role and content")
        found.append({"role": one[0][:20], "content": one[1][:MAX_TEXT]})
    return found


def template_of(draft: Draft) -> Any:
    """Return the draft as the registry takes it: one text, or messages."""
    return draft.messages[0]["content"] if draft.is_text else draft.messages


def params_of(draft: Draft) -> dict[str, Any] | None:
    """Return the parameters of a draft.

    Raises:
        UsageError: They are no JSON object.
    """
    if not draft.params.strip():
        return None
    try:
        found = json.loads(draft.params)
    except (ValueError, RecursionError) as error:
        raise UsageError(f'parameters are a JSON object such as {{"temperature": 0}}: {error}') from None
    if not isinstance(found, dict):
        raise UsageError('parameters are a JSON object such as {"temperature": 0}')
    return found


def lenient_params(draft: Draft) -> object:
    """Return the parameters, or what was typed when they are none."""
    try:
        return params_of(draft) or {}
    except UsageError:
        return draft.params


def shown(values: Mapping[str, Any]) -> dict[str, str]:
    """Return values as text."""
    return {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        for name, value in values.items()
    }


def in_words(values: Mapping[str, Any]) -> str:
    """Return values in one line."""
    return "; ".join(f"{name}: {plain_line(value, 200)}" for name, value in shown(values).items()) or "(empty)"
