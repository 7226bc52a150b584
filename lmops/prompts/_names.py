"""Names of prompts."""

from __future__ import annotations

from lmops.errors import UsageError
from lmops.records import check_word


def check_name(name: object) -> str:
    """Return the name of a prompt.

    Raises:
        UsageError: It cannot be one.
    """
    checked = check_word(name, "a prompt")
    # One file a prompt: names that file systems or people mistake for something else.
    if ".." in checked or checked.endswith("."):
        raise UsageError(
            f"{checked!r} cannot be the name of a prompt: write it without '..' and without a '.' at its end"
        )
    return checked
