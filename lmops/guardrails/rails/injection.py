"""Instructions that somebody slips in: rules over the folded text, over what is coded in it, in several languages.

A rule is a few words that are rare in what people ask, near to each other in one sentence. It is tried where one of its
beginnings stands in the text, so that an ordinary message costs a look for a few words.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Final

from lmops.guardrails.contract import Finding, Given, rail
from lmops.guardrails.normal import fold
from lmops.guardrails.rails._rules import PLANTED, RULES, Rule, compiled
from lmops.guardrails.rails._sentences import sentence_around

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lmops.guardrails.normal import Folded


def _by_start(rules: Sequence[Rule]) -> dict[str, tuple[Rule, ...]]:
    starts = dict.fromkeys(start for rule in rules for start in rule.starts)
    return {start: tuple(rule for rule in rules if start in rule.starts) for start in starts}


#: Of each beginning the rules that have it: of what people write, of what a document or a tool brings.
_STARTS: Final = (_by_start(RULES), _by_start((*RULES, *PLANTED)))
_SQUEEZED: Final = re.compile(
    r"(?:ignore|disregard|forget)(?:all|any|the|your|my|of){0,4}(?:previous|prior|above|earlier|preceding)"
    r"(?:instructions?|prompts?|rules|messages?|directions?)|"
    r"(?:reveal|show|print|repeat|output|tell)(?:me|us)?(?:your|the)(?:system|initial|hidden|secret)(?:prompt"
    r"|instructions?)"
)
#: Who asks what words mean does not use them.
_MENTIONS: Final = re.compile(
    r"\b(?:phrase|sentence|term|expression|string|saying|meaning of|does|(?:attack|injection)s?(?: like| such as)?)"
    r"[:,]? [\"'(]{1,2}$"
)
_NEAR: Final = 20
#: Letters that stand alone, one after another.
_SPACED: Final = re.compile(r"(?<!\w)\w(?:[ .\-_*|/,]{1,3}\w){11,}+(?!\w)")
_NO_LETTER: Final = re.compile(r"[\W_]+")
_LEET: Final = str.maketrans("0134578@$!|", "oieastbasil")
_ROT13: Final = str.maketrans("abcdefghijklmnopqrstuvwxyz", "nopqrstuvwxyzabcdefghijklm")
#: Words of which most instructions have one, turned by 13 places.
_TURNED: Final = tuple(
    one.translate(_ROT13)
    for one in ("instruct", "prompt", "ignor", "disregard", "forget", "rules", "guideline", "anything", "restrict")
)
_IS_LEET: Final = re.compile(r"[a-z][0134578@$!|]{1,2}[a-z]")
_BASE64: Final = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{24,}={0,2}")
_HEX: Final = re.compile(r"(?<![0-9A-Za-z])(?:[0-9a-fA-F]{2}[ :]?){16,}")
#: Of what is coded the first characters are read: an instruction is short.
_MOST_CODED: Final = 4000
_MOST_RUNS: Final = 50


def _matches(text: str, *, is_planted: bool = False) -> Iterator[tuple[int, int, str]]:
    wanted = {rule for start, rules in _STARTS[is_planted].items() if start in text for rule in rules}
    for rule in wanted:
        for found in rule.regex.finditer(text):
            if not _MENTIONS.search(text, max(0, found.start() - _NEAR), found.start()):
                yield found.start(), found.end(), rule.kind


def _disguised(folded: Folded) -> Iterator[tuple[int, int, str]]:
    """Yield what is found in letters written as digits, turned by 13 places, or far apart; all keep their places."""
    text = folded.lower
    if _IS_LEET.search(text):
        yield from _matches(text.translate(_LEET))
    if any(word in text for word in _TURNED):
        yield from _matches(text.translate(_ROT13))
    for run in _SPACED.finditer(text):
        if _SQUEEZED.search(_NO_LETTER.sub("", run[0])):
            yield run.start(), run.end(), "override"


def _coded(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield what is found in base64 and hexadecimal runs, each as a whole."""
    for pattern, decoded in ((_BASE64, _of_base64), (_HEX, _of_hex)):
        for count, run in enumerate(pattern.finditer(text)):
            if count == _MOST_RUNS:
                break
            read = decoded(run[0][:_MOST_CODED])
            for _, _, kind in _matches(fold(read)) if read else ():
                yield run.start(), run.end(), kind
                break


def _of_base64(run: str) -> str | None:
    plain = run.rstrip("=").replace("-", "+").replace("_", "/")
    plain = plain[: len(plain) - (len(plain) % 4 == 1)]
    try:
        return _text_of(base64.b64decode(plain + "=" * (-len(plain) % 4)))
    except (binascii.Error, ValueError):
        return None


def _of_hex(run: str) -> str | None:
    plain = run.replace(":", "").replace(" ", "")
    return _text_of(bytes.fromhex(plain[: len(plain) // 2 * 2]))


def _text_of(data: bytes) -> str | None:
    text = data.decode("utf-8", "ignore")
    return text if text and sum(map(str.isprintable, text)) > 0.9 * len(data) else None


def check() -> None:
    """Compile what is going to be looked for, so that the first who asks does not wait for it."""
    for rule in (*RULES, *PLANTED):
        compiled(rule.pattern)


@rail(stages=("input", "retrieval", "tool_result"), action="block", window=320, check=check)
def injection(given: Given) -> Iterator[Finding]:
    """Instructions to set others aside, to show the system prompt, to act without rules; also coded and in disguise.

    What a document or a tool brings is read more strictly, as nobody there has to speak to the model; what is found is
    then the whole sentence, so that it can be taken out.
    """
    folded = given.folded
    is_planted = given.stage in ("retrieval", "tool_result")
    found = {*_matches(folded.lower, is_planted=is_planted), *_disguised(folded), *_coded(folded.text)}
    if not is_planted:
        yield from (Finding(*folded.span(start, end), kind) for start, end, kind in sorted(found))
        return
    last = 0
    for start, end, kind in sorted(found):
        if end > last:
            first, last = sentence_around(folded.text, start, end)
            yield Finding(*folded.span(first, last), kind)
