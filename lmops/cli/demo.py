"""``lmops demo``: the sample traffic, a runbook over it, a summary, and from an alert to a verified recovery."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from lmops.base.terminal import echo
from lmops.base.units import duration, money, share
from lmops.cli.opening import DEMO_STORE, workspace
from lmops.cli.printing import print_frame, rows_of, to_json
from lmops.cli.story import story_data, story_lines
from lmops.cli.words import JSON
from lmops.errors import MissingDependencyError

if TYPE_CHECKING:
    import pandas as pd

    from lmops.feedback import FeedbackStats
    from lmops.runbooks import RunbookRun
    from lmops.workspace import Workspace


@click.command()
@click.option("--store", metavar="PATH", help="Where the demo keeps its store; .lmops-demo here by default.")
@JSON
def demo(store: str | None, as_json: bool) -> None:
    """Tell the story of the sample: two weeks of traffic, alerts, what explains them, a roll back, a verified recovery.

    It ingests the traffic with its users' votes and the releases of its prompt, reports on it, lets monitors look every
    six hours, acts on what a version of the prompt accounts for, and says how the alerts stand up to what was planted.
    A second run adds nothing.
    """
    from lmops.sample import data_dir
    from lmops.sample.releases import release
    from lmops.sample.story import END, told

    place, until = store or DEMO_STORE, END
    with workspace(place, as_json=as_json) as ws:
        release(ws.store)
        report = ws.traces.ingest(str(data_dir() / "traces" / "*.jsonl.gz"), progress=not as_json)
        ws.feedback.ingest(data_dir() / "feedback.jsonl")
        said = ws.feedback.stats(every=None, until=until)
        run, missing = _report(ws, progress=not as_json)
        totals = ws.sql(_TOTALS, {"until": until}).df().iloc[0].to_dict()
        history = ws.prompts.history("support-answer")
        history = history[history["at"] < until]
        if not as_json:
            _print_traffic(repr(report), [*_summary(totals), ("feedback", _thumbs(said))], history)
            echo(f"  report       {run.html_path}" if run else f"  no runbook was run: {missing}")
            echo("")
        folder = run.html_path.parent if run and run.html_path else ws.store.path / "runs"
        story = told(ws, folder, say=_quiet if as_json else echo)
        chain = ws.audit.verify()
    if as_json:
        found = {
            "totals": totals,
            "releases": rows_of(history),
            "feedback": said.data(),
            "run": run and run.to_dict(),
            "store": place,
            "story": story_data(story),
            "audit": {"ok": chain.ok, "events": chain.events},
        }
        echo(to_json(found))
        return
    lines = ["", *story_lines(story), "", f"audit chain: {'whole' if chain.ok else 'BROKEN'}, {chain.events} events"]
    for line in [*lines, "", *_next_steps(place)]:
        echo(line)


def _quiet(_words: str) -> None:
    """Say nothing."""


def _print_traffic(report: str, summary: list[tuple[str, str]], history: pd.DataFrame) -> None:
    echo(report)
    echo("")
    for name, value in summary:
        echo(f"  {name:<13}{value}")
    echo("")
    echo("releases of support-answer")
    print_frame(history[["at", "alias", "from", "to", "actor", "reason"]], as_json=False, empty="none")
    echo("")


def _report(ws: Workspace, *, progress: bool) -> tuple[RunbookRun | None, str]:
    """Return the traffic report, run where it was not; None and why, where what runs notebooks is not installed."""
    for run in ws.runbooks.runs():
        if (run.name, run.status, run.problem) == ("traffic_report", "ok", None) and run.parameters.get(
            "last"
        ) == _LAST:
            return run, ""
    try:
        return ws.runbooks.run("traffic_report", {"last": _LAST}, progress=progress).raise_for_status(), ""
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
    "  lmops incident timeline 1",
)
_LAST: Final = "14d"
_TOTALS = """
select count(*) as traces, sum(span_count)::BIGINT as spans, sum(call_count)::BIGINT as calls,
  count(*) filter (status = 'error') as errors, sum(cost_usd) as cost_usd,
  quantile_cont(latency_ms, 0.5) as p50_ms, quantile_cont(latency_ms, 0.95) as p95_ms,
  sum(unpriced_calls)::BIGINT as unpriced_calls from traces
where start_at < $until
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
