"""What points to a person and has a form: cards, accounts, national numbers, telephone, e-mail, addresses of machines.

Numbers are looked at where digits stand close together, so that a text without any costs one look.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Final

from lmops.errors import UsageError, did_you_mean
from lmops.guardrails.contract import Finding, Given, rail
from lmops.guardrails.rails._ids import AROUND, NATIONAL, kinds_at, luhn, mod97, of
from lmops.guardrails.rails._phones import is_of_order, phones

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: Words with digits in them, side by side.
_WORD: Final = r"[A-Za-z]*+\d[A-Za-z0-9]*+"
_STRETCH: Final = re.compile(
    rf"(?<![A-Za-z0-9])[+(]{{0,2}}{_WORD}(?:[ .\-/()+]{{1,3}}{_WORD}|[ -][A-Za-z]{{1,2}}(?![A-Za-z0-9]))*+"
)
#: Fewer characters, or digits, are no number of anybody.
_LEAST: Final = 7
_LEAST_DIGITS: Final = 4
_LEAST_OF_CARDS: Final = 12
_LEAST_OF_PHONES: Final = 6
#: Letters and a space with which some numbers begin.
_LETTERS: Final = 3
_SIGNS: Final = re.compile(r"[^A-Za-z0-9]")
_DIGIT: Final = re.compile(r"\d")

_CARD: Final = re.compile(
    r"(?<![A-Za-z0-9_.])(?<!\d[-,/])(?:\d{4}([ -])\d{4}\1\d{4}\1\d{1,7}|\d{4}([ -])\d{6}\2\d{4,5}|\d{13,19})"
    r"(?![A-Za-z0-9_])(?!-\d)"
)
#: Of each network how numbers begin, and how long they are.
_NETWORK: Final = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}|3[47]\d{13}|"
    r"3(?:0[0-59]|[689]\d)\d{11}(?:\d\d)?|(?:6011|64[4-9]\d|65\d\d|62\d\d|81\d\d)\d{12}(?:\d{3})?|35(?:2[89]"
    r"|[3-8]\d)\d{12}(?:\d{3})?|"
    r"(?:2131|1800)\d{11}|(?:50|5[6-9]|6[0-9])\d{10,17}|220[0-4]\d{12}"
)
_IBAN: Final = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]{1,4}){3,9}")
#: Letters and digits of an account by country (SWIFT's registry).
_IBAN_LENGTHS: Final = {
    country: int(length)
    for country, length in re.findall(
        r"([A-Z]{2}):(\d\d)",
        "AD:24 AE:23 AL:28 AT:20 AZ:28 BA:20 BE:16 BG:22 BH:22 BR:29 BY:28 CH:21 CR:22 CY:28 CZ:24 DE:22 "
        "DK:18 DO:28 EE:20 EG:29 ES:24 FI:18 FO:18 FR:27 GB:22 GE:22 GI:23 GL:18 GR:27 GT:28 HR:21 HU:28 "
        "IE:22 IL:23 IQ:23 IS:26 IT:27 JO:30 KW:30 KZ:20 LB:28 LC:32 LI:21 LT:20 LU:20 LV:21 LY:25 MC:27 "
        "MD:24 ME:22 MK:19 MR:27 MT:31 MU:30 NL:18 NO:15 PK:24 PL:28 PS:29 PT:25 QA:29 RO:24 RS:22 SA:24 "
        "SC:31 SD:18 SE:24 SI:19 SK:24 SM:27 ST:25 SV:28 TL:23 TN:24 TR:26 UA:29 VA:22 VG:24 XK:20",
    )
}
_LOCAL: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._%+-'"
_AT: Final = re.compile(r"(?<=[A-Za-z0-9_%+'-])@(?=[^\W_])")
_DOMAIN: Final = re.compile(
    r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}(?:xn--[a-z0-9-]{2,59}|[^\W\d_]{2,24})(?![\w@])", re.IGNORECASE
)
_IPV4: Final = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w-]|\.\d)")
_IPV6: Final = re.compile(
    r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}(?:[0-9A-Fa-f]{1,4}|(?:\d{1,3}\.){3}\d{1,3})?(?![\w:])"
)
_VERSION: Final = re.compile(
    r"(?:\bv|versions?|release|build|upgrad\w{1,3}(?: to)?|updat\w{1,3}(?: to)?|firmware|driver|sections?|clause"
    r"|chapter|oid|[=<>~]=|paragraph|§)"
    r"[\s.:]{0,2}(?:is |to |from )?$"
)
#: As a scanner of ports, or a course on networks, writes them.
_NOBODYS: Final = ("0.", "127.", "255.")


def _cards(text: str, start: int, end: int) -> Iterator[tuple[int, int, str]]:
    for found in _CARD.finditer(text, start, end):
        digits = found[0].replace(" ", "").replace("-", "")
        if _NETWORK.fullmatch(digits) and luhn(digits) and len(set(digits)) > 1:
            yield *found.span(), "card"


def _ibans(text: str) -> Iterator[tuple[int, int, str]]:
    for found in _IBAN.finditer(text):
        length = _IBAN_LENGTHS.get(found[0][:2].upper())
        if length is None:
            continue
        places = [place for place, one in enumerate(found[0]) if one.isalnum()]
        if len(places) < length:
            continue
        last = places[length - 1] + 1
        if last < len(found[0]) and found[0][last].isalnum():
            continue
        written = "".join(one for one in found[0][:last] if one.isalnum()).upper()
        if mod97(written):
            yield found.start(), found.start() + last, "iban"


def _nationals(wanted: frozenset[str], text: str, lower: str, start: int, end: int) -> Iterator[tuple[int, int, str]]:
    first = max(0, start - _LETTERS)
    if of(wanted).any.search(text, first, end) is None:
        return
    kinds = kinds_at(lower, start, wanted)
    is_order = is_of_order(lower, start)
    for kind in kinds.each:
        if is_order if kind.words is None else kind.words.search(lower, max(0, start - AROUND), start + AROUND) is None:
            continue
        for found in kind.regex.finditer(text, first, end):
            written = found[0] if kind.name == "fi_hetu" else _SIGNS.sub("", found[0])
            if kind.check(written.upper()):
                yield *found.span(), kind.name


def _machines(text: str, lower: str, start: int, end: int) -> Iterator[tuple[int, int, str]]:
    for found in _IPV4.finditer(text, start, end):
        is_version = _VERSION.search(lower, max(0, found.start() - 24), found.start()) is not None
        if not is_version and not found[0].startswith(_NOBODYS) and _is_address(found[0]):
            yield *found.span(), "ip"


def _long_machines(text: str) -> Iterator[tuple[int, int, str]]:
    for found in _IPV6.finditer(text):
        groups = [one for one in found[0].split(":") if one]
        if len(groups) >= 3 and any(map(str.isdigit, found[0])) and _is_address(found[0]):
            yield *found.span(), "ip"


def _is_address(written: str) -> bool:
    try:
        ipaddress.ip_address(written)
    except ValueError:
        return False
    return True


def _emails(text: str) -> Iterator[tuple[int, int, str]]:
    for sign in _AT.finditer(text):
        at = sign.start()
        before = text[max(0, at - 64) : at]
        local = before[len(before.rstrip(_LOCAL)) :].lstrip(".'-%")
        domain = _DOMAIN.match(text, at + 1) if local else None
        if domain is not None and not _is_login(text, at - len(local)):
            yield at - len(local), domain.end(), "email"


def _is_login(text: str, start: int) -> bool:
    """Return whether a user of a machine is named here: https://ada:word@host, git@host:path."""
    if text.startswith("git@", start) or text[max(0, start - 3) : start] == "://":
        return True
    return text[start - 1 : start] == ":" and "://" in text[max(0, start - 80) : start]


def _numbers(text: str, lower: str, wanted: frozenset[str]) -> Iterator[tuple[int, int, str]]:
    for stretch in _STRETCH.finditer(text):
        start, end = stretch.span()
        digits = len(_DIGIT.findall(text, start, end)) if end - start >= _LEAST else 0
        if digits < _LEAST_DIGITS:
            continue
        if "ip" in wanted and text.count(".", start, end) >= 3:
            yield from _machines(text, lower, start, end)
        if "card" in wanted and digits >= _LEAST_OF_CARDS:
            yield from _cards(text, start, end)
        yield from _nationals(wanted, text, lower, start, end)
        if "phone" in wanted and digits >= _LEAST_OF_PHONES:
            yield from ((*span, "phone") for span in phones(text, lower, start, end, digits))


#: Where two kinds have the same digits, the one that was checked counts.
_ORDER: Final = ("card", "iban", "ip", "email", *dict.fromkeys(kind.name for kind in NATIONAL), "phone")
KINDS: Final = tuple(sorted(_ORDER))


def check(kinds: Sequence[str] | None = None) -> None:
    """Refuse a kind that there is not."""
    if isinstance(kinds, str):
        raise UsageError(f"pii: kinds={kinds!r}: give a list of names")
    for kind in kinds or ():
        if kind not in KINDS:
            raise UsageError(did_you_mean("kind of personal data", kind, KINDS))


@rail(action="redact", window=128, check=check)
def pii(given: Given, *, kinds: Sequence[str] | None = None) -> Iterator[Finding]:
    """Cards, IBANs, national numbers, telephone numbers, e-mail and IP addresses, told by their check digits and form.

    Args:
        given: What is read.
        kinds: Which, such as "card" or "us_ssn"; all by default.
    """
    folded = given.folded
    text, wanted = folded.text, frozenset(KINDS if kinds is None else kinds)
    found: list[tuple[int, int, str]] = []
    if "email" in wanted and "@" in text:
        found += _emails(text)
    if "ip" in wanted and text.count(":") >= 2:
        found += _long_machines(text)
    if _DIGIT.search(text):
        found += _ibans(text) if "iban" in wanted else ()
        found += _numbers(text, folded.lower, wanted)
    for start, end, kind in _apart(found) if len(found) > 1 else found:
        yield Finding(*folded.span(start, end), kind)


def _apart(found: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Return what was found without what overlaps something that counts more."""
    kept: list[tuple[int, int, str]] = []
    taken = bytearray()
    for one in sorted(found, key=lambda one: (_ORDER.index(one[2]), one[0], -one[1])):
        taken.extend(bytes(max(0, one[1] - len(taken))))
        if not any(taken[one[0] : one[1]]):
            taken[one[0] : one[1]] = b"\1" * (one[1] - one[0])
            kept.append(one)
    return kept
