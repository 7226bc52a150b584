"""Traces: the full path of every request, from any OpenTelemetry dialect, on the local store."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from lmops.base.public import only
from lmops.errors import NotFoundError, UsageError
from lmops.progress import Progress
from lmops.redact import KEYS, PATTERNS, Redactor
from lmops.traces import _show as _show
from lmops.traces import _show_diff as _show_diff
from lmops.traces import _show_span as _show_span
from lmops.traces._batch import Batch
from lmops.traces._decorator import trace
from lmops.traces._ingest import Ingest, IngestReport, OnError, Source
from lmops.traces._redact import redact_batch
from lmops.traces._rewrite import WAYS, carry_out_renormalise, carry_out_reprice, reprice_rows
from lmops.traces._search import (
    NO_EVALUATION,
    TRACE_ID,
    bucket_sql,
    found_sql,
    range_sql,
    rows_of_trace,
    search,
    seconds,
    stats,
    time_range,
)
from lmops.traces._trace import Span, Trace
from lmops.traces.diffs import SpanPair, TraceDiff, diff

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    import pandas as pd

    from lmops.models import Pricer
    from lmops.redact import Redact
    from lmops.store import PendingChange, Store
    from lmops.traces._exporter import Instrumentation

__all__ = [
    "NO_EVALUATION",
    "WAYS",
    "Batch",
    "IngestReport",
    "Span",
    "SpanPair",
    "Trace",
    "TraceDiff",
    "Traces",
    "bucket_sql",
    "carry_out_reprice",
    "decode",
    "found_sql",
    "join_logs",
    "range_sql",
    "reprice_rows",
    "seconds",
    "time_range",
    "trace",
]
__dir__ = only(__all__)

Row = dict[str, Any]


def decode(
    body: bytes,
    *,
    content_type: str,
    signal: Literal["traces", "logs"],
    pricer: Pricer | None = None,
    redact: Redact | Redactor | None = None,
) -> Batch:
    """Return the rows of one OTLP request, masked as ``redact`` says and priced when there is a pricer.

    Args:
        body: The request.
        content_type: Its media type: protobuf or JSON.
        signal: What it holds.
        pricer: Puts the costs on.
        redact: As for :meth:`Traces.ingest`, or the redactor that ``Redactor.of`` made of it.

    Raises:
        IngestError: The body is not an OTLP request of this type.
    """
    from lmops.traces._formats import decode_request

    batch = decode_request(body, content_type=content_type, signal=signal)
    redact_batch(batch, redact if isinstance(redact, Redactor) else Redactor.of(redact))
    if pricer is not None:
        pricer.put_costs(batch.spans)
    return batch


def join_logs(row: Row, logs: list[Row]) -> Row:
    """Return a span row with the content of its log events, where the span itself has none."""
    from lmops.traces._normalise import apply_logs

    return apply_logs(row, logs)


class Traces:
    """The traces of a workspace: ``ws.traces``."""

    def __init__(
        self,
        store: Store,
        *,
        pricer: Callable[[], Pricer],
        redaction: Callable[[str], Callable[[str], str]] | None = None,
    ) -> None:
        self._store = store
        self._pricer = pricer
        self._redaction = redaction
        self._redacts: tuple[Callable[[str], str], ...] = ()
        self._instrumentation: list[Instrumentation] = []

    def __repr__(self) -> str:
        """Say how many there are."""
        query = "select count(*), coalesce(sum(span_count), 0)::BIGINT from traces"
        traces, spans = self._store.sql(query).fetchall()[0]
        return f"<Traces: {traces:,} traces, {spans:,} spans>"

    # -- in --------------------------------------------------------------------------------------------------------

    def ingest(
        self,
        source: Source,
        *,
        format: str | None = None,  # the word that users look for
        on_error: OnError = "reject",
        redact: Redact | None = None,
        progress: bool = True,
    ) -> IngestReport:
        """Read traces from files into the store; the same spans again add nothing.

        Args:
            source: A path, a glob (``**`` included), a list of them, bytes, or a file opened in binary mode. Plain or
                gzip.
            format: "otlp" (protobuf), "otlp-json", "jsonl" (one OTLP/JSON request a line, as a Collector's file
                exporter writes), "chat-jsonl" (chat completions); found out by default.
            on_error: "reject" leaves out what cannot be read and reports it; "raise" stops at a file that has such a
                record, with nothing of that file kept.
            redact: What must not be kept: "keys" masks keys of known shapes and the credentials that this process holds
                in its environment; names of ``lmops.redact.PATTERNS`` some of them; a function from text to text gets
                every text value of attributes, events, resource and messages; the reference of a policy of
                guardrails, "support@production", takes out what its rails redact; or a list of these. Applied to text
                before anything of it is stored; a text that the function fails on is not kept.
            progress: Show how far it is.

        Returns:
            What was new, what was there before, and each rejected record with its place and the reason.

        Raises:
            NotFoundError: No file matches.
            IngestError: ``on_error="raise"`` and a record cannot be read.
        """
        reader = Ingest(self._store, self._pricer(), format=format, on_error=on_error, redactor=self.redactor(redact))
        return reader.run(source, progress=progress)

    def instrument(
        self,
        *,
        service: str | None = None,
        environment: str | None = None,
        resource_attributes: Mapping[str, object] | None = None,
        set_global: bool = True,
        max_queue: int = 8192,
        block_ms: float = 100.0,
        clients: bool = True,
        redact: Redact | None = None,
    ) -> Instrumentation:
        """Store every span that this process makes with OpenTelemetry from now on; return the handle.

        The installed instrumentors of clients and frameworks (OpenInference, OpenTelemetry, Traceloop) are switched on,
        one for each; the handle says which, and what to install for clients that are imported and make no spans.
        Third-party instrumentors, ``@lmops.trace`` and your own spans are stored as they are. A provider that is set
        already keeps what else it exports to. Calling it again changes the settings and doubles nothing.

        Args:
            service: Name of the service.
            environment: Deployment environment, such as "production".
            resource_attributes: More attributes of the resource.
            set_global: False gives a provider of its own, for ``handle.get_tracer`` and instrumentors given it.
            max_queue: Spans that may wait in memory; more wait on the disk, in the store's folder.
            block_ms: The longest the application may be held up when neither has room; then spans are dropped and
                counted.
            clients: False switches no instrumentor on, and neither does a provider that is not global.
            redact: What must not be kept, as for :meth:`ingest`.
        """
        from lmops.traces._exporter import instrument

        handle = instrument(
            self._store,
            service=service,
            environment=environment,
            resource_attributes=resource_attributes,
            set_global=set_global,
            max_queue=max_queue,
            block_ms=block_ms,
            clients=clients,
            price_rows=lambda rows: self._pricer().put_costs(rows),
            redactor=self.redactor(redact),
        )
        if handle not in self._instrumentation:
            self._instrumentation.append(handle)
        return handle

    def redact_with(self, policy: str | None) -> None:
        """Let a policy of guardrails redact all that this workspace takes in from now on; None ends it.

        What its rails redact, at whatever stage, is in no file of the store; reports say how much of each kind it was.
        A text on which a rail fails that fails closed is not kept.

        Args:
            policy: "support@production", "support@3", ...

        Raises:
            NotFoundError: There is no such policy.
            UsageError: None of its rails redacts, or spans of this process are stored already: say it before.
        """
        if self._instrumentation:
            raise UsageError("spans of this process are stored already: redact_with(...) first, then instrument()")
        found = () if policy is None else (self._meant(policy, is_policy=True),)
        Redactor.of([*found] or None)  # what cannot mask is said now, and not when something comes in
        self._redacts = found

    def redactor(self, redact: Redact | None = None) -> Redactor | None:
        """Return what masks texts before they are kept; None where nothing does.

        Args:
            redact: As for :meth:`ingest`, beside what :meth:`redact_with` said.

        Raises:
            NotFoundError: There is no such policy.
            UsageError: It is neither a pattern, nor a policy, nor a function.
        """
        asked = [] if redact is None else list(redact) if isinstance(redact, list | tuple) else [redact]
        return Redactor.of([*map(self._meant, asked), *self._redacts] or None)

    def _meant(self, one: Any, *, is_policy: bool = False) -> Any:
        """Return what a name means that is none of a pattern: a policy of guardrails."""
        if not isinstance(one, str) or one in (KEYS, *PATTERNS) or self._redaction is None:
            return one
        try:
            return self._redaction(one)
        except NotFoundError:
            if is_policy or "@" in one:
                raise
            return one  # as likely a pattern that is written wrongly: the redactor names the nearest

    def ids_of(self, by: str, value: object) -> list[str]:
        """Return the ids of the traces of a user, of a session, by a condition, or as they were given.

        Args:
            by: "user_id", "session_id", "where" or "trace_ids".
            value: What it must be.

        Raises:
            UsageError: It is of another type, or a trace id is none.
        """
        if by == "trace_ids":
            given = [value] if isinstance(value, str) else list(value) if isinstance(value, Iterable) else [value]
            wrong = [one for one in given if not (isinstance(one, str) and TRACE_ID.fullmatch(one))]
            if wrong:
                raise UsageError(f"{wrong[0]!r:.80} is not the id of a trace: 32 hexadecimal digits in lower case")
            return list(dict.fromkeys(given))
        if not isinstance(value, str) or not value.strip():
            raise UsageError(f"{by}={value!r:.80} is not a text")
        if by == "where":
            found: list[str] = self.search(value, limit=None)["trace_id"].tolist()
            return found
        if by not in ("user_id", "session_id"):
            raise UsageError(f"by={by!r}: it is 'user_id', 'session_id', 'where' or 'trace_ids'")
        query = f"select trace_id from spans where {by} = $value union select trace_id from traces where {by} = $value"
        return [row[0] for row in self._store.sql(query, {"value": value}).fetchall()]

    def stop_instrumentation(self) -> None:
        """Write the spans that wait and stop storing new ones; closing the workspace does this."""
        while self._instrumentation:
            self._instrumentation.pop().shutdown()

    def renormalise(self, *, progress: bool = True) -> int:
        """Read every stored span again with this version's alias table and prices; return how many changed.

        Works segment by segment; what is asked meanwhile sees each segment either before or after. When it is cut
        short, the next ``lmops.open`` finishes it. Files that cannot be read are passed over; what a repair keeps of
        them gets its turn then.
        """
        begun = self._begin("renormalise", "every span", {})
        if not progress:
            return self._store.changes.carry_out(begun, partial(carry_out_renormalise, self._store))
        with Progress("renormalise", unit="segments") as bar:
            work = partial(
                carry_out_renormalise, self._store, on_segment=lambda done, total: bar.update(done, total=total)
            )
            return self._store.changes.carry_out(begun, work)

    def reprice(self, model: str) -> int:
        """Put the prices as they are now on the stored calls of one model; return how many changed."""
        begun = self._begin("reprice", model, {"model": model})
        return self._store.changes.carry_out(begun, partial(carry_out_reprice, self._store))

    def _begin(self, kind: str, subject: str, arguments: Mapping[str, object]) -> PendingChange:
        with self._store.transaction() as con:
            return self._store.changes.begin(
                con, kind=kind, subject=subject, arguments=arguments, actor=self._store.actor
            )

    # -- out -------------------------------------------------------------------------------------------------------

    def search(
        self,
        where: str | None = None,
        *,
        last: str | None = None,
        since: str | datetime | None = None,
        until: str | datetime | None = None,
        order: str = "start_at desc",
        limit: int | None = 100,
    ) -> pd.DataFrame:
        """Return traces, one row each: the columns of the view ``traces``.

        Where users said something, what they said is beside it: ``thumb`` is down where anybody's is, else up;
        ``comments`` are their words, a line each. A search may name both: ``"thumb = 'down' and cost_usd > 0.01"``.
        What a scorer said of traces (``ws.monitors.score``) is ``score.NAME``: ``"score.refusal = 1"``.

        Args:
            where: A SQL condition over the columns of ``traces`` and, for any other column, over any span of the
                trace: ``"status = 'error' and latency_ms > 2000"``, ``"tool_name = 'refund' or attributes['tier'] =
                'gold'"``, ``"span.kind = 'llm' and span.output_tokens > 900"``. None for all.
            last: "24h", "7d", ...: back from ``until``, else from now, or from the newest trace where all are older.
            since: From this time on; ISO text or datetime, UTC when it has no zone.
            until: Before this time.
            order: A column of ``traces`` and ``asc`` or ``desc``.
            limit: The most rows; None for all. ``attrs["is_cut"]`` of the frame says whether there were more, and so
                does the frame when it is shown.

        Raises:
            QueryError: The condition does not parse or names an unknown column; the nearest names are given.
        """
        bounds = time_range(self._store, last=last, since=since, until=until)
        return search(self._store, where, bounds, order=order, limit=limit)

    def get(self, trace_id: str) -> Trace:
        """Return one trace by its id or the start of it; in a notebook it shows as a waterfall.

        Raises:
            NotFoundError: None, or more than one, starts so.
        """
        return Trace.from_rows(rows_of_trace(self._store, trace_id))

    def diff(self, a: str | Trace, b: str | Trace) -> TraceDiff:
        """Return what differs from trace ``a`` to trace ``b``, span by span: words, model, latency, tokens, cost.

        Args:
            a: The trace to compare with: its id, the start of it, or a :class:`Trace`.
            b: The other trace.

        Raises:
            NotFoundError: None, or more than one, starts so.
        """
        left, right = (one if isinstance(one, Trace) else self.get(one) for one in (a, b))
        return diff(left, right)

    def cost_as(
        self,
        models: str | Sequence[str],
        where: str | None = None,
        *,
        last: str | None = None,
        since: str | datetime | None = None,
        until: str | datetime | None = None,
        evaluations: bool = False,
    ) -> pd.DataFrame:
        """Return what the calls of language models cost, and would have cost with other models.

        Token for token: another model would have counted and answered otherwise, and how well it answers is not said
        here (``ws.evals`` measures it). Sound, images and searches are priced where the other model has a rate for
        them; else the call has no price with it.

        Args:
            models: Names as calls carry them, such as "gpt-5-nano" or "anthropic/claude-haiku-4-5".
            where: As for :meth:`search`.
            last: As for :meth:`search`.
            since: As for :meth:`search`.
            until: As for :meth:`search`.
            evaluations: Count what evaluations asked as well; otherwise only where ``where`` names an environment.

        Returns:
            A row for what was paid (model is missing) and one a model: model, calls, cost_usd (of those whose price is
            known), unpriced_calls, compared_calls (priced both ways), change_usd (over these; below 0 is cheaper).

        Raises:
            UsageError: No model is named, or one twice.
            QueryError: The condition does not parse or names an unknown column.
        """
        from lmops.traces._cost_as import cost_as

        names = [models] if isinstance(models, str) else list(models)
        if not all(names) or not names or len(set(names)) < len(names):
            raise UsageError(f"models={models!r}: name each model once, such as cost_as(['gpt-5-nano', 'gpt-5-mini'])")
        bounds = time_range(self._store, last=last, since=since, until=until)
        return cost_as(self._store, self._pricer(), names, where=where, bounds=bounds, evaluations=evaluations)

    def stats(
        self,
        where: str | None = None,
        *,
        by: str | Sequence[str] = (),
        every: str | None = "1d",
        last: str | None = None,
        since: str | datetime | None = None,
        until: str | datetime | None = None,
        evaluations: bool = False,
    ) -> pd.DataFrame:
        """Return figures per interval and group.

        A call that failed counts with the model that answers to the name that was asked for, and a call inside a span
        on which a prompt was rendered counts with that prompt.

        Args:
            where: As for :meth:`search`.
            by: Any of service, environment, name, user_id, session_id, status (over traces), and model,
                requested_model, provider, prompt_name, prompt_version, kind (over billable calls).
            every: Length of the intervals, such as "1h" or "1d" (UTC); None for one row a group.
            last: As for :meth:`search`.
            since: As for :meth:`search`.
            until: As for :meth:`search`.
            evaluations: Count what evaluations asked as well; otherwise only where ``where`` names an environment.

        Returns:
            Columns bucket (start of the interval; absent when ``every`` is None), the groups, traces, calls, errors,
            error_rate with its 95 % Wilson interval error_rate_low and error_rate_high, p50_ms, p95_ms, input_tokens,
            output_tokens, cost_usd, cost_per_trace_usd, unpriced_calls. Grouped by something of a call, errors and
            latency are of the calls, otherwise of whole traces.
        """
        groups = [by] if isinstance(by, str) else list(by)
        if len(set(groups)) != len(groups):
            raise UsageError(f"by={groups}: name each grouping once")
        bounds = time_range(self._store, last=last, since=since, until=until)
        return stats(self._store, bounds, by=groups, every=every, where=where, evaluations=evaluations)
