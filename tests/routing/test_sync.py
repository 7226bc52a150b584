"""Routes as files under git: both ways, and errors with their line."""

from __future__ import annotations

import pytest


@pytest.fixture
def folder(routed, tmp_path):
    """A folder with the file of one route."""
    routed.routing.set("support", {"answer@1": 0.9, "answer@2": 0.1}, reason="first")
    routed.routing.sync(tmp_path / "routes")
    return tmp_path / "routes"


def status(report):
    """Return what happened to each route."""
    return {entry.name: entry.action for entry in report.entries}


def test_a_file_is_written_changed_and_becomes_a_version(routed, folder):
    """Which decides when somebody promotes it; the same again is nothing new."""
    path = folder / "support.yaml"
    assert status(routed.routing.sync(folder)) == {"support": "same"}
    path.write_text(path.read_text().replace("timeout_s: 30.0", "timeout_s: 5.0"))
    assert status(routed.routing.sync(folder)) == {"support": "saved"}
    assert (routed.routing.get("support").timeout_s, routed.routing.live("support").version) == (5.0, 1)


def test_what_both_changed_is_touched_by_neither(routed, folder):
    """The difference is shown; one side is taken when somebody says which."""
    path = folder / "support.yaml"
    path.write_text(path.read_text().replace("timeout_s: 30.0", "timeout_s: 5.0"))
    routed.routing.set("support", {"answer@1": 1})
    found = routed.routing.sync(folder)
    assert (status(found), "+timeout_s: 5.0" in found.entries[0].diff) == ({"support": "conflict"}, True)
    assert status(routed.routing.sync(folder, take={"support": "registry"})) == {"support": "written"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("arms: {a: {prompt: answer@1, weight: 1}}\ntimeout: 3\n", "line 2: no key named 'timeout'"),
        ("timeout_s: 3\narms: {a: {prompt: answer@1, weight: 0.5}}\n", "line 2: the weights of route"),
        ("arms: {a: {prompt: answer@9, weight: 1}}\n", "answer has no version 9"),
        ("arms: [\n", "it is no YAML"),
        ("- arms\n", "line 1: a route is a mapping"),
    ],
)
def test_what_is_no_route_is_a_problem_of_its_file(routed, folder, text, said):
    """The others are synced."""
    (folder / "other.yaml").write_text(text)
    found = {entry.name: entry for entry in routed.routing.sync(folder).entries}
    assert (found["other"].action, found["support"].action) == ("problem", "same")
    assert said in found["other"].detail
