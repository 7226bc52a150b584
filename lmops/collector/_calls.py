"""Model calls counted as they are stored, for ``/metrics``: nothing is asked of the store when somebody scrapes.

What is a call is decided as for the view ``llm_calls``, among what one request brought and what is remembered of those
before: a wrapper around a call does not count beside it, and a span that is sent again counts once.
"""

from __future__ import annotations

import math
import threading
from bisect import bisect_left
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.calc.rollup import MODEL_KINDS, is_unpriced, pick_duplicates, rollup
from lmops.collector._openmetrics import Exemplar, Family, Sample, label

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Row = Mapping[str, Any]
    Key = tuple[str, str]

#: Upper bounds of the buckets of a duration, in seconds: those that OpenTelemetry advises for calls of models.
BUCKETS_S: Final = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
#: Likewise of the time to the first token.
FIRST_BUCKETS_S: Final = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
#: So many sets of labels are told apart; what comes beyond is counted under one more.
MOST_SERIES: Final = 1_000
#: So many spans are remembered, so that one that comes again counts once.
_REMEMBERED: Final = 100_000
_OPERATIONS: Final = {"llm": "chat", "embedding": "embeddings", "reranker": "rerank"}


class Labels(NamedTuple):
    """By what calls are told apart, in the names that OpenTelemetry's attributes have in Prometheus."""

    gen_ai_operation_name: str | None
    gen_ai_provider_name: str | None
    gen_ai_response_model: str | None
    service_name: str | None
    deployment_environment_name: str | None


_OVERFLOW: Final = Labels(*["_overflow"] * 5)


class _Histogram:
    """How many took how long, with one of each bucket as an example."""

    __slots__ = ("bounds", "counts", "exemplars", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.exemplars: list[Exemplar | None] = [None] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, call: Row, milliseconds: float | None) -> None:
        """Count a call; one that does not say how long, or something impossible, is left out."""
        if milliseconds is None or not 0 <= milliseconds < math.inf:
            return
        seconds = milliseconds / 1000
        place = bisect_left(self.bounds, seconds)
        self.counts[place] += 1
        self.total += seconds
        self.exemplars[place] = Exemplar(call["trace_id"], seconds, (call["end_ns"] or call["start_ns"]) / 1e9)

    def samples(self, said: Mapping[str, str | None]) -> Iterator[Sample]:
        """Yield its lines."""
        total = 0
        for bound, count, exemplar in zip((*map(repr, self.bounds), "+Inf"), self.counts, self.exemplars, strict=True):
            total += count
            yield Sample(total, {**said, "le": bound}, "_bucket", exemplar)
        yield Sample(total, said, "_count")
        yield Sample(self.total, said, "_sum")


class _Series:
    """What was counted of one set of labels; None where no call said it."""

    __slots__ = ("calls", "cost_usd", "durations", "failed", "firsts", "input_tokens", "output_tokens", "unpriced")

    def __init__(self) -> None:
        self.calls = self.failed = self.unpriced = 0
        self.input_tokens: int | None = None
        self.output_tokens: int | None = None
        self.cost_usd: float | None = None
        self.durations = _Histogram(BUCKETS_S)
        self.firsts: _Histogram | None = None

    def add(self, call: Row) -> None:
        """Count a call."""
        self.calls += 1
        self.failed += call["status"] == "error"
        self.unpriced += is_unpriced(call)
        for name in ("input_tokens", "output_tokens", "cost_usd"):
            amount = call[name]
            if amount is not None and 0 <= amount < math.inf:  # a counter never falls, whatever a client says
                setattr(self, name, (getattr(self, name) or 0) + amount)
        self.durations.add(call, call["latency_ms"])
        if call.get("ttft_ms") is not None:
            self.firsts = self.firsts or _Histogram(FIRST_BUCKETS_S)
            self.firsts.add(call, call["ttft_ms"])


class Calls:
    """The calls that were stored since this began, by their labels; any thread may add.

    Args:
        most: So many sets of labels are told apart.
        remembered: So many spans are remembered.
    """

    def __init__(self, *, most: int = MOST_SERIES, remembered: int = _REMEMBERED) -> None:
        self._most = most
        self._remembered = remembered
        self._lock = threading.Lock()
        self._series: dict[Labels, _Series] = {}
        #: spans that count no more: calls that were counted, and whatever is above them; as hashes, which are small
        self._settled: OrderedDict[int, None] = OrderedDict()
        self._overflow = 0

    def add(self, spans: Sequence[Row]) -> None:
        """Count the calls among the spans of one request.

        Args:
            spans: Rows of the table of spans, after they were stored.
        """
        with self._lock:
            for call in self._calls_of(spans):
                self._of(call).add(call)
            while len(self._settled) > self._remembered:
                self._settled.popitem(last=False)

    def _calls_of(self, spans: Sequence[Row]) -> Iterator[Row]:
        """Yield the calls that were not counted before, and remember them with the spans above them."""
        by_trace: dict[str, dict[str, Row]] = {}
        for span in spans:
            by_trace.setdefault(span["trace_id"], {})[span["span_id"]] = span
        calls: dict[Key, Row] = {}
        for trace_id, rows in by_trace.items():
            if any(row["kind"] in MODEL_KINDS for row in rows.values()):
                found = rollup([*rows.values()]).call_span_ids
                calls |= {(trace_id, span_id): rows[span_id] for span_id in sorted(found)}
            for span_id in rows:
                if hash((trace_id, span_id)) in self._settled:
                    self._settle_above(trace_id, span_id, rows)
        for losers in pick_duplicates(calls.values()).values():
            for loser in losers:
                calls.pop(loser, None)
        for (trace_id, span_id), call in calls.items():
            if hash((trace_id, span_id)) not in self._settled:
                self._settled[hash((trace_id, span_id))] = None
                self._settle_above(trace_id, span_id, by_trace[trace_id])
                yield call

    def _settle_above(self, trace_id: str, span_id: str, rows: Mapping[str, Row]) -> None:
        """Settle the spans above one, up to the first that has not come yet."""
        row = rows.get(span_id)
        while row is not None and row["parent_span_id"]:
            above = hash((trace_id, row["parent_span_id"]))
            if above in self._settled:
                return
            self._settled[above] = None
            row = rows.get(row["parent_span_id"])

    def _of(self, call: Row) -> _Series:
        said = (_OPERATIONS[call["kind"]], call["provider"], call["model"], call["service"], call["environment"])
        labels = Labels(*(None if one is None else label(one) for one in said))
        if labels not in self._series and len(self._series) >= self._most:
            labels = _OVERFLOW
            self._overflow += 1
        return self._series.setdefault(labels, _Series())

    def families(self) -> list[Family]:
        """Return what was counted, as it is now."""
        with self._lock:
            return [*self._counters(), *self._histograms()]

    def _counters(self) -> Iterator[Family]:
        for name, field, said, unit in (
            ("gen_ai_client_inference_usage_input_tokens", "input_tokens", "Tokens sent, cached ones included.", None),
            ("gen_ai_client_inference_usage_output_tokens", "output_tokens", "Tokens answered.", None),
            ("lmops_llm_cost_usd", "cost_usd", "Cost of the calls whose price is known.", "usd"),
            ("lmops_llm_calls", "calls", "Calls of models.", None),
            ("lmops_llm_errors", "failed", "Calls of models that failed.", None),
            ("lmops_llm_unpriced_calls", "unpriced", "Calls without a cost that may have cost something.", None),
        ):
            samples = [
                Sample(amount, labels._asdict(), "_total")
                for labels, series in self._series.items()
                if (amount := getattr(series, field)) is not None
            ]
            yield Family(name, "counter", said, samples, unit)
        said = f"Calls beyond {self._most:,} sets of labels: they count under _overflow."
        yield Family("lmops_llm_overflow_calls", "counter", said, [Sample(self._overflow, {}, "_total")])

    def _histograms(self) -> Iterator[Family]:
        for name, field, said in (
            ("gen_ai_client_inference_duration_seconds", "durations", "How long calls of models took."),
            (
                "gen_ai_client_inference_time_to_first_token_seconds",
                "firsts",
                "How long it took to the first token, of the calls that say it.",
            ),
        ):
            samples = [
                sample
                for labels, series in self._series.items()
                if (found := getattr(series, field)) is not None
                for sample in found.samples(labels._asdict())
            ]
            yield Family(name, "histogram", said, samples, "seconds")
