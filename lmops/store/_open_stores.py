"""The stores of this process, for what must happen when it forks and when it ends."""

from __future__ import annotations

import atexit
import contextlib
import os
import weakref
from typing import Final, Protocol


class Open(Protocol):
    """A store that is open."""

    def close(self) -> None:
        """Release it."""

    def after_fork(self) -> None:
        """Take nothing over from the process that forked."""


OPEN_STORES: Final[weakref.WeakSet[Open]] = weakref.WeakSet()


def _start_anew() -> None:
    for store in list(OPEN_STORES):
        store.after_fork()


def _close_all() -> None:
    """Close what nobody closed, while DuckDB can still be taken down in order."""
    for store in list(OPEN_STORES):
        with contextlib.suppress(Exception):
            store.close()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_anew)
