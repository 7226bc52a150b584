"""``lmops incident``: from an alert to a post-mortem in a shell."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from lmops.cli import main
from tests.monitors.traffic import add, day, sessions


@pytest.fixture
def run(broken_ws):
    """Return what runs a command on the store, and returns its exit code and output."""

    def call(*words):
        found = CliRunner().invoke(main, ["incident", *words, "--store", str(broken_ws.store.path)])
        return found.exit_code, found.output

    return call


def test_from_an_alert_to_a_post_mortem(run, broken_ws):
    """Each step with its exit code."""
    assert run("open", "1", "--reason", "it pages")[0] == 0
    assert "prompt version: answer@1" in run("show", "1")[1]
    code, said = run("act", "1", "roll_back", "-p", "prompt=answer", "--json")
    plan = json.loads(said)
    assert (code, plan["state"], plan["then"]) == (0, "planned", {"answer@production": 1})
    do = ("act", "1", "roll_back", "-p", "prompt=answer", "--do", "--reason", "it fails", "--seen")
    assert run(*do, "other")[0] == 1
    assert "roll_back: done" in run(*do, plan["seen"])[1]
    assert run("resolve", "1")[0] == 2
    assert run("verify", "1", "--since", "2026-03-07T12:00", "--until", "2026-03-07T13:00")[0] == 3
    add(broken_ws, sessions(day(5, 12), day(8), name="c"))
    assert run("verify", "1", "--since", "2026-03-07T12:00", "--until", "2026-03-10")[0] == 0
    assert run("note", "1", "all is well")[0] == 0
    assert "all is well" in run("timeline", "1")[1]
    assert run("postmortem", "1")[1].startswith("# Post")


def test_lists_say_what_is_there(run):
    """Nothing at first; one that is open is listed."""
    assert "no incidents" in run("list")[1]
    run("open", "answers cite no sources")
    assert "answers cite no sources" in run("list", "--status", "unresolved")[1]
    assert "roll_back" in run("actions")[1]
    assert run("show", "9")[0] == 2


def test_a_policy_comes_from_a_file(run, broken_ws, tmp_path):
    """Who is told when nobody acts; the sink cannot be reached: exit code 1."""
    broken_ws.monitors.sinks.save("ops", kind="webhook", url="http://127.0.0.1:9/")
    (tmp_path / "p.json").write_text('[{"severity": 1, "after": "1m", "who": "mara", "sink": "ops"}]')
    (tmp_path / "bad.json").write_text("{}")
    assert "mara" in run("set-policy", str(tmp_path / "p.json"))[1]
    assert run("set-policy", str(tmp_path / "bad.json"))[0] == 2
    assert run("escalate")[0] == 0
    run("open", "1")
    assert run("escalate", "--at", "2027-01-01")[0] == 1
    assert "mara" in run("policy")[1]
