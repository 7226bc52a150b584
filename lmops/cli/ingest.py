"""Traces into the store: ``lmops ingest`` reads files, ``lmops collect`` receives."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from lmops.base.terminal import echo
from lmops.cli.opening import end, workspace
from lmops.cli.printing import print_record, to_json
from lmops.cli.words import JSON, REDACT, STORE

if TYPE_CHECKING:
    from lmops.collector import Collector


@click.command()
@click.argument("files", nargs=-1, required=True)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["otlp", "otlp-json", "jsonl", "chat-jsonl"]),
    help="Found out by default.",
)
@click.option(
    "--on-error",
    type=click.Choice(["reject", "raise"]),
    default="reject",
    show_default=True,
    help="Leave out records that cannot be read, or stop at a file that has one.",
)
@REDACT
@STORE
@JSON
def ingest(
    files: tuple[str, ...],
    format_: str | None,
    on_error: Any,
    redact: tuple[str, ...],
    store: str | None,
    as_json: bool,
) -> None:
    """Read traces from FILES (paths or quoted globs) into the store; the same spans again add nothing.

    Exit code 1 when nothing in FILES could be read, or one record could not with --on-error raise.
    """
    with workspace(store, as_json=as_json) as ws:
        report = ws.traces.ingest(
            list(files), format=format_, on_error=on_error, redact=redact or None, progress=not as_json
        )
        print_record(report, as_json=as_json)
    is_unreadable = report.rejected_count and not (report.spans or report.logs or report.duplicates)
    end(1 if is_unreadable else 0)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Any but a loopback address needs a token.")
@click.option("--port", default=4318, show_default=True, type=click.IntRange(0, 65_535), help="0 takes a free one.")
@click.option(
    "--token",
    help="Asked of every request; LMOPS_COLLECT_TOKEN by default. Given here, whoever lists the processes of this "
    "machine can read it: prefer the variable or --token-file.",
)
@click.option("--token-file", metavar="PATH", help="File whose first line is the token.")
@click.option("--max-body-mb", default=32.0, show_default=True, help="Largest request, sent and decompressed.")
@REDACT
@STORE
@JSON
def collect(
    host: str,
    port: int,
    token: str | None,
    token_file: str | None,
    max_body_mb: float,
    redact: tuple[str, ...],
    store: str | None,
    as_json: bool,
) -> None:
    """Receive OTLP over HTTP (protobuf or JSON), and what users say, into the store until SIGTERM or Ctrl+C."""
    from lmops.collector import serve
    from lmops.feedback.serving import routes, take_results
    from lmops.traces import decode

    def ready(collector: Collector) -> None:
        if as_json:
            echo(to_json({"status": "listening", "url": collector.url, "store": ws.store.path}, indent=None))
        else:
            echo(f"listening on {collector.url} for {ws.store.path}")
            echo(f"  OTEL_EXPORTER_OTLP_ENDPOINT={collector.url}   LANGFUSE_HOST={collector.url}")
        sys.stdout.flush()

    with workspace(store, as_json=as_json) as ws:
        pricers = ws.models
        redactor = ws.traces.redactor(redact or None)

        def read(body: bytes, *, content_type: str, signal: Any) -> Any:  # the receiver's protocol
            batch = decode(body, content_type=content_type, signal=signal, pricer=pricers.pricer(), redact=redactor)
            take_results(ws.project, batch)
            return batch

        serve(
            ws.store,
            host=host,
            port=port,
            token=token,
            token_file=token_file,
            max_body_mb=max_body_mb,
            decode=read,
            more=routes(ws.project, redactor=redactor),
            redacted=None if redactor is None else lambda: redactor.counts,
            on_ready=ready,
        )
