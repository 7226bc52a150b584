"""A record as a small card: what it is, a few facts, a text; in HTML that needs neither script nor style sheet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lmops.base.sheet import aligned
from lmops.text import escape, one_line, plain, plain_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_TITLE: Final = 200
_FACT: Final = 160
_BODY: Final = 6_000
# JupyterLab's sanitiser keeps plain colours only; texts have the colour of the page, and quiet ones are seen through
_CARD: Final = (
    "font-size:12px;line-height:1.5;max-width:860px;margin:4px 0;padding:2px 12px 4px 12px;border-left:2px solid gray"
)
_QUIET: Final = "opacity:0.75"
_FACTS: Final = "display:flex;flex-wrap:wrap;margin:4px 0 0 0"
_PLACE: Final = "margin:2px 26px 2px 0"
_LABEL: Final = f"font-size:11px;line-height:1.3;{_QUIET}"
_VALUE: Final = "font-variant-numeric:tabular-nums;overflow-wrap:break-word"
# JupyterLab breaks the words of a pre anywhere
_TEXT: Final = (
    "white-space:pre-wrap;word-break:normal;overflow-wrap:break-word;margin:2px 0 0 0;padding:0;max-height:340px;"
    "overflow:auto;font-size:12px;line-height:1.5"
)


def card_html(
    kind: str,
    title: str,
    facts: Iterable[tuple[str, object]],
    *,
    texts: Sequence[tuple[str, object]] = (),
    lead: str = "",
    more: str = "",
) -> str:
    """Return a card.

    Args:
        kind: What the record is, in the words of the field.
        title: Its name.
        facts: Pairs of name and value; None and "" are left out.
        texts: Pairs of a heading and a text that is read as it is written; long ones are cut and scroll.
        lead: HTML right below the title, made by who shows the record.
        more: HTML below everything.
    """
    told = "".join(
        f'<div style="{_PLACE}"><div style="{_LABEL}">{one_line(name, 60)}</div>'
        f'<div style="{_VALUE}">{one_line(value, _FACT)}</div></div>'
        for name, value in facts
        if value not in (None, "")
    )
    said = "".join(
        f'<div style="margin:8px 0 0 0">{_heading(name)}<pre style="{_TEXT}">{escape(text, _BODY)}</pre></div>'
        for name, text in texts
        if text not in (None, "")
    )
    return (
        f'<div style="{_CARD}"><div><span style="{_QUIET}">{one_line(kind, 60)}</span> '
        f'<b style="font-size:14px">{one_line(title, _TITLE)}</b></div>'
        f'{lead}<div style="{_FACTS}">{told}</div>{said}{more}</div>'
    )


def card_text(
    kind: str, title: str, facts: Iterable[tuple[str, object]], *, texts: Sequence[tuple[str, object]] = ()
) -> str:
    """Return a card as text, safe to print to a terminal; the arguments are those of :func:`card_html`."""
    rows = [(plain_line(name, 60), plain_line(value, _FACT)) for name, value in facts if value not in (None, "")]
    lines = [f"{plain_line(kind, 60)} {plain_line(title, _TITLE)}"]
    lines += [f"  {line}" for line in aligned(rows)] if rows else []
    for name, text in texts:
        if text not in (None, ""):
            lines += ["", *([f"{plain_line(name, 60)}:"] if name else []), plain(text, _BODY)]
    return "\n".join(lines)


def _heading(name: str) -> str:
    return f'<div style="{_LABEL}">{one_line(name, 60)}</div>' if name else ""
