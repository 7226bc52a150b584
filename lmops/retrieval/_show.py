"""How settings look."""

from __future__ import annotations

from lmops.base.cards import card_html, card_text
from lmops.base.shown import html_of, text_of
from lmops.retrieval._sync import leaves_of
from lmops.retrieval.probing import Probe, words_of
from lmops.retrieval.settings import Settings
from lmops.text import escape, plain


@text_of.register(Settings)
def _(found: Settings) -> str:
    return card_text("settings", found.ref, _facts(found))


@html_of.register(Settings)
def _(found: Settings) -> str:
    return card_html("settings", found.ref, _facts(found))


def _facts(found: Settings) -> list[tuple[str, str]]:
    return [
        *leaves_of(found),
        ("fingerprint", found.fingerprint),
        ("note", found.note or ""),
        ("saved", f"{found.created_at:%Y-%m-%d %H:%M} UTC by {found.author}"),
    ]


@text_of.register(Probe)
def _(found: Probe) -> str:
    return plain(words_of(found))


@html_of.register(Probe)
def _(found: Probe) -> str:
    return f"<p>{escape(words_of(found))}</p>"
