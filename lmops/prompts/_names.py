"""Names of prompts and aliases, and references such as ``support-answer@production``."""

from __future__ import annotations

import re
from typing import Final

from lmops.errors import UsageError
from lmops.records import LATEST, Ref, split_ref
from lmops.text import plain_line

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,127}")


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
    found = split_ref(ref, example="support-answer@production")
    check_name(found.name)
    return found if found.alias is None else found._replace(alias=check_name(found.alias, what="alias"))
