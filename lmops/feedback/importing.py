"""Signals out of files, frames and traces: each line that cannot be read is named, the same ones again add nothing."""

from __future__ import annotations

import codecs
import json
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lmops.datasets.reading import each_of, row_of_line
from lmops.errors import NotFoundError, UsageError, system_in_words
from lmops.feedback._records import ImportReport, Signal
from lmops.feedback._write import last_seq, write
from lmops.feedback.questions import count_waiting
from lmops.feedback.wire import check_map, signal_of, signals_of_events
from lmops.text import exact_json
from lmops.times import to_ns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from lmops.records import Project

#: Where something stands, and the signal or why there is none.
Found = tuple[str, Signal | UsageError]
#: A report keeps so many rejected lines by name; the rest are counted.
SHOWN_REJECTIONS: Final = 1_000
_RESULTS: Final = (
    "select trace_id, span_id, events from spans where contains(events, 'gen_ai.evaluation.result') "
    "order by start_ns, span_id"
)


def found_in(
    data: Any,
    *,
    columns: Mapping[str, str] | None = None,
    name: str | None = None,
    source: str | None = None,
    scale: tuple[float, float] | None = None,
) -> Iterator[Found]:
    """Yield the signals of a file or of rows, each with its place.

    Args:
        data: Path of a JSONL, JSON, CSV or Parquet file, a frame, or a list of dicts.
        columns: Field -> column, where the columns have other names.
        name: Of signals whose row has none.
        source: Of signals whose row has none.
        scale: Of numbers whose row has none.

    Raises:
        NotFoundError: There is no such file.
        UsageError: It is none of these, or ``columns`` names a field that there is not.
    """
    named = check_map(columns)
    equal: Counter[Signal] = Counter()
    for where, row in _rows(data):
        try:
            if isinstance(row, UsageError):
                raise row
            made = signal_of(row, columns=named, name=name, source=source, scale=scale)
        except UsageError as error:
            yield where, error
            continue
        if made.user_id is None and made.key is None and made.at_ns is None:
            # Nothing tells equal lines apart but how many there are: the third of them is the third again.
            equal[made] += 1
            made = replace(made, key=f"line {equal[made]}: {json.dumps([made.value, made.comment])}"[:1_000])
        yield where, made


def found_in_traces(project: Project) -> Iterator[Found]:
    """Yield what evaluations said, as events of the spans that are in the store."""
    for trace_id, span_id, events in project.store.sql(_RESULTS).fetchall():
        said: Any = exact_json(events)  # a list, as the store keeps them
        for signal in signals_of_events(said, trace_id=trace_id, span_id=span_id):
            yield f"span {span_id} of trace {trace_id}", signal


def _rows(data: Any) -> Iterator[tuple[str, Mapping[str, Any] | UsageError]]:
    """Yield rows with their places; a line that cannot be read does not spoil the others. JSONL is not read at once."""
    if not isinstance(data, str | os.PathLike) or Path(data).suffix.lower() not in (".jsonl", ".ndjson"):
        yield from each_of(data)
        return
    path = Path(data)
    if not path.is_file():
        raise NotFoundError(f"there is no file {path}")
    with system_in_words(path), path.open("rb") as lines:
        if lines.read(2) not in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            lines.seek(0)
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield f"{path.name}, line {number}", row_of_line(line.removeprefix(codecs.BOM_UTF8))
            return
    yield from each_of(path)


def take(project: Project, found: Iterable[Found], *, subject: str, reason: str | None) -> ImportReport:
    """Write signals in one transaction with the event that says so, and return what that did.

    Args:
        project: Where to, and who does it.
        found: As :func:`found_in` yields them.
        subject: Where they came from, for the audit chain.
        reason: Why, for the audit chain.
    """
    rejected: list[tuple[str, str]] = []
    signals: list[Signal] = []
    count = 0
    for where, signal in found:
        if isinstance(signal, Signal):
            signals.append(signal)
            continue
        count += 1
        if len(rejected) < SHOWN_REJECTIONS:
            rejected.append((where, str(signal)))
    did: Counter[str] = Counter()
    before = last_seq(project)
    with project.change(reason=reason) as change:
        for _, what in write(change.con, signals, at_ns=change.at_ns, repeated=True):
            did[what] += 1
        if did["new"] + did["changed"] + did["late"]:
            change.say("feedback.import", subject, after={**did, "rejected": count})
    left = count_waiting(project.store, since=before) if sum(did.values()) > did["same"] else 0
    return ImportReport(**did, waiting=left, rejected=tuple(rejected), rejected_count=count)


def receive(project: Project, found: Iterable[Signal | UsageError]) -> ImportReport:
    """Write the signals of one request in one transaction, as facts; return what that did.

    Args:
        project: Where to.
        found: The signals, and what is none with the reason, in the order of the request.
    """
    given = list(found)
    rejected = [(f"[{place}]", str(one)) for place, one in enumerate(given) if not isinstance(one, Signal)]
    did: Counter[str] = Counter()
    signals = [one for one in given if isinstance(one, Signal)]
    if signals:
        with project.store.transaction(durable=False) as con:
            did.update(what for _, what in write(con, signals, at_ns=to_ns(project.now())))
    return ImportReport(**did, rejected=tuple(rejected[:SHOWN_REJECTIONS]), rejected_count=len(rejected))
