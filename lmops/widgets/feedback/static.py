"""What the labeler leaves behind where no kernel answers: how far the queue is, and its first items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lmops.base.sheet import framed
from lmops.text import plain_line
from lmops.widgets.kit.static import MAX_ROWS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lmops.feedback import QueueProgress

_WORDS = 100


def bundle_of(progress: QueueProgress, rater: str | None, items: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Return the static forms of one rater at one queue, by media type; of nobody as long as nobody has said a name."""
    head = progress.text.partition("\n")[0]
    raters = [[one.rater, f"{one.done:,}", f"{one.skipped:,}"] for one in progress.raters]
    shown = [
        [str(one["position"]), plain_line(one["words"], _WORDS), "done" if one["is_done"] else "open"]
        for one in items[:MAX_ROWS]
    ]
    left = progress.items - len(shown)
    whose = "" if rater is None else f" (as {plain_line(rater, 100)})"
    title = f"first {len(shown):,} of {progress.items:,} items" if left > 0 else f"{progress.items:,} items"
    return {
        "text/plain": progress.text,
        "text/html": framed(f"{head}{whose}", ["rater", "done", "skipped"], raters)
        + framed(title, ["position", "case", "state"], shown),
    }
