"""What a docstring says of a function and of its arguments: Google's, numpy's or reST's form."""

from __future__ import annotations

import inspect
import re
from typing import Final, NamedTuple

_GOOGLE: Final = re.compile(
    r"(?P<what>Args|Arguments|Parameters|Returns|Return|Raises|Yields|Examples?|Notes?|Attributes|Warnings?):\s*"
)
_GOOGLE_ITEM: Final = re.compile(r"\*{0,2}(?P<name>\w+)\s*(\([^)]*\))?\s*:\s*(?P<says>.*)")
_NUMPY_ITEM: Final = re.compile(r"\*{0,2}(?P<names>\w+(\s*,\s*\*{0,2}\w+)*)\s*(:.*)?")
_REST: Final = re.compile(
    r":(?P<what>param|parameter|arg|argument|key|keyword)\s+([^:]*\s)?\*{0,2}(?P<name>\w+)\s*:\s*(?P<says>.*)"
)
_REST_OTHER: Final = re.compile(r":\w+[^:]*:")
_ARGUMENTS: Final = ("Args", "Arguments", "Parameters")


class Documented(NamedTuple):
    """What a docstring says.

    Args:
        summary: All that stands before its sections.
        arguments: What it says of each argument.
    """

    summary: str
    arguments: dict[str, str]


def documented(text: str | None) -> Documented:
    """Return what a docstring says; what it does not say is not there.

    Args:
        text: Of a function, as it is written.

    Example:
        >>> documented('''Refund an order.
        ...
        ... Args:
        ...     amount: In euro,
        ...         never more than was paid.
        ... ''')
        Documented(summary='Refund an order.', arguments={'amount': 'In euro, never more than was paid.'})
    """
    lines = inspect.cleandoc(text or "").splitlines()
    summary: list[str] = []
    said: dict[str, list[str]] = {}
    place = 0
    while place < len(lines):
        line = lines[place]
        if found := _GOOGLE.fullmatch(line.strip()):
            section, place = _indented(lines, place + 1)
            if found["what"] in _ARGUMENTS:
                said |= _google(section)
        elif _is_underlined(lines, place):
            section, place = _underlined(lines, place + 2)
            if line.strip() in (*_ARGUMENTS, "Other Parameters"):
                said |= _numpy(section)
        elif _REST_OTHER.match(line.strip()):
            about, place = _rest(lines, place)
            said |= about
        else:
            summary.append(line)
            place += 1
    return Documented(
        "\n".join(summary).strip(), {name: " ".join(" ".join(some).split()) for name, some in said.items()}
    )


def _indented(lines: list[str], place: int) -> tuple[list[str], int]:
    """Return the lines of a section of Google's form, and where it ends: at the next line that is not set in."""
    start = place
    while place < len(lines) and (not lines[place].strip() or lines[place][0].isspace()):
        place += 1
    return inspect.cleandoc("\n" + "\n".join(lines[start:place])).splitlines(), place


def _google(lines: list[str]) -> dict[str, list[str]]:
    said: dict[str, list[str]] = {}
    words: list[str] = []
    for line in lines:
        found = None if line[:1].isspace() else _GOOGLE_ITEM.fullmatch(line)
        if found:
            words = said[found["name"]] = [found["says"]]
        else:
            words.append(line)
    return said


def _is_underlined(lines: list[str], place: int) -> bool:
    below = lines[place + 1].strip() if place + 1 < len(lines) else ""
    return bool(lines[place].strip()) and len(below) >= 3 and set(below) == {"-"}


def _underlined(lines: list[str], place: int) -> tuple[list[str], int]:
    start = place
    while place < len(lines) and not _is_underlined(lines, place):
        place += 1
    return lines[start:place], place


def _numpy(lines: list[str]) -> dict[str, list[str]]:
    said: dict[str, list[str]] = {}
    words: list[str] = []
    for line in lines:
        found = None if line[:1].isspace() else _NUMPY_ITEM.fullmatch(line.strip())
        if found and line.strip():
            words = []
            said |= {name.strip().lstrip("*"): words for name in found["names"].split(",")}
        else:
            words.append(line)
    return said


def _rest(lines: list[str], place: int) -> tuple[dict[str, list[str]], int]:
    found = _REST.fullmatch(lines[place].strip())
    words = [found["says"]] if found else []
    place += 1
    while place < len(lines) and lines[place][:1].isspace():
        words.append(lines[place])
        place += 1
    return ({found["name"]: words} if found else {}), place
