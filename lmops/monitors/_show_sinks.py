"""How sinks, and what became of what was to be told, look."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lmops.base.cards import card_html, card_text
from lmops.base.shown import html_of, text_of
from lmops.monitors._sink_records import Deliveries, Sink
from lmops.text import escape, plain_line

if TYPE_CHECKING:
    from collections.abc import Iterator


def _facts(sink: Sink) -> Iterator[tuple[str, object]]:
    yield "address", sink.address
    yield "secret", f"${sink.secret_env}" if sink.secret_env else ""
    yield "told from", sink.min_severity
    yield "monitors", "all" if sink.monitors is None else ", ".join(sink.monitors)
    yield "texts of traces", "told" if sink.has_text else "not told"
    yield "to", ", ".join(sink.mail.get("to", ()))


@text_of.register(Sink)
def _(sink: Sink) -> str:
    return card_text(sink.kind, sink.name, _facts(sink))


@html_of.register(Sink)
def _(sink: Sink) -> str:
    return card_html(sink.kind, sink.name, _facts(sink))


def _said(found: Deliveries) -> str:
    more = [f"{found.superseded:,} superseded"] if found.superseded else []
    more += [f"{found.waiting:,} waiting"] if found.waiting else []
    return ", ".join([f"{found.sent:,} sent", *more])


@text_of.register(Deliveries)
def _(found: Deliveries) -> str:
    failed = [f"{plain_line(name, 100)} failed: {plain_line(why, 200)}" for name, why in found.failed.items()]
    return "\n".join([_said(found), *failed])


@html_of.register(Deliveries)
def _(found: Deliveries) -> str:
    failed = [f"<br>{escape(name, 100)} failed: {escape(why, 200)}" for name, why in found.failed.items()]
    return f"<p><b>{escape(_said(found))}</b>{''.join(failed)}</p>"
