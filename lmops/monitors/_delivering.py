"""Sinks are told what waits for them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from lmops.base.endings import Caught
from lmops.base.posting import Reply
from lmops.monitors import _outbox
from lmops.monitors._sink_records import sink_of
from lmops.redact import mask_keys
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lmops.monitors._payloads import Facts
    from lmops.monitors._sink_records import Deliveries, Sink
    from lmops.records import Project

_QUESTIONS: Final = "select trace_id, input, output from traces where trace_id in (select unnest($ids))"


def deliver(project: Project) -> Deliveries:
    """Tell every sink what waits for it; see :meth:`lmops.monitors.Monitors.deliver`."""
    with project.reading() as con:
        if not _outbox.is_waiting(con):
            return _outbox.outcome(con, sent=0, superseded=0)
        sinks = [sink_of(dict(row)) for row in project.store.records(con, "alert_sinks")[0]]
    with project.change() as change:
        superseded = _outbox.supersede(change)
        _outbox.prune(change)
    count = sum(_told(project, sink) for sink in sinks)
    with project.reading() as con:
        return _outbox.outcome(con, sent=count, superseded=superseded)


def _told(project: Project, sink: Sink) -> int:
    """Tell one sink what waits for it, until it fails; return how many notices it took."""
    count = 0
    while True:
        with project.change() as change:
            rows = _outbox.take(change, sink)
        if not rows:
            return count
        reply = sent(project, sink, [{**json.loads(row["facts"]), "key": row["idempotency_key"]} for row in rows])
        with project.change() as change:
            _outbox.settle(change, sink, rows, reply)
        count += len(rows) if reply.is_taken else 0


def sent(project: Project, sink: Sink, told: Sequence[Facts]) -> Reply:
    """Send one message to a sink; whatever goes wrong is what became of it.

    What cannot even be written down is refused, as a sink refuses it: it must not hold up the others.

    Args:
        project: Whose clock it is sent by, and where the texts of traces are.
        sink: Who is told.
        told: Facts, each with its "key".
    """
    from lmops.monitors._sending import send

    with Caught(Exception) as caught:
        return send(sink, told, _texts(project, told) if sink.has_text else {}, at=project.now())
    return Reply(400, plain_line(f"{type(caught.error).__name__}: {mask_keys(str(caught.error))}", 200))


def _texts(project: Project, told: Sequence[Facts]) -> dict[str, dict[str, str]]:
    """Return the questions and answers of the examples that are still there."""
    ids = sorted({trace_id for one in told for trace_id in one["trace_ids"]})
    found = project.store.sql(_QUESTIONS, {"ids": ids}).fetchall() if ids else []
    return {trace_id: {"question": asked or "", "answer": said or ""} for trace_id, asked, said in found}
