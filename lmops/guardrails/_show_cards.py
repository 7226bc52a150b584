"""How cards of rails and policies look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lmops.base.cards import card_html, card_text
from lmops.base.sheet import aligned, framed
from lmops.base.shown import html_of, text_of
from lmops.base.units import counted, duration, share
from lmops.guardrails.cards import Calibrated, Card, rate
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lmops.guardrails._measuring import Limits

_SLICES: Final = ("by", "", "texts", "attacks", "found", "wrongly stopped", "of ordinary")
_RULES: Final = ("what fired", "right", "wrong", "of ordinary")
_PLACES: Final = ("place", "known", "found")
#: As many rows as are read at once; the frames have all.
_ROWS: Final = 24


def _title(found: Card) -> str:
    return f"{found.subject} on {found.dataset}"


def _facts(found: Card) -> Iterator[tuple[str, object]]:
    yield "texts", f"{found.n:,}, {found.n_attacks:,} with something in them"
    yield "found (recall)", rate(found.recall)
    yield "wrongly stopped (false positives)", rate(found.fpr)
    yield "right when it finds (precision)", rate(found.precision)
    yield "area under the curve", _plain(found.auroc)
    yield "threshold", "" if found.threshold is None else f"{found.threshold:g}"
    yield "expected on other texts", "" if found.chosen is None else f"{rate(found.chosen)} wrongly stopped"
    yield "places that are right", rate(found.span_precision)
    yield "latency", _latency(found)
    yield "left out", _left_out(found)
    yield "looked for", "" if found.kinds is None else ", ".join(found.kinds)
    yield "configuration", f"{found.kind} {found.config_hash}, at {found.stage}"
    yield "card", f"{found.number}, by {found.author}"


def _plain(found: Limits) -> str:
    estimate, low, high = found
    limits = "" if low is None or high is None else f" ({low:.3f} to {high:.3f})"
    return "" if estimate is None else f"{estimate:.3f}{limits}"


def _latency(found: Card) -> str:
    if found.p50_ms is None:
        return ""
    return f"{duration(found.p50_ms)} the median, {duration(found.p95_ms)} the 95th of 100"


def _left_out(found: Card) -> str:
    parts = [f"{counted(found.n_unknown, 'text')} of which nobody knows"] if found.n_unknown else []
    parts += [f"{counted(found.n_errors, 'text')} on which it failed"] if found.n_errors else []
    return ", ".join(parts)


def _tables(found: Card) -> Iterator[tuple[str, Sequence[str], list[list[str]], tuple[int, ...]]]:
    """Yield title, headings, rows and columns of numbers of each table that has rows."""
    slices = [
        [
            plain_line(one.by, 30),
            plain_line(one.value, 60),
            f"{one.n:,}",
            f"{one.n_attacks:,}",
            rate((one.recall, one.recall_low, one.recall_high)),
            f"{one.n_wrong:,}" if one.n > one.n_attacks else "",
            rate((one.fpr, one.fpr_low, one.fpr_high)),
        ]
        for one in found.slices
    ]
    yield "By slice", _SLICES, slices, (2, 3, 4, 5, 6)
    rules = [
        [plain_line(one.rule, 60), f"{one.right:,}", f"{one.wrong:,}", rate((one.fpr, one.fpr_low, one.fpr_high))]
        for one in found.fired
    ]
    yield "By what fired", _RULES, rules, (1, 2, 3)
    places = [
        [plain_line(one.kind, 60), f"{one.n:,}", rate((one.recall, one.recall_low, one.recall_high))]
        for one in found.places
    ]
    yield "By kind of place", _PLACES, places, (1, 2)


@text_of.register(Card)
def _(found: Card) -> str:
    lines = [card_text("card", _title(found), _facts(found))]
    for title, heads, rows, numbers in _tables(found):
        if rows:
            table = aligned([heads, *rows[:_ROWS]], numbers=numbers)
            lines += ["", f"{title}{_more(rows)}", *(f"  {line}" for line in table)]
    return "\n".join(lines)


@html_of.register(Card)
def _(found: Card) -> str:
    tables = "".join(
        f'<div style="margin:10px 0 0 0">{framed(title + _more(rows), heads, rows[:_ROWS], numbers=numbers)}</div>'
        for title, heads, rows, numbers in _tables(found)
        if rows
    )
    return card_html("card", _title(found), _facts(found), more=tables)


def _more(rows: Sequence[object]) -> str:
    return f" (the first {_ROWS} of {len(rows):,})" if len(rows) > _ROWS else ""


def _calibrated(found: Calibrated) -> Iterator[tuple[str, object]]:
    yield "wanted", f"at most {share(found.wanted)} of ordinary texts"
    yield "expected on other texts", f"{rate(found.fpr)}, from {found.n_ordinary:,} ordinary ones"
    yield "found (recall)", rate(found.card.recall)
    yield "card", f"{found.card.number}, of {found.card.dataset}"


@text_of.register(Calibrated)
def _(found: Calibrated) -> str:
    return card_text(f"threshold {found.threshold:g} of", found.rail.name, _calibrated(found))


@html_of.register(Calibrated)
def _(found: Calibrated) -> str:
    return card_html(f"threshold {found.threshold:g} of", found.rail.name, _calibrated(found))
