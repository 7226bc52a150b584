"""Secrets: keys of known shapes, of model providers, clouds and services, and what is assigned to a password."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lmops.errors import UsageError, did_you_mean
from lmops.guardrails.contract import Finding, Given, rail
from lmops.redact import PATTERNS, Pattern

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_EDGE: Final = r"(?<![A-Za-z0-9_-])"
_END: Final = r"(?![A-Za-z0-9_-])"


def _shape(starts: str, regex: str) -> Pattern:
    return Pattern(tuple(starts.split(",")), (), re.compile(regex))


#: Shapes that begin as ordinary text does: too costly to look for in every span, and cheap in one message.
_MORE: Final[dict[str, Pattern]] = {
    "twilio": _shape("AC,SK", _EDGE + r"(?:AC|SK)[0-9a-f]{32}" + _END),
    "mailchimp": _shape("-us", _EDGE + r"[0-9a-f]{32}-us[0-9]{1,2}" + _END),
    "telegram": _shape(":AA", _EDGE + r"[0-9]{8,10}:AA[A-Za-z0-9_-]{32,34}" + _END),
    "discord": _shape(".", _EDGE + r"[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,40}" + _END),
    "artifactory": _shape("AKC", _EDGE + r"AKC[A-Za-z0-9]{20,}"),
    "aws": _shape("ABIA,ACCA,A3T", _EDGE + r"(?:A3T[A-Z0-9]|ABIA|ACCA)[A-Z0-9]{16}" + _END),
    "gitlab": _shape(
        "GR1348941,gl", _EDGE + r"(?:GR1348941|gl(?:cbt|imt|ptt|agent|oas|dt|rt|soat)-)[A-Za-z0-9_-]{20,}"
    ),
    "slack": _shape("hooks.slack.com", r"hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9/_-]{20,}"),
    "assigned": _shape(
        "ass,ASS,wd,WD,ecret,ECRET,ey,EY,oken,OKEN",
        # a value with a digit or a sign among its letters: "password: required" is none
        r"(?i)((?<![A-Za-z])(?:pass(?:word|wd|phrase)|pwd|secret|api[_-]?key|auth[_-]?token|access[_-]?token)"
        r"[\"']?[ \t]{0,4}(?::=|=>|[:=])[ \t]{0,4}[\"']?)(?=[^\s\"'<>{}$\[\]]{0,40}[0-9!@#%^&*])"
        r"(?=[^\s\"'<>{}$\[\]]{0,40}[A-Za-z])[^\s\"'<>{}$\[\](),;]{8,200}",
    ),
}
_SHAPES: Final = [*PATTERNS.items(), *_MORE.items()]
KINDS: Final = tuple(dict.fromkeys(name for name, _ in _SHAPES))


def check(kinds: Sequence[str] | None = None) -> None:
    """Refuse a kind that there is not."""
    if isinstance(kinds, str):
        raise UsageError(f"secrets: kinds={kinds!r}: give a list of names")
    for kind in kinds or ():
        if kind not in KINDS:
            raise UsageError(did_you_mean("kind of secret", kind, KINDS))


@rail(action="redact", window=256, check=check)
def secrets(given: Given, *, kinds: Sequence[str] | None = None) -> Iterator[Finding]:
    """Keys, tokens and passwords of known shapes.

    Args:
        given: What is read.
        kinds: Which shapes, such as "openai" or "private_key"; all by default.
    """
    folded = given.folded
    text = folded.text
    for kind, shape in _SHAPES:
        if (kinds is None or kind in kinds) and any(start in text for start in shape.starts):
            for found in shape.regex.finditer(text):
                # a group is what stands before the secret
                start = found.end(1) if shape.regex.groups else found.start()
                yield Finding(*folded.span(start, found.end()), kind)
