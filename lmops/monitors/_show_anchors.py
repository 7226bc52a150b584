"""How the answers that a judge is shown again and again look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lmops.base.cards import card_html, card_text
from lmops.base.shown import html_of, text_of
from lmops.base.units import duration, money, share
from lmops.monitors._moved import Moved
from lmops.monitors.anchors import Anchor
from lmops.text import escape, plain_line

if TYPE_CHECKING:
    from collections.abc import Iterator


def _facts(found: Anchor) -> Iterator[tuple[str, object]]:
    yield "answers", f"{found.items:,} of {found.dataset}"
    yield "asked at once", f"{found.repeats:,} times"
    yield "flips by itself", "" if found.differs is None else share(found.differs)
    yield "asked again", f"by a check after {duration(found.every_s * 1e3)}"
    yield "budget each time", "" if found.budget_usd is None else money(found.budget_usd)
    yield "cost", "" if found.cost_usd is None else money(found.cost_usd)
    yield "monitor", found.monitor


@text_of.register(Anchor)
def _(found: Anchor) -> str:
    return card_text("anchors of the judge", found.ref, _facts(found))


@html_of.register(Anchor)
def _(found: Anchor) -> str:
    return card_html("anchors of the judge", found.ref, _facts(found))


_TITLES: Final = {
    "judge": "the judge moved",
    "application": "the application moved",
    "model": "the model moved under its name",
    "traffic": "the traffic moved",
}


def _title(found: Moved) -> str:
    return f"alert {found.alert}: {_TITLES.get(found.which, 'what moved cannot be told')}"


@text_of.register(Moved)
def _(found: Moved) -> str:
    return "\n".join([_title(found), f"  {plain_line(found.words, 600)}", "", text_of(found.explanation)])


@html_of.register(Moved)
def _(found: Moved) -> str:
    return f"<p><b>{escape(_title(found))}</b><br>{escape(found.words, 600)}</p>{html_of(found.explanation)}"
