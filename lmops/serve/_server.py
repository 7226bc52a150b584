"""A server that runs in threads of this process."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from typing import TYPE_CHECKING, Final

from lmops.errors import UsageError
from lmops.serve._access import Access, resolve
from lmops.serve._connections import Connections
from lmops.serve._handler import Handler
from lmops.serve._limits import Limits
from lmops.serve._messages import in_json
from lmops.serve._service import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType
    from typing import Self

    from lmops.serve._admission import Admission
    from lmops.serve._messages import Answer, Refusal, Route

_POLL_SECONDS: Final = 0.05


class Server:
    """Serves routes over HTTP/1.1, in threads of this process.

    Every request is bounded in size, in time and in number before its route sees it. Nothing waits for a place: what
    has none is refused with a status that says when to come back.

    Args:
        name: what it is, in one word: of its threads, in its log and in its refusals.
        routes: what is served, and where.
        host: address to bind. Any but a loopback address needs a token.
        port: 0 takes a free one; ``port`` then tells which.
        token: required of every request to a route that is not open, as ``Authorization: Bearer TOKEN``; None requires
            nothing, and serves this machine alone.
        limits: see ``Limits``.
        in_form: makes a refusal an answer, given the content type of the request.
        hint: of the error when others could reach it and there is no token: what they could do, how to give one.

    Raises:
        UsageError: the address is not a loopback address and there is no token, or it cannot be bound.
    """

    def __init__(
        self,
        name: str,
        routes: Sequence[Route],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        token: str | None = None,
        limits: Limits | None = None,
        in_form: Callable[[Refusal, str], Answer] = in_json,
        hint: str = ": give a token",
    ) -> None:
        if token is not None and not token.strip():
            raise UsageError(f"the token is empty; give one, or None for a {name} on a loopback address")
        family, address = resolve(host, port, has_token=token is not None, hint=hint)
        self._service = Service(
            name=name, routes=routes, access=Access(token, address[0]), limits=limits or Limits(), in_form=in_form
        )
        try:
            self._connections = Connections(address, family, Handler, self._service)
        except OSError as error:
            message = f"cannot listen on {host}:{port}: {error.strerror}; give a free port, or 0 for any"
            raise UsageError(message) from error
        self._acceptor: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port that is bound."""
        return self._connections.server_port

    @property
    def url(self) -> str:
        """The address that clients are given."""
        host = self._connections.server_name
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def is_stopping(self) -> bool:
        """Whether it takes nothing new any more."""
        return self._service.is_stopping

    @property
    def admission(self) -> Admission:
        """What is in flight."""
        return self._service.admission

    @property
    def refused(self) -> int:
        """How many requests were answered with an error since the start."""
        return self._service.refused

    def start(self) -> Self:
        """Accept connections, in a thread, and return at once."""
        if self._acceptor is None and not self.is_stopping:
            self._acceptor = threading.Thread(
                target=self._connections.serve_forever,
                args=(_POLL_SECONDS,),
                name=f"lmops-{self._service.name}",
                daemon=True,
            )
            self._acceptor.start()
        return self

    def stop(self) -> None:
        """Stop accepting, finish what is in flight, and return."""
        if self.is_stopping:
            return
        self._service.is_stopping = True
        if self._acceptor is not None:
            self._connections.shutdown()
            self._acceptor.join()
        self._connections.server_close()
        deadline = time.monotonic() + self._service.limits.stop_timeout_s
        while self._connections.count and time.monotonic() < deadline:
            # Again and again: a connection becomes idle when its request is answered.
            self._connections.close_idle()
            time.sleep(0.01)
        if unanswered := self._connections.count:
            self._service.log.warning("stopped with %d requests unanswered; their clients send them again", unanswered)

    def wait(self, received: queue.SimpleQueue[int]) -> None:
        """Return when a signal was received (see ``stop_signals``), or when somebody stopped it."""
        while not self.is_stopping:
            with contextlib.suppress(queue.Empty):
                received.get(timeout=0.2)
                return

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<Server {self._service.name} {self.url} {'stopped' if self.is_stopping else 'open'}>"
