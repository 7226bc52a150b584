"""Files, globs, bytes and file objects into the store: bounded memory, nothing twice, nothing silently left out."""

from __future__ import annotations

import contextlib
import gc
import glob
import io
import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Final, Literal

from lmops.base.shown import Shown
from lmops.base.units import counted
from lmops.errors import IngestError, NotFoundError, UsageError, system_in_words
from lmops.progress import Progress
from lmops.text import plain_line
from lmops.traces._redact import redact_batch

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from lmops.models import Pricer
    from lmops.redact import Redactor
    from lmops.store import Store

Row = dict[str, Any]
Source = str | os.PathLike[str] | bytes | IO[bytes] | Iterable[str | os.PathLike[str]]
OnError = Literal["reject", "raise"]

#: Rows that one segment is made of: enough to be worth a file, few enough to hold as Python objects.
CHUNK_ROWS: Final = 16_000
#: The same for rows with long texts: characters of attributes, which hold most of a row.
CHUNK_CHARACTERS: Final = 16_000_000
#: The traces of the last so many spans may go on with the next: a trace that is stored in two parts is written twice.
GOING_ON_ROWS: Final = 100
#: How far back the other spans of such a trace are looked for.
LOOKED_BACK_ROWS: Final = 2_000
#: A report keeps so many rejected records by name; the rest are counted.
SHOWN_REJECTIONS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestReport(Shown):
    """What an ingest added.

    ``spans`` and ``traces`` are new ones, ``duplicates`` were there before, ``rejected`` holds (where, why) of records
    that could not be read (at most 1,000 of the ``rejected_count``), ``ignored`` counts log records that carry nothing
    of a model call, ``redacted`` what a policy took out, by kind.
    """

    spans: int
    traces: int
    logs: int
    duplicates: int
    rejected: tuple[tuple[str, str], ...]
    rejected_count: int
    ignored: int
    files: int
    duration_s: float
    redacted: Mapping[str, int] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Say it in one line, and the first rejections below."""
        rate = f", {self.spans / self.duration_s:,.0f} spans/s" if self.spans and self.duration_s else ""
        parts = [f"{counted(self.spans, 'new span')} in {counted(self.traces, 'trace')}"]
        parts += [counted(self.logs, "log event")] if self.logs else []
        parts += [counted(self.duplicates, "duplicate")] if self.duplicates else []
        parts += [f"{self.rejected_count:,} rejected"] if self.rejected_count else []
        parts += [f"{self.ignored:,} log records that say nothing of a model call"] if self.ignored else []
        parts += [f"{sum(self.redacted.values()):,} redacted ({in_words(self.redacted)})"] if self.redacted else []
        lines = [f"<IngestReport {', '.join(parts)}; {counted(self.files, 'file')} in {self.duration_s:.1f} s{rate}>"]
        lines += [f"  {where}: {why}" for where, why in self.rejected[:5]]
        if self.rejected_count > 5:
            lines.append(f"  ... and {self.rejected_count - 5:,} more in .rejected")
        return "\n".join(lines)


def in_words(counts: Mapping[str, int]) -> str:
    """Return how often each kind was found, the most frequent first."""
    return ", ".join(f"{count:,} {plain_line(kind, 40)}" for kind, count in Counter(counts).most_common())


@dataclass(slots=True)
class _Input:
    """One thing to read, which can be opened more than once."""

    name: str
    size: int
    mtime_ns: int
    path: Path | None = None
    content: bytes | None = None

    def open(self) -> BinaryIO:
        if self.content is not None:
            return io.BytesIO(self.content)
        if self.path is None:
            raise IngestError(f"{self.name}: nothing to read")
        with system_in_words(self.path):
            return self.path.open("rb")


class Ingest:
    """One run over one source."""

    def __init__(
        self,
        store: Store,
        pricer: Pricer,
        *,
        format: str | None,
        on_error: OnError,
        redactor: Redactor | None = None,
    ) -> None:
        from lmops.traces._formats import FORMATS, read  # protobuf is slow to load

        if format is not None and format not in FORMATS:
            raise UsageError(f"no format {format!r}; known: {', '.join(sorted(FORMATS))}, or None to find out")
        if on_error not in ("reject", "raise"):
            message = f"on_error={on_error!r}; it is 'reject' (go on and report) or 'raise' (keep nothing of a file)"
            raise UsageError(message)
        self._batches = read
        self._store = store
        self._pricer = pricer
        self._format = format
        self._on_error = on_error
        self._redactor = redactor
        self._spans: list[Row] = []
        self._logs: list[Row] = []
        self._rejected: list[tuple[str, str]] = []
        self._characters = 0
        self._rejected_count = self._ignored = self._new = self._new_traces = self._new_logs = self._duplicates = 0

    def run(self, source: Source, *, progress: bool) -> IngestReport:
        """Read everything and return the report."""
        began = time.monotonic()
        before = self._redacted()
        with _inputs(source) as inputs:
            total = sum(found.size for found in inputs)
            bar = Progress("ingest", total, unit="bytes") if progress else None
            with bar or contextlib.nullcontext(), _without_cycles():
                for found in inputs:
                    if self._on_error == "raise":
                        self._refuse_bad(found)
                    self._read(found, bar)
                self._flush()
        self._store.checkpoint()
        return IngestReport(
            spans=self._new,
            traces=self._new_traces,
            logs=self._new_logs,
            duplicates=self._duplicates,
            rejected=tuple(self._rejected),
            rejected_count=self._rejected_count,
            ignored=self._ignored,
            files=len(inputs),
            duration_s=time.monotonic() - began,
            redacted=dict(self._redacted() - before),
        )

    def _redacted(self) -> Counter[str]:
        return Counter() if self._redactor is None else self._redactor.counts

    def _refuse_bad(self, found: _Input) -> None:
        """Read a whole file before anything of it is kept, so that a bad record leaves nothing behind."""
        with found.open() as handle:
            for batch in self._batches(handle, format=self._format, name=found.name, fallback_time_ns=found.mtime_ns):
                if batch.rejected:
                    redact_batch(batch, self._redactor)
                    where, why = batch.rejected[0]
                    kept = f"nothing of {found.name} was kept (on_error='reject' keeps the rest)"
                    raise IngestError(f"{where}: {why}; {kept}")

    def _read(self, found: _Input, bar: Progress | None) -> None:
        done = bar.done if bar else 0
        with found.open() as handle:
            for batch in self._batches(handle, format=self._format, name=found.name, fallback_time_ns=found.mtime_ns):
                redact_batch(batch, self._redactor)
                self._pricer.put_costs(batch.spans)
                self._spans += batch.spans
                self._logs += batch.logs
                self._ignored += batch.ignored
                self._rejected_count += len(batch.rejected)
                self._rejected += batch.rejected[: SHOWN_REJECTIONS - len(self._rejected)]
                self._characters += batch.characters
                if len(self._spans) + len(self._logs) >= CHUNK_ROWS or self._characters >= CHUNK_CHARACTERS:
                    self._flush(going_on={row["trace_id"] for row in self._spans[-GOING_ON_ROWS:]})
                if bar:
                    bar.update(done + min(handle.tell(), found.size), note=f"{self._new + len(self._spans):,} spans")
        if bar:
            bar.update(done + found.size)

    def _flush(self, going_on: Collection[str] = ()) -> None:
        """Store what was read; the spans of traces that go on wait for the rest of them."""
        spans = self._spans
        last = spans[-LOOKED_BACK_ROWS:]
        held = [row for row in last if row["trace_id"] in going_on]
        if 2 * len(held) > len(last):  # of a trace that is most of it nothing waits
            held = []
        else:
            spans[-LOOKED_BACK_ROWS:] = [row for row in last if row["trace_id"] not in going_on]
        if not spans and not self._logs:
            return
        report = self._store.load(spans, self._logs)
        self._new += report.new
        self._new_traces += report.new_traces
        self._new_logs += report.new_logs
        self._duplicates += report.duplicates
        self._spans, self._logs, self._characters = held, [], 0


@contextlib.contextmanager
def _without_cycles() -> Iterator[None]:
    """Pause the search for reference cycles: rows have none, and it would walk every row of a chunk again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@contextlib.contextmanager
def _inputs(source: Source) -> Iterator[list[_Input]]:
    """Yield what a source means, in a fixed order; a file object is copied to disk first, as it may be read twice."""
    if isinstance(source, bytes | bytearray | memoryview):
        content = bytes(source)
        yield [_Input("<bytes>", len(content), time.time_ns(), content=content)]
    elif isinstance(source, str | os.PathLike):
        yield [_of_path(path) for path in _expand(source)]
    elif hasattr(source, "read"):
        name = str(getattr(source, "name", "<file object>"))
        with tempfile.NamedTemporaryFile(prefix="lmops-ingest-") as spool:
            while piece := _bytes(source.read(1 << 20)):
                spool.write(piece)
            spool.flush()
            path = Path(spool.name)
            yield [_Input(name, path.stat().st_size, time.time_ns(), path=path)]
    elif isinstance(source, Iterable):
        yield [_of_path(path) for entry in source for path in _expand(entry)]
    else:
        raise UsageError(f"cannot ingest {type(source).__name__}: give a path, a glob, bytes or a file opened as 'rb'")


def _bytes(piece: object) -> bytes:
    if isinstance(piece, bytes):
        return piece
    message = f"the file object gives {type(piece).__name__}; open the file in binary mode: open(path, 'rb')"
    raise UsageError(message)


def _of_path(path: Path) -> _Input:
    with system_in_words(path):
        about = path.stat()
    return _Input(path.name, about.st_size, about.st_mtime_ns, path=path)


def _expand(source: str | os.PathLike[str]) -> list[Path]:
    """Return the files that a path or a glob names, sorted."""
    path = Path(source).expanduser()
    if path.is_file():
        return [path]
    named = [path] if path.exists() else sorted(map(Path, glob.glob(str(path), recursive=True)))  # noqa: PTH207  # absolute patterns too
    found = [name for name in named if name.is_file()]
    folder = next((name for name in named if name.is_dir()), None)
    if folder is not None and not found:
        raise UsageError(f"{folder} is a folder; name its files with a glob such as {str(folder / '*.jsonl.gz')!r}")
    if not found:
        raise NotFoundError(f"no file matches {str(path)!r} (looked from {Path.cwd()})")
    return found
