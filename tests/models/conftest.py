"""A loopback endpoint that answers as it is told, and the key that must never be seen."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

KEY = "sk-loopback-0123456789abcdef-SECRET"


@dataclass
class Reply:
    """One answer: a body (JSON when it is no text), or the pieces of a stream, whole or cut off."""

    body: object = None
    status: int = 200
    headers: dict = field(default_factory=dict)
    delay_s: float = 0.0
    pieces: list | None = None
    piece_delay_s: float = 0.0
    is_cut: bool = False


@dataclass
class Asked:
    """One request as it arrived."""

    path: str
    headers: dict
    body: dict


def completion(content="Hello.", *, message=None, finish="stop", usage=True, **more):
    """Return the body of a chat completion."""
    message = message or {"role": "assistant", "content": content}
    body = {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "house-1-0315",
        "system_fingerprint": "fp_7",
        "choices": [{"index": 0, "finish_reason": finish, "message": message}],
        "usage": {
            "prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120,
            "prompt_tokens_details": {"cached_tokens": 64}, "completion_tokens_details": {"reasoning_tokens": 5},
        },
    }  # fmt: skip  # keys that belong together share a line
    if not usage:
        del body["usage"]
    return {**body, **more}


def chunk(content=None, *, finish=None, usage=None, **delta):
    """Return one piece of a streamed completion."""
    found = {"role": "assistant", **({} if content is None else {"content": content}), **delta}
    body = {
        "id": "chatcmpl-2",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "house-1-0315",
        "choices": [{"index": 0, "delta": found, "finish_reason": finish}],
    }
    return {**body, "choices": [], "usage": usage} if usage else body


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        asked = Asked(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
        with contextlib.suppress(ConnectionError):
            self._send(self.server.endpoint.take(asked, lambda reply: time.sleep(reply.delay_s)))

    def _send(self, reply):
        if reply.pieces is not None:
            self._stream(reply)
            return
        is_text = isinstance(reply.body, str)
        content = (reply.body if is_text else json.dumps(reply.body)).encode()
        self.send_response(reply.status)
        for name, value in {"content-type": "application/json", **reply.headers}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _stream(self, reply):
        self.send_response(reply.status)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for piece in reply.pieces:
            text = piece if isinstance(piece, str) else f"data: {json.dumps(piece)}\n\n"
            self.wfile.write(f"{len(text.encode()):x}\r\n{text}\r\n".encode())
            self.wfile.flush()
            time.sleep(reply.piece_delay_s)
        if not reply.is_cut:
            self.wfile.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
        self.close_connection = True

    def log_message(self, *_):
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request, client_address):
        """Say nothing: clients that go away are part of the tests."""


class Endpoint:
    """The loopback endpoint: ``replies`` one after the other (the last one stays), or ``answer(asked) -> Reply``."""

    def __init__(self):
        self.asked = []
        self.replies = [Reply(completion())]
        self.answer = None
        self.in_flight = self.most = 0
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.endpoint = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def reply(self, *replies):
        """Answer with these from now on."""
        self.replies = list(replies)

    def take(self, asked, work):
        with self._lock:
            self.asked.append(asked)
            self.in_flight += 1
            self.most = max(self.most, self.in_flight)
            if self.answer is not None:
                reply = self.answer(asked)
            else:
                reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        try:
            work(reply)
        finally:
            with self._lock:
                self.in_flight -= 1
        return reply

    def close(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def endpoint(monkeypatch):
    """A loopback endpoint, ended after the test."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_CUSTOM_HEADERS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    found = Endpoint()
    yield found
    found.close()


@pytest.fixture
def house(ws, endpoint, monkeypatch):
    """The endpoint under the name "house", with a key."""
    monkeypatch.setenv("HOUSE_KEY", KEY)
    ws.models.register("house", base_url=endpoint.url, model="house-1", api_key_env="HOUSE_KEY", timeout_s=20)
    return endpoint


@pytest.fixture
def free_port():
    """A port of this machine where nothing listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture
def kit():
    """What tests build replies from; fixtures are how a conftest hands over functions."""

    class Kit:
        reply = Reply
        completion = staticmethod(completion)
        chunk = staticmethod(chunk)
        key = KEY

    return Kit
