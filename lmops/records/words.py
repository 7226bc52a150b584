"""What people write beside a change: notes and reasons."""

from __future__ import annotations

from lmops.errors import UsageError


def check_words(text: object, what: str, *, limit: int = 10_000) -> str | None:
    """Return a note or a reason without the space around it; None for none.

    Args:
        text: What was given.
        what: What it is, for the message.
        limit: Most characters.

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
