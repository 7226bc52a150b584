"""Sinks on this machine for the tests: one that keeps what it is sent and answers as it is told, and an alert."""

from __future__ import annotations

import contextlib
import http.server
import json
import socket
import threading
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from lmops.monitors import Monitors
from lmops.monitors._outbox import enqueue

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Alert:
    """An alert as far as it is told."""

    alert: int = 1
    monitor: str = "latency"
    version: int = 2
    series: Mapping[str, Any] = field(default_factory=lambda: {"model": "gpt-4.1"})
    metric: str = "latency_p95"
    direction: str | None = "above"
    severity: str = "urgent"
    since_at: datetime | None = NOON - timedelta(hours=1)
    opened_at: datetime = NOON
    resolved_at: datetime | None = None
    n: int | None = 120
    estimate: float | None = 912.5
    low: float | None = 800.0
    high: float | None = 1000.0
    baseline: float | None = 400.0
    words: str = "latency is above its baseline"
    times_opened: int = 1
    reason: str | None = None
    actor: str = "ann"
    examples: tuple[str, ...] = ("a" * 32,)


class Clock:
    """A clock that is put forward."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        # no two moments are the same
        self.now += timedelta(milliseconds=1)
        return self.now

    def later(self, **more: float) -> None:
        """Let time pass."""
        self.now += timedelta(**more)


def monitors_of(ws: Any, clock: Clock) -> Monitors:
    """Return the monitors of a workspace by a clock of the test."""
    return Monitors(replace(ws.project, now=clock))


def happen(monitors: Monitors, alert: Alert, transition: str = "firing") -> int:
    """Let something become of an alert, as a check does; return how many sinks are told."""
    with monitors._project.change() as change:
        told = enqueue(change, alert, transition)
        change.say("alert.open", str(alert.alert))
    return told


class Listener:
    """An HTTP server that keeps what it is sent.

    Args:
        statuses: Of the answers, one after the other; the last one from then on. 0 closes without an answer, -1 hangs.
        body: Of every answer.
        headers: Of every answer.
    """

    def __init__(self, *statuses: int, body: bytes = b"ok", headers: Mapping[str, str] | None = None) -> None:
        self.statuses = list(statuses or (200,))
        self.body = body
        self.headers = dict(headers or {})
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self.release = threading.Event()
        self.arrived = threading.Event()
        listener = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                listener.got.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                listener.arrived.set()
                status = listener.statuses.pop(0) if len(listener.statuses) > 1 else listener.statuses[0]
                if status == -1:
                    listener.release.wait(30)
                if status <= 0:
                    self.close_connection = True
                    return
                self.send_response(status)
                for name, value in listener.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(listener.body)

            def log_message(self, *_: object) -> None:
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, *_: object) -> None:
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.release.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def bodies(self) -> list[Any]:
        """What was sent, read."""
        return [json.loads(body) for _, _, body in self.got]


@contextlib.contextmanager
def dripping() -> Iterator[str]:
    """A server whose head never ends, a byte at a time."""
    server = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def serve() -> None:
        with contextlib.suppress(OSError):
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
                while not stop.wait(0.02):
                    connection.sendall(b"x")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"
    finally:
        stop.set()
        server.close()
        thread.join(5)


def eventually(holds: Any, *, seconds: float = 60) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)
