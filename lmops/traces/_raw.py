"""A span as it was sent, before any dialect is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lmops.traces._indexed import Indexed, indexed_keys, unflatten
from lmops.traces._json import dumps

if TYPE_CHECKING:
    from collections.abc import Mapping

STATUS_UNSET, STATUS_OK, STATUS_ERROR = 0, 1, 2


class Resource:
    """Attributes of a resource and what every span below it takes from them, worked out once."""

    __slots__ = ("attributes", "environment", "fallback_environment", "json", "service")

    def __init__(self, attributes: Mapping[str, object]) -> None:
        """Read the columns that a resource gives."""
        self.attributes: dict[str, object] = dict(attributes)
        self.json: str = dumps(self.attributes)
        self.service: str | None = self._text("service.name")
        self.environment: str | None = self._text("deployment.environment.name") or self._text("deployment.environment")
        self.fallback_environment: str | None = self._text("langfuse.environment")

    def _text(self, key: str) -> str | None:
        value = self.attributes.get(key)
        return value if isinstance(value, str) and value else None


NO_RESOURCE = Resource({})


class RawSpan:
    """One span of any format; ids are hex text, times nanoseconds, events dicts of name, time_ns and attributes."""

    __slots__ = (
        "attributes", "end_ns", "events", "indexed", "links", "memo", "name", "parent_span_id", "resource", "scope",
        "span_id", "start_ns", "status_code", "status_message", "trace_id",
    )  # fmt: skip  # many words: packed, they are read at a glance

    def __init__(
        self,
        trace_id: str,
        span_id: str,
        parent_span_id: str | None,
        name: str,
        start_ns: int,
        end_ns: int,
        status_code: int,
        status_message: str,
        attributes: dict[str, object],
        events: list[dict[str, object]],
        links: list[dict[str, object]],
        resource: Resource,
        scope: str,
    ) -> None:
        """Keep what was sent."""
        self.trace_id = trace_id
        self.span_id = span_id
        self.parent_span_id = parent_span_id
        self.name = name
        self.start_ns = start_ns
        self.end_ns = end_ns
        self.status_code = status_code
        self.status_message = status_message
        self.attributes = attributes
        self.events = events
        self.links = links
        self.resource = resource
        self.scope = scope
        #: What was worked out of an attribute, for the next reader that asks for it.
        self.memo: dict[object, object] | None = None
        #: The indexed keys by prefix, where the plan for these keys knows them.
        self.indexed: dict[str, Indexed] | None = None

    def items(self, prefix: str) -> list[object]:
        """Return the items of the indexed keys below a prefix, in order."""
        return unflatten(self.attributes, self.keys_below(prefix))

    def keys_below(self, prefix: str) -> Indexed | None:
        """Return the indexed keys below a prefix; None when there are none."""
        if self.indexed is None:
            self.indexed = indexed_keys(self.attributes)
        return self.indexed.get(prefix)

    def __repr__(self) -> str:
        """Return name and ids."""
        return f"RawSpan({self.name!r}, trace_id={self.trace_id}, span_id={self.span_id})"


class RawLog:
    """One log record of any format; ``body`` is text or a plain value."""

    __slots__ = ("attributes", "body", "name", "span_id", "time_ns", "trace_id")

    def __init__(
        self, trace_id: str, span_id: str, time_ns: int, name: str, body: object, attributes: dict[str, object]
    ) -> None:
        """Keep what was sent."""
        self.trace_id = trace_id
        self.span_id = span_id
        self.time_ns = time_ns
        self.name = name
        self.body = body
        self.attributes = attributes

    def __repr__(self) -> str:
        """Return name and ids."""
        return f"RawLog({self.name!r}, trace_id={self.trace_id}, span_id={self.span_id})"


@dataclass(frozen=True, slots=True)
class Rejection:
    """One record that could not be read; ``where`` is "" when its number says enough."""

    where: str
    why: str


def unreadable(what: str, error: Exception) -> Rejection:
    """Return the rejection of a span or log record that cannot be decoded."""
    return Rejection("", f"{what} cannot be read: {error}"[:300])
