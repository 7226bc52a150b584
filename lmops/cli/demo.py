"""``lmops demo``: the sample traffic, a runbook over it, a summary."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from lmops.base.terminal import echo
from lmops.base.units import duration, money, share
from lmops.cli.opening import DEMO_STORE, workspace
from lmops.cli.printing import print_frame, rows_of, to_json
from lmops.cli.words import JSON
from lmops.errors import MissingDependencyError

if TYPE_CHECKING:
    from lmops.feedback import FeedbackStats
    from lmops.runbooks import RunbookRun
    from lmops.workspace import Workspace


@click.command()
@click.option("--store", metavar="PATH", help="Where the demo keeps its store; .lmops-demo here by default.")
@JSON
def demo(store: str | None, as_json: bool) -> None:
    """Ingest two weeks of sample traffic with its users' votes and the releases of its prompt, and print a summary."""
    from lmops.sample import data_dir
    from lmops.sample.release import release

    place = store or DEMO_STORE
    with workspace(place, as_json=as_json) as ws:
        release(ws.store)
        report = ws.traces.ingest(str(data_dir() / "traces" / "*.jsonl.gz"), progress=not as_json)
        ws.feedback.ingest(data_dir() / "feedback.jsonl")
        said = ws.feedback.stats(every=None)
        run, missing = _report(ws, progress=not as_json)
        totals = ws.sql(_TOTALS).df().iloc[0].to_dict()
        history = ws.prompts.history("support-answer")
        chain = ws.audit.verify()
    if as_json:
        found = {
            "totals": totals,
            "releases": rows_of(history),
            "feedback": said.data(),
            "run": run and run.to_dict(),
            "store": place,
        }
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
    if run is None:
        echo(f"  no runbook was run: {missing}")
    else:
        echo(f"  notebook     {run.notebook_path}")
        echo(f"  report       {run.html_path}")
    echo("")
    for line in _next_steps(place):
        echo(line)


def _report(ws: Workspace, *, progress: bool) -> tuple[RunbookRun | None, str]:
    """Return a run of the traffic report; None and why, where what runs notebooks is not installed."""
    try:
        return ws.runbooks.run("traffic_report", {"last": "14d"}, progress=progress).raise_for_status(), ""
    except MissingDependencyError as error:
        return None, str(error)


def _next_steps(place: str) -> list[str]:
    """Return commands that find the store of the demo, and something in it."""
    return [
        f"look around; commands find the store {place} by --store, or from now on by",
        f"  export LMOPS_STORE={shlex.quote(str(Path(place).resolve()))}",
        *_LOOK,
        f"in a notebook: import lmops; ws = lmops.open({place!r}); ws.traces.browse()",
    ]


#: Each of them finds something in the sample.
_LOOK: Final = (
    "  lmops search \"status = 'error' and latency_ms > 2000\"",
    "  lmops sql 'select model, count(*) as calls, sum(cost_usd) as usd from llm_calls group by 1'",
    "  lmops prompt rollback support-answer --reason 'unsupported claims' --dry-run",
)
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
