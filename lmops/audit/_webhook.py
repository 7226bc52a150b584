"""A head of the chain sent to a webhook; a file of its own because the client of HTTP is slow to load."""

from __future__ import annotations

from typing import Final

from lmops.base.posting import host, post
from lmops.errors import StoreError

#: A webhook has this long to answer, in seconds.
TIMEOUT_S: Final = 20.0


def send(url: str, text: str, kept: list[str]) -> None:
    """Post a text; what was kept elsewhere before is named where that fails.

    Raises:
        StoreError: It could not be sent.
    """
    reply = post(url, text.encode(), timeout_s=TIMEOUT_S)
    if not reply.is_taken:
        already = f"; it is kept in {', '.join(kept)}" if kept else ""
        raise StoreError(f"the head of the audit chain could not be sent to {host(url)}: {reply.said}{already}")
