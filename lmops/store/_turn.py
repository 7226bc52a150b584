"""Whose turn it is to write."""

from __future__ import annotations

import sqlite3
import time
from typing import Final

from lmops.errors import StoreError

BUSY_TIMEOUT_S: Final = 30.0
#: Who waits looks again so often: at first, and where it takes long.
_STEP_S, _LONG_STEP_S, _SOON_S = 0.001, 0.01, 0.25


class BusyError(StoreError):
    """Somebody else writes at the moment, and the caller does not want to wait."""


def begin(con: sqlite3.Connection, *, wait: bool) -> None:
    """Begin to write, after whoever writes at the moment.

    SQLite itself waits in steps that grow to 100 ms, in which those who come later go first; these stay short.

    Raises:
        BusyError: Somebody writes, and it was not to wait.
    """
    began = time.monotonic()
    con.execute("pragma busy_timeout=0")
    try:
        while (busy := _begun(con)) is not None:
            if not wait:
                raise BusyError("somebody else writes at the moment") from busy
            waited_s = time.monotonic() - began
            if waited_s > BUSY_TIMEOUT_S:
                raise busy
            time.sleep(_STEP_S if waited_s < _SOON_S else _LONG_STEP_S)
    finally:
        con.execute(f"pragma busy_timeout={int(BUSY_TIMEOUT_S * 1000)}")


def _begun(con: sqlite3.Connection) -> sqlite3.OperationalError | None:
    """Begin, or return what SQLite says of somebody who writes."""
    try:
        con.execute("begin immediate")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
            raise
        return error
    return None
