"""The timeline: put together from what was written elsewhere, with its evidence."""

from __future__ import annotations

from dataclasses import replace

from lmops.prompts import Prompts
from tests.monitors.traffic import day


def test_it_tells_what_happened_in_the_order_of_time(incidents, rolled_back):
    """The release, the change, the alert, what was done; each with what proves it."""
    found = incidents.timeline(1)
    assert list(zip(found["source"], found.what.str.slice(0, 40), strict=True)) == [
        ("change", "errors: queries that failed: 50.0 % [5.9"),
        ("release", "first trace with answer@2"),
        ("prompt", "prompt.save answer@2"),
        ("prompt", "answer@production: 1 -> 2 (promote)"),
        ("monitor", "monitor.save errors@1"),
        ("alert", "alert 1 (errors): firing"),
        ("incident", "open"),
        ("prompt", "answer@production: 2 -> 1 (rollback)"),
        ("incident", "roll_back: answer@production goes from 2"),
        ("incident", "mitigated"),
    ]
    assert found.evidence.str.fullmatch(r"event \d+|alert 1|[0-9a-f]{32}").all()
    assert found["behind_s"].isna().all()
    assert found["at"].is_monotonic_increasing


def test_what_is_not_known_is_missing(incidents, opened):
    """Nobody is said to have changed what a detector found."""
    found = incidents.timeline(1)
    assert found.loc[found["source"] == "change", "who"].isna().all()


def test_a_clock_that_is_behind_is_said(incidents, rolled_back, broken_ws):
    """Who wrote it later wrote an earlier time."""
    late = Prompts(replace(broken_ws.project, now=lambda: day(5, 11)))
    late.promote("answer", 1, to="staging")
    found = incidents.timeline(1)
    assert found.loc[found["behind_s"].notna(), ["what", "behind_s"]].to_numpy().tolist() == [
        ["answer@staging: nothing -> 1 (promote)", 3600.0]
    ]


def test_a_store_without_anything_else_has_its_own_events(incidents):
    """One by hand, of the time before there was traffic."""
    incidents.open("by hand", since=day(-9))
    assert incidents.timeline(1, lead="1h")["source"].tolist()[-1] == "incident"
