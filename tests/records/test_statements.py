"""What a change of the records asks of the database."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import lmops

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lmops.workspace import Workspace


@contextlib.contextmanager
def asked(ws: Workspace) -> Iterator[list[str]]:
    """Collect the statements that this thread's connection runs; how it is set to wait asks the database nothing."""
    said: list[str] = []
    with ws.project.reading() as con:
        pass
    con.set_trace_callback(lambda one: None if one.startswith("pragma busy_timeout") else said.append(one))
    yield said
    con.set_trace_callback(None)


def test_a_change_of_records_takes_few_statements() -> None:
    """One that is asked for twice, or an event that is read again, would show here."""
    with lmops.open(":memory:") as ws:
        for text in ("a", "b"):
            ws.prompts.save("p", text)
        ws.prompts.promote("p", 1, to="production")
        with asked(ws) as of_save:
            ws.prompts.save("p", "c")
        with asked(ws) as of_promote:
            ws.prompts.promote("p", 2, to="production")
        with asked(ws) as of_get:
            ws.prompts.get("p@production")
    assert len(of_save) <= 13
    assert len(of_promote) <= 23
    assert len(of_get) <= 6, of_get
