"""Names, and references to versions, by one grammar for everything that has versions."""

from __future__ import annotations

import hashlib
import re
from typing import Final, NamedTuple

from lmops.errors import UsageError
from lmops.text import plain_line

_WORD: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,127}")
_VERSION: Final = re.compile(r"[0-9]{1,18}")
_HASH: Final = re.compile(r"sha256:([0-9a-f]{4,64})")
LATEST: Final = "latest"


class Ref(NamedTuple):
    """A reference, taken apart; at most one of the last three is given."""

    name: str
    version: int | None = None
    alias: str | None = None
    hash_prefix: str | None = None


def split_ref(ref: object) -> Ref:
    """Take a reference apart: ``name``, ``name@latest``, ``name@3``, ``name@alias`` or ``name@sha256:ab12``.

    Args:
        ref: The reference; whether its name and its alias can be ones is for the room to say.

    Raises:
        UsageError: It has another form.
    """
    name, at, which = ref.strip().partition("@") if isinstance(ref, str) else ("", "@", "")
    if at and not which:
        raise UsageError(
            f"{plain_line(repr(ref), 100)} is no reference; write 'name', 'name@3', 'name@production' or "
            "'name@sha256:ab12'"
        )
    if not at or which == LATEST:
        return Ref(name)
    if _VERSION.fullmatch(which):
        return Ref(name, version=int(which))
    if which.startswith("sha256:"):
        if not _HASH.fullmatch(which):
            raise UsageError(f"{plain_line(ref, 100)!r}: give 4 to 64 hex digits after sha256:")
        return Ref(name, hash_prefix=which)
    return Ref(name, alias=which)


def text_hash(text: str) -> str:
    """Return the tagged SHA-256 of a text in UTF-8, such as that of the canonical JSON of a version."""
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def check_word(word: object, what: str) -> str:
    """Return a name that every room takes: of a thing, an alias or a tag.

    Args:
        word: What was given.
        what: What it names, such as "a prompt", for the message.

    Raises:
        UsageError: It cannot be one.
    """
    if isinstance(word, str) and _WORD.fullmatch(word):
        return word
    raise UsageError(
        f"{plain_line(repr(word), 100)} cannot be the name of {what}: use 1 to 128 of a-z, 0-9, '.', '_', '-', "
        "starting with a letter or digit, such as 'support-answer'"
    )


def check_alias(alias: object, latest: tuple[str, ...] = (LATEST,)) -> str:
    """Return the name of an alias, which is neither a number nor a hash nor a word for what a name alone means.

    Args:
        alias: What was given.
        latest: Those words.

    Raises:
        UsageError: It cannot be one.
    """
    checked = check_word(alias, "an alias")
    if checked.isdigit() or checked in latest or checked.startswith("sha256"):
        raise UsageError(f"{checked!r} cannot be the name of an alias: it means a version; use a word: 'production'")
    return checked
