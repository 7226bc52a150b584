"""How a workspace looks: where it is, and what is in its store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from lmops.base.cards import card_html, card_text
from lmops.base.shown import html_of, text_of
from lmops.base.units import counted, money
from lmops.errors import MissingDependencyError

if TYPE_CHECKING:
    from lmops.store import Store

_Kind = TypeVar("_Kind")


class _Workspace(Protocol):
    """What is shown of one."""

    store: Store

    @property
    def actor(self) -> str: ...


#: What is in a store, in one row.
_HELD = """
select (select count(*) from traces) as traces, (select sum(span_count)::bigint from traces) as spans,
  (select sum(error_count > 0)::bigint from traces) as failed, (select sum(cost_usd) from traces) as cost_usd,
  (select min(start_at) from traces) as first_at, (select max(start_at) from traces) as last_at,
  (select count(distinct name) from prompts) as prompts, (select count(distinct dataset) from datasets) as datasets,
  (select count(*) from runs) as runs, (select count(*) from feedback) as signals
"""


def _parts(ws: _Workspace) -> dict[str, Any]:
    query = ws.store.sql(_HELD)
    held = dict(zip(query.columns, query.fetchall()[0], strict=True))
    first, last = held["first_at"], held["last_at"]
    return {
        "kind": "workspace",
        "title": str(ws.store.path),
        "facts": [
            ("traces", f"{held['traces']:,}"),
            ("spans", f"{held['spans']:,}" if held["spans"] else ""),
            ("with an error", f"{held['failed']:,}" if held["failed"] else ""),
            ("cost", money(held["cost_usd"])),
            ("from (UTC)", first and f"{first:%Y-%m-%d %H:%M}"),
            ("to (UTC)", last and f"{last:%Y-%m-%d %H:%M}"),
            ("feedback", counted(held["signals"], "signal")),
            ("prompts", f"{held['prompts']:,}"),
            ("datasets", f"{held['datasets']:,}"),
            ("evaluations", counted(held["runs"], "run")),
            ("acts as", ws.actor),
            ("opened", "read-only" if ws.store.is_read_only else ""),
        ],
    }


def line(ws: _Workspace) -> str:
    """Return a workspace in one line."""
    try:
        ((traces,),) = ws.store.sql("select count(*) from traces").fetchall()
        held = f"{traces:,} traces"
    except MissingDependencyError:
        held = "it records here"
    return f"<Workspace {ws.store.path}{' read-only' if ws.store.is_read_only else ''}: {held}>"


def looks(kind: type[_Kind]) -> type[_Kind]:
    """Say how a workspace looks; of its class."""
    text_of.register(kind, lambda ws: card_text(**_parts(ws)))
    html_of.register(kind, lambda ws: card_html(**_parts(ws)))
    return kind
