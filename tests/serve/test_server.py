"""The base of whatever listens, with a toy room: what reaches a route, what does not, and how it ends."""

from __future__ import annotations

import gzip
import http.client
import json
import logging
import socket
import threading

import pytest

from lmops.errors import UsageError
from lmops.serve import Answer, Limits, Refusal, Route, Server

TEXT = "text/plain"
LIMITS = Limits(
    max_body_bytes=10_000, max_in_flight_bytes=20_000, max_requests=2, request_timeout_s=5, stop_timeout_s=5
)


class Room:
    """Says what it was told; holds whoever says "wait" until it is opened."""

    def __init__(self):
        self.door = threading.Event()
        self.inside = threading.Semaphore(0)

    def routes(self):
        return [
            Route(method="POST", path="/say", handler=self.say, content_types=(TEXT,)),
            Route(method="DELETE", path="/say", handler=lambda _: Answer(body=b"", status=204)),
            Route(
                method="GET", path="/shown", handler=lambda asked: Answer(body=asked.query.encode(), content_type=TEXT)
            ),
            Route(method="GET", path="/up", handler=lambda _: Answer(body=b"{}"), is_open=True),
        ]

    def say(self, request):
        if request.body == b"wait":
            self.inside.release()
            assert self.door.wait(10)
        if request.body == b"break":
            raise ZeroDivisionError
        if request.body == b"no":
            raise Refusal(409, "said already", headers={"X-First": "yes"})
        if request.body == b"much":
            request.reserve(30_000)
        return Answer(body=request.body, content_type=TEXT, headers={"X-Size": str(len(request.body))})


@pytest.fixture
def room():
    made = Room()
    yield made
    made.door.set()


@pytest.fixture
def server(room):
    with Server("toy", room.routes(), limits=LIMITS) as running:
        yield running
        room.door.set()


def ask(server, method, path, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def say(server, body, **headers):
    return ask(server, "POST", "/say", body, Content_Type=TEXT, **headers)


def test_a_route_answers(server):
    """Body, type, status and headers are those of its answer; the query reaches it."""
    response, body = say(server, gzip.compress(b"hello"), Content_Encoding="gzip")
    assert (response.status, response.headers["Content-Type"], response.headers["X-Size"]) == (200, TEXT, "5")
    assert body == b"hello"
    assert ask(server, "GET", "/shown/?page=2")[1] == b"page=2"
    assert ask(server, "DELETE", "/say")[0].status == 204


@pytest.mark.parametrize(
    ("method", "path", "kind", "status", "words"),
    [
        ("GET", "/elsewhere", TEXT, 404, "/say, /shown, /up"),
        ("PUT", "/say", TEXT, 405, "takes POST, DELETE, not PUT"),
        ("POST", "/say", "image/png", 415, "send text/plain"),
        ("BREW", "/say", TEXT, 501, "BREW"),
    ],
)
def test_what_no_route_takes(server, method, path, kind, status, words):
    """It is refused with what would be taken."""
    response, body = ask(server, method, path, b"x", Content_Type=kind)
    assert response.status == status
    assert words in json.loads(body)["message"]
    assert response.headers["Allow"] == ("POST, DELETE" if status == 405 else None)


def test_what_a_route_refuses_and_what_breaks_in_it(server, caplog):
    """Its refusal is the answer, with its headers; what it did not expect is a 500 and a line in the log."""
    response, body = say(server, b"no")
    assert (response.status, response.headers["X-First"], json.loads(body)) == (409, "yes", {"message": "said already"})
    assert not caplog.records
    assert say(server, b"break")[0].status == 500
    assert [(record.name, record.levelname) for record in caplog.records] == [("lmops.toy", "ERROR")]
    assert server.refused == 2


def test_refusals_take_the_form_of_the_service(room):
    """Also those that were refused before any route was asked."""

    def in_form(refusal, content_type):
        return Answer(body=f"{content_type}: {refusal.status}".encode(), content_type=TEXT, status=refusal.status)

    with Server("toy", room.routes(), limits=LIMITS, in_form=in_form) as server:
        assert ask(server, "POST", "/nothing", b"x", Content_Type=TEXT)[1] == b"text/plain: 404"
        assert ask(server, "BREW", "/say")[1] == b": 501"


def test_a_limit_of_requests_and_of_memory(server, room):
    """A third request is told to come back, as is one that needs more memory; who asks how it is, is answered."""
    senders = [threading.Thread(target=say, args=(server, b"wait")) for _ in range(2)]
    for sender in senders:
        sender.start()
        assert room.inside.acquire(timeout=10)
    response, _ = say(server, b"third")
    assert (response.status, response.headers["Retry-After"]) == (429, "1")
    assert ask(server, "GET", "/shown")[0].status == 429
    assert ask(server, "GET", "/up")[0].status == 200
    room.door.set()
    for sender in senders:
        sender.join(10)
    assert say(server, b"much")[0].status == 429
    assert say(server, b"little")[0].status == 200


def test_a_token_is_asked_but_where_it_is_open(room):
    """And a server for others needs one."""
    with Server("toy", room.routes(), host="0.0.0.0", token="t") as server:
        response, _ = ask(server, "GET", "/shown")
        assert (response.status, response.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert ask(server, "GET", "/shown", Authorization="Bearer t")[0].status == 200
        assert ask(server, "GET", "/up", Host="toy.example")[0].status == 200
    for refused in ({"host": "0.0.0.0"}, {"token": " "}, {"host": "no host"}):
        with pytest.raises(UsageError):
            Server("toy", room.routes(), **refused)


def test_pages_are_refused_on_every_route(server):
    """Without a token: by the name that the page gave this machine, and by where it comes from."""
    for path in ("/shown", "/up"):
        assert ask(server, "GET", path, Host="evil.example")[0].status == 403
        assert ask(server, "GET", path, Origin="null")[0].status == 403
        for own in ("http://localhost:8888", server.url):
            assert ask(server, "GET", path, Origin=own)[0].status == 200


def raw(server, data):
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(data)
        received = b""
        while piece := connection.recv(65536):
            received += piece
        return received


def test_an_address_that_cannot_be_read(server):
    """It is a refusal like the others, not a fault."""
    answer = raw(server, b"GET http://[ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"cannot be read" in answer


def test_a_head_is_bounded(server):
    """Not only each line of it, and not only the number of its lines."""
    line = b"X-%d: " + b"x" * 50_000 + b"\r\n"
    answer = raw(server, b"GET /shown HTTP/1.1\r\n" + b"".join(line % number for number in range(3)) + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 431")


def test_a_body_that_no_route_reads_is_no_next_request(server):
    """The connection ends after the answer."""
    inner = b"GET /up HTTP/1.1\r\nHost: localhost\r\n\r\n"
    head = b"GET /shown HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(inner)
    assert raw(server, head + inner).count(b"HTTP/1.1 200") == 1


def test_lines_of_the_log_are_harmless(server, caplog):
    """A request is one line, without what would change the look of a terminal."""
    with caplog.at_level(logging.DEBUG, logger="lmops.toy"):
        raw(server, b"GET /shown?\x1b[31m HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    (line,) = [record.getMessage() for record in caplog.records]
    assert "GET /shown?" in line
    assert line.endswith(": 200")
    assert "\x1b" not in line


def test_stopping_answers_what_is_inside(room):
    """Nothing new is accepted meanwhile, and stopping again does nothing."""
    server = Server("toy", room.routes(), limits=LIMITS).start()
    answers = []
    sender = threading.Thread(target=lambda: answers.append(say(server, b"wait")[0].status))
    sender.start()
    assert room.inside.acquire(timeout=10)
    stopper = threading.Thread(target=server.stop)
    stopper.start()
    while not server.is_stopping:
        threading.Event().wait(0.005)
    room.door.set()
    stopper.join(10)
    sender.join(10)
    assert answers == [200]
    with pytest.raises(ConnectionError):
        socket.create_connection(("127.0.0.1", server.port), timeout=1)
    server.stop()
    assert "stopped" in repr(server)
