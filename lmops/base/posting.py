"""One request of ours to an address that somebody configured: it goes where it was told to, and ends in time.

A redirection is an answer and is not followed; of the answer only its beginning is read; the whole exchange has a
deadline, however slowly the other side speaks.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import socket
import threading
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Mapping

#: So much of an answer is read: its beginning says what was wrong.
_ANSWER_BYTES: Final = 2_048


class Reply(NamedTuple):
    """What became of a request.

    Args:
        status: HTTP status; None when there was no answer.
        said: What was answered, or why there was no answer, in one line.
        headers: Of the answer, names in lower case.
    """

    status: int | None
    said: str
    headers: Mapping[str, str] = {}

    @property
    def is_taken(self) -> bool:
        """Whether the other side took it."""
        return self.status is not None and 200 <= self.status < 300


def host(url: str) -> str:
    """Return an address without what may be secret in it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}"


def post(url: str, body: bytes, *, headers: Mapping[str, str] | None = None, timeout_s: float = 5.0) -> Reply:
    """Post JSON and return what became of it; whatever the network does is a reply, not an error.

    Args:
        url: Where to; http or https.
        body: What is sent.
        headers: Besides those of type and length.
        timeout_s: Longest time in seconds, of all of it but looking up the name.
    """
    said = {"Content-Type": "application/json", "User-Agent": "lmops", "Connection": "close", **(headers or {})}
    request = urllib.request.Request(url, data=body, headers=said, method="POST")  # noqa: S310 - whoever configures an address is asked for http or https
    deadline, late = Deadline(timeout_s), f"no answer within {timeout_s:g} s"
    opener = urllib.request.build_opener(_NoRedirects, _Plain(deadline), _Secure(deadline))
    try:
        with contextlib.closing(deadline), opener.open(request, timeout=timeout_s) as answer:
            if deadline.is_over:  # a head that was cut off reads like a whole one
                return Reply(None, late)
            return Reply(answer.status, _beginning(answer), _lower(answer.headers))
    except urllib.error.HTTPError as error:
        with error:
            return Reply(error.code, f"it answered {error.code}", _lower(error.headers))
    except (OSError, ValueError, http.client.HTTPException) as error:
        if deadline.is_over or isinstance(error, TimeoutError) or isinstance(_reason(error), TimeoutError):
            return Reply(None, late)
        return Reply(None, plain_line(_reason(error), 200) or type(error).__name__)


def _beginning(answer: Any) -> str:
    """Return the beginning of a body in one line; a body that breaks off was taken all the same."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        return plain_line(answer.read(_ANSWER_BYTES).decode("utf-8", "replace"), 200)
    return ""


def _reason(error: BaseException) -> object:
    return getattr(error, "reason", error)


def _lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """What is sent goes where it was told to, or nowhere."""

    def redirect_request(self, *_: Any) -> None:  # the signature is urllib's
        """Return no request: the redirection is an error."""


class Deadline:
    """Ends a connection when its time is over; a time-out of a socket begins anew with each byte.

    Args:
        seconds: How long all of it may take, from when there is a connection.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._timer: threading.Timer | None = None
        self._held: socket.socket | None = None
        self.is_over = False

    def watch(self, connection: socket.socket) -> socket.socket:
        """Let a connection end in time, whatever is spoken over it from now on, and return it."""
        held = self._held = connection.dup()  # a connection that becomes one of TLS lets go of its own

        def end() -> None:
            self.is_over = True
            with contextlib.suppress(OSError):
                held.shutdown(socket.SHUT_RDWR)

        self._timer = threading.Timer(self._seconds, end)
        self._timer.daemon = True
        self._timer.start()
        return connection

    def close(self) -> None:
        """Watch no longer."""
        if self._timer is not None and self._held is not None:
            self._timer.cancel()
            self._held.close()


class _Connection(http.client.HTTPConnection):
    """A connection that a deadline watches, from before TLS begins."""

    def __init__(self, *given: Any, deadline: Deadline, **more: Any) -> None:
        super().__init__(*given, **more)
        self._create_connection = lambda *told: deadline.watch(socket.create_connection(*told))


class _SecureConnection(_Connection, http.client.HTTPSConnection):
    """The same over TLS."""


class _Plain(urllib.request.HTTPHandler):
    """Opens addresses with http."""

    def __init__(self, deadline: Deadline) -> None:
        super().__init__()
        self._deadline = deadline

    def http_open(self, request: urllib.request.Request) -> Any:
        """Open one."""
        return self.do_open(functools.partial(_Connection, deadline=self._deadline), request)


class _Secure(urllib.request.HTTPSHandler):
    """Opens addresses with https."""

    def __init__(self, deadline: Deadline) -> None:
        super().__init__()
        self._deadline = deadline

    def https_open(self, request: urllib.request.Request) -> Any:
        """Open one."""
        return self.do_open(functools.partial(_SecureConnection, deadline=self._deadline), request)
