"""Alerts by e-mail: what a server of this machine is sent."""

from __future__ import annotations

import contextlib
import email
import email.policy
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import lmops
from tests.monitors.listeners import Alert, happen


class MailServer:
    """Speaks as much SMTP as one message takes; refuses every recipient where it is told to."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.lines: list[str] = []
        self.refuses = refuses
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"smtp://127.0.0.1:{self._server.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.close()
        self._thread.join(10)

    def _serve(self):
        with contextlib.suppress(OSError):
            connection, _ = self._server.accept()
            with connection, connection.makefile("rwb", buffering=0) as file:
                file.write(b"220 here\r\n")
                is_data = False
                for line in file:
                    said = line.decode().rstrip("\r\n")
                    if is_data:
                        is_data = said != "."
                        self.lines.append(said)
                    else:
                        is_data = said.upper() == "DATA"
                        file.write(self._answer(said))
                        continue
                    if not is_data:
                        file.write(b"250 kept\r\n")

    def _answer(self, said):
        if said.upper().startswith("RCPT") and self.refuses:
            return b"550 nobody of that name\r\n"
        return {"DATA": b"354 go on\r\n", "QUIT": b"221 bye\r\n"}.get(said.upper(), b"250 ok\r\n")


@pytest.fixture
def ws(tmp_path):
    with lmops.open(tmp_path / ".lmops", actor="ann") as opened:
        yield opened


def test_a_mail_says_what_happened(ws):
    """To whom it was to be sent, in one line of subject, with the numbers below."""
    with MailServer() as server:
        ws.monitors.sinks.save("mail", kind="email", url=server.url, sender="lmops@h.example", to=["a@h.example"])
        happen(ws.monitors, Alert(words="above\r\nBcc: attacker@x.example"))
        assert ws.monitors.deliver().sent == 1
    found = email.message_from_string("\n".join(server.lines[:-1]), policy=email.policy.default)
    assert (found["From"], found["To"], found["Bcc"]) == ("lmops@h.example", "a@h.example", None)
    assert found["Subject"].strip().startswith("[urgent] firing: latency (model=gpt-4.1)")
    assert "since 2026-11-20 11:00 UTC" in found.get_content()


def test_a_mail_that_nobody_takes_waits(ws):
    """The server's words are kept, and the notice is told later."""
    with MailServer(refuses=True) as server:
        ws.monitors.sinks.save("mail", kind="email", url=server.url, sender="lmops@h.example", to=["a@h.example"])
        happen(ws.monitors, Alert())
        report = ws.monitors.deliver()
    assert (report.sent, report.waiting) == (0, 1)
    assert "nobody of that name" in report.failed["mail"]


def test_a_server_that_never_ends_has_a_deadline(ws, monkeypatch):
    """A line of its greeting now and then does not hold the check up."""
    monkeypatch.setattr("lmops.monitors._sending.MAIL_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:
        pool.submit(_greet, server)
        address = f"smtp://127.0.0.1:{server.getsockname()[1]}"
        ws.monitors.sinks.save("mail", kind="email", url=address, sender="lmops@h.example", to=["a@h.example"])
        happen(ws.monitors, Alert())
        assert ws.monitors.deliver().failed == {"mail": "no answer within 0.3 s"}


def _greet(server):
    connection, _ = server.accept()
    with connection, contextlib.suppress(OSError):
        while True:
            connection.sendall(b"220-still here\r\n")
            time.sleep(0.05)
