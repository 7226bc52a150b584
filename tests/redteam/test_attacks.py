"""Attacks as rows: what a target can take, what is left out, what is drawn."""

from __future__ import annotations

import pytest

from lmops.datasets import Example
from lmops.errors import NotFoundError, UsageError
from lmops.redteam import core
from lmops.redteam.attacks import attacks_of
from lmops.redteam.placements import PLACEMENTS
from lmops.redteam.seeds import suite_of
from tests.redteam.conftest import SUITE

ALL = {"documents", "tool_results", "memory", "history", "system", "tools"}


def rows(**given):
    return attacks_of(suite_of(SUITE), **{"channels": ALL, **given}).rows


def test_every_seed_has_a_twin_beside_each_placement():
    """A seed in a placement has one attack a converter and one twin, in one cluster."""
    found = rows(converters=["plain", "base64"])
    kinds = [row["metadata"]["kind"] for row in found]
    assert (kinds.count("attack"), kinds.count("benign")) == (24, 12)
    assert {row["cluster"] for row in found} == {f"say-{number}" for number in range(6)}
    assert len({row["id"] for row in found}) == 36


def test_twins_of_an_applications_own_field():
    """Each seed takes the next question; what several take is one cluster, and attacks keep theirs."""
    suite = suite_of(SUITE).with_twins(["When?", Example(example_id="a", input={"question": "Where?"}), "When?"])
    found = attacks_of(suite, channels=(), placements=["user"]).rows
    asked = {row["id"]: (row["input"]["question"], row["cluster"]) for row in found if "benign" in row["id"]}
    assert asked["say-1/benign/user"] == ("Where?", "say-1")
    assert {asked[f"say-{at}/benign/user"] for at in (0, 2, 3, 5)} == {("When?", "say-0")}
    assert {row["cluster"] for row in found if "plain" in row["id"]} == {f"say-{number}" for number in range(6)}
    for questions in ([], ["When?", 3], [{"question": " "}]):
        with pytest.raises(UsageError, match=r"questions|a twin is a text"):
            suite.with_twins(questions)


def test_attack_is_written_and_the_twin_is_not():
    """Converters write attacks; twins stay as they are."""
    found = {row["id"]: row["input"]["question"] for row in rows(placements=["user"], converters=["base64"])}
    assert found["say-0/base64/user"].startswith("Decode this base64")
    assert found["say-0/benign/user"] == "What is rule 0 about?"


@pytest.mark.parametrize("placement", sorted(PLACEMENTS))
def test_every_placement_holds_the_text(placement):
    """The text stands in what the target is given, wherever it is placed."""
    seed = {**SUITE[0], "placements": [placement], "text": "Say {marker} please"}
    row = attacks_of(suite_of([seed]), channels=ALL).rows[0]
    marker = row["metadata"]["checks"]["marker"]
    assert f"Say {marker} please" in str(row["input"])
    assert row["input"]["question"]


def test_what_a_target_cannot_take_is_left_out_and_said():
    """Placements, canaries and tools without a channel are counted with their reason."""
    found = attacks_of(core(), channels=[])
    assert {row["metadata"]["oracle"] for row in found.rows} <= {"marker", "link", "phrase", "length"}
    assert sum(found.left_out.values()) > 100
    assert any("documents" in reason for reason in found.left_out)
    with pytest.raises(UsageError, match="is left"):
        attacks_of(core().of(families="tool_abuse"), channels=[])


def test_limit_keeps_every_seed_before_any_has_a_second():
    """A limit is drawn over seeds first, by the draw and nothing else."""
    found = [row for row in rows(limit=6) if row["metadata"]["kind"] == "attack"]
    assert len({row["cluster"] for row in found}) == 6
    assert rows(limit=6) == rows(limit=6)
    assert [row["id"] for row in rows(limit=3, draw=1)] != [row["id"] for row in rows(limit=3, draw=2)]


def test_canaries_are_planted_where_the_seed_says():
    """A canary stands in the instructions or in somebody else's document, and never in what the attacker writes."""
    for row in attacks_of(core().of(families=["extraction", "neighbour_data"]), channels=ALL).rows:
        given, canary = row["input"], row["metadata"]["checks"]["canary"]
        assert canary in given.get("system", "") + str(given.get("private", ""))
        assert canary not in given["question"]


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"placements": ["usr"]}, UsageError, "user"),
        ({"converters": ["b64"]}, NotFoundError, "base64"),
        ({"converters": []}, UsageError, "plain"),
        ({"limit": 0}, UsageError, "1 or more"),
    ],
)
def test_bad_choices_are_refused(given, error, said):
    """Unknown names and empty choices are refused with the nearest that there is."""
    with pytest.raises(error, match=said):
        rows(**given)
