"""Monitors as files under git: both ways, and errors with their line."""

from __future__ import annotations

import pytest


@pytest.fixture
def folder(ws, tmp_path):
    """A folder with the file of one monitor."""
    ws.monitors.save("errors", metric="error_rate", by="service", owner="ann", reason="first")
    ws.monitors.sync(tmp_path / "monitors")
    return tmp_path / "monitors"


def status(report):
    """Return what happened to each monitor."""
    return {entry.name: entry.action for entry in report.entries}


def test_a_file_is_written_changed_and_becomes_a_version(ws, folder):
    """The same again is nothing new."""
    path = folder / "errors.yaml"
    assert "metric: error_rate" in path.read_text()
    assert status(ws.monitors.sync(folder)) == {"errors": "same"}
    path.write_text(path.read_text().replace("owner: ann", "owner: bob"))
    assert status(ws.monitors.sync(folder)) == {"errors": "saved"}
    assert (ws.monitors.get("errors").owner, ws.monitors.get("errors").version) == ("bob", 2)
    assert "version: 2" in path.read_text()


def test_a_short_file_has_the_defaults_of_save(ws, folder):
    """What it does not say is what save would take."""
    (folder / "slow.yaml").write_text("metric: latency_p95\n")
    assert status(ws.monitors.sync(folder))["slow"] == "saved"
    assert ws.monitors.get("slow").hash == ws.monitors.save("slow", metric="latency_p95").hash


def test_what_both_changed_is_touched_by_neither(ws, folder):
    """The difference is shown; one side is taken when somebody says which."""
    path = folder / "errors.yaml"
    path.write_text(path.read_text().replace("owner: ann", "owner: bob"))
    ws.monitors.save("errors", metric="error_rate", by="service", owner="cem")
    found = ws.monitors.sync(folder)
    assert status(found) == {"errors": "conflict"}
    assert '+owner: "bob"' in found.entries[0].diff
    assert status(ws.monitors.sync(folder, take={"errors": "registry"})) == {"errors": "written"}
    assert "owner: cem" in path.read_text()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("metric: error_rate\nsevertiy: page\n", "line 2: no key named 'severtiy'"),
        ("severity: page\n", "line 1: a monitor says its metric"),
        ("method: detector\nmetric: eror_rate\n", "line 2: "),
        ("metric: error_rate\n\nwindow: soon\n", "line 3: "),
        ("metric: error_rate\nwhere: nosuch > 1\n", "nosuch"),
        ("metric: [\n", "it is no YAML"),
        ("- metric\n", "line 1: a monitor is a mapping"),
        ("metric: error_rate\nevery: often\n", "line 2: "),
        ("metric: 7\n", "line 1: "),
    ],
)
def test_what_is_no_monitor_is_a_problem_with_its_line(ws, folder, text, said):
    """The others are synced; nothing is saved of it."""
    (folder / "bad.yaml").write_text(text)
    entries = {entry.name: entry for entry in ws.monitors.sync(folder).entries}
    assert (entries["bad"].action, entries["errors"].action) == ("problem", "same")
    assert said in entries["bad"].detail
    assert ws.monitors.names() == ["errors"]
