"""No key leaves through what an endpoint says: not by its answers, errors, spans, the cache, or the client's log.

Some endpoints say back what was sent to them. What arrives is masked once, where it arrives: the secrets that were
sent, the other credentials of this process, and keys of known shapes.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import re
from typing import TYPE_CHECKING, Any, Final

from lmops.base.endings import Caught
from lmops.redact import MASK, PLACEHOLDERS, credentials, mask_keys, variants, without

if TYPE_CHECKING:
    from lmops.models._records import Answer, Endpoint

_SHOWN: Final = 300
#: An error is no place for a short key either; in an answer so short a word is a word.
_SHORTEST_IN_ERROR: Final = 4
_SHORTEST: Final = 8
#: So much of a stream is held back, at most, because a key may be in it.
_MOST_HELD: Final = 8_192
_STARTS: Final = (
    "sk-", "gsk_", "xai-", "pplx-", "nvapi-", "hf_", "AIza", "ya29.", "GOCSPX-", "AKIA", "ASIA", "ghp_", "gho_", "ghu_",
    "ghs_", "ghr_", "github_pat_", "glpat-", "xox", "xapp-", "sk_", "rk_", "npm_", "pypi-", "eyJ",
)  # fmt: skip  # many words: packed, they are read at a glance
_WORD: Final = r"[A-Za-z0-9_.=+/~%-]"
#: The end of a text that may be the beginning of a key: the first letters of one, or one that may go on.
_OPEN: Final = re.compile(
    rf"(?:{'|'.join(map(re.escape, _STARTS))}){_WORD}*\Z"
    rf"|(?i:bearer|basic)\s+{_WORD}*\Z"
    rf"|[?&;][A-Za-z_-]+=[^\s&\"'<>]*\Z"
    r"|-----BEGIN(?:(?!-----END [A-Z0-9 ]*-----)[\s\S])*\Z"
)
_BEGINNINGS: Final = frozenset(
    start[:length] for start in (*_STARTS, "-----BEGIN", "Bearer ", "bearer ") for length in range(1, len(start))
)
_LONGEST_BEGINNING: Final = max(map(len, _BEGINNINGS))
#: Loggers of what sends the requests; with level DEBUG they tell headers and bodies.
_CLIENT_LOGGERS: Final = (
    "openai",
    "openai._base_client",
    "openai._response",
    "httpx",
    "httpx2",
    "httpcore.connection",
    "httpcore.http11",
    "httpcore.http2",
    "httpcore.proxy",
    "httpcore2.connection",
    "httpcore2.http11",
    "httpcore2.http2",
    "LiteLLM",
)


def secrets_of(endpoint: Endpoint, *, shortest: int = _SHORTEST) -> frozenset[str]:
    """Return the secrets that are sent to an endpoint, as the environment holds them now."""
    names = [value[1:] for _, value in endpoint.headers if value.startswith("$")]
    names += [endpoint.api_key_env] if endpoint.api_key_env else []
    if endpoint.kind == "litellm":
        # It finds the keys of its providers by itself.
        names += [name for name in os.environ if name.endswith(("_KEY", "_TOKEN", "_SECRET"))]
    values = {os.environ.get(name, "").strip() for name in names}
    return frozenset(one for one in values if len(one) >= shortest and one.lower() not in PLACEHOLDERS)


def known_secrets(endpoint: Endpoint) -> frozenset[str]:
    """Return what an endpoint may say back: what is sent to it, and what else this process holds."""
    return secrets_of(endpoint) | credentials()


def clean(text: str, endpoint: Endpoint) -> str:
    """Return a text of an endpoint without keys."""
    return mask_keys(without(text, known_secrets(endpoint)))


def scrub(text: str, endpoint: Endpoint) -> str:
    """Return a text of an endpoint for an error: without keys, as one line that is not too long."""
    text = re.sub(r"\b(Bearer |sk-)[\w.*-]{6,}", rf"\1{MASK}", scrub_all(text, endpoint))
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def scrub_all(text: str, endpoint: Endpoint) -> str:
    """Return a whole text for an error: without keys, short ones included."""
    return clean(without(text, secrets_of(endpoint, shortest=_SHORTEST_IN_ERROR)), endpoint)


def clean_answer(answer: Answer, endpoint: Endpoint) -> Answer:
    """Return an answer without keys, wherever in it the endpoint has put them."""
    found: Answer = _cleaned(answer, known_secrets(endpoint))
    return found


def _cleaned(value: Any, secrets: frozenset[str]) -> Any:
    if isinstance(value, str):
        return mask_keys(without(value, secrets))
    if isinstance(value, dict):
        return {key: _cleaned(one, secrets) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_cleaned(one, secrets) for one in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: _cleaned(getattr(value, field.name), secrets) for field in dataclasses.fields(value)}
        return dataclasses.replace(value, **fields)
    return value


class StreamMask:
    """Masks a text that comes in pieces: the end of what has come waits as long as it may become a key."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._secrets = known_secrets(endpoint)
        self._written = [one.lower() for secret in self._secrets for one in variants(secret)]
        self._held = ""

    def add(self, piece: str) -> str:
        """Take a piece and return what may be shown of the text."""
        text = self._held + piece
        at = self._safe(text)
        self._held = text[at:]
        return self._masked(text[:at])

    def finish(self) -> str:
        """Return the rest: there is no more."""
        rest, self._held = self._held, ""
        return self._masked(rest)

    def _masked(self, text: str) -> str:
        return mask_keys(without(text, self._secrets)) if text else ""

    def _safe(self, text: str) -> int:
        """Return up to where a text cannot be part of a key that goes on."""
        end = len(text)
        found = _OPEN.search(text, max(0, end - _MOST_HELD))
        at = found.start() if found is not None else end
        for length in range(1, min(_LONGEST_BEGINNING, end) + 1):
            if text[-length:] in _BEGINNINGS and not text[-length - 1 : -length].isalnum():
                at = min(at, end - length)
        lower = text[-_MOST_HELD:].lower()
        for secret in self._written:
            for length in range(min(len(secret) - 1, len(lower)), 0, -1):
                if lower.endswith(secret[:length]):
                    at = min(at, end - length)
                    break
        return at


class KeyFilter(logging.Filter):
    """Takes keys out of what the client below logs; it reads what to look for when something is logged."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Mask one record, and let it pass."""
        # the logger itself reports a record that cannot be rendered
        with Caught(Exception) as caught:
            said = record.getMessage()
        if caught.error is not None:
            return True
        known = credentials() | _SENT
        masked = mask_keys(without(said, known))
        if masked != said:
            record.msg, record.args = masked, ()
        return True


#: Secrets that went to an endpoint of this process: what is logged does not say to which one it belongs.
_SENT: Final[set[str]] = set()
_FILTER: Final = KeyFilter()


def guard_logs(endpoint: Endpoint) -> None:
    """See to it that the client's log holds no key of an endpoint."""
    _SENT.update(secrets_of(endpoint))
    for name in _CLIENT_LOGGERS:
        logger = logging.getLogger(name)
        if _FILTER not in logger.filters:
            logger.addFilter(_FILTER)
