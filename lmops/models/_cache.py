"""Answers kept by the exact request, in the store: for reruns of evaluations and notebooks that cost nothing."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import logging
from typing import TYPE_CHECKING, Any, Final

import orjson

from lmops.base.chat import ToolCall, Usage
from lmops.errors import DamagedStoreError, ReadOnlyError, StoreError, UsageError
from lmops.models._records import Completion
from lmops.store import unsealed

if TYPE_CHECKING:
    from lmops.models._records import Call
    from lmops.records import Project

log = logging.getLogger(__name__)

#: So many answers share one audit event: one for each would bury all others.
SEALED_TOGETHER: Final = 500
_KEPT: Final = (
    "content",
    "parsed",
    "finish_reason",
    "model",
    "requested_model",
    "provider",
    "response_id",
    "system_fingerprint",
    "refusal",
)


def cache_key(call: Call) -> str:
    """Return the SHA-256 of everything that decides the answer, and of the repeat index.

    Raises:
        UsageError: Something in the request is no JSON, so that equal requests cannot be told.
    """
    endpoint = call.endpoint
    request = {
        "endpoint": [endpoint.kind, endpoint.provider, endpoint.base_url, endpoint.headers, endpoint.revision],
        "model": endpoint.model,
        "params": dict(call.params),
        "messages": list(call.messages),
        "tools": call.tools,
        "response_schema": call.schema,
        "repeat": call.repeat,
    }
    try:
        text = orjson.dumps(request, option=orjson.OPT_SORT_KEYS)
    except TypeError as error:
        raise UsageError(f"cache=True needs a request that is JSON throughout: {error}") from None
    return hashlib.sha256(text).hexdigest()


class ResponseCache:
    """The table ``response_cache`` of a store."""

    def __init__(self, project: Project) -> None:
        self._project = project

    def get(self, key: str) -> Completion | None:
        """Return the answer kept for a request, marked as cached, or None."""
        try:
            with self._project.reading() as con:
                row = self._project.store.record(con, "response_cache", key)
            return None if row is None else _completion(orjson.loads(row["content"]))
        except (DamagedStoreError, ValueError, TypeError, KeyError):
            # Damaged, changed behind the chain's back, or kept by another version: it is asked again, and kept again.
            log.warning("the cached answer %s cannot be read, or is not what was kept: it is asked again", key[:12])
            with contextlib.suppress(StoreError), self._project.change(durable=False) as change:
                change.delete("response_cache", key)
                change.say(
                    "model.drop_answer",
                    "response_cache",
                    after={"reason": "it cannot be read, or is not what was kept"},
                )
            return None

    def put(self, key: str, completion: Completion) -> None:
        """Keep an answer; the first one stays. A store that cannot be written keeps nothing, and the call is good."""
        kept = {name: getattr(completion, name) for name in _KEPT}
        kept["tool_calls"] = [dataclasses.asdict(call) for call in completion.tool_calls]
        kept["usage"] = dataclasses.asdict(completion.usage)
        content = orjson.dumps(kept).decode()
        try:
            with self._project.change(durable=False) as change:
                is_new = change.con.execute(
                    "insert or ignore into response_cache (key, model, content, created_ns) values (?, ?, ?, ?)",
                    (key, completion.requested_model, content, change.at_ns),
                ).rowcount
                if is_new and change.leave_open("response_cache", key) >= SEALED_TOGETHER:
                    keys = [found[0] for _, found in unsealed(change.con, "response_cache")]
                    for one in keys:
                        change.wrote("response_cache", one)
                    change.say("model.keep_answers", "response_cache", after={"kept": len(keys)})
        except ReadOnlyError:
            log.debug("the store is read-only: the answer was not cached")
        except StoreError as error:
            log.warning("the answer was not cached: %s", error)

    def clear(self, before_ns: int | None, *, reason: str | None = None, dry_run: bool = False) -> int:
        """Forget the answers from before a time, or all; return how many. A dry run only counts them."""
        if dry_run:
            with self._project.reading() as con:
                counted = "select count(*) from response_cache where ?1 is null or created_ns < ?1"
                return int(con.execute(counted, (before_ns,)).fetchone()[0])
        with self._project.change(reason=reason) as change:
            gone = change.con.execute(
                "delete from response_cache where ?1 is null or created_ns < ?1 returning key", (before_ns,)
            ).fetchall()
            for row in gone:
                change.wrote("response_cache", row[0])
            if gone:
                after = {"removed": len(gone), "before_ns": before_ns}
                change.say("model.clear_cache", "response_cache", after=after)
        return len(gone)


def _completion(kept: dict[str, Any]) -> Completion:
    return Completion(
        **{name: kept[name] for name in _KEPT},
        tool_calls=tuple(ToolCall(**call) for call in kept["tool_calls"]),
        usage=Usage(**kept["usage"]),
        cost_usd=0.0,
        latency_ms=0.0,
        is_cached=True,
    )
