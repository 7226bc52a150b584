"""Until when a server runs: SIGTERM and SIGINT, of which the first one lets it finish."""

from __future__ import annotations

import contextlib
import queue
import signal as signals
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def stop_signals() -> Iterator[queue.SimpleQueue[int]]:
    """Collect SIGTERM and SIGINT in a queue; the second one has its usual effect.

    Outside the main thread, where there are no signals, the queue stays empty.
    """
    received: queue.SimpleQueue[int] = queue.SimpleQueue()
    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    before = {number: signals.getsignal(number) for number in (signals.SIGTERM, signals.SIGINT)}

    def restore() -> None:
        for number, handler in before.items():
            signals.signal(number, handler)

    def receive(number: int, _frame: object) -> None:
        # SimpleQueue.put may be called inside another put or get of this thread; Event.set may not.
        received.put(number)
        restore()

    for number in before:
        signals.signal(number, receive)
    try:
        yield received
    finally:
        restore()
