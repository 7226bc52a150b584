"""What is live of a kind of thing, in memory."""

from __future__ import annotations

import threading
import time

from lmops.records import Live

STAND = "select name, max(version) from prompt_versions group by name"


def watching():
    """Return the threads that look."""
    return [one for one in threading.enumerate() if one.name == "lmops-live-answer"]


def test_a_thread_looks_until_the_store_is_closed(ws):
    """What is asked for once is read again when it is another one; a closed store is left alone."""
    made = []

    def make(con, name):
        made.append(name)
        return con.execute("select max(version) from prompt_versions where name = ?", (name,)).fetchone()[0]

    live = Live(ws.project, what="answer", stand=STAND, make=make)
    ws.prompts.save("a", "one")
    assert (live.get("a"), live.get("a"), made) == (1, 1, ["a"])
    ws.prompts.save("a", "two")
    end = time.monotonic() + 60
    while live.get("a") != 2 and time.monotonic() < end:
        time.sleep(0.01)
    assert (live.get("a"), len(watching())) == (2, 1)
    ws.close()
    while watching() and time.monotonic() < end:
        time.sleep(0.01)
    assert watching() == []
