"""``lmops retrieval``: settings in a shell."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from lmops.cli import main


@pytest.fixture
def run(ws):
    """Run a command; return its exit code and what it printed."""

    def run_it(*arguments):
        done = CliRunner().invoke(main, ["retrieval", *arguments, "--store", str(ws.store.path)])
        return done.exit_code, done.output

    return run_it


def test_settings_are_saved_shown_compared_moved_and_filed(run, tmp_path):
    """Out of a file; in words and as JSON."""
    path = tmp_path / "docs.yaml"
    path.write_text("settings: docs\nchunker: {name: sentences, size: 800}\n")
    assert run("save", "docs", str(path), "--reason", "first")[0] == 0
    path.write_text("chunker: {name: sentences, size: 400}\n")
    assert run("save", "docs", str(path), "--dry-run")[0] == 0
    assert run("save", "docs", str(path))[0] == 0
    assert run("diff", "docs", "1", "2") == (0, "chunker.size 800 -> 400\n")
    assert "docs" in run("list")[1]
    shown = json.loads(run("show", "docs@2", "--json")[1])
    assert (shown["ref"], shown["chunker"]["size"]) == ("docs@2", 400)
    assert run("fingerprint", "docs@2") == (0, f"{shown['fingerprint']}\n")
    assert run("promote", "docs", "1", "--to", "production")[0] == 0
    assert run("promote", "docs", "2", "--to", "production")[0] == 0
    assert run("rollback", "docs", "--reason", "worse")[0] == 0
    assert "production" in run("history", "docs")[1]
    assert "production=1" in run("list", "--json")[1]
    assert run("protect", "docs")[0] == 0
    assert run("verify")[0] == 0
    assert run("sync", str(tmp_path / "files"))[0] == 0
    assert "size: 400" in (tmp_path / "files" / "docs.yaml").read_text()
    path.write_text("chunkers: sentences\n")
    code, said = run("save", "docs", str(path))
    assert (code, "did you mean 'chunker'" in said) == (2, True)
