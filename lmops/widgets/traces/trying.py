"""A call of a trace tried again: the playground that opens below the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lmops.errors import UsageError
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from lmops.traces import Span
    from lmops.widgets.kit.live import Live
    from lmops.widgets.kit.protocol import Message


def can_try(span: Span, try_call: Callable[[Span], Live] | None) -> bool:
    """Return whether a span is a call that can be tried again here."""
    return try_call is not None and span.row["kind"] == "llm"


def opened(span: Span, try_call: Callable[[Span], Live] | None, *, is_shown: bool) -> Message:
    """Open a call for a page that can show it by its model; for another, say what opens it in a cell."""
    if try_call is None:
        raise UsageError("a call cannot be tried again here")
    code = f'ws.prompts.playground(span="{plain_line(span.row["span_id"], 40)}")'
    model = try_call(span).widget.model_id if is_shown else None
    return {"kind": "opened", "model": model, "code": code}
