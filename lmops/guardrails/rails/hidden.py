"""Characters that nobody sees: tags that carry text, marks that turn the direction around, zero-width ones in words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lmops.guardrails.contract import Finding, Given, rail

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What any of them is; most texts hold none.
_ANY: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
#: A flag of a part of a country: a black flag, letters as tags, an end.
_FLAG: Final = "\U0001f3f4[\U000e0061-\U000e007a\U000e0030-\U000e0039]{2,6}\U000e007f"
_RIGHT_TO_LEFT: Final = "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc"
_JOINED: Final = (
    "\u0600-\u06ff\u0750-\u077f\u08a0-\u08ff\u0900-\u0dff\u1000-\u109f\u1780-\u17ff\u1800-\u18aa"
    "\ufb50-\ufdff\ufe70-\ufefc"
)
_EMOJI: Final = "\u00a9\u00ae\u203c-\u3299\U0001f000-\U0001faff"
#: Kind -> what it looks like. What writing needs is not meant: joiners in Arabic, Indic scripts and emoji, one selector
#: behind a sign, marks of direction in texts that go from right to left.
_KINDS: Final[tuple[tuple[str, re.Pattern[str]], ...]] = (
    ("tag", re.compile(f"{_FLAG}|([\U000e0000-\U000e00ff]+)")),
    ("selector", re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{2,}")),
    ("direction", re.compile("[\u202d\u202e]+|([\u202a-\u202c]+|[\u2066-\u2069]+)")),
    ("invisible", re.compile("[\u115f\u1160\u2061-\u2065\u206a-\u206f\u3164\uffa0\ufff9-\ufffb\u034f]+")),
    (
        "zero_width",
        re.compile(
            f"[\u200b\u2060]+|(?<=.)\ufeff+|\u200e{{2,}}|\u200f{{2,}}"
            f"|(?<![{_JOINED}{_EMOJI}\u200d\ufe0f\U000e007f])[\u200c\u200d]+"
            f"|[\u200c\u200d]+(?![{_JOINED}{_EMOJI}\u200c\u200d])",
            re.DOTALL,
        ),
    ),
    ("control", re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f-\x84\x86-\x9f]+|\x1b(?:\\[[0-?]{0,32}[@-~])?")),
)
_TURNED: Final = re.compile(f"[{_RIGHT_TO_LEFT}]")


@rail(name="hidden", action="redact", window=64)
def hidden(given: Given) -> Iterator[Finding]:
    """Invisible, bidirectional, tag and control characters that no writing needs."""
    text = given.text
    if _ANY.search(text) is None:
        return
    turned = _TURNED.search(text) is not None
    for kind, pattern in _KINDS:
        for found in pattern.finditer(text):
            is_written = (kind == "tag" and not found[1]) or (kind == "direction" and turned and found[1])
            if not is_written:
                yield Finding(found.start(), found.end(), kind)
