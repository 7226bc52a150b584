"""The command line: every command has help, exit codes hold, JSON is JSON."""

import json

import click
import pytest
from click.testing import CliRunner

import lmops
from lmops.cli import main
from lmops.sample import data_dir


def run(*words, code=0):
    found = CliRunner().invoke(main, [str(word) for word in words])
    assert found.exit_code == code, (found.output, found.exception)
    return found.output


def commands(group=main, path=()):
    for name, command in sorted(group.commands.items()):
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        yield (*path, name), command


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("cli") / "store"
    first = min((data_dir() / "traces").glob("*.jsonl.gz"))
    run("ingest", first, "--store", path)
    return path


@pytest.mark.parametrize(("path", "command"), [pytest.param(*found, id=" ".join(found[0])) for found in commands()])
def test_every_command_and_option_has_help(path, command):
    """Nothing is left for the reader to guess."""
    assert command.help, path
    assert run(*path, "--help")


def test_ingest_reports_what_it_added(store):
    """The second time everything is a duplicate; --json gives the same numbers."""
    first = min((data_dir() / "traces").glob("*.jsonl.gz"))
    report = json.loads(run("ingest", first, "--store", store, "--json"))
    assert (report["spans"], report["rejected_count"]) == (0, 0)
    assert report["duplicates"] > 100


def test_ingest_of_nothing_is_a_usage_error(store, tmp_path):
    """A file that is not there ends with code 2 and one line."""
    assert "no file matches" in run("ingest", tmp_path / "x", "--store", store, code=2)


def test_a_bad_file_with_raise_fails(store, tmp_path):
    """A record that cannot be read ends with code 1."""
    (tmp_path / "bad.jsonl").write_text("{broken\n", encoding="utf-8")
    assert "bad.jsonl:1" in run("ingest", tmp_path / "bad.jsonl", "--on-error", "raise", "--store", store, code=1)


def test_a_file_of_which_nothing_can_be_read_fails(tmp_path):
    """Garbage ends with code 1; an empty file, or one of several, with 0."""
    line = '{"resourceSpans":[]}\n'
    for name, content, code in (("bin", "\0\1\2", 1), ("broken", line + "{broken\n", 1), ("empty", "", 0)):
        (tmp_path / name).write_text(content, encoding="utf-8")
        run("ingest", tmp_path / name, "--store", tmp_path / "store", code=code)
    first = min((data_dir() / "traces").glob("*.jsonl.gz"))
    run("ingest", first, tmp_path / "bin", "--store", tmp_path / "store")


@pytest.mark.parametrize("words", [("search",), ("show", "ab"), ("sql", "select 1"), ("store", "check")], ids=str)
def test_looking_makes_no_store(tmp_path, monkeypatch, words):
    """In the wrong folder a command that only looks says so and leaves the folder as it is."""
    monkeypatch.chdir(tmp_path)
    assert "there is no store" in run(*words, code=2)
    assert list(tmp_path.iterdir()) == []


def test_search_show_and_sql(store):
    """Traces can be found, opened and counted from a shell."""
    found = json.loads(run("search", "call_count > 0", "--limit", 3, "--store", store, "--json"))
    assert len(found) == 3
    assert found[0]["trace_id"] in run("search", "--limit", 1, "--store", store)
    assert found[0]["name"] in run("show", found[0]["trace_id"][:12], "--store", store)
    pair = [one["trace_id"] for one in found[:2]]
    assert "  latency     " in run("trace", "diff", *pair, "--store", store)
    differs = json.loads(run("trace", "diff", *pair, "--store", store, "--json"))
    assert [differs["left"], differs["right"]] == pair
    assert {"difference", "left_cost_usd", "differs"} <= differs["spans"][0].keys()
    counted = json.loads(run("sql", "select count(*) as n from traces", "--store", store, "--json"))
    assert counted[0]["n"] > 50
    assert "did you mean 'latency_ms'" in run("search", "latencyms > 1", "--store", store, code=2)
    assert "one read-only SELECT" in run("sql", "drop table traces", "--store", store, code=2)


def test_text_from_traces_cannot_drive_the_terminal(tmp_path):
    """Escape sequences in names are not printed."""
    span = {
        "traceId": "1" * 32,
        "spanId": "2" * 16,
        "name": "\x1b]0;owned\x07evil",
        "startTimeUnixNano": "1794000000000000000",
        "endTimeUnixNano": "1794000000000000001",
    }
    with lmops.open(tmp_path / "s") as ws:
        ws.traces.ingest(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode())
    for words in (["search"], ["show", "1111"]):
        assert "\x1b" not in run(*words, "--store", tmp_path / "s")


def test_looking_after_the_store(store, tmp_path):
    """stats, check, compact, backup and export work and say where."""
    assert json.loads(run("store", "stats", "--store", store, "--json"))["traces"] > 50
    assert "ok" in run("store", "check", "--store", store)
    assert "merged" in run("store", "compact", "--store", store)
    assert run("store", "backup", tmp_path / "copy", "--store", store).startswith(f"{tmp_path / 'copy'}: ")
    assert "ok" in run("store", "check", "--store", tmp_path / "copy")
    run("store", "export", tmp_path / "all.duckdb", "--store", store)
    assert (tmp_path / "all.duckdb").is_file()
    assert "is there already" in run("store", "export", tmp_path / "all.duckdb", "--store", store, code=2)
    assert "positive number of days" in run("store", "retain", "--days", 0, "--store", store, code=2)


def test_a_damaged_store_fails_the_check(tmp_path):
    """A missing segment ends with code 1 and is named."""
    path = tmp_path / "store"
    run("ingest", min((data_dir() / "traces").glob("*.jsonl.gz")), "--store", path)
    gone = next((path / "segments" / "spans").rglob("*.parquet"))
    gone.unlink()
    assert gone.name in run("store", "check", "--store", path, code=1)


def test_the_audit_chain_is_verified(store):
    """An intact chain passes."""
    assert "ok" in run("audit", "verify", "--store", store)
