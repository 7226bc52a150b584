"""What the system refuses is said in words of ours, with the way out: full disks, limits, locks, rights."""

from __future__ import annotations

import errno
import json
import sqlite3
import subprocess
import sys

import pytest

import lmops
from lmops.errors import LmopsError, ReadOnlyError, StoreError, StoreFullError, of_system, system_in_words
from lmops.store import restore
from lmops.store._meta import in_words
from tests.rights import unwritable

#: Every verb that writes, with files that may have no more than 20,000 bytes, or with one file more than may be open:
#: each limit and state in a process of its own, forked from one that has loaded everything.
_TRY = """
import importlib, json, os, pkgutil, resource, shutil, signal, sys
import jinja2.meta, jinja2.sandbox
import lmops
from lmops.store import rescue, restore
for module in pkgutil.walk_packages(lmops.__path__, "lmops."):
    if "__main__" not in module.name:
        importlib.import_module(module.name)
for limit, state in json.loads(sys.argv[3]):
    print("#", limit, state, flush=True)
    path = f"{sys.argv[1]}/{limit}-{state}/store/.lmops"
    if not (child := os.fork()):
        break
    os.waitpid(child, 0)
else:
    sys.exit(0)
ws = lmops.open(path)
ws.datasets.save("d", [{"input": "a" * 50, "expected": str(n)} for n in range(3)])
ws.store.load(json.loads(sys.argv[2]))
verbs = {
    "dataset": lambda: ws.datasets.save("big", [{"input": "b" * 1000 + str(n)} for n in range(100)]),
    "prompt": lambda: ws.prompts.save("p", "x" * 100_000),
    "sync": lambda: ws.prompts.sync(path + "/../prompts"),
    "blob": lambda: ws.store.blobs.put(b"z" * 100_000),
    "backup": lambda: ws.store.backup(path + "/../backup"),
    "export": lambda: ws.store.export(path + "/../export"),
    "export to one file": lambda: ws.store.export(path + "/../export.duckdb"),
    "export a dataset": lambda: ws.datasets.export("d", path + "/../d.jsonl"),
    "export the chain": lambda: ws.audit.export(path + "/../a.jsonl"),
    "anchor": lambda: ws.audit.anchor(file=path + "/../anchors"),
    "compact": lambda: ws.store.compact(),
    "retain": lambda: ws.store.retain(days=10_000),
    "open": lambda: lmops.open(path + "/../other").close(),
    "open again and ask": lambda: lmops.open(path).sql("select count(*) from spans").fetchall(),
    "ask": lambda: ws.sql("select count(*), max(name) from spans").df(),
    "search": lambda: ws.traces.search("name = 'c1'"),
    "ingest": lambda: ws.traces.ingest(path + "/../in.jsonl", progress=False),
    "price": lambda: ws.models.set_price("m", input_usd_per_mtok=1, output_usd_per_mtok=1),
    "check": lambda: ws.store.check(repair=True),
    "erase": lambda: ws.erase(user_id="nobody", reason="asked", dry_run=False),
    "rescue": lambda: rescue(path + "/../lost"),
    "restore": lambda: restore(path + "/../kept", path + "/../restored"),
}
ws.store.backup(path + "/../kept")
shutil.copytree(path, path + "/../lost", ignore=shutil.ignore_patterns("meta.*"))
with open(path + "/../in.jsonl", "w") as file:
    file.write('{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"%s","spanId":"%s","name":"x"}]}]}]}' % (
        "7" * 32, "7" * 16))
with open(path + "/../anchors", "w") as file:
    file.write(("x" * 100 + "\\n") * 198)  # the next line does not fit
count = ws.sql("select count(*) from spans").fetchall() if state == "used" else [(8,)]
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
if limit == "size":
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
else:
    more = int(limit.removeprefix("files+"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) - 1 + more, hard))
for name, verb in verbs.items():
    try:
        verb()
    except lmops.LmopsError as error:
        print("ours", name, type(error).__name__)
    except OSError as error:
        print("raw", name, error)
    except Exception as error:
        print("raw", name, type(error).__name__, error)
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
found = ws.sql("select count(*) from spans where name <> 'x'").fetchall()
problems = [one for one in ws.store.check().problems if "cut short" not in one]
print("whole" if found == count and not problems else f"raw {found} instead of {count}: {problems}")
sys.stdout.flush()
os._exit(0)
"""


LIMITED = [(limit, state) for limit in ("size", "files+0", "files+1", "files+3") for state in ("used", "new")]


@pytest.fixture(scope="module")
def tried(tmp_path_factory):
    """What every verb came to under each limit, line by line, and what went wrong beside it."""
    from .helpers import trace_of

    folder = tmp_path_factory.mktemp("limited")
    command = [sys.executable, "-c", _TRY, str(folder), json.dumps(trace_of("t")), json.dumps(LIMITED)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    parts = [part.splitlines() for part in done.stdout.split("# ")[1:]]
    return {tuple(lines[0].split()): lines[1:] for lines in parts}, done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="limits of a process as Linux has them")
@pytest.mark.parametrize(("limit", "state"), LIMITED)
def test_no_verb_lets_an_error_of_the_system_out(tried, limit, state):
    """Files that may not grow, or not be opened: every verb says it in words or succeeds, and nothing is missed after.

    A file that this process may not open must not be taken for damaged.
    """
    lines, error = tried[0][limit, state], tried[1]
    assert [line for line in lines if line.startswith("raw")] == [], (lines, error)
    assert lines[-1:] == ["whole"], (lines, error)
    assert any(line.startswith("ours") for line in lines), (lines, error)


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


def _opened(verb, **options):
    def done(path, target):
        with lmops.open(path, **options) as ws:
            return verb(ws, target)

    return done


_WITHOUT_RIGHTS = {
    "prompt": _opened(lambda ws, _: ws.prompts.save("p", "Hello")),
    "check": _opened(lambda ws, _: ws.store.check(repair=True)),
    "erase": _opened(lambda ws, _: ws.erase(user_id="nobody", reason="asked", dry_run=False)),
    "backup": _opened(lambda ws, target: ws.store.backup(target), read_only=True),
    "export": _opened(lambda ws, target: ws.store.export(target), read_only=True),
    "export of a dataset": _opened(lambda ws, target: ws.datasets.export("d", target / "d.jsonl"), read_only=True),
    "anchor": _opened(lambda ws, target: ws.audit.anchor(file=target.with_name("anchors")), read_only=True),
    "restore": lambda path, target: restore(path.parent / "kept", target),
}


@pytest.mark.parametrize("verb", _WITHOUT_RIGHTS)
def test_without_rights_every_verb_says_so(tmp_path, verb):
    """Neither the store nor the folder that is written to may be written: an error of ours names what it was."""
    for name in ("warm", "cold"):
        with lmops.open(tmp_path / name / ".lmops") as ws:
            ws.datasets.save("d", [{"input": "a"}])
            ws.store.backup(tmp_path / name / "kept")
    # As the owner first: what is loaded when it is needed is there then.
    _WITHOUT_RIGHTS[verb](tmp_path / "warm" / ".lmops", tmp_path / "warm" / "new")
    with unwritable(tmp_path / "cold"), pytest.raises(LmopsError, match=r"cannot be|could not be"):
        _WITHOUT_RIGHTS[verb](tmp_path / "cold" / ".lmops", tmp_path / "cold" / "new")


def test_a_full_disk_is_told_from_a_broken_one():
    """SQLite says of the index of its log that it is an error of the disk."""
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_SHMSIZE
    with pytest.raises(StoreFullError, match="free some space"), in_words("the place"):
        raise error
