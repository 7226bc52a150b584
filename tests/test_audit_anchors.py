"""Anchors: heads of the chain in a file, in notes of git and at an address, each once, and a check against all."""

import contextlib
import http.server
import json
import sqlite3
import subprocess
import threading

import pytest
from click.testing import CliRunner

import lmops
from lmops.cli import main
from lmops.errors import DamagedStoreError, NotFoundError, StoreError, UsageError


def write_anew(ws, count):
    """Replace the whole chain by another one of the same length, head included."""
    with sqlite3.connect(ws.store.path / "meta.sqlite") as con:
        con.execute("drop trigger if exists audit_no_delete")
        con.execute("delete from audit")
        con.execute("update audit_head set events = 0, hash = ?", ("0" * 64,))
    con.close()
    for _ in range(count):
        ws.audit.append(action="test.other", subject="x")


@pytest.fixture
def chain(ws):
    ws.audit.append(action="test.step", subject="one")
    return ws


@pytest.fixture
def repository(tmp_path):
    """A repository with one commit and a hook that must not run."""
    folder = tmp_path / "repository"
    folder.mkdir()
    who = ["-c", "user.name=a", "-c", "user.email=b"]
    for command in (["init", "-q"], [*who, "commit", "-q", "--allow-empty", "-m", "x"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    hook = folder / ".git" / "hooks" / "reference-transaction"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/hooked\n")
    hook.chmod(0o755)
    return folder


@contextlib.contextmanager
def receiver(status=200):
    """Yield an address and what is sent to it."""
    got = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_):
            """Be silent."""

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", got
        server.shutdown()
        thread.join()


def test_a_file_keeps_every_head_once(chain, tmp_path):
    """A scheduler may call as often as it likes; a chain that was written anew fails at the first anchor it misses."""
    file = tmp_path / "anchors.jsonl"
    assert chain.audit.anchor(file=file).known == ()
    assert chain.audit.anchor(file=file).known == (str(file),)
    chain.audit.append(action="test.step", subject="two")
    chain.audit.anchor(file=file)
    assert [json.loads(line)["events"] for line in file.read_text().splitlines()] == [1, 2]
    assert chain.audit.verify(anchor=file).ok
    write_anew(chain, 5)
    found = chain.audit.verify(anchor=str(file))
    assert (chain.audit.verify().ok, found.ok, found.first_broken) == (True, False, 1)
    with pytest.raises(DamagedStoreError, match="written anew"):
        chain.audit.anchor(file=file)
    assert len(file.read_text().splitlines()) == 2


def test_a_file_may_keep_anchors_of_several_stores(chain, tmp_path):
    """Each store looks at its own; one that has none there says so; a line that was cut short stays alone."""
    file = tmp_path / "anchors.jsonl"
    chain.audit.anchor(file=file)
    file.write_text(file.read_text() + '{"kind": "lmops audit an')
    with lmops.open(":memory:") as other:
        with pytest.raises(UsageError, match="no anchor of the store"):
            other.audit.verify(anchor=file)
        other.audit.anchor(file=file)
        assert other.audit.verify(anchor=file).ok
    assert chain.audit.verify(anchor=file).ok
    file.write_text(file.read_text().replace('"events": 1', '"events": "x"'))
    with pytest.raises(UsageError, match="is damaged"):
        chain.audit.verify(anchor=file)


def test_notes_of_git_keep_heads_and_no_program_of_the_repository_runs(chain, repository, tmp_path):
    """A note of the present commit under a name of its own."""
    chain.audit.anchor(git_note=repository)
    assert len(chain.audit.anchor(git_note=repository).known) == 1
    chain.audit.append(action="test.step", subject="two")
    chain.audit.anchor(git_note=repository)
    command = ["git", "notes", "--ref=lmops-audit", "show", "HEAD"]
    shown = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True).stdout
    assert shown.count("lmops audit anchor") == 2
    assert not (tmp_path / "hooked").exists()
    assert chain.audit.verify(git_note=repository).ok
    write_anew(chain, 3)
    assert not chain.audit.verify(git_note=repository).ok


def test_a_folder_without_a_repository_or_a_commit_is_refused(chain, tmp_path):
    """It is said what is needed."""
    with pytest.raises(NotFoundError, match="no git repository"):
        chain.audit.anchor(git_note=tmp_path)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    with pytest.raises(StoreError, match="a repository with a commit"):
        chain.audit.anchor(git_note=tmp_path)


def test_an_address_gets_the_head(chain):
    """As JSON; an answer that is no success is an error, and a redirection is not followed."""
    with receiver() as (url, got):
        chain.audit.anchor(webhook=f"{url}/hook?key=secret")
    head = chain.audit.head()
    assert [(one["events"], one["hash"], one["store_id"]) for one in got] == [(1, head.hash, chain.store.store_id)]
    for status in (500, 302):
        with receiver(status) as (url, got), pytest.raises(StoreError, match=f"answered {status}") as raised:
            chain.audit.anchor(webhook=f"{url}/hook?key=secret")
        assert (len(got), "secret" in str(raised.value)) == (1, False)
    with pytest.raises(StoreError, match="could not be sent"):
        chain.audit.anchor(webhook=url)


def test_places_that_are_none_are_refused(chain, tmp_path):
    """No place, another scheme, a missing folder, a link."""
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for place in ({}, {"webhook": "file:///etc/passwd"}, {"file": tmp_path / "none" / "x"}):
        with pytest.raises(UsageError):
            chain.audit.anchor(**place)
    with pytest.raises(StoreError, match="could not be kept"):
        chain.audit.anchor(file=tmp_path / "link")


def test_the_commands_end_with_one_when_something_does_not_hold(tmp_path):
    """For a scheduler: anchor, anchor again, verify, and after a forgery both fail."""
    path, file = tmp_path / ".lmops", tmp_path / "anchors"
    runner = CliRunner()

    def call(*words):
        return runner.invoke(main, ["audit", *words, "--store", str(path)])

    with lmops.open(path) as ws:
        ws.audit.append(action="test.step", subject="one")
        assert call("anchor", "--file", str(file)).exit_code == 0
        assert "as before" in call("anchor", "--file", str(file)).stdout
        assert call("verify", "--anchor", str(file)).exit_code == 0
        assert json.loads(call("cover", "--reason", "r", "--json").stdout) == {"records": 0}
        assert call("cover").exit_code == 2
        write_anew(ws, 2)
        assert call("verify", "--anchor", str(file)).exit_code == 1
        assert call("anchor", "--file", str(file)).exit_code == 1
