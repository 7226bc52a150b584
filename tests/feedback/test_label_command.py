"""``lmops label`` where it cannot begin: one line that says why, and nothing is started."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest
from click.testing import CliRunner

import lmops
from lmops.cli import main
from lmops.errors import UsageError
from lmops.widgets.feedback.page._address import bound, url_of


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A store with an open queue and a closed one; no token in the environment."""
    monkeypatch.delenv("LMOPS_LABEL_TOKEN", raising=False)
    path = tmp_path / ".lmops"
    with lmops.open(path) as ws:
        ws.feedback.schemas.save("support")
        for name in ("q", "over"):
            ws.feedback.queue(name, ["a" * 32], schema="support")
        ws.feedback.queues.close("over")
    return path


def run(store, *arguments):
    """Run the command; return its exit code and what it printed."""
    done = CliRunner().invoke(main, ["label", *arguments, "--store", str(store)])
    return done.exit_code, done.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nobody",), "nobody"),
        (("over",), "lmops queue reopen over"),
        (("q", "--host", "0.0.0.0"), "give a token (--token-file or LMOPS_LABEL_TOKEN)"),
        (("q", "--host", ""), "can be reached by others"),
        (("q", "--host", "no such host"), "cannot listen on"),
        (("q", "--token", " "), "the token is empty"),
        (("q", "--token-file", "none.txt"), "cannot be read from none.txt"),
        (("q", "--port", "70000"), "70000"),
        ((), "QUEUE"),
    ],
)
def test_what_cannot_be_served_is_refused(store, arguments, words):
    """Before anything listens."""
    code, said = run(store, *arguments)
    assert code in {1, 2}
    assert words in said
    assert "Traceback" not in said


def test_a_folder_without_a_store_gets_none(tmp_path):
    """Nothing is made by looking."""
    code, said = run(tmp_path / ".lmops", "q")
    assert (code, list(tmp_path.iterdir())) == (2, [])
    assert "there is no store" in said


def test_a_port_that_is_taken_is_said():
    """Where it was asked for; without, another one is taken."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        with pytest.raises(UsageError, match="give a free port, or 0 for any"):
            bound(socket.AF_INET, "127.0.0.1", port, others=False)
        with bound(socket.AF_INET, "127.0.0.1", port, others=True) as other:
            assert other.getsockname()[1] not in {0, port}


def test_without_voila_the_extra_is_named(store):
    """The line that installs it."""
    program = "import sys; sys.modules['voila'] = None; from lmops.cli import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", program, "label", "q", "--store", str(store), "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "lmops: voila is not installed: pip install 'lmops[label]'\n"


def test_an_address_is_told_as_it_is_reached():
    """By the name of this machine, where every address of it is bound."""
    assert url_of("127.0.0.1", 80) == "http://127.0.0.1:80/"
    assert url_of("::1", 80) == "http://[::1]:80/"
    assert url_of("0.0.0.0", 80) == f"http://{socket.gethostname()}:80/"
