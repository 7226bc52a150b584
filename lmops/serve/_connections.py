"""Connections: how many, for how long, and which one goes when there is no place for another."""

from __future__ import annotations

import contextlib
import errno
import http.server
import io
import socket
import socketserver
import sys
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lmops.serve._service import Service

#: So long after an answer a next request is expected.
_FRESH_SECONDS: Final = 1.0
_LEAVING_SECONDS: Final = 2.0
_LEAVING_CONNECTIONS: Final = 64
_TOO_MANY: Final = frozenset({errno.EMFILE, errno.ENFILE})
_ROOM_SECONDS: Final = 0.05
_FULL: Final = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

K = TypeVar("K")


class TimedSocket(io.RawIOBase):
    """Reads from a socket until a moment, however many reads that takes: a slow client has no second chance."""

    def __init__(self, connection: socket.socket) -> None:
        super().__init__()
        self._connection = connection
        self.deadline = 0.0

    def readable(self) -> bool:
        """Return that it is."""
        return True

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]  # typeshed: WriteableBuffer
        """Read into a buffer and return how many bytes; raise TimeoutError after the moment."""
        remaining = self.deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        self._connection.settimeout(remaining)
        return self._connection.recv_into(buffer)


class Wait(NamedTuple):
    """A connection that has nothing to be answered: it is idle, or its request is still arriving."""

    is_arriving: bool
    since: float


def first_to_go(waits: Mapping[K, Wait | None], *, now: float) -> K | None:
    """Return who is cut off when somebody else needs the place; None when nobody waits.

    The longest idle one; with none idle the one whose request has been arriving for the longest: whoever dribbles bytes
    holds a place only until somebody else needs it. Who has just been answered is about to ask again, and counts as if
    it had begun.
    """
    waiting = [
        (wait.is_arriving or now - wait.since < _FRESH_SECONDS, wait.since, index)
        for index, wait in enumerate(waits.values())
        if wait is not None
    ]
    return list(waits)[min(waiting)[2]] if waiting else None


class Connections(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """Accepts connections, at most ``max_connections`` at a time, one thread each."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(
        self,
        address: tuple[str, int],
        family: socket.AddressFamily,
        handler: type[http.server.BaseHTTPRequestHandler],
        service: Service,
    ) -> None:
        self.address_family = family
        self.service = service
        #: what each connection waits for, and since when; None while a request that has arrived is being answered
        self._waits: dict[socket.socket, Wait | None] = {}
        #: turned away, and the moment at which to close it
        self._leaving: list[tuple[float, socket.socket]] = []
        super().__init__(address, handler)

    @property
    def count(self) -> int:
        """How many are open."""
        return len(self._waits)

    def server_bind(self) -> None:
        """Bind without the reverse DNS query of HTTPServer, which can take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection; where this process may open no more files, make room for it first."""
        try:
            return super().get_request()
        except OSError as error:
            if error.errno in _TOO_MANY and self.close_one_that_waits():
                # It closes in its own thread; meanwhile whoever waits to be accepted would be asked for at once again.
                time.sleep(_ROOM_SECONDS)
            raise

    def process_request(self, request: object, client_address: object) -> None:
        """Start a thread for the connection, or make room for it, or turn it away."""
        connection = cast("socket.socket", request)
        if len(self._waits) >= self.service.limits.max_connections and not self.close_one_that_waits():
            self._turn_away(connection)
            return
        self.waits(connection)
        super().process_request(connection, client_address)

    def shutdown_request(self, request: object) -> None:
        """Forget the connection and close it."""
        connection = cast("socket.socket", request)
        self._waits.pop(connection, None)
        super().shutdown_request(connection)

    # -- what a connection is at -----------------------------------------------------------------------------------

    def waits(self, connection: socket.socket, *, is_arriving: bool = False) -> None:
        """Note that a connection waits: for a next request, or for the rest of one that is arriving."""
        self._waits[connection] = Wait(is_arriving, time.monotonic())

    def works(self, connection: socket.socket) -> None:
        """Note that the request of a connection has arrived: it is not cut off before it is answered."""
        self._waits[connection] = None

    def close_idle(self) -> None:
        """Close the connections that wait for a next request."""
        for connection, wait in list(self._waits.items()):
            if wait is not None and not wait.is_arriving:
                _shut(connection)

    def close_one_that_waits(self, *, except_for: socket.socket | None = None) -> bool:
        """Close the connection that is the first to go, and return whether there was one."""
        waits = {connection: wait for connection, wait in list(self._waits.items()) if connection is not except_for}
        chosen = first_to_go(waits, now=time.monotonic())
        if chosen is None:
            return False
        self.works(chosen)
        _shut(chosen)
        return True

    # -- who is turned away ----------------------------------------------------------------------------------------

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

    def handle_error(self, _request: object, client_address: object) -> None:
        """Log what a connection died of; the base class prints it."""
        error = sys.exception()
        if isinstance(error, OSError):
            self.service.log.debug("the connection from %s broke", client_address, exc_info=error)
        else:
            self.service.log.error("the connection from %s failed", client_address, exc_info=error)


def _shut(connection: socket.socket) -> None:
    # Only reading ends, so that an answer on its way still leaves.
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RD)
