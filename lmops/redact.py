"""Masking of secrets in text before it is kept: keys of known shapes, this process's credentials, what a caller adds.

A redactor takes text and returns text. What it does to rows of traces is in ``lmops.traces``; what a model's endpoint
says goes through one always.
"""

from __future__ import annotations

import base64
import functools
import json
import os
import re
import urllib.parse
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    #: What ``redact=`` takes: names of patterns, functions from text to text, or several of both.
    Redact = str | Callable[[str], str] | Sequence[str | Callable[[str], str]]

MASK: Final = "[key]"


class Pattern(NamedTuple):
    """A shape of secrets: a text that holds one holds one of ``starts``, and one of ``windows`` of three characters."""

    starts: tuple[str, ...]
    windows: tuple[str, ...]
    regex: re.Pattern[str]
    mask: str = MASK


def _of(starts: str, regex: str, mask: str = MASK, *, windows: str = "") -> Pattern:
    """Return a pattern; the windows, which should be rare in ordinary text, are the ends of the starts by default."""
    begun = tuple(starts.split(","))
    return Pattern(
        begun, tuple(windows.split(",")) if windows else tuple(s[-3:] for s in begun), re.compile(regex), mask
    )


#: Where a key may begin: not in the middle of a word ("disk-0815").
_EDGE: Final = r"(?<![A-Za-z0-9])"
#: Looks ahead a bounded way and never back: many beginnings in a row ("sk-sk-sk-") cost no more than one.
_HAS_DIGIT: Final = r"(?=[A-Za-z_-]{0,100}+[0-9])"
_IN_ADDRESS: Final = (
    r"api[_-]?key|key|(?:access|auth|id|refresh)[_-]?token|token|(?:client[_-]?)?secret|sig|signature|password|passwd"
)
#: The core set. Keys stand in JSON text as they are, so that each pattern may be used on JSON as well as on text.
PATTERNS: Final[dict[str, Pattern]] = {
    "openai": _of("sk-", _EDGE + r"sk-" + _HAS_DIGIT + r"[A-Za-z0-9_-]{16,}"),  # Anthropic's, OpenRouter's too
    "llm": _of(
        "gsk_,xai-,pplx-,nvapi-", _EDGE + r"(?:gsk_|xai-|pplx-|nvapi-)[A-Za-z0-9_-]{20,}", windows="sk_,xai,plx,vap"
    ),
    "huggingface": _of("hf_", _EDGE + r"hf_[A-Za-z0-9]{20,}"),
    "google": _of("AIza,ya29.,GOCSPX-", _EDGE + r"(?:AIza|ya29\.|GOCSPX-)[A-Za-z0-9_-]{20,}"),
    "aws": _of("AKIA,ASIA", _EDGE + r"A[KS]IA[A-Z0-9]{16}(?![A-Za-z0-9])"),
    "aws_secret": _of(
        "s_key,sKey",
        r"(?i:(secret_?access_?key[\"'\\\s]{0,4}[:=][\"'\\\s]{0,4}))[A-Za-z0-9/+]{40}",
        rf"\1{MASK}",
        windows="s_k,sKe",
    ),
    "github": _of(
        "ghp_,gho_,ghu_,ghs_,ghr_,github_pat_",
        _EDGE + r"(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})",
        windows="hp_,ho_,hu_,hs_,hr_,b_p",
    ),
    "gitlab": _of("glpat-", _EDGE + r"glpat-[A-Za-z0-9_.-]{16,}"),
    "services": _of(
        "SG.,dop_v1_,shpat_,hvs.,dapi,sq0csp-,sq0atp-,dckr_pat_,lin_api_,AccountKey=",
        _EDGE + r"(?:SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{32,64}|dop_v1_[a-f0-9]{40,}|shpat_[A-Fa-f0-9]{32}|"
        r"hvs\.[A-Za-z0-9_-]{20,}|dapi[a-f0-9]{32}|sq0(?:csp|atp)-[A-Za-z0-9_-]{22,}|dckr_pat_[A-Za-z0-9_-]{20,}|"
        r"lin_api_[A-Za-z0-9]{32,}|AccountKey=[A-Za-z0-9+/]{40,}={0,2})",
        windows="SG.,p_v,pat,hvs,dap,sq0,_pa,_ap,tKe",
    ),
    "slack": _of("xox,xapp-", _EDGE + r"(?:xox[a-z]-|xapp-)[A-Za-z0-9-]{10,}"),
    "stripe": _of("k_live_", _EDGE + r"[sr]k_live_[A-Za-z0-9]{16,}", windows="k_l"),
    "packages": _of("npm_,pypi-", _EDGE + r"(?:npm_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_-]{40,})"),
    # nothing of its own letters before it: "eyJ-eyJ-eyJ-" begins once
    "jwt": _of("eyJ", r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]*"),
    "bearer": _of("earer", r"((?i:bearer)\s+)(?=[^\s\"']*[0-9])[A-Za-z0-9._~+/=-]{16,}", rf"\1{MASK}"),
    "basic": _of(
        "uthorization", r"((?i:authorization)[\"'\\:\s]{1,8}(?i:basic)\s+)[A-Za-z0-9+/]{8,}={0,2}", rf"\1{MASK}"
    ),
    "url": _of("ey=,en=,et=,ig=,re=,rd=,wd=", rf"(?i)([?&;](?:{_IN_ADDRESS})=)[^&\s\"'\\<>#\[]{{6,}}", rf"\1{MASK}"),
    "userinfo": _of("://", r"(://[^/\s:@\"'\\]*:)[^/\s:@\"'\\]{3,}(?=@)", rf"\1{MASK}"),
    "private_key": _of(
        "-----BE",
        r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"
        r"(?:(?!-----END)(?:[A-Za-z0-9+/=:,\s-]|\\+[nrt]))*(?:-----END [A-Z0-9 ]*-----)?",
        "[private key]",
    ),
}
_ALL: Final = tuple(PATTERNS.values())
_STARTS: Final = tuple({start for pattern in _ALL for start in pattern.starts})
KEYS: Final = "keys"
#: What they begin with stands in many texts, and few of them hold a password: in traces these are asked for by name.
_BY_NAME_ONLY: Final = frozenset({"userinfo", "basic"})

_CREDENTIAL_NAMES: Final = ("KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL", "CREDENTIALS", "_PAT")
#: Names of parameters that hold a key; "max_tokens" and "stop_token_ids" do not.
_KEY_NAME: Final = re.compile(
    r"(?:x[-_])?(?:.*[-_])?(?:api|access|auth|secret|private|account|subscription)[-_]?(?:key|token|secret)|"
    r"(?:proxy[-_])?authorization|api|bearer|token|secret|.*password|.*credentials?|cookie",
    re.IGNORECASE,
)
_SHORTEST_CREDENTIAL: Final = 12
#: A number from here on may be somebody's: an account, a card, a telephone.
_LONG_NUMBER: Final = 10**8
#: The name of a value as code has them: no address, no telephone, no number of an account.
_PLAIN_NAME: Final = re.compile(r"(?!.*\d{4})[A-Za-z_$][A-Za-z0-9_.$:/-]{0,99}")
#: What people write where an endpoint wants any key at all.
PLACEHOLDERS: Final = frozenset({
    "none", "null", "empty", "dummy", "test", "ollama", "lm-studio", "not-needed", "no-key", "no-key-required",
    "sk-no-key-required", "placeholder", "anything", "unused", "changeme", "your-api-key",
})  # fmt: skip  # many words: packed, they are read at a glance


def variants(secret: str) -> list[str]:
    """Return the ways in which a secret is written: as it is, in JSON, in an address, in base64."""
    coded = base64.b64encode(secret.encode("utf-8", "surrogatepass")).decode().rstrip("=")
    quoted = urllib.parse.quote(secret, safe="", errors="replace")
    return list(dict.fromkeys((secret, json.dumps(secret)[1:-1], quoted, coded, urllib.parse.quote(coded, safe=""))))


@functools.lru_cache(maxsize=64)
def _exact(secrets: frozenset[str]) -> tuple[tuple[str, ...], re.Pattern[str]]:
    """Return how secrets are written, in lower case, and what finds them in any case, as headers come back in any."""
    written = sorted({one for secret in secrets for one in variants(secret)}, key=len, reverse=True)
    return tuple(one.lower() for one in written), re.compile("|".join(map(re.escape, written)), re.IGNORECASE)


def without(text: str, secrets: Iterable[str]) -> str:
    """Return a text without these secrets, however they are written."""
    known = frozenset(secrets)
    if not known or not text:
        return text
    written, regex = _exact(known)
    lower = text.lower()
    return regex.sub(MASK, text) if any(one in lower for one in written) else text


def credentials(environment: Mapping[str, str] | None = None) -> frozenset[str]:
    """Return the secrets in the environment of this process: variables named like one, long enough to be one."""
    found = os.environ if environment is None else environment
    values = (found.get(name, "").strip() for name in found if name.upper().endswith(_CREDENTIAL_NAMES))
    return frozenset(one for one in values if len(one) >= _SHORTEST_CREDENTIAL and _is_mixed(one))


def _is_mixed(value: str) -> bool:
    """Return whether a value is no plain word or path: it has letters and digits."""
    return any(c.isdigit() for c in value) and any(c.isalpha() for c in value) and "/" not in value[:2]


def mask_keys(text: str, patterns: Iterable[Pattern] = _ALL) -> str:
    """Return a text without keys of known shapes.

    Example:
        >>> mask_keys("the key is ghp_" + "a1" * 18 + ", keep it")
        'the key is [key], keep it'
    """
    if patterns is _ALL:
        for start in _STARTS:  # a plain loop: most texts hold none, and this is asked of every call
            if start in text:
                break
        else:
            return text
    for pattern in patterns:
        if any(start in text for start in pattern.starts):
            text = pattern.regex.sub(pattern.mask, text)
    return text


@dataclass(frozen=True, slots=True, repr=False)
class Redactor:
    """What ``redact=`` asks for: patterns, exact secrets, and functions, in this order."""

    patterns: tuple[Pattern, ...] = ()
    secrets: frozenset[str] = frozenset()
    functions: tuple[Callable[[str], str], ...] = ()

    def __repr__(self) -> str:
        return f"<Redactor: {len(self.patterns)} patterns, {len(self.functions)} functions>"

    @classmethod
    def of(cls, redact: Redact | None) -> Redactor | None:
        """Return the redactor for an argument ``redact``; None when there is nothing to do.

        Args:
            redact: "keys" for keys of every known shape and the credentials in the environment of this process; names
                of ``PATTERNS``; a function from text to text; or a list of these.

        Raises:
            UsageError: An unknown name, or something that is neither a name nor a function.
        """
        if redact is None:
            return None
        asked = list(redact) if isinstance(redact, list | tuple) else [redact]
        patterns: list[Pattern] = []
        for one in asked:
            if isinstance(one, str):
                patterns += _named(one)
            elif not callable(one):
                raise UsageError(f"redact={one!r:.80} is neither the name of a pattern nor a function of text")
        functions = tuple(one for one in asked if callable(one))
        secrets = credentials() if KEYS in asked else frozenset()
        return cls(patterns=tuple(dict.fromkeys(patterns)), secrets=secrets, functions=functions)

    @property
    def counts(self) -> Counter[str]:
        """How often its functions took out what, by kind, as far as they count: a policy of guardrails does."""
        found: Counter[str] = Counter()
        for one in self.functions:
            found.update(getattr(one, "counts", {}))
        return found

    @property
    def windows(self) -> tuple[str, ...]:
        """The windows without one of which no pattern and no secret is in a text."""
        written = [one[:3] for secret in self.secrets for one in variants(secret)]
        found = [window for pattern in self.patterns for window in pattern.windows]
        return tuple(
            sorted(
                {*found, *written, *map(str.lower, written), *map(str.upper, written), *map(str.capitalize, written)}
            )
        )

    def keys(self, text: str) -> str:
        """Return a text, which may be JSON, without keys and secrets."""
        return mask_keys(without(text, self.secrets), self.patterns)

    def text(self, text: str) -> str:
        """Return a text as it may be kept; one that a function cannot read is not kept at all."""
        text = self.keys(text)
        for function in self.functions:
            try:
                made: object = function(text)
            except Exception as error:  # noqa: BLE001 - somebody else's function; its text must not be kept unseen
                return f"[not kept: redact raised {type(error).__name__}]"
            if not isinstance(made, str):
                return f"[not kept: redact returned {type(made).__name__}]"
            text = made
        return text

    def value(self, value: Any) -> Any:
        """Return a plain value with every text in it redacted; text that is JSON is read and written again."""
        if isinstance(value, str):
            return self._json_or_text(value)
        if isinstance(value, dict):
            return self._pairs(value, self.value)
        if isinstance(value, list):
            return [self.value(one) for one in value]
        return value

    def _pairs(self, found: dict[Any, Any], kept: Callable[[Any], Any]) -> dict[Any, Any]:
        """Return a mapping with its names redacted as well; names that become the same are counted, none is lost."""
        made: dict[Any, Any] = {}
        times: Counter[Any] = Counter()
        for key, one in found.items():
            name = free = self._name(key) if isinstance(key, str) else key
            while free in made:
                times[name] += 1
                free = f"{name} ({times[name] + 1})"
            made[free] = kept(one)
        return made

    def _name(self, name: str) -> str:
        """Return the name of a value as it may be kept; one as code has them stays, because columns go by it."""
        return self.keys(name) if _PLAIN_NAME.fullmatch(name) else self.text(name)

    def _within(self, value: Any) -> Any:
        """Return what stood in a text as JSON, with its long numbers redacted as well: arguments of tools have such."""
        if isinstance(value, dict):
            return self._pairs(value, self._within)
        if isinstance(value, list):
            return [self._within(one) for one in value]
        if isinstance(value, int) and abs(value) >= _LONG_NUMBER and self.functions:
            made = self.text(str(value))
            return value if made == str(value) else made
        return self.value(value)

    def _json_or_text(self, text: str) -> str:
        if text[:1] in "[{" and text[-1:] in "]}":
            try:
                return json.dumps(self._within(json.loads(text)), ensure_ascii=False, separators=(",", ":"))
            except (ValueError, RecursionError):
                pass
        return self.text(text)


def _named(name: str) -> list[Pattern]:
    if name == KEYS:
        return [pattern for one, pattern in PATTERNS.items() if one not in _BY_NAME_ONLY]
    if name not in PATTERNS:
        raise UsageError(did_you_mean("pattern", name, [KEYS, *PATTERNS], hint="a function of text works as well"))
    return [PATTERNS[name]]


def refuse_keys(params: Mapping[str, Any], *, where: str = "params") -> None:
    """Raise when parameters of a model hold a key: they are stored, shown and hashed.

    Raises:
        UsageError: A name says that it is one, or a value is one; the value is not in the message.
    """
    known = credentials()
    for name, value in params.items():
        place = f"{where}[{name!r}]"
        if isinstance(value, dict):
            refuse_keys(value, where=place)
        elif (isinstance(name, str) and _KEY_NAME.fullmatch(name) and value) or _holds_key(value, known):
            raise UsageError(
                f"{place} holds a key, and parameters are stored and shown: name the environment variable that holds "
                "it, ws.models.register(..., api_key_env='HOUSE_KEY'), or a header, headers={'X-Key': '$HOUSE_KEY'}"
            )


def _holds_key(value: object, known: frozenset[str]) -> bool:
    if isinstance(value, list | tuple):
        return any(_holds_key(one, known) for one in value)
    if isinstance(value, dict):
        return any(_holds_key(one, known) for one in value.values())
    return isinstance(value, str) and without(mask_keys(value), known) != value
