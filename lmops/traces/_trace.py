"""One trace as Python sees it: an immutable view over its span rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

from lmops.base.chat import Message
from lmops.base.shown import Shown
from lmops.base.units import counted, duration
from lmops.calc.rollup import is_unpriced, rollup
from lmops.errors import NotFoundError, UsageError
from lmops.text import plain
from lmops.traces._json import dumps, loads
from lmops.traces._messages import messages
from lmops.traces.graphs import COLUMNS, edges

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import pandas as pd

    from lmops.calc.rollup import TraceFacts

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: columns that hold JSON text and are shown parsed
_JSON_DICTS = ("attributes", "resource")
_JSON_LISTS = ("events", "documents", "links")


class Span(Shown):
    """One span of a trace. Every column of ``spans`` is an attribute: ``span.model``, ``span.latency_ms``.

    ``attributes``, ``resource``, ``events``, ``documents`` and ``links`` are parsed; ``span.row`` has them as stored.
    """

    def __init__(self, row: Mapping[str, Any], trace: Trace) -> None:
        self.row: Mapping[str, Any] = MappingProxyType(dict(row))
        self.trace = trace

    def __getattr__(self, name: str) -> Any:
        row = self.__dict__.get("row")
        if row is not None and name in row:
            return row[name]
        raise AttributeError(f"a span has no {name!r}; its columns: {', '.join(row or ())}")

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self.row})

    def __repr__(self) -> str:
        failed = " error" if self.row["status"] == "error" else ""
        name = plain(self.row["name"], 60)
        return f"<Span {self.row['span_id']} {self.row['kind']} {name!r} {duration(self.known_latency_ms)}{failed}>"

    @property
    def start_at(self) -> datetime:
        """Start, aware, UTC."""
        return _moment(self.row["start_ns"])

    @property
    def end_at(self) -> datetime:
        """End, aware, UTC."""
        return _moment(_end_ns(self.row))

    @property
    def latency_ms(self) -> float:
        """End minus start in milliseconds."""
        known = self.row.get("latency_ms")
        return float(known) if known is not None else (_end_ns(self.row) - int(self.row["start_ns"])) / 1e6

    @property
    def known_latency_ms(self) -> float | None:
        """As ``latency_ms``; None where the source says no times, or the span never ended."""
        return self.latency_ms if self.row.get("latency_ms", self) is not None else None

    @property
    def is_error(self) -> bool:
        """Whether the span failed."""
        return bool(self.row["status"] == "error")

    @property
    def is_call(self) -> bool:
        """Whether the span is a billable model call (and no duplicate of one)."""
        return self.row["span_id"] in self.trace.call_span_ids

    @property
    def depth(self) -> int:
        """Distance from the top: 0 for a root and for a span whose parent never arrived."""
        return self.trace.facts.depths[self.row["span_id"]]

    @property
    def parent(self) -> Span | None:
        """The parent, or None for a root, an orphan, and where a cycle of parents was cut."""
        above = self.trace.facts.parents[self.row["span_id"]]
        return None if above is None else self.trace.by_id[above]

    @property
    def children(self) -> tuple[Span, ...]:
        """The direct children in start order."""
        return self.trace.children_of(self.row["span_id"])

    @cached_property
    def input_messages(self) -> list[Message]:
        """The messages of ``input``; plain text is one message of the user; empty when there is no input."""
        return _as_messages(self.row.get("input"), "user")

    @cached_property
    def output_messages(self) -> list[Message]:
        """The messages of ``output``; plain text is one message of the assistant; empty when there is no output."""
        return _as_messages(self.row.get("output"), "assistant")

    @property
    def messages(self) -> list[Message]:
        """The conversation: input messages, then output messages."""
        return [*self.input_messages, *self.output_messages]

    @cached_property
    def attributes(self) -> dict[str, Any]:
        """The attributes as sent; empty when there are none."""
        return _object(self.row.get("attributes"))

    @cached_property
    def resource(self) -> dict[str, Any]:
        """The attributes of the process that sent the span."""
        return _object(self.row.get("resource"))

    @cached_property
    def events(self) -> list[dict[str, Any]]:
        """The events of the span: ``{name, time_ns, attributes}``."""
        return _objects(self.row.get("events"))

    @cached_property
    def documents(self) -> list[dict[str, Any]]:
        """The retrieved documents: ``{rank, id, score, content, metadata}``."""
        return _objects(self.row.get("documents"))

    @cached_property
    def links(self) -> list[dict[str, Any]]:
        """Links to other spans: ``{trace_id, span_id, attributes}``."""
        return _objects(self.row.get("links"))


class Trace(Shown):
    """All spans of one trace. In a notebook it shows itself as a waterfall; ``print(trace)`` gives a tree of text.

    Example:
        >>> from lmops.traces._trace import Trace
        >>> row = dict.fromkeys(("parent_span_id", "model", "input", "output", "input_tokens", "output_tokens"))
        >>> row |= {"trace_id": "t", "span_id": "s", "name": "ask", "kind": "chain", "status": "ok"}
        >>> Trace.from_rows([row | {"start_ns": 0, "end_ns": 2_500_000}])
        <Trace t 'ask' ok 2.5 ms, 1 span, 0 calls>
    """

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        rows = list(rows)
        ids = {row["trace_id"] for row in rows}
        if len(ids) != 1:
            raise UsageError(f"a Trace is made of the spans of one trace; these {len(rows)} rows are of {len(ids)}")
        self.trace_id: str = ids.pop()
        self.facts: TraceFacts = rollup(rows)
        depths = self.facts.depths
        rows.sort(key=lambda row: (row["start_ns"], depths[row["span_id"]], row["span_id"]))
        self.by_id: dict[str, Span] = {}
        for row in rows:
            if row["span_id"] not in self.by_id:
                self.by_id[row["span_id"]] = Span(row, self)
        #: the store's verdict where the rows carry it: it also knows duplicates in other traces
        flagged = all(row.get("is_call") is not None for row in rows)
        self.call_span_ids: frozenset[str] = (
            frozenset(row["span_id"] for row in rows if row["is_call"]) if flagged else self.facts.call_span_ids
        )

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, Any]]) -> Self:
        """Return the trace of these rows: mappings with the columns of ``spans``, in any order, all of one trace.

        Raises:
            UsageError: no rows, or rows of several traces.
        """
        return cls(rows)

    @property
    def spans(self) -> list[Span]:
        """All spans in start order; parents before their children where they start together."""
        return list(self.by_id.values())

    @property
    def root(self) -> Span:
        """The earliest span without a parent; in an orphan trace the earliest span whose parent never arrived."""
        root_id = self.facts.root_span_id
        return self.by_id[root_id] if root_id is not None else next(iter(self.by_id.values()))

    @property
    def roots(self) -> list[Span]:
        """Every span at depth 0, in start order: roots, and spans whose parent never arrived."""
        return list(self.children_of(None))

    @property
    def tree(self) -> list[Span]:
        """All spans in tree order: each span is followed by its children; ``span.depth`` gives the indent."""
        return list(self._walk())

    @property
    def calls(self) -> list[Span]:
        """The billable model calls, in start order."""
        return [span for span_id, span in self.by_id.items() if span_id in self.call_span_ids]

    @property
    def errors(self) -> list[Span]:
        """The failed spans, in start order."""
        return [span for span in self.by_id.values() if span.is_error]

    @property
    def error(self) -> Span | None:
        """The deepest failed span, where the trouble began; None when nothing failed."""
        failed = self.facts.error_span_id
        return None if failed is None else self.by_id[failed]

    @property
    def status(self) -> str:
        """The status of the root: ok, error or unset; error when the root never arrived and any span failed."""
        return "error" if self.is_orphan and self.error is not None else str(self.root.row["status"])

    @property
    def name(self) -> str:
        """The name of the root."""
        return str(self.root.row["name"])

    @property
    def is_orphan(self) -> bool:
        """Whether no root span has arrived."""
        return self.facts.is_orphan

    @property
    def start_at(self) -> datetime:
        """Start of the earliest span, aware, UTC."""
        return _moment(self.start_ns)

    @cached_property
    def start_ns(self) -> int:
        """Start of the earliest span, nanoseconds since 1970 UTC."""
        return min(int(span.row["start_ns"]) for span in self.by_id.values())

    @cached_property
    def duration_ms(self) -> float:
        """From the earliest start to the latest end, in milliseconds."""
        return (max(_end_ns(span.row) for span in self.by_id.values()) - self.start_ns) / 1e6

    @cached_property
    def known_duration_ms(self) -> float | None:
        """As ``duration_ms``; None where no span says how long it took."""
        return self.duration_ms if any(span.known_latency_ms is not None for span in self.by_id.values()) else None

    @property
    def cost_usd(self) -> float | None:
        """Cost of the priced calls; None when no call has a price. See ``unpriced_calls``."""
        total: float | None = _total(self.calls, "cost_usd")
        return total

    @property
    def unpriced_calls(self) -> int:
        """Number of calls without a cost that may have cost something: they did not fail, or report usage."""
        return sum(1 for span in self.calls if is_unpriced(span.row))

    @property
    def input_tokens(self) -> int | None:
        """Input tokens of the calls that report them; None when none does."""
        total: int | None = _total(self.calls, "input_tokens")
        return total

    @property
    def output_tokens(self) -> int | None:
        """Output tokens of the calls that report them; None when none does."""
        total: int | None = _total(self.calls, "output_tokens")
        return total

    @property
    def models(self) -> list[str]:
        """The models of the calls, each once, in the order of their first call."""
        return list(dict.fromkeys(span.row["model"] for span in self.calls if span.row.get("model")))

    @property
    def documents(self) -> list[dict[str, Any]]:
        """The retrieved documents of all spans, each with its ``span_id``."""
        return [{"span_id": span.row["span_id"], **doc} for span in self.by_id.values() for doc in span.documents]

    @property
    def tool_calls(self) -> list[Span]:
        """The executed tools, in start order."""
        return [span for span in self.by_id.values() if span.row["kind"] == "tool"]

    @property
    def session_id(self) -> str | None:
        """The conversation: of the root, else of the first span that names one."""
        return self._first("session_id")

    @property
    def user_id(self) -> str | None:
        """The end user: of the root, else of the first span that names one."""
        return self._first("user_id")

    def span(self, span_id: str) -> Span:
        """Return the span with this id, or the only one whose id starts with it.

        Raises:
            NotFoundError: no span, or more than one, has it.
        """
        asked = span_id.strip().lower()
        if asked in self.by_id:
            return self.by_id[asked]
        found = [known for known in self.by_id if asked and known.startswith(asked)]
        if len(found) == 1:
            return self.by_id[found[0]]
        if found:
            raise NotFoundError(f"{len(found)} spans of trace {self.trace_id} start with {asked!r}: give more digits")
        raise NotFoundError.of(f"span of trace {self.trace_id}", asked, self.by_id)

    def find(self, text: str) -> list[Span]:
        """Return the spans that contain the text in any column, whatever its case, in start order."""
        wanted = text.casefold()
        return [
            span
            for span in self.by_id.values()
            if any(isinstance(value, str) and wanted in value.casefold() for value in span.row.values())
        ]

    def children_of(self, span_id: str | None) -> tuple[Span, ...]:
        """Return the children of one span in start order; for None the spans at depth 0."""
        return self._children.get(span_id, ())

    def df(self) -> pd.DataFrame:
        """Return one row per span in tree order: ``depth``, ``start_at``, then every column of ``spans``."""
        import pandas as pd

        from lmops.base.frames import Frame

        spans = self.tree
        frame = Frame([dict(span.row) for span in spans])
        frame.insert(0, "depth", [span.depth for span in spans])
        starts = pd.to_datetime(frame["start_ns"], unit="ns", utc=True)
        if "start_at" in frame.columns:
            frame = frame.drop(columns="start_at")
        frame.insert(1, "start_at", starts)
        return frame

    def graph(self) -> pd.DataFrame:
        """Return who called whom: one row for each pair of agents, tools, models and searches, in the order of time.

        Spans of other kinds are seen through, but for those at the top. A model call that several spans report counts
        once.

        Returns:
            Columns source_kind, source, target_kind, target, count (calls along this edge), errors, latency_ms,
            input_tokens, output_tokens, cost_usd (sums of what is known; missing where nothing is), span_id (of the
            first call).
        """
        from lmops.base.frames import Frame

        frame = Frame(edges(self.tree), columns=list(COLUMNS))
        whole = dict.fromkeys(("input_tokens", "output_tokens"), "Int64")
        return frame.astype(whole | dict.fromkeys(("latency_ms", "cost_usd"), "float64"))

    def to_json(self) -> str:
        """Return the trace as JSON: ``{"trace_id", "spans": [...]}``, spans in tree order, JSON columns as JSON."""
        spans = []
        for span in self.tree:
            row = {name: value for name, value in span.row.items() if not isinstance(value, datetime)}
            row |= {name: getattr(span, name) for name in (*_JSON_DICTS, *_JSON_LISTS) if row.get(name) is not None}
            spans.append(row | {"depth": span.depth, "is_call": span.is_call})
        return dumps({"trace_id": self.trace_id, "spans": spans})

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return (
            f"<Trace {self.trace_id} {plain(self.name, 60)!r} {self.status} {duration(self.known_duration_ms)}, "
            f"{counted(len(self), 'span')}, {counted(len(self.call_span_ids), 'call')}>"
        )

    def __len__(self) -> int:
        return len(self.by_id)

    def __iter__(self) -> Iterator[Span]:
        return iter(self.by_id.values())

    @cached_property
    def _children(self) -> dict[str | None, tuple[Span, ...]]:
        found: dict[str | None, list[Span]] = {}
        for span_id, span in self.by_id.items():
            found.setdefault(self.facts.parents[span_id], []).append(span)
        return {above: tuple(spans) for above, spans in found.items()}

    def _walk(self) -> Iterator[Span]:
        waiting = list(reversed(self.children_of(None)))
        while waiting:
            span = waiting.pop()
            yield span
            waiting.extend(reversed(self.children_of(span.row["span_id"])))

    def _first(self, column: str) -> str | None:
        rows = (self.root.row, *(span.row for span in self.by_id.values()))
        return next((row[column] for row in rows if row.get(column)), None)


def _end_ns(row: Mapping[str, Any]) -> int:
    """Return the end; the start when it is missing or a clock ran backwards."""
    return max(int(row["start_ns"]), int(row.get("end_ns") or 0))


def _moment(ns: int) -> datetime:
    return _EPOCH + timedelta(microseconds=ns // 1000)


def _total(spans: list[Span], column: str) -> Any:  # int or float, or None when no span knows it
    values = [span.row[column] for span in spans if span.row.get(column) is not None]
    return sum(values) if values else None


def _as_messages(text: str | None, role: str) -> list[Message]:
    if not text:
        return []
    found = messages(text)
    return [Message(role=role, content=text)] if found is None else found


def _object(text: str | None) -> dict[str, Any]:
    value = _parsed(text)
    return value if isinstance(value, dict) else {}


def _objects(text: str | None) -> list[dict[str, Any]]:
    value = _parsed(text)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _parsed(text: str | None) -> object:
    """Return the JSON of one column; None when it is missing or not JSON."""
    try:
        return loads(text) if text else None
    except ValueError:
        return None
