"""What needs no socket: bodies as they arrive, who goes first, tokens."""

from __future__ import annotations

import gzip
import itertools
import subprocess
import sys
import zlib
from email.message import Message

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lmops.errors import UsageError
from lmops.serve import Admission, Body, Refusal, Ticket, token_from
from lmops.serve._connections import Wait, first_to_go


def body(encoding, *, limit=1_000_000, reserve=lambda _: None):
    headers = Message()
    headers["Content-Encoding"] = encoding
    return Body(headers, limit=limit, reserve=reserve)


def raw_deflate(data):
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


PACKED = {"identity": bytes, "gzip": gzip.compress, "x-gzip": gzip.compress, "deflate": zlib.compress}


@given(
    data=st.binary(max_size=2000),
    encoding=st.sampled_from(sorted(PACKED)),
    cuts=st.lists(st.integers(0, 2500), max_size=8),
    is_bare=st.booleans(),
)
@example(data=b"x", encoding="deflate", cuts=[1], is_bare=True)
def test_a_body_is_the_same_however_it_is_cut(data, encoding, cuts, is_bare):
    """Pieces of any size, in every encoding, also a bare deflate stream."""
    sent = (raw_deflate if is_bare and encoding == "deflate" else PACKED[encoding])(data)
    arriving = body(encoding)
    ends = sorted({0, len(sent), *(min(cut, len(sent)) for cut in cuts)})
    for start, end in itertools.pairwise(ends):
        arriving.feed(sent[start:end])
    assert arriving.end() == data


def test_a_bomb_is_met_piece_by_piece():
    """No more is held than the limit, however much would come of it."""
    held = []
    bomb = body("gzip", limit=100_000, reserve=held.append)
    with pytest.raises(Refusal, match="larger than 100000 bytes"):
        bomb.feed(gzip.compress(bytes(50_000_000)))
    assert sum(held) <= 100_000


def test_a_body_of_empty_members_ends():
    """A million of them would fit under the limit, each with its own start of a decompressor."""
    with pytest.raises(Refusal, match="members"):
        body("gzip").feed(gzip.compress(b"") * 20_000)


def test_what_is_held_is_given_back():
    """When the request is answered or refused: its bytes and its place."""
    admission = Admission(max_requests=1, max_bytes=100)
    with Ticket(admission) as ticket:
        ticket.start()
        ticket.reserve(60)
        for asks, words in ((lambda: ticket.reserve(60), "bytes"), (Ticket(admission).start, "requests")):
            with pytest.raises(Refusal, match=f"too many {words}"):
                asks()
    with Ticket(admission) as ticket:
        ticket.start()
        ticket.reserve(100)


def test_who_goes_first():
    """The longest idle one, then the longest arriving one; who was answered just now is not idle yet."""
    idle, slow, active = Wait(is_arriving=False, since=50), Wait(is_arriving=True, since=10), Wait(False, 99.9)
    waits = {"busy": None, "active": active, "slow": slow, "later": Wait(is_arriving=True, since=20), "idle": idle}
    order = []
    while (gone := first_to_go(waits, now=100.0)) is not None:
        order.append(gone)
        del waits[gone]
    assert order == ["idle", "slow", "later", "active"]


_FULL_PROCESS = """
import http.client, resource, socket
from lmops.serve import Answer, Route, Server

routes = [Route(method="GET", path="/up", handler=lambda _: Answer(body=b"{}"))]
with Server("toy", routes) as server:
    asked = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    asked.connect()
    first = socket.create_connection(("127.0.0.1", server.port), timeout=20)
    first.sendall(b"GET /up HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n")
    assert first.recv(12) == b"HTTP/1.1 200"
    late = socket.socket()
    late.settimeout(20)
    used = max(first.fileno(), late.fileno()) + 3
    resource.setrlimit(resource.RLIMIT_NOFILE, (used, used))
    kept = []
    try:
        while True:
            kept.append(open("/dev/null"))
    except OSError:
        pass
    late.connect(("127.0.0.1", server.port))
    late.sendall(b"GET /up HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n")
    print(late.recv(12).decode())
"""


def test_a_process_without_files_to_spare_makes_room():
    """Whoever comes then is served in the place of one that waits."""
    done = subprocess.run(
        [sys.executable, "-c", _FULL_PROCESS], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.strip() == "HTTP/1.1 200", done.stderr


def test_where_a_token_comes_from(tmp_path, monkeypatch):
    """As given, from the file, from the environment; never from two."""
    monkeypatch.setenv("TOY_TOKEN", "of the environment")
    (tmp_path / "token").write_text(" of the file \nmore")
    assert token_from("given", None, variable="TOY_TOKEN") == "given"
    assert token_from(None, tmp_path / "token", variable="TOY_TOKEN") == "of the file"
    assert token_from(None, None, variable="TOY_TOKEN") == "of the environment"
    assert token_from(None, None, variable="TOY_OTHER") is None
    with pytest.raises(UsageError, match="not both"):
        token_from("given", tmp_path / "token", variable="TOY_TOKEN")
