"""A head of the chain sent to a webhook; a file of its own because the client of HTTP is slow to load."""

from __future__ import annotations

import urllib.error
import urllib.request
from typing import Any, Final
from urllib.parse import urlsplit

from lmops.errors import StoreError
from lmops.text import plain_line

#: A webhook has this long to answer, in seconds.
TIMEOUT_S: Final = 20.0


def host(url: str) -> str:
    """Return an address without what may be secret in it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}"


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """What is sent goes where it was told to, or nowhere."""

    def redirect_request(self, *_: Any) -> None:  # the signature is urllib's
        """Return no request: the redirection is an error."""


def send(url: str, text: str, kept: list[str]) -> None:
    """Post a text; what was kept elsewhere before is named where that fails.

    Raises:
        StoreError: It could not be sent.
    """
    headers = {"Content-Type": "application/json", "User-Agent": "lmops"}
    request = urllib.request.Request(url, data=text.encode(), headers=headers, method="POST")  # noqa: S310  # checked
    try:
        with urllib.request.build_opener(_NoRedirects).open(request, timeout=TIMEOUT_S):
            return
    except urllib.error.HTTPError as error:
        why = f"it answered {error.code}"
        error.close()
    except (OSError, ValueError) as error:
        why = plain_line(getattr(error, "reason", error), 200)
    already = f"; it is kept in {', '.join(kept)}" if kept else ""
    raise StoreError(f"the head of the audit chain could not be sent to {host(url)}: {why}{already}")
