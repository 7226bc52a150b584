"""``lmops feedback``: the verbs as commands."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from lmops.cli import main

A = "a" * 32


@pytest.fixture
def lm(tmp_path):
    """Run a command on a store of its own; return its exit code and what it printed."""

    def run(*arguments):
        done = CliRunner().invoke(main, ["feedback", *arguments, "--store", str(tmp_path / ".lmops")])
        return done.exit_code, done.output

    return run


def test_a_signal_is_recorded_and_listed(lm):
    """As text and as JSON."""
    assert lm("record", A, "--value", "down", "--user", "u", "--comment", "too long") == (
        0,
        f"thumb down 'too long' by u on trace {A}: kept; it waits: this trace is not in the store yet\n",
    )
    code, out = lm("record", "--session-id", "s", "--value", "4", "--name", "rating", "--scale", "1,5", "--json")
    assert (code, json.loads(out)["number"], json.loads(out)["change"]) == (0, 4.0, "new")
    assert [row["value"] for row in json.loads(lm("list", "--json")[1])] == ["4", "down"]
    assert [row["target"] for row in json.loads(lm("waiting", "--json")[1])] == ["session", "trace"]
    assert "u" in lm("list", "--user", "u", "--history")[1]


def test_a_file_is_imported(lm, tmp_path):
    """With a map; what was rejected is printed, and nothing read is an error."""
    path = tmp_path / "votes.csv"
    path.write_text(f"T,S\n{A},5\n{A},9\nx,1\n")
    command = ("import", str(path), "--map", "trace_id=T", "--map", "value=S", "--name", "rating", "--scale", "1,5")
    code, out = lm(*command)
    assert (code, out.splitlines()[0]) == (0, "signals: 1 new, 1 that wait for their trace, 2 rejected")
    assert "votes.csv, line 3: rating: 9 is outside its scale of 1 to 5" in out
    path.write_text("T,S\nx,1\n")
    code, out = lm(*command, "--json")
    assert (code, json.loads(out)["rejected_count"]) == (1, 1)


def test_figures(lm):
    """Without any interval too, and as JSON."""
    lm("record", A, "--value", "up")
    code, out = lm("stats", "--every", "all", "--json")
    assert (code, json.loads(out)["traces"]) == (0, 0)
    assert lm("stats", "thump")[0] == 2
    assert lm("gather") == (0, "signals: nothing\n")


def test_wrong_options_are_refused(lm):
    """With exit code 2."""
    assert lm("record", A, "--value", "meh")[0] == 2
    assert lm("record", A, "--value", "4", "--name", "r", "--scale", "five")[0] == 2
    assert lm("record", A)[0] == 2
