"""``lmops``: the nouns and verbs of a workspace for shells, CI and schedulers.

Exit codes: 0 pass, 1 fail, 2 usage or refused, 3 inconclusive.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from lmops._cli_audit import audit
from lmops._cli_erase import erase
from lmops._cli_eval import evaluate
from lmops._cli_options import JSON as _JSON
from lmops._cli_options import REDACT as _REDACT
from lmops._cli_options import STORE as _STORE
from lmops._cli_options import echo, errors_in_words, frame_json, print_frame, speak_plainly
from lmops._cli_options import print_record as _print
from lmops._cli_options import workspace as _workspace
from lmops._cli_prompt import prompt
from lmops._cli_runbook import runbook
from lmops._cli_store import store
from lmops.base.units import duration, money, share
from lmops.text import plain_line

if TYPE_CHECKING:
    from lmops.collector import Collector


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="lmops")
def main() -> None:
    """Operate LLM applications on one local store: traces, costs, runbooks."""
    speak_plainly()


main.add_command(runbook)
main.add_command(prompt)
main.add_command(evaluate)
main.add_command(audit)
main.add_command(store)
main.add_command(erase)


@main.command()
@click.argument("path", required=False)
def trust(path: str | None) -> None:
    """Trust the store, runbooks and prompts at PATH and below although another user made them; list without PATH."""
    from lmops.owners import trust, trusted

    with errors_in_words(as_json=False):
        if path is None:
            echo("\n".join(map(str, trusted())) or "no folder of another user is trusted")
        else:
            echo(f"trusted: {trust(path)}")


# -- traces ------------------------------------------------------------------------------------------------------------


@main.command()
@click.argument("files", nargs=-1, required=True)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["otlp", "otlp-json", "jsonl", "chat-jsonl"]),
    help="Found out by default.",
)
@click.option(
    "--on-error", type=click.Choice(["reject", "raise"]), default="reject", show_default=True,
    help="Leave out records that cannot be read, or stop at a file that has one.",
)  # fmt: skip
@_REDACT
@_STORE
@_JSON
def ingest(
    files: tuple[str, ...], format_: str | None, on_error: Any, redact: tuple[str, ...], store: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Read traces from FILES (paths or quoted globs) into the store; the same spans again add nothing.

    Exit code 1 when nothing in FILES could be read, or one record could not with --on-error raise.
    """
    with _workspace(store, as_json=as_json) as ws:
        report = ws.traces.ingest(
            list(files), format=format_, on_error=on_error, redact=redact or None, progress=not as_json
        )  # fmt: skip
        _print(report, as_json=as_json)
    if report.rejected_count and not (report.spans or report.logs or report.duplicates):
        raise SystemExit(1)  # nothing of it could be read


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Any but a loopback address needs a token.")
@click.option("--port", default=4318, show_default=True, type=click.IntRange(0, 65_535), help="0 takes a free one.")
@click.option(
    "--token",
    help="Asked of every request; LMOPS_COLLECT_TOKEN by default. Given here, whoever lists the processes of this "
    "machine can read it: prefer the variable or --token-file.",
)
@click.option("--token-file", metavar="PATH", help="File whose first line is the token.")
@click.option("--max-body-mb", default=32.0, show_default=True, help="Largest request, sent and decompressed.")
@_REDACT
@_STORE
def collect(
    host: str, port: int, token: str | None, token_file: str | None, max_body_mb: float, redact: tuple[str, ...],
    store: str | None,
) -> None:  # fmt: skip
    """Receive OTLP over HTTP (protobuf or JSON) into the store until SIGTERM or Ctrl+C."""
    from lmops.collector import serve
    from lmops.redact import Redactor
    from lmops.traces import decode

    def ready(collector: Collector) -> None:
        echo(f"listening on {collector.url} for {ws.store.path}")
        echo(f"  OTEL_EXPORTER_OTLP_ENDPOINT={collector.url}   LANGFUSE_HOST={collector.url}")
        sys.stdout.flush()

    with _workspace(store) as ws:
        pricers = ws.models
        redactor = Redactor.of(redact or None)

        def read(body: bytes, *, content_type: str, signal: Any) -> Any:  # the receiver's protocol
            return decode(body, content_type=content_type, signal=signal, pricer=pricers.pricer(), redact=redactor)

        serve(
            ws.store, host=host, port=port, token=token, token_file=token_file, max_body_mb=max_body_mb, decode=read,
            on_ready=ready,
        )  # fmt: skip


@main.command()
@click.argument("where", required=False)
@click.option("--last", metavar="7d", help="Back from now, or from the newest trace of an archive.")
@click.option("--since", metavar="TIME")
@click.option("--until", metavar="TIME")
@click.option("--order", default="start_at desc", show_default=True)
@click.option("--limit", default=20, show_default=True, type=click.IntRange(min=0))
@_STORE
@_JSON
def search(
    where: str | None, last: str | None, since: str | None, until: str | None, order: str, limit: int,
    store: str | None, as_json: bool,
) -> None:  # fmt: skip
    """List traces that satisfy WHERE, such as "status = 'error' and latency_ms > 2000"."""
    with _workspace(store, as_json=as_json, must_exist=True) as ws:
        frame = ws.traces.search(where, last=last, since=since, until=until, order=order, limit=limit)
        if as_json:
            echo(frame_json(frame))
            return
        if frame.empty:
            echo("no traces" if where is None else f"no trace satisfies {where!r}")
            return
        for row in frame.to_dict(orient="records"):
            echo(_line(row))
        if frame.attrs["is_cut"]:
            echo(f"the first {limit:,} by {order}; there are more: --limit", err=True)


def _line(row: dict[Any, Any]) -> str:
    """Return one trace as one line of a terminal."""
    # a frame has NaN for what is missing, which is not itself
    cost = f"{money(row['cost_usd']):>11}" if row["cost_usd"] == row["cost_usd"] else f"{'-':>11}"
    head = f"{row['trace_id']}  {row['start_at']:%Y-%m-%d %H:%M:%S}  {row['status']:5}"
    took = f"{duration(row['latency_ms']):>10}" if row["latency_ms"] == row["latency_ms"] else f"{'-':>10}"
    return f"{head}  {took}  {cost}  {plain_line(row['name'], 60)}  {plain_line(row['input'], 60)}"


@main.command()
@click.argument("trace_id")
@_STORE
def show(trace_id: str, store: str | None) -> None:
    """Show the spans of one trace, by its id or the start of it."""
    with _workspace(store, must_exist=True) as ws:
        echo(ws.traces.get(trace_id).text)


@main.command()
@click.argument("query")
@click.option(
    "--timeout", "timeout_s", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS",
    help="Longest time; LMOPS_TIMEOUT_S or no limit by default.",
)  # fmt: skip
@_STORE
@_JSON
def sql(query: str, timeout_s: float | None, store: str | None, as_json: bool) -> None:
    """Run one read-only SELECT over the views of the store.

    Exit code 1 when something damaged had to be left out; the standard error says what.
    """
    with _workspace(store, as_json=as_json, must_exist=True) as ws:
        found = ws.sql(query, timeout_s=timeout_s)
        if as_json:
            echo(frame_json(found.df()))
        else:
            echo(str(found).rstrip())


# -- demo --------------------------------------------------------------------------------------------------------------


@main.command()
@click.option("--store", metavar="PATH", help="Where the demo keeps its store; .lmops-demo here by default.")
@_JSON
def demo(store: str | None, as_json: bool) -> None:
    """Ingest two weeks of sample traffic with the releases of its prompt, run a runbook, and print a summary."""
    from lmops.sample import data_dir
    from lmops.sample.release import release

    with _workspace(store or ".lmops-demo", as_json=as_json) as ws:
        release(ws.store)
        report = ws.traces.ingest(str(data_dir() / "traces" / "*.jsonl.gz"), progress=not as_json)
        run = ws.runbooks.run("traffic_report", {"last": "14d"}, progress=not as_json).raise_for_status()
        totals = ws.sql(_TOTALS).df().iloc[0].to_dict()
        history = ws.prompts.history("support-answer")
        chain = ws.audit.verify()
    if as_json:
        releases = json.loads(history.to_json(orient="records", date_format="iso"))
        found = {"totals": totals, "releases": releases, "run": run.to_dict()}
        echo(json.dumps(found, indent=2, default=str))
        return
    echo(repr(report))
    echo("")
    for name, value in _summary(totals):
        echo(f"  {name:<13}{value}")
    echo("")
    echo("releases of support-answer")
    print_frame(history[["at", "alias", "from", "to", "actor", "reason"]], as_json=False, empty="none")
    echo(f"audit chain: {'whole' if chain.ok else 'BROKEN'}, {chain.events} events")
    echo("")
    echo(f"  notebook     {run.notebook_path}")
    echo(f"  report       {run.html_path}")
    echo("")
    echo("  look around: make lab, or in Python: import lmops; ws = lmops.open('.lmops-demo'); ws.traces.browse()")
    echo("  undo a release: lmops prompt rollback support-answer --reason '...' --dry-run --store .lmops-demo")


_TOTALS = """
select count(*) as traces, sum(span_count)::BIGINT as spans, sum(call_count)::BIGINT as calls,
  count(*) filter (status = 'error') as errors, sum(cost_usd) as cost_usd,
  quantile_cont(latency_ms, 0.5) as p50_ms, quantile_cont(latency_ms, 0.95) as p95_ms,
  sum(unpriced_calls)::BIGINT as unpriced_calls from traces
"""


def _summary(totals: dict[str, Any]) -> list[tuple[str, str]]:
    from lmops.calc.intervals import wilson

    low, high = wilson(totals["errors"], totals["traces"])
    rate, between = share(totals["errors"] / totals["traces"]), f"{share(float(low))} to {share(float(high))}"
    return [
        ("traces", f"{totals['traces']:,.0f}"),
        ("spans", f"{totals['spans']:,.0f}"),
        ("model calls", f"{totals['calls']:,.0f}"),
        ("errors", f"{totals['errors']:,.0f} traces, {rate} (95 % interval {between})"),
        ("cost", money(totals["cost_usd"])),
        ("latency", f"p50 {duration(totals['p50_ms'])}, p95 {duration(totals['p95_ms'])}"),
        ("unpriced", f"{totals['unpriced_calls']:,.0f} calls (no known price: ws.models.set_price(...))"),
    ]
