"""Names of prompts and aliases, and references such as ``support-answer@production``."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from lmops.errors import UsageError
from lmops.text import plain_line

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,127}")
_VERSION: Final = re.compile(r"[0-9]{1,18}")
_HASH: Final = re.compile(r"(?:sha256:)?([0-9a-f]{4,64})")
LATEST: Final = "latest"


class Ref(NamedTuple):
    """A reference, taken apart; at most one of the last three is given."""

    name: str
    version: int | None = None
    alias: str | None = None
    hash_prefix: str | None = None


def check_name(name: object, *, what: str = "prompt") -> str:
    """Return the name of a prompt or an alias.

    Raises:
        UsageError: It cannot be one.
    """
    if isinstance(name, str) and _NAME.fullmatch(name) and not (what == "prompt" and _is_path_like(name)):
        return name
    raise UsageError(
        f"{plain_line(repr(name), 100)} cannot be the name of {'an' if what == 'alias' else 'a'} {what}: "
        "use 1 to 128 of a-z, 0-9, '.', '_', '-', starting with a letter or digit, such as 'support-answer'"
    )


def _is_path_like(name: str) -> bool:
    # One file a prompt: names that file systems or people mistake for something else.
    return ".." in name or name.endswith(".")


def check_alias(alias: object) -> str:
    """Return the name of an alias, which is neither a number nor a hash nor "latest"."""
    checked = check_name(alias, what="alias")
    if checked.isdigit() or checked == LATEST or checked.startswith("sha256"):
        raise UsageError(f"{checked!r} cannot be the name of an alias: it means a version; use a word: 'production'")
    return checked


def parse_ref(ref: object) -> Ref:
    """Take a reference apart: ``name``, ``name@latest``, ``name@3``, ``name@alias`` or ``name@sha256:abcd``.

    Raises:
        UsageError: It has another form.
    """
    if not isinstance(ref, str):
        raise UsageError(f"{plain_line(repr(ref), 100)} is no reference; write 'support-answer@production'")
    name, at, which = ref.strip().partition("@")
    check_name(name)
    if not at or which == LATEST:
        return Ref(name)
    if _VERSION.fullmatch(which):
        return Ref(name, version=int(which))
    if which.startswith("sha256:"):
        match = _HASH.fullmatch(which)
        if not match:
            raise UsageError(f"{plain_line(ref, 100)!r}: give 4 to 64 hex digits after sha256:")
        return Ref(name, hash_prefix=f"sha256:{match[1]}")
    return Ref(name, alias=check_name(which, what="alias"))


def check_words(text: object, what: str, *, limit: int = 10_000) -> str | None:
    """Return a note or a reason without the space around it; None for none.

    Raises:
        UsageError: It is no text or too long.
    """
    if text is None:
        return None
    if not isinstance(text, str):
        raise UsageError(f"the {what} must be text, not {type(text).__name__}")
    if len(text) > limit:
        raise UsageError(f"the {what} has {len(text):,} characters; the most is {limit:,}")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError(f"the {what} holds half a character (a lone surrogate); it cannot be stored") from None
    return text.strip() or None
