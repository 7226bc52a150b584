"""Post-mortems and follow-ups: what is known, and what is not is a question."""

from __future__ import annotations

import json

import nbformat
import pytest

from lmops.errors import NotFoundError, UsageError
from tests.monitors.traffic import add, day, sessions

HOSTILE = "<img src=x onerror=alert(1)> [x](javascript:alert(1)) `a` | $b$ https://evil.example @all\n# h"


def test_it_says_what_is_known_and_asks_the_rest(incidents, opened):
    """Nothing was done, nobody is in charge: these are questions."""
    found = incidents.postmortem(1)
    assert found.markdown.startswith("# Post\\-mortem of incident 1: errors: queries that failed")
    assert "36 traces, 1 user" in found.markdown
    assert "prompt version: answer@1 → answer@2" in found.markdown
    assert {"Who looks after it?", "What stopped it, and when?", "Is it over? No test on traffic says so."} <= {
        *found.questions
    }
    assert not any("What accounts" in one for one in found.questions)


def test_what_is_known_later_is_no_question(incidents, rolled_back, broken_ws):
    """The action, the verification, the follow-up are in it instead."""
    add(broken_ws, sessions(day(5, 12), day(8), name="c"))
    incidents.own(1)
    incidents.verify(1, until=day(8))
    incidents.resolve(1)
    incidents.follow_up(1, dataset="regressions", limit=5)
    found = incidents.postmortem(1)
    assert len(found.questions) == 2
    for said in ("roll\\_back", "recovered", "5 affected traces in the dataset regressions@1", "to mitigate"):
        assert said in found.markdown
    assert incidents.postmortem(1) == found


def test_texts_of_others_mean_nothing_but_themselves(incidents):
    """In Markdown, in HTML and in the notebook."""
    incidents.open(HOSTILE.replace("\n", " "))
    incidents.note(1, HOSTILE)
    found = incidents.postmortem(1)
    shown = found.markdown, "".join("".join(cell["source"]) for cell in found.notebook["cells"])
    for text in shown:
        assert "<img" not in text
        assert "\\[x\\]\\(" in text
        assert "https&#58;//" in text
        assert "\n# h" not in text
    assert "<img" not in found._repr_html_()
    assert "<script" not in incidents.get(1)._repr_html_()


def test_the_notebook_is_one(incidents, opened, tmp_path):
    """It opens, and asks the store again where somebody runs it."""
    (tmp_path / "p.ipynb").write_text(json.dumps(incidents.postmortem(1).notebook))
    read = nbformat.read(tmp_path / "p.ipynb", as_version=4)
    nbformat.validate(read)
    assert "ws.incidents.timeline(1)" in read.cells[1].source


def test_a_follow_up_is_written_once(incidents, opened, broken_ws):
    """Examples carry the incident as a tag; a monitor must be there."""
    for _ in range(2):
        incidents.follow_up(1, dataset="regressions", limit=3)
        incidents.follow_up(1, monitor="errors")
        incidents.follow_up(1, text="jonas writes a test until Friday")
    rows = broken_ws.sql("select text, ref from incident_notes where kind = 'follow-up' order by number").fetchall()
    assert rows == [
        ("3 affected traces in the dataset regressions@1", "regressions@1"),
        ("monitor errors@1 watches for it", "errors@1"),
        ("jonas writes a test until Friday", None),
    ]
    assert {*broken_ws.datasets.get("regressions").df().tags.map(tuple)} == {("incident-1",)}
    with pytest.raises(NotFoundError):
        incidents.follow_up(1, monitor="other")
    with pytest.raises(UsageError, match="give one of"):
        incidents.follow_up(1)


def test_without_an_affected_trace_there_is_no_example(incidents):
    """It is said."""
    incidents.open("by hand")
    with pytest.raises(UsageError, match="no trace is affected"):
        incidents.follow_up(1, dataset="d")
