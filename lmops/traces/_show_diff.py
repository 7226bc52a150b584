"""How the difference of two traces is shown: lines for a terminal, static HTML for notebooks; all text is escaped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lmops.base.sheet import aligned, html_table
from lmops.base.shown import html_of, text_of
from lmops.base.units import duration, money
from lmops.text import escape, one_line, plain, plain_line
from lmops.traces.diffs import TraceDiff, label

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from lmops.calc.alignment import Piece
    from lmops.traces.diffs import SpanPair

SIGNS: Final = {"same": " ", "changed": "~", "added": "+", "removed": "-"}
_MAX_PAIRS: Final = 200
_MAX_WORDS: Final = 20
_MAX_INDENT: Final = 12
#: Characters of changed words below a span, and of the answer.
_WORDS: Final = 600
_ANSWER: Final = 6_000
#: name -> (heading, how a number reads)
_SHOWN: Final[dict[str, tuple[str, Callable[[Any], str]]]] = {
    "latency_ms": ("latency", duration),
    "input_tokens": ("tokens in", "{:,}".format),
    "output_tokens": ("tokens out", "{:,}".format),
    "cost_usd": ("cost", money),
}
_HEADS: Final = ("", "span", *(head for head, _ in _SHOWN.values()), "what differs")
_BOX: Final = "max-height:520px;overflow:auto;font-size:12px"
_PRE: Final = "white-space:pre-wrap;overflow-wrap:break-word"
_CELL: Final = "padding:1px 14px 1px 0;vertical-align:top;text-align:{};white-space:{}"
#: The words of one side are signs as well as lines, not colour alone.
_TAGS: Final = {"-": "del", "+": "ins"}


def change(values: tuple[Any, Any, Any], show: Callable[[Any], str]) -> str:
    """Return a number of both sides and the change, as words; "?" stands for what is not known, "" when neither is.

    Args:
        values: The left one, the right one, the difference.
        show: How one number reads.
    """
    left, right, by = values
    if left is None and right is None:
        return ""
    sides = [None if one is None else show(one) for one in (left, right)]
    if sides[0] == sides[1]:
        return str(sides[0])
    pair = " → ".join("?" if one is None else one for one in sides)
    return pair if by is None else f"{pair} ({'-' if by < 0 else '+'}{show(abs(by))})"


def _cells(pair: SpanPair) -> list[str]:
    return [change(pair.measure(name), show) for name, (_, show) in _SHOWN.items()]


def _shown(found: TraceDiff) -> Sequence[SpanPair]:
    """Return the pairs to show: all, or of many those that differ, then the others as far as there is room."""
    if len(found.pairs) <= _MAX_PAIRS:
        return found.pairs
    order = sorted(range(len(found.pairs)), key=lambda place: (found.pairs[place].kind == "same", place))
    return [found.pairs[place] for place in sorted(order[:_MAX_PAIRS])]


@text_of.register(TraceDiff)
def diff_text(found: TraceDiff) -> str:
    """Return the difference as plain text: the sums, the answers, then one line a span with its changed words."""
    lines = [f"{found.left.trace_id} → {found.right.trace_id}: {found.summary}"]
    sums = [(head, change(found.measure(name), show)) for name, (head, show) in _SHOWN.items()]
    lines += [f"  {head:<10}  {words}" for head, words in sums if words]
    if found.answer:
        lines.append(f"  {'answer':<10}  {_marked_text(found.answer, _ANSWER)}")
    pairs = _shown(found)
    table = [
        [SIGNS[pair.kind], f"{'  ' * min(pair.span.depth, _MAX_INDENT)}{_name(pair)}", *_cells(pair), _differs(pair)]
        for pair in pairs
    ]
    lines += ["", *aligned([_HEADS, *table], numbers=())]
    lines += [f"… and {len(found.pairs) - len(pairs):,} more spans: .df() has all"] * (len(pairs) < len(found.pairs))
    for pair, name, words in _worded(found, pairs):
        lines.append(f"\n{SIGNS[pair.kind]} {_name(pair)}, {name}: {_marked_text(words, _WORDS)}")
    return "\n".join(lines)


def _name(pair: SpanPair) -> str:
    return f"{plain(pair.span.row['kind'], 20)} {plain_line(label(pair.span), 60)}"


def _differs(pair: SpanPair) -> str:
    """Return what is not the same; of the facts that are one word also how it changed."""
    words = []
    for name in pair.differs:
        sides = [one.row.get(name) for one in (pair.left, pair.right) if one is not None]
        is_fact = name in ("model", "status", "error_type")
        words.append(f"{name} {' → '.join(plain_line(one, 40) or 'none' for one in sides)}" if is_fact else name)
    return ", ".join(words)


def _worded(found: TraceDiff, pairs: Iterable[SpanPair]) -> list[tuple[SpanPair, str, list[Piece]]]:
    """Return the texts that changed, of the first spans that have some; what is said already is not said again."""
    seen = {tuple(found.answer)}
    worded: list[tuple[SpanPair, str, list[Piece]]] = []
    for pair in pairs:
        for name in ("input", "output"):
            is_named = name == "output" and "documents" in pair.differs
            if name not in pair.differs or is_named or len(worded) >= _MAX_WORDS:
                continue
            words = pair.words(name)
            if tuple(words) not in seen:
                seen.add(tuple(words))
                worded.append((pair, name, words))
    return worded


def _marked_text(pieces: Iterable[Piece], limit: int) -> str:
    """Return two texts as one: [-words that went-] and {+words that came+}."""
    marks = {"-": ("[-", "-]"), "+": ("{+", "+}"), " ": ("", "")}
    return plain_line("".join(f"{marks[sign][0]}{text}{marks[sign][1]}" for sign, text in pieces), limit)


@html_of.register(TraceDiff)
def diff_html(found: TraceDiff) -> str:
    """Return the difference as HTML that needs neither script nor style sheet."""
    ids = " → ".join(f"<code>{escape(one.trace_id[:12])}</code>" for one in (found.left, found.right))
    sums = " · ".join(
        f"{head} {escape(words)}"
        for head, words in ((head, change(found.measure(name), show)) for name, (head, show) in _SHOWN.items())
        if words
    )
    answer = (
        f'<div style="{_PRE};margin:4px 0 8px 0;padding-left:10px;border-left:3px solid #2f9e78">'
        f"{_marked_html(found.answer, _ANSWER)}</div>"
        if found.answer
        else ""
    )
    pairs = _shown(found)
    more = len(found.pairs) - len(pairs)
    return (
        f'<div style="{_BOX}"><div><b>{ids}</b>: {escape(found.summary)}</div><div>{sums}</div>{answer}'
        f"{_table(pairs)}{f'<div>… and {more:,} more spans: <code>.df()</code> has all</div>' if more else ''}"
        f"{''.join(_words_html(*one) for one in _worded(found, pairs))}</div>"
    )


def _table(pairs: Sequence[SpanPair]) -> str:
    rows = [
        [
            SIGNS[pair.kind],
            "\u00a0" * 4 * min(pair.span.depth, _MAX_INDENT) + _name(pair),
            *_cells(pair),
            _differs(pair),
        ]
        for pair in pairs
    ]
    sides = ["left", "left", *["right"] * len(_SHOWN), "left"]
    styles = [_CELL.format(side, "nowrap" if place < len(sides) - 1 else "normal") for place, side in enumerate(sides)]
    return html_table(_HEADS, rows, show=escape, styles=styles, heads=styles, compact=True)


def _words_html(pair: SpanPair, name: str, words: Iterable[Piece]) -> str:
    return (
        f'<details style="margin-top:4px"><summary>{SIGNS[pair.kind]} {one_line(_name(pair), 90)}: {name}</summary>'
        f'<div style="{_PRE};padding-left:14px">{_marked_html(words, _WORDS)}</div></details>'
    )


def _marked_html(pieces: Iterable[Piece], limit: int) -> str:
    found, room = [], limit
    for sign, text in pieces:
        shown = escape(text, max(room, 1))
        room -= len(text)
        tag = _TAGS.get(sign)
        found.append(f"<{tag}>{shown}</{tag}>" if tag else shown)
        if room <= 0:
            break
    return "".join(found)
