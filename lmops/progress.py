"""How far long work is: one line that is rewritten in a notebook or a terminal, and nothing anywhere else.

In a notebook the line is a ``display_id`` output with text and HTML, so the archived notebook keeps its last state.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Final, Protocol, Self

from lmops.text import escape

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

#: Five updates a second are as many as a reader follows.
EVERY_S: Final = 0.2


class Show(Protocol):
    """Somewhere to show the line."""

    def __call__(self, text: str, fraction: float | None, /, *, is_last: bool) -> None:
        """Show it; ``fraction`` is what is done of the whole, None when that is not known."""


class Progress:
    """One line that says how far the work is; use it as a context manager.

    Args:
        title: What is being done, such as "ingest".
        total: How many units there are; None when that is not known.
        unit: Name of the units, such as "spans".
        resumed_by: The call that goes on where work stopped; said when it is cut short.
        every_s: Least number of seconds between two updates.
        now: Clock, in seconds.
        show: Where to show the line; found out when None.

    Example:
        >>> with Progress("ingest", 2, unit="files") as progress:
        ...     progress.advance(note="a.jsonl")
        ...     progress.advance(note="b.jsonl")
        >>> progress.text()[:24]
        'ingest: 2 of 2 files (10'
    """

    def __init__(
        self,
        title: str,
        total: int | None = None,
        *,
        unit: str = "",
        resumed_by: str = "",
        every_s: float = EVERY_S,
        now: Callable[[], float] = time.monotonic,
        show: Show | None = None,
    ) -> None:
        self.title = title
        self.total = total
        self.unit = unit
        self.resumed_by = resumed_by
        self.done = 0
        self.note = ""
        self._every_s = every_s
        self._now = now
        self._started = now()
        self._shown_at: float | None = None
        self._is_closed = False
        self._show = show or _find_show()

    def __repr__(self) -> str:
        return f"Progress({self.text()!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        goes_on = f"; {self.resumed_by} goes on" if self.resumed_by else ""
        self.close("" if exc is None else f"stopped: {type(exc).__name__}{goes_on}")

    def advance(self, count: int = 1, *, note: str = "") -> None:
        """Count units that are done."""
        self.update(self.done + count, note=note)

    def update(self, done: int, *, total: int | None = None, note: str = "") -> None:
        """Set how many units are done; shown when the last line is old enough."""
        self.done = done
        self.total = self.total if total is None else total
        self.note = note
        at = self._now()
        if self._shown_at is None or at - self._shown_at >= self._every_s:
            self._shown_at = at
            self._render(is_last=False)

    def close(self, note: str = "") -> None:
        """Show the final state; nothing is shown when nothing was ever reported."""
        if self._is_closed:
            return
        self._is_closed = True
        self.note = note
        if self._shown_at is not None:
            self._render(is_last=True)

    def text(self) -> str:
        """Return the line as text."""
        count = f"{self.done:,}" if self.total is None else f"{self.done:,} of {self.total:,}"
        parts = [f"{self.title}: {count}", self.unit]
        if self.total:
            parts.append(f"({self.done / self.total:.0%})")
        parts.append(f"{self._now() - self._started:.1f} s")
        line = " ".join(part for part in parts if part)
        return f"{line}  {self.note}" if self.note else line

    def _render(self, *, is_last: bool) -> None:
        fraction = min(1.0, self.done / self.total) if self.total else None
        self._show(self.text(), fraction, is_last=is_last)


def _find_show() -> Show:
    """Return the way to show a line here: notebook, terminal, or not at all."""
    if _in_kernel():
        return _Notebook()
    if sys.stderr is not None and sys.stderr.isatty():
        return _Terminal()
    return _silent


def _in_kernel() -> bool:
    """Return whether this code runs in a Jupyter kernel; IPython is not imported to find out."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None
    return getattr(shell, "kernel", None) is not None


def _silent(_text: str, _fraction: float | None, **_: bool) -> None:
    """Show nothing."""


class _Notebook:
    """Rewrites one output of the running cell."""

    def __init__(self) -> None:
        self._handle: object | None = None

    def __call__(self, text: str, fraction: float | None, **_: bool) -> None:  # every state is kept, the last one too
        from IPython.display import display, update_display

        bundle = {"text/plain": text, "text/html": _html(text, fraction)}
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)
        else:
            update_display(bundle, raw=True, display_id=getattr(self._handle, "display_id", ""))


class _Terminal:
    """Rewrites one line of standard error."""

    def __init__(self) -> None:
        self._width = 0

    def __call__(self, text: str, _fraction: float | None, *, is_last: bool) -> None:  # the text has the count
        line = "".join(character if character.isprintable() else " " for character in text)[:120]
        sys.stderr.write("\r" + line.ljust(self._width) + ("\n" if is_last else ""))
        sys.stderr.flush()
        self._width = len(line)


def _html(text: str, fraction: float | None) -> str:
    bar = "" if fraction is None else f'<progress value="{fraction:.4f}" max="1"></progress> '
    return f'<div style="font-variant-numeric: tabular-nums">{bar}<span>{escape(text)}</span></div>'
