"""A look at traces from a shell: ``lmops search``, ``show`` and ``sql``."""

from __future__ import annotations

from typing import Any, Final

import click

from lmops.base.terminal import echo
from lmops.base.units import duration, money
from lmops.cli.opening import workspace
from lmops.cli.printing import frame_json, print_frame
from lmops.cli.words import JSON, NOT_NEGATIVE, POSITIVE, STORE, option
from lmops.text import plain_line

#: So many rows of an answer are printed for people.
_MOST_ROWS: Final = 1_000


@click.command()
@click.argument("where", required=False)
@option("last")
@option("since")
@option("until")
@click.option("--order", default="start_at desc", show_default=True, help="A column of traces, and asc or desc.")
@option("limit", type=NOT_NEGATIVE, default=20, show_default=True, help="The most traces.")
@STORE
@JSON
def search(
    where: str | None,
    last: str | None,
    since: str | None,
    until: str | None,
    order: str,
    limit: int,
    store: str | None,
    as_json: bool,
) -> None:
    """List traces that satisfy WHERE, such as "status = 'error' and latency_ms > 2000"."""
    with workspace(store, as_json=as_json, must_exist=True) as ws:
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


@click.command()
@click.argument("trace_id")
@STORE
@JSON
def show(trace_id: str, store: str | None, as_json: bool) -> None:
    """Show the spans of one trace, by its id or the start of it; or the list of a saved view, by its name."""
    with workspace(store, as_json=as_json, must_exist=True) as ws:
        if trace_id in ws.traces.views.names():
            view = ws.traces.browse(view=trace_id)
            echo(frame_json(view.df()) if as_json else view.text)
            return
        found = ws.traces.get(trace_id)
        if as_json:
            echo(frame_json(found.df()))
        else:
            echo(f'{found.text}\nin a notebook: ws.traces.browse(view="{found.trace_id}")')


@click.command(epilog="Example: lmops sql 'select model, sum(cost_usd) from llm_calls group by 1'")
@click.argument("query")
@click.option(
    "--timeout",
    "timeout_s",
    type=POSITIVE,
    metavar="SECONDS",
    help="Longest time; LMOPS_TIMEOUT_S or no limit by default.",
)
@STORE
@JSON
def sql(query: str, timeout_s: float | None, store: str | None, as_json: bool) -> None:
    """Run one read-only SELECT over the views of the store.

    Exit code 1 when something damaged had to be left out; the standard error says what.
    """
    with workspace(store, as_json=as_json, must_exist=True) as ws:
        found = ws.sql(query, timeout_s=timeout_s)
        frame = found.limit(_MOST_ROWS).df() if not as_json else found.df()
        print_frame(frame, as_json=as_json, empty="no rows")
        if len(frame) < len(found):
            echo(f"the first {_MOST_ROWS:,} of {len(found):,} rows; --json has all", err=True)
        if note := getattr(found, "note", ""):
            echo(f"note: {note}", err=True)
