"""The labeler for whoever comes: each message says under which name its rater works, and the name is asked once."""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import UsageError
from lmops.text import plain_line
from lmops.widgets.feedback.static import bundle_of
from lmops.widgets.kit.protocol import answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from lmops.feedback import QueueProgress, Queues
    from lmops.widgets.feedback.controller import LabelerController
    from lmops.widgets.kit.protocol import Message

#: Raters whose controllers are kept; others are made again when they ask.
_SEATS: Final = 64
#: Where something is on this machine: a path from its root on, of two names or more, and one of Windows.
_PATH: Final = re.compile(r"(?<![\w.:/])(?:/[^\s'\":;,()/]+){2,}/?|(?<!\w)[A-Za-z]:\\[^\s'\",;]+")


class Desk:
    """A queue at which raters sit down under their names, several on one page or each on a page of their own.

    A page that has no name yet hears ``who``. What goes wrong is said without places of this machine: the reader is
    not who runs it.

    Args:
        queues: Of the workspace.
        queue: The name of the queue.
        seat: Makes the controller of one rater.
        store_id: Of the store: under it a browser keeps the name.
        place: Where the store is; no page is told.
    """

    #: nobody in particular: a name comes with each message
    rater = ""

    def __init__(
        self, queues: Queues, queue: str, *, seat: Callable[[str], LabelerController], store_id: str, place: str
    ) -> None:
        self._queues = queues
        self.queue = queue
        self._seat = seat
        self._store_id = store_id
        self._place = place
        self._seats: OrderedDict[str, LabelerController] = OrderedDict()
        self.on_change: Callable[[Message], None] = lambda _message: None

    def handle(self, message: object) -> list[Message]:
        """Return the answers to one message of a page, each with the name that it is for."""
        if not isinstance(message, dict) or message.get("rater") is None:
            return answer(self, {"hello": Desk._who, "ahead": Desk._who}, message)
        found = answer(self, {"sit": Desk._sit}, {**message, "kind": "sit"})
        if found[0]["kind"] != "error":
            found = self._seats[message["rater"].strip()].handle(message)
        return [self._told({**one, "rater": message["rater"]}) for one in found]

    def bundle(self) -> dict[str, str]:
        """Return the static forms: how far the queue is."""
        return bundle_of(self.progress(), None, [])

    def progress(self) -> QueueProgress:
        """Return how far the queue and each of its raters are."""
        return self._queues.progress(self.queue)

    def _who(self, _message: Message) -> Message:
        return {"kind": "who", "queue": self.queue, "store": self._store_id}

    def _sit(self, message: Message) -> Message:
        """Have a controller for the name of a message.

        Raises:
            UsageError: It is no name, or nobody of this name is asked here.
        """
        name = check_name(message["rater"])
        asked = self._queues.get(self.queue).raters
        if asked and name not in asked:
            raise UsageError(
                f"nobody is asked here as {plain_line(name, 100)!r}: give the name that whoever asked you has put down"
            )
        if name not in self._seats:
            self._seats[name] = self._seat(name)
            while len(self._seats) > _SEATS:
                self._seats.popitem(last=False)
        self._seats.move_to_end(name)
        return {"kind": "sits"}

    def _told(self, answer_: Message) -> Message:
        """Return an answer whose words on what went wrong name no place of this machine."""
        stopped = answer_.get("stopped")
        if isinstance(stopped, dict):
            return {**answer_, "stopped": {**stopped, "message": self._placeless(str(stopped["message"]))}}
        return {**answer_, "message": self._placeless(answer_["message"])} if answer_["kind"] == "error" else answer_

    def _placeless(self, words: str) -> str:
        return _PATH.sub("(a file)", words.replace(self._place, "the store"))


def check_name(given: Any) -> str:
    """Return the name of a rater, without spaces around it.

    Raises:
        UsageError: It is none; said to the rater.
    """
    name = given.strip() if isinstance(given, str) else ""
    if not name:
        raise UsageError("say your name: your labels are kept under it")
    if len(name) > 100:
        raise UsageError(f"a name has at most 100 characters, and this one has {len(name):,}")
    if not name.isprintable():
        raise UsageError("a name is on one line, and has no characters that cannot be seen")
    return name
