"""Datasets from a shell: rows in, versions, what changed, rows out; traces as examples."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

import lmops
from lmops.cli import main

ROWS = [{"id": "a", "input": "Dogs?", "expected": "Free."}, {"id": "b", "input": "Cats?", "expected": "Free."}]


@pytest.fixture
def run(tmp_path):
    """Return a function that runs a command on one store and returns what it printed."""

    def run(*words, code=0):
        found = CliRunner().invoke(main, [*map(str, words), "--store", str(tmp_path / "store")])
        assert found.exit_code == code, (found.output, found.exception)
        return found.output

    return run


@pytest.fixture
def file(tmp_path):
    """Return a function that writes rows to a file."""

    def write(rows):
        path = tmp_path / "rows.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path

    return write


def test_rows_become_a_version_once(run, file):
    """The same content again is the same version; what was found is said."""
    first = json.loads(run("dataset", "save", "golden", file(ROWS), "--note", "first", "--json", "--actor", "ada"))
    assert (first["ref"], first["count"], first["author"], first["report"]["is_new"]) == ("golden@1", 2, "ada", True)
    assert "known content" in run("dataset", "save", "golden", file(ROWS))
    assert "golden" in run("dataset", "list")
    assert [row["version"] for row in json.loads(run("dataset", "versions", "golden", "--json"))] == [1]


def test_columns_can_be_named(run, file):
    """Several columns of input are an object; a column that is not there is an error."""
    rows = [{"q": "Dogs?", "lang": "en", "key": "x"}]
    run("dataset", "save", "golden", file(rows), "--input", "q", "--input", "lang", "--id", "key")
    (example,) = json.loads(run("dataset", "show", "golden", "--json"))["examples"]
    assert (example["example_id"], example["input"]) == ("x", {"q": "Dogs?", "lang": "en"})
    assert "colour" in run("dataset", "save", "golden", file(rows), "--input", "colour", code=2)


def test_versions_are_shown_compared_and_written(run, file, tmp_path):
    """What changed from one to the other, and a file that can be saved again."""
    run("dataset", "save", "golden", file(ROWS))
    run("dataset", "add", "golden", file([{"id": "b", "input": "Cats?", "expected": "5 euros."}]))
    assert "1 changed" in run("dataset", "diff", "golden@1", "golden@2")
    (row,) = json.loads(run("dataset", "diff", "golden@1", "golden@2", "--json"))["rows"]
    assert (row["field"], row["before"], row["after"]) == ("expected", "Free.", "5 euros.")
    assert "... and 1 more" in run("dataset", "show", "golden@1", "--limit", 1)
    written = tmp_path / "out.jsonl"
    assert run("dataset", "export", "golden@1", written).startswith(f"{written}: 2 examples of golden@1")
    assert json.loads(run("dataset", "save", "copy", written, "--json"))["count"] == 2


def test_splits_and_tags(run, file):
    """Shares as NAME=SHARE; tags come and go; what is no share is an error of ours."""
    run("dataset", "save", "golden", file(ROWS))
    assert "golden@2" in run("dataset", "split", "golden", "dev=0.5", "test=0.5")
    run("dataset", "tag", "golden", "a", "--add", "hard", "--add", "dogs")
    found = json.loads(run("dataset", "show", "golden", "--json"))["examples"]
    assert ({one["split"] for one in found} <= {"dev", "test"}, found[0]["tags"]) == (True, ["dogs", "hard"])
    assert "'half' is not a share: write NAME=VALUE" in run("dataset", "split", "golden", "half", code=2)
    assert "could not convert" in run("dataset", "split", "golden", "dev=half", code=2)


def test_traces_become_examples(run, tmp_path):
    """By their ids or by a condition; the session is the cluster."""
    span = {
        "traceId": "1" * 32, "spanId": "2" * 16, "name": "ask", "startTimeUnixNano": "1794000000000000000",
        "endTimeUnixNano": "1794000000000000001",
        "attributes": [{"key": "input.value", "value": {"stringValue": "Dogs?"}},
                       {"key": "output.value", "value": {"stringValue": "Free."}}],
    }  # fmt: skip  # keys that belong together share a line
    with lmops.open(tmp_path / "store") as ws:
        ws.traces.ingest(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode())
    assert "golden@1" in run("dataset", "add-traces", "golden", "--where", "name = 'ask'")
    assert "known content" in run("dataset", "add-traces", "golden", "1" * 32)
    assert "no trace satisfies" in run("dataset", "add-traces", "golden", "--where", "name = 'no'", code=2)
    assert "give TRACE_IDS, or --where" in run("dataset", "add-traces", "golden", code=2)


def test_hostile_rows_cannot_drive_the_terminal(run, file):
    """Text of examples is spelled out."""
    run("dataset", "save", "golden", file([{"id": "\x1b[31m", "input": "\x1b]0;owned\x07", "expected": "\u202e"}]))
    for words in (["show", "golden"], ["list"], ["versions", "golden"]):
        found = run("dataset", *words)
        assert not {"\x1b", "\u202e", "\x07"} & set(found)


def test_looking_needs_a_store(run):
    """Nothing is made by a look."""
    assert "there is no store" in run("dataset", "list", code=2)


def test_an_alias_moves_and_comes_back(run, file):
    """Promoted, protected, looked back on, rolled back; what is shown by its alias is the version."""
    run("dataset", "save", "golden", file(ROWS))
    run("dataset", "save", "golden", file(ROWS[:1]))
    for version in (1, 2):
        run("dataset", "promote", "golden", version, "--to", "release", "--reason", "checked", "--actor", "ada")
    assert "golden@release is protected" in run("dataset", "protect", "golden", "release")
    assert "protected" in run("dataset", "promote", "golden", 1, "--to", "release", code=2)
    assert json.loads(run("dataset", "show", "golden@release", "--json"))["ref"] == "golden@2"
    moved = json.loads(run("dataset", "rollback", "golden", "--alias", "release", "--reason", "wrong", "--json"))
    assert (moved["from_version"], moved["to_version"]) == (2, 1)
    assert len(json.loads(run("dataset", "history", "golden", "--json"))) == 3
    assert json.loads(run("dataset", "verify", "--json")) == {"ok": True, "problems": []}
