"""One connection: its requests one after the other, each read with a deadline and answered by its route."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import io
import logging
import socket
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from lmops.serve._admission import Ticket
from lmops.serve._body import read_body
from lmops.serve._connections import TimedSocket
from lmops.serve._messages import Answer, Refusal, Request, find
from lmops.text import plain_line

if TYPE_CHECKING:
    from lmops.serve._connections import Connections
    from lmops.serve._messages import Route

#: What is read and thrown away after a refusal, so that a client that is still sending sees the answer.
_DISCARD_BYTES: Final = 256 * 1024 * 1024
_DISCARD_SECONDS: Final = 5.0
#: Names and values of a request's headers, and its first line; of the line alone http.server takes the half.
_HEAD_BYTES: Final = 128 * 1024
_LINE_CHARACTERS: Final = 300


class _Head:
    """The lines of a request's head, all together within a bound; http.server bounds each one only."""

    def __init__(self, source: io.BufferedReader[TimedSocket]) -> None:
        self._source = source
        self.left = _HEAD_BYTES

    def readline(self, size: int) -> bytes:
        line = self._source.readline(size)
        self.left -= len(line)
        if self.left < 0:
            raise http.client.LineTooLong("head")
        return line

    def close(self) -> None:
        self._source.close()


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers the requests of one connection."""

    protocol_version = "HTTP/1.1"
    server_version = "lmops"
    sys_version = ""
    wbufsize = -1
    disable_nagle_algorithm = True
    server: Connections

    def setup(self) -> None:
        """Read from the connection with deadlines."""
        super().setup()
        self.rfile.close()
        self._source = TimedSocket(self.connection)
        self._reader = io.BufferedReader(self._source, 64 * 1024)
        self.rfile = self._head = _Head(self._reader)  # type: ignore[assignment]  # all that http.server asks of it
        self._service = self.server.service
        self._is_body_read = True

    def handle_one_request(self) -> None:
        """Wait for a request, then give it a fixed time to arrive whole."""
        limits = self._service.limits
        self.server.waits(self.connection)
        if self._service.is_stopping:
            self.close_connection = True
            return
        self._source.deadline = time.monotonic() + limits.idle_timeout_s
        try:
            has_more = bool(self._reader.peek(1))
        except (TimeoutError, ConnectionError):
            has_more = False
        if not has_more:
            self.close_connection = True
            return
        self.server.waits(self.connection, is_arriving=True)
        self._source.deadline = time.monotonic() + limits.request_timeout_s
        self._is_body_read = True
        self._head.left = _HEAD_BYTES
        super().handle_one_request()
        if self.close_connection and not self._is_body_read:
            self._discard()

    def handle_expect_100(self) -> bool:
        """Go on: the client is told when its body is about to be read; a refused one need not send it."""
        return True

    def _answer(self) -> None:
        headers = self.headers
        self._is_body_read = not (headers.get("Transfer-Encoding") or headers.get("Content-Length", "0") != "0")
        try:
            answer = self._routed()
        except ConnectionError:
            self.close_connection = True
        except Exception as error:  # noqa: BLE001 - answered; kept as a value it would keep the body of its request in memory
            self._send(self._service.refusal(self._refusal_of(error), self._content_type()))
        else:
            self._send(answer)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _answer  # noqa: N815 - the base's names

    # -- one request -----------------------------------------------------------------------------------------------

    def _routed(self) -> Answer:
        service = self._service
        path, query = self._target()
        route = find(service.routes, self.command, path)
        service.access.check(self.headers, is_open=route.is_open)
        if route.content_types and self._content_type() not in route.content_types:
            kinds = " or ".join(route.content_types)
            raise Refusal(415, f"Content-Type {self._content_type()[:60]!r} is not taken here; send {kinds}")
        if service.is_stopping and not route.is_open:
            raise Refusal(503, f"the {service.name} is stopping", retry_after_s=5)
        with Ticket(service.admission) as ticket:
            body = self._read(ticket) if route.content_types else b""
            self.server.works(self.connection)
            if not route.is_open:
                ticket.start()
            return self._handled(route, path, query, body, ticket)

    def _handled(self, route: Route, path: str, query: str, body: bytes, ticket: Ticket) -> Answer:
        request = Request(
            method=self.command,
            path=path,
            query=query,
            headers=self.headers,
            content_type=self._content_type(),
            body=body,
            reserve=ticket.reserve,
        )
        return route.handler(request)

    def _read(self, ticket: Ticket) -> bytes:
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.send_response_only(HTTPStatus.CONTINUE)
            self.end_headers()
            self.wfile.flush()

        def reserve(size: int) -> None:
            try:
                ticket.reserve(size)
            except Refusal:
                # Bodies that never end arriving must not hold the memory of those that do.
                self.server.close_one_that_waits(except_for=self.connection)
                raise

        body = read_body(self._reader, self.headers, limit=self._service.limits.max_body_bytes, reserve=reserve)
        self._is_body_read = True
        return body

    def _target(self) -> tuple[str, str]:
        """Return path and query."""
        try:
            parts = urlsplit(self.path)
        except ValueError:
            raise Refusal(400, "the address of the request cannot be read") from None
        return parts.path.rstrip("/") or "/", parts.query

    def _content_type(self) -> str:
        return (self.headers.get("Content-Type") or "").partition(";")[0].strip().lower()

    # -- answers ---------------------------------------------------------------------------------------------------

    def _refusal_of(self, error: Exception) -> Refusal:
        """Return what is answered for an error; what nobody expected is logged."""
        if isinstance(error, Refusal):
            return error
        if isinstance(error, TimeoutError):
            return Refusal(408, f"the request took longer than {self._service.limits.request_timeout_s:g} s")
        self._service.log.error("a request failed: %s", self._line(), exc_info=error)
        return Refusal(500, f"the {self._service.name} failed on this request; its log says why")

    def _send(self, answer: Answer) -> None:
        if self._service.is_stopping or not self._is_body_read:
            self.close_connection = True
        try:
            self.connection.settimeout(self._service.limits.request_timeout_s)
            self._write(answer)
        except OSError:
            # The client has gone: what was done stays done, it will send the same again.
            self.close_connection = True

    def _write(self, answer: Answer) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)
        self.wfile.flush()

    def send_error(self, code: int, message: str | None = None, _explain: str | None = None) -> None:
        """Answer what http.server itself refuses (a head it cannot read) in the form of the rest."""
        self.close_connection = True
        # What cannot be parsed counts as HTTP/0.9, for which no status line would be sent.
        self.request_version = self.protocol_version
        self._write(self._service.refusal(Refusal(code, message or HTTPStatus(code).phrase), ""))

    def _discard(self) -> None:
        """Read on for a moment: closing with unread bytes resets the connection and the answer is lost."""
        self._source.deadline = time.monotonic() + _DISCARD_SECONDS
        left = _DISCARD_BYTES
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            while left > 0 and (piece := self._reader.read1(64 * 1024)):
                left -= len(piece)

    # -- the log ---------------------------------------------------------------------------------------------------

    def _line(self) -> str:
        """Return method and target as they were sent, in one harmless line."""
        return plain_line(self.requestline, _LINE_CHARACTERS)

    def log_request(self, code: int | str = "-", _size: int | str = "-") -> None:
        """Log a request, at debug level: a busy server answers thousands of them."""
        if self._service.log.isEnabledFor(logging.DEBUG):
            self._service.log.debug("%s %s: %s", self.address_string(), self._line(), int(code))
