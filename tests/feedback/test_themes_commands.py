"""``lmops feedback themes``: error analysis from a shell."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

import lmops
from lmops.cli import main
from tests.feedback.notes import noted


@pytest.fixture
def themes(tmp_path):
    """Run a command on a store with six notes; return its exit code and what it printed."""
    with lmops.open(tmp_path / ".lmops", actor="ann") as ws:
        noted(ws)

    def run(command, *arguments):
        given = ["feedback", "themes", command, "q", *arguments, "--store", str(tmp_path / ".lmops")]
        done = CliRunner().invoke(main, given)
        return done.exit_code, done.output

    return run


def test_notes_are_sorted_in_a_shell(themes):
    """Made, moved, renamed, described, split, merged, taken off, removed, taken back."""
    notes = [row["note"] for row in json.loads(themes("notes", "--json")[1])]
    assert themes("make", "fares", "--note", notes[0], "--actor", "ann")[1] == "mode 1 of q, fares: 1 note on 1 item\n"
    assert json.loads(themes("assign", *notes[1:4], "fares", "--json")[1])["notes"] == 4
    assert themes("split", "1", "rude", "--note", notes[3])[1].startswith("mode 2 of q, rude: 1 note ")
    assert themes("rename", "rude", "tone")[0] == 0
    assert themes("describe", "tone", "It hurts.")[1].endswith("It hurts.\n")
    assert len(json.loads(themes("notes", "--mode", "fares", "--json")[1])) == 3
    assert themes("take-off", notes[0], notes[5])[1] == "1 taken out of their modes\n"
    assert "fares" in themes("list")[1]
    assert "3 notes" in themes("merge", "fares", "--mode", "2")[1]
    assert json.loads(themes("undo", "--json")[1]) == {"undone": "merge of 1 note"}
    assert themes("remove", "2")[0] == 0
    assert themes("rename", "2", "x")[0] == 2


def test_what_comes_of_it_is_printed(themes):
    """Groups, figures, a new version of the schema, a scorer that compiles; as JSON too."""
    notes = [row["note"] for row in json.loads(themes("notes", "--json")[1])]
    assert json.loads(themes("suggest", "--n", "2", "--json")[1])["modes"][0]["notes"] == notes[:3]
    assert "silhouette" in themes("suggest", "--model", "standin:embed-1")[1]
    themes("make", "fares", "--note", notes[0])
    rows = json.loads(themes("pivot", "--by", "version", "--by", "topic", "--json")[1])["rows"]
    assert rows[0]["failure_mode"] == "fares"
    assert "items chosen" in themes("pivot")[1]
    assert json.loads(themes("to-category", "fares", "support", "--json")[1])["version"] == 2
    compile(themes("to-scorer", "fares", "--kind", "code")[1], "stub", "exec")
    compile(json.loads(themes("to-scorer", "1", "--json")[1])["text"], "stub", "exec")
    assert themes("pivot", "--by", "versoin")[0] == 2
