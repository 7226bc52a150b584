"""Links and images: only to allowed hosts, however they are written; an image that is loaded sends data out."""

from __future__ import annotations

import functools
import html
import re
import unicodedata
import urllib.parse
from typing import TYPE_CHECKING, Final, NamedTuple

from lmops.errors import UsageError
from lmops.guardrails.contract import Finding, Given, rail
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Target(NamedTuple):
    """A place in a text that leads somewhere.

    Args:
        start: Where its address begins.
        end: Behind its address.
        address: As a browser reads it.
        is_image: It is loaded as soon as it is shown.
    """

    start: int
    end: int
    address: str
    is_image: bool


#: Characters looked back at for the beginning of an image.
_BACK: Final = 300
_BARE: Final = re.compile(
    r"(?<![A-Za-z0-9])(?:(?:https?|ftp|wss?|file)(?::|&colon;|&#0*58;|&#x0*3a;)[\\/]{1,4}|www\.(?=[^\s.]))"
    r"[^\s<>\"'`\u3000-\u3002\uff08\uff09]{1,4096}"
    r"|(?<![A-Za-z0-9])(?:javascript|vbscript)\s{0,4}:[^\s<>\"'`]{1,4096}|"
    r"(?<![A-Za-z0-9])data:[\w.+-]{1,60}/[\w.+;=,%/-]{1,4096}",
    re.IGNORECASE,
)
#: Of markdown: [text](address), ![text](<address>); of a reference: [label]: address.
_INLINE: Final = re.compile(r"\]\(\s{0,8}<?([^\s<>)]{1,4096})")
_REFERENCE: Final = re.compile(r"(?:^|\n)[ >]{0,8}\[([^\]\n]{1,200})\]:[ \t]{0,8}\n?[ \t]{0,8}<?([^\s<>]{1,4096})")
_USED_AS_IMAGE: Final = re.compile(r"!\[([^\]\n]{0,300})\](?:\[([^\]\n]{0,200})\])?(?!\()")
#: Of HTML: what an attribute says, and what a style loads.
_TAG: Final = re.compile(r"<(/?[A-Za-z][\w:-]{0,30})(?=[\s/])([^<>]{0,8192})>?")
_ATTRIBUTE: Final = re.compile(
    r"(?<![\w-])(src|srcset|href|xlink:href|action|formaction|background|poster|data|content|ping|cite"
    r"|style)\s{0,8}=\s{0,8}"
    r"(?:\"([^\"]{0,4096})|'([^']{0,4096})|([^\s\"'>]{1,4096}))",
    re.IGNORECASE,
)
_SOURCES: Final = re.compile(r"(?:^|,)\s{0,8}([^\s,]{1,4096})")
_LOADED: Final = re.compile(r"(?:url\(\s{0,8}|url=|@import\s{1,8})[\"']?([^\s\"')]{1,4096})", re.IGNORECASE)
_FOLLOWED: Final = frozenset({"a", "area", "form", "base"})
_SCRIPT: Final = re.compile(r"(?:javascript|vbscript):", re.IGNORECASE)
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,30}:")
_ELSEWHERE: Final = re.compile(r"(?:https?|ftp|wss?):|//", re.IGNORECASE)
_HARMLESS: Final = ("mailto:", "tel:", "sms:", "cid:")
_TRAILING: Final = ".,;:!?*_~|"


def check(allow: Sequence[str] = (), images: Sequence[str] | None = None) -> None:
    """Refuse what is no list of hosts."""
    for name, hosts in (("allow", allow), ("images", images or ())):
        if isinstance(hosts, str) or not all(isinstance(one, str) for one in hosts):
            raise UsageError(f"links: {name}={plain_line(repr(hosts), 80)}: give a list of hosts")
        for host in hosts:
            if not re.fullmatch(r"(?:\*\.)?[a-z0-9.-]+", host.lower()):
                raise UsageError(
                    f"links: {name}: {plain_line(host, 80)!r} is no host: write 'example.com' or '*.example.com'"
                )


@rail(action="redact", window=256, check=check)
def links(given: Given, *, allow: Sequence[str] = (), images: Sequence[str] | None = None) -> Iterator[Finding]:
    """Links and images that lead to other hosts than those allowed, addresses that hold data, and scripts.

    Args:
        given: What is read.
        allow: Hosts: "example.com" is that one, "*.example.com" all below it; none by default. Addresses without a host
            lead nowhere else and are left alone.
        images: Hosts of images; those of ``allow`` by default.
    """
    text = given.text
    if "](" not in text and "]:" not in text and "<" not in text and ":" not in text and "www." not in text.lower():
        return
    done: set[int] = set()
    for target in _targets(text):
        if target.start in done:
            continue
        done.add(target.start)
        kind = _kind(target, frozenset(allow), None if images is None else frozenset(images))
        if kind is not None:
            yield Finding(target.start, target.end, kind)


def _targets(text: str) -> Iterator[Target]:
    """Yield where a text leads; what is in a construct comes before it is met as a bare address."""
    if "](" in text:
        for found in _INLINE.finditer(text):
            first = max(0, found.start() - _BACK)
            is_image = text.rfind("![", first, found.start()) > text.rfind("](", first, found.start())
            yield Target(*found.span(1), html.unescape(found[1]), is_image)
    if "]:" in text:
        shown = {(one[2] or one[1]).lower() for one in _USED_AS_IMAGE.finditer(text)}
        for found in _REFERENCE.finditer(text):
            yield Target(*found.span(2), html.unescape(found[2]), found[1].lower() in shown)
    if "<" in text:
        yield from _of_tags(text)
    for found in _BARE.finditer(text):
        address = _closed(found[0])
        yield Target(found.start(), found.start() + len(address), html.unescape(address), is_image=False)


def _of_tags(text: str) -> Iterator[Target]:
    for tag in _TAG.finditer(text):
        is_image = tag[1].lower() not in _FOLLOWED
        for found in _ATTRIBUTE.finditer(text, *tag.span(2)):
            group = next(number for number in (2, 3, 4) if found[number] is not None)
            value, start = found[group], found.start(group)
            if found[1].lower() in ("style", "content"):
                yield from (
                    Target(start + one.start(1), start + one.end(1), html.unescape(one[1]), is_image=True)
                    for one in _LOADED.finditer(value)
                )
            elif found[1].lower() == "srcset":
                yield from (
                    Target(start + one.start(1), start + one.end(1), html.unescape(one[1]), is_image=True)
                    for one in _SOURCES.finditer(value)
                )
            elif value:
                yield Target(start, start + len(value), html.unescape(value), is_image)


def _closed(address: str) -> str:
    """Return a bare address without the signs of the sentence that it stands in."""
    address = address.rstrip(_TRAILING)
    while address.endswith((")", "]", "}")) and address.count(address[-1]) > address.count(
        "([{"[")]}".index(address[-1])]
    ):
        address = address[:-1].rstrip(_TRAILING)
    return address


def _kind(target: Target, allow: frozenset[str], images: frozenset[str] | None) -> str | None:
    address = re.sub(r"[\x00-\x20]", "", target.address).replace("\\", "/")
    if _SCRIPT.match(address):
        return "script"
    if address[:5].lower() == "data:":
        return "data_uri"
    if address[:4].lower() == "www.":
        address = f"https://{address}"
    if not _ELSEWHERE.match(address):
        scheme = _SCHEME.match(address)
        return None if scheme is None or address.lower().startswith(_HARMLESS) or "." in scheme[0] else "link"
    hosts = allow if images is None or not target.is_image else images
    return None if _is_allowed(address, hosts) else "image" if target.is_image else "link"


@functools.lru_cache(maxsize=512)
def _is_allowed(address: str, hosts: frozenset[str]) -> bool:
    # browsers read "https:/host" and "https:host" as "https://host"
    address = re.sub(r"^([A-Za-z]+:)?/*", lambda found: f"{found[1] or 'https:'}//", address)
    try:
        host = urllib.parse.urlsplit(address).hostname or ""
    except ValueError:
        return False
    host = unicodedata.normalize("NFKC", host).lower().rstrip(".")
    names = [one.lower() for one in hosts]
    return host in names or any(one.startswith("*.") and host.endswith(one[1:]) for one in names)
