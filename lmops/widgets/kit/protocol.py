"""One end of the message protocol of widgets: a closed set of kinds, checked parameters, answers with the same id.

A message from the page is ``{"kind", "id", "view", ...}``. A controller has one method ``_on_<kind>`` a kind that
returns the answer; :func:`answer` finds it, and turns whatever goes wrong into an answer of kind ``error``. The other
end is ``Channel`` in ``kit/dom.js``.
"""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from lmops.base.endings import Caught
from lmops.errors import LmopsError, UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Message = dict[str, Any]
C = TypeVar("C")
log = logging.getLogger(__name__)


class Controller(Protocol):
    """What a view needs of its controller."""

    on_change: Callable[[Message], None]

    def handle(self, message: object) -> list[Message]:
        """Return the answers to one message of the page."""

    def bundle(self) -> dict[str, str]:
        """Return the static forms by their media types: ``text/plain`` and ``text/html``."""


def handlers_of(controller: type[C]) -> dict[str, Callable[[C, Message], Message]]:
    """Return kind -> method for every ``_on_<kind>`` of a controller."""
    return {name.removeprefix("_on_"): getattr(controller, name) for name in dir(controller) if name.startswith("_on_")}


def answer(controller: C, handlers: Mapping[str, Callable[[C, Message], Message]], message: object) -> list[Message]:
    """Return the answers to one message of the page; what goes wrong is an answer of kind ``error``."""
    if not isinstance(message, dict):
        return [{"kind": "error", "id": None, "message": "a message is an object"}]
    ident = message.get("id")
    ident = ident if isinstance(ident, str) and len(ident) <= 60 else None
    # the page waits for an answer: it is told what went wrong, and goes on
    try:
        with Caught(Exception) as caught:
            found = handlers[one_of(message, "kind", handlers)](controller, message)
    except KeyboardInterrupt:  # a kernel has no other use for it
        return [{"kind": "error", "id": ident, "message": "it was interrupted"}]
    if caught.error is None:
        return [as_json({**found, "id": ident, "origin": message.get("view")})]
    return [{"kind": "error", "id": ident, "message": _said(caught.error)}]


def _said(error: Exception) -> str:
    """Return what the page is told of an error; one that is not ours is logged."""
    if isinstance(error, LmopsError):
        return str(error)
    log.error("a widget could not answer a message", exc_info=error)
    return f"{type(error).__name__}: {error}"


def string(message: Message, name: str, limit: int) -> str:
    """Return a text parameter of at most ``limit`` characters."""
    value = message.get(name)
    if not isinstance(value, str) or len(value) > limit:
        raise UsageError(f"{name} is a text of at most {limit:,} characters")
    return value


def optional_string(message: Message, name: str, limit: int = 100) -> str | None:
    """Return a text parameter; None when it is missing or empty."""
    return None if message.get(name) in (None, "") else string(message, name, limit)


def integer(message: Message, name: str, low: int, high: int) -> int:
    """Return a whole number from ``low`` to ``high``."""
    value = message.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise UsageError(f"{name} is a whole number from {low} to {high}")
    return value


def one_of(message: Message, name: str, known: Iterable[str]) -> str:
    """Return one of the known words."""
    value = message.get(name)
    known = list(known)
    if not isinstance(value, str) or value not in known:
        raise UsageError(did_you_mean(name, str(value), known))
    return value


def finite(message: Message, name: str) -> float:
    """Return a finite number."""
    value = message.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise UsageError(f"{name} is a number")
    return value


def as_json(value: Any) -> Any:
    """Return a message as JSON has it: NaN and infinities are missing, text is valid UTF-8."""
    if isinstance(value, dict):
        return {key: as_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) and not value.isascii() else value
