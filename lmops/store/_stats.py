"""How large a store is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lmops.base.cards import card_html, card_text
from lmops.base.shown import Shown, html_of, text_of
from lmops.base.units import counted, size
from lmops.times import from_ns

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import duckdb

    from lmops.store._meta import Meta


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreStats(Shown):
    """How large a store is."""

    path: str
    traces: int
    spans: int
    inbox_rows: int
    segments: int
    segment_bytes: int
    meta_bytes: int
    replaced_rows: int
    oldest_ns: int | None
    newest_ns: int | None


def measured(folder: Path, sql: Callable[[str], duckdb.DuckDBPyRelation], meta: Meta) -> StoreStats:
    """Return counts and sizes."""
    found = sql("select count(*), min(start_ns), max(start_ns) from traces").fetchall()[0]
    spans = sql("select count(*) from spans").fetchall()[0]
    with meta.read() as con:
        segments = con.execute("select count(*), coalesce(sum(bytes), 0) from segments").fetchone()
        inbox = con.execute("select value from counters where name = 'inbox_rows'").fetchone()[0]
        replaced = con.execute("select coalesce(sum(copies), 0) from dead_rows").fetchone()[0]
    sizes = [file.stat().st_size for file in folder.glob("meta.sqlite*") if file.is_file()]
    return StoreStats(
        path=str(folder),
        traces=found[0],
        spans=spans[0],
        inbox_rows=inbox,
        segments=segments[0],
        segment_bytes=segments[1],
        meta_bytes=sum(sizes),
        replaced_rows=replaced,
        oldest_ns=found[1],
        newest_ns=found[2],
    )


def _parts(found: StoreStats) -> dict[str, Any]:
    oldest, newest = (
        None if at is None else f"{from_ns(at):%Y-%m-%d %H:%M}" for at in (found.oldest_ns, found.newest_ns)
    )
    return {
        "kind": "store",
        "title": found.path,
        "facts": [
            ("traces", f"{found.traces:,}"),
            ("spans", f"{found.spans:,}"),
            ("from (UTC)", oldest),
            ("to (UTC)", newest),
            ("facts", f"{size(found.segment_bytes)} in {counted(found.segments, 'segment')}"),
            ("records", size(found.meta_bytes)),
            ("waiting in the inbox", counted(found.inbox_rows, "row") if found.inbox_rows else ""),
            ("replaced", counted(found.replaced_rows, "row") if found.replaced_rows else ""),
        ],
    }


@text_of.register(StoreStats)
def _(found: StoreStats) -> str:
    return card_text(**_parts(found))


@html_of.register(StoreStats)
def _(found: StoreStats) -> str:
    return card_html(**_parts(found))
