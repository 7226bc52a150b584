"""Label schemas: versions of what raters are asked, and what may be said in answer."""

from __future__ import annotations

import pytest

from lmops.errors import NotFoundError, UsageError
from lmops.feedback.schemas import checked_values

FIELDS = [
    {"name": "verdict", "kind": "pass_fail", "criteria": "Would you send it?"},
    {"name": "topic", "kind": "category", "options": ["refund", "delivery"]},
    {"name": "tone", "kind": "scale", "low": 1, "high": 5},
    {"name": "faults", "kind": "choices", "options": ["rude", "wrong", "long"]},
    {"name": "tags", "kind": "tags"},
    {"name": "better", "kind": "text"},
    {"name": "where", "kind": "spans", "options": ["made up"]},
]


@pytest.fixture
def schema(ws):
    return ws.feedback.schemas.save("support", FIELDS, criteria="As a customer.")


def test_a_verdict_with_a_critique_is_the_default(ws):
    """Nothing has to be said for it; each verdict has a key."""
    (field,) = ws.feedback.schemas.save("plain").fields
    assert (field.name, field.kind, field.is_required) == ("verdict", "pass_fail", True)
    assert field.keys == {"pass": "p", "fail": "f", "cannot tell": "c"}


def test_content_is_a_version(ws, schema):
    """The same again is the same; other criteria are the next; both stay and the chain has them."""
    assert ws.feedback.schemas.save("support", FIELDS, criteria="As a customer.").ref == "support@1"
    assert ws.feedback.schemas.save("support", schema.fields, criteria="As the law.", reason="audit").ref == "support@2"
    assert ws.feedback.schemas.get("support@1").criteria == "As a customer."
    assert ws.feedback.schemas.list()[["name", "version"]].to_numpy().tolist() == [["support", 2]]
    assert ws.sql("select ref, note from label_schemas").fetchall() == [("support@1", None), ("support@2", "audit")]
    assert ws.audit.events().action.tolist() == ["label_schema.save"] * 2
    with pytest.raises(NotFoundError, match="has no version 3"):
        ws.feedback.schemas.get("support@3")


def test_keys_are_one_to_one(schema):
    """Values without a given key take the next that is free."""
    tone = next(field for field in schema.fields if field.name == "tone")
    assert tone.keys == {"1": "1", "2": "2", "3": "3", "4": "4", "5": "5"}


def test_no_key_stands_for_two_choices(ws):
    """A step of a scale is its own key, whatever comes before it; the rest take what is left."""
    reason = {"name": "reason", "kind": "category", "options": ["fact", "tone", "other"]}
    fields = [{"name": "verdict"}, reason, {"name": "clear", "kind": "scale", "low": 0, "high": 3}, {"name": "again"}]
    saved = ws.feedback.schemas.save("many", fields)
    keys = [key for field in saved.fields for key in field.keys.values()]
    assert len(set(keys)) == len(keys) == 13
    assert saved.fields[2].keys == {"0": "0", "1": "1", "2": "2", "3": "3"}
    assert saved.fields[1].keys == {"fact": "4", "tone": "5", "other": "6"}
    assert ws.feedback.schemas.save("many", saved.fields).ref == "many@1"


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ([], "needs a field"),
        ("verdict", "give a list"),
        ([{"name": "a", "kind": "star"}], "no kind of a field named 'star'"),
        ([{"name": "a"}, {"name": "a"}], "'a' is there twice"),
        ([{"name": "a", "kind": "category", "options": ["x"]}], "at least two"),
        ([{"name": "a", "kind": "tags", "options": ["x"]}], "has no options"),
        ([{"name": "a", "kind": "scale", "low": 5, "high": 1}], "whole numbers"),
        ([{"name": "a", "keys": {"pass": "x", "fail": "x"}}], "same key"),
        ([{"name": "a", "keys": {"great": "x"}}], "no value of field a named 'great'"),
        ([{"name": "a", "low": 1}], "only a scale"),
        ([{"name": "a", "colour": 1}], "no part of a field"),
        ([3], "is no field"),
    ],
)
def test_a_field_that_cannot_be_asked_is_refused(ws, fields, why):
    """The message says what would do; nothing is saved."""
    with pytest.raises(UsageError, match=why):
        ws.feedback.schemas.save("support", fields)
    assert len(ws.feedback.schemas.list()) == 0


def test_values_are_kept_in_one_form(schema):
    """True is a pass; options in their order, tags once, stretches by their place; what is empty is left out."""
    given = {
        "verdict": True,
        "topic": "refund",
        "tone": 4.0,
        "faults": ["long", "rude"],
        "tags": [" a ", "b", "a"],
        "better": "",
        "where": [{"start": 5, "end": 9, "name": "made up"}, {"start": 0, "end": 2}],
    }
    assert checked_values(schema, given) == {
        "verdict": {"value": "pass"},
        "topic": "refund",
        "tone": 4,
        "faults": ["rude", "long"],
        "tags": ["a", "b"],
        "where": [{"start": 0, "end": 2}, {"start": 5, "end": 9, "name": "made up"}],
    }


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"verdict": "maybe"}, "give one of pass, fail, cannot tell"),
        ({"verdict": ["pass"]}, "give one of pass"),
        ({"verdict": {"value": "fail", "why": "x"}}, "critique"),
        ({"verdict": "pass", "topic": "weather"}, "refund, delivery"),
        ({"verdict": "pass", "tone": 6}, "from 1 to 5"),
        ({"verdict": "pass", "tone": float("nan")}, "from 1 to 5"),
        ({"verdict": "pass", "tone": True}, "from 1 to 5"),
        ({"verdict": "pass", "faults": "rude"}, "give a list"),
        ({"verdict": "pass", "better": 3}, "give a text"),
        ({"verdict": "pass", "better": "\ud800"}, "lone surrogate"),
        ({"verdict": "pass", "where": [{"start": 4, "end": 4}]}, "stretches"),
        ({"verdict": "pass", "mood": 1}, "no field of support@1 named 'mood'"),
        ({"tone": 3}, "needs a value of verdict"),
        ("pass", "give a value for each field"),
    ],
)
def test_a_value_outside_the_schema_is_refused(schema, values, why):
    """By its field, with what would do."""
    with pytest.raises(UsageError, match=why):
        checked_values(schema, values)
