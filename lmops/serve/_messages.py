"""What passes between a server and what it serves: routes, requests, answers, refusals."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from email.message import Message

    Headers = Message[str, str]

JSON: Final = "application/json"


class Refusal(Exception):  # noqa: N818 - an answer, not an error of this program
    """A request that is answered with an error status.

    Args:
        status: HTTP status.
        message: what was wrong and what would be right; shown to the client.
        retry_after_s: seconds after which the same request may succeed; None when it never will.
        headers: that the status asks for.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        retry_after_s: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.retry_after_s = retry_after_s
        self.headers = dict(headers or {})
        if retry_after_s is not None:
            self.headers["Retry-After"] = str(retry_after_s)


def overload(what: str) -> Refusal:
    """Return the refusal of what has no room beside the others now."""
    return Refusal(429, f"too many {what} in flight; send again later", retry_after_s=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request that has arrived whole.

    Args:
        method: such as "POST".
        path: without the query, and without a slash at its end.
        query: what follows the "?"; "" for nothing.
        headers: by name, in any case.
        content_type: of the body, in lower case and without parameters; "" for none.
        body: decompressed; b"" where the route takes none.
        reserve: takes so many more bytes of memory until the request is answered; raises a refusal when there is no
            room.
    """

    method: str
    path: str
    query: str
    headers: Headers
    content_type: str
    body: bytes
    reserve: Callable[[int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a request is answered.

    Args:
        body: its bytes.
        content_type: of the body.
        status: HTTP status.
        headers: besides those of length and type.
    """

    body: bytes
    content_type: str = JSON
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What is served at one path.

    Args:
        method: the one that it takes.
        path: exactly, without a slash at its end.
        handler: answers a request, in the thread of its connection; raises a ``Refusal`` to refuse it.
        content_types: of the bodies that it takes, in lower case; empty for a route that takes no body.
        is_open: whether it is answered without a token and beside the limit of requests, as a question after health is.
    """

    method: str
    path: str
    handler: Callable[[Request], Answer]
    content_types: Sequence[str] = ()
    is_open: bool = False


def find(routes: Sequence[Route], method: str, path: str) -> Route:
    """Return the route of a method at a path.

    Raises:
        Refusal: 404 or 405.
    """
    here = [route for route in routes if route.path == path]
    for route in here:
        if route.method == method:
            return route
    if not here:
        raise Refusal(404, f"nothing at this path; there is {', '.join(dict.fromkeys(one.path for one in routes))}")
    takes = ", ".join(route.method for route in here)
    raise Refusal(405, f"{path} takes {takes}, not {method}", headers={"Allow": takes})


def in_json(refusal: Refusal, _content_type: str, /) -> Answer:
    """Return a refusal as JSON with its message."""
    return Answer(body=json.dumps({"message": refusal.message}).encode(), status=refusal.status)
