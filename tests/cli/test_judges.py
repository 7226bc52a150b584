"""``lmops judge``: versions of judges in a shell."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

import lmops
from lmops.cli import main
from lmops.scorers import judge, with_examples


@pytest.fixture
def run(tmp_path):
    """Run a command on a store with two versions of a judge; return exit code and output."""
    with lmops.open(tmp_path / ".lmops", actor="ann") as ws:
        polite = judge("polite", "Is it polite?", model="standin:judge-1")
        ws.judges.save(polite)
        ws.judges.save(with_examples(polite, [{"output": "Buy!", "verdict": "fail"}]))

    def run_it(*arguments):
        done = CliRunner().invoke(main, ["judge", *arguments, "--store", str(tmp_path / ".lmops")])
        return done.exit_code, done.output

    return run_it


def test_versions_are_listed_shown_and_compared(run):
    """In words and as JSON."""
    assert "polite" in run("list")[1]
    assert "Is it polite?" in run("show", "polite@1")[1]
    assert len(json.loads(run("versions", "polite", "--json")[1])) == 2
    shown = json.loads(run("show", "polite@2", "--json")[1])
    assert (shown["ref"], len(shown["options"]["few_shot"])) == ("polite@2", 2)
    code, said = run("diff", "polite", "1", "2", "--json")
    assert (code, {line["kind"] for line in json.loads(said)["lines"]}) == (0, {"added"})
    assert "polite@1 -> polite@2" in run("diff", "polite", "1", "2")[1]
    assert run("show", "rude")[0] == 2


def test_an_alias_moves_and_comes_back(run):
    """Promoted, looked back at, rolled back, protected, verified."""
    for version in ("1", "2"):
        assert run("promote", "polite", version, "--to", "production")[0] == 0
    assert run("rollback", "polite", "--reason", "too strict")[0] == 0
    assert [one["to"] for one in json.loads(run("history", "polite", "--json")[1])] == [1, 2, 1]
    assert "protected" in run("protect", "polite")[1]
    code, said = run("promote", "polite", "2", "--to", "production")
    assert code == 2
    assert "ws.feedback.improve(judge)" in said
    assert run("verify")[0] == 0
