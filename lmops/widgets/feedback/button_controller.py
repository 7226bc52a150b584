"""What the feedback button knows and does, without any widget: one trace, and what one person says of its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from lmops.base.sheet import framed
from lmops.errors import NotFoundError
from lmops.feedback.signals import make_signal
from lmops.text import plain, plain_line
from lmops.widgets.kit.protocol import answer, as_json, handlers_of, one_of, optional_string, string

if TYPE_CHECKING:
    from collections.abc import Callable

    from lmops.feedback import Feedback, Signal
    from lmops.traces.listing import TraceSource
    from lmops.widgets.kit.protocol import Message

_LONGEST: Final = 100_000
_PREVIEW: Final = 4_000
_SOURCE: Final = "notebook"


class FeedbackButtonController:
    """One person and one answer.

    Args:
        feedback: Of the workspace.
        source: Where the traces are.
        trace_id: Whose answer.
        span_id: A part of it.
        name: Under which the thumb is kept.
        user: Who says it.

    Raises:
        UsageError: The name or an id cannot be one.
    """

    #: Under which name a corrected answer is kept.
    CORRECTION: ClassVar = "correction"

    def __init__(
        self, feedback: Feedback, source: TraceSource, trace_id: str, *, span_id: str | None, name: str, user: str
    ) -> None:
        tried = make_signal(value="up", trace_id=trace_id, span_id=span_id, name=name, kind="thumb", user=user)
        self._feedback = feedback
        self._source = source
        self._trace_id, self._span_id = trace_id, span_id
        self.name, self.user = tried.name, user
        self._seq = 0
        self.on_change: Callable[[Message], None] = lambda _message: None
        self._known: dict[str, tuple[str, str | None]] = {}
        self._read()

    def __repr__(self) -> str:
        return f"<FeedbackButtonController {self.words}>"

    @property
    def place(self) -> str:
        """What it is on, in words."""
        return f"trace {self._trace_id}" + (f", span {self._span_id}" if self._span_id else "")

    @property
    def words(self) -> str:
        """What was said, in words."""
        value, comment = self.said(self.name)
        told = value or "nothing said yet"
        told += f": {comment}" if comment else ""
        told += "; corrected" if self.said(self.CORRECTION)[0] else ""
        return plain_line(f"{self.place}, {self.user}: {told}", 300)

    def said(self, name: str) -> tuple[str | None, str | None]:
        """Return (value, comment) of what this person says now under a name."""
        return self._known.get(name, (None, None))

    def record(self, name: str, value: str, *, kind: str, comment: str | None) -> Signal:
        """Keep what was said."""
        signal = self._feedback.record(
            self._trace_id,
            span_id=self._span_id,
            value=value,
            kind=kind,
            name=name,
            comment=comment,
            user=self.user,
            source=_SOURCE,
        )
        self._known[name] = (signal.value, signal.comment)
        return signal

    def bundle(self) -> dict[str, str]:
        """Return the static forms by their media types."""
        rows = [[name, *(part or "" for part in self.said(name))] for name in (self.name, self.CORRECTION)]
        told = [row for row in rows if row[1]]
        title = plain_line(f"{self.place}, {self.user}", 300)
        html = framed(title, ["", "said", "comment"], told or [[self.name, "nothing said yet", ""]])
        return {"text/plain": self.words, "text/html": html}

    # -- the page's side -------------------------------------------------------------------------------------------

    def handle(self, message: object) -> list[Message]:
        """Return the answers to one message of the page; what goes wrong is an answer of kind ``error``."""
        return answer(self, _HANDLERS, message)

    def state(self, *, said: str = "") -> Message:
        """Return everything a view needs to show the same as the others."""
        self._seq += 1
        value, comment = self.said(self.name)
        seen = self._seen()
        state: Message = as_json(
            {
                "kind": "state",
                "seq": self._seq,
                "place": self.place,
                "name": self.name,
                "user": self.user,
                "input": None if seen is None else plain(seen["input"] or "", _PREVIEW),
                "output": None if seen is None else plain(seen["output"] or "", _PREVIEW),
                "is_there": seen is not None,
                "value": value,
                "comment": comment,
                "correction": self.said(self.CORRECTION)[0],
                "said": said,
            }
        )
        return state

    def _on_hello(self, _message: Message) -> Message:
        self._read()
        return self.state()

    def _on_thumb(self, message: Message) -> Message:
        value = one_of(message, "value", ("up", "down"))
        comment = optional_string(message, "comment", _LONGEST)
        return self._kept(self.record(self.name, value, kind="thumb", comment=comment))

    def _on_correct(self, message: Message) -> Message:
        text = string(message, "text", _LONGEST)
        return self._kept(self.record(self.CORRECTION, text, kind="correction", comment=None))

    def _kept(self, signal: Signal) -> Message:
        told = {"same": "that was kept already", "late": "something newer was kept already"}
        return self.state(said=told.get(str(signal.change), f"kept: {signal.name} of {self.user}"))

    # -- inside ----------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        """Read what this person says now of this."""
        found = self._feedback.list(trace_id=self._trace_id, user=self.user, limit=None)
        for row in found.to_dict("records"):
            span_id: Any = row["span_id"]
            if (span_id if isinstance(span_id, str) else None) == self._span_id and row["target"] != "session":
                comment = row["comment"] if isinstance(row["comment"], str) else None
                self._known[row["name"]] = (row["value"], comment)

    def _seen(self) -> dict[str, Any] | None:
        """Return the texts of the trace; None while it is not in the store."""
        try:
            return self._source.previews(self._trace_id)
        except NotFoundError:
            return None


_HANDLERS: Final = handlers_of(FeedbackButtonController)
