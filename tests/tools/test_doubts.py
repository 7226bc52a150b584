"""Arguments that nobody said, or that stand in each other's place; what can be worked out is no doubt."""

from __future__ import annotations

import pytest

from lmops.tools.doubts import doubts, leaves


def kinds(arguments, *texts, question=None):
    return [(one.kind, one.argument, one.said) for one in doubts(arguments, list(texts), question)]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"reference": "TL-2901"}, "Is TL-2901 confirmed?"),
        ({"reference": "TL-2901"}, "is tl 2901 confirmed"),
        ({"user_id": "mia_li_3668"}, "my id is mia_li_3668."),
        ({"email": "ada@example.org"}, "write to Ada@Example.org"),
        ({"date": "2026-05-20", "amount": 1786, "time": "09:30", "share": "12.5%"}, "on May 20th"),
        ({"query": "ferries with 2 dogs", "n": 3, "is_paid": True, "note": None}, "may my dogs travel?"),
        ({"order_id": 88123}, "order 88123 please"),
        ({}, "hello"),
        ("", "hello"),
    ],
)
def test_what_was_said_or_worked_out_is_no_doubt(arguments, text):
    """Other case and marks, dates, amounts, free text."""
    assert kinds(arguments, text) == []


def test_an_identifier_that_nobody_said_is_doubted_and_the_nearest_is_named():
    """Of the same shape, the one said last."""
    assert kinds({"reference": "TL-9201"}, "And TL-1111, no: TL-2901 please") == [("unsaid", "$.reference", "TL-2901")]
    assert kinds({"legs": [{"flight_no": "HAT1"}, {"flight_no": "HAT2"}]}, "HAT1") == [
        ("unsaid", "$.legs[1].flight_no", "HAT1")
    ]
    assert kinds({"order_id": 88123}, "my order 88132") == [("unsaid", "$.order_id", "88132")]
    assert kinds({"reference": "TL-9201"}) == []  # nothing is known of what was said
    assert kinds({"reference": "TL-29"}, "TL-2901") == [("unsaid", "$.reference", None)]


@pytest.mark.parametrize(
    "question",
    [
        "When do ships leave from Oslo to Bergen?",
        "I need the timetable Oslo to Bergen",
        "nach Bergen von Oslo bitte",
        "De Oslo à Bergen, s'il vous plaît",
        "OsloからBergenまで",
    ],
)
def test_ends_of_a_direction_that_are_swapped_are_found(question):
    """In several languages, and not where they are right."""
    right, wrong = {"origin": "Oslo", "destination": "Bergen"}, {"origin": "Bergen", "destination": "Oslo"}
    assert kinds(right, question, question=question) == []
    assert kinds(wrong, question, question=question) == [
        ("swapped", "$.origin", "Oslo"),
        ("swapped", "$.destination", "Bergen"),
    ]


def test_a_direction_that_the_text_leaves_open_is_no_doubt():
    """Both ways, neither way, one end alone, or the same place twice."""
    call = {"origin": "Bergen", "destination": "Oslo"}
    for question in ("Oslo to Bergen, and back to Oslo from Bergen", "Oslo and Bergen", "to Bergen", ""):
        assert kinds(call, question, question=question) == []
    assert kinds({"from": "Oslo", "to": "Oslo"}, "to Oslo", question="to Oslo") == []


def test_what_is_no_object_is_unreadable_and_depth_is_bounded():
    """Hostile arguments end."""
    assert kinds("[1, 2", "x") == [("unreadable", "$", None)]
    assert kinds("[1]", "x") == [("unreadable", "$", None)]
    deep: dict[str, object] = {}
    deep["a"] = deep
    assert list(leaves(deep)) == []
