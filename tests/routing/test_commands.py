"""``lmops route``: routes in a shell."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from lmops.cli import main


@pytest.fixture
def run(routed):
    """Run a command; return its exit code and what it printed."""

    def run_it(*arguments):
        done = CliRunner().invoke(main, ["route", *arguments, "--store", str(routed.store.path)])
        return done.exit_code, done.output

    return run_it


def test_a_route_is_set_shown_and_asked(run):
    """Out of prompts with their shares; in words and as JSON."""
    assert run("set", "support", "answer@1=0.9", "answer@2=0.1", "--reason", "start")[0] == 0
    assert "90.0 %" in run("show", "support")[1]
    assert "support" in run("list")[1]
    code, said = run("choose", "support", "u1", "--context", "segment=vip")
    assert (code, "answer@1 (assigned, support@1): prompt answer@1" in said) == (0, True)
    assert json.loads(run("choose", "support", "u1", "--json")[1])["settings"]["prompt"] == "answer@1"


def test_a_route_is_set_out_of_a_file(run, tmp_path):
    """As a sync writes it; what cannot be used ends with 2."""
    path = tmp_path / "support.yaml"
    path.write_text("route: support\narms:\n  a: {prompt: answer@1, weight: 1}\n")
    assert run("set", "support", str(path))[0] == 0
    code, said = run("set", "support", "answer@1=0.9", "answer@2=0.2")
    assert (code, "add up to 1.1 and not to 1" in said) == (2, True)
    assert run("set", "support", "answer@1=most")[0] == 2
    assert run("set", "support", str(tmp_path / "nothing.yaml"))[0] == 2


def test_switches_and_moves(run):
    """Off, on, promoted, rolled back, compared, verified."""
    for arm in ("answer@1=1", "answer@2=1"):
        run("set", "support", arm)
    assert "is off" in run("kill", "support", "answer@2", "--reason", "leaks")[1]
    assert run("choose", "support", "u1")[0] == 2
    assert "is on" in run("revive", "support", "answer@2", "--reason", "mended")[1]
    assert run("rollback", "support", "--reason", "worse")[0] == 0
    assert "answer@1" in run("choose", "support", "u1")[1]
    assert "arms.answer@2.weight" in run("diff", "support", "1", "2")[1]
    assert run("verify")[0] == 0
