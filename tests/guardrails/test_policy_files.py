"""Policies as files under git: both ways, and errors with their line."""

from __future__ import annotations

import pytest


def status(report):
    """Return what happened to each policy."""
    return {entry.name: entry.action for entry in report.entries}


def test_a_file_is_written_changed_and_becomes_a_version(guarded, tmp_path):
    """Which checks when somebody promotes it; what both changed is touched by neither."""
    path = tmp_path / "guardrails" / "support.yaml"
    assert status(guarded.guardrails.sync(path.parent)) == {"support": "written"}
    assert status(guarded.guardrails.sync(path.parent)) == {"support": "same"}
    path.write_text(path.read_text().replace("word: attack", "word: assault"))
    assert status(guarded.guardrails.sync(path.parent)) == {"support": "saved"}
    assert guarded.guardrails.get("support").stages["input"][1].options == {"word": "assault"}
    assert guarded.guardrails.aliases("support") == {"production": 1}
    path.write_text(path.read_text().replace("word: assault", "word: raid"))
    guarded.guardrails.save("support", input=["mail"])
    found = guarded.guardrails.sync(path.parent)
    assert (status(found), '"raid"' in found.entries[0].diff) == ({"support": "conflict"}, True)
    assert status(guarded.guardrails.sync(path.parent, take={"support": "registry"})) == {"support": "written"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("input: [mail]\noutputs: [mail]\n", "line 2: no key named 'outputs'"),
        ("output:\n- mail\n- mial\n", "line 3: no rail named 'mial'"),
        ("output:\n- mail\ninput:\n- rail: word\n  word: a\n- rail: word\n  word: b\n", "line 6: two rails are called"),
        ("input: [mail]\nbudget_ms: soon\n", "line 2: budget_ms"),
        ("input: mail\n", "line 1: give a list of rails"),
        ("blocked_text: no\n", "line 1: a policy without a rail"),
        ("policy: support\ninput: [mail]\n", "name the file after it"),
        ("input: [\n", "it is no YAML"),
    ],
)
def test_what_is_no_policy_is_a_problem_of_its_file(guarded, tmp_path, text, said):
    """The others are synced."""
    (tmp_path / "other.yaml").write_text(text)
    found = {entry.name: entry for entry in guarded.guardrails.sync(tmp_path).entries}
    assert (found["other"].action, found["support"].action) == ("problem", "written")
    assert said in found["other"].detail
