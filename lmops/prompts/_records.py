"""The frozen records of the registry."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lmops.prompts.content import Content
from lmops.prompts.rendering import analyse, mark_span, render
from lmops.records import Version
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Mapping

Message = dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PromptVersion(Version):
    """One immutable version of a prompt.

    ``hash`` identifies its content: messages, model, parameters, response schema and tools. Note, author, tags,
    parent and commit tell about it and are no part of it.
    """

    #: template messages: dicts of "role" and "content"
    messages: tuple[Message, ...]
    #: the text when the prompt was saved as one text, else None
    template: str | None
    model: str | None = None
    params: dict[str, Any] = field(default_factory=dict)
    response_schema: dict[str, Any] | None = None
    tools: list[Any] | None = None
    tags: tuple[str, ...] = ()
    #: the git commit of the file it came from
    commit: str | None = None
    #: True when this call saved it, False when its content was there already, None when it was looked up
    is_new: bool | None = field(default=None, compare=False)

    def __hash__(self) -> int:
        return hash((self.name, self.version, self.hash))

    @property
    def content(self) -> Content:
        """Return what its hash is made of."""
        return Content(
            messages=self.messages,
            template=self.template,
            model=self.model,
            params=self.params,
            response_schema=self.response_schema,
            tools=self.tools,
        )

    @property
    def variables(self) -> tuple[str, ...]:
        """Return the names that its templates use, in the order in which they first appear."""
        return tuple(analyse(self.messages))

    def render(self, variables: Mapping[str, Any] | None = None, /, **_variables: Any) -> list[Message]:
        """Return the messages with the variables put in, and name this version on the current span.

        Values are text for the model, never templates. Give them as keywords, as one mapping, or both.

        Args:
            variables: Plain data: text, numbers, booleans, None, lists and dicts of them.
            _variables: The same, as keywords; they win over the mapping.

        Raises:
            UsageError: Variables are missing or unknown (all of them are named), a value is not plain data, the
                template asks for something that is not there, or it does what templates may not.

        Example:
            >>> import lmops
            >>> with lmops.open(":memory:") as ws:
            ...     ws.prompts.save("greet", "Say hello to {{ name }}.").render(name="Ada")
            [{'role': 'user', 'content': 'Say hello to Ada.'}]
        """
        given = {**(variables or {}), **_variables}
        messages = render(self.messages, given, ref=self.ref)
        mark_span(self.name, self.version, given)
        return messages

    def __repr__(self) -> str:
        said = {True: " (new)", False: " (its content was saved before; nothing new)", None: ""}[self.is_new]
        note = f": {plain_line(self.note, 60)}" if self.note else ""
        return f"<PromptVersion {self.ref}{said}{note}>"
