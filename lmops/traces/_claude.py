"""Calls that Claude Code tells in log events: it sends no spans unless it is asked to."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from lmops.traces._fields import as_number, as_text
from lmops.traces._raw import NO_RESOURCE, STATUS_ERROR, STATUS_UNSET, RawSpan

if TYPE_CHECKING:
    from lmops.traces._raw import RawLog

_NAMES: Final = frozenset({"claude_code.api_request", "claude_code.api_error"})


def call_of(event: RawLog) -> RawSpan | None:
    """Return the span of the call that an event tells; None for any other event, and for one that has a span.

    The event comes when the call has ended and says how long it took. The same event gives the same ids again.
    """
    name = next((said for said in (event.name, event.body) if isinstance(said, str) and said in _NAMES), None)
    if name is None or event.trace_id:
        return None
    said = event.attributes
    taken = as_number(said.get("duration_ms")) or 0.0
    parts = [said.get(key) for key in ("session.id", "event.sequence", "request_id", "model")]
    digest = hashlib.sha256(repr((event.time_ns, name, parts)).encode()).hexdigest()
    is_error = name.endswith("error")
    attributes: dict[str, object] = {**said, "span.type": "llm_request"}
    if as_text(said.get("request_id")):
        attributes["gen_ai.response.id"] = said["request_id"]
    return RawSpan(
        digest[:32],
        digest[32:48],
        None,
        name,
        max(event.time_ns - int(taken * 1e6), 0),
        event.time_ns,
        STATUS_ERROR if is_error else STATUS_UNSET,
        (as_text(said.get("error")) or "") if is_error else "",
        attributes,
        [],
        [],
        NO_RESOURCE,
        "claude_code.events",
    )


__all__ = ["call_of"]
