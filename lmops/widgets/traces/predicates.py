"""The browser's filter as text: one SQL predicate, shown as the chips that AND joins, changed by clicks and words."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from lmops.times import from_ns, to_ns
from lmops.traces.rows import column_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_TOKEN: Final = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/|\w+|\s+|.", re.DOTALL)
#: an apostrophe belongs to a word where letters stand on both sides of it
_WORDS: Final = re.compile(r"(?:[\w\s.,:;?!@#%&+-]|(?<=\w)['\u2019](?=\w))+")
#: how what :func:`words_as_predicate` returns begins, with the words as an SQL literal
_SAID: Final = re.compile(
    r"\(?(?:name ilike '%(?P<like>(?:[^']|'')*)%' or |"
    r"contains\(lower\(name\), '(?P<whole>(?:[^']|'')*)'\) or |starts_with\(trace_id, '(?P<id>\w+)'\))"
)
_TRACE_ID: Final = re.compile(r"[0-9a-f]{6,32}")
_OPEN: Final = frozenset("([{")
_CLOSE: Final = frozenset(")]}")


def conjuncts(where: str | None) -> list[str]:
    """Return the parts of a predicate that a top-level AND joins; one part when OR stands at the top.

    Example:
        >>> conjuncts("status = 'error' and latency_ms between 1 and 2 and (a or b)")
        ["status = 'error'", 'latency_ms between 1 and 2', '(a or b)']
        >>> conjuncts("a and b or c")
        ['a and b or c']
    """
    text = (where or "").strip()
    if not text:
        return []
    parts: list[str] = []
    start, depth, betweens = 0, 0, 0
    for token in _TOKEN.finditer(text):
        word = token[0].lower()
        if word in _OPEN or word == "case":
            depth += 1
        elif word in _CLOSE or word == "end":
            depth -= 1
        elif depth == 0 and word == "between":
            betweens += 1
        elif depth == 0 and word == "or":
            return [text]
        elif depth == 0 and word == "and":
            if betweens:
                betweens -= 1
            else:
                parts.append(text[start : token.start()].strip())
                start = token.end()
    parts.append(text[start:].strip())
    return parts


def joined(parts: Sequence[str]) -> str | None:
    """Return the predicate that holds where all parts hold; None when there are none.

    A part with OR at its top gets parentheses when it is not alone.
    """
    if len(parts) < 2:
        return parts[0] if parts else None
    return " and ".join(f"({part})" if _has_top_or(part) else part for part in parts)


def _has_top_or(part: str) -> bool:
    depth = 0
    for token in _TOKEN.finditer(part):
        word = token[0].lower()
        depth += (word in _OPEN or word == "case") - (word in _CLOSE or word == "end")
        if depth == 0 and word == "or":
            return True
    return False


def words_as_predicate(text: str) -> str | None:
    """Return the search that plain words stand for: the start of a trace id, or text in name, input or output.

    None when the text is more than words.
    """
    words = text.strip()
    if not words or not _WORDS.fullmatch(words):
        return None
    if _TRACE_ID.fullmatch(words.lower()) and any(char.isdigit() for char in words):
        return f"starts_with(trace_id, {quoted(words.lower())})"
    pattern = quoted("%" + words.replace("%", r"\%").replace("_", r"\_") + "%")
    if "%" in words or "_" in words:
        needle = quoted(words.lower())
        return " or ".join(f"contains(lower({column}), {needle})" for column in ("name", "input", "output"))
    return " or ".join(f"{column} ilike {pattern}" for column in ("name", "input", "output"))


def as_words(part: str) -> str | None:
    """Return the words that a part of a search looks for, as :func:`words_as_predicate` reads them; None for others.

    Example:
        >>> as_words(words_as_predicate("night ferry"))
        'night ferry'
    """
    found = _SAID.match(part)
    if found is None:
        return None
    words = next(text for text in found.groups() if text is not None).replace("''", "'")
    return words if words_as_predicate(words) in (part, part.removeprefix("(").removesuffix(")")) else None


def value_predicate(column: str, value: object) -> str:
    """Return the search for one value of a column, a text or a truth; None asks for the missing ones."""
    if column == "models":
        return "len(models) = 0" if value is None else f"model = {quoted(str(value))}"
    if column == "prompt_refs":
        return "len(prompt_refs) = 0" if value is None else f"list_contains(prompt_refs, {quoted(str(value))})"
    if value is None:
        return f"{column} is null"
    if isinstance(value, bool):
        return f"{column} = {str(value).lower()}"
    return f"{column} = {quoted(str(value))}"


def group_predicate(column: str, value: str | None) -> str:
    """Return the search for the traces of one group, by the text of what they have in common."""
    if value is None or column in ("models", "prompt_refs"):
        return value_predicate(column, value)
    kind = column_of(column).kind
    if kind == "time":
        day = datetime.fromisoformat(value).replace(tzinfo=UTC)
        return bin_predicate(column, to_ns(day), to_ns(day + timedelta(days=1)))
    if kind == "number":
        return f"{column} = {int(value)}"
    return value_predicate(column, value == "true" if kind == "bool" else value)


def bin_predicate(column: str, low: float, high: float) -> str:
    """Return the search for the values in [low, high); of ``start_at`` both are nanoseconds."""
    if column == "start_at":
        return f"({column} >= {moment(int(low))} and {column} < {moment(int(high))})"
    return f"({column} >= {low:.12g} and {column} < {high:.12g})"


def moment(ns: int) -> str:
    """Return a time as an SQL literal in UTC."""
    at = from_ns(ns)
    return f"timestamptz '{at:%Y-%m-%d %H:%M:%S}+00'"


def quoted(text: str) -> str:
    """Return a text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"
