"""What the labeler answers its page: the next item, and that an act is in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lmops.base.sheet import framed
from lmops.errors import UsageError
from lmops.feedback import WHICH
from lmops.widgets.kit.protocol import answer, finite, handlers_of, integer, one_of, string

if TYPE_CHECKING:
    from collections.abc import Callable

    from lmops.feedback import Feedback, Kept, Turn

_MOST_ITEMS: Final = 2**40
_LONGEST: Final = 100_000
_PAGE: Final = 200


class LabelerController:
    """One rater at one queue.

    Every act carries the client and its number, and is answered with both once it is in the store: the page keeps what
    was not answered and sends it again, in its order, after whatever happened.

    Args:
        feedback: Of the workspace.
        queue: The name of the queue.
        rater: Who labels.
    """

    def __init__(self, feedback: Feedback, queue: str, rater: str) -> None:
        self._feedback = feedback
        self._queues = feedback.queues
        self._queue = queue
        self._rater = rater
        self.on_change: Callable[[dict[str, Any]], None] = lambda _message: None

    def handle(self, message: object) -> list[dict[str, Any]]:
        """Return the answers to one message of the page."""
        return answer(self, handlers_of(type(self)), message)

    def bundle(self) -> dict[str, str]:
        """Return the static forms: how far the queue is."""
        progress = self._queues.progress(self._queue)
        rows = [[one.rater, f"{one.done:,}", f"{one.skipped:,}"] for one in progress.raters]
        return {
            "text/plain": progress.text,
            "text/html": framed(progress.text.partition("\n")[0], ["rater", "done", "skipped"], rows),
        }

    def _on_hello(self, _message: dict[str, Any]) -> dict[str, Any]:
        """Answer with what is asked, how far everybody is, and the item at hand."""
        queue = self._queues.get(self._queue)
        schema = self._feedback.schemas.get(queue.schema_ref)
        fields = [
            {
                "name": field.name,
                "kind": field.kind,
                "criteria": field.criteria,
                "options": list(field.options),
                "low": field.low,
                "high": field.high,
                "keys": dict(field.keys),
                "is_required": field.is_required,
            }
            for field in schema.fields
        ]
        asked = {"version": schema.version, "criteria": schema.criteria, "fields": fields}
        return {"kind": "state", "queue": queue.name, "rater": self._rater, "schema": asked, **self._progress()}

    def _on_next(self, _message: dict[str, Any]) -> dict[str, Any]:
        turn = self._queues.next(self._queue, rater=self._rater)
        return {"kind": "item", "item": None if turn is None else _item(turn), **self._progress()}

    def _on_jump(self, message: dict[str, Any]) -> dict[str, Any]:
        turn = self._queues.jump(self._queue, integer(message, "position", 1, _MOST_ITEMS), rater=self._rater)
        return {"kind": "item", "item": _item(turn), **self._progress()}

    def _on_label(self, message: dict[str, Any]) -> dict[str, Any]:
        """Keep a label of one item, or of several that were marked."""
        marked = message.get("positions")
        positions = (
            [integer({"position": one}, "position", 1, _MOST_ITEMS) for one in marked]
            if isinstance(marked, list)
            else []
        )
        kept = self._queues.label(
            self._queue,
            positions or integer(message, "position", 1, _MOST_ITEMS),
            _values(message),
            version=integer(message, "version", 1, _MOST_ITEMS),
            seconds=None if message.get("seconds") is None else finite(message, "seconds"),
            **self._sent(message),
        )
        return self._acknowledged(kept)

    def _on_skip(self, message: dict[str, Any]) -> dict[str, Any]:
        position = integer(message, "position", 1, _MOST_ITEMS)
        return self._acknowledged(self._queues.skip(self._queue, position, **self._sent(message)))

    def _on_note(self, message: dict[str, Any]) -> dict[str, Any]:
        position, words = integer(message, "position", 1, _MOST_ITEMS), string(message, "words", _LONGEST)
        return self._acknowledged(self._queues.note(self._queue, position, words, **self._sent(message)))

    def _on_undo(self, message: dict[str, Any]) -> dict[str, Any]:
        """Take back the last act; the page jumps to the item. Where there is none, its number stays free."""
        sent = self._sent(message)
        kept = self._queues.undo(self._queue, **sent)
        if kept is None:
            return {"kind": "kept", "client": sent["client"], "sequence": sent["sequence"], "action": None}
        return self._acknowledged(kept)

    def _on_filter(self, message: dict[str, Any]) -> dict[str, Any]:
        """Answer with a page of positions: all, open, done, mine."""
        which, after = one_of(message, "which", WHICH), integer(message, "after", 0, _MOST_ITEMS)
        frame = self._queues.items(self._queue, which, rater=self._rater, after=after, n=_PAGE)
        return {"kind": "items", "which": which, "items": frame[["position", "item"]].to_dict("records")}

    def _sent(self, message: dict[str, Any]) -> dict[str, Any]:
        client = string(message, "client", 100)
        if not client:
            raise UsageError("client names the page that sends: give a text")
        return {"rater": self._rater, "client": client, "sequence": integer(message, "sequence", 1, _MOST_ITEMS)}

    def _acknowledged(self, kept: Kept) -> dict[str, Any]:
        told = {"client": kept.client, "sequence": kept.sequence, "action": kept.action, "seq": kept.seq}
        return {"kind": "kept", **told, "positions": list(kept.positions), "is_repeated": kept.is_repeated}

    def _progress(self) -> dict[str, Any]:
        found = self._queues.progress(self._queue)
        mine = next((one for one in found.raters if one.rater == self._rater), None)
        own = {"done": mine.done, "skipped": mine.skipped, "seconds": mine.seconds} if mine is not None else None
        return {"progress": {"items": found.items, "done": found.done, "mine": own}}


def _values(message: dict[str, Any]) -> dict[str, Any]:
    values = message.get("values")
    if not isinstance(values, dict):
        raise UsageError("values is an object: field -> value")
    return values


def _item(turn: Turn) -> dict[str, Any]:
    """Return an item as the page has it."""
    return {
        "position": turn.position,
        "item": turn.item,
        "trace_id": turn.trace_id,
        "span_id": turn.span_id,
        "run_id": turn.run_id,
        "example_id": turn.example_id,
        "repeat": turn.repeat,
        "until": None if turn.until is None else turn.until.isoformat(),
        "said": turn.said,
        "note": turn.note,
        "others": [{"rater": rater, "said": said} for rater, said in turn.others],
    }
