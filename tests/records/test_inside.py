"""Verbs of several nouns as one change: all of it happens, or nothing."""

from __future__ import annotations

import pytest

from lmops.prompts import Prompts


def test_what_happens_inside_a_change_is_a_part_of_it(ws):
    """The same time, the same reason, and what the whole rests on."""
    with ws.project.change(reason="a release", evidence=["ticket-1"]) as change:
        prompts = Prompts(ws.project.inside(change))
        prompts.save("p", "one")
        prompts.promote("p", 1, to="production")
        assert prompts.aliases("p") == {"production": 1}
    rows = ws.sql('select action, reason, evidence, "at" from audit order by event_id').fetchall()
    assert [row[:3] for row in rows] == [
        ("prompt.save", "a release", '["ticket-1"]'),
        ("prompt.promote", "a release", '["ticket-1"]'),
    ]
    assert rows[0][3] == rows[1][3]
    assert ws.audit.verify().ok


def test_what_fails_takes_the_parts_along(ws):
    """Nothing of a change that was not finished is there."""

    def stop():
        with ws.project.change() as change:
            Prompts(ws.project.inside(change)).save("p", "one")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        stop()
    assert ws.prompts.list().empty
    assert ws.audit.verify().ok


def test_a_dry_run_inside_leaves_nothing(ws):
    """And the whole goes on."""
    with ws.project.change() as change:
        inside = ws.project.inside(change)
        with inside.change(dry_run=True) as part:
            part.insert("alias_protections", {"kind": "a", "name": "b", "alias": "c", "event_id": part.event_id})
        Prompts(inside).save("p", "one")
    assert ws.sql("select action from audit").fetchall() == [("prompt.save",)]
    assert ws.audit.verify().ok
