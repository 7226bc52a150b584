"""What the system refuses is said in words of ours, with the way out: full disks, limits, locks, rights."""

from __future__ import annotations

import errno
import subprocess
import sys

import pytest

import lmops
from lmops.errors import LmopsError, ReadOnlyError, StoreError, StoreFullError, of_system, system_in_words

#: Every verb that writes, with files that may have no more than 20,000 bytes, or with one file more than may be open.
_TRY = """
import os, resource, signal, sys
import lmops
ws = lmops.open(sys.argv[1])
ws.datasets.save("d", [{"input": "a" * 50, "expected": str(n)} for n in range(3)])
ws.store.load(__import__("json").loads(sys.argv[3]))
verbs = {
    "dataset": lambda: ws.datasets.save("big", [{"input": "b" * 1000 + str(n)} for n in range(100)]),
    "prompt": lambda: ws.prompts.save("p", "x" * 100_000),
    "sync": lambda: ws.prompts.sync(sys.argv[1] + "/../prompts"),
    "blob": lambda: ws.store.blobs.put(b"z" * 100_000),
    "backup": lambda: ws.store.backup(sys.argv[1] + "/../backup"),
    "export": lambda: ws.store.export(sys.argv[1] + "/../export"),
    "export to one file": lambda: ws.store.export(sys.argv[1] + "/../export.duckdb"),
    "export a dataset": lambda: ws.datasets.export("d", sys.argv[1] + "/../d.jsonl"),
    "export the chain": lambda: ws.audit.export(sys.argv[1] + "/../a.jsonl"),
    "compact": lambda: ws.store.compact(),
    "retain": lambda: ws.store.retain(days=1),
    "open": lambda: lmops.open(sys.argv[1] + "/../other").close(),
}
if sys.argv[2] == "size":
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
else:
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")), 4096))
for name, verb in verbs.items():
    try:
        verb()
    except lmops.LmopsError as error:
        print("ours", name, type(error).__name__)
    except OSError as error:
        print("raw", name, error)
    except Exception as error:
        print("raw", name, type(error).__name__, error)
os._exit(0)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of a process as Linux has them")
@pytest.mark.parametrize("limit", ["size", "files"])
def test_no_verb_lets_an_error_of_the_system_out(tmp_path, limit):
    """Files that may not grow and files that may not be opened: every verb says it in words, or succeeds."""
    from .helpers import trace_of

    rows = __import__("json").dumps(trace_of("t"))
    command = [sys.executable, "-c", _TRY, str(tmp_path / "store" / ".lmops"), limit, rows]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.startswith("raw")] == [], done.stdout + done.stderr
    assert any(line.startswith("ours") for line in lines), done.stderr


@pytest.mark.parametrize("verb", ["compact", "backup", "drain"])
def test_a_lock_that_cannot_be_taken_is_named(ws, tmp_path, verb):
    """What stands in the place of the lock file, and what to do about it."""
    (ws.store.path / "drain.lock").unlink(missing_ok=True)
    (ws.store.path / "drain.lock").mkdir()
    arguments = [tmp_path / "backup"] if verb == "backup" else []
    with pytest.raises(StoreError, match=r"drain\.lock cannot be taken .* Remove what stands there"):
        getattr(ws.store, verb)(*arguments)


def test_a_lock_that_is_missing_is_made_anew(ws):
    """It holds nothing."""
    (ws.store.path / "drain.lock").unlink(missing_ok=True)
    assert ws.store.compact() == 0


@pytest.mark.parametrize(
    ("number", "kind", "words"),
    [
        (errno.ENOSPC, StoreFullError, "free some space"),
        (errno.EDQUOT, StoreFullError, "quota"),
        (errno.EFBIG, StoreFullError, "ulimit -f"),
        (errno.EMFILE, StoreError, "ulimit -n"),
        (errno.EACCES, ReadOnlyError, "permissions"),
        (errno.EROFS, ReadOnlyError, "read_only=True"),
        (errno.EIO, StoreError, "is intact"),
    ],
)
def test_each_says_what_helps(number, kind, words):
    """The message names the place and the way out."""
    error = of_system(OSError(number, "reason"), "the place")
    assert type(error) is kind
    assert "the place" in str(error)
    assert words in str(error)


def test_a_reader_that_has_gone_is_not_a_fault_of_the_store():
    """Nor is an error that says already what it is."""
    with pytest.raises(BrokenPipeError), system_in_words("x"):
        raise BrokenPipeError
    with pytest.raises(StoreFullError, match="mine"), system_in_words("x"):
        raise StoreFullError("mine")
    with pytest.raises(LmopsError), system_in_words("x"):
        raise OSError(errno.EIO, "reason")


def test_commands_say_it_too(monkeypatch, tmp_path):
    """One line and exit code 1, not a traceback."""
    from click.testing import CliRunner

    from lmops.cli import main

    lmops.open(tmp_path / ".lmops").close()
    (tmp_path / ".lmops" / "drain.lock").unlink(missing_ok=True)
    (tmp_path / ".lmops" / "drain.lock").mkdir()
    done = CliRunner().invoke(main, ["store", "compact", "--store", str(tmp_path)])
    assert done.exit_code == 1
    assert "drain.lock cannot be taken" in done.output
