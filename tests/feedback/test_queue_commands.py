"""``lmops queue`` and ``lmops label-schema``: labelling from a shell."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from lmops.cli import main

A, B = "a" * 32, "b" * 32


@pytest.fixture
def lm(tmp_path):
    """Run a command on a store of its own; return its exit code and what it printed."""

    def run(*arguments):
        done = CliRunner().invoke(main, [*arguments, "--store", str(tmp_path / ".lmops")])
        return done.exit_code, done.output

    return run


def test_a_schema_is_read_from_a_file(lm, tmp_path):
    """And shown with its keys; without a file it is pass or fail."""
    assert lm("label-schema", "save", "plain")[1].startswith("plain@1\n  verdict (pass fail, required)")
    path = tmp_path / "fields.json"
    path.write_text(json.dumps([{"name": "tone", "kind": "scale", "high": 3}]))
    assert lm("label-schema", "save", "support", "--fields", str(path))[0] == 0
    assert "tone (scale) - 1 [1], 2 [2], 3 [3]" in lm("label-schema", "get", "support")[1]
    path.write_text("{")
    assert lm("label-schema", "save", "support", "--fields", str(path))[0] == 2
    assert [row["name"] for row in json.loads(lm("label-schema", "list", "--json")[1])] == ["plain", "support"]


def test_a_queue_is_worked_through(lm):
    """Opened, handed out, labelled, undone, decided, closed."""
    lm("label-schema", "save", "support")
    code, out = lm("queue", "open", "q", f"{A},{B}", "--schema", "support", "--overlap", "1")
    assert (code, "2 items (2 added) under support@1; 2 raters for 100" in out) == (0, True)
    assert lm("queue", "next", "q", "--rater", "ann")[1] == f"item 1 of q, {A}\n"
    assert lm("queue", "label", "q", "1", "--value", "verdict=pass", "--rater", "ann")[1] == "label of item 1: kept\n"
    lm("queue", "label", "q", A, "--value", 'verdict={"value": "fail", "critique": "rude"}', "--rater", "bob")
    assert json.loads(lm("queue", "disagreements", "q", "--json")[1])[0]["field"] == "verdict"
    lm("queue", "note", "q", "2", "odd", "--rater", "ann")
    assert lm("queue", "undo", "q", "--rater", "ann")[1] == "undo of item 2: kept\n"
    assert "decided by mara" in lm("queue", "adjudicate", "q", "1", "--value", "verdict=fail", "--actor", "mara")[1]
    assert "queue q: 1 of 2 items done" in lm("queue", "progress", "q")[1]
    assert json.loads(lm("queue", "close", "q", "--json")[1])["status"] == "closed"
    assert lm("queue", "skip", "q", "2", "--rater", "ann")[0] == 1
    assert [row["queue"] for row in json.loads(lm("queue", "list", "--json")[1])] == ["q"]


def test_raters_are_held_to_known_answers(lm, tmp_path):
    """From a file; what is no JSON is refused; asked again and derived anew from a shell as well."""
    lm("label-schema", "save", "support")
    lm("queue", "open", "q", f"{A},{B}", "--schema", "support", "--order", "random", "--seed", "3")
    path = tmp_path / "known.json"
    path.write_text(json.dumps({"c" * 32: {"verdict": "pass"}}))
    assert "3 items (1 added)" in lm("queue", "gold", "q", str(path), "--share", "0.5")[1]
    assert lm("queue", "gold", "q", str(path), "--share", "2")[0] == 2
    for _ in range(3):
        position = json.loads(lm("queue", "next", "q", "--rater", "ann", "--json")[1])["position"]
        lm("queue", "label", "q", str(position), "--value", "verdict=pass", "--rater", "ann")
    assert "1 known answers asked of 1 raters" in lm("queue", "accuracy", "q")[1]
    assert json.loads(lm("queue", "accuracy", "q", "--json")[1])["raters"][0]["right"] == 1
    assert "0 added" not in lm("queue", "ask-again", "q")[1]
    assert lm("queue", "rebuild")[1] == "derived anew: q\n"
    assert "2 of 2 items done" in lm("queue", "progress", "q")[1]
    path.write_text("{")
    assert lm("queue", "gold", "q", str(path))[0] == 2
