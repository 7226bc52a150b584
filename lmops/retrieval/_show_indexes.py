"""How an index, its record and a ranking look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lmops.base.cards import card_html, card_text
from lmops.base.sheet import aligned, html_table
from lmops.base.shown import html_of, text_of
from lmops.base.units import counted, duration, size
from lmops.retrieval.contract import Ranking
from lmops.retrieval.indexes.record import IndexRecord
from lmops.retrieval.indexes.searching import Index
from lmops.text import escape, plain_line

if TYPE_CHECKING:
    from lmops.retrieval.contract import Hit
    from lmops.retrieval.indexes.building import Work

_HEAD: Final = ("rank", "score", "chunk", "characters", "text", "why")
_TEXT: Final = 160


@text_of.register(IndexRecord)
def _(found: IndexRecord) -> str:
    return card_text("index", found.name, _facts(found))


@html_of.register(IndexRecord)
def _(found: IndexRecord) -> str:
    return card_html("index", found.name, _facts(found))


@text_of.register(Index)
def _(found: Index) -> str:
    return card_text("index", found.name, [*_facts(found.record), *_done(found.work)])


@html_of.register(Index)
def _(found: Index) -> str:
    return card_html("index", found.name, [*_facts(found.record), *_done(found.work)])


@text_of.register(Ranking)
def _(found: Ranking) -> str:
    lines = [plain_line(_title(found), 300)]
    if found.hits:
        lines += [f"  {line}" for line in aligned([list(_HEAD), *map(_cells, found.hits)])]
    return "\n".join(lines)


@html_of.register(Ranking)
def _(found: Ranking) -> str:
    return f"<p><b>{escape(_title(found), 300)}</b></p>{html_table(_HEAD, [*map(_cells, found.hits)])}"


def _facts(found: IndexRecord) -> list[tuple[str, str]]:
    return [
        ("settings", found.settings),
        ("holds", f"{counted(found.documents, 'document')} in {counted(found.chunks, 'chunk')}, {size(found.bytes)}"),
        ("fingerprints", f"settings {found.index_fingerprint}, documents {found.corpus_fingerprint}"),
        ("built", f"{found.built_at:%Y-%m-%d %H:%M} UTC by {found.author}"),
    ]


def _done(work: Work | None) -> list[tuple[str, str]]:
    if work is None:
        return []
    told = {"new": work.added, "changed": work.changed, "gone": work.removed, "as they were": work.kept}
    documents = ", ".join(f"{count:,} {what}" for what, count in told.items() if count)
    vectors = f"{counted(work.embedded, 'text')} embedded, {work.reused:,} vectors used again"
    return [("this build", f"{documents}; {vectors}; {duration(work.seconds * 1000)}")]


def _title(found: Ranking) -> str:
    took = "" if found.took_ms is None else f", {duration(found.took_ms)}"
    by = "" if found.before_rerank is None else f", reranked out of {len(found.before_rerank):,}"
    what = counted(len(found.hits), "chunk") if found.hits else "nothing found"
    return f"{plain_line(found.query, 120)!r}: {what}{by}{took}"


def _cells(hit: Hit) -> list[str]:
    parts = [f"{name} {value:.3f}" for name, value in hit.parts.items()]
    words = ", ".join(hit.terms)
    why = "; ".join([*parts, *([words] if words else [])])
    place = f"{hit.chunk.start:,}-{hit.chunk.end:,}"
    cells = (f"{hit.rank}", f"{hit.score:.4g}", hit.chunk.id, place, hit.chunk.text, why)
    return [plain_line(cell, _TEXT) for cell in cells]
