"""What opens below the browser: a call of a model in the playground, a search in the ranking explorer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lmops.errors import UsageError
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from lmops.traces import Span
    from lmops.widgets.kit.live import Live
    from lmops.widgets.kit.protocol import Message


#: Kind of span -> what can be done with it, and the call that does it.
_TRIED: Final = {
    "llm": ("try this call", 'ws.prompts.playground(span="{}")'),
    "retriever": ("look into this search", 'ws.retrieval.explore_span("{}")'),
    "reranker": ("look into this search", 'ws.retrieval.explore_span("{}")'),
}


def can_try(span: Span, try_call: Callable[[Span], Live] | None) -> str:
    """Return what can be done with a span here, in words; empty for nothing."""
    return "" if try_call is None else _TRIED.get(span.row["kind"], ("", ""))[0]


def opened(span: Span, try_call: Callable[[Span], Live] | None, *, is_shown: bool) -> Message:
    """Open a call for a page that can show it by its model; for another, say what opens it in a cell."""
    if try_call is None or span.row["kind"] not in _TRIED:
        raise UsageError("a call cannot be tried again here")
    code = _TRIED[span.row["kind"]][1].format(plain_line(span.row["span_id"], 40))
    model = try_call(span).widget.model_id if is_shown else None
    return {"kind": "opened", "model": model, "code": code}
