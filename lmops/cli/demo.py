"""``lmops demo``: the sample traffic, a runbook over it, a summary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from lmops.base.terminal import echo
from lmops.base.units import duration, money, share
from lmops.cli.opening import workspace
from lmops.cli.printing import print_frame, rows_of, to_json
from lmops.cli.words import JSON

if TYPE_CHECKING:
    from lmops.feedback import FeedbackStats


@click.command()
@click.option("--store", metavar="PATH", help="Where the demo keeps its store; .lmops-demo here by default.")
@JSON
def demo(store: str | None, as_json: bool) -> None:
    """Ingest two weeks of sample traffic with its users' votes and the releases of its prompt, and print a summary."""
    from lmops.sample import data_dir
    from lmops.sample.release import release

    with workspace(store or ".lmops-demo", as_json=as_json) as ws:
        release(ws.store)
        report = ws.traces.ingest(str(data_dir() / "traces" / "*.jsonl.gz"), progress=not as_json)
        ws.feedback.ingest(data_dir() / "feedback.jsonl")
        said = ws.feedback.stats(every=None)
        run = ws.runbooks.run("traffic_report", {"last": "14d"}, progress=not as_json).raise_for_status()
        totals = ws.sql(_TOTALS).df().iloc[0].to_dict()
        history = ws.prompts.history("support-answer")
        chain = ws.audit.verify()
    if as_json:
        found = {"totals": totals, "releases": rows_of(history), "feedback": said.data(), "run": run.to_dict()}
        echo(to_json(found))
        return
    echo(repr(report))
    echo("")
    for name, value in [*_summary(totals), ("feedback", _thumbs(said))]:
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


def _thumbs(said: FeedbackStats) -> str:
    """Return in one line how many gave feedback, and how much of it is good."""
    (row,) = said.df().to_dict("records")
    rate, between = share(row["rate"]), f"{share(row['low'])} to {share(row['high'])}"
    return f"on {said.with_feedback:,} traces ({share(said.share)} of traffic), {rate} up (95 % interval {between})"


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
