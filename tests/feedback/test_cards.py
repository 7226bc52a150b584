"""How schemas, queues, progress, accuracy, items and decisions look: tables that show hostile text and do nothing."""

from __future__ import annotations

import re

import pytest

BAD = '<img src=x onerror="alert(1)">\u202e&amp;'
ITEMS = [f"{number:032x}" for number in range(1, 5)]
FIELDS = [
    {"name": "verdict", "criteria": BAD},
    {"name": "topic", "kind": "category", "options": ["b", "a", BAD.replace("\u202e", "")]},
    {"name": "tone", "kind": "scale", "high": 3},
]


@pytest.fixture
def records(ws):
    """A record of each kind, with what raters and others wrote."""
    who = BAD.replace("\u202e", "")
    queues = ws.feedback.queues
    schema = ws.feedback.schemas.save("support", FIELDS, criteria=BAD, reason=BAD)
    queue = ws.feedback.queue("q", ITEMS, schema="support", raters=[who, "bob"], overlap=0.5, order="random")
    queue = queues.gold("q", {"f" * 32: {"verdict": {"value": "fail", "critique": BAD}}}, share=0.5)
    said = {"verdict": {"value": "fail", "critique": BAD}, "topic": "a", "tone": 2}
    for rater in (who, "bob"):
        while (turn := queues.next("q", rater=rater)) is not None:
            queues.label("q", turn.position, said, rater=rater, seconds=30)
    queues.note("q", 1, BAD, rater=who)
    return {
        "schema": schema,
        "queue": queue,
        "progress": queues.progress("q"),
        "accuracy": queues.accuracy("q"),
        "turn": queues.jump("q", 1, rater=who),
        "decision": queues.adjudicate("q", 1, said, reason=BAD),
        "agreement": ws.feedback.agreement(queue),
    }


@pytest.mark.parametrize("name", ["schema", "queue", "progress", "accuracy", "turn", "decision", "agreement"])
def test_a_card_shows_text_and_does_nothing(records, name):
    """No markup of what people wrote, no sign that turns text around; no style sheet, no colour of its own."""
    html, text = records[name]._repr_html_(), records[name].text
    assert set(re.findall(r"<(\w+)", html)) <= {
        "div",
        "p",
        "b",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "progress",
    }
    assert "\u202e" not in html + text
    assert "color" not in html
    assert "<pre>" not in html


def test_a_schema_shows_its_keys_in_the_order_of_the_values(ws, records):
    """Also when it is read again, though what is kept sorts them."""
    again = ws.feedback.schemas.get("support")
    for schema in (records["schema"], again):
        assert "pass [p], fail [f], cannot tell [c]" in schema.text
        assert "b [4], a [5]" in schema._repr_html_()
    assert [list(field.keys) for field in again.fields] == [list(field.keys) for field in records["schema"].fields]


def test_progress_is_a_bar_and_a_row_a_rater(records):
    """With how long each item took; a card without raters is a bar alone."""
    html = records["progress"]._repr_html_()
    assert '<progress max="4" value="4"' in html
    assert html.count("<tr>") == 3
    assert "30.0 s" in records["progress"].text


def test_a_queue_says_what_is_unusual_of_it(records):
    """Its order, its known answers; in words and in its card."""
    for words in ("order of their own", "50.0 %"):
        assert words in records["queue"].text
    assert "known answers" in records["queue"]._repr_html_()


def test_an_empty_queue_has_a_card(ws):
    """With nothing in it."""
    ws.feedback.schemas.save("plain")
    ws.feedback.queue("empty", [], schema="plain")
    progress = ws.feedback.queues.progress("empty")
    assert "0 of 0 items done" in progress._repr_html_()
    assert progress.text == "queue empty: 0 of 0 items done"
