"""Markdown that a model wrote, as static HTML: headings, lists, tables, quotes, code, emphasis; nothing that acts.

HTML in it stays text, a link is its words with the address beside them and leads nowhere, an image is its address and
never fetched. The widgets say the same in ``widgets/kit/markdown.js``. What is inside a line reaches no further than a
few hundred characters, so that a hostile text costs no more than its length.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lmops.text import escape

if TYPE_CHECKING:
    from collections.abc import Sequence

_DEEPEST: Final = 6
_MOST_CELLS: Final = 40
_FENCE: Final = re.compile(r" {0,3}(`{3,}|~{3,})[^`]*$")
_HEADING: Final = re.compile(r" {0,3}(#{1,6})(?:[ \t]+|$)")
_RULE: Final = re.compile(r" {0,3}([-*_])(?:[ \t]*\1){2,}[ \t]*$")
_QUOTE: Final = re.compile(r" {0,3}> ?")
_ITEM: Final = re.compile(r"( {0,12})(?:[-*+]|(\d{1,9})[.)])(?:[ \t]+|$)")
_DIVIDER: Final = re.compile(r":?-+:?")
_INLINE: Final = re.compile(
    r"\\(?P<plain>[!-/:-@\[-`{-~])"
    r"|`(?P<code>[^`\n]{1,400})`"
    r"|(?P<image>!?)\[(?P<words>[^\[\]\n]{0,300})\]\((?P<address>(?:[^()\s]|\([^()\s]{0,200}\)){0,600})\)"
    r"|\*\*(?=\S)(?P<strong>(?:[^*\n]|\*(?!\*)){1,400}?)(?<=\S)\*\*"
    r"|(?<!\w)__(?=\S)(?P<strong_>[^_\n]{1,400})(?<=\S)__(?!\w)"
    r"|\*(?=[^\s*])(?P<em>[^*\n]{1,400})(?<=\S)\*"
    r"|(?<!\w)_(?=[^\s_])(?P<em_>[^_\n]{1,400})(?<=\S)_(?!\w)"
    r"|~~(?=\S)(?P<del>[^~\n]{1,400})(?<=\S)~~"
)
_MARGIN: Final = "margin:0 0 6px 0"
_CODE: Final = f"white-space:pre-wrap;word-break:normal;overflow-wrap:break-word;{_MARGIN}"


def markdown_html(text: str) -> str:
    """Return a text as HTML that shows what its Markdown means and does nothing else.

    Example:
        >>> markdown_html("**58** euro, see [prices](javascript:alert(1)) <b>")
        '<p style="margin:0 0 6px 0"><strong>58</strong> euro, see prices (javascript:alert(1)) &lt;b&gt;</p>'
    """
    return _blocks(text.replace("\r\n", "\n").replace("\t", "    ").split("\n"), 0)


def _blocks(lines: Sequence[str], depth: int) -> str:
    found, at = [], 0
    while at < len(lines):
        line = lines[at]
        if not line.strip():
            at += 1
            continue
        html, at = _block(lines, at, depth)
        found.append(html)
    return "".join(found)


def _block(lines: Sequence[str], at: int, depth: int) -> tuple[str, int]:
    """Return the block that begins at a line, and where the next one may begin."""
    line = lines[at]
    if fence := _FENCE.match(line):
        return _code(lines, at, fence[1])
    if heading := _HEADING.match(line):
        size = max(13, 17 - len(heading[1]))
        words = _inline(line[heading.end() :].strip())
        return f'<div style="font-size:{size}px;font-weight:bold;margin:8px 0 4px 0">{words}</div>', at + 1
    if _RULE.match(line):
        return "<hr>", at + 1
    if _QUOTE.match(line) and depth < _DEEPEST:
        end = next((n for n in range(at, len(lines)) if not _QUOTE.match(lines[n])), len(lines))
        inner = [_QUOTE.sub("", one, count=1) for one in lines[at:end]]
        return f"<blockquote>{_blocks(inner, depth + 1)}</blockquote>", end
    if _ITEM.match(line) and depth < _DEEPEST:
        return _list(lines, at, depth)
    if (sides := _table_at(lines, at)) is not None:
        return _table(lines, at, sides)
    end = at + 1
    while end < len(lines) and lines[end].strip() and not _starts(lines, end):
        end += 1
    return f'<p style="{_MARGIN}">{_inline(chr(10).join(lines[at:end]))}</p>', end


def _starts(lines: Sequence[str], at: int) -> bool:
    patterns = (_FENCE, _HEADING, _RULE, _QUOTE, _ITEM)
    return any(one.match(lines[at]) for one in patterns) or _table_at(lines, at) is not None


def _code(lines: Sequence[str], at: int, marks: str) -> tuple[str, int]:
    end = at + 1
    while end < len(lines) and not (len(one := lines[end].strip()) >= len(marks) and one == marks[0] * len(one)):
        end += 1
    text = "\n".join(lines[at + 1 : end])
    return f'<pre style="{_CODE}">{escape(text)}</pre>', end + 1


def _list(lines: Sequence[str], at: int, depth: int) -> tuple[str, int]:
    """Return a list: its items have one indent, and own what is further in."""
    first = _ITEM.match(lines[at])
    items: list[str] = []
    while at < len(lines) and first is not None:
        item = _ITEM.match(lines[at])
        if item is None or abs(len(item[1]) - len(first[1])) > 1 or bool(item[2]) != bool(first[2]):
            break
        inner, at = [lines[at][item.end() :]], at + 1
        while at < len(lines) and _is_inside(lines, at, len(item[1])):
            inner.append(lines[at][min(_indent(lines[at]), item.end()) :])
            at += 1
        items.append(_item(inner, depth))
        if at + 1 < len(lines) and not lines[at].strip() and _ITEM.match(lines[at + 1]):
            at += 1
    number = first[2] if first is not None else None
    tag, start = ("ol", f' start="{int(number)}"') if number else ("ul", "")
    return f'<{tag}{start} style="{_MARGIN}">{"".join(items)}</{tag}>', at


def _item(lines: Sequence[str], depth: int) -> str:
    """Return one item; its first line is no paragraph of its own."""
    if not lines[0].strip() or _starts(lines, 0):
        return f"<li>{_blocks(lines, depth + 1)}</li>"
    end = 1
    while end < len(lines) and lines[end].strip() and not _starts(lines, end):
        end += 1
    return f"<li>{_inline(chr(10).join(lines[:end]))}{_blocks(lines[end:], depth + 1)}</li>"


def _is_inside(lines: Sequence[str], at: int, indent: int) -> bool:
    """Return whether a line belongs to an item: it is further in, or blank and before such a one."""
    if lines[at].strip():
        return _indent(lines[at]) > indent
    return at + 1 < len(lines) and bool(lines[at + 1].strip()) and _indent(lines[at + 1]) > indent


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|", _MOST_CELLS)]


def _table_at(lines: Sequence[str], at: int) -> list[str] | None:
    """Return how the columns of a table are aligned that begins at a line; None where none does."""
    if "|" not in lines[at] or at + 1 >= len(lines) or "-" not in lines[at + 1]:
        return None
    dividers = _cells(lines[at + 1])
    if not all(map(_DIVIDER.fullmatch, dividers)) or len(dividers) != len(_cells(lines[at])):
        return None
    return ["right" if one.endswith(":") and not one.startswith(":") else "left" for one in dividers]


def _table(lines: Sequence[str], at: int, sides: Sequence[str]) -> tuple[str, int]:
    end = at + 2
    while end < len(lines) and "|" in lines[end]:
        end += 1
    head, *body = (_cells(one) for one in (lines[at], *lines[at + 2 : end]))
    rows = "".join(f"<tr>{_row('td', cells, sides)}</tr>" for cells in body)
    return f"<table><thead><tr>{_row('th', head, sides)}</tr></thead><tbody>{rows}</tbody></table>", end


def _row(tag: str, cells: Sequence[str], sides: Sequence[str]) -> str:
    padded = [*cells, *[""] * len(sides)]
    return "".join(
        f'<{tag} style="text-align:{side}">{_inline(cell)}</{tag}>' for side, cell in zip(sides, padded, strict=False)
    )


def _inline(text: str, depth: int = 0) -> str:
    """Return the words of a text with what is code, emphasis, links and images in them; line breaks stay."""
    found, at = [], 0
    for match in _INLINE.finditer(text) if depth < _DEEPEST else ():
        found += [_plain(text[at : match.start()]), _part(match, depth + 1)]
        at = match.end()
    return "".join([*found, _plain(text[at:])])


def _part(match: re.Match[str], depth: int) -> str:
    kind = match.lastgroup or ""
    if kind == "plain":
        return _plain(match["plain"])
    if kind == "code":
        return f"<code>{escape(match['code'])}</code>"
    if kind == "address":
        words, address = match["words"], match["address"]
        beside = f" ({escape(address)})" if address and address != words else ""
        return f"{'image ' if match['image'] else ''}{_inline(words, depth)}{beside}"
    tag = kind.rstrip("_")
    return f"<{tag}>{_inline(match[kind], depth)}</{tag}>"


def _plain(text: str) -> str:
    return escape(text).replace("\n", "<br>")
