"""References to versions, by one grammar for everything that has versions."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from lmops.errors import UsageError
from lmops.text import plain_line

_VERSION: Final = re.compile(r"[0-9]{1,18}")
_HASH: Final = re.compile(r"sha256:([0-9a-f]{4,64})")
LATEST: Final = "latest"


class Ref(NamedTuple):
    """A reference, taken apart; at most one of the last three is given."""

    name: str
    version: int | None = None
    alias: str | None = None
    hash_prefix: str | None = None


def split_ref(ref: object, *, example: str) -> Ref:
    """Take a reference apart: ``name``, ``name@latest``, ``name@3``, ``name@alias`` or ``name@sha256:ab12``.

    Args:
        ref: The reference; whether its name and its alias can be ones is for the room to say.
        example: Such as "support-answer@production", for the message.

    Raises:
        UsageError: It has another form.
    """
    if not isinstance(ref, str):
        raise UsageError(f"{plain_line(repr(ref), 100)} is no reference; write {example!r}")
    name, at, which = ref.strip().partition("@")
    if not at or which == LATEST:
        return Ref(name)
    if _VERSION.fullmatch(which):
        return Ref(name, version=int(which))
    if which.startswith("sha256:"):
        if not _HASH.fullmatch(which):
            raise UsageError(f"{plain_line(ref, 100)!r}: give 4 to 64 hex digits after sha256:")
        return Ref(name, hash_prefix=which)
    return Ref(name, alias=which)
