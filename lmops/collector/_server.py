"""The HTTP side of the receiver: connections, deadlines, paths; what a request means is elsewhere."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hmac
import http.server
import io
import json
import logging
import socket
import socketserver
import sys
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn, Protocol, cast
from urllib.parse import urlsplit

from lmops.collector._answer import JSON, PROTOBUF, Refusal, Signal, failure, success
from lmops.collector._body import read_body
from lmops.collector._commit import Ticket, is_busy, is_retryable
from lmops.collector._weight import weigh
from lmops.errors import IngestError, StoreFullError

if TYPE_CHECKING:
    from collections.abc import Callable

    from lmops.collector._commit import Admission
    from lmops.collector._limits import Limits

_log = logging.getLogger(__name__)

_PATHS: Final[dict[str, Signal]] = {
    "/v1/traces": "traces",
    "/v1/logs": "logs",
    "/v1/metrics": "metrics",
    # Where Langfuse's SDK posts OTLP; its user points LANGFUSE_HOST here and changes nothing else.
    "/api/public/otel/v1/traces": "traces",
}
_HEALTH_PATHS: Final = frozenset({"/healthz", "/api/public/health"})
_LOCAL_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})
#: What is read and thrown away after a refusal, so that a client that is still sending sees the answer.
_DISCARD_BYTES: Final = 256 * 1024 * 1024
_DISCARD_SECONDS: Final = 5.0
_LEAVING_SECONDS: Final = 2.0
_LEAVING_CONNECTIONS: Final = 64
_FULL: Final = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Receiver(Protocol):
    """What the requests are for: what it takes, and what becomes of a body."""

    limits: Limits
    token: str | None
    admission: Admission
    is_stopping: bool

    def health(self) -> dict[str, object]:
        """Return ``status``, ``version`` and counts."""

    def count_refused(self) -> None:
        """Count a request that was answered with an error."""

    def take(self, body: bytes, *, content_type: str, signal: Signal) -> tuple[int, str]:
        """Decode one body and return after its rows are committed: how many were rejected, and why."""


class _TimedSocket(io.RawIOBase):
    """Reads from a socket until a moment, however many reads that takes: a slow client has no second chance."""

    def __init__(self, connection: socket.socket) -> None:
        super().__init__()
        self._connection = connection
        self.deadline = 0.0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]  # typeshed: WriteableBuffer
        remaining = self.deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        self._connection.settimeout(remaining)
        return self._connection.recv_into(buffer)


class _Wait(NamedTuple):
    """A connection that has nothing to be answered: it is idle, or its request is still arriving."""

    is_arriving: bool
    since: float


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """Accepts connections, at most ``max_connections`` at a time, one thread each."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], family: socket.AddressFamily, collector: Receiver) -> None:
        self.address_family = family
        self.collector = collector
        #: what each connection waits for, and since when; None while a request that has arrived is being answered
        self.connections: dict[socket.socket, _Wait | None] = {}
        #: turned away, and the moment at which to close it
        self._leaving: list[tuple[float, socket.socket]] = []
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind without the reverse DNS query of HTTPServer, which can take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def process_request(self, request: object, client_address: object) -> None:
        """Start a thread for the connection, or make room for it, or turn it away."""
        connection = cast("socket.socket", request)
        if len(self.connections) >= self.collector.limits.max_connections and not self.close_one_that_waits():
            self._turn_away(connection)
            return
        self.connections[connection] = _Wait(is_arriving=False, since=time.monotonic())
        super().process_request(connection, client_address)

    def shutdown_request(self, request: object) -> None:
        """Forget the connection and close it."""
        connection = cast("socket.socket", request)
        self.connections.pop(connection, None)
        super().shutdown_request(connection)

    def _turn_away(self, connection: socket.socket) -> None:
        """Answer 503 and close a little later: closing before the request is read would reset the answer."""
        try:
            connection.setblocking(False)
            connection.send(_FULL)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            connection.close()
            return
        self._leaving.append((time.monotonic() + _LEAVING_SECONDS, connection))
        if len(self._leaving) > _LEAVING_CONNECTIONS:
            self._leaving.pop(0)[1].close()

    def service_actions(self) -> None:
        """Close the connections that were turned away and have heard it; called between requests."""
        leaving, self._leaving = self._leaving, []
        for close_at, connection in leaving:
            try:
                has_ended = not connection.recv(1024 * 1024)
            except BlockingIOError:
                has_ended = False
            except OSError:
                has_ended = True
            if has_ended or time.monotonic() > close_at:
                connection.close()
            else:
                self._leaving.append((close_at, connection))

    def server_close(self) -> None:
        """Close the listening socket, and who was turned away."""
        super().server_close()
        for _, connection in self._leaving:
            connection.close()

    def close_idle(self) -> None:
        """Close the connections that wait for a next request."""
        for connection, wait in list(self.connections.items()):
            if wait is not None and not wait.is_arriving:
                _shut(connection)

    def close_one_that_waits(self, *, except_for: socket.socket | None = None) -> bool:
        """Close the longest idle connection, or with none idle the one whose request is arriving for the longest.

        Whoever dribbles bytes holds a place only until somebody else needs it.
        """
        waiting = [
            (wait, connection)
            for connection, wait in list(self.connections.items())
            if wait is not None and connection is not except_for
        ]
        if not waiting:
            return False
        longest = min(waiting, key=lambda entry: entry[0])[1]
        self.connections[longest] = None
        _shut(longest)
        return True

    def handle_error(self, _request: object, client_address: object) -> None:
        """Log what a connection died of; the base class prints it."""
        if isinstance(sys.exception(), OSError):
            _log.debug("the connection from %s broke", client_address, exc_info=True)
        else:
            _log.exception("the connection from %s failed", client_address)


def _shut(connection: socket.socket) -> None:
    # Only reading ends, so that an answer on its way still leaves.
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RD)


class _Handler(http.server.BaseHTTPRequestHandler):
    """Answers the requests of one connection."""

    protocol_version = "HTTP/1.1"
    server_version = "lmops"
    sys_version = ""
    wbufsize = -1
    disable_nagle_algorithm = True
    server: Server

    def setup(self) -> None:
        super().setup()
        self.rfile.close()
        self._source = _TimedSocket(self.connection)
        self._reader = io.BufferedReader(self._source, 64 * 1024)
        self.rfile = self._reader
        self._collector = self.server.collector
        self._is_body_read = True

    def handle_one_request(self) -> None:
        """Wait for a request, then give it a fixed time to arrive whole."""
        limits = self._collector.limits
        self.server.connections[self.connection] = _Wait(is_arriving=False, since=time.monotonic())
        if self._collector.is_stopping:
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
        self.server.connections[self.connection] = _Wait(is_arriving=True, since=time.monotonic())
        self._source.deadline = time.monotonic() + limits.request_timeout_s
        self._is_body_read = True
        super().handle_one_request()
        if self.close_connection and not self._is_body_read:
            self._discard()

    def handle_expect_100(self) -> bool:
        # Sent when the body is about to be read: a refused request need not send its body.
        return True

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def _do_other(self) -> None:
        self._answer(self._refuse_method)

    do_HEAD = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _do_other  # noqa: N815 - the base's names

    # -- one request ---------------------------------------------------------------------------

    def _answer(self, work: Callable[[], tuple[str, bytes]]) -> None:
        headers = self.headers
        self._is_body_read = not (headers.get("Transfer-Encoding") or headers.get("Content-Length", "0") != "0")
        try:
            content_type, body = work()
        except Refusal as refusal:
            self._refuse(refusal)
        except TimeoutError:
            self._refuse(Refusal(408, f"the request took longer than {self._collector.limits.request_timeout_s:g} s"))
        except ConnectionError:
            self.close_connection = True
        except Exception:  # noqa: BLE001 - logged, and answered
            _log.exception("a request to %s failed", self._path())
            self._refuse(Refusal(500, "the receiver failed on this request; its log says why"))
        else:
            self._send(200, content_type, body)

    def _get(self) -> tuple[str, bytes]:
        path = self._path()
        if path not in _HEALTH_PATHS:
            self._refuse_method()
        self._refuse_web_pages()
        return JSON, json.dumps(self._collector.health()).encode()

    def _post(self) -> tuple[str, bytes]:
        signal = _PATHS.get(self._path())
        if signal is None:
            self._refuse_method()
        self._authorise()
        content_type = self._content_type()
        if content_type not in {PROTOBUF, JSON}:
            raise Refusal(415, f"Content-Type {content_type[:60]!r} is not OTLP; send {PROTOBUF} or {JSON}")
        if self._collector.is_stopping:
            raise Refusal(503, "the receiver is stopping", retry_after_s=5)
        with Ticket(self._collector.admission) as ticket:
            body = self._read(ticket)
            self.server.connections[self.connection] = None
            if not ticket.start():
                raise _overload("requests")
            self._weigh(ticket, signal, content_type, body)
            return content_type, self._take(signal, content_type, body)

    def _weigh(self, ticket: Ticket, signal: Signal, content_type: str, body: bytes) -> None:
        """Refuse a body that becomes too much when it is decoded, or has no room beside the others now."""
        limits = self._collector.limits
        found = weigh(body, content_type, signal, max_records=limits.max_records, max_values=limits.max_values)
        if found.records > limits.max_records:
            raise Refusal(413, f"the body holds more than {limits.max_records:,} records; send smaller batches")
        if found.values > limits.max_values:
            raise Refusal(413, f"the body holds more than {limits.max_values:,} values; send smaller batches")
        if len(body) + found.bytes > limits.max_in_flight_bytes:
            raise Refusal(413, f"the body takes about {found.bytes:,} bytes when decoded; send smaller batches")
        if not ticket.reserve(found.bytes):
            raise _overload("bytes")

    def _read(self, ticket: Ticket) -> bytes:
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.send_response_only(HTTPStatus.CONTINUE)
            self.end_headers()
            self.wfile.flush()

        def reserve(size: int) -> None:
            if not ticket.reserve(size):
                # Bodies that never end arriving must not hold the memory of those that do.
                self.server.close_one_that_waits(except_for=self.connection)
                raise _overload("bytes")

        body = read_body(self._reader, self.headers, limit=self._collector.limits.max_body_bytes, reserve=reserve)
        self._is_body_read = True
        return body

    def _take(self, signal: Signal, content_type: str, body: bytes) -> bytes:
        try:
            rejected, message = self._collector.take(body, content_type=content_type, signal=signal)
        except IngestError as error:
            raise Refusal(400, str(error)) from None
        except StoreFullError as error:
            # 507 would say it better, but OTLP clients retry only 429, 502, 503 and 504 and drop the rest.
            _log.error("refused %s: %s", signal, error)
            raise Refusal(503, f"the store is full: {error}", retry_after_s=30) from None
        except Exception as error:  # what the store raised is answered, each kind in its way
            if is_busy(error):
                raise Refusal(429, "the store is busy", retry_after_s=1) from None
            if not is_retryable(error):
                raise
            _log.exception("refused %s: the store could not be written", signal)
            raise Refusal(503, f"the store could not be written: {error}", retry_after_s=5) from None
        return success(signal, content_type, rejected=rejected, message=message)

    def _refuse_method(self) -> NoReturn:
        path = self._path()
        if path in _PATHS:
            raise Refusal(405, f"{path} takes POST, not {self.command}")
        if path in _HEALTH_PATHS:
            raise Refusal(405, f"{path} takes GET, not {self.command}")
        raise Refusal(404, f"nothing at this path; OTLP goes to {', '.join(_PATHS)}")

    def _authorise(self) -> None:
        self._refuse_web_pages()
        token = self._collector.token
        if token is None:
            return
        if not _is_authorised(self.headers.get("Authorization", ""), token):
            raise Refusal(401, "send the header 'Authorization: Bearer TOKEN' with the token of this receiver")

    def _refuse_web_pages(self) -> None:
        """Refuse, where no token is asked, what a page in a browser of this machine may have sent.

        A page says where it comes from in Origin. One whose name was made to mean 127.0.0.1 passes as the same origin,
        and is known by the name in Host.
        """
        if self._collector.token is not None:
            return
        hosts = [_name_of(f"//{host}") for host in self.headers.get_all("Host") or []]
        origins = [_name_of(origin) for origin in self.headers.get_all("Origin") or []]
        if any(name not in _LOCAL_NAMES for name in origins):
            raise Refusal(403, "requests from web pages need a token")
        if any(name not in _LOCAL_NAMES and name != self.server.server_name for name in hosts):
            raise Refusal(403, "the Host is not this machine: without a token only localhost and 127.0.0.1 are served")

    # -- answers -------------------------------------------------------------------------------

    def _content_type(self) -> str:
        return (self.headers.get("Content-Type") or "").partition(";")[0].strip().lower()

    def _path(self) -> str:
        return urlsplit(self.path).path.rstrip("/") or "/"

    def _refuse(self, refusal: Refusal) -> None:
        self._collector.count_refused()
        content_type = PROTOBUF if self._content_type() == PROTOBUF else JSON
        self._send(refusal.status, content_type, failure(refusal, content_type), refusal)

    def _send(self, status: int, content_type: str, body: bytes, refusal: Refusal | None = None) -> None:
        if self._collector.is_stopping or not self._is_body_read:
            self.close_connection = True
        try:
            self.connection.settimeout(self._collector.limits.request_timeout_s)
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            if refusal is not None and refusal.retry_after_s is not None:
                self.send_header("Retry-After", str(refusal.retry_after_s))
            if status == HTTPStatus.UNAUTHORIZED:
                self.send_header("WWW-Authenticate", "Bearer")
            if status == HTTPStatus.METHOD_NOT_ALLOWED:
                self.send_header("Allow", "GET" if self._path() in _HEALTH_PATHS else "POST")
            if self.close_connection:
                self.send_header("Connection", "close")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)
            self.wfile.flush()
        except OSError:
            # The client has gone: what was committed stays, it will send the same again.
            self.close_connection = True

    def send_error(self, code: int, message: str | None = None, _explain: str | None = None) -> None:
        """Answer what http.server itself refuses (a head it cannot read) in the form of the rest."""
        self.close_connection = True
        # What cannot be parsed counts as HTTP/0.9, for which no status line would be sent.
        self.request_version = self.protocol_version
        self._collector.count_refused()
        body = failure(Refusal(code, message or HTTPStatus(code).phrase), JSON)
        self.send_response(code)
        self.send_header("Content-Type", JSON)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def _discard(self) -> None:
        """Read on for a moment: closing with unread bytes resets the connection and the answer is lost."""
        self._source.deadline = time.monotonic() + _DISCARD_SECONDS
        left = _DISCARD_BYTES
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            while left > 0 and (piece := self._reader.read1(64 * 1024)):
                left -= len(piece)

    def log_message(self, format: str, *args: object) -> None:
        """Log a request, at debug level: a busy receiver answers thousands of them."""
        _log.debug("%s " + format, self.address_string(), *args)


def _name_of(address: str) -> str | None:
    """Return the name of the host in an address; None when there is none."""
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


def _overload(what: str) -> Refusal:
    return Refusal(429, f"too many {what} in flight; send again later", retry_after_s=1)


def _is_authorised(header: str, token: str) -> bool:
    """Return whether the header carries the token, as Bearer or as the password of Basic.

    Langfuse's SDK can only send Basic: its user sets LANGFUSE_SECRET_KEY to the token.
    """
    scheme, _, credentials = header.partition(" ")
    given = credentials.strip().encode("utf-8", "replace")
    if scheme.lower() == "basic":
        try:
            given = base64.b64decode(given, validate=True).partition(b":")[2]
        except binascii.Error:
            return False
    elif scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(given, token.encode())
