"""What the labeler answers its page: the next items as a user saw them, and that an act is in the store."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

from lmops.base.endings import Caught
from lmops.errors import LmopsError, NotFoundError, UsageError
from lmops.feedback import WHICH
from lmops.times import from_ns
from lmops.widgets.feedback.static import bundle_of
from lmops.widgets.kit.protocol import answer, finite, handlers_of, integer, log, one_of, string

if TYPE_CHECKING:
    from collections.abc import Callable

    from lmops.feedback import Feedback, Kept, QueueProgress, Turn
    from lmops.traces.listing import TraceSource
    from lmops.widgets.feedback.cases import Cases

Message = dict[str, Any]
_MOST_ITEMS: Final = 2**40
_LONGEST: Final = 100_000
_PAGE: Final = 200
_PREVIEW: Final = 120
#: Items that a page takes ahead, acts that it sends at once, positions that it names, items that are kept as read.
_AHEAD: Final = 64
_ACTS: Final = 100
_HAVE: Final = 10_000
_READ: Final = 200
#: Characters of one message: beyond them items come without their case, and the page asks for it.
_ROOM: Final = 600_000
ACTS: Final = ("label", "skip", "note", "undo", "void")


class LabelerController:
    """One rater at one queue.

    Every act carries the client and its number, and is answered with both once it is in the store: the page keeps what
    was not answered and sends it again, in its order, after whatever happened.

    Args:
        feedback: Of the workspace.
        queue: The name of the queue.
        rater: Who labels.
        cases: Reads items; without it the page shows their ids.
        traces: Where inputs of traces are looked up for the list.
        store_id: Of the store: under it a browser keeps what is not saved.
    """

    def __init__(
        self,
        feedback: Feedback,
        queue: str,
        rater: str,
        *,
        cases: Cases | None = None,
        traces: TraceSource | None = None,
        store_id: str = "",
    ) -> None:
        self._feedback = feedback
        self._queues = feedback.queues
        self.queue = queue
        self.rater = rater
        self._cases = cases
        self._traces = traces
        self._store_id = store_id
        self._turns: OrderedDict[int, tuple[Turn, Message]] = OrderedDict()
        self._handlers = handlers_of(type(self))
        self.on_change: Callable[[Message], None] = lambda _message: None

    def handle(self, message: object) -> list[Message]:
        """Return the answers to one message of the page."""
        return answer(self, self._handlers, message)

    def bundle(self) -> dict[str, str]:
        """Return the static forms: how far the queue is, and what this rater said."""
        return bundle_of(self.progress(), self.rater, self._listed("all", 0))

    def progress(self) -> QueueProgress:
        """Return how far the queue and each of its raters are."""
        return self._queues.progress(self.queue)

    # -- what is asked, and the items ------------------------------------------------------------------------------

    def _on_hello(self, _message: Message) -> Message:
        """Answer with what is asked, under which names things are kept, and how far everybody is."""
        queue = self._queues.get(self.queue)
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
                "tags": list(self._queues.tags(self.queue, field.name)) if field.kind == "tags" else [],
            }
            for field in schema.fields
        ]
        asked = {"name": schema.name, "version": schema.version, "criteria": schema.criteria, "fields": fields}
        told = {"queue": queue.name, "rater": self.rater, "store": self._store_id, "k": queue.k}
        return {"kind": "state", "seq": time.time_ns() // 1000, **told, "schema": asked, **self._progress()}

    def _on_ping(self, _message: Message) -> Message:
        """Answer: it is all that a page needs to know that its kernel is there."""
        return {"kind": "pong"}

    def _on_progress(self, _message: Message) -> Message:
        return {"kind": "progress", **self._progress()}

    def _on_ahead(self, message: Message) -> Message:
        """Hold the next items for this rater and answer with them, beside those that the page has."""
        have = _positions(message, "have", least=0)
        turns = self._queues.ahead(self.queue, integer(message, "n", 0, _AHEAD), rater=self.rater, have=set(have))
        version = self._queues.get(self.queue).schema_version
        return {"kind": "ahead", "version": version, "items": self._read_all(turns)}

    def _on_jump(self, message: Message) -> Message:
        turn = self._queues.jump(self.queue, integer(message, "position", 1, _MOST_ITEMS), rater=self.rater)
        return {"kind": "item", "item": self._read_all([turn])[0]}

    def _on_case(self, message: Message) -> Message:
        return {"kind": "case", "case": self._known(message)[1]}

    def _on_session(self, message: Message) -> Message:
        return {"kind": "session", **self._reader.session(self._known(message)[0])}

    def _on_raw(self, message: Message) -> Message:
        return {"kind": "raw", "spans": self._reader.raw(self._known(message)[0])}

    def _on_medium(self, message: Message) -> Message:
        """Answer with the data of one image or sound that the trace itself carries."""
        found = self._reader.media(self._known(message)[0])
        return {"kind": "medium", **found[integer(message, "index", 0, len(found) - 1)].shown}

    def _on_after(self, message: Message) -> Message:
        """Answer with what judges and others say of an item, once this rater has said something."""
        position = self._known(message)[0].position
        turn = self._queues.jump(self.queue, position, rater=self.rater)
        if turn.said is None:
            raise UsageError("what others say of it is shown once you have decided")
        others = [{"rater": rater, "said": said} for rater, said in turn.others]
        return {"kind": "after", "others": others, "opinions": self._reader.opinions(turn)}

    def _on_filter(self, message: Message) -> Message:
        """Answer with a page of items: all, open, done, mine."""
        which, after = one_of(message, "which", WHICH), integer(message, "after", 0, _MOST_ITEMS)
        items = self._listed(which, after)
        return {"kind": "items", "which": which, "items": items, "more": len(items) == _PAGE}

    # -- what the rater does ---------------------------------------------------------------------------------------

    def _on_ops(self, message: Message) -> Message:
        """Keep acts in their order, each by itself, and answer with those that are in the store.

        The first that is not ends it: ``stopped`` says which, and whether it is "refused" for good, or to be sent again
        "later".
        """
        client, acts = string(message, "client", 100), message.get("ops")
        if not client:
            raise UsageError("client names the page that sends: give a text")
        if not isinstance(acts, list) or not 0 < len(acts) <= _ACTS or not all(isinstance(one, dict) for one in acts):
            raise UsageError(f"ops is a list of 1 to {_ACTS} acts")
        done: list[Message] = []
        stopped = None
        for act in acts:
            sequence = integer(act, "sequence", 1, _MOST_ITEMS)
            with Caught(Exception) as caught:  # whatever it is, the acts before it are kept and acknowledged
                done.append(_acknowledged(sequence, self._keep(act, client, sequence)))
            if caught.error is not None:
                stopped = {"sequence": sequence, **_why(caught.error)}
                break
        return {"kind": "kept", "client": client, "done": done, "stopped": stopped}

    def _keep(self, act: Message, client: str, sequence: int) -> Kept | None:
        sent: Message = {"rater": self.rater, "client": client, "sequence": sequence}
        action = one_of(act, "action", ACTS)
        if action in ("undo", "void"):
            meant = integer(act, "of", 1, _MOST_ITEMS) if action == "undo" and act.get("of") is not None else None
            return self._queues.undo(self.queue, **sent, of=0 if action == "void" else meant)
        positions = _positions(act, "positions", least=1)
        if action == "label":
            now_ns = time.time_ns()
            said_ns = now_ns if act.get("at") is None else min(now_ns, round(finite(act, "at") * 1e6))
            return self._queues.label(
                self.queue,
                positions,
                _values(act),
                version=integer(act, "version", 1, _MOST_ITEMS),
                seconds=None if act.get("seconds") is None else finite(act, "seconds"),
                at=from_ns(said_ns),
                **sent,
            )
        if action == "skip":
            return self._queues.skip(self.queue, positions[0], **sent)
        return self._queues.note(self.queue, positions[0], string(act, "words", _LONGEST), **sent)

    # -- inside ----------------------------------------------------------------------------------------------------

    @property
    def _reader(self) -> Cases:
        if self._cases is None:
            raise UsageError("this labeler reads no traces")
        return self._cases

    def _read_all(self, turns: Any) -> list[Message]:
        """Return items as the page has them, with their cases as far as there is room."""
        found: list[Message] = []
        left = _ROOM
        for turn in turns:
            case = self._read(turn) if left > 0 else None
            left -= 0 if case is None else _weight(case)
            found.append(_item(turn, case if left > 0 or not found else None))
        return found

    def _read(self, turn: Turn) -> Message:
        known = self._turns.get(turn.position)
        if known is None:
            case = {"missing": turn.item} if self._cases is None else self._cases.read(turn)
            known = turn, case
        self._turns[turn.position] = known
        self._turns.move_to_end(turn.position)
        while len(self._turns) > _READ:
            self._turns.popitem(last=False)
        return known[1]

    def _known(self, message: Message) -> tuple[Turn, Message]:
        """Return an item that was handed out to this rater before; it is read again where it was long ago."""
        position = integer(message, "position", 1, _MOST_ITEMS)
        if position not in self._turns:
            self._read(self._queues.jump(self.queue, position, rater=self.rater))
        return self._turns[position]

    def _listed(self, which: str, after: int) -> list[Message]:
        frame = self._queues.items(self.queue, which, rater=self.rater, after=after, n=_PAGE)
        rows = frame[["position", "item", "trace_id", "example_id", "is_done"]].astype(object)
        found = rows.where(rows.notna(), None).to_dict("records")
        ids = [one["trace_id"] for one in found if one["trace_id"]]
        asked = {} if self._traces is None or not ids else self._traces.asked(ids, _PREVIEW)
        return [
            {
                "position": one["position"],
                "words": asked.get(one["trace_id"] or "") or one["example_id"] or one["item"],
                "is_done": bool(one["is_done"]),
            }
            for one in found
        ]

    def _progress(self) -> Message:
        found = self.progress()
        mine = next((one for one in found.raters if one.rater == self.rater), None)
        own = {"done": mine.done, "skipped": mine.skipped, "seconds": mine.seconds} if mine is not None else None
        return {"progress": {"items": found.items, "done": found.done, "mine": own}}


def _why(error: Exception) -> Message:
    """Return whether an act is refused for good or may be sent again, and the words for it."""
    if not isinstance(error, LmopsError):
        log.error("an act of a rater could not be kept", exc_info=error)
        return {"why": "later", "message": f"{type(error).__name__}: {error}"}
    return {"why": "refused" if isinstance(error, UsageError | NotFoundError) else "later", "message": str(error)}


def _acknowledged(sequence: int, kept: Kept | None) -> Message:
    """Return that an act is in the store; an undo that found nothing was on nothing."""
    if kept is None:
        return {"sequence": sequence, "action": None, "positions": [], "seq": None}
    told: Message = {"sequence": sequence, "action": kept.action, "positions": list(kept.positions), "seq": kept.seq}
    return told if kept.undid is None else {**told, "undid": kept.undid}


def _positions(message: Message, name: str, *, least: int) -> list[int]:
    given = message.get(name)
    if not isinstance(given, list) or not least <= len(given) <= _HAVE:
        raise UsageError(f"{name} is a list of {least} to {_HAVE:,} positions")
    return [integer({"position": one}, "position", 1, _MOST_ITEMS) for one in given]


def _values(message: Message) -> Message:
    values = message.get("values")
    if not isinstance(values, dict):
        raise UsageError("values is an object: field -> value")
    return values


def _weight(value: Any) -> int:
    """Return about how many characters a case has as JSON."""
    if isinstance(value, str):
        return len(value)
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 12 + sum(map(_weight, parts))


def _item(turn: Turn, case: Message | None) -> Message:
    """Return an item as the page has it; what others say of it is asked for once it is labelled."""
    return {
        "position": turn.position,
        "item": turn.item,
        "trace_id": turn.trace_id,
        "until": None if turn.until is None else turn.until.isoformat(),
        "said": turn.said,
        "note": turn.note,
        "case": case,
    }
