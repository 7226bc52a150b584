"""``lmops``: the nouns and verbs of a workspace for shells, CI and schedulers.

Exit codes: 0 pass, 1 fail, 2 usage or refused, 3 inconclusive.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from lmops._cli_audit import audit
from lmops._cli_eval import evaluate
from lmops._cli_options import JSON as _JSON
from lmops._cli_options import STORE as _STORE
from lmops._cli_options import print_frame
from lmops._cli_options import print_record as _print
from lmops._cli_options import workspace as _workspace
from lmops._cli_prompt import prompt
from lmops._cli_runbook import runbook
from lmops.text import plain_line

if TYPE_CHECKING:
    from lmops.collector import Collector


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="lmops")
def main() -> None:
    """Operate LLM applications on one local store: traces, costs, runbooks."""


main.add_command(runbook)
main.add_command(prompt)
main.add_command(evaluate)
main.add_command(audit)


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
@_STORE
@_JSON
def ingest(files: tuple[str, ...], format_: str | None, on_error: Any, store: str | None, as_json: bool) -> None:
    """Read traces from FILES (paths or quoted globs) into the store; the same spans again add nothing.

    Exit code 1 when nothing in FILES could be read, or one record could not with --on-error raise.
    """
    with _workspace(store, as_json=as_json) as ws:
        report = ws.traces.ingest(list(files), format=format_, on_error=on_error, progress=not as_json)
        _print(report, as_json=as_json)
    if report.rejected_count and not (report.spans or report.logs or report.duplicates):
        raise SystemExit(1)  # nothing of it could be read


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Any but a loopback address needs a token.")
@click.option("--port", default=4318, show_default=True, type=click.IntRange(0, 65_535), help="0 takes a free one.")
@click.option("--token", help="Asked of every request; LMOPS_COLLECT_TOKEN by default.")
@click.option("--max-body-mb", default=32.0, show_default=True, help="Largest request, sent and decompressed.")
@_STORE
def collect(host: str, port: int, token: str | None, max_body_mb: float, store: str | None) -> None:
    """Receive OTLP over HTTP (protobuf or JSON) into the store until SIGTERM or Ctrl+C."""
    from lmops.collector import serve
    from lmops.traces import decode

    def ready(collector: Collector) -> None:
        click.echo(f"listening on {collector.url} for {ws.store.path}")
        click.echo(f"  OTEL_EXPORTER_OTLP_ENDPOINT={collector.url}   LANGFUSE_HOST={collector.url}")
        sys.stdout.flush()

    with _workspace(store) as ws:
        pricers = ws.models

        def read(body: bytes, *, content_type: str, signal: Any) -> Any:  # the receiver's protocol
            return decode(body, content_type=content_type, signal=signal, pricer=pricers.pricer())

        serve(ws.store, host=host, port=port, token=token, max_body_mb=max_body_mb, decode=read, on_ready=ready)


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
            click.echo(frame.to_json(orient="records", date_format="iso", indent=2))
            return
        if frame.empty:
            click.echo("no traces" if where is None else f"no trace satisfies {where!r}")
            return
        for row in frame.to_dict(orient="records"):
            click.echo(_line(row))


def _line(row: dict[Any, Any]) -> str:
    """Return one trace as one line of a terminal."""
    cost = f"${row['cost_usd']:8.5f}" if row["cost_usd"] == row["cost_usd"] else "        -"  # NaN
    head = f"{row['trace_id']}  {row['start_at']:%Y-%m-%d %H:%M:%S}  {row['status']:5}"
    took = f"{row['latency_ms']:9,.0f} ms" if row["latency_ms"] == row["latency_ms"] else f"{'-':>12}"
    return f"{head}  {took}  {cost}  {plain_line(row['name'], 60)}  {plain_line(row['input'], 60)}"


@main.command()
@click.argument("trace_id")
@_STORE
def show(trace_id: str, store: str | None) -> None:
    """Show the spans of one trace, by its id or the start of it."""
    with _workspace(store, must_exist=True) as ws:
        click.echo(ws.traces.get(trace_id).text)


@main.command()
@click.argument("query")
@_STORE
@_JSON
def sql(query: str, store: str | None, as_json: bool) -> None:
    """Run one read-only SELECT over the views of the store."""
    with _workspace(store, as_json=as_json, must_exist=True) as ws:
        found = ws.sql(query)
        if as_json:
            click.echo(found.df().to_json(orient="records", date_format="iso", indent=2))
        else:
            click.echo(str(found).rstrip())


# -- the store ---------------------------------------------------------------------------------------------------------


@main.group()
def store() -> None:
    """Look after the store."""


@store.command(name="stats")
@_STORE
@_JSON
def store_stats(store: str | None, as_json: bool) -> None:
    """Print counts and sizes."""
    with _workspace(store, as_json=as_json, must_exist=True) as ws:
        _print(ws.store.stats(), as_json=as_json)


@store.command(name="check")
@click.option("--repair", is_flag=True, help="Drop files that cannot be read from the manifest.")
@_STORE
@_JSON
def store_check(repair: bool, store: str | None, as_json: bool) -> None:
    """Verify the database, every file and every key; exit code 1 when something is wrong."""
    with _workspace(store, as_json=as_json, must_exist=True) as ws:
        report = ws.store.check(repair=repair)
        _print(report, as_json=as_json)
    if not report.ok:
        raise SystemExit(1)


@store.command(name="compact")
@_STORE
def store_compact(store: str | None) -> None:
    """Drain the inbox and merge small segments."""
    with _workspace(store, must_exist=True) as ws:
        click.echo(f"merged {ws.store.compact()} segments")


@store.command(name="retain")
@click.option("--days", required=True, type=float, help="Remove traces that started longer ago.")
@_STORE
@_JSON
def store_retain(days: float, store: str | None, as_json: bool) -> None:
    """Remove old traces, with all their spans."""
    with _workspace(store, as_json=as_json, must_exist=True) as ws:
        removed = ws.store.retain(days=days, actor=ws.actor)
        text = f"removed {removed['traces']:,} traces, {removed['spans']:,} spans"
        click.echo(json.dumps(removed) if as_json else text)


@store.command(name="backup")
@click.argument("path")
@_STORE
def store_backup(path: str, store: str | None) -> None:
    """Copy the store into the new folder PATH while others write."""
    with _workspace(store, must_exist=True) as ws:
        click.echo(str(ws.store.backup(path)))


@store.command(name="export")
@click.argument("path")
@_STORE
def store_export(path: str, store: str | None) -> None:
    """Write all views to PATH: one file when it ends in .duckdb, else a folder of Parquet files."""
    with _workspace(store, must_exist=True) as ws:
        click.echo(str(ws.store.export(path)))


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
        click.echo(json.dumps(found, indent=2, default=str))
        return
    click.echo(repr(report))
    click.echo("")
    for name, value in _summary(totals):
        click.echo(f"  {name:<13}{value}")
    click.echo("")
    click.echo("releases of support-answer")
    print_frame(history[["at", "alias", "from", "to", "actor", "reason"]], as_json=False, empty="none")
    click.echo(f"audit chain: {'whole' if chain.ok else 'BROKEN'}, {chain.events} events")
    click.echo("")
    click.echo(f"  notebook     {run.notebook_path}")
    click.echo(f"  report       {run.html_path}")
    click.echo("")
    click.echo(
        "  look around: make lab, or in Python: import lmops; ws = lmops.open('.lmops-demo'); ws.traces.browse()"
    )
    click.echo("  undo a release: lmops prompt rollback support-answer --reason '...' --dry-run --store .lmops-demo")


_TOTALS = """
select count(*) as traces, sum(span_count)::BIGINT as spans, sum(call_count)::BIGINT as calls,
  count(*) filter (status = 'error') as errors, sum(cost_usd) as cost_usd,
  quantile_cont(latency_ms, 0.5) as p50_ms, quantile_cont(latency_ms, 0.95) as p95_ms,
  sum(unpriced_calls)::BIGINT as unpriced_calls from traces
"""


def _summary(totals: dict[str, Any]) -> list[tuple[str, str]]:
    from lmops.calc.intervals import wilson

    low, high = wilson(totals["errors"], totals["traces"])
    rate = totals["errors"] / totals["traces"]
    return [
        ("traces", f"{totals['traces']:,.0f}"),
        ("spans", f"{totals['spans']:,.0f}"),
        ("model calls", f"{totals['calls']:,.0f}"),
        ("errors", f"{totals['errors']:,.0f} traces, {rate:.1%} (95 % interval {float(low):.1%} to {float(high):.1%})"),
        ("cost", f"${totals['cost_usd']:,.2f}"),
        ("latency", f"p50 {totals['p50_ms']:,.0f} ms, p95 {totals['p95_ms']:,.0f} ms"),
        ("unpriced", f"{totals['unpriced_calls']:,.0f} calls (no known price: ws.models.set_price(...))"),
    ]
